"""How late an event loop beats beside some work, less what the machine was late all by itself.

A loop that wants to run every millisecond comes late for three reasons: another thread keeps the interpreter's lock, other programs
have the cores, or the machine stands still (a virtual one is put aside now and then). Only the first is ours. For the second there
is what Linux says that thread stood ready without a core which did so longest: the loop's, or one that holds the lock. For the third
a process a core beats likewise, bound to that core and with nothing else to do: as much as any came late meanwhile is taken off.
"""

import asyncio
import json
import os
import select
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Beats", "beside"]

BEAT_S = 0.001
WORTH_TELLING_S = 0.0005  # by a core: as it always comes a little late


@dataclass(slots=True)
class Beats:
    """Beats in order of time: when each was due, by ``time.monotonic``, and by how many seconds it came late, a core being free."""

    due_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)

    def beyond(self, cores: list["Beats"]) -> list[float]:
        """Return by how many milliseconds each came late beyond what the machine did meanwhile."""
        waits = []
        for due_s, late_s in zip(self.due_s, self.late_s, strict=True):
            machine_s = max((core.latest(due_s, due_s + late_s) for core in cores), default=0.0)
            waits.append(max(0.0, late_s - machine_s) * 1e3)
        return waits

    def latest(self, first_s: float, last_s: float) -> float:
        """Return by how much the latest beat came late of those awaited at some time between two moments."""
        at = max(0, bisect_left(self.due_s, first_s) - 1)
        worst_s = 0.0
        while at < len(self.due_s) and self.due_s[at] < last_s:
            if self.due_s[at] + self.late_s[at] > first_s:
                worst_s = max(worst_s, self.late_s[at])
            at += 1
        return worst_s


async def beside(work: Awaitable[object]) -> list[float]:
    """Return by how many milliseconds each beat of this loop came late while work was awaited, beyond what the machine did."""
    beats, cores = Beats(), []
    with _cores_beating() as processes:
        beating = asyncio.create_task(_beat(beats))
        await work
        await asyncio.sleep(5 * BEAT_S)  # for the beat that waited
        beating.cancel()
        for process in processes:
            said, _ = process.communicate()
            cores.append(Beats(*json.loads(said)))
    return beats.beyond(cores)


async def _beat(beats: Beats) -> None:
    """Note each beat, until cancelled."""
    clock = _Clock(beats)
    while True:
        clock.set()
        await asyncio.sleep(BEAT_S)
        clock.rings()


@contextmanager
def _cores_beating() -> Iterator[list["subprocess.Popen[str]"]]:
    """Have a process beat on each core; each says what it noted once nothing more is to come from here."""
    processes = []
    try:
        for core in sorted(os.sched_getaffinity(0)):
            command = [sys.executable, __file__, str(core)]
            processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


class _Clock:
    """Notes the beats of a thread."""

    def __init__(self, beats: Beats) -> None:
        self._beats = beats
        self._due_s = 0.0
        self._without_core_s: dict[str, float] = {}

    def set(self) -> None:
        """Set it to the next beat."""
        self._without_core_s = _without_core_s()
        self._due_s = time.monotonic() + BEAT_S

    def rings(self) -> None:
        """Note how late it is."""
        late_s = time.monotonic() - self._due_s
        self._beats.due_s.append(self._due_s)
        without_core_s = max(now_s - self._without_core_s.get(thread, now_s) for thread, now_s in _without_core_s().items())
        self._beats.late_s.append(max(0.0, late_s - without_core_s))


def _without_core_s() -> dict[str, float]:
    """Return for how long each thread of this process ever stood ready without a core to run on."""
    waited_s = {}
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # it has ended
            waited_s[thread.name] = int((thread / "schedstat").read_text().split()[1]) / 1e9
    return waited_s


def _beat_on(core: int) -> None:
    """Beat on a core until nothing more is to come from whoever asked, then say which beats were late."""
    os.sched_setaffinity(0, {core})
    beats, asked = Beats(), select.poll()
    asked.register(sys.stdin, select.POLLHUP | select.POLLIN)
    clock = _Clock(beats)
    print("beating", flush=True)
    while not asked.poll(0):
        clock.set()
        time.sleep(BEAT_S)
        clock.rings()
    late = [at for at, late_s in enumerate(beats.late_s) if late_s > WORTH_TELLING_S]
    print(json.dumps([[beats.due_s[at] for at in late], [beats.late_s[at] for at in late]]))


if __name__ == "__main__":
    _beat_on(int(sys.argv[1]))
