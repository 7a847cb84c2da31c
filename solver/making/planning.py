"""A plan of making from nothing: a linear program for pressures and trails, then walkers in whole units."""

from typing import TYPE_CHECKING

import numpy as np

from solver.making.plan import ProductionPlan
from solver.making.problem import ProductionProblem
from solver.problem import Ints

if TYPE_CHECKING:
    from solver.making.walkers import Walkers

__all__ = ["plan_making", "walked"]


def plan_making(problem: ProductionProblem, engine: str = "glop") -> ProductionPlan:
    """Return a plan with its bound: walkers follow a linear program's plan as far as whole units allow, then fill what is left."""
    return walked(problem, engine).plan()


def walked(problem: ProductionProblem, engine: str = "glop") -> "Walkers":
    """Return the walkers of a problem at rest, ready for what changes."""
    from solver.engine.making_lp import relax  # noqa: PLC0415 - loading OR-Tools takes half a second
    from solver.making.walkers import Trails, Walkers, settled  # noqa: PLC0415 - and so does the compiled code

    relaxed = relax(problem, engine)
    walkers = Walkers(problem, settled(problem, relaxed.thing_dual, relaxed.pool_dual))
    # What nobody asks for costs the program nothing to deliver where it lies, so it may tell of far more than that.
    wanted: Ints = np.rint(np.minimum(relaxed.covered, problem.need_units[:, None])).astype(np.int64)
    walkers.follow(Trails(relaxed.taken, relaxed.runs, relaxed.moves, relaxed.waits), wanted)
    walkers.fill(strict=True)
    walkers.fill()
    return walkers
