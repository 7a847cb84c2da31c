"""What keeps a recipe from running even once, and how often it could at most: read off what is free, without planning anything."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from coordinator.limits import lacking, processes_done
from coordinator.loops import Stock, recipe_stocks
from coordinator.making import Most
from coordinator.network import PROCESS, Network, Stance, amount_of
from coordinator.signals import Recipe, Step
from coordinator.wording import amount, counted
from coordinator.workshops import Spot, radius_m
from solver.making import MOST_DRAWS

__all__ = ["Hindrance", "Supplies"]

Ints = NDArray[np.int64]
Key = tuple[str, tuple[tuple[str, object], ...]]  # a process, and what is required of its machines


@dataclass(frozen=True, slots=True)
class Hindrance:
    """One thing that stands in the way of a recipe."""

    ref: str  # the recipe's
    makes: str  # "" where it makes what was asked about, else the input that it would make for that
    lack: str
    change: str | None = None  # what could change it, where that is not another's answer

    @property
    def sentence(self) -> str:
        """What is in the way, in a sentence."""
        made = f"{self.makes} for that" if self.makes else "it"
        return f"the recipe {self.ref} makes {made}, but {self.lack}"


class Supplies:
    """All goods and hours that stand, with what is free of each, laid out once for many recipes. What has closed by now is left out."""

    def __init__(self, network: Network, log_us: int, recipes: Mapping[str, Recipe], free: Callable[[Stance], int]) -> None:
        """Lay out what the recipes in use may draw on; `free` says how many grains of an offer or capacity are to be had."""
        self.network, self.log_us, self.recipes = network, log_us, recipes
        self.flows = {ref: recipe_stocks(network, recipe) for ref, recipe in recipes.items()}
        self.makers: dict[Stock, list[str]] = {}
        for ref, (_, gives) in sorted(self.flows.items()):
            for stock in gives:
                self.makers.setdefault(stock, []).append(ref)
        self._goods: dict[Stock, list[Stance]] = {stock: [] for takes, _ in self.flows.values() for stock in takes}
        self._machines: dict[str, list[Stance]] = {self._process(step): [] for recipe in recipes.values() for step in recipe.steps}
        self._free: dict[str, int] = {}
        self._fit: dict[Key, dict[Spot, list[Stance]]] = {}
        self._hours: dict[Key, tuple[Ints, Ints]] = {}  # of each machine its place, and what it has free
        self._numbers: dict[Spot, int] = {}
        done_by = cache(lambda name: [each for each in processes_done(network, name) if each in self._machines])
        for one in network.living() if recipes else ():
            if not one.is_supply or one.is_over(log_us):
                continue
            if one.is_hours:
                shelves = [self._machines[process] for process in done_by(one.name)]
            else:
                stock = network.canonical(one.thing), one.dimension
                shelves = [self._goods[stock]] if stock in self._goods else []
            for shelf in shelves:
                self._free[one.ref] = free(one)
                shelf.append(one)
        self._places_at_most = sum(map(len, self._machines.values()))

    def most_runs(self, ref: str) -> Most:
        """Return how often a recipe could run at most by hours, each machine for itself, and by goods that lie in few enough lots.

        A run is at one place, and so is its least batch. No limit where it has no steps, and none of its inputs is too scattered.
        """
        recipe = self.recipes[ref]
        bounds: list[tuple[int, Stock]] = []
        if recipe.steps:
            by_step = [self._runs_at(step) for step in recipe.steps]
            tightest = recipe.steps[int(np.argmin([runs.sum() for runs in by_step]))]
            bounds.append((_batched(recipe, np.minimum.reduce(by_step)), ((PROCESS, self._process(tightest)), "time")))
        bounds += [(0, stock) for stock, _ in self._too_scattered(ref)]
        return Most(*min(bounds)) if bounds else Most(None, None)

    def unable(self) -> dict[str, list[str]]:
        """Return the recipes with steps whose process somebody has hours of, but no machine with what is required; and these steps."""
        found: dict[str, list[str]] = {}
        for ref, recipe in self.recipes.items():
            for step in recipe.steps:
                if self._machines[self._process(step)] and not self._spots(step):
                    needed = " and ".join(f"{key} {value}" for key, value in sorted(step.requires.items()))
                    found.setdefault(ref, []).append(f"{self._process(step)} with {needed}")
        return found

    def hindrances(self, ref: str, need: Stance, makes: str = "", seen: Set[str] = frozenset()) -> Iterator[Hindrance]:
        """Yield all that keeps a recipe from running even once for a need; what inputs lack that recipes make comes with those."""
        for stock, grains, free in self._too_little(ref):
            more = f"at least {self._told(stock, grains - free)} more of {stock[0][1]}, in any offers"
            yield Hindrance(ref, makes, self._short_of(stock, grains), more)
        for stock, free in self._too_scattered(ref):
            least = self._told(stock, _least(self.recipes[ref]) * self.flows[ref][0][stock])
            yield Hindrance(
                ref,
                makes,
                f"the least batch takes {least} of {stock[0][1]}, and the {MOST_DRAWS} offers with most, "
                f"from which one input is drawn at most, have {self._told(stock, free)} free",
            )
        for lack in (*self.hours_too_short(ref), *self._nowhere(ref)):
            yield Hindrance(ref, makes, lack)
        yield from self._no_way(ref, need, makes)
        if not makes and self._is_all_of(need.agent, ref):
            yield Hindrance(ref, makes, f"only {need.agent} itself has what it takes, who knows that already")
        for stock, grains in self.flows[ref][0].items():
            if stock in self.makers and self._free_of(stock) < grains:
                makers = [each for each in self.makers[stock] if each not in seen and each != ref]  # a ring does not start itself
                below = [list(self.hindrances(each, need, stock[0][1], {*seen, ref})) for each in makers]
                if all(below):
                    yield Hindrance(ref, makes, self._short_of(stock, grains))
                    yield from (each for lacks in below for each in lacks)

    def hours_too_short(self, ref: str) -> list[str]:
        """Return a phrase for each step of a recipe whose hours no capacity that can do it has free: no two share a run or batch."""
        told: list[str] = []
        runs = _least_runs(self.recipes[ref])
        for step in self.recipes[ref].steps:
            stock = (PROCESS, self._process(step)), "time"
            run, able = step.effort.grains + _setup(step), self._able(step)
            batch = step.effort.grains * runs + _setup(step)
            most = max((self._free[one.ref] for one in able), default=batch)  # that nobody can do it is told elsewhere
            if most < batch:
                what, takes = ("a run", run) if most < run else (f"the least batch, of {counted(runs, 'run')},", batch)
                told.append(
                    f"{what} takes {self._told(stock, takes)} of {stock[0][1]}, and no capacity that can do it has more than "
                    f"{self._told(stock, most)} free{self._taken(stock, able)}"
                )
        return told

    # -- goods ----------------------------------------------------------------------------------------------------------

    def _of_offers(self, ref: str) -> Iterator[tuple[Stock, int, list[int]]]:
        """Yield the inputs of a recipe that no recipe makes, with what a run takes and what each offer has free, the most first."""
        for stock, grains in self.flows[ref][0].items():
            if stock not in self.makers:
                yield stock, grains, sorted((self._free[one.ref] for one in self._goods[stock]), reverse=True)

    def _too_little(self, ref: str) -> Iterator[tuple[Stock, int, int]]:
        for stock, grains, free in self._of_offers(ref):
            if sum(free) < grains:
                yield stock, grains, sum(free)

    def _too_scattered(self, ref: str) -> Iterator[tuple[Stock, int]]:
        """Yield inputs of which enough for the least batch is free, but in more offers than one is drawn from; and what those have."""
        for stock, grains, free in self._of_offers(ref):
            if sum(free[:MOST_DRAWS]) < _least(self.recipes[ref]) * grains <= sum(free):
                yield stock, sum(free[:MOST_DRAWS])

    def _short_of(self, stock: Stock, grains: int) -> str:
        run, free = (self._told(stock, each) for each in (grains, self._free_of(stock)))
        return f"a run takes {run} of {stock[0][1]}, and {free} is free in all{self._taken(stock, self._goods[stock])}"

    def _free_of(self, stock: Stock) -> int:
        return sum(self._free[one.ref] for one in self._goods[stock])

    def _taken(self, stock: Stock, supply: Sequence[Stance]) -> str:
        """Return in words how much more there is that is spoken for; nothing where there is none."""
        taken = sum(one.stated_grains - self._free[one.ref] for one in supply)
        return f": {self._told(stock, taken)} more is in proposals or promised" if taken > 0 else ""

    def _told(self, stock: Stock, grains: int) -> str:
        return amount(amount_of(self.network, stock, grains))

    # -- hours ----------------------------------------------------------------------------------------------------------

    def _process(self, step: Step) -> str:
        return self.network.canonical((PROCESS, step.process))[1]

    def _able(self, step: Step) -> list[Stance]:
        return [one for machines in self._spots(step).values() for one in machines]

    def _key(self, step: Step) -> Key:
        return self._process(step), tuple(sorted(step.requires.items(), key=str))

    def _spots(self, step: Step) -> dict[Spot, list[Stance]]:
        """Return the machines that have what a step requires, by place; many recipes ask for the same."""
        key = self._key(step)
        found = self._fit.get(key)
        if found is None:
            found = self._fit[key] = {}
            for one in self._machines[key[0]]:
                if not lacking(step.requires, one.limits or {}):
                    found.setdefault(self._spot(one), []).append(one)
        return found

    def _runs_at(self, step: Step) -> Ints:
        """Return (places,) how often a step could be done at each, no machine sharing a run with another."""
        key = self._key(step)
        if key not in self._hours:
            found = [(self._numbers.setdefault(spot, len(self._numbers)), one) for spot, many in self._spots(step).items() for one in many]
            at = np.array([number for number, _ in found], dtype=np.int64)
            self._hours[key] = at, np.array([self._free[one.ref] for _, one in found], dtype=np.int64)
        at, free_ms = self._hours[key]
        runs: Ints = np.zeros(self._places_at_most, dtype=np.int64)
        np.add.at(runs, at, np.maximum(0, free_ms - _setup(step)) // step.effort.grains)
        return runs

    def _by_spot(self, steps: Sequence[Step]) -> dict[Spot, list[list[Stance]]]:
        """Return the places that have machines for all steps, each with those for every step."""
        found = [self._spots(step) for step in steps]
        return {spot: [machines[spot] for machines in found] for spot in found[0] if all(spot in machines for machines in found)}

    def _spot(self, stance: Stance) -> Spot:
        return Spot(stance.agent, self.network.place_of(stance))

    def _nowhere(self, ref: str) -> Iterator[str]:
        steps = self.recipes[ref].steps
        if steps and all(map(self._spots, steps)) and not self._by_spot(steps):
            processes = dict.fromkeys(self._process(step) for step in steps)
            yield f"nobody has hours of all its steps in one place: {', '.join(processes)}"

    # -- ways -----------------------------------------------------------------------------------------------------------

    def _no_way(self, ref: str, need: Stance, makes: str) -> Iterator[Hindrance]:
        """Yield what cannot come to the places where a recipe could run, or from them to a need; nothing where it could run nowhere."""
        spots = self._where(ref)
        if not spots:
            return
        who = spots[0].agent if len(spots) == 1 else f"any of the {counted(len(spots), 'place')} where it could be made"
        if not makes:
            here = self._spot(need)
            unknown = self._unconnected(((spot, here) for spot in spots), need)
            if unknown is not None:
                change = f"a place or a route that connects {who} with {need.agent}"
                known = f"every way from {who} to {need.agent} is longer than somebody's radius"
                lack = f"no route and no two known places connect {who} with {need.agent}" if unknown else known
                yield Hindrance(ref, makes, lack, change if unknown else None)
        for stock in self.flows[ref][0]:
            lots = {self._spot(one) for one in self._goods[stock] if self._free[one.ref]} if stock not in self.makers else set()
            unknown = self._unconnected(((lot, spot) for lot in lots for spot in spots), need) if lots else None
            if unknown is not None:
                thing = stock[0][1]
                known = f"every way from {thing} on offer to {who} is longer than somebody's radius"
                lack = f"no route and no two known places connect {who} with {thing} on offer" if unknown else known
                yield Hindrance(ref, makes, lack, f"a place or a route that connects {who} with {thing} on offer" if unknown else None)

    def _is_all_of(self, agent: str, ref: str) -> bool:
        """Whether an agent alone could run a recipe, on what nobody else has: that is not proposed to anybody."""
        lots = [one.agent for stock in self.flows[ref][0] if stock not in self.makers for one in self._goods[stock] if self._free[one.ref]]
        is_made = any(stock in self.makers for stock in self.flows[ref][0])
        return not is_made and {agent} == {*(spot.agent for spot in self._where(ref)), *lots}

    def _where(self, ref: str) -> list[Spot]:
        """Return where a recipe could run: with machines for all steps, or where it has none with whoever wrote it down."""
        recipe = self.recipes[ref]
        if recipe.steps:
            return sorted(self._by_spot(recipe.steps), key=lambda spot: (spot.agent, spot.place or ()))
        author = ref.partition("/")[0]
        facts = self.network.agents.get(author)
        return [Spot(author, facts.place if facts else None)]

    def _unconnected(self, pairs: Iterable[tuple[Spot, Spot]], need: Stance) -> bool | None:
        """Return whether all ways are unknown where none may be gone; None where one may."""
        counting = {ref for ref, free in self._free.items() if free} | {need.ref}
        unknown = True
        for start, end in pairs:
            if start == end:
                return None
            way_m = self.network.way_m(start.agent, start.place, end.agent, end.place)
            if way_m is None:
                continue
            if way_m <= min(radius_m(self.network, spot, counting) for spot in (start, end)):
                return None
            unknown = False
        return unknown


def _least(recipe: Recipe) -> int:
    return (recipe.batch and recipe.batch.minimum) or 1


def _least_runs(recipe: Recipe) -> int:
    """Return how many runs the least batch has: whole multiples, too."""
    multiple = (recipe.batch and recipe.batch.multiple) or 1
    return -(-_least(recipe) // multiple) * multiple


def _batched(recipe: Recipe, runs: Ints) -> int:
    """Return so many runs at each place in all, less those that make no whole batch there."""
    whole = runs - runs % ((recipe.batch and recipe.batch.multiple) or 1)
    return int(whole[whole >= _least(recipe)].sum())


def _setup(step: Step) -> int:
    return step.setup.grains if step.setup else 0
