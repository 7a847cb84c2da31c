"""The check of every answer, by plain arithmetic that shares nothing with whoever found it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from solver.problem import NO_GAP, Allocation, Ints, Problem

__all__ = ["broken_rules", "is_proven"]

SHOWN = 3  # examples of each broken rule
LARGEST = 2**62  # what every right answer weighs at most, so that sums here fit into 64 bits


def broken_rules(problem: Problem, allocation: Allocation) -> list[str]:
    """Return a sentence for each broken rule; none if the allocation is feasible and proven optimal.

    Optimal means: `Allocation.relaxed_flow` has the greatest total urgency and then the least effort of all flows of the
    problem without minimum parts and packs. Trusts nothing that was said, computes all of it anew.

    Parameters
    ----------
    problem : Problem
        What was asked.
    allocation : Allocation
        What was answered, by whatever engine.

    Returns
    -------
    list of str
        Sentences with positions and figures, at most three places for each rule.

    Notes
    -----
    Complementary slackness, O(A + K levels). Of an arc with effort c, offer pressure p and need pressure n: c + p - n >= 0 if
    one unit more fits, <= 0 if it carries any. p >= 0, and 0 where the offer has some left; n <= the claim's pressure, equal
    where the need is not full; a claim's pressure lies between the worth of its next and of its last unit.

    References
    ----------
    R. Ahuja, T. Magnanti, J. Orlin, Network Flows, 1993, chapter 9: reduced cost optimality.
    """
    wrong = _wrong_shapes(problem, allocation)
    if wrong:
        return wrong
    ends = _at_ends(problem, allocation.flow)
    broken = _infeasible(problem, allocation.flow, ends, "flow")
    relaxed = allocation.relaxed_flow
    if relaxed is not allocation.flow and not np.array_equal(relaxed, allocation.flow):
        ends = _at_ends(problem, relaxed)
        broken += _infeasible(problem, relaxed, ends, "relaxed flow")
    broken += _beyond_all(problem, allocation)
    if broken:
        return broken  # What follows from such numbers means nothing, and might not fit into 64 bits.
    broken += _too_small(problem, allocation.flow)
    broken += _broken_packs(problem, allocation.flow)
    broken += _wrong_gap(problem, allocation)
    broken += _too_light(problem, allocation.worth)
    broken += _unproven_arcs(problem, allocation)
    broken += _unproven_ends(problem, allocation, ends)
    return broken


def is_proven(problem: Problem, allocation: Allocation) -> bool:
    """Return whether an answer is seen at once to break no rule; where not, `broken_rules` says which it breaks, if any.

    A pass of compiled code, for whoever checks small answers again and again: `broken_rules` looks at them some sixty times.

    Parameters
    ----------
    problem : Problem
        What was asked.
    allocation : Allocation
        What was answered, by whatever engine.

    Returns
    -------
    bool
        True only if `broken_rules` has nothing to say. What it cannot judge is left to that: minimum parts, packs, what is kept.
    """
    from solver.engine import checking  # noqa: PLC0415 - compiled code is loaded when it is first needed

    if problem.hysteresis or problem.pack is not None or problem.minimum.any() or allocation.gap != NO_GAP:
        return False
    if allocation.relaxed_flow is not allocation.flow or _wrong_shapes(problem, allocation):
        return False
    if not 0 < allocation.worth <= LARGEST:
        return False  # Compiled code could not even be handed it.
    offers, needs, claims = len(problem.supply), len(problem.demand), len(problem.tier)
    sums = np.zeros(offers + needs + claims, dtype=np.int64)
    proven: bool = checking.is_proven(
        (problem.offer, problem.need, problem.effort, problem.most, allocation.flow),
        (problem.supply, problem.demand, problem.claim),
        (problem.tier, problem.received, problem.rise, problem.run),
        (allocation.offer_pressure, allocation.need_pressure, allocation.claim_pressure),
        problem.levels,
        allocation.worth,
        (sums[:offers], sums[offers : offers + needs], sums[offers + needs :]),
    )
    return proven


def _wrong_shapes(problem: Problem, allocation: Allocation) -> list[str]:
    expected = {
        "flow": len(problem.offer),
        "relaxed_flow": len(problem.offer),
        "offer_pressure": len(problem.supply),
        "need_pressure": len(problem.demand),
        "claim_pressure": len(problem.tier),
    }
    return [
        f"{name} has the shape {getattr(allocation, name).shape}, but {length} entries are expected"
        for name, length in expected.items()
        if getattr(allocation, name).shape != (length,)
    ]


def _at_ends(problem: Problem, flow: Ints) -> tuple[Ints, Ints]:
    """Return what each offer gives and each need takes."""
    return _summed(problem.offer, flow, len(problem.supply)), _summed(problem.need, flow, len(problem.demand))


def _beyond_all(problem: Problem, allocation: Allocation) -> list[str]:
    """Check that a step of urgency and all pressures are of a size that a right answer can have."""
    worth = allocation.worth
    broken = [
        *_too_far("offer", allocation.offer_pressure),
        *_too_far("need", allocation.need_pressure),
        *_too_far("claim", allocation.claim_pressure),
    ]
    if not 0 < worth * (4 * (problem.levels + 2 * _margin(problem)) + 1) <= LARGEST:
        broken.append(f"a step of urgency weighs {worth}, which no right answer says of {problem.levels} levels")
    return broken


def _too_far(what: str, pressure: Ints) -> list[str]:
    far = (pressure > LARGEST) | (pressure < -LARGEST // 2)
    return _told(far, lambda at: f"{what} {at} has the pressure {pressure[at]}, which no right answer has")


def _infeasible(problem: Problem, flow: Ints, ends: tuple[Ints, Ints], called: str) -> list[str]:
    given, taken = ends
    largest = np.minimum(problem.supply[problem.offer], problem.demand[problem.need])
    return [
        *_told(flow < 0, lambda a: f"the {called} on arc {a} is {flow[a]}, below zero"),
        *_told(flow > largest, lambda a: f"the {called} on arc {a} is {flow[a]}, but one of its ends has only {largest[a]}"),
        *_told(flow > problem.most, lambda a: f"the {called} on arc {a} is {flow[a]}, but the pair may carry {problem.most[a]}"),
        *_told(given > problem.supply, lambda i: f"offer {i} gives {given[i]} in the {called}, but has {problem.supply[i]}"),
        *_told(taken > problem.demand, lambda j: f"need {j} takes {taken[j]} in the {called}, but asks for {problem.demand[j]}"),
    ]


def _too_small(problem: Problem, flow: Ints) -> list[str]:
    small = (flow > 0) & (flow < problem.minimum)
    return _told(small, lambda a: f"the part on arc {a} is {flow[a]}, of no use below {problem.minimum[a]}")


def _broken_packs(problem: Problem, flow: Ints) -> list[str]:
    if problem.pack is None:
        return []
    pack = problem.pack[problem.offer]
    return _told(flow % pack != 0, lambda a: f"the part on arc {a} is {flow[a]}, but its offer gives packs of {pack[a]}")


def _wrong_gap(problem: Problem, allocation: Allocation) -> list[str]:
    flow, relaxed, gap = allocation.flow, allocation.relaxed_flow, allocation.gap
    units = urgency = effort = 0
    if relaxed is not flow and not np.array_equal(flow, relaxed):
        units = int(relaxed.sum()) - int(flow.sum())
        effort = sum((problem.effort.astype(object) * (flow - relaxed)).tolist())
        urgency = _urgency(problem, relaxed) - _urgency(problem, flow)
    if (units, urgency, effort) == (gap.units, gap.urgency, gap.effort):
        return []
    said = f"{gap.units} units, {gap.urgency} urgency, {gap.effort} effort"
    return [f"the gap is said to be {said}, but is {units} units, {urgency} urgency, {effort} effort"]


def _too_light(problem: Problem, worth: int) -> list[str]:
    """Check that a step of urgency outweighs any chain of exchanges, which uses each offer and each need once at most."""
    farthest = int(problem.effort.max(initial=0))
    if worth > farthest * min(len(problem.supply), len(problem.demand)):
        return []  # However long a chain is.
    by_offer = _greatest(problem.offer, problem.effort, len(problem.supply))
    by_need = _greatest(problem.need, problem.effort, len(problem.demand))
    chain = min(int(by_offer.sum()), int(by_need.sum())) if farthest < 2**40 else farthest * min(len(by_offer), len(by_need))
    return [] if worth > chain else [f"a step of urgency weighs {worth}, but a chain of exchanges may weigh {chain}"]


def _unproven_arcs(problem: Problem, allocation: Allocation) -> list[str]:
    flow = allocation.relaxed_flow
    at_offer, at_need = allocation.offer_pressure[problem.offer], allocation.need_pressure[problem.need]
    largest = np.minimum(np.minimum(problem.supply[problem.offer], problem.demand[problem.need]), problem.most)
    usable = largest >= np.maximum(problem.minimum, 1)
    next_slack = last_slack = problem.effort + at_offer - at_need
    if problem.hysteresis:
        bonus = problem.hysteresis * allocation.worth
        next_slack, last_slack = next_slack - np.where(flow < problem.kept, bonus, 0), last_slack - np.where(flow <= problem.kept, bonus, 0)
    return [
        *_told(
            usable & (flow < problem.most) & (next_slack < 0),
            lambda a: f"one unit more on arc {a} would gain {-next_slack[a]}: the flow is not optimal, or the pressures do not prove it",
        ),
        *_told(
            (flow > 0) & (last_slack > 0),
            lambda a: f"one unit less on arc {a} would gain {last_slack[a]}: the flow is not optimal, or the pressures do not prove it",
        ),
        *_told(
            (flow > 0) & (largest < problem.minimum),
            lambda a: f"arc {a} carries {flow[a]}, but can never reach its minimum {problem.minimum[a]}",
        ),
    ]


def _unproven_ends(problem: Problem, allocation: Allocation, ends: tuple[Ints, Ints]) -> list[str]:
    given, taken = ends
    covered = _summed(problem.claim, taken, len(problem.tier))
    offers, needs, claims = allocation.offer_pressure, allocation.need_pressure, allocation.claim_pressure
    next_worth = allocation.worth * _urgency_at(problem, covered)
    last_worth = allocation.worth * _urgency_at(problem, np.maximum(covered - 1, 0))
    its_claim = claims[problem.claim]
    return [
        *_told(offers < 0, lambda i: f"offer {i} has the pressure {offers[i]}, below zero"),
        *_told(
            (offers != 0) & (given < problem.supply),
            lambda i: f"offer {i} has {problem.supply[i] - given[i]} left over, but the pressure {offers[i]} instead of 0",
        ),
        *_told(
            (needs > its_claim) & (problem.demand > 0),
            lambda j: f"need {j} has the pressure {needs[j]}, above its claim's {its_claim[j]}",
        ),
        *_told(
            (needs != its_claim) & (taken < problem.demand),
            lambda j: f"need {j} is not full, but its pressure {needs[j]} is not its claim's {its_claim[j]}",
        ),
        *_told(claims < next_worth, lambda k: f"claim {k} has the pressure {claims[k]}, below the {next_worth[k]} its next unit is worth"),
        *_told(
            (claims > last_worth) & (covered > 0),
            lambda k: f"claim {k} has the pressure {claims[k]}, above the {last_worth[k]} its last unit is worth",
        ),
    ]


def _margin(problem: Problem) -> int:
    if not problem.hysteresis:
        return 0
    held = problem.kept > 0
    return problem.hysteresis * min(len(set(problem.offer[held].tolist())), len(set(problem.need[held].tolist())))


def _urgency_at(problem: Problem, taken: Ints) -> Ints:
    """Return what each claim's unit after ``taken`` further ones counts, straight from the formula."""
    level = np.minimum(problem.levels - 1, (problem.received + taken) * problem.rise // problem.run) if problem.levels > 1 else 0
    margin = _margin(problem)
    urgency: Ints = (problem.levels + 2 * margin) * (3 - problem.tier) + margin + problem.levels - level
    return urgency


def _urgency(problem: Problem, flow: Ints) -> int:
    """Return the urgency of all units together: each claim's staircase is walked step by step."""
    covered = _summed(problem.claim[problem.need], flow, len(problem.tier))
    total, walked = problem.hysteresis * int(np.minimum(flow, problem.kept).sum()), np.zeros_like(covered)
    for _ in range(problem.levels + 1):
        urgency = _urgency_at(problem, walked)
        level = (problem.received + walked) * problem.rise // problem.run
        foot = -(-(level + 1) * problem.run // np.maximum(problem.rise, 1)) - problem.received  # Where the next level begins.
        endless = (level >= problem.levels - 1) | (problem.rise == 0)
        reached = np.where(endless, covered, np.minimum(covered, foot))
        total += sum((urgency.astype(object) * np.maximum(reached - walked, 0)).tolist())
        walked = np.maximum(walked, reached)
        if np.array_equal(walked, covered):
            break
    return total


def _summed(position: Ints, units: Ints, count: int) -> Ints:
    fits = max(int(units.max(initial=0)), -int(units.min(initial=0))) * len(units) < LARGEST
    total = np.zeros(count, dtype=np.int64 if fits else object)
    np.add.at(total, position, units)
    return total


def _greatest(position: Ints, effort: Ints, count: int) -> Ints:
    greatest = np.zeros(count, dtype=np.int64)
    np.maximum.at(greatest, position, effort)
    return greatest


def _told(wrong: NDArray[np.bool_], sentence: Callable[[int], str]) -> list[str]:
    """Return the sentence of the first few places where something is wrong, and how many more there are."""
    if not np.count_nonzero(wrong):
        return []
    places = np.flatnonzero(wrong)
    told = [sentence(place) for place in places[:SHOWN].tolist()]
    return told if len(places) <= SHOWN else [*told[:-1], f"{told[-1]} (and {len(places) - SHOWN} more like it)"]
