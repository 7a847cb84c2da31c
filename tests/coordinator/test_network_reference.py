"""The fold of what can be matched, held against a plain one that keeps every word and works all out anew at each step."""

from dataclasses import dataclass, field
from random import Random

import pytest

from coordinator.charter import Charter
from coordinator.network import PROCESS, RESOURCE, Network, Thing
from coordinator.signals import Capacity, Event, Need, Offer, parse_event
from coordinator.times import DAY_US
from coordinator.units import UNITS
from tests.support.events import capacity, hours, moment_us, need, offer, withdraw


@dataclass
class Word:
    """One word that was taken, and what it made of the signal it speaks of."""

    event: Event
    mark: tuple[int, str]
    ends_us: int | None
    standing: bool
    count: int


@dataclass
class PlainNetwork:
    """Every word of every signal in a list; whatever is asked is found by going through them."""

    life_days: float
    words: dict[str, list[Word]] = field(default_factory=dict)
    units: list[tuple[int, str, str, Thing, str]] = field(default_factory=list)

    def apply(self, event: Event, log_us: int) -> list[str]:
        ref = f"{event.name}/{event.kind}/{event.subject}"
        said = self.words.setdefault(ref, [])
        mark = (min(event.time_us, log_us), event.id)
        if said and mark < said[-1].mark:
            self._come_late(said, event, mark, log_us)
            return []
        before = said[-1] if said else Word(event, mark, None, standing=False, count=-1)
        if event.data is None:
            # A withdrawal before any offer is no count; the first offer after it begins to count anew.
            said.append(Word(event, mark, None, standing=False, count=before.count))
            return [ref] if before.standing else []
        ends_us = self._ends_us(event, log_us)
        standing = ends_us is None or ends_us > log_us
        same_thing = bool(said) and _thing(before.event) == _thing(event)
        same_count = same_thing and _grains(before.event) == _grains(event)
        said.append(Word(event, mark, ends_us, standing, before.count if same_count else before.count + 1))
        self.units.append((event.time_us, event.source, event.id, _thing(event)[0], event.data.amount.unit))  # type: ignore[union-attr]
        return [ref] if before.standing and not (standing and same_thing) else []

    def _ends_us(self, event: Event, log_us: int) -> int | None:
        ends_us = event.data.expires_us  # type: ignore[union-attr]
        return log_us + int(self.life_days * DAY_US) if ends_us is None and self.life_days else ends_us

    def _come_late(self, said: list[Word], event: Event, mark: tuple[int, str], log_us: int) -> None:
        """Put what was said last before a withdrawal, and comes after it, where it would be had it come in time."""
        if event.data is None or said[-1].event.data is not None or any(word.event.data and word.mark >= mark for word in said):
            return
        said[-1].count += 1
        said.insert(-1, Word(event, mark, self._ends_us(event, log_us), standing=False, count=said[-1].count))
        self.units.append((event.time_us, event.source, event.id, _thing(event)[0], event.data.amount.unit))  # type: ignore[union-attr]

    def advance(self, log_us: int) -> list[str]:
        last = {ref: said[-1] for ref, said in self.words.items() if said}
        over = [(word.ends_us, ref) for ref, word in last.items() if word.standing and word.ends_us is not None and word.ends_us <= log_us]
        for _, ref in over:
            last[ref].standing = False
        return [ref for _, ref in sorted(over)]

    def facts(self) -> dict[str, tuple[bool, int, int, int | None]]:
        told = {}
        for ref, said in self.words.items():
            spoken = [word for word in said if word.event.data is not None]
            if spoken:
                told[ref] = (said[-1].standing, _grains(spoken[-1].event), said[-1].count, spoken[-1].ends_us)
        return told

    def living(self) -> list[tuple[Thing, str]]:
        return sorted((_thing(said[-1].event)[0], ref) for ref, said in self.words.items() if said[-1].standing)

    def unit(self, thing: Thing) -> str:
        return min(row for row in self.units if row[3] == thing)[4]


def _thing(event: Event) -> tuple[Thing, str]:
    match event.data:
        case Offer(resource=name) as said:
            sort = RESOURCE
        case Capacity(process=name) as said:
            sort = PROCESS
        case Need() as said:
            sort, name = (RESOURCE, said.resource) if said.resource else (PROCESS, said.process or "")
        case _:
            return ("", ""), ""
    return (sort, name), UNITS[said.amount.unit].dimension


def _grains(event: Event) -> int:
    assert isinstance(event.data, Offer | Capacity | Need)
    return event.data.amount.grains


def random_words(draw: Random) -> list[tuple[Event, int]]:
    """Words of three agents on few subjects, many said late, twice or at one time, with the log time that took each."""
    words: list[tuple[Event, int]] = []
    log = 0.0
    for number in range(60):
        log += draw.choice([0, 0, 0.5, 3])
        at = max(0.0, log - draw.choice([0, 0, 0, 1, 5]) + draw.choice([0, 0, 0, 2]))
        agent, subject, thing = draw.choice("abc"), draw.choice("op"), draw.choice(["mask", "pla"])
        expires = draw.choice([None, None, log + 2, log - 1, at + 8])
        extra = {"at": at, "subject": subject, "id": f"{draw.randrange(10**6)}-{number}", "expires": expires}
        value, unit = draw.choice([1, 2, 2]), draw.choice(["1", "1", "kg"])
        line = draw.choice(
            [
                lambda: offer(agent, value, thing, unit=unit, **extra),  # noqa: B023  called at once
                lambda: need(agent, value, thing, unit=unit, **extra),  # noqa: B023
                lambda: hours(agent, value, "welding", **extra),  # noqa: B023
                lambda: capacity(agent, value, "welding", **extra),  # noqa: B023
                lambda: withdraw(draw.choice(["offer", "need", "capacity"]), agent, subject, at=at),  # noqa: B023
            ]
        )()
        words.append((parse_event(line), moment_us(log)))
        if draw.random() < 0.2:
            words.append(draw.choice(words))
    return [(event, max(log_us for _, log_us in words[: index + 1])) for index, (event, _) in enumerate(words)]


@pytest.mark.parametrize("life_days", [0, 0.25])
@pytest.mark.parametrize("seed", range(100))
def test_the_fold_says_at_every_step_what_a_plain_one_says(seed, life_days):
    network, plain = Network(Charter(default_life_days=life_days)), PlainNetwork(life_days)
    for step, (event, log_us) in enumerate(random_words(Random(seed))):
        where = f"seed {seed}, step {step}"
        before = dict(network.stances)
        network.changed.clear()
        assert network.advance(log_us) == plain.advance(log_us), where
        assert network.apply(event, log_us) == plain.apply(event, log_us), where
        told = {ref: (one.stands, one.stated_grains, one.count, one.expires_us) for ref, one in network.stances.items()}
        assert told == plain.facts(), where
        assert [(one.thing, one.ref) for one in network.living()] == plain.living(), where
        for ref, one in network.stances.items():
            if one is not before.get(ref) and one.stands:
                assert ref in network.changed[one.thing], where
    for thing in network.live_things():
        assert network.definition(thing).unit == plain.unit(thing) or thing[0] == PROCESS
