"""How urgent one unit more is to a claim: the three fairness rules as one staircase, and the urgency of its steps."""

import math
import operator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from solver.errors import BadProblem, TooLarge
from solver.problem import LARGEST, TIERS, Ints, Problem, entries_of, positions_of

__all__ = [
    "Rule",
    "exact_levels",
    "level_if_free",
    "level_of",
    "levels_before",
    "margin_of",
    "staircase",
    "total_effort",
    "total_urgency",
    "units_below",
    "urgency_gained",
    "urgency_of",
    "worth_of",
]

Rule = Literal["portions", "ratio", "off"]


def staircase(rule: Rule, portion: int, unit: int, asked: Ints, levels: int) -> tuple[Ints, Ints, int]:
    """Return (rise, run, levels) for the claims of one resource.

    - ``portions``: everybody gets a first portion before anybody a second; what was asked does not count.
      level(q) = min(levels - 1, floor((q - 1) * unit / portion)).
    - ``ratio``: everybody's coverage of what was asked rises together. level(q) = floor(levels * (q - 1) / asked).
    - ``off``: one level, so that only tiers and effort count.

    Parameters
    ----------
    rule : {"portions", "ratio", "off"}
        Which of the three.
    portion, unit : int
        What a portion and a unit hold, both in grains; only ``portions`` looks at them.
    asked : (K,) int64
        Units each claim asked for. Whoever asks for nothing takes nothing, so any staircase does for them.
    levels : int
        How finely urgency is told apart; 1 is ``off``. `exact_levels` says how many let ``ratio`` round nothing.

    Returns
    -------
    rise, run : (K,) int64
        Levels climbed in so many units, coprime.
    levels : int
        As given, or 1.

    Raises
    ------
    BadProblem
        For a rule, portion, unit or number of levels that makes no sense.
    TooLarge
        Where 64 bits do not hold them.
    """
    count = len(asked)
    if levels < 1:
        raise BadProblem(f"levels is {levels}: at least 1 is expected")
    if rule == "off" or levels == 1:
        return np.zeros(count, dtype=np.int64), np.ones(count, dtype=np.int64), 1
    if max(levels, portion, unit) > LARGEST:
        raise TooLarge(f"levels {levels}, portion {portion}, unit {unit} do not fit into 64 bits: give fewer levels or coarser grains")
    if rule == "ratio":
        run = np.maximum(asked, 1).astype(np.int64)
        rise = np.full(count, levels, dtype=np.int64)
    elif rule == "portions":
        if portion < 1 or unit < 1:
            raise BadProblem(f"portion {portion}, unit {unit}: both are grains, at least 1")
        run = np.full(count, portion, dtype=np.int64)
        rise = np.full(count, unit, dtype=np.int64)
    else:
        raise BadProblem(f"fairness is {rule!r}: portions, ratio or off is expected")
    common = np.gcd(rise, run)
    return rise // common, run // common, levels


def exact_levels(asked: Ints) -> int:
    """Return the fewest levels known to let ``ratio`` rank any two shares of what was ``asked`` (K,) exactly.

    Two unlike shares a/d and b/e lie at least 1/(d e) apart, so with more than d e levels they never fall on one. Fewer levels
    round: exchanges within one of them are left to effort.

    Parameters
    ----------
    asked : (K,) int64
        Units each claim asked for, with what it received before.

    Returns
    -------
    int
        One more than the product of the two largest.
    """
    largest = np.sort(asked)[-2:].tolist()
    return 1 + math.prod(max(1, int(units)) for units in largest)


def level_of(problem: Problem, claim: Ints, taken: Ints) -> Ints:
    """Return the level of the unit after ``taken`` further ones, for each pair of ``claim`` and ``taken``."""
    climbed = (problem.received[claim] + taken) * problem.rise[claim] // problem.run[claim]
    level: Ints = np.minimum(problem.levels - 1, climbed)
    return level


def levels_before(flow: Ints, need: NDArray[np.int32], claim: Ints, received: Ints, rise: Ints, run: Ints, last_level: int) -> Ints:
    """Return (A,) the level of the first unit on each arc once its claim has those on all arcs before it; 0 where nothing flows.

    Parameters
    ----------
    flow : (A,) int64
        Units on each arc.
    need : (A,) int32
        Where each arc ends.
    claim : (N,) int64
        The claim of each need.
    received, rise, run : (K,) int64
        As in `Problem`.
    last_level : int
        The greatest level there is.

    Returns
    -------
    (A,) int64
        The levels.

    Raises
    ------
    BadProblem
        Where these do not fit together, or leave their ranges.
    """
    from solver.engine.following import levels_before as compiled  # noqa: PLC0415 - compiled code is loaded when it is first needed

    claim = positions_of("claim", claim, len(received), "a claim")
    at_need = positions_of("need", need, len(claim), "a need").astype(np.int32)  # as the compiled code is prepared for
    flow, received = entries_of("flow", flow, len(at_need)), entries_of("received", received, least=0)
    rise, run = entries_of("rise", rise, len(received), 0), entries_of("run", run, len(received), 1)
    levels = np.empty_like(flow)
    compiled(flow, at_need, (claim, received, rise, run), last_level, np.zeros_like(received), levels)
    return levels


