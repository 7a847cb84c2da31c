"""What one more would relieve is read off exactly: given that one more, the plan made anew gains just what was told."""

from collections import Counter
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from coordinator.errors import Refused
from coordinator.opportunities import Opportunity, opportunities, pressures, relief
from coordinator.planning import Planner
from coordinator.readings import Pressure, Reading, certificates, readings
from tests.support.desk import Desk
from tests.support.events import agent, answer, capacity, hours, need, offer, resource, route, withdraw
from tests.support.networks import recipe

LEVELS = 100
HERE = {"lat": 1.0, "long": 1.0}
HOUR = 3_600_000


def drawn(draw: Random, thing: str, *, prefix: str = "") -> list[bytes]:
    """Offers and needs of one thing at random places, some with a window, a radius or a tier of their own."""
    gives, asks = (capacity, hours) if thing == "sewing" else (offer, need)
    lines: list[bytes] = []
    for number in range(draw.randint(0, 5)):
        more: dict[str, Any] = {"within_km": draw.randint(100, 900)} if draw.random() < 0.3 else {}
        more |= {"end": draw.randint(2, 9)} if draw.random() < 0.2 and thing != "sewing" else {}
        lines.append(gives(f"{prefix}g{number}", draw.randint(1, 9), thing, place=somewhere(draw), **more))
    for number in range(draw.randint(1, 6)):
        more = {"within_km": draw.randint(100, 900)} if draw.random() < 0.3 else {}
        more |= {"begin": draw.randint(2, 9)} if draw.random() < 0.2 else {}
        who, tier = f"{prefix}r{draw.randint(0, 4)}", draw.choice([0, 1, 1, 2])
        lines.append(asks(who, draw.randint(1, 12), thing, subject=f"n{number}", tier=tier, place=somewhere(draw), **more))
    return lines


def somewhere(draw: Random) -> dict[str, float]:
    return {"lat": draw.randint(0, 900) / 100, "long": draw.randint(0, 900) / 100}


def worth(desk: Desk) -> tuple[int, int]:
    """(urgency, effort) in all of what is proposed, from the definition of fairness; one unit is a piece or an hour."""
    charter, covered, effort = desk.charter, Counter[Any](), 0
    asked = Counter[Any]()
    for stance in desk.core.network.living():
        if not stance.is_supply:
            asked[desk.core.book.claim_of(stance)] += stance.free_grains
    for deal in desk.open:
        for line in deal.lines:
            units = line.quantity.grains // (HOUR if line.action == "use" else 1)
            covered[desk.core.book.claim_of(desk.stance(line.need))] += units
            effort += units * line.distance_m
    urgency = 0
    for claim, units in covered.items():
        size = asked[claim] // (HOUR if claim[1][0] == "process" else 1)
        for nth in range(units):
            level = {
                "off": 0,
                "portions": nth // int(charter.portion.get(claim[1][1], 1)),
                "ratio": LEVELS * nth // size,
            }[charter.fairness]
            urgency += step(charter.fairness, claim[2], min(LEVELS - 1, level))
    return urgency, effort


def step(fairness: str, tier: int, level: int) -> int:
    levels = 1 if fairness == "off" else LEVELS
    return levels * (3 - tier) + levels - level


def after(one: Opportunity, lines: list[bytes], who: str, rules: dict[str, Any]) -> Desk:
    """The same network, planned from nothing, with one unit more where the agent is."""
    assert Fraction(str(one.unit.to_json()["value"])) == 1
    if one.how == "offers it":
        kind, units, thing, more = next(mine for mine in OWN if mine[2] == one.name)
        added = kind(who, units + 1, thing, at=0.001, **more)
    else:
        gives = capacity if one.sort == "process" else offer
        added = gives(who, 1, one.name, subject="more", at=0.001)
    desk = Desk(*lines, added, **rules)
    desk.cycle()
    return desk


OWN = ((offer, 3, "visor", {"end": 5}), (capacity, 2, "sewing", {}))


