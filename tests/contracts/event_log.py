"""What every log promises. A test module runs it over a log by giving the class two fixtures: `log` and `reopened`."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from coordinator.errors import Refused
from coordinator.stream import LARGEST_EVENT_BYTES, LEDGER, PROPOSAL, SIGNAL, START, STREAMS, Entry, EventLog, Place, Record, misplaced

AGENTS = tuple(f"agent-{number}" for number in range(12))


def entry(number: int, key: str = "atelier-nord", stream: str = SIGNAL, data: object = ..., **more: object) -> Entry:
    """An event that can be told from others by its number."""
    event = {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": f"agent:{key}",
        "type": "stigmergy.offer.v1",
        "subject": f"offer-{number}",
        "time": "2026-03-01T08:00:00Z",
        **more,
        "data": {"resource": "face-shield", "quantity": {"value": number + 1, "unit": "1"}} if data is ... else data,
    }
    return Entry(stream, key, json.dumps(event, ensure_ascii=False).encode())


def mixed(count: int) -> list[Entry]:
    """Entries of several agents and streams, interleaved."""
    return [entry(number, AGENTS[number * 7 % 12], (SIGNAL, SIGNAL, LEDGER, PROPOSAL)[number % 4]) for number in range(count)]


def said(record: Record | Entry) -> tuple[str, str, object]:
    """What must come back: stream, key and the event with its numbers exact; spaces and the order of members are free."""
    one = record.entry if isinstance(record, Record) else record
    return one.stream, one.key, json.loads(one.event, parse_float=Decimal)


def read_all(log: EventLog, after: Place = START, at_most: int = 1_000) -> list[Record]:
    """Everything after a place, in bites."""
    records: list[Record] = []
    while (batch := log.read(after, at_most)).records:
        assert len(batch.records) <= at_most
        records.extend(batch.records)
        after = batch.place
    return records


def by_partition(records: Iterable[Record]) -> dict[str, list[Record]]:
    """The records of each partition, in the order given."""
    partitions: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        partitions[record.position.rsplit("/", 1)[0]].append(record)
    return partitions


def by_key(records: Iterable[Record | Entry]) -> dict[tuple[str, str], list[object]]:
    """The events of each key of each stream, in the order given."""
    keys: dict[tuple[str, str], list[object]] = defaultdict(list)
    for stream, key, event in map(said, records):
        keys[stream, key].append(event)
    return keys


class EventLogContract:
    """Subclasses give `log`, an empty log, and `reopened`, which closes it and opens what it kept."""

    @pytest.fixture
    def log(self) -> Iterable[EventLog]:
        raise LookupError("the subclass gives the log")

    @pytest.fixture
    def reopened(self) -> Callable[[], EventLog]:
        raise LookupError("the subclass gives the way to open the log again")

    def test_an_empty_log_gives_an_empty_batch_at_the_start(self, log):
        batch = log.read(START, 10)
        assert batch.records == ()
        assert batch.place == START

    def test_an_entry_comes_back_with_a_stamp_and_a_position(self, log):
        [appended] = log.append([entry(1)])
        [read] = log.read(START, 10).records
        assert said(read) == said(appended) == said(entry(1))
        assert (read.position, read.logtime_us) == (appended.position, appended.logtime_us)
        stream, partition, offset = read.position.split("/")
        assert stream == SIGNAL
        assert partition.isdecimal()
        assert offset.isdecimal()
        assert read.logtime_us > 1_500_000_000_000_000

    def test_appending_nothing_adds_nothing(self, log):
        assert log.append([]) == []
        assert read_all(log) == []

    @pytest.mark.parametrize(
        "odd",
        [
            pytest.param(entry(1, data=None), id="data null, which withdraws"),
            pytest.param(entry(1, data={"name": "Überseefabrik №5 – 縫製 🧵 \u2028 'quoted' \"twice\" 50% \\"}), id="text of all kinds"),
            pytest.param(Entry(SIGNAL, "Größe-縫", entry(1).event), id="key beyond ASCII"),
            pytest.param(entry(1, data={"value": 9007199254740993, "small": 1e-9, "whole": 20.0}), id="numbers at the edge"),
            pytest.param(
                Entry(SIGNAL, "a", entry(1).event.replace(b'"value": 2', b'"value": 0.10000000000000000001')), id="exact decimals"
            ),
            pytest.param(entry(1, logtime="2026-03-01T08:00:01.000001Z", traceparent="00-ab-cd-01"), id="extensions"),
            pytest.param(entry(1, data={"note": "x" * 900_000}), id="almost as large as may be"),
        ],
    )
    def test_what_was_said_comes_back_whole(self, log, odd):
        log.append([odd, entry(2)])
        assert by_key(read_all(log)) == by_key([odd, entry(2)])

    def test_every_stream_is_kept_apart(self, log):
        entries = [entry(number, stream=stream) for number, stream in enumerate(STREAMS)]
        log.append(entries)
        assert by_key(read_all(log)) == by_key(entries)

    def test_the_order_of_one_key_is_kept_however_streams_and_calls_interleave(self, log):
        entries = mixed(300)
        for begin in range(0, 300, 37):
            log.append(entries[begin : begin + 37])
        assert by_key(read_all(log)) == by_key(entries)

    def test_answers_to_appending_are_what_readers_see(self, log):
        answered = {record.position: (said(record), record.logtime_us) for record in log.append(mixed(100))}
        assert len(answered) == 100
        assert {record.position: (said(record), record.logtime_us) for record in read_all(log)} == answered

    def test_a_batch_is_never_larger_than_asked_and_bites_add_up_to_the_whole(self, log):
        log.append(mixed(100))
        whole = read_all(log)
        for at_most in (1, 7, 99, 100, 101):
            assert [record.position for record in read_all(log, at_most=at_most)] == [record.position for record in whole]

    def test_the_same_place_gives_the_same_again(self, log):
        log.append(mixed(60))
        middle = log.read(START, 25).place
        first = log.read(middle, 20)
        assert len(first.records) > 0
        assert log.read(middle, 20) == first

    def test_every_place_on_the_way_goes_on_where_it_was_left(self, log):
        log.append(mixed(40))
        whole = read_all(log)
        place, places, count = START, [], 0
        while (batch := log.read(place, 5)).records:
            place, count = batch.place, count + len(batch.records)
            places.append((place, count))
        for place, begin in reversed(places):
            assert read_all(log, place) == whole[begin:]

    def test_a_place_outlives_the_process_as_text(self, log, reopened):
        log.append(mixed(30))
        place = log.read(START, 11).place
        rest = read_all(log, place)
        assert read_all(reopened(), Place.from_text(place.to_text())) == rest

    def test_at_the_end_a_batch_is_empty_until_something_new_comes(self, log):
        log.append(mixed(10))
        place = START
        while (batch := log.read(place, 100)).records:
            place = batch.place
        assert batch.place == place
        log.append([entry(99)])
        assert [said(record) for record in log.read(place, 100).records] == [said(entry(99))]

    def test_stamps_never_go_backwards_within_a_partition(self, log):
        for part in range(20):
            log.append(mixed(5 + part))
        for records in by_partition(read_all(log)).values():
            stamps = [record.logtime_us for record in records]
            assert stamps == sorted(stamps)
            offsets = [int(record.position.rsplit("/", 1)[1]) for record in records]
            assert offsets == sorted(set(offsets))

    def test_every_record_stands_in_the_partition_of_its_key(self, log):
        log.append([entry(number, key=f"agent-{number}") for number in range(50)])
        records = read_all(log)
        assert len({record.position.split("/")[1] for record in records}) > 4
        assert not any(map(misplaced, records))

    def test_what_was_appended_stands_after_closing(self, log, reopened):
        log.append(mixed(50))
        before = read_all(log)
        again = reopened()
        assert read_all(again) == before
        again.append([entry(77)])
        assert len(read_all(again)) == 51

    def test_ten_thousand_entries_come_back_in_order(self, log):
        entries = mixed(10_000)
        for begin in range(0, 10_000, 1_000):
            assert len(log.append(entries[begin : begin + 1_000])) == 1_000
        assert by_key(read_all(log)) == by_key(entries)

    def test_threads_that_append_at_once_lose_nothing_and_keep_their_order(self, log):
        def append_all(entries: Sequence[Entry]) -> list[Record]:
            return [record for begin in range(0, len(entries), 3) for record in log.append(entries[begin : begin + 3])]

        writers = [[entry(number, key=key) for number in range(90)] for key in ("one", "two", "three", "four")]
        with ThreadPoolExecutor(4) as threads:
            answered = [record for records in threads.map(append_all, writers) for record in records]
        records = read_all(log)
        assert by_key(records) == by_key(entry for entries in writers for entry in entries)
        assert sorted(record.position for record in answered) == sorted(record.position for record in records)

    @pytest.mark.parametrize(
        ("wrong", "sentence"),
        [
            pytest.param(Entry("stigmergy.sginal.v1", "a", b"{}"), "There is no stream 'stigmergy.sginal.v1'", id="unknown stream"),
            pytest.param(Entry(SIGNAL, "a", b""), "has 0 bytes", id="no event"),
            pytest.param(Entry(SIGNAL, "a", b"x" * (LARGEST_EVENT_BYTES + 1)), "has 1048577 bytes", id="too large"),
            pytest.param(Entry(SIGNAL, "\ud800", b"{}"), "not text that UTF-8 can write", id="half a surrogate pair"),
        ],
    )
    def test_a_refused_entry_leaves_no_trace_nor_do_those_around_it(self, log, wrong, sentence):
        with pytest.raises(Refused, match=sentence):
            log.append([entry(1), wrong, entry(2)])
        assert read_all(log) == []

    def test_a_place_kept_for_another_log_is_refused(self, log):
        log.append([entry(1)])
        with pytest.raises(Refused, match="kept for another"):
            log.read(Place((("another.topic.v7/3", 5),)), 10)
