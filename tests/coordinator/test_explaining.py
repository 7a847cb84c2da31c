"""Why a need is served or short: what is told is what the book and the rules hold."""

import pytest

from coordinator.commitments import OPEN
from coordinator.errors import Refused
from coordinator.explaining import Explanation, explain
from coordinator.matching import Hidden
from coordinator.times import format_instant
from tests.coordinator.test_production import recipe as making
from tests.support.desk import Desk
from tests.support.events import agent, amount, answer, capacity, event, moment, moment_us, need, offer, resource, tick, withdraw
from tests.support.networks import recipe

HERE = {"lat": 1.0, "long": 1.0}
FAR = {"lat": 9.0, "long": 1.0}


def why(desk: Desk, name: str = "clinic/need/n") -> Explanation:
    return explain(desk.core, name)


def told(desk: Desk, name: str = "clinic/need/n") -> str:
    return "\n".join(why(desk, name).reasons)


def planned(*lines: bytes, **rules: object) -> Desk:
    desk = Desk(*lines, **rules)
    desk.cycle()
    return desk


# -- served ------------------------------------------------------------------------------------------------------------


def test_a_served_need_is_told_from_whom_how_much_how_far_and_by_which_reasons():
    desk = planned(agent("maker", 48.0, 2.0), offer("maker", 30), need("clinic", 20, tier=0, place={"lat": 48.5, "long": 2.0}))
    found = why(desk)
    (line,) = found.served
    (deal,) = desk.open
    assert (line.proposal, line.provider, line.offer) == (deal.proposal, "maker", "maker/offer/o")
    assert (line.quantity.grains, line.distance_m, line.effort, line.state) == (20, 55_598, pytest.approx(20 * 55.598), "proposed")
    assert (line.tier_stated, line.tier_used, line.level) == (0, 0, 0)
    assert (found.proposed.grains, found.committed.grains, found.short.grains) == (20, 0, 0)
    assert found.reasons == ("all that it asks for is proposed, promised or committed",)
    assert found.could_change == ()


def test_a_commitment_counts_as_committed_and_not_as_proposed():
    desk = planned(offer("maker", 30, place=HERE), need("clinic", 20, place=HERE))
    (deal,) = desk.open
    desk.take(answer("maker", deal.proposal, at=1), answer("clinic", deal.proposal, at=1))
    found = why(desk)
    assert (found.proposed.grains, found.committed.grains, found.short.grains) == (0, 20, 0)
    assert found.served[0].state == "committed"


def test_a_new_count_asks_anew_and_what_was_committed_before_stays_shown():
    desk = planned(offer("maker", 30, place=HERE), need("clinic", 20, place=HERE))
    (deal,) = desk.open
    desk.take(answer("maker", deal.proposal, at=1), answer("clinic", deal.proposal, at=1), need("clinic", 7, place=HERE, at=2))
    assert (why(desk).committed.grains, why(desk).short.grains) == (20, 7)


def test_a_tier_that_the_charter_does_not_grant_is_told():
    desk = planned(need("clinic", 20, tier=0), may_claim_tier={"0": ("hospital",)})
    found = why(desk)
    assert (found.tier_stated, found.tier_used) == (0, 1)
    assert "the charter does not let clinic claim tier 0" in found.could_change[0]


# -- short: hidden -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "rule", "change"),
    [
        pytest.param(offer("clinic", 5, place=HERE), Hidden.OWN, None, id="its own offer"),
        pytest.param(
            offer("maker", 5), Hidden.NO_ROUTE, "a place or a route that connects it with 1 offer with 5 unpromised", id="no place"
        ),
        pytest.param(
            offer("maker", 5, place=HERE, end=1), Hidden.WINDOW, "another window, on either side: 1 offer with 5 unpromised", id="closed"
        ),
        pytest.param(
            offer("maker", 5, place=HERE, minimum=4),
            Hidden.MINIMUM,
            "a smaller minimum, on the side that states it: 1 offer with 5 unpromised",
            id="a minimum",
        ),
        pytest.param(
            offer("maker", 5, place=FAR),
            Hidden.TOO_FAR,
            "a wider radius: 1 offer with 5 unpromised, the nearest 889.6 km away",
            id="too far",
        ),
    ],
)
def test_an_offer_that_a_rule_hides_is_counted_by_that_rule(other: bytes, rule: Hidden, change: str | None):
    desk = planned(other, need("clinic", 3, place=HERE, at=2), radius_km=500)
    found = why(desk)
    assert [(kept.why, kept.offers) for kept in found.hidden] == [(rule, 1)]
    assert f"1 offer with 5 unpromised: {rule}" in found.reasons
    assert found.could_change == (() if change is None else (change,))


