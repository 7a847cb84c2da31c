"""From what stands to what moves: equal to the definition of coverage, fairness and effort on every network small enough to list."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

import pytest

from coordinator.network import RESOURCE
from coordinator.planning import Planner
from coordinator.times import parse_instant
from coordinator.units import UNITS
from tests.support.desk import Desk
from tests.support.events import agent, answer, capacity, hours, need, offer, proposal, resource, route, withdraw


@dataclass(frozen=True)
class Rule:
    """How worthy the q-th unit of a claim is, by the definition; `asked` and `portion` in units."""

    fairness: str
    levels: int
    portion: int = 1

    def level(self, nth: int, asked: int) -> int:
        if self.fairness == "portions":
            return min(self.levels - 1, (nth - 1) // self.portion)
        return min(self.levels - 1, self.levels * (nth - 1) // asked) if self.fairness == "ratio" else 0

    def urgency(self, tier: int, had: int, more: int, asked: int) -> int:
        levels = 1 if self.fairness == "off" else self.levels
        return sum(levels * (3 - tier) + levels - self.level(had + nth, asked) for nth in range(1, more + 1))


def shares(supply: int, most: list[int]) -> Iterator[tuple[int, ...]]:
    """Every way to give at most `supply` units to needs that take at most so much each."""
    if not most:
        yield ()
        return
    for first in range(min(supply, most[0]) + 1):
        for rest in shares(supply - first, most[1:]):
            yield (first, *rest)


@dataclass(frozen=True)
class World:
    supply: list[int]
    demand: list[int]
    claim: list[tuple[str, int]]  # of each need: agent, tier
    had: dict[tuple[str, int], int]
    metres: dict[tuple[int, int], int]

    def worth(self, flow: tuple[tuple[int, ...], ...], rule: Rule) -> tuple[int, int]:
        """(urgency in all, less effort)."""
        covered = Counter[tuple[str, int]]()
        for given in flow:
            for index, units in enumerate(given):
                covered[self.claim[index]] += units
        asked = Counter(self.had)
        for index, units in enumerate(self.demand):
            asked[self.claim[index]] += units
        urgency = sum(rule.urgency(claim[1], self.had.get(claim, 0), units, asked[claim]) for claim, units in covered.items())
        effort = sum(units * self.metres[one, other] for one, given in enumerate(flow) for other, units in enumerate(given) if units)
        return urgency, -effort

    def best(self, rule: Rule) -> tuple[int, int]:
        """By trying everything."""
        rows = [
            list(shares(units, [most if (one, other) in self.metres else 0 for other, most in enumerate(self.demand)]))
            for one, units in enumerate(self.supply)
        ]
        fitting = (
            flow
            for flow in product(*rows)
            if all(sum(column) <= most for column, most in zip(zip(*flow, strict=True), self.demand, strict=True))
        )
        return max(self.worth(flow, rule) for flow in fitting)


def drawn(draw: Random, *, memory: bool) -> World:
    offers, needs = draw.randint(1, 3), draw.randint(2, 3)
    people = [f"r{draw.randint(0, 2)}" for _ in range(needs)]
    claim = [(who, draw.choice([0, 1, 1, 3])) for who in people]
    return World(
        supply=[draw.randint(1, 4 if offers == 3 else 7) for _ in range(offers)],
        demand=[draw.randint(1, 9) for _ in range(needs)],
        claim=claim,
        had={one: draw.randint(1, 5) for one in sorted(set(claim)) if memory and draw.random() < 0.7},
        metres={(one, other): draw.randint(0, 9) * 1000 for one in range(offers) for other in range(needs) if draw.random() < 0.85},
    )


def told(world: World) -> list[bytes]:
    """The world as signals; what claims had received is committed to needs of theirs that are full since."""
    lines = [offer("z", 1000, subject="z", within_km=0)]
    for number, ((who, tier), units) in enumerate(world.had.items()):
        lines.append(need(who, units, subject=f"old{number}", tier=tier))
        lines.append(proposal(f"old{number}", "z", who, units, at=0, offer="z", need=f"old{number}"))
        lines += [answer("z", f"old{number}", at=0), answer(who, f"old{number}", at=0)]
    lines += [offer(f"g{one}", units) for one, units in enumerate(world.supply)]
    for index, units in enumerate(world.demand):
        who, tier = world.claim[index]
        lines.append(need(who, units, subject=f"n{index}", tier=tier))
    return lines


def routes_of(world: World) -> list[bytes]:
    """Distances are between agents, so every need of one receiver is as far as its first."""
    seen: dict[tuple[int, str], int] = {}
    for (one, other), metres in world.metres.items():
        seen.setdefault((one, world.claim[other][0]), metres)
    return [route(f"g{one}", who, metres / 1000) for (one, who), metres in seen.items()]


def by_agents(world: World) -> World:
    """The same world with one distance for each pair of agents."""
    seen: dict[tuple[int, str], int] = {}
    for (one, other), metres in world.metres.items():
        seen.setdefault((one, world.claim[other][0]), metres)
    metres = {
        (one, other): seen[one, who] for one in range(len(world.supply)) for other, (who, _) in enumerate(world.claim) if (one, who) in seen
    }
    return World(world.supply, world.demand, world.claim, world.had, metres)


def flow_of(desk: Desk, world: World) -> tuple[tuple[int, ...], ...]:
    moves = desk.moves
    return tuple(
        tuple(moves.get((f"g{one}/o", f"{world.claim[other][0]}/n{other}"), 0) for other in range(len(world.demand)))
        for one in range(len(world.supply))
    )


@pytest.mark.parametrize("memory", [False, True], ids=["nothing received yet", "with memory"])
@pytest.mark.parametrize(
    ("rule", "rules"),
    [
        pytest.param(Rule("off", 1), {"fairness": "off"}, id="off"),
        pytest.param(Rule("portions", 1, 2), {"fairness": "portions", "fairness_levels": 1, "portion": {"mask": 2}}, id="one level is off"),
        pytest.param(Rule("portions", 100, 2), {"fairness": "portions", "portion": {"mask": 2}}, id="portions of 2"),
        pytest.param(Rule("portions", 3, 3), {"fairness": "portions", "fairness_levels": 3, "portion": {"mask": 3}}, id="3 portions of 3"),
        pytest.param(Rule("ratio", 100), {"fairness": "ratio"}, id="ratio"),
        pytest.param(Rule("ratio", 4), {"fairness": "ratio", "fairness_levels": 4}, id="ratio in quarters"),
    ],
)
@pytest.mark.parametrize("seed", range(12))
def test_the_plan_equals_the_definition_on_small_networks(rule, rules, memory, seed):
    world = by_agents(drawn(Random(seed), memory=memory))
    desk = Desk(*told(world), *routes_of(world), **rules)
    desk.cycle()
    assert world.worth(flow_of(desk, world), rule) == world.best(rule), f"seed {seed}: {world}"


# -- what the rules mean, in plain numbers ---------------------------------------------------------------------------------


def at_one_place(*asked: int, supply: int, lines: tuple[bytes, ...] = (), **rules: Any) -> Desk:
    """Needs of agents b0, b1 … and one offer, all at one place."""
    here = {"place": {"lat": 1, "long": 1}}
    desk = Desk(offer("a", supply, **here), *(need(f"b{index}", units, **here) for index, units in enumerate(asked)), *lines, **rules)
    desk.cycle()
    return desk


def got(desk: Desk, count: int) -> list[int]:
    return [desk.parties.get(("a", f"b{index}"), 0) for index in range(count)]


@pytest.mark.parametrize(
    ("rules", "asked", "supply", "given"),
    [
        pytest.param({"fairness": "portions", "portion": {"mask": 50}}, [100, 100], 100, [50, 50], id="a portion for each"),
        pytest.param({"fairness": "portions", "portion": {"mask": 50}}, [1000, 100], 100, [50, 50], id="overstating gains nothing"),
        pytest.param({"fairness": "portions", "portion": {"mask": 50}}, [100, 20], 100, [80, 20], id="what is left goes on"),
        pytest.param({"fairness": "ratio"}, [100, 300], 100, [25, 75], id="the same share for each"),
        pytest.param({"fairness": "portions"}, [10, 20, 90], 50, [10, 20, 20], id="the median open claim"),
    ],
)
def test_fairness_in_plain_numbers(rules, asked, supply, given):
    assert got(at_one_place(*asked, supply=supply, **rules), len(asked)) == given


def test_all_needs_of_one_agent_are_one_claim_so_that_splitting_gains_nothing():
    here = {"place": {"lat": 1, "long": 1}}
    split = tuple(need("b1", 25, subject=f"part{index}", **here) for index in range(4))
    desk = at_one_place(100, supply=100, lines=split, fairness="portions", portion={"mask": 50})
    assert got(desk, 2) == [50, 50]


@pytest.mark.parametrize(("days", "given"), [(30, [20, 80]), (0, [50, 50])])
def test_what_a_claim_received_lately_counts_and_is_forgotten(days, given):
    """b0 received 60 on the first day; on the sixth both ask for 100 more."""
    here = {"place": {"lat": 1, "long": 1}}
    lines = [offer("z", 60, subject="z"), need("b0", 60, subject="old"), proposal("p", "z", "b0", 60, at=1, offer="z", need="old")]
    lines += [answer("z", "p", at=1), answer("b0", "p", at=1)]
    lines += [offer("a", 100, at=140, **here), need("b0", 100, at=140, **here), need("b1", 100, at=140, **here)]
    desk = Desk(*lines, fairness="portions", portion={"mask": 1}, fairness_memory_days=days)
    desk.cycle()
    assert got(desk, 2) == given


def test_the_memory_fades_by_log_time():
    here = {"place": {"lat": 1, "long": 1}}
    lines = [offer("z", 60, subject="z"), need("b0", 60, subject="old"), proposal("p", "z", "b0", 60, at=1, offer="z", need="old")]
    lines += [answer("z", "p", at=1), answer("b0", "p", at=1)]
    lines += [offer("a", 100, at=2, **here), need("b0", 100, at=2, **here), need("b1", 100, at=2, **here)]
    desk = Desk(*lines, fairness="portions", portion={"mask": 1}, fairness_memory_days=2)
    desk.until(48.9)
    desk.cycle()
    assert got(desk, 2) == [20, 80]
    desk.until(49)
    desk.cycle()
    assert got(desk, 2) == [50, 50]


def test_the_median_portion_is_found_anew_each_day_of_log_time_and_not_within_one():
    """Within a portion the nearer are served first: b1 before b2."""

    def asks(who: str, units: int, long: float, at: float = 0) -> bytes:
        return need(who, units, at=at, place={"lat": 0, "long": long})

    lines = [offer("a", 60, place={"lat": 0, "long": 0}), asks("b0", 10, 0), asks("b1", 40, 1), asks("b2", 90, 2)]
    desk = Desk(*lines, fairness="portions")
    desk.cycle()
    assert got(desk, 3) == [10, 40, 10], "portions of 40"
    desk.take(*(asks(f"c{index}", 1, 0, at=12) for index in range(8)))
    desk.cycle()
    assert got(desk, 3) == [10, 40, 2], "still portions of 40, though the median is 1 by now"
    desk.until(24)
    desk.cycle()
    assert got(desk, 3) == [10, 21, 21], "portions of 1"


@pytest.mark.parametrize(
    ("claims", "given"),
    [
        pytest.param({}, [0, 100], id="any agent may claim tier 0 where the charter says nothing"),
        pytest.param({"0": ["b1"]}, [0, 100], id="the charter lets it"),
        pytest.param({"0": ["class:hospital"]}, [50, 50], id="the charter does not: it counts as 1"),
    ],
)
def test_a_tier_counts_only_for_agents_the_charter_lets_claim_it_and_both_are_shown(claims, given):
    here = {"place": {"lat": 1, "long": 1}}
    rules = {"fairness": "portions", "portion": {"mask": 10}, "may_claim_tier": claims}
    desk = Desk(offer("a", 100, **here), need("b0", 100, **here), need("b1", 100, tier=0, **here), **rules)
    desk.cycle()
    assert got(desk, 2) == given
    (of_b1,) = [deal for deal in desk.open if deal.parties == ("a", "b1")]
    reason = of_b1.data.reasons["lines"][0]
    assert (reason["tier_stated"], reason["tier_used"]) == (0, 0 if given == [0, 100] else 1)


def test_a_class_that_an_agent_says_of_itself_lets_it_claim():
    here = {"place": {"lat": 1, "long": 1}}
    lines = [
        agent("b1", 1, 1, classified_as=["hospital"]),
        offer("a", 100, **here),
        need("b0", 100, **here),
        need("b1", 100, tier=0, **here),
    ]
    desk = Desk(*lines, may_claim_tier={"0": ["class:hospital"]})
    desk.cycle()
    assert got(desk, 2) == [0, 100]


# -- effort ----------------------------------------------------------------------------------------------------------------


def test_effort_weighs_what_moves_unless_the_charter_counts_kilometres():
    """A heavy substitute nearer, a light one farther: kilogram-kilometres prefer the light one."""
    lines = [resource("a", "iron", mass_kg=10), resource("a", "paper", mass_kg=1), route("a", "b", 2), route("c", "b", 5)]
    lines += [offer("a", 4, "iron"), offer("c", 4, "paper"), need("b", 4, "paper", substitutes=["iron"])]
    by_weight, by_distance = Desk(*lines, effort="kg_km"), Desk(*lines, effort="km")
    by_weight.cycle()
    by_distance.cycle()
    assert (by_weight.parties, by_distance.parties) == ({("c", "b"): 4}, {("a", "b"): 4})


def test_no_pair_is_pruned_so_that_no_need_stays_short_for_it():
    """Two hundred near needs, one far one that only takes what is left: it still gets it."""
    lines = [offer("a", 201, place={"lat": 0, "long": 0})]
    lines += [need(f"b{index}", 1, place={"lat": 0, "long": index / 100}) for index in range(200)]
    desk = Desk(*lines, need("far", 1, place={"lat": 0, "long": 179}))
    desk.cycle()
    assert desk.parties["a", "far"] == 1
    assert len(desk.parties) == 201


@pytest.mark.parametrize("fairness", ["off", "portions", "ratio"])
def test_hours_are_shared_to_the_millisecond(fairness):
    desk = Desk(
        route("a", "b", 1), route("a", "c", 1), capacity("a", 1), hours("b", 40, unit="min"), hours("c", 40, unit="min"), fairness=fairness
    )
    desk.cycle()
    assert sum(desk.parties.values()) == 3_600_000
    if fairness == "ratio":
        assert set(desk.parties.values()) == {1_800_000}


# -- minimum parts and packs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "moves"),
    [
        pytest.param(
            [offer("a", 10), need("b", 6, minimum=6), need("c", 6, minimum=6), route("a", "b", 1), route("a", "c", 2)],
            {("a", "b"): 6},
            id="the smaller part is dropped",
        ),
        pytest.param(
            [offer("a", 10), need("b", 8), need("c", 6, minimum=5), route("a", "b", 1), route("a", "c", 2)],
            {("a", "b"): 5, ("a", "c"): 5},
            id="or brought to its minimum",
        ),
        pytest.param(
            [offer("a", 10, minimum=4), offer("d", 7), need("b", 9), route("a", "b", 2), route("d", "b", 1)],
            {("a", "b"): 4, ("d", "b"): 5},
            id="the offer's minimum too",
        ),
        pytest.param(
            [
                *(resource("a", "mask", multiple=25), resource("d", "visor", multiple=10)),
                *(offer("a", 130), offer("d", 100, "visor"), need("b", 67, substitutes=["visor"])),
                *(route("a", "b", 1), route("d", "b", 2)),
            ],
            {("a", "b"): 25, ("d", "b"): 40},
            id="packs of two sizes, as many as come nearest to what is asked",
        ),
        pytest.param(
            [
                *(resource("a", "mask", multiple=25), offer("a", 130), offer("d", 7, "visor")),
                *(need("b", 67, substitutes=["visor"]), route("a", "b", 1), route("d", "b", 2)),
            ],
            {("a", "b"): 50, ("d", "b"): 7},
            id="loose goods beside packs",
        ),
    ],
)
def test_parts_below_a_minimum_are_repaired_or_dropped(lines, moves):
    desk = Desk(*lines)
    desk.cycle()
    assert desk.parties == moves


@pytest.mark.parametrize("seed", range(40))
def test_no_part_is_ever_below_a_minimum_nor_a_broken_pack(seed):
    draw = Random(seed)
    pack = draw.choice([1, 3, 5])
    offers = {f"g{index}": (draw.randint(1, 30), draw.choice([0, 4, 9])) for index in range(4)}
    needs = {f"r{index}": (draw.randint(1, 30), draw.choice([0, 4, 9])) for index in range(4)}
    lines = [resource("g0", "mask", multiple=pack)]
    lines += [offer(who, units, place={"lat": draw.randint(0, 9), "long": 0}, minimum=least) for who, (units, least) in offers.items()]
    lines += [need(who, units, place={"lat": draw.randint(0, 9), "long": 0}, minimum=least) for who, (units, least) in needs.items()]
    desk = Desk(*lines, fairness=draw.choice(["off", "portions", "ratio"]))
    desk.cycle()
    given, taken = Counter[str](), Counter[str]()
    for (one, other), units in desk.parties.items():
        assert units % pack == 0
        assert units >= max(offers[one][1], needs[other][1])
        given[one] += units
        taken[other] += units
    assert all(units <= offers[who][0] for who, units in given.items())
    assert all(units <= needs[who][0] for who, units in taken.items())


# -- plans are kept ----------------------------------------------------------------------------------------------------------

KEPT: dict[str, Any] = {"keep_pairs": 0, "keep_after": 0}  # as large markets are that change often


@pytest.mark.parametrize("fairness", ["off", "portions", "ratio"])
@pytest.mark.parametrize("seed", range(6))
def test_a_plan_kept_over_many_cycles_is_as_good_as_one_made_at_once(fairness, seed):
    """Event by event with a cycle after each, against everything at once."""
    draw = Random(seed)
    lines: list[bytes] = []
    for step in range(30):
        where = {"place": {"lat": draw.randint(0, 5), "long": 0}}
        match draw.randint(0, 4):
            case 0 | 1:
                lines.append(offer(f"g{draw.randint(0, 3)}", draw.randint(1, 9), at=step / 100, **where))
            case 2 | 3:
                lines.append(need(f"r{draw.randint(0, 3)}", draw.randint(1, 9), at=step / 100, tier=draw.randint(0, 1), **where))
            case 4:
                lines.append(withdraw("need", f"r{draw.randint(0, 3)}", "n", at=step / 100))
    rules: dict[str, Any] = {"fairness": fairness, "portion": {"mask": 3}}
    slowly = Desk(**rules)
    slowly.core.planner = Planner(slowly.core.network, slowly.core.book, **KEPT)
    for line in lines:
        slowly.take(line)
        slowly.cycle()
    at_once = Desk(*lines, **rules)
    at_once.cycle()
    rule = Rule(fairness, 100, 3)
    assert worth_of(slowly, rule) == worth_of(at_once, rule)


def worth_of(desk: Desk, rule: Rule) -> tuple[int, int]:
    """(urgency in all, effort) of what is proposed; of equally good plans any will do."""
    covered, asked, effort = Counter[tuple[str, int]](), Counter[tuple[str, int]](), 0
    for stance in desk.core.network.stances.values():
        if stance.stands and not stance.is_supply:
            asked[stance.agent, stance.tier] += stance.stated_grains
    for deal in desk.open:
        for line in deal.lines:
            covered[line.receiver, desk.stance(line.need).tier] += line.quantity.grains
            effort += line.quantity.grains * line.distance_m
    return sum(rule.urgency(claim[1], 0, units, asked[claim]) for claim, units in covered.items()), effort


def test_nothing_is_proposed_twice_while_nothing_moves():
    desk = at_one_place(5, supply=5)
    said = len(desk.core.outbox)
    desk.cycle()
    desk.until(5)
    desk.cycle()
    assert len(desk.core.outbox) == said


@pytest.mark.parametrize("fairness", ["off", "portions", "ratio"])
@pytest.mark.parametrize("seed", range(10))
def test_over_a_life_of_answers_every_plan_is_as_good_as_one_made_from_nothing(fairness, seed):
    """After each event: the kept plan against the plan of a planner that knows only what stands."""
    draw, desk = Random(seed), Desk(fairness=fairness, portion={"mask": 3}, proposal_seconds=7200, fairness_memory_days=1)
    desk.core.planner = Planner(desk.core.network, desk.core.book, **KEPT)
    rule = Rule(fairness, 100, 3)
    for step in range(40):
        at = step / 2
        where = {"place": {"lat": draw.randint(0, 5), "long": 0}}
        match draw.choice(["offer", "offer", "need", "need", "accept", "accept", "decline", "counter", "withdraw"]):
            case "offer":
                end = {"end": at + draw.randint(1, 9)} if draw.random() < 0.3 else {}
                desk.take(offer(f"g{draw.randint(0, 3)}", draw.randint(1, 9), at=at, subject=f"o{draw.randint(0, 1)}", **where, **end))
            case "need":
                desk.take(need(f"r{draw.randint(0, 3)}", draw.randint(1, 9), at=at, tier=draw.randint(0, 1), **where))
            case "withdraw":
                desk.take(withdraw("need", f"r{draw.randint(0, 3)}", "n", at=at))
            case word if desk.open:
                deal = draw.choice(desk.open)
                who = draw.choice(deal.parties)
                single = len(deal.lines) == 1 and deal.lines[0].quantity.grains > 1
                if word != "counter":
                    desk.take(answer(who, deal.proposal, word, at=at))
                elif single:
                    desk.take(answer(who, deal.proposal, "counter", at=at, quantity=deal.lines[0].quantity.grains - 1))
        desk.until(at)
        parts = proposed_by(desk)
        desk.core.planner = type(desk.core.planner)(desk.core.network, desk.core.book, _portions=dict(desk.core.planner._portions), **KEPT)
        desk.core.planner.plan(desk.core.log_us)
        assert value_of(desk, parts, rule) == value_of(desk, desk.core.planner.parts(), rule), f"seed {seed}, step {step}"


def proposed_by(desk: Desk) -> list[Any]:
    """The plan after a cycle, as the planner keeps it."""
    desk.cycle()
    return [part for solved in desk.core.planner.solved.values() for part in solved.parts]


def value_of(desk: Desk, parts: list[Any], rule: Rule) -> tuple[int, int]:
    """(urgency in all, effort) of a plan's parts, with what each claim received lately and still asks for."""
    book, log_us = desk.core.book, desk.core.log_us
    covered, asked = Counter[Any](), Counter[Any]()
    for stance in desk.core.network.stances.values():
        if stance.stands and not stance.is_supply:
            asked[book.claim_of(stance)] += max(0, stance.free_grains - book.held_grains(stance))
    for part in parts:
        covered[book.claim_of(part.need)] += part.grains
    urgency = 0
    for claim, units in covered.items():
        had = book.received_grains(claim, log_us)
        urgency += rule.urgency(claim[2], had, units, asked[claim] + had)
    return urgency, sum(part.grains * part.distance_m for part in parts)


