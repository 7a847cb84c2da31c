"""The contract's matching rules one by one, then all together against an oracle that shares no code with them."""

import math
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from coordinator.matching import Columns, Hidden, Market
from coordinator.routes import route_table
from tests.support.desk import Desk
from tests.support.events import agent, answer, capacity, hours, moment_us, need, offer, resource, route

HERE = [agent("a", 48.0, 2.0), agent("b", 48.5, 2.0)]  # 55 598 m apart
APART_M = 55_598


def proposed(*lines: bytes, **rules: Any) -> int:
    """What is proposed in all, in grains, of these signals."""
    desk = Desk(*lines, **rules)
    desk.cycle()
    return sum(desk.parties.values())


def hidden(desk: Desk) -> dict[Hidden, int]:
    return {why: count for answer in desk.core.planner.solved.values() for why, count in answer.hidden.items()}


def distance_m(*lines: bytes, **more: Any) -> int:
    desk = Desk(*lines, offer("a", 1), need("b", 1), **more)
    (deal,) = desk.cycle()
    return deal.lines[0].distance_m


# -- who -----------------------------------------------------------------------------------------------------------


def test_an_agent_is_never_matched_with_itself():
    desk = Desk(agent("a", 48.0), offer("a", 10), need("a", 10))
    assert desk.cycle() == []
    assert hidden(desk) == {Hidden.OWN: 1}


def test_agents_and_resources_nobody_declared_are_matched():
    assert proposed(offer("a", 3, place={"lat": 1, "long": 1}), need("b", 5, place={"lat": 1, "long": 2})) == 3


# -- when ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "wanted", "matches"),
    [
        pytest.param({"begin": 10, "end": 20}, {"begin": 19.999, "end": 30}, True, id="they overlap"),
        pytest.param({"begin": 10, "end": 20}, {"begin": 20, "end": 30}, False, id="one ends where the other begins"),
        pytest.param({"begin": 20, "end": 30}, {"begin": 10, "end": 20}, False, id="the other way round"),
        pytest.param({"begin": 20}, {"end": 20}, False, id="open windows meet in no instant"),
        pytest.param({"begin": 20}, {"end": 20.001}, True, id="open windows meet"),
        pytest.param({}, {"begin": 500}, True, id="no window is always"),
        pytest.param({}, {"end": 0}, False, id="what has ended by now is useless"),
    ],
)
def test_windows_are_half_open(given, wanted, matches):
    assert proposed(*HERE, offer("a", 5, **given), need("b", 5, **wanted)) == (5 if matches else 0)


@pytest.mark.parametrize(
    ("begin", "now", "late"),
    [
        pytest.param(None, 0, False, id="in time"),
        pytest.param(10, 0, False, id="just in time"),
        pytest.param(10.01, 0, True, id="it begins after it was due"),
        pytest.param(None, 10.01, True, id="it was due before now"),
    ],
)
def test_arriving_after_due_is_allowed_until_the_end_and_shown_late(begin, now, late):
    desk = Desk(*HERE, offer("a", 5, begin=begin) if begin else offer("a", 5), need("b", 5, due=10, end=20))
    desk.until(now)
    desk.cycle()
    assert desk.reason().get("late", False) is late


def test_columns_at_hand_hide_what_the_signals_themselves_do():
    """Whoever keeps a market has its columns; only where all speak of one thing is nobody's name looked up."""
    random = Random(3)
    for things in (["mask"], ["mask", "visor"]):
        names = [f"x{number}" for number in range(12)]
        signals = [agent(name, random.uniform(45, 50), random.uniform(0, 5)) for name in names[1:]]
        for number in range(40):
            say, name = (offer if number % 2 else need), random.choice(names[:6])
            more: dict[str, Any] = {"resource": random.choice(things), "subject": f"s{number}", "within_km": random.choice([30, 200, 900])}
            if number % 2 == 0 and len(things) > 1:
                more["substitutes"] = ["visor"]
            if number % 3 == 0:
                more["end"] = random.choice([5, 50])
            elif number % 3 == 1:
                more["begin"] = random.choice([1, 20])
            signals.append(say(name, 5, **more))
        desk = Desk(*signals)
        network = desk.core.network
        standing = [network.stances[ref] for ref in sorted(network.stances)]
        offers, needs = [one for one in standing if one.is_supply], [one for one in standing if not one.is_supply]
        columns = Columns.of(network, offers), Columns.of(network, needs)
        found = []
        for given in (None, columns):
            market = Market(network, desk.core.book, offers, needs, desk.core.log_us, columns=given)
            rows = [row for pairs in market.pairs(counting=True) for row in zip(*(column.tolist() for column in pairs), strict=True)]
            found.append((rows, market.hidden))
        assert found[0] == found[1]
        assert {Hidden.OWN, Hidden.WINDOW, Hidden.TOO_FAR} <= found[0][1].keys()
        assert found[0][0]


