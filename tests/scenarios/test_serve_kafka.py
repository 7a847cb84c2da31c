"""`coordinator serve --kafka` on Apache Kafka: signals from HTTP and from other clients of Kafka, a coordinator killed, a broker paused.

What was kept is judged by a reader of the raw topics that shares nothing with the product but the names of the topics.
"""

import json
import signal
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from coordinator.adapters.clock import wall_us
from coordinator.client import Client
from coordinator.errors import Unavailable
from coordinator.signals import event_json
from coordinator.stream import PARTITIONS, SIGNAL
from coordinator.times import HOUR_US, format_instant
from tests.coordinator.test_production import SHIELDS
from tests.support.apache import running_kafka
from tests.support.clients import CLIENTS, log_class
from tests.support.processes import run, serving, stop

PLACE = {"lat": 48.11, "long": -1.68}
READY_S = 90.0
PACE_S = 0.02  # between two words straight into Kafka: a coordinator that starts meanwhile has to catch up with them
QUIET = ("--tick-seconds", "60")


@contextmanager
def serving_on(address: str, folder: Path, *options: str) -> Iterator[tuple[Client, Any]]:
    """A coordinator on Kafka that has caught up, and its process."""
    folder.mkdir(exist_ok=True)
    with serving(folder, *options, log=("--kafka", address, "--replicas", "1")) as (url, process):
        client = Client(url, tries=1, timeout_s=60)
        until(lambda: is_ready(client))
        yield client, process


def is_ready(client: Client) -> bool:
    try:
        return bool(client.read("/readyz")["ready"])
    except Unavailable:
        return False


def until(condition: Any) -> None:
    deadline_s = monotonic() + READY_S
    while not condition():
        assert monotonic() < deadline_s, "it did not come about"
        sleep(0.05)


def stock(number: int, round_: int = 0) -> bytes:
    kind, agent = ("offer", f"maker-{number}") if number % 2 else ("need", f"clinic-{number}")
    data = {"resource": f"part-{number % 7}", "quantity": {"value": 1 + number % 50 + round_, "unit": "1"}, "place": PLACE}
    return event_json(kind, f"agent:{agent}", "stock", wall_us(), data)


def accepted(proposal: str, party: str) -> bytes:
    return event_json("answer", f"agent:{party}", proposal, wall_us(), {"proposal": proposal, "answer": "accept"})


def said(client: Client, lines: list[bytes]) -> list[str]:
    """What became of lines, said until there is an answer: a busy machine may take its time."""
    deadline_s = monotonic() + READY_S
    while True:
        try:
            return [one["status"] for one in client.publish(lines)]
        except Unavailable:
            assert monotonic() < deadline_s
            sleep(1)


class Speakers:
    """Two who speak until they are told to stop or cannot: one over HTTP, one straight into Kafka. Both keep what was acknowledged."""

    def __init__(self, client: Client, address: str) -> None:
        self.acknowledged: list[bytes] = []
        self.enough = threading.Event()
        self._client, self._address = client, address
        self._threads = [threading.Thread(target=each) for each in (self._speak_http, self._speak_kafka)]

    def __enter__(self) -> "Speakers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.enough.set()
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive()

    def _speak_http(self) -> None:
        number = 0
        while not self.enough.is_set():
            lines = [stock(number + index) for index in range(10)]
            try:
                if all(one["status"] == "taken" for one in self._client.publish(lines)):
                    self.acknowledged.extend(lines)
                self._accept_some()
            except Unavailable:
                sleep(0.2)
            number += 10

    def _accept_some(self) -> None:
        """Answer some open proposals for the provider, and every other one for its receiver too."""
        for number, proposal in enumerate(self._client.proposals("proposed")[:10]):
            for party in proposal["parties"][: 1 + number % 2]:
                line = accepted(proposal["proposal"], party)
                if self._client.publish([line])[0]["status"] == "taken":
                    self.acknowledged.append(line)

    def _speak_kafka(self) -> None:
        number = 100_001
        with closing(KafkaProducer(bootstrap_servers=self._address, acks="all")) as producer:
            while not self.enough.wait(PACE_S):
                line = stock(number)
                event = json.loads(line)
                headers = [("content-type", b"application/cloudevents+json")]
                try:
                    producer.send("stigmergy.signal.v1", key=event["source"][6:].encode(), value=line, headers=headers).get(timeout=60)
                except KafkaError:
                    continue
                self.acknowledged.append(line)
                number += 1
                sleep(0.02)


