"""The coordinator on Kafka, on two brokers: what it takes, refuses and decides, and what a second start makes of it."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event
from time import monotonic, sleep
from typing import Any

import pytest
from kafka import KafkaProducer
from structlog.testing import capture_logs

from coordinator.adapters.clock import wall_us
from coordinator.adapters.kafka_log import KafkaLog
from coordinator.adapters.kafka_memory import Memory
from coordinator.adapters.kafka_service import WRITINGS, KafkaService
from coordinator.adapters.tokens import Grant
from coordinator.charter import Charter
from coordinator.cloudevents import to_binary
from coordinator.commitments import State
from coordinator.errors import Defect, Refused, Unavailable
from coordinator.explaining import explain
from coordinator.replaying import digest, standing_proposals
from coordinator.results import as_json
from coordinator.signals import event_json
from coordinator.stream import DEAD_LETTER, LEDGER, PROPOSAL, SIGNAL, START, TURN, Batch, Entry, Record, partition_of
from coordinator.turns import Taking, Turn, TurnJudge, turn_lines
from tests.support.apache import running_kafka
from tests.support.serving import RENNES
from tests.support.tansu import running_broker

READY_S = 60.0
Start = Callable[..., KafkaService]


@pytest.fixture(params=["apache", "tansu"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "apache":
        yield request.getfixturevalue("kafka")
        return
    with running_broker(tmp_path, "the coordinator on a broker that keeps fewer promises") as address:
        yield address


@pytest.fixture
def start(broker: str, tmp_path: Path) -> Iterator[Start]:
    """Starts coordinators, each ready, and closes those that are left."""
    with ExitStack() as stack:

        def started(memory: str = "memory.json", *, wait: bool = True, share: bool = False, **rules: Any) -> KafkaService:
            charter = Charter.model_validate({"cycle_seconds": 1, "fairness": "off"} | rules)
            service = KafkaService(broker, charter, memory=tmp_path / memory, replicas=1, patience_ms=5_000, share=share)
            stack.callback(service.close)
            return ready(service) if wait else service

        yield started


@pytest.fixture
def stranger(broker: str) -> Iterator[KafkaProducer]:
    with closing(KafkaProducer(bootstrap_servers=broker)) as producer:
        yield producer


def ready(service: KafkaService) -> KafkaService:
    until(lambda: service.status().why_not is None or service.ended is not None)
    assert service.ended is None, service.ended
    return service


def until(condition: Callable[[], bool]) -> None:
    deadline_s = monotonic() + READY_S
    while not condition():
        assert monotonic() < deadline_s, "it did not come about"
        sleep(0.01)


def pieces(kind: str, agent: str, quantity: float, resource: str = "face-shield", **more: Any) -> bytes:
    data = {"resource": resource, "quantity": {"value": quantity, "unit": "1"}, "place": RENNES, **more}
    return event_json(kind, f"agent:{agent}", resource, wall_us(), data)


def answer(agent: str, proposal: str, word: str = "accept") -> bytes:
    return event_json("answer", f"agent:{agent}", proposal, wall_us(), {"proposal": proposal, "answer": word})


def put(producer: KafkaProducer, line: bytes, **more: Any) -> None:
    """Say something straight into Kafka, as any of its clients would."""
    headers, value = to_binary(line)
    key = json.loads(line)["source"].partition(":")[2].encode()
    producer.send(SIGNAL, **({"key": key, "value": value, "headers": headers} | more)).get(timeout=20)


def state(service: KafkaService) -> str:
    with service.reading() as coordination:
        return digest(coordination.ledger, standing_proposals(coordination.book))


def all_of(broker: str, *streams: str) -> list[Record]:
    with closing(KafkaLog(broker, streams=streams, prepare=False)) as log:
        records, place = [], START
        while (batch := log.read(place, 1_000)).records:
            records += batch.records
            place = batch.place
        return records


def proposed(service: KafkaService, count: int = 1) -> list[str]:
    """Let time pass until so many proposals are on the table; return them."""
    service.tick()

    def deals() -> list[str]:
        with service.reading() as coordination:
            return list(coordination.book.deals)

    until(lambda: len(deals()) == count)
    return deals()


def state_of(service: KafkaService, proposal: str) -> State:
    with service.reading() as coordination:
        return coordination.book.deals[proposal].state


def agree(service: KafkaService) -> str:
    """Make one commitment; return its proposal."""
    service.publish([pieces("offer", "atelier-nord", 120), pieces("need", "clinique-ouest", 50)])
    [proposal] = proposed(service)
    told = [service.publish([answer(agent, proposal)])[0] for agent in ("atelier-nord", "clinique-ouest")]
    assert [[each["kind"] for each in one.decided] for one in told] == [["promised"], ["promised", "committed"]]
    return proposal


def test_what_two_parties_accept_is_committed_published_and_there_after_a_second_start(start: Start, broker: str) -> None:
    service = start()
    proposal = agree(service)
    before, shown = state(service), service.follow(-1)
    service.close()
    published = {stream: [json.loads(one.entry.event) for one in all_of(broker, stream)] for stream in (PROPOSAL, LEDGER)}
    assert [one["subject"] for one in published[PROPOSAL]] == [proposal]
    assert Counter(one["data"]["kind"] for one in published[LEDGER]) == {"promised": 2, "committed": 1}
    assert all(int(one["epoch"]) == 1 and "stigmergy.signal.v1/" in one["basis"] for one in published[LEDGER])
    service = start()
    assert state(service) == before
    assert service.follow(-1) == shown
    assert service.parked == []
    with service.reading() as coordination:
        assert coordination.book.deals[proposal].state is State.COMMITTED


def test_once_its_history_is_read_it_says_so_and_has_begun(start: Start) -> None:
    with capture_logs() as logs:
        service = start()
    assert service.has_begun
    assert [one["log_level"] for one in logs if one["event"] == "ready: the history was read"] == ["info"]


def test_who_says_what_is_counted_apart_is_told_so(start: Start) -> None:
    service = start()
    data = {"resource": "face-shield", "quantity": {"value": 5, "unit": "kg"}}
    [first] = service.publish([pieces("need", "clinique-ouest", 1)])
    [apart] = service.publish([event_json("offer", "agent:atelier-sud", "o", wall_us(), data)])
    assert (first.note, apart.status) == (None, "taken")
    assert "counted in 'kg' here, and by others in '1'" in str(apart.note)


def test_a_moment_tells_why_as_what_stands_does_and_how_much_of_the_stream_it_counts(start: Start) -> None:
    service = start()
    for quantity in (20, 90):  # the second moment follows the first
        service.publish([pieces("offer", "maker", 60), pieces("need", "clinic", quantity)])
        moment, entries = service.moment()
        need = "clinic/need/face-shield"
        while True:
            with service.reading() as coordination:
                if entries == service.status().entries:
                    assert as_json(explain(moment, need)) == as_json(explain(coordination, need))
                    assert explain(moment, need).asked.grains == quantity
                    break
            moment, entries = service.moment()


def test_words_straight_from_kafka_count_like_those_over_http(start: Start, stranger: KafkaProducer) -> None:
    service = start()
    put(stranger, pieces("offer", "atelier-nord", 120))
    line = pieces("need", "clinique-ouest", 50)
    put(stranger, line)
    put(stranger, line)
    until(lambda: service.status().counts["repeat"] == 1)
    assert [one.status for one in service.publish([line])] == ["repeat"]
    proposed(service)
    with service.reading() as coordination:
        [deal] = coordination.book.deals.values()
    for agent in deal.parties:
        put(stranger, answer(agent, deal.proposal))
    until(lambda: state_of(service, deal.proposal) is State.COMMITTED)
    assert service.status().counts["taken"] == 4


def test_what_cannot_be_taken_from_kafka_is_refused_counted_and_shown_also_after_a_second_start(
    start: Start, stranger: KafkaProducer
) -> None:
    service = start()
    offer = pieces("offer", "atelier-nord", 120)
    partition = partition_of("atelier-nord", 8)
    put(stranger, offer, value=b"\xff\x00", headers=[])
    put(stranger, offer, key=b"\xff\xfe")
    put(stranger, offer, key=None)
    put(stranger, offer, key=b"clinique-ouest")
    put(stranger, offer, partition=(partition + 1) % 8)
    put(stranger, event_json("ledger", "coordinator:main", "x.committed", wall_us(), {"kind": "committed", "agent": "a", "proposal": "x"}))
    put(stranger, offer)
    until(lambda: service.status().counts["taken"] == 1)
    counts, rows = service.refused()
    assert counts == {"invalid": 1, "speaker": 1, "conflict": 0, "late": 0, "misplaced": 4}
    assert all(row["position"].startswith("stigmergy.signal.v1/") and len(row["reason"]) > 30 for row in rows)
    service.close()
    again = start()
    assert again.refused()[0] == counts
    assert sorted(row["position"] for row in again.refused()[1]) == sorted(row["position"] for row in rows)
    with again.reading() as coordination:
        assert coordination.ledger == []


def test_what_is_refused_at_the_door_never_enters_the_stream_and_leaves_a_dead_letter(start: Start, broker: str) -> None:
    service = start()
    told = service.publish(
        [b"{", pieces("offer", "atelier-nord", 1), pieces("need", "b", 1)], speaker=Grant("atelier-nord", "", ("atelier-nord",))
    )
    assert [(one.status, one.code) for one in told] == [("refused", "invalid"), ("taken", None), ("refused", "speaker")]
    service.close()
    assert len(all_of(broker, SIGNAL)) == 1
    assert len(all_of(broker, DEAD_LETTER)) == 2
    assert [row["code"] for row in start().refused()[1]] == ["invalid", "speaker"]


def test_forged_decisions_and_turns_change_nothing(start: Start, stranger: KafkaProducer) -> None:
    service = start()
    forged = event_json("ledger", "coordinator:main", "x", wall_us(), {"kind": "committed", "agent": "a", "proposal": "x"})
    claim = turn_lines(Turn("forger", 1, claims=("stigmergy.signal.v1/0",), epoch=99), "coordinator:main", wall_us())[0]
    for stream, line in ((LEDGER, forged), (PROPOSAL, forged), (TURN, b"\x00"), (TURN, claim)):
        stranger.send(stream, key=b"a", value=line).get(timeout=20)
    agree(service)
    before = state(service)
    service.close()
    assert state(start()) == before


def test_a_place_is_shown_no_finer_than_the_charter_allows_wherever_it_was_said(start: Start, stranger: KafkaProducer) -> None:
    service = start()
    put(stranger, pieces("offer", "atelier-nord", 1, place={"lat": 48.114722, "long": -1.679444}))
    until(lambda: len(service.follow(-1)[0]) == 1)
    [shown], _ = service.follow(-1)
    assert json.loads(shown.text)["event"]["data"]["place"] == {"lat": 48.11, "long": -1.68}


def test_who_follows_from_further_back_than_is_at_hand_is_told_so(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.adapters.at_hand.KEPT", 3)
    service = start()
    service.publish([pieces("offer", f"agent-{number}", 1) for number in range(8)])
    rows, last = service.follow(4)
    assert [row.position for row in rows] == [5, 6, 7]
    assert last == 7
    assert service.follow(7) == ([], 7)
    with pytest.raises(Refused, match="position 3 lies before what is at hand, which begins at 5"):
        service.follow(3)
    with pytest.raises(Refused, match="position 8 is beyond this stream"):
        service.follow(8)


def test_while_a_turn_does_not_stand_nothing_of_it_is_shown(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start()
    agree(service)
    entries = service.status().entries

    def never(_: Turn) -> bool:
        raise Defect("as if it failed after all was taken")

    monkeypatch.setattr(service, "_write", never)
    with pytest.raises(Unavailable, match="as if it failed"):
        service.publish([pieces("offer", "atelier-sud", 7)])
    assert service.status().entries == entries
    with pytest.raises(Unavailable, match="as if it failed"), service.reading():
        pass


def disturb(service: KafkaService, monkeypatch: pytest.MonkeyPatch, times: int) -> list[int]:
    """Have a late copy of its first part arrive before the last of every long turn, so many times; return the lengths of those."""
    append, disturbed = service._streams.append, list[int]()

    def disturbing(entries: Sequence[Entry]) -> list[Record]:
        if entries[0].stream != TURN or len(entries) < 3 or len(disturbed) == times:
            return append(entries)
        disturbed.append(len(entries))
        records = append(entries[:-1])
        append(entries[:1])
        return records + append(entries[-1:])

    monkeypatch.setattr("coordinator.turns.PART_BYTES", 1)
    monkeypatch.setattr(service._streams, "append", disturbing)
    return disturbed


def speak_of_three_things(service: KafkaService) -> None:
    """Have three pairs stand that the next cycle, and none before, proposes together."""
    plan(service, False)
    things = ("face-shield", "gown", "mask")
    service.publish([pieces(kind, f"{kind}-of-{thing}", 5, thing) for thing in things for kind in ("offer", "need")])
    plan(service, True)


def plan(service: KafkaService, may: bool) -> None:
    service._may_plan = may


def test_the_markets_of_one_cycle_are_told_turn_by_turn(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KafkaService, "markets_a_turn", 1)
    service = start()
    speak_of_three_things(service)
    before = service.status().turns["number"]
    proposed(service, 3)
    assert service.status().turns["number"] >= before + 4  # the tick's, and one for each thing: all at once take two
    told = state(service)
    service.close()
    assert state(start()) == told


def test_who_newly_exchanges_several_things_is_asked_once_for_all_of_them(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KafkaService, "markets_a_turn", 1)
    service = start()
    plan(service, False)
    service.publish([pieces(kind, f"{kind}-of-all", 5, f"thing-{number}") for number in range(4) for kind in ("offer", "need")])
    plan(service, True)
    [proposal] = proposed(service)
    with service.reading() as coordination:
        assert len(coordination.book.deals[proposal].lines) == 4
        assert not coordination.book.ended  # none was made before it for fewer


def test_a_turn_whose_parts_a_late_copy_came_between_is_written_again(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start()
    speak_of_three_things(service)
    disturbed = disturb(service, monkeypatch, times=1)
    proposed(service, 3)
    assert disturbed == [3]
    assert service.ended is None
    before = state(service)
    service.close()
    assert state(start()) == before


def test_a_turn_that_never_arrives_whole_ends_the_coordinator_with_the_true_reason(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start()
    speak_of_three_things(service)
    disturbed = disturb(service, monkeypatch, times=WRITINGS)
    service.tick()
    until(lambda: service.ended is not None)
    assert "each time something came between its parts" in str(service.ended)
    assert disturbed == [3] * WRITINGS
    assert "another coordinator" not in str(service.ended)


def test_a_connection_closed_under_a_turn_is_an_end_and_no_defect(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service, reads, closed = start(), Event(), Event()
    monkeypatch.setattr("coordinator.adapters.kafka_service.STOP_S", 0)

    def cut_off(*_: object, **__: object) -> Batch:
        reads.set()
        assert closed.wait(READY_S)
        raise AssertionError("KafkaConsumer is closed")

    monkeypatch.setattr(service._streams, "read", cut_off)
    assert reads.wait(READY_S)
    with capture_logs() as logs:
        service.close()
        closed.set()
        service._thread.join(READY_S)
    assert not service._thread.is_alive()
    assert service.ended is None
    assert [(one["log_level"], one["reason"]) for one in logs] == [("info", "KafkaConsumer is closed")]


def test_a_disk_that_is_full_while_partitions_are_claimed_is_waited_for_too(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    keep, failures = Memory.keep, iter([Unavailable("memory.json cannot be written (No space left on device)")])

    def full_at_first(memory: Memory, known: dict[str, str], turns: int) -> None:
        for failure in failures:
            raise failure
        keep(memory, known, turns)

    monkeypatch.setattr(Memory, "keep", full_at_first)
    service = start()
    assert service.ended is None
    assert list(failures) == [], "it did fail"


def test_a_full_disk_is_waited_for_as_such_without_suspecting_kafka(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service, asked = start(), list[str]()
    keep, identity = Memory.keep, service._streams.identity
    failures = iter([Unavailable("memory.json cannot be written (No space left on device)")])

    def full_at_first(memory: Memory, known: dict[str, str], turns: int) -> None:
        for failure in failures:
            raise failure
        keep(memory, known, turns)

    def counted(*, afresh: bool = False) -> dict[str, str]:
        asked.append("who it is")
        return identity(afresh=afresh)

    with capture_logs() as logs:
        monkeypatch.setattr(service._streams, "identity", counted)
        monkeypatch.setattr(Memory, "keep", full_at_first)
        service.publish([pieces("offer", "atelier-nord", 1)])
        until(lambda: service._noted == service._judge.number)
        service.publish([pieces("offer", "atelier-sud", 1)])  # a turn later, whatever was suspected has been looked into
    assert [one["event"] for one in logs if one["log_level"] == "warning"] == ["the file that remembers Kafka is waited for"]
    assert asked == []


def test_a_second_coordinator_that_is_to_be_alone_takes_over_and_the_first_ends_without_effect(start: Start, broker: str) -> None:
    first = start()
    proposal = agree(first)
    before = state(first)
    second = start("other.json")
    assert state(second) == before
    until(lambda: first.ended is not None)
    assert isinstance(first.ended, Refused)
    with pytest.raises(Unavailable, match="another coordinator writes turns now"):
        first.publish([pieces("offer", "atelier-sud", 7)])
    second.publish([pieces("need", "clinique-est", 9)])
    until(lambda: second.status().counts["taken"] >= 2)
    second.close()
    ledger = Counter((one["data"]["kind"], one["data"]["agent"], one["data"]["proposal"]) for one in map(event_of, all_of(broker, LEDGER)))
    assert set(ledger.values()) == {1}
    assert ("committed", "atelier-nord", proposal) in ledger


def held(*services: KafkaService) -> list[int]:
    return [service.status().turns["held"] for service in services]


def test_coordinators_that_share_hold_one_state_and_each_answers_for_all(start: Start, broker: str) -> None:
    """Two, then three, then two again: partitions move, every word is answered at any door, and nobody promises for another."""
    first = start("first.json", share=True)
    proposal = agree(first)
    second = start("second.json", share=True)
    until(lambda: held(first, second) == [4, 4])
    parties = [f"{kind}-{number}" for number in range(8) for kind in ("offer", "need")]
    for service, names in ((first, parties[:8]), (second, parties[8:])):
        told = service.publish([pieces(name.split("-")[0], name, 5, f"thing-{name[-1]}") for name in names])
        assert [one.status for one in told] == ["taken"] * 8
    for service in (first, second):
        service.start_ticking(0.2)
    until(lambda: len(standing(first)) == 9)
    third = start("third.json", share=True)
    until(lambda: sorted(held(first, second, third)) == [2, 3, 3])
    for index, (each, names) in enumerate(standing(first).items()):
        doors = (first, second, third)
        for party in names if each != proposal else ():
            [told] = doors[index % 3].publish([answer(party, each)])
            assert told.decided[0]["kind"] == "promised"
    second.close()
    until(lambda: sorted(held(first, third)) == [4, 4])
    assert [one.status for one in third.publish([pieces("offer", name, 1, "other") for name in parties])] == ["taken"] * 16
    until(lambda: first.follow(-1) == third.follow(-1))
    assert state(first) == state(third)
    with first.reading() as coordination:
        assert Counter(deal.state for deal in coordination.book.deals.values()) == {State.COMMITTED: 9}
    first.close()
    third.close()
    alone = start("alone.json")
    assert alone.parked == first.parked == third.parked == []
    shown, _ = first.follow(-1)
    assert shown
    assert alone.follow(-1)[0][: len(shown)] == shown  # It may see one tick more, that was taken as who ticked closed.
    decided = [event_of(one) for stream in (PROPOSAL, LEDGER) for one in all_of(broker, stream)]
    kinds = Counter(one["data"]["kind"] for one in {one["id"]: one for one in decided if "kind" in (one["data"] or {})}.values())
    assert kinds == {"promised": 18, "committed": 9}


def standing(service: KafkaService) -> dict[str, tuple[str, ...]]:
    """The plans that nobody has ended, with their parties."""
    with service.reading() as coordination:
        return {name: deal.parties for name, deal in coordination.book.deals.items()}


def test_who_lost_its_partitions_unawares_writes_in_vain_and_goes_on_without_them(
    start: Start, monkeypatch: pytest.MonkeyPatch, stranger: KafkaProducer
) -> None:
    """As if it had slept: another claims what it still believes to hold, in the middle of its turn."""
    service = start(share=True)
    proposal = agree(service)
    append, claimed = service._streams.append, list[bytes]()

    def claiming(entries: Sequence[Entry]) -> list[Record]:
        if entries[0].stream == TURN and not claimed:
            claim = Turn("another", 1, claims=tuple(sorted(service._judge.holders)), epoch=service._judge.epoch + 1)
            claimed.extend(turn_lines(claim, "coordinator:main", wall_us()))
            append([Entry(TURN, "main", line) for line in claimed])
        return append(entries)

    monkeypatch.setattr(service._streams, "append", claiming)
    line = pieces("offer", "atelier-sud", 7)
    put(stranger, line)
    until(lambda: service.status().turns["void"] == 1)
    assert held(service) == [0]
    assert service.ended is None
    assert state_of(service, proposal) is State.COMMITTED
    with service.reading() as coordination:
        assert "atelier-sud" not in coordination.network.agents
    service.close()
    assert start().publish([line])[0].status == "repeat"


def event_of(record: Record) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(record.entry.event)
    return told


def test_what_was_decided_and_not_published_is_published_by_the_next_once(
    start: Start, broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start()
    service.publish([pieces("offer", "atelier-nord", 120), pieces("need", "clinique-ouest", 50)])
    monkeypatch.setattr(service, "_publish_outbox", lambda: None)  # as if it were ended before
    [proposal] = proposed(service)
    service.close()
    assert all_of(broker, PROPOSAL) == []
    start().close()
    assert [event_of(one)["subject"] for one in all_of(broker, PROPOSAL)] == [proposal]
    start().close()
    assert len(all_of(broker, PROPOSAL)) == 1


def test_a_turn_that_is_cut_short_or_void_is_no_part_of_history(start: Start, broker: str, tmp_path: Path) -> None:
    service = start()
    agree(service)
    before = state(service)
    service.close()
    judge = TurnJudge()
    for record in all_of(broker, TURN):
        judge.take(record.entry.event)
    takes = {name: Taking(epoch, judge.ends.get(name, 0), judge.ends.get(name, 0)) for name, (epoch, _) in judge.holders.items()}
    stale = Turn("another writer", 1, takes=takes)
    with closing(KafkaLog(broker, prepare=False, streams=(TURN,))) as log:
        log.append([Entry(TURN, "main", line) for line in turn_lines(stale, "coordinator:main", wall_us())])
    assert state(start()) == before


def test_history_without_turns_is_taken_up_without_proposing_for_the_past(start: Start, broker: str, stranger: KafkaProducer) -> None:
    KafkaLog(broker, replicas=1).close()
    for number in range(30):
        put(stranger, pieces("offer" if number % 2 else "need", f"agent-{number}", 5))
    said_us = wall_us()
    service = start()
    until(lambda: service.status().counts["taken"] == 30)
    names = proposed(service, 15)
    with service.reading() as coordination:
        assert all(coordination.book.deals[name].made_us > said_us for name in names)
        assert not coordination.book.ended


def test_time_that_was_told_before_a_start_asks_for_no_plan(start: Start, broker: str, stranger: KafkaProducer) -> None:
    KafkaLog(broker, replicas=1).close()
    for kind, agent in (("offer", "atelier-nord"), ("need", "clinique-ouest")):
        put(stranger, pieces(kind, agent, 5))
    put(stranger, event_json("tick", "coordinator:before", "tick", wall_us(), {}))
    told_us = wall_us()
    service = start()
    until(lambda: service.status().counts["taken"] == 2)
    [name] = proposed(service)
    with service.reading() as coordination:
        assert coordination.book.deals[name].made_us > told_us


def test_a_memory_of_another_kafka_ends_the_start(start: Start, tmp_path: Path) -> None:
    service = start()
    agree(service)
    service.close()
    known = json.loads((tmp_path / "memory.json").read_text())
    Memory(tmp_path / "memory.json").keep({**known["log"], "cluster": "another"}, known["turns"])
    with pytest.raises(Refused, match="this is not the Kafka that this coordinator knows: cluster has the id"):
        start()
    Memory(tmp_path / "memory.json").keep(known["log"], known["turns"] + 5)
    late = start(wait=False)
    until(lambda: late.ended is not None)
    assert "turns were" not in str(late.ended)
    assert "it lost data" in str(late.ended)


@pytest.mark.slow
def test_a_broker_that_was_wiped_ends_the_coordinator(tmp_path: Path) -> None:
    charter = Charter.model_validate({"cycle_seconds": 1, "fairness": "off"})
    with running_kafka(tmp_path / "kafka", "what becomes of a coordinator whose broker loses all") as broker:
        service = KafkaService(broker.address, charter, memory=tmp_path / "memory", replicas=1, patience_ms=3_000)
        agree(ready(service))
        broker.kill()
        shutil.rmtree(broker.folder / "data")
        broker.start()
        KafkaLog(broker.address, replicas=1).close()
        until(lambda: service.ended is not None)
        assert "knows" in str(service.ended) or "lost data" in str(service.ended)
        service.close()
        with pytest.raises(Refused, match="this is not the Kafka"):
            KafkaService(broker.address, charter, memory=tmp_path / "memory", replicas=1)


@pytest.mark.slow
def test_a_broker_that_was_killed_and_comes_back_with_all_it_kept_is_waited_for(tmp_path: Path) -> None:
    charter = Charter.model_validate({"cycle_seconds": 1, "fairness": "off"})
    with running_kafka(tmp_path / "kafka", "what becomes of a coordinator whose broker is killed and comes back") as broker:
        with closing(KafkaService(broker.address, charter, memory=tmp_path / "memory", replicas=1, patience_ms=3_000)) as service:
            proposal = agree(ready(service))
            before = state(service)
            broker.kill()
            line = pieces("offer", "atelier-sud", 7)
            with pytest.raises(Unavailable):
                service.publish([line])
            broker.start()
            until(lambda: service.status().why_not is None or service.ended is not None)
            assert state(service) == before
            assert service.publish([line])[0].status in ("taken", "repeat")
            assert service.publish([line])[0].status == "repeat"
        records = [event_of(one) for one in all_of(broker.address, LEDGER)]
        assert Counter(one["data"]["kind"] for one in records if one["data"]["proposal"] == proposal) == {"promised": 2, "committed": 1}
        assert len({one["id"] for one in records}) == len(records)
