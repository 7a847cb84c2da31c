from dataclasses import fields, replace

import numpy as np
import pytest

from solver import Arcs, DenseCandidates, Problem, broken_rules, sifting, solve, solve_on_demand, staircase, total_urgency

NONE = np.zeros(0, dtype=np.int64)
ARC_FIELDS = [field.name for field in fields(Arcs)]


@pytest.fixture(autouse=True)
def sift_whatever_its_size(monkeypatch):
    monkeypatch.setattr(sifting, "FEW_ARCS", 0)


def split(problem):
    """Return the nodes alone and all arcs as candidates."""
    arcs = Arcs(*(getattr(problem, name) for name in ARC_FIELDS))
    return replace(problem, **dict.fromkeys(ARC_FIELDS, NONE)), DenseCandidates(arcs)


def test_arcs_are_picked_and_joined_whole():
    arcs = Arcs(*(np.arange(3) + 10 * place for place in range(len(ARC_FIELDS))))
    again = Arcs.joined([arcs.picked(np.array([2])), arcs.picked(np.array([0, 1]))])
    for place, name in enumerate(ARC_FIELDS):
        assert getattr(again, name).tolist() == [10 * place + 2, 10 * place, 10 * place + 1]
        assert getattr(Arcs.joined([]), name).tolist() == []
        assert getattr(Arcs.joined([]), name).dtype == np.int64


def value(problem, flow):
    return total_urgency(problem, flow), int((problem.effort * flow).sum())


@pytest.mark.parametrize("rule", ["off", "portions", "ratio"])
@pytest.mark.parametrize("seed", range(25))
def test_few_arcs_give_the_optimum_over_all(rule, seed, draw_problem):
    draw = np.random.default_rng(seed)
    problem = draw_problem(
        seed,
        rule=rule,
        offers=int(draw.integers(1, 30)),
        needs=int(draw.integers(1, 60)),
        units=40,
        density=[0.3, 1.0][seed % 2],
        farthest=500,
        levels=30,
        hysteresis=[0, 0, 3][seed % 3],
        minimum=[0, 9][seed % 5 == 0],
    )
    nodes, candidates = split(problem)
    few, allocation = solve_on_demand(nodes, candidates)
    assert broken_rules(few, allocation) == []
    assert value(few, allocation.relaxed_flow) == value(problem, solve(problem).relaxed_flow)
    more = candidates.cheaper(allocation.offer_pressure, allocation.need_pressure, 1000)
    known = set(zip(few.offer.tolist(), few.need.tolist(), strict=True))
    assert set(zip(more.offer.tolist(), more.need.tolist(), strict=True)) <= known


@pytest.mark.parametrize("rule", ["off", "portions", "ratio"])
@pytest.mark.parametrize("seed", range(10))
def test_few_arcs_solved_at_once_give_what_sifting_gives(rule, seed, draw_problem, monkeypatch):
    problem = draw_problem(seed, rule=rule, offers=12, needs=20, units=40, density=0.5, farthest=500, levels=30, minimum=[0, 9][seed % 2])
    sifted, sieved = solve_on_demand(*split(problem))
    monkeypatch.setattr(sifting, "FEW_ARCS", 1_000)
    whole, allocation = solve_on_demand(*split(problem))
    assert len(whole.offer) == len(problem.offer) >= len(sifted.offer)
    assert broken_rules(whole, allocation) == []
    assert value(whole, allocation.relaxed_flow) == value(sifted, sieved.relaxed_flow)


@pytest.mark.parametrize("rule", ["off", "portions", "ratio"])
@pytest.mark.parametrize("pairs", [0, 1, 5])
def test_pairs_that_compete_with_nobody_carry_what_they_can(rule, pairs, monkeypatch):
    draw = np.random.default_rng(pairs)
    supply, demand, most = draw.integers(0, 9, pairs + 1), draw.integers(0, 9, pairs + 1), draw.integers(0, 9, pairs)
    ends, effort = np.arange(pairs), draw.integers(0, 99, pairs)
    received = draw.integers(0, 9, pairs + 1)
    asked = staircase(rule, 2, 1, demand + received, 10)
    problem = Problem.of(supply, demand, ends, ends, effort, most=most, received=received, staircase=asked)
    alone = solve(problem)
    assert broken_rules(problem, alone) == []
    assert alone.flow.tolist() == np.minimum(np.minimum(supply, demand)[:pairs], most).tolist()
    monkeypatch.setattr("solver.engine._are_alone", lambda _: False)
    by_engine = solve(problem)
    for name in ("flow", "offer_pressure", "need_pressure", "claim_pressure"):
        assert getattr(alone, name).tolist() == getattr(by_engine, name).tolist()


def test_most_arcs_are_never_handed_over(draw_problem):
    problem = draw_problem(1, rule="off", offers=40, needs=400, units=20, density=1.0, farthest=10_000)
    few, _ = solve_on_demand(*split(problem))
    assert len(few.offer) < len(problem.offer) / 4


def test_the_order_of_candidates_does_not_matter_where_efforts_differ(draw_problem):
    problem = draw_problem(2, rule="portions", offers=20, needs=60, units=20, density=1.0, farthest=10**6)
    shuffled = np.random.default_rng(2).permutation(len(problem.offer))
    other = replace(problem, **{name: getattr(problem, name)[shuffled] for name in ARC_FIELDS})
    (one, first), (two, second) = solve_on_demand(*split(problem)), solve_on_demand(*split(other))
    assert value(one, first.flow) == value(two, second.flow)
    again, third = solve_on_demand(*split(problem))
    assert (again.offer.tolist(), third.flow.tolist()) == (one.offer.tolist(), first.flow.tolist())


def test_nothing_to_choose_from_is_answered(draw_problem):
    problem = replace(draw_problem(1), **dict.fromkeys(ARC_FIELDS, NONE))
    few, allocation = solve_on_demand(*split(problem))
    assert len(few.offer) == 0
    assert broken_rules(few, allocation) == []


def test_candidates_come_by_gain():
    arcs = Arcs(np.array([0, 0, 0]), np.array([0, 1, 2]), np.array([5, 7, 9]), *(np.full(3, units) for units in (4, 0, 0)))
    candidates = DenseCandidates(arcs)
    assert candidates.farthest == 9
    assert candidates.nearest(2).need.tolist() == [0, 1]
    assert candidates.cheaper(np.array([0]), np.array([5, 7, 9]), 3).need.tolist() == []
    assert set(candidates.cheaper(np.array([1]), np.array([5, 9, 9]), 3).need.tolist()) == {1}
