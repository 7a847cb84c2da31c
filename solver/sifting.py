"""The exact answer over all possible arcs, of which few are ever handed to the engine.

Sifting (Bixby, Gregory, Lustig, Marsten, Shanno: Very large-scale linear programming, Operations Research 40, 1992), also known
as delayed column generation: solve with a few arcs, price all others by the pressures, add those that would gain, repeat. When none
would, the pressures prove the answer optimal over the complete set.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np

from solver.fairness import level_if_free, level_of, units_below, urgency_of, worth_of
from solver.pressure import Pressures
from solver.problem import Allocation, Ints, Problem
from solver.solving import answer, relax

__all__ = ["Arcs", "Candidates", "DenseCandidates", "solve_on_demand"]

FIRST_ARCS = 8  # of each offer, handed to the engine at the start
MORE_ARCS = 16  # of each offer, added at most in one round
FEW_ARCS = 1_000  # in all: so many are solved at once sooner than they are sifted


@dataclass(frozen=True, slots=True, eq=False)
class Arcs:
    """Some arcs, in any order; the fields are those of `Problem`, all (A,)."""

    offer: Ints
    need: Ints
    effort: Ints
    most: Ints
    minimum: Ints
    kept: Ints

    @classmethod
    def joined(cls, parts: Sequence["Arcs"]) -> "Arcs":
        """Return all parts, one after the other; no arcs where there are none."""
        none = np.zeros(0, dtype=np.int64)
        return cls(*(np.concatenate([none, *(getattr(part, field.name) for part in parts)]) for field in fields(cls)))

    def picked(self, positions: Ints) -> "Arcs":
        """Return the arcs at some positions, in their order."""
        return Arcs(*(getattr(self, field.name)[positions] for field in fields(self)))


class Candidates(Protocol):
    """All arcs that are possible between the offers and needs of a problem, given out on demand."""

    @property
    def farthest(self) -> int:
        """The greatest effort any of them has."""

    def all_of(self, at_most: int) -> Arcs | None:
        """Return every arc there is, None where they are more than ``at_most``, or where nobody knows without looking."""

    def nearest(self, at_most: int) -> Arcs:
        """Return the ``at_most`` arcs of least effort of each offer, and every arc that has something kept."""

    def cheaper(self, offer_pressure: Ints, need_pressure: Ints, at_most: int) -> Arcs:
        """Return arcs with effort < need_pressure - offer_pressure: of each offer the ``at_most`` that gain most.

        Fewer than ``at_most`` of an offer mean that it has no more of them. The best few of each need may come on top, which
        saves rounds. Arcs given before may come again. Arcs with something kept need not: `nearest` gave them all.
        """


class DenseCandidates:
    """Candidates from arrays that hold every arc there is."""

    def __init__(self, arcs: Arcs) -> None:
        in_order = bool(np.all(arcs.offer[1:] >= arcs.offer[:-1]))
        self._arcs = arcs if in_order else arcs.picked(np.argsort(arcs.offer, kind="stable"))
        self._first = np.flatnonzero(np.diff(self._arcs.offer, prepend=-1))
        self._end = np.append(self._first, len(self._arcs.offer))[1:]
        self._kept = np.flatnonzero(self._arcs.kept > 0)

    @property
    def farthest(self) -> int:
        """The greatest effort any arc has."""
        return int(self._arcs.effort.max(initial=0))

    def all_of(self, at_most: int) -> Arcs | None:
        """Return every arc there is, None where they are more than ``at_most``."""
        return self._arcs if len(self._arcs.offer) <= at_most else None

    def nearest(self, at_most: int) -> Arcs:
        """Return the ``at_most`` arcs of least effort of each offer, and every arc that has something kept."""
        chosen = [self._kept, *self._least_of_offers(self._arcs.effort, at_most, self._first, self._end)]
        return self._arcs.picked(np.concatenate(chosen))

    def cheaper(self, offer_pressure: Ints, need_pressure: Ints, at_most: int) -> Arcs:
        """Return arcs with effort < need_pressure - offer_pressure: of each offer the ``at_most`` that gain most, of each need two."""
        loss = offer_pressure[self._arcs.offer] - need_pressure[self._arcs.need] + self._arcs.effort
        gaining = np.flatnonzero(loss < 0)
        if not len(gaining):
            return self._arcs.picked(gaining)
        offers = np.minimum.reduceat(loss, self._first) < 0
        of_offers = np.concatenate(self._least_of_offers(loss, at_most, self._first[offers], self._end[offers]))
        of_offers = of_offers[loss[of_offers] < 0]
        if 2 * len(gaining) > len(loss):  # Pressures that let most arcs gain are far from the last ones: no use in looking closer.
            return self._arcs.picked(of_offers)
        of_needs = self._least_of_needs(loss, gaining)
        loss[of_needs] = 0  # Taken: what is least now is each need's second.
        return self._arcs.picked(np.concatenate((of_offers, of_needs, self._least_of_needs(loss, gaining[loss[gaining] < 0]))))

    @staticmethod
    def _least_of_offers(value: Ints, at_most: int, firsts: Ints, ends: Ints) -> list[Ints]:
        """Return the positions of the ``at_most`` arcs of least value in each stretch, which is one offer's."""
        return [
            first + np.argpartition(value[first:end], at_most - 1)[:at_most] if end - first > at_most else np.arange(first, end)
            for first, end in zip(firsts.tolist(), ends.tolist(), strict=True)
        ]

    def _least_of_needs(self, value: Ints, among: Ints) -> Ints:
        """Return the positions of each need's arc of least value, the first of equals."""
        need, value_among = self._arcs.need[among], value[among]
        least = np.zeros(int(need.max(initial=-1)) + 1, dtype=np.int64)
        np.minimum.at(least, need, value_among)
        at_least = among[value_among == least[need]]
        _, first = np.unique(self._arcs.need[at_least], return_index=True)
        chosen: Ints = at_least[first]
        return chosen


