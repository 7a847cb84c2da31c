"""The real stream of the demo: offers and requests of protective equipment in the USA, April to July 2020, with real distances.

They are GetUsPPE's, made anonymous by the authors of the ppe-match package. Only its CSV files are read; its code is never imported.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

from coordinator.adapters.routes_csv import open_table, read_distances
from coordinator.errors import Refused
from coordinator.rivals import Row
from coordinator.routes import RouteTable
from coordinator.signals import event_json
from coordinator.times import parse_instant
from coordinator.units import LARGEST_VALUE
from coordinator.wording import shown

__all__ = ["LARGEST_OFFER", "Story", "event_of", "read_ppe_distances", "read_story"]

LARGEST_OFFER = 1_000  # pieces; the data's authors take larger ones for slips of the pen and leave them out
METRES_PER_MILE = 1_609.344

_PACKAGE = "ppe-match"


@dataclass(frozen=True, slots=True)
class Story:
    """All that was said, each part in order of date; what the demo does not use is kept aside, to be counted."""

    offers: tuple[Row, ...]
    needs: tuple[Row, ...]
    left_out: tuple[Row, ...]  # offers above `LARGEST_OFFER`, never sent
    too_large: tuple[Row, ...]  # needs above what the contract takes; sent, and refused there

    def left_out_by_item(self) -> Counter[str]:
        """Return how many offers were left out, for each item that has any."""
        return Counter(row.resource for row in self.left_out)

    def stream(self) -> list[Row]:
        """Return every row to be sent in order of date; at one time offers first, and rows of one file in its order."""
        return sorted((*self.offers, *self.needs, *self.too_large), key=lambda row: (row.date_us, row.side == "need", row.row_number))


def read_story() -> Story:
    """Return the offers and needs of the installed package. Refused when it is missing, or when its files do not hold what they should."""
    offers = tuple(_rows(_file("anon_donors.csv"), "don_id", "offer"))
    needs = tuple(_rows(_file("anon_recipients.csv"), "rec_id", "need"))
    return Story(
        offers=tuple(row for row in offers if row.quantity <= LARGEST_OFFER),
        needs=tuple(row for row in needs if row.quantity <= LARGEST_VALUE),
        left_out=tuple(row for row in offers if row.quantity > LARGEST_OFFER),
        too_large=tuple(row for row in needs if row.quantity > LARGEST_VALUE),
    )


def read_ppe_distances() -> RouteTable:
    """Return how far donors and recipients are apart: miles become whole metres, halves to even. Takes some seconds."""
    return read_distances(_file("anon_distance_matrix.csv"), ("don_id", "rec_id", "distance"), METRES_PER_MILE)


def event_of(row: Row) -> bytes:
    """Return the offer or need as its agent would send it: one line of structured JSON. No two rows share a subject."""
    data = {"resource": row.resource, "quantity": {"value": row.quantity, "unit": "1"}}
    return event_json(row.side, f"agent:{row.agent}", f"{row.resource}-{row.row_number}", row.date_us, data)


def _file(name: str) -> Path:
    """Return where a data file of the installed package lies."""
    try:
        path = Path(str(distribution(_PACKAGE).locate_file(f"ppe_match/data/{name}")))
    except PackageNotFoundError:
        raise Refused(
            f"the package {_PACKAGE}, which carries the demo's data, is not installed; run: pip install 'stigmergic-coordinator[demo]'"
        ) from None
    if not path.is_file():
        raise Refused(f"the installed {_PACKAGE} has no file {path}; install version 0.1.4: pip install 'stigmergic-coordinator[demo]'")
    return path


def _rows(path: Path, agent_column: str, side: Literal["offer", "need"]) -> Iterator[Row]:
    """Yield the rows of a file as they stand; they are in order of date."""
    with open_table(path) as file:
        reader = csv.DictReader(file, strict=True)
        wanted = [agent_column, "date", "ppe", "qty"]
        if missing := [column for column in wanted if column not in (reader.fieldnames or ())]:
            raise Refused(f"{path} has no column {' and no '.join(missing)}; install version 0.1.4 of {_PACKAGE}")
        latest_us = 0
        for number, record in enumerate(reader, 1):
            agent, date, resource, quantity = (record[column] or "" for column in wanted)
            row = Row(number, agent, _instant_us(path, reader.line_num, date), resource, _pieces(path, reader.line_num, quantity), side)
            if row.date_us < latest_us:
                raise Refused(f"{path} line {reader.line_num} goes back in time to {date}; rows in order of date were expected")
            latest_us = row.date_us
            yield row


def _instant_us(path: Path, line: int, text: str) -> int:
    try:
        return parse_instant(text.replace(" ", "T", 1))
    except Refused as refused:
        raise Refused(f"{path} line {line}: date {refused}") from None


def _pieces(path: Path, line: int, text: str) -> int:
    """Return a quantity that is written like ``20.0``."""
    whole, _, fraction = text.partition(".")
    if not (whole.isascii() and whole.isdecimal() and not fraction.strip("0")) or int(whole) == 0:
        raise Refused(f"{path} line {line} has {shown(text)} pieces; a whole number above 0 was expected")
    return int(whole)
