"""Two simple ways to match that the demo compares with: first come first matched, and nearest first.

Both follow the definitions of the PPE matching problem's open test bed (Bala, Samorani and Jacob; the ppe-match package): what is open
is summed by agent and item at every decision, each item is decided alone, and everything decided is shipped.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from coordinator.errors import Refused
from coordinator.routes import RouteTable
from coordinator.times import SECOND_US

__all__ = ["RIVALS", "Agreement", "Row", "Shipment", "decision_times", "run_rival"]

Ints = NDArray[np.int64]

FAR = np.iinfo(np.int64).max  # of a receiver that is full, or that no route reaches
_BEFORE_FIRST_US = 60 * SECOND_US
_AFTER_LAST_US = 180 * SECOND_US


@dataclass(frozen=True, slots=True)
class Row:
    """One dated offer or need, as somebody wrote it down."""

    row_number: int  # in its file, from 1
    agent: str
    date_us: int
    resource: str
    quantity: int  # pieces
    side: Literal["offer", "need"]


@dataclass(frozen=True, slots=True)
class Shipment:
    """So many pieces of one offer, sent to one need."""

    provider: str
    receiver: str
    resource: str
    quantity: int
    metres: int
    at_us: int  # when it was decided
    waited_us: int  # since the offer was made


Agreement = Callable[[str, str, str, int], bool]  # do provider and receiver agree to move this item, decided at this time?
Pairs = list[tuple[int, int, int]]  # provider and receiver positions, and how many pieces
Strategy = Callable[[Ints, Ints, Callable[[int], Ints]], Pairs]


def run_rival(
    name: str, offers: Sequence[Row], needs: Sequence[Row], routes: RouteTable, every_us: int, agrees: Agreement | None = None
) -> list[Shipment]:
    """Return what a rival ships, by time and item, when it decides every `every_us` over the whole stream.

    Without `agrees` everybody takes what is decided, as the originals suppose; with it, a pair that does not agree moves nothing and both
    stay open for the next decision. A pair without a route moves nothing. Refused: an unknown name, an interval that is not positive.
    """
    if name not in RIVALS:
        raise Refused(f"the rival {name} is not known; one of {', '.join(RIVALS)} was expected")
    times_us = decision_times((row.date_us for row in (*offers, *needs)), every_us)
    shipments: list[Shipment] = []
    for resource in sorted({row.resource for row in offers} & {row.resource for row in needs}):
        market = _Market(
            resource, [row for row in offers if row.resource == resource], [row for row in needs if row.resource == resource], routes
        )
        for at_us in times_us:
            shipments += market.decide(RIVALS[name], at_us, agrees)
    return sorted(shipments, key=lambda shipment: shipment.at_us)  # stable: by item within one decision


def decision_times(dates_us: Iterable[int], every_us: int) -> list[int]:
    """Return when is decided: every `every_us`, counted from a minute before the first date; and once more, 3 minutes after the last."""
    if every_us <= 0:
        raise Refused(f"the interval between decisions is {every_us} microseconds; more than 0 was expected")
    dates = sorted(dates_us)
    if not dates:
        return []
    start_us, end_us = dates[0] - _BEFORE_FIRST_US, dates[-1] + _AFTER_LAST_US
    whole_us = dates[-1] + _BEFORE_FIRST_US
    return [*range(start_us + every_us, whole_us + 1, every_us), end_us]


# -- the two strategies --------------------------------------------------------------------------------------------------


def _first_come(open_offers: Ints, open_needs: Ints, _: Callable[[int], Ints]) -> Pairs:
    """The i-th open provider with the i-th open receiver, once each.

    The order is that of names, as in the original, whose sums by agent forget who came first.
    """
    pairs = zip(np.flatnonzero(open_offers), np.flatnonzero(open_needs), strict=False)
    return [(int(p), int(r), int(min(open_offers[p], open_needs[r]))) for p, r in pairs]


def _nearest(open_offers: Ints, open_needs: Ints, distances_m: Callable[[int], Ints]) -> Pairs:
    """Each open provider in turn with the receiver nearest to it that still has something open; equally near, the first name."""
    left = open_needs.copy()
    pairs: Pairs = []
    for provider in map(int, np.flatnonzero(open_offers)):
        reach_m = np.where(left > 0, distances_m(provider), FAR)
        receiver = int(np.argmin(reach_m))
        if reach_m[receiver] < FAR:
            quantity = int(min(open_offers[provider], left[receiver]))
            left[receiver] -= quantity
            pairs.append((provider, receiver, quantity))
    return pairs


RIVALS: Mapping[str, Strategy] = {"first come": _first_come, "nearest": _nearest}


# -- what is open ----------------------------------------------------------------------------------------------------------


class _Side:
    """Everybody's rows of one item on one side: by position in order of name, what is open in all, and the rows that are not used up."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.names = sorted({row.agent for row in rows})
        self.open = np.zeros(len(self.names), dtype=np.int64)
        self._to_come = deque(sorted(rows, key=lambda row: row.date_us))
        self._queues: list[deque[tuple[int, int]]] = [deque() for _ in self.names]  # (date, pieces left), the oldest first

    def admit(self, until_us: int) -> None:
        """Open the rows dated before `until_us`."""
        while self._to_come and self._to_come[0].date_us < until_us:
            row = self._to_come.popleft()
            position = bisect_left(self.names, row.agent)
            self.open[position] += row.quantity
            self._queues[position].append((row.date_us, row.quantity))

    def take(self, position: int, quantity: int) -> list[tuple[int, int]]:
        """Use up so many pieces of one agent, its oldest rows first; return the date and pieces of each part."""
        self.open[position] -= quantity
        queue, parts = self._queues[position], []
        while quantity:
            date_us, left = queue.popleft()
            part = min(left, quantity)
            if part < left:
                queue.appendleft((date_us, left - part))
            quantity -= part
            parts.append((date_us, part))
        return parts


