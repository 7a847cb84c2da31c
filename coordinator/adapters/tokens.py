"""Who may speak for an agent: a token each, of which the file keeps only the hash."""

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from pathlib import Path
from threading import Lock

from coordinator.errors import Refused, Unavailable
from coordinator.fields import read_agent_name

__all__ = ["PREFIX", "Tokens", "create_token", "open_to_others", "read_hashes", "revoke_tokens"]

PREFIX = "stig_"  # so that people, and scanners of leaked secrets, know what they found
_BYTES = 32  # drawn at random: nobody can guess one, so a plain hash protects them as well as a slow one


class Tokens:
    """The tokens of a file, read anew when the file changes, so that a new one holds without a restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._mark: tuple[int, int, int] | None = None
        self._hashes: dict[str, list[str]] = {}
        self._refresh()

    def agent_of(self, token: str) -> str | None:
        """Return the agent that a token belongs to, or None. Every hash is compared, so that time tells nothing."""
        with self._lock:
            self._refresh()
            hashes = self._hashes
        came = _hash(token).encode()
        found: str | None = None
        for agent, kept in hashes.items():
            for each in kept:
                if hmac.compare_digest(each.encode(), came):
                    found = agent
        return found

    def _refresh(self) -> None:
        mark = _mark(self._path)
        if mark != self._mark:
            self._hashes = read_hashes(self._path)
            self._mark = mark


def create_token(path: Path, agent: str) -> str:
    """Return a new token for an agent; the file, made where it is missing, keeps its hash beside those the agent has already."""
    try:
        read_agent_name(agent)
    except ValueError as error:
        raise Refused(f"the agent's name{error}") from None
    hashes = read_hashes(path) if path.exists() else {}
    token = PREFIX + secrets.token_urlsafe(_BYTES)
    hashes.setdefault(agent, []).append(_hash(token))
    _write(path, hashes)
    return token


def revoke_tokens(path: Path, agent: str) -> int:
    """Forget all tokens of an agent; return how many there were."""
    hashes = read_hashes(path)
    gone = hashes.pop(agent, [])
    if gone:
        _write(path, hashes)
    return len(gone)


def read_hashes(path: Path) -> dict[str, list[str]]:
    """Return the hashes of each agent's tokens. Refused when others than the owner may read the file, or when it is no token file."""
    if open_to_others(path):
        raise Refused(f"others may read the tokens file {path}; take that from them: chmod 600 {path}")
    try:
        hashes = json.loads(path.read_text(encoding="utf-8"))["tokens"]
        sound = all(isinstance(each, str) and len(each) == 64 for kept in hashes.values() for each in kept)
    except OSError as error:
        raise Refused(
            f"the tokens file {path} cannot be read ({error.strerror}); check the path, or make one: coordinator token create AGENT"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise Refused(f"{path} is no tokens file; make a new one: coordinator token create AGENT --tokens FILE")
    return {agent: list(kept) for agent, kept in hashes.items()}


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


def _write(path: Path, hashes: dict[str, list[str]]) -> None:
    """Put a new file in the place of the old one at once, readable by its owner alone from the first moment."""
    text = json.dumps({"tokens": dict(sorted(hashes.items()))}, indent=2) + "\n"
    try:
        handle, made = tempfile.mkstemp(dir=path.absolute().parent, prefix=path.name)  # made with rights 0600
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(made, path)
    except OSError as error:
        raise Unavailable(
            f"the tokens file {path} cannot be written ({error.strerror}); check the folder and the space on the disk"
        ) from None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
