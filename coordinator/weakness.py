"""Where a network is weak: agents whose loss leaves needs without any source, and things of which too little can get through.

Both are judged by the matching rules and by what is promised to nobody. Recipes count by what exists, wherever it is, and for no more
than each machine has hours for; a recipe stays known when the agent who wrote it down is gone. One that takes more than there is makes
too little, as `explode` has it; what no recipe could make at all is what `unreachable` lists.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from coordinator.commitments import Book
from coordinator.graph import build_graph, unpromised_grains
from coordinator.hindrances import Supplies
from coordinator.making import Making, Most, Stock, broadened, made_by, makings, most_runs, runnable, suppliers
from coordinator.network import Network, Stance, Thing, amount_of
from coordinator.questions import ThingAmount, accepted_things, sources
from coordinator.reach import Reach, markets, reach
from coordinator.units import Quantity

__all__ = ["Bottleneck", "Hinge", "Scarce", "WeakPoints", "weak_points"]

# Of arcs between groups of equal reach; above, the answer says that the cut was not made.
MOST_ARCS = 2_000_000  # where scipy's flows hold all amounts
MOST_EXACT_ARCS = 60_000  # where they do not: whole numbers of any size take many times as long for each arc
LARGEST = 2**31 - 2  # units that scipy's flows hold
MOST_CELLS = 100_000_000  # of the table from which the groups are found


@dataclass(frozen=True, slots=True)
class Hinge:
    """An agent whose loss cuts these open needs of others from every source they have."""

    agent: str
    needs: tuple[str, ...]  # refs
    unpromised: tuple[ThingAmount, ...]  # what they want, proposed or not


@dataclass(frozen=True, slots=True)
class Scarce:
    """One source on the short side of a cut, all of which is used in any best plan."""

    sort: str  # agent or recipe
    name: str
    most: Quantity  # not promised, or at most made
    scarcest: str | None = None  # of a recipe: the input or process that bounds it


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """The minimum cut between what supplies a thing (with its accepted substitutes) and who needs it."""

    sort: str  # resource or process
    names: tuple[str, ...]  # the thing and its accepted substitutes
    asked: Quantity  # and promised by nobody, proposed or not
    free: Quantity  # promised to nobody: what is only proposed may yet go elsewhere
    makeable: Quantity | None  # by recipes at most, in full for each; None: without limit
    through: Quantity | None  # the most that can get from supply to needs; None: not computed, for `too_large`
    short: Quantity | None  # asked - through: short in every plan
    short_needs: int  # needs on the short side: all of `scarce` serves them, and they want more
    short_asked: Quantity | None
    short_agents: tuple[str, ...]
    scarce: tuple[Scarce, ...]
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class WeakPoints:
    """Hinges, those with most needs first, and the bottleneck of every thing that is short though somebody supplies it."""

    hinges: tuple[Hinge, ...]
    bottlenecks: tuple[Bottleneck, ...]
    enough: int  # things, with their substitutes, of which all that is asked for can get through
    without_supply: int  # things, with their substitutes, that are needed and that nobody supplies
    needs_without_supply: int  # needs of these things; `unreachable` lists them


def weak_points(network: Network, book: Book, log_us: int) -> WeakPoints:
    """Return where the network is weak now."""
    graph = build_graph(network, book, log_us)
    there_is = sources(network, graph, log_us)
    free = broadened(network, suppliers(graph))
    recipes = [recipe for recipe in makings(graph) if recipe.ref in there_is.used and recipe.ref not in there_is.unable]
    supplies = Supplies(network, log_us, there_is.used, lambda one: unpromised_grains(one, book))
    bounds = {recipe.ref: supplies.most_runs(recipe.ref) for recipe in recipes}
    runs = most_runs({stock: sum(by.values()) for stock, by in free.items()}, recipes, bounds)
    spare = _Spare(free, recipes)
    hanging: dict[str, list[Stance]] = {}
    bottlenecks: list[Bottleneck] = []
    enough = without_supply = needs_without_supply = 0
    for things, dimension, stances in markets(network):
        standing = [stance for stance in stances if not stance.is_over(log_us)]
        counting = [stance for stance in standing if unpromised_grains(stance, book)]
        offers = [stance for stance in counting if stance.is_supply]
        needs = [stance for stance in counting if not stance.is_supply]
        if not needs:
            continue
        market = _Market(
            network, book, things, dimension, reach(network, book, offers, needs, log_us, lambda one: unpromised_grains(one, book))
        )
        for position, need in enumerate(needs):
            for agent in spare.hinges_of(market.accepted[position], market.reach.agents[position], need.agent):
                hanging.setdefault(agent, []).append(need)
        makers = [recipe for recipe in recipes if recipe.ref in there_is.able and any(stock in recipe.gives for stock in market.stocks)]
        if not makers and not any(stance.is_supply for stance in standing):
            without_supply += 1
            needs_without_supply += len(needs)
            continue
        found = market.bottleneck(makers, runs)
        if found.short is not None and not found.short.grains:
            enough += 1
        else:
            bottlenecks.append(found)
    hinges = [_hinge(network, book, agent, needs) for agent, needs in hanging.items()]
    return WeakPoints(
        hinges=tuple(sorted(hinges, key=lambda hinge: (-len(hinge.needs), hinge.agent))),
        bottlenecks=tuple(sorted(bottlenecks, key=lambda found: (found.sort, found.names))),
        enough=enough,
        without_supply=without_supply,
        needs_without_supply=needs_without_supply,
    )


def _hinge(network: Network, book: Book, agent: str, needs: Sequence[Stance]) -> Hinge:
    still: dict[Stock, int] = {}
    for need in needs:
        stock = (network.canonical(need.thing), need.dimension)
        still[stock] = still.get(stock, 0) + unpromised_grains(need, book)
    amounts = tuple(ThingAmount(*stock[0], amount_of(network, stock, grains)) for stock, grains in sorted(still.items()))
    return Hinge(agent, tuple(sorted(need.ref for need in needs)), amounts)


class _Spare:
    """What can still be made when one agent is gone; most agents' loss changes nothing that recipes rest on."""

    def __init__(self, free: Mapping[Stock, Mapping[str, int]], recipes: Sequence[Making]) -> None:
        self._free, self._recipes = free, recipes
        taken = {stock for recipe in recipes for stock in recipe.takes}
        self._sole: dict[str, set[Stock]] = {}
        for stock in taken & free.keys():
            if len(free[stock]) == 1:
                self._sole.setdefault(min(free[stock]), set()).add(stock)
        self.made = cache(self._made)

    def _made(self, without: str | None) -> frozenset[Stock]:
        lost = self._sole.get(without, set()) if without is not None else set()
        return frozenset(made_by(runnable(self._free.keys() - lost, self._recipes), self._recipes))

    def hinges_of(self, accepted: frozenset[Stock], reached: Mapping[str, None], asker: str) -> list[str]:
        """Return the agents without whom a need has no source left; `reached` holds up to two agents that offer to it directly."""
        if len(reached) > 1:
            return []
        makeable_now = not accepted.isdisjoint(self.made(None))
        if reached:
            [only] = reached
            return [] if makeable_now and not accepted.isdisjoint(self._made_without(only)) else [only]
        if not makeable_now:
            return []
        return [agent for agent in sorted(self._sole) if agent != asker and accepted.isdisjoint(self._made_without(agent))]

    def _made_without(self, agent: str) -> frozenset[Stock]:
        return self.made(agent if agent in self._sole else None)


