"""Strict reading of JSON with exact numbers, and one canonical form of what was read.

A number that is whole is an int however it is written (20, 20.0, 2e1); any other is a Decimal. So equal content is equal bytes.
"""

import json
import math
from decimal import Context, Decimal, InvalidOperation

import orjson

from coordinator.errors import Refused
from coordinator.units import Quantity
from coordinator.wording import shown

__all__ = ["canonical_json", "exact_numbers", "plain_number", "read_json", "read_plain", "write_json"]

LARGEST_LINE = 1 << 20  # bytes

_LONGEST_NUMBER = 400  # characters of one number
_EXACT = Context(prec=_LONGEST_NUMBER)
_LEAST_PLAIN, _MOST_PLAIN = 1e-4, 1e15  # between them no writer of shortest numbers uses exponents
_BLANKS = b" \t\r\n"
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS
_CANONICAL = _OPTIONS | orjson.OPT_SORT_KEYS


def read_json(line: bytes | str) -> object:
    """The value of one JSON text.

    Refused: more than 1 MiB, not UTF-8, not JSON, a key that stands twice in one object, NaN and infinities, and numbers that others
    cannot hold (beyond 1e±308 or longer than 400 characters).
    """
    if len(line) > LARGEST_LINE:
        raise Refused(f"The line has {len(line)} bytes; at most {LARGEST_LINE} are taken: send smaller events.")
    try:
        text = line if isinstance(line, str) else line.decode()
    except UnicodeDecodeError as error:
        raise Refused(f"The line is not UTF-8 from byte {error.start} on; send JSON as UTF-8.") from None
    try:
        return _DECODER.decode(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise Refused(_why_not_json(text, error)) from None
    except RecursionError:
        raise Refused(_TOO_DEEP) from None


def read_plain(line: bytes | str) -> object:
    """What `read_json` gives, but fractions are floats: for a text as programs write it. ValueError for any other, and it says nothing.

    A text that comes out again as it went in, but for blanks, has no key twice, and each fraction is the shortest that tells its double.
    """
    text = line.encode() if isinstance(line, str) else line
    if len(text) > LARGEST_LINE:
        raise ValueError
    value = orjson.loads(text)
    try:
        written = orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER)
    except TypeError:
        raise ValueError from None
    if written != text and written.translate(None, _BLANKS) != text.translate(None, _BLANKS):
        raise ValueError
    return value


def plain_number(value: float) -> Decimal:
    """The exact number that stands in the text of which `read_plain` made a float; ValueError where canonical JSON writes it otherwise."""
    if value.is_integer() or not _LEAST_PLAIN <= abs(value) < _MOST_PLAIN:
        raise ValueError
    return Decimal(orjson.dumps(value).decode())


def canonical_json(value: object) -> bytes:
    """The bytes that are equal exactly when two values of `read_json` are: keys sorted, numbers in their shortest exact form."""
    try:
        return orjson.dumps(value, _fragment, _CANONICAL)
    except TypeError as error:
        raise _unwritable(error) from None


def write_json(value: object) -> bytes:
    """One line of JSON, keys in the order given, Decimals and quantities exact. Takes what `exact_numbers` returns."""
    try:
        return orjson.dumps(value, _fragment, _OPTIONS)
    except TypeError as error:
        raise _unwritable(error) from None


def exact_numbers(value: object) -> object:
    """The same value as `read_json` would give it after being written: floats become ints or Decimals. NaN and infinities are refused."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Refused(f"{value} is no JSON number; a finite number was expected: leave the field out, or say how much.")
        return _number(repr(value))
    if isinstance(value, Decimal) or (isinstance(value, int) and value.bit_length() > 63):  # the writer takes no longer int
        return _number(str(value))
    if isinstance(value, dict):
        return {key: exact_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [exact_numbers(item) for item in value]
    if isinstance(value, Quantity):
        return exact_numbers(value.to_json())
    return value


_TOO_DEEP = "The event nests too deep; at most 250 levels are taken: send a flatter event."


def _unwritable(error: TypeError) -> Refused:
    # orjson tells these three apart only in its message.
    if "surrogates" in str(error):
        return Refused("The event holds half a surrogate pair, which no UTF-8 text can; write the character itself.")
    if "Recursion" in str(error) or "recursion" in str(error):
        return Refused(_TOO_DEEP)
    return Refused(f"The event cannot be written as JSON ({error}); give texts, numbers, lists and objects.")


def _fragment(value: object) -> object:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value.normalize(_EXACT)).replace("E+", "e").replace("E", "e"))
    if isinstance(value, Quantity):
        return value.to_json()
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Refused(f"The key {shown(twice)} stands twice in one object; readers would disagree which one counts: send it once.")
    return members


def _whole(text: str) -> int | Decimal:
    return int(text) if len(text) < 19 else _number(text)


def _number(text: str) -> int | Decimal:
    if len(text) > _LONGEST_NUMBER:
        raise Refused(f"A number has {len(text)} characters; at most {_LONGEST_NUMBER} are taken: round it.")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise Refused(f"{text[:40]} is beyond any number that others can hold; send a finite number.") from None
    if not number:
        return 0
    if not -324 <= number.adjusted() <= 308:
        raise Refused(f"{text[:40]} is not a finite number to most readers; send one between 1e-308 and 1e308.")
    whole = int(number)
    # Integers past 64 bits stay Decimals, which the writer can spell out.
    return whole if whole == number and -(2**63) <= whole < 2**63 else number


def _constant(text: str) -> object:
    raise Refused(f"{text} is no JSON number; a finite number was expected: leave the field out, or say how much.")


def _why_not_json(text: str, error: json.JSONDecodeError) -> str:
    if not text.strip():
        return "The line is empty; one JSON object was expected: send one event a line."
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return f"The line ends in the middle of the JSON, after {len(text)} characters; send the whole event on one line."
    if error.msg.startswith("Extra data"):
        return f"The line goes on after the JSON object ends, at character {error.pos + 1}; send one event a line."
    return (
        f"The line is not JSON at character {error.pos + 1}, before {shown(text[error.pos : error.pos + 12])}; send one JSON object a line."
    )


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_number, parse_int=_whole, parse_constant=_constant)
