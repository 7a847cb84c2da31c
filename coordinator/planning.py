"""From what stands to what could move: each market becomes a problem of whole numbers, its answer becomes parts of a plan.

A market whose offers, needs and rules did not move since the last cycle keeps its plan; all others are solved to the optimum.
"""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from coordinator.commitments import Book, State
from coordinator.errors import Defect
from coordinator.matching import Hidden, Market
from coordinator.network import UNKNOWN_MASS_UG, Network, Stance, Thing
from coordinator.times import DAY_US
from coordinator.units import UNITS
from solver import Allocation, Arcs, Candidates, DenseCandidates, Problem, broken_rules, read_pressure, solve_on_demand, staircase

__all__ = ["Part", "Planner", "Solved"]

Ints = NDArray[np.int64]
Claim = tuple[str, Thing, int]  # agent, canonical thing, tier used

MOST_PAIRS = 4_000_000  # of one market, held as arrays at once (48 bytes each); above, rows are made again when they are asked for
ARC_FIELDS = ("offer", "need", "effort", "most", "minimum", "kept")
MOST_UNITS = 10**12  # of one market; above, quantities are counted in coarser steps, so that sums stay exact in 64 bits and in JSON


@dataclass(frozen=True, slots=True)
class Part:
    """One movement the solver suggests, with what explains it."""

    offer: Stance
    need: Stance
    grains: int
    distance_m: int
    tier_used: int
    level: int  # how many portions or shares this claim has before this part
    pressure: tuple[int, int, int] | None  # (tier, level, effort) of what one more unit at the offer would serve; None: nobody is short


@dataclass(slots=True)
class Solved:
    """A market's latest answer, kept until something in it moves."""

    parts: list[Part]
    again_us: int | None  # when time alone puts it in question
    hidden: Counter[Hidden] = field(default_factory=Counter)
    units_short: int = 0  # fewer units than without minimum parts
    rounded_grains: int = 0  # what counting in coarser steps left out


