"""The network's agreed rules as data: what is fair, how far things travel, how long words stand."""

import difflib
import hashlib
import math
import tomllib
from collections.abc import Mapping
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr, ValidationError, field_validator

from coordinator.errors import Refused
from coordinator.processes import process_of
from coordinator.times import MINUTE_US
from coordinator.units import UNITS
from coordinator.wording import near, shown

__all__ = ["Charter", "ProcessEntry", "ResourceEntry", "charter_from_toml"]

Positive = Annotated[StrictInt | StrictFloat, Field(gt=0, le=10**9, allow_inf_nan=False)]
NotNegative = Annotated[StrictInt | StrictFloat, Field(ge=0, le=10**6, allow_inf_nan=False)]  # days, kilometres
Speed = Annotated[
    StrictInt | StrictFloat, Field(ge=1, le=100_000, allow_inf_nan=False)
]  # km/h; of slower ones the longest ways would pass all numbers
Hours = Annotated[StrictInt | StrictFloat, Field(ge=0, le=8_784, allow_inf_nan=False)]  # at most a year
LONGEST_S = 10**10  # three hundred years, longer than any two times that can be said are apart: more is a slip of the keyboard

EXPECTED = {  # by pydantic's name of what is wrong
    "dict_type": "a table",
    "finite_number": "a number",
    "float_type": "a number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "int_type": "a whole number",
    "less_than_equal": "{le} or less",
    "literal_error": "{expected}",
    "mapping_type": "a table",
    "model_type": "a table",
    "string_type": "text",
    "tuple_type": "a list",
}

CLASS = "class:"  # In `may_claim_tier`, "class:hospital" stands for every agent that says it is classified as "hospital".