@pytest.mark.parametrize("fairness", ["off", "portions", "ratio"])
@pytest.mark.parametrize("seed", range(12))
def test_one_unit_more_there_raises_the_total_worth_by_exactly_what_was_told(fairness: str, seed: int):
    draw = Random(seed)
    rules: dict[str, Any] = {"fairness": fairness, "portion": {"mask": 2, "visor": 3, "sewing": 2, "belt": 1}}
    lines = [line for thing in ("mask", "visor", "sewing", "belt") for line in drawn(draw, thing)]
    place = somewhere(draw)
    lines += [agent("me", place["lat"], place["long"]), *(kind("me", units, thing, **more) for kind, units, thing, more in OWN)]
    # A unit of a market is what all its quantities have in common: a need of one unit that nothing reaches makes that one.
    lines += [asks("lost", 1, thing, subject=thing) for asks, thing in ((need, "mask"), (need, "visor"), (need, "belt"), (hours, "sewing"))]
    desk = Desk(*lines, **rules)
    desk.cycle()
    before, found = worth(desk), opportunities(desk.core, "me")
    if fairness == "ratio":
        found = tuple(one for one in found if one.sort == "resource")  # Shares of hours are counted by the millisecond.
        assert found == tuple(sorted(found, key=lambda one: one.pressure))
    for one in found:
        then = worth(after(one, lines, "me", rules))
        gained = then[0] - before[0], then[1] - before[1]
        assert gained == (step(fairness, one.pressure.tier, one.pressure.level), one.pressure.effort), f"seed {seed}: {one}"


@pytest.mark.parametrize("seed", range(12))
def test_where_nothing_is_told_one_unit_more_serves_nobody(seed: int):
    draw = Random(seed)
    lines = [*drawn(draw, "mask"), agent("me", 4.0, 4.0), need("lost", 1)]
    desk = Desk(*lines)
    desk.cycle()
    if not opportunities(desk.core, "me"):
        more = Desk(*lines, offer("me", 1, at=0.001))
        more.cycle()
        assert worth(more)[0] == worth(desk)[0]
    told = {one.name for one in opportunities(desk.core, "me")}
    assert told <= {"mask"}


@pytest.mark.parametrize("fairness", ["off", "portions", "ratio"])
@pytest.mark.parametrize("seed", range(8))
def test_the_need_that_is_told_to_be_relieved_is_one_whose_claim_gets_more(fairness: str, seed: int):
    draw = Random(seed)
    rules: dict[str, Any] = {"fairness": fairness, "portion": {"mask": 2}}
    lines = [*drawn(draw, "mask"), agent("me", 4.0, 4.0), need("lost", 1)]
    desk = Desk(*lines, **rules)
    desk.cycle()
    for one in opportunities(desk.core, "me"):
        then = after(one, lines, "me", rules)
        claim = desk.core.book.claim_of(desk.stance(one.relieves))
        assert claim[2] == one.pressure.tier
        assert sum(then.moves.values()) == sum(desk.moves.values()) + 1


# -- read off the kept field or solved once ----------------------------------------------------------------------------


def keeping(*lines: bytes, **rules: Any) -> Desk:
    """A desk whose markets are kept from the first plan on, planned once."""
    desk = Desk(*lines, **rules)
    desk.core.planner = Planner(desk.core.network, desk.core.book, keep_pairs=0, keep_after=0)
    desk.cycle()
    return desk


@pytest.mark.parametrize("seed", range(6))
def test_the_kept_field_and_an_answer_from_nothing_tell_the_same_pressures(seed: int):
    desk = keeping(*drawn(Random(seed), "mask"), offer("maker", 7, place=HERE), need("ward", 9, place=HERE), fairness="portions")
    desk.take(offer("maker", 4, place=HERE, at=1), withdraw("need", "r0", "n0", at=1))
    desk.cycle()
    (kept,) = readings(desk.core.planner, desk.core.log_us)
    assert kept.is_kept
    read = pressures(desk.core, "mask")
    desk.core.planner.solved.clear()
    (anew,) = readings(desk.core.planner, desk.core.log_us)
    assert not anew.is_kept
    assert [(each.ref, each.pressure) for each in pressures(desk.core, "mask")] == [(each.ref, each.pressure) for each in read]


