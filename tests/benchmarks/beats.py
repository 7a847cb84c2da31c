"""How late an event loop beats beside some work, less what the machine was late all by itself.

A loop that wants to run every millisecond comes late for three reasons: another thread keeps the interpreter's lock, other programs
have the cores, or the machine stands still (a virtual one is put aside now and then). Only the first is ours. For the second there
is what Linux says of threads that stood ready without a core: taken off is as much as one did so, the loop's or one that holds the lock,
or, where one did after the other, as long as no thread of the process ran at all. For the third a process a core beats likewise, bound
to that core and with nothing else to do: as much as any came late meanwhile is taken off.

Of each beat that came late it is told what went on since the one before: how long the loop's own thread ran, in how many goes, and in which
callbacks; looks for garbage; which other threads of the process ran; and for how long none did. A callback that took longer than the
thread ran waited: for a core, for the interpreter's lock, if another thread ran as long, or in a call of the system. While no thread ran
nothing held the lock that could have let go of it: the machine was slow to wake one, or had no core for it.

To ask Linux takes the loop a tenth of a beat, and it keeps the lock meanwhile: were it given away at each of twenty questions, as by
Python's own calls of the system, what waits for the loop would be the benchmark.
"""

import asyncio
import ctypes
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
LISTED_AGAIN_S = 0.1  # threads: few begin, and what a new one did at first is nobody's to explain
LONGEST_LINE = 100  # bytes of what Linux tells of a thread
WORTH_TELLING_S = 0.0005  # by a core: as it always comes a little late
WORTH_EXPLAINING_S = 0.002

# By thread: for how many seconds it ran, for how many it stood ready without a core to run on, and how often it began to run.
Scheduled = dict[str, tuple[float, float, int]]


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
            beats.why[len(beats.late_s) - 1] = witness.tell(clock)


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
        self._rang_s = time.monotonic()
        self._threads = _Threads()
        self._before = self._threads.scheduled()
        self.since_s = 0.0  # from the time it rang before until it rang now
        self.meanwhile: Scheduled = {}

    def set(self) -> None:
        """Set it to a beat from now."""
        self._due_s = time.monotonic() + BEAT_S

    def set_on(self) -> float:
        """Set it to a beat after it rang, whatever came between; return for how many seconds to wait."""
        self._due_s = self._rang_s + BEAT_S
        return max(0.0, self._due_s - time.monotonic())

    def rings(self) -> None:
        """Note how late it is."""
        now_s = time.monotonic()
        late_s = now_s - self._due_s
        self._beats.due_s.append(self._due_s)
        self.since_s, self._rang_s = now_s - self._rang_s, now_s
        self.meanwhile = {}
        now = self._threads.scheduled()
        for thread, told in now.items():
            ran_s, waited_s, goes = self._before.get(thread, told)
            self.meanwhile[thread] = told[0] - ran_s, told[1] - waited_s, told[2] - goes
        self._before = now
        self._beats.late_s.append(max(0.0, late_s - self.without_core_s))

    @property
    def idle_s(self) -> float:
        """For how many of those seconds no thread ran, at least: two may run at once, where neither needs the interpreter's lock."""
        return max(0.0, self.since_s - sum(ran_s for ran_s, _, _ in self.meanwhile.values()))

    @property
    def without_core_s(self) -> float:
        """For how many of those seconds all waited for threads that stood ready without a core."""
        waits_s = [waited_s for _, waited_s, _ in self.meanwhile.values()]
        return max(*waits_s, 0.0, min(sum(waits_s), self.idle_s - BEAT_S))  # nobody need run for as long as a beat is awaited


class _Threads:
    """What Linux tells of the threads of this process, read from files that stay open: a beat is to take little itself."""

    def __init__(self) -> None:
        self._files: dict[str, int] = {}
        self._listed_s = 0.0
        self._line = ctypes.create_string_buffer(LONGEST_LINE)
        self._read = ctypes.PyDLL(None).pread  # the system's own: it keeps the lock, which `os.pread` gives away
        self._read.argtypes = ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_long

    def scheduled(self) -> Scheduled:
        """Return what each thread ever ran and waited."""
        if time.monotonic() > self._listed_s + LISTED_AGAIN_S:
            self._list()
        told = {}
        for thread, file in self._files.items():
            length = self._read(file, self._line, LONGEST_LINE, 0)
            if length > 0:  # else it has ended
                ran_ns, waited_ns, goes = self._line.raw[:length].split()
                told[thread] = int(ran_ns) / 1e9, int(waited_ns) / 1e9, int(goes)
        return told

    def _list(self) -> None:
        threads = set(os.listdir("/proc/self/task"))
        for thread in self._files.keys() - threads:
            os.close(self._files.pop(thread))
        for thread in threads - self._files.keys():
            with suppress(OSError):  # it has ended
                self._files[thread] = os.open(f"/proc/self/task/{thread}/schedstat", os.O_RDONLY)
        self._listed_s = time.monotonic()


class _Witness:
    """Tells what this process did from one beat to the next."""

    def __init__(self) -> None:
        self._ran: list[tuple[float, float, Any]] = []  # by callback: how long it took, how much of that its thread ran, and which it is
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
        began_s, ran_s = time.monotonic(), time.thread_time()
        run(handle)
        took = time.monotonic() - began_s, time.thread_time() - ran_s
        self._ran.append((*took, handle._callback))  # type: ignore[attr-defined]

    def tell(self, clock: _Clock) -> str:
        """Return what went on since the beat before, in milliseconds."""
        meanwhile = clock.meanwhile
        own = str(threading.get_native_id())
        named = {str(thread.native_id): thread.name for thread in threading.enumerate()}
        others = sorted(((ran_s, named.get(one, one)) for one, (ran_s, _, _) in meanwhile.items() if one != own), reverse=True)[:4]
        spent_s, count = Counter[str](), Counter[str]()
        for seconds, _, callback in self._ran[1:]:  # after that of the beat before
            spent_s[_name(callback)] += seconds
            count[_name(callback)] += 1
        longest_s, itself_s, longest = max(self._ran[1:], key=lambda ran: ran[0], default=(0.0, 0.0, None))
        ran_s, _, goes = meanwhile[own]
        told = [
            f"of {clock.since_s * 1e3:.1f} the loop ran {ran_s * 1e3:.1f} in {goes} goes; in callbacks {sum(spent_s.values()) * 1e3:.1f}"
        ]
        told.append("most " + ", ".join(f"{name} {1e3 * seconds:.1f} ({count[name]})" for name, seconds in spent_s.most_common(3)))
        told.append(f"longest {longest_s * 1e3:.1f} {_name(longest)}, which ran {itself_s * 1e3:.1f}")
        told.append(f"looks for garbage {self._looks_s * 1e3:.1f}")
        told.append("others ran " + ", ".join(f"{name} {ran_s * 1e3:.1f}" for ran_s, name in others))
        told.append(f"no thread ran {clock.idle_s * 1e3:.1f}")
        told.append(f"without a core {clock.without_core_s * 1e3:.1f}")
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
        time.sleep(clock.set_on())  # the machine may stand still while this process does anything
        clock.rings()
    late = [at for at, late_s in enumerate(beats.late_s) if late_s > WORTH_TELLING_S]
    print(json.dumps([[beats.due_s[at] for at in late], [beats.late_s[at] for at in late]]))


if __name__ == "__main__":
    _beat_on(int(sys.argv[1]))
