"""Who may read, speak and answer: tokens with scopes and an end, of which the file keeps only the hash.

A token speaks for agents (whatever they may say), answers for agents (proposals, and nothing else), or only reads. Whoever speaks for
another by it is named in what it said, and so in the ledger.
"""

import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from coordinator.adapters.disk import PRIVATE, write_whole
from coordinator.errors import Refused, Unavailable
from coordinator.fields import read_agent_name
from coordinator.times import DAY_US, format_instant, parse_instant
from coordinator.wording import shown

__all__ = ["ANSWERING", "PREFIX", "Grant", "Tokens", "create_token", "open_to_others", "read_grants", "revoke_tokens"]

PREFIX = "stig_"  # so that people, and scanners of leaked secrets, know what they found
ANSWERING = frozenset({"answer"})  # the kinds that who coordinates may say for an agent
LONGEST_NAME = 128
_BYTES = 32  # drawn at random: nobody can guess one, so a plain hash protects them as well as a slow one
_SHOWN = 8  # digits of a hash by which a token is named


@dataclass(frozen=True, slots=True)
class Grant:
    """What one token allows. Every token may read."""

    name: str  # who holds it: an agent, or a person
    digest: str  # SHA-256 of the token, in hex
    speaks: tuple[str, ...] = ()  # agents that it may say anything for
    answers: tuple[str, ...] = ()  # agents whose proposals it may answer, and no more
    expires_us: int | None = None
    made_us: int | None = None

    @property
    def id(self) -> str:
        """How people point at it, without telling it."""
        return self.digest[:_SHOWN]

    def is_over(self, now_us: int) -> bool:
        """Whether its time is up."""
        return self.expires_us is not None and self.expires_us <= now_us

    def may_say(self, agent: str, kind: str) -> bool:
        """Whether it lets its holder say this kind for an agent."""
        return agent in self.speaks or (agent in self.answers and kind in ANSWERING)

    def spoken_by(self, agent: str) -> str | None:
        """Return who speaks where that is not the agent itself."""
        return None if self.name == agent else self.name

    def told(self) -> str:
        """Return its scopes in words."""
        parts = [f"speaks for {', '.join(self.speaks)}"] if self.speaks else []
        parts += [f"answers proposals for {', '.join(self.answers)}"] if self.answers else []
        return " and ".join(parts) or "reads"


