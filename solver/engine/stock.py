"""The optimal flow by OR-Tools' cost scaling. All units that can flow do, so only differences in urgency enter as cost."""

from dataclasses import dataclass

import numpy as np
from ortools.graph.python import min_cost_flow

from solver.errors import EngineFault, TooLarge
from solver.fairness import level_if_free, level_of, margin_of, units_below
from solver.problem import Ints, Problem

__all__ = ["best_flow"]

WINDOW = 1  # levels built on either side of where a claim is thought to end
WIDER = 8  # widths by which a window that was too narrow grows


@dataclass(slots=True)
class _Arcs:
    """The arcs that can carry anything, their claims and the part of each that is kept."""

    index: Ints  # in the problem
    offer: Ints
    need: Ints
    claim: Ints
    room: Ints  # units
    kept: Ints  # units, at most `room`
    cost: Ints  # effort of a unit that is not kept, with the tier's step where levels do not carry it


def best_flow(problem: Problem, worth: int) -> Ints:
    """Return the (A,) units on each arc that have the greatest total urgency and among those the least effort."""
    flow = np.zeros(len(problem.offer), dtype=np.int64)
    arcs = _usable(problem)
    if not len(arcs.index):
        return flow
    flow[arcs.index] = _flow_by_tier(problem, arcs, worth) if problem.levels == 1 else _flow_by_level(problem, arcs, worth)
    return flow


def _usable(problem: Problem) -> _Arcs:
    room = np.minimum(np.minimum(problem.supply[problem.offer], problem.demand[problem.need]), problem.most)
    index = np.flatnonzero(room)
    kept = np.minimum(problem.kept, room) if problem.hysteresis else np.zeros_like(room)
    need = problem.need[index]
    return _Arcs(index, problem.offer[index], need, problem.claim[need], room[index], kept[index], problem.effort[index].copy())


def _flow_by_tier(problem: Problem, arcs: _Arcs, worth: int) -> Ints:
    """Solve with one level: a unit's urgency is its need's tier, so it is paid on the arc and needs end the flow."""
    tier = problem.tier[arcs.claim]
    arcs.cost += worth * (problem.levels + 2 * margin_of(problem)) * (tier - tier.min())
    offer_node, offers = _numbered(arcs.offer, 0)
    need_node, needs = _numbered(arcs.need, len(offers))
    network = _Network()
    network.node(offer_node, offers, problem.supply[offers])
    network.node(need_node, needs, -problem.demand[needs])
    return _carried(arcs, worth * problem.hysteresis, network, offer_node[arcs.offer], need_node[arcs.need])


def _flow_by_level(problem: Problem, arcs: _Arcs, worth: int) -> Ints:
    """Solve with a staircase after each claim, of which only the steps around where claims end up are ever built.

    Below ``first`` levels count as ``first``, and from ``last`` on as never. That is exact for a claim which ends at or above the
    foot of ``first`` and below the foot of ``last``: what its next and its last unit are worth is then as it should be. For
    others the window is widened, and the flow found anew.
    """
    reach = _reach(problem, arcs)
    level = level_if_free(problem, reach, int(problem.supply[np.unique(arcs.offer)].sum()))
    every = np.arange(len(reach))
    start = level_of(problem, every, np.zeros_like(reach))
    first = np.clip(level - WINDOW, start, problem.levels - 1)
    last = np.clip(level + WINDOW, start, problem.levels - 1) + 1
    while True:
        built = np.minimum(units_below(problem, every, last), reach)
        units = _flow_up_to(problem, arcs, worth, first, built)
        covered = np.zeros_like(reach)
        np.add.at(covered, arcs.claim, units)
        full = (covered == built) & (built < reach)
        short = (covered < units_below(problem, every, first)) & (first > start)
        if not full.any() and not short.any():
            return units
        last[full] = np.minimum(last[full] + WIDER * (last - first)[full], problem.levels)
        first[short] = np.maximum(first[short] - WIDER * (last - first)[short], start[short])


def _reach(problem: Problem, arcs: _Arcs) -> Ints:
    """Return (K,) the most units each claim could ever take."""
    within = np.zeros(len(problem.demand), dtype=np.int64)
    np.add.at(within, arcs.need, arcs.room)
    reach = np.zeros(len(problem.tier), dtype=np.int64)
    np.add.at(reach, problem.claim, np.minimum(within, problem.demand))
    return reach


