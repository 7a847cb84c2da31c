"""One coordination on Kafka: what agents say comes in by the signal stream, however it got there, and goes by turns.

One thread reads, decides and writes; HTTP only puts words into the stream and waits for what becomes of them. Nothing changes here
but by a turn that stands in the stream of turns, whoever wrote it: so all who share the work hold the same state, whoever folds the
streams again finds it, and a coordinator that was ended anywhere leaves nothing half said.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

import structlog
from msgspec import structs

from coordinator.adapters.at_hand import Shown
from coordinator.adapters.kafka_log import Lost
from coordinator.adapters.kafka_outbox import Outbox
from coordinator.adapters.recorder import entry_of
from coordinator.adapters.service import (
    AT_ONCE,
    WAIT_S,
    Fault,
    Outcome,
    Said,
    Service,
    Status,
    TimedCoordination,
    kept_form,
    stated_source,
)
from coordinator.adapters.surroundings import Sending, Surroundings
from coordinator.adapters.tokens import Grant
from coordinator.charter import Charter
from coordinator.commitments import statement_of
from coordinator.deciding import give_up, judged, obey, planned
from coordinator.errors import Defect, Refused, Unavailable
from coordinator.jsontext import read_json, write_json
from coordinator.places import Table
from coordinator.signals import Event, event_json, parse_event
from coordinator.stream import (
    DEAD_LETTER,
    PARTITIONS,
    SIGNAL,
    START,
    TURN,
    Entry,
    Place,
    Record,
    merged,
    misplaced,
    partition_of,
)
from coordinator.times import format_instant
from coordinator.turns import Standing, Taking, Turn, TurnJudge, turn_lines
from coordinator.wording import shown

__all__ = ["KafkaService"]

KAFKA = "Kafka"
GROUP = "stigmergy-coordinator"  # under which the broker shows how far it has read
CLAIMS = 10  # tries to become the one who writes turns, while another still writes some
CLAIM_AGAIN_S = 5.0  # between two claims by one assignment: what is assigned to two goes back and forth no faster
WRITINGS = 10  # of one turn, while late copies of its parts come between them
PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0  # before Kafka is asked again
NOTE_S, NOTE_BUSY_S = 5.0, 10.0  # between two notes of how far the turns are: when nobody speaks, and when there is no pause
IDENTITY_S = 30.0
DIGESTS_KEPT = 10_000  # of the turns before the last, to compare with what others found
ALL = frozenset(f"{SIGNAL}/{number}" for number in range(PARTITIONS[SIGNAL]))
STOP_S, LET_GO_MS = 3.0, 500  # on the way out: for the turn at hand, and for each connection

logger = structlog.get_logger("coordinator.kafka")
Done = TypeVar("Done")


@dataclass(eq=False)  # two may wait for the same words
class _Waiter:
    """Somebody who put words into the stream and waits for what becomes of them, by their positions."""

    statements: Counter[str]
    outcomes: dict[str, Outcome] = field(default_factory=dict)


@dataclass
class _Step:
    """What one turn amounts to, before the stream of turns has it."""

    shown: list[Shown] = field(default_factory=list)
    judged: list[str] = field(default_factory=list)  # statements of which the ledger has records now
    told: list[tuple[str, str, Outcome]] = field(default_factory=list)  # statement, position, what became of it


class _Stopping(Exception):
    """The service is being closed."""


class KafkaService(Service):
    """The coordinator behind ``serve --kafka``. `ended` says why it ended by itself, where it did: then it never goes on."""

    # So many are planned before what came of them is told and what was said meanwhile is taken; the next turns of the cycle plan the
    # others. A turn more costs an answer of Kafka and a look at all that are in question, as long as it takes to plan a few of them.
    markets_a_turn = 16

    def __init__(
        self,
        bootstrap: str,
        charter: Charter,
        *,
        memory: Path,
        replicas: int = 3,
        table: Table | None = None,
        name: str = "main",
        planning: bool = True,
        wait_s: float = WAIT_S,
        patience_ms: int = 10_000,
        share: bool = False,
        surroundings: Surroundings | None = None,
    ) -> None:
        """Make or verify the topics and begin to read history; ready once all of it is read and what is to be done here is claimed.

        Where the work is to be shared, that is what Kafka's consumer group assigns; else all of it, from whoever did it before.

        Refused for a Kafka that is not the one remembered in the file `memory`, or with topics that would lose events.
        """
        self._set_up(TimedCoordination(charter, name=name, table=table, judging=False, planning=False), wait_s)
        self._around = around = surroundings or Surroundings()
        self._stop = around.flag()
        self._clock = around.clock()  # for ticks and refusals at the door; log time is the broker's
        self._name, self._may_plan = name, planning
        self._memory, self._writer = around.remember(memory), around.new_name()
        group = None if share else GROUP
        self._streams = around.connect(bootstrap, replicas=replicas, patience_ms=patience_ms, streams=(SIGNAL, TURN), group=group)
        self._others = (bootstrap, patience_ms)
        self._identity = self._streams.identity()
        self._memory.check(self._identity)
        self._group = around.join(bootstrap, patience_ms) if share else None
        self._judge, self._outbox = TurnJudge(), Outbox(self._writer)
        self._sending: Sending | None = None  # what was published last, where nobody has waited for it yet
        self._wanted: frozenset[str] | None = None  # partitions to be held here, once that is known
        self._generation, self._claimed_s = -1, 0.0  # of the assignment that was heeded last, and when it was claimed
        self._turns_offset = 0
        self._lines: deque[bytes] = deque()  # of the stream of turns: read, and not judged yet
        self._ahead: dict[str, deque[Record]] = {}  # read, and in no turn yet
        self._read_to = START
        self._position = 0  # of the next record shown
        self._digest = blake2b(digest_size=16)  # of what was shown since the last claim
        self._digests: dict[int, str] = {}  # ordinal of a turn -> that digest after it
        self._live = self._caught_up = False
        self._ends: dict[str, int] = {}  # of the partitions, as Kafka last told them
        self._goal: Place | None = None  # the ends that have to be reached to be ready
        self._acted = False  # a turn was written in the last step
        self._planned = False  # markets were planned in the last step
        self._own: dict[bytes, Event] = {}  # what was last proposed here, by its lines: what those are read as when they come back
        self._heard_since_plan = self._ticked = False  # something was said, and time told
        self._planned_us: int | None = None  # when a cycle last ran here
        self._unanswered: dict[str, list[tuple[str, Outcome]]] = {}  # statement -> its position and outcome, once it is judged
        self._stale: Counter[str] = Counter()  # decisions that came too late, by kind
        self._differing = 0
        self._waiters: list[_Waiter] = []
        self._told = around.condition()
        self._noted, self._noted_s = 0, 0.0
        self._identified_s = around.elapsed_s()
        self.parked: list[str] = []
        self._suspicious = False
        self._failure = "the history is being read"
        self.ended: Exception | None = None
        self._has_run = False
        self._when_ended: list[Callable[[], None]] = []
        self._thread = around.begin(self._run)

    # -- what agents say ----------------------------------------------------------------------------------------------

    def publish(self, lines: Sequence[bytes], speaker: Grant | None = None) -> list[Outcome]:
        """Put lines into the stream; return what became of each, once it is taken from there and Kafka has all that it led to.

        Unavailable: Kafka, or this coordinator, did not say in time what became of them; saying the same again is safe.
        """
        self._must_be_ready()
        read = [self._read(line, speaker) for line in lines]
        letters = [letter for one in read if isinstance(one, Fault) and (letter := self._letter(one, self._now_us())) is not None]
        said = [one for one in read if isinstance(one, Said)]
        outcomes = iter(self._say([entry_of(one.event, one.line) for one in said], [statement_of(one.event) for one in said], letters))
        return [next(outcomes) if isinstance(one, Said) else one.outcome() for one in read]

    def tick(self) -> None:
        """Let time pass by a word of this coordinator in the stream; before it is ready, others' words do."""
        if self._why_not() is None:
            line = event_json("tick", self._coordination.source, "tick", self._clock(), {})
            event = parse_event(line)
            self._say([entry_of(event, line)], [statement_of(event)], [])

    def _say(self, entries: list[Entry], statements: list[str], letters: list[Entry]) -> list[Outcome]:
        waiter = _Waiter(Counter(statements))
        with self._told:
            self._waiters.append(waiter)
        try:
            positions = [record.position for record in self._streams.append([*entries, *letters])[: len(entries)]]
            with self._told:
                self._told.wait_for(lambda: self._is_over() or all(each in waiter.outcomes for each in positions), self._wait_s)
        finally:
            with self._told:
                self._waiters.remove(waiter)
        if not all(each in waiter.outcomes for each in positions):
            raise Unavailable(
                self._why_not() or f"it is in the stream, but was not taken within {self._wait_s:g} s; saying it again is safe"
            )
        return [waiter.outcomes[each] for each in positions]

    def _is_over(self) -> bool:
        return self._stop.is_set() or self.ended is not None

    # -- reading ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _holding(self) -> Iterator[None]:
        """Hold the lock, with nothing in the coordination that Kafka does not have."""
        self._must_be_ready()
        if not self._lock.acquire(timeout=self._wait_s):
            raise Unavailable(self._failure or f"the coordinator has been planning for more than {self._wait_s:g} s; try again in a while")
        try:
            self._must_be_ready()
            yield
        finally:
            self._lock.release()

    def _must_be_ready(self) -> None:
        why = self._why_not()
        if why is not None:
            raise Unavailable(f"the coordinator is not ready: {why}")

    def follow(self, after: int, at_most: int = 500) -> tuple[list[Shown], int]:
        """Return some of what is shown after a position, and the position to go on from.

        Refused for a position that this history does not have, or that lies further back than what is at hand.
        """
        with self._shown_lock:
            if after >= self._entries:
                raise Refused(f"position {after} is beyond this stream, which ends at {self._entries - 1}: start anew")
            first = self._at_hand.begin
            if first is not None and after + 1 < first:
                raise Refused(f"position {after} lies before what is at hand, which begins at {first}: read the topics themselves")
            some = self._at_hand.after(after, at_most)
            return some, some[-1].position if some else after

    def status(self) -> Status:
        """Return how the service does, and how its turns stand."""
        judge = self._judge
        turns = {
            "number": judge.number,
            "epoch": judge.epoch,
            "void": judge.void,
            "lag": self._lag(),
            "waiting": sum(map(len, list(self._ahead.values()))),
            "unpublished": len(self._outbox.waiting) + len(self._outbox.underway),
            "held": len(judge.held(self._writer)),
            "stale": self._stale.total(),
        }
        return replace(super().status(), turns=turns)

    def others_may_be_ahead(self, records: int) -> bool:
        """Whether one who shares the work may have so many records more: as many as some turns make, or any number while there is a lag."""
        return self._group is not None and (records <= AT_ONCE or self._lag() > 0)

    def _lag(self) -> int:
        """Return how many signals nobody has taken yet, as far as is known here."""
        ends = self._judge.ends
        return sum(max(0, end - ends.get(name, 0)) for name, end in self._ends.items() if name.startswith(SIGNAL))

    @property
    def has_begun(self) -> bool:
        """Whether its history was read to the end."""
        return self._caught_up

    def when_ended(self, callback: Callable[[], None]) -> None:
        """Call back, from another thread, when the service ended by itself."""
        self._when_ended.append(callback)
        if self.ended is not None:
            callback()

    def _why_not(self) -> str | None:
        if self.ended is not None:
            return str(self.ended)
        return "the coordinator is stopping" if self._stop.is_set() else self._failure

    def close(self) -> bool:
        """Finish the turn at hand, if Kafka takes it in time, and let go of the connections; return whether it was finished."""
        self._stop.set()
        with self._told:
            self._told.notify_all()
        for thread in (self._ticker, self._thread):
            if thread is not None:
                thread.join(STOP_S / 2)
        self._streams.close(LET_GO_MS)
        self._tell_listeners()
        return self._has_run

    # -- the thread that decides --------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._remember_letters()
            self._rebuild()
            while not self._stop.is_set():
                self._step()
            self._finish_publishing()
            self._note_progress(0.0)
        except _Stopping:
            pass
        except Exception as error:  # A thread that ended silently would leave a server that looks alive.
            if self._stop.is_set():  # its connections may have been closed under it
                logger.info("the turn at hand was left", reason=str(error) or type(error).__name__)
            elif isinstance(error, Refused | Unavailable | Defect):
                self._end(error)
            else:
                logger.exception("the coordinator failed")
                self._end(Defect(f"the coordinator failed and stopped; report this with what the server logged: {error}"))
        finally:
            if self._group is not None:
                self._group.close()
            self._has_run = True

    def _end(self, error: Exception) -> None:
        logger.error("the coordinator ended", reason=str(error))
        self.ended = error
        with self._told:
            self._told.notify_all()
        for callback in self._when_ended:
            callback()

    def _patiently(self, task: Callable[[], Done], awaited: str = KAFKA) -> Done:
        """Return what a task does once Kafka, or else what is named, lets it, however long that takes and saying so meanwhile.

        What is lost is lost, and no reason to wait.
        """
        pause_s = PAUSE_S
        before = self._failure
        while True:
            try:
                done = task()
            except Lost:
                raise
            except Unavailable as error:
                self._failure = str(error)
                self._suspicious = self._suspicious or awaited == KAFKA
                logger.warning(f"{awaited} is waited for", reason=str(error))
                if self._stop.wait(pause_s):
                    raise _Stopping from None
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                self._failure = before
                return done

    def _step(self) -> None:
        """Fold what others wrote, then act on what came since for the partitions that are held here."""
        self._note_progress(NOTE_BUSY_S)
        self._check_identity()
        self._heed_assignment()
        # Once a turn was written there may be something to decide on what it took: then nobody waits for more. Nor while a plan goes on.
        is_silent = not self._acted and not self._read_on(wait=not self._plan_goes_on())
        self._fold_lines()
        self._acted = self._act()
        if self._acted:
            self._publish_outbox()
        elif not self._plan_goes_on():  # There is time to wait for it.
            self._finish_publishing()
        is_at_end = is_silent and not self._acted
        if not self._caught_up and self._wanted is not None and (is_at_end or self._has_reached_goal()):
            # From here on plans are of now: what stood before is planned once time is told anew, or something is said.
            self._caught_up, self._heard_since_plan, self._ticked = True, False, False
            logger.info("ready: the history was read", entries=self._entries)
        if self._caught_up:
            self._failure = None
        if is_at_end:
            self._note_progress(NOTE_S)

    def _plan_goes_on(self) -> bool:
        """Whether the next step goes on with a plan; one who holds nothing any more, say, keeps what was left of it and waits."""
        return self._planned and self._coordination.planner.goes_on

    def _has_reached_goal(self) -> bool:
        """Whether all is taken that was there when the work was first shared out: who waits for a silence may wait for ever."""
        if self._goal is None:
            self._goal = self._streams.ends()
        acting, judge = self._acting(), self._judge
        reached = {f"{TURN}/0": self._turns_offset}
        return all(
            reached.get(name, judge.ends.get(name, 0)) >= end for name, end in self._goal.offsets if name in reached or name in acting
        )

    def _acting(self) -> frozenset[str]:
        """Return the partitions that are held here and meant to be."""
        return self._judge.held(self._writer) & (self._wanted or frozenset())

    @contextmanager
    def _deciding(self) -> Iterator[None]:
        """Keep readers away; for good where it does not end well, for then the coordination may hold half of something."""
        with self._lock:
            try:
                yield
            except BaseException:
                self._failure = self._failure or "a turn was not finished"
                raise

    # -- acting -------------------------------------------------------------------------------------------------------

    def _heed_assignment(self) -> None:
        """Claim what is to be held here from now on: alone all of it, once; in a group what that assigns."""
        if self._group is None:
            if self._wanted is None:
                self._wanted = ALL
                self._claim(ALL)
            elif not self._judge.held(self._writer) >= ALL:
                raise self._displaced()
            return
        assignment = self._group.assignment()
        if assignment is None:
            return
        self._wanted = frozenset(f"{SIGNAL}/{number}" for number in assignment.partitions)
        missing, now_s = self._wanted - self._judge.held(self._writer), self._around.elapsed_s()
        # A claim that another made by an older assignment may have come after the one made here.
        if assignment.generation == self._generation and (not missing or now_s < self._claimed_s + CLAIM_AGAIN_S):
            return
        if self._claim(missing):
            self._generation, self._claimed_s = assignment.generation, now_s
            logger.info("partitions are shared anew", held=sorted(self._acting()), epoch=self._judge.epoch)

    def _claim(self, names: frozenset[str]) -> bool:
        """Become the one who acts for partitions, and take up what those before left; whether it came about."""
        for _ in range(CLAIMS if names else 0):
            claim = replace(self._new_turn(), claims=tuple(sorted(names)), epoch=self._judge.epoch + 1)
            if self._write(claim):
                break
        else:
            if names and self._group is None:
                raise Unavailable("other coordinators claim the turns all the time; see that only one runs, then start again")
            if names:
                return False
        self._remember_kafka()
        self._outbox.settle(self._all_of)
        self._publish_outbox()
        return True

    def _displaced(self) -> Refused:
        return Refused(
            f"another coordinator writes turns now (epoch {self._judge.epoch}), so this one stopped; nothing it was about to decide "
            "counts. Alone it has to be the only one: stop the other first, or let them share the work"
        )

    def _act(self) -> bool:
        """Write one turn: what is decided on what stands, and what is taken next; whether there was anything to write."""
        self._planned = False
        acting = self._acting()
        if not acting:
            return False
        decisions = self._decide(acting)
        if self._acted or decisions:  # What came meanwhile, while a plan was made for one, is taken a turn sooner.
            self._read_on(wait=False)
        ends = self._next_ends(acting)
        if not ends and not decisions:
            return False
        judge = self._judge
        takes = {name: Taking(judge.holders[name][0], begin := judge.ends.get(name, 0), ends.get(name, begin)) for name in sorted(acting)}
        if self._write(replace(self._new_turn(), takes=takes, decisions=tuple(decisions))):
            return True
        self._coordination.planner.forget()  # what was proposed does not stand
        self._heard_since_plan = True  # and what this cycle had left is planned with the next
        if self._group is None:
            raise self._displaced()
        logger.info("a turn was void: others hold its partitions now", epoch=self._judge.epoch)
        return False

    def _next_ends(self, acting: frozenset[str]) -> dict[str, int]:
        """Return up to where each partition is taken next: what waits longest first, so that a full one holds up no other for good."""
        waiting = {name: rows for name in sorted(acting) if (rows := self._ahead.get(name))}
        left, ends = AT_ONCE, {}
        for name, rows in sorted(waiting.items(), key=lambda each: each[1][0].logtime_us):
            if left:
                count = min(left, len(rows))
                ends[name] = _offset(rows[count - 1]) + 1
                left -= count
        return ends

    def _decide(self, acting: frozenset[str]) -> list[bytes]:
        """Return what there is to be said on what stands, for the agents and markets of some partitions."""
        coordination = self._coordination
        lines = judged(coordination, lambda agent: _partition(agent) in acting)
        if lines or not (self._caught_up and self._may_plan):
            return lines  # a plan rests on verdicts that stand
        prompt = self._ticked and coordination.awaits_first_plan
        goes_on = coordination.planner.goes_on
        if not goes_on and not prompt and not (self._heard_since_plan and coordination.cycle_is_due(self._planned_us)):
            return []
        with self._deciding():
            if not goes_on:
                self._planned_us, self._ticked, self._heard_since_plan = coordination.log_us, False, False
            is_mine = None if acting == ALL else lambda thing: _partition("/".join(thing)) in acting
            said = planned(coordination, is_mine, self.markets_a_turn)
            self._planned = True
        self._own = {each.line: each.event for each in said}
        return [each.line for each in said]

    def _new_turn(self) -> Turn:
        judge, outbox = self._judge, self._outbox
        return Turn(
            self._writer,
            judge.numbers.get(self._writer, 0) + 1,
            base=judge.number,
            basis=judge.place,
            state=self._digests.get(judge.number, ""),
            settled=outbox.settled,
            published=outbox.published,
        )

    def _write(self, turn: Turn) -> bool:
        """Write a turn and fold all up to it; return whether it stands, by the judgement that all readers come to.

        Unavailable where it never arrives whole, though nobody took its partitions.
        """
        judge = self._judge
        for _ in range(WRITINGS):
            self._fold_through(self._append_turn(turn))
            if judge.numbers.get(self._writer, 0) >= turn.number:
                return True
            if turn.claims or any(judge.holders.get(name) != (taking.epoch, self._writer) for name, taking in turn.takes.items()):
                return False
            # Still its own to write: a late copy of one part came between the others, which then counted for nothing.
        raise Unavailable(
            f"turn {turn.number} was written {WRITINGS} times, and each time something came between its parts; see what writes to "
            f"{TURN} beside this coordinator, then start again"
        )

    def _append_turn(self, turn: Turn) -> list[Record]:
        lines = turn_lines(turn, self._coordination.source, max(0, self._coordination.log_us))
        entries = [Entry(TURN, self._name, line) for line in lines]
        return self._patiently(partial(self._streams.append, entries))

    def _publish_outbox(self) -> None:
        """Hand over what was decided to the streams for it. What others read there stands already; read twice, it is one.

        It comes there while the next turn is planned, but never before what was handed over earlier: that is waited for. What failed
        on its way is handed over again by the next turn, also where that decides nothing: until then it is nowhere but here.
        """
        if self._sending is not None and not self._outbox.waiting and not self._sending.is_known():
            return
        self._finish_publishing()
        entries = self._outbox.depart(self._judge.numbers.get(self._writer, 0))
        if not entries:
            self._outbox.arrived([])
            return
        try:
            self._sending = self._streams.send(entries)
        except Unavailable as error:
            self._publish_underway(error)

    def _finish_publishing(self) -> None:
        """See that what was handed over stands in its streams, and hand it over again until it does."""
        sending, self._sending = self._sending, None
        if sending is None:
            return
        try:
            records = sending.finish()
        except Unavailable as error:
            self._publish_underway(error)
        else:
            self._outbox.arrived(records)

    def _publish_underway(self, error: Unavailable) -> None:
        """Hand over again what did not arrive, or may not have, until it stands; on the way out that is left to who takes over."""
        if self._stop.is_set():
            raise _Stopping
        logger.warning("what was decided is put into its streams again", reason=str(error))
        self._suspicious = True
        self._outbox.arrived(self._patiently(self._publish_if_still_owed))

    def _publish_if_still_owed(self) -> list[Record]:
        """Put what is underway into its streams, unless others took all from this coordinator: then it is theirs to publish.

        Time has passed, and they may have published it and what they decided after it: its older word must not come over theirs.
        """
        self._fold_turns_so_far()
        entries = self._outbox.underway
        return self._publish_again(entries) if entries else []

    def _fold_turns_so_far(self) -> None:
        """Fold all turns that stood when Kafka was asked just now."""
        end: int | None = None
        while (end is None or self._turns_offset < end) and self._read_on():
            end = self._ends.get(f"{TURN}/0", 0) if end is None else end
        self._fold_lines()

    def _publish_again(self, entries: list[Entry]) -> list[Record]:
        return self._streams.append(entries)

    def _note_progress(self, every_s: float) -> None:
        """Write down how far the turns are, here and for those who watch the broker, unless that was less than so long ago."""
        now_s = self._around.elapsed_s()
        if self._judge.number == self._noted or now_s < self._noted_s + every_s:
            return
        self._remember_kafka()
        try:
            (self._group or self._streams).commit(self._judge.place)
        except Unavailable as error:  # for watchers only
            logger.warning("the place was not committed", reason=str(error))
        self._noted, self._noted_s = self._judge.number, now_s

    def _remember_kafka(self) -> None:
        self._patiently(partial(self._memory.keep, self._identity, self._judge.number), "the file that remembers Kafka")

    def _check_identity(self) -> None:
        """After every failure, and now and then, see that it is still the same Kafka."""
        now_s = self._around.elapsed_s()
        if self._suspicious or now_s > self._identified_s + IDENTITY_S:
            self._memory.check(self._patiently(lambda: self._streams.identity(afresh=self._suspicious)))
            self._suspicious, self._identified_s = False, now_s

    # -- folding ------------------------------------------------------------------------------------------------------

    def _rebuild(self) -> None:
        """Fold all turns that stand, each exactly as it was, up to where history ended when it was looked at first.

        Whoever waited for a silence might wait for ever: others go on speaking.
        """
        end: Place | None = None
        while self._read_on():
            end = end or self._streams.ends()
            self._fold_lines()
            if self._read_to.reaches(end):
                break
        self._memory.check(self._identity, self._judge.number)
        self._live = True

    def _read_on(self, *, wait: bool = True) -> bool:
        """Read some more of signals and turns; whether there were any."""
        batch = self._patiently(partial(self._streams.read, self._read_to, AT_ONCE, wait=wait))
        for record in batch.records:
            if record.entry.stream != TURN:
                self._ahead.setdefault(_partition_of(record), deque()).append(record)
            elif _offset(record) >= self._turns_offset:
                self._turns_offset = _offset(record) + 1
                self._lines.append(record.entry.event)
        self._read_to = batch.place
        self._ends = dict(self._streams.ends().offsets)
        return bool(batch.records)

    def _fold_through(self, records: list[Record]) -> None:
        """Fold all turns up to some records just written; they need not be read where nothing came between."""
        offsets = [_offset(record) for record in records]
        if offsets == list(range(self._turns_offset, self._turns_offset + len(records))):
            self._turns_offset += len(records)
            self._lines.extend(record.entry.event for record in records)
        while self._turns_offset <= max(offsets):
            self._read_on()
            if self._stop.is_set():
                raise _Stopping
        self._fold_lines()

    def _fold_lines(self) -> None:
        while self._lines:
            standing = self._judge.take(self._lines.popleft())
            if standing is not None:
                self._fold(standing)

    def _fold(self, standing: Standing) -> None:
        """Obey what a turn decided, then take what it takes: the same for every coordinator, whoever wrote it."""
        turn, step = standing.turn, _Step()
        self._compare(turn)
        records = merged(self._signals(turn))
        with self._deciding():
            decided = [entry for line in turn.decisions if (entry := self._obey(line, standing, step)) is not None]
            for record in records:
                self._hear(record, step)
        if turn.claims:
            self._digest = blake2b(digest_size=16)  # so that a newer version, which may judge otherwise, can be compared with itself
        self._digests[standing.ordinal] = self._digest.hexdigest()
        self._digests.pop(standing.ordinal - DIGESTS_KEPT, None)
        self._outbox.note(standing, decided)
        self._reveal(step)

    def _compare(self, turn: Turn) -> None:
        """See that its writer knew the history that a turn was decided on as it is known here."""
        known = self._digests.get(turn.base)
        if known is None or not turn.state or turn.state == known:
            return
        told = f"turn {turn.number} of {turn.writer} was decided on another outcome of the first {turn.base} turns than was found here"
        if self._live and turn.writer != self._writer:
            raise Defect(f"{told}: see that all coordinators have one version and one charter; report this if they do")
        if not self._differing:
            logger.warning(told, hint="another version or charter wrote it")
        self._differing += 1

    def _obey(self, line: bytes, standing: Standing, step: _Step) -> Entry | None:
        """Obey a decision where it came to stand; return where it belongs, None where it did not hold there."""
        coordination = self._coordination
        try:
            event = self._own.pop(line, None) or parse_event(line)
        except Refused as refusal:
            self._pass_over(str(refusal))
            return None
        try:
            obey(coordination, event, line)
        except Refused as refusal:
            self._stale[event.kind] += 1
            if standing.turn.base == standing.ordinal - 1 and event.kind == "ledger":
                give_up(coordination, event)
                self._pass_over(str(refusal))
            else:
                logger.info("a decision came too late and is void", turn=standing.ordinal, decision=event.id, reason=str(refusal))
            return None
        entry = entry_of(event, line)
        self._counts[f"decided:{entry.stream}"] += 1
        self._collect()
        self._show(step, entry.stream, coordination.log_us, line)
        statement = getattr(event.data, "statement", None)
        if statement is not None:
            step.judged.append(statement)
        return entry

    def _pass_over(self, reason: str) -> None:
        self.parked.append(reason)
        logger.warning("a decision was passed over", reason=reason)

    def _signals(self, turn: Turn) -> list[Record]:
        """Return the records that a turn takes; what was read beyond them waits."""
        taken: list[Record] = []
        for name, taking in turn.takes.items():
            rows = self._ahead.setdefault(name, deque())
            while taking.begin < taking.end and (not rows or _offset(rows[-1]) + 1 < taking.end):
                if not self._read_on():
                    raise Lost(
                        f"turn {turn.number} of {turn.writer} takes {name} up to {taking.end}, and Kafka has less of it now: it lost "
                        "data. Restore it, or begin anew with other topics"
                    )
            while rows and _offset(rows[0]) < taking.end:
                taken.append(rows.popleft())
        return taken

    def _hear(self, record: Record, step: _Step) -> None:
        """Take one record of the signal stream, or refuse it where it is seen."""
        coordination = self._coordination
        said = _heard(record, coordination.charter.place_decimals)
        stamp_us = max(record.logtime_us, coordination.log_us)
        outcome = self._take(said, stamp_us) if isinstance(said, Said) else self._refuse(said, stamp_us)
        if outcome.status == "taken" and isinstance(said, Said):
            self._heard_since_plan = True
            self._ticked = self._ticked or said.event.kind == "tick"
            self._show(step, SIGNAL, record.logtime_us, said.line)
        statement = f"{outcome.source}/{outcome.id}"
        if statement in coordination.unjudged and outcome.status != "refused":
            self._unanswered.setdefault(statement, []).append((record.position, outcome))
        else:
            step.told.append((statement, record.position, outcome))

    def _note_on(self, event: Event, log_us: int) -> str | None:
        """Return what whoever said this may not expect of it, where somebody here waits for an answer: most words came by others."""
        waiters = self._waiters.copy()  # at once: who waits for this word came before it, others come and go
        is_awaited = bool(waiters) and any(statement_of(event) in waiter.statements for waiter in waiters)
        return super()._note_on(event, log_us) if is_awaited else None

    def _show(self, step: _Step, stream: str, logtime_us: int, event: bytes) -> None:
        text = b'{"position":%d,"logtime":"%s","event":%s}' % (self._position, format_instant(logtime_us).encode(), event)
        self._digest.update(text)
        step.shown.append(Shown(self._position, stream, text))
        self._position += 1

    def _reveal(self, step: _Step) -> None:
        """Show what stands now, and tell those who wait for it."""
        if step.shown:
            self._appended_s = self._around.elapsed_s()
        with self._shown_lock:
            self._at_hand.extend(step.shown)
            self._entries = self._position
        for statement in dict.fromkeys(step.judged):
            for position, outcome in self._unanswered.pop(statement, ()):
                step.told.append((statement, position, structs.replace(outcome, decided=self._decided_of(statement))))
        with self._told:
            for statement, position, outcome in step.told:
                for waiter in self._waiters:
                    if statement in waiter.statements:
                        waiter.outcomes[position] = outcome
            self._told.notify_all()
        self._tell_listeners()

    def _keep(self, event: Event, line: bytes) -> None:
        """Do nothing: what was taken stands in the stream already."""

    def _refuse(self, fault: Fault, stamp_us: int) -> Outcome:
        """Count and remember it; nothing is written down, for the record stays where it is and is refused whenever it is read."""
        self._note_refusal(fault, stamp_us)
        return fault.outcome()

    def _remember_letters(self) -> None:
        """Have at hand what was refused at the door before."""
        for record in self._all_of((DEAD_LETTER,), START):
            with suppress(Refused, KeyError, TypeError, ValueError):  # as what is none of ours raises
                data = dict(read_json(record.entry.event)["data"])  # type: ignore[index]
                told = {name: str(data[name]) for name in ("code", "reason", "key", "said")}
                write_json(told)  # as whoever asks for it is told
                self._remember(record.logtime_us, told)

    def _all_of(self, streams: tuple[str, ...], place: Place) -> Iterator[Record]:
        """Yield what some streams hold after a place, up to where they ended when that was looked at first."""
        bootstrap, patience_ms = self._others
        connect = partial(self._around.connect, bootstrap, patience_ms=patience_ms, streams=streams, prepare=False)
        end: Place | None = None
        with closing(self._patiently(connect)) as log:
            while (batch := self._patiently(partial(log.read, place, AT_ONCE))).records:
                yield from batch.records
                place = batch.place
                end = end or log.ends()
                if place.reaches(end):
                    break


