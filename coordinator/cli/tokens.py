"""``coordinator token``: tokens made and revoked."""

import sys
from pathlib import Path

from coordinator.adapters.tokens import create_token, revoke_tokens
from coordinator.errors import Refused
from coordinator.settings import read_settings

__all__ = ["create", "revoke"]


def create(agent: str, tokens: Path | None) -> None:
    """Print a new token, alone on standard output so that it can be handed on without being seen."""
    path = tokens or read_settings().tokens
    print(create_token(path, agent))
    print(f"the token of {agent}, shown this once; {path} keeps only its hash", file=sys.stderr)


def revoke(agent: str, tokens: Path | None) -> None:
    """Say how many tokens were revoked; Refused where there was none."""
    path = tokens or read_settings().tokens
    count = revoke_tokens(path, agent)
    if not count:
        raise Refused(f"{agent!r} has no token in {path}; check the name")
    print(f"{count} tokens of {agent} revoked")
