"""The judge: what every answer and report amounts to, and that a refused one changes nothing else."""

import json
from collections import Counter
from random import Random
from typing import Any

import pytest

from coordinator.commitments import ENDED, LIFE, OPEN, State
from tests.support.desk import Desk
from tests.support.events import agent, amount, answer, event, need, offer, proposal, report, take_back, tick, withdraw

A, B = "a/offer/o", "b/need/n"


def desk_with(quantity: float = 40, *lines: bytes, **rules: Any) -> Desk:
    """A proposal p of a's offer of 100 to b's need of 100, expiring at hour 50."""
    return Desk(offer("a", 100), need("b", 100), proposal("p", "a", "b", quantity, at=1, expires=50), *lines, **rules)


def committed(quantity: float = 40) -> Desk:
    return desk_with(quantity, answer("a", "p", at=2), answer("b", "p", at=2))


def everything(desk: Desk) -> Any:
    """All that a refused word must leave as it was."""
    deals = {
        name: (deal.state, dict(deal.promised), deal.shipped.copy(), deal.received.copy()) for name, deal in desk.core.book.deals.items()
    }
    free = {ref: (stance.free_grains, stance.count, stance.stands) for ref, stance in desk.core.network.stances.items()}
    return deals, dict(desk.core.book.ended), free


# -- acceptance ------------------------------------------------------------------------------------------------------------


def test_both_acceptances_make_a_commitment_and_one_record_decides():
    desk = committed()
    assert desk.kinds == ["promised", "promised", "committed"]
    assert desk.last["agent"] == "a"
    assert set(desk.last["acceptances"]) == {"a", "b"}
    assert desk.last["lines"][0]["quantity"] == amount(40)


def test_a_promise_can_be_read_alone():
    desk = desk_with(40, answer("b", "p", at=2, id="yes"))
    assert desk.last == {
        "kind": "promised",
        "agent": "b",
        "proposal": "p",
        "statement": "agent:b/yes",
        "free_before": {B: amount(100)},
        "free_after": {B: amount(60)},
    }


REFUSED: list[Any] = [
    pytest.param(desk_with, [], answer("x", "p", at=3), "not a party", id="by a stranger"),
    pytest.param(desk_with, [], answer("a", "q", at=3), "no proposal 'q'", id="of a proposal nobody made"),
    pytest.param(desk_with, [answer("a", "p", at=2)], answer("a", "p", at=3), "accepted proposal 'p' already", id="twice"),
    pytest.param(committed, [], answer("a", "p", at=3), "is committed", id="of a commitment"),
    pytest.param(desk_with, [], answer("a", "p", at=50), "expired", id="just at its expiry"),
    pytest.param(desk_with, [answer("a", "p", at=2)], answer("b", "p", at=51), "has ended: released", id="after the others were released"),
    pytest.param(desk_with, [answer("b", "p", "decline", at=2)], answer("a", "p", at=3), "has ended: declined", id="of a declined one"),
    pytest.param(desk_with, [offer("a", 30, at=2)], answer("a", "p", at=3), "30 are left", id="of more than is free by now"),
    pytest.param(desk_with, [withdraw("offer", "a", "o", at=2)], answer("a", "p", at=3), "retracted", id="after one's withdrawal"),
    pytest.param(desk_with, [withdraw("need", "b", "n", at=2)], answer("a", "p", at=3), "retracted", id="after the other's withdrawal"),
    pytest.param(committed, [], take_back("a", "p", at=3), "is committed", id="null after the commitment"),
    pytest.param(desk_with, [], take_back("a", "p", at=3), "no standing acceptance", id="null without an acceptance"),
    pytest.param(desk_with, [answer("a", "p", at=2)], take_back("b", "p", at=3), "no standing acceptance", id="null for somebody else"),
    pytest.param(committed, [], answer("a", "p", "decline", at=3), "is committed", id="a decline of a commitment"),
    pytest.param(committed, [], answer("a", "p", "counter", at=3, quantity=1), "is committed", id="a counter to a commitment"),
    pytest.param(desk_with, [], answer("a", "p", "counter", at=3, quantity=40), "smaller than", id="a counter that is not smaller"),
    pytest.param(desk_with, [], answer("a", "p", "counter", at=3, quantity=1, unit="kg"), "same dimension", id="a counter by weight"),
    pytest.param(desk_with, [], report("a", "p", at=3), "no commitment 'p'", id="a report on what is not committed"),
    pytest.param(desk_with, [], report("a", "q", at=3), "no commitment 'q'", id="a report on the unknown"),
    pytest.param(committed, [], report("x", "p", at=3), "not a party", id="a report by a stranger"),
    pytest.param(committed, [], report("a", "p", at=3, quantity=41), "more than the 40", id="a report of too much"),
    pytest.param(committed, [report("a", "p", at=3, quantity=30)], report("a", "p", at=4, quantity=11), "more than the 10", id="in parts"),
    pytest.param(committed, [report("b", "p", at=3)], report("b", "p", at=4), "reported all", id="a report of it all twice"),
    pytest.param(committed, [], report("b", "p", "pickup", at=3), "what the provider does", id="a pickup by the receiver"),
    pytest.param(committed, [], report("a", "p", at=3, quantity=1, unit="kg"), "0 lines", id="a report by weight"),
]


