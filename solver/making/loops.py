"""Levels of things and rings among recipes: what is made of what, so that walkers go down level by level and never round.

Whether a ring gains anything is not asked here: walkers never make a thing to feed its own ring, whatever it gains. Refusing one that
gains nothing, and naming the recipe that closed it, takes names and the order of arrival, which are its caller's.
"""

from collections import defaultdict
from collections.abc import Sequence

from solver.making.problem import ProductionProblem

__all__ = ["levels_of_things", "makers_of_things"]


def levels_of_things(problem: ProductionProblem) -> tuple[list[int], list[list[int]]]:
    """Return each thing's level (0: made of nothing, or of things on its own ring alone) and the rings, as sets of things.

    What counts as making a thing is what `makers_of_things` says, so that a by-product that goes back in is no ring.
    """
    makers = makers_of_things(problem)
    made_of = _made_of(problem, makers)
    component = _components(made_of)
    members: dict[int, list[int]] = defaultdict(list)
    for thing, which in enumerate(component):
        members[which].append(thing)
    level: dict[int, int] = {}
    for which in sorted(members):  # A component is numbered after all those it is made of.
        below = {component[taken] for thing in members[which] for taken in made_of[thing]} - {which}
        level[which] = 1 + max((level[each] for each in below), default=-1)
    rings = [things for _, things in sorted(members.items()) if len(things) > 1 or things[0] in made_of[things[0]]]
    return [level[which] for which in component], rings


def makers_of_things(problem: ProductionProblem) -> list[list[int]]:
    """Return, for each thing, the recipes that may be run for its sake: those whose first output it is, and some beside.

    A recipe is run for a by-product too, unless it takes something that is made of that: else scrap would be made to be ground.
    """
    makers: list[list[int]] = [[] for _ in range(problem.things)]
    for recipe in range(problem.recipes):
        makers[_outputs(problem, recipe)[0]].append(recipe)
    for recipe in range(problem.recipes):
        for thing in _outputs(problem, recipe)[1:]:
            if thing not in _all_under(_made_of(problem, makers), _inputs(problem, recipe)):
                makers[thing].append(recipe)
    return makers


def _made_of(problem: ProductionProblem, makers: list[list[int]]) -> list[list[int]]:
    return [sorted({taken for recipe in each for taken in _inputs(problem, recipe)}) for each in makers]


def _all_under(made_of: list[list[int]], things: list[int]) -> set[int]:
    """Return things and all they are made of."""
    seen: set[int] = set()
    waiting = list(things)
    while waiting:
        thing = waiting.pop()
        if thing not in seen:
            seen.add(thing)
            waiting.extend(made_of[thing])
    return seen


def _inputs(problem: ProductionProblem, recipe: int) -> list[int]:
    things: list[int] = problem.input_thing[problem.input_start[recipe] : problem.input_start[recipe + 1]].tolist()
    return things


def _outputs(problem: ProductionProblem, recipe: int) -> list[int]:
    things: list[int] = problem.output_thing[problem.output_start[recipe] : problem.output_start[recipe + 1]].tolist()
    return things


def _components(after: Sequence[Sequence[int]]) -> list[int]:
    """Return the strongly connected component of each node, numbered so that a node's successors come first (Tarjan 1972)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    component = [-1] * len(after)
    kept: list[int] = []
    count = 0
    for first in range(len(after)):
        stack = [] if first in index else [(first, iter(after[first]))]
        if stack:
            index[first] = low[first] = len(index)
            kept.append(first)
        while stack:
            node, rest = stack[-1]
            step = next(rest, None)
            if step is not None:
                if step not in index:
                    index[step] = low[step] = len(index)
                    kept.append(step)
                    stack.append((step, iter(after[step])))
                elif component[step] < 0:
                    low[node] = min(low[node], index[step])
                continue
            stack.pop()
            if stack:
                low[stack[-1][0]] = min(low[stack[-1][0]], low[node])
            if low[node] == index[node]:
                while True:
                    each = kept.pop()
                    component[each] = count
                    if each == node:
                        break
                count += 1
    return component
