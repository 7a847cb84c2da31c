"""The fold of signals: repeats, lateness, interleavings, expiry, counts, definitions."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import permutations
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.charter import Charter
from coordinator.errors import Refused
from coordinator.network import PROCESS, RESOURCE, Network
from coordinator.signals import parse_event
from tests.support.desk import Desk
from tests.support.events import (
    agent,
    amount,
    answer,
    capacity,
    event,
    hours,
    moment_us,
    need,
    offer,
    proposal,
    report,
    resource,
    route,
    tick,
    withdraw,
)

MASK = (RESOURCE, "mask")


def network_of(*lines: bytes, **rules: Any) -> Network:
    network = Network(Charter.model_validate(rules))
    for line in lines:
        said = parse_event(line)
        network.apply(said, said.time_us)
    return network


# -- later words replace earlier ones ---------------------------------------------------------------------------------


def test_a_later_word_replaces_an_earlier_one():
    desk = Desk(offer("a", 10, at=1), offer("a", 4, at=2))
    assert desk.free("a/offer/o") == 4


@pytest.mark.parametrize(
    ("newer", "older", "free"),
    [
        pytest.param(offer("a", 4, at=2), offer("a", 10, at=1), 4, id="an older count"),
        pytest.param(withdraw("offer", "a", "o", at=2), offer("a", 10, at=1), None, id="an older offer after its withdrawal"),
        pytest.param(
            withdraw("offer", "a", "o", at=2), offer("a", 10, at=1, basis="total"), None, id="an older stock in whole after its withdrawal"
        ),
        pytest.param(offer("a", 4, at=2), withdraw("offer", "a", "o", at=1), 4, id="an older withdrawal"),
    ],
)
def test_an_older_word_that_comes_late_never_undoes_a_newer_one(newer, older, free):
    desk = Desk(newer, older)
    stance = desk.core.network.stances.get("a/offer/o")
    assert (stance.free_grains if stance is not None and stance.stands else None) == free


@pytest.mark.parametrize(
    ("newer", "older", "told"),
    [
        pytest.param(agent("a", 48.0, at=2), agent("a", 12.0, at=1), lambda net: net.agents["a"].place == (48.0, 0.0), id="a place"),
        pytest.param(route("a", "b", 7, at=2), route("a", "b", 9, at=1), lambda net: net.routes["a"]["b"].distance_m == 7000, id="a route"),
        pytest.param(
            withdraw("route", "a", "b", at=2), route("a", "b", 9, at=1), lambda net: not net.routes.get("a"), id="a withdrawn route"
        ),
        pytest.param(
            resource("a", "mask", mass_kg=2, at=2),
            resource("a", "mask", mass_kg=1, at=1),
            lambda net: net.definition(MASK).mass_ug == 2 * 10**9,
            id="a definition",
        ),
        pytest.param(
            withdraw("resource", "a", "mask", at=2),
            resource("a", "mask", at=1),
            lambda net: not net.is_declared("mask"),
            id="no definition",
        ),
    ],
)
def test_lateness_is_the_same_for_every_kind(newer, older, told):
    assert told(network_of(newer, older))


def test_a_route_is_withdrawn_by_its_own_subject_whatever_it_leads_to():
    network = network_of(route("a", "b", 7, at=1, subject="by-rail"), withdraw("route", "a", "by-rail", at=2))
    assert not network.routes.get("a")


def test_a_route_said_anew_to_somebody_else_no_longer_leads_to_the_first():
    network = network_of(route("a", "b", 7, at=1, subject="by-rail"), route("a", "c", 9, at=2, subject="by-rail"))
    assert set(network.routes["a"]) == {"c"}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_routes_to_one_agent_the_one_said_last_counts_and_its_end_brings_back_the_other(order):
    said = [route("a", "b", 7, at=1, subject="by-rail"), route("a", "b", 5, at=2, subject="by-road")]
    network = network_of(*(said[index] for index in order))
    assert network.routes["a"]["b"].distance_m == 5000
    withdrawn = parse_event(withdraw("route", "a", "by-road", at=3))
    network.apply(withdrawn, withdrawn.time_us)
    assert network.routes["a"]["b"].distance_m == 7000


def test_a_withdrawn_place_is_no_place():
    network = network_of(agent("a", 48.0, at=1), withdraw("agent", "a", "agent", at=2))
    assert network.agents["a"].place is None


# -- repeats, lateness ------------------------------------------------------------------------------------------------


def test_a_repeat_changes_nothing_whenever_it_comes():
    desk = Desk(offer("a", 10, at=1), offer("a", 4, at=2), offer("a", 10, at=1))
    assert desk.free("a/offer/o") == 4


def test_a_repeat_with_other_content_is_refused_and_the_first_stands():
    desk = Desk(offer("a", 10, at=1, id="x"))
    with pytest.raises(Refused, match="said before with other content"):
        desk.take(offer("a", 11, at=1, id="x"))
    assert desk.free("a/offer/o") == 10


def test_numbers_that_are_equal_are_no_other_content():
    desk = Desk(offer("a", 20, at=1, id="x"), offer("a", 20.0, at=1, id="x"))
    assert desk.free("a/offer/o") == 20


@pytest.mark.parametrize(
    ("late_hours", "taken"),
    [pytest.param(24, True, id="late by just so much"), pytest.param(24.001, False, id="later than that")],
)
def test_up_to_late_seconds_applies_and_older_is_refused(late_hours, taken):
    desk = Desk(tick(100), late_seconds=86_400)
    if not taken:
        with pytest.raises(Refused, match="late was expected"):
            desk.take(offer("a", 10, at=100 - late_hours))
        assert not desk.core.network.stances
        return
    desk.take(offer("a", 10, at=100 - late_hours))
    assert desk.free("a/offer/o") == 10
    assert desk.core.log_us == moment_us(100)


def test_log_time_is_what_an_export_says_where_it_says_so():
    desk = Desk(offer("a", 10, at=1, logtime=5), late_seconds=86_400)
    assert desk.core.log_us == moment_us(5)
    with pytest.raises(Refused, match="late was expected"):
        desk.take(offer("b", 10, at=1, logtime=30))


# -- expiry -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "stands"), [(9.999, True), (10, False), (10.001, False)])
def test_expiry_is_judged_by_log_time_alone(at, stands):
    desk = Desk(offer("a", 10, at=1, expires=10))
    desk.until(at)
    assert desk.stance("a/offer/o").stands is stands


def test_what_had_expired_when_it_came_never_stands_but_is_known():
    desk = Desk(tick(20), offer("a", 10, at=1, expires=10))
    assert not desk.stance("a/offer/o").stands


def test_a_refresh_moves_the_expiry_and_the_old_one_no_longer_counts():
    desk = Desk(offer("a", 10, at=1, expires=10), offer("a", 10, at=2, expires=20))
    desk.until(15)
    assert desk.stance("a/offer/o").stands
    desk.until(20)
    assert not desk.stance("a/offer/o").stands


@pytest.mark.parametrize(("days", "at", "stands"), [(0, 10_000, True), (2, 48.9, True), (2, 49, False)])
def test_without_expires_a_signal_lives_as_long_as_the_charter_says(days, at, stands):
    desk = Desk(offer("a", 10, at=1), default_life_days=days)
    desk.until(at)
    assert desk.stance("a/offer/o").stands is stands


def test_an_expired_signal_said_again_stands_again():
    desk = Desk(offer("a", 10, at=1, expires=10), tick(11), offer("a", 10, at=12))
    assert desk.free("a/offer/o") == 10


# -- any interleaving -------------------------------------------------------------------------------------------------


WORDS: dict[str, list[bytes]] = {
    "a": [
        agent("a", 48.0, at=1),
        offer("a", 10, at=2),
        resource("a", "mask", mass_kg=1, at=2.5, aliases=["masque"]),
        offer("a", 8, at=3, expires=30),
        offer("a", 8, at=3.5),
        route("a", "b", 4, at=4),
        withdraw("offer", "a", "o", at=5),
        offer("a", 6, at=6, subject="p"),
    ],
    "b": [
        agent("b", 49.0, at=1),
        need("b", 5, at=1.5),
        resource("b", "mask", mass_kg=3, at=2, aliases=["face-mask"]),
        need("b", 7, at=4, tier=0),
        withdraw("agent", "b", "agent", at=5),
    ],
    "c": [
        capacity("c", 12, at=1),
        hours("c", 3, at=2, expires=9),
        route("c", "a", 1, at=3, two_way=False),
        withdraw("route", "c", "a", at=4),
        need("c", 2, "masque", at=6),
    ],
}


def facts(network: Network) -> Any:
    stances = [(ref, one.free_grains, one.stands, one.count, one.said_us, one.expires_us) for ref, one in sorted(network.stances.items())]
    return stances, network.agents, network.routes, network.definition(MASK), network.canonical((RESOURCE, "masque")), network.live_things()


def interleaved(words: dict[str, list[bytes]], turns: Iterable[str]) -> list[bytes]:
    left = {name: iter(said) for name, said in words.items()}
    return [next(left[name]) for name in turns]


@given(st.permutations([name for name, said in WORDS.items() for _ in said]))
def test_any_interleaving_between_agents_ends_in_the_same_network(turns):
    desk = Desk(*interleaved(WORDS, turns), tick(40))
    in_turn = Desk(*(line for said in WORDS.values() for line in said), tick(40))
    assert facts(desk.core.network) == facts(in_turn.core.network)


@given(st.permutations([line for said in WORDS.values() for line in said]))
def test_even_one_agents_words_may_come_in_any_order_since_the_time_said_decides(lines):
    desk = Desk(*lines, tick(40))
    told = {ref: one.free_grains for ref, one in desk.core.network.stances.items() if one.stands}
    assert told == {"a/offer/p": 6, "b/need/n": 7, "c/capacity/c": 12 * 3_600_000, "c/need/n": 2}


# -- names and units --------------------------------------------------------------------------------------------------


def test_the_definition_with_the_smallest_time_then_source_then_id_binds():
    said = [
        resource("z", "mask", mass_kg=1, at=1),
        resource("b", "mask", mass_kg=2, at=1),
        resource("a", "mask", mass_kg=3, at=2),
        resource("b", "mask", mass_kg=4, at=1, id="0", subject="other"),
    ]
    for order in permutations(said):
        assert network_of(*order).definition(MASK).mass_ug == 4 * 10**9


def test_the_charters_catalogue_binds_over_what_agents_say():
    catalogue = {"mask": {"unit": "1", "mass_kg": 0.05, "multiple": 10, "aliases": ["masque"]}}
    network = network_of(resource("a", "mask", mass_kg=9, multiple=7, at=1), resources=catalogue)
    told = network.definition(MASK)
    assert (told.mass_ug, told.multiple_grains) == (50_000_000, 10)
    assert network.canonical((RESOURCE, "masque")) == MASK


def test_without_a_definition_the_first_use_gives_the_unit():
    network = network_of(offer("a", 3, "pla", unit="g", at=2), need("b", 1, "pla", unit="kg", at=1))
    assert network.definition((RESOURCE, "pla")).unit == "kg"


def test_aliases_name_one_thing_and_other_spellings_do_not():
    network = network_of(resource("a", "face-shield", aliases=["visor"]))
    assert network.canonical((RESOURCE, "visor")) == (RESOURCE, "face-shield")
    assert network.canonical((RESOURCE, "facesheild")) == (RESOURCE, "facesheild")


def test_an_alias_never_takes_the_name_of_a_thing_that_is_defined():
    network = network_of(resource("a", "mask", aliases=["gown"]), resource("b", "gown", unit="kg"))
    assert network.canonical((RESOURCE, "gown")) == (RESOURCE, "gown")


def test_a_process_and_a_resource_of_one_name_are_two_things():
    network = network_of(capacity("a", 2, "welding"), need("b", 3, "welding"))
    assert network.live_things() == [(PROCESS, "welding"), (RESOURCE, "welding")]


@pytest.mark.parametrize(("decimals", "kept"), [(0, (48.0, -2.0)), (2, (48.11, -1.68)), (4, (48.1147, -1.6794))])
def test_places_are_kept_no_finer_than_the_charter_says(decimals, kept):
    network = network_of(agent("a", 48.11471, -1.67944), offer("a", 1, place={"lat": 48.11471, "long": -1.67944}), place_decimals=decimals)
    assert (network.agents["a"].place, network.stances["a/offer/o"].place) == (kept, kept)


@pytest.mark.parametrize("signs", [(1, -1), (-1, 1)], ids=["nought first", "minus nought first"])
@pytest.mark.parametrize("degrees", [0.0, 0.001], ids=["said as nought", "rounded to it"])
def test_nought_degrees_have_no_sign_whoever_came_first(signs, degrees):
    network = network_of(*(agent(f"a{sign}", sign * degrees, sign * degrees) for sign in signs))
    assert {str(facts.place) for facts in network.agents.values()} == {"(0.0, 0.0)"}


def test_a_tenth_of_a_kilogram_a_million_times_is_exactly_a_hundred_tonnes():
    one = parse_event(offer("a", 0.1, "pla", unit="kg")).data
    assert one is not None
    total = sum(one.amount.grains for _ in range(1_000_000))  # type: ignore[union-attr]
    assert Fraction(total, 10**9) == 100_000


def test_undeclared_agents_and_resources_are_valid():
    network = network_of(offer("nobody", 3, "thing-nobody-defined"))
    assert not network.is_declared("thing-nobody-defined")
    assert network.stances["nobody/offer/o"].free_grains == 3


# -- what a quantity means --------------------------------------------------------------------------------------------


def committed(desk: Desk, name: str, quantity: float, *, at: float, to: str = "b") -> None:
    """Commit `quantity` of a's offer o, by both parties' own words."""
    desk.take(need(to, 10_000, at=at, subject=name), proposal(name, "a", to, quantity, at=at, expires=at + 1000, need=name))
    desk.take(answer("a", name, at=at), answer(to, name, at=at))
    assert desk.last["kind"] == "committed"


@pytest.mark.parametrize(
    ("words", "free"),
    [
        pytest.param([offer("a", 100, at=5)], 60, id="the same value again is a refresh: the acceptance keeps reducing it"),
        pytest.param([offer("a", 100, at=5, expires=90)], 60, id="a refresh with an expiry too"),
        pytest.param([offer("a", 90, at=5)], 90, id="another value is a new count: free at that point of one's own words"),
        pytest.param([offer("a", 90, at=5), offer("a", 100, at=6)], 100, id="and back again is a new count too"),
        pytest.param([withdraw("offer", "a", "o", at=5), offer("a", 100, at=6)], 100, id="after a withdrawal it is a new count"),
    ],
)
def test_free_means_free_at_that_point_of_ones_own_words(words, free):
    desk = Desk(offer("a", 100, at=1))
    committed(desk, "p", 40, at=2)
    assert desk.free("a/offer/o") == 60
    desk.take(*words)
    assert desk.free("a/offer/o") == free


def test_free_keeps_its_tally_over_expiry_when_the_same_is_said_again():
    desk = Desk(offer("a", 100, at=1, expires=10))
    committed(desk, "p", 40, at=2)
    desk.take(tick(11), offer("a", 100, at=12))
    assert desk.free("a/offer/o") == 60


@pytest.mark.parametrize(
    ("words", "free"),
    [
        pytest.param([], 60, id="a commitment is subtracted"),
        pytest.param([offer("a", 100, at=5, basis="total")], 60, id="also of the same stock said again"),
        pytest.param([offer("a", 90, at=5, basis="total")], 50, id="also of another stock"),
        pytest.param([offer("a", 100, "gown", at=5, basis="total")], 100, id="not of another thing that the signal speaks of now"),
        pytest.param([offer("a", 100, at=5)], 100, id="not of what is free by a word said since"),
        pytest.param([report("a", "p", "pickup", at=5, quantity=15)], 75, id="less what was reported shipped"),
        pytest.param([report("a", "p", "pickup", at=5), offer("a", 60, at=6, basis="total")], 60, id="shipped: the stock fell itself"),
        pytest.param([report("b", "p", at=5)], 100, id="received is shipped too"),
    ],
)
def test_total_means_everything_in_stock_less_what_is_committed_and_not_yet_shipped(words, free):
    desk = Desk(offer("a", 100, at=1, basis="total"))
    committed(desk, "p", 40, at=2)
    desk.take(*words)
    assert desk.free("a/offer/o") == free


@pytest.mark.parametrize(
    ("words", "free"),
    [
        pytest.param([], 60, id="a commitment is subtracted"),
        pytest.param([report("a", "p", at=5)], 60, id="shipped is not received"),
        pytest.param([report("b", "p", at=5, quantity=10)], 70, id="what was received is not subtracted any more"),
        pytest.param([need("b", 80, at=5, basis="total", subject="p")], 40, id="also of another total"),
    ],
)
def test_a_total_need_subtracts_what_is_committed_and_not_yet_received(words, free):
    desk = Desk(offer("a", 100, at=1), need("b", 100, at=1, basis="total", subject="p"))
    desk.take(proposal("p", "a", "b", 40, at=2, need="p"), answer("a", "p", at=2), answer("b", "p", at=2))
    desk.take(*words)
    assert desk.free("b/need/p") == free


def test_a_unit_may_change_without_a_new_count():
    desk = Desk(offer("a", 1, "pla", unit="kg", at=1), need("b", 1, "pla", unit="kg", at=1))
    desk.take(proposal("p", "a", "b", 0.4, thing="pla", unit="kg", at=2), answer("a", "p", at=2), answer("b", "p", at=2))
    desk.take(offer("a", 1000, "pla", unit="g", at=3))
    assert desk.free("a/offer/o") == 600_000_000


@pytest.mark.parametrize("seed", range(20))
def test_what_is_free_follows_the_contracts_paragraph_over_random_lives(seed):
    """Against a model of three numbers: stated, taken since the count, open commitments."""
    draw = Random(seed)
    desk, at = Desk(need("b", 10**6, at=0)), 0.0
    stated = taken = open_quantity = 0
    total = bool(seed % 2)
    for step in range(40):
        at += 1
        match draw.choice(["say", "refresh", "commit", "ship"]):
            case "say" if (value := draw.randint(1, 100)) != stated:
                stated, taken = value, 0
                desk.take(offer("a", stated, at=at, basis="total" if total else "free"))
            case "refresh" if stated:
                desk.take(offer("a", stated, at=at, basis="total" if total else "free"))
            case "commit" if (free := max(0, stated - (open_quantity if total else taken))) > 0:
                quantity = draw.randint(1, free)
                committed(desk, f"p{step}", quantity, at=at)
                taken, open_quantity = taken + quantity, open_quantity + quantity
            case "ship":
                shippable = [deal for deal in desk.core.book.deals.values() if deal.may("shipped") and not deal.gone(0)]
                for deal in shippable[:1]:
                    desk.take(report("a", deal.proposal, "pickup", at=at))
                    open_quantity -= deal.lines[0].quantity.grains
        if stated:
            assert desk.free("a/offer/o") == max(0, stated - (open_quantity if total else taken)), f"seed {seed}, step {step}"


def test_ticks_move_time_and_nothing_else():
    desk = Desk(offer("a", 10, at=1), tick(50), event("tick", "coordinator:other", "tick", 60, {}))
    assert desk.core.log_us == moment_us(60)
    assert desk.free("a/offer/o") == 10


def test_two_words_of_one_time_on_one_signal_stand_alike_in_any_order():
    words = [offer("a", 60, at=1), offer("a", 100, at=1)]
    stated = {Desk(*order).stance("a/offer/o").stated_grains for order in (words, words[::-1])}
    assert len(stated) == 1


def test_a_refresh_of_a_definition_or_a_route_puts_no_plan_in_question():
    desk = Desk(resource("x", "mask", at=0), route("a", "b", 3, at=0))
    desk.cycle()
    desk.take(resource("x", "mask", at=1), route("a", "b", 3, at=1))
    assert not desk.core.network.changed_everywhere
    desk.take(route("a", "b", 4, at=2))
    assert desk.core.network.changed_everywhere


# --- what comes again ---


def test_what_comes_again_every_day_is_counted_anew_each_day_and_does_not_pile_up():
    network = Network(Charter())
    network.apply(parse_event(offer("a", 20, begin=0, every=amount(1, "d"))), moment_us(0))
    stance = network.stances["a/offer/o"]
    stance.taken_grains = 15
    network.changed.clear()
    assert network.advance(moment_us(23)) == []
    assert stance.free_grains == 5
    assert not network.changed
    network.advance(moment_us(24))
    assert (stance.free_grains, stance.count) == (20, 1)
    assert network.changed == {("resource", "mask"): {"a/offer/o"}}
    stance.taken_grains = 20
    network.advance(moment_us(24 * 9))
    assert (stance.free_grains, stance.count) == (20, 2)


def test_a_refresh_puts_the_next_period_off_neither_where_a_begin_was_said_nor_where_none_was():
    network = Network(Charter())
    for hour in range(0, 24 * 5, 6):
        network.advance(moment_us(hour))
        network.apply(parse_event(offer("a", 20, every=amount(1, "d"), at=hour)), moment_us(hour))
        network.apply(parse_event(offer("b", 20, begin=0, every=amount(1, "d"), at=hour)), moment_us(hour))
        for ref in ("a/offer/o", "b/offer/o"):
            stance = network.stances[ref]
            assert (stance.count, stance.free_grains) == (hour // 24, 20 if hour % 24 == 0 else 5)
            stance.taken_grains = 15
    assert len(network._renewals) == 2, "however often it is said again within a period, that is awaited once"


def test_a_new_count_of_what_comes_again_begins_a_period_of_its_own():
    network = Network(Charter())
    for hour, pieces in ((0, 20), (6, 30), (12, 30)):
        network.apply(parse_event(offer("a", pieces, every=amount(1, "d"), at=hour)), moment_us(hour))
    stance = network.stances["a/offer/o"]
    stance.taken_grains = 15
    network.advance(moment_us(29))
    assert stance.free_grains == 15
    network.advance(moment_us(30))
    assert stance.free_grains == 30


def test_nothing_comes_again_after_its_end_or_once_it_is_said_without_every():
    network = Network(Charter())
    network.apply(parse_event(offer("a", 20, begin=0, end=47, every=amount(1, "d"))), moment_us(0))
    network.apply(parse_event(offer("b", 20, begin=0, every=amount(1, "d"))), moment_us(0))
    network.apply(parse_event(offer("b", 20, begin=0, at=1)), moment_us(1))
    for ref in ("a/offer/o", "b/offer/o"):
        network.stances[ref].taken_grains = 20
    network.advance(moment_us(30))
    assert network.stances["a/offer/o"].free_grains == 20
    assert network.stances["b/offer/o"].free_grains == 0
    network.stances["a/offer/o"].taken_grains = 20
    network.advance(moment_us(500))
    assert network.stances["a/offer/o"].free_grains == 0
