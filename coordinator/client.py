"""A microfactory's side of the coordinator in five lines: say what you have and need, see what is proposed, answer.

client = Client("http://127.0.0.1:8765", agent="atelier-nord", token="stig_…")
client.offer("face-shield", 120)
for proposal in client.proposals():
    client.accept(proposal["proposal"])
"""

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any

from coordinator.errors import Refused, Unavailable
from coordinator.signals import event_json, parse_event
from coordinator.times import SECOND_US, format_instant, parse_instant
from coordinator.wording import shown

__all__ = ["Client", "Instant"]

Instant = datetime | str  # a time with its offset
Row = dict[str, Any]

LARGEST_ANSWER = 64 << 20  # bytes
AGAIN_S = (0.2, 1.0, 3.0)  # waits between tries: the same event again, which changes nothing where it was taken already
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+(%[\w.-]+)?")  # a name, or an address of either kind
TOKEN = re.compile(r"[!-~]+")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A token is for the address it was given for, and for no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


class _AllRefused(Refused):
    """None of several events was taken; each has its own reason."""

    def __init__(self, reason: str, results: list[Row]) -> None:
        super().__init__(reason)
        self.results = results


class Client:
    """Speaks for one agent. `Refused` carries the server's sentence: mend what was said. `Unavailable`: the same call may work later."""

    def __init__(
        self,
        url: str,
        agent: str | None = None,
        token: str | None = None,
        *,
        timeout_s: float = 10.0,
        tries: int = 3,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        host = _host_of(url)
        if token is not None and not TOKEN.fullmatch(token):  # not shown: it may be most of one that holds
            raise Refused("the token has blanks or characters in it that no token has; give it as `coordinator token create` printed it")
        self.url, self.agent = url.rstrip("/"), agent
        self._token, self._timeout_s, self._tries, self._now_us = token, timeout_s, max(1, tries), now_us
        proxies: dict[str, str] | None = {} if host in LOOPBACK else None  # None: as the environment says
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies), _NoRedirects())

    # -- what an agent says -------------------------------------------------------------------------------------------

    def offer(self, resource: str, quantity: float, unit: str = "1", *, subject: str | None = None, **more: Any) -> Row:
        """Offer goods on hand. Said again it is a refresh, or a new count: the subject is the resource, unless you name one."""
        return self.say("offer", subject or resource, {"resource": resource, "quantity": {"value": quantity, "unit": unit}, **more})

    def need(self, resource: str, quantity: float, unit: str = "1", *, subject: str | None = None, **more: Any) -> Row:
        """Ask for a resource; `tier` 0 is vital and 3 wished, `due` when it is wanted."""
        return self.say("need", subject or resource, {"resource": resource, "quantity": {"value": quantity, "unit": unit}, **more})

    def need_hours(self, process: str, hours: float, *, subject: str | None = None, **more: Any) -> Row:
        """Ask for hours of a process."""
        return self.say("need", subject or process, {"process": process, "effort": {"value": hours, "unit": "h"}, **more})

    def capacity(self, process: str, hours: float, begin: Instant, end: Instant, *, subject: str | None = None, **more: Any) -> Row:
        """Offer hours of a process in a window. Another window is another signal, unless you name the subject."""
        window = {"begin": _instant(begin), "end": _instant(end)}
        subject = subject or f"{process[:100]}@{window['begin'][:24]}"
        return self.say("capacity", subject, {"process": process, "effort": {"value": hours, "unit": "h"}, **window, **more})

    def withdraw(self, kind: str, subject: str) -> Row:
        """Take back a signal: ``withdraw("offer", "face-shield")``."""
        return self.say(kind, subject, None)

    def accept(self, proposal: str) -> Row:
        """Accept a proposal whole. Returns what the ledger says to it; Refused when the ledger refused it."""
        return self._answer(proposal, {"answer": "accept"})

    def decline(self, proposal: str, reason: str | None = None) -> Row:
        """Decline a proposal."""
        return self._answer(proposal, {"answer": "decline"} | ({"reason": reason} if reason else {}))

    def counter(self, proposal: str, quantity: float, unit: str | None = None, reason: str | None = None) -> Row:
        """Say what smaller quantity of a proposal would do, in the proposal's own unit unless you name one."""
        if unit is None:
            lines = self.proposal(proposal).get("lines") or [{"quantity": {"unit": "1"}}]
            unit = lines[0]["quantity"]["unit"]
        said = {"answer": "counter", "quantity": {"value": quantity, "unit": unit}}
        return self._answer(proposal, said | ({"reason": reason} if reason else {}))

    def report(
        self,
        commitment: str,
        action: str,
        quantity: float | None = None,
        unit: str = "1",
        *,
        hours: float | None = None,
        note: str | None = None,
    ) -> Row:
        """Report what happened to a commitment, such as ``report(id, "transfer", 60)``; without a quantity, all of it."""
        said: Row = {"commitment": commitment, "action": action}
        if quantity is not None:
            said["quantity"] = {"value": quantity, "unit": unit}
        if hours is not None:
            said["effort"] = {"value": hours, "unit": "h"}
        if note is not None:
            said["note"] = note
        time_us = self._now_us()
        return _judged(self.say("report", f"{commitment[:64]}.{action}.{time_us}", said, time_us=time_us))

    def say(self, kind: str, subject: str, data: Mapping[str, Any] | None, *, time_us: int | None = None) -> Row:
        """Say one signal of any kind; None withdraws it. Times may be datetimes. Returns what became of it."""
        if self.agent is None:
            raise Refused("nobody speaks; name the agent: Client(url, agent=NAME)")
        told = None if data is None else {name: _instant(value) if isinstance(value, datetime) else value for name, value in data.items()}
        line = event_json(kind, f"agent:{self.agent}", subject, self._now_us() if time_us is None else time_us, told)
        parse_event(line, strict_fields=True)  # What is wrong is said here, before anything is sent.
        result = self.publish([line])[0]
        if result["status"] == "refused":
            raise Refused(str(result["reason"]))
        return result

    def publish(self, lines: Sequence[bytes]) -> list[Row]:
        """Send events, each a line of structured JSON; return what became of each: its `status` is taken, repeat or refused."""
        try:
            results: list[Row] = self._call("POST", "/signals", b"\n".join(lines) + b"\n")["results"]
        except _AllRefused as refusal:
            return refusal.results
        return results

    def _answer(self, proposal: str, said: Row) -> Row:
        return _judged(self.say("answer", proposal, {"proposal": proposal, **said}))

    # -- what it may read ---------------------------------------------------------------------------------------------

    def proposals(self, state: str | None = None) -> list[Row]:
        """Return the proposals this agent is a party of (all, where the client speaks for nobody); `state` picks, such as "proposed"."""
        return list(self.pages("/proposals", agent=self.agent, state=state))

    def proposal(self, start: str) -> Row:
        """Return one proposal by its id, or by the beginning of it."""
        if not start:
            raise Refused("there is no proposal ''; look at the list of proposals for its id")  # its address would be that of the list
        return self.read("/proposals/" + urllib.parse.quote(start, safe=""))

    def pages(self, path: str, **asked: Any) -> Iterator[Row]:
        """Yield the rows of all pages of a list: ``/needs``, ``/offers``, ``/proposals``, ``/ledger`` or ``/refused``."""
        after: str | None = None
        while True:
            page = self.read(path, limit=500, after=after, **asked)
            yield from page["items"]
            after = page["next"]
            if after is None:
                return

    def read(self, path: str, **asked: Any) -> Row:
        """Return what the server answers to a question."""
        query = urllib.parse.urlencode({name: value for name, value in asked.items() if value is not None})
        return self._call("GET", f"{path}?{query}" if query else path, None)

    # -- the wire -----------------------------------------------------------------------------------------------------

    def _call(self, method: str, path: str, body: bytes | None) -> Row:
        """Return the answer; what may pass is tried again, always with the same words."""
        for wait_s in (*AGAIN_S[: self._tries - 1], None):
            try:
                return self._call_once(method, path, body)
            except Unavailable:
                if wait_s is None:
                    raise
                time.sleep(wait_s)
        raise AssertionError("the last try returns or raises")

    def _call_once(self, method: str, path: str, body: bytes | None) -> Row:
        request = urllib.request.Request(self.url + path, data=body, method=method)  # noqa: S310  the scheme was checked
        if body is not None:
            request.add_header("content-type", "application/x-ndjson")
        if self._token is not None:
            request.add_unredirected_header("authorization", f"Bearer {self._token}")
        try:
            with self._opener.open(request, timeout=self._timeout_s) as response:
                answer: Row = json.loads(response.read(LARGEST_ANSWER))
                return answer
        except urllib.error.HTTPError as error:
            with error:
                problem = _problem(error)
            detail = str(problem.get("detail") or f"the server answered {error.code} {error.reason}; check the address")
            if error.code in (408, 425, 429) or error.code >= 500:
                raise Unavailable(f"{self.url} could not do it now ({error.code}): {detail}") from None
            if problem.get("results"):
                raise _AllRefused(detail, problem["results"]) from None
            raise Refused(detail) from None
        except (OSError, HTTPException, ValueError) as error:  # no connection, or an answer that is none
            reason = getattr(error, "reason", error)
            raise Unavailable(
                f"{self.url} does not answer ({reason}); check the address, and that `coordinator serve` runs there"
            ) from None


