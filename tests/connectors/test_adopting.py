"""A draft becomes an agent's own recipe only when all that it leaves open is said."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.adopting import adopted
from connectors.cli import app
from connectors.manifests import Manifests, read_manifest
from coordinator.errors import Refused
from coordinator.signals import parse_event

CHAIR = "title: Plain Chair\nokh-manifest-version: 1.0.0\ntool-list: saw\nbom: seat, glue\n"
DRAFTS = read_manifest(CHAIR, Manifests("one"), said_us=0).taken


def test_with_all_that_was_open_said_it_is_a_recipe_that_can_be_planned_with():
    line = adopted(DRAFTS, "plain-chair", "joiner", 0, ["sawing=1.5"], ["seat=1", "glue=20:g"])
    event = parse_event(line, strict_fields=True)
    assert (event.source, event.data.draft, event.data.hours_unknown) == ("agent:joiner", False, ())
    data = json.loads(line)["data"]
    assert data["steps"] == [{"process": "sawing", "effort": {"value": 1.5, "unit": "h"}}]
    assert data["inputs"] == [
        {"resource": "seat", "quantity": {"value": 1, "unit": "1"}},
        {"resource": "glue", "quantity": {"value": 20, "unit": "g"}},
    ]


@pytest.mark.parametrize(
    ("recipe", "hours", "takes", "why"),
    [
        pytest.param("plain-chair", [], ["seat=1", "glue=1"], "--hours sawing=HOURS", id="hours left open"),
        pytest.param("plain-chair", ["sawing=1"], ["seat=1"], "--takes glue=AMOUNT", id="a quantity left open"),
        pytest.param("plain-chair", ["sawing=1", "sewing=2"], ["seat=1", "glue=1"], "nothing open of 'sewing'", id="too much said"),
        pytest.param("plain-chair", ["sawing"], [], "NAME=VALUE", id="no value"),
        pytest.param("plain-chair", ["sawing=soon"], [], "a number", id="no number"),
        pytest.param("chair", [], [], "there are plain-chair", id="another name"),
    ],
)
def test_anything_open_or_unknown_is_refused_with_what_to_add(recipe, hours, takes, why):
    with pytest.raises(Refused, match=why):
        adopted(DRAFTS, recipe, "joiner", 0, hours, takes)


def test_the_command_prints_one_line_for_publishing(tmp_path: Path):
    drafts = tmp_path / "drafts.jsonl"
    drafts.write_bytes(b"\n".join(DRAFTS) + b"\n")
    words = ["adopt", str(drafts), "plain-chair", "--as", "joiner", "--hours", "sawing=1", "--takes", "seat=1", "--takes", "glue=1:kg"]
    ran = CliRunner().invoke(app, words)
    assert ran.exit_code == 0
    assert parse_event(ran.stdout.strip()).name == "joiner"
    assert CliRunner().invoke(app, words[:6]).exit_code == 2
