"""What a need still takes, level by level: netted by hand, checked against a plan, and every change that is called enough is enough."""

import pytest

from coordinator.errors import Refused
from coordinator.explaining import explain
from coordinator.exploding import _Netting, explode
from tests.coordinator.test_production import SHIELDS, SIMPLE, accept, making, recipe
from tests.support.desk import Desk
from tests.support.events import agent, amount, capacity, event, hours, need, offer, tick

HOUR_MS = 3_600_000


def rows(found):
    return {row.name: row for row in found.rows}


def less_printing(hours):
    """The shields with so many hours of printing."""
    lines = [line for line in SHIELDS if b'"printing"' not in line or b".recipe." in line]
    return [*lines, capacity("printer", hours, "printing")]


def test_levels_are_netted_against_stock_and_say_who_has_what():
    found = explode(Desk(*SHIELDS, offer("printer", 10, "frame", subject="frames")).core, "clinic")
    by = rows(found)
    assert [(row.level, row.name) for row in found.rows] == [
        (0, "shield"),
        (1, "frame"),
        (1, "strap"),
        (1, "assembly"),
        (2, "cloth"),
        (2, "filament"),
        (2, "printing"),
        (2, "sewing"),
    ]
    assert by["frame"].wanted.grains == 60
    assert by["filament"].wanted.grains == 50 * 30 * 10**6  # ten frames are there
    assert by["printing"].wanted.grains == 25 * HOUR_MS
    assert [(one.agent, one.free.grains) for one in by["printing"].suppliers] == [("printer", 40 * HOUR_MS)]
    assert found.bottleneck is None
    assert found.can_be_made.grains == 60


def test_the_tightest_level_is_named_and_the_least_change_is_found_by_planning_it():
    desk = Desk(*less_printing(10))
    found = explode(desk.core, "clinic")
    assert found.can_be_made.grains == 20
    assert found.bottleneck == "level 2, printing: 33% of the 30 h wanted can be had"
    [change] = found.enough
    assert (change.name, change.by.grains, change.near) == ("printing", 20 * HOUR_MS, "printer")


def test_hours_that_are_needed_are_told_as_hours_with_those_that_are_free():
    far = {"place": {"lat": 48.11, "long": -1.68}, "within_km": 1}
    desk = Desk(capacity("maker", 5, "sewing", **far), hours("clinic", 4, "sewing", place={"lat": 1.0, "long": 1.0}))
    [row] = explode(desk.core, "clinic").rows
    assert (row.sort, row.free.grains, row.suppliers[0].agent) == ("process", 5 * HOUR_MS, "maker")
    desk = Desk(capacity("maker", 5, "fdm", **far), hours("clinic", 4, "3d-printing"))
    [row] = explode(desk.core, "clinic").rows
    assert row.free.grains == 0, "hours of a finer process are not what was asked for"


def test_a_change_is_tried_where_the_hours_are_and_not_where_their_agent_says_it_is():
    there = {"place": {"lat": 48.11, "long": -1.68}}
    chair = recipe("maker", "chair", {"chair": 1}, {}, {"sawing": 1.5})
    desk = Desk(chair, capacity("maker", 4, "sawing", **there), need("clinic", 4, "chair", place={"lat": 48.08, "long": -1.6}))
    found = explode(desk.core, "clinic")
    assert found.can_be_made.grains == 2
    assert [change.sentence for change in found.enough] == [
        "3 h more sawing near maker is enough for all of it; "
        "2 h is not: a run takes 1.5 h of one capacity, and 1 h of what is free is too little for one"
    ]


def test_why_more_hours_than_are_short_are_asked_for_is_told_where_the_reason_is_not_known_too():
    """Of the two hours that are free none can be used for it: they are too far away."""
    chair = recipe("near", "chair", {"chair": 1}, {}, {"sawing": 1})
    lines = [agent("near", 48.0, 2.0), agent("far", 40.0, 2.0), capacity("near", 1, "sawing"), capacity("far", 2, "sawing", within_km=1)]
    found = explode(Desk(chair, *lines, agent("clinic", 48.0, 2.0), need("clinic", 4, "chair")).core, "clinic")
    assert [change.sentence for change in found.enough] == [
        "3 h more sawing near near is enough for all of it; 1 h is not: of what is free, or of so much more, not all can be used for it"
    ]


