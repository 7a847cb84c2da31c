"""The book: the table of life, and what a recorded ledger can and cannot make it believe."""

from typing import Any

import pytest

from coordinator.commitments import ENDED, LIFE, OPEN, State, statement_of
from coordinator.errors import Refused
from coordinator.signals import parse_event
from tests.support.desk import Desk
from tests.support.events import amount, answer, capacity, event, ledger, need, offer, proposal, report, retracted, tick, withdraw

PARTIES = [offer("a", 100), need("b", 100)]


def reading(*lines: bytes, **rules: Any) -> Desk:
    """A desk that reads a recorded log: it obeys ledger records and decides nothing itself."""
    desk = Desk(**rules)
    desk.core.judging = desk.core.planning = False
    desk.take(*lines)
    return desk


def record(kind: str, who: str, statement: str | None = None, *, at: float = 2, to: str = "p", **more: Any) -> bytes:
    said = {} if statement is None else {"statement": statement}
    return ledger({"kind": kind, "agent": who, "proposal": to, **said, **more}, at=at)


ACCEPTANCES = [answer("a", "p", at=1, id="ya"), answer("b", "p", at=1, id="yb")]
PROMISES = [record("promised", "a", "agent:a/ya"), record("promised", "b", "agent:b/yb")]
COMMITTED = record("committed", "a")
PROPOSED = [*PARTIES, proposal("p", "a", "b", 40, at=1)]


# -- the table --------------------------------------------------------------------------------------------------------


def test_the_table_of_life_leads_only_to_states_it_holds():
    assert set(LIFE) == set(State)
    assert {state for ways in LIFE.values() for state in ways.values()} <= set(State)


def test_every_state_can_be_reached_from_proposed():
    reached, new = {State.PROPOSED}, {State.PROPOSED}
    while new:
        new = {state for old in new for state in LIFE[old].values()} - reached
        reached |= new
    assert reached == set(State)


def test_what_ended_never_opens_again_and_a_commitment_never_ends_by_an_answer():
    for state in ENDED:
        assert not set(LIFE[state].values()) - {state}
    for state in set(State) - OPEN - ENDED:
        assert not set(LIFE[state].values()) & (OPEN | ENDED)


def test_what_was_promised_of_earlier_counts_is_what_was_drawn_and_not_moved():
    """A recorded plan may name hours for what they make without a line that takes any: nothing is promised of them then."""
    made = proposal("made", "a", "b", 10, at=1).replace(b'"a/offer/o"', b'"a/capacity/c"')
    desk = Desk(*PARTIES, capacity("a", 9), proposal("p", "a", "b", 40, at=1), made)
    desk.take(*(answer(agent, plan, at=1, id=f"{plan} {agent}") for plan in ("p", "made") for agent in ("a", "b")))
    told = [desk.core.book.promised_before(desk.core.network.stances[ref]) for ref in ("a/offer/o", "a/capacity/c")]
    assert told == [0, 0]
    desk.take(offer("a", 70, at=2), capacity("a", 8, at=2, basis="total"))
    assert desk.core.network.stances["a/capacity/c"].taken_grains == 0
    told = [desk.core.book.promised_before(desk.core.network.stances[ref]) for ref in ("a/offer/o", "a/capacity/c")]
    assert told == [40, 0]
    desk.take(report("a", "p", "transfer", at=3))
    assert desk.core.book.promised_before(desk.core.network.stances["a/offer/o"]) == 0


# -- a ledger that is obeyed --------------------------------------------------------------------------------------------


def test_recorded_promises_and_the_one_record_that_decides_are_obeyed():
    desk = reading(*PROPOSED, *ACCEPTANCES, *PROMISES, COMMITTED)
    assert desk.state("p") is State.COMMITTED
    assert (desk.free("a/offer/o"), desk.free("b/need/n")) == (60, 60)


def test_promises_hold_until_the_one_record_that_decides():
    desk = reading(*PROPOSED, *ACCEPTANCES, *PROMISES)
    assert desk.state("p") is State.PROMISED
    assert (desk.free("a/offer/o"), desk.free("b/need/n")) == (60, 60)


