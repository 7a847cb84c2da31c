"""What agents and coordinators say: one frozen model a kind, and the reader that takes in a line or refuses it with a sentence.

The models hold an event's `data` in exact numbers: microseconds, grains, metres, micrograms. Their annotations say how each field is
read from the wire; made in Python, they take the inner values as they are. `parse_event` gives the whole event.
"""

import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from functools import lru_cache, partial
from typing import Annotated, Any, Literal

import msgspec
from orjson import Fragment
from pydantic import Field, StrictBool, TypeAdapter, ValidationError
from pydantic.json_schema import SkipJsonSchema

from coordinator.complaints import complaint
from coordinator.errors import Refused
from coordinator.fields import (
    AgentName,
    Amount,
    Distance,
    EchoedAmount,
    EchoedHours,
    Grains,
    Hours,
    Instant,
    Latitude,
    Lead,
    Limits,
    Longitude,
    Many,
    MassPerUnit,
    Minimum,
    Name,
    Note,
    Number,
    Power,
    Radius,
    Runs,
    Share,
    Text,
    Tier,
    UnitCode,
    read_agent_name,
    read_once,
)
from coordinator.glance import NOT_PLAIN, glance_at
from coordinator.jsontext import canonical_json, exact_numbers, read_json, read_plain, write_json
from coordinator.times import format_instant, parse_instant
from coordinator.units import Quantity
from coordinator.wording import amount as in_words
from coordinator.wording import near, shown

__all__ = [
    "KINDS",
    "OWN_KINDS",
    "Agent",
    "Answer",
    "Batch",
    "Capacity",
    "Demand",
    "Event",
    "Flow",
    "Ledger",
    "Line",
    "Need",
    "Offer",
    "Output",
    "Place",
    "Proposal",
    "Recipe",
    "Report",
    "Resource",
    "Route",
    "Signal",
    "Step",
    "Tick",
    "Worded",
    "content_id",
    "event_json",
    "parse_event",
    "worded",
]

WHOLE_PPM = 10**6  # all of it
SHORTEST_EVERY_MS = 60_000

Basis = Literal["free", "total"]
Action = Literal[
    "accept",
    "cite",
    "combine",
    "consume",
    "copy",
    "deliverService",
    "dropoff",
    "lower",
    "modify",
    "move",
    "pickup",
    "produce",
    "raise",
    "separate",
    "transfer",
    "transferAllRights",
    "transferCustody",
    "use",
    "work",
]


class Signal:
    """What an event says: its `data`. Fields that a kind does not know are passed over."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is, in degrees of WGS 84."""

    lat: Latitude
    long: Longitude
    label: Text | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """A resource going in or coming out."""

    resource: Name
    quantity: Amount


@dataclass(frozen=True, slots=True)
class Output:
    """A resource coming out: of `quantity` a share of `yield_ppm` millionths is good; a by-product is not what the recipe is run for."""

    resource: Name
    quantity: Amount
    yield_ppm: Annotated[Share, Field(alias="yield")] = WHOLE_PPM
    by_product: StrictBool = False

    @property
    def good(self) -> Fraction:
        """How many grains one run gives on average; of a batch the sum counts, rounded down."""
        return Fraction(self.quantity.grains * self.yield_ppm, WHOLE_PPM)


@dataclass(frozen=True, slots=True)
class Step:
    """Work of one process: for each run, and once before (`setup`).

    `requires` is held against the `limits` of capacities. `lead_us` passes after the work without holding a machine (curing, drying).
    """

    process: Name
    effort: Hours
    setup: Hours | None = None
    requires: Limits = field(default_factory=dict)
    lead_us: Annotated[Lead, Field(alias="lead_h")] = 0
    energy_mwh: Annotated[Power | None, Field(alias="energy_kwh")] = None  # of one run


@dataclass(frozen=True, slots=True)
class Demand:
    """Work of a process of which nobody said how long it takes."""

    process: Name
    requires: Limits = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """How many runs go together: at least `minimum`, in whole multiples of `multiple`."""

    minimum: Runs | None = None
    multiple: Runs | None = None


@dataclass(frozen=True, slots=True)
class Agent(Signal):
    """Who offers, makes or needs, and where."""

    name: Text | None = None
    place: Place | None = None
    classified_as: Many[Text] = ()
    key: Note | None = None


