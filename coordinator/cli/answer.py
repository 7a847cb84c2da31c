"""``coordinator accept|decline|counter|report``: a party's word on one proposal, and on what became of a commitment."""

import json
from pathlib import Path
from typing import Any

from coordinator.adapters.clock import wall_us
from coordinator.cli.access import Access, reach
from coordinator.cli.publish import number_in, said_by, tell
from coordinator.commitments import BOUND
from coordinator.errors import Refused
from coordinator.signals import event_json, parse_event
from coordinator.wording import asked_for

__all__ = ["report", "run"]

# What people say of a commitment, in the action that stands for it on the wire.
ACTIONS = {"shipped": "pickup", "delivered": "transfer", "received": "accept"}


def run(
    answer: str,
    start: str,
    *,
    agent: str | None,
    reason: str | None,
    amount: str | None = None,
    url: str | None,
    log: Path | None,
    charter: Path | None,
    as_json: bool,
) -> None:
    """Answer the proposal whose id begins with `start`; say what the ledger makes of it. Refused when the ledger refused it.

    Who has accepted already is told so, and nothing is said again: the ledger would refuse that.
    """
    speaker = said_by(agent)
    access, row = _named(answer, start, url, log, charter)
    proposal = str(row["proposal"])
    if answer == "accept" and speaker in row.get("accepted_by", ()):
        told = {"status": "accepted already", "agent": speaker, "proposal": proposal, "state": row["state"]}
        print(json.dumps(told) if as_json else f"accepted already: {speaker}'s yes stands, and the proposal is {row['state']}")
        return
    data: dict[str, Any] = {"proposal": proposal, "answer": answer} | ({"reason": reason} if reason else {})
    if amount is not None:
        data["quantity"] = _amount(amount, row)
    try:
        _say(access, "answer", speaker, proposal, wall_us(), data, as_json)
    except Refused as refusal:
        if row["state"] not in BOUND:
            raise
        raise Refused(f"{refusal}; what became of it is said by: coordinator report {start} {'|'.join(ACTIONS)} --as {speaker}") from None


def report(
    start: str,
    what: str,
    amount: str | None,
    *,
    agent: str | None,
    note: str | None,
    url: str | None,
    log: Path | None,
    charter: Path | None,
    as_json: bool,
) -> None:
    """Say what became of the commitment whose id begins with `start`, all of it unless an amount is told."""
    speaker = said_by(agent)
    if what not in ACTIONS:
        raise Refused(
            f"{asked_for(what)} cannot be reported; say {', '.join(ACTIONS)}. That something failed is not said: "
            "what has not arrived by the end of its need is recorded as broken"
        )
    access, row = _named("report", start, url, log, charter)
    proposal, now_us = str(row["proposal"]), wall_us()
    data: dict[str, Any] = {"commitment": proposal, "action": ACTIONS[what]}
    if amount is not None:
        quantity = _amount(amount, row)
        data["effort" if quantity["unit"] == "h" else "quantity"] = quantity
    if note:
        data["note"] = note
    _say(access, "report", speaker, f"{proposal[:64]}.{ACTIONS[what]}.{now_us}", now_us, data, as_json)


def _named(command: str, start: str, url: str | None, log: Path | None, charter: Path | None) -> tuple[Access, dict[str, Any]]:
    if not start.strip():
        raise Refused(f"no proposal is named: an empty text came; `coordinator proposals` lists them: coordinator {command} ID")
    access = reach(url, log, charter)
    return access, access.proposal(start)


def _amount(text: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return an amount in the unit of the proposal."""
    return {"value": number_in(text), "unit": row["lines"][0]["quantity"]["unit"]}


def _say(access: Access, kind: str, speaker: str, subject: str, now_us: int, data: dict[str, Any], as_json: bool) -> None:
    line = event_json(kind, f"agent:{speaker}", subject, now_us, data)
    parse_event(line, strict_fields=True)
    [result] = access.publish([line])
    tell(result, as_json)
