"""What is short: by resource and tier, and need by need, the most urgent first. Read off what stands; nothing is planned."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any

from coordinator.cycle import Coordination
from coordinator.network import PROCESS, Network, Thing, amount_of
from coordinator.open_needs import OpenNeed, Sum
from coordinator.times import format_instant

__all__ = ["Picked", "Wanted", "needs_by_urgency", "picked", "shortage", "told_needs"]

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


@dataclass(frozen=True, slots=True)
class Picked:
    """The needs that were asked for, and how many there are of that kind."""

    total: int
    short: int
    needs: list[OpenNeed]


def shortage(coordination: Coordination) -> Row:
    """Return, for each thing and tier that counts: needs, how many are short, what is asked and what is in no plan; shortest first."""
    items = [_told(coordination.network, stock, tiers) for stock, tiers in sorted(coordination.open_needs.sums().items())]
    return {"items": sorted(items, key=_shortest_first)}


def _shortest_first(item: Row) -> tuple[int, int, str]:
    most_urgent = min((tier["tier"] for tier in item["tiers"] if tier["short_needs"]), default=9)
    return most_urgent, -item["short_needs"], item["name"]


def needs_by_urgency(coordination: Coordination, wanted: Wanted) -> Row:
    """Return the needs that stand: short ones first, by the tier that counts, then the least covered; with how many there are in all."""
    return told_needs(coordination, picked(coordination.open_needs.rows(), wanted))


def picked(rows: Iterable[OpenNeed], wanted: Wanted) -> Picked:
    """Return which of the needs are asked for. This looks at all of them, and at nothing else: it holds up nobody."""
    text = wanted.text.casefold()
    counts = Counter[bool]()  # is short -> needs

    def found() -> Iterator[OpenNeed]:
        for one in rows:
            if (
                wanted.agent in (None, one.need.agent)
                and wanted.resource in (None, one.thing[1], one.need.name)
                and wanted.tier in (None, one.tier_used)
                and (not wanted.short_only or one.short_grains)
                and (not text or text in one.need.ref.casefold() or text in one.thing[1].casefold())
            ):
                counts[one.short_grains > 0] += 1
                yield one

    first = nsmallest(wanted.skip + wanted.limit, found(), key=_most_urgent_first)
    return Picked(counts.total(), counts[True], first[wanted.skip :])


def _most_urgent_first(one: OpenNeed) -> tuple[bool, int, float, str]:
    return not one.short_grains, one.tier_used, one.covered_grains / one.stated_grains, one.need.ref


def told_needs(coordination: Coordination, chosen: Picked) -> Row:
    """Return the rows of the needs that were picked."""
    items = [_need(coordination.network, one) for one in chosen.needs]
    return {"total": chosen.total, "short": chosen.short, "items": items}


def _told(network: Network, stock: tuple[Thing, str], tiers: dict[int, Sum]) -> Row:
    (sort, name), _ = stock
    rows = []
    for tier, one in sorted(tiers.items()):
        rows.append(
            {
                "tier": tier,
                "needs": one.needs,
                "short_needs": one.short_needs,
                "short_agents": len(one.short_of),
                "asked": amount_of(network, stock, one.asked_grains).to_json(),
                "short": amount_of(network, stock, one.short_grains).to_json(),
                "share_short": round(one.short_grains / one.asked_grains, 4),
            }
        )
    return {
        "name": name,
        "sort": sort,
        "needs": sum(one.needs for one in tiers.values()),
        "short_needs": sum(one.short_needs for one in tiers.values()),
        "tiers": rows,
    }


def _need(network: Network, one: OpenNeed) -> Row:
    need = one.need
    row: Row = {
        "ref": need.ref,
        "agent": need.agent,
        "label": network.agents[need.agent].name,
        "process" if one.thing[0] == PROCESS else "resource": one.thing[1],
        "asked": network.quantity(need, one.stated_grains).to_json(),
        "short": network.quantity(need, one.short_grains).to_json(),
        "share_covered": round(min(1.0, one.covered_grains / one.stated_grains), 4),
        "tier": need.tier,
        "tier_used": one.tier_used,
        "said": format_instant(need.said_us),
    }
    for name in ("begin", "due", "end", "expires"):
        instant_us = getattr(need, f"{name}_us")
        if instant_us is not None:
            row[name] = format_instant(instant_us)
    return row
