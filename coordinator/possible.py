"""Every arc of a kept market that the rules allow. Few are in the field; of the others, those that would gain are found.

An arc left out gains when its effort is less than the pressure at its need above that at its offer. Once none gains, one can only
begin to where an offer's pressure fell, a need's rose, or something came or opened again: nothing else is looked at.
"""

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PossibleArcs"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

EACH_OFFER, EACH_NEED = 8, 4  # arcs given at most in one round, of the many that would gain
LOOKED_AT = 4_096  # arcs that would gain, of which a round takes its few
UNSEEN = 2**62  # above every pressure
NOTHING = np.zeros(0, dtype=np.int64)
NO_PAIRS = NOTHING.astype(np.int32)


class PossibleArcs:
    """Pairs of an offer and a need, by position in the field; what is held grows with the pairs that the rules allow."""

    def __init__(self, offers: int, needs: int) -> None:
        self._offer, self._need = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32)  # of each pair, in the order they came
        self._effort = np.zeros(0, dtype=np.int64)
        self._open = np.zeros(0, dtype=bool)
        self._arc = np.zeros(0, dtype=np.int32)  # position in the field, -1 where it is left out
        self.count = 0  # entries of these in use
        self._at: dict[tuple[int, int], int] = {}  # where those pairs are that have an arc, or are to have one
        self._of_offer: list[array[int]] = []  # where its pairs are
        self._of_need: list[array[int]] = []
        self._offer_seen, self._need_seen = NOTHING, NOTHING  # pressures at which nothing left out of it gained
        self.make_room(offers, needs)

    def make_room(self, offers: int, needs: int) -> None:
        """Make room for so many."""
        for rows, count in ((self._of_offer, offers), (self._of_need, needs)):
            rows.extend(array("i") for _ in range(count - len(rows)))
        self._offer_seen = _with_room(self._offer_seen, offers, UNSEEN)
        self._need_seen = _with_room(self._need_seen, needs, -UNSEEN)

    def allow(self, offers: Ints, needs: Ints, effort: Ints) -> None:
        """Note pairs that the rules allow, none of which was noted before."""
        if not len(offers):
            return
        begin, end = self.count, self.count + len(offers)
        if end > len(self._arc):
            for name in ("_offer", "_need", "_effort", "_open", "_arc"):
                setattr(self, name, _with_room(getattr(self, name), end, 0))
        self._offer[begin:end], self._need[begin:end], self._effort[begin:end] = offers, needs, effort
        self._open[begin:end], self._arc[begin:end] = True, -1
        self.count = end
        for ends, rows in ((offers, self._of_offer), (needs, self._of_need)):
            if (ends[1:] > ends[:-1]).all():  # each once, as where one is new and meets the others
                for pair, position in enumerate(ends.tolist(), begin):
                    rows[position].append(pair)
                continue
            order = np.argsort(ends, kind="stable")
            first = np.flatnonzero(np.diff(ends[order], prepend=-1))
            pairs = (begin + order).astype(np.int32).tobytes()
            bounds = [4 * bound for bound in (*first.tolist(), len(order))]
            for at, position in enumerate(ends[order[first]].tolist()):
                rows[position].frombytes(pairs[bounds[at] : bounds[at + 1]])

    def _pair(self, offer: int, need: int) -> int:
        """Return where a pair is kept, -1 if the rules never allowed it."""
        known = self._at.get((offer, need))
        if known is not None:
            return known
        pairs = np.asarray(self._of_offer[offer])
        found = pairs[self._need[pairs] == need]
        return int(found[0]) if len(found) else -1

    def is_allowed(self, offer: int, need: int) -> bool:
        """Whether a pair may have an arc."""
        pair = self._pair(offer, need)
        return pair >= 0 and bool(self._open[pair])

    def close(self, offer: int, need: int) -> None:
        """Keep a pair that the rules allow from having an arc, if it has none."""
        self._open[self._pair(offer, need)] = False

    def open(self, offer: int, need: int) -> None:
        """Let a pair that the rules allow have an arc again."""
        self._open[self._pair(offer, need)] = True
        self.look_at_offer(offer)

    def look_at_offer(self, offer: int) -> None:
        """Look at all arcs of an offer the next time, because it has something again."""
        self._offer_seen[offer] = UNSEEN

    def look_at_need(self, need: int) -> None:
        """Look at all arcs of a need the next time, because it asks for something again."""
        self._need_seen[need] = -UNSEEN

    def arc(self, offer: int, need: int) -> int:
        """Return where the field has the arc of a pair, -1 where it is left out."""
        pair = self._pair(offer, need)
        return int(self._arc[pair]) if pair >= 0 else -1

    def effort(self, offer: int, need: int) -> int:
        """Return what one unit of a pair takes."""
        return int(self._effort[self._pair(offer, need)])

    def put(self, offer: int, need: int, arc: int) -> None:
        """Note that a pair has an arc in the field from now on."""
        self._at[offer, need] = pair = self._pair(offer, need)
        self._arc[pair] = arc

    def put_all(self, offers: Ints, needs: Ints) -> None:
        """Note that the first arcs of the field are those of these pairs, in their order."""
        wide = len(self._of_need)
        pairs = self._offer[: self.count].astype(np.int64) * wide + self._need[: self.count]
        order = np.argsort(pairs)
        places = order[np.searchsorted(pairs[order], offers * wide + needs)]
        self._arc[places] = np.arange(len(offers))
        self._at.update(zip(zip(offers.tolist(), needs.tolist(), strict=True), places.tolist(), strict=True))

    def gaining(self, offer_pressure: Ints, need_pressure: Ints, has_some: Bools, wants: Bools) -> list[tuple[int, int]]:
        """Return the few of each offer and each need that gain most of the arcs left out, best first; none if none gains.

        Only offers that `has_some` and needs that `wants` count; those that do so again have to be looked at, as `look_at_offer` says.
        """
        offers, needs = len(offer_pressure), len(need_pressure)
        fell = has_some & (offer_pressure < self._offer_seen[:offers])
        rose = wants & (need_pressure > self._need_seen[:needs])
        self._offer_seen[:offers], self._need_seen[:needs] = offer_pressure, need_pressure
        pairs = self._pairs_at(fell, rose)
        offer, need = self._offer[pairs], self._need[pairs]
        loss = self._effort[pairs] + offer_pressure[offer] - need_pressure[need]
        near = np.flatnonzero(loss < 0)  # few, and the other rules are asked of these alone
        pairs, offer, need, loss = pairs[near], offer[near], need[near], loss[near]
        gains = np.flatnonzero(self._open[pairs] & (self._arc[pairs] < 0) & has_some[offer] & wants[need])
        if not len(gains):
            return []
        pairs, offer, need, loss = pairs[gains], offer[gains], need[gains], loss[gains]
        chosen = _best_few(loss, offer, need)
        left = np.ones(len(loss), dtype=bool)
        left[chosen] = False
        self._offer_seen[offer[left]] = UNSEEN
        found = [(int(offer[one]), int(need[one])) for one in chosen]
        self._at.update(zip(found, pairs[chosen].tolist(), strict=True))
        return found

    def _pairs_at(self, offers: Bools, needs: Bools) -> NDArray[np.int32]:
        """Return every pair of some offers, and of some needs with the other offers."""
        of_offers = [np.asarray(self._of_offer[each]) for each in np.flatnonzero(offers).tolist()]
        of_needs = [np.asarray(self._of_need[each]) for each in np.flatnonzero(needs).tolist()]
        if sum(map(len, of_offers)) + sum(map(len, of_needs)) > self.count:
            return np.arange(self.count, dtype=np.int32)
        others = np.concatenate((NO_PAIRS, *of_needs))
        return np.concatenate((NO_PAIRS, *of_offers, others[~offers[self._offer[others]]]))


