"""Tables (CSV) to signals: a small mapping says which column is what; each row becomes one signal or is refused with its line."""

import csv
import difflib
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from connectors.reading import Report, agent_names, amount_of, excerpt, place_of, say, slug, text_of
from coordinator.errors import Refused
from coordinator.times import format_instant, parse_instant

__all__ = ["Table", "read_table"]

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
WORDS = frozenset(
    {"agent", "name", "id", "lat", "long", "label", "classified_as", "resource", "quantity", "unit", "time"}
    | {"begin", "end", "due", "expires", "minimum", "tier", "within_km"}
)
Row = tuple[int, str, dict[str, str]]  # the line it begins on, how it is written, and its cells by our word for the column


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """How one kind of table reads. `columns` maps our word for a thing to the heading it stands under.

    `agent` is a valid agent name as it is; without that column, agents are named by the slug of `name`, told apart by `id`.
    """

    about: str
    kind: Literal["agent", "offer", "need"]
    columns: Mapping[str, str]
    optional: frozenset[str] = frozenset()  # our words whose column may be missing
    unit: str = ""  # of every quantity, where no column says it
    always: Mapping[str, object] = field(default_factory=dict)  # data every signal carries, such as a basis
    classes: tuple[str, ...] = ()  # every agent of the table is classified as these
    decimal: str = ""  # the decimal mark of its amounts, “.” or “,”; without one, what could be either is refused
    separator: str = ";"  # between several classes in one cell
    noun: str = "agent"  # names an agent whose own name has nothing an agent name may hold

    def with_columns(self, changed: Mapping[str, str]) -> "Table":
        """Return the same mapping with other headings. Refused for a word it does not know."""
        unknown = sorted(set(changed) - WORDS)
        if unknown:
            raise Refused(f"{unknown[0]!r} is nothing a table can say; known are {', '.join(sorted(WORDS))}")
        return replace(self, columns={**self.columns, **changed}, optional=self.optional - set(changed))


def read_table(text: str, table: Table, *, said_us: int, prefix: str = "") -> Report:
    """Return the events of a table's text, what was refused, and warnings. Refused when the header does not fit the mapping.

    `said_us` is when rows without a time of their own were said; `prefix` goes before every agent name, so that two
    registries never speak for one agent by accident.
    """
    report = Report()
    lines = list(io.StringIO(text, newline=""))  # newline="": a line end within quotes stays as it is
    delimiter, columns, used = _header(lines, table, report)
    table = replace(table, columns={word: heading for word, heading in table.columns.items() if word in columns})
    if not table.columns.keys() & {"agent", "name"}:
        raise Refused("the header has neither a column “agent” nor “name”: who speaks?")
    if "time" not in table.columns:
        report.notes["said at"] = format_instant(said_us)
    rows = list(_rows(lines, used, delimiter, columns, report))
    if table.kind == "agent":
        _say_agents(rows, table, report, said_us, prefix)
    else:
        _say_goods(rows, table, report, said_us, prefix)
    report.refused.sort(key=lambda refused: refused.row)
    return report


def _header(lines: Sequence[str], table: Table, report: Report) -> tuple[str, list[str | None], int]:
    """Return the delimiter under which the header has most of the mapping's headings, our word for each column or None, and its lines."""
    words = {heading: word for word, heading in table.columns.items()}
    readings = {mark: _row_at(lines, 0, mark) for mark in DELIMITERS}
    headings = {mark: [cell.strip() for cell in cells] for mark, (cells, _) in readings.items() if not isinstance(cells, str)}
    delimiter = max(headings, key=lambda mark: (len(words.keys() & set(headings[mark])), len(headings[mark])), default=",")
    found = headings.get(delimiter, [])
    missing = [heading for heading, word in words.items() if heading not in found and word not in table.optional]
    if missing:
        near = difflib.get_close_matches(missing[0], found, n=1)
        hint = f" (is it “{excerpt(near[0])}”?)" if near else ""
        first = excerpt(lines[0].strip()) if lines else "nothing at all"
        raise Refused(f"the header has no column “{missing[0]}”{hint}; it reads: {first}")
    twice = [heading for heading, count in Counter(found).items() if count > 1 and heading in words]
    if twice:
        raise Refused(f"the header has the column “{twice[0]}” more than once: which of them is meant? Rename the others")
    report.notes["delimiter"] = DELIMITERS[delimiter]
    report.notes["columns not used"] = ", ".join(excerpt(heading) for heading in found if heading not in words) or "none"
    return delimiter, [words.get(heading) for heading in found], readings[delimiter][1]


