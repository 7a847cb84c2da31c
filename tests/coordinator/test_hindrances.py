"""What keeps recipes from running is found once for each, however many ways lead to it: counted, and compared with the plainest reading."""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import pytest

from coordinator import ways
from coordinator.explaining import explain
from coordinator.hindrances import Supplies, least_runs
from coordinator.network import Network, Stance
from coordinator.workshops import Spot
from coordinator.workshops import radius_m as radius_in
from tests.coordinator.test_production import recipe as making
from tests.support.desk import Desk
from tests.support.events import agent, capacity, need, offer, route
from tests.support.networks import recipe

CLINIC, MAKER = agent("clinic", 48.0, 2.0), agent("maker", 48.0, 2.0)


def supplies_of(desk: Desk) -> Supplies:
    network, book, log_us = desk.core.network, desk.core.book, desk.core.log_us
    return Supplies(network, log_us, network.recipes, lambda one: book.open_grains(one, log_us))


# -- how often each is looked at -----------------------------------------------------------------------------------------


def levels(deep: int) -> Desk:
    """Two things on each level, each made of both of the level below; what the last ones take is in others' proposals."""
    lines = [MAKER, CLINIC, need("clinic", 1, "a0"), capacity("maker", 1000, "w")]
    for level in range(deep):
        takes = {f"a{level + 1}": 1, f"b{level + 1}": 1}
        lines += [making("maker", f"r-{one}{level}", {f"{one}{level}": 1}, takes, {"w": 1}) for one in "ab"]
    for one in "ab":
        thing = f"{one}{deep}"
        lines += [offer("maker", 8, thing, subject=f"o{one}"), need("clinic", 8, thing, subject=f"n{one}", tier=0)]
    desk = Desk(*lines)
    desk.cycle()
    return desk


def test_each_recipe_is_looked_at_once_however_many_ways_lead_to_it(monkeypatch: pytest.MonkeyPatch):
    desk, looked = levels(24), list[str]()
    look = Supplies.hours_too_short
    monkeypatch.setattr(Supplies, "hours_too_short", lambda self, ref: (looked.append(ref), look(self, ref))[1])
    reasons = explain(desk.core, "clinic/need/n").reasons
    recipes = 2 * 24 - 1  # the other of the first level is not asked about
    assert len(set(looked)) == recipes
    assert len(looked) <= recipes + 1, "the one asked about a second time, for its own words"
    told = [reason for reason in reasons if reason.startswith("the recipe")]
    assert len(told) == len(set(told)) == 2 * recipes, "two inputs of each"
    assert sum("for that, but a run takes 1 of a24, and 0 is free in all: 8 more is in proposals" in reason for reason in told) == 2


def test_a_very_long_chain_of_recipes_is_told_to_its_end():
    deep = 1200
    steps = [recipe("maker", f"r{level}", {f"a{level}": 1}, {f"a{level + 1}": 2}) for level in range(deep)]
    desk = Desk(MAKER, CLINIC, need("clinic", 1, "a0"), *steps, offer("maker", 2, f"a{deep}"))
    ref = "maker/recipe/r0"
    whole = supplies_of(desk).hindrances([ref], desk.core.network.stances["clinic/need/n"])
    assert whole == {ref: []}
    desk.take(offer("maker", 1, f"a{deep}", at=1))
    [found] = supplies_of(desk).hindrances([ref], desk.core.network.stances["clinic/need/n"]).values()
    assert len({each.ref for each in found}) == deep
    assert f"a run takes 2 of a{deep}, and 1 is free in all" in found[-1].sentence


def test_recipes_that_share_what_is_short_are_told_each_once():
    many = 60
    tops = [recipe("maker", f"top{number}", {"mask": 1}, {"sheet": 1}) for number in range(many)]
    middles = [recipe("maker", f"middle{number}", {"sheet": 1}, {"fibre": 5}) for number in range(many)]
    desk = Desk(MAKER, CLINIC, *tops, *middles, offer("maker", 3, "fibre"), need("clinic", 3))
    told = [reason for reason in explain(desk.core, "clinic/need/n").reasons if reason.startswith("the recipe")]
    assert len(told) == len(set(told)) == 2 * many


