"""The linear program of making in arc form, by OR-Tools: runs, moves, waiting and coverage, without batches and set-ups."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ortools.linear_solver.python import model_builder_helper
from scipy.sparse import coo_matrix

from solver.errors import EngineFault
from solver.making.problem import ProductionProblem
from solver.problem import Ints

__all__ = ["Relaxed", "relax"]

Floats = NDArray[np.float64]
# One thread, so that the answer is the same each time.
NEAR = "termination_criteria { simple_optimality_criteria { eps_optimal_relative: 1e-6 eps_optimal_absolute: 1e-6 } } num_threads: 1"
ENGINES = {"glop": "GLOP", "pdlp": "PDLP"}


@dataclass(frozen=True, slots=True, eq=False)
class Relaxed:
    """The optimum of the linear program, as far as floating point goes; nothing here is proof of anything."""

    runs: Floats  # (A, T) begun in each bucket
    moves: Floats  # (E, S, T) that leave in each bucket
    taken: Floats  # (K,) of each lot
    waits: Floats  # (S, P, T) on from each bucket to the next
    covered: Floats  # (N, T) delivered in each bucket
    thing_dual: Floats  # (S, P, T)
    pool_dual: Floats  # (H, T)
    worth: float


class _Columns:
    """Columns of the program as they are added: bounds, worth and entries."""

    def __init__(self) -> None:
        self.count = 0
        self.most: list[Floats] = []
        self.worth: list[Floats] = []
        self.row: list[Ints] = []
        self.column: list[Ints] = []
        self.entry: list[Floats] = []

    def add(self, worth: Ints | Floats, most: Ints | Floats | float = np.inf) -> Ints:
        numbers = np.arange(self.count, self.count + len(worth), dtype=np.int64)
        self.count += len(worth)
        self.worth.append(worth.astype(np.float64))
        self.most.append(np.broadcast_to(np.asarray(most, dtype=np.float64), worth.shape))
        return numbers

    def put(self, row: Ints, column: Ints, entry: Floats | float) -> None:
        row, column, value = np.broadcast_arrays(row, column, np.asarray(entry, dtype=np.float64))
        self.row.append(row.ravel())
        self.column.append(column.ravel())
        self.entry.append(value.ravel())


def relax(problem: ProductionProblem, lot_effort: Floats | None = None, *, engine: str = "glop") -> Relaxed:
    """Return the optimum of the linear program and its duals; `EngineFault` where the engine ends without one.

    Rows are one balance for each thing, place and bucket and one for each pool and bucket. ``lot_effort`` (K,) is the effort of a unit of
    each lot that is taken, none where left out.
    """
    things, places, buckets = problem.things, problem.places, problem.buckets
    nodes = things * places * buckets
    columns = _Columns()
    runs = _runs(problem, columns, nodes)
    moves = _moves(problem, columns)
    taken = columns.add(-(np.zeros(len(problem.stock_units)) if lot_effort is None else lot_effort), problem.stock_units)
    columns.put(_node(problem, problem.stock_thing, problem.stock_place, problem.stock_bucket), taken, 1.0)
    all_nodes = np.arange(nodes).reshape(things, places, buckets)
    waits = columns.add(np.zeros(all_nodes[:, :, :-1].size))
    columns.put(all_nodes[:, :, :-1].ravel(), waits, -1.0)
    columns.put(all_nodes[:, :, 1:].ravel(), waits, 1.0)
    need, bucket, given, extra = _coverage(problem, columns, nodes)

    rows = nodes + problem.pool_grains.size + extra
    lower = np.concatenate((np.zeros(nodes), np.full(problem.pool_grains.size, -np.inf), np.zeros(extra)))
    upper = np.concatenate((np.full(nodes, np.inf), problem.pool_grains.ravel().astype(np.float64), np.full(extra, np.inf)))
    value, dual, worth = _solve(columns, rows, lower, upper, engine)
    flow = np.zeros((len(problem.arc_from), things, buckets))
    flow[moves[0], moves[1], moves[2]] = value[moves[3]]
    made = np.zeros((len(problem.activity_place), buckets))
    made[runs[0], runs[1]] = value[runs[2]]
    kept = np.zeros((things, places, buckets))
    kept[:, :, :-1] = value[waits].reshape(things, places, buckets - 1)
    covered = np.zeros((len(problem.need_units), buckets))
    np.add.at(covered, (need, bucket), value[given])
    thing_dual = np.abs(dual[:nodes].reshape(things, places, buckets))
    pool_dual = np.abs(dual[nodes : nodes + problem.pool_grains.size].reshape(problem.pool_grains.shape))
    return Relaxed(made, flow, value[taken], kept, covered, thing_dual, pool_dual, worth)


def _node(problem: ProductionProblem, thing: Ints, place: Ints, bucket: Ints) -> Ints:
    node: Ints = (thing * problem.places + place) * problem.buckets + bucket
    return node


def _runs(problem: ProductionProblem, columns: _Columns, nodes: int) -> tuple[Ints, Ints, Ints]:
    """Add a column for each activity and bucket in which it can be begun and be done; return activity, bucket, column."""
    width = np.maximum(problem.buckets - problem.activity_lead, 0)
    activity = np.repeat(np.arange(len(width)), width)
    bucket = np.arange(len(activity)) - np.repeat(np.cumsum(width) - width, width)
    column = columns.add(-problem.activity_effort[activity])
    recipe, place, lead = problem.activity_recipe[activity], problem.activity_place[activity], problem.activity_lead[activity]
    good = (problem.yield_good / problem.yield_of)[recipe]
    for start, thing, units, sign, when in (
        (problem.output_start, problem.output_thing, problem.output_units, good, bucket + lead),
        (problem.input_start, problem.input_thing, problem.input_units, np.full(len(recipe), -1.0), bucket),
    ):
        each, row = _spread(start, recipe)
        columns.put(_node(problem, thing[row], place[each], when[each]), column[each], units[row] * sign[each])
    each, row = _spread(problem.use_start, activity)
    columns.put(nodes + problem.use_pool[row] * problem.buckets + bucket[each], column[each], problem.use_grains[row].astype(np.float64))
    return activity, bucket, column


def _spread(start: Ints, owner: Ints) -> tuple[Ints, Ints]:
    """Return, for every owner in turn, its own position once for each row it has, and those rows."""
    width = start[owner + 1] - start[owner]
    each = np.repeat(np.arange(len(owner)), width)
    row = start[owner][each] + np.arange(len(each)) - np.repeat(np.cumsum(width) - width, width)
    return each, row


def _moves(problem: ProductionProblem, columns: _Columns) -> tuple[Ints, Ints, Ints, Ints]:
    """Add a column for each arc, thing and bucket in which it can leave and arrive; return arc, thing, bucket, column."""
    arc, thing, bucket = (
        each.ravel()
        for each in np.meshgrid(np.arange(len(problem.arc_from)), np.arange(problem.things), np.arange(problem.buckets), indexing="ij")
    )
    inside = bucket + problem.arc_lead[arc] < problem.buckets
    arc, thing, bucket = arc[inside], thing[inside], bucket[inside]
    column = columns.add(-problem.arc_effort[arc] * problem.load[thing])
    columns.put(_node(problem, thing, problem.arc_from[arc], bucket), column, -1.0)
    columns.put(_node(problem, thing, problem.arc_to[arc], bucket + problem.arc_lead[arc]), column, 1.0)
    return arc, thing, bucket, column


def _coverage(problem: ProductionProblem, columns: _Columns, nodes: int) -> tuple[Ints, Ints, Ints, int]:
    """Add what each need gets, by level and bucket; return need, bucket and column of deliveries, and how many rows tie them to levels."""
    first, last = problem.need_due, np.minimum(problem.need_until, problem.buckets - 1)
    first = np.minimum(first, last)
    start = np.where(problem.need_late > 0, first, last)
    width = np.where(problem.need_until >= 0, last - start + 1, 0)
    need = np.repeat(np.arange(len(width)), width)
    bucket = np.arange(len(need)) - np.repeat(np.cumsum(width) - width, width) + np.repeat(start, width)
    late = np.maximum(bucket - problem.need_due[need], 0) * problem.need_late[need]
    given = columns.add(-late)
    columns.put(_node(problem, problem.need_thing[need], problem.need_place[need], bucket), given, -1.0)
    tie = nodes + problem.pool_grains.size
    columns.put(tie + need, given, 1.0)
    for level in range(problem.levels):
        units = -(-(level + 1) * problem.need_units // problem.levels) - -(-level * problem.need_units // problem.levels)
        step = columns.add(problem.need_worth - level * problem.need_step, units)
        columns.put(tie + np.arange(len(units)), step, -1.0)
    return need, bucket, given, len(problem.need_units)


def _solve(columns: _Columns, rows: int, lower: Floats, upper: Floats, engine: str) -> tuple[Floats, Floats, float]:
    entries = (np.concatenate(columns.entry), (np.concatenate(columns.row), np.concatenate(columns.column)))
    matrix = coo_matrix(entries, shape=(rows, columns.count)).tocsr()
    model = model_builder_helper.ModelBuilderHelper()
    worth, most = np.concatenate(columns.worth), np.concatenate(columns.most)
    fill: Any = model.fill_model_from_sparse_data
    fill(np.zeros(columns.count), most, -worth, lower, upper, matrix)
    solver = model_builder_helper.ModelSolverHelper(ENGINES[engine])
    if engine == "pdlp":
        solver.set_solver_specific_parameters(NEAR)
    solver.solve(model)
    if solver.status() != model_builder_helper.SolveStatus.OPTIMAL:
        raise EngineFault(f"{engine} ended with {solver.status()} ({solver.status_string()}) on {rows} rows where an optimum always exists")
    return np.asarray(solver.variable_values()), np.asarray(solver.dual_values()), -solver.objective_value()
