"""Questions about a network, each a pure function of it: how it stands, what feeds a thing, what hangs on an agent, what nothing reaches.

Where it is weak is told by `coordinator.weakness`. Distances and windows are judged for goods and hours as they are offered. Where a
recipe would run is not known, so recipes are judged by what exists: a need that a recipe could serve never counts as unreachable.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from coordinator.commitments import Book
from coordinator.errors import Refused
from coordinator.graph import AGENT, RECIPE, Node, build_graph, unpromised_grains
from coordinator.hindrances import Supplies
from coordinator.making import Making, Stock, made_by, makings, runnable, suppliers, with_broader
from coordinator.matching import Hidden
from coordinator.names import LonelyName, Names, NearName
from coordinator.network import PROCESS, RESOURCE, Network, Stance, Thing, amount_of
from coordinator.proportions import recipes_in_use
from coordinator.reach import markets, reach
from coordinator.signals import Recipe
from coordinator.units import Quantity
from coordinator.wording import asked_for, near

__all__ = [
    "Dependent",
    "Source",
    "Sources",
    "Stats",
    "ThingAmount",
    "ThingStats",
    "Unreachable",
    "accepted_things",
    "downstream",
    "nobody_offers",
    "sources",
    "stats",
    "thing_named",
    "unreachable",
    "upstream",
    "why_not_made",
]


def thing_named(network: Network, graph: Any, name: str) -> Thing:
    """Return the resource or process of this name; ``process:NAME`` tells two of one name apart. Refused, with near ones, when unknown."""
    sort, _, rest = name.partition(":")
    asked = [(sort, rest)] if sort in (RESOURCE, PROCESS) and rest else [(RESOURCE, name), (PROCESS, name)]
    for thing in asked:
        if network.canonical(thing) in graph:
            return network.canonical(thing)
    names = Names(network)
    meant = dict.fromkeys(found.name for thing in asked for found in names.near(thing))
    hint = f"did you mean {' or '.join(meant)}?" if meant else "`coordinator network stats` lists all names"
    raise Refused(f"nobody here speaks of {asked_for(name)}; {hint}")


@dataclass(frozen=True, slots=True)
class ThingAmount:
    """So much of one thing."""

    sort: str
    name: str
    quantity: Quantity


# -- how it stands ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ThingStats:
    """What stands of one thing in one dimension."""

    sort: str
    name: str
    offers: int
    offered_by: int  # agents
    free: Quantity
    needs: int
    needed_by: int
    open: Quantity


@dataclass(frozen=True, slots=True)
class Stats:
    """How the network stands."""

    agents: int
    agents_with_place: int
    agents_without_place: int
    offers: int
    capacities: int
    needs: int
    recipes: int
    routes: int
    closed: int  # offers, hours and needs that stand and whose window has closed: counted nowhere else
    things: tuple[ThingStats, ...]
    lonely_names: tuple[LonelyName, ...]


def stats(network: Network, book: Book | None = None, log_us: int | None = None) -> Stats:
    """Return counts of all that stands, what is free and open of each thing, and the names that only one agent uses.

    With a book, what is proposed already is neither free nor open; with a log time, what has closed by then is only counted.
    An agent has a place when it stated one or when all its standing offers and needs did.
    """
    kinds: Counter[str] = Counter()
    found: dict[Stock, dict[str, Any]] = {}
    placeless = {name for name, facts in network.agents.items() if facts.place is None}
    spoke: set[str] = set()
    lost: set[str] = set()
    for stance in network.living():
        spoke.add(stance.agent)
        if stance.place is None:
            lost.add(stance.agent)
        if log_us is not None and stance.is_over(log_us):
            kinds["closed"] += 1
            continue
        kinds[stance.kind] += 1
        side = "offers" if stance.is_supply else "needs"
        row = found.setdefault((network.canonical(stance.thing), stance.dimension), {"offers": [], "needs": []})
        row[side].append((stance.agent, _open_grains(stance, book, log_us)))
    without = placeless - (spoke - lost)
    things = tuple(_thing_stats(network, stock, row["offers"], row["needs"]) for stock, row in sorted(found.items()))
    return Stats(
        agents=len(network.agents),
        agents_with_place=len(network.agents) - len(without),
        agents_without_place=len(without),
        offers=kinds["offer"],
        capacities=kinds["capacity"],
        needs=kinds["need"],
        recipes=len(network.recipes),
        routes=sum(len(routes) for routes in network.routes.values()),
        closed=kinds["closed"],
        things=things,
        lonely_names=Names(network).lonely(),
    )


def _open_grains(stance: Stance, book: Book | None, log_us: int | None) -> int:
    return stance.free_grains if book is None else book.open_grains(stance, log_us)


def _thing_stats(network: Network, stock: Stock, offers: list[tuple[str, int]], needs: list[tuple[str, int]]) -> ThingStats:
    return ThingStats(
        sort=stock[0][0],
        name=stock[0][1],
        offers=len(offers),
        offered_by=len({agent for agent, _ in offers}),
        free=amount_of(network, stock, sum(grains for _, grains in offers)),
        needs=len(needs),
        needed_by=len({agent for agent, _ in needs}),
        open=amount_of(network, stock, sum(grains for _, grains in needs)),
    )


# -- what feeds a thing -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """One thing that feeds another, so many recipes away from it."""

    level: int  # 0: the thing itself
    sort: str
    name: str
    into: tuple[str, ...]  # recipes (refs) of the level before that take it
    agents: tuple[str, ...]  # who offers it
    free: tuple[Quantity, ...]  # of each dimension that it is offered in, of those that can feed what was asked for
    does_for: tuple[str, ...] = ()  # broader processes told here, whose steps hours of this one can do


def upstream(network: Network, name: str, book: Book | None = None, log_us: int | None = None) -> tuple[Source, ...]:
    """Return everything that feeds a resource or process, through recipes, by level; each thing once, at its nearest level.

    A recipe is fed by what is counted as it takes it: an offer in kilograms feeds none that takes pieces. Its steps are done by hours of
    a finer process too; a need of hours is not. With a book, what is proposed already is not free; with a log time, what has closed by
    then is not offered.
    Raises `Refused` where nobody speaks of it.
    """
    graph = build_graph(network, book, log_us)
    start = thing_named(network, graph, name)
    edges = (*graph.in_edges(start, data="dimension"), *graph.out_edges(start, data="dimension"))
    finer = _finer(network, graph)
    now: set[Stock] = {(start, dimension) for _, _, dimension in edges}
    now |= {other for stock in now for other in finer.get(stock, ())}
    seen = set(now)
    levels: dict[Thing, int] = {start: 0} | dict.fromkeys((thing for thing, _ in now), 0)
    into: dict[Thing, set[str]] = {thing: set() for thing in levels}
    level = 0
    while now:
        level += 1
        before: dict[Stock, set[str]] = {}
        for stock in now:
            for recipe in _makers(graph, stock):
                for taken, _, dimension in graph.in_edges(recipe, data="dimension"):
                    for each in ((taken, dimension), *finer.get((taken, dimension), ())):
                        before.setdefault(each, set()).add(recipe[1])
        now = before.keys() - seen
        seen |= now
        for stock in now:
            if levels.setdefault(stock[0], level) == level:
                into.setdefault(stock[0], set()).update(before[stock])

    def free_of(ref: str) -> int:
        return _open_grains(network.stances[ref], book, log_us)

    in_order = sorted(levels, key=lambda thing: (levels[thing], thing))
    does_for: dict[Thing, set[str]] = {}
    for (thing, _), others in ((stock, others) for stock, others in finer.items() if stock in seen):
        for other, _ in others:
            does_for.setdefault(other, set()).add(thing[1])
    return tuple(
        _source(network, graph, levels[thing], thing, into[thing], seen, free_of, tuple(sorted(does_for.get(thing, ()))))
        for thing in in_order
    )


def _finer(network: Network, graph: Any) -> dict[Stock, set[Stock]]:
    """Return for each process the finer ones that somebody has hours of, which do its steps in recipes."""
    found: dict[Stock, set[Stock]] = {}
    for stock in suppliers(graph, promised_too=True):
        for other in with_broader(network, [stock]) - {stock}:
            found.setdefault(other, set()).add(stock)
    return found


def _makers(graph: Any, stock: Stock) -> list[Node]:
    return [start for start, _, dimension in graph.in_edges(stock[0], data="dimension") if start[0] == RECIPE and dimension == stock[1]]


def _source(
    network: Network,
    graph: Any,
    level: int,
    thing: Thing,
    into: set[str],
    fed: Set[Stock],
    free_of: Callable[[str], int],
    does_for: tuple[str, ...],
) -> Source:
    agents: set[str] = set()
    free: Counter[str] = Counter()
    for agent, _, ref, said in graph.in_edges(thing, keys=True, data=True):
        if said["kind"] in ("offer", "capacity") and (thing, said["dimension"]) in fed:
            agents.add(agent[1])
            free[said["dimension"]] += free_of(ref)
    amounts = tuple(amount_of(network, (thing, dimension), grains) for dimension, grains in sorted(free.items()))
    return Source(level, *thing, tuple(sorted(into)), tuple(sorted(agents)), amounts, does_for)


# -- what hangs on an agent -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dependent:
    """One thing or agent that an agent's offers and hours lead to, so many steps away."""

    level: int  # 1: what it offers itself; each recipe and each need is one more
    sort: str  # resource, process, recipe or agent
    name: str
    sole: bool  # without the agent this thing cannot be had, this recipe cannot run, or this agent has a need that nothing else supplies
    proposed: tuple[ThingAmount, ...] = ()  # of an agent: what is on its way from the agent asked about
    committed: tuple[ThingAmount, ...] = ()
    after: tuple[tuple[str, str], ...] = ()  # sort and name of what leads to it directly: the agent asked about, and others told here


