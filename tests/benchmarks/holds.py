"""How long each question holds the coordinator still, so that nobody can speak and no plan be made meanwhile.

    python -m tests.benchmarks.holds [--signals 20000] [--proposals 0]
    python -m tests.benchmarks.holds --making [--signals 4000] [--cycles 8]

One service on a log of its own, with so many offers, needs, hours and recipes at places all over a country, planned once; `--proposals`
adds so many open proposals of one pair. Before each question something is said. Told are the longest single hold, how often it held, and
how long the answer took: wall time, in this process.

With `--making` kits are needed that recipes make, and a row a cycle tells how long it held the coordinator still, and how much of that
went into laying making out, into walkers, into the check of their plan and into drawing what is proposed (CPU time); linear programs are
solved beside, as `serve` does. Before each cycle somebody needs a kit more, and before the last rows nobody says anything.
"""

import argparse
import asyncio
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from coordinator import production
from coordinator.adapters.guides import GuidesBeside
from coordinator.adapters.http_api import build_app
from coordinator.adapters.memory import collect_rarely
from coordinator.adapters.service import Service
from coordinator.charter import Charter
from coordinator.cycle import Coordination
from coordinator.signals import event_json, parse_event
from coordinator.times import format_instant
from tests.support.events import moment_us, proposal
from tests.support.serving import Hand

AT_ONCE = 2_000
WAIT_S = 300.0  # for linear programs, between cycles
THINGS, AGENTS_EACH = 200, 4
NOW_US = time.time_ns() // 1_000
HOUR_US = 3_600_000_000
SINCE_H = (NOW_US - moment_us(0)) / HOUR_US  # as the helpers of tests tell times


class Watched:
    """A lock that notes how long it is held each time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.held_s: list[float] = []
        self._since_s = 0.0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it."""
        is_taken = self._lock.acquire(blocking, timeout)
        if is_taken:
            self._since_s = time.perf_counter()
        return is_taken

    def release(self) -> None:
        """Let it go, and note how long it was held."""
        self.held_s.append(time.perf_counter() - self._since_s)
        self._lock.release()

    def locked(self) -> bool:
        """Whether somebody has it."""
        return self._lock.locked()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def words(count: int, *, made: bool = False) -> Iterator[bytes]:
    """Yield so many signals: of twenty, eight or nine offers and as many needs, a need of a kit, hours, and how a kit is made.

    Unless it is `made`, no kit that is needed is one that somebody makes; if it is, nobody but kits takes parts.
    """
    random = Random(7)
    for number in range(count):
        agent, part = f"site-{number // AGENTS_EACH:06}", f"part-{number // 2 % THINGS:03}"
        kit = f"kit-{(number // 20 if made else number) % 50}"
        place = {"place": {"lat": round(random.uniform(43, 49), 2), "long": round(random.uniform(-1, 6), 2)}}
        goods = {"resource": part, "quantity": pieces(random.randint(1, 90))} | place
        match number % 20:
            case 17:
                said = "need", f"k{number}", {"resource": kit, "quantity": pieces(2), "tier": number % 4} | place
            case 18:
                window = {"begin": format_instant(NOW_US), "end": format_instant(NOW_US + 900 * HOUR_US)}
                said = "capacity", "hours", {"process": f"work-{number % 7}", "effort": hours(random.randint(5, 80))} | window | place
            case 19:
                takes = {
                    "inputs": [{"resource": f"part-{(number // 2 - made) % THINGS:03}", "quantity": pieces(2)}],
                    "steps": [{"process": f"work-{number % 7}", "effort": hours(1)}],
                }
                said = "recipe", f"r{number}", {"recipe": f"r{number}", "outputs": [{"resource": kit, "quantity": pieces(1)}], **takes}
            case kind if kind % 2 and not made:
                said = "need", f"n{number}", goods | {"tier": number % 4}
            case _:
                said = "offer", f"o{number}", goods
        kind, subject, data = said
        yield event_json(kind, f"agent:{agent}", subject, NOW_US, data)


def say_all(service: Service, lines: list[bytes]) -> None:
    """Say so many lines, some at once."""
    for begin in range(0, len(lines), AT_ONCE):
        assert {one.status for one in service.publish(lines[begin : begin + AT_ONCE])} == {"taken"}


PARTS = {"laying out": "lay_out", "walkers": "walked", "check": "broken_rules", "drawing": "trees_of"}  # as a plan of making calls them