@pytest.mark.parametrize(("start", "before", "word", "why"), REFUSED)
def test_what_cannot_be_is_refused_in_the_ledger_with_the_reason_and_nothing_else_changes(start, before, word, why):
    desk = start()
    desk.take(*before)
    desk.take(event("tick", "coordinator:main", "tick", 0, {}).replace(b"2026-03-01T00:00:00Z", json.loads(word)["time"].encode()))
    held = everything(desk)
    desk.take(word)
    assert desk.last["kind"] == "refused"
    assert why in desk.last["why"]
    assert {"agent", "proposal", "statement"} <= set(desk.last)
    said = json.loads(word)["data"] or {}
    assert {name: desk.last[name] for name in ("answer", "action") if name in desk.last} == {
        name: said[name] for name in ("answer", "action") if name in said
    }
    assert everything(desk) == held


def test_over_acceptance_of_one_offer_by_its_own_agent_is_refused():
    desk = Desk(offer("a", 100), need("b", 80), need("c", 80))
    desk.take(proposal("p", "a", "b", 80, at=1), proposal("q", "a", "c", 80, at=1))
    desk.take(answer("a", "p", at=2), answer("a", "q", at=3))
    assert desk.kinds == ["promised", "refused"]
    assert "takes 80 of a/offer/o, of which 20 are left unpromised" in desk.last["why"]
    assert desk.free(A) == 20


def test_the_same_word_again_is_no_second_answer():
    desk = desk_with(40, answer("a", "p", at=2), answer("a", "p", at=2))
    assert desk.kinds == ["promised"]


# -- taking back -----------------------------------------------------------------------------------------------------------


def test_null_on_ones_acceptance_releases_it_until_the_commitment():
    desk = desk_with(40, answer("a", "p", at=2), take_back("a", "p", at=3))
    assert (desk.last["kind"], desk.last["free_before"], desk.last["free_after"]) == ("released", {A: amount(60)}, {A: amount(100)})
    assert (desk.state("p"), desk.free(A)) == (State.PROPOSED, 100)
    desk.take(answer("b", "p", at=4), answer("a", "p", at=5))
    assert desk.last["kind"] == "committed"


def test_a_promise_taken_back_after_a_new_count_gives_nothing_back_to_it():
    desk = desk_with(40, answer("a", "p", at=2), offer("a", 55, at=3), take_back("a", "p", at=4))
    assert desk.free(A) == 55
    assert desk.last["free_after"] == {A: amount(55)}


# -- declines and counters -------------------------------------------------------------------------------------------------


HERE = [agent("a", 48.0), agent("b", 48.5), agent("c", 49.0), agent("d", 49.5)]


def planned(*lines: bytes, **rules: Any) -> Desk:
    desk = Desk(*HERE, *lines, **rules)
    desk.cycle()
    return desk


def only(desk: Desk, provider: str, receiver: str) -> str:
    (name,) = [deal.proposal for deal in desk.open if deal.parties == (provider, receiver)]
    return name


