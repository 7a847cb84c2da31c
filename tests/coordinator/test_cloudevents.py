"""CloudEvents in both forms, held against the specification's own Python library."""

import json
from decimal import Decimal

import orjson
import pytest
from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from coordinator.cloudevents import from_binary, to_binary
from coordinator.errors import Refused
from coordinator.jsontext import canonical_json, read_json
from coordinator.signals import event_json, parse_event

OFFER = event_json("offer", "agent:a", "blé", 1_772_352_000_500_000, {"resource": "blé", "quantity": {"value": 0.1, "unit": "kg"}})
WITHDRAWAL = event_json("offer", "agent:a", "s", 1_772_352_000_000_000, None)
EVENTS = pytest.mark.parametrize("event", [pytest.param(OFFER, id="an offer"), pytest.param(WITHDRAWAL, id="a withdrawal")])


def with_extensions(event, **extensions):
    return json.dumps(json.loads(event) | extensions).encode()


def message_of(event):
    headers, value = to_binary(event)
    return kafka.KafkaMessage(dict(headers), None, value or b"")


@EVENTS
def test_binary_and_back_is_the_same_event(event):
    assert canonical_json(read_json(from_binary(*to_binary(event)))) == canonical_json(read_json(event))
    assert parse_event(from_binary(*to_binary(event))) == parse_event(event)


@EVENTS
def test_the_library_reads_our_binary_form(event):
    theirs = kafka.from_binary(message_of(event), JSONFormat(), CloudEvent)
    ours = json.loads(event)
    assert theirs.get_data() == ours["data"]
    assert (theirs.get_id(), theirs.get_source(), theirs.get_type(), theirs.get_subject()) == (
        ours["id"],
        ours["source"],
        ours["type"],
        ours["subject"],
    )
    assert theirs.get_datacontenttype() == "application/json"


@EVENTS
def test_we_read_the_library_s_binary_form(event):
    theirs = JSONFormat().read(CloudEvent, event)
    message = kafka.to_binary(theirs, JSONFormat())
    assert parse_event(from_binary(list(message.headers.items()), message.value)) == parse_event(event)


def test_we_read_the_library_s_structured_form():
    theirs = JSONFormat().read(CloudEvent, OFFER)
    message = kafka.to_structured(theirs, JSONFormat())
    assert parse_event(from_binary(list(message.headers.items()), message.value)) == parse_event(OFFER)
    assert parse_event(message.value) == parse_event(OFFER)


def test_the_library_reads_our_structured_form():
    theirs = kafka.from_kafka(kafka.KafkaMessage({"content-type": b"application/cloudevents+json"}, None, OFFER), JSONFormat())
    assert theirs.get_data() == json.loads(OFFER)["data"]


def test_attributes_are_headers_and_data_is_the_value():
    headers, value = to_binary(OFFER)
    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_id": json.loads(OFFER)["id"].encode(),
        "ce_source": b"agent:a",
        "ce_type": b"stigmergy.offer.v1",
        "ce_subject": "blé".encode(),
        "ce_time": b"2026-03-01T08:00:00.500000Z",
        "content-type": b"application/json",
    }
    assert json.loads(value) == json.loads(OFFER)["data"]


def test_null_data_is_a_null_value_and_so_is_an_empty_one():
    headers, value = to_binary(WITHDRAWAL)
    assert value is None
    assert json.loads(from_binary(headers, None))["data"] is None
    assert json.loads(from_binary(headers, b""))["data"] is None


def test_extensions_that_nobody_knows_are_kept():
    event = with_extensions(OFFER, traceparent="00-4bf9-01", sequence=12, sampled=True, absent=None)
    back = json.loads(from_binary(*to_binary(event)))
    assert (back["traceparent"], back["sequence"], back["sampled"]) == ("00-4bf9-01", "12", "true")
    assert "absent" not in back


def test_attributes_of_any_sort_go_the_quick_way_as_they_go_the_careful_one(monkeypatch):
    event = json.loads(OFFER) | {"epoch": 3, "turn": 2**53, "basis": '{"stigmergy.signal.v1/0":7}', "names": "blé \\ \u2028"}
    event["data"] = event.pop("data")  # last, as it is written here
    careful = to_binary(json.dumps(event).encode())  # for its blanks
    monkeypatch.setattr("coordinator.cloudevents.read_json", None)  # which only the careful way asks
    assert to_binary(orjson.dumps(event)) == careful


@pytest.mark.parametrize("member", ['"id":"1"', '"epoch":3', '"data":"a text"'])
def test_a_name_that_stands_twice_is_refused_also_where_all_else_is_as_we_write_it(member):
    with pytest.raises(Refused, match="twice"):
        to_binary(f'{{{member},"id":"1","epoch":3,"data":{{"a":1}}}}'.encode())


@pytest.mark.parametrize(
    "written",
    [
        "0.1",
        "0.30000000000000004",
        "1234567890123456789",
        "123456789012345678901234567890",
        "0.1234567890123456789012345",
        "1e-300",
        "-1.5",
    ],
)
def test_numbers_keep_every_digit(written):
    event = OFFER.replace(b"0.1", written.encode())
    headers, value = to_binary(event)
    assert Decimal(read_json(value)["quantity"]["value"]) == Decimal(written)
    assert read_json(from_binary(headers, value)) == read_json(event)


def test_foreign_headers_are_passed_over_and_case_does_not_matter():
    headers, value = to_binary(OFFER)
    shouted = [(name.upper(), text) for name, text in headers] + [("traceparent", b"00"), ("traceparent", b"\xff")]
    assert parse_event(from_binary(shouted, value)) == parse_event(OFFER)


def test_another_json_media_type_is_kept():
    headers, value = to_binary(with_extensions(OFFER, datacontenttype="application/vnd.x+json"))
    assert ("content-type", b"application/vnd.x+json") in headers
    assert json.loads(from_binary(headers, value))["datacontenttype"] == "application/vnd.x+json"


@pytest.mark.parametrize(
    ("headers", "value", "reason"),
    [
        pytest.param([], None, "neither", id="nothing at all"),
        pytest.param([("ce_id", b"1"), ("CE_ID", b"2")], b"{}", "twice", id="an id twice"),
        pytest.param([("ce_id", b"\xff")], b"{}", "UTF-8", id="a header that is not UTF-8"),
        pytest.param([("ce_id", b"1"), ("content-type", b"application/avro")], b"{}", "application/json", id="another encoding"),
        pytest.param([("ce_id", b"1")], b"{", "ends in the middle", id="a value cut short"),
        pytest.param([("content-type", b"application/cloudevents+json")], None, "empty", id="structured and empty"),
        pytest.param([("content-type", b"application/cloudevents+json")], b"[]", "object", id="structured and a list"),
        pytest.param([], b"hello", "not JSON", id="words"),
    ],
)
def test_what_is_no_event_is_refused(headers, value, reason):
    with pytest.raises(Refused, match=reason):
        from_binary(headers, value)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        pytest.param(with_extensions(OFFER, nested={"a": 1}), "move it into data", id="an object for an attribute"),
        pytest.param(with_extensions(OFFER, half=1.5), "move it into data", id="a fraction for an attribute"),
        pytest.param(with_extensions(OFFER, broken="\ud800"), "surrogate", id="half a surrogate"),
        pytest.param(b"[]", "object", id="a list"),
    ],
)
def test_what_headers_cannot_carry_is_refused(event, reason):
    with pytest.raises(Refused, match=reason):
        to_binary(event)
