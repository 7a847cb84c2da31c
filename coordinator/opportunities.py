"""Where one more unit or hour would help most: read off the pressures of the plan's optimum, without solving anything again.

One unit more at a place would go where the pressure, less the effort of the way there, is greatest. That is exactly what all needs
together would gain by it, because pressures are the least duals: what the next unit would add or displace.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coordinator.cycle import Coordination
from coordinator.errors import Refused
from coordinator.graph import build_graph
from coordinator.making import Making, makings
from coordinator.matching import Market
from coordinator.network import PROCESS, Network, Stance, Thing, amount_of
from coordinator.places import Coordinates, place_named
from coordinator.problems import mass_per_grain
from coordinator.questions import accepted_things, thing_named
from coordinator.readings import Pressure, Reading, asked_by_trees, readings
from coordinator.units import Quantity
from coordinator.wording import amount, asked_for, counted, near
from solver.fairness import urgency_of

__all__ = ["NOBODY", "Opportunity", "Relief", "Spot", "opportunities", "pressures", "relief", "supply_at"]

Ints = NDArray[np.int64]

NOBODY = "…"  # no agent is called so


@dataclass(frozen=True, slots=True)
class Spot:
    """An offer or need of a thing, and how short the thing is there."""

    ref: str
    agent: str
    side: str  # "need" or "offer"
    name: str
    place: Coordinates | None
    stated: Quantity  # not promised, nor in a proposal to make it; what is proposed from offer to need counts, for it is planned anew
    left: Quantity  # of that in no plan: what a need stays short of, what an offer has over
    unit: Quantity  # what one more is: what all quantities of the market have in common, or a pack
    pressure: Pressure | None  # of one unit more here; None: it would serve nobody
    sentence: str


@dataclass(frozen=True, slots=True)
class Opportunity:
    """What one unit more of a thing, from one agent's place, would relieve."""

    sort: str
    name: str
    how: str  # "offers it", "could make it" (a hint: its inputs and hours are not counted here), "does not offer it"; of a place "there"
    through: str | None  # the offer, or the recipe
    unit: Quantity  # what one unit is: what all quantities of the market have in common, or a pack
    pressure: Pressure
    need: str  # where the unit would go
    distance_m: int
    relieves: str  # whose coverage rises by it: the same need, or one that gets what this need had until then
    short: Quantity  # what all needs within reach stay short of
    sentence: str


@dataclass(frozen=True, slots=True)
class Relief:
    """What one unit more from somewhere would relieve, or why it would relieve nobody."""

    items: tuple[Opportunity, ...]
    nothing: str | None  # why there are none, in a sentence; None where there are


# -- where a thing is short -------------------------------------------------------------------------------------------


def pressures(coordination: Coordination, name: str) -> tuple[Spot, ...]:
    """Return every offer and need of a resource or process, the shortest place first. Refused where nobody speaks of it.

    What trees of making ask for in open proposals is no longer open. Inputs and hours of recipes are no needs of their own.
    """
    network = coordination.network
    thing = thing_named(network, build_graph(network), name)
    markets = readings(coordination.planner, coordination.log_us, thing, asked_by_trees(coordination.book))
    return tuple(sorted((spot for reading in markets for spot in _spots(reading, thing)), key=_most_urgent_first))


def _most_urgent_first(spot: Spot) -> tuple[bool, Pressure, str]:
    return spot.pressure is None, spot.pressure or Pressure(0, 0, 0), spot.ref


def _spots(reading: Reading, thing: Thing) -> Iterator[Spot]:
    market, allocation = reading.question.market, reading.allocation
    sides = (
        ("need", market.needs, reading.needs, reading.problem.demand - reading.covered, allocation.need_pressure),
        ("offer", market.offers, reading.offers, reading.problem.supply - reading.given, allocation.offer_pressure),
    )
    has_minimums = any(one.minimum_grains for one in (*market.offers, *market.needs))
    for side, stances, among, left, worths in sides:
        amounts = reading.question.demand if side == "need" else reading.question.supply
        for stance, units, position in zip(stances, amounts.tolist(), reading.positions(stances, among).tolist(), strict=True):
            if position >= 0 and thing in accepted_things(market.network, stance):
                pressure = reading.pressure(int(worths[position]))
                unit = _unit(reading, stance)
                yield Spot(
                    ref=stance.ref,
                    agent=stance.agent,
                    side=side,
                    name=market.network.canonical(stance.thing)[1],
                    place=market.network.place_of(stance),
                    stated=market.network.quantity(stance, units * reading.question.step),
                    left=market.network.quantity(stance, int(left[position]) * reading.step_grains),
                    unit=unit,
                    pressure=pressure,
                    sentence=_at_spot(reading, unit, pressure, has_minimums),
                )


