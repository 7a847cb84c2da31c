"""Which turns stand: the same for every reader, whatever else stands in their partition, and however often they were written."""

import json
from random import Random

import pytest

from coordinator.jsontext import read_json, write_json
from coordinator.stream import START, Entry, Place, Record, merged
from coordinator.turns import PART_BYTES, Decision, Turn, TurnJudge, published_form, turn_lines
from tests.support.events import ledger, offer

SOURCE = "coordinator:main"


def place(*offsets: int) -> Place:
    return Place(tuple((f"stigmergy.signal.v1/{number}", offset) for number, offset in enumerate(offsets) if offset))


def turn(epoch: int, number: int, writer: str = "one", begin: Place = START, end: Place = START, **more: object) -> Turn:
    return Turn(epoch, number, writer, begin, end, **more)


def lines(*turns: Turn) -> list[bytes]:
    return [line for each in turns for line in turn_lines(each, SOURCE, 0)]


def standing(*written: bytes) -> list[tuple[int, int, str]]:
    judge = TurnJudge()
    return [(one.epoch, one.number, one.writer) for line in written if (one := judge.take(line)) is not None]


def decision(number: int, size: int = 0, after: int = 1) -> Decision:
    line = ledger({"kind": "noted", "agent": "a", "proposal": f"p{number}", "why": "x" * size}, at=1)
    return Decision(after, write_json(read_json(line)))


