"""The network as the signals told it: who is there, what each offers and needs, and what still stands of it.

The fold takes events in log order. One agent's later words replace its earlier ones; words said before the standing ones (late
arrivals) and repeats change nothing, so any interleaving between agents ends in the same network.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

from coordinator.charter import Charter
from coordinator.ordering import Ordering
from coordinator.places import Coordinates, Table, great_circle_m
from coordinator.processes import process_of
from coordinator.signals import Agent, Capacity, Event, Need, Offer, Place, Recipe, Resource, Route, Signal
from coordinator.tallies import Stated
from coordinator.times import DAY_US, format_instant
from coordinator.trail import Trail
from coordinator.units import LARGEST_VALUE, UNITS, Quantity
from coordinator.wording import amount as amount_text
from coordinator.wording import number, shown

if TYPE_CHECKING:
    from coordinator.commitments import Book

__all__ = [
    "MOST_DEGREES",
    "PROCESS",
    "RESOURCE",
    "STANCE_MODELS",
    "UNKNOWN_MASS_UG",
    "AgentFacts",
    "Definition",
    "Network",
    "Stance",
    "Thing",
    "amount_of",
    "never_counts",
    "never_enough",
    "out_of_nothing",
    "out_of_proportion",
    "overdue",
    "reference",
]

UNKNOWN_MASS_UG = 10**9  # 1 kg a unit, and said

Limits = Mapping[str, int | float | str]  # whole numbers stay whole, also where a snapshot keeps them
Thing = tuple[str, str]  # ("resource" or "process", name): hours of welding and a thing named welding never meet
RESOURCE, PROCESS = "resource", "process"
PLAIN_UNIT = {"pieces": "1", "mass": "kg", "time": "h", "length": "m", "area": "m2", "volume": "L"}
NEVER = (-(2**62), "")  # before every word
STANCES = frozenset({"offer", "capacity", "need"})  # the kinds that can be matched
STANCE_MODELS = (Offer, Capacity, Need)
MOST_MACHINES = 100  # of one capacity at once, before its speaker is told that it says so
MOST_DEGREES = 1 << 16  # remembered with their rounding


def reference(agent: str, kind: str, subject: str) -> str:
    """Return the name by which proposals and people point at a signal: ``agent/kind/subject``."""
    return f"{agent}/{kind}/{subject}"


def amount_of(network: "Network", stock: tuple[Thing, str], grains: int) -> Quantity:
    """Return so many grains in the unit people know the thing by, or a plain unit where it is counted in another dimension."""
    thing, dimension = stock
    unit = network.definition(thing).unit
    return Quantity(grains, unit if UNITS[unit].dimension == dimension else PLAIN_UNIT[dimension])


def never_counts(said: Signal | None, log_us: int) -> str | None:
    """Return why an offer, capacity or need that is said now can never be matched; None where it can be, and for all else."""
    if not isinstance(said, STANCE_MODELS) or (said.expires_us is None and said.end_us is None):
        return None
    for what, until_us in (("expires", said.expires_us), ("end", said.end_us)):
        if until_us is not None and until_us <= log_us:
            return f"{what} is {format_instant(until_us)}, which has passed, so this is never matched: say it again with a later time"
    return None


def overdue(said: Signal | None, log_us: int) -> str | None:
    """Return that a need was due before it is said; None for all else. It stands all the same: late may be better than never."""
    if not isinstance(said, Need) or said.due_us is None or said.due_us >= log_us:
        return None
    return (
        f"due is {format_instant(said.due_us)}, which has passed, so whatever meets it is late: say it again where another time was meant"
    )


def never_enough(said: Signal | None) -> str | None:
    """Return why an offer, capacity or need can never be matched: its least part is more than all of it. None for all else."""
    # What comes again every so often is left out: the amount is of each time, and what comes together of several is not known here.
    if not isinstance(said, STANCE_MODELS) or said.every is not None or said.minimum_grains <= said.amount.grains:
        return None
    least = amount_text(Quantity(said.minimum_grains, said.amount.unit))
    return f"minimum is {least}, more than the {amount_text(said.amount)} there are in all, so this is never matched: say a smaller minimum"


def machines_at_once(effort_ms: int, window_ms: int) -> int:
    """Return how many machines work side by side where so many hours are given within a window: as few as can."""
    return -(-effort_ms // max(1, window_ms))


def out_of_proportion(said: Signal | None) -> str | None:
    """Return what seems wrong of a capacity: that its hours take very many machines at once in its window. None for all else."""
    if not isinstance(said, Capacity):
        return None
    window_ms = (said.end_us - said.begin_us) // 1000
    if said.every is not None:  # so much each time
        window_ms = min(window_ms, said.every.grains)
    machines = machines_at_once(said.effort.grains, window_ms)
    if machines <= MOST_MACHINES:
        return None
    window = Quantity(window_ms, "h").to_json()["value"]
    return (
        f"effort is {amount_text(said.effort)} in a window of {number(window)} h, as {machines:,} machines at once would give: "
        "it is taken as said; where one was meant, say its own hours"
    )


def out_of_nothing(said: Signal | None) -> str | None:
    """Return what seems wrong of a recipe: that nothing goes in, so that plans make any amount of its outputs. None for all else."""
    if not isinstance(said, Recipe) or said.draft or said.inputs or said.steps:
        return None
    return (
        f"nothing goes in, neither inputs nor hours, so plans make as much of {shown(said.outputs[0].resource)} as anybody needs out of "
        "nothing: it is taken as said; where something goes in, say it again with its inputs and steps"
    )


class Stance(msgspec.Struct, gc=False):
    """One offer, capacity or need as it stands: what its agent said last, and what that agent has promised of it since."""

    ref: str
    agent: str
    kind: str
    statement: str  # id of the event that said it last
    said_us: int
    thing: Thing  # what it speaks of, as said
    dimension: str
    unit: str
    stated_grains: int
    begin_us: int | None
    end_us: int | None
    due_us: int | None
    expires_us: int | None
    tier: int
    minimum_grains: int
    within_m: int | None
    total: bool  # `basis: total`: everything in stock, so open commitments are always subtracted
    place: Coordinates | None
    substitutes: tuple[str, ...]
    lead_us: int = 0  # from a yes until it can leave, or work can begin
    every_us: int | None = None  # the same amount again each time so long has passed ...
    since_us: int = 0  # ... since then: its begin, else when this count of it was first said
    limits: Limits | None = None  # what a capacity's machines can do; what hours needed ask of machines
    power_mw: int | None = None  # what an hour of a capacity draws
    stands: bool = True
    withdrawn: bool = False
    count: int = 0  # raised by every new count; a promise is given back only to the count it was taken from
    first_count: int = 0  # since when it speaks of this thing: what was agreed before was of another
    taken_grains: int = 0  # promised since the last count (free), or promised and not yet moved (total)

    @property
    def name(self) -> str:
        """The resource or process, as said."""
        return self.thing[1]

    @property
    def is_hours(self) -> bool:
        """Whether it speaks of hours of a process rather than of goods."""
        return self.thing[0] == PROCESS

    @property
    def machines(self) -> int:
        """How many machines stand behind a capacity: as few as give its hours within its window; one where that has no end."""
        if self.end_us is None:
            return 1
        begin_us = self.said_us if self.begin_us is None else self.begin_us
        window_us = self.end_us - begin_us if self.every_us is None else min(self.end_us - begin_us, self.every_us)
        return min(MOST_MACHINES, max(1, machines_at_once(self.stated_grains, window_us // 1000)))

    @property
    def is_supply(self) -> bool:
        """Whether it gives (an offer, a capacity) rather than takes."""
        return self.kind != "need"

    def is_over(self, log_us: int) -> bool:
        """Whether its window has closed: it may still stand, and can never be matched."""
        return self.end_us is not None and self.end_us <= log_us

    @property
    def free_grains(self) -> int:
        """What its agent has not promised yet; 0 where it no longer stands."""
        return max(0, self.stated_grains - self.taken_grains) if self.stands else 0


@dataclass(frozen=True, slots=True)
class Definition:
    """What a resource is: the charter's entry, or the definition somebody said first."""

    name: str
    unit: str
    mass_ug: int | None  # of one unit
    multiple_grains: int | None
    aliases: tuple[str, ...] = ()
    substitutes: tuple[str, ...] = ()  # a suggestion to people, never used to match