def _row_at(lines: Sequence[str], at: int, delimiter: str) -> tuple[list[str] | str, int]:
    """Return the cells of the row that begins with line `at`, or why it is none, and how many lines were read for it."""
    reader = csv.reader((lines[index] for index in range(at, len(lines))), delimiter=delimiter, strict=True)
    try:
        return next(reader, []), reader.line_num
    except csv.Error as error:
        return f"the quotes do not pair up ({error}): close each, and double one that is part of a text", reader.line_num


def _rows(lines: Sequence[str], at: int, delimiter: str, columns: Sequence[str | None], report: Report) -> Iterator[Row]:
    """Yield each row from line index `at` on with the line it begins on. Blank lines are counted; what is no row is refused.

    After a row that is none, reading goes on with the very next line, so that one stray quote costs one row and not the rest.
    """
    while at < len(lines):
        begins = at + 1
        cells, used = _row_at(lines, at, delimiter)
        raw = "".join(lines[at : at + used]).rstrip("\r\n")
        if isinstance(cells, str):
            report.refuse(begins, cells, lines[at].rstrip("\r\n"))
            used = 1
        elif not any(cell.strip() for cell in cells):
            report.warnings["blank line"] += 1
        elif len(cells) != len(columns):
            report.refuse(begins, f"the row has {len(cells)} cells, the header {len(columns)}: quote texts that hold the delimiter", raw)
            used = 1
        else:
            yield begins, raw, {word: cell for word, cell in zip(columns, cells, strict=True) if word}
        at += used


def _say_agents(rows: Sequence[Row], table: Table, report: Report, said_us: int, prefix: str) -> None:
    """Add one agent event a row; an agent without coordinates is taken without a place, and counted."""
    if "agent" in table.columns:
        names: list[str | None] = [cells["agent"].strip() for _, _, cells in rows]
    else:
        called = [(cells["name"], cells.get("id", "")) for _, _, cells in rows]
        names = agent_names(called, noun=table.noun)
    first_row: dict[str, int] = {}
    for (row, raw, cells), name in zip(rows, names, strict=True):
        try:
            if name is None:
                raise Refused("another row has the same name, and no id tells the two apart: give each an id of its own")
            if name in first_row:
                raise Refused(f"the agent {excerpt(name)} stands already in line {first_row[name]}: keep one of the two rows")
            warnings, data = _agent(cells, table)
            report.taken.append(say("agent", prefix + name, "agent", _time_us(cells, said_us), data))
        except Refused as refused:
            report.refuse(row, str(refused), raw)
            continue
        first_row[name] = row
        if "agent" not in table.columns and slug(cells["name"]) not in {"", name}:
            warnings.append("name shared with another: agent name carries the id")
        report.warnings.update(warnings)


