"""What every reader shares: the report, and how bytes, texts, numbers and names are taken or refused.

Nothing here opens a file. A reader is a pure function of text; what it cannot take stands in its report, row by row.
"""

import codecs
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from decimal import Decimal

from coordinator.errors import Refused
from coordinator.signals import event_json, parse_event
from coordinator.wording import visible

__all__ = [
    "DECIMAL_MARKS",
    "RefusedRow",
    "Report",
    "agent_names",
    "amount_of",
    "decode",
    "excerpt",
    "number_of",
    "place_of",
    "say",
    "slug",
    "text_of",
]

EXCERPT_CHARACTERS = 160
NAME_CHARACTERS = 90  # of the 128 an agent name may have; the rest is for a prefix and an id
UNREADABLE = frozenset({"Cc", "Cs", "Co", "Cn"})  # control characters, lone surrogates, private and unassigned ones
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
PROPOSED_ENCODINGS = ("cp1252", "cp850", "mac-roman")  # what spreadsheets of Western Europe and the Americas still write
# Letters that keep no base letter when their marks are taken off.
SPELLED_OUT = str.maketrans({"æ": "ae", "ø": "o", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
DECIMAL_MARKS = {".": ",", ",": "."}  # each with the other one, which then only parts thousands
SWAPPED = str.maketrans(".,", ",.")
# Parted by the other mark, or by blanks: plain, unbreakable, thin, or thin and unbreakable ones.
IN_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}((,\d{3})+|([ \u00a0\u2009\u202f]\d{3})+)(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
LEAST_POWER, LARGEST_POWER = -20, 17  # of ten: whole numbers up to there fit in the 64 bits that events are written with


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that was not taken: where it stands in the file, why, and what it looks like."""

    row: int
    reason: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that came of one file: event lines, refused rows, warnings counted by kind, and how the file was read."""

    taken: list[bytes] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)
    notes: dict[str, str] = field(default_factory=dict)

    def refuse(self, row: int, reason: str, raw: object) -> None:
        """Keep the row as refused. Whatever the row smuggled into the reason is made visible."""
        self.refused.append(RefusedRow(row, visible(reason), excerpt(raw)))


def say(kind: str, agent: str, subject: str, time_us: int, data: dict[str, object] | None) -> bytes:
    """Return one event line. Refused unless the coordinator itself would take it, every field known."""
    line = event_json(kind, f"agent:{agent}", subject, time_us, data)
    parse_event(line, strict_fields=True)
    return line


def decode(content: bytes, encoding: str | None = None) -> tuple[str, str]:
    """Return the text and the encoding it was read in: the one named, else UTF-8 with or without its mark.

    Refused when the bytes are something else; the message proposes an encoding, and never is one taken by guess.
    """
    unmarked = content.removeprefix(codecs.BOM_UTF8)
    if encoding is not None and encoding.lower().replace("_", "-") not in {"utf-8", "utf8", "utf-8-sig"}:
        try:
            return content.decode(encoding), encoding
        except LookupError:
            raise Refused(f"{encoding!r} is not an encoding of text; known ones are utf-8, cp850, cp1252, …") from None
        except UnicodeError as error:
            raise Refused(f"the file does not read as {encoding}: {error}; name the one it was written in by --encoding") from None
    try:
        return unmarked.decode(), "utf-8" if len(unmarked) == len(content) else "utf-8-sig"
    except UnicodeDecodeError as error:
        raise Refused(_not_utf8(unmarked, error.start)) from None


def _not_utf8(content: bytes, at: int) -> str:
    """Return where the bytes stop being UTF-8, and the encoding in which they read best, with a sample."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "the file begins with the mark of UTF-16, where UTF-8 was expected: save it as UTF-8, or say --encoding utf-16"
    line = content.count(b"\n", 0, at) + 1
    where = f"byte 0x{content[at]:02x} in line {line} is not UTF-8, which was expected"
    readings: dict[str, str] = {}
    for encoding in PROPOSED_ENCODINGS:
        try:
            readings[encoding] = content.decode(encoding)
        except UnicodeDecodeError:
            continue  # An encoding with no character for one of the bytes is not the one.
    best = max(readings, key=lambda encoding: _likeness(readings[encoding]), default=None)
    if best is None:
        return f"{where}: save the file as UTF-8, or name what it is written in by --encoding"
    sample = re.search(r"[^\x00-\x7f]", readings[best])
    around = sample.start() if sample else 0
    text = excerpt(readings[best][max(0, around - 20) : around + 20].replace("\n", " "))
    return f"{where}. As {best} it would read “{text}”: if that is right, say --encoding {best}; else save the file as UTF-8"


def _likeness(text: str) -> int:
    """Return how much a decoded text looks like words: small letters beyond ASCII count for it beside small letters, all else against."""
    score = 0
    for found in re.finditer(r"(?<=[a-z])[^\x00-\x7f]|[^\x00-\x7f](?=[a-z])", text):
        score += 1 if found.group().islower() else -1
    return score


def excerpt(raw: object) -> str:
    """Return a short, harmless picture of what came."""
    text = raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False, default=str)
    return visible(text[:EXCERPT_CHARACTERS]) + ("…" if len(text) > EXCERPT_CHARACTERS else "")


def text_of(cell: str, where: str) -> str:
    """Return the text, its spaces tidied. Refused when it holds what a reader cannot see or a spreadsheet would run."""
    text = unicodedata.normalize("NFC", re.sub(r"[ \t\r\n\u00a0]+", " ", cell).strip())
    for letter in text:
        if letter in BIDI or unicodedata.category(letter) in UNREADABLE:
            raise Refused(f"{where} holds the character U+{ord(letter):04X}, which cannot be seen: take it out")
    if text.startswith("=") or (text.startswith(("+", "-", "@")) and re.search(r"[(|!]", text)):
        raise Refused(f"{where} begins like a formula ({excerpt(text)}), which a spreadsheet would run: write it as plain text")
    return text


def number_of(cell: str, where: str) -> int | float:
    """Return the number, an int where it is whole. Refused when it is not one plain decimal number."""
    text = cell.strip()
    if not NUMBER.fullmatch(text):
        hint = "; write a decimal point and no thousands separators" if "," in text else ""
        raise Refused(f"{where} is '{excerpt(cell)}', where a number such as 12 or 12.5 was expected{hint}")
    return _measured(text, cell, where)


def _measured(plain: str, cell: str, where: str) -> int | float:
    """Return the number that is written plainly. Refused, with the cell it came from, when it is beyond all measure."""
    number = Decimal(plain)
    if number and not LEAST_POWER <= number.adjusted() <= LARGEST_POWER:
        raise Refused(f"{where} is {excerpt(cell)}, beyond anything that is counted or measured: correct it")
    return int(number) if number == number.to_integral_value() else float(number)


def amount_of(cell: str, where: str, decimal: str = "") -> int | float:
    """Return the number in a cell of a table, whose decimal mark is `decimal`, "" where nobody said which; then nothing is guessed.

    With the mark said, the other one or a space may part thousands. Refused when the cell is no such number, or could be either of two.
    """
    text = cell.strip()
    if decimal:
        if not (plain := _plain(text, decimal)):
            expected = f"a number such as 12 or 12{decimal}5 was expected, with “{decimal}” as the decimal mark"
            raise Refused(f"{where} is '{excerpt(cell)}', where {expected}")
        return _measured(plain, cell, where)
    readings = {mark: _measured(plain, cell, where) for mark in DECIMAL_MARKS if (plain := _plain(text, mark))}
    if len(set(readings.values())) > 1:  # a fraction to some, thousands to others
        mark = "." if "." in text else ","
        other = DECIMAL_MARKS[mark]
        either = f"{readings[mark]} where “{mark}” is the decimal mark and {readings[other]} where “{other}” is"
        raise Refused(f"{where} is '{excerpt(cell)}': {either}; say which by --decimal . or --decimal ,")
    if readings and not NUMBER.fullmatch(text):
        asked = "name the decimal mark of the table by --decimal . or --decimal ,"
        if len(text.split()) > 1:
            asked = f"write it without spaces, or {asked}"
        raise Refused(f"{where} is '{excerpt(cell)}', where a number such as 12 or 12.5 was expected; {asked}")
    return number_of(cell, where)


def _plain(text: str, decimal: str) -> str:
    """Return the number as programs write it, "" where the text is none with that decimal mark."""
    if decimal == ",":
        text = text.translate(SWAPPED)
    if IN_THOUSANDS.fullmatch(text):
        text = re.sub(r"[,\s]", "", text)
    return text if NUMBER.fullmatch(text) else ""


def place_of(lat: str | float, long: str | float, label: str = "") -> dict[str, object]:
    """Return a place as signals write it. Refused when a coordinate is no number or beyond the globe."""
    place: dict[str, object] = {}
    for key, value, most in (("lat", lat, 90), ("long", long, 180)):
        degrees = number_of(value, key) if isinstance(value, str) else value
        if not -most <= degrees <= most:
            swapped = " (are lat and long swapped?)" if key == "lat" and -180 <= degrees <= 180 else ""
            raise Refused(f"{key} is {degrees}, where −{most} to {most} was expected{swapped}")
        place[key] = degrees
    if label:
        place["label"] = label
    return place


def slug(text: str) -> str:
    """Return the text as part of an agent name: lower case, letters without their marks, every run of all else one “-”.

    "" when nothing is left, as of a name written in Greek.
    """
    spelled = text.casefold().translate(SPELLED_OUT)
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(letter))
    return re.sub(r"[^a-z0-9]+", "-", plain)[:NAME_CHARACTERS].strip("-")


def agent_names(called: Sequence[tuple[str, str]], *, noun: str, taken: Set[str] = frozenset()) -> list[str | None]:
    """Return an agent name for each (name, id): the slug of the name; with “-” and the slug of the id where several share it.

    Order does not matter: all who share a slug get their id, the first one too. A name without a letter or digit to keep
    counts as `noun`. None where even the id does not tell two apart: they are never merged.
    """
    bases = [slug(name) or noun for name, _ in called]
    shared = Counter(bases)
    names: list[str | None] = []
    for base, (name, own_id) in zip(bases, called, strict=True):
        alone = shared[base] == 1 and base not in taken and slug(name)
        names.append(base if alone else f"{base}-{slug(own_id)}" if slug(own_id) else None)
    return _without_doubles(names, taken)


def _without_doubles(names: Sequence[str | None], taken: Iterable[str]) -> list[str | None]:
    """Return the names with None for each that stands twice or is taken."""
    counts = Counter(names)
    counts.update(taken)
    return [name if counts[name] == 1 else None for name in names]
