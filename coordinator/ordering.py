"""Names kept in order as they come and go, so that a page of them costs its own length and not that of all."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from itertools import islice

__all__ = ["Ordering"]

BLOCK = 512  # names that are moved at most twice over where one comes or goes


class Ordering:
    """Names in order, in blocks. Who adds one twice, or removes one that is not there, has it wrong."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Put names in order."""
        ordered = sorted(names)
        self._blocks = [ordered[begin : begin + BLOCK] for begin in range(0, len(ordered), BLOCK)] or [[]]
        self._begins = ["", *(block[0] for block in self._blocks[1:])]  # no name of a block comes before its begin

    def add(self, name: str) -> None:
        """Put one more name where it belongs."""
        at = bisect_right(self._begins, name) - 1
        block = self._blocks[at]
        insort(block, name)
        if len(block) > 2 * BLOCK:
            self._blocks[at : at + 1] = block[:BLOCK], block[BLOCK:]
            self._begins.insert(at + 1, block[BLOCK])

    def remove(self, name: str) -> None:
        """Take a name out."""
        at = bisect_right(self._begins, name) - 1
        block = self._blocks[at]
        del block[bisect_left(block, name)]
        if not block and at:
            del self._blocks[at], self._begins[at]

    def after(self, name: str) -> Iterator[str]:
        """Yield the names after one, which need not be there, in order; nothing may come or go meanwhile."""
        at = bisect_right(self._begins, name) - 1
        yield from islice(self._blocks[at], bisect_right(self._blocks[at], name), None)
        for block in islice(self._blocks, at + 1, None):
            yield from block
