from dataclasses import replace

import numpy as np
import pytest

from solver import EngineFault, Problem, read_pressure, solve, staircase, total_urgency
from solver.fairness import margin_of
from solver.pressure import least_pressures


def worth_of_answer(problem, allocation):
    return allocation.worth * total_urgency(problem, allocation.relaxed_flow) - int((allocation.relaxed_flow * problem.effort).sum())


@pytest.mark.parametrize("hysteresis", [0, 2])
@pytest.mark.parametrize("seed", range(15))
def test_an_offers_pressure_is_what_one_unit_more_there_gains(seed, hysteresis, draw_problem):
    problem = draw_problem(seed, rule="portions", offers=4, needs=6, units=6, hysteresis=hysteresis)
    allocation = solve(problem)
    gained = []
    for offer in range(len(problem.supply)):
        supply = problem.supply.copy()
        supply[offer] += 1
        more = replace(problem, supply=supply)
        gained.append(worth_of_answer(more, solve(more)) - worth_of_answer(problem, allocation))
    assert allocation.offer_pressure.tolist() == gained


@pytest.mark.parametrize("seed", range(30))
def test_a_pressure_reads_as_tier_level_and_effort(seed, draw_problem):
    problem = draw_problem(seed, rule="ratio", offers=4, needs=6, units=6, hysteresis=seed % 2)
    allocation = solve(problem)
    margin = margin_of(problem)
    for tier in range(4):
        for level in range(problem.levels):
            for effort in (-allocation.worth // 2 + 1, 0, 5 if allocation.worth > 11 else 0):
                urgency = (problem.levels + 2 * margin) * (3 - tier) + margin + problem.levels - level
                assert read_pressure(allocation.worth * urgency - effort, problem, allocation) == (tier, level, effort)


def test_where_something_is_left_over_nothing_presses():
    problem = Problem.of([9], [5], [0], [0], [3])
    allocation = solve(problem)
    assert allocation.offer_pressure.tolist() == [0]
    assert read_pressure(0, problem, allocation) is None


def test_pressure_names_the_least_urgent_coverage_that_gives_way():
    """A vital need and two wishes share one offer of 12; one unit more would start the nearer wish's second portion."""
    stairs = staircase("portions", 4, 1, np.array([4, 9, 9]), 10)
    problem = Problem.of([12], [4, 9, 9], [0, 0, 0], [0, 1, 2], [10, 20, 30], tier=[0, 3, 3], staircase=stairs)
    allocation = solve(problem)
    assert allocation.flow.tolist() == [4, 4, 4]
    assert read_pressure(int(allocation.offer_pressure[0]), problem, allocation) == (3, 1, 20)


def test_a_flow_that_can_be_bettered_has_no_pressures():
    problem = Problem.of([1, 1], [1, 1], [0, 0, 1, 1], [0, 1, 0, 1], [1, 9, 9, 1])
    with pytest.raises(EngineFault, match="can still be bettered"):
        least_pressures(problem, np.array([0, 1, 1, 0]), 100)
