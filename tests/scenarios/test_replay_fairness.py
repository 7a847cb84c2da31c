"""Fairness end to end: what `replay` proposes and commits under each rule, over days and with its memory."""

from typing import Any

import pytest

from tests.support.events import need, offer, route, tick
from tests.support.replaying import Result, replay

ONE_PLACE: dict[str, Any] = {"place": {"lat": 1, "long": 1}}


def given(result: Result) -> dict[str, float]:
    """Receiver -> what all proposals that stand give it."""
    units: dict[str, float] = {}
    for (_, ref), quantity in result.moves.items():
        units[ref.split("/")[0]] = units.get(ref.split("/")[0], 0) + quantity
    return units


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param({"fairness": "off"}, {"near": 60}, id="off: the least kilometres"),
        pytest.param({"fairness": "portions", "portion": {"mask": 20}}, {"near": 20, "far": 20, "farther": 20}, id="a portion each"),
        pytest.param({"fairness": "portions", "portion": {"mask": 25}}, {"near": 25, "far": 25, "farther": 10}, id="as far as it goes"),
        pytest.param({"fairness": "ratio"}, {"near": 30, "far": 20, "farther": 10}, id="ratio: half of what each asked for"),
        pytest.param({"fairness": "ratio", "fairness_levels": 1}, {"near": 60}, id="one level is off"),
    ],
)
def test_each_rule_does_what_it_says(tmp_path, rules, expected):
    lines = [offer("a", 60, **ONE_PLACE), route("a", "near", 1), route("a", "far", 2), route("a", "farther", 3)]
    lines += [need("near", 60), need("far", 40), need("farther", 20)]
    assert given(replay(tmp_path, lines, **rules)) == expected


@pytest.mark.parametrize(("memory_days", "expected"), [(30, {"b": 60, "c": 60}), (1, {"b": 80, "c": 40})])
def test_what_was_committed_is_remembered_for_as_long_as_the_charter_says(tmp_path, memory_days, expected):
    """b alone is there on the first day and gets 40; on the fourth, b and c share 80."""
    lines = [offer("a", 40, **ONE_PLACE), need("b", 40, **ONE_PLACE), tick(2)]
    lines += [offer("a", 80, at=80, subject="later", **ONE_PLACE), need("b", 100, at=80, subject="more", **ONE_PLACE)]
    lines += [need("c", 100, at=80, **ONE_PLACE)]
    rules: dict[str, Any] = {"fairness": "portions", "portion": {"mask": 10}, "fairness_memory_days": memory_days}
    result = replay(tmp_path, lines, "--answers", "accept", **rules)
    assert given(result) == expected
    assert result.summary["resources"]["mask"]["committed"] == 120


@pytest.mark.parametrize("fairness", ["off", "portions", "ratio"])
def test_a_vital_need_goes_first_under_every_rule(tmp_path, fairness):
    lines = [offer("a", 50, **ONE_PLACE), need("b", 50, **ONE_PLACE), need("c", 40, tier=0, place={"lat": 9, "long": 9})]
    assert given(replay(tmp_path, lines, fairness=fairness)) == {"b": 10, "c": 40}


def test_without_a_stated_portion_the_median_open_claim_is_one(tmp_path):
    lines = [offer("a", 50, **ONE_PLACE), *(need(who, units, **ONE_PLACE) for who, units in (("b", 10), ("c", 20), ("d", 900)))]
    assert given(replay(tmp_path, lines, fairness="portions")) == {"b": 10, "c": 20, "d": 20}
