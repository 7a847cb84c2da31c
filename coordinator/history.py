"""How short things were as log time went on: samples of a coordination, few enough to keep and to draw, over all of the time there was."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from coordinator.cycle import Coordination
from coordinator.network import Thing
from coordinator.tallies import Pressure
from coordinator.times import SECOND_US, format_instant

__all__ = ["MOST", "Sample", "Timeline", "sample_of"]

MOST = 240  # samples kept; when there are more, every second one goes and the next ones are twice as far apart
FIRST_STEP_US = 10 * SECOND_US
TIERS = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """How things stood at one moment of log time."""

    at_us: int
    needs: tuple[int, ...]  # that stand, by the tier that counts
    short: tuple[int, ...]  # of these, that are in no plan or promise with all they ask for
    shares: dict[str, float]  # thing -> what of all that is asked of it is in no plan
    pressures: dict[str, Pressure]  # thing -> the most urgent (tier, level) that one more unit would serve, as its proposals say


@dataclass(slots=True)
class Timeline:
    """The samples of one coordination, evenly apart in log time."""

    samples: list[Sample] = field(default_factory=list)
    step_us: int = FIRST_STEP_US
    due_us: int = -(2**62)  # no sample is wanted before

    def take(self, sample: Sample) -> None:
        """Keep a sample, and thin out where there are too many: the first stays."""
        self.samples.append(sample)
        if len(self.samples) > MOST:
            self.samples = self.samples[::2]
            self.step_us *= 2
        self.due_us = sample.at_us + self.step_us

    def told(self, now: Sample) -> dict[str, Any]:
        """Return all of it in columns, with the moment of asking as the last."""
        samples = [one for one in self.samples if one.at_us < now.at_us] + [now]
        names = sorted({name for one in samples for name in one.shares}, key=lambda name: (-now.shares.get(name, 0.0), name))
        return {
            "step_seconds": self.step_us // SECOND_US,
            "time": [format_instant(max(0, one.at_us)) for one in samples],
            "needs": [[one.needs[tier] for one in samples] for tier in range(TIERS)],
            "short": [[one.short[tier] for one in samples] for tier in range(TIERS)],
            "things": [
                {
                    "name": name,
                    "share": [round(one.shares.get(name, 0.0), 4) for one in samples],
                    "pressure": [one.pressures.get(name) for one in samples],
                }
                for name in names
            ],
        }


def sample_of(coordination: Coordination) -> Sample:
    """Return how things stand now."""
    needs, short = Counter[int](), Counter[int]()
    asked, lacking = Counter[Thing](), Counter[Thing]()
    for (thing, _), tiers in sorted(coordination.open_needs.sums().items()):
        for tier, one in tiers.items():
            needs[tier] += one.needs
            short[tier] += one.short_needs
            asked[thing] += one.asked_grains
            lacking[thing] += one.short_grains
    shares = {thing[1]: lacking[thing] / grains for thing, grains in asked.items() if grains}
    pressures: dict[str, Pressure] = {}
    for thing, told in coordination.book.dealings.pressures.items():
        name, strongest = coordination.network.canonical(thing)[1], min(told)
        pressures[name] = min(pressures.get(name, strongest), strongest)
    by_tier = [tuple(counts[tier] for tier in range(TIERS)) for counts in (needs, short)]
    return Sample(coordination.log_us, by_tier[0], by_tier[1], shares, pressures)
