"""Which client of Kafka `coordinator serve` goes by."""

import re
import socket
import sys

import pytest

from coordinator.adapters.kafka_log import KafkaLog
from coordinator.cli.serve import log_through, open_port
from coordinator.errors import Refused, Unavailable
from tests.support.clients import CLIENTS, log_class


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_that_is_installed_is_gone_by(client):
    assert log_through(client) is log_class(client)


def test_a_client_that_is_not_installed_is_refused_with_the_way_to_it_and_the_way_without(monkeypatch):
    monkeypatch.delitem(sys.modules, "coordinator.adapters.confluent_log", raising=False)
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(Refused, match=r"pip install 'stigmergic-coordinator\[fast\]', or go without it: --client kafka-python"):
        log_through("confluent")
    assert log_through("kafka-python") is KafkaLog


def test_a_client_that_nobody_knows_is_refused_with_those_there_are():
    with pytest.raises(Refused, match=r"'aiokafka'; say kafka-python or confluent"):
        log_through("aiokafka")


def test_a_port_that_somebody_has_is_told_once():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = f"port {port} of 127.0.0.1 cannot be had (Address already in use); stop who has it, or choose another with --port"
        with pytest.raises(Unavailable, match=f"^{re.escape(sentence)}$"), open_port("127.0.0.1", port):
            pass
