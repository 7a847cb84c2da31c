"""One embedded log and one coordination, shared by threads: nothing is shown or acknowledged before the log has it.

One lock guards the coordination, for writers and readers alike; a reader waits while a cycle plans, but never without a bound. Whoever
has to walk through all of it takes a `moment` for that, which holds the lock for a handful of things at a time.
"""

import json
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Event as Flag
from threading import Lock, Thread
from typing import Any, Literal

import msgspec
import structlog

from coordinator.adapters.at_hand import AtHand, Shown, fitting
from coordinator.adapters.clock import SteadyClock
from coordinator.adapters.disk import DISK, Disk
from coordinator.adapters.file_log import FileLog
from coordinator.adapters.folding import AT_ONCE, FOLLOWED
from coordinator.adapters.recorder import entry_of
from coordinator.adapters.snapshot_files import Snapshot, read_snapshot, recover
from coordinator.adapters.tokens import Grant
from coordinator.charter import Charter
from coordinator.commitments import statement_of
from coordinator.cycle import Coordination, Taken
from coordinator.errors import Refused, Unavailable
from coordinator.history import Timeline, sample_of
from coordinator.jsontext import read_json, write_json
from coordinator.moments import Follower
from coordinator.network import (
    MOST_DEGREES,
    STANCE_MODELS,
    never_counts,
    never_enough,
    out_of_nothing,
    out_of_proportion,
    overdue,
    reference,
)
from coordinator.places import Table
from coordinator.planning import Mine
from coordinator.production import Guides
from coordinator.proposals import Revision
from coordinator.signals import Event, event_json, parse_event
from coordinator.stream import (
    DEAD_LETTER,
    Clock,
    Entry,
    Record,
    sequence_after,
    sequence_place,
)
from coordinator.times import SECOND_US, format_instant
from coordinator.wording import amount, shown

__all__ = [
    "AT_ONCE",
    "FOLLOWED",
    "REFUSAL_CODES",
    "WAIT_S",
    "Fault",
    "Outcome",
    "Said",
    "Service",
    "Status",
    "TimedCoordination",
    "kept_form",
    "stated_source",
]

WAIT_S = 30.0  # for the lock: longer than a cycle should take
REFUSED_KEPT = 1_000  # refusals kept at hand
DEAD_LETTERS = 10_000  # written down in one run; more are counted only, so that nobody can fill the disk with nonsense
EXCERPT = 500  # characters kept of a line that was refused
_TOO_FINE = re.compile(r"(-?\d{1,3}\.\d{2})\d+")  # what is refused is shown to all, and home workshops are people's homes
CLOSE_S = 1.0  # on the way out, for the plan at hand
COPIED_AT_ONCE = 500  # things, while nobody can speak: some 3 ms
COPYING_PAUSE_S = 0.001  # between two handfuls, so that whoever waits comes first
SAMPLING = 0.03  # of the time at most, for noting how things stood
AHEAD_US = 300 * SECOND_US  # of the log: from here on a speaker is told that its clock is ahead

RefusalCode = Literal["invalid", "speaker", "conflict", "late", "misplaced"]
REFUSAL_CODES: tuple[RefusalCode, ...] = ("invalid", "speaker", "conflict", "late", "misplaced")

logger = structlog.get_logger("coordinator.service")


class Outcome(msgspec.Struct, frozen=True):
    """What became of one line that was published."""

    status: Literal["taken", "repeat", "refused"]
    id: str | None = None
    source: str | None = None
    code: RefusalCode | None = None  # of a refusal
    reason: str | None = None
    note: str | None = None
    decided: tuple[dict[str, Any], ...] = ()  # the ledger records that judge this very event


@dataclass(frozen=True, slots=True)
class Status:
    """How the service does, told without waiting for anybody."""

    why_not: str | None  # ready, when there is no reason why not
    entries: int  # in the log
    log_us: int
    cycles: int
    cycle_age_s: float | None  # since the last cycle ended
    planning_s: float  # all cycles together
    counts: Counter[str]
    folding_s: float = 0.0  # all that was taken, together
    open_needs: Mapping[int, int] = field(default_factory=dict)  # by tier, at the last cycle
    turns: Mapping[str, int] = field(default_factory=dict)  # on Kafka: the last number and epoch, what was void, what waits


