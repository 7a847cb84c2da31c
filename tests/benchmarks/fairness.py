"""How fair answers are, checked by a search for exchanges, and how long they take beside a sequence of linear programs; in one run.

    python tests/benchmarks/fairness.py [--needs 1000] [--seed 1]

Offers and needs as in `solver_instances`, in four tiers, with 1.3 times as much needed as there is. The sequence of programs is
the usual way to the leximin of coverage: lift the least of all shares as far as it goes, fix whom that holds back, repeat; tier by
tier, at last with the least effort (HiGHS, in fractions of units). Process seconds of both; compiling is not counted.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack, vstack
from solver_instances import LEVELS, NEAREST, PORTION, plane

from solver import Problem, exact_levels, improving_exchanges, staircase, tier_inversions
from solver.engine.own import kernel_solve
from solver.fairness import worth_of
from solver.problem import TIERS
from tests.support.programs import at_least_one

LOAD = 1.3  # needed units for each offered one
AT_ONCE = 5  # solves measured together
SLACK = 1e-5  # units that a need may give up of what an earlier program found, for rounding


def instance(name: str, needs: int, seed: int) -> Problem:
    """Return the nodes and arcs, without any rule of fairness."""
    problem = plane(name, needs * NEAREST, seed=seed)  # type: ignore[arg-type]
    demand = np.maximum(1, (problem.demand * (LOAD * problem.supply.sum() / problem.demand.sum())).astype(np.int64))
    tier = np.random.default_rng(seed).integers(0, TIERS, len(demand))
    return Problem.of(problem.supply, demand, problem.offer, problem.need, problem.effort, tier=tier)


def ruled(problem: Problem, rule: str, levels: int) -> Problem:
    """Return the problem under a rule; every need is a claim of its own."""
    rise, run, height = staircase(rule, PORTION, 1, problem.demand, levels)  # type: ignore[arg-type]
    return replace(problem, rise=rise, run=run, levels=height)


def ours(problem: Problem) -> tuple[float, np.ndarray]:
    """Return the process seconds of one solve, pressures included, and the flow."""
    worth = worth_of(problem)
    kernel_solve(problem, worth)
    start = time.process_time()
    for _ in range(AT_ONCE):
        flow, _ = kernel_solve(problem, worth)
    return (time.process_time() - start) / AT_ONCE, flow


def theirs(problem: Problem) -> tuple[float, int, np.ndarray]:
    """Return the process seconds of the sequence, how many programs it took, and the (N,) leximin coverage in fractions of units."""
    start = time.process_time()
    arcs, needs = len(problem.offer), len(problem.demand)
    each, ones = np.arange(arcs), np.ones(arcs)
    into = csr_array((ones, (problem.need, each)), shape=(needs, arcs))
    out_of = csr_array((ones, (problem.offer, each)), shape=(len(problem.supply), arcs))
    least, programs = np.zeros(needs), 0
    rising = np.zeros(needs, dtype=bool)
    for tier in range(TIERS):
        rising |= problem.tier[problem.claim] == tier
        while rising.any():
            share = csr_array(np.where(rising, problem.demand, 0).reshape(-1, 1).astype(float))
            nothing = csr_array((len(problem.supply) + needs, 1))
            held = np.where(rising, 0, np.maximum(least - SLACK, 0))
            found = linprog(
                np.append(np.zeros(arcs), -1),
                A_ub=vstack([hstack([-into, share]), hstack([vstack([out_of, into]), nothing])], format="csr"),
                b_ub=np.concatenate([-held, problem.supply, problem.demand]),
                bounds=[(0, None)] * arcs + [(0, 1)],
                method="highs",
            )
            programs += 1
            risen = found.x[-1]
            stuck = rising & ((-found.ineqlin.marginals[:needs] > 1e-9) | (risen > 1 - 1e-9))
            least[stuck] = risen * problem.demand[stuck]
            rising &= ~stuck
    linprog(
        problem.effort,
        A_ub=vstack([-into, out_of, into], format="csr"),
        b_ub=np.concatenate([SLACK - least, problem.supply, problem.demand]),
        method="highs",
    )
    return time.process_time() - start, programs + 1, least


def main() -> None:
    """Print, for each instance and rule, exchanges and inversions left, time, and how far from the fractional leximin."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--needs", type=at_least_one, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    heads = f"{'levels':>7} {'exchanges':>10} {'exact':>6} {'inversions':>11} {'ms':>8} {'ours / LPs':>11} {'units off':>10}"
    print(f"{'instance':10} {'rule':9} {heads}")
    for name in ("uniform", "towns"):
        problem = instance(name, wanted.needs, wanted.seed)
        seconds, programs, leximin = theirs(problem)
        for rule, levels in (("off", 1), ("portions", LEVELS), ("ratio", LEVELS), ("ratio", exact_levels(problem.demand))):
            question = ruled(problem, rule, levels)
            spent, flow = ours(question)
            covered = np.bincount(problem.need, flow, len(problem.demand))
            exact = len(improving_exchanges(question, flow, asked=problem.demand)) if rule == "ratio" else "-"
            found = f"{len(improving_exchanges(question, flow)):10} {exact:>6} {len(tier_inversions(question, flow)):11}"
            off = f"{np.abs(covered - leximin).max():10.2f}" if rule == "ratio" else f"{'-':>10}"
            print(f"{name:10} {rule:9} {question.levels:7} {found} {spent * 1e3:8.1f} {f'1/{seconds / spent:.0f}':>11} {off}", flush=True)
        print(f"{name:10} LPs       {programs:7} programs, {seconds:.2f} s")
    print("exchanges: units that could move to where they count more, by level; exact: by exact share of what was asked")


if __name__ == "__main__":
    main()
