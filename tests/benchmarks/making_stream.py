"""Real orders and real production of a maker of consumer goods (`supplygraph`), day by day, as events.

    STIGMERGY_DATA=/where/it/is python tests/benchmarks/making_stream.py

Of each day's tables: what a plant made that day, all products together, is what it can make that day; what was ordered comes as needs
that stay open until they are served. Walkers know the orders stated so far and nothing of later days, and make only what is ordered.
Hindsight knows all days: the most that could be delivered up to each day, as a greatest flow by scipy. It makes to order, as walkers do;
beside it stands what making ahead of any order, with all later orders known, could have delivered, and how far one hindsight comes up to
the other. A row a month; then the worst day.
"""

import argparse
import csv
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_flow

from solver.making import ProductionProblem, broken_rules
from solver.making.walkers import Walkers, settled
from tests.support.programs import at_least_one, real_data_folder


def read(folder: Path) -> tuple[list[str], dict[str, set[str]], np.ndarray, np.ndarray]:
    """Return products, the plants of each, (D, N) made and (D, N) ordered, in whole units."""
    plants: dict[str, set[str]] = defaultdict(set)
    for row in csv.DictReader((folder / "Nodes" / "Nodes_Type_(Plant_&_Storage).csv").open()):
        plants[row["Node"]].add(row["Plant"])
    tables = []
    for name in ("Production", "Sales_Order"):
        rows = list(csv.DictReader((folder / "Temporal_Data" / "Unit" / f"{name}.csv").open()))
        products = [each for each in rows[0] if each != "Date"]
        tables.append(np.array([[round(float(row[each])) for each in products] for row in rows], dtype=np.int64).clip(0))
    return products, plants, *tables


def hindsight(makes: np.ndarray, hours: np.ndarray, orders: np.ndarray, *, ahead: bool) -> int:
    """Return the most units of (D, N) orders that (D, H) hours could make; without ``ahead``, none before the day of its order.

    Hours of a day flow to products of that day, and from there to orders of that day or, day by day, of those before it.
    """
    days, products = orders.shape
    plants = hours.shape[1]
    if ahead:
        return hindsight(makes, hours.sum(axis=0)[None, :], orders.sum(axis=0)[None, :], ahead=False)
    work, ready, wanted = (
        first + np.arange(days * size).reshape(days, size)
        for first, size in ((2, plants), (2 + days * plants, products), (2 + days * (plants + products), products))
    )
    plant, product = np.nonzero(makes)
    endless = 2**31 - 1
    arcs = [
        (np.zeros(work.size, dtype=int), work.ravel(), hours.ravel()),
        (work[:, plant].ravel(), ready[:, product].ravel(), np.full(days * len(plant), endless)),
        (ready[1:].ravel(), ready[:-1].ravel(), np.full((days - 1) * products, endless)),
        (ready.ravel(), wanted.ravel(), np.full(ready.size, endless)),
        (wanted.ravel(), np.ones(wanted.size, dtype=int), orders.ravel()),
    ]
    start, end, most = (np.concatenate([arc[each] for arc in arcs]) for each in range(3))
    size = int(wanted.max()) + 1
    graph = csr_matrix((most.astype(np.int32), (start, end)), shape=(size, size))
    return int(maximum_flow(graph, 0, 1).flow_value)


def day_plan(makes: np.ndarray, hours: np.ndarray, orders: list[tuple[int, int, int]]) -> tuple[np.ndarray, int]:
    """Return what each open order (product, units, age) gets today, hours and orders coming as events, and the rules broken."""
    plants, products = makes.shape
    pairs = np.argwhere(makes)
    problem = ProductionProblem.of(
        places=1, things=products, outputs=[[(thing, 1)] for thing in range(products)],
        activities=[(int(product), 0) for _, product in pairs], uses=[[(int(plant), 1, 0)] for plant, _ in pairs],
        pool_place=[0] * plants, pool_grains=[0] * plants,
    )  # fmt: skip
    walkers = Walkers(problem, settled(problem, np.zeros((products, 1, 1)), np.zeros((plants, 1))))
    for plant, grains in enumerate(hours.tolist()):
        walkers.pool_changes(plant, 0, grains)
    for product, units, age in orders:
        walkers.add_need(product, 0, units, 0, 0, 1, worth=1_000 + age)
    plan = walkers.plan()
    got = np.zeros(len(orders), dtype=np.int64)
    np.add.at(got, plan.tree_need, plan.tree_units)
    return got, len(broken_rules(walkers.problem, plan))


def replay(folder: Path, days: int | None = None) -> list[tuple[int, int, int, int]]:
    """Return (delivered so far, hindsight's to order, hindsight's ahead, rules broken) for each day."""
    products, plants, made, ordered = read(folder)
    known = sorted({plant for each in products for plant in plants[each]})
    makes = np.array([[plant in plants[product] for product in products] for plant in known])
    first = {product: sorted(plants[product])[0] for product in products if plants[product]}
    hours = np.zeros((len(made), len(known)), dtype=np.int64)
    for at, product in enumerate(products):
        if product in first:
            hours[:, known.index(first[product])] += made[:, at]
    open_: list[tuple[int, int, int]] = []
    delivered, told = 0, []
    for day in range(len(made) if days is None else days):
        open_ += [(at, int(units), day) for at, units in enumerate(ordered[day]) if units]
        got, broken = day_plan(makes, hours[day], [(product, units, day - since) for product, units, since in open_])
        open_ = [(p, units - int(part), since) for (p, units, since), part in zip(open_, got, strict=True) if units > part]
        delivered += int(got.sum())
        known_by_now = makes, hours[: day + 1], ordered[: day + 1]
        told.append((delivered, hindsight(*known_by_now, ahead=False), hindsight(*known_by_now, ahead=True), broken))
    return told


def main() -> None:
    """Print a row a month, the worst day and the mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=at_least_one, help="so many days from the first; else all")
    said = parser.parse_args()
    folder = real_data_folder(parser, "supplygraph") / "supplygraph"
    start = time.process_time()
    told = replay(folder, said.days)
    for day in [*range(29, len(told), 30), len(told) - 1]:
        ours, to_order, ahead, _ = told[day]
        print(
            f"day {day + 1:3}: delivered {ours:8}, hindsight to order {to_order:8} {ours / to_order:.4f}, ahead {ahead} {ours / ahead:.4f}"
        )
    # What no planner can pass that begins nothing before its order, however well it knows the days to come.
    at_most = [to_order / ahead for _, to_order, ahead, _ in told if ahead]
    print(f"hindsight to order, of hindsight ahead: worst {min(at_most):.4f}, mean {np.mean(at_most):.4f}")
    for name, at in (("to order", 1), ("ahead", 2)):
        ratios = [row[0] / row[at] for row in told if row[at]]
        print(f"{len(told)} days, hindsight {name}: worst {min(ratios):.4f}, mean {np.mean(ratios):.4f}, last {ratios[-1]:.4f}")
    print(f"broken rules {sum(broken for *_, broken in told)}; {time.process_time() - start:.1f} CPU s with hindsight and checks")


if __name__ == "__main__":
    main()
