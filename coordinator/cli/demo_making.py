"""``coordinator demo making``: needs met by making, over real workshops and designs, to a plan with its bound, a Gantt chart and a map."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.mappings import MAPPINGS
from connectors.reading import Report, decode
from coordinator.adapters.making_plot import Bar, Way, plot_gantt, plot_map
from coordinator.adapters.making_world import BEGIN_US, World, has_files, real_world, town_world
from coordinator.charter import Charter
from coordinator.cli.output import Progress, table, working
from coordinator.cycle import Coordination
from coordinator.errors import Refused
from coordinator.floor import floor
from coordinator.makers import makers
from coordinator.orders import Footprint
from coordinator.signals import Proposal, event_json, parse_event
from coordinator.wording import counted

__all__ = ["MakingRequest", "run_making"]

SHOWN = 12  # workshops of the Gantt chart and rows of a table
FOOTPRINT = {  # what each figure of a footprint is, for people
    "hours": "machine hours",
    "kg": "kg moved",
    "kg_km": "kg·km",
    "kwh": "kWh",
    "hours_unmetered": "of the machine hours without a word on what they draw",
}
SMALLEST_GAP = 0.00001  # that three decimals of a percent can show


@dataclass(frozen=True, slots=True)
class MakingRequest:
    """What was asked for on the command line."""

    out: Path
    seed: int
    as_json: bool
    country: str


def run_making(request: MakingRequest) -> None:
    """Say everything to a coordinator, let it plan, let everybody accept; leave events, figures and pictures in a folder."""
    quiet = request.as_json
    request.out.mkdir(parents=True, exist_ok=True)
    with working("Reading workshops, designs and who needs what", quiet):
        world, designs = _world(request)
    for sentence in world.told:
        _say(quiet, sentence)
    coordination = Coordination(Charter.model_validate({"fairness": "off", "cycle_seconds": 86_400}))
    refused = 0
    with Progress("saying", quiet, len(world.lines)) as progress:
        for line in world.lines:
            try:
                coordination.take(parse_event(line), line)
            except Refused:
                refused += 1
            progress.step()
    (request.out / "events.jsonl").write_bytes(b"\n".join(world.lines) + b"\n")
    coordination.answering = lambda proposal: _accepted_by_all(proposal, coordination.log_us)
    with working(f"Said: {len(world.lines):,} signals, {refused} refused. Planning over all levels", quiet):
        coordination.run_cycle()
    with working("Putting the work of each workshop in order", quiet):
        figures = _figures(coordination, world, designs, refused)
    (request.out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    source = "synthetic hours" if designs is not None else "synthetic network on real towns"
    with working("Drawing the Gantt chart and the map", quiet):
        bars, ways = list(_bars(coordination)), list(_ways(coordination))
        plot_gantt(request.out / "gantt.png", bars, BEGIN_US, f"Who works on what, by the day ({source}, seed {request.seed})")
        plot_map(request.out / "map.png", ways, _places(coordination), f"What goes where ({source}, seed {request.seed})")
    if request.as_json:
        print(json.dumps(figures, indent=2))
        return
    _tell(request, figures, designs)


def _world(request: MakingRequest) -> tuple[World, list[dict[str, Any]] | None]:
    """Return the world and, of the real one, which designs could be made by whom; None of the other."""
    named = os.environ.get("STIGMERGY_DATA")
    folder = Path(named) if named else None
    if folder is None or not has_files(folder):
        return town_world(request.seed, request.country), None
    drafts = [line for report in _designs(folder) for line in report.taken]
    world = real_world(folder, drafts, [], request.seed)
    return world, _makeable(world)


def _designs(folder: Path) -> Iterator[Report]:
    """Yield what connectors read of Field Ready's designs and of Glia's manifest."""
    from connectors.field_ready import DesignList, read_designs
    from connectors.manifests import Manifests, read_manifest

    for name, key in (
        ("field-ready/designs.json", "field-ready"),
        ("okh-manifests/extracted/gliax-faceshield/manifest.okh.json", "okh"),
    ):
        if not (folder / name).is_file():
            continue
        text, _ = decode((folder / name).read_bytes())
        match MAPPINGS[key]:
            case DesignList() as mapping:
                yield read_designs(text, mapping, said_us=BEGIN_US)
            case Manifests() as mapping:
                yield read_manifest(text, mapping, said_us=BEGIN_US)


def _makeable(world: World) -> list[dict[str, Any]]:
    """Return how many workshops have all, or come near, of each draft's processes."""
    coordination = Coordination(Charter())
    for line in world.lines:
        coordination.take(parse_event(line), line)
    network = coordination.network
    names = sorted({recipe.recipe for recipe in network.recipes.values() if recipe.draft})
    rows: list[dict[str, Any]] = []
    for name in names:
        for found in makers(network, name, log_us=coordination.log_us):
            if found.draft:
                whole = sum(not one.lacks for one in found.makers) if found.requirements else 0
                rows.append({"design": name, "takes": len(found.requirements), "could": whole, "near": len(found.makers) - whole})
    return rows