@pytest.mark.parametrize("who", ["a", "b"])
@pytest.mark.parametrize(
    ("word", "again"),
    [
        pytest.param(None, False, id="not by itself"),
        pytest.param(offer("a", 100, at=3), False, id="not by a refresh"),
        pytest.param(offer("a", 90, at=3), True, id="by a new count of the offer"),
        pytest.param(need("b", 90, at=3), True, id="by a new count of the need"),
        pytest.param(offer("d", 1, at=3), False, id="not by somebody else's signal"),
    ],
)
def test_a_declined_pair_is_never_proposed_again_until_a_new_count(who, word, again):
    desk = planned(offer("a", 100), need("b", 100))
    desk.take(answer(who, only(desk, "a", "b"), "decline", at=2, reason="no van"))
    assert (desk.last["kind"], desk.last["why"]) == ("declined", "no van")
    desk.take(*([word] if word else []))
    desk.cycle()
    assert (("a", "b") in desk.parties) is again


def test_a_decline_frees_what_the_other_had_promised():
    desk = desk_with(40, answer("a", "p", at=2), answer("b", "p", "decline", at=3))
    assert desk.kinds == ["promised", "declined", "released"]
    assert desk.free(A) == 100


def test_one_may_decline_what_one_had_accepted_alone():
    desk = desk_with(40, answer("a", "p", at=2), answer("a", "p", "decline", at=3))
    assert desk.kinds == ["promised", "declined"]
    assert (desk.free(A), desk.state("p")) == (100, State.DECLINED)


@pytest.mark.parametrize("who", ["a", "b"])
def test_a_counter_proposes_at_most_so_much_to_that_pair_and_the_rest_elsewhere(who):
    desk = planned(offer("a", 100), need("b", 100), need("c", 100))
    assert desk.parties == {("a", "b"): 100}
    desk.take(answer(who, only(desk, "a", "b"), "counter", at=2, quantity=30))
    assert (desk.last["kind"], desk.last["limit"]) == ("countered", amount(30))
    desk.cycle()
    assert desk.parties == {("a", "b"): 30, ("a", "c"): 70}


def test_what_a_counter_left_open_is_used_up_by_what_the_pair_commits_since():
    desk = planned(offer("a", 100), need("b", 100))
    desk.take(answer("a", only(desk, "a", "b"), "counter", at=2, quantity=30))
    desk.cycle()
    name = only(desk, "a", "b")
    desk.take(answer("b", name, at=3))
    desk.cycle()
    assert desk.parties == {("a", "b"): 30}, "a part-accepted proposal uses it up already"
    desk.take(answer("a", name, at=4))
    assert desk.last["kind"] == "committed"
    assert desk.cycle() == []


def test_a_counter_keeps_open_what_was_promised_to_the_countered_proposal():
    desk = planned(offer("a", 100), need("b", 100))
    name = only(desk, "a", "b")
    desk.take(answer("b", name, at=2), answer("a", name, "counter", at=3, quantity=30))
    assert desk.kinds == ["promised", "countered", "released"]
    desk.cycle()
    assert desk.parties == {("a", "b"): 30}


def test_after_a_counter_a_new_count_opens_the_pair_again():
    desk = planned(offer("a", 100), need("b", 100))
    desk.take(answer("a", only(desk, "a", "b"), "counter", at=2, quantity=30), offer("a", 120, at=3))
    desk.cycle()
    assert desk.parties == {("a", "b"): 100}


# -- superseding -----------------------------------------------------------------------------------------------------------


def test_an_unanswered_proposal_is_superseded_and_can_no_longer_be_accepted():
    desk = planned(offer("a", 100), need("c", 100))
    old = only(desk, "a", "c")
    desk.take(need("b", 100, at=1))
    desk.cycle()
    assert desk.parties == {("a", "b"): 100}
    desk.take(answer("a", old, at=2))
    assert "superseded or retracted" in desk.last["why"]


