"""Signals: what is taken, how exactly, and with which sentence the rest is refused."""

import json
import re
import unicodedata
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.errors import Refused
from coordinator.jsontext import canonical_json, read_json
from coordinator.signals import (
    Answer,
    Capacity,
    Ledger,
    Need,
    Offer,
    Proposal,
    Recipe,
    Resource,
    Route,
    content_id,
    event_json,
    parse_event,
)
from coordinator.times import parse_instant
from coordinator.units import Quantity
from tests.support.events import proposal

NOON = "2026-03-01T12:00:00Z"
GOWNS = {"resource": "gowns", "quantity": {"value": 20, "unit": "1"}}
SEWING = {"process": "sewing", "effort": {"value": 3, "unit": "h"}, "begin": NOON, "end": "2026-03-02T12:00:00Z"}
RECIPE = {
    "recipe": "gown",
    "outputs": [{"resource": "gowns", "quantity": {"value": 1, "unit": "1"}}],
    "steps": [{"process": "sewing", "effort": {"value": 30, "unit": "min"}}],
}


def envelope(kind="offer", data=GOWNS, **changes):
    who = "coordinator:c" if kind in ("tick", "proposal", "ledger") else "agent:a"
    return {
        "specversion": "1.0",
        "id": "1",
        "source": who,
        "type": f"stigmergy.{kind}.v1",
        "subject": "s",
        "time": NOON,
        "data": data,
    } | changes


def line(kind="offer", data=GOWNS, **changes):
    return json.dumps(envelope(kind, data, **changes), ensure_ascii=False)


def take(kind="offer", data=GOWNS, **changes):
    return parse_event(line(kind, data, **changes))


def refusal(text, **options):
    with pytest.raises(Refused) as refused:
        parse_event(text, **options)
    return str(refused.value)


def raw(quantity):
    """An offer whose quantity is written exactly so."""
    return line(data={"resource": "gowns", "quantity": "@"}).replace('"@"', quantity)


# --- what is taken ---


def test_an_event_is_read_whole():
    event = take(logtime="2026-03-01T13:00:00+01:00")
    assert (event.kind, event.source, event.id, event.subject) == ("offer", "agent:a", "1", "s")
    assert event.time_us == event.logtime_us == parse_instant(NOON)
    assert event.data == Offer("gowns", Quantity(20, "1"))
    assert (event.name, event.by_agent, len(event.content)) == ("a", True, 16)


def test_null_data_withdraws():
    assert take(data=None).data is None


def test_goods_and_hours_are_named_alike():
    assert (take().data.name, take().data.amount) == ("gowns", Quantity(20, "1"))
    hours = take("capacity", SEWING).data
    assert isinstance(hours, Capacity)
    assert (hours.name, hours.amount, hours.end_us - hours.begin_us) == ("sewing", Quantity(10_800_000, "h"), 86_400_000_000)
    need = take("need", {"process": "sewing", "effort": {"value": 90, "unit": "min"}}).data
    assert isinstance(need, Need)
    assert (need.name, need.amount, need.tier) == ("sewing", Quantity(5_400_000, "min"), 1)


def test_distances_are_metres_and_a_radius_never_grows_by_rounding():
    assert take(data=GOWNS | {"within_km": 1.2349}).data.within_m == 1_234
    route = take("route", {"to": "b", "distance_km": 1.2346}).data
    assert route == Route("b", 1_235, True)


def test_mass_and_pack_are_exact():
    resource = take("resource", {"resource": "pla", "unit": "kg", "mass_kg": 1.1, "multiple": 0.75}).data
    assert resource == Resource("pla", "kg", mass_ug=1_100_000_000, multiple_grains=750_000_000)


def test_a_minimum_is_in_the_unit_of_its_quantity():
    assert take("capacity", SEWING | {"minimum": 0.5}).data.minimum_grains == 1_800_000
    assert take(data=GOWNS | {"minimum": 0}).data.minimum_grains == 0


