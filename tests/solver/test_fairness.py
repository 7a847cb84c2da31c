from dataclasses import replace

import numpy as np
import pytest

from solver import BadProblem, Problem, TooLarge, exact_levels, levels_before, staircase, total_urgency
from solver.fairness import level_of


def levels_of(rule, portion, unit, asked, levels, units):
    rise, run, height = staircase(rule, portion, unit, np.array([asked]), levels)
    problem = Problem.of([], [asked], staircase=(rise, run, height))
    taken = np.arange(units)
    return level_of(problem, np.zeros_like(taken), taken).tolist()


@pytest.mark.parametrize(
    ("rule", "portion", "unit", "asked", "levels", "expected"),
    [
        pytest.param("portions", 3, 1, 99, 100, [0, 0, 0, 1, 1, 1, 2], id="portions of three"),
        pytest.param("portions", 3, 1, 1, 100, [0, 0, 0, 1, 1, 1, 2], id="whatever was asked"),
        pytest.param("portions", 5, 2, 99, 100, [0, 0, 0, 1, 1, 2, 2], id="packs of two, portions of five"),
        pytest.param("portions", 1, 1, 99, 3, [0, 1, 2, 2, 2, 2, 2], id="the last level has no end"),
        pytest.param("ratio", 1, 1, 7, 7, [0, 1, 2, 3, 4, 5, 6], id="a level a unit"),
        pytest.param("ratio", 1, 1, 3, 100, [0, 33, 66, 99, 99, 99, 99], id="shares of what was asked"),
        pytest.param("ratio", 1, 1, 14, 2, [0, 0, 0, 0, 0, 0, 0], id="half of fourteen"),
        pytest.param("off", 1, 1, 7, 100, [0, 0, 0, 0, 0, 0, 0], id="off"),
        pytest.param("portions", 1, 1, 7, 1, [0, 0, 0, 0, 0, 0, 0], id="one level is off"),
    ],
)
def test_levels_follow_the_rule(rule, portion, unit, asked, levels, expected):
    assert levels_of(rule, portion, unit, asked, levels, 7) == expected


@pytest.mark.parametrize("rule", ["portions", "ratio", "off"])
def test_who_asks_for_nothing_has_a_staircase_all_the_same(rule):
    rise, run, _ = staircase(rule, 5, 1, np.array([0, 0]), 10)
    assert len(rise) == len(run) == 2
    assert run.min() >= 1


@pytest.mark.parametrize(
    ("rule", "portion", "unit", "levels", "told"),
    [
        pytest.param("portions", 0, 1, 10, "portion 0", id="no portion"),
        pytest.param("ratio", 1, 1, 0, "levels is 0", id="no level"),
        pytest.param("lottery", 1, 1, 10, "'lottery'", id="no such rule"),
    ],
)
def test_a_wrong_rule_is_told(rule, portion, unit, levels, told):
    with pytest.raises(BadProblem, match=told):
        staircase(rule, portion, unit, np.array([1]), levels)


@pytest.mark.parametrize(
    ("portion", "levels"),
    [
        pytest.param(1, exact_levels(np.array([2**40, 2**40])), id="levels beyond 64 bits"),
        pytest.param(2**70, 5, id="a portion beyond 64 bits"),
    ],
)
@pytest.mark.parametrize("rule", ["portions", "ratio"])
def test_staircases_beyond_64_bits_are_refused(rule, portion, levels):
    with pytest.raises(TooLarge, match="do not fit into 64 bits"):
        staircase(rule, portion, 1, np.array([2**40] * 2), levels)


def test_urgency_is_added_up_without_bound():
    """Each of a hundred units counts for three times 2^58; of 2^40 on the last level each as much as a tier."""
    one = Problem.of([100], [100], [0], [0], [0], staircase=([0], [1], 2**58))
    assert total_urgency(one, np.array([100])) == 100 * 3 * 2**58
    high = Problem.of([2**40], [2**40], [0], [0], [0], tier=[3], received=[2**50], staircase=([1], [1], 2**40))
    assert total_urgency(high, np.array([2**40])) == 2**40
    assert total_urgency(replace(high, received=np.array([0]), rise=np.array([0])), np.array([2**40])) == 2**80


UNITS, AT_NEED = np.array([3, 0, 2, 4]), np.array([1, 0, 0, 1], dtype=np.int32)
OF_CLAIMS = {"claim": [1, 0], "received": [1, 0], "rise": [1, 2], "run": [2, 3], "last_level": 9}


def test_levels_before_are_those_of_what_a_claim_had_on_the_arcs_before():
    # Claim 0 has need 1: it received 1, then gets 3 and 4 units; claim 1 has need 0 and gets 2.
    assert levels_before(UNITS, AT_NEED, **OF_CLAIMS).tolist() == [0, 0, 0, 2]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        pytest.param({"need": [1, 0, 0, 2]}, "a need is one of 2", id="a need that there is not"),
        pytest.param({"need": [1, 0]}, "4 entries, but 2", id="fewer needs than arcs"),
        pytest.param({"claim": [2, 0]}, "a claim is one of 2", id="a claim that there is not"),
        pytest.param({"claim": [-1, 0]}, "positions -1", id="no claim"),
        pytest.param({"received": [1, -1]}, "at least 0", id="less than nothing received"),
        pytest.param({"rise": [1]}, "1 entries, but 2", id="too few rises"),
        pytest.param({"run": [2, 0]}, "at least 1", id="no run"),
        pytest.param({"run": [2, 3, 4]}, "3 entries, but 2", id="too many runs"),
    ],
)
def test_levels_before_of_what_does_not_fit_together_are_refused(changed, told):
    with pytest.raises(BadProblem, match=told):
        levels_before(**({"flow": UNITS, "need": AT_NEED} | OF_CLAIMS | changed))
