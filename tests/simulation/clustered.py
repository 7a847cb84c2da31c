"""Coordinators on a broker of Kafka's kind, one after another or several that share the work, while everything between them fails."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coordinator.adapters.clock import SteadyClock
from coordinator.adapters.kafka_group import Assignment
from coordinator.adapters.kafka_log import Lost
from coordinator.adapters.kafka_memory import Memory
from coordinator.adapters.kafka_service import KafkaService
from coordinator.adapters.service import TimedCoordination
from coordinator.adapters.surroundings import Surroundings
from coordinator.errors import Refused, Unavailable
from coordinator.replaying import digest, standing_proposals
from coordinator.stream import LEDGER, PARTITIONS, PROPOSAL, SIGNAL, TURN, Entry, Place
from coordinator.turns import Turn, turn_lines
from tests.simulation.agents import Crowd
from tests.simulation.broker import Broker, Link, SimulatedLog
from tests.simulation.checks import agree, fast_and_fixed, live_digest
from tests.simulation.embedded import CHARTER
from tests.simulation.planner import HastyPlanner, HastyProduction
from tests.simulation.reader import Reader
from tests.simulation.scheduler import BEGIN_US, MINUTE_US, SECOND_US, Condition, Flag, Invariant, Process, Scheduler
from tests.simulation.turns import TurnReader

__all__ = ["ClusteredWorld"]

SAFETY_US, HEALING_US = 4 * MINUTE_US, 12 * MINUTE_US
QUIET_US = MINUTE_US  # for the last turns to be folded by all
NOTICED_US = 3 * MINUTE_US  # within so long a wiped broker is noticed
PATIENCE_MS = 5_000
ANSWER_US = 45 * SECOND_US  # longer than a coordinator lets a speaker wait
SLOW_US = (5_000, SECOND_US // 2, 3 * SECOND_US)  # on its way at most: long enough, in some schedules, for others to come between
IDLE_US = 10 * SECOND_US
FULL = 0.02  # of all times that a file is written
SOLVED_BY_THE_REAL_ONE = 10  # of so many seeds one plans with the product's own solver


class SimulatedKafkaService(KafkaService):
    """The product's service; only its planner is another's, mostly; the product's own plans one market a turn."""

    markets_a_turn = 1

    def __init__(self, *arguments: Any, hasty: bool, **more: Any) -> None:
        self._hasty = hasty
        super().__init__(*arguments, **more)

    def _set_up(self, coordination: TimedCoordination, wait_s: float) -> None:
        super()._set_up(coordination, wait_s)
        if self._hasty:
            coordination.planner = HastyPlanner(coordination.network, coordination.book)  # type: ignore[assignment]
            coordination.production = HastyProduction(coordination.network, coordination.book)

    @property
    def coordination(self) -> TimedCoordination:
        return self._coordination

    @property
    def turns_folded(self) -> int:
        """How many turns it has taken whole."""
        return next(reversed(self._digests), 0)

    @property
    def is_ready(self) -> bool:
        return self._why_not() is None


@dataclass(frozen=True)
class SimulatedMemory(Memory):
    """What is remembered of the broker, in a file that outlasts the process, on a disk that is full now and then."""

    files: dict[Path, str]
    is_full: Callable[[], bool]

    def keep(self, identity: Mapping[str, str], turns: int) -> None:
        if self.is_full():
            raise Unavailable(f"{self.path} cannot be written (No space left on device)")
        self.files[self.path] = json.dumps({"log": dict(identity), "turns": turns})

    def _read(self) -> tuple[dict[str, str], int] | None:
        text = self.files.get(self.path)
        if text is None:
            return None
        known = json.loads(text)
        return known["log"], known["turns"]


@dataclass
class Node:
    """A machine that runs a coordinator, and runs it again when it ended."""

    name: str
    wanted: bool = True  # whether it is to run at all
    link: Link = field(default_factory=Link)
    process: Process = field(default_factory=lambda: Process("none"))
    service: SimulatedKafkaService | None = None
    starts: int = 0
    wall_jump_us: int = 0
    checked: int = 0  # turns it had folded when it was last held to the records


