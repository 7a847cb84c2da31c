"""A market whose optimum is kept between cycles: what changed is told to the solver's field, everything else stays as it was.

So a plan moves only as far as a change matters, and partners are not asked anew because something far away happened.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from coordinator.commitments import Book
from coordinator.errors import Defect
from coordinator.matching import Hidden, Market
from coordinator.network import Stance
from coordinator.problems import MOST_PAIRS, Claim, Part, Question, parts_of
from solver import Allocation, Field, Gap, Problem, broken_rules, solve_on_demand, staircase

__all__ = ["KeptMarket", "check"]

Ints = NDArray[np.int64]

EACH_OFFER, EACH_NEED = 8, 4  # arcs added at most in one round, of the many that would gain
LOOKED_AT = 4_096  # arcs that would gain, of which a round takes its few
MOST = 2**40  # units that no market holds: an arc without a limit of its own
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

    def refs(self) -> set[str]:
        """Return the signals this market knows."""
        return set(self._terms)

    # -- following what changed -----------------------------------------------------------------------------------------

    def follow(self, refs: Iterable[str], log_us: int) -> bool:
        """Tell the field what became of these signals; return False where that needs a market built anew."""
        fresh_offers: list[Stance] = []
        fresh_needs: list[Stance] = []
        changes: list[tuple[Stance | None, str, int]] = []
        changed = sorted(refs)
        for ref in changed:
            stance = self.network.stances[ref]
            units, rest = divmod(self._available_here(stance, log_us), self.step)
            if rest or stance.minimum_grains:
                return False
            known = ref in self._terms
            if known and self._terms[ref] != self._terms_of(stance):
                changes.append((None, ref, 0))
                known = False
            if known:
                changes.append((stance, ref, units))
            elif units:
                (fresh_offers if stance.is_supply else fresh_needs).append(stance)
        claims = {self.book.claim_of(stance) for stance in (*fresh_needs, *(one for one, _, _ in changes if one and not one.is_supply))}
        received = {claim: divmod(self.book.received_grains(claim, log_us), self.step) for claim in sorted(claims)}
        limits = self._limits_of(set(changed))
        if any(grains is not None and grains % self.step for _, _, grains in limits):
            return False
        if any(rest for _, rest in received.values()) or self._is_mostly_past(len(fresh_offers), len(fresh_needs)):
            return False
        for stance, ref, units in changes:
            self._change(stance, ref, units)
        for claim, (units, _) in received.items():
            self._receive(claim, units)
        self._admit(fresh_offers, fresh_needs, log_us)
        for offer_ref, need_ref, grains in limits:
            offer, need = self._offer_at.get(offer_ref), self._need_at.get(need_ref)
            if offer is not None and need is not None:
                self._limit(offer, need, None if grains is None else grains // self.step)
        self._add_what_gains()
        return True

    def _available_here(self, stance: Stance, log_us: int) -> int:
        closed = stance.end_us is not None and stance.end_us <= log_us
        return 0 if closed or stance.dimension != self.dimension else self._available(stance)

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
            position, told, tell = self._offer_at[ref], self._supply, self.field.offer_changes
            self.offers[position] = stance or self.offers[position]
        else:
            position, told, tell = self._need_at[ref], self._demand, self.field.need_changes
            self.needs[position] = stance or self.needs[position]
        if units != told[position]:
            tell(position, units - int(told[position]))
            told[position] = units
        if stance is None:  # What it said before is over; what it says now begins as another node.
            del self._terms[ref]
            (self._offer_at if ref in self._offer_at else self._need_at).pop(ref)

    def _receive(self, claim: Claim, units: int) -> None:
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

    def _admit(self, offers: Sequence[Stance], needs: Sequence[Stance], log_us: int) -> None:
        """Give new offers and needs their nodes, and note every arc that the rules allow them."""
        for need in needs:
            claim = self._claim_at[self.book.claim_of(need)]
            units = self._available(need) // self.step
            self._need_at[need.ref] = self.field.add_need(claim, units)
            self.needs.append(need)
            self._claim.append(claim)
            self._demand = np.append(self._demand, units)
        for offer in offers:
            units = self._available(offer) // self.step
            self._offer_at[offer.ref] = self.field.add_offer(units)
            self.offers.append(offer)
            self._supply = np.append(self._supply, units)
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
        self._most[offer, columns[reached]] = MOST

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
        self._most[offer, need] = MOST if units is None else units
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
