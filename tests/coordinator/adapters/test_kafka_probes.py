"""The doctor tells a broker that keeps its promises from one that does not, and claims nothing that it did not see."""

import json
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from typer.testing import CliRunner, Result

from coordinator.adapters.kafka_log import KafkaLog, topic_settings
from coordinator.adapters.kafka_probes import PROBES
from coordinator.cli import app
from coordinator.errors import Refused, Unavailable
from coordinator.stream import SIGNAL
from tests.support.tansu import running_broker

NEEDED = {one.what for one in PROBES if one.needed}


def doctor(address: str, *more: str) -> Result:
    return CliRunner().invoke(app, ["doctor", "kafka", "--kafka", address, "--replicas", "1", *more])


def findings(result: Result) -> dict[str, dict[str, Any]]:
    told = json.loads(result.output)
    assert told["sound"] == (result.exit_code == 0)
    return {one["what"]: one for one in told["findings"]}


def topics(address: str) -> list[str]:
    admin = KafkaAdminClient(bootstrap_servers=address)
    try:
        return [name for name in admin.list_topics() if name.startswith("stigmergy")]
    finally:
        admin.close()


@pytest.mark.slow
def test_apache_kafka_keeps_every_promise_and_is_left_as_it_was(kafka: str) -> None:
    found = findings(doctor(kafka, "--json"))
    assert {what: one["told"] for what, one in found.items() if not one["sound"]} == {}
    assert "6 are not there yet" in found["streams"]["told"]
    deadline_s = monotonic() + 30
    while topics(kafka):  # the broker removes them in its own time
        assert monotonic() < deadline_s
        sleep(0.2)


@pytest.mark.slow
def test_of_a_broker_that_fails_some_promises_those_are_not_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.adapters.kafka_probes.COMPACTED_S", 3.0)
    with running_broker(tmp_path, "what the doctor says of a broker that keeps fewer promises") as address:
        ended = doctor(address, "--json")
    found = findings(ended)
    assert ended.exit_code == 1
    assert {what for what, one in found.items() if one["needed"]} == NEEDED
    assert {what for what, one in found.items() if not one["sound"]} == {"log time", "aborted transactions", "compaction"}
    assert "which nothing uses" in found["end"]["told"]


def test_a_topic_set_up_to_forget_is_found(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.adapters.kafka_probes.PROBES", tuple(one for one in PROBES if one.what == "streams"))
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    settings = topic_settings(1)[SIGNAL] | {"retention.ms": "604800000"}
    admin.create_topics({SIGNAL: {"num_partitions": 8, "replication_factor": 1, "configs": settings}})
    admin.close()
    ended = doctor(kafka)
    assert ended.exit_code == 1
    assert "WRONG" in ended.output
    with pytest.raises(Refused, match="retention"):
        KafkaLog(kafka, replicas=1)


def test_a_broker_that_stamps_with_the_writers_clock_is_found(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.adapters.kafka_probes.PROBES", tuple(one for one in PROBES if one.what == "log time"))
    monkeypatch.setattr("coordinator.adapters.kafka_probes.topic_settings", lambda _: {SIGNAL: {"message.timestamp.type": "CreateTime"}})
    found = findings(doctor(kafka, "--json"))
    assert "Set message.timestamp.type=LogAppendTime" in found["log time"]["told"]


def test_without_enough_brokers_for_the_copies_asked_it_says_so(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.adapters.kafka_probes.PROBES", tuple(one for one in PROBES if one.what in ("cluster", "order")))
    found = findings(CliRunner().invoke(app, ["doctor", "kafka", "--kafka", kafka, "--replicas", "3", "--json"]))
    assert "too few for 3 copies" in found["cluster"]["told"]
    assert found["order"]["told"].startswith("it was not tried: no topic with 3 copies of each record can be made here")


def test_an_address_without_a_port_is_refused_as_such() -> None:
    ended = doctor("kafka-1")
    assert isinstance(ended.exception, Refused)
    assert 'the address of Kafka is "kafka-1"; HOST:PORT was expected' in str(ended.exception)


def test_a_broker_that_is_not_there_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.adapters.kafka_probes.PATIENCE_MS", 300)
    ended = doctor("127.0.0.1:1")
    assert isinstance(ended.exception, Unavailable)
    assert "Check the address and the brokers" in str(ended.exception)


def test_records_that_come_back_in_another_order_are_found(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.adapters.kafka_probes.PROBES", tuple(one for one in PROBES if one.what == "order"))
    sending = KafkaProducer.send

    def twice(producer: KafkaProducer, topic: str, value: bytes, **more: Any) -> Any:
        if value == b"500":
            sending(producer, topic, value, **more)
        return sending(producer, topic, value, **more)

    monkeypatch.setattr(KafkaProducer, "send", twice)
    assert "did not come back once each" in findings(doctor(kafka, "--json"))["order"]["told"]
