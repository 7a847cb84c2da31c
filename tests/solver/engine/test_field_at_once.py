"""Many claims, needs, offers and arcs that come in one call leave a field as one call for each does."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from solver import BadProblem, Problem, TooLarge
from solver.engine.layout import LARGEST_WORTH
from solver.field import Field, _Column
from tests.solver.engine.instances import anything_happens, everything, problem_of
from tests.solver.engine.test_field import verify

ROOT = Path(__file__).resolve().parents[3]


def state_of(field: Field) -> dict[str, Any]:
    """Return all that a field knows, and every row in use of its network."""
    columns = {name: value.values.tolist() for name, value in vars(field).items() if isinstance(value, _Column)}
    layout = field._layout
    rows = {"node": layout.nodes, "edge": layout.nodes, "gate": layout.nodes, "space": layout.nodes, "arc": layout.arcs}
    return columns | {name: getattr(layout.net, name)[:count].tolist() for name, count in rows.items()}


def counted(field: Field, name: str, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return the answers that a method of a field will have given."""
    answers: list[bool] = []
    task = getattr(field, name)

    def asked(*told: Any) -> bool:
        answers.append(task(*told))
        return answers[-1]

    monkeypatch.setattr(field, name, asked)
    return answers


def come(rng: np.random.Generator, field: Field) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw claims, needs and offers; some needs are of claims that were there."""
    claims = np.column_stack((rng.integers(0, 4, 3), rng.integers(0, 3, 3), rng.integers(1, 4, 3), rng.integers(0, 9, 3)))[
        : rng.integers(0, 4)
    ]
    known = field._claim_node.count
    among = np.arange(0 if rng.random() < 0.3 else known, known + len(claims))  # of those known, some share their node with a need
    needs = np.column_stack((rng.choice(among, 4), rng.integers(0, 20, 4))) if len(among) else np.zeros((0, 2), dtype=np.int64)
    return claims, needs[: rng.integers(0, 5)], rng.integers(0, 20, rng.integers(0, 4))


@pytest.mark.parametrize("seed", range(30))
def test_what_comes_at_once_leaves_the_field_as_what_comes_one_by_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, problem = np.random.default_rng(seed), problem_of(seed, most_nodes=6)
    together, singly = Field(problem, farthest=60), Field(problem, farthest=60)
    arcs_at_once = counted(together, "_join_at_once", monkeypatch)
    nodes_at_once = counted(together, "_admit_at_once", monkeypatch)
    for _ in range(10):  # Until tables of every kind have moved, and some claim has a node of its own.
        claims, needs, offers = come(rng, together)
        together.admit(claims, needs, offers)
        for claim in claims.tolist():
            singly.add_claim(*claim)
        for claim, demand in needs.tolist():
            singly.add_need(claim, demand)
        for supply in offers.tolist():
            singly.add_offer(supply)
        assert state_of(together) == state_of(singly)
        count = int(rng.integers(1, 8))
        ends = rng.integers(0, together._offer_node.count, count), rng.integers(0, together._need_node.count, count)
        efforts, most = rng.integers(0, 60, count), rng.integers(0, 25, count)
        arcs = together.add_arcs(*ends, efforts, most)
        assert arcs == singly.add_arcs(*(values.tolist() for values in (*ends, efforts, most)))
        assert state_of(together) == state_of(singly)
        verify(together.copy())
    assert True in arcs_at_once
    assert True in nodes_at_once


@pytest.mark.parametrize(
    ("claims", "needs", "offers", "error"),
    [
        pytest.param([[4, 0, 1, 0]], [], [], BadProblem, id="a tier that there is not"),
        pytest.param([[0, 1, 0, 0]], [], [], BadProblem, id="no run"),
        pytest.param([], [[99, 1]], [], BadProblem, id="a claim that nobody knows"),
        pytest.param([], [[0, -1]], [], BadProblem, id="less than nothing wanted"),
        pytest.param([], [], [-1], BadProblem, id="less than nothing offered"),
        pytest.param([], [], [2**62], TooLarge, id="more than 64 bits hold together"),
    ],
)
def test_what_makes_no_sense_is_refused_as_one_by_one(
    claims: list[Any], needs: list[Any], offers: list[int], error: type[Exception]
) -> None:
    field, wholesome = Field(problem_of(2)), (np.array([[1, 0, 1, 0]]), np.array([[0, 3]]), np.array([5]))
    before = everything(field)
    for alone in (True, False):  # Beside what makes sense, none of which comes then.
        told = [
            np.array(values, dtype=np.int64).reshape(-1, *some.shape[1:])
            for values, some in zip((claims, needs, offers), wholesome, strict=True)
        ]
        with pytest.raises(error):
            field.admit(*(values if alone else np.concatenate((some, values)) for values, some in zip(told, wholesome, strict=True)))
        assert everything(field) == before


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        pytest.param((np.arange(1, 5), [], []), "a row of tier, rise, run, received", id="one claim that is no row"),
        pytest.param((np.arange(3), [], []), "shape (3,)", id="no whole claim"),
        pytest.param((np.ones((2, 2), dtype=np.int64), [], []), "shape (2, 2)", id="two claims of half the columns"),
        pytest.param(([], [[0, 1, 2]], []), "a row of claim, units", id="a need of three"),
        pytest.param(([], [], [[1, 2]]), "2-dimensional", id="offers in rows"),
        pytest.param(([], [], [0.5]), "fractions", id="half a unit"),
    ],
)
def test_what_comes_in_another_shape_is_refused_in_a_sentence(told: tuple[Any, ...], sentence: str) -> None:
    field = Field(problem_of(2))
    before = everything(field)
    with pytest.raises(BadProblem, match=re.escape(sentence)):
        field.admit(*told)
    assert everything(field) == before


@pytest.mark.parametrize("come", [(40, 40), (0, 40), (40, 0)])
@pytest.mark.parametrize("budget", [None, 10_000])
def test_so_many_that_a_step_could_not_weigh_enough_by_the_last_are_refused_before_the_first(
    come: tuple[int, int], budget: int | None
) -> None:
    """Refused is what would be one by one, and only that."""
    worth = Field(Problem.of([1, 1], [1, 1], [0], [0], [1_000])).worth
    levels = LARGEST_WORTH // (4 * worth)  # so that a step may weigh no more than it does now
    problem = Problem.of([1, 1], [1, 1], [0], [0], [1_000], staircase=([1, 1], [1, 1], levels))
    together, singly = Field(problem, budget=budget), Field(problem, budget=budget)
    before = everything(together)
    refused = False
    try:
        for _ in range(come[0]):
            singly.add_need(0, 1)
        for _ in range(come[1]):
            singly.add_offer(1)
    except TooLarge:
        refused = True
    assert refused == (min(come) > 0)
    told = np.zeros((0, 4)), np.tile([0, 1], (come[0], 1)), np.ones(come[1], dtype=np.int64)
    if refused:
        with pytest.raises(TooLarge):
            together.admit(*told)
        assert everything(together) == before
    else:
        together.admit(*told)
        assert state_of(together) == state_of(singly)


@pytest.mark.parametrize("arc", [(99, 0, 1, 1), (0, 99, 1, 1), (-1, 0, 1, 1), (0, 0, -1, 1), (0, 0, 1, -1)])
def test_arcs_told_in_arrays_are_refused_as_those_told_in_lists(arc: tuple[int, ...]) -> None:
    field = Field(problem_of(2))
    before = field.flow()
    with pytest.raises(BadProblem):
        field.add_arcs(*(np.array([value]) for value in arc))
    assert np.array_equal(field.flow(), before)


@pytest.mark.parametrize("seed", [seed for seed in range(18) if seed // 6 % 3 != 2])
def test_a_comparison_tells_what_of_a_flow_and_its_proof_is_another(seed: int) -> None:
    rng, problem = np.random.default_rng(seed), problem_of(seed, most_nodes=8)
    field, alive, before, ends_before = Field(problem), set(range(len(problem.offer))), None, []
    for _ in range(25):
        said = rng.random(field._offer_node.count) < 0.1, rng.random(field._need_node.count) < 0.1
        now = field.compare(before, *said)
        flow, proof, (offer, need) = field.flow(), field.proof(), field.ends()
        assert np.array_equal(now.flow, flow)
        assert all(map(np.array_equal, (now.offers, now.needs, now.claims), proof))
        at_stake, moved = [], []
        for arc in range(len(flow)):
            i, j = int(offer[arc]), int(need[arc])
            is_new = before is None or arc >= len(before.flow) or (i, j) != ends_before[arc]
            anew = said[0][i] or said[1][j]
            pressed = is_new or any(
                end >= len(last) or end_now[end] != last[end]
                for end, end_now, last in ((i, now.offers, before.offers), (j, now.needs, before.needs))
            )
            at_stake += [arc] * bool(flow[arc] > 0 or anew or pressed)
            moved += [arc] * bool(is_new or flow[arc] != before.flow[arc] or (anew and flow[arc] > 0))
        assert now.at_stake.tolist() == at_stake
        assert now.moved.tolist() == moved
        before, ends_before = now, list(zip(offer.tolist(), need.tolist(), strict=True))
        for _ in range(rng.integers(1, 4)):  # Positions are given away again between two comparisons.
            anything_happens(field, rng, alive)
    assert before is not None


def test_an_arc_at_the_position_of_one_that_went_is_new_and_moves_though_it_carries_as_much() -> None:
    field = Field(Problem.of([5, 5], [4, 4], [0], [0], [1]))
    nothing_said = np.zeros(2, dtype=bool), np.zeros(2, dtype=bool)
    before = field.compare(None, *nothing_said)
    field.remove_arc(0)
    assert field.add_arc(1, 1, 1) == 0
    now = field.compare(before, *nothing_said)
    assert (before.flow.tolist(), now.flow.tolist()) == ([4], [4])
    assert (now.at_stake.tolist(), now.moved.tolist()) == ([0], [0])
    assert (now.at_offer.tolist(), now.at_need.tolist()) == ([1], [1])
    assert field.compare(now, *nothing_said).moved.tolist() == []
    field.remove_arc(0)
    assert field.add_arc(1, 1, 1) == 0, "one with the same ends is the same to whoever asks"
    assert field.compare(now, *nothing_said).moved.tolist() == []


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        pytest.param(([], [False]), "of offers came float64 in the shape (0,)", id="nothing said of offers"),
        pytest.param(([False, False], np.zeros(0, dtype=bool)), "of needs came bool in the shape (0,)", id="too few needs"),
        pytest.param(([0, 1], [False]), "bool in (2,) is expected", id="numbers"),
        pytest.param(([[False, False]], [False]), "shape (1, 2)", id="in rows"),
    ],
)
def test_a_comparison_of_what_was_not_said_of_each_is_refused(said: Any, sentence: str) -> None:
    field = Field(Problem.of([5, 5], [4], [0, 1], [0, 0], [1, 2]))
    with pytest.raises(BadProblem, match=re.escape(sentence)):
        field.compare(None, *said)
    before = field.compare(None, [False, False], [False])  # type: ignore[arg-type]
    with pytest.raises(BadProblem, match="give it as it came"):
        field.compare(before._replace(at_need=before.at_need[:1]), [False, False], [False])  # type: ignore[arg-type]


FOLLOWING_COMPILES_NOTHING = """
from solver import prepare
prepare()
from solver.engine import following, kernel
from tests.support.desk import Desk
from tests.support.events import need, offer
from coordinator.planning import Planner

def compiled():
    names = [(module, name) for module in (following, kernel) for name in module.__all__]
    return {name: len(getattr(module, name).signatures) for module, name in names if hasattr(getattr(module, name), "signatures")}

before = compiled()
desk = Desk(fairness="portions")
desk.core.planner = planner = Planner(desk.core.network, desk.core.book, keep_pairs=0, keep_after=0)
here = {"place": {"lat": 1, "long": 1}}
for number in range(40):
    desk.take(offer(f"o{number}", 2, at=number, **here), need(f"n{number}", 1 + number % 3, at=number, **here))
    desk.cycle()
assert all(answer.kept is not None for answer in planner.solved.values())
assert compiled() == before, {name: (before[name], count) for name, count in compiled().items() if count != before[name]}
"""


def test_after_preparing_no_market_that_is_followed_compiles_anything() -> None:
    """In a process of its own: here others may have had it compiled."""
    command = [sys.executable, "-c", FOLLOWING_COMPILES_NOTHING]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