# -- how far -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whose", ["offer", "need", "charter"])
@pytest.mark.parametrize(("radius_km", "matches"), [(APART_M / 1000, True), ((APART_M - 1) / 1000, False)])
def test_the_radius_of_offer_need_and_charter_is_inclusive(whose, radius_km, matches):
    offered = offer("a", 5, **({"within_km": radius_km} if whose == "offer" else {}))
    needed = need("b", 5, **({"within_km": radius_km} if whose == "need" else {}))
    desk = Desk(*HERE, offered, needed, **({"radius_km": radius_km} if whose == "charter" else {}))
    desk.cycle()
    assert desk.parties == ({("a", "b"): 5} if matches else {})
    assert hidden(desk) == ({} if matches else {Hidden.TOO_FAR: 1})


@pytest.mark.parametrize("metres", [1001, 1005, 2003, 8001, 16_099])
def test_a_radius_of_whole_metres_is_not_cut_short_by_binary_fractions(metres):
    assert proposed(route("a", "b", metres / 1000), offer("a", 5), need("b", 5), radius_km=metres / 1000) == 5


@pytest.mark.parametrize("radius_km", [0.0, 55.598, 400.0])
def test_the_place_index_hides_exactly_what_comparing_all_pairs_hides(radius_km, monkeypatch):
    random = Random(5)
    agents = [agent(f"x{number}", random.uniform(45, 50), random.uniform(0, 5)) for number in range(60)] + [agent("nowhere")]
    signals = [(offer if number % 2 else need)(f"x{number}", 5) for number in range(60)] + [
        need("nowhere", 5),
        *HERE,
        offer("a", 5),
        need("b", 5),
    ]
    outcomes = []
    for worth_an_index in (10**9, 0):
        monkeypatch.setattr("coordinator.matching.WORTH_AN_INDEX", worth_an_index)
        desk = Desk(*agents, *signals, radius_km=radius_km)
        desk.cycle()
        outcomes.append((desk.parties, hidden(desk)))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][1][Hidden.TOO_FAR] > 0


def test_a_radius_of_zero_means_the_same_place():
    assert proposed(agent("a", 1.0), agent("b", 1.0), offer("a", 5, within_km=0), need("b", 5)) == 5
    assert proposed(agent("a", 1.0), agent("b", 1.1), offer("a", 5, within_km=0), need("b", 5)) == 0


TABLE = route_table(["a", "b"], [0], [1], [4_000])
OWN, BACK, ONE_WAY = route("a", "b", 1), route("b", "a", 2), route("b", "a", 2, two_way=False)


@pytest.mark.parametrize(
    ("lines", "table", "metres"),
    [
        pytest.param([*HERE, OWN, BACK], TABLE, 1_000, id="first the provider's own route"),
        pytest.param([*HERE, BACK], TABLE, 2_000, id="then the receiver's two-way route"),
        pytest.param([*HERE, ONE_WAY], TABLE, 4_000, id="a one-way route does not lead back; then the table"),
        pytest.param([*HERE], None, APART_M, id="then the great circle"),
        pytest.param([OWN], None, 1_000, id="a route needs no place"),
        pytest.param([route("a", "b", 1, two_way=False)], None, 1_000, id="one's own one-way route leads there"),
        pytest.param([], TABLE, 4_000, id="the table needs no place"),
        pytest.param([route("a", "b", 1.2345)], None, 1_234, id="whole metres, halves to even"),
        pytest.param([route("a", "b", 0)], None, 0, id="no distance at all is a distance"),
    ],
)
def test_distances_come_from_the_first_source_that_knows(lines, table, metres):
    assert distance_m(*lines, table=table) == metres


def test_a_signals_own_place_goes_before_its_agents():
    desk = Desk(*HERE, offer("a", 5, place={"lat": 48.5, "long": 2.0}), need("b", 5))
    assert desk.cycle()[0].lines[0].distance_m == 0


@pytest.mark.parametrize("placed", [0, 1])
def test_without_place_or_route_nothing_connects_them(placed):
    desk = Desk(HERE[placed], offer("a", 5), need("b", 5))
    assert desk.cycle() == []
    assert hidden(desk) == {Hidden.NO_ROUTE: 1}


