"""Counts and sums that are kept as things change are what a walk through all of them finds, whatever was said and whenever one asks."""

import re
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from coordinator.accounts import find
from coordinator.adapters.service import TimedCoordination
from coordinator.commitments import BOUND, OPEN, Book, Claim
from coordinator.cycle import Coordination
from coordinator.errors import Refused
from coordinator.history import sample_of
from coordinator.network import Stance
from coordinator.replaying import in_other_dimensions, resource_sums
from coordinator.shortage import Wanted, needs_by_urgency, shortage
from coordinator.signals import parse_event
from coordinator.snapshots import freeze, thaw
from coordinator.units import UNITS, from_grains
from coordinator.views import overview
from tests.coordinator.test_snapshots import CHARTER as PLAIN
from tests.coordinator.test_snapshots import folding, words_of
from tests.support import events as say
from tests.support.desk import Desk
from tests.support.walks import asked_by, covered_by, needs_short, overview_by, pressures_by, sums_by

TIERS = range(4)
CHARTER = PLAIN.model_copy(update={"may_claim_tier": {"0": ("class:hospital",), "2": ("class:school", "agent-a")}})


def restless(seed: int) -> Iterator[bytes]:
    """Yield the words of some days, and among them agents who rename things, speak of others, count them otherwise, or change class."""
    random = Random(f"restless {seed}")
    for line in words_of(seed):
        yield line
        at, who = parse_event(line).time_us / 3.6e9 - say.moment_us(0) / 3.6e9, f"agent-{random.choice('abcdef')}"
        subject = f"x{random.randrange(3)}"
        match random.randrange(14):
            case 0:
                aliases = random.sample(["visor", "strap", "gloves", "face mask"], 2)
                yield say.resource(who, random.choice(["mask", "shield", "gloves"]), at=at, aliases=aliases)
            case 1:
                yield say.withdraw("resource", who, random.choice(["mask", "shield", "gloves"]), at=at)
            case 2:
                thing, unit = random.choice(["gloves", "visor", "mask", "ink"]), random.choice(["1", "kg", "L", "g"])
                basis = random.choice(["free", "total"])
                said = random.choice([say.offer, say.need])
                yield said(who, random.randint(1, 9), thing, at=at, subject=subject, unit=unit, basis=basis)
            case 3:
                yield say.need(who, random.randint(1, 9), "mask", at=at, subject=subject, tier=random.randrange(4), expires=at + 5)
            case 4:
                yield say.agent(who, 45.0, at=at, classified_as=random.sample(["hospital", "school"], random.randint(0, 2)))
            case 5:
                yield say.withdraw(random.choice(["offer", "need"]), who, subject, at=at)
            case 6:
                process = random.choice(["Laser Cutting", "lasercutter", "laser-cutting", "sewing"])
                yield random.choice([say.capacity, say.hours])(who, random.randint(1, 9), process, at=at, subject=subject)


def assert_as_walked(core: Coordination) -> None:
    network, book = core.network, core.book
    told, plain = overview(core), overview_by(core)
    assert {name: told[name] for name in plain} == plain
    rows, walked = resource_sums(network, book), sums_by(network, book)
    names = Counter(name for _, name in walked)
    assert rows == {
        f"process:{name}" if sort == "process" and names[name] > 1 else name: {
            "unit": unit,
            **{
                what: from_grains(int(sums[at] * UNITS[unit].grains), unit)
                for at, what in enumerate(("offered", "needed", "proposed", "committed"))
            },
            "quantity_km": int(sums[4]) if sums[4].denominator == 1 else float(sums[4]),
        }
        for (sort, name), (unit, sums) in walked.items()
    }
    left_out = sum(UNITS[walked[network.canonical(one.thing)][0]].dimension != one.dimension for one in network.stances.values())
    assert sum(int(re.search(r"([\d,]+) signals? of it", told)[1].replace(",", "")) for told in in_other_dimensions(network)) == left_out
    for stance in network.stances.values():
        assert book.asked_grains(stance.ref) == asked_by(book, stance)
        assert stance.is_supply or book.covered_grains(stance) == covered_by(book, stance)
    for thing in {network.canonical(thing) for thing in network.live_things()}:
        assert set(network.called(thing)) >= {said for said in network.live_things() if network.canonical(said) == thing}
        assert {network.canonical(said) for said in network.called(thing)} == {thing}
    assert_needs_as_walked(core)
    names_told = {(row["sort"], row["name"]) for row in find(core, "a", 10**6)}
    assert names_told == {(sort, name) for sort, name in _names(core) if "a" in name.casefold()}


