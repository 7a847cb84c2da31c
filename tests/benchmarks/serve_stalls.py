"""How long the event loop of `coordinator serve` has to wait at most while it takes signals, plans and shows; in one run.

    python -m tests.benchmarks.serve_stalls [--signals 20000] [--listeners 100] [--seconds 8] [--a-second 500] [--kafka] [--client NAME]

The server is the real one, with a loop that also beats every millisecond, on an embedded log or on Apache Kafka. Everybody speaks first;
then 500 signals a second come over HTTP, a cycle runs each second in which something moved, and listeners follow the stream. Told are
the beats that came late beyond what other programs and the machine itself cause (`beats.py` says how), beside nothing and beside all of
that; and Python's looks for garbage meanwhile: what they found, and how many went through all there is (`memory.py`).
"""

import argparse
import asyncio
import contextlib
import gc
import json
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np

from coordinator.adapters import memory
from coordinator.adapters.feed import Feed
from coordinator.cli import main as coordinator
from coordinator.signals import event_json
from tests.benchmarks.beats import beside
from tests.benchmarks.served import served
from tests.support.apache import running_kafka

LATE_MS = 5.0
LAST_GENERATION = 2
EXPLAINED = 3  # of the latest beats, and all that came later than that
AT_ONCE = 10
FIRST_AT_ONCE = 1_000
WAITS = "waits.json"  # in the server's folder


def word(number: int) -> bytes:
    """Return an offer or a need of one of 50 things; whoever comes round again says another quantity."""
    now_us = time.time_ns() // 1_000
    data = {"resource": f"part-{number % 50}", "quantity": {"value": 1 + now_us % 97, "unit": "1"}}
    return event_json(
        "need" if number % 2 else "offer", f"agent:site-{number}", "stock", now_us, data | {"place": {"lat": 48.1, "long": -1.7}}
    )


async def post(port: int, lines: list[bytes]) -> None:
    """Say some signals."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b"\n".join(lines)
    head = b"POST /signals HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n"
    writer.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
    assert b" 200 " in await reader.readline()
    await reader.read()
    writer.close()


async def ready(port: int) -> None:
    """Wait until the server is ready: on Kafka it first reads what stands there."""
    answer = b""
    while b" 200 " not in answer:
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /readyz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
        answer = await reader.readline()
        writer.close()


async def listen(port: int) -> None:
    """Follow the stream until cancelled."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
    while await reader.read(1 << 18):
        pass


async def speak(port: int, signals: int, a_second: int, seconds: float) -> int:
    """Say signals at a steady pace, as far as they are taken at it; return how many."""
    began_s, said = time.monotonic(), 0
    while time.monotonic() - began_s < seconds:
        await post(port, [word((said + number) % signals) for number in range(AT_ONCE)])
        said += AT_ONCE
        await asyncio.sleep(max(0.0, began_s + said / a_second - time.monotonic()))
    return said


def told(what: str, folder: Path) -> None:
    """Print what the server noted, once it is there."""
    path = folder / WAITS
    while not path.exists():
        time.sleep(0.1)
    waits, why, looks = json.loads(path.read_text())
    path.unlink()
    late = sum(wait > LATE_MS for wait in waits)
    print(f"{what:58} {max(waits):8.1f} {np.percentile(waits, 99.9):9.1f} {late:6} of {len(waits)}", flush=True)
    for beat in sorted(why, key=lambda beat: -waits[int(beat)])[: max(late, EXPLAINED)]:
        print(f"    {waits[int(beat)]:.1f} ms: {why[beat]}", flush=True)
    count, longest_ms = looks["all"], 1e3 * looks["longest_s"]
    print(f"    {count} looks for garbage, {looks['whole']} through all there is, the longest of {longest_ms:.1f} ms;", end=" ")
    print(f"{looks['found']} objects found in rings, {looks['more']:+} blocks of memory in use", flush=True)


