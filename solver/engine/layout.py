"""A problem laid out as the kernel's network, and its cold solve."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from solver.engine import kernel
from solver.engine.kernel import Network
from solver.errors import EngineFault, TooLarge
from solver.problem import Ints, Problem

__all__ = [
    "Layout",
    "claim_pressures",
    "drop_arc",
    "fill_claim",
    "happen",
    "lay_out",
    "least_at",
    "make_room",
    "new_arc",
    "new_arcs",
    "new_node",
    "part_claim",
    "pressures",
    "solve_cold",
    "to_ask",
]

NOTHING = np.empty(0, dtype=np.int64)
LARGEST_WORTH = 1 << 58  # of one unit; distances stay below 8 times that
LEAST_HEAP = 1 << 15  # entries, so that small dense networks need not wait for more
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
    free_rows: list[int] = field(default_factory=list)

    def copy(self) -> "Layout":
        """Return another in the same state."""
        tables = {name: table.copy() for name, table in self.net._asdict().items()}
        tables["span"] = tables["edge"].view(np.int32)
        return replace(self, net=Network(**tables), free_rows=list(self.free_rows))


def lay_out(problem: Problem, step: int, margin: int) -> Layout:
    """Return the network of a problem with nothing flowing and no need asking yet.

    ``step`` is what one step of urgency weighs in effort; ``margin`` is at least the problem's.
    """
    offers, needs, claims, arcs = len(problem.supply), len(problem.demand), len(problem.tier), len(problem.offer)
    if int(problem.supply.sum()) > kernel.LARGEST_FLOW:
        raise TooLarge(f"{problem.supply.sum()} units are offered, more than {kernel.LARGEST_FLOW}: count in larger packs")
    top = step * (4 * (problem.levels + 2 * margin) + problem.hysteresis)
    if max(top, int(problem.effort.max(initial=0))) > LARGEST_WORTH:
        raise TooLarge(f"a unit may be worth {top}, more than {LARGEST_WORTH}: give effort in a coarser unit")
    size = np.bincount(problem.claim, minlength=claims)
    shared = size[problem.claim] > 1  # (N,) whether the need's claim has a node of its own
    claim_at = np.cumsum(size != 1) - 1 + offers + needs
    alone = np.flatnonzero(~shared)
    claim_at[problem.claim[alone]] = offers + alone
    nodes = offers + needs + int(np.count_nonzero(size != 1))

    ways = np.flatnonzero(shared)
    held = np.flatnonzero(np.minimum(problem.kept, problem.most)) if problem.hysteresis else ways[:0]
    tail, head, cost, most = problem.offer, problem.need + offers, problem.effort, problem.most
    if len(held) or len(ways):
        kept = np.minimum(problem.kept, problem.most)[held]
        most = most.copy()
        most[held] -= kept
        nothing = np.zeros(len(ways), dtype=np.int64)
        tail = np.concatenate([tail, tail[held], offers + ways])
        head = np.concatenate([head, head[held], claim_at[problem.claim[ways]]])
        cost = np.concatenate([cost, cost[held] - problem.hysteresis * step, nothing])
        most = np.concatenate([most, kept, nothing])
    net = _empty_network(nodes, len(tail))
    rank = kernel.lay_places(net, tail, head, cost, most, nodes)

    twin = np.full(arcs, -1, dtype=np.int64)
    twin[held] = arcs + np.arange(len(held))
    way = np.full(needs, -1, dtype=np.int64)
    way[ways] = arcs + len(held) + np.arange(len(ways))
    layout = Layout(net, nodes, len(tail), rank[:offers], rank[offers : offers + needs], rank[claim_at], way, twin)
    _fill_nodes(layout, problem, step, margin)
    return layout


def _empty_network(nodes: int, arcs: int) -> Network:
    rows, lines = SPARE * nodes + 64, SPARE * arcs + 64
    edge = _rows((rows, 8), np.int64)
    state = np.zeros(kernel.STATES, dtype=np.int64)
    state[kernel.ROOT] = -1
    return Network(
        node=_rows((rows, 4), np.int64),
        edge=edge,
        span=edge.view(np.int32),
        space=_rows((rows, 2), np.int32),
        gate=_rows((rows, 8), np.int64),
        arc=_rows((lines, 4), np.int64),
        cost=_rows(lines, np.int64),
        place=_rows((3 * lines + 64, 3), np.int32),
        heap=_rows((3 * rows + LEAST_HEAP, 2), np.int64),
        link=_rows(3 * rows + LEAST_HEAP, np.int32),
        bucket=_rows(64, np.int32),
        label=_rows(2 * rows, np.int32),
        stack=_rows(2 * rows + LEAST_HEAP, np.int32),
        cut=_rows(rows, np.int32),
        waiting=_rows(rows + 64, np.int32),
        state=state,
    )


def _rows(shape: int | tuple[int, int], kind: Any) -> Any:
    """Return an array that begins where a cache line does, so that a row of it is not in two."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    table = np.empty(size + kernel.LINE, dtype=np.uint8)
    begin = -table.ctypes.data % kernel.LINE
    return table[begin : begin + size].view(kind).reshape(shape)


