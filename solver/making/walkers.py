"""A plan of making that walkers keep: each need walks the cheapest tree under the pressures, and what changes is walked anew."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from itertools import pairwise
from operator import mul
from typing import Any, TypeVar

import numpy as np

from solver.engine import making_walk as kernel
from solver.errors import BadProblem, TooLarge
from solver.making.gathering import gather, scattered
from solver.making.ground import Ground
from solver.making.loops import levels_of_things, makers_of_things, without_rings
from solver.making.plan import MOST_DRAWS, NEED, ProductionPlan
from solver.making.problem import ProductionProblem
from solver.making.rounds import MOST_ROUNDS, Selves, selves_in_order, selves_of
from solver.making.rules import bound_that_follows
from solver.problem import Ints

__all__ = ["Pressures", "Trails", "Walkers", "bound_of", "net_of", "settled"]

_T = TypeVar("_T")
LINE_WORK = 100  # nodes looked at in the time that writing, checking and drawing a line of a tree takes
LINES = 4_096  # of one tree; a tree that would have more is not taken
CRUMB = 3  # what has less than so small a part of what is wanted is passed over for the time being
PATIENCE = 8  # needs in a row that get nothing of what came free, before the rest is not asked
ALONE = 3  # needs in a row that get nothing though nothing is passed over, before the rest is not asked
DISPLACED = 8  # trees that one event lets a short need take the place of, at most
LARGEST_BITS = 59  # of any number that pressures are added up to
FINEST_BITS = 24  # of pressures behind the point
SIPS = 10  # in which a need is served, those with less coverage first


@dataclass(frozen=True, slots=True, eq=False)
class Pressures:
    """How short everything is, in whole numbers that nothing undercuts."""

    thing: Ints  # (S, P, T) in effort * scale
    pool: Ints  # (H, T)
    scale: int


@dataclass(frozen=True, slots=True, eq=False)
class Trails:
    """How much of everything a linear program would do; walkers follow it first."""

    lot: kernel.Floats  # (K,)
    run: kernel.Floats  # (A, T)
    move: kernel.Floats  # (E, S, T)
    wait: kernel.Floats  # (S, P, T)

    @classmethod
    def none(cls, problem: ProductionProblem) -> "Trails":
        """Return trails of a problem that lead nowhere."""
        return cls(
            np.zeros(len(problem.stock_units)),
            np.zeros((len(problem.activity_place), problem.buckets)),
            np.zeros((len(problem.arc_from), problem.things, problem.buckets)),
            np.zeros((problem.things, problem.places, problem.buckets)),
        )


@dataclass(slots=True, eq=False)
class _Tree:
    need: int
    units: int
    end: int
    lines: Ints  # (lines, kernel.COLUMNS); LEFTOVER lines hold the node in WHAT
    sources: dict[int, tuple[int, int]]  # LEFTOVER line -> (tree, line) whose run left it
    gain: int  # worth when it was walked, less its effort
    pinned: bool = False


class Walkers:
    """Trees for the needs of a problem, kept while needs, lots and hours change.

    Every call leaves a plan that passes the check. Walkers are greedy: how far they are from the best is told by the bound.
    One call does at most about `most_work` (None: all there is): nodes of ways looked at, and `LINE_WORK` for every line of a tree.
    It ends what it is at: where many makers have little each, to serve a need once may pass over them one by one, and take several
    times as much. What it leaves open `walk_on`, or any later call, goes on with.
    """

    def __init__(
        self,
        problem: ProductionProblem,
        pressures: Pressures,
        most_work: int | None = None,
        *,
        rounds: int = MOST_ROUNDS,
        proven: Pressures | None = None,
    ) -> None:
        """Begin with nothing walked.

        Trees go round a ring up to ``rounds`` times; with none, no recipe that closes one is run. The bound follows from ``proven``,
        where that is not what they are led by.
        """
        self.problem = replace(
            problem,
            need_units=problem.need_units.copy(),
            stock_units=problem.stock_units.copy(),
            pool_grains=problem.pool_grains.copy(),
        )
        self.pressures = proven or pressures
        self.most_work = most_work
        run = problem if rounds else without_rings(problem) or problem
        selves = selves_of(run, rounds)
        net, left = net_of(run, pressures.scale, selves), _all_left(problem)
        room = LINES + _widest(problem)
        self._found = kernel.Found(
            np.zeros((room, kernel.COLUMNS), dtype=np.int64),
            np.zeros((room, 5), dtype=np.int64),
            np.zeros((room, 3), dtype=np.int64),
            np.zeros(LINES, dtype=np.float64),
            np.zeros(5, dtype=np.int64),
        )
        # As if nobody had taken anything: what a need would take if it came first.
        whole = left._replace(
            lot=self.problem.stock_units,
            pool=self.problem.pool_grains,
            batch=np.zeros_like(left.batch),
            over=np.zeros_like(left.over),
            lot_shut=np.zeros_like(left.lot_shut),
            run_shut=np.zeros_like(left.run_shut),
            over_shut=np.zeros_like(left.over_shut),
        )
        self._net, self._left = net, left
        closures, sharing, pressed = _closures(run, net, selves), _sharing(problem), (pressures.thing, pressures.pool)
        self._under, self._above = closures
        self._scattered: set[int] | None = None
        self._ground = Ground(problem, net, left, pressed, *closures, sharing, self._found)
        self._first = Ground(problem, net, whole, pressed, *closures, sharing, self._found)
        # As if nobody wanted anything more: ways go by effort alone.
        calm = np.zeros_like(pressures.thing), np.zeros_like(pressures.pool)
        self._calm = Ground(problem, net, left, calm, *closures, sharing, self._found)
        self._lines = 0  # of all trees ever
        self._until = most_work  # of all work ever
        self._open: set[int] = set()  # needs that were not asked, or not any more, because the work of a call was done
        self._pressing: dict[int, int] = {}  # asked needs -> trees whose place each may still take if it is short
        self._uneased: set[int] = set()  # trees to be walked once more, by effort alone
        self._trees: dict[int, _Tree] = {}
        self._next = 0
        self._gain = 0  # of all trees
        self._covered = np.zeros(len(problem.need_units), dtype=np.int64)
        self._of_need: list[set[int]] = [set() for _ in problem.need_units]
        self._overs: dict[int, list[list[int]]] = {}  # node -> [tree, line, units left over there]
        self._takers: dict[int, set[int]] = {}  # tree -> trees that took what it left over
        self._users: dict[tuple[int, int], set[int]] = {}  # (which, flat) of a lot, a pool or a batch -> trees that draw on it

    def follow(self, trails: Trails, wanted: Ints) -> None:
        """Walk every need along what the linear program would do, as far as ``wanted`` (N, T) and whole units allow."""
        left = self._left
        for mine, theirs in zip(
            (left.trail_lot, left.trail_run, left.trail_move, left.trail_wait),
            (trails.lot, trails.run, trails.move, trails.wait),
            strict=True,
        ):
            mine[...] = theirs
        order = sorted(range(len(self._covered)), key=lambda need: (-int(self.problem.need_worth[need]), need))
        for number, need in enumerate(order):
            if self._is_done:
                self._open.update(order[number:])
                break
            for bucket in np.flatnonzero(wanted[need]).tolist():
                missing = int(self.problem.need_units[need] - self._covered[need])
                self._follow(need, bucket, min(missing, int(wanted[need, bucket])))

    def _follow(self, need: int, bucket: int, wanted: int) -> None:
        problem, found = self.problem, self._found
        thing, place = int(problem.need_thing[need]), int(problem.need_place[need])
        while wanted > 0:
            lines, units = kernel.reach(self._net, self._left, self._ground.ways, found, thing, place, bucket, wanted, True)
            if units:
                self._keep(need, units, bucket, lines)
                wanted -= units
                continue
            which, flat = int(found.told[kernel.WHICH]), int(found.told[kernel.FLAT])
            if which == kernel.ROOT:
                return
            trail = {
                kernel.TRAIL_LOT: self._left.trail_lot, kernel.TRAIL_RUN: self._left.trail_run,
                kernel.TRAIL_MOVE: self._left.trail_move, kernel.TRAIL_WAIT: self._left.trail_wait,
            }[which]  # fmt: skip
            trail.ravel()[flat] = 0.0

    def fill(self, needs: "list[int] | None" = None, *, strict: bool = False, patience: int | None = None) -> None:
        """Let needs walk freely until nothing more is to be had that is worth its effort; the worthiest and least covered first.

        ``strict`` takes only what the pressures allow too. With ``patience``, it ends once so many in a row got nothing.
        """
        asked = list(range(len(self._covered)) if needs is None else needs)
        again = True
        while again:
            trees_before, shut_before = len(self._trees), self._ground.times_shut
            hidden: list[int] = []  # needs that got nothing where others had passed something over that may be enough for them
            waiting = [(*self._rank(need), need) for need in asked]
            heapify(waiting)
            in_vain = 0
            while waiting and (patience is None or in_vain < patience) and not self._is_done:
                need = heappop(waiting)[-1]
                trees = self._next
                hides = len(asked) > 1 and self._ground.passes_over(int(self.problem.need_thing[need]))
                if self._sip(need, strict):
                    heappush(waiting, (*self._rank(need), need))
                in_vain = in_vain + 1 if trees == self._next else 0
                if hides and trees == self._next and self._covered[need] < self.problem.need_units[need]:
                    hidden.append(need)
            if self._is_done:
                self._open.update(row[-1] for row in waiting)
            again = self._ground.times_shut > shut_before and len(self._trees) > trees_before and not self._is_done
            self._ground.open()
            again = again or self._sip_alone(hidden, strict)

    def _sip_alone(self, needs: list[int], strict: bool) -> bool:
        """Serve needs once more, each with nothing passed over for others, until some in a row got nothing; return whether any got any."""
        trees, in_vain = self._next, 0
        for number, need in enumerate(needs):
            if self._is_done:
                self._open.update(needs[number:])
            if self._is_done or in_vain >= ALONE:
                break
            before = self._next
            self._sip(need, strict)
            self._ground.open()
            in_vain = in_vain + 1 if before == self._next else 0
        return self._next > trees

    def walk_on(self) -> bool:
        """Go on with what earlier calls left open; return whether that is all now."""
        self._begin()
        self._settle_down(set(), set())
        return self.is_complete

    @property
    def is_complete(self) -> bool:
        """Whether no call left anything open."""
        return not (self._open or self._pressing or self._uneased)

    def _begin(self) -> None:
        """Begin a call: it has its own work to do, whatever others did."""
        self._until = None if self.most_work is None else self.work + self.most_work

    @property
    def work(self) -> int:
        """What was done so far, in nodes looked at."""
        return self._ground.work + self._first.work + self._calm.work + self._lines * LINE_WORK

    @property
    def _is_done(self) -> bool:
        """Whether a call has done its work."""
        return self._until is not None and self.work >= self._until

    def _rank(self, need: int) -> tuple[int, float]:
        asked = int(self.problem.need_units[need])
        return -self._worth_of_next(need), int(self._covered[need]) / max(asked, 1)

    def _worth_of_next(self, need: int) -> int:
        problem = self.problem
        level = min(problem.levels - 1, int(self._covered[need]) * problem.levels // max(int(problem.need_units[need]), 1))
        return int(problem.need_worth[need]) - level * int(problem.need_step[need])

    def _sip(self, need: int, strict: bool) -> bool:
        """Serve a need once more; return whether it got anything and wants more."""
        problem, found = self.problem, self._found
        missing = int(problem.need_units[need] - self._covered[need])
        if missing <= 0:
            return False
        parts = max(problem.levels, SIPS)
        asked, covered = int(problem.need_units[need]), int(self._covered[need])
        sip = min(missing, max(1, -(-(covered * parts // asked + 1) * asked // parts) - covered))
        thing, place, first = int(problem.need_thing[need]), int(problem.need_place[need]), sip
        fewer = 0  # units that what is left somewhere is enough for, where that is all there is
        while True:
            self._ground.freshen(thing)
            bucket, pressed, late = self._when(need, self._ground.ways.toll[thing, place])
            worth = self._worth_of_next(need) - late
            if bucket < 0 or worth <= 0 or (strict and pressed > worth * self._net.scale):
                if not fewer:
                    return self._gather(need, first, strict=strict)
                self._ground.open()
                sip, fewer = fewer, 0
                continue
            lines = kernel.unfold(self._net, self._left, self._ground.ways, found, thing, place, bucket, sip, False, False)
            if lines < 0:
                have, want, which, flat = found.told[: kernel.UNDONE].tolist()
                enough_for = sip * have // want
                if fewer < enough_for < sip and (which == kernel.OVER or enough_for * MOST_DRAWS >= first):
                    fewer = enough_for
                if which == kernel.OVER or have * CRUMB < want or sip == 1:
                    if not self._ground.close(which, flat):
                        return False
                    if which == kernel.TRAIL_LOT and sip > 1:
                        self._ground.close_lots(flat, -(-want // CRUMB))
                else:
                    sip = min(max(1, sip * have // want), sip - 1)
                continue
            if self._effort(self._found.lines[:lines]) >= worth * sip:
                kernel.revert(self._net, self._left, found, lines)
                return False
            if self._ground.passes_over(thing) and self._is_scattered(thing):
                self._uneased.add(self._next)
            self._keep(need, sip, bucket, lines)
            return sip < missing

    def _gather(self, need: int, units: int, *, strict: bool) -> bool:
        """Serve a need out of what was passed over because no one way brings enough; return whether it got anything and wants more."""
        ground, thing, place = self._ground, int(self.problem.need_thing[need]), int(self.problem.need_place[need])
        if not (self._is_scattered(thing) and ground.passes_over(thing)):
            return False
        ground.open()
        ground.freshen(thing)
        bucket, _, late = self._when(need, ground.ways.toll[thing, place])
        worth = self._worth_of_next(need) - late
        if bucket < 0 or worth <= 0:
            return False
        lines = kernel.unfold(self._net, self._left, ground.ways, self._found, thing, place, bucket, 1, False, False)
        if lines >= 0:  # One way brings some after all; what it is too little for now is left to others.
            kernel.revert(self._net, self._left, self._found, lines)
            return False
        lines, got, moved = gather(ground, thing, place, bucket, units)
        if not lines:
            return False
        presses = self._presses(lines) if strict else self._effort(self._found.lines[:lines]) * self._net.scale + 1
        if presses > worth * got * self._net.scale:
            kernel.revert(self._net, self._left, self._found, lines)
            ground.touch(moved)
            return False
        self._uneased.add(self._next)
        self._keep(need, got, bucket, lines)
        return bool(self._covered[need] < self.problem.need_units[need])

    def ease(self) -> None:
        """Walk each tree again by effort alone, out of what nobody wants once all needs were asked; what takes less stays.

        Pressures tell nothing of the rests that whole units leave: a far supplier is pressed less than a near one by as much as the way
        takes, so to gather from either presses the same, though nobody asks for the near one's rest any more.
        """
        self._uneased.update(self._trees)
        self._ease()

    def _ease(self) -> None:
        """Do so with the trees that wait for it; what a call has no work left for goes on waiting."""
        while self._uneased:
            self._calm.touch(range(self.problem.things))
            any_gained = False
            for tree in sorted(self._uneased):
                if self._is_done:
                    return
                self._uneased.discard(tree)
                kept = self._trees.get(tree)
                # Who took its leftovers would have to be walked again as well, for little.
                if kept is not None and not kept.pinned and not self._takers.get(tree):
                    any_gained |= self._eased(tree, kept)
            if any_gained:
                self.fill(np.flatnonzero(self._covered < self.problem.need_units).tolist(), patience=PATIENCE)

    def _eased(self, tree: int, kept: _Tree) -> bool:
        """Let a tree be walked again by effort alone; return whether that takes less. Else it stands as it stood."""
        calm, net, need = self._calm, self._net, kept.need
        thing, place = int(self.problem.need_thing[need]), int(self.problem.need_place[need])
        before = self._effort(kept.lines)
        if not before:
            return False
        self._lines += len(kept.lines)
        broken = self._take_back(tree)
        calm.touch(sorted(self._touched_by(kept.lines)))
        lines = 0
        if not broken:
            calm.freshen(thing)
            if calm.ways.toll[thing, place, kept.end] < min(kernel.FAR, -(-before * net.scale // kept.units)):
                lines = self._of_less_effort(thing, place, kept, before)
        if not lines:
            self._take_again(tree, kept)
        else:
            table, sources = self._traced(tree, self._found.lines[:lines].copy())
            self._lines += len(table)
            self._stand(tree, replace(kept, lines=table, sources=sources, gain=kept.gain + before - self._effort(table)))
        calm.ran_out(self._trees[tree].lines)
        return lines > 0

    def _of_less_effort(self, thing: int, place: int, kept: _Tree, effort: int) -> int:
        """Take a tree for the same units that takes less effort; return how many lines it has, 0 where there is none."""
        calm, moved = self._calm, set[int]()
        lines = kernel.unfold(self._net, self._left, calm.ways, self._found, thing, place, kept.end, kept.units, False, False)
        got = kept.units
        if lines < 0 and self._is_scattered(thing):
            lines, got, moved = gather(calm, thing, place, kept.end, kept.units)
            calm.open()
        if lines > 0 and (got < kept.units or self._effort(self._found.lines[:lines]) >= effort):
            kernel.revert(self._net, self._left, self._found, lines)
            calm.touch(moved)
            return 0
        return max(lines, 0)

    def _take_again(self, tree: int, kept: _Tree) -> None:
        """Take all that a tree took before it was taken back."""
        problem, left = self.problem, self._left
        for line, row in enumerate(kept.lines.tolist()):
            what, units, runs, bucket = (row[column] for column in (kernel.WHAT, kernel.UNITS, kernel.RUNS, kernel.BEGIN))
            if row[kernel.KIND] == kernel.LOT:
                left.lot[what] -= units
            elif row[kernel.KIND] == kernel.LEFTOVER:
                left.over.ravel()[what] -= units
                self._hand_back(what, kept.sources[line], -units)
                self._takers.setdefault(kept.sources[line][0], set()).add(tree)
            elif row[kernel.KIND] == kernel.RUN:
                setups = int(left.batch[what, bucket] == 0)  # Another tree may have set the batch up meanwhile.
                kept.lines[line, kernel.SETUPS] = setups
                left.batch[what, bucket] += runs
                for use in range(int(problem.use_start[what]), int(problem.use_start[what + 1])):
                    left.pool[problem.use_pool[use], bucket] -= int(problem.use_grains[use]) * runs + int(problem.use_setup[use]) * setups
                for node, over in self._left_over_by(row):
                    left.over.ravel()[node] += over
        self._stand(tree, kept)

    def _is_scattered(self, thing: int) -> bool:
        if self._scattered is None:
            self._scattered = scattered(self.problem)
        return not self._scattered.isdisjoint(self._under[thing])

    def _when(self, need: int, toll: Ints) -> tuple[int, int, int]:
        """Return the best bucket to deliver in, the pressure there, and what is lost by being late; -1 where none is possible."""
        problem = self.problem
        last = min(int(problem.need_until[need]), problem.buckets - 1)
        due, rate = min(int(problem.need_due[need]), last), int(problem.need_late[need])
        best = (-1, 0, 0)
        least = kernel.FAR
        for bucket in range(due, last + 1):
            late = rate * (bucket - due)
            if toll[bucket] < kernel.FAR and toll[bucket] + late * self._net.scale < least:
                least = toll[bucket] + late * self._net.scale
                best = (bucket, int(toll[bucket]), late)
        return best

    def _effort(self, table: Ints) -> int:
        net = self._net
        runs, moves = table[table[:, kernel.KIND] == kernel.RUN], table[table[:, kernel.KIND] == kernel.MOVE]
        of_run = net.effort[runs[:, kernel.WHAT]]
        of_unit = net.arc_effort[moves[:, kernel.WHAT]] * net.load[moves[:, kernel.THING]]
        # One by one, as of a tree that is far from worth it 64 bits may not hold the effort.
        effort = sum(map(mul, of_run.tolist(), runs[:, kernel.RUNS].tolist()))
        return int(effort + sum(map(mul, of_unit.tolist(), moves[:, kernel.UNITS].tolist())))

    def _presses(self, lines: int) -> int:
        """Return the effort of a tree and all that it draws on at its pressure, times scale; what its runs give beside is not taken off."""
        problem, table, pressed = self.problem, self._found.lines[:lines], self._ground.ways
        total = self._effort(table) * self._net.scale
        for row in table.tolist():
            what = row[kernel.WHAT]
            if row[kernel.KIND] == kernel.LOT:
                total += row[kernel.UNITS] * int(pressed.thing[row[kernel.THING], problem.stock_place[what], row[kernel.END]])
            elif row[kernel.KIND] == kernel.LEFTOVER:
                total += row[kernel.UNITS] * int(pressed.thing.ravel()[what])
            elif row[kernel.KIND] == kernel.RUN:
                for use in range(int(problem.use_start[what]), int(problem.use_start[what + 1])):
                    grains = int(problem.use_grains[use]) * row[kernel.RUNS] + int(problem.use_setup[use]) * row[kernel.SETUPS]
                    total += grains * int(pressed.pool[problem.use_pool[use], row[kernel.BEGIN]])
        return total

    def _keep(self, need: int, units: int, bucket: int, lines: int) -> None:
        """Write down the tree that was just taken, and who left over what it took."""
        tree = self._next
        self._next += 1
        table, sources = self._traced(tree, self._found.lines[:lines].copy())
        late = int(self.problem.need_late[need]) * max(0, bucket - int(self.problem.need_due[need]))
        gain = (self._worth_of_next(need) - late) * units - self._effort(table)
        self._lines += len(table)
        self._stand(tree, _Tree(need, units, bucket, table, sources, gain))

    def _stand(self, number: int, tree: _Tree) -> None:
        """Let a tree stand whose lines are taken."""
        self._trees[number] = tree
        self._gain += tree.gain
        self._of_need[tree.need].add(number)
        self._covered[tree.need] += tree.units
        self._enter(number, list(range(len(tree.lines))), tree.lines)

    def _traced(self, tree: int, table: Ints) -> tuple[Ints, dict[int, tuple[int, int]]]:
        """Return the lines with every LEFTOVER split by who left it, and who that was."""
        sources: dict[int, tuple[int, int]] = {}
        added: list[list[int]] = []
        for line in np.flatnonzero(table[:, kernel.KIND] == kernel.LEFTOVER).tolist():
            wanted, row = int(table[line, kernel.UNITS]), line
            entries = self._overs[int(table[line, kernel.WHAT])]
            while wanted:
                entry = entries[0]
                part = min(wanted, entry[2])
                if row < 0:
                    added.append([*table[line].tolist()])
                    row = len(table) + len(added) - 1
                    added[-1][kernel.UNITS] = part
                else:
                    table[line, kernel.UNITS] = part
                sources[row] = (entry[0], entry[1])
                self._takers.setdefault(entry[0], set()).add(tree)
                entry[2] -= part
                wanted -= part
                row = -1
                if not entry[2]:
                    entries.pop(0)
        return (np.vstack([table, np.array(added, dtype=np.int64)]) if added else table), sources

    def _left_over_by(self, row: list[int]) -> list[tuple[int, int]]:
        """Return (node, units) of what a RUN line leaves over."""
        problem, activity = self.problem, row[kernel.WHAT]
        recipe = int(problem.activity_recipe[activity])
        found = []
        for each in range(int(problem.output_start[recipe]), int(problem.output_start[recipe + 1])):
            thing = int(problem.output_thing[each])
            out = row[kernel.RUNS] * int(problem.output_units[each]) * int(problem.yield_good[recipe]) // int(problem.yield_of[recipe])
            out -= row[kernel.UNITS] if thing == row[kernel.THING] else 0
            if out:
                node = (thing * problem.places + int(problem.activity_place[activity])) * problem.buckets + row[kernel.END]
                found.append((node, out))
        return found

    def _draws_on(self, row: list[int]) -> list[tuple[int, int]]:
        """Return (which, flat) of the lot, or of the batch and pools, that a line draws on."""
        problem, what = self.problem, row[kernel.WHAT]
        if row[kernel.KIND] == kernel.LOT:
            return [(kernel.HARD_LOT, what)]
        if row[kernel.KIND] != kernel.RUN:
            return []
        pools = problem.use_pool[problem.use_start[what] : problem.use_start[what + 1]].tolist()
        flat = [(kernel.HARD_POOL, pool * problem.buckets + row[kernel.BEGIN]) for pool in pools]
        return [(kernel.BATCH, what * problem.buckets + row[kernel.BEGIN]), *flat]

    def _release(self, tree: int) -> set[int]:
        """Take a tree back, with those that cannot do without it; return the needs that lost some."""
        losers: set[int] = set()
        waiting = [tree]
        while waiting:
            gone = waiting.pop()
            if gone not in self._trees:
                continue
            takers = sorted(self._takers.pop(gone, ()))
            losers.add(self._trees[gone].need)
            waiting += self._take_back(gone)
            for taker in takers:
                while taker in self._trees and (orphans := self._rests_on(taker, gone)):
                    if not self._graft(taker, orphans[0]):
                        waiting.append(taker)
                        break
        return losers

    def _rests_on(self, tree: int, source: int) -> list[int]:
        return [line for line, (its_source, _) in self._trees[tree].sources.items() if its_source == source]

    def _take_back(self, tree: int) -> list[int]:
        """Put back all that a tree took; return the trees whose batches break without it."""
        kept = self._trees.pop(tree)
        self._gain -= kept.gain
        self._of_need[kept.need].discard(tree)
        self._covered[kept.need] -= kept.units
        left, broken = self._left, []
        for line, row in enumerate(kept.lines.tolist()):
            kind, what, units = row[kernel.KIND], row[kernel.WHAT], row[kernel.UNITS]
            for key in self._draws_on(row):
                self._users[key].discard(tree)
            if kind == kernel.LOT:
                left.lot[what] += units
            elif kind == kernel.LEFTOVER:
                self._takers.get(kept.sources[line][0], set()).discard(tree)
                if kept.sources[line][0] in self._trees:
                    left.over.ravel()[what] += units
                    self._hand_back(what, kept.sources[line], units)
            elif kind == kernel.RUN:
                broken += self._unrun(tree, row)
        self._ground.touch(sorted(self._touched_by(kept.lines)))
        return broken

    def _touched_by(self, lines: Ints) -> set[int]:
        """Return the things whose ways may have changed where a tree was taken back."""
        return set(lines[:, kernel.THING].tolist()) | self._ground.beside(lines)

    def _graft(self, tree: int, line: int) -> bool:
        """Let a tree make or fetch what it took of another's leftovers, as that other went; False where nothing serves."""
        kept, problem, found = self._trees[tree], self.problem, self._found
        row = kept.lines[line].tolist()
        thing, units, (place, bucket) = row[kernel.THING], row[kernel.UNITS], divmod(row[kernel.WHAT], problem.buckets)
        place %= problem.places
        self._ground.freshen(thing)
        if self._ground.ways.toll[thing, place, bucket] >= kernel.FAR:
            return False
        lines = kernel.unfold(self._net, self._left, self._ground.ways, found, thing, place, bucket, units, False, False)
        if lines < 0:
            return False
        table = found.lines[:lines].copy()
        nodes = table[table[:, kernel.KIND] == kernel.LEFTOVER, kernel.WHAT].tolist()
        resting = self._resting_on(tree)
        if any(entry[0] in resting for node in nodes for entry in self._overs.get(node, ())):
            kernel.revert(self._net, self._left, found, lines)
            return False
        effort = self._effort(table)
        kept.gain -= effort
        self._gain -= effort
        table, sources = self._traced(tree, table)
        numbers = np.array([line, *range(len(kept.lines), len(kept.lines) + len(table) - 1)], dtype=np.int64)
        table[:, kernel.FEEDS] = np.where(table[:, kernel.FEEDS] < 0, row[kernel.FEEDS], numbers[table[:, kernel.FEEDS]])
        kept.lines = np.vstack([kept.lines, table[1:]])
        kept.lines[line] = table[0]
        del kept.sources[line]
        kept.sources.update({int(numbers[each]): source for each, source in sources.items()})
        self._enter(tree, numbers.tolist(), table)
        return True

    def _resting_on(self, tree: int) -> set[int]:
        """Return a tree and all that take what it, or one of those, left over."""
        seen: set[int] = set()
        waiting = [tree]
        while waiting:
            each = waiting.pop()
            if each not in seen:
                seen.add(each)
                waiting.extend(self._takers.get(each, ()))
        return seen

    def _enter(self, tree: int, numbers: list[int], table: Ints) -> None:
        """Write down what the lines of a tree draw on and leave over."""
        for line, row in zip(numbers, table.tolist(), strict=True):
            for key in self._draws_on(row):
                self._users.setdefault(key, set()).add(tree)
            if row[kernel.KIND] == kernel.RUN:
                for node, over in self._left_over_by(row):
                    self._overs.setdefault(node, []).append([tree, line, over])
        self._ground.ran_out(table)

    def _hand_back(self, node: int, source: tuple[int, int], units: int) -> None:
        for entry in self._overs.setdefault(node, []):
            if (entry[0], entry[1]) == source:
                entry[2] += units
                break
        else:
            self._overs[node].append([*source, units])
        self._overs[node] = [entry for entry in self._overs[node] if entry[2]]

    def _unrun(self, tree: int, row: list[int]) -> list[int]:
        """Take the runs of a line back; return the trees of its batch where that no longer keeps its rules."""
        problem, left, activity, bucket = self.problem, self._left, row[kernel.WHAT], row[kernel.BEGIN]
        recipe = int(problem.activity_recipe[activity])
        left.batch[activity, bucket] -= row[kernel.RUNS]
        runs = int(left.batch[activity, bucket])
        setups = row[kernel.SETUPS]
        for node, _ in self._left_over_by(row):
            gone = [entry for entry in self._overs.get(node, ()) if entry[0] == tree]
            left.over.ravel()[node] -= sum(entry[2] for entry in gone)
            self._overs[node] = [entry for entry in self._overs.get(node, ()) if entry[0] != tree]
        others = sorted(self._users[(kernel.BATCH, activity * problem.buckets + bucket)] - {tree})
        if setups and runs:
            setups -= self._set_up_by(others, activity, bucket)
        for use in range(int(problem.use_start[activity]), int(problem.use_start[activity + 1])):
            grains = int(problem.use_grains[use]) * row[kernel.RUNS] + int(problem.use_setup[use]) * setups
            left.pool[problem.use_pool[use], bucket] += grains
        if runs and (runs < problem.batch_least[recipe] or runs % problem.batch_multiple[recipe]):
            return others
        return []

    def _set_up_by(self, trees: list[int], activity: int, bucket: int) -> int:
        """Let another tree's line of the batch set it up; return 1 where there is one."""
        for tree in trees:
            if tree in self._trees:
                lines = self._trees[tree].lines
                same = (lines[:, kernel.KIND] == kernel.RUN) & (lines[:, kernel.WHAT] == activity) & (lines[:, kernel.BEGIN] == bucket)
                if same.any():
                    lines[int(np.flatnonzero(same)[0]), kernel.SETUPS] = 1
                    return 1
        return 0

    def need_changes(self, need: int, units: int) -> None:
        """Let a need ask for so many units from now on, and walk what that moves."""
        if units < 0:
            raise BadProblem(f"need {need} is to ask for {units}: 0 or more are expected")
        self._begin()
        self.problem.need_units[need] = units
        losers: set[int] = set()
        freed: set[int] = set()
        while self._covered[need] > units:
            tree = max(self._of_need[need])
            freed |= self._touched_by(self._trees[tree].lines)
            losers |= self._release(tree)
        self._settle_down({need}, losers, others=self._short_of(sorted(freed)) if freed else set())

    def add_need(
        self, thing: int, place: int, units: int, due: int, until: int, tier: int, worth: int, step: int = 0, late: int = 0
    ) -> int:
        """Add a need, walk it, and return its number."""
        said = {"thing": thing, "place": place, "units": units, "due": due, "until": until, "tier": tier}
        said |= {"worth": worth, "step": step, "late": late}
        rows: dict[str, Any] = {
            f"need_{name}": np.append(getattr(self.problem, f"need_{name}"), np.int64(value)) for name, value in said.items()
        }
        self.problem = replace(self.problem, **rows)
        self._covered = np.append(self._covered, np.int64(0))
        self._of_need.append(set())
        need = len(self._covered) - 1
        self._begin()
        self._settle_down({need}, set())
        return need

    def lot_changes(self, lot: int, units: int) -> None:
        """Let a lot hold so many units from now on, and walk what that moves."""
        if units < 0:
            raise BadProblem(f"lot {lot} is to hold {units}: 0 or more are expected")
        self._begin()
        more = units - int(self.problem.stock_units[lot])
        self.problem.stock_units[lot] = units
        self._left.lot[lot] += more
        losers = self._make_room((kernel.HARD_LOT, lot), lambda: int(self._left.lot[lot]))
        self._touch_both([int(self.problem.stock_thing[lot])])
        self._settle_down(self._short_of([int(self.problem.stock_thing[lot])]) if more > 0 else set(), losers, only_fill=True)

    def pool_changes(self, pool: int, bucket: int, grains: int) -> None:
        """Let a pool have so many grains in a bucket from now on, and walk what that moves."""
        if grains < 0:
            raise BadProblem(f"pool {pool} is to have {grains} grains: 0 or more are expected")
        self._begin()
        more = grains - int(self.problem.pool_grains[pool, bucket])
        self.problem.pool_grains[pool, bucket] = grains
        self._left.pool[pool, bucket] += more
        losers = self._make_room((kernel.HARD_POOL, pool * self.problem.buckets + bucket), lambda: int(self._left.pool[pool, bucket]))
        rows = np.flatnonzero(self.problem.use_pool == pool)
        activities = np.unique(np.searchsorted(self.problem.use_start, rows, side="right") - 1).tolist()
        things = sorted({thing for activity in activities for thing in self._ground.made_by(activity)})
        self._touch_both(things)
        self._settle_down(self._short_of(things) if more > 0 else set(), losers, only_fill=True)

    def _touch_both(self, things: list[int]) -> None:
        self._ground.touch(things)
        self._first.touch(things)
        self._scattered = None

    def pin(self, tree: int) -> None:
        """Keep a tree whole whatever else changes, unless what it draws on goes itself. Trees are numbered as `tree_numbers` says."""
        self._trees[tree].pinned = True

    def tree_numbers(self) -> list[int]:
        """Return the numbers of all trees, in the order in which a plan lists them; a number stays a tree's own."""
        return list(self._trees)

    def _make_room(self, key: tuple[int, int], left: Callable[[], int]) -> set[int]:
        """Take back the trees of least worth that draw on something overdrawn; accepted ones last."""
        losers: set[int] = set()
        while left() < 0:
            trees = sorted(self._users.get(key, ()), key=lambda tree: (self._trees[tree].pinned, self._worth_of(tree), -tree))
            losers |= self._release(trees[0])
        return losers

    def _worth_of(self, tree: int) -> int:
        return int(self.problem.need_worth[self._trees[tree].need])

    def _short_of(self, things: list[int]) -> set[int]:
        """Return the needs that miss something and whose thing is one of these or made of them."""
        above = {each for thing in things for each in self._above[thing].tolist()}
        missing = np.flatnonzero(self._covered < self.problem.need_units).tolist()
        return {need for need in missing if int(self.problem.need_thing[need]) in above}

    def _settle_down(
        self, touched: set[int], losers: set[int], *, only_fill: bool = False, others: "frozenset[int] | set[int]" = frozenset()
    ) -> None:
        """Walk the needs that may gain and those that lost; what lost or asks anew may then take from what is worth less.

        Then ``others`` may have of what is free.
        """
        losers, self._open = losers | self._open, set()
        self.fill(sorted(losers | (set() if only_fill else touched)))
        if only_fill:
            self.fill(sorted(touched), patience=PATIENCE)
        asked = (losers if only_fill else losers | touched) - self._open
        self._pressing.update(dict.fromkeys(asked, DISPLACED))
        for need in sorted(self._pressing, key=lambda need: (*self._rank(need), need)):
            self._displace(need)
        self.fill(sorted(others - losers - touched), patience=PATIENCE)
        self._ease()

    def _displace(self, need: int) -> None:
        """Let a short need take the place of trees that hold what it came by and are worth less, as long as all together gains.

        What a call has no work left for stays pressing.
        """
        while self._pressing[need] and self._covered[need] < self.problem.need_units[need]:
            if self._is_done:
                return
            self._pressing[need] -= 1
            worth, before = self._worth_of_next(need), self._gain
            holders = {tree for key in self._in_the_way(need) for tree in self._users.get(key, ())}
            victims = [tree for tree in holders if not self._trees[tree].pinned and self._worth_of(tree) < worth]
            if not victims:
                break
            victim = min(victims, key=lambda tree: (self._trees[tree].gain / self._trees[tree].units, -tree))
            losers, first = self._release(victim), self._next
            until, self._until = self._until, None  # Half of it would be worse than nothing.
            self.fill([need])
            self.fill(sorted(losers))
            if self._gain <= before:
                for tree in [tree for tree in self._of_need[need] if tree >= first]:
                    losers |= self._release(tree)
                self.fill(sorted(losers - {need}))
                self.fill([need])
                self._until = until
                break
            self._until = until
        del self._pressing[need]

    def _in_the_way(self, need: int) -> list[tuple[int, int]]:
        """Return which lots and pools are taken of the tree that a need would walk if it came first."""
        problem, found = self.problem, self._found
        thing, place = int(problem.need_thing[need]), int(problem.need_place[need])
        first = self._first
        first.freshen(thing)
        bucket, pressed, late = self._when(need, first.ways.toll[thing, place])
        if bucket < 0 or pressed > (self._worth_of_next(need) - late) * self._net.scale:
            return []  # Under the pressures, what it would take is worth more elsewhere.
        sip = min(int(problem.need_units[need] - self._covered[need]), max(1, int(problem.need_units[need]) // SIPS))
        lines, _ = kernel.reach(self._net, first.left, first.ways, found, thing, place, bucket, sip, False)
        if not lines and self._is_scattered(thing):
            lines, _, moved = gather(first, thing, place, bucket, sip)
            first.open()
            first.touch(moved)
        if not lines:
            return []
        kernel.revert(self._net, first.left, found, lines)
        taken: dict[tuple[int, int], int] = {}
        for row in found.lines[:lines].tolist():
            if row[kernel.KIND] == kernel.LOT:
                key = (kernel.HARD_LOT, row[kernel.WHAT])
                taken[key] = taken.get(key, 0) + row[kernel.UNITS]
            elif row[kernel.KIND] == kernel.RUN:
                for use in range(int(problem.use_start[row[kernel.WHAT]]), int(problem.use_start[row[kernel.WHAT] + 1])):
                    key = (kernel.HARD_POOL, int(problem.use_pool[use]) * problem.buckets + row[kernel.BEGIN])
                    taken[key] = taken.get(key, 0) + int(problem.use_grains[use]) * row[kernel.RUNS]
        pools = self._left.pool.ravel()
        return [key for key, want in taken.items() if (self._left.lot if key[0] == kernel.HARD_LOT else pools)[key[1]] < want]

    def plan(self) -> ProductionPlan:
        """Return the plan as it stands, with the pressures and the bound it was walked by."""
        first, count = {}, 0
        for tree, kept in self._trees.items():
            first[tree] = count
            count += len(kept.lines)
        table = np.zeros((count, kernel.COLUMNS), dtype=np.int64)
        of_tree = np.zeros(count, dtype=np.int64)
        for number, (tree, kept) in enumerate(self._trees.items()):
            rows = slice(first[tree], first[tree] + len(kept.lines))
            table[rows], of_tree[rows] = kept.lines, number
            table[rows, kernel.FEEDS] += np.where(kept.lines[:, kernel.FEEDS] == NEED, 0, first[tree])
            for line, (source, its_line) in kept.sources.items():
                table[first[tree] + line, kernel.WHAT] = first[source] + its_line
        trees = list(self._trees.values())
        column = {name: np.ascontiguousarray(table[:, at]) for at, name in enumerate(NAMES)}
        return ProductionPlan(
            tree_need=np.array([tree.need for tree in trees], dtype=np.int64),
            tree_units=np.array([tree.units for tree in trees], dtype=np.int64),
            tree_end=np.array([tree.end for tree in trees], dtype=np.int64),
            line_tree=of_tree,
            **column,
            scale=self.pressures.scale,
            thing_pressure=self.pressures.thing,
            pool_pressure=self.pressures.pool,
            bound=bound_of(self.problem, self.pressures),
        )


NAMES = ("line_kind", "line_what", "line_thing", "line_units", "line_runs", "line_setups", "line_begin", "line_end", "line_feeds")


def net_of(problem: ProductionProblem, scale: int, selves: Selves, *, every: bool = False) -> kernel.Net:
    """Return a problem in the rows that walkers read, with further selves of what lies on rings.

    A thing's makers are those that may be run for its sake, or ``every`` recipe it comes out of.
    """
    made_by = makers_of_things(problem)
    made: list[list[tuple[int, int]]] = [[] for _ in range(problem.things)]
    for activity, recipe in enumerate(problem.activity_recipe.tolist()):
        if problem.activity_lead[activity] < problem.buckets:
            for row in range(int(problem.output_start[recipe]), int(problem.output_start[recipe + 1])):
                thing = int(problem.output_thing[row])
                if every or recipe in made_by[thing]:
                    made[thing].append((activity, int(problem.output_units[row])))
    makers: list[list[tuple[int, int, int]]] = [[] for _ in selves.thing]
    for each, (thing, rounds) in enumerate(zip(selves.thing, selves.rounds, strict=True)):
        for activity, units in made[thing] if rounds else ():
            makers[each].append((activity, units, rounds - 1))
    maker_start, pairs = _listed(makers)
    maker = np.array(pairs, dtype=np.int64).reshape(-1, 3)
    lot_start, lots = _listed([np.flatnonzero(problem.stock_thing == thing).tolist() for thing in selves.thing])
    into_start, into = _listed([np.flatnonzero(problem.arc_to == place).tolist() for place in range(problem.places)])
    out_start, out = _listed([np.flatnonzero(problem.arc_from == place).tolist() for place in range(problem.places)])
    return kernel.Net(
        places=problem.places, buckets=problem.buckets, scale=scale, self_of=np.array(selves.thing, dtype=np.int64),
        maker_start=maker_start, maker=np.ascontiguousarray(maker[:, 0]), maker_units=np.ascontiguousarray(maker[:, 1]),
        maker_round=np.ascontiguousarray(maker[:, 2]),
        goes_round=selves.goes_round,
        lot_start=lot_start, lot=np.array(lots, dtype=np.int64), into_start=into_start, into=np.array(into, dtype=np.int64),
        out_start=out_start, out=np.array(out, dtype=np.int64),
        input_start=problem.input_start, input_thing=problem.input_thing, input_self=selves.of_inputs, input_units=problem.input_units,
        output_start=problem.output_start, output_thing=problem.output_thing, output_units=problem.output_units,
        good=problem.yield_good, of=problem.yield_of, batch_least=problem.batch_least, batch_multiple=problem.batch_multiple,
        recipe=problem.activity_recipe, place=problem.activity_place, lead=problem.activity_lead, effort=problem.activity_effort,
        use_start=problem.use_start, use_pool=problem.use_pool, use_grains=problem.use_grains, use_setup=problem.use_setup,
        lot_place=problem.stock_place, lot_bucket=problem.stock_bucket, load=problem.load,
        arc_from=problem.arc_from, arc_to=problem.arc_to, arc_effort=problem.arc_effort, arc_lead=problem.arc_lead,
    )  # fmt: skip


def _widest(problem: ProductionProblem) -> int:
    """Return how many entries one step of a walk may write beyond those it counted: a run's inputs, or its pools, trail and batch."""
    inputs, pools = (int(np.diff(start).max(initial=0)) for start in (problem.input_start, problem.use_start))
    return max(inputs, pools + 2)


def _listed(lists: Sequence[Sequence[_T]]) -> tuple[Ints, list[_T]]:
    start = np.concatenate(([0], np.cumsum([len(each) for each in lists], dtype=np.int64))).astype(np.int64)
    return start, [each for some in lists for each in some]


def _all_left(problem: ProductionProblem) -> kernel.Left:
    counts, nodes = len(problem.activity_place), (problem.things, problem.places, problem.buckets)
    nowhere = Trails.none(problem)
    return kernel.Left(
        lot=problem.stock_units.copy(),
        pool=problem.pool_grains.copy(),
        batch=np.zeros((counts, problem.buckets), dtype=np.int64),
        over=np.zeros(nodes, dtype=np.int64),
        lot_shut=np.zeros(len(problem.stock_units), dtype=bool),
        run_shut=np.zeros((counts, problem.buckets), dtype=bool),
        over_shut=np.zeros(nodes, dtype=bool),
        trail_lot=nowhere.lot,
        trail_run=nowhere.run,
        trail_move=nowhere.move,
        trail_wait=nowhere.wait,
    )


def _closures(problem: ProductionProblem, net: kernel.Net, selves: Selves) -> tuple[list[list[int]], list[Ints]]:
    """Return, for each thing, it and all it is made of, from the lowest on; and it and all that is made of it."""
    under: list[set[int]] = [set() for _ in net.self_of]
    order = selves_in_order(problem, selves)
    for each in order:
        rows = slice(int(net.maker_start[each]), int(net.maker_start[each + 1]))
        ways = set(zip(net.maker_round[rows].tolist(), net.recipe[net.maker[rows]].tolist(), strict=True))
        taken = [net.input_self[at, net.input_start[recipe] : net.input_start[recipe + 1]].tolist() for at, recipe in ways]
        under[each] = {each}.union(*(under[below] for some in taken for below in some))
    rank = {each: at for at, each in enumerate(order)}
    above: list[set[int]] = [set() for _ in range(problem.things)]
    for each, all_under in enumerate(under):
        for below in all_under:
            above[net.self_of[below]].add(each)
    return [sorted(each, key=rank.__getitem__) for each in under], [np.array(sorted(each), dtype=np.int64) for each in above]


def _sharing(problem: ProductionProblem) -> tuple[Ints, Ints]:
    """Return, for each activity, those that draw on one of its pools, itself among them, as starts and rows."""
    users: list[list[int]] = [[] for _ in problem.pool_place]
    pools = [problem.use_pool[a:b].tolist() for a, b in zip(problem.use_start[:-1], problem.use_start[1:], strict=True)]
    for activity, each in enumerate(pools):
        for pool in each:
            users[pool].append(activity)
    start, rows = _listed([sorted({activity, *(user for pool in each for user in users[pool])}) for activity, each in enumerate(pools)])
    return start, np.array(rows, dtype=np.int64)


def settled(problem: ProductionProblem, thing: kernel.Floats, pool: kernel.Floats) -> Pressures:
    """Return pressures near to these (in effort) that nothing undercuts, in whole numbers."""
    most = max(int(problem.need_worth.max(initial=1)), 1)
    clipped, pools_clipped = np.clip(thing, 0, most * 64), np.clip(pool, 0, most * 64)
    bits = _largest(problem, clipped, pools_clipped).bit_length()
    if bits > LARGEST_BITS:
        raise TooLarge(f"pressures of a run add up to a number of {bits} bits, more than {LARGEST_BITS}: count in coarser units")
    scale = 1 << min(FINEST_BITS, LARGEST_BITS - bits)
    things = np.floor(clipped * scale).astype(np.int64)
    pools = np.ceil(pools_clipped * scale).astype(np.int64)
    level, _ = levels_of_things(problem)
    order = np.array(sorted(range(problem.things), key=lambda each: (level[each], each)), dtype=np.int64)
    kernel.settle(net_of(problem, scale, selves_of(problem, 1), every=True), things, pools, order)
    return Pressures(things, pools, scale)


def _largest(problem: ProductionProblem, thing: kernel.Floats, pool: kernel.Floats) -> int:
    """Return what no sum of a run's pressures passes, nor the worth of a unit, nor what it takes to move one everywhere."""
    dearest = [int(each) + 1 for each in thing.max(axis=(1, 2), initial=0)]
    hour = [int(each) + 1 for each in pool.max(axis=1, initial=0)]
    most = [0] * problem.recipes
    for start, things, units in (
        (problem.input_start, problem.input_thing, problem.input_units),
        (problem.output_start, problem.output_thing, problem.output_units),
    ):
        for recipe, (first, end) in enumerate(pairwise(start.tolist())):
            rows = range(first, end)
            each = sum(int(units[row]) * dearest[things[row]] for row in rows)
            most[recipe] = max(most[recipe], each)
    largest = 16 * max(int(problem.need_worth.max(initial=1)), problem.most_effort, 1)
    for activity, recipe in enumerate(problem.activity_recipe.tolist()):
        rows = range(int(problem.use_start[activity]), int(problem.use_start[activity + 1]))
        hours = sum(int(problem.use_grains[row]) * hour[problem.use_pool[row]] for row in rows)
        run = most[recipe] + hours + int(problem.activity_effort[activity])
        largest = max(largest, run * int(problem.yield_of[recipe]))
    return largest


def bound_of(problem: ProductionProblem, pressures: Pressures) -> int:
    """Return the bound that follows from pressures for a problem whose needs, lots and hours may have changed since."""
    plan = replace(ProductionPlan.empty(problem), scale=pressures.scale, thing_pressure=pressures.thing, pool_pressure=pressures.pool)
    return bound_that_follows(problem, plan)
