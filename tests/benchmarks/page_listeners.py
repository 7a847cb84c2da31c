"""What those who follow the stream cost the server, and how late they hear: python -m tests.benchmarks.page_listeners [LISTENERS ...]

`coordinator serve` runs as a process of its own, whose time and memory the system tells. Some of the listeners of the largest run never
read a byte, and as many read a hundred bytes a second; the others say how long each record took from its word to them. One agent speaks
at a steady pace. Let go are those who never or hardly read, until the end of the run. Every part ends by itself.
"""

import argparse
import asyncio
import contextlib
import json
import re
import resource
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from coordinator.signals import event_json
from tests.benchmarks.served import cpu_s, rss, served

SIZES = (0, 1, 100, 1_000)
DEAF_FROM, DEAF = 1_000, 200  # of so many listeners, so many never read, and so many hardly
SIP_BYTES = 100  # a second, of those who hardly read
SAID_EACH_S, SAID_AT_ONCE = 10, 20  # batches a second, and records in each
WATCH_S = 20.0


def main(sizes: Sequence[int]) -> None:
    """Print a line a number of listeners."""
    print("listeners  deaf  slow  said/s  server CPU %  RSS MB  KB a listener  heard p50 ms  p99 ms  kB/s each  let go")
    bare = None
    for listeners in sizes:
        deaf = DEAF if listeners >= DEAF_FROM else 0
        with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (process, port):
            told = asyncio.run(_measured(process, port, listeners, deaf))
        bare = told["rss"] if bare is None else bare
        each = (told["rss"] - bare) / listeners / 1e3 if listeners else 0.0
        columns = (
            (9, listeners, 0),
            (5, deaf, 0),
            (5, deaf, 0),
            (7, told["said"], 0),
            (13, told["cpu"], 1),
            (7, told["rss"] / 1e6, 0),
            (14, each, 1),
        )
        heard = (13, told["p50"], 0), (7, told["p99"], 0), (10, told["rate"] / 1e3, 1), (7, told["gone"], 0)
        print(" ".join(f"{value:>{width}.{digits}f}" for width, value, digits in (*columns, *heard)), flush=True)


async def _measured(process: "subprocess.Popen[str]", port: int, listeners: int, deaf: int) -> dict[str, float]:
    heard: list[float] = []
    got = [0]
    ready = [asyncio.Event() for _ in range(listeners)]
    tasks = [asyncio.create_task(_listen(port, event, heard, got)) for event in ready[2 * deaf :]]
    sockets = [_never_read(port) for _ in range(2 * deaf)]
    tasks.append(asyncio.create_task(_sip(sockets[deaf:])))
    await asyncio.gather(*(event.wait() for event in ready[2 * deaf :]))
    began_s, before_s = time.monotonic(), cpu_s(process.pid)
    said = await _speak(port)
    took_s = time.monotonic() - began_s
    cpu = 100 * (cpu_s(process.pid) - before_s) / took_s
    held = rss(process.pid)
    await asyncio.sleep(1.0)
    for task in tasks:
        task.cancel()
    gone = sum(_was_let_go(one) for one in sockets)
    for one in sockets:
        one.close()
    heard.sort()
    p50, p99 = (statistics.median(heard), heard[int(len(heard) * 0.99)]) if heard else (0.0, 0.0)
    rate = got[0] / took_s / max(1, listeners - 2 * deaf)
    return {"said": said / took_s, "cpu": cpu, "rss": held, "p50": p50 * 1e3, "p99": p99 * 1e3, "rate": rate, "gone": gone}


async def _listen(port: int, ready: asyncio.Event, heard: list[float], got: list[int]) -> None:
    """Follow the stream and note how long ago each batch was said; only the last record of what came is looked at."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    writer.write(b"GET /events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
    await reader.readuntil(b"retry: 2000\n\n")
    ready.set()
    with contextlib.suppress(asyncio.CancelledError):
        while chunk := await reader.read(1 << 18):
            now_s = time.time()
            got[0] += len(chunk)
            at = chunk.rfind(b'"subject":"at-')
            if at >= 0:
                heard.append(now_s - int(chunk[at + 14 : at + 30]) / 1e6)
    writer.close()


def _never_read(port: int) -> socket.socket:
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", port))
    deaf.sendall(b"GET /events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
    return deaf


async def _sip(slow: list[socket.socket]) -> None:
    """Read a little of what each of these is sent, every second, until cancelled."""
    for one in slow:
        one.setblocking(False)
    while True:
        await asyncio.sleep(1.0)
        for one in slow:
            with contextlib.suppress(OSError):
                one.recv(SIP_BYTES)


def _was_let_go(deaf: socket.socket) -> bool:
    """Whether the server closed this connection: all that is there is read, and then there is an end."""
    deaf.setblocking(False)
    try:
        while deaf.recv(1 << 20):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


async def _speak(port: int) -> int:
    """Say a batch at a steady pace, each record marked with the microsecond at which it is said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began_s, said = time.monotonic(), 0
    while (late_s := time.monotonic() - began_s) < WATCH_S:
        now_us = time.time_ns() // 1_000
        data = {"resource": "gown", "quantity": {"value": 1 + said % 97, "unit": "1"}, "place": {"lat": 48.1, "long": -1.7}}
        lines = [event_json("need", f"agent:clinic-{number}", f"at-{now_us:016d}", now_us, data) for number in range(SAID_AT_ONCE)]
        body = b"\n".join(lines)
        head = f"POST /signals HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-ndjson\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", answer, re.I)[1])  # type: ignore[index]
        told = json.loads(await reader.readexactly(length))
        assert all(one["status"] == "taken" for one in told["results"])
        said += SAID_AT_ONCE
        await asyncio.sleep(max(0.0, said / SAID_AT_ONCE / SAID_EACH_S - late_s))
    writer.close()
    return said


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("listeners", type=int, nargs="*", metavar="LISTENERS", default=SIZES, help="each number is measured alone")
    asked = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    main(asked.listeners)
