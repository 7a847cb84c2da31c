"""The stock engine where a staircase has far more levels than there are units."""

import numpy as np
import pytest

from solver import Problem, broken_rules, solve, total_urgency
from solver.engine.own import kernel_solve
from solver.engine.stock import _steps, best_flow
from solver.fairness import worth_of
from tests.solver.drawing import random_problem

MANY = 10**9


@pytest.mark.parametrize("seed", range(40))
def test_with_many_levels_both_engines_find_the_same_optimum(seed: int) -> None:
    problem = random_problem(seed, offers=4, needs=6, units=9, rule="ratio", levels=MANY, density=0.5, hysteresis=seed % 3)
    worth = worth_of(problem)
    own, _ = kernel_solve(problem, worth)
    stock = best_flow(problem, worth)
    assert total_urgency(problem, stock) == total_urgency(problem, own)
    assert int((problem.effort * stock).sum()) == int((problem.effort * own).sum())


@pytest.mark.parametrize("levels", [100, MANY])
def test_as_many_levels_as_anybody_likes_give_the_same_parts(levels: int) -> None:
    stairs = (np.full(2, levels), np.array([6, 7]), levels)
    problem = Problem.of([10], [6, 7], [0, 0], [0, 1], [1, 2], minimum=[5, 5], staircase=stairs)
    answer = solve(problem)
    assert answer.flow.tolist() == [5, 5]
    assert broken_rules(problem, answer) == []


def test_there_are_never_more_steps_than_units_and_units_of_one_level_share_a_step() -> None:
    stairs = (np.array([1, MANY]), np.array([1, 10]), 5 * MANY + 1)
    problem = Problem.of([60], [50, 70], [0, 0], [0, 1], [1, 1], staircase=stairs)
    claim, level, width = _steps(problem, np.array([45, 2 * MANY]), np.array([50, 70]))
    assert claim.tolist() == [0] * 5 + [1] * 31
    assert level.tolist() == [*range(45, 50), *(2 * MANY + place * MANY // 10 for place in range(31))]
    assert width.tolist() == [46, 1, 1, 1, 1] + [21] + [1] * 29 + [20]
