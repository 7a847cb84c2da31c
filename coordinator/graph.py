"""The network as a networkx graph, for questions that a solver is not asked: what feeds what, and what hangs on whom."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import networkx as nx

from coordinator.commitments import ENDED, Book
from coordinator.network import PROCESS, RESOURCE, Network, Stance, Thing
from coordinator.signals import Recipe

__all__ = ["AGENT", "RECIPE", "Node", "build_graph", "unpromised_grains"]

Node = tuple[str, str]  # (kind, name): an agent, a recipe (by its ref), or a canonical Thing

AGENT, RECIPE = "agent", "recipe"


def build_graph(network: Network, book: Book | None = None, log_us: int | None = None) -> Any:
    """Return a `networkx.MultiDiGraph` of all that stands; arrows point the way goods, hours and knowledge go.

    Every node is a tuple (kind, name) and carries `kind`:

    | node | attributes |
    |---|---|
    | ("agent", name) | `place` (latitude, longitude) or None, `classes` |
    | ("resource", canonical name) | `unit` |
    | ("process", canonical name) | `unit` (h) |
    | ("recipe", agent/recipe/subject) | its `agent`, `name`, `least` and `multiple` of a batch; it stays known when its agent is gone |

    Every edge carries `kind`; quantities are whole grains of `dimension`:

    | edge | kind | key | attributes |
    |---|---|---|---|
    | agent → resource, agent → process | offer, capacity | its ref | `dimension`, `stated_grains`, `free_grains` |
    | resource → agent, process → agent | need | its ref | `dimension`, `stated_grains`, `free_grains` (still open), `tier`, `substitute` |
    | resource → recipe, process → recipe | input, step | dimension | `dimension`, `grains` for one run |
    | recipe → resource | output | dimension | `dimension`, `grains` of one run |
    | agent → agent | route | "route" | `distance_m`, `two_way` |
    | agent → agent | flow | thing and dimension | `thing`, `dimension`, `proposed_grains`, `committed_grains` |

    A need that takes substitutes has an edge from each (`substitute` true). What a maker puts into its own work is no flow.
    Flows, and what others' promises hold back of `free_grains`,
    need the `book`. With a log time, signals whose window has closed by then have no edge: they can never be matched.
    """
    graph = nx.MultiDiGraph()
    for name, facts in network.agents.items():
        graph.add_node((AGENT, name), kind=AGENT, place=facts.place, classes=facts.classes)
    for stance in network.living():
        if log_us is not None and stance.is_over(log_us):
            _add_thing(graph, network, stance.thing)  # Somebody speaks of it all the same.
            continue
        _add_stance(graph, network, stance, unpromised_grains(stance, book))
    for ref, recipe in sorted(network.recipes.items()):
        if recipe.draft:
            continue  # Nobody said yet that it can be made so.
        _add_recipe(graph, network, ref, recipe)
    for start, routes in network.routes.items():
        for end, route in routes.items():
            _add_agent(graph, end)
            kept = {"kind": "route", "distance_m": route.distance_m, "two_way": route.two_way}
            graph.add_edge((AGENT, start), (AGENT, end), key="route", **kept)
    if book is not None:
        _add_flows(graph, network, book)
    return graph


def unpromised_grains(stance: Stance, book: Book | None) -> int:
    """Return what a stance could still give or take, whatever is proposed: not promised, nor kept aside for others' promises."""
    return stance.free_grains if book is None else max(0, stance.free_grains - book.held_grains(stance))


def _add_stance(graph: Any, network: Network, stance: Stance, free_grains: int) -> None:
    agent, thing = (AGENT, stance.agent), _add_thing(graph, network, stance.thing)
    sums = {"dimension": stance.dimension, "stated_grains": stance.stated_grains, "free_grains": free_grains}
    if stance.is_supply:
        graph.add_edge(agent, thing, key=stance.ref, kind=stance.kind, **sums)
        return
    graph.add_edge(thing, agent, key=stance.ref, kind="need", tier=stance.tier, substitute=False, **sums)
    for name in stance.substitutes:
        other = _add_thing(graph, network, (stance.thing[0], name))
        if other != thing:
            graph.add_edge(other, agent, key=stance.ref, kind="need", tier=stance.tier, substitute=True, **sums)


def _add_recipe(graph: Any, network: Network, ref: str, recipe: Recipe) -> None:
    node = (RECIPE, ref)
    least, multiple = (recipe.batch.minimum or 1, recipe.batch.multiple or 1) if recipe.batch else (1, 1)
    graph.add_node(node, kind=RECIPE, agent=ref.partition("/")[0], name=recipe.recipe, least=least, multiple=multiple)
    taken, worked, made = Counter[tuple[Thing, str]](), Counter[tuple[Thing, str]](), Counter[tuple[Thing, str]]()
    for flow in recipe.inputs:
        taken[_add_thing(graph, network, (RESOURCE, flow.resource)), flow.quantity.dimension] += flow.quantity.grains
    for output in recipe.outputs:
        made[_add_thing(graph, network, (RESOURCE, output.resource)), output.quantity.dimension] += math.ceil(output.good)
    for step in recipe.steps:
        worked[_add_thing(graph, network, (PROCESS, step.process)), step.effort.dimension] += step.effort.grains
    for kind, sums in (("input", taken), ("step", worked), ("output", made)):
        for (thing, dimension), grains in sums.items():
            start, end = (node, thing) if kind == "output" else (thing, node)
            graph.add_edge(start, end, key=dimension, kind=kind, dimension=dimension, grains=grains)


def _add_flows(graph: Any, network: Network, book: Book) -> None:
    flows: dict[tuple[str, str, Thing, str], Counter[str]] = {}
    for deal in book.deals.values():
        if deal.state in ENDED:
            continue
        for line in deal.lines:
            if line.stays:
                continue
            thing = network.canonical(line.thing)
            sums = flows.setdefault((line.provider, line.receiver, thing, line.quantity.dimension), Counter())
            sums["proposed" if deal.is_open else "committed"] += line.quantity.grains
    for (provider, receiver, thing, dimension), sums in flows.items():
        kept: Mapping[str, Any] = {"kind": "flow", "thing": thing, "dimension": dimension}
        grains = {"proposed_grains": sums["proposed"], "committed_grains": sums["committed"]}
        start, end = _add_agent(graph, provider), _add_agent(graph, receiver)
        graph.add_edge(start, end, key=(*thing, dimension), **kept, **grains)


def _add_agent(graph: Any, name: str) -> Node:
    """Add an agent that others name and that said nothing itself, as yet."""
    if (AGENT, name) not in graph:
        graph.add_node((AGENT, name), kind=AGENT, place=None, classes=())
    return AGENT, name


def _add_thing(graph: Any, network: Network, said: Thing) -> Thing:
    thing = network.canonical(said)
    if thing not in graph:
        graph.add_node(thing, kind=thing[0], unit=network.definition(thing).unit)
    return thing