def test_of_an_output_only_the_good_share_counts():
    made = [{"resource": "gowns", "quantity": {"value": 7, "unit": "1"}, "yield": 0.9}]
    [output] = take("recipe", RECIPE | {"outputs": made}).data.outputs
    assert (output.quantity.grains, output.good, output.by_product) == (7, Fraction(63, 10), False)


def test_a_recipe_whose_good_output_is_less_than_it_takes_is_refused():
    made = [{"resource": "gowns", "quantity": {"value": 10, "unit": "1"}, "yield": 0.5}]
    taken = [{"resource": "gowns", "quantity": {"value": 5, "unit": "1"}}]
    assert "makes more of its output" in refusal(line("recipe", RECIPE | {"outputs": made, "inputs": taken}))


def test_pieces_are_told_without_a_unit():
    made, taken = ([{"resource": "z", "quantity": {"value": value, "unit": "1"}}] for value in (1, 2))
    assert 'takes 2 of "z" to make 1 of it; a recipe makes more' in refusal(line("recipe", RECIPE | {"outputs": made, "inputs": taken}))


def test_what_makers_say_of_time_is_kept_to_the_microsecond():
    said = take("capacity", SEWING | {"lead_h": 1.5, "every": {"value": 1, "unit": "d"}, "power_kw": 0.35}).data
    assert (said.lead_us, said.every, said.power_mw) == (5_400_000_000, Quantity(86_400_000, "d"), 350_000)


def test_a_recipe_may_use_less_of_what_it_makes():
    dough = [{"resource": "sourdough", "quantity": {"value": 100, "unit": "g"}}]
    made = [{"resource": "sourdough", "quantity": {"value": 1, "unit": "kg"}}]
    assert isinstance(take("recipe", RECIPE | {"outputs": made, "inputs": dough}).data, Recipe)


@pytest.mark.parametrize("written", ["20", "20.0", "2e1", "2.0E+1", "200e-1"])
def test_twenty_is_one_number_however_it_is_written(written):
    event = parse_event(raw(f'{{"value": {written}, "unit": "1"}}'))
    assert event.data.quantity == Quantity(20, "1")
    assert event.content == take().content


def test_whole_numbers_may_come_with_a_point():
    assert take("need", GOWNS | {"tier": 3.0}).data.tier == 3


def test_null_is_the_same_as_absent_for_optional_fields():
    nulls = dict.fromkeys(("begin", "end", "due", "tier", "minimum", "within_km", "substitutes", "basis", "place", "expires", "process"))
    with_nulls, without = take("need", GOWNS | nulls), take("need", GOWNS)
    assert with_nulls.data == without.data
    assert with_nulls.content == without.content


def test_unknown_fields_are_passed_over_by_readers_but_count_as_content():
    with_more = take(data=GOWNS | {"colour": "blue"})
    assert with_more.data == take().data
    assert with_more.content != take().content


def test_extensions_and_logtime_are_not_content():
    assert take(traceparent="00-1", logtime=NOON).content == take().content


def test_what_a_repeat_must_share_is_content():
    events = [
        take(),
        take(subject="t"),
        take(time="2026-03-01T12:00:01Z"),
        take("need"),
        take(data=None),
        take(data=GOWNS | {"tier": "20"}),
    ]
    assert len({event.content for event in events}) == len(events)


def test_names_are_composed_and_shared():
    decomposed, composed = unicodedata.normalize("NFD", "blé"), "blé"
    assert take(data=GOWNS | {"resource": decomposed}).data.resource == composed
    assert take(subject=decomposed).subject == composed


def test_joiners_that_real_names_need_are_taken():
    assert take(data=GOWNS | {"resource": "می‌خواهم"}).data.resource == "می‌خواهم"


def test_a_mark_of_byte_order_before_the_line_is_passed_over():
    assert parse_event(b"\xef\xbb\xbf" + line().encode()).data == take().data


