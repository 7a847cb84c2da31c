"""A problem laid out as the kernel's network, and its cold solve."""

from dataclasses import dataclass

import numpy as np

from solver.engine import kernel
from solver.engine.kernel import Network
from solver.errors import EngineFault, TooLarge
from solver.problem import Ints, Problem

__all__ = ["LARGEST_WORTH", "Layout", "lay_out", "settle", "solve_cold"]

LARGEST_WORTH = 1 << 58  # of one unit; distances stay below 8 times that
SPARE = 3  # rows made for each row filled: pages that are never touched cost nothing


@dataclass(slots=True)
class Layout:
    """A network and where the problem's things are in it. Positions of the problem index the arrays; rows beyond are spare."""

    net: Network
    nodes: int
    arcs: int
    offer_node: Ints
    need_node: Ints
    claim_node: Ints
    way: Ints  # the arc from a need to its claim, -1 where the need is its own claim
    twin: Ints  # of an arc: the arc that carries its kept part, or -1


def lay_out(problem: Problem, step: int, margin: int) -> Layout:
    """Return the network of a problem with nothing flowing and no need asking yet.

    ``step`` is what one step of urgency weighs in effort; ``margin`` is at least the problem's.
    """
    offers, needs, claims, arcs = len(problem.supply), len(problem.demand), len(problem.tier), len(problem.offer)
    top = step * (4 * (problem.levels + 2 * margin) + problem.hysteresis)
    if max(top, int(problem.effort.max(initial=0))) > LARGEST_WORTH:
        raise TooLarge(f"a unit may be worth {top}, more than {LARGEST_WORTH}: give effort in a coarser unit")
    size = np.bincount(problem.claim, minlength=claims)
    shared = size[problem.claim] > 1  # (N,) whether the need's claim has a node of its own
    claim_at = np.cumsum(size != 1) - 1 + offers + needs
    alone = np.flatnonzero(~shared)
    claim_at[problem.claim[alone]] = offers + alone
    nodes = offers + needs + int(np.count_nonzero(size != 1))

    kept = np.minimum(problem.kept, problem.most) if problem.hysteresis else np.zeros(arcs, dtype=np.int64)
    held, ways = np.flatnonzero(kept), np.flatnonzero(shared)
    tail = np.concatenate([problem.offer, problem.offer[held], offers + ways])
    head = np.concatenate([offers + problem.need, offers + problem.need[held], claim_at[problem.claim[ways]]])
    rank = kernel.near_order(tail, head, nodes)
    net = _empty_network(nodes, len(tail))
    net.arc[: len(tail)] = 0
    net.arc[:arcs, kernel.MOST] = problem.most - kept
    net.arc[arcs : arcs + len(held), kernel.MOST] = kept[held]
    cost = np.concatenate([problem.effort, problem.effort[held] - problem.hysteresis * step, np.zeros(len(ways), dtype=np.int64)])
    kernel.fill_places(net, rank[tail], rank[head], cost, nodes)

    twin = np.full(arcs, -1, dtype=np.int64)
    twin[held] = arcs + np.arange(len(held))
    way = np.full(needs, -1, dtype=np.int64)
    way[ways] = arcs + len(held) + np.arange(len(ways))
    layout = Layout(net, nodes, len(tail), rank[:offers], rank[offers : offers + needs], rank[claim_at], way, twin)
    _fill_nodes(layout, problem, step, margin)
    return layout


def _empty_network(nodes: int, arcs: int) -> Network:
    rows, lines = SPARE * nodes + 64, SPARE * arcs + 64
    state = np.zeros(kernel.STATES, dtype=np.int64)
    state[kernel.ROOT] = -1
    return Network(
        node=np.empty((rows, 8), dtype=np.int64),
        span=np.empty((rows, 8), dtype=np.int32),
        gate=np.empty((rows, 7), dtype=np.int64),
        arc=np.empty((lines, 4), dtype=np.int64),
        place=np.empty((3 * lines + 64, 2), dtype=np.int64),
        heap=np.empty((3 * rows, 2), dtype=np.int64),
        label=np.empty(2 * rows, dtype=np.int32),
        stack=np.empty(rows, dtype=np.int32),
        waiting=np.empty(rows + 64, dtype=np.int32),
        state=state,
    )


