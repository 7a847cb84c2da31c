"""Bugs planted one at a time, to prove that the simulation finds them. The product itself knows nothing of them.

Each is a patch of a named place in the product for the time of one schedule, with a sentence on what it breaks.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from coordinator import verdicts
from coordinator.adapters import file_log, log_frames
from coordinator.adapters.file_log import _Writer
from coordinator.commitments import Book, Deal
from coordinator.cycle import Coordination
from coordinator.network import Network
from coordinator.signals import Event

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
        self.file.sync()  # what came before; this one is acknowledged and synced with the next
        self.file.append(frame)

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


class _Forgetful(dict[str, bytes]):
    """Notes what was said and never finds it again."""

    def get(self, key: str, default: Any = None) -> Any:
        return default


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
    )
}
