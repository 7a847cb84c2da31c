"""What many open proposals cost: memory, and a page of them at the beginning, in the middle and at the end of the list.

    python tests/benchmarks/many_proposals.py [--proposals 1000000]

One offer and one need, drawn on by so many proposals of one piece each, taken in as they stand in a log. CPU time of this process.
"""

import argparse
import resource
import time

from coordinator.views import LARGEST_PAGE, Asked, proposals
from tests.support.desk import Desk
from tests.support.events import need, offer, proposal


def main() -> None:
    """Take them in, then ask for pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proposals", type=int, default=1_000_000)
    count = parser.parse_args().proposals
    desk = Desk()
    desk.core.judging = desk.core.planning = False
    desk.take(offer("a", count), need("b", count))
    before_kb, began_s = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    for number in range(count):
        desk.take(proposal(f"p{number:07}", "a", "b", 1, at=1))
    took_s = time.process_time() - began_s
    held_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    print(f"{count:,} open proposals: {took_s / count * 1e6:.0f} µs and {held_kb / count * 1024:.0f} bytes each, {held_kb / 1024:.0f} MB")
    for where, after in (("first", ""), ("middle", f"p{count // 2:07}"), ("last", f"p{count - LARGEST_PAGE - 1:07}")):
        began_s = time.process_time()
        page = proposals(desk.core, Asked(LARGEST_PAGE, after))
        print(f"the {where} page of {len(page['items']):,}: {1000 * (time.process_time() - began_s):.1f} ms")


if __name__ == "__main__":
    main()
