"""Needs that making could meet, laid out for the solver: places, lots, hours and recipes by position, and what each position stands for."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from functools import cache
from itertools import pairwise, product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coordinator.commitments import Book
from coordinator.limits import lacking, processes_done
from coordinator.loops import Stock, recipe_stocks
from coordinator.network import PROCESS, UNKNOWN_MASS_UG, Network, Stance
from coordinator.places import UNCONNECTED, Coordinates, great_circles_m
from coordinator.signals import Recipe, Step
from coordinator.times import DAY_US, SECOND_US
from coordinator.units import UNITS, Quantity
from solver.making import MOST_DRAWS, ProductionProblem, tier_worths

if TYPE_CHECKING:
    from solver.making.guiding import Guide

__all__ = [
    "Layout",
    "Spot",
    "Use",
    "accepted_stocks",
    "carried",
    "energy_kwh",
    "lay_out",
    "radius_m",
    "relevant",
    "shared_out",
    "without_time",
]

Ints = NDArray[np.int64]
Row = tuple[list[tuple[int, int]], list[tuple[int, int]], int]  # inputs and outputs of a run in units, and of how many outputs one is good

HOUR_US = 3_600 * SECOND_US
WIDTHS_US = tuple(hours * HOUR_US for hours in (1, 2, 4, 8, 24, 48, 168, 336, 672, 1344, 2688))  # of a bucket of time
LEAST_BUCKETS, MOST_BUCKETS = 3, 8
CELLS_WANTED = 120_000  # of the problem: time is cut more coarsely where there are many places and things
NEAREST = 12  # places that each place is laid out with a way to; all of them where there are few
FEW_PLACES = 40
MOST_CHOICES = 8  # machines that could do one recipe's steps at one place, taken together
FARTHEST_STEPS = 1_000  # the longest way counts so many
HEAVIEST = 100  # the heaviest unit counts so many of the lightest
WAYS_WORTH = 4  # a unit of the last tier is worth so many times what it takes with everything moved as far as anything is
SPACINGS = (10, 4, 2)  # of tiers: so many times one is worth the next, as far as numbers allow
LARGEST_WORTH = 2**49
MOST_UNITS = 2**36  # of one lot, and grains of one capacity's hours: more than any plan takes
LEAST_RESTS = 100  # of such a part of all or less, rests of lots are let be: finer units make more and smaller trees, and plans no better
MOST_PARTS = 100  # of what all amounts of a thing share: what a lot has beyond such parts is left aside
LAID_WORK = 40  # of walkers (`solver.making.walkers.Walkers`), in the time that laying out an activity takes
LEVELS = 10  # of fairness within a tier, unless the charter says off


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an agent does something: its own place, or that of one of its signals."""

    agent: str
    place: Coordinates | None


@dataclass(frozen=True, slots=True)
class Use:
    """What one run of a recipe at a place takes of one capacity."""

    pool: int
    run_ms: int
    setup_ms: int
    energy_mwh: int | None  # of one run, as the recipe says; None: by what the machine draws


@dataclass(slots=True)
class Layout:
    """The problem and what its positions stand for."""

    network: Network
    log_us: int
    problem: ProductionProblem
    edges_us: list[int]  # bucket t is from edges_us[t] up to edges_us[t + 1]; nothing ends the last one where there is one alone
    stocks: list[Stock]  # of each thing
    steps: list[int]  # grains in one unit of each thing
    spots: list[Spot]
    needs: list[Stance]
    lots: list[Stance]
    pools: list[Stance]
    machines: list[int]  # of each pool that are taken to stand side by side
    whole: list[int]  # grains of hours of each pool in all, which its buckets together may pass
    recipes: list[str | None]  # ref; None: one accepted for another
    uses: list[list[Use]]  # of each activity
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def work(self) -> int:
        """What laying it out took, in work of walkers."""
        return LAID_WORK * len(self.uses)


def relevant(network: Network, recipes: Mapping[str, Recipe], needs: Iterable[Stance]) -> tuple[dict[str, Recipe], list[Stance]]:
    """Return the recipes that lead to what is needed, through any number of levels, and the needs that some recipe makes."""
    flows = {ref: recipe_stocks(network, recipe) for ref, recipe in recipes.items()}
    makers: dict[Stock, list[str]] = {}
    for ref, (_, gives) in flows.items():
        for stock in gives:
            makers.setdefault(stock, []).append(ref)
    wanted = [need for need in needs if any(stock in makers for stock in accepted_stocks(network, need))]
    ahead = [stock for need in wanted for stock in accepted_stocks(network, need)]
    seen = set(ahead)
    found: set[str] = set()
    while ahead:
        for ref in makers.get(ahead.pop(), ()):
            if ref not in found:
                found.add(ref)
                news = flows[ref][0].keys() - seen
                seen |= news
                ahead.extend(news)
    return {ref: recipes[ref] for ref in sorted(found)}, wanted


