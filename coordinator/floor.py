"""Inside one workshop: which machine does what it promised, and when, by `next free machine`; what only waits for answers is a forecast.

Outside, the workshop is its capacities. Inside, a job may go to any of its machines of the process that has what the work requires;
the one that ends it first does it, with the change to another material counted where the recipe says how long a set-up takes. Behind a
capacity stand as many machines as its hours take within its window, and a job of several runs goes to several in equal pieces. A search
of bounded work looks for a better order from there, and says how far from the best it may be: while somebody waits for it, or beside
(`Orders`). What proposals ask of the workshop is put in order too, as if all of it were accepted: whether the dates they tell can be
kept. An order is never part of a proposal: its lines tell from when until when, and what a maker does first within that is the maker's.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from itertools import permutations, product
from typing import Protocol

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from coordinator.commitments import Deal, State
from coordinator.cycle import Coordination
from coordinator.errors import Defect, Refused
from coordinator.limits import lacking, processes_done
from coordinator.loops import recipe_stocks
from coordinator.network import PROCESS, Limits, Network, Stance
from coordinator.orders import HOUR_MS
from coordinator.signals import Line, Step
from coordinator.units import Quantity
from coordinator.wording import asked_for, near
from solver.making.sequences import NEVER, Workshop, as_early, broken_sequence, dispatch, lateness_of, least_however_split, sequence_jobs
from solver.making.sequences import Sequence as Order

__all__ = ["Floor", "IfAccepted", "Job", "Machine", "Orders", "Question", "floor", "questions", "searched"]

Ints = NDArray[np.int64]

MINUTE_MS = 60_000
TIER_WEIGHTS = (1_000, 100, 10, 1)  # of a minute late
SEARCH = 3.0  # work of a search, the same each time, whatever the clock says: 9 s of a busy core for 40 jobs on 3 machines
MOST_SEARCHED = 40  # jobs or pieces: for 60 on 4 machines such a search found nothing; with more it is next free machine alone, as is said
MOST_ORDERS = 40 * 40 * 12  # pairs of jobs on machines, which a search has to be told of before it begins
FAR_MINUTES = 2**30  # later than any job is due


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine of a capacity as the workshop sees it."""

    ref: str
    number: int  # among those that stand behind the capacity, from 1
    process: str
    loaded: str  # the material it says is loaded, else the first it can work with
    jobs: int
    busy: Quantity  # in all jobs given to it
    free_us: int  # from when it has nothing to do


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work promised, on the machine that ends it first; of several runs, several machines may do a piece each."""

    proposal: str
    state: str
    process: str
    recipe: str | None
    need: str
    hours: Quantity
    machine: str
    number: int  # among the machines of the capacity
    begin_us: int
    end_us: int
    change: Quantity | None  # of what is loaded, before it begins
    late: bool


@dataclass(frozen=True, slots=True)
class IfAccepted:
    """The order of all work, were everything accepted that waits in proposals: nobody is bound by it."""

    jobs: tuple[Job, ...]  # by begin
    late: int  # jobs that end after the date they were promised or proposed for
    late_or_changing: int
    least: int | None


@dataclass(frozen=True, slots=True)
class Floor:
    """A workshop at one moment."""

    agent: str
    machines: tuple[Machine, ...]
    jobs: tuple[Job, ...]  # by begin
    forecast: Quantity | None  # hours that wait in proposals: nobody is bound by them
    late_or_changing: int  # minutes late, by the weight of their tiers, and minutes of changes, together
    least: int | None  # no order of these jobs comes to less, nor any other split of them; None where nobody searched yet
    if_accepted: IfAccepted | None  # None where nothing waits
    not_placed: tuple[str, ...]  # work that no machine of the workshop says it can do, in words


class Orders(Protocol):
    """Who searches for orders beside."""

    def known(self, content: bytes) -> Order | None:
        """Return what was found of a question, by its content; None where nobody searched yet."""


@dataclass(frozen=True, slots=True)
class _Work:
    deal: Deal
    line: Line
    ms: int  # not done yet; of a piece, what its machine is busy
    step: Step | None
    requires: Limits
    tier: int
    number: int = 0  # of the work that this is, or is a piece of
    extra_ms: int = 0  # set-up that a piece takes again
    can_be_split: bool = False  # otherwise than it is

    @property
    def setup_ms(self) -> int:
        return min(self.ms, self.step.setup.grains) if self.step is not None and self.step.setup is not None else 0

    @property
    def runs(self) -> int:
        """Of how many runs, each on one machine, this is; 1 where no recipe says."""
        return max(1, (self.ms - self.setup_ms) // self.step.effort.grains) if self.step is not None and self.step.effort.grains else 1


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Work to be put in order on the machines of a workshop, in minutes from the one that log time is in."""

    now_us: int
    machines: Sequence[Stance]
    works: Sequence[_Work]
    shop: Workshop
    setups: Sequence[str]  # materials that the shop's set-ups stand for

    @property
    def content(self) -> bytes:
        """A digest of all but the time: an order found of it stays one, and no order gets better than it could be then."""
        digest = hashlib.blake2b(digest_size=16)
        for array in (
            self.shop.hours,
            self.shop.setup,
            self.shop.weight,
            self.shop.after,
            self.shop.loaded,
            self.shop.change,
            self.shop.work,
        ):
            digest.update(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        times = [(one.ref, one.begin_us) for one in self.machines]
        digest.update(repr((times, [(each.deal.proposal, each.line.begin_us, _due_us(each.line)) for each in self.works])).encode())
        return digest.digest()

    @property
    def is_to_be_searched(self) -> bool:
        """Whether a search may find better than `next free machine` does, and is not too long."""
        return _is_short(self.works, self.machines) and lateness_of(self.shop, dispatch(self.shop)) > 0

    @property
    def least_however_split(self) -> int | None:
        """What no order comes below, however jobs are split; None where none can be split otherwise."""
        if not any(work.can_be_split for work in self.works):
            return None
        hours = _ints([max(0, work.ms - work.extra_ms) // MINUTE_MS for work in self.works])
        return least_however_split(self.shop, hours)

    def on_time(self) -> tuple[Order, int] | None:
        """Return the order of `next free machine` where nothing is late or changed in it, and until when that holds; else None."""
        order = dispatch(self.shop)
        if lateness_of(self.shop, order):
            return None
        ends = order.begin + self.shop.hours[np.arange(len(self.works)), order.machine]
        return order, self.now_us + int((self.shop.due - ends).min()) * MINUTE_MS * 1000


def floor(coordination: Coordination, agent: str, *, searches: bool = False, orders: Orders | None = None) -> Floor:
    """Return what each machine of a workshop does next. Refused where nobody is called so, or has no hours.

    With ``searches``, for those who can wait some seconds, the order is improved where anything is late or changed; ``orders`` knows
    what was found beside.
    """
    work = _work_of(coordination, agent)
    promised, asked = _question(coordination, work, work.promised), _question(coordination, work, work.all)
    found, least = _ordered(promised, searches, orders)
    machines_told, jobs = _told_by_machine(coordination.network, promised, found)
    ahead = None
    if work.waits_ms:
        order, at_least = _ordered(asked, searches, orders)
        _, all_jobs = _told_by_machine(coordination.network, asked, order)
        ahead = IfAccepted(all_jobs, sum(job.late for job in all_jobs), lateness_of(asked.shop, order), at_least)
    forecast = Quantity(work.waits_ms, "h") if work.waits_ms else None
    return Floor(agent, machines_told, jobs, forecast, lateness_of(promised.shop, found), least, ahead, work.stuck)


def questions(coordination: Coordination, agent: str) -> list[Question]:
    """Return what `floor` puts in order, but for what has too many jobs to be searched.

    That is what a workshop promised, and that with all it is asked, where the two differ.
    """
    work = _work_of(coordination, agent)
    asked = [work.promised, work.all] if work.waits_ms else [work.promised]
    found = [_question(coordination, work, works) for works in asked if 0 < len(works) <= MOST_SEARCHED]
    return [question for question in found if _is_short(question.works, question.machines)]


def searched(question: Question) -> Order:
    """Return the best order found by a search of bounded work, the same each time; its bound holds for every split of the jobs."""
    found, least = sequence_jobs(question.shop, SEARCH), question.least_however_split
    return found if least is None else replace(found, bound=least, proven=False)


def _is_short(works: Sequence[_Work], machines: Sequence[Stance]) -> bool:
    """Whether a search is not too long."""
    return len(works) <= MOST_SEARCHED and len(works) ** 2 * len(machines) <= MOST_ORDERS


@dataclass(frozen=True, slots=True)
class _WorkOf:
    """All work of a workshop that stands."""

    machines: list[Stance]  # a capacity as often as machines stand behind it
    promised: list[_Work]
    all: list[_Work]  # with what is asked, after what is promised
    able: list[list[bool]]  # of each of these and each machine: whether it does what the work requires
    waits_ms: int
    stuck: tuple[str, ...]


def _work_of(coordination: Coordination, agent: str) -> _WorkOf:
    network, book = coordination.network, coordination.book
    facts = network.agents.get(agent)
    if facts is None:
        hint = near(agent, network.agents)
        raise Refused(f"nobody here is called {asked_for(agent)}; {f'did you mean {hint}?' if hint else 'say an agent with hours'}")
    pools = [one for one in (network.stances[ref] for ref in sorted(facts.refs)) if one.kind == "capacity" and one.stands]
    if not pools:
        raise Refused(f"{asked_for(agent)} offers no hours of any machine; say an agent with a capacity")
    deals = list({deal.proposal: deal for one in pools for deal in book.naming(one.ref)}.values())
    machines = [one for one in pools for _ in range(one.machines)]
    promised = [each for deal in deals if agent in deal.promised for each in _works(coordination, deal, agent)]
    waiting = [each for deal in deals if _only_waits(deal, agent) for each in _works(coordination, deal, agent)]
    rows = _able(network, [*promised, *waiting], machines)
    placed = [each for each, row in zip(promised, rows, strict=False) if any(row)]
    also = [each for each, row in zip(waiting, rows[len(promised) :], strict=True) if any(row)]
    stuck = tuple(_told(each) for each, row in zip(promised, rows, strict=False) if not any(row))
    waits_ms = sum(deal.asks(agent, one.ref) for one in pools for deal in book.naming(one.ref) if _only_waits(deal, agent))
    return _WorkOf(machines, placed, [*placed, *also], [row for row in rows if any(row)], waits_ms, stuck)


def _question(coordination: Coordination, work: _WorkOf, works: Sequence[_Work]) -> Question:
    network, now_us = coordination.network, coordination.log_us - coordination.log_us % (MINUTE_MS * 1000)

    def asked(pieces: Sequence[_Work]) -> Question:
        shop, setups = _shop(network, now_us, work.machines, pieces, [work.able[piece.number] for piece in pieces])
        return Question(now_us, work.machines, pieces, shop, setups)

    whole, split = asked(_pieces(works, work.able, len(works))), asked(_pieces(works, work.able, MOST_SEARCHED))
    # Pieces are done sooner, but may be late by, or change machines for, what whole jobs need not.
    return min(split, whole, key=lambda question: lateness_of(question.shop, dispatch(question.shop)))


def _pieces(works: Sequence[_Work], able: Sequence[Sequence[bool]], most_pieces: int) -> list[_Work]:
    """Return works, those of several runs in pieces: at most one for each machine, and so many in all, where works are no more.

    A piece takes the set-up again, and no less time beside that, so that few long runs are not spread over machines in vain.
    """
    most = [min(work.runs, sum(row), max(1, work.ms // max(1, 2 * work.setup_ms))) for work, row in zip(works, able, strict=False)]
    counts = [1] * len(works)
    longest = [(-work.ms, number) for number, work in enumerate(works) if most[number] > 1]
    heapify(longest)
    for _ in range(most_pieces - len(works)):
        if not longest:
            break
        _, number = heappop(longest)
        counts[number] += 1
        if counts[number] < most[number]:
            heappush(longest, (-works[number].ms // counts[number], number))
    return [piece for number, work in enumerate(works) for piece in _split(work, number, counts[number], sum(able[number]) > 1)]


def _split(work: _Work, number: int, count: int, has_machines: bool) -> Iterator[_Work]:
    """Yield a work in so many pieces of whole runs, as equal as can be."""
    can_be_split = has_machines and count < work.runs
    if count == 1:
        yield replace(work, number=number, can_be_split=can_be_split)
        return
    runs, run_ms = work.runs, (work.ms - work.setup_ms) // work.runs
    for piece in range(count):
        mine = runs * (piece + 1) // count - runs * piece // count
        rest_ms = 0 if piece else work.ms - work.setup_ms - runs * run_ms
        extra_ms = work.setup_ms if piece else 0
        yield replace(work, ms=work.setup_ms + mine * run_ms + rest_ms, number=number, extra_ms=extra_ms, can_be_split=can_be_split)


def _only_waits(deal: Deal, agent: str) -> bool:
    return deal.is_open and agent not in deal.promised


def _works(coordination: Coordination, deal: Deal, agent: str) -> Iterator[_Work]:
    """Yield the hours of a deal that this agent has still to work, or would have."""
    network = coordination.network
    if deal.state not in (State.PROPOSED, State.PROMISED, State.COMMITTED, State.DELIVERED):
        return
    for index, line in enumerate(deal.lines):
        left = line.quantity.grains - deal.gone(index)
        need = network.stances.get(line.need)
        if line.provider == agent and line.action in ("use", "work") and left > 0:
            recipe = network.recipes.get(line.into or "")
            done = processes_done(network, line.resource)
            steps = [step for step in recipe.steps if network.canonical((PROCESS, step.process))[1] in done] if recipe else []
            step = steps[0] if steps else None
            requires = step.requires if step else (need.limits if need is not None and need.is_hours else None) or {}
            tier = coordination.book.claim_of(need)[2] if need is not None else 3
            yield _Work(deal, line, left, step, requires, tier)


def _able(network: Network, works: Sequence[_Work], machines: Sequence[Stance]) -> list[list[bool]]:
    """Return of each work and each machine whether it does what the work requires; works that require the same are looked at once."""
    known: dict[object, list[bool]] = {}
    rows = []
    for work in works:
        process = work.step.process if work.step else work.line.resource
        required = process, tuple(sorted(work.requires.items()))
        if required not in known:
            wanted = network.canonical((PROCESS, process))[1]
            known[required] = [
                wanted in processes_done(network, one.name) and not lacking(work.requires, one.limits or {}) for one in machines
            ]
        rows.append(known[required])
    return rows


def _told(work: _Work) -> str:
    hours = work.ms / HOUR_MS
    return f"{hours:g} h {work.line.resource} of proposal {work.deal.proposal[:12]}: no machine that stands says it has what this requires"


def _material(limits: Limits | None, *keys: str) -> str:
    said = next((str(limits[key]) for key in keys if limits and key in limits), "")
    return said.split(";")[0].strip().casefold()


def _shop(
    network: Network, now_us: int, machines: Sequence[Stance], works: Sequence[_Work], able: Sequence[Sequence[bool]]
) -> tuple[Workshop, list[str]]:
    """Return the workshop in minutes from a whole one, and the materials that its set-ups stand for."""
    loaded = [_material(one.limits, "loaded", "material") for one in machines]
    wanted = [_material(work.requires, "material") for work in works]
    setups = sorted({*loaded, *wanted})
    minutes = [-(-work.ms // MINUTE_MS) for work in works]
    shop = Workshop(
        hours=_ints([[minutes[j] if able[j][m] else NEVER for m in range(len(machines))] for j in range(len(works))], len(machines)),
        setup=_ints([setups.index(each) for each in wanted]),
        ready=_ints([max(0, _minutes(work.line.begin_us, now_us, 0)) for work in works]),
        due=_ints([_minutes(_due_us(work.line), now_us, FAR_MINUTES) for work in works]),
        weight=_ints([TIER_WEIGHTS[work.tier] for work in works]),
        after=_ints(_after(network, works), 2),
        loaded=_ints([setups.index(each) for each in loaded]),
        free=_ints([max(0, _minutes(one.begin_us, now_us, 0)) for one in machines]),
        change=_changes(setups, wanted, works),
        work=_ints([work.number for work in works]),
    )
    return shop, setups


def _ordered(question: Question, searches: bool, orders: Orders | None) -> tuple[Order, int | None]:
    """Return an order of the jobs that passes its check, and what no order comes below where that is known."""
    shop = question.shop
    found = dispatch(shop)
    least = question.least_however_split if lateness_of(shop, found) else 0
    better = None
    if searches and question.is_to_be_searched:
        better = searched(question)
    elif orders is not None and least != 0 and (known := orders.known(question.content)) is not None:
        better = as_early(shop, known)
    if better is not None:
        found, least = min(better, found, key=lambda order: lateness_of(shop, order)), better.bound
    wrong = broken_sequence(shop, found)
    if wrong:
        raise Defect(f"a sequence of work breaks its own rules; please report: {'; '.join(wrong[:3])}")
    return found, least


def _told_by_machine(network: Network, question: Question, found: Order) -> tuple[tuple[Machine, ...], tuple[Job, ...]]:
    """Return machines and jobs in the order found."""
    shop, works, machines, now_us = question.shop, question.works, question.machines, question.now_us
    loaded = [question.setups[each] for each in shop.loaded.tolist()]
    minutes = [-(-work.ms // MINUTE_MS) for work in works]
    jobs: list[Job] = []
    first = {one.ref: m for m, one in reversed(list(enumerate(machines)))}
    numbers = [1 + m - first[one.ref] for m, one in enumerate(machines)]
    free = shop.free.tolist()
    busy = [0] * len(machines)
    counts = [0] * len(machines)
    at = list(shop.loaded.tolist())
    for j in sorted(range(len(works)), key=lambda job: (int(found.begin[job]), job)):
        work, machine, begin = works[j], int(found.machine[j]), int(found.begin[j])
        change = int(shop.change[at[machine], shop.setup[j]])
        at[machine], free[machine] = int(shop.setup[j]), begin + minutes[j]
        busy[machine], counts[machine] = busy[machine] + work.ms, counts[machine] + 1
        jobs.append(
            Job(
                proposal=work.deal.proposal,
                state=work.deal.state.value,
                process=work.line.resource,
                recipe=work.line.into,
                need=work.line.need,
                hours=Quantity(work.ms, "h"),
                machine=machines[machine].ref,
                number=numbers[machine],
                begin_us=now_us + begin * MINUTE_MS * 1000,
                end_us=now_us + free[machine] * MINUTE_MS * 1000,
                change=Quantity(change * MINUTE_MS, "min") if change else None,
                late=free[machine] > int(shop.due[j]),
            )
        )
    told = tuple(
        Machine(
            one.ref,
            numbers[m],
            network.canonical(one.thing)[1],
            loaded[m],
            counts[m],
            Quantity(busy[m], "h"),
            now_us + free[m] * MINUTE_MS * 1000,
        )
        for m, one in enumerate(machines)
    )
    return told, tuple(jobs)


def _changes(setups: Sequence[str], wanted: Sequence[str], works: Sequence[_Work]) -> Ints:
    """Return how long each change of material takes: the longest set-up of the jobs that take the new one."""
    change = np.zeros((len(setups), len(setups)), dtype=np.int64)
    for setup, work in zip(wanted, works, strict=True):
        if setup and work.step is not None and work.step.setup is not None:
            column = setups.index(setup)
            change[:, column] = np.maximum(change[:, column], -(-work.step.setup.grains // MINUTE_MS))
    np.fill_diagonal(change, 0)
    return change


def _after(network: Network, works: Sequence[_Work]) -> list[tuple[int, int]]:
    """Return which job has to end before which begins: within one proposal, what makes a part before what takes it.

    Jobs that make parts for one another (goods, and what grinds their scrap) go by their dates: names do not tell which is first.
    """
    flows = {ref: recipe_stocks(network, network.recipes[ref]) for ref in {work.line.into for work in works} if ref in network.recipes}
    jobs: dict[str, dict[str, list[int]]] = {}  # by proposal and recipe
    for job, work in enumerate(works):
        if work.line.into in flows:
            jobs.setdefault(work.deal.proposal, {}).setdefault(work.line.into, []).append(job)
    pairs = sorted(
        pair
        for made in jobs.values()
        for one, other in permutations(made, 2)
        if flows[one][1].keys() & flows[other][0].keys()
        for pair in product(made[one], made[other])
    )
    ring = {job: number for number, jobs in enumerate(nx.strongly_connected_components(nx.DiGraph(pairs))) for job in jobs}
    return [(first, second) for first, second in pairs if ring[first] != ring[second]]


def _due_us(line: Line) -> int | None:
    """Return by when work has to be done: the need's due date, or the end of its own line where that is sooner."""
    return min((each for each in (line.due_us, line.end_us) if each is not None), default=None)


def _minutes(at_us: int | None, now_us: int, missing: int) -> int:
    return missing if at_us is None else (at_us - now_us) // (MINUTE_MS * 1000)


def _ints(values: Sequence[object], width: int | None = None) -> Ints:
    table = np.array(values, dtype=np.int64)
    return table if width is None else table.reshape(len(values), width)
