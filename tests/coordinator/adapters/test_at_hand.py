"""What is kept at hand for those who follow the stream is bounded by count and by bytes, and so is what is told of it at once."""

from contextlib import closing
from pathlib import Path

import pytest

from coordinator.adapters import at_hand
from coordinator.adapters.at_hand import AtHand, Shown, fitting
from coordinator.adapters.service import Service
from coordinator.charter import Charter
from tests.support.serving import Hand, signal


def rows(*sizes: int) -> list[Shown]:
    return [Shown(position, "stigmergy.signal.v1", b"x" * size) for position, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        pytest.param([1, 1, 1, 1, 1, 1, 1], [3, 4, 5, 6], id="small ones by count"),
        pytest.param([60, 50, 40, 10], [1, 2, 3], id="large ones by bytes"),
        pytest.param([1, 1, 1, 100], [3], id="one that fills all lets all others go"),
        pytest.param([1, 101, 1], [2], id="one too large is not kept"),
    ],
)
def test_the_newest_are_kept_within_both_bounds(monkeypatch: pytest.MonkeyPatch, sizes: list[int], kept: list[int]) -> None:
    monkeypatch.setattr(at_hand, "KEPT", 4)
    monkeypatch.setattr(at_hand, "KEPT_BYTES", 100)
    hand = AtHand()
    for row in rows(*sizes):
        hand.extend([row])
    assert [row.position for row in hand.after(-1, 99)] == kept
    assert hand.begin == kept[0]


@pytest.mark.parametrize(
    ("sizes", "fit"),
    [
        pytest.param([], 0, id="of none, none"),
        pytest.param([10], 1, id="one alone always, however large"),
        pytest.param([3, 3, 3], 2, id="as many as fit"),
        pytest.param([2, 2, 2], 3, id="all, where all fit"),
    ],
)
def test_so_many_are_told_at_once(monkeypatch: pytest.MonkeyPatch, sizes: list[int], fit: int) -> None:
    monkeypatch.setattr(at_hand, "TOLD_BYTES", 6)
    assert fitting(sizes) == fit


def test_a_follower_of_large_records_comes_by_all_of_them_in_small_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_hand, "KEPT_BYTES", 6_000)
    monkeypatch.setattr(at_hand, "TOLD_BYTES", 2_000)
    with closing(Service(tmp_path / "log", Charter(), clock=Hand())) as service:
        for number in range(40):  # of about 400 bytes each, so that most of them are in the log alone
            service.publish([signal("offer", f"maker-{number}", 1)])
        position, seen = -1, []
        while position < 39:
            portion, position = service.follow(position)
            assert sum(len(row.text) for row in portion) <= 2_000 + 100 * len(portion)  # the bound is on what the log holds of them
            seen += [row.position for row in portion]
        begin = service._at_hand.begin
    assert seen == list(range(40))
    assert begin is not None
    assert begin > 20
