"""What is said to be enough to lift a short need is: said by the parties and planned anew it does just that, one step less does not."""

from itertools import product
from random import Random
from typing import Any

import pytest

from coordinator.errors import Refused
from coordinator.lifting import OF_RECIPES, Enough, Lifting, lifting
from coordinator.times import format_instant
from tests.coordinator.test_production import recipe as making
from tests.support.desk import Desk
from tests.support.events import agent, answer, capacity, hours, moment_us, need, offer, resource, route, withdraw

HERE = {"lat": 1.0, "long": 1.0}
NEAR = {"lat": 1.5, "long": 1.0}
HOUR = 3_600_000

Words = dict[str, tuple[Any, tuple[Any, ...], dict[str, Any]]]  # ref -> how it is said


def drawn(draw: Random, *, of_hours: bool) -> Words:
    """Offers and needs of one thing at random places: too little of it, with windows, radii and tiers."""
    gives, asks, kind = (capacity, hours, "capacity") if of_hours else (offer, need, "offer")
    thing = "sewing" if of_hours else "mask"
    words: Words = {}
    for number in range(draw.randint(1, 5)):
        more: dict[str, Any] = {"place": somewhere(draw)}
        more |= {"within_km": draw.randint(50, 600)} if draw.random() < 0.4 else {}
        if not of_hours and draw.random() < 0.6:
            more["begin"] = draw.randint(1, 9)
            more["end"] = more["begin"] + draw.randint(1, 4)
        words[f"g{number}/{kind}/{'c' if of_hours else 'o'}"] = (gives, (f"g{number}", draw.randint(1, 9), thing), more)
    for number in range(draw.randint(2, 6)):
        more = {"place": somewhere(draw), "tier": draw.randint(0, 2)}
        more |= {"within_km": draw.randint(50, 600)} if draw.random() < 0.4 else {}
        if draw.random() < 0.6:
            more["begin"] = draw.randint(1, 9)
            more["end"] = more["begin"] + draw.randint(1, 4)
        words[f"r{number}/need/n"] = (asks, (f"r{number}", draw.randint(2, 12), thing), more)
    return words


def somewhere(draw: Random) -> dict[str, float]:
    return {"lat": draw.randint(0, 900) / 100, "long": draw.randint(0, 900) / 100}


def said(words: Words) -> list[bytes]:
    return [how(*who, **more) for how, who, more in words.values()]


def told_us(words: Words, ref: str, **more: Any) -> Words:
    """The same words, but for what one of them says of itself."""
    how, who, before = words[ref]
    return {**words, ref: (how, who, {**before, **more})}


def applied(words: Words, ref: str, one: Enough, rules: dict[str, Any], *, less: bool = False) -> Desk:
    """The network planned from nothing after the change, or after one a step smaller."""
    rules = dict(rules)
    match one.what:
        case "supply":
            assert one.supply is not None
            _, who, more = words[ref]
            step = HOUR if one.supply.unit == "h" else 1
            units = one.supply.grains // step - less
            gives = (capacity, offer)[one.supply.unit != "h"]
            assert one.supply.grains % step == 0
            if units:
                words = {**words, "newcomer": (gives, ("newcomer", units, who[2]), {"place": more["place"]})}
        case "tier":
            assert one.tier is not None
            words = told_us(words, ref, tier=one.tier + less)
        case "within_km of the need":
            words = told_us(words, ref, within_km=((one.within_m or 0) - less) / 1000)
        case "within_km of an offer":
            words = told_us(words, str(one.offer), within_km=((one.within_m or 0) - less) / 1000)
        case "radius_km of the charter":
            rules["radius_km"] = ((one.within_m or 0) - less) / 1000
        case "end":
            assert one.end_us is not None
            words = told_us(words, ref, end=after_start(one.end_us - less))
        case "begin":
            assert one.begin_us is not None
            words = told_us(words, ref, begin=after_start(one.begin_us + less))
    desk = Desk(*said(words), **rules)
    desk.cycle()
    return desk


def after_start(at_us: int) -> float:
    """Hours after the start of all tests, exact to the microsecond within days."""
    return (at_us - moment_us(0)) / (3600 * 10**6)


def got(desk: Desk, ref: str) -> int:
    return sum(line.quantity.grains for deal in desk.open for line in deal.lines if line.need == ref)


