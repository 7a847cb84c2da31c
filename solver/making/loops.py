"""Rings among recipes: allowed where going round once leaves something more, refused where it only wears things out."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction

from solver.errors import TooLarge
from solver.making.problem import ProductionProblem

__all__ = ["MOST_LOOPS", "gainless_loops", "levels_of_things", "makers_of_things"]

MOST_LOOPS = 10_000  # looked at; more are refused, never passed over

Loop = tuple[tuple[int, int], ...]  # (recipe, the thing it hands to the next)


def gainless_loops(problem: ProductionProblem) -> list[list[int]]:
    """Return every ring of recipes that gains nothing, as recipes in the order in which each hands something to the next.

    A ring is run once round so that what each recipe hands on is just what the next takes. It gains where, over all its recipes,
    some thing comes out more than went in: a culture that multiplies, or parts beside the scrap that is ground and used again.
    Things made into one another and back gain nothing: such a ring is for the caller to refuse, by name.

    Raises
    ------
    TooLarge
        Where recipes lie on more than `MOST_LOOPS` rings.
    """
    found: list[list[int]] = []
    for count, loop in enumerate(_loops(problem)):
        if count >= MOST_LOOPS:
            raise TooLarge(f"recipes lie on more than {MOST_LOOPS} rings: look whether so many really feed one another")
        if not _gains(problem, loop):
            found.append([recipe for recipe, _ in loop])
    return found


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
        makers[next(iter(_outputs(problem, recipe)))].append(recipe)
    for recipe in range(problem.recipes):
        for thing in list(_outputs(problem, recipe))[1:]:
            if thing not in _all_under(_made_of(problem, makers), list(_inputs(problem, recipe))):
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


def _inputs(problem: ProductionProblem, recipe: int) -> dict[int, int]:
    rows = range(int(problem.input_start[recipe]), int(problem.input_start[recipe + 1]))
    return {int(problem.input_thing[row]): int(problem.input_units[row]) for row in rows}


def _outputs(problem: ProductionProblem, recipe: int) -> dict[int, Fraction]:
    rows = range(int(problem.output_start[recipe]), int(problem.output_start[recipe + 1]))
    share = Fraction(int(problem.yield_good[recipe]), int(problem.yield_of[recipe]))
    return {int(problem.output_thing[row]): int(problem.output_units[row]) * share for row in rows}


def _gains(problem: ProductionProblem, loop: Loop) -> bool:
    net: dict[int, Fraction] = defaultdict(Fraction)
    runs = Fraction(1)
    for place, (recipe, thing) in enumerate(loop):
        for each, units in _outputs(problem, recipe).items():
            net[each] += units * runs
        for each, taken in _inputs(problem, recipe).items():
            net[each] -= taken * runs
        if place + 1 < len(loop):
            runs = runs * _outputs(problem, recipe)[thing] / _inputs(problem, loop[place + 1][0])[thing]
    return any(units > 0 for units in net.values())


def _loops(problem: ProductionProblem) -> Iterator[Loop]:
    """Yield every elementary ring once, from its recipe of the lowest number."""
    takers: dict[int, list[int]] = defaultdict(list)
    for recipe in range(problem.recipes):
        for thing in _inputs(problem, recipe):
            takers[thing].append(recipe)
    after = [[(thing, taker) for thing in _outputs(problem, recipe) for taker in takers[thing]] for recipe in range(problem.recipes)]
    component = _components([sorted({taker for _, taker in each}) for each in after])
    for first in range(problem.recipes):
        path: list[tuple[int, int]] = []
        stack = [(first, iter(after[first]))]
        on_path = {first}
        while stack:
            recipe, rest = stack[-1]
            step = next(rest, None)
            if step is None:
                stack.pop()
                on_path.discard(recipe)
                if path:
                    path.pop()
                continue
            thing, taker = step
            if taker == first:
                yield (*path, (recipe, thing))
            elif taker > first and taker not in on_path and component[taker] == component[first]:
                path.append((recipe, thing))
                on_path.add(taker)
                stack.append((taker, iter(after[taker])))


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
