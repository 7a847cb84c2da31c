"""The kernel's optimum against brute force, another solver, and the certificate."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from solver import Allocation, Gap, Problem, TooLarge, broken_rules, solve, staircase, total_urgency
from solver.engine import SMALL
from solver.engine.own import kernel_solve
from solver.engine.stock import best_flow
from solver.fairness import worth_of
from solver.pressure import least_pressures
from tests.solver.engine.instances import problem_of


def value(problem: Problem, flow: np.ndarray) -> tuple[int, int]:
    return total_urgency(problem, flow), -sum((problem.effort * flow).tolist())


def proven(problem: Problem) -> np.ndarray:
    """Return the kernel's flow after its certificate has been checked."""
    worth = worth_of(problem)
    flow, pressures = kernel_solve(problem, worth)
    assert broken_rules(problem, Allocation(flow, *pressures, worth, Gap(0, 0, 0), flow)) == []
    return flow


@pytest.mark.parametrize("seed", range(150))
def test_the_flow_is_as_good_as_another_solvers_and_its_pressures_prove_it(seed: int) -> None:
    problem = problem_of(seed)
    assert value(problem, proven(problem)) == value(problem, best_flow(problem, worth_of(problem)))


@pytest.mark.parametrize("seed", range(60))
def test_the_pressures_are_the_least_there_are(seed: int) -> None:
    problem = problem_of(seed)
    if problem.hysteresis and not problem.demand.all():
        return  # Where nothing can come or go, kept parts leave no pressure of 0; each side sets its own.
    worth = worth_of(problem)
    flow, pressures = kernel_solve(problem, worth)
    for ours, rising in zip(pressures, least_pressures(problem, flow, worth), strict=True):
        assert np.array_equal(ours, rising)


def every_flow(problem: Problem) -> list[np.ndarray]:
    room = np.minimum(np.minimum(problem.supply[problem.offer], problem.demand[problem.need]), problem.most)
    flows = []
    for units in itertools.product(*(range(int(most) + 1) for most in room)):
        flow = np.array(units, dtype=np.int64)
        given = np.bincount(problem.offer, weights=flow, minlength=len(problem.supply))
        taken = np.bincount(problem.need, weights=flow, minlength=len(problem.demand))
        if (given <= problem.supply).all() and (taken <= problem.demand).all():
            flows.append(flow)
    return flows


@pytest.mark.parametrize("seed", range(40))
def test_no_flow_at_all_is_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    problem = Problem.of(
        rng.integers(0, 4, 2),
        rng.integers(0, 4, 3),
        [0, 0, 1, 1, 1],
        [0, 1, 0, 1, 2],
        rng.integers(0, 9, 5),
        claim=[0, 0, 1] if seed % 2 else None,
        tier=rng.integers(0, 4, 2 if seed % 2 else 3),
        staircase=staircase("portions", 2, 1, np.zeros(2 if seed % 2 else 3), 3),
        kept=rng.integers(0, 2, 5),
        hysteresis=seed % 3,
    )
    assert value(problem, proven(problem)) == max(value(problem, flow) for flow in every_flow(problem))


@pytest.mark.parametrize("rule", ["off", "portions"])
@pytest.mark.parametrize("load", [0.9, 1.3])
def test_a_network_of_some_size_is_solved_as_well(rule: str, load: float) -> None:
    rng = np.random.default_rng(7)
    count = 400
    distance = np.abs(rng.random((count, 1)) - rng.random((1, count)))
    nearest = np.argsort(distance, axis=0)[:8]
    need = np.tile(np.arange(count), 8)
    effort = (distance[nearest.ravel(), need] * 10_000).astype(np.int64)
    demand = (rng.integers(1, 101, count) * load).astype(np.int64)
    steps = staircase("portions", 10, 1, demand, 50) if rule == "portions" else None
    problem = Problem.of(
        rng.integers(1, 101, count), demand, nearest.ravel(), need, effort, tier=rng.integers(0, 4, count), staircase=steps
    )
    assert value(problem, proven(problem)) == value(problem, best_flow(problem, worth_of(problem)))


def test_the_same_arrays_give_the_same_flow() -> None:
    problem = problem_of(11)
    assert np.array_equal(kernel_solve(problem, worth_of(problem))[0], kernel_solve(problem, worth_of(problem))[0])


def test_a_problem_without_arcs_or_anything_is_answered() -> None:
    for problem in (Problem.of([], []), Problem.of([3], [4]), Problem.of([0], [0], [0], [0], [1])):
        assert proven(problem).sum() == 0


def test_what_does_not_fit_into_64_bits_is_refused() -> None:
    problem = Problem.of([1], [1], [0], [0], [2**57])
    with pytest.raises(TooLarge, match="coarser unit"):
        kernel_solve(problem, worth_of(problem))


def test_importing_the_solver_compiles_nothing() -> None:
    seen = subprocess.run(
        [sys.executable, "-c", "import sys, solver, solver.field; print('numba' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout.strip() == "False"


@pytest.mark.parametrize("arcs", [SMALL - 1, SMALL])
def test_whichever_engine_a_problem_goes_to_finds_what_the_other_would(arcs: int) -> None:
    rng = np.random.default_rng(arcs)
    count = 300
    pairs = rng.permutation(count * count)[:arcs]
    problem = Problem.of(
        rng.integers(1, 101, count),
        rng.integers(1, 101, count),
        pairs // count,
        pairs % count,
        rng.integers(0, 1_000, arcs),
        tier=rng.integers(0, 4, count),
        staircase=(np.ones(count), np.full(count, 10), 30),
    )
    worth, answer = worth_of(problem), solve(problem)
    assert broken_rules(problem, answer) == []
    assert value(problem, answer.flow) == value(problem, best_flow(problem, worth)) == value(problem, kernel_solve(problem, worth)[0])
