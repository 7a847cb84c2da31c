"""The order recorded words are told in, and the sums over them."""

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.charter import Charter
from coordinator.cycle import Coordination
from coordinator.network import Network
from coordinator.replaying import Said, digest, in_told_order, summarise
from coordinator.signals import parse_event
from coordinator.snapshots import freeze, thaw
from tests.support.desk import Desk
from tests.support.events import answer, ledger, need, offer, proposal, retracted, tick, withdraw

SIGNALS = [offer("a", 9, at=1), need("b", 9, at=1)]


def verdict(kind: str, who: str, statement: str, at: float) -> bytes:
    return ledger({"kind": kind, "agent": who, "proposal": "p", "statement": statement}, at=at)


def told(*lines: bytes) -> list[bytes]:
    return [one.line for one in in_told_order([Said(parse_event(line), line, "file", number) for number, line in enumerate(lines, 1)])]


PROPOSED = proposal("p", "a", "b", 5, at=2)
YES_A, YES_B = answer("a", "p", at=3, id="ya"), answer("b", "p", at=3, id="yb")
SAID_A, SAID_B = verdict("promised", "a", "agent:a/ya", 3), verdict("promised", "b", "agent:b/yb", 3)


@given(st.permutations(["agent:a"] * 3 + ["agent:b"] * 2 + ["proposal"] + ["ledger"] * 2))
def test_every_interleaving_is_told_in_one_order(turns):
    words = {
        "agent:a": [SIGNALS[0], YES_A, offer("a", 5, at=3)],
        "agent:b": [SIGNALS[1], YES_B],
        "proposal": [PROPOSED],
        "ledger": [SAID_A, SAID_B],
    }
    left = {source: iter(said) for source, said in words.items()}
    assert told(*(next(left[source]) for source in turns)) == told(*(line for said in words.values() for line in said))


@pytest.mark.parametrize("seed", range(5))
def test_nobody_loses_a_word(seed):
    lines = [*SIGNALS, PROPOSED, YES_A, YES_B, SAID_B, SAID_A, tick(4), retracted("p", at=4)]
    Random(seed).shuffle(lines)
    assert sorted(told(*lines)) == sorted(lines)


@pytest.mark.parametrize(
    ("lines", "order"),
    [
        pytest.param([YES_A, PROPOSED], [PROPOSED, YES_A], id="an answer comes after its proposal"),
        pytest.param([answer("a", "p", at=1), PROPOSED], [PROPOSED, answer("a", "p", at=1)], id="also where its clock says it was earlier"),
        pytest.param([SAID_A, PROPOSED, YES_A], [PROPOSED, YES_A, SAID_A], id="a verdict comes after its answer"),
        pytest.param(
            [PROPOSED, YES_A, offer("a", 5, at=4), verdict("promised", "a", "agent:a/ya", 8)],
            [PROPOSED, YES_A, verdict("promised", "a", "agent:a/ya", 8), offer("a", 5, at=4)],
            id="who answered says no more before the verdict",
        ),
        pytest.param(
            [proposal("q", "a", "b", 5, at=9), proposal("p", "a", "b", 5, at=2), YES_A],
            [proposal("p", "a", "b", 5, at=2), YES_A, proposal("q", "a", "b", 5, at=9)],
            id="proposals are told by their time, not as a file lists them",
        ),
        pytest.param([tick(9), SAID_A, YES_A], [YES_A, SAID_A, tick(9)], id="a tick holds no verdict back"),
    ],
)
def test_recorded_words_are_told_in_the_order_they_can_be_understood_in(lines, order):
    assert told(*lines) == order


def test_words_that_wait_for_each_other_are_told_all_the_same():
    """Two verdicts in the wrong order, each behind the other's answer."""
    later = answer("a", "q", at=5, id="ya2")
    wrong = [verdict("promised", "a", "agent:a/ya2", 6), verdict("promised", "a", "agent:a/ya", 6)]
    lines = [PROPOSED, YES_A, later, *wrong]
    assert sorted(told(*lines)) == sorted(lines)


def test_the_digest_knows_equal_numbers_as_equal():
    def one(value: str) -> bytes:
        return b'{"data": {"n": %s}}' % value.encode()

    assert digest([one("20")], []) == digest([one("20.0")], []) == digest([], [one("2e1")])
    assert digest([one("20")], []) != digest([one("21")], [])
    assert digest([one("1" + "0" * 30)], []) == digest([one("1e30")], [])


def test_the_digest_depends_on_the_order_of_the_ledger():
    one, other = b'{"data": {"n": 1}}', b'{"data": {"n": 2}}'
    assert digest([one, other], []) != digest([other, one], [])


def test_positions_writer_and_time_do_not_enter_the_digest():
    record = json.loads(SAID_A)
    moved = record | {"source": "coordinator:west", "time": "2027-01-01T00:00:00Z", "id": "other", "logtime": "2027-01-01T00:00:00Z"}
    assert digest([SAID_A], []) == digest([json.dumps(moved).encode()], [])


def test_a_network_without_events_has_no_needs_to_meet():
    desk = Desk()
    assert isinstance(desk.core.network, Network)
    assert desk.core.network.stances == {}


MOVING = [
    offer("a", 9, at=1),
    offer("a", 8, "gown", at=1.5),
    offer("a", 7, at=2, basis="total"),
    withdraw("offer", "a", "o", at=3),
    withdraw("offer", "a", "p", at=1),
    offer("a", 3, "gown", at=2, subject="p"),
    need("b", 4, at=1),
    withdraw("need", "b", "n", at=2),
    withdraw("need", "b", "never-said", at=2),
]


@given(st.permutations(MOVING), st.integers(0, len(MOVING)))
def test_signals_that_were_ever_said_are_counted_in_whatever_order_they_come_also_after_their_own_withdrawal(words, kept_after):
    folded = Coordination(Charter(late_seconds=10**9), judging=False, planning=False)
    for number, line in enumerate([*words, *words]):
        if number == kept_after:
            frozen, folded = freeze(folded), Coordination(folded.charter, judging=False, planning=False)
            thaw(frozen, folded)
        folded.take(parse_event(line), line)
    told = summarise(folded.network, folded.book, [], events=9, refused=0)
    assert (told["offers"], told["needs"], told["needs_met"]) == (2, 1, 0)
    sums = {name: (row["offered"], row["needed"]) for name, row in told["resources"].items()}
    assert sums == {"mask": (7, 4), "gown": (3, 0)}
    assert [stance.ref for stance in folded.network.living()] == ["a/offer/p"]
    assert folded.network._older_words.keys() <= {"a/offer/o", "b/need/n", "b/need/never-said"}  # one word each of what is withdrawn