@pytest.mark.parametrize(
    ("seed", "fairness", "of_hours"),
    [*product(range(8), ["off", "portions", "ratio"], [False]), *product(range(4), ["off", "portions"], [True])],
)
def test_a_change_said_to_be_enough_is_and_one_step_less_is_not(seed: int, fairness: str, of_hours: bool):
    draw = Random(seed)
    words = drawn(draw, of_hours=of_hours)
    rules: dict[str, Any] = {"fairness": fairness, "portion": {"mask": 2, "sewing": 2}, "fairness_levels": 4}
    rules |= {"radius_km": draw.randint(200, 900)} if draw.random() < 0.5 else {}
    desk = Desk(*said(words), **rules)
    desk.cycle()
    unit = HOUR if of_hours else 1
    for ref in [ref for ref in words if "/need/" in ref]:
        before = got(desk, ref)
        by = draw.choice([None, unit, unit])
        found = lifting(desk.core, ref, by)
        asked = desk.stance(ref).stated_grains
        if found is None:
            assert before == asked
            continue
        for one in found.enough:
            then = applied(words, ref, one, rules)
            assert got(then, ref) == before + one.lift.grains, f"seed {seed}: {one}"
            assert one.lift.grains >= found.by.grains == (by or asked - before)
            assert got(applied(words, ref, one, rules, less=True), ref) < before + found.by.grains, f"seed {seed}: {one}"
            others = {other: got(then, other) - got(desk, other) for other in words if "/need/" in other and other != ref}
            assert one.others_rise == sum(more > 0 for more in others.values()), f"seed {seed}: {one}"
            assert one.others_rise_by.grains == sum(more for more in others.values() if more > 0)
            assert one.others_fall_by.grains == -sum(more for more in others.values() if more < 0)


def test_networks_so_drawn_ask_for_every_kind_of_change():
    seen: set[str] = set()
    for seed in range(8):
        draw = Random(seed)
        words = drawn(draw, of_hours=False)
        desk = Desk(*said(words), **({"radius_km": draw.randint(200, 900)} if draw.random() < 0.5 else {}))
        desk.cycle()
        for ref in [ref for ref in words if "/need/" in ref]:
            found = lifting(desk.core, ref, 1)
            seen |= {one.what for one in found.enough} if found else set()
    assert seen == {"supply", "tier", "within_km of the need", "within_km of an offer", "radius_km of the charter", "end", "begin"}


# -- in plain words ----------------------------------------------------------------------------------------------------


def planned(*lines: bytes, **rules: Any) -> Desk:
    desk = Desk(*lines, **rules)
    desk.cycle()
    return desk


def lifted(desk: Desk, by: int | None = None) -> Lifting:
    found = lifting(desk.core, "clinic", by)
    assert found is not None
    return found


def sentences(desk: Desk, by: int | None = None) -> list[str]:
    return [one.sentence for one in lifted(desk, by).enough]


def test_others_of_the_same_rank_rise_too_and_are_counted():
    wards = [need(f"ward-{number}", 6, place=HERE) for number in range(4)]
    desk = planned(offer("maker", 8, place=HERE), *wards, need("clinic", 6, place=NEAR), fairness="portions", portion={"mask": 2})
    assert got(desk, "clinic/need/n") == 0
    assert sentences(desk, by=2)[0] == "2 more at its place: to lift it by 2, nobody else gets more or less"
    assert sentences(desk)[0] == "14 more at its place: to lift it by 6, 4 others rise too, by 8 in all"
    (supply, *_) = lifted(desk).enough
    assert supply.supply is not None
    assert supply.supply.grains == 6 + supply.others_rise_by.grains


def test_what_is_made_for_it_already_is_not_asked_of_goods_again():
    visors = making("maker", "visor", {"visor": 1}, {}, {"sewing": 1})
    lines = [visors, capacity("maker", 3, place=HERE), need("clinic", 5, "visor", place=HERE)]
    desk = planned(*lines)
    assert covered(desk) == 3
    assert sentences(desk)[0] == "2 more at its place: to lift it by 2, nobody else gets more or less"
    assert sentences(desk, by=1)[0] == "1 more at its place: to lift it by 1, nobody else gets more or less"
    assert [covered(planned(*lines, offer("newcomer", more, "visor", place=HERE))) for more in (1, 2)] == [4, 5]


