"""What the simulation found in the product, each as a small schedule of its own. (What it found in the embedded log is tested there.)"""

import json
import tracemalloc
from contextlib import suppress
from itertools import count

import pytest

from coordinator.adapters import kafka_service
from coordinator.adapters.kafka_outbox import Outbox
from coordinator.errors import Unavailable
from coordinator.signals import event_json
from coordinator.stream import DEAD_LETTER, LEDGER, PROPOSAL, SIGNAL, START, TURN, Entry, Place, Record
from coordinator.turns import Standing, Taking, Turn
from tests.simulation.broker import Link, SimulatedLog, as_kafka_gives_it_back
from tests.simulation.checks import fast_and_fixed
from tests.simulation.clustered import ClusteredWorld, Node
from tests.simulation.scheduler import MINUTE_US, SECOND_US


@pytest.fixture
def world():
    """One coordinator that shares the work, with nobody else to share it with, and nothing that fails."""
    world = ClusteredWorld(1)
    world.shares, world.healing, world.nodes = True, True, [Node("node-0")]
    with fast_and_fixed(lambda: b"unused"):
        world._start(world.nodes[0])
        yield world


def pass_time(world, minutes):
    world.scheduler.run(world.scheduler.now_us + minutes * MINUTE_US, world.check)


def test_a_partition_that_somebody_claimed_who_is_not_to_have_it_is_claimed_back(world):
    pass_time(world, 1)
    partition = f"{SIGNAL}/3"
    assert world.turns.holders[partition][1] == "node-0.1"
    world.claim_for_nobody([partition])
    pass_time(world, 1)
    assert world.turns.holders[partition][1] == "node-0.1"


def test_what_a_coordinator_knows_of_turns_is_what_it_read_and_not_what_there_was_when_it_read(world):
    """Held to more, it was blamed for what it handed over before a claim that stood already, and that it had not read yet."""
    log, seen, places = SimulatedLog(world.broker, world.outside, Link(), streams=(TURN,)), [], [START]
    for number in range(4):
        world.broker.take(Entry(TURN, "x", b"turn %d" % number))

    def look():
        places.append(log.read(places[-1], 1).place)
        seen.append(log.turns_seen())

    def give_up():
        with suppress(Unavailable):
            log.give_up([Entry(PROPOSAL, "p", b"decided")], "take the entries")
        seen.append(log.turns_seen())

    for each in (look, give_up, look, look, look):
        each()
    assert seen == [1, None, None, None, 4]
    log.append([Entry(TURN, "x", b"its own")])
    assert log.turns_seen() == 5


def test_a_stream_that_cannot_be_opened_is_waited_for(world, monkeypatch):
    connect, failures = world._connect, iter(["Kafka does not answer"])

    def failing_once(node, process, more):
        if more.get("streams") == (DEAD_LETTER,):
            for failure in failures:
                raise Unavailable(failure)
        return connect(node, process, more)

    monkeypatch.setattr(world, "_connect", failing_once)
    pass_time(world, 1)
    assert next(failures, None) is None
    assert world.nodes[0].starts == 1
    assert world.nodes[0].service.is_ready


def test_who_says_the_same_at_the_same_time_and_fails_takes_no_answer_from_the_other(world, monkeypatch):
    pass_time(world, 1)
    service, outcomes = world.nodes[0].service, []
    append, tries = service._streams.append, count()

    def failing_once(entries):
        if next(tries) == 1:
            raise Unavailable("Kafka did not take the entries")
        return append(entries)

    def publish():
        with suppress(Unavailable):
            outcomes.extend(service.publish([line]))

    monkeypatch.setattr(service._streams, "append", failing_once)
    line = world.crowd.line("ada", "offer", "x", {"resource": "mask", "quantity": {"value": 3, "unit": "1"}})
    world.scheduler.begin(world.nodes[0].process, publish)
    world.scheduler.begin(world.nodes[0].process, publish)
    world.scheduler.run(world.scheduler.now_us + 5 * SECOND_US, world.check)
    assert [one.status for one in outcomes] == ["taken"]


