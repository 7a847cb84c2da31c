"""Torments coordinators that share one Kafka, and has the raw topics judged: ``python -m tests.torture --broker apache|tansu``.

Agents speak straight into Kafka and accept all that is proposed to them; meanwhile coordinators are killed and started again, the
broker is paused, and the network between them is cut, held up, or lets no answers through. In the end everything heals, and
then nothing that was acknowledged may be lost, and nothing doubled.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.torture.running import Plan, torture


def main() -> int:
    """Return 0 where nothing was lost or doubled; 1 where it was."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--broker", choices=["apache", "tansu"], default="apache")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=100, help="of coordinators, by SIGKILL")
    parser.add_argument("--pauses", type=int, default=10, help="of the broker, by SIGSTOP")
    parser.add_argument("--cuts", type=int, default=10, help="of the network")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--client", choices=["kafka-python", "confluent"], default="kafka-python", help="of Kafka, in the coordinators")
    asked = parser.parse_args()
    plan = Plan(asked.broker, asked.events, asked.kills, asked.pauses, asked.cuts, asked.workers, asked.seed, asked.client)
    with tempfile.TemporaryDirectory() as folder:
        outcome = torture(plan, Path(folder), say=lambda told: print(told, flush=True))
    print(outcome.table())
    return 1 if outcome.findings.wrong or outcome.findings.waiting else 0


if __name__ == "__main__":
    sys.exit(main())
