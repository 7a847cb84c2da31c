"""What was said and what was made of it, added up as it comes and goes: whoever asks for counts and sums waits for no walk through all."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from coordinator.commitments import Deal, State
    from coordinator.network import Stance, Thing

__all__ = ["Dealings", "Moving", "Pressure", "Stated"]

_ROWS = list, tuple
Key = TypeVar("Key", bound=Any)
Pressure = tuple[int, int]  # the tier and level that one more unit would serve


@dataclass(slots=True)
class Stated:
    """All signals of one thing, as said, in one dimension, whether or not they still stand."""

    signals: int = 0
    offered_grains: int = 0
    needed_grains: int = 0
    first: tuple[str, str] | None = None  # the least ref and its unit; None where that one went and nobody looked for the next

    def add(self, stance: "Stance") -> None:
        """Count one more."""
        if not self.signals or (self.first is not None and stance.ref < self.first[0]):
            self.first = stance.ref, stance.unit
        self._count(stance, 1)

    def remove(self, stance: "Stance") -> None:
        """Count one less."""
        if self.first is not None and self.first[0] == stance.ref:
            self.first = None
        self._count(stance, -1)

    def exchange(self, old: "Stance", new: "Stance") -> None:
        """Count what a signal says now in place of what it said of the same."""
        if self.first is not None and self.first[0] == new.ref:
            self.first = new.ref, new.unit
        more_grains = new.stated_grains - old.stated_grains
        if new.kind == "need":
            self.needed_grains += more_grains
        else:
            self.offered_grains += more_grains

    def _count(self, stance: "Stance", times: int) -> None:
        self.signals += times
        if stance.kind == "need":
            self.needed_grains += times * stance.stated_grains
        else:
            self.offered_grains += times * stance.stated_grains


@dataclass(slots=True)
class Moving:
    """All lines, of proposals that are open or became commitments, of one thing, as said, in one dimension."""

    lines: int = 0
    proposed_grains: int = 0
    committed_grains: int = 0
    grain_metres: int = 0


@dataclass(slots=True)
class Dealings:
    """What all proposals come to. `count` takes a deal out before anything about it changes, and in again afterwards."""

    states: Counter["State"] = field(default_factory=Counter)  # of all that were ever made
    moving: dict[tuple["Thing", str], Moving] = field(default_factory=dict)
    asked_grains: dict[str, int] = field(default_factory=dict)  # ref -> what open proposals ask of it that its agent has not answered
    pressures: dict["Thing", Counter[Pressure]] = field(default_factory=dict)  # as open proposals give them for their reasons

    def copy(self) -> "Dealings":
        """Return the same sums, to be counted on apart from these."""
        moving = {key: replace(one) for key, one in self.moving.items()}
        return Dealings(
            self.states.copy(), moving, self.asked_grains.copy(), {thing: told.copy() for thing, told in self.pressures.items()}
        )

    def count(self, deal: "Deal", times: int) -> None:
        """Count a deal `times`: 1 or -1."""
        self.states[deal.state] += times
        is_open = deal.is_open
        if not (is_open or deal.is_bound):
            return
        moving, promised = self.moving, deal.promised
        for line in deal.lines:
            quantity = line.quantity
            grains = times * quantity.grains
            key = line.thing, quantity.dimension
            sums = moving.get(key)
            if sums is None:
                sums = moving[key] = Moving()
            sums.lines += times
            sums.grain_metres += grains * line.distance_m
            if not is_open:
                sums.committed_grains += grains
            else:
                sums.proposed_grains += grains
                if line.takes and line.provider not in promised:
                    _add(self.asked_grains, line.offer, grains)
                if line.serves and line.receiver not in promised:
                    _add(self.asked_grains, line.need, grains)
            if not sums.lines:
                del moving[key]
        for thing, pressure in pressures_of(deal) if is_open else ():
            told = self.pressures.get(thing)
            if told is None:
                told = self.pressures[thing] = Counter()
            _add(told, pressure, times)
            if not told:
                del self.pressures[thing]


def _add(sums: dict[Key, int], key: Key, more: int) -> None:
    """Add to a sum; where it is 0 then, no place is kept for it."""
    total = sums.get(key, 0) + more
    if total:
        sums[key] = total
    else:
        sums.pop(key, None)


def pressures_of(deal: "Deal") -> list[tuple["Thing", Pressure]]:
    """Return what a proposal says of the pressure where each of its lines takes from."""
    # Reasons are free in their form, and those of another coordinator, or of an imported file, may say anything.
    reasons = deal.data.reasons.get("lines")
    told: list[tuple[Thing, Pressure]] = []
    if not isinstance(reasons, _ROWS):
        return told
    for line, reason in zip(deal.lines, reasons, strict=False):
        pressure = reason.get("pressure") if isinstance(reason, dict) else None
        if isinstance(pressure, dict):
            tier, level = pressure.get("tier"), pressure.get("level")
            if isinstance(tier, int) and isinstance(level, int):
                told.append((line.thing, (tier, level)))
    return told
