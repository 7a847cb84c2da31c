"""A plan at once, in place of the solver: whoever offers a thing to whoever needs it, in order, as far as it goes.

What a plan is good for is tested elsewhere. Here it has to come quickly, and whatever it suggests must do no harm.
"""

from coordinator.commitments import Book
from coordinator.matching import groups
from coordinator.network import Network, Stance
from coordinator.partners import Partners
from coordinator.planning import Mine
from coordinator.problems import Part

__all__ = ["HastyPlanner"]

METRES = 1_000


class HastyPlanner:
    """Has the methods of a planner that a coordination calls."""

    def __init__(self, network: Network, book: Book) -> None:
        self.network, self.book = network, book
        self.partners = Partners()

    def forget(self) -> None:
        """Plan anew next time."""
        self.network.changed_everywhere = True

    def plan(self, log_us: int, mine: Mine | None = None) -> bool:
        """Plan some parts, of the markets that are `mine` where that is told; return whether anything moved."""
        if not self.network.changed and not self.network.changed_everywhere:
            return False
        self.network.changed.clear()
        self.network.changed_everywhere = False
        parts = []
        markets = groups(self.network)
        for thing in [name for key, names in markets.items() if mine is None or mine(key[0]) for name in names]:
            free = {stance.ref: self._free(stance) for stance in self.network.live(thing)}
            live = self.network.live(thing)
            for offer in (one for one in live if one.is_supply):
                for need in (one for one in live if not one.is_supply):
                    grains = self._between(offer, need, free, log_us)
                    if grains > 0:
                        free[offer.ref] -= grains
                        free[need.ref] -= grains
                        parts.append(Part(offer, need, grains, METRES, need.tier, 0, None))
        self.partners = Partners(parts)
        return True

    def _free(self, stance: Stance) -> int:
        return max(0, stance.free_grains - self.book.held_grains(stance))

    def _between(self, offer: Stance, need: Stance, free: dict[str, int], log_us: int) -> int:
        if offer.agent == need.agent or offer.dimension != need.dimension:
            return 0
        ends = [end for end in (offer.end_us, need.end_us) if end is not None]
        if ends and min(ends) <= log_us:
            return 0
        limit = self.book.limit_grains(offer, need)
        grains = min(free[offer.ref], free[need.ref])
        return grains if limit is None else min(grains, limit)
