"""``coordinator accept|decline``: a party's word on one proposal."""

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
    """Answer the proposal whose id begins with `start`; say what the ledger makes of it. Refused when the ledger refused it."""
    speaker = said_by(agent)
    if not start.strip():
        raise Refused(f"no proposal is named: an empty text came; `coordinator proposals` lists them: coordinator {answer} ID")
    access = reach(url, log, charter)
    proposal = str(access.proposal(start)["proposal"])
    data = {"proposal": proposal, "answer": answer} | ({"reason": reason} if reason else {})
    line = event_json("answer", f"agent:{speaker}", proposal, wall_us(), data)
    parse_event(line, strict_fields=True)
    [result] = access.publish([line])
    tell(result, as_json)
