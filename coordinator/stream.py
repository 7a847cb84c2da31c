"""The shared medium: streams of events, the port every log implements, and the log that lives in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = [
    "DEAD_LETTER",
    "LEDGER",
    "PROPOSAL",
    "SIGNAL",
    "START",
    "STATUS",
    "STREAMS",
    "Batch",
    "Clock",
    "Entry",
    "EventLog",
    "Place",
    "Record",
]

SIGNAL = "stigmergy.signal.v1"
PROPOSAL = "stigmergy.proposal.v1"
LEDGER = "stigmergy.ledger.v1"
STATUS = "stigmergy.status.v1"
DEAD_LETTER = "stigmergy.dead-letter.v1"
STREAMS = (SIGNAL, PROPOSAL, LEDGER, STATUS, DEAD_LETTER)

Clock = Callable[[], int]  # microseconds since 1970, UTC


@dataclass(frozen=True, slots=True)
class Entry:
    """What a writer hands to a log: one CloudEvents event in structured JSON, and where it belongs."""

    stream: str
    key: str  # agent name, or proposal id on the proposal stream
    event: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """How far a reader has come: for each stream and partition (``"stigmergy.signal.v1/0"``) the next offset to read."""

    offsets: tuple[tuple[str, int], ...] = ()


START = Place()


@dataclass(frozen=True, slots=True)
class Record:
    """An entry as a log returns it, with the log's own stamp and position."""

    entry: Entry
    position: str  # "stream/partition/offset": unique in one log
    logtime_us: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in log order and the place to read on from."""

    records: tuple[Record, ...]
    place: Place


class EventLog(Protocol):
    """An append-only log of several streams; the order of entries with one key is kept for ever."""

    def append(self, entries: Sequence[Entry]) -> list[Record]:
        """Return the entries as they now stand in the log, stamped, once they are durable; all of them or none."""
        ...

    def read(self, after: Place, at_most: int) -> Batch:
        """Return at once what stands after `after`, at most so many; an empty batch when there is nothing new."""
        ...

    def close(self) -> None:
        """Let go of files and connections. What was appended stays."""
        ...