def _names(core: Coordination) -> Iterator[tuple[str, str]]:
    for name in core.network.agents:
        yield "agent", name
    for stance in core.network.stances.values():
        if stance.stands:
            yield core.network.canonical(stance.thing)
            if not stance.is_supply:
                yield "need", stance.ref
    for deal in core.book.deals.values():
        if deal.state in OPEN | BOUND:
            yield "proposal", deal.proposal


def assert_needs_as_walked(core: Coordination) -> None:
    needs = sorted(needs_short(core), key=lambda one: (not one.short, one.tier, one.covered / one.asked, one.ref))
    assert core.open_needs.unpromised() == Counter(one.unpromised for one in needs if one.unpromised is not None)
    listed = needs_by_urgency(core, Wanted(limit=10**6))
    assert [row["ref"] for row in listed["items"]] == [one.ref for one in needs]
    assert (listed["total"], listed["short"]) == (len(needs), sum(one.short > 0 for one in needs))
    some = needs_by_urgency(core, Wanted(limit=2, skip=1, resource="mask", short_only=True))
    masks = [one for one in needs if one.short and "mask" in (one.thing[1], core.network.stances[one.ref].name)]
    assert ([row["ref"] for row in some["items"]], some["total"]) == ([one.ref for one in masks[1:3]], len(masks))
    sample = sample_of(core)
    assert sample.needs == tuple(sum(one.tier == tier for one in needs) for tier in TIERS)
    assert sample.short == tuple(sum(one.tier == tier and one.short > 0 for one in needs) for tier in TIERS)
    assert sample.pressures == pressures_by(core)
    rows = {
        (row["sort"], row["name"], tier["asked"]["unit"], tier["tier"]): tier for row in shortage(core)["items"] for tier in row["tiers"]
    }
    for (sort, name, unit, tier), row in rows.items():
        mine = [one for one in needs if (one.thing, one.tier, one.dimension) == ((sort, name), tier, UNITS[unit].dimension)]
        assert row["needs"] == len(mine) > 0
        assert (row["short_needs"], row["short_agents"]) == (
            sum(one.short > 0 for one in mine),
            len({one.agent for one in mine if one.short}),
        )
        assert row["asked"]["value"] == from_grains(sum(one.asked for one in mine), unit)
        assert row["short"]["value"] == from_grains(sum(one.short for one in mine), unit)
    assert sum(row["needs"] for row in rows.values()) == len(needs)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("every", [3, 40])
def test_what_is_kept_is_what_a_walk_finds_at_every_moment(seed: int, every: int):
    core = Coordination(CHARTER, judging=False, planning=False)
    words = list(restless(seed))
    for begin in range(0, len(words), every):
        folding(words[begin : begin + every], core)
        if every > 3 or begin % 10 == 0:
            assert_as_walked(core)


@pytest.mark.parametrize("seed", range(2))
def test_it_is_so_where_a_coordinator_decides_too(seed: int):
    core = TimedCoordination(CHARTER)
    for number, line in enumerate(restless(seed)):
        event = parse_event(line)
        if event.by_agent or event.kind == "tick":
            try:
                core.take(event, line)
            except Refused:
                continue
        if number % 25 == 0:
            assert_as_walked(core)
    assert core.open_by_tier


