"""The search for exchanges finds one exactly where there is one, and none in what the solver answers."""

from dataclasses import replace

import numpy as np
import pytest

from solver import Exchange, Problem, exact_levels, improving_exchanges, solve, staircase, tier_inversions, total_urgency
from tests.solver.drawing import random_problem


def asked_of(problem: Problem) -> np.ndarray:
    """Return what each claim asks for now and received before."""
    asked = problem.received.copy()
    np.add.at(asked, problem.claim, problem.demand)
    return asked


def in_exact_shares(problem: Problem) -> Problem:
    asked = asked_of(problem)
    rise, run, levels = staircase("ratio", 1, 1, asked, exact_levels(asked))
    return replace(problem, rise=rise, run=run, levels=levels)


@pytest.mark.parametrize("rule", ["off", "portions", "ratio"])
@pytest.mark.parametrize("seed", range(12))
def test_a_flow_has_no_improving_exchange_if_and_only_if_none_is_more_urgent(rule, seed, every_flow):
    problem = random_problem(seed, rule=rule, units=2)
    flows = [np.array(flow, dtype=np.int64) for flow in every_flow(problem)]
    best = max(total_urgency(problem, flow) for flow in flows)
    for flow in flows:
        assert (improving_exchanges(problem, flow) == []) == (total_urgency(problem, flow) == best)


@pytest.mark.parametrize("seed", range(12))
def test_by_exact_shares_too(seed, every_flow):
    problem = in_exact_shares(random_problem(seed, units=3, levels=1))
    flows = [np.array(flow, dtype=np.int64) for flow in every_flow(problem)]
    best = max(total_urgency(problem, flow) for flow in flows)
    for flow in flows:
        assert (improving_exchanges(problem, flow, asked=asked_of(problem)) == []) == (total_urgency(problem, flow) == best)


@pytest.mark.parametrize("seed", range(12))
def test_a_flow_has_no_tier_inversion_if_and_only_if_it_serves_each_tier_in_turn(seed, every_flow):
    problem = random_problem(seed, units=2)

    def by_tier(flow):
        return [int(flow[problem.tier[problem.claim[problem.need]] == tier].sum()) for tier in range(4)]

    flows = [np.array(flow, dtype=np.int64) for flow in every_flow(problem)]
    best = max(map(by_tier, flows))
    for flow in flows:
        assert (tier_inversions(problem, flow) == []) == (by_tier(flow) == best)


@pytest.mark.parametrize("rule", ["off", "portions", "ratio"])
@pytest.mark.parametrize("seed", range(8))
def test_the_solver_leaves_no_exchange_and_no_inversion(rule, seed):
    problem = random_problem(seed, rule=rule, offers=20, needs=40, units=60, density=0.2, farthest=900, levels=30)
    flow = solve(problem).flow
    assert improving_exchanges(problem, flow) == []
    assert tier_inversions(problem, flow) == []


@pytest.mark.parametrize("seed", range(8))
def test_with_levels_enough_ratio_is_fair_to_the_last_unit(seed):
    problem = in_exact_shares(random_problem(seed, offers=20, needs=40, units=60, density=0.2, farthest=900))
    assert improving_exchanges(problem, solve(problem).flow, asked=asked_of(problem)) == []


def test_with_few_levels_ratio_leaves_exchanges_within_a_level_to_effort():
    asked = np.array([30, 30])
    problem = Problem.of([20], [30, 30], [0, 0], [0, 1], [1, 9], staircase=staircase("ratio", 1, 1, asked, 2))
    flow = solve(problem).flow
    assert flow.tolist() == [15, 5]
    assert improving_exchanges(problem, flow) == []
    assert improving_exchanges(problem, flow, asked=asked) == [Exchange(giver=0, taker=1)]


def test_no_two_unlike_shares_fall_on_one_level():
    asked = np.array([7, 9, 8, 1, 0])
    rise, run, levels = staircase("ratio", 1, 1, asked, exact_levels(asked))
    shares = {(q / d): set() for d in asked.tolist() for q in range(d)}
    for claim, d in enumerate(asked.tolist()):
        for q in range(d):
            shares[q / d].add(int(q * rise[claim] // run[claim]))
    found = [level for _, levels_at in sorted(shares.items()) for level in levels_at]
    assert found == sorted(set(found))
    assert found[-1] < levels


def test_an_exchange_goes_over_a_chain_of_offers_and_needs():
    """What the vital need lacks, a wish holds two offers further on."""
    problem = Problem.of([1, 1], [1, 1, 1], [0, 0, 1, 1], [0, 1, 1, 2], [1, 1, 1, 1], tier=[0, 1, 3])
    chain = np.array([0, 1, 0, 1])
    assert tier_inversions(problem, chain) == [Exchange(giver=2, taker=0)]
    assert tier_inversions(problem, solve(problem).flow) == []


def test_what_is_left_over_is_given_by_nobody():
    problem = Problem.of([5], [3], [0], [0], [7])
    assert improving_exchanges(problem, np.array([2])) == [Exchange(giver=None, taker=0)]
    assert improving_exchanges(problem, np.array([3])) == []


def test_a_pair_that_cannot_reach_its_minimum_moves_nothing():
    problem = Problem.of([5], [3], [0], [0], [7], minimum=[4])
    assert improving_exchanges(problem, np.array([0])) == []
