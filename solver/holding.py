"""Small parts held at their minimum or closed, one after another, each time by which of the two leaves the better optimum."""

from dataclasses import replace

import numpy as np

from solver.errors import TooLarge
from solver.fairness import levels_climbed, margin_of
from solver.field import Field
from solver.problem import TIERS, Ints, Problem

__all__ = ["hold_or_close"]

COARSER = 16  # times as coarse are efforts told to a field that cannot hold them


def hold_or_close(problem: Problem, looks: int) -> Ints:
    """Return the (A,) optimal flow once up to ``looks`` parts that were too small are held at their minimum, or their pairs closed.

    The first small part by tier, effort and position is held, unless closing its pair leaves the better optimum of all the rest:
    more urgency in tier 0, then in tier 1, 2, 3, then less effort. What is held or closed stays so, and the next is looked at.
    """
    holding = _Holding(problem)
    for _ in range(looks):
        arc = holding.first_small()
        if arc is None:
            break
        holding.decide(arc)
    return holding.flow


class _Holding:
    """An optimum with some parts held at their minimum and some pairs closed.

    Held units are taken out of what the field decides: off their offer and need, and counted as received by their claim.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.tier = problem.tier[problem.claim[problem.need]]
        margin = margin_of(problem)
        self.base = (problem.levels + 2 * margin) * (3 - problem.tier) + margin + problem.levels  # urgency of a claim's first unit
        self.held = np.zeros_like(problem.minimum)
        self.received = problem.received.copy()
        self.field = _field(replace(problem, minimum=np.zeros_like(problem.minimum)))
        self.flow = self.field.flow()

    def first_small(self) -> int | None:
        """Return the first arc by tier, effort and position whose part is below its minimum."""
        small = np.flatnonzero((self.flow > 0) & (self.flow < self.problem.minimum))
        if not len(small):
            return None
        return int(small[np.lexsort((small, self.problem.effort[small], self.tier[small]))[0]])

    def decide(self, arc: int) -> None:
        """Hold the part of an arc at its minimum, or close the arc."""
        nothing_lost = (0,) * (TIERS + 1)
        if not self._has_room(arc):
            self._close(arc)
            self.flow = self._flow()
            return
        self._hold(arc, 1)
        holding = self._flow()
        held = self._gained(holding)
        if held < nothing_lost:
            self._hold(arc, -1)
            self._close(arc)
            closing = self._flow()
            if self._gained(closing) > held:
                self.flow = closing
                return
            self.field.change_most(arc, int(self.problem.most[arc]))
            self._hold(arc, 1)
            holding = self._flow()
        self.flow = holding

    def _flow(self) -> Ints:
        return self.held + self.field.flow()

    def _has_room(self, arc: int) -> bool:
        """Return whether the ends of an arc have its minimum beside what is held there."""
        problem, minimum = self.problem, int(self.problem.minimum[arc])
        at_offer = int(self.held[problem.offer == problem.offer[arc]].sum())
        at_need = int(self.held[problem.need == problem.need[arc]].sum())
        left, unmet = int(problem.supply[problem.offer[arc]]) - at_offer, int(problem.demand[problem.need[arc]]) - at_need
        return minimum <= min(left, unmet)

    def _hold(self, arc: int, sign: int) -> None:
        """Take the minimum of an arc out of what the field decides, or with ``sign`` -1 put it back."""
        problem, field = self.problem, self.field
        units, need = int(problem.minimum[arc]) * sign, int(problem.need[arc])
        claim = int(problem.claim[need])
        self.held[arc] += units
        self.received[claim] += units
        field.change_most(arc, int(problem.most[arc] - self.held[arc]))
        if problem.hysteresis:
            field.keep(arc, max(0, int(problem.kept[arc] - self.held[arc])))
        field.offer_changes(int(problem.offer[arc]), -units)
        field.need_changes(need, -units)
        field.claim_received(claim, int(self.received[claim]))

    def _close(self, arc: int) -> None:
        self.field.change_most(arc, 0)

    def _gained(self, flow: Ints) -> tuple[int, ...]:
        """Return how much more urgency ``flow`` has than the flow before in each tier, then how much less effort."""
        problem = self.problem
        arcs = np.flatnonzero(flow != self.flow)
        more, tier = flow[arcs] - self.flow[arcs], self.tier[arcs]
        kept = np.minimum(flow[arcs], problem.kept[arcs]) - np.minimum(self.flow[arcs], problem.kept[arcs])
        claims, place = np.unique(problem.claim[problem.need[arcs]], return_inverse=True)
        before, after = np.zeros_like(problem.tier), np.zeros_like(claims)
        np.add.at(before, problem.claim[problem.need], self.flow)
        np.add.at(after, place, more)
        before = before[claims]
        after += before
        climbed = levels_climbed(problem, claims, after) - levels_climbed(problem, claims, before)
        gained = self.base[claims] * (after - before) - climbed
        by_tier = [int(gained[problem.tier[claims] == t].sum() + problem.hysteresis * kept[tier == t].sum()) for t in range(TIERS)]
        return (*by_tier, -sum((more * problem.effort[arcs]).tolist()))


def _field(problem: Problem) -> Field:
    """Return a field of the problem, with coarser efforts where the greatest do not fit beside what a field may grow by."""
    while True:
        try:
            return Field(problem)
        except TooLarge:
            if not problem.effort.any():
                raise
            problem = replace(problem, effort=problem.effort // COARSER)
