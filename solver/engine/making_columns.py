"""Unsplit lots by whole fillings of makers: what lots are worth, the bound they prove, and answers put together from fillings.

A linear program that splits lots knows nothing of the hours left over in a maker where no lots add up to them. One over *fillings*, sets of
lots that fit into a maker, does (Dantzig and Wolfe, 1960): its worths of lots bound every answer more closely, and a solution of it that
hardly mixes fillings is nearly an answer. Worths are kept near where they were, in a box that widens: else they swing for long (du Merle
and others, 1999).
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from ortools.linear_solver import pywraplp  # type: ignore[attr-defined]

from solver.engine.kernel import making as compiled
from solver.engine.making_moves import MOVES, Pace, moved, tolls
from solver.errors import EngineFault
from solver.making.lots import UnsplitLots, effort_of_lots, greedy, in_steps
from solver.making.reference import Draw
from solver.problem import Ints

__all__ = ["fill_makers"]

Floats = NDArray[np.float64]
Filling = tuple[int, ...]  # a maker, and lots that fit into its hours
STEP_WORK = 3e-7  # of one step of the simplex method, for each row: about its seconds
SOLVE_WORK = 8e-6  # of asking for worths once, for each row
BOX = 1 / 30  # of a lot's mean worth: so far worths may go from where they were
KEPT = 0.7  # of the worths of the best bound, when new fillings are looked for
# Of a dive: its box, and how often fillings are looked for before makers are settled. One is quick, one thorough, one between.
DIVES = ((1 / 15, 4), (1 / 6, 15), (1 / 10, 8))
SURE = 0.85  # of a filling: it is settled with the surest
CLOSE = 0.3  # of effort: worths that are so near to the best are good enough
# Of the limit: until then worths are settled, dives begin, and dives end; what is left until the last some makers at a time share lots.
# With the last moves below, that is about a twentieth more than the limit.
SETTLING, DIVING, DIVED, SHARED = 0.25, 0.4, 0.95, 0.95
# After each dive, and last of all, lots are moved one or two at a time among so many makers, at so many times the pressure.
POLISHING, LAST, CLOSEST, TOLL = 0.045, 0.1, 6, 3  # the first two of the limit
PACE = Pace(rises=1.0005, falls=0.9999, worse=0.005, elsewhere=1)  # worse: of the mean effort of a lot
TOGETHER = (45, 85)  # about so many lots are shared anew at a time
PART_WORK = 0.3  # for the worths of such a part, and for a dive into it
LEAST_WORK = 0.01  # that a dive takes beside
TINY = 1e-6
LARGEST = 1 << 61  # worth of all lots, in effort / scale: what differs from it by an effort still fits into 64 bits


def fill_makers(asked: UnsplitLots, pressure: Floats, scale: int, limit: float, seed: int) -> tuple[Ints, Ints]:
    """Return the best answer found until ``limit`` and about a twentieth more are used up (all -1 where none was), and worths of lots.

    Worths are in effort / scale; ``pressure`` is that of a grain of each maker's hours, in effort. No maker is set up.
    """
    reduced = asked.effort + pressure[:, None] * asked.hours
    start = reduced.min(axis=0)
    root = _Master(asked, scale, ())
    worth, bound = root.settle_worths(start, limit * SETTLING)
    best, least, work, number = np.full(len(start), -1, dtype=np.int64), np.inf, root.work, 0
    draw = Draw(seed)
    regret = reduced - start
    while work < limit * DIVING and least - bound >= 1:  # Efforts are whole: what is nearer is the best.
        box, rounds = DIVES[number % len(DIVES)]
        shaken = worth if number < len(DIVES) else worth + BOX * worth.mean() * np.array([draw.between(-100, 100) / 100 for _ in worth])
        master = _Master(asked, scale, root.fillings)
        found = greedy(asked, regret, master.dive(shaken, box, rounds, limit * DIVED - work))
        found = _moved_on(asked, found, regret, pressure, bound, limit * POLISHING, seed)
        work += max(master.work, LEAST_WORK) + limit * POLISHING
        number += 1
        if effort_of_lots(asked, found) < least:
            best, least = found, effort_of_lots(asked, found)
    if best[0] >= 0 and least - bound >= 1:
        best = _shared_anew(asked, best, worth, scale, limit * SHARED - work, draw)
        best = _moved_on(asked, best, regret, pressure, bound, limit * LAST, seed)
    return best, _counted(worth, scale)


def _counted(worth: Floats, scale: int) -> Ints:
    """Return worths (N,) in effort / scale, whole and so small that they can be added up: any worths tell a bound that is so."""
    return np.rint(np.minimum(worth * scale, LARGEST // len(worth))).astype(np.int64)


def _moved_on(asked: UnsplitLots, best: Ints, regret: Floats, pressure: Floats, bound: float, limit: float, seed: int) -> Ints:
    """Return an answer no worse than ``best``, by moves of one lot or two; that itself where it is none."""
    if best[0] < 0:
        return best
    near = np.ascontiguousarray(np.argsort(regret, axis=0, kind="stable")[:CLOSEST].T)
    toll = TOLL * tolls(asked.effort, asked.hours, pressure)
    pace = PACE._replace(worse=PACE.worse * float(asked.effort[best, np.arange(len(best))].mean()))
    found, _ = moved(asked.effort, asked.hours, asked.useful, best, near, toll, pace, math.ceil(bound), int(limit * MOVES), seed)
    return found


def _shared_anew(asked: UnsplitLots, best: Ints, worth: Floats, scale: int, limit: float, draw: Draw) -> Ints:
    """Let a few makers at a time share their lots anew by fillings, until the limit is used up."""
    makers, lots = asked.effort.shape
    best, number = best.copy(), 0
    while limit > 0:
        few = min(makers, max(2, round(draw.between(*TOGETHER) * makers / lots)))
        chosen = np.array(draw.some(few, makers))
        mine = np.flatnonzero(np.isin(best, chosen))
        limit -= LEAST_WORK
        if not len(mine):  # all of them are idle
            continue
        here = np.ix_(chosen, mine)
        part = UnsplitLots(asked.effort[here], asked.hours[here], asked.capacity[chosen], asked.setup[chosen])
        master = _Master(part, scale, ())
        local, _ = master.settle_worths(worth[mine], PART_WORK)
        box, rounds = DIVES[number % len(DIVES)]
        number += 1
        regret = part.effort - local
        found = greedy(part, regret - regret.min(axis=0), master.dive(local, box, rounds, master.work + PART_WORK))
        limit -= master.work
        if effort_of_lots(part, found) < effort_of_lots(part, np.searchsorted(chosen, best[mine])):
            best[mine] = chosen[found]
    return best


def _width(worth: Floats, share: float) -> float:
    """Return so wide a box for worths; where they are all nothing, one of an effort: no multiple of nothing lets them go anywhere."""
    return share * float(worth.mean()) or 1.0


class _Master:
    """The linear program over the fillings found so far, and what is settled of it: makers that are closed and lots that are placed."""

    def __init__(self, asked: UnsplitLots, scale: int, fillings: Iterable[Filling]) -> None:
        makers, lots = asked.effort.shape
        self._asked, self._scale = asked, scale
        self._hours, self._capacity = in_steps(asked)
        self._program = pywraplp.Solver.CreateSolver("GLOP")
        self._narrowed = False  # since the last solve
        self._inf = self._program.infinity()
        self._lots = [self._program.Constraint(1, self._inf) for _ in range(lots)]
        self._makers = [self._program.Constraint(-self._inf, 1) for _ in range(makers)]
        self._effort = self._program.Objective()
        self._effort.SetMinimization()
        self._short = [self._variable({row: 1.0}, 0.0) for row in self._lots]  # a lot left over counts the most of its box,
        self._double = [self._variable({row: -1.0}, 0.0) for row in self._lots]  # and one placed twice gives back the least
        self.fillings: dict[Filling, pywraplp.Variable] = {}
        self._open, self._free = np.ones(makers, dtype=bool), np.ones(lots, dtype=bool)
        self.work = 0.0
        for filling in fillings:
            self._add(filling)

    def settle_worths(self, worth: Floats, limit: float) -> tuple[Floats, float]:
        """Return the worths with the best bound that was found within ``limit``, beginning with these, and that bound.

        What is left over although that is dearer than any answer has no room, and worths would grow without end.
        """
        dearest = self._asked.effort.max(axis=0).sum()
        box = _width(worth, BOX)
        self._set_box(worth, box)
        nothing = np.full(len(self._makers), np.inf)
        _, bound = self._add_best(worth, worth, nothing)
        while self.work < limit:
            effort, now, makers = self._solve()
            loose = sum(each.solution_value() for each in (*self._short, *self._double))
            mixed = KEPT * worth + (1 - KEPT) * now
            for tried in (mixed, now):
                new, found = self._add_best(tried, now, makers)
                if found > bound:
                    bound, worth = found, tried
                if new:
                    break
            if new and effort - bound >= CLOSE:
                continue
            if loose < TINY or box > dearest:
                break
            box *= 2
            self._set_box(worth, box)
        return worth, bound

    def dive(self, worth: Floats, box: float, rounds: int, limit: float) -> Ints:
        """Settle the surest fillings, and then what they leave, until all is: return the maker of each lot, -1 where none was left."""
        self._set_box(worth, _width(worth, box))
        maker = np.full(len(worth), -1, dtype=np.int64)
        while self._open.any() and self._free.any():
            for _ in range(rounds if self.work < limit else 0):
                _, now, makers = self._solve()
                new, _ = self._add_best(now, now, makers)
                if not new:
                    break
            else:
                self._solve()
            sure = SURE if self.work < limit else 0
            shares = sorted(
                ((each.solution_value(), filling) for filling, each in self.fillings.items() if self._open[filling[0]]), reverse=True
            )
            surest = [filling for share, filling in shares if share > TINY and share >= min(sure, shares[0][0])]
            if not surest:
                break
            self._settle(surest, maker)
        return maker

    def _settle(self, surest: list[Filling], maker: Ints) -> None:
        """Close makers with these fillings, as far as their lots are free; what holds any of these, or is theirs, is out of question."""
        for filling in surest:
            lots = np.array(filling[1:])
            if self._open[filling[0]] and self._free[lots].all():
                maker[lots] = filling[0]
                self._open[filling[0]] = False
                self._free[lots] = False
                self.fillings[filling].SetBounds(1, 1)
        self._narrowed = True
        for filling, each in self.fillings.items():
            if each.lb() < 1 <= each.ub() and not (self._open[filling[0]] and self._free[list(filling[1:])].all()):
                each.SetUb(0)

    def _set_box(self, worth: Floats, width: float) -> None:
        """Let worths be so far from these, at most: what is left over counts the most of a lot's box, what is placed twice the least."""
        for lot, at in enumerate(worth.tolist()):
            self._effort.SetCoefficient(self._short[lot], at + width)
            self._effort.SetCoefficient(self._double[lot], -max(0.0, at - width))

    def _solve(self) -> tuple[float, Floats, Floats]:
        """Return the effort, and the worths of lots and makers.

        After settling, what was the best is out of bounds, but worths still hold: the dual method goes on from there. After new fillings it
        is the other way round. Preprocessing would undo what is kept from the solve before.
        """
        dual = "true" if self._narrowed else "false"
        self._program.SetSolverSpecificParametersAsString(f"use_preprocessing: false use_dual_simplex: {dual}")
        self._narrowed = False
        if self._program.Solve() != pywraplp.Solver.OPTIMAL:
            raise EngineFault(f"a program of {len(self.fillings)} fillings, which always has an answer, was given none")
        self.work += (SOLVE_WORK + STEP_WORK * self._program.iterations()) * (len(self._lots) + len(self._makers))
        lots, makers = ([row.dual_value() for row in rows] for rows in (self._lots, self._makers))
        return self._effort.Value(), np.array(lots), np.array(makers)

    def _add_best(self, tried: Floats, now: Floats, makers: Floats) -> tuple[int, float]:
        """Add the best filling of each maker at the worths tried, where it gains at those of now; return how many, and the bound.

        The bound is of lots that are free at makers that are open.
        """
        worth = np.where(self._free, _counted(tried, self._scale), 0)
        taken, gains = best_fillings(self._asked.effort * self._scale, self._hours, self._capacity, worth, self._open)
        new = 0
        for maker in np.flatnonzero(taken.any(axis=1)).tolist():
            lots = np.flatnonzero(taken[maker])
            filling = (maker, *lots.tolist())
            effort = self._asked.effort[maker, lots].sum()
            if filling in self.fillings or effort - now[lots].sum() - makers[maker] > -TINY:
                continue
            self._add(filling)
            new += 1
        return new, float(sum(worth.tolist()) - sum(gains.tolist())) / self._scale

    def _add(self, filling: Filling) -> None:
        maker, *lots = filling
        rows = [self._makers[maker], *(self._lots[lot] for lot in lots)]
        self.fillings[filling] = self._variable(dict.fromkeys(rows, 1.0), float(self._asked.effort[maker, lots].sum()))

    def _variable(self, rows: dict[pywraplp.Constraint, float], effort: float) -> pywraplp.Variable:
        variable = self._program.NumVar(0, self._inf, "")
        for row, entry in rows.items():
            row.SetCoefficient(variable, entry)
        self._effort.SetCoefficient(variable, effort)
        return variable