@dataclass(frozen=True, slots=True)
class Resource(Signal):
    """A kind of thing with one unit; a pack (`multiple_grains`) moves only whole."""

    resource: Name
    unit: UnitCode
    name: Text | None = None
    mass_ug: Annotated[MassPerUnit | None, Field(alias="mass_kg")] = None
    multiple_grains: Annotated[Grains | None, Field(alias="multiple")] = None
    substitutes: Many[Name] = ()
    aliases: Many[Name] = ()


@dataclass(frozen=True, slots=True)
class Offer(Signal):
    """Goods on hand."""

    resource: Name
    quantity: Amount
    begin_us: Annotated[Instant | None, Field(alias="begin")] = None
    end_us: Annotated[Instant | None, Field(alias="end")] = None
    minimum_grains: Annotated[Minimum, Field(alias="minimum")] = 0
    within_m: Annotated[Radius | None, Field(alias="within_km")] = None
    basis: Basis = "free"
    place: Place | None = None
    expires_us: Annotated[Instant | None, Field(alias="expires")] = None
    lead_us: Annotated[Lead, Field(alias="lead_h")] = 0  # from a yes until it can leave
    every: Hours | None = None  # so much again each time so long has passed

    @property
    def name(self) -> str:
        """The resource offered."""
        return self.resource

    @property
    def amount(self) -> Quantity:
        """How much of it."""
        return self.quantity

    def __post_init__(self) -> None:
        _check_window(self.begin_us, self.end_us)
        _check_every(self.every, self.basis)


@dataclass(frozen=True, slots=True)
class Capacity(Signal):
    """Hours of a process, of machines or people, in a window."""

    process: Name
    effort: Hours
    begin_us: Annotated[Instant, Field(alias="begin")]
    end_us: Annotated[Instant, Field(alias="end")]
    minimum_grains: Annotated[Minimum, Field(alias="minimum")] = 0
    within_m: Annotated[Radius | None, Field(alias="within_km")] = None
    basis: Basis = "free"
    limits: Limits = field(default_factory=dict)
    place: Place | None = None
    expires_us: Annotated[Instant | None, Field(alias="expires")] = None
    lead_us: Annotated[Lead, Field(alias="lead_h")] = 0
    every: Hours | None = None
    power_mw: Annotated[Power | None, Field(alias="power_kw")] = None  # what an hour of work draws

    @property
    def name(self) -> str:
        """The process offered."""
        return self.process

    @property
    def amount(self) -> Quantity:
        """How many hours of it."""
        return self.effort

    def __post_init__(self) -> None:
        _check_window(self.begin_us, self.end_us)
        _check_every(self.every, self.basis)


@dataclass(frozen=True, slots=True)
class Need(Signal):
    """A resource and how much of it, or a process and how many hours of it; wanted by `due_us`, useless after `end_us`."""

    resource: Name | None = None
    quantity: Amount | None = None
    process: Name | None = None
    effort: Hours | None = None
    due_us: Annotated[Instant | None, Field(alias="due")] = None
    begin_us: Annotated[Instant | None, Field(alias="begin")] = None
    end_us: Annotated[Instant | None, Field(alias="end")] = None
    tier: Tier = 1
    minimum_grains: Annotated[Minimum, Field(alias="minimum")] = 0
    within_m: Annotated[Radius | None, Field(alias="within_km")] = None
    substitutes: Many[Name] = ()
    basis: Basis = "free"
    place: Place | None = None
    expires_us: Annotated[Instant | None, Field(alias="expires")] = None
    every: Hours | None = None
    requires: Limits = field(default_factory=dict)  # of the capacity that gives the hours

    @property
    def name(self) -> str:
        """The resource or process needed."""
        return self.resource or self.process or ""

    @property
    def amount(self) -> Quantity:
        """How much, or how many hours, of it."""
        amount = self.quantity or self.effort
        assert amount is not None  # checked on the way in
        return amount

    def __post_init__(self) -> None:
        goods = (self.resource is not None) + (self.quantity is not None)
        hours = (self.process is not None) + (self.effort is not None)
        if goods + hours != 2 or goods == 1:
            names = [name for name in ("resource", "quantity", "process", "effort") if getattr(self, name) is not None]
            raise ValueError(
                f" has {' and '.join(names) or 'neither resource nor process'}; a need is for a resource with its quantity, or for a "
                "process with its effort, not both: send one such pair."
            )
        if self.requires and self.process is None:
            raise ValueError(".requires is of machines, and came with a need of goods: send it with a process, or in a recipe's step.")
        _check_window(self.begin_us, self.end_us)
        _check_every(self.every, self.basis)


