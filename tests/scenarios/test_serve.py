"""`coordinator serve` as people run it: a process that is stopped, killed in mid-stream and started again."""

import http.client
import json
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from coordinator.adapters.clock import wall_us
from coordinator.adapters.http_api import LARGEST_BODY, MOST_HELD
from coordinator.client import Client
from coordinator.errors import Unavailable
from coordinator.signals import event_json
from tests.benchmarks.served import largest_rss
from tests.support import processes
from tests.support.processes import run, serving, stop

PLACE = {"lat": 48.11, "long": -1.68}


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
    assert not (tmp_path / "stigmergy.log").exists()


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


def test_a_flood_of_large_bodies_takes_no_more_memory_than_is_said(tmp_path: Path) -> None:
    body = (b"x" * (1 << 20) + b"\n") * 8
    body = body[:LARGEST_BODY]
    with serving(tmp_path) as (url, process), ThreadPoolExecutor(48) as threads:
        before = largest_rss(process.pid)

        def post() -> int:
            connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=120)
            try:
                connection.request("POST", "/signals", body, {"content-type": "application/x-ndjson"})
                return connection.getresponse().status
            except ConnectionError:  # It was answered and closed before all of it was sent.
                return 503
            finally:
                connection.close()

        told = set(threads.map(lambda _: post(), range(48)))
        assert told <= {400, 503}
        assert Client(url).read("/healthz") == {"status": "ok"}
        assert largest_rss(process.pid) - before < 4 * MOST_HELD < 48 * LARGEST_BODY


PLANS_FOR_EVER = """
import threading
from coordinator.adapters.service import TimedCoordination
from coordinator.cli import main
from coordinator.proposals import Revision

def plan(self, mine=None, at_most=None):
    if "maker-9" in self.network.agents:
        print("planning", flush=True)
        threading.Event().wait()
    return Revision([], [])

TimedCoordination.revision = plan
main()
"""


def test_told_to_stop_it_leaves_a_plan_that_does_not_end_and_keeps_what_it_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledged, unheard = [stream(number) for number in (1, 2, 9)], []
    monkeypatch.setattr(processes, "COMMAND", (sys.executable, "-c", PLANS_FOR_EVER))
    with serving(tmp_path) as (url, process):
        assert [one["status"] for one in Client(url).publish(acknowledged)] == ["taken"] * 3
        assert process.stdout is not None
        assert process.stdout.readline() == "planning\n"

        def speak() -> None:
            try:
                Client(url, tries=1).publish([stream(3)])
            except Unavailable as error:
                unheard.append(error)

        speaker = threading.Thread(target=speak)  # waits for the plan, in a thread of the server that Python would wait for at its end
        speaker.start()
        assert "what was under way was left" in stop(process, signal.SIGTERM)
        speaker.join(60)
    assert len(unheard) == 1
    monkeypatch.undo()
    with serving(tmp_path, "--tick-seconds", "60") as (url, process):
        assert [one["status"] for one in Client(url).publish(acknowledged)] == ["repeat"] * 3
        stop(process)
