"""The command line as tests run it, in this process."""

import sys
from pathlib import Path
from typing import Any

import pytest

from coordinator.cli import main

Ran = tuple[int, str, str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command line with these words; return its exit code, output and errors."""

    def ran(*words: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["coordinator", *map(str, words)])
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return ran


@pytest.fixture
def log(tmp_path: Path, events: Path, run: Any) -> Path:
    """The same events with what was proposed, recorded in an embedded log."""
    path = tmp_path / "network.log"
    code, _, err = run("replay", events, "--out", tmp_path / "out", "--record", path)
    assert code == 0, err
    return path