def test_a_declined_pair_is_told_and_what_opens_it_again():
    desk = planned(offer("maker", 5, place=HERE), need("clinic", 3, place=HERE))
    (deal,) = desk.open
    desk.take(answer("maker", deal.proposal, "decline", at=1))
    desk.cycle()
    found = why(desk)
    assert [kept.why for kept in found.hidden] == [Hidden.DECLINED]
    assert found.could_change == ("a new count, said by either side, opens a declined pair again: 1 offer with 5 unpromised",)
    desk.take(offer("maker", 6, place=HERE, at=2))
    desk.cycle()
    assert why(desk).short.grains == 0, "what is said could change it does"


def test_a_thing_nobody_offers_is_told_with_near_names():
    found = why(planned(*(offer(f"maker-{n}", 2, "face-shield") for n in range(3)), need("clinic", 3, "facesheild")))
    assert found.reasons[1:] == ("nobody offers it", "`face-shield` has nearly the same name: offered by 3, needed by 0")
    assert found.could_change == (
        "somebody offering facesheild, counted in pieces, or agreeing that it is `face-shield` (an alias in the charter)",
    )


def test_a_thing_that_only_recipes_make_is_told_with_what_they_lack():
    desk = planned(agent("maker", 1.0, 1.0), need("clinic", 3, place=HERE), recipe("maker", "mask-v1", {"mask": 1}, {"sheet": 1}))
    assert "mask-v1 makes it, but nobody has sheet" in told(desk)
    desk.take(offer("mill", 1, "sheet", place=HERE))
    assert "the recipe maker/recipe/mask-v1 makes it, and everything it takes is offered by somebody" in told(desk)


def test_a_recipe_whose_inputs_are_made_of_the_same_is_not_said_to_find_all_it_takes_on_offer():
    made = [recipe("maker", name, {name: 1}, {"sheet": 1}) for name in ("front", "strap")]
    both = recipe("maker", "mask-v1", {"mask": 1}, {"front": 1, "strap": 1})
    desk = planned(agent("maker", 1.0, 1.0), need("clinic", 3, place=HERE), offer("mill", 1, "sheet", place=HERE), both, *made)
    alone = "each thing it takes, looked at alone, is offered or could be made"
    assert f"maker/recipe/mask-v1 makes it, and {alone}; nobody offers" in told(desk)
    assert "everything it takes is offered" not in told(desk)


def test_a_recipe_of_whose_input_too_little_is_free_for_a_run_is_not_called_ready():
    parts = [agent("maker", 1.0, 1.0), offer("mill", 4, "sheet", place=HERE), offer("shop", 2, "sheet", place=HERE)]
    desk = planned(need("clinic", 3, place=HERE), recipe("maker", "mask-v1", {"mask": 1}, {"sheet": 10}), *parts)
    found = explain(desk.core, "clinic")
    ready = "the recipe maker/recipe/mask-v1 makes it, but a run takes 10 of sheet, and 6 is free in all"
    assert found.reasons[-1] == ready
    assert found.could_change[-1] == "at least 4 more of sheet, in any offers"
    desk.take(offer("shop", 6, "sheet", place=HERE, at=1))
    assert "everything it takes is offered by somebody" in told(desk)
    assert "more of sheet" not in told(desk)