def test_a_turn_comes_back_as_it_was_written_however_many_records_it_takes() -> None:
    small = turn(1, 1, end=place(3, 0, 7), passed=(0, 2), decisions=(decision(1), decision(2, after=3)), settled=0, published=place(1))
    large = turn(1, 2, begin=small.end, end=place(9, 9, 9), decisions=tuple(decision(n, PART_BYTES // 3) for n in range(9)), settled=1)
    judge = TurnJudge()
    assert len(lines(large)) > 2
    assert [one for line in lines(small, large) if (one := judge.take(line)) is not None] == [small, large]
    assert (judge.number, judge.end, judge.void) == (2, large.end, 0)


def test_of_two_turns_with_one_number_the_first_stands() -> None:
    claim = turn(1, 1)
    assert standing(*lines(claim, turn(1, 2, end=place(1)), turn(1, 2, end=place(2)))) == [(1, 1, "one"), (1, 2, "one")]


def test_whoever_claims_a_later_epoch_makes_void_what_the_one_before_still_writes() -> None:
    old = [turn(1, 1), turn(1, 2), turn(1, 3), turn(1, 4)]
    assert standing(*lines(old[0], old[1], turn(2, 3, "two"), old[2], turn(2, 4, "two"), old[3])) == [
        (1, 1, "one"),
        (1, 2, "one"),
        (2, 3, "two"),
        (2, 4, "two"),
    ]


def test_of_two_claims_at_once_one_stands_and_the_other_writes_in_vain() -> None:
    assert standing(*lines(turn(1, 1, "one"), turn(1, 1, "two"), turn(1, 2, "two"), turn(1, 2, "one"))) == [(1, 1, "one"), (1, 2, "one")]


def test_a_turn_cut_short_counts_as_nothing_once_another_claims() -> None:
    cut = lines(turn(1, 2, decisions=tuple(decision(n, PART_BYTES // 2) for n in range(4))))
    assert standing(*lines(turn(1, 1)), *cut[:-1], *lines(turn(2, 2, "two"), turn(2, 3, "two"))) == [
        (1, 1, "one"),
        (2, 2, "two"),
        (2, 3, "two"),
    ]


def test_a_turn_written_again_from_its_first_part_stands_once() -> None:
    parts = lines(turn(1, 2, decisions=tuple(decision(n, PART_BYTES // 2) for n in range(4))))
    judge = TurnJudge()
    turns = [one for line in [*lines(turn(1, 1)), *parts[:2], *parts, *parts] if (one := judge.take(line)) is not None]
    assert [(one.number, len(one.decisions)) for one in turns] == [(1, 0), (2, 4)]


def test_a_late_copy_of_a_part_spoils_a_turn_only_until_it_is_written_again() -> None:
    parts = lines(turn(1, 2, decisions=tuple(decision(n, PART_BYTES // 2) for n in range(3))))
    assert len(parts) == 3
    judge = TurnJudge()
    for line in [*lines(turn(1, 1)), parts[0], parts[1], parts[0], parts[2]]:
        judge.take(line)
    assert (judge.epoch, judge.number, judge.writer) == (1, 1, "one")
    assert [len(one.decisions) for line in parts if (one := judge.take(line)) is not None] == [3]


def test_a_turn_that_does_not_go_on_where_the_last_ended_is_void() -> None:
    assert standing(*lines(turn(1, 1, end=place(5)), turn(1, 2, begin=place(4), end=place(6)))) == [(1, 1, "one")]


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="no event"),
        pytest.param(offer("atelier-nord", 5), id="another event"),
        pytest.param(json.dumps({"type": "stigmergy.turn.v1", "data": None}).encode(), id="no data"),
        pytest.param(json.dumps({"type": "stigmergy.turn.v1", "data": {"epoch": True}}).encode(), id="a truth for a number"),
        pytest.param(lines(turn(1, 1))[0].replace(b'"begin":{}', b'"begin":[1]'), id="a list for a place"),
        pytest.param(lines(turn(1, 1))[0].replace(b'"turn":1', b'"turn":1.5'), id="half a turn"),
    ],
)
def test_what_is_no_turn_is_void_and_stops_nothing(odd: bytes) -> None:
    judge = TurnJudge()
    assert judge.take(odd) is None
    assert judge.void == 1
    assert judge.take(lines(turn(1, 1))[0]) is not None


def test_two_coordinators_that_write_in_any_order_leave_one_history_without_gaps() -> None:
    """Each goes by what it last read; whatever the order of arrival, numbers stand once and one after the other."""
    for seed in range(200):
        random = Random(seed)
        written: list[bytes] = []
        known = {name: TurnJudge() for name in ("one", "two", "three")}
        read = dict.fromkeys(known, 0)
        for _ in range(40):
            name = random.choice(sorted(known))
            judge = known[name]
            if random.random() < 0.5:  # it reads on; else it was paused, and writes from what it knew
                for line in written[read[name] :]:
                    judge.take(line)
                read[name] = len(written)
            epoch = judge.epoch if judge.writer == name else judge.epoch + 1
            written += lines(turn(epoch, judge.number + 1, name, begin=judge.end, end=judge.end))
        stood = standing(*written)
        assert [number for _, number, _ in stood] == list(range(1, len(stood) + 1)), f"seed {seed}"
        epochs = [epoch for epoch, _, _ in stood]
        assert epochs == sorted(epochs), f"seed {seed}"
        assert len({(epoch, writer) for epoch, _, writer in stood}) == len(set(epochs)), f"seed {seed}"


def test_what_is_published_tells_its_turn_its_epoch_and_what_it_is_based_on() -> None:
    line = ledger({"kind": "noted", "agent": "a", "proposal": "p"}, at=1)
    told = json.loads(published_form(line, turn(3, 17, end=place(4, 5))))
    assert (told["epoch"], told["turn"]) == (3, 17)
    assert Place.from_text(told["basis"]) == place(4, 5)
    assert {name: told[name] for name in json.loads(line)} == json.loads(line)


def test_records_are_merged_the_same_way_in_whatever_order_they_were_read() -> None:
    random = Random(5)
    records = [
        Record(Entry("s", "k", b"x"), f"s/{partition}/{offset}", random.randrange(50)) for partition in range(4) for offset in range(25)
    ]
    order = merged(records)
    for _ in range(20):
        partitions = [[one for one in records if one.position.startswith(f"s/{number}/")] for number in range(4)]
        random.shuffle(partitions)
        assert merged([one for rows in partitions for one in rows]) == order
    for number in range(4):
        own = [int(one.position.rpartition("/")[2]) for one in order if one.position.startswith(f"s/{number}/")]
        assert own == list(range(25))