def _agent(cells: Mapping[str, str], table: Table) -> tuple[list[str], dict[str, object]]:
    """Return what is worth a warning about an agent's row, and the agent's data. Refused for a coordinate that is none."""
    warnings = []
    data: dict[str, object] = {}
    name = text_of(cells.get("name", ""), "the name")
    if name:
        data["name"] = name
    elif "name" in table.columns:
        raise Refused("the row has no name: an agent needs one")
    if "?" in name or "\ufffd" in name:
        warnings.append("name with “?” or “\ufffd”: a letter was probably lost before it came here")
    if name and not slug(name):
        warnings.append(f"name without a letter of a to z: the agent is called {table.noun} and its id")
    lat, long = (_degrees(cells.get(word, ""), word, table.decimal) for word in ("lat", "long"))
    label = text_of(cells.get("label", ""), "the label")
    if lat and long:
        data["place"] = place_of(lat, long, label)
        if float(lat) == 0 == float(long):
            warnings.append("place at 0° north 0° east: probably not known")
    elif lat or long:
        warnings.append("only one of two coordinates: taken without a place")
    else:
        warnings.append("no coordinates: taken without a place")
    classes = [text_of(part, "a class") for part in cells.get("classified_as", "").split(table.separator)]
    if found := [*table.classes, *(part for part in classes if part)]:
        data["classified_as"] = list(dict.fromkeys(found))
    return warnings, data


def _degrees(cell: str, where: str, decimal: str) -> str:
    """Return a coordinate with a point for the table's decimal comma. No coordinate has thousands, so “48.118” is none of those either."""
    if "," in cell and not decimal:
        asked = "name the decimal mark of the table by --decimal ,"
        raise Refused(f"{where} is '{excerpt(cell)}', where a number such as 48.1 was expected; {asked}")
    return cell.strip().replace(",", ".") if decimal == "," else cell.strip()


def _say_goods(rows: Sequence[Row], table: Table, report: Report, said_us: int, prefix: str) -> None:
    """Add one offer or need a row.

    The subject is the row's id; without one, the resource, with a number from the agent's second row about it on. So rows
    added at the end change no earlier signal, and a row that is there twice counts twice, with a warning.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    for row, raw, cells in rows:
        try:
            agent = cells["agent"].strip()
            data = _goods(cells, table)
            subject = text_of(cells.get("id", ""), "the id")
            if not subject:
                resource = str(data["resource"])
                count = seen[agent, resource] + 1
                subject = resource if count == 1 else f"{resource}-{count}"
            elif seen[agent, subject, "id"]:
                raise Refused(f"the id {excerpt(subject)} of {excerpt(agent)} stands already in an earlier row: give each row its own")
            line = say(table.kind, prefix + agent, subject, _time_us(cells, said_us), data)
        except Refused as refused:
            report.refuse(row, str(refused), raw)
            continue
        report.taken.append(line)
        seen[agent, str(data["resource"])] += 1
        seen[agent, subject, "id"] += 1
        whole = ("row", *cells.values())
        if seen[whole]:
            report.warnings["row equal to an earlier one: taken as one more"] += 1
        seen[whole] += 1


def _goods(cells: Mapping[str, str], table: Table) -> dict[str, object]:
    """Return the data of an offer or need."""
    resource = text_of(cells["resource"], "the resource")
    if not resource:
        raise Refused("the row names no resource: say what is offered or needed")
    unit = text_of(cells.get("unit", ""), "the unit") or table.unit
    if not unit:
        raise Refused('the row names no unit: write its UCUM code, "1" for pieces')
    quantity = {"value": amount_of(cells["quantity"], "the quantity", table.decimal), "unit": unit}
    data: dict[str, object] = {"resource": resource, "quantity": quantity, **table.always}
    for key in ("minimum", "tier", "within_km"):
        if cells.get(key, "").strip():
            data[key] = amount_of(cells[key], f"the {key}", table.decimal)
    for key in ("begin", "end", "due", "expires"):
        if cells.get(key, "").strip():
            data[key] = _rfc3339(cells[key], key)
    return data


def _time_us(cells: Mapping[str, str], said_us: int) -> int:
    """Return when the row was said: its own time, else that of the file."""
    written = cells.get("time", "")
    return parse_instant(_rfc3339(written, "the time")) if written.strip() else said_us


def _rfc3339(cell: str, where: str) -> str:
    """Return the time with a “T” for the blank many tables write between day and hour. Refused when it is no time with offset."""
    text = cell.strip().replace(" ", "T", 1)
    try:
        parse_instant(text)
    except Refused as refused:
        raise Refused(f"{where} {refused}") from None
    return text
