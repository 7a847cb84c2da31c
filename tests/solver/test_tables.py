"""Large tables are had in small pages, a field's own among them, and given back; small ones are numpy's."""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from solver import Problem
from solver.field import Field, _Column
from solver.tables import LARGE, empty, let_go, zeros
from solver.turns import InTurns, at_once

pytestmark = pytest.mark.skipif(not hasattr(mmap, "MADV_NOHUGEPAGE"), reason="this system has no pages to choose from")

ROWS = LARGE // 8


def owner(array: Any) -> Any:
    """Return who holds the memory of an array."""
    while isinstance(array, np.ndarray | memoryview):
        array = array.obj if isinstance(array, memoryview) else array.base
    return array


def noted_at(address: int, what: str) -> list[str]:
    """Return what the system notes, under a name, of the memory around an address."""
    here = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first, *rest = line.split()
        if not first.endswith(":"):
            begin, end = (int(part, 16) for part in first.split("-"))
            here = begin <= address < end
        elif here and first == what:
            return rest
    return []


@pytest.mark.parametrize("make", [empty, zeros])
def test_a_large_table_is_had_in_small_pages_and_given_back(make: Any) -> None:
    table = make((ROWS // 2, 2), np.int64)
    assert (table.shape, table.dtype, table.flags.c_contiguous, table.flags.writeable) == ((ROWS // 2, 2), np.int64, True, True)
    assert not table.any()
    table[-1] = 7
    address = table.ctypes.data
    assert "nh" in noted_at(address, "VmFlags:")
    with pytest.raises(BufferError):
        owner(table).close()  # It is held, and by nobody else once the table goes.
    kept = table[-1:]
    del table
    assert kept.tolist() == [[7, 7]]


@pytest.mark.parametrize("make", [empty, zeros])
def test_a_small_table_is_numpys(make: Any) -> None:
    table = make(ROWS - 1, np.int64)
    assert len(table) == ROWS - 1
    assert table.base is None
    assert zeros(9, np.int32).tolist() == 9 * [0]
    assert make(0, np.int64).tolist() == []


def test_a_table_that_finds_no_room_is_refused_as_any_other() -> None:
    with pytest.raises(MemoryError, match="cannot be had"):
        empty(1 << 56, np.int64)


def held_at(address: int) -> int:
    """Return how many bytes of the memory around an address the machine has handed over."""
    kilobytes, *_ = (*noted_at(address, "Rss:"), "0")
    return 1024 * int(kilobytes)


def test_a_table_is_given_back_page_by_page_wherever_turns_end() -> None:
    table = empty((ROWS // 2, 2), np.int64)
    table[:] = 1
    address, tables = table.ctypes.data, [table]
    assert held_at(address) == LARGE
    del table
    going, held = InTurns(let_go(tables)), []
    while not going.done:
        going.go_on(100)
        held.append(held_at(address))
    assert len(held) > LARGE // mmap.PAGESIZE // 100
    assert max(-np.diff([LARGE, *held[:-1]])) <= 100 * mmap.PAGESIZE
    assert held[-1] == 0


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(lambda table: table, id="the table"),
        pytest.param(lambda table: table[5:], id="a part of it"),
        pytest.param(lambda table: table[5:].view(np.int32)[1:], id="a part of a part"),
        pytest.param(lambda table: table.base, id="the whole"),
        pytest.param(memoryview, id="as a buffer"),
        pytest.param(owner, id="who holds it"),
        pytest.param(lambda table: memoryview(owner(table)), id="the memory itself"),
    ],
)
def test_whoever_still_has_a_table_that_others_let_go_keeps_it_as_it_is(kept: Any) -> None:
    tables = [empty(ROWS, np.int64)]
    tables[0][:] = 7
    mine = kept(tables[0])
    at_once(let_go(tables))
    assert bytes(mine)[-8:] == np.full(1, 7, dtype=np.int64).tobytes()


class Locked(mmap.mmap):
    """Memory that the system does not take page by page, as where a process has all of its memory locked."""

    def madvise(self, *_: int) -> None:
        raise OSError(22, "Invalid argument")


def test_locked_memory_goes_with_the_last_name_of_its_table() -> None:
    pages = Locked(-1, LARGE, flags=mmap.MAP_PRIVATE)
    tables = [np.frombuffer(pages, dtype=np.int64).reshape(-1, 2)]
    tables[0][:] = 1
    address = tables[0].ctypes.data
    del pages
    at_once(let_go(tables))
    assert (tables, held_at(address)) == ([], 0)


def tables_of(field: Field) -> Iterator[NDArray[Any]]:
    yield from (table for name, table in field._layout.net._asdict().items() if name != "span")
    yield from (column._rows for column in vars(field).values() if isinstance(column, _Column))


def test_all_large_tables_of_a_field_are_such_also_those_it_moved_to() -> None:
    ends = np.arange(700_000)
    field = Field(Problem.of(np.ones(len(ends), dtype=np.int64), np.ones(len(ends), dtype=np.int64), ends, ends, ends % 5))
    field.add_offer(1, [0], [1])
    large = [table for table in tables_of(field) if table.nbytes >= 2 * LARGE]
    assert len(large) > 10
    assert all(isinstance(owner(table), mmap.mmap) for table in large)
    net = field._layout.net
    field._layout.net = net._replace(arc=net.arc[: field._layout.arcs], cost=net.cost[: field._layout.arcs])
    field.add_offer(1, [1], [1])
    assert isinstance(owner(field._layout.net.arc), mmap.mmap)
    assert field.flow().sum() == len(ends)