@pytest.mark.parametrize(
    ("action", "sort"), [("use", "process"), ("work", "process"), ("transfer", "resource"), ("consume", "resource"), ("pickup", "resource")]
)
def test_a_line_of_work_or_use_moves_hours_of_a_process(action, sort):
    said = json.loads(proposal("p", "a", "b", 3, at=1, thing="welding"))
    said["data"]["lines"][0]["action"] = action
    data = parse_event(json.dumps(said)).data
    assert isinstance(data, Proposal)
    assert [line.thing for line in data.lines] == [(sort, "welding")]


def test_a_coordinator_says_ticks_proposals_and_ledger_records():
    assert take("tick", {}).by_agent is False
    said = {"provider": "a", "receiver": "b", "action": "work", "resource": "sewing", "offer": "a/capacity/c", "need": "b/need/n"}
    third = said | {"quantity": {"value": 0.3333333333333333, "unit": "h"}, "distance_km": 12, "effort": 4}
    proposal = take("proposal", {"proposal": "p", "lines": [third], "expires": NOON, "charter": "c", "reasons": {"near": [1]}}).data
    assert isinstance(proposal, Proposal)
    assert (proposal.lines[0].quantity, proposal.lines[0].distance_m) == (Quantity(1_200_000, "h"), 12_000)


def test_a_ledger_record_keeps_what_it_does_not_know():
    record = {"kind": "promised", "agent": "a", "proposal": "p", "free_before": {"o": 3}, "epoch": 7, "rest": 1, "moved": [None]}
    ledger = take("ledger", record).data
    assert isinstance(ledger, Ledger)
    assert (ledger.rest, ledger.free_before, ledger.moved) == ({"epoch": 7, "rest": 1}, {"o": 3}, (None,))


def test_answers_and_reports_echo_amounts_whose_decimals_never_end():
    third = {"value": 0.3333333333333333, "unit": "h"}
    assert take("answer", {"proposal": "s", "answer": "counter", "quantity": third}).data == Answer(
        "s", "counter", Quantity(1_200_000, "h")
    )
    assert take("report", {"commitment": "p", "action": "work", "effort": third}).data.effort == Quantity(1_200_000, "h")
    assert "whole ms" in refusal(line("capacity", SEWING | {"effort": third}))


