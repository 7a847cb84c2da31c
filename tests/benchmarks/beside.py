"""What reading an event strictly and folding it cost, next to another tree of this repository: both in one process, in turns.

    python -m tests.benchmarks.beside [OTHER] [--events 40000] [--times 5]

A machine that others use is as slow from one minute to the next as it likes. Here each tree has some 500 events after the other, so both
have the same minutes, and what is told is the median of so many ratios. The events are those of `bench_log`: agents who say each of ten
signals again and again, with proposals, answers and ledger records among them. Without another tree this one is measured beside itself,
which tells how much of a ratio is noise.
"""

import argparse
import gc
import importlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from tests.support.programs import at_least_one

HERE = Path(__file__).resolve().parents[2]
AT_ONCE = 500  # events of one tree, before the other has its turn
STAMP_US = 1_772_352_000_000_000

Task = tuple[Callable[[Any], object], Sequence[Any]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, nargs="?", default=HERE, help="the tree to compare with, such as a clone of what was before")
    parser.add_argument("--events", type=at_least_one, default=40_000)
    parser.add_argument("--times", type=int, default=5)
    asked = parser.parse_args()
    trees = [bench_of(asked.other.resolve()), bench_of(HERE)]
    lines = [entry.event for entry in islice(chain.from_iterable(trees[1].stream(asked.events)), asked.events)]
    gc.disable()
    for name, task in (("reading", reading), ("folding", folding), ("reading and folding", both)):
        passes = [list(in_turns(*(task(tree, lines) for tree in trees))) for _ in range(asked.times + 1)]
        pairs = list(chain.from_iterable(passes[1:]))  # at first what is remembered of names and numbers has to be found
        before_us, now_us = (statistics.median(times) / AT_ONCE / 1000 for times in zip(*pairs, strict=True))
        ratio = statistics.median(now / before for before, now in pairs)
        print(f"{name}: {before_us:.2f} µs an event there, {now_us:.2f} here; {ratio:.3f} of it", flush=True)


def bench_of(root: Path) -> Any:
    """Return the benchmark of a tree, with that tree's own coordinator behind it."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ("coordinator", "solver", "tests")]:
        del sys.modules[name]
    sys.path.insert(0, str(root))
    try:
        bench = importlib.import_module("tests.benchmarks.bench_log")
    finally:
        sys.path.pop(0)
    assert bench.__file__ is not None
    assert Path(bench.__file__).is_relative_to(root)
    return bench


def reading(tree: Any, lines: list[bytes]) -> Task:
    """Read strictly."""
    return lambda line: tree.parse_event(line, stamp_us=STAMP_US), lines


def folding(tree: Any, lines: list[bytes]) -> Task:
    """Take in what is read already."""
    core = tree.Coordination(tree.CHARTER, judging=False, planning=False)
    return lambda told: core.take(*told), [(tree.parse_event(line), line) for line in lines]


def both(tree: Any, lines: list[bytes]) -> Task:
    """Read, and take in."""
    core = tree.Coordination(tree.CHARTER, judging=False, planning=False)
    return lambda line: core.take(tree.parse_event(line), line), lines


def in_turns(there: Task, here: Task) -> Iterator[tuple[int, int]]:
    """Yield how many nanoseconds some of one and as many of the other took; who comes first changes."""
    for number, begin in enumerate(range(0, len(there[1]), AT_ONCE)):
        first, second = (here, there) if number % 2 else (there, here)
        first_ns, second_ns = (took_ns(take, some[begin : begin + AT_ONCE]) for take, some in (first, second))
        yield (second_ns, first_ns) if number % 2 else (first_ns, second_ns)


def took_ns(take: Callable[[Any], object], some: Sequence[Any]) -> int:
    """Return how much CPU time some take."""
    began_ns = time.thread_time_ns()
    for one in some:
        take(one)
    return time.thread_time_ns() - began_ns


if __name__ == "__main__":
    main()
