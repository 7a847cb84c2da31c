"""Making as proposals: trees of several parties, with dates and footprints, held to the book's rules like every other proposal."""

import json
from datetime import UTC, datetime
from itertools import permutations
from random import Random

import pytest

from coordinator.commitments import State
from coordinator.signals import parse_event
from coordinator.workshops import _dearest, lay_out
from solver import EngineFault
from tests.support.desk import Desk
from tests.support.events import agent, amount, answer, capacity, event, need, offer, report, resource, withdraw


def recipe(who, name, outputs, inputs, steps, **more):
    """A recipe; amounts are numbers of pieces, or (value, unit); steps are hours by process."""

    def flows(of):
        return [{"resource": thing, "quantity": amount(*(said if isinstance(said, tuple) else (said,)))} for thing, said in of.items()]

    data = {"recipe": name, "outputs": flows(outputs), "inputs": flows(inputs)}
    data["steps"] = [{"process": process, "effort": amount(hours, "h")} for process, hours in steps.items()]
    return event("recipe", f"agent:{who}", name, 0, data | more)


SHIELDS = [
    agent("supplier", 48.0, 2.0),
    agent("printer", 48.2, 2.0),
    agent("sewer", 48.3, 2.1),
    agent("clinic", 48.5, 2.2),
    recipe("designer", "shield", {"shield": 1}, {"frame": 1, "strap": 2}, {"assembly": 0.1}),
    recipe("designer", "frame", {"frame": 1}, {"filament": (30, "g")}, {"printing": 0.5}),
    recipe("designer", "strap", {"strap": 2}, {"cloth": (0.1, "m2")}, {"sewing": 0.05}),
    offer("supplier", 10, "filament", unit="kg"),
    offer("supplier", 100, "cloth", unit="m2", subject="cloth"),
    capacity("printer", 40, "printing", power_kw=0.3),
    capacity("printer", 40, "assembly", subject="hands"),
    capacity("sewer", 10, "sewing"),
    need("clinic", 60, "shield", tier=0, due=100, end=200),
]
SIMPLE = [
    agent("maker", 48.0, 2.0),
    agent("clinic", 48.5, 2.0),
    recipe("designer", "visor", {"visor": 1}, {}, {"cutting": 1}),
    capacity("maker", 10, "cutting"),
]


START = datetime(2026, 3, 1, tzinfo=UTC)
at = datetime.fromisoformat


def said(deal):
    return json.loads(deal.said)["data"]


def lines_of(deal):
    """Who does what, without dates: (provider, receiver, action, resource, amount, into)."""
    return {
        (line["provider"], line["receiver"], line["action"], line["resource"], line["quantity"]["value"], line.get("into"))
        for line in said(deal)["lines"]
    }


def making(desk):
    return [deal for deal in desk.cycle() if deal.is_tree]


def accept(desk, deal, *parties, at=1.0):
    desk.take(*(answer(party, deal.proposal, at=at) for party in parties or deal.parties))


# -- the tree -------------------------------------------------------------------------------------------------------------


def test_a_need_over_three_levels_becomes_one_proposal_with_every_partys_part():
    [deal] = making(Desk(*SHIELDS))
    assert lines_of(deal) == {
        ("printer", "clinic", "transfer", "shield", 60, None),
        ("printer", "clinic", "use", "assembly", 6, "designer/recipe/shield"),
        ("printer", "clinic", "use", "printing", 30, "designer/recipe/frame"),
        ("sewer", "printer", "transfer", "strap", 120, "designer/recipe/shield"),
        ("sewer", "printer", "use", "sewing", 3, "designer/recipe/strap"),
        ("supplier", "printer", "transfer", "filament", 1.8, "designer/recipe/frame"),
        ("supplier", "sewer", "transfer", "cloth", 6, "designer/recipe/strap"),
    }
    assert deal.judge == "printer"
    assert set(deal.parties) == {"printer", "clinic", "sewer", "supplier"}


def test_every_line_has_dates_and_what_needs_something_ends_no_earlier_than_that_begins():
    [deal] = making(Desk(*SHIELDS))
    for line in said(deal)["lines"]:
        assert line["begin"] < line["end"]
        assert line["due"] == said(deal)["lines"][0]["due"]
    assert said(deal)["expires"] <= min(line["end"] for line in said(deal)["lines"] if line["action"] == "use")


