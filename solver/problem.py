"""What the solver is asked and what it answers: whole numbers in arrays, a position being the only name anything has."""

import operator
from dataclasses import dataclass, fields
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solver.errors import BadProblem, TooLarge
from solver.tables import empty
from solver.turns import InTurns, Passes, at_once, folded, written

__all__ = ["TIERS", "Allocation", "Gap", "Ints", "Problem", "entries_of", "ints", "pack_of", "positions_of", "unchecked"]

Ints = NDArray[np.int64]

TIERS = 4  # 0 vital, 1 default, 2 useful, 3 wished
LARGEST = 2**62  # products in between stay below this, so that sums of two still fit
LOW = 2**32 - 1
FEW = 64  # entries that are looked through sooner in a list than by numpy
WHOLE = np.dtype(np.int64)
MOST_CLAIMS = 2**31  # whose positions fit into 32 bits, as the engine counts


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """One resource: M offers, N needs, K claims (all needs of one agent in one tier), A arcs where a match is possible at all.

    A claim that already received ``received[k]`` units values its q-th further unit by the level its staircase has reached::

        level_k(q)   = min(levels - 1, (received[k] + q - 1) * rise[k] // run[k])
        urgency_k(q) = (levels + 2 * margin) * (3 - tier[k]) + margin + levels - level_k(q)

    Each of the first ``kept[a]`` units on an arc adds ``hysteresis`` to the urgency. The answer is, first of all, the one with
    the greatest total urgency, and among those the one with the least total effort.

    ``margin`` is ``hysteresis`` times the fewer of the offers and the needs that have kept arcs: no chain of exchanges can
    break more of them, so what is kept weighs against levels, never against a tier, nor against covering one unit more.
    Without anything kept it is 0. ``rise`` / ``run`` express the three fairness rules: see `solver.fairness.staircase`.

    Building one checks shapes and ranges, in O(M + N + K + A), and raises `BadProblem`, or `TooLarge` where 64 bits would not hold
    the levels. Whoever has to do something else meanwhile has it checked `by_turns`.
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
    pack: Ints | None = None  # (M,) units an offer gives at a time: its parts are whole packs of so many; None: of single units

    def __post_init__(self) -> None:
        """Raise `BadProblem` where arrays do not fit together or leave their ranges."""
        at_once(_checking(self))

    @classmethod
    def of(
        cls,
        supply: ArrayLike,
        demand: ArrayLike,
        offer: ArrayLike = (),
        need: ArrayLike = (),
        effort: ArrayLike = (),
        *,
        claim: ArrayLike | None = None,
        tier: ArrayLike | None = None,
        received: ArrayLike | None = None,
        staircase: tuple[ArrayLike, ArrayLike, int] | None = None,
        most: ArrayLike | None = None,
        minimum: ArrayLike | None = None,
        kept: ArrayLike | None = None,
        hysteresis: int = 0,
        pack: ArrayLike | None = None,
    ) -> "Problem":
        """Return a checked problem from anything like arrays; what is left out is harmless.

        Parameters
        ----------
        supply : (M,)
            Units each offer can give, of any size that is whole: pieces, packs, milliseconds.
        demand : (N,)
            Units each need can take.
        offer, need : (A,)
            Where each arc starts and ends, as positions; no two arcs share both.
        effort : (A,)
            What one unit takes on each arc, in whole numbers of any unit, never negative.
        claim : (N,), optional
            The claim of each need; else every need is its own.
        tier : (K,), optional
            0 to 3 for each claim, 0 served first; else 1.
        received : (K,), optional
            Units each claim received lately; else none.
        staircase : (K,), (K,), int, optional
            Rise, run and number of levels, as from `solver.staircase`; else fairness is off.
        most : (A,), optional
            Units each pair may carry; else whatever its offer and its need allow.
        minimum : (A,), optional
            Units below which a part is of no use; else none.
        kept : (A,), optional
            Units proposed now, which count ``hysteresis`` more each; else none.
        hysteresis : int
            In levels.
        pack : (M,), optional
            Units each offer gives at a time; else single ones.

        Raises
        ------
        BadProblem
            Where arrays do not fit together, leave their ranges or hold fractions.
        TooLarge
            Where 64 bits do not hold the levels or the units.
        """
        return at_once(
            cls._passes(
                supply,
                demand,
                offer,
                need,
                effort,
                claim=claim,
                tier=tier,
                received=received,
                staircase=staircase,
                most=most,
                minimum=minimum,
                kept=kept,
                hysteresis=hysteresis,
                pack=pack,
            )
        )

    @classmethod
    def by_turns(cls, *arrays: ArrayLike, **named: Any) -> "InTurns[Problem]":
        """Return what comes to the same problem as `of`, which takes the same, some steps a turn.

        Call its `go_on` with a number of steps, about as long as a visit of a node each, until it is `done`; then take its `result`.
        What `of` refuses is refused by one of the turns. Arrays of int64 have to stay as they are meanwhile; anything else is made
        into some in one piece. What is left out is written by turns.
        """
        return InTurns(cls._passes(*arrays, **named))

    @classmethod
    def _passes(
        cls,
        supply: ArrayLike,
        demand: ArrayLike,
        offer: ArrayLike = (),
        need: ArrayLike = (),
        effort: ArrayLike = (),
        *,
        claim: ArrayLike | None = None,
        tier: ArrayLike | None = None,
        received: ArrayLike | None = None,
        staircase: tuple[ArrayLike, ArrayLike, int] | None = None,
        most: ArrayLike | None = None,
        minimum: ArrayLike | None = None,
        kept: ArrayLike | None = None,
        hysteresis: int = 0,
        pack: ArrayLike | None = None,
    ) -> "Passes[Problem]":
        supplies, demands, offers, needs = _flat("supply", supply), _flat("demand", demand), _flat("offer", offer), _flat("need", need)
        if claim is None:
            claims = empty(len(demands), np.int64)
            yield written(claims, lambda rows: np.arange(*rows.indices(len(claims))))
        else:
            claims = _flat("claim", claim)
        if tier is None:
            last = yield from _greatest(claims, -1)
            if last >= MOST_CLAIMS:
                raise BadProblem(f"claim holds the position {last}, up to which each would have a tier: count claims from 0")
            tiers = yield from _filled(last + 1, 1)
        else:
            tiers = _flat("tier", tier)
        rises, runs, levels = (None, None, 1) if staircase is None else staircase
        yield from _check_ends(offers, len(supplies), needs, len(demands))
        if most is None:
            if len(offers) != len(needs):
                raise BadProblem(f"{len(offers)} arcs start and {len(needs)} end: give every arc both ends")
            limits = empty(len(offers), np.int64)
            yield written(limits, lambda rows: np.minimum(supplies[offers[rows]], demands[needs[rows]]))
        else:
            limits = _flat("most", most)
        problem = unchecked(  # by what came before and follows it is, until when nobody has it
            supply=supplies,
            demand=demands,
            claim=claims,
            tier=tiers,
            received=(yield from _filled(len(tiers), 0)) if received is None else ints(received),
            rise=(yield from _filled(len(tiers), 0)) if rises is None else ints(rises),
            run=(yield from _filled(len(tiers), 1)) if runs is None else ints(runs),
            levels=_whole_number(levels),
            offer=offers,
            need=needs,
            effort=ints(effort),
            most=limits,
            minimum=(yield from _filled(len(offers), 0)) if minimum is None else ints(minimum),
            kept=(yield from _filled(len(offers), 0)) if kept is None else ints(kept),
            hysteresis=_whole_number(hysteresis),
            pack=None if pack is None else ints(pack),
        )
        yield from _check_entries(problem)
        return problem


@dataclass(frozen=True, slots=True)
class Gap:
    """How far the answer is from the optimum of the same problem without minimum parts and packs."""

    units: int  # fewer units delivered
    urgency: int  # less total urgency
    effort: int  # more effort (negative when fewer units also travel less)


NO_GAP = Gap(0, 0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """An answer to a `Problem` and the pressures that prove it.

    Pressures are the least optimal duals of the problem without minimum parts and packs, in worth (``worth * urgency`` less effort).
    They belong to ``relaxed_flow``, the optimum of that problem: on every arc with room, effort + offer_pressure -
    need_pressure >= 0, and = 0 where it carries units. (Of a unit that is kept, the effort counts less ``hysteresis * worth``.)
    """

    flow: Ints  # (A,) units on each arc, no part below its minimum, none a broken pack
    offer_pressure: Ints  # (M,) what one unit more there would gain; 0 where something is left over
    need_pressure: Ints  # (N,) what one unit more there would gain
    claim_pressure: Ints  # (K,)
    worth: int  # of one step of urgency, in units of effort
    gap: Gap
    relaxed_flow: Ints  # (A,) what the pressures prove optimal; the same as `flow` unless minimum parts or packs bite


def unchecked(**entries: Any) -> Problem:
    """Return the problem of all its entries by name, for whoever knows that they fit together, or goes on to check them by turns."""
    problem = object.__new__(Problem)
    for entry in fields(Problem):
        object.__setattr__(problem, entry.name, entries.pop(entry.name))
    if entries:
        raise TypeError(f"a problem has no {', '.join(entries)}")
    return problem


def pack_of(problem: Problem) -> Ints:
    """Return the (A,) units that each arc carries at a time."""
    return np.ones_like(problem.most) if problem.pack is None else problem.pack[problem.offer]


def ints(values: ArrayLike) -> Ints:
    """Return an array of int64, as it came where it is one; `BadProblem` for fractions, `TooLarge` beyond 64 bits."""
    if type(values) is np.ndarray and values.dtype is WHOLE and values.flags.c_contiguous:
        return values
    try:
        array = np.asarray(values)
    except ValueError as no:
        raise BadProblem(f"an array is expected: {no}") from no
    if array.dtype.kind not in "biufO" or (array.dtype.kind == "O" and not all(map(_is_real, array.flat))):
        raise BadProblem(f"{array.dtype} came where whole numbers are expected")
    if _has_fractions(array):
        raise BadProblem("fractions came where whole numbers are expected: count in smaller units")
    if array.dtype.kind in "fuO" and array.size and not -(2**63) <= array.min() <= array.max() < 2**63:
        raise TooLarge(f"{array.min()} to {array.max()} came, which does not fit into 64 bits: count in coarser units")
    return np.ascontiguousarray(array, dtype=np.int64)


def _is_real(value: object) -> bool:
    return isinstance(value, Real | Decimal) and value == value  # noqa: PLR0124 - NaN is not itself


def _has_fractions(array: NDArray[Any]) -> bool:
    if array.dtype.kind == "f":
        return not np.array_equal(array, np.floor(array))
    return array.dtype.kind == "O" and any(each % 1 != 0 for each in array.flat if -(2**63) <= each < 2**63)


def _whole_number(value: int) -> int:
    return int(ints([value])[0])


def entries_of(name: str, values: ArrayLike, count: int | None = None, least: int | None = None) -> Ints:
    """Return int64 in one dimension, so many of them and none below `least` where that is told; `BadProblem` where they are not."""
    array = _flat(name, values)
    if count is not None and len(array) != count:
        raise BadProblem(f"{name} has {len(array)} entries, but {count} are expected")
    if least is not None and len(array) and _range(array)[0] < least:
        raise BadProblem(f"{name} holds {array.min()}: at least {least} is expected")
    return array


def positions_of(name: str, values: ArrayLike, count: int, what: str) -> Ints:
    """Return int64 in one dimension, each the position of one of so many; `BadProblem` where they are not."""
    array = _flat(name, values)
    if len(array):
        _check_within(name, *_range(array), count, what)
    return array


def _range(array: Ints) -> tuple[int, int]:
    """Return the least and the greatest of some entries; of few, as they mostly come, they are found sooner in a list."""
    if len(array) > FEW:
        return int(array.min()), int(array.max())
    listed: list[int] = array.tolist()
    return min(listed), max(listed)


def _flat(name: str, values: ArrayLike) -> Ints:
    """Return an array of int64 that others are counted by; `BadProblem` where it has several dimensions."""
    array = ints(values)
    _check_form(name, array)
    return array


def _check_form(name: str, array: NDArray[Any]) -> None:
    if array.dtype != np.int64 or array.ndim != 1:
        raise BadProblem(f"{name} is {array.ndim}-dimensional {array.dtype}: give one dimension of int64")


def _filled(count: int, value: int) -> Passes[Ints]:
    """Come to an array of so many entries, each of them the same."""
    array = empty(count, np.int64)
    yield written(array, value)
    return array


def _checking(problem: Problem) -> Passes[None]:
    """Refuse a problem whose arrays do not fit together or leave their ranges."""
    yield from _check_entries(problem)
    yield from _check_ends(problem.offer, len(problem.supply), problem.need, len(problem.demand))


def _check_ends(offer: Ints, offers: int, need: Ints, needs: int) -> Passes[None]:
    yield from _check_range("offer", offer, offers, "an offer")
    yield from _check_range("need", need, needs, "a need")


def _check_entries(problem: Problem) -> Passes[None]:
    _check_shapes(problem)
    for name in ("supply", "demand", "received", "rise", "effort", "most", "minimum", "kept"):
        least = yield from _least(getattr(problem, name), 0)
        if least < 0:
            raise BadProblem(f"{name} holds {least}: none of its entries may be negative")
    least = 1 if problem.pack is None else (yield from _least(problem.pack, 1))
    if least < 1:
        raise BadProblem(f"pack holds {least}: at least 1 is expected, which means single units")
    yield from _check_range("claim", problem.claim, len(problem.tier), "a claim")
    yield from _check_range("tier", problem.tier, TIERS, "a tier")
    yield from _check_levels(problem)


def _check_shapes(problem: Problem) -> None:
    groups = {
        "offer": ("supply",) if problem.pack is None else ("supply", "pack"),
        "need": ("demand", "claim"),
        "claim": ("tier", "received", "rise", "run"),
        "arc": ("offer", "need", "effort", "most", "minimum", "kept"),
    }
    for field in fields(problem):
        array = getattr(problem, field.name)
        if isinstance(array, np.ndarray):
            _check_form(field.name, array)
    for what, names in groups.items():
        lengths = {name: len(getattr(problem, name)) for name in names}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise BadProblem(f"arrays of one length are expected, an entry for each {what}, but came as {told}")


def _check_range(name: str, positions: Ints, count: int, what: str) -> Passes[None]:
    if not len(positions):
        return
    first = int(positions[0])
    _check_within(name, (yield from _least(positions, first)), (yield from _greatest(positions, first)), count, what)


def _check_within(name: str, least: int, greatest: int, count: int, what: str) -> None:
    if least < 0 or greatest >= count:
        raise BadProblem(f"{name} holds positions {least} to {greatest}, but {what} is one of {count}, counted from 0")


def _check_levels(problem: Problem) -> Passes[None]:
    least_run = yield from _least(problem.run, 1)
    for name, value in (("levels", problem.levels), ("hysteresis", problem.hysteresis)):
        if not isinstance(value, int | np.integer):
            raise BadProblem(f"{name} is {value!r}: a whole number is expected")
    if problem.levels < 1 or problem.hysteresis < 0 or least_run < 1:
        told = f"levels {problem.levels}, hysteresis {problem.hysteresis}, least run {least_run}"
        raise BadProblem(f"{told}: at least 1, 0 and 1 are expected")
    # In Python's own integers, which do not overflow.
    units = (yield from _greatest(problem.received, 0)) + (yield from _added_up(problem.demand))
    rise, run = (yield from _greatest(problem.rise, 0)), (yield from _greatest(problem.run, 1))
    if (units + 1) * max(rise, 1) > LARGEST or problem.levels * run > LARGEST:
        raise TooLarge(f"{units} units on these staircases do not fit into 64 bits: count in larger packs or make rise / run coarser")
    if (yield from _added_up(problem.supply)) > LARGEST:
        raise TooLarge("the offers add up to more than 64 bits hold: count in larger packs")


def _least(values: Ints, first: int) -> Passes[int]:
    return folded(values, np.minimum.reduce, min, first)


def _greatest(values: Ints, first: int) -> Passes[int]:
    return folded(values, np.maximum.reduce, max, first)


def _added_up(values: Ints) -> Passes[int]:
    """Come to the sum of values that are not negative, however large it is: their halves are added up apart."""
    return folded(values, lambda some: (int((some >> 32).sum()) << 32) + int((some & LOW).sum()), operator.add, 0)
