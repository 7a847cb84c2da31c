"""One market's optimum, followed while changes are tried on it; the plan itself is left as it is.

Of all plans that are equally good it is the one that gives a single need least, so that what is enough here is enough in each of
them. For that, efforts count twice and a unit that comes to this need one more: a chain of exchanges enters a need once at most,
so the one more decides between equals and nothing else.
"""

from collections.abc import Collection, Iterator
from copy import copy
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from coordinator.network import Stance
from coordinator.problems import MOST_PAIRS, NO_LIMIT, Claim, Question, least
from solver import Arcs, Field, Problem
from solver.minimums import close_hopeless, mend

__all__ = ["Trial"]

Ints = NDArray[np.int64]
Terms = tuple[Claim, int, int, int]  # a claim, what it received, and its staircase: rise and run

FIRST, AT_ONCE = 4, 16  # arcs of each offer: laid out at the start, and added at most in the first round
EACH_NEED = 2  # arcs of each need added at most in one round


class Trial:
    """Offers and needs are positions in the question's market, and further ones that are tried."""

    def __init__(self, question: Question, need: Stance, likely: Collection[tuple[str, str]] = ()) -> None:
        """Find the optimum; `likely` pairs (refs of offer and need) save rounds. Raises `solver.TooLarge` beyond 64 bits."""
        market = question.market
        self.question = question
        self.here = next(position for position, one in enumerate(market.needs) if one.ref == need.ref)
        self._rows = [question.arcs(each) for each in range(len(market.offers))] if _fits(question) else None
        self._all = Arcs.joined(self._rows or [])
        self._all_efforts = self._tilted(self._all)
        self._need_at = np.arange(len(market.needs))  # positions in the field
        self._claim_at = {terms: position for position, terms in enumerate(_terms(question))}
        self._terms = _terms_of_needs(question)
        self._minimum: list[int] = []  # of each arc of the field
        self._known: dict[tuple[int, int], int] = {}  # arc of each pair
        self._extra, self._opens, self._until = Arcs.joined([]), np.zeros(0, dtype=np.int64), 0
        at = {one.ref: position for position, one in enumerate(market.needs)}
        by_offer: dict[str, list[int]] = {}
        for offer_ref, need_ref in likely:
            by_offer.setdefault(offer_ref, []).append(at.get(need_ref, -1))
        arcs = Arcs.joined([self._at_first(each, by_offer.get(offer.ref, [])) for each, offer in enumerate(market.offers)])
        nothing, effort = np.zeros_like(arcs.most), self._tilted(arcs)
        problem = replace(
            question.nodes(), offer=arcs.offer, need=arcs.need, effort=effort, most=arcs.most, minimum=nothing, kept=arcs.kept
        )
        self._farthest = self._longest_way()
        self.field = Field(problem, farthest=2 * self._farthest + 1)
        self._note(arcs, 0)
        self.settle()

    def copy(self) -> "Trial":
        """Return another to try things on, in the same state."""
        other = copy(self)
        other.field, other._need_at = self.field.copy(), self._need_at.copy()
        other._terms, other._claim_at = list(self._terms), dict(self._claim_at)
        other._minimum, other._known = list(self._minimum), dict(self._known)
        return other

    # -- what is tried ------------------------------------------------------------------------------------------------

    def add_offer(self, arcs: Arcs) -> int:
        """Return the position of a new offer that has nothing yet, with these arcs."""
        self._reach(arcs)
        offer = self.field.add_offer(0, self._need_at[arcs.need].tolist(), self._tilted(arcs).tolist(), arcs.most.tolist())
        self._note(replace(arcs, offer=np.full_like(arcs.need, offer)), len(self._minimum))
        return offer

    def lay_out(self, offer: int) -> None:
        """Add every arc of an offer: nothing moves by that, but where it gets much more, none has to be looked for."""
        self._add(self._row(offer))

    def learn(self, other: "Trial") -> None:
        """Lay out the pairs that mattered to another trial and are possible without what was tried there; nothing moves by that."""
        new: dict[int, list[int]] = {}
        for offer, need in other._known.keys() - self._known.keys():
            new.setdefault(offer, []).append(need)
        for offer in sorted(offer for offer in new if offer < len(self.question.supply)):
            row = self._row(offer)
            self._add(row.picked(np.flatnonzero(np.isin(row.need, new[offer]))))

    def extend(self, arcs: Arcs, opens: Ints) -> None:
        """Make further pairs possible (instead of those of an earlier call), each from the value on at which it `opens`."""
        self._reach(arcs)
        self._extra, self._opens, self._until = arcs, opens, int(opens.min(initial=1)) - 1

    def widen(self, until: int) -> None:
        """Open the further pairs up to this value."""
        self._until = until
        self.settle()

    def supply(self, offer: int, units: int) -> None:
        """Let an offer have so many units more; further pairs may wait for that, so `widen` follows."""
        self.field.offer_changes(offer, units)

    def reclaim(self, question: Question) -> None:
        """Let needs count as the claims that they are in another question about the same market."""
        for need, terms in enumerate(_terms_of_needs(question)):
            if terms != self._terms[need]:
                claim, received, rise, run = terms
                if terms not in self._claim_at:
                    self._claim_at[terms] = self.field.add_claim(claim[2], rise, run, received)
                self._move(need, int(question.demand[need]), self._claim_at[terms])
                self._terms[need] = terms
        self.settle()

    def _move(self, need: int, units: int, claim: int) -> None:
        """Begin a need anew as another claim's, with the arcs it had."""
        self.field.need_changes(int(self._need_at[need]), -units)
        self._need_at[need] = self.field.add_need(claim, units)
        offers = [offer for offer, end in self._known if end == need]
        for offer in offers:
            del self._known[offer, need]
            row = self._row(offer)
            self._add(row.picked(np.flatnonzero(row.need == need)))

    def settle(self) -> None:
        """Add pairs until none of those left out would gain: then it is the optimum over all of them.

        Of each offer a few at first, then twice as many each time: most changes matter to few, but much supply at one place to all.
        """
        at_most = AT_ONCE
        while True:
            offer_pressure, need_pressure, _ = self.field.pressures()
            at_need = need_pressure[self._need_at]
            found = [self._gaining(rows, offer_pressure, at_need, at_most) for rows in self._rows_to_look_at(offer_pressure, at_need)]
            open_now = self._extra.picked(np.flatnonzero(self._opens <= self._until))
            found.append(self._gaining(open_now, offer_pressure, at_need, at_most))
            if not self._add(_best_of_needs(Arcs.joined([arcs for arcs, _ in found]), np.concatenate([gain for _, gain in found]))):
                return
            at_most *= 2

    # -- what it leads to ---------------------------------------------------------------------------------------------

    def covered_grains(self) -> Ints:
        """Return what each need of the market gets."""
        grains: Ints = self.covered_units() * self.question.step
        return grains

    def covered_units(self) -> Ints:
        """Return the same in units."""
        if not any(self._minimum) and self.question.pack is None:
            return self.field.coverage()[self._need_at]
        problem, flow = self._moving()
        units = np.zeros_like(problem.demand)
        np.add.at(units, problem.need, flow)
        return units[self._need_at]

    def of_use(self) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the offers that could be of use to the need, before anything was tried, and the parts they give: (need, units).

        An offer is of use if it can reach the need, or can reach somebody who then lets go of one that is.
        """
        problem, flow = self._moving()
        carrying = np.flatnonzero(flow)
        full = set(zip(*(ends[flow >= problem.most].tolist() for ends in (problem.offer, problem.need)), strict=True))
        of_use, wanting = np.zeros(len(problem.supply), dtype=bool), np.zeros(len(problem.demand), dtype=bool)
        wanting[self.here] = growing = True
        while growing:
            for offer in np.flatnonzero(~of_use).tolist():
                arcs = self._row(offer)
                of_use[offer] = any((offer, need) not in full for need in arcs.need[wanting[arcs.need]].tolist())
            users = problem.need[carrying][of_use[problem.offer[carrying]]]
            growing = not wanting[users].all()
            wanting[users] = True
        parts = carrying[of_use[problem.offer[carrying]]]
        return np.flatnonzero(of_use).tolist(), list(zip(problem.need[parts].tolist(), flow[parts].tolist(), strict=True))

    def _moving(self) -> tuple[Problem, Ints]:
        """Return the problem as it stands and what moves on its arcs, parts below their minimum and broken packs mended."""
        problem, flow = replace(self.field.problem(), minimum=np.array(self._minimum, dtype=np.int64)), self.field.flow()
        if (pack := self.question.pack) is not None:  # Offers that are tried come in units that hold every pack.
            problem = replace(problem, pack=np.pad(pack, (0, len(problem.supply) - len(pack)), constant_values=1))
        return problem, mend(close_hopeless(problem), flow)[0]

    # -- inside -------------------------------------------------------------------------------------------------------

    def _rows_to_look_at(self, offer_pressure: Ints, need_pressure: Ints) -> Iterator[Arcs]:
        """Yield the arcs of each offer, where all are held at once only of those offers of which any gain."""
        if self._rows is None:
            yield from map(self._row, range(len(self.question.supply)))
            return
        gains = need_pressure[self._all.need] - offer_pressure[self._all.offer] > self._all_efforts
        for offer in np.unique(self._all.offer[gains]).tolist():
            yield self._rows[offer]

    def _row(self, offer: int) -> Arcs:
        return self.question.arcs(offer) if self._rows is None else self._rows[offer]

    def _longest_way(self) -> int:
        """Return an effort that no pair of the question exceeds."""
        if self._rows is None:
            return self.question.market.farthest_m() * int(self.question.weight.max(initial=1))
        return max((int(row.effort.max(initial=0)) for row in self._rows), default=0)

    def _reach(self, arcs: Arcs) -> None:
        """Let a step of urgency outweigh longer ways than were possible before: else none of these would seem to gain."""
        longest = int(arcs.effort.max(initial=0))
        if longest > self._farthest:
            self._farthest = longest
            self.field = Field(self.field.problem(), farthest=2 * longest + 1)

    def _at_first(self, offer: int, likely: list[int]) -> Arcs:
        arcs = self._row(offer)
        return arcs.picked(np.union1d(least(arcs.effort, FIRST), np.flatnonzero((arcs.kept > 0) | np.isin(arcs.need, likely))))

    def _tilted(self, arcs: Arcs) -> Ints:
        effort: Ints = 2 * arcs.effort + (arcs.need == self.here)
        return effort

    def _gaining(self, arcs: Arcs, offer_pressure: Ints, need_pressure: Ints, at_most: int) -> tuple[Arcs, Ints]:
        """Return the arcs of a row that would gain most, and how much."""
        gain = need_pressure[arcs.need] - offer_pressure[arcs.offer] - self._tilted(arcs)
        would = np.flatnonzero(gain > 0)
        if (arcs.most[would] < NO_LIMIT).any():  # Of one that is full, a unit more would gain for ever.
            pairs = zip(arcs.offer[would].tolist(), arcs.need[would].tolist(), strict=True)
            would = would[[pair not in self._known for pair in pairs]]
        would = would[least(-gain[would], at_most)]
        return arcs.picked(would), gain[would]

    def _note(self, arcs: Arcs, first: int) -> None:
        self._minimum += arcs.minimum.tolist()
        for arc, pair in enumerate(zip(arcs.offer.tolist(), arcs.need.tolist(), strict=True), first):
            self._known[pair] = arc

    def _add(self, arcs: Arcs) -> bool:
        """Add those arcs that the field does not know; return whether there were any."""
        ends = zip(arcs.offer.tolist(), arcs.need.tolist(), strict=True)
        new = arcs.picked(np.array([row for row, pair in enumerate(ends) if pair not in self._known], dtype=np.int64))
        columns = (new.offer, self._need_at[new.need], self._tilted(new), new.most)
        for arc, kept in zip(self.field.add_arcs(*(column.tolist() for column in columns)), new.kept.tolist(), strict=True):
            if kept:
                self.field.keep(arc, kept)
        self._note(new, len(self._minimum))
        return bool(len(new.offer))


def _fits(question: Question) -> bool:
    return len(question.supply) * len(question.demand) <= MOST_PAIRS


def _best_of_needs(arcs: Arcs, gain: Ints) -> Arcs:
    """Return those that gain most of each need, a few, the best first: what a need gets from one it seldom gets from many."""
    order = np.lexsort((arcs.offer, -gain, arcs.need))
    need = arcs.need[order]
    first = np.flatnonzero(np.diff(need, prepend=-1))
    rank = np.arange(len(need)) - np.repeat(first, np.diff(np.append(first, len(need))))
    few = order[rank < EACH_NEED]
    return arcs.picked(few[np.argsort(-gain[few], kind="stable")])


def _terms(question: Question) -> list[Terms]:
    """Return each claim with what decides how urgent its next unit is."""
    nodes = question.nodes()
    columns = (nodes.received, nodes.rise, nodes.run)
    return list(zip(question.claims, *(column.tolist() for column in columns), strict=True))


def _terms_of_needs(question: Question) -> list[Terms]:
    of_claims = _terms(question)
    return [of_claims[position] for position in question.claim.tolist()]
