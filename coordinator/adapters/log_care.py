"""What can be said of an embedded log without changing it, and the one change that helps where its end is damaged."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from coordinator.adapters.disk import DISK, Disk, File, is_locked, write_whole
from coordinator.adapters.file_log import Unsound, explained, frames, opened_head
from coordinator.adapters.log_frames import HEAD_BYTES, last_logtime_us, loose_frames
from coordinator.errors import Refused

__all__ = ["Health", "Repair", "examine", "is_held", "repair_tail"]

_STEP_BYTES = 1 << 20

Told = Callable[[int], None]  # how many bytes were read so far


@dataclass(frozen=True, slots=True)
class Health:
    """What a log holds, as far as it can be read, and how it ends."""

    state: Literal["sound", "torn", "damaged"]
    log_id: str
    entries: int  # sound ones from the beginning
    frames: int
    sound_bytes: int
    file_bytes: int
    chain: str  # over all that is sound: whoever noted it can tell later that nothing before it was changed
    last_logtime_us: int | None
    fault: str | None  # what stands where the sound part ends, if the file does not end there
    whole_after: int  # entries that are whole behind the fault


@dataclass(frozen=True, slots=True)
class Repair:
    """What was cut from a log, and where it is kept."""

    cut_bytes: int
    kept_in: Path


def examine(path: Path, *, disk: Disk = DISK, told: Told | None = None) -> Health:
    """Read all of a log and return how it is. Refused where it cannot be read as a log at all; a writer may be at work meanwhile."""
    with explained(path):
        try:
            file = disk.open_to_read(path)
        except FileNotFoundError:
            raise Refused(f"There is no log at {path}. Check the path.") from None
        with closing(file):
            return _examined(path, file, told or _say_nothing)


def is_held(path: Path) -> bool:
    """Whether some process is open to append to a log that is there."""
    with explained(path):
        return is_locked(path)


def repair_tail(path: Path, *, disk: Disk = DISK, give_up: int = 0, told: Told | None = None) -> Repair | None:
    """Cut what is not sound from the end of a log and keep it in a file beside it; return what was done, None where nothing had to be.

    Where whole entries stand behind the damage they would go too: Refused, unless `give_up` says how many.
    """
    with explained(path):
        file = disk.open_to_append(path) if path.name in disk.names(path.parent) else None
    if file is None:
        raise Refused(f"There is no log at {path}. Check the path.")
    with closing(file), explained(path):
        health = _examined(path, file, told or _say_nothing)
        if health.state == "sound":
            return None
        if health.whole_after != give_up:
            raise Refused(
                f"{health.whole_after} whole entries stand behind the damage of {path} at {health.fault}; cutting there loses them. "
                f"Restore the file from a copy; if they are to be given up, say so: --give-up {health.whole_after}"
            )
        rest = file.read(health.sound_bytes, health.file_bytes - health.sound_bytes)
        kept = _free_name(disk, path, health.sound_bytes)
        write_whole(disk, kept, rest)
        file.truncate(health.sound_bytes)
        file.sync()
        return Repair(len(rest), kept)


def _examined(path: Path, file: File, told: Told) -> Health:
    end = file.size()
    log_id, mark = opened_head(path, file.read(0, HEAD_BYTES))
    count, next_told, last, unsound = 0, _STEP_BYTES, None, None
    try:
        for buffer, _, frame in frames(file, mark, end):
            mark, count, last = frame.after, count + 1, (buffer, frame)
            if mark.position >= next_told:
                told(mark.position)
                next_told = mark.position + _STEP_BYTES
    except Unsound as found:
        unsound = found
    state: Literal["sound", "torn", "damaged"] = "sound" if unsound is None else "torn" if unsound.by_crash else "damaged"
    return Health(
        state=state,
        log_id=log_id.hex(),
        entries=mark.offset,
        frames=count,
        sound_bytes=mark.position,
        file_bytes=end,
        chain=mark.chain.hex(),
        last_logtime_us=last_logtime_us(*last) if last else None,
        fault=None if unsound is None else str(unsound),
        whole_after=0 if state != "damaged" else sum(loose_frames(file.read(mark.position, end - mark.position))),
    )


def _free_name(disk: Disk, path: Path, position: int) -> Path:
    taken = set(disk.names(path.parent))
    name = f"{path.name}.cut-at-{position}"
    number = 1
    while name in taken:
        number += 1
        name = f"{path.name}.cut-at-{position}-{number}"
    return path.with_name(name)


def _say_nothing(_: int) -> None:
    pass
