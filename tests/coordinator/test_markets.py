"""Kept markets: over random lives, every plan that follows what changed is worth what one made from nothing is."""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from coordinator.matching import Hidden, Market
from coordinator.network import Stance
from coordinator.planning import Mine, Planner
from coordinator.problems import Part, mass_of
from coordinator.signals import parse_event
from tests.support.desk import Desk
from tests.support.events import agent, answer, need, offer, resource, withdraw

NEVER_KEPT = 10**12


def refs(part: Part) -> tuple[str, str]:
    return part.offer.ref, part.need.ref


class Compared(Planner):
    """Keeps every market it can; beside each of its plans it has the same made from nothing, and both must be worth the same."""

    compared = followed = 0

    def __init__(self, *args: Any, **keeping: Any) -> None:
        super().__init__(*args, **keeping)
        self.medians: dict[Any, Any] = {}  # found by those that plan from nothing, of nothing that is kept

    def plan(self, log_us: int, mine: Mine | None = None, at_most: int | None = None) -> bool:
        """Plan twice on the same state."""
        fields = {key: answer.kept for key, answer in self.solved.items() if answer.kept is not None}
        moved = super().plan(log_us, mine, at_most)
        if moved:
            assert not self.leaves_some
            Compared.followed += sum(self.solved[key].kept is kept for key, kept in fields.items() if key in self.solved)
            fresh = Planner(self.network, self.book, keep_pairs=NEVER_KEPT, _portions=self.medians)
            fresh.plan(log_us, mine)
            kept, anew = self.worth(self.parts(), log_us), self.worth(fresh.parts(), log_us)
            assert kept == anew, f"kept {kept}, from nothing {anew}"
            for market in (answer.kept for answer in self.solved.values() if answer.kept is not None):
                assert sorted(market.told(market.standing()), key=refs) == sorted(market.parts(), key=refs)
            Compared.compared += 1
        return moved

    def worth(self, parts: list[Part], log_us: int) -> tuple[Fraction, Fraction]:
        """(urgency in all with what is kept, effort), a grain at a time."""
        charter, held = self.network.charter, self.proposed()
        levels = 1 if charter.fairness == "off" else charter.fairness_levels
        margin = charter.hysteresis * 100  # offers and needs here are fewer
        covered, asked, moved, effort = Counter[Any](), Counter[Any](), Counter[tuple[str, str]](), Fraction(0)
        for stance in self.standing():
            if not stance.is_over(log_us):
                asked[self.book.claim_of(stance)] += max(0, stance.free_grains - self.book.held_grains(stance))
        for part in parts:
            covered[self.book.claim_of(part.need)] += part.grains
            moved[part.offer.ref, part.need.ref] += part.grains
            effort += part.grains * part.distance_m * mass_of(self.network, part.offer)
        urgency = Fraction(sum(charter.hysteresis * min(units, held[pair]) for pair, units in moved.items()))
        for claim, units in covered.items():
            had = self.book.received_grains(claim, log_us)
            base = (levels + 2 * margin) * (3 - claim[2]) + margin + levels
            urgency += sum(base - self.level(had + nth, asked[claim] + had, levels, claim) for nth in range(units))
        return urgency, effort

    def level(self, before: int, asked: int, levels: int, claim: Any) -> int:
        charter = self.network.charter
        if charter.fairness == "off":
            return 0
        if charter.fairness == "ratio":
            return min(levels - 1, levels * before // asked)
        stated = charter.portion.get(claim[1][1])
        portion = int(stated) if stated else self.medians[claim[1], claim[3]][1]
        return min(levels - 1, before // portion)

    def standing(self) -> Iterator[Stance]:
        """Needs."""
        return (stance for stance in self.network.stances.values() if stance.stands and not stance.is_supply)

    def proposed(self) -> Counter[tuple[str, str]]:
        """What is proposed and unanswered."""
        held = Counter[tuple[str, str]]()
        for deal in self.book.deals.values():
            for line in deal.lines if deal.state == "proposed" else ():
                held[line.offer, line.need] += line.quantity.grains
        return held


def life(draw: Random, desk: Desk, step: int, things: list[str]) -> None:
    """Let one thing happen, at twice the step in hours."""
    at = step * 2
    where = {"place": {"lat": draw.randint(0, 3), "long": draw.randint(0, 3)}}
    who, other = f"g{draw.randint(0, 4)}", f"r{draw.randint(0, 4)}"
    match draw.choice(["offer", "offer", "need", "need", "accept", "accept", "decline", "counter", "withdraw", "move"]):
        case "offer":
            end = {"end": at + draw.randint(1, 30)} if draw.random() < 0.3 else {}
            desk.take(offer(who, 2 * draw.randint(1, 6), draw.choice(things), at=at, subject=f"o{draw.randint(0, 1)}", **where, **end))
        case "need":
            more = {"substitutes": things[1:]} if draw.random() < 0.7 else {}
            within = {"within_km": 200} if draw.random() < 0.2 else {}
            end = {"end": at + draw.randint(1, 30)} if draw.random() < 0.3 else {}
            units, tier = 2 * draw.randint(1, 8), draw.choice([0, 1, 1, 2])
            desk.take(need(other, units, things[0], at=at, subject=f"n{draw.randint(0, 1)}", tier=tier, **where, **more, **within, **end))
        case "withdraw":
            desk.take(withdraw("need", other, f"n{draw.randint(0, 1)}", at=at))
        case "move":
            desk.take(agent(draw.choice([who, other]), draw.randint(0, 3), 0, at=at))
        case word if desk.open:
            deal = draw.choice(desk.open)
            single = len(deal.lines) == 1 and deal.lines[0].quantity.grains > 1
            if word != "counter":
                desk.take(answer(draw.choice(deal.parties), deal.proposal, word, at=at))
            elif single:
                some = draw.randint(1, deal.lines[0].quantity.grains - 1)
                desk.take(answer(draw.choice(deal.parties), deal.proposal, "counter", at=at, quantity=some))
    desk.until(at)


@pytest.mark.parametrize("hysteresis", [0, 3])
@pytest.mark.parametrize(
    "rules",
    [
        pytest.param({"fairness": "off"}, id="off"),
        pytest.param({"fairness": "portions", "portion": {"mask": 3}}, id="portions stated"),
        pytest.param({"fairness": "portions"}, id="the median portion"),
        pytest.param({"fairness": "ratio"}, id="ratio"),
        pytest.param({"fairness": "ratio", "fairness_levels": 2}, id="ratio in halves"),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_every_plan_of_a_kept_market_is_worth_what_one_from_nothing_is(seed, rules, hysteresis):
    draw = Random(seed)
    desk = Desk(**rules, hysteresis=hysteresis, proposal_seconds=100_000, fairness_memory_days=2)
    desk.core.planner = planner = Compared(desk.core.network, desk.core.book, keep_pairs=0, keep_after=0)
    Compared.compared = Compared.followed = 0
    for step in range(60):
        life(draw, desk, step, ["mask"])
        desk.cycle()
    assert Compared.compared > 20
    assert Compared.followed > 10
    assert planner.solved


@pytest.mark.parametrize("rules", [{"effort": "kg_km"}, {"effort": "km"}, {"effort": "kg_km", "fairness": "ratio", "hysteresis": 1}])
@pytest.mark.parametrize("packs", [None, 4])
@pytest.mark.parametrize("seed", range(3))
def test_so_is_one_whose_things_weigh_and_are_packed_unlike(seed, rules, packs):
    draw = Random(100 + seed)
    more = {"multiple": packs} if packs else {}
    desk = Desk(resource("x", "mask", mass_kg=0.02, **more), resource("x", "visor", mass_kg=0.05), **{"fairness": "portions"} | rules)
    desk.core.planner = Compared(desk.core.network, desk.core.book, keep_pairs=0, keep_after=0)
    Compared.compared = Compared.followed = 0
    for step in range(40):
        life(draw, desk, step, ["mask", "visor"])
        desk.cycle()
        packed = {
            part.grains % (packs or 1) for answer in desk.core.planner.solved.values() for part in answer.parts if part.offer.name == "mask"
        }
        assert packed <= {0}
    assert Compared.compared > 15


def test_what_a_new_offer_weighs_counts_in_a_kept_market():
    """First only heavy things, in a kept market; then light ones come, farther away, and are preferred."""
    lines = [resource("x", "iron", mass_kg=10), resource("x", "paper", mass_kg=1)]
    lines += [offer("a", 4, "iron", place={"lat": 0, "long": 1}), need("b", 4, "paper", substitutes=["iron"], place={"lat": 0, "long": 0})]
    desk = Desk(*lines, effort="kg_km")
    desk.core.planner = Planner(desk.core.network, desk.core.book, keep_pairs=0, keep_after=0)
    desk.cycle()
    assert desk.parties == {("a", "b"): 4}
    desk.take(offer("c", 4, "paper", at=1, place={"lat": 0, "long": 3}))
    desk.cycle()
    assert desk.parties == {("c", "b"): 4}


def drawn_signal(draw: Random, step: int) -> bytes:
    """An offer or a need of a few agents who do both, some of them nowhere, with windows and reaches of all sorts."""
    begin = {"begin": draw.choice([0, 500, 900])} if draw.random() < 0.4 else {}
    window = begin | ({"end": draw.choice([600, 950])} if draw.random() < 0.4 else {})
    if window.get("begin", 0) >= window.get("end", 10**6):
        window = {}
    reach = {"within_km": draw.randint(50, 400)} if draw.random() < 0.5 else {}
    place = {"place": {"lat": draw.randint(0, 3), "long": draw.randint(0, 3)}} if draw.random() < 0.9 else {}
    said = draw.choice([offer, need])
    return said(f"a{draw.randint(0, 6)}", draw.randint(1, 6), at=step, subject=f"s{step}", **window, **reach, **place)


@pytest.mark.parametrize("radius_km", [None, 250])
@pytest.mark.parametrize("seed", range(6))
def test_what_comes_to_a_kept_market_may_meet_whom_the_rules_let_it_meet(seed, radius_km):
    """Pairs, efforts and what each rule hides are those of the same market laid out from nothing."""
    draw = Random(seed)
    desk = Desk(**{} if radius_km is None else {"radius_km": radius_km})
    desk.core.planner = planner = Planner(desk.core.network, desk.core.book, keep_pairs=0, keep_after=0)
    desk.take(offer("first", 1, place={"lat": 1, "long": 1}), need("last", 1, place={"lat": 1, "long": 1}))
    desk.cycle()
    [before] = planner.solved.values()
    for step in range(1, 40):
        desk.take(*(drawn_signal(draw, step) for _ in range(draw.randint(1, 2)) if step != 20))
        desk.cycle()
    [after] = planner.solved.values()
    assert after.kept is before.kept is not None
    kept, possible = after.kept, after.kept._possible
    market = Market(desk.core.network, desk.core.book, kept.offers, kept.needs, desk.core.log_us)
    [(offers, needs, distance_m)] = market.pairs(counting=True)
    assert len(offers) > 50
    found = zip(*possible.told(range(possible.count)), strict=True)
    assert sorted(found) == sorted(zip(offers, needs, distance_m, strict=True))
    assert after.hidden == +market.hidden
    assert len(after.hidden) >= 4


HERE = {"place": {"lat": 1, "long": 1}}


@pytest.mark.parametrize("keep_pairs", [pytest.param(0, id="kept"), pytest.param(NEVER_KEPT, id="from nothing")])
def test_a_closed_need_is_asked_for_by_nobody_where_shares_count(keep_pairs):
    """Else its claim would have a smaller share of more, and get more than the other."""
    open_for_good = [need("b", 12, subject="n2", **HERE), need("c", 12, **HERE)]
    desk = Desk(offer("a", 12, **HERE), need("b", 12, subject="n1", end=5, **HERE), *open_for_good, fairness="ratio")
    desk.core.planner = planner = Planner(desk.core.network, desk.core.book, keep_pairs=keep_pairs, keep_after=0)
    desk.cycle()
    desk.until(6)
    for _ in range(2):
        desk.cycle()
        assert desk.parties == {("a", "b"): 6, ("a", "c"): 6}
        planner.forget()


@pytest.mark.parametrize("keep_pairs", [pytest.param(0, id="kept"), pytest.param(NEVER_KEPT, id="from nothing")])
def test_a_closed_need_does_not_count_in_the_median_portion(keep_pairs):
    closing = [need("b", 12, end=5, **HERE), need("e", 12, end=5, **HERE)]
    desk = Desk(offer("a", 8, **HERE), *closing, need("c", 4, **HERE), need("d", 9, **HERE), fairness="portions", proposal_seconds=10**6)
    desk.core.planner = planner = Planner(desk.core.network, desk.core.book, keep_pairs=keep_pairs, keep_after=0)
    desk.cycle()
    desk.until(40)  # another day
    desk.cycle()
    assert planner.portion_grains(("resource", "mask"), "pieces", [], desk.core.log_us) == 4
    assert planner.hidden_pairs() == ({} if keep_pairs == 0 else {str(Hidden.WINDOW): 2})  # a kept market counts what came to it


def test_a_day_s_median_is_found_where_somebody_offers_something():
    """As where a market is planned from nothing, which it is not while nobody does: those who ask by then count."""
    portions = []
    for keep_pairs in (0, NEVER_KEPT):
        desk = Desk(offer("a", 8, end=20, **HERE), need("c", 4, **HERE), fairness="portions")
        desk.core.planner = planner = Planner(desk.core.network, desk.core.book, keep_pairs=keep_pairs, keep_after=0)
        for at, more in ((0, []), (30, []), (31, [need("d", 9, at=31, **HERE), need("e", 9, at=31, **HERE), offer("f", 8, at=31, **HERE)])):
            desk.until(at)
            desk.take(*more)
            desk.cycle()
        portions.append(planner.portion_grains(("resource", "mask"), "pieces", [], desk.core.log_us))
    assert portions == [9, 9]


@pytest.mark.parametrize("keep_pairs", [pytest.param(0, id="kept"), pytest.param(NEVER_KEPT, id="from nothing")])
def test_pairs_of_which_one_had_closed_are_counted_where_a_market_is_laid_out(keep_pairs):
    desk = Desk(offer("a", 8, **HERE), offer("b", 8, end=2, **HERE), need("c", 4, end=2, **HERE), need("d", 9, **HERE))
    desk.until(3)
    desk.core.planner = planner = Planner(desk.core.network, desk.core.book, keep_pairs=keep_pairs, keep_after=0)
    desk.cycle()
    assert desk.parties == {("a", "d"): 8}
    assert planner.hidden_pairs() == {str(Hidden.WINDOW): 3}


def test_a_market_too_vast_for_a_field_is_planned_all_the_same():
    here = {"place": {"lat": 1, "long": 1}}
    lines = [offer("a", 10**9, unit="t", **here), need("b", 10**9, unit="t", **here)]
    desk = Desk(*lines, fairness="ratio", hysteresis=10_000, fairness_levels=10_000)
    desk.core.planner = Planner(desk.core.network, desk.core.book, keep_pairs=0, keep_after=0)
    desk.cycle()
    assert len(desk.parties) == 1


def test_what_declined_pairs_said_is_forgotten_with_the_counts_it_was_about():
    here = {"place": {"lat": 1, "long": 1}}
    desk = Desk(offer("a", 5, **here), need("b", 5, **here), need("c", 5, **here))
    for _ in range(2):
        (deal,) = desk.cycle()
        line = answer("a", deal.proposal, "decline", at=0)
        desk.core.take(parse_event(line), line)
    desk.cycle()
    assert (desk.parties, desk.core.book.has_limits) == ({}, True)
    desk.take(offer("a", 6, at=1, **here))
    desk.cycle()
    assert (sum(desk.parties.values()), desk.core.book.has_limits) == (6, False)
    assert not desk.core.book.limits_of("a/offer/o")


def test_a_need_that_speaks_of_another_thing_now_is_over_in_the_market_it_was_in():
    """Else it would count in the median portion of the other thing before the others there do."""
    here = {"place": {"lat": 1, "long": 1}}
    desk = Desk(*(need(name, 4, "mask", **here) for name in "bcd"), offer("a", 9, "mask", **here), fairness="portions")
    desk.core.planner = planner = Planner(desk.core.network, desk.core.book, keep_pairs=0, keep_after=0)
    desk.cycle()
    desk.take(need("b", 2, "visor", at=1, **here), need("e", 50, "visor", at=1, **here), need("f", 60, "visor", at=1, **here))
    desk.take(offer("g", 70, "visor", at=1, **here))
    desk.cycle()
    market = planner.solved[(("resource", "mask"),)]
    assert market.kept is not None
    assert {one.name for one in market.kept.needs} == {"mask"}
    assert planner.portion_grains(("resource", "visor"), "pieces", [1], desk.core.log_us) == 50
    assert planner.hidden_pairs() == {}


def test_what_goes_with_the_last_signal_of_another_name_goes_from_a_kept_market():
    here = {"place": {"lat": 1, "long": 1}}
    desk = Desk(resource("x", "mask", aliases=["masks"]), offer("a", 3, "masks", **here), need("b", 3, "mask", **here))
    desk.core.planner = Planner(desk.core.network, desk.core.book, keep_pairs=0, keep_after=0)
    desk.cycle()
    assert desk.parties == {("a", "b"): 3}
    desk.take(withdraw("offer", "a", "o", at=1))
    desk.cycle()
    assert desk.parties == {}


def test_a_pair_that_declined_before_its_market_was_kept_is_counted_once():
    here = {"place": {"lat": 1, "long": 1}}
    desk = Desk(offer("a", 5, **here), need("b", 5, **here), need("c", 5, **here))
    (deal,) = desk.cycle()
    desk.take(answer("a", deal.proposal, "decline", at=0))
    desk.core.planner = planner = Planner(desk.core.network, desk.core.book, keep_pairs=0, keep_after=0)
    desk.cycle()
    assert planner.hidden_pairs() == {str(Hidden.DECLINED): 1}
    [before] = planner.solved.values()
    desk.take(offer("d", 5, at=1, **here))
    desk.cycle()
    [after] = planner.solved.values()
    assert after.kept is before.kept
    assert planner.hidden_pairs() == {str(Hidden.DECLINED): 1}
