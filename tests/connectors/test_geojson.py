"""Maps to agents, and texts that are not quite JSON."""

import json

import pytest

from connectors.geojson import Points, parse_json, read_points
from connectors.reading import Report
from coordinator.errors import Refused
from coordinator.signals import parse_event

SAID_US = 1_600_000_000_000_000
POINTS = Points(about="test", label="town", classes=("structure",), noun="place")


def feature(name: object, coordinates: object = (-1.5, 48.1), **properties: object) -> dict[str, object]:
    return {"type": "Feature", "properties": {"name": name, **properties}, "geometry": {"type": "Point", "coordinates": coordinates}}


def read(*features: object) -> Report:
    report = read_points(json.dumps({"type": "FeatureCollection", "features": features}), POINTS, said_us=SAID_US)
    for line in report.taken:
        parse_event(line, strict_fields=True)
    return report


def test_a_point_becomes_an_agent() -> None:
    report = read(feature("Séné Lab", [-2.7, 47.6, 12.0], town="Séné", structure="fablab", id=4))
    (event,) = map(json.loads, report.taken)
    assert (event["source"], event["time"]) == ("agent:sene-lab", "2020-09-13T12:26:40Z")
    place = {"lat": 47.6, "long": -2.7, "label": "Séné"}
    assert event["data"] == {"name": "Séné Lab", "place": place, "classified_as": ["fablab"]}


def test_a_feature_without_geometry_is_taken_without_a_place_and_counted() -> None:
    bare = feature("A") | {"geometry": None}
    missing = {"type": "Feature", "properties": {"name": "B"}}
    report = read(bare, missing, feature("C"))
    assert ["place" in json.loads(line)["data"] for line in report.taken] == [False, False, True]
    assert report.warnings == {"feature without geometry: taken without a place": 2}


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (feature("B", [48.1]), "where a Point .longitude, latitude. was expected"),
        (feature("B", ["2", "3"]), "where two numbers were expected"),
        (feature("B", [2, True]), "where two numbers were expected"),
        (feature("B", [10, 100]), "lat is 100"),
        (feature("B", [10**400, 10]), "long is"),
        (feature("B") | {"geometry": {"type": "Polygon", "coordinates": []}}, "the geometry is Polygon"),
        (feature("B") | {"geometry": "here"}, "the geometry is here"),
        (feature(None), "no property “name”"),
        (feature(""), "no property “name”"),
        (feature(["B"]), "where a text was expected"),
        (feature("a\u202eb"), r"U\+202E"),
        (feature("=1"), "begins like a formula"),
        (feature("\ud800"), r"U\+D800"),
        ("B", "no GeoJSON Feature"),
        ({"type": "Feature"}, "no GeoJSON Feature"),
    ],
)
def test_a_feature_that_cannot_be_read_is_refused_with_its_number(broken: object, why: str) -> None:
    report = read(feature("A"), broken, feature("C"))
    assert [json.loads(line)["source"] for line in report.taken] == ["agent:a", "agent:c"]
    (refused,) = report.refused
    assert refused.row == 2
    with pytest.raises(Refused, match=why):
        raise Refused(refused.reason)


def test_points_that_share_a_name_carry_their_id_or_are_refused() -> None:
    report = read(feature("A", id="1"), feature("A", id="2"), feature("B"), feature("B"))
    assert [json.loads(line)["source"] for line in report.taken] == ["agent:a-1", "agent:a-2"]
    assert [refused.row for refused in report.refused] == [3, 4]
    assert report.warnings == {"name shared with another: agent name carries the id": 2}


@pytest.mark.parametrize("text", ["[]", "3", "null", '{"type": "Feature"}', '{"type": "FeatureCollection", "features": {}}'])
def test_what_is_no_feature_collection_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="where a GeoJSON FeatureCollection"):
        read_points(text, POINTS, said_us=SAID_US)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(
            "[1,\n 2,\n]", "line 3 column 1: “]” stands where one more value.*comma at the end of line 2", id="comma before the end"
        ),
        pytest.param('{"a": 1,\n}', "line 2 column 1: “}” stands where one more value.*line 1", id="comma before the brace"),
        pytest.param(
            '[{"a": {"b": 1},\n{"a": 2}]', "line 2 column 1: “{” stands where a name.*put a } before the comma of line 1", id="open brace"
        ),
        pytest.param("[1\n\n2]", "line 3 column 1: “2” stands where a comma.*missing comma at the end of line 1", id="no comma"),
        pytest.param("[1", "line 1 column 3: the text ends where a comma or a closing bracket", id="cut off after a value"),
        pytest.param("", "line 1 column 1: the text ends; expecting value", id="nothing at all"),
        pytest.param("[1]\x00", "line 1 column 4: “.x00” stands; extra data", id="something after the end"),
        pytest.param("{'a': 1}", "line 1 column 2: “'” stands; expecting property name", id="single quotes"),
        pytest.param("[NaN]", "NaN is not a number of JSON", id="no number"),
        pytest.param('{"a": 1, "a": 2}', "the key “a” stands twice", id="a key twice"),
        pytest.param("[" * 100_000, "nests deeper", id="a tower of brackets"),
        pytest.param("[" + "9" * 5000 + "]", "thousands of digits", id="a number without end"),
    ],
)
def test_broken_json_is_refused_with_line_column_and_mending(text: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        parse_json(text)
