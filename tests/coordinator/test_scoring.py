import pytest

from coordinator.rivals import Row, Shipment
from coordinator.scoring import ALL_ITEMS, Score, first_portions, median_claims, score
from coordinator.times import DAY_US

OFFERS = [Row(1, "p", 0, "gowns", 30, "offer"), Row(2, "p", 0, "masks", 70, "offer"), Row(3, "q", 0, "caps", 5, "offer")]
NEEDS = [
    Row(1, "r", 0, "masks", 10, "need"),
    Row(2, "r", 0, "masks", 40, "need"),
    Row(3, "s", 0, "masks", 8, "need"),
    Row(4, "r", 0, "gowns", 100, "need"),
]
PORTIONS = {"masks": 20, "gowns": 25}


def sent(receiver, resource, quantity, day, metres=500):
    return Shipment("p", receiver, resource, quantity, metres, int(day * DAY_US), int(day * DAY_US) // 2)


SHIPMENTS = [sent("r", "masks", 19, 1), sent("r", "masks", 1, 2), sent("s", "masks", 8, 2.5, 2_000), sent("r", "gowns", 24, 2.2)]


def test_the_figures_of_one_item():
    assert score(SHIPMENTS, OFFERS, NEEDS, PORTIONS)["masks"] == Score(
        offered=70,
        needed=58,
        shipped=28,
        unit_m=20 * 500 + 8 * 2_000,
        parcels=3,
        claims=2,
        first_portions=2,
        waited_us=(19 * 1 + 1 * 2) * DAY_US // 2 + 8 * int(1.25 * DAY_US),
    )


def test_every_item_of_either_side_has_figures_and_the_sum_comes_last():
    scores = score(SHIPMENTS, OFFERS, NEEDS, PORTIONS)
    assert list(scores) == ["caps", "gowns", "masks", ALL_ITEMS]
    for figure in ("offered", "needed", "shipped", "unit_m", "claims", "first_portions", "waited_us"):
        assert getattr(scores[ALL_ITEMS], figure) == sum(getattr(scores[item], figure) for item in scores if item != ALL_ITEMS)


def test_things_of_several_items_that_travel_together_are_one_parcel():
    scores = score(SHIPMENTS, OFFERS, NEEDS, PORTIONS)
    assert (scores["masks"].parcels, scores["gowns"].parcels, scores[ALL_ITEMS].parcels) == (3, 1, 3)


def test_figures_are_shown_in_kilometres_and_days():
    figures = score(SHIPMENTS, OFFERS, NEEDS, PORTIONS)["gowns"]
    assert figures.unit_km == 12.0
    assert figures.waited_days == pytest.approx(1.1)
    assert score([], OFFERS, NEEDS, PORTIONS)[ALL_ITEMS].waited_days == 0


def test_a_claim_has_its_first_portion_when_a_portion_or_the_whole_of_a_smaller_claim_arrived():
    assert first_portions(SHIPMENTS, NEEDS, PORTIONS) == [(2 * DAY_US, 1), (int(2.5 * DAY_US), 2)]


def test_a_second_portion_is_not_a_first():
    assert first_portions([sent("r", "masks", 30, 1), sent("r", "masks", 20, 2)], NEEDS, PORTIONS) == [(DAY_US, 1)]


def test_claims_reached_at_one_time_are_one_point():
    assert first_portions([sent("s", "masks", 8, 1), sent("r", "gowns", 25, 1)], NEEDS, PORTIONS) == [(DAY_US, 2)]


def test_the_median_claim_adds_up_what_one_agent_asks_for():
    assert median_claims(NEEDS) == {"gowns": 100, "masks": 8}
