"""The cold solve of our engine against OR-Tools' max-flow-min-cost on the same arrays, in one run, in CPU seconds.

    python tests/benchmarks/solver_cold.py --arcs 1000000 --instance uniform --fairness off

OR-Tools solves fairness off (it knows no staircases); with portions its time is shown for comparison and the objectives are not
compared. Compiling is not counted; building the network is, on both sides. Ours is told twice: as the first in its process, which OR-Tools
is too, and once more in memory that was in use before, as the machine may take long to hand over what no program had yet.
"""

import argparse
import time

import numpy as np
from ortools.graph.python import min_cost_flow
from solver_instances import plane

from solver import Allocation, Gap, Problem, broken_rules
from solver.engine import kernel, layout
from solver.fairness import worth_of


def ours(problem: Problem) -> tuple[float, float, float, layout.Layout]:
    """Return the CPU seconds to the flow, those of them that laying out took, those to the least pressures, and the solved network."""
    start = time.process_time()
    laid = layout.lay_out(problem, worth_of(problem), 0)
    laid_out = time.process_time()
    layout.solve_cold(laid, problem)
    solved = time.process_time()
    layout.pressures(laid)
    return solved - start, laid_out - start, time.process_time() - solved, laid


def theirs(problem: Problem) -> tuple[float, int, int]:
    """Return OR-Tools' CPU seconds, units delivered and effort."""
    start = time.process_time()
    offers, needs = len(problem.supply), len(problem.demand)
    network = min_cost_flow.SimpleMinCostFlow()
    network.add_arcs_with_capacity_and_unit_cost(problem.offer, offers + problem.need, problem.most, problem.effort)
    network.set_nodes_supplies(np.arange(offers + needs), np.concatenate([problem.supply, -problem.demand]))
    network.solve_max_flow_with_min_cost()
    return time.process_time() - start, network.maximum_flow(), network.optimal_cost()


def main() -> None:
    """Print both times, their ratio, whether the optima agree and whether ours is proven."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arcs", type=int, default=100_000)
    parser.add_argument("--instance", choices=("uniform", "towns"), default="uniform")
    parser.add_argument("--fairness", choices=("off", "portions"), default="off")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()

    start = time.process_time()
    ours(plane("uniform", 100))
    print(f"compile or load: {time.process_time() - start:.1f} s")
    problem = plane(wanted.instance, wanted.arcs, fair=wanted.fairness == "portions", seed=wanted.seed)
    spent, laying_out, proving, laid = ours(problem)
    del laid
    again, laying_out_again, _, laid = ours(problem)
    flow = laid.net.arc[: len(problem.offer), kernel.FLOW].copy()
    state = laid.net.state
    units, effort = int(flow.sum()), sum((flow * problem.effort).tolist())
    print(f"{wanted.instance}, {wanted.arcs} arcs, fairness {wanted.fairness}: {units / problem.demand.sum():.4f} of all demand covered")
    print(f"ours {spent:.3f} s, of which laying out took {laying_out:.3f}, and {proving:.3f} s for the least pressures")
    print(f"again {again:.3f} s, of which laying out took {laying_out_again:.3f}")
    print(f"searches {state[kernel.SEARCHES]}, nodes settled {state[kernel.SETTLED]}, ways {state[kernel.WAYS]}")
    other, their_units, their_effort = theirs(problem)
    print(f"OR-Tools {other:.3f} s; ratio {spent / other:.4f}, again {again / other:.4f}")
    if wanted.fairness == "off":
        print(
            "optima", "equal" if (units, effort) == (their_units, their_effort) else f"DIFFER: {units, effort} {their_units, their_effort}"
        )
    pressure = layout.pressures(laid)
    claims = layout.claim_pressures(laid, pressure, laid.claim_node)
    at_ends = pressure[laid.offer_node], pressure[laid.need_node], claims
    broken = broken_rules(problem, Allocation(flow, *at_ends, worth_of(problem), Gap(0, 0, 0), flow))
    print(f"broken rules: {len(broken)}", *broken[:3])


if __name__ == "__main__":
    main()