@pytest.mark.parametrize("cut", range(6))
def test_a_log_cut_short_goes_on_from_there_to_the_same_end(cut):
    desk = reading(*PROPOSED, *[*ACCEPTANCES, *PROMISES, COMMITTED][:cut])
    desk.core.resume()
    desk.take(*(line for line in ACCEPTANCES[cut:]))
    assert desk.kinds == ["promised", "promised", "committed"]
    assert desk.state("p") is State.COMMITTED


def test_a_log_cut_between_a_decline_and_what_it_frees_frees_it_when_it_goes_on():
    no = answer("b", "p", "decline", at=1, id="no")
    desk = reading(*PROPOSED, ACCEPTANCES[0], no, PROMISES[0], record("declined", "b", "agent:b/no"))
    assert desk.free("a/offer/o") == 60
    desk.core.resume()
    assert (desk.kinds[-1], desk.free("a/offer/o"), desk.state("p")) == ("released", 100, State.DECLINED)


# -- a ledger that is forged ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "forged", "words"),
    [
        pytest.param([], record("promised", "a", "agent:a/ya"), "no acceptance of its own", id="a promise nobody spoke"),
        pytest.param([], record("promised", "a"), "no acceptance of its own", id="a promise without a statement"),
        pytest.param([ACCEPTANCES[1]], record("promised", "a", "agent:b/yb"), "no acceptance of its own", id="with another's acceptance"),
        pytest.param(
            [answer("a", "q", at=1, id="yq")], record("promised", "a", "agent:a/yq"), "no acceptance of its own", id="of another proposal"
        ),
        pytest.param(
            [answer("a", "p", "decline", at=1, id="no")],
            record("promised", "a", "agent:a/no"),
            "no acceptance of its own",
            id="of a decline",
        ),
        pytest.param([], record("declined", "a", "agent:a/no"), "no decline of its own", id="a decline nobody spoke"),
        pytest.param(
            [ACCEPTANCES[0]], record("declined", "a", "agent:a/ya"), "no decline of its own", id="a decline that was an acceptance"
        ),
        pytest.param([], record("countered", "a", limit=amount(1)), "no counter of its own", id="a counter nobody spoke"),
        pytest.param(
            [ACCEPTANCES[0], PROMISES[0]], record("released", "a", "agent:a/ya"), "no withdrawal of its own", id="taken back by nobody"
        ),
        pytest.param(
            [*ACCEPTANCES, *PROMISES, COMMITTED], record("fulfilled", "a"), "no report of its own", id="a delivery nobody reported"
        ),
        pytest.param([answer("x", "p", at=1, id="yx")], record("promised", "x", "agent:x/yx"), "not a party", id="by a stranger"),
        pytest.param([ACCEPTANCES[0], PROMISES[0]], record("promised", "a", "agent:a/ya", at=3), "promised 'p' already", id="twice"),
        pytest.param([], COMMITTED, "may not follow", id="a commitment out of nothing"),
        pytest.param([ACCEPTANCES[0], PROMISES[0]], COMMITTED, "b never accepted", id="a commitment one party never accepted"),
        pytest.param([*ACCEPTANCES, *PROMISES], record("committed", "b"), "for the judge of 'a'", id="a commitment by another judge"),
        pytest.param([ACCEPTANCES[0], PROMISES[0]], record("released", "b"), "no promise to 'p'", id="taking back what was not promised"),
        pytest.param([*ACCEPTANCES, *PROMISES, COMMITTED], record("released", "b"), "may not follow", id="releasing a commitment"),
        pytest.param([], record("lapsed", "a"), "may not follow", id="time is not said by a ledger"),
        pytest.param([ACCEPTANCES[0], PROMISES[0]], record("taken back", "b"), "may not follow", id="no ledger kind"),
        pytest.param([], record("sold", "a"), "may not follow", id="an unknown kind"),
        pytest.param([], record("promised", "a", "agent:a/ya", to="q"), "nobody made", id="an unknown proposal"),
        pytest.param([], record("fulfilled", "a"), "may not follow", id="fulfilment of what is not committed"),
        pytest.param(
            [*ACCEPTANCES, *PROMISES, COMMITTED],
            record("delivered", "a", moved=[amount(1), amount(1)]),
            "does not fit",
            id="more lines than the plan has",
        ),
        pytest.param(
            [*ACCEPTANCES, *PROMISES, COMMITTED],
            record("delivered", "a", moved=[amount(1, "kg")]),
            "does not fit",
            id="in another dimension",
        ),
    ],
)
def test_a_forged_record_is_refused_and_changes_nothing(before, forged, words):
    desk = reading(*PROPOSED, *before)
    held = (desk.state("p"), desk.free("a/offer/o"), desk.free("b/need/n"), desk.kinds)
    with pytest.raises(Refused, match=words):
        desk.take(forged)
    assert (desk.state("p"), desk.free("a/offer/o"), desk.free("b/need/n"), desk.kinds) == held


