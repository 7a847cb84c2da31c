"""An event loop that hears one socket in a turn and a few threads: when all come, speak or leave at once, nobody waits for all of them."""

import asyncio
import selectors
from collections import deque
from collections.abc import Callable
from contextvars import Context
from threading import Lock
from typing import TypeVarTuple

__all__ = ["FairLoop", "FewAtOnce", "fair_loop"]

Arguments = TypeVarTuple("Arguments")

AT_ONCE = 1  # sockets heard in one turn: what each of them begins runs in the turns after, beside what those heard then begin
HANDED = 1  # callbacks of other threads in one turn: most let a request go on whose answer is there, for a millisecond and more


def fair_loop() -> asyncio.AbstractEventLoop:
    """Return a loop that lets timers, and what waits from other threads, come between sockets."""
    return FairLoop(FewAtOnce())


class FairLoop(asyncio.SelectorEventLoop):
    """A loop that calls what other threads hand over in the order in which that came, a few in one turn."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        """Wait for sockets by `selector`."""
        super().__init__(selector)
        self._handed: deque[asyncio.Handle] = deque()
        self._is_taking = False
        self._handing = Lock()

    def call_soon_threadsafe(
        self, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        """Have a callback called in one of the turns to come; RuntimeError where the loop is closed."""
        handle = asyncio.Handle(callback, args, self, context)
        with self._handing:
            is_first = not self._is_taking
            if is_first:
                super().call_soon_threadsafe(self._take_some)
                self._is_taking = True
            self._handed.append(handle)
        return handle

    def _take_some(self) -> None:
        with self._handing:
            some = [self._handed.popleft() for _ in range(min(HANDED, len(self._handed)))]
            self._is_taking = more = bool(self._handed)
        for handle in some:
            self._add_callback(handle)  # type: ignore[attr-defined]
        if more:  # not `_is_taking`, which who handed something over meanwhile has set, and asked for a turn itself
            self.call_soon(self._take_some)


class FewAtOnce(selectors.DefaultSelector):
    """Says which sockets are ready a few at a time, each of them once before any is said again."""

    def __init__(self) -> None:
        super().__init__()
        self._ready: list[tuple[selectors.SelectorKey, int]] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the next few that are ready; wait for some only where none is left of those that were."""
        if not self._ready:
            self._ready = super().select(timeout)
        few, self._ready = self._ready[:AT_ONCE], self._ready[AT_ONCE:]
        known = self.get_map()
        return [(key, events) for key, events in few if known.get(key.fd) is key]  # else given up or changed since: asked for again
