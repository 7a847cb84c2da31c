"""How a thing is made, as a tree: which recipes make it, what each takes a run, what is free of that, and how urgently it is wanted.

Pressure is what one unit more would serve: a thing's own, as open proposals say it, else that of what is made of it.
"""

from dataclasses import dataclass
from itertools import chain

from coordinator.cycle import Coordination
from coordinator.graph import build_graph
from coordinator.limits import processes_done
from coordinator.network import PROCESS, RESOURCE, Network, Stance, Thing, amount_of
from coordinator.questions import thing_named
from coordinator.signals import Recipe
from coordinator.units import Quantity

__all__ = ["Branch", "Way", "tree"]

DEEPEST = 8
MOST_BRANCHES = 400  # of one tree; what is left out is said where it is

Told = tuple[int, int]  # tier, level


@dataclass(frozen=True, slots=True)
class Branch:
    """A thing in the tree. Where `rest` says so, its own recipes are not shown here."""

    level: int
    sort: str
    name: str
    per_run: Quantity | None  # of the recipe that it goes into
    free: tuple[Quantity, ...]
    offered_by: int  # agents
    needs: int  # that stand and whose window has not closed
    short_needs: int
    share_short: float | None  # of all that is asked; None: nobody asks for it
    pressure: Told | None
    passed_on: bool  # it has no pressure of its own: that of what is made of it counts
    ways: tuple["Way", ...]
    rest: str | None  # "above" (it stands higher up in this branch), "deep" or "many"


@dataclass(frozen=True, slots=True)
class Way:
    """A recipe that makes it."""

    recipe: str  # agent/recipe/subject
    draft: bool
    gives: Quantity  # a run, of the thing that it is shown under
    takes: tuple[Branch, ...]


def tree(coordination: Coordination, name: str) -> Branch:
    """Return how the thing of this name is made, through every recipe known here. Refused where nobody speaks of it."""
    network = coordination.network
    thing = thing_named(network, build_graph(network), name)
    return _Tree(coordination).branch(thing, None, (), None)


class _Tree:
    def __init__(self, coordination: Coordination) -> None:
        self._network, self._book = coordination.network, coordination.book
        self._standing = _by_thing(coordination.network, coordination.log_us)
        self._pressures = _planned(coordination, self._standing)
        self._makers: dict[Thing, list[tuple[str, Recipe]]] = {}
        for ref, recipe in sorted(self._network.recipes.items()):
            for output in recipe.outputs:
                self._makers.setdefault(self._network.canonical((RESOURCE, output.resource)), []).append((ref, recipe))
        self._finer: dict[Thing, list[Thing]] = {}
        for sort, name in self._standing:
            for broader in processes_done(self._network, name)[1:] if sort == PROCESS else ():
                self._finer.setdefault((PROCESS, broader), []).append((sort, name))
        self._left = MOST_BRANCHES

    def branch(self, thing: Thing, per_run: Quantity | None, above: tuple[Thing, ...], wanted: Told | None) -> Branch:
        """Return a thing with all below it; `wanted` is the pressure of what it goes into."""
        self._left -= 1
        own = self._pressures.get(thing)
        passed_on = wanted is not None and (own is None or wanted < own)
        pressure = wanted if passed_on else own
        makers = self._makers.get(thing, [])
        rest = None
        if makers:
            rest = "above" if thing in above else "deep" if len(above) >= DEEPEST else "many" if self._left <= 0 else None
        ways = tuple(self._way(ref, recipe, thing, (*above, thing), pressure) for ref, recipe in makers) if rest is None else ()
        offered_by, free = self._free(thing, in_step=per_run is not None)
        needs, short, share = self._asked(thing)
        return Branch(len(above), *thing, per_run, free, offered_by, needs, short, share, pressure, passed_on, ways, rest)

    def _way(self, ref: str, recipe: Recipe, thing: Thing, above: tuple[Thing, ...], pressure: Told | None) -> Way:
        network = self._network
        gives = next(one.quantity for one in recipe.outputs if network.canonical((RESOURCE, one.resource)) == thing)
        taken = [((RESOURCE, one.resource), one.quantity) for one in recipe.inputs]
        taken += [((PROCESS, one.process), one.effort) for one in recipe.steps]
        takes = tuple(self.branch(network.canonical(each), quantity, above, pressure) for each, quantity in taken)
        return Way(ref, recipe.draft, gives, takes)

    def _free(self, thing: Thing, *, in_step: bool) -> tuple[int, tuple[Quantity, ...]]:
        """Return how many agents offer a thing, and what is free of it; a recipe's step is done by hours of a finer process too."""
        agents: set[str] = set()
        free: dict[str, int] = {}
        finer = self._finer.get(thing, ()) if in_step else ()
        for stance in chain.from_iterable(self._standing.get(each, ()) for each in (thing, *finer)):
            if stance.is_supply:
                agents.add(stance.agent)
                free[stance.dimension] = free.get(stance.dimension, 0) + self._book.open_grains(stance)
        return len(agents), tuple(amount_of(self._network, (thing, dimension), grains) for dimension, grains in sorted(free.items()))

    def _asked(self, thing: Thing) -> tuple[int, int, float | None]:
        needs = [one for one in self._standing.get(thing, ()) if not one.is_supply]
        missing = [self._book.open_grains(one) for one in needs]
        asked = sum(one.stated_grains for one in needs)
        return len(needs), sum(grains > 0 for grains in missing), round(sum(missing) / asked, 4) if asked else None


def _by_thing(network: Network, log_us: int) -> dict[Thing, list[Stance]]:
    """Return all that stands and whose window has not closed, by what it speaks of."""
    found: dict[Thing, list[Stance]] = {}
    for stance in network.living():
        if not stance.is_over(log_us):
            found.setdefault(network.canonical(stance.thing), []).append(stance)
    return found


def _planned(coordination: Coordination, standing: dict[Thing, list[Stance]]) -> dict[Thing, Told]:
    """Return the most urgent pressure of each thing, as open proposals say; of one that nobody offers, that of its most urgent need."""
    network, book = coordination.network, coordination.book
    found: dict[Thing, Told] = {}
    for said, counts in book.dealings.pressures.items():
        thing, told = network.canonical(said), min(counts)
        found[thing] = min(found.get(thing, told), told)
    for thing, stances in standing.items():
        tiers = [book.claim_of(one)[2] for one in stances if not one.is_supply and book.covered_grains(one) < one.stated_grains]
        if tiers and not any(one.is_supply for one in stances):
            found[thing] = (min(tiers), 0)
    return found
