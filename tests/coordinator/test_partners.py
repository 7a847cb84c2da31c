"""Whoever looks only at the pairs that moved finds all that a look at every pair would."""

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from coordinator.commitments import Terms
from coordinator.deciding import obey, planned
from coordinator.planning import Planner
from coordinator.proposals import revise
from tests.support.desk import Desk
from tests.support.events import agent, answer, need, offer, proposal, withdraw

THINGS = ["mask", "visor", "gown"]


def life(draw: Random, desk: Desk, at: int) -> None:
    """Let one thing happen."""
    who, other, thing = f"g{draw.randint(0, 3)}", f"r{draw.randint(0, 3)}", draw.choice(THINGS)
    where = {"place": {"lat": draw.randint(0, 3), "long": draw.randint(0, 3)}}
    match draw.choice(["offer", "offer", "need", "need", "accept", "decline", "counter", "withdraw", "withdraw", "move"]):
        case "offer":
            end = {"end": at + draw.randint(1, 9)} if draw.random() < 0.3 else {}
            desk.take(offer(who, draw.randint(1, 12), thing, at=at, subject=thing, **where, **end))
        case "need":
            more = {"substitutes": [draw.choice(THINGS)]} if draw.random() < 0.2 else {}
            desk.take(need(other, draw.randint(1, 16), thing, at=at, subject=thing, tier=draw.choice([0, 1, 1]), **where, **more))
        case "withdraw":
            kind, name = draw.choice([("need", other), ("offer", who)])
            desk.take(withdraw(kind, name, thing, at=at))
        case "move":
            desk.take(agent(draw.choice([who, other]), draw.randint(0, 3), 0, at=at))
        case word if desk.open:
            deal = draw.choice(desk.open)
            counter = {"quantity": 1} if word == "counter" else {}
            if not counter or (len(deal.lines) == 1 and deal.lines[0].quantity.grains > 1):
                desk.take(answer(draw.choice(deal.parties), deal.proposal, word, at=at, **counter))
    desk.until(at)


def asked_anew(desk: Desk) -> list[Any]:
    """What a look at every pair would change now."""
    core = desk.core
    core.planner.partners.look_everywhere()
    revision = revise(core.network, core.book, core.planner.partners, core.planner.told, core.log_us)
    return [*revision.retracted, *(draft.name for draft in revision.proposed)]


@pytest.mark.parametrize("kept", [False, True], ids=["solved anew", "kept"])
@pytest.mark.parametrize("seed", range(6))
def test_after_a_cycle_every_pair_is_proposed_what_the_plan_has_for_it(seed, kept):
    draw = Random(seed)
    desk = Desk(proposal_seconds=60 * 3600, fairness=draw.choice(["off", "portions"]), hysteresis=draw.choice([0, 2]))
    desk.core.planner = Planner(desk.core.network, desk.core.book, keep_pairs=0 if kept else 10**9, keep_after=0)
    proposed = 0
    for step in range(80):
        life(draw, desk, 2 * step)
        proposed += len(desk.cycle())
        if step % 4 == 0:  # Not after each, for a look at every pair would mend what the next cycles miss.
            assert asked_anew(desk) == []
    assert proposed > 40


HERE = {"place": {"lat": 1, "long": 1}}


def plan_some(desk: Desk, at_most: int | None = 1) -> bool:
    """Plan some markets and propose what came of them, where that is known; return whether others of this cycle are left."""
    for said in planned(desk.core, at_most=at_most):
        obey(desk.core, said.event, said.line)  # which raises where it does not hold
    return desk.core.planner.goes_on


def proposed(desk: Desk) -> set[Terms]:
    return {deal.terms for deal in desk.open}


def worth(planner: Planner) -> tuple[Counter[int], int]:
    """Units by tier, and effort: what every optimum has in common."""
    parts = planner.parts()
    units = Counter[int]()
    for part in parts:
        units[part.tier_used] += part.grains
    return units, sum(part.grains * part.distance_m for part in parts)


