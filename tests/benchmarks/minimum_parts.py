"""How far answers with minimum parts, or packs, are from the true optimum, which CP-SAT finds on small networks, and from the relaxation.

    python -m tests.benchmarks.minimum_parts [--packs] [--cases 400] [--first 0]

Seeded networks of up to 6 offers and 12 needs under any fairness rule, in four tiers, minimum parts up to 20 units. With
``--packs`` each offer gives packs of 1 to 7 units beside. The optimum is that of urgency in tier 0, then in tier 1, 2, 3, then of
effort: each stage is a program of its own, which keeps what those before it reached. Gaps are in urgency, all tiers together; only
networks where the optimum without these has a part below its minimum or a broken pack are counted, as all others are answered exactly.
"""

import argparse
from dataclasses import dataclass, replace

import numpy as np
from ortools.sat.python import cp_model

from solver import Problem, solve, total_urgency
from solver.fairness import level_of, units_below
from solver.problem import TIERS, pack_of
from tests.solver.drawing import random_problem
from tests.support.programs import at_least_one

__all__ = ["Mended", "mended", "question", "rank_of", "true_optimum"]


@dataclass(frozen=True, slots=True)
class Mended:
    """One network where minimum parts or packs bite: urgency and units of the relaxation, the true optimum and our answer."""

    seed: int
    relaxed: int
    best: int
    ours: int
    best_units: int
    our_units: int
    our_rank: tuple[int, ...]  # urgency in each tier, then effort below zero
    best_rank: tuple[int, ...]


def question(seed: int, packs: bool = False) -> Problem:
    """Return the network of a seed, in packs of several sizes if asked."""
    draw = np.random.default_rng((seed, 5))
    problem = random_problem(
        seed,
        offers=int(draw.integers(2, 7)),
        needs=int(draw.integers(3, 13)),
        units=int(draw.integers(4, 41)),
        rule=str(draw.choice(["off", "portions", "ratio"])),
        minimum=int(draw.integers(2, 21)),
        density=float(draw.uniform(0.3, 1)),
        farthest=500,
        levels=int(draw.choice([4, 20])),
    )
    return replace(problem, pack=draw.choice([1, 2, 3, 5, 7], len(problem.supply))) if packs else problem


def rank_of(problem: Problem, flow: np.ndarray) -> tuple[int, ...]:
    """Return the urgency in each tier, then the effort below zero."""
    tier = problem.tier[problem.claim[problem.need]]
    apart = [np.where(tier == each, flow, 0) for each in range(TIERS)]
    return (*(total_urgency(problem, part) for part in apart), -sum((problem.effort * flow).tolist()))


def true_optimum(problem: Problem) -> np.ndarray:
    """Return the best (A,) flow in whole packs with every part at its minimum or 0, proven by CP-SAT."""
    model = cp_model.CpModel()
    most = np.minimum(np.minimum(problem.supply[problem.offer], problem.demand[problem.need]), problem.most)
    sizes = zip(most.tolist(), problem.minimum.tolist(), pack_of(problem).tolist(), strict=True)
    flow = [_part(model, f"part {arc}", *size) for arc, size in enumerate(sizes)]
    for ends, limits in ((problem.offer, problem.supply), (problem.need, problem.demand)):
        for end, limit in enumerate(limits.tolist()):
            model.add(sum(flow[arc] for arc in np.flatnonzero(ends == end)) <= limit)
    goals = [_urgency(model, problem, flow, tier) for tier in range(TIERS)]
    goals.append(-sum(int(effort) * units for effort, units in zip(problem.effort, flow, strict=True)))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    for goal in goals:
        model.maximize(goal)
        if solver.solve(model) != cp_model.OPTIMAL:
            raise RuntimeError(f"CP-SAT ended with {solver.status_name()}")
        model.add(goal >= round(solver.objective_value))
    return np.array([solver.value(units) for units in flow], dtype=np.int64)


def _part(model: cp_model.CpModel, name: str, most: int, minimum: int, pack: int) -> cp_model.LinearExprT:
    least, packs = max(1, -(-minimum // pack)), most // pack
    sizes = [[0, 0], [least, packs]] if packs >= least else [[0, 0]]
    return pack * model.new_int_var_from_domain(cp_model.Domain.from_intervals(sizes), name)


def _urgency(model: cp_model.CpModel, problem: Problem, flow: list[cp_model.LinearExprT], tier: int) -> cp_model.LinearExprT:
    """Return the urgency of a tier's claims: each level of a claim is a variable, and as later ones are worth less, they fill in turn."""
    worth: list[cp_model.LinearExprT] = []
    for claim in np.flatnonzero(problem.tier == tier).tolist():
        into = [flow[arc] for arc in np.flatnonzero(problem.claim[problem.need] == claim)]
        reach, steps, taken = int(problem.demand[problem.claim == claim].sum()), [], 0
        while taken < reach:
            level = level_of(problem, np.array([claim]), np.array([taken]))
            foot = min(reach, int(units_below(problem, np.array([claim]), level + 1)[0]))
            steps.append(model.new_int_var(0, foot - taken, f"level {level[0]} of {claim}"))
            worth.append((problem.levels * (4 - tier) - int(level[0])) * steps[-1])
            taken = foot
        model.add(sum(steps) == sum(into))
    return sum(worth)


def mended(seeds: range, packs: bool = False) -> list[Mended]:
    """Return what became of each network where minimum parts, or packs, bite."""
    found = []
    for seed in seeds:
        problem = question(seed, packs)
        allocation = solve(problem)
        if allocation.flow is allocation.relaxed_flow:
            continue
        best, flow = true_optimum(problem), allocation.flow
        urgencies = (total_urgency(problem, each) for each in (allocation.relaxed_flow, best, flow))
        found.append(Mended(seed, *urgencies, int(best.sum()), int(flow.sum()), rank_of(problem, flow), rank_of(problem, best)))
    return found


def main() -> None:
    """Print how many networks were bitten, how many ended below the true optimum and by how much."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packs", action="store_true", help="offers give packs of several sizes")
    parser.add_argument("--cases", type=at_least_one, default=400)
    parser.add_argument("--first", type=int, default=0)
    wanted = parser.parse_args()
    bitten = mended(range(wanted.first, wanted.first + wanted.cases), wanted.packs)
    below = [each for each in bitten if each.our_rank < each.best_rank]
    relaxed, best, ours = (sum(getattr(each, name) for each in bitten) for name in ("relaxed", "best", "ours"))
    units, our_units = sum(each.best_units for each in bitten), sum(each.our_units for each in bitten)
    worst = max(bitten, key=lambda each: (each.best - each.ours) / max(1, each.best))
    what = "minimum parts or packs" if wanted.packs else "minimum parts"
    print(f"{wanted.cases} networks, {what} bite in {len(bitten)}; {len(below)} of those ended below CP-SAT's optimum")
    print(f"urgency of CP-SAT's optimum below the relaxation  {1 - best / relaxed:8.3%}")
    print(f"urgency of our answer below the relaxation        {1 - ours / relaxed:8.3%}")
    print(f"urgency of our answer below CP-SAT's optimum      {1 - ours / best:8.3%}")
    print(f"units of our answer below CP-SAT's optimum        {1 - our_units / units:8.3%}")
    print(f"worst network (seed {worst.seed}), urgency                 {1 - worst.ours / max(1, worst.best):8.3%}")


if __name__ == "__main__":
    main()
