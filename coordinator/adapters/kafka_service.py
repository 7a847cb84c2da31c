"""One coordination on Kafka: what agents say comes in by the signal stream, however it got there, and goes by turns.

One thread reads, decides and writes; HTTP only puts words into the stream and waits for what becomes of them. A turn is shown, and its
decisions are published, once the stream of turns has it: so whoever folds the streams again finds the same state, and a coordinator
that was ended anywhere leaves nothing half said.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import structlog

from coordinator.adapters.kafka_log import Lost
from coordinator.adapters.recorder import entry_of
from coordinator.adapters.service import (
    AT_ONCE,
    WAIT_S,
    Fault,
    Outcome,
    Said,
    Service,
    Shown,
    Status,
    TimedCoordination,
    kept_form,
    stated_source,
)
from coordinator.adapters.surroundings import Surroundings
from coordinator.adapters.tokens import Grant
from coordinator.charter import Charter
from coordinator.commitments import statement_of
from coordinator.errors import Defect, Refused, Unavailable
from coordinator.jsontext import read_json
from coordinator.places import Table
from coordinator.signals import event_json, parse_event
from coordinator.stream import DEAD_LETTER, LEDGER, PROPOSAL, SIGNAL, START, TURN, Entry, Place, Record, merged, misplaced
from coordinator.times import format_instant
from coordinator.turns import Decision, Turn, TurnJudge, published_form, turn_lines
from coordinator.wording import shown

__all__ = ["KafkaService"]

KAFKA = "Kafka"
GROUP = "stigmergy-coordinator"  # under which the broker shows how far it has read
CLAIMS = 10  # tries to become the one who writes turns, while another still writes some
WRITINGS = 10  # of one turn, while late copies of its parts come between them
PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0  # before Kafka is asked again
NOTE_S, NOTE_BUSY_S = 1.0, 10.0  # between two notes of how far the turns are: when nobody speaks, and when there is no pause
IDENTITY_S = 30.0
STOP_S, LET_GO_MS = 3.0, 500  # on the way out: for the turn at hand, and for each connection

logger = structlog.get_logger("coordinator.kafka")
Done = TypeVar("Done")


@dataclass
class _Waiter:
    """Somebody who put words into the stream and waits for what becomes of them, by their positions."""

    statements: Counter[str]
    outcomes: dict[str, Outcome] = field(default_factory=dict)


@dataclass
class _Step:
    """What one turn amounts to, before the stream of turns has it."""

    shown: list[Shown] = field(default_factory=list)
    passed: list[int] = field(default_factory=list)
    decided: list[tuple[int, Entry]] = field(default_factory=list)
    told: list[tuple[str, str, Outcome]] = field(default_factory=list)  # statement, position, what became of it


class _Stopping(Exception):
    """The service is being closed."""


class KafkaService(Service):
    """The coordinator behind ``serve --kafka``. `ended` says why it ended by itself, where it did: then it never goes on."""

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
        surroundings: Surroundings | None = None,
    ) -> None:
        """Make or verify the topics and begin to read history; ready once all of it is read and the right to write turns is claimed.

        Refused for a Kafka that is not the one remembered in the file `memory`, or with topics that would lose events.
        """
        self._set_up(TimedCoordination(charter, name=name, table=table, judging=False, planning=False), wait_s)
        self._around = around = surroundings or Surroundings()
        self._stop = around.flag()
        self._clock = around.clock()  # for ticks and refusals at the door; log time is the broker's
        self._name, self._may_plan = name, planning
        self._memory, self._writer = around.remember(memory), around.new_name()
        self._inbox = around.connect(bootstrap, replicas=replicas, patience_ms=patience_ms, streams=(SIGNAL,), group=GROUP)
        self._turns = around.connect(bootstrap, patience_ms=patience_ms, streams=(TURN,), prepare=False)
        self._others = (bootstrap, patience_ms)
        self._identity = self._inbox.identity()
        self._memory.check(self._identity)
        self._judge = TurnJudge()
        self._turns_offset = 0
        self._ahead: dict[str, deque[Record]] = {}  # read, and in no turn yet
        self._read_to = START
        self._position = 0  # of the next record shown
        self._unsettled: deque[Turn] = deque()  # of history: what they decided may not stand in the streams for it
        self._settled = 0
        self._published: dict[str, int] = {}
        self._outbox: list[Entry] = []  # decided for good, and not yet in the streams for it
        self._waiters: list[_Waiter] = []
        self._told = around.condition()
        self._noted, self._noted_s = 0, 0.0
        self._identified_s = around.elapsed_s()
        self.parked: list[str] = []
        self._suspicious = False
        self._failure = "the history is being read"
        self.ended: Exception | None = None
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
            positions = [record.position for record in self._inbox.append([*entries, *letters])[: len(entries)]]
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
        """Return what is shown after a position, and the position to go on from.

        Refused for a position that this history does not have, or that lies further back than what is at hand.
        """
        with self._shown_lock:
            if after >= self._entries:
                raise Refused(f"position {after} is beyond this stream, which ends at {self._entries - 1}: start anew")
            first = self._entries - len(self._shown)
            if after + 1 < first:
                raise Refused(f"position {after} lies before what is at hand, which begins at {first}: read the topics themselves")
            some = list(islice(self._shown, after + 1 - first, after + 1 - first + at_most))
            return some, some[-1].position if some else after

    def status(self) -> Status:
        """Return how the service does, and how its turns stand."""
        judge = self._judge
        waiting = {"waiting": sum(map(len, list(self._ahead.values()))), "unpublished": len(self._outbox)}
        return replace(super().status(), turns={"number": judge.number, "epoch": judge.epoch, "void": judge.void, **waiting})

    def when_ended(self, callback: Callable[[], None]) -> None:
        """Call back, from another thread, when the service ended by itself."""
        self._when_ended.append(callback)
        if self.ended is not None:
            callback()

    def _why_not(self) -> str | None:
        if self.ended is not None:
            return str(self.ended)
        return "the coordinator is stopping" if self._stop.is_set() else self._failure

    def close(self) -> None:
        """Finish the turn at hand, if Kafka takes it in time, and let go of the connections."""
        self._stop.set()
        with self._told:
            self._told.notify_all()
        for thread in (self._ticker, self._thread):
            if thread is not None:
                thread.join(STOP_S / 2)
        self._inbox.close(LET_GO_MS)
        self._turns.close(LET_GO_MS)
        self._tell_listeners()

    # -- the thread that decides --------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._remember_letters()
            self._rebuild()
            self._claim()
            while not self._stop.is_set():
                self._step()
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
        """Take what came since the last turn, if anything did, as one turn more."""
        self._publish_outbox()
        self._note_progress(NOTE_BUSY_S)
        self._check_identity()
        if not any(self._ahead.values()) and not self._read_on():
            self._coordination.planning = self._may_plan  # caught up: from here on plans are of now
            self._coordination.prompt = True
            self._failure = None
            self._note_progress(NOTE_S)
            return
        records = merged(record for rows in self._ahead.values() for record in rows)
        self._ahead = {}
        with self._deciding():
            self._take_turn(records, self._read_to)

    @contextmanager
    def _deciding(self) -> Iterator[None]:
        """Keep readers away; for good where it does not end well, for then the coordination holds what Kafka does not have."""
        with self._lock:
            try:
                yield
            except BaseException:
                self._failure = self._failure or "a turn was not finished"
                raise

    def _read_on(self) -> bool:
        """Read some more of the signals, to be taken; whether there were any."""
        batch = self._patiently(partial(self._inbox.read, self._read_to, AT_ONCE))
        for record in batch.records:
            self._ahead.setdefault(_partition_of(record), deque()).append(record)
        self._read_to = batch.place
        return bool(batch.records)

    def _take_turn(self, records: list[Record], end: Place) -> None:
        """Take records, and make the turn stand before anything of it is shown."""
        step = _Step()
        for index, record in enumerate(records):
            self._hear(index, record, step)
            self._drain(index + 1, step)
        self._drain(len(records), step)
        self._make_stand(step, end)

    def _make_stand(self, step: _Step, end: Place) -> None:
        decisions = tuple(Decision(after, entry.event) for after, entry in step.decided)
        turn = self._next_turn(self._judge.epoch, end, tuple(step.passed), decisions)
        if not self._write(turn):
            raise Refused(
                f"another coordinator writes turns now (epoch {self._judge.epoch}), so this one stopped; nothing it was about to decide "
                "counts. One at a time decides: stop the other first if this one should"
            )
        self._outbox.extend(replace(entry, event=published_form(entry.event, turn), logtime_us=None) for _, entry in step.decided)
        self._reveal(step)

    def _next_turn(self, epoch: int, end: Place, passed: tuple[int, ...] = (), decisions: tuple[Decision, ...] = ()) -> Turn:
        judge, published = self._judge, Place(tuple(sorted(self._published.items())))
        return Turn(epoch, judge.number + 1, self._writer, judge.end, end, passed, decisions, self._settled, published)

    def _write(self, turn: Turn) -> bool:
        """Write a turn; return whether it stands, by the judgement that all readers come to.

        Unavailable where it never arrives whole, though nobody else writes turns.
        """
        judge = self._judge
        for _ in range(WRITINGS):
            if self._write_once(turn):
                return True
            if (judge.epoch, judge.number, judge.writer) != (turn.epoch, turn.number - 1, self._writer):
                return False
            # Still its own to write: a late copy of one part came between the others, which then counted for nothing.
        raise Unavailable(
            f"turn {turn.number} was written {WRITINGS} times, and each time something came between its parts; see what writes to "
            f"{TURN} beside this coordinator, then start again"
        )

    def _write_once(self, turn: Turn) -> bool:
        records = self._append_turn(turn)
        expected = [f"{TURN}/0/{self._turns_offset + index}" for index in range(len(records))]
        if [record.position for record in records] != expected:  # something came between, or the same arrived twice
            return any(one.writer == turn.writer and one.number == turn.number for one in self._new_turns(records[-1].position))
        self._turns_offset += len(records)
        return [self._judge.take(record.entry.event) for record in records][-1] is not None

    def _append_turn(self, turn: Turn) -> list[Record]:
        lines = turn_lines(turn, self._coordination.source, max(0, self._coordination.log_us))
        entries = [Entry(TURN, self._name, line) for line in lines]
        return self._patiently(partial(self._turns.append, entries))

    def _reveal(self, step: _Step) -> None:
        """Show what stands now, and tell those who wait for it."""
        self._appended_s = self._around.elapsed_s()
        with self._shown_lock:
            self._shown.extend(step.shown)
            self._entries = self._position
        with self._told:
            for statement, position, outcome in step.told:
                for waiter in self._waiters:
                    if statement in waiter.statements:
                        waiter.outcomes[position] = outcome
            self._told.notify_all()
        self._tell_listeners()

    def _publish_outbox(self) -> None:
        """Put what was decided into the streams for it. What others read there stands already; read twice, it is one."""
        if self._outbox:
            for record in self._patiently(partial(self._inbox.append, self._outbox)):
                name, offset = _partition_of(record), _offset(record)
                self._published[name] = max(self._published.get(name, 0), offset + 1)
            self._outbox = []
        self._settled = self._judge.number

    def _note_progress(self, every_s: float) -> None:
        """Write down how far the turns are, here and for those who watch the broker, unless that was less than so long ago."""
        now_s = self._around.elapsed_s()
        if self._judge.number == self._noted or now_s < self._noted_s + every_s:
            return
        self._patiently(partial(self._memory.keep, self._identity, self._judge.number), "the file that remembers Kafka")
        try:
            self._inbox.commit(self._judge.end)
        except Unavailable as error:  # for watchers only
            logger.warning("the place was not committed", reason=str(error))
        self._noted, self._noted_s = self._judge.number, now_s

    def _check_identity(self) -> None:
        """After every failure, and now and then, see that it is still the same Kafka."""
        now_s = self._around.elapsed_s()
        if self._suspicious or now_s > self._identified_s + IDENTITY_S:
            self._memory.check(self._patiently(self._inbox.identity))
            self._suspicious, self._identified_s = False, now_s

    # -- one record ---------------------------------------------------------------------------------------------------

    def _hear(self, index: int, record: Record, step: _Step) -> None:
        """Take one record of the signal stream, or refuse it where it is seen."""
        said = _heard(record, self._coordination.charter.place_decimals)
        stamp_us = max(record.logtime_us, self._coordination.log_us)
        outcome = self._take(said, stamp_us) if isinstance(said, Said) else self._refuse(said, stamp_us)
        if outcome.status == "taken" and isinstance(said, Said):
            self._show(step, SIGNAL, record.logtime_us, said.line)
        else:
            step.passed.append(index)
        step.told.append((f"{outcome.source}/{outcome.id}", record.position, outcome))

    def _drain(self, after: int, step: _Step) -> None:
        """Move what was decided from the coordination to the turn."""
        self._collect()
        decided, self._pending = self._pending, []
        for entry in decided:
            step.decided.append((after, entry))
            self._show(step, entry.stream, self._coordination.log_us, entry.event)

    def _show(self, step: _Step, stream: str, logtime_us: int, event: bytes) -> None:
        text = b'{"position":%d,"logtime":"%s","event":%s}' % (self._position, format_instant(logtime_us).encode(), event)
        step.shown.append(Shown(self._position, stream, text))
        self._position += 1

    def _keep(self, entry: Entry) -> None:
        """Do nothing: what was taken stands in the stream already."""

    def _refuse(self, fault: Fault, stamp_us: int) -> Outcome:
        """Count and remember it; nothing is written down, for the record stays where it is and is refused whenever it is read."""
        self._note_refusal(fault, stamp_us)
        return fault.outcome()

    # -- history ------------------------------------------------------------------------------------------------------

    def _rebuild(self) -> None:
        """Fold all turns that stand, each exactly as it was."""
        for turn in self._new_turns():
            self._fold_again(turn)
        self._memory.check(self._identity, self._judge.number)

    def _claim(self) -> None:
        """Become the one whose turns stand, then take up what the one before was ended in."""
        for _ in range(CLAIMS):
            claim = self._next_turn(self._judge.epoch + 1, self._judge.end)
            last = self._append_turn(claim)[-1].position
            for turn in self._new_turns(last):
                self._fold_again(turn)
            if self._judge.writer == self._writer:
                break
        else:
            raise Unavailable("other coordinators claim the turns all the time; see that only one runs, then start again")
        self._memory.keep(self._identity, self._judge.number)
        self._settle()
        with self._deciding():
            self._coordination.resume()
            step = _Step()
            self._drain(0, step)
            if step.decided:
                self._make_stand(step, self._judge.end)

    def _settle(self) -> None:
        """Publish what was decided for good and may not have been published: the one before was ended in between."""
        begin = Place(tuple(sorted(self._published.items())))
        ids = {_id(record.entry.event) for record in self._all_of((PROPOSAL, LEDGER), begin)}
        for turn in self._unsettled:
            for decision in turn.decisions:
                if _id(decision.line) not in ids:
                    entry = entry_of(parse_event(decision.line), decision.line)
                    self._outbox.append(replace(entry, event=published_form(decision.line, turn)))
        self._unsettled.clear()

    def _new_turns(self, until: str | None = None) -> Iterator[Turn]:
        """Yield the turns that stand, of the records not read yet: up to a position, or to the end."""
        while True:
            place = Place(((f"{TURN}/0", self._turns_offset),)) if self._turns_offset else START
            batch = self._patiently(partial(self._turns.read, place, AT_ONCE))
            if not batch.records:
                return
            for record in batch.records:
                self._turns_offset = _offset(record) + 1
                turn = self._judge.take(record.entry.event)
                if turn is not None:
                    yield turn
                if record.position == until:
                    return

    def _fold_again(self, turn: Turn) -> None:
        """Take what a turn took, in its order, and obey what it decided."""
        step, decisions = _Step(), deque(turn.decisions)
        for index, record in enumerate([None, *merged(self._signals(turn))]):
            if record is not None:
                self._hear(index - 1, record, step)
            while decisions and decisions[0].after == index:
                self._obey(decisions.popleft(), step)
        if tuple(step.passed) != turn.passed:
            logger.warning("a turn took other records than are taken of it now", turn=turn.number, then=turn.passed, now=step.passed)
        self._reveal(step)
        self._settled, self._published = turn.settled, dict(turn.published.offsets)
        self._unsettled.append(turn)
        while self._unsettled and self._unsettled[0].number <= turn.settled:
            self._unsettled.popleft()

    def _obey(self, decision: Decision, step: _Step) -> None:
        try:
            event = parse_event(decision.line)
            self._coordination.take(event, decision.line)
        except Refused as refusal:
            self.parked.append(str(refusal))
            logger.warning("a decision of the past was passed over", reason=str(refusal))
            return
        self._collect()
        self._show(step, entry_of(event, decision.line).stream, self._coordination.log_us, decision.line)

    def _signals(self, turn: Turn) -> list[Record]:
        """Return the records that a turn took; what was read beyond them waits."""
        taken: list[Record] = []
        for name, end in turn.end.offsets:
            while dict(self._read_to.offsets).get(name, 0) < end:
                if not self._read_on():
                    raise Lost(
                        f"turn {turn.number} was made of {name} up to {end}, and Kafka has less of it now: it lost data. Restore it, "
                        "or begin anew with other topics"
                    )
            rows = self._ahead.get(name, deque())
            while rows and _offset(rows[0]) < end:
                taken.append(rows.popleft())
        return taken

    def _remember_letters(self) -> None:
        """Have at hand what was refused at the door before."""
        for record in self._all_of((DEAD_LETTER,), START):
            with suppress(Refused, KeyError, TypeError):
                data = dict(read_json(record.entry.event)["data"])  # type: ignore[index]  # what does not fit raises
                self._remember(record.logtime_us, {name: str(data[name]) for name in ("code", "reason", "key", "said")})

    def _all_of(self, streams: tuple[str, ...], place: Place) -> Iterator[Record]:
        """Yield what some streams hold after a place."""
        bootstrap, patience_ms = self._others
        with closing(self._around.connect(bootstrap, patience_ms=patience_ms, streams=streams, prepare=False)) as log:
            while (batch := self._patiently(partial(log.read, place, AT_ONCE))).records:
                yield from batch.records
                place = batch.place


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
    return replace(kept_form(event, line, place_decimals, event.spoken_by), where=where)


def _partition_of(record: Record) -> str:
    return record.position.rpartition("/")[0]


def _offset(record: Record) -> int:
    return int(record.position.rpartition("/")[2])


def _id(line: bytes) -> object:
    """Return what tells an event from others; None where that cannot be read."""
    try:
        record = read_json(line)
    except Refused:
        return None
    return (record.get("source"), record.get("id")) if isinstance(record, dict) else None
