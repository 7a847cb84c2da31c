"""Every rule of the check is broken once, and told."""

from dataclasses import fields, replace

import numpy as np
import pytest

from solver import Allocation, Field, Gap, Problem, broken_rules, is_proven, solve, staircase
from solver.problem import unchecked


@pytest.fixture
def problem() -> Problem:
    """Two offers, three needs of two claims; the second offer has something left over."""
    stairs = staircase("portions", 2, 1, np.array([6, 9]), 5)
    return Problem.of(
        [4, 9],
        [3, 3, 5],
        [0, 0, 1, 1],
        [0, 2, 0, 1],
        [5, 1, 2, 4],
        claim=[0, 0, 1],
        tier=[1, 2],
        staircase=stairs,
        most=[3, 9, 2, 9],
        minimum=[0, 0, 0, 2],
    )


def asked_otherwise(problem, **entries):
    """Return a problem that nobody checks, as one may come to the check in which anything is wrong."""
    return unchecked(**{entry.name: getattr(problem, entry.name) for entry in fields(Problem)} | entries)


def changed(array, position, value):
    other = array.copy()
    other[position] = value
    return other


def test_a_right_answer_breaks_no_rule(problem):
    allocation = solve(problem)
    assert allocation.flow.tolist() == [1, 3, 2, 3]
    assert broken_rules(problem, allocation) == []


@pytest.mark.parametrize(
    ("field", "position", "value", "told"),
    [
        pytest.param("flow", 0, -1, "the flow on arc 0 is -1, below zero", id="negative flow"),
        pytest.param("flow", 2, 3, "the flow on arc 2 is 3, but the pair may carry 2", id="more than a pair may carry"),
        pytest.param("flow", 1, 4, "offer 0 gives 5 in the flow, but has 4", id="more than an offer has"),
        pytest.param("flow", 3, 4, "need 1 takes 4 in the flow, but asks for 3", id="more than a need takes"),
        pytest.param("flow", 3, 1, "the part on arc 3 is 1, of no use below 2", id="a part too small"),
        pytest.param("relaxed_flow", 3, 4, "need 1 takes 4 in the relaxed flow", id="an impossible relaxed flow"),
        pytest.param("relaxed_flow", 3, 2, "the gap is said to be", id="another gap"),
        pytest.param("offer_pressure", 0, -1, "offer 0 has the pressure -1, below zero", id="negative pressure"),
        pytest.param("offer_pressure", 1, 7, "offer 1 has 4 left over, but the pressure 7 instead of 0", id="pressure on a leftover"),
        pytest.param("offer_pressure", 0, 0, "one unit more on arc 1 would gain", id="an arc that would gain"),
        pytest.param("offer_pressure", 0, 10**6, "one unit less on arc 0 would gain", id="an arc that should not carry"),
        pytest.param("need_pressure", 0, 10**6, "need 0 has the pressure 1000000, above its claim's", id="a need above its claim"),
        pytest.param("need_pressure", 2, 0, "need 2 is not full, but its pressure 0 is not its claim's", id="an open need below its claim"),
        pytest.param("claim_pressure", 1, 0, "claim 1 has the pressure 0, below the", id="a claim below its next unit"),
        pytest.param("claim_pressure", 1, 10**6, "claim 1 has the pressure 1000000, above the", id="a claim above its last unit"),
    ],
)
def test_a_planted_fault_is_told(problem, field, position, value, told):
    allocation = solve(problem)
    faulty = replace(allocation, **{field: changed(getattr(allocation, field), position, value)})
    assert any(told in sentence for sentence in broken_rules(problem, faulty))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"flow": np.zeros(3, dtype=np.int64)}, "flow has the shape (3,), but 4 entries", id="another shape"),
        pytest.param({"worth": 3}, "a step of urgency weighs 3, but a chain", id="urgency outweighed by effort"),
        pytest.param({"gap": Gap(1, 0, 0)}, "the gap is said to be 1 units, 0 urgency, 0 effort", id="a false gap"),
    ],
)
def test_a_false_statement_is_told(problem, changes, told):
    assert any(told in sentence for sentence in broken_rules(problem, replace(solve(problem), **changes)))


def test_a_hopeless_pair_may_not_carry(problem):
    allocation = solve(problem)
    stricter = replace(problem, minimum=changed(problem.minimum, 2, 3))
    assert any("arc 2 carries 2, but can never reach its minimum 3" in sentence for sentence in broken_rules(stricter, allocation))


@pytest.mark.parametrize("seed", range(20))
def test_a_flow_one_unit_off_is_never_proven(seed, draw_problem):
    """Taking a unit off a served arc leaves it feasible; no such flow passes for optimal."""
    problem = draw_problem(seed, offers=4, needs=6, units=8, rule="portions")
    allocation = solve(problem)
    for arc in np.flatnonzero(allocation.flow):
        less = changed(allocation.flow, arc, allocation.flow[arc] - 1)
        assert broken_rules(problem, replace(allocation, flow=less, relaxed_flow=less))