def test_no_change_lifts_it_by_more_than_it_is_short_of_beside_what_is_to_be_made():
    """A rest below its own minimum takes no goods; goods for all of it would take the place of what is to be made."""
    visors = making("maker", "visor", {"visor": 10}, {}, {"sewing": 1})
    lines = [visors, capacity("maker", 2, place=HERE), need("clinic", 25, "visor", place=HERE, minimum=20)]
    desk = planned(*lines)
    found = lifted(desk)
    assert (covered(desk), found.by.grains, found.enough) == (20, 5, ())
    assert found.unsaid[0].startswith("no amount of supply at its place is enough beside what is proposed to be made for it: ")
    assert [covered(planned(*lines, offer("newcomer", more, "visor", place=HERE))) for more in (5, 20)] == [20, 20]


def covered(desk: Desk) -> int:
    return desk.core.book.covered_grains(desk.stance("clinic/need/n"))


def test_a_more_urgent_tier_says_who_gets_less():
    desk = planned(offer("maker", 5, place=HERE), need("ward", 5, place=HERE), need("clinic", 5, tier=2, place=HERE))
    told = sentences(desk)
    assert told[1] == "tier 0 instead of 2: to lift it by 5, 1 other gets 5 less"


def test_a_tier_that_the_charter_bars_is_not_advised():
    rules: dict[str, Any] = {"may_claim_tier": {"0": ("hospital",)}}
    desk = planned(offer("maker", 5, place=HERE), need("ward", 5, place=HERE), need("clinic", 5, place=NEAR), **rules)
    found = lifted(desk)
    assert [one.what for one in found.enough] == ["supply"]
    assert found.unsaid == ("tier 0: the charter does not let clinic claim it",)


def test_a_date_is_said_where_windows_keep_them_apart():
    desk = planned(offer("maker", 5, place=HERE, begin=8), need("clinic", 5, place=HERE, end=5))
    (_, later) = lifted(desk).enough
    assert later.end_us == moment_us(8) + 1
    assert later.sentence == f"an end after {format_instant(moment_us(8))}: to lift it by 5, nobody else gets more or less"


def test_another_end_lifts_a_need_whose_window_has_closed():
    desk = planned(offer("maker", 5, place=HERE), need("clinic", 5, place=HERE, end=5))
    desk.until(6)
    desk.cycle()
    assert [one.what for one in lifted(desk).enough] == ["end"]


def test_who_blocks_is_told_with_tier_level_and_amount_also_where_it_is_others_passing_on():
    desk = planned(
        offer("near", 4, place=HERE),
        offer("far", 6, place={"lat": 3.0, "long": 1.0}),
        need("clinic", 5, tier=2, place=HERE, within_km=10),
        need("first", 4, tier=0, place=HERE),
        need("second", 6, tier=1, place={"lat": 3.0, "long": 1.0}),
    )
    found = lifted(desk)
    assert [(one.need, one.tier, one.level, one.quantity.grains) for one in found.blocking] == [
        ("first/need/n", 0, 0, 4),
        ("second/need/n", 1, 0, 6),
    ]
    assert found.blocking_offers == 2


