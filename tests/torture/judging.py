"""Reads the raw topics and says what is wrong with them. It shares nothing with the product but the names of the topics.

What was acknowledged to a speaker must be there, taken once by a turn that stands and, where it was an answer, judged once. What the
ledger says must follow from what agents said themselves, and nobody may have promised more than it offered or needed.
"""

import json
import time
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaConsumer, TopicPartition

__all__ = ["Findings", "examine", "raw"]

SIGNAL, LEDGER, TURN, PROPOSAL = (f"stigmergy.{name}.v1" for name in ("signal", "ledger", "turn", "proposal"))
QUIET_POLLS = 5  # empty ones, until a topic counts as read: some brokers do not tell where it ends
FREED = ("declined", "countered")


@dataclass
class Findings:
    """What was counted, and what is wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    waiting: int = 0  # answers that have no verdict yet

    def expect(self, holds: bool, told: str) -> None:
        """Note something that is wrong unless it holds."""
        if not holds:
            self.wrong.append(told)


def raw(address: str, topic: str) -> list[tuple[int, int, dict[str, Any]]]:
    """Return all records of a topic, each with its partition, its offset, and its attributes and data; what is no event is left out."""
    rows: list[tuple[int, int, dict[str, Any]]] = []
    with closing(KafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest", fetch_max_wait_ms=100)) as consumer:
        consumer.assign([TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()])
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(list(consumer.assignment()))  # at least so far; some brokers count batches there
        quiet, begun_ms = 0, time.time() * 1000
        while quiet < QUIET_POLLS:
            polled = consumer.poll(timeout_ms=300, max_records=5_000)
            is_older = any(row.timestamp < begun_ms for batch in polled.values() for row in batch)
            is_short = any(consumer.position(partition) < end for partition, end in ends.items())
            quiet = 0 if is_older or is_short else quiet + 1  # time goes on telling itself, so there is always something new
            for batch in polled.values():
                for row in batch:
                    attributes = {name.removeprefix("ce_"): value.decode() for name, value in row.headers}
                    rows.append((row.partition, row.offset, {**attributes, "data": json.loads(row.value) if row.value else None}))
    return rows


def examine(address: str, acknowledged: list[tuple[str, str]]) -> Findings:
    """Return what the topics amount to, against the source and id of every event that was acknowledged to its speaker."""
    found = Findings()
    signals, ledger = raw(address, SIGNAL), raw(address, LEDGER)
    heard = {(one["source"], one["id"]): one for _, _, one in signals}
    lost = [each for each in acknowledged if each not in heard]
    found.expect(not lost, f"{len(lost)} acknowledged events are not in the stream, such as {lost[:3]}")
    found.counts.update(acknowledged=len(set(acknowledged)), signals=len(signals), events=len(heard))
    examine_turns(address, signals, found)
    records = {one["id"]: one["data"] for _, _, one in ledger}
    found.counts.update(f"ledger {one['kind']}" for one in records.values())
    found.counts["ledger read twice"] = len(ledger) - len(records)
    examine_verdicts(acknowledged, heard, list(records.values()), found)
    examine_amounts(heard, list(records.values()), found)
    return found


def examine_turns(address: str, signals: list[tuple[int, int, dict[str, Any]]], found: Findings) -> None:
    """See that the turns which stand take every record of every partition once, in order, each by who had the right to."""
    holder, ends, numbers = dict[str, tuple[int, str]](), Counter[str](), Counter[str]()
    parts, epoch = dict[str, tuple[int, int]](), 0
    for _, _, event in sorted(raw(address, TURN), key=lambda row: row[1]):
        turn = event["data"]
        writer, number, part = turn["writer"], turn["turn"], turn["part"]
        expected = (number, 0) if part == 0 else parts.get(writer)
        rightful = all(
            holder.get(name) == (row[0], writer) and row[1] == ends[name] and row[2] >= row[1] for name, row in turn["takes"].items()
        )
        claims = bool(turn["claims"]) and turn["epoch"] == epoch + 1
        if (
            expected != (number, part)
            or number != numbers[writer] + 1
            or not (claims or (turn["takes"] and rightful and not turn["claims"]))
        ):
            found.counts["void turns"] += 1
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


def examine_verdicts(
    acknowledged: list[tuple[str, str]], heard: dict[tuple[str, str], dict[str, Any]], records: list[dict[str, Any]], found: Findings
) -> None:
    """See that every answer has one verdict, and that every record rests on its agent's own word."""
    judged = Counter(one["statement"] for one in records if "statement" in one)
    twice = [each for each, count in judged.items() if count > 1]
    found.expect(not twice, f"{len(twice)} words were judged twice, such as {twice[:3]}")
    answers = [each for each in set(acknowledged) if heard.get(each, {}).get("type") == "stigmergy.answer.v1"]
    found.counts["answers"] = len(answers)
    found.waiting += sum(f"{source}/{id_}" not in judged for source, id_ in answers)
    said = Counter((one["kind"], one["proposal"], one["agent"]) for one in records if one["kind"] in ("promised", "committed"))
    twice_said = [each for each, count in said.items() if count > 1]
    found.expect(not twice_said, f"{len(twice_said)} promises or commitments were doubled, such as {twice_said[:3]}")
    for one in records:
        if one["kind"] == "promised":
            word = heard.get(tuple(one["statement"].split("/")), {"source": None, "data": {}})  # type: ignore[arg-type]
            fits = (word["source"], word["data"].get("answer")) == (f"agent:{one['agent']}", "accept")
            found.expect(fits and word["data"]["proposal"] == one["proposal"], f"{one} rests on no acceptance of its agent")
        if one["kind"] == "committed":
            parties = {line[side] for line in one["lines"] for side in ("provider", "receiver")}
            found.expect(parties == set(one["acceptances"]), f"{one['proposal']} was committed without all its parties")
            missing = [each for each in one["acceptances"].values() if tuple(each.split("/")) not in heard]
            found.expect(not missing, f"{one['proposal']} rests on words that nobody said: {missing}")


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
