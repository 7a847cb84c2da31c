"""Put frePPLe's models into the arrays of `ProductionProblem`, or say which features of theirs have no place there."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import product
from math import ceil, floor, lcm

import numpy as np

from solver.making import ProductionPlan, ProductionProblem, coverage_of, gap, plan_making
from tests.support.frepple import ALWAYS, ENDLESS, Calendar, Demand, Flow, Load, Model, Operation, Window, amount, at_place

__all__ = ["Asked", "arrays", "on_time", "planned", "unkept"]

DAY = 86_400
MOST_BUCKETS = 800
NEAR = Fraction(1, 100)  # of the bound
FARTHEST = 100_000  # worth of a piece of a stock to be kept; every turn of demands is worth more
PLENTY = 10**6
AFTER_DAYS = 30  # the horizon goes on after the last due date
MOST_BEGINNINGS = 1_000  # of a step longer than a bucket: each batch of each size, begun in each bucket, is a recipe of its own


@dataclass(slots=True)
class Asked:
    """A model in arrays: what each need stands for, and what a piece is counted as."""

    problem: ProductionProblem
    demands: list[Demand | None]  # None: what is promised already, or a stock to be kept
    scale: int  # units a piece
    bucket_seconds: int
    promised: int  # the first so many needs are promised already


@dataclass(slots=True)
class Making:
    """One recipe with its activity: flows in pieces a run."""

    flows: dict[str, Fraction]
    lead: int
    least: int
    multiple: int = 1
    effort: int = 1
    uses: list[tuple[str, int, int]] = field(default_factory=list)  # resource, seconds a run, seconds once a batch
    only: tuple[int, ...] = ()  # the buckets in which it may begin; all where empty


def arrays(model: Model, days: int = 1) -> Asked | set[str]:
    """Return the model in arrays with buckets of so many days (or of the longest step on a machine), or the features missing."""
    return Builder(model, days).built()


def planned(read: Callable[[], Model]) -> tuple[Asked, ProductionPlan] | set[str]:
    """Return a model's plan in the finest buckets of 1, 2 or 4 days in which it comes near its bound and keeps what is promised.

    Every length rounds to our disadvantage, so that each of these plans could be carried out; where none is near, the nearest counts.
    """
    found: list[tuple[bool, Fraction, int, Asked, ProductionPlan]] = []
    for days in (1, 2, 4):
        asked = arrays(read(), days)
        if isinstance(asked, set):
            return asked
        plan = plan_making(asked.problem)
        broken = bool(unkept(asked, plan))
        found.append((broken, gap(asked.problem, plan), days, asked, plan))
        if not broken and found[-1][1] <= NEAR:
            break
    *_, asked, plan = min(found, key=lambda each: each[:3])
    return asked, plan


def unkept(asked: Asked, plan: ProductionPlan) -> int:
    """Return units promised already that the plan does not hand over: none, or the model is not carried over."""
    promised = slice(0, asked.promised)
    return int((asked.problem.need_units[promised] - coverage_of(asked.problem, plan)[promised]).sum())


def on_time(asked: Asked, plan: ProductionPlan) -> dict[str, Fraction]:
    """Return pieces of each demand that are there when they are due."""
    got: dict[str, Fraction] = {demand.name: Fraction(0) for demand in asked.demands if demand is not None}
    for need, units, end in zip(plan.tree_need.tolist(), plan.tree_units.tolist(), plan.tree_end.tolist(), strict=True):
        demand = asked.demands[need]
        if demand is not None and end <= int(asked.problem.need_due[need]):
            got[demand.name] += Fraction(units, asked.scale)
    return got


class Builder:
    """Collects things, recipes, hours, stock and needs of one model."""

    def __init__(self, model: Model, days: int) -> None:
        """Begin with nothing but the model."""
        self.model, self.missing, self.days = model, set(model.missing), days
        self.things: dict[str, int] = {}
        self.makings: list[Making] = []
        self.stock: list[tuple[str, int, Fraction]] = []
        self.bucket = DAY
        self.by_site: dict[tuple[str, str], str] = {}
        self.twice: set[tuple[str, str]] = set()
        self.opened: dict[tuple[int, int], bool] = {}
        self.hours_of: dict[str, tuple[int, ...]] = {}
        self.calendars_of: dict[str, list[Calendar]] = {}
        self.longest: dict[str, int] = {}
        self.spread: set[str] = set()  # operations longer than a bucket, whose machines are counted bucket by bucket
        self.promised: list[tuple[str, int, Fraction]] = []
        self.held: list[tuple[str, datetime, datetime, Fraction]] = []
        for name, site in sorted(model.buffers.items()):
            if self.by_site.setdefault(site, name) != name:
                self.twice.add(site)

    def built(self) -> Asked | set[str]:
        """Return the arrays, or what is missing."""
        if self.missing:
            return self.missing
        self._measure()
        if not self.missing:
            for operation in self.model.operations.values():
                if "step" not in operation.said and operation.said.get("priority") != "0":
                    self.makings += self._ways(operation)
            self._purchases()
            self._journeys()
            self._stocks()
        needs = [] if self.missing else [self._need(demand) for demand in self.model.demands.values()]
        return self.missing or self._arrays(needs)

    def _measure(self) -> None:
        """Choose buckets of whole days in which every loaded run fits, but for those that are spread over several."""
        self.bucket = DAY * self.days
        self._find_spread()
        loaded = [op for op in self.model.operations.values() if op.loads and op.name not in self.spread]
        longest = max((op.seconds("duration") + op.seconds("duration_per") * self._sizes(op.said)[0] for op in loaded), default=DAY)
        self.bucket = DAY * max(self.days, ceil(longest / DAY))
        self.buckets = self._count()
        if self.buckets > MOST_BUCKETS:
            self.missing.add(f"more than {MOST_BUCKETS} spans of time")

    def _count(self) -> int:
        last = max(demand.due for demand in self.model.demands.values())
        return max(1, floor((last - self.model.current).total_seconds() / self.bucket) + 1) + ceil(AFTER_DAYS * DAY / self.bucket)

    def _find_spread(self) -> None:
        """Find the steps longer than a bucket that hold a machine for a part of it only, where nothing else stands on that machine.

        Whichever bucket such a step begins in, it takes the machine in other buckets; no pool of one bucket says that.
        """
        users: dict[str, list[Operation]] = defaultdict(list)
        for operation in self.model.operations.values():
            for name in {name for load in operation.loads for name in (load.among or (load.resource,))}:
                users[name].append(operation)
        for name, operations in users.items():
            _, calendar = self.model.capacity.get(name, (1.0, ""))
            if not calendar and all(map(self._may_spread, operations)):
                self.spread.update(operation.name for operation in operations)

    def _may_spread(self, operation: Operation) -> bool:
        alone = len(operation.loads) == 1 and not operation.loads[0].among and operation.loads[0].window != ALWAYS
        plain = operation.kind == "time_per" and not self._hours(operation.name, operation.place)
        few = len(self._batches()) * self._count() <= MOST_BEGINNINGS
        begun = any(operation.name == name for name, *_ in self.model.begun)
        return alone and plain and few and not begun and not self.model.working.get(("resource", operation.loads[0].resource))

    def _batches(self) -> set[int]:
        """Return how many pieces such a step makes at once: as many as some order asks for."""
        return {ceil(demand.quantity) for demand in self.model.demands.values()}

    def _spread_out(self, operation: Operation, flows: list[Flow]) -> list[Making]:
        """Return a making for each batch and each bucket that it begins in: of hours, it takes those of each bucket that it lasts."""
        [load] = operation.loads
        limit, (size, least, _) = self.model.capacity.get(load.resource, (1.0, ""))[0], self._sizes(operation.said)
        makings = []
        batches = sorted({max(least, ceil(pieces / size)) for pieces in self._batches()})
        for runs, begin in product(batches, range(self.buckets)):
            lead = ceil((operation.seconds("duration") + operation.seconds("duration_per") * runs * size) / self.bucket)
            if begin + lead >= self.buckets or any(self._in(window, begin) is not True for window in operation.windows):
                continue
            made: dict[str, Fraction] = defaultdict(Fraction)
            for flow in flows:
                if self._in(flow.window, begin if flow.begins else begin + lead) is not False:
                    made[self._buffer(at_place(flow.buffer, operation.place))] += flow.quantity * size * runs
            for bucket in range(begin, begin + lead):
                if self._in(load.window, bucket) is not False:
                    hours = f"{load.resource} in bucket {bucket}"
                    if hours not in self.things:
                        self.stock.append((self._buffer(hours), 0, Fraction(int(limit))))
                    made[hours] -= load.quantity
            makings.append(Making(dict(made), lead, 1, effort=runs, only=(begin,)))
        return makings

    def _buffer(self, buffer: tuple[str, str] | str) -> str:
        if buffer in self.twice:
            self.missing.add("two buffers of one item at one place")
        name = buffer if isinstance(buffer, str) else self.by_site.get(buffer, f"{buffer[0]} @ {buffer[1]}")
        self.things.setdefault(name, len(self.things))
        return name

    def _ways(self, operation: Operation) -> list[Making]:
        """Return all makings of an operation: of its one step, its choices or its steps in order."""
        if operation.kind in ("fixed_time", "time_per"):
            return self._leaf(operation, operation.flows)
        if operation.kind not in ("alternate", "routing"):
            self.missing.add(f"operations of kind {operation.kind}")
            return []
        if operation.loads or "duration" in operation.said or self._sizes(operation.said)[:2] != (1, 1):
            self.missing.add("batches or hours of a whole routing or choice")
            return []
        steps = [(priority, self.model.operations[name]) for priority, name in sorted(operation.steps)]
        for _, step in steps:
            step.place = step.place or operation.place
            step.windows += operation.windows
        if operation.kind == "routing":
            return self._routed(operation, [step for _, step in steps])
        if operation.flows:
            self.missing.add("flows of a choice")
        makings = []
        for priority, step in steps:
            step.item = step.item or operation.item
            if step.said.setdefault("done", operation.name) != operation.name:
                self.missing.add("one step in two choices")
            for making in self._ways(step) if priority else []:
                making.effort += priority
                makings.append(making)
        return makings

    def _routed(self, operation: Operation, steps: list[Operation]) -> list[Making]:
        """Return the steps of a routing: what passes from one to the next is a thing of its own."""
        flows: list[list[Flow]] = [list(step.flows) for step in steps]
        for flow in operation.flows:
            flows[0 if flow.begins else -1].append(replace(flow, buffer=at_place(flow.buffer, operation.place)))
        if operation.item and not any(flow.quantity > 0 for each in flows for flow in each):
            flows[-1].append(Flow((operation.item, operation.place), Fraction(1), begins=False))
        for number in range(len(steps) - 1):
            passed = f"{operation.name}, after step {number + 1}"
            flows[number].append(Flow(passed, Fraction(1), begins=False))
            flows[number + 1].append(Flow(passed, Fraction(-1)))
        if any(step.kind not in ("fixed_time", "time_per") for step in steps):
            self.missing.add("choices inside a routing")
            return []
        return [making for step, each in zip(steps, flows, strict=True) for making in self._leaf(step, each)]

    def _leaf(self, operation: Operation, flows: list[Flow]) -> list[Making]:
        """Return a making for each choice of flows and each stretch of time in which the same holds."""
        flows = list(flows)
        if operation.item and not any(flow.quantity > 0 and self._item_of(flow) == operation.item for flow in flows):
            flows.append(Flow((operation.item, operation.place), Fraction(1), begins=False))
        if any(flow.fixed for flow in flows):
            self.missing.add("flows of a fixed quantity a batch")
        if any(flow.begins != (flow.quantity < 0) for flow in flows if flow.quantity):
            self.missing.add("goods given at a step's begin or taken at its end")
        if operation.name in self.spread:
            return self._spread_out(operation, flows)
        groups: dict[str, list[Flow]] = defaultdict(list)
        for flow in flows:
            groups[flow.group].append(flow)
        single = groups.pop("", [])
        makings = []
        for chosen in product(*groups.values()):
            stretches: dict[tuple[tuple[bool, ...], tuple[bool, ...], int], list[int]] = defaultdict(list)
            for bucket in range(self.buckets):
                held = self._held(operation, (*single, *chosen), bucket)
                if held is not None and all(held[0][len(single) :]):
                    stretches[held].append(bucket)
            for (valid, loaded, lead), buckets in stretches.items():
                alive = [flow for flow, holds in zip((*single, *chosen), valid, strict=True) if holds]
                loads = [load for load, holds in zip(operation.loads, loaded, strict=True) if holds]
                for names in product(*(load.among or (load.resource,) for load in loads)):
                    named = [replace(load, resource=name) for load, name in zip(loads, names, strict=True)]
                    making = self._making(operation, alive, named, lead)
                    making.only = () if len(buckets) == self.buckets else tuple(buckets)
                    making.effort += sum(flow.priority for flow in chosen)
                    makings.append(making)
        return makings

    def _item_of(self, flow: Flow) -> str:
        return self.model.buffers.get(flow.buffer, ("", ""))[0] if isinstance(flow.buffer, str) else flow.buffer[0]

    def _held(self, operation: Operation, flows: tuple[Flow, ...], bucket: int) -> tuple[tuple[bool, ...], tuple[bool, ...], int] | None:
        """Return which flows and loads hold for what begins in a bucket, and its lead; None where that is not so for all of it."""
        lead = self._lead(operation, bucket)
        if lead is None or any(self._in(window, bucket) is not True for window in operation.windows):
            return None
        valid = [self._in(flow.window, bucket if flow.begins else bucket + lead) for flow in flows]
        loaded = [self._in(load.window, bucket) for load in operation.loads]
        return None if None in valid or None in loaded else (tuple(map(bool, valid)), tuple(map(bool, loaded)), lead)

    def _in(self, window: Window, bucket: int) -> bool | None:
        """Return whether a bucket lies in a window; None where a part of it does."""
        if window == ALWAYS:
            return True
        first = self.model.current + timedelta(seconds=bucket * self.bucket)
        last = first + timedelta(seconds=self.bucket)
        return True if window[0] <= first and last <= window[1] else False if last <= window[0] or window[1] <= first else None

    def _lead(self, operation: Operation, bucket: int) -> int | None:
        """Return buckets until what is begun is there, working hours kept; None where that is after the horizon."""
        if operation.loads:
            return 1
        size, least, _ = self._sizes(operation.said)
        per = operation.seconds("duration_per") * size * least if operation.kind == "time_per" else 0
        calendars = self._hours(operation.name, operation.place)
        return self._until(operation.seconds("duration") + per, calendars, bucket)

    def _hours(self, name: str, place: str) -> list[Calendar]:
        found = [self.model.working.get(key, "") for key in (("operation", name), ("location", place))]
        return [self.model.calendars[calendar] for calendar in found if calendar]

    def _until(self, seconds: int, calendars: list[Calendar], bucket: int) -> int | None:
        """Return buckets until so many seconds are worked, begun with a bucket."""
        if not calendars or not seconds:
            return ceil(seconds / self.bucket)
        worked = self._worked(seconds, calendars, bucket)
        return None if worked is None else ceil(worked[0] * 3_600 / self.bucket) - bucket

    def _worked(self, seconds: int, calendars: list[Calendar], bucket: int) -> tuple[int, int] | None:
        """Return the hour by whose end so many seconds are worked, and how many of its own are left over; None beyond the horizon.

        An hour counts by what is in force at its start.
        """
        hour = bucket * self.bucket // 3_600
        while seconds > 0:
            if hour * 3_600 >= self.buckets * self.bucket:
                return None
            if self._open(calendars, hour):
                seconds -= 3_600
            hour += 1
        return hour, -seconds

    def _open(self, calendars: list[Calendar], hour: int) -> bool:
        for calendar in calendars:
            if (id(calendar), hour) not in self.opened:
                self.opened[id(calendar), hour] = calendar.at(self.model.current + timedelta(hours=hour)) > 0
        return all(self.opened[id(calendar), hour] for calendar in calendars)

    def _making(self, operation: Operation, flows: list[Flow], loads: list[Load], lead: int) -> Making:
        size, least, multiple = self._sizes(operation.said)
        if operation.kind == "time_per" and not operation.loads:
            size, least = size * least, 1  # Without a machine least batches run side by side, and each takes its own time.
        taken: dict[str, Fraction] = defaultdict(Fraction)
        for flow in flows:
            taken[self._buffer(at_place(flow.buffer, operation.place))] += flow.quantity * size
        if not any(quantity > 0 for quantity in taken.values()):
            taken[self._buffer(f"done: {operation.said.get('done', operation.name)}")] += size
        making = Making(dict(taken), lead, least, multiple)
        if loads:  # Several machines are held in the same bucket: when in it is for a workshop's own sequence.
            making.uses = [self._use(operation, size, load) for load in loads]
        elif operation.loads:  # It holds none just now.
            whole = operation.seconds("duration") + operation.seconds("duration_per") * size * least
            making.lead = max(1, ceil(whole / self.bucket))
            if self._hours(operation.name, operation.place):
                self.missing.add("a machine held at times, in working hours")
        return making

    def _use(self, operation: Operation, size: int, load: Load) -> tuple[str, int, int]:
        duration, per = operation.seconds("duration"), operation.seconds("duration_per") if operation.kind == "time_per" else 0
        limit, calendar = self.model.capacity.get(load.resource, (1.0, ""))
        if load.quantity > Fraction(limit) and not calendar:
            self.missing.add("a step that needs more machines than there are")
        if "size_maximum" in operation.said and (per == 0 or duration):
            self.missing.add("a greatest batch on a machine")
        hours = tuple(map(id, self._hours(operation.name, operation.place)))
        if self.hours_of.setdefault(load.resource, hours) != hours:
            self.missing.add("a machine shared by steps of different working hours")
        self.calendars_of[load.resource] = self._hours(operation.name, operation.place)
        self.longest[load.resource] = max(self.longest.get(load.resource, 0), int(duration * load.quantity + per * size * load.quantity))
        return load.resource, int(per * size * load.quantity), int(duration * load.quantity)

    def _sizes(self, said: dict[str, str]) -> tuple[int, int, int]:
        """Return pieces a run, the least runs a batch and what they are a multiple of."""
        multiple, least = amount(said.get("size_multiple"), "0"), amount(said.get("size_minimum"), "1")
        most = amount(said.get("size_maximum"), "0")
        if most and most == least:
            multiple = least
        elif most and 2 * least > most + 1:
            self.missing.add("a greatest batch little above the least")
        if multiple.denominator != 1:
            self.missing.add("batches in fractions of a piece")
        size = max(1, int(multiple))
        return size, max(1, ceil(least / size)), 1

    def _purchases(self) -> None:
        places = sorted({place for _, place in self.model.buffers.values()} | {op.place for op in self.model.operations.values()})
        places = sorted({*places, *(demand.place for demand in self.model.demands.values())})
        for item, place, said in self.model.supplies:
            if said.get("priority") == "0":
                continue
            size, least, multiple = self._sizes(said)
            for site in [place] if place else places:
                flows = {self._buffer((item, site)): Fraction(size)}
                self._carried(_span(said), site, Making(flows, 0, least, multiple, int(said.get("priority", 1))))

    def _journeys(self) -> None:
        for item, origin, place, said in self.model.ways:
            size, least, multiple = self._sizes(said)
            flows = {self._buffer((item, origin)): Fraction(-size), self._buffer((item, place)): Fraction(size)}
            self._carried(_span(said), origin, Making(flows, 0, least, multiple, int(said.get("priority", 1))))

    def _carried(self, seconds: int, place: str, making: Making) -> None:
        """Add what takes a span of working hours at a place, once for each lead that this comes to."""
        stretches: dict[int, list[int]] = defaultdict(list)
        for bucket in range(self.buckets):
            lead = self._until(seconds, self._hours("", place), bucket)
            if lead is not None:
                stretches[lead].append(bucket)
        for lead, buckets in stretches.items():
            self.makings.append(replace(making, lead=lead, only=() if len(buckets) == self.buckets else tuple(buckets)))

    def _stocks(self) -> None:
        self.stock += [(self._buffer(name), 0, quantity) for name, quantity in self.model.onhand.items()]
        self.stock += [(self._buffer(name), 0, Fraction(ENDLESS)) for name in self.model.endless]
        for buffer, when, quantity in self.model.arrivals:
            late = max(0, ceil((when - self.model.current).total_seconds() / self.bucket))
            if late < self.buckets:
                self.stock.append((self._buffer(buffer), late, quantity))
        for name, begin, end, quantity in self.model.begun:
            self._begun(self.model.operations[name], begin, end, quantity)
        if any(quantity < 0 for _, _, quantity in self.stock):
            self.missing.add("stock below nothing")

    def _begun(self, operation: Operation, begin: datetime, end: datetime, quantity: Fraction) -> None:
        """Take what is promised already for granted: its goods come, its materials are needs before all others, its hours are gone."""
        if operation.kind not in ("fixed_time", "time_per") or any(flow.group for flow in operation.flows):
            self.missing.add("work in progress of several steps or choices")
            return
        for flow in operation.flows:
            units = flow.quantity * quantity + (flow.fixed if flow.quantity > 0 else -flow.fixed)
            when = begin if flow.begins else end
            if not flow.window[0] <= when < flow.window[1]:
                continue
            buffer, late = self._buffer(at_place(flow.buffer, operation.place)), (when - self.model.current).total_seconds() / self.bucket
            if units < 0 and floor(late) < self.buckets:
                self.promised.append((buffer, max(0, floor(late)), -units))
            elif units > 0 and ceil(late) < self.buckets:
                self.stock.append((buffer, max(0, ceil(late)), units))
        for load in operation.loads:
            self.held.append((load.resource, begin, end, load.quantity))

    def _need(self, demand: Demand) -> tuple[str, Demand]:
        """Return the thing that a demand is met with: its item, or what its own delivery or its least shipment makes of that."""
        name = demand.operation or self.model.delivers.get(demand.item, "")
        if name:
            operation = self.model.operations[name]
            if operation.kind == "routing":
                self.missing.add("deliveries of several steps")
            thing = self._buffer(f"done: {name}")
        else:
            thing = self._buffer((demand.item, demand.place))
        # Where nothing is said, a shipment is at least a tenth of the order, rounded down to pieces.
        least = demand.least if demand.least is not None else Fraction(floor(demand.quantity / 10))
        if least > 1:
            shipped = self._buffer(f"shipped: {demand.name}")
            self.makings.append(Making({thing: Fraction(-1), shipped: Fraction(1)}, 0, ceil(min(least, demand.quantity))))
            thing = shipped
        return thing, demand

    def _arrays(self, asked: list[tuple[str, Demand]]) -> Asked | set[str]:
        needs = self._needs(asked)
        counted = [each for making in self.makings for each in making.flows.values()] + [each[1] for each in needs]
        scale = lcm(*(each.denominator for each in (*counted, *(quantity for _, _, quantity in self.stock))))
        grains = {name: self._grains(name) for name in sorted({use[0] for making in self.makings for use in making.uses})}
        if any(self.longest[name] > max(each) for name, each in grains.items()):
            self.missing.add("a batch that holds a machine for longer than a bucket")
        uses: list[list[tuple[int, int, int]]] = [
            [(list(grains).index(name), *seconds) for name, *seconds in making.uses] for making in self.makings
        ]
        pools = list(grains.values())
        for use, making in zip(uses, self.makings, strict=True):
            if making.only:  # A pool of leave to begin, of which there is plenty in its time and none outside.
                use.append((len(pools), 1, 0))
                pools.append([PLENTY if bucket in set(making.only) else 0 for bucket in range(self.buckets)])

        def listed(sign: int) -> list[list[tuple[int, int]]]:
            return [
                [(self.things[name], int(abs(each) * scale)) for name, each in making.flows.items() if each * sign > 0]
                for making in self.makings
            ]

        worth = np.array([each[4] for each in needs], dtype=np.int64)
        problem = ProductionProblem.of(
            places=1, things=len(self.things), buckets=self.buckets, outputs=listed(1), inputs=listed(-1),
            batch_least=[making.least for making in self.makings], batch_multiple=[making.multiple for making in self.makings],
            activities=[(number, 0) for number in range(len(self.makings))],
            activity_lead=[making.lead for making in self.makings], activity_effort=[making.effort for making in self.makings],
            uses=uses, pool_place=[0] * len(pools), pool_grains=np.array(pools, dtype=np.int64).reshape(len(pools), self.buckets),
            stock=[(self.things[name], 0, bucket, int(quantity * scale)) for name, bucket, quantity in self.stock],
            needs=[(self.things[thing], 0, int(pieces * scale), due, until, 0) for thing, pieces, due, until, *_ in needs],
            worth=worth, late=worth // 50,
        )  # fmt: skip
        return self.missing or Asked(problem, [each[5] for each in needs], scale, self.bucket, len(self.promised))

    def _needs(self, asked: list[tuple[str, Demand]]) -> list[tuple[str, Fraction, int, int, int, Demand | None]]:
        """Return thing, pieces, due, until, worth and demand: first what is promised already, last the stocks to be kept."""
        turns = sorted({demand.priority for _, demand in asked}, reverse=True)
        ratio = 10 if len(turns) <= 5 else 4 if len(turns) <= 9 else 2
        worth = {turn: FARTHEST * ratio ** min(place + 1, 20) for place, turn in enumerate(turns)}
        top = ratio * max(worth.values())
        needs: list[tuple[str, Fraction, int, int, int, Demand | None]]
        needs = [(thing, pieces, bucket, bucket, top, None) for thing, pieces, bucket in ((a, c, b) for a, b, c in self.promised)]
        for thing, demand in asked:
            seconds = (demand.due - self.model.current).total_seconds()
            due, until = floor(seconds / self.bucket), floor((seconds + (demand.late or 0)) / self.bucket)
            if due >= 0:  # What was due before it began cannot come in time.
                last = self.buckets - 1 if demand.late is None else until
                needs.append((thing, demand.quantity, due, last, worth[demand.priority], demand))
        for name, quantity in self.model.kept.items():
            needs.append((self._buffer(name), quantity, 0, self.buckets - 1, FARTHEST, None))
        return needs

    def _grains(self, resource: str) -> list[int]:
        """Return seconds of a resource in each bucket; an hour counts by what is in force at its start."""
        fixed, calendar = self.model.capacity.get(resource, (1.0, ""))
        limit, own = self.model.calendars.get(calendar), self.model.calendars.get(self.model.working.get(("resource", resource), ""))
        calendars = [*self.calendars_of.get(resource, []), *([own] if own else [])]
        found = []
        for bucket in range(self.buckets):
            total, most = 0.0, 0.0
            for hour in range(bucket * self.bucket // 3_600, (bucket + 1) * self.bucket // 3_600):
                when = self.model.current + timedelta(hours=hour)
                there = (limit.at(when) if limit else fixed) * self._open(calendars, hour)
                gone = sum(float(each) for name, begin, end, each in self.held if name == resource and begin <= when < end)
                total += max(0.0, there - gone) * 3_600
                most = max(most, there)
            found.append(int(total) + self._spilled(resource, ceil(most)))
        return found

    def _spilled(self, resource: str, machines: int) -> int:
        """Return seconds that runs begun in a bucket may go on after it: all that is begun in one is done in it."""
        return 0


def _span(said: dict[str, str]) -> int:
    return Operation("", said=said).seconds("leadtime")
