"""Parts too small to be of use, and packs that cannot be broken: hopeless pairs are closed before the flow, parts mended after it.

With minimum parts, or packs of several sizes, the exact problem is NP-hard. The optimum is therefore taken without them, and
mended in one pass, where a part that is less than a pack is too small as well:

1. As long as a part is too small or breaks a pack, the first by tier, effort and position is held at the next size it may have, its
   minimum or one pack more, or kept to the size before, nothing or whole packs, whichever leaves the better optimum of all the
   rest; then the last decisions are taken the other way as long as something better may come of it (`solver.holding`, a branch
   and bound): `LOOKS` times at most, the second part less often in large networks.
2. Small parts that are left after that many are looked at in the same order, without solving anything again.
3. Each is topped up to its minimum where that is possible: at its offer from what is left over, then from other parts there;
   at its need from what is unmet, then in place of other parts there. Another part gives only what it has above its own
   minimum, and only to a need at least as vital as its own. Where it is not possible, the part is dropped.
4. Broken packs are taken back. What is free then is offered once more by tier, effort and position, in whole packs, wherever
   the minimum is reached.

Steps 2 to 4 are also done to the optimum as it was, without step 1, and the better of both plans is taken: the one with more
urgency in tier 0, then in tier 1, 2, 3, then with less effort.
"""

from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from solver.errors import TooLarge
from solver.fairness import total_effort, total_urgency
from solver.holding import hold_or_close
from solver.problem import TIERS, Gap, Ints, Problem, pack_of

__all__ = ["close_hopeless", "mend"]

LOOKS = 300  # parts decided by solving again, which takes two or three local searches each
WORK = 100_000  # arcs looked at to decide parts the other way


def close_hopeless(problem: Problem) -> Problem:
    """Return the problem with nothing to carry for pairs whose largest possible part is below their minimum."""
    if not problem.minimum.any():
        return problem
    largest = np.minimum(np.minimum(problem.supply[problem.offer], problem.demand[problem.need]), problem.most)
    hopeless = largest < problem.minimum
    return replace(problem, most=np.where(hopeless, 0, problem.most)) if hopeless.any() else problem