# -- nobody's words stop the others --------------------------------------------------------------------------------------------


def test_masses_that_no_small_numbers_express_stop_no_plan():
    masses = [resource("x", "mask", mass_kg=0.333333333), resource("x", "visor", mass_kg=0.0101)]
    things = [offer(f"g{n}", 5, ("mask", "visor")[n % 2], place={"lat": n, "long": 0}) for n in range(30)]
    wants = [need(f"r{n}", 5, place={"lat": n, "long": 1}, substitutes=["visor"]) for n in range(30)]
    desk = Desk(*masses, *things, *wants, effort="kg_km")
    desk.cycle()
    assert sum(desk.parties.values()) == 150


def test_a_kept_market_whose_claims_are_all_served_sees_a_new_day():
    here = {"place": {"lat": 1, "long": 1}}
    desk = Desk(offer("a", 50, **here), need("b", 20, **here), fairness="portions")
    desk.core.planner = Planner(desk.core.network, desk.core.book, **KEPT)
    for deal in desk.cycle():
        desk.take(*(answer(party, deal.proposal, at=0.1) for party in deal.parties))
    for at in (30, 60):
        desk.until(at)
        assert desk.cycle() == []


def test_what_is_counted_in_kilos_and_in_pieces_is_shared_apart():
    here = {"place": {"lat": 1, "long": 1}}
    kilos = [offer("k", 1, "flour", unit="kg", **here), need("b", 1, "flour", unit="kg", subject="kilos", **here)]
    pieces = [offer("p", 50, "flour", **here), need("b", 40, "flour", **here), need("c", 40, "flour", **here)]
    desk = Desk(*kilos, *pieces, fairness="portions")
    desk.cycle()
    assert sorted(units for (provider, _), units in desk.parties.items() if provider == "p") == [10, 40]


