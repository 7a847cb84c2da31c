"""The independent reader: what the records themselves amount to, worked out from the contract alone.

It reads raw JSON and shares no code with the product: no model, no book, no network, no judge. Each rule it holds the records to
has a name; what breaks one raises `Invariant`. The planted bugs show that each of them can.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import rfc8785

from tests.simulation.scheduler import Invariant

__all__ = ["Plan", "Reader", "Stand", "canonical"]

GRAINS = {"1": 1, "h": 3_600_000, "min": 60_000}
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
STANCES = ("offer", "capacity", "need")
ENDS = ("declined", "countered", "lapsed", "retracted", "released")
Json = dict[str, Any]


@dataclass
class Stand:
    """What an agent said of one thing last, and what of it is spoken for."""

    mark: tuple[int, str]
    thing: str
    grains: int
    total: bool
    expires_us: int | None
    stands: bool = True
    withdrawn: bool = False
    count: int = 0
    since: int = 0  # the count at which it began to speak of this thing
    taken: int = 0
    begin_us: int | None = None
    end_us: int | None = None
    every_us: int | None = None  # so much again each time so long has passed since `first_us`, next at `again_us`
    first_us: int = 0
    again_us: int | None = None
    machines: tuple[Json, ...] = ()  # what a capacity's machines are, or what hours needed ask of them: now, and before the last word

    def await_again(self, log_us: int) -> None:
        """Note when it is counted anew."""
        self.again_us = None
        if self.every_us is not None:
            again_us = self.first_us + (max(0, log_us - self.first_us) // self.every_us + 1) * self.every_us
            self.again_us = again_us if self.end_us is None or again_us < self.end_us else None


@dataclass
class Plan:
    """A proposal and what came of it."""

    data: Json
    expires_us: int
    state: str = "proposed"
    promised: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    moved: dict[tuple[str, str, int], int] = field(default_factory=dict)  # which tally, whose, of which line -> grains

    @property
    def parties(self) -> list[str]:
        return list(dict.fromkeys(line[side] for line in self.data["lines"] for side in ("provider", "receiver")))

    def asks(self, agent: str) -> dict[str, int]:
        asked: dict[str, int] = {}
        for line in self.data["lines"]:
            for party, ref in draws(line):
                if party == agent:
                    asked[ref] = asked.get(ref, 0) + grains_of(line["quantity"])
        return asked


class Reader:
    """Takes records in the order in which they count.

    One that writes alone decides at once (`at_once`): each word is judged before the next, and a decision that does not hold is a
    fault. Where several write, a decision may come to stand behind what it did not know of: then it is void, and made again.
    """

    def __init__(self, late_seconds: int, *, at_once: bool = True) -> None:
        self.late_us, self.at_once = late_seconds * 1_000_000, at_once
        self.log_us = -(1 << 62)
        self.seen: dict[tuple[str, str], Json] = {}
        self.stands: dict[str, Stand] = {}
        self.recipes: dict[str, list[tuple[tuple[int, str], Json | None]]] = {}  # what was said of each last, and before that
        self.trees = 0  # proposals of making that came to stand
        self.plans: dict[str, Plan] = {}
        self.open: dict[str, None] = {}  # plans that are proposed or promised
        self.owed: dict[str, str] = {}  # plans whose end is still to be told -> how it came
        self.said: dict[str, Json] = {}  # every answer and report taken, by source/id
        self.unjudged: dict[str, None] = {}
        self.ledger: list[Json] = []
        self.kinds: dict[str, int] = {}
        self._digested = hashlib.sha256()

    # -- what agents said ---------------------------------------------------------------------------------------------

    def verdict_on(self, line: bytes, stamp_us: int) -> str:
        """Return what the contract says of a signal at its place: "taken", "repeat" or "refused"."""
        event = json.loads(line)
        key = (event["source"], event["id"])
        known = self.seen.get(key)
        if known is not None:
            return "repeat" if known == event else "refused"
        if event["source"].startswith("agent:") and max(stamp_us, self.log_us) - instant_us(event["time"]) > self.late_us:
            return "refused"
        return "taken"

    def take_recorded(self, line: bytes, stamp_us: int) -> None:
        """Take a signal of a log that holds only what was taken: so it may be none that had to be refused."""
        self.settle()
        verdict = self.verdict_on(line, stamp_us)
        event = json.loads(line)
        told = f"{event['type']} {event['source']} {event['id']}"
        if verdict == "repeat" or (verdict == "refused" and (event["source"], event["id"]) in self.seen):
            raise Invariant("taken once", f"{told} was taken twice")
        if verdict == "refused":
            raise Invariant("late words are refused", f"{told} was said more than {self.late_us / 1e6:g} s before and taken")
        self.take(event, stamp_us)

    def take(self, event: Json, stamp_us: int) -> None:
        """Take a signal at its place."""
        self.log_us = max(self.log_us, stamp_us)
        self._expire()
        kind = event["type"].split(".")[1]
        if kind == "tick":
            return
        self.seen[event["source"], event["id"]] = event
        agent = event["source"].partition(":")[2]
        if kind in STANCES:
            self._stand(event, agent, kind)
        elif kind == "recipe":
            self._describe(event, f"{agent}/recipe/{event['subject']}")
        elif kind in ("answer", "report"):
            statement = f"{event['source']}/{event['id']}"
            self.said[statement] = event
            self.unjudged[statement] = None

    def _mark(self, event: Json) -> tuple[int, str]:
        """Return what tells which of two words about one thing is the later."""
        return min(instant_us(event["time"]), self.log_us), event["id"]

    def _describe(self, event: Json, ref: str) -> None:
        known, mark = self.recipes.get(ref, []), self._mark(event)
        if not known or known[0][0] <= mark:
            self.recipes[ref] = [(mark, event["data"]), *known[:1]]

    def _stand(self, event: Json, agent: str, kind: str) -> None:
        ref, data, mark = f"{agent}/{kind}/{event['subject']}", event["data"], self._mark(event)
        old = self.stands.get(ref)
        if old is not None and mark < old.mark:
            return
        stood = old is not None and old.stands
        if data is None:
            if old is None:
                old = self.stands[ref] = Stand(mark, "", 0, total=False, expires_us=None)
            old.mark, old.stands, old.withdrawn = mark, False, True
        else:
            thing, amount = (data["process"], data["effort"]) if "process" in data else (data["resource"], data["quantity"])
            expires_us = instant_us(data["expires"]) if "expires" in data else None
            new = Stand(mark, thing, grains_of(amount), data.get("basis") == "total", expires_us)
            new.stands = expires_us is None or expires_us > self.log_us
            new.begin_us, new.end_us = (instant_us(data[name]) if name in data else None for name in ("begin", "end"))
            new.every_us = grains_of(data["every"]) * 1_000 if "every" in data else None
            new.first_us = mark[0] if new.begin_us is None else new.begin_us
            new.machines = data.get("limits" if kind == "capacity" else "requires", {}), *(old.machines[:1] if old is not None else ())
            if old is not None:
                same_thing = old.thing == new.thing
                same = same_thing and not old.withdrawn and (old.grains, old.total) == (new.grains, new.total)
                new.count, new.taken = (old.count, old.taken) if same else (old.count + 1, 0)
                new.since = old.since if same_thing else new.count
                if same and (old.begin_us, old.every_us) == (new.begin_us, new.every_us):
                    new.first_us = old.first_us
                stood = stood and (not same_thing or not new.stands)
            new.await_again(self.log_us)
            self.stands[ref] = new
        if stood:
            self._ceased(ref)

    def _expire(self) -> None:
        for ref, stand in self.stands.items():
            if stand.stands and stand.expires_us is not None and stand.expires_us <= self.log_us:
                stand.stands = False
                self._ceased(ref)
            if stand.again_us is not None and stand.again_us <= self.log_us:
                if stand.stands:
                    stand.count, stand.taken = stand.count + 1, 0
                stand.await_again(self.log_us)
        for name in list(self.open):
            plan = self.plans[name]
            if plan.expires_us <= self.log_us and name not in self.owed:
                if plan.promised:
                    self.owed[name] = "expired"
                else:
                    self._end(name, "lapsed")

    def _ceased(self, ref: str) -> None:
        """A signal went, and with it every plan that is not agreed."""
        for name in list(self.open):
            plan = self.plans[name]
            if any(ref in (line["offer"], line["need"]) for line in plan.data["lines"]):
                self.owed[name] = f"{ref} ceased"
                if not plan.promised:
                    self._end(name, "retracted")

    def _end(self, name: str, state: str) -> None:
        self.plans[name].state = state
        self.open.pop(name, None)

    # -- what was decided ---------------------------------------------------------------------------------------------

    def decide(self, line: bytes, *, fresh: bool = True) -> bool:
        """Take a proposal or a ledger record at its place; return whether it holds there. `fresh`: it was made on just what stands now."""
        event = json.loads(line)
        try:
            why = self._why_void(event, fresh=fresh)
        except KeyError as error:
            why = Invariant("known signals", f"{event['type']} {event['id']} speaks of {error}, which nobody said")
        if why is not None:
            if self.at_once or (fresh and event["type"] == "stigmergy.ledger.v1"):
                raise why
            return False
        data = event["data"]
        if event["type"] == "stigmergy.ledger.v1":
            self._digested.update(canonical(line))
            self._record(data)
        elif data is None:
            self.owed.pop(event["subject"], None)
            if event["subject"] in self.open:
                self._end(event["subject"], "retracted")
        elif data["proposal"] not in self.plans or self.plans[data["proposal"]].state == "retracted":
            name = data["proposal"]
            self.plans[name] = Plan(data, instant_us(data["expires"]))
            self.trees += any("into" in line for line in data["lines"])
            self.open[name] = None
            self.owed.pop(name, None)
            if not self._rests(data):  # made when the time of a word came, and ended by that word: both are told after it
                self.owed[name] = "it rests on what does not stand"
                self._end(name, "retracted")
        return True

    def _why_void(self, event: Json, *, fresh: bool) -> Invariant | None:
        """Return which rule a decision breaks where it stands, or None; nothing changes yet."""
        data = event["data"]
        if event["type"] == "stigmergy.ledger.v1":
            return self._why_not_recorded(data, fresh=fresh)
        if data is None:
            plan, owed = self.plans.get(event["subject"]), event["subject"] in self.owed
            if (plan is None or plan.state != "proposed") and not (owed and plan and not plan.promised):
                return Invariant("promises are kept", f"{event['subject']} was retracted though it is {plan and plan.state}")
            return None
        name, known = data["proposal"], self.plans.get(data["proposal"])
        if self.at_once and known is not None and known.state != "retracted":
            return Invariant("proposed once", f"{name} is {known.state} and was proposed again")
        if any(ref.split("/")[0] != party for line in data["lines"] for party, ref in draws(line)):
            return Invariant("own signals", f"{name} draws on what is not its parties'")
        if fresh and not all(map(self._can_work, data["lines"])):
            return Invariant("machines can do it", f"{name} asks for work that a machine does not say it can do")
        if not self._rests(data) and not self.at_once:
            return Invariant("plans rest on what stands", f"{name} rests on what does not stand")
        return None

    def _rests(self, data: Json) -> bool:
        """Whether all stands that a proposal rests on."""
        refs = [(self.stands[ref], line["resource"]) for line in data["lines"] for _, ref in draws(line)]
        return all(stand.stands and stand.thing == resource for stand, resource in refs)

    def _can_work(self, line: Json) -> bool:
        """Whether machines said that they can do what is asked of them; a plan may have been made just before the last word came."""
        if line["action"] not in ("use", "work"):
            return True
        asked: list[Json] = [*self.stands[line["need"]].machines]
        if "into" in line:
            steps = [step for _, data in self.recipes[line["into"]] if data for step in data["steps"]]
            asked = [step.get("requires", {}) for step in steps if step["process"] == line["resource"]]
        return any(
            all(key in machine and value <= machine[key] for key, value in requires.items())
            for requires in asked
            for machine in self.stands[line["offer"]].machines
        )

    def _why_not_recorded(self, data: Json, *, fresh: bool) -> Invariant | None:
        kind, name, agent, statement = data["kind"], data["proposal"], data["agent"], data.get("statement")
        if statement is not None:
            if statement not in self.unjudged:
                return Invariant(
                    "judged once, at its place", f"{kind} of {name} rests on {statement}, which is not there or was judged before"
                )
            if self.said[statement]["source"] != f"agent:{agent}":
                return Invariant(
                    "own acceptance", f"{kind} of {name} is said of {agent} and rests on {self.said[statement]['source']}'s word"
                )
            if name in self.owed:
                return Invariant("expiry by log time", f"{kind} of {name} comes after it ended: {self.owed[name]}")
        if kind == "refused":
            return self._why_not_refused(data, statement) if fresh else None
        if kind == "noted":
            return None
        plan = self.plans.get(name)
        if plan is None:
            return Invariant("known plans", f"{kind} is said of {name}, which nobody proposed")
        check = {
            "promised": self._why_not_promised,
            "committed": self._why_not_committed,
            "declined": self._why_not_declined,
            "countered": self._why_not_declined,
            "released": self._why_not_released,
            "shipped": self._why_not_reported,
            "delivered": self._why_not_reported,
            "fulfilled": self._why_not_reported,
        }[kind]
        return check(plan, data, fresh)

    def _why_not_refused(self, data: Json, statement: str | None) -> Invariant | None:
        """An acceptance that nothing speaks against may not be refused."""
        said = self.said.get(statement or "", {"data": None})["data"]
        if said is None or said.get("answer") != "accept":
            return None
        plan, agent = self.plans.get(said["proposal"]), data["agent"]
        if plan is None or said["proposal"] not in self.open or agent not in plan.parties or agent in plan.promised:
            return None
        if all(self.stands[ref].stands and self.free(ref) >= grains for ref, grains in plan.asks(agent).items()):
            return Invariant("what is free can be promised", f"{agent}'s acceptance of {said['proposal']} was refused: {data.get('why')}")
        return None

    def _why_not_promised(self, plan: Plan, data: Json, fresh: bool) -> Invariant | None:
        name, agent = data["proposal"], data["agent"]
        said = self.said.get(data.get("statement", ""), {}).get("data") or {}
        if said.get("proposal") != name or said.get("answer") != "accept":
            return Invariant("own acceptance", f"{agent} never accepted {name}, and is said to promise it")
        if agent not in plan.parties or agent in plan.promised or name not in self.open:
            return Invariant("promises fit", f"{agent} promises {name}, which is {plan.state}, promised by {[*plan.promised]}")
        for ref, grains in plan.asks(agent).items():
            free = self.free(ref)
            if not self.stands[ref].stands or free < grains:
                return Invariant("capacity never below zero", f"{name} takes {grains} of {ref}, of which {free} are free")
            before, after = (grains_of(data[key][ref]) for key in ("free_before", "free_after"))
            # Decided before others gave something back it may tell less than is free by now, and never more.
            if after != before - grains or before > free or (fresh and before != free):
                return Invariant("balances are true", f"{name} tells {before} and {after} of {ref}, of which {free} are free")
        return None

    def _why_not_committed(self, plan: Plan, data: Json, fresh: bool) -> Invariant | None:
        name = data["proposal"]
        if plan.state in ("committed", "fulfilled", "broken"):
            return Invariant("committed once", f"{name} is committed twice")
        for party in plan.parties:
            acceptance = self.said.get(data["acceptances"].get(party, ""), {})
            if party not in plan.promised or acceptance.get("source") != f"agent:{party}":
                return Invariant("own acceptance", f"{name} is committed without the acceptance of {party}")
            if plan.promised[party] != data["acceptances"][party]:
                return Invariant("own acceptance", f"{name} is committed on another acceptance of {party} than stands")
        if plan.state != "promised" or data["agent"] != plan.parties[0]:
            return Invariant("committed by its judge", f"{name} is {plan.state} and {data['agent']} commits it")
        return None

    def _why_not_declined(self, plan: Plan, data: Json, fresh: bool) -> Invariant | None:
        if data["proposal"] in self.open and data["agent"] in plan.parties:
            return None
        return Invariant("answers fit", f"{data['agent']} {data['kind']} {data['proposal']}, which is {plan.state}")

    def _why_not_released(self, plan: Plan, data: Json, fresh: bool) -> Invariant | None:
        name, agent = data["proposal"], data["agent"]
        if data.get("statement") is not None:
            if plan.state != "promised" or agent not in plan.promised:
                return Invariant("answers fit", f"{agent} takes back {name}, which is {plan.state}")
        elif plan.state not in ("promised", "declined", "countered") or not plan.promised or not data.get("ends"):
            return Invariant("released once", f"{name} is {plan.state} and released")
        elif plan.state == "promised" and name not in self.owed:
            return Invariant("promises are kept", f"{name} was released though nothing ended it")
        return None

    def _why_not_reported(self, plan: Plan, data: Json, fresh: bool) -> Invariant | None:
        agent, tally = data["agent"], "left" if data["kind"] == "shipped" else "arrived"
        if plan.state not in ("committed", "fulfilled", "broken") or agent not in plan.parties:
            return Invariant("reports fit", f"{agent} reports on {data['proposal']}, which is {plan.state}")
        for index, (line, part) in enumerate(zip(plan.data["lines"], data["moved"], strict=True)):
            moved = plan.moved.get((tally, agent, index), 0) + (grains_of(part) if part else 0)
            if moved > grains_of(line["quantity"]):
                return Invariant("no more than was agreed", f"{agent} reports {moved} of {data['proposal']}")
        return None

    def _record(self, data: Json) -> None:
        """Obey a ledger record."""
        kind, name, agent, statement = data["kind"], data["proposal"], data["agent"], data.get("statement")
        self.ledger.append(data)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        self.unjudged.pop(statement, None)
        if kind in ("refused", "noted"):
            return
        plan = self.plans[name]
        if kind == "promised":
            plan.promised[agent], plan.state = statement, "promised"
            for ref, grains in plan.asks(agent).items():
                plan.counts[ref] = self.stands[ref].count
                self.stands[ref].taken += grains
        elif kind == "committed":
            self._end(name, "committed")
            self.owed.pop(name, None)
        elif kind in ("declined", "countered"):
            if agent in plan.promised:
                self._give_back(plan, agent)
            self._end(name, kind)
        elif kind == "released" and statement is not None:
            self._give_back(plan, agent)
            plan.state = "promised" if plan.promised else "proposed"
        elif kind == "released":
            for party in list(plan.promised):
                self._give_back(plan, party)
            if plan.state == "promised":
                self._end(name, "released")
            self.owed.pop(name, None)
        else:
            tally = "left" if kind == "shipped" else "arrived"
            for index, part in enumerate(data["moved"]):
                plan.moved[tally, agent, index] = plan.moved.get((tally, agent, index), 0) + (grains_of(part) if part else 0)
            if kind == "fulfilled":
                plan.state = "fulfilled"

    def _give_back(self, plan: Plan, agent: str) -> None:
        del plan.promised[agent]
        for ref, grains in plan.asks(agent).items():
            stand = self.stands[ref]
            if stand.count == plan.counts[ref]:
                stand.taken -= grains

    # -- what holds between two records -------------------------------------------------------------------------------

    def settle(self) -> None:
        """Hold what stands between two words, or two turns, to what must have been decided by then."""
        for name in self.open:
            plan = self.plans[name]
            if not plan.promised.keys() ^ plan.parties:
                raise Invariant("accepted is committed", f"{name} was accepted by all and not committed")
        if self.at_once and self.unjudged:
            raise Invariant("judged once, at its place", f"{next(iter(self.unjudged))} has no verdict before the next word")
        if self.at_once and self.owed:
            name, how = next(iter(self.owed.items()))
            raise Invariant("expiry by log time", f"the end of {name} was not told: {how}")
        for name, plan in self.plans.items():
            if self.at_once and plan.state in ("declined", "countered") and plan.promised:
                raise Invariant("released once", f"{name} was {plan.state}, and {[*plan.promised]} is not free of it")

    def free(self, ref: str) -> int:
        """Return what of a signal is not promised, in grains."""
        stand = self.stands[ref]
        if not stand.stands:
            return 0
        return max(0, stand.grains - (self._unmoved(ref) if stand.total else stand.taken))

    def _unmoved(self, ref: str) -> int:
        agent, kind, _ = ref.split("/")
        rest = 0
        for plan in self.plans.values():
            if agent in plan.promised and plan.state != "broken" and plan.counts.get(ref, -1) >= self.stands[ref].since:
                for index, line in enumerate(plan.data["lines"]):
                    if ref in dict(draws(line)).values():
                        tallies = [("arrived", agent)]
                        if kind != "need":
                            tallies += [("left", agent), ("arrived", line["receiver"])]
                        gone = max(plan.moved.get((*tally, index), 0) for tally in tallies)
                        rest += max(0, grains_of(line["quantity"]) - gone)
        return rest

    def digest(self) -> str:
        """Return the digest that the contract asks for, worked out here."""
        state = self._digested.copy()
        for _, plan in sorted(self.plans.items()):
            if plan.state not in ENDS:
                state.update(rfc8785.dumps(plan.data))
        return state.hexdigest()


@lru_cache(1 << 14)
def canonical(line: bytes) -> bytes:
    """Return the RFC 8785 form of what an event says."""
    return rfc8785.dumps(json.loads(line)["data"])


def draws(line: Json) -> list[tuple[str, str]]:
    """Return who gives from which signal, and who gets what it asked for by which, where a line does either.

    What is made with hours names these, and takes none of them; what goes into a recipe is not yet what is needed.
    """
    kind = line["offer"].split("/")[1]
    gives = kind == "offer" or (kind == "capacity" and line["quantity"]["unit"] == "h")
    return [(line["provider"], line["offer"])] * gives + [(line["receiver"], line["need"])] * ("into" not in line)


def grains_of(quantity: Mapping[str, Any]) -> int:
    """Return a quantity in whole grains; the simulation speaks in pieces and hours, whose decimals may never end (1 ms)."""
    per_unit = GRAINS[quantity["unit"]]
    grains = round(quantity["value"] * per_unit)
    assert grains / per_unit == quantity["value"], quantity
    return grains


def instant_us(text: str) -> int:
    """Return an instant in microseconds since 1970."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)
