# mypy: no-warn-return-any
# (What comes out of an array is typed loosely; the compiler knows it.)
"""An optimal flow and its pressures, kept optimal: one search from where something changed, compiled.

The network has three kinds of nodes (offers, needs, claims), arcs between them, and one root that stands for "left over" and
"unmet". Its own ways to a node are not arcs but a *gate*: an offer's gate holds what is left over, a claim's gate holds what it
takes, with the worth of the next and of the last unit. (A claim of a single need shares the need's node.)

What holds at rest, with `slack` = cost + pressure[tail] - pressure[head]:

- slack >= 0 on every arc with room, slack <= 0 on every arc carrying units that are not pinned;
- an offer's pressure >= 0, and = 0 while something is left over;
- a claim's pressure between the worth of its next unit and the worth of its last.

An event takes units off arcs and gates until these rules hold again, and writes the imbalance at the nodes (`HELD`). Each
imbalance is then moved to the root, or to an opposite imbalance, along shortest ways by slack (Jewell; Iri; Busacker and Gowen).
Pressures move only where the search went. The search is not started anew after each way: the tree stays, and only what hung on
the arcs that ran full is put elsewhere, as the tree is regrown in max-flow by Boykov and Kolmogorov (2004). As most of a tree is
cut off so, no node is looked into before it has to be: units leave as soon as a way out is reached, and where a node lay on a way
out before (`hint`), that way is followed first, however far it leads at the same distance.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = [
    "AT_REST",
    "FAR",
    "STUCK",
    "TIGHT",
    "UNFINISHED",
    "Arcs",
    "Claims",
    "Listed",
    "Network",
    "Nodes",
    "add_up",
    "admit",
    "attach",
    "attach_all",
    "climb_by",
    "compare",
    "count_ends",
    "count_needs",
    "count_tiers",
    "detach_all",
    "fill_claim",
    "fill_claims",
    "fill_needs",
    "fill_offers",
    "happen",
    "join_all",
    "lay_arcs",
    "least",
    "least_at",
    "make_ways",
    "more_places",
    "near_order",
    "new_node",
    "note_ends",
    "number_claims",
    "order_needs",
    "part_kept",
    "pin_arcs",
    "pin_needs",
    "pinned_at",
    "press_arcs",
    "press_needs",
    "press_offer",
    "prove",
    "put_arc",
    "refresh",
    "regate",
    "restep",
    "slacken",
    "spill",
    "unclip_all",
    "unslack",
]

Ints = NDArray[np.int64]
Rows = NDArray[np.int32]
Flags = NDArray[np.bool_]
Function = TypeVar("Function", bound=Callable[..., object])

FAR = 1 << 61  # beyond every pressure and distance
LARGEST_FLOW = 1 << 60  # beyond all units together

# Columns of `Network.node`.
PRESSURE, DISTANCE, STAMP, PARENT = range(4)

# Columns of `Network.edge`; what is left of a row of 64 bytes are the columns of `Network.span`.
GIVE, TAKE, HELD, KIN, HINT = range(5)
OFFER, NEED, CLAIM = range(3)  # kinds; a need that is its own claim is a CLAIM

# Columns of `Network.gate`.
UNITS, LIMIT, WORTH, SEEN, RISE, RUN, LAST_AT, KIND = range(8)

# Columns of `Network.arc`.
FLOW, MOST, PINNED, PLACES = range(4)

# Columns of `Network.span`, for arcs out of a node; `INTO` further for arcs into it.
START, COUNT, LOOSE = 10, 11, 12
INTO = 3
LEAST_SPACE = 4  # places on a side of a node that has any

# Columns of `Network.place`.
END, ARC, COST = range(3)
LONG = -(1 << 31)  # a cost that is written in `Network.cost`, as it does not fit into 32 bits

NODE_BYTES, ARC_BYTES, PLACE_BYTES, LINE = 32, 32, 12, 64  # of a row of each, and of what memory hands over at a time

# Entries of `Network.state`.
ROOT, SIDE, SINCE, CLOCK, BOUND, HEAP, LABELS, STACK, WAITING, POOL, LAST_LEVEL, STEP, LAST, FILLED, FREE, ALIVE, WIDEST = range(17)
SEARCHES, SETTLED, SCANNED, WAYS, CHANGED, ORPHANS = range(17, 23)  # counted since the network was made
STATES = 32

# What `settle` ends with.
AT_REST, UNFINISHED, TIGHT, STUCK = range(4)

LOW = (1 << 32) - 1


class Compiled(Protocol):
    """A decorator that leaves a function's signature as it is."""

    def __call__(self, function: Function, /) -> Function:
        """Return the function, compiled when it is first called and read from the cache from then on."""


_compiler: Any = njit
_in_machine_code: Any = intrinsic
making: Compiled = _compiler(cache=True, nogil=True, error_model="numpy")
# Nothing compiled with `lean` makes an array, so none need be counted: the counting alone would take a fifth of the time.
lean: Compiled = _compiler(cache=True, nogil=True, error_model="numpy", _nrt=False)
# Handing on a `Network` copies some eighty words, so what is called for each node is part of its caller.
inner: Compiled = _compiler(cache=True, nogil=True, error_model="numpy", _nrt=False, forceinline=True)


class Network(NamedTuple):
    """Everything the compiled code works on. Rows beyond those in use are spare."""

    node: NDArray[np.int64]  # (nodes, 4) what a search looks at of each node it comes by
    edge: NDArray[np.int64]  # (nodes, 8) and of those it settles, a cache line each. HINT: the next node towards an exit << 32
    #                           | arc << 1 | whether the arc leads there, or -1 for none
    span: NDArray[np.int32]  # (nodes, 16) the same memory as `edge`: where the node's places are, those out first
    space: NDArray[np.int32]  # (nodes, 2) how many places the node may have on each side before they have to move
    gate: NDArray[np.int64]  # (nodes, 8)
    arc: NDArray[np.int64]  # (arcs, 4)
    cost: NDArray[np.int64]  # (arcs,) costs that do not fit into 32 bits
    place: NDArray[np.int32]  # (places, 3) other end, inverted while the arc is full; arc; cost. Loose (> pinned) arcs first
    heap: NDArray[np.int64]  # (.., 2) distance; node, or ~node for the way out there
    link: NDArray[np.int32]  # the entry of the heap after this one in its bucket
    bucket: NDArray[np.int32]  # (64,) the first entry of the heap whose distance parts from the last one at this bit
    label: NDArray[np.int32]  # nodes whose distance is final, in order
    stack: NDArray[np.int32]  # nodes at the present distance
    cut: NDArray[np.int32]  # (nodes,) nodes cut off from the tree
    waiting: NDArray[np.int32]  # nodes with an imbalance
    state: NDArray[np.int64]  # (STATES,)


class Arcs(NamedTuple):
    """Arcs that are laid out one after the other."""

    tail: Ints
    head: Ints  # less `shift`
    shift: int
    cost: Ints
    most: Ints
    row: int  # of the first of them


class Claims(NamedTuple):
    """What is known of claims before they are laid out."""

    at: Ints  # each claim's node, before nodes are ranked
    sole: Ints  # the need that the claim shares its node with, or -1
    tier: Ints
    received: Ints
    rise: Ints
    run: Ints


# --- the gate of a node: its ways from and to the root ------------------------------------------------------------------


@inner
def _level(net: Network, u: int, units: int) -> int:
    """Return the level of the unit after `units`."""
    seen = net.gate[u, SEEN] + units
    if seen >= net.gate[u, LAST_AT]:
        return net.state[LAST_LEVEL]
    return seen * net.gate[u, RISE] // net.gate[u, RUN]


