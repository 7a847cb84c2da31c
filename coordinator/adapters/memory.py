"""How a process that holds a network looks for garbage: among what is new, for nearly all it holds is there to stay."""

import gc
from itertools import count
from typing import Any

__all__ = ["collect_rarely"]

# New objects before the youngest are looked at, such looks before what survived one is looked at again, and those before all is that
# was not set aside: some 8 000 objects, which takes milliseconds. Python's own numbers lead to looks through all there is.
THRESHOLDS = (2_000, 1, 1)
LEAST_SETTLED = 256  # times that some is set aside before all is looked through for the first time; from then on at each doubling

_settled = count(1)


def collect_rarely() -> None:
    """Let Python look for rings of dead objects among what is new, set aside what survived, and seldom look through all that lives.

    What a signal leaves behind is freed at once, by count, and holds no rings. To walk a million signals again and again in search of
    some took a quarter of the time in which they were folded (tests/benchmarks/bench_stream.py), and held up whoever waited for an
    answer for as long as a walk takes (tests/benchmarks/serve_stalls.py).
    """
    gc.set_threshold(*THRESHOLDS)
    if _settle not in gc.callbacks:
        gc.callbacks.append(_settle)


def _settle(phase: str, about: dict[str, Any]) -> None:
    """Set aside what survived a look through all that was not; a ring that dies there waits for the look through everything."""
    if phase != "stop" or about["generation"] != 2:
        return
    gc.freeze()
    number = next(_settled)
    if number >= LEAST_SETTLED and number.bit_count() == 1:
        gc.unfreeze()  # The next look goes through everything.
