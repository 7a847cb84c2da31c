"""Work in a process of its own, beside the one that serves: Ctrl-C at a terminal reaches both, and only the one that serves heeds it."""

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnProcess
from typing import Any

__all__ = ["begin_aside"]


def begin_aside(work: Callable[..., None], *given: Any) -> SpawnProcess:
    """Return a process that does this work; it ends with whoever began it. OSError where the system gives no further process."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=given, daemon=True)
    resource_tracker.ensure_running()  # where it is begun, it unblocks the signal that is blocked here
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()  # What is blocked stays blocked in it, from its first moment on: it would tell of Ctrl-C by a traceback.
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process
