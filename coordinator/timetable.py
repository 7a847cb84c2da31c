"""Promised machine hours in time: each capacity with its window, and what is proposed, promised or committed of it."""

from dataclasses import dataclass

from coordinator.commitments import ENDED, Deal
from coordinator.cycle import Coordination
from coordinator.network import Stance
from coordinator.signals import Line
from coordinator.units import Quantity

__all__ = ["Booking", "Hours", "timetable"]

MS_US = 1_000  # hours are counted in whole milliseconds


@dataclass(frozen=True, slots=True)
class Booking:
    """Hours of a capacity that somebody is to get: when is known as closely as its parties said it."""

    proposal: str
    receiver: str
    need: str
    hours: Quantity
    begin_us: int
    end_us: int
    is_set: bool  # it takes all of that time; else it is anywhere within
    state: str


@dataclass(frozen=True, slots=True)
class Hours:
    """One capacity that stands in an open window, or that something is booked of."""

    ref: str
    agent: str
    process: str
    begin_us: int
    end_us: int
    stated: Quantity
    free: Quantity  # in no proposal and no promise, and its window is open
    booked: tuple[Booking, ...]  # by begin


def timetable(coordination: Coordination, process: str | None = None, agent: str | None = None, limit: int = 200) -> dict[str, object]:
    """Return machine hours by agent and begin, at most so many rows and how many there are in all."""
    network, book = coordination.network, coordination.book
    rows: list[Hours] = []
    for ref, stance in network.stances.items():
        name = network.canonical(stance.thing)[1]
        if not stance.is_hours or not stance.is_supply or agent not in (None, stance.agent) or process not in (None, name):
            continue
        booked = tuple(_bookings(coordination, stance, [deal for deal in book.naming(ref) if deal.state not in ENDED]))
        if booked or (stance.stands and not stance.is_over(coordination.log_us)):
            begin_us, end_us = _window(stance, coordination.log_us)
            stated = network.quantity(stance, stance.stated_grains)
            free = network.quantity(stance, book.open_grains(stance, coordination.log_us))
            rows.append(Hours(ref, stance.agent, name, begin_us, end_us, stated, free, booked))
    rows.sort(key=lambda row: (not row.booked, row.process, row.agent, row.begin_us, row.ref))
    return {"now": max(0, coordination.log_us), "total": len(rows), "items": tuple(rows[:limit])}


def _bookings(coordination: Coordination, stance: Stance, deals: list[Deal]) -> list[Booking]:
    found = []
    for deal in deals:
        for line in deal.lines:
            if line.offer == stance.ref and line.quantity.dimension == stance.dimension:  # Of what is made in these hours, only the hours.
                begin_us, end_us = _when(coordination, stance, line)
                is_set = end_us - begin_us == line.quantity.grains * MS_US
                found.append(Booking(deal.proposal, line.receiver, line.need, line.quantity, begin_us, end_us, is_set, deal.state.value))
    return sorted(found, key=lambda one: (one.begin_us, one.end_us, one.proposal))


def _window(stance: Stance, log_us: int) -> tuple[int, int]:
    begin_us = log_us if stance.begin_us is None else stance.begin_us
    return begin_us, begin_us if stance.end_us is None else stance.end_us


def _when(coordination: Coordination, stance: Stance, line: Line) -> tuple[int, int]:
    """Return when a line's work is: as it says, else where the windows of both meet."""
    begin_us, end_us = _window(stance, coordination.log_us)
    need = coordination.network.stances.get(line.need)
    if need is not None:
        begin_us = max(begin_us, begin_us if need.begin_us is None else need.begin_us)
        end_us = min(end_us, end_us if need.end_us is None else need.end_us)
    begin_us, end_us = line.begin_us or begin_us, line.end_us or end_us
    return begin_us, max(begin_us, end_us)
