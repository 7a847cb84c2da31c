"""The past is kept in few samples that reach back to the beginning, and each tells what stood at its moment."""

from itertools import pairwise
from typing import Any

import pytest

from coordinator.history import MOST, Sample, Timeline, sample_of
from tests.support.desk import Desk
from tests.support.events import answer, moment_us, need, offer, proposal

AT: dict[str, Any] = {"place": {"lat": 1.0, "long": 1.0}}


def at(us: int) -> Sample:
    return Sample(us, (1, 0, 0, 0), (0, 0, 0, 0), {}, {})


def test_however_long_it_goes_on_few_samples_are_kept_evenly_from_the_first_on() -> None:
    timeline, now_us, taken = Timeline(), 0, 0
    for _ in range(100_000):
        now_us += 1_000_000
        if now_us >= timeline.due_us:
            timeline.take(at(now_us))
            taken += 1
    times = [one.at_us for one in timeline.samples]
    gaps = {later - earlier for earlier, later in pairwise(times)}
    assert MOST // 2 <= len(times) <= MOST
    assert times[0] == 1_000_000
    assert gaps == {timeline.step_us}
    assert taken < 20 * MOST


def test_a_sample_counts_needs_and_what_is_in_no_plan() -> None:
    desk = Desk(offer("g", 4, **AT), need("r", 4, tier=0, **AT), need("s", 6, tier=2, **AT))
    first = sample_of(desk.core)
    assert (first.needs, first.short, first.shares) == ((1, 0, 1, 0), (1, 0, 1, 0), {"mask": 1.0})
    [deal] = desk.cycle()
    then = sample_of(desk.core)
    assert (then.short, then.shares, then.pressures) == ((0, 0, 1, 0), {"mask": 0.6}, {"mask": (2, 0)})
    for party in deal.parties:
        desk.take(answer(party, deal.proposal, at=1))
    after = sample_of(desk.core)
    assert (after.at_us, after.short, after.shares, after.pressures) == (moment_us(1), (0, 0, 1, 0), {"mask": 0.6}, {})


@pytest.mark.parametrize("pressure", ["high", [], {"tier": 0}, {"tier": "urgent", "level": 1}, {"tier": {"a": 1}, "level": 1}])
def test_what_others_gave_as_reasons_is_passed_over_where_it_tells_no_pressure(pressure: object) -> None:
    """Such a proposal may stand in a log that was imported: a coordinator samples whatever it folds."""
    told = [{"lines": [{"pressure": each}]} for each in (pressure, {"tier": 2, "level": 1})]
    desk = Desk(offer("g", 4, **AT), need("r", 4, **AT), proposal("p", "g", "r", 2, at=0, reasons=told[0]))
    assert len(desk.open) == 1
    assert sample_of(desk.core).pressures == {}
    desk.take(proposal("q", "g", "r", 2, at=0, reasons=told[1]))
    assert sample_of(desk.core).pressures == {"mask": (2, 1)}


def test_what_is_told_ends_with_the_moment_of_asking_and_lists_the_shortest_first() -> None:
    timeline = Timeline()
    timeline.take(Sample(1_000_000, (1, 0, 0, 0), (1, 0, 0, 0), {"a": 0.5}, {"a": (0, 1)}))
    told = timeline.told(Sample(2_000_000, (2, 0, 0, 0), (0, 0, 0, 0), {"a": 0.1, "b": 0.7}, {}))
    assert told["time"] == ["1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z"]
    assert told["short"] == [[1, 0], [0, 0], [0, 0], [0, 0]]
    assert told["things"] == [
        {"name": "b", "share": [0.0, 0.7], "pressure": [None, None]},
        {"name": "a", "share": [0.5, 0.1], "pressure": [(0, 1), None]},
    ]
