"""The mappings that come with the product, one value each: a registry or a plain table, and which of its columns says what."""

from collections.abc import Mapping

from connectors.facilities import Facilities
from connectors.field_ready import DesignList
from connectors.geojson import Points
from connectors.manifests import Manifests
from connectors.parts import Parts
from connectors.tables import Table
from connectors.versions import Versions

__all__ = ["MAPPINGS", "Reading"]

Reading = Table | Points | Versions | Manifests | DesignList | Parts | Facilities


_GOODS = {
    word: word for word in ("agent", "id", "resource", "quantity", "unit", "time", "begin", "end", "due", "expires", "minimum", "within_km")
}
_MAY_BE_MISSING = frozenset({"id", "unit", "time", "begin", "end", "due", "expires", "minimum", "within_km", "tier"})
_OF_AGENTS = frozenset({"agent", "name", "id", "lat", "long", "label", "classified_as", "time"})
_BRITTANY = Points(
    about="GeoJSON of the fab labs and third places of Brittany (MapLab BZH): agents",
    ids=("id", "ville"),
    label="ville",
    classes=("structure",),
    noun="place",
)

MAPPINGS: Mapping[str, Reading] = {
    "agents": Table(
        about="CSV of agents: agent or name, optionally id, lat, long, label, classified_as (“;” between several), time",
        kind="agent",
        columns={word: word for word in _OF_AGENTS},
        optional=_OF_AGENTS,
    ),
    "offers": Table(
        about="CSV of offers: agent, resource, quantity, optionally unit (else pieces), id, time, begin, end, expires, minimum, within_km",
        kind="offer",
        columns={word: heading for word, heading in _GOODS.items() if word != "due"},
        optional=_MAY_BE_MISSING,
        unit="1",
    ),
    "stock": Table(
        about="CSV of stock: as offers, where a quantity is all that is there, promised parts included",
        kind="offer",
        columns={word: heading for word, heading in _GOODS.items() if word != "due"},
        optional=_MAY_BE_MISSING,
        unit="1",
        always={"basis": "total"},
    ),
    "needs": Table(
        about="CSV of needs: as offers, with due and tier (0 vital to 3 wished)",
        kind="need",
        columns={**_GOODS, "tier": "tier"},
        optional=_MAY_BE_MISSING,
        unit="1",
    ),
    "points": Points(about="GeoJSON FeatureCollection of points with a property name, optionally id: agents"),
    "fablabs": Table(
        about="CSV of labs as the fablabs.io registry is exported by the Internet of Production Alliance: agents",
        kind="agent",
        columns={"name": "name", "id": "id", "lat": "latitude", "long": "longitude", "label": "city", "classified_as": "capabilities"},
        classes=("fab-lab",),
        noun="lab",
    ),
    "ppe-match/donors": Table(
        about="CSV of donors of protective equipment (GetUsPPE, 2020): offers in pieces",
        kind="offer",
        columns={"agent": "don_id", "time": "date", "resource": "ppe", "quantity": "qty"},
        unit="1",
        decimal=".",
    ),
    "ppe-match/recipients": Table(
        about="CSV of recipients of protective equipment (GetUsPPE, 2020): needs in pieces",
        kind="need",
        columns={"agent": "rec_id", "time": "date", "resource": "ppe", "quantity": "qty"},
        unit="1",
        decimal=".",
    ),
    "bzh-fablabs": _BRITTANY,
    "bzh-fablabs/versions": Versions(
        about="dated versions of that GeoJSON, one a line: agents that appear, move, are renamed and go",
        points=_BRITTANY,
    ),
    "okh": Manifests(about="one Open Know-How manifest (YAML, TOML or JSON, four dialects): drafts of recipes for --agent to publish"),
    "okw": Facilities(about="Open Know-Where facilities (YAML or JSON): agents with what they can do, without hours"),
    "field-ready": DesignList(about="JSON list of Field Ready's designs: drafts of recipes for --agent to publish"),
    "bom": Parts(about="bill of materials (CSV or tab-separated) of --product: a draft of its recipe, and of each assembly's"),
}
