"""Writes what a coordination takes in, and what it decides, to an embedded log: each event, then the decisions it led to."""

from pathlib import Path
from types import TracebackType

from coordinator.adapters.file_log import FileLog
from coordinator.cycle import Coordination
from coordinator.errors import Refused
from coordinator.signals import Event
from coordinator.stream import LEDGER, PROPOSAL, SIGNAL, Entry

__all__ = ["Recorder", "entry_of"]

AT_ONCE = 2_000  # entries committed together
STREAM_OF_KIND = {"proposal": PROPOSAL, "ledger": LEDGER}


def entry_of(event: Event, line: bytes) -> Entry:
    """Return where an event belongs: its stream, and the key that keeps its speaker's words in order."""
    stream = STREAM_OF_KIND.get(event.kind, SIGNAL)
    key = event.subject if stream == PROPOSAL else event.name
    if stream == LEDGER and event.data is not None:
        key = str(getattr(event.data, "agent", key))
    return Entry(stream, key, line)


class Recorder:
    """A new log at `path`, stamped with log time; without a path it only empties the outbox."""

    def __init__(self, path: Path | None, coordination: Coordination) -> None:
        if path is not None and path.exists():
            raise Refused(f"{path} exists; a recording needs a new file: name another, or remove that one")
        self._coordination = coordination
        self._log = FileLog(path, lambda: 0) if path else None
        self._waiting: list[Entry] = []

    def __enter__(self) -> "Recorder":
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Write the rest and let go of the file."""
        if self._log is not None:
            self._flush()
            self._log.close()

    def note(self, event: Event, line: bytes) -> None:
        """Take down an event that was taken in, and the decisions it led to."""
        if self._log is not None:
            self._wait(entry_of(event, line))
        self.note_decisions()

    def note_decisions(self) -> None:
        """Take down what waits in the outbox."""
        decided, self._coordination.outbox = self._coordination.outbox, []
        if self._log is not None:
            for entry in decided:
                self._wait(entry)
            if len(self._waiting) >= AT_ONCE:
                self._flush()

    def _wait(self, entry: Entry) -> None:
        self._waiting.append(Entry(entry.stream, entry.key, entry.event, self._coordination.log_us))

    def _flush(self) -> None:
        if self._log is not None and self._waiting:
            self._log.append(self._waiting)
        self._waiting = []