# -- what ----------------------------------------------------------------------------------------------------------


def test_units_of_one_dimension_convert():
    assert proposed(*HERE, offer("a", 1500, "pla", unit="g"), need("b", 1, "pla", unit="kg")) == 10**9


def test_two_dimensions_of_one_resource_do_not_match_and_the_reason_is_kept():
    desk = Desk(*HERE, offer("a", 3, "pla", unit="kg"), need("b", 5, "pla"))
    assert desk.cycle() == []
    assert hidden(desk) == {Hidden.DIMENSION: 1}


@pytest.mark.parametrize(
    ("wanted", "names", "moves"),
    [
        pytest.param("visor", ["mask"], 5, id="a substitute binds"),
        pytest.param("visor", ["gown", "mask"], 5, id="one of several"),
        pytest.param("visor", [], 0, id="nothing is guessed"),
        pytest.param("visor", ["gown"], 0, id="another is none"),
    ],
)
def test_substitutes_of_a_need_are_taken_one_for_one(wanted, names, moves):
    assert proposed(*HERE, offer("a", 5, "mask"), need("b", 9, wanted, substitutes=names)) == moves


def test_a_resources_own_substitutes_are_only_a_suggestion():
    assert proposed(*HERE, resource("a", "visor", substitutes=["mask"]), offer("a", 5, "mask"), need("b", 5, "visor")) == 0


def test_a_substitute_of_another_dimension_does_not_match():
    assert proposed(*HERE, offer("a", 5, "film", unit="m2"), need("b", 5, "visor", substitutes=["film"])) == 0


def test_what_a_need_accepts_instead_others_do_not():
    needs = [need("b", 5, "visor", substitutes=["mask"]), agent("c", 48.4, 2.0), need("c", 5, "visor")]
    desk = Desk(*HERE, offer("a", 8, "mask"), *needs)
    desk.cycle()
    assert desk.parties == {("a", "b"): 5}
    assert hidden(desk) == {Hidden.OTHER_THING: 1}


def test_a_proposal_names_what_moves_not_what_it_stands_for():
    desk = Desk(*HERE, offer("a", 5, "mask"), need("b", 5, "visor", substitutes=["mask"]))
    assert desk.cycle()[0].lines[0].resource == "mask"


@pytest.mark.parametrize(
    ("lines", "mass"),
    [
        pytest.param([], "unknown, counted as 1 kg a unit", id="unknown mass"),
        pytest.param([resource("a", "mask", mass_kg=0.5)], None, id="known mass"),
    ],
)
def test_unknown_mass_counts_as_one_kilogram_a_unit_and_is_said(lines, mass):
    desk = Desk(*HERE, *lines, route("a", "b", 10), offer("a", 4), need("b", 4), effort="kg_km")
    (deal,) = desk.cycle()
    assert deal.lines[0].effort == 4 * 10 * (1 if mass else 0.5)
    assert desk.reason().get("mass") == mass


def test_what_is_counted_by_mass_weighs_what_it_is():
    desk = Desk(route("a", "b", 10), offer("a", 500, "pla", unit="g"), need("b", 1, "pla", unit="kg"), effort="kg_km")
    (deal,) = desk.cycle()
    assert deal.lines[0].effort == 5
    assert "mass" not in desk.reason()


def test_hours_meet_needs_of_hours_and_never_goods_of_that_name():
    desk = Desk(*HERE, capacity("a", 2.5), hours("b", 90, unit="min"), need("b", 3, "sewing", subject="goods"))
    (deal,) = desk.cycle()
    (line,) = deal.lines
    assert (line.resource, line.quantity.to_json(), line.offer, line.need, line.action) == (
        "sewing",
        {"value": 1.5, "unit": "h"},
        "a/capacity/c",
        "b/need/n",
        "use",
    )


@pytest.mark.parametrize(("begin", "end", "matches"), [(0, 10, True), (10, 20, False)])
def test_hours_are_matched_within_their_window(begin, end, matches):
    assert bool(proposed(*HERE, capacity("a", 2, begin=begin, end=end), hours("b", 2, end=10))) is matches


