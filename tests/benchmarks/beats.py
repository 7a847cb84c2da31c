"""How late an event loop beats beside some work, less what the machine was late all by itself.

A loop that wants to run every millisecond comes late for three reasons: another thread keeps the interpreter's lock, other programs
have the cores, or the machine stands still (a virtual one is put aside now and then). Only the first is ours. For the second there
is what Linux says that thread stood ready without a core which did so longest: the loop's, or one that holds the lock. For the third
a process a core beats likewise, bound to that core and with nothing else to do: as much as any came late meanwhile is taken off.

Of each beat that came late it is told what went on since the one before: how long the loop's own thread ran, and in which callbacks;
looks for garbage; and which other threads of the process ran. A callback that took longer than the thread ran waited: for a core, for the
interpreter's lock, if another thread ran as long, or in a call of the system.
"""

import asyncio
import gc
import json
import os
import select
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Beats", "beside"]

BEAT_S = 0.001
WORTH_TELLING_S = 0.0005  # by a core: as it always comes a little late
WORTH_EXPLAINING_S = 0.002

Scheduled = dict[str, tuple[float, float]]  # by thread: for how many seconds it ran, and stood ready without a core to run on


@dataclass(slots=True)
class Beats:
    """Beats in order of time: when each was due, by ``time.monotonic``, and by how many seconds it came late, a core being free."""

    due_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    why: dict[int, str] = field(default_factory=dict)  # by number: what went on until a beat came, where it came late

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


async def beside(work: Awaitable[object]) -> tuple[list[float], dict[int, str]]:
    """Return by how many milliseconds each beat of this loop came late while work was awaited, beyond what the machine did.

    And of those that came late, by number, what went on meanwhile.
    """
    beats, cores = Beats(), []
    with _cores_beating() as processes, _witnessed() as witness:
        beating = asyncio.create_task(_beat(beats, witness))
        await work
        await asyncio.sleep(5 * BEAT_S)  # for the beat that waited
        beating.cancel()
        for process in processes:
            said, _ = process.communicate()
            cores.append(Beats(*json.loads(said)))
    return beats.beyond(cores), beats.why


async def _beat(beats: Beats, witness: "_Witness") -> None:
    """Note each beat, until cancelled."""
    clock = _Clock(beats)
    while True:
        clock.set()
        witness.begin()
        await asyncio.sleep(BEAT_S)
        clock.rings()
        if beats.late_s[-1] > WORTH_EXPLAINING_S:
            beats.why[len(beats.late_s) - 1] = witness.tell(clock.meanwhile)


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
        self._threads = _Threads()
        self._before = self._threads.scheduled()
        self.meanwhile: Scheduled = {}  # from when it was set until it rang

    def set(self) -> None:
        """Set it to the next beat."""
        self._due_s = time.monotonic() + BEAT_S

    def rings(self) -> None:
        """Note how late it is."""
        late_s = time.monotonic() - self._due_s
        self._beats.due_s.append(self._due_s)
        self.meanwhile = {}
        now = self._threads.scheduled()
        for thread, (ran_s, waited_s) in now.items():
            ran_before_s, waited_before_s = self._before.get(thread, (ran_s, waited_s))
            self.meanwhile[thread] = ran_s - ran_before_s, waited_s - waited_before_s
        self._before = now
        without_core_s = max(waited_s for _, waited_s in self.meanwhile.values())
        self._beats.late_s.append(max(0.0, late_s - without_core_s))


class _Threads:
    """What Linux tells of the threads of this process, read from files that stay open: a beat is to take little itself."""

    def __init__(self) -> None:
        self._files: dict[str, int] = {}

    def scheduled(self) -> Scheduled:
        """Return for how many seconds each thread ever ran, and ever stood ready without a core to run on."""
        told = {}
        for thread in os.listdir("/proc/self/task"):
            with suppress(OSError):  # it has ended
                if thread not in self._files:
                    self._files[thread] = os.open(f"/proc/self/task/{thread}/schedstat", os.O_RDONLY)
                ran_ns, waited_ns, _ = os.pread(self._files[thread], 100, 0).split()
                told[thread] = int(ran_ns) / 1e9, int(waited_ns) / 1e9
        for thread in self._files.keys() - told.keys():
            os.close(self._files.pop(thread))
        return told


class _Witness:
    """Tells what this process did from one beat to the next."""

    def __init__(self) -> None:
        self._ran: list[tuple[float, Any]] = []  # callbacks, and for how long each ran
        self._looks_s = 0.0
        self._look_began_s = 0.0

    def begin(self) -> None:
        """Forget what was."""
        self._ran.clear()
        self._looks_s = 0.0

    def looks(self, phase: str, _about: dict[str, Any]) -> None:
        """Be told by Python of a look for garbage."""
        if phase == "start":
            self._look_began_s = time.monotonic()
        else:
            self._looks_s += time.monotonic() - self._look_began_s

    def runs(self, run: Callable[[asyncio.Handle], None], handle: asyncio.Handle) -> None:
        """Let a callback of the loop run."""
        began_s = time.monotonic()
        run(handle)
        self._ran.append((time.monotonic() - began_s, handle._callback))  # type: ignore[attr-defined]

    def tell(self, meanwhile: Scheduled) -> str:
        """Return what went on since the beat before, in milliseconds."""
        own = str(threading.get_native_id())
        named = {str(thread.native_id): thread.name for thread in threading.enumerate()}
        others = sorted(((ran_s, named.get(one, one)) for one, (ran_s, _) in meanwhile.items() if one != own), reverse=True)[:3]
        spent_s, count = Counter[str](), Counter[str]()
        for seconds, callback in self._ran[1:]:  # after that of the beat before
            spent_s[_name(callback)] += seconds
            count[_name(callback)] += 1
        longest_s, longest = max(self._ran[1:], key=lambda ran: ran[0], default=(0.0, None))
        told = [f"the loop ran {meanwhile[own][0] * 1e3:.1f} of {sum(spent_s.values()) * 1e3:.1f} in callbacks"]
        told.append("most " + ", ".join(f"{name} {1e3 * seconds:.1f} ({count[name]})" for name, seconds in spent_s.most_common(3)))
        told.append(f"longest {longest_s * 1e3:.1f} {_name(longest)}; looks for garbage {self._looks_s * 1e3:.1f}")
        told.append("others ran " + ", ".join(f"{name} {ran_s * 1e3:.1f}" for ran_s, name in others))
        told.append(f"without a core {max(waited_s for _, waited_s in meanwhile.values()) * 1e3:.1f}")
        return "; ".join(told)


def _name(callback: Any) -> str:
    """Return what a callback is called, or the coroutine of its task."""
    task = getattr(callback, "__self__", None)
    named = task.get_coro() if isinstance(task, asyncio.Task) else callback
    return str(getattr(named, "__qualname__", type(named).__name__))


@contextmanager
def _witnessed() -> Iterator[_Witness]:
    """Have each callback of this process' loops and each look for garbage told to a witness."""
    witness, run = _Witness(), asyncio.Handle._run  # type: ignore[attr-defined]
    asyncio.Handle._run = lambda handle: witness.runs(run, handle)  # type: ignore[attr-defined]
    gc.callbacks.append(witness.looks)
    try:
        yield witness
    finally:
        gc.callbacks.remove(witness.looks)
        asyncio.Handle._run = run  # type: ignore[attr-defined]


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
