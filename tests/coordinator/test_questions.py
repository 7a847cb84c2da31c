"""Questions about a network: small ones answered by hand, random ones held against the plainest reading of them."""

from random import Random

import pytest

from coordinator.errors import Refused
from coordinator.makers import makers
from coordinator.making import makings, most_runs, suppliers
from coordinator.matching import Hidden
from coordinator.network import Stance
from coordinator.questions import downstream, stats, unreachable, upstream
from coordinator.reach import Reach, first_obstacles, markets, reach
from tests.support.desk import Desk
from tests.support.events import agent, amount, answer, capacity, event, hours, need, offer, resource, route, tick
from tests.support.networks import AGENTS, THINGS, had_somehow, of_agent, random_network, recipe, sourceless

HERE = {"lat": 1.0, "long": 1.0}
SEEDS = range(150)


def chain() -> Desk:
    """Granules and hours become foil, foil and straps become visors; a clinic wants visors."""
    return Desk(
        offer("mill", 100, "granules"),
        capacity("mill", 10, "rolling"),
        offer("strap-maker", 30, "strap"),
        recipe("mill", "foil-v1", {"foil": 4}, {"granules": 1}, {"rolling": 1}),
        recipe("maker", "visor-v1", {"visor": 1}, {"foil": 1, "strap": 2}),
        need("clinic", 50, "visor"),
    )


# -- how it stands ----------------------------------------------------------------------------------------------------


def test_stats_count_what_stands_and_what_of_it_is_free():
    desk = Desk(
        agent("a", 1, 1), offer("a", 10), offer("a", 2, "foil", unit="kg", subject="f"), need("b", 6, place=HERE), route("c", "a", 1)
    )
    (deal,) = desk.cycle()
    desk.take(answer("a", deal.proposal, at=1), answer("b", deal.proposal, at=1))
    found = stats(desk.core.network, desk.core.book)
    assert (found.agents, found.offers, found.needs, found.capacities, found.recipes, found.routes) == (3, 2, 1, 0, 0, 1)
    rows = {row.name: (row.offers, row.free.to_json()["value"], row.needs, row.open.to_json()["value"]) for row in found.things}
    assert rows == {"mask": (1, 4, 1, 0), "foil": (1, 2, 0, 0)}


def test_what_can_never_be_matched_any_more_is_free_with_nobody():
    """Hours, an offer and a need whose window has closed still stand: they are counted as closed and nowhere else."""
    over = [capacity("old", 9, "rolling", end=1), offer("old", 9, "granules", end=1), need("old", 9, "visor", end=1)]
    desk = Desk(*over, offer("mill", 5, "granules"), recipe("mill", "foil-v1", {"foil": 4}, {"granules": 1}, {"rolling": 1}))
    desk.take(need("clinic", 4, "foil"), tick(2))
    network, book, log_us = desk.core.network, desk.core.book, desk.core.log_us
    found = stats(network, book, log_us)
    assert (found.offers, found.capacities, found.needs, found.closed, found.agents) == (1, 0, 1, 3, 3)
    assert {row.name: row.free.grains for row in found.things} == {"granules": 5, "foil": 0}
    fed = {row.name: (row.agents, [free.grains for free in row.free]) for row in upstream(network, "foil", book, log_us)}
    assert fed == {"foil": ((), []), "granules": (("mill",), [5]), "rolling": ((), [])}
    assert downstream(network, "old", book, log_us) == ()
    (short,) = unreachable(network, book, log_us)
    assert (short.need, short.reasons) == ("clinic/need/n", ("nobody offers it", "foil-v1 makes it, but nobody has rolling"))
    assert upstream(network, "visor", book, log_us)[0].agents == ()  # a name that somebody speaks of, all the same


def test_an_agent_has_a_place_by_its_own_word_or_by_all_its_signals():
    by_word, by_signals = [agent("a", 1, 1)], [need("b", 1, place=HERE)]
    found = stats(Desk(*by_word, *by_signals, offer("c", 1), offer("c", 1, "foil", subject="f", place=HERE)).core.network)
    assert (found.agents_with_place, found.agents_without_place) == (2, 1)


# -- upstream ---------------------------------------------------------------------------------------------------------


