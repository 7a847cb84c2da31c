"""Short helpers that make events as lines of JSON, written out here so that they share nothing with the product's own writer.

Times are hours after 2026-03-01T00:00:00Z. Ids follow from the content, so the same call gives the same event.
"""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = [
    "agent",
    "amount",
    "answer",
    "capacity",
    "event",
    "hours",
    "ledger",
    "moment",
    "moment_us",
    "need",
    "offer",
    "proposal",
    "report",
    "resource",
    "retracted",
    "route",
    "take_back",
    "tick",
    "withdraw",
]

START = datetime(2026, 3, 1, tzinfo=UTC)
Data = dict[str, Any] | None


def moment(at: float) -> str:
    """RFC 3339 of so many hours after the start."""
    return (START + timedelta(hours=at)).isoformat().replace("+00:00", "Z")


def moment_us(at: float) -> int:
    """The same in microseconds since 1970."""
    return (START + timedelta(hours=at) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def amount(value: float, unit: str = "1") -> dict[str, Any]:
    return {"value": value, "unit": unit}


def event(
    kind: str,
    source: str,
    subject: str,
    at: float,
    data: Data,
    *,
    id: str | None = None,  # noqa: A002  the wire calls it so
    logtime: float | None = None,
) -> bytes:
    record: dict[str, Any] = {
        "specversion": "1.0",
        "source": source,
        "type": f"stigmergy.{kind}.v1",
        "subject": subject,
        "time": moment(at),
        "data": data,
    }
    record["id"] = id or hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]
    if logtime is not None:
        record["logtime"] = moment(logtime)
    return json.dumps(record).encode()


def _said(kind: str, who: str, subject: str, at: float, data: Data, more: dict[str, Any]) -> bytes:
    form = {name: more.pop(name) for name in ("id", "logtime") if name in more}
    times = {name: moment(value) for name, value in more.items() if name in ("begin", "end", "due", "expires") and value is not None}
    return event(kind, f"agent:{who}", subject, at, None if data is None else {**data, **more, **times}, **form)


def agent(who: str, lat: float | None = None, long: float = 0.0, *, at: float = 0, **more: Any) -> bytes:
    """Who it is, and where."""
    place = {} if lat is None else {"place": {"lat": lat, "long": long}}
    return _said("agent", who, "agent", at, place, more)


def offer(who: str, quantity: float, thing: str = "mask", *, at: float = 0, subject: str = "o", unit: str = "1", **more: Any) -> bytes:
    return _said("offer", who, subject, at, {"resource": thing, "quantity": amount(quantity, unit)}, more)


def need(who: str, quantity: float, thing: str = "mask", *, at: float = 0, subject: str = "n", unit: str = "1", **more: Any) -> bytes:
    return _said("need", who, subject, at, {"resource": thing, "quantity": amount(quantity, unit)}, more)


def capacity(who: str, effort: float, process: str = "sewing", *, at: float = 0, subject: str = "c", unit: str = "h", **more: Any) -> bytes:
    window = {"begin": 0.0, "end": 1000.0} | more
    return _said("capacity", who, subject, at, {"process": process, "effort": amount(effort, unit)}, window)


def hours(who: str, effort: float, process: str = "sewing", *, at: float = 0, subject: str = "n", unit: str = "h", **more: Any) -> bytes:
    """A need of hours of a process."""
    return _said("need", who, subject, at, {"process": process, "effort": amount(effort, unit)}, more)


def resource(who: str, thing: str, unit: str = "1", *, at: float = 0, **more: Any) -> bytes:
    return _said("resource", who, more.pop("subject", thing), at, {"resource": thing, "unit": unit}, more)


def route(who: str, to: str, distance_km: float, *, at: float = 0, **more: Any) -> bytes:
    return _said("route", who, more.pop("subject", to), at, {"to": to, "distance_km": distance_km}, more)


def withdraw(kind: str, who: str, subject: str, *, at: float) -> bytes:
    return _said(kind, who, subject, at, None, {})


def answer(who: str, to: str, word: str = "accept", *, at: float, quantity: float | None = None, unit: str = "1", **more: Any) -> bytes:
    counter = {} if quantity is None else {"quantity": amount(quantity, unit)}
    return _said("answer", who, to, at, {"proposal": to, "answer": word, **counter}, more)


def take_back(who: str, to: str, *, at: float) -> bytes:
    """A null on one's acceptance."""
    return withdraw("answer", who, to, at=at)


def report(who: str, commitment: str, action: str = "transfer", *, at: float, quantity: float | None = None, unit: str = "1") -> bytes:
    moved = {} if quantity is None else {"quantity": amount(quantity, unit)}
    subject = f"report-{action}-{at}"
    return _said("report", who, subject, at, {"commitment": commitment, "action": action, **moved}, {})


def tick(at: float, source: str = "coordinator:main") -> bytes:
    return event("tick", source, "tick", at, {})


def ledger(data: dict[str, Any], *, at: float, source: str = "coordinator:main") -> bytes:
    return event("ledger", source, f"{data['proposal']}.{data['kind']}", at, data)


def retracted(name: str, *, at: float) -> bytes:
    return event("proposal", "coordinator:main", name, at, None)


def proposal(
    name: str,
    provider: str,
    receiver: str,
    quantity: float,
    *,
    at: float,
    expires: float = 168,
    offer: str = "o",
    need: str = "n",
    thing: str = "mask",
    distance_km: float = 1.0,
    unit: str = "1",
    reasons: Data = None,
) -> bytes:
    """A proposal of one line, as some coordinator could have recorded it."""
    line = {
        "provider": provider,
        "receiver": receiver,
        "action": "transfer",
        "resource": thing,
        "quantity": amount(quantity, unit),
        "offer": f"{provider}/offer/{offer}",
        "need": f"{receiver}/need/{need}",
        "distance_km": distance_km,
        "effort": quantity * distance_km,
    }
    data = {"proposal": name, "lines": [line], "expires": moment(expires), "charter": "c", "reasons": reasons or {}}
    return event("proposal", "coordinator:main", name, at, data)
