"""What people and programs are shown of the network and the book: plain rows, each complete in itself, in pages."""

import heapq
import json
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

from coordinator.commitments import Deal
from coordinator.cycle import BEGINNING, Coordination
from coordinator.errors import Refused
from coordinator.network import PROCESS, RESOURCE, Network, Stance, Thing
from coordinator.replaying import resource_sums
from coordinator.times import format_instant
from coordinator.wording import asked_for, shown

__all__ = ["LARGEST_PAGE", "LOOKED_AT", "Asked", "agents", "deal_named", "ledger", "offers_or_needs", "overview", "proposals"]

LARGEST_PAGE = 1_000
LOOKED_AT = 5_000  # rows for one page at most, so that no question keeps others waiting: a page may be short and have a next

NAMED = 3  # ids that begin alike, where one was meant

Row = dict[str, Any]
Page = dict[str, Any]  # {"items": rows, "next": what to ask after for more, or None where there is no more}
Key = TypeVar("Key", str, int)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rows are asked for: at most `limit` after `after`, of one agent, of one resource or process."""

    limit: int = 100
    after: str = ""
    agent: str | None = None
    resource: str | None = None
    state: str | None = None
    kind: str | None = None  # of ledger records
    newest: bool = False  # ledger records backwards, from the last one made or from `after` on


def overview(coordination: Coordination) -> Row:
    """Return counts, and for each resource what is offered, needed, proposed and committed."""
    network, book = coordination.network, coordination.book
    return {
        "coordinator": coordination.source,
        "charter": coordination.charter.version,
        "log_time": None if coordination.log_us == BEGINNING else format_instant(coordination.log_us),
        "agents": len(network.agents),
        **network.standing,
        "recipes": len(network.recipes),
        "proposals": dict(sorted((state.value, count) for state, count in book.dealings.states.items() if count)),
        "ledger": len(coordination.ledger),
        "resources": resource_sums(network, book),
    }


def agents(coordination: Coordination, asked: Asked) -> Page:
    """Return who is there, by name."""
    network = coordination.network
    names = network.names_after(asked.after) if asked.agent is None else _one(asked.agent, network.agents, asked.after)
    return _page(names, asked, lambda name: _agent(network, name))


def offers_or_needs(coordination: Coordination, asked: Asked, *, supply: bool) -> Page:
    """Return the offers and capacities, or the needs, that stand, by agent and ref (``agent/kind/subject``)."""
    network = coordination.network
    names = _same(network, asked.resource)

    def row(ref: str) -> Row | None:
        stance = network.stances[ref]
        is_wanted = stance.stands and stance.is_supply is supply and (names is None or network.canonical(stance.thing) in names)
        return _stance(coordination, stance) if is_wanted else None

    return _page(_refs(network, asked, names), asked, row)


def _refs(network: Network, asked: Asked, names: set[Thing] | None) -> Iterator[str]:
    """Yield refs in order of agent and ref: of the one agent asked for, of the things asked for where they are few, else all."""
    mark = first, _ = asked.after.partition("/")[0], asked.after
    if asked.agent is not None:
        agents = iter(_one(asked.agent, network.agents))
    else:
        agents = chain(_one(first, network.agents), network.names_after(first))
        things = [] if names is None else [said for name in names for said in network.called(name)]
        if names is not None and sum(map(network.live_count, things)) <= LOOKED_AT:
            marks = ((stance.agent, stance.ref) for thing in things for stance in network.live(thing))
            yield from (ref for _, ref in sorted(each for each in marks if each > mark))
            return
    for agent in agents:
        # An agent with more than that is not left before a page has looked at enough.
        yield from heapq.nsmallest(LOOKED_AT + 1, (ref for ref in network.agents[agent].refs if (agent, ref) > mark))


def proposals(coordination: Coordination, asked: Asked) -> Page:
    """Return the proposals that are open or became commitments, by id."""
    network, book = coordination.network, coordination.book
    names = _same(network, asked.resource)

    def row(name: str) -> Row | None:
        deal = book.deals[name]
        is_wanted = (
            (asked.agent is None or asked.agent in deal.parties)
            and (asked.state is None or deal.state == asked.state)
            and (names is None or any(network.canonical(line.thing) in names for line in deal.lines))
        )
        return _deal(deal) if is_wanted else None

    found: Iterable[str] = book.after(asked.after)
    if asked.agent is not None and len(own := book.of_party(asked.agent)) <= LOOKED_AT:
        found = sorted(name for name in own if name > asked.after)
    return _page(found, asked, row)


def deal_named(coordination: Coordination, start: str) -> Row:
    """Return the one proposal whose id begins so, also when it has ended. Refused when there is none, or more than one."""
    book = coordination.book
    known = [start] if start in book.deals or start in book.ended else []
    if not known and start:
        known = book.beginning(start, NAMED + 1)
    if not known:
        raise Refused(f"there is no proposal {asked_for(start)}; look at the list of proposals for its id")
    if len(known) > 1:
        count, more = (f"more than {NAMED}", " …") if len(known) > NAMED else (str(len(known)), "")
        raise Refused(f"{count} proposals begin with {asked_for(start)} ({', '.join(known[:NAMED])}{more}); write more of the id")
    deal = book.deals.get(known[0])
    return _deal(deal) if deal is not None else {"proposal": known[0], "state": book.ended[known[0]].value}


def ledger(coordination: Coordination, asked: Asked) -> Page:
    """Return ledger records in the order they were made, or backwards; `after` is the number of the last one seen."""
    try:
        begin = int(asked.after or (len(coordination.ledger) + 1 if asked.newest else 0))
    except ValueError:
        raise Refused(f"after is {asked.after!r}; the number of a ledger record was expected: take it from `next`") from None
    count = len(coordination.ledger)
    if begin > count and not asked.newest:
        raise Refused(f"after is {shown(begin)}, but the ledger ends at {count} so far: take it from `next`, or begin anew without it")
    names = None if asked.resource is None else _same(coordination.network, asked.resource)

    def row(number: int) -> Row | None:
        record = json.loads(coordination.ledger[number - 1])
        is_wanted = asked.kind in (None, record["data"]["kind"]) and _concerns(coordination, record["data"], asked.agent, names)
        return {"number": number, "time": record["time"], **record["data"]} if is_wanted else None

    numbers = range(min(begin - 1, count), 0, -1) if asked.newest else range(max(0, begin) + 1, count + 1)
    page = _page(numbers, asked, row)
    return {**page, "next": None if page["next"] is None else str(page["next"])}


# -- pages ------------------------------------------------------------------------------------------------------------


def _page(keys: Iterable[Key], asked: Asked, row: Callable[[Key], Row | None]) -> Page:
    """Return the rows of keys that come in order, without those that have none; short where most of what was looked at has none."""
    if not 1 <= asked.limit <= LARGEST_PAGE:
        raise Refused(f"limit is {asked.limit}; 1 to {LARGEST_PAGE} was expected: ask for more with `after`")
    items: list[Row] = []
    last: Key | None = None  # of those that are in this page, or have no row
    for looked_at, key in enumerate(keys):
        if looked_at == LOOKED_AT:
            return {"items": items, "next": last}
        found = row(key)
        if found is not None:
            if len(items) == asked.limit:
                return {"items": items, "next": last}
            items.append(found)
        last = key
    return {"items": items, "next": None}


def _one(name: str, among: Container[str], after: str = "") -> list[str]:
    return [name] if name in among and name > after else []


def _same(network: Network, name: str | None) -> set[Thing] | None:
    """Return the things that a name asked for can mean, or None where none was asked for."""
    return None if name is None else {network.canonical((sort, name)) for sort in (RESOURCE, PROCESS)}


def _concerns(coordination: Coordination, record: Row, agent: str | None, names: set[Thing] | None) -> bool:
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


def _stance(coordination: Coordination, stance: Stance) -> Row:
    network, book = coordination.network, coordination.book
    canonical = network.canonical(stance.thing)
    row: Row = {
        "ref": stance.ref,
        "agent": stance.agent,
        "process" if stance.is_hours else "resource": canonical[1],
        "stated": network.quantity(stance, stance.stated_grains).to_json(),
        "promised": network.quantity(stance, stance.taken_grains).to_json(),
        "proposed": network.quantity(stance, book.asked_grains(stance.ref)).to_json(),
        "free": network.quantity(stance, book.open_grains(stance, coordination.log_us)).to_json(),
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