def _flow_up_to(problem: Problem, arcs: _Arcs, worth: int, first: Ints, built: Ints) -> Ints:
    """Solve with claims that take no more than ``built`` units, with levels below ``first`` counting as ``first``."""
    claim, level, width = _steps(problem, first, built)
    spacing = problem.levels + 2 * margin_of(problem)
    rank = spacing * problem.tier[claim] + level
    offer_node, offers = _numbered(arcs.offer, 0)
    # A claim of one need needs no node of its own: the need's steps hold back what the need cannot take.
    claim_node, claims = _numbered(arcs.claim, len(offers))
    alone = np.bincount(problem.claim, minlength=len(problem.tier)) == 1
    apart = ~alone[arcs.claim]
    need_node, needs = _numbered(arcs.need[apart], len(offers) + len(claims))
    sink = len(offers) + len(claims) + len(needs)
    network = _Network()
    network.node(offer_node, offers, problem.supply[offers])
    network.end(sink, -int(problem.supply[offers].sum()))
    network.ways(claim_node[claim], np.full(len(claim), sink), width, worth * (rank - rank.min(initial=0)))
    network.ways(need_node[needs], claim_node[problem.claim[needs]], problem.demand[needs], np.zeros(len(needs), dtype=np.int64))
    end = claim_node[arcs.claim]
    end[apart] = need_node[arcs.need[apart]]
    return _carried(arcs, worth * problem.hysteresis, network, offer_node[arcs.offer], end)


def _carried(arcs: _Arcs, bonus: int, network: "_Network", start: Ints, end: Ints) -> Ints:
    """Add the arcs, solve, and return what each carries; a kept part is an arc beside its own, cheaper by the ``bonus``."""
    dearer = bonus if arcs.kept.any() else 0  # The others are dearer instead, so that no cost is negative.
    own = network.ways(start, end, arcs.room - arcs.kept, arcs.cost + dearer)
    held = np.flatnonzero(arcs.kept)
    beside = network.ways(start[held], end[held], arcs.kept[held], arcs.cost[held])
    flows = network.solve()
    units = flows[own]
    units[held] += flows[beside]
    return units


def _steps(problem: Problem, first: Ints, built: Ints) -> tuple[Ints, Ints, Ints]:
    """Return (claim, level, width in units) of every step from level ``first`` on within ``built`` units, none of them empty."""
    claims = np.flatnonzero(built)
    lowest = first[claims]
    levels = np.maximum(level_of(problem, claims, built[claims] - 1) - lowest, 0) + 1
    count = np.minimum(levels, built[claims])  # By unit where the levels are more, so that time and memory are of what flows.
    by_unit = np.repeat(levels > count, count)
    claim = np.repeat(claims, count)
    lowest = np.repeat(lowest, count)
    place = np.arange(len(claim)) - np.repeat(np.cumsum(count) - count, count)
    level = np.where(by_unit, np.maximum(level_of(problem, claim, place), lowest), lowest + place)
    again = np.flatnonzero((np.diff(claim) == 0) & (np.diff(level) == 0)) + 1  # units of one level
    claim, level, lowest = (np.delete(values, again) for values in (claim, level, lowest))
    upper = np.minimum(units_below(problem, claim, level + 1), built[claim])
    lower = np.where(level == lowest, 0, np.minimum(units_below(problem, claim, level), built[claim]))
    some = upper > lower
    return claim[some], level[some], (upper - lower)[some]


def _numbered(positions: Ints, first: int) -> tuple[Ints, Ints]:
    """Return node numbers by position, from ``first`` on, and the positions that have one, in order."""
    used = np.zeros(int(positions.max(initial=0)) + 1, dtype=bool)
    used[positions] = True
    return np.cumsum(used) - 1 + first, np.flatnonzero(used)


class _Network:
    """OR-Tools' solver with bulk arrays in and out, and a watch on the size of numbers."""

    def __init__(self) -> None:
        self._solver = min_cost_flow.SimpleMinCostFlow()
        self._greatest_cost = 0

    def node(self, number: Ints, positions: Ints, supply: Ints) -> None:
        self._solver.set_nodes_supplies(number[positions], supply)

    def end(self, number: int, supply: int) -> None:
        self._solver.set_node_supply(number, supply)

    def ways(self, start: Ints, end: Ints, room: Ints, cost: Ints) -> Ints:
        self._greatest_cost = max(self._greatest_cost, int(cost.max(initial=0)))
        added: Ints = self._solver.add_arcs_with_capacity_and_unit_cost(start, end, room, cost)
        return added

    def solve(self) -> Ints:
        status = self._solver.solve_max_flow_with_min_cost()
        if status in {self._solver.BAD_COST_RANGE, self._solver.BAD_CAPACITY_RANGE}:
            raise TooLarge(
                f"costs up to {self._greatest_cost} on {self._solver.num_nodes()} nodes do not fit into the flow solver's 64 bits: "
                "give effort in a coarser unit"
            )
        if status != self._solver.OPTIMAL:
            raise EngineFault(f"the flow solver ended with {status} on {self._solver.num_arcs()} arcs where a flow always exists")
        flows: Ints = self._solver.flows(np.arange(self._solver.num_arcs()))
        return flows
