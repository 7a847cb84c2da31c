"""A broker of Kafka's kind in memory, and a connection to it that loses, delays, repeats and reorders as a network does.

What it promises is what the product leans on: each partition keeps its order, what it acknowledged stays, and nothing more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from coordinator.adapters.kafka_log import Lost
from coordinator.cloudevents import from_binary, to_binary
from coordinator.errors import Refused, Unavailable
from coordinator.stream import LEDGER, PARTITIONS, PROPOSAL, STREAMS, TURN, Batch, Entry, Place, Record, check_entries, merged, partition_of
from tests.simulation.scheduler import SECOND_US, Process, Scheduler

__all__ = ["Broker", "Link", "SimulatedLog", "SimulatedSending", "as_kafka_gives_it_back"]

MILLISECOND_US = 1_000


def as_kafka_gives_it_back(entry: Entry) -> Entry:
    """Return an entry as it is read: its attributes were headers, so each is a text. What is no event stays as it is."""
    try:
        return Entry(entry.stream, entry.key, from_binary(*to_binary(entry.event)))
    except Refused:
        return entry


class Broker:
    """Partitions of records, each stamped in whole milliseconds by the broker's own clock."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.partitions: dict[str, list[Record]] = {f"{stream}/{number}": [] for stream in STREAMS for number in range(PARTITIONS[stream])}
        self.jumped_us = 0  # how far its clock is off
        self.lives = 1  # another for each time it was replaced by an empty one
        self.down_until_us = 0
        # Position of what was decided -> who handed it over, and how many records of turns it had seen then; None where it gave up
        # before and did not look since. What arrives long after it was given up is not in here.
        self.handed_over: dict[str, tuple[str, int | None]] = {}
        self.wakers: dict[str, list[Callable[[], None]]] = {stream: [] for stream in STREAMS}  # of readers who wait for something new

    def identity(self) -> dict[str, str]:
        return {"cluster": f"cluster-{self.lives}", **{stream: f"{stream}-{self.lives}" for stream in STREAMS}}

    def take(self, entry: Entry, partition: str | None = None) -> Record:
        """Append an entry, for good; who hands it over knows it as it was."""
        name = partition or f"{entry.stream}/{partition_of(entry.key, PARTITIONS[entry.stream])}"
        rows = self.partitions[name]
        stamp_us = (self.scheduler.now_us + self.jumped_us) // MILLISECOND_US * MILLISECOND_US
        record = Record(entry, f"{name}/{len(rows)}", stamp_us)
        rows.append(Record(as_kafka_gives_it_back(entry), record.position, stamp_us))
        wakers, self.wakers[entry.stream] = self.wakers[entry.stream], []
        for wake in wakers:
            wake()
        return record

    def wipe(self, *, replaced: bool) -> None:
        """Lose everything; replaced by another it also has another identity."""
        for rows in self.partitions.values():
            rows.clear()
        self.lives += replaced

    def all_of(self, stream: str) -> list[Record]:
        """Return what a stream holds, one partition after another."""
        return [record for number in range(PARTITIONS[stream]) for record in self.partitions[f"{stream}/{number}"]]


@dataclass
class Link:
    """How the network treats one machine. Shares are of requests."""

    cut_until_us: int = 0
    lost: float = 0.0  # the request never arrives
    unheard: float = 0.0  # it arrives, and the answer is lost
    repeated: float = 0.0  # a record of it arrives twice
    late: float = 0.0  # what was given up arrives all the same, long after
    slow_us: int = 5_000

    def heal(self) -> None:
        self.cut_until_us, self.lost, self.unheard, self.repeated, self.late, self.slow_us = 0, 0.0, 0.0, 0.0, 0.0, 5_000


