"""A replay's result: the same events lead to the same summary and the same digest, on any machine and in any interleaving."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any

import rfc8785

from coordinator.commitments import ENDED, Book, statement_of
from coordinator.network import PROCESS, Network, Thing
from coordinator.signals import Answer, Event, Ledger, Proposal
from coordinator.units import UNITS, from_grains
from coordinator.wording import counted

__all__ = [
    "Said",
    "digest",
    "in_other_dimensions",
    "in_told_order",
    "resource_sums",
    "standing_proposals",
    "statements_judged",
    "summarise",
]


@dataclass(frozen=True, slots=True)
class Said:
    """One event with where it was read."""

    event: Event
    line: bytes
    file: str
    number: int  # of the line, from 1


def statements_judged(said: Iterable[Said]) -> set[str]:
    """Return the answers and reports that some ledger record among these events passes judgement on."""
    return {str(one.event.data.statement) for one in said if isinstance(one.event.data, Ledger) and one.event.data.statement}


def in_told_order(said: list[Said]) -> list[Said]:
    """Return recorded events in the one order that all their interleavings have in common.

    Each speaker's words keep their order; between speakers the earlier time goes first, and what a coordinator said at the same
    time goes first too. A verdict waits for the answer it judges, and whoever answered says no more until the verdict on it.
    """
    proposed_us = {one.event.subject: one.event.time_us for one in said if isinstance(one.event.data, Proposal)}
    spoken: dict[str, list[Said]] = {}
    for one in said:
        spoken.setdefault(_speaker(one.event), []).append(one)
    pending = {statement_of(one.event) for one in said}
    pending |= {_verdict_on(statement) for statement in statements_judged(said) if statement in pending}
    heads = [(*_mark(words[0], -(2**62), proposed_us), speaker, 0) for speaker, words in spoken.items()]
    heapify(heads)
    waiting: dict[str, list[tuple[int, int, str, int]]] = {}
    told: list[Said] = []
    while heads or waiting:
        forced = not heads  # Words that wait for each other cannot wait for ever: what is out of order is refused later.
        if forced:
            heads, waiting = sorted(head for some in waiting.values() for head in some), {}
        head = heappop(heads)
        at_us, _, speaker, index = head
        words = spoken[speaker]
        awaited = _awaited(words, index)
        if awaited in pending and not forced:
            waiting.setdefault(awaited, []).append(head)
            continue
        one = words[index]
        told.append(one)
        if index + 1 < len(words):
            heappush(heads, (*_mark(words[index + 1], at_us, proposed_us), speaker, index + 1))
        judged = one.event.data.statement if isinstance(one.event.data, Ledger) else None
        for done in (statement_of(one.event), _verdict_on(str(judged))):
            pending.discard(done)
            for freed in waiting.pop(done, ()):
                heappush(heads, freed)
    return told


def _speaker(event: Event) -> str:
    """Return whose words keep their order: an agent's, a ledger's, those on one proposal."""
    if event.by_agent:
        return event.source
    return f"{event.source} {event.kind} {event.subject if event.kind == 'proposal' else ''}"


def _awaited(words: list[Said], index: int) -> str:
    """Return what has to be told before this word."""
    data = words[index].event.data
    if isinstance(data, Ledger):
        return data.statement or ""
    return _verdict_on(statement_of(words[index - 1].event)) if index else ""


_RANKS = {"proposal": 0, "ledger": 1, "tick": 1}  # agents' words come after


def _verdict_on(statement: str) -> str:
    return f"verdict on {statement}"


def _mark(one: Said, after_us: int, proposed_us: Mapping[str, int]) -> tuple[int, int]:
    """Return when a word counts as said (never before its speaker's last), and its rank among words of that time."""
    event = one.event
    at_us = event.time_us if event.logtime_us is None else event.logtime_us
    if isinstance(event.data, Answer):
        at_us = max(at_us, proposed_us.get(event.data.proposal, at_us))
    return max(at_us, after_us), _RANKS.get(event.kind, 2)


# -- what stands at the end -------------------------------------------------------------------------------------------


def standing_proposals(book: Book) -> list[bytes]:
    """Return the proposals that are open or became commitments, as events, in order of id."""
    return [deal.said for _, deal in sorted(book.deals.items()) if deal.state not in ENDED]


def digest(ledger: Iterable[bytes], proposals: Iterable[bytes]) -> str:
    """Return the sha256 over the RFC 8785 form of each record's data: the ledger in order, then the proposals by id."""
    state = hashlib.sha256()
    for line in (*ledger, *proposals):
        state.update(rfc8785.dumps(json.loads(line, parse_int=_double)["data"]))
    return state.hexdigest()


def _double(text: str) -> int | float:
    """Return a whole number as RFC 8785 knows it: a double, which beyond 2^53 is no longer every whole number."""
    number = int(text)
    return number if abs(number) < 2**53 else float(number)


@dataclass(slots=True)
class _Sums:
    unit: str
    offered: int = 0
    needed: int = 0
    proposed: int = 0
    committed: int = 0
    grain_metres: int = 0

    def told(self) -> dict[str, Any]:
        per_unit = UNITS[self.unit].grains
        kilometres = self.grain_metres / per_unit / 1000
        sums = {name: from_grains(getattr(self, name), self.unit) for name in ("offered", "needed", "proposed", "committed")}
        whole = int(kilometres) if kilometres.denominator == 1 else float(kilometres)
        return {"unit": self.unit, **sums, "quantity_km": whole}


def resource_sums(network: Network, book: Book) -> dict[str, dict[str, Any]]:
    """Return, for each resource and process: unit, offered, needed, proposed, committed and quantity_km."""
    sums: dict[Thing, _Sums] = {}
    units = _summed_units(network)

    def of(thing: Thing) -> _Sums:
        canonical = network.canonical(thing)
        return sums.setdefault(canonical, _Sums(units.get(canonical) or network.definition(canonical).unit))

    for thing, dimension, stated in network.stated():
        row = of(thing)
        if UNITS[row.unit].dimension == dimension:
            row.offered += stated.offered_grains
            row.needed += stated.needed_grains
    for (thing, dimension), moving in book.dealings.moving.items():
        row = of(thing)
        if UNITS[row.unit].dimension == dimension:
            row.proposed += moving.proposed_grains
            row.committed += moving.committed_grains
            row.grain_metres += moving.grain_metres
    names = Counter(name for _, name in sums)
    return {
        (f"{sort}:{name}" if sort == PROCESS and names[name] > 1 else name): row.told()
        for (sort, name), row in sorted(sums.items(), key=lambda item: item[0][::-1])
    }


def in_other_dimensions(network: Network) -> list[str]:
    """Return a sentence for each thing of which some quantities are in no sum, as they are of another dimension than the rest."""
    units = _summed_units(network)
    left_out: Counter[tuple[str, str, str]] = Counter()
    for said, dimension, stated in network.stated():
        thing = network.canonical(said)
        if UNITS[units[thing]].dimension != dimension:
            left_out[thing[1], units[thing], dimension] += stated.signals
    return [
        f"{name} is summed up in {'pieces' if unit == '1' else unit}; {counted(signals, 'signal')} of it in {dimension} stand in no figure"
        for (name, unit, dimension), signals in sorted(left_out.items())
    ]


def _summed_units(network: Network) -> dict[Thing, str]:
    """Return the unit each thing is summed up in: its definition's, or that of its first signal where none is of that dimension."""
    said: dict[Thing, list[tuple[Thing, str]]] = {}  # canonical -> as said, and in which dimension
    for thing, dimension, _ in network.stated():
        said.setdefault(network.canonical(thing), []).append((thing, dimension))
    units = {thing: network.definition(thing).unit for thing in said}
    for thing, some in said.items():
        if all(dimension != UNITS[units[thing]].dimension for _, dimension in some):
            units[thing] = min(network.first_said(*one) for one in some)[1]
    return units


def summarise(network: Network, book: Book, ledger: list[bytes], *, events: int, refused: int) -> dict[str, Any]:
    """Return the replay's summary, as the contract names its fields."""
    needs = [stance for stance in network.stances.values() if not stance.is_supply]
    proposals = standing_proposals(book)
    return {
        "events": events,
        "refused": refused,
        "agents": len(network.agents),
        "offers": len(network.stances) - len(needs),
        "needs": len(needs),
        "needs_met": sum(book.covered_grains(need) >= need.stated_grains for need in needs),
        "digest": digest(ledger, proposals),
        "resources": resource_sums(network, book),
    }


def told(lines: Iterable[bytes]) -> Iterator[str]:
    """Yield events as lines of a file."""
    for line in lines:
        yield line.decode() + "\n"
