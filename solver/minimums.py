"""Parts too small to be of use: pairs that cannot reach their minimum are closed before the flow, small parts mended after it.

With minimum parts the exact problem is NP-hard. The optimum is therefore taken without them, and mended in one pass:

1. As long as a part is too small, the first by tier, effort and position is held at its minimum, or its pair is closed, whichever
   leaves the better optimum of all the rest (`solver.holding`): `LOOKS` times at most.
2. Small parts that are left after that many are looked at in the same order, without solving anything again.
3. Each is topped up to its minimum where that is possible: at its offer from what is left over, then from other parts there;
   at its need from what is unmet, then in place of other parts there. Another part gives only what it has above its own
   minimum, and only to a need at least as vital as its own. Where it is not possible, the part is dropped.
4. What is free then is offered once more by tier, effort and position, wherever the minimum is reached.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from solver.fairness import total_urgency
from solver.holding import hold_or_close
from solver.problem import Gap, Ints, Problem

__all__ = ["close_hopeless", "mend"]

LOOKS = 300  # small parts decided by solving again, which takes two or three local searches each


def close_hopeless(problem: Problem) -> Problem:
    """Return the problem with nothing to carry for pairs whose largest possible part is below their minimum."""
    if not problem.minimum.any():
        return problem
    largest = np.minimum(np.minimum(problem.supply[problem.offer], problem.demand[problem.need]), problem.most)
    hopeless = largest < problem.minimum
    return replace(problem, most=np.where(hopeless, 0, problem.most)) if hopeless.any() else problem


def mend(problem: Problem, flow: Ints) -> tuple[Ints, Gap]:
    """Return a flow without parts below their minimum, and how far it is from ``flow``, the optimum without minimum parts."""
    if not _too_small(problem, flow).any():
        return flow, Gap(0, 0, 0)
    mended = hold_or_close(problem, LOOKS)
    left = np.flatnonzero(_too_small(problem, mended))
    if len(left):
        mended = _topped_up(problem, mended, left)
    gap = Gap(
        units=int(flow.sum() - mended.sum()),
        urgency=total_urgency(problem, flow) - total_urgency(problem, mended),
        effort=sum(((mended - flow) * problem.effort).tolist()),
    )
    return mended, gap


def _too_small(problem: Problem, flow: Ints) -> NDArray[np.bool_]:
    return (flow > 0) & (flow < problem.minimum)


def _topped_up(problem: Problem, flow: Ints, small: Ints) -> Ints:
    """Return the flow with each of the ``small`` parts topped up or dropped, and what that frees offered again."""
    mending = _Mending(problem, flow)
    for arc in small[mending.order(small)].tolist():
        if not mending.top_up(arc):
            mending.drop(arc)
    mending.offer_again()
    return mending.flow


class _Mending:
    """A flow being mended, with what is left over and unmet."""

    def __init__(self, problem: Problem, flow: Ints) -> None:
        self.problem = problem
        self.flow = flow.copy()
        self.left = problem.supply.copy()
        self.unmet = problem.demand.copy()
        np.subtract.at(self.left, problem.offer, flow)
        np.subtract.at(self.unmet, problem.need, flow)
        self.tier = problem.tier[problem.claim[problem.need]]

    def order(self, arcs: Ints) -> Ints:
        """Return the places of ``arcs`` by tier, effort, position."""
        return np.lexsort((arcs, self.problem.effort[arcs], self.tier[arcs]))

    def top_up(self, arc: int) -> bool:
        """Bring a part to its minimum; return whether that was possible. If not, nothing has changed."""
        problem = self.problem
        missing = int(problem.minimum[arc] - self.flow[arc])
        if missing <= 0:
            return True  # An earlier part gave way to it, or it was topped up already.
        offer, need = problem.offer[arc], problem.need[arc]
        from_offer = self._givers(arc, problem.offer == offer, missing - int(self.left[offer]))
        from_need = self._givers(arc, problem.need == need, missing - int(self.unmet[need]))
        if from_offer is None or from_need is None:
            return False
        for giver, units in from_offer + from_need:
            self._add(giver, -units)
        self._add(arc, missing)
        return True

    def drop(self, arc: int) -> None:
        self._add(arc, -int(self.flow[arc]))

    def offer_again(self) -> None:
        """Give what is left over to what is unmet, wherever a part reaches its minimum."""
        problem = self.problem
        possible = np.flatnonzero((self.left[problem.offer] > 0) & (self.unmet[problem.need] > 0) & (problem.most > self.flow))
        for arc in possible[self.order(possible)].tolist():
            free = min(self.left[problem.offer[arc]], self.unmet[problem.need[arc]], problem.most[arc] - self.flow[arc])
            if free > 0 and self.flow[arc] + free >= problem.minimum[arc]:
                self._add(arc, int(free))

    def _givers(self, arc: int, beside: NDArray[np.bool_], wanted: int) -> list[tuple[int, int]] | None:
        """Return which parts ``beside`` an arc give how much, the least vital and farthest first; None if not ``wanted`` units."""
        given: list[tuple[int, int]] = []
        if wanted <= 0:
            return given
        spare = np.where(beside & (self.tier >= self.tier[arc]), self.flow - self.problem.minimum, 0)
        spare[arc] = 0
        able = np.flatnonzero(spare > 0)
        for giver in able[self.order(able)[::-1]].tolist():
            units = min(wanted, int(spare[giver]))
            given.append((giver, units))
            wanted -= units
            if wanted == 0:
                return given
        return None

    def _add(self, arc: int, units: int) -> None:
        self.flow[arc] += units
        self.left[self.problem.offer[arc]] -= units
        self.unmet[self.problem.need[arc]] -= units
