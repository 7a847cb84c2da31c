"""The log on Kafka: CloudEvents in binary mode, an agent's words in the partition of its name."""

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import EMFILE, ENFILE
from heapq import heapify, heappop, heappush
from ipaddress import AddressValueError, IPv6Address
from threading import Lock
from time import monotonic
from typing import Any, ClassVar, TypeVar

import structlog
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.consumer.fetcher import Fetcher
from kafka.errors import (
    CorruptRecordError,
    InvalidReplicationFactorError,
    KafkaError,
    KafkaTimeoutError,
    TopicAlreadyExistsError,
    UnsupportedCodecError,
)
from kafka.net.compat import KafkaNetClient
from kafka.producer.future import FutureRecordMetadata
from kafka.structs import OffsetAndMetadata

from coordinator.adapters.kafka_rows import Row, rows_of
from coordinator.cloudevents import from_binary, to_binary
from coordinator.errors import Refused, Unavailable
from coordinator.stream import DEAD_LETTER, PARTITIONS, PROPOSAL, STATUS, STREAMS, Batch, Entry, Place, Record, check_entries, partition_of
from coordinator.times import LATEST_US
from coordinator.wording import shown

__all__ = [
    "FETCH_WAIT_MS",
    "LARGEST_BYTES",
    "RECONNECT_MS",
    "KafkaLog",
    "Lost",
    "check_topics",
    "checked_address",
    "opened",
    "packed_topics",
    "topic_settings",
]

LARGEST_BYTES = 2 << 20  # of a record or a request: the largest event and its headers
FETCH_WAIT_MS = 50  # of the broker, for something new to send
RECONNECT_MS = 1_000  # at most between two tries to reach a broker; kafka-python would let them grow to half a minute
_WAIT_MS = 2 * FETCH_WAIT_MS  # for the broker to say that there is nothing new
_HOST_AND_PORT = re.compile(r"(?:\[(?P<number>[^\[\]]*)\]|[^\s:,/@\[\]]+):(?P<port>[0-9]{1,5})")  # an IPv6 address stands in brackets
LAST_PORT = 65_535
_FORM = 2  # of batches of records, since Kafka 0.11
_HELD_RECORDS = 10_000  # of a partition that is ahead of the others, before it has to wait for them

_PACKING = "compression.type"

Client = TypeVar("Client")
logger = structlog.get_logger("coordinator.kafka")


class Lost(Unavailable):
    """The log is shorter than what was read of it: trying again does not help, and going on would hide a loss."""


def topic_settings(replicas: int) -> dict[str, dict[str, str]]:
    """Return the settings of the topic of each stream, all that matters written out, for so many copies of each record."""
    safe = {
        "message.timestamp.type": "LogAppendTime",  # log time is the log's to say, not the writer's
        _PACKING: "uncompressed",  # by the broker, so that whoever packs what it says needs no reader that can unpack it
        "max.message.bytes": str(LARGEST_BYTES),
        "min.insync.replicas": str(max(1, replicas - 1)),
        "unclean.leader.election.enable": "false",
    }
    kept = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
    latest = {"cleanup.policy": "compact"}
    fortnight = {"cleanup.policy": "delete", "retention.ms": str(14 * 24 * 3600 * 1000), "retention.bytes": "-1"}
    special = {PROPOSAL: latest, STATUS: latest, DEAD_LETTER: fortnight}
    return {stream: {**special.get(stream, kept), **safe} for stream in PARTITIONS}