# --- what is refused ---


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        pytest.param(raw('{"value": -3, "unit": "kg"}'), "data.quantity.value", "above zero", id="below zero"),
        pytest.param(raw('{"value": 0, "unit": "kg"}'), "data.quantity.value", "above zero", id="zero"),
        pytest.param(raw('{"value": -0.0, "unit": "kg"}'), "data.quantity.value", "above zero", id="minus zero"),
        pytest.param(raw('{"value": 1e400, "unit": "kg"}'), "1e400", "finite", id="not finite"),
        pytest.param(raw('{"value": 1e999999999, "unit": "kg"}'), "1e999999999", "finite", id="an exponent to fill the memory"),
        pytest.param(raw('{"value": 1e-999999999, "unit": "kg"}'), "1e-999999999", "finite", id="an exponent to fill it with noughts"),
        pytest.param(raw('{"value": 1e99999999999999999999, "unit": "kg"}'), "1e9999", "finite", id="an exponent no decimal holds"),
        pytest.param(raw('{"value": %s, "unit": "kg"}' % ("9" * 5_000)), "A number", "400", id="five thousand digits"),
        pytest.param(raw('{"value": 9007199254740993, "unit": "1"}'), "data.quantity.value", "1e9", id="past a double's integers"),
        pytest.param(raw('{"value": 1e30, "unit": "1"}'), "data.quantity.value", "1e9", id="1e30 pieces"),
        pytest.param(raw('{"value": NaN, "unit": "kg"}'), "NaN", "finite", id="not a number"),
        pytest.param(raw('{"value": -Infinity, "unit": "kg"}'), "-Infinity", "finite", id="infinity"),
        pytest.param(raw('{"value": true, "unit": "1"}'), "data.quantity.value", "a number was expected", id="true"),
        pytest.param(raw('{"value": "soon", "unit": "1"}'), "data.quantity.value", "send one, such as 12", id="a word for a number"),
        pytest.param(raw('{"value": "1,5", "unit": "1"}'), "data.quantity.value", "send one, such as 12", id="a comma in a number"),
        pytest.param(raw('{"value": "12", "unit": "1"}'), "data.quantity.value", "without quotes", id="a number in quotes"),
        pytest.param(raw('{"value": 2.5, "unit": "1"}'), "data.quantity.value", "pieces are whole", id="half a piece"),
        pytest.param(raw('{"value": 3, "unit": "bags"}'), "data.quantity.unit", "UCUM", id="an unknown unit"),
        pytest.param(raw('{"value": 3, "unit": 1}'), "data.quantity.unit", "in quotes", id="a unit without quotes"),
        pytest.param(raw('{"value": 3}'), "data.quantity.unit", "missing", id="no unit"),
        pytest.param(raw("20"), "data.quantity", '{"value": 20, "unit": "1"}', id="a bare number"),
        pytest.param(raw('{"value": 2, "unit": "1"}, "quantity": {"value": 200, "unit": "1"}'), '"quantity"', "twice", id="a key twice"),
        pytest.param(line("agent", {"place": {"lat": 148.1, "long": -1.6}}), "data.place.lat", "-90 to 90", id="latitude"),
        pytest.param(line("agent", {"place": {"lat": 48.1, "long": 181}}), "data.place.long", "-180 to 180", id="longitude"),
        pytest.param(line("agent", {"place": {"lat": 48.1}}), "data.place.long", "missing", id="half a place"),
        pytest.param(line("agent", {"place": [48.1, 1.6]}), "data.place", "object", id="a place as a list"),
        pytest.param(line(time="2026-03-01T08:00:00"), "time", "without an offset", id="no offset"),
        pytest.param(line(time=1_772_352_000), "time", "RFC 3339", id="a time as a number"),
        pytest.param(line(data=GOWNS | {"expires": "tomorrow"}), "data.expires", "RFC 3339", id="a time in words"),
        pytest.param(line(logtime="2026"), "logtime", "RFC 3339", id="log time"),
        pytest.param(line("capacity", SEWING | {"end": NOON}), "data.end", "after it begins", id="an empty window"),
        pytest.param(
            line(data=GOWNS | {"begin": NOON, "end": "2026-02-01T00:00:00Z"}), "data.end", "after it begins", id="a window backwards"
        ),
        pytest.param(
            line("capacity", SEWING | {"effort": {"value": 3, "unit": "kg"}}), "data.effort.unit", "hours are a time", id="hours in kg"
        ),
        pytest.param(
            line("capacity", SEWING | {"limits": {"bed": {"x": 1}}}), "data.limits.bed", "a number or a text", id="a limit in braces"
        ),
        pytest.param(line("price"), "type", "known kind", id="an unknown kind"),
        pytest.param(line("ofer"), "type", "did you mean stigmergy.offer.v1", id="a kind misspelt"),
        pytest.param(line("need", GOWNS | {"tier": 9}), "data.tier", "0 to 3", id="tier nine"),
        pytest.param(line("need", GOWNS | {"tier": 1.5}), "data.tier", "whole number", id="tier one and a half"),
        pytest.param(line("need", GOWNS | {"tier": False}), "data.tier", "number", id="tier false"),
        pytest.param(
            line("need", GOWNS | {"process": "p", "effort": {"value": 1, "unit": "h"}}), "data has", "not both", id="goods and hours"
        ),
        pytest.param(line("need", {"resource": "gowns"}), "data has", "with its quantity", id="no quantity"),
        pytest.param(line("need", {}), "data has", "neither", id="a need of nothing"),
        pytest.param(line(data=GOWNS | {"basis": "all"}), "data.basis", '"free" or "total"', id="an unknown basis"),
        pytest.param(line(data=GOWNS | {"within_km": -1}), "data.within_km", "from 0", id="a radius below zero"),
        pytest.param(line(data=GOWNS | {"minimum": "5"}), "data.minimum", "number", id="a minimum in quotes"),
        pytest.param(line("route", {"to": "b", "distance_km": 1, "two_way": "yes"}), "data.two_way", "true or false", id="two_way yes"),
        pytest.param(
            line("recipe", RECIPE | {"outputs": [RECIPE["outputs"][0] | {"yield": 1.2}]}),
            "data.outputs[0].yield",
            "a share",
            id="a yield above all",
        ),
        pytest.param(
            line("recipe", RECIPE | {"outputs": [RECIPE["outputs"][0] | {"by_product": True}]}),
            "data.outputs",
            "all by-products",
            id="a recipe run for nothing",
        ),
        pytest.param(
            line("recipe", RECIPE | {"hours_unknown": [{"process": "cutting"}]}), "data does not know", "draft true", id="unknown hours"
        ),
        pytest.param(line("offer", GOWNS | {"lead_h": -1}), "data.lead_h", "hours from 0", id="a lead time into the past"),
        pytest.param(line("offer", GOWNS | {"every": {"value": 1, "unit": "kg"}}), "data.every.unit", "a time", id="every kilogram"),
        pytest.param(line("offer", GOWNS | {"every": {"value": 1, "unit": "s"}}), "data.every", "at least one minute", id="every second"),
        pytest.param(
            line("offer", GOWNS | {"every": {"value": 1, "unit": "d"}, "basis": "total"}), "data.every", "a stock", id="a stock every day"
        ),
        pytest.param(line("need", GOWNS | {"requires": {"tool": "x"}}), "data.requires", "of machines", id="goods that require a machine"),
        pytest.param(line("recipe", RECIPE | {"outputs": []}), "data.outputs", "empty", id="a recipe of nothing"),
        pytest.param(line("recipe", RECIPE | {"inputs": RECIPE["outputs"]}), "data takes", "more of its output", id="a recipe in a circle"),
        pytest.param(
            line("recipe", RECIPE | {"inputs": [{"resource": "gowns", "quantity": {"value": 1, "unit": "kg"}}]}),
            "data takes",
            "do not convert",
            id="in and out in two dimensions",
        ),
        pytest.param(line("recipe", RECIPE | {"batch": {"minimum": 0}}), "data.batch.minimum", "whole number from 1", id="no runs"),
        pytest.param(line("recipe", RECIPE | {"steps": [{"process": "p"}]}), "data.steps[0].effort", "missing", id="inside a list"),
        pytest.param(line("recipe", RECIPE | {"steps": {}}), "data.steps", "a list", id="an object for a list"),
        pytest.param(line("need", GOWNS | {"substitutes": ["x"] * 101}), "data.substitutes", "at most 100", id="a long list"),
        pytest.param(line("answer", {"proposal": "s", "answer": "counter"}), "data.quantity", "how much", id="a counter of nothing"),
        pytest.param(
            line("answer", {"proposal": "s", "answer": "accept", "quantity": {"value": 1, "unit": "1"}}),
            "data.quantity",
            "whole",
            id="in part",
        ),
        pytest.param(line("answer", {"proposal": "t", "answer": "accept"}), "subject", "make them equal", id="an answer's subject"),
        pytest.param(line("answer", {"proposal": "s", "answer": "perhaps"}), "data.answer", "decline", id="an unknown answer"),
        pytest.param(line("report", {"commitment": "p", "action": "sell"}), "data.action", "deliverService", id="an unknown action"),
        pytest.param(line(data=[]), "data", "an object", id="a list for data"),
        pytest.param(line(data=GOWNS | {"resource": 5}), "data.resource", "a text", id="a number for a name"),
        pytest.param(
            line(data={"resorce": "x", "quantity": {"value": 1, "unit": "1"}}), "data.resource", 'by "resorce"', id="a field misspelt"
        ),
        pytest.param(line(source="agent:x y/z"), "source", "letters", id="an agent's name with a blank"),
        pytest.param(line(source="agent:"), "source", "empty", id="an agent without a name"),
        pytest.param(line(source="agent:blé"), "source", "letters", id="an agent's name with an accent"),
        pytest.param(line(source="urn:x"), "source", "agent:NAME", id="another scheme"),
        *(
            pytest.param(line(source=no_text), "source is", "agent:NAME", id=f"{no_text} for a source")
            for no_text in (["agent:x"], None, 5, 1.5)
        ),
        pytest.param(line(source="coordinator:c"), "source", "only agent:NAME", id="a coordinator's offer"),
        pytest.param(line("ledger", {}, source="agent:a"), "source", "only coordinator:NAME", id="an agent's ledger"),
        pytest.param(line(specversion="0.3"), "specversion", "1.0", id="an old version"),
        pytest.param(line(type=["stigmergy.offer.v1"]), "type", "known kind", id="a list for a type"),
        pytest.param(line(id=""), "id", "empty", id="an empty id"),
        pytest.param(line(id="x" * 129), "id", "128", id="a long id"),
        pytest.param(line(id=7), "id", "a text", id="a number for an id"),
        pytest.param(line(subject="  "), "subject", "empty", id="a blank subject"),
        pytest.param(line(subject="a\x00b"), "subject", "U+0000", id="a NUL"),
        pytest.param(line(subject="a\u202eb"), "subject", "U+202E", id="text turned round"),
        pytest.param(line(subject="a\u200bb"), "subject", "U+200B", id="a space that is not seen"),
        pytest.param(json.dumps(envelope(subject="\ud800")), "subject", "U+D800", id="half a surrogate in a name"),
        pytest.param(json.dumps(envelope(data=GOWNS | {"x": "\ud800"})), "The event", "surrogate", id="half a surrogate elsewhere"),
        pytest.param(line(subject="e" + "\u0301" * 100_000), "subject", "128", id="a hundred thousand marks"),
        pytest.param(line(data=GOWNS | {"resource": "x" * 129}), "data.resource", "128", id="a long name"),
        pytest.param(line("agent", {"name": "x" * 257}), "data.name", "256", id="a long text"),
        pytest.param(line("report", {"commitment": "p", "action": "use", "note": "x" * 2_001}), "data.note", "2000", id="a long note"),
        pytest.param(line()[:-9], "The line", "ends in the middle", id="cut short"),
        pytest.param(line()[:60], "The line", "ends in the middle", id="cut inside a text"),
        pytest.param(line() + line(), "The line", "one event a line", id="two on a line"),
        pytest.param("", "The line", "empty", id="nothing"),
        pytest.param("hello", "The line", "not JSON", id="words"),
        pytest.param("[]", "The line", "object", id="a list"),
        pytest.param(b"\xff\xfe{}", "The line", "UTF-8", id="not UTF-8"),
        pytest.param(" " * 2**20 + "{}", "The line", "1048576", id="more than a mebibyte"),
        pytest.param('{"a":' * 100_000, "The event", "nests", id="a hundred thousand levels"),
        pytest.param(line(data=GOWNS | {"x": json.loads("[" * 300 + "]" * 300)}), "The event", "nests", id="three hundred levels"),
    ],
)
def test_a_refusal_names_the_field_and_says_what_to_do(text, field, reason):
    sentence = refusal(text)
    assert field in sentence
    assert reason in sentence
    assert sentence.isprintable()
    assert sentence.endswith((".", "?"))
    assert len(sentence) < 400
    assert not re.search(r"pydantic|validation|Value error|Input should|Traceback", sentence)


