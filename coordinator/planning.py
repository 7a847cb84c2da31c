"""From what stands to what could move: each market becomes a problem of whole numbers, its answer becomes parts of a plan.

A market whose offers, needs and rules did not move since the last cycle keeps its plan; all others are solved to the optimum.
"""

import heapq
import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from coordinator.commitments import Book, Deal, Pair
from coordinator.markets import KeptMarket, again_us, check
from coordinator.matching import Group, Hidden, Market, groups
from coordinator.network import Network, Stance, Thing
from coordinator.partners import Partners
from coordinator.problems import Claim, Part, Question, pack_of, proposed_grains
from coordinator.times import DAY_US
from solver import Candidates, DenseCandidates, TooLarge, solve_on_demand

__all__ = ["Mine", "Planner", "Solved", "speaking_of"]

Mine = Callable[[Thing], bool]  # whether a market is to be planned here, by the first of the things in it

MOST_UNITS = 10**12  # of one market; above, quantities are counted in coarser steps, so that sums stay exact in 64 bits and in JSON
SOME = 20  # Of very many markets so large a part is planned at a time: each time costs a look at all that are in question.


@dataclass(slots=True)
class Solved:
    """A market's latest answer, kept until something in it moves."""

    found: list[Part]  # unless it is kept
    again_us: int | None  # when time alone puts it in question
    hidden: Counter[Hidden] = field(default_factory=Counter)  # pairs no candidate, by the rule that hid them, since it was laid out anew
    units_short: int = 0  # fewer units than without minimum parts and packs
    rounded_grains: int = 0  # what counting in coarser steps left out
    kept: KeptMarket | None = None  # where the optimum is followed instead of found anew
    times: int = 0  # it was solved from nothing
    failed: str | None = None  # why nothing could be planned

    @property
    def parts(self) -> list[Part]:
        """What moves, with levels and pressures of now; of a kept market that takes O(arcs)."""
        return self.found if self.kept is None else self.kept.parts()

    def standing(self) -> list[Part]:
        """Return what moves, of a kept market as it last said."""
        return self.found if self.kept is None else self.kept.standing()