@pytest.mark.parametrize(("seeds", "short"), [pytest.param(None, 4, id="nothing there"), pytest.param(1, 3, id="one goes to the need")])
def test_what_is_made_of_itself_stands_at_its_own_level_and_is_short_of_what_goods_do_not_give(seeds, short):
    lines = [agent("maker", 48.0, 2.0), agent("clinic", 48.1, 2.0), capacity("maker", 40, "growing"), need("clinic", 4, "seed")]
    lines += [offer("maker", seeds, "seed")] if seeds else []
    desk = Desk(*lines, recipe("maker", "seed", {"seed": 3}, {"seed": 1}, {"growing": 1}))
    rows_of = [(row.level, row.name, row.wanted.grains, row.short.grains) for row in explode(desk.core, "clinic").rows]
    assert rows_of == [(0, "seed", 4, short)]
    desk.cycle()
    assert desk.core.book.covered_grains(desk.core.network.stances["clinic/need/n"]) == 4 - short


@pytest.mark.parametrize(("hours", "served"), [(20, 60), (19.5, 59)])
def test_the_change_does_what_it_says_and_half_an_hour_less_does_not(hours, served):
    desk = Desk(*less_printing(10), capacity("printer", hours, "printing", subject="more"))
    assert sum(line.quantity.grains for deal in making(desk) for line in deal.lines if line.serves) == served


@pytest.mark.parametrize(("offers", "made", "told"), [(15, 1, False), (50, 1, False), (60, 0, True)])
def test_what_lies_in_more_offers_than_a_batch_draws_from_is_told(offers, made, told):
    lines = [agent("maker", 48.0, 2.0), agent("clinic", 48.5, 2.0), capacity("maker", 10, "cutting"), need("clinic", 1, "table")]
    lines.append(recipe("designer", "table", {"table": 1}, {"plank": offers}, {"cutting": 1}))
    for number in range(offers):
        lines += [agent(f"shed-{number}", 48.0, 2.1), offer(f"shed-{number}", 1, "plank")]
    found = explode(Desk(*lines).core, "clinic")
    assert found.can_be_made.grains == made
    assert any("more than 50 offers" in reason for reason in found.reasons) == told


# Four hours of cutting in all, on two machines; no one machine has more than two.
STONES = [
    agent("maker", 48.0, 2.0),
    agent("clinic", 48.1, 2.0),
    capacity("maker", 2, "cutting", subject="one", limits={"material": "stone"}),
    capacity("maker", 2, "cutting", subject="other", limits={"material": "stone"}),
    need("clinic", 1, "slab"),
]
NO_ONE_HAS = "designer/recipe/slab: a run takes 3 h of cutting, and no capacity that can do it has more than 2 h free"


@pytest.mark.parametrize(
    ("hours", "setup", "other", "told"),
    [
        pytest.param(2, None, [], (), id="a run that one machine has the hours of"),
        pytest.param(3, None, [], (NO_ONE_HAS,), id="a run that only both together have the hours of"),
        pytest.param(1, 2, [], (NO_ONE_HAS,), id="with its set-up only both together have"),
        pytest.param(
            3, None, [capacity("saw", 9, "cutting", limits={"material": "wood"})], (NO_ONE_HAS,), id="the long hours cannot do it"
        ),
        pytest.param(3, None, [capacity("maker", 3, "cutting", limits={"material": "stone"})], (), id="a third machine has them"),
    ],
)
def test_a_run_that_no_one_capacity_has_the_hours_of_is_told(hours, setup, other, told):
    step = {"process": "cutting", "effort": amount(hours, "h"), "requires": {"material": "stone"}}
    step |= {"setup": amount(setup, "h")} if setup else {}
    made = [{"resource": "slab", "quantity": amount(1)}]
    slab = event("recipe", "agent:designer", "slab", 0, {"recipe": "slab", "outputs": made, "inputs": [], "steps": [step]})
    found = explode(Desk(*STONES, slab, *other).core, "clinic")
    assert rows(found)["cutting"].short is None
    assert (found.too_short, found.can_be_made.grains) == (told, 0 if told else 1)


