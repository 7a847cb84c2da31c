"""Several who decide on histories that may be old: what comes too late is void, and no word is judged twice or never."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest

from coordinator.charter import Charter
from coordinator.commitments import OPEN, State
from coordinator.cycle import Coordination
from coordinator.deciding import give_up, judged, obey, planned
from coordinator.errors import Refused
from coordinator.network import Thing
from coordinator.replaying import digest, standing_proposals
from coordinator.signals import parse_event
from coordinator.stream import partition_of
from tests.coordinator.test_production import SHIELDS
from tests.support.events import answer, event, moment_us, need, offer, report, resource, route, take_back, tick, withdraw

CHARTER = Charter.model_validate({"cycle_seconds": 3600, "fairness": "off", "proposal_seconds": 36_000})


@dataclass
class Turn:
    """What one worker wrote: decisions on the first `base` turns, then words."""

    base: int
    decisions: list[bytes]
    words: list[bytes]


@dataclass
class Worker:
    """One replica: it folds turns in order, and decides on as many as it has folded."""

    name: str
    history: list[Turn]
    folded: int = 0
    stale: Counter[str] = field(default_factory=Counter)
    passed_over: list[str] = field(default_factory=list)
    core: Coordination = field(default_factory=lambda: Coordination(CHARTER, judging=False, planning=False))

    def fold(self, until: int | None = None) -> "Worker":
        for turn in self.history[self.folded : until]:
            for line in turn.decisions:
                said = parse_event(line)
                try:
                    obey(self.core, said, line)
                except Refused as refusal:
                    self.stale[said.kind] += 1
                    if turn.base == self.folded:
                        give_up(self.core, said)
                        self.passed_over.append(str(refusal))
            for line in turn.words:
                self.core.take(parse_event(line), line)
            self.folded += 1
        return self

    def write(self, decisions: list[bytes], words: list[bytes]) -> None:
        self.history.append(Turn(self.folded, decisions, words))

    @property
    def state(self) -> str:
        return digest(self.core.ledger, standing_proposals(self.core.book))


def lines_of_plan(core: Coordination, is_mine: Callable[[Thing], bool] | None = None) -> list[bytes]:
    """What is said of a plan; each line is read back as the event that its writer goes by without reading it."""
    said = planned(core, is_mine)
    for each in said:
        assert parse_event(each.line) == each.event
    return [each.line for each in said]


def anyone(_: object) -> bool:
    return True


def share_of(index: int, count: int) -> Callable[[str], bool]:
    return lambda name: partition_of(name, 8) % count == index


def kinds(core: Coordination) -> list[str]:
    return [json.loads(line)["data"]["kind"] for line in core.ledger]


def started(*words: bytes) -> Worker:
    """A worker alone with one open proposal of a to b."""
    worker = Worker("one", [])
    worker.write([], [route("a", "b", 1), offer("a", 5), need("b", 5), *words])
    worker.fold().write(lines_of_plan(worker.core), [])
    return worker.fold()


def only(worker: Worker) -> str:
    [proposal] = worker.core.book.deals
    return proposal


def test_nothing_is_touched_before_a_decision_stands():
    worker = started()
    before = worker.state
    worker.write([], [answer("a", only(worker), at=1)])
    assert judged(worker.core, anyone) == []
    worker.fold()
    said = judged(worker.core, anyone)
    assert (worker.state, judged(worker.core, anyone)) == (before, said)
    worker.write(said, [])
    assert worker.fold().state != before
    assert kinds(worker.core) == ["promised"]


def test_a_tree_of_several_parties_stands_and_is_committed_by_all_of_them():
    worker = Worker("one", [])
    worker.write([], SHIELDS)
    worker.fold().write(lines_of_plan(worker.core), [])
    tree = only(worker.fold())
    parties = worker.core.book.deals[tree].parties
    assert set(parties) == {"supplier", "printer", "sewer", "clinic"}
    worker.write([], [answer(party, tree, at=1) for party in parties])
    for _ in range(len(parties) + 1):  # what touches one proposal is judged one after another
        worker.fold().write(judged(worker.core, anyone), [])
    assert Counter(kinds(worker.fold().core)) == {"promised": 4, "committed": 1}
    assert (worker.stale, worker.passed_over) == ({}, [])


@pytest.mark.parametrize(
    ("gone", "rests_on"),
    [
        pytest.param(withdraw("offer", "supplier", "cloth", at=1), "supplier/offer/cloth", id="goods that go into it"),
        pytest.param(withdraw("capacity", "sewer", "c", at=1), "sewer/capacity/c", id="hours"),
        pytest.param(withdraw("need", "clinic", "n", at=1), "clinic/need/n", id="what it is for"),
    ],
)
def test_a_tree_is_void_where_anything_it_draws_on_went_meanwhile(gone, rests_on):
    worker = Worker("one", [])
    worker.write([], SHIELDS)
    tree = lines_of_plan(worker.fold().core)
    worker.write([], [gone])
    worker.fold().history.append(Turn(1, tree, []))
    worker.fold()
    assert (worker.core.book.deals, worker.stale) == ({}, {"proposal": 1})
    with pytest.raises(Refused, match=f"rests on {rests_on}, which was withdrawn"):
        obey(worker.core, parse_event(tree[0]), tree[0])


def test_a_proposal_on_an_offer_withdrawn_meanwhile_is_void():
    worker = Worker("one", [])
    worker.write([], [route("a", "b", 1), offer("a", 5), need("b", 5)])
    plan = lines_of_plan(worker.fold().core)
    worker.write([], [withdraw("offer", "a", "o", at=1)])
    worker.history.append(Turn(1, plan, []))
    assert worker.fold().core.book.deals == {}
    assert worker.stale == {"proposal": 1}
    assert worker.passed_over == []


@pytest.mark.parametrize(
    ("word", "by_now"),
    [
        (offer("a", 5, "gown", at=1), "gown"),
        (need("b", 5, "gown", at=1), "gown"),
        (offer("a", 5, "mask", unit="kg", at=1), "mask"),
    ],
    ids=["another thing is offered", "another thing is needed", "by weight instead of pieces"],
)
def test_a_late_proposal_on_a_signal_that_speaks_of_another_thing_by_then_is_void(word, by_now):
    worker = Worker("one", [])
    worker.write([], [route("a", "b", 1), offer("a", 5), need("b", 5)])
    plan = lines_of_plan(worker.fold().core)
    worker.write([], [word])
    worker.history.append(Turn(1, plan, []))
    worker.fold()
    assert worker.core.book.deals == {}
    assert worker.stale == {"proposal": 1}
    with pytest.raises(Refused, match=f"speaks of '{by_now}' by now"):
        obey(worker.core, parse_event(plan[0]), plan[0])


def test_a_late_proposal_on_a_signal_that_was_said_again_of_the_same_thing_stands():
    worker = Worker("one", [])
    worker.write([], [route("a", "b", 1), offer("a", 5), need("b", 5)])
    plan = lines_of_plan(worker.fold().core)
    worker.write([], [offer("a", 4, at=1)])
    worker.history.append(Turn(1, plan, []))
    assert len(worker.fold().core.book.deals) == 1
    assert worker.stale == {}


def test_a_late_proposal_stands_on_a_need_that_accepts_instead_what_moves():
    worker = Worker("one", [])
    worker.write([], [route("a", "b", 1), offer("a", 5), need("b", 5)])
    plan = lines_of_plan(worker.fold().core)
    worker.write([], [need("b", 5, "gown", substitutes=["mask"], at=1)])
    worker.history.append(Turn(1, plan, []))
    assert len(worker.fold().core.book.deals) == 1


@pytest.mark.parametrize("word", [need("b", 5, "gown", at=2), need("b", 2, unit="kg", at=2)], ids=["another thing", "another dimension"])
def test_others_promises_keep_nothing_aside_of_a_need_that_speaks_of_another_thing_by_now(word):
    worker = started()
    worker.write([], [answer("a", only(worker), at=1)])
    worker.fold().write(judged(worker.core, anyone), [])
    book = worker.fold().core.book
    assert book.held_grains(book.network.stances["b/need/n"]) == 5
    worker.write([], [word])
    worker.fold()
    assert kinds(worker.core) == ["promised"], "the end of the old plan is not written yet"
    assert book.held_grains(book.network.stances["b/need/n"]) == 0


def test_others_promises_keep_aside_what_goes_by_another_name_by_now():
    worker = started()
    worker.write([], [answer("a", only(worker), at=1)])
    worker.fold().write(judged(worker.core, anyone), [])
    worker.write([], [resource("c", "face mask", at=2, aliases=["mask"])])
    book = worker.fold().core.book
    assert worker.core.network.canonical(("resource", "mask")) == ("resource", "face mask")
    assert book.held_grains(book.network.stances["b/need/n"]) == 5


def test_a_promise_to_what_was_declined_meanwhile_is_void_and_the_word_is_refused_in_its_turn():
    worker = started()
    proposal = only(worker)
    worker.write([], [answer("a", proposal, at=1)])
    late = judged(worker.fold().core, anyone)
    base = worker.folded
    worker.write([], [answer("b", proposal, "decline", at=1)])
    worker.write([line for line in judged(worker.fold().core, anyone) if json.loads(line)["data"]["agent"] == "b"], [])
    # The first word of the two is waited for, so b's alone was not judged: say so as another would who never saw a's.
    assert worker.history[-1].decisions == []
    decline = {
        "kind": "declined",
        "agent": "b",
        "proposal": proposal,
        "statement": f"agent:b/{parse_event(answer('b', proposal, 'decline', at=1)).id}",
    }
    worker.history[-1].decisions.append(event("ledger", "coordinator:main", "x", 1, decline))
    worker.history.append(Turn(base, late, []))
    assert kinds(worker.fold().core) == ["declined"]
    assert worker.stale == {"ledger": 1}
    worker.write(judged(worker.core, anyone), [])
    assert kinds(worker.fold().core) == ["declined", "refused"]
    assert worker.core.unjudged == {}


def test_a_promise_waits_for_a_decline_that_gives_back_what_it_draws_on():
    worker = started(need("b", 2, at=0.1), route("a", "c", 2), need("c", 3))
    name_of = {deal.lines[0].receiver: name for name, deal in worker.core.book.deals.items()}
    worker.write([], [answer("a", name_of["b"], at=1)])
    worker.fold().write(judged(worker.core, anyone), [])
    worker.fold().write([], [answer("b", name_of["b"], "decline", at=2), answer("a", name_of["c"], at=2)])
    for _ in range(2):
        worker.fold().write(judged(worker.core, anyone), [])
    assert kinds(worker.fold().core) == ["promised", "declined", "released", "promised"]
    assert json.loads(worker.core.ledger[-1])["data"]["free_before"] == {"a/offer/o": {"value": 5, "unit": "1"}}


def test_two_who_promise_at_once_for_two_parties_lead_to_one_commitment():
    worker = started()
    proposal = only(worker)
    worker.write([], [answer("a", proposal, at=1)])
    of_a = judged(worker.fold().core, anyone)
    other = Worker("two", [*worker.history[:2], Turn(2, [], [answer("b", proposal, at=1)])]).fold()
    of_b = judged(other.core, anyone)
    worker.write([], [answer("b", proposal, at=1)])
    worker.history += [Turn(3, of_a, []), Turn(3, of_b, [])]
    assert kinds(worker.fold().core) == ["promised", "promised"]
    assert list(worker.core.due) == [proposal]
    worker.write(judged(worker.core, anyone), [])
    assert kinds(worker.fold().core) == ["promised", "promised", "committed"]
    assert worker.core.due == {}


def test_a_plan_whose_time_is_up_is_released_before_a_late_acceptance_counts():
    worker = started()
    proposal = only(worker)
    worker.write([], [answer("a", proposal, at=1)])
    worker.write(judged(worker.fold().core, anyone), [])
    worker.write([], [answer("b", proposal, at=2), tick(11)])
    worker.fold()
    assert list(worker.core.due) == [proposal]
    while said := judged(worker.core, anyone):
        worker.write(said, [])
        worker.fold()
    assert kinds(worker.core) == ["promised", "released", "refused"]


def test_a_word_is_judged_once_whoever_says_so_again():
    worker = started()
    worker.write([], [answer("a", only(worker), at=1)])
    said = judged(worker.fold().core, anyone)
    worker.write(said, [])
    worker.history.append(Turn(3, [said[0].replace(b'"promised"', b'"noted"').replace(b'"id":"', b'"id":"x')], []))
    assert kinds(worker.fold().core) == ["promised"]
    assert worker.stale == {"ledger": 1}


def test_what_can_never_be_obeyed_is_let_go_of_and_named():
    worker = started()
    worker.write([], [answer("a", only(worker), at=1)])
    said = [line.replace(b'"promised"', b'"delivered"') for line in judged(worker.fold().core, anyone)]
    worker.write(said, [])
    worker.fold()
    assert worker.core.unjudged == {}
    assert len(worker.passed_over) == 1


# -- drawn at random ------------------------------------------------------------------------------------------------------


def words_of(random: Random, core: Coordination, hour: float) -> list[bytes]:
    """What agents may say next, seen from some state: new amounts, withdrawals, and every kind of answer."""
    said: list[bytes] = []
    for _ in range(random.randrange(1, 6)):
        number = random.randrange(4)
        maker, clinic, hour = f"maker-{number}", f"clinic-{random.randrange(4)}", hour + 0.001
        deals = [deal for deal in core.book.deals.values() if deal.state in OPEN or random.random() < 0.1]
        match random.randrange(10):
            case 0:
                said.append(offer(maker, random.randrange(1, 30), at=hour))
            case 1:
                said.append(need(clinic, random.randrange(1, 30), at=hour))
            case 2 if random.random() < 0.3:
                said.append(withdraw("offer", maker, "o", at=hour))
            case _ if deals:
                deal = random.choice(deals)
                party = random.choice(deal.parties)
                word = random.choice(["accept"] * 4 + ["both"] * 6 + ["decline", "back", "report"])
                if word == "both":
                    said += [answer(each, deal.proposal, at=hour) for each in deal.parties]
                elif word == "back":
                    said.append(take_back(party, deal.proposal, at=hour))
                elif word == "report":
                    said.append(report(party, deal.proposal, at=hour))
                else:
                    said.append(answer(party, deal.proposal, word, at=hour))
    return said


def run_shared(seed: int, count: int) -> list[Worker]:
    """Workers that share agents and markets act in any order, on what they happen to have folded."""
    random = Random(seed)
    roads = [route(f"maker-{one}", f"clinic-{other}", 1 + one, at=0) for one in range(4) for other in range(4)]
    history = [
        Turn(0, [], roads + [offer(f"maker-{one}", 20, at=0) for one in range(4)] + [need(f"clinic-{one}", 9, at=0) for one in range(4)])
    ]
    workers = [Worker(f"w{index}", history) for index in range(count)]
    hour = 0.0
    for _ in range(60):
        index = random.randrange(count)
        worker, is_mine = workers[index], share_of(index, count)
        if random.random() < 0.8:
            worker.fold(random.randrange(worker.folded, len(history) + 1))
        hour += random.choice([0, 0.01, 0.01, 0.5, 2])
        decisions = judged(worker.core, is_mine)
        if not decisions and random.random() < 0.5:
            decisions = lines_of_plan(worker.core, lambda thing, is_mine=is_mine: is_mine("/".join(thing)))
        worker.write(decisions, words_of(random, worker.core, hour))
    for _ in range(200):
        before = len(history)
        for index, worker in enumerate(workers):
            decisions = judged(worker.fold().core, share_of(index, count))
            if decisions:
                worker.write(decisions, [])
        if len(history) == before:
            break
    return [worker.fold() for worker in workers]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_whoever_decides_when_all_hold_one_state_and_nothing_is_promised_twice(count):
    committed = stale = 0
    for seed in range(25):
        workers = run_shared(seed, count)
        where = f"seed {seed}, {count} workers"
        fresh = Worker("fresh", workers[0].history).fold()
        assert {worker.state for worker in workers} == {fresh.state}, where
        assert {tuple(sorted(worker.stale.items())) for worker in workers} == {tuple(sorted(fresh.stale.items()))}, where
        assert (fresh.core.unjudged, fresh.core.due, fresh.passed_over) == ({}, {}, []), where
        records = [json.loads(line)["data"] for line in fresh.core.ledger]
        assert max(Counter(one["statement"] for one in records if "statement" in one).values(), default=1) == 1, where
        words = [parse_event(line) for turn in fresh.history for line in turn.words]
        heard = {f"{one.source}/{one.id}" for one in words if one.kind in ("answer", "report")}
        assert {one["statement"] for one in records if "statement" in one} == heard, where
        for one in records:
            if one["kind"] == "committed":
                assert set(one["acceptances"].values()) <= heard, where
        assert all(stance.taken_grains >= 0 for stance in fresh.core.network.stances.values()), where
        promised = defaultdict[str, int](int)
        for deal in fresh.core.book.deals.values():
            for line in deal.lines if deal.state is State.PROMISED else ():
                promised[line.offer] += line.quantity.grains * (line.provider in deal.promised)
        assert all(total <= fresh.core.network.stances[ref].stated_grains for ref, total in promised.items()), where
        committed += kinds(fresh.core).count("committed")
        stale += fresh.stale.total()
    assert committed > 10
    assert stale > 0


def test_one_who_has_folded_all_decides_as_the_coordination_that_judges_at_once():
    for seed in range(25):
        worker, random = Worker("one", []), Random(seed)
        live = Coordination(CHARTER, judging=True, planning=False)
        roads = [route(f"maker-{one}", f"clinic-{other}", 1 + one, at=0) for one in range(4) for other in range(4)]
        worker.write([], roads)
        for line in roads:
            live.take(parse_event(line), line)
        hour = 0.0
        for _ in range(40):
            hour += random.choice([0, 0.01, 0.01, 0.5, 2])
            for line in words_of(random, live, hour):
                live.take(parse_event(line), line)
                worker.write([], [line])
                while said := judged(worker.fold().core, anyone):
                    worker.write(said, [])
            if random.random() < 0.3:
                live.run_cycle()
                worker.write(lines_of_plan(worker.core), [])
                worker.fold()
        assert live.log_us == worker.core.log_us > moment_us(1)
        assert digest(live.ledger, standing_proposals(live.book)) == worker.state, f"seed {seed}"
