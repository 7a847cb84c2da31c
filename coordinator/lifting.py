"""What would be enough to lift a short need, tried on its market's optimum change by change, and who stands in its way.

A change is stated as it turns out after re-optimisation: more supply is shared with others, a more urgent tier takes from others.
Where several plans are equally good, the one that gives this need least is counted on, so that whichever is made, it holds.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from math import gcd

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from coordinator.charter import Charter
from coordinator.cycle import Coordination
from coordinator.errors import Refused, WrongValue
from coordinator.explaining import Explanation, explain, need_named
from coordinator.matching import Market
from coordinator.network import Network, Stance
from coordinator.opportunities import NOBODY, supply_at
from coordinator.problems import MOST_PAIRS, Claim, Question
from coordinator.questions import accepted_things
from coordinator.readings import Layout, asked_by_trees
from coordinator.times import format_instant
from coordinator.trials import Trial
from coordinator.units import UNITS, Quantity, to_grains
from coordinator.wording import amount, counted
from coordinator.workshops import relevant
from solver import Arcs, TooLarge

__all__ = ["OF_RECIPES", "Blocker", "Enough", "Lifted", "Lifting", "lifted", "lifting"]

Ints = NDArray[np.int64]

HALVED = 4  # every so many looks for the least that is enough halve what is left, should better guesses go astray
OF_RECIPES = "what more hours or inputs of recipes would do: `coordinator explode NEED` tells that"
OFFERS_TRIED = 6  # whose own radius is too small, the nearest first


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


@dataclass(frozen=True, slots=True)
class Lifted(Explanation):
    """Why a need is served as it is, and what would lift it; nothing would where it is short of nothing."""

    lifting: Lifting | None


def lifted(coordination: Coordination, asked: str, by: Decimal | None = None) -> Lifted:
    """Return why a need is served as it is, and what would lift it by so much in the unit it is shown in, or by all it is short of.

    Raises `Refused` where the name is unknown or stands for several needs, and of these `WrongValue` for an amount that is none.
    """
    found = explain(coordination, asked)
    if by is not None and not by > 0:
        raise WrongValue(f"by is {by}; how much to lift it is above zero: say how much more, or nothing for all it is short of")
    try:
        by_grains = None if by is None else to_grains(by, UNITS[found.asked.unit])
    except Refused as refusal:
        raise WrongValue(f"by: {refusal}") from None
    told = {field.name: getattr(found, field.name) for field in fields(found)}
    return Lifted(**told, lifting=lifting(coordination, found.need, by_grains))


def lifting(coordination: Coordination, asked: str, by_grains: int | None = None) -> Lifting | None:
    """Return what would lift the need named so by that much, or by all it is short of; None where it is short of nothing.

    Raises `Refused` where the name is unknown or stands for several needs.
    """
    network, book = coordination.network, coordination.book
    need = need_named(network, asked)
    short = max(0, need.stated_grains - book.covered_grains(need)) if need.stands else 0
    if not short:
        return None
    by = min(by_grains or short, short)
    # What trees are proposed to make for it goods can no longer serve; other needs get goods first, as in a plan, and trees for the rest.
    layout = Layout.like(coordination.planner, {need.ref: asked_by_trees(book)[need.ref]})
    questions = layout.questions(coordination.log_us, network.canonical(need.thing), closed=need)  # another end may lift it
    question = next((one for _, one in questions if any(other is need for other in one.market.needs)), None)
    recipes, _ = relevant(network, coordination.production.standing(), [need])
    made = (OF_RECIPES,) if recipes else ()
    if question is None:
        return _unsaid(network, need, by, "all of it is kept for others' answers: nothing is left to plan", *made)
    try:
        search = _Search(layout, question, need, short, by)
        enough = tuple(search.changes())
    except TooLarge:
        why = "what would be enough: the market's amounts and ways are too large for changes to be tried"
        return _unsaid(network, need, by, why, *made)
    blocking_offers, blocking = search.blocking()
    return Lifting(need.ref, network.quantity(need, by), blocking_offers, blocking, enough, (*search.unsaid, *made))


def _unsaid(network: Network, need: Stance, by: int, *why: str) -> Lifting:
    return Lifting(need.ref, network.quantity(need, by), 0, (), (), why)


@dataclass
class _Search:
    """Tries changes of one kind after the other on copies of a market's optimum."""

    layout: Layout
    base: Question
    need: Stance
    short: int
    by: int
    unsaid: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Find the optimum of what stands, to which every change is compared."""
        market, book = self.base.market, self.layout.book
        self.network, self.log_us = self.layout.network, market.log_us
        signals = (*market.offers, *market.needs)
        self.available = {one.ref: self.layout.unpromised(one) for one in signals}
        self.claims = {one.ref: book.claim_of(one) for one in market.needs}
        self.target = self.available[self.need.ref] - self.short + self.by
        packed = any(self.network.definition(self.network.canonical(offer.thing)).multiple_grains for offer in market.offers)
        self.base = self._laid_out(market, self.base.step if packed else gcd(self.base.step, self.target))
        self.likely = {(line.offer, line.need) for deal in book.deals.values() if deal.is_open for line in deal.lines}
        self.trial = Trial(self.base, self.need, self.likely)
        self.before = self.trial.covered_grains()

    def _laid_out(self, market: Market, step: int, claims: Mapping[str, Claim] | None = None) -> Question:
        """Return a market as a question, in units of `step` grains."""
        whole = self.layout.question(market, self.available, claims or self.claims)
        return (
            whole if whole.step == step else Question(self.layout.book, market, step, self.available, claims or self.claims, whole.portions)
        )

    def is_enough(self, covered: Ints) -> bool:
        """Return whether the need gets what was asked for it."""
        return int(covered[self.trial.here]) >= self.target

    # -- each kind of change ------------------------------------------------------------------------------------------

    def changes(self) -> Iterator[Enough]:
        """Yield the smallest change of each kind that is enough."""
        if self.is_enough(self.before):
            self.unsaid.append("planning again gives it that much already: something came free since the last plan")
            return
        if not self.need.is_over(self.log_us):
            yield from self._supply()
            yield from self._tier()
            yield from self._within()
            yield from self._offers_within()
            yield from self._charter_radius()
        yield from self._end()
        yield from self._begin()
        if any(one.minimum_grains for one in (*self.base.market.offers, *self.base.market.needs)):
            self.unsaid.append("with minimum parts a smaller change of the same kind may be enough, although one step less is not")

    def _supply(self) -> Iterator[Enough]:
        network, need = self.network, self.need
        place, nearest = network.place_of(need), self._nearest_offer()
        if place is not None:
            extra, where, what = supply_at(NOBODY, network.canonical(need.thing), need, place), "at its place", "supply"
        elif nearest is not None:  # Routes from anywhere else are not known.
            extra, where, what = nearest, f"in {nearest.ref}, the nearest offer", "supply of an offer"
        else:
            self.unsaid.append("how much more supply would be enough: it has no place, and no offer reaches it")
            return
        trial, offer = self._with_supplier(extra)
        unit, before = trial.question.step, trial.covered_grains()
        most = -(-sum(self.available[other.ref] for other in self.base.market.needs) // unit)
        outcomes: dict[int, Ints] = {}

        def nearly(least: int) -> int:
            """Return how much is enough over the pairs laid out so far, at least so much; `most` if nothing is."""
            return _grown(trial, offer, least, most, lambda tried: self.is_enough(tried.covered_grains()))

        def surely(units: int) -> bool:
            tried = trial.copy()
            tried.supply(offer, units)
            tried.widen(units)
            trial.learn(tried)
            outcomes[units] = tried.covered_grains()
            return self.is_enough(outcomes[units])

        units = _least_learning(nearly, surely, max(1, -(-(self.target - int(before[trial.here])) // unit)), most)
        if units is None:
            beside = " beside what is proposed to be made for it" if self.layout.taken.get(need.ref) else ""
            self.unsaid.append(f"no amount of supply {where} is enough{beside}: packs or minimum parts keep it from taking all")
            return
        supply = network.quantity(need, units * unit)
        yield self._told(
            what, f"{amount(supply)} more {where}", outcomes[units], before, supply=supply, offer=None if place is not None else extra.ref
        )

    def _with_supplier(self, extra: Stance) -> tuple[Trial, int]:
        """Return a trial in which this offer may have more, and its position there; what it could reach then opens as it grows."""
        base, market, is_new = self.base, self.base.market, extra.ref not in self.available
        self.available.setdefault(extra.ref, 0)
        packs = [
            pack
            for thing in sorted({self.network.canonical(one.thing) for one in (*market.offers, extra, self.need)})
            if (pack := self.network.definition(thing).multiple_grains)
        ]
        step = gcd(base.step, *packs)
        offers = (*market.offers, extra) if is_new else market.offers
        wider = self._laid_out(Market(self.network, self.layout.book, offers, market.needs, self.log_us), step)
        alike = step == base.step and np.array_equal(wider.weight[: len(market.offers)], base.weight)
        alike = alike and base.pack is None and wider.pack is None
        trial = self.trial.copy() if alike else Trial(wider, self.need, self.likely)
        arcs = self._possible(wider, Market(self.network, self.layout.book, [extra], market.needs, self.log_us), {extra.ref: 2**60})
        opens = np.maximum(arcs.minimum, 1) - self.available[extra.ref] // step
        if alike and is_new:
            position = trial.add_offer(arcs.picked(np.flatnonzero(opens <= 1)))
        else:
            position = [one.ref for one in offers].index(extra.ref)
            trial.lay_out(position)
        trial.extend(replace(arcs, offer=np.full_like(arcs.offer, position)), opens)
        return trial, position

    def _nearest_offer(self) -> Stance | None:
        """Return the nearest offer that can reach the need, whether it has anything left or not, the first of equals."""
        accepted = accepted_things(self.network, self.need)
        said = [thing for thing in self.network.live_things() if self.network.canonical(thing) in accepted]
        offers = [one for thing in said for one in self.network.live(thing) if one.is_supply and one.dimension == self.need.dimension]
        return min(((metres, offer.ref, offer) for offer, metres in self._ways(offers)), default=(0, "", None))[2]

    def _tier(self) -> Iterator[Enough]:
        agent, thing, used, dimension = self.claims[self.need.ref]
        charter, classes = self.network.charter, self.network.agents[agent].classes
        barred = [tier for tier in range(used) if charter.tier_used(tier, agent, classes) != tier]
        for tier in reversed(range(used)):
            if tier in barred:
                continue
            claims = {**self.claims, self.need.ref: (agent, thing, tier, dimension)}
            question = self.layout.question(self.base.market, self.available, claims)
            if question.step % self.base.step:  # What the other claim received before is not whole in the units of now.
                trial = Trial(question, self.need, self.likely)
            else:
                trial = self.trial.copy()
                trial.reclaim(self._laid_out(self.base.market, self.base.step, claims))
            if self.is_enough(covered := trial.covered_grains()):
                yield self._told("tier", f"tier {tier} instead of {used}", covered, self.before, tier=tier)
                return
        if barred:
            self.unsaid.append(f"tier {' or '.join(map(str, barred))}: the charter does not let {agent} claim it")

    def _within(self) -> Iterator[Enough]:
        need = self.need
        if need.within_m is not None:
            farther = self._of_need(structs.replace(need, within_m=None))
            found = self._first(farther, self._metres(farther), need.within_m)
            if found:
                yield self._told(
                    "within_km of the need", f"a radius of {found[0] / 1000:,.3f} km of its own", found[1], self.before, within_m=found[0]
                )

    def _offers_within(self) -> Iterator[Enough]:
        bound = {offer.ref: offer for offer in self.base.market.offers if offer.within_m is not None}
        unbound = [structs.replace(offer, within_m=None) for offer in bound.values()]
        beyond = [(metres, offer.ref) for offer, metres in self._ways(unbound) if metres > (bound[offer.ref].within_m or 0)]
        for _, ref in sorted(beyond)[:OFFERS_TRIED]:
            found = self._offer_within(bound[ref])
            if found:
                said = f"a radius of {found[0] / 1000:,.3f} km of {ref}"
                yield self._told("within_km of an offer", said, found[1], self.before, within_m=found[0], offer=ref)
                return
        if len(beyond) > OFFERS_TRIED:
            self.unsaid.append(f"whether a wider radius of one offer alone is enough: of {len(beyond)}, the nearest {OFFERS_TRIED} are not")

    def _offer_within(self, offer: Stance) -> tuple[int, Ints] | None:
        """Return the least radius of an offer that is enough: what it gives to others nearer by may be so, as they let go of something."""
        market = Market(self.network, self.layout.book, [structs.replace(offer, within_m=None)], self.base.market.needs, self.log_us)
        arcs = self._possible(self.base, market)
        return self._first(arcs, self._metres(arcs), offer.within_m or 0)

    def _charter_radius(self) -> Iterator[Enough]:
        radius_m, market = self.network.charter.radius_m, self.base.market
        if radius_m is None:
            return
        if len(market.offers) * len(market.needs) > MOST_PAIRS:
            self.unsaid.append("whether a wider radius in the charter is enough: the market is too large to try that")
            return
        network = copy.copy(self.network)
        network.charter = Charter.model_validate({**network.charter.model_dump(), "radius_km": None})
        arcs = self._possible(self.base, Market(network, self.layout.book, market.offers, market.needs, self.log_us))
        found = self._first(arcs, self._metres(arcs), radius_m)
        if found:
            said = f"a radius of {found[0] / 1000:,.3f} km in the charter"
            yield self._told("radius_km of the charter", said, found[1], self.before, within_m=found[0])

    def _end(self) -> Iterator[Enough]:
        need, offers = self.need, self.base.market.offers
        if need.end_us is not None:
            arcs = self._of_need(structs.replace(need, end_us=None))
            begins = [max(self.log_us, offers[each].begin_us or self.log_us, need.begin_us or self.log_us) for each in arcs.offer.tolist()]
            found = self._first(arcs, np.array(begins, dtype=np.int64) + 1, need.end_us)
            if found:
                yield self._told("end", f"an end after {format_instant(found[0] - 1)}", found[1], self.before, end_us=found[0])

    def _begin(self) -> Iterator[Enough]:
        need, offers = self.need, self.base.market.offers
        if need.begin_us is not None:
            arcs = self._of_need(structs.replace(need, begin_us=None))
            ends = [offers[each].end_us for each in arcs.offer.tolist()]
            before = np.array([-need.begin_us if end_us is None else 1 - end_us for end_us in ends], dtype=np.int64)
            found = self._first(arcs, before, -need.begin_us)  # The nearer to now, the later in order.
            if found:
                begin_us = -found[0]
                yield self._told("begin", f"a begin before {format_instant(begin_us + 1)}", found[1], self.before, begin_us=begin_us)

    # -- what becomes possible ----------------------------------------------------------------------------------------

    def _ways(self, offers: Sequence[Stance]) -> Iterator[tuple[Stance, int]]:
        """Yield which of some offers could serve the need, and how far each is."""
        market = Market(self.network, self.layout.book, offers, [self.need], self.log_us)
        for position, offer in enumerate(offers):
            for metres in market.row(position)[1].tolist():
                yield offer, metres

    def _of_need(self, need: Stance) -> Arcs:
        """Return which offers could serve the need, if it said something else."""
        return self._possible(self.base, Market(self.network, self.layout.book, self.base.market.offers, [need], self.log_us))

    def _possible(self, question: Question, market: Market, more: Mapping[str, int] | None = None) -> Arcs:
        """Return all pairs of another market by their positions and efforts in a question."""
        available = {**self.available, **(more or {})}
        other = Question(self.layout.book, market, question.step, available, self.claims, question.portions)
        offers = {one.ref: position for position, one in enumerate(question.market.offers)}
        needs = {one.ref: position for position, one in enumerate(question.market.needs)}
        need_at = np.array([needs[one.ref] for one in market.needs], dtype=np.int64)
        rows: list[Arcs] = []
        for position, offer in enumerate(market.offers):
            arcs, at = other.arcs(position), offers[offer.ref]
            effort = arcs.effort // other.weight[position] * question.weight[at]
            rows.append(replace(arcs, offer=np.full_like(arcs.offer, at), need=need_at[arcs.need], effort=effort))
        return Arcs.joined(rows)

    def _metres(self, arcs: Arcs) -> Ints:
        metres: Ints = arcs.effort // self.base.weight[arcs.offer]
        return metres

    # -- how the smallest is found and told ---------------------------------------------------------------------------

    def _first(self, arcs: Arcs, opens: Ints, beyond: int) -> tuple[int, Ints] | None:
        """Return a value up to which opening pairs is enough while up to the one before it is not, by halving; None where none is."""
        farther = np.flatnonzero(opens > beyond)
        values = np.unique(opens[farther]).tolist()
        if not values:
            return None
        trial = self.trial.copy()
        trial.extend(arcs.picked(farther), opens[farther])
        low, high = -1, len(values) - 1
        best = _widened(trial, values[high]).covered_grains()
        if not self.is_enough(best):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            tried = _widened(trial, values[middle])
            if self.is_enough(covered := tried.covered_grains()):
                high, best = middle, covered
            else:
                trial, low = tried, middle
        return values[high], best

    def _told(self, what: str, said: str, covered: Ints, before: Ints, **values: object) -> Enough:
        need, network, here = self.need, self.network, self.trial.here
        more = np.delete(covered - before, here)
        rising, falling = more[more > 0], -more[more < 0]
        lift = network.quantity(need, int(covered[here]) - (self.target - self.by))
        rise, fall = network.quantity(need, int(rising.sum())), network.quantity(need, int(falling.sum()))
        others = (
            [f"{counted(len(rising), 'other')} rise{'' if len(rising) > 1 else 's'} too, by {amount(rise)} in all"] if len(rising) else []
        )
        others += [f"{counted(len(falling), 'other')} get{'' if len(falling) > 1 else 's'} {amount(fall)} less"] if len(falling) else []
        sentence = f"{said}: to lift it by {amount(lift)}, {' and '.join(others) or 'nobody else gets more or less'}"
        counts = {"others_rise": len(rising), "others_rise_by": rise, "others_fall": len(falling), "others_fall_by": fall}
        return Enough(what=what, sentence=sentence, lift=lift, **counts, **values)  # type: ignore[arg-type]

    # -- who stands in its way ----------------------------------------------------------------------------------------

    def blocking(self) -> tuple[int, tuple[Blocker, ...]]:
        """Return how many offers could be of use to the need, and who takes of them: all are worth no less than its next unit."""
        of_use, given = self.trial.of_use()
        needs, problem = self.base.market.needs, self.base.nodes()
        claim_units = np.zeros_like(problem.tier)
        np.add.at(claim_units, problem.claim, self.trial.covered_units())
        taken: dict[int, int] = {}
        for need, units in given:
            if need != self.trial.here:
                taken[need] = taken.get(need, 0) + units
        blockers = []
        for position, units in taken.items():
            claim = int(problem.claim[position])
            had = int(problem.received[claim] + claim_units[claim]) - 1
            blockers.append(
                Blocker(
                    need=needs[position].ref,
                    agent=needs[position].agent,
                    tier=int(problem.tier[claim]),
                    level=min(problem.levels - 1, had * int(problem.rise[claim]) // int(problem.run[claim])),
                    quantity=self.network.quantity(needs[position], units * self.base.step),
                )
            )
        return len(of_use), tuple(sorted(blockers, key=lambda one: (one.tier, one.level, one.need)))


def _widened(trial: Trial, until: int) -> Trial:
    """Return a trial with further pairs open up to a value."""
    tried = trial.copy()
    tried.widen(until)
    return tried


def _least_learning(nearly: Callable[[int], int], surely: Callable[[int], bool], least: int, most: int) -> int | None:
    """Return a number that is surely enough while one less is not; None where `most` is not enough.

    Each look by `surely` takes long, and `nearly` learns by it: what is nearly the least is what is looked at next.
    """
    low, high, looks = 0, most + 1, 0  # Nothing is not enough, and more than `most` nobody looks at.
    while high - low > 1:
        looks += 1
        guess = (low + high) // 2 if looks % HALVED == 0 else nearly(min(max(least, low), most))
        guess = min(max(guess, low + 1), high - 1)
        if surely(guess):
            high = guess
        else:
            low = guess
    return None if high > most else high


def _grown(trial: Trial, offer: int, least: int, most: int, enough: Callable[[Trial], bool]) -> int:
    """Return how much more an offer has to have, at least so much, each time going on from what was not enough; `most` if nothing is."""
    low, high, step = 0, most, least
    while low < high:
        units = min(low + step, high)
        tried = trial.copy()
        tried.supply(offer, units - low)
        if enough(tried):
            high = units
            break
        trial, low, step = tried, units, max(1, 2 * (units - low) if low else 1)
    while high - low > 1:
        middle = (low + high) // 2
        tried = trial.copy()
        tried.supply(offer, middle - low)
        if enough(tried):
            high = middle
        else:
            trial, low = tried, middle
    return high
