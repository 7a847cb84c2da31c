"""`coordinator serve` as people run it: a process that is stopped, killed in mid-stream and started again."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from coordinator.adapters.clock import wall_us
from coordinator.client import Client
from coordinator.errors import Unavailable
from coordinator.signals import event_json

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND = (sys.executable, "-c", "from coordinator.cli import main; main()")
CHARTER = '[charter]\ncycle_seconds = 1\nfairness = "off"\n'
PLACE = {"lat": 48.11, "long": -1.68}


def environment() -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("STIGMERGY_")}
    return plain | {"PYTHONPATH": str(ROOT)}


def run(*words: str, cwd: Path, expected: int = 0) -> str:
    done = subprocess.run([*COMMAND, *words], cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == expected, f"{words} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The address of a server started in `folder`, and its process; killed at the end where it still runs."""
    (folder / "charter.toml").write_text(CHARTER)
    words = [*COMMAND, "serve", "--log", "log", "--charter", "charter.toml", "--port", "0", "--tick-seconds", "0.2", *options]
    process = subprocess.Popen(words, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    guard = threading.Timer(120, process.kill)
    guard.start()
    try:
        line = process.stdout.readline()
        assert "http://127.0.0.1:" in line, process.communicate()
        yield line.split(" on ")[1].split()[0], process
    finally:
        guard.cancel()
        process.kill()
        process.communicate(timeout=60)


def stop(process: "subprocess.Popen[str]", by: signal.Signals = signal.SIGINT) -> str:
    process.send_signal(by)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return errors


def stream(number: int) -> bytes:
    kind, agent = ("offer", f"maker-{number}") if number % 2 else ("need", f"clinic-{number}")
    data = {"resource": f"part-{number % 7}", "quantity": {"value": 1 + number % 50, "unit": "1"}, "place": PLACE}
    return event_json(kind, f"agent:{agent}", "stock", wall_us(), data)


def accept_all(client: Client) -> list[bytes]:
    """Answer every open proposal for its provider, and every other one for its receiver too; return the answers acknowledged."""
    said = []
    for number, proposal in enumerate(client.proposals("proposed")[:20]):
        for party in proposal["parties"][: 1 + number % 2]:
            data = {"proposal": proposal["proposal"], "answer": "accept"}
            line = event_json("answer", f"agent:{party}", proposal["proposal"], wall_us(), data)
            if client.publish([line])[0]["status"] == "taken":
                said.append(line)
    return said


@pytest.mark.slow
def test_killed_in_mid_stream_it_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    acknowledged: list[bytes] = []
    with serving(tmp_path) as (url, process):
        client = Client(url, tries=1)

        def speak() -> None:
            number = 0
            while True:
                lines = [stream(number + index) for index in range(10)]
                try:
                    assert all(one["status"] == "taken" for one in client.publish(lines))
                    acknowledged.extend(lines)
                    if number % 200 == 0:
                        acknowledged.extend(accept_all(client))
                except Unavailable:
                    return
                number += 10

        speaker = threading.Thread(target=speak)
        speaker.start()
        watcher = Client(url, tries=1)
        for _ in range(1_600):
            if len(list(watcher.pages("/ledger"))) >= 20:
                break
            threading.Event().wait(0.05)
        ledger_before = list(watcher.pages("/ledger"))
        process.send_signal(signal.SIGKILL)
        speaker.join(60)
    assert len(ledger_before) >= 20
    with serving(tmp_path) as (url, process):
        client = Client(url)
        told = [one["status"] for begin in range(0, len(acknowledged), 500) for one in client.publish(acknowledged[begin : begin + 500])]
        assert told == ["repeat"] * len(acknowledged)
        assert list(client.pages("/ledger"))[: len(ledger_before)] == ledger_before
        assert "a record of the log was passed over" not in stop(process)
    with serving(tmp_path, "--tick-seconds", "60") as (url, process):
        digest = Client(url).read("/digest")["digest"]
        stop(process, signal.SIGTERM)
    run("replay", "--log", "log", "--charter", "charter.toml", "--out", "replayed", cwd=tmp_path)
    assert json.loads((tmp_path / "replayed" / "summary.json").read_text())["digest"] == digest


def test_it_says_where_it_listens_and_stops_when_told(tmp_path: Path) -> None:
    with serving(tmp_path) as (url, process):
        assert Client(url).read("/healthz") == {"status": "ok"}
        follower = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        follower.request("GET", "/events")  # would stay for ever
        stream_of_events = follower.getresponse()
        assert stop(process) == ""
        assert stream_of_events.read().startswith(b"retry: ")
        follower.close()


def test_a_second_server_on_one_log_is_turned_away(tmp_path: Path) -> None:
    with serving(tmp_path):
        told = run("serve", "--log", "log", "--charter", "charter.toml", "--port", "0", cwd=tmp_path, expected=3)
    assert "open for writing in another process" in told


def test_without_tokens_it_does_not_listen_to_the_world(tmp_path: Path) -> None:
    told = run("serve", "--host", "0.0.0.0", "--port", "0", cwd=tmp_path, expected=2)
    assert told.count("\n") == 1
    assert "coordinator token create" in told
    assert not (tmp_path / "stigmergy.log.sqlite").exists()


def test_tokens_in_the_usual_place_are_used(tmp_path: Path) -> None:
    run("token", "create", "atelier-nord", cwd=tmp_path)
    with serving(tmp_path) as (url, process):
        status = Client(url, agent="atelier-nord", token="wrong", tries=1)
        with pytest.raises(Exception, match="no valid token"):
            status.offer("face-shield", 1)
        stop(process)


def test_a_port_that_is_taken_is_told_in_a_line(tmp_path: Path) -> None:
    with serving(tmp_path) as (url, _):
        told = run("serve", "--log", "other", "--port", url.rpartition(":")[2], cwd=tmp_path, expected=3)
    assert "choose another with --port" in told