def test_what_one_left_to_another_who_ended_without_publishing_it_comes_back_to_it():
    outbox, partition = Outbox("one"), f"{SIGNAL}/3"
    decided = Entry(PROPOSAL, "p", event_json("proposal", "coordinator:main", "p", 1, None))
    outbox.note(Standing(Turn("one", 2, {partition: Taking(1, 0, 0)}), 2), [decided])
    assert len(outbox.waiting) == 1
    outbox.note(Standing(Turn("other", 1, claims=(partition,), epoch=2), 3, relieved=("one",)), [])
    assert outbox.waiting == []
    outbox.note(Standing(Turn("one", 3, claims=(partition,), epoch=3), 4, relieved=("other",)), [])
    outbox.settle(lambda streams, place: iter(()))
    assert [entry.key for entry in outbox.waiting] == ["p"]


def decided(outbox, key, number):
    """Have a turn of its own decide a proposal."""
    entry = Entry(PROPOSAL, key, event_json("proposal", "coordinator:main", key, 1, None))
    outbox.note(Standing(Turn(outbox.writer, number, {f"{SIGNAL}/3": Taking(1, 0, 0)}), number), [entry])


def test_what_is_on_its_way_is_left_to_whoever_takes_over_with_what_waits_behind_it():
    outbox, partition = Outbox("one"), f"{SIGNAL}/3"
    decided(outbox, "p", 2)
    assert [entry.key for entry in outbox.depart(2)] == ["p"]
    decided(outbox, "q", 3)
    outbox.note(Standing(Turn("other", 1, claims=(partition,), epoch=2), 4, relieved=("one",)), [])
    assert outbox.underway == outbox.waiting == []
    outbox.arrived([])  # whatever became of it
    outbox.note(Standing(Turn("one", 4, claims=(partition,), epoch=3), 5, relieved=("other",)), [])
    outbox.settle(lambda streams, place: iter(()))
    assert [entry.key for entry in outbox.waiting] == ["p", "q"]


def test_what_is_on_its_way_counts_as_published_only_once_it_stands():
    outbox = Outbox("one")
    decided(outbox, "p", 2)
    outbox.depart(2)
    decided(outbox, "q", 3)
    assert outbox.settled == 0
    outbox.arrived([])
    assert outbox.settled == 2
    assert [entry.key for entry in outbox.waiting] == ["q"]


def test_what_may_stand_already_is_looked_for_from_where_the_streams_were_when_it_was_handed_over():
    """Others tell of later places meanwhile: what was handed over may stand before those."""
    outbox, partition, begins = Outbox("one"), f"{SIGNAL}/3", []
    before, later = (Place(((f"{PROPOSAL}/0", offset),)) for offset in (3, 9))
    outbox.note(Standing(Turn("other", 1, published=before), 1), [])
    decided(outbox, "p", 2)
    [entry] = outbox.depart(2)
    outbox.note(Standing(Turn("other", 2, published=later), 3), [])
    outbox.note(Standing(Turn("other", 3, claims=(partition,), epoch=2), 4, relieved=("one",)), [])
    outbox.note(Standing(Turn("one", 3, claims=(partition,), epoch=3), 5, relieved=("other",)), [])

    def stands(streams, place):
        begins.append(place)
        return iter([Record(entry, f"{PROPOSAL}/0/5", 1)] if place == before else [])

    outbox.settle(stands)
    assert begins == [before]
    assert outbox.waiting == []


@pytest.mark.parametrize("arrived", [True, False], ids=["stands", "is on its way"])
def test_what_was_decided_since_of_a_proposal_comes_again_behind_what_another_left_of_it(arrived):
    """Else who goes by the last record of a key takes a proposal for open that has ended."""
    outbox, partition = Outbox("one"), f"{SIGNAL}/3"
    made, ended = (Entry(PROPOSAL, "p", event_json("proposal", "coordinator:main", "p", time_us, None)) for time_us in (1, 2))
    outbox.note(Standing(Turn("other", 1, {partition: Taking(1, 0, 0)}), 2), [made])
    outbox.note(Standing(Turn("one", 1, {f"{SIGNAL}/4": Taking(1, 0, 0)}), 3), [ended])
    [end] = outbox.depart(1)
    there = as_kafka_gives_it_back(end) if arrived else end
    rows = [Record(there, f"{PROPOSAL}/0/5", 1)]
    if arrived:
        outbox.arrived(rows)
    outbox.note(Standing(Turn("one", 2, claims=(partition,), epoch=2), 4, relieved=("other",)), [])
    outbox.settle(lambda streams, place: iter(rows if arrived else []))
    assert [int(json.loads(entry.event)["turn"]) for entry in outbox.waiting] == [2, 3]
    assert outbox.waiting[1] == there