# -- the cut ----------------------------------------------------------------------------------------------------------


class _Market:
    """Offers and needs that could meet, as a flow network: offers of equal reach are one node, and so are needs reached by the same."""

    def __init__(self, network: Network, book: Book, things: tuple[Thing, ...], dimension: str, told: Reach) -> None:
        self.network, self.book, self.reach = network, book, told
        self.sort, self.names = things[0][0], tuple(name for _, name in things)
        self.accepted = [frozenset((thing, dimension) for thing in accepted_things(network, need)) for need in told.needs]
        # Of a substitute that nobody speaks of otherwise there may be a recipe.
        self.stocks = list(dict.fromkeys((*((thing, dimension) for thing in things), *sorted(frozenset().union(*self.accepted)))))
        self._wants = [unpromised_grains(need, book) for need in told.needs]

    def bottleneck(self, makers: Sequence[Making], runs: Mapping[str, Most]) -> Bottleneck:
        """Return the minimum cut; needs of the short side take all that its sources have, and want more."""
        gives = [self._given(recipe, runs[recipe.ref]) for recipe in makers]
        free = sum(unpromised_grains(offer, self.book) for offer in self.reach.offers)
        asked = sum(self._wants)
        makeable = None if None in gives else self._quantity(sum(grains for grains in gives if grains is not None))
        rows = [(np.unpackbits(np.frombuffer(bits, dtype=np.uint8), count=len(self._wants)).astype(bool), tuple(offers))
                for bits, offers in self.reach.rows.items()]  # fmt: skip
        supply: list[int | None] = [sum(unpromised_grains(self.reach.offers[offer], self.book) for offer in offers) for _, offers in rows]
        reaches = [bits for bits, _ in rows]
        for recipe, grains in zip(makers, gives, strict=True):
            reaches.append(np.array([not accepted.isdisjoint(recipe.gives) for accepted in self.accepted], dtype=bool))
            supply.append(grains)
        cut = _minimum_cut(reaches, supply, self._wants)
        if cut is None:
            nothing = (None, None, 0, None, (), ())
            return Bottleneck(self.sort, self.names, self._quantity(asked), self._quantity(free), makeable, *nothing, too_large=True)
        through, short_rows, short_needs = cut
        scarce = self._scarce(short_rows, [offers for _, offers in rows], makers, gives, runs)
        agents = tuple(sorted({self.reach.needs[need].agent for need in short_needs}))
        return Bottleneck(
            sort=self.sort,
            names=self.names,
            asked=self._quantity(asked),
            free=self._quantity(free),
            makeable=makeable,
            through=self._quantity(through),
            short=self._quantity(asked - through),
            short_needs=len(short_needs),
            short_asked=self._quantity(sum(self._wants[need] for need in short_needs)),
            short_agents=agents,
            scarce=scarce,
        )

    def _quantity(self, grains: int) -> Quantity:
        return amount_of(self.network, self.stocks[0], grains)

    def _given(self, recipe: Making, most: Most) -> int | None:
        """Return how much of what this market takes a recipe can make at most, None for no limit."""
        return None if most.runs is None else most.runs * sum(recipe.gives.get(stock, 0) for stock in self.stocks)

    def _scarce(
        self,
        short_rows: Sequence[int],
        offers_of_row: Sequence[tuple[int, ...]],
        makers: Sequence[Making],
        gives: Sequence[int | None],
        runs: Mapping[str, Most],
    ) -> tuple[Scarce, ...]:
        by_agent: dict[str, int] = {}
        scarce: list[Scarce] = []
        for row in short_rows:
            if row < len(offers_of_row):
                for offer in (self.reach.offers[position] for position in offers_of_row[row]):
                    by_agent[offer.agent] = by_agent.get(offer.agent, 0) + unpromised_grains(offer, self.book)
            else:
                recipe = makers[row - len(offers_of_row)]
                bound = runs[recipe.ref].scarcest
                scarce.append(
                    Scarce("recipe", recipe.ref, self._quantity(gives[row - len(offers_of_row)] or 0), bound[0][1] if bound else None)
                )
        agents = sorted(by_agent.items(), key=lambda item: (-item[1], item[0]))
        return (*(Scarce("agent", agent, self._quantity(grains)) for agent, grains in agents), *scarce)