class Group:
    """The consumer group: who is to hold what, sometimes wrongly."""

    def __init__(self, world: "ClusteredWorld") -> None:
        self._world = world
        self.generation = 0
        self.members: list[SimulatedMembership] = []

    def share(self) -> None:
        """Share the partitions anew."""
        draw = self._world.scheduler.random
        self.members = [one for one in self.members if one.node.process is one.process and one.process.alive]
        self.generation += 1
        numbers = list(range(PARTITIONS[SIGNAL]))
        draw.shuffle(numbers)
        for index, member in enumerate(self.members):
            mine = frozenset(numbers[index :: len(self.members)])
            if not self._world.healing and draw.random() < 0.1:
                mine |= {draw.randrange(PARTITIONS[SIGNAL])}  # of another's, too
            member.assigned = Assignment(self.generation, mine)
        self._world.scheduler.note(f"shared among {[one.node.name for one in self.members]}")


class SimulatedMembership:
    """Implements `Membership`."""

    def __init__(self, group: Group, node: Node) -> None:
        self.node, self.process, self._group = node, node.process, group
        self.assigned: Assignment | None = None
        group.members.append(self)
        group._world.scheduler.after(group._world.scheduler.random.randrange(1, 5) * SECOND_US, group.share)

    def assignment(self) -> Assignment | None:
        return self.assigned

    def commit(self, place: Place) -> None:
        pass

    def close(self) -> None:
        if self in self._group.members:
            self._group.members.remove(self)
            self._group._world.scheduler.after(SECOND_US, self._group.share)


