"""The broker for this machine starts, keeps what it was told, and says plainly why where it cannot."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from tests.support.apache import LOCAL, running_kafka


def clusters(address: str) -> tuple[str, list[str]]:
    admin = KafkaAdminClient(bootstrap_servers=address)
    try:
        return admin.describe_cluster()["cluster_id"], admin.list_topics()
    finally:
        admin.close()


def local(*arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, LOCAL, *arguments], capture_output=True, text=True, check=False, env={**os.environ, **more})


def test_without_java_and_containers_it_says_what_is_missing(tmp_path: Path) -> None:
    done = local("start", "--folder", str(tmp_path / "broker"), PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("deploy/kafka/local: this takes a Java 17 or newer together with Maven")
    assert "Traceback" not in done.stderr


def test_jars_other_than_those_listed_are_refused(tmp_path: Path) -> None:
    script = runpy.run_path(str(LOCAL))
    (tmp_path / "kafka_2.13-9.9.9.jar").write_bytes(b"another")
    with pytest.raises(script["Problem"], match=r"are not those listed in deploy/kafka/jars\.sha256; nothing was kept"):
        script["check_jars"](tmp_path)


def test_stopping_where_nothing_runs_says_so(tmp_path: Path) -> None:
    (tmp_path / "broker.pid").write_text(str(os.getpid()))  # a number that another program has by now
    done = local("stop", "--folder", str(tmp_path))
    assert (done.returncode, done.stdout) == (
        0,
        f"no broker runs with the folder {tmp_path}; if one was started with another, name that: --folder FOLDER\n",
    )


def test_a_broker_that_ends_by_itself_while_it_is_stopped_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = runpy.run_path(str(LOCAL))["stop"]
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    (tmp_path / "broker.pid").write_text(str(ended.pid))
    found = iter([ended.pid, ended.pid, None])  # at first it is there still, also after the time given to it
    monkeypatch.setitem(stop.__globals__, "running", lambda _: next(found))
    monkeypatch.setitem(stop.__globals__, "STOP_S", -1)
    stop(tmp_path)
    assert not (tmp_path / "broker.pid").exists()


def test_a_second_start_finds_the_first_and_a_restart_finds_all_that_was_kept(tmp_path: Path) -> None:
    with running_kafka(tmp_path, "what a broker keeps over a restart") as broker:
        first = broker.address
        admin = KafkaAdminClient(bootstrap_servers=first)
        admin.create_topics({"kept": {"num_partitions": 1, "replication_factor": 1}})
        admin.close()
        before = clusters(first)
        broker.start()
        assert broker.address == first
        broker.stop()
        broker.start()
        assert clusters(broker.address) == before
        assert "kept" in before[1]
        assert first.startswith("127.0.0.1:")