PARTS = [
    agent("cutter", 48.0, 2.0),
    agent("fitter", 48.2, 2.0),
    agent("clinic", 48.5, 2.0),
    recipe("designer", "x", {"x": 1}, {"p": 1}, {"assembly": 0.1}),
    recipe("designer", "p", {"p": 1}, {}, {"cutting": 1}),
]


@pytest.mark.parametrize(
    ("fitter", "cutter", "pieces", "due", "made"),
    [
        ((0.0, 50.0, 10), (0.0, 90.0, 40), 30, 100, range(30, 31)),  # all of it, but the cutter would have time until after the fitter
        ((0.0, 150.0, 10), (100.0, 200.0, 100), 100, 400, range(40, 51)),  # no more than one machine cuts while there is a fitter
    ],
)
def test_whoever_keeps_to_its_own_dates_is_in_time_for_whoever_takes_what_it_gives(fitter, cutter, pieces, due, made):
    desk = Desk(
        *PARTS,
        capacity("fitter", fitter[2], "assembly", begin=fitter[0], end=fitter[1]),
        capacity("cutter", cutter[2], "cutting", begin=cutter[0], end=cutter[1]),
        need("clinic", pieces, "x", due=due, end=due + 100),
    )
    [deal] = making(desk)
    by = {(line["resource"], line["action"]): line for line in said(deal)["lines"]}
    hours = {name: by[name, "use"]["quantity"]["value"] for name in ("cutting", "assembly")}
    dates = {key: [(at(line[edge]) - START).total_seconds() / 3600 for edge in ("begin", "end")] for key, line in by.items()}
    cuts, fits = dates["cutting", "use"], dates["assembly", "use"]
    assert by["x", "transfer"]["quantity"]["value"] in made
    assert cutter[0] <= cuts[0]
    assert cuts[1] <= cutter[1]
    assert fitter[0] <= fits[0]
    assert fits[1] <= fitter[1]
    assert hours["cutting"] <= cuts[1] - cuts[0]
    assert cuts[1] <= dates["p", "transfer"][1] <= fits[1] - hours["assembly"]
    assert fits[1] <= dates["x", "transfer"][1]


def test_footprints_add_up_along_the_tree():
    [deal] = making(Desk(*SHIELDS, resource("designer", "shield", mass_kg=0.1), resource("designer", "strap", mass_kg=0.01)))
    parts = [reason["footprint"] for reason in said(deal)["reasons"]["lines"]]
    whole = said(deal)["reasons"]["making"]["footprint"]
    for figure in ("hours", "kwh", "kg", "kg_km", "hours_unmetered"):
        assert sum(part.get(figure, 0) for part in parts) == pytest.approx(whole[figure])
    assert whole["hours"] == 6 + 30 + 3
    assert whole["kwh"] == 9  # thirty hours at 0.3 kW; nobody says what the others draw
    assert whole["hours_unmetered"] == 9
    assert whole["kg"] == pytest.approx(6 + 1.8 + 1.2 + 6)  # cloth of unknown mass counts as 1 kg a square metre


def test_the_bound_is_said_with_the_plan_and_never_below_it():
    [deal] = making(Desk(*SHIELDS))
    plan = said(deal)["reasons"]["making"]["plan"]
    assert plan["worth"] <= plan["bound"]
    assert 0 <= plan["gap"] <= 0.01


def test_without_recipes_nothing_is_planned_to_be_made():
    desk = Desk(*(line for line in SHIELDS if parse_event(line).kind != "recipe"))
    assert desk.cycle() == []
    assert not desk.core.production.is_wanted


def test_goods_on_hand_come_first_and_only_the_rest_is_made():
    desk = Desk(*SIMPLE, agent("stock", 48.1, 2.0), offer("stock", 4, "visor"), need("clinic", 9, "visor"))
    goods, tree = sorted(desk.cycle(), key=lambda deal: deal.is_tree)
    assert lines_of(goods) == {("stock", "clinic", "transfer", "visor", 4, None)}
    assert ("maker", "clinic", "transfer", "visor", 5, None) in lines_of(tree)
    assert ("maker", "clinic", "use", "cutting", 5, "designer/recipe/visor") in lines_of(tree)


def test_what_an_agent_makes_for_itself_has_arrived_by_its_own_word():
    desk = Desk(*(line for line in SHIELDS if parse_event(line).kind != "need"), need("printer", 2, "shield", basis="total"))
    [deal] = making(desk)
    accept(desk, deal)
    stance = desk.core.network.stances["printer/need/n"]
    assert stance.taken_grains == 2
    desk.take(report("printer", deal.proposal, at=2.0))
    assert stance.taken_grains == 0


