"""The command `coordinator demo making`: a plan with its bound, and pictures, with and without the real files; what is drawn is said."""

import csv
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

DATA = os.environ.get("STIGMERGY_DATA")


def is_picture(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5_000


def test_on_a_fresh_machine_it_runs_the_reference_network_on_real_towns_and_says_so(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STIGMERGY_DATA", raising=False)
    code, out, err = run("demo", "making", "--out", tmp_path, "--country", "SI")
    assert (code, err) == (0, "")
    assert "38 things on four levels, 52 recipes and 8 processes" in out
    assert "largest towns of SI (GeoNames)" in out
    assert "synthetic, seed 7" in out
    assert re.search(r"^Proven: no plan is better than this one( by more than 0\.\d+%)?\. What counts is who is served, ", out, re.M)
    assert "worth" not in out, "a figure that nobody can hold against anything"
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert (figures["refused"], figures["failed"]) == (0, None)
    assert figures["worth"] <= figures["bound"]
    assert 0 < figures["committed"] <= figures["asked"]
    assert is_picture(tmp_path / "gantt.png")
    assert is_picture(tmp_path / "map.png")


@pytest.mark.skipif(DATA is None, reason="STIGMERGY_DATA is not set: the real workshops are not here to be read")
def test_with_the_real_files_sites_that_asked_for_face_shields_are_served_by_real_workshops(run: Any, tmp_path: Path) -> None:
    code, out, err = run("demo", "making", "--out", tmp_path, "--json")
    assert (code, err) == (0, "")
    figures = json.loads(out)
    with (Path(DATA or "") / "covid-ppe-map/needs.csv").open(encoding="utf-8-sig", newline="") as opened:
        wanted = [row for row in csv.DictReader(opened) if "face shields" in row["accepting"].lower()]
    assert figures["needs"] == len(wanted)
    assert figures["refused"] == 0
    said = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    machines = [each["data"] for each in said if "/machine-" in each.get("subject", "") or each.get("subject", "").startswith("machine-")]
    assert {"three_d_printer", "laser"} <= {machine["process"] for machine in machines}
    assert all(machine["limits"]["model"] for machine in machines)
    assert figures["parties"]["most"] >= 3
    assert figures["worth"] <= figures["bound"]
    assert 0 <= figures["gap"] <= 0.02
    assert any(row["could"] > 100 for row in figures["designs"])


def test_the_demo_alone_still_takes_its_own_options(run: Any, tmp_path: Path) -> None:
    code, out, _ = run("demo", "--help")
    assert code == 0
    assert "--write" in out
    code, out, _ = run("demo", "--write", tmp_path / "files")
    assert code == 0
    assert (tmp_path / "files" / "events.jsonl").exists()
