"""What makes several partitions one history: turns, each saying what of the signals it takes and what its writer decided before.

Turns stand in one partition, so they have an order of their own, and the judge goes by that alone. Whoever wants to act for a
partition of the signals claims it first; a turn stands only where it holds the latest claim of every partition it acts for, and
goes on in each exactly where that one was left. So partitions can be shared by several, and whoever was paused, cut off or killed
meanwhile may write what it likes: its turns are void, for every reader alike, and no broker has to be trusted with more than the
order of one partition.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from coordinator.errors import Refused
from coordinator.signals import event_json
from coordinator.stream import START, Place

__all__ = ["Standing", "Taking", "Turn", "TurnJudge", "published_forms", "turn_lines"]

PART_BYTES = 512 << 10  # of decisions in one record; a longer turn is written in several
WRITERS_KEPT = 10_000  # of those who hold nothing: so many starts ago nobody has a turn on its way any more


@dataclass(frozen=True, slots=True)
class Taking:
    """What a turn takes of one partition of the signals, and by what right."""

    epoch: int  # of the claim it rests on
    begin: int  # all records from `begin` up to `end`, which may be none
    end: int


@dataclass(frozen=True, slots=True)
class Turn:
    """One step of one coordinator: what it decided on the history it knew, and what is taken next."""

    writer: str  # who: another for every start of a coordinator
    number: int  # 1, 2, ... of this writer
    takes: Mapping[str, Taking] = field(default_factory=dict)  # by partition: all that its writer acts for
    claims: tuple[str, ...] = ()  # partitions it wants to act for from now on; such a turn takes and decides nothing
    epoch: int = 0  # of such a claim
    decisions: tuple[bytes, ...] = ()  # proposals and ledger records, as events; obeyed before anything is taken
    base: int = 0  # so many turns stood in the history they were decided on,
    basis: Place = START  # which had taken the signals so far
    state: str = ""  # and led to this, as a digest
    settled: int = 0  # this writer's turn up to which all that was decided stands in the streams for it,
    published: Place = START  # and how far those were written then


@dataclass(frozen=True, slots=True)
class Standing:
    """A turn that stands, and which one it is of all."""

    turn: Turn
    ordinal: int  # 1, 2, ... over all writers
    relieved: tuple[str, ...] = ()  # writers who hold nothing any more, by this claim


def turn_lines(turn: Turn, source: str, time_us: int) -> list[bytes]:
    """Return a turn as events, one or more: the last of them says that it is whole."""
    groups: list[list[str]] = [[]]
    size = 0
    for line in turn.decisions:
        if groups[-1] and size + len(line) > PART_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(line.decode())  # as it was said, to the last digit
        size += len(line)
    common = {
        "writer": turn.writer,
        "turn": turn.number,
        "takes": {name: [taking.epoch, taking.begin, taking.end] for name, taking in turn.takes.items()},
        "claims": list(turn.claims),
        "epoch": turn.epoch,
        "base": turn.base,
        "basis": dict(turn.basis.offsets),
        "state": turn.state,
        "settled": turn.settled,
        "published": dict(turn.published.offsets),
    }
    return [
        event_json(
            "turn",
            source,
            f"{turn.writer}.{turn.number}.{part}"[:128],
            time_us,
            {**common, "part": part, "whole": part == len(groups) - 1, "decisions": group},
            plain=True,
        )
        for part, group in enumerate(groups)
    ]


@dataclass(slots=True)
class _Parts:
    """What came so far of a turn that is written in several records."""

    number: int
    next_part: int = 0
    decisions: list[bytes] = field(default_factory=list)


@dataclass
class TurnJudge:
    """Tells which of the turns written stand. All who read the same turns judge alike."""

    number: int = 0  # so many stand
    epoch: int = 0  # of the last claim
    void: int = 0  # records that did not count
    ends: dict[str, int] = field(default_factory=dict)  # how far each partition of the signals was taken
    holders: dict[str, tuple[int, str]] = field(default_factory=dict)  # partition -> epoch and writer of its latest claim
    numbers: dict[str, int] = field(default_factory=dict)  # writer -> its last turn that stands; who wrote last comes last
    _parts: dict[str, _Parts] = field(default_factory=dict)  # by writer

    def take(self, line: bytes) -> Standing | None:
        """Return the turn that a record makes whole, if it does and the turn stands. What is no turn at all is void as well."""
        try:
            turn, part, whole = _read(line)
        except (Refused, KeyError, TypeError, ValueError):
            self.void += 1
            return None
        if turn.claims and not whole:  # a claim decides nothing, so it is never written in several
            self.void += 1
            return None
        # A writer that is not sure what arrived writes a turn again, from its first part.
        parts = _Parts(turn.number) if part == 0 else self._parts.get(turn.writer)
        if parts is None or (parts.number, parts.next_part) != (turn.number, part) or not self._may_stand(turn):
            self.void += 1
            return None
        parts.decisions.extend(turn.decisions)
        parts.next_part += 1
        if not whole:
            self._parts[turn.writer] = parts
            return None
        self._parts.pop(turn.writer, None)
        return self._stand(turn, tuple(parts.decisions))

    @property
    def place(self) -> Place:
        """How far the signals were taken, by all turns together."""
        return Place(tuple(sorted(self.ends.items())))

    def held(self, writer: str) -> frozenset[str]:
        """Return the partitions that a writer acts for."""
        holders = list(self.holders.items())  # at once: other threads ask while claims are judged
        return frozenset(name for name, (_, holder) in holders if holder == writer)

    def _may_stand(self, turn: Turn) -> bool:
        if turn.number != self.numbers.get(turn.writer, 0) + 1:
            return False
        if turn.claims:
            return turn.epoch == self.epoch + 1 and not turn.takes and not turn.decisions
        return bool(turn.takes) and all(
            self.holders.get(name) == (taking.epoch, turn.writer) and taking.begin == self.ends.get(name, 0) and taking.end >= taking.begin
            for name, taking in turn.takes.items()
        )

    def _stand(self, turn: Turn, decisions: tuple[bytes, ...]) -> Standing:
        self.number += 1
        self.numbers.pop(turn.writer, None)
        self.numbers[turn.writer] = turn.number
        before = {self.holders[name][1] for name in turn.claims if name in self.holders} - {turn.writer}
        for name in turn.claims:
            self.holders[name] = (turn.epoch, turn.writer)
        if turn.claims:
            self.epoch = turn.epoch
        for name, taking in turn.takes.items():
            if taking.end:
                self.ends[name] = taking.end
        relieved = tuple(sorted(writer for writer in before if not self.held(writer)))
        for writer in relieved:
            self._parts.pop(writer, None)  # the rest of that turn is void
        if turn.claims:
            self._forget_writers()
        return Standing(replace(turn, decisions=decisions), self.number, relieved)

    def _forget_writers(self) -> None:
        """Forget who wrote longest ago of too many who hold nothing. One that came back would count its turns from 1 again, as a new one.

        What it wrote before stays void: that rests on claims which others took from it.
        """
        holders = {writer for _, writer in self.holders.values()}
        idle = [writer for writer in self.numbers if writer not in holders] if len(self.numbers) > WRITERS_KEPT else []
        for writer in idle[: len(self.numbers) - WRITERS_KEPT]:
            del self.numbers[writer]


def published_forms(lines: Iterable[bytes], standing: Standing) -> list[bytes]:
    """Return decisions of a turn as others read them in their own streams: with its turn, its epoch and the positions it is based on."""
    turn = standing.turn
    basis = orjson.dumps(turn.basis.to_text())
    told = b'%s,"epoch":%d,"turn":%d,"basis":%s,"data":%s'
    epoch = max((taking.epoch for taking in turn.takes.values()), default=0)
    forms = []
    for line in lines:
        head, found, data = line.partition(b',"data":')  # within a text its quotation marks would be escaped
        assert found  # ours, with its data last
        forms.append(told % (head, epoch, standing.ordinal, basis, data))
    return forms


def _read(line: bytes) -> tuple[Turn, int, bool]:
    record = orjson.loads(line)
    if not isinstance(record, dict) or record.get("type") != "stigmergy.turn.v1":
        raise Refused("The record is no turn; in this stream only coordinators write. Keep others out of it.")
    data = record["data"]
    turn = Turn(
        writer=str(data["writer"]),
        number=_whole(data["turn"]),
        takes={name: Taking(*map(_whole, row)) for name, row in _members(data["takes"]).items()},
        claims=tuple(map(str, data["claims"])),
        epoch=_whole(data["epoch"]),
        decisions=tuple(_line(each) for each in data["decisions"]),
        base=_whole(data["base"]),
        basis=_place(data["basis"]),
        state=str(data["state"]),
        settled=_whole(data["settled"]),
        published=_place(data["published"]),
    )
    return turn, _whole(data["part"]), data["whole"] is True


def _line(value: object) -> bytes:
    if not isinstance(value, str):
        raise Refused(f"{value!r} is no text, as a decision is in a turn. Keep others out of this stream.")
    return value.encode()


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise Refused(f"{value!r} is no whole number, which a turn has there. Keep others out of this stream.")
    return value


def _members(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(f"{value!r} is no object, which a turn has there. Keep others out of this stream.")
    return value


def _place(offsets: object) -> Place:
    return Place(tuple(sorted((name, _whole(offset)) for name, offset in _members(offsets).items())))