def downstream(network: Network, agent: str, book: Book | None = None, log_us: int | None = None) -> tuple[Dependent, ...]:
    """Return what and who could be served from this agent's offers and hours, through recipes, by level, and what it alone carries.

    What it offers leads to those who need or take it counted likewise: pieces to no need in kilograms. Hours of a finer process lead to
    recipes that take a broader one. Places and windows are left
    aside here (`weak_points` judges by them), but for windows that have closed by a log time. Raises `Refused` where the agent is unknown.
    """
    graph = build_graph(network, book, log_us)
    start = (AGENT, agent)
    if start not in graph:
        hint = near(agent, (name for kind, name in graph if kind == AGENT))
        raise Refused(f"nobody here is called {asked_for(agent)}; " + (f"did you mean {hint}?" if hint else "say an agent's name"))
    used, _ = recipes_in_use(network)
    recipes = [recipe for recipe in makings(graph) if recipe.ref in used]
    with_it, without_it = _had(network, graph, recipes), _had(network, graph, recipes, without=agent)
    steps = _steps_below(network, graph, start)
    gone = {stock[0] for stock in with_it.stocks - without_it.stocks if stock in steps}
    levels: dict[Node, int] = {}
    for (node, _), level in steps.items():
        levels.setdefault(node, level)  # The nearest comes first.
    receivers = [end for _, end, kind in graph.out_edges(start, data="kind") if kind == "flow"]
    for end in receivers:
        levels.setdefault(end, 2)
    leading: dict[Node, set[Node]] = {node: set() for node in levels}
    for step in ((start, ANY), *steps):
        for end, _ in _next_steps(network, graph, step, start) & steps.keys():
            leading[end].add(step[0])
    for end in receivers:
        leading[end].add(start)
    found: list[Dependent] = []
    for node, level in sorted(levels.items(), key=lambda item: (item[1], item[0])):
        sole = node in gone or _cut_off(graph, node, with_it, without_it)
        found.append(Dependent(level, *node, sole, *_flow_amounts(network, graph, start, node), after=tuple(sorted(leading[node]))))
    return tuple(found)


