"""A market whose optimum is kept between cycles: what changed is told to the solver's field, everything else stays as it was.

So a plan moves only as far as a change matters, and partners are not asked anew because something far away happened.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from coordinator.commitments import Book
from coordinator.errors import Defect
from coordinator.matching import FOREVER, Hidden, Market
from coordinator.network import Stance, Thing
from coordinator.problems import MOST_PAIRS, NO_LIMIT, Claim, Part, Question, parts_of
from coordinator.times import DAY_US
from solver import Allocation, Field, Gap, Problem, broken_rules, solve_on_demand, staircase

__all__ = ["KeptMarket", "check"]

Ints = NDArray[np.int64]
PortionOf = Callable[[Thing, str, Sequence[int], int], int]  # thing, dimension, open claims in grains, log time -> grains

EACH_OFFER, EACH_NEED = 8, 4  # arcs added at most in one round, of the many that would gain
LOOKED_AT = 4_096  # arcs that would gain, of which a round takes its few
DEAD_SHARE = 2  # the field is built anew when it holds so many times more of the past than of the present


def check(problem: Problem, allocation: Allocation) -> None:
    """Raise `Defect` where an answer breaks a rule, by arithmetic that shares nothing with the engine."""
    wrong = broken_rules(problem, allocation)
    if wrong:
        raise Defect(f"the solver's answer breaks its own rules, so nothing was proposed; please report: {'; '.join(wrong[:3])}")


class KeptMarket:
    """Offers, needs and claims of one market by their positions in the field, and every arc the matching rules allow."""

    @staticmethod
    def suits(question: Question) -> bool:
        """Whether this market can be kept: minimum parts, hysteresis, shares of what was asked and unlike masses are solved anew."""
        charter, market = question.charter, question.market
        plain = charter.fairness != "ratio" and not charter.hysteresis and len(market.offers) * len(market.needs) <= MOST_PAIRS
        return plain and bool((question.weight == 1).all()) and not any(one.minimum_grains for one in (*market.offers, *market.needs))

    def __init__(self, book: Book, question: Question, available: Callable[[Stance], int]) -> None:
        """Solve the market from nothing and keep the answer."""
        self.book, self.step, self.portions = book, question.step, question.portions
        self.network, self.charter = book.network, question.charter
        self._available = available
        self.dimension = question.market.needs[0].dimension
        self.offers, self.needs = list(question.market.offers), list(question.market.needs)
        self._offer_at = {stance.ref: position for position, stance in enumerate(self.offers)}
        self._need_at = {stance.ref: position for position, stance in enumerate(self.needs)}
        self._claims = list(question.claims)
        self._claim_at = {claim: position for position, claim in enumerate(self._claims)}
        self._terms = {stance.ref: self._terms_of(stance) for stance in (*self.offers, *self.needs)}
        problem, _ = solve_on_demand(question.nodes(), question.candidates())
        self._received = problem.received.tolist()
        self._claim = problem.claim.tolist()
        self.field = Field(problem, farthest=question.market.farthest_m())
        self._supply, self._demand = problem.supply.copy(), problem.demand.copy()
        self._offer_end = np.array([_end_us(offer) for offer in self.offers], dtype=np.int64)
        self._need_end = np.array([_end_us(need) for need in self.needs], dtype=np.int64)
        self._fades: dict[Claim, int] = {}
        for claim in self._claims:
            self._note_fading(claim, question.market.log_us)
        shape = (len(self.offers), len(self.needs))
        self._effort = np.zeros(shape, dtype=np.int64)
        self._most = np.zeros(shape, dtype=np.int64)  # 0 where no arc is possible
        self._arc = np.full(shape, -1, dtype=np.int64)
        self._limited: dict[tuple[int, int], int] = {}
        self._hidden: Counter[Hidden] = Counter()
        self._arc[problem.offer, problem.need] = np.arange(len(problem.offer))
        for position in range(len(self.offers)):
            self._note_row(question.market, position, position, np.arange(len(self.needs)))
            for need, grains in question.market.limits_of(position):
                self._limit(position, need, grains // self.step)

    def newly_hidden(self) -> Counter[Hidden]:
        """Return how many pairs the rules hid among what came since this was last asked."""
        hidden, self._hidden = self._hidden, Counter()
        return hidden  # Fewer than none where a declined pair speaks to each other again.

    def again_us(self, log_us: int) -> int | None:
        """Return when time alone will change this market: a window closes, a memory fades, a day's median is due."""
        ends = [
            int(closing.min()) for ends in (self._offer_end, self._need_end) if len(closing := ends[(ends > log_us) & (ends < FOREVER)])
        ]
        times = [*ends, *self._fades.values()]
        if any(thing[1] not in self.charter.portion for thing in self.portions):
            times.append((log_us // DAY_US + 1) * DAY_US)
        return min(times, default=None)

    # -- following what changed -----------------------------------------------------------------------------------------

    def follow(self, changed: Iterable[str], log_us: int, portion_grains: PortionOf) -> bool:
        """Tell the field what became of these signals and what time ended; return False where that needs a market built anew."""
        news = self._news({*changed, *self._closed(log_us)}, log_us)
        if news is None:
            return False
        for stance, ref, units in news.changes:
            self._change(stance, ref, units)
        for claim, units in news.received.items():
            self._receive(claim, units, log_us)
        self._admit(news.offers, news.needs, log_us)
        for offer_ref, need_ref, grains in news.limits:
            offer, need = self._offer_at.get(offer_ref), self._need_at.get(need_ref)
            if offer is not None and need is not None:
                self._limit(offer, need, None if grains is None else grains // self.step)
        for thing, portion in self.portions.items():
            open_grains = self._open_grains(thing)
            if open_grains and portion_grains(thing, self.dimension, open_grains, log_us) != portion:
                return False
        self._add_what_gains()
        return True

    def _closed(self, log_us: int) -> list[str]:
        """Return what is still counted on although its window has closed."""
        offers = np.flatnonzero((self._offer_end <= log_us) & (self._supply > 0))
        needs = np.flatnonzero((self._need_end <= log_us) & (self._demand > 0))
        return [self.offers[each].ref for each in offers] + [self.needs[each].ref for each in needs]

    def _news(self, refs: set[str], log_us: int) -> "_News | None":
        """Return what changed, in units; None where units or rules do not fit this market any more."""
        news = _News(limits=self._limits_of(refs))
        claims = {claim for claim, fades_us in self._fades.items() if fades_us <= log_us}
        for ref in sorted(refs):
            stance = self.network.stances[ref]
            units, rest = divmod(self._available(stance), self.step)
            if rest or stance.minimum_grains or (stance.stands and stance.dimension != self.dimension):
                return None
            if stance.end_us is not None and stance.end_us <= log_us:
                units = 0
            if not stance.is_supply:
                claims.add(self.book.claim_of(stance))
            known = ref in self._terms
            if known and self._terms[ref] != self._terms_of(stance):
                news.changes.append((None, ref, 0))
                known = False
            if known:
                news.changes.append((stance, ref, units))
            elif units:
                (news.offers if stance.is_supply else news.needs).append(stance)
        for claim in sorted(claims):
            news.received[claim], rest = divmod(self.book.received_grains(claim, log_us), self.step)
            if rest or (self.portions and claim[1] not in self.portions):
                return None
        if any(grains is not None and grains % self.step for _, _, grains in news.limits):
            return None
        return None if self._is_mostly_past(len(news.offers), len(news.needs)) else news

    def _open_grains(self, thing: Thing) -> list[int]:
        """Return what each claim for a thing still asks for, where it asks for anything."""
        open_units = np.zeros(len(self._claims), dtype=np.int64)
        np.add.at(open_units, np.array(self._claim, dtype=np.int64), self._demand)
        units = [int(open_units[position]) for claim, position in self._claim_at.items() if claim[1] == thing]
        return [each * self.step for each in units if each]

    def _terms_of(self, stance: Stance) -> tuple[object, ...]:
        """Return everything about a signal, but for its amounts, that its arcs rest on."""
        claim = None if stance.is_supply else self.book.claim_of(stance)
        place = self.network.place_of(stance)
        return (stance.thing, stance.dimension, stance.begin_us, stance.end_us, stance.within_m, place, stance.substitutes, claim)

    def _is_mostly_past(self, offers: int, needs: int) -> bool:
        live = int((self._supply > 0).sum()) + int((self._demand > 0).sum()) + offers + needs
        held = len(self.offers) + len(self.needs) + offers + needs
        return held > DEAD_SHARE * live + 1_000 or (len(self.offers) + offers) * (len(self.needs) + needs) > MOST_PAIRS

    def _change(self, stance: Stance | None, ref: str, units: int) -> None:
        if ref in self._offer_at:
            position = self._offer_at[ref]
            self.offers[position] = stance or self.offers[position]
            more = units - int(self._supply[position])
            self._supply[position] = units
            if more:
                self.field.offer_changes(position, more)
        else:
            position = self._need_at[ref]
            self.needs[position] = stance or self.needs[position]
            more = units - int(self._demand[position])
            self._demand[position] = units
            if more:
                self.field.need_changes(position, more)
        if stance is None:  # What it said before is over; what it says now begins as another node.
            del self._terms[ref]
            (self._offer_at if ref in self._offer_at else self._need_at).pop(ref)

    def _receive(self, claim: Claim, units: int, log_us: int) -> None:
        self._note_fading(claim, log_us)
        position = self._claim_at.get(claim)
        if position is None:
            portion = self.portions.get(claim[1], 1)
            asked = np.ones(1, dtype=np.int64)
            rise, run, _ = staircase(self.charter.fairness, portion, self.step, asked, self.charter.fairness_levels)
            self._claim_at[claim] = self.field.add_claim(claim[2], int(rise[0]), int(run[0]), units)
            self._claims.append(claim)
            self._received.append(units)
        elif self._received[position] != units:
            self.field.claim_received(position, units)
            self._received[position] = units

    def _note_fading(self, claim: Claim, log_us: int) -> None:
        fades_us = self.book.forgets_us(claim, log_us)
        if fades_us is None:
            self._fades.pop(claim, None)
        else:
            self._fades[claim] = fades_us

    def _admit(self, offers: Sequence[Stance], needs: Sequence[Stance], log_us: int) -> None:
        """Give new offers and needs their nodes, and note every arc that the rules allow them."""
        for need in needs:
            claim = self._claim_at[self.book.claim_of(need)]
            units = self._available(need) // self.step
            self._need_at[need.ref] = self.field.add_need(claim, units)
            self.needs.append(need)
            self._claim.append(claim)
            self._demand = np.append(self._demand, units)
            self._need_end = np.append(self._need_end, _end_us(need))
        for offer in offers:
            units = self._available(offer) // self.step
            self._offer_at[offer.ref] = self.field.add_offer(units)
            self.offers.append(offer)
            self._supply = np.append(self._supply, units)
            self._offer_end = np.append(self._offer_end, _end_us(offer))
        for stance in (*offers, *needs):
            self._terms[stance.ref] = self._terms_of(stance)
        self._grow()
        known_offers = sorted(set(self._offer_at.values()) - {self._offer_at[offer.ref] for offer in offers})
        if needs:
            self._note_arcs(known_offers, [self._need_at[need.ref] for need in needs], log_us)
        if offers:
            self._note_arcs([self._offer_at[offer.ref] for offer in offers], sorted(self._need_at.values()), log_us)

    def _note_arcs(self, offers: Sequence[int], needs: Sequence[int], log_us: int) -> None:
        market = Market(self.network, self.book, [self.offers[each] for each in offers], [self.needs[each] for each in needs], log_us)
        columns = np.array(needs, dtype=np.int64)
        for position, offer in enumerate(offers):
            self._note_row(market, position, offer, columns, counting=True)
        self._hidden += market.hidden

    def _note_row(self, market: Market, position: int, offer: int, columns: Ints, *, counting: bool = False) -> None:
        """Note the arcs of one offer to the needs of a market; `columns` says where each of those stands here."""
        reached, distance_m = market.row(position, counting=counting)
        self._effort[offer, columns[reached]] = distance_m
        self._most[offer, columns[reached]] = NO_LIMIT

    def _grow(self) -> None:
        """Make room for every offer and need, and a quarter more, so that room is rarely made."""
        wanted = (len(self.offers), len(self.needs))
        extra = [max(0, count - held) + (held // 4 if count > held else 0) for count, held in zip(wanted, self._arc.shape, strict=True)]
        if any(extra):
            margin = [(0, more) for more in extra]
            self._effort, self._most = np.pad(self._effort, margin), np.pad(self._most, margin)
            self._arc = np.pad(self._arc, margin, constant_values=-1)

    # -- pairs that declined or countered -------------------------------------------------------------------------------

    def _limits_of(self, changed: set[str]) -> list[tuple[str, str, int | None]]:
        """Return what the pairs of changed signals said they would still exchange: offer, need, grains or None for no limit."""
        stances = self.network.stances
        return [
            (offer, need, self.book.limit_grains(stances[offer], stances[need]))
            for offer, need in self.book.limits()
            if offer in changed or need in changed
        ]

    def _limit(self, offer: int, need: int, units: int | None) -> None:
        possible = self._most[offer, need] > 0 or (offer, need) in self._limited
        if not possible or self._limited.get((offer, need)) == units:
            return
        self._hidden[Hidden.DECLINED] += (units == 0) - (self._limited.get((offer, need)) == 0)
        self._most[offer, need] = NO_LIMIT if units is None else units
        if units is None:
            del self._limited[offer, need]
        else:
            self._limited[offer, need] = units
        if self._arc[offer, need] >= 0:
            self.field.change_most(int(self._arc[offer, need]), int(self._most[offer, need]))

    # -- arcs on demand -------------------------------------------------------------------------------------------------

    def _add_what_gains(self) -> None:
        """Add arcs until none of those left out would gain: then the answer is the optimum over all of them."""
        rows, columns = len(self.offers), len(self.needs)
        while True:
            offer_pressure, need_pressure, _ = self.field.pressures()
            loss = self._effort[:rows, :columns] + offer_pressure[:, None] - need_pressure[None, :]
            open_arcs = (loss < 0) & (self._most[:rows, :columns] > 0) & (self._arc[:rows, :columns] < 0)
            open_arcs &= (self._supply > 0)[:, None] & (self._demand > 0)[None, :]
            offers, needs = np.nonzero(open_arcs)
            if not len(offers):
                return
            for chosen in _best_few(loss[offers, needs], offers, needs):
                offer, need = int(offers[chosen]), int(needs[chosen])
                arc = self.field.add_arc(offer, need, int(self._effort[offer, need]), int(self._most[offer, need]))
                self._arc[offer, need] = arc

    # -- the answer -----------------------------------------------------------------------------------------------------

    def parts(self) -> list[Part]:
        """Return what moves, once the answer has been checked."""
        problem = self.field.problem()
        flow = self.field.flow()
        allocation = Allocation(flow, *self.field.pressures(), self.field.worth, Gap(0, 0, 0), flow)
        check(problem, allocation)
        alike = np.ones(len(self.offers), dtype=np.int64)
        return parts_of(problem, allocation, self.offers, self.needs, self._claims, alike, self.step)


@dataclass(slots=True)
class _News:
    """What changed since a market was last looked at."""

    changes: list[tuple[Stance | None, str, int]] = field(default_factory=list)  # as it stands (None: retired), ref, units
    offers: list[Stance] = field(default_factory=list)  # not known yet
    needs: list[Stance] = field(default_factory=list)
    received: dict[Claim, int] = field(default_factory=dict)  # units
    limits: list[tuple[str, str, int | None]] = field(default_factory=list)  # offer, need, grains


def _end_us(stance: Stance) -> int:
    return FOREVER if stance.end_us is None else stance.end_us


def _best_few(loss: Ints, offers: Ints, needs: Ints) -> list[int]:
    """Return the positions of the arcs that gain most, a few of each offer and of each need, in order of gain."""
    chosen: list[int] = []
    of_offer: dict[int, int] = {}
    of_need: dict[int, int] = {}
    most = np.argpartition(loss, LOOKED_AT)[:LOOKED_AT] if len(loss) > LOOKED_AT else np.arange(len(loss))
    for position in np.sort(most)[np.argsort(loss[np.sort(most)], kind="stable")].tolist():
        offer, need = int(offers[position]), int(needs[position])
        if of_offer.get(offer, 0) < EACH_OFFER and of_need.get(need, 0) < EACH_NEED:
            of_offer[offer] = of_offer.get(offer, 0) + 1
            of_need[need] = of_need.get(need, 0) + 1
            chosen.append(position)
    return chosen
