"""What a broker really does, tried out on topics that are removed again: what the coordinator needs, and what it can do without."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from time import monotonic, sleep, time
from typing import Any
from uuid import uuid4

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import InvalidReplicationFactorError, KafkaError
from kafka.structs import OffsetAndMetadata

from coordinator.adapters.kafka_log import check_topics, checked_address, packed_topics, topic_settings
from coordinator.errors import Refused, Unavailable
from coordinator.stream import LARGEST_EVENT_BYTES, SIGNAL, partition_of
from coordinator.wording import counted

__all__ = ["PROBES", "Probe", "probe"]

PATIENCE_MS = 15_000
AWAY_S = 300  # a broker's clock further from ours than this misdates what everybody says
MANY = 1_000
COMPACTED_S = 45.0  # within which a broker with default settings should have compacted the little there is
COMPACT = {"cleanup.policy": "compact", "segment.ms": "1000", "min.cleanable.dirty.ratio": "0.001", "delete.retention.ms": "100"}


@dataclass(frozen=True, slots=True)
class Probe:
    """One promise, how it is tried, and whether the coordinator needs it."""

    what: str
    needed: bool
    run: Callable[["_Bench"], str]


def probe(bootstrap: str, replicas: int) -> Iterator[tuple[Probe, bool, str]]:
    """Yield each probe with whether the broker keeps the promise, and what was seen. Unavailable when no broker answers."""
    bootstrap = checked_address(bootstrap)
    with _explained(bootstrap), closing(_Bench(bootstrap, replicas)) as bench:
        for each in PROBES:
            try:
                yield each, True, each.run(bench)
            except (Refused, Unavailable) as error:
                yield each, False, str(error)
            except KafkaError as error:
                yield each, False, f"the broker did not go along: {error or type(error).__name__}"


@contextmanager
def _explained(bootstrap: str) -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        raise Unavailable(
            f"Kafka at {bootstrap} did not answer: {error or type(error).__name__}. Check the address and the brokers."
        ) from error


class _Bench:
    """The clients of the probes, and topics that vanish with it."""

    def __init__(self, bootstrap: str, replicas: int) -> None:
        self.bootstrap, self.replicas = bootstrap, replicas
        self.where = {"bootstrap_servers": bootstrap.split(","), "client_id": "coordinator-doctor", "request_timeout_ms": PATIENCE_MS}
        self.admin = KafkaAdminClient(**self.where, bootstrap_timeout_ms=PATIENCE_MS)
        self._topics: list[str] = []

    def topic(self, settings: Mapping[str, str] | None = None, partitions: int = 1) -> str:
        """Make a topic, set up as the signal stream is unless said otherwise."""
        name = f"stigmergy.doctor.{uuid4().hex}"
        chosen = dict(topic_settings(self.replicas)[SIGNAL] if settings is None else settings)
        made = {"num_partitions": partitions, "replication_factor": self.replicas, "configs": chosen}
        self._topics.append(name)
        try:
            self.admin.create_topics({name: made}, timeout_ms=PATIENCE_MS, wait_for_metadata=True)
        except InvalidReplicationFactorError:
            raise Refused(
                f"it was not tried: no topic with {self.replicas} copies of each record can be made here; add brokers, "
                "or say --replicas for fewer copies"
            ) from None
        return name

    def producer(self, **more: Any) -> KafkaProducer:
        options = {"acks": "all", "enable_idempotence": True, "max_block_ms": PATIENCE_MS, "delivery_timeout_ms": 2 * PATIENCE_MS, **more}
        return KafkaProducer(**self.where, max_request_size=4 << 20, **options)

    @contextmanager
    def reading(self, topic: str, partition: int = 0, *, isolation: str = "read_uncommitted") -> Iterator[KafkaConsumer]:
        consumer = KafkaConsumer(**self.where, auto_offset_reset="earliest", isolation_level=isolation, enable_auto_commit=False)
        with closing(consumer):
            consumer.assign([TopicPartition(topic, partition)])
            consumer.seek_to_beginning()
            yield consumer

    def read(
        self, topic: str, partition: int = 0, *, until: bytes | None = None, isolation: str = "read_uncommitted"
    ) -> list[ConsumerRecord]:
        """Return what a partition holds: up to the value `until`, or to the end that came with the records."""
        there, rows = TopicPartition(topic, partition), []
        with self.reading(topic, partition, isolation=isolation) as consumer:
            deadline_s = monotonic() + PATIENCE_MS / 1000
            while monotonic() < deadline_s:
                rows += consumer.poll(timeout_ms=200).get(there, [])
                end = consumer.highwater(there)
                if (rows and rows[-1].value == until) or (until is None and end is not None and consumer.position(there) >= end):
                    return rows
        raise Unavailable(f"of {len(rows)} records read, the last was not the last written, after {PATIENCE_MS} ms")

    def close(self) -> None:
        """Remove the topics."""
        for topic in self._topics:
            with suppress(KafkaError):
                self.admin.delete_topics([topic])
        self.admin.close()


def _only(rows: list[ConsumerRecord]) -> ConsumerRecord:
    if len(rows) != 1:
        raise Refused(f"one record was written and {len(rows)} came back; use another broker")
    return rows[0]


def _cluster(bench: _Bench) -> str:
    told = bench.admin.describe_cluster()
    brokers = len(told["brokers"])
    if brokers < bench.replicas:
        raise Refused(
            f"brokers that answer: {brokers}, too few for {bench.replicas} copies; add brokers, or say --replicas for fewer copies"
        )
    return f"{told['cluster_id']}, {counted(brokers, 'broker')}; copies of each record: {bench.replicas}"


def _streams(bench: _Bench) -> str:
    missing = check_topics(bench.admin, bench.replicas)
    if missing:
        return f"{len(missing)} are not there yet; serve makes them"
    packed = packed_topics(bench.admin)
    beside = f"; packed batches, which only --client confluent reads, may stand in {', '.join(packed)}" if packed else ""
    return f"there, set up to lose nothing{beside}"


def _log_time(bench: _Bench) -> str:
    """A record written with a time long ago comes back with the broker's own."""
    topic = bench.topic()
    with closing(bench.producer()) as producer:
        producer.send(topic, b"x", timestamp_ms=1_000_000_000_000).get(timeout=PATIENCE_MS / 1000)
    row = _only(bench.read(topic))
    away_s = abs(row.timestamp / 1000 - time())
    if away_s > AWAY_S:
        raise Refused(
            f"a record is stamped {away_s:.0f} s away from this clock; expected the broker's time of appending, within {AWAY_S} s. "
            "Set message.timestamp.type=LogAppendTime, and the clocks"
        )
    return "the broker stamps what is appended"


