"""A plan at once, in place of the solver: whoever offers a thing to whoever needs it, in order, as far as it goes; making as well.

What a plan is good for is tested elsewhere. Here it has to come quickly, and whatever it suggests must do no harm.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from coordinator.commitments import Book, Pair
from coordinator.limits import lacking
from coordinator.matching import groups
from coordinator.network import Network, Stance, Thing
from coordinator.orders import Footprint, Tree, TreeLine
from coordinator.partners import Partners
from coordinator.planning import Mine
from coordinator.problems import Part
from coordinator.production import Made, Production
from coordinator.signals import Recipe

__all__ = ["HastyPlanner", "HastyProduction"]

METRES = 1_000
Action = Literal["transfer", "consume", "use"]


class HastyPlanner:
    """Has the methods of a planner that a coordination calls."""

    goes_on = leaves_some = False

    def __init__(self, network: Network, book: Book) -> None:
        self.network, self.book = network, book
        self.partners = Partners()
        self._parts: list[Part] = []

    def parts(self) -> list[Part]:
        """Return the plan as it was last made."""
        return self._parts

    def forget(self) -> None:
        """Plan anew next time."""
        self.network.changed_everywhere = True

    def told(self, parts: Sequence[Part]) -> Sequence[Part]:
        """Return parts as they are."""
        return parts

    def awaits(self, pair: Pair) -> bool:
        """Return no: all is planned at once."""
        return False

    def plan(self, log_us: int, mine: Mine | None = None, at_most: int | None = None) -> bool:
        """Plan some parts, of the markets that are `mine` where that is told; return whether anything moved."""
        if not self.network.changed and not self.network.changed_everywhere:
            return False
        self.network.changed.clear()
        self.network.changed_everywhere = False
        parts = []
        markets = groups(self.network)
        for thing in [name for key, names in markets.items() if mine is None or mine(key[0]) for name in names]:
            free = {stance.ref: self._free(stance) for stance in self.network.live(thing)}
            live = self.network.live(thing)
            for offer in (one for one in live if one.is_supply):
                for need in (one for one in live if not one.is_supply):
                    grains = self._between(offer, need, free, log_us)
                    if grains > 0:
                        free[offer.ref] -= grains
                        free[need.ref] -= grains
                        parts.append(Part(offer, need, grains, METRES, need.tier, 0, None))
        self._parts, self.partners = parts, Partners(parts)
        return True

    def _free(self, stance: Stance) -> int:
        return max(0, stance.free_grains - self.book.held_grains(stance))

    def _between(self, offer: Stance, need: Stance, free: dict[str, int], log_us: int) -> int:
        if offer.agent == need.agent or offer.dimension != need.dimension:
            return 0
        if lacking(need.limits or {}, offer.limits or {}):
            return 0
        ends = [end for end in (offer.end_us, need.end_us) if end is not None]
        if ends and min(ends) <= log_us:
            return 0
        limit = self.book.limit_grains(offer, need)
        grains = min(free[offer.ref], free[need.ref])
        return grains if limit is None else min(grains, limit)


class HastyProduction(Production):
    """The product's own, which keeps what waits where it holds; what is new is one piece a need, by the first who could make it."""

    def _planned(self, recipes: Mapping[str, Recipe], free: Mapping[str, int], log_us: int, *, by_turns: bool = False) -> Made:
        made, left = Made(), dict(free)
        needs = [one for one in self.network.living() if not one.is_supply and not one.is_hours]
        for need in sorted(needs, key=lambda one: one.ref):
            drawing = _Drawing(self.network, recipes, need, dict(left))
            lines = drawing.made(need.thing[1], 1, need.agent) if left.get(need.ref) else None
            if lines:
                made.trees.append(Tree(tuple(sorted(lines, key=lambda line: line.key)), (need,)))
                left = drawing.left | {need.ref: left[need.ref] - 1}
        return made


@dataclass
class _Drawing:
    """Draws one tree, from the need down; what it takes is gone from `left`."""

    network: Network
    recipes: Mapping[str, Recipe]
    need: Stance
    left: dict[str, int]

    def made(self, name: str, count: int, receiver: str, into: str | None = None, depth: int = 0) -> list[TreeLine] | None:
        """Return how so many of a thing are made for their receiver; None, with nothing taken, where they cannot be."""
        for ref, recipe in sorted(self.recipes.items()):
            if recipe.outputs[0].resource != name:
                continue
            step, before = recipe.steps[0], dict(self.left)
            for hours in self._lots(("process", step.process), count * step.effort.grains):
                if hours.agent != receiver and not lacking(step.requires, hours.limits or {}):
                    lines = [
                        self._line(hours, receiver, "transfer", ("resource", name), count, into, depth),
                        self._taken(hours, receiver, "use", count * step.effort.grains, ref, depth + 1),
                    ]
                    parts = [
                        self._handed_on(flow.resource, count * flow.quantity.grains, hours.agent, ref, depth + 1) for flow in recipe.inputs
                    ]
                    if all(parts):
                        return lines + [line for some in parts for line in some or ()]
                    self.left = dict(before)
        return None

    def _handed_on(self, name: str, count: int, maker: str, into: str, depth: int) -> list[TreeLine] | None:
        """Return how so many of a thing come to who makes something of them: from somebody's stock, else they are made as well."""
        for lot in self._lots(("resource", name), count):
            if lot.agent == maker:
                return [self._taken(lot, self.need.agent, "consume", count, into, depth)]
            return [self._taken(lot, maker, "transfer", count, into, depth)]
        return self.made(name, count, maker, into, depth)

    def _lots(self, thing: Thing, grains: int) -> Iterator[Stance]:
        return (one for one in self.network.live(thing) if one.is_supply and self.left.get(one.ref, 0) >= grains)

    def _taken(self, lot: Stance, receiver: str, action: Action, grains: int, into: str, depth: int) -> TreeLine:
        self.left[lot.ref] -= grains
        return self._line(lot, receiver, action, lot.thing, grains, into, depth)

    def _line(self, lot: Stance, receiver: str, action: Action, thing: Thing, grains: int, into: str | None, depth: int) -> TreeLine:
        return TreeLine(
            provider=lot.agent,
            receiver=receiver,
            action=action,
            thing=thing,
            dimension=lot.dimension if thing == lot.thing else "pieces",
            grains=grains,
            offer=lot.ref,
            need=self.need.ref,
            distance_m=METRES,
            begin_us=None,
            end_us=None,
            into=into,
            footprint=Footprint(),
            depth=depth,
        )
