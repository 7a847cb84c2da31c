"""Instances nobody here wrote: the engines find the known optima of the relief data, and the OR-Library's transport costs with HiGHS."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_array, vstack

from solver import Allocation, Arcs, DenseCandidates, Field, Gap, Problem, broken_rules, solve, solve_on_demand
from solver.engine.own import kernel_solve
from solver.fairness import worth_of

ITEMS = (
    *("disinfectingWipes", "disposableBooties", "faceShields", "gowns", "handSanitizer", "handmadeMasks"),
    *("nitrileGloves", "respirators", "surgicalMasks"),
)
SITES = [f"p{number:02}" for number in (1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22, 23)]
PARTS = 10_000  # of one unit of cost


def proven(problem: Problem) -> np.ndarray:
    """Return our engine's flow once its certificate has been checked."""
    worth = worth_of(problem)
    flow, pressures = kernel_solve(problem, worth)
    assert broken_rules(problem, Allocation(flow, *pressures, worth, Gap(0, 0, 0), flow)) == []
    return flow


# --- the relief data of 2020 ---


@pytest.fixture(scope="session")
def miles(real_data: Path) -> dict[str, dict[str, int]]:
    """Miles by donor and recipient."""
    found: dict[str, dict[str, int]] = {}
    with gzip.open(real_data / "ppe-match" / "distances.csv.gz", "rt") as given:
        next(given)
        for donor, recipient, distance in csv.reader(given):
            found.setdefault(donor, {})[recipient] = int(distance)
    return found


def quantities(file: Path, item: str, most: int) -> dict[str, int]:
    """Return the units of an item by who offers or asks for them; those above ``most`` are left out, as in the known optimum."""
    found: dict[str, int] = {}
    for who, _, ppe, quantity in list(csv.reader(file.open()))[1:]:
        if ppe == item and float(quantity) <= most:
            found[who] = found.get(who, 0) + round(float(quantity))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("item", ITEMS)
def test_the_relief_data_is_shipped_at_the_known_optimum(item, miles, real_data):
    folder = real_data / "ppe-match"
    [known] = [row for row in csv.DictReader((folder / "static-optimum.csv").open()) if row["ppe"] == item]
    donors, recipients = quantities(folder / "donors.csv", item, 1_000), quantities(folder / "recipients.csv", item, 1_000_000)
    position = {recipient: number for number, recipient in enumerate(recipients)}
    arcs = [
        (number, position[recipient], distance)
        for number, donor in enumerate(donors)
        for recipient, distance in miles[donor].items()
        if recipient in position
    ]
    problem = Problem.of(list(donors.values()), list(recipients.values()), *np.array(arcs).T)
    nodes = Problem.of(problem.supply, problem.demand)
    candidates = DenseCandidates(Arcs(*(getattr(problem, name) for name in ("offer", "need", "effort", "most", "minimum", "kept"))))
    few, allocation = solve_on_demand(nodes, candidates)
    flow = proven(problem)
    shipped = (float(known["max_shipped"]), float(known["min_unit_miles_at_max"]))
    assert (flow.sum(), (flow * problem.effort).sum()) == shipped
    assert (allocation.flow.sum(), (allocation.flow * few.effort).sum()) == shipped


# --- the OR-Library's facility location, with the openings fixed ---


def read_sites(file: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the capacities (I,), the demands (J,) and the costs (J, I) of one unit in `PARTS`."""
    numbers = np.array(file.read_text().split(), dtype=float)
    sites, customers = int(numbers[0]), int(numbers[1])
    capacity, _, demand, cost = np.split(numbers[2:], np.cumsum([sites, sites, customers]))
    by_unit = cost.reshape(customers, sites) / demand[:, np.newaxis]
    return capacity.astype(np.int64), demand.astype(np.int64), np.rint(by_unit * PARTS).astype(np.int64)


def cheapest_by_highs(problem: Problem, units: int) -> float:
    """Return the least cost at which so many units can move."""
    each, ones = np.arange(len(problem.offer)), np.ones(len(problem.offer))
    out_of, into = csr_array((ones, (problem.offer, each))), csr_array((ones, (problem.need, each)))
    found = linprog(
        problem.effort,
        A_ub=vstack([out_of, into], format="csr"),
        b_ub=np.concatenate([problem.supply, problem.demand]),
        A_eq=csr_array(ones.reshape(1, -1)),
        b_eq=[units],
        method="highs",
    )
    assert found.status == 0
    return float(found.fun)


@pytest.mark.parametrize("name", SITES)
def test_transport_between_fixed_openings_costs_what_highs_finds(name, real_data):
    """All sites open, then half of them, then so few that not everybody can be served."""
    capacity, demand, cost = read_sites(real_data / "orlib-sscflp" / f"{name}.txt")
    draw = np.random.default_rng(int(name[1:]))
    few = max(1, int(0.7 * demand.sum() / capacity.max()))
    for opened in (len(capacity), len(capacity) // 2, few):
        sites = np.sort(draw.permutation(len(capacity))[:opened])
        offer, need = np.divmod(np.arange(opened * len(demand)), len(demand))
        problem = Problem.of(capacity[sites], demand, offer, need, cost[need, sites[offer]])
        units = int(min(capacity[sites].sum(), demand.sum()))
        flow, theirs = proven(problem), solve(problem).flow
        assert flow.sum() == theirs.sum() == units
        assert (flow * problem.effort).sum() == (theirs * problem.effort).sum()
        assert (flow * problem.effort).sum() == pytest.approx(cheapest_by_highs(problem, units), rel=1e-9)


@pytest.mark.parametrize("name", SITES[:4])
def test_sites_that_close_one_after_another_leave_the_optimum_of_those_still_open(name, real_data):
    capacity, demand, cost = read_sites(real_data / "orlib-sscflp" / f"{name}.txt")
    offer, need = np.divmod(np.arange(len(capacity) * len(demand)), len(demand))
    problem = Problem.of(capacity, demand, offer, need, cost[need, offer])
    field = Field(problem)
    for site in np.random.default_rng(int(name[1:])).permutation(len(capacity))[:-1].tolist():
        field.offer_changes(site, -int(capacity[site]))
        now, flow = field.problem(), field.flow()
        assert flow.sum() == min(now.supply.sum(), demand.sum())
        assert (flow * problem.effort).sum() == pytest.approx(cheapest_by_highs(now, int(flow.sum())), rel=1e-9)
