"""Garbage is looked for among what is new, and in all there is where memory has doubled and rings were found. Folding makes none."""

import gc
import sys
import weakref
from collections.abc import Iterator

import pytest

from coordinator.adapters import memory
from coordinator.adapters.folding import fold
from coordinator.adapters.memory import collect_rarely, setting_aside
from coordinator.cycle import Coordination
from coordinator.stream import SIGNAL, Entry, MemoryLog
from tests.coordinator.test_snapshots import CHARTER, words_of


class Ring:
    """Something that holds itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _collecting() -> Iterator[None]:
    before, callbacks = gc.get_threshold(), list(gc.callbacks)
    gc.set_threshold(700, 10, 10)  # as Python begins; a command run earlier in this process may have set it already
    collect_rarely()
    yield
    gc.set_threshold(*before)
    gc.callbacks[:] = callbacks
    gc.unfreeze()


def many() -> list[list[int]]:
    """So many new objects that the first of them are set aside."""
    return [[number] for number in range(10 * gc.get_threshold()[0])]


def test_rings_of_dead_objects_still_go_by_themselves() -> None:
    dead = weakref.ref(Ring())
    kept = many()
    assert kept
    assert dead() is None
    assert gc.get_threshold() == memory.THRESHOLDS


def test_what_survived_is_set_aside_and_not_looked_at_again() -> None:
    before = gc.get_freeze_count()
    kept = many()
    assert gc.get_freeze_count() >= before + len(kept) // 2


@pytest.mark.parametrize("times", [pytest.param(0, id="at the start"), pytest.param(1 << 30, id="after months")])
def test_a_ring_that_dies_when_it_was_set_aside_goes_where_memory_in_use_has_doubled(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LEAST_SETTLED", 4)
    monkeypatch.setattr(memory._settling, "_times", times)
    monkeypatch.setattr(memory._settling, "_awaits_whole", False)
    ring = Ring()
    dead = weakref.ref(ring)
    kept = [many()]
    monkeypatch.setattr(memory._settling, "_blocks_left", sys.getallocatedblocks())
    del ring  # set aside by now
    kept.extend(many() for _ in range(4))
    assert dead() is not None  # Less than doubled: nobody looks.
    monkeypatch.setattr(memory._settling, "_blocks_left", sys.getallocatedblocks() // 2)
    monkeypatch.setattr(memory._settling, "_found", 0)
    kept.extend(many() for _ in range(4))
    assert dead() is not None  # More than doubled, and nothing tells that it is by rings.
    for _ in range(100):
        kept.append([Ring() for _ in range(1_000)] and many())
        if dead() is None:
            break
    assert dead() is None


def test_what_is_made_while_all_is_set_aside_is_not_looked_at_and_python_looks_again_afterwards() -> None:
    before = gc.get_freeze_count()
    with setting_aside():
        assert not gc.isenabled()
        kept = many()
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(kept)


def test_a_folded_log_leaves_no_rings_behind_though_some_of_it_is_refused() -> None:
    """Else they would pile up in `fold`, which looks for none."""
    log = MemoryLog(lambda: 0)
    good = list(words_of(0))
    bad = [b"no JSON", b"{}", good[0].replace(b"stigmergy.", b"x."), *(line.replace(b'"value": ', b'"value": -') for line in good[:50])]
    for line in [*good, *bad, *good[:9]]:
        log.append([Entry(SIGNAL, "anybody", line, logtime_us=0)])
    core = Coordination(CHARTER, judging=False, planning=False)
    gc.unfreeze()
    gc.collect()
    gc.disable()
    try:
        folded = fold(log, core)
        assert len(folded.parked) > len(bad) // 2
        gc.unfreeze()
        assert gc.collect() == 0
    finally:
        gc.enable()
