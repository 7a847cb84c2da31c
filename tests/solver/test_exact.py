"""What the solver answers is what the definition says, on networks small enough to count everything out."""

import os
import subprocess
import sys
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest

from solver import Problem, broken_rules, solve, staircase, total_urgency
from tests.support.processes import ROOT


def by_definition(rule, portion, unit, levels, problem, asked, flow):
    """Return (total urgency, effort) as the pages define them, unit by unit."""
    covered = [0] * len(problem.tier)
    for arc, units in enumerate(flow):
        covered[problem.claim[problem.need[arc]]] += units
    urgency = 0
    for claim, units in enumerate(covered):
        for q in range(1, units + 1):
            before = int(problem.received[claim]) + q - 1
            level = {"off": 0, "portions": before * unit // portion, "ratio": levels * before // max(asked[claim], 1)}[rule]
            height = 1 if rule == "off" else levels
            urgency += height * (3 - int(problem.tier[claim])) + height - min(height - 1, level)
    return urgency, sum(units * int(effort) for units, effort in zip(flow, problem.effort, strict=True))


@pytest.mark.parametrize("rule", ["off", "portions", "ratio"])
@pytest.mark.parametrize("seed", range(40))
def test_the_answer_is_the_most_urgent_then_the_least_effort(rule, seed, draw_problem, every_flow):
    problem = draw_problem(seed, rule="off", needs=3 if seed % 2 else 4, units=3 if seed % 2 else 2)
    draw = np.random.default_rng(seed + 1000)
    portion, unit, levels = int(draw.integers(1, 6)), int(draw.integers(1, 4)), int(draw.integers(2, 6))
    asked = np.zeros(len(problem.tier), dtype=np.int64)
    np.add.at(asked, problem.claim, problem.demand)
    rise, run, height = staircase(rule, portion, unit, asked, levels)
    problem = replace(problem, rise=rise, run=run, levels=height)

    def worth(flow):
        urgency, effort = by_definition(rule, portion, unit, levels, problem, asked.tolist(), flow)
        return urgency, -effort

    allocation = solve(problem)
    assert worth(allocation.flow.tolist()) == max(map(worth, every_flow(problem)))
    assert total_urgency(problem, allocation.flow) == worth(allocation.flow.tolist())[0]
    assert broken_rules(problem, allocation) == []


@pytest.mark.parametrize("hysteresis", [0, 1, 7])
@pytest.mark.parametrize("seed", range(30))
def test_no_tier_gives_way_to_a_later_one(hysteresis, seed, draw_problem, every_flow):
    problem = draw_problem(seed, rule="ratio", hysteresis=hysteresis)

    def by_tier(flow):
        return [sum(np.asarray(flow)[problem.tier[problem.claim[problem.need]] == tier]) for tier in range(4)]

    assert by_tier(solve(problem).flow) == max(by_tier(flow) for flow in every_flow(problem))


@pytest.mark.parametrize("seed", range(30))
def test_what_is_kept_counts_its_levels(seed, draw_problem, every_flow):
    problem = draw_problem(seed, rule="portions", hysteresis=2)

    def worth(flow):
        units = np.asarray(flow, dtype=np.int64)
        return total_urgency(problem, units), -int((units * problem.effort).sum())

    allocation = solve(problem)
    assert worth(allocation.flow) == max(map(worth, every_flow(problem)))
    assert broken_rules(problem, allocation) == []


@pytest.mark.parametrize(
    ("hysteresis", "least", "most"),
    [
        pytest.param(0, 4, 4, id="fairness moves half"),
        pytest.param(3, 1, 3, id="only units that gain more than three levels"),
        pytest.param(9, 0, 0, id="none gains nine"),
    ],
)
def test_kept_units_move_only_for_more_levels(hysteresis, least, most):
    """One offer of 8 keeps 8 at the first need; a second need arrives: an even share would move 4."""
    stairs = staircase("ratio", 1, 1, np.array([8, 8]), 8)
    problem = Problem.of([8], [8, 8], [0, 0], [0, 1], [5, 5], staircase=stairs, kept=[8, 0], hysteresis=hysteresis)
    flow = solve(problem).flow
    assert flow.sum() == 8
    assert least <= flow[1] <= most


def test_what_was_received_before_counts():
    stairs = staircase("portions", 10, 1, np.array([30, 30]), 100)
    problem = Problem.of([20], [30, 30], [0, 0], [0, 1], [1, 50], received=[20, 0], staircase=stairs)
    assert solve(problem).flow.tolist() == [0, 20]


@pytest.mark.parametrize(
    ("supply", "demand", "arcs"),
    [
        pytest.param([], [], ([], [], []), id="nothing at all"),
        pytest.param([], [5], ([], [], []), id="no offer"),
        pytest.param([5], [], ([], [], []), id="no need"),
        pytest.param([5], [5], ([], [], []), id="no arc"),
        pytest.param([0], [5], ([0], [0], [1]), id="an empty offer"),
        pytest.param([5], [0], ([0], [0], [1]), id="a need of nothing"),
    ],
)
@pytest.mark.parametrize("rule", ["off", "portions"])
def test_empty_questions_are_answered(supply, demand, arcs, rule):
    problem = Problem.of(supply, demand, *arcs, staircase=staircase(rule, 2, 1, np.asarray(demand, dtype=np.int64), 3))
    allocation = solve(problem)
    assert allocation.flow.sum() == 0
    assert broken_rules(problem, allocation) == []


def networkx_optimum(problem: Problem, worth: int) -> int:
    """Return the greatest worth less effort, by network simplex over one edge a level."""
    graph = nx.MultiDiGraph()
    graph.add_node("end", demand=int(problem.supply.sum()))
    for offer, units in enumerate(problem.supply.tolist()):
        graph.add_node(("offer", offer), demand=-units)
        graph.add_edge(("offer", offer), "end", capacity=units, weight=0)
    for arc in range(len(problem.offer)):
        ends = ("offer", int(problem.offer[arc])), ("need", int(problem.need[arc]))
        graph.add_edge(*ends, capacity=int(problem.most[arc]), weight=int(problem.effort[arc]))
    for need, units in enumerate(problem.demand.tolist()):
        graph.add_edge(("need", need), ("claim", int(problem.claim[need])), capacity=units, weight=0)
    for claim in range(len(problem.tier)):
        for q in range(int(problem.demand[problem.claim == claim].sum())):
            climbed = (int(problem.received[claim]) + q) * int(problem.rise[claim]) // int(problem.run[claim])
            urgency = problem.levels * (3 - int(problem.tier[claim])) + problem.levels - min(problem.levels - 1, climbed)
            graph.add_edge(("claim", claim), "end", capacity=1, weight=-worth * urgency)
    cost, _ = nx.network_simplex(graph)
    return -int(cost)


@pytest.mark.parametrize("rule", ["off", "portions", "ratio"])
@pytest.mark.parametrize("seed", range(4))
def test_network_simplex_finds_the_same_worth(rule, seed, draw_problem):
    problem = draw_problem(seed, rule=rule, offers=15, needs=30, units=20, density=0.3, farthest=300, levels=20)
    allocation = solve(problem)
    found = allocation.worth * total_urgency(problem, allocation.flow) - int((allocation.flow * problem.effort).sum())
    assert found == networkx_optimum(problem, allocation.worth)
    assert broken_rules(problem, allocation) == []


@pytest.mark.parametrize("seed", range(10))
def test_the_order_of_offers_needs_and_arcs_does_not_matter(seed, draw_problem):
    problem = draw_problem(seed, rule="portions", offers=8, needs=12, units=9, hysteresis=seed % 3)
    draw = np.random.default_rng(seed)
    offers, needs, arcs = (draw.permutation(len(part)) for part in (problem.supply, problem.demand, problem.offer))
    names = ("effort", "most", "minimum", "kept")
    shuffled = replace(
        problem,
        supply=problem.supply[offers],
        demand=problem.demand[needs],
        claim=problem.claim[needs],
        offer=np.argsort(offers)[problem.offer][arcs],
        need=np.argsort(needs)[problem.need][arcs],
        **{name: getattr(problem, name)[arcs] for name in names},
    )
    one, other = solve(problem), solve(shuffled)
    assert total_urgency(problem, one.flow) == total_urgency(shuffled, other.flow)
    assert (one.flow * problem.effort).sum() == (other.flow * shuffled.effort).sum()
    assert one.offer_pressure[offers].tolist() == other.offer_pressure.tolist()


def test_the_same_arrays_give_the_same_flow(draw_problem):
    problem = draw_problem(3, offers=20, needs=40, units=9, farthest=2)
    assert solve(problem).flow.tolist() == solve(problem).flow.tolist()


IN_A_PROCESS_OF_ITS_OWN = """
import sys
from hashlib import sha256
from solver import solve
from solver.engine import SMALL
from tests.solver.drawing import random_problem

problem = random_problem(3, offers=70, needs=120, units=9, farthest=2)  # Efforts tie nearly everywhere.
assert len(problem.offer) >= SMALL
answer = solve(problem)
assert "numba" in sys.modules and "ortools" not in sys.modules
arrays = (answer.flow, answer.offer_pressure, answer.need_pressure, answer.claim_pressure)
print(*(sha256(array.tobytes()).hexdigest() for array in arrays))
"""


def test_the_same_arrays_give_the_same_flow_and_pressures_of_our_own_kernel_in_every_process():
    def said(seed):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", IN_A_PROCESS_OF_ITS_OWN]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=True).stdout

    assert said("1") == said("2") != ""


def test_importing_the_solver_loads_no_engine():
    code = "import solver, sys; sys.exit(any(name.split('.')[0] in ('ortools', 'numba', 'scipy') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
