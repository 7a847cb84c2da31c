"""The shared medium: streams of events, the port every log implements, and the log that lives in memory."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import heapify, heappop, heapreplace
from struct import unpack
from threading import Lock
from types import MappingProxyType
from typing import Protocol

import msgspec

from coordinator.errors import Refused

__all__ = [
    "DEAD_LETTER",
    "LARGEST_EVENT_BYTES",
    "LEDGER",
    "PARTITIONS",
    "PROPOSAL",
    "SIGNAL",
    "START",
    "STATUS",
    "STREAMS",
    "TURN",
    "Batch",
    "Clock",
    "Entry",
    "EventLog",
    "MemoryLog",
    "Place",
    "Record",
    "check_entries",
    "merged",
    "misplaced",
    "partition_of",
    "position_of",
    "sequence_after",
    "sequence_place",
]

SIGNAL = "stigmergy.signal.v1"
PROPOSAL = "stigmergy.proposal.v1"
LEDGER = "stigmergy.ledger.v1"
STATUS = "stigmergy.status.v1"
DEAD_LETTER = "stigmergy.dead-letter.v1"
TURN = "stigmergy.turn.v1"  # on Kafka: in which order a coordinator took what it read, and what it decided
STREAMS = (SIGNAL, PROPOSAL, LEDGER, STATUS, DEAD_LETTER, TURN)

# Fixed for a version of a stream: another number would move keys between partitions and lose the order of an agent's words.
PARTITIONS: Mapping[str, int] = MappingProxyType({SIGNAL: 8, PROPOSAL: 8, LEDGER: 8, STATUS: 1, DEAD_LETTER: 1, TURN: 1})

LARGEST_EVENT_BYTES = 1 << 20

Clock = Callable[[], int]  # microseconds since 1970, UTC


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What a writer hands to a log: one CloudEvents event in structured JSON, and where it belongs."""

    stream: str
    key: str  # agent name, or proposal id on the proposal stream
    event: bytes
    logtime_us: int | None = None  # the stamp to keep, for recordings and imports; else an embedded log stamps by its clock


@dataclass(frozen=True, slots=True)
class Place:
    """How far a reader has come: the next offset to read, by name, in order of names.

    On Kafka a name is a stream and partition (``"stigmergy.signal.v1/0"``); an embedded log is one sequence named ``"log"``.
    """

    offsets: tuple[tuple[str, int], ...] = ()

    def to_text(self) -> str:
        """Return the place as one line of JSON, to be kept in a file or shown."""
        return json.dumps(dict(self.offsets), sort_keys=True)

    @staticmethod
    def from_text(text: str) -> "Place":
        """Return the place that `to_text` wrote; Refused for anything else."""
        try:
            offsets = json.loads(text)
        except ValueError:
            offsets = None
        if not isinstance(offsets, dict) or not all(type(offset) is int and offset >= 0 for offset in offsets.values()):
            raise Refused(
                f'{text[:80]!r} is not a place in a log; expected a JSON object of offsets such as {{"log": 12}}. Start anew from {{}}.'
            )
        return Place(tuple(sorted(offsets.items())))

    def reaches(self, end: "Place") -> bool:
        """Whether whoever read so far has read all that lies before `end`."""
        offsets = dict(self.offsets)
        return all(offsets.get(name, 0) >= offset for name, offset in end.offsets)


START = Place()


class Record(msgspec.Struct, frozen=True, gc=False):
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
        """Return the entries as they now stand in the log, stamped, once they are durable.

        Refused entries leave no trace, nor do those around them. After `Unavailable` an embedded log holds none of them, while
        Kafka may hold some: append the same entries again, for a repeated event is one event.
        """
        ...

    def read(self, after: Place, at_most: int) -> Batch:
        """Return at once what stands after `after`, at most so many; an empty batch when there is nothing new."""
        ...

    def close(self) -> None:
        """Let go of files and connections. What was appended stays."""
        ...


