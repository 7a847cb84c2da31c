"""How long the event loop of `coordinator serve` has to wait at most while it takes signals, plans and shows; in one run.

    python -m tests.benchmarks.serve_stalls [--signals 20000] [--listeners 100] [--seconds 8]

The server is the real one, with a loop that also beats every millisecond. Everybody speaks first; then 500 signals a second come over
HTTP, a cycle runs each second in which something moved, and listeners follow the stream. Told are the beats that came late beyond what
other programs and the machine itself cause (`beats.py` says how), beside nothing and beside all of that.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np

from coordinator.adapters.feed import Feed
from coordinator.cli import main as coordinator
from coordinator.signals import event_json
from tests.benchmarks.beats import beside
from tests.benchmarks.served import served

LATE_MS = 5.0
EXPLAINED = 3  # of the latest beats, and all that came later than that
A_SECOND, AT_ONCE = 500, 10
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


async def listen(port: int) -> None:
    """Follow the stream until cancelled."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
    while await reader.read(1 << 18):
        pass


async def speak(port: int, signals: int, seconds: float) -> int:
    """Say signals at a steady pace, as far as they are taken at it; return how many."""
    began_s, said = time.monotonic(), 0
    while time.monotonic() - began_s < seconds:
        await post(port, [word((said + number) % signals) for number in range(AT_ONCE)])
        said += AT_ONCE
        await asyncio.sleep(max(0.0, began_s + said / A_SECOND - time.monotonic()))
    return said


def told(what: str, folder: Path) -> None:
    """Print what the server noted, once it is there."""
    path = folder / WAITS
    while not path.exists():
        time.sleep(0.1)
    waits, why = json.loads(path.read_text())
    path.unlink()
    late = sum(wait > LATE_MS for wait in waits)
    print(f"{what:58} {max(waits):8.1f} {np.percentile(waits, 99.9):9.1f} {late:6} of {len(waits)}", flush=True)
    for beat in sorted(why, key=lambda beat: -waits[int(beat)])[: max(late, EXPLAINED)]:
        print(f"    {waits[int(beat)]:.1f} ms: {why[beat]}", flush=True)


async def loaded(port: int, signals: int, listeners: int, seconds: float) -> int:
    """Have listeners follow while signals are said."""
    following = [asyncio.create_task(listen(port)) for _ in range(listeners)]
    said = await speak(port, signals, seconds)
    for one in following:
        one.cancel()
    return said


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
            while True:
                await next_ring()
                Path(f"{WAITS}.part").write_text(json.dumps(await beside(next_ring())))
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
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "coordinator.toml").write_text("[charter]\ncycle_seconds = 1\n")
        command = [sys.executable, "-m", "tests.benchmarks.serve_stalls", "inside"]
        with served(folder, command) as (process, port):
            for begin in range(0, wanted.signals, FIRST_AT_ONCE):
                asyncio.run(post(port, [word(begin + number) for number in range(FIRST_AT_ONCE)]))
            print(f"{'ms that a beat came late, in the loop of a server beside':58} {'longest':>8} {'of 1 000':>9} {'more than 5 ms':>14}")
            time.sleep(3.0)  # for the plan of all of that
            for what, work in (
                ("nothing", asyncio.sleep(wanted.seconds / 2, 0)),
                (f"{wanted.signals} signals that stand, 500 more a second", loaded(port, wanted.signals, wanted.listeners, wanted.seconds)),
            ):
                process.send_signal(signal.SIGUSR1)
                said = asyncio.run(work)
                process.send_signal(signal.SIGUSR1)
                told(what, folder)
            print(f"taken: {said} in {wanted.seconds:g} s, {wanted.listeners} listeners")


if __name__ == "__main__":
    inside() if sys.argv[1:2] == ["inside"] else main()
