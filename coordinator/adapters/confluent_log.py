"""The log on Kafka through librdkafka, for those who read and write more than plain Python can: the extra `fast`.

What makes a log of Kafka stays in `kafka_log`; this gives it another reader and another writer, with the same options written out.
Topics are still looked after by kafka-python.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from operator import methodcaller
from threading import Condition, Lock, Thread
from time import monotonic, sleep
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, Producer
from confluent_kafka import KafkaError as ClientError
from confluent_kafka import TopicPartition as Wanted
from kafka import TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.structs import OffsetAndMetadata

from coordinator.adapters.kafka_log import FETCH_WAIT_MS, LARGEST_BYTES, RECONNECT_MS, KafkaLog
from coordinator.adapters.kafka_rows import Row

__all__ = ["ConfluentLog"]

LISTEN_S = 1.0  # at a time; what comes is heard at once
FULL_PAUSE_S = 0.01  # before what is not taken is handed over again
_NO_GROUP = "stigmergy-reader"  # librdkafka wants a name even of readers that belong to no group; no place is kept under it
_LOGGER = logging.getLogger("kafka.librdkafka")


class ConfluentLog(KafkaLog):
    """What `KafkaLog` is, with less work a record: it is worth having where reading or writing is what takes the time."""

    unpacks = True

    def _new_producer(self) -> "_Writer":
        """Return a producer that repeats what was lost on the way and never writes it twice or in another order."""
        # Topics are made by nobody but `_prepare_topics`: whether an unknown one is made at a word is the broker's to say here.
        options = {
            "acks": "all",
            "enable.idempotence": True,
            "retries": 2_147_483_647,  # within delivery.timeout.ms
            "max.in.flight.requests.per.connection": 5,
            "partitioner": "murmur2_random",  # every record names its partition; this is what the others choose who do not
            "message.max.bytes": LARGEST_BYTES,
            "batch.size": 128 << 10,
            "linger.ms": 0,
            "compression.type": "none",
            "delivery.timeout.ms": 3 * self._patience_ms,
            "request.timeout.ms": self._patience_ms,
            "topic.metadata.propagation.max.ms": self._patience_ms,
        }
        return _Writer(self._common() | options, self._patience_ms)

    def _new_consumer(self) -> "_Reader":
        """Return a consumer of all partitions that keeps no place of its own: places are the reader's."""
        options = {
            "group.id": self._group or _NO_GROUP,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_uncommitted",
            "check.crcs": True,
            "enable.partition.eof": True,  # says where a partition ended when the broker was asked
            "fetch.min.bytes": 1,
            "fetch.wait.max.ms": FETCH_WAIT_MS,
            "fetch.max.bytes": 64 << 20,
            "max.partition.fetch.bytes": LARGEST_BYTES,
            "receive.message.max.bytes": 80 << 20,
            "queued.max.messages.kbytes": 64 << 10,  # fetched ahead, of all partitions together
            "fetch.queue.backoff.ms": 10,
            "allow.auto.create.topics": False,
        }
        return _Reader(self._common() | options)

    def _common(self) -> dict[str, Any]:
        return {
            "bootstrap.servers": self._bootstrap,
            "client.id": "coordinator",
            "socket.timeout.ms": self._patience_ms + 1_000 + FETCH_WAIT_MS,  # librdkafka wants it a second above the wait of a fetch
            "socket.connection.setup.timeout.ms": max(1_000, self._patience_ms),
            "reconnect.backoff.max.ms": RECONNECT_MS,
            "logger": _LOGGER,
            "error_cb": lambda error: _LOGGER.info("%s", error),  # connections that come and go: whoever waits is told by what it waits for
        }