@pytest.mark.parametrize(("batch", "hours", "told"), [
    pytest.param({"minimum": 4}, 4, (), id="a least batch that one machine has the hours of"),
    pytest.param({"minimum": 5}, 4, (5, 5), id="one that only both together have the hours of"),
    pytest.param({"multiple": 6}, 4, (6, 6), id="whole multiples"),
    pytest.param({"minimum": 5}, 6, (), id="longer hours"),
])  # fmt: skip
def test_a_least_batch_that_no_one_capacity_has_the_hours_of_is_told(batch, hours, told):
    lines = [agent("maker", 48.0, 2.0), agent("clinic", 48.1, 2.0), need("clinic", 6, "slab")]
    lines += [capacity("maker", hours, "cutting", subject=subject) for subject in ("one", "other")]
    desk = Desk(*lines, recipe("designer", "slab", {"slab": 1}, {}, {"cutting": 1}, batch=batch))
    found = explode(desk.core, "clinic")
    lack = "the least batch, of {} runs, takes {} h of cutting, and no capacity that can do it has more than 4 h free"
    assert found.too_short == ((f"designer/recipe/slab: {lack.format(*told)}",) if told else ())
    assert (found.can_be_made.grains == 0) == bool(told)
    assert any("the least batch, of" in reason for reason in explain(desk.core, "clinic").reasons) == bool(told)


def test_how_far_plans_go_round_a_ring_that_gains_is_told():
    """Of three D five C are had by going round: two of the first C are turned into D again, and those into C."""
    lines = [agent("maker", 48.0, 2.0), agent("clinic", 48.1, 2.0), offer("maker", 3, "d"), need("clinic", 5, "c")]
    lines += [recipe("maker", "doubles", {"d": 2}, {"c": 1}, {}), recipe("maker", "turns", {"c": 1}, {"d": 1}, {})]
    desk = Desk(*lines, recipe("maker", "other", {"e": 1}, {"f": 1}, {}))
    found = explode(desk.core, "clinic")
    assert found.can_be_made.grains == 5
    assert [(row.level, row.name, row.wanted.grains, row.short) for row in found.rows] == [
        (0, "c", 5, None), (1, "d", 5, None), (2, "c", 3, None), (3, "d", 3, None)
    ]  # fmt: skip
    assert found.rings == (
        'the recipes "c" → "d" → "c" go round and gain: a plan goes round up to 8 times for one delivery, where that serves more, '
        "and begins with what lies there and is not promised",
    )
    assert found.rings[0] in explain(desk.core, "clinic").reasons
    assert explode(Desk(*SHIELDS).core, "clinic").rings == ()


BAKERY = [
    agent("baker", 48.0, 2.0),
    agent("home", 48.1, 2.0),
    recipe("baker", "grow", {"dough": 2}, {"dough": 1}, {"baking": 1}),
    recipe("baker", "bake", {"bread": 1}, {"dough": 1}, {"baking": 1}),
    capacity("baker", 50, "baking"),
]


def covered(lines):
    """What of the need at home is in proposals once all is planned."""
    desk = Desk(*lines)
    desk.cycle()
    return desk.core.book.covered_grains(desk.core.network.stances["home/need/n"])


