"""How often a tree may go round a ring of recipes: things on rings have several selves, one for each round that is left.

A self of a thing with so many rounds left is made of selves with as many; where an input closes a ring, of one with a round less. With
none left it is never made, only taken where it lies. So whoever goes down from self to self goes round so often and no oftener, and all
that leads anywhere without going round is led to from any self.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.making.loops import closing_inputs, levels_of_things, makers_of_things
from solver.making.problem import ProductionProblem
from solver.problem import Ints

__all__ = ["MOST_ROUNDS", "Selves", "rounds_within", "selves_in_order", "selves_of"]

MOST_ROUNDS = 8  # that one tree goes round


@dataclass(frozen=True, slots=True, eq=False)
class Selves:
    """All selves: each thing itself, with all rounds left, by its own position; then the others."""

    thing: list[int]  # (S',) of which each is a self
    rounds: list[int]  # (S',) left
    goes_round: NDArray[np.bool_]  # (S',) whether selves with fewer rounds left are made, too
    of_inputs: Ints  # (rounds, inputs) the self that an input takes, for a self with 1, 2, .. rounds left


def selves_of(problem: ProductionProblem, rounds: int) -> Selves:
    """Return the selves of all things, for up to so many rounds, and what takes which. Without rings there are the things alone."""
    closing = closing_inputs(problem)
    closed = sorted({int(problem.input_thing[row]) for row in closing})
    going_round = _led_round(problem, closing, closed)
    most = max(1, rounds)
    thing, to_go = list(range(problem.things)), [most] * problem.things
    numbers: dict[tuple[int, int], int] = {}
    for left in range(most):
        for each in going_round if left else closed:
            numbers[each, left] = len(thing)
            thing.append(each)
            to_go.append(left)
    taken = problem.input_thing.tolist()
    of_inputs = [
        [numbers.get((each, left - 1 if row in closing else left), each) for row, each in enumerate(taken)] for left in range(1, most + 1)
    ]
    again = np.isin(thing, going_round) & (np.array(to_go) > 1)
    return Selves(thing, to_go, again, np.array(of_inputs, dtype=np.int64).reshape(most, len(taken)))


def rounds_within(problem: ProductionProblem, once: int, work: int) -> int:
    """Return how often trees may go round within so much work, where going round once took ``once``; 0 if no oftener than that.

    The ways of each self are looked for one by one, so that work grows as selves do.
    """
    closing = closing_inputs(problem)
    closed = sorted({int(problem.input_thing[row]) for row in closing})
    selves = problem.things + len(closed)
    oftener = (selves * work // max(once, 1) - selves) // max(len(_led_round(problem, closing, closed)), 1)
    return 1 + min(oftener, MOST_ROUNDS - 1) if oftener > 0 else 0


def selves_in_order(problem: ProductionProblem, selves: Selves) -> list[int]:
    """Return the positions of all selves, each after all that it is made of."""
    level, _ = levels_of_things(problem)
    closing = closing_inputs(problem)
    goes_round = set(_led_round(problem, closing, range(problem.things)))
    left = [rounds if thing in goes_round else -1 for thing, rounds in zip(selves.thing, selves.rounds, strict=True)]
    return sorted(range(len(left)), key=lambda each: (left[each], level[selves.thing[each]], each))


def _led_round(problem: ProductionProblem, closing: frozenset[int], roots: Iterable[int]) -> list[int]:
    """Return all that ``roots`` are made of without going round, and they themselves, as far as a ring is closed on the way down."""
    if not closing:
        return []
    level, _ = levels_of_things(problem)
    rows = [
        [row for recipe in makers for row in range(int(problem.input_start[recipe]), int(problem.input_start[recipe + 1]))]
        for makers in makers_of_things(problem)
    ]
    taken = problem.input_thing.tolist()
    leads: set[int] = set()
    for thing in sorted(range(problem.things), key=level.__getitem__):
        if any(row in closing or taken[row] in leads for row in rows[thing]):
            leads.add(thing)
    found: set[int] = set()
    waiting = [each for each in roots if each in leads]
    while waiting:
        thing = waiting.pop()
        if thing not in found:
            found.add(thing)
            waiting.extend(taken[row] for row in rows[thing] if row not in closing and taken[row] in leads)
    return sorted(found)
