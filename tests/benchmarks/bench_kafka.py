"""How fast the coordinator takes in what stands on Apache Kafka, next to the raw client, and how soon a word becomes a proposal.

    python tests/benchmarks/bench_kafka.py [--signals 30000] [--offers 300] [--things 1] [--towns 0] [--plenty] [--per-second 500]
                                           [--warm-seconds 5] [--seconds 10] [--client kafka-python] [--cycle-seconds 0]

Reading: the same records read by the raw clients, by our log, and by a coordinator that folds them, writes its turns and publishes;
by kafka-python and, where the extra `fast` is installed, by confluent-kafka. What of that is strict reading and what is folding is told
of the same events in memory. Writing: the same events, a thousand at a time. Both in CPU
seconds of this process, all threads of the clients counted, so that a busy machine does not blur them, and as the share of raw
kafka-python's speed.

Latency: offers and needs said at a steady pace straight into Kafka; from the moment each was said to the moment another client reads
the first proposal that draws on it. Only the scarcer of both count: what there is too much of may wait until its market moves again.
Who speaks and who watches are processes of their own, by librdkafka: agents have machines of their own, so they are to take as little of
this one as they can. The markets grow by what is said: a thing is a market, in which all can meet, or,
in towns, those of one town. The first seconds do not count, for a broker just started is several times slower. The charter's cadence
of whole seconds is left out, unless it is given: a cycle runs whenever something was said.

The rival has no state and decides nothing: raw kafka-python that reads the same words at the same pace and publishes, for each, as many
records as the coordinator did, once after as many answers of the broker one by one as a decision takes, once at once. Wall time: it
means something only next to the rival's, and on a machine that has nothing else to do.
"""

import argparse
import gc
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import numpy as np
import orjson
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from coordinator.adapters.kafka_log import KafkaLog
from coordinator.adapters.kafka_service import KafkaService
from coordinator.adapters.memory import collect_rarely
from coordinator.adapters.surroundings import Connect, Surroundings
from coordinator.charter import Charter
from coordinator.cli.serve import HANDED_OVER_S
from coordinator.cloudevents import to_binary
from coordinator.cycle import Coordination
from coordinator.signals import Event as SignalEvent
from coordinator.signals import event_json, parse_event
from coordinator.stream import PARTITIONS, PROPOSAL, SIGNAL, START, TURN, Entry
from solver import prepare
from tests.support.apache import running_kafka

LONGEST_WAIT_S = 600
PATIENCE_MS = 60_000  # with a broker on a machine that may be busy
OFFERED, WANTED, WANTED_IN_PLENTY = 40, 52, 20  # at most, by one signal: a third more is wanted than there is, or half of it
TOWN_KM, TOWNS_ABREAST = 20, 100  # how far goods go there, and how many lie along a parallel: a degree, some fifty kilometres, apart
LAST_GENERATION = 2
SETTLED_S = 3.0  # after the last word, for proposals still to come
AT_ONCE = 1_000  # events written before all of them are waited for


def words(count: int, things: int, agents: int, seed: int = 7, towns: int = 0, wanted: int = WANTED) -> Iterator[tuple[str, bytes]]:
    """Yield agents and what they say: offers and needs at random places, or in towns too far apart for what they offer and need."""
    random, now_us = Random(seed), time.time_ns() // 1000
    reach = {"within_km": TOWN_KM} if towns else {}
    for number in range(count):
        place = {"lat": round(random.uniform(46, 50), 2), "long": round(random.uniform(-2, 3), 2)}
        if towns:
            row, column = divmod(random.randrange(towns), TOWNS_ABREAST)
            place = {"lat": round(row - 60 + random.uniform(0, 0.05), 3), "long": round(column + random.uniform(0, 0.05), 3)}
        amount = {"value": random.randint(1, wanted if number % 2 else OFFERED), "unit": "1"}
        kind, agent = ("need", f"clinic-{number % agents}") if number % 2 else ("offer", f"maker-{number % agents}")
        data = {"resource": f"thing-{number // 2 % things}", "quantity": amount, "place": place, **reach}
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
        print("not measured: our log by confluent-kafka, and what others say and see by it; install the extra `fast`")
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


