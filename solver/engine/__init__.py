"""Where the optimal flow is found. Every engine answers the same question; which one does is decided here and nowhere else."""

from solver.problem import Ints, Problem

__all__ = ["best_flow"]


def best_flow(problem: Problem, worth: int) -> Ints:
    """Return the (A,) units on each arc that have the greatest total urgency and among those the least effort.

    Minimum parts are not looked at. ``worth`` is what one step of urgency weighs in effort. Raises `TooLarge` where the
    engine's numbers cannot hold the question, `EngineFault` where it finds no answer although there is one.
    """
    from solver.engine.stock import best_flow as stock_flow  # noqa: PLC0415 - loading OR-Tools takes half a second

    return stock_flow(problem, worth)
