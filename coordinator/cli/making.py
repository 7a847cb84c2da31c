"""What can be made, by whom and of what: ``coordinator makers`` and its like, as tables for people or JSON for programs."""

from coordinator.cli.loading import Where, asked, segment
from coordinator.cli.network import print_json
from coordinator.cli.output import table
from coordinator.errors import Refused
from coordinator.exploding import Exploded, explode
from coordinator.floor import Floor, floor
from coordinator.makers import DesignMakers, Designs, designs
from coordinator.times import format_instant
from coordinator.wording import amount, counted

__all__ = ["show_exploded", "show_floor", "show_makers"]

ROWS = 25  # makers of one design; the rest is counted, and --json has them all


def show_makers(where: Where, design: str, place: str | None, within_km: float | None, to_json: bool) -> None:
    """Print who could make a design, the most complete first, what each lacks, and how many are not shown and why."""
    if within_km is not None and place is None:
        raise Refused("--within-km came without --near; say from where: an agent, or latitude,longitude")
    found: Designs = asked(
        where,
        Designs,
        lambda here: designs(here, design, place, within_km),
        f"/makers/{segment(design)}",
        quiet=to_json,
        near=place,
        within_km=within_km,
    )
    if to_json:
        print_json(found.items)
        return
    for each in found.items:
        _show_design(each)
        if each.recipe in found.unused:
            print(f"  {found.unused[each.recipe]}")


def show_exploded(where: Where, need: str, to_json: bool) -> None:
    """Print what a need still takes at each level, who could supply it, where it is tight and what would be enough."""
    found: Exploded = asked(where, Exploded, lambda here: explode(here, need), f"/needs/{segment(need)}/explode", quiet=to_json)
    if to_json:
        print_json(found)
        return
    covered = f"{amount(found.covered)} in proposals or promised"
    print(f"{found.need}: {amount(found.asked)} {found.name}, {covered}, {amount(found.open)} open")
    if not found.rows:
        return
    table("what it takes, level by level", ["level", "name", "", "wanted", "free", "short", "made by", "who has it"], _levels(found))
    instead = [told for row in found.rows for told in row.instead]
    for sentence in (*(f"or {told}" for told in instead), *found.taken_for, *found.unused, *found.rings):
        print(f"  {sentence}")
    if found.can_be_made is None:
        missing = "no recipe that is used makes it" if found.unused else "no recipe makes it"
        print(f"  {missing}; `coordinator why` tells more of goods on hand")
        return
    print(f"planned now, {amount(found.can_be_made)} of the open {amount(found.open)} can be made")
    if not found.ways_take_time:
        print("  goods on their way take no time there: the charter says neither `speed_kmh` nor `handling_hours`")
    if found.bottleneck:
        print(f"tightest: {found.bottleneck}")
    for sentence in found.too_short:
        print(f"too short: {sentence}")
    for sentence in found.too_late:
        print(f"too late: {sentence}")
    for change in found.enough:
        print(f"  - {change.sentence}")
    if found.together and found.can_be_made.grains < found.open.grains:
        print(f"no one change alone is enough; short in all: {', '.join(found.together)}")
    for reason in found.reasons:
        print(f"  left out {reason}")


def show_floor(where: Where, agent: str, to_json: bool) -> None:
    """Print what each machine of a workshop does next, in order of begin."""
    found: Floor = asked(
        where, Floor, lambda here: floor(here, agent, searches=True), f"/workshops/{segment(agent)}", quiet=to_json, search="true"
    )
    if to_json:
        print_json(found)
        return
    several = {one.ref for one in found.machines if one.number > 1}

    def called(ref: str, number: int) -> str:
        return f"{ref} ({number})" if ref in several else ref

    machines = [
        [called(one.ref, one.number), one.process, one.loaded, one.jobs, amount(one.busy), format_instant(one.free_us)]
        for one in found.machines
    ]
    table(f"{found.agent}: machines", ["machine", "process", "loaded", "jobs", "busy", "free from"], machines)
    jobs: list[list[object]] = []
    for job in found.jobs:
        change = "" if job.change is None else amount(job.change)
        begin, end = format_instant(job.begin_us), format_instant(job.end_us) + (" late" if job.late else "")
        jobs.append(
            [begin, end, called(job.machine, job.number).rpartition("/")[2], job.process, amount(job.hours), change, job.need, job.state]
        )
    table("next", ["begin", "end", "machine", "process", "hours", "change", "for", "state"], jobs)
    if found.late_or_changing:
        print(f"  minutes late by the weight of tiers, and of changes: {found.late_or_changing:,}; {_least(found.least)}")
    if found.forecast is not None:
        print(f"  {amount(found.forecast)} more wait in proposals: a forecast, which binds nobody")
    if (ahead := found.if_accepted) is not None:
        late = f"{counted(ahead.late, 'piece')} of work late" if ahead.late else "nothing late"
        told = f"; minutes late and of changes: {ahead.late_or_changing:,}; {_least(ahead.least)}" if ahead.late_or_changing else ""
        print(f"  were all of it accepted, {late}{told}")
    for sentence in found.not_placed:
        print(f"  not placed: {sentence}")


def _least(least: int | None) -> str:
    if least is None:
        return "nobody searched for a better order: there are too many jobs"
    return f"no order comes below {least:,}"


def _levels(found: Exploded) -> list[list[object]]:
    rows: list[list[object]] = []
    for row in found.rows:
        having = ", ".join(f"{one.agent} {amount(one.free)}" for one in row.suppliers)
        more = f" and {row.more_suppliers} more" if row.more_suppliers else ""
        short = "" if row.short is None else amount(row.short)
        name = "  " * row.level + row.name
        rows.append([row.level, name, row.sort, amount(row.wanted), amount(row.free), short, row.made_by or "", having + more])
    return rows


def _show_design(found: DesignMakers) -> None:
    draft = ", a draft: nothing is planned with it until an agent publishes it" if found.draft else ""
    print(f"{found.name} ({found.recipe}){draft}")
    for requirement in found.requirements:
        meant = f" = {requirement.meant} ({requirement.source})" if requirement.source else ""
        lead = f", then {amount(requirement.lead)} until what comes of it can be used" if requirement.lead else ""
        print(f"  takes {requirement.told}{meant}{lead}")
    for taken in found.inputs:
        print(f"  takes {taken.told}")
    for name in found.unknown_quantities:
        print(f"  takes {name}, nobody said how much")
    if not found.requirements:
        print("  names no process, so who could make it cannot be said")
        return
    whole = sum(not one.lacks for one in found.makers)
    rows = [[one.agent, f"{one.has} of {one.of}", one.told, _km(one.distance_m)] for one in found.makers[:ROWS]]
    once = f" once there is enough {' and enough '.join(found.inputs_missing)} for a run" if found.inputs_missing else ""
    table(
        f"{counted(whole, 'maker')} could{once}, {len(found.makers) - whole:,} come near",
        ["maker", "has", "what is missing", "km"],
        rows,
    )
    if len(found.makers) > ROWS:
        print(f"  and {len(found.makers) - ROWS:,} more; --json has them all")
    for why, count in found.hidden.items():
        print(f"  {counted(count, 'agent')} not shown: {why}")
    if found.names_not_known:
        print(f"  said by agents and in no table of processes: {', '.join(found.names_not_known)}")


def _km(distance_m: int | None) -> float | None:
    return None if distance_m is None else round(distance_m / 1000, 1)
