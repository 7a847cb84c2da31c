"""An event loop that hears a few sockets in one turn: when all come, speak or leave at once, the others wait for a few of them only."""

import asyncio
import selectors

__all__ = ["FewAtOnce", "fair_loop"]

AT_ONCE = 4  # sockets heard in one turn: what each of them begins runs in the turns after, beside what those heard then begin


def fair_loop() -> asyncio.AbstractEventLoop:
    """Return a loop that lets timers, and what waits from other threads, come between sockets."""
    return asyncio.SelectorEventLoop(FewAtOnce())


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