def test_how_far_it_is_is_not_asked_for_each_lot_and_place(monkeypatch: pytest.MonkeyPatch):
    lots, shops = 300, 40
    lines = [CLINIC, need("clinic", 1, "chair"), making("shop0", "chair", {"chair": 1}, {"plank": 1}, {"w": 1})]
    for number in range(shops):
        lines += [agent(f"shop{number}", 48 + number / 1000, 2.0), capacity(f"shop{number}", 10, "w")]
    for number in range(lots):
        lines += [agent(f"far{number}", 40 + number / 2000, 9.0), offer(f"far{number}", 10, "plank", within_km=1)]
    desk, asked, seen = Desk(*lines), list[str](), list[Stance]()
    way_m, limits = Network.way_m, ways.Ways._limits_of
    monkeypatch.setattr(Network, "way_m", lambda self, *ends: (asked.append("way"), way_m(self, *ends))[1])
    monkeypatch.setattr(ways.Ways, "_limits_of", lambda self, who: (seen.append(who), limits(self, who))[1])
    reasons = explain(desk.core, "clinic/need/n").reasons
    where = f"any of the {shops} places where it could be made"
    assert reasons[-1].endswith(f"every way from plank on offer to {where} is longer than somebody's radius")
    assert asked == []
    assert len(seen) == len(set(seen)) == lots + shops + 1


# -- the plainest reading --------------------------------------------------------------------------------------------------


def plainly(supplies: Supplies, ref: str, need: Stance, makes: str = "", path: frozenset[str] = frozenset()) -> list[str]:
    """The same by going every path anew, as sentences."""
    network = supplies.network
    own = [lack for lack, _ in supplies._lacks(ref)]
    own += ways_plainly(supplies, ref, need, to_need=not makes)
    lots = [spot.agent for stock in supplies.flows[ref][0] for spot in supplies.lots(stock)]
    all_of = {*lots, *(spot.agent for spot in supplies.where(ref))}
    if not makes and all_of == {need.agent} and supplies.makers.keys().isdisjoint(supplies.flows[ref][0]):
        own.append(f"only {need.agent} itself has what it takes, who knows that already")
    told = [f"the recipe {ref} makes {f'{makes} for that' if makes else 'it'}, but {lack}" for lack in own]
    for stock, grains in supplies.flows[ref][0].items():
        free = sum(supplies.free[one.ref] for one in network.live(stock[0]) if one.ref in supplies.free)
        least = grains * least_runs(supplies.recipes[ref])
        if stock in supplies.makers and free < least:
            makers = [each for each in supplies.makers[stock] if each not in path and each != ref]
            below = [plainly(supplies, each, need, stock[0][1], path | {ref}) for each in makers]
            if all(below):
                told.append(f"the recipe {ref} makes {f'{makes} for that' if makes else 'it'}, but {supplies._short_of(ref, stock, least)}")
                told += [each for lacks in below for each in lacks]
    return list(dict.fromkeys(told))


def ways_plainly(supplies: Supplies, ref: str, need: Stance, *, to_need: bool) -> Iterable[str]:
    spots = supplies.where(ref)
    who = spots[0].agent if len(spots) == 1 else f"any of the {len(spots)} places where it could be made"
    counting = {need.ref, *(one for one, free in supplies.free.items() if free)}
    here = Spot(need.agent, supplies.network.place_of(need))
    sides: list[tuple[Any, ...]] = [(spots, [here], who, need.agent, who, need.agent)] if to_need else []
    for stock in supplies.flows[ref][0]:
        goods = f"{stock[0][1]} on offer"
        sides.append((supplies.lots(stock), spots, goods, who, who, goods))
    for starts, ends, start, end, one, other in sides:
        unknown = pairs_plainly(supplies.network, counting, starts, ends) if starts and ends else None
        if unknown is not None:
            longer = f"every way from {start} to {end} is longer than somebody's radius"
            yield f"no route and no two known places connect {one} with {other}" if unknown else longer


def pairs_plainly(network: Network, counting: set[str], starts: Sequence[Spot], ends: Sequence[Spot]) -> bool | None:
    """Whether all ways are unknown where none may be gone, None where one may: each pair by itself."""
    unknown = True
    for start in starts:
        for end in ends:
            way_m = network.way_m(start.agent, start.place, end.agent, end.place)
            if start == end or (way_m is not None and way_m <= min(radius_in(network, spot, counting) for spot in (start, end))):
                return None
            unknown = unknown and way_m is None
    return unknown


class Roads:
    """A table of a few distances, both ways."""

    def __init__(self, agents: Sequence[str], pairs: dict[tuple[str, str], int]) -> None:
        self.agents = agents
        self.pairs = {**pairs, **{(other, one): metres for (one, other), metres in pairs.items()}}

    @property
    def farthest_m(self) -> int:
        return max(self.pairs.values(), default=0)

    def metres(self, provider: str, receiver: str) -> int | None:
        return self.pairs.get((provider, receiver))

    def row(self, agent: str) -> Any:
        import numpy as np

        mine = sorted((self.agents.index(other), metres) for (one, other), metres in self.pairs.items() if one == agent)
        return np.array([at for at, _ in mine], dtype=np.int64), np.array([metres for _, metres in mine], dtype=np.int64)


