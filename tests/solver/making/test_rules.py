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
    pool_use,
    tier_worths,
    worth_of_plan,
)

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
