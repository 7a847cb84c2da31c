"""The network as a networkx graph: what is a node, what is an edge, and what they carry."""

import subprocess
import sys
from typing import Any

import networkx as nx

from tests.support.desk import Desk
from tests.support.events import agent, answer, capacity, hours, need, offer, resource, route, withdraw
from tests.support.networks import recipe

HERE = {"lat": 1.0, "long": 1.0}


def edges(graph: Any, kind: str) -> list[tuple[Any, Any, Any]]:
    return sorted((start, end, key) for start, end, key, of in graph.edges(keys=True, data="kind") if of == kind)


def everything() -> Desk:
    return Desk(
        agent("a", 48.0, 2.0, classified_as=["fab-lab"]),
        offer("a", 12, "sheet"),
        capacity("a", 5, "sewing"),
        need("b", 20, "mask", tier=0, substitutes=["visor"]),
        hours("b", 2, "sewing", subject="h"),
        recipe("a", "mask-v1", {"mask": 2}, {"sheet": 1}, {"sewing": 0.5}),
        route("a", "c", 7.5),
    )


def test_agents_things_and_recipes_are_nodes():
    graph = everything().core.network.graph()
    assert isinstance(graph, nx.MultiDiGraph)
    assert dict(graph.nodes(data="kind")) == {
        ("agent", "a"): "agent",
        ("agent", "b"): "agent",
        ("agent", "c"): "agent",
        ("resource", "sheet"): "resource",
        ("resource", "mask"): "resource",
        ("resource", "visor"): "resource",
        ("process", "sewing"): "process",
        ("recipe", "a/recipe/mask-v1"): "recipe",
    }
    assert graph.nodes["agent", "a"]["place"] == (48.0, 2.0)
    assert graph.nodes["agent", "a"]["classes"] == ("fab-lab",)
    assert graph.nodes["recipe", "a/recipe/mask-v1"] == {"kind": "recipe", "agent": "a", "name": "mask-v1", "least": 1, "multiple": 1}


def test_edges_point_the_way_goods_and_hours_go():
    graph = everything().core.network.graph()
    step, made = ("recipe", "a/recipe/mask-v1"), ("resource", "mask")
    assert edges(graph, "offer") == [(("agent", "a"), ("resource", "sheet"), "a/offer/o")]
    assert edges(graph, "capacity") == [(("agent", "a"), ("process", "sewing"), "a/capacity/c")]
    assert edges(graph, "input") == [(("resource", "sheet"), step, "pieces")]
    assert edges(graph, "step") == [(("process", "sewing"), step, "time")]
    assert edges(graph, "output") == [(step, made, "pieces")]
    assert edges(graph, "need") == [
        (("process", "sewing"), ("agent", "b"), "b/need/h"),
        (("resource", "mask"), ("agent", "b"), "b/need/n"),
        (("resource", "visor"), ("agent", "b"), "b/need/n"),
    ]
    assert edges(graph, "route") == [(("agent", "a"), ("agent", "c"), "route")]
    assert graph.edges[step, made, "pieces"]["grains"] == 2
    assert graph.edges[("process", "sewing"), step, "time"]["grains"] == 1_800_000
    assert graph.edges[("agent", "a"), ("agent", "c"), "route"]["distance_m"] == 7_500


def test_a_substitute_is_an_edge_of_the_same_need():
    graph = everything().core.network.graph()
    own = graph.edges[("resource", "mask"), ("agent", "b"), "b/need/n"]
    other = graph.edges[("resource", "visor"), ("agent", "b"), "b/need/n"]
    assert (own["substitute"], other["substitute"]) == (False, True)
    assert own["tier"] == other["tier"] == 0


def test_names_of_one_thing_are_one_node():
    network = Desk(resource("a", "visor", aliases=["face-shield"]), offer("a", 1, "visor"), need("b", 1, "face-shield")).core.network
    assert [node for node in network.graph() if node[0] == "resource"] == [("resource", "visor")]


def test_an_amount_that_comes_up_twice_in_a_recipe_is_summed():
    line = recipe("a", "r", {"mask": 1}, {"sheet": 1})
    doubled = line.replace(b'"inputs": [', b'"inputs": [{"resource": "sheet", "quantity": {"value": 3, "unit": "1"}}, ')
    graph = Desk(doubled).core.network.graph()
    assert graph.edges[("resource", "sheet"), ("recipe", "a/recipe/r"), "pieces"]["grains"] == 4


def test_kilos_and_pieces_of_one_name_are_kept_apart():
    graph = Desk(offer("a", 3, "foil", subject="o1"), offer("a", 2, "foil", unit="kg", subject="o2")).core.network.graph()
    assert sorted((said["dimension"], said["free_grains"]) for _, _, said in graph.edges(data=True)) == [("mass", 2 * 10**9), ("pieces", 3)]


def test_what_was_withdrawn_is_gone_from_the_graph():
    desk = Desk(offer("a", 3, "foil"), withdraw("offer", "a", "o", at=1))
    assert list(desk.core.network.graph().edges) == []


def test_flows_come_from_the_book_and_tell_proposed_from_committed():
    desk = Desk(offer("a", 10, place=HERE), need("b", 6, place=HERE), need("c", 4, place=HERE))
    for deal in desk.cycle():
        if deal.parties[1] == "b":
            desk.take(answer("a", deal.proposal, at=1), answer("b", deal.proposal, at=1))
    graph = desk.core.network.graph(desk.core.book)
    flows = {key[:2]: graph.edges[key] for key in graph.edges if graph.edges[key]["kind"] == "flow"}
    said = {ends: (one["thing"], one["proposed_grains"], one["committed_grains"]) for ends, one in flows.items()}
    assert said == {
        (("agent", "a"), ("agent", "b")): (("resource", "mask"), 0, 6),
        (("agent", "a"), ("agent", "c")): (("resource", "mask"), 4, 0),
    }
    assert graph.edges[("agent", "a"), ("resource", "mask"), "a/offer/o"]["free_grains"] == 4
    assert edges(desk.core.network.graph(), "flow") == []


def test_what_a_maker_puts_into_its_own_work_is_no_flow_to_whom_it_makes_for():
    lines = [offer("maker", 9, "seat", place=HERE), capacity("maker", 9, "sawing", place=HERE), need("clinic", 3, "chair", place=HERE)]
    desk = Desk(*lines, recipe("maker", "chair-v1", {"chair": 1}, {"seat": 1}, {"sawing": 1}))
    [deal] = desk.cycle()
    assert sorted(line.action for line in deal.lines) == ["consume", "transfer", "use"]
    graph = desk.core.network.graph(desk.core.book)
    assert edges(graph, "flow") == [(("agent", "maker"), ("agent", "clinic"), ("resource", "chair", "pieces"))]


def test_what_is_kept_aside_for_anothers_promise_is_not_free():
    desk = Desk(offer("a", 10, place=HERE), need("b", 6, place=HERE))
    (deal,) = desk.cycle()
    desk.take(answer("b", deal.proposal, at=1))
    key = (("agent", "a"), ("resource", "mask"), "a/offer/o")
    assert desk.core.network.graph(desk.core.book).edges[key]["free_grains"] == 4
    assert desk.core.network.graph().edges[key]["free_grains"] == 10


def test_the_network_loads_networkx_only_when_it_is_asked_for_a_graph():
    code = "import sys, coordinator.network as n; print('networkx' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "False"