class _Sent:
    """What becomes of a record that was handed over; `news` tells that something became of some."""

    def __init__(self, topic: str, partition: int, news: Condition) -> None:
        self.topic, self.partition = topic, partition
        self.topic_partition = TopicPartition(topic, partition)
        self.offset, self.timestamp = -1, -1
        self.is_done = False
        self._news = news
        self._error: ClientError | None = None

    def told(self, error: ClientError | None, message: Message) -> None:
        """Take down what the broker said of it."""
        if error is None:
            self.offset, self.timestamp = message.offset(), message.timestamp()[1]
        self._error, self.is_done = error, True

    def get(self, timeout: float) -> "_Sent":
        """Return it with its offset and stamp; KafkaError where it is not known to stand within so many seconds."""
        if not self.is_done:
            with self._news:
                self._news.wait_for(lambda: self.is_done, timeout)
        if not self.is_done:
            raise KafkaTimeoutError("the broker did not say in time whether it has the record")
        if self._error is not None:
            raise KafkaError(self._error.str())
        if self.offset < 0:
            raise KafkaError("the broker has the record already, and does not say where")
        return self


class _Writer:
    """As much of a producer as `kafka_log` asks for."""

    def __init__(self, options: Mapping[str, Any], patience_ms: int) -> None:
        self._patience_s = patience_ms / 1000
        self._news = Condition()
        self._taking, self._is_closed = Lock(), False  # nothing is taken once this is closed: nobody would hear what becomes of it
        self._is_over = False  # of what was taken before, all is known that will be
        with _explained():
            self._producer = Producer(dict(options))
        # Who waits for a record cannot listen for it as well: what was heard for another would be told to nobody.
        Thread(target=self._listen, name="kafka-answers", daemon=True).start()

    def send(self, topic: str, *, key: bytes, value: bytes | None, headers: list[tuple[str, bytes]], partition: int) -> _Sent:
        """Hand a record over; KafkaError where it is not taken, as once this is closed."""
        sent, deadline_s = _Sent(topic, partition, self._news), monotonic() + self._patience_s
        while True:
            try:
                with self._taking, _explained():
                    if self._is_closed:
                        raise KafkaError("this producer was closed")
                    self._producer.produce(topic, value=value, key=key, headers=headers, partition=partition, on_delivery=sent.told)
            except BufferError:  # more waits to be sent than may: what can go goes first
                if monotonic() > deadline_s:
                    raise KafkaTimeoutError("what waits to be sent is not taken") from None
                sleep(FULL_PAUSE_S)
            else:
                return sent

    def close(self, timeout: float) -> None:
        """Send what can be sent in time, and nothing afterwards; what is handed over from now on is refused."""
        with self._taking:
            self._is_closed = True
        if timeout:
            self._producer.flush(timeout)
        with suppress(KafkaException):  # what it could not let go of it gives up in its own time
            self._producer.purge()
        self._producer.flush(0)
        self._is_over = True
        self._tell()  # who waits

    def _listen(self) -> None:
        """Take down what the broker says of each record, until this is closed and nothing more is to come."""
        while not self._is_over:
            if self._producer.poll(LISTEN_S):
                self._tell()

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()


