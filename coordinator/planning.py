"""From what stands to what could move: each market becomes a problem of whole numbers, its answer becomes parts of a plan.

A market whose offers, needs and rules did not move since the last cycle keeps its plan; all others are solved to the optimum.
"""

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from coordinator.commitments import Book, State
from coordinator.errors import Defect
from coordinator.matching import Hidden, Market
from coordinator.network import PROCESS, UNKNOWN_MASS_UG, Network, Stance, Thing
from coordinator.times import DAY_US
from coordinator.units import UNITS
from solver import Allocation, Problem, broken_rules, read_pressure, solve, staircase

__all__ = ["Part", "Planner", "Solved"]

Ints = NDArray[np.int64]
Claim = tuple[str, Thing, int]  # agent, canonical thing, tier used

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
        for dimension in sorted({stance.dimension for stance in stances}):
            available = [stance for stance in stances if stance.dimension == dimension and self._available(stance) > 0]
            offers = [stance for stance in available if stance.is_supply]
            needs = [stance for stance in available if not stance.is_supply]
            if offers and needs:
                self._solve_market(Market(self.network, self.book, offers, needs, log_us), answer)
        answer.again_us = self._again_us(stances, log_us)
        return answer

    def _available(self, stance: Stance) -> int:
        return max(0, stance.free_grains - self.book.held_grains(stance))

    def _again_us(self, stances: Sequence[Stance], log_us: int) -> int | None:
        """Return when time alone will change this market: a window closes, a memory fades, a day's median is due."""
        times = [stance.end_us for stance in stances if stance.end_us is not None and stance.end_us > log_us]
        claims = {self.book.claim_of(stance) for stance in stances if not stance.is_supply}
        times += [fades_us for claim in claims if (fades_us := self.book.forgets_us(claim, log_us)) is not None]
        charter = self.network.charter
        if charter.fairness == "portions" and any(claim[1][1] not in charter.portion for claim in claims):
            times.append((log_us // DAY_US + 1) * DAY_US)
        return min(times, default=None)

    # -- one market as a problem ----------------------------------------------------------------------------------------

    def _solve_market(self, market: Market, answer: Solved) -> None:
        step = self._step_grains(market, answer)
        question = _Question(self, market, step)
        problem, distance_m = question.problem()
        allocation = solve(problem)
        wrong = broken_rules(problem, allocation)
        if wrong:
            raise Defect(f"the solver's answer breaks its own rules, so nothing was proposed; please report: {'; '.join(wrong[:3])}")
        answer.hidden.update(market.hidden)
        answer.units_short += allocation.gap.units
        answer.parts.extend(question.parts(problem, allocation, distance_m))

    def _step_grains(self, market: Market, answer: Solved) -> int:
        """Return how many grains the solver counts as one unit: the pack, else what all quantities have in common."""
        amounts = [self._available(stance) for stance in (*market.offers, *market.needs)]
        packs = [self.network.definition(self.network.canonical(offer.thing)).multiple_grains for offer in market.offers]
        stated = {pack for pack in packs if pack}
        step = math.lcm(*stated) if stated else math.gcd(*amounts)
        while sum(amounts) // step > MOST_UNITS:
            step *= 10
        answer.rounded_grains += sum(amount % step for amount in amounts)
        return step

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


class _Question:
    """One market laid out as a `Problem`, and the way back from its answer."""

    def __init__(self, planner: Planner, market: Market, step_grains: int) -> None:
        self.planner, self.market, self.step = planner, market, step_grains
        self.charter = planner.network.charter
        available = planner._available
        self.supply = np.array([available(offer) // step_grains for offer in market.offers], dtype=np.int64)
        self.demand = np.array([available(need) // step_grains for need in market.needs], dtype=np.int64)
        claims = [planner.book.claim_of(need) for need in market.needs]
        self.claims = sorted(set(claims))
        position = {claim: index for index, claim in enumerate(self.claims)}
        self.claim = np.array([position[claim] for claim in claims], dtype=np.int64)

    def problem(self) -> tuple[Problem, Ints]:
        """Return the problem and the distance of each of its arcs in metres."""
        offer, need, distance_m = self._pairs()
        weight = self._weights()[offer]
        most, minimum = self._bounds(offer, need)
        largest = np.minimum(np.minimum(self.supply[offer], self.demand[need]), most)
        useful = (largest > 0) & (largest >= minimum)
        self.market.hide_pairs(Hidden.DECLINED, int((most == 0).sum()))
        self.market.hide_pairs(Hidden.MINIMUM, int(((largest < minimum) & (most > 0)).sum()))
        offer, need, distance_m = offer[useful], need[useful], distance_m[useful]
        log_us = self.market.log_us
        received = [self.planner.book.received_grains(claim, log_us) // self.step for claim in self.claims]
        rise, run, levels = self._staircases(received)
        problem = Problem(
            supply=self.supply,
            demand=self.demand,
            claim=self.claim,
            tier=np.array([tier for _, _, tier in self.claims], dtype=np.int64),
            received=np.array(received, dtype=np.int64),
            rise=rise,
            run=run,
            levels=levels,
            offer=offer,
            need=need,
            effort=distance_m * weight[useful],
            most=largest[useful],
            minimum=minimum[useful],
            kept=self._kept(offer, need),
            hysteresis=self.charter.hysteresis,
        )
        return problem, distance_m

    def parts(self, problem: Problem, allocation: Allocation, distance_m: Ints) -> list[Part]:
        """Return what the answer moves, each part with its level and pressure."""
        network, parts = self.planner.network, []
        taken = np.zeros(len(self.claims), dtype=np.int64)
        for arc in np.flatnonzero(allocation.flow):
            offer, need = self.market.offers[problem.offer[arc]], self.market.needs[problem.need[arc]]
            claim = int(self.claim[problem.need[arc]])
            had = int(problem.received[claim] + taken[claim])
            level = min(problem.levels - 1, had * int(problem.rise[claim]) // int(problem.run[claim]))
            taken[claim] += allocation.flow[arc]
            pressure = read_pressure(int(allocation.offer_pressure[problem.offer[arc]]), problem, allocation)
            grains = int(allocation.flow[arc]) * self.step
            tier_used = network.charter.tier_used(need.tier, need.agent, network.agents[need.agent].classes)
            parts.append(Part(offer, need, grains, int(distance_m[arc]), tier_used, level, pressure))
        return parts

    def _pairs(self) -> tuple[Ints, Ints, Ints]:
        rows = [self.market.row(position) for position in range(len(self.market.offers))]
        offer = np.repeat(np.arange(len(rows), dtype=np.int64), [len(needs) for needs, _ in rows])
        return offer, np.concatenate([needs for needs, _ in rows]), np.concatenate([metres for _, metres in rows])

    def _weights(self) -> Ints:
        """Return the relative weight of one unit of each offer; with one thing in the market all weigh 1."""
        if self.charter.effort == "km":
            return np.ones(len(self.supply), dtype=np.int64)
        masses = [mass_per_grain(self.planner.network, offer) for offer in self.market.offers]
        common = math.lcm(*(mass.denominator for mass in masses))
        whole = [int(mass * common) for mass in masses]
        divisor = math.gcd(*whole) or 1
        return np.array([weight // divisor for weight in whole], dtype=np.int64)

    def _bounds(self, offer: Ints, need: Ints) -> tuple[Ints, Ints]:
        """Return, per pair, the most it may carry after declines and counters, and the least part that is of use."""
        offer_minimum = np.array([-(-stance.minimum_grains // self.step) for stance in self.market.offers], dtype=np.int64)
        need_minimum = np.array([-(-stance.minimum_grains // self.step) for stance in self.market.needs], dtype=np.int64)
        most = np.full(len(offer), MOST_UNITS, dtype=np.int64)
        if self.planner.book.limits():
            width = len(self.market.needs)
            key = offer * width + need
            for position in range(len(self.market.offers)):
                for need_position, grains in self.market.limits_of(position):
                    arc = int(np.searchsorted(key, position * width + need_position))
                    if arc < len(key) and key[arc] == position * width + need_position:
                        most[arc] = grains // self.step
        return most, np.maximum(offer_minimum[offer], need_minimum[need])

    def _staircases(self, received: list[int]) -> tuple[Ints, Ints, int]:
        open_units = np.bincount(self.claim, weights=None, minlength=len(self.claims)) * 0
        np.add.at(open_units, self.claim, self.demand)
        asked = open_units + np.array(received, dtype=np.int64)
        rise, run = np.zeros(len(self.claims), dtype=np.int64), np.ones(len(self.claims), dtype=np.int64)
        levels = 1
        for thing in sorted({claim[1] for claim in self.claims}):
            mine = np.array([claim[1] == thing for claim in self.claims])
            open_grains = [int(units) * self.step for units in open_units[mine]]
            portion = 1
            if self.charter.fairness == "portions":
                portion = self.planner.portion_grains(thing, open_grains, self.market.log_us)
            rise[mine], run[mine], levels = staircase(self.charter.fairness, portion, self.step, asked[mine], self.charter.fairness_levels)
        return rise, run, levels

    def _kept(self, offer: Ints, need: Ints) -> Ints:
        kept = np.zeros(len(offer), dtype=np.int64)
        if self.charter.hysteresis:
            proposed: Counter[tuple[str, str]] = Counter()
            for deal in self.planner.book.deals.values():
                if deal.state is State.PROPOSED:
                    for line in deal.lines:
                        proposed[line.offer, line.need] += line.quantity.grains
            for arc, (start, end) in enumerate(zip(offer, need, strict=True)):
                kept[arc] = proposed[self.market.offers[start].ref, self.market.needs[end].ref] // self.step
        return kept


def mass_per_grain(network: Network, offer: Stance) -> Fraction:
    """Return the mass of one grain of what an offer gives, in micrograms; unknown mass counts as 1 kg a unit."""
    definition = network.definition(network.canonical(offer.thing))
    unit = UNITS[definition.unit]
    if unit.dimension != offer.dimension:
        unit = UNITS[offer.unit]
    if definition.mass_ug is None and unit.dimension == "mass":
        return Fraction(1)
    return Fraction(UNKNOWN_MASS_UG if definition.mass_ug is None else definition.mass_ug) / unit.grains
