"""``coordinator publish``: one signal from flags, or events from standard input, to a server or into a log."""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coordinator.adapters.clock import wall_us
from coordinator.cli.access import Access, reach
from coordinator.errors import Refused, Unavailable
from coordinator.fields import read_agent_name
from coordinator.settings import read_settings
from coordinator.signals import event_json, parse_event
from coordinator.units import unit_of
from coordinator.wording import asked_for, counted

__all__ = ["Request", "number_in", "run", "said_by", "tell"]

AT_ONCE = 1_000  # lines sent together
KINDS = ("offer", "need", "capacity", "agent")


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for on the command line."""

    what: str
    thing: str | None
    amount: str | None
    agent: str | None
    subject: str | None
    withdraw: bool
    unit: str | None
    fields: dict[str, Any]  # the others, as the wire names them; None where absent
    lat: float | None
    long: float | None
    url: str | None
    log: Path | None
    charter: Path | None
    as_json: bool


def run(request: Request) -> None:
    """Publish, and say what became of it; Refused when anything was refused."""
    access = reach(request.url, request.log, request.charter)
    if request.what == "-":
        _publish_lines(access, request.as_json)
        return
    line = _line(request)
    [result] = access.publish([line])
    tell(result, request.as_json)


def said_by(agent: str | None) -> str:
    """Return who speaks: the agent named, else that of the settings."""
    name = read_settings().agent if agent is None else agent
    if name is not None and not name.strip():
        where = "the setting `agent`" if agent is None else "--as"
        raise Refused(f"{where} names nobody: an empty text came; say which agent speaks, such as --as atelier-nord")
    if name is None:
        raise Refused(
            "nobody speaks; name the agent with --as NAME, or once and for all in coordinator.toml, "
            'below a line [coordinator]: agent = "NAME"'
        )
    return name


def tell(result: dict[str, Any], as_json: bool) -> None:
    """Print what became of one event; Refused when it was refused, or when the ledger refused it."""
    if result["status"] == "refused":
        raise Refused(str(result["reason"]))
    if as_json:
        print(json.dumps({name: value for name, value in result.items() if value not in (None, ())}, ensure_ascii=False))
    for verdict in result.get("decided") or ():
        if verdict["kind"] == "refused":
            raise Refused(str(verdict.get("why")))
    if not as_json:
        kinds = ", ".join(verdict["kind"] for verdict in result.get("decided") or ())
        print(f"{kinds or result['status']}: {result['id']}" + (f"\nnote: {result['note']}" if result.get("note") else ""))


def _line(request: Request) -> bytes:
    """Return the event that the flags say."""
    if request.what in {"report", "answer"}:
        raise Refused(f"{request.what!r} cannot be said with flags of publish; use coordinator accept, decline, counter or report")
    if request.what not in KINDS:
        raise Refused(
            f"{request.what!r} cannot be said with flags; say {', '.join(KINDS)}, or - and events as JSON lines on standard input"
        )
    request = _of_itself(request)
    source, subject = f"agent:{said_by(request.agent)}", request.subject or _subject(request)
    data = None if request.withdraw else _data(request)
    line = event_json(request.what, source, subject, wall_us(), data)
    parse_event(line, strict_fields=True)
    return line


def _of_itself(request: Request) -> Request:
    """Return what was asked for; where an agent is told of and nobody named as the speaker, the agent named is the one who speaks."""
    if request.what != "agent" or request.agent is not None or request.thing is None or read_settings().agent is not None:
        return request
    try:
        return replace(request, agent=read_agent_name(request.thing), thing=None)
    except ValueError:  # It is a name for people, such as Atelier Nord: then who it is of has to be said.
        return request


def _subject(request: Request) -> str:
    """Return the subject a client would choose: saying the same thing again refreshes it."""
    if request.what == "agent":
        return "agent"
    if request.thing is None:
        raise Refused("nothing is named; say what, such as: coordinator publish offer face-shield 120 --as NAME")
    begin = request.fields["begin"]
    return f"{request.thing[:100]}@{begin[:24]}" if request.what == "capacity" and begin else request.thing


def _data(request: Request) -> dict[str, Any]:
    data = {name: value for name, value in request.fields.items() if value is not None}
    if (request.lat is None) != (request.long is None):
        raise Refused("half a place came; give both --lat and --long")
    for name, value in [("lat", request.lat), ("long", request.long), *data.items()]:
        if isinstance(value, float) and not math.isfinite(value):
            raise Refused(f"--{name.replace('_', '-')} is {value}; a number was expected, such as 48.11")
    if request.lat is not None:
        data["place"] = {"lat": request.lat, "long": request.long}
    if request.what == "agent":
        return data | ({"name": request.thing} if request.thing else {})
    if request.amount is None:
        raise Refused(f"how much is missing; say it, such as: coordinator publish {request.what} {request.thing} 120 --as NAME")
    if request.what == "capacity" and not {"begin", "end"} <= data.keys():
        raise Refused("when these hours are is missing; say it, such as: --begin 2026-03-02T08:00:00Z --end 2026-03-06T18:00:00Z")
    unit = request.unit or ("h" if request.what == "capacity" else "1")
    amount = {"value": number_in(request.amount), "unit": unit}
    if request.what == "capacity" or (request.what == "need" and unit_of(unit).dimension == "time"):
        return {"process": request.thing, "effort": amount, **data}
    return {"resource": request.thing, "quantity": amount, **data}


def number_in(text: str) -> int | float:
    """Return the quantity that a text says."""
    try:
        number = int(text) if text.isdigit() else float(text)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise Refused(f"the quantity is {asked_for(text)}; a number was expected, such as 120 or 0.5")
    if math.isinf(number):  # what was written, such as 1e400, is more than a double holds
        raise Refused(f"the quantity is {asked_for(text)}; at most 1e9 of its unit is taken: check it")
    return number


def _publish_lines(access: Access, as_json: bool) -> None:
    taken = repeats = number = 0
    faults: list[str] = []
    lines = iter(sys.stdin.buffer)
    while some := [line for _, line in zip(range(AT_ONCE), lines, strict=False)]:
        numbered = [(number + index, line.strip()) for index, line in enumerate(some, 1) if line.strip()]
        number += len(some)
        try:
            results = _publish(access, [line for _, line in numbered])
        except Unavailable as error:
            _tell_faults(faults)
            told = f"{taken:,} taken, {repeats:,} known already, {len(faults):,} refused; from line {number - len(some) + 1:,} on"
            raise Unavailable(f"{told} this came: {error}; send all of it again, each event counts once") from error
        for (at, _), result in zip(numbered, results, strict=True):
            taken += result["status"] == "taken"
            repeats += result["status"] == "repeat"
            if result["status"] == "refused":
                faults.append(f"line {at}: {result['reason']}")
    if not taken + repeats + len(faults):
        raise Refused("no event came on standard input; events as JSON lines were expected: see what the command before it said")
    if as_json:
        print(json.dumps({"taken": taken, "repeats": repeats, "refused": faults}, ensure_ascii=False))
    else:
        print(f"{taken} taken, {repeats} known already, {len(faults)} refused")
        _tell_faults(faults)
    if faults:
        raise Refused(f"{counted(len(faults), 'line')} of {number:,} refused; mend what was refused and send it again, the rest stands")


def _tell_faults(faults: Sequence[str]) -> None:
    for fault in faults:
        print(fault, file=sys.stderr)


def _publish(access: Access, lines: list[bytes]) -> list[dict[str, Any]]:
    return access.publish(lines) if lines else []
