"""The plan by pairs of partners, and which of those moved since proposals were last made of it."""

from collections.abc import Iterable, Mapping, Set

from coordinator.commitments import Book, Pair, Terms
from coordinator.network import Thing
from coordinator.problems import Part

__all__ = ["Partners"]


class Partners:
    """What each provider is to give to each receiver, over all markets together.

    Whoever looks only at pairs that moved, in the plan or in the book, finds all that has to change: every other pair was proposed
    what the plan has for it when it was last looked at.
    """

    def __init__(self, parts: Iterable[Part] = ()) -> None:
        self._parts: dict[Pair, dict[tuple[str, str], Part]] = {}  # by the refs of offer and need
        self._moved: set[Pair] | None = None  # None: all of them
        self._awaited: dict[Pair, Set[Terms]] = {}  # what pairs were to be proposed when they were last looked at, and the book had not yet
        self.later: Set[Pair] = frozenset()  # pairs that were not looked at the last time
        self.replace((), parts)

    def replace(self, before: Iterable[Part], after: Iterable[Part]) -> None:
        """Take some parts of the plan out and others in; a pair whose parts are alike did not move."""
        # What is no more here another market has, planned before: both signals went there.
        gone = {(part.offer.ref, part.need.ref): part for part in before if self._has(part)}
        for part in after:
            refs = part.offer.ref, part.need.ref
            known = gone.pop(refs, None)
            mine = self._parts.setdefault((part.offer.agent, part.need.agent), {})
            if known is None or _terms_of(known) != _terms_of(part):
                self._note(part)
            mine[refs] = part
        for refs, part in gone.items():
            pair = part.offer.agent, part.need.agent
            mine = self._parts[pair]
            del mine[refs]
            if not mine:
                del self._parts[pair]
            self._note(part)

    def _has(self, part: Part) -> bool:
        return self._parts.get((part.offer.agent, part.need.agent), {}).get((part.offer.ref, part.need.ref)) is part

    def look_everywhere(self) -> None:
        """Take every pair for moved."""
        self._moved = None

    def parts_of(self, pair: Pair) -> list[Part]:
        """Return what a pair is to exchange, in order of offer and need."""
        mine = self._parts.get(pair)
        if mine is None:
            return []
        return [mine[refs] for refs in sorted(mine)] if len(mine) > 1 else list(mine.values())

    def moved(self, book: Book) -> list[Pair]:
        """Return every pair, in order, that may have to be proposed something else than the book has."""
        if self._moved is None or book.moved is None:
            return sorted(self._parts.keys() | book.pairs())
        come = [pair for pair, terms in self._awaited.items() if pair not in self._moved and book.is_proposed(pair, terms)]
        return sorted((self._moved | book.moved | self._awaited.keys()).difference(come))

    def looked_at(self, book: Book, unlike: Mapping[Pair, Set[Terms]], later: Iterable[Pair] = ()) -> None:
        """Note that all that moved was looked at, but for the pairs that will be `later`.

        What is `unlike` the book, each pair with all that it is to be proposed now, is looked at again unless the book then has just that.
        """
        self.later = frozenset(later)
        self._moved, self._awaited, book.moved = set(self.later), dict(unlike), set()

    def _note(self, part: Part) -> None:
        if self._moved is not None:
            self._moved.add((part.offer.agent, part.need.agent))


def _terms_of(part: Part) -> tuple[Thing, int, int]:
    return part.offer.thing, part.grains, part.distance_m
