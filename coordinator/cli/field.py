"""What the pressures of the plan tell: where a thing is short, what one more would relieve, whether every answer is proven."""

from typing import Any

from coordinator.cli.loading import Where, load
from coordinator.cli.network import amount, counted, print_json
from coordinator.cli.output import table
from coordinator.opportunities import opportunities, pressures
from coordinator.readings import Pressure, certificates

__all__ = ["show_check", "show_opportunities", "show_pressure"]

ROWS = 40  # of one table; the rest is counted, and --json has them all


def show_pressure(where: Where, resource: str, to_json: bool) -> None:
    """Print every offer and need of a thing with the pressure there, the shortest first."""
    found = pressures(load(where, quiet=to_json).coordination, resource)
    if to_json:
        print_json(found)
        return
    rows = [[spot.ref, spot.side, amount(spot.stated), amount(spot.left), *_ranks(spot.pressure), spot.sentence] for spot in found]
    _table(f"where {resource} is short", ["at", "", "open or free", "short or left", "tier", "level", "effort", ""], rows)


def show_opportunities(where: Where, agent: str, to_json: bool) -> None:
    """Print what one unit more of each thing, from this agent's place, would relieve."""
    found = opportunities(load(where, quiet=to_json).coordination, agent)
    if to_json:
        print_json(found)
        return
    rows = [
        [one.name, one.how + (f" ({one.through})" if one.through else ""), *_ranks(one.pressure), amount(one.short), one.sentence]
        for one in found
    ]
    columns = ["of", agent, "tier", "level", "effort", "short within reach", "what one more would relieve"]
    _table(f"what one more at {agent} would relieve", columns, rows)
    if any(one.how == "could make it" for one in found):
        print("  could make it: a hint read off recipes; what their inputs and hours would take from others is not counted")


def show_check(where: Where, to_json: bool) -> bool:
    """Check the answer of every market against the rules of optimality, print what was found; return whether all hold."""
    loaded = load(where, quiet=to_json).coordination
    found = list(certificates(loaded.planner, loaded.log_us))
    wrong = [(" or ".join(each.names), sentence) for each in found for sentence in each.broken]
    if to_json:
        print_json({"holds": not wrong, "markets": found})
        return not wrong
    arcs, kept = sum(each.arcs for each in found), sum(each.is_kept for each in found)
    print(f"{counted(len(found), 'market')} checked, {kept:,} of them as planning keeps them: {counted(arcs, 'possible pair')} in all")
    for name, sentence in wrong:
        print(f"  {name}: {sentence}")
    short = sum(each.units_short for each in found)
    if short:
        print(f"minimum parts keep {short:,} units from moving; the optimum and its proof refer to the same question without minimum parts")
    print("every answer is feasible and proven optimal" if not wrong else f"{counted(len(wrong), 'rule')} broken; please report this")
    return not wrong


def _ranks(pressure: Pressure | None) -> list[int | None]:
    return [None, None, None] if pressure is None else [pressure.tier, pressure.level, pressure.effort]


def _table(title: str, columns: list[str], rows: list[list[Any]]) -> None:
    table(title, columns, rows[:ROWS])
    if len(rows) > ROWS:
        print(f"  and {len(rows) - ROWS:,} more; --json has them all")
