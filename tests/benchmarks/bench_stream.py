"""How fast the stream is taken in: validated, appended durably, folded, replayed; on the real relief data and on synthetic signals.

    python tests/benchmarks/bench_stream.py [--signals 1000000] [--minutes 12]

CPU seconds of one process, so that a busy machine does not blur them (appending also waits for the disk: wall seconds). Each stage
prints its row as it ends. Synthetic signals and replays run in a process of their own, whose peak memory is told too. Where the
minutes are up, what still runs is ended and its row says so; all stages take some two minutes of CPU time.
Folding is timed a thousand signals at a time, as they come from a log.
"""

import argparse
import itertools
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from random import Random

from coordinator.adapters.file_log import FileLog
from coordinator.adapters.memory import collect_rarely
from coordinator.adapters.ppe_match import event_of, read_ppe_distances, read_story
from coordinator.adapters.recorder import entry_of
from coordinator.charter import Charter
from coordinator.cycle import Coordination
from coordinator.errors import Refused
from coordinator.routes import RouteTable
from coordinator.signals import event_json, parse_event
from tests.support.programs import at_least_one

APART = 2_000  # things that one agent offers and another needs
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
        log = FileLog(Path(folder) / "bench.db", lambda: time.time_ns() // 1_000)
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
    for some in _batched(parsed(lines), BATCH):
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


def planned_apart(things: int) -> float:
    """Return the CPU seconds of one cycle over so many things, each offered by one agent and needed by another: markets of one pair."""
    coordination = Coordination(Charter())
    for number in range(2 * things + 2):
        kind, thing = ("need" if number % 2 else "offer"), f"thing-{number // 2}"
        data = {"resource": thing, "quantity": {"value": 1 + number % 7, "unit": "1"}, "place": {"lat": 48.1 + number % 2, "long": -1.6}}
        line = event_json(kind, f"agent:{kind}-er-{number}", thing, 1_772_352_000_000_000 + number, data)
        coordination.take(parse_event(line), line)
        if number == 1:
            coordination.run_cycle()  # what is loaded once is not counted
            coordination.outbox.clear()
    start = time.process_time()
    coordination.run_cycle()
    seconds = time.process_time() - start
    if len(coordination.outbox) != things:
        raise SystemExit(f"{things} proposals were expected, not {len(coordination.outbox)}")
    return seconds


def in_own_process(what: str, until: float, stage: Callable[[], str]) -> None:
    """Run one stage in a fresh process and print its row and its peak resident memory; end it when the time is up."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)

    def run() -> None:
        row = stage()
        sending.send((row, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6))

    process = context.Process(target=run)
    process.start()
    sending.close()  # else its end would not be seen here
    try:
        if not receiving.poll(max(0.0, until - time.monotonic())):
            print(f"  {what:<42} {'ended: the minutes are up':>32}", flush=True)
            return
        row, peak_gb = receiving.recv()
        print(row)
        print(f"  {'    peak memory of that':<42} {peak_gb:>12.2f} GB", flush=True)
    except EOFError:
        print(f"  {what:<42} {'broke off':>32}", flush=True)
    finally:
        process.terminate()
        process.join()


def row(what: str, count: int, seconds: float) -> str:
    """Return one line of the table."""
    return f"  {what:<42} {count / seconds:>12,.0f} /s   {seconds:>8.2f} s"


def show(what: str, count: int, seconds: float) -> None:
    """Print one line of the table."""
    print(row(what, count, seconds), flush=True)


def replay_row(what: str, lines: list[bytes], routes: RouteTable, charter: Charter) -> str:
    """Replay, and return the line of the table with what came of it."""
    seconds, first, proposals = replayed(lines, routes, charter)
    return f"{row(what, len(lines), seconds)}\n  {'    first decision after':<42} {first:>12.2f} s    {proposals:,} decisions in all"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=at_least_one, default=1_000_000, help="synthetic signals to fold")
    parser.add_argument("--minutes", type=float, default=12, help="after so many, stages that still run are ended")
    asked = parser.parse_args()
    count, until = asked.signals, time.monotonic() + asked.minutes * 60
    collect_rarely()  # as every command does

    lines, routes = list(relief()), read_ppe_distances()
    print(f"{len(lines):,} offers and requests of the relief data, {routes.pairs:,} distances", flush=True)
    show("validated (CPU)", len(lines), validated(lines))
    show("appended durably, 1 000 at a time (wall)", len(lines), appended(lines))
    show("folded (CPU)", len(lines), folded(lines))
    for fairness in ("off", "portions"):
        charter = Charter(fairness=fairness, effort="km", cycle_seconds=86_400)
        what = f"replayed, daily cycles, {fairness} (CPU)"
        in_own_process(what, until, partial(replay_row, what, lines, routes, charter))
    del lines, routes

    print(f"{APART:,} things, each offered once and needed once", flush=True)
    show("planned and proposed in one cycle (CPU)", APART, planned_apart(APART))

    sample = list(synthetic(SAMPLE))
    print(f"{count:,} synthetic signals, all of them live at the end; the first {SAMPLE:,} where nothing is folded", flush=True)
    show("validated (CPU)", SAMPLE, validated(sample))
    show("appended durably, 1 000 at a time (wall)", SAMPLE, appended(sample))
    del sample
    in_own_process("folded (CPU)", until, lambda: row("folded (CPU)", count, folded(synthetic(count))))


if __name__ == "__main__":
    main()
