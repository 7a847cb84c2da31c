"""Whether anything may go from any of some places to any of others, without going through all pairs of them."""

from collections.abc import Container, Iterable
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from coordinator.network import Network, RouteFacts
from coordinator.places import HALF_AROUND_M, UNCONNECTED, Coordinates, PlaceIndex, great_circles_m
from coordinator.workshops import Spot

__all__ = ["ENDLESS_M", "Side", "Ways"]

Ints = NDArray[np.int64]

ENDLESS_M = 2**60  # where nobody says how far


class Side:
    """Places that ways lead from, or to, with how far anything may go there. `Ways.side` lays them out."""

    def __init__(self, network: Network, spots: Iterable[Spot], radii_m: Iterable[int]) -> None:
        """Lay out S places, each once, of A agents."""
        self._network = network
        self.spots = tuple(spots)
        self.radius_m: Ints = np.array(list(radii_m), dtype=np.int64)  # (S,)
        self.agents = {name: number for number, name in enumerate(dict.fromkeys(spot.agent for spot in self.spots))}
        self.agent_of: Ints = np.array([self.agents[spot.agent] for spot in self.spots], dtype=np.int64)  # (S,)
        self.farthest_m: Ints = np.zeros(len(self.agents), dtype=np.int64)  # (A,) of any place of each
        np.maximum.at(self.farthest_m, self.agent_of, self.radius_m)
        degrees = np.array([spot.place or (np.nan, np.nan) for spot in self.spots], dtype=np.float64).reshape(-1, 2)
        self._latitude, self._longitude = degrees[:, 0], degrees[:, 1]
        self.is_somewhere = any(spot.place is not None for spot in self.spots)

    @cached_property
    def _index(self) -> PlaceIndex:
        return PlaceIndex(self._latitude, self._longitude)

    @cached_property
    def _in_table(self) -> Ints:
        """(A,) the position of each agent in the table; past its end where it has none."""
        positions = self._network.table_positions()
        return np.array([positions.get(name, len(positions)) for name in self.agents], dtype=np.int64)

    @cached_property
    def _routes_to(self) -> dict[str, list[tuple[int, RouteFacts]]]:
        """The routes that agents here stated, by whom they lead to."""
        found: dict[str, list[tuple[int, RouteFacts]]] = {}
        for name, number in self.agents.items():
            for other, route in self._network.routes.get(name, {}).items():
                found.setdefault(other, []).append((number, route))
        return found

    def near(self, place: Coordinates, radius_m: int) -> tuple[Ints, Ints]:
        """Return the places here that are near enough for both by the great circle, and how far each is in metres."""
        reach_m = min(radius_m, int(self.radius_m.max(initial=0)))
        if reach_m >= HALF_AROUND_M:
            near = np.flatnonzero(~np.isnan(self._latitude))
            metres = great_circles_m(place, self._latitude[near], self._longitude[near])
        else:
            near, metres = self._index.within(place, reach_m)
        within = metres <= self.radius_m[near]
        return near[within], metres[within]

    def stated_m(self, agent: str, *, gives: bool) -> Ints:
        """Return (A,) how far it is between another agent, who gives or takes, and each here, by routes and table, else `UNCONNECTED`."""
        table, found = self._network.table, np.full(len(self.agents), UNCONNECTED, dtype=np.int64)
        if table is not None:
            partners, metres = table.row(agent)
            by_position = np.full(len(self._network.table_positions()) + 1, UNCONNECTED, dtype=np.int64)
            by_position[partners] = metres
            found = by_position[self._in_table]
        mine = self._network.routes.get(agent, {})
        both = [
            (self.agents[name], mine[name]) for name in (mine if len(mine) < len(self.agents) else self.agents) if self._has(name, mine)
        ]
        theirs = self._routes_to.get(agent, [])
        first, second = (both, theirs) if gives else (theirs, both)
        for number, route in second:
            if route.two_way:
                found[number] = route.distance_m
        for number, route in first:  # What the giver says of a way goes before what the taker says.
            found[number] = route.distance_m
        return found

    def _has(self, name: str, routes: Container[str]) -> bool:
        return name in self.agents and name in routes


class Ways:
    """The ways there are for a need: how far anything may go is said by the charter, and by signals of which something is to be had."""

    def __init__(self, network: Network, counting: Container[str]) -> None:
        """Take the signals whose radius counts by ref."""
        self._network, self._counting = network, counting
        self._limits_m: dict[str, dict[Coordinates | None, int]] = {}  # agent -> place -> the least radius said for it

    def side(self, spots: Iterable[Spot]) -> Side:
        """Return places laid out, to be one end of ways."""
        once = tuple(dict.fromkeys(spots))
        return Side(self._network, once, map(self.radius_m, once))

    def radius_m(self, spot: Spot) -> int:
        """Return how far anything may go to or from a place, as `coordinator.workshops.radius_m`, with each agent's signals seen once."""
        limits = self._limits_m.get(spot.agent)
        if limits is None:
            limits = self._limits_m[spot.agent] = self._limits_of(spot.agent)
        charter_m = self._network.charter.radius_m
        everywhere_m = ENDLESS_M if charter_m is None else charter_m
        return min(everywhere_m, limits.get(None, ENDLESS_M), limits.get(spot.place, ENDLESS_M))

    def _limits_of(self, agent: str) -> dict[Coordinates | None, int]:
        facts, limits = self._network.agents.get(agent), dict[Coordinates | None, int]()
        for ref in facts.refs if facts else ():
            one = self._network.stances[ref]
            if one.stands and one.within_m is not None and ref in self._counting:
                limits[one.place] = min(one.within_m, limits.get(one.place, ENDLESS_M))
        return limits

    def unconnected(self, starts: Side, ends: Side) -> bool | None:
        """Return whether all ways are unknown where none may be gone; None where one may. Neither side is empty."""
        if not set(starts.spots).isdisjoint(ends.spots):
            return None
        few, many = (starts, ends) if len(starts.spots) <= len(ends.spots) else (ends, starts)
        is_known = few.is_somewhere and many.is_somewhere
        is_stated = bool(self._network.routes) or self._network.table is not None
        stated_by = cache(lambda agent: many.stated_m(agent, gives=few is starts))
        for spot, radius_m in zip(few.spots, few.radius_m.tolist(), strict=True):
            stated_m = stated_by(spot.agent) if is_stated else None
            if stated_m is not None:
                is_told = stated_m != UNCONNECTED
                if (is_told & (stated_m <= np.minimum(many.farthest_m, radius_m))).any():
                    return None
                is_known = is_known or bool(is_told.any())
            if spot.place is not None:
                near, _ = many.near(spot.place, radius_m)
                if len(near if stated_m is None else near[stated_m[many.agent_of[near]] == UNCONNECTED]):
                    return None
        return not is_known
