"""How a process that holds a network looks for garbage: among what is new, for nearly all it holds is there to stay."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["collect_rarely", "setting_aside"]

# New objects before the youngest are looked at; such looks before what survived one is looked at again, which is some 1 000 objects,
# and then set aside; and those before Python looks at all that is not, of which nearly nothing is left. A look holds up all threads:
# among several thousand objects a server's loop did not come in time (tests/benchmarks/serve_stalls.py).
THRESHOLDS = (500, 1, 1)
LEAST_SETTLED = 1_024  # times that some is set aside before it is asked whether all has doubled, and from each such question to the next
# What came to be in use may be dead rings only where some were found among what was new: one of a hundred at least, as most die young.
FOUND_OF = 100


def collect_rarely() -> None:
    """Let Python look for rings of dead objects among what is new, set aside what survived, and look through all only where rings pile up.

    What a signal leaves behind is freed at once, by count, and holds no rings. To walk a million signals again and again in search of
    some took a quarter of the time in which they were folded (tests/benchmarks/bench_stream.py), and held up whoever waited for an
    answer for as long as a walk takes (tests/benchmarks/serve_stalls.py).
    """
    gc.set_threshold(*THRESHOLDS)
    if _settling not in gc.callbacks:
        gc.callbacks.append(_settling)


@contextmanager
def setting_aside() -> Iterator[None]:
    """Let Python look for no garbage in what is made meanwhile, and set it aside afterwards.

    For work that leaves no rings behind and makes millions of objects that stay: to look at each of them twice takes a tenth of the time
    in which a log is folded (tests/benchmarks/bench_log.py). Not where planning runs, which leaves rings, and not beside other threads,
    whose rings would be set aside with the rest.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()
            gc.enable()


class _Settling:
    """Sets aside what survived two looks, and has all looked through where memory in use has doubled and rings may be why.

    A ring that dies when it was set aside waits for that. Memory is counted, and not what was set aside in all: in a process that serves
    for months most of that is gone, and what is dead would be more and more. But to look through all holds up every thread for as long
    as it takes, a second and more for a large network; so it is done only where young rings were found too. Of those `coordinator serve`
    leaves next to none (solver/README.md tells how many were found, and beside what): what kafka-python leaves when a wait was in vain, our
    log lets go itself, and whom it asks which log this is, it keeps. After a failure, or where partitions are shared anew, clients are
    closed that leave some.
    """

    def __init__(self) -> None:
        self._times = 0
        self._found = 0  # objects in dead rings, since the last look through everything
        self._blocks_left = 0  # of memory, by that look
        self._awaits_whole = False

    def __call__(self, phase: str, about: dict[str, Any]) -> None:
        """Be told by Python that a look begins or ended."""
        if phase != "stop":
            return
        self._found += about["collected"]
        if about["generation"] < (2 if self._awaits_whole else 1):
            return
        gc.freeze()
        if self._awaits_whole:
            self._blocks_left, self._found = sys.getallocatedblocks(), 0
        self._times += 1
        self._awaits_whole = self._times % LEAST_SETTLED == 0 and self._may_be_dead(sys.getallocatedblocks() - self._blocks_left)
        if self._awaits_whole:
            gc.unfreeze()

    def _may_be_dead(self, more: int) -> bool:
        """Whether so many blocks more than were left may be in use because of dead rings."""
        return self._blocks_left < more <= FOUND_OF * self._found


_settling = _Settling()
