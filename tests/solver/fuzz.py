"""Differential fuzzing: each seed is a small question, answered by several solvers that share no code, and the answers compared.

    python -m tests.solver.fuzz [--cases 100000] [--first 0] [--processes 2]

A question has any fairness rule, tiers, claims of several needs, units received before, limits of pairs, and in part hysteresis,
minimum parts, packs or pinned units. Asked are our own engine cold, our field with what is pinned, OR-Tools, and where few answers
are possible all of them, with minimum parts and packs and without. Every answer passes the certificate and the search for exchanges.
"""

import argparse
import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from solver import Allocation, Field, Gap, Problem, broken_rules, exact_levels, improving_exchanges, solve, tier_inversions, total_urgency
from solver.engine.own import kernel_solve
from solver.engine.stock import best_flow
from solver.fairness import worth_of
from solver.minimums import close_hopeless
from solver.problem import pack_of
from tests.benchmarks.minimum_parts import rank_of
from tests.solver.drawing import feasible_flows, random_problem, without_pinned

__all__ = ["counted_out", "drawn", "faults"]

COUNTED_OUT = 500  # the most flows that are all looked at
CHUNK = 50  # cases a process takes at a time


def drawn(seed: int) -> Problem:
    """Return the question of a seed: a tiny one in one of two cases."""
    draw = np.random.default_rng((seed, 1))
    tiny = draw.random() < 0.5
    rule = str(draw.choice(["off", "portions", "ratio"]))
    problem = random_problem(
        seed,
        offers=int(draw.integers(1, 3 if tiny else 9)),
        needs=int(draw.integers(1, 4 if tiny else 13)),
        units=int(draw.integers(1, 3 if tiny else 40)),
        rule=rule,
        hysteresis=int(draw.integers(1, 5)) if draw.random() < 0.2 else 0,
        minimum=int(draw.integers(1, 8)) if draw.random() < 0.2 else 0,
        density=float(draw.uniform(0.2, 1)),
        farthest=int(draw.choice([0, 2, 50, 10**6])),
        levels=int(draw.choice([2, 4, 100, exact_levels(np.array([40 * 12, 40 * 12]))])),
    )
    return replace(problem, pack=draw.choice([1, 2, 3, 5], len(problem.supply))) if draw.random() < 0.2 else problem


def faults(seed: int) -> list[str]:
    """Return a sentence for each thing that is wrong with the answers to a seed's question."""
    problem = drawn(seed)
    usable = replace(close_hopeless(problem), minimum=np.zeros_like(problem.minimum), pack=None)  # The relaxation, which optima refer to.
    worth = worth_of(problem)
    flow, pressures = kernel_solve(usable, worth)
    value = _value(usable, flow)
    found = [f"own engine: {rule}" for rule in broken_rules(usable, Allocation(flow, *pressures, worth, Gap(0, 0, 0), flow))]
    found += _differs("OR-Tools", value, _value(usable, best_flow(usable, worth)))
    found += _differs("all flows counted out", value, counted_out(usable))
    found += _pinned(usable, flow, np.random.default_rng((seed, 2)))
    if not problem.hysteresis:
        found += [f"{exchange} improves" for exchange in improving_exchanges(problem, flow)]
        found += [f"{exchange} inverts tiers" for exchange in tier_inversions(problem, flow)]
    allocation = solve(problem)
    found += [f"solve: {rule}" for rule in broken_rules(problem, allocation)]
    found += _differs("solve", value, _value(usable, allocation.relaxed_flow))
    return found + _mended_worse(problem, allocation)


def _mended_worse(problem: Problem, allocation: Allocation) -> list[str]:
    """Compare what minimum parts and packs left to all flows that they allow, where these are few."""
    if allocation.flow is allocation.relaxed_flow or not _are_few(problem):
        return []
    flows = (np.array(flow, dtype=np.int64) for flow in feasible_flows(problem))
    allowed = (flow for flow in flows if not np.any((flow % pack_of(problem) != 0) | (flow > 0) & (flow < problem.minimum)))
    best, ours = max(rank_of(problem, flow) for flow in allowed), rank_of(problem, allocation.flow)
    return [] if ours == best else [f"mended to {ours}, best of all {best} (urgency by tier, effort below zero)"]


def _value(problem: Problem, flow: np.ndarray) -> tuple[int, int]:
    return total_urgency(problem, flow), -sum((problem.effort * flow).tolist())


def _differs(who: str, ours: tuple[int, int], theirs: tuple[int, int] | None) -> list[str]:
    return [] if theirs in (None, ours) else [f"{who}: {theirs}, own engine: {ours} (urgency, effort below zero)"]


def counted_out(problem: Problem) -> tuple[int, int] | None:
    """Return the best value of all flows there are, None where they are many."""
    if not _are_few(problem):
        return None
    return max(_value(problem, np.array(flow, dtype=np.int64)) for flow in feasible_flows(problem))


def _are_few(problem: Problem) -> bool:
    most = np.minimum(np.minimum(problem.supply[problem.offer], problem.demand[problem.need]), problem.most)
    return float(np.prod(most + 1.0)) <= COUNTED_OUT


def _pinned(problem: Problem, flow: np.ndarray, draw: np.random.Generator) -> list[str]:
    """Compare a field with units pinned to OR-Tools on what is left to decide."""
    pinned = np.where(draw.random(len(flow)) < 0.5, draw.integers(0, flow + 1), 0)
    field = Field(problem, pinned=pinned)
    rest = without_pinned(problem, pinned)
    chosen = field.flow() - pinned
    lost = [] if (chosen >= 0).all() else ["the field moved what was pinned"]
    return lost + _differs("OR-Tools beside what is pinned", _value(rest, chosen), _value(rest, best_flow(rest, worth_of(rest))))


def _tried(seed: int) -> tuple[int, list[str]]:
    try:
        return seed, faults(seed)
    except Exception as broke:  # Whatever breaks is what is looked for.
        return seed, [f"{type(broke).__name__}: {broke}"]


def _all_tried(seeds: range, processes: int) -> Iterator[tuple[int, list[str]]]:
    if processes == 1:
        yield from map(_tried, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(_tried, seeds, CHUNK)


def main() -> int:
    """Try every seed, print how to repeat each that failed, and return 1 if any did, or if interrupted before all were tried."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    wanted = parser.parse_args()
    tried = failed = 0
    with suppress(KeyboardInterrupt), Progress("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as progress:
        bar = progress.add_task("fuzz", total=wanted.cases)
        for seed, found in _all_tried(range(wanted.first, wanted.first + wanted.cases), min(wanted.processes, wanted.cases)):
            progress.advance(bar)
            tried += 1
            if found:
                failed += 1
                progress.console.print(f"python -m tests.solver.fuzz --first {seed} --cases 1", *found, sep="\n  ", markup=False)
    print(f"{tried} questions from seed {wanted.first} on, {failed} answered wrongly")
    return 1 if failed or tried < wanted.cases else 0


if __name__ == "__main__":
    sys.exit(main())
