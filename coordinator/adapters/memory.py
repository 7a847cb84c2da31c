"""How a process that holds a network looks for garbage: rarely, for nearly all it holds is there to stay."""

import gc

__all__ = ["collect_rarely"]


def collect_rarely() -> None:
    """Let Python look for rings of dead objects at every 50 000 new ones, not at every 700, and seldom through all that lives.

    What a signal leaves behind is freed at once, by count, and holds no rings. To walk a million signals again and again in search of
    some took a quarter of the time in which they were folded (tests/benchmarks/bench_stream.py).
    """
    gc.set_threshold(50_000, 20, 10)
