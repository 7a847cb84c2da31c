"""The kinds of field that signals are made of: how each is read from JSON, exactly and without coercion, and its JSON Schema.

A validator's complaint goes on directly after the field's path: " is 9; a whole number from 0 to 3 was expected …" after "data.tier".
"""

import re
import sys
import unicodedata
from collections.abc import Callable
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, PlainValidator, ValidationInfo, WithJsonSchema

from coordinator.errors import Refused
from coordinator.times import parse_instant
from coordinator.units import LARGEST_VALUE, UNITS, Quantity, to_grains, unit_of
from coordinator.wording import shown

__all__ = [
    "AgentName",
    "Amount",
    "Distance",
    "EchoedAmount",
    "EchoedHours",
    "Grains",
    "Hours",
    "Instant",
    "Latitude",
    "Lead",
    "Limits",
    "Longitude",
    "Many",
    "MassPerUnit",
    "Minimum",
    "Name",
    "Note",
    "Number",
    "Power",
    "Radius",
    "Runs",
    "Share",
    "Text",
    "Tier",
    "UnitCode",
    "read_agent_name",
    "read_name",
]

LONGEST_NAME = 128
LONGEST_TEXT = 256
LONGEST_NOTE = 2_000
LONGEST_LIST = 100
FARTHEST_KM = 1_000_000
LONGEST_LEAD_H = 100_000  # eleven years
MOST_KW = 1_000_000
HOUR_US = 3_600_000_000

# Control characters, line separators, and those that reorder or hide what a person reads. Joiners stay: Persian and Hindi need them.
_HIDING = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_HIDING_IN_NOTES = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_NUMERAL = re.compile(r"-?[0-9]{1,60}(\.[0-9]{1,60})?([eE][+-]?[0-9]{1,3})?")  # JSON takes it as a number once its quotes are gone
_AGENT = re.compile(r"[A-Za-z0-9._-]{1,128}")


def _text(value: object, longest: int, hiding: re.Pattern[str]) -> str:
    """The text in Unicode's composed form, so that one word has one spelling."""
    if type(value) is not str:
        raise ValueError(f" is {shown(value)}; a text was expected: put it in quotes.")
    if not value.isascii():
        value = unicodedata.normalize("NFC", value[: 4 * longest])  # cut first: a million combining marks are slow to compose
    if len(value) > longest:
        raise ValueError(f" has {len(value)} characters; at most {longest} are taken: shorten it.")
    if not value.isprintable() and (found := hiding.search(value)):
        raise ValueError(f" is {shown(value)}; the hidden character U+{ord(found[0]):04X} is not taken: leave it out.")
    return value


def read_name(value: object) -> str:
    """A text that names something: 1 to 128 characters, composed (NFC), nothing hidden. ValueError says what is wrong after the path."""
    return sys.intern(read_once(value))  # the same few names stand in millions of signals


def read_once(value: object) -> str:
    """A name that hardly comes again, such as an event's id: as `read_name`, but not kept to be shared."""
    # Nearly all names are plain ASCII, and need no more than this line of checks.
    if type(value) is not str or not (value.isascii() and value.isprintable() and 0 < len(value) <= LONGEST_NAME and value[0] != " "):
        value = _text(value, LONGEST_NAME, _HIDING)
        if not value or value.isspace():
            raise ValueError(" is empty; a name of 1 to 128 characters was expected: say which one you mean.")
    return value


def read_agent_name(value: object) -> str:
    """The name of an agent or coordinator. ValueError says what is wrong after the path."""
    name = read_name(value)
    if not _AGENT.fullmatch(name):
        raise ValueError(f" is {shown(name)}; an agent's name has only letters, digits, dots, underscores and hyphens: write it so.")
    return name


def _number(value: object) -> int | Decimal:
    if isinstance(value, int | Decimal) and value is not True and value is not False:
        return value
    what_to_do = "send it without quotes" if isinstance(value, str) and _NUMERAL.fullmatch(value) else "send one, such as 12 or 12.5"
    raise ValueError(f" is {shown(value)}; a number was expected: {what_to_do}.")


def _between(value: object, low: int, high: int, what: str) -> int | Decimal:
    number = _number(value)
    if not low <= number <= high:
        raise ValueError(f" is {shown(number)}; {what} from {low} to {high} was expected: check it.")
    return number


def _whole(value: object, low: int, high: int) -> int:
    number = _between(value, low, high, "a whole number")
    if number != int(number):
        raise ValueError(f" is {shown(number)}; a whole number from {low} to {high} was expected: check it.")
    return int(number)


def _metres(value: object, rounding: str) -> int:
    kilometres = Decimal(_between(value, 0, FARTHEST_KM, "kilometres"))
    return int((kilometres * 1000).quantize(Decimal(1), rounding))


def _micrograms(value: object) -> int:
    kilograms = Decimal(_between(value, 0, LARGEST_VALUE, "kilograms per unit"))
    return int((kilograms * 10**9).quantize(Decimal(1), ROUND_HALF_EVEN))


