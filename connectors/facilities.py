"""Open Know-Where facilities (YAML or JSON) to agents with what they can do: capability, not capacity. Nobody's hours are invented."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.geojson import parse_json
from connectors.manifests import BrokenText, line_of, load_yaml
from connectors.reading import Report, agent_names, excerpt, place_of, say, text_of
from coordinator.errors import Refused
from coordinator.processes import processes_in
from coordinator.times import format_instant

__all__ = ["Facilities", "read_facilities"]


@dataclass(frozen=True, slots=True)
class Facilities:
    """How a description of facilities reads."""

    about: str
    noun: str = "facility"


def read_facilities(text: str, facilities: Facilities, *, said_us: int, prefix: str = "", name: str = "") -> Report:
    """Return an agent for each facility. One whose description names nobody is called `name` (the file's, say)."""
    report = Report()
    report.notes["said at"] = format_instant(said_us)
    try:
        found = _read(text, report)
    except BrokenText as broken:
        report.refuse(broken.line, broken.why, line_of(text, broken.line))
        return report
    told: list[tuple[int, str, str, dict[str, object]]] = []
    for row, record in enumerate(found, start=1):
        try:
            told.append((row, *_facility(record, name if len(found) == 1 else "", report)))
        except Refused as refused:
            report.refuse(row, str(refused), record)
    names = agent_names([(called, own_id) for _, called, own_id, _ in told], noun=facilities.noun)
    for (row, called, _, data), agent in zip(told, names, strict=True):
        try:
            if agent is None:
                raise Refused(f"another facility is called “{excerpt(called)}” too, and no id tells them apart: give each its own")
            report.taken.append(say("agent", prefix + agent, "agent", said_us, data))
        except Refused as refused:
            report.refuse(row, str(refused), data)
    report.refused.sort(key=lambda refused: refused.row)
    return report


def _read(text: str, report: Report) -> Sequence[Any]:
    found = parse_json(text) if text.lstrip().startswith(("[", "{")) else load_yaml(text, report)
    return found if isinstance(found, list) else [found]


def _facility(record: Any, file_name: str, report: Report) -> tuple[str, str, dict[str, object]]:
    """Return the name, the id and the agent's data."""
    if not isinstance(record, dict):
        raise Refused("this is no facility: an object with named fields was expected")
    facility = record.get("facility") if isinstance(record.get("facility"), dict) else record
    assert isinstance(facility, dict)  # one or the other
    said = facility.get("name") or facility.get("title") or file_name
    name = text_of(str(said or ""), "the name")
    if not name:
        raise Refused("the facility has no name: an agent needs one")
    data: dict[str, object] = {"name": name, "classified_as": _abilities(record, report)}
    place = _place(record, report)
    if place is not None:
        data["place"] = place
    if not data["classified_as"]:
        del data["classified_as"]
        report.warnings["facility that says nothing of what it can do"] += 1
    return name, str(facility.get("facility_id") or ""), data


def _abilities(record: Mapping[str, Any], report: Report) -> list[str]:
    """Return its processes by our names, and as they were said where no table knows them: nothing is dropped, nothing guessed."""
    named: list[str] = []
    for key in ("processes", "tool-list-atoms"):
        for each in _listed(record.get(key)):
            described = each.get("description") if isinstance(each, dict) else each
            if described:
                named.append(text_of(str(described), key))
    if not named and isinstance(record.get("tool-list"), str):
        named.append(text_of(record["tool-list"], "tool-list"))
    found: list[str] = []
    for text in named:
        known, unknown = processes_in(text)
        found += [term.process for term in known] + [each[:256] for each in unknown]
        if unknown:
            report.warnings["tool or process that no table knows: kept as it was said"] += len(unknown)
    for each in _listed(record.get("inventory-atoms")):
        if isinstance(each, dict) and each.get("description"):
            report.warnings["something in stock, without a quantity: no offer is made of it"] += 1
    return list(dict.fromkeys(found))


def _place(record: Mapping[str, Any], report: Report) -> dict[str, object] | None:
    where = record.get("geocoding")
    region = record.get("region") if isinstance(record.get("region"), dict) else {}
    if not isinstance(where, dict) or where.get("latitude") is None or where.get("longitude") is None:
        report.warnings["no coordinates: taken without a place"] += 1
        return None
    town = text_of(str(region.get("city_town") or ""), "the town") if isinstance(region, dict) else ""
    return place_of(str(where["latitude"]), str(where["longitude"]), town)


def _listed(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else []
