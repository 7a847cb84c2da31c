"""Planning of making: recipes over several levels, machine hours, stock, ways and needs, as arrays in and trees out.

``import solver.making`` loads numpy alone; the linear program and the walkers are loaded by the first plan.
"""

from solver.making.loops import levels_of_things
from solver.making.lots import AssignedLots, UnsplitLots, assign_lots, broken_assignment
from solver.making.plan import (
    MOST_DRAWS,
    NEED,
    Kind,
    ProductionPlan,
    coverage_of,
    effort_of_lines,
    gap,
    place_of_lines,
    pool_use,
    produced,
    worth_of_plan,
)
from solver.making.planning import guided, plan_making, walked
from solver.making.problem import ProductionProblem, tier_worths
from solver.making.rounds import MOST_ROUNDS
from solver.making.rules import bound_that_follows, broken_rules
from solver.making.sequences import NEVER, Sequence, Workshop, broken_sequence, dispatch, lateness_of, sequence_jobs

__all__ = [
    "MOST_DRAWS",
    "MOST_ROUNDS",
    "NEED",
    "NEVER",
    "AssignedLots",
    "Kind",
    "ProductionPlan",
    "ProductionProblem",
    "Sequence",
    "UnsplitLots",
    "Workshop",
    "assign_lots",
    "bound_that_follows",
    "broken_assignment",
    "broken_rules",
    "broken_sequence",
    "coverage_of",
    "dispatch",
    "effort_of_lines",
    "gap",
    "guided",
    "lateness_of",
    "levels_of_things",
    "place_of_lines",
    "plan_making",
    "pool_use",
    "produced",
    "sequence_jobs",
    "tier_worths",
    "walked",
    "worth_of_plan",
]