@dataclass(slots=True)
class AgentFacts:
    """What an agent said of itself."""

    name: str | None = None
    place: Coordinates | None = None
    classes: tuple[str, ...] = ()
    said_us: int = -(2**62)
    refs: list[str] = field(default_factory=list)  # all it ever offered or needed
    joined_us: int = field(default=0, compare=False)  # log time of its first word, which is no part of what it said


@dataclass(slots=True)
class RouteFacts:
    """A distance one agent stated."""

    distance_m: int
    two_way: bool


@dataclass(slots=True)
class _Shelf:
    """All that stands of one thing, as said, and sums of all that was said of it."""

    thing: Thing  # shared by all its stances
    live: dict[str, Stance] = field(default_factory=dict)  # by ref
    stated: dict[str, Stated] = field(default_factory=dict)  # by dimension
    first: tuple[int, str, str, str] | None = None  # when, by whom and in which event it was first spoken of, and in which unit

    def stances(self) -> list[Stance]:
        """Return all that stands of it, in order of ref."""
        return [self.live[ref] for ref in sorted(self.live)]

    def count(self, stance: Stance) -> None:
        """Add a signal to the sums."""
        stated = self.stated.get(stance.dimension)
        if stated is None:
            stated = self.stated[stance.dimension] = Stated()
        stated.add(stance)

    def discount(self, stance: Stance) -> None:
        """Take a signal that speaks of something else now out of the sums."""
        stated = self.stated[stance.dimension]
        stated.remove(stance)
        if not stated.signals:
            del self.stated[stance.dimension]