class _Market:
    """One item: who offers it, who needs it, and how far they are from one another."""

    def __init__(self, resource: str, offers: Sequence[Row], needs: Sequence[Row], routes: RouteTable) -> None:
        self.resource = resource
        self.offers = _Side(offers)
        self.needs = _Side(needs)
        self._routes = routes
        # A receiver that the table does not know looks one past its end, where nothing is connected.
        self._in_table = np.array([routes.positions.get(name, len(routes.agents)) for name in self.needs.names], dtype=np.int64)
        self._distances: dict[int, Ints] = {}

    def distances_m(self, provider: int) -> Ints:
        """Return (receivers,) how far each is from a provider, `FAR` where no route leads."""
        if provider not in self._distances:
            by_agent = np.full(len(self._routes.agents) + 1, FAR, dtype=np.int64)
            connected, metres = self._routes.row(self.offers.names[provider])
            by_agent[connected] = metres
            self._distances[provider] = by_agent[self._in_table]
        return self._distances[provider]

    def decide(self, strategy: Strategy, at_us: int, agrees: Agreement | None) -> Iterator[Shipment]:
        """Yield what is shipped of all that was said before `at_us` and is still open."""
        self.offers.admit(at_us)
        self.needs.admit(at_us)
        if not (self.offers.open.any() and self.needs.open.any()):
            return
        for provider, receiver, quantity in strategy(self.offers.open, self.needs.open, self.distances_m):
            metres = int(self.distances_m(provider)[receiver])
            names = self.offers.names[provider], self.needs.names[receiver]
            if metres == FAR or not (agrees is None or agrees(*names, self.resource, at_us)):
                continue
            self.needs.take(receiver, quantity)
            for date_us, part in self.offers.take(provider, quantity):
                yield Shipment(*names, self.resource, part, metres, at_us, at_us - date_us)
