"""The JSON Schemas beside the code are those of the models, and describe what the reader takes.

Run this file to write them anew after a model has changed.
"""

import json
from importlib import resources

import pytest
from jsonschema import Draft202012Validator

from coordinator.errors import Refused
from coordinator.json_schemas import json_schemas, schema_text
from coordinator.signals import KINDS, event_json, parse_event

FOLDER = resources.files("coordinator") / "schemas"
SECOND_US = 1_772_352_000_000_000

PIECES = {"value": 20, "unit": "1"}
HOURS = {"value": 1.5, "unit": "h"}
LATER = "2026-03-08T00:00:00Z"
PLACE = {"lat": 48.1, "long": -1.7, "label": "Rennes"}
LINE = {
    "provider": "a",
    "receiver": "b",
    "action": "transfer",
    "resource": "gowns",
    "quantity": PIECES,
    "offer": "a/offer/o",
    "need": "b/need/n",
    "due": LATER,
    "distance_km": 12,
    "effort": 240.5,
    "begin": "2026-03-02T00:00:00Z",
    "end": LATER,
    "into": "b/recipe/gown",
}
EXAMPLES = {
    "agent": {"name": "A", "place": PLACE, "classified_as": ["fab-lab"], "key": "k"},
    "resource": {
        "resource": "gowns",
        "unit": "1",
        "name": "Gowns",
        "mass_kg": 0.2,
        "multiple": 10,
        "substitutes": ["aprons"],
        "aliases": ["gown"],
    },
    "offer": {
        "resource": "gowns",
        "quantity": PIECES,
        "begin": LATER,
        "minimum": 5,
        "within_km": 100,
        "basis": "total",
        "place": PLACE,
        "lead_h": 4,
    },
    "capacity": {
        "process": "sewing",
        "effort": HOURS,
        "begin": "2026-03-01T00:00:00Z",
        "end": LATER,
        "limits": {"width_mm": 300, "m": "x"},
        "lead_h": 1.5,
        "every": {"value": 1, "unit": "d"},
        "power_kw": 0.35,
    },
    "need": {
        "resource": "gowns",
        "quantity": PIECES,
        "due": LATER,
        "tier": 0,
        "substitutes": ["aprons"],
        "within_km": None,
        "every": {"value": 1, "unit": "wk"},
    },
    "recipe": {
        "recipe": "gown",
        "outputs": [
            {"resource": "gowns", "quantity": PIECES, "yield": 0.95},
            {"resource": "scraps", "quantity": {"value": 2, "unit": "kg"}, "by_product": True},
        ],
        "inputs": [{"resource": "cloth", "quantity": {"value": 30, "unit": "m2"}}],
        "steps": [
            {
                "process": "sewing",
                "effort": HOURS,
                "setup": HOURS,
                "requires": {"width_mm": 200, "tool": "overlock"},
                "lead_h": 24,
                "energy_kwh": 0.2,
            }
        ],
        "batch": {"minimum": 2, "multiple": 2},
        "design": "https://example.org/gown",
        "draft": True,
        "hours_unknown": [{"process": "cutting", "requires": {"thickness_mm": 6}}],
        "quantity_unknown": ["thread"],
    },
    "route": {"to": "b", "distance_km": 113.0, "two_way": False},
    "answer": {"proposal": "s", "answer": "counter", "quantity": PIECES, "reason": "fewer hands"},
    "report": {"commitment": "p", "action": "dropoff", "quantity": PIECES, "note": "at the door"},
    "tick": {},
    "proposal": {"proposal": "p", "lines": [LINE], "expires": LATER, "charter": "c", "reasons": {"why": "near"}},
    "ledger": {"kind": "promised", "agent": "a", "proposal": "p", "statement": "agent:a/1", "free_before": {}, "epoch": 3},
}


def spoken(kind, data):
    who = "coordinator:c" if kind in ("tick", "proposal", "ledger") else "agent:a"
    return event_json(kind, who, "s", SECOND_US, data)


def test_the_committed_files_are_those_of_the_models():
    written = {
        entry.name.removesuffix(".json"): entry.read_text(encoding="utf-8") for entry in FOLDER.iterdir() if entry.name.endswith(".json")
    }
    made = {name: schema_text(schema) for name, schema in json_schemas().items()}
    assert written == made, "a model changed: run python tests/coordinator/test_schemas.py, and read the difference"


def test_every_kind_has_an_example_here():
    assert set(EXAMPLES) == set(KINDS)
    assert set(json_schemas()) == {*KINDS, "event"}


@pytest.mark.parametrize("name", sorted(json_schemas()))
def test_every_schema_is_a_schema(name):
    schema = json_schemas()[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:stigmergy:{name}:v1"


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_an_example_of_each_kind_is_valid_and_parses(kind):
    schemas = json_schemas()
    Draft202012Validator(schemas[kind]).validate(EXAMPLES[kind])
    line = spoken(kind, EXAMPLES[kind])
    Draft202012Validator(schemas["event"]).validate(json.loads(line))
    assert parse_event(line, strict_fields=True).kind == kind


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_the_schema_knows_every_field_of_the_example(kind):
    known = json_schemas()[kind].get("properties", {})
    assert EXAMPLES[kind].keys() - known.keys() <= ({"epoch"} if kind == "ledger" else set())


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        pytest.param("offer", {"quantity": {"value": -3, "unit": "1"}}, id="a quantity below zero"),
        pytest.param("offer", {"quantity": {"value": 3, "unit": "bags"}}, id="an unknown unit"),
        pytest.param("offer", {"quantity": {"value": "3", "unit": "1"}}, id="a number in quotes"),
        pytest.param("capacity", {"effort": {"value": 3, "unit": "kg"}}, id="hours in kilograms"),
        pytest.param("need", {"tier": 9}, id="a tier past three"),
        pytest.param("need", {"process": "sewing", "effort": HOURS}, id="a need of both"),
        pytest.param("agent", {"place": {"lat": 148, "long": 0}}, id="a latitude past the pole"),
        pytest.param("route", {"to": "x y/z"}, id="an agent name with a blank"),
        pytest.param("answer", {"answer": "maybe"}, id="an unknown answer"),
        pytest.param("recipe", {"outputs": [{"resource": "gowns", "quantity": PIECES}] * 101}, id="a hundred and one outputs"),
    ],
)
def test_what_the_schema_refuses_the_reader_refuses_too(kind, change):
    data = EXAMPLES[kind] | change
    assert not Draft202012Validator(json_schemas()[kind]).is_valid(data)
    with pytest.raises(Refused, match=r"^data"):
        parse_event(spoken(kind, data))


if __name__ == "__main__":
    for name, schema in json_schemas().items():
        (FOLDER / f"{name}.json").write_text(schema_text(schema), encoding="utf-8")
