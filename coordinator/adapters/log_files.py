"""Embedded logs out to files of events and in again: the contract's lines, each with the log time it was taken at."""

import gzip
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from coordinator.adapters.disk import DISK
from coordinator.adapters.file_log import FileLog
from coordinator.adapters.files import read_lines
from coordinator.adapters.recorder import entry_of
from coordinator.commitments import statement_of
from coordinator.errors import Refused, Unavailable
from coordinator.jsontext import read_json, write_json
from coordinator.signals import parse_event
from coordinator.stream import LEDGER, PROPOSAL, SIGNAL, START, Entry
from coordinator.times import format_instant, parse_instant

__all__ = ["Exported", "Imported", "RefusedLine", "export_log", "import_files", "import_sqlite", "is_sqlite"]

_AT_ONCE = 5_000
_EXPORTED = (SIGNAL, PROPOSAL, LEDGER)

Step = Callable[[], None]  # called for each entry


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    lines: int
    left_out: int  # status and dead letters, which are told to people and are no part of what happened
    broken: str | None  # why it ends where it ends, if the log is damaged there


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that is not in the new log, and why."""

    file: str
    line: int
    reason: str


@dataclass(slots=True)
class Imported:
    """What was read into a new log."""

    entries: int = 0
    repeats: int = 0  # the same event again, which is one event
    refused: list[RefusedLine] = field(default_factory=list)


def export_log(path: Path, out: Path, step: Step) -> Exported:
    """Write a log's events to a new ``.jsonl`` or ``.jsonl.gz`` file; where the log is damaged, all that is sound before."""
    lines = left_out = 0
    broken: str | None = None
    with closing(FileLog.open_readonly(path)) as log, _new_file(out) as file:
        place, at_most = START, _AT_ONCE
        while True:
            try:
                batch = log.read(place, at_most)
            except Refused as refusal:
                if at_most > 1:
                    at_most = 1  # some of them may be sound
                    continue
                broken = str(refusal)
                break
            if not batch.records:
                break
            place = batch.place
            for record in batch.records:
                step()
                if record.entry.stream in _EXPORTED:
                    file.write(_with_logtime(record.entry.event, record.logtime_us) + b"\n")
                    lines += 1
                else:
                    left_out += 1
    return Exported(lines, left_out, broken)


def import_files(files: Iterable[Path], into: Path, step: Step) -> Imported:
    """Read files as `export_log` writes them into a new log; what cannot be taken is listed, and nothing else of it is lost.

    Where all of it was refused, no log is made.
    """
    done = Imported()
    known: dict[str, bytes] = {}
    last_us = 0

    def entries() -> Iterator[Entry]:
        nonlocal last_us
        for path in files:
            for number, line in read_lines(path):
                step()
                try:
                    entry = _entry(line, known, last_us)
                except Refused as refusal:
                    done.refused.append(RefusedLine(str(path), number, str(refusal)))
                    continue
                if entry is None:
                    done.repeats += 1
                    continue
                last_us = entry.logtime_us or last_us
                yield entry

    done.entries = _write_new(into, entries(), done.refused)
    return done


def import_sqlite(old: Path, into: Path, step: Step) -> Imported:
    """Read a log of the older kind, a SQLite database, into a new one, every entry as it stands."""

    def entries() -> Iterator[Entry]:
        for entry in _sqlite_entries(old):
            step()
            yield entry

    return Imported(_write_new(into, entries(), []))


def is_sqlite(path: Path) -> bool:
    """Whether a file is a database, as logs of the older kind are."""
    try:
        with path.open("rb") as file:
            return file.read(16) == b"SQLite format 3\x00"
    except OSError as error:
        raise Refused(f"{path} cannot be read ({error.strerror}); check the path") from None


def _entry(line: bytes, known: dict[str, bytes], last_us: int) -> Entry | None:
    """Return what a line says as an entry, None for a repeat; Refused for what a log cannot have taken then."""
    event = parse_event(line)
    if event.logtime_us is None:
        raise Refused("logtime is missing; files that a log exported have it: say this anew with `coordinator publish -`")
    if event.logtime_us < last_us:
        raise Refused(
            f"logtime is {format_instant(event.logtime_us)}, before {format_instant(last_us)} of a line ahead of it; "
            "log time never goes back: give the files in their order"
        )
    statement = statement_of(event)
    if event.kind != "tick":
        before = known.get(statement)
        if before is not None and before != event.content:
            raise Refused(f"the event {event.id!r} of {event.source} stands before with other content; the first stands")
        if before is not None:
            return None
        known[statement] = event.content
    entry = entry_of(event, _without_logtime(line) if event.by_agent or event.kind == "tick" else line)
    return Entry(entry.stream, entry.key, entry.event, event.logtime_us)


