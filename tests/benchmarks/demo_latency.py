"""How long it is from an event of the demo's stream to the proposals it brings about, in CPU time; in one run.

    python tests/benchmarks/demo_latency.py [--after 20000] [--events 500] [--fairness off]

The real relief stream of spring 2020 is taken in with a cycle a day up to a point. From there on a cycle follows every single
event, which is the hardest pace there is: told is how long taking the event in and planning took together, for all events and for
those that brought something new. (Waiting for the next cycle, for disks and for networks is not in it: `bench_kafka.py` has those.)
"""

import argparse
import time

import numpy as np

from coordinator.adapters.memory import collect_rarely
from coordinator.adapters.ppe_match import event_of, read_ppe_distances, read_story
from coordinator.charter import Charter
from coordinator.cycle import Coordination
from coordinator.errors import Refused
from coordinator.signals import parse_event
from solver.field import prepare


def main() -> None:
    """Print the distribution."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--after", type=int, default=20_000, help="events taken in before, with a cycle a day")
    parser.add_argument("--events", type=int, default=500, help="events each followed by a cycle")
    parser.add_argument("--fairness", choices=("off", "portions", "ratio"), default="off")
    asked = parser.parse_args()
    collect_rarely()  # as every command does
    prepare()
    coordination = Coordination(Charter(fairness=asked.fairness, effort="km", cycle_seconds=86_400), table=read_ppe_distances())
    spent, brought = [], []
    for number, line in enumerate(map(event_of, read_story().stream())):
        if number >= asked.after + asked.events:
            break
        start = time.process_time()
        try:
            coordination.take(parse_event(line), line)
        except Refused:
            continue
        if number >= asked.after:
            coordination.run_cycle()
            spent.append((time.process_time() - start) * 1e3)
            brought.append(len(coordination.outbox))
        coordination.outbox.clear()
    print(f"{len(spent)} events of the relief stream after {asked.after}, fairness {asked.fairness}, a cycle after each; CPU ms")
    for what, those in (("all", np.ones(len(spent), dtype=bool)), ("that brought something new", np.array(brought) > 0)):
        figures = np.percentile(np.array(spent)[those], [50, 90, 99, 100]) if those.any() else [np.nan] * 4
        print("{:28} {:6}  p50 {:8.2f}  p90 {:8.2f}  p99 {:8.2f}  most {:8.2f}".format(what, int(those.sum()), *figures), flush=True)


if __name__ == "__main__":
    main()
