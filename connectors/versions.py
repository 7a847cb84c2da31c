"""Dated versions of one map to the stream of what changed: agents appear, move, are renamed, go and return."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from connectors.geojson import Points, Site, features_of, parse_json, sites_of
from connectors.reading import Report, agent_names, excerpt, say, slug
from coordinator.errors import Refused
from coordinator.times import format_instant, parse_instant

__all__ = ["Change", "Known", "Versions", "changes", "read_versions"]


@dataclass(frozen=True, slots=True)
class Versions:
    """How dated versions of one map read, a JSON object {"date", "geojson"} a line, the oldest first; `points` reads each."""

    about: str
    points: Points


@dataclass(frozen=True, slots=True)
class Known:
    """An agent already said: its name for good, the site as last seen, and whether it still stands."""

    agent: str
    site: Site
    stands: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """What one version says of one agent. `site` is None when the agent is gone."""

    agent: str
    what: str  # appeared, returned, moved, renamed, moved and renamed, described anew, withdrawn
    site: Site | None


def read_versions(text: str, versions: Versions, *, prefix: str = "") -> Report:
    """Return the stream of agent events that dated versions of one map add up to; the same version again adds nothing.

    A version that cannot be read is refused whole; one with
    refused features withdraws nobody, as the missing may be among the refused. Oldest version first.
    """
    report = Report()
    known: tuple[Known, ...] = ()
    last_us = 0
    counts: Counter[str] = Counter()
    points = versions.points
    for row, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        version = Report()
        try:
            said_us, sites = _version(line, points, version)
            if said_us < last_us:
                raise Refused(f"the version is older than the one before it ({format_instant(last_us)}): put the oldest first")
        except Refused as refused:
            report.refuse(row, str(refused), line)
            continue
        report.warnings.update(version.warnings)
        for broken in version.refused:
            report.refuse(row, f"feature {broken.row}: {broken.reason}", broken.excerpt)
        known, changed = changes(known, sites, noun=points.noun, complete=not version.refused)
        counts.update(_say_all(changed, row, said_us, prefix, report))
        gone = sum(change.site is None for change in changed)
        if gone > 1 and gone > len(sites):
            report.warnings[f"most agents go at once in the version of {format_instant(said_us)}: {gone} of {len(sites) + gone}"] += 1
        last_us = said_us
        counts["versions read"] += 1
        counts["versions without a change"] += not changed
    report.notes.update((what, str(count)) for what, count in sorted(counts.items()))
    return report


def _say_all(changed: Sequence[Change], row: int, said_us: int, prefix: str, report: Report) -> Counter[str]:
    """Add the event of each change, and return how many there were of each sort."""
    counts: Counter[str] = Counter()
    for change in changed:
        data = None if change.site is None else dict(change.site.data)
        try:
            report.taken.append(say("agent", prefix + change.agent, "agent", said_us, data))
        except Refused as refused:
            report.refuse(row, str(refused), change)
            continue
        counts[change.what] += 1
    return counts


def _version(line: str, points: Points, report: Report) -> tuple[int, list[Site]]:
    """Return the time of a version and its sites."""
    value = parse_json(line)
    if not isinstance(value, dict) or not isinstance(value.get("date"), str):
        raise Refused(f"{excerpt(value)} came where an object with a date and geojson was expected")
    try:
        said_us = parse_instant(value["date"])
    except Refused as refused:
        raise Refused(f"the date {refused}") from None
    return said_us, [site for _, site in sites_of(features_of(value.get("geojson")), points, report)]


def changes(known: Sequence[Known], sites: Sequence[Site], *, noun: str, complete: bool = True) -> tuple[tuple[Known, ...], list[Change]]:
    """Return what is known after a new version, and what it changes, in the order of the version, the withdrawn last.

    An agent keeps the name it first got. A site is one already known by, in this order: the same id; the same name and
    place; the same name, where only one of each is left; the same place, where only one of each is left and it still stands.
    Sites with two different ids are never the same. With `complete` False nobody is withdrawn.
    """
    same = _same(known, sites)
    new = [index for index in range(len(sites)) if index not in same]
    # A name that somebody bears now is as good as taken: a newcomer who shares it carries an id.
    taken = {each.agent for each in known} | {slug(each.site.name) for each in known}
    names = agent_names([(sites[index].name, sites[index].told_by) for index in new], noun=noun, taken=taken)
    named = dict(zip(new, names, strict=True))
    after = list(known)
    said = []
    for index, site in enumerate(sites):
        if index in same:
            before = known[same[index]]
            after[same[index]] = Known(before.agent, replace(site, own_id=site.own_id or before.site.own_id))
            if not before.stands or before.site.data != site.data:
                said.append(Change(before.agent, _what(before, site), site))
        else:
            # A name that nothing tells apart gets the first free number: never merged, and the same on every reading.
            agent = named[index] or _numbered(slug(site.name) or noun, {each.agent for each in after})
            after.append(Known(agent, site))
            said.append(Change(agent, "appeared", site))
    if complete:
        for position in sorted(set(range(len(known))) - set(same.values())):
            if known[position].stands:
                after[position] = replace(known[position], stands=False)
                said.append(Change(known[position].agent, "withdrawn", None))
    return tuple(after), said


def _numbered(base: str, taken: set[str]) -> str:
    """Return the base with the smallest number from 2 on that is free."""
    return next(f"{base}-{number}" for number in range(2, len(taken) + 3) if f"{base}-{number}" not in taken)


# What two sites must share to be one, in the order of trust; and whether an agent that is gone may return by it.
_RULES: tuple[tuple[Callable[[Site], object], bool], ...] = (
    (lambda site: site.own_id or None, True),
    (lambda site: (site.name, site.degrees), True),
    (lambda site: site.name, True),
    (lambda site: site.degrees, False),  # a new tenant of a place that was given up is somebody else
)


def _same(known: Sequence[Known], sites: Sequence[Site]) -> dict[int, int]:
    """Return for each site that is already known its position among the known, found by the rules of `changes` in turn."""
    same: dict[int, int] = {}
    for rule, also_gone in _RULES:
        used = set(same.values())
        left = [position for position, each in enumerate(known) if position not in used and (also_gone or each.stands)]
        here = _by_rule((index, rule(site)) for index, site in enumerate(sites) if index not in same)
        there = _by_rule((position, rule(known[position].site)) for position in left)
        for key in here.keys() & there.keys():
            if len(here[key]) == 1 == len(there[key]):
                index, position = here[key][0], there[key][0]
                if len({sites[index].own_id, known[position].site.own_id} - {""}) < 2:
                    same[index] = position
    return same


def _by_rule(keyed: Iterable[tuple[int, object]]) -> dict[object, list[int]]:
    """Return the positions under each key; those without a key are left out."""
    groups: dict[object, list[int]] = {}
    for position, key in keyed:
        if key is not None:
            groups.setdefault(key, []).append(position)
    return groups


def _what(before: Known, site: Site) -> str:
    """Return in a word what became of an agent that stays."""
    if not before.stands:
        return "returned"
    moved, renamed = before.site.degrees != site.degrees, before.site.name != site.name
    return "moved and renamed" if moved and renamed else "moved" if moved else "renamed" if renamed else "described anew"