@pytest.mark.parametrize("field", ["id", "source", "type", "subject", "time", "data", "specversion"])
def test_every_attribute_is_required(field):
    event = envelope()
    del event[field]
    assert refusal(json.dumps(event)).startswith(field)


def test_data_in_another_encoding_is_refused():
    event = envelope(data_base64="e30=")
    del event["data"]
    assert "data_base64" in refusal(json.dumps(event))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(GOWNS | {"minumum": 5}, "data.minumum is not a known field; did you mean minimum?", id="near"),
        pytest.param(
            GOWNS | {"place": {"lat": 1, "long": 2, "lable": "x"}}, "data.place.lable is not a known field; did you mean label?", id="deep"
        ),
        pytest.param(
            GOWNS | {"quantity": {"value": 1, "unit": "1", "of": 2}},
            "data.quantity.of is not a field of a quantity; value and unit were expected: leave it out.",
            id="in a quantity",
        ),
    ],
)
def test_producers_can_ask_for_unknown_fields_to_be_refused(data, expected):
    assert refusal(line(data=data), strict_fields=True) == expected
    assert take(data=data).kind == "offer"


def test_an_unknown_field_like_no_other_is_refused_with_the_known_ones():
    assert "quantity" in refusal(line(data=GOWNS | {"xyzzy": 1}), strict_fields=True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["value", "unit", "resource", "lat", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = [
    "resource",
    "quantity",
    "begin",
    "end",
    "minimum",
    "within_km",
    "place",
    "tier",
    "inputs",
    "steps",
    "limits",
    "moved",
    "lines",
    "batch",
]
KINDS = ["agent", "resource", "offer", "capacity", "need", "recipe", "route", "answer", "report", "tick", "proposal", "ledger"]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=5), st.booleans())
def test_whatever_comes_is_taken_or_refused_with_a_sentence(kind, data, strict_fields):
    try:
        outcome = parse_event(json.dumps(envelope(kind, data)), strict_fields=strict_fields).kind
    except Refused as refused:
        outcome = str(refused)
    assert outcome == kind or (outcome.isprintable() and outcome.endswith((".", "?")) and len(outcome) < 700)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from([*envelope(), "logtime", "spokenby"]), json_values, min_size=1, max_size=3))
