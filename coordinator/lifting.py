"""What would be enough to lift a short need, found by planning its market again with each change, and who stands in its way.

A change is stated as it turns out after re-optimisation: more supply is shared with others, a more urgent tier takes from others.
Where several plans are equally good, the one that gives this need least is counted on, so that whichever is made, it holds.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import gcd, lcm

import numpy as np

from coordinator.charter import Charter
from coordinator.cycle import Coordination
from coordinator.explaining import covered_grains, need_named
from coordinator.matching import Market
from coordinator.network import Network, Stance
from coordinator.opportunities import supply_at
from coordinator.problems import MOST_PAIRS, Claim, Question, joined
from coordinator.readings import Layout
from coordinator.times import format_instant
from coordinator.units import Quantity
from solver import Allocation, DenseCandidates, Problem, TooLarge, solve_on_demand

__all__ = ["Blocker", "Enough", "Lifting", "lifting"]

NEWCOMER = "…"  # no agent is called so
OFFERS_TRIED = 6  # whose own radius is too small, the nearest first; each is planned with


@dataclass(frozen=True, slots=True)
class Blocker:
    """A need that takes what could come, directly or by others passing on what they get."""

    need: str
    agent: str
    tier: int
    level: int  # of its claim's last unit
    quantity: Quantity  # of the offers that could be of use here


@dataclass(frozen=True, slots=True)
class Enough:
    """One change that alone is enough; of its values, those that it is about are set."""

    what: str
    sentence: str
    lift: Quantity
    others_rise: int
    others_rise_by: Quantity
    others_fall: int
    others_fall_by: Quantity
    supply: Quantity | None = None  # more of it at the need's place, or in the offer named
    tier: int | None = None
    within_m: int | None = None
    offer: str | None = None  # whose supply or radius it is about
    end_us: int | None = None
    begin_us: int | None = None


@dataclass(frozen=True, slots=True)
class Lifting:
    """What would lift a need by so much, each smallest of its kind, and what cannot be said."""

    need: str
    by: Quantity
    blocking_offers: int
    blocking: tuple[Blocker, ...]  # most urgent first
    enough: tuple[Enough, ...]
    unsaid: tuple[str, ...]


def lifting(coordination: Coordination, asked: str, by_grains: int | None = None) -> Lifting | None:
    """Return what would lift the need named so by that much, or by all it is short of; None where it is short of nothing.

    Raises `Refused` where the name is unknown or stands for several needs.
    """
    network, book = coordination.network, coordination.book
    need = need_named(network, asked)
    short = max(0, need.stated_grains - covered_grains(book, need)) if need.stands else 0
    if not short:
        return None
    by = min(by_grains or short, short)
    layout = Layout.like(coordination.planner)
    questions = layout.questions(coordination.log_us, network.canonical(need.thing))
    question = next((one for _, one in questions if any(other is need for other in one.market.needs)), None)
    if question is None:
        return Lifting(need.ref, network.quantity(need, by), 0, (), (), ("all of it is kept for others' answers: nothing is left to plan",))
    search = _Search(layout, question, need, short, by)
    enough = tuple(search.changes())
    blocking_offers, blocking = _blocking(search.world.question(layout), need)
    return Lifting(need.ref, network.quantity(need, by), blocking_offers, blocking, enough, tuple(search.unsaid))


@dataclass(frozen=True, slots=True)
class _World:
    """A market as it could be."""

    network: Network
    log_us: int
    offers: tuple[Stance, ...]
    needs: tuple[Stance, ...]
    available: dict[str, int]
    claims: dict[str, Claim]

    def question(self, layout: Layout) -> Question:
        """Return it as a question to the solver."""
        offers, needs = (sorted(side, key=lambda stance: stance.ref) for side in (self.offers, self.needs))
        return layout.question(Market(self.network, layout.book, offers, needs, self.log_us), self.available, self.claims)

    def with_stance(self, old: Stance, new: Stance) -> "_World":
        """Return the same with one signal saying something else."""
        swapped = [tuple(new if one.ref == old.ref else one for one in side) for side in (self.offers, self.needs)]
        return replace(self, offers=swapped[0], needs=swapped[1])


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What every need gets when a market is planned."""

    covered: dict[str, int]  # grains
    is_sure: bool  # whether no equally good plan gives the need less


