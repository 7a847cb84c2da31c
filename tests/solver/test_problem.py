from dataclasses import fields, replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from solver import BadProblem, Problem, TooLarge, solve, staircase
from solver.problem import unchecked


@pytest.fixture
def problem() -> Problem:
    return Problem.of([3, 4], [5, 1], [0, 1, 1], [0, 0, 1], [7, 8, 9])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"offer": np.array([0, 1, 2])}, "an offer is one of 2", id="no such offer"),
        pytest.param({"need": np.array([0, -1, 1])}, "a need is one of 2", id="no such need"),
        pytest.param({"claim": np.array([0, 2])}, "a claim is one of 2", id="no such claim"),
        pytest.param({"tier": np.array([0, 4])}, "a tier is one of 4", id="no such tier"),
        pytest.param({"effort": np.array([1, -2, 3])}, "effort holds -2", id="negative effort"),
        pytest.param({"kept": np.array([0, 0])}, "kept 2", id="arrays of unequal length"),
        pytest.param({"supply": np.array([3.0, 4.0])}, "float64", id="not whole numbers"),
        pytest.param({"run": np.array([1, 0])}, "least run 0", id="a staircase without width"),
        pytest.param({"hysteresis": -1}, "hysteresis -1", id="negative hysteresis"),
    ],
)
def test_a_question_that_does_not_hold_together_is_refused(problem, changes, told):
    with pytest.raises(BadProblem, match=told):
        replace(problem, **changes)


def came_to(*arrays, steps, **named):
    """Return what a problem made by turns is, or how it is refused."""
    turns = Problem.by_turns(*arrays, **named)
    while not turns.done:
        try:
            turns.go_on(steps)
        except (BadProblem, TooLarge) as refusal:
            return type(refusal), str(refusal)
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars_of(turns.result).items()}


def vars_of(problem):
    return {field.name: getattr(problem, field.name) for field in fields(problem)}


SOUND = {
    "supply": np.arange(1, 51),
    "demand": np.arange(50, 0, -1),
    "offer": np.repeat(np.arange(50), 3),
    "need": np.arange(150) % 50,
    "effort": np.arange(150),
    "tier": np.arange(50) % 4,
    "received": np.arange(50),
    "staircase": (np.arange(50), np.arange(1, 51), 20),
    "kept": np.arange(150) % 3,
    "hysteresis": 2,
    "pack": np.arange(1, 51),
}


@pytest.mark.parametrize(
    ("name", "at", "value", "told"),
    [
        ("supply", 49, -1, "supply holds -1"),
        ("demand", 49, -3, "demand holds -3"),
        ("offer", 149, 50, "an offer is one of 50"),
        ("offer", 0, -1, "an offer is one of 50"),
        ("need", 70, 51, "a need is one of 50"),
        ("effort", 149, -2, "effort holds -2"),
        ("tier", 33, 4, "a tier is one of 4"),
        ("received", 40, -1, "received holds -1"),
        ("kept", 149, -5, "kept holds -5"),
        ("pack", 49, 0, "pack holds 0"),
        ("claim", 49, 50, "a claim is one of 50"),
        ("most", 149, -1, "most holds -1"),
        ("minimum", 149, -1, "minimum holds -1"),
        ("supply", 49, 2**62, "the offers add up"),
        ("demand", 49, 2**62, "do not fit into 64 bits"),
        ("supply", 49, 49, None),
    ],
)
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 1 << 40])
def test_by_turns_it_is_the_same_problem_or_refused_in_the_same_words(name, at, value, told, steps):
    told_too = {"claim": np.arange(50), "most": np.arange(150), "minimum": np.arange(150)}  # Else they are made up.
    asked = SOUND | {key: each for key, each in told_too.items() if key == name}
    asked = {key: each.copy() if isinstance(each, np.ndarray) else each for key, each in asked.items()}
    asked[name][at] = value
    if told is None:
        expected = {key: each.tolist() if isinstance(each, np.ndarray) else each for key, each in vars_of(Problem.of(**asked)).items()}
        assert expected["most"] == np.minimum(asked["supply"][asked["offer"]], asked["demand"][asked["need"]]).tolist()
    else:
        with pytest.raises((BadProblem, TooLarge), match=told) as refused:
            Problem.of(**asked)
        expected = (refused.type, str(refused.value))
    assert came_to(steps=steps, **asked) == expected


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        pytest.param(([1.5], [1]), "fractions", id="half a unit"),
        pytest.param(([1], [1], [0, 0], [0], [1]), "both ends", id="an arc without an end"),
        pytest.param(([1], [1], [1], [0], [1]), "an offer is one of 1", id="no such offer"),
    ],
)
def test_arrays_that_cannot_be_meant_are_refused(arrays, told):
    with pytest.raises(BadProblem, match=told):
        Problem.of(*arrays)