@pytest.mark.parametrize(
    ("batch", "runs", "enough"),
    [
        pytest.param({"minimum": 4}, 4, 40, id="a least batch"),
        pytest.param({"multiple": 4}, 4, 40, id="whole batches"),
        pytest.param({"minimum": 5, "multiple": 4}, 8, 80, id="a least batch of whole ones"),
    ],
)
@pytest.mark.parametrize("is_made", [False, True], ids=["nobody makes", "a recipe could make"])
def test_an_input_of_which_too_little_is_free_for_a_least_batch_is_told(batch: dict[str, int], runs: int, enough: int, is_made: bool):
    maker, mask = agent("maker", 1.0, 1.0), making("maker", "mask-v1", {"mask": 1}, {"sheet": 10}, {}, batch=batch)
    sheet = [making("maker", "sheet-v1", {"sheet": 1}, {"pulp": 1}, {})] if is_made else []  # nobody has pulp
    desk = planned(need("clinic", 60, place=HERE), maker, mask, offer("mill", enough - 1, "sheet", place=HERE), *sheet)
    found = explain(desk.core, "clinic")
    ready = "makes it, and everything it takes is offered by somebody"
    lack = f"the least batch, of {runs} runs, takes {enough} of sheet, and {enough - 1} is free in all"
    said = f"the recipe maker/recipe/mask-v1 makes it, but {lack}"
    assert said in found.reasons
    assert not any(ready in reason for reason in found.reasons)
    assert ("at least 1 more of sheet, in any offers" in found.could_change) == (not is_made)
    assert not desk.core.production.latest.trees
    desk.take(offer("mill", enough, "sheet", place=HERE, at=1))
    assert any(ready in reason for reason in explain(desk.core, "clinic").reasons)
    desk.cycle()
    assert desk.core.production.latest.trees


@pytest.mark.parametrize(
    ("offers", "sheets", "batch", "told"),
    [
        pytest.param(50, 50, {}, False, id="as many offers as an input is drawn from"),
        pytest.param(51, 51, {}, True, id="one more"),
        pytest.param(51, 50, {}, False, id="fifty of them have enough"),
        pytest.param(51, 1, {"minimum": 51}, True, id="runs of a least batch count together"),
        pytest.param(51, 1, {"multiple": 51}, True, id="so do those that only whole batches have"),
        pytest.param(52, 1, {"minimum": 27, "multiple": 26}, True, id="a least batch is of whole multiples"),
        pytest.param(51, 52, {}, False, id="all together have too little, which is told instead"),
    ],
)
def test_an_input_that_lies_in_more_offers_than_one_is_drawn_from_is_told(offers: int, sheets: int, batch: dict[str, int], told: bool):
    sheds = [agent("maker", 1.0, 1.0), *(offer(f"shed-{number}", 1, "sheet", place=HERE) for number in range(offers))]
    mask = making("maker", "mask-v1", {"mask": 1}, {"sheet": sheets}, {}, **({"batch": batch} if batch else {}))
    desk = Desk(need("clinic", 60, place=HERE), mask, *sheds)
    said = (
        f"the recipe maker/recipe/mask-v1 makes it, but the least batch takes {offers if batch else sheets} of sheet, "
        "and the 50 offers with most, from which one input is drawn at most, have 50 free"
    )
    reasons = explain(desk.core, "clinic").reasons
    assert (said in reasons, any("everything it takes is offered" in reason for reason in reasons)) == (told, not told and sheets < 52)


def test_a_recipe_of_which_no_machine_has_the_hours_of_a_run_is_not_called_ready():
    machines = capacity("one", 1, "fdm", place=HERE), capacity("other", 1, "fdm", place=HERE)
    desk = planned(need("clinic", 3, place=HERE), making("maker", "mask-v1", {"mask": 1}, {}, {"3D printer": 1.5}), *machines)
    assert explain(desk.core, "clinic").reasons[-1] == (
        "the recipe maker/recipe/mask-v1 makes it, but a run takes 1.5 h of 3d-printing, "
        "and no capacity that can do it has more than 1 h free"
    )
    desk.take(capacity("other", 2, "fdm", place=HERE, at=1))
    assert "everything it takes is offered by somebody" in told(desk)