def _fill_nodes(layout: Layout, problem: Problem, step: int, margin: int) -> None:
    net, claims = layout.net, layout.claim_node
    net.node[: layout.nodes] = 0
    net.edge[: layout.nodes, : kernel.HINT] = 0
    net.edge[: layout.nodes, kernel.HINT] = -1
    net.gate[: layout.nodes] = 0
    net.state[kernel.STEP] = step
    net.state[kernel.LAST_LEVEL] = problem.levels - 1
    offers = layout.offer_node
    net.gate[offers, kernel.KIND] = kernel.OFFER
    net.gate[offers, kernel.UNITS] = problem.supply
    net.gate[offers, kernel.LIMIT] = problem.supply
    net.gate[layout.need_node, kernel.KIND] = kernel.NEED
    net.gate[claims, kernel.KIND] = kernel.CLAIM
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
    net.node[shared, kernel.PRESSURE] = net.edge[shared, kernel.GIVE]


def happen(layout: Layout, node: Ints = NOTHING, way: Ints = NOTHING, units: Ints = NOTHING, budget: int = kernel.FAR) -> tuple[int, int]:
    """Settle, take in events and settle each; return how many were taken in, and AT_REST, UNFINISHED or STUCK."""
    done, how = kernel.happen(layout.net, node, way, units, 0, budget)
    while how == kernel.TIGHT:
        widen(layout)
        done, how = kernel.happen(layout.net, node, way, units, done, budget)
    return done, how


def widen(layout: Layout) -> None:
    """Give the heap and the labels twice the space."""
    net = layout.net
    tables = {name: getattr(net, name) for name in ("heap", "link", "label", "stack")}
    layout.net = net._replace(**{name: _longer(table, 2 * len(table)) for name, table in tables.items()})


def solve_cold(layout: Layout, problem: Problem) -> None:
    """Let all needs ask, and settle."""
    node, way, units = to_ask(layout, problem)
    done, how = happen(layout, node, way, units)
    if how != kernel.AT_REST:
        raise EngineFault(f"the {done}th need could not be brought to rest: keep the problem and report it")


def to_ask(layout: Layout, problem: Problem, pinned: Ints | None = None) -> tuple[Ints, Ints, Ints]:
    """Return what is to `happen` so that all needs ask; what is pinned flows already.

    Tier by tier, so that little is given that has to be taken away again, and in each tier in the order in which they lie in
    memory: a front that moves over the network.
    """
    some_pinned = pinned is not None and bool(pinned.any())
    if pinned is not None and some_pinned:
        _pin(layout, problem, pinned)
    if problem.hysteresis or some_pinned:  # Kept parts have efforts below 0, and what is pinned has its worth.
        kernel.press_needs(layout.net, layout.need_node, layout.way)
    order = np.lexsort((layout.need_node, problem.tier[problem.claim]))
    return layout.need_node[order], layout.way[order], problem.demand[order]


