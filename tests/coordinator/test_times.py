"""Times: RFC 3339 with an offset outside, whole microseconds inside."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator import times
from coordinator.errors import Refused
from coordinator.times import DAY_US, HOUR_US, SECOND_US, format_instant, parse_instant

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANTS_US = st.integers(0, 230 * 365 * DAY_US)


@pytest.mark.parametrize(
    ("text", "instant_us"),
    [
        pytest.param("1970-01-01T00:00:00Z", 0, id="the beginning"),
        pytest.param("1970-01-02T00:00:01Z", DAY_US + SECOND_US, id="a day and a second"),
        pytest.param("1970-01-01T02:00:00+01:00", HOUR_US, id="an offset ahead"),
        pytest.param("1969-12-31T23:30:00-00:45", 15 * 60 * SECOND_US, id="an offset behind"),
        pytest.param("1970-01-01T00:00:00-00:00", 0, id="an unknown offset is UTC"),
        pytest.param("1970-01-01t00:00:00z", 0, id="small letters"),
        pytest.param("1970-01-01T00:00:00.5Z", 500_000, id="half a second"),
        pytest.param("1970-01-01T00:00:00.0000019Z", 1, id="digits past the microsecond are cut"),
        pytest.param("2000-02-29T00:00:00Z", 951_782_400 * SECOND_US, id="a leap day"),
    ],
)
def test_a_time_is_so_many_microseconds(text, instant_us):
    assert parse_instant(text) == instant_us


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("2026-03-01T08:00:00", "without an offset", id="no offset"),
        pytest.param("2026-03-01", "without an offset", id="a date"),
        pytest.param("2026-12-31T23:59:60Z", "leap second", id="a leap second"),
        pytest.param("2026-02-29T00:00:00Z", "no such day", id="a day that is not"),
        pytest.param("2026-13-01T00:00:00Z", "no such day", id="a month that is not"),
        pytest.param("2026-03-01T24:00:00Z", "RFC 3339", id="hour 24"),
        pytest.param("2026-03-01T08:00:00+24:00", "RFC 3339", id="an offset of a day"),
        pytest.param("2026-03-01 08:00:00Z", "RFC 3339", id="a space for the T"),
        pytest.param("2026-03-01T08:00Z", "RFC 3339", id="no seconds"),
        pytest.param("20260301T080000Z", "RFC 3339", id="the basic form"),
        pytest.param("2026-W10-7T08:00:00Z", "RFC 3339", id="a week date"),
        pytest.param("2026-03-01T08:00:00,5Z", "RFC 3339", id="a decimal comma"),
        pytest.param("٢٠٢٦-03-01T08:00:00Z", "RFC 3339", id="digits of another script"),
        pytest.param("0001-01-01T00:00:00+14:00", "1970 to 2199", id="the year 1"),
        pytest.param("1969-12-31T23:59:59Z", "1970 to 2199", id="before 1970"),
        pytest.param("9999-12-31T23:59:59-14:00", "leave it out", id="the year 9999"),
        pytest.param("2026-03-01T08:00:00Z\n", "RFC 3339", id="a newline after it"),
        pytest.param("P1M", "RFC 3339", id="a duration"),
        pytest.param("", "RFC 3339", id="nothing"),
        pytest.param("2026-03-01T08:00:00." + "1" * 1_000_000 + "Z", "RFC 3339", id="a million digits"),
    ],
)
def test_other_times_are_refused_with_the_reason(text, reason):
    with pytest.raises(Refused, match=reason) as refused:
        parse_instant(text)
    assert len(str(refused.value)) < 250


@given(INSTANTS_US)
def test_a_time_written_reads_back_the_same(instant_us):
    assert parse_instant(format_instant(instant_us)) == instant_us


@given(INSTANTS_US, st.integers(-23 * 60, 23 * 60))
def test_the_offset_does_not_change_the_instant(instant_us, offset_minutes):
    moment = EPOCH + timedelta(microseconds=instant_us)
    local = moment.replace(tzinfo=None) + timedelta(minutes=offset_minutes) if instant_us >= 2 * DAY_US else None
    if local is not None:
        sign, minutes = ("-" if offset_minutes < 0 else "+"), abs(offset_minutes)
        assert parse_instant(f"{local.isoformat()}{sign}{minutes // 60:02}:{minutes % 60:02}") == instant_us


SECONDS = ["00", "07", "59", "60", "61", "7", "0x", "\u0661\u0662", " 1", "+1", ""]
RESTS = ["Z", "z", "", ".5Z", ".123456Z", ".123456z", ".12345\u0666Z", ".1234567Z", ".+12345Z", ".123 56Z", "+00:00", "Z ", "ZZ"]


@pytest.mark.parametrize(
    "beginning", ["2026-03-08T09:05:", "2026-03-08t09:05:", "2026-02-30T09:05:", "1969-12-31T23:59:", "2199-12-31T23:59:"]
)
def test_a_time_in_a_minute_that_was_read_before_is_read_as_if_it_were_the_first(beginning):
    for text in (f"{beginning}{second}{rest}" for second in SECONDS for rest in RESTS):
        told = []
        for comes_first in (True, False):
            times._minutes.clear()
            if not comes_first:
                with suppress(Refused):
                    parse_instant(f"{beginning}30Z")
            try:
                told.append(parse_instant(text))
            except Refused as refused:
                told.append(str(refused))
        assert told[0] == told[1], text


def test_no_more_minutes_are_remembered_than_may_be(monkeypatch):
    monkeypatch.setattr(times, "MINUTES_KEPT", 3)
    times._minutes.clear()
    for minute in range(9):
        parse_instant(f"2026-03-08T09:0{minute}:00Z")
    assert len(times._minutes) == 3


def test_a_fraction_is_written_only_where_there_is_one():
    assert format_instant(parse_instant("2026-03-08T01:00:00+01:00")) == "2026-03-08T00:00:00Z"
    assert format_instant(SECOND_US // 2) == "1970-01-01T00:00:00.500000Z"


@pytest.mark.parametrize("instant_us", [-1, 10**18])
def test_an_instant_out_of_range_is_not_written(instant_us):
    with pytest.raises(Refused, match="1970 to 2199"):
        format_instant(instant_us)
