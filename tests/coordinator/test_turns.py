"""Which turns stand: the same for every reader, whatever else stands in their partition, and however often they were written."""

import json
from random import Random

import pytest

from coordinator import turns
from coordinator.jsontext import read_json, write_json
from coordinator.stream import Entry, Place, Record, merged
from coordinator.turns import PART_BYTES, Taking, Turn, TurnJudge, published_forms, turn_lines
from tests.support.events import ledger, offer

SOURCE = "coordinator:main"
ONE, TWO = "stigmergy.signal.v1/0", "stigmergy.signal.v1/1"


def claim(epoch: int, number: int, writer: str = "one", *names: str) -> Turn:
    return Turn(writer, number, claims=names or (ONE,), epoch=epoch)


def turn(number: int, writer: str = "one", *decisions: bytes, **takes: tuple[int, int, int]) -> Turn:
    named = {{"p": ONE, "q": TWO}[name]: Taking(*row) for name, row in takes.items()}
    return Turn(writer, number, takes=named, decisions=decisions)


def lines(*turns: Turn) -> list[bytes]:
    return [line for each in turns for line in turn_lines(each, SOURCE, 0)]


def standing(*written: bytes, judge: TurnJudge | None = None) -> list[tuple[str, int]]:
    judge = judge or TurnJudge()
    return [(one.turn.writer, one.turn.number) for line in written if (one := judge.take(line)) is not None]


def decision(number: int, size: int = 0) -> bytes:
    return write_json(read_json(ledger({"kind": "noted", "agent": "a", "proposal": f"p{number}", "why": "x" * size}, at=1)))