def test_what_was_said_since_the_last_plan_is_counted():
    desk = Desk(offer("maker", 3, place=HERE), need("ward", 3, place=HERE))
    desk.cycle()
    assert [spot.pressure for spot in pressures(desk.core, "mask")] == [None, None]
    desk.take(need("ward", 5, place=HERE, at=1))
    short = [spot for spot in pressures(desk.core, "mask") if spot.side == "need"]
    assert [(spot.left.grains, spot.pressure) for spot in short] == [(2, Pressure(1, 0, 0))]


def test_reading_leaves_the_planner_as_it_was():
    desk = Desk(offer("maker", 3, place=HERE), need("ward", 5, place=HERE), fairness="portions")
    opportunities(desk.core, "maker")
    pressures(desk.core, "mask")
    assert (desk.core.planner.solved, desk.core.planner._portions) == ({}, {})
    assert desk.cycle() != []


# -- in plain words ----------------------------------------------------------------------------------------------------


def test_where_it_is_short_is_ranked_by_tier_then_level_then_effort():
    desk = Desk(
        *(need(f"ward-{tier}", 5, tier=tier, place=HERE) for tier in (3, 0, 2, 1)),
        offer("near", 1, place=HERE),
        offer("far", 1, place={"lat": 3.0, "long": 1.0}),
        offer("alone", 1),
    )
    desk.cycle()
    told = pressures(desk.core, "mask")
    assert [(spot.agent, spot.pressure) for spot in told] == [
        ("near", Pressure(0, 0, 0)),
        ("ward-0", Pressure(0, 0, 0)),
        ("far", Pressure(0, 0, 222_390)),
        ("ward-1", Pressure(1, 0, 0)),
        ("ward-2", Pressure(2, 0, 0)),
        ("ward-3", Pressure(3, 0, 0)),
        ("alone", None),
    ]
    assert told[2].sentence == "one more here would go to a need of tier 0, 222.4 km away"
    assert told[-1].sentence == "one more here would serve nobody: no one it could reach is short"


@pytest.mark.parametrize(
    ("lines", "unit", "more"),
    [
        pytest.param([need("ward", 41, place=HERE), offer("mill", 30, place=HERE)], 1, "one more", id="pieces"),
        pytest.param([need("ward", 40, place=HERE), offer("mill", 30, place=HERE)], 10, "10 more", id="what all quantities have in common"),
        pytest.param(
            [resource("mill", "mask", multiple=25), need("ward", 90, place=HERE), offer("mill", 30, place=HERE)], 25, "25 more", id="packs"
        ),
    ],
)
def test_how_much_one_more_is_is_told(lines, unit, more):
    desk = Desk(*lines, need("mill", 1, "cup"))
    desk.cycle()
    told = {spot.ref: spot for spot in pressures(desk.core, "mask")}["mill/offer/o"]
    found = {one.name: one for one in opportunities(desk.core, "mill")}["mask"]
    assert told.unit.to_json() == found.unit.to_json() == {"value": unit, "unit": "1"}
    assert told.sentence.startswith(f"{more} here would go to")
    assert found.sentence.startswith(f"{more} would go to ward/need/n")


def test_a_thing_that_nobody_offers_is_short_all_the_same():
    desk = Desk(need("ward", 5, tier=0, place=HERE))
    assert [(spot.agent, spot.left.grains, spot.pressure) for spot in pressures(desk.core, "mask")] == [("ward", 5, Pressure(0, 0, 0))]
    desk.take(agent("me", 2.0, 1.0, at=1))
    (one,) = opportunities(desk.core, "me")
    assert (one.name, one.how, one.need, one.distance_m, one.pressure) == (
        "mask",
        "does not offer it",
        "ward/need/n",
        111_195,
        Pressure(0, 0, 111_195),
    )