def _partitions(bench: _Bench) -> str:
    """Keys stand in the partition that all clients of Kafka expect."""
    topic = bench.topic(partitions=8)
    with closing(bench.producer()) as producer:
        keys = [f"agent-{number}" for number in range(40)]
        sent = [producer.send(topic, b"x", key=key.encode()).get(timeout=PATIENCE_MS / 1000) for key in keys]
    found = {(row.key or b"").decode(errors="replace"): number for number in range(8) for row in bench.read(topic, number)}
    if found != {key: partition_of(key, 8) for key in keys} or [one.partition for one in sent] != [found[key] for key in keys]:
        raise Refused("keys came back from other partitions than they were sent to; the order of an agent's words would be lost")
    return "a key stays in its partition"


def _order(bench: _Bench) -> str:
    """What one writer sends comes back once, in its order, where the broker said it would stand."""
    topic = bench.topic()
    values = [b"%d" % number for number in range(MANY)]
    with closing(bench.producer(linger_ms=5)) as producer:
        sent = [producer.send(topic, value) for value in values]
        producer.flush(timeout=2 * PATIENCE_MS / 1000)
        offsets = [one.get(timeout=PATIENCE_MS / 1000).offset for one in sent]
    rows = bench.read(topic, until=values[-1])
    if [row.value for row in rows] != values or [row.offset for row in rows] != offsets:
        raise Refused(f"{MANY} records of one writer did not come back once each, in order, where the broker said; use another broker")
    return f"{MANY} records of an idempotent writer came back once, in order"


def _end(bench: _Bench) -> str:
    """The end that comes with the records is right: by it the coordinator knows that it has caught up."""
    topic = bench.topic()
    with closing(bench.producer(linger_ms=20)) as producer:
        for number in range(100):
            producer.send(topic, b"%d" % number)
        producer.flush(timeout=PATIENCE_MS / 1000)
    there = TopicPartition(topic, 0)
    rows = bench.read(topic, until=b"99")
    with bench.reading(topic) as consumer:
        deadline_s = monotonic() + PATIENCE_MS / 1000
        while consumer.highwater(there) is None and monotonic() < deadline_s:
            consumer.poll(timeout_ms=200)
        told, asked = consumer.highwater(there), consumer.end_offsets([there])[there]
    if told != rows[-1].offset + 1:
        raise Refused(f"the end that comes with the records is {told}, and {rows[-1].offset + 1} is right; use another broker")
    return "the end that comes with the records is right" + (
        "" if asked == told else f"; asked outright it says {asked}, which nothing uses"
    )


