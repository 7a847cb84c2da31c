"""What a need still takes at each level, netted against stock and promises: who could supply it, where it is tight, what would be enough.

The levels are plain netting: what is missing of a thing is made by the first recipe that can run, batches and set-ups counted, distances
and windows that are still open left aside. Of each other recipe it is told how far the levels come with it instead, all else as it is.
What really comes of it, and whether a change is enough, is told by planning it.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from copy import copy
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

import networkx as nx
from msgspec import structs

from coordinator.cycle import Coordination
from coordinator.explaining import need_named
from coordinator.hindrances import Supplies
from coordinator.limits import lacking, process_meant, processes_done
from coordinator.loops import Stock, recipe_stocks, rings_told
from coordinator.network import PROCESS, Network, Stance, amount_of
from coordinator.opportunities import NOBODY, supply_at
from coordinator.places import Coordinates
from coordinator.production import Made
from coordinator.signals import Recipe, Step
from coordinator.times import HOUR_US, LATEST_US, format_instant
from coordinator.units import Quantity
from coordinator.wording import amount, counted, shown
from coordinator.workshops import accepted_stocks, relevant
from solver.making import MOST_ROUNDS

__all__ = ["Change", "Exploded", "Row", "Supplier", "explode"]

FARTHEST_M = 2**60  # stands for a way that nobody knows
MOST_SUPPLIERS = 8  # told of one row, those who have most; the rest is counted
MOST_CELLS_TRIED = 40_000  # of a problem that changes are tried on, many times over; of larger ones no change is told
MOST_OTHERS, MOST_OTHERS_OF_A_ROW = 30, 3  # recipes that are looked at instead of those used: each nets all levels anew
MOST_CLOSINGS = 2  # hours that close too early, of which longer ones are tried
MOST_DOUBLINGS = 12  # of an hour: half a year
HOUR_MS = 3_600_000
MOST_TRIED = 12  # changes that are planned, to see whether they are enough


@dataclass(frozen=True, slots=True)
class Supplier:
    """Somebody who has some of it free."""

    agent: str
    free: Quantity


@dataclass(frozen=True, slots=True)
class Row:
    """One thing or process at one level of what a need takes."""

    level: int  # 0: what is needed itself
    sort: str
    name: str
    wanted: Quantity
    free: Quantity  # with everybody, neither promised nor in a proposal yet, its window not closed
    short: Quantity | None  # that neither stock nor making covers; None: nothing
    made_by: str | None  # the recipe that the levels go on with
    alternatives: tuple[str, ...]  # other recipes that make it; none where it goes into a ring that closes there
    instead: tuple[str, ...]  # of each of those, in words: how far the levels come where it is taken instead
    into: tuple[str, ...]  # recipes that take it
    suppliers: tuple[Supplier, ...]
    more_suppliers: int
    share: float  # of what is wanted, how much can be had


@dataclass(frozen=True, slots=True)
class Change:
    """A change that was planned and found to be enough; nothing smaller of its kind is."""

    name: str
    sort: str
    by: Quantity
    near: str  # the agent at whose place it was tried
    sentence: str
    until_us: int | None = None  # of a change in time, to when: `by` is how much later that is


@dataclass(frozen=True, slots=True)
class Exploded:
    """The answer for one need."""

    need: str
    name: str
    asked: Quantity
    covered: Quantity  # promised, committed or proposed already
    open: Quantity
    can_be_made: Quantity | None  # of what is open, as planned now; None: nothing makes it
    rows: tuple[Row, ...]
    bottleneck: str | None  # the row that covers the least of what is wanted, in words
    enough: tuple[Change, ...]  # each alone is enough
    together: tuple[str, ...]  # what is short in all, where no one change is enough
    too_short: tuple[str, ...]  # recipes of these levels of which no one capacity has the hours of a run or least batch, in words
    too_late: tuple[str, ...]  # what of lead times and windows keeps it from being made before the need ends, whatever is planned
    ways_take_time: bool  # whether the charter says that; else what can be made in time is so but for its ways
    reasons: tuple[str, ...]  # what was left out of the plan, counted
    rings: tuple[str, ...]  # of recipes that lead to it and gain, each with how far plans go round it
    unused: tuple[str, ...]  # recipes that lead to it and are not used, each with why and what to do
    taken_for: tuple[str, ...]  # names of processes that count as another, each with who says so


def explode(coordination: Coordination, asked: str) -> Exploded:
    """Return what a need still takes at each level. Refused where the name is unknown or stands for several."""
    network, book = coordination.network, coordination.book
    need = need_named(network, asked)
    open_grains = max(0, need.stated_grains - book.covered_grains(need)) if need.stands else 0
    recipes, _ = relevant(network, coordination.production.standing(), [need])
    unused = coordination.production.unused()
    leading, _ = relevant(network, {ref: recipe for ref, recipe in network.recipes.items() if not recipe.draft}, [need])
    free = _free(coordination)
    if need.is_hours:  # They meet hours of the very same process alone, unlike a recipe's.
        thing = network.canonical(need.thing)
        free = {ref: grains for ref, grains in free.items() if network.canonical(network.stances[ref].thing) == thing}
    netting = _Netting(network, recipes, free, need)
    rows = tuple(netting.rows(open_grains)) if open_grains else ()
    tight = _tightest(rows)
    made = _tried(coordination, need, open_grains) if recipes and open_grains else None
    served = _served(made, need) if made else 0
    supplies = Supplies(network, coordination.log_us, recipes, lambda one: free.get(one.ref, 0))
    roots = [ref for ref, (_, gives) in supplies.flows.items() if not gives.keys().isdisjoint(accepted_stocks(network, need))]
    too_late = tuple(_too_late(supplies, roots, need)) if open_grains else ()
    enough: tuple[Change, ...] = ()
    if made is not None and served < open_grains and made.cells <= MOST_CELLS_TRIED:
        more = _enough(coordination, need, open_grains, netting, rows, comes_late=bool(too_late))
        in_time = _in_time(coordination, need, open_grains, supplies, roots) if tight is None else ()  # No wait brings what is short.
        enough = (*more, *in_time)
    return Exploded(
        need=need.ref,
        name=network.canonical(need.thing)[1],
        asked=network.quantity(need, need.stated_grains),
        covered=network.quantity(need, min(need.stated_grains, book.covered_grains(need))),
        open=network.quantity(need, open_grains),
        can_be_made=None if made is None else network.quantity(need, served),
        rows=rows,
        bottleneck=None if tight is None else _tight(tight),
        enough=enough,
        together=() if enough else tuple(f"{amount(row.short)} {row.name}" for row in rows if row.short is not None),
        too_short=tuple(_too_short(supplies, rows)),
        too_late=too_late,
        ways_take_time=network.charter.ways_take_time,
        reasons=tuple(f"{counted(count, 'time')}: {why}" for why, count in sorted((made.left_out + made.dropped).items())) if made else (),
        rings=tuple(rings_told(network, recipes)),
        unused=tuple(unused[ref] for ref in leading if ref in unused),
        taken_for=tuple(netting.taken_for(rows)),
    )


def _free(coordination: Coordination) -> dict[str, int]:
    """Return what each supply still gives, by ref: what proposals ask of it is spoken for, as the need they serve is covered."""
    supply = [one for one in coordination.network.living() if one.is_supply and not one.is_over(coordination.log_us)]
    return {one.ref: coordination.book.open_grains(one) for one in supply}


def _tightest(rows: Sequence[Row]) -> Row | None:
    return min((row for row in rows if row.short is not None), key=lambda row: (row.share, -row.level, row.name), default=None)


def _tight(row: Row) -> str:
    assert row.short is not None  # asked of tight rows alone
    have = f"{row.share:.0%} of the {amount(row.wanted)} wanted can be had" if row.share else f"none of the {amount(row.wanted)} can be had"
    return f"level {row.level}, {row.name}: {have}"


def _too_short(supplies: Supplies, rows: Sequence[Row]) -> Iterator[str]:
    """Yield what the hours of these rows do not show, since they are added up: a run that no one capacity has the hours of."""
    for ref in sorted({ref for row in rows if row.sort == PROCESS for ref in row.into}):
        for told in supplies.hours_too_short(ref):
            yield f"{ref}: {told}"


def _too_late(supplies: Supplies, roots: Sequence[str], need: Stance) -> Iterator[str]:
    """Yield what makes all recipes that make it late; nothing where one could be over in time."""
    found = [list(supplies.too_late(ref, need)) for ref in roots]
    if all(found):
        yield from dict.fromkeys(each.sentence for late in found for each in late)


class _Netting:
    """Level by level: what is wanted, less what is free, is made by a recipe that wants things itself.

    None is run that takes the very thing that is needed, unless something lies that leads to both: goods of it go to the need first.
    """

    def __init__(self, network: Network, recipes: Mapping[str, Recipe], free: Mapping[str, int], need: Stance) -> None:
        self.network, self.recipes, self.root = network, recipes, accepted_stocks(network, need)[0]
        self.flows = {ref: recipe_stocks(network, recipe) for ref, recipe in recipes.items()}
        self.instead: Mapping[Stock, str] = {}  # recipes that are taken in the place of the first that can run
        self.free: dict[Stock, dict[str, int]] = {}
        for ref, grains in free.items():
            stance = network.stances[ref]
            for stock in self._serves(stance):
                by = self.free.setdefault(stock, {})
                if grains:
                    by[ref] = grains
        self.makers: dict[Stock, list[str]] = {}
        self.made_of = nx.DiGraph()  # from what recipes are run for to what they take
        for takes, gives in self.flows.values():
            self.made_of.add_nodes_from((*takes, *gives))
            self.made_of.add_edges_from((next(iter(gives)), taken) for taken in takes)
        begins = any(self.free.get(stock) for stock in self._ring_of(self.root) - {self.root})
        for ref, (takes, gives) in self.flows.items():
            for stock in gives if begins or self.root not in takes else ():
                self.makers.setdefault(stock, []).append(ref)

    def _ring_of(self, stock: Stock) -> set[Stock]:
        """Return all that a thing goes round with, itself among it."""
        return next((part for part in nx.strongly_connected_components(self.made_of) if stock in part), {stock})

    def _serves(self, stance: Stance) -> list[Stock]:
        """Return what a supply is of. Hours that can do several processes count in full with each: a plan tells what all take in sum."""
        if not stance.is_hours:
            return [(self.network.canonical(stance.thing), stance.dimension)]
        return [((PROCESS, process), stance.dimension) for process in processes_done(self.network, stance.name)]

    def taken_for(self, rows: Sequence[Row]) -> Iterator[str]:
        """Yield, for every name of a process in these rows that counts as another, a sentence with who says so."""
        shown_rows = {row.name: row for row in rows if row.sort == PROCESS}
        said = {step.process for row in shown_rows.values() for ref in row.into for step in self.recipes[ref].steps}
        said |= {self.network.stances[ref].name for process in shown_rows for ref in self.free.get(((PROCESS, process), "time"), {})}
        for name in sorted(said):
            meant, source = process_meant(self.network, name)
            done = [process for process in processes_done(self.network, name) if process in shown_rows and process != name]
            if done:
                by = source or "the table of processes"
                through = f" by way of {meant}" if meant not in (name, *done) else ""
                yield f"{shown(name)} counts as {' and '.join(done)}{through} ({by})"

    def rows(self, open_grains: int) -> list[Row]:
        """Return a row for everything that the open part of a need takes, by level, each with what some other recipes would come to."""
        left, known, found = MOST_OTHERS, set[tuple[str, str, str]](), list[Row]()
        for row in self._levels(open_grains):
            told, passed_over = list[str](), 0
            for ref in row.alternatives:
                key = row.sort, row.name, ref
                if key in known:
                    continue  # what goes round has a row for each round
                if left and len(told) < MOST_OTHERS_OF_A_ROW:
                    left -= 1
                    known.add(key)
                    told.append(self._come_to(open_grains, row, ref))
                else:
                    passed_over += 1
            if passed_over:
                told.append(f"{passed_over:,} more recipes for {row.name}, at which nobody looked")
            found.append(replace(row, instead=tuple(told)))
        return found

    def _come_to(self, open_grains: int, row: Row, ref: str) -> str:
        """Return in words how far the levels come where a thing is made by another recipe."""
        stock = (row.sort, row.name), row.wanted.dimension
        if self._is_round_about(ref, stock):
            return f"{ref}: not run for {row.name}, of which what it takes is made"
        if stock in self.flows[ref][0]:
            return f"{ref}: takes {row.name} itself, so that some must lie there first"
        other = copy(self)
        other.instead = {stock: ref}
        tight = _tightest(other._levels(open_grains))
        return f"{ref}: nothing is short" if tight is None else f"{ref}: {_tight(tight)}"

    def _levels(self, open_grains: int) -> list[Row]:
        """Return the rows, by level.

        What goes into a ring where it closes has a row of its own for each round, and is made by going round again, as often as trees
        do. What is free of it is left to the round from which on that is enough: three of what doubles are six, and in two rounds twelve.
        """
        rows, short = self._netted(open_grains, frozenset())
        if short:
            share = -1.0
            for rounds in range(1, MOST_ROUNDS + 1):  # of equal ones the first: no round in vain
                tried, _ = self._netted(open_grains, short, rounds)
                if _least_share(tried) > share:
                    rows, share = tried, _least_share(tried)
                if share >= 1:
                    break
        return sorted(rows, key=lambda row: (row.level, row.sort == PROCESS, row.name))

    def _netted(self, open_grains: int, kept: Set[Stock], rounds: int = 1) -> tuple[list[Row], frozenset[Stock]]:
        """Return all rows where rings are gone round so often; and what goes in where they close and is short there in the end.

        What is free of `kept` things, and of all on their rings, is left to the last round.
        """
        order = self._order()
        wanted, level = {(self.root, 0): open_grains}, {(self.root, 0): 0}  # by thing, and how often a ring was closed on the way to it
        into: dict[tuple[Stock, int], set[str]] = {}
        used = Counter[Stock]()
        ringed = set().union(*map(self._ring_of, kept))
        found: list[Row] = []
        short: set[Stock] = set()
        runs_of: list[tuple[str, int, int]] = []  # what is run, how often, and on which level
        for closed, stock in product(range(rounds + 1), order):
            grains = wanted.get((stock, closed), 0)
            if not grains:
                continue
            last = closed == rounds
            kept_until = rounds if stock in kept else rounds - 1 if stock in ringed else 0
            free = 0 if closed < kept_until else sum(self.free.get(stock, {}).values()) - used[stock]
            missing = max(0, grains - free)
            used[stock] += grains - missing
            chosen = None if last else self._chosen(stock)
            below = level[stock, closed] + 1
            if missing and chosen is not None:
                runs = self._runs(chosen, stock, missing)
                runs_of.append((chosen, runs, below))
                for taken, each in self.flows[chosen][0].items():
                    row = taken, closed + (order[taken] <= order[stock])
                    wanted[row] = wanted.get(row, 0) + runs * each
                    level[row] = max(level.get(row, 0), below)
                    into.setdefault(row, set()).add(chosen)
            elif missing and last:
                short.add(stock)
            of_row = into.get((stock, closed), set())
            others = () if last else self._makers_but(chosen, stock)
            found.append(self._row(stock, level[stock, closed], grains, 0 if chosen else missing, chosen, others, of_row))
        return [*found, *self._hour_rows(runs_of)], frozenset(short)

    def _hour_rows(self, runs_of: Sequence[tuple[str, int, int]]) -> Iterator[Row]:
        """Yield a row for every process that so many runs take hours of."""
        hours: dict[str, list[tuple[Step, int]]] = {}
        level: dict[str, int] = {}
        into: dict[str, set[str]] = {}
        for ref, runs, below in runs_of:
            for step in self.recipes[ref].steps:
                process = self._process(step)
                hours.setdefault(process, []).append((step, runs))
                level[process] = max(level.get(process, 0), below)
                into.setdefault(process, set()).add(ref)
        for process, steps in hours.items():
            stock = (PROCESS, process), "time"
            ms = sum(step.effort.grains * runs + (step.setup.grains if step.setup else 0) for step, runs in steps)
            able = self._able_ms(stock, [step for step, _ in steps])
            yield self._row(stock, level[process], ms, max(0, ms - able), None, (), into[process], able)

    def _order(self) -> dict[Stock, int]:
        """Return the place of each thing that the need may take: each before what it is made of, but for what closes a ring."""
        made_of = nx.DiGraph()
        made_of.add_node(self.root)
        waiting = [self.root]
        for stock in waiting:
            chosen = self._chosen(stock)
            for taken in () if chosen is None else self.flows[chosen][0]:
                if taken not in made_of:
                    waiting.append(taken)
                made_of.add_edge(stock, taken)
        lowest_first = list(nx.dfs_postorder_nodes(made_of, self.root))
        return {stock: at for at, stock in enumerate(reversed(lowest_first))}

    def _chosen(self, stock: Stock) -> str | None:
        """Return the recipe to make a thing by: the first whose hours and inputs somebody has at all, else the first.

        As in a plan, none is run for a by-product that what it takes is made of.
        """
        if stock in self.instead:
            return self.instead[stock]
        makers = [ref for ref in sorted(self.makers.get(stock, ())) if not self._is_round_about(ref, stock)]
        able = [ref for ref in makers if all(self.free.get(taken) or self.makers.get(taken) for taken in self.flows[ref][0])]
        worked = [ref for ref in able if all(self.free.get(((PROCESS, name), "time")) for name in self.processes(ref))]
        return next(iter([*worked, *able, *makers]), None)

    def _is_round_about(self, ref: str, stock: Stock) -> bool:
        takes, gives = self.flows[ref]
        return next(iter(gives)) != stock and any(nx.has_path(self.made_of, taken, stock) for taken in takes)

    def _makers_but(self, chosen: str | None, stock: Stock) -> tuple[str, ...]:
        return tuple(ref for ref in sorted(self.makers.get(stock, ())) if ref != chosen)

    def processes(self, ref: str) -> list[str]:
        """Return the processes of a recipe's steps."""
        return [self._process(step) for step in self.recipes[ref].steps]

    def _runs(self, ref: str, stock: Stock, grains: int) -> int:
        batch = self.recipes[ref].batch
        runs = max(math.ceil(Fraction(grains) / self.flows[ref][1][stock]), (batch and batch.minimum) or 1)
        multiple = (batch and batch.multiple) or 1
        return -(-runs // multiple) * multiple

    def _able_ms(self, stock: Stock, steps: Sequence[Step]) -> int:
        """Return the free hours on machines that have what some step requires."""
        stances = [self.network.stances[ref] for ref in self.free.get(stock, {})]
        able = [one for one in stances if any(not lacking(step.requires, one.limits or {}) for step in steps)]
        return sum(self.free[stock][one.ref] for one in able)

    def of_one_run(self, stock: Stock, refs: Collection[str]) -> int:
        """Return the least that one run of any of these recipes takes of a thing or process."""
        taken = [self.flows[ref][0].get(stock, 0) for ref in refs]
        steps = [step for ref in refs for step in self.recipes[ref].steps]
        taken += [step.effort.grains for step in steps if ((PROCESS, self._process(step)), "time") == stock]
        return max(1, min((each for each in taken if each), default=1))

    def why_more(self, row: Row, enough: int) -> str:
        """Return in words why no less than this is enough where a row is short of less: that much was planned, and was not."""
        assert row.short is not None  # asked of what is short alone
        stock = (row.sort, row.name), row.wanted.dimension
        steps = [step for ref in row.into for step in self.recipes[ref].steps if self._process(step) == row.name]
        free, not_enough = self.free.get(stock, {}).values(), f"{amount(row.short)} is not"
        if row.sort == PROCESS and len(steps) == 1 and not steps[0].setup:
            run = steps[0].effort.grains
            over = sum(each % run for each in free)
            if over and row.wanted.grains - (sum(free) - over) == enough:  # so that this is all there is to it
                run_told, over_told = (amount(amount_of(self.network, stock, each)) for each in (run, over))
                return f"{not_enough}: a run takes {run_told} of one capacity, and {over_told} of what is free is too little for one"
        return f"{not_enough}: of what is free, or of so much more, not all can be used for it"

    def _process(self, step: Step) -> str:
        return self.network.canonical((PROCESS, step.process))[1]

    def _row(
        self,
        stock: Stock,
        level: int,
        grains: int,
        short: int,
        chosen: str | None,
        others: tuple[str, ...],
        into: Set[str],
        able: int | None = None,
    ) -> Row:
        network, by = self.network, self.free.get(stock, {})
        most = sorted(by.items(), key=lambda row: (-row[1], row[0]))
        suppliers = tuple(Supplier(network.stances[ref].agent, amount_of(network, stock, each)) for ref, each in most[:MOST_SUPPLIERS])
        free = sum(by.values()) if able is None else able
        return Row(
            level=level,
            sort=stock[0][0],
            name=stock[0][1],
            wanted=amount_of(network, stock, grains),
            free=amount_of(network, stock, free),
            short=amount_of(network, stock, short) if short else None,
            made_by=chosen,
            alternatives=others,
            instead=(),
            into=tuple(sorted(into)),
            suppliers=suppliers,
            more_suppliers=max(0, len(most) - MOST_SUPPLIERS),
            share=(grains - short) / grains,
        )


def _least_share(rows: Sequence[Row]) -> float:
    return min((row.share for row in rows if row.sort != PROCESS), default=1.0)


# -- what would be enough -------------------------------------------------------------------------------------------------


def _tried(coordination: Coordination, need: Stance, open_grains: int, extra: Sequence[tuple[Stance, int]] = ()) -> Made:
    """Return what planning this need alone comes to, with some supply that nobody said."""
    free = {ref: grains for ref, grains in _free(coordination).items() if grains} | {need.ref: open_grains}
    free |= {stance.ref: grains for stance, grains in extra}
    return coordination.production.tried([need], free, coordination.log_us, tuple(stance for stance, _ in extra))


def _served(made: Made, need: Stance) -> int:
    return sum(line.grains for tree in made.trees for line in tree.lines if line.into is None and line.need == need.ref)


def _enough(
    coordination: Coordination, need: Stance, open_grains: int, netting: _Netting, rows: Sequence[Row], *, comes_late: bool
) -> Iterator[Change]:
    """Yield, for each thing and process of the levels, the least more of it, there at once, that alone is enough for all that is open."""
    network = coordination.network
    for row in [row for row in rows if row.made_by is None or row.short is not None][:MOST_TRIED]:
        stock = (row.sort, row.name), row.wanted.dimension
        for agent, place in _places(coordination, netting, row, need):
            most = row.wanted.grains

            def gives_all(grains: int, stock: Stock = stock, agent: str = agent, place: Coordinates | None = place) -> bool:
                if stock == netting.root:  # Goods are matched first: so much less is to be made.
                    return _served(_tried(coordination, need, open_grains - grains), need) >= open_grains - grains
                extra = _would_be(network, stock, agent, place, grains)
                return _served(_tried(coordination, need, open_grains, [(extra, grains)]), need) >= open_grains

            if gives_all(most):
                least = _least(gives_all, most, netting.of_one_run(stock, row.into))
                short = 0 if row.short is None else row.short.grains
                if 0 < short < least and gives_all(short):
                    least = short
                by = amount_of(network, stock, least)
                told = f"{amount(by)} more {'of ' if row.sort != PROCESS else ''}{row.name} near {agent} is enough for all of it"
                why = f"; {netting.why_more(row, least)}" if 0 < short < least else ""
                if comes_late and not short:
                    why = ", there at once: what is free is not there in time"
                yield Change(row.name, row.sort, by, agent, told + why)
                break


def _in_time(coordination: Coordination, need: Stance, open_grains: int, supplies: Supplies, roots: Sequence[str]) -> Iterator[Change]:
    """Yield the least more time, in whole hours, that alone lets all of the open part be made: for the need, or in which hours stand."""
    if need.end_us is not None:
        end_us = need.end_us

        def is_enough_for_need(hours: int) -> bool:
            longer = structs.replace(need, end_us=end_us + hours * HOUR_US)
            return _served(_tried(coordination, longer, open_grains), need) >= open_grains

        over_us = min((supplies.earliest.over_us[ref] for ref in roots if ref in supplies.earliest.over_us), default=end_us)
        if hours := _least_hours(is_enough_for_need, end_us, over_us):
            yield _later(need, hours, f"an end of the need {hours:,} h later, at")
    closings = {closing.ref: closing for ref in roots for closing in supplies.earliest.closings(ref)}
    for closing in list(closings.values())[:MOST_CLOSINGS]:
        one = closing.machines[0]
        assert one.end_us is not None  # it closes
        grains = supplies.free[one.ref]

        def is_enough_of_machine(hours: int, one: Stance = one, grains: int = grains) -> bool:
            longer = structs.replace(one, end_us=(one.end_us or 0) + hours * HOUR_US)
            return _served(_tried(coordination, need, open_grains, [(longer, grains)]), need) >= open_grains

        if hours := _least_hours(is_enough_of_machine, one.end_us, closing.begin_us):
            yield _later(one, hours, f"an end of {one.agent}'s hours of {closing.process} {hours:,} h later, at")


def _later(stance: Stance, hours: int, told: str) -> Change:
    until_us = (stance.end_us or 0) + hours * HOUR_US
    by = Quantity(hours * HOUR_MS, "h")
    return Change(stance.name, "time", by, stance.agent, f"{told} {format_instant(until_us)}, is enough for all of it", until_us)


def _least_hours(is_enough: Callable[[int], bool], end_us: int, from_us: int) -> int | None:
    """Return the least hours after an end that are found to be enough, from a moment on that no less reaches; None where none are.

    Spans of time are wider in longer plans, so that less may be enough than what is found; each that is told was planned.
    """
    low = max(0, (from_us - end_us) // HOUR_US)
    most = (LATEST_US - end_us) // HOUR_US
    high = next((hours for step in range(MOST_DOUBLINGS) if (hours := low + (1 << step)) <= most and is_enough(hours)), None)
    if high is None:
        return None
    low += (high - low) // 2  # that was tried, and is not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _least(is_enough: Callable[[int], bool], most: int, step: int) -> int:
    """Return the least multiple of a step that is enough, given that `most` is."""
    low, high = 0, -(-most // step)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle * step) else (middle, high)
    return min(most, high * step)


def _places(coordination: Coordination, netting: _Netting, row: Row, need: Stance) -> list[tuple[str, Coordinates | None]]:
    """Return where it could be of use: with those who have hours for what it goes into, nearest to the need first, else at the need."""
    network = coordination.network
    processes = {name for ref in row.into for name in netting.processes(ref)}
    having = [network.stances[ref] for name in processes for ref in netting.free.get(((PROCESS, name), "time"), {})]
    place = network.place_of(need)
    ways = {(one.agent, network.place_of(one)): network.distance_m(one, need) for one in having}  # from where each has them
    ranked = sorted(ways, key=lambda spot: (FARTHEST_M if ways[spot] is None else ways[spot], spot[0], spot[1] or ()))
    return ranked[:2] or [(need.agent, place)]


def _would_be(network: Network, stock: Stock, agent: str, place: Coordinates | None, grains: int) -> Stance:
    """Return a supply that nobody said: hours of the agent's own, goods of a neighbour's at its place."""
    unit = amount_of(network, stock, 1).unit
    like = Stance("", agent, "need", "", 0, stock[0], stock[1], unit, grains, None, None, None, None, 0, 0, None, False, place, ())
    who = agent if stock[0][0] == PROCESS else NOBODY
    return structs.replace(supply_at(who, stock[0], like, place), stated_grains=grains, end_us=None)