class SimulatedLog:
    """A connection: what `KafkaLog` is to the product, call by call."""

    def __init__(
        self, broker: Broker, process: Process, link: Link, *, patience_ms: int = 10_000, streams: Sequence[str] = STREAMS, idle_us: int = 0
    ) -> None:
        self.broker, self.process, self.link = broker, process, link
        self._scheduler = broker.scheduler
        self._patience_us = patience_ms * MILLISECOND_US
        self._streams = tuple(streams)
        self._names = [f"{stream}/{number}" for stream in streams for number in range(PARTITIONS[stream])]
        self._idle_us = idle_us
        self._reached: dict[str, int] = {}
        self._ends: dict[str, int] = {}
        self._gave_up_since = False  # what was decided, since it last asked how many turns there are
        self._must_see = 0  # so many records of turns there were when it asked then
        self._wrote = 0  # behind the last record of a turn that it knows to have written
        self._travel()
        self._must_answer("prepare its topics")

    def append(self, entries: Sequence[Entry]) -> list[Record]:
        check_entries(entries)
        if not entries:
            return []
        self._travel()
        random, link, seen = self._scheduler.random, self.link, self.turns_seen()
        count = len(entries)
        if self._is_cut() or self._scheduler.chance(link.lost):
            count = random.randrange(len(entries) + 1) if not self._is_cut() and random.random() < 0.5 else 0
        records = []
        for entry in entries[:count]:
            records.append(self.take(entry, seen))
            if self._scheduler.chance(link.repeated):
                again = self.take(entry, seen)
                records[-1] = again if random.random() < 0.5 else records[-1]
            if random.random() < 0.05:
                self._travel()  # others come between
        if count < len(entries):
            if self._scheduler.chance(link.late):
                left = list(entries[count:])
                self._scheduler.after(random.randrange(60 * SECOND_US), lambda: [self.broker.take(entry) for entry in left] and None)
            self.give_up(entries, "take the entries")
        self._travel()
        if self._is_cut() or self._scheduler.chance(link.unheard):
            self.give_up(entries, "say that it took the entries")
        self._wrote = max([self._wrote, *(_offset(record) + 1 for record in records if record.entry.stream == TURN)])
        return records

    def take(self, entry: Entry, seen: int | None) -> Record:
        """Append an entry, and note what who handed it over knew then."""
        record = self.broker.take(entry)
        if entry.stream in (PROPOSAL, LEDGER):
            self.broker.handed_over[record.position] = self.process.name, seen
        return record

    def turns_seen(self) -> int | None:
        """Return how many records of turns it has read or written; None where it has to look before it hands over anything again."""
        seen = max(self._reached.get(f"{TURN}/0", 0), self._wrote)
        return None if self._gave_up_since or seen < self._must_see else seen

    def give_up(self, entries: Sequence[Entry], task: str) -> None:
        self._gave_up_since = self._gave_up_since or entries[0].stream in (PROPOSAL, LEDGER)
        self._give_up(task)

    def send(self, entries: Sequence[Entry]) -> "SimulatedSending":
        check_entries(entries)
        if self._is_cut() and self._scheduler.chance(0.2):
            self.give_up(entries, "take the entries")  # too many wait to be sent already
        return SimulatedSending(self, entries)

    def read(self, after: Place, at_most: int, *, wait: bool = True) -> Batch:
        self._travel()
        self._must_answer("answer a reader")
        offsets = dict(after.offsets)
        strange = offsets.keys() - set(self._names)
        if strange:
            raise Refused(f"there is no {min(strange)!r} here")
        for name in self._names:
            end = self._ends[name] = len(self.broker.partitions[name])
            if self._gave_up_since and name == f"{TURN}/0":
                self._gave_up_since, self._must_see = False, end
            if max(offsets.get(name, 0), self._reached.get(name, 0)) > end:
                raise Lost(f"{name} was read up to {max(offsets.get(name, 0), self._reached.get(name, 0))} and now ends at {end}")
        fresh = [record for name in self._names for record in self.broker.partitions[name][offsets.get(name, 0) :]]
        if not fresh and wait and self._idle_us:
            self._scheduler.wait(self.process, self._idle_us, [self.broker.wakers[stream] for stream in self._streams])
        records = merged(fresh)
        # A reader gets what has come so far, which may be less than all there is.
        records = records[: min(at_most, self._scheduler.random.randint(1 if wait else 0, 2 * len(records)))] if records else []
        for record in records:
            name, _, offset = record.position.rpartition("/")
            offsets[name] = self._reached[name] = int(offset) + 1
        return Batch(tuple(records), Place(tuple(sorted((name, offset) for name, offset in offsets.items() if offset))))

    def ends(self) -> Place:
        return Place(tuple(sorted((name, end) for name, end in self._ends.items() if end)))

    def identity(self, *, afresh: bool = False) -> dict[str, str]:
        # Whoever is there now answers, asked afresh or not: that a client may still know the one before is tried on real brokers.
        self._travel()
        self._must_answer("say who it is")
        return self.broker.identity()

    def commit(self, place: Place) -> None:
        self._travel()
        self._must_answer("remember a place")

    def close(self, patience_ms: int | None = None) -> None:
        pass

    def _travel(self) -> None:
        self._scheduler.sleep(self.process, self._way_us())

    def _way_us(self) -> int:
        return 1 + self._scheduler.random.randrange(self.link.slow_us)

    def _is_cut(self) -> bool:
        now_us = self._scheduler.now_us
        return self.link.cut_until_us > now_us or self.broker.down_until_us > now_us

    def _must_answer(self, task: str) -> None:
        if self._is_cut() or self._scheduler.chance(self.link.lost):
            self._give_up(task)

    def _give_up(self, task: str) -> None:
        self._scheduler.sleep(self.process, self._patience_us)
        raise Unavailable(f"Kafka did not {task} within its time")