class ClusteredWorld:
    """One schedule."""

    def __init__(self, seed: int, *, told: bool = False) -> None:
        self.scheduler = scheduler = Scheduler(seed, told=told)
        draw = scheduler.random
        self.broker = Broker(scheduler)
        self.reader = Reader(CHARTER.late_seconds, at_once=False)
        self.turns = TurnReader(self.reader, self.broker.partitions)
        self.crowd = Crowd(scheduler, self.reader, self._speak)
        self.healing = self.quiet = False
        self.hasty = seed % SOLVED_BY_THE_REAL_ONE != 0
        self.shares = draw.random() < 0.7
        self.slow_us = draw.choice(SLOW_US)
        self.group = Group(self)
        self.nodes = [Node(f"node-{number}", link=Link(slow_us=self.slow_us)) for number in range(draw.randint(1, 3) if self.shares else 2)]
        self.outside = Process("agents")
        self.outside_link = Link(lost=0.05, unheard=0.05, repeated=0.05, late=0.3)
        self.wiped_us: int | None = None
        self.memory = SimulatedMemory
        self._files: dict[Path, str] = {}
        self._were_ready: set[str] = set()
        self._digests: dict[int, str] = {}  # by number of turns
        self._acknowledged: list[tuple[str, str]] = []
        self._verdicts_told: list[Any] = []
        self._checked = 0
        self._waiting = 0
        self._published = {name: 0 for name in self.broker.partitions if name.rpartition("/")[0] in (LEDGER, PROPOSAL)}  # so far checked
        self._published_ids: set[str] = set()

    def run(self) -> str:
        """Return the trace of the schedule; Invariant where one broke."""
        with fast_and_fixed(lambda: b"unused"):
            return self._run()

    def _run(self) -> str:
        scheduler, draw = self.scheduler, self.scheduler.random
        for node in self.nodes:
            scheduler.after(draw.randrange(20) * SECOND_US, lambda node=node: self._start(node))
        scheduler.after(20 * SECOND_US, lambda: self.crowd.begin(with_roads=not self.hasty))
        for work, mean_us in (
            (self.crowd.act, 5 * SECOND_US),
            (self._tick, 8 * SECOND_US),
            (self._kill, 90 * SECOND_US),
            (self._pause, 90 * SECOND_US),
            (self._cut, 80 * SECOND_US),
            (self._trouble, 60 * SECOND_US),
            (self._jump, 100 * SECOND_US),
            (self._write_nonsense, 120 * SECOND_US),
        ):
            self._repeat(work, mean_us)
        if self.shares:
            self._repeat(self.group.share, 90 * SECOND_US)
        wiped = draw.random() < 0.1
        scheduler.run(BEGIN_US + SAFETY_US, self.check)
        if wiped:
            self._wipe()
            scheduler.run(BEGIN_US + SAFETY_US + NOTICED_US, self.check)
            self._must_have_noticed()
            return scheduler.trace()
        self._heal()
        while scheduler.now_us < BEGIN_US + SAFETY_US + HEALING_US and not self._has_ended():
            scheduler.run(scheduler.now_us + MINUTE_US, self.check)
        self.quiet = True
        scheduler.run(scheduler.now_us + QUIET_US, self.check)
        self._must_have_ended()
        return scheduler.trace()

    def _repeat(self, work: Callable[[], None], mean_us: int, *, in_healing: bool = False) -> None:
        def again() -> None:
            if self.healing is in_healing and self.wiped_us is None and not self.quiet:
                work()
                self.scheduler.after(int(self.scheduler.random.expovariate(1 / mean_us)) + 1, again)

        self.scheduler.after(int(self.scheduler.random.expovariate(1 / mean_us)) + 1, again)

    # -- machines -----------------------------------------------------------------------------------------------------

    def wall_us(self) -> int:
        return self.scheduler.now_us + self.nodes[0].wall_jump_us

    def _start(self, node: Node) -> None:
        if not node.wanted or (node.process.alive and node.starts):
            return
        node.starts += 1
        node.process = Process(f"{node.name}.{node.starts}")
        node.service, node.checked = None, 0
        if abs(node.wall_jump_us) > 600 * SECOND_US:
            node.wall_jump_us = 0
        self.scheduler.note(f"{node.process.name} starts")
        self.scheduler.begin(node.process, lambda: self._run_service(node, node.process))

    def _run_service(self, node: Node, process: Process) -> None:
        scheduler = self.scheduler
        around = Surroundings(
            connect=lambda bootstrap, **more: self._connect(node, process, more),
            join=lambda bootstrap, patience_ms: SimulatedMembership(self.group, node),
            remember=lambda path: SimulatedMemory(path, self._files, lambda: not self.healing and scheduler.chance(FULL)),
            clock=lambda: SteadyClock(lambda: scheduler.now_us + node.wall_jump_us, lambda: scheduler.now_us - BEGIN_US),
            elapsed_s=lambda: (scheduler.now_us - BEGIN_US) / SECOND_US,
            new_name=lambda: process.name,
            flag=lambda: Flag(scheduler, process),  # type: ignore[arg-type,return-value]
            condition=lambda: Condition(scheduler, process),  # type: ignore[arg-type,return-value]
            begin=lambda work: _Joined(scheduler.begin(process, work)),
        )
        try:
            service = SimulatedKafkaService(
                "simulated",
                CHARTER,
                memory=Path(node.name),
                patience_ms=PATIENCE_MS,
                share=self.shares,
                surroundings=around,
                hasty=self.hasty,
            )
        except (Refused, Unavailable) as error:
            self._ended(node, process, error)
        else:
            node.service = service
            service.when_ended(lambda: self._ended_by_itself(node, process, service.ended))

    def _connect(self, node: Node, process: Process, more: dict[str, Any]) -> SimulatedLog:
        streams = more.get("streams")
        idle_us = IDLE_US if streams and SIGNAL in streams else 0
        return SimulatedLog(self.broker, process, node.link, patience_ms=PATIENCE_MS, streams=streams, idle_us=idle_us)

    def _ended(self, node: Node, process: Process, error: Exception | None) -> None:
        """It ended by itself; whoever runs it starts it again after a while."""
        self.scheduler.note(f"{process.name} ended: {error}")
        if not isinstance(error, Refused | Unavailable):
            raise Invariant("no defect", f"{process.name} ended with {error!r}")
        self.scheduler.after(1, lambda: self._die(node, process))

    def _ended_by_itself(self, node: Node, process: Process, error: Exception | None) -> None:
        """Once it runs, what does not answer is waited for, unless waiting cannot help."""
        if isinstance(error, Unavailable) and not isinstance(error, Lost) and not str(error).endswith("then start again"):
            raise Invariant("what does not answer is waited for", f"{process.name} ended with {error}")
        self._ended(node, process, error)

    def _die(self, node: Node, process: Process) -> None:
        if not process.alive:
            return
        self.scheduler.kill(process)
        if node.process is process:
            node.service = None
            self.scheduler.after(self.scheduler.random.randrange(2, 40) * SECOND_US, lambda: self._start(node))
        if self.shares:
            self.scheduler.after(6 * SECOND_US, self.group.share)

    def _any(self) -> Node:
        return self.scheduler.random.choice(self.nodes)

    def _kill(self) -> None:
        node = self._any()
        if node.process.alive and node.starts:
            self.scheduler.note(f"{node.process.name} is killed")
            self._die(node, node.process)

    def _pause(self) -> None:
        node = self._any()
        node.process.paused_until_us = self.scheduler.now_us + self.scheduler.random.randrange(1, 90) * SECOND_US
        self.scheduler.note(f"{node.process.name} is paused")
        if self.shares:
            self.scheduler.after(8 * SECOND_US, lambda: self._leave_out(node))

    def _leave_out(self, node: Node) -> None:
        """Have the group go on without one that is silent."""
        if node.process.paused_until_us > self.scheduler.now_us:
            self.group.members = [one for one in self.group.members if one.node is not node]
            self.group.share()

    def _cut(self) -> None:
        draw, until_us = self.scheduler.random, self.scheduler.now_us + self.scheduler.random.randrange(1, 40) * SECOND_US
        if draw.random() < 0.2:
            self.broker.down_until_us = until_us
        else:
            draw.choice([*(node.link for node in self.nodes), self.outside_link]).cut_until_us = until_us

    def _trouble(self) -> None:
        """Have a link lose, repeat and delay for a while."""
        draw, link = self.scheduler.random, self._any().link
        link.heal()
        link.slow_us = self.slow_us
        if draw.random() < 0.7:
            link.lost, link.unheard, link.repeated, link.late = (draw.choice((0, 0, 0.1, 0.3)) for _ in range(4))
            link.slow_us = draw.choice((self.slow_us, 2 * SECOND_US, 4 * SECOND_US))

    def _jump(self) -> None:
        draw = self.scheduler.random
        node = self._any()
        far = draw.choice((-2, 400)) * 24 * 60 * MINUTE_US
        node.wall_jump_us = draw.choice((0, draw.randrange(-30, 30) * SECOND_US, far if node.service is not None else 0))
        if draw.random() < 0.3:
            self.broker.jumped_us = draw.randrange(-20, 20) * SECOND_US

    def _write_nonsense(self) -> None:
        """Others write into the streams what does not belong there."""
        draw = self.scheduler.random
        rows = self.broker.partitions["stigmergy.turn.v1/0"]
        kind = draw.choice(("turn again", "no turn", "no event", "wrong key", "claim"))
        self.scheduler.note(f"written by others: {kind}")
        if kind == "turn again" and rows:
            self.broker.take(draw.choice(rows).entry)
        elif kind == "claim":  # of a coordinator that ended right after it
            self.claim_for_nobody(draw.sample(sorted(self.turns.holders), min(2, len(self.turns.holders))))
        elif kind == "no turn":
            self.broker.take(Entry("stigmergy.turn.v1", "x", b'{"type":"stigmergy.turn.v1","data":{"writer":"x"}}'))
        elif kind == "no event":
            self.broker.take(Entry(SIGNAL, "ada", b"\xff{"))
        else:
            said = [record.entry for record in self.broker.all_of(SIGNAL)]
            if said:
                self.broker.take(Entry(SIGNAL, "nobody", draw.choice(said).event))

    def claim_for_nobody(self, names: list[str]) -> None:
        """Have partitions claimed by a coordinator that does not exist."""
        if names:
            claim = Turn(f"ghost-{self.scheduler.now_us}", 1, claims=tuple(sorted(names)), epoch=self.turns.epoch + 1)
            self.broker.take(Entry(TURN, "main", turn_lines(claim, "coordinator:main", self.scheduler.now_us)[0]))

    # -- words --------------------------------------------------------------------------------------------------------

    def _speak(self, line: bytes, delay_us: int) -> None:
        self._waiting += 1
        self.scheduler.after(delay_us, lambda: self._send(line))

    def _again(self, line: bytes) -> None:
        self.scheduler.after(self.scheduler.random.randrange(1, 8) * SECOND_US, lambda: self._send(line))

    def _send(self, line: bytes) -> None:
        """A line goes straight into the stream, as any client of Kafka would write it, or to a coordinator over HTTP."""
        ready = [node for node in self.nodes if node.service is not None and node.service.is_ready]
        if ready and self.scheduler.chance(0.5):
            self._ask(self.scheduler.random.choice(ready), line)
        else:
            self.scheduler.begin(self.outside, lambda: self._produce(line))

    def _produce(self, line: bytes) -> None:
        event = json.loads(line)
        entry = Entry(SIGNAL, event["source"].partition(":")[2], line)
        try:
            SimulatedLog(self.broker, self.outside, self.outside_link, patience_ms=PATIENCE_MS, streams=(SIGNAL,)).append([entry])
        except Unavailable:
            self._again(line)
        else:
            self._waiting -= 1

    def _ask(self, node: Node, line: bytes) -> None:
        answered: list[bool] = []

        def publish() -> None:
            service = node.service
            if service is None:
                return
            try:
                [outcome] = service.publish([line])
            except Unavailable as error:
                self.scheduler.note(f"{node.process.name} unavailable: {error}")
                return
            self.scheduler.note(f"{node.process.name} {outcome.status} {outcome.id}")
            if not answered:
                answered.append(True)
                self._waiting -= 1
            if outcome.status != "refused":
                assert outcome.source is not None
                assert outcome.id is not None
                self._acknowledged.append((outcome.source, outcome.id))
            self._verdicts_told.extend(outcome.decided)

        def give_up() -> None:
            if not answered:
                answered.append(True)
                self._again(line)

        self.scheduler.begin(node.process, publish)
        self.scheduler.after(ANSWER_US, give_up)

    def _tick(self) -> None:
        node = self._any()
        service = node.service
        if service is not None and service.is_ready:

            def tick() -> None:
                with suppress(Unavailable):
                    service.tick()

            self.scheduler.begin(node.process, tick)

    # -- what must hold -----------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Hold every coordinator to what the records amount to, wherever it has come to the same turn."""
        if self.wiped_us is not None:
            return
        if self.turns.follow():
            self._digests[self.turns.number] = ""
        for node in self.nodes:
            service = node.service
            if service is None or service.turns_folded == node.checked:
                continue
            if service.is_ready:
                self._were_ready.add(node.name)
            node.checked = service.turns_folded
            if service.parked:
                raise Invariant("live digest = replay digest", f"{node.process.name} passed over {service.parked}")
            if node.checked == self.turns.number:
                agree(service.coordination, self.reader)
        self._check_told()
        self._check_published()

    def _check_told(self) -> None:
        for key in self._acknowledged[self._checked :]:
            if key not in self.reader.seen:
                raise Invariant("nothing acknowledged is lost", f"{key} was acknowledged and no turn that stands took it")
        self._checked = len(self._acknowledged)
        for verdict in self._verdicts_told:
            if verdict not in self.reader.ledger:
                raise Invariant("nothing acknowledged is lost", f"{verdict} was told and stands in no turn")
        self._verdicts_told.clear()

    def _check_published(self) -> None:
        """What stands in the streams for decisions must have been decided by a turn that stands, under the same name."""
        for name, begin in self._published.items():
            rows = self.broker.partitions[name]
            if len(rows) == begin:
                continue
            for row in rows[begin:]:
                event = json.loads(row.entry.event)
                if event["id"] not in self.turns.decided:
                    raise Invariant(
                        "only what stands is published", f"{event['type']} {event['subject']} stands in no turn as {event['id']}"
                    )
                if self.turns.decided[event["id"]] != (event["data"], int(event["turn"])):
                    raise Invariant("only what stands is published", f"{event['subject']} is published otherwise than it was decided")
                self._published_ids.add(event["id"])
            self._published[name] = len(rows)

    def _check_last_words(self) -> None:
        """The last record of a proposal is what was decided of it last, but where nobody could see to that.

        One writer keeps the order of what it hands over. Who was relieved of all hands over nothing more once it may know of that: it
        looks before it hands over again what it gave up. Two that hold partitions at the same time do not wait for each other, and what
        was given up and arrives long after all the same is nobody's to call back.
        """
        order = {decision: number for number, decision in enumerate(self.turns.decided)}
        rows: dict[str, list[tuple[str, str]]] = {}
        for row in self.broker.all_of(PROPOSAL):
            rows.setdefault(row.entry.key, []).append((json.loads(row.entry.event)["id"], row.position))
        for key, told in rows.items():
            latest, latest_position = max(told, key=lambda each: order[each[0]])
            last, position = told[-1]
            if last == latest or position not in self.broker.handed_over:
                continue
            who, seen = self.broker.handed_over[position]
            is_own = self.broker.handed_over.get(latest_position, ("", 0))[0] == who
            if seen is None or is_own or who not in self._writers_at(seen):
                raise Invariant("the last record of a key is what was decided last", f"{key} ends with {last} of {who}, not with {latest}")

    def _writers_at(self, seen: int) -> frozenset[str]:
        """Return who held partitions after so many records of turns."""
        return next((writers for offset, writers in reversed(self.turns.writers) if offset < seen), frozenset())

    # -- the healing phase --------------------------------------------------------------------------------------------

    def _heal(self) -> None:
        self.scheduler.note("healing")
        self.healing = True
        self.broker.down_until_us = self.broker.jumped_us = 0
        self.outside_link.heal()
        for node in self.nodes:
            node.link.heal()
            node.wall_jump_us = node.process.paused_until_us = 0
        if not self.shares:
            self.nodes[1].wanted = False
            if self.nodes[1].process.alive:
                self.scheduler.kill(self.nodes[1].process)
            self.nodes[1].service = None
        else:
            self.scheduler.after(10 * SECOND_US, self._rejoin)
        self.scheduler.after(40 * SECOND_US, self._withdraw_all)
        self._repeat(self._tick, 40 * SECOND_US, in_healing=True)

    def _rejoin(self) -> None:
        """Whoever was left out of the group for its silence is back."""
        for node in self.nodes:
            if node.service is not None and all(one.process is not node.process for one in self.group.members):
                membership = node.service._group
                if isinstance(membership, SimulatedMembership):
                    self.group.members.append(membership)
        self.group.share()

    def _withdraw_all(self) -> None:
        for number, (ref, stand) in enumerate(sorted(self.reader.stands.items())):
            if stand.stands:
                agent, kind, subject = ref.split("/")
                self.crowd.withdraw(agent, kind, subject, f"end-{number}-{self.scheduler.now_us}", self.reader.log_us)
        if self.scheduler.now_us < BEGIN_US + SAFETY_US + HEALING_US // 2:
            self.scheduler.after(2 * MINUTE_US, self._withdraw_all)

    def _has_ended(self) -> bool:
        """Whether nothing is left to wait for."""
        reader, stands = self.reader, self.reader.stands.values()
        if self._waiting or reader.unjudged or reader.open or reader.owed or any(stand.stands for stand in stands):
            return False
        return len(self._running()) == sum(node.wanted for node in self.nodes) and self.turns.decided.keys() <= self._published_ids

    def _running(self) -> list[Node]:
        return [node for node in self.nodes if node.service is not None and node.service.is_ready]

    def _must_have_ended(self) -> None:
        running = self._running()
        if len(running) < sum(node.wanted for node in self.nodes):
            why = [f"{node.name}: {node.service and node.service._why_not()}" for node in self.nodes if node not in running]
            raise Invariant("it starts again", f"nothing fails any more, and not all are ready: {why}")
        if self._waiting:
            raise Invariant("every word is answered", f"{self._waiting} words are still on their way")
        if self.reader.unjudged:
            raise Invariant("every word is answered", f"{[*self.reader.unjudged]} have no verdict")
        if self.reader.open or self.reader.owed:
            raise Invariant(
                "every open proposal reaches an end", f"{[*self.reader.open]} are open, the end of {[*self.reader.owed]} is not told"
            )
        missing = [name for name in self.turns.decided if name not in self._published_ids]
        if missing:
            raise Invariant("what stands is published", f"{len(missing)} decisions never came into their streams: {missing[:3]}")
        self._check_last_words()
        for node in running:
            assert node.service is not None
            coordination = node.service.coordination
            if node.service.turns_folded != self.turns.number:
                raise Invariant(
                    "live digest = replay digest", f"{node.name} folded {node.service.turns_folded} of {self.turns.number} turns"
                )
            agree(coordination, self.reader)
            product = digest(coordination.ledger, standing_proposals(coordination.book))
            if not product == live_digest(coordination) == self.reader.digest():
                raise Invariant("live digest = replay digest", f"{node.name} has another digest than the records amount to")

    # -- a broker that lost everything --------------------------------------------------------------------------------

    def _wipe(self) -> None:
        self.scheduler.note("the broker is wiped")
        self.wiped_us = self.scheduler.now_us
        self.broker.wipe(replaced=self.scheduler.chance(0.5))
        self.broker.down_until_us = 0
        for node in self.nodes:
            node.link.heal()
            node.process.paused_until_us = 0
        for delay_us in range(5 * SECOND_US, NOTICED_US, 10 * SECOND_US):
            self.scheduler.after(delay_us, self.crowd.act)

    def _must_have_noticed(self) -> None:
        for node in self.nodes:
            if node.name in self._were_ready and node.service is not None and node.service.is_ready:
                raise Invariant("a wiped broker is noticed", f"{node.process.name} goes on as if nothing had been lost")


class _Joined:
    """What `Surroundings.begin` returns."""

    def __init__(self, task: Any) -> None:
        self._task = task

    def join(self, timeout: float | None = None) -> None:
        pass
