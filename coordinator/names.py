"""Names kill real matching: one that nobody else uses is shown with those it may have been meant to be. Nothing is matched by this.

Two names are near when they are one after folding (case, separators, accents, plural), or when the share of letters they have in
common, in order, is at least `NEAR`. Names whose digits differ are never near: M3 and M4 screws are two things.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from coordinator.network import PROCESS, RESOURCE, Network, Thing
from coordinator.units import UNITS

__all__ = ["NEAR", "LonelyName", "NameIndex", "Names", "NearName", "Uses", "folded", "uses_of_names"]

NEAR = 0.8  # of 1, as difflib counts: twice the letters in common over the letters of both
SHORTEST = 4  # folded letters; shorter names are near only when folding makes them one
AT_MOST = 3  # near names shown for one

# What one lookup may cost, however many names there are: so many names that share a rare pair of letters, so many compared in full.
MOST_GATHERED = 4_000
MOST_COMPARED = 12


@dataclass(slots=True)
class Uses:
    """Which agents use a name, and how."""

    offering: set[str] = field(default_factory=set)
    needing: set[str] = field(default_factory=set)
    in_recipes: set[str] = field(default_factory=set)
    counted_in: set[str] = field(default_factory=set)  # dimensions

    @property
    def agents(self) -> set[str]:
        """Everybody who uses it."""
        return self.offering | self.needing | self.in_recipes


@dataclass(frozen=True, slots=True)
class NearName:
    """A name that may have been meant."""

    name: str
    offered_by: int  # agents
    needed_by: int
    in_catalogue: bool
    counted_in: tuple[str, ...] = ()  # dimensions; none where nobody says an amount of it

    def fits(self, dimensions: Collection[str]) -> bool:
        """Whether it may be one thing with what is counted in these dimensions: signals of others never meet, whatever they are called."""
        return not self.counted_in or not dimensions or not set(self.counted_in).isdisjoint(dimensions)


@dataclass(frozen=True, slots=True)
class LonelyName:
    """A name that one agent alone uses and the charter's catalogue does not know."""

    sort: str  # resource or process
    name: str
    agent: str
    use: str  # offered, needed, in a recipe
    near: tuple[NearName, ...]
    counted_in: tuple[str, ...] = ()  # dimensions

    def sentence(self) -> str:
        """Return the question to ask its agent."""
        if not self.near:
            return f"`{self.name}`: {self.use} by {self.agent} alone, and no name in use is near it"
        return f"`{self.name}`: did you mean {' or '.join(_shown(near, self.counted_in) for near in self.near)}?"


class Names:
    """All names of a network as they are used now, laid out once for many questions."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._uses = uses_of_names(network)
        self._catalogues = {RESOURCE: network.charter.resource_names, PROCESS: network.charter.process_names}
        self._indexes = {
            sort: NameIndex([*(name for other, name in self._uses if other == sort), *catalogue])
            for sort, catalogue in self._catalogues.items()
        }

    def near(self, thing: Thing) -> tuple[NearName, ...]:
        """Return the names in use or in the catalogue that are near this one, nearest first."""
        sort, name = thing
        found = dict.fromkeys(self._network.canonical((sort, other))[1] for other in self._indexes[sort].near(name, AT_MOST + 1))
        found.pop(self._network.canonical(thing)[1], None)
        near: list[NearName] = []
        for other in list(found)[:AT_MOST]:
            by = self._uses.get((sort, other), Uses())
            in_catalogue, counted_in = other in self._catalogues[sort], tuple(sorted(by.counted_in))
            if in_catalogue and not counted_in:
                counted_in = (UNITS[self._network.definition((sort, other)).unit].dimension,)
            near.append(NearName(other, len(by.offering), len(by.needing), in_catalogue, counted_in))
        return tuple(near)

    def lonely(self) -> tuple[LonelyName, ...]:
        """Return every name that one agent alone uses, in order. The catalogue's names and aliases are agreed on, so never among them."""
        lonely: list[LonelyName] = []
        for (sort, name), by in sorted(self._uses.items()):
            if len(by.agents) == 1 and name not in self._catalogues[sort]:
                use = "offered" if by.offering else "needed" if by.needing else "in a recipe"
                lonely.append(LonelyName(sort, name, min(by.agents), use, self.near((sort, name)), tuple(sorted(by.counted_in))))
        return tuple(lonely)


