"""How a command that only looks gets its picture: of a server, out of an embedded log (its decisions obeyed), or from files of events."""

import sys
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator.adapters.file_log import FileLog
from coordinator.adapters.files import read_lines
from coordinator.adapters.folding import FOLLOWED
from coordinator.cli.access import charter_in_force, distances_in, server_at
from coordinator.cli.output import Progress
from coordinator.cycle import Coordination
from coordinator.errors import Refused, Unavailable
from coordinator.replaying import Said, in_told_order, statements_judged
from coordinator.results import from_json
from coordinator.signals import Event, parse_event
from coordinator.stream import DEAD_LETTER, START, Record
from coordinator.wording import counted

__all__ = ["Where", "asked", "in_log", "load", "parsed", "segment"]

AT_ONCE = 5_000  # records read from a log in one go
ANSWER_S = 300.0  # for a server: where a network is weak takes long to say of a large one


@dataclass(frozen=True, slots=True)
class Where:
    """What the command line said about where to look."""

    files: list[Path]
    log: Path | None = None
    charter: Path | None = None
    routes: Path | None = None
    url: str | None = None

    def check(self) -> None:
        """Refuse neither and both."""
        if (self.log is None) == (not self.files):
            raise Refused("say where to look: files of events, or --log and one embedded log")

    def is_server(self) -> bool:
        """Whether a server is to be asked: one named, or that of the settings where nothing is. Refused where more is named."""
        if self.files or self.log is not None:
            if self.url is not None:
                raise Refused("both --url and files or --log came; say one of them: the server, or what is to be read here")
            self.check()
            return False
        for flag, given in (("--charter", self.charter), ("--routes", self.routes)):
            if given is not None:
                raise Refused(f"{flag} is for files and --log; a server has its own: leave it out, or say where to look")
        return True


def asked(
    where: Where, kind: Any, question: Callable[[Coordination], Any], path: str, *, quiet: bool, listed: bool = False, **query: Any
) -> Any:
    """Return the answer to a question, of a kind that `from_json` reads: found here, or by the server, which is asked by a path.

    A server's answer may be `listed` under `items`. Unavailable where it does not answer, or not as this version does.
    """
    if not where.is_server():
        return question(load(where, quiet=quiet))
    server = server_at(where.url, timeout_s=ANSWER_S, tries=1)  # Asked again, it would begin anew.
    told = server.read(path, **query)
    try:
        return from_json(kind, told["items"] if listed else told)
    except (AttributeError, KeyError, Refused, TypeError, ValueError) as error:
        raise Unavailable(
            f"{server.url} answers otherwise than this version expects ({type(error).__name__}: {error}); use the version that it runs"
        ) from None


def segment(name: str) -> str:
    """Return a name as a part of a path, or as its end: slashes stay."""
    return urllib.parse.quote(name, safe="/")


def load(where: Where, *, quiet: bool = False) -> Coordination:
    """Return the network, book and plan as an embedded log or files of events leave them; nothing is written anywhere.

    A log is read as it stands: its decisions are obeyed, and nothing is planned. Files are replayed: cycles run on signals alone,
    recorded decisions are obeyed. How many events were refused is said on standard error.
    Raises `Refused` where neither or both are named, one cannot be opened, or nothing of the files counts.
    """
    where.check()
    coordination = Coordination(charter_in_force(where.charter), table=distances_in(where.routes))
    with Progress("reading", quiet) as progress:
        read, refused = _from_log(coordination, where.log, progress) if where.log else _from_files(coordination, where.files, progress)
    if refused:
        print(f"{refused:,} of {read:,} events were refused; `coordinator replay` writes each with its reason", file=sys.stderr)
    return coordination


def _from_log(coordination: Coordination, path: Path, progress: Progress) -> tuple[int, int]:
    coordination.planning = coordination.judging = False
    read = refused = turned_away = 0
    for record in in_log(path):
        turned_away += record.entry.stream == DEAD_LETTER
        if record.entry.stream not in FOLLOWED:
            continue
        read += 1
        progress.step()
        try:
            coordination.take(parse_event(record.entry.event, stamp_us=record.logtime_us), record.entry.event)
        except Refused:
            refused += 1
    if turned_away:
        some = "1 signal was" if turned_away == 1 else f"{turned_away:,} signals were"
        print(f"{some} turned away at the door; `coordinator refused --log {path}` lists the latest", file=sys.stderr)
    return read, refused


def _from_files(coordination: Coordination, paths: list[Path], progress: Progress) -> tuple[int, int]:
    said: list[Said] = []
    read = 0
    for path in paths:
        for number, line in read_lines(path):
            read += 1
            progress.step()
            event = parsed(line)
            if event is not None:
                said.append(Said(event, line, str(path), number))
    kinds = {one.event.kind for one in said}
    recorded = not kinds.isdisjoint({"proposal", "ledger"})
    coordination.planning, coordination.judging = not recorded, "ledger" not in kinds
    judged = statements_judged(said)
    refused = read - len(said)
    for one in in_told_order(said) if recorded else said:
        try:
            coordination.take(one.event, one.line, judged_elsewhere=f"{one.event.source}/{one.event.id}" in judged)
        except Refused:
            refused += 1
        coordination.outbox.clear()
    if read and refused == read:
        raise Refused(f"nothing was taken of {counted(read, 'event')}; `coordinator replay` writes each with its reason")
    coordination.finish()
    return read, refused


def in_log(path: Path) -> Iterator[Record]:
    """Yield each record of an embedded log, of whatever stream."""
    with closing(FileLog.open_readonly(path)) as log:
        place = START
        while (batch := log.read(place, AT_ONCE)).records:
            place = batch.place
            yield from batch.records


def parsed(line: bytes) -> Event | None:
    """Return the event that a line holds, None where it cannot be read: `coordinator replay` tells why."""
    try:
        return parse_event(line)
    except Refused:
        return None