@pytest.mark.parametrize("name", sorted(SOUND.keys() - {"staircase", "hysteresis"} | {"claim", "most", "minimum", "rise", "run"}))
@pytest.mark.parametrize("steps", [1, 1 << 40])
def test_arrays_of_two_dimensions_are_refused(name, steps):
    asked, square = dict(SOUND), np.ones((5, 10), dtype=np.int64)
    if name in {"rise", "run"}:
        asked["staircase"] = (square, square[0], 20) if name == "rise" else (asked["staircase"][0], square, 20)
    else:
        asked[name] = square
    told = f"{name} is 2-dimensional int64: give one dimension"
    with pytest.raises(BadProblem, match=told):
        Problem.of(**asked)
    assert came_to(steps=steps, **asked) == (BadProblem, f"{told} of int64")


@pytest.mark.parametrize("position", [2**31, 2**50, 2**62])
def test_a_claim_counted_from_anywhere_is_refused_and_not_made_room_for(position):
    with pytest.raises(BadProblem, match="count claims from 0"):
        Problem.of([1], [1, 1], claim=[position, 0])


def test_what_is_left_out_is_written_by_turns():
    def turns(**more):
        making = Problem.by_turns(supplies, demands, ends, ends, ends, **more)
        count = 0
        while not making.done:
            making.go_on(1)
            count += 1
        return count

    ends, supplies, demands = np.arange(3_200), np.ones(3_200, dtype=np.int64), np.ones(3_200, dtype=np.int64)
    of_claims = {"claim": ends, "tier": np.ones_like(ends), "received": np.zeros_like(ends), "staircase": (0 * ends, np.ones_like(ends), 1)}
    of_arcs = {"minimum": 0 * ends, "kept": 0 * ends}
    told = turns(**of_claims, **of_arcs)
    for left_out, tables in ((of_arcs, 5), (of_claims, 2)):
        assert turns(**left_out) - told >= tables * 3_200 // 32  # 256 bytes a step.


@pytest.mark.parametrize("units", [2**63, -(2**63) - 1, 2**70, 2.0**63, float("inf")])
def test_numbers_that_64_bits_do_not_hold_are_refused(units):
    with pytest.raises(TooLarge, match="coarser"):
        Problem.of([units], [1])


def test_what_is_left_out_is_harmless(problem):
    assert problem.tier.tolist() == [1, 1]
    assert problem.most.tolist() == [3, 4, 1]
    assert problem.levels == 1
    assert solve(problem).flow.tolist() == [3, 2, 1]


@pytest.mark.parametrize(
    ("effort", "levels"),
    [pytest.param(2**61, 1, id="beyond 64 bits"), pytest.param(2**50, 100, id="beyond what the engine holds")],
)
def test_efforts_too_large_to_compare_exactly_are_refused(effort, levels):
    stairs = staircase("ratio", 1, 1, np.array([9, 9]), levels)
    with pytest.raises(TooLarge, match="coarser unit"):
        solve(Problem.of([5, 5], [9, 9], [0, 1, 1], [0, 0, 1], [effort, 1, effort], staircase=stairs))


@pytest.mark.parametrize(
    "values",
    [[Fraction(5, 2)], [Decimal("2.5")], [Decimal("nan")], [1 + 0j], ["4"], [None], [2.5], [float("nan")], [[1], [2, 3]]],
    ids=str,
)
def test_what_is_no_whole_number_is_refused(values):
    with pytest.raises(BadProblem, match="expected"):
        Problem.of(values, [9])


@pytest.mark.parametrize("values", [[Decimal("1e30")], [Decimal("inf")], [Fraction(2**70)], [float("inf")]], ids=str)
def test_what_is_beyond_64_bits_is_refused_however_it_is_written(values):
    with pytest.raises(TooLarge, match="64 bits"):
        Problem.of(values, [9])


def test_whole_numbers_are_taken_however_they_are_written():
    assert Problem.of([Fraction(4, 2), Decimal(3), 4.0, True], []).supply.tolist() == [2, 3, 4, 1]


def test_fractions_of_levels_are_refused(problem):
    for asked in ({"hysteresis": 1.7}, {"staircase": ([1], [1], 3.9)}):
        with pytest.raises(BadProblem, match="fractions"):
            Problem.of([5], [9], [0], [0], [1], **asked)
    for name in ("hysteresis", "levels"):
        with pytest.raises(BadProblem, match=f"{name} is 1.7: a whole number is expected"):
            replace(problem, **{name: 1.7})


def test_staircases_too_long_to_count_are_refused():
    with pytest.raises(TooLarge, match="larger packs"):
        Problem.of([5], [2**40], staircase=([2**30], [1], 100))


def test_a_turn_of_fewer_than_no_steps_is_refused():
    for steps, told in ((-1, "the budget is -1: at least 0 is expected"), (0.5, "the budget is 0.5: a whole number is expected")):
        with pytest.raises(BadProblem, match=told):
            Problem.by_turns([1], [1]).go_on(steps)


def test_what_is_known_to_fit_is_taken_as_it_is_and_nothing_tells_that_it_was_not_looked_at(problem):
    entries = vars_of(problem)
    known = unchecked(**entries)
    assert all(each is entries[name] for name, each in vars_of(known).items())
    assert not hasattr(known, "checked")
    with pytest.raises(KeyError, match="effort"):
        unchecked(**{name: each for name, each in entries.items() if name != "effort"})
    with pytest.raises(TypeError, match="a problem has no colour"):
        unchecked(**entries, colour=1)
