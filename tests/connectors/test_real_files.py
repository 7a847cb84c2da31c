"""Real files, dirty as they came: every count is checked against a recount that shares no code with the readers."""

import csv
import gzip
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from connectors.facilities import Facilities, read_facilities
from connectors.field_ready import DesignList, read_designs
from connectors.geojson import Points, read_points
from connectors.manifests import Manifests, read_manifest
from connectors.mappings import MAPPINGS
from connectors.parts import Parts, read_parts
from connectors.reading import Report, decode, slug
from connectors.tables import Table, read_table
from connectors.versions import Versions, read_versions
from coordinator.errors import Refused
from coordinator.signals import parse_event

DATA = os.environ.get("STIGMERGY_DATA")
pytestmark = pytest.mark.skipif(DATA is None, reason="STIGMERGY_DATA is not set: the real files are not here to be read")
SAID_US = 1_700_000_000_000_000


def content(name: str) -> bytes:
    raw = (Path(DATA or "") / name).read_bytes()
    return gzip.decompress(raw) if name.endswith(".gz") else raw


def read(name: str, kind: str, encoding: str | None = None) -> Report:
    text, _ = decode(content(name), encoding)
    mapping = MAPPINGS[kind]
    match mapping:
        case Table():
            report = read_table(text, mapping, said_us=SAID_US)
        case Points():
            report = read_points(text, mapping, said_us=SAID_US)
        case Versions():
            report = read_versions(text, mapping)
        case Manifests():
            report = read_manifest(text, mapping, said_us=SAID_US)
        case DesignList():
            report = read_designs(text, mapping, said_us=SAID_US)
        case Parts():
            report = read_parts(text, mapping, said_us=SAID_US)
        case Facilities():
            report = read_facilities(text, mapping, said_us=SAID_US, name=Path(name).stem)
    for line in report.taken:
        parse_event(line, strict_fields=True)
    return report


def rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(content(name).decode("utf-8").splitlines(keepends=True)))


def test_all_961_labs_are_taken_and_131_have_no_place() -> None:
    labs = rows("fablabs/labs.csv")
    assert (len(labs), sum(not lab["latitude"] for lab in labs)) == (961, 131)
    report = read("fablabs/labs.csv", "fablabs")
    events = [json.loads(line) for line in report.taken]
    assert (len(events), report.refused) == (961, [])
    assert len({event["source"] for event in events}) == 961
    assert sum("place" not in event["data"] for event in events) == 131
    assert report.warnings == {
        "no coordinates: taken without a place": 131,
        "name with “?” or “\ufffd”: a letter was probably lost before it came here": sum("?" in lab["name"] for lab in labs),
        "name shared with another: agent name carries the id": 4,
    }
    assert [event["data"]["name"] for event in events] == [" ".join(lab["name"].split()) for lab in labs]
    assert [tuple(event["data"]["place"][key] for key in ("lat", "long")) for event in events if "place" in event["data"]] == [
        (float(lab["latitude"]), float(lab["longitude"])) for lab in labs if lab["latitude"]
    ]


def test_labs_that_share_a_slug_carry_their_ids() -> None:
    ids = {f"-{lab['id']}" for lab in rows("fablabs/labs.csv")}
    names = [json.loads(line)["source"] for line in read("fablabs/labs.csv", "fablabs").taken]
    stems = Counter(name.rpartition("-")[0] for name in names if f"-{name.rpartition('-')[2]}" in ids)
    assert sorted(count for count in stems.values() if count > 1) == [2, 2]


def test_the_labs_in_code_page_850_are_refused_with_it_proposed_and_read_the_same_with_it_named() -> None:
    with pytest.raises(Refused, match=r"byte 0x93 in line 11 is not UTF-8.*“.*8 FabLab Drôme.*--encoding cp850"):
        read("fablabs/labs-raw-cp850.csv", "fablabs")
    assert read("fablabs/labs-raw-cp850.csv", "fablabs", "cp850") == read("fablabs/labs.csv", "fablabs")


@pytest.mark.parametrize(
    ("name", "taken", "too_many", "repeats"),
    [
        pytest.param("donors", 845, ["100000000000000.0", "10000000000.0", "10000000000.0"], 7, id="offers"),
        pytest.param("recipients", 12_959, ["10000000000.0"], 5, id="needs"),
    ],
)
def test_goods_beyond_a_thousand_million_are_refused_and_the_rest_is_taken(
    name: str, taken: int, too_many: list[str], repeats: int
) -> None:
    lines = rows(f"ppe-match/{name}.csv")
    report = read(f"ppe-match/{name}.csv", f"ppe-match/{name}")
    beyond = [(number, row["qty"]) for number, row in enumerate(lines, start=2) if float(row["qty"]) > 1e9]
    assert [quantity for _, quantity in beyond] == too_many
    assert [refused.row for refused in report.refused] == [number for number, _ in beyond]
    for refused, (_, quantity) in zip(report.refused, beyond, strict=True):
        assert quantity in refused.excerpt
        assert "at most 1e9" in refused.reason
    assert len(report.taken) == taken == len(lines) - len(beyond)
    assert report.warnings == {"row equal to an earlier one: taken as one more": repeats}
    assert len(lines) - len({tuple(row.values()) for row in lines}) == repeats