def test_upstream_goes_through_recipes_level_by_level():
    desk = chain()
    found = [(row.level, row.sort, row.name, row.into, row.agents) for row in upstream(desk.core.network, "visor", desk.core.book)]
    assert found == [
        (0, "resource", "visor", (), ()),
        (1, "resource", "foil", ("maker/recipe/visor-v1",), ()),
        (1, "resource", "strap", ("maker/recipe/visor-v1",), ("strap-maker",)),
        (2, "process", "rolling", ("mill/recipe/foil-v1",), ("mill",)),
        (2, "resource", "granules", ("mill/recipe/foil-v1",), ("mill",)),
    ]


def test_upstream_of_a_ring_of_recipes_ends():
    lines = [recipe("a", f"r{number}", {THINGS[number]: 1}, {THINGS[number - 1]: 1}) for number in range(len(THINGS))]
    found = upstream(Desk(*lines).core.network, THINGS[0])
    assert [(row.level, row.name) for row in found] == [(0, THINGS[0]), *((level, THINGS[-level]) for level in range(1, len(THINGS)))]


def test_upstream_finds_a_thing_by_its_alias_and_tells_a_process_from_a_resource():
    desk = Desk(resource("a", "visor", aliases=["shield"]), offer("a", 1, "visor"), offer("b", 1, "sewing"), capacity("c", 1, "sewing"))
    assert upstream(desk.core.network, "shield")[0].name == "visor"
    assert upstream(desk.core.network, "sewing")[0].agents == ("b",)
    assert upstream(desk.core.network, "process:sewing")[0].agents == ("c",)


def test_an_unknown_name_is_refused_with_near_ones():
    with pytest.raises(Refused, match=r"nobody here speaks of 'vizor'; did you mean visor\?"):
        upstream(chain().core.network, "vizor")
    with pytest.raises(Refused, match="network stats"):
        upstream(chain().core.network, "nothing-like-it")


@pytest.mark.parametrize("seed", SEEDS)
def test_upstream_is_every_thing_from_which_a_way_leads(seed: int):
    network = Desk(*random_network(Random(seed))).core.network
    for thing in {network.canonical(stance.thing)[1] for stance in network.living() if not stance.is_hours}:
        feeding = {("resource", thing)}
        while True:
            taken = {
                each
                for one in network.recipes.values()
                if any(("resource", flow.resource) in feeding for flow in one.outputs)
                for each in [*(("resource", flow.resource) for flow in one.inputs), *(("process", step.process) for step in one.steps)]
            }
            if taken <= feeding:
                break
            feeding |= taken
        assert {(row.sort, row.name) for row in upstream(network, thing)} == feeding


def test_a_recipe_is_fed_by_what_is_counted_as_it_takes_it():
    desk = Desk(
        offer("by-weight", 5, "foil", unit="kg"),
        offer("by-piece", 7, "foil"),
        recipe("maker", "visor-v1", {"visor": 1}, {"foil": 1}),
        offer("by-the-hour", 3, "visor", unit="h"),
        need("clinic", 5, "visor"),
    )
    fed = {
        row.name: (row.level, row.into, row.agents, [free.to_json() for free in row.free]) for row in upstream(desk.core.network, "visor")
    }
    assert fed["foil"] == (1, ("maker/recipe/visor-v1",), ("by-piece",), [amount(7)])
    assert fed["visor"] == (0, (), ("by-the-hour",), [amount(3, "h")]), "of the thing asked for itself, all that is said"


# -- finer processes --------------------------------------------------------------------------------------------------


def printing() -> Desk:
    """Visors are printed; a lab prints by FDM, which is a kind of that, and a school asks for hours of printing."""
    return Desk(
        capacity("lab", 10, "FDM"),
        offer("shop", 9, "foil"),
        recipe("designer", "visor-v1", {"visor": 1}, {"foil": 1}, {"3D printing": 1}),
        need("ward", 5, "visor"),
        hours("school", 2, "3d-printing"),
    )


def test_upstream_tells_hours_of_a_finer_process_where_a_recipe_takes_the_broader_one():
    network = printing().core.network
    fed = {row.name: (row.level, row.into, row.agents, row.does_for) for row in upstream(network, "visor")}
    assert fed["fdm"] == (1, ("designer/recipe/visor-v1",), ("lab",), ("3d-printing",))
    assert fed["3d-printing"] == (1, ("designer/recipe/visor-v1",), (), ())
    found = {row.name: (row.level, row.into, row.agents, row.does_for) for row in upstream(network, "3d-printing")}
    assert found == {"3d-printing": (0, (), (), ()), "fdm": (0, (), ("lab",), ("3d-printing",))}
    assert [row.name for row in upstream(network, "fdm")] == ["fdm"], "never the other way round"


