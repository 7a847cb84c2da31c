"""The embedded coordinator under everything that a disk, a network, a clock and people do to it."""

import errno
from collections.abc import Callable
from pathlib import Path

from coordinator.adapters import snapshot_files
from coordinator.adapters.clock import SteadyClock
from coordinator.adapters.service import Outcome, Service, TimedCoordination
from coordinator.charter import Charter
from coordinator.errors import Refused, Unavailable
from coordinator.replaying import digest, standing_proposals
from tests.simulation.agents import Crowd
from tests.simulation.checks import agree, fast_and_fixed, live_digest
from tests.simulation.disk import Crash, SimulatedDisk
from tests.simulation.frames import FrameReader, foreign
from tests.simulation.planner import HastyPlanner, HastyProduction
from tests.simulation.reader import Reader
from tests.simulation.scheduler import BEGIN_US, MINUTE_US, SECOND_US, Invariant, Scheduler

__all__ = ["CHARTER", "EmbeddedWorld"]

CHARTER = Charter.model_validate({"cycle_seconds": 20, "late_seconds": 120, "proposal_seconds": 300, "fairness": "off", "effort": "km"})
PATH = Path("/simulated/log")
SAFETY_US, HEALING_US = 5 * MINUTE_US, 11 * MINUTE_US
SOLVED_BY_THE_REAL_ONE = 10  # of so many seeds one plans with the product's own solver


class SimulatedService(Service):
    """The product's service; only what it stands on is another's."""

    def __init__(self, world: "EmbeddedWorld") -> None:
        self._world = world
        super().__init__(PATH, CHARTER, clock=SteadyClock(world.wall_us, world.elapsed_us), wait_s=0.0, disk=world.disk)

    def _set_up(self, coordination: TimedCoordination, wait_s: float) -> None:
        super()._set_up(coordination, wait_s)
        if self._world.hasty:
            coordination.planner = HastyPlanner(coordination.network, coordination.book)  # type: ignore[assignment]
            coordination.production = HastyProduction(coordination.network, coordination.book)

    @property
    def coordination(self) -> TimedCoordination:
        return self._coordination

    @property
    def is_settled(self) -> bool:
        """Whether all that was decided is on the disk."""
        return not self._pending