def _minimum_cut(
    reaches: Sequence[NDArray[np.bool_]], supply: Sequence[int | None], wants: Sequence[int]
) -> tuple[int, list[int], list[int]] | None:
    """Return the most that gets through, and the rows and needs of the least short side; None where the network is too large.

    `reaches` says of each row which needs it serves, `supply` how much it has (None: no limit).
    """
    if len(reaches) * len(wants) > MOST_CELLS:
        return None
    table = np.array(reaches, dtype=bool).reshape(len(reaches), len(wants))
    needs_of: dict[bytes, list[int]] = {}  # which rows reach it -> the needs of a column
    for need, bits in enumerate(np.ascontiguousarray(np.packbits(table, axis=0).T)):
        needs_of.setdefault(bits.tobytes(), []).append(need)
    columns = list(needs_of.values())
    table = table[:, [column[0] for column in columns]]
    asked = [sum(wants[need] for need in needs) for needs in columns]
    most = sum(asked)
    given = [most if grains is None else min(grains, most) for grains in supply]
    if int(table.sum()) > (MOST_EXACT_ARCS if _step(given, asked) is None else MOST_ARCS):
        return None
    through, short_rows, short_columns = _cut(table, given, asked)
    return through, short_rows, sorted(need for column in short_columns for need in columns[column])