def test_what_recipes_could_make_is_a_hint_and_is_marked_so():
    lines = [agent("me", 1.0, 1.0), agent("sewer", 1.0, 1.0), need("ward", 5, place=HERE), need("clinic", 3, "visor", place=HERE)]
    lines += [recipe("me", "mask-v1", {"mask": 1}, {"sheet": 1}), recipe("designer", "visor-v1", {"visor": 1}, {}, {"sewing": 1})]
    desk = Desk(*lines, capacity("sewer", 5))
    assert [(one.name, one.how, one.through) for one in opportunities(desk.core, "me")] == [
        ("mask", "could make it", "me/recipe/mask-v1"),
        ("visor", "does not offer it", None),
    ]
    assert [(one.name, one.how, one.through) for one in opportunities(desk.core, "sewer")] == [
        ("mask", "does not offer it", None),
        ("visor", "could make it", "designer/recipe/visor-v1"),
    ]


def test_a_unit_that_sends_another_on_tells_whom_that_relieves():
    lines = [agent("me", 0.0, 0.0)]
    lines += [need("near", 2, place={"lat": 1.0, "long": 0.0}, tier=0), need("beyond", 2, place={"lat": 2.0, "long": 0.0}, tier=1)]
    lines += [offer("other", 2, place={"lat": 1.5, "long": 0.0})]
    desk = Desk(*lines, radius_km=120)
    desk.cycle()
    (one,) = opportunities(desk.core, "me")
    assert (one.need, one.relieves, one.pressure.tier) == ("near/need/n", "beyond/need/n", 1)
    assert one.sentence.endswith("what it gets now would go on, so that beyond/need/n gets more: a need of tier 1, 111.2 km of way in all")


def test_a_substitute_that_a_need_accepts_is_an_opportunity():
    desk = Desk(agent("me", 1.0, 1.0), need("ward", 5, substitutes=["scarf"], place=HERE))
    assert [one.name for one in opportunities(desk.core, "me")] == ["mask", "scarf"]


def test_an_offer_that_was_declined_there_tells_of_others_only():
    desk = Desk(offer("maker", 5, place=HERE), need("ward", 5, place=HERE))
    desk.cycle()
    (deal,) = desk.open
    desk.take(answer("ward", deal.proposal, "decline", at=1))
    desk.cycle()
    assert opportunities(desk.core, "maker") == ()


def test_one_unit_is_a_pack_where_only_packs_move():
    desk = Desk(resource("maker", "mask", multiple=5), agent("me", 1.0, 1.0), need("ward", 12, place=HERE))
    (one,) = opportunities(desk.core, "me")
    assert one.unit.grains == 5
    assert one.short.grains == 12


@pytest.mark.parametrize(("asked", "hint"), [("makr", "did you mean maker"), ("zzz", "an agent who said something, or a place")])
def test_an_unknown_agent_is_refused(asked: str, hint: str):
    with pytest.raises(Refused, match=rf"nobody here is called '{asked}'; {hint}"):
        opportunities(Desk(agent("maker", 1.0, 1.0)).core, asked)


# -- the certificate ---------------------------------------------------------------------------------------------------


def test_every_market_is_proven_optimal_over_all_that_is_possible():
    draw = Random(5)
    desk = Desk(*(line for thing in ("mask", "sewing") for line in drawn(draw, thing)), fairness="portions")
    desk.cycle()
    found = list(certificates(desk.core.planner, desk.core.log_us))
    assert [each.broken for each in found] == [()] * len(found)
    assert {each.names for each in found} == {("mask",), ("sewing",)}


def proven(desk: Desk) -> list[str]:
    return [sentence for each in certificates(desk.core.planner, desk.core.log_us) for sentence in each.broken]


def test_a_field_that_counts_what_does_not_stand_is_told():
    desk = keeping(offer("maker", 3, place=HERE), need("ward", 5, place=HERE))
    assert proven(desk) == []
    desk.stance("maker/offer/o").stated_grains = 2  # behind the network's back
    assert proven(desk)[0] == "maker/offer/o stands with 2 grains, but the solver counts 3"