@dataclass(slots=True)
class Planner:
    """Holds the answers of all markets between cycles."""

    network: Network
    book: Book
    solved: dict[Group, Solved] = field(default_factory=dict)
    # Following costs a millisecond a cycle, however large a market is; to keep one costs, once, as much as solving it again once or twice
    # (tests/benchmarks/keeping.py). So whoever moved once is kept, for it will move again: but the small, which are solved as soon ...
    keep_pairs: int = 1_000
    keep_after: int = 1  # times solved
    keep_at_once: int = 100_000  # ... and pairs of a market so large that not even the second solving is waited for
    partners: Partners = field(default_factory=Partners)  # the plan of all markets, by who gives to whom
    _portions: dict[tuple[Thing, str], tuple[int, int]] = field(default_factory=dict)  # thing, dimension -> day, median claim in grains
    _markets: dict[Group, list[Thing]] = field(default_factory=dict)
    _market_of: dict[Thing, Group] = field(default_factory=dict)  # by the names of what stands in it, as said
    _group_of: dict[Thing, Group] = field(default_factory=dict)  # by its canonical things
    _due: set[Group] = field(default_factory=set)  # markets in question, until they are planned
    _rest: set[Group] = field(default_factory=set)  # of this cycle, those that are yet to be planned
    _in_question: set[Group] = field(default_factory=set)  # with them, those that came into question meanwhile
    _spoken_of: dict[tuple[str, bool], set[Group]] = field(default_factory=dict)  # of the rest, by who speaks there and whether it gives
    _is_shared: bool = False  # whether others planned some markets the last time
    _names_seen: int = -1  # `Network.names_moved` when markets were last looked for
    _again: list[tuple[int, Group]] = field(default_factory=list)  # when time alone puts a market in question, the next one first

    @property
    def goes_on(self) -> bool:
        """Whether the last plan left some markets to the next."""
        return bool(self._rest)

    @property
    def leaves_some(self) -> bool:
        """Whether the plan of some markets here is in question still."""
        return bool(self._in_question)

    def plan(self, log_us: int, mine: Mine | None = None, at_most: int | None = None) -> bool:
        """Find the plan that is best now; return whether anything of it was planned anew since the last.

        Where it is told which markets are `mine`, all others are left to who plans them. Of more than `at_most` markets in question
        (of very many, a twentieth) the rest is left to the next plans: they take those first, and then only what came into question
        meanwhile.
        """
        moved = self._moved()
        regrouped = self._group()
        if regrouped or mine is not None or len(self.solved) != len(self._markets):
            gone = [key for key in self.solved if not self._is_here(key, mine)]
            self._due.update(key for key in self._markets if key not in self.solved)
        else:
            gone = []
        in_question = self._stale(moved, log_us, mine)
        if mine is not None or self._is_shared:
            if gone or not self.solved.keys() | self._in_question >= set(in_question):
                self.partners.look_everywhere()  # Others may have proposed something in markets that come or go here.
            self._is_shared = mine is not None
        stale = self._some_of(in_question, at_most)
        before = [part for key in gone for part in self.solved.pop(key).standing()]
        after: list[Part] = []
        for key in stale:
            known = self.solved.get(key)
            times = known.times if known else 0
            try:
                answer = self._follow(key, moved, log_us) or self._solve_group(self._markets[key], log_us, times)
            except TooLarge as error:  # One market's numbers must not stop the others: it is named, and nothing is proposed in it.
                answer = Solved([], None, failed=str(error), times=times)
            left, came = answer.kept.moved() if answer.kept is not None else ([], answer.found)
            before += left
            after += came
            if known is not None and (answer.kept is None or answer.kept is not known.kept):
                before += known.standing()
            self.solved[key] = answer
            self._due.discard(key)
            if answer.again_us is not None and (known is None or known.again_us != answer.again_us):
                heapq.heappush(self._again, (answer.again_us, key))
        self.partners.replace(before, after)  # At once: a pair may have gone from one market to another.
        if len(self._again) > 2 * len(self.solved) + 64:  # Most of them were put off since.
            self._again = sorted((each.again_us, key) for key, each in self.solved.items() if each.again_us is not None)
        self._forget_changes()
        return bool(stale or gone)

    def awaits(self, pair: Pair) -> bool:
        """Whether what a pair exchanges, or was proposed, is in a market whose plan is still in question.

        Of a pair that is proposed nothing yet, also whether it could meet in what this cycle is yet to plan: it is asked once for all that
        it exchanges, and not anew market by market.
        """
        if not self._in_question.isdisjoint(self._markets_of(pair)):
            return True
        if not self._rest or self.book.unanswered(pair):
            return False
        provider, receiver = pair
        return not self._rest_of(provider, gives=True).isdisjoint(self._rest_of(receiver, gives=False))

    def _rest_of(self, agent: str, *, gives: bool) -> set[Group]:
        """Return in which of the markets that this cycle is yet to plan an agent gives, or else needs, something."""
        known = self._spoken_of.get((agent, gives))
        if known is None:
            network, facts = self.network, self.network.agents.get(agent)
            spoken = (network.stances[ref] for ref in (facts.refs if facts else ()))
            things = {network.canonical(stance.thing) for stance in spoken if stance.stands and stance.is_supply is gives}
            known = self._spoken_of[agent, gives] = self._rest.intersection(filter(None, map(self._group_of.get, things)))
        return known

    def _markets_of(self, pair: Pair) -> set[Group]:
        canonical, stances = self.network.canonical, self.network.stances
        things = {part.need.thing for part in self.partners.parts_of(pair)}
        things.update(stances[line.need].thing for deal in self.book.unanswered(pair) for line in deal.lines)
        return {key for thing in things if (key := self._group_of.get(canonical(thing))) is not None}

    def kept(self) -> set[Group]:
        """Return the markets whose optimum is followed from cycle to cycle: none of a moment, which has no plans."""
        return {key for key, answer in self.solved.items() if answer.kept is not None}

    def parts(self) -> list[Part]:
        """Return all parts of the plan as it was last made, in order of offer and need; `told` has their levels and pressures."""
        parts = [part for answer in self.solved.values() for part in answer.standing()]
        return sorted(parts, key=lambda part: (part.offer.ref, part.need.ref))

    def told(self, parts: Sequence[Part]) -> list[Part]:
        """Return parts of the plan, in their order, with levels and pressures of now."""
        told = list(parts)
        of_market: dict[Group, list[int]] = {}
        for at, part in enumerate(parts):
            of_market.setdefault(self._group_of[self.network.canonical(part.offer.thing)], []).append(at)
        for key, places in of_market.items():
            kept = self.solved[key].kept
            if kept is not None:
                for at, part in zip(places, kept.told([parts[at] for at in places]), strict=True):
                    told[at] = part
        return told

    def forget(self) -> None:
        """Solve every market anew at the next plan: the last one came to nothing."""
        self.network.changed_everywhere = True
        self._rest, self._spoken_of = set(), {}  # no cycle goes on: the next plan begins one

    def units_short(self) -> int:
        """Return how many units, in all markets as last planned, minimum parts and packs keep from moving: the gap to the relaxation."""
        return sum(answer.units_short for answer in self.solved.values())

    def troubles(self) -> list[str]:
        """Return, as sentences, which markets could not be planned and where counting in coarser steps leaves something out."""
        told: list[str] = []
        for key, answer in sorted(self.solved.items()):
            names = " and ".join(name for _, name in key)
            if answer.failed:
                told.append(f"{names}: nothing was planned, because {answer.failed}")
            if answer.rounded_grains:
                told.append(f"{names}: counted in whole packs, or coarser than said, so that a remainder of some quantities is left out")
        return told

    def hidden_pairs(self) -> dict[str, int]:
        """Return how many pairs of offers and needs each matching rule hides, in all markets as last planned."""
        total = sum((answer.hidden for answer in self.solved.values()), Counter[Hidden]())
        return {str(why): count for why, count in sorted(total.items())}

    def _moved(self) -> dict[Thing, set[str]]:
        """Return what changed by canonical thing: the last signal of some other name for it may be gone, and that name with it."""
        moved: dict[Thing, set[str]] = {}
        for said, refs in self.network.changed.items():
            moved.setdefault(self.network.canonical(said), set()).update(refs)
        return moved

    def _group(self) -> bool:
        """Find the markets there are, unless they are those of the last plan; return whether they were looked for."""
        network = self.network
        same_names = self._names_seen == network.names_moved
        if same_names and all((thing in self._market_of) == bool(network.live_count(thing)) for thing in network.changed):
            return False
        self._markets = groups(network)
        self._market_of = {thing: key for key, things in self._markets.items() for thing in things}
        self._group_of = {thing: key for key in self._markets for thing in key}
        self._names_seen = network.names_moved
        return True

    def _is_here(self, key: Group, mine: Mine | None) -> bool:
        return key in self._markets and (mine is None or mine(key[0]))

    def _stale(self, moved: Mapping[Thing, set[str]], log_us: int, mine: Mine | None) -> list[Group]:
        """Return the markets whose plan is in question, in order: what is new, what changed, and what time alone changes."""
        due = self._due
        while self._again and self._again[0][0] <= log_us:
            again_us, key = heapq.heappop(self._again)
            if key in self.solved and self.solved[key].again_us == again_us:
                due.add(key)
        due.update(self._markets if self.network.changed_everywhere else filter(None, map(self._group_of.get, moved)))
        self._due = {key for key in due if key in self._markets}
        return sorted(key for key in self._due if self._is_here(key, mine))

    def _some_of(self, stale: list[Group], at_most: int | None) -> list[Group]:
        """Return which of the markets in question are planned now, and note which are left."""
        if at_most is None or self.network.changed_everywhere:
            chosen, left = stale, []  # Any market may have to see what changed everywhere, and it is forgotten then.
        else:
            order = [key for key in stale if key in self._rest]
            if not order:  # A cycle begins: who waited in the last one has all that it waits for planned together now.
                long = {key for pair in self.partners.later for key in self._markets_of(pair)}.intersection(stale)
                order = [*sorted(long), *(key for key in stale if key not in long)]
                at_most = max(at_most, len(long))
            at_most = max(at_most, len(order) // SOME)
            chosen, left = order[:at_most], order[at_most:]
        self._rest, self._in_question, self._spoken_of = set(left), set(stale).difference(chosen), {}
        return chosen

    def _forget_changes(self) -> None:
        """Forget what changed, but for the markets that are yet to see it."""
        network = self.network
        seen = [said for said in network.changed if self._group_of.get(network.canonical(said)) not in self._in_question]
        refs = set[str]().union(*map(network.changed.pop, seen))
        if self.book.has_limits:
            for ref in sorted(refs.difference(*network.changed.values())):
                self.book.forget_limits(ref)  # Every market has seen them by now.
        network.changed_everywhere = False

    def _follow(self, key: Group, moved: Mapping[Thing, set[str]], log_us: int) -> Solved | None:
        """Return a market's answer after what changed, if its optimum was kept and can be followed."""
        known = self.solved.get(key)
        if known is None or known.kept is None or self.network.changed_everywhere:
            return None
        changed = set[str]().union(*(moved.get(thing, ()) for thing in key))
        try:
            followed = known.kept.follow(changed, key, log_us, self.portion_grains)
        except TooLarge:  # What was kept grew out of its numbers; laid out anew it may fit.
            followed = False
        if not followed:
            return None
        hidden = known.hidden + known.kept.newly_hidden()
        return Solved([], known.kept.again_us(log_us), hidden, kept=known.kept, times=known.times)

    def _solve_group(self, things: Sequence[Thing], log_us: int, times: int) -> Solved:
        """Solve a market, one dimension at a time: kilos and pieces of one name never meet."""
        stances = sorted((stance for thing in things for stance in self.network.live(thing)), key=lambda stance: stance.ref)
        answer = Solved([], None, times=times + 1)
        if len({stance.is_supply for stance in stances}) < 2:
            return answer  # Nothing to give, or nobody who wants it: only a new signal can change that.
        claims = {stance.ref: self.book.claim_of(stance) for stance in stances if not stance.is_supply}
        by_dimension: dict[str, list[Stance]] = {}
        for stance in stances:
            by_dimension.setdefault(stance.dimension, []).append(stance)
        if len(by_dimension) > 1:
            answer.hidden[Hidden.DIMENSION] = _pairs(stances) - sum(_pairs(together) for together in by_dimension.values())
        for _, together in sorted(by_dimension.items()):
            available = {stance.ref: self._available(stance, log_us) for stance in together}
            offers = [stance for stance in together if stance.is_supply and available[stance.ref]]
            needs = [stance for stance in together if not stance.is_supply and available[stance.ref]]
            closed = _pairs([stance for stance in together if self._unpromised(stance)]) - len(offers) * len(needs)
            if closed:  # They are no part of the market at all, and told all the same.
                answer.hidden[Hidden.WINDOW] += closed
            if offers and needs:
                self._solve_market(Market(self.network, self.book, offers, needs, log_us), available, claims, answer)
        answer.again_us = self._again_us(stances, set(claims.values()), log_us)
        return answer

    def _available(self, stance: Stance, log_us: int) -> int:
        """Return how many grains a signal gives or asks for now: none once its window has closed, for nothing can move then any more."""
        return 0 if stance.is_over(log_us) else self._unpromised(stance)

    def _unpromised(self, stance: Stance) -> int:
        return max(0, stance.free_grains - self.book.held_grains(stance))

    def _again_us(self, stances: Sequence[Stance], claims: set[Claim], log_us: int) -> int | None:
        charter, stated = self.network.charter, self.network.portion_stated
        leads = {0, *(stance.lead_us for stance in stances)}  # a pair closes when what is agreed would come after its end
        fades_us = (self.book.forgets_us(claim, log_us) for claim in claims) if charter.fairness != "off" else ()
        return again_us(
            log_us,
            (stance.end_us - lead_us for stance in stances if stance.end_us is not None for lead_us in leads),
            (each_us for each_us in fades_us if each_us is not None),
            by_day=charter.fairness == "portions" and any(stated(claim[1], claim[3]) is None for claim in claims),
        )

    # -- one market as a problem ----------------------------------------------------------------------------------------

    def _solve_market(self, market: Market, available: Mapping[str, int], claims: Mapping[str, Claim], answer: Solved) -> None:
        if answer.kept is not None:  # Two dimensions of one market cannot both be kept.
            answer.found.extend(answer.kept.parts())
            answer.kept = None
        portions = self._portions_of(market.needs, available, claims, market.log_us)
        stated = available
        available = self._within_supply(market, stated)
        step = self._step_grains(market, available, claims, portions)
        question = Question(self.book, market, step, available, claims, portions)
        answer.rounded_grains += question.rounded_grains
        pairs = len(market.offers) * len(market.needs)
        often = answer.times > self.keep_after or pairs >= self.keep_at_once
        worth_keeping = often and pairs >= self.keep_pairs and available is stated
        candidates = question.candidates()
        if worth_keeping and not answer.rounded_grains and not answer.found and KeptMarket.suits(question):
            answer.kept = self._kept(question, candidates) if isinstance(candidates, DenseCandidates) else None
        if answer.kept is not None:
            answer.hidden.update(market.hidden)
            return
        problem, allocation = solve_on_demand(question.nodes(), candidates)
        check(problem, allocation)
        answer.hidden.update(market.hidden)
        answer.units_short += allocation.gap.units
        answer.found.extend(question.parts(problem, allocation))

    def _kept(self, question: Question, candidates: Candidates) -> KeptMarket | None:
        try:
            return KeptMarket(self.book, question, candidates, self._available)
        except TooLarge:  # A field leaves itself room to grow; solved anew each time, the market needs none.
            return None

    def _within_supply(self, market: Market, available: Mapping[str, int]) -> Mapping[str, int]:
        """Return what is available, vast needs cut to all that is offered: no answer gives them more, and numbers stay small.

        Under shares of what was asked the whole need counts, so it stays.
        """
        supply = sum(available[offer.ref] for offer in market.offers)
        if self.network.charter.fairness == "ratio" or sum(available[need.ref] for need in market.needs) <= MOST_UNITS:
            return available
        return {**available, **{need.ref: min(available[need.ref], supply) for need in market.needs}}

    def _step_grains(self, market: Market, available: Mapping[str, int], claims: Mapping[str, Claim], portions: Mapping[Thing, int]) -> int:
        """Return how many grains the solver counts as one unit: the pack, else what all quantities and levels have in common.

        The worth of a claim's units changes only at multiples of such a unit, so some optimum is whole in it. Where there are
        packs of several sizes, or loose goods beside packs, the unit is part of a pack, and the solver mends broken ones.
        """
        amounts = [available[stance.ref] for stance in (*market.offers, *market.needs)]
        packs = set({offer.thing: pack_of(self.network, offer) for offer in market.offers}.values())
        stated = [pack for pack in packs if pack]
        if stated and len(packs) == 1:
            [step] = stated
        else:
            limits = [grains for position in range(len(market.offers)) for _, grains in market.limits_of(position)]
            minimums = [stance.minimum_grains for stance in (*market.offers, *market.needs)]
            received = [self.book.received_grains(claims[need.ref], market.log_us) for need in market.needs]
            step = math.gcd(*amounts, *limits, *minimums, *received, *portions.values(), *stated, *self._held_grains(market))
            if self.network.charter.fairness == "ratio":  # Its levels are so many parts of what each claim asked for.
                levels = self.network.charter.fairness_levels
                step = step // levels if step % levels == 0 else 1
        while sum(amounts) // step > MOST_UNITS:
            step *= 10
        return step

    def _held_grains(self, market: Market) -> Iterable[int]:
        """Return what is proposed now between pairs of this market, where moving it has to gain something."""
        if not self.network.charter.hysteresis:
            return ()
        offers = {offer.ref: position for position, offer in enumerate(market.offers)}
        needs = {need.ref: position for position, need in enumerate(market.needs)}
        return proposed_grains(self.book, offers, needs).values()

    def _portions_of(
        self, needs: Sequence[Stance], available: Mapping[str, int], claims: Mapping[str, Claim], log_us: int
    ) -> dict[Thing, int]:
        """Return the portion of each thing that is needed here, in grains; empty under the other rules of fairness."""
        if self.network.charter.fairness != "portions":
            return {}
        asked: dict[tuple[Thing, str], Counter[Claim]] = {}
        for need in needs:
            claim = claims[need.ref]
            asked.setdefault((claim[1], claim[3]), Counter())[claim] += available[need.ref]
        return {thing: self.portion_grains(thing, unit, list(of.values()), log_us) for (thing, unit), of in sorted(asked.items())}

    def portion_grains(self, thing: Thing, dimension: str, open_grains: Iterable[int], log_us: int) -> int:
        """Return the portion of a resource: the charter's, else the median of the open claims, found once a day."""
        stated = self.network.portion_stated(thing, dimension)
        if stated is not None:
            return stated
        day = log_us // DAY_US
        known = self._portions.get((thing, dimension))
        if known is None or known[0] != day:
            known = self._portions[thing, dimension] = (day, max(1, int(statistics.median_low(open_grains))))
        return known[1]


def speaking_of(network: Network, mine: Mine | None) -> Callable[[Deal], bool] | None:
    """Return what tells the deals that speak of markets which are `mine`; None where all of them are."""
    if mine is None:
        return None
    leads = {thing: key[0] for key in groups(network) for thing in key}

    def speaks(deal: Deal) -> bool:
        things = {network.canonical(network.stances[line.need].thing) for line in deal.lines}
        return any(mine(leads.get(thing, thing)) for thing in things)

    return speaks


def _pairs(stances: Sequence[Stance]) -> int:
    supplies = sum(stance.is_supply for stance in stances)
    return supplies * (len(stances) - supplies)
