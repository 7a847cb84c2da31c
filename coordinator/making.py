"""What recipes can make of what there is, as far as it can be said without planning: whether at all, and how much at most."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx

from coordinator.graph import RECIPE
from coordinator.limits import processes_done
from coordinator.loops import Stock
from coordinator.network import PROCESS, Network

__all__ = ["Making", "Most", "Stock", "broadened", "made_by", "makings", "most_runs", "runnable", "suppliers", "with_broader"]


@dataclass(frozen=True, slots=True)
class Making:
    """One recipe: what one run takes of each stock, hours of its steps among them, and what it gives, in grains."""

    ref: str
    name: str
    takes: Mapping[Stock, int]
    gives: Mapping[Stock, int]
    least: int = 1  # runs of one batch, and
    multiple: int = 1  # in which whole multiples


@dataclass(frozen=True, slots=True)
class Most:
    """A bound that no plan can pass."""

    runs: int | None  # None: the recipe takes nothing that could run out
    scarcest: Stock | None  # what bounds it


def makings(graph: Any) -> list[Making]:
    """Return every recipe of a network graph, in order of ref."""
    found: list[Making] = []
    for node in sorted(node for node, kind in graph.nodes(data="kind") if kind == RECIPE):
        takes = {(start, said["dimension"]): said["grains"] for start, _, said in graph.in_edges(node, data=True)}
        gives = {(end, said["dimension"]): said["grains"] for _, end, said in graph.out_edges(node, data=True)}
        facts = graph.nodes[node]
        found.append(Making(node[1], facts["name"], takes, gives, facts["least"], facts["multiple"]))
    return found


def suppliers(graph: Any, *, promised_too: bool = False) -> dict[Stock, dict[str, int]]:
    """Return who has something free of each stock, and how much: agent -> grains. `promised_too` counts all that was stated."""
    counted = "stated_grains" if promised_too else "free_grains"
    found: dict[Stock, dict[str, int]] = {}
    for agent, thing, said in graph.edges(data=True):
        if said["kind"] in ("offer", "capacity") and said[counted]:
            by = found.setdefault((thing, said["dimension"]), {})
            by[agent[1]] = by.get(agent[1], 0) + said[counted]
    return found


def with_broader(network: Network, stocked: Iterable[Stock]) -> set[Stock]:
    """Return these stocks, and for hours of a process those of each broader one too, which the same machines can do."""
    return {
        ((sort, able), dimension)
        for (sort, name), dimension in stocked
        for able in (processes_done(network, name) if sort == PROCESS else (name,))
    }


def broadened(network: Network, stocked: Mapping[Stock, Mapping[str, int]]) -> dict[Stock, dict[str, int]]:
    """Return the same with hours of a process counted for each broader one as well, in full for each."""
    found: dict[Stock, dict[str, int]] = {}
    for stock, by in stocked.items():
        for other in with_broader(network, [stock]):
            sums = found.setdefault(other, {})
            for agent, grains in by.items():
                sums[agent] = sums.get(agent, 0) + grains
    return found


def runnable(stocked: Iterable[Stock], recipes: Sequence[Making]) -> set[str]:
    """Return the recipes (refs) for which all can be had, from stock or from other such recipes; a ring does not start itself."""
    missing = {recipe.ref: len(recipe.takes) for recipe in recipes}
    takers: dict[Stock, list[Making]] = {}
    for recipe in recipes:
        for stock in recipe.takes:
            takers.setdefault(stock, []).append(recipe)
    able: set[str] = set()
    had: set[Stock] = set()
    arriving: list[Stock] = list(stocked)
    for recipe in recipes:
        if not recipe.takes:
            able.add(recipe.ref)
            arriving.extend(recipe.gives)
    while arriving:
        stock = arriving.pop()
        if stock in had:
            continue
        had.add(stock)
        for recipe in takers.get(stock, ()):
            missing[recipe.ref] -= 1
            if not missing[recipe.ref]:
                able.add(recipe.ref)
                arriving.extend(recipe.gives)
    return able


def made_by(refs: Iterable[str], recipes: Sequence[Making]) -> set[Stock]:
    """Return everything that these recipes give."""
    chosen = set(refs)
    return {stock for recipe in recipes if recipe.ref in chosen for stock in recipe.gives}


def most_runs(stocked: Mapping[Stock, int], recipes: Sequence[Making], bounds: Mapping[str, Most] | None = None) -> dict[str, Most]:
    """Return how often each recipe (by ref) could run at most, were everything at one place and all of it its own.

    `bounds` are what else none of them can pass.

    Inputs that other recipes can make are counted in full for everyone who takes them, so no plan reaches more. Within a ring of
    recipes only what enters the ring from outside is counted.
    """
    graph = nx.DiGraph()
    for recipe in recipes:
        graph.add_node(recipe.ref)
        graph.add_edges_from((stock, recipe.ref) for stock in recipe.takes)
        graph.add_edges_from((recipe.ref, stock) for stock in recipe.gives)
    there: dict[Stock, int | None] = dict(stocked)  # None: without limit
    by_ref = {recipe.ref: recipe for recipe in recipes}
    most: dict[str, Most] = {}
    rings = nx.condensation(graph)
    for component in nx.topological_sort(rings):
        mine = [by_ref[node] for node in sorted(rings.nodes[component]["members"] & by_ref.keys())]
        most.update({recipe.ref: _bound(recipe, there, (bounds or {}).get(recipe.ref)) for recipe in mine})
        for recipe in mine:
            runs = most[recipe.ref].runs
            for stock, grains in recipe.gives.items():
                before = there.get(stock, 0)
                there[stock] = None if before is None or runs is None else before + runs * grains
    return most


def _bound(recipe: Making, there: Mapping[Stock, int | None], also: Most | None) -> Most:
    bounds = [(have // grains, stock) for stock, grains in recipe.takes.items() if (have := there.get(stock, 0)) is not None]
    if also is not None and also.runs is not None and also.scarcest is not None:
        bounds.append((also.runs, also.scarcest))
    if not bounds:
        return Most(None, None)
    runs, scarcest = min(bounds)
    runs -= runs % recipe.multiple
    return Most(runs if runs >= recipe.least else 0, scarcest)
