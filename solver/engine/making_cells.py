"""Unsplit lots on one cell: a linear program for pressures, fillings, HiGHS or moves on near pairs, then CP-SAT on what is left open."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ortools.linear_solver.python import model_builder_helper
from ortools.sat.python import cp_model
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_matrix

from solver.engine.making_columns import fill_makers
from solver.engine.making_moves import MOVES, Pace, moved, tolls
from solver.errors import EngineFault
from solver.making.lots import AssignedLots, UnsplitLots, bound_of_fillings, bound_of_lots, effort_of_lots, greedy, in_steps
from solver.making.reference import Draw
from solver.making.sequences import Sequence, Workshop, lateness_of
from solver.problem import Ints

__all__ = ["assign", "sequence"]

Floats = NDArray[np.float64]
LARGEST_SUM = 2**61  # of the pressures of all lots' hours at a maker, in effort / scale
NEAREST = 3  # makers of each lot, those of least regret, that a search looks at first
SHARES = (0.1, 0.25, 0.03)  # of the limit: the nearest makers where HiGHS found nothing, some makers at a time, then all that is left open
FILLING = 0.8  # of the limit: fillings, where these are looked for; and then some makers at a time
FEW_AFTER = 0.03
FEW_APART = 0.15  # where effort is what hours spare, and lots were moved slowly: what few makers share anew is hardly better then
FILLED = 15  # lots a maker: of more of them some always add up to nearly all of its hours, and pressures tell as much
MOST_STEPS = 10_000  # of hours, by which a maker is filled
# Of lots and makers, from which on moves of one lot or two find more than branches do; and where effort is what hours spare.
MANY_PAIRS, MANY_AGAINST = 10_000, 5_000
AGAINST = -0.5  # correlation of effort and hours, below which one is what the other spares: few lots fit a maker without loss
ROUNDS = 250  # in which every lot is looked at: with fewer, moves find less than branches do
MOVING = 0.4  # of the limit: such moves, and then some makers at a time
CLOSEST = (4, 3)  # makers that a lot may move to, one after the other
QUICK = Pace(rises=1.002, falls=0.9998, worse=0.0, elsewhere=2)
# Where effort is what hours spare, the first search begins with each lot where it is best, whatever fits, and comes to what fits slowly.
SLOW = Pace(rises=1.0005, falls=0.99995, worse=0.008, elsewhere=1)  # worse: of the mean effort of a lot
NODES = 80  # of HiGHS's tree, for a limit of 1 and one maker: with twice as many makers a node takes twice as long or more
NEARLY = 0.001  # of the best on the nearest pairs: HiGHS stops there, since other pairs may gain as much
SLICE = 0.3  # of work for one search among some makers
LEAST_WORK = 0.01  # that laying out a search takes beside
FEWEST = 2  # makers that share lots anew: one alone has nothing to give away
LOTS = (20, 60)  # about so many are shared anew at a time: CP-SAT proves the best of most such parts within a slice


def assign(asked: UnsplitLots, limit: float, seed: int) -> AssignedLots:
    """See `solver.making.lots.assign_lots`."""
    pressure, scale, whole = _pressures(asked)
    simple = bound = bound_of_lots(asked, pressure, scale)
    reduced = asked.effort + pressure[:, None] * asked.hours / scale
    regret = reduced - reduced.min(axis=0)
    worth = np.zeros(asked.effort.shape[1], dtype=np.int64)
    near = _nearest(regret)
    opens = bool(asked.setup.any())
    filled = not opens and _can_be_filled(asked)
    best = _start(asked, regret, whole)
    if not opens and effort_of_lots(asked, best) > bound:
        if filled:
            found, worth = fill_makers(asked, pressure / scale, scale, limit * FILLING, seed)
            bound = max(bound, bound_of_fillings(asked, worth, scale))
        else:
            found = (
                _moved(asked, best, regret, pressure / scale, bound, limit * MOVING, seed)
                if _can_be_moved(asked, limit * MOVING)
                else _branched(asked, near, int(limit * NODES / len(pressure)))
            )
        best = min(best, found, key=lambda maker: effort_of_lots(asked, maker))
    if best[0] < 0 or opens:
        best, _, _ = _better(asked, best, near | opens, limit * SHARES[0], seed)
    if best[0] < 0:
        best, _, _ = _better(asked, best, np.ones_like(near), limit * SHARES[0], seed)
    elif not opens:
        share = FEW_AFTER if filled else FEW_APART if _pull_apart(asked) and _can_be_moved(asked, limit * MOVING) else SHARES[1]
        best = _among_few(asked, best, regret, bound, limit * share, seed)
    # What takes more than the gap by itself is in no better answer. (One unit of slack for the rounding of floats.)
    open_ = regret <= effort_of_lots(asked, best) - simple + 1
    proven = effort_of_lots(asked, best) == bound
    if not proven:
        best, proven, _ = _better(asked, best, open_, limit * SHARES[1 if opens else 2], seed)
    if best[0] < 0:
        return AssignedLots(best, None, bound, pressure, worth, scale, proven)
    effort = effort_of_lots(asked, best)
    return AssignedLots(best, effort, effort if proven else bound, pressure, worth, scale, proven)


def _can_be_filled(asked: UnsplitLots) -> bool:
    """Whether fillings say more than pressures do, and can be found step by step of hours."""
    makers, lots = asked.effort.shape
    return lots <= FILLED * makers and int(in_steps(asked)[1].max()) <= MOST_STEPS


def _can_be_moved(asked: UnsplitLots, limit: float) -> bool:
    """Whether there are very many pairs, and work for moves to look at every lot often."""
    (makers, lots), closest = asked.effort.shape, CLOSEST[0]
    looked_at = lots * lots * closest * (1 + closest)  # in a round, times makers
    many = MANY_AGAINST if _pull_apart(asked) else MANY_PAIRS
    return asked.effort.size >= many and limit * MOVES / len(CLOSEST) * makers >= ROUNDS * looked_at


def _pull_apart(asked: UnsplitLots) -> bool:
    """Whether effort and hours pull against one another: who takes little of one takes much of the other."""
    effort, hours = (each - each.mean() for each in (asked.effort, asked.hours))
    return bool((effort * hours).sum() < AGAINST * math.sqrt((effort**2).sum() * (hours**2).sum()))


def _nearest(regret: Floats) -> NDArray[np.bool_]:
    near = np.zeros(regret.shape, dtype=bool)
    np.put_along_axis(near, np.argsort(regret, axis=0, kind="stable")[:NEAREST], True, axis=0)
    return near


def _moved(asked: UnsplitLots, best: Ints, regret: Floats, pressure: Floats, bound: int, limit: float, seed: int) -> Ints:
    """Return an answer by moves of one lot or two among the nearest makers, no worse than ``best``; all -1 where none was found."""
    toll = tolls(asked.effort, asked.hours, pressure)
    nearest = np.argsort(regret, axis=0, kind="stable").T
    least = asked.effort[nearest[:, 0], np.arange(len(best))].mean()
    slow = SLOW._replace(worse=SLOW.worse * float(least))
    apart = _pull_apart(asked)
    for number, closest in enumerate(CLOSEST):
        near = np.ascontiguousarray(nearest[:, :closest])
        slowly = apart and not number
        start = near[:, 0].copy() if slowly or best[0] < 0 else best
        work = int(limit * MOVES / len(CLOSEST))
        found, fits = moved(asked.effort, asked.hours, asked.useful, start, near, toll, slow if slowly else QUICK, bound, work, seed)
        if fits and effort_of_lots(asked, found) <= effort_of_lots(asked, best):
            best = found
    return best


def _branched(asked: UnsplitLots, looked_at: NDArray[np.bool_], nodes: int) -> Ints:
    """Return an answer on the pairs looked at, from a tree of at most so many nodes; all -1 where it held none. No maker is set up."""
    makers, lots = asked.effort.shape
    maker, lot = np.nonzero(looked_at)
    pairs = np.arange(len(maker))
    entries = np.concatenate([np.ones(len(pairs)), asked.hours[looked_at]])
    matrix = coo_matrix((entries, (np.concatenate([lot, lots + maker]), np.concatenate([pairs, pairs]))), shape=(lots + makers, len(pairs)))
    once = np.ones(lots)
    limits = LinearConstraint(
        matrix.tocsr(), np.concatenate([once, np.full(makers, -np.inf)]), np.concatenate([once, asked.useful.astype(float)])
    )
    # No time is given, for the clock would make answers differ. SciPy takes no number of workers; HiGHS counts nodes the same with any.
    options = {"node_limit": max(nodes, 1), "mip_rel_gap": NEARLY}
    result = milp(asked.effort[looked_at], constraints=limits, integrality=np.ones(len(pairs)), bounds=Bounds(0, 1), options=options)
    nothing = np.full(lots, -1, dtype=np.int64)
    if result.x is None:
        return nothing
    found, chosen = nothing.copy(), result.x > 0.5  # of 0 and 1, as floats
    found[lot[chosen]] = maker[chosen]
    # HiGHS keeps capacities as closely as floats do, which is not quite.
    used = np.bincount(maker[chosen], weights=asked.hours[looked_at][chosen], minlength=makers)
    return found if (found >= 0).all() and (used <= asked.capacity).all() else nothing


def _better(asked: UnsplitLots, best: Ints, looked_at: NDArray[np.bool_], limit: float, seed: int) -> tuple[Ints, bool, float]:
    """Return an answer no worse than ``best`` on the pairs looked at and its own, whether there is none better on them, and the work."""
    looked_at = looked_at.copy()
    if best[0] >= 0:
        looked_at[best, np.arange(len(best))] = True
    found, everywhere, work = _search(asked, looked_at, best, limit, seed)
    if found is not None and (best[0] < 0 or effort_of_lots(asked, found) <= effort_of_lots(asked, best)):
        best = found
    return best, everywhere, work


def _among_few(asked: UnsplitLots, best: Ints, regret: Floats, bound: int, limit: float, seed: int) -> Ints:
    """Let a few makers at a time share their lots anew, in turn, until the work is used up or nothing is left to gain.

    Where all lots are no more than a few makers share at a time, they are left to the search among all.
    """
    able = np.flatnonzero((asked.hours <= asked.capacity[:, None]).any(axis=1))  # makers that some lot fits into
    draw = Draw(seed)
    while len(best) > LOTS[1] and len(able) > FEWEST and limit > 0 and effort_of_lots(asked, best) > bound:
        few = min(len(able) - 1, max(FEWEST, round(draw.between(*LOTS) * len(able) / len(best))))
        chosen = able[draw.some(few, len(able))]
        mine = np.flatnonzero(np.isin(best, chosen))
        if not len(mine):  # all of them are idle
            limit -= LEAST_WORK
            continue
        here = np.ix_(chosen, mine)
        part = UnsplitLots(asked.effort[here], asked.hours[here], asked.capacity[chosen], asked.setup[chosen])
        hint = np.searchsorted(chosen, best[mine])
        gap = effort_of_lots(asked, best) - bound + 1
        shared, _, work = _better(part, hint, _nearest(regret[here]) & (regret[here] <= gap), SLICE, seed)
        best = best.copy()
        best[mine] = chosen[shared]
        limit -= max(work, LEAST_WORK)
    return best


def _start(asked: UnsplitLots, regret: Floats, whole: Ints) -> Ints:
    """Return an answer from the lots that the linear program did not split, or one from none of them; all -1 where both fail."""
    nothing = np.full(len(whole), -1, dtype=np.int64)
    # The linear program keeps capacities as closely as floats do, which is not quite: who has too much settles nothing.
    used, placed = np.zeros_like(asked.capacity), np.flatnonzero(whole >= 0)
    np.add.at(used, whole[placed], asked.hours[whole[placed], placed])
    settled = np.where((whole >= 0) & (used <= asked.capacity)[whole], whole, -1)
    starts = [greedy(asked, regret, each) for each in (settled, nothing)]
    return min(starts, key=lambda maker: effort_of_lots(asked, maker))


def _pressures(asked: UnsplitLots) -> tuple[Ints, int, Ints]:
    """Return pressures of makers' hours from the linear program, and the maker of each lot that it did not split, else -1.

    Every lot is on a maker only as far as that is set up.
    """
    makers, lots = asked.effort.shape
    opens = bool(asked.setup.any())
    maker, lot = (each.ravel() for each in np.meshgrid(np.arange(makers), np.arange(lots), indexing="ij"))
    arcs = np.arange(makers * lots)
    rows, columns, entries = [lot, lots + maker], [arcs, arcs], [np.ones(len(arcs)), asked.hours.ravel().astype(float)]
    lower = [np.ones(lots), np.full(makers, -np.inf)]
    upper = [np.ones(lots), np.zeros(makers) if opens else asked.useful.astype(float)]
    cost, most = asked.effort.ravel().astype(float), np.ones(len(arcs))
    if opens:
        setup = len(arcs) + np.arange(makers)
        rows += [lots + np.arange(makers), lots + makers + arcs, lots + makers + arcs]
        columns += [setup, arcs, setup[maker]]
        entries += [-asked.useful.astype(float), np.ones(len(arcs)), -np.ones(len(arcs))]
        lower.append(np.full(len(arcs), -np.inf))
        upper.append(np.zeros(len(arcs)))
        cost, most = np.append(cost, asked.setup.astype(float)), np.ones(len(arcs) + makers)
    shape = (sum(map(len, lower)), len(cost))
    matrix = coo_matrix((np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))), shape=shape).tocsr()
    model = model_builder_helper.ModelBuilderHelper()
    fill: Any = model.fill_model_from_sparse_data
    fill(np.zeros(len(cost)), most, cost, np.concatenate(lower), np.concatenate(upper), matrix)
    solver = model_builder_helper.ModelSolverHelper("GLOP")
    solver.solve(model)
    largest = max(float(asked.effort.max(initial=1)), 1.0)
    scale = 1 << max(0, min(24, 50 - math.ceil(math.log2(largest * max(int(asked.hours.max(initial=1)), 1)))))
    if solver.status() != model_builder_helper.SolveStatus.OPTIMAL:
        return np.zeros(makers, dtype=np.int64), 1, np.full(lots, -1, dtype=np.int64)
    dual = np.abs(np.asarray(solver.dual_values())[lots : lots + makers])
    share = np.asarray(solver.variable_values())[: len(arcs)].reshape(makers, lots)
    whole = np.where(share.max(axis=0) > 1 - 1e-6, share.argmax(axis=0), -1).astype(np.int64)
    greatest = LARGEST_SUM // max(int(asked.hours.sum(axis=1).max()), 1)  # Any pressures tell a bound: these can be added up.
    return np.minimum(np.rint(dual * scale), greatest).astype(np.int64), scale, whole


def _search(asked: UnsplitLots, looked_at: NDArray[np.bool_], hint: Ints, limit: float, seed: int) -> tuple[Ints | None, bool, float]:
    """Return the best answer on the pairs looked at, whether nothing better is among them, and the work it took."""
    makers, lots = asked.effort.shape
    useful = asked.useful
    model = cp_model.CpModel()
    pairs = {(int(maker), int(lot)): model.new_bool_var("") for maker, lot in np.argwhere(looked_at)}
    for lot in range(lots):
        model.add_exactly_one(pairs[maker, lot] for maker in np.flatnonzero(looked_at[:, lot]).tolist())
    goal = [int(asked.effort[pair]) * chosen for pair, chosen in pairs.items()]
    for maker in range(makers):
        row = np.flatnonzero(looked_at[maker]).tolist()
        load = sum(int(asked.hours[maker, lot]) * pairs[maker, lot] for lot in row)
        if asked.setup[maker]:
            opened = model.new_bool_var("")
            model.add(load <= int(useful[maker]) * opened)
            for lot in row:
                model.add_implication(pairs[maker, lot], opened)
            goal.append(int(asked.setup[maker]) * opened)
        elif row:
            model.add(load <= int(useful[maker]))
    model.minimize(sum(goal))
    if len(hint) and hint[0] >= 0:
        for (maker, lot), chosen in pairs.items():
            model.add_hint(chosen, int(hint[lot] == maker))
    solver = deterministic(limit, seed)
    status = solver.solve(model)
    work = float(solver.response_proto.deterministic_time)
    if status == cp_model.MODEL_INVALID:
        raise EngineFault(f"CP-SAT calls a model of {len(pairs)} pairs invalid: {model.validate()}")
    if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return None, status == cp_model.INFEASIBLE, work
    found = np.full(lots, -1, dtype=np.int64)
    for (maker, lot), chosen in pairs.items():
        if solver.value(chosen):
            found[lot] = maker
    return found, status == cp_model.OPTIMAL, work


def deterministic(limit: float, seed: int) -> cp_model.CpSolver:
    """Return a solver that ends after so much work, whatever the clock says, and searches in the same order each time."""
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.interleave_search = True
    solver.parameters.random_seed = seed
    solver.parameters.max_deterministic_time = limit
    return solver


def sequence(shop: Workshop, start: Sequence, limit: float, seed: int) -> Sequence:
    """See `solver.making.sequences.sequence_jobs`: optional intervals on every machine, and a circuit of set-ups on each."""
    jobs, machines = shop.hours.shape
    if not jobs:
        return Sequence(start.machine, start.begin, 0, True)
    horizon = int(
        max(shop.free.max(initial=0), shop.ready.max(initial=0)) + shop.hours.clip(0).max(axis=1).sum() + jobs * shop.change.max(initial=0)
    )
    model = cp_model.CpModel()
    begin = [model.new_int_var(int(shop.ready[job]), horizon, "") for job in range(jobs)]
    end = [model.new_int_var(0, 2 * horizon, "") for job in range(jobs)]
    goal = []
    chosen: dict[tuple[int, int], cp_model.IntVar] = {}
    ends_now = start.begin + shop.hours[np.arange(jobs), start.machine]
    late_now = np.zeros(jobs, dtype=np.int64)
    np.maximum.at(late_now, shop.work, np.maximum(ends_now - shop.due, 0))
    late: dict[int, cp_model.IntVar] = {}  # of each work
    for job in range(jobs):
        able = [machine for machine in range(machines) if shop.hours[job, machine] >= 0]
        for machine in able:
            chosen[job, machine] = model.new_bool_var("")
            model.add(end[job] == begin[job] + int(shop.hours[job, machine])).only_enforce_if(chosen[job, machine])
            model.add_hint(chosen[job, machine], int(start.machine[job] == machine))
        model.add_exactly_one(chosen[job, machine] for machine in able)
        work = int(shop.work[job])
        if work not in late:
            late[work] = model.new_int_var(0, 2 * horizon, "")
            model.add_hint(late[work], int(late_now[work]))
            goal.append(int(shop.weight[job]) * late[work])
        model.add(late[work] >= end[job] - int(shop.due[job]))
        model.add_hint(begin[job], int(start.begin[job]))
        model.add_hint(end[job], int(ends_now[job]))
    for first, second in shop.after.tolist():
        model.add(begin[second] >= end[first])
    for machine in range(machines):
        goal += _circuit(model, shop, machine, chosen, begin, end, start)
    model.minimize(sum(goal))
    solver = deterministic(limit, seed)
    status = solver.solve(model)
    if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return Sequence(start.machine, start.begin, max(0, math.ceil(solver.best_objective_bound - 1e-6)), False)
    does = start.machine.copy()
    for (job, machine), on in chosen.items():
        if solver.value(on):
            does[job] = machine
    begins = np.array([solver.value(each) for each in begin], dtype=np.int64)
    found = Sequence(does, begins, math.ceil(solver.best_objective_bound - 1e-6), status == cp_model.OPTIMAL)
    return found if lateness_of(shop, found) <= lateness_of(shop, start) else Sequence(start.machine, start.begin, found.bound, False)


def _circuit(
    model: cp_model.CpModel,
    shop: Workshop,
    machine: int,
    chosen: dict[tuple[int, int], cp_model.IntVar],
    begin: list[cp_model.IntVar],
    end: list[cp_model.IntVar],
    start: Sequence,
) -> list[cp_model.LinearExpr]:
    """Order the jobs of one machine as a way through them; return what its changes weigh."""
    here = [job for job, each in chosen if each == machine]
    order = sorted((job for job in here if start.machine[job] == machine), key=lambda job: (int(start.begin[job]), job))
    after_now = dict(zip([-1, *order], [*order, -1], strict=True))
    arcs, weighs = [], []
    for job in here:
        node = job + 1
        arcs.append((node, node, chosen[job, machine].negated()))
        for before in (-1, *(each for each in here if each != job)):
            arc = model.new_bool_var("")
            model.add_hint(arc, int(after_now.get(before, -2) == job))
            arcs.append((before + 1, node, arc))
            loaded = int(shop.loaded[machine] if before < 0 else shop.setup[before])
            change = int(shop.change[loaded, shop.setup[job]])
            free = int(shop.free[machine]) if before < 0 else end[before]
            model.add(begin[job] >= free + change).only_enforce_if(arc)
            if change:
                weighs.append(change * arc)
        last = model.new_bool_var("")
        model.add_hint(last, int(after_now.get(job, -2) == -1))
        arcs.append((node, 0, last))
    if here:
        idle = model.new_bool_var("")
        model.add_hint(idle, int(not order))
        arcs.append((0, 0, idle))
        model.add_circuit(arcs)
    return weighs