def test_a_pair_that_was_left_out_and_would_gain_is_told(monkeypatch: pytest.MonkeyPatch):
    desk = keeping(
        offer("maker", 3, place=HERE), need("ward", 5, place=HERE), offer("far", 9, place={"lat": 5.0, "long": 1.0}, within_km=1)
    )
    assert proven(desk) == []
    monkeypatch.setattr(desk.stance("far/offer/o"), "within_m", None)
    assert any("a unit from far/offer/o to ward/need/n was left out and would gain" in sentence for sentence in proven(desk))


@pytest.mark.parametrize("seed", range(5))
def test_over_a_life_of_answers_the_kept_field_stays_proven(seed: int):
    draw, desk = Random(seed), keeping(fairness="portions", portion={"mask": 3}, proposal_seconds=7200)
    kept = 0
    for at in range(40):
        place = {"place": {"lat": draw.randint(0, 5), "long": 0}}
        match draw.choice(["offer", "need", "accept", "accept", "decline", "withdraw"]):
            case "offer":
                desk.take(offer(f"g{draw.randint(0, 3)}", draw.randint(1, 9), at=at, **place))
            case "need":
                desk.take(need(f"r{draw.randint(0, 3)}", draw.randint(1, 9), at=at, tier=draw.randint(0, 1), **place))
            case "withdraw":
                desk.take(withdraw("need", f"r{draw.randint(0, 3)}", "n", at=at))
            case word if desk.open:
                deal = draw.choice(desk.open)
                desk.take(answer(draw.choice(deal.parties), deal.proposal, word, at=at))
        assert proven(desk) == [], f"before the plan at {at}"
        desk.cycle()
        assert proven(desk) == [], f"after the plan at {at}"
        kept += sum(each.is_kept for each in certificates(desk.core.planner, desk.core.log_us))
    assert kept > 5


def test_a_reading_knows_where_each_signal_is():
    desk = Desk(offer("maker", 3, place=HERE), need("ward", 5, place=HERE))
    (reading,) = readings(desk.core.planner, desk.core.log_us)
    assert isinstance(reading, Reading)
    assert reading.positions(reading.needs, reading.needs).tolist() == [0]
    assert reading.positions(reading.offers, reading.needs).tolist() == [-1]


def sewn(free_h: float) -> Desk:
    """Of 4 gowns wanted, each an hour of sewing, so many are proposed to be made as there are hours."""
    desk = Desk(
        recipe("shop", "r", {"gown": 1}, {"cloth": 1}, {"sewing": 1}),
        offer("mill", 9, "cloth", place=HERE),
        capacity("shop", free_h, place=HERE),
        need("ward", 4, "gown", place=HERE),
    )
    (made,) = [deal for deal in desk.cycle() if deal.is_tree]
    assert made.asks("ward", "ward/need/n") == free_h
    return desk


def test_what_trees_propose_to_make_is_short_nowhere():
    desk = sewn(2)
    (spot,) = pressures(desk.core, "gown")
    assert (spot.ref, spot.stated.grains, spot.left.grains) == ("ward/need/n", 2, 2)
    (one,) = [one for one in opportunities(desk.core, "1.0,1.0") if one.name == "gown"]
    assert one.short.grains == 2
    assert [cert.broken for cert in certificates(desk.core.planner, desk.core.log_us)] == [()]


def test_what_is_all_to_be_made_needs_no_more():
    desk = sewn(4)
    assert pressures(desk.core, "gown") == ()
    assert "gown" not in {one.name for one in opportunities(desk.core, "1.0,1.0")}


def test_goods_that_trees_draw_on_are_not_left():
    desk = sewn(4)
    desk.take(need("tailor", 9, "cloth", at=1, place=HERE))
    left = {spot.ref: (spot.stated.grains, spot.left.grains) for spot in pressures(desk.core, "cloth")}
    assert left["mill/offer/o"] == (5, 0)
    assert left["tailor/need/n"] == (9, 4)


# -- where an agent is, and why there is nothing --------------------------------------------------------------------------


NOBODY_SHORT = "one more of anything from here would relieve nobody: nobody it could reach is short, unless minimums keep it from there"


