"""One seed decides everything: which event comes next, how long things take, what fails. No thread, no real time, no real waiting.

What would be a thread is a greenlet, switched only where it waits. A queue of events in simulated time says who goes on.
"""

import hashlib
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from random import Random

from greenlet import getcurrent, greenlet

__all__ = ["BEGIN_US", "MINUTE_US", "SECOND_US", "Condition", "Flag", "Invariant", "Process", "Scheduler"]

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
BEGIN_US = 1_772_323_200 * SECOND_US  # 2026-03-01
NEVER_US = 1 << 62


class Invariant(AssertionError):
    """What must hold whatever fails, and did not."""

    def __init__(self, name: str, told: str) -> None:
        super().__init__(f"{name}: {told}")
        self.name = name


class Process:
    """What lives and dies together: a program on a machine. Paused, nothing of it goes on until it is woken."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.paused_until_us = 0
        self.tasks: list[greenlet] = []


class Scheduler:
    """The queue of what is to happen, the true time, and the trace of what did."""

    def __init__(self, seed: int, *, told: bool = False) -> None:
        self.random = Random(seed)
        self.now_us = BEGIN_US
        self.told = told
        self.steps = 0
        self.failure: BaseException | None = None
        self._queue: list[tuple[int, float, int, Callable[[], None]]] = []
        self._count = 0
        self._trace = hashlib.sha256()
        self._hub = getcurrent()
        self._begun: list[Process] = []

    def note(self, text: str) -> None:
        """Add a line to the trace; two runs of a seed have the same."""
        line = f"{(self.now_us - BEGIN_US) / SECOND_US:10.3f} {text}"
        self._trace.update(line.encode() + b"\n")
        if self.told:
            print(line)

    def trace(self) -> str:
        """Return the digest of all notes so far."""
        return self._trace.hexdigest()

    def chance(self, share: float) -> bool:
        """Return True in so many of all cases."""
        return self.random.random() < share

    def after(self, delay_us: int, work: Callable[[], None]) -> None:
        """Have something happen later. Of what falls on one moment, chance decides the order."""
        self._count += 1
        heappush(self._queue, (self.now_us + delay_us, self.random.random(), self._count, work))

    def run(self, until_us: int, check: Callable[[], None]) -> None:
        """Let everything happen that is due by then, and check after each step."""
        while self._queue and self._queue[0][0] <= until_us:
            at_us, _, _, work = heappop(self._queue)
            self.now_us = max(self.now_us, at_us)
            self.steps += 1
            work()
            if self.failure is not None:
                raise self.failure
            check()
        self.now_us = max(self.now_us, until_us)

    # -- what would be threads ----------------------------------------------------------------------------------------

    def begin(self, process: Process, work: Callable[[], None]) -> greenlet:
        """Run something beside all else, as part of a process."""

        def guarded() -> None:
            try:
                work()
            except Invariant as broken:
                self.failure = broken
            except Exception as error:  # nothing that is simulated may end so
                self.failure = error

        task = greenlet(guarded, self._hub)
        process.tasks = [one for one in process.tasks if not one.dead]
        if not process.tasks:
            self._begun.append(process)
        process.tasks.append(task)
        self.after(0, lambda: self._go_on(process, task))
        return task

    def sleep(self, process: Process, delay_us: int) -> None:
        """Wait, in a greenlet; for ever where its process ended meanwhile."""
        task = getcurrent()
        if task is self._hub:
            return
        self.after(delay_us, lambda: self._go_on(process, task))
        self._hub.switch()

    def wait(self, process: Process, delay_us: int, wakers: Iterable[list[Callable[[], None]]]) -> None:
        """Wait, so long at most, for whoever calls what is added to `wakers`."""
        task = getcurrent()
        gone_on: list[bool] = []

        def wake() -> None:
            if not gone_on:
                gone_on.append(True)
                self._go_on(process, task)

        for each in wakers:
            each.append(lambda: None if gone_on else self.after(1, wake))
        self.after(delay_us, wake)
        self._hub.switch()

    def kill(self, process: Process) -> None:
        """End a process where it stands: nothing of it runs any more, not even what it would do at its end that the world could see."""
        process.alive = False
        for task in process.tasks:
            if not task.dead and task:
                task.throw()
        process.tasks = []

    def end(self) -> None:
        """End all that still stands somewhere: nobody else would free what it holds."""
        for process in self._begun:
            self.kill(process)
        self._queue.clear()

    def _go_on(self, process: Process, task: greenlet) -> None:
        if not process.alive or task.dead:
            return
        if process.paused_until_us > self.now_us:
            self.after(process.paused_until_us - self.now_us, lambda: self._go_on(process, task))
            return
        task.switch()


class Flag:
    """Stands in for `threading.Event` where only greenlets wait."""

    def __init__(self, scheduler: Scheduler, process: Process) -> None:
        self._scheduler, self._process = scheduler, process
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True

    def wait(self, timeout: float | None = None) -> bool:
        if not self._set and timeout:
            self._scheduler.sleep(self._process, int(timeout * SECOND_US))
        return self._set


class Condition:
    """Stands in for `threading.Condition`; nobody else runs between two waits, so its lock is none."""

    def __init__(self, scheduler: Scheduler, process: Process) -> None:
        self._scheduler, self._process = scheduler, process
        self._wakers: list[Callable[[], None]] = []

    def __enter__(self) -> "Condition":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def notify_all(self) -> None:
        wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        until_us = self._scheduler.now_us + int((timeout or 0) * SECOND_US)
        while not predicate():
            if self._scheduler.now_us >= until_us:
                return False
            self._scheduler.wait(self._process, until_us - self._scheduler.now_us, [self._wakers])
        return True
