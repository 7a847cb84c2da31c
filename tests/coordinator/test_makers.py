"""Who could make a design: complete makers first, near misses by what they lack, all others counted by the reason."""

from random import Random

import pytest

import coordinator.makers
from coordinator.charter import Charter
from coordinator.errors import Refused
from coordinator.loops import recipe_stocks
from coordinator.makers import designs, makers, place_meant
from coordinator.network import Network
from coordinator.signals import parse_event
from tests.coordinator.test_production import recipe
from tests.support.desk import Desk
from tests.support.events import agent, amount, capacity, event, moment_us, need, offer

STAND = {
    "recipe": "stand",
    "outputs": [{"resource": "stand", "quantity": amount(1)}],
    "inputs": [{"resource": "acrylic", "quantity": amount(2, "kg")}],
    "steps": [
        {"process": "laser cutting", "effort": amount(1, "h"), "requires": {"material": "acrylic", "thickness_mm": 6}},
        {"process": "3D printer", "effort": amount(2, "h")},
        {"process": "soldering", "effort": amount(1, "h")},
        {"process": "assembly", "effort": amount(1, "h")},
    ],
}
NOW_US = moment_us(1)
ALL_BUT_LASER = ["three_d_printing", "soldering", "assembly"]


def network(*lines, **rules):
    told = Network(Charter.model_validate(rules))
    for line in (event("recipe", "agent:designer", "stand", 0, STAND), *lines):
        told.apply(parse_event(line), NOW_US)
    return told


def laser(who, **limits):
    return capacity(who, 10, "laser", limits=limits)


def answer(*lines, name="stand", **asked):
    [found] = makers(network(*lines), name, log_us=NOW_US, **asked)
    return found


def test_a_maker_with_the_right_machine_has_all_and_one_with_a_smaller_machine_is_told_which():
    found = answer(
        agent("able", classified_as=ALL_BUT_LASER),
        laser("able", material="plywood; acrylic", thickness_mm=8),
        agent("thin", classified_as=ALL_BUT_LASER),
        laser("thin", material="acrylic", thickness_mm=3),
        agent("none", classified_as=ALL_BUT_LASER),
        offer("hub", 2, "acrylic", unit="kg"),
    )
    assert [(one.agent, one.has, one.told) for one in found.makers] == [
        ("able", 4, "has all 4, hours stated for 1 of 4"),
        ("thin", 3, "missing 1 of 4: laser cutting with thickness_mm 6 (it has at most 3)"),
        ("none", 3, "missing 1 of 4: laser cutting (material acrylic, thickness_mm 6)"),
    ]


def test_a_capability_without_machines_is_not_taken_for_the_right_machine():
    found = answer(agent("lab", classified_as=["laser", *ALL_BUT_LASER]))
    assert found.makers[0].lacks == (
        "laser cutting (material acrylic, thickness_mm 6): it says it can do laser cutting, not with which machines",
    )


def test_who_is_hidden_is_counted_by_the_reason_and_unknown_names_are_listed():
    found = answer(agent("sewer", classified_as=["sewing"]), agent("odd", classified_as=["woodshop"]), agent("silent"))
    assert found.makers == ()
    assert found.hidden == {"have none of what it takes": 2, "say nothing that counts now of what they can do": 2}
    assert found.names_not_known == ("woodshop",)


def test_the_nearest_come_first_and_those_too_far_are_counted():
    lines = [agent(name, 48.0 + far, classified_as=ALL_BUT_LASER) for name, far in (("far", 3.0), ("near", 0.1), ("nowhere", None)) if far]
    lines.append(agent("nowhere", classified_as=ALL_BUT_LASER))
    told = network(*lines)
    [found] = makers(told, "stand", log_us=NOW_US, near_to=place_meant(told, "48.0,0.0"), within_m=100_000)
    assert [(one.agent, one.distance_m) for one in found.makers] == [("near", 11_120)]
    assert found.hidden == {"farther away than asked": 1, "say nothing that counts now of what they can do": 1, "state no place": 1}


def test_the_charters_catalogue_binds_over_the_table():
    told = network(agent("a", classified_as=["Blech"]), processes={"soldering": {"aliases": ["Blech"]}})
    [found] = makers(told, "stand", log_us=NOW_US)
    assert [(one.agent, one.has) for one in found.makers] == [("a", 1)]
    assert found.names_not_known == ()