class KafkaLog:
    """An `EventLog` on a Kafka cluster, in one topic for each stream.

    There is no order over all partitions on Kafka; a read merges them by log time, so that a reader who catches up sees the
    streams much as one who was there. Within a partition the order is the broker's. Transactions are not used, and what another
    writer put into one counts when it is written: so nobody holds a partition back by leaving a transaction open.

    What was packed by lz4, snappy or zstd is not read by this class: new topics have the broker keep what comes as it would be unpacked,
    and whoever opens older ones is warned.

    Log time is the broker's stamp in whole milliseconds. Brokers' clocks differ a little: a reader goes by the latest stamp so far.
    """

    unpacks: ClassVar[bool] = False  # whatever a batch is packed by

    def __init__(
        self,
        bootstrap: str,
        *,
        replicas: int = 3,
        patience_ms: int = 10_000,
        streams: Sequence[str] = STREAMS,
        group: str | None = None,
        prepare: bool = True,
    ) -> None:
        """Connect to ``host:port[,host:port]``, make the topics that are missing and check those that are there.

        `patience_ms` bounds every wait for the broker; an append may take three times as long, to outlast a change of leader. Reads
        are of `streams` alone. Under the name of a `group` the broker remembers the places that `commit` tells it. Without `prepare`
        the topics are taken as they are: another object of this process has looked after them.
        """
        self._bootstrap = checked_address(bootstrap)
        self._patience_ms = patience_ms
        self._group = group
        self._producer: KafkaProducer | None = None
        self._admin: KafkaAdminClient | None = None
        self._is_closed = False
        self._writing_lock, self._reading_lock = Lock(), Lock()
        self._acknowledged: dict[TopicPartition, int] = {}  # the end of a partition as our own appends know it
        # Where the last read ended, what was fetched beyond it, and up to which offset.
        self._next = {TopicPartition(stream, number): 0 for stream in streams for number in range(PARTITIONS[stream])}
        self._held: dict[TopicPartition, deque[Record]] = {partition: deque() for partition in self._next}
        self._fetched = dict(self._next)
        self._sought = False
        self._heard_s = monotonic()
        with self._explained("prepare its topics"):
            if prepare:
                self._prepare_topics(replicas)
            self._consumer = self._new_consumer()

    def append(self, entries: Sequence[Entry]) -> list[Record]:
        """Return the entries stamped, once every replica in sync has them.

        After `Unavailable` some may stand in the log, and the order of those is not known. Append them again: readers know a repeat.
        """
        return self.send(entries).finish() if entries else []

    def send(self, entries: Sequence[Entry]) -> "_Sending":
        """Hand entries over to be written, those of a partition behind all that was handed over before; whether they are, `finish` says.

        Nothing of them is known to stand until then. `finish` is asked once, and fails where `append` would.
        """
        check_entries(entries)
        messages = [(entry, *to_binary(entry.event)) for entry in entries]  # all of them before the first is sent: one may be refused
        producer = self._open_producer()
        try:
            with self._explained("take the entries"):
                return _Sending(self, producer, entries, [_send(producer, entry, headers, value) for entry, headers, value in messages])
        except Unavailable:
            self._drop(producer)
            raise

    def _open_producer(self) -> KafkaProducer:
        """Return what writes; once this object is closed nothing does, for nobody would close it again."""
        with self._writing_lock, self._explained("take the entries"):
            if self._producer is None and not self._is_closed:
                self._producer = self._new_producer()
            producer = self._producer
        if self._is_closed:
            if producer is not None:  # made while that was closed
                self._drop(producer)
            raise Unavailable(f"the connection to Kafka at {self._bootstrap} was closed here; what was to be written is not")
        return producer

    def _finish(self, producer: KafkaProducer, entries: Sequence[Entry], futures: Sequence[FutureRecordMetadata]) -> list[Record]:
        """Wait for these alone: what others have on its way by the same producer may take its time."""
        deadline_s = monotonic() + 4 * self._patience_ms / 1000
        try:
            with self._explained("take the entries"):
                sent = [future.get(timeout=max(0.0, deadline_s - monotonic())) for future in futures]
        except Unavailable:
            self._drop(producer)
            raise
        with self._writing_lock:
            for done in sent:
                self._acknowledged[done.topic_partition] = max(done.offset + 1, self._acknowledged.get(done.topic_partition, 0))
        return [
            Record(entry, f"{done.topic}/{done.partition}/{done.offset}", done.timestamp * 1000)
            for entry, done in zip(entries, sent, strict=True)
        ]

    def read(self, after: Place, at_most: int, *, wait: bool = True) -> Batch:
        """Return what stands after `after` in every partition, merged by log time, at most so many.

        The batch is empty only if the broker said so of every partition, now or a moment ago; all that this object appended counts.
        A record that is no event comes as it is, for the reader to refuse. Without `wait` only what has come from the broker by now is
        looked at: the batch is empty as well where that does not tell which record is the oldest of all.
        """
        with self._reading_lock, self._explained("answer a reader"):
            self._go_to(after)
            if not self._fill(at_most, wait=wait):
                return Batch((), self._place())
            records: list[Record] = []
            last: dict[TopicPartition, Record] = {}
            heads = [(rows[0].logtime_us, partition) for partition, rows in self._held.items() if rows]
            heapify(heads)
            try:
                while heads and len(records) < at_most:
                    _, partition = heappop(heads)
                    rows = self._held[partition]
                    records.append(rows.popleft())
                    last[partition] = records[-1]
                    if rows:
                        heappush(heads, (rows[0].logtime_us, partition))
                    elif not self._at_end(partition):
                        break  # what comes next there may be older than what the others hold
            finally:  # Where the client fails here, the next read finds that it has to go back.
                self._next.update((partition, _offset(record) + 1) for partition, record in last.items())
            return Batch(tuple(records), self._place())

    def ends(self) -> Place:
        """Return where the partitions ended when the broker last said so; what was read or appended here lies before that."""
        with self._reading_lock:
            known = {
                partition: max(self._fetched[partition], self._acknowledged.get(partition, 0), self._consumer.highwater(partition) or 0)
                for partition in self._next
                if self._sought
            }
        return Place(tuple(sorted((_name(partition), end) for partition, end in known.items() if end > 0)))

    def identity(self, *, afresh: bool = False) -> dict[str, str]:
        """Return what tells this log from another at the same address: the id of the cluster, and of each topic.

        `afresh`, as after a failure, who answers at the address now is asked; else whoever was found there before. One thread asks.
        """
        admin = None if afresh else self._admin
        if admin is not None:
            # A broker that it knew is gone, say; or its loop ended, as for want of files: then it raises what that met, of whatever kind.
            with suppress(Exception):
                return _identity(admin)
        with self._explained("say who it is"):
            return _identity(self._open_admin())

    def commit(self, place: Place) -> None:
        """Have the broker remember a place for the group, where those who run it see how far its readers are. Nothing here goes by it."""
        offsets = {_partition(name): OffsetAndMetadata(offset, "", -1) for name, offset in place.offsets}
        if not offsets:  # The beginning: nothing to remember, and librdkafka takes that for a mistake.
            return
        with self._reading_lock, self._explained("remember a place"):
            self._consumer.commit(offsets, timeout_ms=self._patience_ms)

    def close(self, patience_ms: int | None = None) -> None:
        """Let go of the connections; what was appended is acknowledged already, so no broker has to be waited for."""
        patience_ms = self._patience_ms if patience_ms is None else patience_ms
        self._is_closed = True
        if self._producer is not None:
            _let_go(self._producer, patience_ms / 1000)
        if self._admin is not None:
            _close_admin(self._admin)
        self._consumer.close(autocommit=False, timeout_ms=patience_ms)

    def _drop(self, producer: KafkaProducer) -> None:
        """Let go of a producer that failed: after some errors, such as a broker that lost its data, it would fail for ever."""
        with self._writing_lock:
            if self._producer is producer:
                self._producer = None
        _let_go(producer, 0)

    def _go_to(self, after: Place) -> None:
        """Make `after` the place to read on from; nothing to do where the last read ended there."""
        offsets = dict(after.offsets)
        wanted = {partition: offsets.pop(_name(partition), 0) for partition in self._next}
        if offsets:
            raise Refused(
                f"The place {after.to_text()} was kept for another log: there is no {next(iter(offsets))!r} here. Read from the start."
            )
        if wanted != self._next or not self._sought:
            self._consumer.unsubscribe()  # forgets which ends were known: only answers given from now on count
            self._consumer.assign(list(wanted))
            for partition, offset in wanted.items():
                self._consumer.seek(partition, offset)
                self._held[partition].clear()
            self._next, self._fetched, self._sought = wanted, dict(wanted), True

    def _fill(self, at_most: int, *, wait: bool) -> bool:
        """Fetch until every partition has a record to give or is read to its end; look at least once for what is new.

        Without `wait` once is enough; whether it came about.
        """
        deadline_s = monotonic() + self._patience_ms / 1000
        complete = self._complete()
        if complete and sum(map(len, self._held.values())) >= at_most:
            return True
        while True:
            waits = wait and not (complete and any(self._held.values()))
            polled = self._consumer.poll(timeout_ms=_WAIT_MS if waits else 0, max_records=max(at_most, 500))
            for partition, rows in polled.items():
                self._take(partition, rows)
            complete = self._complete()
            if complete or not wait:
                break
            if monotonic() > deadline_s:
                raise self._incomplete()
        self._listen(bool(polled))
        return complete

    def _take(self, partition: TopicPartition, rows: list[Row]) -> None:
        """Hold what was fetched; a partition that runs far ahead of the others waits for them."""
        if rows[0].offset < self._fetched[partition]:
            raise self._rewound(partition, f"begins again at {rows[0].offset}")
        held = self._held[partition]
        held.extend(map(_record, rows))
        self._fetched[partition] = rows[-1].offset + 1
        if len(held) >= _HELD_RECORDS:
            self._consumer.pause(partition)

    def _complete(self) -> bool:
        """Whether every partition has a record to give or is read to its end, so that the oldest of all is known."""
        for partition in self._consumer.paused():
            if len(self._held[partition]) < _HELD_RECORDS // 2:
                self._consumer.resume(partition)
        return all(rows or self._at_end(partition) for partition, rows in self._held.items())

    def _at_end(self, partition: TopicPartition) -> bool:
        """Whether all has been fetched that the broker had when it last answered, and all that was acknowledged to us."""
        # The end is the one that came with the records: a broker asked for it outright may count batches instead of records.
        known: int | None = self._consumer.highwater(partition)
        if known is None:
            return False
        end: int = max(known, self._acknowledged.get(partition, 0))
        reach: int = self._fetched[partition]
        if reach == end:
            return True
        # Beyond the last record there may be places that hold none: compacted away, or marks of another writer's transaction.
        position: int | None = self._consumer.position(partition, timeout_ms=0)
        return max(reach, position or 0) == end

    def _incomplete(self) -> Unavailable:
        """Return what to say when the broker's answers did not add up in time."""
        silent = [partition for partition, rows in self._held.items() if not rows and not self._at_end(partition)]
        for partition in silent:
            end = self._consumer.highwater(partition)
            if end is not None and end < self._fetched[partition]:
                return self._rewound(partition, f"ends at {end}")
        names = ", ".join(map(_name, silent[:3])) + (f" and {len(silent) - 3} more" if len(silent) > 3 else "")
        return Unavailable(
            f"Kafka at {self._bootstrap} did not say within {self._patience_ms} ms what {names} holds. Check the brokers, then try again."
        )

    def _rewound(self, partition: TopicPartition, now: str) -> Lost:
        """Return what to say of a partition that lost what was read from it; what was fetched is let go of."""
        self._sought = False
        return Lost(
            f"{_name(partition)} was read up to {self._fetched[partition]} and now {now}: the topic was made anew, or its broker "
            "lost data. Restore it, or read everything from the start."
        )

    def _listen(self, heard: bool) -> None:
        """Make sure now and then that silence is the log's and not the broker's: to a consumer both look the same."""
        if not heard and monotonic() > self._heard_s + self._patience_ms / 1000:
            self._consumer.beginning_offsets([next(iter(self._next))], timeout_ms=self._patience_ms)
            heard = True
        if heard:
            self._heard_s = monotonic()

    def _place(self) -> Place:
        """Return the place behind the last record returned."""
        return Place(tuple(sorted((_name(partition), offset) for partition, offset in self._next.items() if offset > 0)))

    def _new_producer(self) -> KafkaProducer:
        """Return a producer that repeats what was lost on the way and never writes it twice or in another order."""
        return opened(
            KafkaProducer,
            bootstrap_servers=self._bootstrap.split(","),
            client_id="coordinator",
            acks="all",
            enable_idempotence=True,
            retries=float("inf"),  # within delivery_timeout_ms
            max_in_flight_requests_per_connection=5,
            max_request_size=LARGEST_BYTES,
            batch_size=128 << 10,
            linger_ms=0,  # what is handed over together goes together where it can; nobody waits for more to come
            compression_type=None,
            allow_auto_create_topics=False,
            delivery_timeout_ms=3 * self._patience_ms,
            request_timeout_ms=self._patience_ms,
            max_block_ms=self._patience_ms,
            bootstrap_timeout_ms=self._patience_ms,
            reconnect_backoff_max_ms=RECONNECT_MS,
            metrics_enabled=False,
        )

    def _new_consumer(self) -> KafkaConsumer:
        """Return a consumer of all partitions that keeps no place of its own: places are the reader's."""
        return opened(
            _Consumer,
            bootstrap_servers=self._bootstrap.split(","),
            client_id="coordinator",
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_uncommitted",
            check_crcs=True,
            enable_incremental_fetch_sessions=False,  # every answer then tells the end of every partition
            fetch_min_bytes=1,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            fetch_max_bytes=64 << 20,
            max_partition_fetch_bytes=LARGEST_BYTES,
            allow_auto_create_topics=False,
            request_timeout_ms=self._patience_ms,
            bootstrap_timeout_ms=self._patience_ms,
            reconnect_backoff_max_ms=RECONNECT_MS,
            metrics_enabled=False,
        )

    def _prepare_topics(self, replicas: int) -> None:
        """Make the topics that are missing and refuse those that would lose events or their order."""
        settings = topic_settings(replicas)
        with self._administering() as admin:
            missing = {
                stream: {"num_partitions": PARTITIONS[stream], "replication_factor": replicas, "configs": settings[stream]}
                for stream in check_topics(admin, replicas)
            }
            if missing:
                try:
                    admin.create_topics(missing, timeout_ms=self._patience_ms, wait_for_metadata=True)
                except TopicAlreadyExistsError:
                    pass  # another coordinator starts at the same time
                except InvalidReplicationFactorError:
                    raise Refused(
                        f"Kafka at {self._bootstrap} has too few brokers for {replicas} copies of each record. Add brokers; "
                        "to keep fewer copies, and lose what they hold with them, say how many: --replicas 1"
                    ) from None
                check_topics(admin, replicas)
            for stream in () if self.unpacks else packed_topics(admin):
                logger.warning(
                    "a topic may hold batches that are packed as plain Python cannot unpack them, and is not read beyond one",
                    topic=stream,
                    mend=_mending(self._bootstrap, stream, {_PACKING: "uncompressed"}),
                    instead="--client confluent unpacks all",
                )

    @contextmanager
    def _administering(self) -> Iterator[KafkaAdminClient]:
        """Hold a client that can ask about topics and make them."""
        admin = self._new_admin()
        try:
            yield admin
        finally:
            _close_admin(admin)

    def _open_admin(self) -> KafkaAdminClient:
        """Return a client to ask now and then, in place of the one before; once this object is closed there is none.

        It is kept, for each that is closed leaves some 40 objects in rings, for a look for garbage to find (`memory.py`).
        """
        before, self._admin = self._admin, None
        if before is not None:
            _close_admin(before)
        if not self._is_closed:
            self._admin = self._new_admin()
        if self._is_closed:
            if self._admin is not None:  # made while this was closed
                _close_admin(self._admin)
            raise Unavailable(f"the connection to Kafka at {self._bootstrap} was closed here; who it is was not asked")
        return self._admin

    def _new_admin(self) -> KafkaAdminClient:
        return opened(
            KafkaAdminClient,
            bootstrap_servers=self._bootstrap.split(","),
            client_id="coordinator",
            request_timeout_ms=self._patience_ms,
            bootstrap_timeout_ms=self._patience_ms,
            reconnect_backoff_max_ms=RECONNECT_MS,
        )

    @contextmanager
    def _explained(self, task: str) -> Iterator[None]:
        """Turn what the client says into what a person can do."""
        try:
            yield
        except UnsupportedCodecError as error:
            raise Unavailable(
                f"Kafka at {self._bootstrap} holds what cannot be read here: {error.args[0]}. Start with --client confluent, which unpacks "
                f"all; for what comes later: {_mending(self._bootstrap, 'TOPIC', {_PACKING: 'uncompressed'})}"
            ) from error
        except KafkaError as error:
            raise Unavailable(
                f"Kafka at {self._bootstrap} did not {task}: {error or type(error).__name__}. Check the brokers, then try again."
            ) from error