ANY = ""  # of an agent or a recipe, which has no dimension of its own
Step = tuple[Node, str]  # what is come to, and in which dimension


def _steps_below(network: Network, graph: Any, start: Node) -> dict[Step, int]:
    """Return all that the agent's supply leads to, with its least number of steps, the nearest first."""
    levels: dict[Step, int] = {}
    now: set[Step] = {(start, ANY)}
    level = 0
    while now:
        level += 1
        now = {end for step in now for end in _next_steps(network, graph, step, start)} - levels.keys() - {(start, ANY)}
        levels.update(dict.fromkeys(now, level))
    return levels


def _next_steps(network: Network, graph: Any, step: Step, start: Node) -> set[Step]:
    """Return where a step leads to. Other agents, flows and routes lead nowhere; what is counted otherwise is another thing."""
    node, dimension = step
    if node[0] == AGENT and node != start:
        return set()
    ends = [(end, said) for _, end, said in graph.out_edges(node, data=True) if said["kind"] not in ("flow", "route")]
    if node[0] in (AGENT, RECIPE):
        return {(end, said["dimension"]) for end, said in ends}
    broader = [other for other, _ in with_broader(network, [(node, dimension)]) if other != node and other in graph]
    steps = [(end, said) for other in broader for _, end, said in graph.out_edges(other, data=True) if end[0] == RECIPE]
    return {(end, ANY) for end, said in (*ends, *steps) if said["dimension"] == dimension}


