"""Unsplit lots beside known optima: generalised assignment (`gap`) and single-source facility location (`orlib-sscflp`).

    STIGMERGY_DATA=/where/it/is python tests/benchmarks/making_lots.py
    STIGMERGY_DATA=/where/it/is python tests/benchmarks/making_lots.py --of orlib-sscflp

Every instance of both sets (or of the one named) is run; the limit is deterministic and about seconds of one core. Costs of facility
location are rounded to cents, so that they are whole. A row says cost / known, the bound's distance, CPU seconds; what is compiled
or loaded at a first call is not counted: lots too few to tell of are assigned before.
"""

import argparse
import csv
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from solver.making.lots import UnsplitLots, assign_lots, broken_assignment
from tests.support.programs import real_data_folder


def assignments(folder: Path) -> Iterator[tuple[str, UnsplitLots, int]]:
    """Yield name, question and the least cost known, the smallest instances first."""
    known = {row["instance"]: int(row["upper_bound"]) for row in csv.DictReader((folder / "bounds.csv").open()) if row["sense"] == "min"}
    for path in sorted(folder.glob("*.txt"), key=lambda path: (path.stat().st_size, path.name)):
        numbers = np.array(path.read_text().split(), dtype=np.int64)
        makers, lots = numbers[:2].tolist()
        table = numbers[2:]
        effort, hours = table[: makers * lots].reshape(makers, lots), table[makers * lots : 2 * makers * lots].reshape(makers, lots)
        capacity = table[2 * makers * lots :][:makers]
        yield path.stem, UnsplitLots(effort.copy(), hours.copy(), capacity.copy(), np.zeros(makers, dtype=np.int64)), known[path.stem]


def facilities(folder: Path) -> Iterator[tuple[str, UnsplitLots, int]]:
    """Yield name, question in cents and the optimum in cents."""
    known = {Path(row["instance"]).stem: round(float(row["optimal_cost"]) * 100) for row in csv.DictReader((folder / "optimal.csv").open())}
    for path in sorted(folder.glob("p*.txt")):
        numbers = np.array(path.read_text().split(), dtype=np.float64)
        sites, customers = int(numbers[0]), int(numbers[1])
        capacity, opening, demand, costs = np.split(numbers[2:], np.cumsum([sites, sites, customers]))
        effort = np.rint(costs[: sites * customers].reshape(customers, sites).T * 100).astype(np.int64)
        hours = np.repeat(np.rint(demand).astype(np.int64)[None, :], sites, axis=0)
        asked = UnsplitLots(effort, hours, np.rint(capacity).astype(np.int64), np.rint(opening * 100).astype(np.int64))
        yield path.stem, asked, known[path.stem]


def warm_up() -> None:
    """Assign a few lots that no bound settles, so that what a first call compiles or loads is there."""
    draw = np.random.default_rng(1)
    effort, hours = draw.integers(10, 50, (5, 60)), draw.integers(5, 25, (5, 60))
    assign_lots(UnsplitLots(effort, hours, hours.sum(axis=1) * 8 // 50, np.zeros(5, dtype=np.int64)), 0.5)


def main() -> None:
    """Print a row for each instance and the worst of each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=float, default=9.0)
    parser.add_argument("--most", type=int, default=10_000, help="instances of each set, the smallest first")
    parser.add_argument("--of", choices=("gap", "orlib-sscflp"), action="append", help="this set alone")
    said = parser.parse_args()
    data = real_data_folder(parser, *(said.of or ("gap", "orlib-sscflp")))
    warm_up()
    for folder, read, target in (("gap", assignments, 1.002), ("orlib-sscflp", facilities, 1.01)):
        if said.of and folder not in said.of:
            continue
        worst, within, count = 0.0, 0, 0
        for name, asked, known in list(read(data / folder))[: said.most]:
            start = time.process_time()
            answer = assign_lots(asked, said.limit)
            spent = time.process_time() - start
            broken = broken_assignment(asked, answer)
            ratio = answer.effort / known
            worst, within, count = max(worst, ratio), within + (ratio <= target and spent <= 10), count + 1
            told = "proven" if answer.proven else f"gap {float(answer.gap):.5f}"
            print(
                f"{folder} {name:10} {asked.effort.shape[0]:3} x {asked.effort.shape[1]:4}  {ratio:.5f}  {told}  {spent:5.1f} s",
                *broken,
                flush=True,
            )
        print(f"{folder}: {within} of {count} within {target} of known and 10 CPU s; worst {worst:.5f}")


if __name__ == "__main__":
    main()