def _heard(record: Record, place_decimals: int) -> Said | Fault:
    """Return what a record of the signal stream says, whoever put it there, or why it cannot be taken."""
    line, key, where = record.entry.event, record.entry.key, record.position
    try:
        event = parse_event(line)
    except Refused as refusal:
        return Fault("invalid", str(refusal), line, stated_source(line), where=where)
    if event.name != key or misplaced(record):
        reason = (
            f"it stands in {where.rpartition('/')[0]} under the key {shown(key)}, where the order of {event.source} is not kept: "
            f"send it under the key {event.name}, to the partition that Kafka's own clients choose for that."
        )
        return Fault("misplaced", reason, line, event.source, event, where)
    if not event.by_agent and event.kind != "tick":
        reason = f"source is {shown(event.source)}; in this stream agents speak, and coordinators only say the time: say it as agent:NAME."
        return Fault("speaker", reason, line, event.source, event, where)
    return kept_form(event, line, place_decimals, event.spoken_by, where)


def _partition_of(record: Record) -> str:
    return record.position.rpartition("/")[0]


def _partition(name: str) -> str:
    """Return the partition of the signals that an agent speaks in, or that stands for a market."""
    return f"{SIGNAL}/{partition_of(name, PARTITIONS[SIGNAL])}"


def _offset(record: Record) -> int:
    return int(record.position.rpartition("/")[2])