def mend(problem: Problem, flow: Ints) -> tuple[Ints, Gap]:
    """Return a flow without parts below their minimum or broken packs, and how far it is from ``flow``, the optimum without these."""
    whole = _in_packs(problem)
    if not _too_small(whole, flow).any() and not (flow % pack_of(problem)).any():
        return flow, Gap(0, 0, 0)
    mended = _topped_up(whole, flow)
    with suppress(TooLarge):  # A field leaves itself room to grow; where 64 bits do not hold that, steps 2 to 4 are the answer.
        looked_at = _topped_up(whole, hold_or_close(_without_crumbs(whole), LOOKS, WORK // len(flow)))
        mended = max(looked_at, mended, key=lambda plan: _goodness(problem, plan))
    gap = Gap(
        units=int(flow.sum() - mended.sum()),
        urgency=total_urgency(problem, flow) - total_urgency(problem, mended),
        effort=total_effort(problem, mended - flow),
    )
    return mended, gap


def _too_small(problem: Problem, flow: Ints) -> NDArray[np.bool_]:
    return (flow > 0) & (flow < problem.minimum)


def _in_packs(problem: Problem) -> Problem:
    """Return the problem with minimum parts of whole packs, one at least, and pairs closed that cannot reach theirs."""
    if problem.pack is None:
        return problem
    pack = pack_of(problem)
    whole = np.where(pack > 1, np.maximum(-(-problem.minimum // pack), 1) * pack, problem.minimum)
    return close_hopeless(replace(problem, minimum=whole))


def _without_crumbs(problem: Problem) -> Problem:
    """Return the problem without what no whole packs could ever carry: the less a flow may do in vain, the sooner packs are whole."""
    if problem.pack is None:
        return problem
    pack, together = pack_of(problem), np.zeros_like(problem.demand)
    np.gcd.at(together, problem.need, pack)  # What a need can take is a multiple of what all packs it may get have in common.
    supply, demand = problem.supply - problem.supply % problem.pack, problem.demand - problem.demand % np.maximum(together, 1)
    most = np.minimum(np.minimum(supply[problem.offer], demand[problem.need]), problem.most)
    return replace(problem, supply=supply, demand=demand, most=most - most % pack)


def _goodness(problem: Problem, flow: Ints) -> tuple[int, ...]:
    """Return the urgency of a plan in each tier, then its effort, so that the greater is the better."""
    tier = problem.tier[problem.claim[problem.need]]
    by_tier = [total_urgency(problem, np.where(tier == each, flow, 0)) for each in range(TIERS)]
    return (*by_tier, -total_effort(problem, flow))


def _topped_up(problem: Problem, flow: Ints) -> Ints:
    """Return the flow with each part that is too small topped up or dropped, and what that and broken packs free offered again."""
    small = np.flatnonzero(_too_small(problem, flow))
    mending = _Mending(problem, flow)
    for arc in small[mending.order(small)].tolist():
        if not mending.top_up(arc):
            mending.drop(arc)
    mending.take_back_broken_packs()
    mending.offer_again()
    return mending.flow


class _Mending:
    """A flow being mended, with what is left over and unmet."""

    def __init__(self, problem: Problem, flow: Ints) -> None:
        self.problem = problem
        self.flow = flow.copy()
        self.left = problem.supply.copy()
        self.unmet = problem.demand.copy()
        np.subtract.at(self.left, problem.offer, flow)
        np.subtract.at(self.unmet, problem.need, flow)
        self.tier = problem.tier[problem.claim[problem.need]]
        self.pack = pack_of(problem)

    def order(self, arcs: Ints) -> Ints:
        """Return the places of ``arcs`` by tier, effort, position."""
        return np.lexsort((arcs, self.problem.effort[arcs], self.tier[arcs]))

    def top_up(self, arc: int) -> bool:
        """Bring a part to its minimum; return whether that was possible. If not, nothing has changed."""
        problem = self.problem
        missing = int(problem.minimum[arc] - self.flow[arc])
        if missing <= 0:
            return True  # An earlier part gave way to it, or it was topped up already.
        if problem.minimum[arc] > problem.most[arc]:
            return False
        offer, need = problem.offer[arc], problem.need[arc]
        from_offer = self._givers(arc, problem.offer == offer, missing - int(self.left[offer]))
        from_need = self._givers(arc, problem.need == need, missing - int(self.unmet[need]))
        if from_offer is None or from_need is None:
            return False
        for giver, units in from_offer + from_need:
            self._add(giver, -units)
        self._add(arc, missing)
        return True

    def drop(self, arc: int) -> None:
        self._add(arc, -int(self.flow[arc]))

    def take_back_broken_packs(self) -> None:
        for arc in np.flatnonzero(self.flow % self.pack).tolist():
            self._add(arc, -int(self.flow[arc] % self.pack[arc]))

    def offer_again(self) -> None:
        """Give what is left over to what is unmet, in whole packs, wherever a part reaches its minimum."""
        problem = self.problem
        possible = np.flatnonzero((self.left[problem.offer] > 0) & (self.unmet[problem.need] > 0) & (problem.most > self.flow))
        for arc in possible[self.order(possible)].tolist():
            free = min(self.left[problem.offer[arc]], self.unmet[problem.need[arc]], problem.most[arc] - self.flow[arc])
            free -= free % self.pack[arc]
            if free > 0 and self.flow[arc] + free >= problem.minimum[arc]:
                self._add(arc, int(free))

    def _givers(self, arc: int, beside: NDArray[np.bool_], wanted: int) -> list[tuple[int, int]] | None:
        """Return which parts ``beside`` an arc give how much, the least vital and farthest first; None if not ``wanted`` units."""
        given: list[tuple[int, int]] = []
        if wanted <= 0:
            return given
        spare = np.where(beside & (self.tier >= self.tier[arc]), self.flow - self.problem.minimum, 0)
        spare[arc] = 0
        able = np.flatnonzero(spare > 0)
        for giver in able[self.order(able)[::-1]].tolist():
            units = min(wanted, int(spare[giver]))
            given.append((giver, units))
            wanted -= units
            if wanted == 0:
                return given
        return None

    def _add(self, arc: int, units: int) -> None:
        self.flow[arc] += units
        self.left[self.problem.offer[arc]] -= units
        self.unmet[self.problem.need[arc]] -= units
