"""How values, names, amounts and counts are shown in sentences."""

import json
import unicodedata
from collections.abc import Iterable
from decimal import Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coordinator.units import Quantity

__all__ = ["amount", "asked_for", "counted", "near", "number", "shown", "visible"]

_LONGEST = 60  # characters of what came; enough to find it again in a file
_LONGEST_NAME = 128  # characters; nothing here has a longer name


_LENGTHS = (("year", 31_557_600), ("day", 86_400), ("hour", 3_600), ("minute", 60))  # in seconds; a year of 365.25 days


def shown(value: object) -> str:
    """A value as JSON says it, cut to a readable length, with every character that could hide or reorder text written as an escape."""
    if isinstance(value, Decimal):
        text = str(value).replace("E+", "e").replace("E", "e")
    elif isinstance(value, int) and not isinstance(value, bool):
        text = str(value) if abs(value) < 10**_LONGEST else "a number of more than 60 digits"
    elif isinstance(value, str):
        text = json.dumps(value[: _LONGEST + 1], ensure_ascii=False)
    elif isinstance(value, dict):
        text = "{…}" if value else "{}"
    elif isinstance(value, list):
        text = "[…]" if value else "[]"
    else:
        text = json.dumps(value, default=repr)
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "…"
    return visible(text)


def visible(text: str) -> str:
    """The text with every character written as an escape that could hide or reorder it, or move a terminal.

    Spaces stay, whatever their width: a French “1 000” has a narrow one that does not break.
    """
    return "".join(c if c.isprintable() or unicodedata.category(c) == "Zs" else ascii(c)[1:-1] for c in text)


def asked_for(name: str) -> str:
    """A name that somebody asked for, in quotes; one that is longer than any name here is cut."""
    return f"'{visible(name if len(name) <= _LONGEST_NAME else f'{name[:_LONGEST]}…')}'"


def near(word: str, known: Iterable[str], at_most: int = 3) -> str:
    """The known words that look like `word`, joined with "or"; "" when none does."""
    return " or ".join(get_close_matches(word[:_LONGEST], list(known), n=at_most))


def amount(quantity: "Quantity") -> str:
    """A quantity for people: its number, pieces without their unit."""
    told = quantity.to_json()
    text = number(told["value"])
    return text if quantity.unit == "1" else f"{text} {quantity.unit}"


def number(value: object) -> str:
    """A number for people: thousands apart, to six digits where it is no whole number."""
    return f"{value:,.6g}" if isinstance(value, float) and value < 10**6 else f"{value:,}"


def duration(seconds: int) -> str:
    """How long that is, in the longest unit of which there are two at least, to a tenth of it."""
    of, length = next(((of, length) for of, length in _LENGTHS if seconds >= 2 * length), ("second", 1))
    count = round(seconds / length, 1)
    return counted(int(count), of) if count.is_integer() else f"{count:,} {of}s"


def counted(count: int, of: str) -> str:
    """A count with its word, in the plural where there are none or several."""
    return f"{count:,} {of}" if count == 1 else f"{count:,} {of}s"
