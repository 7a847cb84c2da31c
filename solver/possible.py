"""Every arc of a kept market that the rules allow. Few are in the field; of the others, those that would gain are found.

An arc left out gains when its effort is less than the pressure at its need above that at its offer. Once none gains, one can only
begin to where an offer's pressure fell, a need's rose, or something came or opened again: nothing else is looked at.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solver.errors import BadProblem
from solver.problem import WHOLE, Ints, entries_of, positions_of

__all__ = ["EACH_NEED", "EACH_OFFER", "PossibleArcs"]

EACH_OFFER, EACH_NEED = 8, 4  # arcs given at most in one round, of the many that would gain
LOOKED_AT = 4_096  # arcs that would gain, of which a round takes its few
Sides = tuple[Ints, Ints, Ints, Ints, NDArray[np.bool_]]  # owners, begins, ends, reaches, whether they take part
ROOM_KEPT = 65_536  # arcs that may gain at once before room for them is found anew each time
SPARE = 64  # entries that a table begins with
MOST_LATE = 2_048  # pairs that are in no row yet: looking through them takes as long as to fetch a few rows
MOST_ARCS = 2**31  # whose positions fit into 32 bits
TRUTH = np.dtype(np.bool_)
SIDES = (WHOLE, WHOLE, WHOLE, WHOLE, TRUTH)  # what `Sides` are of


class PossibleArcs:
    """Pairs of an offer and a need, by position in the field; what is held grows with the pairs that the rules allow.

    Each method raises `BadProblem` for positions that there is no room for, pairs that never came, and arrays that do not fit together;
    nothing has changed then.
    """

    def __init__(self, offers: int, needs: int, *, most_late: int = MOST_LATE) -> None:
        from solver.engine import following  # noqa: PLC0415 - compiled code is loaded when it is first needed

        self._engine: Any = following
        self.count = 0  # pairs
        self._offers = self._needs = 0
        self._pairs = following.Pairs(_rows(0), _rows(0), _whole(0), np.zeros(0, dtype=bool), _rows(0))
        self._in_rows = 0  # of them, those that are in the rows of their ends; the later ones are looked through one by one ...
        self._most_late = most_late  # ... up to so many
        self._of_offer, self._of_need = (following.Ends(np.zeros((0, 3), dtype=np.int32), _rows(SPARE), _whole(1)) for _ in range(2))
        self._seen = following.Seen(_whole(0), _whole(0), _rows(0), _rows(0), _rows(0))
        self._found, self._loss = _rows(SPARE), _whole(SPARE)
        self.make_room(offers, needs)

    def make_room(self, offers: int, needs: int) -> None:
        """Make room for so many, if there is not."""
        seen = self._seen
        self._offers, self._needs = max(self._offers, offers), max(self._needs, needs)
        if offers > len(seen.offer):
            seen = seen._replace(offer=_longer(seen.offer, offers, self._engine.UNSEEN), of_offer=_longer(seen.of_offer, offers, 0))
            self._of_offer = self._of_offer._replace(span=_longer(self._of_offer.span, offers, 0))
        if needs > len(seen.need):
            seen = seen._replace(need=_longer(seen.need, needs, -self._engine.UNSEEN), of_need=_longer(seen.of_need, needs, 0))
            seen = seen._replace(chosen=_rows(EACH_NEED * len(seen.need)))
            self._of_need = self._of_need._replace(span=_longer(self._of_need.span, needs, 0))
        self._seen = seen

    def allow(self, offers: Ints, needs: Ints, effort: Ints) -> None:
        """Note pairs (P,) that the rules allow, none of which was noted before, and what a unit of each takes."""
        offers, needs, effort = *self._known(offers, needs), entries_of("effort", effort, np.size(offers), 0)
        begin, end = self.count, self.count + len(offers)
        pairs = self._with_room(end)
        pairs.offer[begin:end], pairs.need[begin:end], pairs.effort[begin:end] = offers, needs, effort
        pairs.open[begin:end], pairs.arc[begin:end] = True, -1
        self._note_from(end)

    def meet(self, offered: Sides, wanted: Sides, weight: Ints, offers: Ints, needs: Ints, far: Ints, limits: tuple[int, int]) -> list[int]:
        """Note which pairs (P,) of an offer and a need each may be pairs; return how many are excluded, by rule.

        `far` (P,) is how far they are from each other, below 0 where nobody knows; `limits` are the time, and how far anything goes.
        `offered` and `wanted` tell of all offers and all needs, by position: the owner, from when on and until when something may change
        hands, how far away that may be, and whether it takes part. A unit's effort is the distance times `weight` (offers,). Of the rules
        the first counts: of one owner, at no common time, of unknown distance, too far.
        """
        offers, needs = self._known(offers, needs)
        far = entries_of("far", far, len(offers))
        for sides, least in ((offered, self._offers), (wanted, self._needs)):
            _check_long(sides, SIDES, least)
        _check_long((weight,), (WHOLE,), self._offers)
        begin, excluded = self.count, _whole(4)
        kinds = self._engine.Reach(*offered), self._engine.Reach(*wanted)
        end = self._engine.meet(self._with_room(begin + len(far)), begin, *kinds, weight, offers, needs, far, limits, excluded)
        self._note_from(end)
        counts: list[int] = excluded.tolist()
        return counts

    def _with_room(self, rows: int) -> Any:
        """Return the pairs, with room for so many."""
        if rows > len(self._pairs.arc):
            self._pairs = self._engine.Pairs(*(_longer(column, rows, 0) for column in self._pairs))
        return self._pairs

    def _note_from(self, end: int) -> None:
        """Take over pairs that were written, up to an end; into rows once there are many, as each then goes to another place in memory."""
        self.count = end
        if end - self._in_rows > self._most_late:
            self._of_offer = self._noted(self._of_offer, self._pairs.offer)
            self._of_need = self._noted(self._of_need, self._pairs.need)
            self._in_rows = end

    def _noted(self, ends: Any, position: NDArray[np.int32]) -> Any:
        """Return the rows of offers, or of needs, with the late pairs in them."""
        begin = self._in_rows
        while True:
            begin = self._engine.note_all(ends, position, begin, self.count)
            if begin == self.count:
                return ends
            held, longest = int(ends.span[:, 2].sum(dtype=np.int64)), int(ends.span[:, 1].max())
            pool = _rows(held + held // 2 + 2 * longest + SPARE)
            self._engine.squeeze(ends, pool)
            ends = ends._replace(pool=pool)

    @property
    def _late(self) -> tuple[int, int]:
        return self._in_rows, self.count

    def pairs_of(self, offers: Ints, needs: Ints) -> Ints:
        """Return where pairs are kept, -1 for those that the rules never allowed."""
        offers, needs = self._known(offers, needs)
        found = np.empty(len(offers), dtype=np.int64)
        # Copies may be written to, as all that the compiled code is prepared for.
        self._engine.find_all(self._pairs, self._of_offer, self._late, offers.copy(), needs.copy(), found)
        return found

    def _known(self, offers: Ints, needs: Ints) -> tuple[Ints, Ints]:
        """Return the ends of pairs (P,), for which there is room."""
        offers = positions_of("offers", offers, self._offers, "an offer")
        needs = positions_of("needs", needs, self._needs, "a need")
        return offers, entries_of("needs", needs, len(offers))

    def _noted_before(self, pairs: Ints) -> Ints:
        return positions_of("pairs", pairs, self.count, "a pair")

    def _check_at(self, position: int, *, is_offer: bool) -> None:
        count, what = (self._offers, "offers") if is_offer else (self._needs, "needs")
        if not 0 <= position < count:
            raise BadProblem(f"{position} came, but there is room for {count} {what}, counted from 0")

    def _pair(self, offer: int, need: int) -> int:
        return int(self.pairs_of(np.full(1, offer), np.full(1, need))[0])

    def _allowed(self, offer: int, need: int) -> int:
        pair = self._pair(offer, need)
        if pair < 0:
            raise BadProblem(f"offer {offer} and need {need} are no pair that the rules allow: `allow` it first")
        return pair

    def told(self, pairs: Ints) -> tuple[Ints, Ints, Ints]:
        """Return the offer and the need of some pairs, and what one unit of each takes."""
        pairs, noted = self._noted_before(pairs), self._pairs
        return noted.offer[pairs].astype(np.int64), noted.need[pairs].astype(np.int64), noted.effort[pairs]

    def arcs(self, pairs: Ints) -> NDArray[np.int32]:
        """Return where the field has the arcs of some pairs, -1 where they are left out."""
        arcs: NDArray[np.int32] = self._pairs.arc[self._noted_before(pairs)]
        return arcs

    def is_allowed(self, offer: int, need: int) -> bool:
        """Whether a pair may have an arc."""
        pair = self._pair(offer, need)
        return pair >= 0 and bool(self._pairs.open[pair])

    def close(self, offer: int, need: int) -> None:
        """Keep a pair that the rules allow from having an arc, if it has none."""
        self._pairs.open[self._allowed(offer, need)] = False

    def open(self, offer: int, need: int) -> None:
        """Let a pair that the rules allow have an arc again."""
        self._pairs.open[self._allowed(offer, need)] = True
        self.look_at_offer(offer)

    def look_at_offer(self, offer: int) -> None:
        """Look at all arcs of an offer the next time, because it has something again."""
        self._check_at(offer, is_offer=True)
        self._seen.offer[offer] = self._engine.UNSEEN

    def look_at_need(self, need: int) -> None:
        """Look at all arcs of a need the next time, because it asks for something again."""
        self._check_at(need, is_offer=False)
        self._seen.need[need] = -self._engine.UNSEEN

    def arc(self, offer: int, need: int) -> int:
        """Return where the field has the arc of a pair, -1 where it is left out."""
        pair = self._pair(offer, need)
        return int(self._pairs.arc[pair]) if pair >= 0 else -1

    def put(self, pairs: Ints, arcs: Ints) -> None:
        """Note that pairs (P,) have these arcs (P,) in the field from now on."""
        pairs, arcs = self._noted_before(pairs), positions_of("arcs", arcs, MOST_ARCS, "an arc")
        self._pairs.arc[pairs] = entries_of("arcs", arcs, len(pairs))

    def gaining(self, offer_pressure: Ints, need_pressure: Ints, supply: Ints, demand: Ints) -> Ints:
        """Return the pairs, a few of each offer and of each need, that gain most of the arcs left out, best first; none if none gains.

        Of arcs that gain as much, that of the first offer comes first, then that of the first need. Only offers that have some supply and
        needs that demand some count; those that do so again have to be looked at, as `look_at_offer` says. Pressures and supply are those
        of all offers (M,) there is room for, pressures and demand those of all needs (N,).
        """
        offer_pressure, supply = (entries_of("of offers", values, self._offers) for values in (offer_pressure, supply))
        need_pressure, demand = (entries_of("of needs", values, self._needs) for values in (need_pressure, demand))
        seen, most = self._seen, (EACH_OFFER, EACH_NEED, LOOKED_AT)
        state = self._pairs, self._of_offer, self._of_need, self._late, seen, offer_pressure, need_pressure, supply, demand, most
        found, loss = self._found, self._loss
        count = self._engine.gaining(*state, found, loss)
        if count < 0:
            found, loss = _rows(2 * ~count), _whole(2 * ~count)
            if len(found) <= ROOM_KEPT:
                self._found, self._loss = found, loss
            count = self._engine.gaining(*state, found, loss)
        return seen.chosen[:count].astype(np.int64)


def _check_long(arrays: Sequence[NDArray[Any]], kinds: Sequence[np.dtype[Any]], *least: int) -> None:
    """Refuse what the compiled code would read beyond, or would be compiled anew for; `least` is for each array, or one for all."""
    for array, kind, count in zip(arrays, kinds, least if len(least) > 1 else len(kinds) * least, strict=True):
        if not isinstance(array, np.ndarray) or array.dtype != kind or array.ndim != 1 or len(array) < count:
            told = f"{array.dtype} in the shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            raise BadProblem(f"{told} came, but an array of at least {count} {kind} is expected")


def _rows(count: int) -> NDArray[np.int32]:
    return np.empty(count, dtype=np.int32)


def _whole(count: int) -> Ints:
    return np.zeros(count, dtype=np.int64)


def _longer(column: Any, rows: int, fill: int) -> Any:
    """Return a column with room for so many entries, and a quarter more where it had less, so that room is rarely made."""
    if rows <= len(column):
        return column
    longer = np.full((rows + rows // 4, *column.shape[1:]), fill, dtype=column.dtype)
    longer[: len(column)] = column
    return longer
