"""``coordinator replay``: the whole path on recorded events, without a broker, as fast as it can."""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coordinator.adapters.files import read_charter, read_lines, write_json_file, write_lines
from coordinator.adapters.recorder import Recorder
from coordinator.adapters.routes_csv import read_routes
from coordinator.adapters.sqlite_log import SqliteLog
from coordinator.cli.output import Progress, table
from coordinator.cycle import Coordination
from coordinator.errors import Refused
from coordinator.replaying import Said, in_told_order, standing_proposals, statements_judged, summarise, told
from coordinator.signals import Proposal, event_json, parse_event
from coordinator.stream import START

__all__ = ["Request", "run"]

AT_ONCE = 5_000  # records read from a log in one go


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for on the command line."""

    files: list[Path]
    out: Path
    charter: Path | None
    routes: Path | None
    answers: str
    log: Path | None
    record: Path | None
    as_json: bool


@dataclass(frozen=True, slots=True)
class _Refusal:
    file: str
    line: int
    reason: str


def run(request: Request) -> None:
    """Replay and write ``proposals.jsonl``, ``ledger.jsonl``, ``refused.jsonl`` and ``summary.json``."""
    if request.answers not in {"none", "accept"}:
        raise Refused(f"--answers is {request.answers!r}; say none or accept")
    if (request.log is None) == (not request.files):
        raise Refused("say what to replay: files of events, or --log and one embedded log")
    charter = read_charter(request.charter)
    coordination = Coordination(charter, table=read_routes(request.routes) if request.routes else None)
    if request.answers == "accept":
        coordination.answering = lambda proposal: _acceptances(proposal, coordination.log_us)
    refused: list[_Refusal] = []
    said: list[Said] = []
    with Progress("reading", request.as_json) as progress:
        for one in _read_log(request.log) if request.log else _read_files(request.files):
            progress.step()
            if isinstance(one, Said):
                said.append(one)
            else:
                refused.append(one)
    read = len(said) + len(refused)
    with Progress("replaying", request.as_json, len(said)) as progress:
        refused += _replay(coordination, said, request, progress)
    summary = summarise(coordination.network, coordination.book, coordination.ledger, events=read, refused=len(refused))
    _write(request.out, coordination, refused, summary)
    _show(summary, request)


def _replay(coordination: Coordination, said: list[Said], request: Request, progress: Progress) -> list[_Refusal]:
    """Take everything in; return what was refused on the way. Recorded decisions are obeyed, and then nothing is solved."""
    kinds = {one.event.kind for one in said}
    recorded = not kinds.isdisjoint({"proposal", "ledger"})
    coordination.planning = not recorded
    coordination.judging = "ledger" not in kinds
    judged = statements_judged(said)
    if recorded and request.log is None:
        said = in_told_order(said)
    refused: list[_Refusal] = []
    with Recorder(request.record, coordination) as recorder:
        for one in said:
            progress.step()
            try:
                coordination.take(one.event, one.line, judged_elsewhere=f"{one.event.source}/{one.event.id}" in judged)
            except Refused as refusal:
                refused.append(_Refusal(one.file, one.number, str(refusal)))
            else:
                recorder.note(one.event, one.line)
        coordination.finish()
        recorder.note_decisions()
    return refused


def _read_files(files: list[Path]) -> Iterator[Said | _Refusal]:
    for path in files:
        for number, line in read_lines(path):
            try:
                yield Said(parse_event(line), line, str(path), number)
            except Refused as refusal:
                yield _Refusal(str(path), number, str(refusal))


def _read_log(path: Path) -> Iterator[Said | _Refusal]:
    with closing(SqliteLog.open_readonly(path)) as log:
        place, number = START, 0
        while (batch := log.read(place, AT_ONCE)).records:
            place = batch.place
            for record in batch.records:
                number += 1
                try:
                    event = replace(parse_event(record.entry.event), logtime_us=record.logtime_us)
                    yield Said(event, record.entry.event, str(path), number)
                except Refused as refusal:
                    yield _Refusal(str(path), number, str(refusal))


def _acceptances(proposal: Proposal, log_us: int) -> Iterable[bytes]:
    for party in dict.fromkeys(name for line in proposal.lines for name in (line.provider, line.receiver)):
        answer = {"proposal": proposal.proposal, "answer": "accept"}
        yield event_json("answer", f"agent:{party}", proposal.proposal, log_us, answer)


def _write(out: Path, coordination: Coordination, refused: list[_Refusal], summary: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_lines(out / "proposals.jsonl", told(standing_proposals(coordination.book)))
    write_lines(out / "ledger.jsonl", told(coordination.ledger))
    rows = sorted(refused, key=lambda row: (row.file, row.line))
    lines = ({"file": row.file, "line": row.line, "reason": row.reason} for row in rows)
    write_lines(out / "refused.jsonl", (json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    write_json_file(out / "summary.json", summary)


def _show(summary: dict[str, Any], request: Request) -> None:
    if request.as_json:
        print(json.dumps(summary, indent=2, ensure_ascii=False))
        return
    title = f"{summary['events']:,} events, {summary['refused']:,} refused; results in {request.out}"
    columns = ["resource", "unit", "offered", "needed", "proposed", "committed", "unit-km"]
    table(title, columns, [[name, *row.values()] for name, row in summary["resources"].items()])
