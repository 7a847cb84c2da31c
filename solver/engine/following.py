"""What following a market does again and again, compiled: pairs by their ends, and which of the arcs left out would gain."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Not what a network looks like: what is compiled here stays in the cache when only that other file is changed.
from solver.engine.kernel import Ints, Rows, inner, lean

__all__ = ["UNSEEN", "Ends", "Pairs", "Reach", "Seen", "find_all", "gaining", "levels_before", "meet", "note_all", "squeeze"]

BEGIN, COUNT, SPACE = range(3)  # columns of `Ends.span`
UNSEEN = 2**62  # above every pressure


class Pairs(NamedTuple):
    """Pairs of an offer and a need, in the order they came."""

    offer: Rows
    need: Rows
    effort: Ints
    open: NDArray[np.bool_]
    arc: Rows  # position in the field, -1 where it is left out


class Ends(NamedTuple):
    """Which pairs each offer, or each need, is in: a row of `pool` each."""

    span: Rows  # (ends, 3)
    pool: Rows
    used: Ints  # (1,) entries of the pool, rows that were left behind among them


class Reach(NamedTuple):
    """What the rules compare of offers, or of needs, by position, with room for more."""

    owner: Ints
    begin: Ints  # from when on, and until when, something may change hands there
    end: Ints
    within: Ints  # how far away it may be
    here: NDArray[np.bool_]  # whether it takes part


class Seen(NamedTuple):
    """What is known from the last look, and room for the next."""

    offer: Ints  # pressures at which nothing left out of it gained
    need: Ints
    of_offer: Rows  # how many arcs each is given; 0 between two looks
    of_need: Rows
    chosen: Rows  # pairs


@lean
def meet(
    pairs: Pairs,
    count: int,
    offered: Reach,
    wanted: Reach,
    weight: Ints,
    offers: Ints,
    needs: Ints,
    far: Ints,
    limits: tuple[int, int],
    excluded: Ints,
) -> int:
    """Write, after `count` others, which of some offers and needs, paired by position, may be pairs; return how many there are then.

    `far` is how far the two are from each other, below 0 where nobody knows; `limits` are the time, and how far anything goes. A unit's
    effort is the distance times the offer's `weight`. `excluded` counts pairs by the first rule that excludes them: of one owner, at no
    common time, of unknown distance, too far.
    """
    for x in range(len(far)):
        i, j = offers[x], needs[x]
        if not (offered.here[i] and wanted.here[j]):
            continue
        if offered.owner[i] == wanted.owner[j]:
            excluded[0] += 1
        elif max(wanted.begin[j], offered.begin[i], limits[0]) >= min(wanted.end[j], offered.end[i]):
            excluded[1] += 1
        elif far[x] < 0:
            excluded[2] += 1
        elif far[x] > min(wanted.within[j], offered.within[i], limits[1]):
            excluded[3] += 1
        else:
            pairs.offer[count], pairs.need[count] = i, j
            pairs.effort[count] = far[x] * weight[i]
            pairs.open[count], pairs.arc[count] = True, -1
            count += 1
    return count


@lean
def note_all(ends: Ends, position: Rows, begin: int, end: int) -> int:
    """Add the pairs from `begin` on to the row of the end that each has; return the first that found no room, or `end`."""
    span, pool, used = ends.span, ends.pool, ends.used
    for pair in range(begin, end):
        row = position[pair]
        count = span[row, COUNT]
        if count == span[row, SPACE]:
            space = count + count // 2 + 4
            if used[0] + space > len(pool):
                return pair
            start, moved = used[0], span[row, BEGIN]
            for x in range(count):
                pool[start + x] = pool[moved + x]
            span[row, BEGIN] = start
            span[row, SPACE] = space
            used[0] += space
        pool[span[row, BEGIN] + count] = pair
        span[row, COUNT] = count + 1
    return end


@lean
def squeeze(ends: Ends, pool: Rows) -> None:
    """Move all rows to another pool, one behind the other."""
    span, at = ends.span, 0
    for row in range(len(span)):
        start = span[row, BEGIN]
        for x in range(span[row, COUNT]):
            pool[at + x] = ends.pool[start + x]
        span[row, BEGIN] = at
        at += span[row, SPACE]
    ends.used[0] = at


@lean
def find_all(pairs: Pairs, of_offer: Ends, late: tuple[int, int], offers: Ints, needs: Ints, found: Ints) -> None:
    """Write where each pair is, -1 where it never came; `late` is where those begin and end that are in no row yet."""
    span, pool, need = of_offer.span, of_offer.pool, pairs.need
    for x in range(len(offers)):
        found[x] = -1
        start = span[offers[x], BEGIN]
        for y in range(start, start + span[offers[x], COUNT]):
            if need[pool[y]] == needs[x]:
                found[x] = pool[y]
                break
        for pair in range(late[0], late[1] if found[x] < 0 else 0):
            if need[pair] == needs[x] and pairs.offer[pair] == offers[x]:
                found[x] = pair
                break


@inner
def _comes_before(pairs: Pairs, found: Rows, loss: Ints, x: int, y: int) -> bool:
    """Whether one of two entries gains more; of equals the one of the first offer, then of the first need."""
    if loss[x] != loss[y]:
        return int(loss[x]) < int(loss[y])
    i, other = int(pairs.offer[found[x]]), int(pairs.offer[found[y]])
    return i < other or (i == other and int(pairs.need[found[x]]) < int(pairs.need[found[y]]))


@inner
def _exchange(found: Rows, loss: Ints, x: int, y: int) -> None:
    kept_pair, kept_loss = found[x], loss[x]
    found[x], loss[x] = found[y], loss[y]
    found[y], loss[y] = kept_pair, kept_loss


@inner
def _sink(pairs: Pairs, found: Rows, loss: Ints, x: int, count: int) -> None:
    """Bring a heap of so many entries, the best first, in order again below one of them."""
    while True:
        below = 2 * x + 1
        if below >= count:
            return
        if below + 1 < count and _comes_before(pairs, found, loss, below + 1, below):
            below += 1
        if not _comes_before(pairs, found, loss, below, x):
            return
        _exchange(found, loss, below, x)
        x = below


@inner
def _find(pairs: Pairs, pair: int, lost: int, found: Rows, loss: Ints, count: int) -> int:
    """Note a pair that gains, unless it is closed or has its arc; return how many are noted."""
    if pairs.open[pair] and pairs.arc[pair] < 0:
        found[count], loss[count] = pair, lost
        return count + 1
    return count


@lean
def gaining(
    pairs: Pairs,
    of_offer: Ends,
    of_need: Ends,
    late: tuple[int, int],
    seen: Seen,
    offer_pressure: Ints,
    need_pressure: Ints,
    supply: Ints,
    demand: Ints,
    most: tuple[int, int, int],
    found: Rows,
    loss: Ints,
) -> int:
    """Return how many arcs it chose of those left out that gain, and write their pairs to `seen.chosen`, the best first.

    `late` is where the pairs begin and end that are in no row of an end yet. `most` are those of one offer, of one need, and looked at.
    Where `found` and `loss` may not hold all that gain nothing was done, and the number comes inverted that surely does.
    """
    room = late[1] - late[0]
    for i in range(len(offer_pressure)):
        if supply[i] > 0 and offer_pressure[i] < seen.offer[i]:
            room += of_offer.span[i, COUNT]
    for j in range(len(need_pressure)):
        if demand[j] > 0 and need_pressure[j] > seen.need[j]:
            room += of_need.span[j, COUNT]
    if room > len(found):
        return ~room
    count = 0
    for i in range(len(offer_pressure)):
        if supply[i] > 0 and offer_pressure[i] < seen.offer[i]:
            start = of_offer.span[i, BEGIN]
            for x in range(start, start + of_offer.span[i, COUNT]):
                pair = of_offer.pool[x]
                j = pairs.need[pair]
                lost = pairs.effort[pair] + offer_pressure[i] - need_pressure[j]
                if lost < 0 and demand[j] > 0:
                    count = _find(pairs, pair, lost, found, loss, count)
    for j in range(len(need_pressure)):
        if demand[j] > 0 and need_pressure[j] > seen.need[j]:
            start = of_need.span[j, BEGIN]
            for x in range(start, start + of_need.span[j, COUNT]):
                pair = of_need.pool[x]
                i = pairs.offer[pair]
                lost = pairs.effort[pair] + offer_pressure[i] - need_pressure[j]
                # Those of offers that were looked at above came there.
                if lost < 0 and supply[i] > 0 and offer_pressure[i] >= seen.offer[i]:
                    count = _find(pairs, pair, lost, found, loss, count)
    for pair in range(late[0], late[1]):
        i, j = pairs.offer[pair], pairs.need[pair]
        lost = pairs.effort[pair] + offer_pressure[i] - need_pressure[j]
        if lost < 0 and supply[i] > 0 and demand[j] > 0 and (offer_pressure[i] < seen.offer[i] or need_pressure[j] > seen.need[j]):
            count = _find(pairs, pair, lost, found, loss, count)
    for i in range(len(offer_pressure)):
        seen.offer[i] = offer_pressure[i]
    for j in range(len(need_pressure)):
        seen.need[j] = need_pressure[j]
    return _best_few(pairs, seen, most, found, loss, count)


@lean
def _best_few(pairs: Pairs, seen: Seen, most: tuple[int, int, int], found: Rows, loss: Ints, count: int) -> int:
    """Choose those that gain most, a few of each offer and each need; an end of each that is left is to be looked at again."""
    chosen, last, looked, left_over = 0, 0, 0, count
    for x in range(count // 2 - 1, -1, -1):
        _sink(pairs, found, loss, x, count)
    left = count
    while left > 0 and (looked <= most[2] or loss[0] == last):  # with all that gain as much as the last one: none of them comes by chance
        pair, last = found[0], loss[0]
        looked += 1
        left -= 1
        found[0], loss[0] = found[left], loss[left]
        _sink(pairs, found, loss, 0, left)
        i, j = pairs.offer[pair], pairs.need[pair]
        if seen.of_offer[i] < most[0] and seen.of_need[j] < most[1]:
            seen.of_offer[i] += 1
            seen.of_need[j] += 1
            seen.chosen[chosen] = pair
            chosen += 1
        else:
            left_over -= 1  # Where the heap was there is room behind it, one entry for each that was taken out.
            found[left_over] = pair
    for x in range(chosen):
        pair = seen.chosen[x]
        seen.of_offer[pairs.offer[pair]] = 0
        seen.of_need[pairs.need[pair]] = 0
    _look_again(pairs, seen, found, 0, left)
    _look_again(pairs, seen, found, left_over, count)
    return chosen


@lean
def _look_again(pairs: Pairs, seen: Seen, found: Rows, begin: int, end: int) -> None:
    """Have an end of each of some pairs looked at again: the need's, if most of them are of few needs, as all that may reach a new one."""
    offers, needs = 0, 0
    for x in range(begin, end):
        i, j = pairs.offer[found[x]], pairs.need[found[x]]
        offers += seen.of_offer[i] == 0
        needs += seen.of_need[j] == 0
        seen.of_offer[i] = seen.of_need[j] = 1
    for x in range(begin, end):
        i, j = pairs.offer[found[x]], pairs.need[found[x]]
        seen.of_offer[i] = seen.of_need[j] = 0
        if needs < offers:
            seen.need[j] = -UNSEEN
        else:
            seen.offer[i] = UNSEEN


@lean
def levels_before(flow: Ints, need: Rows, claims: tuple[Ints, Ints, Ints, Ints], last: int, had: Ints, levels: Ints) -> None:
    """Write the level of the first unit on each arc, once those on the arcs before it were had.

    `claims` are each need's claim, and what claims received, their rises and their runs; `had` is 0 for each of them before.
    """
    claim, received, rise, run = claims
    for a in range(len(flow)):
        levels[a] = 0
        if flow[a] > 0:
            k = claim[need[a]]
            levels[a] = min(last, (received[k] + had[k]) * rise[k] // run[k])
            had[k] += flow[a]
