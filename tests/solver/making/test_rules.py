"""The check of a plan of making: it passes what can be done, and names each thing that is wrong with what cannot."""

from dataclasses import replace

import numpy as np
import pytest

from solver.errors import BadProblem
from solver.making import (
    NEED,
    Kind,
    ProductionPlan,
    ProductionProblem,
    broken_rules,
    coverage_of,
    effort_of_lines,
    gap,
    place_of_lines,
    plan_making,
    pool_use,
    tier_worths,
    worth_of_plan,
)
from solver.making.reference import reference

Rows = list[tuple[int, ...]]


def chairs() -> ProductionProblem:
    """Planks at 0 become chairs at 1: two days on the way, an hour of set-up, half an hour a chair, in twos, and offcuts beside."""
    return ProductionProblem.of(
        places=3,
        things=3,  # plank, chair, offcut
        buckets=6,
        outputs=[[(1, 1), (2, 3)]],
        inputs=[[(0, 4)]],
        batch_least=[2],
        batch_multiple=[2],
        activities=[(0, 1)],
        activity_lead=[1],
        activity_effort=[5],
        uses=[[(0, 30, 60)]],
        pool_place=[1],
        pool_grains=[[180] * 6],
        stock=[(0, 0, 0, 30)],
        load=[2, 7, 1],
        arcs=[(0, 1, 3, 2), (1, 2, 1, 1)],
        needs=[(1, 2, 3, 4, 5, 0), (2, 1, 5, 5, 5, 1)],
        worth=tier_worths([0, 1], farthest=100),
        step=[10, 0],
        late=[7, 0],
        levels=3,
    )


#       tree kind          what thing units runs setups begin end feeds
LINES: Rows = [
    (0, Kind.MOVE, 1, 1, 3, 0, 0, 3, 4, NEED),
    (0, Kind.RUN, 0, 1, 3, 4, 1, 2, 3, 0),
    (0, Kind.MOVE, 0, 0, 16, 0, 0, 0, 2, 1),
    (0, Kind.STOCK, 0, 0, 16, 0, 0, 0, 0, 2),
    (1, Kind.LEFTOVER, 1, 2, 5, 0, 0, 3, 3, NEED),
]


def plan_of(problem: ProductionProblem, lines: Rows = LINES, trees: Rows = [(0, 3, 4), (1, 5, 3)]) -> ProductionPlan:  # noqa: B006
    table, wood = np.array(lines, dtype=np.int64).reshape(-1, 10).T, np.array(trees, dtype=np.int64).reshape(-1, 3).T
    names = ("tree", "kind", "what", "thing", "units", "runs", "setups", "begin", "end", "feeds")
    columns = {f"line_{name}": column for name, column in zip(names, table, strict=True)}
    return replace(ProductionPlan.empty(problem), tree_need=wood[0], tree_units=wood[1], tree_end=wood[2], **columns)


def test_a_plan_that_can_be_done_breaks_no_rule_and_says_who_does_what() -> None:
    problem = chairs()
    plan = plan_of(problem)
    assert broken_rules(problem, plan) == []
    assert coverage_of(problem, plan).tolist() == [3, 5]
    assert place_of_lines(problem, plan).tolist() == [1, 1, 0, 0, 1]
    assert pool_use(problem, plan) == [(1, 0, 180)]
    assert effort_of_lines(problem, plan).tolist() == [21, 20, 96, 0, 0]
    assert worth_of_plan(problem, plan) == 3 * 100_000 - 10 * (0 + 1 + 2) + 5 * 10_000 - 137
    assert gap(problem, plan) > 0


@pytest.mark.parametrize(
    ("line", "column", "value", "told"),
    [
        pytest.param(0, 4, 5, "line 0 takes 5 of thing 1, but is handed 3", id="a move hands on what it has"),
        pytest.param(0, 7, 2, "line 1 is there in bucket 3, but what it feeds takes it in 2", id="a chair leaves before it is made"),
        pytest.param(0, 8, 3, "line 0 goes from 3 to 3, of 6 buckets, and takes 1", id="a move takes its time"),
        pytest.param(1, 5, 3, "activity 0 has 3 runs in bucket 2: at least 2, by 2, are expected", id="a batch is a multiple"),
        pytest.param(1, 5, 6, "pool 0 works 240 in bucket 2, but has 180", id="hours are there"),
        pytest.param(1, 6, 0, "activity 0 is set up 0 times in bucket 2", id="a batch is set up"),
        pytest.param(1, 4, 5, "line 1 hands on 5 of thing 1, but 4 come out", id="no more is handed on than comes out"),
        pytest.param(3, 4, 40, "lot 0 gives 40, but has 30", id="a lot is no larger than it is"),
        pytest.param(3, 2, 0, "", id="as it was"),
        pytest.param(3, 3, 1, "line 3 takes thing 1 in 0 of lot 0, which is another or later", id="a lot is of one thing"),
        pytest.param(4, 7, 2, "line 4 takes what line 1 left over before that is there", id="leftovers are there first"),
        pytest.param(4, 4, 13, "line 1 hands on 13 of thing 2, but 12 come out", id="leftovers are no more than is left over"),
        pytest.param(2, 9, 3, "line 3 waits for itself", id="nothing waits for itself"),
        pytest.param(2, 2, 1, "line 2 leaves its thing at place 2, but it is wanted at 1", id="a move ends where it is wanted"),
        pytest.param(1, 2, 9, "lines of kind RUN name 9 to 9: 0 to 0 is expected", id="what is named exists"),
    ],
)
def test_what_cannot_be_done_is_told(line: int, column: int, value: int, told: str) -> None:
    problem = chairs()
    lines = [list(row) for row in LINES]
    lines[line][column] = value
    broken = broken_rules(problem, plan_of(problem, [tuple(row) for row in lines]))
    assert any(told in sentence for sentence in broken) if told else not broken, broken


