"""A disk in memory that keeps what was synced, and of the rest what chance leaves of it when the power goes.

A write that was not synced may be there after a loss of power, or a first part of it, or some of its sectors; the others read as
zeros. After a sync that failed the system calls the pages clean: a later sync does not write them, whatever it returns.
"""

import errno
from pathlib import Path

from tests.simulation.scheduler import Scheduler

__all__ = ["Crash", "SimulatedDisk"]

SECTOR_BYTES = 512


class Crash(BaseException):
    """The process ended in the middle of what it did."""


class _Inode:
    def __init__(self) -> None:
        self.seen = bytearray()  # what a process reads
        self.kept = b""  # what outlasts a loss of power for sure
        self.lost: list[tuple[int, int]] = []  # never written, though the system believes so
        self.writer: _Handle | None = None


class SimulatedDisk:
    """Implements `Disk`. `crash_in` counts the operations until the process dies in one; `faults` fail the next ones of a kind."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.crash_in: int | None = None
        self.faults: list[tuple[str, int]] = []  # kind of operation, errno
        self.dead = False
        self._names: dict[Path, _Inode] = {}
        self._kept_names: dict[Path, _Inode] = {}

    # -- the port -----------------------------------------------------------------------------------------------------

    def open_to_append(self, path: Path) -> "_Handle":
        self.touch("open")
        inode = self._names.get(path)
        if inode is None:
            inode = self._names[path] = _Inode()
        if inode.writer is not None:
            raise BlockingIOError(errno.EAGAIN, "locked")
        inode.writer = _Handle(self, inode, path)
        return inode.writer

    def open_to_read(self, path: Path) -> "_Handle":
        self.touch("open")
        return _Handle(self, self._at(path), path)

    def create(self, path: Path) -> "_Handle":
        self.touch("open")
        if path in self._names:
            raise FileExistsError(errno.EEXIST, "exists")
        inode = self._names[path] = _Inode()
        return _Handle(self, inode, path)

    def replace(self, source: Path, target: Path) -> None:
        self.touch("replace")
        self._names[target] = self._at(source)
        del self._names[source]

    def remove(self, path: Path) -> None:
        self.touch("remove")
        self._at(path)
        del self._names[path]

    def names(self, folder: Path) -> list[str]:
        self.touch("names")
        return sorted(path.name for path in self._names if path.parent == folder)

    def sync_folder(self, folder: Path) -> None:
        self.touch("sync")
        self._kept_names = {
            **{path: inode for path, inode in self._kept_names.items() if path.parent != folder},
            **{path: inode for path, inode in self._names.items() if path.parent == folder},
        }

    def _at(self, path: Path) -> _Inode:
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
        return self._names[path]

    # -- what goes wrong ----------------------------------------------------------------------------------------------

    def touch(self, kind: str) -> None:
        """Count an operation; end the process in it, or fail it, where that is its turn."""
        if self.dead:
            raise Crash
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in <= 0:
                self.die()
                raise Crash
        for index, (failing, number) in enumerate(self.faults):
            if failing == kind:
                del self.faults[index]
                raise OSError(number, errno.errorcode[number])

    def die(self) -> None:
        """End the process that uses the disk; its locks are gone with it."""
        self.dead, self.crash_in = True, None
        for inode in self._names.values():
            inode.writer = None

    def come_back(self, *, power_was_lost: bool) -> None:
        """Let another process begin; what was not synced is as chance left it where the power was lost."""
        self.dead = False
        self.faults.clear()
        for inode in self._names.values():
            inode.writer = None
            for begin, end in inode.lost:  # pages called clean are let go of, and read anew from where they never came
                _blank(inode.seen, begin, end)
        if power_was_lost:
            if self.scheduler.chance(0.5):
                self._names = {**self._kept_names}
            for inode in dict.fromkeys([*self._names.values(), *self._kept_names.values()]):  # in one order, whatever their addresses
                inode.seen = bytearray(self._left_of(inode))
                inode.kept, inode.lost = bytes(inode.seen), []
            self._kept_names = {**self._names}

    def _left_of(self, inode: _Inode) -> bytes:
        random, seen, kept = self.scheduler.random, bytes(inode.seen), inode.kept
        same = _common(seen, kept)
        if len(seen) <= same or random.random() < 0.3:
            return kept  # also where the file was only cut: that was not synced either
        left = bytearray(seen[: random.randint(same, len(seen)) if random.random() < 0.5 else len(seen)])
        holes = [(begin, end) for begin, end in inode.lost if begin < len(left)]
        if random.random() < 0.5:
            begin = same
            while begin < len(left):
                end = begin - begin % SECTOR_BYTES + SECTOR_BYTES
                # One byte alone is no sector to the product: whether it was ever written is for a person to decide (`log repair-tail`).
                if random.random() < 0.4 and min(end, len(left)) - begin > 1:
                    holes.append((begin, end))
                begin = end
        for begin, end in holes:
            _blank(left, begin, end)
        return bytes(left)

    # -- for those who look on ----------------------------------------------------------------------------------------

    def content(self, path: Path) -> bytearray:
        """Return what stands in a file now, for whoever looks at it from outside; not to be changed but to damage it."""
        return self._names[path].seen if path in self._names else bytearray()

    def put(self, path: Path, data: bytes) -> None:
        """Have a file hold this, for good: a copy put back, or damage done while nobody looked."""
        self._names[path].seen, self._names[path].kept = bytearray(data), bytes(data)


class _Handle:
    """Implements `File`."""

    def __init__(self, disk: SimulatedDisk, inode: _Inode, path: Path) -> None:
        self._disk, self._inode, self._path = disk, inode, path

    def size(self) -> int:
        self._disk.touch("size")
        if self._path not in self._disk._names:
            raise FileNotFoundError(errno.ENOENT, "removed", str(self._path))
        return len(self._inode.seen)

    def read(self, at: int, size: int) -> bytes:
        self._disk.touch("read")
        return bytes(self._inode.seen[at : at + size])

    def append(self, data: bytes) -> None:
        try:
            self._disk.touch("append")
        except (Crash, OSError):
            # What could be written before the end, or before the disk was full.
            if self._disk.scheduler.chance(0.7):
                self._inode.seen += data[: self._disk.scheduler.random.randrange(len(data) + 1)]
            raise
        self._inode.seen += data

    def truncate(self, size: int) -> None:
        self._disk.touch("truncate")
        del self._inode.seen[size:]
        # What is written there again is written anew.
        self._inode.lost = [(begin, min(end, size)) for begin, end in self._inode.lost if begin < size]

    def sync(self) -> None:
        inode = self._inode
        try:
            self._disk.touch("sync")
        except OSError:
            inode.lost.append((_common(inode.seen, inode.kept), len(inode.seen)))
            raise
        kept = bytearray(inode.seen)
        for begin, end in inode.lost:
            _blank(kept, begin, end)
        inode.kept = bytes(kept)

    def close(self) -> None:
        if self._inode.writer is self:
            self._inode.writer = None


def _blank(content: bytearray, begin: int, end: int) -> None:
    """Have zeros stand where something was never written, as far as the content goes."""
    end = min(end, len(content))
    content[begin:end] = bytes(max(0, end - begin))


def _common(one: bytes | bytearray, other: bytes | bytearray) -> int:
    """Return how many first bytes two contents share."""
    if one.startswith(other):
        return len(other)
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
