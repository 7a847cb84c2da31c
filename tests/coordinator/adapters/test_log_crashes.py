"""Nothing acknowledged is lost and nothing is half there, wherever a run of the embedded log ends, and no damage is ever served."""

import errno
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
import structlog

from coordinator.adapters import file_log
from coordinator.adapters.file_log import FileLog
from coordinator.adapters.log_frames import HEAD_BYTES
from coordinator.errors import Refused, Unavailable
from coordinator.stream import SIGNAL, START, Entry
from tests.contracts.event_log import entry, read_all, said
from tests.support.images import Image, ImageDisk

PATH = Path("/disk/log")


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    """Thousands of ends are cut here; saying each would drown what fails."""
    monkeypatch.setattr(file_log, "logger", structlog.wrap_logger(structlog.ReturnLogger()))


def log_on(disk: ImageDisk) -> FileLog:
    return FileLog(PATH, lambda: 1_000, disk=disk, new_id=lambda: b"sixteen bytes ID")


def groups_of(count: int) -> list[list[Entry]]:
    """So many entries, some alone, some several in one call."""
    random, groups, number = Random(7), [], 0
    while number < count:
        size = min(random.choice([1, 1, 2, 5, 9]), count - number)
        groups.append([entry(number + index, note="x" * random.randrange(300)) for index in range(size)])
        number += size
    return groups


def image_of(*groups: list[Entry]) -> bytes:
    """The bytes of a log that took these groups."""
    disk = ImageDisk()
    with closing(log_on(disk)) as log:
        for group in groups:
            log.append(group)
    return bytes(disk.files[PATH])


def test_a_crash_in_every_operation_of_a_thousand_events_keeps_all_acknowledged_and_no_half():
    groups = groups_of(1_000)
    entries = [one for group in groups for one in group]
    ends = [(HEAD_BYTES, 0)]  # bytes and entries once so many groups are acknowledged
    tried, left = Counter[str](), set[bytes]()

    def start_again(what: str, images: Iterable[Image]) -> None:
        for content in {image.get(PATH, b"") for image in images}:
            after = ImageDisk.of({PATH: content})
            with closing(log_on(after)) as log:
                tried[what] += 1
                tried["cut"] += log.cut is not None
                left.add(bytes(after.files[PATH]))
                [added] = log.append([entry(5_000)])
                count = int(added.position.rpartition("/")[2])
                # What was acknowledged, or all of what was just being written.
                assert count in {ends[-1][1], ends[-1][1] + len(groups[min(len(ends), len(groups)) - 1])}

    disk = ImageDisk(watch=start_again)
    with closing(log_on(disk)) as log:
        for group in groups:
            log.append(group)
            ends.append((len(disk.files[PATH]), ends[-1][1] + len(group)))
        assert [record.entry for record in read_all(log)] == entries
    assert tried["append log"] > 4 * len(groups)
    assert tried["sync log"] >= 2 * len(groups)  # with the frame and without
    assert tried["cut"] > 2 * len(groups)
    # Each log that was left is, byte for byte, the one that held so many whole groups: nothing more, less or other.
    whole = bytes(disk.files[PATH])
    assert left == {whole[:size] for size, _ in ends}


def test_every_torn_length_of_the_last_frame_is_cut_and_told():
    before = image_of([entry(1)], [entry(2), entry(3)])
    whole = image_of([entry(1)], [entry(2), entry(3)], [entry(4), entry(5)])
    for length in range(len(before) + 1, len(whole)):
        for rest in {b"", bytes(len(whole) - length)} - {b"\x00"}:  # one byte that is other than it was is decay: see below
            disk = ImageDisk.of({PATH: whole[:length] + rest})
            with closing(log_on(disk)) as log:
                assert len(read_all(log)) == 3
                assert log.cut is not None
                assert (log.cut.offset, log.cut.position, log.cut.size) == (3, len(before), length + len(rest) - len(before))
            assert bytes(disk.files[PATH]) == before


@pytest.mark.parametrize("zeros", [2, 100, 5_000])
def test_an_end_of_nothing_but_zeros_is_cut(zeros):
    whole = image_of([entry(1)])
    disk = ImageDisk.of({PATH: whole + bytes(zeros)})
    with closing(log_on(disk)) as log:
        assert str(log.cut).startswith(f"{zeros:,} bytes at the end")
    assert bytes(disk.files[PATH]) == whole


def test_readers_elsewhere_stop_before_a_frame_that_is_not_whole_and_go_on_once_it_is():
    before, whole = image_of([entry(1)]), image_of([entry(1)], [entry(2), entry(3)])
    for length in range(len(before), len(whole)):
        disk = ImageDisk.of({PATH: whole[:length]})
        with closing(FileLog.open_readonly(PATH, disk=disk)) as log:
            records = read_all(log)
            assert len(records) == 1
            disk.files[PATH] += whole[length:]
            assert [said(record) for record in read_all(log)] == [said(entry(number)) for number in (1, 2, 3)]


def damaged(whole: bytes, at: int) -> list[bytes]:
    """The bytes with one of them changed, in several ways."""
    changed = {whole[at] ^ 1, whole[at] ^ 0x80, 0, 0xFF, 0x0A} - {whole[at]}
    return [whole[:at] + bytes([byte]) + whole[at + 1 :] for byte in sorted(changed)]


def must_be_noticed(content: bytes, sound: list[object]) -> None:
    """Neither a writer starts on it nor is anything served that was not said."""
    disk = ImageDisk.of({PATH: content})
    with pytest.raises(Refused, match=r"is damaged at entry \d+ \(byte \d+\): it|first 32 bytes are damaged|has version"):
        log_on(disk)
    assert bytes(disk.files[PATH]) == content  # left alone
    served: list[object] = []
    with pytest.raises(Refused):
        served.extend(read_one_by_one(content))
    assert served == sound[: len(served)]
    assert len(served) < len(sound)