def _pin(layout: Layout, problem: Problem, pinned: Ints) -> None:
    """Let pinned units flow before anybody asks."""
    net = layout.net
    taken = np.zeros(len(problem.demand), dtype=np.int64)
    np.add.at(taken, problem.need, pinned)
    for arc in np.flatnonzero(pinned).tolist():
        units, twin, own = int(pinned[arc]), int(layout.twin[arc]), int(net.arc[arc, kernel.MOST])
        held = min(units, int(net.arc[twin, kernel.MOST])) if twin >= 0 else 0
        if twin >= 0:
            kernel.put_arc(net, twin, held, int(net.arc[twin, kernel.MOST]), held)
        kernel.put_arc(net, arc, units - held, own, units - held)
        kernel.spill(net, int(layout.offer_node[problem.offer[arc]]), -units)
        net.gate[layout.offer_node[problem.offer[arc]], kernel.LIMIT] += units
    for need in np.flatnonzero(taken).tolist():
        units, claim = int(taken[need]), int(layout.claim_node[problem.claim[need]])
        if layout.way[need] >= 0:
            kernel.put_arc(net, int(layout.way[need]), units, units, 0)
        net.gate[claim, kernel.UNITS] += units
        kernel.refresh(net, claim)
    alone = layout.need_node[layout.way < 0]
    shared = np.setdiff1d(layout.claim_node, alone)
    net.node[shared, kernel.PRESSURE] = net.edge[shared, kernel.GIVE]


def pressures(layout: Layout) -> Ints:
    """Return (nodes,) the least pressures."""
    places = int(layout.net.state[kernel.POOL])
    rows = layout.nodes + places + 1
    roomy = layout.net._replace(heap=np.empty((rows, 2), dtype=np.int64), link=np.empty(rows, dtype=np.int32))
    least: Ints = kernel.least(roomy, layout.nodes)
    return least


def least_at(layout: Layout, nodes: Ints) -> Ints:
    """Return the least pressures of some nodes that units can leave."""
    least = np.empty(len(nodes), dtype=np.int64)
    done = kernel.least_at(layout.net, nodes, least)
    while done < len(nodes):
        widen(layout)
        done += kernel.least_at(layout.net, nodes[done:], least[done:])
    return least


