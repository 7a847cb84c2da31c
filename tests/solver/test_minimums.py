from dataclasses import replace

import numpy as np
import pytest

from solver import Gap, Problem, broken_rules, solve, total_urgency


@pytest.mark.parametrize(
    ("supply", "demand", "minimum", "flow"),
    [
        pytest.param([3], [9], [4], [0], id="a pair that cannot reach its minimum is closed"),
        pytest.param([4], [9], [4], [4], id="a part at its minimum stays"),
        pytest.param([0], [9], [4], [0], id="nothing needs no mending"),
    ],
)
def test_one_pair(supply, demand, minimum, flow):
    problem = Problem.of(supply, demand, [0], [0], [1], minimum=minimum)
    allocation = solve(problem)
    assert allocation.flow.tolist() == flow
    assert allocation.gap == Gap(0, 0, 0)


def test_a_small_part_is_topped_up_from_a_part_that_can_spare():
    """The far need's part is 2 of at least 4; the near one gives it 2 of its 8."""
    problem = Problem.of([10], [8, 6], [0, 0], [0, 1], [1, 5], minimum=[0, 4])
    allocation = solve(problem)
    assert allocation.relaxed_flow.tolist() == [8, 2]
    assert allocation.flow.tolist() == [6, 4]
    assert allocation.gap == Gap(0, 0, 8)
    assert broken_rules(problem, allocation) == []


def test_a_vital_need_gives_nothing_to_a_wish():
    problem = Problem.of([10], [8, 6], [0, 0], [0, 1], [1, 5], minimum=[0, 4], tier=[0, 3])
    allocation = solve(problem)
    assert allocation.flow.tolist() == [8, 0]
    assert allocation.gap == Gap(2, 2, -10)


def test_what_a_dropped_part_frees_is_offered_again():
    """The second need can have no part of 5: the wish that got nothing takes what it leaves."""
    problem = Problem.of([6], [3, 6, 6], [0, 0, 0], [0, 1, 2], [1, 2, 3], minimum=[0, 5, 0], tier=[0, 1, 2])
    allocation = solve(problem)
    assert allocation.relaxed_flow.tolist() == [3, 3, 0]
    assert allocation.flow.tolist() == [3, 0, 3]
    assert allocation.gap == Gap(0, 3, 3)


@pytest.mark.parametrize("seed", range(150))
def test_mended_answers_are_allowed_and_their_gap_is_true(seed, draw_problem, every_flow):
    problem = draw_problem(seed, rule=["off", "portions", "ratio"][seed % 3], minimum=3)
    allocation = solve(problem)
    assert broken_rules(problem, allocation) == []
    flows = (np.array(flow, dtype=np.int64) for flow in every_flow(problem))
    best = max(total_urgency(problem, flow) for flow in flows if np.all((flow == 0) | (flow >= problem.minimum)))
    relaxed = total_urgency(problem, allocation.relaxed_flow)
    mended = total_urgency(problem, allocation.flow)
    assert mended <= best <= relaxed  # The gap to the relaxation is never less than the gap to the true optimum.
    assert relaxed - mended == allocation.gap.urgency


def test_without_minimum_parts_nothing_is_mended(draw_problem):
    problem = draw_problem(4, offers=6, needs=9, units=9, minimum=0)
    allocation = solve(replace(problem, minimum=np.zeros_like(problem.minimum)))
    assert allocation.flow is allocation.relaxed_flow
