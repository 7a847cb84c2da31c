"""What a proposal says, how it is named, and when it is made anew."""

import hashlib
import json
from random import Random
from typing import Any

import pytest
import rfc8785

from coordinator.jsontext import exact_numbers, write_json
from coordinator.signals import Worded, content_id, parse_event
from coordinator.times import LATEST_US
from tests.support.desk import Desk
from tests.support.events import amount, capacity, hours, moment, need, offer, resource, route, withdraw

LINES = [route("a", "b", 12.5), offer("a", 100, at=1, id="said-o"), need("b", 60, at=1, id="said-n", due=30)]


def data_of(desk: Desk) -> list[dict[str, Any]]:
    return [json.loads(deal.said)["data"] for deal in desk.cycle()]


def test_a_line_says_who_moves_what_where_and_for_which_signals():
    (data,) = data_of(Desk(*LINES))
    assert data["lines"] == [
        {
            "provider": "a",
            "receiver": "b",
            "action": "transfer",
            "resource": "mask",
            "quantity": amount(60),
            "offer": "a/offer/o",
            "need": "b/need/n",
            "due": moment(30),
            "distance_km": 12.5,
            "effort": 750,
        }
    ]


def test_its_id_is_the_hash_of_lines_statements_and_expiry():
    (data,) = data_of(Desk(*LINES))
    statements = [["agent:a", "said-o"], ["agent:b", "said-n"]]
    expected = hashlib.sha256(rfc8785.dumps([data["lines"], statements, data["expires"]])).hexdigest()
    assert expected.startswith(data["proposal"])
    assert len(data["proposal"]) >= 32


@pytest.mark.parametrize(
    ("lines", "same"),
    [
        pytest.param(LINES, True, id="the same signals"),
        pytest.param([LINES[0], LINES[2], LINES[1]], True, id="in another order"),
        pytest.param([*LINES[:2], need("b", 61, at=1, id="said-n", due=30)], False, id="another quantity"),
        pytest.param([LINES[0], LINES[2], offer("a", 100, at=1, id="other")], False, id="another statement"),
        pytest.param([route("a", "b", 12.6), *LINES[1:]], False, id="another distance"),
    ],
)
def test_equal_content_has_an_equal_id_and_no_other(lines, same):
    (one,), (other,) = data_of(Desk(*LINES)), data_of(Desk(*lines))
    assert (one["proposal"] == other["proposal"]) is same


def test_one_proposal_is_one_pair_with_all_its_lines():
    lines = [route("a", "b", 1), route("a", "c", 2), capacity("a", 2), hours("b", 1, subject="h")]
    lines += [offer("a", 9, "mask"), offer("a", 9, "gown", subject="g"), need("b", 5), need("b", 5, "gown", subject="g"), need("c", 4)]
    proposals = data_of(Desk(*lines))
    assert [[(line["receiver"], line["resource"]) for line in data["lines"]] for data in proposals] == [
        [("b", "sewing"), ("b", "gown"), ("b", "mask")],
        [("c", "mask")],
    ]


@pytest.mark.parametrize(
    ("given", "wanted", "expires"),
    [
        pytest.param({}, {}, 1 + 168, id="a week from now"),
        pytest.param({"end": 50}, {}, 50, id="no later than the offer's window"),
        pytest.param({"end": 50}, {"end": 40}, 40, id="nor the need's"),
        pytest.param({"end": 5000}, {}, 1 + 168, id="nor the charter's time"),
    ],
)
def test_it_expires_with_the_charters_time_or_the_windows(given, wanted, expires):
    (data,) = data_of(Desk(route("a", "b", 1), offer("a", 5, at=1, **given), need("b", 5, at=1, **wanted)))
    assert data["expires"] == moment(expires)


def test_its_reasons_name_rule_time_tier_and_level():
    (data,) = data_of(Desk(*LINES, fairness="portions", portion={"mask": 7}))
    assert (data["reasons"]["fairness"], data["reasons"]["at"]) == ("portions", moment(1))
    (line,) = data["reasons"]["lines"]
    assert {"tier_stated": 1, "tier_used": 1, "level": 0}.items() <= line.items()
    assert data["charter"] == Desk(fairness="portions", portion={"mask": 7}).charter.version


def test_only_what_changed_is_made_anew():
    lines = [route("a", "b", 1), route("a", "c", 2), offer("a", 100), need("b", 40), need("c", 30)]
    desk = Desk(*lines)
    before = {deal.parties: deal.proposal for deal in desk.cycle()}
    desk.take(need("c", 20, at=1))
    after = {deal.parties: deal.proposal for deal in desk.cycle()}
    assert after["a", "b"] == before["a", "b"]
    assert after["a", "c"] != before["a", "c"]


def test_a_refresh_alone_makes_nothing_anew():
    desk = Desk(*LINES)
    (before,) = desk.cycle()
    desk.take(offer("a", 100, at=2))
    (after,) = desk.cycle()
    assert after.proposal == before.proposal


