"""How fast the coordinator takes in what stands on Apache Kafka, next to the raw client, and how soon a word becomes a proposal.

    python tests/benchmarks/bench_kafka.py [--signals 30000] [--offers 300] [--things 1] [--per-second 500] [--seconds 10]
                                           [--cycle-seconds 0]

Reading: the same records read by the raw clients, by our log, and by a coordinator that folds them, writes its turns and publishes;
by kafka-python and, where the extra `fast` is installed, by confluent-kafka. What of that is strict reading and what is folding is told
of the same events in memory. Writing: the same events, a thousand at a time. Both in CPU
seconds of this process, all threads of the clients counted, so that a busy machine does not blur them, and as the share of raw
kafka-python's speed.

Latency: offers and needs of one market, or of several, said at a steady pace straight into Kafka; from the moment each was said to the
moment another client reads the first proposal that draws on it; a third more is needed than there is. The markets grow by what is
said: with `--offers 250 --seconds 4` one market to a million pairs that could meet and more. The charter's cadence of whole seconds is
left out, unless it is given: a cycle runs whenever something was said. Wall time: it means something only on a machine that has nothing
else to do.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random
from threading import Event, Thread

import numpy as np
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from coordinator.adapters.kafka_log import KafkaLog
from coordinator.adapters.kafka_service import KafkaService
from coordinator.adapters.memory import collect_rarely
from coordinator.adapters.surroundings import Connect, Surroundings
from coordinator.charter import Charter
from coordinator.cloudevents import to_binary
from coordinator.cycle import Coordination
from coordinator.signals import Event as SignalEvent
from coordinator.signals import event_json, parse_event
from coordinator.stream import PROPOSAL, SIGNAL, START, Entry
from solver import prepare
from tests.support.apache import running_kafka

LONGEST_WAIT_S = 600
PATIENCE_MS = 60_000  # with a broker on a machine that may be busy
AT_ONCE = 1_000  # events written before all of them are waited for


def words(count: int, things: int, agents: int, seed: int = 7) -> Iterator[tuple[str, bytes]]:
    """Yield agents and what they say: offers and needs at random places."""
    random, now_us = Random(seed), time.time_ns() // 1000
    for number in range(count):
        place = {"lat": round(random.uniform(46, 50), 2), "long": round(random.uniform(-2, 3), 2)}
        amount = {"value": random.randint(1, 52 if number % 2 else 40), "unit": "1"}
        kind, agent = ("need", f"clinic-{number % agents}") if number % 2 else ("offer", f"maker-{number % agents}")
        data = {"resource": f"thing-{number // 2 % things}", "quantity": amount, "place": place}
        yield agent, event_json(kind, f"agent:{agent}", f"s-{number // (2 * agents)}", now_us, data)


def say(producer: KafkaProducer, agent: str, line: bytes) -> object:
    headers, value = to_binary(line)
    return producer.send(SIGNAL, key=agent.encode(), value=value, headers=headers)


def measured(task: Callable[[], int]) -> tuple[int, float]:
    began_s = time.process_time()
    count = task()
    return count, time.process_time() - began_s


def read_raw(address: str, count: int) -> int:
    """Read with the client as it is."""
    with closing(KafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest", max_poll_records=5_000)) as consumer:
        consumer.assign([TopicPartition(SIGNAL, number) for number in range(8)])
        consumer.seek_to_beginning()
        read = 0
        while read < count:
            read += sum(map(len, consumer.poll(timeout_ms=1_000).values()))
        return read


def read_raw_confluent(address: str, count: int) -> int:
    """Read with librdkafka as it is."""
    from confluent_kafka import Consumer
    from confluent_kafka import TopicPartition as Wanted

    with closing(Consumer({"bootstrap.servers": address, "group.id": "raw", "enable.auto.commit": False})) as consumer:
        consumer.assign([Wanted(SIGNAL, number, 0) for number in range(8)])
        read = 0
        while read < count:
            read += len(consumer.consume(5_000, 0.1))
        return read


def read_strictly(lines: Sequence[bytes]) -> int:
    """Read events as the coordinator does, from memory."""
    for line in lines:
        parse_event(line)
    return len(lines)


def fold_only(events: Sequence[tuple[SignalEvent, bytes]]) -> int:
    """Take in events that are read already."""
    core = Coordination(Charter(fairness="off"), judging=False, planning=False)
    for event, line in events:
        core.take(event, line)
    return len(events)


def read_log(address: str, count: int, opened: Connect) -> int:
    """Read as the coordinator does, without taking anything."""
    with closing(opened(address, streams=(SIGNAL,), prepare=False, patience_ms=PATIENCE_MS)) as log:
        place, read = START, 0
        while read < count:
            batch = log.read(place, 5_000)
            place, read = batch.place, read + len(batch.records)
        return read


def write_raw(address: str, entries: Sequence[Entry]) -> int:
    """Write with the client as it is, as safely as our log does and no event checked."""
    messages = [(entry.key.encode(), *to_binary(entry.event)) for entry in entries]
    options = {"acks": "all", "enable_idempotence": True, "linger_ms": 5, "batch_size": 128 << 10}
    with closing(KafkaProducer(bootstrap_servers=address, **options)) as producer:
        for begin in range(0, len(messages), AT_ONCE):
            sent = [producer.send(SIGNAL, key=key, headers=told, value=value) for key, told, value in messages[begin : begin + AT_ONCE]]
            producer.flush()
            for each in sent:
                each.get()
    return len(entries)


def write_log(address: str, entries: Sequence[Entry], opened: Connect) -> int:
    """Write as the coordinator does."""
    with closing(opened(address, prepare=False, patience_ms=PATIENCE_MS)) as log:
        for begin in range(0, len(entries), AT_ONCE):
            log.append(entries[begin : begin + AT_ONCE])
    return len(entries)


def take_all(address: str, folder: Path, count: int, opened: Connect = KafkaLog) -> int:
    """Read, take, write turns and publish, until all is taken."""
    with closing(service_on(address, folder, planning=False, opened=opened)) as service:
        until(lambda: service.status().counts["taken"] >= count, service)
        return count


def service_on(address: str, folder: Path, *, planning: bool, opened: Connect = KafkaLog, cycle_seconds: int = 0) -> KafkaService:
    charter = Charter(fairness="off").model_copy(update={"cycle_seconds": cycle_seconds})  # 0 for no cadence: see above
    around = Surroundings(connect=opened)
    memory = folder / f"memory-{time.monotonic_ns()}"
    return KafkaService(address, charter, memory=memory, replicas=1, planning=planning, patience_ms=PATIENCE_MS, surroundings=around)


def until(condition: Callable[[], bool], service: KafkaService) -> None:
    deadline_s = time.monotonic() + LONGEST_WAIT_S
    while not condition():
        if service.ended is not None or time.monotonic() > deadline_s:
            sys.exit(f"it did not come about: {service.ended or service.status()}")
        time.sleep(0.005)


def reading(folder: Path, count: int) -> None:
    with running_kafka(folder / "reading", "the benchmark") as broker:
        KafkaLog(broker.address, replicas=1).close()
        with closing(KafkaProducer(bootstrap_servers=broker.address, linger_ms=20, batch_size=128 << 10)) as producer:
            for agent, line in words(count, 50, 5_000):
                say(producer, agent, line)
            producer.flush()
        address, logs = broker.address, logs_on_kafka()
        tasks: list[tuple[str, Callable[[], int]]] = [("raw kafka-python", lambda: read_raw(address, count))]
        tasks += [(f"our log, {name}", partial(read_log, address, count, opened)) for name, opened in logs]
        tasks += [(f"consume, fold, publish, {name}", partial(take_all, address, folder, count, opened)) for name, opened in logs]
        tasks += [("raw confluent", lambda: read_raw_confluent(address, count))] if len(logs) > 1 else []
        lines = [line for _, line in words(count, 50, 5_000)]
        events = [(parse_event(line), line) for line in lines]
        tasks += [("strict reading alone", lambda: read_strictly(lines)), ("folding alone", lambda: fold_only(events))]
        tasks += [("raw kafka-python again", lambda: read_raw(address, count))]
        compare(f"reading {count:,} signals", tasks)
        entries = [Entry(SIGNAL, agent, line) for agent, line in words(count, 50, 5_000, seed=8)]
        tasks = [("raw kafka-python", lambda: write_raw(address, entries))]
        tasks += [(f"our log, {name}", partial(write_log, address, entries, opened)) for name, opened in logs]
        tasks += [("raw kafka-python again", lambda: write_raw(address, entries))]
        compare(f"writing {count:,} signals", tasks)


def logs_on_kafka() -> list[tuple[str, Connect]]:
    """Our log by each client that is there."""
    try:
        from coordinator.adapters.confluent_log import ConfluentLog
    except ImportError:
        print("not measured: our log by confluent-kafka; install the extra `fast`")
        return [("kafka-python", KafkaLog)]
    return [("kafka-python", KafkaLog), ("confluent", ConfluentLog)]


def compare(title: str, tasks: Sequence[tuple[str, Callable[[], int]]]) -> None:
    """Print what each task costs, and its share of the first one's speed."""
    raw = 0.0
    print(f"{title:40} {'µs each':>10} {'a second':>12} {'of raw':>8}")
    for name, task in tasks:
        done, cpu_s = measured(task)
        raw = raw or cpu_s
        print(f"{name:40} {cpu_s / done * 1e6:10.1f} {done / cpu_s:12,.0f} {raw / cpu_s:8.2f}", flush=True)


