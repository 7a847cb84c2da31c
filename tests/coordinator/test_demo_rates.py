import csv
from collections import Counter

import pytest

from coordinator.demo_rates import MATCHES, OUTCOMES, outcome_of


def test_the_rates_are_counted_from_the_published_matches(real_data):
    with (real_data / "ppe-retrospective" / "all_matches.csv").open(encoding="utf-8", newline="") as file:
        endings = {row["matchkey"]: row for row in csv.DictReader(file) if row["matchCreated"][:10] <= "2020-07-20"}
    closed = Counter(row["matchsubstatus"] for row in endings.values() if row["matchstatus"] == "closed")
    assert len(endings) == MATCHES
    assert closed == {"no_supply": 359, "no_contact_donor": 8, "no_need": 31, "no_contact_facility": 39}
    assert {outcome.matches for outcome in OUTCOMES} == set(closed.values())


@pytest.mark.parametrize("side", ["provider", "receiver"])
def test_parties_answer_at_the_real_rates(side):
    draws = 20_000
    drawn = Counter(outcome_of(7, side, f"proposal {number}") for number in range(draws))
    assert all(outcome is None or outcome.side == side for outcome in drawn)
    for outcome in OUTCOMES:
        if outcome.side == side:
            assert drawn[outcome] / draws == pytest.approx(outcome.matches / MATCHES, abs=0.01)


def test_the_same_draw_gives_the_same_outcome_and_seeds_differ():
    occasions = [f"proposal {number}" for number in range(200)]
    assert [outcome_of(1, "provider", each) for each in occasions] == [outcome_of(1, "provider", each) for each in occasions]
    assert [outcome_of(1, "provider", each) for each in occasions] != [outcome_of(2, "provider", each) for each in occasions]
