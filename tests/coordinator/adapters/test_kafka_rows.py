"""What is read of a batch of records is what Kafka's own client reads of it, and goes on where that stops."""

import struct
from collections import deque
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.consumer.subscription_state import SubscriptionState
from kafka.errors import CorruptRecordError, UnsupportedCodecError
from kafka.record._crc32c import crc as crc32c
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from coordinator.adapters.kafka_log import _Fetched
from coordinator.adapters.kafka_rows import Row, rows_of

GZIP = 1
CHECKED_FROM, COUNT_AT, RECORDS_AT = 21, 57, 61  # in a batch
PARTITION = TopicPartition("t", 3)
SOME = st.none() | st.binary(max_size=90) | st.binary(min_size=64, max_size=300)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=80)
RECORDS = st.tuples(st.integers(0, 2**44), SOME, SOME, st.lists(st.tuples(NAMES, SOME), max_size=9))


class Raw(str):
    """A header's name that goes out as it is told, whatever the client would make of it."""

    __slots__ = ("raw",)

    def __new__(cls, raw: bytes) -> "Raw":
        made = super().__new__(cls, raw.decode("latin-1"))
        made.raw = raw
        return made

    def encode(self, *_: object) -> bytes:
        return self.raw


def batches(records: list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]], packing: int = 0) -> bytes:
    builder = MemoryRecordsBuilder(2, packing, 1 << 24)
    for timestamp, key, value, headers in records:
        builder.append(timestamp, key, value, headers)
    builder.close()
    return bytes(builder.buffer())


def read(written: bytes) -> Iterator[Row]:
    records = MemoryRecords(written)
    while (batch := records.next_batch()) is not None:
        yield from rows_of(iter(batch), "t", 3)  # which unpacks it


def read_by_client(written: bytes) -> Iterator[Row]:
    records = MemoryRecords(written)
    while (batch := records.next_batch()) is not None:
        yield from (Row("t", 3, one.offset, one.timestamp, one.key, one.value, one.headers) for one in batch)


@given(st.lists(RECORDS, min_size=1, max_size=5), st.sampled_from([0, GZIP]))
def test_records_are_read_as_the_client_reads_them(records, packing):
    written = batches(records, packing)
    rows = list(read(written))
    assert rows == list(read_by_client(written))
    assert [(row.timestamp, row.key, row.value, row.headers) for row in rows] == records


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        pytest.param(b"ce_\xff", None, id="not UTF-8"),
        pytest.param(b"\xff" * 70, None, id="not UTF-8 and long"),
        pytest.param(b"ce_id\0\xff", [("b", b"1"), ("ce_id", b"x"), ("a", b"2")], id="librdkafka takes a name up to its first NUL"),
    ],
)
def test_a_record_with_a_header_of_an_odd_name_is_passed_on_and_so_are_those_behind_it(name, headers):
    odd = (1, b"k", b"v", [("b", b"1"), (Raw(name), b"x"), ("a", b"2")])
    [row, behind] = read(batches([odd, (2, b"k", b"w", [])]))
    assert row == Row("t", 3, 0, 1, b"k", b"v", headers)
    assert behind.value == b"w"


@given(st.lists(RECORDS, min_size=1, max_size=3), st.sampled_from([0, GZIP]), st.data())
def test_of_a_damaged_batch_that_tells_its_checksum_all_that_was_written_is_read_or_nothing(records, packing, data):
    written = bytearray(batches(records, packing))
    for _ in range(data.draw(st.integers(1, 4))):
        written[data.draw(st.integers(CHECKED_FROM, len(written) - 1))] = data.draw(st.integers(0, 255))
    try:
        rows = Fetcher.PartitionRecords.take(_Fetched(0, PARTITION, MemoryRecords(bytes(written))))
    except CorruptRecordError:
        return
    assert [(row.timestamp, row.key, row.value, row.headers) for row in rows] == records


@given(st.lists(RECORDS, min_size=1, max_size=3), st.data())
def test_of_any_bytes_as_many_records_are_read_as_they_tell_and_none_are_left_or_it_is_refused(records, data):
    written = bytearray(batches(records))
    for _ in range(data.draw(st.integers(1, 4))):
        written[data.draw(st.integers(COUNT_AT, len(written) - 1))] = data.draw(st.integers(0, 255))
    try:
        rows = list(read(bytes(written)))
    except (ValueError, IndexError):
        return
    assert (len(rows),) == struct.unpack_from(">i", written, COUNT_AT)


GOOD = [(1, b"k", b"v" * 30, [])] * 3


def sealed(written: bytearray) -> bytes:
    """Make length and checksum of a batch fit what it holds."""
    struct.pack_into(">i", written, 8, len(written) - 12)
    struct.pack_into(">I", written, 17, crc32c(bytes(written[CHECKED_FROM:])) & 0xFFFFFFFF)
    return bytes(written)


def at(offset: int, written: bytes, epoch: int = -1) -> bytes:
    moved = bytearray(written)
    struct.pack_into(">q", moved, 0, offset)
    struct.pack_into(">i", moved, 12, epoch)
    return bytes(moved)