@dataclass(frozen=True)
class Look:
    """One look for garbage: through which generation, and what it took and found."""

    generation: int
    took_s: float  # of CPU
    found: int  # objects in rings


@dataclass(frozen=True)
class Case:
    """What is said, how fast, and in what sort of network."""

    offers: int  # at first, of all markets together, and as many needs
    things: int
    towns: int
    wanted: int  # at most, by one need
    per_second: int
    warm: int  # words before those that count: a broker just started is several times slower
    counted: int

    def words(self, count: int, seed: int) -> Iterator[tuple[str, str, bytes]]:
        """Yield who says what to whom: agent, ref, line."""
        for number, (agent, line) in enumerate(words(count, self.things, self.offers, seed, self.towns, self.wanted)):
            event = json.loads(line)
            kind, subject = event["type"].split(".")[1], f"live-{number}"
            told = event_json(kind, f"agent:{agent}", subject, time.time_ns() // 1000, event["data"])
            yield agent, f"{agent}/{kind}/{subject}", told

    def is_used_at_once(self, ref: str) -> bool:
        """Whether a word is of the scarcer side: what there is too much of may rest until its market moves again."""
        return f"/{'offer' if self.wanted == WANTED else 'need'}/" in ref

    def told(self) -> str:
        live = self.offers * 2 + self.warm + self.counted
        pairs = (live // 2) ** 2 // self.things // max(1, self.towns)
        scarce = "a third more wanted than offered" if self.wanted == WANTED else "half as much wanted as offered"
        where = f", each in {self.towns:,} towns out of each other's reach" if self.towns else ""
        return f"{live // 2:,} offers and as many needs at last, of {self.things:,} things{where}: {pairs:,} pairs could meet, {scarce}"


def latency(folder: Path, case: Case, cycle_seconds: int, opened: Connect) -> None:
    """Print how long it takes from a word in Kafka to the first proposal on Kafka that draws on it."""
    with (
        running_kafka(folder / "latency", "the benchmark") as broker,
        closing(service_on(broker.address, folder, planning=True, opened=opened, cycle_seconds=cycle_seconds)) as service,
    ):
        with closing(KafkaProducer(bootstrap_servers=broker.address, linger_ms=20, acks="all")) as producer:
            for agent, line in words(2 * case.offers, case.things, case.offers, towns=case.towns, wanted=case.wanted):
                say(producer, agent, line)
            producer.flush()
        until(lambda: service.status().counts["taken"] >= 2 * case.offers and service.status().why_not is None, service)
        service.tick()  # What was said before it was ready is planned once time is told.
        until(lambda: service.status().cycles > 0 and not service.status().turns["unpublished"], service)
        before, cpu_s, began_s = service.status(), time.process_time(), time.monotonic()
        with looks_told() as looks:
            times_ms, published = spoken_and_seen(broker.address, case)
        status, cpu_s, took_s = service.status(), time.process_time() - cpu_s, time.monotonic() - began_s
    cycles = status.cycles - before.cycles
    cadence = f"a cycle each {cycle_seconds} s" if cycle_seconds else "no cadence"
    print(f"\n{case.told()}; {case.per_second} words a second, {cadence}")
    tell("Kafka to proposal on Kafka", times_ms, case)
    said = case.warm + case.counted
    planning_ms = 1000 * (status.planning_s - before.planning_s) / max(1, cycles)
    print(f"  {cycles:,} cycles of {said / max(1, cycles):.1f} words and {planning_ms:.1f} ms of planning; for a word")
    print(f"  {published / said:.1f} proposals, retracted ones counted, and {1e6 * cpu_s / said:,.0f} µs of CPU in its process", flush=True)
    longest_ms = 1000 * max((look.took_s for look in looks), default=0.0)
    whole = sum(look.generation == LAST_GENERATION for look in looks)
    print(f"  {len(looks):,} looks for garbage, the longest of {longest_ms:.1f} ms of CPU, {whole} of them through all there is;", end=" ")
    print(f"{sum(look.found for look in looks) / took_s:.0f} objects a second in rings", flush=True)
    with running_kafka(folder / "raw", "the benchmark") as broker:
        KafkaLog(broker.address, replicas=1).close()
        for answers in (3, 1):
            relayed(broker.address, case, answers, max(1, round(published / said)))


@contextmanager
def looks_told() -> Iterator[list[Look]]:
    """Yield a list that each look for garbage is added to."""
    looks: list[Look] = []
    began_s = 0.0

    def look(phase: str, about: dict[str, Any]) -> None:
        nonlocal began_s
        if phase == "start":
            began_s = time.thread_time()
        else:
            looks.append(Look(about["generation"], time.thread_time() - began_s, about["collected"]))

    gc.callbacks.append(look)
    try:
        yield looks
    finally:
        gc.callbacks.remove(look)


def tell(title: str, times_ms: Sequence[float], case: Case) -> None:
    if times_ms:
        p50, p99 = np.percentile(times_ms, [50, 99])
        print(
            f"  {title}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, of {len(times_ms):,} words of the scarcer side, of {case.counted:,} in all",
            flush=True,
        )


def relayed(address: str, case: Case, answers: int, records: int) -> None:
    """Print how soon raw kafka-python hands a word on: as many records as the coordinator published, after as many answers one by one."""
    stop = Event()

    def relay() -> None:
        options = {"acks": "all", "enable_idempotence": True, "linger_ms": 0, "batch_size": 128 << 10}
        with (
            closing(KafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest")) as consumer,
            closing(KafkaProducer(bootstrap_servers=address, **options)) as producer,
        ):
            consumer.assign([TopicPartition(SIGNAL, number) for number in range(PARTITIONS[SIGNAL])])
            consumer.seek_to_end()
            while not stop.is_set():
                rows = [row for some in consumer.poll(timeout_ms=50).values() for row in some]
                if not rows:
                    continue
                for _ in range(answers - 1):
                    producer.send(TURN, value=b"x" * 500).get()
                for row in rows:
                    ref = dict(row.headers)["ref"].decode()
                    value = b'{"lines":[{"offer":"%s","need":""}],"padding":"%s"}' % (ref.encode(), b"x" * 800)
                    for number in range(records):
                        producer.send(PROPOSAL, key=f"{ref}/{number}".encode(), value=value)
                producer.flush()

    relaying, cpu_s = Thread(target=relay), time.process_time()
    relaying.start()
    try:
        times_ms, _ = spoken_and_seen(address, case)
        cpu_s = time.process_time() - cpu_s
    finally:
        stop.set()
        relaying.join()
    tell(f"raw kafka-python, {records} records a word and {answers} answers of the broker", times_ms, case)
    print(f"  {1e6 * cpu_s / (case.warm + case.counted):,.0f} µs of CPU a word in its process", flush=True)


def spoken_and_seen(address: str, case: Case) -> tuple[list[float], int]:
    """Have others say the words and watch for proposals; return how many ms each took, and how many records were published."""
    context = multiprocessing.get_context("spawn")
    said, seen, over = context.Queue(), context.Queue(), context.Event()
    watcher = context.Process(target=watch, args=(address, seen, over))
    watcher.start()
    seen.get()  # it is there
    speaker = context.Process(target=speak, args=(address, case, said))
    speaker.start()
    said_s: dict[str, float] = said.get()
    speaker.join()
    time.sleep(SETTLED_S)
    over.set()
    seen_s, published = seen.get()
    watcher.join()
    return [1000 * (seen_s[ref] - at_s) for ref, at_s in said_s.items() if ref in seen_s], published


def speak(address: str, case: Case, said: Any) -> None:
    """Say words at a steady pace; hand back when those were said that count."""
    from confluent_kafka import Producer

    spoken = list(case.words(case.warm + case.counted, seed=11))
    when_s: dict[str, float] = {}
    producer = Producer({"bootstrap.servers": address, "linger.ms": 0, "acks": "all", "partitioner": "murmur2"})
    began_s = time.monotonic()
    for number, (agent, ref, line) in enumerate(spoken):
        time.sleep(max(0.0, began_s + number / case.per_second - time.monotonic()))
        when_s[ref] = time.monotonic()
        headers, value = to_binary(line)
        producer.produce(SIGNAL, key=agent.encode(), value=value, headers=[*headers, ("ref", ref.encode())])
        producer.poll(0)
    if producer.flush(LONGEST_WAIT_S):
        sys.exit("the words did not all arrive")
    said.put({ref: at_s for ref, at_s in list(when_s.items())[case.warm :] if case.is_used_at_once(ref)})


def watch(address: str, seen: Any, over: Any) -> None:
    """Hand back when a proposal that draws on a signal was first read, by the clock that all processes share; and how many records came."""
    from confluent_kafka import Consumer
    from confluent_kafka import TopicPartition as Wanted

    first_s: dict[str, float] = {}
    count = 0
    options = {"bootstrap.servers": address, "group.id": "watcher", "enable.auto.commit": False, "fetch.wait.max.ms": 5}
    with closing(Consumer(options)) as consumer:
        ends = [consumer.get_watermark_offsets(Wanted(PROPOSAL, number))[1] for number in range(PARTITIONS[PROPOSAL])]
        consumer.assign([Wanted(PROPOSAL, number, end) for number, end in enumerate(ends)])
        seen.put("ready")
        while not over.is_set():
            if (row := consumer.poll(0.05)) is None or row.error():
                continue
            at_s = time.monotonic()
            count += 1
            for line in orjson.loads(row.value())["lines"] if row.value() else ():
                for ref in (line["offer"], line["need"]):
                    first_s.setdefault(ref, at_s)
    seen.put((first_s, count))


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=30_000)
    parser.add_argument("--offers", type=int, default=300, help="of all markets together, and as many needs")
    parser.add_argument("--things", type=int, default=1, help="each of them a market of its own")
    parser.add_argument("--towns", type=int, default=0, help="each thing is offered and needed in so many, out of each other's reach")
    parser.add_argument("--plenty", action="store_true", help="twice as much is offered as is wanted, instead of three quarters")
    parser.add_argument("--per-second", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warm-seconds", type=float, default=5, help="before the words that count")
    parser.add_argument("--client", choices=("kafka-python", "confluent"), default="kafka-python", help="of the coordinator")
    parser.add_argument("--cycle-seconds", type=int, default=0, help="the charter's cadence; 0: a cycle whenever something was said")
    asked = parser.parse_args()
    prepare()
    collect_rarely()  # as every command does
    sys.setswitchinterval(HANDED_OVER_S)  # as `serve` does
    with tempfile.TemporaryDirectory() as folder:
        try:
            if asked.signals:
                reading(Path(folder), asked.signals)
            if asked.seconds:
                warm, counted = int(asked.per_second * asked.warm_seconds), int(asked.per_second * asked.seconds)
                wanted = WANTED_IN_PLENTY if asked.plenty else WANTED
                case = Case(asked.offers, asked.things, asked.towns, wanted, asked.per_second, warm, counted)
                logs = dict(logs_on_kafka())
                if "confluent" in logs:  # by which others speak and watch
                    latency(Path(folder), case, asked.cycle_seconds, logs[asked.client])
        except pytest.skip.Exception as missing:  # where tests would be skipped
            print(f"not measured: {missing}")


if __name__ == "__main__":
    main()
