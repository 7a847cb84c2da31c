"""Plans of making: each passes the check, none beats its bound, and what changes is walked anew without starting over."""

import numpy as np
import pytest

from solver.engine.making_lp import relax
from solver.making import Kind, ProductionProblem, broken_rules, coverage_of, guided, plan_making, walked, worth_of_plan
from solver.making.guiding import led_by
from solver.making.reference import Draw, reference
from solver.making.walkers import Walkers, bound_of, settled

SHAPES = [
    pytest.param({"demand": 1}, 0.99, id="plenty"),
    pytest.param({"demand": 8}, 0.99, id="scarce"),
    pytest.param({"demand": 6, "levels": 5}, 0.98, id="fair within a tier"),
    pytest.param({"demand": 3, "buckets": 5}, 0.98, id="five buckets"),
    pytest.param({"demand": 3, "buckets": 4, "batches": True}, 0.97, id="batches and set-ups"),
]


@pytest.mark.parametrize(("shape", "least"), SHAPES)
def test_a_plan_passes_the_check_and_is_near_a_bound_that_no_plan_beats(shape: dict[str, int], least: float) -> None:
    for seed in (1, 2):
        problem = reference(places=14, seed=seed, **shape).problem
        plan = plan_making(problem)
        assert broken_rules(problem, plan) == []
        assert least < worth_of_plan(problem, plan) / plan.bound <= 1
        relaxed = relax(problem).worth
        assert plan.bound == pytest.approx(relaxed, rel=1e-5)
        assert plan.bound >= relaxed * (1 - 1e-9)


def test_any_pressures_bound_what_is_made_though_less_closely() -> None:
    problem = reference(places=14, demand=8).problem
    best = plan_making(problem)
    draw = Draw(5)
    for _ in range(5):
        things = np.array([draw.below(9_000) for _ in range(best.thing_pressure.size)], dtype=float).reshape(best.thing_pressure.shape)
        pools = np.array([draw.below(40) for _ in range(best.pool_pressure.size)], dtype=float).reshape(best.pool_pressure.shape)
        pressures = settled(problem, things, pools)
        assert bound_of(problem, pressures) >= best.bound - 1
        walkers = Walkers(problem, pressures)
        walkers.fill()
        plan = walkers.plan()
        assert broken_rules(problem, plan) == []
        assert worth_of_plan(problem, plan) <= best.bound


def test_both_engines_lead_to_the_same_bound() -> None:
    problem = reference(places=10, demand=8).problem
    assert plan_making(problem, guided(problem, "pdlp")).bound == pytest.approx(plan_making(problem).bound, rel=1e-3)


