"""One market laid out for the solver, row by row, and the way back from its answer to what moves."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from coordinator.charter import Charter
from coordinator.commitments import Claim, State
from coordinator.matching import Hidden, Market, Pairs
from coordinator.network import UNKNOWN_MASS_UG, Network, Stance, Thing
from coordinator.units import UNITS, from_grains
from solver import Allocation, Arcs, Candidates, DenseCandidates, Problem, read_pressure, staircase

if TYPE_CHECKING:
    from coordinator.commitments import Book

__all__ = [
    "MOST_PAIRS",
    "NO_LIMIT",
    "Claim",
    "Part",
    "Question",
    "by_thing",
    "effort_of",
    "mass_of",
    "mass_per_grain",
    "pack_of",
    "parts_of",
    "proposed_grains",
    "staircases",
]

Ints = NDArray[np.int64]

HEAVIEST = 10_000  # of one thing's weight against another's
NO_LIMIT = 2**40  # units that no market holds: an arc without a limit of its own
# Pairs that the rules allow in one market, held as arrays: 48 bytes each in the columns of `Arcs`, and 38 to 43 with the room they leave
# where the market is followed (`solver.possible`). Above, rows are made anew when asked for.
MOST_PAIRS = 4_000_000


class Part(NamedTuple):
    """One movement the solver suggests, with what explains it."""  # A tuple: each plan has thousands, and these are made fastest.

    offer: Stance
    need: Stance
    grains: int
    distance_m: int
    tier_used: int
    level: int  # how many portions or shares this claim has before this part
    pressure: tuple[int, int, int] | None  # (tier, level, effort) of what one more unit at the offer would serve; None: nobody is short


class Question:
    """One market laid out for the solver, row by row, and the way back from its answer."""

    def __init__(
        self,
        book: "Book",
        market: Market,
        step_grains: int,
        available: Mapping[str, int],
        claims: Mapping[str, Claim],
        portions: Mapping[Thing, int],
    ) -> None:
        self.book, self.market, self.step, self.portions = book, market, step_grains, portions
        self.network = book.network
        self.charter = book.network.charter
        packs = [math.lcm(pack_of(self.network, offer) or 1, step_grains) // step_grains for offer in market.offers]
        self.pack = np.array(packs, dtype=np.int64) if max(packs, default=1) > 1 else None  # units an offer gives at a time
        held = np.array([available[offer.ref] // step_grains for offer in market.offers], dtype=np.int64)
        self.supply = held if self.pack is None else held - held % self.pack
        self.demand = np.array([available[need.ref] // step_grains for need in market.needs], dtype=np.int64)
        stated = sum(available[stance.ref] for stance in (*market.offers, *market.needs))
        self.rounded_grains = stated - step_grains * int(self.supply.sum() + self.demand.sum())
        of_needs = [claims[need.ref] for need in market.needs]
        self.claims = sorted(set(of_needs))
        position = {claim: index for index, claim in enumerate(self.claims)}
        self.claim = np.array([position[claim] for claim in of_needs], dtype=np.int64)
        masses = [mass_of(self.network, offer) for offer in market.offers]
        self.weight_of, self.weighs_exactly = relative_weights(set(masses))
        self.weight = np.array([self.weight_of[mass] for mass in masses], dtype=np.int64)
        self._offer_minimum = np.array([-(-offer.minimum_grains // step_grains) for offer in market.offers], dtype=np.int64)
        self._need_minimum = np.array([-(-need.minimum_grains // step_grains) for need in market.needs], dtype=np.int64)
        self._kept = self._proposed_now() if self.charter.hysteresis else {}

    def nodes(self) -> Problem:
        """Return the problem without its arcs."""
        log_us = self.market.log_us
        received = [self.book.received_grains(claim, log_us) // self.step for claim in self.claims]
        return Problem.of(
            self.supply,
            self.demand,
            claim=self.claim,
            tier=[claim[2] for claim in self.claims],
            received=received,
            staircase=self._staircases(received),
            hysteresis=self.charter.hysteresis,
            pack=self.pack,
        )

    def candidates(self) -> Candidates:
        """Return every arc the matching rules allow: all at once where they fit into memory, else row by row on demand."""
        found: list[Arcs] = []
        count = 0
        for pairs in self.market.pairs(counting=True):
            found.append(self._arcs(pairs, counting=True))
            count += len(found[-1].offer)
            if count > MOST_PAIRS:
                self.market.hidden.clear()  # Counted again row by row.
                return RowCandidates(self)
        return DenseCandidates(Arcs.joined(found))

    def arcs(self, position: int, *, counting: bool = False) -> Arcs:
        """Return the arcs of one offer, in order of need; `counting` counts what the rules hide, which is wanted once."""
        need, distance_m = self.market.row(position, counting=counting)
        return self._arcs((np.full(len(need), position, dtype=np.int64), need, distance_m), counting)

    def _arcs(self, pairs: Pairs, counting: bool) -> Arcs:
        offer, need, distance_m = pairs
        most = np.full(len(need), NO_LIMIT, dtype=np.int64)  # Not the smaller quantity: a unit more has to find its way too.
        kept = np.zeros(len(need), dtype=np.int64)
        if self.book.has_limits or self._kept:
            for position in np.unique(offer).tolist():
                self._note_pairs(position, slice(*np.searchsorted(offer, (position, position + 1))), need, most, kept)
        largest = np.minimum(np.minimum(self.supply[offer], self.demand[need]), most)
        minimum = np.maximum(self._offer_minimum[offer], self._need_minimum[need])
        useful = (largest > 0) & (largest >= minimum)
        if counting:
            self.market.hide(Hidden.DECLINED, int((most == 0).sum()))
            self.market.hide(Hidden.MINIMUM, int(((largest < minimum) & (most > 0)).sum()))
        return Arcs(offer, need, distance_m * self.weight[offer], most, minimum, kept).picked(np.flatnonzero(useful))

    def _note_pairs(self, position: int, row: slice, need: Ints, most: Ints, kept: Ints) -> None:
        """Note what pairs of one offer, whose arcs stand in `row`, said they would still exchange, and what is proposed to them."""
        for limited, grains in self.market.limits_of(position):
            most[row][need[row] == limited] = grains // self.step
        for other, units in self._kept.get(self.market.offers[position].ref, {}).items():
            kept[row][need[row] == other] = units

    def parts(self, problem: Problem, allocation: Allocation) -> list[Part]:
        """Return what the answer moves, each part with its level and pressure."""
        return parts_of(problem, allocation, self.market.offers, self.market.needs, self.claims, self.weight, self.step)

    def _staircases(self, received: list[int]) -> tuple[Ints, Ints, int]:
        open_units = np.zeros(len(self.claims), dtype=np.int64)
        np.add.at(open_units, self.claim, self.demand)
        of_thing = by_thing(self.claims)
        return staircases(self.charter, of_thing, self.portions, self.step, open_units + np.array(received, dtype=np.int64))

    def _proposed_now(self) -> dict[str, dict[int, int]]:
        """Return what is proposed and unanswered: offer -> need position -> units."""
        offers = {offer.ref: position for position, offer in enumerate(self.market.offers)}
        needs = {need.ref: position for position, need in enumerate(self.market.needs)}
        proposed: dict[str, dict[int, int]] = {}
        for (offer, need), grains in proposed_grains(self.book, offers, needs).items():
            proposed.setdefault(self.market.offers[offer].ref, {})[need] = grains // self.step
        return proposed


def by_thing(claims: Iterable[Claim]) -> dict[Thing, list[int]]:
    """Return the positions of the claims for each thing."""
    of_thing: dict[Thing, list[int]] = {}
    for position, claim in enumerate(claims):
        of_thing.setdefault(claim[1], []).append(position)
    return of_thing


def staircases(
    charter: Charter, of_thing: Mapping[Thing, list[int]], portions: Mapping[Thing, int], step: int, asked: Ints
) -> tuple[Ints, Ints, int]:
    """Return (rise, run, levels) of the claims for each thing, of whom each asked for so many units in all; `portions` are in grains."""
    rise, run = np.zeros(len(asked), dtype=np.int64), np.ones(len(asked), dtype=np.int64)
    levels = 1
    for thing, positions in of_thing.items():
        mine = positions if len(of_thing) > 1 else slice(None)
        portion = portions.get(thing, 1)
        rise[mine], run[mine], levels = staircase(charter.fairness, portion, step, asked[mine], charter.fairness_levels)
    return rise, run, levels


def proposed_grains(book: "Book", offer_at: Mapping[str, int], need_at: Mapping[str, int]) -> dict[tuple[int, int], int]:
    """Return what is proposed and unanswered between these offers and needs, by their positions."""
    grains: Counter[tuple[int, int]] = Counter()
    for ref, offer in offer_at.items():
        for deal in book.naming(ref):
            for line in deal.lines if deal.state is State.PROPOSED else ():
                if line.offer == ref and line.need in need_at:
                    grains[offer, need_at[line.need]] += line.quantity.grains
    return dict(grains)


def parts_of(
    problem: Problem,
    allocation: Allocation,
    offers: Sequence[Stance],
    needs: Sequence[Stance],
    claims: Sequence[Claim],
    weight: Ints,
    step_grains: int,
) -> list[Part]:
    """Return what an answer moves; positions in the problem are those in `offers`, `needs` and `claims`."""
    moved = np.flatnonzero(allocation.flow)
    starts, ends = problem.offer[moved], problem.need[moved]
    distances_m = problem.effort[moved] // weight[starts]
    worths = allocation.offer_pressure[starts].tolist()
    pressures = {worth: read_pressure(worth, problem, allocation) for worth in set(worths)}
    had, rise, run = problem.received.tolist(), problem.rise.tolist(), problem.run.tolist()
    columns = (starts, ends, problem.claim[ends], allocation.flow[moved], distances_m)
    parts: list[Part] = []
    for start, end, claim, units, distance_m, worth in zip(*(column.tolist() for column in columns), worths, strict=True):
        level = min(problem.levels - 1, had[claim] * rise[claim] // run[claim])
        had[claim] += units
        parts.append(Part(offers[start], needs[end], units * step_grains, distance_m, claims[claim][2], level, pressures[worth]))
    return parts


class RowCandidates:
    """Candidates of a market too large to hold at once: each question walks the offers and forgets what it does not return."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._counted = False

    @property
    def farthest(self) -> int:
        """The greatest effort an arc can have: half around the earth or the longest stated route, of the heaviest thing."""
        return self._question.market.farthest_m() * int(self._question.weight.max(initial=1))

    def all_of(self, at_most: int) -> Arcs | None:  # noqa: ARG002
        """Return None: there are too many pairs to hold."""
        return None

    def nearest(self, at_most: int) -> Arcs:
        """Return the `at_most` arcs of least effort of each offer, and every arc that has something kept."""
        return Arcs.joined([self._some_nearest(position, at_most) for position in range(len(self._question.supply))])

    def _some_nearest(self, position: int, at_most: int) -> Arcs:
        arcs = self._question.arcs(position, counting=not self._counted)
        self._counted = self._counted or position + 1 == len(self._question.supply)
        chosen = np.union1d(least(arcs.effort, at_most), np.flatnonzero(arcs.kept))
        return arcs.picked(chosen)

    def cheaper(self, offer_pressure: Ints, need_pressure: Ints, at_most: int) -> Arcs:
        """Return arcs with effort < need_pressure - offer_pressure: of each offer the `at_most` that gain most."""
        found: list[Arcs] = []
        for position in range(len(self._question.supply)):
            arcs = self._question.arcs(position)
            loss = arcs.effort + offer_pressure[position] - need_pressure[arcs.need]
            chosen = least(loss, at_most)
            found.append(arcs.picked(chosen[loss[chosen] < 0]))
        return Arcs.joined(found)