def test_a_forged_promise_beyond_what_is_free_is_refused_though_the_agent_accepted_both():
    desk = reading(*PARTIES, proposal("p", "a", "b", 60, at=1), proposal("q", "a", "b", 60, at=1))
    desk.take(answer("a", "p", at=1, id="1"), answer("a", "q", at=1, id="2"), record("promised", "a", "agent:a/1"))
    with pytest.raises(Refused, match="of which 40 are left"):
        desk.take(record("promised", "a", "agent:a/2", to="q"))
    assert desk.free("a/offer/o") == 40


def test_a_promise_of_a_signal_nobody_knows_is_refused():
    desk = reading(proposal("p", "a", "b", 40, at=1), ACCEPTANCES[0])
    with pytest.raises(Refused, match="no longer stands"):
        desk.take(PROMISES[0])
    assert desk.state("p") is State.PROPOSED


def test_a_proposal_cannot_draw_on_another_agents_signals():
    forged = proposal("p", "a", "b", 40, at=1).replace(b'"a/offer/o"', b'"c/offer/o"')
    with pytest.raises(Refused, match="a signal of 'a' itself was expected"):
        Desk(*PARTIES, offer("c", 100), forged)


def test_a_proposal_without_lines_is_refused():
    empty = {"proposal": "p", "lines": [], "expires": "2026-03-09T00:00:00Z", "charter": "c", "reasons": {}}
    with pytest.raises(Refused, match="has no lines"):
        Desk(*PARTIES, event("proposal", "coordinator:main", "p", 1, empty))


def test_a_proposal_in_units_the_signal_is_not_counted_in_cannot_be_promised():
    desk = Desk(*PARTIES, proposal("p", "a", "b", 0.000000001, at=1, unit="kg"), answer("a", "p", at=1))
    assert desk.last["kind"] == "refused"
    assert "does not convert" in desk.last["why"]


# -- what is remembered of what was said ----------------------------------------------------------------------------------

SHORT = {"late_seconds": 60, "proposal_seconds": 240}  # so that words about nothing are kept five minutes
HEARD_LATE = 1 / 12  # five minutes, in hours


def test_what_was_said_to_a_proposal_is_forgotten_when_it_ends():
    desk = reading(*PROPOSED, *ACCEPTANCES)
    assert desk.core.book.heard == {"p": {"agent:a/ya": ("a", "accept"), "agent:b/yb": ("b", "accept")}}
    desk.take(answer("a", "p", "decline", at=2, id="no"), record("declined", "a", "agent:a/no"))
    assert (desk.state("p"), desk.core.book.heard) == (State.DECLINED, {})
    with pytest.raises(Refused, match="has ended"):
        desk.take(PROMISES[1])
    desk.take(answer("b", "p", at=3, id="later"))
    assert desk.core.book.heard == {}


def test_what_no_record_can_rest_on_is_not_remembered():
    desk = reading(*PROPOSED, *ACCEPTANCES, answer("c", "p", at=1), *PROMISES, COMMITTED, answer("a", "p", at=3))
    assert desk.core.book.heard == {"p": {"agent:a/ya": ("a", "accept"), "agent:b/yb": ("b", "accept")}}
    got = report("b", "p", at=4)
    desk.take(got, record("fulfilled", "b", statement_of(parse_event(got)), at=5, moved=[amount(40)]))
    assert desk.state("p") is State.FULFILLED


