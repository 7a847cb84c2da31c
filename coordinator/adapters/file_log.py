"""The embedded log: one file of our own, one writer, durable before it is acknowledged."""

import errno
import os
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from operator import attrgetter
from pathlib import Path
from threading import Lock

import structlog

from coordinator.adapters.disk import DISK, Disk, File
from coordinator.adapters.log_frames import (
    HEAD_BYTES,
    HEADER_BYTES,
    LARGEST_PAYLOAD_BYTES,
    MAGIC,
    Fault,
    Frame,
    Mark,
    entries_of,
    first_mark,
    frame_at,
    framed,
    head_of,
    is_left_by_a_crash,
    last_logtime_us,
    payload_of,
    read_head,
)
from coordinator.errors import Refused, Unavailable
from coordinator.stream import Batch, Clock, Entry, Place, Record, check_entries, position_of, sequence_after, sequence_place
from coordinator.wording import counted

__all__ = ["Cut", "FileLog", "Known", "Unsound", "explained", "frames", "opened_head"]

_CHUNK_BYTES = 1 << 20  # read in one go
_GROUP_BYTES = 8 << 20  # committed together, unless one call alone brings more
_BATCH_BYTES = 8 << 20  # in one batch, unless one frame alone has more
_SPARSE_BYTES, _SPARSE_ENTRIES = 1 << 18, 1 << 10  # between the places that are remembered to begin a reading from
_ENTRY_BYTES = 32  # more than an entry needs beside its key and event
_SQLITE = b"SQLite format 3\x00"

logger = structlog.get_logger("coordinator.log")


class Unsound(Exception):
    """No frame can be read at `mark`: what stands there is the rest of a write that a crash cut short, or it is damage."""

    def __init__(self, mark: Mark, fault: Fault, by_crash: bool) -> None:
        super().__init__(f"entry {mark.offset} (byte {mark.position}): {fault}")
        self.mark, self.fault, self.by_crash = mark, fault, by_crash


@dataclass(frozen=True, slots=True)
class Cut:
    """What was cut from the end when the log was opened: the rest of a write that was never acknowledged."""

    offset: int  # of the entry that would have begun there
    position: int
    size: int  # bytes

    def __str__(self) -> str:
        return f"{counted(self.size, 'byte')} at the end, from a write at entry {self.offset} that a crash cut short and nobody was told of"


@dataclass(frozen=True, slots=True)
class Known:
    """What was found when a log was verified before, up to a place: whoever finds the same bytes again need not verify each frame."""

    log_id: bytes
    marks: tuple[Mark, ...]  # some places to begin reading from, in order, the last of them where this ends
    prefix: bytes  # sha256 of the file up to there
    logtime_us: int  # of the last entry before it


