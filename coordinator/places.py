"""How far it is: routes where somebody stated one, the great circle where two places are known."""

import math
import re
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from coordinator.errors import Refused
from coordinator.wording import asked_for

__all__ = [
    "EARTH_RADIUS_M",
    "HALF_AROUND_M",
    "UNCONNECTED",
    "Coordinates",
    "PlaceIndex",
    "Table",
    "great_circle_m",
    "great_circles_m",
    "place_named",
]

EARTH_RADIUS_M = 6_371_008.8  # mean radius R1 of the GRS 80 ellipsoid (Moritz 2000)
HALF_AROUND_M = 20_015_115  # no two places are farther apart
UNCONNECTED = -1  # in arrays of distances

Coordinates = tuple[float, float]  # latitude, longitude in degrees
Degrees = float | NDArray[np.float64]


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


class PlaceIndex:
    """Places laid out on the sphere, to find those within a radius without looking at all of them (a k-d tree on unit vectors)."""

    def __init__(self, latitudes: NDArray[np.float64], longitudes: NDArray[np.float64]) -> None:
        """Index (N,) places in degrees; those that are not numbers are left out."""
        from scipy.spatial import cKDTree  # noqa: PLC0415  heavy, and only large networks with a radius need it

        self._latitudes, self._longitudes = latitudes, longitudes
        self.known = np.flatnonzero(~np.isnan(latitudes))
        self._tree = cKDTree(_unit_vectors(latitudes[self.known], longitudes[self.known])) if len(self.known) else None

    def within(self, start: Coordinates, radius_m: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the positions of the places within `radius_m` (inclusive), ascending, and how far each is in metres."""
        if self._tree is None:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        angle = min((radius_m + 1) / EARTH_RADIUS_M, math.pi)  # A metre more, so that rounding loses nothing; the exact test follows.
        centre = _unit_vectors(np.array([start[0]]), np.array([start[1]]))[0]
        near = self.known[np.sort(np.array(self._tree.query_ball_point(centre, 2 * math.sin(angle / 2)), dtype=np.int64))]
        metres = great_circles_m(start, self._latitudes[near], self._longitudes[near])
        inside = metres <= radius_m
        return near[inside], metres[inside]


def _unit_vectors(latitudes: NDArray[np.float64], longitudes: NDArray[np.float64]) -> NDArray[np.float64]:
    north, east = np.radians(latitudes), np.radians(longitudes)
    return np.column_stack((np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)))


def great_circle_m(start: Coordinates, end: Coordinates) -> int:
    """Return the distance along the sphere in whole metres (haversine, which is exact enough near and far)."""
    latitudes = np.array([end[0]])
    return int(great_circles_m(start, latitudes, np.array([end[1]]))[0])


def great_circles_m(start: tuple[Degrees, Degrees], latitudes: Degrees, longitudes: Degrees) -> NDArray[np.int64]:
    """Return the distances from `start` to places in whole metres, `UNCONNECTED` where a place is not a number.

    Any of them may be arrays: they are paired as numpy broadcasts them.
    """
    latitude, longitude, ends = np.radians(start[0]), np.radians(start[1]), np.radians(latitudes)
    half = np.sin((ends - latitude) / 2) ** 2
    half = half + np.cos(latitude) * np.cos(ends) * np.sin((np.radians(longitudes) - longitude) / 2) ** 2
    metres = np.rint(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.minimum(half, 1.0))))
    unknown = np.isnan(metres)
    return np.where(unknown, UNCONNECTED, metres).astype(np.int64) if unknown.any() else metres.astype(np.int64)


def place_named(asked: str) -> Coordinates | None:
    """Return the place that is meant by `latitude,longitude`, None where no two numbers came."""
    numbers = re.fullmatch(r"\s*(-?\d{1,3}(?:\.\d+)?)\s*,\s*(-?\d{1,3}(?:\.\d+)?)\s*", asked, re.ASCII)
    if numbers is None:
        return None
    latitude, longitude = float(numbers[1]), float(numbers[2])
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise Refused(f"{asked_for(asked)} is no place; latitude within 90 and longitude within 180 degrees were expected")
    return latitude, longitude