def _fill_nodes(layout: Layout, problem: Problem, step: int, margin: int) -> None:
    net, claims = layout.net, layout.claim_node
    net.node[: layout.nodes] = 0
    net.gate[: layout.nodes] = 0
    net.state[kernel.STEP] = step
    net.state[kernel.LAST_LEVEL] = problem.levels - 1
    offers = layout.offer_node
    net.node[offers, kernel.KIND] = kernel.OFFER
    net.gate[offers, kernel.UNITS] = problem.supply
    net.gate[offers, kernel.LIMIT] = problem.supply
    net.node[layout.need_node, kernel.KIND] = kernel.NEED
    net.node[claims, kernel.KIND] = kernel.CLAIM
    net.gate[claims, kernel.WORTH] = step * ((problem.levels + 2 * margin) * (3 - problem.tier) + margin + problem.levels)
    net.gate[claims, kernel.SEEN] = problem.received
    net.gate[claims, kernel.RISE] = problem.rise
    net.gate[claims, kernel.RUN] = problem.run
    last = problem.levels - 1
    reached = -(-last * problem.run // np.maximum(problem.rise, 1))
    net.gate[claims, kernel.LAST_AT] = np.where(problem.rise > 0, reached, 0 if last == 0 else kernel.FAR)
    own = np.zeros(layout.nodes, dtype=bool)
    own[layout.need_node] = True
    shared = claims[~own[claims]]
    net.gate[shared, kernel.LIMIT] = kernel.LARGEST_FLOW
    kernel.refresh_all(net, layout.nodes)
    net.node[shared, kernel.PRESSURE] = net.node[shared, kernel.GIVE]


def settle(layout: Layout, budget: int) -> int:
    """Move every imbalance to the root; return AT_REST, UNFINISHED or STUCK."""
    while True:
        how = int(kernel.settle(layout.net, budget))
        if how != kernel.TIGHT:
            return how
        widen(layout)


def widen(layout: Layout) -> None:
    """Give the heap and the labels twice the space."""
    net = layout.net
    heap = np.empty((2 * len(net.heap), 2), dtype=np.int64)
    heap[: len(net.heap)] = net.heap
    label = np.empty(2 * len(net.label), dtype=np.int32)
    label[: len(net.label)] = net.label
    layout.net = net._replace(heap=heap, label=label)


def solve_cold(layout: Layout, problem: Problem) -> None:
    """Let all needs ask, in the order in which they lie in memory: a front that moves over the network."""
    order = np.argsort(layout.need_node)
    needs, way, asked = layout.need_node[order], layout.way[order], problem.demand[order]
    done = 0
    while done < len(needs):
        done, how = kernel.insert_needs(layout.net, needs, way, asked, done)
        if how == kernel.TIGHT:
            widen(layout)
        elif how != kernel.AT_REST:
            raise EngineFault(f"need {order[done]} could not be brought to rest: keep the problem and report it")


def flows(layout: Layout, arcs: int) -> Ints:
    """Return (arcs,) the units on each arc, with its kept part."""
    flow: Ints = layout.net.arc[:arcs, kernel.FLOW].copy()
    held = np.flatnonzero(layout.twin[:arcs] >= 0)
    flow[held] += layout.net.arc[layout.twin[held], kernel.FLOW]
    return flow


def pressures(layout: Layout) -> Ints:
    """Return (nodes,) the least pressures."""
    places = int(layout.net.state[kernel.POOL])
    roomy = layout.net._replace(heap=np.empty((layout.nodes + places + 1, 2), dtype=np.int64))
    return kernel.least(roomy, layout.nodes)
