"""Levels of things and rings among recipes: what is made of what, so that walkers go down level by level and never round.

Whether a ring gains anything is not asked here. Each is opened where some recipe closes it; all other recipes on it stand on levels of
their own. Whether anything is made for that recipe's input, which is to go round once more, is said by `solver.making.rounds`. Recipes
that nobody can run in time close nothing. Refusing a ring that gains nothing, and naming the recipe that closed it, takes names and the
order of arrival, which are its caller's.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from solver.making.problem import ProductionProblem

__all__ = ["closing_inputs", "levels_of_things", "makers_of_things", "without_rings"]


def levels_of_things(problem: ProductionProblem) -> tuple[list[int], list[list[int]]]:
    """Return each thing's level (0: made of nothing, or of what is not made for it) and the rings, as sets of things.

    What counts as making a thing is what `makers_of_things` says, so that a by-product that goes back in is no ring. Rings are opened
    at their `closing_inputs`, so that each thing lies above all that is made for it.
    """
    closing = closing_inputs(problem)
    made_for = _made_for(problem, makers_of_things(problem), closing)
    level = [0] * problem.things
    order = _components(made_for)  # No ring is left, and a thing is numbered after all those it is made of.
    for thing in sorted(range(problem.things), key=order.__getitem__):
        level[thing] = 1 + max((level[below] for below in made_for[thing]), default=-1)
    made_of = _made_for(problem, _first_makers(problem))
    return level, [things for things in _members(_components(made_of)) if len(things) > 1 or things[0] in made_of[things[0]]]


def closing_inputs(problem: ProductionProblem) -> frozenset[int]:
    """Return the rows of inputs that close a ring: what is made for them has gone round.

    Without them nothing is made of itself. Inputs lead on first where they go from what comes into a ring towards what is made of it,
    then from what is needed downward, what no lot holds first: an input that closes a ring by then is one of these.
    """
    makers = _first_makers(problem)
    component = _components(_made_for(problem, makers))
    inside: list[tuple[int, int, int]] = []  # row, what it takes, and what that makes on the same ring
    for recipe in _can_be_run(problem):
        made = _outputs(problem, recipe)[0]
        for row in _input_rows(problem, recipe):
            taken = int(problem.input_thing[row])
            if component[made] == component[taken]:
                inside.append((row, taken, made))
    if not inside:
        return frozenset()
    held = set(problem.stock_thing.tolist())
    far = problem.things + 1
    steps = _steps_in(problem, makers, component, {component[taken] for _, taken, _ in inside}, held)
    asked = _steps_down(problem)
    goes_on: list[list[int]] = [[] for _ in range(problem.things)]
    others = []
    for row, taken, made in inside:
        if steps.get(taken, far) < steps.get(made, far):  # Always one step down: never round.
            goes_on[made].append(taken)
        else:
            others.append((asked.get(made, far), taken in held, row, taken, made))
    closing = []
    for _, _, row, taken, made in sorted(others):
        if made in _all_under(goes_on, [taken]):
            closing.append(row)
        else:
            goes_on[made].append(taken)
    return frozenset(closing)


def without_rings(problem: ProductionProblem) -> ProductionProblem | None:
    """Return a problem in which no recipe that closes a ring is ever done in time; None where there are no rings."""
    recipes = {int(np.searchsorted(problem.input_start, row, side="right")) - 1 for row in closing_inputs(problem)}
    if not recipes:
        return None
    closes = np.isin(problem.activity_recipe, sorted(recipes))
    return replace(problem, activity_lead=np.where(closes, problem.buckets, problem.activity_lead))


def _steps_in(problem: ProductionProblem, makers: list[list[int]], component: list[int], rings: set[int], held: set[int]) -> dict[int, int]:
    """Return how many recipes lead to each thing on a ring from outside of it; where none do, from what lots hold on the ring.

    Things to which nothing leads are left out.
    """
    ringed = [thing for thing, which in enumerate(component) if which in rings]
    ways: list[tuple[int, list[int]]] = []  # what a recipe makes, and what it takes of the same ring
    users: dict[int, list[int]] = defaultdict(list)
    for thing in ringed:
        for recipe in makers[thing]:
            taken = [each for each in _inputs(problem, recipe) if component[each] == component[thing]]
            for each in taken:
                users[each].append(len(ways))
            ways.append((thing, taken))
    missing = [len(taken) for _, taken in ways]
    steps = {thing: 1 for thing, taken in ways if not taken}
    waiting = list(steps)
    for more in (set[int](), held):
        first = [thing for thing in ringed if thing in more and thing not in steps]
        steps.update(dict.fromkeys(first, 0))
        waiting += first
        while waiting:
            found: list[int] = []
            for way in (way for each in waiting for way in users[each]):
                missing[way] -= 1
                thing, taken = ways[way]
                if not missing[way] and thing not in steps:
                    steps[thing] = 1 + max(steps[each] for each in taken)
                    found.append(thing)
            waiting = found
    return steps


def _steps_down(problem: ProductionProblem) -> dict[int, int]:
    """Return how many recipes lead down to each thing from what is needed; what no need leads to is left out."""
    makers: list[list[int]] = [[] for _ in range(problem.things)]
    for recipe in _can_be_run(problem):
        for thing in _outputs(problem, recipe):
            makers[thing].append(recipe)
    steps = dict.fromkeys(problem.need_thing.tolist(), 0)
    waiting = list(steps)
    for thing in waiting:
        for taken in (each for recipe in makers[thing] for each in _inputs(problem, recipe)):
            if taken not in steps:
                steps[taken] = steps[thing] + 1
                waiting.append(taken)
    return steps


def _members(component: list[int]) -> list[list[int]]:
    members: dict[int, list[int]] = defaultdict(list)
    for thing, which in enumerate(component):
        members[which].append(thing)
    return [things for _, things in sorted(members.items())]


def makers_of_things(problem: ProductionProblem) -> list[list[int]]:
    """Return, for each thing, the recipes that may be run for its sake: those whose first output it is, and some beside.

    A recipe is run for a by-product too, unless something that is made for it is made of that: else scrap would be made to be ground.
    """
    closing = closing_inputs(problem)
    makers = _first_makers(problem)
    for recipe in _can_be_run(problem):
        for thing in _outputs(problem, recipe)[1:]:
            taken = [int(problem.input_thing[row]) for row in _input_rows(problem, recipe) if row not in closing]
            if thing not in _all_under(_made_for(problem, makers, closing), taken):
                makers[thing].append(recipe)
    return makers


def _first_makers(problem: ProductionProblem) -> list[list[int]]:
    makers: list[list[int]] = [[] for _ in range(problem.things)]
    for recipe in _can_be_run(problem):
        makers[_outputs(problem, recipe)[0]].append(recipe)
    return makers


def _can_be_run(problem: ProductionProblem) -> list[int]:
    """Return the recipes that somebody can run so that it is done in time."""
    recipes: list[int] = np.unique(problem.activity_recipe[problem.activity_lead < problem.buckets]).tolist()
    return recipes


def _made_for(problem: ProductionProblem, makers: list[list[int]], closing: frozenset[int] = frozenset()) -> list[list[int]]:
    """Return what each thing is made of, but for what closes a ring."""
    return [
        sorted({int(problem.input_thing[row]) for recipe in each for row in _input_rows(problem, recipe) if row not in closing})
        for each in makers
    ]


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


def _input_rows(problem: ProductionProblem, recipe: int) -> range:
    return range(int(problem.input_start[recipe]), int(problem.input_start[recipe + 1]))


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
