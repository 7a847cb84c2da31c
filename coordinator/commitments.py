"""The book: what became of every proposal. What may follow what is one table, read by the code and by the pages alike.

The book is a fold over proposals and ledger records. It never decides; `coordinator.verdicts` does, and says so in the ledger.
Nothing here commits an agent, frees its signals or counts its deliveries but a ledger record that names that agent's own word.
"""

import heapq
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, islice, takewhile

from coordinator.network import Network, Stance, Thing
from coordinator.ordering import Ordering
from coordinator.signals import Answer, Event, Ledger, Line, Proposal, Report
from coordinator.tallies import Dealings
from coordinator.times import DAY_US, SECOND_US
from coordinator.units import Quantity

__all__ = ["BOUND", "BY_JUDGE", "ENDED", "LIFE", "OPEN", "Book", "Claim", "Deal", "Pair", "State", "Terms", "amount_text", "statement_of"]

MOST_GONE = 100_000  # proposals, beside twice those that are there, that may change before whoever follows begins anew


class State(StrEnum):
    """Where a proposal is in its life."""

    PROPOSED = "proposed"
    PROMISED = "promised"  # by some of its parties
    COMMITTED = "committed"  # by all of them
    DELIVERED = "delivered in part"
    FULFILLED = "fulfilled"
    DECLINED = "declined"
    COUNTERED = "countered"
    LAPSED = "lapsed"
    RETRACTED = "retracted"
    RELEASED = "released"
    BROKEN = "broken"

    __hash__ = str.__hash__  # an enumeration's own is a call of Python, and every deal is looked up by its state again and again


# state -> what happens -> state. Happenings are ledger kinds, but for "lapsed" (time) and "retracted" (the proposal stream).
LIFE: Mapping[State, Mapping[str, State]] = {
    State.PROPOSED: {
        "promised": State.PROMISED,
        "declined": State.DECLINED,
        "countered": State.COUNTERED,
        "lapsed": State.LAPSED,
        "retracted": State.RETRACTED,
    },
    State.PROMISED: {
        "promised": State.PROMISED,
        "taken back": State.PROPOSED,
        "declined": State.DECLINED,
        "countered": State.COUNTERED,
        "committed": State.COMMITTED,
        "released": State.RELEASED,
    },
    State.COMMITTED: {
        "shipped": State.COMMITTED,
        "delivered": State.DELIVERED,
        "fulfilled": State.FULFILLED,
        "broken": State.BROKEN,
    },
    State.DELIVERED: {
        "shipped": State.DELIVERED,
        "delivered": State.DELIVERED,
        "fulfilled": State.FULFILLED,
        "broken": State.BROKEN,
    },
    State.FULFILLED: {"shipped": State.FULFILLED, "delivered": State.FULFILLED},  # the other side's word on the same goods
    State.DECLINED: {"released": State.DECLINED},  # what others had promised to it is freed
    State.COUNTERED: {"released": State.COUNTERED},
    State.LAPSED: {},
    State.RETRACTED: {},
    State.RELEASED: {},
    State.BROKEN: {"shipped": State.BROKEN, "delivered": State.BROKEN, "fulfilled": State.FULFILLED},
}

OPEN = frozenset({State.PROPOSED, State.PROMISED})
SAID_ONLY = frozenset({"refused", "noted"})  # ledger kinds that change nothing
WITHOUT_A_WORD = frozenset({"lapsed", "retracted"})  # happenings to proposals that nobody answered
NEVER_SAID = WITHOUT_A_WORD | {"taken back"}  # happenings that are no ledger kinds
BY_JUDGE = frozenset({"committed", "released", "broken"})  # decided by the judge of the first line's provider alone
# What happens by an agent's own word alone -> that word. Nothing else moves its signals.
OWN_WORDS: Mapping[str, str] = {
    "promised": "accept",
    "taken back": "withdrawal",
    "declined": "decline",
    "countered": "counter",
    "shipped": "report",
    "delivered": "report",
    "fulfilled": "report",
}
WORDS_SHOWN = {"accept": "acceptance"}
BOUND = frozenset({State.COMMITTED, State.DELIVERED, State.FULFILLED, State.BROKEN})
ENDED = frozenset(State) - OPEN - BOUND