def test_what_feeds_itself_is_short_where_goods_of_it_are_as_they_go_to_the_need_first():
    """Two dough of one, three offered, ten needed: the three go to the need, and nothing is left to go round with."""
    lines = [*BAKERY, offer("baker", 3, "dough"), need("home", 10, "dough")]
    desk = Desk(*lines)
    desk.cycle()
    found = explode(desk.core, "home")
    assert (found.open.grains, found.can_be_made.grains, found.bottleneck) == (7, 0, "level 0, dough: none of the 7 can be had")
    assert [change.sentence for change in found.enough] == ["7 more of dough near home is enough for all of it"]
    assert [covered([*lines, offer("baker", more, "dough", subject="more")]) for more in (6, 7)] == [9, 10]


def test_what_goes_into_a_ring_where_it_closes_has_a_row_for_each_round_and_is_short_there():
    """Three dough are six in one round and twelve in two; none is nothing, however often one goes round."""
    lines = [*BAKERY, offer("baker", 3, "dough"), need("home", 10, "bread")]
    found = explode(Desk(*lines).core, "home")
    doughs = [(row.level, row.wanted.grains, row.short) for row in found.rows if row.name == "dough"]
    assert (doughs, found.can_be_made.grains) == ([(1, 10, None), (2, 5, None), (3, 3, None)], 10)
    assert (found.bottleneck, covered(lines)) == (None, 10)
    found = explode(Desk(*BAKERY, need("home", 10, "bread")).core, "home")
    netted = [(row.level, row.name, row.wanted.grains, row.short.grains) for row in found.rows if row.short is not None]
    assert (netted, found.can_be_made.grains) == ([(2, "dough", 5, 5)], 0)
    assert found.bottleneck == "level 2, dough: none of the 5 can be had"
    assert [change.sentence for change in found.enough] == ["1 more of dough near baker is enough for all of it"]
    assert covered([*BAKERY, need("home", 10, "bread"), offer("baker", 1, "dough")]) == 10


@pytest.mark.parametrize("dough", [5, 6, 10])
def test_where_enough_lies_there_to_go_round_nothing_of_a_ring_is_short(dough):
    found = explode(Desk(*BAKERY, offer("baker", dough, "dough"), need("home", 10, "bread")).core, "home")
    assert (found.can_be_made.grains, [row.name for row in found.rows if row.short is not None]) == (10, [])


def test_nothing_is_made_for_the_scrap_that_it_leaves():
    """Filament of scrap of shields of filament: a shield more for its scrap would take the filament that is short."""
    prints = recipe("maker", "print", {"shield": 1, "scrap": (0.2, "kg")}, {"filament": (1, "kg")}, {"printing": 1})
    grinds = recipe("maker", "grind", {"filament": (0.9, "kg")}, {"scrap": (1, "kg")}, {"printing": 1})
    lines = [agent("maker", 48.0, 2.0), agent("clinic", 48.1, 2.0), prints, grinds, capacity("maker", 50, "printing")]
    found = explode(Desk(*lines, offer("maker", 1, "filament", unit="kg"), need("clinic", 10, "shield")).core, "clinic")
    assert [(row.name, row.wanted.grains / 10**9) for row in found.rows if row.short is not None] == [("scrap", 10)]
    assert found.bottleneck == "level 2, scrap: none of the 10 kg can be had"


def test_where_two_things_are_short_no_one_change_is_called_enough():
    lines = [line for line in less_printing(10) if b'"sewing"' not in line or b".recipe." in line]
    found = explode(Desk(*lines, capacity("sewer", 1, "sewing")).core, "clinic")
    assert found.enough == ()
    assert found.together == ("20 h printing", "2 h sewing")


def test_what_is_proposed_or_promised_is_no_longer_open():
    desk = Desk(*SHIELDS)
    [deal] = making(desk)
    assert explode(desk.core, "clinic").open.grains == 0
    accept(desk, deal)
    found = explode(desk.core, "clinic")
    assert (found.covered.grains, found.rows) == (60, ())


def test_other_recipes_for_the_same_thing_are_named():
    lines = [*SIMPLE, recipe("other", "visor-by-hand", {"visor": 1}, {}, {"carving": 2}), need("clinic", 3, "visor")]
    row = rows(explode(Desk(*lines).core, "clinic"))["visor"]
    assert (row.made_by, row.alternatives) == ("designer/recipe/visor", ("other/recipe/visor-by-hand",))