def _unit(reading: Reading, stance: Stance) -> Quantity:
    """Return what one more of a thing is where it stands in a market: what all quantities there have in common, or a pack."""
    network = reading.question.network
    thing = network.canonical(stance.thing)
    return amount_of(network, (thing, stance.dimension), network.definition(thing).multiple_grains or reading.step_grains)


def _more(unit: Quantity) -> str:
    told = amount(unit)
    return "one more" if told == "1" else f"{told} more"


def _at_spot(reading: Reading, unit: Quantity, pressure: Pressure | None, has_minimums: bool) -> str:
    """Return a sentence on one more at a spot. Pressures are of an optimum in which some pairs are closed by minimums and others not."""
    if pressure is None:
        why = " that minimums do not keep from it" if has_minimums else ": no one it could reach is short"
        return f"{_more(unit)} here would serve nobody{why}"
    return f"{_more(unit)} here would go to {serving(reading, pressure)}{', unless minimums keep it from there' if has_minimums else ''}"


def serving(reading: Reading, pressure: Pressure) -> str:
    """Return in words whom a unit of this pressure serves, and at what effort."""
    return f"{_whom(reading, pressure)}, {_at_what_effort(reading, pressure, 'away')}"


def _whom(reading: Reading, pressure: Pressure) -> str:
    had = {
        "off": "",
        "portions": f" that has {counted(pressure.level, 'portion')} already" if pressure.level else " that has no whole portion yet",
        "ratio": f" covered to {pressure.level} of {reading.problem.levels} parts",
    }[reading.question.charter.fairness]
    return f"a need of tier {pressure.tier}{had}"


def _at_what_effort(reading: Reading, pressure: Pressure, what: str) -> str:
    if (reading.question.weight == 1).all():
        km = pressure.effort / 1000
        return f"{km:,.1f} km {what}" if km >= 0 else f"and everything together would travel {-km:,.1f} km less"
    return f"at an effort of {pressure.effort:,} (metres, times the relative weight of what moves)"


# -- what an agent could relieve --------------------------------------------------------------------------------------


def opportunities(coordination: Coordination, asked: str) -> tuple[Opportunity, ...]:
    """Return what one unit more of each thing from an agent's place, or from a place, would relieve, the most urgent first.

    A place is `latitude,longitude` in degrees. An agent is where it says, else where it said what stands of it: of several such places
    the one where a unit more would gain most is told. Hours that recipes would take are left out, and so are minimums.
    Raises `Refused` where the place is on no map and the agent is unknown.
    """
    network = coordination.network
    place = place_named(asked)
    if place is None and asked not in network.agents:
        hint = near(asked, network.agents)
        expected = f"did you mean {hint}?" if hint else "an agent who said something, or a place as latitude,longitude, was expected"
        raise Refused(f"nobody here is called {asked_for(asked)}; {expected}")
    agent = asked if place is None else NOBODY
    mine = [one for one in network.living() if one.is_supply and one.agent == agent and not one.is_over(coordination.log_us)]
    offered = {network.canonical(one.thing) for one in mine}
    makes = _makeable(network, agent, mine)
    places = _places_of(network, agent) if place is None else [place]
    best: dict[tuple[Thing, str, str | None], Opportunity] = {}
    for reading in readings(coordination.planner, coordination.log_us, taken=asked_by_trees(coordination.book)):
        for stance, position in _would_be(reading, agent, places):
            thing = network.canonical(stance.thing)
            how = "offers it" if thing in offered else "could make it" if thing in makes else "does not offer it"
            through = stance.ref if position is not None else makes.get(thing) if how == "could make it" else None
            start = f"from {stance.place[0]},{stance.place[1]}, " if position is None and stance.place and len(places) > 1 else ""
            found = _opportunity(reading, stance, position, how if place is None else "there", through, start)
            key = (thing, stance.dimension, through)
            if found is not None and (key not in best or found.pressure < best[key].pressure):
                best[key] = found
    return tuple(sorted(best.values(), key=lambda one: (one.pressure, one.sort, one.name, one.through or "")))


def relief(coordination: Coordination, asked: str) -> Relief:
    """Return the same, or where there is nothing why: no place is known of the agent, or nobody that it could reach is short."""
    network, found = coordination.network, opportunities(coordination, asked)
    return Relief(found, None if found else _why_nothing(network, asked))


