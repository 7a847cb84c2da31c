"""Recipes out of all proportion: planned with the others, their numbers would stop or blur every plan; each is left out alone, by name.

Amounts of one thing are told apart by so many steps and no more. Of recipes that lie farther apart, those stay that more others are near
to, and of as many those that were said first; and no recipe is used whose product takes more than numbers hold through all its levels.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from coordinator.loops import Stock, recipe_stocks, standing_recipes
from coordinator.network import Network
from coordinator.signals import Recipe
from coordinator.wording import shown

__all__ = ["DEEPEST", "WIDEST", "Odd", "in_proportion", "recipes_in_use"]

WIDEST = 10**6  # the most that a run takes or gives of a thing, in the least that a run does
NEAR = 10**3  # amounts so far apart are near one another
DEEPEST = 10**8  # what one least amount of a product takes through all levels, in least amounts of what nobody makes


@dataclass(frozen=True, slots=True)
class Odd:
    """A recipe that is not used, and why."""

    ref: str
    why: str

    @property
    def sentence(self) -> str:
        """Why the recipe is not used, and what to do."""
        return f"recipe {self.ref} is not used: {self.why}; check its amounts and say it anew"


def in_proportion(network: Network, recipes: Mapping[str, Recipe]) -> tuple[dict[str, Recipe], list[Odd]]:
    """Return the recipes that can be planned together, by ref, and those that cannot, whatever the order of arrival."""
    flows = {ref: recipe_stocks(network, recipe) for ref, recipe in recipes.items()}
    amounts = {ref: _amounts(*each) for ref, each in flows.items()}
    odd = _too_wide(network, amounts)
    least: dict[Stock, Fraction] = {}
    for ref, each in amounts.items():
        for stock, grains in each.items() if ref not in odd else ():
            least[stock] = min(grains, least.get(stock, grains))
    odd |= _too_deep({ref: each for ref, each in flows.items() if ref not in odd}, least)
    told = [Odd(ref, why) for ref, why in sorted(odd.items())]
    return {ref: recipe for ref, recipe in recipes.items() if ref not in odd}, told


def recipes_in_use(network: Network) -> tuple[dict[str, Recipe], dict[str, str]]:
    """Return the recipes that are planned with, by ref, and of those that are not (drafts left aside) a sentence that says why."""
    without_rings, rings = standing_recipes(network)
    recipes, odd = in_proportion(network, without_rings)
    return recipes, {each.ref: each.sentence for each in rings} | {each.ref: each.sentence for each in odd}


def _amounts(takes: Mapping[Stock, int], gives: Mapping[Stock, Fraction]) -> dict[Stock, Fraction]:
    """Return what one run takes or gives of each thing; of what it takes and gives, the lesser."""
    found = {stock: Fraction(grains) for stock, grains in takes.items()}
    for stock, grains in gives.items():
        found[stock] = min(grains, found.get(stock, grains))
    return found


def _too_wide(network: Network, amounts: Mapping[str, Mapping[Stock, Fraction]]) -> dict[str, str]:
    """Return the recipes whose amount of some thing is too far from what others take or give of it, and why."""
    of: dict[Stock, dict[str, Fraction]] = {}
    for ref, each in amounts.items():
        for stock, grains in each.items():
            of.setdefault(stock, {})[ref] = grains
    odd: dict[str, str] = {}
    for stock, by_ref in sorted(of.items()):
        ranked = sorted(by_ref.values())
        if ranked[-1] <= WIDEST * ranked[0]:
            continue
        alike = {ref: bisect_right(ranked, each * NEAR) - bisect_left(ranked, each / NEAR) for ref, each in by_ref.items()}
        low = high = None
        for ref in sorted(by_ref, key=lambda ref: (-alike[ref], network.last_word(ref), ref)):
            grains = by_ref[ref]
            below, above = min(grains, low or grains), max(grains, high or grains)
            if above > WIDEST * below:
                apart = float(above / below)
                odd.setdefault(
                    ref,
                    f"its amount of {shown(stock[0][1])} and other recipes' are {apart:.3g} times apart, too far to be planned together",
                )
            else:
                low, high = below, above
    return odd


def _too_deep(flows: Mapping[str, tuple[Mapping[Stock, int], Mapping[Stock, Fraction]]], least: Mapping[Stock, Fraction]) -> dict[str, str]:
    """Return the recipes by which a least amount of each product takes more through all levels than can be planned, and why."""
    made = {stock for _, gives in flows.values() for stock in gives}
    content: dict[Stock, float] = {stock: math.inf if stock in made else 1.0 for stock in least}
    takes_of: dict[str, float] = {}
    for _ in flows:  # So many rounds reach everything; a ring that gains would go on lowering without end.
        before = dict(content)
        for ref, (takes, gives) in flows.items():
            takes_of[ref] = sum(float(grains / least[stock]) * content[stock] for stock, grains in takes.items())
            for stock, good in gives.items():
                each = max(1.0, takes_of[ref] / float(good / least[stock]))
                content[stock] = min(content[stock], each)
        if content == before:
            break
    odd: dict[str, str] = {}
    for ref, (_, gives) in flows.items():
        stock, each = min(((stock, takes_of[ref] / float(good / least[stock])) for stock, good in gives.items()), key=lambda row: row[1])
        if DEEPEST < each < math.inf:
            odd[ref] = f"the least amount of {shown(stock[0][1])} takes {each:.3g} least amounts of other things through all levels"
    return odd
