"""What the pressures of the plan tell: where a thing is short, what one more would relieve, whether every answer is proven."""

from collections.abc import Iterable, Iterator
from typing import Any

from coordinator.adapters.files import read_charter, read_lines
from coordinator.churn import Spread, churn
from coordinator.cli.access import distances_in
from coordinator.cli.loading import Where, asked, in_log, load, parsed, segment
from coordinator.cli.network import print_json
from coordinator.cli.output import table
from coordinator.cycle import Coordination
from coordinator.errors import Refused
from coordinator.opportunities import Relief, Spot, pressures, relief
from coordinator.readings import Pressure, certificates
from coordinator.replaying import Said, in_told_order
from coordinator.signals import Event
from coordinator.wording import amount, counted

__all__ = ["show_check", "show_churn", "show_opportunities", "show_pressure"]

EFFORT = "  effort: metres of way, times the relative weight of what moves where the charter counts that; of each unit, however many move"
ROWS = 40  # of one table; the rest is counted, and --json has them all
LEFT_OUT = (
    "  what recipes would take, such as an hour more of a machine, is left out here: `coordinator explode NEED` tells it;\n"
    "  and minimums may keep one more from there: `coordinator why NEED` tells what they keep back"
)


def show_pressure(where: Where, resource: str, to_json: bool) -> None:
    """Print every offer and need of a thing with the pressure there, the shortest first."""
    found: tuple[Spot, ...] = asked(
        where,
        tuple[Spot, ...],
        lambda here: pressures(here, resource),
        f"/pressure/{segment(resource)}",
        quiet=to_json,
        listed=True,
    )
    if to_json:
        print_json(found)
        return
    if not found:
        print(f"no need of {resource} is open: it is short nowhere, but in what recipes would take: `coordinator explode NEED` tells that")
        return
    rows = [[spot.ref, spot.side, amount(spot.stated), amount(spot.left), *_ranks(spot.pressure), spot.sentence] for spot in found]
    _table(f"where {resource} is short", ["at", "", "not promised", "short or left", "tier", "level", "effort", ""], rows)
    print(EFFORT)
    print("  not promised: in no promise and no proposal to make it; what is proposed from offer to need counts, for that is planned anew,")
    print("  and `coordinator network stats` calls it neither free nor open. What recipes would take, goods or hours, is left out here:")
    print("  `coordinator explode NEED` tells what making what is needed is short of; what minimums keep back, `coordinator why NEED`")


def show_opportunities(where: Where, agent: str, to_json: bool) -> None:
    """Print what a unit more of each thing, as large as each row says, from this agent's place or from a place, would relieve."""
    found: Relief = asked(where, Relief, lambda here: relief(here, agent), f"/opportunities/{segment(agent)}", quiet=to_json)
    if to_json:
        print_json(found.items)
        return
    if found.nothing:
        print(f"{found.nothing}\n{LEFT_OUT}")
        return
    rows = [
        [one.name, one.how + (f" ({one.through})" if one.through else ""), *_ranks(one.pressure), amount(one.short), one.sentence]
        for one in found.items
    ]
    columns = ["of", agent, "tier", "level", "effort", "short within reach", "what that would relieve"]
    _table(f"what a little more at {agent} would relieve", columns, rows)
    print(EFFORT)
    if any(one.how == "could make it" for one in found.items):
        print("  could make it: a hint read off recipes; what their inputs and hours would take from others is not counted")
    print(LEFT_OUT)


def show_check(where: Where, to_json: bool) -> bool:
    """Check the answer of every market against the rules of optimality, print what was found; return whether all hold."""
    loaded = load(where, quiet=to_json)
    found = list(certificates(loaded.planner, loaded.log_us))
    wrong = [(" or ".join(each.names), sentence) for each in found for sentence in each.broken]
    if to_json:
        print_json({"holds": not wrong, "markets": found})
        return not wrong
    if not found:
        print("no market is open: there was nothing to check")
        return True
    arcs, kept = sum(each.arcs for each in found), sum(each.is_kept for each in found)
    among = f", {kept:,} of them with the answer kept from cycle to cycle" if kept else ""
    print(f"{counted(len(found), 'market')} checked{among}: {counted(arcs, 'possible pair')} of an offer and a need")
    for name, sentence in wrong:
        print(f"  {name}: {sentence}")
    short = sum(each.units_short for each in found)
    if short:
        print(f"minimum parts and packs keep {short:,} units from moving; optimum and proof refer to the same question without them")
    print("every answer is feasible and proven optimal" if not wrong else f"{counted(len(wrong), 'rule')} broken; please report this")
    return not wrong


def show_churn(where: Where, to_json: bool) -> None:
    """Print how often proposals were made and taken back, for each signal and each cycle."""
    where.check()
    found = churn(_events(record.entry.event for record in in_log(where.log)) if where.log else _from_files(where))
    if to_json:
        print_json(found)
        return
    title = f"{counted(found.signals, 'signal')} said by agents, {counted(found.cycles, 'cycle')} that changed proposals"
    rows = [
        ["proposed", found.proposed, *_parts(found.proposed_per_signal), *_parts(found.proposed_per_cycle)],
        ["taken back", found.retracted, *_parts(found.retracted_per_signal), *_parts(found.retracted_per_cycle)],
    ]
    each = [f"{part} {of}" for of in ("a signal", "a cycle") for part in ("p50", "p99", "most")]
    table(title, ["proposals", "in all", *each], rows)


def _parts(spread: Spread) -> list[int]:
    return [spread.p50, spread.p99, spread.most]


def _from_files(where: Where) -> Iterator[Event]:
    """Yield what files hold; where they hold no decisions, plan as in a replay and yield these in between."""
    lines = ((str(path), number, line) for path in where.files for number, line in read_lines(path))
    said = [Said(event, line, path, number) for path, number, line in lines if (event := parsed(line)) is not None]
    if any(one.event.kind == "proposal" for one in said):
        yield from (one.event for one in in_told_order(said))
        return
    coordination = Coordination(read_charter(where.charter), table=distances_in(where.routes))
    for one in said:
        yield one.event
        try:
            coordination.take(one.event, one.line)
        except Refused:
            continue  # It changed nothing; `coordinator replay` tells why.
        yield from _decided(coordination)
    coordination.finish()
    yield from _decided(coordination)


def _decided(coordination: Coordination) -> Iterator[Event]:
    decided = list(coordination.outbox)
    coordination.outbox.clear()
    yield from _events(entry.event for entry in decided)


def _events(lines: Iterable[bytes]) -> Iterator[Event]:
    return (event for line in lines if (event := parsed(line)) is not None)


def _ranks(pressure: Pressure | None) -> list[int | None]:
    return [None, None, None] if pressure is None else [pressure.tier, pressure.level, pressure.effort]


def _table(title: str, columns: list[str], rows: list[list[Any]]) -> None:
    table(title, columns, rows[:ROWS])
    if len(rows) > ROWS:
        print(f"  and {len(rows) - ROWS:,} more; --json has them all")
