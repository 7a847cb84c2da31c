"""Where a network is weak, held against removing every agent in turn and against the solver's own greatest coverage."""

from collections import Counter
from random import Random
from typing import Any

import numpy as np
import pytest

from coordinator import weakness
from coordinator.exploding import explode
from coordinator.graph import unpromised_grains
from coordinator.questions import unreachable
from coordinator.reach import markets
from coordinator.weakness import WeakPoints, weak_points
from tests.coordinator.test_production import recipe as making
from tests.support.desk import Desk
from tests.support.events import answer, capacity, need, offer
from tests.support.networks import AGENTS, of_agent, random_network, recipe, sourceless

HERE = {"lat": 1.0, "long": 1.0}
FAR = {"lat": 40.0, "long": 1.0}
SEEDS = range(200)


def weak(desk: Desk) -> WeakPoints:
    return weak_points(desk.core.network, desk.core.book, desk.core.log_us)


def hinges(desk: Desk) -> dict[str, set[str]]:
    return {hinge.agent: set(hinge.needs) for hinge in weak(desk).hinges}


# -- agents ------------------------------------------------------------------------------------------------------------


def test_the_only_source_of_a_need_is_a_hinge_and_one_of_two_is_none():
    desk = Desk(offer("a", 5, place=HERE), need("c", 5, place=HERE))
    assert hinges(desk) == {"a": {"c/need/n"}}
    desk.take(offer("b", 1, place=HERE))
    assert hinges(desk) == {}


def test_two_offers_of_one_agent_are_one_source():
    desk = Desk(offer("a", 5, place=HERE), offer("a", 5, subject="o2", place=HERE), need("c", 5, place=HERE))
    assert hinges(desk) == {"a": {"c/need/n"}}


def test_a_source_out_of_reach_does_not_count():
    desk = Desk(offer("a", 5, place=HERE), offer("b", 5, place=FAR), need("c", 5, place=HERE, within_km=100), need("d", 5, place=HERE))
    assert hinges(desk) == {"a": {"c/need/n"}}


def test_what_a_recipe_can_make_without_the_agent_saves_the_need():
    desk = Desk(offer("a", 5, place=HERE), need("c", 5, place=HERE), recipe("a", "mask-v1", {"mask": 1}, {"sheet": 1}))
    assert hinges(desk) == {"a": {"c/need/n"}}
    desk.take(offer("b", 1, "sheet"))
    assert hinges(desk) == {}, "a recipe stays known when who wrote it is gone"


def test_the_only_source_of_an_input_is_a_hinge_of_what_is_made():
    desk = Desk(
        *(recipe("a", name, {"mask": 1}, {"sheet": 1}, {process: 1}) for name, process in (("by-hand", "sewing"), ("welded", "welding"))),
        offer("mill", 9, "sheet"),
        capacity("a", 5, "sewing"),
        capacity("b", 5, "welding"),
        need("c", 5),
    )
    assert hinges(desk) == {"mill": {"c/need/n"}}


def test_a_hinge_tells_what_its_needs_still_want():
    desk = Desk(offer("a", 5, place=HERE), need("c", 5, place=HERE), need("d", 4, place=HERE))
    (hinge,) = weak(desk).hinges
    assert [(each.name, each.quantity.grains) for each in hinge.unpromised] == [("mask", 9)]
    assert desk.cycle()
    (hinge,) = weak(desk).hinges
    assert [(each.name, each.quantity.grains) for each in hinge.unpromised] == [("mask", 9)], "what is only proposed counts"


@pytest.mark.parametrize("seed", SEEDS)
def test_hinges_are_the_agents_whose_offers_leave_a_need_without_source_when_they_go(seed: int):
    random = Random(seed)
    radius_km = random.choice([None, 200])
    lines = random_network(random)
    desk = Desk(*lines, radius_km=radius_km)
    grains = _free(desk)
    before = sourceless(desk.core.network, desk.core.log_us, grains)
    expected: dict[str, set[str]] = {}
    for who in AGENTS:
        without = Desk(*(line for line in lines if not of_agent(line, who, ("offer", "capacity"))), radius_km=radius_km)
        after = sourceless(without.core.network, without.core.log_us, grains)
        mine = {ref for ref in after - before if not ref.startswith(f"{who}/")}
        if mine:
            expected[who] = mine
    assert hinges(desk) == expected


