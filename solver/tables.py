"""Large tables, in memory that the machine hands over a small page at a time, as they are first written to, and takes back likewise."""

import mmap
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from solver.turns import Passes, counted

__all__ = ["empty", "let_go", "zeros"]

LARGE = 1 << 22  # bytes: from there on numpy asks for pages of 2 MB


def empty(shape: int | tuple[int, ...], kind: DTypeLike) -> NDArray[Any]:
    """Return an array to be written before it is read.

    numpy has large ones in pages of 2 MB, where the machine has such. One of those that no program had yet is handed over in a single
    step that no turn can be cut into, and takes long where the machine is itself a guest: tests/benchmarks/solver_stalls.py tells the
    longest turn. Raises MemoryError where there is no room.
    """
    return _had(np.empty, shape, kind)


def zeros(shape: int | tuple[int, ...], kind: DTypeLike) -> NDArray[Any]:
    """Return an array of zeros, as `empty` does: what was just handed over holds nothing else."""
    return _had(np.zeros, shape, kind)


def let_go(tables: list[NDArray[Any]]) -> Passes[None]:
    """Return the passes that let go of tables, the last first: page by page what nobody else looks at, as a page takes about a step.

    Whoever still has a table, or part of one, keeps it as it is. Pages that the system does not take, as where a process has all of its
    memory locked, go with the last name of the table.
    """
    yield counted(1)  # Then the pass before is forgotten, and what it wrote or read.
    alone = object()
    known_here = sys.getrefcount(alone)  # of what has one name, which is in this function
    while tables:
        table = tables.pop()
        whole = table.base  # that of each part of a table, also of a part of a part
        pages = whole.base.obj if isinstance(whole, np.ndarray) and isinstance(whole.base, memoryview) else None
        known = sys.getrefcount(table), sys.getrefcount(whole), sys.getrefcount(pages)
        # The whole is known to its only part too, and its pages to it.
        if isinstance(pages, mmap.mmap) and known == (known_here, known_here + 1, known_here + 1):
            yield -(-len(pages) // mmap.PAGESIZE), partial(_give_back, pages)
        del table, whole, pages
        yield counted(1)


def _give_back(pages: mmap.mmap, begin: int, end: int) -> None:
    """Give some pages back, which hold nothing afterwards."""
    begin, end = mmap.PAGESIZE * begin, min(len(pages), mmap.PAGESIZE * end)
    with suppress(OSError):  # where they are locked; then they go all at once
        pages.madvise(mmap.MADV_DONTNEED, begin, end - begin)


def _had(small: Callable[..., NDArray[Any]], shape: int | tuple[int, ...], kind: DTypeLike) -> NDArray[Any]:
    """Return a large array in small pages, or a small one as numpy has it."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    if size < LARGE or not hasattr(mmap, "MADV_NOHUGEPAGE"):
        return small(shape, dtype=kind)
    return np.frombuffer(_in_small_pages(size), dtype=kind).reshape(shape)


def _in_small_pages(size: int) -> mmap.mmap:
    """Return so many bytes of zeros, given back once nobody holds them."""
    try:
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE)  # of no file; shared with no process
    except OSError as no:
        raise MemoryError(f"{size} bytes for a table cannot be had: {no.strerror}") from no
    with suppress(OSError):  # where the system knows no other pages
        pages.madvise(mmap.MADV_NOHUGEPAGE)
    return pages