@pytest.mark.parametrize("name", ["donors", "recipients"])
def test_goods_add_up_to_the_file_and_no_signal_replaces_another(name: str) -> None:
    lines = rows(f"ppe-match/{name}.csv")
    events = [json.loads(line) for line in read(f"ppe-match/{name}.csv", f"ppe-match/{name}").taken]
    said: Counter[str] = Counter()
    for event in events:
        said[event["data"]["resource"]] += event["data"]["quantity"]["value"]
    written: Counter[str] = Counter()
    for row in lines:
        if float(row["qty"]) <= 1e9:
            written[row["ppe"]] += int(float(row["qty"]))
    assert said == written
    assert len({(event["source"], event["subject"]) for event in events}) == len(events)


def test_the_latest_map_gives_88_agents() -> None:
    features = json.loads(content("bzh-fablabs/latest.geojson"))["features"]
    report = read("bzh-fablabs/latest.geojson", "bzh-fablabs")
    assert (len(report.taken), len(features), report.refused) == (88, 88, [])
    names = {json.loads(line)["source"].removeprefix("agent:") for line in report.taken}
    assert len(names) == 88
    shared = {each["properties"]["id"] for each in features if each["properties"]["name"] == "Nurserie numérique"}
    assert {name for name in names if name.startswith("nurserie")} == {f"nurserie-numerique-{own_id}" for own_id in shared}
    assert len(shared) == 2


def test_the_stream_of_77_versions_adds_up_to_every_one_of_them() -> None:
    """Folding the events up to a version's date gives that version, whatever appeared, moved, was renamed, went or returned."""
    report = read("bzh-fablabs/snapshots.jsonl.gz", "bzh-fablabs/versions")
    versions = [json.loads(line) for line in content("bzh-fablabs/snapshots.jsonl.gz").splitlines()]
    assert (len(versions), report.refused) == (77, [])
    events = [parse_event(line) for line in report.taken]
    told = [json.loads(line) for line in report.taken]
    standing: dict[str, dict[str, object]] = {}
    at = 0
    for version in versions:
        probe = {"specversion": "1.0", "id": "x", "source": "agent:x", "type": "stigmergy.agent.v1", "subject": "agent"}
        time_us = parse_event(json.dumps(probe | {"time": version["date"], "data": {}})).time_us
        while at < len(events) and events[at].time_us <= time_us:
            if told[at]["data"] is None:
                del standing[told[at]["source"]]
            else:
                standing[told[at]["source"]] = told[at]["data"]
            at += 1
        shown = sorted((data["name"], data["place"]["long"], data["place"]["lat"]) for data in standing.values())  # type: ignore[index]
        features = version["geojson"]["features"]
        assert shown == sorted((" ".join(each["properties"]["name"].split()), *each["geometry"]["coordinates"]) for each in features)
    assert at == len(events)


def test_agents_of_the_versions_appear_once_and_keep_their_names() -> None:
    report = read("bzh-fablabs/snapshots.jsonl.gz", "bzh-fablabs/versions")
    counts = {key: int(value) for key, value in report.notes.items()}
    assert counts == {
        "appeared": 88,
        "described anew": 65,
        "moved": 12,
        "moved and renamed": 2,
        "renamed": 11,
        "returned": 82,
        "versions read": 77,
        "versions without a change": 19,
        "withdrawn": 82,
    }
    sources = [json.loads(line)["source"] for line in report.taken]
    assert len(set(sources)) == 88
    assert len(sources) == sum(count for key, count in counts.items() if not key.startswith("versions"))
    assert report.warnings == {"most agents go at once in the version of 2017-08-12T13:47:47Z: 82 of 83": 1}
    human_lab = [
        json.loads(line)["data"]["name"]
        for line in report.taken
        if json.loads(line)["source"] == "agent:my-human-kit" and b'"data":null' not in line
    ]
    assert list(dict.fromkeys(human_lab)) == ["My Human Kit", "Human Lab"]