def _largest(bench: _Bench) -> str:
    """The largest event fits with its headers."""
    topic = bench.topic()
    with closing(bench.producer()) as producer:
        producer.send(topic, b"x" * LARGEST_EVENT_BYTES, headers=[("ce_id", b"x" * 4_096)]).get(timeout=PATIENCE_MS / 1000)
    row = _only(bench.read(topic))
    if len(row.value) != LARGEST_EVENT_BYTES:
        raise Refused(f"an event of {LARGEST_EVENT_BYTES} bytes came back with {len(row.value)}; use another broker")
    return f"an event of {LARGEST_EVENT_BYTES} bytes fits"


def _group(bench: _Bench) -> str:
    topic, group = bench.topic(), f"stigmergy-doctor-{uuid4().hex}"
    there = TopicPartition(topic, 0)
    for committed in (None, 7):
        with closing(KafkaConsumer(**bench.where, group_id=group, enable_auto_commit=False)) as consumer:
            consumer.assign([there])
            if consumer.committed(there) != committed:
                raise Refused(
                    f"a place committed as {committed} came back as {consumer.committed(there)}; tools will not see how far it is"
                )
            if committed is None:
                consumer.commit({there: OffsetAndMetadata(7, "", -1)}, timeout_ms=PATIENCE_MS)
    with suppress(KafkaError):
        bench.admin.delete_groups([group])
    return "a group's place is kept"


def _aborted(bench: _Bench) -> str:
    """Readers who ask for committed records alone do not see those that were taken back."""
    topic = bench.topic()
    with closing(bench.producer(transactional_id=f"stigmergy-doctor-{uuid4().hex}")) as producer:
        producer.init_transactions()
        for value, end in ((b"aborted", producer.abort_transaction), (b"committed", producer.commit_transaction)):
            producer.begin_transaction()
            producer.send(topic, value).get(timeout=PATIENCE_MS / 1000)
            end()
    seen = [row.value for row in bench.read(topic, until=b"committed", isolation="read_committed")]
    if seen != [b"committed"]:
        raise Refused("records of an aborted transaction are shown as if they were committed; other programs may count them")
    return "aborted records stay hidden from those who ask for that"


def _fenced(bench: _Bench) -> str:
    """A writer whose place another took is told so."""
    topic, name = bench.topic(), f"stigmergy-doctor-{uuid4().hex}"
    with closing(bench.producer(transactional_id=name)) as first, closing(bench.producer(transactional_id=name)) as second:
        first.init_transactions()
        first.begin_transaction()
        second.init_transactions()
        try:
            first.send(topic, b"late").get(timeout=PATIENCE_MS / 1000)
            first.commit_transaction()
        except KafkaError:
            return "a writer whose place was taken is told"
    raise Refused("a writer whose place another took can go on; nothing here leans on it, other programs may")


def _compacted(bench: _Bench) -> str:
    """Of a key only what was said last stays."""
    topic = bench.topic(COMPACT)
    refuses_keyless = False
    with closing(bench.producer()) as producer:  # a writer of its own, for after a refusal it may be of no more use
        try:
            producer.send(topic, b"no key").get(timeout=PATIENCE_MS / 1000)
        except KafkaError:
            refuses_keyless = True
    with closing(bench.producer()) as producer:
        for number in range(3):
            producer.send(topic, b"%d" % number, key=b"one").get(timeout=PATIENCE_MS / 1000)
        deadline_s = monotonic() + COMPACTED_S
        while monotonic() < deadline_s:
            sleep(1.2)  # longer than a segment lasts: the next record closes it, and closed ones are compacted
            producer.send(topic, b"x", key=b"other").get(timeout=PATIENCE_MS / 1000)
            if not any(row.value == b"0" for row in bench.read(topic)):
                return "of a key what was said last stays" + ("" if refuses_keyless else "; records without a key are taken all the same")
    raise Refused(f"nothing was compacted within {COMPACTED_S:g} s; streams of what stands would grow for ever, and lose nothing")


PROBES = (
    Probe("cluster", True, _cluster),
    Probe("streams", True, _streams),
    Probe("log time", True, _log_time),
    Probe("partitions", True, _partitions),
    Probe("order", True, _order),
    Probe("end", True, _end),
    Probe("largest event", True, _largest),
    Probe("group", False, _group),
    Probe("aborted transactions", False, _aborted),
    Probe("fenced writers", False, _fenced),
    Probe("compaction", False, _compacted),
)