@pytest.mark.parametrize(("hours", "told"), [
    pytest.param(0, "level 1, carving: none of the 6 h can be had", id="nobody carves"),
    pytest.param(3, "level 1, carving: 50% of the 6 h wanted can be had", id="somebody does, for too short"),
    pytest.param(6, "nothing is short", id="somebody does"),
])  # fmt: skip
def test_of_other_recipes_it_is_told_how_far_they_would_come(hours, told):
    lines = [*SIMPLE, recipe("other", "visor-by-hand", {"visor": 1}, {}, {"carving": 2}), need("clinic", 3, "visor")]
    lines += [agent("carver", 48.0, 2.0), capacity("carver", hours, "carving", subject="carving")] if hours else []
    assert rows(explode(Desk(*lines).core, "clinic"))["visor"].instead == (f"other/recipe/visor-by-hand: {told}",)


def test_of_many_other_recipes_some_are_looked_at_and_the_rest_is_counted(monkeypatch):
    lines = [*SIMPLE, *(recipe("other", f"by-hand-{number}", {"visor": 1}, {}, {"carving": 2}) for number in range(9))]
    netted, looks = _Netting._netted, list[int]()
    monkeypatch.setattr(_Netting, "_netted", lambda self, grains, *more: looks.append(grains) or netted(self, grains, *more))
    row = rows(explode(Desk(*lines, need("clinic", 3, "visor")).core, "clinic"))["visor"]
    assert len(row.alternatives) == 9
    assert [told.partition(":")[0] for told in row.instead[:-1]] == [f"other/recipe/by-hand-{number}" for number in range(3)]
    assert row.instead[-1] == "6 more recipes for visor, at which nobody looked"
    assert len(looks) == 4


@pytest.mark.parametrize(("name", "made_by", "told"), [
    pytest.param("mix", "grow", "mix: nothing is short", id="flour is enough where dough is not"),
    pytest.param("blend", "blend", "grow: takes dough itself, so that some must lie there first", id="it comes first by name"),
])  # fmt: skip
def test_a_recipe_that_takes_what_it_makes_is_told_apart_from_one_that_begins_with_something_else(name, made_by, told):
    lines = [*BAKERY, recipe("baker", name, {"dough": 1}, {"flour": 1}, {}), offer("baker", 9, "flour"), need("home", 4, "bread")]
    [dough] = [row for row in explode(Desk(*lines).core, "home").rows if row.name == "dough" and row.made_by]
    assert (dough.made_by, dough.instead) == (f"baker/recipe/{made_by}", (f"baker/recipe/{told}",))


def test_a_maker_out_of_reach_is_told_as_left_out():
    found = explode(Desk(*SIMPLE, need("clinic", 3, "visor", within_km=10)).core, "clinic")
    assert found.can_be_made.grains == 0
    assert any("longer than somebody's radius" in reason for reason in found.reasons)


def test_a_need_that_nothing_makes_has_its_own_row_alone():
    found = explode(Desk(agent("clinic", 48.0), need("clinic", 3, "soap")).core, "clinic")
    assert (found.can_be_made, [row.name for row in found.rows]) == (None, ["soap"])


def test_a_recipe_that_is_not_used_is_told_with_the_reason_instead_of_passed_over():
    vast = recipe("designer", "soap", {"soap": 1}, {"filament": (10**9, "kg")}, {"printing": 0.1}, batch={"minimum": 10**9})
    desk = Desk(*SHIELDS, vast, need("clinic", 3, "soap", subject="soap"))
    making(desk)
    found = explode(desk.core, "clinic/need/soap")
    [sentence] = found.unused
    assert sentence.startswith("recipe designer/recipe/soap is not used")
    assert found.can_be_made is None
    assert explode(desk.core, "clinic/need/n").unused == ()


