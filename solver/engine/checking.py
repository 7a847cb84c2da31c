"""The check of an answer in one pass, compiled: it says only whether all of it is in order, and shares nothing with who found it."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["is_proven"]

Ints = NDArray[np.int64]
LARGEST = 1 << 62  # products below it fit into 64 bits

_compiled: Any = njit(cache=True, nogil=True, error_model="numpy")


@_compiled  # type: ignore[untyped-decorator]
def is_proven(
    arcs: tuple[Ints, Ints, Ints, Ints, Ints],
    ends: tuple[Ints, Ints, Ints],
    claims: tuple[Ints, Ints, Ints, Ints],
    pressures: tuple[Ints, Ints, Ints],
    levels: int,
    worth: int,
    sums: tuple[Ints, Ints, Ints],
) -> bool:
    """Whether a flow is feasible and its pressures prove it optimal, where nothing is kept and there are no minimum parts or packs.

    `arcs` are offers, needs, efforts, limits and units; `ends` what offers have, what needs ask for, and whose claims these are; `claims`
    tiers, what was received, rises and runs; `sums` are 0 for each offer, need and claim before. What is left in doubt is not proven.
    """
    offer, need, effort, most, flow = arcs
    supply, demand, claim = ends
    tier, received, rise, run = claims
    at_offer, at_need, at_claim = pressures
    given, taken, covered = sums
    if levels > LARGEST // 8 or worth < 1 or worth > LARGEST // (4 * levels + 1):
        return False
    for pressures_there in pressures:
        for pressure in pressures_there:
            if not -LARGEST // 2 <= pressure <= LARGEST:
                return False
    farthest = 0
    for a in range(len(flow)):
        i, j = offer[a], need[a]
        if not (0 <= i < len(supply) and 0 <= j < len(demand)) or flow[a] < 0 or flow[a] > most[a]:
            return False
        farthest = max(farthest, effort[a])
        if flow[a] > supply[i] or flow[a] > demand[j]:
            return False
        given[i] += flow[a]
        taken[j] += flow[a]
        if given[i] > supply[i] or taken[j] > demand[j]:  # At once, so that no sum grows beyond 64 bits.
            return False
        slack = effort[a] + at_offer[i] - at_need[j]
        if slack < 0 and flow[a] < most[a] and min(supply[i], demand[j]) > 0:  # one unit more would gain
            return False
        if slack > 0 and flow[a] > 0:  # one unit less would
            return False
    longest = min(len(supply), len(demand))  # of chains of exchanges
    if farthest > LARGEST // (longest + 1) or worth <= farthest * longest:
        return False
    for i in range(len(supply)):
        if at_offer[i] < 0 or (at_offer[i] != 0 and given[i] < supply[i]):
            return False
    for j in range(len(demand)):
        k = claim[j]
        if not 0 <= k < len(tier):
            return False
        covered[k] += taken[j]
        if (at_need[j] > at_claim[k] and demand[j] > 0) or (at_need[j] != at_claim[k] and taken[j] < demand[j]):
            return False
    for k in range(len(tier)):
        base = levels * (4 - tier[k])
        following = (received[k] + covered[k]) * rise[k] // run[k]
        if at_claim[k] < worth * (base - min(levels - 1, following)):
            return False
        last = (received[k] + covered[k] - 1) * rise[k] // run[k]
        if covered[k] > 0 and at_claim[k] > worth * (base - min(levels - 1, last)):
            return False
    return True
