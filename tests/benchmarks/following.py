"""What a word costs in CPU where many markets are kept, by stage of planning, and a digest of all that was proposed.

    python tests/benchmarks/following.py [--things 100] [--side 100] [--words 1000] [--cycles 1,10,100,200] [--fairness off] [--more]

Offers and needs at random places, as `bench_kafka.py --plenty` says them (half as much is wanted as is offered; `--more`: a third more is
wanted than there is), but without Kafka: a cycle after every so many words, planned, worded and obeyed as one coordinator on Kafka does.
The digest is over every line said, so that two versions that plan alike print the same. CPU time of the one thread.
"""

import argparse
import hashlib
import sys
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import coordinator.cycle
from coordinator.adapters.memory import collect_rarely
from coordinator.charter import Charter
from coordinator.cycle import Coordination
from coordinator.deciding import obey, planned
from coordinator.markets import KeptMarket
from coordinator.planning import Planner
from coordinator.signals import event_json, parse_event
from solver import prepare
from tests.support.programs import at_least_one

BEGIN_US = 1_772_352_000_000_000
OFFERED, WANTED, WANTED_IN_PLENTY = 40, 52, 20  # at most, by one signal, as in bench_kafka.py
# What is timed inside of what: the time of the inner is taken off the outer's.
STAGES: tuple[tuple[Any, str, str], ...] = (
    (Planner, "plan", "plan, all else"),
    (KeptMarket, "follow", "follow, all else"),
    (KeptMarket, "_news", "follow: news"),
    (KeptMarket, "_change", "follow: changes"),
    (KeptMarket, "_admit", "follow: admit"),
    (KeptMarket, "_find_portions", "follow: portions"),
    (KeptMarket, "_restep", "follow: portions"),
    (KeptMarket, "_add_what_gains", "follow: what gains"),
    (KeptMarket, "moved", "parts"),
    (KeptMarket, "_check", "check"),
    (KeptMarket, "told", "told"),
    (coordinator.cycle, "revise", "drafts"),
    (Coordination, "worded", "wording"),
)


class Stages:
    """Adds up what each stage takes, without what those inside of it take."""

    def __init__(self) -> None:
        self.spent_s: Counter[str] = Counter()
        self._inner_s = [0.0]

    def timed(self, name: str, task: Callable[..., Any]) -> Callable[..., Any]:
        """Return the task, timed."""

        def run(*args: Any, **named: Any) -> Any:
            self._inner_s.append(0.0)
            began_s = time.thread_time()
            try:
                return task(*args, **named)
            finally:
                took_s = time.thread_time() - began_s
                self.spent_s[name] += took_s - self._inner_s.pop()
                self._inner_s[-1] += took_s

        return run


def word(random: Random, number: int, things: int, wanted: int) -> bytes:
    """Return an offer or a need at a random place."""
    kind = "need" if number % 2 else "offer"
    place = {"lat": round(random.uniform(46, 50), 2), "long": round(random.uniform(-2, 3), 2)}
    amount = {"value": random.randint(1, wanted if number % 2 else OFFERED), "unit": "1"}
    data = {"resource": f"thing-{number // 2 % things}", "quantity": amount, "place": place}
    return event_json(kind, f"agent:{kind}-{number}", "s", BEGIN_US + number, data)


def measure(stages: Stages, asked: argparse.Namespace, a_cycle: int) -> None:
    """Print what a word costs, a cycle coming after so many."""
    core = Coordination(Charter(fairness=asked.fairness), judging=False, planning=False)
    random, digest = Random(7), hashlib.sha256()
    wanted = WANTED if asked.more else WANTED_IN_PLENTY
    first = 2 * asked.things * asked.side
    lines = [word(random, number, asked.things, wanted) for number in range(first + 4 * asked.things + asked.words)]
    records = 0

    def take(some: list[bytes]) -> None:
        for line in some:
            core.take(parse_event(line), line)

    def cycle() -> None:
        nonlocal records
        for said in planned(core):
            digest.update(said.line)
            obey(core, said.event, said.line)
            records += 1

    taking, cycling = stages.timed("taking", take), stages.timed("obeying", cycle)
    at = first
    take(lines[:at])
    cycle()
    for _ in range(2):  # All markets are kept from here on.
        take(lines[at : at + 2 * asked.things])
        cycle()
        at += 2 * asked.things
    if any(answer.kept is None for answer in core.planner.solved.values()):
        sys.exit("following: markets as small as that are not kept, and this measures those that are: say a larger --side, such as 40")
    stages.spent_s.clear()
    records = 0
    for begin in range(at, at + asked.words, a_cycle):
        taking(lines[begin : begin + a_cycle])
        cycling()
    each = {name: 1e6 * spent_s / asked.words for name, spent_s in stages.spent_s.items()}
    all_us, said = sum(each.values()), digest.hexdigest()[:16]
    print(f"a cycle every {a_cycle} words: {all_us:,.0f} µs a word, {records / asked.words:.1f} records, {said}")
    print("   " + "; ".join(f"{name} {each[name]:,.0f}" for name in sorted(each, key=lambda name: -each[name])), flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--things", type=int, default=100)
    parser.add_argument("--side", type=int, default=100, help="offers of each thing, and as many needs, before the words that count")
    parser.add_argument("--words", type=at_least_one, default=1_000)
    parser.add_argument("--cycles", default="1,10,100,200", help="words between two cycles")
    parser.add_argument("--fairness", choices=("off", "portions", "ratio"), default="off")
    parser.add_argument("--more", action="store_true", help="a third more is wanted than there is")
    asked = parser.parse_args()
    prepare()
    collect_rarely()
    stages = Stages()
    for owner, task, name in STAGES:
        setattr(owner, task, stages.timed(name, getattr(owner, task)))
    for a_cycle in map(int, asked.cycles.split(",")):
        measure(stages, asked, a_cycle)


if __name__ == "__main__":
    main()