def test_words_about_what_nobody_made_are_forgotten_in_time():
    desk = reading(*PARTIES, *ACCEPTANCES, **SHORT)
    desk.until(1 + HEARD_LATE - 0.001)
    assert desk.core.book.heard["p"].keys() == {"agent:a/ya", "agent:b/yb"}
    desk.until(1 + HEARD_LATE)
    assert desk.core.book.heard == {}


def test_a_word_counts_for_the_same_proposal_made_again_and_goes_with_it_when_it_is_not():
    desk = reading(*PROPOSED, *ACCEPTANCES, retracted("p", at=1.01), **SHORT)
    desk.take(proposal("p", "a", "b", 40, at=1.02, expires=9), record("promised", "a", "agent:a/ya", at=1.03))
    assert desk.state("p") is State.PROMISED
    desk.until(1 + 3 * HEARD_LATE)
    desk.take(record("promised", "b", "agent:b/yb", at=1.3))
    assert desk.core.book.deals["p"].promised.keys() == {"a", "b"}
    gone = reading(*PROPOSED, *ACCEPTANCES, **SHORT)
    gone.until(1 + 1.5 * HEARD_LATE)
    gone.take(retracted("p", at=1.2))
    gone.until(1 + 3 * HEARD_LATE)
    assert gone.core.book.heard == {}


# -- how proposals come and go -------------------------------------------------------------------------------------------


def test_a_proposal_said_twice_is_one():
    desk = Desk(*PROPOSED, proposal("p", "a", "b", 40, at=2))
    assert desk.parties == {("a", "b"): 40}


def test_a_retracted_proposal_that_is_made_again_stands_again():
    desk = Desk(*PROPOSED, retracted("p", at=2))
    assert desk.open == []
    desk.take(proposal("p", "a", "b", 40, at=3))
    assert desk.state("p") is State.PROPOSED
    desk.take(answer("a", "p", at=4), answer("b", "p", at=4))
    assert desk.last["kind"] == "committed"


def test_a_part_accepted_proposal_is_not_retracted():
    desk = Desk(*PROPOSED, ACCEPTANCES[0], retracted("p", at=2))
    assert desk.state("p") is State.PROMISED


@pytest.mark.parametrize(
    ("answered", "state"),
    [([], State.LAPSED), ([ACCEPTANCES[0]], State.RELEASED), (ACCEPTANCES, State.COMMITTED)],
    ids=["none", "one", "all"],
)
def test_what_nobody_answers_evaporates_at_its_expiry(answered, state):
    desk = Desk(*PARTIES, proposal("p", "a", "b", 40, at=1, expires=10), *answered, tick(9.99))
    assert desk.state("p") in OPEN | {State.COMMITTED}
    desk.until(10)
    assert desk.state("p") is state
    assert desk.free("a/offer/o") == (60 if state is State.COMMITTED else 100)


@pytest.mark.parametrize(
    ("answered", "kinds"),
    [
        pytest.param([], [], id="its proposals are retracted"),
        pytest.param([ACCEPTANCES[1]], ["promised", "released"], id="promises are released"),
        pytest.param(ACCEPTANCES, ["promised", "promised", "committed"], id="commitments stand"),
    ],
)
@pytest.mark.parametrize("gone", [withdraw("offer", "a", "o", at=2), offer("a", 5, "gown", at=2)], ids=["withdrawn", "another thing"])
def test_withdrawing_a_signal_takes_from_the_table_what_rests_on_it(answered, kinds, gone):
    desk = Desk(*PROPOSED, *answered, gone)
    assert desk.kinds == kinds
    assert desk.open == []
    assert desk.free("b/need/n") == (60 if kinds[-1:] == ["committed"] else 100)
    assert (desk.core.book.deals.keys() == {"p"}) is (kinds[-1:] == ["committed"])
