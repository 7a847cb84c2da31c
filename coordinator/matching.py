"""Who could serve whom: the contract's matching rules, some offers at a time against all needs of the same thing.

A pair that no rule excludes is a candidate. What is excluded is counted by the rule that did it, never dropped in silence.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from coordinator.commitments import Book
from coordinator.limits import lacking
from coordinator.network import Network, Stance, Thing
from coordinator.places import HALF_AROUND_M, UNCONNECTED, PlaceIndex, great_circles_m

__all__ = ["AT_ONCE", "Columns", "Group", "Hidden", "Market", "Pairs", "Picked", "groups", "reach_m", "with_room"]

Kind = TypeVar("Kind", bound=np.generic)
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Group = tuple[Thing, ...]  # the canonical things that can be exchanged for one another somewhere, in order
Pairs = tuple[Ints, Ints, Ints]  # offers and needs by position, in order of both, and how far each pair is in metres

NOWHERE = (np.nan, np.nan)
KINDS: tuple[type, ...] = (np.float64, np.float64, np.int64, np.int64, np.int64, np.int64, np.int64, np.int64, np.bool_)  # of `Columns`
AT_ONCE = 200_000  # pairs compared in one go

WORTH_AN_INDEX = 50_000  # pairs of a market; below, comparing all is quicker than building an index
FARTHEST_M = 2**60  # beyond every stated distance
FOREVER = 2**62  # stands for "no limit" in arrays of times and metres


def groups(network: Network) -> dict[Group, list[Thing]]:
    """Return what stands in groups that could meet, by the canonical things that accepted substitutes link: the things as said."""
    said: dict[Thing, list[Thing]] = {}
    for thing in network.live_things():
        said.setdefault(network.canonical(thing), []).append(thing)
    leader = {thing: thing for thing in said}

    def find(thing: Thing) -> Thing:
        while leader[thing] != thing:
            thing = leader[thing]
        return thing

    for one, other in network.substitutions():
        if one in leader and other in leader:
            first, second = sorted((find(one), find(other)))
            leader[second] = first
    joined: dict[Thing, list[Thing]] = {}
    for thing in sorted(said):
        joined.setdefault(find(thing), []).append(thing)
    return {tuple(things): [name for thing in things for name in said[thing]] for things in joined.values()}


class Hidden(StrEnum):
    """Why a pair is no candidate; the first rule that applies is the one counted, but that one of them has closed before any other."""

    OWN = "an agent's own offer"
    OTHER_THING = "another thing, which the need does not accept instead"
    DIMENSION = "counted in units that do not convert, such as pieces and kilograms"
    LIMITS = "the machines do not have what the work requires, or do not say so"
    WINDOW = "their windows do not meet"
    NO_ROUTE = "no route and no two known places connect them"
    TOO_FAR = "farther than a radius of the offer, the need or the charter"
    DECLINED = "one of them declined this pair"
    MINIMUM = "the largest possible part is below a minimum"


@dataclass(frozen=True, slots=True)
class Columns:
    """What the rules compare of offers or of needs, as arrays in their order."""

    latitude: Floats
    longitude: Floats
    begin_us: Ints
    end_us: Ints
    lead_us: Ints
    within_m: Ints
    agent: Ints  # by `Network.number_of`, and so is
    thing: Ints  # what each speaks of, as said
    asks: Bools  # whether anything is required of machines

    @classmethod
    def of(cls, network: Network, stances: Sequence[Stance]) -> "Columns":
        """Return those of some signals as they stand."""
        rows = zip(*(_row(network, stance) for stance in stances), strict=True) if stances else ((),) * len(KINDS)
        return cls(*(np.array(column, dtype=kind) for column, kind in zip(rows, KINDS, strict=True)))

    def picked(self, positions: Ints | Sequence[int]) -> "Columns":
        """Return those at some positions, which are in order."""
        if len(positions) == len(self.agent):
            return self
        chosen = np.asarray(positions, dtype=np.int64)
        return Columns(*(getattr(self, name)[chosen] for name in self.__slots__))

    def with_more(self, network: Network, count: int, stances: Sequence[Stance]) -> "Columns":
        """Return the first `count` of these and then those of some signals, with room for more: written into these where they have it."""
        end = count + len(stances)
        rows = self if end <= len(self.agent) else Columns(*(with_room(getattr(self, name)[:count], end) for name in self.__slots__))
        for at, stance in enumerate(stances, count):
            for name, value in zip(self.__slots__, _row(network, stance), strict=True):
                getattr(rows, name)[at] = value
        return rows


def _row(network: Network, stance: Stance) -> tuple[float, float, int, int, int, int, int, int, bool]:
    """Return what each column has of a signal as it stands."""
    latitude, longitude = stance.place or network.agents[stance.agent].place or NOWHERE  # as `Network.place_of` has it
    return (
        latitude,
        longitude,
        -FOREVER if stance.begin_us is None else stance.begin_us,
        FOREVER if stance.end_us is None else stance.end_us,
        stance.lead_us,
        FOREVER if stance.within_m is None else stance.within_m,
        network.number_of(stance.agent),
        network.number_of(stance.thing),
        bool(stance.limits),
    )


@dataclass(frozen=True, slots=True)
class Picked(Sequence[Stance]):
    """Some of many signals, by position, as a sequence that nobody walks through unless it has to."""

    stances: Sequence[Stance]
    positions: Sequence[int] | Ints

    def __len__(self) -> int:
        """Return how many."""
        return len(self.positions)

    @overload
    def __getitem__(self, at: int) -> Stance: ...
    @overload
    def __getitem__(self, at: slice) -> "Picked": ...
    def __getitem__(self, at: int | slice) -> "Stance | Picked":
        """Return one of them, or some."""
        if isinstance(at, slice):
            return Picked(self.stances, self.positions[at])
        return self.stances[self.positions[at]]


@dataclass
class Market:
    """All offers and needs that could meet at one moment: one dimension, one thing or things linked by accepted substitutes.

    Both lists are in order of ref and hold only what has something available. Whoever has their `columns` at hand gives them.
    """

    network: Network
    book: Book
    offers: Sequence[Stance]
    needs: Sequence[Stance]
    log_us: int
    hidden: Counter[Hidden] = field(default_factory=Counter)
    columns: tuple[Columns, Columns] | None = None  # of the offers, of the needs

    def __post_init__(self) -> None:
        """Lay the needs out as arrays, so that one offer is compared with all of them at once."""
        self._wanted = self.columns[1] if self.columns is not None else Columns.of(self.network, self.needs)
        self._things = self._canonical_things()
        self._accepts = self._accepted() if len(self._things) > 1 else None
        self._asking = np.flatnonzero(self._wanted.asks).tolist()
        self._in_table = self._table_positions(self.needs)
        self._routes_back = self._two_way_routes() if self.network.routes else {}
        self._index: PlaceIndex | None = None
        self._limits: dict[str, list[tuple[int, int]]] | None = None

    @cached_property
    def _positions(self) -> dict[str, list[int]]:
        """Where the needs of each agent stand."""
        positions: dict[str, list[int]] = {}
        for position, need in enumerate(self.needs):
            positions.setdefault(need.agent, []).append(position)
        return positions

    def _canonical_things(self) -> list[Thing]:
        if self.columns is not None and self.offers and self.needs:
            offered, wanted = (each.thing for each in self.columns)
            if (offered == wanted[0]).all() and (wanted == wanted[0]).all():  # as nearly everywhere
                return [self.network.canonical(self.needs[0].thing)]
        return sorted({self.network.canonical(thing) for thing in {stance.thing for stance in (*self.offers, *self.needs)}})

    # -- some offers against all needs --------------------------------------------------------------------------------

    def row(self, position: int, *, counting: bool = False) -> tuple[Ints, Ints]:
        """Return the needs an offer could serve (positions, ascending) and how far each is in metres.

        With `counting`, what each rule hides is added to `hidden`.
        """
        _, needs, distance_m = self._compared([position], counting)
        return needs, distance_m

    def pairs(self, *, counting: bool = False) -> Iterator[Pairs]:
        """Yield every pair that the rules allow, all of some offers at a time; `counting` as in `row`."""
        rows = max(1, AT_ONCE // max(1, len(self.needs)))
        for start in range(0, len(self.offers), rows):
            yield self._compared(range(start, min(start + rows, len(self.offers))), counting)

    def _compared(self, positions: Sequence[int], counting: bool) -> Pairs:
        offers = Picked(self.offers, positions)
        offered = Columns.of(self.network, offers) if self.columns is None else self.columns[0].picked(positions)
        distance_m = self._distances_m(offers, offered)
        able = np.ones(distance_m.shape, dtype=bool)
        count = able.size
        for why, allowed in self._rules(offers, offered, distance_m):
            able &= allowed
            if counting:
                left = int(np.count_nonzero(able))
                self.hide(why, count - left)
                count = left
        rows, needs = np.nonzero(able)
        return np.asarray(positions, dtype=np.int64)[rows], needs, distance_m[rows, needs]

    def rules(self, offers: Sequence[Stance], distance_m: Ints) -> Iterator[tuple[Hidden, Bools]]:
        """Yield each rule with the pairs of these offers and all needs that it allows."""
        yield from self._rules(offers, Columns.of(self.network, offers), distance_m)

    def _rules(self, offers: Sequence[Stance], offered: Columns, distance_m: Ints) -> Iterator[tuple[Hidden, Bools]]:
        wanted = self._wanted
        yield Hidden.OWN, offered.agent[:, None] != wanted.agent
        if self._accepts is not None:
            yield Hidden.OTHER_THING, self._accepts[[self._things.index(self.network.canonical(offer.thing)) for offer in offers]]
        if self._asking:
            yield Hidden.LIMITS, self._able(offers)
        begin_us = np.maximum(offered.begin_us, self.log_us + offered.lead_us)[:, None]
        yield Hidden.WINDOW, np.maximum(wanted.begin_us, begin_us) < np.minimum(wanted.end_us, offered.end_us[:, None])
        yield Hidden.NO_ROUTE, distance_m != UNCONNECTED
        yield Hidden.TOO_FAR, distance_m <= np.minimum(wanted.within_m, self._reaches_m(offered)[:, None])

    def _able(self, offers: Sequence[Stance]) -> Bools:
        able = np.ones((len(offers), len(self.needs)), dtype=bool)
        for position in self._asking:
            able[:, position] = [not lacking(self.needs[position].limits or {}, offer.limits or {}) for offer in offers]
        return able

    def farthest_m(self) -> int:
        """Return a distance that no pair here exceeds."""
        stated = [route.distance_m for routes in self.network.routes.values() for route in routes.values()]
        table_m = self.network.table.farthest_m if self.network.table is not None else 0
        return max(HALF_AROUND_M, table_m, *stated, 0)

    def distances_m(self, offers: Sequence[Stance]) -> Ints:
        """Return (offers, needs) how far each pair is, in metres by the contract's order of sources.

        `UNCONNECTED` stands where it is unknown, `FOREVER` where the place index found it beyond the offer's reach.
        """
        return self._distances_m(offers, Columns.of(self.network, offers))

    def _distances_m(self, offers: Sequence[Stance], offered: Columns) -> Ints:
        metres = self._by_place_m(offered)
        if self._in_table is not None:
            self._look_up(offers, metres)
        for row, offer in enumerate(offers if self.network.routes else ()):
            for positions, distance_m in self._routes_back.get(offer.agent, ()):
                metres[row, positions] = distance_m
            for receiver, route in self.network.routes.get(offer.agent, {}).items():
                metres[row, self._positions.get(receiver, [])] = route.distance_m
        return metres

    def _look_up(self, offers: Sequence[Stance], metres: Ints) -> None:
        """Set the distances that the table knows. It knows them both ways, so the fewer of offers and needs are looked up."""
        assert self.network.table is not None  # the caller asked
        assert self._in_table is not None
        if len(offers) <= len(self.needs):
            agents, wanted, into = [offer.agent for offer in offers], self._in_table, metres
        else:
            in_table = self._table_positions(offers)
            assert in_table is not None  # as above
            agents, wanted, into = [need.agent for need in self.needs], in_table, metres.T
        for row, agent in enumerate(agents):
            partners, stated_m = self.network.table.row(agent)
            if len(partners):
                found = np.minimum(np.searchsorted(partners, wanted), len(partners) - 1)
                known = np.flatnonzero(partners[found] == wanted)
                into[row, known] = stated_m[found[known]]

    def _by_place_m(self, offered: Columns) -> Ints:
        wanted, count = self._wanted, len(offered.latitude)
        if np.isnan(offered.latitude).all() or np.isnan(wanted.latitude).all():
            return np.full((count, len(self.needs)), UNCONNECTED, dtype=np.int64)
        few = len(self.offers) * len(self.needs) < WORTH_AN_INDEX
        reach_m = np.minimum(self._reaches_m(offered), HALF_AROUND_M)
        if few or int(reach_m.min()) >= HALF_AROUND_M:
            return great_circles_m((offered.latitude[:, None], offered.longitude[:, None]), wanted.latitude, wanted.longitude)
        if self._index is None:
            self._index = PlaceIndex(wanted.latitude, wanted.longitude)
        metres = np.full((count, len(self.needs)), UNCONNECTED, dtype=np.int64)
        for row in np.flatnonzero(~np.isnan(offered.latitude)).tolist():
            metres[row, self._index.known] = FOREVER
            near, near_m = self._index.within((float(offered.latitude[row]), float(offered.longitude[row])), int(reach_m[row]))
            metres[row, near] = near_m
        return metres

    def _reaches_m(self, offered: Columns) -> Ints:
        """Return (offers,) how far each may give."""
        reaches_m: Ints = np.minimum(offered.within_m, reach_m(self.network))
        return reaches_m

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
        needs = {need.ref: (position, need) for position, need in enumerate(self.needs)} if self.book.has_limits else {}
        limits: dict[str, list[tuple[int, int]]] = {}
        for offer in self.offers if needs else ():
            for _, need_ref in self.book.limits_of(offer.ref):
                if need_ref in needs:
                    position, need = needs[need_ref]
                    grains = self.book.limit_grains(offer, need)
                    if grains is not None:
                        limits.setdefault(offer.ref, []).append((position, grains))
        return limits

    # -- arrays of the needs ------------------------------------------------------------------------------------------

    def _accepted(self) -> Bools:
        """Return (things, needs): whether a need takes a thing, its own or a binding substitute."""
        index = {thing: position for position, thing in enumerate(self._things)}
        accepts = np.zeros((len(self._things), len(self.needs)), dtype=bool)
        for position, need in enumerate(self.needs):
            for name in (need.name, *need.substitutes):
                thing = self.network.canonical((need.thing[0], name))
                if thing in index:
                    accepts[index[thing], position] = True
        return accepts

    def _table_positions(self, stances: Sequence[Stance]) -> Ints | None:
        if self.network.table is None:
            return None
        unknown = len(self.network.table.agents)  # one past the end: no partner of anybody
        position_of = self.network.table_positions()
        return np.array([position_of.get(stance.agent, unknown) for stance in stances], dtype=np.int64)

    def _two_way_routes(self) -> dict[str, list[tuple[list[int], int]]]:
        """Return, for each provider, the needs whose agents stated a two-way route to it."""
        back: dict[str, list[tuple[list[int], int]]] = {}
        for agent, positions in self._positions.items():
            for provider, route in self.network.routes.get(agent, {}).items():
                if route.two_way:
                    back.setdefault(provider, []).append((positions, route.distance_m))
        return back


def reach_m(network: Network) -> int:
    """Return how far anything goes at most, by the charter."""
    radius_m = network.charter.radius_m
    return FARTHEST_M if radius_m is None else min(radius_m, FARTHEST_M)


def with_room(column: NDArray[Kind], rows: int) -> NDArray[Kind]:
    """Return a copy of a column that has room for so many entries and half as many more, which are still to be written."""
    longer = np.empty(rows + rows // 2, dtype=column.dtype)
    longer[: len(column)] = column
    return longer
