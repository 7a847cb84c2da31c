# mypy: no-warn-return-any
# (What comes out of an array is typed loosely; the compiler knows it.)
"""Walkers of making, compiled: what is cheapest to have where and when, and the tree that makes it out of what is really left.

A *node* is a thing at a place in a bucket. Every node knows at which pressure and effort together one unit is to be had there
(`toll`, in effort times scale) and by which way (`via`): out of a lot, of what other runs left over, by a run, by a move, or by
waiting. `refresh` finds both for one thing, given those of the things it is made of: Dijkstra's search from wherever there is
anything. `unfold` follows the ways backwards and takes what it needs from what is left, or puts everything back; it can also go
along what a linear program would run and move, where trails hold how much of that nobody has walked yet.

Where recipes form rings, a thing has several *selves*: each is made of selves that may be gone round for once less, where a recipe
closes the ring, and the last of those is never made, only taken and moved. So a tree goes round so often and no oftener.
"""

from math import ceil, gcd
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solver.engine.kernel import making as compiled

__all__ = [
    "COLUMNS",
    "FAR",
    "OVER",
    "TRAIL_LOT",
    "TRAIL_RUN",
    "Found",
    "Left",
    "Net",
    "Ways",
    "note",
    "reach",
    "refresh",
    "revert",
    "settle",
]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FAR = 1 << 60
MOST_OVER = 1 << 50  # units that lie somewhere because runs left them over: of so many trees that their sum fits into 64 bits
NOISE = 1e-6  # of a trail, which is floating point: what lies so little above a whole number is that number
LOT, RUN, MOVE, LEFTOVER, WAIT, NOWHERE = range(5 + 1)  # The first four are those of `solver.making.plan.Kind`.
KIND, WHAT, THING, UNITS, RUNS, SETUPS, BEGIN, END, FEEDS = range(9)
COLUMNS = 9  # of a line as `unfold` writes it
HARD_LOT, HARD_POOL, BATCH, OVER, TRAIL_LOT, TRAIL_RUN, TRAIL_MOVE, TRAIL_WAIT, ROOT = range(9)  # what can run out, or be put back
HAVE, WANT, WHICH, FLAT, UNDONE = range(5)  # entries of `Found.told`


class Net(NamedTuple):
    """What stays: `solver.making.problem.ProductionProblem` in rows that the walkers read one after another."""

    places: int
    buckets: int
    scale: int
    self_of: Ints  # (S',) the thing that a self is of; each thing itself before all further ones
    maker_start: Ints  # (S' + 1,)
    maker: Ints  # activities that make a self of a thing
    maker_units: Ints  # of it, a run, before losses
    maker_round: Ints  # row of `input_self` that says which selves they take for it
    goes_round: NDArray[np.bool_]  # (S',) whether there are selves of the same with fewer rounds that are made, too
    lot_start: Ints  # (S' + 1,)
    lot: Ints
    into_start: Ints  # (P + 1,)
    into: Ints  # arcs that end at a place
    out_start: Ints  # (P + 1,)
    out: Ints  # arcs that start at a place
    input_start: Ints  # (R + 1,)
    input_thing: Ints
    input_self: Ints  # (rounds, inputs) which self of that, by how often one may go round for it
    input_units: Ints
    output_start: Ints
    output_thing: Ints
    output_units: Ints
    good: Ints
    of: Ints
    batch_least: Ints
    batch_multiple: Ints
    recipe: Ints  # (A,)
    place: Ints  # (A,)
    lead: Ints  # (A,)
    effort: Ints  # (A,)
    use_start: Ints
    use_pool: Ints
    use_grains: Ints
    use_setup: Ints
    lot_place: Ints
    lot_bucket: Ints
    load: Ints
    arc_from: Ints
    arc_to: Ints
    arc_effort: Ints
    arc_lead: Ints


