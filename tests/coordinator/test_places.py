"""Distances: the great circle of the contract's radius, in whole metres."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.places import HALF_AROUND_M, UNCONNECTED, PlaceIndex, great_circle_m, great_circles_m

RADIUS_M = 6_371_008.8
places = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


def by_vectors_m(start: tuple[float, float], end: tuple[float, float]) -> float:
    """The same by another formula: the angle between two unit vectors, exact near and far."""
    first, second = (
        np.array([math.cos(lat) * math.cos(long), math.cos(lat) * math.sin(long), math.sin(lat)])
        for lat, long in ((math.radians(lat), math.radians(long)) for lat, long in (start, end))
    )
    return RADIUS_M * math.atan2(float(np.linalg.norm(np.cross(first, second))), float(first @ second))


@given(places, places)
def test_the_haversine_equals_the_angle_between_vectors_to_the_metre(start, end):
    assert abs(great_circle_m(start, end) - by_vectors_m(start, end)) <= 1


@given(places, places)
def test_a_distance_is_the_same_both_ways_and_never_beyond_half_around(start, end):
    assert great_circle_m(start, end) == great_circle_m(end, start)
    assert 0 <= great_circle_m(start, end) <= HALF_AROUND_M


@pytest.mark.parametrize(
    ("start", "end", "metres"),
    [
        ((48.0, 2.0), (48.0, 2.0), 0),
        ((0.0, 0.0), (0.0, 1.0), 111_195),  # 6 371 008.8 · π / 180
        ((0.0, 179.5), (0.0, -179.5), 111_195),
        ((90.0, 0.0), (-90.0, 0.0), 20_015_114),
    ],
)
def test_known_distances(start, end, metres):
    assert great_circle_m(start, end) == metres


@given(places, st.lists(places, max_size=5))
def test_many_at_once_equal_one_at_a_time(start, ends):
    latitudes, longitudes = np.array([end[0] for end in ends], dtype=float), np.array([end[1] for end in ends], dtype=float)
    assert great_circles_m(start, latitudes, longitudes).tolist() == [great_circle_m(start, end) for end in ends]


def test_an_unknown_place_is_unconnected():
    assert great_circles_m((0.0, 0.0), np.array([np.nan]), np.array([np.nan])).tolist() == [UNCONNECTED]


def test_no_two_places_are_farther_apart_than_half_around():
    assert math.pi * RADIUS_M <= HALF_AROUND_M < math.pi * RADIUS_M + 1


def test_the_index_finds_exactly_the_places_within_a_radius():
    random = np.random.default_rng(1)
    latitudes, longitudes = random.uniform(-90, 90, 2_000), random.uniform(-180, 180, 2_000)
    latitudes[::50] = np.nan  # somebody whose place is not known
    index = PlaceIndex(latitudes, longitudes)
    for radius_m in random.integers(0, HALF_AROUND_M, 50).tolist():
        start = (float(random.uniform(-90, 90)), float(random.uniform(-180, 180)))
        all_m = great_circles_m(start, latitudes, longitudes)
        near, near_m = index.within(start, radius_m)
        assert near.tolist() == np.flatnonzero((all_m != UNCONNECTED) & (all_m <= radius_m)).tolist()
        assert near_m.tolist() == all_m[near].tolist()
