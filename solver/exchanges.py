"""Whether a unit could be moved to where it counts more: a search of what can move, which knows no pressure and no effort."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from solver.problem import Ints, Problem

__all__ = ["Exchange", "improving_exchanges", "tier_inversions"]

Rank = Callable[[int, int], Any]  # of a claim's unit after so many further ones; what is less counts more


@dataclass(frozen=True, slots=True)
class Exchange:
    """A unit that could be moved, over any chain of offers and needs, to where it counts more."""

    giver: int | None  # the claim that would give its last unit; None: an offer has one left over
    taker: int  # the claim that would get it


def improving_exchanges(problem: Problem, flow: Ints, *, asked: Ints | None = None) -> list[Exchange]:
    """Return an exchange for each claim that could get a unit of less rank than the one given up for it; none: the flow is fair.

    A flow without one has the greatest total urgency, as coverages that a flow can reach form an M-convex set, on which what no
    single exchange betters nothing betters. Effort is not looked at, nor is what was kept.

    Parameters
    ----------
    problem : Problem
        What was asked. A unit's rank is its tier, then its level.
    flow : (A,) int64
        Units on each arc, from any solver.
    asked : (K,) int64, optional
        What each claim asked for. Given, a unit's rank is its tier, then the exact share (received + taken before) / asked, as
        `ratio` has it without rounding to levels; all beyond the whole counts the same.

    Returns
    -------
    list of Exchange
        One for each claim that could gain, with the giver whose unit counts least.

    Notes
    -----
    One search, O(arcs + claims log claims): whoever can give is let to spread in order of rank, least urgent first, so that
    each offer, need and claim is entered once, by the least urgent unit that can reach it.

    References
    ----------
    A. Frank, K. Murota, Decreasing minimization on M-convex sets: background and structures, Mathematical Programming 195, 2022.
    """
    tier, received = problem.tier.tolist(), problem.received.tolist()
    if asked is not None:
        whole = np.maximum(asked, 1).tolist()
        return _exchanges(problem, flow, lambda k, taken: (tier[k], min(Fraction(received[k] + taken, whole[k]), Fraction(1))))
    rise, run, top = problem.rise.tolist(), problem.run.tolist(), problem.levels - 1
    return _exchanges(problem, flow, lambda k, taken: (tier[k], min(top, (received[k] + taken) * rise[k] // run[k])))


def tier_inversions(problem: Problem, flow: Ints) -> list[Exchange]:
    """Return an exchange for each claim that could get a unit from a later tier, or from what is left over; none: no tier gives way.

    Cost and source are those of `improving_exchanges`.

    Parameters
    ----------
    problem : Problem
        What was asked; only who may exchange with whom, and tiers, are looked at.
    flow : (A,) int64
        Units on each arc, from any solver.

    Returns
    -------
    list of Exchange
        One for each claim that could gain, with the giver of the latest tier.
    """
    tier = problem.tier.tolist()
    return _exchanges(problem, flow, lambda k, _: (tier[k],))


def _exchanges(problem: Problem, flow: Ints, rank: Rank) -> list[Exchange]:
    ways = _Ways(problem, flow)
    covered = ways.covered
    sources: list[tuple[Any, int | None, int]] = [(rank(k, units - 1), k, ways.claims + k) for k, units in enumerate(covered) if units]
    sources.sort(key=lambda source: source[0], reverse=True)
    last = (len(problem.tier) + 4,)  # What is left over counts less than anybody's last unit.
    sources = [(last, None, offer) for offer in ways.with_leftover] + sources
    entered = [False] * ways.nodes
    found: list[Exchange] = []
    for least, giver, start in sources:
        if entered[start]:
            continue
        entered[start] = True
        stack = [start]
        while stack:
            for node in ways.onward(stack.pop()):
                if entered[node]:
                    continue
                entered[node] = True
                stack.append(node)
                taker = node - ways.claims
                if taker >= 0 and rank(taker, covered[taker]) < least:
                    found.append(Exchange(giver, taker))
    return found


class _Ways:
    """Where one unit more can go on to: offers are nodes 0 to M - 1, needs and claims follow."""

    def __init__(self, problem: Problem, flow: Ints) -> None:
        offers, needs = len(problem.supply), len(problem.demand)
        self.needs, self.claims = offers, offers + needs
        self.nodes = offers + needs + len(problem.tier)
        largest = np.minimum(np.minimum(problem.supply[problem.offer], problem.demand[problem.need]), problem.most)
        room = np.where(largest >= problem.minimum, problem.most, 0)
        given, taken = np.zeros_like(problem.supply), np.zeros_like(problem.demand)
        np.add.at(given, problem.offer, flow)
        np.add.at(taken, problem.need, flow)
        covered = np.zeros_like(problem.tier)
        np.add.at(covered, problem.claim, taken)
        self.covered: list[int] = covered.tolist()
        self.with_leftover: list[int] = np.flatnonzero(given < problem.supply).tolist()
        to, back = flow < room, flow > 0
        absorbing, displaced = np.flatnonzero(taken < problem.demand), np.flatnonzero(taken > 0)
        start = [problem.offer[to], offers + problem.need[back], offers + absorbing, self.claims + problem.claim[displaced]]
        end = [offers + problem.need[to], problem.offer[back], self.claims + problem.claim[absorbing], offers + displaced]
        starts, ends = np.concatenate(start), np.concatenate(end)
        order = np.argsort(starts, kind="stable")
        self._end: list[int] = ends[order].tolist()
        self._first: list[int] = np.searchsorted(starts[order], np.arange(self.nodes + 1)).tolist()

    def onward(self, node: int) -> list[int]:
        return self._end[self._first[node] : self._first[node + 1]]
