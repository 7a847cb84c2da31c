"""The clients of Kafka that the log goes by: kafka-python, and confluent-kafka where the extra `fast` is installed."""

from importlib.util import find_spec

import pytest

from coordinator.adapters.kafka_log import KafkaLog

__all__ = ["CLIENTS", "log_class"]

CLIENTS = ("kafka-python", "confluent")


def log_class(client: str) -> type[KafkaLog]:
    """The log that goes by a client; the test is skipped, saying what stays untested, where it is not installed."""
    if client == "kafka-python":
        return KafkaLog
    if find_spec("confluent_kafka") is None:
        pytest.skip("NOT TESTED: the log on Kafka by confluent-kafka. Install the extra `fast`.")
    from coordinator.adapters.confluent_log import ConfluentLog

    return ConfluentLog
