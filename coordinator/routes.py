"""A table of known distances between agents, both ways, compact enough for millions of pairs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coordinator.wording import counted

__all__ = ["RouteTable", "route_table"]

Ints = NDArray[np.int64]
Packed = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class RouteTable:
    """A agents and P pairs of them, each pair kept in both directions: 16 bytes a pair. Build it with `route_table`."""

    agents: Sequence[str]  # (A,) in order of name; a position in the arrays means a position here
    starts: Ints  # (A + 1,) the partners of agent a stand at starts[a] to starts[a + 1]
    partners: Packed  # (2 P,) positions in `agents`, ascending within one agent
    distances_m: Packed  # (2 P,)
    conflicts: int  # how often a pair was stated again with another distance; the first stands
    conflict: tuple[str, str, int, int] | None  # the first of them: the pair, the metres that stand, and those said later
    loops: int  # how many pairs of an agent with itself were left out
    positions: dict[str, int] = field(repr=False, compare=False)

    def row(self, agent: str) -> tuple[Ints, Ints]:
        """Return the positions in `agents` of all that `agent` is connected with, ascending, and how far each is in metres."""
        position = self.positions.get(agent)
        if position is None:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        span = slice(self.starts[position], self.starts[position + 1])
        return self.partners[span].astype(np.int64), self.distances_m[span].astype(np.int64)

    def metres(self, provider: str, receiver: str) -> int | None:
        """Return the distance in whole metres, or None where the table has no such pair."""
        start, end = self.positions.get(provider), self.positions.get(receiver)
        if start is None or end is None:
            return None
        span = slice(self.starts[start], self.starts[start + 1])
        partners = self.partners[span]
        found = int(np.searchsorted(partners, end))
        if found == len(partners) or partners[found] != end:
            return None
        return int(self.distances_m[span][found])

    @property
    def farthest_m(self) -> int:
        """The longest distance in the table, 0 where it is empty."""
        return int(self.distances_m.max(initial=0))

    @property
    def pairs(self) -> int:
        """How many pairs of agents are connected."""
        return len(self.partners) // 2

    def remarks(self) -> Iterator[str]:
        """Yield, as sentences, what was stated and does not count."""
        if self.conflict is not None:
            start, end, first_m, later_m = self.conflict
            yield (
                f"{counted(self.conflicts, 'distance')} came where an earlier row says otherwise of the same pair, and the first stands: "
                f"{start} and {end} are {first_m / 1000:g} km apart, not {later_m / 1000:g} km"
            )
        if self.loops:
            yield f"{counted(self.loops, 'distance')} came from an agent to itself, which says nothing"


def route_table(names: Sequence[str], sources: ArrayLike, targets: ArrayLike, metres: ArrayLike) -> RouteTable:
    """Return the table of (P,) stated pairs: positions in `names`, which are distinct, and whole metres below 2^31.

    A pair is one whichever end is named first, and its first statement stands.
    """
    agents = sorted(names)
    positions = {name: position for position, name in enumerate(agents)}
    in_order = np.array([positions[name] for name in names], dtype=np.int32)
    lower, upper, kept_m, otherwise = _first_statements(
        in_order[np.asarray(sources, np.int32)], in_order[np.asarray(targets, np.int32)], np.asarray(metres, np.int32), len(agents)
    )
    apart = lower != upper
    loops = len(apart) - int(apart.sum())
    if loops:
        lower, upper, kept_m = lower[apart], upper[apart], kept_m[apart]
    starts, partners, distances_m = _both_ways(lower, upper, kept_m, len(agents))
    start, end, later_m = (np.asarray(column)[otherwise] for column in (sources, targets, metres))
    start, end, later_m = (column[start != end] for column in (start, end, later_m))
    table = RouteTable(agents, starts, partners, distances_m, len(later_m), None, loops, positions)
    if not len(later_m):
        return table
    pair = names[int(start[0])], names[int(end[0])]
    stands_m = table.metres(*pair)
    assert stands_m is not None  # an earlier row said it
    return replace(table, conflict=(*pair, stands_m, int(later_m[0])))


def _first_statements(sources: Packed, targets: Packed, metres: Packed, agents: int) -> tuple[Packed, Packed, Packed, Ints]:
    """Return each pair once, ascending by (lower, upper), with its first distance; and the positions of later ones that say otherwise."""
    keys = np.minimum(sources, targets).astype(np.int64)
    keys *= agents
    keys += np.maximum(sources, targets)
    order = np.argsort(keys, kind="stable")
    keys, metres = keys[order], metres[order]
    first = np.ones(len(keys), dtype=bool)
    first[1:] = keys[1:] != keys[:-1]
    otherwise = order[:0]
    if not first.all():
        stands_m = metres[first]
        otherwise = np.sort(order[metres != stands_m[np.cumsum(first) - 1]])
        keys, metres = keys[first], stands_m
    return (keys // agents).astype(np.int32), (keys % agents).astype(np.int32), metres, otherwise


def _both_ways(lower: Packed, upper: Packed, metres: Packed, agents: int) -> tuple[Ints, Packed, Packed]:
    """Return starts, partners and metres of every agent's row; a row holds its lower partners, then its upper ones, so it ascends."""
    above = np.concatenate(([0], np.cumsum(np.bincount(lower, minlength=agents))))
    below = np.concatenate(([0], np.cumsum(np.bincount(upper, minlength=agents))))
    partners = np.empty(2 * len(lower), dtype=np.int32)
    distances_m = np.empty(2 * len(lower), dtype=np.int32)
    # Before a pair's place in its lower agent's row stand the pairs before it, and all lower partners of the agents up to this one.
    places = np.arange(len(lower)) + below[lower + 1]
    partners[places], distances_m[places] = upper, metres
    by_upper = np.argsort(upper, kind="stable")
    places = np.arange(len(upper)) + above[upper[by_upper]]
    partners[places], distances_m[places] = lower[by_upper], metres[by_upper]
    return above + below, partners, distances_m
