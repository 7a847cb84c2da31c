"""What the embedded log promises beyond the contract: crashes, damage, other processes, other files."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from coordinator.adapters.sqlite_log import SqliteLog
from coordinator.errors import Refused, Unavailable
from coordinator.stream import SIGNAL, START, Entry, Place, sequence_place
from tests.contracts.event_log import entry, mixed, read_all, said

WRITER = """
import os, sys, threading, time
from coordinator.adapters.sqlite_log import SqliteLog
from coordinator.stream import SIGNAL, Entry

log = SqliteLog(sys.argv[1], lambda: time.time_ns() // 1_000)
print("open", flush=True)

def write(name):
    for number in range(1_000_000):
        log.append([Entry(SIGNAL, name, b"%d.%d" % (number, part)) for part in range(3)])
        os.write(1, b"%s %d\\n" % (name.encode(), number))  # a whole line at once

for name in sys.argv[2:]:
    threading.Thread(target=write, args=[name]).start()
"""

FULL_DISK = """
import resource, signal, sys
from coordinator.adapters.sqlite_log import SqliteLog
from coordinator.errors import Unavailable
from coordinator.stream import SIGNAL, Entry

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = SqliteLog(sys.argv[1], lambda: 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
acknowledged = 0
try:
    for number in range(1_000):
        log.append([Entry(SIGNAL, "a", b"%d" % number + b"x" * 4_000)])
        acknowledged += 1
except Unavailable as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.append([Entry(SIGNAL, "a", b"space again")])
print(acknowledged)
"""


def run(program: str, *arguments: object) -> subprocess.Popen[str]:
    """Another process of this Python that runs the program and is read line by line."""
    return subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.db"


@pytest.fixture
def log(path):
    log = SqliteLog(path, lambda: 1_000)
    yield log
    log.close()


@pytest.mark.parametrize("lines", [1, 40, 400])
def test_what_was_acknowledged_survives_kill_9_and_no_append_is_halved(path, lines):
    writer = run(WRITER, path, "one", "two", "three")
    try:
        said_so = [writer.stdout.readline().split() for _ in range(lines + 1)][1:]
        os.kill(writer.pid, signal.SIGKILL)
        said_so += [line.split() for line in writer.stdout.read().splitlines()]
    finally:
        writer.kill()
        writer.wait(timeout=10)
    with closing(SqliteLog(path, lambda: 1)) as log:
        kept = {name: [record.entry.event for record in read_all(log) if record.entry.key == name] for name in ("one", "two", "three")}
        for events in kept.values():
            assert events == [b"%d.%d" % (number, part) for number in range(len(events) // 3) for part in range(3)]
        for name, number in said_so:
            assert len(kept[name]) >= 3 * (int(number) + 1)
        assert log.append([entry(1)])[0].position.endswith(f"/{sum(map(len, kept.values()))}")


def test_a_second_process_may_not_append_but_may_read_while_the_first_goes_on(path):
    writer = run(WRITER, path, "one")
    try:
        assert writer.stdout.readline() == "open\n"
        assert writer.stdout.readline() == "one 0\n"
        with pytest.raises(Unavailable, match=r"open for writing in another process\. Stop that one, or open the log for reading only"):
            SqliteLog(path, lambda: 1)
        with closing(SqliteLog.open_readonly(path)) as log:
            place = log.read(START, 3).place
            while not log.read(place, 1_000).records:
                assert writer.stdout.readline()
            with pytest.raises(Refused, match="opened for reading only"):
                log.append([entry(1)])
    finally:
        writer.kill()
        writer.wait(timeout=10)


def test_one_process_cannot_open_a_log_twice_for_writing_and_can_again_after_closing(path):
    with closing(SqliteLog(path, lambda: 1)), pytest.raises(Unavailable, match="Stop that one"):
        SqliteLog(path, lambda: 1)
    with closing(SqliteLog(path, lambda: 1)) as log:
        assert len(log.append([entry(1)])) == 1


def test_a_closed_log_is_one_file_that_can_be_read(path, log):
    log.append(mixed(30))
    log.close()
    assert {one.name for one in path.parent.iterdir()} <= {"events.db", "events.db.lock"}
    with closing(SqliteLog.open_readonly(path)) as reader:
        assert list(map(said, read_all(reader))) == list(map(said, mixed(30)))


def test_the_order_is_one_over_all_streams_and_events_keep_every_byte(log):
    entries = [*mixed(50), Entry(SIGNAL, "a", b'{"spaces" :  1.50}\xff')]
    for one in entries:
        log.append([one])
    assert [record.entry for record in read_all(log)] == entries


def test_stamps_never_go_backwards_even_when_the_clock_does_or_the_log_is_opened_anew(path):
    times = iter([500, 900, 200])
    with closing(SqliteLog(path, lambda: next(times))) as log:
        stamps = [record.logtime_us for _ in range(3) for record in log.append(mixed(2))]
    assert stamps == [500, 500, 900, 900, 900, 900]
    with closing(SqliteLog(path, lambda: 100)) as log:
        assert log.append([entry(1)])[0].logtime_us == 900


@pytest.mark.parametrize(
    ("harm", "noticed_at"),
    [
        pytest.param("UPDATE log SET event = CAST(replace(event, 'face', 'fade') AS BLOB) WHERE offset = 5", 5, id="a changed event"),
        pytest.param("UPDATE log SET key = 'other' WHERE offset = 5", 5, id="a changed key"),
        pytest.param("UPDATE log SET logtime_us = 999 WHERE offset = 5", 5, id="a changed stamp"),
        pytest.param("UPDATE log SET chain = chain + 1 WHERE offset = 5", 5, id="a changed checksum"),
        pytest.param("DELETE FROM log WHERE offset = 5", 5, id="a missing row"),
        pytest.param("DELETE FROM log WHERE offset < 3", 0, id="a missing beginning"),
        pytest.param("UPDATE log SET offset = 15 - offset + 100 WHERE offset IN (7, 8)", 7, id="rows taken away"),
        pytest.param("UPDATE log SET stream = 'stigmergy.ledger.v1' WHERE offset = 0", 0, id="a changed stream"),
    ],
)
def test_damage_is_noticed_where_it_is(path, harm, noticed_at):
    with closing(SqliteLog(path, lambda: 1)) as log:
        log.append([entry(number) for number in range(12)])
    with closing(sqlite3.connect(path)) as hand:
        hand.execute(harm)
        hand.commit()
    with closing(SqliteLog.open_readonly(path)) as log:
        with pytest.raises(Refused, match=f"damaged at entry {noticed_at}: .*Restore the file from a copy"):
            log.read(START, 100)
        if noticed_at:
            assert len(log.read(START, noticed_at).records) == noticed_at
            with pytest.raises(Refused, match=f"damaged at entry {noticed_at}"):
                log.read(sequence_place(noticed_at), 100)


def test_bytes_that_rot_in_the_file_are_never_served(path):
    with closing(SqliteLog(path, lambda: 1)) as log:
        log.append([entry(number) for number in range(200)])
    whole = path.read_bytes()
    at = whole.index(b"face-shield")
    path.write_bytes(whole[:at] + b"f4ce-shield" + whole[at + 11 :])
    with closing(SqliteLog.open_readonly(path)) as log, pytest.raises(Refused, match="damaged at entry"):
        read_all(log)


def test_a_full_disk_is_told_loses_nothing_acknowledged_and_is_got_over(path):
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True, timeout=60)
    sentence, acknowledged = done.stdout.splitlines()
    assert "Check the disk and its free space" in sentence
    with closing(SqliteLog.open_readonly(path)) as log:
        events = [record.entry.event for record in read_all(log)]
    assert len(events) == int(acknowledged) + 1
    assert events[-1] == b"space again"


class FailingConnection:
    """A disk that fails to sync."""

    in_transaction = False

    def execute(self, query):
        if query == "COMMIT":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error

    def executemany(self, query, rows):
        self.rows = list(rows)


def test_after_a_failed_sync_nothing_is_acknowledged_until_the_log_is_opened_anew(log, monkeypatch):
    log.append([entry(1)])
    with monkeypatch.context() as patch:
        patch.setattr(log._writer, "_connection", FailingConnection())
        with pytest.raises(Unavailable, match="disk I/O error"):
            log.append([entry(2)])
    with pytest.raises(Unavailable, match="Check the disk, then open the log anew"):
        log.append([entry(3)])
    assert [said(record) for record in read_all(log)] == [said(entry(1))]


def test_a_writer_that_is_interrupted_leaves_the_others_an_answer_and_the_log_usable(path):
    def clock():
        if alarm:
            raise alarm.pop()
        return 5

    alarm = []
    with closing(SqliteLog(path, clock)) as log:
        log.append([entry(1)])
        alarm.append(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            log.append([entry(2)])
        log.append([entry(3)])
        assert [said(record) for record in read_all(log)] == [said(entry(1)), said(entry(3))]


@pytest.mark.parametrize("opened", [lambda path: SqliteLog(path, lambda: 1), SqliteLog.open_readonly], ids=["to write", "to read"])
def test_files_that_are_no_log_are_refused_and_left_alone(path, opened):
    path.write_text("resource,quantity\nface-shield,12\n" * 100)
    with pytest.raises(Refused, match="no log, or a damaged one"):
        opened(path)
    assert path.read_text().startswith("resource,quantity")
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE mine (what)")
        other.commit()
    before = path.read_bytes()
    with pytest.raises(Refused, match="a database, but not a log of this program"):
        opened(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("opened", [lambda path: SqliteLog(path, lambda: 1), SqliteLog.open_readonly], ids=["to write", "to read"])
def test_a_log_of_another_version_is_refused(path, opened):
    SqliteLog(path, lambda: 1).close()
    with closing(sqlite3.connect(path)) as hand:
        hand.execute("PRAGMA user_version = 7")
    with pytest.raises(Refused, match="has version 7; this program reads version 1"):
        opened(path)


def test_a_log_that_cannot_be_where_it_should_is_refused_with_what_to_check(tmp_path):
    with pytest.raises(Refused, match="Check that its folder exists"):
        SqliteLog(tmp_path / "nowhere" / "events.db", lambda: 1)
    with pytest.raises(Refused, match="There is no log at"):
        SqliteLog.open_readonly(tmp_path / "events.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_left_empty_by_a_crash_is_made_a_log(path):
    path.touch()
    with closing(SqliteLog(path, lambda: 1)) as log:
        assert len(log.append([entry(1)])) == 1


def test_a_place_beyond_the_log_is_refused(log):
    log.append(mixed(3))
    assert log.read(sequence_place(3), 10).records == ()
    with pytest.raises(Refused, match="lies beyond the log"):
        log.read(Place((("log", 4),)), 10)