class Said(msgspec.Struct, frozen=True):
    """An event that can be taken, and its line as the log keeps it."""

    event: Event
    line: bytes
    where: str = ""  # its position, where it stood in the stream before it came here


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that cannot be taken, and why."""

    code: RefusalCode
    reason: str
    line: bytes
    key: str  # who is to answer for it: the speaker, as far as it is known
    event: Event | None = None
    where: str = ""

    def outcome(self) -> Outcome:
        """Return what its speaker is told."""
        event = self.event
        return Outcome("refused", event.id if event else None, event.source if event else None, self.code, self.reason)


class TimedCoordination(Coordination):
    """A coordination whose cycles are counted and timed."""

    cycles = 0
    planning_s = 0.0
    cycle_ended_s: float | None = None
    sampling_s = 0.0
    folding_s = 0.0

    def __init__(self, *given: Any, **named: Any) -> None:
        """Begin with nothing counted, and no sample taken."""
        super().__init__(*given, **named)
        self.open_by_tier = Counter[int]()  # needs not promised in full, as they stood at the last cycle
        self.timeline = Timeline()
        self._began_s = time.monotonic()

    def take(self, event: Event, line: bytes, *, judged_elsewhere: bool = False) -> Taken:
        """Take in an event as every coordination does; how short things are is noted now and then, for people to see."""
        began_s, planned_s = time.monotonic(), self.planning_s
        try:
            taken = super().take(event, line, judged_elsewhere=judged_elsewhere)
        finally:
            self.folding_s += time.monotonic() - began_s - (self.planning_s - planned_s)
        if self.log_us >= self.timeline.due_us:
            self._sample()
        return taken

    def _sample(self) -> None:
        """Note how things stand, unless that took more than its part of the time lately: then the next moment does."""
        began_s = time.monotonic()
        if self.sampling_s > SAMPLING * (began_s - self._began_s) + 0.1:
            self.timeline.due_us = self.log_us + self.timeline.step_us
            return
        self.timeline.take(sample_of(self))
        self.sampling_s += time.monotonic() - began_s

    def revision(self, mine: Mine | None = None, at_most: int | None = None) -> Revision:
        """Plan now; a cycle of which some is left to the next call has not ended."""
        began_s = time.monotonic()
        revision = super().revision(mine, at_most)
        ended_s = time.monotonic()
        self.planning_s += ended_s - began_s
        if not self.planner.goes_on:
            self.cycle_ended_s = ended_s
            self.cycles += 1
            self.open_by_tier = self.open_needs.unpromised()
        return revision


class Service:
    """The coordinator behind `serve`: takes lines in, decides, writes all of it down, and only then tells.

    An event and the decisions it leads to are one transaction of the log. Where the disk does not take it, nothing is shown or
    taken any more until it does; what was not acknowledged may be said again.
    """

    def __init__(
        self,
        path: Path,
        charter: Charter,
        *,
        table: Table | None = None,
        name: str = "main",
        clock: Clock | None = None,
        planning: bool = True,
        wait_s: float = WAIT_S,
        disk: Disk = DISK,
    ) -> None:
        """Open the log, fold all of it and take up judging where it was cut. Unavailable when another process writes to the log.

        Where there is a snapshot that fits, only what came after it is folded.
        """
        self._clock = clock or SteadyClock()
        snapshot = read_snapshot(path, charter, disk=disk)
        self._log = FileLog(path, self._clock, disk=disk, known=None if snapshot is None else snapshot.known)
        self._set_up(TimedCoordination(charter, name=name, table=table, judging=False, planning=False), wait_s)
        try:
            self._start(planning, snapshot)
        except BaseException:
            self._log.close()
            raise

    def _set_up(self, coordination: TimedCoordination, wait_s: float) -> None:
        self._wait_s = wait_s
        self._lock, self._shown_lock = Lock(), Lock()
        self._follower, self._following = Follower(), Lock()
        self._entries = 0
        self._pending: list[Entry] = []
        self._at_hand = AtHand()
        self._told_until = -1  # the position up to which all that is shown to anybody was at hand
        self._refused: deque[dict[str, Any]] = deque(maxlen=REFUSED_KEPT)
        self._refusals = 0
        self._letters = 0
        self._counts: Counter[str] = Counter()
        self._verdicts: dict[str, list[int]] = {}
        self._judged = 0
        self._stamped_us = 0  # nothing is stamped before what stands in the log, which may be a refusal that moved no log time
        self._failure: str | None = None
        self._listeners: list[Callable[[], None]] = []
        self._stop = Flag()
        self._ticker: Thread | None = None
        self._appended_s = time.monotonic()
        self._coordination = coordination

    def _start(self, planning: bool, snapshot: Snapshot | None = None) -> None:
        assert isinstance(self._log, FileLog)
        self.snapshot_entries = snapshot.entries if snapshot is not None and self._log.trusted else 0
        folded, letters = recover(self._log, self._coordination, snapshot)
        self.parked = folded.parked
        self._entries = sequence_after(folded.place)
        self._stamped_us = folded.logtime_us
        self._refusals = letters.count - len(letters.last)
        for logtime_us, data in letters.last:
            self._remember(logtime_us, data)
        for reason in self.parked:
            logger.warning("a record of the log was passed over", reason=reason)
        self._coordination.resume()
        self._coordination.prompt = True
        self._collect()
        self._coordination.planning = planning
        self._write_down()

    def lead_by(self, guides: Guides) -> None:
        """Let what leads plans of making be found beside the cycle, from the next plan on."""
        self._coordination.production.guides = guides

    # -- writing ------------------------------------------------------------------------------------------------------

    def publish(self, lines: Sequence[bytes], speaker: Grant | None = None) -> list[Outcome]:
        """Take lines in, each an event in structured JSON; return what became of each, once all that was taken is on the disk.

        With a `speaker`, only words that its token allows are taken. Unavailable: nothing was acknowledged; saying it again is safe.
        What the disk did not take is kept here and written once it does, unless this process ends before.
        """
        read = [self._read(line, speaker) for line in lines]
        with self._holding():
            try:
                return [self._take(one, self._now_us()) if isinstance(one, Said) else self._refuse(one, self._now_us()) for one in read]
            finally:
                try:
                    self._write_down()
                except Unavailable as error:
                    raise Unavailable(f"{error} Whether what was said now counts is not known: say it again, it counts once.") from error

    def tick(self) -> None:
        """Let time pass: what is due expires, and a cycle runs where one is due."""
        with self._holding():
            try:
                stamp_us = self._now_us()
                line = event_json("tick", self._coordination.source, "tick", stamp_us, {})
                self._take(Said(parse_event(line), line), stamp_us)
            finally:
                self._write_down()

    def start_ticking(self, seconds: float) -> None:
        """Tick whenever nothing was said for so long, until the service is closed."""
        self._ticker = Thread(target=self._tick_on, args=(seconds,), name="ticker", daemon=True)
        self._ticker.start()

    def close(self) -> bool:
        """Stop ticking, and let go of the log once whoever is writing has finished; return whether that was soon.

        Who still plans after `CLOSE_S` is left to it, with the log: a plan is only a proposal, and what was acknowledged is on the disk.
        """
        self._stop.set()
        self._tell_listeners()
        is_free = self._lock.acquire(timeout=CLOSE_S)
        if is_free:
            try:
                self._log.close()
            finally:
                self._lock.release()
            if self._ticker is not None:
                self._ticker.join(CLOSE_S)
        return is_free

    def _tick_on(self, seconds: float) -> None:
        failed, wait_s = False, seconds
        while not self._stop.wait(wait_s):
            wait_s = seconds - (time.monotonic() - self._appended_s)
            if wait_s > 0:  # Something was said meanwhile: only the rest is waited for, so that who spoke is planned for in time.
                continue
            wait_s = seconds
            try:
                self.tick()
            except Unavailable as error:
                if not self._stop.is_set():
                    logger.warning("no tick", reason=str(error))
            except Exception as error:  # A thread that ended silently would leave a server that looks alive: it is said, and tried again.
                self._failure, failed = f"a cycle failed: {error}", True
                logger.exception("a tick failed")
            else:
                if failed:  # On Kafka another thread writes this as well: only what was said here is taken back.
                    self._failure, failed = None, False

    @contextmanager
    def _holding(self) -> Iterator[None]:
        """Hold the lock, with everything written down before."""
        if not self._lock.acquire(timeout=self._wait_s):
            raise Unavailable(f"the coordinator has been planning for more than {self._wait_s:g} s; try again in a while")
        try:
            if self._stop.is_set():
                raise Unavailable("the coordinator is stopping; try again when it is back")
            try:
                self._write_down()
            except Unavailable as error:
                raise Unavailable(f"{error} What was said before waits for that: until then nothing is taken or shown.") from error
            yield
        finally:
            self._lock.release()

    def _now_us(self) -> int:
        return max(self._clock(), self._coordination.log_us, self._stamped_us)

    def _read(self, line: bytes, speaker: Grant | None) -> Said | Fault:
        key = None if speaker is None else f"agent:{speaker.name}" if speaker.name in speaker.speaks else speaker.name
        try:
            event = parse_event(line, strict_fields=True)
        except Refused as refusal:
            return Fault("invalid", str(refusal), line, key or stated_source(line))
        if not event.by_agent:
            reason = f"source is {shown(event.source)}; here only agents speak: say it as agent:NAME."
            return Fault("speaker", reason, line, key or event.source, event)
        if speaker is not None and not speaker.may_say(event.name, event.kind):
            return Fault("speaker", _not_allowed(event, speaker), line, key or event.source, event)
        return kept_form(event, line, self._coordination.charter.place_decimals, speaker.spoken_by(event.name) if speaker else None)

    def _take(self, said: Said, stamp_us: int) -> Outcome:
        coordination = self._coordination
        event = msgspec.structs.replace(said.event, logtime_us=stamp_us)
        idle = coordination.network.nothing_to_withdraw(event)
        try:
            taken = coordination.take(event, said.line)
        except Refused as refusal:
            is_late = stamp_us - event.time_us > coordination.charter.late_seconds * SECOND_US
            return self._refuse(
                Fault("late" if is_late else "conflict", str(refusal), said.line, event.source, event, said.where), stamp_us
            )
        else:
            if not taken.repeat:
                self._keep(event, said.line)
        finally:
            self._collect()  # Also what was decided before something failed: it was folded, so it has to be written.
        status: Literal["taken", "repeat"] = "repeat" if taken.repeat else "taken"
        if event.by_agent:
            self._counts[status] += 1
        note = None if taken.repeat else idle or self._note_on(event, stamp_us)
        if event.time_us - stamp_us > AHEAD_US:
            ahead = (
                f"time is {format_instant(event.time_us)}, ahead of the log's {format_instant(stamp_us)}, which counts: check this clock"
            )
            note = ahead if note is None else f"{note}; {ahead}"
        return Outcome(status, event.id, event.source, note=note, decided=self._decided_of(statement_of(event)))

    def _note_on(self, event: Event, log_us: int) -> str | None:
        """Return what whoever said this may not expect of it, although it was taken."""
        network = self._coordination.network
        said = event.data
        never = never_counts(said, log_us) or never_enough(said) or network.counted_apart(said)
        if note := never or out_of_proportion(said) or out_of_nothing(said):
            return note
        if note := network.nowhere(event) or overdue(said, log_us):
            return note
        if not isinstance(event.data, STANCE_MODELS):
            return None
        stance = network.stances.get(reference(event.name, event.kind, event.subject))
        if stance is None or stance.statement != event.id:  # It came late: what was said or withdrawn after it counts.
            return None
        before = self._coordination.book.promised_before(stance)
        if not before:
            return None
        return (
            f"the amount counts what is not promised yet: {amount(network.quantity(stance, before))} promised before, and not yet moved, "
            "comes on top; to say all there is, promised parts included, say it with basis total"
        )

    def _decided_of(self, statement: str) -> tuple[dict[str, Any], ...]:
        """Return the ledger records that judge a word."""
        indexes = self._verdicts.get(statement)
        return () if indexes is None else tuple(json.loads(self._coordination.ledger[index])["data"] for index in indexes)

    def _refuse(self, fault: Fault, stamp_us: int) -> Outcome:
        letter = self._letter(fault, stamp_us)
        if letter is not None:
            self._pend(letter, stamp_us)
        return fault.outcome()

    def _letter(self, fault: Fault, stamp_us: int) -> Entry | None:
        """Count and remember what was refused; return what is to be written down of it, if that is not too much by now."""
        number, data = self._note_refusal(fault, stamp_us)
        with self._shown_lock:
            if self._letters >= DEAD_LETTERS:
                return None
            self._letters += 1
        return Entry(DEAD_LETTER, fault.key, event_json("dead-letter", self._coordination.source, str(number), stamp_us, data))

    def _note_refusal(self, fault: Fault, stamp_us: int) -> tuple[int, dict[str, Any]]:
        """Count and remember what was refused; return its number, and what there is to say of it."""
        text = _TOO_FINE.sub(r"\1", fault.line[: 4 * EXCERPT].decode("utf-8", "replace"))[:EXCERPT]
        data = {"code": fault.code, "reason": fault.reason, "key": fault.key, "said": text.replace("\x00", "\ufffd")}
        if fault.where:
            data["position"] = fault.where
        with self._shown_lock:
            self._counts[f"refused:{fault.code}"] += 1
            in_this_run = sum(self._counts[f"refused:{code}"] for code in REFUSAL_CODES)
        number = self._remember(stamp_us, data)
        if in_this_run <= DEAD_LETTERS:  # As many as are written down, and for the same reason.
            logger.info(
                "refused", code=fault.code, event_id=fault.event.id if fault.event else None, source=fault.key, position=fault.where or None
            )
        return number, data

    # -- the log ------------------------------------------------------------------------------------------------------

    def _keep(self, event: Event, line: bytes) -> None:
        """See that what was taken stands in the log."""
        self._pend(entry_of(event, line))

    def _pend(self, entry: Entry, stamp_us: int | None = None) -> None:
        stamp_us = self._coordination.log_us if stamp_us is None else stamp_us
        self._stamped_us = max(self._stamped_us, stamp_us)
        self._pending.append(Entry(entry.stream, entry.key, entry.event, stamp_us))

    def _collect(self) -> None:
        """Queue the decisions for the log, and note which words they judge."""
        if self._coordination.outbox:
            decided, self._coordination.outbox = self._coordination.outbox, []
            for entry in decided:
                self._counts[f"decided:{entry.stream}"] += 1
                self._pend(entry)
        ledger = self._coordination.ledger
        if self._judged == len(ledger):
            return
        for index in range(self._judged, len(ledger)):
            data = json.loads(ledger[index])["data"]
            for statement in (data.get("statement"), *data.get("acceptances", {}).values()):
                if statement is not None:
                    self._verdicts.setdefault(statement, []).append(index)
        self._judged = len(ledger)

    def _write_down(self) -> None:
        """Append all that is pending, durably, then show it. What the disk did not take stays pending, and everything waits for it."""
        if not self._pending:
            return
        records = self._log.append(self._pending)
        self._pending = []
        self._appended_s = time.monotonic()
        self._entries = _offset(records[-1]) + 1
        with self._shown_lock:
            self._at_hand.extend(_shown(record) for record in records if record.entry.stream in FOLLOWED)
            self._told_until = self._entries - 1
        self._tell_listeners()

    def _tell_listeners(self) -> None:
        for listener in self._listeners:
            listener()

    # -- reading ------------------------------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[Coordination]:
        """Hold the coordination still while it is read: all of one moment, and all of it on the disk."""
        with self._holding():
            yield self._coordination

    def moment(self) -> tuple[Coordination, int]:
        """Return all as it stands at one moment from now on, apart from what goes on, and how many entries of the log that counts.

        It is copied some at a time, so nobody is held up for long by it, nor by whatever is asked of it. Raises `Unavailable` where others
        who ask for one, or a plan, take longer than is waited for.
        """
        if not self._following.acquire(timeout=self._wait_s):
            raise Unavailable(f"others have waited for a copy of all for more than {self._wait_s:g} s; try again in a while")
        try:
            while True:
                with self.reading() as coordination:
                    is_whole, entries = self._follower.copy_some(coordination, COPIED_AT_ONCE), self._entries
                if is_whole:
                    moment = self._follower.moment()
                    break
                time.sleep(COPYING_PAUSE_S)
        finally:
            self._following.release()
        return moment.opened(coordination), entries

    @property
    def has_begun(self) -> bool:
        """Whether all that was said before it started was read, so that there is something to look at."""
        return True

    def listen(self, listener: Callable[[], None]) -> None:
        """Call back, from any thread, whenever there is more to follow."""
        self._listeners.append(listener)

    def follow(self, after: int, at_most: int = 500) -> tuple[list[Shown], int]:
        """Return some of what the log holds after a position, and the position to go on from. Refused for a position beyond the log."""
        if after >= self._entries:
            raise Refused(
                f"position {after} is beyond this log, which ends at {self._entries - 1}; it was kept for another log: start anew"
            )
        with self._shown_lock:
            begin = self._at_hand.begin
            if begin is not None and begin <= after + 1:
                some = self._at_hand.after(after, at_most)
                rest = self._at_hand.after(some[-1].position, 1) if some else []
                return some, some[-1].position if rest else max(after, self._told_until)
        records = self._log.read(sequence_place(max(0, after + 1)), at_most).records
        records = records[: fitting([len(record.entry.event) for record in records])]
        position = _offset(records[-1]) if records else after
        return [_shown(record) for record in records if record.entry.stream in FOLLOWED], position

    def refused(self) -> tuple[dict[str, int], list[dict[str, Any]]]:
        """Return how much was refused for which kind of reason since the start, and the last refusals, oldest first."""
        with self._shown_lock:
            rows = list(self._refused)
        return {code: self._counts[f"refused:{code}"] for code in REFUSAL_CODES}, rows

    def others_may_be_ahead(self, records: int) -> bool:  # noqa: ARG002  # nobody else has this log: what is not here is nowhere
        """Whether the ledger may be so many records longer for another coordinator."""
        return False

    def status(self) -> Status:
        """Return how the service does."""
        coordination, now_s = self._coordination, time.monotonic()
        ended_s = coordination.cycle_ended_s
        return Status(
            why_not=self._why_not(),
            entries=self._entries,
            log_us=coordination.log_us,
            cycles=coordination.cycles,
            cycle_age_s=None if ended_s is None else now_s - ended_s,
            planning_s=coordination.planning_s,
            counts=Counter(self._counts),
            folding_s=coordination.folding_s,
            open_needs=dict(coordination.open_by_tier),
        )

    def _why_not(self) -> str | None:
        """Return why the service is not ready, if it is not."""
        if self._stop.is_set():
            return "the coordinator is stopping"
        if self._pending and not self._lock.locked():
            return f"{len(self._pending)} records could not be written to the log; check the disk"
        return self._failure

    def _remember(self, stamp_us: int, data: dict[str, Any]) -> int:
        """Keep a refusal at hand; return its number."""
        with self._shown_lock:
            self._refusals += 1
            self._refused.append({"number": self._refusals, "time": format_instant(stamp_us), **data})
            return self._refusals


def _offset(record: Record) -> int:
    return int(record.position.rpartition("/")[2])


def _shown(record: Record) -> Shown:
    position, logtime = _offset(record), format_instant(record.logtime_us)
    text = b'{"position":%d,"logtime":"%s","event":%s}' % (position, logtime.encode(), record.entry.event)
    return Shown(position, record.entry.stream, text)


def _not_allowed(event: Event, speaker: Grant) -> str:
    own = speaker.speaks == (speaker.name,) and not speaker.answers
    if own:
        return f"source is {shown(event.source)}, but the token is that of {speaker.name!r}: everybody speaks for itself alone."
    return f"source is {shown(event.source)} and kind {event.kind!r}, but the token of {speaker.name!r} {speaker.told()}, and nothing else."


def kept_form(event: Event, line: bytes, place_decimals: int, spoken_by: str | None = None, where: str = "") -> Said:
    """Return an event as it is taken and shown: in one line, without a log time, its place no finer than the charter allows.

    Who spoke for its agent is what the door knows (`spoken_by`), whatever came in the line. `where` is its position in the stream it
    came from.
    """
    is_kept = event.logtime_us is None and event.spoken_by == spoken_by and b"\n" not in line and b"\r" not in line
    if not is_kept or _is_finer(event, place_decimals):
        line = _as_kept(line, place_decimals, spoken_by)
        event = parse_event(line)
    return Said(event, line, where)


def _is_finer(event: Event, place_decimals: int) -> bool:
    """Whether an event tells a place more finely than the charter allows."""
    place = getattr(event.data, "place", None)
    return place is not None and not (_is_coarse(place.lat, place_decimals) and _is_coarse(place.long, place_decimals))


@lru_cache(MOST_DEGREES)  # the same degrees come again and again, and to round a double rightly is slow
def _is_coarse(degrees: float, decimals: int) -> bool:
    return round(degrees, decimals) == degrees


def _as_kept(line: bytes, place_decimals: int, spoken_by: str | None) -> bytes:
    """Return the event as the log keeps it: in one line, no log time but the log's own, and a place no finer than the charter allows.

    Home workshops are people's homes, and the stream is open. The same words lead to the same line, so a repeat stays a repeat.
    """
    record = read_json(line)
    assert isinstance(record, dict)  # parsed before
    for attribute in ("logtime", "spokenby"):
        record.pop(attribute, None)
    if spoken_by is not None:
        record = {**{name: value for name, value in record.items() if name != "data"}, "spokenby": spoken_by, "data": record["data"]}
    place = (record["data"] or {}).get("place")
    if place is not None:
        for axis in ("lat", "long"):
            place[axis] = round(float(place[axis]), place_decimals)
    return write_json(record)


def stated_source(line: bytes) -> str:
    """Return who a line that cannot be taken says it is from, as far as that can be read."""
    try:
        record = read_json(line)
    except Refused:
        return "unknown"
    source = record.get("source") if isinstance(record, dict) else None
    return shown(source)[1:-1] if isinstance(source, str) and source else "unknown"
