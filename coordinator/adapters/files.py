"""Files of events, charters and results: the few lines between the core and the disk."""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from coordinator.adapters.whole_files import write_all_or_nothing
from coordinator.charter import Charter, charter_from_toml
from coordinator.errors import Refused, Unavailable

__all__ = ["make_folder", "read_charter", "read_lines", "write_json_file", "write_lines"]


def read_charter(path: Path | None, *, table_needed: bool = True) -> Charter:
    """Return the charter in a TOML file; without a path the default charter. Refused where it cannot be read or is not valid.

    A file of settings may have no table ``[charter]``; of a file that was named as a charter it is needed.
    """
    if path is None:
        return Charter()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Refused(f"the charter {path} cannot be read ({_plain(error)}); check the path") from None
    except UnicodeDecodeError as error:
        raise Refused(f"the charter {path} is not UTF-8 from byte {error.start} on; save it as UTF-8") from None
    try:
        return charter_from_toml(text, table_needed=table_needed)
    except Refused as refused:
        raise Refused(f"{path}: {refused}") from None


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the numbered lines of a ``.jsonl`` or ``.jsonl.gz`` file, blank ones left out. Refused where it cannot be read.

    A compressed file that ends in the middle gives all lines before the break and then refuses, so nothing readable is lost.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.rstrip(b"\r\n")
    except (OSError, EOFError, gzip.zlib.error) as error:  # type: ignore[attr-defined]
        raise Refused(f"{path} cannot be read ({_plain(error)}); check the path and that the file is whole") from None


def make_folder(path: Path) -> None:
    """Make a folder for results, unless it is there. Refused where there can be none."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"{path} cannot be a folder for the results ({_plain(error)}); name another") from None


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines to a file, replacing what was there. Unavailable when the disk does not take them; then no half of them is left."""
    try:
        write_all_or_nothing(path, (line.encode() for line in lines))
    except OSError as error:
        raise Unavailable(f"{path} cannot be written ({_plain(error)}); check the folder and the space on the disk") from None


def write_json_file(path: Path, value: Any) -> None:
    """Write one JSON value, indented for people."""
    write_lines(path, [json.dumps(value, indent=2, ensure_ascii=False) + "\n"])


def _plain(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)
