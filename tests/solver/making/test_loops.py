"""Things have levels by what they are made of, and rings of recipes are told from chains and from by-products."""

from solver.making import ProductionProblem, levels_of_things

Recipes = list[tuple[list[tuple[int, int]], list[tuple[int, int]]]]


def of(recipes: Recipes, things: int) -> ProductionProblem:
    return ProductionProblem.of(places=1, things=things, outputs=[made for _, made in recipes], inputs=[taken for taken, _ in recipes])


def test_levels_go_up_from_what_is_made_of_nothing() -> None:
    problem = of([([(0, 1)], [(1, 1)]), ([(1, 2), (0, 1)], [(2, 1)]), ([(3, 1)], [(2, 1)])], 4)
    assert levels_of_things(problem) == ([0, 1, 2, 0], [])


def test_a_by_product_that_goes_back_in_is_no_ring_but_a_culture_is() -> None:
    level, rings = levels_of_things(of([([(0, 10)], [(1, 9), (2, 1)]), ([(2, 20)], [(0, 19)])], 3))
    assert (level, rings) == ([1, 2, 0], [])
    level, rings = levels_of_things(of([([(0, 1), (1, 3)], [(0, 2)]), ([(0, 1)], [(2, 1)])], 3))
    assert (level, rings) == ([1, 0, 2], [[0]])
