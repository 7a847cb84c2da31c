"""The answer to a problem whose arcs are all known."""

from solver.engine import best_flow
from solver.fairness import worth_of
from solver.minimums import close_hopeless, mend
from solver.pressure import least_pressures
from solver.problem import Allocation, Problem

__all__ = ["solve", "solve_at_worth"]


def solve(problem: Problem) -> Allocation:
    """Return the allocation of the greatest total urgency and, among those, of the least effort, with the pressures that prove it.

    Exact without minimum parts; with them, the exact answer mended in one pass (`solver.minimums`) and the gap. The same
    arrays give the same answer. Raises `TooLarge` where 64 bits do not hold the question, `EngineFault` for a defect.
    """
    return solve_at_worth(problem, worth_of(problem))


def solve_at_worth(problem: Problem, worth: int) -> Allocation:
    """Return what `solve` returns, with a step of urgency weighing ``worth`` in effort, at least `worth_of`."""
    relaxed = close_hopeless(problem)
    relaxed_flow = best_flow(relaxed, worth)
    offers, needs, claims = least_pressures(relaxed, relaxed_flow, worth)
    flow, gap = mend(relaxed, relaxed_flow)
    return Allocation(flow, offers, needs, claims, worth, gap, relaxed_flow)