@compiled
def best_fillings(effort: Ints, hours: Ints, capacity: Ints, worth: Ints, open_: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Ints]:
    """Return which lots (M, N) fill each open maker so that worths exceed effort the most, and by how much (M,): by steps of hours used.

    ``effort`` (M, N) and ``worth`` (N,) are in the same unit, ``hours`` (M, N) and ``capacity`` (M,) in steps; ``open_`` is (M,).
    """
    makers, lots = effort.shape
    taken, gains = np.zeros((makers, lots), dtype=np.bool_), np.zeros(makers, dtype=np.int64)
    useful = np.empty(lots, dtype=np.int64)
    for maker in range(makers):
        if not open_[maker]:
            continue
        room, few = capacity[maker], 0
        for lot in range(lots):
            if worth[lot] > effort[maker, lot] and hours[maker, lot] <= room:
                useful[few] = lot
                few += 1
        best, takes = np.zeros(room + 1, dtype=np.int64), np.zeros((few, room + 1), dtype=np.bool_)
        for which in range(few):
            lot = useful[which]
            gain, long = worth[lot] - effort[maker, lot], hours[maker, lot]
            for used in range(room, long - 1, -1):
                if best[used - long] + gain > best[used]:
                    best[used], takes[which, used] = best[used - long] + gain, True
        gains[maker], used = best[room], room
        for which in range(few - 1, -1, -1):
            if takes[which, used]:
                taken[maker, useful[which]] = True
                used -= hours[maker, useful[which]]
    return taken, gains
