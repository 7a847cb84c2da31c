"""One run: a broker behind a network that fails, coordinators that are killed, agents that speak until all is said."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from random import Random
from threading import Event, Thread

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from tests.support.apache import running_kafka
from tests.support.chaos import ChaosProxy
from tests.support.processes import CHARTER
from tests.support.tansu import running_broker
from tests.torture.judging import PROPOSAL, SIGNAL, Findings, Topics, examine
from tests.torture.starting import LOG, TOLD, begin

__all__ = ["Outcome", "Plan", "torture"]

PARTIES = 40  # makers, and as many clinics
PER_THING = 100  # signals: markets stay small, for what is tried here is not the solver
SPEAKERS, BATCH = 2, 100
AHEAD = 500  # events that may be said before the blow that comes after them
PAUSE_S, CUT_S = 3.0, 4.0
LINES_TOLD = 10  # of a coordinator's log, where it did not come to what was waited for
START_S, SETTLE_S = 300.0, 600.0  # the latter since something was last settled


@dataclass(frozen=True)
class Plan:
    """How much of what."""

    broker: str
    events: int
    kills: int
    pauses: int
    cuts: int
    workers: int
    seed: int = 0
    client: str = "kafka-python"  # of Kafka, in the coordinators


@dataclass
class Outcome:
    """What was done, and what the judge found."""

    plan: Plan
    findings: Findings
    digests: set[str]
    seconds: float

    def table(self) -> str:
        """Return it for a person to read."""
        plan, found = self.plan, self.findings
        head = (
            f"{plan.broker}: {plan.kills} kills, {plan.pauses} pauses, {plan.cuts} cuts, {plan.workers} coordinators "
            f"({plan.client}), {self.seconds:.0f} s"
        )
        rows = [f"  {name:24} {count:>10,}" for name, count in sorted(found.counts.items())]
        end = f"  states of the coordinators at the end: {len(self.digests)}; left without a verdict: {found.waiting}"
        return "\n".join([head, *rows, end, *(f"  WRONG: {told}" for told in found.wrong[:20]), f"  {len(found.wrong)} things wrong"])


@dataclass
class Broker:
    """A broker behind the proxy, which can be paused."""

    process: int
    proxy: ChaosProxy
    direct: str  # its own address, for the judge

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.proxy.port}"


@contextmanager
def broker_of(kind: str, folder: Path, seed: int) -> Iterator[Broker]:
    """Run a broker that sends its clients to the proxy."""
    proxy = ChaosProxy(seed=seed)
    try:
        if kind == "apache":
            with running_kafka(folder / "kafka", "torture", advertise=proxy.port) as apache:
                proxy.target_port = int(apache.address.rpartition(":")[2])
                yield Broker(apache.process, proxy, apache.address)
        else:
            with running_broker(folder, "torture", proxy=proxy) as address:
                yield Broker(address.process, proxy, str(address))
    finally:
        proxy.close()


class Worker:
    """A coordinator in a process of its own, started again whenever it was killed."""

    def __init__(self, folder: Path, address: str, client: str) -> None:
        self.folder, self.address, self.client = folder, address, client
        folder.mkdir()
        (folder / "charter.toml").write_text(CHARTER)
        self.process: ForkServerProcess | None = None
        self.url = ""

    def start(self) -> None:
        options = ["--kafka", self.address, "--replicas", "1", "--client", self.client, "--tick-seconds", "0.5", "--port", "0"]
        self.url = ""
        (self.folder / TOLD).unlink(missing_ok=True)
        self.process = begin(self.folder, "serve", *options, "--charter", "charter.toml")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.join(30)

    def ensure(self) -> None:
        """Start it where it does not run: one that ended by itself, for no topic was to be had, is tried again as well."""
        if self.process is None or not self.process.is_alive():
            self.start()

    def ask(self, path: str) -> dict[str, object] | None:
        """Return what it tells; None while it does not answer."""
        if not self.url:
            with suppress(FileNotFoundError):
                line, is_whole, _ = (self.folder / TOLD).read_text().partition("\n")
                self.url = line.split(" on ")[1].split()[0] if is_whole and " on " in line else ""
        if not self.url:
            return None
        with suppress(OSError, ValueError), urllib.request.urlopen(self.url + path, timeout=20) as answer:
            told: dict[str, object] = json.load(answer)
            return told
        return None

    def stands(self) -> str:
        """Return how it does, and what it logged last."""
        log = (self.folder / LOG).read_text().splitlines()[-LINES_TOLD:]
        return "\n  ".join([f"{self.folder.name}: {self.ask('/readyz')}", *log])


@dataclass
class Agents:
    """Who speaks: offers and needs, each said once, and an acceptance of every proposal by every party of it."""

    address: str
    events: int
    seed: int
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    done: Event = field(default_factory=Event)
    enough: Event = field(default_factory=Event)
    allowed: int = 0  # events, by now: they are spread over all blows

    def run(self) -> list[Thread]:
        threads = [Thread(target=self._speak, args=(number,)) for number in range(SPEAKERS)]
        threads.append(Thread(target=self._answer))
        for thread in threads:
            thread.start()
        return threads

    def _speak(self, which: int) -> None:
        random = Random(f"{self.seed}/{which}")
        number = 0
        while len(self.acknowledged) < self.events and not self.enough.is_set():
            if len(self.acknowledged) >= self.allowed:
                self.enough.wait(0.05)
                continue
            batch = []
            for _ in range(BATCH):
                kind = random.choice(["offer", "need"])
                agent = f"{'maker' if kind == 'offer' else 'clinic'}-{random.randrange(PARTIES)}"
                data = {
                    "resource": f"thing-{random.randrange(1 + self.events // PER_THING)}",
                    "quantity": {"value": random.randint(1, 30), "unit": "1"},
                }
                place = {"place": {"lat": 48.11, "long": -1.68}}
                batch.append(_event(kind, agent, f"s-{which}-{number}", {**data, **place}, expires=600))
                number += 1
            self._say(batch)
        self.done.set()

    def _answer(self) -> None:
        consumer = None
        answered = set[str]()
        while not self.enough.is_set():
            try:
                if consumer is None:
                    consumer = KafkaConsumer(bootstrap_servers=self.address, auto_offset_reset="earliest")
                    consumer.assign([TopicPartition(PROPOSAL, number) for number in range(8)])
                batch = []
                for rows in consumer.poll(timeout_ms=200).values():
                    for row in rows:
                        data = json.loads(row.value) if row.value else None
                        if data is not None and data["proposal"] not in answered:
                            answered.add(data["proposal"])
                            parties = {line[side] for line in data["lines"] for side in ("provider", "receiver")}
                            answer = {"proposal": data["proposal"], "answer": "accept"}
                            batch += [_event("answer", party, data["proposal"], answer) for party in sorted(parties)]
                self._say(batch)
            except KafkaError:
                consumer = None
                time.sleep(0.2)
        if consumer is not None:
            consumer.close(autocommit=False)

    def _say(self, batch: list[dict[str, object]]) -> None:
        """Say events until each is acknowledged; a client that failed for good is exchanged, as an agent would start its program anew."""
        left = batch
        while left and not self.enough.is_set():
            producer = None
            try:
                producer = self._producer()
                sent = [(event, producer.send(SIGNAL, **_message(event))) for event in left]
                producer.flush(timeout=30)
                for event, future in sent:
                    with suppress(KafkaError):
                        future.get(timeout=1)
                        self.acknowledged.append((str(event["source"]), str(event["id"])))
                        left = [each for each in left if each is not event]
            except KafkaError:
                time.sleep(0.2)
            if left:
                self._drop()

    _kept: KafkaProducer | None = None

    def _producer(self) -> KafkaProducer:
        if self._kept is None:
            self._kept = KafkaProducer(bootstrap_servers=self.address, acks="all", request_timeout_ms=8_000, delivery_timeout_ms=20_000)
        return self._kept

    def _drop(self) -> None:
        producer, self._kept = self._kept, None
        if producer is not None:
            with suppress(KafkaError):
                producer.close(timeout=0)


def torture(plan: Plan, folder: Path, say: Callable[[str], None] = lambda _: None) -> Outcome:
    """Run a plan to its end and have the topics judged."""
    began_s = time.monotonic()
    with broker_of(plan.broker, folder, plan.seed) as broker:
        workers = [Worker(folder / f"worker-{number}", broker.address, plan.client) for number in range(plan.workers)]
        agents = Agents(broker.address, plan.events, plan.seed)
        try:
            workers[0].start()
            _until(lambda: _is_ready(workers[0]), START_S, "the first coordinator is ready", workers[:1])
            for worker in workers[1:]:
                worker.start()
            threads = agents.run()
            _strike(plan, broker, workers, agents, lambda told: say(f"{time.monotonic() - began_s:.0f} s: {told}"))
            _until(agents.done.is_set, 3_600, "all is said", workers)
            say(f"all is said after {time.monotonic() - began_s:.0f} s; it settles now")
            findings, digests = _settled(broker, workers, agents, say)
        finally:
            agents.enough.set()
            broker.proxy.heal()
            with suppress(ProcessLookupError):
                os.kill(broker.process, signal.SIGCONT)
            for worker in workers:
                if worker.process is not None:
                    worker.kill()
        for thread in threads:
            thread.join(120)
    return Outcome(plan, findings, digests, time.monotonic() - began_s)


def _strike(plan: Plan, broker: Broker, workers: list[Worker], agents: Agents, say: Callable[[str], None]) -> None:
    """Deal all blows, in an order drawn from the seed, and let an equal share of all events be said before each.

    A coordinator is killed whatever it is about, but not before another is ready: else no work would ever be interrupted.
    """
    random = Random(plan.seed)
    blows = ["kill"] * plan.kills + ["pause"] * plan.pauses + ["cut"] * plan.cuts
    random.shuffle(blows)
    for index, blow in enumerate(blows):
        due = plan.events * index // len(blows)
        agents.allowed = due + AHEAD
        _until(lambda due=due: len(agents.acknowledged) >= due, START_S, f"{due} events are acknowledged", workers)
        if blow == "kill":
            victim = random.choice(workers)
            others = [worker for worker in workers if worker is not victim] or workers
            _until(lambda others=others: any(map(_is_ready, others)), START_S, "a coordinator is ready", workers)
            victim.kill()
            victim.start()
        elif blow == "pause":
            os.kill(broker.process, signal.SIGSTOP)
            time.sleep(PAUSE_S)
            os.kill(broker.process, signal.SIGCONT)
        else:
            random.choice([broker.proxy.hold, lambda: broker.proxy.hold(answers_only=True), broker.proxy.cut])()
            time.sleep(CUT_S)
            broker.proxy.heal()
        if index % 10 == 9:
            say(f"{index + 1} of {len(blows)} blows, {len(agents.acknowledged):,} of {plan.events:,} events acknowledged")
    agents.allowed = plan.events


def _settled(broker: Broker, workers: list[Worker], agents: Agents, say: Callable[[str], None]) -> tuple[Findings, set[str]]:
    """Wait until every answer has its verdict and all coordinators tell one state; return what is found then, or in the end."""
    topics, findings, digests = Topics(broker.direct), Findings(), set[str]()
    deadline_s, least = time.monotonic() + SETTLE_S, None
    while time.monotonic() < deadline_s:
        for worker in workers:
            worker.ensure()
        told = [worker.ask("/digest") for worker in workers]
        digests = {str(each["digest"]) if each else "none" for each in told}
        findings = examine(topics, list(agents.acknowledged))
        if findings.wrong or (len(digests) == 1 and "none" not in digests and not findings.waiting):
            break
        if least is None or findings.waiting < least:
            deadline_s, least = time.monotonic() + SETTLE_S, findings.waiting
        say(f"without a verdict: {findings.waiting:,}, states: {len(digests)}")
        time.sleep(5)
    findings.expect(len(digests) == 1 and "none" not in digests, f"the coordinators tell {len(digests)} states: {digests}")
    return findings, digests


def _is_ready(worker: Worker) -> bool:
    told = worker.ask("/readyz")
    return bool(told and told["ready"])


def _until(condition: Callable[[], bool], seconds: float, what: str, workers: list[Worker] | None = None) -> None:
    deadline_s = time.monotonic() + seconds
    while not condition():
        for worker in workers or ():
            worker.ensure()
        if time.monotonic() > deadline_s:
            stands = "\n".join(each.stands() for each in workers or ())
            raise AssertionError(f"waited {seconds:.0f} s in vain until {what}\n{stands}")
        time.sleep(0.1)


def _event(kind: str, agent: str, subject: str, data: dict[str, object], expires: int = 0) -> dict[str, object]:
    now_s = time.time()
    if expires:
        data = {**data, "expires": _moment(now_s + expires)}
    attributes = {"specversion": "1.0", "id": f"{agent}.{subject}", "source": f"agent:{agent}", "type": f"stigmergy.{kind}.v1"}
    return {**attributes, "subject": subject, "time": _moment(now_s), "data": data}


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _message(event: dict[str, object]) -> dict[str, object]:
    headers = [(f"ce_{name}", str(value).encode()) for name, value in event.items() if name != "data"]
    value = json.dumps(event["data"]).encode()
    return {"key": str(event["source"])[6:].encode(), "value": value, "headers": [*headers, ("content-type", b"application/json")]}
