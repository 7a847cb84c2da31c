"""Distances between agents from CSV files: the ``--routes`` file, and any other with two names and a number a row."""

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from coordinator.errors import Defect, Refused
from coordinator.fields import FARTHEST_KM, LONGEST_NAME, read_agent_name
from coordinator.routes import RouteTable, route_table
from coordinator.wording import shown

__all__ = ["ROUTE_COLUMNS", "open_table", "read_distances", "read_routes"]

Packed = NDArray[np.int32]

ROUTE_COLUMNS = ("from", "to", "distance_km")

_BATCH = 20_000  # lines at once


def read_routes(path: Path) -> RouteTable:
    """Return the distances of a CSV file with columns ``from,to,distance_km``, both ways; ``.gz`` is unpacked.

    Whole metres, halves to even. Refused with the line number: another number of fields, a name no agent can have, no plain number
    of 0 to 1 000 000 km. Refused without: another header, a file that cannot be opened or ends in the middle.
    """
    return read_distances(path, ROUTE_COLUMNS, metres_per_unit=1_000)


def read_distances(path: Path, columns: Sequence[str], metres_per_unit: float) -> RouteTable:
    """Return the distances of a CSV file whose three `columns` hold from, to and how far in units of `metres_per_unit`."""
    positions = _Positions()
    parts: list[tuple[Packed, Packed, Packed]] = []
    with open_table(path) as file:
        layout = _layout(path, next(csv.reader(file), []), columns, metres_per_unit)
        line = 2
        for lines in iter(lambda: list(islice(file, _BATCH)), []):
            try:
                parts.append(_batch(lines, layout, positions))
            except ValueError:
                raise _first_bad_line(path, lines, line, layout) from None
            line += len(lines)
    none = np.empty(0, dtype=np.int32)
    sources, targets, metres = (np.concatenate((none, *whole)) for whole in zip(*parts, strict=True)) if parts else (none, none, none)
    parts.clear()  # millions of pairs: room for what the table needs while it sorts
    return route_table([name.decode() for name in positions], sources, targets, metres)


@contextmanager
def open_table(path: Path) -> Iterator[TextIO]:
    """Open a text file, unpacking ``.gz``; whatever keeps it from being read, then or later, is Refused in a sentence."""
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig", newline="") as file
        ):
            yield file
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Refused(f"{path} cannot be read ({reason}); check the path, and that it is a whole CSV file in UTF-8") from None


class _Positions(dict[bytes, int]):
    """Gives each name the next number when it is first asked for."""

    def __missing__(self, name: bytes) -> int:
        read_agent_name(name.decode("latin-1"))  # as numpy encoded it
        self[name] = position = len(self)
        return position


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a file keeps from, to and distance."""

    columns: Sequence[str]
    wanted: Sequence[int]  # their positions in a row
    width: int  # fields a row
    metres_per_unit: float

    def fields(self, longest_line: int) -> np.dtype[np.void]:
        """Return room for each field: a number, and for names what the longest line can need, or one byte too many to be noticed."""
        name = f"S{min(longest_line, LONGEST_NAME + 1)}"
        room = dict(zip(self.wanted, (name, name, "f8"), strict=True))
        return np.dtype([(str(column), room.get(column, "S1")) for column in range(self.width)])


def _layout(path: Path, header: Sequence[str], columns: Sequence[str], metres_per_unit: float) -> _Layout:
    """Return where the columns stand; more columns, in any order, are fine."""
    if any(header.count(column) != 1 for column in columns):
        raise Refused(f"{path} begins with {shown(','.join(header))}; a header with the columns {','.join(columns)} was expected: add it")
    return _Layout(columns, [header.index(column) for column in columns], len(header), metres_per_unit)


def _batch(lines: list[str], layout: _Layout, positions: _Positions) -> tuple[Packed, Packed, Packed]:
    """Return sources, targets and metres of some lines. ValueError when any of them is not right; which, `_first_bad_line` says."""
    text = "".join(lines)
    if not text.strip():
        none = np.empty(0, dtype=np.int32)
        return none, none, none
    if "\0" in text or any(line.count('"') % 2 for line in lines if '"' in line):  # numpy would end a name, or join lines
        raise ValueError
    fields = layout.fields(max(map(len, lines)))
    rows = np.loadtxt(lines, dtype=fields, delimiter=",", comments=None, quotechar='"', ndmin=1)
    sources, targets, distances = (rows[str(column)] for column in layout.wanted)
    metres = np.rint(distances * layout.metres_per_unit)
    if not ((metres >= 0) & (metres <= FARTHEST_KM * 1_000)).all():
        raise ValueError
    return (
        np.fromiter(map(positions.__getitem__, sources.tolist()), dtype=np.int32, count=len(rows)),
        np.fromiter(map(positions.__getitem__, targets.tolist()), dtype=np.int32, count=len(rows)),
        metres.astype(np.int32),
    )


def _first_bad_line(path: Path, lines: list[str], first: int, layout: _Layout) -> Refused:
    """Return the sentence about the first line that cannot be taken; `first` is the number of the first of these."""
    for number, line in enumerate(lines, first):
        try:
            _batch([line], layout, _Positions())
        except ValueError:
            return Refused(f"{path} line {number} {_why_not(line, layout)}. Mend the line.")
    raise Defect(f"{path} was refused near line {first}, but each line alone is taken; report this with the file")


def _why_not(line: str, layout: _Layout) -> str:
    if line.count('"') % 2:
        return f"has an odd number of quotes: {shown(line.rstrip())}; each that is opened must be closed"
    row = next(csv.reader([line.replace("\0", "\N{SYMBOL FOR NULL}")]))
    if len(row) != layout.width:
        return f"has {len(row)} fields; {layout.width} were expected, as in the header"
    *names, number = (row[column] for column in layout.wanted)
    for column, name in zip(layout.columns, names, strict=False):
        try:
            read_agent_name(name)
        except ValueError as error:
            return f"{column}{error}".removesuffix(".")
    farthest = int(FARTHEST_KM * 1_000 / layout.metres_per_unit)
    return f"has {shown(number)} as {layout.columns[-1]}; a plain number from 0 to {farthest} was expected"
