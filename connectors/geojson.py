"""Maps to agents: the points of a GeoJSON FeatureCollection, and what is wrong with a text that is not quite JSON."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.reading import Report, agent_names, excerpt, place_of, say, slug, text_of
from coordinator.errors import Refused
from coordinator.times import format_instant

__all__ = ["Points", "Site", "features_of", "parse_json", "read_points", "sites_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """How the points of a map read: the property that holds each thing.

    Agents are named by the slug of `name`, told apart by the first of `ids` that a point has.
    """

    about: str
    name: str = "name"
    ids: tuple[str, ...] = ("id",)
    label: str = ""
    classes: tuple[str, ...] = ()  # the properties that classify
    noun: str = "agent"


@dataclass(frozen=True, slots=True)
class Site:
    """One point of a map, read: its registry id ("" if it has none), what tells it apart, its place in degrees and the agent's data."""

    own_id: str
    told_by: str
    name: str
    degrees: tuple[float, float] | None  # latitude, longitude
    data: Mapping[str, object]


def parse_json(text: str) -> object:
    """Return the value of a JSON text. Refused with line and column, what stands there, what was expected and what to do."""
    try:
        return json.loads(text, object_pairs_hook=_no_doubles, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise Refused(f"line {error.lineno} column {error.colno}: {_expected(text, error)}") from None
    except RecursionError:
        raise Refused("the text nests deeper than any map does: it cannot be read") from None
    except ValueError:  # Python refuses whole numbers of thousands of digits.
        raise Refused("a number of the text has thousands of digits: correct it") from None


def _no_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return the object. Refused when a key stands twice: nobody can say which of the two is meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        double = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise Refused(f"the key “{excerpt(double)}” stands twice in one object: keep one of them")
    return found


def _no_constant(name: str) -> object:
    """Refused: JSON has no such number."""
    raise Refused(f"{name} is not a number of JSON: write a number, or null")


def _expected(text: str, error: json.JSONDecodeError) -> str:
    """Return what stands where the text broke, what was expected, and the likeliest mending, told from what stands before it."""
    stands = f"“{excerpt(text[error.pos])}” stands" if error.pos < len(text) else "the text ends"
    before = text[: error.pos].rstrip()
    line = before.count("\n") + 1
    after_comma = before.endswith(",")
    mark = text[error.pos : error.pos + 1]
    if "',' delimiter" in error.msg:
        return f"{stands} where a comma or a closing bracket was expected: put the missing comma at the end of line {line}"
    if "property name" in error.msg and after_comma and mark == "{":
        closing = f"the object before it is not closed; put a }} before the comma of line {line}"
        return f"{stands} where a name in double quotes was expected: {closing}"
    if after_comma and mark in ("]", "}"):
        return f"{stands} where one more value was expected: take out the comma at the end of line {line}"
    return f"{stands}; {error.msg[:1].lower()}{error.msg[1:]}"


def read_points(text: str, points: Points, *, said_us: int, prefix: str = "") -> Report:
    """Return an agent event for each point of a FeatureCollection's text. Refused when the text is no FeatureCollection."""
    report = Report()
    report.notes["said at"] = format_instant(said_us)
    sites = sites_of(features_of(parse_json(text)), points, report)
    names = agent_names([(site.name, site.told_by) for _, site in sites], noun=points.noun)
    for (row, site), name in zip(sites, names, strict=True):
        try:
            if name is None:
                raise Refused(
                    f"another point is called “{excerpt(site.name)}” too, and no id tells the two apart: give each an id of its own"
                )
            report.taken.append(say("agent", prefix + name, "agent", said_us, dict(site.data)))
        except Refused as refused:
            report.refuse(row, str(refused), site.data)
            continue
        if name != slug(site.name):
            report.warnings["name shared with another: agent name carries the id"] += 1
    report.refused.sort(key=lambda refused: refused.row)
    return report


def features_of(value: object) -> list[object]:
    """Return the features of a FeatureCollection. Refused when the value is something else."""
    if not isinstance(value, dict) or value.get("type") != "FeatureCollection" or not isinstance(value.get("features"), list):
        came = f"an object of type {excerpt(value.get('type'))}" if isinstance(value, dict) else excerpt(value)
        raise Refused(f"{came} came where a GeoJSON FeatureCollection with a list of features was expected")
    return list(value["features"])


def sites_of(features: Sequence[object], points: Points, report: Report) -> list[tuple[int, Site]]:
    """Return the sites that can be read, each with the number of its feature from 1 on; the others are refused."""
    sites = []
    for row, feature in enumerate(features, start=1):
        try:
            sites.append((row, _site(feature, points)))
        except Refused as refused:
            report.refuse(row, str(refused), feature)
            continue
        if sites[-1][1].degrees is None:
            report.warnings["feature without geometry: taken without a place"] += 1
    return sites


def _site(feature: object, points: Points) -> Site:
    """Return one feature as a site. Refused when it has no name, or a geometry that is not one point on the globe."""
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(feature, dict) or feature.get("type") != "Feature" or not isinstance(properties, dict):
        raise Refused("this is no GeoJSON Feature with properties")
    name = _property(properties, points.name)
    if not name:
        raise Refused(f"the feature has no property “{points.name}”: an agent needs a name")
    data: dict[str, object] = {"name": name}
    degrees = _degrees(feature.get("geometry"))
    if degrees is not None:
        data["place"] = place_of(*degrees, _property(properties, points.label) if points.label else "")
    classes = [found for key in points.classes if (found := _property(properties, key))]
    if classes:
        data["classified_as"] = list(dict.fromkeys(classes))
    ids = [_property(properties, key) for key in points.ids]
    return Site(ids[0] if ids else "", next(filter(None, ids), ""), name, degrees, data)


def _property(properties: Mapping[str, object], key: str) -> str:
    """Return a property as tidy text, "" if there is none. Refused when it is no text or number."""
    value = properties.get(key)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Refused(f"the property “{key}” is {excerpt(value)}, where a text was expected")
    return text_of(str(value), f"the property “{key}”")


def _degrees(geometry: object) -> tuple[float, float] | None:
    """Return latitude and longitude of a point, None without geometry. Refused for any other geometry."""
    if geometry is None:
        return None
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    numbers = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if kind is None:
        raise Refused(f"the geometry is {excerpt(geometry)}, where a Point [longitude, latitude] was expected")
    if kind != "Point" or not isinstance(numbers, list) or len(numbers) not in (2, 3):
        raise Refused(f"the geometry is {excerpt(kind)} {excerpt(numbers)}, where a Point [longitude, latitude] was expected")
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers):
        raise Refused(f"the coordinates are {excerpt(numbers)}, where two numbers were expected")
    return numbers[1], numbers[0]