@pytest.mark.parametrize("told", ["true", '"²"', '"٣"', '"-1"', '""', '"' + "9" * 5_000 + '"'])
def test_what_a_stranger_writes_for_a_turn_is_none(told):
    """Else it would end whoever takes over, at each try again."""
    outbox, partition = Outbox("one"), f"{SIGNAL}/3"
    made = Entry(PROPOSAL, "p", event_json("proposal", "coordinator:main", "p", 1, None))
    outbox.note(Standing(Turn("other", 1, {partition: Taking(1, 0, 0)}), 2), [made])
    outbox.note(Standing(Turn("one", 1, claims=(partition,), epoch=2), 3, relieved=("other",)), [])
    strange = Entry(PROPOSAL, "p", f'{{"source":"x","id":"y","turn":{told}}}'.encode())
    outbox.settle(lambda streams, place: iter([Record(strange, f"{PROPOSAL}/0/5", 1)]))
    assert [entry.key for entry in outbox.waiting] == ["p"]


def test_who_looks_for_what_stands_already_keeps_nothing_of_what_others_wrote_but_its_name():
    """Since what is owed was decided, the streams may have grown by more than there is memory."""
    outbox, partition = Outbox("one"), f"{SIGNAL}/3"
    made = Entry(PROPOSAL, "p", event_json("proposal", "coordinator:main", "p", 1, None))
    outbox.note(Standing(Turn("other", 1, {partition: Taking(1, 0, 0)}), 2), [made])
    outbox.note(Standing(Turn("one", 1, claims=(partition,), epoch=2), 3, relieved=("other",)), [])

    def written_by_others():
        for number in range(100):
            stream = (LEDGER, PROPOSAL)[number % 2]
            event = b'{"source":"x","id":"%d","data":"%s"}' % (number, b"x" * 100_000)
            yield Record(Entry(stream, "q", event), f"{stream}/0/{number}", number)

    tracemalloc.start()
    try:
        outbox.settle(lambda streams, place: written_by_others())
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [entry.key for entry in outbox.waiting] == ["p"]
    assert most < 2_000_000, "of the 10 MB that were read"


class Unheard:
    """Entries that arrive, and nobody is told so."""

    def __init__(self, sending, told):
        self._sending, self._told = sending, told

    def is_known(self):
        return False

    def finish(self):
        self._told.append("waited for")
        self._sending.finish()
        raise Unavailable("as if the answer had been lost")


def test_the_next_turn_is_written_while_what_was_decided_is_on_its_way_and_what_may_be_lost_of_it_is_sent_again(world, monkeypatch):
    pass_time(world, 1)
    log, told = world.nodes[0].service._streams, []
    append, send, line = log.append, log.send, world.crowd.line
    pieces = {"resource": "mask", "quantity": {"value": 3, "unit": "1"}}

    def appending(entries):
        told.append({TURN: "turn", SIGNAL: "tick", PROPOSAL: "again"}[entries[0].stream])
        return append(entries)

    def sending(entries):
        told.append("handed over")
        for name in ("cleo", "dora", "emil"):  # who speak just then
            world.broker.take(Entry(SIGNAL, name, line(name, "offer", "y", pieces)))
        return Unheard(send(entries), told)

    propose_one(world, pieces, monkeypatch, append=appending, send=sending)
    assert told[:3] == ["tick", "turn", "turn"]
    meanwhile = told[told.index("handed over") + 1 : told.index("waited for")]
    assert set(meanwhile) == {"turn"}
    assert told[-2:] == ["waited for", "again"]
    published = [record.entry.event for record in world.broker.all_of(PROPOSAL)]
    assert len(published) == 2 * len(set(published)) == 2


def propose_one(world, pieces, monkeypatch, **ways):
    """Have one pair be proposed to each other by the first coordinator, whose log goes these ways meanwhile."""
    for name, kind in (("ada", "offer"), ("bela", "need")):
        world._produce(world.crowd.line(name, kind, "x", pieces))
    pass_time(world, 1)
    for name, way in ways.items():
        monkeypatch.setattr(world.nodes[0].service._streams, name, way)
    world._tick()
    pass_time(world, 1)


class Failed:
    """Entries of which it is known at once that they do not arrive."""

    def __init__(self, told):
        self._told = told

    def is_known(self):
        return True

    def finish(self):
        self._told.append("waited for")
        raise Unavailable("Kafka did not take the entries")