@dataclass(frozen=True, slots=True)
class _Had:
    """What can be had somehow, and which recipes (refs) could run."""

    stocks: frozenset[Stock]
    recipes: frozenset[str]


def _had(network: Network, graph: Any, recipes: list[Making], without: str | None = None) -> _Had:
    stocked = {stock for stock, by in suppliers(graph, promised_too=True).items() if by.keys() - {without}}
    able = runnable(with_broader(network, stocked), recipes)
    return _Had(frozenset(stocked | made_by(able, recipes)), frozenset(able))


def _cut_off(graph: Any, node: Node, before: _Had, after: _Had) -> bool:
    """Whether a recipe could run or one of an agent's needs could be had before, and cannot after."""
    if node[0] == RECIPE:
        return node[1] in before.recipes - after.recipes
    if node[0] != AGENT:
        return False
    needs: dict[str, list[Stock]] = {}
    for thing, _, ref, said in graph.in_edges(node, keys=True, data=True):
        if said["kind"] == "need":
            needs.setdefault(ref, []).append((thing, said["dimension"]))
    return any(not before.stocks.isdisjoint(accepted) and after.stocks.isdisjoint(accepted) for accepted in needs.values())


def _flow_amounts(network: Network, graph: Any, start: Node, end: Node) -> tuple[tuple[ThingAmount, ...], tuple[ThingAmount, ...]]:
    flows = [said for said in (graph.get_edge_data(start, end) or {}).values() if said["kind"] == "flow"]

    def amounts(grains: str) -> tuple[ThingAmount, ...]:
        stocks = [((said["thing"], said["dimension"]), said[grains]) for said in flows if said[grains]]
        return tuple(ThingAmount(stock[0][0], stock[0][1], amount_of(network, stock, count)) for stock, count in stocks)

    return amounts("proposed_grains"), amounts("committed_grains")


# -- what nothing can reach -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A need that no offer as it stands, and no recipe, can serve: not even if everybody agreed."""

    need: str
    agent: str
    sort: str
    name: str
    unpromised: Quantity  # what it wants, proposed or not
    tier: int
    offers: int  # that stand of what it accepts, in its dimension
    hidden: Mapping[Hidden, int]  # how many of them each rule keeps from it
    reasons: tuple[str, ...]
    near: tuple[NearName, ...]