# -- how much ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "needed", "moves"),
    [
        pytest.param({"quantity": 9, "minimum": 10}, {"quantity": 50}, 0, id="an offer below its own minimum"),
        pytest.param({"quantity": 10, "minimum": 10}, {"quantity": 50}, 10, id="just enough"),
        pytest.param({"quantity": 50, "minimum": 10}, {"quantity": 9}, 0, id="a need below the offer's minimum"),
        pytest.param({"quantity": 9}, {"quantity": 50, "minimum": 10}, 0, id="an offer below the need's minimum"),
        pytest.param({"quantity": 12, "minimum": 5}, {"quantity": 20, "minimum": 12}, 12, id="the larger minimum counts"),
    ],
)
def test_a_pair_whose_larger_possible_part_is_below_a_minimum_is_excluded(offered, needed, moves):
    desk = Desk(*HERE, offer("a", **offered), need("b", **needed))
    desk.cycle()
    assert sum(desk.parties.values()) == moves
    assert hidden(desk) == ({} if moves else {Hidden.MINIMUM: 1})


def test_a_declined_pair_is_hidden_as_declined():
    desk = Desk(*HERE, offer("a", 5), need("b", 5))
    (deal,) = desk.cycle()
    desk.take(answer("b", deal.proposal, "decline", at=1))
    assert desk.cycle() == []
    assert hidden(desk) == {Hidden.DECLINED: 1}


@pytest.mark.parametrize(
    ("pack", "offered", "needed", "moves"),
    [(10, 35, 100, 30), (10, 100, 25, 20), (10, 9, 100, 0), (10, 100, 9, 0), (2.5, 9, 9, 7.5), (1, 7, 9, 7)],
)
def test_only_whole_packs_move(pack, offered, needed, moves):
    lines = [resource("a", "pla", "kg", multiple=pack), offer("a", offered, "pla", unit="kg"), need("b", needed, "pla", unit="kg")]
    assert proposed(*HERE, *lines) == moves * 10**9


# -- all together --------------------------------------------------------------------------------------------------


@dataclass
class Said:
    who: str
    lat: float | None
    begin: int | None
    end: int | None
    within_km: float | None
    minimum: int
    quantity: int
    thing: str
    takes: tuple[str, ...] = ()


def drawn(draw: Random, who: str, things: list[str]) -> Said:
    begin, end = sorted(draw.sample(range(12), 2))
    return Said(
        who=who,
        lat=draw.choice([None, *range(5)]),
        begin=draw.choice([None, begin]),
        end=draw.choice([None, end]),
        within_km=draw.choice([None, None, 111.195, 222.39, 300]),
        minimum=draw.choice([0, 0, 3, 6]),
        quantity=draw.randint(1, 9),
        thing=draw.choice(things),
        takes=tuple(draw.sample(things, draw.randint(0, len(things) - 1))),
    )


def more_of(said: Said) -> dict[str, Any]:
    fields = {"begin": said.begin, "end": said.end, "within_km": said.within_km, "minimum": said.minimum or None}
    place = {} if said.lat is None else {"place": {"lat": said.lat, "long": 0}}
    return {key: value for key, value in fields.items() if value is not None} | place


def oracle_m(give: Said, take: Said, routes: dict[tuple[str, str], tuple[int, bool]], table: dict[frozenset[str], int]) -> int | None:
    if (give.who, take.who) in routes:
        return routes[give.who, take.who][0]
    if (take.who, give.who) in routes and routes[take.who, give.who][1]:
        return routes[take.who, give.who][0]
    if frozenset((give.who, take.who)) in table:
        return table[frozenset((give.who, take.who))]
    if give.lat is None or take.lat is None:
        return None
    return round(math.radians(abs(give.lat - take.lat)) * 6_371_008.8)  # on one meridian


def oracle(give: Said, take: Said, metres: int | None, now: float, radius_km: float | None) -> bool:
    """Whether a part may move, by the sentences of the contract."""
    if give.who == take.who or give.thing not in (take.thing, *take.takes) or metres is None:
        return False
    begin = max(give.begin or 0, take.begin or 0, now)
    end = min(give.end if give.end is not None else 9999, take.end if take.end is not None else 9999)
    if not begin < end:
        return False
    if any(radius is not None and metres > round(radius * 1000) for radius in (give.within_km, take.within_km, radius_km)):
        return False
    return min(give.quantity, take.quantity) >= max(give.minimum, take.minimum)