LONG = turn(2, "one", *(decision(number, PART_BYTES // 2) for number in range(4)), p=(1, 0, 3))


def test_a_turn_comes_back_as_it_was_written_however_many_records_it_takes() -> None:
    basis = Place(((ONE, 3), (TWO, 7)))
    small = Turn("one", 2, {ONE: Taking(1, 0, 3)}, decisions=(decision(1), decision(2)), base=5, basis=basis, state="ab", settled=1)
    large = Turn(
        "one", 3, {ONE: Taking(1, 3, 9)}, decisions=tuple(decision(number, PART_BYTES // 3) for number in range(9)), published=basis
    )
    judge = TurnJudge()
    assert len(lines(large)) > 2
    stood = [one for line in lines(claim(1, 1), small, large) if (one := judge.take(line)) is not None]
    assert [one.turn for one in stood] == [claim(1, 1), small, large]
    assert [one.ordinal for one in stood] == [1, 2, 3]
    assert (judge.number, judge.place, judge.void) == (3, Place(((ONE, 9),)), 0)


def test_a_turn_needs_a_claim_of_every_partition_it_acts_for() -> None:
    assert standing(*lines(turn(1, p=(1, 0, 2)))) == []
    assert standing(*lines(claim(1, 1), turn(2, p=(1, 0, 2), q=(1, 0, 1)))) == [("one", 1)]
    both = claim(1, 1, "one", ONE, TWO)
    assert standing(*lines(both, turn(2, p=(1, 0, 2), q=(1, 0, 1)))) == [("one", 1), ("one", 2)]


def test_two_who_hold_different_partitions_write_beside_each_other() -> None:
    written = lines(claim(1, 1), claim(2, 1, "two", TWO), turn(2, p=(1, 0, 5)), turn(2, "two", q=(2, 0, 1)), turn(3, p=(1, 5, 6)))
    assert standing(*written) == [("one", 1), ("two", 1), ("one", 2), ("two", 2), ("one", 3)]


def test_parts_of_two_writers_may_lie_between_each_other() -> None:
    other = turn(2, "two", decision(9, PART_BYTES), decision(10, PART_BYTES), q=(2, 0, 1))
    mixed = [line for pair in zip(lines(LONG), [*lines(other), b"", b""], strict=False) for line in pair]
    assert standing(*lines(claim(1, 1), claim(2, 1, "two", TWO)), *mixed)[2:] == [("two", 2), ("one", 2)]


def test_of_two_turns_with_one_number_the_first_stands() -> None:
    assert standing(*lines(claim(1, 1), turn(2, p=(1, 0, 1)), turn(2, p=(1, 0, 2)))) == [("one", 1), ("one", 2)]


def test_a_turn_written_twice_stands_once_though_it_takes_nothing() -> None:
    words = turn(2, "one", decision(1), p=(1, 0, 0))
    assert standing(*lines(claim(1, 1), words, words)) == [("one", 1), ("one", 2)]


def test_whoever_claims_later_makes_void_what_the_one_before_still_writes_for_that_partition_alone() -> None:
    both = claim(1, 1, "one", ONE, TWO)
    written = [both, turn(2, p=(1, 0, 1), q=(1, 0, 1)), claim(2, 1, "two"), turn(3, p=(1, 1, 2), q=(1, 1, 2)), turn(3, q=(1, 1, 2))]
    judge = TurnJudge()
    assert standing(*lines(*written, turn(2, "two", p=(2, 1, 4))), judge=judge) == [
        ("one", 1),
        ("one", 2),
        ("two", 1),
        ("one", 3),
        ("two", 2),
    ]
    assert (judge.ends, judge.held("one"), judge.held("two")) == ({ONE: 4, TWO: 2}, {TWO}, {ONE})


def test_who_loses_the_last_partition_is_named_with_the_claim() -> None:
    judge = TurnJudge()
    written = lines(claim(1, 1, "one", ONE, TWO), claim(2, 1, "two"), claim(3, 2, "two", TWO))
    assert [one.relieved for line in written if (one := judge.take(line)) is not None] == [(), (), ("one",)]


def test_of_two_claims_at_once_one_stands_and_the_other_writes_in_vain() -> None:
    assert standing(*lines(claim(1, 1, "one"), claim(1, 1, "two"), turn(2, "two", p=(1, 0, 1)), turn(2, "one", p=(1, 0, 1)))) == [
        ("one", 1),
        ("one", 2),
    ]


def test_a_turn_cut_short_counts_as_nothing_once_another_claims() -> None:
    written = [*lines(claim(1, 1)), *lines(LONG)[:-1], *lines(claim(2, 1, "two")), *lines(LONG)[-1:], *lines(turn(2, "two", p=(2, 0, 1)))]
    assert standing(*written) == [("one", 1), ("two", 1), ("two", 2)]


def test_a_turn_written_again_from_its_first_part_stands_once() -> None:
    parts, judge = lines(LONG), TurnJudge()
    stood = [one.turn for line in [*lines(claim(1, 1)), *parts[:2], *parts, *parts] if (one := judge.take(line)) is not None]
    assert [(one.number, len(one.decisions)) for one in stood] == [(1, 0), (2, 4)]


def test_a_late_copy_of_a_part_spoils_a_turn_only_until_it_is_written_again() -> None:
    parts, judge = lines(LONG), TurnJudge()
    assert len(parts) == 4
    assert standing(*lines(claim(1, 1)), parts[0], parts[1], parts[0], *parts[2:], judge=judge) == [("one", 1)]
    assert standing(*parts, judge=judge) == [("one", 2)]


def test_a_turn_that_does_not_go_on_where_its_partition_was_left_is_void() -> None:
    first = turn(2, p=(1, 0, 5))
    assert standing(*lines(claim(1, 1), first, turn(3, p=(1, 4, 6)), turn(3, p=(1, 6, 7)), turn(3, p=(1, 5, 4)))) == [
        ("one", 1),
        ("one", 2),
    ]


GOOD = lines(turn(2, p=(1, 0, 3)))[0]


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="no event"),
        pytest.param(offer("atelier-nord", 5), id="another event"),
        pytest.param(json.dumps({"type": "stigmergy.turn.v1", "data": None}).encode(), id="no data"),
        pytest.param(GOOD.replace(b'"turn":2', b'"turn":true'), id="a truth for a number"),
        pytest.param(GOOD.replace(b'"basis":{}', b'"basis":[1]'), id="a list for a place"),
        pytest.param(GOOD.replace(b"[1,0,3]", b"[1,0,3.5]"), id="half a record"),
        pytest.param(GOOD.replace(b"[1,0,3]", b"[1,-1,3]"), id="before the first record"),
        pytest.param(GOOD.replace(b"[1,0,3]", b"[1,0]"), id="no end"),
        pytest.param(GOOD.replace(b"[1,0,3]", b"7"), id="a number for a taking"),
    ],
)
def test_what_is_no_turn_is_void_and_stops_nothing(odd: bytes) -> None:
    judge = TurnJudge()
    assert odd != GOOD
    assert standing(*lines(claim(1, 1)), odd, judge=judge) == [("one", 1)]
    assert judge.void == 1
    assert standing(GOOD, judge=judge) == [("one", 2)]


@pytest.mark.parametrize("begun", range(0, 200, 50))
def test_coordinators_that_share_claim_and_pause_in_any_order_take_every_record_once(begun: int) -> None:
    """Each goes by what it last read; whatever the order of arrival, each partition is one row of takings without gap or overlap."""
    for seed in range(begun, begun + 50):
        random = Random(seed)
        written: list[bytes] = []
        known = {name: TurnJudge() for name in ("one", "two", "three")}
        read = dict.fromkeys(known, 0)
        for _ in range(60):
            name = random.choice(sorted(known))
            judge = known[name]
            if random.random() < 0.6:  # it reads on; else it was paused, and writes from what it knew
                for line in written[read[name] :]:
                    judge.take(line)
                read[name] = len(written)
            number = judge.numbers.get(name, 0) + 1
            held = sorted(judge.held(name))
            if not held or random.random() < 0.2:
                new = lines(claim(judge.epoch + 1, number, name, *random.sample([ONE, TWO], random.choice([1, 2]))))
            else:
                ends = {each: judge.ends.get(each, 0) for each in held}
                takes = {each: Taking(judge.holders[each][0], end, end + random.randrange(4)) for each, end in ends.items()}
                new = lines(Turn(name, number, takes=takes))
            written += new * random.choice([1, 1, 2])
        judge, takings, holder = TurnJudge(), dict[str, list[Taking]](), dict[str, str]()
        for line in written:
            stood = judge.take(line)
            if stood is not None:
                holder |= dict.fromkeys(stood.turn.claims, stood.turn.writer)
                for each, taking in stood.turn.takes.items():
                    assert holder[each] == stood.turn.writer, f"seed {seed}"
                    takings.setdefault(each, []).append(taking)
        for rows in takings.values():
            assert [row.begin for row in rows] == [0, *(row.end for row in rows[:-1])], f"seed {seed}"
            assert sorted(row.epoch for row in rows) == [row.epoch for row in rows], f"seed {seed}"


def test_what_is_published_tells_its_turn_its_epoch_and_what_it_is_based_on() -> None:
    line, basis, judge = decision(1), Place(((ONE, 4), (TWO, 5))), TurnJudge()
    for each in lines(claim(1, 1, "two", TWO), claim(2, 1), Turn("one", 2, {ONE: Taking(2, 0, 1)}, decisions=(line,), basis=basis)):
        stood = judge.take(each)
    assert stood is not None
    told = json.loads(*published_forms([line], stood))
    assert (told["epoch"], told["turn"]) == (2, 3)
    assert Place.from_text(told["basis"]) == basis
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


def test_what_is_kept_of_writers_does_not_grow_with_every_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WRITERS_KEPT", 3)
    judge, names = TurnJudge(), [f"start-{number}" for number in range(20)]
    for epoch, name in enumerate(names, 1):
        begun = turn(2, name, *LONG.decisions, p=(epoch, 0, 3))
        assert standing(*lines(claim(epoch, 1, name)), *lines(begun)[:-1], judge=judge) == [(name, 1)]  # killed before its last part
    assert [*judge.numbers] == names[-3:]
    assert [*judge._parts] == names[-1:]
    late = lines(turn(2, names[0], p=(1, 0, 3)), claim(1, 1, names[0]), turn(2, names[-2], p=(19, 0, 3)))
    assert standing(*late, judge=judge) == []
    assert standing(*lines(claim(21, 1, names[0]), turn(2, names[0], p=(21, 0, 3))), judge=judge) == [(names[0], 1), (names[0], 2)]


def test_a_claim_in_several_parts_is_nobodys() -> None:
    judge = TurnJudge()
    first = json.loads(lines(claim(1, 1))[0])
    first["data"]["whole"] = False
    assert standing(json.dumps(first).encode(), judge=judge) == []
    assert (judge.void, judge._parts) == (1, {})
