"""What walkers are led by: the pressures and trails of linear programs, one for each cell, put together for the whole problem."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from solver.errors import EngineFault, TooLarge
from solver.making.cells import Cell, cells_of, part_of, to_be_had, variables
from solver.making.loops import without_rings
from solver.making.problem import LARGEST, ProductionProblem
from solver.making.walkers import Pressures, Trails, settled
from solver.problem import Ints

if TYPE_CHECKING:
    from solver.engine.making_lp import Relaxed

__all__ = ["MOST_A_CELL", "Guide", "guide_of", "led_by"]

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
MOST_MULTIPLIED = 64  # times the greatest worth, of any pressure
MOST_A_CELL = 64_000  # variables of one linear program: GLOP takes some seconds for them
FIRM = 1.25  # what an earlier cell decided of a way between two stands as long as nothing else is so many times better
NOISE = 1e-6  # an engine's numbers differ by less between machines, in their last bits, and from the whole numbers they stand for


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """How short everything is, what linear programs would do, and what they would deliver.

    What they say in floating point is rounded to whole numbers, and those lowered until nothing undercuts them: all that follows
    from pressures is exact, whatever the engine did. Trails stay fractions; only plans follow them, never what is proven.
    """

    pressures: Pressures
    trails: Trails
    wanted: Ints  # (N, T)
    cells: int = 0
    largest: int = 0  # variables of the largest cell
    without: tuple[str, ...] = ()  # why cells have no linear program's optimum; their needs are walked all the same
    no_rings: "Guide | None" = None  # where there are rings: what is said of the problem without what closes them


def guide_of(problem: ProductionProblem, engine: str = "glop", most: int = MOST_A_CELL) -> Guide:
    """Return a guide for all of a problem, by linear programs of at most ``most`` variables each."""
    from solver.engine.making_lp import relax  # noqa: PLC0415 - loading OR-Tools takes half a second

    heard = _Heard(problem)
    cells = cells_of(problem, most)
    largest, without = 0, []
    for cell in cells:
        part = part_of(problem, cell)
        largest = max(largest, variables(part))
        try:
            asked, lot_effort = heard.with_borders(part, cell)
        except TooLarge:  # Only what was decided of its ways is: it is planned as if nothing was, and walkers see what fits together.
            asked, lot_effort = part, None
        try:
            relaxed = relax(asked, lot_effort, engine=engine)
        except EngineFault as fault:
            without.append(str(fault))
            continue
        heard.take(cell, relaxed)
    # What nobody asks for costs the program nothing to deliver where it lies, so it may tell of far more than that.
    whole = _nearest(np.minimum(heard.wanted, problem.need_units[:, None]))
    plain = without_rings(problem)
    no_rings = None if plain is None else guide_of(plain, engine, most)
    return Guide(settled(problem, heard.thing, heard.pool), heard.trails, whole, len(cells), largest, tuple(without), no_rings)


def led_by(problem: ProductionProblem, thing: Floats, pool: Floats, no_rings: tuple[Floats, Floats] | None = None) -> Guide:
    """Return a guide of nothing but pressures (in effort; NaN: nobody knows), as near to these as nothing undercuts.

    Where there are rings, ``no_rings`` are the pressures for what closes none, in which no ring feeds itself: by default the same.
    """
    known = np.where(np.isnan(thing), _unheard_of(problem), thing)
    none = np.zeros((len(problem.need_units), problem.buckets), dtype=np.int64)
    plain = without_rings(problem)
    without = None if plain is None else led_by(plain, *(no_rings or (thing, pool)))
    return Guide(settled(problem, known, pool), Trails.none(problem), none, no_rings=without)


def _unheard_of(problem: ProductionProblem) -> Floats:
    """Return (S, P, T) pressures of things that no linear program tells of: none, but of what cannot be had at all.

    That is pressed so hard that no run which would take it undercuts what is worth most.
    """
    hard = float(int(problem.need_worth.max(initial=0)) * _most_of_one(problem))
    return np.repeat(np.where(to_be_had(problem)[0], 0.0, hard)[:, :, None], problem.buckets, axis=2)


@dataclass(slots=True, eq=False)
class _Heard:
    """What the programs solved so far say of the whole problem.

    Trails are those of the cell that speaks for a place. Pressures are those of the cell that sees farthest around it: where a cell
    ends, others' stock and hours that it does not see would take part in them.
    """

    problem: ProductionProblem
    thing: Floats = field(init=False)  # (S, P, T)
    pool: Floats = field(init=False)  # (H, T)
    trails: Trails = field(init=False)
    wanted: Floats = field(init=False)  # (N, T)
    decided: Flags = field(init=False)  # (P,) places that a solved cell speaks for
    sight: Ints = field(init=False)  # (S, P) how far around each the cell sees whose pressures it has
    sight_of_pool: Ints = field(init=False)  # (H,) likewise

    def __post_init__(self) -> None:
        """Begin with nothing heard."""
        problem = self.problem
        self.thing, self.pool = _unheard_of(problem), np.zeros(problem.pool_grains.shape)
        self.trails = Trails.none(problem)
        self.wanted = np.zeros((len(problem.need_units), problem.buckets))
        self.decided = np.zeros(problem.places, dtype=bool)
        self.sight = np.zeros((problem.things, problem.places), dtype=np.int64)
        self.sight_of_pool = np.zeros(len(problem.pool_place), dtype=np.int64)

    def with_borders(self, part: ProductionProblem, cell: Cell) -> tuple[ProductionProblem, Floats]:
        """Return a cell's problem with what was decided of ways into and out of it, and (K,) the effort of taking a unit of each lot.

        `TooLarge` where that makes totals which no problem may have.
        """
        stock, stock_effort = self._stock_from_beyond(cell)
        needs = self._needs_from_beyond(part, cell)
        rows: dict[str, Any] = {name: np.concatenate((getattr(part, name), added)) for name, added in (stock | needs).items()}
        return replace(part, **rows), np.concatenate((np.zeros(len(part.stock_units)), stock_effort))

    def _stock_from_beyond(self, cell: Cell) -> tuple[dict[str, Ints], Ints]:
        """Return columns of stock for what was decided to come into a cell, and the effort of taking a unit of each lot.

        It is had for less than it is worth to those who decided it: of several ways equally good, the one that was decided is taken.
        """
        problem = self.problem
        within, beyond = self._sides(cell)
        thing, arc, leaves, units = self._decided(cell, beyond[problem.arc_from] & within[problem.arc_to])
        effort = self._pressure_at_start(cell, thing, arc, leaves) + problem.arc_effort[arc] * problem.load[cell.things[thing]]
        stock = {
            "stock_thing": thing,
            "stock_place": np.searchsorted(cell.places, problem.arc_to[arc]),
            "stock_bucket": leaves + problem.arc_lead[arc],
            "stock_units": units,
        }
        return stock, _down(effort / FIRM)

    def _needs_from_beyond(self, part: ProductionProblem, cell: Cell) -> dict[str, Ints]:
        """Return columns of needs for what was decided to go out of a cell, worth more than it is to those who decided it."""
        problem = self.problem
        within, beyond = self._sides(cell)
        thing, arc, leaves, units = self._decided(cell, within[problem.arc_from] & beyond[problem.arc_to])
        worth = _up(self._pressure_at_start(cell, thing, arc, leaves) * FIRM) + 1
        most = (LARGEST - sum((part.need_worth * part.need_units).tolist())) // max(int(units.sum()), 1)
        zeros = np.zeros_like(units)
        return {
            "need_thing": thing,
            "need_place": np.searchsorted(cell.places, problem.arc_from[arc]),
            "need_units": units,
            "need_due": leaves,
            "need_until": leaves,
            "need_tier": zeros,
            "need_worth": np.minimum(worth, most),
            "need_step": zeros,
            "need_late": zeros,
        }

    def _sides(self, cell: Cell) -> tuple[Flags, Flags]:
        """Return (P,) which places a cell looks at, and which others are decided already."""
        within = _flags(self.problem.places, cell.places)
        return within, self.decided & ~within

    def _decided(self, cell: Cell, ways: Flags) -> tuple[Ints, Ints, Ints, Ints]:
        """Return thing (by position in the cell), arc, bucket and units of all that was decided to leave along some ways."""
        arcs = np.flatnonzero(ways)
        units = _nearest(self.trails.move[np.ix_(arcs, cell.things)])
        way, thing, bucket = np.nonzero(units)
        return thing, arcs[way], bucket, units[way, thing, bucket]

    def _pressure_at_start(self, cell: Cell, thing: Ints, arc: Ints, bucket: Ints) -> Floats:
        pressure: Floats = self.thing[cell.things[thing], self.problem.arc_from[arc], bucket]
        return pressure

    def take(self, cell: Cell, relaxed: "Relaxed") -> None:
        """Write down what a program says: what to do at the cell's own places and on all ways from and to them, and pressures."""
        problem, own = self.problem, cell.own
        mine = own[cell.places]
        self.trails.wait[np.ix_(cell.things, cell.places[mine])] = relaxed.waits[:, mine]
        for target, rows, said, place in (
            (self.trails.lot, cell.lots, relaxed.taken, problem.stock_place),
            (self.trails.run, cell.activities, relaxed.runs, problem.activity_place),
            (self.wanted, cell.needs, relaxed.covered, problem.need_place),
        ):
            kept = own[place[rows]]
            target[rows[kept]] = said[: len(rows)][kept]
        ways = own[problem.arc_from[cell.arcs]] | own[problem.arc_to[cell.arcs]]
        self.trails.move[np.ix_(cell.arcs[ways], cell.things)] = relaxed.moves[ways]
        self.decided |= own
        sight = _sight(problem, cell)
        here, hours = np.ix_(cell.things, cell.places), sight[problem.pool_place[cell.pools]]
        farther, longer = sight[cell.places] > self.sight[here], hours > self.sight_of_pool[cell.pools]
        self.thing[here] = np.where(farther[:, :, None], relaxed.thing_dual, self.thing[here])
        self.sight[here] = np.maximum(self.sight[here], sight[cell.places])
        self.pool[cell.pools[longer]], self.sight_of_pool[cell.pools[longer]] = relaxed.pool_dual[longer], hours[longer]


