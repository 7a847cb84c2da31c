"""Snapshots beside an embedded log: what the log adds up to at a place, so that a start folds only what came after.

A snapshot is a cache. It names its log, place and program; whatever does not fit, or is damaged, is passed over with a warning, and all
of the log is folded. It is taken by a reader of the log, in a process of its own where a coordinator serves.
"""

import hashlib
import json
import os
import sys
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any

import msgspec
import structlog

import coordinator
from coordinator.adapters.aside import begin_aside
from coordinator.adapters.disk import DISK, Disk, write_whole
from coordinator.adapters.file_log import FileLog, Known
from coordinator.adapters.folding import Folded, fold
from coordinator.adapters.log_frames import Mark
from coordinator.adapters.memory import setting_aside
from coordinator.charter import Charter
from coordinator.cycle import Coordination
from coordinator.errors import Refused, Unavailable
from coordinator.snapshots import FORM, freeze, thaw
from coordinator.stream import START, Record, sequence_place

__all__ = ["Letters", "Snapshot", "Snapshots", "read_snapshot", "recover", "snapshot_path", "take_snapshot"]

MAGIC = b"\x89STGSNP\n"
LETTERS_KEPT = 1_000
LEAST_NEW = 10_000  # entries since the last snapshot, before another is worth it ...
NEW_SHARE = 40  # ... and one in so many of all
LOOK_S = 10.0
STOP_S = 2.0
_DIGEST_BYTES = 32

logger = structlog.get_logger("coordinator.snapshots")


class _Head(msgspec.Struct):
    """What a snapshot is of."""

    form: int
    program: str
    charter: str
    log_id: bytes
    marks: list[tuple[int, int, bytes]]  # position, offset and chain of places in the log, the last of them the snapshot's own
    prefix: bytes  # sha256 of the log's file up to there
    logtime_us: int
    letters: int
    last_letters: list[tuple[int, Any]]  # log time and what was refused
    parked: list[str]


@dataclass
class Letters:
    """What was refused at the door, as far as it is kept at hand: its count, and the last of it with its log time."""

    count: int = 0
    last: deque[tuple[int, Any]] = field(default_factory=lambda: deque(maxlen=LETTERS_KEPT))

    def __call__(self, record: Record) -> None:
        """Take one down."""
        self.count += 1
        self.last.append((record.logtime_us, _refusal_in(record.entry.event)))


class Snapshot:
    """A snapshot that was read and fits this program and charter; whether it fits the log, the log says."""

    def __init__(self, head: _Head, state: bytes) -> None:
        self._head, self._state = head, state
        self.known = Known(head.log_id, tuple(Mark(*mark) for mark in head.marks), head.prefix, head.logtime_us)

    @property
    def entries(self) -> int:
        """How many entries of the log it holds."""
        return self.known.marks[-1].offset

    def restore(self, coordination: Coordination, letters: Letters) -> Folded:
        """Set a new coordination, and what was refused at the door, to what the log adds up to there; Refused where it cannot be read."""
        thaw(self._state, coordination)
        letters.count = self._head.letters
        letters.last.extend(self._head.last_letters)
        return Folded(sequence_place(self.entries), list(self._head.parked), self._head.logtime_us)


def recover(log: FileLog, coordination: Coordination, snapshot: Snapshot | None) -> tuple[Folded, Letters]:
    """Take a log into a new coordination, from a snapshot on where there is one that fits, else all of it."""
    letters = Letters()
    before = Folded(START, [], 0)
    if snapshot is not None and log.trusted:
        try:
            with setting_aside():
                before = snapshot.restore(coordination, letters)
        except Refused as refusal:
            logger.warning("a snapshot is passed over", reason=str(refusal))
    elif snapshot is not None:
        logger.warning("a snapshot is passed over", reason="it is of another log, or of more than this log holds", entries=snapshot.entries)
    after = fold(log, coordination, letters, before.place)
    return Folded(after.place, before.parked + after.parked, after.logtime_us or before.logtime_us), letters


def snapshot_path(log: Path) -> Path:
    """Return where the snapshot of a log is kept: beside it."""
    return log.with_name(log.name + ".snapshot")


def read_snapshot(log: Path, charter: Charter, *, disk: Disk = DISK) -> Snapshot | None:
    """Return the snapshot of a log, None where there is none that can be used; why not is a warning and no fault."""
    try:
        with closing(disk.open_to_read(snapshot_path(log))) as file:
            content = file.read(0, file.size())
        head, state = _parted(content)
        if (head.form, head.program) != (FORM, _program()):
            raise Refused("it was made by another version of this program")
        if head.charter != charter.version:
            raise Refused(f"it was made under the charter {head.charter}, and {charter.version} is in force")
        return Snapshot(head, state)
    except FileNotFoundError:
        return None
    except (OSError, Refused) as error:
        logger.warning("a snapshot is passed over", path=str(snapshot_path(log)), reason=str(error))
        return None