class _Reader:
    """As much of a consumer as `kafka_log` asks for."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._asked: dict[TopicPartition, int] = {}  # where to read from now on, not yet told to librdkafka
        self._reached: dict[TopicPartition, int] = {}  # ends that were reached, with places behind the last record that hold none
        self._paused: set[TopicPartition] = set()
        self._failed: KafkaError | None = None
        self._not_committed: KafkaError | None = None
        self._options = {**options, "on_commit": self._committed}
        self._is_fresh = True
        with _explained():
            self._consumer = Consumer(self._options)

    def unsubscribe(self) -> None:
        """Forget which ends were known; librdkafka keeps them for as long as a consumer lasts."""
        if not self._is_fresh:
            with _explained():
                self._consumer.close()
                self._consumer = Consumer(self._options)
        self._asked, self._reached, self._paused, self._failed, self._is_fresh = {}, {}, set(), None, True

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Read these from now on; from where, `seek` says."""
        self._asked, self._is_fresh = dict.fromkeys(partitions, 0), False

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._asked[partition] = offset

    def poll(self, timeout_ms: float, max_records: int) -> dict[TopicPartition, list[Row]]:
        """Return what came, at most so many; what failed is said once all that came with it is handed on."""
        with _explained():
            if self._asked:
                self._consumer.assign([Wanted(*partition, offset) for partition, offset in self._asked.items()])
                self._asked = {}
            # Asked for many at once it would wait until it has them all.
            messages = self._consumer.consume(1, timeout_ms / 1000)
            messages += self._consumer.consume(max_records - 1, 0) if messages and max_records > 1 else ()
        rows: dict[tuple[str, int], list[Row]] = {}
        for message in messages:
            if message.error() is None:
                row = _row(message)
                rows.setdefault((row.topic, row.partition), []).append(row)
            else:
                self._heed(message)
        told = {TopicPartition(*name): found for name, found in rows.items()}
        if not told and self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed
        return told

    def _heed(self, message: Message) -> None:
        """Take down an end that was reached, or what failed."""
        if message.error().code() == ClientError._PARTITION_EOF:
            self._reached[TopicPartition(message.topic(), message.partition())] = message.offset()
        else:
            self._failed = KafkaError(message.error().str())

    def highwater(self, partition: TopicPartition) -> int | None:
        """Return the end as it came with the last answer to a fetch; None before there was one."""
        with _explained():
            ends = self._consumer.get_watermark_offsets(Wanted(*partition), cached=True)
        return ends[1] if ends and ends[1] >= 0 else None

    def position(self, partition: TopicPartition, timeout_ms: float) -> int | None:  # noqa: ARG002  # known at once
        """Return the last end that was reached; None before the first."""
        return self._reached.get(partition)

    def beginning_offsets(self, partitions: Iterable[TopicPartition], timeout_ms: float) -> None:
        """Ask the broker for something, and be sure of an answer."""
        with _explained():
            for partition in partitions:
                if self._consumer.get_watermark_offsets(Wanted(*partition), timeout=timeout_ms / 1000) is None:
                    raise KafkaTimeoutError("the broker does not answer")

    def paused(self) -> set[TopicPartition]:
        return set(self._paused)

    def pause(self, partition: TopicPartition) -> None:
        with _explained():
            self._consumer.pause([Wanted(*partition)])
        self._paused.add(partition)

    def resume(self, partition: TopicPartition) -> None:
        with _explained():
            self._consumer.resume([Wanted(*partition)])
        self._paused.discard(partition)

    def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata], timeout_ms: float) -> None:  # noqa: ARG002
        """Send places without waiting: librdkafka has no bound for that wait. What failed is said the next time."""
        failed, self._not_committed = self._not_committed, None
        with _explained():
            self._consumer.commit(offsets=[Wanted(*partition, told.offset) for partition, told in offsets.items()], asynchronous=True)
        if failed is not None:
            raise failed

    def _committed(self, error: ClientError | None, _places: object) -> None:
        self._not_committed = None if error is None else KafkaError(error.str())

    def close(self, autocommit: bool, timeout_ms: float) -> None:  # noqa: ARG002  # nothing is kept, so nothing is waited for
        with _explained():
            self._consumer.close()


def _row(message: Message) -> Row:
    return Row(
        message.topic(),
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        _headers(message),
    )


def _headers(message: Message) -> list[tuple[str, bytes | None]] | None:
    """Return the headers of a record; None where some name is not UTF-8."""
    # confluent-kafka then returns a list of which that header is no object at all, with an error left standing; whoever calls it from C
    # looks for that, while a call from here may pass it over, and what comes next fails or crashes.
    try:
        return _told_headers(message) or []
    except (UnicodeDecodeError, SystemError):
        return None


_told_headers = methodcaller("headers")


@contextmanager
def _explained() -> Iterator[None]:
    """Raise what librdkafka met as what `kafka_log` knows."""
    try:
        yield
    except KafkaException as error:
        raise KafkaError(error.args[0].str() if error.args else "librdkafka failed") from error