@pytest.mark.parametrize("kept", [{}, KEPT], ids=["solved anew", "kept"])
def test_a_portion_stated_in_kilos_leaves_the_day_to_find_the_one_of_pieces(kept):
    """The charter counts flour in kilos; where pieces of it are needed, the median changes at midnight though nobody speaks."""
    here = {"place": {"lat": 0, "long": 0}}
    rules = {"fairness": "portions", "resources": {"flour": {"unit": "kg"}}, "portion": {"flour": 50}}
    desk = Desk(offer("a", 50, "flour", **here), need("b", 40, "flour", **here), need("c", 40, "flour", **here), **rules)
    desk.core.planner = Planner(desk.core.network, desk.core.book, **kept)
    desk.cycle()
    [answer] = desk.core.planner.solved.values()
    assert (answer.again_us, answer.kept is not None) == (parse_instant("2026-03-02T00:00:00Z"), bool(kept))
    network = desk.core.network
    assert network.portion_stated((RESOURCE, "flour"), "mass") == 50 * UNITS["kg"].grains
    assert network.portion_stated((RESOURCE, "flour"), "pieces") is None


def test_a_thing_first_said_in_a_small_unit_is_proposed_in_one_that_holds_it():
    here = {"place": {"lat": 1, "long": 1}}
    words = [
        offer("a", 1, "w", unit="g", **here),
        offer("b", 2_000_000, "w", unit="kg", **here),
        need("v", 2_000_000, "w", unit="kg", **here),
    ]
    desk = Desk(*words, offer("p", 5, "z", **here), need("q", 5, "z", **here))
    desk.cycle()
    assert desk.parties["p", "q"] == 5
    assert sum(grains for (_, receiver), grains in desk.parties.items() if receiver == "v") == 2_000_000 * 10**9


def test_a_pair_that_turns_to_another_market_which_others_stay_in_is_planned_there_and_can_leave_it():
    straps = [offer("giver", 4, "strap"), need("taker", 4, "strap"), offer("stays", 1, "strap")]
    desk = Desk(*(agent(name, 45.0) for name in ("giver", "taker", "stays")), *straps)
    assert [deal.lines[0].resource for deal in desk.cycle()] == ["strap"]
    desk.take(offer("giver", 4, "mask", at=1), need("taker", 4, "mask", at=1))
    assert [deal.lines[0].resource for deal in desk.cycle()] == ["mask"]
    desk.take(withdraw("offer", "giver", "o", at=2))
    assert desk.cycle() == []
