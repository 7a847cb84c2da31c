"""Instances of any size for the solver's benchmarks: offers and needs on a plane, everywhere tight or in towns."""

from typing import Literal

import numpy as np
from scipy.spatial import cKDTree

from solver import Problem

__all__ = ["NEAREST", "Plane", "plane"]

Plane = Literal["uniform", "towns"]

NEAREST = 10  # offers each need can reach
SIDE_M = 1_000_000
TOWN_M = 5_000
LOAD = 0.95  # needed units for each offered one
LEVELS = 100
PORTION = 10  # units


def plane(instance: Plane, arcs: int, *, fair: bool = False, seed: int = 1) -> Problem:
    """Return n offers and n needs of 1 to 100 units, ten arcs to each need from the nearest offers, effort in whole metres.

    ``uniform``: places anywhere in a square of 1 000 km, and needs scaled to `LOAD`. ``towns``: places around towns of
    Pareto-distributed size, offers and needs drawn apart, so that whole regions are short. ``fair``: portions of 10 units.
    """
    rng = np.random.default_rng(seed)
    count = arcs // NEAREST
    if instance == "uniform":
        at_offers, at_needs = rng.random((count, 2)) * SIDE_M, rng.random((count, 2)) * SIDE_M
    else:
        at_offers, at_needs = _in_towns(rng, count)
    supply = rng.integers(1, 101, count)
    demand = rng.integers(1, 101, count)
    demand = np.maximum(1, (demand * (LOAD * supply.sum() / demand.sum())).astype(np.int64))
    distance, nearest = cKDTree(at_offers).query(at_needs, k=NEAREST)
    staircase = (np.ones(count), np.full(count, PORTION), LEVELS) if fair else None
    need = np.repeat(np.arange(count), NEAREST)
    return Problem.of(supply, demand, nearest.ravel(), need, np.rint(distance).astype(np.int64).ravel(), staircase=staircase)


def _in_towns(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    towns = max(4, count // 500)
    centre = rng.random((towns, 2)) * SIDE_M

    def around() -> np.ndarray:
        size = rng.pareto(1.2, towns) + 0.05
        return centre[rng.choice(towns, count, p=size / size.sum())] + rng.normal(0, TOWN_M, (count, 2))

    return around(), around()
