"""``coordinator token``: tokens made, listed and revoked."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from coordinator.adapters.clock import wall_us
from coordinator.adapters.tokens import Grant, create_token, read_grants, revoke_tokens
from coordinator.cli.output import table
from coordinator.errors import Refused
from coordinator.settings import read_settings
from coordinator.times import format_instant
from coordinator.wording import counted

__all__ = ["Wanted", "create", "revoke", "show"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new token is to allow."""

    agent: str | None
    speaks: tuple[str, ...]
    answers: tuple[str, ...]
    reads: bool
    name: str | None
    days: float


def create(wanted: Wanted, tokens: Path | None) -> None:
    """Print a new token, alone on standard output so that it can be handed on without being seen."""
    path = tokens or read_settings().tokens
    says = bool(wanted.agent or wanted.speaks or wanted.answers)
    if says == wanted.reads:
        both = "both --read and agents came" if wanted.reads else "neither an agent nor --read came"
        raise Refused(f"{both}; name the agents it speaks or answers for, or say --read for a token that says nothing")
    if wanted.days < 0:
        raise Refused(f"--days is {wanted.days:,.15g}; 0 (never) or more was expected")
    made = create_token(
        path, wanted.agent, speaks=wanted.speaks, answers=wanted.answers, name=wanted.name, days=wanted.days or None, now_us=wall_us()
    )
    print(made)
    grant = read_grants(path)[-1]
    print(f"the token of {grant.name}, shown this once: it {grant.told()}, {_until(grant)}; {path} keeps only its hash", file=sys.stderr)


def _until(grant: Grant) -> str:
    return "without end" if grant.expires_us is None else f"until {format_instant(grant.expires_us)}"


def revoke(which: str, tokens: Path | None) -> None:
    """Say how many tokens were revoked; Refused where there was none."""
    path = tokens or read_settings().tokens
    count = revoke_tokens(path, which)
    if not count:
        raise Refused(f"{which!r} has no token in {path}; check the name with: coordinator token list")
    print(f"{counted(count, 'token')} of {which} revoked")


def show(tokens: Path | None, as_json: bool) -> None:
    """List every token by what is known of it."""
    path = tokens or read_settings().tokens
    if not path.exists():
        told = "" if as_json else f"No tokens yet: there is no {path}; make one with: coordinator token create AGENT\n"
        print(told, end="")
        return
    now_us = wall_us()
    grants = read_grants(path)
    if as_json:
        for grant in grants:
            print(json.dumps(_row(grant, now_us), ensure_ascii=False))
        return
    rows = [[grant.id, grant.name, grant.told(), _until(grant) + (" (over)" if grant.is_over(now_us) else "")] for grant in grants]
    table(f"Tokens in {path}", ["id", "holder", "it", "holds"], rows)


def _row(grant: Grant, now_us: int) -> dict[str, object]:
    instants = {key: at_us and format_instant(at_us) for key, at_us in (("expires", grant.expires_us), ("made", grant.made_us))}
    scopes = {"speaks": list(grant.speaks), "answers": list(grant.answers)}
    return {"id": grant.id, "name": grant.name, **scopes, **instants, "over": grant.is_over(now_us)}
