"""What no one lot or maker has enough of is gathered from several, each with a line of its own, in plans that pass the check."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from solver.making import (
    MOST_DRAWS,
    Kind,
    ProductionPlan,
    ProductionProblem,
    broken_rules,
    coverage_of,
    effort_of_lines,
    guided,
    plan_making,
    walked,
    worth_of_plan,
)
from solver.making.reference import Draw
from tests.solver.making.test_planning import happen


def of_steel(lots: list[int], takes: int, asked: list[int], **said: Any) -> ProductionProblem:
    """One place where ``takes`` of steel make a chair, and needs for chairs."""
    return ProductionProblem.of(
        places=1, things=2, outputs=[[(1, 1)]], inputs=[[(0, takes)]], activities=[(0, 0)],
        stock=[(0, 0, 0, units) for units in lots], needs=[(1, 0, each, 0, 0, 0) for each in asked], worth=[1_000] * len(asked), **said,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("problem", "made"),
    [
        pytest.param(of_steel([6, 6], 10, [1]), [1], id="two lots of six make a run of ten"),
        pytest.param(of_steel([5, 4], 10, [1]), [0], id="all together are too little"),
        pytest.param(of_steel([12, 17, 13], 10, [4]), [4], id="the fourth is made of rests"),
        pytest.param(of_steel([6] * 200, 10, [100]), [100], id="many, two or three lots each"),
        pytest.param(of_steel([12] * 9, 10, [3, 7], batch_least=[5], batch_multiple=[5]), [3, 7], id="batches of five runs"),
        pytest.param(of_steel([1] * 20, 15, [1]), [1], id="fifteen of twenty lots"),
        pytest.param(of_steel([1] * MOST_DRAWS, MOST_DRAWS, [1]), [1], id="as many lots as one input is drawn from"),
        pytest.param(of_steel([1] * (MOST_DRAWS + 1), MOST_DRAWS + 1, [1]), [0], id="one more than an input is drawn from"),
        pytest.param(of_steel([6, 6], 2**45, [1], batch_least=[2**40]), [0], id="a batch takes more than 64 bits hold"),
        pytest.param(of_steel([6, 6], 6, [1], batch_least=[2**51]), [0], id="a batch gives more than numbers may add up to"),
    ],
)
def test_a_run_takes_an_input_from_several_lots(problem: ProductionProblem, made: list[int]) -> None:
    plan = plan_making(problem)
    assert broken_rules(problem, plan) == []
    assert coverage_of(problem, plan).tolist() == made


def test_a_run_takes_an_input_from_several_makers_and_from_afar() -> None:
    problem = ProductionProblem.of(
        places=3, things=3,  # plank, table, steel
        outputs=[[(0, 1)], [(1, 1)]], inputs=[[(2, 1)], [(0, 10)]], activities=[(0, 0), (0, 1), (1, 2)],
        uses=[[(0, 1, 0)], [(1, 1, 0)], []], pool_place=[0, 1], pool_grains=[6, 4], stock=[(2, 0, 0, 7), (2, 1, 0, 3)],
        arcs=[(start, end, 1, 0) for start in range(3) for end in range(3) if start != end], needs=[(1, 2, 1, 0, 0, 0)], worth=[1_000],
    )  # fmt: skip
    plan = plan_making(problem)
    assert broken_rules(problem, plan) == []
    assert coverage_of(problem, plan).tolist() == [1]
    runs = plan.line_kind == Kind.RUN
    assert np.bincount(plan.line_what[runs], plan.line_runs[runs]).tolist() == [6, 4, 1]


def test_a_batch_waits_for_what_is_made_for_it_in_several_buckets() -> None:
    problem = ProductionProblem.of(
        places=1, things=2, buckets=4, outputs=[[(0, 1)], [(1, 1)]], inputs=[[], [(0, 2)]], activities=[(0, 0), (1, 0)],
        activity_lead=[1, 0], batch_least=[1, 5], uses=[[(0, 1, 0)], []], pool_place=[0], pool_grains=[4],
        needs=[(1, 0, 5, 3, 3, 0)], worth=[1_000],
    )  # fmt: skip
    plan = plan_making(problem)
    assert broken_rules(problem, plan) == []
    assert coverage_of(problem, plan).tolist() == [5]


def test_what_is_urgent_is_gathered_before_others_take_the_parts() -> None:
    problem = ProductionProblem.of(
        places=1, things=3, outputs=[[(1, 1)], [(2, 1)]], inputs=[[(0, 10)], [(0, 1)]], activities=[(0, 0), (1, 0)],
        stock=[(0, 0, 0, 10), (0, 0, 0, 6), (0, 0, 0, 6)], needs=[(2, 0, 30, 0, 0, 3), (1, 0, 2, 0, 0, 0)], worth=[10, 1_000],
    )  # fmt: skip
    plan = plan_making(problem)
    assert broken_rules(problem, plan) == []
    assert coverage_of(problem, plan).tolist() == [2, 2]


def test_what_takes_more_effort_than_it_is_worth_is_not_gathered() -> None:
    problem = ProductionProblem.of(
        places=2, things=2, outputs=[[(1, 1)]], inputs=[[(0, 10)]], activities=[(0, 0)], arcs=[(1, 0, 30, 0)],
        stock=[(0, 0, 0, 6), (0, 1, 0, 6)], needs=[(1, 0, 1, 0, 0, 0)], worth=[100],
    )  # fmt: skip
    assert coverage_of(problem, plan_making(problem)).tolist() == [0]  # Four of them, brought from afar, take 120.


def kits(suppliers: list[list[tuple[int, int]]], takes: list[int], asked: int) -> ProductionProblem:
    """One place where a kit is made of several things; suppliers of each have so many units so far away."""
    things, everybody = len(takes), [supplier for each in suppliers for supplier in each]
    of_thing = [thing for thing, each in enumerate(suppliers) for _ in each]
    return ProductionProblem.of(
        places=1 + len(everybody), things=1 + things, outputs=[[(things, 1)]], inputs=[list(enumerate(takes))], activities=[(0, 0)],
        stock=[(thing, 1 + at, 0, units) for at, (thing, (units, _)) in enumerate(zip(of_thing, everybody, strict=True))],
        arcs=[(1 + at, 0, far, 0) for at, (_, far) in enumerate(everybody)], needs=[(things, 0, asked, 0, 0, 0)], worth=[10**6],
    )  # fmt: skip


def least_effort(suppliers: list[list[tuple[int, int]]], takes: list[int], made: int) -> int:
    """Return the least effort of so many kits, of all ways to draw what they take from suppliers."""
    total = 0
    for each, units in zip(suppliers, takes, strict=True):
        shares = product(*(range(has + 1) for has, _ in each))
        total += min(sum(part * far for part, (_, far) in zip(share, each, strict=True)) for share in shares if sum(share) == units * made)
    return total


def effort_of(problem: ProductionProblem, plan: ProductionPlan) -> int:
    assert broken_rules(problem, plan) == []
    return int(effort_of_lines(problem, plan).sum())


@pytest.mark.parametrize("asked", [1, 2, 3])
def test_kits_are_gathered_from_the_nearest_of_those_who_have_too_little_each(asked: int) -> None:
    suppliers = [[(3, 10 * far) for far in range(1, 7)], [(2, 15 * far) for far in range(1, 7)]]
    problem = kits(suppliers, [10, 7], asked)
    plan = plan_making(problem)
    assert coverage_of(problem, plan).tolist() == [1]
    assert effort_of(problem, plan) == least_effort(suppliers, [10, 7], 1)


@pytest.mark.parametrize("seeds", [range(60), range(60, 120)])
def test_what_is_gathered_takes_the_least_effort_of_all_ways_from_nothing_and_as_more_is_asked_for(seeds: range) -> None:
    made_in_all = 0
    for seed in seeds:
        draw = Draw(seed)
        takes = [2 + draw.below(9) for _ in range(2)]
        suppliers = [[(1 + draw.below(4), 1 + draw.below(40)) for _ in range(3 + draw.below(4))] for _ in takes]
        asked = 1 + draw.below(3)
        most = min(asked, *(sum(has for has, _ in each) // units for each, units in zip(suppliers, takes, strict=True)))
        problem = kits(suppliers, takes, asked)
        walkers = walked(kits(suppliers, takes, 0))
        walkers.need_changes(0, asked)
        for plan in (plan_making(problem), walkers.plan()):
            assert coverage_of(problem, plan).tolist() == [most], seed
            assert effort_of(problem, plan) == least_effort(suppliers, takes, most), seed
        made_in_all += most
    assert made_in_all > len(seeds)


def test_a_call_without_work_left_lets_the_next_one_look_for_what_is_nearer() -> None:
    suppliers = [[(3, 10 * far) for far in range(1, 7)], [(2, 15 * far) for far in range(1, 7)]]
    problem = kits(suppliers, [10, 7], 2)
    first = walked(problem, eases=False)
    walkers = walked(problem, most_work=first.work)
    assert coverage_of(problem, walkers.plan()).tolist() == [1]
    assert effort_of(problem, walkers.plan()) > least_effort(suppliers, [10, 7], 1)
    assert not walkers.is_complete
    assert walkers.walk_on() or walkers.walk_on()
    assert effort_of(problem, walkers.plan()) == least_effort(suppliers, [10, 7], 1)


def test_trees_walked_again_by_effort_alone_are_worth_no_less() -> None:
    gained = 0
    for seed in range(200):
        problem = scattered_network(seed)
        walkers = walked(problem, guided(problem), eases=False)
        before = worth_of_plan(problem, walkers.plan())
        walkers.ease()
        plan = walkers.plan()
        assert broken_rules(problem, plan) == [], seed
        assert before <= worth_of_plan(problem, plan) <= plan.bound, seed
        gained += worth_of_plan(problem, plan) > before
    assert gained


def test_a_tree_walked_again_counts_as_work_as_it_was_and_as_it_is() -> None:
    suppliers = [[(3, 10 * far) for far in range(1, 7)], [(2, 15 * far) for far in range(1, 7)]]
    walkers = walked(kits(suppliers, [10, 7], 2), eases=False)
    before, was = walkers._lines, walkers._trees[0]
    walkers.ease()
    assert walkers._trees[0] is not was
    assert walkers._lines - before == len(was.lines) + len(walkers._trees[0].lines)


def scattered_network(seed: int) -> ProductionProblem:
    """A small network where lots and machines have enough for a few runs each, drawn from a seed."""
    draw = Draw(seed)
    places, buckets, recipes = 1 + draw.below(4), 1 + draw.below(4), 1 + draw.below(4)
    spots = [(recipe, place) for recipe in range(recipes) for place in range(places) if draw.below(3)] or [(0, 0)]
    needs = [
        (2 + draw.below(recipes), draw.below(places), 1 + draw.below(8), draw.below(buckets), buckets - 1, draw.below(4))
        for _ in range(1 + draw.below(6))
    ]
    return ProductionProblem.of(
        places=places, things=2 + recipes, buckets=buckets,
        outputs=[[(2 + recipe, 1 + draw.below(3))] for recipe in range(recipes)],
        inputs=[[(each, 2 + draw.below(8)) for each in {draw.below(2 + recipe), draw.below(2 + recipe)}] for recipe in range(recipes)],
        activities=spots, activity_lead=[draw.below(2) for _ in spots],
        uses=[[(place, 1 + draw.below(4), draw.below(3))] for _, place in spots],
        pool_place=list(range(places)), pool_grains=[3 + draw.below(28) for _ in range(places)],
        batch_least=[(1, 1, 2, 4)[draw.below(4)] for _ in range(recipes)], batch_multiple=[1 + draw.below(2) for _ in range(recipes)],
        yield_good=[9 + draw.below(2) for _ in range(recipes)], yield_of=[10] * recipes,
        stock=[(draw.below(2), draw.below(places), draw.below(buckets), 1 + draw.below(14)) for _ in range(3 + draw.below(10))],
        arcs=[(a, b, 1 + draw.below(5), draw.below(2)) for a in range(places) for b in range(places) if a != b and draw.below(5)],
        needs=needs, worth=[1_000 * 10 ** (3 - need[-1]) for need in needs],
    )  # fmt: skip


@pytest.mark.parametrize("seeds", [range(40), range(40, 80)])
def test_plans_of_scattered_networks_pass_the_check_whatever_happens(seeds: range) -> None:
    delivered = 0
    for seed in seeds:
        walkers, draw = walked(scattered_network(seed)), Draw(seed)
        for _ in range(8):
            plan = walkers.plan()
            assert broken_rules(walkers.problem, plan) == [], seed
            assert worth_of_plan(walkers.problem, plan) <= plan.bound, seed
            delivered += int(coverage_of(walkers.problem, plan).sum())
            happen(walkers, walkers.problem, draw)
    assert delivered


def test_who_took_what_a_tree_left_over_is_known_whoever_goes() -> None:
    taken = 0
    for seed in range(40):
        walkers, draw = walked(scattered_network(seed)), Draw(seed)
        for _ in range(8):
            happen(walkers, walkers.problem, draw)
            takers: dict[int, set[int]] = {}
            for tree, kept in walkers._trees.items():
                for source, _ in kept.sources.values():
                    takers.setdefault(source, set()).add(tree)
            assert {source: trees for source, trees in walkers._takers.items() if trees} == takers, seed
            taken += len(takers)
    assert taken