@pytest.mark.parametrize("rule", ["off", "portions", "ratio"])
@pytest.mark.parametrize("seed", range(6))
def test_what_is_proven_at_once_is_what_breaks_no_rule(seed, rule, draw_problem):
    """Each number of the question and of the answer is changed by one, either way."""
    field = Field(draw_problem(seed, offers=4, needs=6, units=8, rule=rule))
    problem, flow = field.problem(), field.flow()
    answer = Allocation(flow, *field.proof(), field.worth, Gap(0, 0, 0), flow)
    assert is_proven(problem, answer)
    for name in ("supply", "demand", "tier", "received", "effort", "most", "flow", "offer_pressure", "need_pressure", "claim_pressure"):
        whole = answer if hasattr(answer, name) else problem
        values = getattr(whole, name)
        for position, more in ((position, more) for position in range(len(values)) for more in (-1, 1)):
            other = changed(values, position, values[position] + more)
            entries = {name: other} if name != "flow" else {"flow": other, "relaxed_flow": other}
            asked, answered = (problem, replace(answer, **entries)) if whole is answer else (asked_otherwise(problem, **entries), answer)
            assert is_proven(asked, answered) == (not broken_rules(asked, answered))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        pytest.param({"minimum": np.array([0, 1])}, {}, id="minimum parts"),
        pytest.param({"pack": np.array([1])}, {}, id="packs"),
        pytest.param({"hysteresis": 1}, {}, id="something may be kept"),
        pytest.param({}, {"gap": Gap(1, 0, 0)}, id="a gap"),
        pytest.param({}, {"worth": 8}, id="a step of urgency that a chain may outweigh"),
        pytest.param({}, {"worth": 2**63}, id="a step of urgency that signed numbers do not hold"),
        pytest.param({}, {"worth": -(2**64)}, id="a step of urgency far below nothing"),
        pytest.param({}, {"worth": 2**64}, id="a step of urgency that no 64 bits hold"),
        pytest.param({}, {"flow": np.array([2, 0])}, id="a flow that is not the relaxed one"),
        pytest.param({}, {"offer_pressure": np.zeros(2, dtype=np.int64)}, id="another shape"),
        pytest.param({"offer": np.array([0, 1])}, {}, id="an offer there is none of"),
        pytest.param({"need": np.array([-1, 1])}, {}, id="a need below the first"),
        pytest.param({"claim": np.array([0, 2])}, {}, id="a claim there is none of"),
    ],
)
def test_what_is_in_doubt_is_not_proven_at_once(question, answer):
    field = Field(Problem.of([2], [2, 2], [0, 0], [0, 1], [4, 5]))
    flow = field.flow()
    allocation = Allocation(flow, *field.proof(), field.worth, Gap(0, 0, 0), flow)
    assert is_proven(field.problem(), allocation)
    assert not is_proven(asked_otherwise(field.problem(), **question), replace(allocation, **answer))


def test_an_impossible_flow_is_not_proven_by_sums_that_wrap():
    """Four times 2^62 is nothing in 64 bits."""
    problem = Problem.of([5] * 4, [5] * 4, np.repeat(range(4), 4), np.tile(range(4), 4), [0] * 16, most=[2**62] * 16)
    flow, free = np.full(16, 2**62), np.zeros(4, dtype=np.int64)
    allocation = Allocation(flow, free, free, free + 3, 1, Gap(0, 0, 0), flow)
    assert not is_proven(problem, allocation)
    assert "but one of its ends has only 5" in broken_rules(problem, allocation)[0]


@pytest.mark.parametrize("arcs", [1, 4], ids=["each arc alone", "all arcs between the same two together"])
def test_more_than_an_end_has_is_told_however_often_it_comes(arcs):
    problem = Problem.of([2**61], [2**60], [0] * arcs, [0] * arcs, [0] * arcs, most=[2**62] * arcs)
    flow, free = np.full(arcs, 2**62 // arcs), np.zeros(1, dtype=np.int64)
    allocation = Allocation(flow, free, free, free, 1, Gap(0, 0, 0), flow)
    assert not is_proven(problem, allocation)
    assert f"need 0 takes {2**62} in the flow, but asks for {2**60}" in broken_rules(problem, allocation)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"worth": 2**62}, "a step of urgency weighs 4611686018427387904", id="a worth beyond 64 bits"),
        pytest.param({"worth": -1}, "a step of urgency weighs -1", id="a worth below nothing"),
        pytest.param({"offer_pressure": np.array([2**63 - 1])}, "offer 0 has the pressure 9223372036854775807", id="a pressure too great"),
        pytest.param({"need_pressure": np.array([-(2**62)])}, "need 0 has the pressure -4611686018427387904", id="a pressure too small"),
    ],
)
def test_numbers_that_no_right_answer_has_prove_nothing(changes, told):
    problem = Problem.of([5], [9], [0], [0], [1])
    allocation = replace(solve(problem), **changes)
    assert not is_proven(problem, allocation)
    assert any(told in sentence for sentence in broken_rules(problem, allocation))


def test_many_breaches_of_one_rule_are_counted():
    problem = Problem.of([9] * 5, [1] * 5, range(5), range(5), [1] * 5)
    allocation = solve(problem)
    told = broken_rules(problem, replace(allocation, flow=allocation.flow - 2, relaxed_flow=allocation.flow))
    assert "the flow on arc 2 is -1, below zero (and 2 more like it)" in told