def _offset(record: Record) -> int:
    return int(record.position.rpartition("/")[2])


class SimulatedSending:
    """Entries that arrive one by one, whatever who sent them does meanwhile, and whether or not it lives to hear of it."""

    def __init__(self, log: SimulatedLog, entries: Sequence[Entry]) -> None:
        self._log, self._scheduler = log, log.broker.scheduler
        self._entries, self._left, self._seen = entries, list(entries), log.turns_seen()
        self._records: list[Record] = []
        self._is_lost = False
        self._until_us = self._scheduler.now_us + log._patience_us
        self._await_next()

    def is_known(self) -> bool:
        return not self._left or self._scheduler.now_us >= self._until_us

    def finish(self) -> list[Record]:
        log, until_us = self._log, self._scheduler.now_us + self._log._patience_us
        while self._left and not self._is_lost and self._scheduler.now_us < until_us:
            log._travel()
        if self._left:
            self._is_lost = True
            log.give_up(self._entries, "take the entries")
        log._travel()
        if log._is_cut() or self._scheduler.chance(log.link.unheard):
            log.give_up(self._entries, "say that it took the entries")
        return self._records

    def _await_next(self) -> None:
        if self._left:
            self._scheduler.after(self._log._way_us(), self._arrive)

    def _arrive(self) -> None:
        """Have the next one arrive, or none any more."""
        log, random = self._log, self._scheduler.random
        if self._is_lost or log._is_cut() or self._scheduler.chance(log.link.lost):
            self._is_lost = True
            if self._scheduler.chance(log.link.late):
                left = self._left.copy()
                self._scheduler.after(random.randrange(60 * SECOND_US), lambda: [log.broker.take(entry) for entry in left] and None)
            return
        entry = self._left.pop(0)
        self._records.append(log.take(entry, self._seen))
        if self._scheduler.chance(log.link.repeated):
            again = log.take(entry, self._seen)
            self._records[-1] = again if random.random() < 0.5 else self._records[-1]
        if random.random() < 0.05:
            self._await_next()  # others come between
        elif self._left:
            self._arrive()
