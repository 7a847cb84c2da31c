"""What a planner of making answers: a tree for each delivery, with a line for every lot taken, run and move, and when."""

from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction

import numpy as np

from solver.making.problem import ProductionProblem
from solver.problem import Ints

__all__ = [
    "MOST_DRAWS",
    "NEED",
    "Kind",
    "ProductionPlan",
    "coverage_of",
    "effort_of_lines",
    "gap",
    "place_of_lines",
    "pool_use",
    "produced",
    "worth_of_plan",
]

MOST_DRAWS = (
    50  # lots, makers and leftovers that one input is drawn from: who brings less than such a part, but for the last, is passed over
)
NEED = -1  # what a line feeds that feeds its tree's need itself


class Kind(IntEnum):
    """What a line of a tree says."""

    STOCK = 0  # so many units of a lot are taken
    RUN = 1  # so many runs of an activity
    MOVE = 2  # so many units go along an arc
    LEFTOVER = 3  # units that came out of another line's run and were not needed there


@dataclass(frozen=True, slots=True, eq=False)
class ProductionPlan:
    """G trees of L lines in all, and the pressures that bound what any plan could be worth.

    A tree delivers ``tree_units`` of its need's thing at its need's place in bucket ``tree_end``: all of it or nothing, so it is
    one proposal. Its lines hang together: each feeds the line ``line_feeds`` (an index into all lines), or the need. A line is
    there from ``line_end`` on and may wait until what it feeds begins. Where a tree takes a `LEFTOVER`, it rests on another tree.
    """

    tree_need: Ints  # (G,)
    tree_units: Ints  # (G,)
    tree_end: Ints  # (G,) bucket of delivery
    line_tree: Ints  # (L,)
    line_kind: Ints  # (L,) a `Kind`
    line_what: Ints  # (L,) the lot of stock, the activity, the arc, or the line whose run left something over
    line_thing: Ints  # (L,) what it hands on
    line_units: Ints  # (L,) of that thing
    line_runs: Ints  # (L,) of a RUN; else 0
    line_setups: Ints  # (L,) 1 for the RUN that sets its batch up, else 0
    line_begin: Ints  # (L,) bucket in which inputs and hours are taken, or in which it leaves
    line_end: Ints  # (L,) bucket from which it is there
    line_feeds: Ints  # (L,) the line it feeds, or NEED
    scale: int  # pressures are in effort / scale
    thing_pressure: Ints  # (S, P, T) of one unit there and then
    pool_pressure: Ints  # (H, T) of one grain
    bound: int  # no plan of this problem is worth more; follows from the pressures by weak duality, in whole numbers

    @classmethod
    def empty(cls, problem: ProductionProblem) -> "ProductionPlan":
        """Return the plan that does nothing, with no pressure anywhere and the bound that follows."""
        bound = sum(int(w) * int(u) for w, u in zip(problem.need_worth, problem.need_units, strict=True))
        things = np.zeros((problem.things, problem.places, problem.buckets), dtype=np.int64)
        none = {name: np.zeros(0, dtype=np.int64) for name in cls.__slots__ if name.startswith(("tree_", "line_"))}
        pools = np.zeros_like(problem.pool_grains)
        return cls(**none, scale=1, thing_pressure=things, pool_pressure=pools, bound=bound)


def coverage_of(problem: ProductionProblem, plan: ProductionPlan) -> Ints:
    """Return (N,) units that each need gets."""
    covered = np.zeros(len(problem.need_units), dtype=np.int64)
    np.add.at(covered, plan.tree_need, plan.tree_units)
    return covered


def place_of_lines(problem: ProductionProblem, plan: ProductionPlan) -> Ints:
    """Return (L,) the place that does each line: where a lot lies, a run happens, or a move leaves."""
    place = np.full(len(plan.line_kind), -1, dtype=np.int64)
    for kind, places in ((Kind.STOCK, problem.stock_place), (Kind.RUN, problem.activity_place), (Kind.MOVE, problem.arc_from)):
        rows = plan.line_kind == kind
        place[rows] = places[plan.line_what[rows]]
    rows = plan.line_kind == Kind.LEFTOVER
    place[rows] = problem.activity_place[plan.line_what[plan.line_what[rows]]]
    return place


def effort_of_lines(problem: ProductionProblem, plan: ProductionPlan) -> Ints:
    """Return (L,) the effort of each line: that of its runs, or of moving its load."""
    effort = np.zeros(len(plan.line_kind), dtype=np.int64)
    runs, moves = plan.line_kind == Kind.RUN, plan.line_kind == Kind.MOVE
    effort[runs] = problem.activity_effort[plan.line_what[runs]] * plan.line_runs[runs]
    effort[moves] = problem.arc_effort[plan.line_what[moves]] * problem.load[plan.line_thing[moves]] * plan.line_units[moves]
    return effort


def pool_use(problem: ProductionProblem, plan: ProductionPlan) -> list[tuple[int, int, int]]:
    """Return (line, pool, grains) for each use that a RUN makes of a pool, set-up included, in order of line."""
    found: list[tuple[int, int, int]] = []
    for line in np.flatnonzero(plan.line_kind == Kind.RUN).tolist():
        activity = int(plan.line_what[line])
        for use in range(int(problem.use_start[activity]), int(problem.use_start[activity + 1])):
            hours = int(problem.use_grains[use] * plan.line_runs[line] + problem.use_setup[use] * plan.line_setups[line])
            if hours:
                found.append((line, int(problem.use_pool[use]), hours))
    return found


def produced(problem: ProductionProblem, activity: int, thing: int, runs: int) -> int:
    """Return how many units of a thing come out well of so many runs."""
    recipe = int(problem.activity_recipe[activity])
    rows = range(int(problem.output_start[recipe]), int(problem.output_start[recipe + 1]))
    units = sum(int(problem.output_units[row]) for row in rows if problem.output_thing[row] == thing)
    return runs * units * int(problem.yield_good[recipe]) // int(problem.yield_of[recipe])


def worth_of_plan(problem: ProductionProblem, plan: ProductionPlan) -> int:
    """Return the worth of all that is delivered less all effort; of one need's units the earlier ones count first."""
    total: int = -sum(effort_of_lines(problem, plan).tolist())
    covered = np.zeros(len(problem.need_units), dtype=np.int64).tolist()
    for tree in np.lexsort((np.arange(len(plan.tree_need)), plan.tree_end)).tolist():
        need, units = int(plan.tree_need[tree]), int(plan.tree_units[tree])
        late = max(0, int(plan.tree_end[tree] - problem.need_due[need])) * int(problem.need_late[need])
        total += units * (int(problem.need_worth[need]) - late) - int(problem.need_step[need]) * (
            _levels_below(covered[need] + units, int(problem.need_units[need]), problem.levels)
            - _levels_below(covered[need], int(problem.need_units[need]), problem.levels)
        )
        covered[need] += units
    return total


def gap(problem: ProductionProblem, plan: ProductionPlan) -> Fraction:
    """Return by which share of the bound the plan may fall short of the best; 0 where it is proven best."""
    return Fraction(plan.bound - worth_of_plan(problem, plan), max(plan.bound, 1))


def _levels_below(units: int, of: int, levels: int) -> int:
    """Return the sum of floor(q * levels / of) over the first ``units`` values of q."""
    # A level's first unit is ceil(level * of / levels); every unit from there on counts one more.
    return sum(max(0, units - -(-level * of // levels)) for level in range(1, levels))
