"""Rings of recipes: allowed where going round gains something (regrind beside the goods, dough from dough), else refused by name.

A ring gains where it ends with more of a thing than it began with, or where one of its recipes gives something else besides: goods, or
a by-product that somebody needs or a recipe takes. A ring that only turns a thing into less of itself, dust left aside, is refused: of
its recipes, the one said last, which closed it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import networkx as nx

from coordinator.network import RESOURCE, Network, Thing
from coordinator.signals import Flow, Output, Recipe
from coordinator.wording import shown
from solver.making import MOST_ROUNDS

__all__ = ["Ring", "Stock", "is_needed", "recipe_stocks", "rings_told", "side_stocks", "standing_recipes"]

Stock = tuple[Thing, str]  # a canonical thing counted in one dimension: kilos and pieces of one name are two stocks


@dataclass(frozen=True, slots=True)
class Ring:
    """A recipe that is not used, and the ring that it would close."""

    ref: str
    things: tuple[str, ...]  # in the order of the ring, the first again at its end
    back: Fraction  # of one unit, what comes back after one round

    @property
    def sentence(self) -> str:
        """Why the recipe is not used, and what to do."""
        loop = " → ".join(shown(name) for name in self.things)
        share = f"{float(self.back):.3g} of it comes" if self.back < 1 else "no more of it comes"
        nothing = "nothing else comes out that is needed; withdraw it"
        return f"recipe {self.ref} is not used: it closes the loop {loop}, in which {share} back and {nothing}"


def standing_recipes(network: Network) -> tuple[dict[str, Recipe], list[Ring]]:
    """Return the recipes that may be used (no drafts), by ref, and those refused with their rings, whatever the order of arrival."""
    published = {ref: recipe for ref, recipe in network.recipes.items() if not recipe.draft}
    flows = {ref: recipe_stocks(network, recipe) for ref, recipe in published.items()}
    idle = {stock for stock in side_stocks(network) if not is_needed(network, stock)}
    converting = {
        ref: _conversions(takes, {made: good for made, good in gives.items() if made not in idle}) for ref, (takes, gives) in flows.items()
    }
    graph = nx.DiGraph([(start, end) for edges in converting.values() for start, end in edges])
    ringed = {stock for part in nx.strongly_connected_components(graph) if len(part) > 1 for stock in part}
    accepted: dict[tuple[Stock, Stock], Fraction] = {}  # the least that is left of one unit going this way
    refused: list[Ring] = []
    for ref in sorted(published, key=lambda ref: (network.last_word(ref), ref)):
        edges = {edge: back for edge, back in converting[ref].items() if edge[0] in ringed and edge[1] in ringed}
        ring = _ring(ref, edges, accepted) if edges else None
        if ring is not None:
            refused.append(ring)
            continue
        for edge, back in edges.items():
            accepted[edge] = min(back, accepted.get(edge, back))
    out = {ring.ref for ring in refused}
    return {ref: published[ref] for ref in sorted(published) if ref not in out}, sorted(refused, key=lambda ring: ring.ref)


def rings_told(network: Network, recipes: Mapping[str, Recipe]) -> list[str]:
    """Return a sentence for each ring among recipes that are used, by what they are run for: how far plans go round it."""
    graph = nx.DiGraph()
    for ref in sorted(recipes):
        takes, gives = recipe_stocks(network, recipes[ref])
        graph.add_edges_from((taken, next(iter(gives))) for taken in takes)
    parts = [part for part in nx.strongly_connected_components(graph) if len(part) > 1 or any(graph.has_edge(one, one) for one in part)]
    told = []
    for part in sorted(map(sorted, parts)):
        way = [start for start, _ in nx.find_cycle(graph.subgraph(part), part[0])] if len(part) > 1 else part
        loop = " → ".join(shown(stock[0][1]) for stock in (*way, way[0]))
        told.append(
            f"the recipes {loop} go round and gain: a plan goes round up to {MOST_ROUNDS} times for one delivery, where that serves more, "
            "and begins with what lies there and is not promised"
        )
    return told


def recipe_stocks(network: Network, recipe: Recipe) -> tuple[dict[Stock, int], dict[Stock, Fraction]]:
    """Return what one run takes, and what good it gives on average, in grains of each stock."""
    takes: dict[Stock, int] = {}
    gives: dict[Stock, Fraction] = {}
    for flow in recipe.inputs:
        stock = _stock(network, flow)
        takes[stock] = takes.get(stock, 0) + flow.quantity.grains
    for output in recipe.outputs:
        stock = _stock(network, output)
        gives[stock] = gives.get(stock, Fraction(0)) + output.good
    return takes, gives


def side_stocks(network: Network) -> list[Stock]:
    """Return what comes out of recipes as a by-product only, and goes into none: it gains something where it `is_needed`."""
    published = [recipe for recipe in network.recipes.values() if not recipe.draft]
    aside = {_stock(network, flow) for recipe in published for flow in recipe.outputs if flow.by_product}
    taken = {_stock(network, flow) for recipe in published for flow in recipe.inputs}
    main = {_stock(network, flow) for recipe in published for flow in recipe.outputs if not flow.by_product}
    return sorted(aside - taken - main)


def is_needed(network: Network, stock: Stock) -> bool:
    """Whether a need that stands takes this."""
    thing, dimension = stock
    if any(network.canonical(other) == thing for _, other in network.substitutions()):
        return True
    return any(stance.kind == "need" and stance.dimension == dimension for name in network.called(thing) for stance in network.live(name))


def _stock(network: Network, flow: Flow | Output) -> Stock:
    return network.canonical((RESOURCE, flow.resource)), flow.quantity.dimension


def _conversions(takes: Mapping[Stock, int], gives: Mapping[Stock, Fraction]) -> dict[tuple[Stock, Stock], Fraction]:
    """Return how much of its one useful output a recipe gives for a grain of each input; empty where it gives several things."""
    if len(gives) != 1:
        return {}
    [(made, grains)] = gives.items()
    return {(taken, made): grains / each for taken, each in takes.items() if taken != made}


def _ring(ref: str, edges: Mapping[tuple[Stock, Stock], Fraction], accepted: Mapping[tuple[Stock, Stock], Fraction]) -> Ring | None:
    """Return the ring without gain that these edges close over those accepted, or None."""
    for (start, end), back in sorted(edges.items()):
        least, before = _least_ways(end, accepted)
        if start in least and least[start] * back <= 1:
            way = [start]
            while way[-1] != end:
                way.append(before[way[-1]])
            names = [stock[0][1] for stock in (start, *reversed(way))]
            return Ring(ref, tuple(names), least[start] * back)
    return None


def _least_ways(start: Stock, edges: Mapping[tuple[Stock, Stock], Fraction]) -> tuple[dict[Stock, Fraction], dict[Stock, Stock]]:
    """Return the least that is left of one unit of `start` at each stock it can become, and the stock before (Bellman and Ford).

    No ring among the edges lessens anything, so each least way visits a stock once.
    """
    least, before = {start: Fraction(1)}, dict[Stock, Stock]()
    news: Iterable[Stock] = [start]
    while news:
        found: dict[Stock, None] = {}
        reached = set(news)
        for (one, other), back in edges.items():
            if one in reached and (other not in least or least[one] * back < least[other]):
                least[other], before[other] = least[one] * back, one
                found[other] = None
        news = found
    return least, before