def _host_of(url: str) -> str:
    """Return the host of an address that may work; of any other it is said at once what is wrong with it, for trying again is no use."""
    if "@" in url:  # not shown: what stands before it may be a password
        raise Refused("the address has a name or a password before an @, and none is taken there; leave it out, and give a token as one")
    wrong = f"the address is {shown(url)}; "
    expected = "http:// or https:// and a host was expected, such as http://127.0.0.1:8765"
    if not url.isprintable() or " " in url:
        raise Refused(wrong + "blanks and hidden characters have no place in one: leave them out")
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
        host.encode("idna")
    except ValueError:
        raise Refused(wrong + expected) from None
    try:
        has_port = parts.port != 0
    except ValueError:
        has_port = False
    if not has_port:
        raise Refused(wrong + "its port is none: a whole number from 1 to 65535 was expected")
    if parts.scheme not in ("http", "https") or not HOST.fullmatch(host):
        raise Refused(wrong + expected)
    if parts.query or parts.fragment or not parts.path.isascii():
        raise Refused(
            wrong + "it is what all paths are added to, so leave out what begins with ? or #, and letters beyond ASCII in its path"
        )
    return host


def _problem(error: urllib.error.HTTPError) -> Row:
    """Return what the server says is wrong; nothing where it is not our server that speaks."""
    try:
        told = json.loads(error.read(LARGEST_ANSWER))
    except (OSError, HTTPException, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _judged(result: Row) -> Row:
    """Return a result whose verdict did not go against the speaker; else Refused, with the ledger's reason."""
    for verdict in result.get("decided", ()):
        if verdict["kind"] == "refused":
            raise Refused(str(verdict.get("why", "the ledger refused it")))
    return result


def _instant(value: Instant) -> str:
    """Return a time as it goes over the wire. Refused without an offset: nobody else knows which clock was meant."""
    if isinstance(value, str):
        return format_instant(parse_instant(value))
    if value.tzinfo is None:
        raise Refused(f"the time {value} has no offset; give one: datetime(..., tzinfo=UTC)")
    since = value - datetime(1970, 1, 1, tzinfo=UTC)
    return format_instant((since.days * 86_400 + since.seconds) * SECOND_US + since.microseconds)