def _free(desk: Desk) -> Any:
    return lambda stance: unpromised_grains(stance, desk.core.book)


# -- the cut -----------------------------------------------------------------------------------------------------------


def test_the_bottleneck_is_the_side_that_stays_short_in_every_plan():
    """Two needs can be reached by one offer only; plenty beyond it does not help them."""
    near, beyond = {"place": HERE}, {"place": FAR}
    desk = Desk(
        offer("near", 10, **near),
        offer("far", 100, **beyond, within_km=10),
        need("b", 30, **near),
        need("c", 20, **near),
        need("d", 40, **beyond, within_km=10),
    )
    (found,) = weak(desk).bottlenecks
    assert found.names == ("mask",)
    assert [amount and amount.grains for amount in (found.asked, found.free, found.through, found.short)] == [90, 110, 50, 40]
    assert [(each.name, each.most.grains) for each in found.scarce] == [("near", 10)]
    assert (found.short_needs, found.short_agents) == (2, ("b", "c"))
    assert found.short_asked is not None
    assert found.short_asked.grains == 50


def test_what_is_enough_and_what_nobody_has_is_counted():
    found = weak(
        Desk(
            *(offer("a", 9, place=HERE), need("c", 5, place=HERE), offer("a", 1, "foil", subject="f")),
            *(need("c", 5, "visor", subject="v"), need("d", 5, "visor", subject="v")),
        )
    )
    assert (found.bottlenecks, found.enough, found.without_supply, found.needs_without_supply) == ((), 1, 1, 2)


def test_a_recipe_adds_what_it_can_make_at_most_and_is_named_with_what_bounds_it():
    desk = Desk(
        offer("a", 5, place=HERE),
        offer("mill", 100, "sheet"),
        capacity("b", 4, "sewing"),
        recipe("b", "mask-v1", {"mask": 3}, {"sheet": 1}, {"sewing": 2}),
        need("c", 50, place=HERE),
    )
    (found,) = weak(desk).bottlenecks
    assert found.makeable is not None
    assert found.through is not None
    assert (found.makeable.grains, found.through.grains) == (6, 11)
    assert [(each.sort, each.name, each.most.grains, each.scarcest) for each in found.scarce] == [
        ("agent", "a", 5, None),
        ("recipe", "b/recipe/mask-v1", 6, "sewing"),
    ]


@pytest.mark.parametrize(
    ("lines", "scarcest"),
    [
        pytest.param([offer("mill", 6, "sheet"), recipe("b", "mask-v1", {"mask": 1}, {"sheet": 10})], "sheet", id="of an input"),
        pytest.param(
            [*(capacity("b", 1, subject=each) for each in "cd"), recipe("b", "mask-v1", {"mask": 1}, {}, {"sewing": 1.5})],
            "sewing",
            id="of hours, no two machines share a run",
        ),
        pytest.param(
            [capacity("a", 9), capacity("b", 9, "welding"), recipe("b", "mask-v1", {"mask": 1}, {}, {"sewing": 1, "welding": 1})],
            "sewing",
            id="of hours of all steps in one place",
        ),
        pytest.param(
            [offer("mill", 6, "sheet"), making("b", "mask-v1", {"mask": 1}, {"sheet": 1}, {}, batch={"minimum": 7})],
            "sheet",
            id="for a least batch",
        ),
        pytest.param(
            [offer("mill", 7, "sheet"), making("b", "mask-v1", {"mask": 1}, {"sheet": 1}, {}, batch={"minimum": 5, "multiple": 4})],
            "sheet",
            id="for a least batch of whole ones",
        ),
        pytest.param(
            [
                *(offer(f"shed-{number}", 1, "sheet") for number in range(52)),
                making("b", "mask-v1", {"mask": 1}, {"sheet": 1}, {}, batch={"minimum": 27, "multiple": 26}),
            ],
            "sheet",
            id="for a least batch of whole ones in offers that are few enough",
        ),
        pytest.param(
            [*(offer(f"shed-{number}", 1, "sheet") for number in range(51)), recipe("b", "mask-v1", {"mask": 1}, {"sheet": 51})],
            "sheet",
            id="in offers that are few enough",
        ),
    ],
)
def test_what_a_recipe_takes_too_much_for_is_too_little_and_neither_unreachable_nor_without_supply(lines: list[bytes], scarcest: str):
    desk = Desk(*lines, need("c", 3))
    network, book, log_us = desk.core.network, desk.core.book, desk.core.log_us
    found = weak(desk)
    (row,) = found.bottlenecks
    assert row.through is not None
    assert (row.through.grains, found.enough, found.without_supply) == (0, 0, 0)
    assert [(each.name, each.most.grains, each.scarcest) for each in row.scarce] == [("b/recipe/mask-v1", 0, scarcest)]
    assert unreachable(network, book, log_us) == ()
    made = explode(desk.core, "c/need/n").can_be_made
    assert made is None or made.grains == 0


