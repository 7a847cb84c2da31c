"""Cells of a problem of making: what can interact stays together; what is too large for one linear program is cut by distance.

Two needs interact where some lot, hours or run could serve either, through any levels and ways. Parts between which there is nothing of
the kind are planned apart without loss. A part with too many variables is cut in two by distance, again and again; each cell then looks
beyond its border as far as there is room for it and no earlier cell speaks, and what it would do at others' places is not used.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components, dijkstra

from solver.making.problem import ProductionProblem
from solver.problem import Ints

__all__ = ["Cell", "cells_of", "part_of", "rows_of", "to_be_had", "variables"]

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """Positions in the whole problem, each in order, of what one linear program looks at, and the places that it speaks for."""

    things: Ints
    places: Ints
    activities: Ints
    pools: Ints
    lots: Ints
    arcs: Ints
    needs: Ints
    own: Flags  # (P,) of all places


def variables(problem: ProductionProblem) -> int:
    """Return how many variables a linear program of all of it has."""
    ways = len(problem.arc_from) * problem.things + problem.places * problem.things + len(problem.activity_place)
    return (ways + len(problem.need_units)) * problem.buckets + len(problem.stock_units)


def cells_of(problem: ProductionProblem, most: int) -> list[Cell]:
    """Return cells that between them speak for all that could serve a need, none with more than ``most`` variables unless at one place.

    A part that is cut, is cut until a cell's own variables are at most half of that: the rest is for what lies around it, as far as no
    earlier cell speaks for that.
    """
    found: list[Cell] = []
    for part in _apart(problem):
        waiting = [part]
        limit = most if _variables(problem, part) <= most else most // 2
        rest = part  # what no cell speaks for yet
        while waiting:
            cell = waiting.pop()
            if len(cell.places) > 1 and _variables(problem, cell) > limit:
                waiting += _halves(problem, cell)
            else:
                found.append(_widened(problem, rest, cell, most))
                left = rest.own & ~cell.own
                rest = _at(problem, rest, left, left)
    return found


def part_of(problem: ProductionProblem, cell: Cell) -> ProductionProblem:
    """Return a cell as a problem of its own, its positions counted anew."""
    recipes = np.unique(problem.activity_recipe[cell.activities])
    thing, place, recipe, pool = (
        _numbers(each, count)
        for each, count in (
            (cell.things, problem.things),
            (cell.places, problem.places),
            (recipes, problem.recipes),
            (cell.pools, len(problem.pool_place)),
        )
    )
    lists: dict[str, Any] = {}
    for name, owners, columns in (
        ("output", recipes, ("thing", "units")),
        ("input", recipes, ("thing", "units")),
        ("use", cell.activities, ("pool", "grains", "setup")),
    ):
        start, rows = rows_of(getattr(problem, f"{name}_start"), owners)
        lists[f"{name}_start"] = start
        lists |= {f"{name}_{column}": getattr(problem, f"{name}_{column}")[rows] for column in columns}
    lists |= {"output_thing": thing[lists["output_thing"]], "input_thing": thing[lists["input_thing"]], "use_pool": pool[lists["use_pool"]]}
    chosen = (
        ("yield_", ("good", "of"), recipes), ("batch_", ("least", "multiple"), recipes), ("activity_", ("lead", "effort"), cell.activities),
        ("pool_", ("grains",), cell.pools), ("stock_", ("bucket", "units"), cell.lots), ("arc_", ("effort", "lead"), cell.arcs),
        ("need_", ("units", "due", "until", "tier", "worth", "step", "late"), cell.needs),
    )  # fmt: skip
    kept = {sort + name: getattr(problem, sort + name)[rows] for sort, names, rows in chosen for name in names}
    return replace(
        problem,
        places=len(cell.places),
        things=len(cell.things),
        load=problem.load[cell.things],
        activity_recipe=recipe[problem.activity_recipe[cell.activities]],
        activity_place=place[problem.activity_place[cell.activities]],
        pool_place=place[problem.pool_place[cell.pools]],
        stock_thing=thing[problem.stock_thing[cell.lots]],
        stock_place=place[problem.stock_place[cell.lots]],
        arc_from=place[problem.arc_from[cell.arcs]],
        arc_to=place[problem.arc_to[cell.arcs]],
        need_thing=thing[problem.need_thing[cell.needs]],
        need_place=place[problem.need_place[cell.needs]],
        **lists,
        **kept,
    )


def rows_of(start: Ints, owners: Ints) -> tuple[Ints, Ints]:
    """Return where the lists of some owners start once they are put one after another, and their rows."""
    width = start[owners + 1] - start[owners]
    begin = np.concatenate(([0], np.cumsum(width))).astype(np.int64)
    rows: Ints = np.arange(begin[-1]) - np.repeat(begin[:-1] - start[owners], width)
    return begin, rows


def _numbers(positions: Ints, count: int) -> Ints:
    """Return the new position of each old one; of those that are not kept, 0, which nothing that is kept refers to."""
    numbers = np.zeros(count, dtype=np.int64)
    numbers[positions] = np.arange(len(positions))
    return numbers


def _variables(problem: ProductionProblem, cell: Cell) -> int:
    ways = (len(cell.arcs) + len(cell.places)) * len(cell.things) + len(cell.activities) + len(cell.needs)
    return ways * problem.buckets + len(cell.lots)


# -- what can interact ----------------------------------------------------------------------------------------------------


def _apart(problem: ProductionProblem) -> Iterator[Cell]:
    """Yield the parts between which no thing and no hours can be shared, of those that hold needs."""
    there, run = to_be_had(problem)
    wanted, run = _of_use(problem, there, run)
    live = there & wanted
    places, nodes = problem.places, problem.things * problem.places
    activity = np.flatnonzero(run)
    ties = [
        _ties(problem.input_start, problem.input_thing, problem, activity),
        _ties(problem.output_start, problem.output_thing, problem, activity),
    ]
    of, rows = _each_row(problem.use_start, activity)
    ties.append((nodes + problem.use_pool[rows], nodes + len(problem.pool_place) + of))
    thing, arc = np.nonzero(live[:, problem.arc_from] & live[:, problem.arc_to])
    ties.append((thing * places + problem.arc_from[arc], thing * places + problem.arc_to[arc]))
    one, other = (np.concatenate(each) for each in zip(*ties, strict=True))
    total = nodes + len(problem.pool_place) + len(problem.activity_place)
    _, label = connected_components(coo_matrix((np.ones(len(one)), (one, other)), shape=(total, total)), directed=False)
    of_need = label[problem.need_thing * places + problem.need_place]
    of_lot = label[problem.stock_thing * places + problem.stock_place]
    of_activity = np.where(run, label[nodes + len(problem.pool_place) :], -1)
    of_pool = label[nodes : nodes + len(problem.pool_place)]
    of_node = label[:nodes].reshape(problem.things, places)
    reachable = live[problem.need_thing, problem.need_place] & (problem.need_units > 0)
    lot_live = live[problem.stock_thing, problem.stock_place]
    for part in np.unique(of_need[reachable]).tolist():
        mine = of_node == part
        activities = np.flatnonzero(of_activity == part)
        there_too = np.zeros(problem.things, dtype=bool)  # by-products that nobody wants are things of a recipe all the same
        there_too[problem.output_thing[rows_of(problem.output_start, problem.activity_recipe[activities])[1]]] = True
        here = mine.any(axis=0)
        yield Cell(
            own=here,
            things=np.flatnonzero(mine.any(axis=1) | there_too),
            places=np.flatnonzero(here),
            activities=activities,
            pools=np.flatnonzero(of_pool == part),
            lots=np.flatnonzero((of_lot == part) & lot_live),
            arcs=np.flatnonzero((mine[:, problem.arc_from] & mine[:, problem.arc_to]).any(axis=0)),
            needs=np.flatnonzero((of_need == part) & reachable),
        )


def _each_row(start: Ints, owners: Ints) -> tuple[Ints, Ints]:
    """Return, for every row of these owners' lists, whose it is and which."""
    begin, rows = rows_of(start, owners)
    return np.repeat(owners, np.diff(begin)), rows