class Tokens:
    """The tokens of a file, read anew when the file changes, so that a new one holds without a restart."""

    def __init__(self, path: Path, now_us: Callable[[], int] = lambda: time.time_ns() // 1_000) -> None:
        self._path, self._now_us = path, now_us
        self._lock = Lock()
        self._mark: tuple[int, int, int] | None = None
        self._grants: tuple[Grant, ...] = ()
        self._refresh()

    def grant_of(self, token: str) -> Grant | None:
        """Return what a token allows, None where it is none or its time is up. Every hash is compared, so that time tells nothing."""
        with self._lock:
            self._refresh()
            grants = self._grants
        came = _hash(token).encode()
        found: Grant | None = None
        for grant in grants:
            if hmac.compare_digest(grant.digest.encode(), came):
                found = grant
        return None if found is None or found.is_over(self._now_us()) else found

    def _refresh(self) -> None:
        mark = _mark(self._path)
        if mark != self._mark:
            self._grants = read_grants(self._path)
            self._mark = mark


def create_token(
    path: Path,
    agent: str | None = None,
    *,
    speaks: Iterable[str] = (),
    answers: Iterable[str] = (),
    name: str | None = None,
    days: float | None = None,
    now_us: int | None = None,
) -> str:
    """Return a new token; the file, made where it is missing, keeps its hash.

    It speaks for `agent` and those in `speaks`, answers for those in `answers`, and only reads where none of these came. It ends
    after so many `days`, or never.
    """
    speaks = tuple(dict.fromkeys([*([agent] if agent is not None else []), *speaks]))
    answers = tuple(each for each in dict.fromkeys(answers) if each not in speaks)
    for each in (*speaks, *answers):
        try:
            read_agent_name(each)
        except ValueError as error:
            raise Refused(f"the agent's name{error}") from None
    name = _name_of(name, speaks, answers)
    made_us = time.time_ns() // 1_000 if now_us is None else now_us
    if days is not None and not 0 < days <= 36_500:
        raise Refused(f"days is {days:,.15g}; more than 0 and at most 36500 were expected, or none at all for a token without an end")
    token = PREFIX + secrets.token_urlsafe(_BYTES)
    expires_us = None if days is None else made_us + int(days * DAY_US)
    with _alone_at(path):
        grants = read_grants(path) if path.exists() else ()
        _write(path, [*grants, Grant(name, _hash(token), speaks, answers, expires_us, made_us)])
    return token


def _name_of(name: str | None, speaks: tuple[str, ...], answers: tuple[str, ...]) -> str:
    """Return who holds a token: who is named, else the one agent that it speaks for."""
    if name is None:
        if len(speaks) != 1 or answers:
            raise Refused("nobody is named who holds this token; say --name NAME, which the ledger shows where it speaks for others")
        return speaks[0]
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise Refused(f"the name is {shown(name)}; 1 to {LONGEST_NAME} printable characters were expected")
    if (speaks, answers) != ((name,), ()) and name in (*speaks, *answers):
        raise Refused(f"{name!r} is one of the agents it speaks for, so nobody could tell them apart: give the holder a name of its own")
    return name


def revoke_tokens(path: Path, which: str) -> int:
    """Forget all tokens of a holder, or the one of this id; return how many there were."""
    read_grants(path)  # refused before anything is made beside it
    with _alone_at(path):
        grants = read_grants(path)
        kept = [grant for grant in grants if which not in (grant.name, grant.id)]
        if len(kept) < len(grants):
            _write(path, kept)
    return len(grants) - len(kept)


def read_grants(path: Path) -> tuple[Grant, ...]:
    """Return what every token of a file allows. Refused when others than the owner may read the file, or when it is no token file."""
    if open_to_others(path):
        raise Refused(f"others may read the tokens file {path}; take that from them: chmod 600 {path}")
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return tuple(_grants_in(kept))
    except OSError as error:
        raise Refused(
            f"the tokens file {path} cannot be read ({error.strerror}); check the path, or make one: coordinator token create AGENT"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, Refused):
        raise Refused(f"{path} is no tokens file; make a new one: coordinator token create AGENT --tokens FILE") from None


def _grants_in(kept: Any) -> Iterator[Grant]:
    """Yield what a file holds: hashes by agent, as the first version wrote them (they speak for it, without end), then grants."""
    for agent, hashes in kept["tokens"].items():
        if not isinstance(hashes, list):
            raise TypeError
        for digest in hashes:
            yield Grant(agent, _digest(digest), (agent,))
    for row in kept.get("grants", []):
        expires_us, made_us = (None if row[key] is None else parse_instant(row[key]) for key in ("expires", "made"))
        speaks, answers = (tuple(map(_text, _listed(row[key]))) for key in ("speaks", "answers"))
        yield Grant(_text(row["name"]), _digest(row["hash"]), speaks, answers, expires_us, made_us)


def _digest(digest: object) -> str:
    if not isinstance(digest, str) or len(digest) != 64:
        raise ValueError
    return digest


def _listed(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def open_to_others(path: Path) -> bool:
    """Whether others than the owner may read or write the file; False where there is none, or where the system knows no such rights."""
    try:
        return os.name == "posix" and bool(path.stat().st_mode & 0o077)
    except OSError:
        return False


def _mark(path: Path) -> tuple[int, int, int]:
    try:
        stat = path.stat()
    except OSError as error:
        raise Refused(
            f"the tokens file {path} cannot be read ({error.strerror}); check the path, or make one: coordinator token create AGENT"
        ) from None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _write(path: Path, grants: Iterable[Grant]) -> None:
    """Put a new file in the place of the old one at once, readable by its owner alone from the first moment."""
    plain: dict[str, list[str]] = {}
    rows = []
    for grant in grants:
        if grant == Grant(grant.name, grant.digest, (grant.name,)):  # As the first version wrote it: it stays as it is.
            plain.setdefault(grant.name, []).append(grant.digest)
        else:
            rows.append(_row(grant))
    text = json.dumps({"tokens": dict(sorted(plain.items())), "grants": rows}, indent=2) + "\n"
    with _explained(path):
        write_whole(PRIVATE, path, text.encode())


@contextmanager
def _alone_at(path: Path) -> Iterator[None]:
    """Keep others from changing the file meanwhile: of two who read and wrote it at once, one would undo what the other did."""
    with _explained(path):
        try:
            lock = PRIVATE.open_to_append(path.with_name(path.name + ".lock"))
        except BlockingIOError:
            raise Unavailable(f"another command is changing the tokens file {path} at the moment; try again") from None
    with closing(lock):
        yield


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"the tokens file {path} cannot be written ({error.strerror}); check the folder and the space on the disk"
        ) from None


def _row(grant: Grant) -> dict[str, Any]:
    expires, made = (None if at_us is None else format_instant(at_us) for at_us in (grant.expires_us, grant.made_us))
    scopes = {"speaks": list(grant.speaks), "answers": list(grant.answers)}
    return {"name": grant.name, "hash": grant.digest, **scopes, "expires": expires, "made": made}


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