@pytest.mark.parametrize("kept", [False, True], ids=["solved anew", "kept"])
@pytest.mark.parametrize("seed", range(3))
def test_markets_planned_one_by_one_come_to_what_all_at_once_come_to(seed, kept):
    """Pairs exchange several things, signals go from one thing to another, things come to stand for one another."""
    desks = [Desk(proposal_seconds=60 * 3600, fairness="off") for _ in range(2)]
    for desk in desks:
        desk.core.planner = Planner(desk.core.network, desk.core.book, keep_pairs=0 if kept else 10**9, keep_after=0)
    whole, in_parts = desks
    draws = [Random(seed), Random(seed)]
    times_left = 0
    for step in range(60):
        for desk, draw in zip(desks, draws, strict=True):
            for each in range(3):
                life(draw, desk, 6 * step + each)
        whole.cycle()
        while plan_some(in_parts, 1 + step % 3):
            times_left += 1
        assert proposed(in_parts) == proposed(whole)
        assert asked_anew(in_parts) == []
    assert times_left > 5


@pytest.mark.parametrize("kept", [False, True], ids=["solved anew", "kept"])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_said_between_markets_planned_one_by_one_is_planned_after_them(seed, kept):
    draw, desk = Random(seed), Desk(proposal_seconds=60 * 3600, fairness="off")
    core = desk.core
    core.planner = Planner(core.network, core.book, keep_pairs=0 if kept else 10**9, keep_after=0)
    times_left = 0
    for step in range(80):
        for each in range(4):
            life(draw, desk, 6 * step + each)
        times_left += plan_some(desk, draw.choice([1, 1, 2, 3, None]))
        if step % 10 == 9:
            while core.planner.leaves_some:
                plan_some(desk)
            fresh = Planner(core.network, core.book)
            fresh.plan(core.log_us)
            assert worth(core.planner) == worth(fresh)
            assert asked_anew(desk) == []
    assert times_left > 5


def test_a_signal_that_went_to_a_market_planned_before_is_not_lost_by_the_one_it_left():
    here = {"place": {"lat": 1, "long": 1}}
    desk = Desk(*(say(name, 5, "mask", subject="s", **here) for name, say in (("a", offer), ("b", need))))
    desk.cycle()
    desk.take(*(say(name, 5, "gown", subject="s", at=1, **here) for name, say in (("a", offer), ("b", need))))
    while plan_some(desk):
        pass
    assert [line.resource for deal in desk.open for line in deal.lines] == ["gown"]
    assert asked_anew(desk) == []


def test_a_part_that_two_markets_had_goes_when_both_are_planned_together():
    far = {"place": {"lat": 1, "long": 2}}
    desk = Desk(*exchange("mask"), offer("z", 1, "mask", **far))
    plan_some(desk)
    desk.take(*exchange("apron", "c", "d", at=1), offer("z", 2, "gown", subject="gown", at=1, **far))
    assert plan_some(desk)  # aprons; gowns are left
    desk.take(*exchange("gown", at=2))
    assert not plan_some(desk)  # gowns; only now masks come into question
    desk.take(need("near", 10, "gown", tier=0, at=3, **HERE))
    plan_some(desk, at_most=2)
    assert [(deal.parties, line.quantity.grains) for deal in desk.open for line in deal.lines if line.offer == "a/offer/s"] == [
        (("a", "near"), 5)
    ]
    assert asked_anew(desk) == []


def exchange(thing: str, giver: str = "a", taker: str = "b", at: int = 0) -> list[str]:
    return [say(name, 5, thing, subject="s", at=at, **HERE) for name, say in ((giver, offer), (taker, need))]


@pytest.mark.parametrize("at_most", [1, 3])
def test_who_exchanges_things_of_which_somebody_always_speaks_waits_for_two_cycles_at_most(at_most):
    far = {"place": {"lat": 50, "long": 50}}
    things = [f"thing-{number}" for number in range(8)]
    desk = Desk(proposal_seconds=10**7)

    def speak(at: int) -> None:
        for thing in things:
            desk.take(*(say(f"{say.__name__}-{thing}", 5 + at, thing, at=at, **HERE) for say in (offer, need)))

    def two_exchange(grains: int, at: int) -> None:
        for thing in (things[0], things[-1]):
            desk.take(*(say(name, grains, thing, subject=thing, at=at, **far) for name, say in (("x", offer), ("y", need))))

    speak(0)
    two_exchange(3, 0)
    plan_some(desk, None)
    speak(1)
    two_exchange(7, 1)
    cycles, at = 0, 1
    while cycles < 2:
        cycles += not plan_some(desk, at_most)
        at += 1
        speak(at)
    assert [line.quantity.grains for deal in desk.open if deal.parties == ("x", "y") for line in deal.lines] == [7, 7]