def _ties(start: Ints, thing: Ints, problem: ProductionProblem, activities: Ints) -> tuple[Ints, Ints]:
    """Return, for everything these activities take or give, its node and the activity's."""
    begin, rows = rows_of(start, problem.activity_recipe[activities])
    of = np.repeat(activities, np.diff(begin))
    nodes = problem.things * problem.places
    return thing[rows] * problem.places + problem.activity_place[of], nodes + len(problem.pool_place) + of


def _rows_by_activity(problem: ProductionProblem, start: Ints) -> tuple[Ints, Ints]:
    """Return, for every row of what activities' recipes take, or give, which activity it is of, and which row."""
    begin, rows = rows_of(start, problem.activity_recipe)
    return np.repeat(np.arange(len(problem.activity_recipe)), np.diff(begin)), rows


def to_be_had(problem: ProductionProblem) -> tuple[Flags, Flags]:
    """Return (S, P) which things can be had where at all, and (A,) which activities can be run."""
    there = np.zeros((problem.things, problem.places), dtype=bool)
    lots = problem.stock_units > 0
    there[problem.stock_thing[lots], problem.stock_place[lots]] = True
    (takes_of, takes), (gives_of, gives) = _rows_by_activity(problem, problem.input_start), _rows_by_activity(problem, problem.output_start)
    run, before = np.ones(len(problem.activity_place), dtype=bool), -1
    while before != (before := int(there.sum())):
        missing = ~there[problem.input_thing[takes], problem.activity_place[takes_of]]
        run = np.bincount(takes_of[missing], minlength=len(run)) == 0
        there[problem.output_thing[gives[run[gives_of]]], problem.activity_place[gives_of[run[gives_of]]]] = True
        np.logical_or.at(there.T, problem.arc_to, there.T[problem.arc_from])
    return there, run