def _accepted_by_all(proposal: Proposal, log_us: int) -> Iterator[bytes]:
    parties = dict.fromkeys(name for line in proposal.lines for name in (line.provider, line.receiver))
    for party in parties:
        answer = {"proposal": proposal.proposal, "answer": "accept"}
        yield event_json("answer", f"agent:{party}", proposal.proposal, log_us, answer)


# -- what came of it ------------------------------------------------------------------------------------------------------


def _figures(coordination: Coordination, world: World, designs: list[dict[str, Any]] | None, refused: int) -> dict[str, Any]:
    made = coordination.production.latest
    deals = [deal for deal in coordination.book.deals.values() if deal.is_tree and deal.is_bound]
    footprint = sum((tree.footprint for tree in made.trees), Footprint())
    needs = [one for one in coordination.network.stances.values() if not one.is_supply]
    met = Counter(one.tier for one in needs if not one.free_grains)
    parties = [len(deal.parties) for deal in deals]
    worked = Counter(line.provider for deal in deals for line in deal.lines if line.action == "use")
    return {
        "signals": len(world.lines),
        "refused": refused,
        "needs": len(needs),
        "needs_met": sum(met.values()),
        "needs_met_by_tier": {str(tier): met[tier] for tier in sorted({one.tier for one in needs})},
        "asked": sum(one.stated_grains for one in needs),
        "committed": sum(one.taken_grains for one in needs),
        "trees": len(deals),
        "parties": {"least": min(parties, default=0), "most": max(parties, default=0)},
        "worth": made.worth,
        "bound": made.bound,
        "gap": round(float(made.gap), 6),
        "footprint": footprint.told(),
        "left_out": dict(made.left_out),
        "not_proposed": dict(made.dropped),
        "failed": made.failed,
        "orders": _orders(coordination, sorted(worked)),
        "busiest": max(sorted(worked), key=worked.__getitem__, default=""),
        "designs": designs,
    }


def _orders(coordination: Coordination, workshops: Sequence[str]) -> dict[str, int]:
    """Return how many workshops can keep the dates of all they promised, in the best order that a bounded search of each finds."""
    floors = [floor(coordination, agent, searches=True) for agent in workshops]
    late = [each for each in floors if any(job.late for job in each.jobs)]
    return {
        "workshops": len(floors),
        "in_time": len(floors) - len(late),
        "jobs": sum(len(each.jobs) for each in floors),
        "late_jobs": sum(job.late for each in late for job in each.jobs),
        "late_or_changing": sum(each.late_or_changing for each in floors),
        "least": sum(each.least or 0 for each in floors),
    }


def _bars(coordination: Coordination) -> Iterator[Bar]:
    """Yield what each workshop works on: each of its capacities one thing after the other, and nothing before what goes into it."""
    free_us: dict[str, int] = {}
    for tree in coordination.production.latest.trees:
        ready_us = BEGIN_US
        for depth in sorted({line.depth for line in tree.lines}, reverse=True):
            done_us = ready_us
            for line in (line for line in tree.lines if line.action == "use" and line.depth == depth):
                begin_us = max(free_us.get(line.offer, BEGIN_US), line.begin_us or BEGIN_US, ready_us)
                free_us[line.offer] = begin_us + line.grains * 1000
                done_us = max(done_us, free_us[line.offer])
                name = coordination.network.agents[line.provider].name or line.provider
                yield Bar(name, line.thing[1], begin_us, free_us[line.offer])
            ready_us = done_us