def test_a_machine_that_does_not_say_it_can_is_not_asked():
    step = {"process": "cutting", "effort": amount(1, "h"), "requires": {"material": "acrylic"}}
    data = {"recipe": "visor", "outputs": [{"resource": "visor", "quantity": amount(1)}], "steps": [step]}
    lines = [*SIMPLE[:2], event("recipe", "agent:designer", "visor", 0, data), need("clinic", 3, "visor")]
    assert making(Desk(*lines, capacity("maker", 10, "cutting"))) == []
    assert making(Desk(*lines, capacity("maker", 10, "cutting", limits={"material": "wood"}))) == []
    assert len(making(Desk(*lines, capacity("maker", 10, "cutting", limits={"material": "acrylic;wood"})))) == 1


@pytest.mark.parametrize(
    ("stated", "asked", "trees"),
    [
        pytest.param("laser", "laser-cutting", 1, id="another name of the same"),
        pytest.param("Laser Cutter", "laser", 1, id="two names of one"),
        pytest.param("laser-cutting", "cutting", 1, id="a finer process does the broader"),
        pytest.param("cutting", "laser-cutting", 0, id="the broader is not the finer"),
        pytest.param("lazer", "laser-cutting", 0, id="nothing is guessed"),
    ],
)
def test_names_of_processes_count_as_the_table_has_them(stated, asked, trees):
    lines = [
        *SIMPLE[:2],
        recipe("designer", "visor", {"visor": 1}, {}, {asked: 1}),
        capacity("maker", 10, stated),
        need("clinic", 3, "visor"),
    ]
    assert len(making(Desk(*lines))) == trees


def test_set_up_batches_and_yields_count():
    step = {"process": "cutting", "effort": amount(0.1, "h"), "setup": amount(2, "h")}
    outputs = [{"resource": "visor", "quantity": amount(1), "yield": 0.8}]
    data = {"recipe": "visor", "outputs": outputs, "steps": [step], "batch": {"minimum": 10, "multiple": 5}}
    desk = Desk(*SIMPLE[:2], SIMPLE[3], event("recipe", "agent:designer", "visor", 0, data), need("clinic", 12, "visor"))
    [deal] = making(desk)
    assert lines_of(deal) == {
        ("maker", "clinic", "transfer", "visor", 12, None),
        ("maker", "clinic", "use", "cutting", 3.5, "designer/recipe/visor"),  # fifteen runs, and the set-up
    }


def test_a_ring_without_gain_is_not_used_and_told_with_its_loop():
    lines = [recipe("a", "there", {"x": 1}, {"y": 1}, {"cutting": 1}), recipe("b", "back", {"y": 1}, {"x": 1}, {"cutting": 1})]
    desk = Desk(*SIMPLE, *lines, need("clinic", 1, "x"))
    assert making(desk) == []
    assert any('the loop "' in told for told in desk.core.production.troubles())


def test_a_draft_is_never_planned_with():
    draft = recipe("designer", "visor", {"visor": 1}, {}, {"cutting": 1}, draft=True)
    assert making(Desk(*SIMPLE[:2], SIMPLE[3], draft, need("clinic", 3, "visor"))) == []


def test_a_substitute_that_can_be_made_serves_the_need():
    [deal] = making(Desk(*SIMPLE, need("clinic", 3, "goggles", substitutes=["visor"])))
    assert ("maker", "clinic", "transfer", "visor", 3, None) in lines_of(deal)


def test_nobody_is_asked_farther_away_than_it_says():
    assert making(Desk(*SIMPLE, need("clinic", 3, "visor", within_km=50))) == []
    assert len(making(Desk(*SIMPLE, need("clinic", 3, "visor", within_km=60)))) == 1


@pytest.mark.parametrize(
    ("weights", "maker"),
    [
        pytest.param({}, "near", id="only the way counts"),
        pytest.param({"kg_km": 1}, "near", id="the same, said"),
        pytest.param({"kg_km": 1, "kwh": 1000}, "far", id="electricity counts more than the way"),
        pytest.param({"kg_km": 1, "kwh": 0.001}, "near", id="electricity hardly counts"),
    ],
)
def test_what_counts_as_effort_is_the_charters_choice(weights, maker):
    lines = [agent("near", 48.4, 2.0), agent("far", 47.0, 2.0), *SIMPLE[1:3], need("clinic", 3, "visor")]
    lines += [capacity("near", 10, "cutting", power_kw=5), capacity("far", 10, "cutting", power_kw=0.1)]
    [deal] = making(Desk(*lines, effort="kg_km", making_effort=weights))
    assert deal.judge == maker
    whole = said(deal)["reasons"]["making"]["footprint"]
    expected = sum(weight * whole.get(name, 0) for name, weight in (weights or {"kg_km": 1}).items())
    assert sum(line["effort"] for line in said(deal)["lines"]) == pytest.approx(float(expected))