def accepted_stocks(network: Network, need: Stance) -> list[Stock]:
    """Return what a need takes, its own thing first."""
    names = dict.fromkeys(network.canonical((need.thing[0], name)) for name in (need.name, *need.substitutes))
    return [(thing, need.dimension) for thing in names]


def lay_out(
    network: Network,
    book: Book,
    recipes: Mapping[str, Recipe],
    needs: Sequence[Stance],
    free: Mapping[str, int],
    log_us: int,
    extra: Sequence[Stance] = (),
) -> Layout | None:
    """Return the problem of these needs and recipes, with what is `free` of every signal (in grains); None where nothing could be made.

    `extra` are offers and capacities that nobody said. A signal that comes again counts with its present period alone.
    """
    return _Builder(network, book, recipes, needs, free, log_us, extra).layout()


class _Builder:
    def __init__(
        self,
        network: Network,
        book: Book,
        recipes: Mapping[str, Recipe],
        needs: Sequence[Stance],
        free: Mapping[str, int],
        log_us: int,
        extra: Sequence[Stance],
    ) -> None:
        self.network, self.book, self.charter = network, book, network.charter
        self.refs = list(recipes)
        self.recipes = [recipes[ref] for ref in self.refs]
        self.flows = [recipe_stocks(network, recipe) for recipe in self.recipes]
        self.needs, self.free, self.log_us, self.extra = list(needs), free, log_us, extra
        self.left_out: Counter[str] = Counter()
        self.spots: dict[Spot, int] = {}

    def layout(self) -> Layout | None:
        taken = {stock for takes, _ in self.flows for stock in takes}
        standing = [one for one in (*self.network.living(), *self.extra) if one.is_supply and self.free.get(one.ref, 0)]
        enough = [one for one in standing if self.free[one.ref] >= one.minimum_grains]
        if few := len(standing) - len(enough):
            self.left_out["offers and hours of which less is free than their minimum"] += few
        supply = sorted(enough, key=lambda one: one.ref)
        lots = [one for one in supply if not one.is_hours and (self.network.canonical(one.thing), one.dimension) in taken]
        processes = {self.network.canonical((PROCESS, step.process))[1] for recipe in self.recipes for step in recipe.steps}
        pools = [one for one in supply if one.is_hours and not processes.isdisjoint(processes_done(self.network, one.name))]
        self._ms = math.gcd(*(each.grains for recipe in self.recipes for step in recipe.steps for each in _times(step))) or 1
        activities = list(self._activities(pools))
        if not activities or not self.needs:
            return None
        self._gives = {spot for _, spot, _ in activities} | {self._spot(lot.agent, lot.place) for lot in lots}
        self._wants = {spot for _, spot, _ in activities} | {self._spot(need.agent, need.place) for need in self.needs}
        stocks, coarse = self._things()
        steps = [self._step(stock, step, lots) for stock, step in zip(stocks, coarse, strict=True)]
        arcs, unit_m = self._arcs()
        cells = len(arcs) * len(stocks) + len(self.spots) * len(stocks) + len(activities)
        edges_us = self._edges(pools, lots, max(LEAST_BUCKETS, min(MOST_BUCKETS, CELLS_WANTED // cells)))
        arcs = [(start, end, effort, self._lead(edges_us, way_us)) for start, end, effort, way_us in arcs]
        heaviest = max(map(self._mass_ug, stocks, coarse))
        problem = self._problem(edges_us, stocks, steps, lots, pools, activities, arcs, unit_m, heaviest)
        refs: list[str | None] = [*self.refs, *([None] * (problem.recipes - len(self.refs)))]
        uses = [uses for _, _, uses in activities]
        uses += [[] for _ in range(len(problem.activity_place) - len(uses))]
        spots = list(self.spots)
        known = list(stocks)
        own = [stocks[accepted_stocks(self.network, need)[0]] for need in self.needs if len(accepted_stocks(self.network, need)) > 1]
        known, steps = [*known, *(known[thing] for thing in own)], [*steps, *(steps[thing] for thing in own)]
        return Layout(
            network=self.network,
            log_us=self.log_us,
            problem=problem,
            edges_us=edges_us,
            stocks=known,
            steps=steps,
            spots=spots,
            needs=self.needs,
            lots=lots,
            pools=pools,
            machines=[self._machines(pool, edges_us) for pool in pools],
            whole=[min(MOST_UNITS, self.free[pool.ref] // self._ms) for pool in pools],
            recipes=refs,
            uses=uses,
            left_out=self.left_out,
        )

    def _spot(self, agent: str, place: Coordinates | None) -> int:
        facts = self.network.agents.get(agent)
        return self.spots.setdefault(Spot(agent, place or (facts.place if facts else None)), len(self.spots))

    # -- time ---------------------------------------------------------------------------------------------------------

    def _edges(self, pools: Sequence[Stance], lots: Sequence[Stance], most: int) -> list[int]:
        """Return the edges of at most so many spans of time, to the last moment that matters; one span where no moment does.

        Where moments are few and nothing takes days by itself, spans end when needs and hours do; else spans are equal.
        """
        leads = [step.lead_us for recipe in self.recipes for step in recipe.steps] + [one.lead_us for one in (*pools, *lots)]
        moments = [each for need in self.needs for each in (need.due_us, need.end_us) if each is not None]
        begins = [one.begin_us for one in (*pools, *lots) if one.begin_us is not None and one.begin_us > self.log_us]
        if not (moments or any(leads)) and not begins:
            return [self.log_us]
        ends = moments or [one.end_us for one in pools if one.end_us is not None]
        last_us = max([self.log_us + HOUR_US, *ends, *(begin + DAY_US for begin in begins)])
        if not any(leads) and not self.charter.ways_take_time:
            over = [one.end_us for one in pools if one.end_us is not None]
            for edges in ((*moments, *begins, *over), (*moments, *begins)):  # rather without the ends of hours than with equal spans
                if len(exact := sorted({each for each in edges if self.log_us < each < last_us})) < most:
                    return [self.log_us, *exact, last_us]
        width_us = next((width for width in WIDTHS_US if (last_us - self.log_us) <= width * (most - 1)), WIDTHS_US[-1])
        first_us = self.log_us - self.log_us % width_us
        count = min(most, -(-(last_us - first_us) // width_us))
        return [first_us + index * width_us for index in range(count + 1)]

    def _buckets(self, edges_us: Sequence[int]) -> int:
        return max(1, len(edges_us) - 1)

    def _bucket(self, edges_us: Sequence[int], at_us: int | None, missing: int) -> int:
        """Return the bucket that a moment lies in, held within all there are."""
        if len(edges_us) == 1 or at_us is None:
            return missing
        return min(max(0, bisect_right(edges_us, at_us) - 1), len(edges_us) - 2)

    def _last_bucket(self, edges_us: Sequence[int], by_us: int | None) -> int:
        """Return the last bucket that is over by a moment; the first where none is."""
        last = self._buckets(edges_us) - 1
        if len(edges_us) == 1 or by_us is None:
            return last
        return min(max(0, bisect_right(edges_us, by_us) - 2), last)

    def _lead(self, edges_us: Sequence[int], lead_us: int) -> int:
        return 0 if len(edges_us) == 1 else -(-lead_us // (edges_us[1] - edges_us[0]))

    def _hours(self, pool: Stance, edges_us: Sequence[int]) -> list[int]:
        """Return the most grains of hours in each bucket, as fast as its machines can; together they may be more than there are."""
        whole = min(MOST_UNITS, self.free[pool.ref] // self._ms)
        if len(edges_us) == 1:
            return [whole]
        machines = self._machines(pool, edges_us)
        end_us = pool.end_us or edges_us[-1]
        begin_us = max(pool.begin_us or self.log_us, self.log_us + pool.lead_us)
        if pool.every_us is not None:
            end_us = min(end_us, self.log_us + pool.every_us)
        open_us = [max(0, min(over_us, end_us) - max(start_us, begin_us, self.log_us)) for start_us, over_us in pairwise(edges_us)]
        return [min(whole, machines * each // (1000 * self._ms)) for each in open_us]

    def _machines(self, pool: Stance, edges_us: Sequence[int]) -> int:
        """Return how many machines are taken to stand side by side: as many as a pool's hours need within its whole window."""
        begin_us, end_us = pool.begin_us or self.log_us, pool.end_us or edges_us[-1]
        window_us = max(1, min(end_us - begin_us, pool.every_us or end_us - begin_us))
        return -(-pool.stated_grains * 1000 // window_us)

    # -- recipes at places ----------------------------------------------------------------------------------------------

    def _activities(self, pools: Sequence[Stance]) -> Iterator[tuple[int, int, list[Use]]]:
        """Yield each recipe at each place that has hours of all its steps, on every choice of machines: (recipe, place, uses)."""
        at: dict[str, dict[int, list[int]]] = {}  # process -> place -> machines
        for position, pool in enumerate(pools):
            spot = self._spot(pool.agent, pool.place)
            for process in processes_done(self.network, pool.name):
                at.setdefault(process, {}).setdefault(spot, []).append(position)
        for index, recipe in enumerate(self.recipes):
            if not recipe.steps:
                author = self.refs[index].partition("/")[0]
                yield index, self._spot(author, None), []
                continue
            able = [self._able(step, at, pools) for step in recipe.steps]
            for spot in sorted(set.intersection(*map(set, able))):
                machines = [there[spot] for there in able]
                choices = math.prod(map(len, machines))
                if choices > MOST_CHOICES:
                    self.left_out["choices of machines for one recipe at one place"] += choices - MOST_CHOICES
                for chosen in list(product(*machines))[:MOST_CHOICES]:
                    yield index, spot, self._uses(recipe, chosen)

    def _able(self, step: Step, at: Mapping[str, Mapping[int, list[int]]], pools: Sequence[Stance]) -> Mapping[int, list[int]]:
        """Return the machines of a step's process that have what it requires, by place."""
        there = at.get(self.network.canonical((PROCESS, step.process))[1], {})
        if not step.requires:
            return there
        able = {
            spot: [each for each in machines if not lacking(step.requires, pools[each].limits or {})] for spot, machines in there.items()
        }
        if unable := sum(map(len, there.values())) - sum(map(len, able.values())):
            self.left_out["machines without what a recipe's step requires"] += unable
        return {spot: machines for spot, machines in able.items() if machines}

    def _uses(self, recipe: Recipe, chosen: Sequence[int]) -> list[Use]:
        """Return what a run takes of each machine; steps on one machine add up."""
        uses: dict[int, Use] = {}
        for step, pool in zip(recipe.steps, chosen, strict=True):
            before = uses.get(pool, Use(pool, 0, 0, 0))
            energy = None if before.energy_mwh is None or step.energy_mwh is None else before.energy_mwh + step.energy_mwh
            setup_ms = step.setup.grains if step.setup else 0
            uses[pool] = Use(pool, before.run_ms + step.effort.grains, before.setup_ms + setup_ms, energy)
        return list(uses.values())

    # -- things -------------------------------------------------------------------------------------------------------

    def _things(self) -> tuple[dict[Stock, int], list[int]]:
        """Return every thing by its position, and how many grains are one unit of it: what all amounts in recipes and needs share."""
        amounts: dict[Stock, list[int]] = {}
        for takes, gives in self.flows:
            for stock, grains in takes.items():
                amounts.setdefault(stock, []).append(grains)
            for stock, good in gives.items():
                amounts.setdefault(stock, []).append(good.numerator // good.denominator or 1)
        for need in self.needs:
            for stock in accepted_stocks(self.network, need):
                amounts.setdefault(stock, []).append(self.free[need.ref])
        stocks = {stock: position for position, stock in enumerate(sorted(amounts))}
        return stocks, [max(1, math.gcd(*amounts[stock])) for stock in stocks]

    def _step(self, stock: Stock, coarse: int, lots: Sequence[Stance]) -> int:
        """Return a finer unit where lots have rests that are too small for a unit each, but make up many together: whole packs of it."""
        pack = self.network.definition(stock[0]).multiple_grains or 1
        free = [self.free[lot.ref] for lot in lots if (self.network.canonical(lot.thing), lot.dimension) == stock]
        if coarse % pack:
            pack = 1
        packed = [each - each % pack for each in free]
        together = sum(packed) // coarse
        if (together - sum(each // coarse for each in packed)) * LEAST_RESTS <= together:
            return coarse
        exact = math.gcd(coarse, *packed)
        if coarse // exact <= MOST_PARTS:
            return exact
        return next(coarse // parts for parts in range(MOST_PARTS, 0, -1) if coarse % (parts * pack) == 0)

    def _mass_ug(self, stock: Stock, step: int) -> Fraction:
        """Return what one unit counts in weight: its mass, or its amount where the charter counts the way alone."""
        definition = self.network.definition(stock[0])
        unit = UNITS[definition.unit]
        if unit.dimension != stock[1]:
            return Fraction(step) if stock[1] == "mass" else Fraction(UNKNOWN_MASS_UG)
        if self.charter.effort == "km":
            return Fraction(step) / unit.grains * UNKNOWN_MASS_UG
        if definition.mass_ug is None and unit.dimension == "mass":
            return Fraction(step)
        return Fraction(UNKNOWN_MASS_UG if definition.mass_ug is None else definition.mass_ug) * step / unit.grains

    # -- the arrays -----------------------------------------------------------------------------------------------------

    def _problem(
        self,
        edges_us: Sequence[int],
        stocks: Mapping[Stock, int],
        steps: Sequence[int],
        lots: Sequence[Stance],
        pools: Sequence[Stance],
        activities: Sequence[tuple[int, int, list[Use]]],
        arcs: Sequence[tuple[int, int, int, int]],
        unit_m: int,
        heaviest: Fraction,
    ) -> ProductionProblem:
        recipes = [self._row(takes, gives, stocks, steps) for takes, gives in self.flows]
        stock_rows = []
        for lot in lots:
            thing = stocks[self.network.canonical(lot.thing), lot.dimension]
            begin_us = max(lot.begin_us or self.log_us, self.log_us + lot.lead_us)
            bucket = self._bucket(edges_us, begin_us, 0)
            stock_rows.append((thing, self._spot(lot.agent, lot.place), bucket, min(MOST_UNITS, self.free[lot.ref] // steps[thing])))
        self._tell_crumbs(recipes, stock_rows)
        where = [(recipe, spot) for recipe, spot, _ in activities]
        leads = [self._lead(edges_us, sum(step.lead_us for step in self.recipes[recipe].steps)) for recipe, _ in where]
        needs, things = self._need_rows(edges_us, stocks, steps, recipes, where, leads)
        masses = [self._mass_ug(stock, step) for stock, step in zip(stocks, steps, strict=True)]
        masses += [masses[thing] for thing in things]
        load = [max(1, round(mass * HEAVIEST / heaviest)) for mass in masses]
        effort = [self._run_effort(uses, pools, heaviest, unit_m) for _, _, uses in activities]
        effort += [0] * (len(where) - len(effort))
        dearest = _dearest(recipes, where, effort, load)
        farthest = max([1, *(math.ceil(WAYS_WORTH * dearest[row[0]]) for row in needs)])
        needs = self._within_numbers(needs, farthest)
        worth = _worths(needs, farthest)
        levels = 1 if self.charter.fairness == "off" else LEVELS
        batches = [self.recipes[index].batch if index < len(self.recipes) else None for index in range(len(recipes))]
        grains = [self._hours(pool, edges_us) for pool in pools]
        buckets = self._buckets(edges_us)
        return ProductionProblem.of(
            places=len(self.spots),
            things=len(load),
            buckets=buckets,
            outputs=[row[1] for row in recipes],
            inputs=[row[0] for row in recipes],
            yield_good=[1] * len(recipes),
            yield_of=[row[2] for row in recipes],
            batch_least=[(batch and batch.minimum) or 1 for batch in batches],
            batch_multiple=[(batch and batch.multiple) or 1 for batch in batches],
            activities=where,
            activity_lead=leads + [0] * (len(where) - len(leads)),
            activity_effort=effort,
            uses=[
                [(use.pool, use.run_ms // self._ms, use.setup_ms // self._ms) for use in uses]
                for uses in [*(uses for _, _, uses in activities), *([] for _ in range(len(where) - len(activities)))]
            ],
            pool_place=[self._spot(pool.agent, pool.place) for pool in pools],
            pool_grains=grains,
            stock=stock_rows,
            load=load,
            arcs=arcs,
            needs=needs,
            worth=worth,
            step=worth // (2 * levels) if levels > 1 else None,
            late=[farthest // (4 * buckets)] * len(needs),
            levels=levels,
        )

    def _tell_crumbs(self, recipes: Sequence[Row], stock_rows: Sequence[tuple[int, int, int, int]]) -> None:
        """Count the inputs that nobody makes, of which there is enough for a batch, but in more offers than one is drawn from."""
        made = {thing for _, outputs, _ in recipes for thing, _ in outputs}
        of: dict[int, list[int]] = {}
        for thing, _, _, units in stock_rows:
            of.setdefault(thing, []).append(units)
        for recipe, (inputs, _, _) in zip(self.recipes, recipes, strict=True):
            least = (recipe.batch and recipe.batch.minimum) or 1
            for thing, units in inputs:
                lots = sorted(of.get(thing, []), reverse=True)
                if thing not in made and sum(lots[:MOST_DRAWS]) < units * least <= sum(lots):
                    self.left_out[
                        f"inputs of a batch that are there, but in more than {MOST_DRAWS} offers, from which one is drawn at most"
                    ] += 1

    def _row(self, takes: Mapping[Stock, int], gives: Mapping[Stock, Fraction], stocks: Mapping[Stock, int], steps: Sequence[int]) -> Row:
        """Return inputs and outputs of a run in units, and of how many of the outputs one is good."""
        good = {stocks[stock]: _coarse(grains / steps[stocks[stock]]) for stock, grains in gives.items()}
        of = math.lcm(*(units.denominator for units in good.values()))
        inputs = [(stocks[stock], grains // steps[stocks[stock]]) for stock, grains in takes.items()]
        return inputs, [(thing, int(units * of)) for thing, units in good.items()], of

    def _need_rows(
        self,
        edges_us: Sequence[int],
        stocks: Mapping[Stock, int],
        steps: Sequence[int],
        recipes: list[Row],
        where: list[tuple[int, int]],
        leads: list[int],
    ) -> tuple[list[tuple[int, int, int, int, int, int]], list[int]]:
        """Return a row for each need; one that takes substitutes needs a thing of its own, made from any of them at its place.

        Also returns, for each such thing, the one it is laid out like.
        """
        rows: list[tuple[int, int, int, int, int, int]] = []
        like: list[int] = []
        for need in self.needs:
            accepted = [stocks[stock] for stock in accepted_stocks(self.network, need)]
            thing, spot = accepted[0], self._spot(need.agent, need.place)
            if len(accepted) > 1:
                own = len(stocks) + len(like)
                like.append(thing)
                for other in accepted:
                    share = math.gcd(steps[other], steps[thing])
                    recipes.append(([(other, steps[thing] // share)], [(own, steps[other] // share)], 1))
                    where.append((len(recipes) - 1, spot))
                    leads.append(0)
                thing = own
            tier = self.book.claim_of(need)[2]
            units = self.free[need.ref] // steps[accepted[0]]
            until = self._last_bucket(edges_us, need.end_us)
            due = min(self._last_bucket(edges_us, need.due_us), until)
            rows.append((thing, spot, units, due, until, tier))
        return rows, like

    def _within_numbers(self, needs: list[tuple[int, int, int, int, int, int]], farthest: int) -> list[tuple[int, int, int, int, int, int]]:
        """Return the needs, vast ones cut to what numbers hold: one agent's slip of the keyboard must not stop all planning."""
        most = max(1, LARGEST_WORTH // (farthest * SPACINGS[-1] ** 3 * max(1, len(needs))))
        if cut := sum(row[2] > most for row in needs):
            self.left_out["needs planned in part, because they ask for more than numbers hold"] += cut
        return [(*row[:2], min(row[2], most), *row[3:]) for row in needs]

    def _run_effort(self, uses: Sequence[Use], pools: Sequence[Stance], heaviest: Fraction, unit_m: int) -> int:
        """Return what one run counts beside its ways, in the same measure, where the charter counts hours or electricity."""
        weights = self.charter.making_effort
        if not weights:
            return 0
        hours = sum((Fraction(use.run_ms, 3_600_000) for use in uses), Fraction(0))
        kwh = sum((energy_kwh(use, use.run_ms, 1, pools[use.pool]) or Fraction(0) for use in uses), Fraction(0))
        counted = Fraction(str(weights.get("hours", 0))) * hours + Fraction(str(weights.get("kwh", 0))) * kwh
        of_way = Fraction(str(weights.get("kg_km", 0))) or Fraction(1, 10**6)
        kg_km = heaviest / 10**9 / HEAVIEST * unit_m / 1000  # of one step of effort
        return min(10**9, round(counted / (of_way * kg_km)))

    # -- ways -----------------------------------------------------------------------------------------------------------

    def _arcs(self) -> tuple[list[tuple[int, int, int, int]], int]:
        """Return ways between places, the nearest of each where there are many, and how many metres one step of their effort is.

        How long goods are on a way is in microseconds here, and in the problem in spans of time.
        """
        spots = list(self.spots)
        metres = self._metres(spots)
        reach_m = np.array([radius_m(self.network, spot, self.free) for spot in spots], dtype=np.int64)
        open_ = (metres != UNCONNECTED) & (metres <= np.minimum(reach_m[:, None], reach_m[None, :]))
        useful = np.zeros_like(open_)
        useful[np.ix_(sorted(self._gives), sorted(self._wants))] = True
        np.fill_diagonal(useful, val=False)
        open_ &= useful
        if closed := int(useful.sum() - open_.sum()):
            self.left_out["ways unknown, or longer than somebody's radius"] += closed
        if len(spots) > FEW_PLACES:
            far = np.where(open_, metres, 2**60)
            near = np.zeros_like(open_)
            for axis in (0, 1):  # to the nearest of each, and from them
                order = np.argsort(far, axis=axis, kind="stable")
                np.put_along_axis(near, np.take(order, range(NEAREST), axis=axis), values=True, axis=axis)
            if farther := int((open_ & ~near).sum()):
                self.left_out["ways to places farther than the nearest"] += farther
            open_ &= near
        starts, ends = (each.tolist() for each in np.nonzero(open_))
        unit_m = max(1, -(-int(metres[open_].max(initial=1)) // FARTHEST_STEPS))
        lengths = metres[open_].tolist()
        way_us = cache(self.charter.way_us)
        return [
            (start, end, -(-length // unit_m), way_us(length)) for start, end, length in zip(starts, ends, lengths, strict=True)
        ], unit_m

    def _metres(self, spots: Sequence[Spot]) -> Ints:
        """Return (places, places) how far it is, `UNCONNECTED` where nobody knows."""
        places = np.array([spot.place or (np.nan, np.nan) for spot in spots], dtype=float).reshape(-1, 2)
        metres = great_circles_m((places[:, 0][:, None], places[:, 1][:, None]), places[:, 0], places[:, 1])
        if self.network.routes or self.network.table is not None:
            for start, one in enumerate(spots):
                for end, other in enumerate(spots):
                    way_m = self.network.way_m(one.agent, one.place, other.agent, other.place)
                    metres[start, end] = UNCONNECTED if way_m is None else way_m
        return metres


def radius_m(network: Network, spot: Spot, counting: Container[str]) -> int:
    """Return how far anything may go to or from a place: the least of all that the charter and those of its signals that count say."""
    facts = network.agents.get(spot.agent)
    said = [network.stances[ref] for ref in (facts.refs if facts else ())]
    limits = [one.within_m for one in said if one.stands and (one.place or spot.place) == spot.place and one.ref in counting]
    limits.append(network.charter.radius_m)
    return min((limit for limit in limits if limit is not None), default=2**60)


def _coarse(units: Fraction) -> Fraction:
    """Return units of which a thousandth is the finest part, never more: finer yields would make numbers too long."""
    return Fraction(math.floor(units * 1000), 1000) if units.denominator > 1000 and units >= 1 else units


def _dearest(
    recipes: Sequence[Row],
    where: Sequence[tuple[int, int]],
    effort: Sequence[int],
    load: Sequence[int],
) -> list[float]:
    """Return the effort of a unit of each thing by the recipe that takes least, every part of it moved as far as anything is."""
    run_effort: dict[int, int] = {}
    for (recipe, _), each in zip(where, effort, strict=True):
        run_effort[recipe] = max(each, run_effort.get(recipe, 0))
    way = [each * FARTHEST_STEPS for each in load]
    made = {thing for _, outputs, _ in recipes for thing, _ in outputs}
    dearest = [math.inf if thing in made else float(each) for thing, each in enumerate(way)]
    for _ in recipes:  # So many rounds reach everything (Bellman and Ford); a ring that gains would make it less and less, without end.
        before = list(dearest)
        for index, (inputs, outputs, of) in enumerate(recipes):
            run = sum(units * dearest[thing] for thing, units in inputs) + run_effort.get(index, 0)
            for thing, units in outputs:
                dearest[thing] = min(dearest[thing], way[thing] + run * of / units)
        if dearest == before:
            break
    return [float(each) if math.isinf(value) else value for value, each in zip(dearest, way, strict=True)]


def _worths(needs: Sequence[tuple[int, int, int, int, int, int]], farthest: int) -> Ints:
    """Return what a unit of each need is worth, tiers as far apart as the numbers allow."""
    for spacing in SPACINGS:
        worth = tier_worths([row[5] for row in needs], farthest, spacing)
        if sum(int(each) * row[2] for each, row in zip(worth, needs, strict=True)) < LARGEST_WORTH:
            break
    return worth


def shared_out(layout: Layout, used: Ints) -> ProductionProblem:
    """Return the problem with each pool's hours shared out over its buckets: as a first plan used them, no more in all than there are."""
    grains = layout.problem.pool_grains.copy()
    for pool, whole in enumerate(layout.whole):
        if grains[pool].sum() <= whole:
            continue
        given: list[int] = []
        left = whole
        for each in used[pool].tolist():  # Where it wanted more than there is, what comes first has it.
            given.append(min(each, left))
            left -= given[-1]
        for bucket in range(len(given)):  # What is left goes where it can be used first.
            more = min(left, int(grains[pool, bucket]) - given[bucket])
            given[bucket], left = given[bucket] + more, left - more
        grains[pool] = given
    return replace(layout.problem, pool_grains=grains)


def without_time(layout: Layout) -> ProductionProblem:
    """Return the problem as if all of it were one moment: whatever can be done in time can be done in this one, too."""
    problem = layout.problem
    nothing = {name: np.zeros_like(getattr(problem, name)) for name in _TIMES}
    return replace(problem, buckets=1, pool_grains=np.array(layout.whole, dtype=np.int64).reshape(-1, 1), **nothing)


def carried(before: Layout, guide: "Guide", now: Layout) -> "Guide":
    """Return the pressures that a guide found for one layout as far as they say anything of another; things, places and spans may differ.

    Where there is only more or less of everything, as when nothing happened but time passed, the guide leads all the same: no amount
    takes part in what undercuts what. Where a place is new, its things are pressed as hard as anywhere, and then no harder than ways
    and recipes allow. The bound that follows is true whatever was carried over; only how near it lies depends on that.
    """
    from solver.making.guiding import led_by  # noqa: PLC0415 - loading the compiled code takes half a second

    if _differ_in_amounts_alone(before, now):
        return guide
    no_rings = None if guide.no_rings is None else _pressed_now(before, guide.no_rings, now)
    return led_by(now.problem, *_pressed_now(before, guide, now), no_rings)


def _pressed_now(before: Layout, guide: "Guide", now: Layout) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (S, P, T) and (H, T) how hard a guide for an earlier layout presses what is in another; NaN for things it had not."""
    thing_then = {stock: position for position, stock in reversed(list(enumerate(before.stocks)))}
    spot_then = {spot: position for position, spot in enumerate(before.spots)}
    pool_then = {pool.ref: position for position, pool in enumerate(before.pools)}
    bucket = _buckets_then(before, now)
    thing = np.full((now.problem.things, now.problem.places, now.problem.buckets), np.nan)
    pressed = guide.pressures.thing[:, :, bucket] / guide.pressures.scale
    spots = np.array([spot_then.get(spot, -1) for spot in now.spots], dtype=np.int64)
    for position, stock in enumerate(now.stocks):
        if stock in thing_then:
            then = pressed[thing_then[stock]] * (now.steps[position] / before.steps[thing_then[stock]])
            thing[position] = np.where((spots >= 0)[:, None], then[spots], then.max(axis=0))
    pool = np.zeros(now.problem.pool_grains.shape)
    for position, each in enumerate(now.pools):
        if each.ref in pool_then:
            pool[position] = guide.pressures.pool[pool_then[each.ref], bucket] / guide.pressures.scale
    return thing, pool


def _differ_in_amounts_alone(before: Layout, now: Layout) -> bool:
    """Whether all positions mean the same in two layouts, and all is the same but how much there is and how much is needed."""
    one, other = before.problem, now.problem
    names = ("stocks", "spots", "recipes", "steps")
    refs = ("needs", "lots", "pools")
    return (
        all(getattr(before, name) == getattr(now, name) for name in names)
        and all([each.ref for each in getattr(before, name)] == [each.ref for each in getattr(now, name)] for name in refs)
        and all(np.array_equal(getattr(one, each.name), getattr(other, each.name)) for each in fields(one) if each.name not in _AMOUNTS)
    )


def _buckets_then(before: Layout, now: Layout) -> Ints:
    """Return for each span of time the one of an earlier layout in which it begins, the nearest where none is."""
    if len(before.edges_us) == 1 or len(now.edges_us) == 1:
        return np.zeros(now.problem.buckets, dtype=np.int64)
    begins = np.array(now.edges_us[:-1], dtype=np.int64)
    found: Ints = np.clip(np.searchsorted(before.edges_us, begins, side="right") - 1, 0, before.problem.buckets - 1)
    return found


_AMOUNTS = ("pool_grains", "stock_units", "need_units")
_TIMES = ("activity_lead", "stock_bucket", "arc_lead", "need_due", "need_until", "need_late")


def energy_kwh(use: Use, ms: int, runs: int, pool: Stance) -> Fraction | None:
    """Return the electricity of so much work: by the recipe, else by what the machine draws; None where neither says."""
    if use.energy_mwh is not None and runs:
        return Fraction(use.energy_mwh * runs, 10**6)
    return None if pool.power_mw is None else Fraction(pool.power_mw * ms, 10**6 * 3_600_000)


def _times(step: Step) -> Iterator[Quantity]:
    yield step.effort
    if step.setup:
        yield step.setup