def test_what_is_superseded_is_retracted_by_null():
    desk = Desk(*LINES)
    (old,) = desk.cycle()
    desk.core.outbox.clear()
    desk.take(withdraw("need", "b", "n", at=2))
    (said,) = [json.loads(entry.event) for entry in desk.core.outbox]
    assert (said["type"], said["subject"], said["data"]) == ("stigmergy.proposal.v1", old.proposal, None)
    assert desk.cycle() == []


def test_a_pair_with_very_many_lines_gets_several_proposals():
    lines = [route("a", "b", 1), offer("a", 1000), *(need("b", 1, subject=f"n{index:03}") for index in range(150))]
    assert [len(data["lines"]) for data in sorted(data_of(Desk(*lines)), key=lambda data: -len(data["lines"]))] == [100, 50]


def test_twenty_minutes_are_promised_in_hours_and_counted_exactly():
    desk = Desk(route("a", "b", 1), capacity("a", 20, unit="min"), hours("b", 20, unit="min"))
    (deal,) = desk.cycle()
    assert deal.lines[0].quantity.grains == 20 * 60_000


def test_a_life_without_end_ends_where_times_end():
    here = {"place": {"lat": 1, "long": 1}}
    desk = Desk(offer("a", 5, **here), need("b", 5, **here), proposal_seconds=10**10)
    (deal,) = desk.cycle()
    assert deal.data.expires_us == LATEST_US


# -- what is said is taken in without being read back ------------------------------------------------------------------------


def as_read_back(said: bytes) -> None:
    """The line is what the careful writer writes, and names what it holds."""
    record = json.loads(said)
    assert write_json(exact_numbers(record)) == said
    event = parse_event(said)
    assert record["id"] == content_id(record["source"], "proposal", record["subject"], event.time_us, record["data"])
    lines, expires = record["data"]["lines"], record["data"]["expires"]
    statements = [[f"agent:{line[end]}", f"said-{line[end]}"] for line in lines for end in ("provider", "receiver")]
    assert hashlib.sha256(rfc8785.dumps([lines, statements, expires])).hexdigest()[:32] == record["data"]["proposal"]


def worded_by(desk: Desk) -> list[Worded]:
    """What a desk words from now on."""
    said: list[Worded] = []
    word = desk.core.worded
    desk.core.worded = lambda draft: said.append(word(draft)) or said[-1]  # type: ignore[method-assign]
    return said


@pytest.mark.parametrize("effort", ["km", "kg_km"])
@pytest.mark.parametrize("seed", range(30))
def test_what_is_proposed_is_what_a_reader_of_the_line_has(seed, effort):
    draw = Random(seed)
    unit = draw.choice(["1", "kg", "mg", "L", "m", "g", "t"])
    sizes = [0.000001, 0.00005, 0.25, 1, 3, 12.5, 640, 10**6, 10**9]

    def size() -> float:
        return draw.randint(1, 10**9) if unit == "1" else draw.choice(sizes)

    lines = [resource("x", "mask", mass_kg=draw.choice([0.000000001, 0.0101, 0.333333333, 7, 10**8]))] if draw.random() < 0.5 else []
    for name in ("a", "c"):
        if unit == "mg":
            lines.append(capacity(name, draw.choice([0.001, 20, 61]), unit="min", id=f"said-{name}"))
        else:
            lines.append(offer(name, size(), unit=unit, id=f"said-{name}", **({"end": 9.5} if draw.random() < 0.3 else {})))
    for name in ("b", "d"):
        if unit == "mg":
            lines.append(hours(name, draw.choice([0.001, 20, 50]), unit="min", id=f"said-{name}"))
        else:
            lines.append(need(name, size(), unit=unit, id=f"said-{name}", due=draw.choice([-0.5, 8, 8.25])))
    lines += [route(one, other, draw.choice([0, 0.001, 1, 12.345, 999_999.999])) for one in "ac" for other in "bd"]
    desk = Desk(*lines, effort=effort, proposal_seconds=draw.choice([60, 10**6, 10**10]))
    said = worded_by(desk)
    deals = desk.cycle()
    assert len(said) == len(deals) > 0, f"seed {seed}"
    for deal in deals:
        as_read_back(deal.said)
        assert parse_event(deal.said).data == deal.data
    for each in said:
        assert parse_event(each.line) == each.event
    assert not desk.core.unsaid


@pytest.mark.parametrize("name", ["m" * 129, "ma\u0301scara", "bad\u202ename"])
def test_a_name_of_the_catalogue_that_no_signal_may_have_is_proposed_as_it_is_read(name):
    desk = Desk(*LINES, resources={name: {"unit": "1", "aliases": ["mask"]}})
    deals = desk.cycle()
    assert len(deals) + len(desk.core.unsaid) == 1
    for deal in deals:
        assert parse_event(deal.said).data == deal.data


def test_what_a_reader_would_refuse_is_not_said():
    long = "n" * 128
    desk = Desk(route(long, "b", 1), offer(long, 5, subject=long), need("b", 5))
    assert desk.cycle() == []
    (told,) = desk.core.unsaid
    assert "at most 256" in told
