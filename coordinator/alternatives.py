"""What else was possible where a pair is proposed, what it would cost, and what the plan would be without the pair.

Costs are those of one unit, with all that it brings to move: the cheapest exchange around it in the market's optimum. What the plan
would be without a pair is found by solving its market once more with that pair left out. Nothing is planned, judged or written.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from coordinator.commitments import Deal, State
from coordinator.cycle import Coordination
from coordinator.errors import Refused
from coordinator.network import Network, Stance
from coordinator.problems import Question, effort_of, mass_per_grain
from coordinator.reach import first_obstacles
from coordinator.readings import Layout, Pressure, Reading, readings
from coordinator.rerouting import Rerouting
from coordinator.signals import Line
from coordinator.times import SECOND_US
from coordinator.units import Quantity
from coordinator.wording import asked_for
from solver import Arcs, DenseCandidates, solve_on_demand

__all__ = ["Alternative", "Alternatives", "LineAlternatives", "Rest", "Source", "Without", "alternatives", "without"]

Ints = NDArray[np.int64]

MOST_PAIRS = 1_000_000  # of a market that is solved while people wait, where its optimum is not kept
SHOWN = 6  # of each list; how many there are in all is told


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another way for the same goods, or another source of them, and what a unit of that would cost more than the plan."""

    agent: str
    ref: str  # the offer or need
    distance_m: int
    effort_m: int | None  # a unit costs as much as so much more way; None where urgency is lost, which counts first
    later: int  # steps of urgency that are lost: levels, or whole tiers
    served: Pressure | None  # of an offer: what its next unit serves now; of a need: what its next unit is worth
    short: Quantity | None = None  # of a need: what it stays short of


@dataclass(frozen=True, slots=True)
class LineAlternatives:
    """One line of a proposal and what was rejected for it."""

    offer: str
    need: str
    way: str  # where the distance is from: "route", "table" or "place"
    starts_us: int  # the earliest it can be there: now and what the offer and its way take, or its window
    way_seconds: int  # of that its way; 0: the charter does not say that a way takes any time
    slack_seconds: int | None  # from then until it is due; below 0: late; None: no due
    due_us: int | None
    end_us: int | None  # after that it is useless
    sources: int  # other offers that could serve the need
    instead_from: tuple[Alternative, ...]  # the cheapest first
    takers: int  # other needs that the offer could serve and that stay short
    wanted_by: tuple[Alternative, ...]  # the cheapest first


@dataclass(frozen=True, slots=True)
class Alternatives:
    """All lines of a proposal; where its market could not be read, why not."""

    proposal: str
    lines: tuple[LineAlternatives, ...]
    levels: int  # steps of urgency that make a tier
    unsaid: str | None  # "answered", "making" or "too large"


def alternatives(coordination: Coordination, proposal: str) -> Alternatives:
    """Return what else was possible for each line of a proposal that nobody has answered. Refused where there is none of this id."""
    deal = _deal(coordination, proposal)
    why = _why_not(coordination, deal)
    found = tuple(_line(coordination, line) for line in deal.lines if line.into is None)
    levels = 1 if coordination.charter.fairness == "off" else coordination.charter.fairness_levels
    return Alternatives(deal.proposal, found if why is None else tuple(map(_bare, found)), levels, why)


def _deal(coordination: Coordination, proposal: str) -> Deal:
    deal = coordination.book.deals.get(proposal)
    if deal is None:
        raise Refused(f"there is no proposal {asked_for(proposal)} that stands; look at the list of proposals for its id")
    return deal


def _why_not(coordination: Coordination, deal: Deal) -> str | None:
    """Return why a proposal's market tells nothing of it any more, or None."""
    if deal.state is not State.PROPOSED:
        return "answered"
    if any(line.into for line in deal.lines):
        return "making"  # a tree of several parties is chosen whole, not line by line
    return None if all(_size(coordination, line) <= MOST_PAIRS for line in deal.lines) else "too large"


def _size(coordination: Coordination, line: Line) -> int:
    """Return how many pairs would have to be solved to read a line's market: none where its optimum is kept at hand, as of no moment."""
    network = coordination.network
    thing = network.canonical(line.thing)
    if any(thing in key for key in coordination.planner.kept()):
        return 0
    standing = [one.is_supply for said in network.live_things() if network.canonical(said) == thing for one in network.live(said)]
    return sum(standing) * (len(standing) - sum(standing))


def _bare(line: LineAlternatives) -> LineAlternatives:
    return replace(line, sources=0, instead_from=(), takers=0, wanted_by=())