def test_downstream_leads_from_a_finer_process_through_recipes_that_take_the_broader_one():
    found = {row.name: (row.level, row.sole, row.after) for row in downstream(printing().core.network, "lab")}
    recipe_ref = "designer/recipe/visor-v1"
    assert found == {
        "fdm": (1, True, (("agent", "lab"),)),
        recipe_ref: (2, True, (("process", "fdm"),)),
        "visor": (3, True, (("recipe", recipe_ref),)),
        "ward": (4, True, (("resource", "visor"),)),
    }, "and to no need of hours of the broader one, which it cannot serve"


def test_who_prints_by_fdm_is_told_by_makers_and_upstream_alike():
    desk = printing()
    [found] = makers(desk.core.network, "visor", log_us=desk.core.log_us)
    assert [one.agent for one in found.makers if not one.lacks] == ["lab"]
    assert {name for row in upstream(desk.core.network, "visor") if row.sort == "process" for name in row.agents} == {"lab"}


# -- downstream -------------------------------------------------------------------------------------------------------


def test_downstream_tells_what_an_agent_leads_to_and_what_it_alone_carries():
    desk = chain()
    desk.take(offer("other", 5, "strap"))
    rows = {(row.level, row.name): row.sole for row in downstream(desk.core.network, "strap-maker")}
    assert rows == {(1, "strap"): False, (2, "maker/recipe/visor-v1"): False, (3, "visor"): False, (4, "clinic"): False}
    rows = {(row.level, row.name): row.sole for row in downstream(desk.core.network, "mill")}
    assert rows == {
        (1, "granules"): True,
        (1, "rolling"): True,
        (2, "mill/recipe/foil-v1"): True,
        (3, "foil"): True,
        (4, "maker/recipe/visor-v1"): True,
        (5, "visor"): True,
        (6, "clinic"): True,
    }