def take_snapshot(log: Path, charter: Charter, *, disk: Disk = DISK) -> int:
    """Write down what a log adds up to as it stands, from its last snapshot on; return how many entries that are.

    The log is only read, whoever writes to it meanwhile. Unavailable where the disk does not take the snapshot.
    """
    snapshot = read_snapshot(log, charter, disk=disk)
    with closing(FileLog.open_readonly(log, disk=disk, known=None if snapshot is None else snapshot.known)) as reader:
        coordination = Coordination(charter, judging=False, planning=False)
        folded, letters = recover(reader, coordination, snapshot)
        known = reader.known(folded.logtime_us)
    head = _Head(
        form=FORM,
        program=_program(),
        charter=charter.version,
        log_id=known.log_id,
        marks=[(mark.position, mark.offset, mark.chain) for mark in known.marks],
        prefix=known.prefix,
        logtime_us=folded.logtime_us,
        letters=letters.count,
        last_letters=list(letters.last),
        parked=folded.parked,
    )
    try:
        write_whole(disk, snapshot_path(log), _joined(head, freeze(coordination)))
    except OSError as error:
        raise Unavailable(f"the snapshot of {log} cannot be written ({error.strerror}); check the folder and the disk") from None
    return known.marks[-1].offset


def _refusal_in(letter: bytes) -> dict[str, Any]:
    """Return what a letter tells of a refusal."""
    with suppress(ValueError):
        event = json.loads(letter)
        if isinstance(event, dict) and isinstance(event.get("data"), dict):
            return dict(event["data"])
    return {"code": "invalid", "reason": "a letter that nobody here wrote", "key": "unknown", "said": ""}


def _joined(head: _Head, state: bytes) -> bytes:
    """Return a snapshot's bytes: magic, length of the head, head, state, and a sha256 of all that."""
    told = msgspec.json.encode(head)
    content = b"".join((MAGIC, len(told).to_bytes(8, "little"), told, state))
    return content + hashlib.sha256(content).digest()


def _parted(content: bytes) -> tuple[_Head, bytes]:
    """Return head and state of a snapshot's bytes; Refused where they are damaged."""
    end = len(content) - _DIGEST_BYTES
    begin = len(MAGIC) + 8
    if end < begin or not content.startswith(MAGIC) or hashlib.sha256(memoryview(content)[:end]).digest() != content[end:]:
        raise Refused("it is damaged, or no snapshot")
    middle = begin + int.from_bytes(content[len(MAGIC) : begin], "little")
    try:
        return msgspec.json.decode(content[begin:middle], type=_Head), content[middle:end]
    except msgspec.DecodeError:
        raise Refused("it was made by another version of this program") from None


@lru_cache
def _program() -> str:
    """Return what tells this program's folding from any other's: a digest of the core's own text."""
    found = hashlib.sha256()
    for path in sorted(Path(coordinator.__file__).parent.glob("*.py")):
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:32]


class Snapshots:
    """Takes snapshots beside a coordinator that serves: in a process of its own, one at a time, when enough is new."""

    def __init__(self, log: Path, charter: Charter, entries: Callable[[], int], taken: int = 0) -> None:
        """`entries` tells how long the log is; `taken` is how much of it is in a snapshot already."""
        self._log, self._charter, self._entries = log, charter, entries
        self._taken = taken
        self._stop = Flag()
        self._thread = Thread(target=self._go_on, name="snapshots", daemon=True)

    def start(self) -> None:
        """Look now and then, until closed."""
        self._thread.start()

    def close(self) -> None:
        """Stop; a snapshot that is under way is given up."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def is_due(self) -> bool:
        """Whether enough was written since the last one."""
        return self._entries() - self._taken >= max(LEAST_NEW, self._entries() // NEW_SHARE)

    def _go_on(self) -> None:
        while not self._stop.wait(LOOK_S):
            if self.is_due():
                self.take()

    def take(self) -> None:
        """Take one now and wait for it, or until stopped."""
        entries = self._entries()
        try:
            process = begin_aside(_take_aside, self._log, self._charter)
        except OSError as error:
            self._note_failure(entries, reason=error.strerror)
            return
        while process.is_alive() and not self._stop.is_set():
            process.join(0.2)
        if process.is_alive():
            process.terminate()
            process.join(STOP_S)
            return
        if process.exitcode:
            self._note_failure(entries, exit_code=process.exitcode)
            return
        self._taken = entries
        logger.info("a snapshot was taken", entries=entries)

    def _note_failure(self, entries: int, **why: Any) -> None:
        self._taken = entries  # It is tried again when as much is new.
        logger.warning("no snapshot was taken; the next start folds more of the log", **why)


def _take_aside(log: Path, charter: Charter) -> None:
    with suppress(OSError):  # some surroundings do not let a process stand back
        os.nice(10)
    try:
        take_snapshot(log, charter)
    except (Refused, Unavailable) as error:
        print(f"coordinator: {error}", file=sys.stderr)
        sys.exit(1)
