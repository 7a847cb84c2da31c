"""Who could make a design: what each maker has of what it takes, what each lacks, and how many are not shown and why.

A maker has what it says: hours of a process (a capacity, with its limits) or a capability (what it is classified as, without hours or
limits). Hours and goods whose window has closed count for nothing. Names count as the table of processes and the charter's catalogue have
them; a name that neither knows is counted, never guessed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from coordinator.commitments import Book
from coordinator.cycle import Coordination
from coordinator.errors import Refused, WrongValue
from coordinator.hindrances import least_runs, setup_ms
from coordinator.limits import lacking, process_meant, processes_done
from coordinator.loops import Stock, recipe_stocks
from coordinator.network import PROCESS, RESOURCE, Network, Stance, amount_of
from coordinator.places import Coordinates, great_circle_m, place_named
from coordinator.processes import term_of
from coordinator.signals import Recipe
from coordinator.times import LATEST_US, format_instant
from coordinator.units import Quantity
from coordinator.wording import amount, asked_for, counted, near

__all__ = ["DesignMakers", "Designs", "Input", "Maker", "Requirement", "designs", "makers", "place_meant", "recipes_named"]

MOST_SUPPLIERS = 3  # named of each input, those who have most; the rest is counted
SILENT, HAS_NONE = "say nothing that counts now of what they can do", "have none of what it takes"  # why agents are not shown
MS_US = 1_000  # hours are counted in whole milliseconds
MOST_UNKNOWN = 10  # names that nobody's table knows, shown of each answer


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that making takes: a process, and what its machine must have."""

    process: str  # as the recipe says it
    meant: str  # as the charter or the table of processes has it
    source: str  # who says so; "" where the name is used as it is
    requires: Mapping[str, float | str]
    runs: int  # of the least batch; one machine does all of it
    takes: Quantity | None  # hours of so many runs, set-up included; None: nobody said how many, as in a draft
    lead: Quantity | None = None  # hours that pass after the work, without holding a machine; None: nobody said of any

    @property
    def told(self) -> str:
        """The requirement in words: ``laser-cutting (material acrylic, thickness_mm 6)``."""
        of = ", ".join(f"{key} {value}" for key, value in sorted(self.requires.items()))
        return f"{self.process} ({of})" if of else self.process

    def longer_than(self, free_ms: int) -> str:
        """Return in words that what it takes at least does not fit the hours of the machine with most free."""
        assert self.takes is not None  # asked where it is too long alone
        what = "a run" if self.runs == 1 else f"the least batch, of {counted(self.runs, 'run')},"
        free = amount(Quantity(free_ms, self.takes.unit))
        return f"{self.told}: {what} takes {amount(self.takes)}, and no machine for it has more than {free} free"


@dataclass(frozen=True, slots=True)
class Input:
    """One thing that goes in, and who could supply it: who has some free, whichever way it is away, and which recipes make it."""

    name: str
    takes: Quantity  # one run
    free: Quantity  # with everybody
    suppliers: tuple[str, ...]  # agents, those who have most first
    more_suppliers: int
    made_by: tuple[str, ...]  # refs of recipes, drafts too

    @property
    def is_missing(self) -> bool:
        """Whether all offers together have too little for a single run."""
        return self.free.grains < self.takes.grains

    @property
    def told(self) -> str:
        """What a run takes and where that is to be had, in words."""
        run = f"{amount(self.takes)} of {self.name} a run"
        more = f" and {self.more_suppliers:,} more" if self.more_suppliers else ""
        having = f"{amount(self.free)} free with {', '.join(self.suppliers)}{more}" if self.suppliers else "nobody has any"
        making = f"; {', '.join(self.made_by)} {'makes' if len(self.made_by) == 1 else 'make'} it" if self.made_by else ""
        nowhere = "" if self.suppliers or self.made_by else " and no recipe makes it"
        return f"{run}: {having}{making}{nowhere}"


@dataclass(frozen=True, slots=True)
class Maker:
    """One agent who has some or all of what a design takes."""

    agent: str
    has: int  # requirements met
    of: int
    lacks: tuple[str, ...]
    with_hours: int  # requirements met by hours that stand, not by a mere capability
    near: int  # requirements lacking of which the process is there, and only the machine or its hours fall short or are not told of
    distance_m: int | None  # from the place asked about
    begin_us: int | None = None  # before which it has no hours for some requirement; None: it has none at all, or some now

    @property
    def told(self) -> str:
        """What is missing, in words; of what goes in, the design tells."""
        if self.lacks:
            return f"missing {len(self.lacks)} of {self.of}: {'; '.join(self.lacks)}"
        hours = "with free hours" if self.with_hours == self.of else f"hours stated for {self.with_hours} of {self.of}"
        begin = "" if self.begin_us is None else f", none before {format_instant(self.begin_us)}"
        return f"has all {self.of}, {hours}{begin}" if self.of > 1 else f"has it, {hours}{begin}"


