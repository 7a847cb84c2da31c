"""Small parts held at their minimum or closed, one after another, each time by which of the two leaves the better optimum."""

import operator
from dataclasses import replace

import numpy as np

from solver.errors import TooLarge
from solver.fairness import urgency_gained
from solver.field import Field
from solver.problem import TIERS, Ints, Problem

__all__ = ["hold_or_close"]

COARSER = 16  # times as coarse are efforts told to a field that cannot hold them
HELD, HELD_NOT = True, False

Gained = tuple[int, ...]
NOTHING: Gained = (0,) * (TIERS + 1)


def hold_or_close(problem: Problem, looks: int, again: int) -> Ints:
    """Return the (A,) optimal flow once parts that were too small are held at their minimum, or their pairs closed.

    The first small part by tier, effort and position is held, unless closing its pair leaves the better optimum of all the rest:
    more urgency in tier 0, then in tier 1, 2, 3, then less effort. What is held or closed stays so, and the next is looked at,
    until none is small. Then the last decisions are taken the other way, wherever the optimum of the rest does not already say
    that nothing better can come of it; what is best of all that was found is returned. Up to ``looks`` parts are decided, of
    which at most ``again`` once a first answer is found: if these are not used up, there is no better answer.
    """
    holding = _Holding(problem, looks, again)
    holding.decide()
    return holding.answer


class _Holding:
    """An optimum with some parts held at their minimum and some pairs closed.

    Held units are taken out of what the field decides: off their offer and need, and counted as received by their claim.
    """

    def __init__(self, problem: Problem, looks: int, again: int) -> None:
        self.problem, self.looks, self.again = problem, looks, again
        self.tier = problem.tier[problem.claim[problem.need]]
        self.held = np.zeros_like(problem.minimum)
        self.received = problem.received.copy()
        self.field = _field(replace(problem, minimum=np.zeros_like(problem.minimum)))
        self.flow = self.field.flow()
        self.gained = NOTHING  # since the beginning, in urgency of each tier, then in effort saved
        self.answer = self.flow
        self.best: Gained | None = None  # gained by the answer, once there is one

    def first_small(self) -> int | None:
        """Return the first arc by tier, effort and position whose part is below its minimum."""
        small = np.flatnonzero((self.flow > 0) & (self.flow < self.problem.minimum))
        if not len(small):
            return None
        return int(small[np.lexsort((small, self.problem.effort[small], self.tier[small]))[0]])

    def decide(self) -> None:
        """Decide the first small part and, with it so, all after it; then the other way, unless the answer is known to be better."""
        arc = self.first_small()
        if arc is None or not self.looks:
            self._note(arc is None)
            return
        self.looks -= 1
        flow, gained = self.flow, self.gained
        first = self._better(arc)
        now = first
        for way in (first, not first):
            if way is not now and way is HELD and not self._has_room(arc):
                continue
            self._switch(arc, now, way)
            now = way
            after = self._flow()
            self.gained, self.flow = _added(gained, self._gained(after)), after
            if self.best is None or self.gained > self.best:
                self.decide()
            self.flow, self.gained = flow, gained
            if not self.looks:
                return
        self._switch(arc, now, None)

    def _note(self, whole: bool) -> None:
        """Let what is found be the answer if it is the first, or better and without small parts."""
        if self.best is None:
            self.looks = min(self.looks, self.again)
        elif not whole or self.gained <= self.best:
            return
        self.answer, self.best = self.flow, self.gained

    def _better(self, arc: int) -> bool:
        """Return whether holding the part of an arc leaves a better optimum than closing it does; the arc is left so."""
        if not self._has_room(arc):
            self._switch(arc, None, HELD_NOT)
            return HELD_NOT
        self._switch(arc, None, HELD)
        held = self._gained(self._flow())
        if held >= NOTHING:
            return HELD
        self._switch(arc, HELD, HELD_NOT)
        if self._gained(self._flow()) > held:
            return HELD_NOT
        self._switch(arc, HELD_NOT, HELD)
        return HELD

    def _switch(self, arc: int, before: bool | None, after: bool | None) -> None:
        """Hold an arc (true), close it (false), or neither, as it is after all others."""
        if before is after:
            return
        if before is HELD:
            self._hold(arc, -1)
        elif before is HELD_NOT:
            self.field.change_most(arc, int(self.problem.most[arc]))
        if after is HELD:
            self._hold(arc, 1)
        elif after is HELD_NOT:
            self.field.change_most(arc, 0)

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
