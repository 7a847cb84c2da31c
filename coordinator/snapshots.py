"""The state that a log's events add up to, as bytes and back: a cache, so that a start need not fold all of the log again.

What follows from other parts is not kept. Reading the bytes makes plain values of stated types and runs nothing.
"""

from collections import defaultdict, deque
from decimal import Decimal
from sys import intern
from typing import Any

import msgspec

from coordinator.commitments import Book, Claim, Deal, Limit, State
from coordinator.cycle import Coordination
from coordinator.errors import Refused
from coordinator.network import AgentFacts, Network, RouteFacts, Stance, Thing
from coordinator.ordering import Ordering
from coordinator.seen import Packed, Seen
from coordinator.signals import Answer, Event, Recipe, Report, Resource

__all__ = ["DERIVED", "FORM", "KEPT", "freeze", "thaw"]

FORM = 3  # of the bytes

_Said = tuple[int, str]  # when it was said, and the id


class _Word(msgspec.Struct, array_like=True):
    """An answer or report, or what takes one back, that nobody judged yet."""

    kind: str
    source: str
    id: str
    subject: str
    time_us: int
    logtime_us: int | None
    answer: Answer | None
    report: Report | None
    content: bytes
    spoken_by: str | None


class _Network(msgspec.Struct):
    agents: dict[str, AgentFacts]
    stances: dict[str, Stance]
    recipes: dict[str, Recipe]
    routes: dict[str, dict[str, RouteFacts]]
    unchanged: list[str]  # after a fold nearly all signals are changed, under what they speak of now: kept is which are not ...
    changed_else: list[tuple[Thing, list[str]]]  # ... and what changed under another thing
    changed_everywhere: bool
    recipes_said: int
    _definitions: dict[str, dict[str, tuple[int, str, str, Resource]]]
    _defines: dict[str, str]
    _stated_routes: list[tuple[tuple[str, str], dict[str, tuple[int, str, RouteFacts]]]]
    _leads: dict[str, str]
    first_said: list[tuple[Thing, tuple[int, str, str, str]]]
    _older_words: dict[str, _Said]
    _expiries: list[_Said]
    _renewals: list[_Said]
    _renews_us: dict[str, int]


class _Book(msgspec.Struct):
    deals: dict[str, Deal]
    ended: dict[str, State]
    heard: dict[str, dict[str, tuple[str, str]]]
    _words: list[tuple[int, str, str]]
    _by_ref: dict[str, list[str]]
    _limits: list[tuple[tuple[str, str], Limit]]
    _limited: list[tuple[str, list[tuple[str, str]]]]
    _received: list[tuple[Claim, list[tuple[int, str, int]]]]
    _remembered: list[tuple[int, Claim]]
    _expiries: list[_Said]
    _ends: list[_Said]


class _Coordination(msgspec.Struct):
    network: _Network
    book: _Book
    log_us: int
    _cycle_us: int
    _planned: bool
    ledger: list[str]
    _seen: dict[str, Packed]
    unjudged: dict[str, _Word]
    due: dict[str, tuple[str, dict[str, Any] | None]]


# What is not kept: it follows from the rest, is asked anew, or belongs to planning, which starts afresh after every start.
DERIVED = {
    Network: {
        *("charter", "table", "_degrees", "_aliases", "_accepting", "_table_positions", "_in_order", "_names", "names_moved", "_numbers"),
        *("standing", "recount", "trail"),
    },
    Book: {"network", "_rests_us", "_by_party", "_in_order", "_unanswered", "moved", "dealings", "_ended_in_order"},
    Coordination: {
        *("charter", "source", "planner", "judging", "planning", "prompt", "answering", "outbox", "unsaid"),
        *("production", "open_needs", "_made_us", "_made_of"),
        *("_late_us", "_cadence_us"),
    },
}
KEPT = {
    Network: set(_Network.__struct_fields__) - {"first_said", "unchanged", "changed_else"} | {"_shelves", "changed"},
    Book: set(_Book.__struct_fields__),
    Coordination: set(_Coordination.__struct_fields__),
}