@pytest.mark.parametrize("seed", range(10))
def test_nobody_who_blocks_is_less_urgent_than_the_need(seed: int):
    desk = planned(*said(drawn(Random(seed), of_hours=False)), fairness="portions", portion={"mask": 2})
    for stance in desk.core.network.living():
        found = None if stance.is_supply else lifting(desk.core, stance.ref)
        if found:
            own = (stance.tier, min(99, got(desk, stance.ref) // 2))
            assert all((one.tier, one.level) <= own for one in found.blocking)
            assert sum(one.quantity.grains for one in found.blocking) <= sum(one.stated_grains for one in desk.core.network.living())


def test_packs_are_advised_whole():
    desk = planned(resource("maker", "mask", multiple=5), offer("maker", 5, place=HERE), need("clinic", 15, place=HERE))
    (supply, *_) = lifted(desk, 3).enough
    assert supply.supply is not None
    assert (supply.supply.grains, supply.lift.grains) == (5, 5)


# -- what cannot be said -----------------------------------------------------------------------------------------------


def unsaid(desk: Desk, by: int | None = None) -> str:
    return "; ".join(lifted(desk, by).unsaid)


def test_what_recipes_would_take_more_is_told_to_be_told_elsewhere():
    lines = [agent("clinic", 1.0, 1.0), agent("maker", 1.0, 1.0), need("clinic", 5, "chair"), capacity("maker", 3, "sawing")]
    assert OF_RECIPES not in unsaid(planned(*lines))
    assert OF_RECIPES in unsaid(planned(*lines, making("maker", "chair", {"chair": 1}, {}, {"sawing": 1})))


def test_a_need_that_is_served_in_full_or_gone_has_nothing_to_lift():
    desk = planned(offer("maker", 5, place=HERE), need("clinic", 5, place=HERE))
    assert lifting(desk.core, "clinic") is None
    desk.take(withdraw("need", "clinic", "n", at=1))
    assert lifting(desk.core, "clinic") is None
    with pytest.raises(Refused, match="there is no need 'zebra'"):
        lifting(desk.core, "zebra")


def test_without_a_place_more_in_the_nearest_offer_is_advised():
    lines = [offer("near", 3), offer("far", 1), need("clinic", 9), need("ward", 9)]
    lines += [route(who, to, km) for who, km in (("near", 5), ("far", 7)) for to, km in (("clinic", km), ("ward", km + 1))]
    desk = planned(*lines, fairness="portions", portion={"mask": 1})
    (supply, *_) = lifted(desk).enough
    assert (supply.what, supply.offer) == ("supply of an offer", "near/offer/o")
    assert supply.supply is not None
    for less, is_enough in ((0, True), (1, False)):
        then = planned(*lines, offer("near", 3 + supply.supply.grains - less, at=1), fairness="portions", portion={"mask": 1})
        assert (got(then, "clinic/need/n") == 9) is is_enough


def test_without_a_place_or_any_offer_no_supply_is_advised():
    assert "it has no place" in unsaid(planned(need("clinic", 5), offer("maker", 5, place=HERE)))


def test_what_came_free_since_the_last_plan_is_said_instead():
    desk = planned(need("clinic", 5, place=HERE))
    desk.take(offer("maker", 9, place=HERE, at=1))
    assert "planning again gives it that much already" in unsaid(desk)


def test_with_minimum_parts_the_smallest_is_not_claimed():
    assert "with minimum parts a smaller change" in unsaid(planned(need("clinic", 5, minimum=3, place=HERE), agent("maker", 1.0, 1.0)))


def test_a_rest_below_a_pack_cannot_be_lifted_by_supply():
    desk = planned(resource("maker", "mask", multiple=5), offer("maker", 10, place=HERE), need("clinic", 13, place=HERE))
    assert "no amount of supply at its place is enough: packs" in unsaid(desk)


def test_a_need_kept_for_others_answers_is_not_planned():
    desk = planned(offer("maker", 5, place=HERE), need("clinic", 9, place=HERE))
    (deal,) = desk.open
    desk.take(answer("maker", deal.proposal, at=1))
    found = lifted(desk)
    assert found.by.grains == 4
    assert found.enough[0].supply == found.by


def test_an_offer_farther_than_any_way_there_was_is_reached_by_a_wider_radius():
    desk = planned(offer("maker", 9, place={"lat": 9.0, "long": 1.0}, within_km=100), need("clinic", 7, place=HERE))
    (_, wider) = lifted(desk).enough
    assert (wider.what, wider.offer) == ("within_km of an offer", "maker/offer/o")
    assert wider.sentence == "a radius of 889.561 km of maker/offer/o: to lift it by 7, nobody else gets more or less"


def test_without_a_place_more_is_advised_of_the_nearest_offer_also_where_all_of_it_is_committed():
    desk = planned(offer("maker", 5), need("ward", 5), route("maker", "ward", 3), route("maker", "clinic", 4))
    (deal,) = desk.open
    desk.take(*(answer(who, deal.proposal, at=1) for who in deal.parties), need("clinic", 5, at=1))
    desk.cycle()
    (supply,) = lifted(desk).enough
    assert supply.sentence == "5 more in maker/offer/o, the nearest offer: to lift it by 5, nobody else gets more or less"
