"""Every market as it stands, with its optimum and its pressures: read off the kept field where that is current, else solved once.

Nothing is planned or proposed here, and the planner is left as it was.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from coordinator.commitments import Book, State
from coordinator.matching import Group, Market, groups
from coordinator.network import Network, Stance, Thing
from coordinator.planning import Planner
from coordinator.problems import Claim, Question
from solver import Allocation, Problem, broken_rules, read_pressure, solve_on_demand

__all__ = ["Certificate", "Layout", "Pressure", "Reading", "asked_by_trees", "certificates", "readings"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, order=True)
class Pressure:
    """What one unit more would serve; the most urgent comes first in order."""

    tier: int
    level: int  # portions or shares that the claim it would serve has already
    effort: int  # of its whole way in metres, times the relative weight of what moves; below 0 where others' ways get shorter


@dataclass(slots=True)
class Layout(Planner):
    """A planner that lays markets out as questions and answers none of them."""

    taken: Mapping[str, int] = field(default_factory=dict)  # grains of signals that are not to be counted as open

    @classmethod
    def like(cls, planner: Planner, taken: Mapping[str, int] | None = None) -> "Layout":
        """Return one that sees what this planner sees, less the grains `taken` of signals, and counts portions as it does today."""
        return cls(planner.network, planner.book, _portions=dict(planner._portions), taken=taken or {})

    def unpromised(self, stance: Stance) -> int:
        """Return the grains of a signal that nothing holds, whether its window has closed or not."""
        return max(0, self._unpromised(stance) - self.taken.get(stance.ref, 0))

    def questions(self, log_us: int, only: Thing | None = None, closed: Stance | None = None) -> Iterator[tuple[Group, Question]]:
        """Yield each market that has open needs (of one canonical thing, if asked), one dimension at a time.

        What has closed is in none of them but for one signal, `closed`, that shall count as if it were open.
        """
        for key, things in groups(self.network).items():
            if only is not None and only not in key:
                continue
            stances = sorted((stance for thing in things for stance in self.network.live(thing)), key=lambda stance: stance.ref)
            for dimension in sorted({stance.dimension for stance in stances}):
                open_grains = {
                    one.ref: 0 if one.is_over(log_us) and one is not closed else self.unpromised(one)
                    for one in stances
                    if one.dimension == dimension
                }
                some = [one for one in stances if open_grains.get(one.ref)]
                needs = [one for one in some if not one.is_supply]
                if needs:
                    market = Market(self.network, self.book, [one for one in some if one.is_supply], needs, log_us)
                    yield key, self.question(market, open_grains, {need.ref: self.book.claim_of(need) for need in needs})

    def question(self, market: Market, available: Mapping[str, int], claims: Mapping[str, Claim]) -> Question:
        """Return a market as a question to the solver, in the units and portions that planning would count."""
        portions = self._portions_of(market.needs, available, claims, market.log_us)
        step = self._step_grains(market, available, claims, portions)
        return Question(self.book, market, step, available, claims, portions)


@dataclass(frozen=True, slots=True)
class Reading:
    """One market with an optimum; positions in `offers` and `needs` are those of the problem, where some may be over (0 units)."""

    key: Group
    question: Question
    offers: Sequence[Stance]
    needs: Sequence[Stance]
    problem: Problem
    allocation: Allocation
    step_grains: int
    is_kept: bool  # whether it was read off the planner's field

    @property
    def covered(self) -> Ints:
        """What each need gets, in units."""
        taken = np.zeros(len(self.needs), dtype=np.int64)
        np.add.at(taken, self.problem.need, self.allocation.flow)
        return taken

    @property
    def given(self) -> Ints:
        """What each offer gives, in units."""
        gone = np.zeros(len(self.offers), dtype=np.int64)
        np.add.at(gone, self.problem.offer, self.allocation.flow)
        return gone

    def pressure(self, worth: int) -> Pressure | None:
        """Return a pressure of the problem for people; None where one unit more would serve nobody better."""
        told = read_pressure(worth, self.problem, self.allocation)
        return None if told is None else Pressure(*told)

    def positions(self, stances: Sequence[Stance], among: Sequence[Stance]) -> Ints:
        """Return where some of the market's signals are in `offers` or `needs`, -1 if nowhere; of one said anew, its latest words."""
        at = {one.ref: position for position, one in enumerate(among)}
        return np.array([at.get(one.ref, -1) for one in stances], dtype=np.int64)


def readings(planner: Planner, log_us: int, only: Thing | None = None, taken: Mapping[str, int] | None = None) -> Iterator[Reading]:
    """Yield every market that has open needs (of one canonical thing, if asked), with its optimum; grains `taken` count as gone.

    Markets of signals that something is taken of are solved anew: what the planner keeps counts all of it.
    """
    stances, canonical = planner.network.stances, planner.network.canonical
    touched = {canonical(stances[ref].thing) for ref, grains in (taken or {}).items() if grains and ref in stances}
    for key, question in Layout.like(planner, taken).questions(log_us, only):
        yield (_kept(planner, key, question) if touched.isdisjoint(key) else None) or solved(key, question)


def asked_by_trees(book: Book) -> Counter[str]:
    """Return the grains of each signal that trees of making ask for in open proposals: a market's own optimum knows nothing of these."""
    asked = Counter[str]()
    for deal in book.deals.values():
        if deal.state is State.PROPOSED and deal.is_tree:
            for agent in deal.parties:
                asked.update(deal.asks_of(agent))
    return asked


