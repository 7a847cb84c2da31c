"""The check of every plan of making, by plain arithmetic that shares nothing with whoever found it."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from solver.making.plan import NEED, Kind, ProductionPlan
from solver.making.problem import ProductionProblem
from solver.problem import Ints

__all__ = ["bound_that_follows", "broken_rules"]

SHOWN = 3  # examples of each broken rule
AT_ONCE = 1_000_000  # numbers that pressures are compared in

Found = Iterator[tuple[str, str]]


def broken_rules(problem: ProductionProblem, plan: ProductionPlan) -> list[str]:
    """Return a sentence for each broken rule; none if the plan can be done as it says and its bound is proven.

    Looks at windows and needs, at precedence and materials line by line, at lots, batches, set-ups and hours in all, at whether
    trees rest on one another in a ring, and at the pressures: whether they are such that no activity, move or wait undercuts,
    so that weak duality bounds every plan by them.
    """
    shapes = list(_wrong_shapes(problem, plan))
    if shapes:
        return shapes
    told: dict[str, list[str]] = defaultdict(list)
    for rules in (_needs, _lines, _materials, _lots, _batches, _hours, _rings, _pressures):
        for rule, sentence in rules(problem, plan):
            told[rule].append(sentence)
    return [sentence for each in told.values() for sentence in _few(each)]


def _few(sentences: list[str]) -> list[str]:
    if len(sentences) <= SHOWN:
        return sentences
    return [*sentences[: SHOWN - 1], f"{sentences[SHOWN - 1]} (and {len(sentences) - SHOWN} more like it)"]


def _wrong_shapes(problem: ProductionProblem, plan: ProductionPlan) -> Iterator[str]:
    trees, lines = len(plan.tree_need), len(plan.line_tree)
    names = ("tree", "kind", "what", "thing", "units", "runs", "setups", "begin", "end", "feeds")
    expected: dict[str, tuple[int, ...]] = {f"line_{name}": (lines,) for name in names}
    expected |= {"tree_need": (trees,), "tree_units": (trees,), "tree_end": (trees,)}
    expected |= {"thing_pressure": (problem.things, problem.places, problem.buckets), "pool_pressure": problem.pool_grains.shape}
    for name, shape in expected.items():
        if getattr(plan, name).shape != shape:
            yield f"{name} has the shape {getattr(plan, name).shape}: {shape} is expected"
    limits = [("line_tree", trees), ("line_kind", len(Kind)), ("line_thing", problem.things), ("tree_need", len(problem.need_units))]
    for name, limit in limits:
        array = getattr(plan, name)
        if len(array) and not 0 <= int(array.min()) <= int(array.max()) < limit:
            yield f"{name} holds {array.min()} to {array.max()}: 0 to {limit - 1} is expected"
    if lines and not NEED <= int(plan.line_feeds.min()) <= int(plan.line_feeds.max()) < lines:
        yield f"line_feeds holds {plan.line_feeds.min()} to {plan.line_feeds.max()}: {NEED} to {lines - 1} is expected"
    counts = {Kind.STOCK: len(problem.stock_units), Kind.RUN: len(problem.activity_place), Kind.MOVE: len(problem.arc_from)}
    for kind, limit in (*counts.items(), (Kind.LEFTOVER, lines)):
        what = plan.line_what[plan.line_kind == kind] if plan.line_kind.shape == plan.line_what.shape else plan.line_what[:0]
        if len(what) and not 0 <= int(what.min()) <= int(what.max()) < limit:
            yield f"lines of kind {kind.name} name {what.min()} to {what.max()}: 0 to {limit - 1} is expected"
    if plan.scale < 1:
        yield f"scale is {plan.scale}: at least 1 is expected"


def _needs(problem: ProductionProblem, plan: ProductionPlan) -> Found:
    covered = [0] * len(problem.need_units)
    for tree, (need, units, end) in enumerate(zip(plan.tree_need.tolist(), plan.tree_units.tolist(), plan.tree_end.tolist(), strict=True)):
        covered[need] += units
        if units < 1:
            yield "units", f"tree {tree} delivers {units}"
        if not 0 <= end < problem.buckets or end > problem.need_until[need]:
            yield "until", f"tree {tree} delivers in bucket {end}, but need {need} is until {problem.need_until[need]}"
    for need, units in enumerate(covered):
        if units > problem.need_units[need]:
            yield "asked", f"need {need} gets {units}, but asks for {problem.need_units[need]}"


def _lines(problem: ProductionProblem, plan: ProductionPlan) -> Found:
    """Check each line alone: where it begins and ends, and that it hands its thing on where and when that is wanted."""
    for line, kind in enumerate(plan.line_kind.tolist()):
        what, begin, end = int(plan.line_what[line]), int(plan.line_begin[line]), int(plan.line_end[line])
        lead = int(problem.activity_lead[what] if kind == Kind.RUN else problem.arc_lead[what] if kind == Kind.MOVE else 0)
        if begin < 0 or end >= problem.buckets or end < begin + lead:
            yield "times", f"line {line} goes from {begin} to {end}, of {problem.buckets} buckets, and takes {lead}"
        if plan.line_units[line] < 0 or (kind != Kind.RUN and plan.line_units[line] < 1):
            yield "units of a line", f"line {line} hands on {plan.line_units[line]}"
        if (kind == Kind.RUN) != (plan.line_runs[line] > 0):
            yield "runs", f"line {line} of kind {Kind(kind).name} has {plan.line_runs[line]} runs"
        if kind == Kind.STOCK and (plan.line_thing[line] != problem.stock_thing[what] or begin < problem.stock_bucket[what]):
            yield "lot", f"line {line} takes thing {plan.line_thing[line]} in {begin} of lot {what}, which is another or later"
        feeds = int(plan.line_feeds[line])
        tree = int(plan.line_tree[line])
        wanted = int(plan.tree_end[tree] if feeds == NEED else plan.line_begin[feeds])
        if end > wanted:
            yield "precedence", f"line {line} is there in bucket {end}, but what it feeds takes it in {wanted}"
        if feeds != NEED and plan.line_tree[feeds] != tree:
            yield "tree", f"line {line} of tree {tree} feeds line {feeds} of tree {plan.line_tree[feeds]}"
        there, here = _place_wanted(problem, plan, line), _place_left(problem, plan, line)
        if there != here:
            yield "place", f"line {line} leaves its thing at place {here}, but it is wanted at {there}"


def _place_left(problem: ProductionProblem, plan: ProductionPlan, line: int) -> int:
    what = int(plan.line_what[line])
    match Kind(int(plan.line_kind[line])):
        case Kind.STOCK:
            return int(problem.stock_place[what])
        case Kind.RUN:
            return int(problem.activity_place[what])
        case Kind.MOVE:
            return int(problem.arc_to[what])
        case Kind.LEFTOVER:
            return int(problem.activity_place[plan.line_what[what]]) if plan.line_kind[what] == Kind.RUN else -1


def _place_wanted(problem: ProductionProblem, plan: ProductionPlan, line: int) -> int:
    feeds = int(plan.line_feeds[line])
    if feeds == NEED:
        return int(problem.need_place[plan.tree_need[plan.line_tree[line]]])
    what = int(plan.line_what[feeds])
    return int(problem.activity_place[what] if plan.line_kind[feeds] == Kind.RUN else problem.arc_from[what])


def _materials(problem: ProductionProblem, plan: ProductionPlan) -> Found:
    """Check that each need, run and move is handed what it takes, and that no run hands on more than comes out."""
    handed: dict[tuple[int, int, int], int] = defaultdict(int)
    taken: dict[tuple[int, int], int] = defaultdict(int)
    for line, kind in enumerate(plan.line_kind.tolist()):
        thing, units, feeds = int(plan.line_thing[line]), int(plan.line_units[line]), int(plan.line_feeds[line])
        handed[(feeds, int(plan.line_tree[line]) if feeds == NEED else 0, thing)] += units
        if kind == Kind.RUN:
            taken[(line, thing)] += units
        if kind == Kind.LEFTOVER:
            source = int(plan.line_what[line])
            taken[(source, thing)] += units
            if plan.line_kind[source] != Kind.RUN or plan.line_begin[line] < plan.line_end[source]:
                yield "leftover", f"line {line} takes what line {source} left over before that is there"
    for tree, units in enumerate(plan.tree_units.tolist()):
        thing = int(problem.need_thing[plan.tree_need[tree]])
        if handed[(NEED, tree, thing)] < units:
            yield "delivered", f"tree {tree} delivers {units}, but is handed {handed[(NEED, tree, thing)]}"
    for line, kind in enumerate(plan.line_kind.tolist()):
        for thing, units in _takes(problem, plan, line, kind):
            if handed[(line, 0, thing)] < units:
                yield "material", f"line {line} takes {units} of thing {thing}, but is handed {handed[(line, 0, thing)]}"
    for (line, thing), units in taken.items():
        if plan.line_kind[line] == Kind.RUN and units > _comes_out(problem, plan, line, thing):
            yield "output", f"line {line} hands on {units} of thing {thing}, but {_comes_out(problem, plan, line, thing)} come out"


def _takes(problem: ProductionProblem, plan: ProductionPlan, line: int, kind: int) -> Iterator[tuple[int, int]]:
    if kind == Kind.MOVE:
        yield int(plan.line_thing[line]), int(plan.line_units[line])
    if kind == Kind.RUN:
        recipe = int(problem.activity_recipe[plan.line_what[line]])
        for row in range(int(problem.input_start[recipe]), int(problem.input_start[recipe + 1])):
            yield int(problem.input_thing[row]), int(problem.input_units[row] * plan.line_runs[line])


def _comes_out(problem: ProductionProblem, plan: ProductionPlan, line: int, thing: int) -> int:
    recipe, runs = int(problem.activity_recipe[plan.line_what[line]]), int(plan.line_runs[line])
    rows = range(int(problem.output_start[recipe]), int(problem.output_start[recipe + 1]))
    units = sum(int(problem.output_units[row]) for row in rows if problem.output_thing[row] == thing)
    return units * runs * int(problem.yield_good[recipe]) // int(problem.yield_of[recipe])


def _lots(problem: ProductionProblem, plan: ProductionPlan) -> Found:
    taken = np.zeros(len(problem.stock_units), dtype=np.int64)
    rows = plan.line_kind == Kind.STOCK
    np.add.at(taken, plan.line_what[rows], plan.line_units[rows])
    for lot in np.flatnonzero(taken > problem.stock_units).tolist():
        yield "stock", f"lot {lot} gives {taken[lot]}, but has {problem.stock_units[lot]}"


def _batches(problem: ProductionProblem, plan: ProductionPlan) -> Found:
    runs: dict[tuple[int, int], int] = defaultdict(int)
    setups: dict[tuple[int, int], int] = defaultdict(int)
    for line in np.flatnonzero(plan.line_kind == Kind.RUN).tolist():
        batch = int(plan.line_what[line]), int(plan.line_begin[line])
        runs[batch] += int(plan.line_runs[line])
        setups[batch] += int(plan.line_setups[line])
    for (activity, bucket), count in runs.items():
        recipe = int(problem.activity_recipe[activity])
        least, multiple = int(problem.batch_least[recipe]), int(problem.batch_multiple[recipe])
        if count < least or count % multiple:
            yield "batch", f"activity {activity} has {count} runs in bucket {bucket}: at least {least}, by {multiple}, are expected"
        if setups[(activity, bucket)] != 1:
            yield "set-up", f"activity {activity} is set up {setups[(activity, bucket)]} times in bucket {bucket}: once is expected"


def _hours(problem: ProductionProblem, plan: ProductionPlan) -> Found:
    used = np.zeros_like(problem.pool_grains)
    for line in np.flatnonzero(plan.line_kind == Kind.RUN).tolist():
        activity, bucket = int(plan.line_what[line]), int(plan.line_begin[line])
        for use in range(int(problem.use_start[activity]), int(problem.use_start[activity + 1])):
            grains = problem.use_grains[use] * plan.line_runs[line] + problem.use_setup[use] * plan.line_setups[line]
            if 0 <= bucket < problem.buckets:
                used[problem.use_pool[use], bucket] += grains
    for pool, bucket in np.argwhere(used > problem.pool_grains).tolist():
        yield "hours", f"pool {pool} works {used[pool, bucket]} in bucket {bucket}, but has {problem.pool_grains[pool, bucket]}"


def _rings(_: ProductionProblem, plan: ProductionPlan) -> Found:
    """Check that no line waits for itself, by what it feeds or by what was left over."""
    waits_for: dict[int, list[int]] = defaultdict(list)
    for line, feeds in enumerate(plan.line_feeds.tolist()):
        if feeds != NEED:
            waits_for[feeds].append(line)
        if plan.line_kind[line] == Kind.LEFTOVER:
            waits_for[line].append(int(plan.line_what[line]))
    state: dict[int, int] = {}
    for first in list(waits_for):
        stack = [(first, iter(waits_for[first]))] if first not in state else []
        state.setdefault(first, 1)
        while stack:
            line, rest = stack[-1]
            after = next(rest, None)
            if after is None:
                state[line] = 2
                stack.pop()
            elif state.get(after) == 1:
                yield "ring", f"line {after} waits for itself"
            elif after not in state:
                state[after] = 1
                stack.append((after, iter(waits_for.get(after, ()))))


def _pressures(problem: ProductionProblem, plan: ProductionPlan) -> Found:
    thing, pool = plan.thing_pressure, plan.pool_pressure
    if (thing.size and int(thing.min()) < 0) or (pool.size and int(pool.min()) < 0):
        yield "pressure", "a pressure is below zero"
    if problem.buckets > 1 and (thing[:, :, 1:] > thing[:, :, :-1]).any():
        yield "pressure", "a thing is pressed harder later than before, though it could wait"
    for arc in np.flatnonzero(_arcs_undercut(problem, plan)).tolist():
        yield "pressure", f"arc {arc} brings something for less than it is pressed where it goes"
    for activity in np.flatnonzero(_activities_undercut(problem, plan)).tolist():
        yield "pressure", f"activity {activity} makes something for less than it is pressed"
    follows = bound_that_follows(problem, plan)
    if plan.bound < follows:
        yield "bound", f"the bound is given as {plan.bound}, but {follows} is what follows from the pressures"


def _arcs_undercut(problem: ProductionProblem, plan: ProductionPlan) -> NDArray[np.bool_]:
    """Return (E,) which ways bring a thing for less than it is pressed where they go, in any bucket in which they arrive in time."""
    thing, weight = plan.thing_pressure, problem.load * plan.scale
    undercut = np.zeros(len(problem.arc_from), dtype=np.bool_)
    for lead, arcs in _by_lead(problem, problem.arc_lead):
        for some in _in_parts(arcs, problem.things * problem.buckets):
            takes = thing[:, problem.arc_from[some], : problem.buckets - lead] + (weight[:, None] * problem.arc_effort[some])[:, :, None]
            undercut[some] = (takes < thing[:, problem.arc_to[some], lead:]).any(axis=(0, 2))
    return undercut


def _activities_undercut(problem: ProductionProblem, plan: ProductionPlan) -> NDArray[np.bool_]:
    """Return (A,) which activities make something for less than it is pressed, in any bucket in which they are done in time."""
    undercut = np.zeros(len(problem.activity_place), dtype=np.bool_)
    for lead, activities in _by_lead(problem, problem.activity_lead):
        width = problem.buckets - lead
        for some in _in_parts(activities, problem.buckets):
            recipe, place = problem.activity_recipe[some], problem.activity_place[some]
            takes = np.repeat(problem.activity_effort[some][:, None] * plan.scale, width, axis=1)
            each, row = _rows_of(problem.input_start, recipe)
            pressed = plan.thing_pressure[problem.input_thing[row], place[each], :width]
            np.add.at(takes, each, problem.input_units[row][:, None] * pressed)
            each, row = _rows_of(problem.use_start, some)
            np.add.at(takes, each, problem.use_grains[row][:, None] * plan.pool_pressure[problem.use_pool[row], :width])
            gives = np.zeros_like(takes)
            each, row = _rows_of(problem.output_start, recipe)
            pressed = plan.thing_pressure[problem.output_thing[row], place[each], lead:]
            np.add.at(gives, each, problem.output_units[row][:, None] * pressed)
            undercut[some] = (gives * problem.yield_good[recipe][:, None] > takes * problem.yield_of[recipe][:, None]).any(axis=1)
    return undercut


def _by_lead(problem: ProductionProblem, leads: Ints) -> Iterator[tuple[int, Ints]]:
    """Yield the positions of each lead, but for those that are never done in time."""
    for lead in np.unique(leads[leads < problem.buckets]).tolist():
        yield lead, np.flatnonzero(leads == lead)


def _in_parts(positions: Ints, entries: int) -> Iterator[Ints]:
    """Yield positions some at a time, with so many entries each: all at once would take memory without bound."""
    count = max(1, AT_ONCE // max(1, entries))
    for begin in range(0, len(positions), count):
        yield positions[begin : begin + count]


def _rows_of(start: Ints, owners: Ints) -> tuple[Ints, Ints]:
    """Return, for each owner in turn, where it stands among them once for each of its rows, and these rows."""
    each = [(at, row) for at, owner in enumerate(owners.tolist()) for row in range(int(start[owner]), int(start[owner + 1]))]
    pairs = np.array(each, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def bound_that_follows(problem: ProductionProblem, plan: ProductionPlan) -> int:
    """Return what no plan can be worth more than, given pressures that nothing undercuts: weak duality, in whole numbers.

    Each lot and each pool at its pressure, and of each need the units whose worth is above the pressure there.
    """
    scale, total = plan.scale, 0
    for lot, units in enumerate(problem.stock_units.tolist()):
        place, bucket = int(problem.stock_place[lot]), int(problem.stock_bucket[lot])
        total += units * int(plan.thing_pressure[problem.stock_thing[lot], place, bucket])
    total += sum(a * b for a, b in zip(problem.pool_grains.ravel().tolist(), plan.pool_pressure.ravel().tolist(), strict=True))
    for need, units in enumerate(problem.need_units.tolist()):
        last = min(int(problem.need_until[need]), problem.buckets - 1)
        pressed = plan.thing_pressure[problem.need_thing[need], problem.need_place[need], : last + 1].tolist()
        late = [max(0, bucket - int(problem.need_due[need])) * int(problem.need_late[need]) * scale for bucket in range(last + 1)]
        if not pressed:
            continue
        dearest = min(each + lost for each, lost in zip(pressed, late, strict=True))
        for level in range(problem.levels):
            width = -(-(level + 1) * units // problem.levels) - -(-level * units // problem.levels)
            worth = (int(problem.need_worth[need]) - level * int(problem.need_step[need])) * scale
            total += width * max(0, worth - dearest)
    return -(-total // scale)
