"""A market whose optimum is kept between cycles: what changed is told to the solver's field, everything else stays as it was.

So a plan moves only as far as a change matters, and partners are not asked anew because something far away happened.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from coordinator.commitments import Book
from coordinator.errors import Defect
from coordinator.matching import AT_ONCE, FOREVER, Columns, Group, Hidden, Market, Picked, reach_m, with_room
from coordinator.network import Stance, Thing
from coordinator.places import great_circles_m
from coordinator.problems import (
    MOST_PAIRS,
    NO_LIMIT,
    Claim,
    Part,
    Question,
    by_thing,
    mass_of,
    pack_of,
    parts_of,
    proposed_grains,
    staircases,
)
from coordinator.times import DAY_US
from solver import (
    Allocation,
    Candidates,
    Comparison,
    Field,
    Gap,
    PossibleArcs,
    Problem,
    broken_rules,
    is_proven,
    least_pressures,
    levels_before,
    solve_on_demand,
)

__all__ = ["KeptMarket", "again_us", "check"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Sort = tuple[Thing, str, str]  # thing as said, dimension, unit: what packs and masses follow from
Available = Callable[[Stance, int], int]  # a signal, log time -> grains that it gives or asks for then
PortionOf = Callable[[Thing, str, Ints, int], int]  # thing, dimension, open claims in grains, log time -> grains

DEAD_SHARE, MOST_PAST = 2, 1_000  # the field is built anew when it holds so many times more than what stands, and so many more


def check(problem: Problem, allocation: Allocation) -> None:
    """Raise `Defect` where an answer breaks a rule, by arithmetic that shares nothing with the engine."""
    wrong = broken_rules(problem, allocation)
    if wrong:
        raise Defect(f"the solver's answer breaks its own rules, so nothing was proposed; please report: {'; '.join(wrong[:3])}")


def again_us(log_us: int, ends_us: Iterable[int], fades_us: Iterable[int], *, by_day: bool) -> int | None:
    """Return when time alone will change a market: a window closes, a memory fades, or, `by_day`, a day's median is due."""
    times = [end_us for end_us in ends_us if log_us < end_us < FOREVER]
    times.extend(fades_us)
    if by_day:
        times.append((log_us // DAY_US + 1) * DAY_US)
    return min(times, default=None)


class KeptMarket:
    """Offers, needs and claims of one market by their positions in the field, and every arc the matching rules allow."""

    @staticmethod
    def suits(question: Question) -> bool:
        """Whether a market can be kept; minimum parts, lead times, unlike packs, too many pairs and rounded weights forbid it."""
        market = question.market
        mended = question.pack is not None or any(one.minimum_grains for one in (*market.offers, *market.needs))
        mended = mended or any(offer.lead_us for offer in market.offers)  # Time alone closes their pairs, one by one.
        return question.weighs_exactly and not mended

    def __init__(self, book: Book, question: Question, candidates: Candidates, available: Available) -> None:
        """Solve the market from nothing and keep the answer; `available` says what a signal gives or asks for.

        `TooLarge` where no field can hold it.
        """
        self.book, self.step, self.portions = book, question.step, dict(question.portions)
        self.network, self.charter = book.network, question.charter
        self._available = available
        self.dimension = question.market.needs[0].dimension
        self.offers, self.needs = list(question.market.offers), list(question.market.needs)
        self._offer_at = {stance.ref: position for position, stance in enumerate(self.offers)}
        self._need_at = {stance.ref: position for position, stance in enumerate(self.needs)}
        self._claims = list(question.claims)
        self._claim_at = {claim: position for position, claim in enumerate(self._claims)}
        self._of_thing = by_thing(self._claims)
        self._terms = {stance.ref: self._terms_of(stance) for stance in (*self.offers, *self.needs)}
        self._weight_of, self._weight = question.weight_of, question.weight.copy()
        self._example = {_sort_of(offer): offer for offer in self.offers}
        self._kinds = self._kinds_of(self._example)
        self._multiple = self._smallest_change()
        problem, _ = solve_on_demand(question.nodes(), candidates)
        self._received, self._claim, self._rise, self._run = (
            values.copy() for values in (problem.received, problem.claim, problem.rise, problem.run)
        )
        self.field = Field(problem, farthest=question.market.farthest_m() * int(self._weight.max(initial=1)))
        self._supply, self._demand = problem.supply.copy(), problem.demand.copy()
        self._alike = Counter(_sort_of(offer) for offer, units in zip(self.offers, self._supply.tolist(), strict=True) if units)
        self._columns = Columns.of(self.network, self.offers), Columns.of(self.network, self.needs)  # with room for more
        self._next_end_us = min(int(ends_us.min(initial=FOREVER)) for ends_us in self._ends_us())
        self._fades: dict[Claim, int] = {}
        for claim in self._claims:
            self._note_fading(claim, question.market.log_us)
        self._limited: dict[tuple[int, int], int] = {}  # units, of pairs that declined or countered
        self._held = dict(zip(zip(problem.offer.tolist(), problem.need.tolist(), strict=True), problem.kept.tolist(), strict=True))
        self._held = {pair: units for pair, units in self._held.items() if units}
        self._hidden: Counter[Hidden] = Counter()
        self._here = np.ones(len(self.offers), dtype=bool), np.ones(len(self.needs), dtype=bool)  # whether they are known
        self._asks = bool(self._columns[1].asks.any())
        self._possible = PossibleArcs(len(self.offers), len(self.needs))
        self._note(question.market, np.arange(len(self.offers)), np.arange(len(self.needs)))
        self._possible.put(self._possible.pairs_of(problem.offer, problem.need), np.arange(len(problem.offer)))
        for position in range(len(self.offers)):
            for need, grains in question.market.limits_of(position):
                self._limit(position, need, grains // self.step)
        self._last: Comparison | None = None  # what flowed and proved it, when `moved` was last asked
        self._parts: dict[int, Part] = {}  # what moved then, by arc
        self._said_anew: set[str] = set()  # since then
        self._last_level = problem.levels - 1
        self._hidden.clear()  # Whoever laid the market out counted these.
        self._add_what_gains()

    def newly_hidden(self) -> Counter[Hidden]:
        """Return how many pairs the rules hid among what came since this was last asked."""
        hidden, self._hidden = self._hidden, Counter()
        return hidden  # Fewer than none where a declined pair speaks to each other again.

    def again_us(self, log_us: int) -> int | None:
        """Return when time alone will change this market."""
        if self._next_end_us <= log_us:
            ends_us = np.concatenate(self._ends_us())
            self._next_end_us = int(ends_us.min(initial=FOREVER, where=ends_us > log_us))
        stated = self.book.network.portion_stated
        by_day = any(stated(thing, self.dimension) is None for thing in self.portions)
        return again_us(log_us, (self._next_end_us,), self._fades.values(), by_day=by_day)

    # -- following what changed -----------------------------------------------------------------------------------------

    def follow(self, changed: Iterable[str], things: Group, log_us: int, portion_grains: PortionOf) -> bool:
        """Tell the field what became of these signals and what time ended; return False where that needs a market built anew.

        A signal that by now speaks of none of this market's canonical `things` is over here.
        """
        refs = {*changed, *self._closed(log_us)}
        news = self._news(refs, things, log_us)
        if news is None:
            return False
        self._said_anew.update(ref for _, ref, _ in news.changes)
        for offer_ref, need_ref, _ in news.limits:
            self._said_anew |= {offer_ref, need_ref}
        for stance, ref, units in news.changes:
            self._change(stance, ref, units)
        claims = self._receive(news.received, log_us)
        self._admit(claims, news.offers, news.needs, things, log_us)
        for offer_ref, need_ref, grains in news.limits:
            offer, need = self._offer_at.get(offer_ref), self._need_at.get(need_ref)
            if offer is not None and need is not None:
                self._limit(offer, need, None if grains is None else grains // self.step)
        if not self._find_portions(portion_grains, log_us):
            return False
        self._restep()
        if self.charter.hysteresis and not self._hold():
            return False
        self._add_what_gains()
        return True

    def _closed(self, log_us: int) -> list[str]:
        """Return what is still counted on although its window has closed."""
        if log_us < self._next_end_us:
            return []
        offers_us, needs_us = self._ends_us()
        offers = np.flatnonzero((offers_us <= log_us) & (self._supply > 0))
        needs = np.flatnonzero((needs_us <= log_us) & (self._demand > 0))
        return [self.offers[each].ref for each in offers] + [self.needs[each].ref for each in needs]

    def _ends_us(self) -> tuple[Ints, Ints]:
        """Return until when each offer and each need is of use."""
        offered, wanted = self._columns
        return offered.end_us[: len(self.offers)], wanted.end_us[: len(self.needs)]

    def _news(self, refs: set[str], things: Group, log_us: int) -> "_News | None":
        """Return what changed, in units; None where units or rules do not fit this market any more."""
        stances = self.network.stances
        pairs = {pair for ref in refs for pair in self.book.limits_of(ref)} if self.book.has_limits else set()
        news = _News(limits=[(*pair, self.book.limit_grains(stances[pair[0]], stances[pair[1]])) for pair in sorted(pairs)])
        claims = {claim for claim, fades_us in self._fades.items() if fades_us <= log_us}
        for ref in sorted(refs):
            stance = stances[ref]
            if self.network.canonical(stance.thing) not in things:
                if ref in self._terms:
                    news.changes.append((None, ref, 0))
                continue
            grains = self._available(stance, log_us)
            if grains % self._multiple or stance.minimum_grains or stance.lead_us or (stance.stands and stance.dimension != self.dimension):
                return None
            units = grains // self.step
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
            grains = self.book.received_grains(claim, log_us)
            if grains % self._multiple:
                return None
            news.received[claim] = grains // self.step
        if any(grains is not None and grains % self._multiple for _, _, grains in news.limits):
            return None
        return news if self._stays_alike(news) and not self._is_mostly_past(len(news.offers), len(news.needs)) else None

    def _stays_alike(self, news: "_News") -> bool:
        """Whether the offers come in the packs and masses that units and weights were chosen by, no more and no fewer of them."""
        alike = self._alike.copy()
        for stance, ref, units in news.changes:
            position = self._offer_at.get(ref)
            if position is not None:
                before = self.offers[position]
                alike[_sort_of(before)] -= int(self._supply[position] > 0)
                alike[_sort_of(stance or before)] += int(units > 0)
                self._example[_sort_of(stance or before)] = stance or before
        for offer in news.offers:
            alike[_sort_of(offer)] += 1
            self._example[_sort_of(offer)] = offer
        self._alike = +alike
        return not self._alike or self._kinds_of(self._alike) == self._kinds

    def _kinds_of(self, sorts: Iterable[Sort]) -> set[tuple[int | None, Fraction]]:
        """Return every pack, in grains, and mass of a grain that offers of some sorts come in."""
        examples = [self._example[sort] for sort in sorts]
        return {(pack_of(self.network, one), mass_of(self.network, one)) for one in examples}

    def _smallest_change(self) -> int:
        """Return of how many grains every amount has to be a multiple, so that some optimum is whole in units.

        Shares of what was asked have their levels at so many parts of it, unless only whole packs move at all.
        """
        in_shares = self.charter.fairness == "ratio" and self.step > 1 and not any(pack for pack, _ in self._kinds)
        return self.step * self.charter.fairness_levels if in_shares else self.step

    def _terms_of(self, stance: Stance) -> tuple[object, ...]:
        """Return everything about a signal, but for its amounts, that its arcs rest on."""
        claim = None if stance.is_supply else self.book.claim_of(stance)
        place = self.network.place_of(stance)
        return (
            stance.thing,
            stance.dimension,
            stance.unit,
            stance.begin_us,
            stance.end_us,
            stance.within_m,
            place,
            stance.substitutes,
            tuple(sorted((stance.limits or {}).items())),
            claim,
        )

    def _is_mostly_past(self, offers: int, needs: int) -> bool:
        held = len(self.offers) + len(self.needs) + offers + needs
        if held <= MOST_PAST and self._possible.count <= MOST_PAIRS:
            return False
        live = int((self._supply > 0).sum()) + int((self._demand > 0).sum()) + offers + needs
        return held > DEAD_SHARE * live + MOST_PAST or self._possible.count > MOST_PAIRS

    def _change(self, stance: Stance | None, ref: str, units: int) -> None:
        if ref in self._offer_at:
            position = self._offer_at[ref]
            self.offers[position] = stance or self.offers[position]
            more = units - int(self._supply[position])
            self._supply[position] = units
            if more:
                self.field.offer_changes(position, more)
            if more == units:  # It had nothing.
                self._possible.look_at_offer(position)
        else:
            position = self._need_at[ref]
            self.needs[position] = stance or self.needs[position]
            more = units - int(self._demand[position])
            self._demand[position] = units
            if more:
                self.field.need_changes(position, more)
            if more == units:
                self._possible.look_at_need(position)
        if stance is None:  # What it said before is over; what it says now begins as another node.
            del self._terms[ref]
            here, at = (self._here[0], self._offer_at) if ref in self._offer_at else (self._here[1], self._need_at)
            here[at.pop(ref)] = False

    def _receive(self, received: Mapping[Claim, int], log_us: int) -> Ints:
        """Take over what each claim received, in units; return (new, 4) the tier, rise, run and units of those the field does not know."""
        for claim, units in received.items():
            self._note_fading(claim, log_us)
            position = self._claim_at.get(claim)
            if position is not None and self._received[position] != units:
                self.field.claim_received(position, units)
                self._received[position] = units
        new = [claim for claim in received if claim not in self._claim_at]
        if not new:
            return np.empty((0, 4), dtype=np.int64)
        asked = np.array([received[claim] for claim in new], dtype=np.int64)
        rise, run, _ = staircases(self.charter, by_thing(new), self.portions, self.step, asked)
        tiers = np.array([claim[2] for claim in new], dtype=np.int64)
        for position, claim in enumerate(new, len(self._claims)):
            self._claim_at[claim] = position
            self._of_thing.setdefault(claim[1], []).append(position)
        self._claims += new
        self._received, self._rise, self._run = _longer(self._received, asked), _longer(self._rise, rise), _longer(self._run, run)
        return np.column_stack((tiers, rise, run, asked))

    def _note_fading(self, claim: Claim, log_us: int) -> None:
        fades_us = None if self.charter.fairness == "off" else self.book.forgets_us(claim, log_us)
        if fades_us is None:
            self._fades.pop(claim, None)
        else:
            self._fades[claim] = fades_us

    # -- what is new ----------------------------------------------------------------------------------------------------

    def _admit(self, claims: Ints, offers: Sequence[Stance], needs: Sequence[Stance], things: Group, log_us: int) -> None:
        """Give new claims, offers and needs their nodes, and note every arc that the rules allow them."""
        if not (len(claims) or offers or needs):
            return
        claim = np.array([self._claim_at[self.book.claim_of(need)] for need in needs], dtype=np.int64)
        demand = np.array([self._available(need, log_us) // self.step for need in needs], dtype=np.int64)
        supply = np.array([self._available(offer, log_us) // self.step for offer in offers], dtype=np.int64)
        self.field.admit(claims, np.column_stack((claim, demand)), supply)
        self._need_at.update((need.ref, position) for position, need in enumerate(needs, len(self.needs)))
        self._offer_at.update((offer.ref, position) for position, offer in enumerate(offers, len(self.offers)))
        self.needs += needs
        self.offers += offers
        self._claim, self._demand = _longer(self._claim, claim), _longer(self._demand, demand)
        self._supply = _longer(self._supply, supply)
        self._next_end_us = min(self._next_end_us, *(_end_us(one) for one in (*offers, *needs)), FOREVER)
        weights = [self._weight_of[mass_of(self.network, offer)] for offer in offers]
        self._weight = _longer(self._weight, np.array(weights, dtype=np.int64))
        for stance in (*offers, *needs):
            self._terms[stance.ref] = self._terms_of(stance)
        before = len(self.offers) - len(offers), len(self.needs) - len(needs)
        offered, wanted = self._columns
        self._columns = offered.with_more(self.network, before[0], offers), wanted.with_more(self.network, before[1], needs)
        self._here = _with_known(self._here[0], before[0], len(offers)), _with_known(self._here[1], before[1], len(needs))
        self._asks = self._asks or any(need.limits for need in needs)
        self._possible.make_room(len(self.offers), len(self.needs))
        if len(things) == 1 and not (self._asks or self.network.routes or self.network.table is not None):
            self._meet(before, log_us)
            return
        known_offers, known_needs = (np.fromiter(at.values(), dtype=np.int64) for at in (self._offer_at, self._need_at))
        if needs:
            self._note_arcs(known_offers[: len(known_offers) - len(offers)], known_needs[len(known_needs) - len(needs) :], log_us)
        if offers:
            self._note_arcs(known_offers[len(known_offers) - len(offers) :], known_needs, log_us)

    def _meet(self, before: tuple[int, int], log_us: int) -> None:
        """Note every arc of the offers and needs from these positions on, in one pass: only places, windows and reaches tell them apart.

        What `_note_arcs` does with the same rules, where nobody asks anything of machines, states a route or accepts something else.
        """
        # New needs and the offers of before, then new offers and all needs.
        new_needs, new_offers = np.arange(before[1], len(self.needs)), np.arange(before[0], len(self.offers))
        known_offers, all_needs = np.arange(before[0]), np.arange(len(self.needs))
        offers = np.concatenate((*len(new_needs) * (known_offers,), new_offers.repeat(len(all_needs))))
        needs = np.concatenate((new_needs.repeat(before[0]), *len(new_offers) * (all_needs,)))
        there, here = self._columns
        offered, wanted = (
            (columns.agent, columns.begin_us, columns.end_us, columns.within_m, known)
            for columns, known in zip(self._columns, self._here, strict=True)
        )
        for begin in range(0, len(offers), AT_ONCE):
            i, j = offers[begin : begin + AT_ONCE], needs[begin : begin + AT_ONCE]
            far = great_circles_m((there.latitude[i], there.longitude[i]), here.latitude[j], here.longitude[j])
            excluded = self._possible.meet(offered, wanted, self._weight, i, j, far, (log_us, reach_m(self.network)))
            for why, count in zip((Hidden.OWN, Hidden.WINDOW, Hidden.NO_ROUTE, Hidden.TOO_FAR), excluded, strict=True):
                if count:
                    self._hidden[why] += count

    def _note_arcs(self, offers: Ints, needs: Ints, log_us: int) -> None:
        these, those = Picked(self.offers, offers), Picked(self.needs, needs)
        columns = self._columns[0].picked(offers), self._columns[1].picked(needs)
        market = Market(self.network, self.book, these, those, log_us, columns=columns)
        self._note(market, offers, needs, counting=True)
        self._hidden += market.hidden

    def _note(self, market: Market, offer_at: Ints, need_at: Ints, *, counting: bool = False) -> None:
        """Note what a market's rules allow; `offer_at` and `need_at` say where each of its offers and needs stands here."""
        for offers, needs, distance_m in market.pairs(counting=counting):
            chosen = offer_at[offers]
            self._possible.allow(chosen, need_at[needs], distance_m * self._weight[chosen])

    # -- pairs that declined or countered -------------------------------------------------------------------------------

    def _limit(self, offer: int, need: int, units: int | None) -> None:
        """Let a pair exchange so many units, without a limit if None."""
        before = self._limited.get((offer, need))
        if before == units or not (before is not None or self._possible.is_allowed(offer, need)):
            return
        self._hidden[Hidden.DECLINED] += (units == 0) - (before == 0)
        if units is None:
            del self._limited[offer, need]
        else:
            self._limited[offer, need] = units
        arc = self._possible.arc(offer, need)
        if arc >= 0:
            self.field.change_most(arc, NO_LIMIT if units is None else units)
        elif units == 0:
            self._possible.close(offer, need)
        else:
            self._possible.open(offer, need)

    # -- fairness and stability -----------------------------------------------------------------------------------------

    def _find_portions(self, portion_grains: PortionOf, log_us: int) -> bool:
        """Find the portions of today; return whether they are whole in this market's units."""
        if self.charter.fairness != "portions" or not self._supply.any():  # A market without offers is not solved from nothing either.
            return True
        open_grains = self._open_units() * self.step
        asked: list[Thing] = []
        for thing, positions in sorted(self._of_thing.items()):
            mine = open_grains[positions] if len(self._of_thing) > 1 else open_grains
            if mine.any():
                asked.append(thing)
                self.portions[thing] = portion_grains(thing, self.dimension, mine[mine > 0], log_us)
        return not any(self.portions[thing] % self.step for thing in asked)

    def _restep(self) -> None:
        """Tell the field every staircase that changed with a portion, or with what its claim asks for."""
        if self.charter.fairness == "off":
            return
        rise, run, _ = staircases(self.charter, self._of_thing, self.portions, self.step, self._open_units() + self._received)
        changed = np.flatnonzero((rise != self._rise) | (run != self._run))
        self.field.restep(changed, rise[changed], run[changed])
        self._rise, self._run = rise, run

    def _open_units(self) -> Ints:
        """Return (claims,) how much each claim still asks for."""
        open_units = np.zeros(len(self._claims), dtype=np.int64)
        np.add.at(open_units, self._claim, self._demand)
        return open_units

    def _hold(self) -> bool:
        """Tell the field what is proposed now, which only moves where that gains enough; return whether all of it is whole in units."""
        grains = proposed_grains(self.book, self._offer_at, self._need_at)
        if any(each % self._multiple for each in grains.values()):
            return False
        proposed = {pair: each // self.step for pair, each in grains.items()}
        for pair in sorted(proposed.keys() | self._held.keys()):
            units = proposed.get(pair, 0)
            if units == self._held.get(pair, 0):
                continue
            arc = self._possible.arc(*pair)
            if arc < 0 and self._possible.is_allowed(*pair):
                [arc] = self._add_arcs(self._possible.pairs_of(*np.array([pair]).T))
            if arc >= 0:
                self.field.keep(arc, units)
        self._held = proposed
        return True

    # -- the answer -----------------------------------------------------------------------------------------------------

    def _add_what_gains(self) -> None:
        """Add arcs until none of those left out would gain: then the answer is the optimum over all of them."""
        while True:
            offer_pressure, need_pressure, _ = self.field.pressures() if self.charter.hysteresis else self.field.proof()
            gaining = self._possible.gaining(offer_pressure, need_pressure, self._supply, self._demand)
            if not len(gaining):
                return
            self._add_arcs(gaining)

    def _add_arcs(self, pairs: Ints) -> list[int]:
        """Return where the field has the new arcs of some pairs."""
        offers, needs, efforts = self._possible.told(pairs)
        limits = np.full(len(pairs), NO_LIMIT, dtype=np.int64)
        if self._limited:
            limits[:] = [self._limited.get(pair, NO_LIMIT) for pair in zip(offers.tolist(), needs.tolist(), strict=True)]
        arcs = self.field.add_arcs(offers, needs, efforts, limits)
        self._possible.put(pairs, np.array(arcs))
        return arcs

    def answer(self) -> tuple[Problem, Allocation]:
        """Return the market as the field holds it, and its optimum with the least pressures."""
        problem, flow, worth = self.field.problem(), self.field.flow(), self.field.worth
        # Where something is kept the field counts with a wider margin than the problem states, which moves no unit, but all pressures.
        pressures = least_pressures(problem, flow, worth) if problem.hysteresis else self.field.pressures()
        return problem, Allocation(flow, *pressures, worth, Gap(0, 0, 0), flow)

    def parts(self) -> list[Part]:
        """Return all that moves. O(arcs)."""
        problem, allocation = self.answer()
        check(problem, allocation)
        return parts_of(problem, allocation, self.offers, self.needs, self._claims, self._weight, self.step)

    def moved(self) -> tuple[list[Part], list[Part]]:
        """Return what moves no more and what moves now, once the answer has been checked, since this was last asked.

        These parts have no levels and pressures yet: `told` has those of now.
        """
        now = self.field.compare(self._last, *self._ends_said_anew())
        self._check(now)
        self._last, self._said_anew = now, set()
        gone = [self._parts.pop(arc) for arc in now.moved.tolist() if arc in self._parts]
        come = now.moved[now.flow[now.moved] > 0]
        parts = self._parts_on(come, now.flow)
        self._parts.update(zip(come.tolist(), parts, strict=True))
        return gone, parts

    def standing(self) -> list[Part]:
        """Return what moves by all that `moved` returned."""
        return list(self._parts.values())

    def told(self, parts: Sequence[Part]) -> list[Part]:
        """Return parts with their levels and pressures of now."""
        if self.charter.hysteresis:
            now = {(one.offer.ref, one.need.ref): one for one in self.parts()}
            return [now[part.offer.ref, part.need.ref] for part in parts]
        offers = [self._offer_at[part.offer.ref] for part in parts]
        needs = [self._need_at[part.need.ref] for part in parts]
        arcs = self._possible.arcs(self._possible.pairs_of(np.array(offers, dtype=np.int64), np.array(needs, dtype=np.int64)))
        assert (arcs >= 0).all(), "only what moves is told, and all that moves has an arc"  # -1 would read the last arc's level
        levels = self._levels_now()[arcs].tolist() if self._last_level else len(parts) * [0]
        pressures = self.field.offer_pressures(offers).tolist()
        read = {pressure: self.field.read_pressure(pressure) for pressure in set(pressures)}
        rows = zip(parts, levels, pressures, strict=True)
        return [part._replace(level=level, pressure=read[pressure]) for part, level, pressure in rows]

    def _levels_now(self) -> Ints:
        """Return (arcs,) how many portions or shares a claim has before the part on an arc, in order of arcs."""
        assert self._last is not None  # whoever tells parts has found them before
        _, at_need = self.field.ends()
        told = self._claim, self._received, self._rise, self._run
        return levels_before(self._last.flow, at_need[: len(self._last.flow)], *told, self._last_level)

    def _parts_on(self, arcs: Ints, flow: Ints) -> list[Part]:
        """Return what moves on some arcs."""
        at_offer, at_need = self.field.ends()
        offers, needs = at_offer[arcs], at_need[arcs]
        distances_m = self.field.efforts()[arcs] // self._weight[offers]
        columns = (offers, needs, self._claim[needs], flow[arcs] * self.step, distances_m)
        return [
            Part(self.offers[offer], self.needs[need], grains, distance_m, self._claims[claim][2], 0, None)
            for offer, need, claim, grains, distance_m in zip(*(column.tolist() for column in columns), strict=True)
        ]

    def _ends_said_anew(self) -> tuple[Bools, Bools]:
        """Return of which offers and needs, or of which pair of theirs, anything was said since `moved` was last asked."""
        offers, needs = np.zeros(len(self.offers), dtype=bool), np.zeros(len(self.needs), dtype=bool)
        for ref in self._said_anew:
            if ref in self._offer_at:
                offers[self._offer_at[ref]] = True
            elif ref in self._need_at:
                needs[self._need_at[ref]] = True
        return offers, needs

    def _check(self, now: Comparison) -> None:
        """Check all that flows, and each arc at an end of which anything moved since the last check: the others keep their proof."""
        if self.charter.hysteresis:
            check(*self.answer())
            return
        problem, flow = self.field.problem(now.at_stake), now.flow[now.at_stake]
        allocation = Allocation(flow, now.offers, now.needs, now.claims, self.field.worth, Gap(0, 0, 0), flow)
        if not is_proven(problem, allocation):
            check(problem, allocation)


@dataclass(slots=True)
class _News:
    """What changed since a market was last looked at."""

    changes: list[tuple[Stance | None, str, int]] = field(default_factory=list)  # as it stands (None: retired), ref, units
    offers: list[Stance] = field(default_factory=list)  # not known yet
    needs: list[Stance] = field(default_factory=list)
    received: dict[Claim, int] = field(default_factory=dict)  # units
    limits: list[tuple[str, str, int | None]] = field(default_factory=list)  # offer, need, grains


def _sort_of(stance: Stance) -> Sort:
    return stance.thing, stance.dimension, stance.unit


def _end_us(stance: Stance) -> int:
    return FOREVER if stance.end_us is None else stance.end_us


def _with_known(here: Bools, count: int, more: int) -> Bools:
    """Return whether each of so many is known, with more that are."""
    rows = here if count + more <= len(here) else with_room(here[:count], count + more)
    rows[count : count + more] = True
    return rows


def _longer(column: Ints, more: Ints) -> Ints:
    return np.concatenate((column, more)) if len(more) else column