def units_below(problem: Problem, claim: Ints, level: Ints) -> Ints:
    """Return how many further units each claim takes below each level; below one it never reaches, without end."""
    rise, run = problem.rise[claim], problem.run[claim]
    climb = -(-level * run // np.maximum(rise, 1)) - problem.received[claim]
    endless = (level >= problem.levels) | ((rise == 0) & (level > 0))
    return np.where(endless, np.iinfo(np.int64).max, np.maximum(climb, 0))


def level_if_free(problem: Problem, reach: Ints, supply: int) -> Ints:
    """Return (K,) the level each claim would end in if all supply could go anywhere; below 0 where nothing would be left for it."""
    low, high = 0, TIERS * problem.levels - 1
    every = np.arange(len(reach))
    start = level_of(problem, every, np.zeros_like(reach))
    while low < high:  # The first rank (tier, then level) up to which all claims together take the supply.
        middle = (low + high) // 2
        level = np.clip(middle - problem.tier * problem.levels, -1, problem.levels - 1)
        units = np.where(level < start, 0, np.minimum(units_below(problem, every, level + 1), reach))
        if int(units.sum()) >= supply:
            high = middle
        else:
            low = middle + 1
    return low - problem.tier * problem.levels


def margin_of(problem: Problem) -> int:
    """Return the most urgency that what is kept can weigh in one chain of exchanges (see `Problem`)."""
    if problem.hysteresis == 0:
        return 0
    held = problem.kept > 0
    offers, needs = np.zeros(len(problem.supply), dtype=bool), np.zeros(len(problem.demand), dtype=bool)
    offers[problem.offer[held]] = True
    needs[problem.need[held]] = True
    return problem.hysteresis * int(min(offers.sum(), needs.sum()))


def urgency_of(problem: Problem, claim: Ints, taken: Ints) -> Ints:
    """Return the urgency of the unit after ``taken`` further ones, for each pair of ``claim`` and ``taken``."""
    margin = margin_of(problem)
    base = (problem.levels + 2 * margin) * (3 - problem.tier[claim]) + margin + problem.levels
    return base - level_of(problem, claim, taken)


def worth_of(problem: Problem, farthest: int | None = None) -> int:
    """Return what one step of urgency weighs in effort: more than twice what any chain of exchanges can save.

    A chain enters each offer and each need once at most, so its efforts add up to no more than the greatest of each. Twice,
    so that a pressure can be read back without doubt. ``farthest`` stands for the greatest effort where arcs are yet to come.
    """
    if farthest is not None:
        most = farthest * min(len(problem.supply), len(problem.demand))
    else:
        by_offer, by_need = np.zeros(len(problem.supply), dtype=np.int64), np.zeros(len(problem.demand), dtype=np.int64)
        np.maximum.at(by_offer, problem.offer, problem.effort)
        np.maximum.at(by_need, problem.need, problem.effort)
        most = min(sum(by_offer.tolist()), sum(by_need.tolist()))
    worth = 2 * most + 1
    if worth * (4 * (problem.levels + 2 * margin_of(problem)) + 1) > LARGEST:
        raise TooLarge(
            f"efforts of a chain add up to {most}, with {problem.levels} levels and hysteresis {problem.hysteresis}: "
            "that does not fit into 64 bits; give effort in a coarser unit"
        )
    return worth


def levels_climbed(problem: Problem, claim: Ints, units: Ints) -> Ints:
    """Return the levels of each claim's next ``units`` added up, for each pair of ``claim`` and ``units``.

    Where 64 bits might not hold them, they come in Python's own integers.
    """
    fits = problem.levels * int(units.max(initial=0)) <= LARGEST
    climbed, walked = np.zeros(len(units), dtype=np.int64 if fits else object), np.zeros_like(units)
    while np.any(walked < units):  # From the foot of one level to that of the next.
        level = level_of(problem, claim, walked)
        reached: Ints = np.minimum(units, units_below(problem, claim, level + 1))
        climbed += level.astype(climbed.dtype) * (reached - walked)
        walked = reached
    return climbed


def total_urgency(problem: Problem, flow: Ints) -> int:
    """Return the urgency of all units in ``flow`` together, with what keeping adds.

    Parameters
    ----------
    problem : Problem
        What was asked.
    flow : (A,) int64
        Units on each arc.

    Returns
    -------
    int
        Without bound: summed in Python's own integers.
    """
    covered = np.zeros(len(problem.tier), dtype=np.int64)
    np.add.at(covered, problem.claim[problem.need], flow)
    claims = np.flatnonzero(covered)
    kept = problem.hysteresis * int(np.minimum(flow, problem.kept).sum())
    return int(sum(urgency_gained(problem, claims, np.zeros_like(claims), covered[claims]).tolist())) + kept


def urgency_gained(problem: Problem, claim: Ints, before: Ints, after: Ints) -> NDArray[np.object_]:
    """Return how much more urgency each ``claim`` has with ``after`` than with ``before`` units, in Python's own integers."""
    margin = margin_of(problem)
    base = (problem.levels + 2 * margin) * (3 - problem.tier[claim].astype(object)) + margin + problem.levels
    climbed = levels_climbed(problem, claim, after).astype(object) - levels_climbed(problem, claim, before)
    gained: NDArray[np.object_] = base * (after - before) - climbed
    return gained


def total_effort(problem: Problem, flow: Ints) -> int:
    """Return the effort of all units in ``flow`` (A,) together; without bound, as it is in Python's own integers."""
    return sum(map(operator.mul, problem.effort.tolist(), flow.tolist()))