@pytest.mark.parametrize(
    "vast",
    [
        pytest.param(need("clinic", 10**9, "visor", subject="vast"), id="a need of a thousand million"),
        pytest.param(capacity("maker", 10**9, "cutting", subject="vast"), id="hours without end"),
        pytest.param(recipe("x", "slow", {"visor": 1}, {}, {"cutting": 0.00001}), id="work of a moment"),
        pytest.param(
            event(
                "recipe",
                "agent:x",
                "odd",
                0,
                {"recipe": "odd", "outputs": [{"resource": "visor", "quantity": amount(1), "yield": 0.123457}], "steps": []},
            ),
            id="an odd yield",
        ),
    ],
)
def test_one_agents_wild_numbers_do_not_stop_the_others(vast):
    desk = Desk(*SIMPLE, need("clinic", 4, "visor", tier=0), vast)
    assert sum(line.quantity.grains for deal in making(desk) for line in deal.lines if line.serves and line.need == "clinic/need/n") == 4
    assert desk.core.production.latest.failed is None


# -- its life -------------------------------------------------------------------------------------------------------------


def test_all_parties_accept_and_the_first_providers_judge_commits_the_tree():
    desk = Desk(*SHIELDS)
    [deal] = making(desk)
    accept(desk, deal)
    assert desk.state(deal.proposal) is State.COMMITTED
    assert desk.kinds == ["promised"] * 4 + ["committed"]
    assert desk.last["agent"] == "printer"
    assert desk.free("clinic/need/n") == 0
    assert desk.free("printer/capacity/c") == 10 * 3_600_000
    assert desk.free("printer/capacity/hands") == 34 * 3_600_000
    assert desk.free("supplier/offer/o") == 8_200_000_000


def test_a_promise_holds_hours_and_a_proposal_alone_does_not():
    desk = Desk(*SIMPLE, need("clinic", 8, "visor"))
    [deal] = making(desk)
    assert desk.free("maker/capacity/c") == 10 * 3_600_000
    accept(desk, deal, "maker")
    assert desk.free("maker/capacity/c") == 2 * 3_600_000
    assert desk.state(deal.proposal) is State.PROMISED


def test_one_decline_ends_the_tree_for_all_and_the_next_plan_goes_round_who_declined():
    desk = Desk(*SIMPLE, agent("second", 47.0, 2.0), capacity("second", 10, "cutting"), need("clinic", 5, "visor"))
    [first] = making(desk)
    assert first.judge == "maker"
    accept(desk, first, "clinic")
    desk.take(answer("maker", first.proposal, "decline", at=1.5))
    assert desk.free("clinic/need/n") == 5
    [other] = making(desk)
    assert other.judge == "second"


def test_a_supplier_who_declines_does_not_close_the_makers():
    desk = Desk(*SHIELDS, agent("other", 47.0, 2.0), offer("other", 5, "filament", unit="kg"))
    [first] = making(desk)
    assert "supplier" in first.parties
    desk.take(answer("supplier", first.proposal, "decline", at=1))
    desk.take(withdraw("offer", "supplier", "cloth", at=2), offer("other", 50, "cloth", unit="m2", subject="cloth", at=2))
    [second] = making(desk)
    assert {"printer", "sewer", "other"} <= set(second.parties)


def test_a_tree_that_waits_stays_while_what_it_rests_on_stands():
    desk = Desk(*SIMPLE, need("clinic", 5, "visor"))
    [first] = making(desk)
    desk.take(agent("hall", 48.2, 2.0, at=1), need("hall", 3, "visor", at=1))
    assert {deal.proposal for deal in making(desk)} > {first.proposal}
    desk.take(withdraw("capacity", "maker", "c", at=2))
    assert making(desk) == []


def test_a_more_urgent_need_takes_the_hours_that_only_wait():
    desk = Desk(*SIMPLE, agent("ward", 48.2, 2.0), need("clinic", 10, "visor", tier=2))
    [waiting] = making(desk)
    desk.take(need("ward", 8, "visor", tier=0, at=1))
    deals = making(desk)
    assert desk.state(waiting.proposal) is State.RETRACTED
    served = {line["need"]: line["quantity"]["value"] for deal in deals for line in said(deal)["lines"] if "into" not in line}
    assert served == {"ward/need/n": 8, "clinic/need/n": 2}


