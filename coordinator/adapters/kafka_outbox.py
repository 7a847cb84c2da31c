"""What stands decided and is to be put into the streams for it: by whoever wrote the turn, else by who took over from that one.

What others read in those streams stands already by its turn; read twice, it is one. At most one handful of a writer is on its way at
a time, so that a proposal and its end come there in this order where one writer decides both, and what may be lost is handed over again
only once its writer has looked at whether it is still the one to do so. Between writers the order is not kept: the end may stand before
the proposal where another decided it that shares the work, or that took over since the first one looked, and where the client still
holds what was given up. Who takes over what another left puts what was decided since of the same proposals behind it once more, as far as
that stands there by then. By the turns such a proposal has ended; only who goes by the last record of a key takes it for open.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from coordinator.errors import Refused
from coordinator.jsontext import read_json
from coordinator.stream import LEDGER, PROPOSAL, START, Entry, Place, Record
from coordinator.turns import Standing, published_forms

__all__ = ["Outbox"]

_NUMBER = re.compile("[0-9]{1,18}")  # more turns than there will ever be; what a stranger writes may be of any length


@dataclass(frozen=True, slots=True)
class _Owed:
    """What a turn of somebody else decided, for as long as that may not stand in the streams for it."""

    number: int  # of a turn of who is to publish it
    entries: tuple[Entry, ...]  # as others read them
    published: Place  # how far the streams were written before


@dataclass
class Outbox:
    """What one writer has to publish, and what it would have to if others ended."""

    writer: str
    waiting: list[Entry] = field(default_factory=list)
    underway: list[Entry] = field(default_factory=list)  # handed over, and not known to stand yet
    settled: int = 0  # the turn of its own up to which all is published
    _departed: tuple[int, Place] = (0, START)  # the turn of its own up to which they were decided, and what was published before
    _published: dict[str, int] = field(default_factory=dict)
    _owed: dict[str, deque[_Owed]] = field(default_factory=dict)  # by other writer
    _inherited: list[_Owed] = field(default_factory=list)

    @property
    def published(self) -> Place:
        """How far the streams were written, as far as is known here."""
        return Place(tuple(sorted(self._published.items())))

    def note(self, standing: Standing, decided: Sequence[Entry]) -> None:
        """Take down what a turn that stands decided, and who leaves what to whom by it."""
        turn = standing.turn
        forms = published_forms((entry.event for entry in decided), standing)
        told = tuple(Entry(entry.stream, entry.key, form) for entry, form in zip(decided, forms, strict=True))
        for name, offset in turn.published.offsets:
            self._published[name] = max(self._published.get(name, 0), offset)
        if turn.writer == self.writer:
            self.waiting.extend(told)
        else:
            owed = self._owed.setdefault(turn.writer, deque())
            while owed and owed[0].number <= turn.settled:
                owed.popleft()
            if told:
                owed.append(_Owed(turn.number, told, turn.published))
        for writer in standing.relieved:
            self._leave(writer, standing)

    def depart(self, number: int) -> list[Entry]:
        """Return what waits, to be handed over: all that this writer decided up to a turn of its own, and what others left it."""
        assert not self.underway  # which might come behind it
        self.underway, self.waiting = self.waiting, []
        self._departed = number, self.published
        return self.underway

    def arrived(self, records: Iterable[Record]) -> None:
        """Note that all that was handed over stands in its streams now."""
        for record in records:
            name, _, offset = record.position.rpartition("/")
            self._published[name] = max(self._published.get(name, 0), int(offset) + 1)
        self.underway, self.settled = [], self._departed[0]

    def settle(self, read: Callable[[tuple[str, ...], Place], Iterator[Record]]) -> None:
        """Have what others left wait here, but for what stands in the streams already; and behind it what was decided since of the same."""
        if not self._inherited:
            return
        begins: dict[str, int] | None = None
        for owed in self._inherited:
            offsets = dict(owed.published.offsets)
            begins = offsets if begins is None else {name: min(offset, offsets[name]) for name, offset in begins.items() if name in offsets}
        begin = Place(tuple(sorted((begins or {}).items()))) if begins else START
        owed_of = {entry.key for owed in self._inherited for entry in owed.entries if entry.stream == PROPOSAL}
        known: set[object] = set()
        handed_over: dict[object, Entry] = {}  # of the same proposals alone: all that was written since may be much
        for record in read((PROPOSAL, LEDGER), begin):
            entry = record.entry
            known.add(_id(entry.event))
            if entry.stream == PROPOSAL and entry.key in owed_of:
                handed_over[_id(entry.event)] = entry
        handed_over |= {_id(entry.event): entry for entry in self.underway}
        left = [entry for owed in self._inherited for entry in owed.entries if _id(entry.event) not in known]
        since: dict[str, int] = {}  # the turn before which all that stands of a proposal may stay as it is
        for entry in left:
            if entry.stream == PROPOSAL:
                since[entry.key] = min(_turn(entry), since.get(entry.key, _turn(entry)))
        again = [one for one in handed_over.values() if one.stream == PROPOSAL and one.key in since and _turn(one) > since[one.key]]
        self.waiting = sorted((*left, *again, *self.waiting), key=_turn)
        self._inherited = []

    def _leave(self, writer: str, standing: Standing) -> None:
        """Hand what one writer owes to the one who took all from it."""
        heir = standing.turn
        if writer == self.writer:  # the heir may end before it published this, and leave it in turn
            place = self._departed[1] if self.underway else self.published  # before which none of it stands
            entries, self.underway, self.waiting = (*self.underway, *self.waiting), [], []
            owed = deque([_Owed(heir.number, entries, place)] if entries else [])
        else:
            owed = self._owed.pop(writer, deque())
        if heir.writer == self.writer:
            self._inherited.extend(owed)
        else:
            left = (replace(each, number=heir.number) for each in owed)
            self._owed.setdefault(heir.writer, deque()).extend(left)


def _id(line: bytes) -> object:
    """Return what tells an event from others; None where that cannot be read, as of what is none of ours."""
    record = _record(line)
    told = record.get("source"), record.get("id")
    return told if all(isinstance(each, str) for each in told) else None


def _turn(entry: Entry) -> int:
    """Return which of all turns decided what others read; 0 where that is not told, as by what is none of ours."""
    told = _record(entry.event).get("turn")
    if isinstance(told, str) and _NUMBER.fullmatch(told):  # as Kafka gives it back: there it was a header
        return int(told)
    return told if type(told) is int else 0


def _record(line: bytes) -> dict[str, object]:
    try:
        record = read_json(line)
    except Refused:
        return {}
    return record if isinstance(record, dict) else {}
