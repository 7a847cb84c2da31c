"""Rings of recipes: where going round gains they stand, else the one that closed the ring is named, whatever the order of arrival."""

import itertools
import json

import pytest

from coordinator.charter import Charter
from coordinator.loops import standing_recipes
from coordinator.network import Network
from coordinator.signals import parse_event
from tests.support.desk import Desk
from tests.support.events import amount, event, moment_us, need


def recipe(who, takes, gives, *, at=0.0):
    flows = [[{"resource": name, "quantity": amount(value, "kg")} for name, value in each.items()] for each in (takes, gives)]
    data = {"recipe": "r", "inputs": flows[0], "outputs": flows[1], "steps": []}
    return event("recipe", f"agent:{who}", "r", at, data)


def network(lines):
    told = Network(Charter())
    for line in lines:
        told.apply(parse_event(line), moment_us(100))
    return told


def test_regrind_stands_because_goods_come_out_beside_the_ring():
    prints = recipe("a", {"filament": 1}, {"shields": 0.8, "scrap": 0.2})
    regrinds = recipe("b", {"scrap": 1}, {"filament": 0.9})
    standing, refused = standing_recipes(network([prints, regrinds]))
    assert list(standing) == ["a/recipe/r", "b/recipe/r"]
    assert refused == []


def test_a_ring_that_ends_with_more_than_it_began_with_stands():
    standing, refused = standing_recipes(network([recipe("a", {"corn": 1}, {"seed": 2}), recipe("b", {"seed": 1}, {"corn": 3})]))
    assert len(standing) == 2
    assert not refused


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_ring_without_gain_is_refused_by_the_recipe_that_closed_it_in_any_order(order):
    lines = [
        recipe("a", {"one": 1}, {"two": 1}, at=1),
        recipe("b", {"two": 2}, {"three": 1}, at=3),
        recipe("c", {"three": 1}, {"one": 1}, at=2),
    ]
    standing, [ring] = standing_recipes(network([lines[each] for each in order]))
    assert list(standing) == ["a/recipe/r", "c/recipe/r"]
    assert ring.ref == "b/recipe/r"
    assert ring.things == ("two", "three", "one", "two")
    assert '"two" → "three" → "one" → "two", in which 0.5 of it comes back' in ring.sentence


def test_a_ring_that_gives_just_as_much_back_gains_nothing():
    _, [ring] = standing_recipes(network([recipe("a", {"x": 1}, {"y": 1}), recipe("b", {"y": 1}, {"x": 1}, at=1)]))
    assert ring.back == 1
    assert "no more of it comes back" in ring.sentence


def test_the_worst_way_round_counts():
    lines = [recipe("a", {"x": 1}, {"y": 4}), recipe("b", {"x": 1}, {"y": 1}, at=1), recipe("c", {"y": 1}, {"x": 1}, at=2)]
    standing, [ring] = standing_recipes(network(lines))
    assert ring.ref == "c/recipe/r"
    assert len(standing) == 2


def test_a_ring_that_loses_is_refused_though_dust_comes_out_that_nobody_needs_and_stands_once_somebody_does():
    turns = json.loads(recipe("a", {"x": 1}, {"y": 1, "dust": 0.001}))
    turns["data"]["outputs"][1]["by_product"] = True
    lines = [json.dumps(turns).encode(), recipe("b", {"y": 1}, {"x": 0.5}, at=1)]
    _, [ring] = standing_recipes(network(lines))
    assert ring.ref == "b/recipe/r"
    assert '"y" → "x" → "y", in which 0.5 of it comes back' in ring.sentence
    wants = [*lines, need("c", 8, "dust", unit="kg", at=2)]
    standing, refused = standing_recipes(network(wants))
    assert len(standing) == 2
    assert not refused
    takes = [*lines, recipe("d", {"dust": 1}, {"pigment": 1}, at=2)]
    assert not standing_recipes(network(takes))[1]


def test_a_need_for_dust_lets_a_ring_be_used_though_no_recipe_is_said_anew():
    turns = json.loads(recipe("a", {"x": 1}, {"y": 1, "dust": 0.001}))
    turns["data"]["outputs"][1]["by_product"] = True
    desk = Desk(json.dumps(turns).encode(), recipe("b", {"y": 1}, {"x": 0.5}, at=1))
    assert list(desk.core.production.unused()) == ["b/recipe/r"]
    desk.take(need("c", 8, "dust", unit="kg", at=2))
    assert not desk.core.production.unused()
