"""The stream of turns, read by the rules that are written down for it, with code of its own: which of them stand, and what they amount to.

The rules: turns count in the order of their one partition. A claim takes the next epoch and the partitions it names. Any other turn
stands only where its writer holds the latest claim of each partition it acts for and goes on in each where that one was left, and
it is its writer's next. What a turn decided is obeyed before what it takes of the signals.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from coordinator.stream import Record, partition_of
from tests.simulation.reader import Reader
from tests.simulation.scheduler import Invariant

__all__ = ["TurnReader"]

SIGNALS = "stigmergy.signal.v1"


class TurnReader:
    """Follows the partitions of a broker and hands what counts to a reader of records."""

    def __init__(self, reader: Reader, partitions: Mapping[str, Sequence[Record]]) -> None:
        self.reader, self._partitions = reader, partitions
        self.number = 0  # so many turns stand
        self.epoch = 0
        self.holders: dict[str, tuple[int, str]] = {}
        self.ends: dict[str, int] = {}
        self.decided: dict[str, tuple[Any, int]] = {}  # id of each decision that holds -> its data and turn
        self.writers: list[tuple[int, frozenset[str]]] = []  # where a claim stands, and who holds anything from there on
        self.taken: set[tuple[str, int]] = set()
        self.void = 0  # records of turns that do not stand
        self.stale = 0  # decisions of turns that stand, which others' turns overtook
        self._numbers: dict[str, int] = {}
        self._parts: dict[str, tuple[int, list[Any]]] = {}
        self._at = 0

    def follow(self, each: Callable[[], None] | None = None) -> bool:
        """Take what was added; whether anything stands that did not before."""
        rows, before = self._partitions["stigmergy.turn.v1/0"], self.number
        while self._at < len(rows):
            self._take(rows[self._at].entry.event)
            self._at += 1
        return self.number > before

    def _take(self, line: bytes) -> None:
        try:
            data = json.loads(line)["data"]
            writer, number, part = data["writer"], data["turn"], data["part"]
        except (ValueError, KeyError, TypeError):
            self.void += 1
            return
        known, decisions = self._parts.get(writer, (-1, []))
        if part == 0:
            known, decisions = -1, []
        if part != known + 1 or number != self._numbers.get(writer, 0) + 1 or not self._may(data):
            self.void += 1
            return
        decisions = [*decisions, *map(json.loads, data["decisions"])]
        if not data["whole"]:
            self._parts[writer] = (part, decisions)
            return
        self._parts.pop(writer, None)
        self._numbers[writer] = number
        self.number += 1
        for name in data["claims"]:
            self.holders[name] = (data["epoch"], writer)
            self.epoch = data["epoch"]
        if data["claims"]:
            self.writers.append((self._at, frozenset(writer for _, writer in self.holders.values())))
        fresh = data["base"] == self.number - 1
        for decision in decisions:
            self._must_be_for_it_to_say(decision, data)
            if self.reader.decide(json.dumps(decision).encode(), fresh=fresh):
                self.decided[decision["id"]] = (decision["data"], self.number)
            else:
                self.stale += 1
        self._hear(data["takes"])
        self.reader.settle()

    def _must_be_for_it_to_say(self, decision: Any, turn: Any) -> None:
        """A word is judged by who holds the partition of whoever said it."""
        verdict = decision["data"] or {}
        if verdict.get("statement") is not None:
            partition = partition_of(verdict["agent"], 8)
            if f"{SIGNALS}/{partition}" not in turn["takes"]:
                raise Invariant(
                    "one judge of a partition",
                    f"{turn['writer']} judges {verdict['statement']} of partition {partition}, which it does not hold",
                )

    def _may(self, data: Any) -> bool:
        if data["claims"]:
            return bool(data["epoch"] == self.epoch + 1 and not data["takes"] and not data["decisions"])
        return bool(data["takes"]) and all(
            self.holders.get(name) == (epoch, data["writer"]) and begin == self.ends.get(name, 0) and end >= begin
            for name, (epoch, begin, end) in data["takes"].items()
        )

    def _hear(self, takes: Mapping[str, tuple[int, int, int]]) -> None:
        """Take signals of several partitions by log time, each partition in its own order."""
        heads = {name: list(self._partitions[name][begin:end]) for name, (_, begin, end) in takes.items() if end > begin}
        for name, (_, begin, end) in takes.items():
            if end > len(self._partitions[name]):
                raise Invariant("turns take what is there", f"{name} is taken up to {end} and ends at {len(self._partitions[name])}")
            for offset in range(begin, end):
                if (name, offset) in self.taken:
                    raise Invariant("each place is taken once", f"{name}/{offset} is taken twice")
                self.taken.add((name, offset))
            self.ends[name] = end
        while heads:
            name = min(heads, key=lambda one: (heads[one][0].logtime_us, one))
            record = heads[name].pop(0)
            if not heads[name]:
                del heads[name]
            self._word(record)

    def _word(self, record: Record) -> None:
        """Take one signal, unless the contract has it refused."""
        try:
            event = json.loads(record.entry.event)
            agent = event["source"].partition(":")[2]
        except (ValueError, KeyError, TypeError):
            return
        if agent != record.entry.key or not (event["source"].startswith("agent:") or ".tick." in event["type"]):
            return
        stamp_us = max(record.logtime_us, self.reader.log_us)
        if self.reader.verdict_on(record.entry.event, stamp_us) == "taken":
            self.reader.take(event, stamp_us)
