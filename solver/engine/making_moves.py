# mypy: no-warn-return-any
# (What comes out of an array is typed loosely; the compiler knows it.)
"""Unsplit lots moved one or two at a time, compiled: a local search that may ask too much of makers' hours, at a toll that rises and falls.

A lot moves to another maker, two exchange theirs, or one moves and another gives way to a third maker (an ejection chain: Yagiura, Ibaraki
and Glover 2004). Where no such move gains, a lot or two are put elsewhere, and what comes of that stays if it is no worse, or by chance a
little worse. Tolls of hours too many rise where the answer has any, and fall where it has none, so that the search goes along the edge
of what fits.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solver.engine.kernel import making as compiled
from solver.problem import Ints

__all__ = ["MOVES", "Pace", "moved", "tolls"]

Floats = NDArray[np.float64]
MOVES = 400_000_000  # pairs looked at, for a limit of 1
LEAST_TOLL = 0.1  # of a grain too many where no maker's hours press: such a part of what a grain takes on average
FARTHEST = 1e6  # times what tolls were, or parts of it
FINE = 1 << 24  # parts of a draw between nothing and one
LEAST_GAIN = 1e-9  # of the mean effort of a lot: what is less may be the rounding of floats
STAY, SHIFT, SWAP, CHAIN = range(4)


class Pace(NamedTuple):
    """How a search goes."""

    rises: float  # tolls, each time
    falls: float
    worse: float  # the mean of what is taken though it is worse, in effort
    elsewhere: int  # lots put elsewhere, at most, before it looks for moves again


class Standing(NamedTuple):
    """Who has which lots."""

    maker: Ints  # (N,)
    left: Ints  # (M,) grains, below zero where too much is asked
    mine: Ints  # (M, N) lots of each maker, of which the first `has` count
    has: Ints  # (M,) how many
    at: Ints  # (N,) where each lot lies among those of its maker
    toll: Floats  # (M,) of a grain too many, in effort


class Near(NamedTuple):
    """The K makers that each lot may go to, and which two of them but its own take the least for it as things stand."""

    makers: Ints  # (N, K)
    effort: Ints  # (N, K) of the lot there
    hours: Ints  # (N, K)
    lots: Ints  # (M, N) lots that may go to each maker, of which the first `has` count
    has: Ints  # (M,) how many
    known: NDArray[np.bool_]  # (N,) whether the rest holds
    least: Floats  # (N, 2) effort and tolls
    to: Ints  # (N, 2) the maker of each


def tolls(effort: Ints, hours: Ints, pressure: Floats) -> Floats:
    """Return (M,) tolls to begin with: what hours are pressed by, and where they are not, a part of what a grain takes on average."""
    toll: Floats = np.maximum(pressure, LEAST_TOLL * max(float(effort.mean()), 1.0) / max(float(hours.mean()), 1.0))
    return toll


@compiled
def moved(
    effort: Ints, hours: Ints, capacity: Ints, start: Ints, near: Ints, toll: Floats, pace: Pace, enough: int, work: int, seed: int
) -> tuple[Ints, bool]:
    """Return the best answer found by about so much ``work`` (pairs looked at) from ``start`` (N,), and whether it fits at all.

    ``near`` (N, K) are the makers that a lot may go to, ``toll`` (M,) that of a grain beyond ``capacity`` (M,) to begin with; an effort
    of ``enough`` ends it.
    """
    makers, lots = effort.shape
    now = Standing(
        start.copy(), capacity.copy(), np.zeros((makers, lots), dtype=np.int64), np.zeros(makers, dtype=np.int64),
        np.zeros(lots, dtype=np.int64), toll.copy(),
    )  # fmt: skip
    for lot in range(lots):
        enter(now, hours, lot, start[lot])
    best, fits, least = start.copy(), not any_over(now.left), effort_of(effort, start)
    beside = side_by_side(effort, hours, near)
    draw = np.array([seed], dtype=np.uint64)
    slack = LEAST_GAIN * max(1.0, least / lots)
    waiting, waits = np.arange(lots), np.ones(lots, dtype=np.bool_)  # lots to be looked at: a ring
    first, many = 0, lots
    was, left_was, total = start.copy(), now.left.copy(), least
    total_was = total
    while work > 0 and not (fits and least <= enough):
        while many and work > 0:
            lot = waiting[first]
            first, many = (first + 1) % lots, many - 1
            waits[lot] = False
            kind, to, other, on, looked = best_move(effort, hours, now, beside, lot, slack)
            work -= looked
            if kind == STAY:
                continue
            of = now.maker[lot]
            total += effort[to, lot] - effort[of, lot]
            move(now, beside, hours, lot, to)
            many = let_wait(now, of, waiting, waits, first, many)
            many = let_wait(now, to, waiting, waits, first, many)
            if kind != SHIFT:
                total += effort[on, other] - effort[to, other]
                move(now, beside, hours, other, on)
                many = let_wait(now, on, waiting, waits, first, many)
            if (total < least or not fits) and not any_over(now.left):
                best[:], fits, least = now.maker, True, total
        worse = total - total_was
        for maker in range(makers):
            worse += now.toll[maker] * (over(now.left[maker]) - over(left_was[maker]))
        taken = -pace.worse * math.log((below(draw, FINE) + 0.5) / FINE) if pace.worse > 0 else 0.0
        if worse <= slack + taken:
            was[:], left_was[:], total_was = now.maker, now.left, total
        else:
            for lot in range(lots):
                if now.maker[lot] != was[lot]:
                    move(now, beside, hours, lot, was[lot])
            total = total_was
            while many:
                waits[waiting[first]] = False
                first, many = (first + 1) % lots, many - 1
        rises = any_over(now.left)
        for maker in range(makers):
            if not rises:
                now.toll[maker] = max(now.toll[maker] * pace.falls, toll[maker] / FARTHEST)
            elif now.left[maker] < 0:
                now.toll[maker] = min(now.toll[maker] * pace.rises, toll[maker] * FARTHEST)
            else:
                continue
            forget(beside, maker)
        work -= lots
        for _ in range(pace.elsewhere):
            lot = below(draw, lots)
            of, to = now.maker[lot], near[lot, below(draw, near.shape[1])]
            if to != of:
                total += effort[to, lot] - effort[of, lot]
                move(now, beside, hours, lot, to)
                many = let_wait(now, of, waiting, waits, first, many)
                many = let_wait(now, to, waiting, waits, first, many)
    return best, fits


@compiled
def side_by_side(effort: Ints, hours: Ints, near: Ints) -> Near:
    (makers, lots), closest = effort.shape, near.shape[1]
    efforts, long = np.zeros((lots, closest), dtype=np.int64), np.zeros((lots, closest), dtype=np.int64)
    those, has = np.zeros((makers, lots), dtype=np.int64), np.zeros(makers, dtype=np.int64)
    for lot in range(lots):
        for choice in range(closest):
            maker = near[lot, choice]
            efforts[lot, choice], long[lot, choice] = effort[maker, lot], hours[maker, lot]
            those[maker, has[maker]] = lot
            has[maker] += 1
    known, least, to = np.zeros(lots, dtype=np.bool_), np.zeros((lots, 2)), np.zeros((lots, 2), dtype=np.int64)
    return Near(near, efforts, long, those, has, known, least, to)


@compiled
def best_move(effort: Ints, hours: Ints, now: Standing, near: Near, lot: int, slack: float) -> tuple[int, int, int, int, int]:
    """Return the move of a lot that gains most: its kind, where to, which other lot moves, where that goes, and the pairs looked at."""
    of, best = now.maker[lot], -slack
    kind, to, other, on, looked = STAY, -1, -1, -1, 0
    closest, toll_of = near.makers.shape[1], now.toll[of]
    without = now.left[of] + hours[of, lot]
    over_without = over(without)
    freed = toll_of * (over_without - over(now.left[of])) - effort[of, lot]
    for each in range(closest):
        maker = near.makers[lot, each]
        if maker == of:
            continue
        toll, with_it, before = now.toll[maker], now.left[maker] - near.hours[lot, each], over(now.left[maker])
        there = freed + near.effort[lot, each]
        shift = there + toll * (over(with_it) - before)
        if shift < best:
            best, kind, to = shift, SHIFT, maker
        for row in range(now.has[maker]):
            gives = now.mine[maker, row]
            gone = there - effort[maker, gives] + toll * (over(with_it + hours[maker, gives]) - before)
            # What this lot's maker gets in its place counts from where the lot has left it.
            swap = gone + effort[of, gives] + toll_of * (over(without - hours[of, gives]) - over_without)
            if swap < best:
                best, kind, to, other, on = swap, SWAP, maker, gives, of
            if not near.known[gives]:
                look_elsewhere(now, near, gives)
            choice = 1 if near.to[gives, 0] == of else 0
            chain = gone + near.least[gives, choice]
            if chain < best:
                best, kind, to, other, on = chain, CHAIN, maker, gives, near.to[gives, choice]
        looked += 1 + now.has[maker] * (1 + closest)
    return kind, to, other, on, looked


@compiled
def look_elsewhere(now: Standing, near: Near, lot: int) -> None:
    """Note which two makers near to a lot, but its own, would take the least for it."""
    near.known[lot] = True
    least, second, to, then = np.inf, np.inf, -1, -1
    for choice in range(near.makers.shape[1]):
        maker = near.makers[lot, choice]
        if maker == now.maker[lot]:
            continue
        left = now.left[maker]
        takes = near.effort[lot, choice] + now.toll[maker] * (over(left - near.hours[lot, choice]) - over(left))
        if takes < least:
            least, to, second, then = takes, maker, least, to
        elif takes < second:
            second, then = takes, maker
    near.least[lot, 0], near.least[lot, 1], near.to[lot, 0], near.to[lot, 1] = least, second, to, then


@compiled
def forget(near: Near, maker: int) -> None:
    """Have lots look anew which makers take the least for them, as one that is near to them has changed."""
    for row in range(near.has[maker]):
        near.known[near.lots[maker, row]] = False


@compiled
def over(left: int) -> int:
    """Return by how much too many hours are asked for."""
    return -left if left < 0 else 0


@compiled
def any_over(left: Ints) -> bool:
    return left.min() < 0


@compiled
def effort_of(effort: Ints, maker: Ints) -> int:
    total = 0
    for lot in range(len(maker)):
        total += effort[maker[lot], lot]
    return total


@compiled
def enter(now: Standing, hours: Ints, lot: int, maker: int) -> None:
    now.left[maker] -= hours[maker, lot]
    now.mine[maker, now.has[maker]], now.at[lot] = lot, now.has[maker]
    now.has[maker] += 1
    now.maker[lot] = maker


@compiled
def move(now: Standing, near: Near, hours: Ints, lot: int, to: int) -> None:
    """Let a lot go to another maker; the last of its maker's lots takes its place in the list."""
    of = now.maker[lot]
    near.known[lot] = False
    forget(near, of)
    forget(near, to)
    now.left[of] += hours[of, lot]
    now.has[of] -= 1
    last = now.mine[of, now.has[of]]
    now.mine[of, now.at[lot]], now.at[last] = last, now.at[lot]
    enter(now, hours, lot, to)


@compiled
def let_wait(now: Standing, maker: int, waiting: Ints, waits: NDArray[np.bool_], first: int, many: int) -> int:
    """Let a maker's lots be looked at again; return how many wait."""
    for row in range(now.has[maker]):
        lot = now.mine[maker, row]
        if not waits[lot]:
            waits[lot] = True
            waiting[(first + many) % len(waiting)] = lot
            many += 1
    return many


@compiled
def below(draw: NDArray[np.uint64], limit: int) -> int:
    """Return the next number, from 0 to ``limit`` - 1 (splitmix64, as `solver.making.reference.Draw`)."""
    draw[0] += np.uint64(0x9E3779B97F4A7C15)
    mixed = (draw[0] ^ draw[0] >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ mixed >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return int((mixed ^ mixed >> np.uint64(31)) % np.uint64(limit))