AGENTS = tuple(f"agent-{letter}" for letter in "abcdefgh")


def scattered(random: Random) -> list[bytes]:
    """Agents with and without a place, offers elsewhere too, radii, and routes one way and both."""
    lines = [agent(who, *([random.uniform(40, 44)] if random.random() < 0.6 else [])) for who in AGENTS]
    for number in range(random.randint(1, 12)):
        more: dict[str, Any] = {"within_km": random.choice([0, 50, 200, 500])} if random.random() < 0.5 else {}
        if random.random() < 0.3:
            more["place"] = {"lat": random.uniform(40, 44), "long": 0.0}
        lines.append(offer(random.choice(AGENTS), random.randint(1, 3), random.choice("pqrs"), subject=f"o{number}", **more))
    for _ in range(random.choice([0, 0, 4])):
        one, other = random.sample(AGENTS, 2)
        lines.append(route(one, other, random.choice([1, 100, 300]), two_way=random.random() < 0.5))
    return lines + [capacity(who, random.randint(1, 3), "w") for who in random.sample(AGENTS, random.randint(1, 4))]


@pytest.mark.parametrize("seed", range(150))
def test_what_is_told_is_what_going_every_path_tells(seed: int):
    random = Random(seed)
    things = "mpqrstuv"
    lines = [*scattered(random), need(random.choice(AGENTS), 2, "m")]
    for number in range(random.randint(2, 9)):
        steps = {"w": random.randint(1, 2)} if random.random() < 0.4 else {}
        if seed % 2:  # rings, each recipe of one thing
            output, *inputs = random.sample(things, random.randint(2, 4))
            gives = {output: 1}
        else:  # several things at once, and no rings
            chosen = sorted(random.sample(things, random.randint(3, 5)), key=things.index)
            gives, inputs = dict.fromkeys(chosen[:2], 1), chosen[2:]
        lines.append(recipe(random.choice(AGENTS), f"r{number}", gives, {each: random.randint(1, 3) for each in inputs}, steps))
    desk = Desk(*lines, **({"radius_km": 250} if random.random() < 0.3 else {}))
    network = desk.core.network
    if random.random() < 0.3:
        pairs = {(one, other): random.choice([1_000, 90_000, 400_000]) for one, other in (random.sample(AGENTS, 2) for _ in range(6))}
        network.table = Roads(AGENTS, pairs)
    supplies = supplies_of(desk)
    [asked] = (stance for stance in network.stances.values() if not stance.is_supply)
    for ref in network.recipes:
        [found] = supplies.hindrances([ref], asked).values()
        told, plain = list(dict.fromkeys(each.sentence for each in found)), plainly(supplies, ref, asked)
        if seed % 2:  # Within a ring what comes first depends on where paths end; what is told does not.
            told, plain = sorted(told), sorted(plain)
        assert told == plain, ref
    whole = supplies.hindrances(network.recipes, asked)
    assert {ref: bool(found) for ref, found in whole.items()} == {ref: bool(plainly(supplies, ref, asked)) for ref in network.recipes}


@pytest.mark.parametrize("seed", range(150))
def test_whether_any_way_may_be_gone_is_what_all_pairs_tell(seed: int):
    random = Random(seed)
    desk = Desk(*scattered(random), **({"radius_km": 250} if random.random() < 0.3 else {}))
    network = desk.core.network
    if random.random() < 0.5:
        pairs = {(one, other): random.choice([1_000, 90_000, 400_000]) for one, other in (random.sample(AGENTS, 2) for _ in range(6))}
        network.table = Roads(sorted(random.sample(AGENTS, 8)), pairs)
    counting = {ref for ref in network.stances if random.random() < 0.8}
    spots = [Spot(who, facts.place) for who, facts in network.agents.items()]
    spots += [Spot(one.agent, one.place) for one in network.stances.values() if one.place]
    found = ways.Ways(network, counting)
    assert [found.radius_m(spot) for spot in spots] == [radius_in(network, spot, counting) for spot in spots]
    for _ in range(20):
        starts, ends = (random.sample(spots, random.randint(1, 3)) for _ in range(2))
        assert found.unconnected(found.side(starts), found.side(ends)) == pairs_plainly(network, counting, starts, ends)
