"""The embedded log: one SQLite file, one writer, durable before it is acknowledged."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from zlib import crc32

from coordinator.errors import Refused, Unavailable
from coordinator.stream import Batch, Clock, Entry, Place, Record, check_entries, position_of, sequence_after, sequence_place

__all__ = ["SqliteLog"]

_OURS = 0x53544947  # "STIG", kept in the file's header so that no other database is taken for a log
_VERSION = 1
_TABLE = """
    CREATE TABLE log (
        offset INTEGER PRIMARY KEY,  -- 0, 1, 2, ... over all streams
        stream TEXT NOT NULL,
        key TEXT NOT NULL,
        logtime_us INTEGER NOT NULL,
        chain INTEGER NOT NULL,  -- crc32 of this row and, through its start value, of all rows before
        event BLOB NOT NULL
    ) STRICT
"""
_WAIT_S = 5.0  # for locks that other connections hold for moments only
_SYNC_FAILED = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})


class SqliteLog:
    """An `EventLog` in one file, with a single writer and any number of readers, also in other processes.

    Every row is chained to the rows before it by a checksum that each read verifies: a changed, missing, exchanged or inserted
    row is noticed where it stands. This guards against decay, not against a forger, and does not notice that the last rows are gone.
    """

    def __init__(self, path: str | Path, clock: Clock | None) -> None:
        """Open the log at `path`, made if absent; without a clock it must exist and can only be read."""
        self._path = Path(path)
        self._reading_lock = Lock()
        self._writer = None if clock is None else _Writer(self._path, clock)
        try:
            self._reader = _open_for_reading(self._path)
        except BaseException:
            if self._writer is not None:
                self._writer.close()
            raise

    @classmethod
    def open_readonly(cls, path: str | Path) -> "SqliteLog":
        """Return a log that is only read, also while another process appends to it."""
        return cls(path, None)

    def append(self, entries: Sequence[Entry]) -> list[Record]:
        """Return the entries stamped, once they are on the disk; calls that wait at the same time are committed together."""
        if self._writer is None:
            raise Refused(f"The log {self._path} was opened for reading only. Open it for writing to append.")
        check_entries(entries)
        return self._writer.append(entries) if entries else []

    def read(self, after: Place, at_most: int) -> Batch:
        """Return what stands after `after` in the order of appending, at most so many; Refused where the file is damaged."""
        begin = sequence_after(after)
        # The row before is read too: the chain of the first row asked for starts from it.
        query = "SELECT offset, stream, key, logtime_us, chain, event FROM log WHERE offset >= ? ORDER BY offset LIMIT ?"
        with self._reading_lock, _explained(self._path):
            rows = self._reader.execute(query, (max(0, begin - 1), at_most + (begin > 0))).fetchall()
        chain = 0
        if begin > 0:
            if not rows:
                raise Refused(
                    f"The place {after.to_text()} lies beyond the log {self._path}: it was kept for another log. Read from the start."
                )
            chain = rows.pop(0)[4]
        records = []
        for expected, (offset, stream, key, logtime_us, kept, event) in enumerate(rows, begin):
            chain = _chained(chain, stream, key, logtime_us, event)
            if offset != expected or kept != chain:
                raise Refused(
                    f"The log {self._path} is damaged at entry {expected}: its checksum does not fit. Restore the file from a copy."
                )
            entry = Entry(stream, key, event)
            records.append(Record(entry, position_of(entry, offset), logtime_us))
        return Batch(tuple(records), sequence_place(begin + len(records)))

    def close(self) -> None:
        """Let go of the file; another process may then append to it."""
        with self._reading_lock:
            self._reader.close()
        if self._writer is not None:
            self._writer.close()


@dataclass(slots=True)
class _Request:
    """What one call of `append` waits for."""

    entries: Sequence[Entry]
    records: list[Record] = field(default_factory=list)
    failure: Unavailable | None = None
    done: bool = False


@dataclass(frozen=True, slots=True)
class _Tail:
    """What the next row follows on."""

    offset: int = 0
    chain: int = 0
    logtime_us: int = 0


class _Writer:
    """The one who may append: holds the file against other writers and commits in groups."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._waiting: list[_Request] = []
        self._waiting_lock, self._writing_lock = Lock(), Lock()
        self._halted = ""
        self._hold = _hold(path)
        try:
            self._connection = _open_for_writing(path)
            with _explained(path):
                self._tail: _Tail | None = _tail(self._connection)
        except BaseException:
            self._hold.close()
            raise

    def append(self, entries: Sequence[Entry]) -> list[Record]:
        """Return the entries stamped once they are committed; all of them or none."""
        request = _Request(entries)
        with self._waiting_lock:
            self._waiting.append(request)
        with self._writing_lock:
            # Whoever comes first commits for all who queued meanwhile; the others find their work done.
            if not request.done:
                with self._waiting_lock:
                    group, self._waiting = self._waiting, []
                self._commit(group)
        if request.failure is not None:
            raise request.failure
        return request.records

    def close(self) -> None:
        """Let go of the file, then of the hold on it."""
        with self._writing_lock:
            self._connection.close()
            self._hold.close()

    def _commit(self, group: list[_Request]) -> None:
        """Write the entries of all requests in one transaction and mark every request as done or failed."""
        failure: Unavailable | None = Unavailable(f"Appending to the log {self._path} was interrupted. Append the same entries again.")
        try:
            with _explained(self._path):
                self._tail = self._write(self._tail or _tail(self._connection), group)
            failure = None
        except (Refused, Unavailable) as error:
            failure = Unavailable(str(error))
        finally:
            if failure is not None:
                self._tail = None  # what the file holds now is for the file to say
            for request in group:
                request.failure, request.done = failure, True

    def _write(self, tail: _Tail, group: list[_Request]) -> _Tail:
        """Return the tail after the entries of all requests, stamped and committed, all or none."""
        if self._halted:
            raise Unavailable(self._halted)
        offset, chain, logtime_us = tail.offset, tail.chain, tail.logtime_us
        now_us, rows = self._clock(), []
        for request in group:
            for entry in request.entries:
                logtime_us = max(logtime_us, now_us if entry.logtime_us is None else entry.logtime_us)
                chain = _chained(chain, entry.stream, entry.key, logtime_us, entry.event)
                rows.append((offset, entry.stream, entry.key, logtime_us, chain, entry.event))
                request.records.append(Record(entry, position_of(entry, offset), logtime_us))
                offset += 1
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._connection.execute("COMMIT")
        except BaseException as error:
            if isinstance(error, sqlite3.Error) and error.sqlite_errorcode in _SYNC_FAILED:
                # A system that failed to sync may call the lost pages clean: a later success would prove nothing.
                self._halted = f"The disk did not keep what was written to {self._path}. Check the disk, then open the log anew."
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return _Tail(offset, chain, logtime_us)


