"""From a plan of making to what its parties are asked: for each need a tree of lines, all of it or nothing, with dates and footprint.

A tree names everybody's part: goods handed on, hours worked, material used up. Lines that go `into` a recipe are on the way; those that
do not are what the need gets.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from coordinator.commitments import Terms
from coordinator.loops import Stock, recipe_stocks
from coordinator.network import Network, Stance, Thing
from coordinator.units import UNITS
from coordinator.workshops import Layout, energy_kwh
from solver.making import NEED, Kind, ProductionPlan

__all__ = ["HOUR_MS", "RESTING", "Footprint", "Tree", "TreeLine", "trees_of"]

HOUR_MS = 3_600_000
MOST_LINES = 100  # of one proposal
RESTING = "trees that take what others leave over, which together would be too long a proposal: planned again without that"


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a line or a plan takes of the world: hours worked, kilograms moved and how far, electricity."""

    hours: Fraction = Fraction(0)
    kg: Fraction = Fraction(0)
    kg_km: Fraction = Fraction(0)
    kwh: Fraction = Fraction(0)
    hours_unmetered: Fraction = Fraction(0)  # of which nobody says what they draw

    def __add__(self, other: "Footprint") -> "Footprint":
        """Return both together."""
        return Footprint(*(getattr(self, name) + getattr(other, name) for name in Footprint.__slots__))

    def told(self) -> dict[str, int | float]:
        """Return it as numbers for people and programs; nothing is told of what there is none of."""
        figures = {name: round(float(getattr(self, name)), 6) for name in Footprint.__slots__}
        return {name: int(value) if value == int(value) else value for name, value in figures.items() if value}


@dataclass(frozen=True, slots=True)
class TreeLine:
    """One party's part: goods handed on, hours worked, or material used up."""

    provider: str
    receiver: str
    action: Literal["transfer", "consume", "use"]
    thing: Thing  # canonical
    dimension: str
    grains: int
    offer: str
    need: str
    distance_m: int
    begin_us: int | None
    end_us: int | None
    into: str | None
    footprint: Footprint
    depth: int  # recipes between it and the need

    @property
    def key(self) -> tuple[Any, ...]:
        """What two lines share that are one: everything but amounts and dates."""
        return self.into is not None, self.depth, self.action, self.provider, self.receiver, self.thing, self.offer, self.into or ""


@dataclass(frozen=True, slots=True)
class Tree:
    """All that has to happen for one need (or several that share a run) to get something, or nothing of it."""

    lines: tuple[TreeLine, ...]  # what the need gets first
    needs: tuple[Stance, ...]

    @property
    def terms(self) -> Terms:
        """Offer, need, grains and metres of each line, as a deal has them."""
        return tuple((line.offer, line.need, line.grains, line.distance_m) for line in self.lines)

    @property
    def parties(self) -> tuple[str, ...]:
        """Everybody who has to accept."""
        return tuple(dict.fromkeys(name for line in self.lines for name in (line.provider, line.receiver)))

    @property
    def twice(self) -> "Tree":
        """Twice as much of all of it."""
        lines = (replace(line, grains=2 * line.grains, footprint=line.footprint + line.footprint) for line in self.lines)
        return replace(self, lines=tuple(lines))

    @property
    def footprint(self) -> Footprint:
        """What all of it takes."""
        return sum((line.footprint for line in self.lines), Footprint())


