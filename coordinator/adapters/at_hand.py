"""The latest records of the stream, kept in memory for those who follow it: so many, and so many bytes, at most."""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import takewhile

import msgspec

__all__ = ["AtHand", "Shown", "fitting"]

KEPT = 10_000  # records
KEPT_BYTES = 64 << 20  # of their text: at 700 bytes a record, which is usual, nine times what so many take
TOLD_BYTES = 256 << 10  # at once, unless one record alone has more: each of a thousand slow listeners may hold so much up


class Shown(msgspec.Struct, frozen=True, gc=False):
    """One record as those who follow the stream get it."""

    position: int  # in the log
    stream: str
    text: bytes  # JSON: position, logtime, event


class AtHand:
    """What came last, in order of position. Older records are let go as newer ones come."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._rows: deque[Shown] = deque()
        self._bytes = 0

    def extend(self, rows: Iterable[Shown]) -> None:
        """Keep what came."""
        for row in rows:
            self._rows.append(row)
            self._bytes += len(row.text)
            while len(self._rows) > KEPT or self._bytes > KEPT_BYTES:
                self._bytes -= len(self._rows.popleft().text)

    @property
    def begin(self) -> int | None:
        """The position of the oldest record kept, None where there is none."""
        return self._rows[0].position if self._rows else None

    def after(self, position: int, at_most: int) -> list[Shown]:
        """Return the oldest of the records kept after a position: at most so many, and no more than is told at once."""
        newer = list(takewhile(lambda one: one.position > position, reversed(self._rows)))
        some = newer[: -at_most - 1 : -1]
        return some[: fitting([len(row.text) for row in some])]


def fitting(sizes: Sequence[int]) -> int:
    """Return how many of some records, of so many bytes each, are told at once: at least one, where there are any."""
    total = 0
    for count, size in enumerate(sizes):
        total += size
        if count and total > TOLD_BYTES:
            return count
    return len(sizes)
