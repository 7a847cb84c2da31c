"""The demo's input as files: what a replay makes of them is what the same rows, sent one by one, come to."""

import json
import shlex
import socket
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from coordinator.adapters.files import read_charter, read_lines
from coordinator.adapters.ppe_match import Story, event_of
from coordinator.adapters.routes_csv import read_routes
from coordinator.charter import Charter
from coordinator.cli import main
from coordinator.cli.demo_files import write_demo_files
from coordinator.errors import Refused, Unavailable
from coordinator.rivals import Row
from coordinator.routes import route_table
from coordinator.times import DAY_US

CHARTER = Charter.model_validate({"fairness": "portions", "effort": "km", "cycle_seconds": 86_400})
ROUTES = route_table(["don7", "rec0", "don0", "rec3"], [0, 2, 2], [1, 1, 3], [1_609, 536_346, 7])
STORY = Story(
    offers=(Row(1, "don0", 1 * DAY_US, "gowns", 20, "offer"), Row(2, "don7", 2 * DAY_US, "gowns", 5, "offer")),
    needs=(Row(1, "rec0", 2 * DAY_US, "gowns", 8, "need"), Row(2, "rec3", 3 * DAY_US, "masks", 9, "need")),
    left_out=(),
    too_large=(Row(3, "rec3", 3 * DAY_US, "gowns", 10**10, "need"),),
)


def test_what_is_written_reads_back_as_it_was(tmp_path: Path):
    write_demo_files(tmp_path, STORY, ROUTES, CHARTER)
    assert [line for _, line in read_lines(tmp_path / "events.jsonl")] == [event_of(row) for row in STORY.stream()]
    assert read_charter(tmp_path / "charter.toml") == CHARTER
    told = read_routes(tmp_path / "routes.csv.gz")
    assert (told.agents, told.pairs) == (ROUTES.agents, 3)
    for agent in ROUTES.agents:
        for said, read in zip(ROUTES.row(agent), told.row(agent), strict=True):
            assert said.tolist() == read.tolist()


def test_the_command_line_that_is_told_replays_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "a folder"
    monkeypatch.setattr(sys, "argv", shlex.split(write_demo_files(folder, STORY, ROUTES, CHARTER)))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    summary = json.loads((folder / "replay" / "summary.json").read_text())
    assert (summary["events"], summary["refused"], summary["needs_met"]) == (5, 1, 1)
    assert summary["resources"]["gowns"]["committed"] == 8
    # The nearer donor spoke the day after the farther: all is planned a day after the first word, so both were known.
    assert summary["resources"]["gowns"]["quantity_km"] == pytest.approx(5 * 1.609 + 3 * 536.346)


def test_the_option_writes_and_streams_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    module = import_module("coordinator.cli.demo")
    monkeypatch.setattr(module, "read_story", lambda: STORY)
    monkeypatch.setattr(module, "read_ppe_distances", lambda: ROUTES)
    monkeypatch.setattr(sys, "argv", ["coordinator", "demo", "--write", "files"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert {path.name for path in tmp_path.rglob("*")} == {"files", "events.jsonl", "routes.csv.gz", "charter.toml"}
    assert "coordinator replay files/events.jsonl" in capsys.readouterr().out


def test_a_folder_that_cannot_be_is_told_in_a_sentence(tmp_path: Path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(Refused, match="cannot be a folder"):
        write_demo_files(tmp_path / "taken", STORY, ROUTES, CHARTER)


def test_the_demo_is_shown_to_this_machine_alone_on_a_port_that_is_free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The usual port where nobody has it, else any; a port that was asked for is not exchanged."""
    asked: list[Any] = []
    demo, serving = import_module("coordinator.cli.demo"), import_module("coordinator.cli.serve")
    monkeypatch.setattr(serving, "run", lambda request, **_: asked.append(request))
    request = demo.Request(tmp_path, "accept", 7, as_json=True, serve=True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        monkeypatch.setenv("STIGMERGY_PORT", str(number))
        demo.show_demo(request, tmp_path / "log", ROUTES)
        with pytest.raises(Unavailable, match="port"):
            demo.show_demo(replace(request, port=number), tmp_path / "log", ROUTES)
    demo.show_demo(request, tmp_path / "log", ROUTES)
    assert [(one.host, one.port, one.opens) for one in asked] == [("127.0.0.1", 0, True), ("127.0.0.1", number, True)]
