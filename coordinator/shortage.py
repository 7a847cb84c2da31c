"""What is short: by resource and tier, and need by need, the most urgent first. Read off what stands; nothing is planned."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from coordinator.cycle import Coordination
from coordinator.explaining import covered_grains
from coordinator.network import PROCESS, Network, Stance, Thing
from coordinator.questions import amount_of
from coordinator.times import format_instant

__all__ = ["Wanted", "needs_by_urgency", "shortage"]

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which needs are asked for: `limit` of them after the first `skip`; of one agent, thing, tier, or only the short ones."""

    limit: int = 50
    skip: int = 0
    agent: str | None = None
    resource: str | None = None
    tier: int | None = None  # the one that counts
    short_only: bool = False
    text: str = ""  # in the ref or the name of the thing


@dataclass(slots=True)
class _Sum:
    needs: int = 0
    short_needs: int = 0
    asked_grains: int = 0
    covered_grains: int = 0
    agents: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Open:
    need: Stance
    thing: Thing  # canonical
    tier_used: int
    covered_grains: int

    @property
    def short_grains(self) -> int:
        return max(0, self.need.stated_grains - self.covered_grains)


def shortage(coordination: Coordination) -> Row:
    """Return, for each thing and tier that counts: needs, how many are short, what is asked and what is in no plan; shortest first."""
    network = coordination.network
    sums: dict[tuple[Thing, str], dict[int, _Sum]] = {}
    for one in _open_needs(coordination):
        row = sums.setdefault((one.thing, one.need.dimension), {}).setdefault(one.tier_used, _Sum())
        row.needs += 1
        row.asked_grains += one.need.stated_grains
        row.covered_grains += min(one.covered_grains, one.need.stated_grains)
        if one.short_grains:
            row.short_needs += 1
            row.agents.add(one.need.agent)
    items = [_told(network, stock, tiers) for stock, tiers in sums.items()]
    return {"items": sorted(items, key=_shortest_first)}


def _shortest_first(item: Row) -> tuple[int, int, str]:
    most_urgent = min((tier["tier"] for tier in item["tiers"] if tier["short_needs"]), default=9)
    return most_urgent, -item["short_needs"], item["name"]


def needs_by_urgency(coordination: Coordination, wanted: Wanted) -> Row:
    """Return the needs that stand: short ones first, by the tier that counts, then the least covered; with how many there are in all."""
    network = coordination.network
    text = wanted.text.casefold()
    found = [
        one
        for one in _open_needs(coordination)
        if wanted.agent in (None, one.need.agent)
        and wanted.resource in (None, one.thing[1], one.need.name)
        and wanted.tier in (None, one.tier_used)
        and (not wanted.short_only or one.short_grains)
        and (not text or text in one.need.ref.casefold() or text in one.thing[1].casefold())
    ]
    found.sort(key=lambda one: (not one.short_grains, one.tier_used, one.covered_grains / one.need.stated_grains, one.need.ref))
    some = found[wanted.skip : wanted.skip + wanted.limit]
    return {"total": len(found), "short": sum(one.short_grains > 0 for one in found), "items": [_need(network, one) for one in some]}


def _open_needs(coordination: Coordination) -> Iterator[_Open]:
    network, book = coordination.network, coordination.book
    for stance in network.living():
        if not stance.is_supply:
            yield _Open(stance, network.canonical(stance.thing), book.claim_of(stance)[2], covered_grains(book, stance))


def _told(network: Network, stock: tuple[Thing, str], tiers: dict[int, _Sum]) -> Row:
    (sort, name), _ = stock
    rows = []
    for tier, one in sorted(tiers.items()):
        short_grains = one.asked_grains - one.covered_grains
        rows.append(
            {
                "tier": tier,
                "needs": one.needs,
                "short_needs": one.short_needs,
                "short_agents": len(one.agents),
                "asked": amount_of(network, stock, one.asked_grains).to_json(),
                "short": amount_of(network, stock, short_grains).to_json(),
                "share_short": round(short_grains / one.asked_grains, 4),
            }
        )
    return {
        "name": name,
        "sort": sort,
        "needs": sum(one.needs for one in tiers.values()),
        "short_needs": sum(one.short_needs for one in tiers.values()),
        "tiers": rows,
    }


def _need(network: Network, one: _Open) -> Row:
    need = one.need
    row: Row = {
        "ref": need.ref,
        "agent": need.agent,
        "label": network.agents[need.agent].name,
        "process" if one.thing[0] == PROCESS else "resource": one.thing[1],
        "asked": network.quantity(need, need.stated_grains).to_json(),
        "short": network.quantity(need, one.short_grains).to_json(),
        "share_covered": round(min(1.0, one.covered_grains / need.stated_grains), 4),
        "tier": need.tier,
        "tier_used": one.tier_used,
        "said": format_instant(need.said_us),
    }
    for name in ("begin", "due", "end", "expires"):
        instant_us = getattr(need, f"{name}_us")
        if instant_us is not None:
            row[name] = format_instant(instant_us)
    return row
