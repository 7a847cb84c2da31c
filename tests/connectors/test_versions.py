"""Dated versions of a map to the stream of what changed."""

import json

import pytest

from connectors.geojson import Points
from connectors.reading import Report
from connectors.versions import Versions, read_versions
from coordinator.signals import parse_event

VERSIONS = Versions(about="test", points=Points(about="test", ids=("id", "town"), label="town", noun="place"))
HERE, THERE, ELSEWHERE = (-1.0, 48.0), (-2.0, 48.0), (-3.0, 48.0)


def site(name: str, degrees: tuple[float, float] = HERE, **properties: str) -> dict[str, object]:
    return {"type": "Feature", "properties": {"name": name, **properties}, "geometry": {"type": "Point", "coordinates": degrees}}


def version(day: int, *sites: object) -> str:
    return json.dumps({"date": f"2017-08-{day:02}T12:00:00+02:00", "geojson": {"type": "FeatureCollection", "features": sites}})


def read(*lines: str) -> Report:
    report = read_versions("\n".join(lines), VERSIONS)
    for line in report.taken:
        parse_event(line, strict_fields=True)
    return report


def said(report: Report) -> list[tuple[str, str | None]]:
    """Who says which name, in order; None where an agent is withdrawn."""
    events = map(json.loads, report.taken)
    return [(event["source"].removeprefix("agent:"), event["data"] and event["data"]["name"]) for event in events]


def test_a_first_version_lets_everybody_appear_at_its_date() -> None:
    report = read(version(1, site("A"), site("B", THERE)))
    assert said(report) == [("a", "A"), ("b", "B")]
    assert {json.loads(line)["time"] for line in report.taken} == {"2017-08-01T10:00:00Z"}


def test_the_same_version_again_says_nothing() -> None:
    sites = (site("A"), site("B", THERE), site("B", ELSEWHERE))
    once, again = read(version(1, *sites)), read(version(1, *sites), version(2, *sites), version(2, *sites[::-1]))
    assert again.taken == once.taken
    assert again.notes["versions without a change"] == "2"


@pytest.mark.parametrize(
    ("before", "after", "what", "events"),
    [
        pytest.param(site("A"), site("A", THERE), "moved", [("a", "A")], id="the same name elsewhere moved"),
        pytest.param(site("A"), site("B"), "renamed", [("a", "B")], id="another name at the same place is a new name"),
        pytest.param(
            site("A", id="1"), site("B", THERE, id="1"), "moved and renamed", [("a", "B")], id="the same id is the same, whatever else"
        ),
        pytest.param(site("A"), site("A", id="1"), None, [], id="an id that is added says nothing"),
        pytest.param(site("A"), site("A", town="Brest"), "described anew", [("a", "A")], id="another label is said"),
    ],
)
def test_an_agent_keeps_its_name_through_changes(
    before: dict[str, object], after: dict[str, object], what: str | None, events: list[tuple[str, str]]
) -> None:
    report = read(version(1, before), version(2, after))
    assert said(report)[1:] == events
    assert {key for key in report.notes if not key.startswith("versions")} == {"appeared", what} - {None}


def test_sites_with_two_ids_are_never_the_same() -> None:
    report = read(version(1, site("A", id="1"), site("C", ELSEWHERE)), version(2, site("A", id="2"), site("C", ELSEWHERE)))
    assert said(report)[2:] == [("a-2", "A"), ("a", None)]


def test_a_name_that_two_share_is_not_guessed_by_name() -> None:
    report = read(version(1, site("A", town="X"), site("A", THERE, town="Y")), version(2, site("A", ELSEWHERE, town="Z")))
    assert said(report) == [("a-x", "A"), ("a-y", "A"), ("a-z", "A"), ("a-x", None), ("a-y", None)]


def test_two_that_nothing_tells_apart_are_numbered_not_merged() -> None:
    report = read(version(1, site("A"), site("A", THERE), site("B", ELSEWHERE)))
    assert said(report) == [("a-2", "A"), ("a-3", "A"), ("b", "B")]


def test_who_goes_is_withdrawn_and_returns_under_the_same_name() -> None:
    report = read(version(1, site("A"), site("B", THERE)), version(2, site("B", THERE)), version(3, site("A"), site("B", THERE)))
    assert said(report)[2:] == [("a", None), ("a", "A")]
    assert (report.notes["withdrawn"], report.notes["returned"]) == ("1", "1")


def test_a_new_tenant_of_a_place_given_up_is_somebody_else() -> None:
    report = read(version(1, site("A"), site("B", THERE)), version(2, site("B", THERE)), version(3, site("C"), site("B", THERE)))
    assert said(report)[3:] == [("c", "C")]


def test_most_going_at_once_is_worth_a_warning() -> None:
    report = read(version(1, *(site(f"A{n}", (float(n), 48.0)) for n in range(5))), version(2, site("A0", (0.0, 48.0))))
    assert report.warnings == {"most agents go at once in the version of 2017-08-02T10:00:00Z: 4 of 5": 1}


def test_a_version_that_cannot_be_read_is_refused_and_changes_nothing() -> None:
    report = read(version(1, site("A")), "{broken", '{"geojson": {}}', '{"date": "today", "geojson": {}}', "", version(2, site("A")))
    assert said(report) == [("a", "A")]
    assert [refused.row for refused in report.refused] == [2, 3, 4]
    assert "line 1 column 2" in report.refused[0].reason
    assert "the date is" in report.refused[2].reason


def test_a_version_older_than_the_one_before_is_refused() -> None:
    report = read(version(2, site("A")), version(1))
    assert said(report) == [("a", "A")]
    assert "older than the one before it" in report.refused[0].reason


def test_a_refused_feature_withdraws_nobody() -> None:
    report = read(version(1, site("A"), site("B", THERE)), version(2, site("A"), site("B", (-2.0, 480.0))), version(3, site("A")))
    assert said(report) == [("a", "A"), ("b", "B"), ("b", None)]
    assert [(refused.row, refused.reason[:10]) for refused in report.refused] == [(2, "feature 2:")]


def test_a_prefix_stands_before_every_name() -> None:
    report = read_versions(version(1, site("A")), VERSIONS, prefix="bzh.")
    assert said(report) == [("bzh.a", "A")]