Claim = tuple[str, Thing, int, str]  # agent, canonical thing, tier used, dimension
Terms = tuple[tuple[str, str, int, int], ...]  # of each line: offer, need, grains, metres
Pair = tuple[str, str]  # provider, receiver


def statement_of(event: Event) -> str:
    """Return the name by which ledger records point at what was judged: ``source/id``."""
    return f"{event.source}/{event.id}"


def amount_text(quantity: Quantity) -> str:
    """Return a quantity as people say it: ``12``, ``1.5 kg``."""
    said = quantity.to_json()
    return f"{said['value']}" if said["unit"] == "1" else f"{said['value']} {said['unit']}"


@dataclass(slots=True)
class Deal:
    """One proposal and what its parties made of it. Tallies are per line, in grains."""

    proposal: str
    data: Proposal
    made_us: int
    said: bytes  # the event as it was said, for exports and digests
    state: State = State.PROPOSED
    promised: dict[str, str] = field(default_factory=dict)  # party -> the acceptance it said
    counts: dict[str, int] = field(default_factory=dict)  # ref -> the count a promise was taken from
    left: list[int] = field(default_factory=list)  # by the provider's word it is on its way
    shipped: list[int] = field(default_factory=list)  # by the provider's word it arrived
    received: list[int] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)  # whose claim each line served, once committed
    committed_us: int = 0
    terms: Terms = field(init=False)

    def __post_init__(self) -> None:
        """Note the terms once: every plan is compared with them."""
        self.terms = tuple([(line.offer, line.need, line.quantity.grains, line.distance_m) for line in self.data.lines])

    @property
    def lines(self) -> tuple[Line, ...]:
        """What moves, from whom to whom."""
        return self.data.lines

    @property
    def parties(self) -> tuple[str, ...]:
        """Everybody who has to accept, the first line's provider first."""
        named: dict[str, None] = {}
        for line in self.data.lines:
            named[line.provider] = None
            named[line.receiver] = None
        return tuple(named)

    @property
    def judge(self) -> str:
        """The agent in whose part of the ledger this plan is decided."""
        return self.lines[0].provider

    def asks_of(self, agent: str) -> dict[str, int]:
        """Return what the plan takes of each of this agent's signals, in grains."""
        asked: dict[str, int] = {}
        for line in self.lines:
            for party, ref, counts in ((line.provider, line.offer, line.takes), (line.receiver, line.need, line.serves)):
                if party == agent and counts:
                    asked[ref] = asked.get(ref, 0) + line.quantity.grains
        return asked

    def asks(self, agent: str, ref: str) -> int:
        """Return what the plan takes of one of this agent's signals, in grains."""
        return self.asks_of(agent).get(ref, 0)

    @property
    def pairs(self) -> set[Pair]:
        """Who gives to whom."""
        return {(line.provider, line.receiver) for line in self.lines}

    @property
    def is_open(self) -> bool:
        """Whether it waits for answers."""
        return self.state in OPEN

    @property
    def is_bound(self) -> bool:
        """Whether it became a commitment, whatever came of that: broken ones too."""
        return self.state in BOUND

    @property
    def is_tree(self) -> bool:
        """Whether it is a plan of making: lines that go into others."""
        for line in self.data.lines:  # noqa: SIM110 - asked again and again of every deal, and a generator takes three times as long
            if not line.serves:
                return True
        return False

    def delivered(self, line: int) -> int:
        """Return what of a line has arrived by either side's word."""
        return max(self.shipped[line], self.received[line])

    def gone(self, line: int) -> int:
        """Return what of a line is no longer in its provider's stock."""
        return max(self.left[line], self.delivered(line))

    def may(self, happening: str) -> bool:
        """Whether the table of life allows this now."""
        return happening in LIFE[self.state]


@dataclass(frozen=True, slots=True)
class Limit:
    """What one offer and one need said they would still exchange, at these counts of theirs."""

    counts: tuple[int, int]
    grains: int
    before: frozenset[str]  # the offer's deals of that time; what others bind since is taken off


