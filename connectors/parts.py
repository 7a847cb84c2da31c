"""Bills of materials (CSV, tab-separated too) to a draft of a recipe, one more for each assembly named; dirty rows are refused by line."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connectors.drafts import Draft, Taken, name_of, say_drafts
from connectors.reading import Report, amount_of, excerpt, text_of
from coordinator.errors import Refused
from coordinator.times import format_instant

__all__ = ["Parts", "read_parts"]

# Our word for a column -> headings that others use for it, compared without case.
HEADINGS = {
    "name": ("name", "component", "part", "item", "description"),
    "quantity": ("quantity", "unit qty", "qty", "count", "amount"),
    "unit": ("unit", "units", "uom"),
    "parent": ("parent-asm", "parent", "assembly"),
    "reference": ("ref", "reference designator", "designator"),
}
PIECES = frozenset({"", "1", "pcs", "pc", "pieces", "piece", "ea", "each"})
TOTALS = re.compile(r"\s*(grand |sub)?total\b", re.IGNORECASE)
LEFT_OPEN = "part of a refused row: the draft names it, and leaves its quantity open"
COUNT_INSIDE = re.compile(r"\((x\s*\d+|\d+\s*x)\)|\bpacks? of \d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parts:
    """How a bill of materials reads; `product` is what is made of it and `agent` who would publish it, unless the command says."""

    about: str
    product: str = "product"
    agent: str = "designs"
    decimal: str = ""  # the decimal mark of its quantities, “.” or “,”; without one, what could be either is refused


Row = tuple[int, str, dict[str, str]]


def read_parts(text: str, parts: Parts, *, said_us: int, agent: str = "", product: str = "") -> Report:
    """Return the draft of what is made of these parts, and of each assembly among them. Refused when no column names the parts."""
    report = Report()
    report.notes["said at"] = format_instant(said_us)
    whole = name_of(product or parts.product, "the product")
    assemblies: dict[str, Draft] = {"": Draft(whole, processes=["assembly"])}
    columns, rows = _table(text, report)
    read = 0
    for row, raw, cells in rows:
        try:
            said = _part_said(cells)
            name = name_of(said, "the name")
            parent = text_of(cells.get("parent", ""), "the assembly")
            into = name_of(parent, "the assembly") if parent else ""
            if into == name:
                raise Refused(f"{name} is a part of itself: name another assembly")
        except Refused as refused:
            report.refuse(row, str(refused), raw)
            continue
        try:
            taken = Taken(name, _pieces(said, cells, columns, report, parts.decimal))
            read += 1
        except Refused as refused:  # The part goes in all the same: the draft names it as one whose quantity nobody knows.
            report.refuse(row, str(refused), raw)
            report.warnings[LEFT_OPEN] += 1
            taken = Taken(name)
        assemblies.setdefault(into, Draft(into, processes=["assembly"])).inputs.append(taken)
    for name in sorted(assemblies.keys() - {""}):
        if all(name != taken.name for draft in assemblies.values() for taken in draft.inputs):
            assemblies[""].inputs.append(Taken(name))
            report.warnings["assembly that no row counts: it goes into the whole, nobody said how often"] += 1
    if not read:
        raise Refused("no row of it could be taken as a part" + _first_of(report) + ": is this a bill of materials?")
    say_drafts([draft for draft in assemblies.values() if draft.inputs], report, agent or parts.agent, said_us)
    return report


def _table(text: str, report: Report) -> tuple[frozenset[str], Iterator[Row]]:
    """Return our words for the columns there are, and the rows."""
    lines = text.splitlines(keepends=True)
    first = lines[0] if lines else ""
    mark = max((",", "\t", ";"), key=first.count)
    headings = [heading.strip() for heading in next(csv.reader([first], delimiter=mark), [])]
    words: list[str | None] = [None] * len(headings)
    for word, known in HEADINGS.items():
        for name in known:
            at = next((index for index, heading in enumerate(headings) if heading.casefold() == name and words[index] is None), None)
            if at is not None:
                words[at] = word
                break
    if "name" not in words:
        raise Refused(f"the header has no column for the parts ({', '.join(HEADINGS['name'])}); it reads: {excerpt(first.strip())}")
    report.notes["delimiter"] = {",": "comma", "\t": "tab", ";": "semicolon"}[mark]
    unused = [excerpt(heading) for heading, word in zip(headings, words, strict=True) if heading and not word]
    report.notes["columns not used"] = ", ".join(unused) or "none"
    return frozenset(word for word in words if word), _rows(lines, mark, words, report)


def _rows(lines: Sequence[str], mark: str, words: Sequence[str | None], report: Report) -> Iterator[Row]:
    reader = csv.reader(io.StringIO("".join(lines), newline=""), delimiter=mark)
    next(reader, None)
    begins = reader.line_num + 1
    for cells in _cells(reader):
        raw = mark.join(cells)
        if not any(cell.strip() for cell in cells):
            report.warnings["blank line"] += 1
        elif len(cells) != len(words):
            report.refuse(begins, f"the row has {len(cells)} cells, the header {len(words)}: quote texts that hold the delimiter", raw)
        elif sum(bool(cell.strip()) for cell in cells) == 1 and "quantity" in words and words[0] == "name" and cells[0].strip():
            report.warnings[f"title among the rows: {excerpt(cells[0].strip())}"] += 1
        else:
            yield begins, raw, {word: cell for word, cell in zip(words, cells, strict=True) if word}
        begins = reader.line_num + 1


def _cells(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from rows
    except csv.Error as error:  # A quote that is never closed makes one cell of all that follows.
        raise Refused(f"a row cannot be read ({error}): close its quotes") from None


def _first_of(report: Report) -> str:
    return f" (the first refused is row {report.refused[0].row}: {report.refused[0].reason})" if report.refused else ""


def _part_said(cells: dict[str, str]) -> str:
    """Return what a row calls its part. Refused where it names none."""
    said = text_of(cells.get("name", ""), "the name")
    if not said or TOTALS.match(said):
        raise Refused("the row names no part" if not said else "this is a sum among the parts: take it out")
    if said.count("(") != said.count(")"):
        raise Refused("the name has a bracket without its other half: it reads like a piece of a sentence, not like a part")
    return said


def _pieces(said: str, cells: dict[str, str], columns: frozenset[str], report: Report, decimal: str) -> int | None:
    """Return how many pieces of the part go in, None where the table has no word of it. Refused where it is not said plainly."""
    if "quantity" not in columns:
        if "reference" in columns and cells.get("reference", "").strip():
            return 1  # each row is one place on a board
        if COUNT_INSIDE.search(said):
            report.warnings["a count stands inside a name: it is not read, and the draft leaves the quantity open"] += 1
        return None
    counted = cells.get("quantity", "").strip()
    if not counted:
        raise Refused("the row has no quantity: say how many go in")
    unit = cells.get("unit", "").strip().casefold()
    if unit not in PIECES:
        raise Refused(f"the unit is {excerpt(unit)}, where pieces (pcs) were expected: a bill of materials in other units is not read")
    value = amount_of(counted, "the quantity", decimal)
    if value <= 0 or value != int(value):
        raise Refused(f"the quantity is {counted}, where a whole number of pieces was expected: correct it")
    return int(value)
