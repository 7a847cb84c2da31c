"""A plain `pip install .` in an empty environment serves the commands, and asking for help loads nothing heavy."""

import fcntl
import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {
    *("cryptography", "fastapi", "kafka", "matplotlib", "networkx", "numba", "numpy", "ortools", "pandas", "pydantic", "pydantic_settings"),
    *("prometheus_client", "scipy", "sqlite3", "starlette", "structlog", "uvicorn"),
}


def environment() -> dict[str, str]:
    """This process's environment without what would lend the new one our own packages."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}}


def run(*words: str | Path, cwd: Path, expected: int = 0, seconds: int = 60) -> str:
    told = [str(word) for word in words]
    done = subprocess.run(told, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == expected, f"{words} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def loaded_by(code: str) -> set[str]:
    """The top-level packages in memory after `code` ran in a process of its own."""
    told = run(sys.executable, "-c", f"{code}\nimport sys\nprint('\\nloaded', *sys.modules)", cwd=ROOT)
    line = next(line for line in told.splitlines() if line.startswith("loaded "))
    return {name.split(".")[0] for name in line.split()[1:]}


@pytest.mark.parametrize("package", ["coordinator", "connectors"])
def test_asking_for_help_loads_nothing_heavy(package: str) -> None:
    asking = (
        f"import contextlib, sys\nsys.argv = ['it', '--help']\nfrom {package}.cli import main\nwith contextlib.suppress(SystemExit): main()"
    )
    assert loaded_by(f"import {package}.cli") & (HEAVY | {"rich"}) == set()
    assert loaded_by(asking) & HEAVY == set()


def test_a_connector_loads_no_solver() -> None:
    assert loaded_by("import coordinator") & HEAVY == set()
    assert loaded_by("import coordinator.signals, connectors.reading") & {"numpy", "ortools", "networkx", "solver", "kafka"} == set()


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an empty environment after a plain `pip install .`, one for all workers of this run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "bare"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Whoever comes second waits for the first, and finds the work done.
        if not (folder / "done").exists():
            install(folder)
            (folder / "done").touch()
    return folder / "env" / "bin"


def install(folder: Path) -> None:
    """Make `folder/env` and install the project in it; the versions are those that are pinned."""
    pins = re.findall(r"^[\w.-]+==[\w.]+", (ROOT / "requirements" / "run.txt").read_text(encoding="utf-8"), flags=re.M)
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(pins) + "\n", encoding="utf-8")
    venv.create(folder / "env", with_pip=True, clear=True)
    quiet = ("--disable-pip-version-check", "--no-input", "install", "--quiet", "--no-compile", "--constraint", constraints)
    run(folder / "env" / "bin" / "python", "-m", "pip", *quiet, ROOT, cwd=folder, seconds=600)


@pytest.mark.slow
def test_the_commands_of_a_plain_install_say_what_they_do(bare: Path, tmp_path: Path) -> None:
    assert "replay" in run(bare / "coordinator", "--help", cwd=tmp_path)
    assert "read" in run(bare / "connector", "--help", cwd=tmp_path)


@pytest.mark.slow
def test_a_plain_install_replays_events(bare: Path, tmp_path: Path) -> None:
    place = {"lat": 48.11, "long": -1.68}
    shields = {"resource": "face-shield", "quantity": {"value": 20, "unit": "1"}, "place": place}
    said = [("atelier-nord", "offer", shields), ("clinique-ouest", "need", shields), ("clinique-sud", "need", {**shields, "quantity": 3})]
    lines = [
        {"specversion": "1.0", "id": f"e{number}", "source": f"agent:{agent}", "type": f"stigmergy.{kind}.v1", "subject": "shields"}
        | {"time": "2026-03-01T08:00:00Z", "data": data}
        for number, (agent, kind, data) in enumerate(said)
    ]
    events = tmp_path / "three.jsonl"
    events.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    run(bare / "coordinator", "replay", events, "--out", "out", cwd=tmp_path)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert (summary["events"], summary["refused"], summary["needs_met"]) == (3, 1, 1)
    assert summary["resources"]["face-shield"]["proposed"] == 20


@pytest.mark.slow
def test_a_missing_file_is_said_in_a_line(bare: Path, tmp_path: Path) -> None:
    told = run(bare / "coordinator", "replay", "nowhere.jsonl", "--out", "out", cwd=tmp_path, expected=2)
    assert "nowhere.jsonl" in told
    assert "Traceback" not in told


@pytest.mark.slow
def test_all_that_is_not_python_is_installed_too(bare: Path) -> None:
    packages = ("coordinator", "connectors", "solver")
    ours = {path.relative_to(ROOT).as_posix() for top in packages for path in (ROOT / top).rglob("*") if path.is_file()}
    ours = {name for name in ours if "__pycache__" not in name}
    site = next((bare.parent / "lib").glob("python*/site-packages"))
    installed = {path.relative_to(site).as_posix() for top in packages for path in (site / top).rglob("*") if path.is_file()}
    assert ours - installed == set()
