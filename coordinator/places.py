"""How far it is: routes where somebody stated one, the great circle where two places are known."""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["EARTH_RADIUS_M", "HALF_AROUND_M", "UNCONNECTED", "Coordinates", "Table", "great_circle_m", "great_circles_m"]

EARTH_RADIUS_M = 6_371_008.8  # mean radius R1 of the GRS 80 ellipsoid (Moritz 2000)
HALF_AROUND_M = 20_015_115  # no two places are farther apart
UNCONNECTED = -1  # in arrays of distances

Coordinates = tuple[float, float]  # latitude, longitude in degrees


class Table(Protocol):
    """Distances known beforehand, both ways (the network's ``--routes`` file)."""

    def metres(self, provider: str, receiver: str) -> int | None:
        """Return the distance in whole metres, or None where the table has no such pair."""
        ...

    def row(self, agent: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the positions in `agents` of all that `agent` is connected with, and how far each is in metres."""
        ...

    @property
    def farthest_m(self) -> int:
        """The longest distance in it."""
        ...

    @property
    def agents(self) -> Sequence[str]:
        """The names that positions stand for."""
        ...


def great_circle_m(start: Coordinates, end: Coordinates) -> int:
    """Return the distance along the sphere in whole metres (haversine, which is exact enough near and far)."""
    latitudes = np.array([end[0]])
    return int(great_circles_m(start, latitudes, np.array([end[1]]))[0])


def great_circles_m(start: Coordinates, latitudes: NDArray[np.float64], longitudes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the distances from `start` to (N,) places in whole metres, `UNCONNECTED` where a place is not a number."""
    latitude, longitude = math.radians(start[0]), math.radians(start[1])
    ends = np.radians(latitudes)
    half = np.sin((ends - latitude) / 2) ** 2
    half += math.cos(latitude) * np.cos(ends) * np.sin((np.radians(longitudes) - longitude) / 2) ** 2
    metres = 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.minimum(half, 1.0)))
    return np.where(np.isnan(metres), UNCONNECTED, np.rint(np.nan_to_num(metres))).astype(np.int64)
