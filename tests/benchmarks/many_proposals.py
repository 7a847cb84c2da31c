"""What many open proposals cost: memory, a page of them at the beginning, in the middle, at the end, and by what is asked for, and counts.

    python -m tests.benchmarks.many_proposals [--proposals 1000000]

One offer and one need, drawn on by so many proposals of one piece each, taken in as they stand in a log. CPU time of this process.
"""

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

from coordinator.accounts import find
from coordinator.adapters.memory import collect_rarely
from coordinator.history import sample_of
from coordinator.shortage import shortage
from coordinator.signals import parse_event
from coordinator.views import LARGEST_PAGE, LOOKED_AT, Asked, deal_named, overview, proposals
from tests.support.desk import Desk
from tests.support.events import need, offer, proposal
from tests.support.programs import at_least_one


def main() -> None:
    """Take them in, then ask for pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proposals", type=at_least_one, default=1_000_000)
    count = parser.parse_args().proposals
    collect_rarely()  # as every command does
    desk = Desk()
    core = desk.core
    core.judging = core.planning = False
    desk.take(offer("a", count), need("b", count), offer("c", 9), need("d", 9), proposal("few", "c", "d", 1, at=1))
    before_kb, took_s = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0.0
    for number in range(count):
        line = proposal(f"p{number:07}", "a", "b", 1, at=1)
        event = parse_event(line)
        began_s = time.process_time()
        core.take(event, line)
        took_s += time.process_time() - began_s
    held_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    print(f"{count:,} open proposals: {took_s / count * 1e6:.1f} µs and {held_kb / count * 1024:.0f} bytes each, {held_kb / 1024:.0f} MB")
    middle, last = f"p{count // 2:07}", f"p{count - LARGEST_PAGE - 1:07}"
    told(f"the first page of {LARGEST_PAGE:,}", lambda: proposals(core, Asked(LARGEST_PAGE)))
    told("one in the middle", lambda: proposals(core, Asked(LARGEST_PAGE, middle)))
    told("the last", lambda: proposals(core, Asked(LARGEST_PAGE, last)))
    told("of the agent that all are about", lambda: proposals(core, Asked(LARGEST_PAGE, middle, agent="a")))
    told("of an agent with one", lambda: proposals(core, Asked(LARGEST_PAGE, agent="c")))
    told(f"in a state that none is in: {LOOKED_AT:,} looked at", lambda: proposals(core, Asked(LARGEST_PAGE, middle, state="broken")))
    told("one, by the beginning of its id", lambda: deal_named(core, "fe"))
    told("counts of all, for the overview", lambda: overview(core))
    told("what is short, for the first time", lambda: shortage(core))
    take_one(desk, count)
    told("what is short, one proposal later", lambda: shortage(core))
    take_one(desk, count + 1)
    told("how short things are, one proposal later", lambda: {"items": [sample_of(core)]})
    told("a search through all names", lambda: {"items": find(core, "p00001", 12)})


def take_one(desk: Desk, number: int) -> None:
    """Take in one more proposal of the kind."""
    desk.take(proposal(f"p{number:07}", "a", "b", 1, at=1))


def told(what: str, ask: Callable[[], dict[str, Any]]) -> None:
    """Print how long an answer takes."""
    began_s = time.process_time()
    rows = ask().get("items", [{}])
    print(f"{what}: {1000 * (time.process_time() - began_s):.1f} ms, {len(rows):,} rows", flush=True)


if __name__ == "__main__":
    main()
