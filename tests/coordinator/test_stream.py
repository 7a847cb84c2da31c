"""Places, partitions and the log in memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2

from coordinator.errors import Refused
from coordinator.stream import LEDGER, PARTITIONS, SIGNAL, START, STREAMS, Entry, MemoryLog, Place, Record, misplaced, partition_of


@given(key=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40), partitions=st.integers(1, 64))
def test_a_key_goes_where_the_kafka_client_would_send_it(key, partitions):
    assert partition_of(key, partitions) == (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


@pytest.mark.parametrize(
    ("key", "partition"),
    [("atelier-nord", 1), ("clinique-ouest", 7), ("", 1), ("a", 4), ("agent-1", 7), ("Größe-縫", 7)],
)
def test_partitions_never_change_from_release_to_release(key, partition):
    assert partition_of(key, 8) == partition


def test_every_stream_has_its_number_of_partitions():
    assert dict(PARTITIONS) == dict(zip(STREAMS, (8, 8, 8, 1, 1, 1), strict=True))


@given(st.dictionaries(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.integers(0, 2**62)))
def test_a_place_survives_being_written_down(offsets):
    place = Place(tuple(sorted(offsets.items())))
    assert Place.from_text(place.to_text()) == place


@pytest.mark.parametrize("text", ["", "[]", "12", '{"log": -1}', '{"log": 1.5}', '{"log": true}', '{"log": "1"}', "{", "null"])
def test_what_is_no_place_is_refused(text):
    with pytest.raises(Refused, match="is not a place in a log"):
        Place.from_text(text)


def test_a_record_in_the_partition_of_another_key_is_misplaced():
    entry = Entry(SIGNAL, "atelier-nord", b"{}")
    assert not misplaced(Record(entry, f"{SIGNAL}/1/0", 1))
    assert misplaced(Record(entry, f"{SIGNAL}/2/0", 1))


def test_the_log_in_memory_stamps_with_its_clock_and_never_backwards():
    times = iter([100, 300, 200])
    log = MemoryLog(lambda: next(times))
    stamps = [record.logtime_us for _ in range(3) for record in log.append([Entry(SIGNAL, "a", b"{}"), Entry(LEDGER, "b", b"{}")])]
    assert stamps == [100, 100, 300, 300, 300, 300]


def test_the_log_in_memory_keeps_the_order_over_all_streams():
    log = MemoryLog(lambda: 1)
    entries = [Entry(STREAMS[number % 5], f"agent-{number % 3}", b"%d" % number) for number in range(40)]
    for entry in entries:
        log.append([entry])
    assert [record.entry for record in log.read(START, 100).records] == entries


def test_a_place_beyond_the_log_is_refused():
    with pytest.raises(Refused, match="lies beyond the log, which ends at 0"):
        MemoryLog(lambda: 1).read(Place((("log", 1),)), 10)