def making(signals: int, cycles: int) -> None:
    """Print a row a cycle of making."""
    spent: dict[str, float] = {}

    def timed(part: str, does: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*given: Any, **named: Any) -> Any:
            began_s = time.thread_time()
            try:
                return does(*given, **named)
            finally:
                spent[part] = spent.get(part, 0.0) + time.thread_time() - began_s

        return measured

    for part, name in PARTS.items():
        setattr(production, name, timed(part, getattr(production, name)))
    clock, guides = Hand(NOW_US), GuidesBeside()
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Service(Path(folder) / "log", Charter(cycle_seconds=1), planning=False, clock=clock)) as service,
    ):
        service.lead_by(guides)
        production.prepare()
        lock = Watched()
        service._lock = lock  # type: ignore[assignment]
        say_all(service, list(words(signals, made=True)))
        with service.reading() as core:
            core.prompt, core.planning = False, True
        print(f"{signals:,} signals")
        print(f"{'cycle':>5} {'hold ms':>8} {' '.join(f'{part:>10}' for part in PARTS)} {'proposals':>10}")
        for number in range(cycles):
            if number < cycles // 2:
                kit = {"resource": f"kit-{number}", "quantity": pieces(2), "place": {"lat": 46, "long": 3}}
                service.publish([event_json("need", "agent:site-000001", f"again-{number}", clock.now_us, kit)])
            clock.now_us += 2_000_000
            del lock.held_s[:]
            spent.clear()
            service.tick()
            held_s = max(lock.held_s)
            with service.reading() as core:
                open_ = sum(deal.is_tree for deal in core.book.deals.values())
            parts = " ".join(f"{1000 * spent.get(part, 0.0):10.1f}" for part in PARTS)
            print(f"{number:5} {1000 * held_s:8.1f} {parts} {open_:10}", flush=True)
            guides.wait(WAIT_S)
    guides.close()


def pieces(count: int) -> dict[str, Any]:
    """Return a quantity of pieces."""
    return {"value": count, "unit": "1"}


def hours(count: int) -> dict[str, Any]:
    """Return a quantity of hours."""
    return {"value": count, "unit": "h"}


def asker(app: Any) -> Callable[[str], int]:
    """Return what asks an application a question, without a socket, and returns the status of its answer."""

    async def asked(question: str) -> int:
        path, _, query = question.partition("?")
        scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": [(b"host", b"localhost")]}
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await app(scope, receive, send)
        return int(sent[0]["status"])

    return lambda question: asyncio.run(asked(question))


def main() -> None:
    """Print a row a question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int)
    parser.add_argument("--proposals", type=int, default=0)
    parser.add_argument("--making", action="store_true", help="cycles of making in the place of questions")
    parser.add_argument("--cycles", type=int, default=8)
    wanted = parser.parse_args()
    collect_rarely()
    if wanted.making:
        making(wanted.signals or 4_000, wanted.cycles)
        return
    wanted.signals = wanted.signals or 20_000
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Service(Path(folder) / "log", Charter(cycle_seconds=10**6), planning=False)) as service,
    ):
        lock = Watched()
        service._lock = lock  # type: ignore[assignment]
        say_all(service, list(words(wanted.signals)))
        with service.reading() as core:
            began_s = time.perf_counter()
            core.planning = True
            core.run_cycle()
            for number in range(wanted.proposals):
                line = proposal(f"p{number:07}", "site-000000", "site-000001", 1, at=SINCE_H, expires=SINCE_H + 168)
                core.take(parse_event(line), line)
            print(
                f"{wanted.signals:,} signals, {len(core.book.deals):,} proposals; planned in {time.perf_counter() - began_s:.1f} s",
                flush=True,
            )
            asked = questions(core)
        service.tick()
        ask = asker(build_app(service, None, only_loopback=False))
        print(f"{'question':40} {'longest hold ms':>16} {'holds':>6} {'answer ms':>10}")
        for number, question in enumerate(asked, 1):
            service.publish(
                [event_json("need", "agent:site-000001", "again", NOW_US, {"resource": "part-001", "quantity": pieces(number)})]
            )
            del lock.held_s[:]
            began_s = time.perf_counter()
            status = ask(question)
            took_s = time.perf_counter() - began_s
            print(f"{_shown(question, status):40} {1000 * max(lock.held_s):16.1f} {len(lock.held_s):6} {1000 * took_s:10.1f}", flush=True)


def questions(core: Coordination) -> list[str]:
    """Return what is asked: first of all something for which a moment is copied."""
    needs = [one for one in core.network.living() if one.kind == "need"]
    part, kit = (next(one.ref for one in needs if one.name.startswith(name)) for name in ("part", "kit"))
    deal, agent = next(iter(core.book.deals)), "site-000003"
    return [
        *("/agents/newest", "/network", "/needs", "/offers?resource=part-003", "/proposals", f"/proposals/{deal}", "/ledger", "/digest"),
        *("/shortage", "/shortage/needs", "/history", f"/needs/{part}/history", f"/agents/{agent}", "/search?q=site-0", "/map"),
        *(f"/needs/{part}/why", f"/needs/{part}/why?lift=true", f"/needs/{kit}/why", f"/needs/{kit}/explode"),
        *(f"/proposals/{deal}/alternatives", f"/proposals/{deal}/without", "/makers/kit-19", "/workshops/site-000004"),
        *(f"/opportunities/{agent}", "/pressure/part-003", "/network/stats", "/network/upstream/kit-19", "/network/tree/kit-19"),
        *("/network/hours", f"/network/downstream/{agent}", "/network/unreachable", "/network/weak-points"),
    ]


def _shown(question: str, status: int) -> str:
    """Return a question without names, and how it was answered where that was not well."""
    told = re.sub(r"site-\d+/need/[kn]\d+|[0-9a-f]{32}", "…", question)
    return told if status == 200 else f"{told} ({status})"


if __name__ == "__main__":
    main()
