"""Reads the raw topics and says what is wrong with them. It shares nothing with the product but the names of the topics.

What was acknowledged to a speaker must be there, taken once by a turn that stands and, where it was an answer, judged once. What the
ledger says must follow from what agents said themselves, what all accepted must be committed, and nobody may have promised more than
it offered or needed.
"""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaConsumer, TopicPartition

__all__ = ["Findings", "Row", "Topics", "examine", "examine_turns", "read_to_end"]

SIGNAL, LEDGER, TURN, PROPOSAL = (f"stigmergy.{name}.v1" for name in ("signal", "ledger", "turn", "proposal"))
SILENCE_S = 60.0  # of a broker that owes records, until that is a failure
Json = dict[str, Any]
Row = tuple[int, int, Json]  # partition, offset, and attributes with data


@dataclass
class Findings:
    """What was counted, and what is wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    waiting: int = 0  # records in no turn yet, answers without a verdict, plans that all promised and nobody committed

    def expect(self, holds: bool, told: str) -> None:
        """Note something that is wrong unless it holds."""
        if not holds:
            self.wrong.append(told)


class Topics:
    """All records of some topics. What was read once is kept, and read on from there: a topic only grows."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._rows = defaultdict[str, list[Row]](list)

    def read(self, topic: str) -> list[Row]:
        """Return what a topic holds by now; what is no event is left out. AssertionError where the broker does not give all of it."""
        rows = self._rows[topic]
        reached = Counter[int]()
        for number, offset, _ in rows:
            reached[number] = max(reached[number], offset + 1)
        options = {"auto_offset_reset": "earliest", "fetch_max_wait_ms": 100, "enable_incremental_fetch_sessions": False}
        with closing(KafkaConsumer(bootstrap_servers=self._address, **options)) as consumer:
            numbers = consumer.partitions_for_topic(topic)
            assert numbers, f"{topic} is not there to be judged"
            rows.extend(read_to_end(consumer, {TopicPartition(topic, number): reached[number] for number in sorted(numbers)}))
        return rows


def read_to_end(consumer: KafkaConsumer, begins: dict[TopicPartition, int], silence_s: float = SILENCE_S) -> Iterator[Row]:
    """Yield what partitions hold, up to where they ended when that was first told; AssertionError where it does not come."""
    partitions = list(begins)
    consumer.assign(partitions)
    for partition, offset in begins.items():
        consumer.seek(partition, offset)
    asked = consumer.end_offsets(partitions)
    ends = dict[TopicPartition, int]()
    deadline_s = time.monotonic() + silence_s
    while True:
        polled = consumer.poll(timeout_ms=300, max_records=5_000)
        for partition in partitions:
            told = consumer.highwater(partition)
            if told is not None:
                ends.setdefault(partition, max(told, asked[partition]))  # some brokers count batches where they are asked outright
        for rows in polled.values():
            for row in rows:
                attributes = {name.removeprefix("ce_"): value.decode() for name, value in row.headers}
                yield row.partition, row.offset, {**attributes, "data": json.loads(row.value) if row.value else None}
        left = [each for each in partitions if each not in ends or consumer.position(each) < ends[each]]
        if not left:
            return
        if polled:
            deadline_s = time.monotonic() + silence_s
        behind = {f"{each.topic}/{each.partition}": (consumer.position(each), ends.get(each)) for each in left}
        assert time.monotonic() < deadline_s, f"the broker gave nothing for {silence_s:g} s, and is to hold more (read, end): {behind}"


def examine(topics: Topics, acknowledged: list[tuple[str, str]]) -> Findings:
    """Return what the topics amount to, against the source and id of every event that was acknowledged to its speaker."""
    found = Findings()
    # Others go on meanwhile: what was said first has to be taken by now, and what was decided by now to rest on words that are there then.
    said = len(topics.read(SIGNAL))
    ledger, turns, signals = topics.read(LEDGER), topics.read(TURN), topics.read(SIGNAL)
    heard = {(one["source"], one["id"]): one for _, _, one in signals}
    lost = [each for each in acknowledged if each not in heard]
    found.expect(not lost, f"{len(lost)} acknowledged events are not in the stream, such as {lost[:3]}")
    found.counts.update(acknowledged=len(set(acknowledged)), signals=len(signals), events=len(heard))
    examine_turns(turns, signals[:said], found)
    records = examine_ledger(ledger, found)
    examine_verdicts(acknowledged, heard, records, found)
    examine_commitments(heard, records, parties_of(topics.read(PROPOSAL)), found)
    examine_amounts(heard, records, found)
    return found


def examine_turns(turns: list[Row], signals: list[Row], found: Findings) -> None:
    """See that the turns which stand take every record of every partition once, in order, each by who had the right to.

    One that does not stand has to have a reason: somebody claimed since, or it is there twice.
    """
    holder, ends, numbers = dict[str, tuple[int, str]](), Counter[str](), Counter[str]()
    parts, epoch, seen = dict[str, tuple[int, int]](), 0, set[str]()
    for _, _, event in sorted(turns, key=lambda row: row[1]):
        turn = event["data"]
        writer, number, part = turn["writer"], turn["turn"], turn["part"]
        expected = (number, 0) if part == 0 else parts.get(writer)
        rightful = all(
            holder.get(name) == (row[0], writer) and row[1] == ends[name] and row[2] >= row[1] for name, row in turn["takes"].items()
        )
        claims = bool(turn["claims"]) and turn["epoch"] == epoch + 1
        told = json.dumps(turn)
        is_repeat = told in seen
        seen.add(told)
        if (
            expected != (number, part)
            or number != numbers[writer] + 1
            or not (claims or (turn["takes"] and rightful and not turn["claims"]))
        ):
            found.counts["void turns"] += 1
            is_overtaken = turn["claims"] and turn["epoch"] <= epoch
            is_relieved = any(holder.get(name, (0, ""))[0] > row[0] for name, row in turn["takes"].items())
            found.expect(is_repeat or is_overtaken or is_relieved, f"{event['id']} is void, though nobody claimed what it acts for")
            continue
        parts[writer] = (number, part + 1)
        if not turn["whole"]:
            continue
        numbers[writer] = number
        found.counts["turns"] += 1
        if claims:
            epoch = turn["epoch"]
            found.counts["claims"] += 1
            holder |= dict.fromkeys(turn["claims"], (epoch, writer))
        for name, (_, _, end) in turn["takes"].items():
            ends[name] = end
    there = Counter[str]()
    for partition, offset, _ in signals:
        there[f"{SIGNAL}/{partition}"] = max(there[f"{SIGNAL}/{partition}"], offset + 1)
    left = {name: end - ends[name] for name, end in there.items() if ends[name] < end}
    found.waiting += sum(left.values())