def read_one_by_one(content: bytes) -> Iterator[object]:
    with closing(FileLog.open_readonly(PATH, disk=ImageDisk.of({PATH: content}))) as log:
        place = START
        while (batch := log.read(place, 1)).records:
            yield from (record.entry for record in batch.records)
            place = batch.place


def test_every_single_byte_that_changes_is_noticed():
    groups = [[entry(1)], [entry(2), entry(3), entry(4)], [Entry(SIGNAL, "a", b"x" * 700)], [entry(5)]]
    whole, entries = image_of(*groups), [one for group in groups for one in group]
    for at in range(len(whole)):
        for content in damaged(whole, at):
            must_be_noticed(content, entries)


def test_a_changed_byte_at_the_end_is_noticed_wherever_the_end_lies_in_a_sector():
    short = len(image_of([Entry(SIGNAL, "a", b"x")]))
    for end in range(508, 518):
        only = Entry(SIGNAL, "a", b"x" * (1 + end - short))
        whole = image_of([only])
        assert len(whole) == end
        for at in (*range(HEAD_BYTES, HEAD_BYTES + 60), *range(end - 8, end)):
            for content in damaged(whole, at):
                must_be_noticed(content, [only])


@pytest.mark.parametrize("harm", ["missing", "exchanged", "twice", "from another log", "cut in the middle"])
def test_whole_frames_that_are_not_where_they_were_are_noticed(harm):
    groups = [[entry(number)] for number in range(4)]
    ends = [len(image_of(*groups[:count])) for count in range(5)]
    whole = image_of(*groups)
    frames = [whole[begin:end] for begin, end in pairwise(ends)]
    other = ImageDisk()
    with closing(FileLog(PATH, lambda: 1_000, disk=other, new_id=lambda: b"another id, also")) as log:
        for group in groups:
            log.append(group)
    content, noticed_at = {
        "missing": (frames[0] + frames[2] + frames[3], 1),
        "exchanged": (frames[0] + frames[2] + frames[1] + frames[3], 1),
        "twice": (frames[0] + frames[1] + frames[1] + frames[2], 2),
        "from another log": (frames[0] + bytes(other.files[PATH][ends[1] :]), 1),
        "cut in the middle": (frames[0] + frames[1][:40] + frames[2], 1),
    }[harm]
    disk = ImageDisk.of({PATH: whole[: ends[0]] + content})
    with pytest.raises(Refused, match=f"damaged at entry {noticed_at} "):
        log_on(disk)


FAULTS = {
    "the disk is full": ("append", errno.ENOSPC),
    "the file is too large": ("append", errno.EFBIG),
    "the disk failed": ("append", errno.EIO),
}


@pytest.mark.parametrize(("operation", "number"), FAULTS.values(), ids=FAULTS.keys())
def test_a_write_that_fails_is_told_leaves_no_half_and_is_got_over(operation, number):
    disk = ImageDisk()
    with closing(log_on(disk)) as log:
        log.append([entry(1)])
        before = bytes(disk.files[PATH])
        disk.fails = {operation: number}
        with pytest.raises(Unavailable, match="Check the disk and its free space"):
            log.append([entry(2), entry(3)])
        assert bytes(disk.files[PATH]) == before
        assert len(read_all(log)) == 1
        disk.fails = {}
        log.append([entry(4)])
        assert [said(record) for record in read_all(log)] == [said(entry(1)), said(entry(4))]
    with closing(log_on(ImageDisk.of({PATH: bytes(disk.files[PATH])}))) as log:
        assert [said(record) for record in read_all(log)] == [said(entry(1)), said(entry(4))]


def test_where_half_a_write_cannot_be_taken_back_nothing_is_acknowledged_until_it_is_opened_anew():
    disk = ImageDisk()
    log = log_on(disk)
    log.append([entry(1)])
    disk.fails = {"append": errno.ENOSPC, "truncate": errno.EIO}
    with pytest.raises(Unavailable):
        log.append([entry(2)])
    disk.fails = {}
    with pytest.raises(Unavailable, match="could not be taken back"):
        log.append([entry(3)])
    assert [said(record) for record in read_all(log)] == [said(entry(1))]
    log.close()
    with closing(log_on(disk)) as log:
        assert log.cut is not None
        log.append([entry(3)])
        assert [said(record) for record in read_all(log)] == [said(entry(1)), said(entry(3))]


@pytest.mark.parametrize(
    "harm",
    [pytest.param(lambda content: content.extend(b"more"), id="longer"), pytest.param(lambda content: content.clear(), id="emptied")],
)
def test_a_file_that_somebody_else_changes_meanwhile_is_written_no_more(harm):
    disk = ImageDisk()
    with closing(log_on(disk)) as log:
        log.append([entry(1)])
        harm(disk.files[PATH])
        for _ in range(2):
            with pytest.raises(Unavailable, match=r"changed by somebody else\. Verify it"):
                log.append([entry(2)])


def test_an_image_is_what_was_synced_and_not_more() -> None:
    """The disk of these tests itself: a file whose folder was not synced is not there, and content that was not synced neither."""
    images: list[Image] = []
    disk = ImageDisk(watch=lambda what, found: images.append(next(iter(found))))
    file = disk.open_to_append(PATH)
    file.append(b"abc")
    assert disk.synced == {}
    disk.sync_folder(PATH.parent)
    assert disk.synced == {PATH: b""}
    file.sync()
    file.append(b"d")
    assert images[-1] == {PATH: b"abc"}
