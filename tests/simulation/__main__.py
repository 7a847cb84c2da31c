"""Runs schedules, or hunts for the planted bugs: ``python -m tests.simulation --seeds 0:1000``, ``--bugs``.

A schedule that fails is named with the one command that shows it again, step by step.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from tests.simulation.planted import BUGS
from tests.simulation.running import WORLDS, Outcome, command, hunt, simulate

AT_ONCE = 25  # schedules handed to a process together
MOST_SHOWN = 5  # failures told in full


def main() -> int:
    """Return 0 where everything held, or every bug was found; 1 where not."""
    wanted = _arguments()
    seeds = range(*wanted.seeds)
    worlds = [wanted.world] if wanted.world else list(WORLDS)
    if wanted.bugs:
        return _hunt_all(seeds)
    if wanted.told or wanted.bug:
        return _tell(worlds, seeds, wanted.bug, told=wanted.told)
    return max(_run(world, seeds, wanted.jobs) for world in worlds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=_bounds, default=(0, 1_000), help="FIRST:END, which is not run")
    parser.add_argument("--world", choices=sorted(WORLDS), help="only this one")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--bug", choices=sorted(BUGS), help="plant this bug")
    parser.add_argument("--bugs", action="store_true", help="look for every planted bug, by as many seeds as are given")
    parser.add_argument("--told", action="store_true", help="print every step")
    return parser.parse_args()


def _bounds(text: str) -> tuple[int, int]:
    first, _, end = text.partition(":")
    if not (first.isdigit() and end.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no range of seeds; FIRST:END was expected, such as 0:1000")
    return int(first), int(end)


def _tell(worlds: Iterable[str], seeds: range, bug: str | None, *, told: bool) -> int:
    failed = 0
    for world in [BUGS[bug].world] if bug else worlds:
        for seed in seeds:
            outcome = simulate(world, seed, bug=bug, told=told)
            print(f"{world} {seed}: {outcome.told or 'everything held'}; trace {outcome.trace[:16]}")
            failed += bool(outcome.invariant)
    return 1 if failed else 0


def _run(world: str, seeds: range, jobs: int) -> int:
    cpu_s, steps, records, failed = 0.0, 0, 0, 0
    for count, outcome in enumerate(_outcomes(world, seeds, jobs), 1):
        steps, records, failed = steps + outcome.steps, records + outcome.records, failed + bool(outcome.invariant)
        cpu_s += outcome.cpu_s
        if outcome.invariant and failed <= MOST_SHOWN:
            print(f"\n{world} {outcome.seed}: {outcome.told}\n  {command(outcome)}", flush=True)
        if sys.stderr.isatty():
            print(f"\r{world}: {count} of {len(seeds)} schedules, {failed} failed", end="", file=sys.stderr, flush=True)
    print(
        f"\n{world}: {len(seeds)} schedules from seed {seeds.start}, {failed} failed; {steps} steps, {records} ledger records, "
        f"{cpu_s:.0f} s of one core",
        flush=True,
    )
    return 1 if failed else 0


def _outcomes(world: str, seeds: range, jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        yield from map(partial(simulate, world), seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(partial(simulate, world), seeds, chunksize=AT_ONCE)


def _hunt_all(seeds: range) -> int:
    print("| bug | what it breaks | seeds run | found by |\n|---|---|---|---|")
    missed = 0
    for bug in BUGS.values():
        found = hunt(bug.name, seeds)
        missed += found is None
        by = "NOT FOUND" if found is None else found.invariant
        if found is not None and simulate(found.world, found.seed).invariant:
            by, missed = f"NOTHING: seed {found.seed} fails without it too", missed + 1
        count = len(seeds) if found is None else found.seed - seeds.start + 1
        print(f"| {bug.name} | {bug.breaks} | {count} | {by} |", flush=True)
    print(f"\n{len(BUGS) - missed} of {len(BUGS)} found within {len(seeds)} seeds each", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