@pytest.mark.parametrize("who", ["a", "c"])
def test_a_part_accepted_proposal_is_never_superseded_before_it_expires(who):
    desk = planned(offer("a", 100), need("c", 100), proposal_seconds=36_000)
    old = only(desk, "a", "c")
    desk.take(answer(who, old, at=1), need("b", 100, at=2))
    desk.cycle()
    assert desk.state(old) is State.PROMISED
    assert desk.parties == {("a", "c"): 100}
    desk.until(10)
    desk.cycle()
    assert (desk.kinds, desk.parties) == (["promised", "released"], {("a", "b"): 100})


def test_a_plan_that_comes_back_word_for_word_can_be_accepted():
    """The windows give every proposal of it the same expiry, so its id is the same too."""
    desk = planned(offer("a", 100, end=40), need("c", 100))
    first = only(desk, "a", "c")
    desk.take(need("b", 100, at=1))
    desk.cycle()
    desk.take(withdraw("need", "b", "n", at=2))
    desk.cycle()
    assert only(desk, "a", "c") == first
    desk.take(answer("a", first, at=3), answer("c", first, at=3))
    assert desk.last["kind"] == "committed"


# -- delivery --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reports", "kinds", "state"),
    [
        pytest.param([report("a", "p", "pickup", at=3)], ["shipped"], State.COMMITTED, id="it left"),
        pytest.param([report("b", "p", at=3, quantity=10)], ["delivered"], State.DELIVERED, id="a part arrived"),
        pytest.param([report("b", "p", at=3)], ["fulfilled"], State.FULFILLED, id="all arrived"),
        pytest.param([report("a", "p", at=3)], ["fulfilled"], State.FULFILLED, id="all arrived by the provider's word"),
        pytest.param(
            [report("b", "p", at=3, quantity=10), report("b", "p", at=4, quantity=30)],
            ["delivered", "fulfilled"],
            State.FULFILLED,
            id="in two parts",
        ),
        pytest.param([report("a", "p", at=3), report("b", "p", at=4)], ["fulfilled", "delivered"], State.FULFILLED, id="both sides say so"),
        pytest.param([report("a", "p", "produce", at=3)], ["noted"], State.COMMITTED, id="what moves nothing is noted"),
    ],
)
def test_reports_move_a_commitment_on(reports, kinds, state):
    desk = committed()
    desk.take(*reports)
    assert desk.kinds[3:] == kinds
    assert desk.state("p") is state


def test_what_did_not_arrive_before_the_need_became_useless_is_broken_and_may_still_arrive():
    desk = Desk(offer("a", 100), need("b", 100, end=20), proposal("p", "a", "b", 40, at=1, expires=15))
    desk.take(answer("a", "p", at=2), answer("b", "p", at=2), report("b", "p", at=3, quantity=10), tick(20))
    assert desk.last["kind"] == "broken"
    assert desk.state("p") is State.BROKEN
    desk.take(report("b", "p", at=21))
    assert desk.state("p") is State.FULFILLED


# -- random lives against a model --------------------------------------------------------------------------------------------


class Model:
    """What the contract says of answers, in as few words as possible: parties, promises, states. No code is shared."""

    def __init__(self, stated: dict[str, int]) -> None:
        self.free = dict(stated)
        self.deals: dict[str, tuple[str, str, int, float]] = {}
        self.state: dict[str, str] = {}
        self.yes: dict[str, set[str]] = {}
        self.moved: Counter[tuple[str, str]] = Counter()

    def propose(self, name: str, provider: str, receiver: str, quantity: int, expires: float) -> None:
        self.deals[name] = (provider, receiver, quantity, expires)
        self.state[name], self.yes[name] = "open", set()

    def pass_time(self, at: float) -> None:
        for name, (_, _, _, expires) in self.deals.items():
            if self.state[name] == "open" and at >= expires:
                self.end(name)

    def end(self, name: str) -> None:
        for who in self.yes[name]:
            self.free[who] += self.deals[name][2]
        self.state[name], self.yes[name] = "ended", set()

    def answer(self, who: str, name: str, word: str) -> bool:
        """Take in an answer; return whether it holds."""
        if self.state.get(name) != "open" or who not in self.deals[name][:2]:
            return False
        if word == "accept":
            if who in self.yes[name] or self.free[who] < self.deals[name][2]:
                return False
            self.yes[name].add(who)
            self.free[who] -= self.deals[name][2]
            if len(self.yes[name]) == 2:
                self.state[name] = "bound"
            return True
        if word == "null":
            if who not in self.yes[name]:
                return False
            self.yes[name].remove(who)
            self.free[who] += self.deals[name][2]
            return True
        self.end(name)
        return True

    def report(self, who: str, name: str, quantity: int) -> bool:
        if self.state.get(name) != "bound" or who not in self.deals[name][:2]:
            return False
        if self.moved[who, name] + quantity > self.deals[name][2]:
            return False
        self.moved[who, name] += quantity
        return True


