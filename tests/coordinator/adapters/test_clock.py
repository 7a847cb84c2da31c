"""The clock follows small corrections and no jumps."""

from coordinator.adapters.clock import LARGEST_STEP_US, SteadyClock
from coordinator.times import DAY_US, SECOND_US


class Machine:
    def __init__(self) -> None:
        self.wall_us, self.elapsed_us = 10 * DAY_US, 5 * SECOND_US

    def go(self, seconds: int, *, correction_us: int = 0) -> None:
        self.elapsed_us += seconds * SECOND_US
        self.wall_us += seconds * SECOND_US + correction_us


def clock_of(machine: Machine) -> SteadyClock:
    return SteadyClock(lambda: machine.wall_us, lambda: machine.elapsed_us)


def test_it_tells_the_time_of_the_machine_and_follows_small_steps() -> None:
    machine = Machine()
    clock = clock_of(machine)
    machine.go(30)
    assert clock() == 10 * DAY_US + 30 * SECOND_US
    machine.go(10, correction_us=-LARGEST_STEP_US)
    assert (clock(), clock.jumped_us) == (machine.wall_us, 0)


def test_a_jump_is_not_followed_and_is_told() -> None:
    machine = Machine()
    clock = clock_of(machine)
    machine.go(60, correction_us=400 * DAY_US)
    assert (clock(), clock.jumped_us) == (10 * DAY_US + 60 * SECOND_US, 400 * DAY_US)
    machine.go(60)
    assert clock() == 10 * DAY_US + 120 * SECOND_US
    machine.go(60, correction_us=-400 * DAY_US)  # somebody set it right
    assert (clock(), clock.jumped_us) == (machine.wall_us, 0)