def examine_ledger(ledger: list[Row], found: Findings) -> list[Json]:
    """Return each record once: it may be there twice under its id, and then has to say the same."""
    records = dict[str, Json]()
    for _, _, event in ledger:
        known = records.setdefault(event["id"], event["data"])
        found.expect(known == event["data"], f"{event['id']} is there twice and says {known} and {event['data']}")
    found.counts.update(f"ledger {one['kind']}" for one in records.values())
    found.counts["ledger read twice"] = len(ledger) - len(records)
    return list(records.values())


def parties_of(proposals: list[Row]) -> dict[str, set[str]]:
    """Return whom each proposal asks; one that was taken back had said it before."""
    plans = [event["data"] for _, _, event in proposals if event["data"] is not None]
    return {plan["proposal"]: {line[side] for line in plan["lines"] for side in ("provider", "receiver")} for plan in plans}


def examine_verdicts(acknowledged: list[tuple[str, str]], heard: dict[tuple[str, str], Json], records: list[Json], found: Findings) -> None:
    """See that every answer has one verdict."""
    judged = Counter(one["statement"] for one in records if "statement" in one)
    twice = [each for each, count in judged.items() if count > 1]
    found.expect(not twice, f"{len(twice)} words were judged twice, such as {twice[:3]}")
    answers = [each for each in set(acknowledged) if heard.get(each, {}).get("type") == "stigmergy.answer.v1"]
    found.counts["answers"] = len(answers)
    found.waiting += sum(f"{source}/{id_}" not in judged for source, id_ in answers)


def examine_commitments(heard: dict[tuple[str, str], Json], records: list[Json], parties: dict[str, set[str]], found: Findings) -> None:
    """See that each promise rests on its agent's own word, and that a plan is committed once, by all its parties, where all promised."""

    def accepts(statement: str, agent: str, proposal: str) -> bool:
        source, _, id_ = statement.partition("/")
        word = heard.get((source, id_))
        told = word["data"] if word is not None else None
        return source == f"agent:{agent}" and told is not None and (told.get("answer"), told.get("proposal")) == ("accept", proposal)

    promises = Counter((one["proposal"], one["agent"]) for one in records if one["kind"] == "promised")
    commitments = Counter(one["proposal"] for one in records if one["kind"] == "committed")
    doubled = [each for each, count in (*promises.items(), *commitments.items()) if count > 1]
    found.expect(not doubled, f"{len(doubled)} promises or commitments were doubled, such as {doubled[:3]}")
    for one in records:
        name = one["proposal"]
        if one["kind"] == "promised":
            found.expect(accepts(one["statement"], one["agent"], name), f"{one} rests on no acceptance of its agent")
        if one["kind"] == "committed":
            asked = {line[side] for line in one["lines"] for side in ("provider", "receiver")}
            found.expect(asked == set(one["acceptances"]), f"{name} was committed without all its parties")
            unsaid = [statement for agent, statement in one["acceptances"].items() if not accepts(statement, agent, name)]
            found.expect(not unsaid, f"{name} rests on what is no acceptance of its party: {unsaid}")
    released = {one["proposal"] for one in records if one["kind"] == "released"}
    promised_by = defaultdict[str, set[str]](set)
    for name, agent in promises:
        promised_by[name].add(agent)
    unknown = [name for name in promised_by if name not in parties]
    found.expect(not unknown, f"{len(unknown)} plans were promised that nobody proposed, such as {unknown[:3]}")
    agreed = {name for name, agents in promised_by.items() if agents == parties.get(name)}
    found.waiting += len(agreed - commitments.keys() - released)


def examine_amounts(heard: dict[tuple[str, str], dict[str, Any]], records: list[dict[str, Any]], found: Findings) -> None:
    """See that no offer or need, each of which was said once and for all, is committed beyond its amount."""
    amounts = {
        f"{one['source'].partition(':')[2]}/{one['type'].split('.')[1]}/{one['subject']}": one["data"]["quantity"]["value"]
        for one in heard.values()
        if one["type"] in ("stigmergy.offer.v1", "stigmergy.need.v1")
    }
    given = defaultdict[str, int](int)
    for one in records:
        for line in one["lines"] if one["kind"] == "committed" else ():
            for ref in (line["offer"], line["need"]):
                given[ref] += line["quantity"]["value"]
    over = [f"{ref}: {total} of {amounts.get(ref, 0)}" for ref, total in given.items() if total > amounts.get(ref, 0)]
    found.expect(not over, f"{len(over)} signals are committed beyond their amount, such as {over[:3]}")
    found.counts["units committed"] = sum(given.values()) // 2