def solve_on_demand(nodes: Problem, candidates: Candidates) -> tuple[Problem, Allocation]:
    """Return the problem with the arcs that mattered and its allocation, which is optimal over all the candidates.

    Parameters
    ----------
    nodes : Problem
        Offers, needs and claims; no arcs yet.
    candidates : Candidates
        All arcs there may be: `DenseCandidates` from arrays, or whatever finds them when asked.

    Returns
    -------
    problem : Problem
        ``nodes`` with the arcs that mattered.
    allocation : Allocation
        Its answer; the pressures prove it over all candidates, and the same arrays give the same one.

    Raises
    ------
    TooLarge, EngineFault
        As `solver.solve` does.

    Notes
    -----
    Where all candidates are few they are handed over at once: then nothing has to be sifted.
    """
    few = candidates.all_of(FEW_ARCS)
    if few is not None:
        problem = _with_arcs(nodes, _united(nodes, few))
        worth = worth_of(problem)
        return problem, answer(problem, worth, *relax(problem, worth))
    known = _united(nodes, candidates.nearest(FIRST_ARCS))
    worth = worth_of(_with_arcs(nodes, known), candidates.farthest)
    if nodes.levels > 1:
        known = _sift(_roughly(nodes), candidates, known, worth)[0]
    known, flow, pressures = _sift(nodes, candidates, known, worth)
    problem = _with_arcs(nodes, known)
    return problem, answer(problem, worth, flow, pressures)


def _sift(nodes: Problem, candidates: Candidates, known: Arcs, worth: int) -> tuple[Arcs, Ints, Pressures]:
    """Return enough arcs for the optimum over all candidates, ``known`` among them, the optimal flow on them and its pressures."""
    claims = np.arange(len(nodes.tier))
    urgency = urgency_of(_with_arcs(nodes, known), claims, np.zeros_like(claims))
    if len(np.unique(urgency)) > 1:  # Else the most urgent are simply the nearest.
        at_start = np.where(nodes.demand > 0, worth * urgency[nodes.claim], 0)
        known = _united(nodes, known, candidates.cheaper(np.zeros_like(nodes.supply), at_start, FIRST_ARCS))
    at_most = MORE_ARCS
    while True:
        flow, pressures = relax(_with_arcs(nodes, known), worth)
        offer_pressure, need_pressure, _ = pressures
        more = candidates.cheaper(offer_pressure, need_pressure, at_most)
        united = _united(nodes, known, more)
        if len(united.offer) > len(known.offer):
            known, at_most = united, MORE_ARCS
        elif len(more.offer) and int(np.bincount(more.offer).max()) >= at_most:
            at_most *= 2  # Only arcs came that are known and full: others may hide behind them.
        else:
            return known, flow, pressures


def _roughly(nodes: Problem) -> Problem:
    """Return the same nodes with claims cut to what they would take if all supply could go anywhere, in two levels.

    Its optimum wants nearly the same arcs as the whole staircase, and is found sooner: efforts alone move its pressures.
    """
    reach = np.zeros_like(nodes.tier)
    np.add.at(reach, nodes.claim, nodes.demand)
    claims = np.arange(len(reach))
    level = np.minimum(level_if_free(nodes, reach, int(nodes.supply.sum())), nodes.levels - 1)
    some = level >= level_of(nodes, claims, np.zeros_like(reach))
    top = np.where(some, np.minimum(units_below(nodes, claims, level + 1), reach), 0)
    sure = np.where(some, np.minimum(units_below(nodes, claims, level), reach), 0)
    return replace(
        nodes,
        demand=np.minimum(nodes.demand, top[nodes.claim]),
        received=np.where(sure > 0, 0, 1),
        rise=np.ones_like(reach),
        run=np.maximum(sure, 1),
        levels=2,
    )


def _united(nodes: Problem, *parts: Arcs) -> Arcs:
    """Return all parts together, each pair once, by offer and need."""
    together = Arcs.joined(parts)
    _, first = np.unique(together.offer * len(nodes.demand) + together.need, return_index=True)
    return together.picked(first)


def _with_arcs(nodes: Problem, arcs: Arcs) -> Problem:
    return replace(nodes, **{field.name: getattr(arcs, field.name) for field in fields(arcs)})