def test_what_failed_on_its_way_is_sent_again_while_others_go_on_speaking_and_nothing_is_decided(world, monkeypatch):
    pass_time(world, 1)
    service, told, words = world.nodes[0].service, [], count()
    log, line = service._streams, world.crowd.line
    append = log.append
    pieces = {"resource": "mask", "quantity": {"value": 3, "unit": "1"}}

    def appending(entries):
        told.append(entries[0].stream)
        if "handed over" in told and next(words) < 20:  # so that no turn finds a silence
            world.broker.take(Entry(SIGNAL, "cleo", line("cleo", "offer", "y", pieces)))
        return append(entries)

    def sending(entries):
        told.append("handed over")
        service._may_plan = False
        world.broker.take(Entry(SIGNAL, "cleo", line("cleo", "offer", "y", pieces)))
        return Failed(told)

    propose_one(world, pieces, monkeypatch, append=appending, send=sending)
    assert told[told.index("handed over") + 1 :][:3] == [TURN, "waited for", PROPOSAL]
    assert len(told[told.index(PROPOSAL) :]) > 15
    assert len(world.broker.all_of(PROPOSAL)) == 1


def test_what_fails_on_the_way_out_is_left_to_who_takes_over(world, monkeypatch):
    """Its connections are closed by then: nothing is to be opened again."""
    pass_time(world, 1)
    service, appended = world.nodes[0].service, []
    log, pieces = service._streams, {"resource": "mask", "quantity": {"value": 3, "unit": "1"}}
    append, send = log.append, log.send

    class Closing(Unheard):
        def finish(self):
            service._stop.set()
            return super().finish()

    for name, kind in (("ada", "offer"), ("bela", "need")):
        world._produce(world.crowd.line(name, kind, "x", pieces))
    pass_time(world, 1)
    monkeypatch.setattr(log, "append", lambda entries: appended.extend(each.stream for each in entries) or append(entries))
    monkeypatch.setattr(log, "send", lambda entries: Closing(send(entries), []))
    world._tick()
    pass_time(world, 1)
    assert service._has_run
    assert TURN in appended
    assert PROPOSAL not in appended


class Endless:
    """A log to which others write faster than anybody reads it."""

    def __init__(self, log, say):
        self._log, self._say = log, say

    def read(self, after, at_most, **options):
        self._say()
        return self._log.read(after, at_most, **options)

    def __getattr__(self, name):
        return getattr(self._log, name)


@pytest.mark.parametrize("stream", [DEAD_LETTER, SIGNAL])
def test_a_start_does_not_wait_for_a_silence(stream):
    """What was refused before, or said, is read up to where it ended at the start."""
    world = ClusteredWorld(1)
    world.shares, world.healing, world.nodes = True, True, [Node("node-0")]
    word = world.crowd.line("ada", "offer", "x", {"resource": "mask", "quantity": {"value": 3, "unit": "1"}})
    for _ in range(3):
        world.broker.take(Entry(stream, "ada", word))
    connect, reads = world._connect, count()

    def endless(node, process, more):
        log = connect(node, process, more)
        return Endless(log, lambda: next(reads) < 2_000 and world.broker.take(Entry(stream, "ada", word)))

    world._connect = endless
    with fast_and_fixed(lambda: b"unused"):
        world._start(world.nodes[0])
        while next(reads) < 2_000 and not (world.nodes[0].service and world.nodes[0].service.is_ready):
            world.scheduler.run(world.scheduler.now_us + SECOND_US, lambda: None)
    assert next(reads) < 2_000


def test_what_waits_longest_is_taken_first_whatever_python_hashes_by(monkeypatch):
    monkeypatch.setattr(kafka_service, "AT_ONCE", 3)
    world = ClusteredWorld(1)
    world.shares, world.healing, world.nodes = True, True, [Node("node-0")]
    expected = [f"{SIGNAL}/{number}" for number in (3, 0, 7, 5, 1, 6, 2, 4)]
    for partition in expected:
        for _ in range(3):
            world.broker.take(Entry(SIGNAL, "ada", b"nonsense"), partition)
        world.scheduler.now_us += SECOND_US
    with fast_and_fixed(lambda: b"unused"):
        world._start(world.nodes[0])
        pass_time(world, 1)
    takes = [json.loads(record.entry.event)["data"]["takes"] for record in world.broker.all_of(TURN)]
    assert [name for each in takes for name, (_, begin, end) in each.items() if begin < end and name in expected][:8] == expected