def trees_of(layout: Layout, plan: ProductionPlan, dropped: Counter[str], at_most: dict[str, int]) -> list[Tree]:
    """Return what a plan asks of its parties, in order of need; what cannot be proposed is counted in `dropped` by the reason.

    What to plan with instead is told in `at_most`: nothing of offers and capacities of which a tree would ask less than their minimum, or,
    where there are none, of a need that would get less than its own; and of hours that do not fit between a tree's dates those that do.
    """
    drawing = _Drawing(layout, plan)
    found: list[Tree] = []
    resting = _resting(plan)
    for group in _groups(plan):
        whole = _drawn(layout, plan, drawing, group)
        if whole is None or len(whole.lines) <= MOST_LINES:
            found += [] if whole is None else [whole]
            continue
        dropped[RESTING] += len(resting.intersection(group))
        alone = [_drawn(layout, plan, drawing, [tree]) for tree in group if tree not in resting]
        found += [tree for tree in alone if tree is not None]
    together: dict[tuple[Any, ...], list[Tree]] = {}
    for tree in found:
        together.setdefault((tuple(need.ref for need in tree.needs), tuple(line.key for line in tree.lines)), []).append(tree)
    merged = [_in_order(layout, _merged([line for tree in alike for line in tree.lines], alike[0].needs)) for alike in together.values()]
    proposed = [tree for tree in merged if _may_be_proposed(layout, tree, dropped, at_most)]
    return sorted(proposed, key=lambda tree: (tree.needs[0].ref, tuple(line.key for line in tree.lines)))


def _drawn(layout: Layout, plan: ProductionPlan, drawing: "_Drawing", group: Sequence[int]) -> Tree | None:
    """Return the trees of a group as one; None where nothing of it reaches a need."""
    lines = [line for tree in group for line in drawing.lines(tree)]
    if all(line.into for line in lines):
        return None
    return _merged(lines, tuple(layout.needs[int(plan.tree_need[tree])] for tree in group))


def _resting(plan: ProductionPlan) -> set[int]:
    """Return the trees that take what another tree's run leaves over."""
    rows = [line for line, kind in enumerate(plan.line_kind.tolist()) if kind == Kind.LEFTOVER]
    return {int(plan.line_tree[row]) for row in rows if plan.line_tree[row] != plan.line_tree[plan.line_what[row]]}


def _groups(plan: ProductionPlan) -> list[list[int]]:
    """Return trees by which of them rest on one another's leftovers: these are proposed as one."""
    leader = list(range(len(plan.tree_need)))

    def find(tree: int) -> int:
        while leader[tree] != tree:
            tree = leader[tree]
        return tree

    for line, kind in enumerate(plan.line_kind.tolist()):
        if kind == Kind.LEFTOVER:
            one, other = sorted((find(int(plan.line_tree[line])), find(int(plan.line_tree[plan.line_what[line]]))))
            leader[other] = one
    groups: dict[int, list[int]] = {}
    for tree in range(len(leader)):
        groups.setdefault(find(tree), []).append(tree)
    return list(groups.values())


def _merged(lines: Sequence[TreeLine], needs: tuple[Stance, ...]) -> Tree:
    found: dict[tuple[Any, ...], TreeLine] = {}
    for line in lines:
        key = (*line.key, line.need)
        before = found.get(key)
        if before is not None:
            line = replace(  # noqa: PLW2901  two that are one
                line,
                grains=before.grains + line.grains,
                begin_us=_least(before.begin_us, line.begin_us),
                end_us=None if None in (before.end_us, line.end_us) else max(before.end_us or 0, line.end_us or 0),
                footprint=before.footprint + line.footprint,
            )
        found[key] = line
    return Tree(tuple(found[key] for key in sorted(found)), tuple(_once(needs)))


def _once(needs: Sequence[Stance]) -> Iterator[Stance]:
    seen: set[str] = set()
    for need in needs:
        if need.ref not in seen:
            seen.add(need.ref)
            yield need


