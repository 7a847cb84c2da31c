"""Planning of making: recipes over several levels, machine hours, stock, ways and needs, as arrays in and trees out.

``import solver.making`` loads numpy alone; the linear program and the walkers are loaded by the first plan.
"""

from solver.making.loops import gainless_loops, levels_of_things
from solver.making.plan import (
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
from solver.making.planning import plan_making, walked
from solver.making.problem import ProductionProblem, tier_worths
from solver.making.rules import bound_that_follows, broken_rules

__all__ = [
    "NEED",
    "Kind",
    "ProductionPlan",
    "ProductionProblem",
    "bound_that_follows",
    "broken_rules",
    "coverage_of",
    "effort_of_lines",
    "gainless_loops",
    "gap",
    "levels_of_things",
    "place_of_lines",
    "plan_making",
    "pool_use",
    "produced",
    "tier_worths",
    "walked",
    "worth_of_plan",
]
