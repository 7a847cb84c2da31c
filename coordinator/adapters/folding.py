"""A whole log taken into a coordination: what it adds up to, and how far it was read."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from coordinator.adapters.memory import setting_aside
from coordinator.cycle import Coordination
from coordinator.errors import Refused
from coordinator.signals import parse_event
from coordinator.stream import DEAD_LETTER, LEDGER, PROPOSAL, SIGNAL, START, EventLog, Place, Record

__all__ = ["AT_ONCE", "FOLLOWED", "Folded", "fold"]

AT_ONCE = 5_000  # records read from the log in one go
TOLD_EVERY = 100_000  # records
FOLLOWED = (SIGNAL, PROPOSAL, LEDGER)  # the streams that make up the state, and are shown as they grow

logger = structlog.get_logger("coordinator.folding")


@dataclass(frozen=True, slots=True)
class Folded:
    """What became of a log."""

    place: Place  # after it
    parked: list[str]  # why single records could not be taken
    logtime_us: int  # of its last record, 0 where there was none


def fold(log: EventLog, coordination: Coordination, letters: Callable[[Record], None] | None = None, after: Place = START) -> Folded:
    """Take a log into a coordination, from its start or from a place that the coordination has come to.

    What was refused at the door (`letters`) is no part of the state.
    """
    with setting_aside():
        return _fold(log, coordination, letters, after)


def _fold(log: EventLog, coordination: Coordination, letters: Callable[[Record], None] | None, place: Place) -> Folded:
    parked, logtime_us, count = list[str](), 0, 0
    while (batch := log.read(place, AT_ONCE)).records:
        place, logtime_us, count = batch.place, batch.records[-1].logtime_us, count + len(batch.records)
        if count // TOLD_EVERY > (count - len(batch.records)) // TOLD_EVERY:
            logger.info("folding the log", entries=count)  # some seconds of work each time, so that a long start is seen to go on
        for record in batch.records:
            entry = record.entry
            if entry.stream == DEAD_LETTER and letters is not None:
                letters(record)
            elif entry.stream in FOLLOWED:
                try:
                    coordination.take(parse_event(entry.event, stamp_us=record.logtime_us), entry.event)
                except Refused as refusal:
                    parked.append(f"{record.position}: {refusal}")
    return Folded(place, parked, logtime_us)