@dataclass(frozen=True, slots=True)
class DesignMakers:
    """The answer for one recipe."""

    recipe: str  # its ref
    name: str
    draft: bool
    requirements: tuple[Requirement, ...]
    inputs: tuple[Input, ...]
    inputs_missing: tuple[str, ...]  # of which there is too little for a single run, whoever makes it
    unknown_quantities: tuple[str, ...]  # of a draft: what goes in, nobody said how much
    makers: tuple[Maker, ...]  # the most complete first; near misses after
    hidden: Mapping[str, int]  # agents not among them, by the reason
    names_not_known: tuple[str, ...]  # capabilities that agents state and no table knows, the most frequent first


@dataclass(frozen=True, slots=True)
class _Machine:
    """One capacity: what it says of itself, and how much of it is free."""

    limits: Mapping[str, float | str]
    free_ms: int
    begin_us: int | None  # None: it could begin now


@dataclass(frozen=True, slots=True)
class _Able:
    """What one agent can do: every process with the machines that do it, and what it only says that it can."""

    hours: Mapping[str, list[_Machine]]
    capabilities: frozenset[str]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Everybody:
    """All agents with what they can do, looked through once for however many recipes."""

    able: Mapping[str, _Able]
    doing: Mapping[str, list[str]]  # process -> agents with hours of it, or a capability
    silent: int  # agents who say nothing of what they can do
    unknown: tuple[str, ...]  # names that nobody's table knows, the most frequent first

    @classmethod
    def of(cls, able: Mapping[str, _Able]) -> "_Everybody":
        """Return them by what they do."""
        doing: dict[str, list[str]] = {}
        for agent, abilities in able.items():
            for process in abilities.hours.keys() | abilities.capabilities:
                doing.setdefault(process, []).append(agent)
        counts = Counter(name for abilities in able.values() for name in abilities.unknown)
        unknown = tuple(name for name, _ in sorted(counts.items(), key=lambda row: (-row[1], row[0]))[:MOST_UNKNOWN])
        return cls(able, doing, sum(not one.hours and not one.capabilities for one in able.values()), unknown)


@dataclass(frozen=True, slots=True)
class Designs:
    """Who could make what a name means, recipe by recipe, and why some of these are not used."""

    items: tuple[DesignMakers, ...]
    unused: Mapping[str, str]  # by the recipe's ref, in a sentence


def designs(coordination: Coordination, name: str, near_to: str | None = None, within_km: float | None = None) -> Designs:
    """Return who could make a design: the nearest to an agent or `latitude,longitude` first, if asked, and only makers so near.

    Raises `Refused` where no recipe is called so, and of these `WrongValue` for a place that is none.
    """
    network = coordination.network
    if within_km is not None and near_to is None:
        raise WrongValue("within_km came without near; say from where: an agent, or latitude,longitude")
    try:
        place = None if near_to is None else place_meant(network, near_to)
    except Refused as refusal:
        raise WrongValue(f"near: {refusal}") from None
    within_m = None if within_km is None else int(within_km * 1000)
    found = makers(network, name, log_us=coordination.log_us, book=coordination.book, near_to=place, within_m=within_m)
    unused = coordination.production.unused()
    return Designs(found, {each.recipe: unused[each.recipe] for each in found if each.recipe in unused})


def makers(
    network: Network,
    name: str,
    *,
    log_us: int,
    book: Book | None = None,
    near_to: Coordinates | None = None,
    within_m: int | None = None,
) -> tuple[DesignMakers, ...]:
    """Return, for every recipe of this name or that makes a resource of this name, drafts too, who could make it.

    With a book, what proposals ask is not free. Raises `Refused` where no recipe is called so.
    """
    refs = recipes_named(network, name)
    everybody = _Everybody.of({agent: _abilities(network, book, agent, log_us) for agent in sorted(network.agents)})
    stocked, made_by = _stocked(network, book, log_us), _made_by(network)
    inputs = {ref: tuple(_inputs(network, network.recipes[ref], stocked, made_by)) for ref in refs}
    return tuple(_makers_of(network, ref, inputs[ref], everybody, near_to, within_m) for ref in refs)


