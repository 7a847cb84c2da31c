"""``coordinator network …``: five questions about a network, as tables for people or JSON for programs."""

import json
from typing import Any

from coordinator.cli.loading import Where, asked, segment
from coordinator.cli.output import table
from coordinator.names import NearName
from coordinator.questions import Dependent, Source, Stats, ThingAmount, Unreachable, downstream, stats, unreachable, upstream
from coordinator.results import as_json
from coordinator.units import UNITS
from coordinator.weakness import Bottleneck, WeakPoints, weak_points
from coordinator.wording import amount, counted

__all__ = ["print_json", "show_downstream", "show_stats", "show_unreachable", "show_upstream", "show_weak_points"]

LISTED = 6  # names in one cell of a table; the rest is counted, and --json has them all
ROWS = 60  # of one table, likewise
UNPROMISED = """\
  asked, not promised, makeable and can reach: in no promise; what is only proposed counts as if it were not, for it may yet go elsewhere,
  and `coordinator network stats` calls it neither free nor open"""
RECIPES_ANYWHERE = "recipes count wherever what they take and who needs it are; `coordinator explode NEED` tells what of it reaches a need"


def show_stats(where: Where, to_json: bool) -> None:
    """Print how the network stands: counts, what is free and open of each thing, names that one agent alone uses."""
    found: Stats = asked(where, Stats, lambda here: stats(here.network, here.book, here.log_us), "/network/stats", quiet=to_json)
    if to_json:
        print_json(found)
        return
    title = (
        f"agents {found.agents:,} ({found.agents_without_place:,} without a place), offers {found.offers:,}, "
        f"capacities {found.capacities:,}, needs {found.needs:,}, recipes {found.recipes:,}, routes {found.routes:,}"
        + (f"; {found.closed:,} more stand whose window has closed" if found.closed else "")
    )
    rows = [
        [row.name, row.sort, row.offers, row.offered_by, amount(row.free), row.needs, row.needed_by, amount(row.open)]
        for row in found.things
    ]
    _table(title, ["name", "", "offers", "by agents", "free", "needs", "by agents", "open"], rows)
    print("  free and open: in no proposal and no promise")
    if found.lonely_names:
        _table(
            f"{counted(len(found.lonely_names), 'name')} that one agent alone uses",
            ["name"],
            [[name.sentence()] for name in found.lonely_names],
        )


def show_upstream(where: Where, name: str, to_json: bool) -> None:
    """Print what feeds a resource or process, by level."""
    found: tuple[Source, ...] = asked(
        where,
        tuple[Source, ...],
        lambda here: upstream(here.network, name, here.book, here.log_us),
        f"/network/upstream/{segment(name)}",
        quiet=to_json,
        listed=True,
    )
    if to_json:
        print_json(found)
        return
    rows = [
        [
            row.level,
            row.name + (f" (does for {_listed(row.does_for)})" if row.does_for else ""),
            row.sort,
            _listed(ref.partition("/recipe/")[2] for ref in row.into),
            _listed(row.agents) or "nobody",
            ", ".join(amount(free) for free in row.free),
        ]
        for row in found
    ]
    _table(f"what feeds {name}", ["level", "name", "", "goes into", "offered by", "free"], rows)
    if any(row.does_for for row in found):
        print("  does for: hours of a finer process do a recipe's step of a broader one; a need of hours gets those of its own name")


def show_downstream(where: Where, agent: str, to_json: bool) -> None:
    """Print what and who can be served from an agent's offers, and what it alone carries."""
    found: tuple[Dependent, ...] = asked(
        where,
        tuple[Dependent, ...],
        lambda here: downstream(here.network, agent, here.book, here.log_us),
        f"/network/downstream/{segment(agent)}",
        quiet=to_json,
        listed=True,
    )
    if to_json:
        print_json(found)
        return
    rows = [
        [
            row.level,
            row.name,
            row.sort,
            "only through it" if row.sole else "",
            *(", ".join(map(_amount_of, of)) for of in (row.proposed, row.committed)),
        ]
        for row in found
    ]
    _table(f"what {agent} leads to", ["level", "name", "", "without it", "proposed to it", "committed to it"], rows)


