"""Parts too small, and broken packs, held at more or kept to less, one after another, by which of the two leaves the better optimum."""

import operator
from dataclasses import replace

import numpy as np

from solver.errors import TooLarge
from solver.fairness import urgency_gained
from solver.field import Field
from solver.problem import TIERS, Ints, Problem, pack_of

__all__ = ["hold_or_close"]

COARSER = 16  # times as coarse are efforts told to a field that cannot hold them

Gained = tuple[int, ...]
Bounds = tuple[int, int]  # units an arc carries at least and at most
NOTHING: Gained = (0,) * (TIERS + 1)


def hold_or_close(problem: Problem, looks: int, again: int) -> Ints:
    """Return the (A,) optimal flow once no part is below its minimum and no pack is broken, as far as ``looks`` go.

    The first such part by tier, effort and position is held at the next size it may have, unless keeping it to the size before
    leaves the better optimum of all the rest: more urgency in tier 0, then in tier 1, 2, 3, then less effort. What is decided
    stays so, and the next is looked at, until all are of a size they may have. Then the last decisions are taken the other way,
    wherever the optimum of the rest does not already say that nothing better can come of it; what is best of all that was found
    is returned. Up to ``looks`` parts are decided, of which at most ``again`` once a first answer is found: if these are not used
    up, there is no better answer.
    """
    holding = _Holding(problem, looks, again)
    holding.decide()
    return holding.answer


class _Holding:
    """An optimum in which some parts are held at so much or kept to so much.

    Held units are taken out of what the field decides: off their offer and need, and counted as received by their claim.
    """

    def __init__(self, problem: Problem, looks: int, again: int) -> None:
        self.problem, self.looks, self.again = problem, looks, again
        self.tier = problem.tier[problem.claim[problem.need]]
        self.pack = pack_of(problem)
        self.held, self.most = np.zeros_like(problem.most), problem.most.copy()
        self.received = problem.received.copy()
        self.field = _field(replace(problem, minimum=np.zeros_like(problem.minimum)))
        self.flow = self.field.flow()
        self.gained = NOTHING  # since the beginning, in urgency of each tier, then in effort saved
        self.answer = self.flow
        self.best: Gained | None = None  # gained by the answer, once there is one

    def first_wrong(self) -> int | None:
        """Return the first arc by tier, effort and position whose part is below its minimum or breaks a pack."""
        wrong = np.flatnonzero((self.flow > 0) & ((self.flow < self.problem.minimum) | (self.flow % self.pack != 0)))
        if not len(wrong):
            return None
        return int(wrong[np.lexsort((wrong, self.problem.effort[wrong], self.tier[wrong]))[0]])

    def decide(self) -> None:
        """Decide the first wrong part and, with it so, all after it; then the other way, unless the answer is known to be better."""
        arc = self.first_wrong()
        if arc is None or not self.looks:
            self._note(arc is None)
            return
        self.looks -= 1
        flow, gained = self.flow, self.gained
        before = int(self.held[arc]), int(self.most[arc])
        for way in self._ways(arc):
            self._bound(arc, way)
            after = self._flow()
            self.gained, self.flow = _added(gained, self._gained(after)), after
            if self.best is None or self.gained > self.best:
                self.decide()
            self.flow, self.gained = flow, gained
            if not self.looks:
                return
        self._bound(arc, before)

    def _note(self, whole: bool) -> None:
        """Let what is found be the answer if it is the first, or better and without wrong parts."""
        if self.best is None:
            self.looks = min(self.looks, self.again)
        elif not whole or self.gained <= self.best:
            return
        self.answer, self.best = self.flow, self.gained

    def _ways(self, arc: int) -> list[Bounds]:
        """Return the bounds between which the part of an arc is not what it is now, the better first; the arc is left with some of them."""
        units, pack = int(self.flow[arc]), int(self.pack[arc])
        less = units - units % pack
        more = max(less + pack, int(self.problem.minimum[arc]))
        less = less if less >= self.problem.minimum[arc] else 0
        kept_to, held = (int(self.held[arc]), less), (more, int(self.most[arc]))
        if not self._has_room(arc, more):
            return [kept_to]
        with_more = self._gained_with(arc, held)
        if with_more >= NOTHING or self._gained_with(arc, kept_to) <= with_more:
            return [held, kept_to]
        return [kept_to, held]

    def _gained_with(self, arc: int, bounds: Bounds) -> Gained:
        self._bound(arc, bounds)
        return self._gained(self._flow())

    def _flow(self) -> Ints:
        return self.held + self.field.flow()

    def _has_room(self, arc: int, units: int) -> bool:
        """Return whether an arc may carry so many units and its ends have them beside what is held there."""
        problem, beside = self.problem, units - int(self.held[arc])
        at_offer = int(self.held[problem.offer == problem.offer[arc]].sum())
        at_need = int(self.held[problem.need == problem.need[arc]].sum())
        left, unmet = int(problem.supply[problem.offer[arc]]) - at_offer, int(problem.demand[problem.need[arc]]) - at_need
        return units <= self.most[arc] and beside <= min(left, unmet)

    def _bound(self, arc: int, bounds: Bounds) -> None:
        """Have an arc carry at least and at most so much: the least is taken out of what the field decides, or put back."""
        problem, field, need = self.problem, self.field, int(self.problem.need[arc])
        least, most = bounds
        units, claim = least - int(self.held[arc]), int(problem.claim[need])
        self.held[arc], self.most[arc] = bounds
        field.change_most(arc, most - least)
        if units == 0:
            return
        self.received[claim] += units
        if problem.hysteresis:
            field.keep(arc, max(0, int(problem.kept[arc]) - least))
        field.offer_changes(int(problem.offer[arc]), -units)
        field.need_changes(need, -units)
        field.claim_received(claim, int(self.received[claim]))

    def _gained(self, flow: Ints) -> Gained:
        """Return how much more urgency ``flow`` has than the flow before in each tier, then how much less effort."""
        problem = self.problem
        arcs = np.flatnonzero(flow != self.flow)
        more, tier = flow[arcs] - self.flow[arcs], self.tier[arcs]
        kept = np.minimum(flow[arcs], problem.kept[arcs]) - np.minimum(self.flow[arcs], problem.kept[arcs])
        claims, place = np.unique(problem.claim[problem.need[arcs]], return_inverse=True)
        before, after = np.zeros_like(problem.tier), np.zeros_like(claims)
        np.add.at(before, problem.claim[problem.need], self.flow)
        np.add.at(after, place, more)
        gained = urgency_gained(problem, claims, before[claims], before[claims] + after)
        by_tier = [sum(gained[problem.tier[claims] == t].tolist()) + problem.hysteresis * int(kept[tier == t].sum()) for t in range(TIERS)]
        return (*by_tier, -sum(map(operator.mul, problem.effort[arcs].tolist(), more.tolist())))


def _added(one: Gained, other: Gained) -> Gained:
    return tuple(a + b for a, b in zip(one, other, strict=True))


def _field(problem: Problem) -> Field:
    """Return a field of the problem, with coarser efforts where the greatest do not fit beside what a field may grow by."""
    while True:
        try:
            return Field(problem)
        except TooLarge:
            if not problem.effort.any():
                raise
            problem = replace(problem, effort=problem.effort // COARSER)