async def loaded(port: int, asked: argparse.Namespace) -> int:
    """Have listeners follow while signals are said."""
    following = [asyncio.create_task(listen(port)) for _ in range(asked.listeners)]
    said = await speak(port, asked.signals, asked.a_second, asked.seconds)
    for one in following:
        one.cancel()
    return said


class Looks:
    """Python's looks for garbage in this process, since they were last told."""

    def __init__(self) -> None:
        self._began_s = 0.0
        self._told = self._nothing()
        gc.callbacks.insert(0, self._look)  # before what decides on the next

    def tell(self) -> dict[str, float]:
        """Return how many there were, how long the longest took, what they found and how many went through all there is."""
        told, self._told = self._told, self._nothing()
        return {**told, "more": sys.getallocatedblocks() - told["more"]}

    def _look(self, phase: str, about: dict[str, Any]) -> None:
        if phase == "start":
            self._began_s = time.monotonic()
            return
        self._told["all"] += 1
        self._told["longest_s"] = max(self._told["longest_s"], time.monotonic() - self._began_s)
        self._told["found"] += about["collected"]
        self._told["whole"] += about["generation"] == LAST_GENERATION and memory._settling._awaits_whole

    def _nothing(self) -> dict[str, float]:
        return {"all": 0, "longest_s": 0.0, "found": 0, "whole": 0, "more": sys.getallocatedblocks()}


def inside() -> None:
    """Be the server, whose loop beats from one SIGUSR1 to the next."""
    own = Feed.lifespan

    @contextlib.asynccontextmanager
    async def lifespan(self: Feed, app: object) -> AsyncIterator[None]:
        rung = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, rung.set)

        async def next_ring() -> None:
            await rung.wait()
            rung.clear()

        async def measure() -> None:
            looks = Looks()
            while True:
                await next_ring()
                looks.tell()
                late = await beside(next_ring())
                Path(f"{WAITS}.part").write_text(json.dumps((*late, looks.tell())))
                Path(f"{WAITS}.part").rename(WAITS)

        async with own(self, app):
            measuring = asyncio.create_task(measure())
            yield
            measuring.cancel()

    Feed.lifespan = lifespan  # type: ignore[method-assign]
    del sys.argv[1]
    coordinator()


def main() -> None:
    """Print a row beside nothing, and one under load."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=20_000)
    parser.add_argument("--listeners", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--a-second", type=int, default=500, help="signals")
    parser.add_argument("--kafka", action="store_true", help="on a broker started for this, instead of an embedded log")
    parser.add_argument("--client", choices=("kafka-python", "confluent"), default="kafka-python", help="of Kafka")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as running:
        folder = Path(name)
        (folder / "coordinator.toml").write_text("[charter]\ncycle_seconds = 1\n")
        where: list[str] = []
        if wanted.kafka:
            broker = running.enter_context(running_kafka(folder / "kafka", "the benchmark"))
            where = ["--kafka", broker.address, "--replicas", "1", "--client", wanted.client]
        command = [sys.executable, "-m", "tests.benchmarks.serve_stalls", "inside"]
        process, port = running.enter_context(served(folder, command, where))
        asyncio.run(ready(port))
        for begin in range(0, wanted.signals, FIRST_AT_ONCE):
            asyncio.run(post(port, [word(begin + number) for number in range(FIRST_AT_ONCE)]))
        print(f"{'ms that a beat came late, in the loop of a server beside':58} {'longest':>8} {'of 1 000':>9} {'more than 5 ms':>14}")
        time.sleep(3.0)  # for the plan of all of that
        for what, work in (
            ("nothing", asyncio.sleep(wanted.seconds / 2, 0)),
            (f"{wanted.signals} signals that stand, {wanted.a_second} more a second", loaded(port, wanted)),
        ):
            process.send_signal(signal.SIGUSR1)
            said = asyncio.run(work)
            process.send_signal(signal.SIGUSR1)
            told(what, folder)
        print(f"taken: {said} in {wanted.seconds:g} s, {wanted.listeners} listeners")


if __name__ == "__main__":
    inside() if sys.argv[1:2] == ["inside"] else main()