def _least(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _in_order(layout: Layout, tree: Tree) -> Tree:
    """Return a tree in which whoever keeps to its own dates is in time for those who take what it gives.

    All of an input has to be there so long before the work that takes it has to end as that work takes. Whole spans do not say so:
    within one, an input and what is made of it would end at once.
    """
    network = layout.network
    machines = _machines(layout)
    ends_us = [line.end_us for line in tree.lines]
    jobs: dict[tuple[int, str, str], list[int]] = {}  # depth, agent, recipe -> lines of its work
    for position, line in enumerate(tree.lines):
        if line.action == "use" and line.into:
            jobs.setdefault((line.depth, line.provider, line.into), []).append(position)
    inputs_by_us: dict[tuple[int, str, str], int] = {}
    flows = {ref: recipe_stocks(network, network.recipes[ref]) for ref in {ref for _, _, ref in jobs}}
    for (depth, agent, ref), positions in sorted(jobs.items()):
        by_us = [each for each in (ends_us[position] for position in positions) if each is not None]
        ways_us = {agent: 0}  # to each who takes of it: to its own next work no line hands anything
        for line in tree.lines:
            if line.action == "transfer" and line.provider == agent and line.depth == depth - 1 and _gives(flows, ref, line):
                way_us = network.charter.way_us(line.distance_m)
                if line.into is None and line.end_us is not None:
                    by_us.append(line.end_us - way_us)
                ways_us[line.receiver] = max(way_us, ways_us.get(line.receiver, 0))
        by_us += [
            each - ways_us[taker]
            for (level, taker, other), each in inputs_by_us.items()
            if level == depth - 1 and taker in ways_us and not flows[ref][1].keys().isdisjoint(flows[other][0])
        ]
        if not by_us:
            continue
        end_us = min(by_us)
        for position in positions:
            ends_us[position] = end_us
        work_us = sum(tree.lines[position].grains * 1000 // max(1, machines[tree.lines[position].offer]) for position in positions)
        inputs_by_us[depth, agent, ref] = end_us - work_us
    for position, line in enumerate(tree.lines):
        if line.action != "use" and line.into:
            taker = line.provider if line.action == "consume" else line.receiver
            ends_us[position] = _least(line.end_us, inputs_by_us.get((line.depth, taker, line.into)))
    return replace(tree, lines=tuple(replace(line, end_us=end) for line, end in zip(tree.lines, ends_us, strict=True)))


def _may_be_proposed(layout: Layout, tree: Tree, dropped: Counter[str], at_most: dict[str, int]) -> bool:
    network = layout.network
    if all(line.into is None for line in tree.lines):
        dropped["goods alone, which are matched without making"] += 1
        return False
    if len(tree.parties) < 2:
        dropped["all by the agent who needs it, who knows it already"] += 1
        return False
    ends_us = {need.ref: need.end_us for need in tree.needs}
    if any(_is_useless(line.begin_us, ends_us.get(line.need)) for line in tree.lines):
        dropped["work or goods that are there only when nobody needs them any more"] += 1
        return False
    if crowded := _crowded(layout, tree):
        dropped["work that does not fit between its begin and the end of what it is for"] += 1
        for ref, grains in crowded.items():
            at_most[ref] = min(grains, at_most.get(ref, grains))
        return False
    taken = Counter[str]()
    for line in tree.lines:
        pack = network.definition(line.thing).multiple_grains
        if line.action != "use" and pack and line.grains % pack:
            dropped["not in whole packs"] += 1
            return False
        takes = line.action == "use" or line.offer.split("/", 2)[1] == "offer"
        for ref, counts in ((line.offer, takes), (line.need, line.into is None)):
            if counts:
                taken[ref] += line.grains
    small = [ref for ref, grains in taken.items() if ref in network.stances and grains < network.stances[ref].minimum_grains]
    if small:
        dropped["parts smaller than an agent's minimum"] += 1
        supplies = [ref for ref in small if network.stances[ref].is_supply]
        at_most.update(dict.fromkeys(supplies, 0))
        if not supplies:  # A need waits, that it may not keep others from what is made: the one that gets least of its minimum.
            needs = [need for need in tree.needs if need.ref in small]
            at_most[min(needs, key=lambda need: (Fraction(taken[need.ref], need.minimum_grains), need.ref)).ref] = 0
    return not small


def _crowded(layout: Layout, tree: Tree) -> dict[str, int]:
    """Return the capacities of which more hours are asked than their machines have between the dates told, and how many they have."""
    machines = _machines(layout)
    found: dict[str, int] = {}
    for line in tree.lines:
        if line.action == "use" and line.end_us is not None:
            begin_us = layout.log_us if line.begin_us is None else max(line.begin_us, layout.log_us)
            fits = max(0, machines[line.offer] * (line.end_us - begin_us) // 1000)
            if line.grains > fits:
                found[line.offer] = min(fits, found.get(line.offer, fits))
    return found


def _machines(layout: Layout) -> dict[str, int]:
    return {pool.ref: count for pool, count in zip(layout.pools, layout.machines, strict=True)}


def _gives(flows: Mapping[str, tuple[Mapping[Stock, int], Mapping[Stock, Fraction]]], recipe: str, line: TreeLine) -> bool:
    return (line.thing, line.dimension) in flows[recipe][1]


def _is_useless(begin_us: int | None, end_us: int | None) -> bool:
    return begin_us is not None and end_us is not None and begin_us >= end_us


class _Drawing:
    """Draws the lines of a plan's trees."""

    def __init__(self, layout: Layout, plan: ProductionPlan) -> None:
        self.layout, self.plan, self.problem = layout, plan, layout.problem
        self._kinds, self._feeds = plan.line_kind.tolist(), plan.line_feeds.tolist()
        self._consumers: dict[int, int] = {}  # of lines asked about before
        self._ways: dict[tuple[int, int], int] = {}  # metres of ways asked about before
        self.lines_of: dict[int, list[int]] = {}
        for line, tree in enumerate(plan.line_tree.tolist()):
            self.lines_of.setdefault(tree, []).append(line)

    def lines(self, tree: int) -> Iterator[TreeLine]:
        """Yield what each party does in a tree."""
        for line in self.lines_of.get(tree, ()):
            match Kind(int(self.plan.line_kind[line])):
                case Kind.STOCK:
                    lot = self.layout.lots[int(self.plan.line_what[line])]
                    yield self._goods(line, lot.agent, int(self.problem.stock_place[self.plan.line_what[line]]), lot.ref)
                case Kind.LEFTOVER:
                    run = int(self.plan.line_what[line])
                    yield from self._handed_on(line, run)
                case Kind.RUN if self._recipe(line) is not None:
                    yield from self._handed_on(line, line)
                    yield from self._worked(line)
                case _:
                    pass  # A move is part of the line whose goods it moves; one thing taken for another is no work.

    def _recipe(self, run: int) -> str | None:
        return self.layout.recipes[int(self.problem.activity_recipe[self.plan.line_what[run]])]

    def _agent(self, place: int) -> str:
        return self.layout.spots[place].agent

    def _place(self, run: int) -> int:
        return int(self.problem.activity_place[self.plan.line_what[run]])

    def _consumer(self, line: int) -> int:
        """Return the run that a line's goods go into in the end, or NEED: moves and substitutions are passed through."""
        found = self._consumers.get(line)
        if found is None:
            found = self._feeds[line]
            while found != NEED and not (self._kinds[found] == Kind.RUN and self._recipe(found) is not None):
                found = self._feeds[found]
            self._consumers[line] = found
        return found

    def _need(self, line: int) -> Stance:
        return self.layout.needs[int(self.plan.tree_need[self.plan.line_tree[line]])]

    def _receiver(self, line: int, provider: str) -> tuple[str, int]:
        """Return the next other agent on the way to the need, and the place where the goods are wanted first."""
        consumer = self._consumer(line)
        need = self._need(line)
        first = self._need_place(line) if consumer == NEED else self._place(consumer)
        while consumer != NEED and self._agent(self._place(consumer)) == provider:
            consumer = self._consumer(consumer)
        return (need.agent if consumer == NEED else self._agent(self._place(consumer))), first

    def _need_place(self, line: int) -> int:
        return int(self.problem.need_place[self.plan.tree_need[self.plan.line_tree[line]]])

    def _depth(self, line: int) -> int:
        depth, consumer = 0, self._consumer(line)
        while consumer != NEED:
            depth, consumer = depth + 1, self._consumer(consumer)
        return depth

    def _goods(self, line: int, provider: str, place: int, offer: str) -> TreeLine:
        layout, plan = self.layout, self.plan
        thing = int(plan.line_thing[line])
        stock, grains = layout.stocks[thing], int(plan.line_units[line]) * layout.steps[thing]
        receiver, wanted_at = self._receiver(line, provider)
        consumer = self._consumer(line)
        metres = self._metres(place, wanted_at)
        into = None if consumer == NEED else self._recipe(consumer)
        stays = into is not None and self._agent(wanted_at) == provider
        begin = int(plan.line_end[line])
        end = int(plan.tree_end[plan.line_tree[line]]) if consumer == NEED else int(plan.line_begin[consumer])
        need = self._need(line)
        return TreeLine(
            provider=provider,
            receiver=receiver,
            action="consume" if stays else "transfer",
            thing=stock[0],
            dimension=stock[1],
            grains=grains,
            offer=offer,
            need=need.ref,
            distance_m=metres,
            begin_us=self._from_us(begin),
            end_us=_least(self._until_us(end), need.end_us),
            into=into,
            footprint=self._way(stock[0], stock[1], grains, metres),
            depth=self._depth(line),
        )

    def _handed_on(self, line: int, run: int) -> Iterator[TreeLine]:
        """Yield what goes from a run to somebody else; what its own maker works on stays where it is."""
        provider = self._agent(self._place(run))
        consumer = self._consumer(line)
        if consumer != NEED and self._agent(self._place(consumer)) == provider:
            return
        uses = self.layout.uses[int(self.plan.line_what[run])]
        offer = self.layout.pools[uses[0].pool].ref if uses else self._recipe(run)
        assert offer is not None  # a run of a recipe
        yield self._goods(line, provider, self._place(run), offer)

    def _worked(self, run: int) -> Iterator[TreeLine]:
        layout, plan = self.layout, self.plan
        activity, runs = int(plan.line_what[run]), int(plan.line_runs[run])
        provider, need = self._agent(self._place(run)), self._need(run)
        receiver, _ = self._receiver(run, provider)
        for use in layout.uses[activity]:
            pool = layout.pools[use.pool]
            ms = use.run_ms * runs + use.setup_ms * int(plan.line_setups[run])
            kwh = energy_kwh(use, ms, runs, pool)
            hours = Fraction(ms, HOUR_MS)
            footprint = Footprint(hours=hours, kwh=kwh or Fraction(0), hours_unmetered=hours if kwh is None else Fraction(0))
            begin = int(plan.line_begin[run])
            yield TreeLine(
                provider=provider,
                receiver=receiver,
                action="use",
                thing=layout.network.canonical(pool.thing),
                dimension="time",
                grains=ms,
                offer=pool.ref,
                need=need.ref,
                distance_m=0,
                begin_us=max((each for each in (self._from_us(begin), pool.begin_us) if each is not None), default=None),
                end_us=_least(_least(self._until_us(begin), pool.end_us), need.end_us),
                into=self._recipe(run),
                footprint=footprint,
                depth=self._depth(run) + 1,
            )

    # -- details --------------------------------------------------------------------------------------------------------

    def _metres(self, start: int, end: int) -> int:
        if start == end:
            return 0
        if (start, end) not in self._ways:
            one, other = self.layout.spots[start], self.layout.spots[end]
            self._ways[start, end] = self.layout.network.way_m(one.agent, one.place, other.agent, other.place) or 0
        return self._ways[start, end]

    def _from_us(self, bucket: int) -> int | None:
        edges = self.layout.edges_us
        return None if len(edges) == 1 else max(edges[bucket], self.layout.log_us)

    def _until_us(self, bucket: int) -> int | None:
        edges = self.layout.edges_us
        return None if len(edges) == 1 else edges[min(bucket + 1, len(edges) - 1)]

    def _way(self, thing: Thing, dimension: str, grains: int, metres: int) -> Footprint:
        kg = kilograms(self.layout.network, thing, dimension, grains)
        return Footprint(kg=kg if metres else Fraction(0), kg_km=kg * metres / 1000)


def kilograms(network: Network, thing: Thing, dimension: str, grains: int) -> Fraction:
    """Return the mass of so many grains of a thing; unknown mass counts as 1 kg a unit."""
    definition = network.definition(thing)
    if dimension == "mass":
        return Fraction(grains, 10**9)
    unit = UNITS[definition.unit] if UNITS[definition.unit].dimension == dimension else UNITS["1"]
    return Fraction(grains) / unit.grains * Fraction(10**9 if definition.mass_ug is None else definition.mass_ug, 10**9)
