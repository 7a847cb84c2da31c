"""What the solver is asked and what it answers: whole numbers in arrays, a position being the only name anything has."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["TIERS", "Allocation", "Gap", "Problem"]

Ints = NDArray[np.int64]

TIERS = 4  # 0 vital, 1 default, 2 useful, 3 wished


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """One resource: M offers, N needs, K claims (all needs of one agent in one tier), A arcs where a match is possible at all.

    A claim that already received ``received[k]`` units values its q-th further unit by the level its staircase has reached::

        level_k(q) = min(levels - 1, (received[k] + q - 1) * rise[k] // run[k])
        urgency_k(q) = (levels + hysteresis) * (3 - tier[k]) + levels - level_k(q)

    The answer is, first of all, the one with the greatest total urgency (so tiers come before fairness and both before
    effort), and among those the one with the least total effort. ``rise`` / ``run`` express the three fairness rules:
    portions of b units are 1/b, shares of what was asked are levels/asked, and with ``levels == 1`` fairness is off.
    """

    supply: Ints  # (M,) units an offer can give
    demand: Ints  # (N,) units a need can take
    claim: Ints  # (N,) the claim a need belongs to
    tier: Ints  # (K,) 0 to 3
    received: Ints  # (K,) units the claim received lately
    rise: Ints  # (K,) levels climbed ...
    run: Ints  # (K,) ... in this many units
    levels: int
    offer: Ints  # (A,) where an arc starts
    need: Ints  # (A,) where it ends; no two arcs share both ends
    effort: Ints  # (A,) of one unit, never negative
    most: Ints  # (A,) units this pair may carry at most
    minimum: Ints  # (A,) a part smaller than this is of no use
    kept: Ints  # (A,) units proposed now and not yet answered; moving them must gain more than `hysteresis` levels
    hysteresis: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """How far the answer is from the optimum of the same problem without minimum parts."""

    units: int  # fewer units delivered
    urgency: int  # less total urgency
    effort: int  # more effort (negative when fewer units also travel less)


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """An answer to a `Problem` and the pressures that prove it.

    Pressures are least optimal duals of the problem without minimum parts, in worth (``gap_worth * urgency`` less effort):
    effort + offer_pressure - need_pressure >= 0 on every arc with room, = 0 where it carries flow of its own choice.
    """

    flow: Ints  # (A,) units on each arc
    offer_pressure: Ints  # (M,) what one unit less there would cost; 0 where something is left over
    need_pressure: Ints  # (N,)
    claim_pressure: Ints  # (K,)
    worth: int  # of one step of urgency, in units of effort
    gap: Gap
