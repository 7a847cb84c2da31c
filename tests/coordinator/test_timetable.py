"""Machine hours in time: what is booked of each capacity, when at the closest, and in what state."""

from typing import Any

from coordinator.timetable import Hours, timetable
from tests.support.desk import Desk
from tests.support.events import amount, answer, capacity, hours, moment_us, withdraw

AT: dict[str, Any] = {"place": {"lat": 1.0, "long": 1.0}}


def rows(desk: Desk, **asked: Any) -> list[Hours]:
    items: Any = timetable(desk.core, **asked)["items"]
    return list(items)


def test_hours_are_booked_where_the_windows_meet_and_freed_hours_stay_free() -> None:
    desk = Desk(
        capacity("shop", 10, begin=2, end=40, **AT),
        hours("clinic", 4, begin=8, end=20, **AT),
        capacity("idle", 5, "milling", begin=1, end=9, **AT),
    )
    [deal] = desk.cycle()
    sewing, milling = rows(desk)
    [booked] = sewing.booked
    assert (sewing.agent, sewing.stated.to_json(), sewing.free.to_json()) == ("shop", amount(10, "h"), amount(6, "h"))
    assert (booked.receiver, booked.state, booked.is_set, booked.hours.to_json()) == ("clinic", "proposed", False, amount(4, "h"))
    assert (booked.begin_us, booked.end_us) == (moment_us(8), moment_us(20))
    assert (milling.agent, milling.booked) == ("idle", ())
    for party in deal.parties:
        desk.take(answer(party, deal.proposal, at=1))
    [booked] = rows(desk)[0].booked
    assert (booked.state, rows(desk)[0].free.to_json()) == ("committed", amount(6, "h"))


def test_rows_are_asked_for_by_process_agent_and_number() -> None:
    desk = Desk(*(capacity(f"shop{number}", 1, "sewing" if number % 2 else "milling", **AT) for number in range(6)))
    assert [row.agent for row in rows(desk, process="sewing")] == ["shop1", "shop3", "shop5"]
    assert [row.agent for row in rows(desk, agent="shop2")] == ["shop2"]
    assert (len(rows(desk, limit=2)), timetable(desk.core, limit=2)["total"]) == (2, 6)


def test_a_window_that_has_closed_is_told_while_hours_of_it_are_owed() -> None:
    desk = Desk(capacity("shop", 10, end=9, **AT), capacity("idle", 5, "milling", end=9, **AT), hours("clinic", 4, **AT))
    [deal] = desk.cycle()
    for party in deal.parties:
        desk.take(answer(party, deal.proposal, at=1))
    desk.until(10)
    [row] = rows(desk)
    assert (row.agent, row.free.grains, [one.state for one in row.booked]) == ("shop", 0, ["committed"])


def test_a_capacity_that_was_withdrawn_stays_while_hours_of_it_are_owed() -> None:
    desk = Desk(capacity("shop", 10, **AT), hours("clinic", 4, **AT))
    [deal] = desk.cycle()
    for party in deal.parties:
        desk.take(answer(party, deal.proposal, at=1))
    desk.take(withdraw("capacity", "shop", "c", at=2))
    [row] = rows(desk)
    assert (row.free.grains, [one.state for one in row.booked]) == (0, ["committed"])
