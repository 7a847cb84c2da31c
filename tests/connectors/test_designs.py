"""Designs in: what a manifest, a list, a bill of materials or a facility says becomes a draft or an agent, the rest is told."""

import json
import re

import pytest

from connectors.facilities import Facilities, read_facilities
from connectors.field_ready import DesignList, read_designs
from connectors.manifests import Manifests, read_manifest
from connectors.parts import Parts, read_parts
from coordinator.errors import Refused
from coordinator.signals import parse_event


def manifest(text):
    return read_manifest(text, Manifests("one"), said_us=0)


def data(report):
    """What each event says, by kind and subject; every line is one that the coordinator takes."""
    events = [parse_event(line, strict_fields=True) for line in report.taken]
    return {(event.kind, event.subject): json.loads(line)["data"] for event, line in zip(events, report.taken, strict=True)}


OKH = """
title: Plain Chair
okh-manifest-version: 1.0.0
documentation-home: see https://example.org/chair.
bom: legs (4, of oak), seat
tool-list: saw, hammer, crystal ball
bom-output-atoms:
  - description: scrap wood
"""


def test_a_manifest_in_yaml_becomes_a_draft_that_names_what_is_not_known():
    report = manifest(OKH)
    assert report.notes["dialect"] == "OKH 1.0"
    draft = data(report)["recipe", "plain-chair"]
    assert draft == {
        "recipe": "plain-chair",
        "outputs": [{"resource": "plain-chair", "quantity": {"value": 1, "unit": "1"}}],
        "inputs": [],
        "steps": [],
        "draft": True,
        "hours_unknown": [{"process": "sawing"}, {"process": "hand-tools"}],
        "quantity_unknown": ["legs-4-of-oak", "seat"],
        "design": "https://example.org/chair",
    }
    assert set(report.warnings) == {
        "bill of materials in prose: its parts are taken without quantities",
        "tool or process that no table knows, left out: crystal ball",
        "by-product without a quantity, left out: scrap wood",
    }


LOSH = """
okhv = "OKH-LOSHv1.0"
name = "Loom"
[[part]]
name = "Pole Base"
tsdc = "3DP"
printing-process = "FDM"
material = "PLA"
[part.outer-dimensions]
openSCAD = "cube(size = [130,115,100])"
unit = "mm"
[part.mass]
value = 85
unit = "g"
[[part]]
name = "Wheel"
tsdc = ["CNC", "XYZ"]
outer-dimensions = {openSCAD = "cylinder(h=45, r=40", unit = "mm"}
"""


def test_a_manifest_in_toml_gives_a_draft_of_each_part_with_process_material_mass_and_size():
    report = manifest(LOSH)
    said = data(report)
    assert said["recipe", "loom"]["quantity_unknown"] == ["pole-base", "wheel"]
    assert said["recipe", "pole-base"]["hours_unknown"] == [
        {"process": "fdm", "requires": {"material": "PLA", "width_mm": 130, "depth_mm": 115, "height_mm": 100}}
    ]
    assert said["recipe", "pole-base"]["inputs"] == [{"resource": "pla", "quantity": {"value": 85, "unit": "g"}}]
    assert said["resource", "pole-base"]["mass_kg"] == 0.085
    assert said["recipe", "wheel"]["hours_unknown"] == [{"process": "machining"}]
    assert "size that is not read: cylinder(h=45, r=40" in report.warnings
    assert "tool or process that no table knows, left out: XYZ" in report.warnings


def test_a_part_in_the_oshi_dialect_says_size_technology_and_material():
    text = "name: plate 3\nTsDC: COM-MAN\nproduction-metadata:\n  - outer dimensions\n    mm-110x100x10\n"
    text += "  - manufacturing technology\n    machining\n  - material\n    EN AW-2017A\n"
    draft = data(manifest(text))["recipe", "plate-3"]
    requires = {"material": "EN AW-2017A", "width_mm": 110, "depth_mm": 100, "height_mm": 10}
    assert draft["hours_unknown"] == [{"process": "machining", "requires": requires}]
    assert draft["quantity_unknown"] == ["en-aw-2017a"]