@dataclass
class _Search:
    """Plans a market again and again, each time with another change."""

    layout: Layout
    base: Question
    need: Stance
    short: int
    by: int
    unsaid: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Plan what stands, to which every change is compared."""
        market, network, book = self.base.market, self.layout.network, self.layout.book
        signals = (*market.offers, *market.needs)
        available = {one.ref: max(0, one.free_grains - book.held_grains(one)) for one in signals}
        claims = {one.ref: book.claim_of(one) for one in market.needs}
        self.world = _World(network, market.log_us, tuple(market.offers), tuple(market.needs), available, claims)
        self.target = available[self.need.ref] - self.short + self.by
        self.before = self.planned(self.world)
        if not self.before.is_sure:
            self.unsaid.append(
                "the market is too large to tell equally good plans apart: another of them may give it less than is said here"
            )

    def planned(self, world: _World) -> _Outcome:
        """Return what a market's optimum gives to each need."""
        question = world.question(self.layout)
        problem, allocation, is_sure = _solved(question, self.need)
        units = np.zeros(len(question.market.needs), dtype=np.int64)
        np.add.at(units, problem.need, allocation.flow)
        covered = {need.ref: count * question.step for need, count in zip(question.market.needs, units.tolist(), strict=True)}
        return _Outcome(covered, is_sure)

    def is_enough(self, outcome: _Outcome) -> bool:
        """Return whether the need gets what was asked for it."""
        return outcome.covered[self.need.ref] >= self.target

    # -- each kind of change ------------------------------------------------------------------------------------------

    def changes(self) -> Iterator[Enough]:
        """Yield the smallest change of each kind that is enough."""
        if self.is_enough(self.before):
            self.unsaid.append("planning again gives it that much already: something came free since the last plan")
            return
        closed = self.need.end_us is not None and self.need.end_us <= self.world.log_us
        if not closed:
            yield from self._supply()
            yield from self._tier()
            yield from self._within()
            yield from self._offers_within()
            yield from self._charter_radius()
        yield from self._end()
        yield from self._begin()
        if any(one.minimum_grains for one in (*self.world.offers, *self.world.needs)):
            self.unsaid.append("with minimum parts a smaller change of the same kind may be enough, although one step less is not")

    def _supply(self) -> Iterator[Enough]:
        network, need, available = self.layout.network, self.need, self.world.available
        place, nearest = network.place_of(need), self._nearest_offer()
        if place is not None:
            extra = supply_at(NEWCOMER, network.canonical(need.thing), need, place)
            available = {**available, extra.ref: 0}
            offers, where, what = (*self.world.offers, extra), "at its place", "supply"
        elif nearest is not None:  # Routes from anywhere else are not known.
            extra, offers, where, what = nearest, self.world.offers, f"in {nearest.ref}, the nearest offer", "supply of an offer"
        else:
            self.unsaid.append("how much more supply would be enough: it has no place, and no offer reaches it that could have more")
            return
        unit = self._smallest_grains()

        def with_more(units: int) -> _World:
            return replace(self.world, offers=offers, available={**available, extra.ref: available[extra.ref] + units * unit})

        most = -(-sum(available[other.ref] for other in self.world.needs) // unit)
        low, high = 0, -(-(self.target - self.before.covered[need.ref]) // unit)
        while not self.is_enough(self.planned(with_more(high))):
            if high >= most:
                self.unsaid.append(f"no amount of supply {where} is enough: packs or minimum parts keep it from taking all")
                return
            low, high = high, min(2 * high, most)
        found = self._first(range(low + 1, high + 1), with_more)
        assert found is not None  # the last is enough
        supply = network.quantity(need, found[0] * unit)
        offer = None if place is not None else extra.ref
        yield self._told(what, f"{_shown(supply)} more {where}", found[1], supply=supply, offer=offer)

    def _nearest_offer(self) -> Stance | None:
        """Return the nearest offer that can reach the need, the first of equals."""
        ways = self._ways(self.world.offers, self.need, self.world.network)
        return min(((metres, offer.ref, offer) for offer, metres in ways), default=(0, "", None))[2]

    def _smallest_grains(self) -> int:
        """Return the step in which supply is looked for: a pack, or what all quantities here have in common."""
        network = self.layout.network
        stocks = {network.canonical(one.thing) for one in (*self.world.offers, self.need)}
        packs = [pack for thing in sorted(stocks) if (pack := network.definition(thing).multiple_grains)]
        return lcm(*packs) if packs else gcd(self.base.step, self.target)

    def _tier(self) -> Iterator[Enough]:
        agent, thing, used, dimension = self.world.claims[self.need.ref]
        charter, classes = self.layout.network.charter, self.layout.network.agents[agent].classes
        barred = [tier for tier in range(used) if charter.tier_used(tier, agent, classes) != tier]
        for tier in reversed(range(used)):
            if tier not in barred:
                outcome = self.planned(replace(self.world, claims={**self.world.claims, self.need.ref: (agent, thing, tier, dimension)}))
                if self.is_enough(outcome):
                    yield self._told("tier", f"tier {tier} instead of {used}", outcome, tier=tier)
                    return
        if barred:
            self.unsaid.append(f"tier {' or '.join(map(str, barred))}: the charter does not let {agent} claim it")

    def _within(self) -> Iterator[Enough]:
        need = self.need
        if need.within_m is not None:
            open_need = replace(need, within_m=None)
            distances = [metres for _, metres in self._ways(self.world.offers, open_need, self.world.network) if metres > need.within_m]
            found = self._first(sorted(set(distances)), lambda metres: self.world.with_stance(need, replace(need, within_m=metres)))
            if found:
                yield self._told("within_km of the need", f"a radius of {found[0] / 1000:,.3f} km of its own", found[1], within_m=found[0])

    def _offers_within(self) -> Iterator[Enough]:
        bound = {offer.ref: offer for offer in self.world.offers if offer.within_m is not None}
        unbound = [replace(offer, within_m=None) for offer in bound.values()]
        beyond = [
            (metres, offer.ref)
            for offer, metres in self._ways(unbound, self.need, self.world.network)
            if metres > (bound[offer.ref].within_m or 0)
        ]
        for _, ref in sorted(beyond)[:OFFERS_TRIED]:
            found = self._offer_within(bound[ref])
            if found:
                said = f"a radius of {found[0] / 1000:,.3f} km of {ref}"
                yield self._told("within_km of an offer", said, found[1], within_m=found[0], offer=ref)
                return
        if len(beyond) > OFFERS_TRIED:
            self.unsaid.append(f"whether a wider radius of one offer alone is enough: of {len(beyond)}, the nearest {OFFERS_TRIED} are not")

    def _offer_within(self, offer: Stance) -> tuple[int, _Outcome] | None:
        """Return the least radius of an offer that is enough: what it gives to others nearer by may be so, as they let go of something."""
        market = Market(self.world.network, self.layout.book, [replace(offer, within_m=None)], self.world.needs, self.world.log_us)
        farther = [metres for metres in market.row(0)[1].tolist() if metres > (offer.within_m or 0)]
        return self._first(sorted(set(farther)), lambda metres: self.world.with_stance(offer, replace(offer, within_m=metres)))

    def _charter_radius(self) -> Iterator[Enough]:
        radius_m = self.layout.network.charter.radius_m
        if radius_m is None:
            return
        market = Market(self._with_radius(None), self.layout.book, self.world.offers, self.world.needs, self.world.log_us)
        distances = [market.row(position)[1] for position in range(len(market.offers))]
        farther = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *distances]))
        candidates = farther[farther > radius_m].tolist()
        found = self._first(candidates, lambda metres: replace(self.world, network=self._with_radius(metres)))
        if found:
            said = f"a radius of {found[0] / 1000:,.3f} km in the charter"
            yield self._told("radius_km of the charter", said, found[1], within_m=found[0])

    def _with_radius(self, metres: int | None) -> Network:
        """Return the same network under a charter with another radius."""
        other = copy.copy(self.layout.network)
        rules = {**self.layout.network.charter.model_dump(), "radius_km": None if metres is None else metres / 1000}
        other.charter = Charter.model_validate(rules)
        return other

    def _end(self) -> Iterator[Enough]:
        need, log_us = self.need, self.world.log_us
        if need.end_us is not None:
            begins = [max(log_us, offer.begin_us or log_us, need.begin_us or log_us) for offer in self.world.offers]
            ends = sorted({begin_us + 1 for begin_us in begins if begin_us + 1 > need.end_us})
            found = self._first(ends, lambda end_us: self.world.with_stance(need, replace(need, end_us=end_us)))
            if found:
                yield self._told("end", f"an end after {format_instant(found[0] - 1)}", found[1], end_us=found[0])

    def _begin(self) -> Iterator[Enough]:
        need, log_us = self.need, self.world.log_us
        if need.begin_us is not None:
            ends = [offer.end_us for offer in self.world.offers if offer.end_us is not None]
            begins = sorted({end_us - 1 for end_us in ends if log_us < end_us <= need.begin_us}, reverse=True)
            found = self._first(begins, lambda begin_us: self.world.with_stance(need, replace(need, begin_us=begin_us)))
            if found:
                yield self._told("begin", f"a begin before {format_instant(found[0] + 1)}", found[1], begin_us=found[0])

    # -- how the smallest is found and told ---------------------------------------------------------------------------

    def _ways(self, offers: Sequence[Stance], need: Stance, network: Network) -> Iterator[tuple[Stance, int]]:
        """Yield which of some offers could serve a need, and how far each is."""
        market = Market(network, self.layout.book, offers, [need], self.world.log_us)
        for position, offer in enumerate(offers):
            for metres in market.row(position)[1].tolist():
                yield offer, metres

    def _first(self, candidates: Sequence[int], world: Callable[[int], _World]) -> tuple[int, _Outcome] | None:
        """Return a candidate that is enough while the one before it is not, by halving; None where the last is not enough."""
        if not len(candidates):
            return None
        low, high = -1, len(candidates) - 1
        best = self.planned(world(candidates[high]))
        if not self.is_enough(best):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            outcome = self.planned(world(candidates[middle]))
            if self.is_enough(outcome):
                high, best = middle, outcome
            else:
                low = middle
        return candidates[high], best

    def _told(self, what: str, said: str, outcome: _Outcome, **values: object) -> Enough:
        need, network = self.need, self.layout.network
        more = {ref: grains - self.before.covered[ref] for ref, grains in outcome.covered.items() if ref != need.ref}
        rising, falling = [one for one in more.values() if one > 0], [-one for one in more.values() if one < 0]
        lift = network.quantity(need, outcome.covered[need.ref] - (self.target - self.by))
        rise, fall = network.quantity(need, sum(rising)), network.quantity(need, sum(falling))
        others = [f"{_others(len(rising))} too, by {_shown(rise)} in all"] if rising else []
        others += [f"{len(falling):,} other{'s get' if len(falling) > 1 else ' gets'} {_shown(fall)} less"] if falling else []
        sentence = f"{said}: to lift it by {_shown(lift)}, {' and '.join(others) or 'nobody else gets more or less'}"
        counts = {"others_rise": len(rising), "others_rise_by": rise, "others_fall": len(falling), "others_fall_by": fall}
        return Enough(what=what, sentence=sentence, lift=lift, **counts, **values)  # type: ignore[arg-type]