def show_weak_points(where: Where, to_json: bool) -> None:
    """Print agents whose loss leaves needs without any source, and where too little can get through."""
    found: WeakPoints = asked(
        where, WeakPoints, lambda here: weak_points(here.network, here.book, here.log_us), "/network/weak-points", quiet=to_json
    )
    if to_json:
        print_json(found)
        return
    hinges = [[hinge.agent, len(hinge.needs), ", ".join(map(_amount_of, hinge.unpromised)), _listed(hinge.needs)] for hinge in found.hinges]
    _table("agents whose loss cuts needs from every source", ["agent", "needs", "not promised", "which"], hinges)
    rows = [
        [
            " or ".join(row.names),
            amount(row.asked),
            amount(row.free),
            "" if row.makeable is not None and not row.makeable.grains else amount(row.makeable) if row.makeable else "no limit",
            "too large to say" if row.through is None else amount(row.through),
            "" if row.short is None else amount(row.short),
            _bottleneck(row),
        ]
        for row in found.bottlenecks
    ]
    _table("where too little gets through", ["name", "asked", "not promised", "makeable", "can reach", "short", "bottleneck"], rows)
    enough = "1 other gets" if found.enough == 1 else f"{found.enough:,} others get"
    nothing = "1 thing is" if found.without_supply == 1 else f"{found.without_supply:,} things are"
    in_needs = f", in {counted(found.needs_without_supply, 'need')}" if found.without_supply else ""
    print(f"{enough} through in full; {nothing} needed and supplied by nobody{in_needs} (see `coordinator network unreachable`)")
    print(UNPROMISED)
    print(f"  {RECIPES_ANYWHERE}")


def show_unreachable(where: Where, to_json: bool) -> None:
    """Print the needs that nothing can reach, with the reason."""
    found: tuple[Unreachable, ...] = asked(
        where,
        tuple[Unreachable, ...],
        lambda here: unreachable(here.network, here.book, here.log_us),
        "/network/unreachable",
        quiet=to_json,
        listed=True,
    )
    if to_json:
        print_json(found)
        return
    rows = [
        [row.need, row.name, amount(row.unpromised), row.tier, "; ".join(row.reasons), " or ".join(_meant(near, row) for near in row.near)]
        for row in found
    ]
    _table(
        f"{counted(len(found), 'need')} that no offer and no recipe can reach",
        ["need", "of", "not promised", "tier", "why", "did they mean"],
        rows,
    )
    print(f"  {RECIPES_ANYWHERE}")


def _meant(near: NearName, row: Unreachable) -> str:
    return (
        near.name if near.fits([UNITS[row.unpromised.unit].dimension]) else f"{near.name} (but counted in {' and '.join(near.counted_in)})"
    )


def _bottleneck(row: Bottleneck) -> str:
    """Return the cut in words: who gives all it has, to whom, and how much more they want."""
    if row.short_asked is None:
        return "too many offers and needs of different reach for an exact cut"
    sources = [f"{each.name} ({amount(each.most)}{f', bound by {each.scarcest}' if each.scarcest else ''})" for each in row.scarce]
    nothing = "nothing" if row.free.grains else "nothing that is not promised yet"
    needs = f"{counted(row.short_needs, 'need')} of {counted(len(row.short_agents), 'agent')}: {amount(row.short_asked)} in all"
    return f"{needs}; all that can reach them: {_listed(sources) or nothing}"


# -- how results are shown --------------------------------------------------------------------------------------------


def print_json(value: Any) -> None:
    """Print a result as indented JSON."""
    print(json.dumps(as_json(value), indent=2, ensure_ascii=False))


def _amount_of(of: ThingAmount) -> str:
    return f"{amount(of.quantity)} {of.name}"


def _listed(names: Any) -> str:
    several = list(names)
    more = len(several) - LISTED
    return ", ".join(several[:LISTED]) + (f" and {more:,} more" if more > 0 else "")


def _table(title: str, columns: list[str], rows: list[list[Any]]) -> None:
    table(title, columns, rows[:ROWS])
    if len(rows) > ROWS:
        print(f"  and {len(rows) - ROWS:,} more; --json has them all")
