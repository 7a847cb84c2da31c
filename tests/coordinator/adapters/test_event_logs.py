"""The contract of logs, run over all; those on Kafka by two clients and with two brokers, Tansu and Apache's own."""

import time

import pytest

from coordinator.adapters.file_log import FileLog
from coordinator.stream import MemoryLog
from tests.contracts.event_log import EventLogContract
from tests.support.clients import log_class
from tests.support.tansu import running_broker


def now_us() -> int:
    return time.time_ns() // 1_000


class TestMemoryLog(EventLogContract):
    @pytest.fixture
    def log(self):
        return MemoryLog(now_us)

    @pytest.fixture
    def reopened(self, log):
        def again():
            log.close()
            return log  # it lasts as long as the process

        return again


class TestFileLog(EventLogContract):
    @pytest.fixture
    def log(self, tmp_path):
        log = FileLog(tmp_path / "events.log", now_us)
        yield log
        log.close()

    @pytest.fixture
    def reopened(self, log, tmp_path):
        opened = []

        def again():
            log.close()
            opened.append(FileLog(tmp_path / "events.log", now_us))
            return opened[-1]

        yield again
        for one in opened:
            one.close()


class TestKafkaLog(EventLogContract):
    client = "kafka-python"

    @pytest.fixture
    def opened(self):
        """Opens a log as often as asked; all are closed at the end."""
        logs, made = [], log_class(self.client)

        def open_at(address):
            logs.append(made(address, replicas=1))
            return logs[-1]

        yield open_at
        for log in logs[1:]:
            log.close()

    @pytest.fixture
    def broker(self, tmp_path):
        with running_broker(tmp_path, "the log on Kafka") as address:
            yield address

    @pytest.fixture
    def log(self, broker, opened):
        log = opened(broker)
        yield log
        log.close()

    @pytest.fixture
    def reopened(self, log, broker, opened):
        def again():
            log.close()
            return opened(broker)

        return again


class TestKafkaLogOnApacheKafka(TestKafkaLog):
    @pytest.fixture
    def broker(self, kafka):
        return kafka


class TestConfluentLog(TestKafkaLog):
    client = "confluent"


class TestConfluentLogOnApacheKafka(TestKafkaLogOnApacheKafka):
    client = "confluent"
