"""The solver: an island of whole numbers. Arrays in, arrays out; no id, no clock, no stream, no price.

``import solver`` loads numpy alone; the flow engine is loaded by the first solve.
"""

from solver.errors import BadProblem, EngineFault, SolverError, TooLarge
from solver.exchanges import Exchange, improving_exchanges, tier_inversions
from solver.fairness import Rule, exact_levels, levels_before, staircase, total_urgency
from solver.field import Comparison, Field, prepare
from solver.possible import PossibleArcs
from solver.pressure import least_pressures, read_pressure
from solver.problem import TIERS, Allocation, Gap, Problem
from solver.rules import broken_rules, is_proven
from solver.sifting import Arcs, Candidates, DenseCandidates, solve_on_demand
from solver.solving import solve

__all__ = [
    "TIERS",
    "Allocation",
    "Arcs",
    "BadProblem",
    "Candidates",
    "Comparison",
    "DenseCandidates",
    "EngineFault",
    "Exchange",
    "Field",
    "Gap",
    "PossibleArcs",
    "Problem",
    "Rule",
    "SolverError",
    "TooLarge",
    "broken_rules",
    "exact_levels",
    "improving_exchanges",
    "is_proven",
    "least_pressures",
    "levels_before",
    "prepare",
    "read_pressure",
    "solve",
    "solve_on_demand",
    "staircase",
    "tier_inversions",
    "total_urgency",
]
