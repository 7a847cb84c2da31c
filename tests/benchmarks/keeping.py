"""When it pays to keep a market's optimum and follow what changes, instead of solving it anew: what `Planner.keep_pairs` goes by.

    python tests/benchmarks/keeping.py [--words 40]

One market in which all can meet, of growing size: solved from nothing, kept from the first time on, and either way planned again after
each of some words. CPU time of the thread that plans.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from coordinator.adapters.memory import collect_rarely
from coordinator.charter import Charter
from coordinator.cycle import Coordination
from coordinator.signals import event_json, parse_event
from solver import prepare
from tests.support.programs import at_least_one

BEGIN_US = 1_772_352_000_000_000
SIDES = (10, 20, 40, 70, 100, 200, 400)  # offers, and as many needs
WARM = 5  # words before those that count
NEVER = 10**12


@dataclass(frozen=True)
class Cost:
    """What planning took, in ms: the first time, and each time after."""

    first: float
    again: float


def words(count: int) -> Iterator[bytes]:
    """Yield offers and needs at random places."""
    random = Random(7)
    for number in range(count):
        kind = "need" if number % 2 else "offer"
        place = {"lat": round(random.uniform(46, 50), 2), "long": round(random.uniform(-2, 3), 2)}
        data = {"resource": "mask", "quantity": {"value": random.randint(1, 40), "unit": "1"}, "place": place}
        yield event_json(kind, f"agent:{kind}-{number}", "s", BEGIN_US + number, data)


def cost(side: int, count: int, fairness: str, *, kept: bool) -> Cost:
    core = Coordination(Charter(fairness=fairness), judging=False, planning=False)
    planner = core.planner
    planner.keep_pairs, planner.keep_after, planner.keep_at_once = 0, 0 if kept else NEVER, NEVER
    lines = list(words(2 * side + WARM + count))
    for line in lines[: 2 * side]:
        core.take(parse_event(line), line)
    took_ms = []
    for line in (None, *lines[2 * side :]):
        if line is not None:
            core.take(parse_event(line), line)
        began_s = time.thread_time()
        planner.plan(core.log_us)
        took_ms.append(1000 * (time.thread_time() - began_s))
    assert all((answer.kept is not None) == kept for answer in planner.solved.values())
    return Cost(took_ms[0], sum(took_ms[1 + WARM :]) / count)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=at_least_one, default=40)
    parser.add_argument("--sides", type=int, nargs="*", default=SIDES, help="offers of a market, and as many needs; each is measured alone")
    asked = parser.parse_args()
    prepare()
    collect_rarely()
    cost(SIDES[0], 1, "off", kept=True)  # whatever is loaded by the first
    for fairness in ("off", "portions"):
        print(f"fairness {fairness}, ms of CPU: first, each time after, by solving; the same, kept; kept pays after so many words")
        for side in asked.sides:
            anew, kept = (cost(side, asked.words, fairness, kept=one) for one in (False, True))
            saved_ms = anew.again - kept.again
            pays = f"{max(0.0, kept.first - anew.first) / saved_ms:6.1f}" if saved_ms > 0 else " never"
            print(f"{side**2:9,} pairs {anew.first:8.2f} {anew.again:8.2f} {kept.first:10.2f} {kept.again:8.2f} {pays}", flush=True)


if __name__ == "__main__":
    main()