def test_needs_get_no_more_than_they_ask_for_and_nothing_too_late() -> None:
    problem = chairs()
    assert broken_rules(problem, plan_of(problem, trees=[(0, 4, 4), (1, 5, 3)]))[0] == "need 0 gets 4, but asks for 3"
    sooner = replace(problem, need_until=np.array([3, 5]))
    assert "tree 0 delivers in bucket 4, but need 0 is until 3" in broken_rules(sooner, plan_of(sooner))


def test_pressures_that_an_activity_undercuts_prove_nothing() -> None:
    problem, plan = chairs(), plan_of(chairs())
    plan.thing_pressure[1] = 100
    assert any("activity 0 makes something for less" in sentence for sentence in broken_rules(problem, plan))


def test_a_bound_below_what_follows_is_told() -> None:
    problem = chairs()
    plan = plan_of(problem)
    assert any("is what follows" in sentence for sentence in broken_rules(problem, replace(plan, bound=plan.bound // 2)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"outputs": [[]]}, "recipe 0 makes nothing", id="a recipe makes something"),
        pytest.param({"stock": [(9, 0, 0, 1)]}, "stock_thing holds 9 to 9", id="a thing is one of those there are"),
        pytest.param({"arcs": [(0, 0, 1, 1)]}, "arc 0 ends where it starts", id="a way leads elsewhere"),
        pytest.param({"yield_good": [3], "yield_of": [2]}, "recipe 0 yields 3 of 2", id="no more comes out well than comes out"),
        pytest.param({"worth": [1, 2]}, "arrays of one length", id="every need has a worth"),
        pytest.param({"load": [1, 2**40], "arcs": [(0, 1, 2**20, 0)]}, f"takes an effort of {2**60}", id="efforts fit"),
        pytest.param({"pool_place": [0]}, "uses pool 0 of another place", id="hours stay where they are"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(change: dict[str, object], told: str) -> None:
    said: dict[str, object] = {
        "places": 2, "things": 2, "outputs": [[(1, 1)]], "inputs": [[(0, 1)]], "activities": [(0, 1)], "uses": [[(0, 1, 0)]],
        "pool_place": [1], "pool_grains": [9], "needs": [(1, 1, 1, 0, 0, 1)], "worth": [10],
    }  # fmt: skip
    ProductionProblem.of(**said)  # type: ignore[arg-type]
    with pytest.raises(BadProblem, match=told):
        ProductionProblem.of(**(said | change))  # type: ignore[arg-type]


def undercutting(problem: ProductionProblem, plan: ProductionPlan) -> int:
    """How many activities and arcs make or bring something for less than it is pressed, one entry after the other."""
    pressed, scale = plan.thing_pressure, plan.scale
    found = 0
    for arc, (start, end, lead) in enumerate(zip(problem.arc_from, problem.arc_to, problem.arc_lead, strict=True)):
        found += any(
            pressed[thing, start, bucket] + problem.arc_effort[arc] * problem.load[thing] * scale < pressed[thing, end, bucket + lead]
            for thing in range(problem.things)
            for bucket in range(problem.buckets - lead)
        )
    for activity, (recipe, place, lead) in enumerate(
        zip(problem.activity_recipe, problem.activity_place, problem.activity_lead, strict=True)
    ):
        inputs, outputs, uses = (
            range(start[owner], start[owner + 1])
            for start, owner in ((problem.input_start, recipe), (problem.output_start, recipe), (problem.use_start, activity))
        )
        found += any(
            problem.yield_good[recipe]
            * sum(problem.output_units[row] * pressed[problem.output_thing[row], place, bucket + lead] for row in outputs)
            > problem.yield_of[recipe]
            * (
                problem.activity_effort[activity] * scale
                + sum(problem.input_units[row] * pressed[problem.input_thing[row], place, bucket] for row in inputs)
                + sum(problem.use_grains[row] * plan.pool_pressure[problem.use_pool[row], bucket] for row in uses)
            )
            for bucket in range(problem.buckets - lead)
        )
    return found


@pytest.mark.parametrize("at_once", [1, 500, 1_000_000])
@pytest.mark.parametrize("seed", range(4))
def test_pressures_compared_many_at_a_time_are_told_as_one_by_one(seed: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("solver.making.rules.AT_ONCE", at_once)
    monkeypatch.setattr("solver.making.rules.SHOWN", 10**9)
    problem = reference(places=6, buckets=1 + 2 * (seed % 2), batches=True, seed=seed).problem
    plan = plan_making(problem)
    assert broken_rules(problem, plan) == []
    random = np.random.default_rng(seed)
    for _ in range(4):
        things = plan.thing_pressure + random.integers(0, 2, plan.thing_pressure.shape) * (random.random(plan.thing_pressure.shape) < 0.02)
        wrong = replace(plan, thing_pressure=things, bound=2**60)
        told = [sentence for sentence in broken_rules(problem, wrong) if "for less than it is pressed" in sentence]
        assert len(told) == undercutting(problem, wrong)