def solved(key: Group, question: Question) -> Reading:
    """Return a market with its optimum, found from nothing."""
    problem, allocation = solve_on_demand(question.nodes(), question.candidates())
    market = question.market
    return Reading(key, question, market.offers, market.needs, problem, allocation, question.step, is_kept=False)


def _kept(planner: Planner, key: Group, question: Question) -> Reading | None:
    """Return a market as the planner keeps it, if it does and nothing that matters moved since its last cycle."""
    known, log_us = planner.solved.get(key), question.market.log_us
    if known is None or known.kept is None or planner.network.changed_everywhere or (known.again_us or log_us + 1) <= log_us:
        return None
    kept = known.kept
    if kept.dimension != question.market.needs[0].dimension:
        return None
    problem, allocation = kept.answer()
    reading = Reading(key, question, kept.offers, kept.needs, problem, allocation, kept.step, is_kept=True)
    return None if _has_moved(reading, planner.network) else reading


def _has_moved(reading: Reading, network: Network) -> bool:
    """Return whether anything was said or promised since: proposals that a cycle itself took back or made move nothing."""
    changed = set[str]().union(*network.changed.values())
    for stance, among, position, grains, counted in _amounts(reading):
        is_open = not stance.is_over(reading.question.market.log_us)
        anew = position < 0 or among[position] is not stance
        if is_open and (anew or (grains != counted and stance.ref in changed)):
            return True
        changed.discard(stance.ref)
    for among, units in ((reading.offers, reading.problem.supply), (reading.needs, reading.problem.demand)):
        if any(among[position].ref in changed for position in np.flatnonzero(units).tolist()):
            return True  # It is counted on, and gives or takes nothing any more.
    offer_at = reading.positions(reading.question.market.offers, reading.offers)
    need_at = reading.positions(reading.question.market.needs, reading.needs)
    for position, offer in enumerate(offer_at.tolist()):
        for need, grains in reading.question.market.limits_of(position):
            pair = (reading.problem.offer == offer) & (reading.problem.need == need_at[need])
            if (reading.problem.most[pair] != grains // reading.step_grains).any():
                return True
    return False


def _amounts(reading: Reading) -> Iterator[tuple[Stance, Sequence[Stance], int, int, int]]:
    """Yield each signal that stands: where it is looked for and at what position, its grains, and those the solver counts."""
    question, problem = reading.question, reading.problem
    sides = (
        (question.market.offers, reading.offers, question.supply, problem.supply),
        (question.market.needs, reading.needs, question.demand, problem.demand),
    )
    for stances, among, here, there in sides:
        for stance, units, position in zip(stances, here.tolist(), reading.positions(stances, among).tolist(), strict=True):
            yield stance, among, position, units * question.step, int(there[position]) * reading.step_grains if position >= 0 else 0


# -- the certificate --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Certificate:
    """One market's answer held against every rule of optimality."""

    names: tuple[str, ...]
    dimension: str
    offers: int
    needs: int
    arcs: int  # every possible one, whether the engine was handed it or not
    is_kept: bool  # the field that planning follows; else an answer found now
    units_short: int  # fewer units than without minimum parts and packs, to which optimum and certificate refer
    broken: tuple[str, ...]


def certificates(planner: Planner, log_us: int, only: Thing | None = None) -> Iterator[Certificate]:
    """Yield the full check of each market (of that of one canonical thing, if asked).

    First the rules on every arc the engine knows, then that none of all others would gain.
    """
    for reading in readings(planner, log_us, only):
        arcs, gaining = _left_out(reading)
        market = reading.question.market
        yield Certificate(
            names=tuple(name for _, name in reading.key),
            dimension=market.needs[0].dimension,
            offers=len(market.offers),
            needs=len(market.needs),
            arcs=arcs,
            is_kept=reading.is_kept,
            units_short=reading.allocation.gap.units,
            broken=(*broken_rules(reading.problem, reading.allocation), *_not_as_it_stands(reading), *gaining),
        )


def _left_out(reading: Reading) -> tuple[int, list[str]]:
    """Return how many arcs the rules of matching allow, and a sentence for each offer with one that was left out and would gain."""
    market, problem, allocation = reading.question.market, reading.problem, reading.allocation
    offer_at, need_at = reading.positions(market.offers, reading.offers), reading.positions(market.needs, reading.needs)
    known = np.unique(problem.offer * len(reading.needs) + problem.need)
    count, told = 0, list[str]()
    for position, offer in enumerate(offer_at.tolist()):
        arcs = reading.question.arcs(position)
        needs = need_at[arcs.need]
        count += len(needs)
        gain = allocation.need_pressure[needs] - allocation.offer_pressure[offer] - arcs.effort
        gain[np.isin(offer * len(reading.needs) + needs, known)] = 0
        if (gain > 0).any():
            best = int(np.argmax(gain))
            pair = f"{market.offers[position].ref} to {market.needs[int(arcs.need[best])].ref}"
            told.append(f"a unit from {pair} was left out and would gain {gain[best]}: this is not the optimum of all that is possible")
    return count, told


def _not_as_it_stands(reading: Reading) -> Iterator[str]:
    """Yield a sentence for each signal that the solver counts with another amount than the network."""
    in_all = int(reading.problem.supply.sum() + reading.problem.demand.sum()) * reading.step_grains
    of_known = 0
    for stance, _, _, grains, counted in _amounts(reading):
        of_known += counted
        may_move = not stance.is_over(reading.question.market.log_us)  # Else nothing can come or go, whatever is counted.
        if grains != counted and may_move:
            yield f"{stance.ref} stands with {grains} grains, but the solver counts {counted}"
    if of_known != in_all:
        yield f"the solver counts {in_all} grains in all, but only {of_known} of signals that stand"