def unreachable(network: Network, book: Book, log_us: int) -> tuple[Unreachable, ...]:
    """Return every open need that no standing offer or runnable recipe can serve, with the reason, in order of ref.

    What others use up is no reason here (`why` tells that): offers count with all they state.
    """
    there_is = sources(network, build_graph(network, book, log_us), log_us)
    names = Names(network)
    told: dict[frozenset[Stock], tuple[str, ...]] = {}
    found: list[Unreachable] = []
    for _, dimension, stances in markets(network):
        offers = [stance for stance in stances if stance.is_supply]
        needs = [one for one in stances if not one.is_supply and not one.is_over(log_us) and unpromised_grains(one, book)]
        reached = reach(network, book, offers, needs, log_us, lambda stance: stance.stated_grains)
        for position, need in enumerate(needs):
            accepted = frozenset((thing, dimension) for thing in accepted_things(network, need))
            if reached.reached[position] or not there_is.made.isdisjoint(accepted):
                continue
            hidden = reached.why_not(position)
            there = len(offers) - hidden.pop(Hidden.OTHER_THING, 0)
            if there:
                reasons = tuple(f"{count} {'offer' if count == 1 else 'offers'}: {why}" for why, count in hidden.items())
            elif accepted in told:
                reasons = told[accepted]
            else:
                reasons = told[accepted] = (nobody_offers(accepted, there_is), *why_not_made(accepted, there_is))
            near_ones = () if there else names.near(need.thing)
            unpromised = network.quantity(need, unpromised_grains(need, book))
            thing = network.canonical(need.thing)
            found.append(Unreachable(need.ref, need.agent, *thing, unpromised, need.tier, there, dict(hidden), reasons, near_ones))
    return tuple(sorted(found, key=lambda row: row.need))


def accepted_things(network: Network, need: Stance) -> list[Thing]:
    """Return what a need takes: its own thing, then its substitutes."""
    return list(dict.fromkeys(network.canonical((need.thing[0], name)) for name in (need.name, *need.substitutes)))


@dataclass(frozen=True, slots=True)
class Sources:
    """What is there at all, promised or not, wherever it is; and which recipes could run on that, too much though one may take."""

    stocked: Set[Stock]
    made: Set[Stock]  # by the recipes that could run
    recipes: Sequence[Making]  # all but drafts
    used: Mapping[str, Recipe]  # those that are planned with, by ref
    unused: Mapping[str, str]  # of the others, why
    able: Set[str]  # refs
    unable: Mapping[str, Sequence[str]]  # those that no machine has the limits for, with the steps


def sources(network: Network, graph: Any, log_us: int) -> Sources:
    """Return what can be had at all, so that all questions that ask for that have one answer."""
    used, unused = recipes_in_use(network)
    unable = Supplies(network, log_us, used, lambda one: one.stated_grains).unable()
    recipes = makings(graph)
    usable = [recipe for recipe in recipes if recipe.ref in used and recipe.ref not in unable]
    stocked = with_broader(network, suppliers(graph, promised_too=True))
    able = runnable(stocked, usable)
    return Sources(stocked, made_by(able, usable), recipes, used, unused, able, unable)


def nobody_offers(accepted: frozenset[Stock], there_is: Sources) -> str:
    """Return that nobody offers any of these stocks: the name is there in another dimension alone, or not at all."""
    things = {thing for thing, _ in accepted}
    other = sorted({dimension for thing, dimension in (there_is.stocked | there_is.made) - accepted if thing in things})
    wanted = " or ".join(sorted({dimension for _, dimension in accepted}))
    return f"only offered in {' and '.join(other)}, needed in {wanted}" if other else "nobody offers it"


def why_not_made(accepted: frozenset[Stock], there_is: Sources) -> tuple[str, ...]:
    """Return why none of the recipes makes any of these stocks that lack something altogether, or are not used."""
    had = there_is.stocked | there_is.made
    reasons: list[str] = []
    for recipe in there_is.recipes:
        if accepted.isdisjoint(recipe.gives):
            continue
        if recipe.ref in there_is.unused:
            reasons.append(there_is.unused[recipe.ref])
        elif recipe.ref not in there_is.able:
            missing = sorted({*(stock[0][1] for stock in recipe.takes if stock not in had), *there_is.unable.get(recipe.ref, ())})
            reasons.append(f"{recipe.name} makes it, but nobody has {', '.join(missing)}")
    return tuple(reasons)