class _Degrees(dict[float, float]):
    """Degrees as said -> as the charter lets them be kept. Rounding a double rightly is slow, and the same degrees come again and again."""

    def __init__(self, decimals: int) -> None:
        super().__init__()
        self._decimals = decimals

    def __missing__(self, degrees: float) -> float:
        if len(self) >= MOST_DEGREES:
            self.clear()
        kept = self[degrees] = round(degrees, self._decimals) + 0.0  # never -0.0: it shares its key with 0.0
        return kept


@dataclass
class Network:
    """Live signals in plain dicts; every lookup the matching needs is one step away."""

    charter: Charter
    table: Table | None = None
    agents: dict[str, AgentFacts] = field(default_factory=dict)
    stances: dict[str, Stance] = field(default_factory=dict)
    recipes: dict[str, Recipe] = field(default_factory=dict)
    routes: dict[str, dict[str, RouteFacts]] = field(default_factory=dict)
    changed: defaultdict[Thing, set[str]] = field(default_factory=lambda: defaultdict(set))  # thing as said -> refs moved since the plan
    recipes_said: int = 0  # how often a recipe was said or taken back: plans of making are in question where it moved
    names_moved: int = 0  # how often it may have changed which names mean one thing, or are accepted for one another
    changed_everywhere: bool = False  # places, routes or definitions moved: every plan is in question

    def __post_init__(self) -> None:
        """Prepare the indexes that follow from the public parts."""
        self._shelves: dict[str, dict[str, _Shelf]] = {RESOURCE: {}, PROCESS: {}}  # by name, as said
        self._names = Ordering(self.agents)
        self._in_order: list[_Shelf] | None = None  # all shelves, by thing: sorted again when a name is new
        self.standing = {"offers": 0, "needs": 0}  # how much stands; capacities are offers of hours
        self.trail: Trail | None = None  # what changed, while somebody follows
        self.recount: set[str] | None = None  # signals that stand, or are asked, otherwise than when needs were counted; None: all
        self._degrees = _Degrees(self.charter.place_decimals)
        self._definitions: dict[str, dict[str, tuple[int, str, str, Resource]]] = {}
        self._defines: dict[str, str] = {}  # ref of a definition -> the resource it defines
        self._stated_routes: dict[tuple[str, str], dict[str, tuple[int, str, RouteFacts]]] = {}  # (from, to) -> ref -> when said, id, route
        self._leads: dict[str, str] = {}  # ref of a route -> the agent it leads to
        # ref -> when its last word was said and its id, where no stance knows; of one withdrawn, its last word before the withdrawal
        self._older_words: dict[str, tuple[int, str]] = {}
        self._expiries: list[tuple[int, str]] = []
        self._renewals: list[tuple[int, str]] = []  # when a signal that comes again (`every`) is counted anew, and its ref
        self._renews_us: dict[str, int] = {}
        self._aliases: dict[str, str] | None = None
        self._accepting: dict[str, Stance] = {}  # needs that stand and name substitutes
        self._table_positions: dict[str, int] | None = None
        self._numbers: dict[str | Thing, int] = {}

    # -- the fold -----------------------------------------------------------------------------------------------------

    def apply(self, event: Event, log_us: int) -> list[str]:
        """Take in one signal; return the refs of offers, capacities and needs that ceased to stand by it."""
        agent, kind = event.name, event.kind
        facts = self.agents.get(agent)
        if facts is None:
            facts = self.agents[agent] = AgentFacts(joined_us=log_us)
            self._names.add(agent)
        ref = f"{agent}/{kind}/{event.subject}"  # `reference`, without a call
        if self.trail is not None:
            self.trail.agents[agent] = None
            if kind in STANCES:
                if ref not in self.stances:  # A word that came to nothing keeps no place for the one that is said first.
                    self.trail.signals.pop(ref, None)
                self.trail.signals[ref] = None
            elif kind == "recipe":
                self.trail.recipes[ref] = None
        # A word counts as said when it claims, but never after the log took it, so that a wrong clock silences nobody later.
        said_us = event.time_us if event.time_us < log_us else log_us
        if kind in STANCES:
            return self._stand(ref, facts, event, said_us, log_us)
        if (said_us, event.id) < self._older_words.get(ref, NEVER):
            return []
        self._older_words[ref] = (said_us, event.id)
        match event.data, kind:
            case Agent() as said, _:
                if said_us >= facts.said_us:
                    self._describe(facts, said, said_us)
            case Resource() as said, _:
                self._define(ref, event, said)
            case Recipe() as said, _:
                self.recipes[ref] = said
                self.recipes_said += 1
            case Route() as said, _:
                self._connect(ref, event, said)
            case None, _:
                self._forget(ref, event, said_us)
        return []

    def advance(self, log_us: int) -> list[str]:
        """Let everything evaporate whose time is up; return the refs, in order of expiry."""
        gone: list[str] = []
        while self._expiries and self._expiries[0][0] <= log_us:
            expires_us, ref = heapq.heappop(self._expiries)
            stance = self.stances[ref]
            if stance.stands and stance.expires_us == expires_us:
                self._end(stance)
                gone.append(ref)
        while self._renewals and self._renewals[0][0] <= log_us:
            renews_us, ref = heapq.heappop(self._renewals)
            stance = self.stances[ref]
            if stance.stands and renews_us == self._renews_us.get(ref):
                # A new period is a new count: what was promised of the last one is no promise of this.
                stance.count, stance.taken_grains = stance.count + 1, 0
                self.touch(stance)
                self._await_renewal(stance, log_us)
        return gone

    def _await_renewal(self, stance: Stance, log_us: int) -> None:
        """Note when the next period of a signal that comes again begins."""
        if stance.every_us is None:
            self._renews_us.pop(stance.ref, None)
            return
        periods = max(0, log_us - stance.since_us) // stance.every_us + 1
        renews_us = stance.since_us + periods * stance.every_us
        if stance.end_us is not None and renews_us >= stance.end_us:
            self._renews_us.pop(stance.ref, None)
            return
        if self._renews_us.get(stance.ref) != renews_us:  # However often it is said again within a period, that is awaited once.
            self._renews_us[stance.ref] = renews_us
            heapq.heappush(self._renewals, (renews_us, stance.ref))

    def last_word(self, ref: str) -> tuple[int, str]:
        """Return when a signal that is no offer, capacity or need was said last, and its event's id."""
        return self._older_words.get(ref, NEVER)

    def touch(self, stance: Stance) -> None:
        """Note that what is free of this stance changed, so that the next plan looks at it again."""
        self.changed[stance.thing].add(stance.ref)
        if self.recount is not None:
            self.recount.add(stance.ref)
        if self.trail is not None:
            self.trail.signals[stance.ref] = None

    def _stand(self, ref: str, facts: AgentFacts, event: Event, said_us: int, log_us: int) -> list[str]:
        old, said = self.stances.get(ref), event.data
        last = self._older_words.get(ref) if old is None else (old.said_us, old.statement)
        is_late = last is not None and (said_us, event.id) < last
        if is_late and not self._counts_late(ref, old, said_us, event):
            return []
        if not isinstance(said, STANCE_MODELS):
            return self._withdraw(ref, old, event, said_us)
        sort, name, amount = _subject_of(said)
        shelf = self._shelf(sort, name)
        new = self.stances[ref] = self._stance(ref, shelf.thing, amount, event, said, said_us, log_us)
        if shelf.first is None or event.time_us <= shelf.first[0]:
            mark = (event.time_us, event.source, event.id, new.unit)
            shelf.first = mark if shelf.first is None else min(shelf.first, mark)
            if self.trail is not None:
                self.trail.things[shelf.thing] = None
        if old is None:
            facts.refs.append(ref)
            shelf.count(new)
            ceased = False
        else:
            ceased = self._replace(old, new, shelf)
        if last is not None and (old is None or old.withdrawn):
            self._older_words.pop(ref, None)
        if is_late:
            assert last is not None  # what it came after
            self._older_words[ref] = said_us, event.id
            new.said_us, new.statement = last
            new.withdrawn, new.stands = True, False
            return []
        takes_its_place = old is not None and shelf.live.get(ref) is old and not (old.substitutes or new.substitutes)
        if new.expires_us is not None:
            if new.expires_us <= log_us:
                new.stands = False
                if old is not None:
                    self._unlist(old)
                return [ref] if old is not None and old.stands else []
            heapq.heappush(self._expiries, (new.expires_us, ref))
        if new.every_us is not None or ref in self._renews_us:
            self._await_renewal(new, log_us)
        if takes_its_place:  # As nearly everything does that is said again: no count changes.
            shelf.live[ref] = new
        else:
            if old is not None:
                self._unlist(old)
            self._list(shelf, new)
            self.names_moved += bool(new.substitutes)
        self.touch(new)
        return [ref] if ceased else []

    def _counts_late(self, ref: str, old: Stance | None, said_us: int, event: Event) -> bool:
        """Whether a word older than the last one is what was said last before the withdrawal: it counts as said, and never stands."""
        if event.data is None:
            return False
        return old is None or (old.withdrawn and (said_us, event.id) > self._older_words.get(ref, NEVER))

    def _shelf(self, sort: str, name: str) -> _Shelf:
        shelf = self._shelves[sort].get(name)
        if shelf is None:
            shelf = self._shelves[sort][name] = _Shelf((sort, name))
            self._in_order = None
        return shelf

    def _all_shelves(self) -> Iterator[_Shelf]:
        return chain.from_iterable(shelves.values() for shelves in self._shelves.values())

    def _replace(self, old: Stance, new: Stance, shelf: _Shelf) -> bool:
        """Carry over what was promised of a count that is said again; return whether what stood before ceased by this word."""
        same_thing = (old.thing, old.dimension) == (new.thing, new.dimension)
        if same_thing:
            shelf.stated[new.dimension].exchange(old, new)
        else:
            self._shelf(*old.thing).discount(old)
            shelf.count(new)
        same_thing_stands = same_thing and not old.withdrawn
        if same_thing_stands and (old.stated_grains, old.total) == (new.stated_grains, new.total):
            new.count, new.taken_grains = old.count, old.taken_grains
            if (new.begin_us, new.every_us) == (old.begin_us, old.every_us):
                new.since_us = old.since_us  # A refresh does not put the next period off.
        else:
            new.count = old.count + 1
        new.first_count = old.first_count if same_thing else new.count
        return old.stands and not same_thing_stands

    def _stance(
        self, ref: str, thing: Thing, amount: Quantity, event: Event, said: Offer | Capacity | Need, said_us: int, log_us: int
    ) -> Stance:
        need = said if isinstance(said, Need) else None
        expires_us = said.expires_us
        if expires_us is None and self.charter.default_life_days:
            expires_us = log_us + int(self.charter.default_life_days * DAY_US)
        # By position, in the order of the class: by name, this call takes three times as long, and it is most of the fold.
        return Stance(
            ref,
            event.name,
            event.kind,
            event.id,
            said_us,
            thing,
            UNITS[amount.unit].dimension,
            amount.unit,
            amount.grains,
            said.begin_us,
            said.end_us,
            need.due_us if need is not None else None,
            expires_us,
            need.tier if need is not None else 0,
            said.minimum_grains,
            said.within_m,
            said.basis == "total",
            None if said.place is None else self._rounded(said.place),
            need.substitutes if need is not None else (),
            0 if isinstance(said, Need) else said.lead_us,
            None if said.every is None else said.every.grains * 1000,
            said_us if said.begin_us is None else said.begin_us,
            None if isinstance(said, Offer) else said.requires if isinstance(said, Need) else said.limits,
            said.power_mw if isinstance(said, Capacity) else None,
        )

    def _withdraw(self, ref: str, old: Stance | None, event: Event, said_us: int) -> list[str]:
        if old is None:
            self._older_words[ref] = (said_us, event.id)  # Kept, so that an older word arriving late cannot undo it.
            return []
        stood = old.stands
        if not old.withdrawn:
            self._older_words[ref] = old.said_us, old.statement
        old.said_us, old.statement, old.withdrawn = said_us, event.id, True
        self._end(old)
        return [ref] if stood else []

    def _end(self, stance: Stance) -> None:
        stance.stands = False
        self._unlist(stance)

    def _list(self, shelf: _Shelf, stance: Stance) -> None:
        """Have at hand what stands."""
        shelf.live[stance.ref] = stance
        self.standing["needs" if stance.kind == "need" else "offers"] += 1
        if stance.substitutes:
            self._accepting[stance.ref] = stance

    def _unlist(self, stance: Stance) -> None:
        if self._accepting.pop(stance.ref, None) is not None:
            self.names_moved += 1
        sort, name = stance.thing
        if self._shelves[sort][name].live.pop(stance.ref, None) is not None:
            self.standing["needs" if stance.kind == "need" else "offers"] -= 1
            self.touch(stance)

    def _describe(self, facts: AgentFacts, said: Agent, said_us: int) -> None:
        place = self._rounded(said.place)
        if (place, said.classified_as) != (facts.place, facts.classes):
            for ref in facts.refs:
                self.touch(self.stances[ref])
        facts.name, facts.place, facts.classes, facts.said_us = said.name, place, said.classified_as, said_us

    def _define(self, ref: str, event: Event, said: Resource) -> None:
        known = self._definitions.get(self._defines.get(ref, ""), {}).get(ref)
        if known is not None and known[3] == said:
            return  # A refresh: it was said first when it was said first.
        self._undefine(ref)
        self._definitions.setdefault(said.resource, {})[ref] = (event.time_us, event.source, event.id, said)
        self._defines[ref] = said.resource
        self._defined_anew(said.resource)

    def _defined_anew(self, name: str) -> None:
        if self.trail is not None:
            self.trail.definitions[name] = None
        self._aliases = None
        self.names_moved += 1
        self.changed_everywhere = True

    def _undefine(self, ref: str) -> None:
        name = self._defines.pop(ref, None)
        if name is not None:
            del self._definitions[name][ref]
            self._defined_anew(name)

    def _forget(self, ref: str, event: Event, said_us: int) -> None:
        if event.kind == "resource":
            self._undefine(ref)
        elif event.kind == "recipe":
            self.recipes.pop(ref, None)
            self.recipes_said += 1
        elif event.kind == "agent":
            self._describe(self.agents[event.name], Agent(), said_us)
        elif event.kind == "route":
            self._disconnect(ref, event.name)

    def _connect(self, ref: str, event: Event, said: Route) -> None:
        if self._leads.get(ref) != said.to:
            self._disconnect(ref, event.name)
        facts = RouteFacts(said.distance_m, said.two_way)
        self._stated_routes.setdefault((event.name, said.to), {})[ref] = (event.time_us, event.id, facts)
        self._leads[ref] = said.to
        self._choose_route(event.name, said.to)

    def _disconnect(self, ref: str, agent: str) -> None:
        to = self._leads.pop(ref, None)
        if to is not None:
            del self._stated_routes[agent, to][ref]
            self._choose_route(agent, to)

    def _choose_route(self, agent: str, to: str) -> None:
        """Of an agent's routes to one other agent, the one said last counts."""
        said, before = self._stated_routes[agent, to], self.routes.get(agent, {}).get(to)
        chosen = max(said.values(), key=lambda row: row[:2])[2] if said else None
        if chosen is None:
            del self._stated_routes[agent, to], self.routes[agent][to]
        else:
            self.routes.setdefault(agent, {})[to] = chosen
        self.changed_everywhere = self.changed_everywhere or chosen != before

    def _rounded(self, place: Place | None) -> Coordinates | None:
        return None if place is None else (self._degrees[place.lat], self._degrees[place.long])

    def number_of(self, name: str | Thing) -> int:
        """Return the number of an agent or a thing as said: any, but always the same, so that many are compared at once."""
        return self._numbers.setdefault(name, len(self._numbers))

    # -- what a name means --------------------------------------------------------------------------------------------

    def canonical(self, thing: Thing) -> Thing:
        """Return the one thing meant: the catalogue's name, else that of a stated alias or of the table of processes, else itself.

        Never a guess. A finer process is not a broader one here: hours of each are a market of their own.
        """
        sort, name = thing
        if sort == PROCESS:
            agreed, process = self.charter.process_names.get(name), process_of(name)
            return sort, agreed or self.charter.processes_agreed.get(process, process)
        if name in self.charter.resource_names:
            return sort, self.charter.resource_names[name]
        aliases = self.aliases() if self._aliases is None else self._aliases
        return sort, aliases.get(name, name)

    def aliases(self) -> Mapping[str, str]:
        """Return every name of a resource that a definition states as an alias, with the name it stands for."""
        if self._aliases is None:
            self._aliases = self._stated_aliases()
        return self._aliases

    def _stated_aliases(self) -> dict[str, str]:
        aliases: dict[str, str] = {}
        for name in sorted(self._definitions):
            definition = self._said_first(name)
            if definition is None or self.charter.resource_names.get(name, name) != name:
                continue
            for alias in definition.aliases:
                if not self._definitions.get(alias) and alias not in self.charter.resource_names:
                    aliases.setdefault(alias, name)
        return aliases

    def _said_first(self, name: str) -> Resource | None:
        said = self._definitions.get(name)
        return min(said.values(), key=lambda row: row[:3])[3] if said else None

    def definition(self, thing: Thing) -> Definition:
        """Return what a canonical thing means: the charter's entry, else the earliest definition, else its first use."""
        sort, name = thing
        if sort == PROCESS:
            return Definition(name, "h", None, None)
        entry = self.charter.resources.get(name)
        if entry is not None:
            mass_ug = None if entry.mass_kg is None else round(entry.mass_kg * 10**9)
            multiple = None if entry.multiple is None else int(Fraction(str(entry.multiple)) * UNITS[entry.unit].grains)
            return Definition(name, entry.unit, mass_ug, multiple, entry.aliases)
        said = self._said_first(name)
        if said is not None:
            return Definition(name, said.unit, said.mass_ug, said.multiple_grains, said.aliases, said.substitutes)
        shelf = self._shelves[sort].get(name)
        return Definition(name, shelf.first[3] if shelf and shelf.first else "1", None, None)

    def portion_stated(self, thing: Thing, dimension: str) -> int | None:
        """Return the charter's portion of a canonical thing in grains, or None where it states none in this dimension."""
        stated, unit = self.charter.portion.get(thing[1]), UNITS[self.definition(thing).unit]
        return max(1, int(Fraction(str(stated)) * unit.grains)) if stated is not None and unit.dimension == dimension else None

    def is_declared(self, name: str) -> bool:
        """Whether the charter or an agent defined this resource (undeclared ones are valid too)."""
        return name in self.charter.resources or bool(self._definitions.get(name))

    # -- lookups ------------------------------------------------------------------------------------------------------

    def live(self, thing: Thing) -> list[Stance]:
        """Return what stands under this very name, as said, in order of ref."""
        shelf = self._shelves[thing[0]].get(thing[1])
        return shelf.stances() if shelf else []

    def live_count(self, thing: Thing) -> int:
        """Return how much stands under this very name, as said."""
        shelf = self._shelves[thing[0]].get(thing[1])
        return len(shelf.live) if shelf else 0

    def names_after(self, agent: str) -> Iterator[str]:
        """Yield the agents after one, who need not be there, in order of name."""
        return self._names.after(agent)

    def called(self, thing: Thing) -> list[Thing]:
        """Return a canonical thing under every name that means it: of a process, every one that was said."""
        sort, name = thing
        if sort == PROCESS:  # The table takes it however it is written, so the ways are without number; few are ever said.
            names = set(self._shelves[sort])
        else:
            stated = self._stated_aliases() if self._aliases is None else self._aliases
            told = chain(self.charter.resource_names.items(), stated.items())
            names = {name, *(other for other, meant in told if meant == name)}
        return [(sort, other) for other in sorted(names) if self.canonical((sort, other)) == thing]

    def stated(self) -> Iterator[tuple[Thing, str, Stated]]:
        """Yield sums of all that was said, whether or not it still stands: a thing, as said, and one dimension at a time."""
        for shelf in self._all_shelves():
            for dimension, stated in shelf.stated.items():
                yield shelf.thing, dimension, stated

    def first_said(self, thing: Thing, dimension: str) -> tuple[str, str]:
        """Return the least ref, and its unit, of all signals of a thing, as said, in a dimension."""
        stated = self._shelves[thing[0]][thing[1]].stated[dimension]
        if stated.first is None:  # It speaks of something else since, which is rare: all are gone through once.
            of_it = (stance for stance in self.stances.values() if (stance.thing, stance.dimension) == (thing, dimension))
            stated.first = min((stance.ref, stance.unit) for stance in of_it)
        return stated.first

    def standing_refs(self) -> list[str]:
        """Return the refs of all that stands, in no order: a copy, to be gone through later."""
        return list(chain.from_iterable(shelf.live for shelf in self._all_shelves()))

    def things_said(self) -> list[Thing]:
        """Return every thing, as said, that anybody ever spoke of, in no order."""
        return [shelf.thing for shelf in self._all_shelves()]

    def live_things(self) -> list[Thing]:
        """Return every thing, as said, of which something stands, in order."""
        return [shelf.thing for shelf in self._ordered_shelves() if shelf.live]

    def _ordered_shelves(self) -> list[_Shelf]:
        if self._in_order is None:
            self._in_order = sorted(self._all_shelves(), key=lambda shelf: shelf.thing)
        return self._in_order

    def living(self) -> Iterator[Stance]:
        """Yield all that stands, by thing and ref."""
        for shelf in self._ordered_shelves():
            yield from shelf.stances()

    def substitutions(self) -> list[tuple[Thing, Thing]]:
        """Return every pair of canonical things that some need, as it stands, accepts one for the other."""
        pairs = {
            (self.canonical(need.thing), self.canonical((need.thing[0], name)))
            for need in self._accepting.values()
            for name in need.substitutes
        }
        return sorted(pairs)

    def table_positions(self) -> Mapping[str, int]:
        """Return where the distance table keeps each agent it knows."""
        if self._table_positions is None:
            self._table_positions = {name: index for index, name in enumerate(self.table.agents)} if self.table else {}
        return self._table_positions

    def place_of(self, stance: Stance) -> Coordinates | None:
        """Return where a stance is: its own place, else its agent's."""
        return stance.place or self.agents[stance.agent].place

    def distance_m(self, offer: Stance, need: Stance) -> int | None:
        """Return the distance by the contract's order (provider's route, receiver's two-way route, table, great circle), or None."""
        return self.way_m(offer.agent, self.place_of(offer), need.agent, self.place_of(need))

    def way_m(self, provider: str, start: Coordinates | None, receiver: str, end: Coordinates | None) -> int | None:
        """Return the same from one agent at a place to another."""
        stated = self.routes.get(provider, {}).get(receiver)
        if stated is not None:
            return stated.distance_m
        back = self.routes.get(receiver, {}).get(provider)
        if back is not None and back.two_way:
            return back.distance_m
        if self.table is not None:
            metres = self.table.metres(provider, receiver)
            if metres is not None:
                return metres
        return great_circle_m(start, end) if start and end else None

    def quantity(self, stance: Stance, grains: int) -> Quantity:
        """Return so many grains of what the stance speaks of, in the unit people know its resource by (hours for a process).

        In the stance's own unit where that one does not fit, or would make more of it than a quantity may hold.
        """
        unit = UNITS[self.definition(self.canonical(stance.thing)).unit]
        fits = unit.dimension == stance.dimension and grains <= LARGEST_VALUE * unit.grains
        return Quantity(grains, unit.code if fits else stance.unit)

    def counted_apart(self, said: Signal | None) -> str | None:
        """Return why what is said meets none of those who speak of the same: it is counted in what theirs does not convert to."""
        match said:
            case Offer() | Need() if said.resource is not None and said.quantity is not None:
                name, amount = said.resource, said.quantity
            case _:
                return None
        unit = self.definition(self.canonical((RESOURCE, name))).unit
        if UNITS[unit].dimension == amount.dimension:
            return None
        return (
            f"{name} is counted in {amount.unit!r} here, and by others in {unit!r}, which does not convert: "
            "those are never matched with this"
        )

    def nowhere(self, event: Event) -> str | None:
        """Return what an offer, capacity or need can hardly meet for want of a place, its own or its agent's; None where it can."""
        if not isinstance(event.data, STANCE_MODELS) or event.data.place is not None:
            return None
        name = event.name
        if self.agents[name].place is not None or name in self.routes or name in self.table_positions():
            return None
        return (
            f"nobody knows where it is, for neither it nor {name} states a place, so it meets only whom a route connects with {name}: "
            "say its place, or the agent's"
        )

    def nothing_to_withdraw(self, event: Event) -> str | None:
        """Return why a withdrawal that comes now takes nothing back: it was never said, or withdrawn before. None for all else."""
        if event.data is not None or event.kind not in STANCES:
            return None
        stance = self.stances.get(reference(event.name, event.kind, event.subject))
        if stance is not None and not stance.withdrawn:
            return None
        return f"nothing stood there to withdraw: {event.name} has no {event.kind} under the subject {shown(event.subject)}; check it"

    def graph(self, book: "Book | None" = None) -> Any:
        """Return a `networkx.MultiDiGraph` of agents, resources, processes, recipes, routes and, with a book, flows.

        `coordinator.graph.build_graph` has the table of its nodes and edges.
        """
        from coordinator.graph import build_graph  # noqa: PLC0415  networkx is loaded by those who ask

        return build_graph(self, book)


def _subject_of(said: Offer | Capacity | Need) -> tuple[str, str, Quantity]:
    """Return which sort of thing is spoken of, its name, and how much of it."""
    if isinstance(said, Offer):  # Attributes, for a property costs a call, and nearly all that is said passes here.
        return RESOURCE, said.resource, said.quantity
    if isinstance(said, Need) and said.resource is not None and said.quantity is not None:
        return RESOURCE, said.resource, said.quantity
    return PROCESS, said.name, said.amount
