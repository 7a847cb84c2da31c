"""What the embedded log promises beyond the contract: crashes, damage, other processes, other files."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from zlib import crc32

import pytest

from coordinator.adapters.disk import RealDisk
from coordinator.adapters.file_log import FileLog
from coordinator.errors import Refused, Unavailable
from coordinator.stream import SIGNAL, START, Entry, Place, sequence_place
from tests.contracts.event_log import entry, mixed, read_all, said

WRITER = """
import os, sys, threading, time
from coordinator.adapters.disk import RealDisk
from coordinator.adapters.file_log import FileLog
from coordinator.stream import SIGNAL, Entry

log = FileLog(sys.argv[1], lambda: time.time_ns() // 1_000)
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
from coordinator.adapters.disk import RealDisk
from coordinator.adapters.file_log import FileLog
from coordinator.errors import Unavailable
from coordinator.stream import SIGNAL, Entry

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = FileLog(sys.argv[1], lambda: 1)
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
    return tmp_path / "events.log"


@pytest.fixture
def log(path):
    log = FileLog(path, lambda: 1_000)
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
    with closing(FileLog(path, lambda: 1)) as log:
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
            FileLog(path, lambda: 1)
        with closing(FileLog.open_readonly(path)) as log:
            place = log.read(START, 3).place
            while not log.read(place, 1_000).records:
                assert writer.stdout.readline()
            with pytest.raises(Refused, match="opened for reading only"):
                log.append([entry(1)])
    finally:
        writer.kill()
        writer.wait(timeout=10)


def test_a_copy_made_while_a_log_is_written_is_a_log_with_all_that_was_acknowledged_before(path):
    writer = run(WRITER, path, "one")
    try:
        assert writer.stdout.readline() == "open\n"
        for number in range(40):
            acknowledged = int(writer.stdout.readline().split()[1])
            copy = path.with_name(f"copy-{number}")
            shutil.copyfile(path, copy)
            with closing(FileLog(copy, lambda: 1)) as log:
                events = [record.entry.event for record in read_all(log)]
            assert events == [b"%d.%d" % (at, part) for at in range(len(events) // 3) for part in range(3)]
            assert len(events) >= 3 * (acknowledged + 1)
    finally:
        writer.kill()
        writer.wait(timeout=10)


@pytest.fixture
def tiny(tmp_path):
    """A file system of its own with room for a few hundred events."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("NOT TESTED: a disk that is really full, for nothing may be mounted here (a limit of file size stands in for it)")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_disk_that_is_really_full_is_told_and_goes_on_once_there_is_room(tiny):
    (tiny / "ballast").write_bytes(b"x" * 65_536)
    taken = []

    def fill(log):
        for number in range(10_000):
            log.append([Entry(SIGNAL, "a", b"%d" % number + b"x" * 3_000), Entry(SIGNAL, "a", b"second")])
            taken.append(number)

    with closing(FileLog(tiny / "events.log", lambda: 1)) as log:
        with pytest.raises(Unavailable, match="No space left on device"):
            fill(log)
        assert 20 < len(taken) < 100
        assert len(read_all(log)) == 2 * len(taken)
        (tiny / "ballast").unlink()
        log.append([Entry(SIGNAL, "a", b"room again")])
    with closing(FileLog(tiny / "events.log", lambda: 1)) as log:
        events = [record.entry.event for record in read_all(log)]
        assert log.cut is None
    assert [int(event.rstrip(b"x")) for event in events[:-1:2]] == taken
    assert events[-1] == b"room again"


def test_one_process_cannot_open_a_log_twice_for_writing_and_can_again_after_closing(path):
    with closing(FileLog(path, lambda: 1)), pytest.raises(Unavailable, match="Stop that one"):
        FileLog(path, lambda: 1)
    with closing(FileLog(path, lambda: 1)) as log:
        assert len(log.append([entry(1)])) == 1


def test_a_closed_log_is_one_file_that_can_be_read(path, log):
    log.append(mixed(30))
    log.close()
    assert [one.name for one in path.parent.iterdir()] == ["events.log"]
    with closing(FileLog.open_readonly(path)) as reader:
        assert list(map(said, read_all(reader))) == list(map(said, mixed(30)))


def test_the_order_is_one_over_all_streams_and_events_keep_every_byte(log):
    entries = [*mixed(50), Entry(SIGNAL, "a", b'{"spaces" :  1.50}\xff')]
    for one in entries:
        log.append([one])
    assert [record.entry for record in read_all(log)] == entries


def test_stamps_never_go_backwards_even_when_the_clock_does_or_the_log_is_opened_anew(path):
    times = iter([500, 900, 200])
    with closing(FileLog(path, lambda: next(times))) as log:
        stamps = [record.logtime_us for _ in range(3) for record in log.append(mixed(2))]
    assert stamps == [500, 500, 900, 900, 900, 900]
    with closing(FileLog(path, lambda: 100)) as log:
        assert log.append([entry(1)])[0].logtime_us == 900


def test_damage_is_noticed_where_it_is(path):
    with closing(FileLog(path, lambda: 1)) as log:
        for number in range(12):
            log.append([entry(number)])
    whole = path.read_bytes()
    at = whole.index(b'"e5"')
    path.write_bytes(whole[:at] + b'"e4"' + whole[at + 4 :])
    with closing(FileLog.open_readonly(path)) as log:
        with pytest.raises(Refused, match=r"damaged at entry 5 \(byte \d+\): its content does not fit its checksum\. Restore the file"):
            log.read(START, 100)
        assert len(log.read(START, 5).records) == 5
        with pytest.raises(Refused, match="damaged at entry 5"):
            log.read(sequence_place(5), 100)
    with pytest.raises(Refused, match="damaged at entry 5"):
        FileLog(path, lambda: 1)
    assert len(path.read_bytes()) == len(whole)


def test_damage_to_what_was_acknowledged_is_no_crash_even_where_a_loss_of_power_left_sectors_of_the_next_unwritten(path):
    with closing(FileLog(path, lambda: 1)) as log:
        log.append([entry(0)])
        before = path.stat().st_size
        log.append([entry(1)])
    whole = path.read_bytes()
    for at in range(before, len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 64]) + whole[at + 1 :] + bytes(1_500) + b"the end of what was to come")
        with pytest.raises(Refused, match="damaged at entry 1"):
            FileLog(path, lambda: 1)


def test_a_full_disk_is_told_loses_nothing_acknowledged_and_is_got_over(path):
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True, timeout=60)
    sentence, acknowledged = done.stdout.splitlines()
    assert "Check the disk and its free space" in sentence
    with closing(FileLog.open_readonly(path)) as log:
        events = [record.entry.event for record in read_all(log)]
    assert len(events) == int(acknowledged) + 1
    assert events[-1] == b"space again"


class FailingToSync(RealDisk):
    """A disk that fails to sync once it is told to."""

    fails = False

    def open_to_append(self, path):
        file = super().open_to_append(path)
        sync = file.sync

        def failing():
            if self.fails:
                raise OSError(errno.EIO, "Input/output error")
            sync()

        file.sync = failing
        return file


def test_after_a_failed_sync_nothing_is_acknowledged_until_the_log_is_opened_anew(path):
    disk = FailingToSync()
    with closing(FileLog(path, lambda: 1, disk=disk)) as log:
        log.append([entry(1)])
        disk.fails = True
        with pytest.raises(Unavailable, match="Input/output error"):
            log.append([entry(2)])
        disk.fails = False
        with pytest.raises(Unavailable, match="Check the disk, then open the log anew"):
            log.append([entry(3)])
        assert [said(record) for record in read_all(log)] == [said(entry(1))]
    with closing(FileLog(path, lambda: 1)) as log:
        assert [said(record) for record in read_all(log)] == [said(entry(1))]
        log.append([entry(3)])


class Noting(RealDisk):
    """A disk that notes what it synced."""

    def __init__(self):
        super().__init__()
        self.synced = []

    def open_to_append(self, path):
        file = super().open_to_append(path)
        sync = file.sync
        file.sync = lambda: (self.synced.append("file"), sync())
        return file

    def sync_folder(self, folder):
        self.synced.append("folder")
        super().sync_folder(folder)


def test_what_a_process_that_ended_may_have_left_unsynced_is_synced_before_it_counts(path, log):
    log.append([entry(1)])
    log.close()
    disk = Noting()
    with closing(FileLog(path, lambda: 1, disk=disk)) as again:
        assert sorted(disk.synced) == ["file", "folder"]
        assert len(read_all(again)) == 1


def test_a_writer_that_is_interrupted_leaves_the_others_an_answer_and_the_log_usable(path):
    def clock():
        if alarm:
            raise alarm.pop()
        return 5

    alarm = []
    with closing(FileLog(path, clock)) as log:
        log.append([entry(1)])
        alarm.append(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            log.append([entry(2)])
        log.append([entry(3)])
        assert [said(record) for record in read_all(log)] == [said(entry(1)), said(entry(3))]


OPENED = pytest.mark.parametrize("opened", [lambda path: FileLog(path, lambda: 1), FileLog.open_readonly], ids=["to write", "to read"])


@OPENED
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"resource,quantity\nface-shield,12\n" * 100, "is no log, or one whose first 32 bytes are damaged", id="a table"),
        pytest.param(b"x", "is no log", id="a letter"),
        pytest.param(b"SQLite format 3\x00" + bytes(4_080), "coordinator log import .* --log NEW", id="a log of the older kind"),
        pytest.param(b"\x00" * 33, "is no log", id="zeros, more than a head"),
    ],
)
def test_files_that_are_no_log_are_refused_and_left_alone(path, opened, content, sentence):
    path.write_bytes(content)
    with pytest.raises(Refused, match=sentence):
        opened(path)
    assert path.read_bytes() == content


@OPENED
def test_a_log_of_another_version_is_refused(path, opened):
    FileLog(path, lambda: 1).close()
    head = bytearray(path.read_bytes())
    head[8] = 7
    path.write_bytes(head[:-4] + crc32(head[:-4]).to_bytes(4, "little"))
    with pytest.raises(Refused, match="has version 7; this program reads version 1"):
        opened(path)


def test_a_log_that_cannot_be_where_it_should_is_refused_with_what_to_check(tmp_path):
    with pytest.raises(Refused, match="Check that its folder exists"):
        FileLog(tmp_path / "nowhere" / "events.log", lambda: 1)
    with pytest.raises(Refused, match="There is no log at"):
        FileLog.open_readonly(tmp_path / "events.log")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", [b"", bytes(32), b"\x89STG"], ids=["empty", "unwritten", "begun"])
def test_a_file_left_by_a_crash_while_it_was_made_is_made_a_log(path, left):
    path.write_bytes(left)
    with closing(FileLog(path, lambda: 1)) as log:
        assert len(log.append([entry(1)])) == 1


def test_a_place_beyond_the_log_is_refused(log):
    log.append(mixed(3))
    assert log.read(sequence_place(3), 10).records == ()
    with pytest.raises(Refused, match="lies beyond the log"):
        log.read(Place((("log", 4),)), 10)