@dataclass(frozen=True, slots=True)
class _Sending:
    """Entries on their way to the broker."""

    log: KafkaLog
    producer: KafkaProducer
    entries: Sequence[Entry]
    futures: Sequence[FutureRecordMetadata]

    def is_known(self) -> bool:
        """Whether the broker, or time, has told of each whether it stands."""
        return all(future.is_done for future in self.futures)

    def finish(self) -> list[Record]:
        """Return the entries as `append` does, once they stand."""
        return self.log._finish(self.producer, self.entries, self.futures)


class _Fetched(Fetcher.PartitionRecords):  # type: ignore[misc]  # it comes without types
    """What a broker answered of one partition; batches of the forms before Kafka 0.11 are refused."""

    next_fetch_offset: int

    def take(self, n: int | None = None) -> list[Row]:
        """Return the next rows; what cannot be read is let go of once that is raised, so that the next poll asks for it again.

        Else it would give nothing more and never be used up, as with kafka-python's own, and whoever polls would turn for ever.
        """
        try:
            rows: list[Row] = super().take(n)
        except Exception:
            self.drain()
            raise
        return rows

    def _unpack_records(self, partition: TopicPartition, records: Any, *_: Any) -> Iterator[Row]:
        while (batch := records.next_batch()) is not None:
            if batch.magic < _FORM:
                where = f"{_name(partition)} from {self.next_fetch_offset} on"
                raise CorruptRecordError(f"a batch of {where} is of a form older than Kafka 0.11, which is not read")
            if self.check_crcs and not batch.validate_crc():
                raise CorruptRecordError(f"a batch of {_name(partition)} at {batch.base_offset} has another checksum than it tells")
            self.leader_epoch = batch.leader_epoch  # before its rows: by it the broker is asked, once the leader changed, where these end
            if not batch.is_control_batch:
                try:
                    for row in rows_of(_unpacked(batch, partition), *partition):
                        self.next_fetch_offset = row.offset + 1
                        yield row
                except (ValueError, IndexError) as error:
                    raise CorruptRecordError(f"a batch of {_name(partition)} at {batch.base_offset} cannot be read: {error}") from None
            self.bytes_read += batch.size_in_bytes  # of whom something was read, the others are asked first the next time
            self.next_fetch_offset = batch.next_offset
        self.drain()


