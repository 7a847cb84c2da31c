"""How fast the embedded log takes events in durably, and how fast a coordinator starts on it: cold, and from a snapshot.

    python tests/benchmarks/bench_log.py [--events 1000000] [--rows ingest,door,start]

Rivals run in the same minutes on the same disk: SQLite (WAL, synchronous=FULL) and a bare file with write and fdatasync. Ingest waits
for the disk, so wall seconds count there, and CPU seconds are told beside; starts are told in both. The stream that starts are
measured on is 10 000 agents who say each of ten signals again and again, with proposals, answers and ledger records among them.
"""

import argparse
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from threading import Thread

import uvicorn

from coordinator.adapters.clock import wall_us
from coordinator.adapters.file_log import FileLog
from coordinator.adapters.folding import fold
from coordinator.adapters.http_api import build_app
from coordinator.adapters.memory import collect_rarely
from coordinator.adapters.recorder import entry_of
from coordinator.adapters.service import Service
from coordinator.adapters.snapshot_files import snapshot_path, take_snapshot
from coordinator.charter import Charter
from coordinator.client import Client
from coordinator.cycle import Coordination
from coordinator.replaying import digest, standing_proposals
from coordinator.signals import event_json, parse_event
from coordinator.stream import Entry
from tests.support.programs import at_least_one

BEGIN_US = 1_772_352_000_000_000
INGESTED = 40_000  # events in each row of ingest
FRAME = 8  # entries committed together in the log that starts are measured on
DEAL_EVERY = 50  # words
CHARTER = Charter(fairness="off", effort="km", cycle_seconds=3_600)


def words(count: int) -> Iterator[tuple[str, str, str, str, int]]:
    """Yield offers and needs as agents say them, each signal said again and again: kind, agent, subject, resource, time."""
    random = Random(7)
    for number in range(count):
        maker, subject = random.randrange(10_000), random.randrange(10)
        kind = "need" if subject % 2 else "offer"
        yield kind, f"maker-{maker}", f"signal-{subject}", f"resource-{maker % 50}", BEGIN_US + number * 50_000


def stream(count: int) -> Iterator[list[Entry]]:
    """Yield so many entries and a few more, in groups as they are committed: words, and a deal every so often, as judged live."""
    live = Coordination(CHARTER, planning=False)
    standing: dict[tuple[str, str], str] = {}
    some: list[Entry] = []
    made = 0

    def say(line: bytes) -> None:
        event = parse_event(line)
        live.take(event, line)
        some.append(entry_of(event, line))
        decided, live.outbox = live.outbox, []
        some.extend(decided)

    for number, (kind, agent, subject, resource, now_us) in enumerate(words(count)):
        place = {"lat": 40 + len(agent) % 9, "long": number % 9}
        data = {"resource": resource, "quantity": {"value": 20 + number % 80, "unit": "1"}, "place": place}
        say(event_json(kind, f"agent:{agent}", subject, now_us, data))
        standing[kind, resource] = f"{agent}/{kind}/{subject}"
        offer, need = standing.get(("offer", resource)), standing.get(("need", resource))
        if number % DEAL_EVERY == 0 and offer and need and offer.split("/")[0] != need.split("/")[0]:
            for line in deal(f"plan-{number}", offer, need, resource, now_us):
                say(line)
        while len(some) >= FRAME:
            yield [Entry(one.stream, one.key, one.event, now_us) for one in some[:FRAME]]
            made += FRAME
            some = some[FRAME:]
        if made >= count:
            return


def deal(name: str, offer: str, need: str, resource: str, now_us: int) -> Iterator[bytes]:
    """Yield a proposal of one line, and both sides' acceptance."""
    provider, receiver = offer.split("/", maxsplit=1)[0], need.split("/", maxsplit=1)[0]
    parties = {"provider": provider, "receiver": receiver, "action": "transfer", "resource": resource}
    line = {**parties, "quantity": {"value": 1, "unit": "1"}, "offer": offer, "need": need, "distance_km": 1, "effort": 1}
    data = {"proposal": name, "lines": [line], "expires": "2026-12-01T00:00:00Z", "charter": CHARTER.version, "reasons": {"at": "now"}}
    yield event_json("proposal", "coordinator:main", name, now_us, data)
    for party in (provider, receiver):
        yield event_json("answer", f"agent:{party}", name, now_us, {"proposal": name, "answer": "accept"})


# -- ingest -----------------------------------------------------------------------------------------------------------


