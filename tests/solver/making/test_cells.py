"""What CP-SAT does on one cell: lots that cannot be split, and jobs in sequence; against all answers there are, and known optima."""

import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

from solver.engine import making_cells, making_moves
from solver.engine.making_columns import best_fillings
from solver.engine.making_moves import Pace, moved
from solver.errors import BadProblem, TooLarge
from solver.making.lots import UnsplitLots, assign_lots, bound_of_fillings, bound_of_lots, broken_assignment, in_steps
from solver.making.reference import Draw
from solver.making.sequences import (
    NEVER,
    Sequence,
    Workshop,
    as_early,
    broken_sequence,
    dispatch,
    lateness_of,
    least_however_split,
    sequence_jobs,
)


def table(draw: Draw, rows: int, columns: int, least: int, most: int) -> np.ndarray:
    return np.array([[draw.between(least, most) for _ in range(columns)] for _ in range(rows)], dtype=np.int64).reshape(rows, columns)


def lots(seed: int) -> UnsplitLots:
    draw = Draw(seed)
    return UnsplitLots(table(draw, 3, 6, 1, 30), table(draw, 3, 6, 3, 9), table(draw, 1, 3, 8, 20)[0], table(draw, 1, 3, 0, 1)[0] * 15)


@pytest.mark.parametrize("seed", range(12))
def test_lots_go_where_the_least_effort_of_all_answers_is(seed: int) -> None:
    asked = lots(seed)
    best = None
    for maker in product(range(3), repeat=6):
        used = [sum(int(asked.hours[each, lot]) for lot, each in enumerate(maker) if each == one) for one in range(3)]
        if all(grains <= limit for grains, limit in zip(used, asked.capacity.tolist(), strict=True)):
            effort = sum(int(asked.effort[each, lot]) for lot, each in enumerate(maker)) + sum(int(asked.setup[one]) for one in set(maker))
            best = effort if best is None else min(best, effort)
    answer = assign_lots(asked, 2.0)
    if best is None:
        assert (answer.maker.tolist(), answer.effort, answer.gap) == ([-1] * 6, None, None)
        assert broken_assignment(asked, answer) == []
    else:
        assert broken_assignment(asked, answer) == []
        assert (answer.effort, answer.proven or answer.bound == best) == (best, True)


def crowded(seed: int, makers: int = 8, count: int = 40) -> UnsplitLots:
    """Lots of makers whose hours are short and cost what they spare."""
    draw = Draw(seed)
    hours = table(draw, makers, count, 1, 100)
    effort = 111 - hours + table(draw, makers, count, 0, 20)
    capacity = np.full(makers, int(hours.sum() * 0.8 / makers**2), dtype=np.int64)
    return UnsplitLots(effort, hours, capacity, np.zeros(makers, dtype=np.int64))