def uses_of_names(network: Network) -> dict[Thing, Uses]:
    """Return who uses each canonical thing now, in offers, needs and recipes."""
    uses: dict[Thing, Uses] = {}
    for stance in network.living():
        by = uses.setdefault(network.canonical(stance.thing), Uses())
        (by.offering if stance.is_supply else by.needing).add(stance.agent)
        by.counted_in.add(stance.dimension)
    for ref, recipe in network.recipes.items():
        agent = ref.partition("/")[0]
        flows = [((RESOURCE, flow.resource), flow.quantity.dimension) for flow in recipe.inputs]
        flows += [((RESOURCE, output.resource), output.quantity.dimension) for output in recipe.outputs]
        flows += [((PROCESS, step.process), step.effort.dimension) for step in recipe.steps]
        for thing, dimension in flows:
            by = uses.setdefault(network.canonical(thing), Uses())
            by.in_recipes.add(agent)
            by.counted_in.add(dimension)
    return uses


def _shown(near: NearName, counted_in: Collection[str]) -> str:
    counted = "" if near.fits(counted_in) else f", counted in {' and '.join(near.counted_in)}"
    if near.offered_by:
        return f"`{near.name}`, offered by {near.offered_by}{counted}"
    if near.needed_by:
        return f"`{near.name}`, needed by {near.needed_by}{counted}"
    return (f"`{near.name}`, in the charter's catalogue" if near.in_catalogue else f"`{near.name}`, in a recipe") + counted


# -- what is near -----------------------------------------------------------------------------------------------------


def folded(name: str) -> str:
    """Return the name without case, accents, separators and the s of plurals: ``Face_Shields`` and ``face-shield`` become one."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(letter))
    words = re.split(r"[\W_]+", plain)
    return "".join(_singular(word) for word in words)


def _singular(word: str) -> str:
    if len(word) > SHORTEST and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) >= SHORTEST and word.endswith("s") and not word.endswith("ss") else word


class NameIndex:
    """Names laid out so that the near ones of any name are found at a bounded cost."""

    def __init__(self, names: Iterable[str], *, digits_matter: bool = True) -> None:
        self._digits_matter = digits_matter
        self._names: dict[str, list[str]] = {}  # folded -> the names that fold to it
        for name in sorted(set(names)):
            self._names.setdefault(folded(name), []).append(name)
        self._with_pair: dict[str, list[str]] = {}
        for fold in self._names:
            for pair in _pairs(fold):
                self._with_pair.setdefault(pair, []).append(fold)

    def near(self, name: str, at_most: int = AT_MOST) -> list[str]:
        """Return names near this one, itself left out, nearest first; equals in order of name."""
        fold = folded(name)
        scored = [(1.0, other) for other in self._names.get(fold, ()) if other != name]
        if len(fold) >= SHORTEST:
            for other in self._gather(fold):
                likeness = self._likeness(fold, other)
                scored += [(likeness, each) for each in self._names[other] if likeness >= NEAR]
        return [other for _, other in sorted(scored, key=lambda row: (-row[0], row[1]))[:at_most]]

    def _gather(self, fold: str) -> list[str]:
        """Return the few names that have most pairs of letters in common with this one, looking at rare pairs first."""
        shared: Counter[str] = Counter()
        lists = sorted((self._with_pair.get(pair, []) for pair in _pairs(fold)), key=len)
        gathered = 0
        for folds in lists:
            if gathered and gathered + len(folds) > MOST_GATHERED:
                break
            shared.update(folds[:MOST_GATHERED])
            gathered += len(folds)
        shared.pop(fold, None)
        return sorted(shared, key=lambda other: (-shared[other] / (len(other) + len(fold)), other))[:MOST_COMPARED]

    def _likeness(self, fold: str, other: str) -> float:
        if len(other) < SHORTEST or (self._digits_matter and _digits(fold) != _digits(other)):
            return 0.0
        first, second = sorted((fold, other))  # difflib's answer depends on the order
        matcher = SequenceMatcher(None, first, second, autojunk=False)
        return matcher.ratio() if matcher.quick_ratio() >= NEAR else 0.0  # the quick one is never lower


def _pairs(fold: str) -> set[str]:
    padded = f"^{fold}$"
    return {padded[at : at + 2] for at in range(len(padded) - 1)}


def _digits(fold: str) -> str:
    return "".join(letter for letter in fold if letter.isdigit())