@lean
def _foot(net: Network, u: int, level: int) -> int:
    """Return how many units come before `level` is reached, counted from nothing received."""
    if level <= 0:
        return 0
    if level > net.state[LAST_LEVEL] or net.gate[u, RISE] == 0:
        return FAR
    return -(-level * net.gate[u, RUN] // net.gate[u, RISE])


@lean
def refresh(net: Network, u: int) -> None:
    """Write what the next and the last unit through the gate are worth."""
    gate = net.gate
    units = gate[u, UNITS]
    if gate[u, KIND] == OFFER:
        net.edge[u, GIVE] = 0
        net.edge[u, TAKE] = 0 if units > 0 else -FAR
    elif gate[u, KIND] == CLAIM:
        step = net.state[STEP]
        net.edge[u, GIVE] = gate[u, WORTH] - step * _level(net, u, units) if units < gate[u, LIMIT] else -FAR
        net.edge[u, TAKE] = step * _level(net, u, units - 1) - gate[u, WORTH] if units > 0 else -FAR
    else:
        net.edge[u, GIVE] = -FAR
        net.edge[u, TAKE] = -FAR


@lean
def _gate_room(net: Network, u: int, side: int) -> int:
    """Return how many units the gate gives (side 0) or takes back (1) at its present worth."""
    gate = net.gate
    units = gate[u, UNITS]
    if net.gate[u, KIND] == OFFER:
        return FAR if side == 0 else units
    if side == 0:
        level = _level(net, u, units)
        return min(gate[u, LIMIT] - units, _foot(net, u, level + 1) - gate[u, SEEN] - units)
    level = _level(net, u, units - 1)
    return min(units, units + gate[u, SEEN] - _foot(net, u, level))


@lean
def _units_worth(net: Network, u: int, least_worth: int) -> int:
    """Return how many units through a claim's gate are worth at least that much each."""
    gate = net.gate
    level = (gate[u, WORTH] - least_worth) // net.state[STEP]
    if level < 0:
        return 0
    return max(0, min(gate[u, LIMIT], _foot(net, u, level + 1) - gate[u, SEEN]))


@lean
def _hold(net: Network, u: int, units: int) -> None:
    """Add units that came to `u` (or are missing there, below 0) and have to be moved on."""
    if units == 0:
        return
    state = net.state
    net.edge[u, HELD] += units
    net.waiting[state[WAITING]] = u
    state[WAITING] += 1


@lean
def regate(net: Network, u: int) -> None:
    """Let the gate of a claim or an offer take what its pressure says, after its limit, its worth or its pressure changed."""
    node, gate = net.node, net.gate
    pressure = node[u, PRESSURE]
    before = gate[u, UNITS]
    if gate[u, KIND] == OFFER:
        units = before if pressure == 0 else 0
    else:
        wanted = _units_worth(net, u, pressure + 1)
        worthwhile = _units_worth(net, u, pressure)
        units = min(max(before, wanted), worthwhile)
    gate[u, UNITS] = units
    refresh(net, u)
    _hold(net, u, before - units)


@lean
def spill(net: Network, u: int, units: int) -> None:
    """Let an offer have so many units more, or fewer."""
    gate = net.gate
    gate[u, LIMIT] += units
    if units > 0 and net.node[u, PRESSURE] > 0:
        _hold(net, u, units)
        return
    kept = max(0, gate[u, UNITS] + units)
    _hold(net, u, gate[u, UNITS] + units - kept)
    gate[u, UNITS] = kept
    refresh(net, u)


@lean
def climb_by(net: Network, u: int, rise: int, run: int) -> None:
    """Write a claim's staircase: so many levels up in so many units."""
    gate = net.gate
    last = net.state[LAST_LEVEL]
    gate[u, RISE] = rise
    gate[u, RUN] = run
    gate[u, LAST_AT] = -(-last * run // rise) if rise > 0 else (0 if last == 0 else FAR)


@lean
def restep(net: Network, nodes: Ints, rise: Ints, run: Ints) -> None:
    """Give many claims other staircases, and let their gates take what their pressures say. `settle` has to follow."""
    for x in range(len(nodes)):
        climb_by(net, nodes[x], rise[x], run[x])
        regate(net, nodes[x])


# --- arcs and their places ----------------------------------------------------------------------------------------------


@inner
def _swap(net: Network, x: int, y: int, half: int) -> None:
    """Exchange two places; `half` says whether they are places out of a node (32 bits up) or into one (0)."""
    place, arc = net.place, net.arc
    if x == y:
        return
    for column in range(3):
        kept = place[x, column]
        place[x, column] = place[y, column]
        place[y, column] = kept
    for z in (x, y):
        a = place[z, ARC]
        places = arc[a, PLACES]
        arc[a, PLACES] = (places & LOW) | (z << 32) if half == 32 else (places & ~LOW) | z


@inner
def _ends(net: Network, a: int) -> tuple[int, int, int, int]:
    """Return (tail, head, place out of the tail, place into the head) of an arc."""
    places = net.arc[a, PLACES]
    out, into = places >> 32, places & LOW
    head, tail = int(net.place[out, END]), int(net.place[into, END])
    return tail if tail >= 0 else ~tail, head if head >= 0 else ~head, out, into


@inner
def _cost(net: Network, x: int) -> int:
    """Return the cost of the arc at a place."""
    cost = int(net.place[x, COST])
    return cost if cost != LONG else net.cost[net.place[x, ARC]]


@inner
def _write_cost(net: Network, a: int, out: int, into: int, cost: int) -> None:
    """Give the arc at two places its cost."""
    told = cost
    if cost <= LONG or cost >= -LONG:
        net.cost[a] = cost
        told = LONG
    net.place[out, COST] = told
    net.place[into, COST] = told


@lean
def _mark(net: Network, a: int, was_full: int, was_loose: int) -> None:
    """Bring the two places of an arc in line with its flow."""
    arc, place, span = net.arc, net.place, net.span
    full = arc[a, FLOW] >= arc[a, MOST]
    loose = arc[a, FLOW] > arc[a, PINNED]
    if full == was_full and loose == was_loose:
        return
    tail, head, out, into = _ends(net, a)
    if full != was_full:
        place[out, END] = ~place[out, END]
        place[into, END] = ~place[into, END]
    if loose and not was_loose:
        _swap(net, out, span[tail, START] + span[tail, LOOSE], 32)
        span[tail, LOOSE] += 1
        _swap(net, into, span[head, INTO + START] + span[head, INTO + LOOSE], 0)
        span[head, INTO + LOOSE] += 1
    elif was_loose and not loose:
        span[tail, LOOSE] -= 1
        _swap(net, out, span[tail, START] + span[tail, LOOSE], 32)
        span[head, INTO + LOOSE] -= 1
        _swap(net, into, span[head, INTO + START] + span[head, INTO + LOOSE], 0)


@lean
def put_arc(net: Network, a: int, flow: int, most: int, pinned: int) -> None:
    """Give an arc its units, its limit and its pinned units, whatever the pressures say."""
    arc = net.arc
    full = arc[a, FLOW] >= arc[a, MOST]
    loose = arc[a, FLOW] > arc[a, PINNED]
    arc[a, FLOW] = flow
    arc[a, MOST] = most
    arc[a, PINNED] = pinned
    _mark(net, a, full, loose)


@lean
def _make_space(net: Network, u: int, offset: int) -> None:
    """Give a node one place more on a side; its places move to the end of the pool when they have no space left."""
    span, place, arc, state = net.span, net.place, net.arc, net.state
    side = 0 if offset == 0 else 1
    count, space, start = span[u, offset + COUNT], int(net.space[u, side]), span[u, offset + START]
    if count < space:
        return
    begin = state[POOL]
    space = max(LEAST_SPACE, 2 * space)
    for x in range(count):
        for column in range(3):
            place[begin + x, column] = place[start + x, column]
        a = place[begin + x, ARC]
        places = arc[a, PLACES]
        arc[a, PLACES] = (places & LOW) | ((begin + x) << 32) if offset == 0 else (places & ~LOW) | (begin + x)
    span[u, offset + START] = begin
    net.space[u, side] = space
    state[POOL] = begin + space


@inner
def _note_arc(net: Network, a: int, tail: int, head: int, cost: int, most: int) -> None:
    """Write an arc without flow at both its ends, after the places they have."""
    span, place, arc = net.span, net.place, net.arc
    out = span[tail, START] + span[tail, COUNT]
    into = span[head, INTO + START] + span[head, INTO + COUNT]
    span[tail, COUNT] += 1
    span[head, INTO + COUNT] += 1
    place[out, END], place[out, ARC] = head if most > 0 else ~head, a
    place[into, END], place[into, ARC] = tail if most > 0 else ~tail, a
    _write_cost(net, a, out, into, cost)
    arc[a, FLOW] = 0
    arc[a, MOST] = most
    arc[a, PINNED] = 0
    arc[a, PLACES] = out << 32 | into


@lean
def more_places(net: Network, nodes: Ints, offset: int) -> int:
    """Return how many places at the end of the pool arcs take on one side of nodes, which come in order, each as often as it gets one."""
    places, begin, side = 0, 0, 0 if offset == 0 else 1
    for x in range(len(nodes)):
        u = nodes[x]
        if x + 1 < len(nodes) and nodes[x + 1] == u:
            continue
        space, wanted = int(net.space[u, side]), net.span[u, offset + COUNT] + x + 1 - begin
        while space < wanted:
            space = max(LEAST_SPACE, 2 * space)
            places += space
        begin = x + 1
    return places


@lean
def attach(net: Network, a: int, tail: int, head: int, cost: int, most: int) -> None:
    """Add an arc without flow. `unslack` has to follow. The pool must have the space that `more_places` tells of both ends."""
    span = net.span
    _make_space(net, tail, 0)
    _make_space(net, head, INTO)
    _note_arc(net, a, tail, head, cost, most)
    for u in (tail, head):
        net.state[WIDEST] = max(net.state[WIDEST], span[u, COUNT] + span[u, INTO + COUNT])


@lean
def detach_all(net: Network, rows: Ints, begin: int, end: int) -> None:
    """Take arcs without flow out of the network."""
    for x in range(begin, end):
        _detach(net, rows[x])


@lean
def _detach(net: Network, a: int) -> None:
    """Take an arc without flow out of the network."""
    span = net.span
    tail, head, out, into = _ends(net, a)
    for u in (tail, head):
        if net.edge[u, HINT] >= 0 and (net.edge[u, HINT] & LOW) >> 1 == a:
            net.edge[u, HINT] = -1
    span[tail, COUNT] -= 1
    _swap(net, out, span[tail, START] + span[tail, COUNT], 32)
    span[head, INTO + COUNT] -= 1
    _swap(net, into, span[head, INTO + START] + span[head, INTO + COUNT], 0)


@lean
def unslack(net: Network, a: int, cost: int, most: int, pinned: int) -> None:
    """Give an arc its cost, limit and pinned units, and let it carry what the pressures at its ends say."""
    node, arc = net.node, net.arc
    tail, head, out, into = _ends(net, a)
    _write_cost(net, a, out, into, cost)
    slack = cost + node[tail, PRESSURE] - node[head, PRESSURE]
    before = arc[a, FLOW]
    flow = min(max(before, pinned), most)
    if slack < 0:
        flow = most
    elif slack > 0:
        flow = pinned
    put_arc(net, a, flow, most, pinned)
    _hold(net, head, flow - before)
    _hold(net, tail, before - flow)


@lean
def slacken(net: Network, a: int, cost: int, most: int, pinned: int, useful: int) -> None:
    """Give an arc its cost, limit and pinned units, to carry at most what is `useful` until `unclip` is called at rest.

    A limit that cannot bind would otherwise fill the neighbourhood with units that exist nowhere.
    """
    tail, head, _, _ = _ends(net, a)
    slack = cost + net.node[tail, PRESSURE] - net.node[head, PRESSURE]
    limit = most
    if slack < 0:
        limit = min(most, max(useful, net.arc[a, FLOW]))
    unslack(net, a, cost, limit, pinned)


@lean
def unclip(net: Network, a: int, most: int) -> None:
    """Give an arc the limit it was not given by `slacken`. Full below it, it alone uses all of its offer or of its need."""
    arc, node, gate = net.arc, net.node, net.gate
    flow = arc[a, FLOW]
    if arc[a, MOST] == most:
        return
    tail, head, out, _ = _ends(net, a)
    slack = _cost(net, out) + node[tail, PRESSURE] - node[head, PRESSURE]
    if slack < 0:
        if gate[tail, KIND] == OFFER and flow == gate[tail, LIMIT]:
            node[tail, PRESSURE] -= slack
        else:
            node[head, PRESSURE] += slack
    put_arc(net, a, flow, most, arc[a, PINNED])


@lean
def attach_all(net: Network, rows: Ints, tails: Ints, heads: Ints, costs: Ints, most: Ints, useful: Ints) -> None:
    """Add many arcs, each to carry what the pressures at its ends say, and at most what is useful until `unclip_all` is called."""
    for x in range(len(rows)):
        attach(net, rows[x], tails[x], heads[x], costs[x], most[x])
        slacken(net, rows[x], costs[x], most[x], 0, useful[x])


@lean
def unclip_all(net: Network, rows: Ints, most: Ints) -> None:
    """Give arcs the limits they were not given by `slacken`, one after the other."""
    for x in range(len(rows)):
        unclip(net, rows[x], most[x])


@lean
def pinned_at(net: Network, u: int, side: int) -> int:
    """Return how many units are pinned on the arcs out of (0) or into (1) a node."""
    units = 0
    start = net.span[u, INTO * side + START]
    for x in range(start, start + net.span[u, INTO * side + COUNT]):
        units += net.arc[net.place[x, ARC], PINNED]
    return units


@inner
def _last_worth(net: Network, u: int) -> int:
    """Return what the last unit a claim takes is worth, or the first if it takes none."""
    return net.gate[u, WORTH] - net.state[STEP] * _level(net, u, max(0, net.gate[u, UNITS] - 1))


@lean
def press_need(net: Network, j: int, way: int) -> None:
    """Give a need that takes nothing of its own choice the greatest pressure it can have."""
    node, span, place = net.node, net.span, net.place
    best = _last_worth(net, j) if way < 0 else node[_ends(net, way)[1], PRESSURE]
    start = span[j, INTO + START]
    for x in range(start, start + span[j, INTO + COUNT]):
        end = place[x, END]
        if end >= 0:
            best = min(best, _cost(net, x) + node[end, PRESSURE])
    node[j, PRESSURE] = best


@lean
def press_offer(net: Network, i: int) -> None:
    """Give an offer that gives nothing yet the least pressure it can have, and let its units look for the needs it reaches."""
    node, span, place = net.node, net.span, net.place
    best = 0
    start = span[i, START]
    for x in range(start, start + span[i, COUNT]):
        end = place[x, END]
        if end >= 0:
            best = max(best, node[end, PRESSURE] - _cost(net, x))
    node[i, PRESSURE] = best
    regate(net, i)


# --- the search ---------------------------------------------------------------------------------------------------------


def _count_bits(context: Any, number: Any) -> Any:  # noqa: ARG001 - numba calls it so
    """Return the signature and the code that counts the bits of a number that is not negative."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        zeros = builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))
        return builder.sub(ir.Constant(ir.IntType(64), 64), zeros)

    return types.int64(types.int64), generate


_bits: Callable[[int], int] = _in_machine_code(_count_bits)


def _prefetch(context: Any, address: Any) -> Any:  # noqa: ARG001
    """Return the signature and the code that asks for the memory at an address without waiting for it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        ask = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        reading, keeping, data = ir.Constant(word, 0), ir.Constant(word, 3), ir.Constant(word, 1)
        builder.call(ask, [builder.inttoptr(arguments[0], byte), reading, keeping, data])
        return context.get_constant(types.int64, 0)

    return types.int64(types.int64), generate


_ask_for: Callable[[int], int] = _in_machine_code(_prefetch)


@inner
def _push(net: Network, distance: int, entry: int) -> None:
    """Put an entry into the heap, no nearer than the last one taken out (a radix heap: Ahuja, Mehlhorn, Orlin, Tarjan 1990)."""
    heap, link, bucket, state = net.heap, net.link, net.bucket, net.state
    x = state[FREE]
    if x >= 0:
        state[FREE] = link[x]
    else:
        x = state[HEAP]
        state[HEAP] += 1
    b = _bits(distance ^ state[LAST])
    heap[x, 0] = distance
    heap[x, 1] = entry
    link[x] = bucket[b] if state[FILLED] >> b & 1 else -1
    bucket[b] = x
    state[FILLED] |= 1 << b


@inner
def _nearest(net: Network) -> bool:
    """Bring the nearest entries into the first bucket, dropping those that hold no more; return whether there are any."""
    node, heap, link, bucket, state = net.node, net.heap, net.link, net.bucket, net.state
    since = state[SINCE]
    while state[FILLED] and not state[FILLED] & 1:
        b = _bits(state[FILLED] & -state[FILLED]) - 1
        state[FILLED] ^= 1 << b
        x = int(bucket[b])
        kept = -1
        last = FAR
        while x >= 0:
            after = int(link[x])
            u = heap[x, 1]
            good = u < 0 or (node[u, STAMP] >= since and not node[u, STAMP] & 1 and node[u, DISTANCE] == heap[x, 0])
            if good:
                last = min(last, heap[x, 0])
                link[x] = kept
                kept = x
            else:
                link[x] = state[FREE]
                state[FREE] = x
            x = after
        if kept >= 0:
            state[LAST] = last
        while kept >= 0:
            after = int(link[kept])
            b = _bits(heap[kept, 0] ^ last)
            link[kept] = bucket[b] if state[FILLED] >> b & 1 else -1
            bucket[b] = kept
            state[FILLED] |= 1 << b
            kept = after
    return state[FILLED] != 0


@inner
def _take(net: Network) -> int:
    """Take an entry out of the first bucket and return what it holds; it lies at the last distance."""
    heap, link, bucket, state = net.heap, net.link, net.bucket, net.state
    x = int(bucket[0])
    bucket[0] = link[x]
    if link[x] < 0:
        state[FILLED] ^= 1
    link[x] = state[FREE]
    state[FREE] = x
    return heap[x, 1]


@inner
def _clear(net: Network) -> None:
    """Empty the heap."""
    state = net.state
    state[LAST] = state[HEAP] = state[FILLED] = 0
    state[FREE] = -1


@inner
def _exit(net: Network, u: int, side: int, sign: int) -> int:
    """Return the distance at which units leave through `u`: to an opposite imbalance, or through its gate."""
    node = net.node
    if net.edge[u, HELD] * sign < 0:
        return node[u, DISTANCE]
    worth = net.edge[u, GIVE + side]
    return FAR if worth == -FAR else node[u, DISTANCE] + sign * node[u, PRESSURE] - worth


@lean
def _bottleneck(net: Network, u: int, side: int, sign: int) -> int:
    """Return how many units can go from the root of the search through `u` and out."""
    node, arc = net.node, net.arc
    units = abs(net.edge[u, HELD]) if net.edge[u, HELD] * sign < 0 else _gate_room(net, u, side)
    root = net.state[ROOT]
    while u != root:
        parent = node[u, PARENT]
        a = (parent & LOW) >> 1
        units = min(units, arc[a, FLOW] - arc[a, PINNED] if parent & 1 else arc[a, MOST] - arc[a, FLOW])
        u = parent >> 32
    return units


@inner
def _expand(net: Network, u: int, side: int, sign: int) -> None:
    """Label what can be reached from `u`, whose distance is final."""
    node, span, place, stack, state = net.node, net.span, net.place, net.stack, net.state
    since, bound, deep = state[SINCE], state[BOUND], state[STACK]
    clock = node[u, STAMP] & ~3
    distance = node[u, DISTANCE]
    base = distance + sign * node[u, PRESSURE]
    here = u << 32
    start = span[u, INTO * side + START]
    stop = start + span[u, INTO * side + COUNT]
    for x in range(start, stop):
        w = int(place[x, END])
        if w < 0:
            continue
        reached = base + _cost(net, x) - sign * node[w, PRESSURE]
        if reached < bound and (node[w, STAMP] < since or reached < node[w, DISTANCE]):
            node[w, DISTANCE] = reached
            node[w, STAMP] = clock
            node[w, PARENT] = here | int(place[x, ARC]) << 1
            if reached == distance:
                stack[deep] = w
                deep += 1
            else:
                _push(net, reached, w)
    state[SCANNED] += stop - start
    start = span[u, INTO - INTO * side + START]
    stop = start + span[u, INTO - INTO * side + LOOSE]
    for x in range(start, stop):
        w = int(place[x, END])
        if w < 0:
            w = ~w
        reached = base - _cost(net, x) - sign * node[w, PRESSURE]
        if reached < bound and (node[w, STAMP] < since or reached < node[w, DISTANCE]):
            node[w, DISTANCE] = reached
            node[w, STAMP] = clock
            node[w, PARENT] = here | int(place[x, ARC]) << 1 | 1
            if reached == distance:
                stack[deep] = w
                deep += 1
            else:
                _push(net, reached, w)
    state[SCANNED] += stop - start
    state[STACK] = deep


@lean
def _send(net: Network, u: int, sign: int, units: int) -> int:
    """Move units from the root of the search through `u` and out; return how many nodes lost their way to the root."""
    node, arc, gate, state = net.node, net.arc, net.gate, net.state
    root = state[ROOT]
    net.edge[u, HINT] = -1
    if net.edge[u, HELD] * sign < 0:
        net.edge[u, HELD] += sign * units
    else:
        gate[u, UNITS] += sign * units
        refresh(net, u)
    net.edge[root, HELD] -= sign * units
    cut = 0
    while u != root:
        parent = node[u, PARENT]
        a = (parent & LOW) >> 1
        full = arc[a, FLOW] >= arc[a, MOST]
        loose = arc[a, FLOW] > arc[a, PINNED]
        arc[a, FLOW] += -units if parent & 1 else units
        _mark(net, a, full, loose)
        if (arc[a, FLOW] <= arc[a, PINNED]) if parent & 1 else (arc[a, FLOW] >= arc[a, MOST]):
            net.cut[cut] = u
            cut += 1
        state[CHANGED] += 1
        net.edge[parent >> 32, HINT] = u << 32 | (parent & LOW) ^ 1 ^ state[SIDE]
        u = parent >> 32
    state[WAYS] += 1
    return cut


@lean
def _join(net: Network, u: int, side: int, sign: int) -> None:
    """Label `u` from the best of the settled nodes that lead to it, if it comes near enough that way."""
    node, span, place, state = net.node, net.span, net.place, net.state
    since = state[SINCE]
    best = state[BOUND]
    base = -sign * node[u, PRESSURE]
    stamp = 0
    start = span[u, INTO - INTO * side + START]
    for y in range(start, start + span[u, INTO - INTO * side + COUNT]):
        w = int(place[y, END])
        if w < 0:
            continue
        if node[w, STAMP] > since and node[w, STAMP] & 1:
            reached = node[w, DISTANCE] + sign * node[w, PRESSURE] + _cost(net, y) + base
            if reached < best:
                best = reached
                stamp = node[w, STAMP] & ~3
                node[u, PARENT] = w << 32 | int(place[y, ARC]) << 1
    start = span[u, INTO * side + START]
    for y in range(start, start + span[u, INTO * side + LOOSE]):
        w = int(place[y, END])
        if w < 0:
            w = ~w
        if node[w, STAMP] > since and node[w, STAMP] & 1:
            reached = node[w, DISTANCE] + sign * node[w, PRESSURE] - _cost(net, y) + base
            if reached < best:
                best = reached
                stamp = node[w, STAMP] & ~3
                node[u, PARENT] = w << 32 | int(place[y, ARC]) << 1 | 1
    node[u, STAMP] = stamp
    if stamp:
        node[u, DISTANCE] = best
        _push(net, best, u)


@lean
def _unlink(net: Network, u: int) -> None:
    """Take `u` out of the branches of its parent."""
    node = net.node
    parent = node[u, PARENT] >> 32
    after = net.edge[u, KIN] & LOW
    x = net.edge[parent, KIN] >> 32
    if x == u + 1:
        net.edge[parent, KIN] = after << 32 | (net.edge[parent, KIN] & LOW)
        return
    while net.edge[x - 1, KIN] & LOW != u + 1:
        x = net.edge[x - 1, KIN] & LOW
    net.edge[x - 1, KIN] = (net.edge[x - 1, KIN] & ~LOW) | after


@lean
def _regrow(net: Network, cut: int, side: int, sign: int, distance: int) -> None:
    """Take off the tree all that hangs on the first `cut` nodes of that list, and label it from what is left of the tree.

    The arcs between the two are looked for from the smaller part. The pressures of what is cut off move now as far as the search
    has come, `distance`, for its new labels will be no nearer than that. What was only labelled from there is not looked for: it
    is found out when its turn comes.
    """
    node, gone, state = net.node, net.cut, net.state
    _unlink(net, int(gone[cut - 1]))  # The others hang on it.
    for x in range(cut):
        node[gone[x], STAMP] = 0
    x = 0
    while x < cut:
        u = gone[x]
        x += 1
        node[u, PRESSURE] += sign * (node[u, DISTANCE] - distance)
        branch = net.edge[u, KIN] >> 32
        while branch:
            if node[branch - 1, STAMP]:
                node[branch - 1, STAMP] = 0
                gone[cut] = branch - 1
                cut += 1
            branch = net.edge[branch - 1, KIN] & LOW
    state[ORPHANS] += cut
    state[ALIVE] -= cut
    space = min(len(net.heap) - state[HEAP], len(net.stack) - state[STACK])
    if cut <= state[ALIVE] or space < (state[ALIVE] + 2) * state[WIDEST]:
        for x in range(cut):
            _join(net, int(gone[x]), side, sign)
        return
    alive = 0
    for x in range(state[LABELS]):
        u = int(net.label[x])
        if node[u, STAMP] & 1:
            net.label[alive] = u
            alive += 1
            if node[u, STAMP] & 2:
                _expand(net, u, side, sign)
    state[SETTLED] += state[LABELS] - alive
    state[LABELS] = alive


@lean
def _begin(net: Network, root: int) -> None:
    """Start a search that moves the imbalance of `root`."""
    node, state = net.node, net.state
    state[CLOCK] += 4
    state[SINCE] = state[CLOCK]
    state[ALIVE] = 0
    state[ROOT] = root
    state[SIDE] = 0 if net.edge[root, HELD] > 0 else 1
    state[BOUND] = FAR
    _clear(net)
    state[LABELS] = 0
    state[STACK] = 1
    net.stack[0] = root
    node[root, DISTANCE] = 0
    node[root, STAMP] = state[CLOCK]
    state[SEARCHES] += 1


@lean
def _end(net: Network, distance: int) -> None:
    """Move the pressures of all nodes nearer than `distance`."""
    node, label, state = net.node, net.label, net.state
    sign = 1 - 2 * state[SIDE]
    for x in range(state[LABELS]):
        u = label[x]
        if node[u, STAMP] & 1:
            if node[u, DISTANCE] < distance:
                node[u, PRESSURE] += sign * (node[u, DISTANCE] - distance)
            node[u, STAMP] = 0
    state[SETTLED] += state[LABELS]
    state[LABELS] = 0
    state[ROOT] = -1


@lean
def _leave(net: Network, u: int, side: int, sign: int, distance: int) -> bool:
    """Send units out through `u` at its distance; return whether the imbalance is gone."""
    node, state = net.node, net.state
    root = state[ROOT]
    units = min(abs(net.edge[root, HELD]), _bottleneck(net, u, side, sign))
    cut = _send(net, u, sign, units)
    if net.edge[root, HELD] == 0:
        return True
    if cut:
        _regrow(net, cut, side, sign, distance)
    if node[u, STAMP] & 1:
        reached = _exit(net, u, side, sign)
        if reached <= state[BOUND] and reached < FAR:
            _push(net, reached, ~u)
    return False


@inner
def _slide(net: Network, u: int, hint: int, side: int, sign: int) -> bool:
    """Label the node that lay next on the way out when units last came by, if it is as near as `u`; return whether it is."""
    if hint < 0:
        return False
    node, arc, state = net.node, net.arc, net.state
    w = hint >> 32
    distance = node[u, DISTANCE]
    stamp = node[w, STAMP]
    if stamp >= state[SINCE] and (stamp & 1 or node[w, DISTANCE] < distance):
        return False
    a = (hint & LOW) >> 1
    back = (hint & 1) ^ 1 ^ side
    places = arc[a, PLACES]
    cost = _cost(net, places & LOW)
    if back:
        if arc[a, FLOW] <= arc[a, PINNED]:
            return False
        cost = -cost
    elif arc[a, FLOW] >= arc[a, MOST]:
        return False
    if cost + sign * (node[u, PRESSURE] - node[w, PRESSURE]) != 0 or distance >= state[BOUND]:
        return False
    node[w, DISTANCE] = distance
    node[w, STAMP] = node[u, STAMP] & ~3
    node[w, PARENT] = u << 32 | (hint & LOW) & ~1 | back
    net.stack[state[STACK]] = ~u
    net.stack[state[STACK] + 1] = w
    state[STACK] += 2
    return True


@inner
def _look_ahead(net: Network, u: int, hint: int, side: int) -> None:
    """Ask for the memory that a visit of `u` will look at last, as the first of it says where that is."""
    places, span = net.place.ctypes.data, net.span
    if hint >= 0:
        _ask_for(net.node.ctypes.data + NODE_BYTES * (hint >> 32))
        _ask_for(net.arc.ctypes.data + ARC_BYTES * ((hint & LOW) >> 1))
    first = places + PLACE_BYTES * int(span[u, INTO * side + START])
    _ask_for(first)
    _ask_for(first + LINE)
    _ask_for(places + PLACE_BYTES * int(span[u, INTO - INTO * side + START]))


@inner
def _visit(net: Network, u: int, side: int, sign: int) -> bool:
    """Make the distance of `u` final, and note its way out and what it reaches; return whether the imbalance is gone."""
    node, label, state = net.node, net.label, net.state
    state[CLOCK] += 4
    node[u, STAMP] = state[CLOCK] + 1
    label[state[LABELS]] = u
    state[LABELS] += 1
    state[ALIVE] += 1
    net.edge[u, KIN] = 0
    hint = net.edge[u, HINT]
    _look_ahead(net, u, hint, side)
    if u != state[ROOT]:
        up = node[u, PARENT]
        parent = up >> 32
        net.edge[u, KIN] = net.edge[parent, KIN] >> 32
        net.edge[parent, KIN] = (u + 1) << 32 | (net.edge[parent, KIN] & LOW)
        net.edge[u, HINT] = parent << 32 | (up & LOW) ^ side
    distance = node[u, DISTANCE]
    reached = _exit(net, u, side, sign)
    if reached == distance:  # Out at once: most of what hangs on this way may be cut off by it, and need not be looked into.
        if _leave(net, u, side, sign, distance):
            return True
        if not node[u, STAMP] & 1:
            return False
    elif reached < state[BOUND]:
        _push(net, reached, ~u)
        # If all that is to be moved can leave here, nothing farther counts: what leaves elsewhere before takes no more room than
        # its share. Looking into it costs a walk to the root, so the bound has to come down by much.
        nearer = 4 * (reached - distance) <= state[BOUND] - distance
        if nearer and _bottleneck(net, u, side, sign) >= abs(net.edge[state[ROOT], HELD]):
            state[BOUND] = reached
    if not _slide(net, u, hint, side, sign):
        node[u, STAMP] |= 2
        _expand(net, u, side, sign)
    return False


@inner
def _search(net: Network, budget: int) -> tuple[int, int]:
    """Go on with a search; return how it stands and what is left of the budget."""
    node, heap, stack, state = net.node, net.heap, net.stack, net.state
    root, side = state[ROOT], state[SIDE]
    sign = 1 - 2 * side
    since = state[SINCE]
    while True:
        if budget <= 0:
            return UNFINISHED, budget
        most = state[ALIVE] + 2 * state[WIDEST] + 4  # entries that one turn of this loop makes
        if state[LABELS] + 1 > len(net.label) or state[HEAP] + most > len(heap) or state[STACK] + most > len(stack):
            return TIGHT, budget
        before = state[ORPHANS]
        if state[STACK] > 0:
            state[STACK] -= 1
            u = int(stack[state[STACK]])
            if u < 0:
                u = ~u
                if node[u, STAMP] & 3 == 1:
                    node[u, STAMP] |= 2
                    _expand(net, u, side, sign)
                continue
        elif _nearest(net):
            u = _take(net)
        else:
            _end(net, node[root, DISTANCE])
            return STUCK, budget
        distance = state[LAST]
        if u < 0:
            u = ~u
            if node[u, STAMP] & 1 and _exit(net, u, side, sign) == distance:
                if _leave(net, u, side, sign, distance):
                    _end(net, distance)
                    return AT_REST, budget
                budget -= 20 + state[ORPHANS] - before
            continue
        stamp = node[u, STAMP]
        if stamp < since or stamp & 1 or node[u, DISTANCE] != distance:
            continue
        budget -= 1
        if u != root and node[node[u, PARENT] >> 32, STAMP] & ~2 != stamp + 1:  # The branch it was labelled from was cut off since.
            _join(net, u, side, sign)
            continue
        if _visit(net, u, side, sign):
            _end(net, distance)
            return AT_REST, budget
        budget -= state[ORPHANS] - before


@inner
def _settle(net: Network, budget: int) -> tuple[int, int]:
    """Move every imbalance to the root; return how it stands and what is left of the budget."""
    state, waiting = net.state, net.waiting
    while True:
        if state[ROOT] < 0:
            while state[WAITING] > 0 and net.edge[waiting[state[WAITING] - 1], HELD] == 0:
                state[WAITING] -= 1
            if state[WAITING] == 0:
                return AT_REST, budget
            _begin(net, waiting[state[WAITING] - 1])
        how, budget = _search(net, budget)
        if how != AT_REST:
            return how, budget


@lean
def _take_in(net: Network, u: int, way: int, units: int) -> None:
    """Let an offer have, or a need ask for, so many units in all; `way` is the arc from a need to its claim, -1 where it has none."""
    gate = net.gate
    if gate[u, KIND] == OFFER:
        spill(net, u, units - gate[u, LIMIT])
        return
    asked = gate[u, LIMIT] if way < 0 else net.arc[way, MOST]
    taken = gate[u, UNITS] if way < 0 else net.arc[way, FLOW]
    if asked == 0 and taken == 0:
        press_need(net, u, way)
    if way < 0:
        gate[u, LIMIT] = units
        regate(net, u)
    else:
        unslack(net, way, 0, units, 0)


@lean
def happen(net: Network, node: Ints, way: Ints, units: Ints, done: int, budget: int) -> tuple[int, int]:
    """Let offers have, and needs ask for, so many units in all, one after the other, each once all before it is at rest.

    Begins with the event `done`, or none if there is no more; returns how many are done, and how it ends after about `budget`
    visits of nodes: AT_REST; UNFINISHED (call again to go on); TIGHT (give heap, stack and labels more space, call again); or
    STUCK: units cannot leave the node `waiting[state[WAITING]]`, because all that serves it is pinned.
    """
    while True:
        how, budget = _settle(net, budget)
        if how != AT_REST or done == len(node):
            return done, how
        if budget <= 0:
            return done, UNFINISHED
        _take_in(net, node[done], way[done], units[done])
        done += 1
        budget -= 1


# --- whole networks -----------------------------------------------------------------------------------------------------


@making
def least(net: Network, count: int) -> Ints:
    """Return the (count,) least pressures at rest: what one unit more at a node would gain.

    The shortest way from each node to the root is as much below its pressure as the pressure can fall. The heap must hold an
    entry for each node and each place. A need that nothing can leave has no least pressure: it gets 0, or less if it has less.
    """
    node, stack, state = net.node, net.stack, net.state
    state[CLOCK] += 4
    state[SINCE] = since = state[CLOCK]
    state[BOUND] = FAR
    _clear(net)
    state[STACK] = 0
    for u in range(count):
        if net.edge[u, GIVE] > -FAR:
            node[u, DISTANCE] = node[u, PRESSURE] - net.edge[u, GIVE]
            node[u, STAMP] = since
            if node[u, DISTANCE] == 0:
                stack[state[STACK]] = u
                state[STACK] += 1
            else:
                _push(net, node[u, DISTANCE], u)
    while state[STACK] > 0 or _nearest(net):
        if state[STACK] > 0:
            state[STACK] -= 1
            u = int(stack[state[STACK]])
        else:
            u = _take(net)
            if node[u, STAMP] & 1 or node[u, DISTANCE] != state[LAST]:
                continue
        state[CLOCK] += 4
        node[u, STAMP] = state[CLOCK] + 1
        _expand(net, u, 1, -1)
    pressure = np.empty(count, dtype=np.int64)
    for u in range(count):
        reached = node[u, STAMP] > since
        pressure[u] = node[u, PRESSURE] - node[u, DISTANCE] if reached else min(0, node[u, PRESSURE])
    return pressure


@lean
def least_at(net: Network, nodes: Ints, pressures: Ints) -> int:
    """Write the least pressures of some nodes at rest, as `least` has them, each found by a search from the node to its nearest exit.

    Returns how many were found: fewer than all where the heap or the stack has no more space.
    """
    node, stack, state = net.node, net.stack, net.state
    for x in range(len(nodes)):
        root = nodes[x]
        state[CLOCK] += 4
        state[SINCE] = state[CLOCK]
        state[BOUND] = FAR
        _clear(net)
        state[STACK] = 1
        stack[0] = root
        node[root, DISTANCE] = 0
        node[root, STAMP] = state[CLOCK]
        while state[STACK] > 0 or _nearest(net):
            if state[HEAP] + 2 * state[WIDEST] > len(net.heap) or state[STACK] + 2 * state[WIDEST] > len(stack):
                return x
            if state[STACK] > 0:
                state[STACK] -= 1
                u = int(stack[state[STACK]])
            else:
                u = _take(net)
                if node[u, STAMP] & 1 or node[u, DISTANCE] != state[LAST]:
                    continue
            if node[u, DISTANCE] >= state[BOUND]:
                break
            state[CLOCK] += 4
            node[u, STAMP] = state[CLOCK] + 1
            state[BOUND] = min(state[BOUND], _exit(net, u, 0, 1))
            _expand(net, u, 0, 1)
        pressures[x] = node[root, PRESSURE] - state[BOUND]
    return len(nodes)


# --- laying a network out: passes over needs, claims, nodes or arcs, each of which does its steps from `begin` up to `end` ------


@lean
def count_needs(claim: Ints, size: Ints, begin: int, end: int) -> None:
    """Count the needs of each claim."""
    for j in range(begin, end):
        size[claim[j]] += 1


@lean
def number_claims(size: Ints, following: Ints, claims: Claims, begin: int, end: int) -> None:
    """Give each claim a node of its own, unless it has one need alone. `following` (1,) is the node after those given."""
    for k in range(begin, end):
        claims.sole[k] = -1
        if size[k] != 1:
            claims.at[k] = following[0]
            following[0] += 1


@lean
def part_kept(whole: Arcs, kept: Ints, cheaper: int, rest: Ints, parts: Arcs, twin: Rows, count: Ints, begin: int, end: int) -> None:
    """Make an arc of what is kept of each, `cheaper` by so much, and note the limit that is left. `count` (1,) is how many there are."""
    for a in range(begin, end):
        units = min(kept[a], whole.most[a])
        rest[a] = whole.most[a] - units
        twin[a] = -1
        if units > 0:
            x = count[0]
            count[0] += 1
            twin[a] = parts.row + x
            parts.tail[x], parts.head[x] = whole.tail[a], whole.head[a]
            parts.cost[x], parts.most[x] = whole.cost[a] - cheaper, units


@lean
def make_ways(claim: Ints, size: Ints, offers: int, claims: Claims, way: Ints, ways: Arcs, count: Ints, begin: int, end: int) -> None:
    """Let a claim of one need share its node, and make an arc from each other need to its claim. `count` (1,) is how many there are."""
    for j in range(begin, end):
        k = claim[j]
        if size[k] == 1:
            claims.at[k] = offers + j
            claims.sole[k] = j
            way[j] = -1
        else:
            x = count[0]
            count[0] += 1
            way[j] = ways.row + x
            ways.tail[x], ways.head[x] = offers + j, claims.at[k]


@lean
def count_ends(arcs: Arcs, first: Rows, begin: int, end: int) -> None:
    """Count the arcs out of each node u at 2 u + 2, and those into it at 2 u + 3."""
    for a in range(begin, end):
        first[2 * arcs.tail[a] + 2] += 1
        first[2 * (arcs.head[a] + arcs.shift) + 3] += 1


@lean
def add_up(first: Rows, begin: int, end: int) -> None:
    """Add to each entry all before it."""
    for x in range(begin, end):
        first[x + 1] += first[x]


@lean
def note_ends(arcs: Arcs, first: Rows, near: Rows, begin: int, end: int) -> None:
    """Note at each node the other ends of its arcs, in their order; in the end those out of u begin at 2 u, those into it at 2 u + 1."""
    for a in range(begin, end):
        tail, head = arcs.tail[a], arcs.head[a] + arcs.shift
        near[first[2 * tail + 1]] = head
        first[2 * tail + 1] += 1
        near[first[2 * head + 2]] = tail
        first[2 * head + 2] += 1


@lean
def near_order(net: Network, first: Rows, near: Rows, rank: Rows, queue: Rows, reached: Ints, begin: int, end: int) -> None:
    """Rank nodes breadth first along the arcs, and lay out where their places are: what is near in the network is near in memory.

    A step for each node and for each end of an arc. `reached` (5,) is where the last turn came to: the node of the queue that is
    looked at; how many steps it has had; how many nodes are ranked; up to which one none is left out; the place to come next.
    """
    span, state = net.span, net.state
    reading, had, ranked, seed, total = reached[0], reached[1], reached[2], reached[3], reached[4]
    steps = end - begin
    while steps > 0 and reading < len(queue):
        if reading == ranked:
            while rank[seed] >= 0:
                seed += 1
            rank[seed] = ranked
            queue[ranked] = seed
            ranked += 1
        u = queue[reading]
        outgoing, incoming, last = first[2 * u], first[2 * u + 1], first[2 * u + 2]
        if had == 0:
            row = span[reading]
            row[START], row[COUNT], row[LOOSE] = total, 0, 0
            row[INTO + START], row[INTO + COUNT], row[INTO + LOOSE] = total + incoming - outgoing, 0, 0
            net.space[reading, 0], net.space[reading, 1] = incoming - outgoing, last - incoming
            net.edge[reading, HINT] = -1
            state[WIDEST] = max(state[WIDEST], last - outgoing)
            total += last - outgoing
            had = 1
            steps -= 1
        begins = outgoing + had - 1
        ends = min(last, begins + steps)
        for x in range(begins, ends):
            w = near[x]
            if rank[w] < 0:
                rank[w] = ranked
                queue[ranked] = w
                ranked += 1
        steps -= ends - begins
        had += ends - begins
        if ends == last:
            reading += 1
            had = 0
    reached[0], reached[1], reached[2], reached[3], reached[4] = reading, had, ranked, seed, total
    state[POOL] = total


@lean
def lay_arcs(net: Network, arcs: Arcs, rank: Rows, begin: int, end: int) -> None:
    """Write arcs at their ends, nothing flowing yet."""
    for a in range(begin, end):
        _note_arc(net, arcs.row + a, rank[arcs.tail[a]], rank[arcs.head[a] + arcs.shift], arcs.cost[a], arcs.most[a])


@lean
def fill_offers(net: Network, rank: Rows, supply: Ints, offer_node: Ints, begin: int, end: int) -> None:
    """Give each offer's node its units."""
    for i in range(begin, end):
        u = rank[i]
        offer_node[i] = u
        net.gate[u, KIND] = OFFER
        net.gate[u, UNITS] = net.gate[u, LIMIT] = supply[i]
        refresh(net, u)


@lean
def fill_needs(net: Network, rank: Rows, offers: int, need_node: Ints, begin: int, end: int) -> None:
    """Make each need's node one that asks for nothing yet."""
    for j in range(begin, end):
        u = rank[offers + j]
        need_node[j] = u
        net.gate[u, KIND] = NEED
        refresh(net, u)


@lean
def fill_claims(net: Network, rank: Rows, claims: Claims, margin: int, claim_node: Ints, begin: int, end: int) -> None:
    """Give each claim's node its worth and its staircase. Those of needs come before."""
    levels = net.state[LAST_LEVEL] + 1
    for k in range(begin, end):
        u = rank[claims.at[k]]
        claim_node[k] = u
        net.gate[u, KIND] = CLAIM
        net.gate[u, WORTH] = net.state[STEP] * ((levels + 2 * margin) * (3 - claims.tier[k]) + margin + levels)
        net.gate[u, SEEN] = claims.received[k]
        climb_by(net, u, claims.rise[k], claims.run[k])
        if claims.sole[k] < 0:
            net.gate[u, LIMIT] = LARGEST_FLOW
        refresh(net, u)
        if claims.sole[k] < 0:
            net.node[u, PRESSURE] = net.edge[u, GIVE]


@lean
def pin_arcs(net: Network, offer_node: Ints, whole: Arcs, twin: Rows, pinned: Ints, taken: Ints, begin: int, end: int) -> None:
    """Let pinned units flow from offers to needs, before anybody asks; `taken` (needs,) are those that each need gets."""
    arc = net.arc
    for a in range(begin, end):
        units = pinned[a]
        if units == 0:
            continue
        held = 0
        if twin[a] >= 0:
            held = min(units, arc[twin[a], MOST])
            put_arc(net, twin[a], held, arc[twin[a], MOST], held)
        put_arc(net, a, units - held, arc[a, MOST], units - held)
        u = offer_node[whole.tail[a]]
        spill(net, u, -units)
        net.gate[u, LIMIT] += units
        taken[whole.head[a]] += units


@lean
def pin_needs(net: Network, claim_node: Ints, claim: Ints, way: Ints, taken: Ints, begin: int, end: int) -> None:
    """Let what is pinned flow from needs to claims."""
    for j in range(begin, end):
        if taken[j] == 0:
            continue
        u = claim_node[claim[j]]
        net.gate[u, UNITS] += taken[j]
        refresh(net, u)
        if way[j] >= 0:
            put_arc(net, way[j], taken[j], taken[j], 0)
            net.node[u, PRESSURE] = net.edge[u, GIVE]


@lean
def press_needs(net: Network, need_node: Ints, claim_node: Ints, claim: Ints, way: Ints, begin: int, end: int) -> None:
    """Give needs that take nothing of their own choice the greatest pressures that their claims allow. `press_arcs` has to follow."""
    for j in range(begin, end):
        u = need_node[j]
        net.node[u, PRESSURE] = net.node[claim_node[claim[j]], PRESSURE] if way[j] >= 0 else _last_worth(net, u)


@lean
def press_arcs(net: Network, begin: int, end: int) -> None:
    """Lower the pressure at the end of each arc with room to what its beginning allows."""
    node, arc = net.node, net.arc
    for a in range(begin, end):
        if arc[a, FLOW] < arc[a, MOST]:
            tail, head, out, _ = _ends(net, a)
            node[head, PRESSURE] = min(node[head, PRESSURE], _cost(net, out) + node[tail, PRESSURE])


@lean
def count_tiers(need_node: Ints, claim: Ints, tier: Ints, need_at: Rows, first: Ints, begin: int, end: int) -> None:
    """Note one more than the need at each node, and count the needs of each tier."""
    for j in range(begin, end):
        need_at[need_node[j]] = j + 1
        first[tier[claim[j]] + 1] += 1


@lean
def order_needs(
    need_at: Rows, claim: Ints, tier: Ints, way: Ints, demand: Ints, following: Ints, asking: tuple[Ints, Ints, Ints], begin: int, end: int
) -> None:
    """Write what needs ask for tier by tier, and in each as they lie in memory; `following` is where the next of each tier comes."""
    for u in range(begin, end):
        j = need_at[u] - 1
        if j >= 0:
            t = tier[claim[j]]
            x = following[t]
            following[t] += 1
            asking[0][x], asking[1][x], asking[2][x] = u, way[j], demand[j]


# --- many at once, for whoever follows a market: without a network of their own, calls would take longer than what they do --------------


class Nodes(NamedTuple):
    """Where the offers, needs and claims of a field are, with room for more."""

    offer: Ints
    need: Ints
    way: Ints  # the arc from a need to its claim, -1 where it is its own
    claim: Ints  # of each need, its position
    claim_node: Ints
    sole: Ints


class Listed(NamedTuple):
    """What a field knows of its arcs, with room for more."""

    row: Rows
    twin: Rows
    offer: Rows
    need: Rows
    effort: Ints
    most: Ints
    kept: Ints


@lean
def prove(net: Network, nodes: Nodes, offers: Ints, needs: Ints, claims: Ints) -> None:
    """Write pressures of all offers (M,), needs (N,) and claims (K,) that prove the flow optimal, mostly not the least that do."""
    for i in range(len(offers)):
        offers[i] = net.node[nodes.offer[i], PRESSURE]
    for k in range(len(claims)):
        u = nodes.claim_node[k]
        # Where a claim shares the node of its full need, its next unit counts too.
        worth = net.gate[u, WORTH] - net.state[STEP] * _level(net, u, net.gate[u, UNITS])
        claims[k] = max(net.node[u, PRESSURE], worth)
    for j in range(len(needs)):
        # A need that gets nothing holds back no unit, so that nothing keeps its own pressure below its claim's.
        needs[j] = min(net.node[nodes.need[j], PRESSURE], claims[nodes.claim[j]])


@lean
def compare(
    net: Network,
    nodes: Nodes,
    listed: Listed,
    before: tuple[Ints, Ints, Ints, Rows, Rows],
    said: tuple[Flags, Flags],
    now: tuple[Ints, Ints, Ints, Ints],
    at_stake: Ints,
    moved: Ints,
) -> tuple[int, int]:
    """Write the flow and its proof of `now`: units on arcs (A,), pressures of offers (M,), needs (N,) and claims (K,); return two counts.

    They are those of the arcs that it writes to `at_stake` and `moved`, (A,) each. `before` has units, pressures of offers and of needs as
    last asked for, and the offer and need each arc had then; `said` are (M,) and (N,). New is an arc that had no position then, or of which
    the position was another's, between other ends. At stake are arcs that carry something, are new, or have an end of which the pressure
    is another or something was said. Moved are those that are new, carry another number of units, or, of an end of which something was
    said, any.
    """
    flow, offers, needs, claims = now
    prove(net, nodes, offers, needs, claims)
    staked, count = 0, 0
    for a in range(len(flow)):
        row, twin = listed.row[a], listed.twin[a]
        units = (net.arc[row, FLOW] if row >= 0 else 0) + (net.arc[twin, FLOW] if twin >= 0 else 0)
        flow[a] = units
        i, j = listed.offer[a], listed.need[a]
        anew = said[0][i] or said[1][j]
        if a >= len(before[0]) or i != before[3][a] or j != before[4][a]:
            changed = pressed = True
        else:
            changed = units != before[0][a]
            pressed = i >= len(before[1]) or j >= len(before[2]) or offers[i] != before[1][i] or needs[j] != before[2][j]
        if units > 0 or anew or pressed:
            at_stake[staked] = a
            staked += 1
        if changed or (anew and units > 0):
            moved[count] = a
            count += 1
    return staked, count


@inner
def _has_room(net: Network, rows: int, lines: int, arcs: int, places: int) -> bool:
    """Whether so many nodes and arcs find room, `arcs` of them new, which take so many places at most."""
    state = net.state
    waiting = max(rows, state[WAITING] + 2 * arcs) + 64
    return rows <= len(net.node) and lines <= len(net.arc) and state[POOL] + places <= len(net.place) and waiting <= len(net.waiting)


@inner
def new_node(net: Network, u: int, kind: int) -> None:
    """Make a spare row a node without arcs, units or worth."""
    for column in range(4):
        net.node[u, column] = 0
    for column in range(8):
        net.edge[u, column] = 0
        net.gate[u, column] = 0
    net.space[u, 0] = 0
    net.space[u, 1] = 0
    net.gate[u, KIND] = kind
    net.edge[u, HINT] = -1
    refresh(net, u)


@inner
def fill_claim(net: Network, u: int, worth: int, received: int, rise: int, run: int) -> None:
    """Give the new node of a claim its staircase; `worth` is that of a unit on the first level."""
    net.gate[u, LIMIT] = LARGEST_FLOW
    net.gate[u, WORTH] = worth
    net.gate[u, SEEN] = received
    climb_by(net, u, rise, run)
    refresh(net, u)
    net.node[u, PRESSURE] = net.edge[u, GIVE]


@lean
def admit(
    net: Network,
    nodes: Nodes,
    counts: tuple[int, int, int, int, int],
    worth: Ints,
    received: Ints,
    rise: Ints,
    run: Ints,
    claim: Ints,
    demand: Ints,
    supply: Ints,
    event: tuple[Ints, Ints, Ints],
    known: Ints,
) -> tuple[int, int]:
    """Give new claims, needs of claims and offers their nodes, none of them with arcs, and settle; return what `happen` does.

    ``counts`` are the offers, needs, claims, nodes and arcs there are. Of claims (C,) told is what a unit on the first level is worth, what
    they received, their rises and runs; of needs (D,) their claims and what they ask for, which is written to ``event``, (D,) each, as
    `happen` takes it; of offers (E,) what they have. ``known`` are the nodes of those of the needs' claims that were there before, in
    order, each as often as a need is its. Where there is no room, nothing changed, and less than none is done.
    """
    offers, needs, claims, node, row = counts
    for x in range(len(claim)):
        if claim[x] < claims and nodes.sole[claim[x]] >= 0:
            return -1, AT_REST  # Such a claim has no node of its own yet.
    # An arc takes no more than `LEAST_SPACE` at an end that is new, be it one of many there: 4 are had for the first, 8 more for the fifth.
    places = LEAST_SPACE * (2 * len(claim) - len(known)) + more_places(net, known, INTO)
    more = len(worth) + len(claim) + len(supply)
    if not _has_room(net, node + more, row + len(claim), len(claim), places):
        return -1, AT_REST
    for x in range(len(worth)):
        new_node(net, node, CLAIM)
        fill_claim(net, node, worth[x], received[x], rise[x], run[x])
        nodes.claim_node[claims + x] = node
        nodes.sole[claims + x] = -1
        node += 1
    for x in range(len(claim)):
        new_node(net, node, NEED)
        attach(net, row, node, nodes.claim_node[claim[x]], 0, 0)
        nodes.need[needs + x], nodes.way[needs + x], nodes.claim[needs + x] = node, row, claim[x]
        event[0][x], event[1][x], event[2][x] = node, row, demand[x]
        node += 1
        row += 1
    for x in range(len(supply)):
        new_node(net, node, OFFER)
        net.gate[node, LIMIT] = supply[x]
        net.gate[node, UNITS] = supply[x]
        press_offer(net, node)
        nodes.offer[offers + x] = node
        node += 1
    return happen(net, event[0], event[1], event[2], 0, FAR)


@lean
def join_all(
    net: Network,
    nodes: Nodes,
    listed: Listed,
    counts: tuple[int, int, int],
    offers: Ints,
    needs: Ints,
    efforts: Ints,
    most: Ints,
    tails: Ints,
    heads: Ints,
) -> int:
    """Add arcs (A,) at the next positions, as `attach_all` does, and settle; return what that ends with. At rest, `unclip_all` was done.

    ``counts`` are the nodes, the rows of arcs and the positions of arcs there are. Of each arc told are its offer and its need, its effort
    and its limit; ``tails`` and ``heads`` (A,) are the nodes of the offers and of the needs, each in order. Where there is no room, nothing
    changed, and -1 comes.
    """
    used, row, arc = counts
    places = more_places(net, tails, 0) + more_places(net, heads, INTO)
    if not _has_room(net, used, row + len(offers), len(offers), places):
        return -1
    for x in range(len(offers)):
        tail, head, way = nodes.offer[offers[x]], nodes.need[needs[x]], nodes.way[needs[x]]
        useful = min(net.gate[tail, LIMIT], net.gate[head, LIMIT] if way < 0 else net.arc[way, MOST])
        attach(net, row + x, tail, head, efforts[x], most[x])
        slacken(net, row + x, efforts[x], most[x], 0, useful)
        listed.row[arc + x], listed.twin[arc + x] = row + x, -1
        listed.offer[arc + x], listed.need[arc + x] = offers[x], needs[x]
        listed.effort[arc + x], listed.most[arc + x], listed.kept[arc + x] = efforts[x], most[x], 0
    _, how = happen(net, offers, offers, offers, len(offers), FAR)  # without an event
    for x in range(len(offers) if how == AT_REST else 0):
        unclip(net, row + x, most[x])
    return how
