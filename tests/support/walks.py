"""Counts and sums found by going through all that stands, as plainly as can be: the product keeps them as they change instead."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from coordinator.commitments import BOUND, OPEN, Book
from coordinator.cycle import Coordination
from coordinator.network import Network, Stance, Thing
from coordinator.units import UNITS

__all__ = ["asked_by", "covered_by", "needs_short", "overview_by", "pressures_by", "sums_by"]


def overview_by(coordination: Coordination) -> dict[str, Any]:
    """How many offers and needs stand, and how many proposals are in which state."""
    network, book = coordination.network, coordination.book
    standing = Counter(stance.is_supply for stance in network.stances.values() if stance.stands)
    states = Counter(deal.state.value for deal in book.deals.values()) + Counter(state.value for state in book.ended.values())
    return {"offers": standing[True], "needs": standing[False], "proposals": dict(sorted(states.items()))}


def sums_by(network: Network, book: Book) -> dict[Thing, tuple[str, list[Fraction]]]:
    """Of each thing the unit, and in it what is offered, needed, proposed, committed, and the quantity-kilometres of all that moves."""
    rows: dict[Thing, list[tuple[str, int, int]]] = {}  # dimension, which sum, grains
    for stance in network.stances.values():
        rows.setdefault(network.canonical(stance.thing), []).append((stance.dimension, 0 if stance.is_supply else 1, stance.stated_grains))
    for deal in book.deals.values():
        for line in deal.lines if deal.state in OPEN | BOUND else ():
            rows.setdefault(network.canonical(line.thing), []).extend(
                [
                    (line.quantity.dimension, 2 if deal.state in OPEN else 3, line.quantity.grains),
                    (line.quantity.dimension, 4, line.quantity.grains * line.distance_m),
                ]
            )
    told: dict[Thing, tuple[str, list[Fraction]]] = {}
    for thing, entries in rows.items():
        unit = network.definition(thing).unit
        said = sorted((ref, one.dimension, one.unit) for ref, one in network.stances.items() if network.canonical(one.thing) == thing)
        if said and all(dimension != UNITS[unit].dimension for _, dimension, _ in said):
            unit = said[0][2]
        sums = [
            Fraction(sum(n for dimension, at, n in entries if at == which and dimension == UNITS[unit].dimension)) for which in range(5)
        ]
        per_unit = UNITS[unit].grains
        told[thing] = unit, [each / per_unit for each in sums[:4]] + [sums[4] / per_unit / 1000]
    return told


def asked_by(book: Book, stance: Stance) -> int:
    """What open proposals ask of a signal that its agent has not answered."""
    waiting = (deal for deal in book.deals.values() if deal.state in OPEN and stance.agent not in deal.promised)
    return sum(deal.asks(stance.agent, stance.ref) for deal in waiting)


def covered_by(book: Book, need: Stance) -> int:
    """How much of what a need last asked for is promised, committed or proposed."""
    if need.total:
        return sum(deal.asks(need.agent, need.ref) for deal in book.deals.values() if deal.state in OPEN | BOUND)
    return need.taken_grains + asked_by(book, need)


@dataclass(frozen=True)
class Short:
    """One need that stands."""

    ref: str
    agent: str
    thing: Thing
    dimension: str
    tier: int  # that counts
    asked: int
    covered: int
    unpromised: int | None  # the tier stated, where not all of it is promised

    @property
    def short(self) -> int:
        return max(0, self.asked - self.covered)


def needs_short(coordination: Coordination) -> Iterator[Short]:
    """Every need that stands."""
    network, book = coordination.network, coordination.book
    for ref, one in network.stances.items():
        if one.stands and not one.is_supply:
            tier = network.charter.tier_used(one.tier, one.agent, network.agents[one.agent].classes)
            thing, covered = network.canonical(one.thing), covered_by(book, one)
            unpromised = one.tier if one.free_grains else None
            yield Short(ref, one.agent, thing, one.dimension, tier, one.stated_grains, covered, unpromised)


def pressures_by(coordination: Coordination) -> dict[str, tuple[int, int]]:
    """The most urgent pressure that open proposals tell of each thing."""
    told: dict[str, tuple[int, int]] = {}
    for deal in coordination.book.deals.values():
        for line, reason in zip(deal.lines, deal.data.reasons.get("lines", ()), strict=False) if deal.state in OPEN else ():
            if reason.get("pressure"):
                name, pressure = coordination.network.canonical(line.thing)[1], (reason["pressure"]["tier"], reason["pressure"]["level"])
                told[name] = min(told.get(name, pressure), pressure)
    return told
