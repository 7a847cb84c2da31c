"""How fast the stream is taken in: validated, appended durably, folded, replayed; on the real relief data and on synthetic signals.

    python tests/benchmarks/bench_stream.py [--signals 1000000]

CPU seconds of one process, so that a busy machine does not blur them (appending also waits for the disk: wall seconds). Each stage
runs on its own; peak memory is that of a process that does nothing else.
"""

import argparse
import gc
import itertools
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random

from coordinator.adapters.ppe_match import event_of, read_ppe_distances, read_story
from coordinator.adapters.recorder import entry_of
from coordinator.adapters.sqlite_log import SqliteLog
from coordinator.charter import Charter
from coordinator.cycle import Coordination
from coordinator.errors import Refused
from coordinator.routes import RouteTable
from coordinator.signals import event_json, parse_event

Lines = Callable[[], Iterable[bytes]]

SAMPLE = 50_000  # synthetic events that the stages other than folding are measured on
BATCH = 1_000


def relief() -> Iterator[bytes]:
    """Yield the real stream."""
    return map(event_of, read_story().stream())


def synthetic(count: int) -> Iterator[bytes]:
    """Yield offers and needs of 20 000 agents for 50 resources at random places, each with a subject of its own."""
    random = Random(7)
    for number in range(count):
        place = {"lat": round(random.uniform(36, 60), 2), "long": round(random.uniform(-9, 25), 2)}
        data = {"resource": f"resource-{number % 50}", "quantity": {"value": random.randint(1, 100), "unit": "1"}, "place": place}
        kind = "need" if number % 2 else "offer"
        yield event_json(kind, f"agent:maker-{number % 20_000}", f"signal-{number}", 1_772_352_000_000_000 + number * 1_000, data)


def parsed(lines: Iterable[bytes]) -> Iterator[tuple[bytes, object]]:
    """Yield the events that are valid, with their lines."""
    for line in lines:
        try:
            yield line, parse_event(line)
        except Refused:
            continue


def validated(lines: list[bytes]) -> float:
    """Return the CPU seconds of checking every line."""
    start = time.process_time()
    for _ in parsed(lines):
        pass
    return time.process_time() - start


def appended(lines: list[bytes]) -> float:
    """Return the wall seconds of writing every line to an embedded log, a thousand at a time, each batch durable."""
    entries = [entry_of(event, line) for line, event in parsed(lines)]
    with tempfile.TemporaryDirectory() as folder:
        log = SqliteLog(Path(folder) / "bench.db", lambda: time.time_ns() // 1_000)
        start = time.perf_counter()
        for first in range(0, len(entries), BATCH):
            log.append(entries[first : first + BATCH])
        seconds = time.perf_counter() - start
        log.close()
    return seconds


def folded(lines: Iterable[bytes]) -> float:
    """Return the CPU seconds of taking valid events into the network, without planning."""
    coordination = Coordination(Charter(), planning=False)
    seconds = 0.0
    for some in itertools.batched(parsed(lines), 10_000) if sys.version_info >= (3, 12) else _batched(parsed(lines), 10_000):
        start = time.process_time()
        for line, event in some:
            coordination.take(event, line)
        seconds += time.process_time() - start
    return seconds


def _batched(items: Iterator[tuple[bytes, object]], size: int) -> Iterator[list[tuple[bytes, object]]]:
    while some := list(itertools.islice(items, size)):
        yield some


def replayed(lines: list[bytes], routes: RouteTable | None, charter: Charter) -> tuple[float, float, int]:
    """Return the CPU seconds of the whole replay with daily cycles, those until the first proposal, and how many were made."""
    coordination = Coordination(charter, table=routes)
    start = time.process_time()
    first, proposals = 0.0, 0
    for line, event in parsed(lines):
        coordination.take(event, line)
        if coordination.outbox:
            first = first or time.process_time() - start
            proposals += len(coordination.outbox)
            coordination.outbox.clear()
    coordination.finish()
    return time.process_time() - start, first, proposals


def peak_gb_of(stage: Callable[[], object]) -> float:
    """Return the peak resident memory, in GB, of a fresh process that runs one stage."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)

    def run() -> None:
        stage()
        sending.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)

    process = context.Process(target=run)
    process.start()
    peak = float(receiving.recv())
    process.join()
    return peak


def show(what: str, count: int, seconds: float) -> None:
    """Print one row."""
    print(f"  {what:<42} {count / seconds:>12,.0f} /s   {seconds:>8.2f} s", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signals", type=int, default=1_000_000, help="synthetic signals to fold")
    count = parser.parse_args().signals

    print(f"{count:,} synthetic signals")
    peak = peak_gb_of(lambda: show("folded (CPU)", count, folded(synthetic(count))))
    print(f"  {'peak memory, all of them live':<42} {peak:>12.2f} GB")
    sample = list(synthetic(SAMPLE))
    show("validated (CPU)", SAMPLE, validated(sample))
    show("appended durably, 1 000 at a time (wall)", SAMPLE, appended(sample))
    del sample
    gc.collect()

    lines, routes = list(relief()), read_ppe_distances()
    print(f"{len(lines):,} offers and requests of the relief data, {routes.pairs:,} distances")
    show("validated (CPU)", len(lines), validated(lines))
    show("appended durably, 1 000 at a time (wall)", len(lines), appended(lines))
    show("folded (CPU)", len(lines), folded(lines))
    for fairness in ("off", "portions"):
        charter = Charter(fairness=fairness, effort="km", cycle_seconds=86_400)
        seconds, first, proposals = replayed(lines, routes, charter)
        show(f"replayed, daily cycles, fairness {fairness} (CPU)", len(lines), seconds)
        print(f"  {'first decision after':<42} {first:>12.2f} s    {proposals:,} decisions in all")
    peak = peak_gb_of(lambda: replayed(lines, routes, Charter(effort="km", cycle_seconds=86_400)))
    print(f"  {'peak memory of the replay':<42} {peak:>12.2f} GB")


if __name__ == "__main__":
    main()
