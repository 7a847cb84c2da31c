"""Needs that stand, with what of each is in no plan or promise, and their sums: followed as they change, so that no question walks."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from coordinator.commitments import Book
from coordinator.loops import Stock
from coordinator.network import RESOURCE, Network, Stance, Thing

__all__ = ["OpenNeed", "OpenNeeds", "Sum"]


ALL = 2**62  # more than there can be


class OpenNeed(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One need as it stood when it was last looked at."""

    need: Stance
    thing: Thing  # canonical
    tier_used: int
    stated_grains: int
    covered_grains: int
    unpromised_tier: int | None  # as stated, where its agent has not promised all of it

    @property
    def short_grains(self) -> int:
        """What it asks for that is in no plan and no promise."""
        return max(0, self.stated_grains - self.covered_grains)


@dataclass(slots=True)
class Sum:
    """What the needs of one thing and tier come to."""

    needs: int = 0
    short_needs: int = 0
    asked_grains: int = 0
    short_grains: int = 0
    short_of: Counter[str] = field(default_factory=Counter)  # agent -> its needs that are short


class OpenNeeds:
    """All needs that stand. Whoever asks has what changed since the last question, or the last cycle, looked at first."""

    def __init__(self, network: Network, book: Book) -> None:
        self._network, self._book = network, book
        self._rows: dict[str, OpenNeed] = {}
        self._sums: dict[Stock, dict[int, Sum]] = {}
        self._unpromised: Counter[int] = Counter()
        self._aliases: Mapping[str, str] = {}  # by which the needs were counted

    def refresh(self) -> None:
        """Look at every need that may stand otherwise than when it was last looked at."""
        while not self.refresh_some(ALL):
            pass

    def refresh_some(self, at_most: int) -> bool:
        """Look at so many of the needs that may stand otherwise than when they were last looked at; return whether those were all."""
        network, aliases = self._network, self._network.aliases()
        if network.recount is None:
            self._rows, self._sums, self._unpromised = {}, {}, Counter()
            network.recount, self._aliases = set(network.standing_refs()), aliases
            return not network.recount  # To list them was enough for once.
        if aliases is not self._aliases:
            renamed = {name for name, _ in aliases.items() ^ self._aliases.items()}
            network.recount.update(need.ref for name in renamed for need in network.live((RESOURCE, name)))
            self._aliases = aliases
        moved = network.recount
        for ref in [moved.pop() for _ in range(min(at_most, len(moved)))]:
            row = self._rows.pop(ref, None)
            if row is not None:
                self._count(row, -1)
            need = network.stances.get(ref)
            if need is not None and need.kind == "need" and need.stands:
                row = self._rows[ref] = self._row(need)
                self._count(row, 1)
        return not moved

    def rows(self) -> list[OpenNeed]:
        """Return all needs that stand, in no order, not even from run to run: a copy, which may be gone through while they change."""
        self.refresh()
        return list(self._rows.values())

    def sums(self) -> dict[Stock, dict[int, Sum]]:
        """Return what they come to: for each thing in one dimension, by tier; both in no order, not even from run to run."""
        self.refresh()
        return self._sums

    def unpromised(self) -> Counter[int]:
        """Return how many needs are not promised in full by their own agents, by stated tier."""
        self.refresh()
        return +self._unpromised

    def _row(self, need: Stance) -> OpenNeed:
        _, thing, tier_used, _ = self._book.claim_of(need)
        unpromised_tier = need.tier if need.free_grains else None
        return OpenNeed(need, thing, tier_used, need.stated_grains, self._book.covered_grains(need), unpromised_tier)

    def _count(self, row: OpenNeed, times: int) -> None:
        if row.unpromised_tier is not None:
            self._unpromised[row.unpromised_tier] += times
        stock = row.thing, row.need.dimension
        tiers = self._sums.setdefault(stock, {})
        one = tiers.setdefault(row.tier_used, Sum())
        one.needs += times
        one.asked_grains += times * row.stated_grains
        if row.short_grains:
            one.short_needs += times
            one.short_grains += times * row.short_grains
            one.short_of[row.need.agent] += times
            if not one.short_of[row.need.agent]:
                del one.short_of[row.need.agent]
        if not one.needs:
            del tiers[row.tier_used]
            if not tiers:
                del self._sums[stock]
