from dataclasses import replace

import numpy as np
import pytest

from solver import BadProblem, Field, Gap, Problem, TooLarge, broken_rules, minimums, solve, total_urgency
from tests.benchmarks.minimum_parts import mended, rank_of

ENOUGH = minimums.LOOKS


@pytest.fixture(
    autouse=True, params=[pytest.param(minimums.LOOKS, id="solved again"), pytest.param(0, id="by hand"), pytest.param(1, id="both")]
)
def looks(request, monkeypatch):
    """How many small parts are decided by solving again; all others are topped up or dropped by hand."""
    monkeypatch.setattr(minimums, "LOOKS", request.param)
    return request.param


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
    ours = total_urgency(problem, allocation.flow)
    assert ours <= best <= relaxed  # The gap to the relaxation is never less than the gap to the true optimum.
    assert relaxed - ours == allocation.gap.urgency


@pytest.mark.parametrize(
    ("supply", "demand", "pack", "flow"),
    [
        pytest.param([100, 100], [60], [25, 10], [50, 10], id="what the larger pack leaves open is filled by the smaller"),
        pytest.param([30, 30], [47], [1, 20], [27, 20], id="loose goods give way to a pack where that serves more"),
        pytest.param([30, 30], [52], [1, 20], [30, 20], id="loose goods beside a pack"),
    ],
)
def test_packs_of_several_sizes(supply, demand, pack, flow):
    problem = Problem.of(supply, demand, [0, 1], [0, 0], [1, 2], pack=pack)
    allocation = solve(problem)
    assert allocation.flow.tolist() == flow
    assert broken_rules(problem, allocation) == []


def test_a_broken_pack_gives_way_to_packs_of_other_sizes(monkeypatch):
    """Two packs of three fit into eight, but one of five and one of three fill it."""
    monkeypatch.setattr(minimums, "LOOKS", ENOUGH)
    problem = Problem.of([15, 5, 15], [8], [0, 1, 2], [0] * 3, [0] * 3, pack=[3, 5, 3])
    allocation = solve(problem)
    assert allocation.flow.tolist() == [0, 5, 3]
    assert allocation.gap == Gap(0, 0, 0)
    assert broken_rules(problem, allocation) == []


@pytest.mark.parametrize("seed", range(150))
def test_no_pack_is_broken_and_the_gap_is_true(seed, looks, draw_problem, every_flow):
    problem = draw_problem(seed, rule=["off", "portions", "ratio"][seed % 3], minimum=seed % 2 * 2, units=4)
    pack = np.array([2, 3]) if seed % 2 else np.array([1, 2])
    problem = replace(problem, pack=pack, supply=problem.supply - problem.supply % pack)
    allocation = solve(problem)
    assert broken_rules(problem, allocation) == []
    flows = (np.array(flow, dtype=np.int64) for flow in every_flow(problem))
    allowed = [flow for flow in flows if not np.any((flow % pack[problem.offer] != 0) | (flow > 0) & (flow < problem.minimum))]
    best = max(total_urgency(problem, flow) for flow in allowed)
    assert total_urgency(problem, allocation.flow) <= best <= total_urgency(problem, allocation.relaxed_flow)
    if looks == ENOUGH:
        assert rank_of(problem, allocation.flow) == max(rank_of(problem, flow) for flow in allowed)


def test_a_broken_pack_is_found_by_the_check():
    problem = Problem.of([10], [6], [0], [0], [1], pack=[4])
    allocation = solve(problem)
    assert allocation.flow.tolist() == [4]
    broken = replace(allocation, flow=np.array([6]), gap=Gap(0, 0, 0))
    assert broken_rules(problem, broken) == ["the part on arc 0 is 6, but its offer gives packs of 4"]


def test_a_pack_of_nothing_is_refused():
    with pytest.raises(BadProblem, match="at least 1 is expected"):
        Problem.of([10], [6], [0], [0], [1], pack=[0])


