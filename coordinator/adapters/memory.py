"""How a process that holds a network looks for garbage: among what is new, for nearly all it holds is there to stay."""

import gc
from typing import Any

__all__ = ["collect_rarely"]

# New objects before the youngest are looked at; such looks before what survived one is looked at again, which is some 8 000 objects
# and takes milliseconds, and then set aside; and those before Python looks at all that is not, of which nearly nothing is left.
THRESHOLDS = (2_000, 3, 1)
LEAST_SETTLED = 256  # times that some is set aside before all is looked through for the first time; from then on at each doubling


def collect_rarely() -> None:
    """Let Python look for rings of dead objects among what is new, set aside what survived, and seldom look through all that lives.

    What a signal leaves behind is freed at once, by count, and holds no rings. To walk a million signals again and again in search of
    some took a quarter of the time in which they were folded (tests/benchmarks/bench_stream.py), and held up whoever waited for an
    answer for as long as a walk takes (tests/benchmarks/serve_stalls.py).
    """
    gc.set_threshold(*THRESHOLDS)
    if _settling not in gc.callbacks:
        gc.callbacks.append(_settling)


class _Settling:
    """Sets aside what survived two looks; a ring that dies there waits for the look through everything."""

    def __init__(self) -> None:
        self._times = 0
        self._awaits_whole = False

    def __call__(self, phase: str, about: dict[str, Any]) -> None:
        """Be told by Python that a look begins or ended."""
        if phase != "stop" or about["generation"] < (2 if self._awaits_whole else 1):
            return
        gc.freeze()
        self._times += 1
        self._awaits_whole = self._times >= LEAST_SETTLED and self._times.bit_count() == 1
        if self._awaits_whole:
            gc.unfreeze()


_settling = _Settling()
