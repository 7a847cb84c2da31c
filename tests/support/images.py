"""A disk in memory that shows whoever watches what a crash in each operation would leave, so that a test can start again from it."""

import errno
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Image", "ImageDisk"]

Image = dict[Path, bytes]  # what stands in which file


@dataclass
class ImageDisk:
    """Implements `Disk` over files in memory. Before each change `watch` is told what it is and what a crash in it may leave."""

    files: dict[Path, bytearray] = field(default_factory=dict)
    synced: Image = field(default_factory=dict)  # by name, as they outlast a loss of power
    watch: Callable[[str, Iterable[Image]], None] | None = None
    fails: dict[str, int] = field(default_factory=dict)  # operation -> errno
    _locked: set[Path] = field(default_factory=set)

    @staticmethod
    def of(image: Image) -> "ImageDisk":
        """A disk that was found so."""
        return ImageDisk({path: bytearray(content) for path, content in image.items()}, dict(image))

    def open_to_append(self, path: Path) -> "_Handle":
        if path in self._locked:
            raise BlockingIOError(errno.EAGAIN, "locked")
        self._locked.add(path)
        self._changing("make", path, {**self._now(), path: bytes(self.files.setdefault(path, bytearray()))})
        return _Handle(self, path)

    def open_to_read(self, path: Path) -> "_Handle":
        if path not in self.files:
            raise FileNotFoundError(errno.ENOENT, "no such file")
        return _Handle(self, path)

    def create(self, path: Path) -> "_Handle":
        if path in self.files:
            raise FileExistsError(errno.EEXIST, "exists")
        self.files[path] = bytearray()
        return _Handle(self, path)

    def replace(self, source: Path, target: Path) -> None:
        self._fail("replace")
        moved = {**self._now(), target: bytes(self.files[source])}
        del moved[source]
        self._changing("replace", target, moved)
        self.files[target] = self.files.pop(source)

    def remove(self, path: Path) -> None:
        if path not in self.files:
            raise FileNotFoundError(errno.ENOENT, "no such file")
        del self.files[path]

    def names(self, folder: Path) -> list[str]:
        return sorted(path.name for path in self.files if path.parent == folder)

    def sync_folder(self, folder: Path) -> None:
        self._changing("sync folder", folder, self._now())
        contents = {path: self._kept.get(id(content), b"") for path, content in self.files.items()}
        self.synced = {**{path: kept for path, kept in self.synced.items() if path.parent != folder}, **contents}

    def __post_init__(self) -> None:
        self._kept: dict[int, bytes] = {id(content): bytes(content) for content in self.files.values()}  # by file, not by name

    def _now(self) -> Image:
        return {path: bytes(content) for path, content in self.files.items()}

    def _fail(self, operation: str) -> None:
        if operation in self.fails:
            raise OSError(self.fails[operation], errno.errorcode[self.fails[operation]])

    def _changing(self, operation: str, path: Path, *results: Image) -> None:
        """Show what a crash now may leave: what was synced, what stands, or any of the results."""
        if self.watch is not None:
            self.watch(f"{operation} {path.name}", (dict(self.synced), self._now(), *results))


class _Handle:
    """Implements `File`."""

    def __init__(self, disk: ImageDisk, path: Path) -> None:
        self._disk, self._path, self._content = disk, path, disk.files[path]

    def size(self) -> int:
        return len(self._content)

    def read(self, at: int, size: int) -> bytes:
        return bytes(self._content[at : at + size])

    def append(self, data: bytes) -> None:
        disk, before = self._disk, bytes(self._content)
        if "append" in disk.fails:
            self._content += data[: len(data) // 2]
        disk._fail("append")
        results = (before + part for part in _written_in_part(data, len(before)))
        disk._changing("append", self._path, *({**disk._now(), self._path: result} for result in results))
        self._content += data

    def truncate(self, size: int) -> None:
        self._disk._fail("truncate")
        self._disk._changing("truncate", self._path, {**self._disk._now(), self._path: bytes(self._content[:size])})
        del self._content[size:]

    def sync(self) -> None:
        self._disk._fail("sync")
        self._disk._changing("sync", self._path, self._disk._now())
        self._disk._kept[id(self._content)] = bytes(self._content)
        if self._path in self._disk.synced:
            self._disk.synced[self._path] = bytes(self._content)

    def close(self) -> None:
        self._disk._locked.discard(self._path)


def _written_in_part(data: bytes, at: int) -> Iterator[bytes]:
    """Yield what may stand of a write: its first part, nothing but its length, all but one sector, and all of it."""
    yield data[:1]
    yield data[: len(data) // 2]
    yield bytes(len(data))
    begin = 0
    while begin < len(data):
        end = begin + 512 - (at + begin) % 512
        if min(end, len(data)) - begin > 1:
            yield data[:begin] + bytes(min(end, len(data)) - begin) + data[end:]
        begin = end
    yield data
