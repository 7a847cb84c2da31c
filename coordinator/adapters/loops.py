"""An event loop that hears one socket and one other thread in a turn: where all speak at once, nobody waits for all of them."""

import asyncio
import selectors
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import TypeVarTuple

__all__ = ["FairLoop", "FewAtOnce", "fair_loop"]

ASKED_AGAIN_S = 0.0005  # which sockets are ready, while there is something else to run

Arguments = TypeVarTuple("Arguments")


def fair_loop() -> asyncio.AbstractEventLoop:
    """Return a loop that lets timers, and what waits from other threads, come between sockets."""
    return FairLoop(FewAtOnce())


class FairLoop(asyncio.SelectorEventLoop):
    """A loop that calls what other threads hand over in the order in which that came, one in a turn.

    Most of it lets a request go on whose answer is there, for a millisecond and more. There is no lock: a handler of signals, or of what
    is looked for as garbage, may hand something over at any point of the loop's own thread, and would wait for itself.
    """

    def __init__(self, selector: selectors.BaseSelector) -> None:
        """Wait for sockets by `selector`."""
        super().__init__(selector)
        self._handed: deque[asyncio.Handle] = deque()  # touched in turns of the loop alone
        self._is_taking = False

    def call_soon_threadsafe(
        self, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        """Have a callback called in one of the turns to come; RuntimeError where the loop is closed."""
        handle = asyncio.Handle(callback, args, self, context)
        super().call_soon_threadsafe(self._line_up, handle)
        return handle

    def close(self) -> None:
        """Close the loop; what was handed over and not yet called never will be."""
        super().close()
        self._handed.clear()

    def _line_up(self, handle: asyncio.Handle) -> None:
        self._handed.append(handle)
        if not self._is_taking:
            self._is_taking = True
            self._take_next()

    def _take_next(self) -> None:
        if self._handed:
            self._add_callback(self._handed.popleft())  # type: ignore[attr-defined]
            self.call_soon(self._take_next)  # also after the last: what comes before that one is called has to wait for it
        else:
            self._is_taking = False


class FewAtOnce(selectors.DefaultSelector):
    """Says which sockets are ready one at a time, each of them once before any is said again.

    What is heard begins something that runs in the turns after, beside what others begin meanwhile. While that runs the system is not asked
    at every turn: to ask is to give the interpreter's lock away, and where other threads want it the loop waits for it as long as it works.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ready: deque[tuple[selectors.SelectorKey, int]] = deque()
        self._asked_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the next that is ready; wait for some only where none is left of those that were."""
        if not self._ready and (timeout != 0 or time.monotonic() >= self._asked_s + ASKED_AGAIN_S):
            self._ready.extend(super().select(timeout))
            self._asked_s = time.monotonic()
        if not self._ready:
            return []
        key, events = self._ready.popleft()
        return [(key, events)] if self.get_map().get(key.fd) is key else []  # else given up or changed since: asked for again
