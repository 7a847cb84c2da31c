"""How long it is from an event to the proposals it brings about in a network of a million pairs that could meet; CPU time, in one run.

    python tests/benchmarks/latency.py [--shape wide|dense|many] [--nodes 10000] [--events 500] [--fairness off] [--needed 1.3]

Everybody speaks first and one plan is made of it. From there on a cycle follows every single event, the hardest pace there is. Told is
how long each stage took: taking the event in, planning, and wording what changed. `wide` is one market of 10 000 offers and as many
needs spread over a country, about a hundred within the radius of each; `dense` is one of 1 000 and 1 000 where all can meet; `many` is
a hundred markets of 100 and 100. An event is an offer or a need said anew with another quantity, somebody new, or a withdrawal.
"""

import argparse
import gc
import time
from collections.abc import Iterator
from random import Random

import numpy as np

from coordinator.adapters.memory import collect_rarely
from coordinator.charter import Charter
from coordinator.cycle import Coordination
from coordinator.signals import event_json, parse_event
from solver.field import prepare
from tests.support.programs import at_least_one

START_US = 1_750_000_000_000_000
SHAPES = {"wide": (10_000, 1), "dense": (1_000, 1), "many": (10_000, 100)}  # offers and as many needs; things
WIDE_KM, PARTNERS = 1_000, 100  # how far the country reaches either way, and how many needs are to be within the radius of an offer
DEGREES_A_KM = 1 / 111.2


class Country:
    """Agents with one offer or need each, and what they say as time goes on."""

    def __init__(self, nodes: int, things: int, seed: int, needed: float) -> None:
        self.random, self.nodes, self.things, self.needed = Random(seed), nodes, things, needed
        self.now_us, self.said = START_US, 0
        self.standing = [*range(2 * nodes)]

    def first(self) -> Iterator[bytes]:
        """Yield what everybody says first."""
        for who in self.standing:
            yield self._word(who)

    def next(self) -> bytes:
        """Return what is said next: of five words three are about another quantity, one is new and one takes something back."""
        self.now_us += 2_000
        draw = self.random.random()
        if draw < 0.6:
            return self._word(self.random.choice(self.standing))
        if draw < 0.8 or len(self.standing) < 2:
            self.standing.append(2 * self.nodes + self.said)
            return self._word(self.standing[-1])
        at = self.random.randrange(len(self.standing))
        self.standing[at], self.standing[-1] = self.standing[-1], self.standing[at]
        who = self.standing.pop()
        return self._event(who, None)

    def _word(self, who: int) -> bytes:
        drawn = Random(who)  # Whoever speaks again speaks of the same thing at the same place.
        side = WIDE_KM * DEGREES_A_KM
        place = {"lat": round(drawn.uniform(0, side), 2), "long": round(drawn.uniform(0, side), 2)}
        quantity = {"value": self.random.randint(1, round(40 * self.needed) if who % 2 else 40), "unit": "1"}
        return self._event(who, {"resource": f"thing-{who // 2 % self.things}", "quantity": quantity, "place": place})

    def _event(self, who: int, data: dict[str, object] | None) -> bytes:
        kind = "need" if who % 2 else "offer"
        self.said += 1
        return event_json(kind, f"agent:{kind}-{who}", "s", self.now_us, data)


def main() -> None:
    """Print the distribution."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=tuple(SHAPES), default="wide")
    parser.add_argument("--nodes", type=int, help="offers, and as many needs")
    parser.add_argument("--events", type=at_least_one, default=500, help="each followed by a cycle")
    parser.add_argument("--warm", type=int, default=20, help="events before those that are measured")
    parser.add_argument("--fairness", choices=("off", "portions", "ratio"), default="off")
    parser.add_argument("--needed", type=float, default=1.3, help="times what is offered; at 1 every event moves hundreds of pairs")
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    nodes, things = SHAPES[asked.shape]
    nodes = asked.nodes or nodes
    radius_km = WIDE_KM * (PARTNERS / nodes / np.pi) ** 0.5 if asked.shape == "wide" else None
    collect_rarely()  # as every command does
    prepare()
    rules = {"fairness": asked.fairness, "effort": "km", "cycle_seconds": 86_400, "radius_km": radius_km}
    coordination = Coordination(Charter.model_validate(rules))
    country = Country(nodes, things, asked.seed, asked.needed)
    began_s = time.process_time()
    for line in country.first():
        coordination.take(parse_event(line), line)
    told_s = time.process_time()
    coordination.run_cycle()
    print(f"{2 * nodes:,} signals taken in {told_s - began_s:.1f} s, first plan in {time.process_time() - told_s:.1f} s (CPU)", flush=True)
    coordination.outbox.clear()
    gc.collect()
    spent, said = measured(coordination, country, asked.warm, asked.events)
    told = f"{len(spent)} events, shape {asked.shape}, fairness {asked.fairness}, {asked.needed:g} times as much needed as offered"
    print(f"{told}; {sum(said):,} proposals made or taken back; CPU ms")
    for what, column in (("taking it in", 0), ("planning", 1), ("wording what changed", 2), ("in all", 3)):
        print("{:22} p50 {:8.2f}  p90 {:8.2f}  p99 {:8.2f}  most {:8.2f}".format(what, *np.percentile(spent[:, column], [50, 90, 99, 100])))


def measured(coordination: Coordination, country: Country, warm: int, events: int) -> tuple[np.ndarray, list[int]]:
    """Return (events, 4) how long each stage took in CPU ms, the sum last, and what each event brought about."""
    spent, said, planned_s = np.zeros((events, 4)), [0] * events, 0.0
    plan = coordination.planner.plan

    def timed(*told: object) -> bool:
        nonlocal planned_s
        began_s = time.process_time()
        moved = plan(*told)  # type: ignore[arg-type]
        planned_s = time.process_time() - began_s
        return moved

    coordination.planner.__class__ = type("Timed", (type(coordination.planner),), {"__slots__": (), "plan": lambda _, *told: timed(*told)})
    for number in range(-warm, events):
        line = country.next()
        began_s = time.process_time()
        coordination.take(parse_event(line), line)
        taken_s = time.process_time()
        coordination.run_cycle()
        whole_s = time.process_time()
        if number >= 0:
            stages = taken_s - began_s, planned_s, whole_s - taken_s - planned_s, whole_s - began_s
            spent[number], said[number] = np.multiply(1e3, stages), len(coordination.outbox)
        coordination.outbox.clear()
    return spent, said


if __name__ == "__main__":
    main()
