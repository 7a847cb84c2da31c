"""What the coordinator on Kafka meets outside of itself: log, memory, time and waiting. A simulation brings its own."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Thread
from threading import Event as Flag
from typing import Protocol
from uuid import uuid4

from coordinator.adapters.clock import SteadyClock
from coordinator.adapters.kafka_group import Assignment, KafkaGroup
from coordinator.adapters.kafka_log import KafkaLog
from coordinator.adapters.kafka_memory import Memory
from coordinator.stream import STREAMS, Batch, Clock, Entry, EventLog, Place, Record

__all__ = ["Connect", "Join", "Membership", "PartitionedLog", "Remembering", "Running", "Sending", "Surroundings"]


class Sending(Protocol):
    """Entries on their way to a log."""

    def is_known(self) -> bool:
        """Whether `finish` would answer at once: of each it is known whether it stands, or that this will not be told."""
        ...

    def finish(self) -> list[Record]:
        """Return the entries as `append` does, once they stand; Unavailable where some may not. To be asked once."""
        ...


class PartitionedLog(EventLog, Protocol):
    """An `EventLog` in partitions, several of which may be written at once: what `KafkaLog` is."""

    def read(self, after: Place, at_most: int, *, wait: bool = True) -> Batch:
        """Return what stands after a place, as every log does; without `wait` what has come by now, which may be nothing."""
        ...

    def send(self, entries: Sequence[Entry]) -> Sending:
        """Hand entries over to be written, without waiting until they are: those of a partition behind all handed over before."""
        ...

    def ends(self) -> Place:
        """Return where the partitions ended when the log last said so; what was read or appended here lies before that."""
        ...

    def identity(self, *, afresh: bool = False) -> dict[str, str]:
        """Return what tells this log from another at the same address; `afresh` of who answers there now, as after a failure."""
        ...

    def commit(self, place: Place) -> None:
        """Have the broker remember a place for those who watch it."""
        ...

    def close(self, patience_ms: int | None = None) -> None:
        """Let go of the connections, within so long."""
        ...


class Connect(Protocol):
    """Opens a log at an address, as `KafkaLog` is made."""

    def __call__(
        self,
        bootstrap: str,
        *,
        replicas: int = 3,
        patience_ms: int = 10_000,
        streams: Sequence[str] = STREAMS,
        group: str | None = None,
        prepare: bool = True,
    ) -> PartitionedLog:
        """Return the log; Unavailable where nobody answers there."""
        ...


class Membership(Protocol):
    """A place in the group of those who share the partitions of the signals. Whatever it says, nothing is lost or doubled by it."""

    def assignment(self) -> Assignment | None:
        """Return at once what is to be held here now; None before anything was assigned."""
        ...

    def commit(self, place: Place) -> None:
        """Have the broker remember, for those who watch it, how far the signals were taken."""
        ...

    def close(self) -> None:
        """Leave the group, so that others take over at once."""
        ...


class Join(Protocol):
    """Joins the group at an address."""

    def __call__(self, bootstrap: str, patience_ms: int) -> Membership:
        """Return the membership, without waiting for the first assignment."""
        ...


class Remembering(Protocol):
    """What is remembered of the log outside of it, as `Memory` does in a file."""

    def check(self, identity: Mapping[str, str], turns: int | None = None) -> None:
        """Refuse a log that is not the one remembered, or that has fewer turns than it had."""
        ...

    def keep(self, identity: Mapping[str, str], turns: int) -> None:
        """Write down what is known now, wholly or not at all."""
        ...


class Running(Protocol):
    """Something that was begun and goes on beside the others."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, so long at most."""
        ...


def _begin(work: Callable[[], None]) -> Running:
    thread = Thread(target=work, name="coordinator", daemon=True)
    thread.start()
    return thread


@dataclass(frozen=True, slots=True)
class Surroundings:
    """How the service reaches the world. Everything it waits for, it waits for by one of these."""

    connect: Connect = KafkaLog
    join: Join = KafkaGroup
    remember: Callable[[Path], Remembering] = Memory
    clock: Callable[[], Clock] = SteadyClock
    elapsed_s: Callable[[], float] = time.monotonic
    new_name: Callable[[], str] = lambda: uuid4().hex
    flag: Callable[[], Flag] = Flag
    condition: Callable[[], Condition] = Condition
    begin: Callable[[Callable[[], None]], Running] = _begin
