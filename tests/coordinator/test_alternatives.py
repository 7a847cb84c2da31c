"""What was possible instead of a pair costs what it does when planned from nothing; the plan without it is that after a decline."""

from random import Random
from typing import Any

import pytest

from coordinator.alternatives import alternatives, without
from coordinator.errors import Refused
from tests.support.desk import Desk
from tests.support.events import agent, amount, answer, need, offer

Words = dict[str, tuple[int, dict[str, Any]]]  # agent -> pieces, and the rest of what it says


def drawn(draw: Random, *, tiers: int = 1) -> Words:
    words: Words = {}
    for number in range(draw.randint(2, 4)):
        words[f"g{number}"] = draw.randint(2, 9), {"place": somewhere(draw)}
    for number in range(draw.randint(2, 5)):
        words[f"r{number}"] = draw.randint(2, 9), {"place": somewhere(draw), "tier": draw.randrange(tiers)}
    return words


def somewhere(draw: Random) -> dict[str, float]:
    return {"lat": draw.randint(0, 900) / 100, "long": draw.randint(0, 900) / 100}


def planned(words: Words, **rules: Any) -> Desk:
    said = [(offer if agent.startswith("g") else need)(agent, pieces, **more) for agent, (pieces, more) in words.items() if pieces]
    desk = Desk(*said, **rules)
    desk.cycle()
    return desk


def sums(desk: Desk) -> tuple[int, float]:
    """How much moves, and the effort of it in piece-kilometres."""
    lines = [line for deal in desk.open for line in deal.lines]
    return sum(line.quantity.grains for line in lines), sum(float(line.effort) for line in lines)


def covered(desk: Desk) -> dict[str, int]:
    got: dict[str, int] = {}
    for (_, receiver), pieces in desk.moves.items():
        got[receiver] = got.get(receiver, 0) + pieces
    return got


@pytest.mark.parametrize("fairness", ["off", "portions", "ratio"])
def test_the_plan_without_a_pair_is_the_plan_after_it_declined(fairness: str) -> None:
    asked = 0
    for seed in range(25):
        rules = {"fairness": fairness, "portion": {"mask": 2}}
        desk = planned(drawn(Random(seed), tiers=3), **rules)
        before = covered(desk)
        for deal in desk.open[:1]:
            told = without(desk.core, deal.proposal)
            others_before = {name: pieces for name, pieces in before.items() if not name.startswith(deal.lines[0].receiver)}
            effort_before = sums(desk)[1]
            desk.take(answer(deal.lines[0].provider, deal.proposal, "decline", at=1))
            desk.cycle()
            after = covered(desk)
            [rest] = told.needs
            name = rest.need.replace("/need/", "/")
            assert (rest.now.grains, rest.then.grains) == (before[name], after.get(name, 0)), seed
            assert sum(one.quantity.grains for one in rest.sources) == rest.then.grains
            assert (told.effort_now, told.effort_then) == pytest.approx((effort_before, sums(desk)[1]), abs=0.01), seed
            changes = [after.get(each, 0) - others_before.get(each, 0) for each in {*others_before, *after} - {name}]
            assert (told.others_rise, told.others_fall) == (sum(c > 0 for c in changes), sum(c < 0 for c in changes)), seed
            asked += 1
    assert asked > 20


def test_an_alternative_costs_just_what_is_said() -> None:
    """One unit is moved by the rejected way, and all else is planned from nothing around it."""
    told = 0
    for seed in range(30):
        words = drawn(Random(seed))
        desk = planned(words)
        for deal in desk.open:
            [line] = alternatives(desk.core, deal.proposal).lines
            ways = [(one.agent, deal.lines[0].receiver, one) for one in line.instead_from]
            ways += [(deal.lines[0].provider, one.agent, one) for one in line.wanted_by]
            for giver, taker, one in ways:
                rest = planned({name: (pieces - (name in (giver, taker)), more) for name, (pieces, more) in words.items()})
                (moved, effort), (moved_then, effort_then) = sums(desk), sums(rest)
                fewer = moved - (moved_then + 1)
                costs_km = effort_then + one.distance_m / 1000 - effort
                assert (one.effort_m is None) == (one.later > 0)
                assert one.later == fewer, (seed, one)
                assert one.effort_m is None or costs_km == pytest.approx(one.effort_m / 1000, abs=0.01), (seed, one)
                told += 1
    assert told > 60


def test_who_needs_it_more_urgently_is_told_by_the_steps_that_would_be_lost() -> None:
    desk = planned({"g0": (4, {}), "r0": (4, {"tier": 0}), "r1": (4, {"tier": 2})}, place_decimals=2)
    assert desk.open == []  # nobody is anywhere: nothing connects them
    at = {"lat": 1.0, "long": 1.0}
    desk = planned({"g0": (4, {"place": at}), "r0": (4, {"place": at, "tier": 0}), "r1": (4, {"place": at, "tier": 2})})
    [deal] = desk.open
    [line] = alternatives(desk.core, deal.proposal).lines
    [other] = line.wanted_by
    assert (other.agent, other.later, other.effort_m, other.short) == ("r1", 2, None, other.short)
    assert other.short is not None
    assert other.short.to_json() == amount(4)


def test_slack_is_what_is_left_between_the_earliest_arrival_and_the_day_it_is_due() -> None:
    at = {"lat": 1.0, "long": 1.0}
    words: Words = {"g0": (4, {"place": at, "begin": 5}), "r0": (4, {"place": at, "due": 9})}
    desk = planned(words)
    [deal] = desk.open
    [line] = alternatives(desk.core, deal.proposal).lines
    assert (line.slack_seconds, line.way) == (4 * 3600, "place")


def test_slack_is_less_by_the_way_where_the_charter_says_how_fast_goods_travel() -> None:
    lines = [agent("maker", 48.0, 2.0), agent("clinic", 49.0, 2.0), offer("maker", 4), need("clinic", 4, due=9)]
    rules: dict[str, Any]
    for rules, least, most in (({}, 9.0, 9.0), ({"speed_kmh": 50}, 6.76, 6.78), ({"speed_kmh": 50, "handling_hours": 3}, 3.76, 3.78)):
        desk = Desk(*lines, **rules)
        [deal] = desk.cycle()
        [line] = alternatives(desk.core, deal.proposal).lines
        assert line.slack_seconds is not None
        assert least <= line.slack_seconds / 3600 <= most
        assert line.slack_seconds + line.way_seconds == 9 * 3600


def test_an_answered_proposal_tells_no_alternatives_but_its_times() -> None:
    at = {"lat": 1.0, "long": 1.0}
    desk = planned({"g0": (4, {"place": at}), "r0": (4, {"place": at})})
    [deal] = desk.open
    desk.take(answer("g0", deal.proposal, "accept", at=1))
    told = alternatives(desk.core, deal.proposal)
    assert (told.unsaid, [line.need for line in told.lines]) == ("answered", ["r0/need/n"])
    assert without(desk.core, deal.proposal).unsaid == "answered"
    with pytest.raises(Refused, match="no proposal"):
        alternatives(desk.core, "nothing")