def test_an_agent_who_states_no_place_is_where_it_said_what_stands_of_it():
    lines = [need("ward", 5, "mask", place=HERE), need("ward", 5, "visor", place={"lat": 9.0, "long": 1.0}, subject="v")]
    desk = Desk(*lines, offer("me", 1, "soap", place={"lat": 2.0, "long": 1.0}))
    assert {one.name: one.distance_m for one in opportunities(desk.core, "me")} == {"mask": 111_195, "visor": 778_366}
    desk.take(offer("me", 1, "belt", place={"lat": 8.0, "long": 1.0}, subject="b", at=1))
    found = {one.name: one for one in opportunities(desk.core, "me")}
    assert {name: one.distance_m for name, one in found.items()} == {"mask": 111_195, "visor": 111_195}, "each from the better place"
    assert found["visor"].sentence.startswith("from 8.0,1.0, 5 more would go to ward/need/v, 111.2 km away")
    desk.take(agent("me", 1.0, 1.0, at=2))
    assert {one.name: one.distance_m for one in opportunities(desk.core, "me")}["mask"] == 0


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        pytest.param(
            [offer("me", 1, "soap")], "no place and no route is known of 'me', so nobody knows what it could reach", id="no place"
        ),
        pytest.param([offer("me", 1, "soap", place=HERE, within_km=1), withdraw("need", "ward", "n", at=1)], NOBODY_SHORT, id="no need"),
        pytest.param([offer("me", 5, place=HERE)], NOBODY_SHORT, id="all is served"),
        pytest.param([agent("me"), route("me", "ward", 5), offer("other", 5, place=HERE)], NOBODY_SHORT, id="a route, and all is served"),
    ],
)
def test_where_one_more_would_relieve_nobody_the_reason_is_told(lines: list[bytes], why: str):
    desk = Desk(need("ward", 5, place=HERE), *lines)
    found = relief(desk.core, "me")
    assert found.items == ()
    assert (found.nothing or "").startswith(why)
    desk.take(need("clinic", 1, "cloth", place=HERE, at=2))
    if "no place" not in why and b"route" not in b"".join(lines):
        assert relief(desk.core, "me").nothing is None


def test_pressures_where_minimums_are_stated_do_not_hide_what_these_may_keep_back():
    desk = Desk(need("ward", 6, minimum=6, place=HERE), offer("maker", 3, place=HERE))
    assert desk.cycle() == []
    told = {spot.ref: spot.sentence for spot in pressures(desk.core, "mask")}
    assert told["ward/need/n"].startswith("3 more here would go to a need of tier 1")
    assert told["ward/need/n"].endswith(", unless minimums keep it from there")
    desk = Desk(need("ward", 6, place=HERE), offer("maker", 10, minimum=10, place=HERE))
    assert desk.cycle() == []
    told = {spot.ref: spot.sentence for spot in pressures(desk.core, "mask")}
    assert told["maker/offer/o"] == "2 more here would serve nobody that minimums do not keep from it"
    assert relief(desk.core, "maker").nothing == NOBODY_SHORT


# -- a place ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_a_place_is_told_what_an_agent_there_who_offers_nothing_is_told(seed: int):
    draw = Random(seed)
    place = somewhere(draw)
    desk = Desk(*(line for thing in ("mask", "sewing") for line in drawn(draw, thing)), agent("me", place["lat"], place["long"]))
    desk.cycle()
    there = opportunities(desk.core, f"{place['lat']}, {place['long']}")
    mine = opportunities(desk.core, "me")
    assert [(one.name, one.pressure, one.need, one.sentence) for one in there] == [
        (one.name, one.pressure, one.need, one.sentence) for one in mine
    ]
    assert {one.how for one in there} <= {"there"}


@pytest.mark.parametrize("asked", ["91,0", "0,181"])
def test_a_place_on_no_map_is_refused(asked: str):
    with pytest.raises(Refused, match="is no place; latitude within 90"):
        opportunities(Desk(need("clinic", 3)).core, asked)
