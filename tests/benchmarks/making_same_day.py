"""Many demands due on one day: 20 products of 10 shared modules of 10 purchased parts, two groups of machines.

    python tests/benchmarks/making_same_day.py --demands 100
    python tests/benchmarks/making_same_day.py --demands 1000

Buckets are days. Parts are purchased with a lead of five days, modules take the first group and a day, products the second and a day.
Machines per group 3, of 24 hours; an hour each a module and a product, times what is asked of them. Demands are 1 to 20 pieces, due on
one day, of use for as long again. Times are CPU seconds, the engine loaded and compiled before.
"""

import argparse
import time

import numpy as np

from solver.making import ProductionProblem, broken_rules, coverage_of, gap, plan_making, tier_worths
from solver.making.reference import Draw
from tests.support.programs import at_least_one

PRODUCTS, MODULES, PARTS = 20, 10, 10


def same_day(demands: int, machines: int = 3, seed: int = 1) -> ProductionProblem:
    """Return the model with its horizon long enough for half of all that is asked to be late."""
    draw = Draw(seed)
    asked = [(draw.below(PRODUCTS), draw.between(1, 20), draw.below(4)) for _ in range(demands)]
    hours = sum(units for _, units, _ in asked)
    due = 8 + hours // (2 * 24 * machines)
    days = 2 * due
    outputs = [[(thing, 1)] for thing in range(PRODUCTS + MODULES + PARTS)]
    inputs = [
        *([(PRODUCTS + module, 1) for module in draw.some(2, MODULES)] for _ in range(PRODUCTS)),
        *([(PRODUCTS + MODULES + part, draw.between(1, 3)) for part in draw.some(2, PARTS)] for _ in range(MODULES)),
        *([] for _ in range(PARTS)),
    ]
    uses = [*([(1, 60, 0)] for _ in range(PRODUCTS)), *([(0, 30, 0)] for _ in range(MODULES)), *([] for _ in range(PARTS))]
    worth = tier_worths([tier for _, _, tier in asked], farthest=1_000, spacing=2)
    return ProductionProblem.of(
        places=1, things=len(outputs), buckets=days, outputs=outputs, inputs=inputs,
        activities=[(recipe, 0) for recipe in range(len(outputs))],
        activity_lead=[1] * (PRODUCTS + MODULES) + [5] * PARTS, activity_effort=[1] * len(outputs), uses=uses,
        pool_place=[0, 0], pool_grains=[machines * 24 * 60] * 2,
        needs=[(product, 0, units, due, days - 1, tier) for product, units, tier in asked], worth=worth, late=worth // 50,
    )  # fmt: skip


def main() -> None:
    """Print what planning took and what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demands", type=at_least_one, default=100)
    parser.add_argument("--machines", type=int, default=3)
    said = parser.parse_args()
    plan_making(same_day(5))
    problem = same_day(said.demands, said.machines)
    start = time.process_time()
    plan = plan_making(problem)
    spent = time.process_time() - start
    asked, covered = int(problem.need_units.sum()), int(coverage_of(problem, plan).sum())
    on_time = int(plan.tree_units[plan.tree_end <= problem.need_due[plan.tree_need]].sum())
    per_need = np.zeros(len(problem.need_units), dtype=np.int64)
    np.add.at(per_need, plan.tree_need[plan.tree_end > problem.need_due[plan.tree_need]], 1)
    print(f"{said.demands} demands for {asked} pieces due on day {int(problem.need_due[0])} of {problem.buckets}: {spent:.2f} CPU s")
    print(f"planned {covered}, on time {on_time}, demands with late pieces {int((per_need > 0).sum())}, lines {len(plan.line_tree)}")
    print(f"gap to the bound {float(gap(problem, plan)):.5f}, broken rules {len(broken_rules(problem, plan))}")


if __name__ == "__main__":
    main()
