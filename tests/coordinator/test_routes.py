import numpy as np
import pytest

from coordinator.routes import RouteTable, route_table


def table(*stated: tuple[str, str, int]) -> RouteTable:
    names = list(dict.fromkeys(name for source, target, _ in stated for name in (source, target)))
    return route_table(
        names,
        [names.index(source) for source, _, _ in stated],
        [names.index(target) for _, target, _ in stated],
        [metres for _, _, metres in stated],
    )


def row(routes: RouteTable, agent: str) -> dict[str, int]:
    partners, metres = routes.row(agent)
    assert list(partners) == sorted(partners)
    return {routes.agents[partner]: int(metre) for partner, metre in zip(partners, metres, strict=True)}


def test_a_distance_holds_both_ways():
    routes = table(("north", "south", 700), ("mid", "south", 300))
    assert routes.metres("north", "south") == routes.metres("south", "north") == 700
    assert row(routes, "south") == {"mid": 300, "north": 700}
    assert row(routes, "mid") == {"south": 300}


def test_agents_stand_in_order_of_name_whatever_the_order_of_statements():
    assert table(("zoe", "ann", 5), ("moe", "zoe", 6)).agents == ["ann", "moe", "zoe"]


@pytest.mark.parametrize(("provider", "receiver"), [("north", "mid"), ("north", "nobody"), ("nobody", "north"), ("north", "north")])
def test_a_pair_that_nobody_stated_has_no_distance(provider, receiver):
    assert table(("north", "south", 700), ("mid", "south", 300)).metres(provider, receiver) is None


def test_an_unknown_agent_is_connected_with_nobody():
    assert row(table(("north", "south", 700)), "nobody") == {}


def test_the_first_of_two_statements_stands_and_only_another_distance_is_a_conflict():
    routes = table(("a", "b", 10), ("b", "a", 11), ("a", "b", 10), ("c", "a", 4))
    assert routes.metres("b", "a") == 10
    assert (routes.conflicts, routes.conflict) == (1, ("b", "a", 10, 11))
    assert list(routes.remarks()) == [
        "1 distance came where an earlier row says otherwise of the same pair, and the first stands: "
        "b and a are 0.01 km apart, not 0.011 km"
    ]
    assert routes.pairs == 2


def test_a_pair_of_an_agent_with_itself_is_left_out_and_counted():
    routes = table(("a", "a", 0), ("a", "b", 3), ("b", "b", 0))
    assert routes.loops == 2
    assert list(routes.remarks()) == ["2 distances came from an agent to itself, which says nothing"]
    assert row(routes, "a") == {"b": 3}


def test_no_statement_at_all_is_a_table_too():
    routes = route_table([], [], [], [])
    assert routes.pairs == 0
    assert routes.metres("a", "b") is None


def test_the_table_agrees_with_a_dictionary_on_random_networks():
    for seed in range(30):
        random = np.random.default_rng(seed)
        agents = [f"agent{number}" for number in range(int(random.integers(2, 12)))]
        stated = [
            (agents[source], agents[target], int(metres))
            for source, target, metres in zip(*random.integers(0, len(agents), (2, 40)), random.integers(0, 9, 40), strict=True)
        ]
        expected: dict[tuple[str, str], int] = {}
        for source, target, metres in stated:
            if source != target:
                first = expected.setdefault((source, target), metres)
                expected.setdefault((target, source), first)
        routes = table(*stated)
        assert routes.conflicts == sum(source != target and expected[source, target] != metres for source, target, metres in stated)
        for one in agents:
            assert row(routes, one) == {other: expected[one, other] for other in agents if (one, other) in expected}, f"seed {seed}"
            assert all(routes.metres(one, other) == expected.get((one, other)) for other in agents), f"seed {seed}"
