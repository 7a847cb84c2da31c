"""The real broker, Apache Kafka, for tests: started by `deploy/kafka/local`, which brings it once and keeps it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP
from time import monotonic, sleep

import pytest
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

__all__ = ["NEEDED", "Broker", "forget_topics", "running_kafka"]

LOCAL = Path(__file__).parents[2] / "deploy" / "kafka" / "local"
NEEDED = "STIGMERGY_NEED_KAFKA"  # set where a missing broker is a failure and not a skip: where all that it takes is known to be there
PATIENCE_S = 60.0


@dataclass
class Broker:
    """A broker of our own, which a test may stop, kill, pause and start again."""

    folder: Path
    address: str = ""
    advertise: int = 0  # the port that clients are sent to, where something stands in between

    @property
    def process(self) -> int:
        return int((self.folder / "broker.pid").read_text())

    def start(self) -> None:
        """At the port it had before, if it had one."""
        port = self.address.rpartition(":")[2] or "0"
        done = subprocess.run(
            [LOCAL, "start", "--folder", self.folder, "--port", port, "--advertise", str(self.advertise)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self.address = done.stdout.strip()

    def stop(self) -> None:
        subprocess.run([LOCAL, "stop", "--folder", self.folder], check=True, capture_output=True)

    def kill(self) -> None:
        os.kill(self.process, SIGKILL)

    def pause(self) -> None:
        os.kill(self.process, SIGSTOP)

    def resume(self) -> None:
        os.kill(self.process, SIGCONT)


@contextmanager
def running_kafka(folder: Path, what: str, advertise: int = 0) -> Iterator[Broker]:
    """An empty broker until the block ends; the test is skipped, saying what stays untested, where none can be had."""
    why = _missing()
    if why:
        assert not os.environ.get(NEEDED), why
        pytest.skip(f"NOT TESTED: {what} on Apache Kafka. {why}")
    broker = Broker(folder, advertise=advertise)
    broker.start()
    try:
        yield broker
    finally:
        with suppress(ProcessLookupError):  # ended by the test already
            broker.resume()
            broker.kill()


def forget_topics(address: str) -> None:
    """Leave the broker without a topic, as if it were new."""
    admin = KafkaAdminClient(bootstrap_servers=address)
    try:
        deadline_s = monotonic() + PATIENCE_S
        while topics := [name for name in admin.list_topics() if not name.startswith("__")]:
            assert monotonic() < deadline_s, f"{topics} are still there"
            try:
                admin.delete_topics(topics)
            except KafkaError:
                sleep(0.1)  # deleted a moment ago, and not yet known everywhere
    finally:
        admin.close()


@cache
def _missing() -> str:
    """Why no broker can be started here; empty where one can."""
    done = subprocess.run([LOCAL, "fetch"], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]