class Left(NamedTuple):
    """What is left of everything, and what nobody has walked yet of the linear program's plan."""

    lot: Ints  # (K,)
    pool: Ints  # (H, T) grains
    batch: Ints  # (A, T) runs begun
    over: Ints  # (S, P, T) units that runs left over and that are there from then on
    lot_shut: NDArray[np.bool_]  # (K,) too little is left to be of use to who came by
    run_shut: NDArray[np.bool_]  # (A, T) likewise
    over_shut: NDArray[np.bool_]  # (S, P, T) likewise
    trail_lot: Floats  # (K,)
    trail_run: Floats  # (A, T)
    trail_move: Floats  # (E, S, T)
    trail_wait: Floats  # (S, P, T)


class Ways(NamedTuple):
    """At which pressure a unit is to be had at each node, and how."""

    toll: Ints  # (S', P, T) in effort * scale; FAR where it is not to be had
    via: Ints  # (S', P, T) kind + 8 * what: a lot, an arc, or of a RUN the row among `Net.maker`
    thing: Ints  # (S, P, T) pressure of lots and leftovers
    pool: Ints  # (H, T) pressure of a grain


class Found(NamedTuple):
    """Room for one tree and for what to put back: for `most` entries, and in the first three for what one step more may write."""

    lines: Ints  # (most + .., COLUMNS)
    todo: Ints  # (most + .., 5) thing, node within the thing, units, the line it feeds, and what brought us there (which * 2**48 + flat)
    undo: Ints  # (most + .., 3) which array, flat index, units
    untrail: Floats  # (most,)
    told: Ints  # (5,) how much was there and how much was wanted of what (which array, flat index); how much there is to undo


