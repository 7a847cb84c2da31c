"""The independent reader: what the records themselves amount to, worked out from the contract alone.

It reads raw JSON and shares no code with the product: no model, no book, no network, no judge. Each rule it holds the records to
has a name; what breaks one raises `Invariant`. The planted bugs show that each of them can.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import rfc8785

from tests.simulation.scheduler import Invariant

__all__ = ["Plan", "Reader", "Stand"]

GRAINS = {"1": 1, "h": 3_600_000}
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


@dataclass
class Plan:
    """A proposal and what came of it."""

    data: Json
    expires_us: int
    state: str = "proposed"
    ended_us: int = 0
    promised: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    moved: dict[tuple[str, str, int], int] = field(default_factory=dict)  # which tally, whose, of which line -> grains

    @property
    def parties(self) -> list[str]:
        return list(dict.fromkeys(line[side] for line in self.data["lines"] for side in ("provider", "receiver")))

    def asks(self, agent: str) -> dict[str, int]:
        asked: dict[str, int] = {}
        for line in self.data["lines"]:
            for side, what in (("provider", "offer"), ("receiver", "need")):
                if line[side] == agent:
                    asked[line[what]] = asked.get(line[what], 0) + grains_of(line["quantity"])
        return asked


class Reader:
    """Takes records in the order in which they count."""

    def __init__(self, late_seconds: int) -> None:
        self.late_us = late_seconds * 1_000_000
        self.log_us = -(1 << 62)
        self.seen: dict[tuple[str, str], Json] = {}
        self.stands: dict[str, Stand] = {}
        self.plans: dict[str, Plan] = {}
        self.open: dict[str, None] = {}  # plans that are proposed or promised
        self.said: dict[str, Json] = {}  # every answer and report taken, by source/id
        self.unjudged: dict[str, None] = {}
        self.ledger: list[Json] = []
        self._digested = hashlib.sha256()
        self.kinds: dict[str, int] = {}

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

    def take(self, line: bytes, stamp_us: int) -> None:
        """Take a signal that the log took, at its place."""
        self.settle()
        verdict = self.verdict_on(line, stamp_us)
        event = json.loads(line)
        told = f"{event['type']} {event['source']} {event['id']}"
        if verdict == "repeat":
            raise Invariant("taken once", f"{told} was taken twice")
        if verdict == "refused" and (event["source"], event["id"]) in self.seen:
            raise Invariant("taken once", f"{told} was taken with two contents")
        if verdict == "refused":
            raise Invariant("late words are refused", f"{told} was said more than {self.late_us / 1e6:g} s before and taken")
        self.log_us = max(self.log_us, stamp_us)
        self._expire()
        kind = event["type"].split(".")[1]
        if kind == "tick":
            return
        self.seen[event["source"], event["id"]] = event
        agent = event["source"].partition(":")[2]
        if kind in STANCES:
            self._stand(event, agent, kind)
        elif kind in ("answer", "report"):
            statement = f"{event['source']}/{event['id']}"
            self.said[statement] = event
            self.unjudged[statement] = None

    def _stand(self, event: Json, agent: str, kind: str) -> None:
        ref, data = f"{agent}/{kind}/{event['subject']}", event["data"]
        mark = (min(instant_us(event["time"]), self.log_us), event["id"])
        old = self.stands.get(ref)
        if old is not None and mark < old.mark:
            return
        if data is None:
            if old is None:
                old = self.stands[ref] = Stand(mark, "", 0, total=False, expires_us=None, stands=False, withdrawn=True)
            old.mark, old.stands, old.withdrawn = mark, False, True
            return
        thing, amount = (data["process"], data["effort"]) if "process" in data else (data["resource"], data["quantity"])
        expires_us = instant_us(data["expires"]) if "expires" in data else None
        new = Stand(mark, thing, grains_of(amount), data.get("basis") == "total", expires_us)
        new.stands = expires_us is None or expires_us > self.log_us
        if old is not None:
            same = old.thing == new.thing and not old.withdrawn and (old.grains, old.total) == (new.grains, new.total)
            new.count, new.taken = (old.count, old.taken) if same else (old.count + 1, 0)
            new.since = old.since if old.thing == new.thing else new.count
        self.stands[ref] = new

    def _expire(self) -> None:
        for stand in self.stands.values():
            if stand.stands and stand.expires_us is not None and stand.expires_us <= self.log_us:
                stand.stands = False
        for name in list(self.open):
            plan = self.plans[name]
            if plan.state == "proposed" and plan.expires_us <= self.log_us:
                self._end(name, "lapsed")

    # -- what was decided ---------------------------------------------------------------------------------------------

    def decide(self, line: bytes) -> None:
        """Take a proposal or a ledger record at its place."""
        event = json.loads(line)
        try:
            self._decide(event)
        except KeyError as error:
            raise Invariant("known signals", f"{event['type']} {event['id']} speaks of {error}, which nobody said") from error

    def _decide(self, event: Json) -> None:
        if event["type"] == "stigmergy.ledger.v1":
            self._record(event["data"])
        elif event["data"] is None:
            self._retract(event["subject"])
        else:
            self._propose(event["data"])

    def _propose(self, data: Json) -> None:
        name = data["proposal"]
        known = self.plans.get(name)
        if known is not None and known.state != "retracted":
            raise Invariant("proposed once", f"{name} is {known.state} and was proposed again")
        for line in data["lines"]:
            if line["offer"].split("/")[0] != line["provider"] or line["need"].split("/")[0] != line["receiver"]:
                raise Invariant("own signals", f"{name} draws on what is not its parties'")
        self.plans[name] = Plan(data, instant_us(data["expires"]))
        self.open[name] = None

    def _retract(self, name: str) -> None:
        plan = self.plans.get(name)
        # What time ended and what its signals ended at the same moment may be told as either.
        lapsed_now = plan is not None and plan.state == "lapsed" and plan.ended_us == self.log_us
        if plan is None or (plan.state != "proposed" and not lapsed_now):
            raise Invariant("promises are kept", f"{name} was retracted though it is {plan and plan.state}")
        self._end(name, "retracted")

    def _end(self, name: str, state: str) -> None:
        self.plans[name].state, self.plans[name].ended_us = state, self.log_us
        self.open.pop(name, None)

    def _record(self, data: Json) -> None:
        self.ledger.append(data)
        self._digested.update(rfc8785.dumps(data))
        kind, name, agent = data["kind"], data["proposal"], data["agent"]
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        statement = data.get("statement")
        if statement is not None:
            if self.unjudged.pop(statement, ...) is ...:
                raise Invariant(
                    "judged once, at its place", f"{kind} of {name} rests on {statement}, which is not there or was judged before"
                )
            if self.said[statement]["source"] != f"agent:{agent}":
                raise Invariant(
                    "own acceptance", f"{kind} of {name} is said of {agent} and rests on the word of {self.said[statement]['source']}"
                )
        if kind == "refused":
            self._must_be_refusable(data, statement)
            return
        if kind == "noted":
            return
        plan = self.plans.get(name)
        if plan is None:
            raise Invariant("known plans", f"{kind} is said of {name}, which nobody proposed")
        getattr(self, f"_{kind}")(plan, data, name, agent, statement)

    def _must_be_refusable(self, data: Json, statement: str | None) -> None:
        """An acceptance that nothing speaks against may not be refused."""
        said = self.said.get(statement or "", {"data": None})["data"]
        if said is None or said.get("answer") != "accept":
            return
        plan, agent = self.plans.get(said["proposal"]), data["agent"]
        if plan is None or said["proposal"] not in self.open or agent not in plan.parties or agent in plan.promised:
            return
        if plan.expires_us <= self.log_us:
            return
        if all(self.stands[ref].stands and self.free(ref) >= grains for ref, grains in plan.asks(agent).items()):
            raise Invariant("what is free can be promised", f"{agent}'s acceptance of {said['proposal']} was refused: {data.get('why')}")

    def _promised(self, plan: Plan, data: Json, name: str, agent: str, statement: str) -> None:
        said = self.said.get(statement or "", {}).get("data") or {}
        if said.get("proposal") != name or said.get("answer") != "accept":
            raise Invariant("own acceptance", f"{agent} never accepted {name}, and is said to promise it")
        if agent not in plan.parties or agent in plan.promised or name not in self.open:
            raise Invariant(
                "promises fit", f"{agent} promises {name}, which is {plan.state}, among {plan.parties}, promised by {[*plan.promised]}"
            )
        if plan.expires_us <= self.log_us:
            raise Invariant("expiry by log time", f"{agent} promises {name}, which had expired")
        for ref, grains in plan.asks(agent).items():
            stand, free = self.stands[ref], self.free(ref)
            if not stand.stands or free < grains:
                raise Invariant("capacity never below zero", f"{name} takes {grains} of {ref}, of which {free} are free")
            self._must_tell(data, "free_before", ref, free)
            self._must_tell(data, "free_after", ref, free - grains)
            plan.counts[ref] = stand.count
            stand.taken += grains
        plan.promised[agent] = statement
        plan.state = "promised"

    def _must_tell(self, data: Json, key: str, ref: str, grains: int) -> None:
        told = data.get(key, {}).get(ref)
        if told is None or grains_of(told) != grains:
            raise Invariant("balances are true", f"{data['kind']} of {data['proposal']} tells {key} {told} of {ref}; {grains} grains it is")

    def _committed(self, plan: Plan, data: Json, name: str, agent: str, statement: None) -> None:
        if plan.state in ("committed", "fulfilled", "broken"):
            raise Invariant("committed once", f"{name} is committed twice")
        if plan.state != "promised" or agent != plan.parties[0]:
            raise Invariant("committed by its judge", f"{name} is {plan.state} and {agent} commits it")
        for party in plan.parties:
            acceptance = self.said.get(data["acceptances"].get(party, ""), {})
            if party not in plan.promised or acceptance.get("source") != f"agent:{party}":
                raise Invariant("own acceptance", f"{name} is committed without the acceptance of {party}")
            if plan.promised[party] != data["acceptances"][party]:
                raise Invariant("own acceptance", f"{name} is committed on another acceptance of {party} than stands")
        plan.state = "committed"
        self.open.pop(name)

    def _declined(self, plan: Plan, data: Json, name: str, agent: str, statement: str) -> None:
        if name not in self.open or agent not in plan.parties:
            raise Invariant("answers fit", f"{agent} {data['kind']} {name}, which is {plan.state}")
        if agent in plan.promised:
            self._give_back(plan, agent)
        self._end(name, data["kind"])

    _countered = _declined

    def _released(self, plan: Plan, data: Json, name: str, agent: str, statement: str | None) -> None:
        if statement is not None:
            if plan.state != "promised" or agent not in plan.promised:
                raise Invariant("answers fit", f"{agent} takes back {name}, which is {plan.state}")
            self._give_back(plan, agent)
            plan.state = "promised" if plan.promised else "proposed"
            return
        if plan.state not in ("promised", "declined", "countered") or not data.get("ends"):
            raise Invariant("released once", f"{name} is {plan.state} and released")
        for party in list(plan.promised):
            self._give_back(plan, party)
        if plan.state == "promised":
            self._end(name, "released")

    def _broken(self, plan: Plan, data: Json, name: str, agent: str, statement: None) -> None:
        if plan.state != "committed":
            raise Invariant("broken once", f"{name} is {plan.state} and broken")
        plan.state = "broken"

    def _shipped(self, plan: Plan, data: Json, name: str, agent: str, statement: str) -> None:
        if plan.state not in ("committed", "fulfilled", "broken") or agent not in plan.parties:
            raise Invariant("reports fit", f"{agent} reports on {name}, which is {plan.state}")
        tally = "left" if data["kind"] == "shipped" else "arrived"
        for index, (line, part) in enumerate(zip(plan.data["lines"], data["moved"], strict=True)):
            key = (tally, agent, index)
            plan.moved[key] = plan.moved.get(key, 0) + (grains_of(part) if part else 0)
            if plan.moved[key] > grains_of(line["quantity"]):
                raise Invariant("no more than was agreed", f"{agent} reports {plan.moved[key]} of {name}")
        if data["kind"] == "fulfilled":
            plan.state = "fulfilled"

    _delivered = _fulfilled = _shipped

    def _give_back(self, plan: Plan, agent: str) -> None:
        del plan.promised[agent]
        for ref, grains in plan.asks(agent).items():
            stand = self.stands[ref]
            if stand.count == plan.counts[ref]:
                stand.taken -= grains

    # -- what holds between two records -------------------------------------------------------------------------------

    def settle(self) -> None:
        """Hold what stands before the next signal to what must have been decided by then."""
        if self.unjudged:
            raise Invariant("judged once, at its place", f"{next(iter(self.unjudged))} has no verdict before the next word")
        for name in self.open:
            plan = self.plans[name]
            if plan.promised and plan.expires_us <= self.log_us:
                raise Invariant("expiry by log time", f"{name} expired and was not released")
            if not plan.promised.keys() ^ plan.parties:
                raise Invariant("accepted is committed", f"{name} was accepted by all and not committed")
            for line in plan.data["lines"]:
                for ref in (line["offer"], line["need"]):
                    if not self.stands[ref].stands:
                        raise Invariant("expiry by log time", f"{name} rests on {ref}, which no longer stands")

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
                    if ref in (line["offer"], line["need"]):
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


def grains_of(quantity: Mapping[str, Any]) -> int:
    """Return a quantity in whole grains; the simulation speaks in pieces and hours."""
    grains = quantity["value"] * GRAINS[quantity["unit"]]
    assert grains == int(grains), quantity
    return int(grains)


def instant_us(text: str) -> int:
    """Return an instant in microseconds since 1970."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)