def test_a_near_name_that_is_counted_in_other_units_is_told_so_and_no_alias_is_advised():
    found = why(planned(offer("maker", 3, "gowns", unit="kg"), need("clinic", 3, "gown")))
    assert found.reasons[1:] == (
        "nobody offers it",
        "`gowns` has nearly the same name: offered by 1, needed by 0, but counted in mass, and the need in pieces, "
        "so an alias alone does not help",
    )
    assert found.could_change == ("somebody offering gown, counted in pieces",)


def test_a_near_name_is_told_too_where_all_offers_of_the_name_itself_are_ruled_out():
    near = offer("maker", 3, "gowns", place=HERE), offer("own", 3, "gown", place=FAR, within_km=1)
    found = why(planned(*near, need("clinic", 3, "gown", place=HERE)))
    assert found.reasons[-1] == "`gowns` has nearly the same name: offered by 1, needed by 0"
    assert found.could_change[-1] == "agreeing that it is `gowns` (an alias in the charter)"
    agreed = {"resources": {"gown": {"aliases": ["gowns"]}}}
    assert why(planned(*near, need("clinic", 3, "gown", place=HERE), **agreed)).short.grains == 0, "what is advised helps"


MAKER, CLINIC, OTHER = agent("maker", 48.0, 2.0), agent("clinic", 48.1, 2.0), agent("other", 48.1, 2.0)
MASK = recipe("maker", "mask-v1", {"mask": 1}, {"sheet": 1}, {"sewing": 1})
THERE = {"lat": 48.0, "long": 2.0}


@pytest.mark.parametrize(
    ("sheets", "hours", "lack"),
    [
        pytest.param(3, 9, "a run takes 1 of sheet, and 0 is free in all: 3 more is in proposals or promised", id="an input"),
        pytest.param(
            9,
            3,
            "a run takes 1 h of sewing, and no capacity that can do it has more than 0 h free: 3 h more is in proposals or promised",
            id="hours",
        ),
    ],
)
def test_what_others_proposals_hold_of_what_a_recipe_takes_is_told(sheets: int, hours: int, lack: str):
    goods = offer("mill", sheets, "sheet", place=THERE), capacity("maker", hours)
    desk = planned(MAKER, CLINIC, OTHER, MASK, *goods, need("other", 3, tier=0), need("clinic", 3))
    assert told(desk).splitlines()[-1] == f"the recipe maker/recipe/mask-v1 makes it, but {lack}"


def test_what_is_short_below_an_input_that_is_made_is_told_with_its_recipe():
    fibre = offer("mill", 3, "fibre", place=THERE)
    sheet = recipe("maker", "sheet-v1", {"sheet": 1}, {"fibre": 5}, {"sewing": 0.1})
    found = why(planned(MAKER, CLINIC, MASK, sheet, fibre, capacity("maker", 9), need("clinic", 3)))
    assert found.reasons[-2:] == (
        "the recipe maker/recipe/mask-v1 makes it, but a run takes 1 of sheet, and 0 is free in all",
        "the recipe maker/recipe/sheet-v1 makes sheet for that, but a run takes 5 of fibre, and 3 is free in all",
    )
    assert found.could_change[-1] == "at least 2 more of fibre, in any offers"


@pytest.mark.parametrize(
    ("maker", "rules", "lacks", "change"),
    [
        pytest.param(
            agent("maker"),
            {},
            [f"no route and no two known places connect maker with {other}" for other in ("clinic", "sheet on offer")],
            [f"a place or a route that connects maker with {other}" for other in ("clinic", "sheet on offer")],
            id="no place",
        ),
        pytest.param(
            agent("maker", 58.0, 2.0),
            {"radius_km": 100},
            [
                "every way from maker to clinic is longer than somebody's radius",
                "every way from sheet on offer to maker is longer than somebody's radius",
            ],
            [],
            id="too far",
        ),
        pytest.param(agent("maker", 48.0, 2.0), {}, [], [], id="near enough"),
    ],
)  # fmt: skip
def test_a_maker_that_nothing_comes_to_or_from_is_told(maker: bytes, rules: dict[str, object], lacks: list[str], change: list[str]):
    desk = Desk(maker, CLINIC, MASK, offer("mill", 9, "sheet", place=THERE), capacity("maker", 9), need("clinic", 3), **rules)
    found = why(desk)
    said = [f"the recipe maker/recipe/mask-v1 makes it, but {lack}" for lack in lacks]
    ready = "the recipe maker/recipe/mask-v1 makes it, and everything it takes is offered by somebody; nobody offers what it makes"
    assert found.reasons[2:] == (*(said or [ready]),)
    assert found.could_change[1:] == (*change,)
    desk.cycle()
    assert (why(desk).short.grains == 0) == (not lacks), "what is said to be in the way is"