class Book:
    """Every proposal that is open or became a commitment, and how the others ended."""

    def __init__(self, network: Network) -> None:
        self.network = network
        # So long may a record rest on a word.
        self._rests_us = (network.charter.late_seconds + network.charter.proposal_seconds) * SECOND_US
        self.deals: dict[str, Deal] = {}
        self._unanswered: dict[Pair, set[str]] = {}  # proposals, other than trees, that nobody answered
        self.moved: set[Pair] | None = None  # whose proposals came, changed or ended since plans were compared with them; None: all
        self.ended: dict[str, State] = {}
        self.heard: dict[str, dict[str, tuple[str, str]]] = {}  # proposal -> statement -> who said it, which word
        self._words: deque[tuple[int, str, str]] = deque()  # since when it is kept, proposal, statement: to be looked at in order
        self._by_ref: dict[str, dict[str, None]] = {}
        self._by_party: dict[str, dict[str, None]] = {}
        self._in_order, self._ended_in_order = Ordering(), Ordering()  # deals by id, and those that ended
        self.dealings = Dealings()
        self._limits: dict[tuple[str, str], Limit] = {}  # offer, need
        self._limited: dict[str, dict[tuple[str, str], None]] = {}  # ref -> the limits it is part of
        self._received: dict[Claim, deque[tuple[int, str, int]]] = {}
        self._remembered: deque[tuple[int, Claim]] = deque()  # when each entry of `_received` was committed, in order
        self._expiries: list[tuple[int, str]] = []
        self._ends: list[tuple[int, str]] = []

    # -- the fold -----------------------------------------------------------------------------------------------------

    def propose(self, proposal: Proposal, made_us: int, said: bytes) -> str | None:
        """Take in a proposal; return why it cannot be one, or None. One that is known changes nothing, one retracted comes back."""
        if proposal.proposal in self.deals or self.ended.get(proposal.proposal, State.RETRACTED) is not State.RETRACTED:
            return None
        why = _not_a_plan(proposal)
        if why is not None:
            return why
        if self.ended.pop(proposal.proposal, None) is not None:
            self._ended_in_order.remove(proposal.proposal)
            self.dealings.states[State.RETRACTED] -= 1
        count = len(proposal.lines)
        deal = Deal(proposal.proposal, proposal, made_us, said, left=[0] * count, shipped=[0] * count, received=[0] * count)
        self.deals[deal.proposal] = deal
        self._in_order.add(deal.proposal)
        for party in deal.parties:
            self._by_party.setdefault(party, {})[deal.proposal] = None
        for line in deal.lines:
            for ref in (line.offer, line.need):
                self._by_ref.setdefault(ref, {})[deal.proposal] = None
        self._note_pairs(deal)
        if self.network.trail is not None:  # One that comes back is the last that was made.
            self.network.trail.deals.pop(deal.proposal, None)
        self._count(deal, 1)
        heapq.heappush(self._expiries, (proposal.expires_us, deal.proposal))
        return None

    def retract(self, proposal: str) -> None:
        """Take an unanswered proposal off the table."""
        deal = self.deals.get(proposal)
        if deal is not None and deal.may("retracted"):
            self._happen(deal, "retracted")

    def hear(self, event: Event, log_us: int) -> None:
        """Remember what an agent said to a proposal, so that a ledger record can be held against it, while one can still be obeyed."""
        proposal, word = event.subject, "withdrawal"
        if isinstance(event.data, Answer):
            proposal, word = event.data.proposal, event.data.answer
        elif isinstance(event.data, Report):
            proposal, word = event.data.commitment, "report"
        if self._may_count(proposal, event.name, word):
            statement = statement_of(event)
            self.heard.setdefault(proposal, {})[statement] = (event.name, word)
            self._words.append((log_us, proposal, statement))

    def _may_count(self, proposal: str, agent: str, word: str) -> bool:
        """Whether a record could rest on such a word; a proposal that nobody made, or that was retracted, may still be made."""
        deal = self.deals.get(proposal)
        if deal is None:
            return self.ended.get(proposal, State.RETRACTED) is State.RETRACTED
        return agent in deal.parties and (word == "report" or not deal.is_bound)

    def record(self, ledger: Ledger, log_us: int) -> str | None:
        """Obey one ledger record; return why it can not be obeyed, or None when it was."""
        if ledger.kind in SAID_ONLY:
            return None
        deal = self.deals.get(ledger.proposal)
        if deal is None:
            return f"the ledger speaks of proposal {ledger.proposal!r}, which nobody made or which has ended"
        happening = "taken back" if ledger.kind == "released" and not ledger.ends else ledger.kind
        if not deal.may(happening) or ledger.kind in NEVER_SAID:
            return f"proposal {deal.proposal!r} is {deal.state}; {ledger.kind!r} may not follow that"
        why = self._not_valid(deal, happening, ledger)
        if why is None:
            self._happen(deal, happening, lambda: self._effects(deal, happening, ledger, log_us))
        return why

    def _not_valid(self, deal: Deal, happening: str, ledger: Ledger) -> str | None:
        """Return why a record that fits the table of life is still not to be obeyed, or None."""
        if ledger.agent not in deal.parties:
            return f"{ledger.agent!r} is not a party of proposal {deal.proposal!r}"
        if happening in BY_JUDGE and ledger.agent != deal.judge:
            return f"{happening!r} of {deal.proposal!r} is for the judge of {deal.judge!r} to say, not of {ledger.agent!r}"
        if happening == "taken back" and ledger.agent not in deal.promised:
            return f"{ledger.agent!r} has no promise to {deal.proposal!r} to take back"
        if happening == "promised":
            if ledger.agent in deal.promised:
                return f"{ledger.agent!r} has promised {deal.proposal!r} already"
            return self._not_its_word(deal, happening, ledger) or self.cannot_promise(deal, ledger.agent)
        if happening == "committed" and any(party not in deal.promised for party in deal.parties):
            missing = [party for party in deal.parties if party not in deal.promised]
            return f"{deal.proposal!r} is said to be committed, but {', '.join(missing)} never accepted it"
        moved = zip(ledger.moved, deal.lines, strict=False)
        if len(ledger.moved) > len(deal.lines) or any(part and part.dimension != line.quantity.dimension for part, line in moved):
            return f"what is said to have moved does not fit the {len(deal.lines)} lines of {deal.proposal!r}"
        return self._not_its_word(deal, happening, ledger) if happening in OWN_WORDS else None

    def _not_its_word(self, deal: Deal, happening: str, ledger: Ledger) -> str | None:
        """Return why a record does not rest on what its agent said itself, or None."""
        word = OWN_WORDS[happening]
        if self.heard.get(deal.proposal, {}).get(ledger.statement or "") == (ledger.agent, word):
            return None
        return f"{ledger.kind!r} is said of {ledger.agent!r} and {deal.proposal!r}, but no {WORDS_SHOWN.get(word, word)} of its own says so"

    def cannot_promise(self, deal: Deal, agent: str) -> str | None:
        """Return why an agent's signals do not give what the plan takes of them, or None."""
        for ref, grains in deal.asks_of(agent).items():
            stance = self.network.stances.get(ref)
            if stance is None or not stance.stands:
                return f"{ref} no longer stands; say it again before accepting"
            units = {line.quantity.unit for line in deal.lines if _draws(line, ref) and line.quantity.dimension != stance.dimension}
            if units:
                return f"{ref} is counted in {stance.unit!r}, the proposal in {units.pop()!r}, which does not convert; decline it"
            if grains > stance.free_grains:
                asked, free = self.network.quantity(stance, grains), self.network.quantity(stance, stance.free_grains)
                return (
                    f"the proposal takes {amount_text(asked)} of {ref}, of which {amount_text(free)} are left unpromised; "
                    "decline it or raise the count"
                )
        return None

    def _happen(self, deal: Deal, happening: str, effects: Callable[[], None] | None = None) -> None:
        """Let what the table of life allows happen to a deal, with what it does to its parties' signals."""
        self._count(deal, -1)
        if effects is not None:
            effects()
        self._move(deal, happening)
        self._count(deal, 1)

    def _count(self, deal: Deal, times: int) -> None:
        """Take a deal out of the sums before it changes, and in again afterwards; its needs are covered otherwise then."""
        self.dealings.count(deal, times)
        recount, trail = self.network.recount, self.network.trail
        if recount is not None:
            for line in deal.lines:
                recount.add(line.need)
        if trail is not None:
            trail.deals[deal.proposal] = None
            if len(trail.deals) > MOST_GONE + 2 * len(self.deals):
                self.network.trail = None  # Nobody looked for long: whoever does next begins anew, which costs less than to remember all.

    def _effects(self, deal: Deal, happening: str, ledger: Ledger, log_us: int) -> None:
        match happening:
            case "promised":
                deal.promised[ledger.agent] = ledger.statement or ""
                self._take(deal, ledger.agent)
            case "taken back":
                self._give_back(deal, ledger.agent)
            case "declined" | "countered":
                if ledger.agent in deal.promised:
                    self._give_back(deal, ledger.agent)
                self._limit(deal, ledger.agent, ledger.limit.grains if ledger.limit else 0)
            case "released":
                for agent in list(deal.promised):
                    self._give_back(deal, agent)
            case "committed":
                self._commit(deal, log_us)
            case "shipped" | "delivered" | "fulfilled":
                self._tally(deal, ledger)
            case "broken":
                for agent in deal.parties:
                    self._resettle(deal, agent)

    def _move(self, deal: Deal, happening: str) -> None:
        deal.state = LIFE[deal.state][happening]
        if happening == "taken back" and deal.promised:
            deal.state = State.PROMISED
        self._note_pairs(deal)
        if happening not in WITHOUT_A_WORD or deal.is_tree or self.network.charter.hysteresis:  # Else nothing is free that was not before.
            for line in deal.lines:
                for ref in (line.offer, line.need):
                    if ref in self.network.stances:
                        self.network.touch(self.network.stances[ref])
        if deal.state in ENDED and not deal.promised:
            self._close(deal)
        elif deal.state in (State.COMMITTED, State.BROKEN, State.DELIVERED, State.FULFILLED):
            for agent in deal.parties:
                self._resettle(deal, agent)

    def _note_pairs(self, deal: Deal) -> None:
        """Have at hand, by pair, the proposals that nobody answered."""
        if deal.is_tree:
            return
        pairs, is_unanswered = deal.pairs, deal.state is State.PROPOSED
        if self.moved is not None:
            self.moved |= pairs
        for pair in pairs:
            names = self._unanswered.get(pair)
            if is_unanswered:
                if names is None:
                    self._unanswered[pair] = {deal.proposal}
                else:
                    names.add(deal.proposal)
            elif names is not None:
                names.discard(deal.proposal)
                if not names:
                    del self._unanswered[pair]

    def _close(self, deal: Deal) -> None:
        del self.deals[deal.proposal]
        self._in_order.remove(deal.proposal)
        self.ended[deal.proposal] = deal.state
        self._ended_in_order.add(deal.proposal)
        if deal.state is not State.RETRACTED:  # That one may come back, and a late word said before be judged then.
            self.heard.pop(deal.proposal, None)
        for party in deal.parties:
            _forget(self._by_party, party, deal.proposal)
        for line in deal.lines:
            for ref in (line.offer, line.need):
                _forget(self._by_ref, ref, deal.proposal)

    def _take(self, deal: Deal, agent: str) -> None:
        for ref, grains in deal.asks_of(agent).items():
            stance = self.network.stances[ref]
            deal.counts[ref] = stance.count
            stance.taken_grains += grains

    def _give_back(self, deal: Deal, agent: str) -> None:
        del deal.promised[agent]
        for ref, grains in deal.asks_of(agent).items():
            stance = self.network.stances[ref]
            if stance.total:
                self.settle(stance)
            elif stance.count == deal.counts[ref]:  # A newer count already left this promise out of account.
                stance.taken_grains -= grains

    def _commit(self, deal: Deal, log_us: int) -> None:
        deal.committed_us = log_us
        self._forget_received(log_us)
        for index, line in enumerate(deal.lines):
            claim = self.claim_of(self.network.stances[line.need])
            deal.claims.append(claim)
            if line.serves:
                self._received.setdefault(claim, deque()).append((log_us, deal.proposal, index))
                self._remembered.append((log_us, claim))
                if self.network.trail is not None:
                    self.network.trail.claims[claim] = None
            end_us = self.network.stances[line.need].end_us
            if end_us is not None:
                heapq.heappush(self._ends, (end_us, deal.proposal))

    def _forget_received(self, log_us: int) -> None:
        """Drop what the charter's memory does not reach back to any more."""
        since_us = log_us - int(self.network.charter.fairness_memory_days * DAY_US)
        while self._remembered and self._remembered[0][0] <= since_us:
            _, claim = self._remembered.popleft()
            self._received[claim].popleft()
            if not self._received[claim]:
                del self._received[claim]
            if self.network.trail is not None:
                self.network.trail.claims[claim] = None

    def _tally(self, deal: Deal, ledger: Ledger) -> None:
        for index, (line, moved) in enumerate(zip(deal.lines, ledger.moved, strict=False)):
            grains = moved.grains if moved else 0
            if ledger.kind == "shipped":
                deal.left[index] += grains
                continue
            if ledger.agent == line.provider:
                deal.shipped[index] += grains
            if ledger.agent == line.receiver:  # of what it makes for itself, an agent is both
                deal.received[index] += grains

    def _limit(self, deal: Deal, agent: str, limit_grains: int) -> None:
        for line in deal.lines:
            if agent not in (line.provider, line.need.partition("/")[0]):
                continue  # Of a tree of several parties, it spoke of its own part alone.
            offer, need = self.network.stances.get(line.offer), self.network.stances.get(line.need)
            if offer is not None and need is not None:
                before = frozenset(deal.proposal for deal in self.naming(offer.ref))
                pair = (offer.ref, need.ref)
                self._limits[pair] = Limit((offer.count, need.count), limit_grains, before)
                if self.network.trail is not None:
                    self.network.trail.limits[pair] = None
                for ref in pair:
                    self._limited.setdefault(ref, {})[pair] = None

    # -- what `basis: total` means ------------------------------------------------------------------------------------

    def settle(self, stance: Stance) -> None:
        """Set what a stock (`basis: total`) has promised and not yet moved; a free count keeps its own tally."""
        if stance.total:
            stance.taken_grains = sum(self._unmoved(self.deals[name], stance) for name in self._by_ref.get(stance.ref, ()))

    def promised_before(self, stance: Stance) -> int:
        """Return what its agent promised of earlier counts of a signal and has not moved yet: a free count comes on top of that."""
        if stance.total:
            return 0
        earlier = (deal for deal in self.naming(stance.ref) if deal.counts.get(stance.ref) != stance.count)
        return sum(self._unmoved(deal, stance) for deal in earlier)

    def _resettle(self, deal: Deal, agent: str) -> None:
        for ref in deal.asks_of(agent):
            if ref in self.network.stances:
                self.settle(self.network.stances[ref])

    def _unmoved(self, deal: Deal, stance: Stance) -> int:
        if stance.agent not in deal.promised or stance.ref not in deal.counts:  # Who makes something may name hours and take none of them.
            return 0
        if deal.state is State.BROKEN or deal.counts[stance.ref] < stance.first_count:
            return 0
        moved = deal.gone if stance.is_supply else deal.received.__getitem__
        lines = enumerate(deal.lines)
        return sum(max(0, line.quantity.grains - moved(index)) for index, line in lines if _draws(line, stance.ref))

    # -- time ---------------------------------------------------------------------------------------------------------

    def lapse(self, log_us: int) -> list[Deal]:
        """Let unanswered proposals lapse; return those past their expiry that somebody promised to and somebody must release."""
        self._forget_words(log_us)
        stuck: list[Deal] = []
        while self._expiries and self._expiries[0][0] <= log_us:
            _, name = heapq.heappop(self._expiries)
            deal = self.deals.get(name)
            if deal is not None and deal.state is State.PROPOSED:
                self._happen(deal, "lapsed")
            elif deal is not None and deal.state is State.PROMISED:
                stuck.append(deal)
        return stuck

    def _forget_words(self, log_us: int) -> None:
        """Drop words about proposals that nobody made, or that were retracted, once no record can rest on them any more."""
        since_us = log_us - self._rests_us
        while self._words and self._words[0][0] <= since_us:
            _, proposal, statement = self._words.popleft()
            deal, words = self.deals.get(proposal), self.heard.get(proposal, {})
            if deal is None:
                words.pop(statement, None)
                if not words:
                    self.heard.pop(proposal, None)
            elif not deal.is_bound and statement in words:  # It may still be retracted.
                self._words.append((log_us, proposal, statement))

    def overdue(self, log_us: int) -> list[Deal]:
        """Return commitments whose need became useless before all of it arrived."""
        if not self._ends or self._ends[0][0] > log_us:
            return []
        late: dict[str, Deal] = {}
        while self._ends and self._ends[0][0] <= log_us:
            deal = self.deals[heapq.heappop(self._ends)[1]]
            if deal.may("broken"):
                late[deal.proposal] = deal
        return list(late.values())

    # -- questions ----------------------------------------------------------------------------------------------------

    def rebuild_indexes(self) -> None:
        """Find again what follows from the deals, where these were set and not proposed one by one."""
        self._in_order, self._ended_in_order = Ordering(self.deals), Ordering(self.ended)
        self._by_party, self._unanswered = {}, {}
        self.dealings = Dealings()
        self.dealings.states.update(self.ended.values())
        self.network.recount = None
        for deal in self.deals.values():
            self._note_pairs(deal)
            self.dealings.count(deal, 1)
            for party in deal.parties:
                self._by_party.setdefault(party, {})[deal.proposal] = None

    def naming(self, ref: str) -> list[Deal]:
        """Return the deals that name a signal, in the order they were made."""
        return [self.deals[name] for name in self._by_ref.get(ref, ())]

    def after(self, proposal: str) -> Iterator[str]:
        """Yield the ids of the deals after one, which need not be there, in order."""
        return self._in_order.after(proposal)

    def beginning(self, start: str, at_most: int) -> list[str]:
        """Return ids that begin so, of deals and of proposals that ended, in order."""
        some = (islice(takewhile(lambda name: name.startswith(start), ids), at_most) for ids in self._from(start))
        return sorted(chain.from_iterable(some))[:at_most]

    def _from(self, start: str) -> Iterator[Iterator[str]]:
        """Yield the ids from one on, where it is there, in order: of the deals, and of what ended."""
        for known, in_order in ((self.deals, self._in_order), (self.ended, self._ended_in_order)):
            yield chain([start] if start in known else [], in_order.after(start))

    def of_party(self, agent: str) -> Collection[str]:
        """Return the ids of the deals that an agent is a party of."""
        return self._by_party.get(agent, {}).keys()

    def pairs(self) -> Collection[Pair]:
        """Return every pair that is asked something and did not answer yet."""
        return self._unanswered.keys()

    def unanswered(self, pair: Pair) -> list[Deal]:
        """Return the proposals to a pair that neither of it answered, in order of their ids."""
        return [self.deals[name] for name in sorted(self._unanswered.get(pair, ()))]

    def is_proposed(self, pair: Pair, terms: Set[Terms]) -> bool:
        """Whether a pair is asked just this, one proposal for each terms, and answered none of it."""
        names = self._unanswered.get(pair, ())
        return len(names) == len(terms) and terms == {self.deals[name].terms for name in names}

    def promised(self) -> list[Deal]:
        """Return the plans that somebody promised to and that are not committed; also those that ended with promises still held."""
        return [deal for deal in self.deals.values() if deal.promised and not deal.is_bound]

    def asked_grains(self, ref: str) -> int:
        """Return what open proposals ask of a signal that its agent has not answered yet."""
        return self.dealings.asked_grains.get(ref, 0)

    def covered_grains(self, need: Stance) -> int:
        """Return how much of what a need last asked for is promised, committed or proposed."""
        if not need.total:
            return need.taken_grains + self.asked_grains(need.ref)
        return sum(deal.asks(need.agent, need.ref) for deal in self.naming(need.ref) if deal.state not in ENDED)

    def open_grains(self, stance: Stance, log_us: int | None = None) -> int:
        """Return what of a signal is in no proposal and no promise: what an offer has free, or what a need lacks.

        With a log time, an offer whose window has closed by then has nothing free: it can never be matched.
        """
        if not stance.is_supply:
            return max(0, stance.stated_grains - self.covered_grains(stance))
        is_over = log_us is not None and stance.is_over(log_us)
        return 0 if is_over else max(0, stance.free_grains - self.asked_grains(stance.ref))

    def held_grains(self, stance: Stance) -> int:
        """Return what is kept aside for others' promises that this agent has not answered yet.

        A plan about another thing, of which the signal spoke before, keeps nothing: its end may only not be written yet.
        """
        held = 0
        for name in self._by_ref.get(stance.ref, ()):
            deal = self.deals[name]
            if deal.state is State.PROMISED and stance.agent not in deal.promised:
                drawn = (line for line in deal.lines if _draws(line, stance.ref) and self.speaks_of(stance, line))
                held += sum(line.quantity.grains for line in drawn)
        return held

    def speaks_of(self, stance: Stance, line: Line) -> bool:
        """Whether a signal still speaks of what a line moves, or accepts it instead."""
        if stance.dimension != line.quantity.dimension:
            return False
        sort, name = stance.thing
        if line.resource == name:
            return True
        canonical, names = self.network.canonical, (name, *stance.substitutes)
        return line.resource in names or canonical((sort, line.resource))[1] in {canonical((sort, name))[1] for name in names}

    def limit_grains(self, offer: Stance, need: Stance) -> int | None:
        """Return how much more this pair said it would exchange (0 after a decline), or None; a new count on either side wipes it."""
        limit = self._limits.get((offer.ref, need.ref))
        if limit is None or limit.counts != (offer.count, need.count):
            return None
        since = [deal for deal in self.naming(offer.ref) if deal.promised and deal.proposal not in limit.before]
        pair = (offer.ref, need.ref)
        taken = sum(line.quantity.grains for deal in since for line in deal.lines if (line.offer, line.need) == pair)
        return max(0, limit.grains - taken)

    @property
    def has_limits(self) -> bool:
        """Whether any pair declined or countered at the counts that stand."""
        return bool(self._limits)

    def limits_of(self, ref: str) -> Collection[tuple[str, str]]:
        """Return every pair (offer, need) of this signal that declined or countered."""
        return self._limited.get(ref, {}).keys()

    def limits_stated(self) -> Collection[tuple[str, str]]:
        """Return every pair (offer, need) that declined or countered."""
        return self._limits.keys()

    def claims_served(self) -> Mapping[Claim, Collection[tuple[int, str, int]]]:
        """Return every claim to which something was committed within the charter's memory: when, in which deal and line."""
        return self._received

    def forget_limits(self, ref: str) -> None:
        """Drop what the pairs of this signal said about counts that are over: nothing brings those back."""
        stances = self.network.stances
        for pair in list(self.limits_of(ref)):
            if self._limits[pair].counts != (stances[pair[0]].count, stances[pair[1]].count):
                del self._limits[pair]
                if self.network.trail is not None:
                    self.network.trail.limits[pair] = None
                for end in pair:
                    del self._limited[end][pair]
                    if not self._limited[end]:
                        del self._limited[end]

    def claim_of(self, need: Stance) -> Claim:
        """Return whose claim a need belongs to: its agent, the canonical thing, the tier that counts, and what it is counted in."""
        charter = self.network.charter
        classes = self.network.agents[need.agent].classes
        return need.agent, self.network.canonical(need.thing), charter.tier_used(need.tier, need.agent, classes), need.dimension

    def received_grains(self, claim: Claim, log_us: int) -> int:
        """Return what a claim was committed within the charter's memory; of a broken commitment only what arrived."""
        since_us = log_us - int(self.network.charter.fairness_memory_days * DAY_US)
        received = 0
        for committed_us, name, index in self._received.get(claim, ()):
            deal = self.deals[name]
            if committed_us > since_us:
                received += deal.delivered(index) if deal.state is State.BROKEN else deal.lines[index].quantity.grains
        return received

    def forgets_us(self, claim: Claim, log_us: int) -> int | None:
        """Return when the charter's memory of this claim next fades, or None."""
        memory_us = int(self.network.charter.fairness_memory_days * DAY_US)
        times = [committed_us + memory_us for committed_us, _, _ in self._received.get(claim, ()) if committed_us + memory_us > log_us]
        return min(times, default=None)


def _forget(index: dict[str, dict[str, None]], key: str, proposal: str) -> None:
    """Take a proposal out of an index, where it may be gone already: two lines can draw on one signal."""
    named = index.get(key)
    if named is not None:
        named.pop(proposal, None)
        if not named:
            del index[key]


def _draws(line: Line, ref: str) -> bool:
    """Whether a line takes of this offer, or covers a part of this need."""
    return (line.offer == ref and line.takes) or (line.need == ref and line.serves)


def _not_a_plan(proposal: Proposal) -> str | None:
    """Return why nobody could answer this, or None. A line draws on its own parties' signals: only they can promise them."""
    if not proposal.lines:
        return f"proposal {proposal.proposal!r} has no lines; at least one movement was expected"
    served = {line.need for line in proposal.lines if line.serves}
    for line in proposal.lines:
        for party, ref, draws in ((line.provider, line.offer, True), (line.receiver, line.need, line.serves)):
            if draws and not ref.startswith(f"{party}/"):
                return f"proposal {proposal.proposal!r} draws on {ref!r} for {party!r}; a signal of {party!r} itself was expected"
        if line.need not in served:
            return f"proposal {proposal.proposal!r} has a line on the way to {line.need!r}, which no line of it serves"
    return None
