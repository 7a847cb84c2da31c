"""Random small questions, and all answers there are to one."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from solver import Problem, staircase

__all__ = ["feasible_flows", "random_problem", "without_pinned"]


def random_problem(
    seed: int,
    *,
    offers: int = 2,
    needs: int = 3,
    units: int = 3,
    rule: str = "portions",
    hysteresis: int = 0,
    minimum: int = 0,
    density: float = 0.8,
    farthest: int = 9,
    levels: int = 4,
) -> Problem:
    """Return a problem with claims shared by needs, four tiers, things received before and pairs that may not carry all."""
    draw = np.random.default_rng(seed)
    offer, need = np.nonzero(draw.random((offers, needs)) < density)
    arcs, claims = len(offer), int(draw.integers(1, needs + 1))
    claim = np.concatenate((np.arange(claims), draw.integers(0, claims, needs - claims)))
    demand = draw.integers(0, units + 1, needs)
    asked = np.zeros(claims, dtype=np.int64)
    np.add.at(asked, claim, demand)
    stairs = staircase(rule, int(draw.integers(1, 4)), int(draw.integers(1, 3)), asked, levels)  # type: ignore[arg-type]
    return Problem.of(
        draw.integers(0, units + 1, offers),
        demand,
        offer,
        need,
        draw.integers(0, farthest + 1, arcs),
        claim=claim,
        tier=draw.integers(0, 4, claims),
        received=draw.integers(0, 4, claims),
        staircase=stairs,
        most=np.where(draw.random(arcs) < 0.3, draw.integers(0, 3, arcs), 10 * units),
        minimum=draw.integers(0, minimum + 1, arcs),
        kept=draw.integers(0, 3, arcs) if hysteresis else None,
        hysteresis=hysteresis,
    )


def feasible_flows(problem: Problem) -> Iterator[tuple[int, ...]]:
    """Yield every flow there is."""
    most = np.minimum(np.minimum(problem.supply[problem.offer], problem.demand[problem.need]), problem.most)
    offer, need = problem.offer.tolist(), problem.need.tolist()
    for flow in product(*(range(units + 1) for units in most.tolist())):
        left, unmet = problem.supply.tolist(), problem.demand.tolist()
        for arc, units in enumerate(flow):
            left[offer[arc]] -= units
            unmet[need[arc]] -= units
        if min(left, default=0) >= 0 and min(unmet, default=0) >= 0:
            yield flow


def without_pinned(problem: Problem, pinned: np.ndarray) -> Problem:
    """Return the problem that is left to decide once the pinned units have gone where they are pinned."""
    supply, demand, received = problem.supply.copy(), problem.demand.copy(), problem.received.copy()
    np.subtract.at(supply, problem.offer, pinned)
    np.subtract.at(demand, problem.need, pinned)
    np.add.at(received, problem.claim[problem.need], pinned)
    kept = np.maximum(0, problem.kept - pinned)
    return replace(problem, supply=supply, demand=demand, received=received, most=problem.most - pinned, kept=kept)