def recipes_named(network: Network, name: str) -> list[str]:
    """Return the refs of the recipes meant by a name: a ref, a recipe's name, or a resource that it is run for."""
    wanted = network.canonical((RESOURCE, name))
    found = [
        ref
        for ref, recipe in sorted(network.recipes.items())
        if name in (ref, recipe.recipe)
        or any(network.canonical((RESOURCE, output.resource)) == wanted for output in recipe.outputs if not output.by_product)
    ]
    if not found:
        known = {recipe.recipe for recipe in network.recipes.values()}
        known |= {output.resource for recipe in network.recipes.values() for output in recipe.outputs}
        guess = near(name, known)
        there = counted(len(network.recipes), "recipe")
        stand = "stands" if len(network.recipes) == 1 else "stand"
        hint = f"did you mean {guess}?" if guess else f"{there} {stand} here; say one's name, or what it makes"
        raise Refused(f"no recipe is called {asked_for(name)} or makes it; {hint}")
    return found


def place_meant(network: Network, asked: str) -> Coordinates:
    """Return the place of an agent, or the one meant by `latitude,longitude`. Refused where there is none."""
    place = place_named(asked)
    if place is None and asked in network.agents:
        place = network.agents[asked].place
        if place is None:
            raise Refused(f"{asked_for(asked)} states no place; say one as latitude,longitude")
    if place is None:
        hint = near(asked, network.agents)
        raise Refused(
            f"nobody here is called {asked_for(asked)}; " + (f"did you mean {hint}?" if hint else "say an agent, or latitude,longitude")
        )
    return place


def _makers_of(
    network: Network,
    ref: str,
    inputs: tuple[Input, ...],
    everybody: _Everybody,
    near_to: Coordinates | None,
    within_m: int | None,
) -> DesignMakers:
    recipe = network.recipes[ref]
    missing = tuple(taken.name for taken in inputs if taken.is_missing)
    requirements = tuple(_requirements(network, recipe))
    found: list[Maker] = []
    hidden: Counter[str] = Counter()
    able = everybody.able
    some = {agent for requirement in requirements for agent in everybody.doing.get(requirement.meant, ())}
    if within_m is None and requirements:  # Of those who do none of it, how many are silent tells all there is to tell.
        hidden[SILENT] += everybody.silent
        hidden[HAS_NONE] += len(able) - len(some) - everybody.silent
    else:
        some = set(able)
    for agent in some:
        maker = _maker(agent, able[agent], requirements, _distance_m(network, agent, near_to))
        why = _why_hidden(maker, able[agent], within_m)
        if why is None:
            found.append(maker)
        else:
            hidden[why] += 1
    found.sort(key=lambda one: (len(one.lacks), -one.near, -one.with_hours, -1 if one.distance_m is None else one.distance_m, one.agent))
    return DesignMakers(
        recipe=ref,
        name=recipe.recipe,
        draft=recipe.draft,
        requirements=requirements,
        inputs=inputs,
        inputs_missing=missing,
        unknown_quantities=recipe.quantity_unknown,
        makers=tuple(found),
        hidden=dict(sorted((+hidden).items())),
        names_not_known=everybody.unknown,
    )