class Rules(BaseModel):
    """Frozen, and deaf to unknown keys: a misspelt rule must not be a rule that silently does not hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ProcessEntry(Rules):
    """A process as the network agreed to call it."""

    aliases: tuple[StrictStr, ...] = ()


class ResourceEntry(Rules):
    """A resource as the network agreed to define it; it binds over what agents say."""

    unit: StrictStr = "1"
    aliases: tuple[StrictStr, ...] = ()
    mass_kg: Positive | None = None  # of one unit
    multiple: Positive | None = None  # only whole packs of so many units move

    @field_validator("unit")
    @classmethod
    def _unit_is_known(cls, unit: str) -> str:
        if unit not in UNITS:
            raise ValueError(f"{unit!r} is not a UCUM code known here")
        return unit


class Charter(Rules):
    """Every rule with the value that holds where the charter says nothing."""

    fairness: Literal["portions", "ratio", "off"] = "portions"
    portion: Mapping[StrictStr, Positive] = {}  # of a resource, in its unit; absent: the median open claim, found anew each day
    fairness_levels: Annotated[StrictInt, Field(ge=1, le=10_000)] = 100
    fairness_memory_days: NotNegative = 30
    radius_km: NotNegative | None = None
    effort: Literal["kg_km", "km"] = "kg_km"
    cycle_seconds: Annotated[StrictInt, Field(ge=1, le=LONGEST_S)] = 3_600
    late_seconds: Annotated[StrictInt, Field(ge=0, le=LONGEST_S)] = 86_400
    proposal_seconds: Annotated[StrictInt, Field(ge=1, le=LONGEST_S)] = 604_800
    making_effort: Mapping[
        Literal["kg_km", "hours", "kwh"], NotNegative
    ] = {}  # what one of each counts in plans of making; absent: `effort`
    speed_kmh: Speed | None = None  # of goods on their way, in plans of making; absent: the way takes no time
    handling_hours: Hours = 0  # of each way, however short, in plans of making
    hysteresis: Annotated[StrictInt, Field(ge=0, le=10_000)] = 0  # in levels
    place_decimals: Annotated[StrictInt, Field(ge=0, le=7)] = 2
    default_life_days: NotNegative = 0  # 0: a signal without `expires` stands until withdrawn
    may_claim_tier: Mapping[StrictStr, tuple[StrictStr, ...]] = {}  # "0": agents, or "class:NAME"; absent: any agent may
    resources: Mapping[StrictStr, ResourceEntry] = {}
    processes: Mapping[StrictStr, ProcessEntry] = {}

    @field_validator("may_claim_tier")
    @classmethod
    def _tiers_exist(cls, tiers: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        for tier in tiers:
            if tier not in {"0", "1", "2", "3"}:
                raise ValueError(f"tier {tier!r} does not exist; tiers are 0 to 3")
        return tiers

    @cached_property
    def version(self) -> str:
        """A short name of exactly these rules, the same on every machine; every proposal carries it."""
        younger: dict[str, object] = {
            "making_effort": {},
            "speed_kmh": None,
            "handling_hours": 0,
        }  # charters that do not use one keep the name they had
        unused = {name for name, absent in younger.items() if getattr(self, name) == absent}
        return hashlib.sha256(self.model_dump_json(exclude=unused).encode()).hexdigest()[:12]

    @cached_property
    def radius_m(self) -> int | None:
        """How far anything may travel, in whole metres of the decimal that was written (1.005 km are 1005 m)."""
        return None if self.radius_km is None else int(Fraction(str(self.radius_km)) * 1000)

    @cached_property
    def ways_take_time(self) -> bool:
        """Whether goods are on their way for any time at all."""
        return self.speed_kmh is not None or self.handling_hours > 0

    def way_us(self, metres: int) -> int:
        """Return how long goods are on a way of so many metres between two places, in whole minutes, rounded up."""
        minutes = Fraction(str(self.handling_hours)) * 60
        if self.speed_kmh is not None:
            minutes += Fraction(metres, 1000) / Fraction(str(self.speed_kmh)) * 60
        return math.ceil(minutes) * MINUTE_US

    @cached_property
    def resource_names(self) -> dict[str, str]:
        """Every name and alias of the catalogue's resources -> the resource's name."""
        return {alias: name for name, entry in self.resources.items() for alias in (name, *entry.aliases)}

    @cached_property
    def process_names(self) -> dict[str, str]:
        """Every name and alias of the catalogue's processes -> the process's name."""
        return {alias: name for name, entry in self.processes.items() for alias in (name, *entry.aliases)}

    @cached_property
    def processes_agreed(self) -> dict[str, str]:
        """What a process of the table of processes is called in the catalogue, where that calls one by it or by another of its names."""
        called: dict[str, set[str]] = {}
        for said, name in self.process_names.items():
            called.setdefault(process_of(said), set()).add(name)
        return {process: names.pop() for process, names in called.items() if len(names) == 1}

    def tier_used(self, stated: int, agent: str, classes: tuple[str, ...]) -> int:
        """Return the tier that counts for this agent: the stated one where the charter lets it claim that, else 1."""
        allowed = self.may_claim_tier.get(str(stated))
        if allowed is None or agent in allowed or any(CLASS + name in allowed for name in classes):
            return stated
        return 1


def charter_from_toml(text: str, *, table_needed: bool = False) -> Charter:
    """Return the charter in the table ``[charter]`` of a TOML text (an absent table is the default charter).

    Where a table is needed, a text that says other things and none of it is refused; one that says nothing is the default charter.

    Other tables may stand beside it, such as ``[coordinator]``; rules outside of it, where they would silently not hold, and a
    misspelt name of it are refused. Raises `Refused` with the line or key at fault.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"the charter is not TOML: {error}; mend it there") from None
    outside = next((key for key in tables if key in Charter.model_fields or (key != "charter" and near(key, ("charter",), 1))), None)
    if outside is not None:
        raise Refused(f"{shown(outside)} stands outside the table [charter], where no rule counts; put the rules below a line [charter]")
    if table_needed and tables and "charter" not in tables:
        raise Refused("no table [charter] stands in it, so none of its rules would count; put the network's rules below a line [charter]")
    table = tables.get("charter", {})
    if not isinstance(table, dict):
        raise Refused(f"`charter` is {table!r}; a table [charter] with the network's rules was expected")
    try:
        charter = Charter.model_validate(table)
    except ValidationError as error:
        said = {_where(problem): _sentence(problem) for problem in error.errors()}  # one for each rule: of a number's kinds the last
        raise Refused("; ".join(said.values())) from None
    for names, kind in ((charter.resources, "resource"), (charter.processes, "process")):
        _refuse_double_names(names, kind)
    return charter


def _refuse_double_names(entries: Mapping[str, ResourceEntry] | Mapping[str, ProcessEntry], kind: str) -> None:
    owner: dict[str, str] = {}
    for name, entry in entries.items():
        for alias in dict.fromkeys((name, *entry.aliases)):
            if owner.setdefault(alias, name) != name:
                raise Refused(f"the {kind} name {alias!r} belongs to both {owner[alias]!r} and {name!r} in the charter; keep it with one")


def _where(problem: Any) -> str:
    return ".".join(str(part) for part in problem["loc"] if not str(part).startswith(("constrained-", "int", "float")))


def _sentence(problem: Any) -> str:
    where = _where(problem)
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(problem["loc"][-1]), Charter.model_fields, n=1)
        return f"the charter has no rule {where!r}" + (f"; did you mean {near[0]!r}?" if near else "; see README for the rules there are")
    expected = EXPECTED.get(problem["type"])
    why = problem["msg"].removeprefix("Value error, ") if expected is None else f"{expected.format(**problem.get('ctx', {}))} was expected"
    return f"charter.{where} is {shown(problem['input'])}; {why}"
