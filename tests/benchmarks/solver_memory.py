"""How much memory a process needs that solves by our engine and keeps the field, next to one that solves the same by OR-Tools.

    python tests/benchmarks/solver_memory.py --arcs 1000000

Each solves the same arrays, read from a file, in a process of its own. Told are the peak of the whole process, and how much of it came
with reading the arrays, with loading the engine, and with the problem itself.
"""

import argparse
import multiprocessing
import resource
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from solver_instances import plane

COLUMNS = ("supply", "demand", "offer", "need", "effort")


def peak_mb() -> int:
    """Return the most memory this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def ours(arrays: dict[str, np.ndarray], answer: Connection) -> None:
    """Keep a field; tell the peak after loading, and at the end."""
    from solver import Problem
    from solver.field import Field

    Field(Problem.of([1], [1], [0], [0], [1]))
    loaded = peak_mb()
    problem = Problem.of(*(arrays.pop(name) for name in COLUMNS))
    field = Field(problem)
    answer.send((loaded, peak_mb(), int(field.flow().sum())))


def theirs(arrays: dict[str, np.ndarray], answer: Connection) -> None:
    """Solve by OR-Tools; tell the peak after loading, and at the end."""
    from ortools.graph.python import min_cost_flow

    network = min_cost_flow.SimpleMinCostFlow()
    loaded = peak_mb()
    supply, demand, offer, need, effort = (arrays.pop(name) for name in COLUMNS)
    most = np.minimum(supply[offer], demand[need])
    network.add_arcs_with_capacity_and_unit_cost(offer, len(supply) + need, most, effort)
    network.set_nodes_supplies(np.arange(len(supply) + len(demand)), np.concatenate([supply, -demand]))
    network.solve_max_flow_with_min_cost()
    answer.send((loaded, peak_mb(), int(network.maximum_flow())))


def measured(who: str, path: Path, answer: Connection) -> None:
    """Read the arrays and let one of both solve them."""
    with np.load(path) as kept:
        arrays = {name: kept[name] for name in COLUMNS}
    answer.send(peak_mb())
    {"ours": ours, "OR-Tools": theirs}[who](arrays, answer)


def main() -> None:
    """Print both peaks and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arcs", type=int, default=100_000)
    parser.add_argument("--instance", choices=("uniform", "towns"), default="uniform")
    wanted = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "arrays.npz"
        problem = plane(wanted.instance, wanted.arcs)
        np.savez(path, **{name: getattr(problem, name) for name in COLUMNS})
        for who in ("ours", "OR-Tools"):
            ear, mouth = context.Pipe(duplex=False)
            process = context.Process(target=measured, args=(who, path, mouth))
            process.start()
            read = ear.recv()
            loaded, peak, units = ear.recv()
            process.join()
            print(f"{who}: {peak} MB at most; {read} with the arrays, {loaded - read} for the engine, {peak - loaded} more; {units} units")
            peaks.append((peak, peak - loaded))
    beyond = f"{peaks[0][1] / peaks[1][1]:.2f}" if peaks[1][1] else "too little to tell, less than a MB"
    print(f"ratio {peaks[0][0] / peaks[1][0]:.2f}; without what loading takes {beyond}")


if __name__ == "__main__":
    main()
