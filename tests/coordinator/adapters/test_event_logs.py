"""The contract of logs, run over all three; the one on Kafka with two brokers, Tansu and Apache's own."""

import time

import pytest

from coordinator.adapters.file_log import FileLog
from coordinator.adapters.kafka_log import KafkaLog
from coordinator.stream import MemoryLog
from tests.contracts.event_log import EventLogContract
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
    @pytest.fixture
    def broker(self, tmp_path):
        with running_broker(tmp_path, "the log on Kafka") as address:
            yield address

    @pytest.fixture
    def log(self, broker):
        log = KafkaLog(broker, replicas=1)
        yield log
        log.close()

    @pytest.fixture
    def reopened(self, log, broker):
        opened = []

        def again():
            log.close()
            opened.append(KafkaLog(broker, replicas=1))
            return opened[-1]

        yield again
        for one in opened:
            one.close()


class TestKafkaLogOnApacheKafka(TestKafkaLog):
    @pytest.fixture
    def broker(self, kafka):
        return kafka
