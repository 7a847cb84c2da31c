"""Trees for what no one way brings enough of: a run's input is drawn from several lots, makers and leftovers, each with a line.

Whatever one way brings is walked as any other tree is. What it cannot bring is looked for again, with that taken away; and where not
even one unit comes by one way, as where a single run takes more than any lot has, the run is begun and each of its inputs is gathered.
"""

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from solver.engine import making_walk as kernel
from solver.making.cells import rows_of
from solver.making.ground import Ground
from solver.making.plan import MOST_DRAWS, NEED
from solver.making.problem import ProductionProblem

__all__ = ["gather", "scattered"]

FEW = 12  # batches: what a lot that is enough for more of them leaves over is not gathered
MOST_TRIES = 8  # with fewer and fewer units, the last of them with one


def scattered(problem: ProductionProblem) -> set[int]:
    """Return the things of which some lot or maker has enough for a few batches alone, or for none: what is left of it matters.

    For their sake alone trees are gathered: it takes many looks, and where lots are large what they leave over is next to nothing.
    """
    takes = [0] * problem.things
    for recipe, (first, end) in enumerate(pairwise(problem.input_start.tolist())):
        for row in range(first, end):
            thing, units = int(problem.input_thing[row]), int(problem.input_units[row])
            few = units * int(problem.batch_least[recipe]) * FEW
            takes[thing] = max(takes[thing], min(few, kernel.FAR))  # Nothing holds as much, and beyond 64 bits no array would.
    wanted = np.array(takes, dtype=np.int64)
    found = set(problem.stock_thing[(problem.stock_units > 0) & (problem.stock_units < wanted[problem.stock_thing])].tolist())
    begin, rows = rows_of(problem.output_start, problem.activity_recipe)
    activity = np.repeat(np.arange(len(problem.activity_recipe)), np.diff(begin))
    share = (problem.yield_good / problem.yield_of)[problem.activity_recipe[activity]]
    made = _least_runs(problem)[activity] * problem.output_units[rows] * share  # in floating point: 64 bits may not hold it
    found.update(problem.output_thing[rows[made < wanted[problem.output_thing[rows]]]].tolist())
    return found


def _least_runs(problem: ProductionProblem) -> NDArray[np.float64]:
    """Return (A,) how many runs each activity has hours for in the bucket that has least but enough for one; infinite where in none."""
    takes = np.flatnonzero(problem.use_grains > 0)
    least = np.full(len(problem.activity_recipe), np.inf)
    if len(takes):
        of = np.searchsorted(problem.use_start, takes, side="right") - 1
        runs = problem.pool_grains[problem.use_pool[takes]] // problem.use_grains[takes][:, None]
        each, first = np.unique(of, return_index=True)
        together = np.minimum.reduceat(runs, first, axis=0)
        least[each] = np.where(together > 0, together, np.inf).min(axis=1)
    return least