def least(values: Ints, at_most: int) -> Ints:
    """Return the positions of the `at_most` least values, in ascending order of position."""
    if len(values) <= at_most:
        return np.arange(len(values))
    return np.sort(np.argpartition(values, at_most)[:at_most])


def relative_weights(masses: Set[Fraction]) -> tuple[dict[Fraction, int], bool]:
    """Return the weight of one unit by the mass of a grain, and whether weights rank ways exactly; one mass alone weighs 1.

    Unlike masses that no small numbers express are rounded to `HEAVIEST` parts of the greatest, so that efforts stay far from
    what 64 bits hold. What a line says of its effort is exact all the same.
    """
    common = math.lcm(*(mass.denominator for mass in masses))
    whole = {mass: int(mass * common) for mass in masses}
    divisor: int | Fraction = math.gcd(*whole.values()) or 1
    greatest = max(whole.values(), default=0)
    exact = greatest // divisor <= HEAVIEST and all(whole.values())
    if greatest // divisor > HEAVIEST:
        divisor = Fraction(greatest, HEAVIEST)
    return {mass: max(1, round(weight / divisor)) for mass, weight in whole.items()}, exact


def pack_of(network: Network, offer: Stance) -> int | None:
    """Return how many grains a pack of what an offer gives holds, None where it has no packs."""
    return network.definition(network.canonical(offer.thing)).multiple_grains