def raw(address: str, topic: str) -> list[dict[str, Any]]:
    """All records of a topic, each with its attributes and data."""
    with closing(KafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest")) as consumer:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        rows: list[dict[str, Any]] = []
        while any(consumer.position(one) < ends[one] for one in partitions):
            for batch in consumer.poll(timeout_ms=1_000).values():
                for row in batch:
                    attributes = {name.removeprefix("ce_"): value.decode() for name, value in row.headers}
                    data = json.loads(row.value) if row.value else None
                    rows.append({**attributes, "data": data} if "source" in attributes else data)
        return rows


def judge(address: str, acknowledged: list[bytes]) -> Counter[str]:
    """Hold the raw topics against what was acknowledged, and the ledger against itself; return the ledger's kinds."""
    heard = {(one["source"], one["id"]) for one in raw(address, "stigmergy.signal.v1")}
    assert {(one["source"], one["id"]) for one in map(json.loads, acknowledged)} <= heard
    records = {one["id"]: one["data"] for one in raw(address, "stigmergy.ledger.v1")}
    said = Counter((one["proposal"], one["kind"], one["agent"]) for one in records.values() if one["kind"] in ("promised", "committed"))
    assert max(said.values(), default=1) == 1, said.most_common(1)
    for one in records.values():
        if one["kind"] == "committed":
            parties = {line[side] for line in one["lines"] for side in ("provider", "receiver")}
            assert parties == set(one["acceptances"])
            assert all(tuple(statement.split("/")) in heard for statement in one["acceptances"].values())
    return Counter(one["kind"] for one in records.values())


@pytest.mark.slow
def test_killed_in_mid_stream_it_goes_on_in_the_same_state_with_nothing_lost_or_doubled(kafka: str, tmp_path: Path) -> None:
    acknowledged: list[bytes] = []
    ledgers: list[list[dict[str, Any]]] = []
    for _ in range(3):
        with serving_on(kafka, tmp_path) as (client, process):
            rows = list(client.pages("/ledger"))
            assert all(rows[: len(before)] == before for before in ledgers)
            wanted = len(rows) + 20
            with Speakers(client, kafka) as speakers:
                until(lambda client=client, wanted=wanted: len(list(client.pages("/ledger"))) >= wanted)
                ledgers.append(list(client.pages("/ledger")))
                process.send_signal(signal.SIGKILL)
            acknowledged += speakers.acknowledged
    with serving_on(kafka, tmp_path, *QUIET) as (client, process):
        told = [status for begin in range(0, len(acknowledged), 500) for status in said(client, acknowledged[begin : begin + 500])]
        assert told == ["repeat"] * len(acknowledged)
        rows, digest = list(client.pages("/ledger")), client.read("/digest")["digest"]
        assert all(rows[: len(before)] == before for before in ledgers)
        assert client.read("/refused")["items"] == []
        process.send_signal(signal.SIGKILL)
    kinds = judge(kafka, acknowledged)
    assert kinds["committed"] > 0
    assert kinds == Counter(row["kind"] for row in rows)
    with serving_on(kafka, tmp_path, *QUIET) as (client, process):
        assert client.read("/digest")["digest"] == digest
        assert "passed over" not in stop(process)


@pytest.mark.slow
def test_a_broker_that_pauses_for_five_seconds_costs_time_and_nothing_else(tmp_path: Path) -> None:
    with running_kafka(tmp_path / "kafka", "a coordinator whose broker pauses") as broker:
        with serving_on(broker.address, tmp_path / "here") as (client, process):
            with Speakers(client, broker.address) as speakers:
                until(lambda: len(list(client.pages("/ledger"))) >= 10)
                broker.pause()
                sleep(5)
                before = len(speakers.acknowledged)
                broker.resume()
                until(lambda: len(speakers.acknowledged) > before + 50)
            until(lambda: is_ready(client))
            assert set(said(client, speakers.acknowledged[-400:])) == {"repeat"}
            rows = list(client.pages("/ledger"))
            assert "passed over" not in stop(process)
        kinds = judge(broker.address, speakers.acknowledged)
        assert all(kinds[kind] >= count for kind, count in Counter(row["kind"] for row in rows).items())


@pytest.mark.slow
def test_a_coordinator_that_wakes_after_another_took_over_has_no_effect_and_joins_in_again(kafka: str, tmp_path: Path) -> None:
    with serving_on(kafka, tmp_path / "first") as (first, sleeping), Speakers(first, kafka) as speakers:
        until(lambda: len(list(first.pages("/ledger"))) >= 10)
        sleeping.send_signal(signal.SIGSTOP)
        with serving_on(kafka, tmp_path / "second") as (second, process):
            said(second, [stock(900_001), stock(900_002)])
            sleeping.send_signal(signal.SIGCONT)
            before = len(speakers.acknowledged)
            until(lambda: len(speakers.acknowledged) > before + 50)
            speakers.enough.set()
            assert set(said(second, speakers.acknowledged[-200:])) == {"repeat"}
            assert set(said(first, speakers.acknowledged[-200:])) == {"repeat"}
            rows = list(second.pages("/ledger"))
            assert "passed over" not in stop(process)
        until(lambda: len(list(first.pages("/ledger"))) >= len(rows))
        assert list(first.pages("/ledger"))[: len(rows)] == rows
        assert "passed over" not in stop(sleeping)
    kinds = judge(kafka, speakers.acknowledged)
    assert all(kinds[kind] >= count for kind, count in Counter(row["kind"] for row in rows).items())


@pytest.mark.parametrize("name", CLIENTS)
def test_by_either_client_a_signal_becomes_a_proposal_and_its_answers_a_commitment(name: str, kafka: str, tmp_path: Path) -> None:
    log_class(name)
    maker, clinic = stock(7), stock(14)  # of one part
    with serving_on(kafka, tmp_path, "--client", name) as (client, process):
        assert said(client, [maker, clinic]) == ["taken", "taken"]
        until(lambda: client.proposals("proposed"))
        [proposal] = client.proposals("proposed")
        assert proposal["parties"] == ["maker-7", "clinic-14"]
        answers = [accepted(proposal["proposal"], party) for party in proposal["parties"]]
        assert said(client, answers) == ["taken", "taken"]
        assert [row["kind"] for row in client.pages("/ledger")] == ["promised", "promised", "committed"]
        digest = client.read("/digest")["digest"]
        stop(process)
    assert judge(kafka, [maker, clinic, *answers]) == {"promised": 2, "committed": 1}
    with serving_on(kafka, tmp_path, "--client", name, *QUIET) as (client, process):
        assert client.read("/digest")["digest"] == digest
        stop(process)


@pytest.mark.slow
def test_what_two_coordinators_plan_to_be_made_is_committed_by_all_whom_it_takes(kafka: str, tmp_path: Path) -> None:
    """Recipes over three levels, workshops whose words fall to different coordinators, and one of these killed before all have answered."""
    told = [said_now(line) for line in SHIELDS]
    with serving_on(kafka, tmp_path / "first") as (first, killed), serving_on(kafka, tmp_path / "second") as (second, process):
        until(lambda: {held(one) for one in (first, second)} == {PARTITIONS[SIGNAL] // 2})
        assert set(said(first, told)) == {"taken"}
        until(lambda: trees(first) and trees(first) == trees(second))
        [tree] = trees(first)
        assert set(tree["parties"]) == {"supplier", "printer", "sewer", "clinic"}
        answers = [accepted(tree["proposal"], party) for party in sorted(tree["parties"])]
        assert said(first, answers[:2]) == ["taken", "taken"]
        killed.send_signal(signal.SIGKILL)
        assert set(said(second, answers[2:])) <= {"taken", "repeat"}
        until(lambda: second.read(f"/proposals/{tree['proposal']}")["state"] == "committed")
        digest = second.read("/digest")["digest"]
        assert "passed over" not in stop(process)
    assert judge(kafka, [*told, *answers]) == {"promised": 4, "committed": 1}
    with serving_on(kafka, tmp_path / "third", *QUIET) as (third, process):
        assert third.read("/digest")["digest"] == digest
        assert "passed over" not in stop(process)


def trees(client: Client) -> list[dict[str, Any]]:
    """What is proposed to be made."""
    return [one for one in client.proposals("proposed") if any("into" in line for line in one["lines"])]


def held(client: Client) -> int:
    """How many partitions of the signals a coordinator acts for."""
    with urllib.request.urlopen(f"{client.url}/metrics", timeout=30) as answer:
        figures = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#"))
    return int(float(figures["stigmergy_turns_held"]))


def said_now(line: bytes) -> bytes:
    """The same words said now, with windows around now."""
    event = json.loads(line)
    data = {key: value for key, value in event["data"].items() if key not in ("begin", "end", "due")}
    kind, now_us = event["type"].split(".")[1], wall_us()
    if kind == "capacity":
        data |= {"begin": format_instant(now_us - HOUR_US), "end": format_instant(now_us + 1_000 * HOUR_US)}
    return event_json(kind, event["source"], event["subject"], now_us, data)


def test_one_that_is_to_be_alone_ends_who_was_there_before(kafka: str, tmp_path: Path) -> None:
    with (
        serving_on(kafka, tmp_path / "first", "--alone") as (_, displaced),
        serving_on(kafka, tmp_path / "second", "--alone") as (_, process),
    ):
        _, errors = displaced.communicate(timeout=60)
        assert displaced.returncode == 2
        assert "another coordinator writes turns now (epoch 2)" in errors.splitlines()[-1]
        stop(process)


def test_what_was_refused_is_listed_for_people_and_counted_for_monitors(kafka: str, tmp_path: Path) -> None:
    with serving_on(kafka, tmp_path) as (client, process):
        with closing(KafkaProducer(bootstrap_servers=kafka)) as producer:
            producer.send("stigmergy.signal.v1", key=b"a", value=b"\x00 no event").get(timeout=20)
            line = stock(1)
            headers = [("content-type", b"application/cloudevents+json")]
            producer.send("stigmergy.signal.v1", key=b"another", value=line, headers=headers).get(timeout=20)
        until(lambda: sum(client.read("/refused")["counts"].values()) == 2)
        with urllib.request.urlopen(f"{client.url}/metrics", timeout=30) as answer:
            figures = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#"))
        assert figures['stigmergy_refused_total{reason="misplaced"}'] == figures['stigmergy_refused_total{reason="invalid"}'] == "1.0"
        assert (figures["stigmergy_turns_epoch"], figures["stigmergy_turns_void"]) == ("1.0", "0.0")
        listed = run("refused", "--url", client.url, cwd=tmp_path)
        assert "misplaced" in listed
        assert "invalid" in listed
        rows = [json.loads(row) for row in run("refused", "--json", "--url", client.url, cwd=tmp_path).splitlines()]
        assert all(row["position"].startswith("stigmergy.signal.v1/") for row in rows)
        stop(process)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(("--kafka", "127.0.0.1:1", "--log", "here"), "both --log and --kafka came", id="two logs"),
        pytest.param(("--kafka", "127.0.0.1:1", "--client", "librdkafka"), "say kafka-python or confluent", id="no such client"),
        pytest.param(("--log", "here", "--client", "confluent"), "--client confluent came without Kafka", id="a client of nothing"),
        pytest.param(("--kafka", "nonsense"), "HOST:PORT was expected", id="no address"),
        pytest.param(("--kafka", "127.0.0.1:1"), "Kafka at 127.0.0.1:1 did not prepare its topics", id="nobody there"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_line(words: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    told = run("serve", "--port", "0", *words, cwd=tmp_path, expected=3 if "did not prepare" in sentence else 2)
    assert sentence in told
    assert len(told.splitlines()) == 1