def _why_nothing(network: Network, asked: str) -> str:
    if place_named(asked) is None and _places_of(network, asked) == [None] and not _has_ways(network, asked):
        return f"no place and no route is known of {asked_for(asked)}, so nobody knows what it could reach; ask for latitude,longitude"
    return "one more of anything from here would relieve nobody: nobody it could reach is short, unless minimums keep it from there"


def _has_ways(network: Network, agent: str) -> bool:
    """Whether any distance from or to an agent is known without its place."""
    stated = agent in network.routes or any(agent in ends for ends in network.routes.values())
    return stated or agent in network.table_positions()


def _places_of(network: Network, agent: str) -> list[Coordinates | None]:
    """Return where an agent says that it is, else where it said what stands of it; [None] where it says no place at all."""
    facts = network.agents[agent]
    if facts.place is not None:
        return [facts.place]
    signals = (network.stances[ref] for ref in facts.refs)
    return [*sorted({one.place for one in signals if one.stands and one.place is not None})] or [None]


def _makeable(network: Network, agent: str, mine: Sequence[Stance]) -> dict[Thing, str]:
    """Return what an agent could make: by its own recipes, and by any whose every step it has hours for; thing -> recipe."""
    hours = {network.canonical(one.thing) for one in mine if one.is_hours}
    makes: dict[Thing, str] = {}
    for recipe in makings(build_graph(network)):
        steps = {thing for thing, _ in recipe.takes if thing[0] == PROCESS}
        if _is_of(recipe, agent) or (steps and steps <= hours):
            for thing, _ in recipe.gives:
                makes.setdefault(thing, recipe.ref)
    return makes


def _is_of(recipe: Making, agent: str) -> bool:
    return recipe.ref.partition("/")[0] == agent


def _would_be(reading: Reading, agent: str, places: Sequence[Coordinates | None]) -> Iterator[tuple[Stance, int | None]]:
    """Yield the agent's offers of a market with their position, and at each place one of each other thing that needs here would take."""
    network = reading.question.network
    mine = [(offer, position) for position, offer in enumerate(reading.question.market.offers) if offer.agent == agent]
    yield from mine
    there = {network.canonical(offer.thing) for offer, _ in mine}
    accepted = {thing for need in reading.question.market.needs for thing in accepted_things(network, need)}
    for thing in sorted(accepted - there):
        for place in places:
            yield supply_at(agent, thing, reading.question.market.needs[0], place), None


def supply_at(agent: str, thing: Thing, like: Stance, place: Coordinates | None) -> Stance:
    """Return an offer that nobody said: of a thing, counted as another signal of its market, open at any time and to any distance."""
    return Stance(
        ref=f"{agent}/offer/…",
        agent=agent,
        kind="capacity" if thing[0] == PROCESS else "offer",
        statement="",
        said_us=0,
        thing=thing,
        dimension=like.dimension,
        unit=like.unit,
        stated_grains=0,
        begin_us=None,
        end_us=None,
        due_us=None,
        expires_us=None,
        tier=0,
        minimum_grains=0,
        within_m=None,
        total=False,
        place=place,
        substitutes=(),
    )


def _opportunity(reading: Reading, stance: Stance, position: int | None, how: str, through: str | None, start: str) -> Opportunity | None:
    """Return what a unit more of this supply would relieve, in a sentence that begins with `start`; None where it would serve nobody."""
    network = reading.question.network
    reached, distance_m, effort = _ways(reading, stance, position)
    if not len(reached):
        return None
    way, pressure = _best_way(reading, reached, effort)
    if pressure is None:
        return None
    need, relieved = reading.needs[int(reached[way])], reading.needs[_relieved(reading, int(reached[way]))]
    short = int((reading.problem.demand - reading.covered)[reached].sum()) * reading.step_grains
    thing = network.canonical(stance.thing)
    unit = _unit(reading, stance)
    far = f"{start}{_more(unit)} would go to {need.ref}, {distance_m[way] / 1000:,.1f} km away"
    if relieved.ref == need.ref:
        told = f"{far}: {_whom(reading, pressure)}"
    else:
        whom = f"{_whom(reading, pressure)}, {_at_what_effort(reading, pressure, 'of way in all')}"
        told = f"{far}; what it gets now would go on, so that {relieved.ref} gets more: {whom}"
    part = f"; it takes no part below {network.quantity(need, need.minimum_grains).to_json()}" if need.minimum_grains else ""
    return Opportunity(
        sort=thing[0],
        name=thing[1],
        how=how,
        through=through,
        unit=unit,
        pressure=pressure,
        need=need.ref,
        distance_m=int(distance_m[way]),
        relieves=relieved.ref,
        short=amount_of(network, (thing, stance.dimension), short),
        sentence=told + part,
    )