def _sight(problem: ProductionProblem, cell: Cell) -> Ints:
    """Return (P,) how many ways each place lies from the nearest that a cell does not look at."""
    sight = np.where(_flags(problem.places, cell.places), problem.places, 0)
    before = np.zeros_like(sight)
    while not np.array_equal(before, sight):
        before = sight.copy()
        np.minimum.at(sight, problem.arc_from, before[problem.arc_to] + 1)
        np.minimum.at(sight, problem.arc_to, before[problem.arc_from] + 1)
    return sight


# What was decided of ways becomes whole numbers of the next cell's program. Where its last bits decided, two machines would plan
# differently: so what lies within `NOISE` of a whole number is that number, and what lies as near above a half goes down with it.


def _down(values: Floats) -> Ints:
    return np.floor(values + NOISE).astype(np.int64)


def _up(values: Floats) -> Ints:
    return np.ceil(values - NOISE).astype(np.int64)


def _nearest(values: Floats) -> Ints:
    return _up(values - 0.5)


def _flags(count: int, positions: Ints) -> Flags:
    flags = np.zeros(count, dtype=bool)
    flags[positions] = True
    return flags


def _most_of_one(problem: ProductionProblem) -> int:
    """Return how many units a run gives of one that it takes, at most, as far as pressures may rise."""
    most = 1
    for first, end, taken, last in zip(
        problem.output_start[:-1].tolist(), problem.output_start[1:].tolist(),
        problem.input_start[:-1].tolist(), problem.input_start[1:].tolist(), strict=True,
    ):  # fmt: skip
        if taken < last:
            most = max(most, -(-int(problem.output_units[first:end].sum()) // int(problem.input_units[taken:last].min())))
    return min(most, MOST_MULTIPLIED)
