"""A moment that is copied bit by bit, while others speak, answers as the coordination itself would; nothing moves it after that."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from coordinator.accounts import find, newest
from coordinator.alternatives import alternatives, without
from coordinator.atlas import atlas
from coordinator.cycle import Coordination
from coordinator.errors import Refused
from coordinator.explaining import explain
from coordinator.exploding import explode
from coordinator.floor import floor
from coordinator.lifting import lifted
from coordinator.makers import designs, makers
from coordinator.moments import Follower
from coordinator.network import Thing
from coordinator.opportunities import opportunities, pressures
from coordinator.planning import Planner
from coordinator.questions import downstream, stats, unreachable, upstream
from coordinator.replaying import digest, standing_proposals
from coordinator.results import as_json
from coordinator.signals import parse_event
from coordinator.timetable import timetable
from coordinator.trees import tree
from coordinator.weakness import weak_points
from tests.coordinator.test_snapshots import CHARTER, words_of
from tests.support.desk import Desk
from tests.support.events import answer, need, offer, proposal, resource, retracted, withdraw
from tests.support.networks import recipe

Ask = Callable[[Coordination], Any]


def questions(core: Coordination) -> Iterator[tuple[str, Ask]]:
    """Everything that is asked of a moment, of all that there is."""
    yield "atlas", atlas
    yield "stats", lambda here: stats(here.network, here.book, here.log_us)
    yield "unreachable", lambda here: unreachable(here.network, here.book, here.log_us)
    yield "weak points", lambda here: weak_points(here.network, here.book, here.log_us)
    yield "hours", lambda here: timetable(here, None, None, 100)
    yield "newest", lambda here: newest(here, 100)
    yield "find", lambda here: find(here, "a", 100)
    yield "digest", lambda here: digest(here.ledger, standing_proposals(here.book))
    for agent in sorted(core.network.agents):
        yield f"downstream {agent}", lambda here, agent=agent: downstream(here.network, agent, here.book, here.log_us)
        yield f"opportunities {agent}", lambda here, agent=agent: opportunities(here, agent)
        yield f"workshop {agent}", lambda here, agent=agent: floor(here, agent)
    for _, name in sorted({*core.network.live_things(), ("resource", "visor")}):
        yield f"upstream {name}", lambda here, name=name: upstream(here.network, name, here.book, here.log_us)
        yield f"pressures {name}", lambda here, name=name: pressures(here, name)
        yield f"tree {name}", lambda here, name=name: tree(here, name)
        yield f"makers {name}", lambda here, name=name: makers(here.network, name, log_us=here.log_us, book=here.book)
    for ref in sorted(ref for ref, one in core.network.stances.items() if not one.is_supply):
        yield f"why {ref}", lambda here, ref=ref: explain(here, ref)
        yield f"explode {ref}", lambda here, ref=ref: explode(here, ref)
        yield f"lifted {ref}", lambda here, ref=ref: lifted(here, ref)
    for name in sorted({one.recipe for one in core.network.recipes.values()}):
        yield f"designs {name}", lambda here, name=name: designs(here, name)
    for name in sorted(core.book.deals):
        yield f"without {name}", lambda here, name=name: without(here, name)
        yield f"alternatives {name}", lambda here, name=name: alternatives(here, name)


def answered(core: Coordination, asked: Coordination) -> dict[str, Any]:
    """What `core` answers to all that can be asked of `asked`."""

    def told(ask: Ask) -> Any:
        try:
            return as_json(ask(core))
        except Refused as refusal:
            return str(refusal)

    return {name: told(ask) for name, ask in questions(asked)}


def firsts(core: Coordination) -> dict[Thing, Any]:
    """When, by whom and in which unit everything was first spoken of."""
    return {shelf.thing: shelf.first for shelf in core.network._all_shelves()}


def copied(follower: Follower, core: Coordination) -> Coordination:
    """A moment of now."""
    while not follower.copy_some(core, 9):
        pass
    return follower.moment().opened(core)


@pytest.mark.parametrize("seed", range(2))
def test_a_moment_copied_bit_by_bit_while_others_speak_answers_as_one_piece(seed):
    random = Random(seed)
    core = Coordination(CHARTER, judging=False, planning=False)
    follower = Follower()
    lines = iter(words_of(seed))
    earlier: list[tuple[Coordination, dict[str, Any]]] = []
    while True:
        is_over = True
        for line in lines:
            is_over = False
            core.take(parse_event(line), line)
            if random.random() < 0.01:
                break
        while not follower.copy_some(core, random.randint(1, 9)):
            if (line := next(lines, None)) is not None:
                core.take(parse_event(line), line)
        moment = follower.moment().opened(core)
        here = answered(core, core)
        assert here == answered(moment, core)
        assert list(moment.network.stances.values()) == list(core.network.stances.values())
        assert list(moment.book.deals.values()) == list(core.book.deals.values())
        assert firsts(moment) == firsts(core)
        assert moment.book.claims_served() == core.book.claims_served()
        earlier.append((moment, here))
        if is_over:
            break
    assert len(earlier) > 2
    for moment, here in random.sample(earlier, 2):
        assert {name: here[name] for name in answered(moment, moment)} == answered(moment, moment)


def test_the_questions_find_something_to_tell():
    """A comparison of empty answers would prove nothing."""
    core = Coordination(CHARTER, judging=False, planning=False)
    told: dict[str, Any] = {}
    for line in words_of(0):
        core.take(parse_event(line), line)
        if len(core.book.deals) > 3 and not told:
            told = answered(core, core)
    assert {name.partition(" ")[0] for name, answer in told.items() if answer and (name == "digest" or not isinstance(answer, str))} >= {
        *("atlas", "stats", "weak", "hours", "newest", "digest", "downstream", "opportunities"),
        *("upstream", "pressures", "tree", "makers", "why", "explode", "without", "find", "lifted", "designs", "alternatives"),
    }


def test_a_moment_of_one_that_plans_answers_from_nothing_as_it_does_from_its_plans():
    core = Coordination(CHARTER, judging=False)
    core.planner = Planner(core.network, core.book, keep_pairs=0, keep_after=0)
    follower = Follower()
    for number, line in enumerate(words_of(0)[:60]):
        core.take(parse_event(line), line)
        if number == 50:
            copied(follower, core)
    core.run_cycle()
    assert core.planner.kept()
    assert answered(copied(follower, core), core) == answered(core, core)


def test_a_moment_costs_what_changed_since_the_last():
    core = Coordination(CHARTER, judging=False, planning=False)
    lines = words_of(1)
    for line in lines[:60]:
        core.take(parse_event(line), line)
    follower = Follower()
    assert not follower.copy_some(core, 10**6)  # the first time all names are listed, and nothing more
    assert follower.copy_some(core, 10**6)
    first = follower.moment()
    for line in lines[60:61]:
        core.take(parse_event(line), line)
    assert core.network.trail is not None
    assert 0 < len(core.network.trail) < 12
    assert follower.copy_some(core, 12)
    then = follower.moment()
    assert sum(one is not first.stances.get(ref) for ref, one in then.stances.items()) < 12


def test_a_proposal_that_comes_back_is_the_last_that_was_made():
    desk = Desk(offer("a", 9), need("b", 9), proposal("p", "a", "b", 1, at=1), proposal("q", "a", "b", 1, at=1))
    desk.core.judging = desk.core.planning = False
    follower = Follower()
    while not follower.copy_some(desk.core, 9):
        pass
    assert list(follower.moment().deals) == ["p", "q"]
    desk.take(retracted("p", at=2), proposal("r", "a", "b", 1, at=2), proposal("p", "a", "b", 1, at=3))
    assert follower.copy_some(desk.core, 9)
    moment = follower.moment().opened(desk.core)
    assert list(moment.book.deals) == list(desk.core.book.deals) == ["q", "r", "p"]
    assert [deal.proposal for deal in moment.book.naming("a/offer/o")] == ["q", "r", "p"]


def test_a_thing_that_nobody_speaks_of_any_more_keeps_the_unit_it_was_first_said_in():
    first, then = offer("a", 5, "flour", unit="g"), offer("a", 5, "sugar", unit="kg", at=1)
    takes = recipe("b", "cake", {"cake": 1}, {"flour": 2}, {"baking": 1}, at=2)
    desk = Desk(first, then, takes, need("c", 3, "cake", at=2))
    assert desk.core.network.definition(("resource", "flour")).unit == "g"
    moment = copied(Follower(), desk.core)
    assert moment.network.definition(("resource", "flour")).unit == "g"
    assert answered(moment, desk.core) == answered(desk.core, desk.core)


def test_an_earlier_word_that_comes_late_tells_the_unit_of_a_thing():
    desk = Desk(offer("a", 5, "flour", unit="kg", at=1))
    follower = Follower()
    assert copied(follower, desk.core).network.definition(("resource", "flour")).unit == "kg"
    desk.take(offer("b", 5, "flour", unit="g", at=0), offer("b", 5, "sugar", at=2))
    assert firsts(copied(follower, desk.core)) == firsts(desk.core)


def test_recipes_and_definitions_are_copied_some_at_a_time_and_once():
    desk = Desk(*(resource("a", f"part-{number}") for number in range(20)))
    desk.take(*(recipe("b", f"kit-{number}", {f"kit-{number}": 1}, {f"part-{number}": 1}) for number in range(20)))
    follower, handfuls = Follower(), 1
    while not follower.copy_some(desk.core, 9):
        handfuls += 1
    assert handfuls > 40 / 9
    first = follower.moment()
    desk.take(resource("a", "part-1", "kg", at=1), withdraw("recipe", "b", "kit-2", at=1))
    desk.take(recipe("b", "kit-3", {"kit-3": 1}, {"part-3": 2}, at=1), withdraw("resource", "a", "part-4", at=1))
    moment = copied(follower, desk.core)
    assert moment.network.recipes == desk.core.network.recipes
    assert not moment.network.is_declared("part-4")
    assert moment.network.definition(("resource", "part-1")).unit == "kg"
    assert answered(moment, desk.core) == answered(desk.core, desk.core)
    then = follower.moment()
    assert {ref for ref, said in first.recipes.items() if then.recipes.get(ref) is not said} == {"b/recipe/kit-2", "b/recipe/kit-3"}
    assert {name for name, said in first.definitions.items() if then.definitions[name] is not said} == {"part-1", "part-4"}


def test_what_was_withdrawn_before_it_was_said_stands_where_it_was_said():
    desk = Desk()
    follower = Follower()
    copied(follower, desk.core)
    desk.take(withdraw("offer", "a", "o", at=0), offer("b", 9, at=1), offer("a", 9, at=2))
    moment = copied(follower, desk.core)
    assert list(moment.network.stances) == list(desk.core.network.stances) == ["b/offer/o", "a/offer/o"]


def test_a_market_that_is_kept_is_solved_from_nothing_in_a_moment_unless_it_is_too_large(monkeypatch: pytest.MonkeyPatch):
    here = {"lat": 45.0, "long": 1.0}
    desk = Desk(offer("a", 9, place=here), need("b", 4, place=here), need("c", 9, place=here))
    desk.core.planner = Planner(desk.core.network, desk.core.book, keep_pairs=0, keep_after=0)
    (deal, *_) = desk.cycle()
    assert desk.core.planner.kept()
    moment = copied(Follower(), desk.core)
    assert alternatives(moment, deal.proposal) == alternatives(desk.core, deal.proposal)
    monkeypatch.setattr("coordinator.alternatives.MOST_PAIRS", 1)
    assert alternatives(desk.core, deal.proposal).unsaid is None
    assert alternatives(moment, deal.proposal).unsaid == "too large"


def test_proposals_that_come_and_go_while_nobody_asks_are_not_remembered_without_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("coordinator.commitments.MOST_GONE", 10)
    desk = Desk(offer("a", 99), need("b", 99), proposal("stays", "a", "b", 1, at=0))
    follower = Follower()
    copied(follower, desk.core)
    for number in range(30):
        desk.take(proposal(f"p{number}", "a", "b", 1, at=1), retracted(f"p{number}", at=1))
        assert desk.core.network.trail is None or len(desk.core.network.trail.deals) <= 14
    moment = copied(follower, desk.core)
    assert list(moment.book.deals.values()) == list(desk.core.book.deals.values())
    assert answered(moment, desk.core) == answered(desk.core, desk.core)


def test_what_the_charter_no_longer_remembers_is_forgotten_by_moments_too():
    desk = Desk(offer("a", 99), need("b", 99), need("c", 99), fairness="portions", fairness_memory_days=1)
    follower = Follower()
    for at, receiver in ((1, "b"), (72, "c")):
        name = f"for-{receiver}"
        desk.take(proposal(name, "a", receiver, 1, at=at), answer("a", name, at=at), answer(receiver, name, at=at))
        moment = copied(follower, desk.core)
        assert moment.book.claims_served() == desk.core.book.claims_served()
        assert len(moment.book.claims_served()) == 1


def test_what_no_moment_has_cannot_be_asked_of_one():
    desk = Desk(offer("a", 9), need("b", 9), proposal("p", "a", "b", 1, at=1), answer("a", "p", at=2))
    moment = copied(Follower(), desk.core)
    asks: list[Ask] = [
        *(lambda here: list(here.network.stated()), lambda here: here.book.pairs(), lambda here: here.book.heard),
        *(lambda here: here.unjudged, lambda here: here.book.ended),
    ]
    for ask in asks:
        ask(desk.core)
        with pytest.raises(AttributeError):
            ask(moment)


def test_two_who_follow_have_all_each():
    desk = Desk(offer("a", 9))
    first, second = Follower(), Follower()
    for number in range(3):
        for follower in (first, second):
            desk.take(need(f"b{number}", 9, at=number))
            assert copied(follower, desk.core).network.stances == desk.core.network.stances
