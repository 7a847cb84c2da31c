"""How long an event loop has to wait at most while a large field is built, changed and asked beside it or in it; in one run.

    python tests/benchmarks/solver_stalls.py --arcs 1000000 [--seconds 10]

Beside it: another thread works without any bound, and the loop has to come by the interpreter's lock. In it: the loop itself works
with a budget of visits a turn, and the longest of its turns is told. The loop beats every millisecond; told are the longest beat
that came late, the latest one of a thousand, and how many were more than 5 ms late. What other programs and the machine itself
cause is taken off (`beats.py` says how). Threads hand over the interpreter's lock as `coordinator serve` has them do. The rivals: the
same loop beside nothing, and OR-Tools.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable

import numpy as np
from beats import beside
from ortools.graph.python import min_cost_flow
from solver_events import Events, events_of
from solver_instances import plane

from coordinator.cli.serve import HANDED_OVER_S
from solver import Problem
from solver.engine.layout import _rows
from solver.field import Field, prepare

LATE_MS = 5.0
BUDGET = 2_000  # visits a turn
EVENTS = 300_000
AT_ONCE = 1_000  # events handed over in one call beside the loop

Waits = list[float]


def beside_loop(what: str, work: Callable[[], object]) -> None:
    """Print by how many milliseconds beats of a loop came late while another thread worked, and what went on until the late ones."""

    async def watched() -> tuple[Waits, dict[int, str]]:
        return await beside(asyncio.to_thread(work))

    waits, why = asyncio.run(watched())
    told(what, waits)
    for beat, reason in why.items():
        if waits[beat] > LATE_MS:
            print(f"    {waits[beat]:.1f} ms: {reason}", flush=True)


def told(what: str, waits: Waits) -> None:
    """Print what was waited for."""
    late = sum(wait > LATE_MS for wait in waits)
    print(f"{what:58} {max(waits):8.1f} {np.percentile(waits, 99.9):9.1f} {late:6} of {len(waits)}", flush=True)


def keep_asking(field: Field, seconds: float) -> None:
    """Ask for pressures again and again."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        field.pressures()


def take_in(field: Field, events: Events, seconds: float) -> None:
    """Take events in by the thousand."""
    end, done = time.perf_counter() + seconds, 0
    while time.perf_counter() < end and done < EVENTS:
        field.take_in(*(column[done : done + AT_ONCE] for column in events))
        done += AT_ONCE


def singly(field: Field, events: Events, seconds: float) -> None:
    """Take events in one by one."""
    end, done = time.perf_counter() + seconds, 0
    while time.perf_counter() < end and done < EVENTS:
        field.take_in(*(column[done : done + 1] for column in events))
        done += 1


def built_by_turns(problem: Problem) -> tuple[Field, Waits]:
    """Return a field and the CPU milliseconds of each turn that built it, of which the constructor is the first."""
    fields: list[Field] = []
    spent = [turn(lambda: fields.append(Field(problem, budget=BUDGET)))]
    while not fields[0].at_rest:
        spent.append(turn(lambda: fields[0].go_on(BUDGET)))
    return fields[0], spent


def changed_by_turns(field: Field, events: Events, seconds: float) -> Waits:
    """Return the CPU milliseconds of each turn that took in events, one by one, or settled them."""
    spent = []
    end, done = time.perf_counter() + seconds, 0
    while time.perf_counter() < end and done < EVENTS:
        if field.at_rest:
            part = tuple(column[done : done + 1] for column in events)
            spent.append(turn(lambda part=part: field.take_in(*part)))  # type: ignore[misc]
            done += 1
        else:
            spent.append(turn(lambda: field.go_on(BUDGET)))
    return spent


def checked_by_turns(problem: Problem) -> Waits:
    """Return the CPU milliseconds of each turn that made the same problem of its arrays, which checks them."""
    checking, spent = Problem.by_turns(problem.supply, problem.demand, problem.offer, problem.need, problem.effort), []
    while not checking.done:
        spent.append(turn(lambda: checking.go_on(BUDGET)))
    return spent


def grown_by_turns(field: Field) -> Waits:
    """Return the CPU milliseconds of each turn once one more offer and its arc find no room, so that all tables of both move."""
    used = field._layout.in_use()
    full = {}
    for name in ("node", "edge", "space", "gate", "arc", "cost", "place"):
        table = getattr(field._layout.net, name)[: used[name]]
        full[name] = _rows(table.shape, table.dtype)
        full[name][:] = table
    field._layout.net = field._layout.net._replace(**full, span=full["edge"].view(np.int32))
    del full, table  # They are given back once they have moved.
    return [turn(lambda: field.add_offer(1, [0], [1])), *settled(field)]


def built_anew_by_turns(field: Field) -> Waits:
    """Return the CPU milliseconds of each turn once an effort outgrows what a field was built for."""
    return [turn(lambda: field.add_offer(1, [0], [1 << 20])), *settled(field)]


def settled(field: Field) -> Waits:
    """Return the CPU milliseconds of each turn until a field is at rest."""
    spent = []
    while not field.at_rest:
        spent.append(turn(lambda: field.go_on(BUDGET)))
    return spent


def turn(work: Callable[[], object]) -> float:
    """Return the CPU milliseconds of one turn, which other programs do not lengthen."""
    start = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - start) / 1e6


def stock(problem: Problem) -> None:
    """Solve the problem by OR-Tools."""
    offers, needs = len(problem.supply), len(problem.demand)
    network = min_cost_flow.SimpleMinCostFlow()
    network.add_arcs_with_capacity_and_unit_cost(problem.offer, offers + problem.need, problem.most, problem.effort)
    network.set_nodes_supplies(np.arange(offers + needs), np.concatenate([problem.supply, -problem.demand]))
    network.solve_max_flow_with_min_cost()


def main() -> None:
    """Print each row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arcs", type=int, default=100_000)
    parser.add_argument("--instance", choices=("uniform", "towns"), default="uniform")
    parser.add_argument("--fairness", choices=("off", "portions"), default="off")
    parser.add_argument("--seconds", type=float, default=5)
    wanted = parser.parse_args()
    sys.setswitchinterval(HANDED_OVER_S)
    prepare()
    problem = plane(wanted.instance, wanted.arcs, fair=wanted.fairness == "portions")
    print(f"{wanted.instance}, {wanted.arcs} arcs, fairness {wanted.fairness}")
    print(f"{'ms that a beat came late, in an event loop beside':58} {'longest':>8} {'of 1 000':>9} {'more than 5 ms':>14}")
    beside_loop("nothing", lambda: time.sleep(wanted.seconds))
    beside_loop("a field being built", lambda: Field(problem))
    field, events = Field(problem), events_of(problem, EVENTS, 1)
    beside_loop("its events, one by one", lambda: singly(field, events, wanted.seconds))
    beside_loop("its events, by the thousand", lambda: take_in(field, events, wanted.seconds))
    beside_loop("its pressures being asked for", lambda: keep_asking(field, wanted.seconds))
    beside_loop("OR-Tools solving the same", lambda: stock(problem))
    print(f"CPU ms of a turn in the loop itself, {BUDGET} visits each")
    told("building (each turn)", built_by_turns(problem)[1])
    field, again = built_by_turns(problem)
    told("building again, in memory that was used before", again)
    told("changing (each turn)", changed_by_turns(field, events, wanted.seconds))
    told("a further arc, once all tables are full (each turn)", grown_by_turns(field))
    told("an effort beyond what it was built for (each turn)", built_anew_by_turns(field))
    told("before a field: checking the arrays (each turn)", checked_by_turns(problem))


if __name__ == "__main__":
    main()