class MemoryLog:
    """A log that lasts as long as the process: for tests and for replays that keep nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: list[Record] = []
        self._last_us = 0
        self._lock = Lock()

    def append(self, entries: Sequence[Entry]) -> list[Record]:
        """Return the entries as they now stand in the log, none stamped before the entry ahead of it."""
        check_entries(entries)
        with self._lock:
            now_us, added = self._clock(), []
            for offset, entry in enumerate(entries, len(self._records)):
                self._last_us = max(self._last_us, now_us if entry.logtime_us is None else entry.logtime_us)
                added.append(Record(entry, position_of(entry, offset), self._last_us))
            self._records.extend(added)
        return added

    def read(self, after: Place, at_most: int) -> Batch:
        """Return what stands after `after` in the order of appending, at most so many."""
        begin = sequence_after(after)
        end = len(self._records)
        if begin > end:
            raise Refused(
                f"The place {after.to_text()} lies beyond the log, which ends at {end}: it was kept for another log. Read from the start."
            )
        records = tuple(self._records[begin : min(end, begin + at_most)])
        return Batch(records, sequence_place(begin + len(records)))

    def close(self) -> None:
        """Do nothing: there is no file to let go of, and what was appended stays readable."""


def check_entries(entries: Sequence[Entry]) -> None:
    """Refuse what no log takes, so that all logs take the same: unknown streams, keys that are no text, events too large for Kafka."""
    for entry in entries:
        if entry.stream not in PARTITIONS:
            raise Refused(f"There is no stream {entry.stream!r}; expected one of {', '.join(STREAMS)}.")
        if not 0 < len(entry.event) <= LARGEST_EVENT_BYTES:
            raise Refused(
                f"The event of {entry.key!r} has {len(entry.event)} bytes; expected 1 to {LARGEST_EVENT_BYTES}. Split it or say less."
            )
        if not entry.key.isascii():
            try:
                entry.key.encode()
            except UnicodeEncodeError as error:
                raise Refused(
                    f"The key {entry.key!r} is not text that UTF-8 can write; expected an agent name or a proposal id."
                ) from error


def position_of(entry: Entry, offset: int) -> str:
    """Return ``stream/partition/offset`` for an entry that stands in the partition of its key."""
    return f"{_partition_named(entry.stream, entry.key)}{offset}"


def misplaced(record: Record) -> bool:
    """Whether a record stands in another partition than its key's, where the order of its agent's words is not kept: readers refuse it."""
    entry = record.entry
    return not record.position.startswith(_partition_named(entry.stream, entry.key))


@lru_cache(maxsize=1 << 16)
def _partition_named(stream: str, key: str) -> str:
    """Return the partition of a key in a stream, as positions begin."""
    return f"{stream}/{partition_of(key, PARTITIONS[stream])}/"


def merged(records: Iterable[Record]) -> list[Record]:
    """Return records of several partitions in one order that follows from them alone: by log time, each partition in its own order."""
    partitions: dict[str, list[Record]] = {}
    for record in records:
        partitions.setdefault(record.position.rpartition("/")[0], []).append(record)
    heads = [(rows[0].logtime_us, name, 0) for name, rows in partitions.items()]
    heapify(heads)
    order = []
    while heads:
        _, name, index = heads[0]
        rows = partitions[name]
        order.append(rows[index])
        if index + 1 < len(rows):
            heapreplace(heads, (rows[index + 1].logtime_us, name, index + 1))
        else:
            heappop(heads)
    return order


@lru_cache(maxsize=1 << 16)
def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key, 0 to `partitions` - 1, as Kafka's Java client and kafka-python choose it."""
    return (_murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def sequence_place(offset: int) -> Place:
    """Return the place before entry `offset` of a log that is one sequence."""
    return Place((("log", offset),)) if offset else START


def sequence_after(place: Place) -> int:
    """Return the next offset to read from a log that is one sequence; Refused for a place kept for a log on Kafka."""
    match place.offsets:
        case ():
            return 0
        case (("log", int(offset)),):
            return offset
        case _:
            raise Refused(f'The place {place.to_text()} was kept for another kind of log; expected {{"log": offset}}. Read from the start.')


def _murmur2(data: bytes) -> int:
    """Return the 32-bit MurmurHash2 of `data` (Austin Appleby, public domain) with the seed Kafka uses."""
    multiplier, mask = 0x5BD1E995, 0xFFFFFFFF
    value = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for number in unpack(f"<{whole // 4}I", data[:whole]):
        word = number * multiplier & mask
        word = (word ^ word >> 24) * multiplier & mask
        value = value * multiplier & mask ^ word
    if whole < len(data):
        value = (value ^ int.from_bytes(data[whole:], "little")) * multiplier & mask
    value = (value ^ value >> 13) * multiplier & mask
    return value ^ value >> 15