def test_what_an_agent_could_make_of_its_own_alone_is_told_so():
    mask = recipe("clinic", "mask-v1", {"mask": 1}, {"sheet": 1})
    desk = planned(CLINIC, mask, offer("clinic", 9, "sheet"), need("clinic", 3))
    own = "the recipe clinic/recipe/mask-v1 makes it, but only clinic itself has what it takes, who knows that already"
    assert told(desk).splitlines()[-1] == own
    desk.take(offer("mill", 9, "sheet", place=THERE))
    assert "itself has" not in told(desk)


def test_an_input_that_the_recipe_itself_gives_back_is_told_where_too_little_is_free():
    mask = recipe("maker", "mask-v1", {"mask": 2}, {"mask": 1})
    desk = planned(MAKER, CLINIC, mask, offer("maker", 1), need("clinic", 30))
    assert "makes it, but a run takes 1 of mask, and 0 is free in all: 1 more is in proposals or promised" in told(desk)


def test_steps_that_no_one_place_has_hours_for_are_told():
    spread = recipe("maker", "mask-v1", {"mask": 1}, {}, {"sewing": 1, "welding": 1})
    desk = planned(MAKER, CLINIC, OTHER, spread, capacity("maker", 9), capacity("other", 9, "welding"), need("clinic", 3))
    assert told(desk).splitlines()[-1].endswith("but nobody has hours of all its steps in one place: sewing, welding")


def test_recipes_are_told_of_beside_offers_that_are_too_few():
    small = offer("shop", 1, place=THERE), offer("mill", 9, "sheet", place=THERE)
    desk = planned(MAKER, CLINIC, MASK, *small, capacity("maker", 0.5), need("clinic", 3))
    assert told(desk).splitlines()[1] == "1 offer with 1 in all could reach it"
    assert "makes it, but a run takes 1 h of sewing" in told(desk)


def test_a_recipe_that_is_not_used_is_told_with_the_reason_and_not_as_ready():
    vast = making("maker", "mask-v1", {"mask": 1}, {"sheet": (10**9, "kg")}, {}, batch={"minimum": 10**9})
    usual = (making("maker", name, {name: 1}, {"sheet": (1, "g")}, {}) for name in ("box", "bag"))
    desk = planned(need("clinic", 3), offer("mill", 1, "sheet", unit="kg"), *usual, vast)
    assert "recipe maker/recipe/mask-v1 is not used" in told(desk)
    assert "everything it takes is offered by somebody" not in told(desk)


def test_hours_of_a_finer_process_do_for_a_recipe_that_asks_for_a_broader_one_and_never_the_other_way_round():
    by_printing = making("maker", "visor", {"visor": 1}, {"film": 1}, {"3D printer": 1})
    by_fdm = making("maker", "clip", {"clip": 1}, {"film": 1}, {"FFF": 1})
    wanted = need("clinic", 3, "visor"), need("clinic", 3, "clip", subject="clip")
    desk = planned(*wanted, by_printing, by_fdm, capacity("maker", 10, "fdm"))
    assert "visor makes it, but nobody has film" in told(desk).splitlines()
    desk.take(withdraw("capacity", "maker", "c", at=0.5), capacity("maker", 10, "additive manufacturing", subject="other", at=0.5))
    assert "clip makes it, but nobody has fdm, film" in told(desk, "clinic/need/clip").splitlines()


def hours_wanted(process: str) -> bytes:
    return event("need", "agent:clinic", "n", 0, {"process": process, "effort": amount(4, "h")})


