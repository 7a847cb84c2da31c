"""The one way in: log time, cycles, repeats, and what is said to the streams."""

import json

import pytest

from coordinator.errors import Refused
from coordinator.signals import parse_event
from tests.support.desk import Desk
from tests.support.events import answer, event, ledger, moment_us, need, offer, proposal, report, route, tick, withdraw

PAIR = [route("a", "b", 1), offer("a", 5), need("b", 5)]


@pytest.mark.parametrize(("at", "planned"), [(0.5, False), (0.9999, False), (1, True), (7, True)])
def test_a_cycle_runs_at_the_first_event_a_cycle_or_more_after_the_last(at, planned):
    desk = Desk(*PAIR, by_the_hour=True)
    desk.until(at)
    assert bool(desk.parties) is planned


def test_cycles_are_counted_from_the_last_one():
    desk = Desk(*PAIR, tick(1.5), offer("c", 3, at=1.6), route("c", "d", 1, at=1.7), need("d", 3, at=1.8), by_the_hour=True)
    desk.until(2.4)
    assert ("c", "d") not in desk.parties
    desk.until(2.5)
    assert ("c", "d") in desk.parties


def test_a_replay_ends_with_one_more_cycle_which_moves_no_time():
    desk = Desk(*PAIR, by_the_hour=True)
    desk.core.finish()
    assert desk.parties == {("a", "b"): 5}
    assert desk.core.log_us == moment_us(0)


def test_an_empty_replay_ends_too():
    desk = Desk()
    desk.core.finish()
    assert desk.open == []


def test_log_time_never_goes_back():
    desk = Desk(tick(10), offer("a", 5, at=3), offer("b", 5, at=3, logtime=4))
    assert desk.core.log_us == moment_us(10)


def test_a_refused_event_moves_no_time_and_may_come_again_mended():
    desk = Desk(tick(100), late_seconds=3600)
    with pytest.raises(Refused):
        desk.take(offer("a", 5, at=50, id="x"))
    assert desk.core.log_us == moment_us(100)
    desk.take(offer("a", 5, at=99.5, id="x"))
    assert desk.free("a/offer/o") == 5


def test_a_repeat_is_told_as_one_and_moves_no_time():
    desk = Desk(*PAIR)
    line = offer("a", 5)
    assert desk.core.take(parse_event(line), line).repeat is True
    assert desk.core.log_us == moment_us(0)


def test_everything_decided_is_said_to_its_stream_with_log_time():
    desk = Desk(*PAIR)
    (deal,) = desk.cycle()
    desk.take(answer("a", deal.proposal, at=3), answer("b", deal.proposal, at=4))
    said = [(entry.stream, json.loads(entry.event)) for entry in desk.core.outbox]
    assert [stream for stream, _ in said] == ["stigmergy.proposal.v1", *["stigmergy.ledger.v1"] * 3]
    assert [record["logtime"] for _, record in said] == ["2026-03-01T00:00:00Z", "2026-03-01T03:00:00Z", *["2026-03-01T04:00:00Z"] * 2]
    assert len({record["id"] for _, record in said}) == 4


def test_what_was_said_read_back_leads_to_the_same_book():
    """Signals, answers and the outbox, as a log holds them."""
    first = Desk(*PAIR)
    log = list(PAIR)

    def noted() -> None:
        log.extend(entry.event for entry in first.core.outbox)
        first.core.outbox.clear()

    (deal,) = first.cycle()
    noted()
    for line in (answer("a", deal.proposal, at=3), answer("b", deal.proposal, at=4), report("b", deal.proposal, at=5, quantity=2)):
        first.take(line)
        log.append(line)
        noted()
    second = Desk()
    second.core.judging = second.core.planning = False
    second.take(*log)
    second.core.resume()
    assert second.core.ledger == first.core.ledger
    assert second.core.outbox == []
    assert (second.state(deal.proposal), second.free("a/offer/o")) == (first.state(deal.proposal), first.free("a/offer/o"))


def test_resuming_twice_decides_nothing_anew():
    desk = Desk()
    desk.core.judging = False
    desk.take(offer("a", 9), need("b", 9), proposal("p", "a", "b", 5, at=1), answer("a", "p", at=2), answer("b", "p", at=2))
    assert desk.ledger == []
    desk.core.resume()
    assert desk.kinds == ["promised", "promised", "committed"]
    desk.core.resume()
    assert len(desk.ledger) == 3


@pytest.mark.parametrize("gone", [withdraw("offer", "a", "o", at=3), tick(20)], ids=["withdrawn", "expired"])
def test_what_a_log_was_cut_before_is_released_when_it_goes_on(gone):
    desk = Desk()
    desk.core.judging = False
    desk.take(offer("a", 9, expires=15), need("b", 9), proposal("p", "a", "b", 5, at=1, expires=18), answer("b", "p", at=2, id="y"))
    desk.take(ledger({"kind": "promised", "agent": "b", "proposal": "p", "statement": "agent:b/y"}, at=2), gone)
    desk.core.resume()
    assert desk.kinds == ["promised", "released"]
    assert desk.free("b/need/n") == 9


def test_a_commitment_whose_end_passed_in_the_unread_rest_of_a_log_is_broken():
    desk = Desk(offer("a", 9), need("b", 9, end=10), proposal("p", "a", "b", 5, at=1), answer("a", "p", at=2), answer("b", "p", at=2))
    desk.until(10)
    assert desk.kinds[-1] == "broken"


def test_events_of_other_coordinators_are_folded_alike():
    desk = Desk(offer("a", 9), need("b", 9), event("tick", "coordinator:east", "tick", 5, {}))
    assert desk.core.log_us == moment_us(5)