def mass_of(network: Network, offer: Stance) -> Fraction:
    """Return what one grain of an offer counts in the charter's measure of effort: its mass, or 1 where only the way counts."""
    return Fraction(1) if network.charter.effort == "km" else mass_per_grain(network, offer)


def mass_per_grain(network: Network, offer: Stance) -> Fraction:
    """Return the mass of one grain of what an offer gives, in micrograms; unknown mass counts as 1 kg a unit."""
    definition = network.definition(network.canonical(offer.thing))
    return _mass_in_grains(definition.unit, definition.mass_ug, offer.dimension, offer.unit)


@lru_cache(maxsize=1 << 12)  # asked for every offer and every line, of few things in few units
def _mass_in_grains(unit_said: str, mass_ug: int | None, dimension: str, unit_offered: str) -> Fraction:
    unit = UNITS[unit_said]
    if unit.dimension != dimension:
        unit = UNITS[unit_offered]
    if mass_ug is None and unit.dimension == "mass":
        return Fraction(1)
    return Fraction(UNKNOWN_MASS_UG if mass_ug is None else mass_ug) / unit.grains


def effort_of(measure: str, unit: str, mass: tuple[int, int], grains: int, metres: int) -> float:
    """Return the effort of moving so many grains in a charter's measure: kilogram-kilometres, or kilometres of each unit.

    ``mass`` is that of a grain in micrograms, as numerator and denominator.
    """
    if measure == "km":
        return from_grains(grains, unit) * metres / 1000
    micrograms, of_grains = mass
    return micrograms * grains * metres / of_grains / 1e12  # int / int rounds once, to the nearest double
