"""What it would cost to move one unit by a way that the plan does not take: the cheapest exchange around it.

A unit forced from an offer to a need brings others to move: somebody gets one less, or takes it from elsewhere. The cheapest such
chain is a shortest path from that need back to that offer, along which units may be added and taken back. No pressure is needed
for it, and none is trusted: where several plans are equally good, pressures alone would say too little.
"""

import numpy as np
from numpy.typing import NDArray

from coordinator.readings import Reading
from solver import Arcs
from solver.fairness import urgency_of

__all__ = ["Rerouting"]

Ints = NDArray[np.int64]

FAR = 2**61  # no path


class Rerouting:
    """The residual of one market's optimum: where a unit more or less could go, and what that would gain or lose.

    Nodes are offers, needs, claims and one root, in this order: the root holds what is left over and what is lacking.
    """

    def __init__(self, reading: Reading, *, all_arcs: bool) -> None:
        """Lay it out, over all pairs that are possible or only over those that the engine knows."""
        problem = reading.problem
        self._offers, self._needs = len(problem.supply), len(problem.demand)
        self._root = self._offers + self._needs + len(problem.tier)
        self.worth = reading.allocation.worth
        known = reading.allocation.relaxed_flow
        arcs = Arcs(problem.offer, problem.need, problem.effort, problem.most, problem.minimum, problem.kept)
        others = self._others(reading) if all_arcs else arcs.picked(np.zeros(0, dtype=np.int64))
        flow = np.concatenate([known, np.zeros_like(others.offer)])
        self._lay_out(reading, Arcs.joined([arcs, others]), flow)

    def _others(self, reading: Reading) -> Arcs:
        """Return every possible arc that the engine was not handed."""
        market, question = reading.question.market, reading.question
        offer_at, need_at = reading.positions(market.offers, reading.offers), reading.positions(market.needs, reading.needs)
        rows = Arcs.joined([question.arcs(position) for position in range(len(market.offers))])
        moved = Arcs(offer_at[rows.offer], need_at[rows.need], rows.effort, rows.most, rows.minimum, rows.kept)
        here = np.flatnonzero((moved.offer >= 0) & (moved.need >= 0))
        moved = moved.picked(here)
        width = max(1, self._needs)
        return moved.picked(
            np.flatnonzero(~np.isin(moved.offer * width + moved.need, reading.problem.offer * width + reading.problem.need))
        )

    def _lay_out(self, reading: Reading, arcs: Arcs, flow: Ints) -> None:
        problem = reading.problem
        first_need, first_claim, root = self._offers, self._offers + self._needs, self._root
        given, taken = np.zeros(self._offers, dtype=np.int64), np.zeros(self._needs, dtype=np.int64)
        np.add.at(given, arcs.offer, flow)
        np.add.at(taken, arcs.need, flow)
        covered = np.zeros(len(problem.tier), dtype=np.int64)
        np.add.at(covered, problem.claim, taken)
        claims, bonus = np.arange(len(problem.tier)), problem.hysteresis * self.worth
        gains = self.worth * urgency_of(problem, claims, covered)
        loses = self.worth * urgency_of(problem, claims, np.maximum(0, covered - 1))
        offer, need = arcs.offer, arcs.need + first_need
        needs, claim = np.arange(self._needs) + first_need, problem.claim + first_claim
        nothing = np.zeros_like(needs)
        offers, free = np.arange(self._offers), np.zeros(self._offers, dtype=np.int64)
        at_root = np.full(self._offers, root)
        parts = [
            (flow < arcs.most, offer, need, arcs.effort - bonus * (flow < arcs.kept)),
            (flow > 0, need, offer, bonus * (flow <= arcs.kept) - arcs.effort),
            (given < problem.supply, at_root, offers, free),
            (given > 0, offers, at_root, free),
            (taken < problem.demand, needs, claim, nothing),
            (taken > 0, claim, needs, nothing),
            (np.ones(len(claims), dtype=bool), claims + first_claim, np.full(len(claims), root), -gains),
            (covered > 0, np.full(len(claims), root), claims + first_claim, loses),
        ]
        self._start, self._end, self._cost = (
            np.concatenate([np.asarray(part[column], dtype=np.int64)[part[0]] for part in parts]) for column in (1, 2, 3)
        )

    def from_offers(self, need: int) -> Ints:
        """Return what a unit more from each offer to this need would cost besides its way; positions are the reading's."""
        return self._shortest(self._offers + need, self._start, self._end)[: self._offers]

    def to_needs(self, offer: int) -> Ints:
        """Return what a unit more from this offer to each need would cost besides its way."""
        return self._shortest(offer, self._end, self._start)[self._offers : self._offers + self._needs]

    def _shortest(self, source: int, start: Ints, end: Ints) -> Ints:
        """Return the least cost from a node to every other, by rounds over all arcs (Bellman and Ford).

        Costs may be below 0, but in an optimum no ring of them adds up to less than 0, so a shortest path visits each node once.
        """
        least = np.full(self._root + 1, FAR, dtype=np.int64)
        least[source] = 0
        for _ in range(self._root + 1):
            before = least.copy()
            known = least[start] < FAR // 2
            np.minimum.at(least, end[known], least[start[known]] + self._cost[known])
            if np.array_equal(before, least):
                break
        return least