def gather(ground: Ground, thing: int, place: int, bucket: int, units: int) -> tuple[int, int, set[int]]:
    """Take a tree for as many of ``units`` as can be gathered. Return how many lines it has, how many units, and whose ways changed.

    As `kernel.reach` does, the tree stands in ``ground.found`` and `kernel.revert` puts it back; those ways are then to be touched.
    Without lines, all is put back and nothing is left to be done.
    """
    tries = MOST_TRIES
    while units > 0:
        tree = _Gathered(ground)
        have, want = tree.take(thing, place * ground.net.buckets + bucket, units)
        if have == want:
            return tree.written(), units, tree.moved
        tree.put_back()
        if units == 1:
            break
        tries -= 1
        units = max(1, min(units * have // want if have else units // 2, units - 1)) if tries > 1 else 1
    return 0, 0, set()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is still to be gathered: units of a thing, at a node, for a line."""

    thing: int
    node: int
    units: int
    asked: int  # of which these are the rest
    feeds: int


@dataclass(slots=True)
class _Gathered:
    """A tree on the way."""

    ground: Ground
    lines: list[list[int]] = field(default_factory=list)
    undo: list[list[int]] = field(default_factory=list)
    moved: set[int] = field(default_factory=set)  # things whose ways changed
    too_long: bool = False

    def take(self, thing: int, node: int, units: int) -> tuple[int, int]:
        """Gather units of a thing; return (1, 1), or how much there was of what there was too little of, and how much was wanted."""
        todo = [_Wanted(thing, node, units, units, NEED)]
        while todo:
            wanted = todo.pop()
            got = self._by_one_way(wanted)
            if got == wanted.units:
                continue
            if got:
                todo.append(replace(wanted, units=wanted.units - got))
            elif not self._begin(wanted, todo):
                return wanted.asked - wanted.units, wanted.asked
            if self.too_long:
                return 0, 1
        return 1, 1

    def _by_one_way(self, wanted: _Wanted) -> int:
        """Take what the best way brings; return how many units, 0 where none brings enough to be of use."""
        ground, found, thing = self.ground, self.ground.found, wanted.thing
        place, bucket = divmod(wanted.node, ground.net.buckets)
        while True:
            ground.freshen(thing)
            if ground.ways.toll[thing, place, bucket] >= kernel.FAR:
                return 0
            lines, got = kernel.reach(ground.net, ground.left, ground.ways, found, thing, place, bucket, wanted.units, False)
            if not got:
                return 0
            kernel.leave_over(ground.net, ground.left, found, lines, -1)  # Only once all is gathered: no run may wait for itself.
            undone = int(found.told[kernel.UNDONE])
            if got == wanted.units or got * MOST_DRAWS >= wanted.asked:
                return got if self._write(lines, undone, wanted.feeds) else 0
            kernel.put_back(ground.left, found, undone)
            if not ground.close(int(found.told[kernel.WHICH]), int(found.told[kernel.FLAT])):
                return 0

    def _begin(self, wanted: _Wanted, todo: list[_Wanted]) -> bool:
        """Take the last step of the way to a thing, and let what it takes be gathered; False where there is no such step."""
        net = self.ground.net
        place, bucket = divmod(wanted.node, net.buckets)
        what, kind = divmod(int(self.ground.ways.via[wanted.thing, place, bucket]), 8)
        if kind == kernel.RUN:
            return self._run(wanted, what, todo)
        if kind == kernel.WAIT:
            todo.append(replace(wanted, node=wanted.node - 1))
        elif kind == kernel.MOVE:
            begin = bucket - int(net.arc_lead[what])
            todo.append(replace(wanted, node=int(net.arc_from[what]) * net.buckets + begin, feeds=len(self.lines)))
            self.lines.append([kernel.MOVE, what, int(net.self_of[wanted.thing]), wanted.units, 0, 0, begin, bucket, wanted.feeds])
        return kind in (kernel.WAIT, kernel.MOVE)

    def _run(self, wanted: _Wanted, maker: int, todo: list[_Wanted]) -> bool:
        """Begin runs for as many units as there are hours for, and let their inputs be gathered."""
        net, left, found = self.ground.net, self.ground.left, self.ground.found
        place, bucket = divmod(wanted.node, net.buckets)
        activity, selves = int(net.maker[maker]), net.input_self[net.maker_round[maker]]
        begin, thing, units = bucket - int(net.lead[activity]), int(net.self_of[wanted.thing]), wanted.units
        while True:
            well, undone = kernel.run(net, left, found, 0, 0, activity, begin, thing, units, NEED, False, False)
            if well:
                break
            kernel.put_back(left, found, undone)
            units = min(units * int(found.told[kernel.HAVE]) // int(found.told[kernel.WANT]), units - 1)
            if units < 1:
                return False
        runs, line = int(found.lines[0, kernel.RUNS]), len(self.lines)
        if not self._write(1, undone, wanted.feeds):
            return False
        if units < wanted.units:
            todo.append(replace(wanted, units=wanted.units - units))
        recipe = int(net.recipe[activity])
        for each in range(int(net.input_start[recipe]), int(net.input_start[recipe + 1])):
            takes = int(net.input_units[each]) * runs
            if takes >= kernel.FAR:
                return False
            todo.append(_Wanted(int(selves[each]), place * net.buckets + begin, takes, takes, line))
        return True

    def _write(self, lines: int, undone: int, feeds: int) -> bool:
        """Add what was just taken, to feed a line; or put it back and return False, where that is more than one tree may have."""
        found, first = self.ground.found, len(self.lines)
        if max(first + lines, len(self.undo) + undone) > len(found.untrail):
            kernel.put_back(self.ground.left, found, undone)
            self.too_long = True
            return False
        table = found.lines[:lines].copy()
        self.moved.update(self.ground.ran_out(table))
        table[:, kernel.FEEDS] = np.where(table[:, kernel.FEEDS] < 0, feeds, table[:, kernel.FEEDS] + first)
        self.lines += table.tolist()
        self.undo += found.undo[:undone].tolist()
        return True

    def written(self) -> int:
        """Lay the tree out as `kernel.unfold` does; return how many lines it has."""
        self._lay_out_undo()
        found = self.ground.found
        found.lines[: len(self.lines)] = np.array(self.lines, dtype=np.int64)
        kernel.leave_over(self.ground.net, self.ground.left, found, len(self.lines), 1)
        return len(self.lines)

    def put_back(self) -> None:
        """Put back all that was taken, and look again at what was passed over."""
        self._lay_out_undo()
        kernel.put_back(self.ground.left, self.ground.found, len(self.undo))
        self.ground.touch(self.moved)
        self.ground.open()

    def _lay_out_undo(self) -> None:
        found, count = self.ground.found, len(self.undo)
        found.undo[:count] = np.array(self.undo, dtype=np.int64).reshape(count, 3)
        found.told[kernel.UNDONE] = count
