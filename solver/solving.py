"""The answer to a problem whose arcs are all known."""

from solver.engine import best_flow
from solver.fairness import worth_of
from solver.minimums import close_hopeless, mend
from solver.pressure import Pressures
from solver.problem import Allocation, Ints, Problem

__all__ = ["answer", "relax", "solve"]


def solve(problem: Problem) -> Allocation:
    """Return the allocation of the greatest total urgency and, among those, of the least effort, with the pressures that prove it.

    Parameters
    ----------
    problem : Problem
        M offers, N needs, K claims and A arcs; units and efforts are whole numbers.

    Returns
    -------
    Allocation
        Units on each arc (A,) and the least pressures of offers (M,), needs (N,) and claims (K,). Exact without minimum parts
        and packs; with them, the exact answer is mended by holding small parts and broken packs at more or keeping them to less,
        one after another, each by solving again (`solver.minimums`), and the gap is told. The same arrays give the same answer.

    Raises
    ------
    TooLarge
        Where 64 bits do not hold the weight of urgency over effort: give effort in a coarser unit.
    EngineFault
        Where the flow found is not optimal: a defect.

    Notes
    -----
    A minimum-cost flow over M + N + K nodes and A arcs. Where no two arcs share an end each carries what it can; else the flow is
    found by OR-Tools' cost scaling where arcs are few, and else by
    successive shortest paths in our own kernel (`solver.engine` says from how many on). `broken_rules` checks the certificate in
    O(A). Where most arcs never matter, `solve_on_demand` looks at few; where little changes from
    one question to the next, `Field` repairs the answer instead.

    References
    ----------
    A. Goldberg, An efficient implementation of a scaling minimum-cost flow algorithm, Journal of Algorithms 22, 1997.
    R. Busacker, P. Gowen, A procedure for determining a family of minimal-cost network flow patterns, 1960: successive paths.
    R. Ahuja, T. Magnanti, J. Orlin, Network Flows, 1993: optimality conditions, and convex costs as parallel arcs.
    """
    worth = worth_of(problem)
    flow, pressures = relax(problem, worth)
    return answer(problem, worth, flow, pressures)


def relax(problem: Problem, worth: int) -> tuple[Ints, Pressures]:
    """Return the optimal flow when parts may be of any size, and its pressures; a step of urgency weighs ``worth`` in effort."""
    return best_flow(close_hopeless(problem), worth)


def answer(problem: Problem, worth: int, relaxed_flow: Ints, pressures: Pressures) -> Allocation:
    """Return the allocation that mends ``relaxed_flow`` where parts are below their minimum."""
    flow, gap = mend(close_hopeless(problem), relaxed_flow)
    return Allocation(flow, *pressures, worth, gap, relaxed_flow)