def test_hours_count_by_the_table_of_processes_as_planning_counts_them_and_that_is_told():
    lines = [
        agent("maker", 48.0, 2.0),
        agent("clinic", 48.5, 2.0),
        recipe("designer", "visor", {"visor": 1}, {}, {"3D printer": 1}),
        capacity("maker", 10, "FFF"),
        need("clinic", 3, "visor"),
    ]
    found = explode(Desk(*lines).core, "clinic")
    row = rows(found)["3d-printing"]
    assert ([one.agent for one in row.suppliers], row.short, found.can_be_made.grains, found.bottleneck) == (["maker"], None, 3, None)
    assert found.taken_for == (
        '"3D printer" counts as 3d-printing (common in the trade)',
        '"FFF" counts as 3d-printing by way of fdm (common in the trade)',
    )


def test_a_broad_process_does_not_count_as_a_finer_one():
    lines = [recipe("designer", "visor", {"visor": 1}, {}, {"fdm": 1}), capacity("maker", 10, "3D printer"), need("clinic", 3, "visor")]
    found = explode(Desk(*lines).core, "clinic")
    assert (rows(found)["fdm"].suppliers, found.can_be_made.grains, found.taken_for) == ((), 0, ())


def test_an_unknown_need_is_refused():
    with pytest.raises(Refused, match="there is no need"):
        explode(Desk(*SIMPLE).core, "nobody/need/x")


# Ten planks and two hours make two chairs.
CHAIRS = [
    agent("maker", 48.0, 2.0),
    agent("clinic", 48.1, 2.0),
    recipe("designer", "chair", {"chair": 2}, {"plank": 10}, {"sawing": 2}),
    capacity("maker", 40, "sawing"),
]


def test_what_proposals_ask_of_supply_is_not_free_a_second_time():
    desk = Desk(*CHAIRS, agent("mill", 48.0, 2.0), offer("mill", 12, "plank"), need("clinic", 5, "chair"))
    assert explode(desk.core, "clinic").can_be_made.grains == 2  # nothing is proposed yet
    [deal] = making(desk)
    found = explode(desk.core, "clinic")
    by = rows(found)
    assert (found.covered.grains, found.open.grains, found.can_be_made.grains) == (2, 3, 0)
    assert (by["plank"].free.grains, by["plank"].wanted.grains, by["sawing"].free.grains) == (2, 20, 38 * HOUR_MS)
    assert [(change.name, change.by.grains) for change in found.enough] == [("plank", 18)]  # with the two that are left
    accept(desk, deal)  # what is promised is asked no longer, and not free either
    found = explode(desk.core, "clinic")
    assert (rows(found)["plank"].free.grains, rows(found)["sawing"].free.grains, found.can_be_made.grains) == (2, 38 * HOUR_MS, 0)


def test_a_run_takes_an_input_from_several_offers_where_none_alone_has_enough():
    parts = [line for who in ("north", "south") for line in (agent(who, 48.0, 2.0), offer(who, 6, "plank"))]
    found = explode(Desk(*CHAIRS, *parts, need("clinic", 2, "chair")).core, "clinic")
    assert (found.can_be_made.grains, found.bottleneck, rows(found)["plank"].short) == (2, None, None)
    [deal] = making(Desk(*CHAIRS, *parts, need("clinic", 2, "chair")))
    planks = {line.provider: line.quantity.grains for line in deal.lines if line.provider in ("north", "south")}
    assert (sum(planks.values()), sorted(deal.parties)) == (10, ["clinic", "maker", "north", "south"])
    assert max(planks.values()) == 6


def test_hours_whose_window_has_closed_are_not_free():
    late = capacity("late", 10, "sawing", end=1)
    desk = Desk(*CHAIRS, agent("mill", 48.0, 2.0), offer("mill", 12, "plank"), late, need("clinic", 2, "chair"), tick(2))
    assert [one.agent for one in rows(explode(desk.core, "clinic"))["sawing"].suppliers] == ["maker"]