def _lead(value: object) -> int:
    hours = Decimal(_between(value, 0, LONGEST_LEAD_H, "hours"))
    return int((hours * HOUR_US).quantize(Decimal(1), ROUND_HALF_EVEN))


def _share(value: object) -> int:
    """Millionths."""
    share = Decimal(_between(value, 0, 1, "a share above 0, up to 1 (all of it),"))
    millionths = int((share * 10**6).quantize(Decimal(1), ROUND_HALF_EVEN))
    if not millionths:
        raise ValueError(f" is {shown(value)}; a share above 0, up to 1 (all of it), was expected: leave the output out if none is good.")
    return millionths


def _power(value: object) -> int:
    """Milliwatts, or milliwatt-hours."""
    kilowatts = Decimal(_between(value, 0, MOST_KW, "a number"))
    return int((kilowatts * 10**6).quantize(Decimal(1), ROUND_HALF_EVEN))


def _instant(value: object) -> int:
    if type(value) is not str:
        raise ValueError(f" is {shown(value)}; an RFC 3339 time in quotes was expected: write it like 2026-03-08T00:00:00Z.")
    try:
        return parse_instant(value)
    except Refused as refused:
        raise ValueError(f" {refused}") from None


def _unit_code(value: object) -> str:
    if type(value) is not str:
        raise ValueError(f' is {shown(value)}; a UCUM code in quotes was expected: pieces are "1", hours "h".')
    try:
        return unit_of(value).code
    except Refused as refused:
        raise ValueError(str(refused).removeprefix("unit")) from None


def _grains(value: object, code: str, *, as_written: bool = False) -> int:
    try:
        return to_grains(_number(value), unit_of(code), as_written=as_written)
    except Refused as refused:
        raise ValueError(str(refused).removeprefix("value")) from None


def _amount(value: object, info: ValidationInfo, *, as_written: bool = False) -> Quantity:
    if type(value) is not dict:
        raise ValueError(f' is {shown(value)}; an object was expected: write it like {{"value": 20, "unit": "1"}}.')
    for part in ("value", "unit"):
        if value.get(part) is None:
            raise ValueError(f'.{part} is missing; a quantity has both value and unit: write it like {{"value": 20, "unit": "1"}}.')
    if info.context and len(value) > 2:
        unknown = next(key for key in value if key not in ("value", "unit"))
        raise ValueError(f".{unknown} is not a field of a quantity; value and unit were expected: leave it out.")
    try:
        code = _unit_code(value["unit"])
    except ValueError as error:
        raise ValueError(f".unit{error}") from None
    try:
        return Quantity(_grains(value["value"], code, as_written=as_written), code)
    except ValueError as error:
        raise ValueError(f".value{error}") from None


def _echoed(value: object, info: ValidationInfo) -> Quantity:
    """An amount in the coordinator's own words: 20 min, promised in hours, are 0.3333333333333333 h, and that is answered and reported."""
    return _amount(value, info, as_written=True)


def _echoed_hours(value: object, info: ValidationInfo) -> Quantity:
    return _time(_amount(value, info, as_written=True))


def _hours(value: object, info: ValidationInfo) -> Quantity:
    return _time(_amount(value, info))


def _time(quantity: Quantity) -> Quantity:
    if quantity.dimension != "time":
        raise ValueError(f'.unit is "{quantity.unit}", of {quantity.dimension}; hours are a time: send h, min or another time unit.')
    return quantity


def _minimum(value: object, info: ValidationInfo) -> int:
    """Grains, in the unit of the quantity or effort that stands before it in the model; 0 says there is no minimum."""
    amount = info.data.get("quantity") or info.data.get("effort")
    if amount is None or _number(value) == 0:
        return 0
    return _grains(value, amount.unit)


def _pack(value: object, info: ValidationInfo) -> int | None:
    code = info.data.get("unit")
    return _grains(value, code) if code else None


def _items(value: object) -> tuple[object, ...]:
    if type(value) is not list:
        raise ValueError(f" is {shown(value)}; a list was expected: write it in [ ].")
    if len(value) > LONGEST_LIST:  # before any item is read, so that a long list costs nothing
        raise ValueError(f" has {len(value)} items; at most {LONGEST_LIST} are taken: split it or leave some out.")
    return tuple(value)


def _limits(value: object) -> dict[str, int | float | str]:
    if type(value) is not dict:
        raise ValueError(f' is {shown(value)}; an object of numbers and texts was expected: write it like {{"width_mm": 300}}.')
    if len(value) > LONGEST_LIST:
        raise ValueError(f" has {len(value)} entries; at most {LONGEST_LIST} are taken: leave some out.")
    limits: dict[str, int | float | str] = {}
    for key, limit in value.items():
        try:
            limits[read_name(key)] = _limit(limit)
        except ValueError as error:
            raise ValueError(f".{key[:LONGEST_NAME]}{error}") from None
    return limits