def test_what_is_promised_is_never_taken_away():
    desk = Desk(*SIMPLE, agent("ward", 48.2, 2.0), need("clinic", 10, "visor", tier=2))
    [waiting] = making(desk)
    accept(desk, waiting, "maker")
    desk.take(need("ward", 8, "visor", tier=0, at=2))
    making(desk)
    assert desk.state(waiting.proposal) is State.PROMISED
    assert [deal.proposal for deal in desk.open] == [waiting.proposal]


def test_reports_of_each_party_speak_of_its_own_lines():
    desk = Desk(*SHIELDS)
    [deal] = making(desk)
    accept(desk, deal)
    desk.take(report("supplier", deal.proposal, "transfer", at=2))
    desk.take(report("sewer", deal.proposal, "accept", at=3))
    assert desk.state(deal.proposal) is State.DELIVERED
    desk.take(report("sewer", deal.proposal, "transfer", at=4))
    desk.take(report("printer", deal.proposal, "transfer", at=5))
    assert desk.state(deal.proposal) is State.FULFILLED


# -- the same whatever the order ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(range(4)))[::5])
def test_the_order_in_which_agents_spoke_changes_nothing(order):
    rest = [need("clinic", 7, "visor"), agent("second", 47.5, 2.0), capacity("second", 3, "cutting", subject="c2")]
    lines = [SIMPLE[each] for each in order]
    assert [deal.proposal for deal in making(Desk(*lines, *rest))] == [deal.proposal for deal in making(Desk(*SIMPLE, *rest))]


@pytest.mark.parametrize("seed", range(8))
def test_no_plan_takes_more_than_there_is_and_said_twice_it_is_the_same(seed):
    draw = Random(seed)
    lines = [
        recipe("d", "kit", {"kit": 1}, {"part": 2, "bag": 1}, {"packing": 0.25}),
        recipe("d", "part", {"part": 4}, {"plate": (250, "g")}, {"cutting": 0.5}),
        recipe("d", "bag", {"bag": 1}, {"cloth": (0.5, "m2")}, {"sewing": 0.2}),
    ]
    for name in "abcdefgh":
        lines.append(agent(name, 48 + draw.random(), 2 + draw.random()))
        works = draw.sample(["packing", "cutting", "sewing"], draw.randint(0, 2))
        has = draw.sample([("plate", "kg"), ("cloth", "m2"), ("part", "1")], draw.randint(0, 2))
        lines += [capacity(name, draw.randint(1, 12), process, subject=process) for process in works]
        lines += [offer(name, draw.randint(1, 9), thing, unit=unit, subject=thing) for thing, unit in has]
        if draw.random() < 0.4:
            lines.append(need(name, draw.randint(1, 30), "kit", tier=draw.randint(0, 3), subject="k"))
    desk = Desk(*lines)
    deals = desk.cycle()
    for ref, stance in desk.core.network.stances.items():
        asked = sum(deal.asks(stance.agent, ref) for deal in deals)
        assert asked <= stance.stated_grains, ref
    shuffled = lines[:]
    draw.shuffle(shuffled)
    assert {deal.proposal for deal in Desk(*shuffled, *shuffled).cycle()} == {deal.proposal for deal in deals}
    for deal in deals:
        accept(desk, deal)
    assert not [deal for deal in deals if desk.state(deal.proposal) is not State.COMMITTED]


# -- time -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "end", "deals"),
    [
        pytest.param(3, 2, 0, id="the machine is free an hour after nobody needs it, within one span of time"),
        pytest.param(30, 2, 0, id="a day after nobody needs it"),
        pytest.param(1, 20, 1, id="in time"),
    ],
)
def test_nothing_is_made_for_a_need_that_is_over_though_it_states_no_due(begin, end, deals):
    hours = capacity("maker", 10, "cutting", begin=begin, end=begin + 37)
    assert len(making(Desk(*SIMPLE[:3], hours, need("clinic", 4, "visor", end=end)))) == deals


# -- what must not stop all planning --------------------------------------------------------------------------------------


def test_who_needs_what_it_makes_itself_does_not_stop_the_plan_of_others():
    [deal] = making(Desk(*SIMPLE, need("maker", 3, "visor"), need("clinic", 2, "visor", subject="visors")))
    assert ("maker", "clinic", "transfer", "visor", 2, None) in lines_of(deal)


