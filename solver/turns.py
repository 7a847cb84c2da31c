"""Long work by turns: passes of many small steps each, cut wherever a turn ends."""

from collections.abc import Callable, Generator
from functools import partial
from operator import index
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from solver.errors import BadProblem

__all__ = ["InTurns", "Pass", "Passes", "at_once", "by_rows", "counted", "folded", "steps_of", "written"]

Result = TypeVar("Result")

STEP_BYTES = 256  # read or written in one step: that takes no longer than other steps do

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
        self._refusal: BaseException | None = None

    def go_on(self, steps: int) -> int:
        """Go on for so many steps, or to the end if that comes before; return how many are left.

        What one turn refuses, every later one refuses too. BadProblem where steps are no whole number from 0 on.
        """
        steps = steps_of(steps)
        if self._refusal is not None:
            raise self._refusal
        try:
            while steps > 0 and not self.done:
                if self._next == self._end:
                    self._begin_pass()
                    continue
                end = min(self._end, self._next + steps)
                self._work(self._next, end)
                steps -= end - self._next
                self._next = end
        except BaseException as refusal:  # Whatever stops a pass or its generator, neither can be taken up again.
            self._refusal = refusal
            raise
        return steps

    def _begin_pass(self) -> None:
        try:
            self._end, self._work = next(self._passes)
        except StopIteration as end:
            self.result, self.done = end.value, True
        self._next = 0


def steps_of(budget: int) -> int:
    """Return how many steps a turn may take; BadProblem for what is no whole number from 0 on."""
    try:
        steps = index(budget)
    except TypeError as no:
        raise BadProblem(f"the budget is {budget!r}: a whole number is expected") from no
    if steps < 0:
        raise BadProblem(f"the budget is {steps}: at least 0 is expected, with which a turn does nothing")
    return steps


def at_once(passes: Passes[Result]) -> Result:
    """Return what passes come to, each done in one piece."""
    while True:
        try:
            steps, work = next(passes)
        except StopIteration as end:
            result: Result = end.value
            return result
        work(0, steps)


def written(table: NDArray[Any], values: NDArray[Any] | Callable[[slice], NDArray[Any]] | int) -> Pass:
    """Return the pass that writes values, those told of some rows, or one value everywhere, into the rows of a table, in order.

    Also what is written anywhere soon after gains by that: memory is handed over page by page when it is first written to, of which
    a turn that goes here and there could need all.
    """
    return by_rows(table, partial(_write, table, values))


def folded(values: NDArray[np.int64], fold: Callable[[NDArray[np.int64]], Any], join: Callable[[int, int], int], first: int) -> Passes[int]:
    """Come to `first` joined with what values are folded to, some of them at a time."""
    if values.nbytes <= STEP_BYTES:  # Not worth a pass.
        return join(first, int(fold(values))) if len(values) else first
    found = first

    def take(rows: slice) -> None:
        nonlocal found
        found = join(found, int(fold(values[rows])))

    yield by_rows(values, take)
    return found


def counted(steps: int) -> Pass:
    """Return the pass that does nothing, as what it stands for was just done in one piece: that took about so many steps."""
    return steps, lambda _begin, _end: None


def by_rows(table: NDArray[Any], work: Callable[[slice], object]) -> Pass:
    """Return the pass over all rows of a table, so many of them a step."""
    rows = max(1, STEP_BYTES // max(1, table.strides[0]))
    return -(-len(table) // rows), lambda begin, end: work(slice(rows * begin, rows * end))


def _write(table: NDArray[Any], values: NDArray[Any] | Callable[[slice], NDArray[Any]] | int, rows: slice) -> None:
    if callable(values):
        table[rows] = values(rows)
    else:
        table[rows] = values[rows] if isinstance(values, np.ndarray) else values
