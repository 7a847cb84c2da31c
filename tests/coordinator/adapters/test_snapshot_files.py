"""A snapshot is a cache: deleted, damaged, older, of another log, charter or program, the state is the same as without it."""

import errno
import json
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from coordinator.adapters import snapshot_files
from coordinator.adapters.file_log import FileLog
from coordinator.adapters.log_frames import HEAD_BYTES
from coordinator.adapters.service import Service
from coordinator.adapters.snapshot_files import Snapshots, read_snapshot, snapshot_path, take_snapshot
from coordinator.charter import Charter
from coordinator.errors import Refused, Unavailable
from coordinator.replaying import digest, standing_proposals
from coordinator.signals import event_json
from tests.support.images import Image, ImageDisk
from tests.support.serving import START_US, Hand, signal

RULES = {"cycle_seconds": 1}
CHARTER = Charter.model_validate(RULES)


def work_on(path: Path, rounds: int, *, first: int = 0, **more: Any) -> None:
    """Run a service on a log for a while: signals, proposals, answers, and lines that are refused."""
    clock = Hand(START_US + first * 10_000_000)
    with closing(Service(path, CHARTER, clock=clock, **more)) as service:
        for number in range(first, first + rounds):
            clock.now_us += 10_000_000
            service.publish([signal("offer", "atelier-nord", 100 + number, time_us=clock.now_us)])
            service.publish([signal("need", f"clinique-{number}", 3, time_us=clock.now_us), b"nonsense"])
            service.tick()
            with service.reading() as coordination:
                asked = [(deal.proposal, party) for deal in coordination.book.deals.values() for party in deal.parties]
            answers = [(proposal, party) for proposal, party in asked if (number + len(party)) % 3]
            data = [{"proposal": proposal, "answer": "accept"} for proposal, _ in answers]
            service.publish(
                [event_json("answer", f"agent:{who}", name, clock.now_us, said) for (name, who), said in zip(answers, data, strict=True)]
            )


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "own.log"
    work_on(path, 6)
    return path


def found(path: Path, **more: Any) -> tuple[str, int, int, list[dict[str, Any]], int]:
    """What a start finds: digest, entries, refusals, the refusals at hand, and how much of it came from a snapshot."""
    with closing(Service(path, CHARTER, clock=Hand(), planning=False, **more)) as service, service.reading() as coordination:
        state = digest(coordination.ledger, standing_proposals(coordination.book))
        return state, service.status().entries, service._refusals, service.refused()[1], service.snapshot_entries


def test_a_start_from_a_snapshot_finds_what_a_start_without_one_finds(path):
    without = found(path)
    entries = take_snapshot(path, CHARTER)
    assert entries == without[1] > 20
    assert found(path) == (*without[:4], entries)
    assert len(json.loads(json.dumps(without[3]))) == 6


def test_what_came_after_a_snapshot_is_folded_on_it(path):
    entries = take_snapshot(path, CHARTER)
    work_on(path, 4, first=6)
    with_it = found(path)
    assert with_it[4] == entries < with_it[1]
    assert take_snapshot(path, CHARTER) == with_it[1]
    newer = found(path)
    snapshot_path(path).unlink()
    assert found(path)[:4] == with_it[:4] == newer[:4]


def test_the_log_can_be_read_anywhere_after_a_start_from_a_snapshot(path):
    take_snapshot(path, CHARTER)
    work_on(path, 3, first=6)
    snapshot = read_snapshot(path, CHARTER)
    with closing(FileLog.open_readonly(path)) as plain, closing(FileLog(path, Hand(), known=snapshot.known)) as quick:
        assert quick.trusted
        for at in range(sum(1 for _ in plain.read(snapshot_files.START, 100_000).records)):
            place = snapshot_files.sequence_place(at)
            assert quick.read(place, 3).records == plain.read(place, 3).records


def other_log(path: Path) -> bytes:
    other = path.with_name("other.log")
    work_on(other, 3)
    take_snapshot(other, CHARTER)
    return snapshot_path(other).read_bytes()


def of_another_program(path: Path) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot_files, "_program", lambda: "another")
        take_snapshot(path, CHARTER)
    return snapshot_path(path).read_bytes()


def of_another_charter(path: Path) -> bytes:
    take_snapshot(path, Charter.model_validate(RULES | {"default_life_days": 1}))
    return snapshot_path(path).read_bytes()


def of_more_than_the_log_holds(path: Path) -> bytes:
    whole = path.read_bytes()
    work_on(path, 2, first=6)
    take_snapshot(path, CHARTER)
    path.write_bytes(whole)
    return snapshot_path(path).read_bytes()


def of_another_history(path: Path) -> bytes:
    """The log was put back from a copy and went on otherwise."""
    kept = of_more_than_the_log_holds(path)
    work_on(path, 5, first=8)
    return kept


UNFIT = {
    "empty": (lambda path: b"", "damaged, or no snapshot"),
    "of something else": (lambda path: b"{}" * 100, "damaged, or no snapshot"),
    "of another log": (other_log, "of another log"),
    "of another program": (of_another_program, "another version of this program"),
    "of another charter": (of_another_charter, "made under the charter"),
    "newer than the log": (of_more_than_the_log_holds, "more than this log holds"),
    "of a log put back": (of_another_history, "of another log"),
}