class EmbeddedWorld:
    """One schedule."""

    def __init__(self, seed: int, *, told: bool = False) -> None:
        self.scheduler = scheduler = Scheduler(seed, told=told)
        self.disk = SimulatedDisk(scheduler)
        self.reader, self.frames = Reader(CHARTER.late_seconds), FrameReader()
        self.crowd = Crowd(scheduler, self.reader, self._speak)
        self.hasty = seed % SOLVED_BY_THE_REAL_ONE != 0
        self.service: SimulatedService | None = None
        self.healing = False
        self._wall_jump_us = 0
        self._acknowledged: list[tuple[str, str]] = []
        self._checked = 0
        self._waiting = 0  # words on their way
        self._held: list[tuple[bytes, int]] = []
        self._copy: bytes | None = None  # of the file, while it is damaged
        self._said_us = 0

    def run(self) -> str:
        """Return the trace of the schedule; Invariant where one broke."""
        with fast_and_fixed(self.new_id):
            return self._run()

    def _run(self) -> str:
        scheduler = self.scheduler
        self.disk.open_to_append(PATH).close()
        self._open()
        self.crowd.begin(with_roads=not self.hasty)
        for work, mean_us in (
            (self.crowd.act, 5 * SECOND_US),
            (self._tick, 8 * SECOND_US),
            (self._crash, 80 * SECOND_US),
            (self._fail_the_disk, 70 * SECOND_US),
            (self._jump, 100 * SECOND_US),
            (self._open_twice, 150 * SECOND_US),
            (self._snapshot, 50 * SECOND_US),
        ):
            self._repeat(work, mean_us)
        scheduler.run(BEGIN_US + SAFETY_US, self.check)
        self._heal()
        scheduler.run(BEGIN_US + SAFETY_US + HEALING_US, self.check)
        self._must_have_ended()
        return scheduler.trace()

    def wall_us(self) -> int:
        return self.scheduler.now_us + self._wall_jump_us

    def elapsed_us(self) -> int:
        return self.scheduler.now_us - BEGIN_US

    def new_id(self) -> bytes:
        """Return a log's id, which would be drawn by chance."""
        return self.scheduler.random.randbytes(16)

    def _repeat(self, work: Callable[[], None], mean_us: int, *, in_healing: bool = False) -> None:
        def again() -> None:
            if self.healing is in_healing:
                work()
                self.scheduler.after(int(self.scheduler.random.expovariate(1 / mean_us)) + 1, again)

        self.scheduler.after(int(self.scheduler.random.expovariate(1 / mean_us)) + 1, again)

    # -- the process --------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Start the process; after a loss of power, a fault of the disk or damage it may have to be tried again."""
        if self.service is not None:
            return
        scheduler = self.scheduler
        if abs(self._wall_jump_us) > 600 * SECOND_US:
            self._wall_jump_us = 0  # the machine asked for the time before it started anything
        try:
            self.service = SimulatedService(self)
            scheduler.note("open")
        except Crash:
            self._died()
            return
        except Unavailable as error:
            scheduler.note(f"not open: {error}")
        except Refused as refusal:
            scheduler.note(f"not open: {refusal}")
            if self._copy is None:
                raise Invariant("it starts again", f"after what a crash leaves it must, and it says: {refusal}") from refusal
            self.disk.put(PATH, self._copy)
            self._copy = None
        else:
            if self._copy is not None:
                raise Invariant("damage is noticed", "it started on a log that had been damaged where it was acknowledged")
            if self.service.parked:
                raise Invariant("live digest = replay digest", f"of its own log it does not take {self.service.parked}")
            self._follow(all_of_it=True)
            return
        scheduler.after(SECOND_US, self._open)

    def _died(self) -> None:
        """Have the process gone, and perhaps the power."""
        draw = self.scheduler.random
        power_was_lost = draw.random() < 0.6
        self.scheduler.note(f"died, power {'lost' if power_was_lost else 'kept'}")
        if not self.disk.dead:
            self.disk.die()
        self.service = None
        self.disk.come_back(power_was_lost=power_was_lost)
        if draw.random() < 0.3 and not self.healing:
            self._damage()
        elif not power_was_lost and draw.random() < 0.3 and not self.healing:
            self._snapshot()  # by a process that goes on, of what stands in the file and may not be synced
            self.disk.come_back(power_was_lost=True)
        if draw.random() < 0.2 and not self.healing:
            self.disk.crash_in = draw.randrange(1, 12)  # again, while it starts
        self.scheduler.after(draw.randrange(1, 20) * SECOND_US, self._open)

    def _crash(self) -> None:
        if self.service is not None and self.disk.crash_in is None:
            if self.scheduler.chance(0.3):
                self._died()
            else:
                self.disk.crash_in = self.scheduler.random.randrange(1, 8)

    def _damage(self) -> None:
        """Change what was acknowledged, while nobody looks."""
        draw, begins, end = self.scheduler.random, self.frames.begins, self.frames.position
        if len(begins) < 4 or self._copy is not None:
            return
        content = bytes(self.disk.content(PATH))
        kind = draw.choice(("bit", "exchanged", "missing", "twice", "foreign"))
        bounds = [*begins, end]
        index = draw.randrange(len(begins) - 2)
        one, two = content[bounds[index] : bounds[index + 1]], content[bounds[index + 1] : bounds[index + 2]]
        before, after = content[: bounds[index]], content[bounds[index + 2] :]
        if kind == "bit":
            damaged = bytearray(content)
            damaged[draw.randrange(end)] ^= 1 << draw.randrange(8)
            changed = bytes(damaged)
        elif kind == "foreign":
            changed = before + foreign(one) + two + after
        elif kind == "exchanged":
            changed = before + two + one + after
        elif kind == "missing":
            changed = before + two + after
        else:
            changed = before + one + one + two + after
        self.scheduler.note(f"damage: {kind}")
        self._copy = content
        self.disk.put(PATH, changed)

    def _snapshot(self) -> None:
        """Another process takes a snapshot of the log as it stands; some snapshots are damaged later."""
        if self.disk.dead or self._copy is not None:
            return
        try:
            entries = snapshot_files.take_snapshot(PATH, CHARTER, disk=self.disk)
        except Crash:
            self._died()
        except (Unavailable, Refused) as error:
            self.scheduler.note(f"no snapshot: {error}")
        else:
            self.scheduler.note(f"snapshot of {entries} entries")
            if self.scheduler.chance(0.1):
                content = self.disk.content(snapshot_files.snapshot_path(PATH))
                content[self.scheduler.random.randrange(len(content))] ^= 1

    def _open_twice(self) -> None:
        if self.service is not None and self.disk.crash_in is None and not self.disk.faults:
            try:
                SimulatedService(self)
            except Unavailable:
                self.scheduler.note("a second process was refused")
            else:
                raise Invariant("one writer", "a second process opened the log for writing")

    def _fail_the_disk(self) -> None:
        kind, number = self.scheduler.random.choice(
            (("append", errno.EIO), ("append", errno.ENOSPC), ("sync", errno.EIO), ("truncate", errno.EIO), ("read", errno.EIO))
        )
        self.disk.faults.append((kind, number))
        if kind == "truncate":
            self.disk.faults.append(("append", errno.ENOSPC))

    def _jump(self) -> None:
        draw = self.scheduler.random
        far = draw.choice((-2, 400)) * 24 * 60 * MINUTE_US
        self._wall_jump_us = draw.choice((0, draw.randrange(-30, 30) * SECOND_US, far if self.service is not None else 0))

    # -- words --------------------------------------------------------------------------------------------------------

    def _speak(self, line: bytes, delay_us: int) -> None:
        self._waiting += 1
        self.scheduler.after(delay_us, lambda: self._arrive(line))

    def _again(self, line: bytes) -> None:
        self.scheduler.after(self.scheduler.random.randrange(1, 6) * SECOND_US, lambda: self._arrive(line))

    def _arrive(self, line: bytes) -> None:
        """A line reaches the coordinator's machine, or is lost on the way; sometimes several come at once."""
        draw = self.scheduler.random
        if not self.healing and draw.random() < 0.05:
            self._again(line)
            return
        self._held.append((line, draw.getrandbits(32)))
        if draw.random() < 0.8 or self.healing:
            lines = [held for held, _ in sorted(self._held, key=lambda row: row[1])]
            self._held = []
            self._publish(lines)

    def _publish(self, lines: list[bytes]) -> None:
        outcomes = self._say(lines)
        if outcomes is None:
            for line in lines:
                self._again(line)
            return
        for line, outcome in zip(lines, outcomes, strict=True):
            if outcome.status != "refused":
                assert outcome.source is not None
                assert outcome.id is not None
                self._acknowledged.append((outcome.source, outcome.id))
            if not self.healing and self.scheduler.chance(0.05):
                self._again(line)  # the answer was lost
            else:
                self._waiting -= 1

    def _say(self, lines: list[bytes]) -> list[Outcome] | None:
        """Return what the coordinator answers, or None where it does not."""
        if self.service is None:
            return None
        try:
            outcomes = self.service.publish(lines)
        except Crash:
            self._died()
            return None
        except Unavailable as error:
            self.scheduler.note(f"unavailable: {error}")
            self._restart_if_halted(str(error))
            return None
        self.scheduler.note(f"published {[(one.status, one.id) for one in outcomes]}")
        self._said_us = self.scheduler.now_us
        return outcomes

    def _restart_if_halted(self, why: str) -> None:
        """Who runs it sees that it cannot go on, and starts it anew."""
        if "open the log anew" in why or "could not be taken back" in why:
            self._died()

    def _tick(self) -> None:
        if self.service is None or self.scheduler.now_us - self._said_us < 5 * SECOND_US:
            return
        try:
            self.service.tick()
        except Crash:
            self._died()
        except Unavailable as error:
            self.scheduler.note(f"no tick: {error}")
            self._restart_if_halted(str(error))
        else:
            self._said_us = self.scheduler.now_us

    # -- what must hold -----------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Hold everything to the records, wherever what was decided is on the disk."""
        if self.service is not None and self.service.is_settled and not self.disk.dead:
            self._follow(all_of_it=False)

    def _follow(self, *, all_of_it: bool) -> None:
        assert self.service is not None
        changed = False
        for row in self.frames.follow(self.disk.content(PATH)):
            changed = True
            if row.stream == "signal":
                self.reader.take_recorded(row.event, row.logtime_us)
            elif row.stream in ("proposal", "ledger"):
                self.reader.decide(row.event)
        if not self.service.is_settled:
            return
        if changed or all_of_it:
            self.reader.settle()
            agree(self.service.coordination, self.reader)
        if all_of_it and live_digest(self.service.coordination) != self.reader.digest():
            raise Invariant("live digest = replay digest", "the state differs from what the records amount to")
        for key in self._acknowledged[self._checked :]:
            if key not in self.reader.seen:
                raise Invariant("nothing acknowledged is lost", f"{key} was acknowledged and is not in the log")
        self._checked = len(self._acknowledged)

    def digest(self) -> str:
        """Return the product's own digest of its state."""
        assert self.service is not None
        return digest(self.service.coordination.ledger, standing_proposals(self.service.coordination.book))

    # -- the healing phase --------------------------------------------------------------------------------------------

    def _heal(self) -> None:
        """Let nothing fail any more; agents withdraw what they said, so that no new plan follows on those that end."""
        self.scheduler.note("healing")
        self.healing = True
        self.disk.faults.clear()
        self.disk.crash_in = None
        self._wall_jump_us = 0
        held, self._held = self._held, []
        for line, _ in held:
            self._again(line)
        self.scheduler.after(30 * SECOND_US, self._withdraw_all)
        self._repeat(self._tick, 40 * SECOND_US, in_healing=True)

    def _withdraw_all(self) -> None:
        for number, (ref, stand) in enumerate(sorted(self.reader.stands.items())):
            if stand.stands:
                agent, kind, subject = ref.split("/")
                self.crowd.withdraw(agent, kind, subject, f"end-{number}-{self.scheduler.now_us}", self.reader.log_us)
        if self.scheduler.now_us < BEGIN_US + SAFETY_US + HEALING_US // 2:
            self.scheduler.after(2 * MINUTE_US, self._withdraw_all)  # what was still on its way stands by now

    def _must_have_ended(self) -> None:
        if self.service is None:
            raise Invariant("it starts again", "nothing fails any more, and it does not run")
        if self._waiting:
            raise Invariant("every word is answered", f"{self._waiting} words are still on their way")
        self._follow(all_of_it=True)
        if self.reader.open:
            raise Invariant("every open proposal reaches an end", f"{list(self.reader.open)} are still open")
        self._must_replay()

    def _must_replay(self) -> None:
        """Fold the file from nothing; it must come to the same."""
        assert self.service is not None
        before = self.digest()
        if before != self.reader.digest():
            raise Invariant("live digest = replay digest", "the product's digest is not that of the records")
        self.service.close()
        self.service = SimulatedService(self)
        if self.digest() != before or self.service.parked:
            raise Invariant("live digest = replay digest", f"a replay of the log ends elsewhere; passed over: {self.service.parked}")
