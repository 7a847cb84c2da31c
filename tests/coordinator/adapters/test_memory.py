"""Garbage is looked for rarely, and still found."""

import gc
import weakref

from coordinator.adapters.memory import collect_rarely


class Ring:
    """Something that holds itself."""

    def __init__(self) -> None:
        self.itself = self


def test_rings_of_dead_objects_still_go_by_themselves():
    before = gc.get_threshold()
    try:
        gc.set_threshold(700, 10, 10)  # as Python begins; a command run earlier in this process may have set it already
        collect_rarely()
        dead = weakref.ref(Ring())
        kept = [[number] for number in range(2 * gc.get_threshold()[0])]
        assert kept
        assert dead() is None
        assert gc.get_threshold()[0] > 700
    finally:
        gc.set_threshold(*before)
