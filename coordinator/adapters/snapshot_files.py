"""Snapshots beside an embedded log: what the log adds up to at a place, so that a start folds only what came after.

A snapshot is a cache. It names its log, place and program; whatever does not fit, or is damaged, is passed over with a warning, and all
of the log is folded. It is taken by a reader of the log, in a process of its own where a coordinator serves.
"""

import hashlib
import multiprocessing
import os
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from functools import lru_cache
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any

import msgspec
import structlog

import coordinator
from coordinator.adapters.disk import DISK, Disk, write_whole
from coordinator.adapters.file_log import FileLog, Known
from coordinator.adapters.log_frames import Mark
from coordinator.charter import Charter
from coordinator.cycle import Coordination
from coordinator.errors import Refused, Unavailable
from coordinator.snapshots import FORM, freeze, thaw
from coordinator.stream import Record, sequence_place

__all__ = ["Snapshot", "Snapshots", "read_snapshot", "snapshot_path", "take_snapshot"]

MAGIC = b"\x89STGSNP\n"
LETTERS_KEPT = 1_000
LEAST_NEW = 10_000  # entries since the last snapshot, before another is worth it ...
NEW_SHARE = 40  # ... and one in so many of all
LOOK_S = 10.0
_DIGEST_BYTES = 32

logger = structlog.get_logger("coordinator.snapshots")


class _Head(msgspec.Struct):
    """What a snapshot is of."""

    form: int
    program: str
    charter: str
    log_id: bytes
    marks: list[tuple[int, int, bytes]]  # position, offset and chain of places in the log, the last of them the snapshot's own
    prefix: bytes  # sha256 of the log's file up to there
    logtime_us: int
    letters: int
    last_letters: list[tuple[int, Any]]  # log time and what was refused
    parked: list[str]


class Snapshot:
    """A snapshot that was read and fits this program and charter; whether it fits the log, the log says."""

    def __init__(self, head: _Head, state: bytes) -> None:
        self._head, self._state = head, state
        marks = tuple(Mark(*mark) for mark in head.marks)
        self.known = Known(head.log_id, marks, head.prefix, head.logtime_us)

    @property
    def entries(self) -> int:
        """How many entries of the log it holds."""
        return self.known.marks[-1].offset