@pytest.fixture(params=["as few lots are", "as very many are"])
def looked_for(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few lots, answered as they are and as very many would be: by moves alone, without fillings or branches."""
    if request.param == "as very many are":
        monkeypatch.setattr(making_cells, "FILLED", 0)
        monkeypatch.setattr(making_cells, "MANY_PAIRS", 0)
        monkeypatch.setattr(making_cells, "MANY_AGAINST", 0)
        monkeypatch.setattr(making_cells, "_branched", None)


@pytest.mark.usefixtures("looked_for")
@pytest.mark.parametrize("seed", range(3))
def test_the_same_lots_get_the_same_answer_within_its_gap(seed: int) -> None:
    asked = crowded(seed)
    answer, again = assign_lots(asked, 1.0), assign_lots(asked, 1.0)
    assert broken_assignment(asked, answer) == []
    assert (again.maker.tolist(), again.effort, again.bound, again.proven) == (
        answer.maker.tolist(),
        answer.effort,
        answer.bound,
        answer.proven,
    )
    assert answer.gap is not None
    assert answer.gap < Fraction(3, 100)


@pytest.mark.parametrize("idle", ["without hours", "too dear"])
def test_lots_are_shared_among_a_few_of_many_makers_most_of_whom_get_none(idle: str) -> None:
    draw = Draw(2)
    hours = table(draw, 20, 120, 5, 25)
    effort, capacity = 111 - hours + table(draw, 20, 120, 0, 20), np.full(20, int(0.85 * hours[:4].sum() / 16), dtype=np.int64)
    if idle == "without hours":
        capacity[4:] = 0
    else:
        effort[4:] += 10_000
    asked = UnsplitLots(effort, hours, capacity, np.zeros(20, dtype=np.int64))
    answer = assign_lots(asked, 0.5)
    assert broken_assignment(asked, answer) == []
    assert set(answer.maker.tolist()) <= set(range(4))
    assert answer.gap is not None
    assert answer.gap < Fraction(1, 100)


@pytest.mark.parametrize("seed", range(12))
def test_worths_of_lots_bound_every_answer_and_no_filling_exceeds_them_by_more(seed: int) -> None:
    draw = Draw(seed)
    asked = UnsplitLots(table(draw, 2, 7, 1, 30), 6 * table(draw, 2, 7, 1, 9), table(draw, 1, 2, 60, 160)[0], np.zeros(2, dtype=np.int64))
    worth, scale = table(draw, 1, 7, 0, 120)[0], 4
    fits, least = [], []
    for maker in range(2):
        sets = [np.array(each, dtype=bool) for each in product([False, True], repeat=7)]
        fits.append([each for each in sets if asked.hours[maker, each].sum() <= asked.capacity[maker]])
        least.append(min(int((asked.effort[maker] * scale - worth)[each].sum()) for each in fits[maker]))
    assert bound_of_fillings(asked, worth, scale) == -((-int(worth.sum()) - sum(least)) // scale)
    hours, capacity = in_steps(asked)
    taken, gains = best_fillings(asked.effort * scale, hours, capacity, worth, np.ones(2, dtype=bool))
    assert gains.tolist() == [-each for each in least]
    for maker in range(2):
        assert int((worth - asked.effort[maker] * scale)[taken[maker]].sum()) == gains[maker]
        assert asked.hours[maker, taken[maker]].sum() <= asked.capacity[maker]
    both = [
        int(asked.effort[0, one].sum() + asked.effort[1, ~one].sum())
        for one in fits[0]
        if any(np.array_equal(~one, each) for each in fits[1])
    ]
    assert all(effort >= bound_of_fillings(asked, worth, scale) for effort in both)


@pytest.mark.parametrize("seed", range(3))
def test_worths_of_lots_bound_more_closely_than_pressures_of_hours(seed: int) -> None:
    asked = crowded(seed)
    answer = assign_lots(asked, 1.0)
    by_hours, by_lots = (bound_of_lots(asked, answer.pressure, answer.scale), bound_of_fillings(asked, answer.worth, answer.scale))
    assert by_hours < by_lots <= answer.bound
    assert broken_assignment(asked, replace(answer, worth=np.zeros(40, dtype=np.int64), bound=by_lots, proven=False)) != []


@pytest.mark.parametrize("pace", [making_cells.QUICK, making_cells.SLOW])
@pytest.mark.parametrize("seed", range(6))
def test_moves_of_one_lot_or_two_find_the_best_answer_of_all_or_say_that_theirs_does_not_fit(seed: int, pace: Pace) -> None:
    asked = lots(seed)
    makers, count = asked.effort.shape
    near = np.repeat(np.arange(makers)[None, :], count, axis=0)
    best = None
    for maker in product(range(makers), repeat=count):
        used = np.bincount(maker, weights=asked.hours[list(maker), range(count)], minlength=makers)
        if (used <= asked.capacity).all():
            effort = int(asked.effort[list(maker), range(count)].sum())
            best = effort if best is None else min(best, effort)
    found, fits = moved(
        asked.effort, asked.hours, asked.capacity, np.zeros(count, dtype=np.int64), near, np.ones(makers), pace, 0, 10**6, seed
    )
    assert fits == (best is not None)
    if best is not None:
        used = np.bincount(found, weights=asked.hours[found, np.arange(count)], minlength=makers)
        assert (used <= asked.capacity).all()
        assert asked.effort[found, np.arange(count)].sum() == best


@pytest.mark.parametrize("seed", range(3))
def test_moves_are_no_worse_than_what_they_begin_with_and_find_room_where_that_has_none(seed: int) -> None:
    asked = crowded(seed)
    count = np.arange(40)
    nothing, calm = np.full(40, -1, dtype=np.int64), np.zeros(8)  # no hours press: tolls are what is least
    first = making_cells._moved(asked, nothing, asked.effort.astype(float), calm, 0, 0.05, seed)
    again = making_cells._moved(asked, first, asked.effort.astype(float), calm, 0, 0.05, seed)
    for found in (first, again):
        assert (np.bincount(found, weights=asked.hours[found, count], minlength=8) <= asked.capacity).all()
    assert asked.effort[again, count].sum() <= asked.effort[first, count].sum()


@pytest.mark.parametrize("seed", range(4))
def test_moves_remember_where_lots_may_go_as_if_they_looked_each_time(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = table(Draw(seed), 6, 30, 1, 100)
    effort = 111 - hours + table(Draw(seed + 100), 6, 30, -10, 10)  # what is near takes long: hours are short
    asked = UnsplitLots(effort, hours, hours.sum(axis=1) * 4 // (5 * 6), np.zeros(6, dtype=np.int64))
    near = np.ascontiguousarray(np.argsort(asked.effort, axis=0, kind="stable")[:4].T)
    toll, start = np.ones(len(asked.capacity)), near[:, 0].copy()
    pace = Pace(rises=1.05, falls=0.98, worse=1.0, elsewhere=2)
    arguments = asked.effort, asked.hours, asked.useful, start, near, toll, pace, 0, 200_000, seed
    remembered, fits = moved(*arguments)
    looks = making_moves.best_move

    def forgetful(effort, hours, now, beside, lot, slack):
        beside.known[:] = False
        return looks(effort, hours, now, beside, lot, slack)

    monkeypatch.setattr(making_moves, "best_move", forgetful)
    looked, fitted = getattr(moved, "py_func", moved)(*arguments)
    assert (remembered.tolist(), fits) == (looked.tolist(), fitted)


def test_very_many_lots_are_moved_only_where_there_is_work_to_look_at_each_often(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = crowded(1, 20, 600)
    answer = assign_lots(asked, 0.1)
    assert broken_assignment(asked, answer) == []
    assert answer.gap is not None
    assert answer.gap < Fraction(1, 200)  # twice as near as so few moves come
    monkeypatch.setattr(making_cells, "_branched", None)
    assert broken_assignment(asked, assign_lots(asked, 2.0)) == []


def test_hours_too_long_to_fill_step_by_step_are_assigned_by_pressures() -> None:
    asked = crowded(1)
    fine = replace(asked, hours=asked.hours * 1000 + 1, capacity=asked.capacity * 1000 + 40)
    answer = assign_lots(fine, 1.0)
    assert broken_assignment(fine, answer) == []
    assert not answer.worth.any()
    assert answer.gap is not None
    assert answer.gap < Fraction(3, 100)


def test_no_lots_are_assigned_at_no_effort() -> None:
    nothing = np.zeros((2, 0), dtype=np.int64)
    asked = UnsplitLots(nothing, nothing, np.array([5, 5]), np.array([1, 1]))
    answer = assign_lots(asked)
    assert (answer.effort, answer.proven, broken_assignment(asked, answer)) == (0, True, [])


def test_lots_without_makers_have_no_answer_and_that_is_proven() -> None:
    nobody, nothing = np.zeros((0, 3), dtype=np.int64), np.zeros(0, dtype=np.int64)
    asked = UnsplitLots(nobody, nobody, nothing, nothing)
    answer = assign_lots(asked)
    assert (answer.maker.tolist(), answer.effort, answer.proven, broken_assignment(asked, answer)) == ([-1] * 3, None, True, [])


@pytest.mark.usefixtures("looked_for")
@pytest.mark.parametrize(
    ("hours", "capacity"),
    [
        pytest.param(np.ones((3, 5)), [0, 0, 0], id="nobody has any hours"),
        pytest.param(np.ones((1, 5)), [4], id="one maker has too few"),
        pytest.param(np.full((3, 30), 5), [49, 49, 49], id="hours are enough but for what no lots add up to"),
    ],
)
def test_where_lots_have_no_room_that_is_proven(hours: np.ndarray, capacity: list[int]) -> None:
    makers, lots = hours.shape
    effort = table(Draw(3), makers, lots, 1, 9)
    asked = UnsplitLots(effort, hours.astype(np.int64), np.array(capacity), np.zeros(makers, dtype=np.int64))
    answer = assign_lots(asked, 1.0)
    assert (answer.maker.tolist(), answer.effort, answer.proven, broken_assignment(asked, answer)) == ([-1] * lots, None, True, [])


@pytest.mark.parametrize("setup", [0, 7])
def test_hours_beyond_what_all_lots_take_change_nothing(setup: int) -> None:
    draw, sets = Draw(4), np.full(3, setup, dtype=np.int64)
    effort, hours = table(draw, 3, 5, 1, 9), table(draw, 3, 5, 3, 9)
    endless, enough = (assign_lots(UnsplitLots(effort, hours, np.full(3, each), sets), 1.0) for each in (2**62, 45))
    assert (endless.effort, endless.bound, endless.proven) == (enough.effort, enough.bound, True)


@pytest.mark.parametrize("setup", [[0, 0], [1, 2]])
@pytest.mark.parametrize(("effort", "hours"), [(2**48, 2**48), (2**30, 2**30), (2**20, 2**48), (2**48, 2**20), (2**12, 2**12)])
def test_one_grain_too_few_among_very_many_is_too_few(effort: int, hours: int, setup: list[int]) -> None:
    """Each maker has just the hours that the lot which is dearer there takes: floats take the cheap answer for one that fits."""
    asked = UnsplitLots(
        np.array([[effort, 0], [0, effort]]), np.array([[hours, hours + 1]] * 2), np.array([hours, hours + 1]), np.array(setup)
    )
    answer = assign_lots(asked, 1.0)
    assert broken_assignment(asked, answer) == []
    assert (answer.effort, answer.proven) == (2 * effort + sum(setup), True)
    most = max(pressed * sum(grains) for pressed, grains in zip(answer.pressure.tolist(), asked.hours.tolist(), strict=True))
    assert most < 2**62  # or pressures of hours could not be added up


@pytest.mark.usefixtures("looked_for")
def test_lots_that_take_no_effort_find_room_where_hardly_any_is() -> None:
    asked = UnsplitLots(
        np.zeros((3, 9), dtype=np.int64), np.tile([8, 7, 6, 5, 5, 4, 3, 2, 2], (3, 1)), np.full(3, 14), np.zeros(3, dtype=np.int64)
    )
    answer = assign_lots(asked, 1.0)
    assert (answer.effort, answer.proven, broken_assignment(asked, answer)) == (0, True, [])


@pytest.mark.parametrize(
    ("wrong", "error", "told"),
    [
        pytest.param({"effort": np.zeros((2, 6), dtype=np.int64)}, BadProblem, "effort is (2, 6), hours (3, 6)", id="a maker too few"),
        pytest.param({"setup": np.array([0, -1, 0])}, BadProblem, "setup holds -1: none may be below zero", id="below zero"),
        pytest.param({"effort": np.ones((3, 6))}, BadProblem, "effort is of float64: whole numbers", id="fractions"),
        pytest.param(
            {"effort": np.full((3, 6), 2**50)}, TooLarge, "an effort of 67553994410557", id="effort that floats do not tell apart"
        ),
        pytest.param({"hours": np.full((3, 6), 2**62)}, TooLarge, "27670116110564327424 grains", id="hours beyond 64 bits"),
    ],
)
def test_lots_that_make_no_sense_are_told_why(wrong: dict[str, np.ndarray], error: type[Exception], told: str) -> None:
    with pytest.raises(error) as refused:
        replace(lots(1), **wrong)
    assert told in str(refused.value)


def test_a_wrong_assignment_is_told() -> None:
    asked = lots(1)
    answer = assign_lots(asked, 2.0)
    crowded = replace(answer, maker=np.zeros(6, dtype=np.int64))
    assert any("works" in each for each in broken_assignment(asked, crowded))
    assert any("adds up" in each for each in broken_assignment(asked, replace(answer, effort=answer.effort + 1)))
    assert any("does not follow" in each for each in broken_assignment(asked, replace(answer, bound=answer.effort, proven=False)))
    assert bound_of_lots(asked, np.array([3, 0, 9]), 2) <= answer.effort


def shop(seed: int, *, jobs: int = 5, machines: int = 2) -> Workshop:
    draw = Draw(seed)
    hours = table(draw, jobs, machines, 2, 9)
    for job in range(0, jobs, 3):
        hours[job, draw.below(machines)] = NEVER
    return Workshop(
        hours=hours,
        setup=table(draw, 1, jobs, 0, 2)[0],
        ready=table(draw, 1, jobs, 0, 6)[0],
        due=table(draw, 1, jobs, 4, 16)[0],
        weight=table(draw, 1, jobs, 1, 5)[0],
        after=np.array([[0, jobs - 1]], dtype=np.int64),
        loaded=table(draw, 1, machines, 0, 2)[0],
        free=table(draw, 1, machines, 0, 4)[0],
        change=np.array([[0, 2, 3], [1, 0, 2], [4, 2, 0]], dtype=np.int64),
        work=np.arange(jobs),
    )


WRONG = [
    pytest.param({"hours": np.array([3, 4, 5])}, "hours is 1-dimensional", id="no table"),
    pytest.param({"due": np.array([1, 2])}, "due has the shape (2,): 5 entries", id="too few"),
    pytest.param({"change": np.zeros((3, 2), dtype=np.int64)}, "change has the shape (3, 2)", id="changes that are no square"),
    pytest.param({"after": np.array([0, 1])}, "pairs of jobs are expected", id="no pairs"),
    pytest.param({"after": np.array([[0, 9]])}, "after holds jobs 0 to 9: 0 to 4 exist", id="a job that is not there"),
    pytest.param({"setup": np.array([0, 1, 2, 3, 0])}, "setup holds set-ups 0 to 3: 0 to 2 exist", id="a set-up that is not there"),
    pytest.param({"hours": np.full((5, 2), -2)}, "hours holds -2: at least -1", id="hours below never"),
    pytest.param({"hours": np.array([[5, 5], [5, 5], [5, 0], [5, 5], [5, 5]])}, "job 2 takes no time", id="a job of no time"),
    pytest.param({"ready": np.array([0, 0, -1, 0, 0])}, "ready holds -1", id="ready before now"),
    pytest.param({"free": np.array([0.5, 1])}, "free is of float64: whole numbers", id="fractions"),
    pytest.param({"change": np.eye(3, dtype=np.int64)}, "from a set-up to itself", id="a change to the same"),
    pytest.param({"hours": np.full((5, 2), NEVER)}, "job 0 cannot be done on any machine", id="nobody can"),
]


@pytest.mark.parametrize(("wrong", "told"), WRONG)
def test_a_workshop_that_makes_no_sense_is_told_why(wrong: dict[str, np.ndarray], told: str) -> None:
    with pytest.raises(BadProblem) as refused:
        replace(shop(1), **wrong)
    assert told in str(refused.value)


@pytest.mark.parametrize("name", ["hours", "due", "weight", "free"])
def test_times_beyond_all_numbers_are_refused(name: str) -> None:
    with pytest.raises(TooLarge, match="count in coarser units"):
        replace(shop(1), **{name: np.full_like(getattr(shop(1), name), 2**40)})


def least_of_all(asked: Workshop) -> int:
    """The least that any sequence weighs: every order of the jobs on every choice of machines, each as early as it can be."""
    jobs, machines = asked.hours.shape
    best = None
    for order in permutations(range(jobs)):
        for choice in product(range(machines), repeat=jobs):
            begin = np.zeros(jobs, dtype=np.int64)
            free, loaded, ended = asked.free.tolist(), asked.loaded.tolist(), {}
            for job in order:
                machine = choice[job]
                before = [ended.get(first) for first, second in asked.after.tolist() if second == job]
                if asked.hours[job, machine] < 0 or None in before:
                    break
                change = int(asked.change[loaded[machine], asked.setup[job]])
                begin[job] = max(free[machine] + change, int(asked.ready[job]), *before, 0)
                ended[job] = free[machine] = int(begin[job] + asked.hours[job, machine])
                loaded[machine] = int(asked.setup[job])
            else:
                weighs = lateness_of(asked, Sequence(np.array(choice), begin, 0, False))
                best = weighs if best is None else min(best, weighs)
    assert best is not None
    return best


@pytest.mark.parametrize("seed", range(4))
def test_a_sequence_is_the_best_of_all_there_are(seed: int) -> None:
    asked = shop(seed, jobs=4)
    found = sequence_jobs(asked, 4.0)
    assert broken_sequence(asked, found) == []
    assert (lateness_of(asked, found), found.bound, found.proven) == (least_of_all(asked), least_of_all(asked), True)


@pytest.mark.parametrize("seed", range(4))
def test_an_order_found_before_is_one_later_and_none_is_then_below_what_was_proven(seed: int) -> None:
    asked = shop(seed, jobs=4)
    found = sequence_jobs(asked, 4.0)
    for passed in (0, 3, 11):
        later = replace(
            asked, ready=np.maximum(asked.ready - passed, 0), free=np.maximum(asked.free - passed, 0), due=asked.due - passed
        )  # fmt: skip
        again = as_early(later, found)
        assert broken_sequence(later, again) == []
        assert again.bound <= least_of_all(later) <= lateness_of(later, again)
        assert passed or lateness_of(later, again) == lateness_of(asked, found)


@pytest.mark.parametrize("seed", range(6))
def test_the_next_free_machine_takes_what_it_can_and_search_is_never_worse(seed: int) -> None:
    asked = shop(seed, jobs=14, machines=3)
    first, better = dispatch(asked), sequence_jobs(asked, 0.3)
    assert broken_sequence(asked, first) == broken_sequence(asked, better) == []
    assert better.bound <= lateness_of(asked, better) <= lateness_of(asked, first)
    again = sequence_jobs(asked, 0.3)
    assert (again.machine.tolist(), again.begin.tolist()) == (better.machine.tolist(), better.begin.tolist())


def test_a_machine_that_is_loaded_already_is_preferred() -> None:
    asked = replace(
        shop(1, jobs=1), hours=np.array([[5, 5]]), setup=np.array([2]), loaded=np.array([0, 2]), free=np.array([0, 0]),
        after=np.zeros((0, 2), dtype=np.int64), ready=np.array([0]), due=np.array([9]), weight=np.array([1]),
    )  # fmt: skip
    assert dispatch(asked).machine.tolist() == [1]


def test_jobs_that_wait_for_one_another_or_that_nobody_can_do_are_refused() -> None:
    asked = shop(1)
    with pytest.raises(BadProblem, match="wait for one another"):
        dispatch(replace(asked, after=np.array([[0, 1], [1, 0]], dtype=np.int64)))
    hours = asked.hours.copy()
    hours[2] = NEVER
    with pytest.raises(BadProblem, match="job 2 cannot be done on any machine"):
        replace(asked, hours=hours)


def test_a_wrong_sequence_is_told() -> None:
    asked = shop(2)
    found = dispatch(asked)
    assert any("is free from" in each for each in broken_sequence(asked, replace(found, begin=np.maximum(asked.ready, asked.free.max()))))
    assert any("before its material" in each for each in broken_sequence(asked, replace(found, begin=found.begin - 7)))


def test_the_benchmark_of_lots_says_what_data_it_misses() -> None:
    program = Path(__file__).parents[2] / "benchmarks" / "making_lots.py"
    without = {name: value for name, value in os.environ.items() if name != "STIGMERGY_DATA"}
    run = subprocess.run([sys.executable, str(program)], env=without, capture_output=True, text=True, timeout=120, check=False)
    assert (run.returncode, run.stdout, "Traceback" in run.stderr) == (2, "", False)
    assert "STIGMERGY_DATA is not set: it names the folder" in run.stderr


def test_known_optima_of_others_are_reached_or_nearly(real_data: Path) -> None:
    from tests.benchmarks.making_lots import assignments, facilities

    for read, folder, names, most in (
        (assignments, "gap", ("c0530_1", "a05100", "c10100"), 1.01),
        (facilities, "orlib-sscflp", ("p01", "p04"), 1.01),
    ):
        for name, asked, known in read(real_data / folder):
            if name in names:
                answer = assign_lots(asked, 2.0)
                assert broken_assignment(asked, answer) == []
                assert 1 - 1e-6 <= answer.effort / known <= most, name  # Known costs are rounded.


def test_no_order_of_pieces_comes_below_the_bound_that_holds_however_works_are_split() -> None:
    for seed in range(4):
        asked = shop(seed, jobs=6, machines=3)
        work, first = np.array([0, 0, 1, 1, 2, 3]), np.array([0, 0, 2, 2, 4, 5])
        asked = replace(asked, work=work, due=asked.due[first] // 2, weight=asked.weight[first], after=np.zeros((0, 2), dtype=np.int64))
        hours = np.where(asked.hours < 0, 99, asked.hours).min(axis=1)
        best = sequence_jobs(asked, 1.0)
        assert best.proven
        assert least_however_split(asked, hours) <= lateness_of(asked, best)


def test_a_work_is_as_late_as_its_last_piece_and_ends_no_sooner_than_all_machines_together_do_it() -> None:
    one = np.zeros(3, dtype=np.int64)
    asked = Workshop(
        hours=np.full((3, 3), 40),
        setup=one,
        ready=one,
        due=one + 39,
        weight=one + 5,
        after=np.zeros((0, 2), dtype=np.int64),
        loaded=one,
        free=np.array([0, 3, 0]),
        change=np.zeros((1, 1), dtype=np.int64),
        work=one,
    )
    assert lateness_of(asked, dispatch(asked)) == 5 * 4
    assert least_however_split(asked, asked.hours[:, 0]) == 5 * 2
    best = sequence_jobs(asked, 1.0)
    assert best.bound == lateness_of(asked, best) == 5 * 4
