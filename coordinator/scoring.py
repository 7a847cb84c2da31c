"""What a way of matching achieved, in figures that are common to the coordinator and its rivals."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import TypeVar

from coordinator.rivals import Row, Shipment
from coordinator.times import DAY_US

__all__ = ["ALL_ITEMS", "Score", "first_portions", "median_claims", "score"]

ALL_ITEMS = "all items"

Thing = TypeVar("Thing", Row, Shipment)
Claim = tuple[str, str]  # all needs of one agent for one item


@dataclass(frozen=True, slots=True)
class Score:
    """The figures of one item, or of all. Quantities are pieces."""

    offered: int
    needed: int
    shipped: int
    unit_m: int  # pieces times metres
    parcels: int  # distinct provider, receiver and day (UTC): of all items, what goes together counts once
    claims: int
    first_portions: int  # claims that received a portion, or all of a smaller claim
    waited_us: int  # pieces times the time from their offer to the decision that ships them

    @property
    def unit_km(self) -> float:
        """Pieces times kilometres."""
        return self.unit_m / 1_000

    @property
    def waited_days(self) -> float:
        """How many days a shipped piece had waited since it was offered, on average; 0 when nothing was shipped."""
        return self.waited_us / self.shipped / DAY_US if self.shipped else 0.0


def score(shipments: Sequence[Shipment], offers: Sequence[Row], needs: Sequence[Row], portions: Mapping[str, int]) -> dict[str, Score]:
    """Return the figures of each item that was offered or needed, by name, and those of `ALL_ITEMS` at the end.

    `portions` says how many pieces of each needed item are a portion.
    """
    shipped_by, offered_by, needed_by = _by_item(shipments), _by_item(offers), _by_item(needs)
    items = sorted({*offered_by, *needed_by})
    scores = {item: _score_of(shipped_by.get(item, []), offered_by.get(item, []), needed_by.get(item, []), portions) for item in items}
    return scores | {ALL_ITEMS: _score_of(shipments, offers, needs, portions)}


def first_portions(shipments: Iterable[Shipment], needs: Iterable[Row], portions: Mapping[str, int]) -> list[tuple[int, int]]:
    """Return (time in µs, how many claims had their first portion by then), ascending, one for each time that the number grew.

    A claim has its first portion when it received the item's portion, or all it ever asked for where that is less.
    """
    open_pieces = {claim: min(pieces, portions[claim[1]]) for claim, pieces in _claims(needs).items()}
    grown: dict[int, int] = {}
    reached = 0
    for shipment in sorted(shipments, key=lambda shipment: shipment.at_us):
        claim = shipment.receiver, shipment.resource
        before = open_pieces[claim]
        open_pieces[claim] = before - shipment.quantity
        if before > 0 >= open_pieces[claim]:
            reached += 1
            grown[shipment.at_us] = reached
    return list(grown.items())


def median_claims(needs: Iterable[Row]) -> dict[str, int]:
    """Return the median claim of each needed item in pieces (the lower of two): a portion where the charter sets none."""
    pieces: dict[str, list[int]] = defaultdict(list)
    for (_, resource), claimed in _claims(needs).items():
        pieces[resource].append(claimed)
    return {resource: median_low(claims) for resource, claims in sorted(pieces.items())}


def _score_of(shipments: Sequence[Shipment], offers: Sequence[Row], needs: Sequence[Row], portions: Mapping[str, int]) -> Score:
    reached = first_portions(shipments, needs, portions)
    return Score(
        offered=sum(row.quantity for row in offers),
        needed=sum(row.quantity for row in needs),
        shipped=sum(shipment.quantity for shipment in shipments),
        unit_m=sum(shipment.quantity * shipment.metres for shipment in shipments),
        parcels=len({(shipment.provider, shipment.receiver, shipment.at_us // DAY_US) for shipment in shipments}),
        claims=len(_claims(needs)),
        first_portions=reached[-1][1] if reached else 0,
        waited_us=sum(shipment.quantity * shipment.waited_us for shipment in shipments),
    )


def _by_item(things: Iterable[Thing]) -> dict[str, list[Thing]]:
    """Return the things of each item, in their order."""
    sorted_out: dict[str, list[Thing]] = defaultdict(list)
    for thing in things:
        sorted_out[thing.resource].append(thing)
    return sorted_out


def _claims(needs: Iterable[Row]) -> dict[Claim, int]:
    """Return how many pieces each claim asks for in all."""
    claims: dict[Claim, int] = defaultdict(int)
    for row in needs:
        claims[row.agent, row.resource] += row.quantity
    return claims