def _of_use(problem: ProductionProblem, there: Flags, run: Flags) -> tuple[Flags, Flags]:
    """Return (S, P) what serves a need where it is or further on, and (A,) which of the activities that can be run do."""
    wanted = np.zeros_like(there)
    asked = problem.need_units > 0
    wanted[problem.need_thing[asked], problem.need_place[asked]] = True
    (takes_of, takes), (gives_of, gives) = _rows_by_activity(problem, problem.input_start), _rows_by_activity(problem, problem.output_start)
    serves, before = run, -1
    while before != (before := int(wanted.sum())):
        used = wanted[problem.output_thing[gives], problem.activity_place[gives_of]]
        serves = run & (np.bincount(gives_of[used], minlength=len(run)) > 0)
        chosen = serves[takes_of]
        wanted[problem.input_thing[takes[chosen]], problem.activity_place[takes_of[chosen]]] = True
        np.logical_or.at(wanted.T, problem.arc_from, wanted.T[problem.arc_to])
    return wanted, serves


# -- what is too large ----------------------------------------------------------------------------------------------------


def _halves(problem: ProductionProblem, cell: Cell) -> list[Cell]:
    """Cut a cell in two between two places far apart: each place goes with the nearer one, as far as the halves are about as large."""
    place = _numbers(cell.places, problem.places)
    start, end = place[problem.arc_from[cell.arcs]], place[problem.arc_to[cell.arcs]]
    effort = problem.arc_effort[cell.arcs].astype(np.float64) + 1.0  # nothing is no way at all in a sparse matrix
    ways = coo_matrix((effort, (start, end)), shape=(len(cell.places), len(cell.places))).tocsr()

    def far_from(first: int) -> NDArray[np.float64]:
        takes: NDArray[np.float64] = dijkstra(ways, directed=False, indices=first)
        takes[np.isinf(takes)] = 2 * effort.sum() + 1.0
        return takes

    one = int(far_from(0).argmax())
    from_one = far_from(one)
    order = np.argsort(from_one - far_from(int(from_one.argmax())), kind="stable")
    work = 1 + np.bincount(start, minlength=len(order)) + np.bincount(end, minlength=len(order))
    half = int(np.searchsorted(np.cumsum(work[order]), work.sum() / 2)) + 1
    first = np.zeros(problem.places, dtype=bool)
    first[cell.places[order[: min(half, len(order) - 1)]]] = True
    return [_at(problem, cell, here, here & cell.own) for here in (first, ~first)]


def _widened(problem: ProductionProblem, part: Cell, cell: Cell, most: int) -> Cell:
    """Return a cell with all of a part that is so many ways away, as long as that makes no more than ``most`` variables."""
    widest = cell
    while len(widest.places) < len(part.places):
        here = np.zeros(problem.places, dtype=bool)
        here[widest.places] = True
        start, end = problem.arc_from[part.arcs], problem.arc_to[part.arcs]
        here[np.concatenate((end[here[start]], start[here[end]]))] = True
        wider = _at(problem, part, here, cell.own)
        if len(wider.places) == len(widest.places) or _variables(problem, wider) > most:
            break
        widest = wider
    return widest


def _at(problem: ProductionProblem, cell: Cell, here: Flags, own: Flags) -> Cell:
    """Return the part of a cell at some places, of which it speaks for some."""
    return Cell(
        own=own,
        things=cell.things,
        places=cell.places[here[cell.places]],
        activities=cell.activities[here[problem.activity_place[cell.activities]]],
        pools=cell.pools[here[problem.pool_place[cell.pools]]],
        lots=cell.lots[here[problem.stock_place[cell.lots]]],
        arcs=cell.arcs[here[problem.arc_from[cell.arcs]] & here[problem.arc_to[cell.arcs]]],
        needs=cell.needs[here[problem.need_place[cell.needs]]],
    )
