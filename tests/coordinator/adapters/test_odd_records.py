"""Whatever stands in a topic, whoever wrote it: no record ends a coordinator, and all who read it come to the same."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from coordinator.adapters.clock import wall_us
from coordinator.adapters.kafka_outbox import Outbox
from coordinator.adapters.kafka_rows import Row
from coordinator.adapters.kafka_service import KafkaService
from coordinator.adapters.service import entry_of
from coordinator.charter import Charter
from coordinator.cloudevents import to_binary
from coordinator.replaying import digest, standing_proposals
from coordinator.signals import event_json, parse_event
from coordinator.stream import DEAD_LETTER, LEDGER, PARTITIONS, PROPOSAL, SIGNAL, TURN, Entry, Record, partition_of
from coordinator.turns import Standing, Turn
from tests.coordinator.adapters.test_kafka_service import pieces, plan, ready, until
from tests.support.shelves import Shelves

ONE, HOUR = {"value": 1, "unit": "1"}, {"value": 1, "unit": "h"}
SEWING = {"process": "sewing", "effort": HOUR}
CHARTER = Charter(cycle_seconds=1, fairness="off", late_seconds=10**9)
ODD: list[Any] = [
    *(None, True, False, -1, 0, 1.5, 2**63, 2**70, 1e308, -0.0, "", "\0", "null", "é\u202e", "x" * 200, "2026-13-45T99:99:99Z"),
    *([], {}, [[]], [{}], {"": None}, {"value": 1e308, "unit": "1"}, {"value": -1, "unit": "kg"}, {"lat": 91, "long": "x"}),
]
RAW = [
    *(b"", b" ", b"null", b"[]", b"{}", b'"', b'"\\ud800"', b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"\xff\xfe", b"\0" * 9, b"{" * 9),
    *(b"[" * 100_000, b'{"a":' * 5_000, b'{"a":1,"a":2}', b'{"data":{}}', b'{"data":"ab"}', b'{"data":["abc"]}', b"\xef\xbb\xbf{}"),
    *(b'{"source":[],"id":{}}', b'{"source":{},"id":[],"turn":"' + b"9" * 5000 + b'"}', b"\n{}\n", b"x" * (1 << 20)),
]
STAMPS = [-1, 0, 1, -(2**63), 2**63 - 1, 253402300799999]
NAMES = [
    "ce_",
    "ce_data",
    "ce_data_base64",
    "CE_ID",
    "ce_datacontenttype",
    "ce_turn",
    "ce_spokenby",
    "ce_logtime",
    "ce_\0",
    "traceparent",
    "",
]
TYPES = [b"application/cloudevents+json", b"text/plain", b"", b"application/json; charset=utf-16", b"\xff", None, b"application/x+json"]


def said(number: int) -> list[bytes]:
    """What agents say, of every kind."""
    now_us = wall_us()
    maker, clinic = f"maker-{number}", f"clinic-{number}"
    words: list[tuple[str, str, str, Any]] = [
        ("agent", maker, "agent", {"name": "M", "place": {"lat": 48, "long": 2}}),
        ("resource", maker, "gown", {"resource": "gown", "unit": "1", "mass_kg": 0.2, "aliases": ["apron"]}),
        ("capacity", maker, "c", {**SEWING, "begin": "2026-01-01T00:00:00Z", "end": "2036-01-01T00:00:00Z"}),
        (
            "recipe",
            maker,
            "r",
            {"recipe": "r", "outputs": [{"resource": "gown", "quantity": ONE}], "steps": [SEWING]},
        ),
        ("route", maker, "way", {"to": clinic, "distance_km": 7}),
        ("answer", clinic, "p", {"proposal": "p", "answer": "accept"}),
        ("report", clinic, "p", {"commitment": "p", "action": "pickup"}),
        ("offer", maker, "late", None),
        ("offer", maker, "late", {"resource": "gown", "quantity": ONE, "basis": "total"}),  # said before it was withdrawn
    ]
    lines = [event_json(kind, f"agent:{who}", subject, now_us - at, data) for at, (kind, who, subject, data) in enumerate(words)]
    return [*lines, pieces("offer", maker, 5), pieces("need", clinic, 5)]


def row_of(entry: Entry) -> Row:
    headers, value = to_binary(entry.event)
    return Row(entry.stream, partition_of(entry.key, PARTITIONS[entry.stream]), 0, wall_us() // 1000, entry.key.encode(), value, [*headers])


def spoiled(draw: Random, row: Row) -> Row:
    """Make something of a record that it should not be."""
    headers, value = list(row.headers or []), row.value
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        match draw.randrange(9):
            case 0:
                value = draw.choice([None, *RAW])
            case 1 if value:
                value = value[: draw.randrange(len(value))] + draw.choice(RAW[:12]) + value[draw.randrange(len(value)) :]
            case 2 if value:
                value = _with_an_odd_member(draw, value)
            case 3 if headers:
                at = draw.randrange(len(headers))
                headers[at] = headers[at][0], draw.choice([None, b"", b"\xff", b"\0", b"null", b"x" * 9999, b"agent:", b"coordinator:x"])
            case 4 if headers:
                headers[draw.randrange(len(headers))] = draw.choice(NAMES), draw.choice([None, b"", b"1", b"9" * 500])
            case 5:
                headers.append((draw.choice([*NAMES, "ce_id", "ce_source"]), draw.choice([None, b"", b"1"])))
            case 6:
                headers = [each for each in headers if each[0] != "content-type"] + [("content-type", draw.choice(TYPES))]
                value = draw.choice([value, *RAW])
            case 7:
                row = row._replace(key=draw.choice([None, b"", b"\xff", b"x" * 5000, b"stranger"]), timestamp=draw.choice(STAMPS))
            case 8:
                row = row._replace(partition=draw.randrange(PARTITIONS[row.topic]))
    return row._replace(headers=draw.choice([headers] * 9 + [None]), value=value)


def _with_an_odd_member(draw: Random, value: bytes) -> bytes:
    try:
        record = json.loads(value)
    except (ValueError, RecursionError):
        return value
    if not isinstance(record, dict) or not record:
        return value
    name = draw.choice(sorted(record))
    if draw.random() < 0.2:
        del record[name]
    elif isinstance(record[name], dict) and record[name] and draw.random() < 0.5:
        record[name][draw.choice(sorted(record[name]))] = draw.choice(ODD)
    else:
        record[name] = draw.choice(ODD)
    return json.dumps(record).encode()


@contextmanager
def serving(shelves: Shelves, memory: Path) -> Iterator[KafkaService]:
    with closing(KafkaService("nowhere:1", CHARTER, memory=memory, surroundings=shelves.surroundings)) as service:
        yield ready(service)


def facts(service: KafkaService) -> tuple[object, ...]:
    """All that is shown, and what it comes to."""
    with service.reading() as coordination:
        stands = {ref: (one.free_grains, one.stands, one.said_us) for ref, one in coordination.network.stances.items()}
        told = digest(coordination.ledger, standing_proposals(coordination.book))
    shown, _ = service.follow(-1, 100_000)
    return told, stands, service.parked, [one.text for one in shown]


def is_done(service: KafkaService) -> bool:
    """Whether nothing is left to take or to judge."""
    with service.reading() as coordination:
        return not (service.status().turns["waiting"] or coordination.unjudged or coordination.due)


@pytest.mark.parametrize("seed", range(6))
def test_no_record_in_any_topic_ends_a_coordinator_or_makes_two_differ(seed: int, tmp_path: Path) -> None:
    draw, shelves = Random(seed), Shelves()
    signals = [row_of(entry_of(parse_event(line), line)) for number in range(3) for line in said(number)]
    letter = event_json("dead-letter", "coordinator:main", "1", 1, dict.fromkeys(("code", "reason", "key", "said"), "x"))

    def spoil(stream: str, rows: list[Row], count: int = 30) -> None:
        for _ in range(count if rows else 0):
            shelves.put(stream, spoiled(draw, draw.choice(rows)._replace(topic=stream)))

    for stream in (SIGNAL, PROPOSAL, LEDGER, TURN):
        spoil(stream, signals)
    spoil(DEAD_LETTER, [row_of(Entry(DEAD_LETTER, "x", letter))])
    with serving(shelves, tmp_path / "memory.json") as service:
        for number in range(3):
            assert {one.status for one in service.publish(said(number))} <= {"taken", "refused", "repeat"}
            service.tick()
            spoil(SIGNAL, signals)
            for stream in (PROPOSAL, LEDGER, TURN):
                spoil(stream, [row for row in shelves.written(stream) if b'"claims":["' not in (row.value or b"")])
        plan(service, False)
        service.publish([pieces("need", "last", 1)])
        until(lambda: is_done(service) or service.ended is not None)
        assert service.ended is None
        told = facts(service)
    with serving(shelves, tmp_path / "memory.json") as again:
        assert facts(again) == told
        assert [one.status for one in again.publish([pieces("need", "last", 2)])] == ["taken"]


def test_who_takes_over_passes_over_what_is_no_event_in_the_streams_for_what_was_decided() -> None:
    line = event_json("proposal", "coordinator:main", "p", 1, None)
    odd = [Record(Entry(PROPOSAL, "p", event), f"{PROPOSAL}/0/{number}", 1) for number, event in enumerate(RAW)]
    outbox = Outbox("heir")
    outbox.note(Standing(Turn("gone", 1), 1), [Entry(PROPOSAL, "p", line)])
    outbox.note(Standing(Turn("heir", 1, claims=("p",)), 2, relieved=("gone",)), [])
    outbox.settle(lambda streams, place: iter(odd))
    assert [entry.key for entry in outbox.depart(1)] == ["p"]