class FileLog:
    """An `EventLog` in one file, with a single writer and any number of readers, also in other processes.

    Each frame carries checksums and is chained to all before it, and each read verifies them: a changed, missing, exchanged or
    inserted frame is noticed where it stands. That the last frames are gone is noticed only by whoever knows a later chain.
    A reader in another process may see an append a moment before it is durable.
    """

    def __init__(
        self,
        path: str | Path,
        clock: Clock | None,
        *,
        disk: Disk = DISK,
        new_id: Callable[[], bytes] | None = None,
        known: Known | None = None,
    ) -> None:
        """Open the log at `path`, made if absent and verified from end to end; without a clock it must exist and can only be read.

        What is `known` of the beginning is verified as a whole; `trusted` tells whether it is this log and fits.
        """
        self._path = Path(path)
        self.trusted = False
        self._reading_lock = Lock()
        self._writer = None if clock is None else _Writer(self._path, clock, disk, new_id or _random_id, self._note)
        self._hint: Mark | None = None
        self._marks: list[Mark] = []
        if self._writer is not None:
            self._file, self.log_id, first = self._writer.file, self._writer.log_id, self._writer.first
            self._marks.append(first)
            self.trusted = self._writer.verify(known)
        else:
            self._file, self.log_id, first = _open_for_reading(self._path, disk)
            self._marks.append(first)
            with explained(self._path):
                self.trusted = known is not None and _fits(known, self._file, self.log_id)
        if known is not None and self.trusted:
            self._marks[1:1] = known.marks[1:-1]

    @classmethod
    def open_readonly(cls, path: str | Path, *, disk: Disk = DISK, known: Known | None = None) -> "FileLog":
        """Return a log that is only read, also while another process appends to it."""
        return cls(path, None, disk=disk, known=known)

    @property
    def cut(self) -> Cut | None:
        """What was cut from its end when this log was opened for writing."""
        return None if self._writer is None else self._writer.cut

    def append(self, entries: Sequence[Entry]) -> list[Record]:
        """Return the entries stamped, once they are on the disk; calls that wait at the same time are committed together."""
        if self._writer is None:
            raise Refused(f"The log {self._path} was opened for reading only. Open it for writing to append.")
        check_entries(entries)
        return self._writer.append(entries) if entries else []

    def read(self, after: Place, at_most: int) -> Batch:
        """Return what stands after `after` in the order of appending, at most so many; Refused where the file is damaged."""
        begin = sequence_after(after)
        with self._reading_lock, explained(self._path):
            try:
                return self._read(begin, at_most)
            except Unsound as unsound:
                if self._writer is not None:
                    raise _damaged(self._path, unsound) from None
            # What was read before may have been taken back by a writer whose disk failed: only what stands there now counts.
            del self._marks[1:]
            self._hint = None
            try:
                return self._read(begin, at_most)
            except Unsound as unsound:
                raise _damaged(self._path, unsound) from None

    def known(self, logtime_us: int) -> Known:
        """Return what is known up to where the last `read` ended, between two frames; `logtime_us` is the stamp of the last entry."""
        with self._reading_lock, explained(self._path):
            end = self._hint or self._marks[0]
            marks = tuple(mark for mark in self._marks if mark.position < end.position)
            return Known(self.log_id, (*marks, end), _prefix(self._file, end.position), logtime_us)

    def close(self) -> None:
        """Let go of the file; another process may then append to it."""
        with self._reading_lock:
            if self._writer is not None:
                self._writer.close()
            else:
                self._file.close()

    def _read(self, begin: int, at_most: int) -> Batch:
        mark = self._mark_before(begin)
        end = self._file.size() if self._writer is None else self._writer.acknowledged_bytes
        records: list[Record] = []
        read_bytes = 0
        for buffer, before, frame in self._sound_frames(mark, end):
            if self._writer is None:
                self._note(before)
            if frame.after.offset > begin:
                try:
                    records.extend(entries_of(buffer, frame, max(0, begin - before.offset), at_most - len(records)))
                except (struct.error, KeyError, ValueError):
                    raise Unsound(before, Fault.LAYOUT, by_crash=False) from None
                self._hint = before
                read_bytes += frame.after.position - before.position
                if len(records) >= at_most or read_bytes >= _BATCH_BYTES:
                    break
            mark = frame.after
        else:
            if begin > mark.offset:
                raise Refused(
                    f"The place {sequence_place(begin).to_text()} lies beyond the log {self._path}, which ends at {mark.offset}: "
                    "it was kept for another log. Read from the start."
                )
            self._hint = mark
        return Batch(tuple(records), sequence_place(begin + len(records)))

    def _sound_frames(self, mark: Mark, end: int) -> Iterator[tuple[bytes, Mark, Frame]]:
        try:
            yield from frames(self._file, mark, end)
        except Unsound as unsound:
            if not unsound.by_crash:
                raise

    def _mark_before(self, offset: int) -> Mark:
        mark = self._marks[bisect_right(self._marks, offset, key=attrgetter("offset")) - 1]
        hint = self._hint
        return hint if hint is not None and mark.offset < hint.offset <= offset else mark

    def _note(self, mark: Mark) -> None:
        """Remember a place to begin reading from, if it is far enough from the last one."""
        last = self._marks[-1]
        if mark.position - last.position >= _SPARSE_BYTES or mark.offset - last.offset >= _SPARSE_ENTRIES:
            self._marks.append(mark)


def frames(file: File, mark: Mark, end: int) -> Iterator[tuple[bytes, Mark, Frame]]:
    """Yield each frame from a mark to a number of bytes, with the buffer it lies in and the mark before it; raise Unsound where none is."""
    buffer, at = b"", 0
    while mark.position < end:
        found = frame_at(buffer, at, mark)
        if isinstance(found, Frame):
            yield buffer, mark, found
            at += found.after.position - mark.position
            mark = found.after
            continue
        rest = end - mark.position
        if isinstance(found, Fault) or found > rest:
            fault = found if isinstance(found, Fault) else Fault.SHORT
            by_crash = rest <= 2 * HEADER_BYTES + LARGEST_PAYLOAD_BYTES and is_left_by_a_crash(
                file.read(mark.position, rest), mark.position
            )
            raise Unsound(mark, fault, by_crash)
        size = min(max(found, _CHUNK_BYTES), rest)
        buffer, at = file.read(mark.position, size), 0
        if len(buffer) < size:
            raise OSError(errno.EIO, "the file became shorter while it was read")


@dataclass(slots=True)
class _Request:
    """What one call of `append` waits for."""

    entries: Sequence[Entry]
    size: int
    records: list[Record] = field(default_factory=list)
    failure: Unavailable | None = None
    done: bool = False