def told(count: int) -> bytes:
    """A batch that tells another number of records than it has."""
    written = bytearray(batches(GOOD))
    struct.pack_into(">i", written, COUNT_AT, count)
    return sealed(written)


def packed(codec: int) -> bytes:
    """A batch that says it is packed, and is not."""
    written = bytearray(batches(GOOD))
    written[22] |= codec
    return sealed(written)


def cut(packing: int, left_out: int) -> bytes:
    return sealed(bytearray(batches(GOOD, packing)[:-left_out]))


def of_one(*parts: int) -> bytes:
    """A batch of one record that consists of these bytes."""
    written = bytearray(batches(GOOD)[:RECORDS_AT])
    struct.pack_into(">i", written, COUNT_AT, 1)
    return sealed(written + bytes([2 * len(parts), *parts]))


def false_checksum() -> bytes:
    written = bytearray(batches(GOOD))
    written[-2] ^= 0x55
    return bytes(written)


UNREADABLE = [
    pytest.param(false_checksum(), "another checksum", id="a false checksum"),
    pytest.param(packed(GZIP), "cannot be unpacked", id="gzip that is none"),
    pytest.param(cut(GZIP, 12), "cannot be unpacked", id="gzip that is cut short"),
    pytest.param(packed(2), "snappy", id="snappy"),
    pytest.param(packed(3), "lz4", id="lz4"),
    pytest.param(packed(4), "zstd", id="zstd"),
    pytest.param(packed(7), "compression type: 7", id="packed as nobody knows"),
    pytest.param(told(-1), "-1 records are told", id="fewer records than none"),
    pytest.param(told(2), "bytes are left behind its last record", id="fewer records than there are"),
    pytest.param(told(4), "cannot be read", id="more records than there are"),
    pytest.param(of_one(0, 0, 0, 1, 1, 1), "-1 headers are told", id="fewer headers than none"),
    pytest.param(of_one(0, 0, 0, 1, 1, 2, 1, 1), "a header has no name", id="a header without a name"),
    pytest.param(of_one(0, *[0x80] * 10, 0, 0, 1, 1, 0), "longer than 10 bytes", id="a number that goes on"),
]


def fetcher_of(*answers: bytes, begin: int = 0) -> Fetcher:
    """A fetcher of kafka-python that was told these by a broker, one after another, and asks nobody."""
    fetcher = Fetcher.__new__(Fetcher)
    fetcher._subscriptions = SubscriptionState()
    fetcher._subscriptions.assign_from_user([PARTITION])
    fetcher._subscriptions.seek(PARTITION, begin)
    fetcher._sensors, fetcher._next_in_line_exception_metadata, fetcher._next_partition_records = None, None, None
    fetcher._paused_completed_fetches, fetcher._paused_partition_records = {}, {}
    fetcher._completed_fetches = deque(map(_Answer, answers))
    fetcher._parse_fetched_data = lambda answer: _Counted(fetcher._subscriptions.position(PARTITION).offset, PARTITION, answer.records())
    return fetcher


class _Answer:
    topic_partition, fetched_offset = PARTITION, 0

    def __init__(self, written: bytes) -> None:
        self.written = written

    def records(self) -> MemoryRecords:
        return MemoryRecords(self.written)


class _Counted(_Fetched):
    asked = 0

    def take(self, n: int | None = None) -> list[Row]:
        self.asked += 1
        assert self.asked < 10, "it is asked for more for ever"
        return super().take(n)


@pytest.mark.parametrize(("written", "why"), UNREADABLE)
def test_what_cannot_be_read_is_told_at_every_poll_and_then_asked_for_again(written, why):
    answer = at(0, batches(GOOD)) + at(3, written)
    fetcher = fetcher_of(answer, answer, answer)
    polled, _ = fetcher.fetched_records(500)
    assert [row.offset for row in polled[PARTITION][:3]] == [0, 1, 2]
    position = fetcher._subscriptions.position(PARTITION).offset  # behind all that could be read
    for _ in range(3):
        with pytest.raises((CorruptRecordError, UnsupportedCodecError), match=why):
            fetcher.fetched_records(500)
        assert fetcher._subscriptions.position(PARTITION).offset == position
    assert not fetcher._next_partition_records
    assert fetcher.fetched_records(500) == ({}, False)


def test_how_far_a_partition_was_read_and_under_which_leader_is_told_as_the_client_tells_it():
    written = at(0, batches(GOOD), 4) + at(3, batches(GOOD), 5) + at(6, batches(GOOD[:1]), 5) + at(9, batches(GOOD), 7)
    for some in range(1, 11):
        ours, theirs = (kind(0, PARTITION, MemoryRecords(written)) for kind in (_Fetched, Fetcher.PartitionRecords))
        while theirs:
            assert [row.offset for row in ours.take(some)] == [row.offset for row in theirs.take(some)]
            assert (ours.next_fetch_offset, ours.leader_epoch) == (theirs.next_fetch_offset, theirs.leader_epoch)
        assert not ours
