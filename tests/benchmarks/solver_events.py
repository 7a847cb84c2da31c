"""How long one event takes in a field of any size, in CPU time, and whether the optimum is still proven afterwards.

    python tests/benchmarks/solver_events.py --arcs 1000000 --instance uniform --fairness off --events 20000
    python tests/benchmarks/solver_events.py --arcs 1000000 --sustained 1000000    # as many as fit, taken in by the thousand
    python tests/benchmarks/solver_events.py --arcs 100000 --sustained 100000      # ends in comparing the optimum with OR-Tools'
    python tests/benchmarks/solver_events.py --arcs 100000 --events 3000 --pinned  # arcs changed an event, all accepted at once

Events, in equal parts: an offer shrinks or grows (in three of ten cases by all it has: withdrawn, or back again), a need grows or
shrinks (in three of ten cases appears or is cancelled). Percentiles are over single calls, from Python, pressures brought up
to date; the certificate is checked by `solver.broken_rules` at the end. With --pinned, whatever flows is pinned at once.
"""

import argparse
import time

import numpy as np
from solver_instances import plane

from solver import Allocation, Gap, Problem, broken_rules, total_urgency
from solver.engine.stock import best_flow
from solver.fairness import worth_of
from solver.field import Field

WHOLE = 0.3  # of all events change a whole quantity
AT_ONCE = 1_000  # events handed over in one call when sustained
COMPARED = 100_000  # arcs up to which OR-Tools solves the same again

Events = tuple[np.ndarray, np.ndarray, np.ndarray]


def events_of(problem: Problem, count: int, seed: int) -> Events:
    """Return (count,) each: whether it happens at an offer, where, and how many units there are from then on."""
    rng = np.random.default_rng(seed)
    at_offer, whole = rng.random(count) < 0.5, rng.random(count) < WHOLE
    position = np.where(at_offer, rng.integers(0, len(problem.supply), count), rng.integers(0, len(problem.demand), count))
    more = rng.integers(1, 21, count) * np.where(rng.random(count) < 0.5, 1, -1)
    now = {True: problem.supply.tolist(), False: problem.demand.tolist()}
    usual = {True: problem.supply.tolist(), False: problem.demand.tolist()}
    units = np.zeros(count, dtype=np.int64)
    for event, (side, place) in enumerate(zip(at_offer.tolist(), position.tolist(), strict=True)):
        before = now[side][place]
        after = (0 if before else usual[side][place]) if whole[event] else max(0, before + int(more[event]))
        now[side][place] = units[event] = after
    return at_offer, position, units


def replay(field: Field, events: Events, *, pinned: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (events,) CPU milliseconds, nodes visited and, with ``pinned``, arcs changed by each event."""
    problem = field.problem()
    held = {True: problem.supply.tolist(), False: problem.demand.tolist()}
    spent, visited, changed = (np.zeros(len(events[0])) for _ in range(3))
    flow = field.flow() if pinned else np.zeros(0)
    for event, (side, place, units) in enumerate(zip(*(column.tolist() for column in events), strict=True)):
        change = field.offer_changes if side else field.need_changes
        before, start = nodes_visited(field), time.thread_time_ns()
        change(place, units - held[side][place])
        spent[event] = (time.thread_time_ns() - start) / 1e6
        visited[event] = nodes_visited(field) - before
        held[side][place] = units
        if pinned:
            after = field.flow()
            moved = np.flatnonzero(after != flow)
            for arc in moved.tolist():
                field.pin(arc, int(after[arc]))
            changed[event], flow = len(moved), after
    return spent, visited, changed


def nodes_visited(field: Field) -> int:
    """Return how many nodes all searches visited so far."""
    return int(field._layout.net.state[field._kernel.SETTLED])


def sustain(field: Field, events: Events) -> float:
    """Return the events a CPU second of this process when they come by the thousand and none waits."""
    start = time.process_time()
    for first in range(0, len(events[0]), AT_ONCE):
        field.take_in(*(column[first : first + AT_ONCE] for column in events))
    return len(events[0]) / (time.process_time() - start)


def prove(field: Field) -> None:
    """Print whether a rule is broken and, where that does not take long, whether OR-Tools finds the same optimum."""
    problem, flow = field.problem(), field.flow()
    broken = broken_rules(problem, Allocation(flow, *field.pressures(), field.worth, Gap(0, 0, 0), flow))
    print(f"broken rules: {len(broken)}", *broken[:3])
    if len(flow) <= COMPARED:
        other = best_flow(problem, worth_of(problem))
        values = [(total_urgency(problem, each), int((problem.effort * each).sum())) for each in (flow, other)]
        print("OR-Tools' optimum is", "equal" if values[0] == values[1] else f"OTHER: {values}")


def main() -> None:
    """Print what was asked for, and the certificate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arcs", type=int, default=100_000)
    parser.add_argument("--instance", choices=("uniform", "towns"), default="uniform")
    parser.add_argument("--fairness", choices=("off", "portions"), default="off")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--sustained", type=int, default=0, help="events that come by the thousand, after the single ones")
    parser.add_argument("--pinned", action="store_true", help="pin all that flows, and count the arcs each event changes")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()

    Field(plane("uniform", 100))  # compiles, or loads what was compiled before
    problem = plane(wanted.instance, wanted.arcs, fair=wanted.fairness == "portions", seed=wanted.seed)
    field = Field(problem)
    if wanted.pinned:
        field = Field(problem, pinned=field.flow())
    events = events_of(problem, wanted.events + wanted.sustained, wanted.seed + 1)
    spent, visited, changed = replay(field, tuple(column[: wanted.events] for column in events), pinned=wanted.pinned)
    print(f"{wanted.instance}, {wanted.arcs} arcs, fairness {wanted.fairness}, {wanted.events} events")
    if wanted.events:
        print("CPU ms p50 {:.4f} p90 {:.3f} p99 {:.2f} p99.9 {:.2f} max {:.1f}".format(*np.percentile(spent, [50, 90, 99, 99.9, 100])))
        print("nodes visited p50 {:.0f} p99 {:.0f} p99.9 {:.0f}".format(*np.percentile(visited, [50, 99, 99.9])))
    if wanted.pinned:
        print("arcs changed p50 {:.0f} p90 {:.0f} p99 {:.0f}".format(*np.percentile(changed, [50, 90, 99])))
    if wanted.sustained:
        a_second = sustain(field, tuple(column[wanted.events :] for column in events))
        print(f"sustained {wanted.sustained} events: {a_second:.0f} a CPU second")
    if not wanted.pinned:
        prove(field)


if __name__ == "__main__":
    main()