def _hold(path: Path) -> sqlite3.Connection:
    """Return a connection that keeps other writers away until it is closed or its process ends, however that happens."""
    side = path.with_name(path.name + ".lock")
    with _explained(side):
        hold = sqlite3.connect(side, timeout=0.0, isolation_level=None, check_same_thread=False)
        try:
            hold.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            hold.close()
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise Unavailable(
                f"The log {path} is open for writing in another process. Stop that one, or open the log for reading only."
            ) from error
    return hold


def _open_for_writing(path: Path) -> sqlite3.Connection:
    """Return a connection that is durable at each commit, to a log that is made where there is none."""
    with _explained(path):
        connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
        try:
            if _is_blank(connection):
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(_TABLE)
                connection.execute(f"PRAGMA application_id = {_OURS}")
                connection.execute(f"PRAGMA user_version = {_VERSION}")
                connection.execute("COMMIT")
            _check_header(path, connection)
            connection.execute("PRAGMA journal_mode = WAL")  # readers are never in the writer's way
            connection.execute("PRAGMA synchronous = FULL")  # a commit returns when the disk has it
            connection.execute("PRAGMA fullfsync = ON")  # macOS: past the drive's own cache as well
            connection.execute("PRAGMA wal_autocheckpoint = 4000")  # pages
        except BaseException:
            connection.close()
            raise
    return connection


def _open_for_reading(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write."""
    if not path.is_file():
        raise Refused(f"There is no log at {path}. Check the path, or start a server that records one there.")
    with _explained(path):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
        )
        try:
            _check_header(path, connection)
        except BaseException:
            connection.close()
            raise
    return connection


def _is_blank(connection: sqlite3.Connection) -> bool:
    """Whether the file is new, or was left by a process that ended before it made the table."""
    return _number(connection, "PRAGMA application_id") == 0 and _number(connection, "SELECT count(*) FROM sqlite_master") == 0


def _check_header(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse a database that is no log, or a log of another version."""
    if _number(connection, "PRAGMA application_id") != _OURS:
        raise Refused(f"{path} is a database, but not a log of this program. Give another path.")
    version = _number(connection, "PRAGMA user_version")
    if version != _VERSION:
        raise Refused(f"The log {path} has version {version}; this program reads version {_VERSION}. Use the program that wrote it.")


def _tail(connection: sqlite3.Connection) -> _Tail:
    """Return what the next row follows on."""
    row = connection.execute("SELECT offset, chain, logtime_us FROM log ORDER BY offset DESC LIMIT 1").fetchone()
    return _Tail() if row is None else _Tail(row[0] + 1, row[1], row[2])


def _number(connection: sqlite3.Connection, query: str) -> int:
    """Return the one number that a query gives."""
    return int(connection.execute(query).fetchone()[0])


def _chained(chain: int, stream: str, key: str, logtime_us: int, event: bytes) -> int:
    """Return the checksum of a row, started from that of the row before."""
    return crc32(event, crc32(f"{stream}\n{key}\n{logtime_us}\n".encode(), chain))


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says into what a person can do: a bad file is Refused, a disk that does not do its part is Unavailable."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CANTOPEN:
            raise Refused(f"The log {path} cannot be opened. Check that its folder exists and that you may write there.") from error
        raise Unavailable(f"The log {path} could not be used: {error}. Check the disk and its free space, then try again.") from error
    except sqlite3.DatabaseError as error:
        raise Refused(f"{path} is no log, or a damaged one: {error}. Give another path, or restore the file from a copy.") from error
