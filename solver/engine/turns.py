"""Long work by turns: passes of many small steps each, cut wherever a turn ends."""

from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["InTurns", "Passes", "at_once", "written"]

Result = TypeVar("Result")

ALL = 1 << 62  # more steps than anything has
ROWS = 16  # written in one step: that takes no longer than other steps do

# How many steps there are, and the work on those from one up to, but without, another.
Pass = tuple[int, Callable[[int, int], object]]

# What yields passes, each once the one before is through; it comes to the same wherever they are cut.
Passes = Generator[Pass, None, Result]


class InTurns(Generic[Result]):
    """Passes one after the other, so many steps a turn; `result` is what they come to, once `done`."""

    def __init__(self, passes: Passes[Result]) -> None:
        self.done = False
        self.result: Result
        self._passes = passes
        self._work: Callable[[int, int], object]
        self._next = self._end = 0

    def go_on(self, steps: int) -> int:
        """Go on for so many steps, or to the end if that comes before; return how many are left."""
        while steps > 0 and not self.done:
            if self._next == self._end:
                self._begin_pass()
                continue
            end = min(self._end, self._next + steps)
            self._work(self._next, end)
            steps -= end - self._next
            self._next = end
        return steps

    def _begin_pass(self) -> None:
        try:
            self._end, self._work = next(self._passes)
        except StopIteration as end:
            self.result, self.done = end.value, True
        self._next = 0


def at_once(passes: Passes[Result]) -> Result:
    """Return what passes come to, each done in one piece."""
    turns = InTurns(passes)
    turns.go_on(ALL)
    return turns.result


def written(table: NDArray[Any], values: NDArray[Any] | int) -> Pass:
    """Return the pass that writes values, or one value everywhere, into the rows of a table, in order.

    Also what is written anywhere soon after gains by that: memory is handed over page by page when it is first written to, of which
    a turn that goes here and there could need all.
    """
    return -(-len(table) // ROWS), partial(_write, table, values)


def _write(table: NDArray[Any], values: NDArray[Any] | int, begin: int, end: int) -> None:
    rows = slice(ROWS * begin, ROWS * end)
    table[rows] = values[rows] if isinstance(values, np.ndarray) else values