class _Writer:
    """The one who may append: holds the file against other writers and commits in groups."""

    def __init__(self, path: Path, clock: Clock, disk: Disk, new_id: Callable[[], bytes], note: Callable[[Mark], None]) -> None:
        self._path, self._clock, self._note = path, clock, note
        self._waiting: list[_Request] = []
        self._waiting_lock, self._writing_lock = Lock(), Lock()
        self._halted = ""
        self.cut: Cut | None = None
        self._logtime_us = 0
        with explained(path):
            self.file = disk.open_to_append(path)
        try:
            with explained(path):
                self.log_id, self.first = _head_or_new(path, self.file, disk, new_id)
        except BaseException:
            self.file.close()
            raise
        self._tail = self.first

    @property
    def acknowledged_bytes(self) -> int:
        """How much of the file is on the disk for good."""
        return self._tail.position

    def verify(self, known: Known | None) -> bool:
        """Read all of the file to find its end, and cut what a crash left of a write; Refused where anything else is wrong.

        Return whether what is known of the beginning fits.
        """
        try:
            with explained(self._path):
                trusted = known is not None and _fits(known, self.file, self.log_id)
                if known is not None and trusted:
                    self._tail, self._logtime_us = known.marks[-1], known.logtime_us
                self._find_tail()
        except BaseException:
            self.file.close()
            raise
        return trusted

    def append(self, entries: Sequence[Entry]) -> list[Record]:
        """Return the entries stamped once they are committed; all of them or none."""
        size = sum(len(entry.event) + 4 * len(entry.key) for entry in entries) + _ENTRY_BYTES * len(entries)
        if size > LARGEST_PAYLOAD_BYTES:
            raise Refused(f"{len(entries)} entries of {size} bytes are too much at once; append at most {LARGEST_PAYLOAD_BYTES} bytes.")
        request = _Request(entries, size)
        with self._waiting_lock:
            self._waiting.append(request)
        with self._writing_lock:
            # Whoever comes first commits for all who queued meanwhile; the others find their work done.
            while not request.done:
                self._commit(self._next_group())
        if request.failure is not None:
            raise request.failure
        return request.records

    def close(self) -> None:
        """Let go of the file and with it of the lock."""
        with self._writing_lock:
            self._halted = self._halted or f"The log {self._path} was closed. Open it again to append."
            self.file.close()

    def _next_group(self) -> list[_Request]:
        """Return who is to be committed together, in the order they came."""
        with self._waiting_lock:
            size = count = 0
            for count, request in enumerate(self._waiting, 1):  # noqa: B007  the count is what is sought
                size += request.size
                if size >= _GROUP_BYTES:
                    break
            group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    def _commit(self, group: list[_Request]) -> None:
        """Write the entries of all requests in one frame and mark every request as done or failed."""
        failure: Unavailable | None = Unavailable(f"Appending to the log {self._path} was interrupted. Append the same entries again.")
        try:
            if self._halted:
                raise Unavailable(self._halted)
            self._write(group)
            failure = None
        except Unavailable as error:
            failure = error
        except OSError as error:
            failure = _unavailable(self._path, error)
        finally:
            for request in group:
                request.failure, request.done = failure, True

    def _write(self, group: list[_Request]) -> None:
        """Stamp the entries of all requests and commit them, all or none."""
        logtime_us, now_us, stamped = self._logtime_us, self._clock(), []
        offset = self._tail.offset
        for request in group:
            for entry in request.entries:
                logtime_us = max(logtime_us, now_us if entry.logtime_us is None else entry.logtime_us)
                stamped.append((entry, logtime_us))
                request.records.append(Record(entry, position_of(entry, offset), logtime_us))
                offset += 1
        frame, after = framed(self._tail, payload_of(stamped), len(stamped))
        self._make_durable(frame)
        before, self._tail, self._logtime_us = self._tail, after, logtime_us
        self._note(before)

    def _make_durable(self, frame: bytes) -> None:
        """Return once the frame is on the disk; after an error nothing of it stands in the file, or nothing is written any more."""
        end = self._tail.position
        if self.file.size() != end:
            self._halted = f"The log {self._path} was changed by somebody else. Verify it, then open it anew."
            raise Unavailable(self._halted)
        try:
            self.file.append(frame)
            self._sync()
        except BaseException:
            self._take_back(end)
            raise

    def _sync(self) -> None:
        try:
            self.file.sync()
        except OSError:
            # A system that failed to sync may call the lost pages clean: a later success would prove nothing.
            self._halted = f"The disk did not keep what was written to {self._path}. Check the disk, then open the log anew."
            raise

    def _take_back(self, end: int) -> None:
        try:
            self.file.truncate(end)
        except OSError:
            self._halted = self._halted or (
                f"A part of a write stands at the end of {self._path} and could not be taken back. Check the disk, then open the log anew."
            )

    def _find_tail(self) -> None:
        end, last = self.file.size(), None
        try:
            for buffer, before, frame in frames(self.file, self._tail, end):
                self._note(before)
                last, self._tail = (buffer, frame), frame.after
        except Unsound as unsound:
            if not unsound.by_crash:
                raise _damaged(self._path, unsound) from None
            self._cut(end)
        else:
            self.file.sync()  # a process that ended may have written and not synced what is about to count
        if last is not None:
            self._logtime_us = last_logtime_us(*last)

    def _cut(self, end: int) -> None:
        self.file.truncate(self._tail.position)
        self.file.sync()
        self.cut = Cut(self._tail.offset, self._tail.position, end - self._tail.position)
        logger.warning("the end of the log was cut", log=str(self._path), cut=str(self.cut))