@dataclass(frozen=True, slots=True)
class Recipe(Signal):
    """What goes in, which processes for how long, what comes out."""

    recipe: Name
    outputs: Many[Output]
    steps: Many[Step]
    inputs: Many[Flow] = ()
    batch: Batch | None = None
    design: Note | None = None
    draft: StrictBool = False  # a suggestion: looked at, never planned with
    hours_unknown: Many[Demand] = ()
    quantity_unknown: Many[Name] = ()  # resources that go in, nobody said how much

    def __post_init__(self) -> None:
        if (self.hours_unknown or self.quantity_unknown) and not self.draft:
            raise ValueError(" does not know all of its hours and quantities; only a draft may: find them out, or send draft true.")
        if not self.outputs:
            raise ValueError(".outputs is empty; a recipe makes something: say what comes out.")
        if all(flow.by_product for flow in self.outputs):
            raise ValueError(".outputs are all by-products; a recipe is run for something: take by_product off one of them.")
        made = _sums(self.outputs, ".outputs")
        good: dict[str, Fraction] = {}
        for output in self.outputs:
            good[output.resource] = good.get(output.resource, Fraction(0)) + output.good
        for resource, taken in _sums(self.inputs, ".inputs").items():
            if resource not in made:
                continue
            if made[resource].dimension != taken.dimension:
                raise ValueError(
                    f" takes {shown(resource)} in {taken.unit} and makes it in {made[resource].unit}; these do not convert: "
                    "use one dimension."
                )
            if taken.grains >= good[resource]:
                share = (
                    ""
                    if good[resource] == made[resource].grains
                    else f", of which {float(good[resource] / made[resource].grains):.3g} is good"
                )
                raise ValueError(
                    f" takes {in_words(taken)} of {shown(resource)} to make {in_words(made[resource])} of it{share}; "
                    "a recipe makes more of its output than it takes: check inputs and outputs."
                )


@dataclass(frozen=True, slots=True)
class Route(Signal):
    """How far another agent is."""

    to: AgentName
    distance_m: Annotated[Distance, Field(alias="distance_km")]
    two_way: StrictBool = True


@dataclass(frozen=True, slots=True)
class Answer(Signal):
    """A party's word on one proposal."""

    proposal: Name
    answer: Literal["accept", "decline", "counter"]
    quantity: EchoedAmount | None = None
    reason: Note | None = None

    def __post_init__(self) -> None:
        if self.answer == "counter" and self.quantity is None:
            raise ValueError(".quantity is missing; a counter says how much instead: add the smaller quantity.")
        if self.answer == "accept" and self.quantity is not None:
            raise ValueError(".quantity came with accept; a proposal is accepted whole: leave it out, or send answer counter.")


@dataclass(frozen=True, slots=True)
class Report(Signal):
    """Something that happened to a commitment."""

    commitment: Name
    action: Action
    quantity: EchoedAmount | None = None
    effort: EchoedHours | None = None
    note: Note | None = None

    def __post_init__(self) -> None:
        if self.quantity is not None and self.effort is not None:
            raise ValueError(" has both quantity and effort; a report tells one of them: send two reports.")


@dataclass(frozen=True, slots=True)
class Tick(Signal):
    """Time passed and nothing else happened."""


@dataclass(frozen=True, slots=True)
class Line:
    """One movement that a proposal suggests."""

    provider: AgentName
    receiver: AgentName
    action: Action
    resource: Name
    quantity: EchoedAmount
    offer: Text  # agent/kind/subject of the offer or capacity used
    need: Text
    distance_m: Annotated[Distance, Field(alias="distance_km")]
    effort: Number  # in the charter's measure
    due_us: Annotated[Instant | None, Field(alias="due")] = None
    begin_us: Annotated[Instant | None, Field(alias="begin")] = None  # when work on it may begin
    end_us: Annotated[Instant | None, Field(alias="end")] = None  # when it has to be done, or there
    into: Text | None = None  # agent/recipe/subject that this goes into, on the way to what is needed

    @property
    def thing(self) -> tuple[str, str]:
        """What moves as the network knows it, by the name said: work done or an asset used is hours of a process, all else a resource."""
        return "process" if self.action in ("use", "work") else "resource", self.resource

    @property
    def takes(self) -> bool:
        """Whether it draws on its offer; what is made with hours names them, and takes none of them itself."""
        if "/recipe" not in self.offer and "/capacity" not in self.offer:
            return True
        kind = self.offer.partition("/")[2].partition("/")[0]
        return kind != "recipe" and (kind != "capacity" or self.quantity.dimension == "time")

    @property
    def stays(self) -> bool:
        """Whether it is used up where its provider works, on the way to the receiver: its own hours and its own material."""
        return self.into is not None and self.action in ("use", "consume")

    @property
    def serves(self) -> bool:
        """Whether it covers a part of its need, rather than going into what will."""
        return self.into is None


