"""Lists of many proposals come in pages that add up to the whole."""

from coordinator.views import LARGEST_PAGE, Asked, proposals
from tests.support.desk import Desk
from tests.support.events import need, offer, proposal


def test_pages_of_many_open_proposals_are_bounded_and_together_hold_each_once():
    count = 5_000
    desk = Desk()
    desk.core.judging = desk.core.planning = False
    desk.take(offer("a", count), need("b", count), *(proposal(f"p{number:05}", "a", "b", 1, at=1) for number in range(count)))
    after, listed, sizes = "", [], []
    while after is not None:
        page = proposals(desk.core, Asked(limit=LARGEST_PAGE, after=after))
        listed += [row["proposal"] for row in page["items"]]
        sizes.append(len(page["items"]))
        after = page["next"]
    assert listed == [f"p{number:05}" for number in range(count)]
    assert max(sizes) == LARGEST_PAGE