_DECODER = msgspec.json.Decoder(_Coordination, float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def freeze(coordination: Coordination) -> bytes:
    """Return a coordination that only folded a log, without judging or planning, as bytes."""
    if coordination.judging or coordination.planning or coordination.outbox:
        raise ValueError("only what a log adds up to is kept; this coordination decides")
    return _ENCODER.encode(
        _Coordination(
            network=_frozen_network(coordination.network),
            book=_frozen_book(coordination.book),
            log_us=coordination.log_us,
            _cycle_us=coordination._cycle_us,
            _planned=coordination._planned,
            ledger=[line.decode() for line in coordination.ledger],
            _seen=coordination._seen.packed(),
            unjudged={statement: _word(event) for statement, event in coordination.unjudged.items()},
            due=coordination.due,
        )
    )


def thaw(frozen: bytes, coordination: Coordination) -> None:
    """Set a new coordination to what `freeze` kept of another under the same charter; Refused where the bytes say no such thing."""
    try:
        kept = _DECODER.decode(frozen)
    except msgspec.DecodeError as error:
        raise Refused(f"this is no state of a coordinator ({error})") from None
    try:
        coordination._seen = Seen(kept._seen)
    except ValueError as error:
        raise Refused(f"this is no state of a coordinator ({error})") from None
    _thaw_network(kept.network, coordination.network)
    _thaw_book(kept.book, coordination.book)
    coordination.log_us, coordination._cycle_us, coordination._planned = kept.log_us, kept._cycle_us, kept._planned
    coordination.ledger = [line.encode() for line in kept.ledger]
    coordination.unjudged = {statement: _event(word) for statement, word in kept.unjudged.items()}
    coordination.due = kept.due


def _frozen_network(network: Network) -> _Network:
    changed, none = network.changed, set[str]()
    elsewhere = {thing: [ref for ref in refs if network.stances[ref].thing != thing] for thing, refs in changed.items()}
    return _Network(
        agents=network.agents,
        stances=network.stances,
        recipes=network.recipes,
        routes=network.routes,
        unchanged=[ref for ref, stance in network.stances.items() if ref not in changed.get(stance.thing, none)],
        changed_else=[(thing, sorted(refs)) for thing, refs in elsewhere.items()],
        changed_everywhere=network.changed_everywhere,
        recipes_said=network.recipes_said,
        _definitions=network._definitions,
        _defines=network._defines,
        _stated_routes=list(network._stated_routes.items()),
        _leads=network._leads,
        first_said=[(shelf.thing, shelf.first) for shelf in network._all_shelves() if shelf.first is not None],
        _older_words=network._older_words,
        _expiries=network._expiries,
        _renewals=network._renewals,
        _renews_us=network._renews_us,
    )


def _thaw_network(kept: _Network, network: Network) -> None:
    for thing, first in kept.first_said:
        network._shelf(*thing).first = first
    for stance in kept.stances.values():
        # Names that stand in thousands of signals are one text each, as where they were read.
        stance.agent, stance.kind, stance.unit = intern(stance.agent), intern(stance.kind), intern(stance.unit)
        shelf = network._shelf(*stance.thing)
        stance.dimension, stance.thing = intern(stance.dimension), shelf.thing
        shelf.count(stance)
        if stance.stands:
            network._list(shelf, stance)
    network._names = Ordering(kept.agents)
    network.agents, network.stances, network.recipes, network.routes = kept.agents, kept.stances, kept.recipes, kept.routes
    network.changed = _changed(kept)
    network.changed_everywhere, network.recipes_said = kept.changed_everywhere, kept.recipes_said
    network._definitions, network._defines = kept._definitions, kept._defines
    network._stated_routes, network._leads = dict(kept._stated_routes), kept._leads
    network._older_words = kept._older_words
    network._expiries, network._renewals, network._renews_us = kept._expiries, kept._renewals, kept._renews_us


def _changed(kept: _Network) -> defaultdict[Thing, set[str]]:
    changed = defaultdict(set, {thing: set(refs) for thing, refs in kept.changed_else})
    unchanged = set(kept.unchanged)
    for ref, stance in kept.stances.items():
        if ref not in unchanged:
            changed[stance.thing].add(ref)
    return changed


def _frozen_book(book: Book) -> _Book:
    return _Book(
        deals=book.deals,
        ended=book.ended,
        heard=book.heard,
        _words=list(book._words),
        _by_ref={ref: list(names) for ref, names in book._by_ref.items()},
        _limits=list(book._limits.items()),
        _limited=[(ref, list(pairs)) for ref, pairs in book._limited.items()],
        _received=[(claim, list(rows)) for claim, rows in book._received.items()],
        _remembered=list(book._remembered),
        _expiries=book._expiries,
        _ends=book._ends,
    )


def _thaw_book(kept: _Book, book: Book) -> None:
    book.deals, book.ended, book.heard = kept.deals, kept.ended, kept.heard
    book._words = deque(kept._words)
    book._by_ref = {ref: dict.fromkeys(names) for ref, names in kept._by_ref.items()}
    book._limits = dict(kept._limits)
    book._limited = {ref: dict.fromkeys(pairs) for ref, pairs in kept._limited}
    book._received = {claim: deque(rows) for claim, rows in kept._received}
    book._remembered = deque(kept._remembered)
    book._expiries, book._ends = kept._expiries, kept._ends
    book.rebuild_indexes()


def _word(event: Event) -> _Word:
    said = event.data
    return _Word(
        event.kind,
        event.source,
        event.id,
        event.subject,
        event.time_us,
        event.logtime_us,
        said if isinstance(said, Answer) else None,
        said if isinstance(said, Report) else None,
        event.content,
        event.spoken_by,
    )


def _event(word: _Word) -> Event:
    said, name = word.answer or word.report, word.source.partition(":")[2]
    return Event(word.kind, word.source, name, word.id, word.subject, word.time_us, word.logtime_us, said, word.content, word.spoken_by)