def _with_logtime(line: bytes, logtime_us: int) -> bytes:
    """Return an event in one line that says when the log took it; all else stays as it was written, where it can."""
    try:
        record = read_json(line)
    except Refused:
        return line.replace(b"\n", b" ")
    assert isinstance(record, dict)  # a log takes nothing else
    told = record.get("logtime")
    with suppress(Refused):
        if isinstance(told, str) and parse_instant(told) == logtime_us and b"\n" not in line:
            return line
    at = line.find(b"{")
    if told is not None or b"\n" in line:
        return write_json({"logtime": format_instant(logtime_us), **{key: value for key, value in record.items() if key != "logtime"}})
    return b'{"logtime":"%s",%s' % (format_instant(logtime_us).encode(), line[at + 1 :])


def _without_logtime(line: bytes) -> bytes:
    """Return the line as it was before `_with_logtime`."""
    record = read_json(line)
    assert isinstance(record, dict)  # parsed before
    logtime = record.pop("logtime")
    begin = b'{"logtime":"%s",' % str(logtime).encode()
    return b"{" + line[len(begin) :] if line.startswith(begin) else write_json(record)


def _write_new(into: Path, entries: Iterator[Entry], refused: Sequence[RefusedLine]) -> int:
    """Write entries to a log that was not there; it is there only once all of them are. Return how many.

    Where there is none and some were refused, no log is left: an empty one would stand in the way of the next try.
    """
    new = into.with_name(into.name + ".new")
    for path in (into, new):
        if path.exists():
            raise Refused(f"{path} exists; an import makes a new log: name another file, or move that one away")
    count, some = 0, list[Entry]()
    try:
        with closing(FileLog(new, lambda: 0)) as log:
            for entry in entries:
                some.append(entry)
                if len(some) == _AT_ONCE:
                    count += len(log.append(some))
                    some = []
            count += len(log.append(some))
        if refused and not count:
            return 0
        os.link(new, into)  # unlike a rename it takes no name that somebody else has taken meanwhile
        DISK.sync_folder(into.parent)
    except OSError as error:
        raise Unavailable(f"{into} cannot be made ({error.strerror}); check the folder and the disk") from None
    finally:
        with suppress(FileNotFoundError):
            new.unlink()
    return count


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """A new file to write lines to, packed where its name says so; removed again where writing it fails."""
    try:
        raw = path.open("xb")
    except FileExistsError:
        raise Refused(f"{path} exists; an export makes a new file: name another, or move that one away") from None
    except OSError as error:
        raise Refused(f"{path} cannot be made ({error.strerror}); check the folder") from None
    try:
        with raw:
            if path.suffix == ".gz":
                with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as packed:
                    yield cast(IO[bytes], packed)
            else:
                yield raw
            raw.flush()
            os.fsync(raw.fileno())
    except BaseException as error:
        path.unlink()
        if isinstance(error, OSError):
            raise Unavailable(f"{path} cannot be written ({error.strerror}); check the disk and its free space") from None
        raise


def _sqlite_entries(path: Path) -> Iterator[Entry]:
    """Yield the entries of a log of the older kind, with their log times; Refused where it is damaged."""
    import sqlite3  # noqa: PLC0415  for those who have such a log
    from zlib import crc32  # noqa: PLC0415

    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT offset, stream, key, logtime_us, chain, event FROM log ORDER BY offset")
            chain = 0
            for expected, (offset, stream, key, logtime_us, kept, event) in enumerate(rows):
                chain = crc32(event, crc32(f"{stream}\n{key}\n{logtime_us}\n".encode(), chain))
                if offset != expected or kept != chain:
                    raise Refused(f"{path} is damaged at entry {expected}: its checksum does not fit. Restore the file from a copy.")
                yield Entry(stream, key, event, logtime_us)
    except sqlite3.Error as error:
        raise Refused(f"{path} is no log of the older kind, or a damaged one: {error}. Restore the file from a copy.") from None
