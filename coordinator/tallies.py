"""What was said and what was made of it, added up as it comes and goes: whoever asks for counts and sums waits for no walk through all."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coordinator.commitments import Deal, State
    from coordinator.network import Stance, Thing

__all__ = ["Dealings", "Moving", "Pressure", "Stated"]

_ROWS = list, tuple
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
        if deal.is_open:
            promised = deal.promised
            for line in deal.lines:
                quantity = line.quantity
                grains = times * quantity.grains
                if line.provider not in promised and line.takes:
                    self._ask(line.offer, grains)
                if line.receiver not in promised and line.serves:
                    self._ask(line.need, grains)
                self._moving(line.thing, quantity.dimension, times, grains, 0, grains * line.distance_m)
            self._press(deal, times)
        elif deal.is_bound:
            for line in deal.lines:
                grains = times * line.quantity.grains
                self._moving(line.thing, line.quantity.dimension, times, 0, grains, grains * line.distance_m)

    def _press(self, deal: "Deal", times: int) -> None:
        """Count what a deal says of the pressure where each of its lines takes from."""
        for thing, pressure in pressures_of(deal):
            told = self.pressures.get(thing)
            if told is None:
                told = self.pressures[thing] = Counter()
            count = told.get(pressure, 0) + times
            if count:
                told[pressure] = count
                continue
            del told[pressure]
            if not told:
                del self.pressures[thing]

    def _ask(self, ref: str, grains: int) -> None:
        asked = self.asked_grains.get(ref, 0) + grains
        if asked:
            self.asked_grains[ref] = asked
        else:
            self.asked_grains.pop(ref, None)

    def _moving(self, thing: "Thing", dimension: str, lines: int, proposed_grains: int, committed_grains: int, grain_metres: int) -> None:
        key = thing, dimension
        moving = self.moving.get(key)
        if moving is None:
            moving = self.moving[key] = Moving()
        moving.lines += lines
        moving.proposed_grains += proposed_grains
        moving.committed_grains += committed_grains
        moving.grain_metres += grain_metres
        if not moving.lines:
            del self.moving[key]


def pressures_of(deal: "Deal") -> list[tuple["Thing", Pressure]]:
    """Return what a proposal says of the pressure where each of its lines takes from."""
    # Reasons are free in their form, and those of another coordinator, or of an imported file, may say anything.
    reasons = deal.data.reasons.get("lines")
    told: list[tuple[Thing, Pressure]] = []
    for line, reason in zip(deal.lines, reasons if isinstance(reasons, _ROWS) else (), strict=False):
        pressure = reason.get("pressure") if isinstance(reason, dict) else None
        if isinstance(pressure, dict):
            tier, level = pressure.get("tier"), pressure.get("level")
            if isinstance(tier, int) and isinstance(level, int):
                told.append((line.thing, (tier, level)))
    return told
