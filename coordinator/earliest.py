"""When a recipe's first run could be over at the earliest, by lead times and windows alone, and what it waits for until then.

No plan can be faster: hours and amounts are left aside, and so are ways but the last. A recipe waits for the last of its inputs, then
for the first hours of each of its steps, then for the lead times of its steps. An input comes from an offer, or from the recipe that is
over first.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from coordinator.loops import Stock
from coordinator.network import PROCESS, Network, Stance
from coordinator.signals import Recipe, Step
from coordinator.times import HOUR_US, LATEST_US, format_instant
from coordinator.units import Quantity
from coordinator.wording import amount

__all__ = ["Closing", "Earliest", "Wait"]

MS_US = 1_000  # hours are counted in whole milliseconds


@dataclass(frozen=True, slots=True)
class Wait:
    """What keeps a recipe from being over in time."""

    ref: str  # the recipe's
    makes: str  # "" where it makes what was asked about, else the input that it would make for that
    lack: str
    change: str | None = None


@dataclass(frozen=True, slots=True)
class Closing:
    """Hours of a step that all close before it could begin."""

    ref: str  # the recipe's
    makes: str  # as in `Wait`
    process: str
    machines: tuple[Stance, ...]  # that can do the step, what closes last first
    begin_us: int  # when it could begin
    awaits: str | None  # the input that comes last; None where none is awaited

    @property
    def wait(self) -> Wait:
        """The same in words."""
        closed, begin = format_instant(self.machines[0].end_us or 0), format_instant(self.begin_us)
        lack = f"hours of {self.process} close at {closed}, and "
        lack += (
            f"what they wait for, {self.awaits}, is there at {begin} at the earliest"
            if self.awaits
            else f"nothing can begin there before {begin}"
        )
        return Wait(self.ref, self.makes, lack, f"hours of {self.process} that stand after {begin}")


class Earliest:
    """When recipes could be over, found once for all of them: a thing that is there first is looked at first."""

    def __init__(
        self,
        network: Network,
        log_us: int,
        recipes: Mapping[str, Recipe],
        flows: Mapping[str, tuple[Mapping[Stock, int], Mapping[Stock, object]]],
        offers: Callable[[Stock], Sequence[Stance]],
        machines: Callable[[Step], Sequence[Stance]],
    ) -> None:
        """Find it, by what has something free: `offers` of a thing, `machines` that can do a step. Where there is none, now counts."""
        self._network, self._now_us, self._recipes, self._flows, self._machines = network, max(0, log_us), recipes, flows, machines
        self.over_us: dict[str, int] = {}  # by recipe; what never is has none
        self._there: dict[Stock, tuple[int, str]] = {}  # from when on, and the recipe it is from; "": an offer
        self._makers: dict[Stock, list[str]] = {}
        takers: dict[Stock, list[str]] = {}
        for ref, (takes, gives) in sorted(flows.items()):
            for stock in takes:
                takers.setdefault(stock, []).append(ref)
            for stock in gives:
                self._makers.setdefault(stock, []).append(ref)
        coming: list[tuple[int, Stock, str]] = []
        for stock in takers:
            found = [self._from_us(one) for one in offers(stock)]
            if found or stock not in self._makers:
                heappush(coming, (min(found, default=self._now_us), stock, ""))
        missing = {ref: len(takes) for ref, (takes, _) in flows.items()}
        for ref in sorted(ref for ref, count in missing.items() if not count):
            self._run(ref, self._now_us, coming)
        while coming:
            at_us, stock, by = heappop(coming)
            if stock in self._there:
                continue
            self._there[stock] = at_us, by
            for ref in takers.get(stock, ()):
                missing[ref] -= 1
                if not missing[ref]:
                    self._run(ref, at_us, coming)

    def _run(self, ref: str, start_us: int, coming: list[tuple[int, Stock, str]]) -> None:
        """Note when a recipe is over whose last input is there, and what comes of it; nothing does where its hours close before."""
        begins = [self._begin_us(step, start_us) for step in self._recipes[ref].steps]
        if None in begins:
            return
        lead_us = sum(step.lead_us for step in self._recipes[ref].steps)
        self.over_us[ref] = over_us = min(LATEST_US, max([start_us, *(each for each in begins if each is not None)]) + lead_us)
        for stock in self._flows[ref][1]:
            heappush(coming, (over_us, stock, ref))

    def _begin_us(self, step: Step, start_us: int) -> int | None:
        """Return when a step could begin at the earliest; None where all its hours close before."""
        able = self._machines(step)
        begins = [(max(start_us, self._from_us(one)), one.end_us) for one in able]
        return min((begin for begin, end in begins if end is None or begin < end), default=None) if able else start_us

    def _from_us(self, one: Stance) -> int:
        return min(LATEST_US, max(self._now_us, one.begin_us or 0, self._now_us + one.lead_us))

    def _process(self, step: Step) -> str:
        return self._network.canonical((PROCESS, step.process))[1]

    def _last(self, ref: str) -> tuple[int, Stock | None]:
        """Return when the last input of a recipe is there, and which that is; all are."""
        waits = [(self._there[stock][0], stock) for stock in self._flows[ref][0]]
        return max(waits, default=(self._now_us, None), key=lambda row: row[0])

    # -- in words -------------------------------------------------------------------------------------------------------

    def waits(self, root: str, need: Stance, way_us: int = 0) -> Iterator[Wait]:
        """Yield what keeps a recipe from being over before a need ends, from it down to what begins late; nothing where nothing does.

        So long the shortest way from where it could run to the need takes.
        """
        over_us = self.over_us.get(root)
        if over_us is None:
            yield from (closing.wait for closing in self.closings(root))
            return
        there_us = min(LATEST_US, over_us + way_us)
        if need.end_us is None or there_us < need.end_us:
            return
        there, end = format_instant(there_us), format_instant(need.end_us)
        ready = (
            f"it arrives at {there} at the earliest, after {way_us / HOUR_US:,.1f} h on its way"
            if way_us
            else f"it is ready at {there} at the earliest"
        )
        yield Wait(root, "", f"{ready}, and the need ends at {end}", f"an end of the need after {there}")
        ref, makes = root, ""
        while True:
            if lead_us := sum(step.lead_us for step in self._recipes[ref].steps):
                lead = amount(Quantity(lead_us // MS_US, "h"))
                yield Wait(ref, makes, f"what it makes can be used {lead} after its steps, which is their lead time")
            start_us, last = self._last(ref)
            late = [(begin_us, step) for step in self._recipes[ref].steps if (begin_us := self._begin_us(step, start_us) or 0) > start_us]
            if late:
                begin_us, step = max(late, key=lambda row: row[0])
                process, begin = self._process(step), format_instant(begin_us)
                yield Wait(ref, makes, f"nobody has hours of {process} before {begin}", f"hours of {process} that stand before {begin}")
                return
            if last is None:
                return
            at_us, by = self._there[last]
            if not by:
                if at_us > self._now_us:
                    thing, at = last[0][1], format_instant(at_us)
                    yield Wait(ref, makes, f"{thing} is there at {at} at the earliest", f"{thing}, there before {at}")
                return
            ref, makes = by, last[0][1]

    def closings(self, root: str) -> Iterator[Closing]:
        """Yield the hours that close too early for a recipe, or for one that makes what it takes; nothing where it can be over at all."""
        seen, ahead = {root}, [(root, "")]
        while ahead:
            ref, makes = ahead.pop()
            if ref in self.over_us:
                continue
            unmade = [stock for stock in self._flows[ref][0] if stock not in self._there]
            for stock in unmade:
                news = [maker for maker in self._makers.get(stock, ()) if maker not in seen]
                seen.update(news)
                ahead.extend((maker, stock[0][1]) for maker in news)
            if unmade:
                continue
            start_us, last = self._last(ref)
            for step in self._recipes[ref].steps:
                if self._begin_us(step, start_us) is None:
                    able = sorted(self._machines(step), key=lambda one: (-(one.end_us or 0), one.ref))
                    begin_us = min(max(start_us, self._from_us(one)) for one in able)
                    awaits = last[0][1] if last is not None and begin_us == start_us > self._now_us else None
                    yield Closing(ref, makes, self._process(step), tuple(able), begin_us, awaits)