def test_a_manifest_in_json_is_read_by_its_processes_and_parts():
    text = json.dumps(
        {
            "title": "Face Shield",
            "manufacturing_processes": ["3D Printing", "Laser Cutting"],
            "parts": [{"name": "head piece", "quantity": 1.0}],
        }
    )
    draft = data(manifest(text))["recipe", "face-shield"]
    assert [demand["process"] for demand in draft["hours_unknown"]] == ["3d-printing", "laser-cutting"]
    assert draft["inputs"] == [{"resource": "head-piece", "quantity": {"value": 1, "unit": "1"}}]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        pytest.param("title: a\nuser: @b\n", 2, "not valid YAML in line 2", id="an at sign"),
        pytest.param("title: a\nb: &x 1\nc: *x\n", 3, "refers to another part of itself", id="an alias, of which bombs are made"),
        pytest.param('okhv = "OKH-LOSHv1.0"\nname = \n', 2, "not valid TOML", id="TOML"),
        pytest.param('okhv = "1"\nname = ' + "[" * 9_999, 1, "nests deeper", id="TOML nested too deep"),
        pytest.param('okhv = "1"\nname = ' + "9" * 5_000, 1, "5000 digits|limit", id="TOML with a number too long"),
        pytest.param("a: 1\ntitle: 0x" + "f" * 5_000, 2, "at most 40 are read", id="YAML with a number too long"),
        pytest.param('{"title": "a",\n}', 2, "one more value|double quotes", id="JSON"),
        pytest.param("- a\n- b\n", 1, "named fields was expected", id="a list"),
        pytest.param("colour: red\n", 1, "no Open Know-How manifest", id="something else"),
        pytest.param("okh-manifest-version: 1\n", 1, "a resource needs a name", id="no title"),
        pytest.param("", 1, "named fields was expected", id="nothing"),
        pytest.param('okhv = "x"\nx = ' + "[" * 3_000, 1, "nests deeper", id="TOML nested without end"),
    ],
)
def test_what_is_no_manifest_is_refused_with_its_line(text, line, why):
    report = manifest(text)
    [refused] = report.refused
    assert refused.row == line
    assert re.search(why, refused.reason), refused.reason
    assert report.taken == []


def test_a_field_that_stands_twice_is_told():
    assert "the field “bom” stands twice: the later one counts" in manifest(OKH + "bom: seat\n").warnings


def design(**more):
    return {"Part No.": "P1", "Name": " Bowl ", "Critical Tool": "3D Printer", "Materials": "ABS ", **more}


def test_a_range_of_time_gives_its_upper_end_and_an_open_one_gives_none():
    report = read_designs(
        json.dumps(
            [
                design(**{"Production time (1 unit by 1 person)": "1-2 hours"}),
                design(**{"Part No.": "P2", "Production time (1 unit by 1 person)": ">8 hours"}),
            ]
        ),
        DesignList("many"),
        said_us=0,
    )
    said = data(report)
    assert said["recipe", "bowl-p1"]["steps"] == [{"process": "3d-printing", "effort": {"value": 2, "unit": "h"}}]
    assert said["recipe", "bowl-p2"]["hours_unknown"] == [{"process": "3d-printing"}]
    assert said["recipe", "bowl-p1"]["quantity_unknown"] == ["abs"]


def test_values_of_another_kind_than_expected_are_told_and_not_read():
    listed = design(**{"Production time (1 unit by 1 person)": ["1-2 hours"]})
    report = read_designs(json.dumps([listed]), DesignList("many"), said_us=0)
    assert data(report)["recipe", "bowl-p1"]["hours_unknown"] == [{"process": "3d-printing"}]
    assert "time that says no most, or is of several tools: ['1-2 hours']" in report.warnings
    report = manifest(LOSH.replace('unit = "g"', 'unit = ["g"]'))
    assert ("resource", "pole-base") not in data(report)
    assert any(told.startswith("mass that is not read") for told in report.warnings)


def test_designs_without_a_name_or_with_one_name_are_refused_one_by_one():
    report = read_designs(json.dumps([design(), design(), design(Name=""), 7]), DesignList("many"), said_us=0)
    assert [refused.row for refused in report.refused] == [2, 3, 4]
    assert len(report.taken) == 1


