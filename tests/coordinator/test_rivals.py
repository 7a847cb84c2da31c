"""The two rivals, on networks small enough to follow by hand, and by what must hold on any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.errors import Refused
from coordinator.rivals import RIVALS, Row, Shipment, decision_times, run_rival
from coordinator.routes import RouteTable, route_table
from coordinator.times import DAY_US

MINUTE_US = 60_000_000
START_US = 1_000 * DAY_US


def row(side, number, agent, day, quantity, resource="masks"):
    return Row(number, agent, START_US + round(day * DAY_US), resource, quantity, side)


def offer(*of):
    return row("offer", 1, *of)


def need(*of):
    return row("need", 1, *of)


def routes(**metres: int) -> RouteTable:
    """Distances by provider and receiver, written like ``north_south=7``."""
    pairs = [name.split("_") for name in metres]
    names = sorted({name for pair in pairs for name in pair})
    return route_table(names, [names.index(a) for a, _ in pairs], [names.index(b) for _, b in pairs], list(metres.values()))


NEAR_AND_FAR = routes(p_r=5, p_s=2, q_r=9, q_s=3)


def moved(shipments: list[Shipment]) -> list[tuple[str, str, int]]:
    return [(shipment.provider, shipment.receiver, shipment.quantity) for shipment in shipments]


@pytest.mark.parametrize(
    ("rival", "expected"),
    [
        pytest.param("first come", [("p", "r", 10), ("q", "s", 4)], id="first come: the first with the first"),
        pytest.param("nearest", [("p", "s", 4), ("q", "r", 30)], id="nearest: who is full is not chosen again"),
    ],
)
def test_each_provider_meets_one_receiver_in_a_decision(rival, expected):
    offers = [offer("p", 0, 10), offer("q", 0.1, 50)]
    needs = [need("r", 0.2, 30), need("s", 0.3, 4)]
    assert moved(run_rival(rival, offers, needs, NEAR_AND_FAR, DAY_US)) == expected


def test_the_nearest_receiver_with_something_left_serves_several_providers():
    shipments = run_rival("nearest", [offer("p", 0, 10), offer("q", 0, 5)], [need("r", 0, 30), need("s", 0, 14)], NEAR_AND_FAR, DAY_US)
    assert moved(shipments) == [("p", "s", 10), ("q", "s", 4)]


def test_of_two_receivers_equally_near_the_first_name_is_served():
    shipments = run_rival("nearest", [offer("p", 0, 1)], [need("s", 0, 1), need("r", 0, 1)], routes(p_r=7, p_s=7), DAY_US)
    assert moved(shipments) == [("p", "r", 1)]


def test_first_come_goes_by_name_as_the_original_does():
    shipments = run_rival("first come", [offer("q", 0, 1), offer("p", 0.1, 2)], [need("s", 0, 9), need("r", 0.1, 9)], NEAR_AND_FAR, DAY_US)
    assert moved(shipments) == [("p", "r", 2), ("q", "s", 1)]


def test_what_is_left_stays_open_for_the_next_decision():
    offers = [offer("p", 0, 10)]
    needs = [need("r", 0, 3), need("s", 0, 4), need("s", 2.5, 1)]
    shipments = run_rival("nearest", offers, needs, NEAR_AND_FAR, DAY_US)
    assert moved(shipments) == [("p", "s", 4), ("p", "r", 3), ("p", "s", 1)]
    assert [shipment.at_us - START_US for shipment in shipments] == [
        DAY_US - MINUTE_US,
        2 * DAY_US - MINUTE_US,
        int(2.5 * DAY_US) + 3 * MINUTE_US,
    ]


def test_the_rows_of_one_agent_are_summed_and_its_oldest_pieces_go_first():
    offers = [offer("p", 0, 2), row("offer", 2, "p", 0.5, 9)]
    shipments = run_rival("nearest", offers, [need("r", 0, 3), row("need", 2, "r", 0.2, 4)], NEAR_AND_FAR, DAY_US)
    at_us = int(0.5 * DAY_US) + 3 * MINUTE_US
    assert [(shipment.quantity, shipment.waited_us) for shipment in shipments] == [(2, at_us), (5, 3 * MINUTE_US)]


def test_items_are_decided_alone():
    offers = [offer("p", 0, 2, "gowns"), offer("p", 0, 3, "masks")]
    needs = [need("s", 0, 9, "gowns"), need("r", 0, 9, "masks"), need("s", 0, 9, "wipes")]
    shipments = run_rival("nearest", offers, needs, NEAR_AND_FAR, DAY_US)
    assert {(shipment.resource, shipment.receiver, shipment.metres) for shipment in shipments} == {("gowns", "s", 2), ("masks", "r", 5)}


@pytest.mark.parametrize("rival", RIVALS)
def test_a_pair_without_a_route_moves_nothing(rival):
    needs = [need("r", 0, 4), need("unknown", 0, 4)]
    assert run_rival(rival, [offer("x", 0, 5)], needs, NEAR_AND_FAR, DAY_US) == []


@pytest.mark.parametrize("rival", RIVALS)
def test_a_pair_that_does_not_agree_is_asked_again_at_the_next_decision(rival):
    asked = []

    def agrees(provider, receiver, resource, at_us):
        asked.append((provider, receiver, resource, at_us))
        return len(asked) > 1

    shipments = run_rival(rival, [offer("p", 0, 5)], [need("r", 0, 4), need("r", 1.5, 1)], NEAR_AND_FAR, DAY_US, agrees)
    first_us, last_us = START_US + DAY_US - MINUTE_US, START_US + int(1.5 * DAY_US) + 3 * MINUTE_US
    assert asked == [("p", "r", "masks", first_us), ("p", "r", "masks", last_us)]
    assert moved(shipments) == [("p", "r", 5)]


@pytest.mark.parametrize("rival", RIVALS)
def test_a_stream_with_one_side_alone_ships_nothing(rival):
    assert run_rival(rival, [offer("p", 0, 5)], [], NEAR_AND_FAR, DAY_US) == []
    assert run_rival(rival, [], [need("r", 0, 5)], NEAR_AND_FAR, DAY_US) == []
    assert run_rival(rival, [], [], NEAR_AND_FAR, DAY_US) == []


def test_decisions_begin_an_interval_after_the_minute_before_and_end_after_the_last_row():
    assert decision_times([0, 5 * MINUTE_US], 2 * MINUTE_US) == [minute * MINUTE_US for minute in (1, 3, 5, 8)]
    assert decision_times([7 * MINUTE_US], DAY_US) == [10 * MINUTE_US]
    assert decision_times([], DAY_US) == []


def test_an_unknown_rival_and_an_empty_interval_are_refused():
    with pytest.raises(Refused, match="one of first come, nearest was expected"):
        run_rival("auction", [], [], NEAR_AND_FAR, DAY_US)
    with pytest.raises(Refused, match="more than 0 was expected"):
        run_rival("nearest", [], [], NEAR_AND_FAR, 0)


PEOPLE = st.tuples(st.integers(0, 5), st.integers(0, 6 * 24), st.integers(1, 60), st.sampled_from(["gowns", "masks"]))


@given(
    given_away=st.lists(PEOPLE, max_size=12),
    wanted=st.lists(PEOPLE, max_size=12),
    metres=st.lists(st.integers(0, 9), min_size=36, max_size=36),
    every_hours=st.integers(1, 60),
    rival=st.sampled_from([*RIVALS]),
)
def test_nothing_is_shipped_that_was_not_offered_and_needed_before(given_away, wanted, metres, every_hours, rival):
    offers = [row("offer", number, f"p{who}", hour / 24, pieces, what) for number, (who, hour, pieces, what) in enumerate(given_away, 1)]
    needs = [row("need", number, f"r{who}", hour / 24, pieces, what) for number, (who, hour, pieces, what) in enumerate(wanted, 1)]
    known = routes(**{f"p{p}_r{r}": metres[6 * p + r] for p in range(6) for r in range(6)})
    shipments = run_rival(rival, offers, needs, known, every_hours * DAY_US // 24)
    assert [shipment.at_us for shipment in shipments] == sorted(shipment.at_us for shipment in shipments)
    for at_us in {shipment.at_us for shipment in shipments}:
        for side, rows in (("provider", offers), ("receiver", needs)):
            for agent, what in {(getattr(shipment, side), shipment.resource) for shipment in shipments}:
                told = sum(each.quantity for each in rows if (each.agent, each.resource) == (agent, what) and each.date_us < at_us)
                sent = sum(
                    each.quantity for each in shipments if (getattr(each, side), each.resource) == (agent, what) and each.at_us <= at_us
                )
                assert sent <= told
    assert all(shipment.quantity > 0 and shipment.waited_us > 0 for shipment in shipments)
    assert all(shipment.metres == known.metres(shipment.provider, shipment.receiver) for shipment in shipments)
