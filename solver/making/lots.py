"""Lots that cannot be split, each to one maker of a cell: asked, checked, and answered with a bound that no answer beats."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from solver.errors import BadProblem, TooLarge
from solver.problem import Ints

__all__ = ["AssignedLots", "UnsplitLots", "assign_lots", "broken_assignment"]

NO_ANSWER = 2**62  # dearer than any
LARGEST = 2**50  # effort of an answer, or grains of all lots at one maker: as floats, any two of them still differ


@dataclass(frozen=True, slots=True, eq=False)
class UnsplitLots:
    """N lots and M makers: every lot goes wholly to one maker whose hours it fits into; a maker that gets any is set up once."""

    effort: Ints  # (M, N) of a lot at a maker
    hours: Ints  # (M, N) grains a lot takes there
    capacity: Ints  # (M,) grains
    setup: Ints  # (M,) effort of a maker that gets any lot

    def __post_init__(self) -> None:
        """Raise `BadProblem` where arrays do not fit, hold fractions or anything below zero; `TooLarge` for sums beyond `LARGEST`."""
        makers, lots = self.effort.shape if self.effort.ndim == 2 else (-1, -1)
        if self.hours.shape != (makers, lots) or self.capacity.shape != (makers,) or self.setup.shape != (makers,):
            raise BadProblem(
                f"effort is {self.effort.shape}, hours {self.hours.shape}, capacity {self.capacity.shape}, setup {self.setup.shape}"
            )
        for name in ("effort", "hours", "capacity", "setup"):
            held = getattr(self, name)
            if held.dtype != np.int64:
                raise BadProblem(f"{name} is of {held.dtype}: whole numbers of 64 bits are expected")
            if held.min(initial=0) < 0:
                raise BadProblem(f"{name} holds {held.min()}: none may be below zero")
        dearest = sum(self.effort.max(axis=0, initial=0).tolist()) + sum(self.setup.tolist())
        longest = max((sum(row) for row in self.hours.tolist()), default=0)
        if max(dearest, longest) > LARGEST:
            told = f"an answer may take an effort of {dearest}, and all lots take up to {longest} grains of one maker"
            raise TooLarge(f"{told}: up to {LARGEST} of either is expected, so count in coarser units")

    @property
    def useful(self) -> Ints:
        """(M,) grains of each maker that lots can take: no more than all of them together would."""
        grains: Ints = np.minimum(self.capacity, self.hours.sum(axis=1))
        return grains


@dataclass(frozen=True, slots=True, eq=False)
class AssignedLots:
    """Who makes each lot, and pressures of makers' hours and worths of lots, either of which bound every answer.

    ``proven``: the search looked everywhere, so that no answer is better, or there is none.
    """

    maker: Ints  # (N,) or all -1 where no answer was found
    effort: int | None  # of it all; None where no answer was found
    bound: int  # no answer takes less effort
    pressure: Ints  # (M,) of a grain, in effort / scale
    worth: Ints  # (N,) of a lot, in effort / scale; zeros where none were looked for
    scale: int
    proven: bool

    @property
    def gap(self) -> Fraction | None:
        """By which share the answer may be above the best; None where no answer was found."""
        if self.effort is None:
            return None
        return Fraction(0) if self.proven else Fraction(self.effort - self.bound, max(self.bound, 1))


def assign_lots(asked: UnsplitLots, limit: float = 10.0, seed: int = 1) -> AssignedLots:
    """Return the best answer found within a deterministic ``limit`` (about seconds of one core), the same one each time.

    A linear program gives pressures and a bound. Where makers get few lots, one over whole fillings of theirs gives a closer bound, and
    answers that lots moved one or two at a time improve; elsewhere HiGHS branches on the pairs nearest by the pressures, or where pairs
    are many, such moves are all there is.
    CP-SAT lets a few makers at a time share their lots anew; last, it searches all pairs but those that their reduced effort rules out.
    """
    makers, lots = asked.effort.shape
    nothing = np.zeros(0, dtype=np.int64)
    if not lots:
        return AssignedLots(nothing, 0, 0, np.zeros(makers, dtype=np.int64), nothing, 1, True)
    if not makers:
        return AssignedLots(np.full(lots, -1, dtype=np.int64), None, 0, nothing, np.zeros(lots, dtype=np.int64), 1, True)
    from solver.engine.making_cells import assign  # noqa: PLC0415 - loading OR-Tools takes half a second

    return assign(asked, limit, seed)


def effort_of_lots(asked: UnsplitLots, maker: Ints) -> int:
    """Return what it takes that each lot has the maker (N,) said, set-ups included; `NO_ANSWER` where none was found (all -1)."""
    if len(maker) and maker[0] < 0:
        return NO_ANSWER
    return int(asked.effort[maker, np.arange(len(maker))].sum() + asked.setup[np.unique(maker)].sum())


def bound_of_lots(asked: UnsplitLots, pressure: Ints, scale: int) -> int:
    """Return what every answer takes at least, given any pressures of makers' hours: weak duality, in whole numbers."""
    each = asked.effort * scale + pressure[:, None] * asked.hours
    spared = [max(0, int(p) * int(c) - int(s) * scale) for p, c, s in zip(pressure, asked.useful, asked.setup, strict=True)]
    total = sum(each.min(axis=0).tolist()) - sum(spared) if each.size else 0
    return -(-total // scale)


def in_steps(asked: UnsplitLots) -> tuple[Ints, Ints]:
    """Return hours (M, N) and useful grains (M,) in the largest step that all hours are whole in; what is left of those is of no use."""
    step = max(1, int(np.gcd.reduce(asked.hours, axis=None)))
    return asked.hours // step, asked.useful // step


def bound_of_fillings(asked: UnsplitLots, worth: Ints, scale: int) -> int:
    """Return what every answer takes at least, given any worths of lots: no filling of a maker exceeds its effort by more."""
    hours, capacity = in_steps(asked)
    total = int(sum(worth.tolist()))
    for maker, room in enumerate(capacity.tolist()):
        most = np.zeros(room + 1, dtype=np.int64)  # by how much, in so many steps
        gain = worth - asked.effort[maker] * scale
        for lot in np.flatnonzero((gain > 0) & (hours[maker] <= room)).tolist():
            long = int(hours[maker, lot])
            most[long:] = np.maximum(most[long:], most[: room + 1 - long] + gain[lot])
        total -= max(0, int(most[-1]) - int(asked.setup[maker]) * scale)
    return -(-total // scale)


def broken_assignment(asked: UnsplitLots, answer: AssignedLots) -> list[str]:
    """Return a sentence for each rule that an answer breaks, by arithmetic of its own."""
    makers, lots = asked.effort.shape
    if answer.effort is None:
        said = np.array_equal(answer.maker, np.full(lots, -1)) and lots
        return [] if said else ["no effort is given, as if no answer had been found, but makers are"]
    if answer.maker.shape != (lots,) or (lots and not 0 <= answer.maker.min() <= answer.maker.max() < makers):
        return [f"{lots} lots are to go to makers 0 to {makers - 1}, but the answer says {answer.maker.tolist()[:9]}"]
    used, effort = [0] * makers, 0
    for lot, maker in enumerate(answer.maker.tolist()):
        used[maker] += int(asked.hours[maker, lot])
        effort += int(asked.effort[maker, lot])
    effort += sum(int(asked.setup[maker]) for maker in set(answer.maker.tolist()))
    broken = [
        f"maker {maker} works {grains}, but has {asked.capacity[maker]}"
        for maker, grains in enumerate(used)
        if grains > asked.capacity[maker]
    ]
    if effort != answer.effort:
        broken.append(f"the effort is given as {answer.effort}, but adds up to {effort}")
    if (answer.pressure < 0).any():
        broken.append(f"the hours of maker {answer.pressure.argmin()} are pressed below zero")
    elif not answer.proven and answer.bound > _bound(asked, answer):
        broken.append(f"the bound is given as {answer.bound}, which does not follow from the pressures or worths")
    if answer.bound > answer.effort:
        broken.append(f"the bound {answer.bound} is above the effort {answer.effort}")
    return broken


def _bound(asked: UnsplitLots, answer: AssignedLots) -> int:
    """Return what follows from the pressures, and from the worths where any were given: for these each maker is filled step by step."""
    by_hours = bound_of_lots(asked, answer.pressure, answer.scale)
    return max(by_hours, bound_of_fillings(asked, answer.worth, answer.scale)) if answer.worth.any() else by_hours


def greedy(asked: UnsplitLots, regret: NDArray[np.float64], settled: Ints) -> Ints:
    """Return the maker of each lot (N,): that of the lots ``settled`` (N,) (-1: not yet), which have to fit; the largest others first.

    Each goes where the least ``regret`` (M, N) is, if need be in the place of another lot that moves elsewhere; all -1 where that
    finds no room.
    """
    makers, lots = asked.effort.shape
    left, maker = asked.capacity.copy(), settled.copy()
    np.subtract.at(left, maker[maker >= 0], asked.hours[maker[maker >= 0], np.flatnonzero(maker >= 0)])
    waiting = np.flatnonzero(maker < 0)
    for lot in waiting[np.argsort(-asked.hours[:, waiting].min(axis=0), kind="stable")].tolist():
        room = np.flatnonzero(asked.hours[:, lot] <= left)
        best = (float(regret[room, lot].min()), int(room[regret[room, lot].argmin()]), -1, -1) if len(room) else (np.inf, -1, -1, -1)
        for each in range(makers):
            mine = np.flatnonzero(maker == each)
            mine = mine[asked.hours[each, mine] + left[each] >= asked.hours[each, lot]]
            if not len(mine) or regret[each, lot] >= best[0]:
                continue
            loses = np.where(asked.hours[:, mine] <= left[:, None], regret[:, mine] - regret[each, mine], np.inf)
            loses[each] = np.inf
            other, which = divmod(int(loses.argmin()), loses.shape[1])
            if regret[each, lot] + loses[other, which] < best[0]:
                best = (float(regret[each, lot] + loses[other, which]), each, int(mine[which]), other)
        _, each, gives_way, to = best
        if each < 0:
            return np.full(lots, -1, dtype=np.int64)
        if gives_way >= 0:
            left[each] += asked.hours[each, gives_way]
            left[to] -= asked.hours[to, gives_way]
            maker[gives_way] = to
        maker[lot] = each
        left[each] -= asked.hours[each, lot]
    return maker
