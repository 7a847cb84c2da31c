"""What the embedded log, its snapshots and other lasting files ask of a disk, and the real one. Simulations give them another."""

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

__all__ = ["DISK", "PRIVATE", "Disk", "File", "RealDisk", "is_locked", "write_whole"]


class File(Protocol):
    """One open file. Every method may raise OSError as the system gives it."""

    def size(self) -> int:
        """Return how many bytes it has; FileNotFoundError where it was removed under its writer."""
        ...

    def read(self, at: int, size: int) -> bytes:
        """Return the bytes from `at` on, fewer only where the file ends."""
        ...

    def append(self, data: bytes) -> None:
        """Write at the end. After an error any first part of the data may stand there."""
        ...

    def truncate(self, size: int) -> None:
        """Cut the file to so many bytes."""
        ...

    def sync(self) -> None:
        """Return once all that was written will outlast a loss of power. After an error nothing can be said of what was not synced."""
        ...

    def close(self) -> None:
        """Let go of the file and of the lock on it."""
        ...


class Disk(Protocol):
    """Files in folders. Names come and go for good only once their folder was synced."""

    def open_to_append(self, path: Path) -> File:
        """Return the file, made empty where there is none, locked against every other that would append; BlockingIOError where one does.

        The lock ends with `close`, or with the process, however that ends.
        """
        ...

    def open_to_read(self, path: Path) -> File:
        """Return the file as it is, whoever appends to it; FileNotFoundError where there is none."""
        ...

    def create(self, path: Path) -> File:
        """Return a new empty file to be written; FileExistsError where the name is taken."""
        ...

    def replace(self, source: Path, target: Path) -> None:
        """Give a file another name, in place of whatever had it."""
        ...

    def remove(self, path: Path) -> None:
        """Take a name away; FileNotFoundError where there is none."""
        ...

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder, in order."""
        ...

    def sync_folder(self, folder: Path) -> None:
        """Return once the names in the folder will outlast a loss of power."""
        ...


class RealDisk:
    """The machine's own. Files are made with the rights `mode`, less what the umask takes away."""

    def __init__(self, mode: int = 0o666) -> None:
        self._mode = mode

    def open_to_append(self, path: Path) -> File:
        """Open or make a file, and lock it."""
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, self._mode)
        try:
            # A lock of the open file and not of the process: other descriptors, opened to read and closed again, do not end it.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(descriptor)
            raise
        return _RealFile(descriptor, path)

    def open_to_read(self, path: Path) -> File:
        """Open a file that is there."""
        return _RealFile(os.open(path, os.O_RDONLY), path)

    def create(self, path: Path) -> File:
        """Make a file that was not there."""
        return _RealFile(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, self._mode), path)

    def replace(self, source: Path, target: Path) -> None:
        """Rename, over what is there."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """Unlink."""
        path.unlink()

    def names(self, folder: Path) -> list[str]:
        """List a folder."""
        return sorted(os.listdir(folder))

    def sync_folder(self, folder: Path) -> None:
        """Sync the folder's own file."""
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some file systems know no such thing, and need none
                raise
        finally:
            os.close(descriptor)


class _RealFile:
    """A descriptor. Reads name their place, so threads may read while one appends."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self._path = path

    def size(self) -> int:
        """Ask the system."""
        found = os.fstat(self._descriptor)
        if found.st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, "the file was removed while it was open", str(self._path))
        return found.st_size

    def read(self, at: int, size: int) -> bytes:
        """Read until there is enough, or no more."""
        parts: list[bytes] = []
        while size > 0 and (part := os.pread(self._descriptor, size, at)):
            parts.append(part)
            at, size = at + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def append(self, data: bytes) -> None:
        """Write until all of it is written; a system may take a part at a time."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def truncate(self, size: int) -> None:
        """Cut."""
        os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        """Past the drive's own cache too, where the system leaves that to be asked for (macOS)."""
        if hasattr(fcntl, "F_FULLFSYNC"):
            fcntl.fcntl(self._descriptor, fcntl.F_FULLFSYNC)
        elif hasattr(os, "fdatasync"):
            os.fdatasync(self._descriptor)
        else:
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Close; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


DISK = RealDisk()
PRIVATE = RealDisk(0o600)  # of files that nobody but their owner may read, from the first moment


def is_locked(path: Path) -> bool:
    """Whether somebody has a file of the real disk open to append. Who may only read it can tell, too."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def write_whole(disk: Disk, path: Path, data: bytes) -> None:
    """Write a file that is there wholly or, whatever happens, as it was before; OSError where the disk does not do its part."""
    new = path.with_name(path.name + ".new")
    with suppress(FileNotFoundError):
        disk.remove(new)  # left by one that ended in the middle
    file = disk.create(new)
    try:
        file.append(data)
        file.sync()
    finally:
        file.close()
    disk.replace(new, path)
    disk.sync_folder(path.parent)