def test_whatever_comes_about_the_data_is_taken_or_refused_with_a_sentence(kind, attributes):
    try:
        outcome = parse_event(json.dumps(envelope(kind) | attributes)).kind
    except Refused as refused:
        outcome = str(refused)
    assert outcome in KINDS or (outcome.isprintable() and outcome.endswith((".", "?")) and len(outcome) < 700)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_refused(noise):
    assert refusal(noise).isprintable()


# --- what is written ---


def test_what_is_written_reads_back():
    event = parse_event(event_json("offer", "agent:a", "s", parse_instant(NOON), GOWNS, logtime_us=parse_instant(NOON)))
    assert event.data == take().data
    assert event.content == take().content
    assert event.logtime_us == event.time_us


def test_ids_follow_from_content():
    said = ("agent:a", "offer", "s", parse_instant(NOON))
    again = {"quantity": {"unit": "1", "value": 20.0}, "resource": "gowns"}
    assert content_id(*said, GOWNS) == content_id(*said, again) == content_id(*said, {"resource": "gowns", "quantity": Quantity(20, "1")})
    assert parse_event(event_json("offer", "agent:a", "s", said[3], again)).id == content_id(*said, GOWNS)
    assert parse_event(event_json("offer", "agent:a", "s", said[3], GOWNS, id="mine")).id == "mine"
    assert len({content_id(*said, GOWNS), content_id(*said, None), content_id("agent:b", *said[1:], GOWNS)}) == 3


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e-400 - float("inf")])
def test_numbers_that_are_none_are_not_written(value):
    with pytest.raises(Refused, match="finite"):
        event_json("offer", "agent:a", "s", 0, {"quantity": {"value": value, "unit": "1"}})


def test_things_without_a_json_form_are_not_written():
    with pytest.raises(Refused, match="JSON"):
        event_json("offer", "agent:a", "s", 0, {"resource": object()})


@given(json_values)
def test_one_content_has_one_canonical_form(value):
    once = canonical_json(read_json(json.dumps(value)))
    assert canonical_json(read_json(once)) == once
    assert canonical_json(read_json(json.dumps(value, indent=1, sort_keys=True))) == once
