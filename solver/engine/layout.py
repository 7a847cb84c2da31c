"""A problem laid out as the kernel's network, and its cold solve."""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from solver.engine import kernel
from solver.engine.kernel import Arcs, Claims, Network, Rows
from solver.errors import EngineFault, TooLarge
from solver.problem import TIERS, Ints, Problem
from solver.tables import empty, let_go, zeros
from solver.turns import Passes, at_once, written

__all__ = [
    "Layout",
    "asking",
    "check_worth",
    "claim_pressures",
    "drop_arc",
    "dropping",
    "happen",
    "lay_out",
    "laying_out",
    "least_at",
    "making_room",
    "new_arc",
    "new_arcs",
    "new_node",
    "part_claim",
    "pressures",
    "solve_cold",
    "widening",
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
    twin: Rows  # of an arc: the arc that carries its kept part, or -1
    sole: Ints  # of a claim: the need it shares a node with, or -1
    free_rows: list[int] = field(default_factory=list)

    def copy(self) -> "Layout":
        """Return another in the same state."""
        other = replace(self, free_rows=list(self.free_rows))
        at_once(_moving(other, {name: len(table) for name, table in self.net._asdict().items() if name != "span"}))
        return other

    def in_use(self) -> dict[str, int]:
        """Return how many rows of each table hold something; all of `cut` is forgotten from one search to the next."""
        state = self.net.state
        nodes, arcs, entries = self.nodes, self.arcs, int(state[kernel.HEAP])
        tables = {"node": nodes, "edge": nodes, "space": nodes, "gate": nodes, "arc": arcs, "cost": arcs}
        tables |= {"place": int(state[kernel.POOL]), "heap": entries, "link": entries, "bucket": len(self.net.bucket), "cut": 0}
        tables |= {"label": int(state[kernel.LABELS]), "stack": int(state[kernel.STACK]), "waiting": int(state[kernel.WAITING])}
        return tables | {"state": len(state)}


def lay_out(problem: Problem, step: int, margin: int) -> Layout:
    """Return the network of a problem with nothing flowing and no need asking yet, laid out at once: as `laying_out` does by turns.

    Raises `TooLarge` where 64 bits do not hold the units, or the worth of one.
    """
    if int(problem.supply.sum()) > kernel.LARGEST_FLOW:
        raise TooLarge(f"{problem.supply.sum()} units are offered, more than {kernel.LARGEST_FLOW}: count in larger packs")
    check_worth(step, problem.levels, margin, problem.hysteresis)
    return at_once(laying_out(problem, step, margin))


def check_worth(step: int, levels: int, margin: int, hysteresis: int) -> None:
    """Raise `TooLarge` where 64 bits do not hold the worth of a unit, which outweighs any effort."""
    top = step * (4 * (levels + 2 * margin) + hysteresis)
    if top > LARGEST_WORTH:
        raise TooLarge(f"a unit may be worth {top}, more than {LARGEST_WORTH}: give effort in a coarser unit")


def laying_out(problem: Problem, step: int, margin: int) -> Passes[Layout]:
    """Return the passes that lay a problem out, each over claims, needs, offers, nodes or arcs. Its arrays must stay as they are.

    ``step`` is what one step of urgency weighs in effort; ``margin`` is at least the problem's. What 64 bits do not hold was refused
    before: see `lay_out`.
    """
    offers, needs, count = len(problem.supply), len(problem.demand), len(problem.tier)
    size = zeros(count, np.int64)
    at, sole = empty((2, count), np.int64)
    claims = Claims(at, sole, problem.tier, problem.received, problem.rise, problem.run)
    following = np.full(1, offers + needs)
    yield needs, partial(kernel.count_needs, problem.claim, size)
    yield count, partial(kernel.number_claims, size, following, claims)
    nodes = int(following[0])

    twin, way = empty(len(problem.offer), np.int32), empty(needs, np.int64)
    groups = yield from _groups_of_arcs(problem, step, size, claims, twin, way)
    rows = sum(length for length, _ in groups)
    net = _empty_network(nodes, rows)
    net.state[kernel.STEP], net.state[kernel.LAST_LEVEL] = step, problem.levels - 1
    for table in (net.node, net.edge, net.gate):
        yield written(table[:nodes], 0)
    rank = yield from _near_order(net, groups, nodes)
    yield written(net.place[: 2 * rows], 0)
    for length, arcs in groups:
        yield length, partial(kernel.lay_arcs, net, arcs, rank)

    offer_node, need_node, claim_node = (empty(length, np.int64) for length in (offers, needs, count))
    yield offers, partial(kernel.fill_offers, net, rank, problem.supply, offer_node)
    yield needs, partial(kernel.fill_needs, net, rank, offers, need_node)
    yield count, partial(kernel.fill_claims, net, rank, claims, margin, claim_node)
    return Layout(net, nodes, rows, offer_node, need_node, claim_node, way, twin, sole)


def _groups_of_arcs(problem: Problem, step: int, size: Ints, claims: Claims, twin: Rows, way: Ints) -> Passes[list[tuple[int, Arcs]]]:
    """Come to the problem's own arcs, those of kept parts and those from needs to claims, each after how many there are."""
    offers, needs, length = len(problem.supply), len(problem.demand), len(problem.offer)
    own = parts = Arcs(problem.offer, problem.need, offers, problem.effort, problem.most, 0)
    kept, ways = np.zeros((2, 1), dtype=np.int64)
    if problem.hysteresis:
        tail, head, cost, most, rest = empty((5, length), np.int64)
        parts = Arcs(tail, head, offers, cost, most, length)
        yield length, partial(kernel.part_kept, own, problem.kept, problem.hysteresis * step, rest, parts, twin, kept)
        own = own._replace(most=rest)
    else:
        yield written(twin, -1)
    tail, head = empty((2, needs), np.int64)
    nothing = zeros(needs, np.int64)
    to_claims = Arcs(tail, head, 0, nothing, nothing, length + int(kept[0]))
    yield needs, partial(kernel.make_ways, problem.claim, size, offers, claims, way, to_claims, ways)
    return [(length, own), (int(kept[0]), parts), (int(ways[0]), to_claims)]


def _near_order(net: Network, groups: list[tuple[int, Arcs]], nodes: int) -> Passes[Rows]:
    """Lay out where the places of nodes are, and come to (nodes,) the rank of each: what is near in the network is near in memory."""
    ends = 2 * sum(length for length, _ in groups)
    first, near = zeros(2 * nodes + 2, np.int32), empty(ends, np.int32)
    for length, arcs in groups:
        yield length, partial(kernel.count_ends, arcs, first)
    yield 2 * nodes + 1, partial(kernel.add_up, first)
    yield written(near, 0)
    for length, arcs in groups:
        yield length, partial(kernel.note_ends, arcs, first, near)
    rank, queue, reached = empty(nodes, np.int32), empty(nodes, np.int32), np.zeros(5, dtype=np.int64)
    yield written(rank, -1)
    yield nodes + ends, partial(kernel.near_order, net, first, near, rank, queue, reached)
    return rank


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
    table = empty(size + kernel.LINE, np.uint8)
    begin = -table.ctypes.data % kernel.LINE
    return table[begin : begin + size].view(kind).reshape(shape)


def happen(layout: Layout, node: Ints = NOTHING, way: Ints = NOTHING, units: Ints = NOTHING, budget: int = kernel.FAR) -> tuple[int, int]:
    """Settle, take in events and settle each; return how many were taken in, and AT_REST, UNFINISHED or STUCK.

    Or TIGHT, where there is a budget: then `widening` has to come before it goes on.
    """
    done, how = kernel.happen(layout.net, node, way, units, 0, budget)
    while how == kernel.TIGHT and budget >= kernel.FAR:
        at_once(widening(layout))
        done, how = kernel.happen(layout.net, node, way, units, done, budget)
    return done, how


def widening(layout: Layout) -> Passes[None]:
    """Return the passes that give the heap and the labels twice the space."""
    return _moving(layout, {name: 2 * len(getattr(layout.net, name)) for name in ("heap", "link", "label", "stack")})


def solve_cold(layout: Layout, problem: Problem) -> None:
    """Let all needs ask, and settle."""
    done, how = happen(layout, *at_once(asking(layout, problem)))
    if how != kernel.AT_REST:
        raise EngineFault(f"the {done}th need could not be brought to rest: keep the problem and report it")


def asking(layout: Layout, problem: Problem, pinned: Ints | None = None) -> Passes[tuple[Ints, Ints, Ints]]:
    """Return the passes that come to what is to `happen` so that all needs ask; what is pinned, if anything, flows already.

    Tier by tier, so that little is given that has to be taken away again, and in each tier in the order in which they lie in
    memory: a front that moves over the network.
    """
    net, need_node, claim_node, way, twin = layout.net, layout.need_node, layout.claim_node, layout.way, layout.twin
    needs, arcs, claim, tier = len(problem.demand), len(problem.offer), problem.claim, problem.tier
    if pinned is not None:
        own, taken = Arcs(problem.offer, problem.need, 0, problem.effort, problem.most, 0), zeros(needs, np.int64)
        yield arcs, partial(kernel.pin_arcs, net, layout.offer_node, own, twin, pinned, taken)
        yield needs, partial(kernel.pin_needs, net, claim_node, claim, way, taken)
    if problem.hysteresis or pinned is not None:  # Kept parts have efforts below 0, and what is pinned has its worth.
        yield needs, partial(kernel.press_needs, net, need_node, claim_node, claim, way)
        yield layout.arcs - int(np.count_nonzero(way >= 0)), partial(kernel.press_arcs, net)
    need_at, following = zeros(layout.nodes, np.int32), np.zeros(TIERS + 1, dtype=np.int64)
    yield needs, partial(kernel.count_tiers, need_node, claim, tier, need_at, following)
    following = np.cumsum(following)
    events = empty(needs, np.int64), empty(needs, np.int64), empty(needs, np.int64)
    yield layout.nodes, partial(kernel.order_needs, need_at, claim, tier, way, problem.demand, following, events)
    return events


def pressures(layout: Layout) -> Ints:
    """Return (nodes,) the least pressures."""
    places = int(layout.net.state[kernel.POOL])
    rows = layout.nodes + places + 1
    roomy = layout.net._replace(heap=empty((rows, 2), np.int64), link=empty(rows, np.int32))
    least: Ints = kernel.least(roomy, layout.nodes)
    return least


def least_at(layout: Layout, nodes: Ints) -> Ints:
    """Return the least pressures of some nodes that units can leave."""
    least = np.empty(len(nodes), dtype=np.int64)
    done = kernel.least_at(layout.net, nodes, least)
    while done < len(nodes):
        at_once(widening(layout))
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


def making_room(layout: Layout, nodes: int, tails: Ints, heads: Ints) -> Passes[None]:
    """Return the passes that make space for so many further nodes, and for arcs from `tails` to `heads`; a node yet to come is -1."""
    net, rows, lines = layout.net, layout.nodes + nodes, layout.arcs + len(tails)
    lengths: dict[str, int] = {}
    if rows > len(net.node):
        lengths = dict.fromkeys(("node", "edge", "space", "gate", "cut"), 2 * rows)
        lengths |= {"heap": 6 * rows, "link": 6 * rows, "label": 4 * rows, "stack": 4 * rows}
    if lines > len(net.arc):
        lengths |= {"arc": 2 * lines, "cost": 2 * lines}
    needed = _places(net, tails, 0) + _places(net, heads, kernel.INTO)
    if int(net.state[kernel.POOL]) + needed > len(net.place):
        lengths["place"] = 2 * len(net.place) + needed
    waiting = max(rows, int(net.state[kernel.WAITING]) + 2 * len(tails)) + 64
    if waiting > len(net.waiting):
        lengths["waiting"] = 2 * waiting
    return _moving(layout, lengths)


def _places(net: Network, nodes: Ints, offset: int) -> int:
    """Return how many places at the end of the pool arcs on one side of nodes take at most.

    Of nodes yet to come it is not said which arc is whose: each takes 4 at most, as twice the space of 4, 8, 16 and so on is less.
    """
    known = np.sort(nodes[nodes >= 0])
    return int(kernel.more_places(net, known, offset)) + kernel.LEAST_SPACE * (len(nodes) - len(known))


def _moving(layout: Layout, lengths: dict[str, int]) -> Passes[None]:
    """Return the passes that move tables to others of some lengths, none shorter than before, which take their place in the end."""
    tables, used = {}, layout.in_use() if lengths else {}
    for name, length in lengths.items():
        table = getattr(layout.net, name)
        tables[name] = moved = _rows((max(length, len(table)), *table.shape[1:]), table.dtype)
        yield written(moved[: used[name]], table[: used[name]])
        del table
    if "edge" in tables:
        tables["span"] = tables["edge"].view(np.int32)
    before = [getattr(layout.net, name) for name in tables]
    layout.net = layout.net._replace(**tables)
    yield from let_go(before)


def new_node(layout: Layout, kind: int) -> int:
    """Return a further node without arcs, units or worth. `making_room` comes before."""
    node = layout.nodes
    layout.nodes += 1
    kernel.new_node(layout.net, node, kind)
    return node


def new_arc(layout: Layout, tail: int, head: int, cost: int, most: int) -> int:
    """Return the row of a further arc without flow. `making_room` comes before."""
    if layout.free_rows:
        row = layout.free_rows.pop()
    else:
        row = layout.arcs
        layout.arcs += 1
    kernel.attach(layout.net, row, tail, head, cost, most)
    return row


def new_arcs(layout: Layout, tails: Ints, heads: Ints, costs: Ints, most: Ints, useful: Ints) -> Ints:
    """Return the rows of further arcs that carry what the pressures say, at most what is ``useful``. `making_room` comes before."""
    reused = [layout.free_rows.pop() for _ in range(min(len(tails), len(layout.free_rows)))]
    fresh = len(tails) - len(reused)
    rows = np.array(reused + list(range(layout.arcs, layout.arcs + fresh)), dtype=np.int64)
    layout.arcs += fresh
    kernel.attach_all(layout.net, rows, tails, heads, costs, most, useful)
    return rows


def drop_arc(layout: Layout, row: int) -> None:
    """Take an arc without flow away."""
    at_once(dropping(layout, np.full(1, row)))


def dropping(layout: Layout, rows: Ints) -> Passes[None]:
    """Return the passes that take arcs without flow away."""
    yield len(rows), partial(kernel.detach_all, layout.net, rows)
    layout.free_rows += rows.tolist()


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
