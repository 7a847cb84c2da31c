"""Where the optimal flow of a problem laid out from nothing is found: which engine answers is decided here and nowhere else."""

import numpy as np

from solver.pressure import Pressures, least_pressures
from solver.problem import Ints, Problem

__all__ = ["SMALL", "best_flow"]

# Arcs. With fewer, OR-Tools has answered before our own engine is even loaded (and, once in its life, compiled); with more, our
# own is several times as fast: `tests/benchmarks/solver_cold.py --arcs 3000` tells both. The same arrays always go the same way.
SMALL = 3_000


def best_flow(problem: Problem, worth: int) -> tuple[Ints, Pressures]:
    """Return the flow (A,) of the greatest total urgency and among those of the least effort, and the least pressures that prove it.

    Minimum parts are not looked at. ``worth`` is what one step of urgency weighs in effort. Raises `TooLarge` where the
    engine's numbers cannot hold the question, `EngineFault` where it finds no answer although there is one.
    """
    if _are_alone(problem):
        flow = np.minimum(np.minimum(problem.supply[problem.offer], problem.demand[problem.need]), problem.most)
        return flow, least_pressures(problem, flow, worth)
    if len(problem.offer) >= SMALL:
        from solver.engine.own import kernel_solve  # noqa: PLC0415 - loading the compiled code takes half a second

        return kernel_solve(problem, worth)
    from solver.engine.stock import best_flow as stock_flow  # noqa: PLC0415 - so does OR-Tools

    flow = stock_flow(problem, worth)
    return flow, least_pressures(problem, flow, worth)


def _are_alone(problem: Problem) -> bool:
    """Whether no two arcs share an offer, a need or a claim: then none competes with another, and each carries what it can."""
    ends = (problem.offer, problem.need, problem.claim[problem.need])
    room = min(len(problem.supply), len(problem.demand), len(problem.tier))  # More arcs than this share some end.
    return len(problem.offer) <= room and all(len(np.unique(end)) == len(end) for end in ends)