@dataclass(frozen=True, slots=True)
class Proposal(Signal):
    """A suggested match of one provider and one receiver, with its reasons."""

    proposal: Name
    lines: Many[Line]
    expires_us: Annotated[Instant, Field(alias="expires")]
    charter: Text
    reasons: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ledger(Signal):
    """One decision of a judge, with what it rests on. Whatever else a record carries is kept as it came, in `rest`."""

    kind: Name
    agent: AgentName
    proposal: Name
    statement: Note | None = None  # source/id of the event judged
    free_before: Any = None
    free_after: Any = None
    why: Note | None = None
    limit: EchoedAmount | None = None  # the most that a counter leaves open
    moved: Many[EchoedAmount | None] = ()  # what a report moved, a line each
    ends: StrictBool = False  # whether a release ends the plan for all
    rest: SkipJsonSchema[dict[str, Any]] = field(default_factory=dict)


KINDS: Mapping[str, type[Signal]] = {
    "agent": Agent,
    "resource": Resource,
    "offer": Offer,
    "capacity": Capacity,
    "need": Need,
    "recipe": Recipe,
    "route": Route,
    "answer": Answer,
    "report": Report,
    "tick": Tick,
    "proposal": Proposal,
    "ledger": Ledger,
}
OWN_KINDS = frozenset({"tick", "proposal", "ledger"})  # said by coordinators only; all others by agents only


class Event(msgspec.Struct, frozen=True):
    """One event as it was said, checked and exact."""

    kind: str
    source: str
    name: str  # the speaker's, without ``agent:`` or ``coordinator:``
    id: str
    subject: str
    time_us: int  # when it was said: a claim
    logtime_us: int | None  # when a log took it, where an export tells
    data: Signal | None  # None withdraws what (kind, source, subject) said before
    content: bytes  # 16 bytes of digest over all that a repeat of (source, id) must share
    spoken_by: str | None = None  # who said it for its source, as the door that took it knew by a token

    @property
    def by_agent(self) -> bool:
        """Whether an agent speaks, not a coordinator."""
        return self.source.startswith("agent:")


class Worded(msgspec.Struct, frozen=True):
    """A line as it is said here, and the event that whoever reads it has: `parse_event` gives the same."""

    line: bytes
    event: Event


def parse_event(line: bytes | str, *, strict_fields: bool = False, stamp_us: int | None = None) -> Event:
    """The event that one line of structured JSON says. Refused, with a sentence that names the field, when it cannot be taken.

    Unknown fields of `data` are passed over, as readers should; with `strict_fields` they are refused, as producers should want.
    `stamp_us` is when the log took it that the line was read from; it counts, whatever log time the line itself tells.
    """
    try:
        return _event_of(read_plain(line), _GLANCES, stamp_us)
    except NOT_PLAIN:  # The judge looks, who also says what is wrong.
        return _event_of(read_json(line), _STRICT_JUDGES if strict_fields else _JUDGES, stamp_us)


def _event_of(record: object, readers: Mapping[str, Callable[[object], Signal]], stamp_us: int | None) -> Event:
    if not isinstance(record, dict):
        raise Refused(f"The line holds {shown(record)}; one CloudEvents object was expected: send it in {{ }}.")
    try:
        kind, source, name = _speaker(record["type"], record["source"])
        if record["specversion"] != "1.0":
            raise ValueError
        event_id, subject, time_us = read_once(record["id"]), read_once(record["subject"]), parse_instant(record["time"])
    except (Refused, KeyError, TypeError, ValueError):  # Looked at again, one by one, to say which of them is wrong.
        kind = _read_kind(record)
        source, name = _read_source(record, kind)
        event_id, subject, time_us = _read_field(record, "id"), _read_field(record, "subject"), _read_time(record, "time")
    told_us = None if record.get("logtime") is None else _read_time(record, "logtime")
    logtime_us = told_us if stamp_us is None else stamp_us
    spoken_by = None if record.get("spokenby") is None else _read_field(record, "spokenby")
    if "data" not in record:
        problem = "is in data_base64" if "data_base64" in record else "is missing"
        raise Refused(f"data {problem}; every event has data, or null to withdraw: add it.")
    data = record["data"]
    said = canonical_json([kind, subject, time_us, data])
    if b":null" in said:
        data = _without_nulls(data)
        said = canonical_json([kind, subject, time_us, data])
    signal = None if data is None else readers[kind](data)
    if kind == "answer" and isinstance(signal, Answer) and signal.proposal != subject:
        raise Refused(
            f"subject is {shown(subject)} and data.proposal {shown(signal.proposal)}; an answer's subject is its proposal: make them equal."
        )
    return Event(kind, source, name, event_id, subject, time_us, logtime_us, signal, _digest(said), spoken_by)