def test_a_recipe_counts_that_makes_a_substitute_nobody_speaks_of_otherwise():
    found = weak(Desk(offer("mill", 2, "sheet"), recipe("b", "visor-v1", {"visor": 1}, {"sheet": 1}), need("c", 3, substitutes=["visor"])))
    (row,) = found.bottlenecks
    assert row.makeable is not None
    assert (row.makeable.grains, found.without_supply) == (2, 0)


def test_what_is_promised_already_is_supplied_by_somebody_and_is_too_little():
    desk = Desk(offer("a", 6, place=HERE), need("b", 6, place=HERE))
    (deal,) = desk.cycle()
    desk.take(answer("a", deal.proposal, at=1), answer("b", deal.proposal, at=1), need("c", 20, place=HERE))
    found = weak(desk)
    assert ([row.names for row in found.bottlenecks], found.without_supply) == ([("mask",)], 0)
    assert unreachable(desk.core.network, desk.core.book, desk.core.log_us) == ()


def test_hours_of_a_finer_process_count_for_a_recipe_that_asks_for_a_broader_one():
    printing = making("b", "visor", {"visor": 1}, {}, {"3D printer": 2})
    desk = Desk(capacity("a", 9, "fdm"), printing, need("c", 3, "visor"))
    assert (weak(desk).enough, hinges(desk)) == (1, {"a": {"c/need/n"}})
    desk.take(need("c", 5, "visor", at=1))
    (row,) = weak(desk).bottlenecks
    assert [(each.most.grains, each.scarcest) for each in row.scarce] == [(4, "3d-printing")]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_nobody_supplies_is_what_is_unreachable_and_offered_by_nobody(seed: int):
    desk = Desk(*random_network(Random(seed)))
    network, book, log_us = desk.core.network, desk.core.book, desk.core.log_us
    cut_off = {row.need for row in unreachable(network, book, log_us)}
    without = 0
    for _, _, stances in markets(network):
        there = [one for one in stances if not one.is_over(log_us)]
        wanting = {one.ref for one in there if not one.is_supply and one.free_grains}
        without += bool(wanting) and wanting <= cut_off and not any(one.is_supply for one in there)
    assert weak(desk).without_supply == without


def test_only_what_is_free_now_gets_through():
    desk = Desk(offer("a", 10, place=HERE), need("b", 6, place=HERE))
    (deal,) = desk.cycle()
    desk.take(answer("a", deal.proposal, at=1), answer("b", deal.proposal, at=1), need("c", 20, place=HERE))
    (found,) = weak(desk).bottlenecks
    assert found.through is not None
    assert (found.asked.grains, found.free.grains, found.through.grains) == (20, 4, 4)


