"""What makes several partitions one history: turns, each saying up to where a coordinator read and what it decided on it.

A turn is written before anything that it decided is shown, and into one partition, so that turns have an order of their own. The
judge goes by that order alone: the first turn with the next number stands, and only from the coordinator that claimed the latest
epoch. Another that was paused, cut off or started beside it may write what it likes: its turns are void, for every reader alike,
and no broker has to be trusted with more than the order of one partition.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from coordinator.errors import Refused
from coordinator.jsontext import read_json, write_json
from coordinator.signals import event_json
from coordinator.stream import START, Place

__all__ = ["Decision", "Turn", "TurnJudge", "published_form", "turn_lines"]

PART_BYTES = 512 << 10  # of decisions in one record; a longer turn is written in several


@dataclass(frozen=True, slots=True)
class Decision:
    """A record that a coordinator decided on, and when in its turn."""

    after: int  # so many records of the turn were taken before
    line: bytes  # a proposal or a ledger record, as an event


@dataclass(frozen=True, slots=True)
class Turn:
    """One step of a coordinator."""

    epoch: int  # which claim it rests on
    number: int  # 1, 2, ... over all epochs
    writer: str  # who: another for every start of a coordinator
    begin: Place  # of the signals: all of `begin` to `end`, merged, are what it took
    end: Place
    passed: tuple[int, ...] = ()  # which of them changed nothing: repeats, and what was refused
    decisions: tuple[Decision, ...] = ()
    settled: int = 0  # the turn up to which all that was decided stands in the streams for it,
    published: Place = START  # and how far those were written then


def turn_lines(turn: Turn, source: str, time_us: int) -> list[bytes]:
    """Return a turn as events, one or more: the last of them says that it is whole."""
    groups: list[list[dict[str, Any]]] = [[]]
    size = 0
    for decision in turn.decisions:
        if groups[-1] and size + len(decision.line) > PART_BYTES:
            groups.append([])
            size = 0
        groups[-1].append({"after": decision.after, "event": read_json(decision.line)})
        size += len(decision.line)
    common = {
        "epoch": turn.epoch,
        "turn": turn.number,
        "writer": turn.writer,
        "begin": dict(turn.begin.offsets),
        "end": dict(turn.end.offsets),
        "passed": list(turn.passed),
        "settled": turn.settled,
        "published": dict(turn.published.offsets),
    }
    return [
        event_json(
            "turn",
            source,
            f"{turn.epoch}.{turn.number}.{part}",
            time_us,
            {**common, "part": part, "whole": part == len(groups) - 1, "decisions": group},
        )
        for part, group in enumerate(groups)
    ]


@dataclass
class TurnJudge:
    """Tells which of the turns written stand. All who read the same turns judge alike."""

    epoch: int = 0
    number: int = 0  # of the last turn that stands
    writer: str = ""
    end: Place = START  # how far the signals were taken
    void: int = 0  # records that did not count
    _parts: list[Decision] = field(default_factory=list)
    _expected_part: int = 0

    def take(self, line: bytes) -> Turn | None:
        """Return the turn that a record makes whole, if it does and the turn stands. What is no turn at all is void as well."""
        try:
            turn, part, whole = _read(line)
        except (Refused, KeyError, TypeError, ValueError):
            self.void += 1
            return None
        claims = turn.epoch == self.epoch + 1 and part == 0
        # A writer that is not sure what arrived writes a turn again, from its first part.
        goes_on = turn.epoch == self.epoch and turn.writer == self.writer and part in (0, self._expected_part)
        if turn.number != self.number + 1 or turn.begin != self.end or not (claims or goes_on):
            self.void += 1
            return None
        if part == 0:
            self._parts = []
        self.epoch, self.writer = turn.epoch, turn.writer
        self._parts.extend(turn.decisions)
        self._expected_part = 0 if whole else part + 1
        if not whole:
            return None
        self.number, self.end = turn.number, turn.end
        decisions, self._parts = tuple(self._parts), []
        return replace(turn, decisions=decisions)


def published_form(line: bytes, turn: Turn) -> bytes:
    """Return a decision as others read it in its own stream: with its turn, its epoch and the positions it is based on."""
    record = read_json(line)
    assert isinstance(record, dict)  # ours
    data = record.pop("data")
    return write_json({**record, "epoch": turn.epoch, "turn": turn.number, "basis": turn.end.to_text(), "data": data})


def _read(line: bytes) -> tuple[Turn, int, bool]:
    record = read_json(line)
    if not isinstance(record, dict) or record.get("type") != "stigmergy.turn.v1":
        raise Refused("The record is no turn; in this stream only coordinators write. Keep others out of it.")
    data = record["data"]
    decisions = tuple(Decision(_whole(each["after"]), write_json(each["event"])) for each in data["decisions"])
    turn = Turn(
        _whole(data["epoch"]),
        _whole(data["turn"]),
        str(data["writer"]),
        _place(data["begin"]),
        _place(data["end"]),
        tuple(map(_whole, data["passed"])),
        decisions,
        _whole(data["settled"]),
        _place(data["published"]),
    )
    return turn, _whole(data["part"]), data["whole"] is True


def _whole(value: object) -> int:
    if type(value) is not int:
        raise Refused(f"{value!r} is no whole number, which a turn has there. Keep others out of this stream.")
    return value


def _place(offsets: object) -> Place:
    if not isinstance(offsets, dict):
        raise Refused(f"{offsets!r} is no place, which a turn has there. Keep others out of this stream.")
    return Place(tuple(sorted((name, _whole(offset)) for name, offset in offsets.items())))
