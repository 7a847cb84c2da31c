"""``coordinator needs|offers|proposals|ledger|refused``: what stands, what is suggested, what was decided, as tables or JSON lines."""

import json
from pathlib import Path
from typing import Any

from coordinator.cli.access import reach
from coordinator.cli.output import Figure, table
from coordinator.commitments import BOUND
from coordinator.wording import number

__all__ = ["run"]

Row = dict[str, Any]

SHORT = 8  # characters of a proposal's id; commands take the beginning of one

OWN_PROMISES = "promised: what its own agent said yes to, whether the other parties have or not; proposed: what waits for that yes"
NOTES = {"needs": OWN_PROMISES, "offers": OWN_PROMISES}
COLUMNS = {
    "needs": ["need", "of", "stated", "promised", "proposed", "tier", "due (UTC)"],
    "offers": ["offer", "of", "stated", "promised", "proposed", "until (UTC)"],
    "proposals": ["proposal", "state", "from", "to", "what", "km", "expires (UTC)", "accepted by"],
    "refused": ["no", "time (UTC)", "who", "kind", "reason"],
    "ledger": ["no", "time (UTC)", "kind", "agent", "proposal", "why"],
}


def run(
    what: str, *, url: str | None, log: Path | None, charter: Path | None, agent: str | None, resource: str | None, as_json: bool
) -> None:
    """Print the rows of one list."""
    rows = reach(url, log, charter).rows(what, agent, resource)
    if as_json:
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
        return
    cells = {"needs": _need, "offers": _offer, "proposals": _proposal, "ledger": _record, "refused": _refusal}[what]
    listed = list(rows)
    count = len(listed)
    shown = [cells(row) for row in (_folded(listed) if what == "ledger" else listed)]
    table(f"{what} ({count:,})", COLUMNS[what], [line for lines in shown for line in lines])
    if what in NOTES:
        print(f"  {NOTES[what]}")


def _need(row: Row) -> list[list[Any]]:
    return [[row["ref"], _thing(row), *_amounts(row), row["tier"], _minute(row.get("due"))]]


def _offer(row: Row) -> list[list[Any]]:
    return [[row["ref"], _thing(row), *_amounts(row), _minute(row.get("end") or row.get("expires"))]]


def _amounts(row: Row) -> list[Any]:
    return [Figure.exact(row[name]["value"]) for name in ("stated", "promised", "proposed")]


def _thing(row: Row) -> str:
    """Return what it is of, with the name it was said by where that is another, and its unit where it is not counted in pieces."""
    name: str = row.get("resource") or row["process"]
    said_as = f" ({row['said_as']})" if "said_as" in row else ""
    unit: str = row["stated"]["unit"]
    return f"{name}{said_as}" + ("" if unit == "1" else f", {unit}")


def _proposal(row: Row) -> list[list[Any]]:
    """Return a line of the table for each line of the proposal, named by as much of its id as people need.

    What goes into making is told with the recipe; what its maker uses up itself, with nobody it goes to.
    """
    start, accepted, expires = (
        row["proposal"][:SHORT],
        ", ".join(row["accepted_by"]),
        "" if row["state"] in BOUND else _minute(row["expires"]),
    )
    return [
        [start, row["state"], line["provider"], _goes_to(line), _moved(line), line["distance_km"], expires, accepted]
        for line in row["lines"]
    ]


def _goes_to(line: Row) -> str:
    return "" if "into" in line and line["action"] in ("use", "consume") else line["receiver"]


def _moved(line: Row) -> str:
    unit = line["quantity"]["unit"]
    into = f" for making {line['into'].partition('/recipe/')[2]}" if "into" in line else ""
    return f"{number(line['quantity']['value'])} {'' if unit == '1' else f'{unit} '}{line['resource']}{into}"


def _minute(instant: str | None) -> str | None:
    """Return a time to the minute; all times are UTC."""
    return None if instant is None else instant[:16].replace("T", " ")


def _folded(rows: list[Row]) -> list[Row]:
    """Return records with what was refused again and again for the same reason in one row, where it was first, with a count: `times`."""
    firsts: dict[tuple[Any, ...], Row] = {}
    folded = []
    for row in rows:
        same = (row["agent"], row["proposal"], row.get("answer"), row.get("action"), row.get("why"))
        if row["kind"] == "refused" and same in firsts:
            firsts[same]["times"] += 1
            continue
        folded.append(row | {"times": 1})
        if row["kind"] == "refused":
            firsts[same] = folded[-1]
    return folded


def _record(row: Row) -> list[list[Any]]:
    word = row.get("answer") or row.get("action")
    kind = f"{row['kind']}: {word}" if word and row["kind"] == "refused" else row["kind"]
    if row["times"] > 1:
        kind += f" ({row['times']:,} times)"
    return [[row["number"], _minute(row["time"]), kind, row["agent"], row["proposal"][:SHORT], row.get("why")]]


def _refusal(row: Row) -> list[list[Any]]:
    return [[row["number"], _minute(row["time"]), row["key"], row["code"], row["reason"]]]