@dataclass(slots=True)
class Planner:
    """Holds the answers of all markets between cycles."""

    network: Network
    book: Book
    solved: dict[tuple[Thing, ...], Solved] = field(default_factory=dict)
    _portions: dict[Thing, tuple[int, int]] = field(default_factory=dict)  # thing -> day, median claim in grains

    def plan(self, log_us: int) -> list[Part] | None:
        """Return all parts of the plan that is best now, in order of offer and need; None where nothing moved since the last."""
        groups = self._groups()
        stale = [key for key, things in groups.items() if self._is_stale(key, things, log_us)]
        gone = [key for key in self.solved if key not in groups]
        for key in gone:
            del self.solved[key]
        for key in stale:
            self.solved[key] = self._solve_group(groups[key], log_us)
        self.network.changed.clear()
        self.network.changed_everywhere = False
        if not stale and not gone:
            return None
        parts = [part for answer in self.solved.values() for part in answer.parts]
        return sorted(parts, key=lambda part: (part.offer.ref, part.need.ref))

    def _is_stale(self, key: tuple[Thing, ...], things: Sequence[Thing], log_us: int) -> bool:
        known = self.solved.get(key)
        if known is None or self.network.changed_everywhere:
            return True
        return (known.again_us is not None and known.again_us <= log_us) or not self.network.changed.isdisjoint(things)

    def _groups(self) -> dict[tuple[Thing, ...], list[Thing]]:
        """Return the things, as said, of each market; a market is named by its canonical things."""
        said: dict[Thing, list[Thing]] = {}
        for thing in self.network.live_things():
            said.setdefault(self.network.canonical(thing), []).append(thing)
        leader = {thing: thing for thing in said}

        def find(thing: Thing) -> Thing:
            while leader[thing] != thing:
                thing = leader[thing]
            return thing

        for one, other in self.network.substitutions():
            if one in leader and other in leader:
                first, second = sorted((find(one), find(other)))
                leader[second] = first
        joined: dict[Thing, list[Thing]] = {}
        for thing in sorted(said):
            joined.setdefault(find(thing), []).append(thing)
        return {tuple(things): [name for thing in things for name in said[thing]] for things in joined.values()}

    def _solve_group(self, things: Sequence[Thing], log_us: int) -> Solved:
        """Solve a market, one dimension at a time: kilos and pieces of one name never meet."""
        stances = sorted((stance for thing in things for stance in self.network.live(thing)), key=lambda stance: stance.ref)
        answer = Solved([], None)
        if len({stance.is_supply for stance in stances}) < 2:
            return answer  # Nothing to give, or nobody who wants it: only a new signal can change that.
        claims = {stance.ref: self.book.claim_of(stance) for stance in stances if not stance.is_supply}
        by_dimension: dict[str, list[Stance]] = {}
        for stance in stances:
            by_dimension.setdefault(stance.dimension, []).append(stance)
        if len(by_dimension) > 1:
            answer.hidden[Hidden.DIMENSION] = _pairs(stances) - sum(_pairs(together) for together in by_dimension.values())
        for _, together in sorted(by_dimension.items()):
            available = {stance.ref: self._available(stance) for stance in together}
            offers = [stance for stance in together if stance.is_supply and available[stance.ref]]
            needs = [stance for stance in together if not stance.is_supply and available[stance.ref]]
            if offers and needs:
                self._solve_market(Market(self.network, self.book, offers, needs, log_us), available, claims, answer)
        answer.again_us = self._again_us(stances, set(claims.values()), log_us)
        return answer

    def _available(self, stance: Stance) -> int:
        return max(0, stance.free_grains - self.book.held_grains(stance))

    def _again_us(self, stances: Sequence[Stance], claims: set[Claim], log_us: int) -> int | None:
        """Return when time alone will change this market: a window closes, a memory fades, a day's median is due."""
        times = [stance.end_us for stance in stances if stance.end_us is not None and stance.end_us > log_us]
        times += [fades_us for claim in claims if (fades_us := self.book.forgets_us(claim, log_us)) is not None]
        charter = self.network.charter
        if charter.fairness == "portions" and any(claim[1][1] not in charter.portion for claim in claims):
            times.append((log_us // DAY_US + 1) * DAY_US)
        return min(times, default=None)

    # -- one market as a problem ----------------------------------------------------------------------------------------

    def _solve_market(self, market: Market, available: Mapping[str, int], claims: Mapping[str, Claim], answer: Solved) -> None:
        portions = self._portions_of(market, available, claims)
        step = self._step_grains(market, available, claims, portions)
        answer.rounded_grains += sum(available[stance.ref] % step for stance in (*market.offers, *market.needs))
        question = Question(self, market, step, available, claims, portions)
        problem, allocation = solve_on_demand(question.nodes(), question.candidates())
        wrong = broken_rules(problem, allocation)
        if wrong:
            raise Defect(f"the solver's answer breaks its own rules, so nothing was proposed; please report: {'; '.join(wrong[:3])}")
        answer.hidden.update(market.hidden)
        answer.units_short += allocation.gap.units
        answer.parts.extend(question.parts(problem, allocation))

    def _step_grains(self, market: Market, available: Mapping[str, int], claims: Mapping[str, Claim], portions: Mapping[Thing, int]) -> int:
        """Return how many grains the solver counts as one unit: the pack, else what all quantities and levels have in common.

        The worth of a claim's units changes only at multiples of such a unit, so some optimum is whole in it.
        """
        amounts = [available[stance.ref] for stance in (*market.offers, *market.needs)]
        packs = [self.network.definition(self.network.canonical(offer.thing)).multiple_grains for offer in market.offers]
        stated = {pack for pack in packs if pack}
        if stated:
            step = math.lcm(*stated)
        else:
            limits = [grains for position in range(len(market.offers)) for _, grains in market.limits_of(position)]
            minimums = [stance.minimum_grains for stance in (*market.offers, *market.needs)]
            received = [self.book.received_grains(claims[need.ref], market.log_us) for need in market.needs]
            step = math.gcd(*amounts, *limits, *minimums, *received, *portions.values())
            if self.network.charter.fairness == "ratio":  # Its levels are so many parts of what each claim asked for.
                levels = self.network.charter.fairness_levels
                step = step // levels if step % levels == 0 else 1
        while sum(amounts) // step > MOST_UNITS:
            step *= 10
        return step

    def _portions_of(self, market: Market, available: Mapping[str, int], claims: Mapping[str, Claim]) -> dict[Thing, int]:
        """Return the portion of each thing that is needed here, in grains; empty under the other rules of fairness."""
        if self.network.charter.fairness != "portions":
            return {}
        asked: dict[Thing, Counter[Claim]] = {}
        for need in market.needs:
            claim = claims[need.ref]
            asked.setdefault(claim[1], Counter())[claim] += available[need.ref]
        return {thing: self.portion_grains(thing, list(of.values()), market.log_us) for thing, of in sorted(asked.items())}

    def portion_grains(self, thing: Thing, open_grains: Sequence[int], log_us: int) -> int:
        """Return the portion of a resource: the charter's, else the median of the open claims, found once a day."""
        unit = UNITS[self.network.definition(thing).unit]
        stated = self.network.charter.portion.get(thing[1])
        if stated is not None:
            return max(1, int(Fraction(str(stated)) * unit.grains))
        day = log_us // DAY_US
        known = self._portions.get(thing)
        if known is None or known[0] != day:
            known = self._portions[thing] = (day, max(1, statistics.median_low(open_grains)))
        return known[1]


class Question:
    """One market laid out for the solver, row by row, and the way back from its answer."""

    def __init__(
        self,
        planner: Planner,
        market: Market,
        step_grains: int,
        available: Mapping[str, int],
        claims: Mapping[str, Claim],
        portions: Mapping[Thing, int],
    ) -> None:
        self.planner, self.market, self.step, self.portions = planner, market, step_grains, portions
        self.charter = planner.network.charter
        self.supply = np.array([available[offer.ref] // step_grains for offer in market.offers], dtype=np.int64)
        self.demand = np.array([available[need.ref] // step_grains for need in market.needs], dtype=np.int64)
        of_needs = [claims[need.ref] for need in market.needs]
        self.claims = sorted(set(of_needs))
        position = {claim: index for index, claim in enumerate(self.claims)}
        self.claim = np.array([position[claim] for claim in of_needs], dtype=np.int64)
        self.weight = self._weights()
        self._offer_minimum = [-(-offer.minimum_grains // step_grains) for offer in market.offers]
        self._need_minimum = np.array([-(-need.minimum_grains // step_grains) for need in market.needs], dtype=np.int64)
        self._kept = self._proposed_now() if self.charter.hysteresis else {}

    def nodes(self) -> Problem:
        """Return the problem without its arcs."""
        log_us = self.market.log_us
        received = [self.planner.book.received_grains(claim, log_us) // self.step for claim in self.claims]
        return Problem.of(
            self.supply,
            self.demand,
            claim=self.claim,
            tier=[tier for _, _, tier in self.claims],
            received=received,
            staircase=self._staircases(received),
            hysteresis=self.charter.hysteresis,
        )

    def candidates(self) -> Candidates:
        """Return every arc the matching rules allow: all at once where they fit into memory, else row by row on demand."""
        if len(self.supply) * len(self.demand) > MOST_PAIRS:
            return RowCandidates(self)
        return DenseCandidates(joined([self.arcs(position, counting=True) for position in range(len(self.supply))]))

    def arcs(self, position: int, *, counting: bool = False) -> Arcs:
        """Return the arcs of one offer, in order of need; `counting` counts what the rules hide, which is wanted once."""
        need, distance_m = self.market.row(position, counting=counting)
        most = np.minimum(self.supply[position], self.demand[need])
        for limited, grains in self.market.limits_of(position):
            most[need == limited] = np.minimum(most[need == limited], grains // self.step)
        minimum = np.maximum(self._offer_minimum[position], self._need_minimum[need])
        useful = (most > 0) & (most >= minimum)
        if counting:
            self.market.hide(Hidden.DECLINED, int((most == 0).sum()))
            self.market.hide(Hidden.MINIMUM, int(((most < minimum) & (most > 0)).sum()))
        need = need[useful]
        kept = np.zeros(len(need), dtype=np.int64)
        for other, units in self._kept.get(self.market.offers[position].ref, {}).items():
            kept[need == other] = units
        effort = distance_m[useful] * self.weight[position]
        return Arcs(np.full(len(need), position, dtype=np.int64), need, effort, most[useful], minimum[useful], kept)

    def parts(self, problem: Problem, allocation: Allocation) -> list[Part]:
        """Return what the answer moves, each part with its level and pressure."""
        parts: list[Part] = []
        taken = np.zeros(len(self.claims), dtype=np.int64)
        for arc in np.flatnonzero(allocation.flow):
            start, end = int(problem.offer[arc]), int(problem.need[arc])
            claim = int(self.claim[end])
            had = int(problem.received[claim] + taken[claim])
            taken[claim] += allocation.flow[arc]
            parts.append(
                Part(
                    offer=self.market.offers[start],
                    need=self.market.needs[end],
                    grains=int(allocation.flow[arc]) * self.step,
                    distance_m=int(problem.effort[arc] // self.weight[start]),
                    tier_used=self.claims[claim][2],
                    level=min(problem.levels - 1, had * int(problem.rise[claim]) // int(problem.run[claim])),
                    pressure=read_pressure(int(allocation.offer_pressure[start]), problem, allocation),
                )
            )
        return parts

    def _weights(self) -> Ints:
        """Return the relative weight of one unit of each offer; with one thing in the market all weigh 1."""
        if self.charter.effort == "km":
            return np.ones(len(self.supply), dtype=np.int64)
        masses = [mass_per_grain(self.planner.network, offer) for offer in self.market.offers]
        common = math.lcm(*(mass.denominator for mass in masses))
        whole = [int(mass * common) for mass in masses]
        divisor = math.gcd(*whole) or 1
        return np.array([weight // divisor for weight in whole], dtype=np.int64)

    def _staircases(self, received: list[int]) -> tuple[Ints, Ints, int]:
        open_units = np.bincount(self.claim, weights=None, minlength=len(self.claims)) * 0
        np.add.at(open_units, self.claim, self.demand)
        asked = open_units + np.array(received, dtype=np.int64)
        rise, run = np.zeros(len(self.claims), dtype=np.int64), np.ones(len(self.claims), dtype=np.int64)
        levels = 1
        for thing in sorted({claim[1] for claim in self.claims}):
            mine = np.array([claim[1] == thing for claim in self.claims])
            portion = self.portions.get(thing, 1)
            rise[mine], run[mine], levels = staircase(self.charter.fairness, portion, self.step, asked[mine], self.charter.fairness_levels)
        return rise, run, levels

    def _proposed_now(self) -> dict[str, dict[int, int]]:
        """Return what is proposed and unanswered: offer -> need position -> units."""
        needs = {need.ref: position for position, need in enumerate(self.market.needs)}
        proposed: dict[str, Counter[int]] = {}
        for deal in self.planner.book.deals.values():
            if deal.state is State.PROPOSED:
                for line in deal.lines:
                    if line.need in needs:
                        proposed.setdefault(line.offer, Counter())[needs[line.need]] += line.quantity.grains // self.step
        return {ref: dict(units) for ref, units in proposed.items()}


class RowCandidates:
    """Candidates of a market too large to hold at once: each question walks the offers and forgets what it does not return."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._counted = False

    @property
    def farthest(self) -> int:
        """The greatest effort an arc can have: half around the earth or the longest stated route, of the heaviest thing."""
        return self._question.market.farthest_m() * int(self._question.weight.max(initial=1))

    def nearest(self, at_most: int) -> Arcs:
        """Return the `at_most` arcs of least effort of each offer, and every arc that has something kept."""
        return joined([self._some_nearest(position, at_most) for position in range(len(self._question.supply))])

    def _some_nearest(self, position: int, at_most: int) -> Arcs:
        arcs = self._question.arcs(position, counting=not self._counted)
        self._counted = self._counted or position + 1 == len(self._question.supply)
        chosen = np.union1d(least(arcs.effort, at_most), np.flatnonzero(arcs.kept))
        return picked(arcs, chosen)

    def cheaper(self, offer_pressure: Ints, need_pressure: Ints, at_most: int) -> Arcs:
        """Return arcs with effort < need_pressure - offer_pressure: of each offer the `at_most` that gain most."""
        found: list[Arcs] = []
        for position in range(len(self._question.supply)):
            arcs = self._question.arcs(position)
            loss = arcs.effort + offer_pressure[position] - need_pressure[arcs.need]
            chosen = least(loss, at_most)
            found.append(picked(arcs, chosen[loss[chosen] < 0]))
        return joined(found)


def _pairs(stances: Sequence[Stance]) -> int:
    supplies = sum(stance.is_supply for stance in stances)
    return supplies * (len(stances) - supplies)


def least(values: Ints, at_most: int) -> Ints:
    """Return the positions of the `at_most` least values, in ascending order of position."""
    if len(values) <= at_most:
        return np.arange(len(values))
    return np.sort(np.argpartition(values, at_most)[:at_most])


def picked(arcs: Arcs, positions: Ints) -> Arcs:
    """Return some of the arcs."""
    return Arcs(*(getattr(arcs, name)[positions] for name in ARC_FIELDS))


def joined(rows: Sequence[Arcs]) -> Arcs:
    """Return all rows one after the other."""
    empty = np.zeros(0, dtype=np.int64)
    return Arcs(*(np.concatenate([empty, *(getattr(row, name) for row in rows)]) for name in ARC_FIELDS))


def mass_per_grain(network: Network, offer: Stance) -> Fraction:
    """Return the mass of one grain of what an offer gives, in micrograms; unknown mass counts as 1 kg a unit."""
    definition = network.definition(network.canonical(offer.thing))
    unit = UNITS[definition.unit]
    if unit.dimension != offer.dimension:
        unit = UNITS[offer.unit]
    if definition.mass_ug is None and unit.dimension == "mass":
        return Fraction(1)
    return Fraction(UNKNOWN_MASS_UG if definition.mass_ug is None else definition.mass_ug) / unit.grains
