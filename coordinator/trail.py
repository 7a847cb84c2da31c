"""What changed since somebody last looked, by name: the trail that a copy of the network and its book follows."""

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coordinator.commitments import Book, Claim
    from coordinator.network import Thing

__all__ = ["Trail"]


@dataclass(slots=True)
class Trail:
    """Names of what came, changed or went, each once, in the order in which that first happened to it."""

    agents: dict[str, object] = field(default_factory=dict)  # what stands beside a name means nothing
    signals: dict[str, object] = field(default_factory=dict)  # refs of offers, capacities and needs
    things: dict["Thing", object] = field(default_factory=dict)  # as said, that somebody spoke of first, or says to have
    recipes: dict[str, object] = field(default_factory=dict)
    definitions: dict[str, object] = field(default_factory=dict)  # names of resources that somebody defined
    deals: dict[str, object] = field(default_factory=dict)
    limits: dict[tuple[str, str], object] = field(default_factory=dict)  # offer, need
    claims: dict["Claim", object] = field(default_factory=dict)  # that something was committed to

    @classmethod
    def of_all(cls, book: "Book") -> "Trail":
        """Return one that has everything on it."""
        network = book.network  # Dictionaries are copied, with what is in them, for that is many times as fast as to list their names.
        return cls(
            dict(network.agents),
            dict(network.stances),
            dict.fromkeys(network.things_said()),
            dict(network.recipes),
            dict(network._definitions),
            dict(book.deals),
            dict.fromkeys(book.limits_stated()),
            dict(book.claims_served()),
        )

    def __len__(self) -> int:
        """Return how many names are on it."""
        return sum(len(getattr(self, names.name)) for names in fields(self))
