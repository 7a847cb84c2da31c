"""What the solver is asked and what it answers: whole numbers in arrays, a position being the only name anything has."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solver.errors import BadProblem, TooLarge

__all__ = ["TIERS", "Allocation", "Gap", "Ints", "Problem", "ints"]

Ints = NDArray[np.int64]

TIERS = 4  # 0 vital, 1 default, 2 useful, 3 wished
LARGEST = 2**62  # products in between stay below this, so that sums of two still fit


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

    Building one checks shapes and ranges and raises `BadProblem`, or `TooLarge` where 64 bits would not hold the levels.
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
        _check_arrays(self)
        _check_ends(self)
        _check_levels(self)

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
        supplies, demands, claims = ints(supply), ints(demand), None if claim is None else ints(claim)
        if claims is None:
            claims = np.arange(len(demands), dtype=np.int64)
        tiers = np.ones(int(claims.max(initial=-1)) + 1, dtype=np.int64) if tier is None else ints(tier)
        rise, run, levels = staircase if staircase is not None else (np.zeros(len(tiers)), np.ones(len(tiers)), 1)
        offers, needs = ints(offer), ints(need)
        if most is None:
            _check_range("offer", offers, len(supplies), "an offer")
            _check_range("need", needs, len(demands), "a need")
            if len(offers) != len(needs):
                raise BadProblem(f"{len(offers)} arcs start and {len(needs)} end: give every arc both ends")
            most = np.minimum(supplies[offers], demands[needs])
        return cls(
            supply=supplies,
            demand=demands,
            claim=claims,
            tier=tiers,
            received=ints(received if received is not None else np.zeros(len(tiers), dtype=np.int64)),
            rise=ints(rise),
            run=ints(run),
            levels=int(levels),
            offer=offers,
            need=needs,
            effort=ints(effort),
            most=ints(most),
            minimum=ints(minimum if minimum is not None else np.zeros(len(offers), dtype=np.int64)),
            kept=ints(kept if kept is not None else np.zeros(len(offers), dtype=np.int64)),
            hysteresis=int(hysteresis),
            pack=None if pack is None else ints(pack),
        )


@dataclass(frozen=True, slots=True)
class Gap:
    """How far the answer is from the optimum of the same problem without minimum parts and packs."""

    units: int  # fewer units delivered
    urgency: int  # less total urgency
    effort: int  # more effort (negative when fewer units also travel less)


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


def ints(values: ArrayLike) -> Ints:
    """Return an array of int64, as it came where it is one; `BadProblem` for fractions, `TooLarge` beyond 64 bits."""
    array = np.asarray(values)
    if array.dtype.kind == "f" and not np.array_equal(array, np.floor(array)):
        raise BadProblem("fractions came where whole numbers are expected: count in smaller units")
    if array.dtype.kind in "fuO" and array.size and not -(2**63) <= array.min() <= array.max() < 2**63:
        raise TooLarge(f"{array.min()} to {array.max()} came, which does not fit into 64 bits: count in coarser units")
    return np.ascontiguousarray(array, dtype=np.int64)


def _check_arrays(problem: Problem) -> None:
    groups = {
        "offer": ("supply",) if problem.pack is None else ("supply", "pack"),
        "need": ("demand", "claim"),
        "claim": ("tier", "received", "rise", "run"),
        "arc": ("offer", "need", "effort", "most", "minimum", "kept"),
    }
    for field in fields(problem):
        array = getattr(problem, field.name)
        if isinstance(array, np.ndarray) and (array.dtype != np.int64 or array.ndim != 1):
            raise BadProblem(f"{field.name} is {array.ndim}-dimensional {array.dtype}: give one dimension of int64")
    for what, names in groups.items():
        lengths = {name: len(getattr(problem, name)) for name in names}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise BadProblem(f"arrays of one length are expected, an entry for each {what}, but came as {told}")
    for name in ("supply", "demand", "received", "rise", "effort", "most", "minimum", "kept"):
        least = int(getattr(problem, name).min(initial=0))
        if least < 0:
            raise BadProblem(f"{name} holds {least}: none of its entries may be negative")
    if problem.pack is not None and int(problem.pack.min(initial=1)) < 1:
        raise BadProblem(f"pack holds {problem.pack.min()}: at least 1 is expected, which means single units")


def _check_range(name: str, positions: Ints, count: int, what: str) -> None:
    if len(positions) and (int(positions.min()) < 0 or int(positions.max()) >= count):
        raise BadProblem(f"{name} holds positions {positions.min()} to {positions.max()}, but {what} is one of {count}, counted from 0")


def _check_ends(problem: Problem) -> None:
    _check_range("offer", problem.offer, len(problem.supply), "an offer")
    _check_range("need", problem.need, len(problem.demand), "a need")
    _check_range("claim", problem.claim, len(problem.tier), "a claim")
    _check_range("tier", problem.tier, TIERS, "a tier")


def _check_levels(problem: Problem) -> None:
    least_run = int(problem.run.min(initial=1))
    if problem.levels < 1 or problem.hysteresis < 0 or least_run < 1:
        told = f"levels {problem.levels}, hysteresis {problem.hysteresis}, least run {least_run}"
        raise BadProblem(f"{told}: at least 1, 0 and 1 are expected")
    # In Python's own integers, which do not overflow.
    units = int(problem.received.max(initial=0)) + sum(problem.demand.tolist())
    if (units + 1) * max(int(problem.rise.max(initial=0)), 1) > LARGEST or problem.levels * int(problem.run.max(initial=1)) > LARGEST:
        raise TooLarge(f"{units} units on these staircases do not fit into 64 bits: count in larger packs or make rise / run coarser")
    if sum(problem.supply.tolist()) > LARGEST:
        raise TooLarge("the offers add up to more than 64 bits hold: count in larger packs")
