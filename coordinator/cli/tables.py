"""``coordinator needs|offers|proposals|ledger|refused``: what stands, what is suggested, what was decided, as tables or JSON lines."""

import json
from pathlib import Path
from typing import Any

from coordinator.cli.access import reach
from coordinator.cli.output import table

__all__ = ["run"]

Row = dict[str, Any]

COLUMNS = {
    "needs": ["agent", "needs", "stated", "promised", "proposed", "unit", "tier", "due", "id"],
    "offers": ["agent", "offers", "stated", "promised", "proposed", "unit", "until", "id"],
    "proposals": ["proposal", "state", "from", "to", "what", "quantity", "unit", "km", "expires", "accepted by"],
    "refused": ["no", "time", "who", "kind of reason", "reason"],
    "ledger": ["no", "time", "kind", "agent", "proposal", "why"],
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
    shown = [line for row in rows for line in cells(row)]
    table(f"{what} ({len(shown)})", COLUMNS[what], shown)


def _amounts(row: Row) -> list[Any]:
    return [*(row[name]["value"] for name in ("stated", "promised", "proposed")), row["stated"]["unit"]]


def _need(row: Row) -> list[list[Any]]:
    return [[row["agent"], _thing(row), *_amounts(row), row["tier"], row.get("due"), row["ref"].partition("/")[2]]]


def _offer(row: Row) -> list[list[Any]]:
    until = row.get("end") or row.get("expires")
    return [[row["agent"], _thing(row), *_amounts(row), until, row["ref"].partition("/")[2]]]


def _thing(row: Row) -> str:
    name = row.get("resource") or row["process"]
    return f"{name} ({row['said_as']})" if "said_as" in row else str(name)


def _proposal(row: Row) -> list[list[Any]]:
    """Return a line of the table for each line of the proposal, named by as much of its id as people need."""
    accepted = ", ".join(row["accepted_by"])
    return [
        [
            row["proposal"][:12],
            row["state"],
            line["provider"],
            line["receiver"],
            line["resource"],
            line["quantity"]["value"],
            line["quantity"]["unit"],
            line["distance_km"],
            row["expires"],
            accepted,
        ]
        for line in row["lines"]
    ]


def _record(row: Row) -> list[list[Any]]:
    return [[row["number"], row["time"], row["kind"], row["agent"], row["proposal"][:12], row.get("why")]]


def _refusal(row: Row) -> list[list[Any]]:
    return [[row["number"], row["time"], row["key"], row["code"], row["reason"]]]