def _unpacked(batch: Any, partition: TopicPartition) -> Any:
    """Return a batch as it was before it was packed. ValueError where it never was, UnsupportedCodecError where nothing here can tell."""
    try:
        return iter(batch)
    except UnsupportedCodecError as error:
        raise UnsupportedCodecError(f"a batch of {_name(partition)} at {batch.base_offset} is packed ({error.args[0]})") from None
    except Exception as error:  # of whatever kind the library has that unpacks it
        raise ValueError(f"it cannot be unpacked ({error or type(error).__name__})") from error


class _Consumer(KafkaConsumer):  # type: ignore[misc]  # it comes without types
    """A consumer that lets go of a partition while it is paused.

    What kafka-python 3.0 has fetched of a paused partition it keeps, and hands on only if just before nothing else was left to hand
    on; until then it fetches nothing more of it. Where several are paused in turn, as in any long history, that may be never.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # Names of its own: a client that has others is left as it is, and tests tell.
        if hasattr(self._fetcher, "_net"):
            self._fetcher._net = _Waits(self._fetcher._net)
        if hasattr(self._fetcher, "PartitionRecords"):
            self._fetcher.PartitionRecords = _Fetched
        self._paused_at: dict[TopicPartition, tuple[int | None, int | None]] = {}  # where to go on, and the end as it was known then

    def paused(self) -> set[TopicPartition]:
        return set(self._paused_at)

    def pause(self, partition: TopicPartition) -> None:
        self._paused_at[partition] = self.position(partition), self.highwater(partition)
        self.assign(self.assignment() - {partition})

    def resume(self, partition: TopicPartition) -> None:
        offset, _ = self._paused_at.pop(partition)
        self.assign(self.assignment() | {partition})
        self.seek(partition, offset)

    def highwater(self, partition: TopicPartition) -> int | None:
        if partition in self._paused_at:
            return self._paused_at[partition][1]
        end: int | None = super().highwater(partition)
        return end

    def position(self, partition: TopicPartition, timeout_ms: float | None = None) -> int | None:
        if partition in self._paused_at:
            return self._paused_at[partition][0]
        offset: int | None = super().position(partition, timeout_ms=timeout_ms)
        return offset

    def unsubscribe(self) -> None:
        self._paused_at.clear()
        super().unsubscribe()


def opened(kind: Callable[..., Client], **options: Any) -> Client:
    """Return a client of kafka-python; one that finds no broker in time is let go of, with the thread that it began.

    Unavailable where this process, or this machine, has no files left to begin one with: trying again later is all that helps.
    """
    connections: list[KafkaNetClient] = []

    def connecting(**told: Any) -> KafkaNetClient:
        # Nobody reads what it would count. A client that asks about topics counts all the same, and leaves 270 objects more in rings.
        connections.append(KafkaNetClient(**told | {"metrics": None}))
        return connections[0]

    try:
        return kind(**options, kafka_client=connecting)
    except BaseException as error:
        for each in connections:
            each.close()
        if isinstance(error, OSError) and error.errno in (EMFILE, ENFILE):
            raise Unavailable(
                f"a connection to Kafka at {','.join(options['bootstrap_servers'])} cannot be begun here: {error.strerror or error}. Close "
                "what holds files open, or allow this process more of them (ulimit -n), then try again."
            ) from error
        raise


def checked_address(bootstrap: str) -> str:
    """Return the address of brokers, ``host:port[,host:port]``, as every client takes it; refuse what is none.

    A client would guess at a port, or fail over it. Blanks around each are left out, and so is ``PLAINTEXT://``, as brokers call what they
    listen on; under another such name they expect a client that has a key or a password, which this one has not.
    """
    found = [each.strip().removeprefix("PLAINTEXT://") for each in bootstrap.split(",")]
    if not all(map(_is_address, found)):
        raise Refused(
            f"the address of Kafka is {shown(bootstrap)}; HOST:PORT was expected, or several with commas between: say it like "
            "kafka-1:9092,kafka-2:9092"
        )
    return ",".join(found)


def _is_address(address: str) -> bool:
    found = _HOST_AND_PORT.fullmatch(address)
    if found is None or not 0 < int(found["port"]) <= LAST_PORT:
        return False
    if found["number"] is None:
        return True
    try:
        return bool(IPv6Address(found["number"]))
    except AddressValueError:
        return False


class _Waits:
    """What the client waits with for records, but for the rings that it leaves.

    A wait in vain, of which a silent log has ten a second, ends in an error that holds the frames it came through, and those hold it:
    some seventy objects that only a look for garbage finds, late, and all wait for that look (`memory.py`).
    """

    def __init__(self, net: Any) -> None:
        self._net = net

    def __getattr__(self, name: str) -> Any:
        return getattr(self._net, name)

    def run(self, wait: Any, *arguments: Any) -> Any:
        try:
            return self._net.run(wait, *arguments)
        except KafkaTimeoutError as error:
            raise error.with_traceback(None) from None


def _identity(admin: KafkaAdminClient) -> dict[str, str]:
    """Return the id of a cluster, and of each topic."""
    topics = {topic["name"]: str(topic["topic_id"]) for topic in admin.describe_topics(list(PARTITIONS))}
    return {"cluster": str(admin.describe_cluster()["cluster_id"]), **topics}


def _close_admin(admin: KafkaAdminClient) -> None:
    """Let go of a client that asked; one whose loop ended raises here once more what that met, and nothing can be done about it."""
    with suppress(Exception):
        admin.close()


def check_topics(admin: KafkaAdminClient, replicas: int) -> list[str]:
    """Return the streams that have no topic yet; refuse a topic that would lose or misdate events, or mix up their order."""
    named = set(admin.list_topics())
    there = [stream for stream in PARTITIONS if stream in named]
    if there:
        described = admin.describe_topics(there)
        partitions = {topic["name"]: len(topic["partitions"]) for topic in described}
        _check_copies({topic["name"]: len(row["replica_nodes"]) for topic in described for row in topic["partitions"]}, replicas)
        for stream, found in _settings(admin, there).items():
            _check_topic(stream, partitions.get(stream, 0), found, topic_settings(replicas)[stream])
    return [stream for stream in PARTITIONS if stream not in named]


def packed_topics(admin: KafkaAdminClient) -> list[str]:
    """Return the streams whose topics keep batches packed as they come, or pack them."""
    return [stream for stream, found in _settings(admin, list(PARTITIONS)).items() if found.get(_PACKING) != "uncompressed"]


def _settings(admin: KafkaAdminClient, streams: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return how the topics of some streams are set up, by the broker's defaults too."""
    found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, stream) for stream in streams], config_filter="all")["topic"]
    return {stream: {name: str(entry["value"]) for name, entry in found[stream].items()} for stream in streams}