@pytest.mark.parametrize(("made", "why"), UNFIT.values(), ids=UNFIT.keys())
def test_a_snapshot_that_does_not_fit_is_passed_over_with_a_warning(path, made, why):
    unfit = made(path)
    snapshot_path(path).unlink(missing_ok=True)
    without = found(path)
    snapshot_path(path).write_bytes(unfit)
    with capture_logs() as logged:
        assert found(path) == without
    assert [why in line["reason"] for line in logged if line["event"] == "a snapshot is passed over"] == [True]
    take_snapshot(path, CHARTER)
    assert found(path) == (*without[:4], without[1])


def test_a_snapshot_with_a_changed_byte_or_cut_short_anywhere_is_passed_over(path):
    take_snapshot(path, CHARTER)
    whole = snapshot_path(path).read_bytes()
    for at in (*range(200), *range(200, len(whole), 97), *range(len(whole) - 40, len(whole))):
        for content in (whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :], whole[:at]):
            snapshot_path(path).write_bytes(content)
            with capture_logs() as logged:
                assert read_snapshot(path, CHARTER) is None
            assert [line["reason"] for line in logged] == ["it is damaged, or no snapshot"]
    without = found(path)
    snapshot_path(path).write_bytes(whole)
    assert found(path)[:4] == without[:4]


def test_damage_of_the_log_is_noticed_also_where_a_snapshot_says_it_was_sound(path):
    take_snapshot(path, CHARTER)
    whole = path.read_bytes()
    for at in range(HEAD_BYTES, len(whole), 61):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with capture_logs(), pytest.raises(Refused, match="is damaged at entry"):
            Service(path, CHARTER, clock=Hand(), planning=False)


def test_a_crash_in_any_operation_of_taking_one_leaves_the_old_one_or_the_new_and_the_same_state():
    path = Path("/disk/own.log")
    disk = ImageDisk()
    work_on(path, 2, disk=disk)
    old = take_snapshot(path, CHARTER, disk=disk)
    work_on(path, 2, first=2, disk=disk)
    for file in list(disk.files):
        disk._kept[id(disk.files[file])] = bytes(disk.files[file])
    disk.sync_folder(path.parent)
    images: list[Image] = []
    tried: list[str] = []

    def watch(what: str, left: Iterable[Image]) -> None:
        tried.append(what)
        images.extend(left)

    disk.watch = watch
    new = take_snapshot(path, CHARTER, disk=disk)
    disk.watch = None
    assert tried == [f"{what} own.log.snapshot.new" for what in ("append", "sync")] + ["replace own.log.snapshot", "sync folder disk"]
    expected, taken = found(path, disk=ImageDisk.of(dict(disk.synced)))[:4], set()
    for image in images:
        again = ImageDisk.of(image)
        with capture_logs() as logged:
            told = found(path, disk=again)
        assert told[:4] == expected
        assert not [line for line in logged if line["event"] == "a snapshot is passed over"]
        taken.add(told[4])
        assert take_snapshot(path, CHARTER, disk=again) == new
    assert taken == {old, new}


def test_a_disk_that_does_not_take_a_snapshot_is_told_and_the_old_one_stays(path):
    disk = ImageDisk.of({path: path.read_bytes()})
    take_snapshot(path, CHARTER, disk=disk)
    before = bytes(disk.files[snapshot_path(path)])
    for operation in ("append", "sync", "replace"):
        disk.fails = {operation: 28}
        with pytest.raises(Unavailable, match=r"the snapshot of .* cannot be written"):
            take_snapshot(path, CHARTER, disk=disk)
        assert bytes(disk.files[snapshot_path(path)]) == before
    disk.fails = {}
    take_snapshot(path, CHARTER, disk=disk)


def test_a_snapshot_is_taken_aside_once_enough_is_new(path):
    entries = found(path)[1]
    counted = [0]
    snapshots = Snapshots(path, CHARTER, lambda: counted[0])
    assert not snapshots.is_due()
    counted[0] = 10_000
    assert snapshots.is_due()
    snapshots.take()
    assert not snapshots.is_due()
    assert found(path)[4] == entries
    counted[0] = 1_000_000
    grown = Snapshots(path, CHARTER, lambda: counted[0], taken=980_000)
    assert not grown.is_due()
    counted[0] = 1_010_000
    assert grown.is_due()


def test_a_snapshot_that_fails_aside_is_told_and_tried_again_only_when_as_much_is_new(path):
    path.write_bytes(b"no log")
    counted = [10_000]
    snapshots = Snapshots(path, CHARTER, lambda: counted[0])
    with capture_logs() as logged:
        snapshots.take()
    assert [line["event"] for line in logged] == ["no snapshot was taken; the next start folds more of the log"]
    assert not snapshots.is_due()


def test_where_the_system_gives_no_further_process_that_is_told_and_tried_again(path, monkeypatch):
    def none_left(*_):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(snapshot_files, "begin_aside", none_left)
    counted = [10_000]
    snapshots = Snapshots(path, CHARTER, lambda: counted[0])
    with capture_logs() as logged:
        snapshots.take()
    assert [(line["event"], line["reason"]) for line in logged] == [
        ("no snapshot was taken; the next start folds more of the log", "Resource temporarily unavailable")
    ]
    assert not snapshots.is_due()
    counted[0] = 20_000
    assert snapshots.is_due()


def test_closing_gives_up_a_snapshot_that_is_under_way(path):
    snapshots = Snapshots(path, CHARTER, lambda: 10_000)
    snapshots.start()
    snapshots.close()
    with suppress(FileNotFoundError):
        snapshot_path(path).unlink()
    snapshots.take()
    assert not snapshot_path(path).exists()
