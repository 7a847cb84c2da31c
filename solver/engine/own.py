"""The optimal flow by our own kernel, with its least pressures."""

import numpy as np

from solver.engine import layout
from solver.engine.kernel import FLOW
from solver.fairness import margin_of
from solver.problem import Ints, Problem

__all__ = ["kernel_solve"]


def kernel_solve(problem: Problem, worth: int) -> tuple[Ints, tuple[Ints, Ints, Ints]]:
    """Return the optimal flow (A,) and the least pressures of offers (M,), needs (N,) and claims (K,) that prove it.

    First the greatest total urgency, then the least effort; minimum parts are not looked at. ``worth`` is what one step of
    urgency weighs in effort, at least `solver.fairness.worth_of`. Pressures are unique. Among optimal flows, it is the one found
    when needs ask tier by tier, in breadth-first order over the arcs from the first offer on, and of equal ways the first is
    taken: the same arrays give the same flow. Raises `TooLarge` where 64 bits do not hold the worth of a unit.
    """
    laid = layout.lay_out(problem, worth, margin_of(problem))
    layout.solve_cold(laid, problem)
    rows = laid.net.arc[:, FLOW]
    flow: Ints = rows[: len(problem.offer)].copy()
    held = np.flatnonzero(laid.twin >= 0)
    flow[held] += rows[laid.twin[held]]
    pressure = layout.pressures(laid)
    claims = layout.claim_pressures(laid, pressure, laid.claim_node)
    return flow, (pressure[laid.offer_node], pressure[laid.need_node], claims)
