"""Who can reach whom, seen from each need: the matching rules told need by need, where planning counts them over all pairs."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from coordinator.commitments import Book
from coordinator.matching import AT_ONCE, Group, Hidden, Market, groups
from coordinator.network import Network, Stance

__all__ = ["Reach", "first_obstacles", "markets", "reach"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MOST_GRAINS = 2**62  # more is compared as if it were this much: whether a part is large enough does not depend on it


@dataclass(slots=True)
class Reach:
    """What the rules leave of all pairs of some offers and needs, both in order of ref."""

    offers: Sequence[Stance]
    needs: Sequence[Stance]
    reached: Ints  # (needs,) offers that could serve it
    agents: list[dict[str, None]]  # (needs,) up to two agents that could serve it: none, the only one, or more than one
    hidden: dict[Hidden, Ints] = field(default_factory=dict)  # (needs,) offers that this rule, the first that applies, keeps from it
    rows: dict[bytes, list[int]] = field(default_factory=dict)  # packed bits of the needs reached -> the offers that reach just these

    def why_not(self, need: int) -> Counter[Hidden]:
        """Return how many offers each rule keeps from a need."""
        return Counter({why: int(counts[need]) for why, counts in self.hidden.items() if counts[need]})


def markets(network: Network) -> Iterator[tuple[Group, str, list[Stance]]]:
    """Yield all that stands in groups that could meet: canonical things linked by accepted substitutes, and a dimension."""
    for together, things in groups(network).items():
        by_dimension: dict[str, list[Stance]] = {}
        for thing in things:
            for stance in network.live(thing):
                by_dimension.setdefault(stance.dimension, []).append(stance)
        for dimension, stances in sorted(by_dimension.items()):
            yield together, dimension, sorted(stances, key=lambda stance: stance.ref)


def reach(
    network: Network, book: Book, offers: Sequence[Stance], needs: Sequence[Stance], log_us: int, grains: Callable[[Stance], int]
) -> Reach:
    """Return which offers can reach which needs, and what keeps the others away; `grains` says how much of a stance counts."""
    rules = _Rules(Market(network, book, offers, needs, log_us), grains)
    told = Reach(offers, needs, np.zeros(len(needs), dtype=np.int64), [{} for _ in needs])
    several = np.zeros(len(needs), dtype=bool)
    at_once = max(1, AT_ONCE // max(1, len(needs)))
    for begin in range(0, len(offers), at_once):
        positions = range(begin, min(begin + at_once, len(offers)))
        able = np.ones((len(positions), len(needs)), dtype=bool)
        for why, allowed in rules.of(positions):
            hidden = np.count_nonzero(able & ~allowed, axis=0)
            if hidden.any():
                told.hidden.setdefault(why, np.zeros(len(needs), dtype=np.int64))[:] += hidden
            able &= allowed
        told.reached += np.count_nonzero(able, axis=0)
        for position, bits, row in zip(positions, np.packbits(able, axis=1), able, strict=True):
            told.rows.setdefault(bits.tobytes(), []).append(position)
            for need in np.flatnonzero(row & ~several):
                told.agents[need][offers[position].agent] = None
                several[need] = len(told.agents[need]) > 1
    return told


def first_obstacles(
    network: Network, book: Book, offers: Sequence[Stance], need: Stance, log_us: int, grains: Callable[[Stance], int]
) -> list[Hidden | None]:
    """Return, for each offer, the first rule that keeps it from a need, None where it could serve."""
    rules = _Rules(Market(network, book, offers, [need], log_us), grains)
    first: list[Hidden | None] = []
    for begin in range(0, len(offers), AT_ONCE):
        positions = range(begin, min(begin + AT_ONCE, len(offers)))
        some: list[Hidden | None] = [None] * len(positions)
        able = np.ones(len(positions), dtype=bool)
        for why, allowed in rules.of(positions):
            for at in np.flatnonzero(able & ~allowed[:, 0]).tolist():
                some[at] = why
            able &= allowed[:, 0]
        first += some
    return first


class _Rules:
    """The rules of a market, and the two that planning adds: what a pair declined, and parts that are too small."""

    def __init__(self, market: Market, grains: Callable[[Stance], int]) -> None:
        self._market = market
        self._supply = [min(grains(offer), MOST_GRAINS) for offer in market.offers]
        self._wanted: Ints = np.array([min(grains(need), MOST_GRAINS) for need in market.needs], dtype=np.int64)
        self._minimum: Ints = np.array([min(need.minimum_grains, MOST_GRAINS) for need in market.needs], dtype=np.int64)

    def of(self, positions: range) -> Iterator[tuple[Hidden, Bools]]:
        """Yield each rule with the pairs of these offers and all needs that it allows, in the order in which planning applies them."""
        offers = self._market.offers[positions.start : positions.stop]
        yield from self._market.rules(offers, self._market.distances_m(offers))
        most = np.minimum(self._wanted, np.array(self._supply[positions.start : positions.stop], dtype=np.int64)[:, None])
        for row, position in enumerate(positions):
            for limited, limit_grains in self._market.limits_of(position):
                most[row, limited] = min(int(most[row, limited]), limit_grains)
        yield Hidden.DECLINED, most > 0
        least: Ints = np.array([min(offer.minimum_grains, MOST_GRAINS) for offer in offers], dtype=np.int64)
        yield Hidden.MINIMUM, most >= np.maximum(self._minimum, least[:, None])