def test_hours_of_one_process_meet_under_the_names_that_the_table_has_for_it_and_that_is_told():
    desk = planned(hours_wanted("Laser Cutting"), capacity("maker", 10, "lasercutter"), agent("maker", 48.0), agent("clinic", 48.1))
    found = why(desk)
    assert (found.name, found.proposed.grains) == ("laser-cutting", 4 * 3_600_000)
    assert found.reasons[:2] == (
        '"Laser Cutting" counts as laser-cutting (common in the trade)',
        '"lasercutter" counts as laser-cutting (common in the trade)',
    )


@pytest.mark.parametrize(
    ("wanted", "offered"),
    [
        pytest.param("laser-cutting", "laser engraver of stone", id="a name that no table knows"),
        pytest.param("fdm", "3d-printing", id="a broader process"),
        pytest.param("3d-printing", "fdm", id="a finer process"),
    ],
)
def test_hours_of_other_processes_meet_only_where_a_recipe_asks_for_them(wanted: str, offered: str):
    desk = planned(hours_wanted(wanted), capacity("maker", 10, offered), agent("maker", 48.0), agent("clinic", 48.1))
    assert why(desk).proposed.grains == 0
    assert "nobody offers it" in why(desk).reasons


@pytest.mark.parametrize(
    ("offered", "source"), [("lasercutter", "the charter's catalogue"), ("laser_cut", "the charter's catalogue"), ("laser", None)]
)
def test_what_the_charter_calls_a_process_it_is_called(offered: str, source: str | None):
    agreed = {"processes": {"laser": {"aliases": ["lasercutter"]}}}
    desk = planned(hours_wanted("laser"), capacity("maker", 10, offered), agent("maker", 48.0), agent("clinic", 48.1), **agreed)
    found = why(desk)
    assert (found.name, found.proposed.grains) == ("laser", 4 * 3_600_000)
    told_of = f'"{offered}" counts as laser ({source})' if source else "all that it asks for is proposed, promised or committed"
    assert found.reasons[0] == told_of


def test_processes_that_the_charter_tells_apart_stay_apart_whatever_the_table_says():
    agreed = {"processes": {"laser": {}, "lasercutter": {}}}
    desk = planned(hours_wanted("laser"), capacity("maker", 10, "lasercutter"), agent("maker", 48.0), agent("clinic", 48.1), **agreed)
    assert why(desk).proposed.grains == 0


def test_a_name_offered_in_another_dimension_is_told():
    assert "only offered in mass, needed in pieces" in told(planned(offer("maker", 3, unit="kg"), need("clinic", 3)))


# -- short: used up ----------------------------------------------------------------------------------------------------


def test_who_uses_what_could_reach_it_is_told_with_tier_level_and_state():
    desk = planned(
        offer("maker", 30, place=HERE),
        need("first", 10, tier=0, place=HERE),
        need("second", 20, tier=1, place=HERE),
        need("clinic", 10, tier=2, place=HERE),
    )
    found = why(desk)
    assert [(user.need, user.quantity.grains, user.state, user.tier_used, user.level) for user in found.users] == [
        ("first/need/n", 10, "proposed", 0, 0),
        ("second/need/n", 20, "proposed", 1, 0),
    ]
    assert found.reasons == (
        "10 of 10 is in no proposal and no commitment",
        "1 offer with 30 in all could reach it",
        "10 goes to 1 need of a more urgent tier 0",
        "20 goes to 1 need of a more urgent tier 1",
    )
    expires = format_instant(min(deal.data.expires_us for deal in desk.open))
    assert found.could_change == (
        "30 of what could reach it waits for others' answers: what they decline, or let lapse "
        f"({expires} at the earliest), is planned again",
    )
    assert (found.reachable_offers, found.reachable_free.grains, found.reachable_spare.grains) == (1, 30, 0)


def test_users_and_spare_add_up_to_what_is_offered():
    desk = planned(offer("a", 13, place=HERE), offer("b", 9, place=HERE), resource("a", "mask", multiple=5), need("x", 10, place=HERE))
    desk.take(need("clinic", 30, place=HERE))
    desk.cycle()
    found = why(desk)
    mine = sum(line.quantity.grains for line in found.served)
    used = sum(user.quantity.grains for user in found.users)
    assert mine + used + found.reachable_spare.grains == 22
    assert found.reachable_spare.grains == 7
    assert f"{found.reachable_spare.grains} is free and in no proposal" in told(desk)


