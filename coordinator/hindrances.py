"""What keeps a recipe from running even once, and how often it could at most: read off what is free, without planning anything."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from coordinator.earliest import Earliest
from coordinator.limits import lacking, processes_done
from coordinator.loops import Stock, recipe_stocks
from coordinator.making import Most
from coordinator.network import PROCESS, Network, Stance, amount_of
from coordinator.signals import Recipe, Step
from coordinator.ways import Side, Ways
from coordinator.wording import amount, counted
from coordinator.workshops import Spot
from solver.making import MOST_DRAWS

__all__ = ["Hindrance", "Supplies", "least_runs", "setup_ms"]

Ints = NDArray[np.int64]
Lack = tuple[str, str | None]  # a phrase, and what could change it
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


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What the offers of one thing have free, in grains."""

    free: int
    most: int  # the `MOST_DRAWS` offers with most together
    taken: int  # is spoken for


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
        self.free: dict[str, int] = {}
        self._shelves: dict[Stock, _Shelf] = {}
        self._longest: dict[
            Key, tuple[int | None, int]
        ] = {}  # most that one machine has free (None: there is none), and what is spoken for
        self._places: dict[tuple[Key, ...], list[Spot]] = {}
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
                self.free[one.ref] = free(one)
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

    def takes_what_is_made(self, ref: str) -> bool:
        """Whether a recipe takes anything that is made first, as less is on offer than its least batch takes."""
        return any(self._short_and_made(ref))

    def unable(self) -> dict[str, list[str]]:
        """Return the recipes with steps whose process somebody has hours of, but no machine with what is required; and these steps."""
        found: dict[str, list[str]] = {}
        for ref, recipe in self.recipes.items():
            for step in recipe.steps:
                if self._machines[self._process(step)] and not self._spots(step):
                    needed = " and ".join(f"{key} {value}" for key, value in sorted(step.requires.items()))
                    found.setdefault(ref, []).append(f"{self._process(step)} with {needed}")
        return found

    def hindrances(self, refs: Iterable[str], need: Stance) -> dict[str, list[Hindrance]]:
        """Return by ref all that keeps each of these recipes from running even once for a need; an empty list where nothing does.

        What inputs lack that recipes make comes with the first recipe that takes them, and each maker of a thing once. What one recipe
        lacks is found once, however many ways lead to it, and without recursion, however long they are.
        """
        roots = list(dict.fromkeys(refs))
        ends = _Ends(self, need)
        lacks = self._lacks_below(roots, ends)
        coming = self._coming(lacks)
        told: set[Stock] = set()  # whose makers were told of
        return {ref: [*self._told_of(ref, ends, lacks, coming, told), *self.too_late(ref, need)] for ref in roots}

    def too_late(self, ref: str, need: Stance) -> Iterator[Hindrance]:
        """Yield what of lead times and windows keeps a recipe from being over before a need ends, whatever is planned."""
        charter, here = self.network.charter, self.spot(need)
        ways = (self.network.way_m(one.agent, one.place, here.agent, here.place) for one in self.where(ref) if one != here)
        shortest_m = min((metres for metres in ways if metres is not None), default=None) if charter.ways_take_time else None
        way_us = 0 if shortest_m is None or here in self.where(ref) else charter.way_us(shortest_m)
        for wait in self.earliest.waits(ref, need, way_us):
            yield Hindrance(wait.ref, wait.makes, wait.lack, wait.change)

    @cached_property
    def earliest(self) -> Earliest:
        """When each recipe could be over at the earliest, with what has something free."""
        return Earliest(
            self.network,
            self.log_us,
            self.recipes,
            self.flows,
            lambda stock: [one for one in self._goods[stock] if self.free[one.ref]],
            lambda step: [one for machines in self._spots(step).values() for one in machines if self.free[one.ref]],
        )

    def _lacks_below(self, roots: Sequence[str], ends: "_Ends") -> dict[str, list[Lack]]:
        """Return what each of these recipes, and each that makes what is short for one, lacks of its own."""
        lacks: dict[str, list[Lack]] = {}
        seen: set[Stock] = set()
        waiting = list(roots)
        while waiting:
            ref = waiting.pop()
            if ref not in lacks:
                lacks[ref] = [*self._lacks(ref), *ends.cut_off(ref)]
                news = [stock for stock, _ in self._short_and_made(ref) if stock not in seen]
                seen.update(news)
                waiting += [maker for stock in news for maker in self.makers[stock]]
        return lacks

    def _coming(self, lacks: Mapping[str, Sequence[Lack]]) -> set[Stock]:
        """Return what recipes could bring of what is short, each of which lacks nothing; a ring does not start itself."""
        missing = {ref: len(list(self._short_and_made(ref))) for ref, found in lacks.items() if not found}
        takers: dict[Stock, list[str]] = {}
        for ref in missing:
            for stock, _ in self._short_and_made(ref):
                takers.setdefault(stock, []).append(ref)
        coming: set[Stock] = set()
        able = [ref for ref, count in missing.items() if not count]
        while able:
            for stock in self.flows[able.pop()][1]:
                if stock not in coming:
                    coming.add(stock)
                    for ref in takers.get(stock, ()):
                        missing[ref] -= 1
                        if not missing[ref]:
                            able.append(ref)
        return coming

    def _told_of(
        self, root: str, ends: "_Ends", lacks: Mapping[str, Sequence[Lack]], coming: Set[Stock], told: set[Stock]
    ) -> Iterator[Hindrance]:
        """Yield what is in the way of a recipe, and below each of its inputs; `told` grows by whose makers were told of."""

        def of_one(ref: str, makes: str) -> Iterator[Hindrance | tuple[str, str]]:
            found = lacks[ref] if makes else [*self._lacks(ref), *ends.apart(ref), *ends.cut_off(ref), *ends.alone(ref)]
            yield from (Hindrance(ref, makes, lack, change) for lack, change in found)
            for stock, least in self._short_and_made(ref):
                if stock not in coming:
                    yield Hindrance(ref, makes, self._short_of(ref, stock, least))
                    if stock not in told:
                        told.add(stock)
                        yield from ((maker, stock[0][1]) for maker in self.makers[stock] if maker not in (ref, root))

        going = [of_one(root, "")]  # a stack of our own: chains of recipes may be longer than Python lets calls be deep
        while going:
            item = next(going[-1], None)
            if item is None:
                going.pop()
            elif isinstance(item, Hindrance):
                yield item
            else:
                going.append(of_one(*item))

    def _lacks(self, ref: str) -> Iterator[Lack]:
        """Yield what a recipe lacks, wherever it is needed: goods that no recipe makes, hours, a place for all its steps."""
        for stock, least, free in self._too_little(ref):
            more = f"at least {self._told(stock, least - free)} more of {stock[0][1]}, in any offers"
            yield self._short_of(ref, stock, least), more
        for stock, free in self._too_scattered(ref):
            batch = self._told(stock, least_runs(self.recipes[ref]) * self.flows[ref][0][stock])
            yield (
                (
                    f"the least batch takes {batch} of {stock[0][1]}, and the {MOST_DRAWS} offers with most, "
                    f"from which one input is drawn at most, have {self._told(stock, free)} free"
                ),
                None,
            )
        for lack in (*self.hours_too_short(ref), *self._nowhere(ref)):
            yield lack, None

    def _short_and_made(self, ref: str) -> Iterator[tuple[Stock, int]]:
        """Yield the inputs that recipes make and of which less is free than the least batch takes, with what that is."""
        runs = least_runs(self.recipes[ref])
        for stock, grains in self.flows[ref][0].items():
            if stock in self.makers and self._shelf(stock).free < grains * runs:
                yield stock, grains * runs

    def hours_too_short(self, ref: str) -> list[str]:
        """Return a phrase for each step of a recipe whose hours no capacity that can do it has free: no two share a run or batch."""
        told: list[str] = []
        runs = least_runs(self.recipes[ref])
        for step in self.recipes[ref].steps:
            stock = (PROCESS, self._process(step)), "time"
            run, batch = step.effort.grains + setup_ms(step), step.effort.grains * runs + setup_ms(step)
            most, taken = self._most_free(step)
            if most is not None and most < batch:  # that nobody can do it is told elsewhere
                what, takes = ("a run", run) if most < run else (f"the least batch, of {counted(runs, 'run')},", batch)
                told.append(
                    f"{what} takes {self._told(stock, takes)} of {stock[0][1]}, and no capacity that can do it has more than "
                    f"{self._told(stock, most)} free{self._taken(stock, taken)}"
                )
        return told

    # -- goods ----------------------------------------------------------------------------------------------------------

    def _of_offers(self, ref: str) -> Iterator[tuple[Stock, int, _Shelf]]:
        """Yield the inputs of a recipe that no recipe makes, with what the least batch takes and what the offers have."""
        runs = least_runs(self.recipes[ref])
        for stock, grains in self.flows[ref][0].items():
            if stock not in self.makers:
                yield stock, grains * runs, self._shelf(stock)

    def _shelf(self, stock: Stock) -> _Shelf:
        """Return what the offers of a thing have; many recipes take the same."""
        found = self._shelves.get(stock)
        if found is None:
            free = sorted((self.free[one.ref] for one in self._goods[stock]), reverse=True)
            taken = sum(one.stated_grains for one in self._goods[stock]) - sum(free)
            found = self._shelves[stock] = _Shelf(sum(free), sum(free[:MOST_DRAWS]), taken)
        return found

    def _too_little(self, ref: str) -> Iterator[tuple[Stock, int, int]]:
        for stock, least, shelf in self._of_offers(ref):
            if shelf.free < least:
                yield stock, least, shelf.free

    def _too_scattered(self, ref: str) -> Iterator[tuple[Stock, int]]:
        """Yield inputs of which enough for the least batch is free, but in more offers than one is drawn from; and what those have."""
        for stock, least, shelf in self._of_offers(ref):
            if shelf.most < least <= shelf.free:
                yield stock, shelf.most

    def _short_of(self, ref: str, stock: Stock, least: int) -> str:
        """Return in words that less is free than a run takes, or the least batch where that has several."""
        runs, shelf = least_runs(self.recipes[ref]), self._shelf(stock)
        what = "a run" if runs == 1 else f"the least batch, of {counted(runs, 'run')},"
        takes, free = self._told(stock, least), self._told(stock, shelf.free)
        return f"{what} takes {takes} of {stock[0][1]}, and {free} is free in all{self._taken(stock, shelf.taken)}"

    def _taken(self, stock: Stock, taken: int) -> str:
        """Return in words how much more there is that is spoken for; nothing where there is none."""
        return f": {self._told(stock, taken)} more is in proposals or promised" if taken > 0 else ""

    def _told(self, stock: Stock, grains: int) -> str:
        return amount(amount_of(self.network, stock, grains))

    # -- hours ----------------------------------------------------------------------------------------------------------

    def _process(self, step: Step) -> str:
        return self.network.canonical((PROCESS, step.process))[1]

    def _most_free(self, step: Step) -> tuple[int | None, int]:
        """Return what the machine with most free that can do a step has, None where none can, and what is spoken for of all of them."""
        key = self._key(step)
        if key not in self._longest:
            able = [one for machines in self._spots(step).values() for one in machines]
            free = [self.free[one.ref] for one in able]
            self._longest[key] = max(free, default=None), sum(one.stated_grains for one in able) - sum(free)
        return self._longest[key]

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
                    found.setdefault(self.spot(one), []).append(one)
        return found

    def _runs_at(self, step: Step) -> Ints:
        """Return (places,) how often a step could be done at each, no machine sharing a run with another."""
        key = self._key(step)
        if key not in self._hours:
            found = [(self._numbers.setdefault(spot, len(self._numbers)), one) for spot, many in self._spots(step).items() for one in many]
            at = np.array([number for number, _ in found], dtype=np.int64)
            self._hours[key] = at, np.array([self.free[one.ref] for _, one in found], dtype=np.int64)
        at, free_ms = self._hours[key]
        runs: Ints = np.zeros(self._places_at_most, dtype=np.int64)
        np.add.at(runs, at, np.maximum(0, free_ms - setup_ms(step)) // step.effort.grains)
        return runs

    def _places_for(self, steps: Sequence[Step]) -> list[Spot]:
        """Return the places that have machines for all steps, in order; many recipes have the same."""
        keys = tuple(map(self._key, steps))
        found = self._places.get(keys)
        if found is None:
            by_step = list(map(self._spots, steps))
            both = [spot for spot in by_step[0] if all(spot in machines for machines in by_step)]
            found = self._places[keys] = sorted(both, key=lambda spot: (spot.agent, spot.place or ()))
        return found

    def spot(self, stance: Stance) -> Spot:
        """Return whose and where a stance is."""
        return Spot(stance.agent, self.network.place_of(stance))

    def _nowhere(self, ref: str) -> Iterator[str]:
        steps = self.recipes[ref].steps
        if steps and all(map(self._spots, steps)) and not self._places_for(steps):
            processes = dict.fromkeys(self._process(step) for step in steps)
            yield f"nobody has hours of all its steps in one place: {', '.join(processes)}"

    # -- ways -----------------------------------------------------------------------------------------------------------

    def where(self, ref: str) -> list[Spot]:
        """Return where a recipe could run: with machines for all steps, or where it has none with whoever wrote it down."""
        recipe = self.recipes[ref]
        if recipe.steps:
            return self._places_for(recipe.steps)
        author = ref.partition("/")[0]
        facts = self.network.agents.get(author)
        return [Spot(author, facts.place if facts else None)]

    def where_key(self, ref: str) -> Hashable:
        """Return what recipes that could run at the same places share."""
        steps = self.recipes[ref].steps
        return tuple(map(self._key, steps)) if steps else ref.partition("/")[0]

    def lots(self, stock: Stock) -> list[Spot]:
        """Return where offers of a thing that no recipe makes have something free."""
        return [] if stock in self.makers else [self.spot(one) for one in self._goods[stock] if self.free[one.ref]]


class _Ends:
    """The ways that recipes need for one need: the places at each end are laid out once, and each two ends looked at once."""

    def __init__(self, supplies: Supplies, need: Stance) -> None:
        self._supplies, self._need = supplies, need
        self._ways = Ways(supplies.network, {need.ref, *(ref for ref, free in supplies.free.items() if free)})
        self._here = self._ways.side([supplies.spot(need)])
        self._lots: dict[Stock, Side] = {}
        self._places: dict[Hashable, Side] = {}
        self._unconnected: dict[tuple[Stock, Hashable], bool | None] = {}

    def apart(self, ref: str) -> Iterator[Lack]:
        """Yield why nothing can come from where a recipe could run to the need; nothing where something can, or it could run nowhere."""
        places = self._places_of(ref)
        unknown = self._ways.unconnected(places, self._here) if places.spots else None
        if unknown is not None:
            who, whom = _named(places), self._need.agent
            if unknown:
                yield f"no route and no two known places connect {who} with {whom}", f"a place or a route that connects {who} with {whom}"
            else:
                yield f"every way from {who} to {whom} is longer than somebody's radius", None

    def cut_off(self, ref: str) -> Iterator[Lack]:
        """Yield which inputs on offer cannot come to any place where a recipe could run; nothing where it could run nowhere."""
        places, key = self._places_of(ref), self._supplies.where_key(ref)
        for stock in self._supplies.flows[ref][0] if places.spots else ():
            lots = self._lots_of(stock)
            if not lots.spots:
                continue
            if (stock, key) not in self._unconnected:
                self._unconnected[stock, key] = self._ways.unconnected(lots, places)
            unknown = self._unconnected[stock, key]
            if unknown is not None:
                who, what = _named(places), f"{stock[0][1]} on offer"
                if unknown:
                    yield (
                        f"no route and no two known places connect {who} with {what}",
                        f"a place or a route that connects {who} with {what}",
                    )
                else:
                    yield f"every way from {what} to {who} is longer than somebody's radius", None

    def alone(self, ref: str) -> Iterator[Lack]:
        """Yield that the need's agent alone could run a recipe, on what nobody else has: that is not proposed to anybody."""
        takes = self._supplies.flows[ref][0]
        if any(stock in self._supplies.makers for stock in takes):
            return
        sides = [self._places_of(ref), *map(self._lots_of, takes)]
        agent = self._need.agent
        if any(side.agents for side in sides) and all(side.agents.keys() <= {agent} for side in sides):
            yield f"only {agent} itself has what it takes, who knows that already", None

    def _places_of(self, ref: str) -> Side:
        key = self._supplies.where_key(ref)
        if key not in self._places:
            self._places[key] = self._ways.side(self._supplies.where(ref))
        return self._places[key]

    def _lots_of(self, stock: Stock) -> Side:
        if stock not in self._lots:
            self._lots[stock] = self._ways.side(self._supplies.lots(stock))
        return self._lots[stock]


def _named(places: Side) -> str:
    many = len(places.spots)
    return places.spots[0].agent if many == 1 else f"any of the {counted(many, 'place')} where it could be made"


def _least(recipe: Recipe) -> int:
    return (recipe.batch and recipe.batch.minimum) or 1


def least_runs(recipe: Recipe) -> int:
    """Return how many runs the least batch has: whole multiples, too."""
    multiple = (recipe.batch and recipe.batch.multiple) or 1
    return -(-_least(recipe) // multiple) * multiple


def _batched(recipe: Recipe, runs: Ints) -> int:
    """Return so many runs at each place in all, less those that make no whole batch there."""
    whole = runs - runs % ((recipe.batch and recipe.batch.multiple) or 1)
    return int(whole[whole >= _least(recipe)].sum())


def setup_ms(step: Step) -> int:
    """Return how long a machine is set up for a step, whatever it does then."""
    return step.setup.grains if step.setup else 0