def _check_copies(found: Mapping[str, int], replicas: int) -> None:
    """Refuse topics that keep fewer copies than was asked for: what to say then is how many there are."""
    few = [stream for stream, copies in found.items() if copies < replicas]
    if few:
        copies = found[few[0]]
        raise Refused(
            f"The topic {few[0]} keeps {copies} of each record, and {replicas} copies were asked for. To go on with what is there, say "
            f"--replicas {copies} (or the setting kafka_replicas), as when it was made; kafka-reassign-partitions adds copies."
        )


def _check_topic(stream: str, partitions: int, found: Mapping[str, str], expected: Mapping[str, str]) -> None:
    """Refuse a topic with other partitions or settings than its stream needs; packing loses nothing."""
    if partitions != PARTITIONS[stream]:
        raise Refused(
            f"The topic {stream} has {partitions} partitions; expected {PARTITIONS[stream]}. Make it anew: their number cannot change."
        )
    wrong = [
        f"{name}={found.get(name)} (expected {value})" for name, value in expected.items() if name != _PACKING and found.get(name) != value
    ]
    if wrong:
        raise Refused(f"The topic {stream} is set up to lose or misdate events: {', '.join(wrong)}. Set these with kafka-configs.")


def _mending(bootstrap: str, stream: str, settings: Mapping[str, str]) -> str:
    """Return the command of Kafka's that sets a topic up."""
    told = ",".join(f"{name}={value}" for name, value in settings.items())
    return f"kafka-configs --bootstrap-server {bootstrap} --alter --entity-type topics --entity-name {stream} --add-config {told}"