def test_a_rest_smaller_than_a_pack_is_told_as_such():
    desk = planned(offer("a", 13, place=HERE), resource("a", "mask", multiple=5), need("clinic", 30, place=HERE))
    assert "3 is free and in no proposal: less than a pack of 5, and only whole packs move" in told(desk)


def test_what_others_committed_is_used_and_does_not_wait_for_an_answer():
    desk = planned(offer("maker", 10, place=HERE), need("first", 10, tier=3, place=HERE))
    (deal,) = desk.open
    desk.take(*(answer(who, deal.proposal, at=1) for who in deal.parties), need("clinic", 5, tier=0, place=HERE, at=1))
    desk.cycle()
    found = why(desk)
    assert [(user.state, user.tier_used) for user in found.users] == [("committed", 3)]
    assert "10 goes to 1 need of a less urgent tier 3" in found.reasons
    assert found.could_change == ()


def test_every_user_told_is_in_the_book():
    desk = planned(*(offer(f"m{n}", 5 + n, place=HERE) for n in range(4)), *(need(f"c{n}", 9, place=HERE, tier=n % 3) for n in range(6)))
    for ref in [stance.ref for stance in desk.core.network.living() if not stance.is_supply]:
        found = why(desk, ref)
        booked = {line.need for deal in desk.core.book.deals.values() if deal.state in OPEN for line in deal.lines} - {ref}
        assert {user.need for user in found.users} == booked
        assert found.proposed.grains + found.short.grains == found.asked.grains


# -- time --------------------------------------------------------------------------------------------------------------


def test_a_need_that_no_longer_stands_says_why():
    desk = Desk(need("clinic", 3, expires=5), need("clinic", 3, subject="m"), withdraw("need", "clinic", "m", at=1), tick(6))
    assert why(desk).reasons == (f"it expired at {moment(5)}",)
    assert why(desk, "clinic/need/m").reasons == ("it was withdrawn",)
    assert not why(desk).standing
    assert why(desk).short.grains == 0


def test_a_need_whose_window_has_closed_says_so():
    desk = planned(offer("maker", 3, place=HERE), need("clinic", 3, end=5, place=HERE), tick(6))
    assert f"its window closed at {moment(5)}, and now is {moment(6)}" in told(desk)
    assert why(desk).could_change == ("only a new window, said by its agent: nothing arrives in one that has closed",)
    assert desk.core.log_us == moment_us(6)


# -- which need --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["clinic-west/need/masks", "clinic-west/masks", "west", "masks"])
def test_a_need_is_found_by_any_part_that_only_it_has(asked: str):
    assert (
        why(Desk(need("clinic-west", 3, subject="masks"), need("clinic-east", 3, subject="gowns")), asked).need == "clinic-west/need/masks"
    )


def test_a_part_that_several_needs_have_is_refused_with_some_of_them():
    with pytest.raises(Refused, match=r"2 needs have 'clinic' in their id \(clinic-east/need/gowns, clinic-west/need/masks …\)"):
        why(Desk(need("clinic-west", 3, subject="masks"), need("clinic-east", 3, subject="gowns")), "clinic")


@pytest.mark.parametrize("asked", ["clinic-west/need/maskz", "clinc-west/need/unheard-of"])
def test_an_unknown_need_is_refused_with_near_ones(asked: str):
    with pytest.raises(Refused, match=r"there is no need .*; did you mean clinic-west/need/masks"):
        why(Desk(need("clinic-west", 3, subject="masks")), asked)


def test_an_unknown_need_unlike_any_other_is_refused_with_where_to_look():
    with pytest.raises(Refused, match="`coordinator needs` lists them"):
        why(Desk(need("clinic-west", 3)), "zebra")
    with pytest.raises(Refused, match="there is no need ''"):
        why(Desk(need("clinic-west", 3)), "")
