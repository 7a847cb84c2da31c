"""Bugs planted one at a time, to prove that the simulation finds them. The product itself knows nothing of them.

Each is a patch of a named place in the product for the time of one schedule, with a sentence on what it breaks.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import Any
from unittest.mock import patch

from msgspec import structs

from coordinator import verdicts
from coordinator.adapters import file_log, kafka_service, log_frames, snapshot_files
from coordinator.adapters.file_log import FileLog, _Writer
from coordinator.adapters.kafka_service import KafkaService
from coordinator.commitments import Book, Deal
from coordinator.cycle import Coordination
from coordinator.errors import Unavailable
from coordinator.network import Network
from coordinator.seen import Seen
from coordinator.signals import Event
from coordinator.stream import Entry
from coordinator.turns import Turn, TurnJudge

__all__ = ["BUGS", "Bug"]

Patches = Iterator[Any]


@dataclass(frozen=True)
class Bug:
    """One planted bug: in which world it is looked for, what it breaks, and what patches it in."""

    name: str
    world: str
    breaks: str
    patches: Callable[[Any], Sequence[Any]]

    @contextmanager
    def planted(self, world: Any) -> Iterator[None]:
        """Have the bug in the product for a while."""
        with ExitStack() as stack:
            for each in self.patches(world):
                stack.enter_context(each)
            yield


# -- the file --------------------------------------------------------------------------------------------------------------


def _acknowledge_before_sync(world: Any) -> Sequence[Any]:
    def make_durable(self: _Writer, frame: bytes) -> None:
        end = self._tail.position
        try:
            self.file.sync()  # what came before; this one is acknowledged and synced with the next
            self.file.append(frame)
        except BaseException:
            self._take_back(end)
            raise

    return [patch.object(_Writer, "_make_durable", make_durable)]


def _no_sync(world: Any) -> Sequence[Any]:
    return [patch.object(_Writer, "_sync", lambda self: None)]


def _sync_error_ignored(world: Any) -> Sequence[Any]:
    def sync(self: _Writer) -> None:
        with suppress(OSError):
            self.file.sync()

    return [patch.object(_Writer, "_sync", sync)]


def _torn_tail_kept(world: Any) -> Sequence[Any]:
    def cut(self: _Writer, end: int) -> None:
        self._tail = replace(self._tail, position=end)

    return [patch.object(_Writer, "_cut", cut)]


def _cut_too_far(world: Any) -> Sequence[Any]:
    right = _Writer._cut

    def cut(self: _Writer, end: int) -> None:
        before = [mark for _, mark, _ in file_log.frames(self.file, self.first, self._tail.position)]
        self._tail = before[-1] if before else self._tail
        right(self, end)

    return [patch.object(_Writer, "_cut", cut)]


def _believing(*faults: log_frames.Fault) -> Sequence[Any]:
    right = log_frames.frame_at

    def frame_at(buffer: bytes, at: int, mark: log_frames.Mark) -> Any:
        found = right(buffer, at, mark)
        if found not in faults:
            return found
        _, size, count, _ = log_frames._FIELDS.unpack_from(buffer, at)
        chain, _, _ = log_frames._REST.unpack_from(buffer, at + log_frames._FIELDS.size)
        begin = at + log_frames.HEADER_BYTES
        whole = log_frames.HEADER_BYTES + size + len(log_frames._CLOSING)
        return log_frames.Frame(log_frames.Mark(mark.position + whole, mark.offset + count, chain), count, begin, begin + size)

    return [patch.object(file_log, "frame_at", frame_at)]


# -- the fold --------------------------------------------------------------------------------------------------------------


class _Forgetful(Seen):
    """Notes what was said and never finds it again."""

    def __missing__(self, source: str) -> dict[str, bytes]:
        return {}


def _duplicate_applied(world: Any) -> Sequence[Any]:
    right = Coordination.__init__

    def begin(self: Coordination, *arguments: Any, **more: Any) -> None:
        right(self, *arguments, **more)
        self._seen = _Forgetful()

    return [patch.object(Coordination, "__init__", begin)]


def _late_applied(world: Any) -> Sequence[Any]:
    def stamp(self: Coordination, event: Event) -> int:
        return max(self.log_us, event.time_us if event.logtime_us is None else event.logtime_us)

    return [patch.object(Coordination, "_stamp", stamp)]


def _expiry_by(time_us: Callable[[Any, Event], int]) -> Callable[[Any], Sequence[Any]]:
    def patches(world: Any) -> Sequence[Any]:
        take, advance = Coordination.take, Network.advance
        now: list[int] = [0]

        def taken(self: Coordination, event: Event, line: bytes, **more: Any) -> Any:
            now[0] = time_us(world, event)
            return take(self, event, line, **more)

        return [
            patch.object(Coordination, "take", taken),
            patch.object(Network, "advance", lambda self, log_us: advance(self, now[0])),
        ]

    return patches


def _judged_out_of_order(world: Any) -> Sequence[Any]:
    take, hear = Coordination.take, Coordination._judge
    waiting: dict[int, list[Event]] = {}

    def taken(self: Coordination, event: Event, line: bytes, **more: Any) -> Any:
        done = take(self, event, line, **more)
        for each in waiting.pop(id(self), ()):
            if each is not event:
                hear(self, each)
        return done

    def judge(self: Coordination, event: Event) -> None:
        waiting.setdefault(id(self), []).append(event)

    return [patch.object(Coordination, "take", taken), patch.object(Coordination, "_judge", judge)]


def _forgotten_after_snapshot(world: Any) -> Sequence[Any]:
    right = snapshot_files.thaw

    def thaw(frozen: bytes, coordination: Coordination) -> None:
        right(frozen, coordination)
        coordination._seen = Seen()

    return [patch.object(snapshot_files, "thaw", thaw)]


def _snapshot_newer(world: Any) -> Sequence[Any]:
    right = FileLog.known

    def known(self: FileLog, logtime_us: int) -> Any:
        found = right(self, logtime_us)
        before = [mark for _, mark, _ in file_log.frames(self._file, self._marks[0], found.marks[-1].position)]
        if not before:
            return found
        marks = (*found.marks[:-1], before[-1])
        return replace(found, marks=marks, prefix=file_log._prefix(self._file, before[-1].position))

    return [patch.object(FileLog, "known", known)]


# -- the book --------------------------------------------------------------------------------------------------------------


def _freed_twice(world: Any) -> Sequence[Any]:
    right = Book._give_back

    def give_back(self: Book, deal: Deal, agent: str) -> None:
        right(self, deal, agent)
        for ref, grains in deal.asks_of(agent).items():
            self.network.stances[ref].taken_grains -= grains

    return [patch.object(Book, "_give_back", give_back)]


def _still_reserved(world: Any) -> Sequence[Any]:
    def give_back(self: Book, deal: Deal, agent: str) -> None:
        del deal.promised[agent]

    return [patch.object(Book, "_give_back", give_back)]


def _one_acceptance(world: Any) -> Sequence[Any]:
    not_valid = Book._not_valid

    def valid(self: Book, deal: Deal, happening: str, ledger: Any) -> str | None:
        return None if happening == "committed" else not_valid(self, deal, happening, ledger)

    def judge_acceptance(book: Book, event: Event, deal: Deal) -> list[dict[str, Any]]:
        told = right_judge(book, event, deal)
        if told[0]["kind"] == "promised" and len(told) == 1:
            told.append(plan_committed(deal, {**deal.promised, event.name: told[0]["statement"]}))
        return told

    right_judge, plan_committed = verdicts._judge_acceptance, verdicts.plan_committed
    return [patch.object(Book, "_not_valid", valid), patch.object(verdicts, "_judge_acceptance", judge_acceptance)]


# -- several coordinators on a broker -----------------------------------------------------------------------------------------


def _no_fence(world: Any) -> Sequence[Any]:
    def may_stand(self: TurnJudge, turn: Turn) -> bool:
        if turn.number != self.numbers.get(turn.writer, 0) + 1:
            return False
        return bool(turn.claims) or all(taking.begin == self.ends.get(name, 0) for name, taking in turn.takes.items())

    return [patch.object(TurnJudge, "_may_stand", may_stand)]


def _epoch_not_stored(world: Any) -> Sequence[Any]:
    right = TurnJudge._stand

    def stand(self: TurnJudge, turn: Turn, decisions: tuple[bytes, ...]) -> Any:
        standing = right(self, turn, decisions)
        self.epoch = 0
        return standing

    return [patch.object(TurnJudge, "_stand", stand)]


def _two_judges(world: Any) -> Sequence[Any]:
    right = kafka_service.judged
    return [patch.object(kafka_service, "judged", lambda coordination, is_mine: right(coordination, lambda agent: True))]


def _place_before_effects(world: Any) -> Sequence[Any]:
    right = KafkaService._append_turn

    def append(self: KafkaService, turn: Turn) -> Any:
        self._memory.keep(self._identity, self._judge.number + 1)
        return right(self, turn)

    return [patch.object(KafkaService, "_append_turn", append)]


def _place_never_saved(world: Any) -> Sequence[Any]:
    return [patch.object(world.memory, "keep", lambda self, identity, turns: None)]


def _new_id_for_a_retry(world: Any) -> Sequence[Any]:
    tries = count(1)

    def publish_again(self: KafkaService, entries: list[Entry]) -> Any:
        attempt = next(tries)
        return self._streams.append(
            [structs.replace(one, event=one.event.replace(b'"id":"', b'"id":"%d-' % attempt, 1)) for one in entries]
        )

    return [patch.object(KafkaService, "_publish_again", publish_again)]


def _relieved_and_not_looking(world: Any) -> Sequence[Any]:
    return [patch.object(KafkaService, "_fold_turns_so_far", lambda self: None)]


def _outbox_dropped(world: Any) -> Sequence[Any]:
    def finish(self: KafkaService) -> None:
        sending, self._sending = self._sending, None
        if sending is not None:
            try:
                records = sending.finish()
            except Unavailable:
                records = []
            self._outbox.arrived(records)

    return [patch.object(KafkaService, "_finish_publishing", finish)]


def _wiped_unnoticed(world: Any) -> Sequence[Any]:
    return [patch.object(world.memory, "check", lambda self, identity, turns=None: None)]


E, K = "embedded", "clustered"
BUGS = {
    bug.name: bug
    for bug in (
        Bug("acknowledge before fsync", E, "an append is acknowledged, and synced only with the next one", _acknowledge_before_sync),
        Bug("no fsync", E, "what is appended is never synced", _no_sync),
        Bug("fsync error ignored", E, "an append whose sync failed is acknowledged", _sync_error_ignored),
        Bug("torn tail kept", E, "the rest of a write that a crash cut short stays, and the next is written behind it", _torn_tail_kept),
        Bug("tail cut one record too far", E, "with the rest of a write goes the last one that was acknowledged", _cut_too_far),
        Bug(
            "checksum not checked",
            E,
            "a frame whose content does not fit its checksum is believed",
            lambda _: _believing(log_frames.Fault.PAYLOAD),
        ),
        Bug(
            "hash chain not checked",
            E,
            "a frame that does not follow on what stands before it is believed",
            lambda _: _believing(log_frames.Fault.CHAIN),
        ),
        Bug("duplicate id applied", E, "an event said twice is taken twice", _duplicate_applied),
        Bug("dedupe forgotten after snapshot", E, "a snapshot does not tell which events were taken", _forgotten_after_snapshot),
        Bug("snapshot newer than its place", E, "a snapshot holds more than the log up to the place that it names", _snapshot_newer),
        Bug("late event applied out of rule", E, "a word older than the charter allows is taken", _late_applied),
        Bug(
            "expiry by the author's time",
            E,
            "signals expire by the time their authors' events claim",
            _expiry_by(lambda world, event: event.time_us),
        ),
        Bug("expiry by wall clock", E, "signals expire by the machine's clock", _expiry_by(lambda world, event: world.wall_us())),
        Bug("acceptance judged without its order", E, "an answer is judged after the word that follows it", _judged_out_of_order),
        Bug("capacity freed twice on release", E, "what a promise held is given back twice", _freed_twice),
        Bug("commitment on one acceptance", E, "the first acceptance commits all parties", _one_acceptance),
        Bug("released plan still reserved", E, "what a promise held is not given back", _still_reserved),
        Bug("place saved before effects", K, "how far the turns are is remembered before the turn is written", _place_before_effects),
        Bug("place never saved", K, "how far the turns are is never remembered", _place_never_saved),
        Bug("no epoch fence", K, "a turn stands whoever holds its partitions by now", _no_fence),
        Bug("epoch not stored", K, "the epoch of a claim is forgotten, so that an old one claims as well as a new one", _epoch_not_stored),
        Bug("two judges of one partition", K, "a coordinator judges words of partitions that others hold", _two_judges),
        Bug("producer retry with a new id", K, "decisions that are published again have other ids", _new_id_for_a_retry),
        Bug("outbox dropped on reconnect", K, "decisions that Kafka did not take are given up", _outbox_dropped),
        Bug(
            "published again without a look",
            K,
            "what Kafka did not take is handed over again by who was relieved meanwhile",
            _relieved_and_not_looking,
        ),
        Bug("wiped broker not noticed", K, "any broker is believed to be the one that was known", _wiped_unnoticed),
    )
}