def test_what_a_name_was_taken_for_and_who_says_so_is_told():
    first = answer().requirements[1]
    assert (first.process, first.meant) == ("3D printer", "3d-printing")
    assert first.source


def test_a_design_is_named_by_its_recipe_its_ref_or_what_it_makes_and_else_refused():
    told = network()
    assert makers(told, "designer/recipe/stand", log_us=NOW_US) == makers(told, "stand", log_us=NOW_US)
    with pytest.raises(Refused, match="did you mean stand"):
        makers(told, "stant", log_us=NOW_US)
    with pytest.raises(Refused, match="1 recipe stand"):
        makers(told, "zzz", log_us=NOW_US)


def test_what_goes_in_is_told_with_who_could_supply_it_and_what_nobody_has_is_named():
    able = [agent("able", classified_as=ALL_BUT_LASER), laser("able", material="acrylic", thickness_mm=8)]
    found = answer(*able)
    assert [each.told for each in found.inputs] == ["2 kg of acrylic a run: nobody has any and no recipe makes it"]
    assert found.inputs_missing == ("acrylic",)
    assert found.makers[0].told == "has all 4, hours stated for 1 of 4"

    little = answer(*able, offer("hub", 1, "acrylic", unit="kg"), recipe("mill", "sheet", {"acrylic": (1, "kg")}, {}, {"rolling": 1}))
    assert [each.told for each in little.inputs] == ["2 kg of acrylic a run: 1 kg free with hub; mill/recipe/sheet makes it"]
    assert little.inputs_missing == ("acrylic",)

    enough = answer(*able, *(offer(who, each, "acrylic", unit="kg") for who, each in (("a", 1), ("b", 3), ("c", 2), ("d", 4))))
    assert [each.told for each in enough.inputs] == ["2 kg of acrylic a run: 10 kg free with d, b, c and 1 more"]
    assert enough.inputs_missing == ()


def test_parts_of_an_input_in_several_offers_are_enough_for_a_run_together():
    able = [agent("able", classified_as=ALL_BUT_LASER), laser("able", material="acrylic", thickness_mm=8)]
    amounts = [("a", "o", 1.5), ("b", "o", 1), ("b", "more", 0.9)]
    parts = answer(*able, *(offer(who, each, "acrylic", unit="kg", subject=subject) for who, subject, each in amounts))
    assert [each.told for each in parts.inputs] == ["2 kg of acrylic a run: 3.4 kg free with b, a"]
    assert parts.inputs_missing == ()


def test_who_could_make_what_names_no_process_is_not_said():
    able = agent("able", classified_as=ALL_BUT_LASER)
    found = answer(able, recipe("designer", "poster", {"poster": 1}, {"paper": 1}, {}), name="poster")
    assert (found.requirements, found.makers) == ((), ())
    assert found.hidden == {"nobody can say: the design names no process": 2}


def test_what_makes_an_input_is_told_of_every_input_and_the_recipes_are_gone_through_once(monkeypatch):
    gone_through = []

    def going_through(network, recipe):
        gone_through.append(recipe.recipe)
        return recipe_stocks(network, recipe)

    monkeypatch.setattr(coordinator.makers, "recipe_stocks", going_through)
    inputs = dict.fromkeys(("flour", "salt", "yeast"), (1, "kg"))
    mills = [recipe(who, f"by-{who}", {"flour": (1, "kg"), "salt": (2, "kg")}, {}, {"milling": 1}) for who in ("b", "a")]
    found = answer(recipe("baker", "bread", {"bread": 1}, inputs, {"baking": 1}), *mills, name="bread")
    both = ("a/recipe/by-a", "b/recipe/by-b")
    assert {each.name: each.made_by for each in found.inputs} == {"flour": both, "salt": both, "yeast": ()}
    assert sorted(gone_through) == ["bread", "bread", "by-a", "by-b", "stand"]  # each that stands, and what the one asked for takes