def test_without_minimum_parts_nothing_is_mended(draw_problem):
    problem = draw_problem(4, offers=6, needs=9, units=9, minimum=0)
    allocation = solve(replace(problem, minimum=np.zeros_like(problem.minimum)))
    assert allocation.flow is allocation.relaxed_flow


@pytest.mark.parametrize("packs", [pytest.param(False, id="minimum parts"), pytest.param(True, id="and packs of several sizes")])
def test_answers_are_within_one_percent_of_the_true_optimum(looks, packs):
    """In all, over the networks where minimum parts or packs bite; the optimum is CP-SAT's."""
    bitten = mended(range(1000, 1150), packs)
    assert len(bitten) > 30
    best, ours = sum(each.best for each in bitten), sum(each.ours for each in bitten)
    best_units, our_units = sum(each.best_units for each in bitten), sum(each.our_units for each in bitten)
    assert all(each.our_rank <= each.best_rank for each in bitten)
    allowed = 0.99 if looks else 0.97  # By hand alone it is less good, which is why parts are decided by solving again.
    assert ours >= allowed * best
    assert our_units >= allowed * best_units
    if looks == ENOUGH:
        assert [each.seed for each in bitten if each.ours < 0.99 * each.best] == []  # Not in all alone: in each.
        assert sum(each.our_rank == each.best_rank for each in bitten) >= 0.98 * len(bitten)


def test_where_no_decision_is_taken_back_the_first_answer_stays(monkeypatch):
    reached = []
    for work in (0, minimums.WORK):
        monkeypatch.setattr(minimums, "WORK", work)
        monkeypatch.setattr(minimums, "LOOKS", ENOUGH)
        reached.append([each.our_rank for each in mended(range(80))])
    assert all(after >= before for before, after in zip(*reached, strict=True))
    assert reached[0] != reached[1]


def test_solving_again_reaches_the_true_optimum_more_often(monkeypatch):
    reached = []
    for looks in (0, 300):
        monkeypatch.setattr(minimums, "LOOKS", looks)
        reached.append(sum(each.our_rank == each.best_rank for each in mended(range(80))))
    assert reached[1] > reached[0]


def test_what_no_field_can_hold_is_mended_by_hand():
    """A field leaves itself room to grow, which so many units and so long ways do not leave it."""
    problem = Problem.of([2**60, 4], [2**60, 6], [0, 0, 1], [0, 1, 1], [1, 5, 2], minimum=[0, 5, 5])
    with pytest.raises(TooLarge):
        Field(replace(problem, effort=np.zeros_like(problem.effort), minimum=np.zeros_like(problem.minimum)))
    assert broken_rules(problem, solve(problem)) == []


def test_the_effort_of_a_gap_is_true_however_large(looks):
    """One unit more for the far need is not to be had beside the vital one's half: all its 2^39 units stay, at 2^30 each."""
    units, far = 2**40, 2**30
    problem = Problem.of([units], [units // 2, units], [0, 0], [0, 1], [0, far], minimum=[0, units // 2 + 1], tier=[0, 1])
    allocation = solve(problem)
    assert allocation.gap == Gap(units // 2, 3 * units // 2, -units // 2 * far)
    assert broken_rules(problem, allocation) == []


def test_no_vital_unit_is_given_up_for_many_wishes():
    """Closing the wish's pair leaves a vital need one unit more; holding it would serve nine wishes more."""
    problem = Problem.of([10], [8, 10], [0, 0], [0, 1], [1, 1], minimum=[0, 3], tier=[0, 3])
    assert solve(problem).flow.tolist() == [8, 0]


def test_efforts_too_great_for_a_field_to_grow_by_are_compared_more_coarsely():
    far = 2**50
    problem = Problem.of([10, 9], [8, 6], [0, 0, 1], [0, 1, 1], [1, 5, far], minimum=[0, 4, 4])
    allocation = solve(problem)
    assert broken_rules(problem, allocation) == []
    assert allocation.gap.units == 0
