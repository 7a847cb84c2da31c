"""What `KafkaLog` is to the service, in memory and without a broker: for records that no client of ours would write."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

from coordinator.adapters.kafka_log import _record
from coordinator.adapters.kafka_rows import Row
from coordinator.adapters.surroundings import Surroundings
from coordinator.cloudevents import to_binary
from coordinator.errors import Refused
from coordinator.stream import PARTITIONS, STREAMS, Batch, Entry, Place, Record, check_entries, merged, partition_of

__all__ = ["Shelves"]

IDLE_S = 0.002


@dataclass
class Shelves:
    """Partitions of records, each as our reader makes it of what stands on Kafka."""

    partitions: dict[str, list[Record]] = field(
        default_factory=lambda: {f"{stream}/{number}": [] for stream in STREAMS for number in range(PARTITIONS[stream])}
    )

    lock: Lock = field(default_factory=Lock)

    def put(self, stream: str, row: Row) -> Record:
        """Have a record stand as it was written by whoever it was; return it as it is read."""
        partition = row.partition % PARTITIONS[stream]
        rows = self.partitions[f"{stream}/{partition}"]
        with self.lock:
            rows.append(_record(row._replace(topic=stream, partition=partition, offset=len(rows))))
            return rows[-1]

    def written(self, stream: str) -> list[Row]:
        """Return what stands in a stream and is an event, as somebody could write it anew."""
        rows = []
        for record in (record for name, some in self.partitions.items() if name.startswith(stream) for record in some):
            with suppress(Refused):
                headers, value = to_binary(record.entry.event)
                name, _, offset = record.position.rpartition("/")
                rows.append(Row(stream, int(name.rpartition("/")[2]), int(offset), 0, record.entry.key.encode(), value, [*headers]))
        return rows

    @property
    def surroundings(self) -> Surroundings:
        """What a service needs to be in the midst of these."""
        return Surroundings(connect=partial(_Connection, self))


@dataclass
class _Connection:
    shelves: Shelves
    bootstrap: str
    replicas: int = 3
    patience_ms: int = 10_000
    streams: Sequence[str] = STREAMS
    group: str | None = None
    prepare: bool = True

    def append(self, entries: Sequence[Entry]) -> list[Record]:
        check_entries(entries)
        records = []
        for entry in entries:
            headers, value = to_binary(entry.event)
            partition, stamp_ms = partition_of(entry.key, PARTITIONS[entry.stream]), time.time_ns() // 10**6
            row = Row(entry.stream, partition, 0, stamp_ms, entry.key.encode(), value, [*headers])
            records.append(self.shelves.put(entry.stream, row))
        return [Record(entry, record.position, record.logtime_us) for entry, record in zip(entries, records, strict=True)]

    def send(self, entries: Sequence[Entry]) -> "_Sent":
        return _Sent(self.append(entries))

    def read(self, after: Place, at_most: int, *, wait: bool = True) -> Batch:
        offsets = dict(after.offsets)
        names = [f"{stream}/{number}" for stream in self.streams for number in range(PARTITIONS[stream])]
        assert offsets.keys() <= set(names)
        fresh = [record for name in names for record in self.shelves.partitions[name][offsets.get(name, 0) :]]
        if wait and not fresh:
            time.sleep(IDLE_S)
        records = merged(fresh)[:at_most]
        for record in records:
            name, _, offset = record.position.rpartition("/")
            offsets[name] = int(offset) + 1
        return Batch(tuple(records), Place(tuple(sorted(offsets.items()))))

    def ends(self) -> Place:
        return Place(tuple(sorted((name, len(rows)) for name, rows in self.shelves.partitions.items() if rows)))

    def identity(self, *, afresh: bool = False) -> dict[str, str]:
        return {"cluster": "shelves"}

    def commit(self, place: Place) -> None:
        """Do nothing: nobody watches."""

    def close(self, patience_ms: int | None = None) -> None:
        """Do nothing: there is no connection."""


@dataclass
class _Sent:
    records: list[Record]

    def is_known(self) -> bool:
        return True

    def finish(self) -> list[Record]:
        return self.records