def _let_go(producer: KafkaProducer, wait_s: float) -> None:
    """Close a producer, with what it could not send in time."""
    try:
        producer.close(timeout=wait_s)
    except KafkaError:
        # Where the last records cannot be sent, `close` gives up half-way and leaves a thread that goes on sending them, long after
        # others were sent in their place.
        producer._sender.force_close()


def _send(producer: KafkaProducer, entry: Entry, headers: list[tuple[str, bytes]], value: bytes | None) -> FutureRecordMetadata:
    """Return what will become of an entry; it goes to the partition of its key, whatever the client would choose."""
    partition = partition_of(entry.key, PARTITIONS[entry.stream])
    return producer.send(entry.stream, key=entry.key.encode(), value=value, headers=headers, partition=partition)


def _record(row: Row) -> Record:
    """Return a record as readers of every log know it."""
    event = row.value or b""  # If it is no event: the reader refuses it with the reason, and goes on.
    if row.headers is not None:
        with suppress(Refused):
            event = from_binary(row.headers, row.value)
    entry = Entry(row.topic, (row.key or b"").decode(errors="replace"), event)
    # A broker that keeps writers' stamps may tell any, as well that there is none.
    stamp_us = min(max(row.timestamp * 1000, 0), LATEST_US)
    return Record(entry, f"{row.topic}/{row.partition}/{row.offset}", stamp_us)


def _offset(record: Record) -> int:
    """Return the offset of a record in its partition."""
    return int(record.position.rsplit("/", 1)[1])


def _name(partition: TopicPartition) -> str:
    """Return the name of a partition as places write it."""
    return f"{partition.topic}/{partition.partition}"


def _partition(name: str) -> TopicPartition:
    """Return the partition that places write as this name."""
    topic, _, number = name.rpartition("/")
    return TopicPartition(topic, int(number))
