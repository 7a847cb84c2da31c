"""Jobs in sequence on one maker's machines: asked, checked, dispatched by `next free machine`, and improved by search."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from solver.errors import BadProblem, TooLarge
from solver.problem import Ints

__all__ = [
    "NEVER",
    "Sequence",
    "Workshop",
    "as_early",
    "broken_sequence",
    "dispatch",
    "lateness_of",
    "least_however_split",
    "sequence_jobs",
]

LARGEST = 2**31  # grains of one time, or weight of one job: sums of products stay within 64 bits
NEVER = -1  # hours of a job on a machine that cannot do it


@dataclass(frozen=True, slots=True, eq=False)
class Workshop:
    """J jobs on M machines of one place, with S set-ups (a loaded material, say) to change between; times in whole grains.

    A machine does one job at a time, and none before ``free`` or ``ready``. Where it is set up for something else than a job takes,
    it is changed first, which takes ``change`` grains. What a job is late weighs by ``weight`` a grain; what is changed, a grain each.
    Jobs may be pieces of one work, which is as late as its last piece: pieces share ``due`` and ``weight``.
    """

    hours: Ints  # (J, M) grains, at least one, or NEVER
    setup: Ints  # (J,) which set-up a job takes
    ready: Ints  # (J,) from when its material is there
    due: Ints  # (J,)
    weight: Ints  # (J,) of one grain late
    after: Ints  # (P, 2) pairs: the second job begins when the first has ended
    loaded: Ints  # (M,) what each machine is set up for now
    free: Ints  # (M,) from when it is free
    change: Ints  # (S, S) grains from one set-up to another, 0 where they are the same
    work: Ints  # (J,) which work each job is, or is a piece of

    def __post_init__(self) -> None:
        """Raise `BadProblem` where arrays do not fit together or leave their ranges, or where no machine can do a job."""
        if self.hours.ndim != 2:
            raise BadProblem(f"hours is {self.hours.ndim}-dimensional: a row for each job and a column for each machine are expected")
        jobs, machines = self.hours.shape
        for name, shape in (
            *((name, jobs) for name in ("setup", "ready", "due", "weight", "work")),
            *((name, machines) for name in ("loaded", "free")),
        ):
            if getattr(self, name).shape != (shape,):
                raise BadProblem(f"{name} has the shape {getattr(self, name).shape}: {shape} entries are expected")
        setups = len(self.change)
        if self.change.shape != (setups, setups):
            raise BadProblem(f"change has the shape {self.change.shape}: from each of {setups} set-ups to each of them is expected")
        if self.after.ndim != 2 or self.after.shape[1] != 2:
            raise BadProblem(f"after has the shape {self.after.shape}: pairs of jobs are expected, a row each")
        for name, limit, of in (
            ("setup", setups, "set-ups"),
            ("loaded", setups, "set-ups"),
            ("after", jobs, "jobs"),
            ("work", jobs, "works"),
        ):
            held = getattr(self, name)
            if held.size and not 0 <= held.min() <= held.max() < limit:
                raise BadProblem(f"{name} holds {of} {held.min()} to {held.max()}: 0 to {limit - 1} exist")
        for name, least in (("hours", NEVER), ("ready", 0), ("weight", 0), ("free", 0), ("change", 0)):
            held = getattr(self, name)
            if held.size and held.min() < least:
                raise BadProblem(f"{name} holds {held.min()}: at least {least} is expected everywhere")
        for name in ("hours", "ready", "due", "weight", "free", "change"):
            held = getattr(self, name)
            if held.dtype != np.int64:
                raise BadProblem(f"{name} is of {held.dtype}: whole numbers of 64 bits are expected")
            if held.size and max(-int(held.min()), int(held.max())) > LARGEST:
                raise TooLarge(f"{name} holds a number beyond {LARGEST}: count in coarser units")
        total = sum(self.hours.max(axis=1, initial=0).tolist()) + jobs * int(self.change.max(initial=0))
        worst = (total + max(int(self.ready.max(initial=0)), int(self.free.max(initial=0))) - int(self.due.min(initial=0))) * max(
            1, sum(self.weight.tolist())
        )
        if worst > LARGEST**2:
            raise TooLarge(f"lateness may add up to {worst}, more than {LARGEST**2}: count in coarser units, or weigh less")
        idle = np.flatnonzero((self.hours == 0).any(axis=1))
        if len(idle):
            raise BadProblem(f"job {idle[0]} takes no time: at least a grain is expected, since jobs are told apart by when they begin")
        if (np.diagonal(self.change) != 0).any():
            raise BadProblem("change from a set-up to itself takes time: 0 is expected where nothing is changed")
        unable = np.flatnonzero((self.hours < 0).all(axis=1))
        if len(unable):
            raise BadProblem(f"job {unable[0]} cannot be done on any machine: leave it to another workshop")


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """Which machine does each job, and from when."""

    machine: Ints  # (J,)
    begin: Ints  # (J,) after the change of set-up, where there is one
    bound: int  # no sequence weighs less
    proven: bool

    def gap(self, shop: Workshop) -> Fraction:
        """By which share the sequence may weigh more than the best."""
        weighs = lateness_of(shop, self)
        return Fraction(weighs - self.bound, max(weighs, 1))


def lateness_of(shop: Workshop, found: Sequence) -> int:
    """Return what a sequence weighs: lateness of jobs by weight, and grains spent changing set-ups."""
    ends = found.begin + shop.hours[np.arange(len(found.machine)), found.machine]
    late = np.zeros(len(ends), dtype=np.int64)
    np.maximum.at(late, shop.work, np.maximum(ends - shop.due, 0) * shop.weight)
    return int(late.sum()) + sum(change for _, change in _changes(shop, found))


def _changes(shop: Workshop, found: Sequence) -> list[tuple[int, int]]:
    """Return (job, grains of change before it) for all jobs, machine by machine."""
    changes = []
    for machine in range(shop.hours.shape[1]):
        loaded = int(shop.loaded[machine])
        jobs = np.flatnonzero(found.machine == machine)
        for job in jobs[np.lexsort((jobs, found.begin[jobs]))].tolist():
            changes.append((job, int(shop.change[loaded, shop.setup[job]])))
            loaded = int(shop.setup[job])
    return changes


def broken_sequence(shop: Workshop, found: Sequence) -> list[str]:
    """Return a sentence for each rule that a sequence breaks."""
    broken = []
    change = dict(_changes(shop, found))
    free = shop.free.tolist()
    order = np.lexsort((np.arange(len(found.begin)), found.begin)).tolist()
    for job in order:
        machine, begin = int(found.machine[job]), int(found.begin[job])
        if shop.hours[job, machine] < 0:
            broken.append(f"job {job} is on machine {machine}, which cannot do it")
            continue
        if begin < shop.ready[job]:
            broken.append(f"job {job} begins at {begin}, before its material is there at {shop.ready[job]}")
        if begin - change[job] < free[machine]:
            broken.append(
                f"job {job} begins at {begin} with {change[job]} of change before, but machine {machine} is free from {free[machine]}"
            )
        free[machine] = begin + int(shop.hours[job, machine])
    for first, second in shop.after.tolist():
        end = int(found.begin[first] + shop.hours[first, found.machine[first]])
        if found.begin[second] < end:
            broken.append(f"job {second} begins at {found.begin[second]}, before job {first} ends at {end}")
    return broken


def dispatch(shop: Workshop) -> Sequence:
    """Return the sequence of `next free machine`: whenever a machine is free, the job that presses most goes to where it ends first.

    Of the jobs that could begin first: those without slack by weight, then by the slack that is left. A job goes to the machine that
    ends it first, change of set-up included, so that a machine loaded for it is preferred. One pass; the same answer each time.
    """
    jobs = len(shop.hours)
    free, loaded = shop.free.copy(), shop.loaded.copy()
    waits = np.zeros(jobs, dtype=np.int64)
    follows: list[list[int]] = [[] for _ in range(jobs)]
    for first, second in shop.after.tolist():
        follows[first].append(second)
        waits[second] += 1
    ready, machine, begin = shop.ready.copy(), np.full(jobs, -1, dtype=np.int64), np.zeros(jobs, dtype=np.int64)
    open_ = {job for job in range(jobs) if not waits[job]}
    shortest = np.where(shop.hours < 0, np.iinfo(np.int64).max, shop.hours).min(axis=1)
    while open_:
        able = np.array(sorted(open_))
        change = shop.change[loaded[None, :], shop.setup[able][:, None]]
        starts = np.maximum(ready[able][:, None], free[None, :] + change)
        ends = np.where(shop.hours[able] < 0, np.iinfo(np.int64).max, starts + shop.hours[able])
        now = int(np.where(shop.hours[able] < 0, np.iinfo(np.int64).max, starts - change).min())
        at = ends.argmin(axis=1)
        rows = np.arange(len(able))
        soon = starts[rows, at] - change[rows, at] <= now
        slack = np.maximum(shop.due[able] - shortest[able] - now, 0)
        key = np.lexsort((able, ends[rows, at], slack, -shop.weight[able] * (slack == 0), ~soon))
        row = int(key[0])
        job, chosen = int(able[row]), int(at[row])
        machine[job], begin[job] = chosen, int(starts[row, chosen])
        free[chosen], loaded[chosen] = int(ends[row, chosen]), shop.setup[job]
        open_.discard(job)
        for after in follows[job]:
            waits[after] -= 1
            ready[after] = max(int(ready[after]), int(ends[row, chosen]))
            if not waits[after]:
                open_.add(after)
    if (machine < 0).any():
        raise BadProblem(f"jobs {np.flatnonzero(machine < 0)[:9].tolist()} wait for one another: take one of them out of the ring")
    return Sequence(machine, begin, 0, False)


def least_however_split(shop: Workshop, hours: Ints) -> int:
    """Return what no sequence weighs less than, in however many pieces of whatever size each work is done.

    ``hours`` (J,) are the grains that each job adds to its work in any case, on any machine.

    Each work by itself ends no sooner than all machines that can do it need for it together; and the last of several works that are all
    due by a moment, no sooner than all their machines need for all of them.
    """
    alone: dict[int, int] = {}
    for work in np.unique(shop.work).tolist():
        jobs = shop.work == work
        alone[work] = int(shop.weight[jobs].min()) * max(0, _together(shop, jobs, int(hours[jobs].sum())) - int(shop.due[jobs].max()))
    least = sum(alone.values())
    for due in np.unique(shop.due).tolist():
        for weight in np.unique(shop.weight).tolist():
            jobs = (shop.due <= due) & (shop.weight >= weight)
            if jobs.any():
                least = max(least, weight * max(0, _together(shop, jobs, int(hours[jobs].sum())) - due))
    return least


def _together(shop: Workshop, jobs: NDArray[np.bool_], hours: int) -> int:
    """Return when the machines that can do any of these jobs have done so much, were work shared to the grain and nothing changed."""
    able = (shop.hours[jobs] >= 0).any(axis=0)
    begins = np.sort(np.maximum(shop.free[able], int(shop.ready[jobs].min())))
    # The first of them alone end no sooner than all; those that begin before the end, at that very moment.
    return min(-(-(int(begins[:count].sum()) + hours) // count) for count in range(1, len(begins) + 1))


def as_early(shop: Workshop, found: Sequence) -> Sequence:
    """Return the same jobs in the same order on the same machines, each as early as it can be; the bound is taken as it is.

    For an order found some time ago: what was proven of it then holds as long as jobs and machines are the same, as less time is left.
    """
    begin = np.zeros_like(found.begin)
    free, loaded, ready = shop.free.copy(), shop.loaded.copy(), shop.ready.copy()
    for job in np.lexsort((np.arange(len(begin)), found.begin)).tolist():
        machine = int(found.machine[job])
        begin[job] = max(int(ready[job]), int(free[machine] + shop.change[loaded[machine], shop.setup[job]]))
        free[machine], loaded[machine] = begin[job] + shop.hours[job, machine], shop.setup[job]
        followers = shop.after[shop.after[:, 0] == job, 1]
        ready[followers] = np.maximum(ready[followers], free[machine])
    return Sequence(found.machine, begin, found.bound, False)


def sequence_jobs(shop: Workshop, limit: float = 3.0, seed: int = 1) -> Sequence:
    """Return the best sequence found within a deterministic ``limit``, the same one each time.

    Starts from `dispatch`, so it is never worse than that; the bound is the search's own. A limit of 3 took 9 to 11 s of a busy core for 20
    jobs on 2 machines and 40 on 3.
    """
    from solver.engine.making_cells import sequence  # noqa: PLC0415 - loading OR-Tools takes half a second

    return sequence(shop, dispatch(shop), limit, seed)
