"""The reference network: 38 things on four levels, 52 recipes, 8 processes, at places anywhere; synthetic, drawn from a seed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solver.making.problem import ProductionProblem, tier_worths
from solver.problem import Ints, ints

__all__ = ["LEVELS", "PROCESSES", "Draw", "Reference", "reference"]

LEVELS = (12, 10, 9, 7)  # things on each level; those of level 0 are not made
PROCESSES = 8
NEIGHBOURS = 6
FINE = 25  # pieces and grains are small beside what is asked for: one more or less is a small matter
EARTH_KM = 6371.0


@dataclass(slots=True)
class Draw:
    """Numbers that look random and follow from a seed alone, on every machine (splitmix64)."""

    state: int

    def below(self, limit: int) -> int:
        """Return the next number, from 0 to ``limit`` - 1."""
        self.state = (self.state + 0x9E3779B97F4A7C15) % 2**64
        mixed = (self.state ^ self.state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
        return (mixed ^ mixed >> 31) % limit

    def between(self, least: int, most: int) -> int:
        """Return the next number, both ends included."""
        return least + self.below(most - least + 1)

    def some(self, count: int, limit: int) -> list[int]:
        """Return ``count`` different numbers below ``limit``, in order."""
        pool = list(range(limit))
        return sorted(pool.pop(self.below(len(pool))) for _ in range(count))


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The network as a problem, with what its positions stand for."""

    problem: ProductionProblem
    level: list[int]  # (S,) of each thing
    process: Ints  # (H,) of each pool
    steps: list[list[tuple[int, int, int]]]  # (R,) of each recipe: (process, grains a run, grains of set-up)


def reference(
    positions: ArrayLike | None = None,
    *,
    places: int = 200,
    demand: int = 1,
    buckets: int = 1,
    levels: int = 1,
    spacing: int = 2,
    batches: bool = False,
    seed: int = 1,
) -> Reference:
    """Return the reference network at these places.

    ``positions`` are (P, 2) degrees of latitude and longitude; else ``places`` of them are drawn. ``demand`` multiplies what every need
    asks for, ``levels`` cut it for fairness within a tier, ``spacing`` sets the tiers apart. With ``batches``, recipes have set-ups,
    least batches and multiples. Hours are in grains of 2.4 seconds, loads in hundredths of a kg.
    """
    draw = Draw(seed)
    if positions is None:
        drawn = np.array([(draw.below(5_000) / 1000 + 45, draw.below(7_000) / 1000 + 5) for _ in range(places)])
    where: NDArray[np.float64] = drawn if positions is None else np.asarray(positions, dtype=np.float64)
    places = len(where)
    level = [rank for rank, count in enumerate(LEVELS) for _ in range(count)]
    outputs, inputs, steps = _recipes(draw, level, batches)
    pools = [(place, process) for place in range(places) for process in draw.some(draw.between(2, 4), PROCESSES)]
    pool_of = {pair: pool for pool, pair in enumerate(pools)}
    activities, uses = [], []
    for recipe, each in enumerate(steps):
        for place in range(places):
            if all((place, process) in pool_of for process, _, _ in each):
                activities.append((recipe, place))
                uses.append([(pool_of[(place, process)], grains, setup) for process, grains, setup in each])
    grains = [[FINE * draw.between(1_000, 4_000) for _ in range(buckets)] for _ in pools]
    stock = [
        (thing, place, 0, FINE * draw.between(300, 1_300) * buckets)
        for thing in range(LEVELS[0])
        for place in draw.some(max(1, places // 6), places)
    ]
    needs = []
    for _ in range(2 * places):
        thing = len(level) - 1 - draw.below(LEVELS[3] + LEVELS[2] // 3)
        due = draw.below(buckets)
        needs.append((thing, draw.below(places), FINE * demand * draw.between(2, 10), due, min(due + 2, buckets - 1), draw.between(0, 3)))
    worth = tier_worths([need[5] for need in needs], farthest=2_000, spacing=spacing)
    recipes = len(outputs)
    problem = ProductionProblem.of(
        places=places, things=len(level), buckets=buckets, levels=levels,
        outputs=outputs, inputs=inputs,
        yield_good=[19 if recipe % 7 == 3 else 1 for recipe in range(recipes)],
        yield_of=[20 if recipe % 7 == 3 else 1 for recipe in range(recipes)],
        batch_least=[draw.between(1, 6) if batches else 1 for _ in range(recipes)],
        batch_multiple=[draw.between(1, 2) if batches else 1 for _ in range(recipes)],
        activities=activities, activity_lead=[min(1, buckets - 1)] * len(activities),
        activity_effort=[5] * len(activities), uses=uses,
        pool_place=[place for place, _ in pools], pool_grains=grains, stock=stock,
        load=[draw.between(1, 2) for _ in level], arcs=_arcs(where, buckets), needs=needs, worth=worth,
        step=worth // (8 * levels), late=worth // 10,
    )  # fmt: skip
    return Reference(problem, level, ints([process for _, process in pools]), steps)


Flows = list[list[tuple[int, int]]]


def _recipes(draw: Draw, level: list[int], batches: bool) -> tuple[Flows, Flows, list[list[tuple[int, int, int]]]]:
    """Return outputs, inputs and steps of two recipes for every thing that is made; every ninth leaves a by-product."""
    outputs: Flows = []
    inputs: Flows = []
    steps = []
    first = [sum(LEVELS[:rank]) for rank in range(len(LEVELS))]
    for thing in range(LEVELS[0], len(level)):
        rank = level[thing]
        for _ in range(2):
            below = {first[rank - 1] + draw.below(LEVELS[rank - 1])} | {draw.below(first[rank]) for _ in range(draw.between(1, 2))}
            inputs.append([(each, draw.between(1, 3)) for each in sorted(below)])
            by_product = [(draw.below(LEVELS[0]), 1)] if len(outputs) % 9 == 4 else []
            outputs.append([(thing, draw.between(1, 2)), *(each for each in by_product if each[0] not in below)])
            chosen = draw.some(draw.between(1, 2), PROCESSES)
            steps.append([(process, draw.between(3, 30), draw.between(10, 60) if batches else 0) for process in chosen])
    return outputs, inputs, steps


def _arcs(where: NDArray[np.float64], buckets: int) -> list[tuple[int, int, int, int]]:
    """Return ways between each place and its nearest six, both ways, in whole kilometres of great circle, a day each 400 km."""
    kilometres = distance_km(where)
    pairs: set[tuple[int, int]] = set()
    for place in range(len(where)):
        near = [other for other in np.argsort(kilometres[place], kind="stable").tolist() if other != place][:NEIGHBOURS]
        pairs |= {(place, other) for other in near} | {(other, place) for other in near}
    return [
        (start, end, max(1, round(float(kilometres[start, end]))), min(buckets - 1, round(float(kilometres[start, end])) // 400))
        for start, end in sorted(pairs)
    ]


def distance_km(where: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (P, P) great-circle distances of (P, 2) degrees of latitude and longitude."""
    turned = np.radians(where)
    across = np.sin((turned[:, None, 0] - turned[None, :, 0]) / 2) ** 2
    along = np.sin((turned[:, None, 1] - turned[None, :, 1]) / 2) ** 2
    hav = across + np.cos(turned[:, None, 0]) * np.cos(turned[None, :, 0]) * along
    arc: NDArray[np.float64] = 2 * EARTH_KM * np.arcsin(np.minimum(1, np.sqrt(hav)))
    return arc