def _others(count: int) -> str:
    return f"{count:,} other{'s rise' if count > 1 else ' rises'}"


def _shown(quantity: Quantity) -> str:
    told = quantity.to_json()
    return f"{told['value']:,}" if told["unit"] == "1" else f"{told['value']:,} {told['unit']}"


def _solved(question: Question, need: Stance) -> tuple[Problem, Allocation, bool]:
    """Return the optimum that gives a need least among all optima, and whether it is sure to be that.

    Efforts are multiplied beyond what all of the need's units weigh together, and each of these weighs one more.
    """
    position = next(index for index, one in enumerate(question.market.needs) if one.ref == need.ref)
    if len(question.supply) * len(question.demand) <= MOST_PAIRS:
        arcs = joined([question.arcs(offer) for offer in range(len(question.supply))])
        effort = arcs.effort * (int(question.demand[position]) + 1) + (arcs.need == position)
        try:
            return *solve_on_demand(question.nodes(), DenseCandidates(replace(arcs, effort=effort))), True
        except TooLarge:
            pass  # Some optimum is better than no word.
    return *solve_on_demand(question.nodes(), question.candidates()), False


# -- who stands in its way --------------------------------------------------------------------------------------------


def _blocking(question: Question, need: Stance) -> tuple[int, tuple[Blocker, ...]]:
    """Return how many offers could be of use to a need, and who takes of them: all are worth no less than its next unit.

    An offer is of use if it can reach the need, or can reach somebody who then lets go of one that is.
    """
    market = question.market
    problem, allocation, _ = _solved(question, need)
    rows = [question.arcs(position) for position in range(len(market.offers))]
    flow = {(offer, end): units for offer, end, units in _moves(problem, allocation)}
    here = next(index for index, one in enumerate(market.needs) if one.ref == need.ref)
    of_use, wanting = np.zeros(len(market.offers), dtype=bool), np.zeros(len(market.needs), dtype=bool)
    wanting[here] = True
    growing = True
    while growing:
        for position, arcs in enumerate(rows):
            room = np.array(
                [flow.get((position, end), 0) < most for end, most in zip(arcs.need.tolist(), arcs.most.tolist(), strict=True)], bool
            )
            of_use[position] |= bool((wanting[arcs.need] & room).any())
        users = [end for offer, end in flow if of_use[offer] and not wanting[end]]
        wanting[users] = True
        growing = bool(users)
    covered = np.zeros_like(problem.tier)
    np.add.at(covered, problem.claim[problem.need], allocation.flow)
    taken: dict[int, int] = {}
    for (offer, end), units in flow.items():
        if of_use[offer] and end != here:
            taken[end] = taken.get(end, 0) + units
    blockers = [_blocker(question, problem, end, units, int(covered[problem.claim[end]])) for end, units in taken.items()]
    return int(of_use.sum()), tuple(sorted(blockers, key=lambda one: (one.tier, one.level, one.need)))


def _moves(problem: Problem, allocation: Allocation) -> Iterable[tuple[int, int, int]]:
    carrying = np.flatnonzero(allocation.flow)
    return zip(problem.offer[carrying].tolist(), problem.need[carrying].tolist(), allocation.flow[carrying].tolist(), strict=True)


def _blocker(question: Question, problem: Problem, position: int, units: int, covered: int) -> Blocker:
    need, claim = question.market.needs[position], int(problem.claim[position])
    climbed = (int(problem.received[claim]) + covered - 1) * int(problem.rise[claim]) // int(problem.run[claim])
    return Blocker(
        need=need.ref,
        agent=need.agent,
        tier=int(problem.tier[claim]),
        level=min(problem.levels - 1, climbed),
        quantity=question.network.quantity(need, units * question.step),
    )
