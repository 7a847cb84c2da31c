"""``coordinator accept|decline``: a party's word on one proposal."""

import json
from pathlib import Path

from coordinator.adapters.clock import wall_us
from coordinator.cli.access import reach
from coordinator.cli.publish import said_by, tell
from coordinator.errors import Refused
from coordinator.signals import event_json, parse_event

__all__ = ["run"]


def run(
    answer: str,
    start: str,
    *,
    agent: str | None,
    reason: str | None,
    url: str | None,
    log: Path | None,
    charter: Path | None,
    as_json: bool,
) -> None:
    """Answer the proposal whose id begins with `start`; say what the ledger makes of it. Refused when the ledger refused it.

    Who has accepted already is told so, and nothing is said again: the ledger would refuse that.
    """
    speaker = said_by(agent)
    if not start.strip():
        raise Refused(f"no proposal is named: an empty text came; `coordinator proposals` lists them: coordinator {answer} ID")
    access = reach(url, log, charter)
    row = access.proposal(start)
    proposal = str(row["proposal"])
    if answer == "accept" and speaker in row.get("accepted_by", ()):
        told = {"status": "accepted already", "agent": speaker, "proposal": proposal, "state": row["state"]}
        print(json.dumps(told) if as_json else f"accepted already: {speaker}'s yes stands, and the proposal is {row['state']}")
        return
    data = {"proposal": proposal, "answer": answer} | ({"reason": reason} if reason else {})
    line = event_json("answer", f"agent:{speaker}", proposal, wall_us(), data)
    parse_event(line, strict_fields=True)
    [result] = access.publish([line])
    tell(result, as_json)