@compiled
def more_runs(net: Net, left: Left, activity: int, bucket: int, runs: int) -> int:
    """Return how many runs must be begun so that at least ``runs`` more are, by the rules of the batch."""
    recipe, begun = net.recipe[activity], left.batch[activity, bucket]
    multiple = net.batch_multiple[recipe]
    total = max(begun + runs, net.batch_least[recipe])
    return -(-total // multiple) * multiple - begun


@compiled
def fits(net: Net, left: Left, activity: int, bucket: int) -> bool:
    """Whether the least that can be begun of an activity in a bucket fits into its pools."""
    if left.run_shut[activity, bucket]:
        return False
    runs = more_runs(net, left, activity, bucket, 1)
    first = left.batch[activity, bucket] == 0
    for use in range(net.use_start[activity], net.use_start[activity + 1]):
        grains = net.use_grains[use] * runs + (net.use_setup[use] if first else 0)
        if left.pool[net.use_pool[use], bucket] < grains:
            return False
    return True


@compiled
def passes(one: int, other: int) -> bool:
    """Whether a product stays below FAR, so that numbers which no plan can hold are not to be had instead of wrong."""
    return float(one) * float(other) < FAR


@compiled
def run_toll(net: Net, ways: Ways, thing: int, row: int, bucket: int) -> int:
    """Return the pressure of one unit of a thing by its ``row``-th maker begun in a bucket; FAR where an input is not to be had."""
    activity = net.maker[row]
    recipe, place = net.recipe[activity], net.place[activity]
    takes = net.effort[activity] * net.scale
    for each in range(net.input_start[recipe], net.input_start[recipe + 1]):
        toll = ways.toll[net.input_self[net.maker_round[row], each], place, bucket]
        takes += net.input_units[each] * toll if passes(net.input_units[each], toll) else FAR
        if takes >= FAR:
            return FAR
    for use in range(net.use_start[activity], net.use_start[activity + 1]):
        takes += net.use_grains[use] * ways.pool[net.use_pool[use], bucket]
    spared = 0
    for each in range(net.output_start[recipe], net.output_start[recipe + 1]):
        if net.output_thing[each] != net.self_of[thing]:
            spared += net.output_units[each] * ways.thing[net.output_thing[each], place, bucket + net.lead[activity]]
    if not passes(takes, net.of[recipe]):
        return FAR
    units = net.maker_units[row] * net.good[recipe]
    return max(0, -(-(takes * net.of[recipe] - spared * net.good[recipe]) // units))


@compiled
def refresh(net: Net, left: Left, ways: Ways, thing: int, heap: Ints, spot: Ints) -> None:
    """Find toll and way of one thing everywhere, given those of the things it is made of.

    ``heap`` and ``spot`` are room for one entry a node: nodes by toll, and where each node lies in the heap.
    """
    buckets, real = net.buckets, net.self_of[thing]
    toll, via = ways.toll[thing], ways.via[thing]
    toll[:, :] = FAR
    via[:, :] = NOWHERE
    for at in range(net.lot_start[real], net.lot_start[real + 1]):
        lot = net.lot[at]
        if left.lot[lot] > 0 and not left.lot_shut[lot]:
            place, bucket = net.lot_place[lot], net.lot_bucket[lot]
            if ways.thing[real, place, bucket] < toll[place, bucket]:
                toll[place, bucket] = ways.thing[real, place, bucket]
                via[place, bucket] = LOT + 8 * lot
    for place in range(net.places):
        for bucket in range(buckets):
            free = left.over[real, place, bucket] > 0 and not left.over_shut[real, place, bucket]
            if free and ways.thing[real, place, bucket] <= toll[place, bucket]:
                toll[place, bucket] = ways.thing[real, place, bucket]
                via[place, bucket] = LEFTOVER
    for row in range(net.maker_start[thing], net.maker_start[thing + 1]):
        activity = net.maker[row]
        place, lead = net.place[activity], net.lead[activity]
        for bucket in range(buckets - lead):
            if fits(net, left, activity, bucket):
                each = run_toll(net, ways, thing, row, bucket)
                if each < toll[place, bucket + lead]:
                    toll[place, bucket + lead] = each
                    via[place, bucket + lead] = RUN + 8 * row
    size = 0
    for node in range(net.places * buckets):
        spot[node] = -1
        if toll[node // buckets, node % buckets] < FAR:
            size = lift(toll, buckets, heap, spot, node, size)
    load = net.load[real]
    while size:
        node, size = lowest(toll, buckets, heap, spot, size)
        place, bucket = node // buckets, node % buckets
        here = toll[place, bucket]
        if bucket + 1 < buckets and here < toll[place, bucket + 1]:
            toll[place, bucket + 1] = here
            via[place, bucket + 1] = WAIT
            size = lift(toll, buckets, heap, spot, node + 1, size)
        for at in range(net.out_start[place], net.out_start[place + 1]):
            arc = net.out[at]
            there, then = net.arc_to[arc], bucket + net.arc_lead[arc]
            if then < buckets and here + net.arc_effort[arc] * load * net.scale < toll[there, then]:
                toll[there, then] = here + net.arc_effort[arc] * load * net.scale
                via[there, then] = MOVE + 8 * arc
                size = lift(toll, buckets, heap, spot, there * buckets + then, size)


@compiled
def lift(toll: Ints, buckets: int, heap: Ints, spot: Ints, node: int, size: int) -> int:
    """Put a node into the heap, or where its lower toll belongs; return the heap's size. Of equal tolls the lower node is first."""
    at = spot[node]
    if at == -2:  # Was taken already: tolls only rise from there on.
        return size
    if at == -1:
        at = size
        size += 1
    key = toll[node // buckets, node % buckets]
    while at > 0:
        above = heap[(at - 1) // 2]
        other = toll[above // buckets, above % buckets]
        if other < key or (other == key and above < node):
            break
        heap[at] = above
        spot[above] = at
        at = (at - 1) // 2
    heap[at] = node
    spot[node] = at
    return size


@compiled
def lowest(toll: Ints, buckets: int, heap: Ints, spot: Ints, size: int) -> tuple[int, int]:
    """Take the node of the lowest toll out of the heap; return it and the heap's size."""
    first = heap[0]
    spot[first] = -2
    size -= 1
    if size:
        node = heap[size]
        key = toll[node // buckets, node % buckets]
        at = 0
        while 2 * at + 1 < size:
            below = 2 * at + 1
            if below + 1 < size:
                one, two = heap[below], heap[below + 1]
                first_key, second_key = toll[one // buckets, one % buckets], toll[two // buckets, two % buckets]
                if second_key < first_key or (second_key == first_key and two < one):
                    below += 1
            each = heap[below]
            other = toll[each // buckets, each % buckets]
            if other > key or (other == key and each > node):
                break
            heap[at] = each
            spot[each] = at
            at = below
        heap[at] = node
        spot[node] = at
    return first, size


@compiled
def strongest(net: Net, left: Left, thing: int, place: int, bucket: int) -> int:
    """Return by which way the linear program has most left to bring to a node, as `Ways.via` says it."""
    real = net.self_of[thing]
    best, way = 0.0, NOWHERE
    if bucket and left.trail_wait[real, place, bucket - 1] > best:
        best, way = left.trail_wait[real, place, bucket - 1], WAIT
    for at in range(net.lot_start[real], net.lot_start[real + 1]):
        lot = net.lot[at]
        here = net.lot_place[lot] == place and net.lot_bucket[lot] == bucket
        if here and left.lot[lot] > 0 and left.trail_lot[lot] > best:
            best, way = left.trail_lot[lot], LOT + 8 * lot
    for row in range(net.maker_start[thing], net.maker_start[thing + 1]):
        activity = net.maker[row]
        begin = bucket - net.lead[activity]
        if net.place[activity] == place and begin >= 0:
            recipe = net.recipe[activity]
            units = left.trail_run[activity, begin] * net.maker_units[row] * net.good[recipe] / net.of[recipe]
            if units > best and fits(net, left, activity, begin):
                best, way = units, RUN + 8 * row
    for at in range(net.into_start[place], net.into_start[place + 1]):
        arc = net.into[at]
        begin = bucket - net.arc_lead[arc]
        if begin >= 0 and left.trail_move[arc, real, begin] > best:
            best, way = left.trail_move[arc, real, begin], MOVE + 8 * arc
    return way


@compiled
def reach(net: Net, left: Left, ways: Ways, found: Found, thing: int, place: int, bucket: int, units: int, trail: bool) -> tuple[int, int]:
    """Take a tree for as many of ``units`` as one tree can bring; return how many lines it has, and how many units.

    (0, 0) where not even one is to be had: ``found.told`` says of what there was too little.
    """
    while units > 0:
        lines = unfold(net, left, ways, found, thing, place, bucket, units, trail, trail)
        if lines < 0 and trail:  # Runs that lose nothing may be more than there is enough for.
            lines = unfold(net, left, ways, found, thing, place, bucket, units, trail, False)
        if lines >= 0:
            return lines, units
        if units == 1:
            break
        share = units * found.told[HAVE] // max(found.told[WANT], 1)
        units = min(max(1, share), units - 1)
    return 0, 0


@compiled
def unfold(
    net: Net, left: Left, ways: Ways, found: Found, thing: int, place: int, bucket: int, units: int, trail: bool, whole: bool
) -> int:
    """Take the tree that brings ``units`` to a node; return how many lines it has, or -1 with all put back.

    Along the ways of `refresh`, or with ``trail`` along what is left of the linear program's plan; there, with ``whole``, runs of
    what is asked for lose nothing to yields (see `run`). Not runs below: so many trees would rest on one that events cost more.
    """
    most, buckets, asked = len(found.untrail), net.buckets, net.self_of[thing]
    lines, undone, open_ = 0, 0, 0
    open_ = later(found, open_, thing, place * buckets + bucket, units, -1, ROOT << 48)
    while open_:
        open_ -= 1
        thing, node, units, feeds, came = found.todo[open_]
        place, bucket = node // buckets, node % buckets
        real = net.self_of[thing]
        flat = (real * net.places + place) * buckets + bucket
        room = lines < most and open_ < most and undone < most
        here = min(units, left.over[real, place, bucket])
        if here < units and net.goes_round[thing]:  # What is too little for all of it may be what a ring begins with.
            here = 0
        if here and room:  # Nobody planned for it, and it is here.
            write(found.lines, lines, LEFTOVER, flat, real, here, bucket, bucket, feeds)
            _, undone = take(left.over.ravel(), OVER, flat, here, found, undone, OVER, flat)
            lines += 1
            units -= here
            if not units:
                continue
            room = lines < most and undone < most
        way = strongest(net, left, thing, place, bucket) if trail else ways.via[thing, place, bucket]
        kind, what = way % 8, way // 8
        well = kind != NOWHERE and room
        if not well:
            tell(found, 0, units, came >> 48, came & ((1 << 48) - 1))
        elif kind == WAIT:
            if trail:
                well, undone = walk(left.trail_wait.ravel(), TRAIL_WAIT, flat - 1, units, found, undone)
            open_ = later(found, open_, thing, node - 1, units, feeds, TRAIL_WAIT << 48 | flat - 1)
        elif kind == LOT:
            write(found.lines, lines, LOT, what, real, units, bucket, bucket, feeds)
            if trail:
                well, undone = walk(left.trail_lot, TRAIL_LOT, what, units, found, undone)
            if well:
                well, undone = take(left.lot, HARD_LOT, what, units, found, undone, TRAIL_LOT, what)
            lines += 1
        elif kind == LEFTOVER:  # All that is here was taken above.
            tell(found, here, here + units, OVER, flat)
            well = False
        elif kind == MOVE:
            begin = bucket - net.arc_lead[what]
            write(found.lines, lines, MOVE, what, real, units, begin, bucket, feeds)
            flat = (what * left.trail_wait.shape[0] + real) * buckets + begin
            if trail:
                well, undone = walk(left.trail_move.ravel(), TRAIL_MOVE, flat, units, found, undone)
            open_ = later(found, open_, thing, net.arc_from[what] * buckets + begin, units, lines, TRAIL_MOVE << 48 | flat)
            lines += 1
        else:
            activity, takes = net.maker[what], net.input_self[net.maker_round[what]]
            begin = bucket - net.lead[activity]
            well, undone = run(net, left, found, lines, undone, activity, begin, real, units, feeds, trail, whole and real == asked)
            recipe, runs = net.recipe[activity], found.lines[lines, RUNS]
            for each in range(net.input_start[recipe], net.input_start[recipe + 1]):
                key = TRAIL_RUN << 48 | activity * buckets + begin
                if not passes(net.input_units[each], runs):
                    tell(found, 0, 1, TRAIL_RUN, activity * buckets + begin)
                    well = False
                    break
                open_ = later(found, open_, takes[each], place * buckets + begin, net.input_units[each] * runs, lines, key)
            lines += 1
        if not well:
            put_back(left, found, undone)
            return -1
    leave_over(net, left, found, lines, 1)
    found.told[UNDONE] = undone
    return lines


@compiled
def later(found: Found, open_: int, thing: int, node: int, units: int, feeds: int, came: int) -> int:
    found.todo[open_, 0], found.todo[open_, 1], found.todo[open_, 2] = thing, node, units
    found.todo[open_, 3], found.todo[open_, 4] = feeds, came
    return open_ + 1


@compiled
def tell(found: Found, have: int, want: int, which: int, flat: int) -> None:
    found.told[HAVE], found.told[WANT], found.told[WHICH], found.told[FLAT] = have, want, which, flat


@compiled
def run(
    net: Net,
    left: Left,
    found: Found,
    line: int,
    undone: int,
    activity: int,
    begin: int,
    thing: int,
    units: int,
    feeds: int,
    trail: bool,
    whole: bool,
) -> tuple[bool, int]:
    """Begin runs enough for ``units`` of a thing, by the rules of the batch. Return whether it fits.

    With ``whole``, begin so many more that no part of a unit is lost to yields, or all that the trail has left.
    """
    recipe = net.recipe[activity]
    made = 0
    for each in range(net.output_start[recipe], net.output_start[recipe + 1]):
        if net.output_thing[each] == thing:
            made = net.output_units[each]
    if not passes(units, net.of[recipe] * net.batch_multiple[recipe]):
        tell(found, 0, 1, TRAIL_RUN, activity * net.buckets + begin)
        write(found.lines, line, RUN, activity, thing, units, begin, begin, feeds)
        return False, undone
    runs = -(-(units * net.of[recipe]) // (made * net.good[recipe]))
    first = left.batch[activity, begin] == 0
    if whole:  # As far as the trail goes, and its last part of a run; who comes next takes what is left over.
        runs = max(runs, min(without_loss(net, recipe, made, runs), ceil(left.trail_run[activity, begin] - NOISE)))
    runs = more_runs(net, left, activity, begin, runs)
    write(found.lines, line, RUN, activity, thing, units, begin, begin + net.lead[activity], feeds)
    found.lines[line, RUNS], found.lines[line, SETUPS] = runs, 1 if first else 0
    flat = activity * net.buckets + begin
    if gives_too_much(net, left, activity, begin, runs):
        tell(found, 0, 1, TRAIL_RUN, flat)
        return False, undone
    if trail:
        well, undone = walk(left.trail_run.ravel(), TRAIL_RUN, flat, runs, found, undone)
        if not well:
            return False, undone
    for use in range(net.use_start[activity], net.use_start[activity + 1]):
        grains = net.use_grains[use] * runs + (net.use_setup[use] if first else 0)
        pool = net.use_pool[use] * net.buckets + begin
        if not passes(net.use_grains[use], runs):
            tell(found, 0, 1, TRAIL_RUN, flat)
            return False, undone
        well, undone = take(left.pool.ravel(), HARD_POOL, pool, grains, found, undone, TRAIL_RUN, flat)
        if not well:
            return False, undone
    _, undone = take(left.batch.ravel(), BATCH, flat, -runs, found, undone, TRAIL_RUN, flat)
    return True, undone


@compiled
def gives_too_much(net: Net, left: Left, activity: int, begin: int, runs: int) -> bool:
    """Whether runs would give more than numbers hold, so that they are not to be had instead of wrong."""
    recipe, node = net.recipe[activity], net.place[activity] * net.buckets + begin + net.lead[activity]
    for each in range(net.output_start[recipe], net.output_start[recipe + 1]):
        there = left.over[net.output_thing[each]].ravel()[node]
        if float(runs) * net.output_units[each] * net.good[recipe] / net.of[recipe] + there > MOST_OVER:
            return True
    return False


@compiled
def without_loss(net: Net, recipe: int, made: int, runs: int) -> int:
    """Return the least number of runs, ``runs`` or more, that give a whole number of a thing before any is rounded down."""
    step = net.of[recipe] // gcd(net.of[recipe], made * net.good[recipe])
    return -(-runs // step) * step


@compiled
def leave_over(net: Net, left: Left, found: Found, lines: int, sign: int) -> None:
    """Put what the runs of a tree leave over where others may take it; only now, so that no run waits for itself."""
    over = left.over.ravel()
    for line in range(lines):
        if found.lines[line, KIND] == RUN:
            activity = found.lines[line, WHAT]
            recipe = net.recipe[activity]
            for each in range(net.output_start[recipe], net.output_start[recipe + 1]):
                thing = net.output_thing[each]
                out = found.lines[line, RUNS] * net.output_units[each] * net.good[recipe] // net.of[recipe]
                if thing == found.lines[line, THING]:
                    out -= found.lines[line, UNITS]
                over[(thing * net.places + net.place[activity]) * net.buckets + found.lines[line, END]] += sign * out


@compiled
def revert(net: Net, left: Left, found: Found, lines: int) -> None:
    """Put back the tree that was just taken."""
    leave_over(net, left, found, lines, -1)
    put_back(left, found, found.told[UNDONE])


@compiled
def write(lines: Ints, line: int, kind: int, what: int, thing: int, units: int, begin: int, end: int, feeds: int) -> None:
    lines[line, KIND], lines[line, WHAT], lines[line, THING], lines[line, UNITS] = kind, what, thing, units
    lines[line, RUNS], lines[line, SETUPS], lines[line, BEGIN], lines[line, END], lines[line, FEEDS] = 0, 0, begin, end, feeds


@compiled
def take(array: Ints, which: int, flat: int, units: int, found: Found, undone: int, told: int, at: int) -> tuple[bool, int]:
    """Take units out of an array and write down what to put back; False where it has too few, with what it had."""
    if array[flat] < units:
        tell(found, array[flat], units, told, at)
        return False, undone
    array[flat] -= units
    found.undo[undone, 0], found.undo[undone, 1], found.undo[undone, 2] = which, flat, units
    return True, undone + 1


@compiled
def walk(array: Floats, which: int, flat: int, units: int, found: Found, undone: int) -> tuple[bool, int]:
    """Use up part of a trail, up to a unit beyond its end; write down what to put back. False where it is too weak."""
    if units > array[flat] + 1:
        tell(found, int(array[flat] + 1), units, which, flat)
        return False, undone
    used = min(float(units), array[flat])
    array[flat] -= used
    found.undo[undone, 0], found.undo[undone, 1], found.undo[undone, 2] = which, flat, 0
    found.untrail[undone] = used
    return True, undone + 1


@compiled
def put_back(left: Left, found: Found, undone: int) -> None:
    """Undo everything that was taken, the last first."""
    pool, batch, over = left.pool.ravel(), left.batch.ravel(), left.over.ravel()
    trail_run, trail_move, trail_wait = left.trail_run.ravel(), left.trail_move.ravel(), left.trail_wait.ravel()
    for back in range(undone):
        at = undone - 1 - back
        which, flat, units = found.undo[at, 0], found.undo[at, 1], found.undo[at, 2]
        if which == HARD_LOT:
            left.lot[flat] += units
        elif which == HARD_POOL:
            pool[flat] += units
        elif which == BATCH:
            batch[flat] += units
        elif which == OVER:
            over[flat] += units
        elif which == TRAIL_LOT:
            left.trail_lot[flat] += found.untrail[at]
        elif which == TRAIL_RUN:
            trail_run[flat] += found.untrail[at]
        elif which == TRAIL_MOVE:
            trail_move[flat] += found.untrail[at]
        else:
            trail_wait[flat] += found.untrail[at]


@compiled
def note(net: Net, left: Left, ways: Ways, lines: Ints, sharing_start: Ints, sharing: Ints, touched: NDArray[np.bool_]) -> None:
    """Mark the things whose ways a tree changed: something on them ran out, or something was left over that is nearer."""
    over = left.over.ravel()
    for line in range(len(lines)):
        kind, what, thing = lines[line, KIND], lines[line, WHAT], lines[line, THING]
        begin, end = lines[line, BEGIN], lines[line, END]
        if (kind == LOT and left.lot[what] == 0) or (kind == LEFTOVER and over[what] == 0):
            touched[thing] = True
        elif kind == RUN:
            place, recipe = net.place[what], net.recipe[what]
            for each in range(net.output_start[recipe], net.output_start[recipe + 1]):
                made = net.output_thing[each]
                if left.over[made, place, end] > 0 and is_dearer(net, ways, made, place, end):
                    touched[made] = True
            for at in range(sharing_start[what], sharing_start[what + 1]):
                other = sharing[at]
                then = begin + net.lead[other]
                if then < net.buckets and not fits(net, left, other, begin):
                    recipe = net.recipe[other]
                    for each in range(net.output_start[recipe], net.output_start[recipe + 1]):
                        made = net.output_thing[each]
                        if leads_by(net, ways, made, other, then):
                            touched[made] = True


@compiled
def is_dearer(net: Net, ways: Ways, thing: int, place: int, bucket: int) -> bool:
    """Whether any self of a thing is to be had at a node for more than what lies there is pressed."""
    pressed = ways.thing[thing, place, bucket]
    if ways.toll[thing, place, bucket] > pressed:
        return True
    for each in range(len(ways.thing), len(net.self_of)):  # noqa: SIM110 - what is compiled knows no generators
        if net.self_of[each] == thing and ways.toll[each, place, bucket] > pressed:
            return True
    return False


@compiled
def leads_by(net: Net, ways: Ways, thing: int, activity: int, bucket: int) -> bool:
    """Whether the way to any self of a thing goes by runs of an activity that are done in a bucket."""
    place = net.place[activity]
    way = ways.via[thing, place, bucket]
    if way % 8 == RUN and net.maker[way // 8] == activity:
        return True
    for each in range(len(ways.thing), len(net.self_of)):
        way = ways.via[each, place, bucket]
        if net.self_of[each] == thing and way % 8 == RUN and net.maker[way // 8] == activity:
            return True
    return False


@compiled
def settle(net: Net, thing: Ints, pool: Ints, order: Ints) -> int:
    """Lower pressures of things until nothing undercuts them: no run, move or wait brings a unit for less. Return the rounds it took.

    ``order`` names things from the ones that are not made on. Whole numbers only get lower and not below 0, so it ends.
    """
    rounds = 0
    changed = True
    while changed:
        changed = False
        rounds += 1
        for real in order:
            for row in range(net.maker_start[real], net.maker_start[real + 1]):
                for bucket in range(net.buckets - net.lead[net.maker[row]]):
                    changed |= cap(net, thing, pool, real, row, bucket)
            changed |= spread(net, thing[real], net.load[real] * net.scale)
    return rounds


@compiled
def cap(net: Net, thing: Ints, pool: Ints, real: int, row: int, bucket: int) -> bool:
    """Lower the pressure of one thing to what one of its makers takes for it; return whether that was lower."""
    activity = net.maker[row]
    recipe, place, then = net.recipe[activity], net.place[activity], bucket + net.lead[activity]
    takes = net.effort[activity] * net.scale
    for each in range(net.input_start[recipe], net.input_start[recipe + 1]):
        takes += net.input_units[each] * thing[net.input_thing[each], place, bucket]
    for use in range(net.use_start[activity], net.use_start[activity + 1]):
        takes += net.use_grains[use] * pool[net.use_pool[use], bucket]
    others = 0
    for each in range(net.output_start[recipe], net.output_start[recipe + 1]):
        if net.output_thing[each] != real:
            others += net.output_units[each] * thing[net.output_thing[each], place, then]
    most = max(0, (takes * net.of[recipe] - others * net.good[recipe]) // (net.maker_units[row] * net.good[recipe]))
    if most >= thing[real, place, then]:
        return False
    thing[real, place, then] = most
    return True


@compiled
def spread(net: Net, pressure: Ints, load: int) -> bool:
    """Lower one thing's pressures to what waiting and moving bring; return whether any was lower."""
    any_lower = False
    lower = True
    while lower:
        lower = False
        for place in range(net.places):
            for bucket in range(1, net.buckets):
                if pressure[place, bucket - 1] < pressure[place, bucket]:
                    pressure[place, bucket] = pressure[place, bucket - 1]
                    lower = True
        for arc in range(len(net.arc_from)):
            lead, takes = net.arc_lead[arc], net.arc_effort[arc] * load
            for bucket in range(net.buckets - lead):
                if pressure[net.arc_from[arc], bucket] + takes < pressure[net.arc_to[arc], bucket + lead]:
                    pressure[net.arc_to[arc], bucket + lead] = pressure[net.arc_from[arc], bucket] + takes
                    lower = True
        any_lower |= lower
    return any_lower
