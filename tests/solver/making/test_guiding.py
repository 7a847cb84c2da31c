"""Cells and what leads walkers: parts with nothing in common lose nothing, cuts keep the bound true, pressures may come from anywhere."""

from dataclasses import replace

import numpy as np
import pytest

from solver.errors import EngineFault
from solver.making import ProductionProblem, broken_rules, plan_making, worth_of_plan
from solver.making.cells import cells_of, part_of, variables
from solver.making.guiding import guide_of, led_by
from solver.making.reference import Draw, reference


def side_by_side(one: ProductionProblem) -> ProductionProblem:
    """The same network twice, with nothing between the two."""
    twice = {"places": one.places * 2}
    shifts = {"place": one.places, "from": one.places, "to": one.places, "pool": len(one.pool_place)}
    for name in one.__slots__:
        array = getattr(one, name)
        if not isinstance(array, np.ndarray) or name.startswith(("output", "input", "yield", "batch")) or name == "load":
            continue
        last = name.rpartition("_")[2]
        shift = shifts.get(last, 0)
        twice[name] = np.concatenate((array, array[1:] + array[-1])) if last == "start" else np.concatenate((array, array + shift))
    return replace(one, **twice)


@pytest.mark.parametrize("seed", range(3))
def test_what_has_nothing_in_common_is_planned_apart_without_loss(seed: int) -> None:
    one = reference(places=10, demand=6, seed=seed).problem
    both = side_by_side(one)
    whole = guide_of(both)
    assert whole.cells == 2 * guide_of(one).cells
    plan, alone = plan_making(both, whole), plan_making(one)
    assert broken_rules(both, plan) == []
    assert plan.bound == pytest.approx(2 * alone.bound, abs=1)  # each is rounded up
    assert worth_of_plan(both, plan) == 2 * worth_of_plan(one, alone)


@pytest.mark.parametrize("shape", [{"demand": 1}, {"demand": 8}, {"demand": 3, "buckets": 4, "batches": True}])
def test_a_network_of_any_size_is_planned_in_cells_within_a_bound_that_is_never_beaten(shape: dict[str, int]) -> None:
    problem = reference(places=40, **shape).problem
    most = variables(problem) // 2
    cells = cells_of(problem, most)
    assert len(cells) > 1
    assert all(variables(part_of(problem, cell)) <= most for cell in cells)
    spoken_for = sum(cell.own.astype(int) for cell in cells)
    assert spoken_for.max() == 1
    assert all(spoken_for[problem.need_place[cell.needs[cell.own[problem.need_place[cell.needs]]]]].all() for cell in cells)
    plan, best = plan_making(problem, guide_of(problem, most=most)), plan_making(problem)
    assert broken_rules(problem, plan) == []
    assert plan.bound >= worth_of_plan(problem, best)
    assert worth_of_plan(problem, plan) >= 0.9 * worth_of_plan(problem, best)


def test_the_same_question_has_the_same_guide() -> None:
    problem = reference(places=20, demand=4).problem
    one, other = (guide_of(problem, most=8_000) for _ in range(2))
    assert np.array_equal(one.pressures.thing, other.pressures.thing)
    assert np.array_equal(one.trails.run, other.trails.run)


def test_a_cell_whose_engine_fails_is_told_and_walked_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = reference(places=10, demand=2).problem

    def fails(*_: object) -> None:
        raise EngineFault("it ended without an optimum")

    monkeypatch.setattr("solver.engine.making_lp.relax", fails)
    guide = guide_of(problem)
    plan = plan_making(problem, guide)
    assert guide.without == ("it ended without an optimum",)
    assert broken_rules(problem, plan) == []
    assert worth_of_plan(problem, plan) > 0


@pytest.mark.parametrize("seed", range(4))
def test_whatever_pressures_lead_the_plan_passes_and_the_bound_holds(seed: int) -> None:
    problem, draw = reference(places=12, demand=4, buckets=2, seed=seed).problem, Draw(seed)
    thing = np.array([draw.below(3_000) for _ in range(problem.things * problem.places * 2)], dtype=float)
    thing[thing < 300] = np.nan
    pool = np.array([draw.below(40) for _ in range(problem.pool_grains.size)], dtype=float).reshape(problem.pool_grains.shape)
    plan = plan_making(problem, led_by(problem, thing.reshape(problem.things, problem.places, 2), pool))
    assert broken_rules(problem, plan) == []
    assert plan.bound >= worth_of_plan(problem, plan_making(problem))
