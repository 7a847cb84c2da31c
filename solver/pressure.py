"""The pressures of an optimal flow: the least duals, found by letting them rise until every rule holds."""

import numpy as np
from numpy.typing import NDArray

from solver.errors import EngineFault
from solver.fairness import margin_of, urgency_of
from solver.problem import Allocation, Ints, Problem

__all__ = ["Pressures", "least_pressures", "read_pressure", "read_worth"]

Pressures = tuple[Ints, Ints, Ints]  # offers (M,), needs (N,), claims (K,)

NONE = -(2**62)  # below every pressure


def least_pressures(problem: Problem, flow: Ints, worth: int) -> Pressures:
    """Return what one unit more at each offer, need and claim would gain, given the optimal ``flow``.

    Parameters
    ----------
    problem : Problem
        What was asked.
    flow : (A,) int64
        Its optimal flow.
    worth : int
        What a step of urgency weighs in effort.

    Returns
    -------
    offers (M,), needs (N,), claims (K,) : int64
        The least pressures that prove the flow optimal.

    Raises
    ------
    EngineFault
        If the flow can still be bettered.

    Notes
    -----
    A unit more at an offer can stay (0), or go to a need; at a need with room it counts for the claim, and where somebody
    already delivers it sends that delivery back; at a claim it is worth the next step. Starting from the steps, gains rise
    along these ways until none rises: the longest paths of the residual graph, by Bellman and Ford's method. If the flow
    is optimal none goes in circles; if they never rest, it was not. O((M + N + K) A) at worst.
    """
    taken = np.zeros(len(problem.demand), dtype=np.int64)
    np.add.at(taken, problem.need, flow)
    covered = np.zeros(len(problem.tier), dtype=np.int64)
    np.add.at(covered, problem.claim, taken)
    every_claim = np.arange(len(problem.tier))
    claim_pressure = worth * urgency_of(problem, every_claim, covered)
    need_pressure = np.where(taken < problem.demand, claim_pressure[problem.claim], NONE)
    offer_pressure = np.zeros(len(problem.supply), dtype=np.int64)

    bonus = worth * problem.hysteresis
    forth = _Ways(problem.offer, problem.need, problem.effort - bonus * (flow < problem.kept), flow < problem.most)
    back = _Ways(problem.need, problem.offer, -(problem.effort - bonus * (flow <= problem.kept)), flow > 0)
    shared = _Ways(problem.claim, np.arange(len(problem.demand)), np.zeros_like(problem.demand), taken > 0)
    open_needs = np.flatnonzero(taken < problem.demand)

    for _ in range(len(problem.supply) + len(problem.demand) + len(problem.tier) + 2):
        risen = forth.lift(offer_pressure, need_pressure)
        risen |= back.lift(need_pressure, offer_pressure)
        risen |= shared.lift(claim_pressure, need_pressure)
        before = need_pressure[open_needs]
        after = np.maximum(before, claim_pressure[problem.claim[open_needs]])
        need_pressure[open_needs] = after
        if not risen and np.array_equal(before, after):
            break
    else:
        raise EngineFault("the flow can still be bettered, so it has no pressures: the engine did not find the optimum")
    need_pressure[need_pressure == NONE] = 0  # Needs of 0 units: nothing can come or go.
    return offer_pressure, need_pressure, claim_pressure


class _Ways:
    """Ways a unit can go on from some positions to others, at some effort each, grouped by where they start."""

    def __init__(self, start: Ints, end: Ints, effort: Ints, is_open: NDArray[np.bool_]) -> None:
        chosen = np.flatnonzero(is_open)
        if len(chosen) and np.any(np.diff(start[chosen]) < 0):
            chosen = chosen[np.argsort(start[chosen], kind="stable")]
        starts = start[chosen]
        self.first = np.flatnonzero(np.diff(starts, prepend=-1))
        self.start = starts[self.first]
        self.end = end[chosen]
        self.effort = effort[chosen]

    def lift(self, pressure: Ints, onward: Ints) -> bool:
        """Raise ``pressure`` to the best that lies ``onward`` less the effort; return whether any rose."""
        if not len(self.first):
            return False
        best = np.maximum.reduceat(onward[self.end] - self.effort, self.first)
        before = pressure[self.start]
        if not np.any(best > before):
            return False
        pressure[self.start] = np.maximum(before, best)
        return True


def read_pressure(pressure: int, problem: Problem, allocation: Allocation) -> tuple[int, int, int] | None:
    """Return (tier, level, effort) of the least urgent coverage that one unit more would displace or add.

    Parameters
    ----------
    pressure : int
        One entry of the allocation's pressures.
    problem : Problem
        What was asked.
    allocation : Allocation
        Its answer, for what a step of urgency weighs.

    Returns
    -------
    tuple of int, or None
        ``effort`` is what that unit's whole chain of exchanges adds (less than 0 where it saves some). With hysteresis, the
        level counts what the chain breaks or mends of the kept, within 0 to levels - 1. None: it would gain nothing in urgency.
    """
    return read_worth(pressure, allocation.worth, problem.levels, margin_of(problem))


def read_worth(pressure: int, worth: int, levels: int, margin: int) -> tuple[int, int, int] | None:
    """Return the same, where a step of urgency weighs ``worth`` and what is kept at most ``margin`` levels."""
    urgency = (2 * pressure + worth) // (2 * worth)  # To the nearest: efforts are less than half a worth.
    if urgency < 1:
        return None
    spacing = levels + 2 * margin
    tier = 3 - (urgency - 1) // spacing
    level = spacing * (3 - tier) + margin + levels - urgency
    return tier, max(0, min(levels - 1, level)), worth * urgency - pressure
