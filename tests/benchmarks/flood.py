"""What floods do to `coordinator serve`: its memory, what it takes and turns away, and how long others wait meanwhile.

    python -m tests.benchmarks.flood [--seconds 8]

Each flood comes from a process of its own: signals as fast as eight clients can say them; bodies of 8 MB of nonsense from 24 clients;
2 500 connections that never end the head of a request; 300 bodies that come a byte a second. Meanwhile somebody asks for a page of
needs ten times a second. Memory is told before, at most until then, and 3 s after.
"""

import argparse
import asyncio
import contextlib
import http.client
import multiprocessing
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from coordinator.signals import event_json
from tests.benchmarks.served import largest_rss, rss, served

Flood = Callable[[int, int, Counter[str]], Coroutine[Any, Any, None]]

AT_ONCE = 100  # signals in a request
HUGE_BYTES = 8 << 20
HOST = b"host: 127.0.0.1\r\ncontent-type: application/x-ndjson\r\n"


async def signals(port: int, client: int, counts: Counter[str]) -> None:
    """Say needs, AT_ONCE in a request, of 500 agents who refresh seven each: what is remembered of them is the ids of the events."""
    said = 0
    while True:
        now_us = time.time_ns() // 1_000
        lines = []
        for number in range(said, said + AT_ONCE):
            data = {"resource": f"part-{number % 50}", "quantity": {"value": 1 + number % 97, "unit": "1"}}
            lines.append(event_json("need", f"agent:clinic-{client}-{number % 500}", f"n{number % 7}", now_us, data))
        said += AT_ONCE
        status = await _posted(port, b"\n".join(lines))
        counts[f"signals with {status}"] += AT_ONCE


async def huge(port: int, _: int, counts: Counter[str]) -> None:
    """Send the largest body there may be, of lines that cannot be taken."""
    body = (b"x" * (1 << 20) + b"\n") * (HUGE_BYTES >> 20)
    while True:
        counts[f"bodies with {await _posted(port, body[:HUGE_BYTES])}"] += 1


async def endless_heads(port: int, _: int, counts: Counter[str]) -> None:
    """Begin a request, and add a header to it each second until broken off."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /needs HTTP/1.1\r\n" + HOST)
            while not reader.at_eof():
                writer.write(b"x-more: x\r\n")
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    counts["with 503"] += b" 503 " in await asyncio.wait_for(reader.read(4_096), 1.0)
        except OSError:
            pass
        counts["connections broken off"] += 1
        await asyncio.sleep(1.0)


async def slow_bodies(port: int, _: int, counts: Counter[str]) -> None:
    """Promise the largest body, and send a byte of it each second."""
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"POST /signals HTTP/1.1\r\n" + HOST + b"content-length: %d\r\n\r\n" % HUGE_BYTES)
            while True:
                writer.write(b"x")
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    answer = await asyncio.wait_for(reader.readline(), 1.0)
                    counts[f"bodies with {answer[9:12].decode() or 'no answer'}"] += 1
                    break
        except OSError:
            counts["connections broken off"] += 1
        writer.close()
        await asyncio.sleep(1.0)


async def _posted(port: int, body: bytes) -> str:
    """Return the status that a body was answered with."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /signals HTTP/1.1\r\n" + HOST + b"content-length: %d\r\n\r\n" % len(body) + body)
        status = (await reader.readline())[9:12].decode()
        writer.close()
    except OSError:
        return "no answer"
    return status or "no answer"


def flooding(flood: Flood, clients: int, port: int, seconds: float, counts: "multiprocessing.Queue[Counter[str]]") -> None:
    """Flood a server for so long, then tell what came of it."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    async def all_of_them(found: Counter[str]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for client in range(clients):
                    group.create_task(flood(port, client, found))

    found: Counter[str] = Counter()
    asyncio.run(all_of_them(found))
    counts.put(found)


def asked(port: int) -> float:
    """Return the seconds after which a page of needs was there."""
    began_s = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/needs?limit=20")
        answer = connection.getresponse()
        answer.read()
        return time.perf_counter() - began_s if answer.status == 200 else float("inf")
    except OSError:
        return float("inf")
    finally:
        connection.close()


def measured(flood: Flood | None, clients: int, seconds: float) -> None:
    """Print what one flood does."""
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (process, port):
        asked(port)
        before = rss(process.pid)
        counts = spawn.Queue()
        flooder = spawn.Process(target=flooding, args=(flood or endless_heads, clients, port, seconds, counts), daemon=True)
        flooder.start()
        waits = []
        while flooder.is_alive() and counts.empty():
            waits.append(asked(port))
            time.sleep(0.1)
        found = counts.get()
        flooder.join()
        most = largest_rss(process.pid)
        time.sleep(3.0)
        after = rss(process.pid)
    waits.sort()
    answered = [wait for wait in waits if wait != float("inf")]
    p50, last = (1e3 * answered[len(answered) // 2], 1e3 * answered[-1]) if answered else (float("nan"), float("nan"))
    name = "nothing" if flood is None else flood.__name__.replace("_", " ")
    memory = f"{before / 1e6:7.0f} {most / 1e6:7.0f} {after / 1e6:7.0f}"
    told = ", ".join(f"{count:,} {what}" for what, count in sorted(found.items()))
    print(f"{name:<14} {memory} {len(waits):8} {len(waits) - len(answered):8} {p50:8.0f} {last:8.0f}  {told}", flush=True)


def main() -> None:
    """Print a row a flood."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8)
    seconds = parser.parse_args().seconds
    print("               RSS MB:                  asked:              answered after ms:")
    print("flood           before    most   after    times  refused      p50     last  what came of it")
    for flood, clients in ((None, 0), (signals, 8), (huge, 24), (endless_heads, 2_500), (slow_bodies, 300)):
        measured(flood, clients, seconds)


if __name__ == "__main__":
    main()
