"""The clock that stamps a log: it follows small corrections of the machine's time, and no jumps."""

import time
from collections.abc import Callable
from threading import Lock

from coordinator.times import SECOND_US

__all__ = ["SteadyClock", "wall_us"]

LARGEST_STEP_US = 600 * SECOND_US

# The clock that also counts while a machine sleeps, where the system has one: waking up is no jump.
_ELAPSED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def wall_us() -> int:
    """Return the machine's time, in microseconds since 1970 UTC."""
    return time.time_ns() // 1_000


def _elapsed_us() -> int:
    return time.clock_gettime_ns(_ELAPSED) // 1_000


class SteadyClock:
    """Microseconds since 1970 UTC. A step of more than ten minutes is not followed; `jumped_us` says how far off the machine is.

    A log never goes back in time. One wrong hour of a machine's clock would let everything expire, and hold the log there.
    """

    def __init__(self, wall: Callable[[], int] = wall_us, elapsed: Callable[[], int] = _elapsed_us) -> None:
        self._wall, self._elapsed = wall, elapsed
        self._lock = Lock()
        self._told_us, self._told_at_us = wall(), elapsed()
        self.jumped_us = 0

    def __call__(self) -> int:
        """Return the time of now."""
        with self._lock:
            now_us, elapsed_us = self._wall(), self._elapsed()
            expected_us = self._told_us + elapsed_us - self._told_at_us
            self.jumped_us = now_us - expected_us if abs(now_us - expected_us) > LARGEST_STEP_US else 0
            self._told_us = expected_us if self.jumped_us else now_us
            self._told_at_us = elapsed_us
            return self._told_us