def _ways(coordination: Coordination) -> Iterator[Way]:
    for deal in coordination.book.deals.values():
        for line in deal.lines if deal.is_tree else ():
            start, end = (coordination.network.agents[name].place for name in (line.provider, line.receiver))
            if line.action == "transfer" and start and end and start != end:
                yield Way(start, end, line.resource, line.serves)


def _places(coordination: Coordination) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {"needs": [], "workshops": []}
    for one in coordination.network.living():
        place = coordination.network.place_of(one)
        if place is not None:
            found["workshops" if one.is_supply else "needs"].append(place)
    return found


# -- what a person reads --------------------------------------------------------------------------------------------------


def _say(quiet: bool, text: str) -> None:
    if not quiet:
        print(text, flush=True)


def _rounded(value: float) -> str:
    """Return a figure to one digit behind the point, where it has any."""
    return f"{value:,.1f}".removesuffix(".0")


def _at_best(figures: dict[str, Any]) -> str:
    """Return how much better than the plan any other could be, as it is proven."""
    if figures["worth"] == figures["bound"]:
        return "Proven: no plan is better than this one."
    return f"Proven: no plan is better than this one by more than {max(figures['gap'], SMALLEST_GAP):.3%}."


def _tell(request: MakingRequest, figures: dict[str, Any], designs: list[dict[str, Any]] | None) -> None:
    if designs:
        known = [row for row in designs if row["takes"]]
        could = sum(bool(row["could"]) for row in known)
        print(f"{len(designs)} designs read as drafts: {could} could be made by some workshop as it stands, by its capabilities alone.")
        most = sorted(known, key=lambda row: (-row["could"], -row["near"], row["design"]))[:SHOWN]
        rows = [[row["design"], row["takes"], row["could"], row["near"]] for row in most]
        table("designs and who could make them", ["design", "takes", "could", "near"], rows)
    asked, committed = figures["asked"], figures["committed"]
    percent = committed * 1000 // asked / 10 if asked else 0  # rounded down: all is all
    print(f"{counted(figures['trees'], 'tree')} committed, each by {figures['parties']['least']} to {figures['parties']['most']} parties.")
    print(f"{committed:,} of {asked:,} pieces needed ({percent:.1f}%); {figures['needs_met']:,} of {figures['needs']:,} needs met in full.")
    print(f"{_at_best(figures)} What counts is who is served, by tiers, and then how little making and moving it takes.")
    orders = figures["orders"]
    late, jobs = counted(orders["late_jobs"], "piece"), f"{orders['jobs']:,}"
    print(f"Order of work: {orders['in_time']} of {orders['workshops']} workshops keep all dates; {late} of work of {jobs} late.", end="")
    if orders["late_or_changing"]:
        beyond = 1 - orders["least"] / orders["late_or_changing"]
        by = f" by more than {beyond:.1%} of the minutes late, weighed by tiers" if beyond else ""
        print(f" Proven: no order does better{by}.", end="")
    print()
    told = ", ".join(f"{_rounded(value)} {FOOTPRINT[name]}" for name, value in figures["footprint"].items())
    print(f"Footprint of all of it: {told}.")
    for why, count in (*figures["left_out"].items(), *figures["not_proposed"].items()):
        print(f"  left out, {count:,} ×: {why}")
    if figures["failed"]:
        print(f"  nothing was planned: {figures['failed']}")
    print(f"Gantt: {request.out / 'gantt.png'}   Map: {request.out / 'map.png'}   Figures: {request.out / 'figures.json'}")
    print("\nTry next:")
    events, log = request.out / "events.jsonl", request.out / "stream.log"
    print(f"  coordinator replay {events} --out {request.out / 'replay'} --answers accept --record {log}")
    print(f"  coordinator workshop {figures['busiest']} --log {log}")
    print(
        f"  coordinator makers face-shield {events} --near 40.7,-74.0" if designs is not None else f"  coordinator network stats {events}"
    )
