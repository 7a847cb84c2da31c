"""Files of results, written wholly or not at all."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

__all__ = ["write_all_or_nothing"]


def write_all_or_nothing(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file in place of what was there; where that fails all stays as it was. OSError, with the file's name, as the system gives it.

    What is no plain file (a pipe, a device, a link) is written where it is.
    """
    in_place = path.is_symlink() or (path.exists() and not path.is_file())
    written = path if in_place else path.with_name(path.name + ".new")
    try:
        with written.open("wb") as file:
            file.writelines(parts)
        if not in_place:
            written.replace(path)
    except OSError as error:
        if not in_place:
            with suppress(OSError):
                written.unlink()
        error.filename = str(path)
        raise
