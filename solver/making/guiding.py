"""What walkers are led by: the pressures and trails of linear programs, one for each cell, put together for the whole problem."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from solver.errors import EngineFault
from solver.making.cells import Cell, cells_of, part_of, to_be_had, variables
from solver.making.problem import ProductionProblem
from solver.making.walkers import Pressures, Trails, settled
from solver.problem import Ints

if TYPE_CHECKING:
    from solver.engine.making_lp import Relaxed

__all__ = ["MOST_A_CELL", "Guide", "guide_of", "led_by"]

Floats = NDArray[np.float64]
MOST_MULTIPLIED = 64  # times the greatest worth, of any pressure
MOST_A_CELL = 64_000  # variables of one linear program: GLOP takes some seconds for them


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """How short everything is, what linear programs would do, and what they would deliver.

    What they say in floating point is rounded to whole numbers, and those lowered until nothing undercuts them: all that follows
    from pressures is exact, whatever the engine did. Trails stay fractions; only plans follow them, never what is proven.
    """

    pressures: Pressures
    trails: Trails
    wanted: Ints  # (N, T)
    cells: int = 0
    largest: int = 0  # variables of the largest cell
    without: tuple[str, ...] = ()  # why cells have no linear program's optimum; their needs are walked all the same


def guide_of(problem: ProductionProblem, engine: str = "glop", most: int = MOST_A_CELL) -> Guide:
    """Return a guide for all of a problem, by linear programs of at most ``most`` variables each."""
    from solver.engine.making_lp import relax  # noqa: PLC0415 - loading OR-Tools takes half a second

    thing = _unheard_of(problem)
    pool = np.zeros(problem.pool_grains.shape)
    trails = Trails.none(problem)
    wanted = np.zeros((len(problem.need_units), problem.buckets))
    cells = cells_of(problem, most)
    largest, without = 0, []
    for cell in cells:
        part = part_of(problem, cell)
        largest = max(largest, variables(part))
        try:
            relaxed = relax(part, engine)
        except EngineFault as fault:
            without.append(str(fault))
            continue
        _take(problem, cell, relaxed, thing, pool, trails, wanted)
    # What nobody asks for costs the program nothing to deliver where it lies, so it may tell of far more than that.
    whole: Ints = np.rint(np.minimum(wanted, problem.need_units[:, None])).astype(np.int64)
    return Guide(settled(problem, thing, pool), trails, whole, len(cells), largest, tuple(without))


def led_by(problem: ProductionProblem, thing: Floats, pool: Floats) -> Guide:
    """Return a guide of nothing but pressures (in effort; NaN: nobody knows), as near to these as nothing undercuts."""
    known = np.where(np.isnan(thing), _unheard_of(problem), thing)
    none = np.zeros((len(problem.need_units), problem.buckets), dtype=np.int64)
    return Guide(settled(problem, known, pool), Trails.none(problem), none)


def _unheard_of(problem: ProductionProblem) -> Floats:
    """Return (S, P, T) pressures of things that no linear program tells of: none, but of what cannot be had at all.

    That is pressed so hard that no run which would take it undercuts what is worth most.
    """
    hard = float(int(problem.need_worth.max(initial=0)) * _most_of_one(problem))
    return np.repeat(np.where(to_be_had(problem)[0], 0.0, hard)[:, :, None], problem.buckets, axis=2)


def _take(problem: ProductionProblem, cell: Cell, relaxed: "Relaxed", thing: Floats, pool: Floats, trails: Trails, wanted: Floats) -> None:
    """Write down what a program says of its cell's own places; of a way between two cells, each says half."""
    own = cell.own
    mine = own[cell.places]
    here = np.ix_(cell.things, cell.places[mine])
    thing[here], trails.wait[here] = relaxed.thing_dual[:, mine], relaxed.waits[:, mine]
    for target, rows, said, place in (
        (pool, cell.pools, relaxed.pool_dual, problem.pool_place),
        (trails.lot, cell.lots, relaxed.taken, problem.stock_place),
        (trails.run, cell.activities, relaxed.runs, problem.activity_place),
        (wanted, cell.needs, relaxed.covered, problem.need_place),
    ):
        kept = own[place[rows]]
        target[rows[kept]] = said[kept]
    share = (own[problem.arc_from[cell.arcs]].astype(np.float64) + own[problem.arc_to[cell.arcs]]) / 2
    trails.move[np.ix_(cell.arcs, cell.things)] += relaxed.moves * share[:, None, None]


def _most_of_one(problem: ProductionProblem) -> int:
    """Return how many units a run gives of one that it takes, at most, as far as pressures may rise."""
    most = 1
    for first, end, taken, last in zip(
        problem.output_start[:-1].tolist(), problem.output_start[1:].tolist(),
        problem.input_start[:-1].tolist(), problem.input_start[1:].tolist(), strict=True,
    ):  # fmt: skip
        if taken < last:
            most = max(most, -(-int(problem.output_units[first:end].sum()) // int(problem.input_units[taken:last].min())))
    return min(most, MOST_MULTIPLIED)
