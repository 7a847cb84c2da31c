"""Rings among recipes are told from each other: those that gain and those that only wear things out."""

import pytest

from solver.making import ProductionProblem, gainless_loops, levels_of_things

Recipes = list[tuple[list[tuple[int, int]], list[tuple[int, int]]]]


def of(recipes: Recipes, things: int) -> ProductionProblem:
    return ProductionProblem.of(places=1, things=things, outputs=[made for _, made in recipes], inputs=[taken for taken, _ in recipes])


@pytest.mark.parametrize(
    ("recipes", "loops"),
    [
        pytest.param([([(0, 1)], [(1, 1)]), ([(1, 1)], [(2, 1)])], [], id="a chain is no ring"),
        pytest.param([([(0, 1)], [(1, 1)]), ([(1, 1)], [(0, 1)])], [[0, 1]], id="there and back gains nothing"),
        pytest.param([([(0, 10)], [(1, 9), (2, 1)]), ([(2, 20)], [(0, 19)])], [], id="scrap ground again leaves parts"),
        pytest.param([([(0, 1), (1, 3)], [(0, 2)])], [], id="a culture multiplies"),
        pytest.param([([(0, 2), (1, 3)], [(0, 1)])], [[0]], id="a culture that shrinks gains nothing"),
        pytest.param([([(0, 1), (1, 1)], [(2, 1)]), ([(2, 1)], [(0, 1), (1, 1)])], [[0, 1], [0, 1]], id="together and apart again"),
    ],
)
def test_a_ring_that_gains_nothing_is_named(recipes: Recipes, loops: list[list[int]]) -> None:
    assert gainless_loops(of(recipes, 3)) == loops


def test_levels_go_up_from_what_is_made_of_nothing() -> None:
    problem = of([([(0, 1)], [(1, 1)]), ([(1, 2), (0, 1)], [(2, 1)]), ([(3, 1)], [(2, 1)])], 4)
    assert levels_of_things(problem) == ([0, 1, 2, 0], [])


def test_a_by_product_that_goes_back_in_is_no_ring_but_a_culture_is() -> None:
    level, rings = levels_of_things(of([([(0, 10)], [(1, 9), (2, 1)]), ([(2, 20)], [(0, 19)])], 3))
    assert (level, rings) == ([1, 2, 0], [])
    level, rings = levels_of_things(of([([(0, 1), (1, 3)], [(0, 2)]), ([(0, 1)], [(2, 1)])], 3))
    assert (level, rings) == ([1, 0, 2], [[0]])
