"""The reference network: what walkers' plans are worth beside the linear program, and what an event takes, in CPU seconds.

    python tests/benchmarks/making.py --places 200 --events 100

The linear program knows no whole units, so its worth is out of reach for any plan; the bound follows from its duals. An event
changes what a need asks for, a lot or hours, or brings a need. Compiling is not counted.
"""

import argparse
import time

import numpy as np

from solver.engine.making_lp import relax
from solver.making import ProductionPlan, ProductionProblem, broken_rules, coverage_of, plan_making, walked, worth_of_plan
from solver.making.guiding import MOST_A_CELL, guide_of
from solver.making.reference import Draw, reference
from solver.making.walkers import Walkers


def event(walkers: Walkers, problem: ProductionProblem, draw: Draw) -> None:
    """Let something change: what a need asks for, a lot, hours, or a need that comes."""
    need, lot, pool = (draw.below(len(each)) for each in (problem.need_units, problem.stock_units, problem.pool_place))
    kind, share = draw.below(4), draw.below(9)
    if kind == 0:
        walkers.need_changes(need, int(problem.need_units[need]) * share // 4)
    elif kind == 1:
        walkers.lot_changes(lot, int(problem.stock_units[lot]) * share // 4)
    elif kind == 2:
        walkers.pool_changes(pool, draw.below(problem.buckets), int(problem.pool_grains[pool, 0]) * share // 4)
    else:
        said = (problem.need_thing, problem.need_place, problem.need_units, problem.need_due, problem.need_until, problem.need_tier)
        walkers.add_need(*(int(each[need]) for each in said), worth=int(problem.need_worth[need]))


def tiers(problem: ProductionProblem, plan: ProductionPlan) -> str:
    """Return the coverage of each tier."""
    covered = coverage_of(problem, plan)
    each = [problem.need_tier == tier for tier in range(4)]
    return " ".join(f"{covered[rows].sum() / max(1, problem.need_units[rows].sum()):.3f}" for rows in each)


def main() -> None:
    """Print a row for each demand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--places", type=int, default=200)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--buckets", type=int, default=1)
    parser.add_argument("--spacing", type=int, default=2)
    parser.add_argument("--demands", type=int, nargs="*", default=[1, 3, 8])
    parser.add_argument("--cell", type=int, default=MOST_A_CELL, help="variables of one linear program, at most")
    parser.add_argument("--work", type=int, default=120_000, help="of walkers in one event, at most; what is left the next goes on with")
    parser.add_argument("--pdlp", action="store_true", help="time PDLP too; the best engine counts")
    said = parser.parse_args()
    plan_making(reference(places=8, buckets=said.buckets).problem)
    warm = walked(reference(places=8, buckets=said.buckets).problem)
    for number in range(20):
        event(warm, warm.problem, Draw(number))
    for demand in said.demands:
        problem = reference(places=said.places, demand=demand, buckets=said.buckets, spacing=said.spacing).problem
        spent = {}
        for engine in ("glop", *(("pdlp",) if said.pdlp else ())):
            start = time.process_time()
            relaxed = relax(problem, engine=engine)
            spent[engine] = time.process_time() - start
            print(f"demand x{demand}: linear program {relaxed.worth:.0f}, {engine} {spent[engine]:.2f} s", flush=True)
        linear = min(spent.values())
        start = time.process_time()
        guide = guide_of(problem, most=said.cell)
        led = time.process_time() - start
        walkers = walked(problem, guide)
        whole = time.process_time() - start
        plan = walkers.plan()
        print(f"  plan / linear program {worth_of_plan(problem, plan) / relaxed.worth:.5f}, bound / it {plan.bound / relaxed.worth:.7f}")
        print(f"  trees {len(plan.tree_need)}, lines {len(plan.line_tree)}, {whole:.2f} s in all, {led:.2f} for {guide.cells} cells")
        print(f"  coverage by tier {tiers(problem, plan)}; broken rules {len(broken_rules(problem, plan))}", flush=True)
        if not said.events:
            continue
        draw, took, walkers.most_work = Draw(demand), [], said.work
        for _ in range(said.events):
            start = time.process_time()
            event(walkers, problem, draw)
            took.append(time.process_time() - start)
        kept, anew = walkers.plan(), plan_making(walkers.problem)
        ratio = worth_of_plan(walkers.problem, kept) / worth_of_plan(walkers.problem, anew)
        p50, p90, p99 = np.percentile(took, (50, 90, 99)) * 1000
        print(f"  {said.events} events: ms p50 {p50:.1f}, p90 {p90:.1f}, p99 {p99:.1f}, mean {np.mean(took) * 1000:.1f}", end="")
        print(f" = 1/{linear / np.mean(took):.0f} of the linear program")
        print(f"  plan kept / plan anew {ratio:.4f}; kept / its bound {worth_of_plan(walkers.problem, kept) / kept.bound:.4f}", end="")
        print(f"; broken rules {len(broken_rules(walkers.problem, kept))}", flush=True)


if __name__ == "__main__":
    main()