def event_json(
    kind: str,
    source: str,
    subject: str,
    time_us: int,
    data: object,
    *,
    id: str | None = None,  # noqa: A002  the wire calls it so
    logtime_us: int | None = None,
    plain: bool = False,
) -> bytes:
    """One line of structured JSON without its newline. `id` is `content_id(...)` unless given. Checks nothing that `parse_event` checks.

    `plain` says that `data` holds no number but whole ones and fractions from 0.0001 to 1e15, which need no care to be written exactly.
    """
    exact = data if plain else exact_numbers(data)
    record = {
        "specversion": "1.0",
        "id": _content_id(source, kind, subject, time_us, canonical_json(exact)) if id is None else id,
        "source": source,
        "type": f"stigmergy.{kind}.v1",
        "subject": subject,
        "time": format_instant(time_us),
    }
    if logtime_us is not None:
        record["logtime"] = format_instant(logtime_us)
    return write_json(record | {"data": exact})


def worded(
    kind: str, source: str, subject: str, time_us: int, data: dict[str, Any] | None, *, logtime_us: int, read: Signal | None = None
) -> Worded:
    """What `event_json` writes, and the event in it. `read` is what whoever reads `data` has, where that is known and `data` is plain.

    Refused where `parse_event` would refuse the line.
    """
    said = canonical_json(data) if data is None or read is not None else b":null"
    if b":null" in said:  # What is null is passed over, and what is not known has to be read.
        line = event_json(kind, source, subject, time_us, data, logtime_us=logtime_us)
        return Worded(line, parse_event(line))
    event_id = _content_id(source, kind, subject, time_us, said)
    line = event_json(kind, source, subject, time_us, data, id=event_id, logtime_us=logtime_us, plain=True)
    content = _digest(canonical_json([kind, subject, time_us, Fragment(said)]))
    return Worded(line, Event(kind, source, source.partition(":")[2], event_id, subject, time_us, logtime_us, read, content))


def content_id(source: str, kind: str, subject: str, time_us: int, data: object) -> str:
    """32 hex digits that follow from what is said, so that saying it again changes nothing. 20 and 20.0 are one content."""
    return _content_id(source, kind, subject, time_us, canonical_json(exact_numbers(data)))


def _content_id(source: str, kind: str, subject: str, time_us: int, said: bytes) -> str:
    """What names an event after its content, `said` being its data in canonical form."""
    return hashlib.sha256(canonical_json([source, kind, subject, time_us, Fragment(said)])).hexdigest()[:32]


def _digest(said: bytes) -> bytes:
    """What a repeat of an event must share, of its kind, subject, time and data in canonical form."""
    return hashlib.sha256(said).digest()[:16]


_READERS: dict[str, TypeAdapter[Signal]] = {kind: TypeAdapter(model) for kind, model in KINDS.items()}
_GLANCES: dict[str, Callable[[object], Signal]] = {kind: glance_at(model) for kind, model in KINDS.items()}
_LEDGER_FIELDS = {part.name for part in fields(Ledger)} - {"rest"}
_KIND_OF_TYPE = {f"stigmergy.{kind}.v1": kind for kind in KINDS}


def _read_kind(record: dict[str, object]) -> str:
    if record.get("specversion") != "1.0":
        raise Refused(f'specversion is {shown(record.get("specversion"))}; "1.0" was expected: send CloudEvents 1.0.')
    stated = record.get("type")
    kind = _KIND_OF_TYPE.get(stated) if isinstance(stated, str) else None
    if kind is None:
        guess = near(str(stated).removeprefix("stigmergy.").removesuffix(".v1"), KINDS, 1)
        hint = f"did you mean stigmergy.{guess}.v1?" if guess else f"send one of {', '.join(sorted(KINDS.keys() - OWN_KINDS))}."
        raise Refused(f"type is {shown(stated)}; a known kind of signal, stigmergy.KIND.v1, was expected: {hint}")
    return kind