def test_an_engine_that_fails_is_told_and_walkers_plan_all_the_same(monkeypatch):
    def fails(*_, **__):
        raise EngineFault("it ended without an optimum")

    monkeypatch.setattr("solver.engine.making_lp.relax", fails)
    desk = Desk(*SHIELDS)
    [deal] = making(desk)
    assert ("printer", "clinic", "transfer", "shield", 60, None) in lines_of(deal)
    assert "cells planned without a linear program: it ended without an optimum" in desk.core.production.latest.left_out


ODD = [
    pytest.param(
        {"a": ({"a": 1}, {"b": 10**6}), "b": ({"b": 1}, {"c": 10**6}), "c": ({"c": 1}, {"filament": (1, "kg")})}, ["a"], id="deep"
    ),
    pytest.param({"a": ({"a": 1}, {"filament": (10**6, "kg")})}, ["a"], id="a vast amount"),
    pytest.param({"a": ({"a": 1}, {"filament": (1e-9, "kg")})}, ["a"], id="a speck"),
    pytest.param({"a": ({"a": 10**9}, {"filament": (30, "g")}), "b": ({"b": 1}, {"a": 1})}, ["a"], id="a vast output"),
    pytest.param({"a": ({"a": 1}, {"filament": (0.333333333, "kg")})}, [], id="amounts without a common measure"),
    pytest.param({"a": ({"frame": 2}, {"b": 1}), "b": ({"b": 1}, {"frame": 1})}, [], id="a ring that gains"),
]


@pytest.mark.parametrize(("recipes", "refused"), ODD)
def test_an_odd_recipe_is_left_out_alone_by_name_and_all_else_is_made(recipes, refused):
    more = [recipe("odd", name, *flows, {"printing": 0.1}) for name, flows in recipes.items()]
    others = recipe("designer", "clip", {"clip": 1}, {"filament": (40, "g")}, {"printing": 0.1})
    lines = [*SHIELDS, others, *more, need("clinic", 5, "a", subject="a")]
    for shuffled in (lines, lines[:4] + lines[:3:-1]):
        desk = Desk(*shuffled)
        deals = making(desk)
        assert [deal for deal in deals if ("printer", "clinic", "transfer", "shield", 60, None) in lines_of(deal)]
        assert [ref.rpartition("/")[2] for ref in desk.core.production.unused()] == refused
        assert all("check its amounts" in sentence for sentence in desk.core.production.troubles())


def test_a_ring_that_hardly_gains_holds_no_plan_up():
    recipes = [([(0, 10**9 - 1)], [(0, 10**9)], 1), ([(1, 10**12)], [(0, 1)], 1), ([(0, 1)], [(2, 1)], 1)]
    dearest = _dearest(recipes, [(0, 0), (1, 0), (2, 0)], [0, 0, 0], [1, 1, 1])
    assert dearest[1] < dearest[0] < dearest[2] < 10**16


# Ten of everything make one.
OF_TEN = [agent("maker", 48.0, 2.0), agent("clinic", 48.1, 2.0), capacity("maker", 40, "sawing"), need("clinic", 1, "chair")]


def in_parts(of, *amounts, run=10, unit="1"):
    """A chair for which a run takes so much of a thing that several agents have in parts; what each is asked for."""
    said = recipe("designer", "chair", {"chair": 1}, {of: (run, unit)}, {"sawing": 1})
    offers = [line for n, each in enumerate(amounts) for line in (agent(f"a{n}", 48.0, 2.0), offer(f"a{n}", each, of, unit=unit))]
    desk = Desk(*OF_TEN, said, *offers)
    return desk, [[line["quantity"]["value"] for line in said_lines(deal) if line["resource"] == of] for deal in making(desk)]


def said_lines(deal):
    return said(deal)["lines"]


@pytest.mark.parametrize(("amounts", "run", "unit"), [
    pytest.param((6, 6), 10, "1", id="six and six for ten"),
    pytest.param((51, 49), 100, "1", id="every piece counts"),
    pytest.param((0.7, 0.7, 0.7), 2, "kg", id="parts by weight"),
    pytest.param((1.2345, 0.8), 2, "kg", id="to a hundredth of a run"),
])  # fmt: skip
def test_a_run_takes_an_input_from_several_suppliers_each_asked_for_its_part(amounts, run, unit):
    _, [asked] = in_parts("plank", *amounts, run=run, unit=unit)
    assert len(asked) == len(amounts)
    assert sum(asked) == pytest.approx(run)
    assert all(each <= had for each, had in zip(sorted(asked), sorted(amounts), strict=True))


