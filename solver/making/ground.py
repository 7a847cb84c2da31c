"""What is left of everything and by which ways it is to be had: found anew where something ran out, came back or is passed over."""

from collections.abc import Iterable

import numpy as np

from solver.engine import making_walk as kernel
from solver.making.problem import ProductionProblem
from solver.problem import Ints

__all__ = ["Ground"]


class Ground:
    """What walkers stand on. Ways are only looked for when somebody asks (`freshen`)."""

    def __init__(
        self,
        problem: ProductionProblem,
        net: kernel.Net,
        left: kernel.Left,
        pressures: tuple[Ints, Ints],
        under: list[list[int]],
        above: list[Ints],
        sharing: tuple[Ints, Ints],
        found: kernel.Found,
    ) -> None:
        self.net, self.left, self.found = net, left, found
        selves, nodes = len(net.self_of), problem.places * problem.buckets
        shape = (selves, problem.places, problem.buckets)
        self.ways = kernel.Ways(
            np.full(shape, kernel.FAR, dtype=np.int64), np.full(shape, kernel.NOWHERE, dtype=np.int64), pressures[0], pressures[1]
        )
        self._things, self._stock_thing = problem.things, problem.stock_thing
        self._under, self._above, self._sharing = under, above, sharing
        self._stale = np.ones(selves, dtype=bool)
        self._nodes = nodes
        self._heap, self._spot = np.zeros(nodes, dtype=np.int64), np.zeros(nodes, dtype=np.int64)
        self._shut: list[tuple[int, int]] = []
        self._shut_things: set[int] = set()
        self.work = 0  # nodes looked at so far: the same on every machine, as time is not
        self.times_shut = 0  # ever: what is shut now says nothing of what was in between

    def freshen(self, thing: int) -> None:
        """Find the ways of a thing and of all it is made of, as far as they may have changed."""
        for each in self._under[thing]:
            if self._stale[each]:
                kernel.refresh(self.net, self.left, self.ways, each, self._heap, self._spot)
                self._stale[each] = False
                self.work += self._nodes

    def touch(self, things: Iterable[int]) -> None:
        """Let the ways of these things, and of all made of them, be found anew."""
        for thing in things:
            self._stale[self._above[thing]] = True

    def ran_out(self, lines: Ints) -> list[int]:
        """Touch and return the things whose ways the lines of a tree changed: what they used up or left over."""
        touched = np.zeros(self._things, dtype=bool)
        kernel.note(self.net, self.left, self.ways, lines, *self._sharing, touched)
        things: list[int] = np.flatnonzero(touched).tolist()
        self.touch(things)
        return things

    def beside(self, lines: Ints) -> set[int]:
        """Return the things that come out of activities which share a pool with a tree's runs."""
        start, rows = self._sharing
        runs = {row[kernel.WHAT] for row in lines.tolist() if row[kernel.KIND] == kernel.RUN}
        return {thing for run in runs for other in rows[start[run] : start[run + 1]].tolist() for thing in self.made_by(other)}

    def made_by(self, activity: int) -> list[int]:
        """Return what comes out of an activity."""
        net, recipe = self.net, int(self.net.recipe[activity])
        things: list[int] = net.output_thing[net.output_start[recipe] : net.output_start[recipe + 1]].tolist()
        return things

    # -- what is passed over for the time being -------------------------------------------------------------------------

    def close(self, which: int, flat: int) -> bool:
        """Pass over something that has too little left to be of use; return False where there was nothing of the kind."""
        things = self._set_shut(which, flat, shut=True)
        self._shut.append((which, flat))
        self._shut_things.update(things)
        self.times_shut += bool(things)
        return bool(things)

    def close_lots(self, lot: int, least: int) -> None:
        """Pass over all lots of the same thing that have less, too: ways would lead to one after another, and be looked for each time."""
        left = self.left
        alike = (self._stock_thing == self._stock_thing[lot]) & ~left.lot_shut & (left.lot > 0) & (left.lot < least)
        for each in np.flatnonzero(alike).tolist():
            self.close(kernel.TRAIL_LOT, each)

    def open(self) -> None:
        """Look again at all that was passed over: another need may want less of it."""
        for which, flat in self._shut:
            self._set_shut(which, flat, shut=False)
        self._shut.clear()
        self._shut_things.clear()

    def passes_over(self, thing: int) -> bool:
        """Whether something is passed over that a thing could be made of, or is."""
        return bool(self._shut_things) and not self._shut_things.isdisjoint(self.net.self_of[self._under[thing]].tolist())

    def _set_shut(self, which: int, flat: int, *, shut: bool) -> list[int]:
        buckets = self.net.buckets
        if which == kernel.TRAIL_LOT:
            self.left.lot_shut[flat] = shut
            things = [int(self._stock_thing[flat])]
        elif which == kernel.TRAIL_RUN:
            self.left.run_shut.ravel()[flat] = shut
            things = self.made_by(flat // buckets)
        elif which == kernel.OVER:
            self.left.over_shut.ravel()[flat] = shut
            things = [flat // (self.net.places * buckets)]
        else:
            things = []
        self.touch(things)
        return things
