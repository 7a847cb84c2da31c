"""Who could serve whom: the contract's matching rules, one offer at a time against all needs of the same thing.

A pair that no rule excludes is a candidate. What is excluded is counted by the rule that did it, never dropped in silence.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from coordinator.commitments import Book
from coordinator.network import Network, Stance
from coordinator.places import HALF_AROUND_M, UNCONNECTED, PlaceIndex, great_circles_m

__all__ = ["Hidden", "Market"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

WORTH_AN_INDEX = 50_000  # pairs of a market; below, comparing all is quicker than building an index
FARTHEST_M = 2**60  # beyond every stated distance
FOREVER = 2**62  # stands for "no limit" in arrays of times and metres


class Hidden(StrEnum):
    """Why a pair is no candidate; the first rule that applies is the one counted."""

    OWN = "an agent's own offer"
    OTHER_THING = "another thing, which the need does not accept instead"
    DIMENSION = "counted in units that do not convert, such as pieces and kilograms"
    WINDOW = "their windows do not meet"
    NO_ROUTE = "no route and no two known places connect them"
    TOO_FAR = "farther than a radius of the offer, the need or the charter"
    DECLINED = "one of them declined this pair"
    MINIMUM = "the largest possible part is below a minimum"


@dataclass
class Market:
    """All offers and needs that could meet at one moment: one dimension, one thing or things linked by accepted substitutes.

    Both lists are in order of ref and hold only what has something available.
    """

    network: Network
    book: Book
    offers: Sequence[Stance]
    needs: Sequence[Stance]
    log_us: int
    hidden: Counter[Hidden] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Lay the needs out as arrays, so that one offer is compared with all of them at once."""
        places = [self.network.place_of(need) or (np.nan, np.nan) for need in self.needs]
        self._latitude: Floats = np.array([place[0] for place in places], dtype=float)
        self._longitude: Floats = np.array([place[1] for place in places], dtype=float)
        self._begin_us = _array(need.begin_us for need in self.needs)
        self._begin_us[self._begin_us == FOREVER] = -FOREVER
        self._end_us = _array(need.end_us for need in self.needs)
        self._within_m = _array(need.within_m for need in self.needs)
        self._positions: dict[str, list[int]] = {}
        for position, need in enumerate(self.needs):
            self._positions.setdefault(need.agent, []).append(position)
        self._things = sorted({self.network.canonical(stance.thing) for stance in (*self.offers, *self.needs)})
        self._accepts = self._accepted() if len(self._things) > 1 else None
        self._in_table = self._table_positions()
        self._routes_back = self._two_way_routes()
        self._index: PlaceIndex | None = None
        self._limits: dict[str, list[tuple[int, int]]] | None = None

    # -- one offer against all needs ----------------------------------------------------------------------------------

    def row(self, position: int, *, counting: bool = False) -> tuple[Ints, Ints]:
        """Return the needs an offer could serve (positions, ascending) and how far each is in metres.

        With `counting`, what each rule hides is added to `hidden`.
        """
        offer = self.offers[position]
        distance_m = self.distances_m(offer)
        able = np.ones(len(self.needs), dtype=bool)
        for why, allowed in self.rules(offer, distance_m):
            narrower = able & allowed
            if counting:
                self.hide(why, int(able.sum()) - int(narrower.sum()))
            able = narrower
        needs = np.flatnonzero(able)
        return needs, distance_m[needs]

    def rules(self, offer: Stance, distance_m: Ints) -> Iterator[tuple[Hidden, NDArray[np.bool_]]]:
        """Yield each rule with the needs it allows this offer."""
        others = np.ones(len(self.needs), dtype=bool)
        others[self._positions.get(offer.agent, [])] = False
        yield Hidden.OWN, others
        if self._accepts is not None:
            yield Hidden.OTHER_THING, self._accepts[self._things.index(self.network.canonical(offer.thing))]
        begin_us = max(self.log_us, -FOREVER if offer.begin_us is None else offer.begin_us)
        end_us = FOREVER if offer.end_us is None else offer.end_us
        yield Hidden.WINDOW, np.maximum(self._begin_us, begin_us) < np.minimum(self._end_us, end_us)
        yield Hidden.NO_ROUTE, distance_m != UNCONNECTED
        yield Hidden.TOO_FAR, distance_m <= np.minimum(self._within_m, self._reach_m(offer))

    def farthest_m(self) -> int:
        """Return a distance that no pair here exceeds."""
        stated = [route.distance_m for routes in self.network.routes.values() for route in routes.values()]
        table_m = self.network.table.farthest_m if self.network.table is not None else 0
        return max(HALF_AROUND_M, table_m, *stated, 0)

    def distances_m(self, offer: Stance) -> Ints:
        """Return how far each need is from an offer, in metres by the contract's order of sources.

        `UNCONNECTED` stands where it is unknown, `FOREVER` where the place index found it beyond the offer's reach.
        """
        metres = self._by_place_m(offer)
        if self.network.table is not None and self._in_table is not None:
            connected, stated_m = self.network.table.row(offer.agent)
            by_agent = np.full(len(self.network.table.agents) + 1, UNCONNECTED, dtype=np.int64)
            by_agent[connected] = stated_m
            from_table = by_agent[self._in_table]
            metres = np.where(from_table == UNCONNECTED, metres, from_table)
        for positions, distance_m in self._routes_back.get(offer.agent, ()):
            metres[positions] = distance_m
        for receiver, route in self.network.routes.get(offer.agent, {}).items():
            metres[self._positions.get(receiver, [])] = route.distance_m
        return metres

    def _by_place_m(self, offer: Stance) -> Ints:
        place, reach_m = self.network.place_of(offer), self._reach_m(offer)
        if place is None:
            return np.full(len(self.needs), UNCONNECTED, dtype=np.int64)
        if reach_m >= HALF_AROUND_M or len(self.offers) * len(self.needs) < WORTH_AN_INDEX:
            return great_circles_m(place, self._latitude, self._longitude)
        if self._index is None:
            self._index = PlaceIndex(self._latitude, self._longitude)
        metres = np.full(len(self.needs), UNCONNECTED, dtype=np.int64)
        metres[self._index.known] = FOREVER
        near, near_m = self._index.within(place, reach_m)
        metres[near] = near_m
        return metres

    def _reach_m(self, offer: Stance) -> int:
        limits_m = (self.network.charter.radius_m, offer.within_m, FARTHEST_M)
        return min(limit_m for limit_m in limits_m if limit_m is not None)

    def hide(self, why: Hidden, count: int) -> None:
        """Count pairs that a rule excluded."""
        if count:
            self.hidden[why] += count

    # -- what a pair may carry ----------------------------------------------------------------------------------------

    def limits_of(self, position: int) -> list[tuple[int, int]]:
        """Return what this offer's declined or countered pairs may carry: (need position, grains)."""
        if self._limits is None:
            self._limits = self._limits_by_offer()
        return self._limits.get(self.offers[position].ref, [])

    def _limits_by_offer(self) -> dict[str, list[tuple[int, int]]]:
        offers = {offer.ref: offer for offer in self.offers}
        needs = {need.ref: (position, need) for position, need in enumerate(self.needs)}
        limits: dict[str, list[tuple[int, int]]] = {}
        for offer_ref, need_ref in self.book.limits():
            if offer_ref in offers and need_ref in needs:
                position, need = needs[need_ref]
                grains = self.book.limit_grains(offers[offer_ref], need)
                if grains is not None:
                    limits.setdefault(offer_ref, []).append((position, grains))
        return limits

    # -- arrays of the needs ------------------------------------------------------------------------------------------

    def _accepted(self) -> NDArray[np.bool_]:
        """Return (things, needs): whether a need takes a thing, its own or a binding substitute."""
        index = {thing: position for position, thing in enumerate(self._things)}
        accepts = np.zeros((len(self._things), len(self.needs)), dtype=bool)
        for position, need in enumerate(self.needs):
            for name in (need.name, *need.substitutes):
                thing = self.network.canonical((need.thing[0], name))
                if thing in index:
                    accepts[index[thing], position] = True
        return accepts

    def _table_positions(self) -> Ints | None:
        if self.network.table is None:
            return None
        unknown = len(self.network.table.agents)  # one past the end, where rows hold UNCONNECTED
        return np.array([self.network.table_position(need.agent, unknown) for need in self.needs], dtype=np.int64)

    def _two_way_routes(self) -> dict[str, list[tuple[list[int], int]]]:
        """Return, for each provider, the needs whose agents stated a two-way route to it."""
        back: dict[str, list[tuple[list[int], int]]] = {}
        for agent, positions in self._positions.items():
            for provider, route in self.network.routes.get(agent, {}).items():
                if route.two_way:
                    back.setdefault(provider, []).append((positions, route.distance_m))
        return back


def _array(values: Iterable[int | None]) -> Ints:
    return np.array([FOREVER if value is None else value for value in values], dtype=np.int64)