def _best_way(reading: Reading, reached: Ints, effort: Ints) -> tuple[int, Pressure | None]:
    """Return which of these ways gains most, urgency before effort, and the pressure at its start; None where it would serve nobody.

    The two are told apart first: a way longer than any that the market knows must not look like a step of urgency.
    """
    pressure, worth = reading.allocation.need_pressure[reached], reading.allocation.worth
    urgency = (2 * pressure + worth) // (2 * worth)
    whole = worth * urgency - pressure + effort
    way = int(np.lexsort((whole, -urgency))[0])
    there = reading.pressure(int(pressure[way]))
    return way, None if there is None else Pressure(there.tier, there.level, int(whole[way]))


def _ways(reading: Reading, stance: Stance, position: int | None) -> tuple[Ints, Ints, Ints]:
    """Return which needs (positions in the reading) a unit more could go to, how far each is and at what effort."""
    question = reading.question
    need_at = reading.positions(question.market.needs, reading.needs)
    if position is None:
        alone = Market(question.network, question.book, [stance], question.market.needs, question.market.log_us)
        reached, distance_m = alone.row(0)
        known = need_at[reached] >= 0
        return need_at[reached][known], distance_m[known], _efforts(reading, stance, distance_m[known])
    arcs = question.arcs(position)
    offer = int(reading.positions([stance], reading.offers)[0])
    mine = reading.problem.offer == offer
    full = reading.problem.need[mine][reading.allocation.relaxed_flow[mine] >= reading.problem.most[mine]]
    reached = need_at[arcs.need]
    useful = (reached >= 0) & ~np.isin(reached, full)
    return reached[useful], (arcs.effort // question.weight[position])[useful], arcs.effort[useful]


def _efforts(reading: Reading, stance: Stance, distance_m: Ints) -> Ints:
    """Return the efforts of a supply that the market does not have yet, in the market's relative weights (rounded up)."""
    question = reading.question
    if question.charter.effort == "km" or not question.market.offers:
        return distance_m
    relative = mass_per_grain(question.network, stance) / mass_per_grain(question.network, question.market.offers[0])
    weight = relative * int(question.weight[0])
    return -(-distance_m * weight.numerator // weight.denominator)


def _relieved(reading: Reading, start: int) -> int:
    """Return the need whose coverage rises when one unit more arrives at a need: the end of the way that its pressure measures.

    A unit that arrives where nothing is open, or where it counts for less than elsewhere, sends on another that arrived before;
    the ways on which nothing of the pressure is lost lead to the claim whose next unit is worth just that.
    """
    problem, allocation, flow = reading.problem, reading.allocation, reading.allocation.relaxed_flow
    taken, claims = np.zeros_like(problem.demand), np.arange(len(problem.tier))
    np.add.at(taken, problem.need, flow)
    covered = np.zeros_like(problem.tier)
    np.add.at(covered, problem.claim, taken)
    is_next = allocation.claim_pressure == allocation.worth * urgency_of(problem, claims, covered)
    can_take = (taken < problem.demand) & (allocation.need_pressure == allocation.claim_pressure[problem.claim])
    bonus = problem.hysteresis * allocation.worth
    at_offer, at_need = allocation.offer_pressure[problem.offer], allocation.need_pressure[problem.need]
    forth = (flow < problem.most) & (at_need - problem.effort + bonus * (flow < problem.kept) == at_offer)
    back = (flow > 0) & (at_offer + problem.effort - bonus * (flow <= problem.kept) == at_need)
    ways, seen = [start], {start}
    for need in ways:
        claim = problem.claim[need]
        if can_take[need] and is_next[claim]:
            return need
        onward: list[int] = []
        if can_take[need]:  # It counts for the claim, and another need of it lets go of one.
            others = (problem.claim == claim) & (taken > 0) & (allocation.need_pressure == allocation.claim_pressure[claim])
            onward += np.flatnonzero(others).tolist()
        senders = problem.offer[back & (problem.need == need)]
        onward += problem.need[forth & np.isin(problem.offer, senders)].tolist()
        for each in onward:
            if each not in seen:
                seen.add(each)
                ways.append(each)
    return start