AGENTS = ["a", "b", "c", "d", "x"]


@pytest.mark.parametrize("seed", range(150))
def test_random_lives_equal_the_model_after_every_step(seed):
    draw = Random(seed)
    stated = {who: draw.randint(20, 60) for who in "abcd"}
    desk = Desk(*(offer(who, stated[who]) for who in "ab"), *(need(who, stated[who]) for who in "cd"))
    model, at = Model(stated), 0.0
    for step in range(60):
        at += draw.choice([0.0, 0.5, 1.0])
        if draw.random() < 0.25 or not model.deals:
            name, (provider, receiver) = f"p{step}", (draw.choice("ab"), draw.choice("cd"))
            quantity, expires = draw.randint(1, 30), at + draw.randint(1, 12)
            desk.take(proposal(name, provider, receiver, quantity, at=at, expires=expires))
            model.pass_time(at)
            model.propose(name, provider, receiver, quantity, expires)
            continue
        before, who, name = len(desk.ledger), draw.choice(AGENTS), draw.choice([*model.deals, "nobody-made-this"])
        desk.until(at)
        model.pass_time(at)
        automatic = len(desk.ledger) - before
        word = draw.choice(["accept"] * 5 + ["decline", "null", "report", "report"])
        held = everything(desk)
        if word == "report":
            quantity = draw.randint(1, 20)
            desk.take(report(who, name, at=at + step * 1e-6, quantity=quantity))
            holds = model.report(who, name, quantity)
        else:
            said = take_back(who, name, at=at + step * 1e-6) if word == "null" else answer(who, name, word, at=at + step * 1e-6)
            desk.take(said)
            holds = model.answer(who, name, word)
        told = f"seed {seed}, step {step}: {who} {word} {name}: {desk.last}"
        verdicts = desk.ledger[before + automatic :]
        assert (verdicts[0]["kind"] != "refused") is holds, told
        assert holds or everything(desk) == held, told
        check(desk, model, told)


def check(desk: Desk, model: Model, told: str) -> None:
    book = desk.core.book
    free = {ref[0]: stance.stated_grains - stance.taken_grains for ref, stance in desk.core.network.stances.items()}
    assert free == model.free, told
    assert min(free.values()) >= 0, told
    decided = Counter(record["proposal"] for record in desk.ledger if record["kind"] == "committed")
    for name, state in model.state.items():
        found = desk.state(name)
        assert {"open": found in OPEN, "ended": found in ENDED, "bound": found not in OPEN | ENDED}[state], told
        assert decided[name] == (state == "bound"), told
    for name in decided:
        promises = {
            record["agent"]: record["statement"] for record in desk.ledger if (record["kind"], record["proposal"]) == ("promised", name)
        }
        assert set(promises) == set(model.deals[name][:2]), told
        assert all(book.heard[name][statement] == (who, "accept") for who, statement in promises.items()), told


def test_every_step_a_verdict_takes_is_in_the_table_of_life():
    happenings = {happening for ways in LIFE.values() for happening in ways}
    desk = committed()
    desk.take(report("a", "p", "pickup", at=3), report("b", "p", at=4))
    assert {kind for kind in desk.kinds if kind not in ("refused", "noted")} <= happenings


def test_what_was_picked_up_has_not_arrived():
    desk = committed(40)
    desk.take(report("a", "p", "pickup", at=3))
    assert desk.last["kind"] == "shipped"
    desk.take(report("b", "p", "transfer", at=4, quantity=1))
    assert desk.last["kind"] == "delivered"
    desk.take(report("a", "p", "dropoff", at=5))
    assert desk.last["kind"] == "fulfilled"