@pytest.mark.parametrize(("amounts", "step"), [((6, 6), 2), ((996, 996), 10)])
def test_rests_of_lots_are_counted_where_they_are_more_than_a_hundredth_of_all(amounts, step):
    desk, _ = in_parts("plank", *amounts)
    network = desk.core.network
    wanted = [one for one in network.living() if one.thing == ("resource", "chair")]
    layout = lay_out(
        network, desk.core.book, network.recipes, wanted, {one.ref: one.stated_grains for one in network.living()}, desk.core.log_us
    )
    assert dict(zip(layout.stocks, layout.steps, strict=True))[("resource", "plank"), "pieces"] == step


def test_parts_are_whole_packs_where_a_thing_has_them():
    desk = Desk(*OF_TEN, resource("mill", "plank", multiple=4), recipe("designer", "chair", {"chair": 1}, {"plank": 12}, {"sawing": 1}))
    desk.take(*(line for n in range(2) for line in (agent(f"a{n}", 48.0, 2.0), offer(f"a{n}", 10, "plank"))))
    [deal] = making(desk)
    assert sorted(line["quantity"]["value"] for line in said_lines(deal) if line["resource"] == "plank") == [4, 8]


def test_a_run_of_several_suppliers_stands_and_falls_with_each_of_them():
    desk, _ = in_parts("plank", 6, 6)
    [deal] = making(desk)
    assert sorted(deal.parties) == ["a0", "a1", "clinic", "maker"]
    desk.take(answer("a1", deal.proposal, "decline", at=1))
    desk.cycle()
    assert deal.state is State.DECLINED
    assert making(desk) == []


def who_gives(desk, thing):
    return sorted(
        (line["provider"], line["quantity"]["value"]) for deal in making(desk) for line in said_lines(deal) if line["resource"] == thing
    )


# The near mill has planks at hand, but gives no fewer than so many.
def mills(minimum, *more):
    near = [agent("near", 48.0, 2.0), offer("near", 100, "plank", **({"minimum": minimum} if minimum else {}))]
    said = recipe("designer", "chair", {"chair": 1}, {"plank": 10}, {"sawing": 1})
    return Desk(*OF_TEN, said, *near, *more)


FAR = agent("far", 49.0, 2.0), offer("far", 100, "plank")


@pytest.mark.parametrize(("minimum", "giver"), [(None, "near"), (10, "near"), (11, "far")])
def test_who_gives_no_part_so_small_makes_room_for_who_does(minimum, giver):
    desk = mills(minimum, *FAR)
    assert who_gives(desk, "plank") == [(giver, 10)]
    assert who_gives(desk, "plank") == [(giver, 10)]  # and so it stays


def test_a_minimum_that_is_reached_with_all_parts_together_is_asked_for():
    desk = mills(40, *FAR, need("clinic", 5, "chair", subject="more"))
    desk.take(withdraw("need", "clinic", "n", at=0.5))
    assert who_gives(desk, "plank") == [("near", 50)]


def test_hours_of_which_less_is_left_than_their_minimum_are_not_counted_on():
    lines = [line for line in OF_TEN if b"sawing" not in line]
    desk = Desk(*lines, capacity("maker", 40, "sawing", minimum=5), recipe("designer", "chair", {"chair": 1}, {}, {"sawing": 1}))
    assert making(desk) == []
    assert desk.core.production.latest.dropped["parts smaller than an agent's minimum"] == 1
    other = Desk(*lines, capacity("maker", 40, "sawing", minimum=5), recipe("designer", "chair", {"chair": 1}, {}, {"sawing": 6}))
    assert who_gives(other, "sawing") == [("maker", 6)]


BATCHES = [
    agent("maker", 48.0, 2.0),
    agent("seller", 48.0, 2.1),
    *(agent(f"needs{who}", 48.1, 2.0) for who in range(3)),
    recipe("designer", "part", {"part": 10}, {"bar": 3}, {"cutting": 2}),
]


def test_a_need_of_which_less_is_open_than_its_minimum_keeps_nobody_from_what_is_made():
    needed = [need("needs0", 25, "part", minimum=20), need("needs1", 12, "part")]
    desk = Desk(
        *BATCHES, offer("seller", 11, "bar"), capacity("maker", 7, "cutting"), offer("seller", 20, "part", subject="parts"), *needed
    )
    [tree] = making(desk)
    assert ("maker", "needs1", "transfer", "part", 12, None) in lines_of(tree)
    assert desk.core.production.latest.left_out["needs of which less is open than their minimum"] == 1