def happen(walkers: Walkers, problem: ProductionProblem, draw: Draw) -> None:
    """Let something change: what a need asks for, a lot, hours, or a need that comes."""
    need, lot, pool = (draw.below(len(each)) for each in (problem.need_units, problem.stock_units, problem.pool_place))
    bucket = draw.below(problem.buckets)
    match draw.below(4):
        case 0:
            walkers.need_changes(need, int(problem.need_units[need]) * draw.below(5) // 2)
        case 1:
            walkers.lot_changes(lot, int(problem.stock_units[lot]) * draw.below(9) // 4)
        case 2:
            walkers.pool_changes(pool, bucket, int(problem.pool_grains[pool, bucket]) * draw.below(9) // 4)
        case _:
            said = (problem.need_thing, problem.need_place, problem.need_units, problem.need_due, problem.need_until, problem.need_tier)
            walkers.add_need(*(int(each[need]) for each in said), worth=int(problem.need_worth[need]))


@pytest.mark.parametrize("shape", [{"demand": 2}, {"demand": 5}, {"demand": 4, "buckets": 3, "batches": True}])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_event_leaves_a_plan_that_passes_the_check(shape: dict[str, int], seed: int) -> None:
    problem = reference(places=10, seed=seed, **shape).problem
    walkers, draw = walked(problem), Draw(seed)
    for _ in range(25):
        happen(walkers, problem, draw)
        plan = walkers.plan()
        assert broken_rules(walkers.problem, plan) == []
        assert worth_of_plan(walkers.problem, plan) <= plan.bound


def test_after_events_the_plan_is_near_to_the_one_from_nothing() -> None:
    problem = reference(places=40, demand=2).problem
    walkers, draw = walked(problem), Draw(3)
    for _ in range(40):
        happen(walkers, problem, draw)
    kept, anew = walkers.plan(), plan_making(walkers.problem)
    assert worth_of_plan(walkers.problem, kept) > 0.97 * worth_of_plan(walkers.problem, anew)
    assert worth_of_plan(walkers.problem, anew) <= min(kept.bound, anew.bound)


def test_the_same_events_lead_to_the_same_plan() -> None:
    problem = reference(places=12, demand=5, buckets=2, batches=True).problem
    plans = []
    for _ in range(2):
        walkers, draw = walked(problem), Draw(9)
        for _ in range(10):
            happen(walkers, problem, draw)
        plans.append(walkers.plan())
    for name in ("tree_need", "tree_units", "line_kind", "line_what", "line_units", "line_begin", "line_feeds"):
        assert np.array_equal(getattr(plans[0], name), getattr(plans[1], name))


@pytest.mark.parametrize("shape", [{"demand": 8}, {"demand": 4, "buckets": 3, "batches": True}])
def test_what_one_call_has_no_work_left_for_the_next_goes_on_with(shape: dict[str, int]) -> None:
    problem = reference(places=14, **shape).problem
    whole, guide = plan_making(problem), guided(problem)
    walkers = walked(problem, guide, most_work=2_000)
    covered = [int(coverage_of(problem, walkers.plan()).sum())]
    while not walkers.is_complete:
        assert broken_rules(problem, walkers.plan()) == []
        walkers.walk_on()
        covered.append(int(coverage_of(problem, walkers.plan()).sum()))
    assert len(covered) > 5
    assert covered == sorted(covered)
    assert covered[0] < covered[-1]
    plan = walkers.plan()
    assert broken_rules(problem, plan) == []
    assert worth_of_plan(problem, plan) > 0.9 * worth_of_plan(problem, whole)  # What is left open is walked without a trail.


def test_an_event_does_so_much_work_and_little_more() -> None:
    problem = reference(places=40, demand=8).problem
    walkers, draw = walked(problem), Draw(3)
    walkers.most_work = 20_000
    for _ in range(20):
        before = walkers.work
        happen(walkers, problem, draw)
        assert walkers.work - before < 60_000  # What makes room for a change and takes one tree's place is not cut in two.
        assert broken_rules(walkers.problem, walkers.plan()) == []


def test_a_more_urgent_need_takes_the_place_of_a_later_tier_but_not_of_what_is_pinned() -> None:
    problem = ProductionProblem.of(
        places=1, things=1, stock=[(0, 0, 0, 10)], needs=[(0, 0, 6, 0, 0, 3), (0, 0, 4, 0, 0, 3)], worth=[10, 10]
    )  # fmt: skip
    walkers = walked(problem)
    for tree in [tree for number, tree in enumerate(walkers.tree_numbers()) if walkers.plan().tree_need[number] == 1]:
        walkers.pin(tree)
    walkers.add_need(0, 0, 8, 0, 0, 0, worth=1_000)
    assert coverage_of(walkers.problem, walkers.plan()).tolist() == [0, 4, 6]


@pytest.mark.parametrize("most_work", [None, 1, 2, 10, 300, 5_000])
def test_an_urgent_need_comes_by_its_own_however_little_a_call_may_do(most_work: int | None) -> None:
    problem = ProductionProblem.of(
        places=1, things=1, stock=[(0, 0, 0, 5), (0, 0, 0, 5)], needs=[(0, 0, 6, 0, 0, 3), (0, 0, 4, 0, 0, 3)], worth=[10, 10]
    )  # fmt: skip
    walkers = walked(problem)
    walkers.most_work = most_work
    walkers.add_need(0, 0, 5, 0, 0, 0, worth=1_000)
    calls = 0
    while not walkers.is_complete:
        walkers.walk_on()
        calls += 1
        assert calls < 100
    plan = walkers.plan()
    assert broken_rules(walkers.problem, plan) == []
    assert coverage_of(walkers.problem, plan)[2] == 5
    assert coverage_of(walkers.problem, plan).sum() == 10


def test_what_takes_more_effort_than_64_bits_hold_is_not_worth_it() -> None:
    problem = ProductionProblem.of(
        places=2, things=2, buckets=3, outputs=[[(0, 2**37)], [(1, 1)]], inputs=[[], [(0, 3)]], yield_good=[1, 1], yield_of=[1, 7],
        activities=[(0, 0), (1, 1)], activity_lead=[1, 0], arcs=[(0, 1, 2**40, 1)], needs=[(1, 1, 2**31, 2, 2, 0)], worth=[1_000],
    )  # fmt: skip
    plan = plan_making(problem)
    assert broken_rules(problem, plan) == []
    assert 0 <= worth_of_plan(problem, plan) <= plan.bound


@pytest.mark.parametrize(
    ("outputs", "batch", "made"),
    [
        pytest.param([(0, 2**40)], 2**30, 0, id="a least batch gives more than 64 bits hold"),
        pytest.param([(0, 2**40)], 2**10, 5, id="as much as numbers may add up to"),
        pytest.param([(0, 1), (1, 2**49)], 1, 2, id="by-products of three runs lie there together"),
        pytest.param([(0, 1), (1, 2**40)], 1, 5, id="by-products of five runs are little enough"),
    ],
)
def test_no_runs_give_more_than_numbers_hold(outputs: list[tuple[int, int]], batch: int, made: int) -> None:
    problem = ProductionProblem.of(
        places=1, things=2, outputs=[outputs], activities=[(0, 0)], batch_least=[batch], needs=[(0, 0, 5, 0, 0, 0)], worth=[1_000]
    )  # fmt: skip
    plan = plan_making(problem)
    assert broken_rules(problem, plan) == []
    assert coverage_of(problem, plan).tolist() == [made]


def test_scrap_is_ground_and_used_again_but_never_made_to_be_ground() -> None:
    problem = ProductionProblem.of(
        places=1,
        things=3,  # granulate, part, scrap
        buckets=4,
        outputs=[[(1, 9), (2, 2)], [(0, 1)]],
        inputs=[[(0, 10)], [(2, 1)]],
        yield_good=[1, 19],
        yield_of=[1, 20],
        activities=[(0, 0), (1, 0)],
        activity_lead=[1, 1],
        stock=[(0, 0, 0, 1_000)],
        needs=[(1, 0, 1_050, 3, 3, 1)],
        worth=[100],
    )
    plan = plan_making(problem)
    assert broken_rules(problem, plan) == []
    assert coverage_of(problem, plan)[0] > 900  # What the granulate alone is enough for.
    assert Kind.LEFTOVER in plan.line_kind.tolist()


def test_what_a_run_leaves_over_is_taken_even_where_it_is_not_enough() -> None:
    problem = ProductionProblem.of(
        places=1, things=1, outputs=[[(0, 10)]], activities=[(0, 0)], activity_effort=[50], uses=[[(0, 1, 0)]], pool_place=[0],
        pool_grains=[3], needs=[(0, 0, 14, 0, 0, 1), (0, 0, 16, 0, 0, 1)], worth=[101, 100],
    )  # fmt: skip
    plan = plan_making(problem)
    assert broken_rules(problem, plan) == []
    # A tree each, of three runs in all: two give 20, of which 6 are left, and one 10.
    assert plan.tree_units.tolist() == [14, 16]


@pytest.mark.parametrize(("made", "lots", "asked"), [
    pytest.param(1, [40], [10, 9, 5, 14], id="twice twenty runs for four needs"),
    pytest.param(2, [20], [7, 12, 3, 16], id="two of a run, so ten runs lose nothing"),
    pytest.param(1, [12, 8], [10, 7], id="no lot has enough for twenty runs"),
    pytest.param(1, [11], [7, 3], id="eleven runs and no more, of which ten come out well"),
])  # fmt: skip
def test_what_several_needs_have_of_one_recipe_is_rounded_down_but_once(made: int, lots: list[int], asked: list[int]) -> None:
    problem = ProductionProblem.of(
        places=1, things=2,  # steel, nut: one in twenty is bad
        inputs=[[(0, 1)]], outputs=[[(1, made)]], yield_good=[19], yield_of=[20],
        activities=[(0, 0)],
        stock=[(0, 0, 0, units) for units in lots],
        needs=[(1, 0, each, 0, 0, 0) for each in asked], worth=[100] * len(asked),
    )  # fmt: skip
    plan = plan_making(problem)
    assert broken_rules(problem, plan) == []
    assert coverage_of(problem, plan).tolist() == asked


def test_who_wants_more_of_a_by_product_than_there_is_gets_what_there_is() -> None:
    problem = ProductionProblem.of(
        places=1, things=2, outputs=[[(0, 1), (1, 4)]], activities=[(0, 0)], uses=[[(0, 1, 0)]], pool_place=[0], pool_grains=[1],
        needs=[(0, 0, 1, 0, 0, 0), (1, 0, 100, 0, 0, 3)], worth=[1_000, 1],
    )  # fmt: skip
    walkers = Walkers(problem, settled(problem, np.zeros((2, 1, 1)), np.zeros((1, 1))))
    walkers.fill()
    plan = walkers.plan()
    assert broken_rules(problem, plan) == []
    assert coverage_of(problem, plan).tolist() == [1, 4]


def test_lateness_is_taken_only_where_it_still_gains() -> None:
    said = {
        "places": 1, "things": 1, "buckets": 5, "outputs": [[(0, 1)]], "activities": [(0, 0)], "uses": [[(0, 1, 0)]],
        "pool_place": [0], "pool_grains": [2], "needs": [(0, 0, 9, 1, 4, 1)], "worth": [30],
    }  # fmt: skip
    for late, ends in (([11], [1, 1, 2, 3]), ([40], [1, 1])):
        problem = ProductionProblem.of(**said, late=late)  # type: ignore[arg-type]
        plan = plan_making(problem)
        assert broken_rules(problem, plan) == []
        delivered = sorted(zip(plan.tree_end.tolist(), plan.tree_units.tolist(), strict=True))
        assert sum(units for end, units in delivered if end <= 1) == 4
        assert max(end for end, _ in delivered) == max(ends)


def test_what_costs_nothing_to_make_is_made_no_more_than_is_asked_for() -> None:
    for runs in (50, 10**6):
        problem = ProductionProblem.of(
            places=1, things=2, outputs=[[(1, 1)]], inputs=[[(0, 1)]], activities=[(0, 0)], stock=[(0, 0, 0, runs)],
            needs=[(1, 0, 3, 0, 0, 0), (1, 0, 2, 0, 0, 1)], worth=[100, 10],
        )  # fmt: skip
        plan = plan_making(problem)
        assert broken_rules(problem, plan) == []
        assert coverage_of(problem, plan).tolist() == [3, 2]


def test_ways_of_more_effort_than_anything_is_worth_are_not_gone_and_do_not_upset_the_bound() -> None:
    problem = ProductionProblem.of(
        places=2, things=1, stock=[(0, 0, 0, 5)], arcs=[(0, 1, 2**30, 0), (1, 0, 2**30, 0)], load=[2**10],
        needs=[(0, 1, 3, 0, 0, 0)], worth=[100],
    )  # fmt: skip
    plan = plan_making(problem)
    assert broken_rules(problem, plan) == []
    assert (coverage_of(problem, plan).tolist(), plan.bound) == ([0], 0)


def test_a_run_may_take_more_things_than_a_tree_may_have_lines() -> None:
    things = 4_200
    problem = ProductionProblem.of(
        places=1, things=things + 1, outputs=[[(things, 1)]], inputs=[[(thing, 1) for thing in range(things)]], activities=[(0, 0)],
        stock=[(thing, 0, 0, 1) for thing in range(things)], needs=[(things, 0, 1, 0, 0, 0)], worth=[100],
    )  # fmt: skip
    plan = plan_making(problem)
    assert broken_rules(problem, plan) == []
    assert coverage_of(problem, plan).tolist() == [0]


def test_who_asked_before_something_was_left_over_is_asked_again_though_all_that_was_passed_over_was_looked_at_in_between() -> None:
    problem = ProductionProblem.of(
        places=1, things=4, outputs=[[(1, 10), (2, 1), (3, 1)]], inputs=[[(0, 1)]], activities=[(0, 0)], activity_effort=[250], uses=[[]],
        # A run is too dear for the first alone, but leaves what it asks for once the second is served; for the third it leaves too little.
        stock=[(0, 0, 0, 10)], needs=[(2, 0, 2, 0, 0, 0), (1, 0, 100, 0, 0, 0), (3, 0, 200, 0, 0, 0)], worth=[200, 100, 50],
    )  # fmt: skip
    walkers = Walkers(problem, led_by(problem, np.zeros((4, 1, 1)), np.zeros((0, 1))).pressures)
    walkers.fill()
    assert coverage_of(problem, walkers.plan()).tolist() == [2, 100, 10]


@pytest.mark.parametrize(
    ("lot", "asked", "served"),
    [
        pytest.param(3, [100], [3], id="less than a tenth of what is asked for, and all there is"),
        pytest.param(1, [1_000, 1], [0, 1], id="too little for the first, which passes it over, and enough for the second"),
        pytest.param(3, [2_000, 2, 1], [0, 2, 1], id="enough for two"),
    ],
)
def test_what_is_too_little_for_one_need_is_not_shut_to_all(lot: int, asked: list[int], served: list[int]) -> None:
    needs = [(0, 0, units, 0, 0, tier) for tier, units in enumerate(asked)]
    for stock in (lot, 0):
        problem = ProductionProblem.of(places=1, things=1, stock=[(0, 0, 0, stock)], needs=needs, worth=[1_000, 100, 10][: len(needs)])
        walkers = Walkers(problem, led_by(problem, np.zeros((1, 1, 1)), np.zeros((0, 1))).pressures)
        walkers.fill()
        if not stock:
            walkers.lot_changes(0, lot)
        assert broken_rules(walkers.problem, walkers.plan()) == []
        assert coverage_of(walkers.problem, walkers.plan()).tolist() == served


def test_what_a_need_asks_for_no_longer_goes_to_others() -> None:
    problem = ProductionProblem.of(
        places=1, things=2, outputs=[[(1, 1)]], inputs=[[(0, 1)]], activities=[(0, 0)], stock=[(0, 0, 0, 5)],
        needs=[(0, 0, 5, 0, 0, 0), (1, 0, 5, 0, 0, 1)], worth=[100, 10],
    )  # fmt: skip
    walkers = walked(problem)
    for units, served in ((5, [5, 0]), (2, [2, 3]), (4, [4, 1])):
        walkers.need_changes(0, units)
        assert broken_rules(walkers.problem, walkers.plan()) == []
        assert coverage_of(walkers.problem, walkers.plan()).tolist() == served