def _fits(known: Known, file: File, log_id: bytes) -> bool:
    """Whether a log begins with the very bytes that something is known of."""
    end = known.marks[-1].position
    return known.log_id == log_id and file.size() >= end and _prefix(file, end) == known.prefix


def _prefix(file: File, size: int) -> bytes:
    found, at = sha256(), 0
    while at < size:
        part = file.read(at, min(_CHUNK_BYTES, size - at))
        if not part:
            raise OSError(errno.EIO, "the file became shorter while it was read")
        found.update(part)
        at += len(part)
    return found.digest()


def opened_head(path: Path, head: bytes) -> tuple[bytes, Mark]:
    """Return a log's id and its first mark from the first bytes of its file; Refused for anything that is no log of ours."""
    if head.startswith(_SQLITE[: max(1, len(head))]):
        raise Refused(
            f"{path} is a database. A log of version 0.1 is one: read it into a new file with `coordinator log import {path} --log NEW`."
        )
    try:
        log_id = read_head(head)
    except Refused as refusal:
        raise Refused(f"{path} is a log, but {refusal}.") from None
    if log_id is None and len(head) < HEAD_BYTES and _is_begun(head):
        raise Refused(
            f"{path} holds nothing yet: whoever made it ended before it was a log. `coordinator serve --log {path}` makes it one."
        )
    if log_id is None:
        raise Refused(
            f"{path} is no log, or one whose first {HEAD_BYTES} bytes are damaged. Give another path, or restore the file from a copy."
        )
    return log_id, first_mark(head)


def _head_or_new(path: Path, file: File, disk: Disk, new_id: Callable[[], bytes]) -> tuple[bytes, Mark]:
    """Return the id and first mark of a file, which is made a log where it is new or was left by a process that ended while making it."""
    head = file.read(0, HEAD_BYTES)
    if file.size() <= HEAD_BYTES and _is_begun(head) and read_head(head) is None:
        head = head_of(new_id())
        file.truncate(0)
        file.append(head)
        file.sync()
    found = opened_head(path, head)
    disk.sync_folder(path.parent)  # whoever made the file may have ended before it did
    return found


def _is_begun(head: bytes) -> bool:
    """Whether these first bytes of a file may be what a process left that ended while making it a log."""
    return MAGIC.startswith(head[: len(MAGIC)]) or not head.strip(b"\x00")


def _open_for_reading(path: Path, disk: Disk) -> tuple[File, bytes, Mark]:
    """Return an open file with its id and first mark."""
    with explained(path):
        try:
            file = disk.open_to_read(path)
        except FileNotFoundError:
            raise Refused(f"There is no log at {path}. Check the path, or start a server that records one there.") from None
        try:
            return file, *opened_head(path, file.read(0, HEAD_BYTES))
        except BaseException:
            file.close()
            raise


def _random_id() -> bytes:
    return os.urandom(16)


def _damaged(path: Path, unsound: Unsound) -> Refused:
    return Refused(
        f"The log {path} is damaged at {unsound}. Restore the file from a copy; `coordinator log verify --log {path}` tells what is sound."
    )


def _unavailable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(f"The log {path} could not be used: {error.strerror or error}. Check the disk and its free space, then try again.")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the system says into what a person can do: a bad path is Refused, a disk that does not do its part is Unavailable."""
    try:
        yield
    except BlockingIOError as error:
        raise Unavailable(
            f"The log {path} is open for writing in another process. Stop that one, or open the log for reading only."
        ) from error
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        raise Refused(
            f"The log {path} cannot be opened: {error.strerror}. Check that its folder exists and that you may write there."
        ) from error
    except OSError as error:
        raise _unavailable(path, error) from error
