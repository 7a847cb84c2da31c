"""What people and programs are shown of the network and the book: plain rows, each complete in itself, in pages."""

import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from coordinator.commitments import OPEN, Book, Deal
from coordinator.cycle import BEGINNING, Coordination
from coordinator.errors import Refused
from coordinator.network import PROCESS, RESOURCE, Network, Stance
from coordinator.replaying import resource_sums
from coordinator.times import format_instant

__all__ = ["LARGEST_PAGE", "Asked", "agents", "deal_named", "ledger", "offers_or_needs", "overview", "proposals"]

LARGEST_PAGE = 1_000

Row = dict[str, Any]
Page = dict[str, Any]  # {"items": rows, "next": what to ask after for more, or None}


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rows are asked for: at most `limit` after `after`, of one agent, of one resource or process."""

    limit: int = 100
    after: str = ""
    agent: str | None = None
    resource: str | None = None
    state: str | None = None


def overview(coordination: Coordination) -> Row:
    """Return counts, and for each resource what is offered, needed, proposed and committed."""
    network, book = coordination.network, coordination.book
    standing = [stance for stance in network.stances.values() if stance.stands]
    states = Counter(deal.state.value for deal in book.deals.values()) + Counter(state.value for state in book.ended.values())
    return {
        "coordinator": coordination.source,
        "charter": coordination.charter.version,
        "log_time": None if coordination.log_us == BEGINNING else format_instant(coordination.log_us),
        "agents": len(network.agents),
        "offers": sum(stance.is_supply for stance in standing),
        "needs": sum(not stance.is_supply for stance in standing),
        "recipes": len(network.recipes),
        "proposals": dict(sorted(states.items())),
        "ledger": len(coordination.ledger),
        "resources": resource_sums(network, book),
    }


def agents(coordination: Coordination, asked: Asked) -> Page:
    """Return who is there, by name."""
    network = coordination.network
    return _page((name for name in network.agents if asked.agent in (None, name)), asked, lambda name: _agent(network, name))


def offers_or_needs(coordination: Coordination, asked: Asked, *, supply: bool) -> Page:
    """Return the offers and capacities, or the needs, that stand, by ref (``agent/kind/subject``)."""
    network, book = coordination.network, coordination.book
    names = _same(network, asked.resource)
    refs = (
        ref
        for ref, stance in network.stances.items()
        if stance.stands
        and stance.is_supply is supply
        and asked.agent in (None, stance.agent)
        and (names is None or network.canonical(stance.thing) in names)
    )
    return _page(refs, asked, lambda ref: _stance(network, book, network.stances[ref]))


def proposals(coordination: Coordination, asked: Asked) -> Page:
    """Return the proposals that are open or became commitments, by id."""
    network, book = coordination.network, coordination.book
    names = _same(network, asked.resource)
    found = (
        name
        for name, deal in book.deals.items()
        if asked.agent in (None, *deal.parties)
        and (asked.state is None or deal.state == asked.state)
        and (names is None or any(network.canonical(line.thing) in names for line in deal.lines))
    )
    return _page(found, asked, lambda name: _deal(book.deals[name]))


def deal_named(coordination: Coordination, start: str) -> Row:
    """Return the one proposal whose id begins so, also when it has ended. Refused when there is none, or more than one."""
    book = coordination.book
    known = [start] if start in book.deals or start in book.ended else []
    known = known or [name for ids in (book.deals, book.ended) for name in ids if start and name.startswith(start)]
    if not known:
        raise Refused(f"there is no proposal {start!r}; look at the list of proposals for its id")
    if len(known) > 1:
        raise Refused(f"{len(known)} proposals begin with {start!r} ({', '.join(sorted(known)[:3])} …); write more of the id")
    deal = book.deals.get(known[0])
    return _deal(deal) if deal is not None else {"proposal": known[0], "state": book.ended[known[0]].value}


def ledger(coordination: Coordination, asked: Asked) -> Page:
    """Return ledger records in the order they were made; `after` is the number of the last one seen."""
    try:
        begin = int(asked.after or 0)
    except ValueError:
        raise Refused(f"after is {asked.after!r}; the number of a ledger record was expected: take it from `next`") from None
    names = None if asked.resource is None else _same(coordination.network, asked.resource)
    items: list[Row] = []
    for number in range(max(0, begin), len(coordination.ledger)):
        record = json.loads(coordination.ledger[number])
        if not _concerns(coordination, record["data"], asked.agent, names):
            continue
        if len(items) == _limit(asked):
            return {"items": items, "next": str(items[-1]["number"])}
        items.append({"number": number + 1, "time": record["time"], **record["data"]})
    return {"items": items, "next": None}


# -- pages ------------------------------------------------------------------------------------------------------------


def _page(keys: Iterable[str], asked: Asked, row: Callable[[str], Row]) -> Page:
    limit = _limit(asked)
    found = heapq.nsmallest(limit + 1, (key for key in keys if key > asked.after))
    return {"items": [row(key) for key in found[:limit]], "next": found[limit - 1] if len(found) > limit else None}


def _limit(asked: Asked) -> int:
    if not 1 <= asked.limit <= LARGEST_PAGE:
        raise Refused(f"limit is {asked.limit}; 1 to {LARGEST_PAGE} was expected: ask for more with `after`")
    return asked.limit


def _same(network: Network, name: str | None) -> set[tuple[str, str]] | None:
    """Return the things that a name asked for can mean, or None where none was asked for."""
    return None if name is None else {network.canonical((sort, name)) for sort in (RESOURCE, PROCESS)}


def _concerns(coordination: Coordination, record: Row, agent: str | None, names: set[tuple[str, str]] | None) -> bool:
    deal = coordination.book.deals.get(record["proposal"])
    parties = deal.parties if deal is not None else ()
    if agent is not None and agent != record["agent"] and agent not in parties:
        return False
    return names is None or (deal is not None and any(coordination.network.canonical(line.thing) in names for line in deal.lines))


# -- rows -------------------------------------------------------------------------------------------------------------


def _agent(network: Network, name: str) -> Row:
    facts = network.agents[name]
    place = None if facts.place is None else {"lat": facts.place[0], "long": facts.place[1]}
    return {"agent": name, "name": facts.name, "place": place, "classified_as": list(facts.classes)}


def _stance(network: Network, book: Book, stance: Stance) -> Row:
    proposed = sum(deal.asks(stance.agent, stance.ref) for deal in book.naming(stance.ref) if _is_open_to(deal, stance.agent))
    canonical = network.canonical(stance.thing)
    row: Row = {
        "ref": stance.ref,
        "agent": stance.agent,
        "process" if stance.is_hours else "resource": canonical[1],
        "stated": network.quantity(stance, stance.stated_grains).to_json(),
        "promised": network.quantity(stance, stance.taken_grains).to_json(),
        "proposed": network.quantity(stance, proposed).to_json(),
        "free": network.quantity(stance, stance.free_grains).to_json(),
        "basis": "total" if stance.total else "free",
        "said": format_instant(stance.said_us),
    }
    if stance.name != canonical[1]:
        row["said_as"] = stance.name
    if not stance.is_supply:
        row["tier"] = stance.tier
    for name in ("begin", "due", "end", "expires"):
        instant_us = getattr(stance, f"{name}_us")
        if instant_us is not None:
            row[name] = format_instant(instant_us)
    if stance.minimum_grains:
        row["minimum"] = network.quantity(stance, stance.minimum_grains).to_json()["value"]
    if stance.within_m is not None:
        row["within_km"] = stance.within_m / 1000
    return row


def _is_open_to(deal: Deal, agent: str) -> bool:
    return deal.state in OPEN and agent not in deal.promised


def _deal(deal: Deal) -> Row:
    said = json.loads(deal.said)["data"]
    arrived = [{"value": deal.delivered(index), "of": line.quantity.grains} for index, line in enumerate(deal.lines)]
    return {
        "proposal": deal.proposal,
        "state": deal.state.value,
        "made": format_instant(deal.made_us),
        "parties": list(deal.parties),
        "accepted_by": list(deal.promised),
        "arrived": [round(each["value"] / each["of"], 6) for each in arrived],
        **{name: said[name] for name in ("lines", "expires", "charter", "reasons")},
    }