def _read_source(record: dict[str, object], kind: str) -> tuple[str, str]:
    """Return the source and the name in it."""
    return _checked_source(record.get("source"), "coordinator" if kind in OWN_KINDS else "agent")


@lru_cache(maxsize=1 << 16)  # the same speakers come again and again, and share their strings
def _speaker(stated: str, source: str) -> tuple[str, str, str]:
    """Return which kind an event of this type is, its source and the name in that; KeyError or Refused, and it says nothing."""
    kind = _KIND_OF_TYPE[stated]
    return kind, *_checked_source(source, "coordinator" if kind in OWN_KINDS else "agent")


def _checked_source(source: object, speaker: str) -> tuple[str, str]:
    if not isinstance(source, str):
        raise Refused(f"source is {shown(source)}; {speaker}:NAME was expected: say who speaks.")
    role, _, name = source.partition(":")
    if role not in ("agent", "coordinator"):
        raise Refused(f"source is {shown(source)}; {speaker}:NAME was expected: say who speaks.")
    if role != speaker:
        raise Refused(f"source is {shown(source)}; only {speaker}:NAME can say this kind: send it as the one who says it.")
    try:
        return sys.intern(source), read_agent_name(name)
    except ValueError as error:
        raise Refused(f"The name in source{error}") from None


def _read_field(record: dict[str, object], field: str) -> str:
    try:
        return read_once(record[field])
    except KeyError:
        raise Refused(f"{field} is missing; every event has one: add a text of 1 to 128 characters.") from None
    except ValueError as error:
        raise Refused(f"{field}{error}") from None


def _read_time(record: dict[str, object], field: str) -> int:
    text = record.get(field)
    if not isinstance(text, str):
        problem = "is missing" if text is None else f"is {shown(text)}"
        raise Refused(f"{field} {problem}; an RFC 3339 time was expected: write it like 2026-03-08T00:00:00Z.")
    try:
        return parse_instant(text)
    except Refused as refused:
        raise Refused(f"{field} {refused}") from None


def _read(kind: str, raw: object, *, strict_fields: bool = False) -> Signal:
    reader = _READERS[kind]
    if kind == "ledger" and isinstance(raw, dict):
        rest = {key: raw[key] for key in raw.keys() - _LEDGER_FIELDS}
        raw = {key: raw[key] for key in raw.keys() & _LEDGER_FIELDS} | {"rest": rest}
    try:
        if strict_fields:
            return reader.validate_python(raw, extra="forbid", context=True)
        return reader.validate_python(raw)
    except ValidationError as invalid:
        raise Refused(complaint(invalid.errors(include_url=False), KINDS[kind])) from None


_JUDGES: dict[str, Callable[[object], Signal]] = {kind: partial(_read, kind) for kind in KINDS}
_STRICT_JUDGES: dict[str, Callable[[object], Signal]] = {kind: partial(_read, kind, strict_fields=True) for kind in KINDS}


def _without_nulls(value: object) -> object:
    """The same without the members that are null: null is the same as absent."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _check_window(begin_us: int | None, end_us: int | None) -> None:
    if begin_us is not None and end_us is not None and end_us <= begin_us:
        raise ValueError(
            f".end is {format_instant(end_us)}, not after its begin, {format_instant(begin_us)}; a window ends after it begins: check both."
        )


def _check_every(every: Quantity | None, basis: Basis) -> None:
    if every is None:
        return
    if basis == "total":
        raise ValueError('.every came with basis "total"; a stock is counted as it is: leave every out, or say what is free each time.')
    if every.grains < SHORTEST_EVERY_MS:
        raise ValueError(f".every is {every.to_json()['value']} {every.unit}; at least one minute was expected: say a longer time.")


def _sums(flows: tuple[Flow | Output, ...], path: str) -> dict[str, Quantity]:
    """What all flows of each resource add up to, in the first one's unit."""
    sums: dict[str, Quantity] = {}
    for flow in flows:
        before = sums.get(flow.resource)
        if before is None:
            sums[flow.resource] = flow.quantity
        elif before.dimension != flow.quantity.dimension:
            raise ValueError(
                f"{path} has {shown(flow.resource)} in {before.unit} and {flow.quantity.unit}; these do not convert: use one dimension."
            )
        else:
            sums[flow.resource] = Quantity(before.grains + flow.quantity.grains, before.unit)
    return sums
