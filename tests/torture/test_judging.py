"""The judge itself: it reads all that there is, lets no turn be void without a reason, and misses no commitment lost or doubled."""

from collections import namedtuple
from typing import Any

import pytest
from kafka import TopicPartition

from tests.torture.judging import SIGNAL, Findings, Row, examine_commitments, examine_ledger, examine_turns, parties_of, read_to_end

HERE = TopicPartition("topic", 0)
Message = namedtuple("Message", "partition offset headers value")
ONE, TWO = f"{SIGNAL}/0", f"{SIGNAL}/1"


class Reading:
    """A consumer of one partition that is given its records in so many polls, some of them empty."""

    def __init__(self, end: int, *polls: int) -> None:
        self.end, self.polls, self.at = end, list(polls), 0

    def assign(self, _: object) -> None: ...

    def seek(self, _: TopicPartition, offset: int) -> None:
        self.at = offset

    def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 1)  # as a broker tells it that counts batches

    def poll(self, **_: object) -> dict[TopicPartition, list[Any]]:
        count = self.polls.pop(0) if self.polls else 0
        rows = [Message(0, offset, [("ce_id", b"%d" % offset)], b"{}") for offset in range(self.at, self.at + count)]
        self.at += count
        return {HERE: rows} if rows else {}

    def highwater(self, _: TopicPartition) -> int | None:
        return self.end if self.at or not self.polls else None

    def position(self, _: TopicPartition) -> int:
        return self.at


def test_all_is_read_however_long_the_broker_was_silent_meanwhile() -> None:
    consumer = Reading(5, 2, *[0] * 20, 3)
    assert [event["id"] for _, _, event in read_to_end(consumer, {HERE: 0})] == ["0", "1", "2", "3", "4"]


def test_a_broker_that_keeps_back_what_it_has_is_no_clean_result() -> None:
    with pytest.raises(AssertionError, match=r"topic/0': \(2, 5\)"):
        list(read_to_end(Reading(5, 2), {HERE: 0}, silence_s=0))


def turns(*rows: dict[str, Any]) -> list[Row]:
    plain = {"takes": {}, "claims": [], "epoch": 0, "part": 0, "whole": True, "decisions": []}
    return [(0, offset, {"id": f"{row['writer']}.{row['turn']}", "data": {**plain, **row}}) for offset, row in enumerate(rows)]


CLAIM = {"writer": "one", "turn": 1, "claims": [ONE], "epoch": 1}
TAKES = {"writer": "one", "turn": 2, "takes": {ONE: [1, 0, 3]}}


@pytest.mark.parametrize(
    ("rows", "void", "wrong"),
    [
        pytest.param([CLAIM, TAKES], 0, 0, id="it stands"),
        pytest.param([CLAIM, TAKES, TAKES], 1, 0, id="written twice"),
        pytest.param([CLAIM, {**CLAIM, "writer": "two"}, TAKES], 1, 0, id="a claim that came second"),
        pytest.param([CLAIM, {**CLAIM, "writer": "two", "epoch": 2}, TAKES], 1, 0, id="relieved by a later claim"),
        pytest.param([CLAIM, {**CLAIM, "writer": "two", "claims": [TWO], "epoch": 2}, TAKES], 0, 0, id="a claim of another partition"),
        pytest.param([TAKES], 1, 1, id="no claim at all"),
        pytest.param([CLAIM, {**TAKES, "takes": {ONE: [1, 2, 3]}}], 1, 1, id="something is left out"),
        pytest.param([CLAIM, {**TAKES, "turn": 3}], 1, 1, id="a turn is missing"),
        pytest.param([CLAIM, {**TAKES, "part": 1}], 1, 1, id="its first part is missing"),
        pytest.param([{**CLAIM, "epoch": 2}], 1, 1, id="a claim that skips an epoch"),
    ],
)
def test_a_turn_is_void_only_where_another_claimed_or_it_is_there_twice(rows: list[dict[str, Any]], void: int, wrong: int) -> None:
    found = Findings()
    examine_turns(turns(*rows), [], found)
    assert (found.counts["void turns"], len(found.wrong)) == (void, wrong), found.wrong


LINE = {"provider": "ada", "receiver": "bela"}
PARTIES = parties_of([(0, 0, {"data": {"proposal": "p", "lines": [LINE]}}), (0, 1, {"data": None})])
HEARD = {(f"agent:{agent}", f"{agent}.p"): {"data": {"proposal": "p", "answer": "accept"}} for agent in ("ada", "bela")}
BOTH = {agent: f"agent:{agent}/{agent}.p" for agent in ("ada", "bela")}
ADA, BELA = ({"kind": "promised", "proposal": "p", "agent": agent, "statement": statement} for agent, statement in BOTH.items())
COMMITTED = {"kind": "committed", "proposal": "p", "agent": "ada", "acceptances": BOTH, "lines": [LINE]}
RELEASED = {"kind": "released", "proposal": "p", "agent": "ada"}


@pytest.mark.parametrize(
    ("records", "waiting", "wrong"),
    [
        pytest.param([ADA, BELA, COMMITTED], 0, 0, id="all accepted and it is a commitment"),
        pytest.param([ADA], 0, 0, id="one has not answered"),
        pytest.param([ADA, BELA], 1, 0, id="all accepted and it is none"),
        pytest.param([ADA, BELA, RELEASED], 0, 0, id="it ended before it was committed"),
        pytest.param([ADA, BELA, COMMITTED, {**COMMITTED, "agent": "bela"}], 0, 1, id="committed twice, by two judges"),
        pytest.param([ADA, ADA], 0, 1, id="promised twice"),
        pytest.param([{**ADA, "statement": BOTH["bela"]}], 0, 1, id="promised on another's word"),
        pytest.param([{**COMMITTED, "acceptances": {"ada": BOTH["ada"]}}], 0, 1, id="committed without a party"),
        pytest.param([{**COMMITTED, "acceptances": {**BOTH, "bela": BOTH["ada"]}}], 0, 1, id="committed on another's word"),
        pytest.param([{**COMMITTED, "acceptances": {**BOTH, "bela": "agent:bela/x"}}], 0, 1, id="committed on a word that nobody said"),
        pytest.param([{**ADA, "proposal": "q", "statement": "agent:ada/x"}], 0, 2, id="promised though nobody proposed it"),
    ],
)
def test_no_commitment_is_lost_doubled_or_made_up(records: list[dict[str, Any]], waiting: int, wrong: int) -> None:
    found = Findings()
    examine_commitments(HEARD, records, PARTIES, found)
    assert (found.waiting, len(found.wrong)) == (waiting, wrong), found.wrong


def test_a_record_that_is_there_twice_says_the_same() -> None:
    found = Findings()
    once = (0, 0, {"id": "a", "data": COMMITTED})
    assert examine_ledger([once, once, (0, 2, {"id": "b", "data": ADA})], found) == [COMMITTED, ADA]
    assert (found.wrong, found.counts["ledger read twice"]) == ([], 1)
    examine_ledger([once, (0, 1, {"id": "a", "data": RELEASED})], found)
    assert len(found.wrong) == 1
