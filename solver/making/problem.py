"""What a planner of making is asked: recipes, machine hours, stock, ways and needs, as whole numbers in arrays known by position alone."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from solver.errors import BadProblem, TooLarge
from solver.problem import TIERS, Ints, ints

__all__ = ["ProductionProblem", "tier_worths"]

LARGEST = 2**50  # of any total: products with a factor in between still fit into 64 bits


@dataclass(frozen=True, slots=True, eq=False)
class ProductionProblem:
    """S things at P places over T buckets of time: what is there, what can be made of it, where, and what is needed.

    A *bucket* is a span of time (a day, say); what is said of a bucket holds for the whole of it. A *place* is one party's site.
    A *pool* is hours of one process at one place that can stand for one another (a machine, or several alike), in whole grains
    (minutes, say) a bucket. A *recipe* says what goes in and comes out of one run. An *activity* is a recipe that may be run at
    a place, with the pools it draws on there; a recipe that could use either of two pools is two activities. An accepted
    substitute is a recipe without hours.

    One run begun in bucket t takes its inputs and its hours in t, and what comes out is there from t + ``activity_lead`` on (0: in
    the same bucket). Of n runs of one line, floor(n * units * yield_good / yield_of) come out. All runs of an activity in a bucket are its
    *batch*: at least ``batch_least`` of them, a multiple of ``batch_multiple``, and one set-up. What waits at a place costs nothing.

    The q-th unit (from 0) that a need gets, in bucket t, is worth::

        need_worth - need_step * floor(q * levels / need_units) - need_late * max(0, t - need_due)

    in units of effort, and nothing after ``need_until``. The answer should have the greatest total worth less effort.
    """

    places: int
    things: int
    buckets: int
    output_start: Ints  # (R + 1,) where a recipe's outputs begin in the two arrays below
    output_thing: Ints
    output_units: Ints  # a run, before losses
    input_start: Ints  # (R + 1,) likewise
    input_thing: Ints
    input_units: Ints  # a run
    yield_good: Ints  # (R,) so many come out well ...
    yield_of: Ints  # (R,) ... of so many
    batch_least: Ints  # (R,) runs
    batch_multiple: Ints  # (R,) runs
    activity_recipe: Ints  # (A,)
    activity_place: Ints  # (A,)
    activity_lead: Ints  # (A,) buckets until the output is there
    activity_effort: Ints  # (A,) of one run
    use_start: Ints  # (A + 1,) where an activity's uses of pools begin in the three arrays below
    use_pool: Ints
    use_grains: Ints  # a run
    use_setup: Ints  # grains once a batch
    pool_place: Ints  # (H,)
    pool_grains: Ints  # (H, T)
    stock_thing: Ints  # (K,) one row for each lot that is there or surely comes
    stock_place: Ints  # (K,)
    stock_bucket: Ints  # (K,) from when it is there
    stock_units: Ints  # (K,)
    load: Ints  # (S,) of one unit on the way; effort of a move = arc_effort * load
    arc_from: Ints  # (E,)
    arc_to: Ints  # (E,)
    arc_effort: Ints  # (E,) of one unit of load
    arc_lead: Ints  # (E,) buckets on the way
    need_thing: Ints  # (N,)
    need_place: Ints  # (N,)
    need_units: Ints  # (N,)
    need_due: Ints  # (N,) the last bucket that is in time
    need_until: Ints  # (N,) the last bucket in which it is of any use
    need_tier: Ints  # (N,) 0 to 3; told by worths, kept for tables
    need_worth: Ints  # (N,) of the first unit in time
    need_step: Ints  # (N,) less for each further level of its coverage
    need_late: Ints  # (N,) less for each bucket late
    levels: int = 1

    def __post_init__(self) -> None:
        """Raise `BadProblem` where arrays do not fit together or leave their ranges, `TooLarge` where totals would not fit."""
        _check_lengths(self)
        _check_lists(self)
        _check_positions(self)
        _check_amounts(self)

    @property
    def recipes(self) -> int:
        """Number of recipes."""
        return len(self.yield_good)

    @property
    def most_effort(self) -> int:
        """The most that one run, or one unit on any way, may take."""
        way = int(self.arc_effort.max(initial=0)) * int(self.load.max(initial=0))
        return max(way, int(self.activity_effort.max(initial=0)))

    @classmethod
    def of(
        cls,
        *,
        places: int,
        things: int,
        buckets: int = 1,
        outputs: Sequence[Sequence[tuple[int, int]]] = (),
        inputs: Sequence[Sequence[tuple[int, int]]] = (),
        yield_good: ArrayLike | None = None,
        yield_of: ArrayLike | None = None,
        batch_least: ArrayLike | None = None,
        batch_multiple: ArrayLike | None = None,
        activities: Sequence[tuple[int, int]] = (),
        activity_lead: ArrayLike | None = None,
        activity_effort: ArrayLike | None = None,
        uses: Sequence[Sequence[tuple[int, int, int]]] = (),
        pool_place: ArrayLike = (),
        pool_grains: ArrayLike = (),
        stock: Sequence[tuple[int, int, int, int]] = (),
        load: ArrayLike | None = None,
        arcs: Sequence[tuple[int, int, int, int]] = (),
        needs: Sequence[tuple[int, int, int, int, int, int]] = (),
        worth: ArrayLike = (),
        step: ArrayLike | None = None,
        late: ArrayLike | None = None,
        levels: int = 1,
    ) -> "ProductionProblem":
        """Return a checked problem from lists; what is left out is harmless.

        ``outputs`` and ``inputs`` hold a list of (thing, units) for each recipe; ``activities`` a (recipe, place) each; ``uses`` a list
        of (pool, grains a run, grains of set-up a batch) for each activity. ``pool_grains`` is (H, T), or (H,) where every bucket has
        the same. ``stock`` holds (thing, place, bucket, units), ``arcs`` (from, to, effort, lead), ``needs`` (thing, place, units,
        due, until, tier). ``worth`` is (N,), of a unit: see `tier_worths`. Yields, batches and loads are 1 where left out, all else 0.

        Raises
        ------
        BadProblem
            Where arrays do not fit together, leave their ranges or hold fractions.
        TooLarge
            Where totals do not fit.
        """
        recipes, count = len(outputs), len(activities)
        grains = ints(pool_grains)
        if grains.ndim == 1:
            grains = np.ascontiguousarray(np.repeat(grains[:, None], buckets, axis=1))
        need, lots, way, where = (_columns(rows, width) for rows, width in ((needs, 6), (stock, 4), (arcs, 4), (activities, 2)))
        output_start, output = _listed(outputs, 2)
        input_start, taken = _listed(inputs if len(inputs) else [()] * recipes, 2)
        use_start, use = _listed(uses if len(uses) else [()] * count, 3)
        ones, none = np.ones(recipes), np.zeros(len(need[0]))
        return cls(
            places=places, things=things, buckets=buckets, levels=levels,
            output_start=output_start, output_thing=output[0], output_units=output[1],
            input_start=input_start, input_thing=taken[0], input_units=taken[1],
            yield_good=ints(ones if yield_good is None else yield_good), yield_of=ints(ones if yield_of is None else yield_of),
            batch_least=ints(ones if batch_least is None else batch_least),
            batch_multiple=ints(ones if batch_multiple is None else batch_multiple),
            activity_recipe=where[0], activity_place=where[1],
            activity_lead=ints(np.zeros(count) if activity_lead is None else activity_lead),
            activity_effort=ints(np.zeros(count) if activity_effort is None else activity_effort),
            use_start=use_start, use_pool=use[0], use_grains=use[1], use_setup=use[2],
            pool_place=ints(pool_place), pool_grains=grains,
            stock_thing=lots[0], stock_place=lots[1], stock_bucket=lots[2], stock_units=lots[3],
            load=ints(np.ones(things) if load is None else load),
            arc_from=way[0], arc_to=way[1], arc_effort=way[2], arc_lead=way[3],
            need_thing=need[0], need_place=need[1], need_units=need[2], need_due=need[3], need_until=need[4], need_tier=need[5],
            need_worth=ints(worth), need_step=ints(none if step is None else step), need_late=ints(none if late is None else late),
        )  # fmt: skip


def tier_worths(tier: ArrayLike, farthest: int, spacing: int = 10) -> Ints:
    """Return (N,) what a unit of each need is worth: ``farthest`` in the last tier, ``spacing`` times as much in each tier before.

    ``farthest`` is the greatest effort that one unit of the last tier is worth. A unit of one tier gives way to a later tier only
    where more than ``spacing`` units of that would have to go for it: with recipes no unit stands against exactly one other.
    """
    later = TIERS - 1 - ints(tier)
    worth: Ints = farthest * np.power(np.full(len(later), spacing, dtype=np.int64), later)
    return worth


def _columns(rows: Sequence[Sequence[int]], width: int) -> list[Ints]:
    table = ints(np.asarray(rows).reshape(len(rows), width) if len(rows) else np.zeros((0, width)))
    return [np.ascontiguousarray(table[:, column]) for column in range(width)]


def _listed(lists: Sequence[Sequence[Sequence[int]]], width: int) -> tuple[Ints, list[Ints]]:
    """Return where each list starts, and the columns of all of them."""
    start = np.concatenate(([0], np.cumsum([len(each) for each in lists], dtype=np.int64)))
    return ints(start), _columns([row for each in lists for row in each], width)


GROUPS = {
    "recipe": ("yield_good", "yield_of", "batch_least", "batch_multiple"),
    "output": ("output_thing", "output_units"),
    "input": ("input_thing", "input_units"),
    "activity": ("activity_recipe", "activity_place", "activity_lead", "activity_effort"),
    "use of a pool": ("use_pool", "use_grains", "use_setup"),
    "pool": ("pool_place", "pool_grains"),
    "lot of stock": ("stock_thing", "stock_place", "stock_bucket", "stock_units"),
    "arc": ("arc_from", "arc_to", "arc_effort", "arc_lead"),
    "need": (
        "need_thing", "need_place", "need_units", "need_due", "need_until", "need_tier", "need_worth", "need_step", "need_late",
    ),
}  # fmt: skip


def _check_lengths(problem: ProductionProblem) -> None:
    if problem.places < 0 or problem.things < 0 or problem.buckets < 1 or problem.levels < 1:
        told = f"places {problem.places}, things {problem.things}, buckets {problem.buckets}, levels {problem.levels}"
        raise BadProblem(f"{told}: at least 0, 0, 1 and 1 are expected")
    for field in fields(problem):
        array, flat = getattr(problem, field.name), 2 if field.name == "pool_grains" else 1
        if isinstance(array, np.ndarray) and (array.dtype != np.int64 or array.ndim != flat):
            raise BadProblem(f"{field.name} is {array.ndim}-dimensional {array.dtype}: {flat} of int64 are expected")
    for what, names in GROUPS.items():
        lengths = {name: len(getattr(problem, name)) for name in names}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise BadProblem(f"arrays of one length are expected, an entry for each {what}, but came as {told}")
    if len(problem.pool_place) and problem.pool_grains.shape[1] != problem.buckets:
        raise BadProblem(f"pool_grains tells {problem.pool_grains.shape[1]} buckets of each pool: {problem.buckets} are expected")
    if len(problem.load) != problem.things:
        raise BadProblem(f"load has {len(problem.load)} entries: one for each of {problem.things} things is expected")


def _check_lists(problem: ProductionProblem) -> None:
    for name, owners, rows in (
        ("output_start", problem.recipes, len(problem.output_thing)),
        ("input_start", problem.recipes, len(problem.input_thing)),
        ("use_start", len(problem.activity_recipe), len(problem.use_pool)),
    ):
        start = getattr(problem, name)
        if len(start) != owners + 1 or start[0] != 0 or start[-1] != rows or (np.diff(start) < 0).any():
            raise BadProblem(f"{name} does not cut {rows} rows into {owners} lists: give where each starts, and the end")
    if (np.diff(problem.output_start) < 1).any():
        recipe = int(np.flatnonzero(np.diff(problem.output_start) < 1)[0])
        raise BadProblem(f"recipe {recipe} makes nothing: give it an output")
    for name in ("output", "input"):
        start, thing = getattr(problem, f"{name}_start"), getattr(problem, f"{name}_thing")
        keys = np.repeat(np.arange(problem.recipes), np.diff(start)) * max(problem.things, 1) + thing
        if len(np.unique(keys)) < len(keys):
            raise BadProblem(f"a recipe names one thing twice among its {name}s: add their units up")


def _check_positions(problem: ProductionProblem) -> None:
    limits = (
        (problem.things, ("output_thing", "input_thing", "stock_thing", "need_thing")),
        (problem.places, ("activity_place", "pool_place", "stock_place", "arc_from", "arc_to", "need_place")),
        (problem.buckets, ("stock_bucket",)),
        (problem.recipes, ("activity_recipe",)),
        (len(problem.pool_place), ("use_pool",)),
        (TIERS, ("need_tier",)),
    )
    for limit, name in ((limit, name) for limit, names in limits for name in names):
        array = getattr(problem, name)
        if len(array) and (int(array.min()) < 0 or int(array.max()) >= limit):
            raise BadProblem(f"{name} holds {array.min()} to {array.max()}, but positions 0 to {limit - 1} are all there are")
    if (problem.arc_from == problem.arc_to).any():
        raise BadProblem(f"arc {int(np.flatnonzero(problem.arc_from == problem.arc_to)[0])} ends where it starts: leave it out")
    away = problem.pool_place[problem.use_pool] != np.repeat(problem.activity_place, np.diff(problem.use_start))
    if away.any():
        pool = int(problem.use_pool[np.flatnonzero(away)[0]])
        raise BadProblem(f"an activity uses pool {pool} of another place: an activity works where it is")


def _check_amounts(problem: ProductionProblem) -> None:
    positive = ("output_units", "input_units", "yield_good", "yield_of", "batch_least", "batch_multiple")
    natural = (
        "activity_lead", "activity_effort", "use_grains", "use_setup", "pool_grains", "stock_units", "load", "arc_effort", "arc_lead",
        "need_units", "need_due", "need_worth", "need_step", "need_late",
    )  # fmt: skip
    for names, least in ((positive, 1), (natural, 0)):
        for name in names:
            array = getattr(problem, name)
            if array.size and int(array.min()) < least:
                raise BadProblem(f"{name} holds {array.min()}: at least {least} is expected everywhere")
    if (problem.yield_good > problem.yield_of).any():
        recipe = int(np.flatnonzero(problem.yield_good > problem.yield_of)[0])
        raise BadProblem(
            f"recipe {recipe} yields {problem.yield_good[recipe]} of {problem.yield_of[recipe]}: no more than all can come out well"
        )
    totals = {name: sum(getattr(problem, name).ravel().tolist()) for name in ("need_units", "stock_units", "pool_grains")}
    totals["worth of all needs"] = sum((w * u for w, u in zip(problem.need_worth.tolist(), problem.need_units.tolist(), strict=True)), 0)
    for name, total in totals.items():
        if total > LARGEST:
            raise TooLarge(f"{name} adds up to {total}, more than {LARGEST}: count in coarser units")
    if problem.most_effort > LARGEST:
        raise TooLarge(f"a run or the way of a unit takes an effort of {problem.most_effort}, more than {LARGEST}: count in coarser units")