def claim_pressures(layout: Layout, pressure: Ints, nodes: Ints) -> Ints:
    """Return the pressures of the claims at ``nodes``: where a claim shares the node of its full need, its next unit counts too."""
    gate = layout.net.gate[nodes]
    seen = gate[:, kernel.SEEN] + gate[:, kernel.UNITS]
    last = int(layout.net.state[kernel.LAST_LEVEL])
    rising = seen < gate[:, kernel.LAST_AT]
    level = np.where(rising, np.where(rising, seen, 0) * gate[:, kernel.RISE] // gate[:, kernel.RUN], last)
    worth: Ints = gate[:, kernel.WORTH] - layout.net.state[kernel.STEP] * level
    return np.maximum(pressure[nodes], worth)


# --- rows come and go ---


def make_room(layout: Layout, nodes: int, arcs: int) -> None:
    """Make sure there is space for so many further nodes and arcs."""
    net = layout.net
    if layout.nodes + nodes > len(net.node):
        rows = 2 * (layout.nodes + nodes)
        edge = _longer(net.edge, rows)
        layout.net = net = net._replace(
            node=_longer(net.node, rows),
            edge=edge,
            span=edge.view(np.int32),
            space=_longer(net.space, rows),
            gate=_longer(net.gate, rows),
            heap=_longer(net.heap, 3 * rows),
            link=_longer(net.link, 3 * rows),
            label=_longer(net.label, 2 * rows),
            stack=_longer(net.stack, 2 * rows),
            cut=_longer(net.cut, rows),
            waiting=_longer(net.waiting, rows + 64),
        )
    if layout.arcs + arcs > len(net.arc):
        lines = 2 * (layout.arcs + arcs)
        layout.net = net._replace(arc=_longer(net.arc, lines), cost=_longer(net.cost, lines))


def _longer(table: Any, rows: int) -> Any:
    longer = _rows((max(rows, len(table)), *table.shape[1:]), table.dtype)
    longer[: len(table)] = table
    return longer


def new_node(layout: Layout, kind: int) -> int:
    """Return a further node without arcs, units or worth. `make_room` comes before."""
    node, net = layout.nodes, layout.net
    layout.nodes += 1
    for table in (net.node, net.edge, net.space, net.gate):
        table[node] = 0
    net.gate[node, kernel.KIND] = kind
    net.edge[node, kernel.HINT] = -1
    kernel.refresh(net, node)
    return node


def fill_claim(layout: Layout, node: int, worth: int, received: int, rise: int, run: int) -> None:
    """Give a claim's node its staircase; ``worth`` is that of a unit on the first level."""
    layout.net.gate[node] = (0, kernel.LARGEST_FLOW, worth, received, rise, run, 0, kernel.CLAIM)
    kernel.climb_by(layout.net, node, rise, run)
    kernel.refresh(layout.net, node)
    layout.net.node[node, kernel.PRESSURE] = layout.net.edge[node, kernel.GIVE]


def new_arc(layout: Layout, tail: int, head: int, cost: int, most: int) -> int:
    """Return the row of a further arc without flow. `make_room` comes before."""
    if layout.free_rows:
        row = layout.free_rows.pop()
    else:
        row = layout.arcs
        layout.arcs += 1
    net = layout.net
    # Places of a node that has no space left move to the end, at twice their number.
    needed = 16 + 2 * int(net.space[tail, 0] + net.space[head, 1])
    if int(net.state[kernel.POOL]) + needed > len(net.place):
        layout.net = net._replace(place=_longer(net.place, 2 * len(net.place) + needed))
    kernel.attach(layout.net, row, tail, head, cost, most)
    return row


def new_arcs(layout: Layout, tails: Ints, heads: Ints, costs: Ints, most: Ints, useful: Ints) -> Ints:
    """Return the rows of further arcs that carry what the pressures say, at most what is ``useful``. `make_room` comes before."""
    reused = [layout.free_rows.pop() for _ in range(min(len(tails), len(layout.free_rows)))]
    fresh = len(tails) - len(reused)
    rows = np.array(reused + list(range(layout.arcs, layout.arcs + fresh)), dtype=np.int64)
    layout.arcs += fresh
    net = layout.net
    # Places of a node that has no space left move to the end, at twice their number, again and again as arcs come.
    at_tails, at_heads = np.unique(tails, return_counts=True), np.unique(heads, return_counts=True)
    spaces = zip((at_tails, at_heads), (net.space[at_tails[0], 0], net.space[at_heads[0], 1]), strict=True)
    needed = sum(int((4 * (space.astype(np.int64) + ends[1]) + 16).sum()) for ends, space in spaces)
    if int(net.state[kernel.POOL]) + needed > len(net.place):
        net = net._replace(place=_longer(net.place, 2 * len(net.place) + needed))
    waiting = int(net.state[kernel.WAITING]) + 2 * len(rows) + 64
    if waiting > len(net.waiting):
        net = net._replace(waiting=_longer(net.waiting, 2 * waiting))
    layout.net = net
    kernel.attach_all(net, rows, tails, heads, costs, most, useful)
    return rows


def drop_arc(layout: Layout, row: int) -> None:
    """Take an arc without flow away."""
    kernel.detach(layout.net, row)
    layout.free_rows.append(row)


def part_claim(layout: Layout, need: int) -> tuple[int, int]:
    """Return a new node for the claim that shared the node of its only need, and the arc from there."""
    own = new_node(layout, kernel.CLAIM)
    net = layout.net
    net.gate[own] = net.gate[need]
    units, demand = int(net.gate[need, kernel.UNITS]), int(net.gate[need, kernel.LIMIT])
    net.gate[own, kernel.LIMIT] = kernel.LARGEST_FLOW
    net.gate[need, kernel.UNITS] = 0
    net.gate[need, kernel.KIND] = kernel.NEED
    kernel.refresh(net, own)
    kernel.refresh(net, need)
    # At rest the need's pressure is at most what its last unit is worth, and at least what a next one would be if it has room.
    net.node[own, kernel.PRESSURE] = max(net.node[need, kernel.PRESSURE], net.edge[own, kernel.GIVE])
    way = new_arc(layout, need, own, 0, 0)
    kernel.put_arc(net, way, units, demand, 0)
    return own, way
