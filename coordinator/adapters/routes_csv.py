"""Distances between agents from CSV files: the ``--routes`` file, and any other with two names and a number a row."""

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from coordinator.errors import Defect, Refused
from coordinator.fields import FARTHEST_KM, read_agent_name
from coordinator.routes import RouteTable, route_table
from coordinator.wording import shown

__all__ = ["ROUTE_COLUMNS", "open_table", "read_distances", "read_routes"]

Packed = NDArray[np.int32]

ROUTE_COLUMNS = ("from", "to", "distance_km")

_BATCH = 2_000  # rows at once: few enough to stay in the processor's cache
_OF_NUMBERS = b"0123456789.eE+-"


def read_routes(path: Path) -> RouteTable:
    """Return the distances of a CSV file with columns ``from,to,distance_km``, both ways; ``.gz`` is unpacked.

    Whole metres, halves to even. Refused with the line number: another number of fields, a name no agent can have, no plain number
    of 0 to 1 000 000 km. Refused without: another header, a file that cannot be opened or ends in the middle.
    """
    return read_distances(path, ROUTE_COLUMNS, metres_per_unit=1_000)


def read_distances(path: Path, columns: Sequence[str], metres_per_unit: float) -> RouteTable:
    """Return the distances of a CSV file whose three `columns` hold from, to and how far in units of `metres_per_unit`."""
    positions = _Positions()
    sources: list[Packed] = []
    targets: list[Packed] = []
    metres: list[Packed] = []
    with open_table(path) as file:
        reader = csv.reader(file, strict=True)
        layout = _layout(path, next(reader, []), columns, metres_per_unit)
        for rows in iter(lambda: list(islice(reader, _BATCH)), []):
            try:
                batch = _batch([row for row in rows if row], layout, positions)  # blank lines say nothing
            except ValueError:
                raise _first_bad_row(path, rows, reader.line_num - len(rows) + 1, layout) from None
            for whole, part in zip((sources, targets, metres), batch, strict=True):
                whole.append(part)
    none = [np.empty(0, dtype=np.int32)]
    return route_table(list(positions), np.concatenate(sources or none), np.concatenate(targets or none), np.concatenate(metres or none))


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


class _Positions(dict[str, int]):
    """Gives each name the next number when it is first asked for."""

    def __missing__(self, name: str) -> int:
        read_agent_name(name)
        self[name] = position = len(self)
        return position


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a file keeps from, to and distance."""

    columns: Sequence[str]
    wanted: Sequence[int]  # their positions in a row
    width: int  # fields a row
    metres_per_unit: float


def _layout(path: Path, header: Sequence[str], columns: Sequence[str], metres_per_unit: float) -> _Layout:
    """Return where the columns stand; more columns, in any order, are fine."""
    if any(header.count(column) != 1 for column in columns):
        raise Refused(f"{path} begins with {shown(','.join(header))}; a header with the columns {','.join(columns)} was expected: add it")
    return _Layout(columns, [header.index(column) for column in columns], len(header), metres_per_unit)


def _batch(rows: list[list[str]], layout: _Layout, positions: _Positions) -> tuple[Packed, Packed, Packed]:
    """Return sources, targets and metres of some rows. ValueError when any of them is not right; which, `_first_bad_row` says."""
    if not set(map(len, rows)) <= {layout.width}:
        raise ValueError
    sources, targets, distances = ([*map(itemgetter(column), rows)] for column in layout.wanted)
    if "".join(distances).encode().translate(None, delete=_OF_NUMBERS):  # float() alone would also take "nan", " 1" and "1_000"
        raise ValueError
    try:
        stated = np.fromiter(map(float, distances), dtype=np.float64, count=len(rows))
    except ValueError:
        raise ValueError from None  # its own words would not help a reader of the file
    metres = np.rint(stated * layout.metres_per_unit)
    if not ((metres >= 0) & (metres <= FARTHEST_KM * 1_000)).all():
        raise ValueError
    return (
        np.fromiter(map(positions.__getitem__, sources), dtype=np.int32, count=len(rows)),
        np.fromiter(map(positions.__getitem__, targets), dtype=np.int32, count=len(rows)),
        metres.astype(np.int32),
    )


def _first_bad_row(path: Path, rows: list[list[str]], line: int, layout: _Layout) -> Refused:
    """Return the sentence about the first row that cannot be taken; `line` is the number of the first of these rows."""
    for number, row in enumerate(rows, line):
        try:
            _batch([row] if row else [], layout, _Positions())
        except ValueError as error:
            if len(row) != layout.width:
                problem = f"has {len(row)} fields; {layout.width} were expected, as in the header"
            elif str(error):
                problem = f"names {shown(row[layout.wanted[0]])} and {shown(row[layout.wanted[1]])}, one of which{error}"
            else:
                farthest = int(FARTHEST_KM * 1_000 / layout.metres_per_unit)
                problem = f"has {shown(row[layout.wanted[2]])} as {layout.columns[2]}; a plain number from 0 to {farthest} was expected"
            return Refused(f"{path} line {number} {problem.removesuffix('.')}. Mend the line.")
    raise Defect(f"{path} was refused near line {line}, but each line alone is taken; report this with the file")
