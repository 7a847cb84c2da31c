"""What is read of a batch of records is what Kafka's own client reads of it, and goes on where that stops."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from coordinator.adapters.kafka_rows import Row, rows_of

GZIP = 1
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
        yield from rows_of(batch, "t", 3)


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


@given(st.lists(RECORDS, min_size=1, max_size=3), st.data())
def test_a_damaged_batch_is_refused_or_read_and_nothing_else(records, data):
    written = bytearray(batches(records))
    for _ in range(data.draw(st.integers(1, 4))):
        written[data.draw(st.integers(61, len(written) - 1))] = data.draw(st.integers(0, 255))
    try:
        rows = list(read(bytes(written)))
    except (ValueError, IndexError):
        return
    assert len(rows) == len(records)