class Sqlite:
    """A rival: one table, a transaction for each append, synced when it ends."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for line in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "CREATE TABLE log (id INTEGER PRIMARY KEY, event BLOB)"):
            self._database.execute(line)

    def append(self, entries: list[Entry]) -> None:
        """Insert and commit."""
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany("INSERT INTO log (event) VALUES (?)", [(entry.event,) for entry in entries])
        self._database.execute("COMMIT")

    def close(self) -> None:
        """Close."""
        self._database.close()


class Bare:
    """The other rival, which keeps no order, checksum or index: bytes written and synced."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def append(self, entries: list[Entry]) -> None:
        """Write and sync."""
        os.write(self._descriptor, b"".join(entry.event for entry in entries))
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Close."""
        os.close(self._descriptor)


MAKERS: dict[str, Callable[[Path], Sqlite | Bare | FileLog]] = {
    "the log": lambda path: FileLog(path, wall_us),
    "SQLite": Sqlite,
    "bare write": Bare,
}


def ingest(folder: Path) -> None:
    """Print how many events a second are durable, by how many come in one call."""
    entries = [one for group in stream(INGESTED) for one in group]
    for at_once in (1, 20, 100, 500):
        count = min(INGESTED, 2_000 * at_once)
        rates = {}
        for name, make in MAKERS.items():
            path = folder / f"{name.replace(' ', '-')}-{at_once}"
            with closing(make(path)) as log:
                wall_s, cpu_s = time.perf_counter(), time.process_time()
                for begin in range(0, count, at_once):
                    log.append(entries[begin : begin + at_once])
                wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
            rates[name] = (count / wall_s, count / cpu_s)
            path.unlink()
        ratio = rates["the log"][0] / rates["SQLite"][0], rates["the log"][0] / rates["bare write"][0]
        told = ", ".join(f"{name} {wall:>9,.0f} ({cpu:>9,.0f} by CPU)" for name, (wall, cpu) in rates.items())
        print(f"  durable events/s, {at_once:>3} a call: {told}; {ratio[0]:.2f} of SQLite, {ratio[1]:.2f} of a bare write", flush=True)
    with closing(FileLog(folder / "threads", wall_us)) as shared, ThreadPoolExecutor(32) as threads:
        wall_s = time.perf_counter()
        list(threads.map(lambda one: shared.append([one]), entries[:20_000]))
        print(f"  durable events/s, 1 a call from 32 threads at once: {20_000 / (time.perf_counter() - wall_s):,.0f}", flush=True)


def door(folder: Path) -> None:
    """Print how many signals a second are acknowledged, 500 a batch: checked, folded, durable; by the service, and over HTTP."""
    lines = [
        event_json(kind, f"agent:{agent}", subject, now_us, {"resource": resource, "quantity": {"value": 20 + now_us % 7, "unit": "1"}})
        for kind, agent, subject, resource, now_us in words(INGESTED)
    ]
    clock = lambda: BEGIN_US + INGESTED * 50_000  # noqa: E731
    with closing(Service(folder / "door", CHARTER, clock=clock, planning=False)) as service:
        acknowledged("by the service", lines, lambda some: [one.status for one in service.publish(some)])
    with closing(Service(folder / "http", CHARTER, clock=clock, planning=False)) as service, http(service) as client:
        acknowledged("over HTTP, with the client's own CPU", lines, lambda some: [row["status"] for row in client.publish(some)])


def acknowledged(how: str, lines: list[bytes], publish: Callable[[list[bytes]], list[str]]) -> None:
    """Print one row."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    for begin in range(0, len(lines), 500):
        assert set(publish(lines[begin : begin + 500])) <= {"taken", "repeat"}
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    print(f"  acknowledged signals/s, 500 a batch, {how}: {len(lines) / wall_s:,.0f} ({len(lines) / cpu_s:,.0f} by CPU)", flush=True)


@contextmanager
def http(service: Service) -> Iterator[Client]:
    """A server on a free port of this machine, and a client of it."""
    app = build_app(service, None, only_loopback=True)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Client(f"http://127.0.0.1:{port}")
    finally:
        app.state.feed.close()
        server.should_exit = True
        thread.join(20)


# -- starts -----------------------------------------------------------------------------------------------------------


def start(folder: Path, count: int) -> None:
    """Print how long a start takes: cold, and from a snapshot; both come to the same digest."""
    path = folder / "long"
    with closing(FileLog(path, lambda: 0)) as log:
        entries = sum(len(log.append(group)) for group in stream(count))
    print(f"  {entries:,} entries, {path.stat().st_size / 1e6:,.0f} MB", flush=True)
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    with closing(FileLog.open_readonly(path)) as log:
        coordination = Coordination(CHARTER, judging=False, planning=False)
        folded = fold(log, coordination)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    assert not folded.parked
    coordination.resume()  # as every start does: what the log was cut before is judged
    expected = digest(coordination.ledger, standing_proposals(coordination.book))
    print(f"  cold replay: {entries / cpu_s:,.0f} entries/s by CPU, {entries / wall_s:,.0f} by the clock ({cpu_s:.1f} s, {wall_s:.1f} s)")
    held = (
        f"{len(coordination.network.stances):,} signals, {len(coordination.book.deals):,} commitments, {len(coordination.ledger):,} records"
    )
    del coordination
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    take_snapshot(path, CHARTER)
    cpu_s = time.process_time() - cpu_s
    size = snapshot_path(path).stat().st_size / 1e6
    print(f"  taking a snapshot of {held}: {cpu_s:.1f} s CPU, most of it the replay; {size:,.0f} MB", flush=True)
    for _ in range(3):
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        with closing(Service(path, CHARTER, clock=lambda: BEGIN_US + count * 50_000, planning=False)) as service:
            wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
            assert service.snapshot_entries == entries
            with service.reading() as held_now:
                assert digest(held_now.ledger, standing_proposals(held_now.book)) == expected
        print(f"  start from it: {cpu_s:.2f} s CPU, {wall_s:.2f} s by the clock, same digest", flush=True)
        del service, held_now


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=at_least_one, default=1_000_000, help="entries in the log that starts are measured on")
    parser.add_argument("--rows", default="ingest,door,start")
    asked = parser.parse_args()
    collect_rarely()  # as every command does
    began_s = time.process_time()
    for _ in range(10_000_000):
        pass
    print(f"ten million turns of an empty loop: {time.process_time() - began_s:.2f} s CPU, to compare machines and moments by", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-log-") as name:
        for row in asked.rows.split(","):
            print(row, flush=True)
            if row == "start":
                start(Path(name), asked.events)
            else:
                {"ingest": ingest, "door": door}[row](Path(name))


if __name__ == "__main__":
    main()
