"""Who is to take which partitions of the signals: Kafka's consumer group says, and nothing but that is asked of it.

It reads no records and keeps no place that anybody goes by. A group that assigns one partition to two, or forgets one for a while,
costs time and nothing else: the stream of turns alone tells whose word counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Event as Flag
from threading import Thread

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from coordinator.adapters.kafka_log import RECONNECT_MS, opened
from coordinator.stream import SIGNAL, Place

__all__ = ["GROUP", "Assignment", "KafkaGroup"]

GROUP = "stigmergy-coordinator"
SESSION_MS = 6_000  # silence after which a member counts as gone: the least that brokers allow unless told otherwise
HEARTBEAT_MS = 1_000
POLL_MS = 100
LOOK_AGAIN_MS = (
    5_000  # for partitions nobody knew of: of a topic made a moment ago a member may see some only, and Kafka's own five minutes are long
)
AGAIN_S = 1.0  # before a membership that failed is begun anew
LEAVE_S = 1.0

logger = structlog.get_logger("coordinator.kafka")


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one member is to take."""

    generation: int  # raised whenever the partitions were shared anew
    partitions: frozenset[int]


class KafkaGroup:
    """A member of the group, kept up by a thread of its own."""

    def __init__(self, bootstrap: str, patience_ms: int) -> None:
        """Begin to join; what is assigned comes when it comes."""
        self._bootstrap, self._patience_ms = bootstrap, patience_ms
        self._assigned: Assignment | None = None
        self._generation = 0
        self._place: Place | None = None
        self._stop = Flag()
        self._thread = Thread(target=self._run, name="group", daemon=True)
        self._thread.start()

    def assignment(self) -> Assignment | None:
        """Return at once what is to be held here now; None before anything was assigned."""
        return self._assigned

    def commit(self, place: Place) -> None:
        """Have the broker remember, for those who watch it, how far the signals were taken; it does so when it comes to it."""
        self._place = place

    def close(self) -> None:
        """Leave the group, so that others take over at once."""
        self._stop.set()
        self._thread.join(LEAVE_S)

    def heed(self, partitions: Iterable[TopicPartition]) -> None:
        """Take down what was assigned."""
        self._generation += 1
        self._assigned = Assignment(self._generation, frozenset(each.partition for each in partitions))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._stay()
            except Exception as error:  # Whatever the client met, the way on is to join anew.
                logger.warning("the group is joined anew", reason=str(error) or type(error).__name__)
                self._stop.wait(AGAIN_S)

    def _stay(self) -> None:
        consumer = self._member()
        try:
            consumer.subscribe([SIGNAL], listener=_Listener(self, consumer))
            while not self._stop.is_set():
                consumer.poll(timeout_ms=POLL_MS)
                self._tell_place(consumer)
        finally:
            consumer.close(autocommit=False, timeout_ms=int(LEAVE_S * 1000))

    def _member(self) -> KafkaConsumer:
        return opened(
            KafkaConsumer,
            bootstrap_servers=self._bootstrap.split(","),
            client_id="coordinator",
            group_id=GROUP,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=(StickyPartitionAssignor,),
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            max_poll_interval_ms=30_000,
            fetch_max_wait_ms=POLL_MS,
            metadata_max_age_ms=LOOK_AGAIN_MS,
            request_timeout_ms=max(self._patience_ms, SESSION_MS + 1_000),
            bootstrap_timeout_ms=self._patience_ms,
            reconnect_backoff_max_ms=RECONNECT_MS,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )

    def _tell_place(self, consumer: KafkaConsumer) -> None:
        place, self._place = self._place, None
        mine = {f"{each.topic}/{each.partition}": each for each in consumer.assignment()}
        offsets = {mine[name]: OffsetAndMetadata(offset, "", -1) for name, offset in place.offsets if name in mine} if place else {}
        if offsets:
            try:
                consumer.commit(offsets, timeout_ms=self._patience_ms)
            except KafkaError as error:  # for watchers only; in the middle of sharing anew it is refused
                logger.info("the place was not committed", reason=str(error) or type(error).__name__)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # of a client without types
    def __init__(self, group: KafkaGroup, consumer: KafkaConsumer) -> None:
        self._group, self._consumer = group, consumer

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Do nothing: until another claims them, it does no harm to go on."""

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Take it down; nothing is fetched here."""
        self._consumer.pause(*assigned)
        self._group.heed(assigned)