@pytest.mark.parametrize("seed", range(60))
def test_all_rules_together_equal_the_oracle(seed):
    draw = Random(seed)
    names, things = [f"m{index}" for index in range(7)], ["mask", "visor", "gown"]
    gives = [drawn(draw, draw.choice(names), things) for _ in range(6)]
    takes = [drawn(draw, draw.choice(names), things) for _ in range(6)]
    pairs = [(one, other) for one in names for other in names if one != other]
    routes = {pair: (draw.randint(0, 400_000), draw.random() < 0.5) for pair in draw.sample(pairs, 6)}
    table = {frozenset(pair): draw.randint(0, 400_000) for pair in draw.sample(pairs, 4)}
    radius_km, now = draw.choice([None, 250.0]), draw.choice([0, 5])
    rows = [(*sorted(names.index(name) for name in pair), metres) for pair, metres in table.items()]
    known = route_table(names, *([row[part] for row in rows] for part in range(3)))
    desk = Desk(table=known, radius_km=radius_km)
    desk.take(*(route(one, other, metres / 1000, two_way=both) for (one, other), (metres, both) in routes.items()))
    desk.take(*(offer(one.who, one.quantity, one.thing, subject=f"o{index}", **more_of(one)) for index, one in enumerate(gives)))
    desk.take(
        *(
            need(one.who, one.quantity, one.thing, subject=f"n{index}", substitutes=list(one.takes), **more_of(one))
            for index, one in enumerate(takes)
        )
    )
    desk.until(now)
    expected = {
        (f"{give.who}/o{first}", f"{take.who}/n{second}"): metres
        for first, give in enumerate(gives)
        for second, take in enumerate(takes)
        if oracle(give, take, metres := oracle_m(give, take, routes, table), now, radius_km)
    }
    deals = desk.cycle()
    for deal in deals:
        for line in deal.lines:
            pair = (line.offer.replace("/offer", ""), line.need.replace("/need", ""))
            assert expected.get(pair) == line.distance_m, f"{pair} may not move so"
    used = {name for deal in deals for line in deal.lines for name in (line.offer, line.need)}
    if not any(one.minimum for one in (*gives, *takes)):  # A pair of which neither side is used would be a pair that was lost.
        assert all(used & {pair[0].replace("/", "/offer/"), pair[1].replace("/", "/need/")} for pair in expected)


@pytest.mark.parametrize("seed", range(60))
def test_candidates_are_exactly_the_pairs_the_oracle_allows(seed):
    draw = Random(1000 + seed)
    names = [f"m{index}" for index in range(6)]
    gives = [drawn(draw, draw.choice(names), ["mask"]) for _ in range(6)]
    takes = [drawn(draw, draw.choice(names), ["mask"]) for _ in range(6)]
    for one in (*gives, *takes):
        one.minimum = 0
    radius_km, now = draw.choice([None, 250.0]), draw.choice([0, 5])
    desk = Desk(radius_km=radius_km)
    desk.take(*(offer(one.who, one.quantity, subject=f"o{index}", **more_of(one)) for index, one in enumerate(gives)))
    desk.take(*(need(one.who, one.quantity, subject=f"n{index}", **more_of(one)) for index, one in enumerate(takes)))
    stances = desk.core.network.stances
    offers = [stances[f"{one.who}/offer/o{index}"] for index, one in enumerate(gives)]
    needs = [stances[f"{one.who}/need/n{index}"] for index, one in enumerate(takes)]
    market = Market(desk.core.network, desk.core.book, offers, needs, moment_us(now))
    for first, give in enumerate(gives):
        positions, metres = market.row(first)
        expected = {
            second: distance
            for second, take in enumerate(takes)
            if oracle(give, take, distance := oracle_m(give, take, {}, {}), now, radius_km)
        }
        assert dict(zip(positions.tolist(), metres.tolist(), strict=True)) == expected


# -- what machines must have, and how long a yes takes to move -----------------------------------------------------------


def test_hours_are_proposed_only_on_machines_that_say_they_have_what_is_required():
    machines = [("wide", {"width_mm": 300}), ("small", {"width_mm": 100}), ("silent", {})]
    desk = Desk(*HERE, *(capacity("a", 5, subject=name, limits=limits) for name, limits in machines))
    desk.take(hours("b", 12, requires={"width_mm": 200}))
    [deal] = desk.cycle()
    assert [(line.offer, line.quantity.grains) for line in deal.lines] == [("a/capacity/wide", 5 * 3_600_000)]
    assert hidden(desk) == {Hidden.LIMITS: 2}


def test_what_cannot_leave_before_the_need_ends_is_no_match_and_time_alone_makes_it_so():
    assert proposed(*HERE, offer("a", 10, lead_h=5), need("b", 10, end=6)) == 10
    assert proposed(*HERE, offer("a", 10, lead_h=6), need("b", 10, end=6)) == 0
    desk = Desk(*HERE, offer("a", 10, lead_h=5), need("b", 10, end=100), cycle_seconds=3600)
    desk.cycle()
    assert desk.core.planner.solved[(("resource", "mask"),)].again_us == moment_us(95)
