"""A network and its book as they stood at one moment, for questions that walk all of it while others speak and plans are made.

The first moment copies everything, each one after it what changed since the one before, so many things at a time: between two handfuls
whoever waits may speak, and what changes meanwhile is copied again. What did not change is the same in all moments, and never touched.
"""

from collections import deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import Any, Generic, TypeVar

from coordinator.commitments import Claim, Deal, Limit
from coordinator.cycle import BEGINNING, Coordination
from coordinator.network import AgentFacts, RouteFacts, Stance, Thing, _Shelf
from coordinator.production import Made, Usable
from coordinator.signals import Recipe, Resource
from coordinator.tallies import Dealings
from coordinator.trail import Trail

__all__ = ["Follower", "Moment"]

Key = TypeVar("Key", bound=Hashable)
Names = dict[str, dict[Key, None]]
Definitions = dict[str, tuple[int, str, str, Resource]]  # of one name, by ref
Worded = tuple[Recipe, tuple[int, str]]  # a recipe, when it was said last, and its event
Shelves = dict[Thing, _Shelf]


@dataclass(frozen=True, slots=True)
class Moment:
    """All that questions read of a coordination, as it stood at a log time. Nobody changes any of it."""

    log_us: int = BEGINNING
    agents: Mapping[str, AgentFacts] = field(default_factory=dict)
    routes: Mapping[str, dict[str, RouteFacts]] = field(default_factory=dict)
    stances: Mapping[str, Stance] = field(default_factory=dict)
    shelves: Mapping[Thing, _Shelf] = field(default_factory=dict)
    accepting: Mapping[str, Stance] = field(default_factory=dict)  # needs that stand and name substitutes
    recipes: Mapping[str, Worded] = field(default_factory=dict)
    definitions: Mapping[str, Definitions] = field(default_factory=dict)
    deals: Mapping[str, Deal] = field(default_factory=dict)
    by_ref: Mapping[str, dict[str, None]] = field(default_factory=dict)
    by_party: Mapping[str, dict[str, None]] = field(default_factory=dict)
    dealings: Dealings = field(default_factory=Dealings)
    limits: Mapping[tuple[str, str], Limit] = field(default_factory=dict)
    limited: Mapping[str, dict[tuple[str, str], None]] = field(default_factory=dict)
    received: Mapping[Claim, deque[tuple[int, str, int]]] = field(default_factory=dict)
    rest: "_Rest | None" = None

    def opened(self, like: Coordination) -> Coordination:
        """Return a coordination of this moment, of the charter and table of the one it is of: to be read, and planned with on trial.

        It has what questions read, but no answers of markets: who asks for one has it solved from nothing. What only folding and pages of
        lists need, and sums of all that was ever said, are taken from it, so that whoever asks for that fails. Its `dealings.states` counts
        what has not ended.
        """
        core = Coordination(like.charter, name=like.source.partition(":")[2], table=like.network.table, judging=False, planning=False)
        network, book, rest = core.network, core.book, self.rest
        core.log_us = self.log_us
        # Each has its own dictionaries at the top, which it may add to, and shares what is in them.
        network.agents, network.stances, network.routes = dict(self.agents), dict(self.stances), dict(self.routes)
        network._accepting = dict(self.accepting)
        for thing, shelf in self.shelves.items():
            network._shelves[thing[0]][thing[1]] = shelf
        network.recipes = {ref: said for ref, (said, _) in self.recipes.items()}
        network._older_words = {ref: word for ref, (_, word) in self.recipes.items()}
        network._definitions = dict(self.definitions)
        book.deals, book._by_ref, book._by_party = dict(self.deals), dict(self.by_ref), dict(self.by_party)
        book.dealings, book._received = self.dealings, dict(self.received)
        book._limits, book._limited = dict(self.limits), dict(self.limited)
        if rest is not None:
            network.recipes_said, network._aliases, network.standing = rest.recipes_said, rest.aliases, dict(rest.standing)
            core.planner._portions.update(rest.portions)
            core.production.latest = rest.made
            core.production.usable = rest.usable
            core.ledger = like.ledger[: rest.ledger]  # Records are only ever added to it.
        del network._names, network._expiries, core.unjudged
        del book._in_order, book._ended_in_order, book.ended, book.heard, book._unanswered
        return core


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is taken whole."""

    recipes_said: int
    usable: Usable  # recipes, and why the others are not
    aliases: dict[str, str] | None  # of names that definitions state; None: nobody needed them since one changed
    standing: Mapping[str, int]
    portions: Mapping[tuple[Thing, str], tuple[int, int]]
    made: Made
    ledger: int  # records in it


@dataclass(slots=True)
class _Handful:
    """Copies of what changed since the last moment; None for what is gone."""

    agents: dict[str, AgentFacts] = field(default_factory=dict)
    routes: dict[str, dict[str, RouteFacts]] = field(default_factory=dict)
    stances: dict[str, Stance] = field(default_factory=dict)
    firsts: dict[Thing, tuple[int, str, str, str] | None] = field(default_factory=dict)  # of each thing
    recipes: dict[str, Worded | None] = field(default_factory=dict)
    definitions: dict[str, Definitions] = field(default_factory=dict)
    deals: dict[str, Deal | None] = field(default_factory=dict)
    limits: dict[tuple[str, str], Limit | None] = field(default_factory=dict)
    received: dict[Claim, deque[tuple[int, str, int]] | None] = field(default_factory=dict)


class Follower:
    """Follows one coordination, alone: of two, each begins anew after the other.

    `copy_some` is for whoever holds that still, `moment` for whoever does not.
    """

    def __init__(self) -> None:
        self._moment = Moment()
        self._copied = _Handful()
        self._rest: tuple[int, _Rest] | None = None
        self._trail: Trail | None = None

    def copy_some(self, coordination: Coordination, at_most: int) -> bool:
        """Copy so many of the things that changed since the last moment; return whether that was all of them, and `moment` is of now."""
        network = coordination.network
        if network.trail is None or network.trail is not self._trail:
            self._moment, self._copied, self._rest = Moment(), _Handful(), None
            self._trail = network.trail = Trail.of_all(coordination.book)
            at_most = 0  # to list all was enough for once
        trail = network.trail
        for names, copy in (
            (trail.agents, self._agent),
            (trail.signals, self._signal),
            (trail.things, self._thing),
            (trail.recipes, self._recipe),
            (trail.definitions, self._definition),
            (trail.deals, self._deal),
            (trail.limits, self._limit),
            (trail.claims, self._claim),
        ):
            at_most -= _copied(names, copy, coordination, at_most)
        if trail:
            return False
        self._rest = coordination.log_us, self._rest_of(coordination)
        return True

    def moment(self) -> Moment:
        """Return the moment at which `copy_some` had copied all."""
        before, copied = self._moment, self._copied
        assert self._rest is not None  # all is copied
        log_us, rest = self._rest
        if copied != _Handful():
            self._moment, self._copied = _moved_on(before, copied, log_us, rest), _Handful()
        else:
            self._moment = replace(before, log_us=log_us, rest=rest)
        return self._moment

    def _agent(self, coordination: Coordination, name: str) -> None:
        network = coordination.network
        facts = network.agents[name]
        self._copied.agents[name] = AgentFacts(facts.name, facts.place, facts.classes, facts.said_us, list(facts.refs), facts.joined_us)
        if name in network.routes:
            self._copied.routes[name] = dict(network.routes[name])

    def _signal(self, coordination: Coordination, ref: str) -> None:
        stance = coordination.network.stances.get(ref)
        if stance is not None:  # What is withdrawn before it was ever said stands nowhere.
            self._copied.stances[ref] = _stance_like(stance)

    def _thing(self, coordination: Coordination, thing: Thing) -> None:
        sort, name = thing
        self._copied.firsts[thing] = coordination.network._shelves[sort][name].first

    def _recipe(self, coordination: Coordination, ref: str) -> None:
        network = coordination.network
        said = network.recipes.get(ref)
        self._copied.recipes[ref] = None if said is None else (said, network.last_word(ref))

    def _definition(self, coordination: Coordination, name: str) -> None:
        self._copied.definitions[name] = dict(coordination.network._definitions[name])

    def _deal(self, coordination: Coordination, proposal: str) -> None:
        deal, known = coordination.book.deals.get(proposal), self._copied.deals.get(proposal)
        if known is None or deal is None or known.said is not deal.said:  # It went, or came back: then it is the last that was made.
            self._copied.deals.pop(proposal, None)
        self._copied.deals[proposal] = None if deal is None else _deal_like(deal)

    def _limit(self, coordination: Coordination, pair: tuple[str, str]) -> None:
        self._copied.limits[pair] = coordination.book._limits.get(pair)

    def _claim(self, coordination: Coordination, claim: Claim) -> None:
        received = coordination.book._received.get(claim)
        self._copied.received[claim] = None if received is None else received.copy()

    def _rest_of(self, coordination: Coordination) -> _Rest:
        network = coordination.network
        return _Rest(
            network.recipes_said,
            coordination.production.usable,
            network._aliases,
            dict(network.standing),
            dict(coordination.planner._portions),
            coordination.production.latest,
            len(coordination.ledger),
        )


def _copied(names: dict[Any, object], copy: Callable[[Coordination, Any], None], coordination: Coordination, at_most: int) -> int:
    """Copy the first so many of some things, and take their names off; return how many."""
    some = [name for name, _ in zip(names, range(at_most), strict=False)]
    for name in some:
        copy(coordination, name)
    if len(some) == len(names):
        names.clear()
    else:
        for name in some:
            del names[name]
    return len(some)


_STANCE = attrgetter(*Stance.__struct_fields__)
_DEAL = attrgetter(*(each.name for each in fields(Deal) if each.init))


def _stance_like(stance: Stance) -> Stance:
    return Stance(*_STANCE(stance))


def _deal_like(deal: Deal) -> Deal:
    new = Deal(*_DEAL(deal))
    new.promised, new.counts = new.promised.copy(), new.counts.copy()
    new.left, new.shipped, new.received, new.claims = new.left.copy(), new.shipped.copy(), new.received.copy(), new.claims.copy()
    return new


# -- from one moment to the next --------------------------------------------------------------------------------------


def _moved_on(before: Moment, copied: _Handful, log_us: int, rest: _Rest) -> Moment:
    """Return the next moment."""
    shelves, accepting = _shelved(before, copied)
    deals, by_ref, by_party, dealings = _dealt(before, copied)
    limits, limited = dict(before.limits), _Index(before.limited)
    for pair, limit in copied.limits.items():
        if limits.pop(pair, None) is not None:
            for ref in pair:
                limited.remove(ref, pair)
        if limit is not None:
            limits[pair] = limit
            for ref in pair:
                limited.add(ref, pair)
    return Moment(
        log_us,
        {**before.agents, **copied.agents},
        {**before.routes, **copied.routes},
        {**before.stances, **copied.stances},
        shelves,
        accepting,
        {ref: said for ref, said in {**before.recipes, **copied.recipes}.items() if said is not None},
        {**before.definitions, **copied.definitions},
        deals,
        by_ref,
        by_party,
        dealings,
        limits,
        limited.names,
        {claim: received for claim, received in {**before.received, **copied.received}.items() if received is not None},
        rest,
    )


def _shelved(before: Moment, copied: _Handful) -> tuple[Shelves, dict[str, Stance]]:
    """Return what stands, by thing, and the needs that name substitutes."""
    shelves, accepting = dict(before.shelves), dict(before.accepting)
    own = set[Thing]()

    def shelf_of(thing: Thing) -> _Shelf:
        if thing not in own:
            known = shelves.get(thing)
            shelves[thing] = shelf = _Shelf(thing) if known is None else _Shelf(thing, dict(known.live), first=known.first)
            del shelf.stated  # No moment has these sums: whoever asks for them shall not find none.
            own.add(thing)
        return shelves[thing]

    for ref, stance in copied.stances.items():
        old = before.stances.get(ref)
        if old is not None and old.stands:
            if not (stance.stands and stance.thing == old.thing):
                del shelf_of(old.thing).live[ref]
            accepting.pop(ref, None)
        shelf = shelf_of(stance.thing)
        if stance.stands:
            shelf.live[ref] = stance
            if stance.substitutes:
                accepting[ref] = stance
    for thing, first in copied.firsts.items():
        shelf_of(thing).first = first
    return shelves, accepting


def _dealt(before: Moment, copied: _Handful) -> tuple[dict[str, Deal], "Names[str]", "Names[str]", Dealings]:
    """Return all proposals, by id, by signal and by party, and their sums."""
    if not copied.deals:
        return dict(before.deals), dict(before.by_ref), dict(before.by_party), before.dealings
    deals, by_ref, by_party, dealings = dict(before.deals), _Index(before.by_ref), _Index(before.by_party), before.dealings.copy()
    for proposal, deal in copied.deals.items():
        old = deals.get(proposal)
        if old is not None:
            dealings.count(old, -1)
            if deal is None or deal.said is not old.said:
                del deals[proposal]
                for index, names in ((by_ref, _refs(old)), (by_party, old.parties)):
                    for name in names:
                        index.remove(name, proposal)
        if deal is not None:
            dealings.count(deal, 1)
            if proposal not in deals:
                for index, names in ((by_ref, _refs(deal)), (by_party, deal.parties)):
                    for name in names:
                        index.add(name, proposal)
            deals[proposal] = deal
    return deals, by_ref.names, by_party.names, dealings


def _refs(deal: Deal) -> dict[str, None]:
    return dict.fromkeys(ref for line in deal.lines for ref in (line.offer, line.need))


class _Index(Generic[Key]):
    """Names under a name. Those of the moment before are shared until they change."""

    def __init__(self, before: Mapping[str, dict[Key, None]]) -> None:
        self.names = dict(before)
        self._own = set[str]()

    def add(self, name: str, one: Key) -> None:
        """Put one more under a name."""
        self._under(name)[one] = None

    def remove(self, name: str, one: Key) -> None:
        """Take one away that is there."""
        under = self._under(name)
        del under[one]
        if not under:
            del self.names[name]
            self._own.discard(name)

    def _under(self, name: str) -> dict[Key, None]:
        if name not in self._own:
            self.names[name] = dict(self.names.get(name, ()))
            self._own.add(name)
        return self.names[name]
