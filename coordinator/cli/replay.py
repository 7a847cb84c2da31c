"""``coordinator replay``: the whole path on recorded events, without a broker, as fast as it can."""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from coordinator.adapters.clock import wall_us
from coordinator.adapters.files import make_folder, read_charter, read_lines, write_json_file, write_lines
from coordinator.adapters.folding import FOLLOWED
from coordinator.adapters.recorder import Recorder
from coordinator.cli.access import distances_in
from coordinator.cli.loading import in_log
from coordinator.cli.output import Progress, table
from coordinator.commitments import statement_of
from coordinator.cycle import Coordination
from coordinator.errors import Refused
from coordinator.network import never_counts
from coordinator.replaying import Said, in_other_dimensions, in_told_order, standing_proposals, statements_judged, summarise, told
from coordinator.signals import Proposal, event_json, parse_event
from coordinator.times import SECOND_US, format_instant
from coordinator.wording import counted

__all__ = ["Request", "run"]

AHEAD_US = 300 * SECOND_US  # of this machine's clock: from here on it is told


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
class _Line:
    """One event as it was read, with the stamp of the log it came from."""

    file: str
    number: int
    text: bytes
    logtime_us: int | None = None
    broken: str = ""  # why nothing more could be read


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
    make_folder(request.out)
    coordination = Coordination(charter, table=distances_in(request.routes))
    read, recorded = _look_through(request)
    if request.answers == "accept" and not {"proposal", "answer"} <= recorded:  # Who answered recorded proposals has spoken.
        coordination.answering = lambda proposal: _acceptances(proposal, coordination.log_us)
    refused: list[_Refusal] = []
    pace = _Pace(wall_us(), charter.late_seconds * SECOND_US)
    idle: list[_Refusal] = []  # taken, and never matched
    with Progress("replaying", request.as_json, read) as progress, Recorder(request.record, coordination) as recorder:
        for one, judged in _told(request, coordination, recorded, refused):
            progress.step()
            before_us = coordination.log_us
            try:
                coordination.take(one.event, one.line, judged_elsewhere=judged)
            except Refused as refusal:
                refused.append(_Refusal(one.file, one.number, str(refusal)))
                pace.note_refusal(one, before_us)
            else:
                recorder.note(one.event, one.line)
                pace.note(one, before_us, coordination.log_us)
                if (why := never_counts(one.event.data, coordination.log_us)) is not None:
                    idle.append(_Refusal(one.file, one.number, why))
        coordination.finish()
        recorder.note_decisions()
    summary = summarise(coordination.network, coordination.book, coordination.ledger, events=read, refused=len(refused))
    _write(request.out, coordination, refused, summary)
    if read and len(refused) == read:
        first = refused[0]
        print(f"Note: nothing at all was taken; the first refusal is line {first.line} of {first.file}: {first.reason}", file=sys.stderr)
    for first in idle[:1]:
        some = f"{counted(len(idle), 'signal')} had expired or ended when said; the first is line {first.line} of {first.file}"
        print(f"Note: {some}: {first.reason}.", file=sys.stderr)
    for sentence in pace.told():
        print(f"Note: {sentence}.", file=sys.stderr)
    _show(summary, coordination, request)


@dataclass(slots=True)
class _Pace:
    """Which events moved log time: one wrong clock among many makes all who come after it late."""

    now_us: int  # of this machine
    late_us: int  # that words may come late
    mover: Said | None = None  # who moved log time last
    ahead: Said | None = None  # who first moved it ahead of this machine's clock
    blamed: Said | None = None  # after whom the first words came too late
    late: int = 0

    def note(self, one: Said, before_us: int, log_us: int) -> None:
        """Note an event that was taken, and where log time was before and is after it."""
        if log_us <= before_us:
            return
        self.mover = one
        if self.ahead is None and log_us > self.now_us + AHEAD_US:
            self.ahead = one

    def note_refusal(self, one: Said, log_us: int) -> None:
        """Note an event that was refused, and where log time was."""
        if one.event.by_agent and log_us - one.event.time_us > self.late_us:
            self.late += 1
            self.blamed = self.blamed or self.mover

    def told(self) -> Iterator[str]:
        """Yield, as sentences, what seems wrong with a clock."""
        if self.ahead is not None:
            yield f"{_dated(self.ahead)}, ahead of the clock of this machine, and moves log time there: check the clock it was said by"
        if self.blamed is not None:
            yield f"{counted(self.late, 'event')} came too late, the first after {_dated(self.blamed)}: mend it if it is wrong, and replay"


def _dated(one: Said) -> str:
    return f"line {one.number} of {one.file} is dated {format_instant(one.event.time_us)}"