def test_of_a_plan_that_came_to_nothing_no_market_is_left_for_a_cycle_that_does_not_go_on():
    desk = Desk(*(say(name, 5, thing, subject=thing, **HERE) for thing in THINGS for name, say in ((f"a-{thing}", offer), ("b", need))))
    assert plan_some(desk)
    desk.core.planner.forget()
    assert not desk.core.planner.goes_on
    assert not plan_some(desk)
    assert len(desk.open) == len(THINGS)


def test_who_newly_exchanges_several_things_is_asked_once_for_all_of_them():
    both = [say(name, 5, thing, subject=thing, **HERE) for thing in THINGS for name, say in (("a", offer), ("b", need))]
    desk = Desk(*both, offer("x", 5, "apron", **HERE), need("y", 5, "apron", **HERE), proposal_seconds=10**7)
    steps = [[deal.parties for deal in desk.open] for goes_on in iter(lambda: plan_some(desk), False)]
    assert steps == [[("x", "y")]] * len(THINGS)  # nobody else waits with them
    [deal] = [deal for deal in desk.open if deal.parties == ("a", "b")]
    assert len(deal.lines) == len(THINGS)
    assert not desk.core.book.ended


def test_what_somebody_else_proposed_meanwhile_is_taken_back():
    here = {"place": {"lat": 1, "long": 1}}
    desk = Desk(offer("a", 5, **here), need("b", 5, **here), need("c", 5, **here))
    (deal,) = desk.cycle()
    [other] = {"b", "c"} - set(deal.parties)
    desk.take(proposal("foreign", "a", other, 3, at=0), need("d", 1, at=0, **here))
    desk.cycle()
    assert "foreign" not in desk.core.book.deals


def test_a_pair_that_nothing_happened_to_is_not_looked_at():
    here = {"place": {"lat": 1, "long": 1}}
    desk = Desk(*(say(name + thing, 5, thing, **here) for thing in THINGS for name, say in (("a", offer), ("b", need))))
    desk.cycle()
    desk.take(offer("amask", 4, "mask", at=1, **here))
    desk.core.planner.plan(desk.core.log_us)
    assert ("avisor", "bvisor") in desk.core.book.pairs()
    assert desk.core.planner.partners.moved(desk.core.book) == [("amask", "bmask")]


@pytest.mark.parametrize("come", ["nothing", "half", "another", "all"])
def test_what_was_to_be_proposed_is_looked_at_again_unless_just_that_came_to_stand(come):
    here = {"place": {"lat": 1, "long": 1}}
    desk = Desk(*(say(name, 5, thing, subject=thing, **here) for thing in THINGS[:2] for name, say in (("a", offer), ("b", need))))
    core = desk.core
    core.planner.plan(core.log_us)
    partners = core.planner.partners
    (draft,) = revise(core.network, core.book, partners, core.planner.told, core.log_us).proposed
    assert draft.read is not None
    read = draft.read
    if come in ("half", "another"):
        lines = read.lines[:1] if come == "half" else (read.lines[0], replace(read.lines[1], distance_m=1_000))
        read = replace(read, lines=lines)  # somebody else's, by the same name
    if come != "nothing":
        assert core.book.propose(read, core.log_us, b"") is None
    assert partners.moved(core.book) == ([] if come == "all" else [("a", "b")])
    again = revise(core.network, core.book, partners, core.planner.told, core.log_us)
    assert [one.name for one in again.proposed] == ([] if come == "all" else [draft.name])
    assert again.retracted == ([draft.name] if come in ("half", "another") else [])


def test_what_was_proposed_and_moved_again_in_the_plan_is_looked_at():
    here = {"place": {"lat": 1, "long": 1}}
    desk = Desk(offer("a", 5, **here), need("b", 5, **here))
    desk.cycle()
    desk.take(offer("a", 4, at=1, **here))
    desk.core.planner.plan(desk.core.log_us)
    assert desk.core.planner.partners.moved(desk.core.book) == [("a", "b")]