@pytest.mark.parametrize("seed", range(2))
def test_it_is_so_from_a_snapshot_on(seed: int):
    words = list(restless(seed))
    first, again = (Coordination(CHARTER, judging=False, planning=False) for _ in range(2))
    thaw(freeze(folding(words[: len(words) // 2], first)), again)
    assert_as_walked(again)
    folding(words[len(words) // 2 :], again)
    assert_as_walked(again)


def test_a_thing_counted_in_another_dimension_than_its_first_word_is_summed_up_in_the_unit_of_the_least_ref():
    def unit_of_ink(*lines: bytes) -> object:
        desk.take(*lines)
        assert_as_walked(desk.core)
        return overview(desk.core)["resources"]["ink"]["unit"]

    desk = Desk()
    assert unit_of_ink(say.offer("b", 1, "ink", unit="kg")) == "kg"
    assert unit_of_ink(say.offer("b", 1, "ink", unit="L", at=1), say.offer("a", 1, "ink", unit="m3", at=1)) == "m3"
    assert unit_of_ink(say.offer("a", 1, "ink", unit="L", at=2), say.offer("b", 1, "ink", unit="m3", at=2)) == "L"
    assert unit_of_ink(say.offer("a", 1, "mask", at=3)) == "m3"
    assert unit_of_ink(say.offer("c", 1, "ink", unit="g", at=4)) == "kg"


def test_a_proposal_that_is_made_again_counts_once():
    desk = Desk(say.offer("g", 4), say.need("r", 4), say.proposal("p", "g", "r", 4, at=0), say.retracted("p", at=1))
    assert overview(desk.core)["proposals"] == {"retracted": 1}
    desk.take(say.proposal("p", "g", "r", 4, at=2))
    assert overview(desk.core)["proposals"] == {"proposed": 1}
    assert_as_walked(desk.core)


def test_a_definition_has_only_those_needs_looked_at_whose_name_means_another_thing_now(monkeypatch):
    desk, looked_at = Desk(*(say.need("r", 1 + number, f"thing-{number}", subject=f"{number}") for number in range(9))), []

    def looking(book: Book, need: Stance) -> Claim:
        looked_at.append(need.name)
        return claim_of(book, need)

    def looked_at_after(*lines: bytes) -> list[str]:
        desk.take(*lines)
        looked_at.clear()
        desk.core.open_needs.refresh()
        found = sorted(looked_at)
        assert_as_walked(desk.core)
        return found

    claim_of = Book.claim_of
    monkeypatch.setattr(Book, "claim_of", looking)
    assert len(looked_at_after()) == 9
    assert looked_at_after(say.resource("z", "another", at=1)) == []
    assert looked_at_after(say.resource("z", "another", at=2, mass_kg=2)) == []
    assert looked_at_after(say.resource("z", "another", at=3, aliases=["thing-3", "nobody's"])) == ["thing-3"]
    assert looked_at_after(say.resource("y", "thing-7", at=4, aliases=["thing-1", "thing-2"])) == ["thing-1", "thing-2"]
    assert looked_at_after(say.withdraw("resource", "z", "another", at=5)) == ["thing-3"]
    assert looked_at_after(say.resource("x", "thing-1", at=6), say.need("r", 9, "thing-5", subject="5", at=6)) == ["thing-1", "thing-5"]


def test_needs_looked_at_some_at_a_time_come_to_the_same_as_all_at_once():
    desk = Desk(*(say.need("r", 1 + number, f"thing-{number % 3}", subject=f"{number}", tier=number % 4) for number in range(20)))
    needs, turns = desk.core.open_needs, 1
    while not needs.refresh_some(3):
        turns += 1
    assert turns == 8
    assert_as_walked(desk.core)
    desk.take(*(say.need("r", 50, "thing-1", subject=f"{number}", at=1) for number in range(4)), say.withdraw("need", "r", "9", at=1))
    assert not needs.refresh_some(3)
    desk.take(say.need("s", 7, "thing-2", at=2), say.offer("g", 9, "thing-1", at=2))
    desk.cycle()
    assert_as_walked(desk.core)
