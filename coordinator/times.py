"""Times: whole microseconds since 1970 UTC inside, RFC 3339 with an offset on the wire."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from coordinator.errors import Refused
from coordinator.wording import shown

__all__ = ["DAY_US", "HOUR_US", "LATEST_US", "MINUTE_US", "SECOND_US", "format_instant", "parse_instant"]

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

MINUTES_KEPT = 1 << 12
_SECONDS_US = {f"{second:02}": second * SECOND_US for second in range(60)}
_minutes: dict[str, int] = {}  # the beginning of a time that was read, up to the colon before its seconds -> when that minute began

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_US = (datetime(2200, 1, 1, tzinfo=UTC) - _EPOCH).days * DAY_US
LATEST_US = _END_US - SECOND_US  # the last time that can be said
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(?:\.[0-9]{1,40})?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_WITHOUT_OFFSET = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?")


def parse_instant(text: str) -> int:
    """Microseconds since 1970 UTC of an RFC 3339 time; digits past the microsecond are cut.

    Refused without an offset, for a leap second, for a date that does not exist, and outside the years 1970 to 2199.
    """
    minute_us, second_us = _minutes.get(text[:17]), _SECONDS_US.get(text[17:19])
    if minute_us is not None and second_us is not None:  # The same minutes come again and again, mostly written as we write them.
        rest = text[19:]
        if rest == "Z":
            return minute_us + second_us
        if len(rest) == 8 and rest[0] == "." and rest[7] == "Z" and (digits := rest[1:7]).isdecimal() and digits.isascii():
            return minute_us + second_us + int(digits)
    instant_us = _parsed(text)
    if text[-1] == "Z":
        if len(_minutes) >= MINUTES_KEPT:
            _minutes.clear()
        _minutes[text[:17]] = instant_us - instant_us % MINUTE_US
    return instant_us


def _parsed(text: str) -> int:
    if not _INSTANT.fullmatch(text):
        raise Refused(_why_not(text))
    try:
        since = datetime.fromisoformat(text.upper()) - _EPOCH
    except ValueError:
        raise Refused(f'is "{text}"; no such day exists: check year, month and day.') from None
    instant_us = (since.days * 86_400 + since.seconds) * SECOND_US + since.microseconds
    if not 0 <= instant_us < _END_US:
        raise Refused(f'is "{text}"; a time from 1970 to 2199 was expected: for "without end", leave it out.')
    return instant_us


@lru_cache(maxsize=1 << 12)  # the same few moments are written again and again
def format_instant(instant_us: int) -> str:
    """The RFC 3339 form in UTC, such as ``2026-03-08T00:00:00Z``; a fraction is written only where there is one."""
    if not 0 <= instant_us < _END_US:
        raise Refused(f"time is {instant_us} microseconds since 1970; a time from 1970 to 2199 was expected.")
    return (_EPOCH + timedelta(microseconds=instant_us)).isoformat().removesuffix("+00:00") + "Z"


def _why_not(text: str) -> str:
    """What is wrong with a text that is not an RFC 3339 time with offset, and what to send."""
    if _WITHOUT_OFFSET.fullmatch(text):
        return f"is {shown(text)} without an offset; a time and its offset were expected: write 2026-03-08T00:00:00Z or +01:00 at the end."
    if text[17:19] == "60":
        return f"is {shown(text)}; leap seconds are not taken: send the second before or after."
    return f"is {shown(text)}; an RFC 3339 time was expected: write it like 2026-03-08T00:00:00Z or 2026-03-08T01:00:00+01:00."