def _line(coordination: Coordination, line: Line) -> LineAlternatives:
    network, log_us = coordination.network, coordination.log_us
    offer, need = network.stances.get(line.offer), network.stances.get(line.need)
    if offer is None or need is None:
        return LineAlternatives(line.offer, line.need, "place", log_us, 0, None, line.due_us, None, 0, (), 0, ())
    leaves_us = max(log_us + offer.lead_us, offer.begin_us or 0)
    way_us = 0 if need.is_hours else network.charter.way_us(line.distance_m)  # Work is done where it is.
    starts_us = max(leaves_us + way_us, need.begin_us or 0)
    slack_seconds = None if need.due_us is None else (need.due_us - starts_us) // SECOND_US
    sources, takers = 0, 0
    instead_from: tuple[Alternative, ...] = ()
    wanted_by: tuple[Alternative, ...] = ()
    if _size(coordination, line) <= MOST_PAIRS:
        reading = _reading(coordination, offer, need)
        if reading is not None:
            exchange = Rerouting(reading, all_arcs=len(reading.offers) * len(reading.needs) <= MOST_PAIRS)
            sources, instead_from = _sources(reading, exchange, offer, need)
            takers, wanted_by = _takers(reading, exchange, offer, need)
    way = _way(network, offer, need)
    return LineAlternatives(
        offer.ref,
        need.ref,
        way,
        starts_us,
        way_us // SECOND_US,
        slack_seconds,
        need.due_us,
        need.end_us,
        sources,
        instead_from,
        takers,
        wanted_by,
    )


def _reading(coordination: Coordination, offer: Stance, need: Stance) -> Reading | None:
    """Return the market in which both are, None where one of them has nothing left to plan."""
    found = readings(coordination.planner, coordination.log_us, coordination.network.canonical(offer.thing))
    for reading in found:
        market = reading.question.market
        if any(one is offer for one in market.offers) and any(one is need for one in market.needs):
            return reading
    return None


def _way(network: Network, offer: Stance, need: Stance) -> str:
    stated, back = network.routes.get(offer.agent, {}).get(need.agent), network.routes.get(need.agent, {}).get(offer.agent)
    if stated is not None or (back is not None and back.two_way):
        return "route"
    in_table = network.table is not None and network.table.metres(offer.agent, need.agent) is not None
    return "table" if in_table else "place"


def _sources(reading: Reading, exchange: Rerouting, offer: Stance, need: Stance) -> tuple[int, tuple[Alternative, ...]]:
    """Return how many other offers could serve the need, and those that would cost least."""
    question, network = reading.question, reading.question.network
    offers, log_us = question.market.offers, question.market.log_us
    here = int(reading.positions([need], reading.needs)[0])
    obstacles = first_obstacles(network, question.book, offers, need, log_us, lambda one: one.stated_grains)
    others = [(at, one) for at, one in enumerate(offers) if obstacles[at] is None and one.agent != offer.agent]
    if here < 0 or not others:
        return len(others), ()
    taken = set(reading.problem.offer[(reading.problem.need == here) & (reading.allocation.flow > 0)].tolist())
    costs = exchange.from_offers(here).tolist()
    found: list[Alternative] = []
    for (at, other), there in zip(others, reading.positions([one for _, one in others], reading.offers).tolist(), strict=True):
        metres, weight = network.distance_m(other, need), int(question.weight[at])
        if there >= 0 and there not in taken and metres is not None:  # Who gives to this need already is another part of the plan.
            served = reading.pressure(int(reading.allocation.offer_pressure[there]))
            found.append(_alternative(exchange, other, metres, costs[there] + metres * weight, weight, served))
    return len(others), _cheapest(found)


