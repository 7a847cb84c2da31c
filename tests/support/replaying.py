"""``coordinator replay`` run in this process through its command line, and its results read back."""

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from coordinator.cli import app

__all__ = ["Result", "charter_text", "recorded_events", "replay", "write_file"]


@dataclass(frozen=True, slots=True)
class Result:
    """The four files of a replay, read."""

    summary: dict[str, Any]
    proposals: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    refused: list[dict[str, Any]]
    folder: Path

    @property
    def digest(self) -> str:
        return str(self.summary["digest"])

    @property
    def moves(self) -> dict[tuple[str, str], float]:
        """(offer, need) -> quantity in its unit, over all standing proposals."""
        moved: dict[tuple[str, str], float] = {}
        for proposal in self.proposals:
            for line in proposal["data"]["lines"]:
                pair = (line["offer"], line["need"])
                moved[pair] = moved.get(pair, 0) + line["quantity"]["value"]
        return moved

    def verdicts(self) -> bytes:
        return (self.folder / "ledger.jsonl").read_bytes()


def write_file(path: Path, lines: Iterable[bytes]) -> Path:
    """Write lines to a file, compressed where its name says so."""
    content = b"".join(line + b"\n" for line in lines)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def charter_text(**rules: Any) -> str:
    """A charter file; by default fairness off and kilometres."""
    rules = {"fairness": "off", "effort": "km"} | rules
    return "[charter]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in rules.items())


def _toml(value: Any) -> str:
    if not isinstance(value, dict):
        return json.dumps(value)
    return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"


def replay(folder: Path, events: Sequence[bytes] | Sequence[Path], *more: str, name: str = "out", **rules: Any) -> Result:
    """Replay lines or files under a charter of these rules; raises what the command raised."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [one for one in events if isinstance(one, bytes)]
    files = [one for one in events if isinstance(one, Path)]
    if lines:
        files.append(write_file(folder / f"{name}.in.jsonl", lines))
    charter = folder / f"{name}.toml"
    charter.write_text(charter_text(**rules))
    arguments = ["replay", *map(str, files), "--out", str(folder / name), "--charter", str(charter), "--json", *more]
    run = CliRunner().invoke(app, arguments)
    if run.exception is not None and not (isinstance(run.exception, SystemExit) and run.exit_code == 0):
        raise run.exception
    return read_result(folder / name)


def read_result(folder: Path) -> Result:
    records = {name: [json.loads(line) for line in (folder / f"{name}.jsonl").open()] for name in ("proposals", "ledger", "refused")}
    return Result(json.loads((folder / "summary.json").read_text()), **records, folder=folder)


def recorded_events(log: Path) -> list[bytes]:
    """Every event of an embedded log, in its order."""
    from contextlib import closing

    from coordinator.adapters.file_log import FileLog
    from coordinator.stream import START

    with closing(FileLog.open_readonly(log)) as opened:
        return [record.entry.event for record in opened.read(START, 1_000_000).records]