def test_needs_of_which_less_is_open_than_their_minimum_are_counted_whoever_declined_what():
    """Of two needs one declined a part, so that it is planned apart; both are counted."""
    needed = [need(f"needs{who}", 25, "part", minimum=20) for who in range(2)]
    goods = [offer("seller", 20, "part", subject=subject) for subject in ("x", "y")]
    desk = Desk(*BATCHES, offer("seller", 11, "bar"), capacity("maker", 7, "cutting"), *goods, *needed, need("needs2", 12, "part"))
    making(desk)
    [mine] = [deal for deal in desk.open if "needs1" in deal.parties]
    desk.take(answer("needs1", mine.proposal, "decline", at=1))
    making(desk)
    assert {who: grains for (_, who), grains in desk.moves.items() if who in ("needs0/n", "needs1/n")} == {"needs0/n": 20, "needs1/n": 20}
    assert desk.core.production.latest.left_out["needs of which less is open than their minimum"] == 2


def test_an_urgent_need_of_which_less_is_open_than_its_minimum_moves_nothing_that_waits():
    """All would be planned from nothing for it, and the tree given to a maker that came later and is nearer."""
    desk = Desk(*SIMPLE, agent("ward", 48.2, 2.0), agent("near", 48.2, 2.0), need("clinic", 10, "visor", tier=2))
    [waiting] = making(desk)
    desk.take(capacity("near", 10, "cutting", at=1), offer("near", 20, "visor", at=1), need("ward", 25, "visor", tier=0, minimum=20, at=1))
    making(desk)
    assert desk.core.production.latest.left_out["needs of which less is open than their minimum"] == 1
    assert desk.state(waiting.proposal) is State.PROPOSED


@pytest.mark.parametrize("seed", range(30))
def test_a_need_that_gets_less_than_its_minimum_keeps_no_other_from_what_is_made(seed):
    """One maker and up to three needs: where any of them alone could have its minimum, somebody is given something."""
    random = Random(seed)
    bars, hours = random.randint(0, 14), random.randint(0, 9)
    wanted = [(size := random.randint(1, 30), random.choice([0, 0, random.randint(1, size)])) for _ in range(random.randint(1, 3))]
    needed = [need(f"needs{who}", size, "part", minimum=least) for who, (size, least) in enumerate(wanted)]
    desk = Desk(*BATCHES, *(offer("seller", bars, "bar"),) * bool(bars), *(capacity("maker", hours, "cutting"),) * bool(hours), *needed)
    given = {f"needs{who}": [] for who in range(len(wanted))}
    for tree in making(desk):
        for _, receiver, _, _, value, into in lines_of(tree):
            if into is None:
                given[receiver].append(value)
    parts = 10 * min(bars // 3, hours // 2)
    assert any(given.values()) == any(min(size, parts) >= max(1, least) for size, least in wanted)
    assert sum(map(sum, given.values())) <= parts
    for (size, least), got in zip(wanted, given.values(), strict=True):
        assert sum(got) <= size
        assert all(part >= least for part in got)


@pytest.mark.parametrize("seed", range(12))
def test_no_part_is_smaller_than_a_minimum_and_nobody_goes_without_whom_others_could_serve(seed):
    """Each mill alone could serve every clinic, and some give no part so small: those who do are enough."""
    random = Random(seed)
    lines = [
        agent("maker", 48.0, 2.0),
        capacity("maker", 400, "sawing"),
        recipe("designer", "chair", {"chair": 1}, {"plank": 1}, {"sawing": 1}),
    ]
    for number in range(4):
        least = random.choice([0, 0, 3, 9, 30])
        least = 0 if number == 3 else least
        lines += [agent(f"m{number}", 48 + random.random(), 2.0), offer(f"m{number}", 99, "plank", **({"minimum": least} if least else {}))]
    wanted = {f"c{number}": random.randint(1, 12) for number in range(4)}
    for name, pieces in wanted.items():
        lines += [agent(name, 48 + random.random(), 2.1), need(name, pieces, "chair")]
    desk = Desk(*lines)
    for deal in making(desk):
        for party in deal.parties:
            for ref, grains in deal.asks_of(party).items():
                assert grains >= desk.core.network.stances[ref].minimum_grains
    served = dict.fromkeys(wanted, 0)
    for deal in desk.core.book.deals.values():
        for line in deal.lines:
            if line.serves:
                served[line.receiver] += line.quantity.grains
    assert served == wanted
