"""Cells and what leads walkers: parts with nothing in common lose nothing, cuts keep the bound true, pressures may come from anywhere."""

from dataclasses import replace

import numpy as np
import pytest

from solver.engine.making_lp import Relaxed, relax
from solver.errors import EngineFault
from solver.making import ProductionProblem, broken_rules, coverage_of, plan_making, worth_of_plan
from solver.making.cells import cells_of, part_of, variables
from solver.making.guiding import guide_of, led_by
from solver.making.problem import LARGEST
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


@pytest.mark.parametrize("seed", range(3))
def test_parts_at_the_same_places_do_not_take_each_others_pressures(seed: int) -> None:
    both = side_by_side(reference(places=10, demand=6, seed=seed).problem)
    apart = plan_making(both)
    recipes, things = both.recipes, both.things
    twice = {f"{name}_{what}": np.tile(getattr(both, f"{name}_{what}"), 2) for name in ("output", "input") for what in ("thing", "units")}
    for name in ("output", "input"):
        start = getattr(both, f"{name}_start")
        twice[f"{name}_start"] = np.concatenate((start, start[1:] + start[-1]))
        twice[f"{name}_thing"][start[-1] :] += things
    twice |= {name: np.tile(getattr(both, name), 2) for name in ("yield_good", "yield_of", "batch_least", "batch_multiple", "load")}
    for name, count in (("activity_recipe", recipes), ("stock_thing", things), ("need_thing", things)):
        twice[name] = getattr(both, name).copy()
        twice[name][len(twice[name]) // 2 :] += count
    ways = len(both.arc_from) // 2
    twice |= {name: getattr(both, name)[:ways] for name in ("arc_from", "arc_to", "arc_effort", "arc_lead")}
    for name in ("activity_place", "pool_place", "stock_place", "need_place"):
        twice[name] = np.tile(np.split(getattr(both, name), 2)[0], 2)
    together = replace(both, places=both.places // 2, things=2 * things, **twice)
    plan = plan_making(together)
    assert guide_of(together).cells == guide_of(both).cells
    assert broken_rules(together, plan) == []
    assert (plan.bound, worth_of_plan(together, plan)) == (apart.bound, worth_of_plan(both, apart))


@pytest.mark.parametrize("shape", [{"demand": 1}, {"demand": 8}, {"demand": 3, "buckets": 4, "batches": True}])
def test_a_network_of_any_size_is_planned_in_cells_within_a_bound_that_is_never_beaten(shape: dict[str, int]) -> None:
    problem = reference(places=40, **shape).problem
    most = variables(problem) // 2
    cells = cells_of(problem, most)
    assert len(cells) > 1
    assert all(variables(part_of(problem, cell)) <= most for cell in cells)
    for at, cell in enumerate(cells):  # What an earlier cell speaks for is decided.
        assert not any(earlier.own[cell.places].any() for earlier in cells[:at])
    spoken_for = sum(cell.own.astype(int) for cell in cells)
    assert spoken_for.max() == 1
    assert all(spoken_for[problem.need_place[cell.needs[cell.own[problem.need_place[cell.needs]]]]].all() for cell in cells)
    plan, best = plan_making(problem, guide_of(problem, most=most)), plan_making(problem)
    assert broken_rules(problem, plan) == []
    assert plan.bound >= worth_of_plan(problem, best)
    assert worth_of_plan(problem, plan) >= 0.97 * worth_of_plan(problem, best)


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_what_cells_say_of_the_ways_between_them_can_be_done_together(parts: int) -> None:
    places = 20
    ways = [(start, start + step, 1, 0) for step in (1, -1) for start in range(places) if 0 <= start + step < places]
    problem = ProductionProblem.of(
        places=places, things=1, stock=[(0, 0, 0, 50), (0, places - 1, 0, 50)], arcs=ways,
        needs=[(0, place, 5, 0, 0, 0) for place in range(places)], worth=[100 + place for place in range(places)],
    )  # fmt: skip
    guide = guide_of(problem, most=variables(problem) // parts)
    assert guide.cells >= parts
    left = np.bincount(problem.stock_place, guide.trails.lot, places) - np.bincount(problem.need_place, guide.wanted[:, 0], places)
    moved = guide.trails.move[:, 0, 0]
    left += np.bincount(problem.arc_to, moved, places) - np.bincount(problem.arc_from, moved, places)
    assert left.min() >= -1e-6  # Nothing leaves that does not come.
    plan = plan_making(problem, guide)
    assert broken_rules(problem, plan) == []
    assert worth_of_plan(problem, plan) >= 0.98 * worth_of_plan(problem, plan_making(problem))


def test_the_same_question_has_the_same_guide() -> None:
    problem = reference(places=20, demand=4).problem
    one, other = (guide_of(problem, most=4_000) for _ in range(2))
    assert np.array_equal(one.pressures.thing, other.pressures.thing)
    assert np.array_equal(one.trails.run, other.trails.run)


def test_a_cell_whose_engine_fails_is_told_and_walked_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = reference(places=10, demand=2).problem

    def fails(*_: object, **__: object) -> None:
        raise EngineFault("it ended without an optimum")

    monkeypatch.setattr("solver.engine.making_lp.relax", fails)
    guide = guide_of(problem)
    plan = plan_making(problem, guide)
    assert guide.without == ("it ended without an optimum",)
    assert broken_rules(problem, plan) == []
    assert worth_of_plan(problem, plan) > 0


def test_a_cell_that_what_was_decided_of_its_ways_makes_too_large_is_planned_without_that() -> None:
    ways = [(start, start + step, 1, 0) for step in (1, -1) for start in range(6) if 0 <= start + step < 6]
    problem = ProductionProblem.of(
        places=6, things=2, outputs=[[(1, 1)]], inputs=[[(0, 1_000)]], activities=[(0, 2)], uses=[[]],
        stock=[(0, 3, 0, 10_005)], arcs=ways,
        # The first cell decides that 10 000 come from the place of the others; these ask for nearly as much as can be counted.
        needs=[(1, 2, 10, 0, 0, 0), (0, 3, 5, 0, 0, 0), (0, 3, LARGEST - 5_000, 0, 0, 0)], worth=[10**6, 500, 0],
    )  # fmt: skip
    guide = guide_of(problem, most=variables(problem) // 2)
    assert guide.trails.move.sum() == pytest.approx(10_000)
    assert (guide.without, guide.wanted[:2, 0].tolist()) == ((), [10, 5])
    plan = plan_making(problem, guide)
    assert (broken_rules(problem, plan), coverage_of(problem, plan).tolist()) == ([], [10, 5, 0])


def test_the_last_bits_of_an_engine_do_not_decide_what_the_next_cell_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = reference(places=20, demand=4).problem

    def asked_with(noise: float) -> list[list[float]]:
        rows: list[list[float]] = []

        def noisy(part: ProductionProblem, lot_effort: np.ndarray, *, engine: str) -> Relaxed:
            rows.append([*part.stock_units, *lot_effort, *part.need_units, *part.need_worth])
            said = relax(part, lot_effort, engine=engine)
            # Halves are where moves turn to the next whole number, and multiples of twenty where pressures do.
            moves, pressures = np.rint(2 * said.moves) / 2, 20 * np.rint(said.thing_dual / 20)
            return replace(said, moves=moves + noise, thing_dual=pressures + noise, covered=np.rint(2 * said.covered) / 2 + noise)

        monkeypatch.setattr("solver.engine.making_lp.relax", noisy)
        guide = guide_of(problem, most=4_000)
        assert guide.cells > 1
        return [*rows, *guide.wanted.tolist()]

    assert asked_with(-1e-9) == asked_with(1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_pressures_lead_the_plan_passes_and_the_bound_holds(seed: int) -> None:
    problem, draw = reference(places=12, demand=4, buckets=2, seed=seed).problem, Draw(seed)
    thing = np.array([draw.below(3_000) for _ in range(problem.things * problem.places * 2)], dtype=float)
    thing[thing < 300] = np.nan
    pool = np.array([draw.below(40) for _ in range(problem.pool_grains.size)], dtype=float).reshape(problem.pool_grains.shape)
    plan = plan_making(problem, led_by(problem, thing.reshape(problem.things, problem.places, 2), pool))
    assert broken_rules(problem, plan) == []
    assert plan.bound >= worth_of_plan(problem, plan_making(problem))