def _requirements(network: Network, recipe: Recipe) -> Iterator[Requirement]:
    runs = least_runs(recipe)
    for step in recipe.steps:
        meant, source = process_meant(network, step.process)
        takes = amount_of(network, ((PROCESS, meant), "time"), step.effort.grains * runs + setup_ms(step))
        lead = Quantity(step.lead_us // MS_US, "h") if step.lead_us else None
        yield Requirement(step.process, meant, source, step.requires, runs, takes, lead)
    for demand in recipe.hours_unknown:
        yield Requirement(demand.process, *process_meant(network, demand.process), demand.requires, runs, None)


def _stocked(network: Network, book: Book | None, log_us: int) -> dict[Stock, list[tuple[str, int]]]:
    """Return what is free of each thing that is no hours, offer by offer: (agent, grains)."""
    found: dict[Stock, list[tuple[str, int]]] = {}
    for stance in network.living():
        if not stance.is_supply or stance.is_hours or stance.is_over(log_us):
            continue
        if grains := stance.free_grains if book is None else book.open_grains(stance):
            found.setdefault((network.canonical(stance.thing), stance.dimension), []).append((stance.agent, grains))
    return found


def _made_by(network: Network) -> dict[Stock, list[str]]:
    """Return the refs of the recipes that make each thing, drafts too, in order."""
    found: dict[Stock, list[str]] = {}
    for ref, recipe in sorted(network.recipes.items()):
        for stock in recipe_stocks(network, recipe)[1]:
            found.setdefault(stock, []).append(ref)
    return found


def _inputs(
    network: Network, recipe: Recipe, stocked: Mapping[Stock, Sequence[tuple[str, int]]], made_by: Mapping[Stock, list[str]]
) -> Iterator[Input]:
    takes, _ = recipe_stocks(network, recipe)
    for stock, grains in takes.items():
        offers, by_agent = stocked.get(stock, ()), Counter[str]()
        for agent, free in offers:
            by_agent[agent] += free
        having = sorted(by_agent.items(), key=lambda row: (-row[1], row[0]))
        yield Input(
            name=stock[0][1],
            takes=amount_of(network, stock, grains),
            free=amount_of(network, stock, sum(each for _, each in having)),
            suppliers=tuple(agent for agent, _ in having[:MOST_SUPPLIERS]),
            more_suppliers=max(0, len(having) - MOST_SUPPLIERS),
            made_by=tuple(made_by.get(stock, ())),
        )


def _abilities(network: Network, book: Book | None, agent: str, log_us: int) -> _Able:
    facts = network.agents[agent]
    hours: dict[str, list[_Machine]] = {}
    for stance in _capacities(network, facts.refs, log_us):
        begin_us = max(stance.begin_us or 0, log_us + stance.lead_us)
        free_ms = stance.free_grains if book is None else book.open_grains(stance)
        machine = _Machine(stance.limits or {}, free_ms, min(begin_us, LATEST_US) if begin_us > log_us else None)
        for process in processes_done(network, stance.name):
            hours.setdefault(process, []).append(machine)
    known: set[str] = set()
    unknown: list[str] = []
    for said in facts.classes:
        meant = network.canonical((PROCESS, said))[1]
        if term_of(said) is None and meant not in network.charter.process_names.values():
            unknown.append(said)
        known.update(processes_done(network, said))
    return _Able(hours, frozenset(known), tuple(unknown))


def _capacities(network: Network, refs: list[str], log_us: int) -> Iterator[Stance]:
    for ref in refs:
        stance = network.stances[ref]
        if stance.kind == "capacity" and stance.stands and not stance.is_over(log_us):
            yield stance


def _maker(agent: str, able: _Able, requirements: tuple[Requirement, ...], distance_m: int | None) -> Maker:
    lacks: list[str] = []
    begins_us: list[int] = []
    with_hours = near_ones = 0
    for requirement in requirements:
        machines = able.hours.get(requirement.meant, [])
        able_ones = [one for one in machines if not lacking(requirement.requires, one.limits)]
        fitting = [one.free_ms for one in able_ones]
        shortest = min((lacking(requirement.requires, one.limits) for one in machines), key=len, default=None)
        if fitting and (requirement.takes is None or max(fitting) >= requirement.takes.grains):
            with_hours += 1
            begins_us.append(
                min(one.begin_us or 0 for one in able_ones if requirement.takes is None or one.free_ms >= requirement.takes.grains)
            )
        elif fitting:
            near_ones += 1
            lacks.append(requirement.longer_than(max(fitting)))
        elif shortest is not None:
            near_ones += 1
            lacks.append(f"{requirement.process} with {', '.join(shortest)}")
        elif requirement.meant not in able.capabilities:
            lacks.append(requirement.told)
        elif requirement.requires:
            near_ones += 1
            lacks.append(f"{requirement.told}: it says it can do {requirement.process}, not with which machines")
    has, begin_us = len(requirements) - len(lacks), max(begins_us, default=0) or None
    return Maker(agent, has, len(requirements), tuple(lacks), with_hours, near_ones, distance_m, begin_us)


def _why_hidden(maker: Maker, able: _Able, within_m: int | None) -> str | None:
    if not maker.of:
        return "nobody can say: the design names no process"
    if not able.hours and not able.capabilities:
        return SILENT
    if within_m is not None and maker.distance_m is None:
        return "state no place"
    if within_m is not None and maker.distance_m is not None and maker.distance_m > within_m:
        return "farther away than asked"
    if not maker.has and not maker.near:
        return HAS_NONE
    return None


def _distance_m(network: Network, agent: str, near_to: Coordinates | None) -> int | None:
    place = network.agents[agent].place
    return None if near_to is None or place is None else great_circle_m(near_to, place)
