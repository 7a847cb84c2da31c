"""Every arc of a kept market that the rules allow. Few are in the field; of the others, those that would gain are found.

An arc left out gains when its effort is less than the pressure at its need above that at its offer. Once none gains, one can only
begin to where an offer's pressure fell, a need's rose, or something came or opened again: nothing else is looked at.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["PossibleArcs"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

EACH_OFFER, EACH_NEED = 8, 4  # arcs given at most in one round, of the many that would gain
LOOKED_AT = 4_096  # arcs that would gain, of which a round takes its few
UNSEEN = 2**62  # above every pressure


class PossibleArcs:
    """Offers are rows, needs are columns, by position in the field; room grows with them."""

    def __init__(self, offers: int, needs: int) -> None:
        self._effort = np.zeros((offers, needs), dtype=np.int64)
        self._allowed = np.zeros((offers, needs), dtype=bool)
        self._arc = np.full((offers, needs), -1, dtype=np.int32)  # position in the field, -1 where it is left out
        self._offer_seen = np.full(offers, UNSEEN, dtype=np.int64)  # pressure at which nothing left out of this offer gained
        self._need_seen = np.full(needs, -UNSEEN, dtype=np.int64)

    def make_room(self, offers: int, needs: int) -> None:
        """Make room for so many, and a quarter more, so that room is rarely made."""
        held = self._arc.shape
        extra = [max(0, count - had) + (had // 4 if count > had else 0) for count, had in zip((offers, needs), held, strict=True)]
        if any(extra):
            margin = [(0, more) for more in extra]
            self._effort, self._allowed = np.pad(self._effort, margin), np.pad(self._allowed, margin)
            self._arc = np.pad(self._arc, margin, constant_values=-1)
            self._offer_seen = np.pad(self._offer_seen, (0, extra[0]), constant_values=UNSEEN)
            self._need_seen = np.pad(self._need_seen, (0, extra[1]), constant_values=-UNSEEN)

    def allow(self, offers: Ints, needs: Ints, effort: Ints) -> None:
        """Note pairs that the rules allow, each end of which is new or looked at anew."""
        self._effort[offers, needs] = effort
        self._allowed[offers, needs] = True

    def is_allowed(self, offer: int, need: int) -> bool:
        """Whether a pair may have an arc."""
        return bool(self._allowed[offer, need])

    def close(self, offer: int, need: int) -> None:
        """Keep a pair from having an arc, if it has none."""
        self._allowed[offer, need] = False

    def open(self, offer: int, need: int) -> None:
        """Let a pair have an arc again."""
        self._allowed[offer, need] = True
        self.look_at_offer(offer)

    def look_at_offer(self, offer: int) -> None:
        """Look at all arcs of an offer the next time, because it has something again."""
        self._offer_seen[offer] = UNSEEN

    def look_at_need(self, need: int) -> None:
        """Look at all arcs of a need the next time, because it asks for something again."""
        self._need_seen[need] = -UNSEEN

    def arc(self, offer: int, need: int) -> int:
        """Return where the field has the arc of a pair, -1 where it is left out."""
        return int(self._arc[offer, need])

    def effort(self, offer: int, need: int) -> int:
        """Return what one unit of a pair takes."""
        return int(self._effort[offer, need])

    def put(self, offers: Ints | int, needs: Ints | int, arcs: Ints | int) -> None:
        """Note that pairs have an arc in the field from now on."""
        self._arc[offers, needs] = arcs

    def gaining(
        self, offer_pressure: Ints, need_pressure: Ints, has_some: NDArray[np.bool_], wants: NDArray[np.bool_]
    ) -> list[tuple[int, int]]:
        """Return the few of each offer and each need that gain most of the arcs left out, best first; none if none gains.

        Only offers that `has_some` and needs that `wants` count; those that do so again have to be looked at, as `look_at_offer` says.
        """
        offers, needs = len(offer_pressure), len(need_pressure)
        rows = np.flatnonzero(has_some & (offer_pressure < self._offer_seen[:offers]))
        columns = np.flatnonzero(wants & (need_pressure > self._need_seen[:needs]))
        self._offer_seen[:offers], self._need_seen[:needs] = offer_pressure, need_pressure
        if len(rows) * needs + len(columns) * offers > offers * needs:
            rows, columns = np.flatnonzero(has_some), columns[:0]
        others = has_some.copy()
        others[rows] = False
        all_columns = np.flatnonzero(wants)
        parts = [
            self._gaining_of(each, some, offer_pressure, need_pressure)
            for each, some in ((rows, all_columns), (np.flatnonzero(others), columns))
        ]
        offer, need, loss = (np.concatenate([part[field] for part in parts]) for field in range(3))
        chosen = _best_few(loss, offer, need)
        left = np.ones(len(loss), dtype=bool)
        left[chosen] = False
        self._offer_seen[offer[left]] = UNSEEN
        return [(int(offer[one]), int(need[one])) for one in chosen]

    def _gaining_of(self, rows: Ints, columns: Ints, offer_pressure: Ints, need_pressure: Ints) -> tuple[Ints, Ints, Ints]:
        """Return offers, needs and losses of the arcs between these rows and columns that are left out and would gain."""
        if not len(rows) or not len(columns):
            none = np.zeros(0, dtype=np.int64)
            return none, none, none
        block = np.ix_(rows, columns)
        loss = self._effort[block]
        loss += offer_pressure[rows][:, None]
        loss -= need_pressure[columns]
        at_row, at_column = np.nonzero((loss < 0) & self._allowed[block] & (self._arc[block] < 0))
        return rows[at_row], columns[at_column], loss[at_row, at_column]


def _best_few(loss: Ints, offers: Ints, needs: Ints) -> list[int]:
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
