"""A drawing of agents of whom only distances are known: points in a plane, as far from each other as they are said to be.

First the squared distances to a few well-connected agents are put through a singular value decomposition (landmark scaling, de Silva
and Tenenbaum 2004); then each point is moved again and again to where its own distances would have it (SMACOF, de Leeuw 1977).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coordinator.places import Table

__all__ = ["Drawing", "draw"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LANDMARKS = 64
PARTNERS = 24  # that each point is held to
ROUNDS = 80
LEAST_KM = 0.1  # nearer is drawn as near as this, so that one pair does not outweigh all others


@dataclass(frozen=True, slots=True)
class Drawing:
    """Where agents are drawn, and how far the drawing is from what was said."""

    agents: tuple[str, ...]
    east_km: Floats  # (A,)
    north_km: Floats  # (A,)
    error: float  # mean of |drawn - stated| / stated, over the pairs that held the points


def draw(table: Table, agents: list[str], tell: Callable[[float], None] = lambda _: None) -> Drawing | None:
    """Return a drawing of those of the agents that the table connects; None where it connects fewer than three. The same each time.

    `tell` is called now and then with the share of the work that is done.
    """
    position = {name: index for index, name in enumerate(table.agents)}
    known = np.array(sorted(position[name] for name in set(agents) if name in position), dtype=np.int64)
    index_of = np.full(len(table.agents), -1, dtype=np.int64)
    index_of[known] = np.arange(len(known))
    rows = []
    for index in known.tolist():
        partners, metres = table.row(table.agents[index])
        among = index_of[partners] >= 0
        rows.append((index_of[partners[among]], np.maximum(metres[among] / 1000, LEAST_KM)))
    linked = [index for index, (partners, _) in enumerate(rows) if len(partners)]
    if len(linked) < 3:
        return None
    points = _landmark_points(rows)
    start, end, stated_km = _held(rows)
    for done in range(ROUNDS):
        tell((1 + done) / (1 + ROUNDS))
        points = _moved(points, start, end, stated_km)
    apart_km = np.hypot(*(points[end] - points[start]).T)
    names = tuple(table.agents[known[index]] for index in linked)
    points = points[linked] - points[linked].mean(axis=0)
    return Drawing(names, points[:, 0], points[:, 1], float(np.mean(np.abs(apart_km - stated_km) / stated_km)))


def _landmark_points(rows: list[tuple[Ints, Floats]]) -> Floats:
    """Return (A, 2) points in km from the distances to the best connected agents; what is not known counts as the landmark's mean."""
    most = sorted(range(len(rows)), key=lambda index: (-len(rows[index][0]), index))[: 8 * LANDMARKS]
    landmarks = most[:: max(1, len(most) // LANDMARKS)][:LANDMARKS]
    squares = np.full((len(rows), len(landmarks)), np.nan)
    for column, landmark in enumerate(landmarks):
        partners, km = rows[landmark]
        squares[partners, column] = km**2
        squares[landmark, column] = 0.0
    squares = np.where(np.isnan(squares), np.nanmean(squares, axis=0), squares)
    centred = squares - squares.mean(axis=0)
    centred -= centred.mean(axis=1, keepdims=True)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    points: Floats = np.zeros((len(rows), 2))
    width = min(2, len(size))
    points[:, :width] = left[:, :width] * np.sqrt(size[:width])
    points *= np.sqrt(squares.mean()) / max(1e-9, float(np.hypot(*points.T).mean()))
    turn = np.arange(len(rows)) * 2.399963  # the golden angle: points that would coincide can be told apart
    spread: Floats = points + LEAST_KM * np.column_stack((np.cos(turn), np.sin(turn)))
    return spread


def _held(rows: list[tuple[Ints, Floats]]) -> tuple[Ints, Ints, Floats]:
    """Return the pairs that hold the points: each agent with some of its partners, from the nearest to the farthest, and how far in km."""
    starts, ends, stated = [], [], []
    for index, (partners, km) in enumerate(rows):
        if len(partners):
            nearest = np.argsort(km, kind="stable")
            chosen = nearest[np.unique(np.linspace(0, len(nearest) - 1, PARTNERS).astype(np.int64))]
            starts.append(np.full(len(chosen), index))
            ends.append(partners[chosen])
            stated.append(km[chosen])
    start, end, stated_km = np.concatenate(starts), np.concatenate(ends), np.concatenate(stated)
    return np.concatenate((start, end)), np.concatenate((end, start)), np.concatenate((stated_km, stated_km))


def _moved(points: Floats, start: Ints, end: Ints, stated_km: Floats) -> Floats:
    """Return the points, each put where its partners would have it on average; near partners count more."""
    apart = points[start] - points[end]
    apart_km = np.maximum(np.hypot(*apart.T), 1e-9)
    weight = 1 / stated_km
    wished = points[end] + apart * (stated_km / apart_km)[:, None]
    total = np.bincount(start, weight, len(points))
    moved: Floats = points.copy()
    for axis in (0, 1):
        wishes = np.bincount(start, weight * wished[:, axis], len(points))
        moved[:, axis] = np.where(total > 0, wishes / np.maximum(total, 1e-12), points[:, axis])
    return moved
