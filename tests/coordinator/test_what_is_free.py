"""What is free is one thing, whoever tells it: page, map, tables, trees and makers."""

from typing import Any

import pytest

from coordinator.atlas import atlas
from coordinator.exploding import explode
from coordinator.makers import makers
from coordinator.opportunities import opportunities
from coordinator.questions import stats, upstream
from coordinator.timetable import Hours, timetable
from coordinator.trees import tree
from coordinator.views import Asked, offers_or_needs
from tests.support.desk import Desk
from tests.support.events import agent, amount, answer, capacity, event, hours, need, offer, tick

AT: dict[str, Any] = {"place": {"lat": 1.0, "long": 1.0}}
HOUR = 3_600_000


def gowns() -> bytes:
    takes = {"inputs": [{"resource": "cloth", "quantity": amount(1)}], "steps": [{"process": "sewing", "effort": amount(1, "h")}]}
    return event("recipe", "agent:shop", "gown", 0, {"recipe": "gown", "outputs": [{"resource": "gown", "quantity": amount(1)}], **takes})


def told_free(desk: Desk) -> dict[str, tuple[int, int]]:
    """What each of them says is free of cloth, in pieces, and of sewing, in hours; the map tells thousandths of what was stated."""
    network, book, log_us = desk.core.network, desk.core.book, desk.core.log_us
    counts = {row.name: row.free.grains for row in stats(network, book, log_us).things}
    fed = {row.name: sum(free.grains for free in row.free) for row in upstream(network, "gown", book, log_us)}
    [way] = tree(desk.core, "gown").ways
    cloth, sewing = (sum(free.grains for free in each.free) for each in way.takes)
    [design] = makers(network, "gown", log_us=log_us, book=book)
    rows = {row.name: row.free.grains for row in explode(desk.core, "ward/need/n").rows}
    machines: tuple[Hours, ...] = timetable(desk.core)["items"]  # type: ignore[assignment]  # none once its window has closed
    listed = {row["ref"]: row["free"]["value"] for row in offers_or_needs(desk.core, Asked(), supply=True)["items"]}
    columns = atlas(desk.core)
    kinds = zip(columns["signals"]["thing"], columns["signals"]["need"], columns["signals"]["open"], strict=True)
    shares = {columns["things"][thing]: share for thing, is_need, share in kinds if not is_need}
    return {
        "stats": (counts.get("cloth", 0), counts.get("sewing", 0) // HOUR),
        "upstream": (fed["cloth"], fed["sewing"] // HOUR),
        "tree": (cloth, sewing // HOUR),
        "explode": (rows["cloth"], rows["sewing"] // HOUR),
        "offers": (listed["mill/offer/o"], listed["shop/capacity/c"]),
        "makers and hours": (design.inputs[0].free.grains, sum(one.free.grains for one in machines) // HOUR),
        "map": (shares["cloth"] * 10 // 1000, shares["sewing"] * 10 // 1000),
    }


def desk_where(*, closes: float) -> Desk:
    desk = Desk(gowns(), offer("mill", 10, "cloth", end=closes, **AT), capacity("shop", 10, end=closes, **AT), need("ward", 20, "gown"))
    desk.take(need("ward", 3, "cloth", subject="c", **AT), hours("ward", 4, subject="h", **AT))
    return desk


def test_what_is_proposed_or_promised_is_free_nowhere() -> None:
    desk = desk_where(closes=50)
    assert set(told_free(desk).values()) == {(10, 10)}
    proposed = [deal for deal in desk.cycle() if not deal.is_tree]
    assert len(proposed) == 2
    assert set(told_free(desk).values()) == {(7, 6)}
    for deal in proposed:
        desk.take(answer(deal.lines[0].provider, deal.proposal, at=1))
    assert set(told_free(desk).values()) == {(7, 6)}
    for deal in proposed:
        desk.take(answer("ward", deal.proposal, at=2))
    assert set(told_free(desk).values()) == {(7, 6)}


def test_where_a_window_has_closed_nothing_is_free() -> None:
    desk = desk_where(closes=2)
    desk.take(tick(3))
    assert set(told_free(desk).values()) == {(0, 0)}


@pytest.mark.parametrize(("closes", "how"), [(50, "could make it"), (2, "does not offer it")])
def test_hours_in_a_closed_window_make_nothing(closes: float, how: str) -> None:
    gives, steps = [{"resource": "gown", "quantity": amount(1)}], [{"process": "sewing", "effort": amount(1, "h")}]
    pattern = event("recipe", "agent:school", "gown", 0, {"recipe": "gown", "outputs": gives, "steps": steps})
    desk = Desk(pattern, capacity("shop", 10, end=closes, **AT), need("ward", 20, "gown", **AT))
    desk.take(agent("shop", 1, 1), offer("far", 1, "gown", **AT), tick(3))
    desk.cycle()
    assert {one.name: one.how for one in opportunities(desk.core, "shop")}["gown"] == how