def _look_through(request: Request) -> tuple[int, set[str]]:
    """Return how many events there are and what a coordinator's life left among them: "proposal", "ledger", "answer"."""
    read, recorded = 0, set[str]()
    for line in _lines(request):
        read += 1
        for kind in ("proposal", "ledger", "answer"):
            if kind not in recorded and f"stigmergy.{kind}.v1".encode() in line.text:
                recorded |= {kind} & {one.event.kind for one in [_said(line)] if isinstance(one, Said)}
    if "ledger" in recorded and "proposal" not in recorded and not _judges_what_was_said(request):
        recorded.discard("ledger")  # Records about nothing that was said are refused one by one; they are nobody's decisions.
    return read, recorded


def _judges_what_was_said(request: Request) -> bool:
    """Whether some ledger record is about an event that was recorded with it."""
    said = (one for one in map(_said, _lines(request)) if isinstance(one, Said))
    events, judged = set[str](), set[str]()
    for one in said:
        events.add(statement_of(one.event))
        judged |= statements_judged([one])
    return not events.isdisjoint(judged)


def _told(request: Request, coordination: Coordination, recorded: set[str], refused: list[_Refusal]) -> Iterator[tuple[Said, bool]]:
    """Yield the events to take in, each with whether its verdict is on record.

    Recorded decisions are obeyed, and then nothing is solved; what different speakers recorded comes in one agreed order. Events
    without them come as they are read, one at a time.
    """
    decided = not recorded.isdisjoint({"proposal", "ledger"})
    coordination.planning = not decided
    coordination.judging = "ledger" not in recorded
    said: list[Said] = []
    for line in _lines(request):
        one = _said(line)
        if isinstance(one, _Refusal):
            refused.append(one)
        elif decided:
            said.append(one)
        else:
            yield one, False
    judged = statements_judged(said)
    for one in said if request.log else in_told_order(said):
        yield one, statement_of(one.event) in judged


def _lines(request: Request) -> Iterator[_Line]:
    """Yield every line of the files, or every entry of the log."""
    if request.log is None:
        for path in request.files:
            yield from _lines_of(path)
        return
    # Status and dead letters are told to people; they are no part of what happened.
    happened = (record for record in in_log(request.log) if record.entry.stream in FOLLOWED)
    for number, record in enumerate(happened, 1):
        yield _Line(str(request.log), number, record.entry.event, record.logtime_us)


def _lines_of(path: Path) -> Iterator[_Line]:
    """Yield the lines of a file; where it breaks off, a last one that says why. Refused where nothing of it can be read."""
    number = 0
    try:
        for number, text in read_lines(path):
            yield _Line(str(path), number, text)
    except Refused as refusal:
        if number == 0:
            raise
        yield _Line(str(path), number + 1, b"", broken=str(refusal))


def _said(line: _Line) -> Said | _Refusal:
    if line.broken:
        return _Refusal(line.file, line.number, line.broken)
    try:
        event = parse_event(line.text)
    except Refused as refusal:
        return _Refusal(line.file, line.number, str(refusal))
    if line.logtime_us is not None:
        event = msgspec.structs.replace(event, logtime_us=line.logtime_us)
    return Said(event, line.text, line.file, line.number)


def _acceptances(proposal: Proposal, log_us: int) -> Iterable[bytes]:
    for party in dict.fromkeys(name for line in proposal.lines for name in (line.provider, line.receiver)):
        answer = {"proposal": proposal.proposal, "answer": "accept"}
        yield event_json("answer", f"agent:{party}", proposal.proposal, log_us, answer)


def _write(out: Path, coordination: Coordination, refused: list[_Refusal], summary: dict[str, Any]) -> None:
    write_lines(out / "proposals.jsonl", told(standing_proposals(coordination.book)))
    write_lines(out / "ledger.jsonl", told(coordination.ledger))
    rows = sorted(refused, key=lambda row: (row.file, row.line))
    lines = ({"file": row.file, "line": row.line, "reason": row.reason} for row in rows)
    write_lines(out / "refused.jsonl", (json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    write_json_file(out / "summary.json", summary)


def _show(summary: dict[str, Any], coordination: Coordination, request: Request) -> None:
    if request.as_json:
        print(json.dumps(summary, indent=2, ensure_ascii=False))
        return
    title = f"{counted(summary['events'], 'event')}, {summary['refused']:,} refused; results in {request.out}"
    if summary["refused"]:
        title += f", what was refused and why in {request.out / 'refused.jsonl'}"
    columns = ["resource", "unit", "offered", "needed", "proposed", "committed", "unit-km"]
    table(title, columns, [[name, *row.values()] for name, row in summary["resources"].items()])
    if not coordination.planning:
        print("Decisions stand in what was read: they were taken as they are, and nothing was planned anew.")
    for sentence in in_other_dimensions(coordination.network):
        print(f"Note: {sentence}.")
    planner = coordination.planner
    if planner.units_short():
        print(f"Gap: minimum parts and packs keep {planner.units_short():,} units from moving that could move without them.")
    for trouble in (*planner.troubles(), *coordination.production.troubles(), *coordination.unsaid):
        print(f"Note: {trouble}.")
    for why, pairs in planner.hidden_pairs().items():
        print(f"Not candidates: {pairs:,} pairs, because of: {why}.")
