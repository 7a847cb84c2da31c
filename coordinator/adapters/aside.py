"""Work in a process of its own, beside the one that serves: Ctrl-C at a terminal reaches both, and only the one that serves heeds it."""

import asyncio
import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnProcess
from typing import Any

from coordinator.errors import Unavailable

__all__ = ["Preparation", "begin_aside"]

PATIENCE_S = 5.0  # for what is being prepared: longer than loading takes what was compiled before
LOOKED_S = 0.1


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


class Preparation:
    """What has to be prepared once before some questions can be answered; they wait for it, but not for long."""

    def __init__(self, under_way: Callable[[], bool] = lambda: False, *, patience_s: float = PATIENCE_S) -> None:
        """`under_way` tells whether it still is; absent: nothing has to be prepared."""
        self.under_way, self._patience_s = under_way, patience_s

    async def done(self) -> None:
        """Return once it is; Unavailable where that takes long."""
        left_s = self._patience_s
        while self.under_way():
            if left_s <= 0:
                raise Unavailable("still getting ready: the solver is compiled once on a machine, about half a minute; try again")
            await asyncio.sleep(LOOKED_S)
            left_s -= LOOKED_S