def test_quantities_beyond_64_bits_are_exact():
    desk = Desk(
        *(offer(f"a{number}", 10**9, "land", unit="km2", place=HERE) for number in range(3)),
        need("b", 10**9, "land", unit="km2", place=HERE, subject="1"),
        *(need("b", 10**9, "land", unit="km2", place=HERE, subject=str(number)) for number in range(2, 6)),
    )
    (found,) = weak(desk).bottlenecks
    assert found.short is not None
    assert found.short.to_json() == {"value": 2 * 10**9, "unit": "km2"}


@pytest.mark.parametrize("seed", range(100))
@pytest.mark.parametrize("unit", [1, 10**9, 7 * 10**20], ids=["pieces", "micrograms of kilograms", "more than 64 bits hold"])
def test_the_cut_that_is_made_quickly_is_the_one_that_holds_amounts_of_any_size(seed: int, unit: int):
    random = Random(seed)
    rows, columns = random.randint(0, 6), random.randint(1, 6)
    table = np.array([[random.random() < 0.4 for _ in range(columns)] for _ in range(rows)], dtype=bool).reshape(rows, columns)
    given, asked = ([random.randint(least, 9) * unit for _ in range(count)] for least, count in ((0, rows), (1, columns)))
    assert weakness._cut(table, given, asked) == weakness._exact_cut(table, given, asked)
    odd = [min(grains + 1, sum(asked)) for grains in given], [grains + 1 for grains in asked]  # of which no step is common
    assert weakness._cut(table, *odd) == weakness._exact_cut(table, *odd)


@pytest.mark.parametrize(("odd_grains", "is_cut"), [(0, True), (1, False)], ids=["a common step", "no common step"])
def test_a_cut_of_amounts_that_no_quick_way_holds_has_a_smaller_limit(odd_grains: int, is_cut: bool, monkeypatch: pytest.MonkeyPatch):
    reaches, wants = [np.array([True, True]), np.array([False, True])], [3 * 2**40, 2**41 + odd_grains]
    whole = (2**41, [0, 1], [0, 1])
    monkeypatch.setattr(weakness, "MOST_EXACT_ARCS", 3)
    assert weakness._minimum_cut(reaches, [2**40, 2**40], wants) == whole
    monkeypatch.setattr(weakness, "MOST_EXACT_ARCS", 2)
    assert weakness._minimum_cut(reaches, [2**40, 2**40], wants) == (whole if is_cut else None)


def test_a_network_too_large_for_an_exact_cut_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(weakness, "MOST_ARCS", 0)
    (found,) = weak(Desk(offer("a", 10, place=HERE), need("b", 60, place=HERE))).bottlenecks
    assert found.too_large
    assert (found.through, found.short) == (None, None)
    assert found.asked.grains == 60


@pytest.mark.parametrize("seed", SEEDS)
def test_what_gets_through_is_what_the_solver_covers_at_most(seed: int):
    """Fairness off covers all it can; a minimum may cost some of that, so here there are none."""
    random = Random(seed)
    lines = [line for line in random_network(random, recipes=False) if b'"minimum"' not in line]
    found = weak(Desk(*lines))
    desk = Desk(*lines)
    desk.cycle()
    covered: Counter[str] = Counter()
    for deal in desk.open:
        for line in deal.lines:
            covered[desk.core.network.stances[line.need].name] += line.quantity.grains
    for row in found.bottlenecks:
        assert row.through is not None
        assert row.short is not None
        assert row.short_asked is not None
        assert row.through.grains == sum(covered[name] for name in row.names)
        assert row.short.grains == row.asked.grains - row.through.grains
        assert row.short.grains == row.short_asked.grains - sum(each.most.grains for each in row.scarce)


def test_the_random_networks_have_weak_points_and_strong_ones():
    found = [weak(Desk(*random_network(Random(seed)))) for seed in SEEDS]
    assert sum(len(each.hinges) for each in found) > 100
    assert sum(len(each.bottlenecks) for each in found) > 100
    assert sum(each.enough for each in found) > 20