def test_goods_and_hours_whose_window_has_closed_count_for_nothing():
    machine = {"limits": {"material": "acrylic", "thickness_mm": 8}}
    over = answer(
        agent("able", classified_as=ALL_BUT_LASER),
        capacity("able", 10, "laser", end=0.9, **machine),
        offer("hub", 5, "acrylic", unit="kg", end=0.9),
        capacity("past", 10, "laser", end=1, **machine),
    )
    assert [(each.told, each.free.grains) for each in over.inputs] == [("2 kg of acrylic a run: nobody has any and no recipe makes it", 0)]
    assert over.inputs_missing == ("acrylic",)
    assert [(one.agent, one.has) for one in over.makers] == [("able", 3)]
    assert over.hidden == {"say nothing that counts now of what they can do": 3}  # with the designer and the hub

    still = answer(capacity("able", 10, "laser", end=1.1, **machine), offer("hub", 5, "acrylic", unit="kg", end=1.1))
    assert [each.told for each in still.inputs] == ["2 kg of acrylic a run: 5 kg free with hub"]
    assert [(one.agent, one.has) for one in still.makers] == [("able", 1)]


@pytest.mark.parametrize(
    ("free_h", "batch", "told"),
    [
        pytest.param(1.5, None, "has it, with free hours", id="one run fits"),
        pytest.param(1, None, "a run takes 1.5 h, and no machine for it has more than 1 h free", id="no run fits"),
        pytest.param(
            4, {"minimum": 3}, "the least batch, of 3 runs, takes 4.5 h, and no machine for it has more than 4 h free", id="no batch"
        ),
    ],
)
def test_hours_in_which_no_run_fits_are_told_as_what_is_missing(free_h, batch, told):
    lines = [capacity("shop", free_h, "sawing"), capacity("shop", 1, "sawing", subject="other")]
    found = answer(*lines, recipe("designer", "chair", {"chair": 1}, {}, {"sawing": 1.5}, batch=batch), name="chair")
    assert [one.told for one in found.makers] == [told if told.startswith("has it") else f"missing 1 of 1: sawing: {told}"]


def test_hours_that_proposals_ask_are_not_there_for_another_run():
    lines = [agent("clinic", 48.0, 2.0), recipe("shop", "chair", {"chair": 1}, {}, {"sawing": 1.5}), capacity("shop", 4, "sawing")]
    desk = Desk(*lines, agent("shop", 48.0, 2.0), need("clinic", 4, "chair"))
    assert [one.lacks for one in designs(desk.core, "chair").items[0].makers] == [()]
    desk.cycle()
    assert [one.lacks for one in designs(desk.core, "chair").items[0].makers] == [
        ("sawing: a run takes 1.5 h, and no machine for it has more than 1 h free",)
    ]


def test_a_draft_is_shown_as_one_and_its_unknown_hours_count_as_requirements():
    draft = {
        "recipe": "chair",
        "outputs": [{"resource": "chair", "quantity": amount(1)}],
        "steps": [],
        "draft": True,
        "hours_unknown": [{"process": "saw"}],
        "quantity_unknown": ["legs"],
    }
    found = answer(event("recipe", "agent:d", "chair", 0, draft), agent("w", classified_as=["jigsaw"]), name="chair")
    assert (found.draft, found.unknown_quantities, [one.agent for one in found.makers]) == (True, ("legs",), ["w"])


@pytest.mark.parametrize("seed", range(5))
def test_looking_only_at_who_does_any_of_it_tells_the_same_as_looking_at_each(seed):
    """Within half the earth, which is everybody who states a place, each agent is looked at."""
    random = Random(seed)
    words = ("laser", "three_d_printing", "soldering", "assembly", "sewing", "baking with love")
    lines = [agent("designer", 45.0)]
    for number in range(30):
        who = f"agent-{number}"
        lines.append(agent(who, 45.0, number / 10, classified_as=random.sample(words, random.randint(0, 2))))
        lines += [capacity(who, 5, process, subject=process) for process in random.sample(words[:5], random.choice((0, 0, 1)))]
    told = network(*lines)
    [some], [each] = (makers(told, "stand", log_us=NOW_US, near_to=(45.0, 0.0), within_m=within_m) for within_m in (None, 30_000_000))
    assert some == each
    assert some.makers
    assert len(some.hidden) == 2