def test_downstream_tells_what_leads_to_what_so_that_it_can_be_drawn():
    desk = chain()
    rows = {row.name: row.after for row in downstream(desk.core.network, "strap-maker")}
    assert rows == {
        "strap": (("agent", "strap-maker"),),
        "maker/recipe/visor-v1": (("resource", "strap"),),
        "visor": (("recipe", "maker/recipe/visor-v1"),),
        "clinic": (("resource", "visor"),),
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_is_downstream_hangs_together_from_level_to_level(seed: int):
    network = Desk(*random_network(Random(seed))).core.network
    for who in AGENTS:
        rows = downstream(network, who)
        level = {("agent", who): 0} | {(row.sort, row.name): row.level for row in rows if (row.sort, row.name) != ("agent", who)}
        for row in rows:
            assert set(row.after) <= level.keys()
            assert min(level[each] for each in row.after) == row.level - 1


def test_downstream_tells_what_is_on_its_way():
    desk = Desk(offer("a", 10, place=HERE), need("b", 6, place=HERE))
    desk.cycle()
    (clinic,) = (row for row in downstream(desk.core.network, "a", desk.core.book) if row.sort == "agent")
    assert [(one.name, one.quantity.to_json()) for one in clinic.proposed] == [("mask", amount(6))]
    assert clinic.committed == ()


def test_downstream_leads_to_nobody_who_counts_otherwise():
    """As `publish` and `unreachable` say, hours of a thing and pieces of it never match."""
    desk = Desk(
        offer("by-the-hour", 5, "visor", unit="h"),
        offer("by-piece", 5, "visor"),
        recipe("maker", "set-v1", {"set": 1}, {"visor": 1}),
        need("clinic", 5, "visor"),
        need("ward", 2, "mask", substitutes=["visor"]),
        need("school", 1, "set"),
    )
    assert {row.name: row.sole for row in downstream(desk.core.network, "by-the-hour")} == {"visor": True}
    found = {row.name: row.sole for row in downstream(desk.core.network, "by-piece")}
    assert found == {"visor": True, "clinic": True, "ward": True, "maker/recipe/set-v1": True, "set": True, "school": True}


def test_downstream_of_an_unknown_agent_is_refused_with_near_names():
    with pytest.raises(Refused, match="did you mean strap-maker"):
        downstream(chain().core.network, "strap-makr")


@pytest.mark.parametrize("seed", SEEDS)
def test_what_an_agent_alone_carries_is_what_is_gone_without_its_offers(seed: int):
    lines = random_network(Random(seed))
    network = Desk(*lines).core.network
    for who in AGENTS:
        there = had_somehow(network)
        gone = there - had_somehow(Desk(*(line for line in lines if not of_agent(line, who, ("offer", "capacity")))).core.network)
        rows = downstream(network, who)
        assert {(row.sort, row.name) for row in rows if row.sole and row.sort in ("resource", "process")} == gone
        cut = {
            one.agent
            for one in network.living()
            if not one.is_supply and (wanted := _accepted(one)) & there and not wanted & (there - gone) and one.agent != who
        }
        assert {row.name for row in rows if row.sole and row.sort == "agent"} == cut


def _accepted(need: Stance) -> set[tuple[str, str]]:
    return {(need.thing[0], name) for name in (need.name, *need.substitutes)}


# -- what nothing can reach -------------------------------------------------------------------------------------------


def why_unreachable(*lines: bytes, **rules: float) -> tuple[str, ...]:
    desk = Desk(*lines, **rules)
    (found,) = unreachable(desk.core.network, desk.core.book, desk.core.log_us)
    return found.reasons


@pytest.mark.parametrize(
    ("lines", "reasons"),
    [
        pytest.param([], ("nobody offers it",), id="nobody"),
        pytest.param([offer("a", 2, unit="kg")], ("only offered in mass, needed in pieces",), id="kilos of it"),
        pytest.param(
            [recipe("a", "mask-v1", {"mask": 1}, {"sheet": 1, "strap": 1}), offer("a", 1, "strap")],
            ("nobody offers it", "mask-v1 makes it, but nobody has sheet"),
            id="a recipe lacks something",
        ),
        pytest.param([offer("b", 5)], ("1 offer: an agent's own offer",), id="its own"),
        pytest.param([offer("a", 5)], ("1 offer: no route and no two known places connect them",), id="no place"),
        pytest.param([offer("a", 5, place=HERE, end=1)], ("1 offer: their windows do not meet",), id="a closed window"),
        pytest.param(
            [offer("a", 5, place={"lat": 9, "long": 9}, within_km=100)],
            ("1 offer: farther than a radius of the offer, the need or the charter",),
            id="too far",
        ),
        pytest.param([offer("a", 5, place=HERE, minimum=9)], ("1 offer: the largest possible part is below a minimum",), id="a minimum"),
    ],
)
def test_a_need_that_nothing_reaches_is_told_why(lines: list[bytes], reasons: tuple[str, ...]):
    assert why_unreachable(*lines, need("b", 8, place=HERE, at=2)) == reasons


def test_what_only_a_recipe_makes_that_is_not_used_or_that_no_machine_is_fit_for_is_unreachable_and_told_why():
    ring = recipe("a", "there", {"visor": 1}, {"foil": 1}), recipe("a", "back", {"foil": 1}, {"visor": 1}, at=1)
    assert why_unreachable(*ring, offer("a", 5, "visor"), need("b", 8, "foil", at=2))[1:] == (
        'recipe a/recipe/back is not used: it closes the loop "visor" → "foil" → "visor", '
        "in which no more of it comes back and nothing else comes out that is needed; withdraw it",
    )
    step = {"process": "fdm", "effort": amount(1, "h"), "requires": {"bed_mm": 300}}
    data = {"recipe": "mask-v1", "outputs": [{"resource": "mask", "quantity": amount(1)}], "steps": [step]}
    made, small = event("recipe", "agent:a", "mask-v1", 0, data), capacity("a", 9, "fdm", limits={"bed_mm": 200})
    assert why_unreachable(made, small, need("b", 8)) == ("nobody offers it", "mask-v1 makes it, but nobody has fdm with bed_mm 300")


def test_a_need_that_only_a_misspelt_name_keeps_apart_is_told_the_near_name():
    desk = Desk(offer("a", 5, "facesheild"), need("b", 5, "face-shield"))
    (found,) = unreachable(desk.core.network, desk.core.book, desk.core.log_us)
    assert [near.name for near in found.near] == ["facesheild"]


def test_what_others_use_up_and_what_a_recipe_could_make_is_reachable():
    desk = Desk(offer("a", 5, place=HERE), need("b", 5, place=HERE), need("c", 5, place=HERE), need("c", 1, "visor", subject="v"))
    desk.take(recipe("a", "visor-v1", {"visor": 1}, {"mask": 1}))
    for deal in desk.cycle():
        desk.take(*(answer(who, deal.proposal, at=1) for who in deal.parties))
    assert unreachable(desk.core.network, desk.core.book, desk.core.log_us) == ()


def test_a_pair_that_was_declined_is_no_way():
    desk = Desk(offer("a", 5, place=HERE), need("b", 5, place=HERE))
    (deal,) = desk.cycle()
    desk.take(answer("a", deal.proposal, "decline", at=1))
    (found,) = unreachable(desk.core.network, desk.core.book, desk.core.log_us)
    assert found.reasons == ("1 offer: one of them declined this pair",)


@pytest.mark.parametrize("seed", SEEDS)
def test_unreachable_is_what_the_plainest_reading_finds(seed: int):
    random = Random(seed)
    desk = Desk(*random_network(random), radius_km=random.choice([None, 200]))
    expected = sourceless(desk.core.network, desk.core.log_us, lambda one: one.stated_grains)
    assert {row.need for row in unreachable(desk.core.network, desk.core.book, desk.core.log_us)} == expected


@pytest.mark.parametrize("seed", range(40))
def test_reach_is_the_same_however_many_offers_are_compared_at_once(seed: int, monkeypatch: pytest.MonkeyPatch):
    desk = Desk(*random_network(Random(seed)), radius_km=200)
    desk.cycle()
    for deal in desk.open[:2]:
        desk.take(answer(deal.parties[0], deal.proposal, "decline", at=1))

    def all_told() -> list[tuple[Reach, list[list[Hidden | None]]]]:
        network, book, log_us = desk.core.network, desk.core.book, desk.core.log_us
        told: list[tuple[Reach, list[list[Hidden | None]]]] = []
        for _, _, stances in markets(network):
            offers, needs = [one for one in stances if one.is_supply], [one for one in stances if not one.is_supply]
            first = [first_obstacles(network, book, offers, need, log_us, lambda one: one.stated_grains) for need in needs]
            told.append((reach(network, book, offers, needs, log_us, lambda one: one.stated_grains), first))
        return told

    def plain(told: list[tuple[Reach, list[list[Hidden | None]]]]) -> object:
        return [(each.reached.tolist(), each.agents, {why: of.tolist() for why, of in each.hidden.items()}, each.rows, first)
                for each, first in told]  # fmt: skip

    at_once = plain(all_told())
    monkeypatch.setattr("coordinator.reach.AT_ONCE", 1)
    assert plain(all_told()) == at_once


# -- what recipes can make at most ------------------------------------------------------------------------------------


def most(desk: Desk) -> dict[str, tuple[int | None, str | None]]:
    graph = desk.core.network.graph(desk.core.book)
    found = most_runs({stock: sum(by.values()) for stock, by in suppliers(graph).items()}, makings(graph))
    return {ref.rpartition("/")[2]: (each.runs, each.scarcest and each.scarcest[0][1]) for ref, each in found.items()}


def test_a_recipe_runs_as_often_as_its_scarcest_input_allows():
    assert most(chain()) == {"foil-v1": (10, "rolling"), "visor-v1": (15, "strap")}


def test_a_recipe_that_takes_nothing_has_no_limit_and_neither_has_what_rests_on_it():
    free = event("recipe", "agent:a", "air", 0, {"recipe": "air", "outputs": [{"resource": "air", "quantity": amount(1)}], "steps": []})
    assert most(Desk(free, recipe("b", "gas", {"gas": 1}, {"air": 2}))) == {"air": (None, None), "gas": (None, None)}


def test_a_ring_counts_only_what_enters_it():
    ring = [recipe("a", "there", {"visor": 2}, {"mask": 1}), recipe("a", "back", {"mask": 2}, {"visor": 1})]
    assert most(Desk(*ring)) == {"there": (0, "mask"), "back": (0, "visor")}
    assert most(Desk(*ring, offer("b", 3), need("c", 1, "foil"), hours("c", 1)))["there"] == (3, "mask")