BOM = """Component,Unit Qty,Unit,Parent
I/O,,,
bolt M3,4,pcs,
bolt M3,2,,frame
"tube (long",1,,
glue,0.5,,
cable,2,m,
TOTAL,9,,
,3,,
washer,,pcs,
"""


def test_a_bill_of_materials_gives_the_whole_and_its_assemblies_and_refuses_what_is_not_plain_by_line():
    report = read_parts(BOM, Parts("parts"), said_us=0, product="Cart")
    said = data(report)
    assert said["recipe", "cart"]["inputs"] == [{"resource": "bolt-m3", "quantity": {"value": 4, "unit": "1"}}]
    assert said["recipe", "cart"]["quantity_unknown"] == ["glue", "cable", "washer", "frame"]
    assert said["recipe", "frame"]["inputs"] == [{"resource": "bolt-m3", "quantity": {"value": 2, "unit": "1"}}]
    assert [(each.row, each.reason.split(":")[0]) for each in report.refused] == [
        (5, "the name has a bracket without its other half"),
        (6, "the quantity is 0.5, where a whole number of pieces was expected"),
        (7, "the unit is m, where pieces (pcs) were expected"),
        (8, "this is a sum among the parts"),
        (9, "the row names no part"),
        (10, "the row has no quantity"),
    ]
    assert report.warnings["title among the rows: I/O"] == 1
    assert report.warnings["part of a refused row: the draft names it, and leaves its quantity open"] == 3


def test_a_part_counted_in_one_row_and_refused_in_another_is_asked_for_as_a_whole():
    report = read_parts("part,quantity\nscrew,8\nscrew,many\nseat,1\n", Parts("parts"), said_us=0, product="chair")
    draft = data(report)["recipe", "chair"]
    assert (draft["inputs"], draft["quantity_unknown"]) == ([{"resource": "seat", "quantity": {"value": 1, "unit": "1"}}], ["screw"])
    assert report.warnings["part counted in one place and not in another: all of it is asked for"] == 1


def test_a_list_of_places_on_a_board_counts_its_parts():
    draft = data(read_parts("Ref,Part,Purpose\nR1,330 Ohm,a\nR2,330 Ohm,b\n", Parts("parts"), said_us=0, product="board"))[
        "recipe", "board"
    ]
    assert draft["inputs"] == [{"resource": "330-ohm", "quantity": {"value": 2, "unit": "1"}}]


def test_a_table_without_parts_is_refused():
    with pytest.raises(Refused, match="no column for the parts"):
        read_parts("a,b\n1,2\n", Parts("parts"), said_us=0)
    with pytest.raises(Refused, match="no row of it could be taken as a part"):
        read_parts("name,quantity\n,2\n", Parts("parts"), said_us=0)
    with pytest.raises(Refused, match="close its quotes"):
        read_parts('name,quantity\nbolt,2\n"nut' + "x" * 200_000, Parts("parts"), said_us=0)


def test_a_facility_becomes_an_agent_with_capabilities_and_without_hours():
    text = "title: Home Space\ntool-list-atoms:\n  - description: Sewing machine\n  - description: Pins\n"
    text += "inventory-atoms:\n  - description: cotton\n"
    report = read_facilities(text, Facilities("one"), said_us=0)
    assert data(report) == {("agent", "agent"): {"name": "Home Space", "classified_as": ["sewing", "Pins"]}}
    assert report.warnings["something in stock, without a quantity: no offer is made of it"] == 1


def test_facilities_of_one_name_are_told_apart_by_their_ids_or_refused():
    def lab(own_id, latitude=47.5):
        return {"geocoding": {"latitude": latitude, "longitude": 2.0}, "facility": {"name": "Lab", "facility_id": own_id}}

    report = read_facilities(json.dumps([lab("a"), lab("b"), lab("c", 99), {"facility": {}}]), Facilities("many"), said_us=0)
    assert [parse_event(line).name for line in report.taken] == ["lab-a", "lab-b"]
    assert [each.row for each in report.refused] == [3, 4]
