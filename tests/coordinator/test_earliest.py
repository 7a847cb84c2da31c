"""Lead times and windows that keep a thing from being made in time are told, with a change in time that was planned and is enough."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from coordinator.explaining import explain
from coordinator.exploding import explode
from coordinator.makers import designs
from coordinator.times import HOUR_US
from tests.coordinator.adapters.test_page import form_of
from tests.coordinator.test_production import making, recipe
from tests.support.desk import Desk
from tests.support.events import agent, amount, capacity, event, moment_us, need, offer

HOUR_MS = 3_600_000
SOON = 1e-6  # hours after all else was said
MAKER, OTHER, CLINIC = agent("maker", 48.0, 2.0), agent("other", 48.05, 2.0), agent("clinic", 48.1, 2.0)


def curing(hours):
    """A visor that can be used so many hours after it was cut."""
    step = {"process": "cutting", "effort": amount(1, "h"), "lead_h": hours}
    made = [{"resource": "visor", "quantity": amount(1)}]
    return event("recipe", "agent:designer", "visor", 0, {"recipe": "visor", "outputs": made, "inputs": [], "steps": [step]})


VISOR = recipe("designer", "visor", {"visor": 1}, {}, {"cutting": 1})
KIT = [recipe("designer", "kit", {"kit": 1}, {"part": 1}, {"assembly": 1}), recipe("designer", "part", {"part": 1}, {}, {"cutting": 1})]


@dataclass(frozen=True)
class Case:
    """A need that time alone keeps from being made."""

    lines: list[bytes]
    asks: dict[str, object]
    told: tuple[str, ...]  # by explode and why
    later: str  # that explode found to be enough, in words
    changed: Callable[[int], bytes] | None = None  # the signal said anew, as the change has it, so many hours later


LEAD = Case(
    [VISOR, capacity("maker", 20, "cutting", lead_h=100)],
    {"count": 5, "thing": "visor", "end": 50},
    (
        "the recipe designer/recipe/visor makes it, but it is ready at 2026-03-05T04:00:00Z at the earliest, "
        "and the need ends at 2026-03-03T02:00:00Z",
        "the recipe designer/recipe/visor makes it, but nobody has hours of cutting before 2026-03-05T04:00:00Z",
    ),
    "an end of the need 70 h later, at 2026-03-06T00:00:00Z, is enough for all of it",
    lambda later: need("clinic", 5, "visor", at=SOON, end=50 + later),
)
CURED = Case(
    [curing(48), capacity("maker", 20, "cutting")],
    {"count": 5, "thing": "visor", "end": 24},
    (
        "the recipe designer/recipe/visor makes it, but it is ready at 2026-03-03T00:00:00Z at the earliest, "
        "and the need ends at 2026-03-02T00:00:00Z",
        "the recipe designer/recipe/visor makes it, but what it makes can be used 48 h after its steps, which is their lead time",
    ),
    "an end of the need 32 h later, at 2026-03-03T08:00:00Z, is enough for all of it",
    lambda later: need("clinic", 5, "visor", at=SOON, end=24 + later),
)
CLOSED = Case(
    [*KIT, capacity("maker", 10, "assembly", end=48.0), capacity("other", 10, "cutting", begin=100.0, end=200.0)],
    {"count": 3, "thing": "kit", "due": 400, "end": 500},
    (
        "the recipe designer/recipe/kit makes it, but hours of assembly close at 2026-03-03T00:00:00Z, "
        "and what they wait for, part, is there at 2026-03-05T04:00:00Z at the earliest",
    ),
    "an end of maker's hours of assembly 58 h later, at 2026-03-05T10:00:00Z, is enough for all of it",
    lambda later: capacity("maker", 10, "assembly", at=SOON, end=48.0 + later),
)
OFFERED = Case(
    [KIT[0], capacity("maker", 10, "assembly"), offer("other", 5, "part", begin=30.0)],
    {"count": 3, "thing": "kit", "end": 20},
    (
        "the recipe designer/recipe/kit makes it, but it is ready at 2026-03-02T06:00:00Z at the earliest, "
        "and the need ends at 2026-03-01T20:00:00Z",
        "the recipe designer/recipe/kit makes it, but part is there at 2026-03-02T06:00:00Z at the earliest",
    ),
    "an end of the need 13 h later, at 2026-03-02T09:00:00Z, is enough for all of it",
    lambda later: need("clinic", 3, "kit", at=SOON, end=20 + later),
)
SHUT = Case(
    [VISOR, capacity("maker", 20, "cutting", lead_h=30, end=24.0)],
    {"count": 5, "thing": "visor", "end": 100},
    (
        "the recipe designer/recipe/visor makes it, but hours of cutting close at 2026-03-02T00:00:00Z, "
        "and nothing can begin there before 2026-03-02T06:00:00Z",
    ),
    "",
)
CASES = {"hours from later on": LEAD, "curing": CURED, "closed before parts come": CLOSED, "an input from later on": OFFERED}


def desk_of(case):
    asks = dict(case.asks)
    return Desk(MAKER, OTHER, CLINIC, *case.lines, need("clinic", asks.pop("count"), asks.pop("thing"), **asks))


def served(desk):
    return sum(line.quantity.grains for deal in making(desk) for line in deal.lines if line.serves)


@pytest.mark.parametrize("case", [*CASES.values(), SHUT], ids=[*CASES, "closed before its lead is over"])
def test_time_that_hinders_is_told(case):
    desk = desk_of(case)
    found = explode(desk.core, "clinic")
    assert (found.can_be_made.grains, found.bottleneck, found.too_late) == (0, None, case.told)
    told = explain(desk.core, "clinic")
    assert tuple(reason for reason in told.reasons if reason.startswith("the recipe")) == case.told
    assert served(desk) == 0


@pytest.mark.parametrize("case", [*CASES.values(), SHUT], ids=[*CASES, "closed before its lead is over"])
def test_what_time_hinders_can_be_said_in_the_readers_language(case):
    told = explain(desk_of(case).core, "clinic")
    lacks = [reason.partition(", but ")[2] for reason in told.reasons if reason.startswith("the recipe")]
    changes = [each for each in told.could_change if not each.startswith("somebody")]
    assert changes
    assert {form_of(each) for each in (*lacks, *changes)} & {None} == set()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_least_change_in_time_is_told_and_does_what_it_says(case):
    desk = desk_of(case)
    found = explode(desk.core, "clinic")
    [later] = [change for change in found.enough if change.sort == "time"]
    assert later.sentence == case.later
    others = [change.sentence for change in found.enough if change.sort != "time"]
    assert all(told.endswith(", there at once: what is free is not there in time") for told in others)
    hours = later.by.grains // HOUR_MS
    desk.take(case.changed(hours))
    assert served(desk) == case.asks["count"]
    sooner = desk_of(case)
    sooner.take(case.changed(hours - 1))
    assert served(sooner) < case.asks["count"]


def test_of_two_recipes_the_one_in_time_is_enough():
    desk = Desk(MAKER, CLINIC, curing(48), recipe("designer", "cut", {"visor": 1}, {}, {"sewing": 1}), capacity("maker", 20, "cutting"))
    desk.take(capacity("maker", 20, "sewing", subject="sewing"), need("clinic", 5, "visor", end=24))
    found = explode(desk.core, "clinic")
    assert (found.too_late, found.can_be_made.grains, found.enough) == ((), 5, ())


def test_makers_are_told_with_lead_times_and_when_their_hours_begin():
    desk = Desk(MAKER, OTHER, curing(48), capacity("maker", 20, "cutting", lead_h=100), capacity("other", 20, "cutting"))
    [found] = designs(desk.core, "visor").items
    assert [one.lead.to_json() for one in found.requirements] == [amount(48, "h")]
    assert {one.agent: one.told for one in found.makers} == {
        "maker": "has it, with free hours, none before 2026-03-05T04:00:00Z",
        "other": "has it, with free hours",
    }


# -- ways that take time --------------------------------------------------------------------------------------------------

FAR = [agent("maker", 48.0, 2.0), agent("clinic", 35.0, 139.0), capacity("maker", 20, "cutting")]  # from Paris to Tokyo, 12.3 h at 800 km/h
FAR.append(recipe("designer", "visor", {"visor": 1}, {}, {"cutting": 0.5}))


def lines_of(desk):
    return [line for deal in making(desk) for line in deal.lines]


@pytest.mark.parametrize(("rules", "end", "count"), [
    pytest.param({}, 3, 5, id="no time, as the charter says none"),
    pytest.param({"speed_kmh": 800}, 3, 0, id="too far"),
    pytest.param({"speed_kmh": 800}, 24, 5, id="there in a day"),
    pytest.param({"speed_kmh": 800, "handling_hours": 12}, 24, 0, id="handled too long"),
    pytest.param({"handling_hours": 2.5}, 2.6, 0, id="handling alone"),
    pytest.param({"handling_hours": 2.5}, 24, 5, id="handled in time"),
])  # fmt: skip
def test_goods_that_were_made_are_on_their_way_as_long_as_the_charter_says(rules, end, count):
    desk = Desk(*FAR, need("clinic", 5, "visor", due=end, end=end), **rules)
    lines = lines_of(desk)
    assert sum(line.quantity.grains for line in lines if line.serves) == count
    moved, worked = ([line for line in lines if line.action == action] for action in ("transfer", "use"))
    for line in moved:
        way_h = rules.get("handling_hours", 0) + (line.distance_m / 1000 / rules["speed_kmh"] if "speed_kmh" in rules else 0)
        assert line.end_us - worked[0].end_us >= way_h * HOUR_US
        assert line.end_us <= moment_us(end)


def test_what_is_made_of_parts_waits_for_their_way_too():
    lines = [agent("maker", 48.0, 2.0), agent("far", 48.0, 10.0), agent("clinic", 48.0, 2.01), *KIT]
    lines += [capacity("maker", 10, "assembly"), capacity("far", 10, "cutting"), need("clinic", 3, "kit", due=24, end=24)]
    assert sum(line.quantity.grains for line in lines_of(Desk(*lines)) if line.serves) == 3
    assert lines_of(Desk(*lines, speed_kmh=20)) == []
    slow = {line.action + line.thing[1]: line for line in lines_of(Desk(*lines, speed_kmh=50))}
    part, kit = slow["transferpart"], slow["transferkit"]
    assert part.distance_m > 500_000
    assert slow["useassembly"].begin_us >= slow["usecutting"].begin_us + part.distance_m / 50_000 * HOUR_US
    assert kit.end_us > slow["useassembly"].begin_us


def test_a_way_that_takes_too_long_is_told_with_a_later_end_that_is_enough():
    desk = Desk(*FAR, need("clinic", 5, "visor", end=3), speed_kmh=800)
    found = explode(desk.core, "clinic")
    assert (found.ways_take_time, explode(Desk(*FAR, need("clinic", 5, "visor", end=3)).core, "clinic").ways_take_time) == (True, False)
    [told] = found.too_late
    assert told == (
        "the recipe designer/recipe/visor makes it, but it arrives at 2026-03-01T12:19:00Z at the earliest, "
        "after 12.3 h on its way, and the need ends at 2026-03-01T03:00:00Z"
    )
    assert told in explain(desk.core, "clinic").reasons
    assert form_of(told.partition(", but ")[2]) is not None
    [later] = [change for change in found.enough if change.sort == "time"]
    desk.take(need("clinic", 5, "visor", at=SOON, end=3 + later.by.grains // HOUR_MS))
    assert served(desk) == 5


def test_a_maker_next_door_is_not_late_for_the_one_far_away():
    desk = Desk(*FAR, agent("near", 35.0, 139.0), capacity("near", 20, "cutting"), need("clinic", 5, "visor", end=3), speed_kmh=800)
    assert (explode(desk.core, "clinic").too_late, served(desk)) == ((), 5)


def test_goods_on_hand_are_matched_as_if_their_way_took_no_time():
    """Told in README: only plans of making count it."""
    desk = Desk(*FAR[:2], offer("maker", 5, "visor"), need("clinic", 5, "visor", end=3), speed_kmh=800)
    assert [line.quantity.grains for deal in desk.cycle() for line in deal.lines] == [5]
