"""Each rule compared comes to what a network under that rule plans from nothing, and no rule takes less effort for more than `off`."""

from random import Random
from typing import Any

import pytest

from coordinator.weighing import RULES, Outcome, lay_out, market_keys, outcome
from tests.coordinator.test_alternatives import drawn, planned
from tests.support.desk import Desk


def compared(desk: Desk, most_pairs: int = 10**6) -> dict[str, Outcome]:
    sums = {rule: Outcome() for rule in RULES}
    for key in market_keys(desk.core):
        for laid in lay_out(desk.core, key, most_pairs) or ():
            sums[laid.rule] += outcome(laid)  # type: ignore[index]
    return {str(rule): one for rule, one in sums.items()}


@pytest.mark.parametrize("measure", ["km", "kg_km"])
def test_a_rule_compared_comes_to_what_is_planned_under_it_from_nothing(measure: str) -> None:
    for seed in range(15):
        words = drawn(Random(seed), tiers=2)
        rules: dict[str, Any] = {"portion": {"mask": 2}, "effort": measure}
        told = compared(planned(words, fairness="portions", **rules))
        for rule, one in told.items():
            desk = planned(words, fairness=rule, **rules)
            got: dict[str, int] = {}
            for deal in desk.open:
                for line in deal.lines:
                    got[line.receiver] = got.get(line.receiver, 0) + line.quantity.grains
            asked = {name: pieces for name, (pieces, _) in words.items() if name.startswith("r")}
            assert one.needs == len(asked)
            assert one.met == sum(got.get(name, 0) == pieces for name, pieces in asked.items()), (seed, rule)
            assert one.nothing == sum(name not in got for name in asked), (seed, rule)
            assert one.effort == pytest.approx(sum(float(line.effort) for deal in desk.open for line in deal.lines), abs=0.01), (seed, rule)


def test_comparing_leaves_the_network_its_own_rule_and_plan() -> None:
    desk = planned(drawn(Random(3)), fairness="ratio")
    before = desk.moves, desk.core.charter.version, len(desk.core.outbox)
    compared(desk)
    assert (desk.moves, desk.core.network.charter.version, len(desk.core.outbox)) == before
    assert desk.core.book.network is desk.core.network


def test_a_market_with_too_many_pairs_is_left_out() -> None:
    desk = planned(drawn(Random(3)))
    [key] = market_keys(desk.core)
    assert lay_out(desk.core, key, 1) is None