def _takers(reading: Reading, exchange: Rerouting, offer: Stance, need: Stance) -> tuple[int, tuple[Alternative, ...]]:
    """Return how many other needs that the offer could serve stay short, and those that it would cost least to serve instead."""
    question = reading.question
    at = next(position for position, one in enumerate(question.market.offers) if one is offer)
    there = int(reading.positions([offer], reading.offers)[0])
    arcs, weight = question.arcs(at), int(question.weight[at])
    needs = [question.market.needs[each] for each in arcs.need.tolist()]
    positions = reading.positions(needs, reading.needs)
    left = (reading.problem.demand - reading.covered)[positions]
    costs = exchange.to_needs(there)[positions] + arcs.effort
    found: list[Alternative] = []
    rows = zip(needs, positions.tolist(), arcs.effort.tolist(), costs.tolist(), left.tolist(), strict=True)
    for other, position, effort, cost, units in rows:
        if position >= 0 and units > 0 and other.ref != need.ref:
            served = reading.pressure(int(reading.allocation.need_pressure[position]))
            one = _alternative(exchange, other, effort // weight, cost, weight, served)
            found.append(replace(one, short=question.network.quantity(other, units * reading.step_grains)))
    return len(found), _cheapest(found)


def _alternative(exchange: Rerouting, stance: Stance, metres: int, cost: int, weight: int, served: Pressure | None) -> Alternative:
    """Return one; `cost` is effort and urgency of a unit in one number, of which a step of urgency outweighs any effort."""
    later = max(0, (2 * cost + exchange.worth) // (2 * exchange.worth))
    effort_m = None if later else max(0, cost) // weight
    return Alternative(stance.agent, stance.ref, metres, effort_m, later, served)


def _cheapest(found: Sequence[Alternative]) -> tuple[Alternative, ...]:
    return tuple(sorted(found, key=lambda one: (one.later, one.effort_m or 0, one.distance_m, one.ref))[:SHOWN])


# -- the plan without the pair ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """Who would give to a need."""

    agent: str
    quantity: Quantity
    distance_m: int


@dataclass(frozen=True, slots=True)
class Rest:
    """What one need of the proposal would get without it."""

    need: str
    now: Quantity  # in the plan as it stands, from everybody
    then: Quantity
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Without:
    """The plan of a market if a proposal's pair were left out of it, next to the plan as it stands."""

    proposal: str
    needs: tuple[Rest, ...]
    others_rise: int
    others_fall: int
    effort_now: float  # of the whole market, in the charter's measure
    effort_then: float
    unsaid: str | None


def without(coordination: Coordination, proposal: str) -> Without:
    """Return what the plan would be if this pair exchanged nothing. Refused where there is no such proposal."""
    deal = _deal(coordination, proposal)
    why = _why_not(coordination, deal)
    things = sorted({coordination.network.canonical(line.thing) for line in deal.lines}) if why is None else []
    layout = Layout.like(coordination.planner)
    pairs = {(line.offer, line.need) for line in deal.lines}
    told = [_left_out(question, pairs) for thing in things for _, question in layout.questions(coordination.log_us, thing)]
    found = [one for one in told if one is not None]
    return Without(
        proposal=deal.proposal,
        needs=tuple(rest for one in found for rest in one.needs),
        others_rise=sum(one.others_rise for one in found),
        others_fall=sum(one.others_fall for one in found),
        effort_now=round(sum(one.effort_now for one in found), 3),
        effort_then=round(sum(one.effort_then for one in found), 3),
        unsaid=why,
    )


Flow = list[tuple[int, int, int, int]]  # offer, need, units, metres


def _left_out(question: Question, pairs: Set[tuple[str, str]]) -> Without | None:
    """Return what the needs of these pairs get without them, how many others get more and less, and the effort now and then."""
    offers, needs = question.market.offers, question.market.needs
    arcs = Arcs.joined([question.arcs(at) for at in range(len(offers))])
    ends = zip(arcs.offer.tolist(), arcs.need.tolist(), strict=True)
    ours = np.array([(offers[offer].ref, needs[need].ref) in pairs for offer, need in ends], dtype=bool)
    if not ours.any():
        return None
    flows = _flow(question, arcs), _flow(question, arcs.picked(np.flatnonzero(~ours)))
    now, then = (_per_need(flow, len(needs)) for flow in flows)
    mine = {need for _, need in pairs}
    here = np.array([need.ref in mine for need in needs])
    change = (then - now)[~here]
    rests = tuple(_rest(question, at, int(now[at]), int(then[at]), flows[1]) for at in np.flatnonzero(here).tolist())
    efforts = _effort(question, flows[0]), _effort(question, flows[1])
    return Without("", rests, int((change > 0).sum()), int((change < 0).sum()), *efforts, unsaid=None)


def _flow(question: Question, arcs: Arcs) -> Flow:
    problem, allocation = solve_on_demand(question.nodes(), DenseCandidates(arcs))
    moved = np.flatnonzero(allocation.flow)
    offer = problem.offer[moved]
    columns = (offer, problem.need[moved], allocation.flow[moved], problem.effort[moved] // question.weight[offer])
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _per_need(flow: Flow, needs: int) -> Ints:
    covered = np.zeros(needs, dtype=np.int64)
    for _, need, units, _ in flow:
        covered[need] += units
    return covered


def _rest(question: Question, at: int, now: int, then: int, flow: Flow) -> Rest:
    need = question.market.needs[at]

    def quantity(units: int) -> Quantity:
        return question.network.quantity(need, units * question.step)

    sources = tuple(Source(question.market.offers[offer].agent, quantity(units), metres) for offer, end, units, metres in flow if end == at)
    return Rest(need.ref, quantity(now), quantity(then), sources)


def _effort(question: Question, flow: Flow) -> float:
    """Return the effort of a plan in the charter's measure: kilogram-kilometres, or kilometres of each unit."""
    network, total = question.network, 0.0
    for at, _, units, metres in flow:
        offer, grains = question.market.offers[at], units * question.step
        mass = mass_per_grain(network, offer).as_integer_ratio()
        total += effort_of(network.charter.effort, network.quantity(offer, grains).unit, mass, grains, metres)
    return total
