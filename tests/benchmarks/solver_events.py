"""How long one event takes in a field of any size, in CPU time, and whether the optimum is still proven afterwards.

    python tests/benchmarks/solver_events.py --arcs 1000000 --instance uniform --fairness off --events 20000

Events, in equal parts: an offer shrinks or grows (in three of ten cases by all it has: withdrawn, or back again), a need grows or
shrinks (in three of ten cases appears or is cancelled). Percentiles are over single calls, from Python, pressures brought up
to date; the certificate is checked by `solver.broken_rules` at the end.
"""

import argparse
import time

import numpy as np
from solver_instances import plane

from solver import Allocation, Gap, broken_rules
from solver.field import Field

WHOLE = 0.3  # of all events change a whole quantity


def replay(field: Field, events: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (events,) CPU milliseconds and nodes visited by each event."""
    rng = np.random.default_rng(seed)
    problem = field.problem()
    supply, demand = problem.supply.copy(), problem.demand.copy()
    spent, visited = np.zeros(events), np.zeros(events, dtype=np.int64)
    state, settled = field._layout.net.state, field._kernel.SETTLED
    for event in range(events):
        whole, at_offer = rng.random() < WHOLE, rng.random() < 0.5
        held, usual = (supply, problem.supply) if at_offer else (demand, problem.demand)
        position = int(rng.integers(len(held)))
        if whole:
            units = int(-held[position] if held[position] else usual[position])
        else:
            units = int(rng.integers(1, 21)) * (1 if rng.random() < 0.5 else -1)
            units = max(units, -int(held[position]))
        held[position] += units
        change = field.offer_changes if at_offer else field.need_changes
        before, start = int(state[settled]), time.thread_time_ns()
        change(position, units)
        spent[event] = (time.thread_time_ns() - start) / 1e6
        visited[event] = int(state[settled]) - before
    return spent, visited


def main() -> None:
    """Print the percentiles and the certificate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arcs", type=int, default=100_000)
    parser.add_argument("--instance", choices=("uniform", "towns"), default="uniform")
    parser.add_argument("--fairness", choices=("off", "portions"), default="off")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()

    Field(plane("uniform", 100))  # compiles, or loads what was compiled before
    field = Field(plane(wanted.instance, wanted.arcs, fair=wanted.fairness == "portions", seed=wanted.seed))
    replay(field, min(200, wanted.events), wanted.seed + 1)
    spent, visited = replay(field, wanted.events, wanted.seed + 2)
    print(f"{wanted.instance}, {wanted.arcs} arcs, fairness {wanted.fairness}, {wanted.events} events")
    print("CPU ms p50 {:.4f} p90 {:.3f} p99 {:.2f} p99.9 {:.2f} max {:.1f}".format(*np.percentile(spent, [50, 90, 99, 99.9, 100])))
    print(f"mean {spent.mean() * 1000:.1f} us: {1000 / spent.mean():.0f} events a second on one core")
    print("nodes visited p50 {:.0f} p99 {:.0f} p99.9 {:.0f}".format(*np.percentile(visited, [50, 99, 99.9])))
    flow = field.flow()
    broken = broken_rules(field.problem(), Allocation(flow, *field.pressures(), field.worth, Gap(0, 0, 0), flow))
    print(f"broken rules: {len(broken)}", *broken[:3])


if __name__ == "__main__":
    main()