def _with_room(column: Any, rows: int, fill: int) -> Any:
    """Return a column with room for so many entries, and a quarter more where it had less, so that room is rarely made."""
    if rows <= len(column):
        return column
    return np.concatenate((column, np.full(rows + rows // 4 - len(column), fill, dtype=column.dtype)))


def _best_few(loss: Ints, offers: NDArray[np.int32], needs: NDArray[np.int32]) -> list[int]:
    """Return the positions of the arcs that gain most, a few of each offer and of each need, in order of gain, offer, need."""
    last = np.partition(loss, LOOKED_AT)[LOOKED_AT] if len(loss) > LOOKED_AT else UNSEEN
    near = np.flatnonzero(loss <= last)  # with all that gain as much as the last one, so that none of them comes by chance
    order = near[np.lexsort((needs[near], offers[near], loss[near]))]
    chosen: list[int] = []
    of_offer: dict[int, int] = {}
    of_need: dict[int, int] = {}
    for position, offer, need in zip(order.tolist(), offers[order].tolist(), needs[order].tolist(), strict=True):
        if of_offer.get(offer, 0) < EACH_OFFER and of_need.get(need, 0) < EACH_NEED:
            of_offer[offer] = of_offer.get(offer, 0) + 1
            of_need[need] = of_need.get(need, 0) + 1
            chosen.append(position)
    return chosen