def latency(folder: Path, offers: int, things: int, per_second: int, seconds: float, cycle_seconds: int) -> None:
    with (
        running_kafka(folder / "latency", "the benchmark") as broker,
        closing(service_on(broker.address, folder, planning=True, cycle_seconds=cycle_seconds)) as service,
    ):
        producer = KafkaProducer(bootstrap_servers=broker.address, linger_ms=0, acks="all")
        for agent, line in words(2 * offers, things, offers):
            say(producer, agent, line)
        producer.flush()
        until(lambda: service.status().counts["taken"] >= 2 * offers and service.status().why_not is None, service)
        until(lambda: service.status().cycles > 0, service)
        stop, seen = Event(), dict[str, float]()
        watcher = Thread(target=watch, args=(broker.address, stop, seen))
        watcher.start()
        said = dict[str, float]()
        began_s = time.monotonic()
        count = int(per_second * seconds)
        for number, (agent, line) in enumerate(words(count, things, offers, seed=11)):
            time.sleep(max(0.0, began_s + number / per_second - time.monotonic()))
            event = json.loads(line)
            subject = f"live-{number}"
            kind = event["type"].split(".")[1]
            said[f"{agent}/{kind}/{subject}"] = time.monotonic()
            say(producer, agent, event_json(kind, f"agent:{agent}", subject, time.time_ns() // 1000, event["data"]))
        producer.flush()
        paced_s = time.monotonic() - began_s
        time.sleep(3)
        stop.set()
        watcher.join()
        times_ms = np.array([1000 * (seen[ref] - at_s) for ref, at_s in said.items() if ref in seen])
        status = service.status()
        live = 2 * offers + count
        markets = f"{things:,} markets, in each of which all can meet" if things > 1 else "one market, all can meet"
        print(f"\n{offers:,} offers and as many needs at first, {live // 2:,} and {live - live // 2:,} at last, {markets}")
        print(f"said {count:,} at {count / paced_s:,.0f} a second; {len(times_ms):,} of them in a proposal; {status.cycles:,} cycles")
        if len(times_ms):
            p50, p99 = np.percentile(times_ms, [50, 99])
            cadence = f"a cycle each {cycle_seconds} s" if cycle_seconds else "no cadence"
            print(f"Kafka to proposal on Kafka, {cadence}: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
            print(f"planning took {1000 * status.planning_s / max(1, status.cycles):.1f} ms a cycle")
        producer.close()


def watch(address: str, stop: Event, seen: dict[str, float]) -> None:
    """Note when a proposal that draws on a signal is first read."""
    with closing(KafkaConsumer(bootstrap_servers=address, auto_offset_reset="latest", fetch_max_wait_ms=5)) as consumer:
        consumer.assign([TopicPartition(PROPOSAL, number) for number in range(8)])
        while not stop.is_set():
            for rows in consumer.poll(timeout_ms=50).values():
                at_s = time.monotonic()
                for row in rows:
                    for line in json.loads(row.value)["lines"] if row.value else ():
                        for ref in (line["offer"], line["need"]):
                            seen.setdefault(ref, at_s)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=30_000)
    parser.add_argument("--offers", type=int, default=300, help="of all markets together, and as many needs")
    parser.add_argument("--things", type=int, default=1, help="each of them a market of its own")
    parser.add_argument("--per-second", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--cycle-seconds", type=int, default=0, help="the charter's cadence; 0: a cycle whenever something was said")
    asked = parser.parse_args()
    prepare()
    collect_rarely()  # as every command does
    with tempfile.TemporaryDirectory() as folder:
        try:
            if asked.signals:
                reading(Path(folder), asked.signals)
            if asked.seconds:
                latency(Path(folder), asked.offers, asked.things, asked.per_second, asked.seconds, asked.cycle_seconds)
        except pytest.skip.Exception as missing:  # where tests would be skipped
            print(f"not measured: {missing}")


if __name__ == "__main__":
    main()