def _limit(value: object) -> int | float | str:
    if type(value) is str:
        return _text(value, LONGEST_TEXT, _HIDING)
    if type(value) in (int, Decimal):
        return _json_number(value)
    raise ValueError(f" is {shown(value)}; a number or a text was expected: send a number, or a text in quotes.")


def _json_number(value: object) -> int | float:
    number = _number(value)
    return number if isinstance(number, int) else float(number)


def _coordinate(limit: int, name: str) -> Callable[[object], float]:
    def read(value: object) -> float:
        return float(_between(value, -limit, limit, name)) + 0.0  # −0.0 and 0.0 are one place

    return read


def _schema(**schema: Any) -> WithJsonSchema:
    return WithJsonSchema(schema)


_CODES = sorted(UNITS)
_QUANTITY_SCHEMA = {
    "type": "object",
    "properties": {
        "value": {"type": "number", "exclusiveMinimum": 0, "maximum": LARGEST_VALUE},
        "unit": {"type": "string", "enum": _CODES, "description": "a UCUM code; pieces are 1"},
    },
    "required": ["value", "unit"],
}
_HOURS_SCHEMA = _QUANTITY_SCHEMA | {
    "properties": {
        "value": {"type": "number", "exclusiveMinimum": 0, "maximum": LARGEST_VALUE},
        "unit": {"type": "string", "enum": [code for code in _CODES if UNITS[code].dimension == "time"]},
    }
}

T = TypeVar("T")
Many = Annotated[tuple[T, ...], Field(max_length=LONGEST_LIST), BeforeValidator(_items)]
Name = Annotated[str, PlainValidator(read_name), _schema(type="string", minLength=1, maxLength=LONGEST_NAME)]
AgentName = Annotated[str, PlainValidator(read_agent_name), _schema(type="string", pattern=r"^[A-Za-z0-9._-]{1,128}$")]
Text = Annotated[str, PlainValidator(lambda value: _text(value, LONGEST_TEXT, _HIDING)), _schema(type="string", maxLength=LONGEST_TEXT)]
Note = Annotated[
    str, PlainValidator(lambda value: _text(value, LONGEST_NOTE, _HIDING_IN_NOTES)), _schema(type="string", maxLength=LONGEST_NOTE)
]
UnitCode = Annotated[str, PlainValidator(_unit_code), _schema(type="string", enum=_CODES)]
Amount = Annotated[Quantity, PlainValidator(_amount), WithJsonSchema(_QUANTITY_SCHEMA)]
EchoedAmount = Annotated[Quantity, PlainValidator(_echoed), WithJsonSchema(_QUANTITY_SCHEMA)]
EchoedHours = Annotated[Quantity, PlainValidator(_echoed_hours), WithJsonSchema(_HOURS_SCHEMA)]
Hours = Annotated[Quantity, PlainValidator(_hours), WithJsonSchema(_HOURS_SCHEMA)]
Minimum = Annotated[int, PlainValidator(_minimum), _schema(type="number", minimum=0, maximum=LARGEST_VALUE)]
Grains = Annotated[int, PlainValidator(_pack), _schema(type="number", exclusiveMinimum=0, maximum=LARGEST_VALUE)]
Instant = Annotated[int, PlainValidator(_instant), _schema(type="string", format="date-time")]
Tier = Annotated[int, PlainValidator(lambda value: _whole(value, 0, 3)), _schema(type="integer", minimum=0, maximum=3)]
Runs = Annotated[
    int, PlainValidator(lambda value: _whole(value, 1, LARGEST_VALUE)), _schema(type="integer", minimum=1, maximum=LARGEST_VALUE)
]
Radius = Annotated[int, PlainValidator(lambda value: _metres(value, ROUND_FLOOR)), _schema(type="number", minimum=0, maximum=FARTHEST_KM)]
Distance = Annotated[
    int, PlainValidator(lambda value: _metres(value, ROUND_HALF_EVEN)), _schema(type="number", minimum=0, maximum=FARTHEST_KM)
]
MassPerUnit = Annotated[int, PlainValidator(_micrograms), _schema(type="number", minimum=0, maximum=LARGEST_VALUE)]
Lead = Annotated[int, PlainValidator(_lead), _schema(type="number", minimum=0, maximum=LONGEST_LEAD_H)]
Share = Annotated[int, PlainValidator(_share), _schema(type="number", exclusiveMinimum=0, maximum=1)]
Power = Annotated[int, PlainValidator(_power), _schema(type="number", minimum=0, maximum=MOST_KW)]
Latitude = Annotated[float, PlainValidator(_coordinate(90, "a latitude")), _schema(type="number", minimum=-90, maximum=90)]
Longitude = Annotated[float, PlainValidator(_coordinate(180, "a longitude")), _schema(type="number", minimum=-180, maximum=180)]
Number = Annotated[int | float, PlainValidator(_json_number), _schema(type="number")]
Limits = Annotated[
    dict[str, int | float | str],
    PlainValidator(_limits),
    _schema(type="object", additionalProperties={"type": ["number", "string"]}, maxProperties=LONGEST_LIST),
]