def _cut(table: NDArray[np.bool_], given: Sequence[int], asked: Sequence[int]) -> tuple[int, list[int], list[int]]:
    """Return the most that gets from rows to columns along a table, and the rows and columns of the least short side.

    These are what something more could still get to the end from, and so the same whichever greatest flow was found.
    """
    # Heavy, and only those who ask where a network is weak need them.
    from scipy.sparse import csr_array  # noqa: PLC0415
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow  # noqa: PLC0415

    step = _step(given, asked)
    if step is None:
        return _exact_cut(table, given, asked)
    rows, columns = table.shape
    start, end = rows + columns, rows + columns + 1
    at_row, at_column = np.nonzero(table)
    tails = np.concatenate((np.full(rows, start), at_row, rows + np.arange(columns)))
    heads = np.concatenate((np.arange(rows), rows + at_column, np.full(columns, end)))
    units = [np.array([grains // step for grains in side], dtype=np.int32) for side in (given, asked)]
    ways = np.minimum(units[0][at_row], units[1][at_column]) + 1  # one more than can ever flow: no way itself is short
    capacities = np.concatenate((units[0], ways, units[1]))
    network = csr_array((capacities, (tails, heads)), shape=(end + 1, end + 1))
    found = maximum_flow(network, start, end)
    left = network - found.flow  # An arc against the way of a flow has what flows there.
    left.data[left.data < 0] = 0
    left.eliminate_zeros()
    short = breadth_first_order(left.T.tocsr(), end, return_predecessors=False)
    reaches = np.zeros(end + 1, dtype=bool)
    reaches[short] = True
    short_rows, short_columns = np.flatnonzero(reaches[:rows]).tolist(), np.flatnonzero(reaches[rows : rows + columns]).tolist()
    return int(found.flow_value) * step, short_rows, short_columns


def _step(given: Sequence[int], asked: Sequence[int]) -> int | None:
    """Return the greatest part that all amounts are whole multiples of; None where there are more of these than scipy's flows hold."""
    step = math.gcd(*given, *asked) or 1
    return step if sum(asked) // step <= LARGEST else None


def _exact_cut(table: NDArray[np.bool_], given: Sequence[int], asked: Sequence[int]) -> tuple[int, list[int], list[int]]:
    """Return the same for amounts of any size."""
    graph: Any = nx.DiGraph()
    graph.add_nodes_from(("supply", "needs"))
    for row, grains in enumerate(given):
        graph.add_edge("supply", ("row", row), capacity=grains)
        graph.add_edges_from((("row", row), ("column", column)) for column in np.flatnonzero(table[row]).tolist())
    for column, grains in enumerate(asked):
        graph.add_edge(("column", column), "needs", capacity=grains)
    through, (_, short_side) = nx.minimum_cut(graph, "supply", "needs")
    rows, columns = (sorted(node[1] for node in short_side if node[0] == sort) for sort in ("row", "column"))
    return int(through), rows, columns
