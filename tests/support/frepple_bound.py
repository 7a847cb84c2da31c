"""How many pieces of a model no plan at all brings in time: a linear program in which all that buckets round is rounded in favour.

A real plan, to the second and with its batches, is a solution of this program: what takes a part of a bucket takes none of it, windows
and hours that a bucket holds a part of are open in all of it, runs that reach into the next bucket draw on it without being counted
there, batches, set-ups and what is promised already ask for nothing. So its optimum bounds every plan, ours and frePPLe's.
"""

from collections.abc import Callable
from dataclasses import replace
from math import floor

import numpy as np

from solver.engine.making_lp import relax
from tests.support.frepple import Calendar, Flow, Model, Operation
from tests.support.frepple_arrays import Builder

__all__ = ["most_on_time"]

ROUNDING = 1e-6  # of floating point, in pieces


def most_on_time(read: Callable[[], Model]) -> float | set[str]:
    """Return how many pieces of all demands a plan can have on time at most, or the features missing."""
    asked = _Hopeful(read(), 1).built()
    if isinstance(asked, set):
        return asked
    problem = asked.problem
    counts = np.array([demand is not None for demand in asked.demands], dtype=np.int64)
    counts[: asked.promised] = 0
    nothing = {name: np.zeros_like(getattr(problem, name)) for name in ("need_late", "need_step", "activity_effort", "arc_effort")}
    until = np.where(counts > 0, problem.need_due, -1)  # late is as good as never
    hopeful = replace(problem, need_worth=1_000 * counts, need_until=until, **nothing)
    return floor(relax(hopeful).worth / 1_000 / asked.scale + ROUNDING)


class _Hopeful(Builder):
    """Puts a model into arrays so that every real plan of it fits."""

    def _find_spread(self) -> None:
        """Leave steps longer than a bucket to buckets as long as they are: batches of the sizes of orders alone bound nothing."""

    def _lead(self, operation: Operation, bucket: int) -> int | None:
        return 0 if operation.loads else super()._lead(operation, bucket)

    def _until(self, seconds: int, calendars: list[Calendar], bucket: int) -> int | None:
        """Return whole buckets until so many seconds are worked, begun at the first moment of a bucket."""
        if not calendars or not seconds:
            return floor(seconds / self.bucket)
        worked = self._worked(seconds, calendars, bucket)
        return None if worked is None else (worked[0] * 3_600 - worked[1]) // self.bucket - bucket

    def _held(self, operation: Operation, flows: tuple[Flow, ...], bucket: int) -> tuple[tuple[bool, ...], tuple[bool, ...], int] | None:
        """Return what may hold of what gives, and what must hold of what takes."""
        lead = self._lead(operation, bucket)
        if lead is None or any(self._in(window, bucket) is False for window in operation.windows):
            return None
        valid = tuple(
            any(self._in(flow.window, bucket + lead + later) is not False for later in (0, 1))
            if flow.quantity > 0
            else self._in(flow.window, bucket) is True
            for flow in flows
        )
        return valid, tuple(self._in(load.window, bucket) is True for load in operation.loads), lead

    def _stocks(self) -> None:
        super()._stocks()
        self.stock = [(name, max(0, bucket - 1), quantity) for name, bucket, quantity in self.stock]

    def _spilled(self, resource: str, machines: int) -> int:
        return machines * self.longest[resource]