def test_each_version_read_twice_says_nothing_more() -> None:
    text = content("bzh-fablabs/snapshots.jsonl.gz").decode()
    mapping = MAPPINGS["bzh-fablabs/versions"]
    assert isinstance(mapping, Versions)
    doubled = "".join(line + "\n" + line + "\n" for line in text.splitlines())
    assert read_versions(doubled, mapping).taken == read_versions(text, mapping).taken


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (
            "2016-03-03-83734977",
            "line 127 column 9: “]” stands where one more value was expected: take out the comma at the end of line 126",
        ),
        ("2016-07-09-f42cfc3c", "line 1368 column 5: “{” stands where a name .* put a } before the comma of line 1366"),
        ("2016-08-26-29991f19", "line 1412 column 5: “{” stands where a name .* put a } before the comma of line 1410"),
        ("2017-06-01-93e191ca", "line 1729 column 5: “{” stands where a name .* put a } before the comma of line 1727"),
        ("2017-07-06-5678be56", "line 1800 column 5: “{” stands where a comma .* missing comma at the end of line 1797"),
    ],
)
def test_a_map_that_was_published_broken_is_refused_with_line_and_mending(name: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        read(f"bzh-fablabs/invalid-json/{name}.geojson.txt", "bzh-fablabs")


# -- designs and facilities -------------------------------------------------------------------------------------------

BROKEN_MANIFESTS = {  # as their source says, and the line in which each breaks
    "openflexure-okh.yml": 37,
    "okh-seat-helpful.yml": 3,
    "okh-lsh-z-part1.yaml": 11,
    "okh-lsh-z-part2.yaml": 11,
}


def manifests() -> list[str]:
    root = Path(DATA or "") / "okh-manifests"
    found = [path for path in root.rglob("*") if path.suffix in {".yml", ".yaml", ".toml"} or path.name.endswith(".okh.json")]
    return sorted(str(path.relative_to(Path(DATA or ""))) for path in found if "/okw/" not in str(path))


def test_every_manifest_gives_drafts_and_the_broken_ones_are_refused_with_their_line() -> None:
    names = manifests()
    assert len(names) == 38
    dialects: Counter[str] = Counter()
    for name in names:
        report = read(name, "okh")
        broken = BROKEN_MANIFESTS.get(Path(name).name)
        assert [refused.row for refused in report.refused] == ([] if broken is None else [broken]), name
        assert bool(report.taken) is (broken is None), name
        dialects[report.notes.get("dialect", "broken")] += 1
        for line in report.taken:
            said = json.loads(line)
            assert said["type"] == "stigmergy.resource.v1" or said["data"]["draft"], name
    assert dialects == {"OKH 1.0": 11, "OSHI": 18, "OKH-LOSH": 3, "OKH JSON": 2, "broken": 4}


def test_every_design_of_field_ready_is_a_draft_and_hours_stand_only_where_a_time_was_stated() -> None:
    records = json.loads(content("field-ready/designs.json"))
    report = read("field-ready/designs.json", "field-ready")
    assert (len(report.taken), report.refused) == (len(records), [])
    timed = [line for line in report.taken if json.loads(line)["data"]["steps"]]
    stated = [record for record in records if (record.get("Production time (1 unit by 1 person)") or ">")[0] != ">"]
    assert 0 < len(timed) <= len(stated)


def test_the_ventilators_parts_are_taken_where_they_count_and_refused_by_line_where_not() -> None:
    report = read("ventilator-bom/10_27_2020_bom.csv", "bom")
    [draft] = [json.loads(line)["data"] for line in report.taken]
    with_count = [
        row
        for row in csv.reader(content("ventilator-bom/10_27_2020_bom.csv").decode("utf-8-sig").splitlines())
        if row[0].strip()
        and row[4].strip().isdigit()
        and slug(row[0]) not in draft["quantity_unknown"]  # a part that another row gives no number of
    ]
    assert sum(flow["quantity"]["value"] for flow in draft["inputs"]) == sum(int(row[4]) for row in with_count)
    assert report.warnings["title among the rows: Electronics"] == 1
    assert all(refused.reason for refused in report.refused)


def test_every_facility_becomes_an_agent_without_hours() -> None:
    records = json.loads(content("okw-facilities-2024/facilities.json"))
    report = read("okw-facilities-2024/facilities.json", "okw")
    assert len(report.taken) + len(report.refused) == len(records)
    placed = sum("place" in json.loads(line)["data"] for line in report.taken)
    assert placed == sum(bool(record["geocoding"] and record["geocoding"]["latitude"] is not None) for record in records)
    assert {parse_event(line).kind for line in report.taken} == {"agent"}


def test_shops_say_what_they_can_do_by_our_names_where_the_table_knows_theirs() -> None:
    [line] = read("okh-manifests/helpful-library/alpha/okw/SewingShop.yml", "okw").taken
    classes = json.loads(line)["data"]["classified_as"]
    assert "hand-cutting" in classes
    assert "Baby Loc Sewing Machine" in classes
