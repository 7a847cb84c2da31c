"""Linear programs of making, solved beside the cycle: a thread of its own, on problems that nobody changes any more.

The engine lets go of the interpreter's lock while it solves, so that the loop goes on. What a plan asked for and nobody has begun when
the next plan begins is let go of: newer problems take its place.
"""

import hashlib
from collections import OrderedDict
from dataclasses import fields
from threading import Condition, Thread
from typing import TYPE_CHECKING

import numpy as np
import structlog

from solver import EngineFault, TooLarge
from solver.making import ProductionProblem, guided

if TYPE_CHECKING:
    from solver.making.guiding import Guide

__all__ = ["GuidesBeside"]

KEPT = 8  # guides at hand: of one plan's problems (hours at any time, shared out, without time), and of the plans before

logger = structlog.get_logger("coordinator.guides")


class GuidesBeside:
    """Says at once what is known of a problem, and finds out the rest in the meantime."""

    def __init__(self) -> None:
        self._found: OrderedDict[bytes, Guide | TooLarge | EngineFault] = OrderedDict()
        self._asked: OrderedDict[bytes, ProductionProblem] = OrderedDict()
        self._begun: bytes | None = None  # of what is asked
        self._news = False
        self._stopped = False
        self._changed = Condition()
        self._thread: Thread | None = None
        self.solved = 0
        self.let_go = 0  # problems that newer ones took the place of

    def of(self, problem: ProductionProblem) -> "Guide | None":
        """Return what leads walkers through a problem; None where that is only now being found. Raises as solving it did."""
        key = _content(problem)
        with self._changed:
            if key not in self._found and not self._stopped:
                self._ask(key, problem)
            return self._told(key)

    def known(self, problem: ProductionProblem) -> "Guide | None":
        """Return what leads walkers through a problem if that was found already, without asking for it. Raises likewise."""
        key = _content(problem)
        with self._changed:
            return self._told(key)

    def awaits(self, problem: ProductionProblem) -> bool:
        """Whether what leads through a problem was asked for and not found yet."""
        key = _content(problem)
        with self._changed:
            return key in self._asked

    def _told(self, key: bytes) -> "Guide | None":
        found = self._found.get(key)
        if isinstance(found, TooLarge | EngineFault):
            raise found
        return found

    def has_news(self) -> bool:
        """Whether something was found since the last plan began."""
        with self._changed:
            return self._news

    def plan_begins(self) -> None:
        """Note that all that was found so far will be made use of."""
        with self._changed:
            self._news = False
            for key in [key for key in self._asked if key != self._begun]:
                del self._asked[key]
                self.let_go += 1

    def wait(self, seconds: float) -> bool:
        """Wait until nothing is asked for any more; return whether that came to be in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._asked, seconds)

    def close(self) -> None:
        """Begin nothing more. What is being solved ends with the process: no engine can be stopped in between."""
        with self._changed:
            self._stopped = True
            self._asked.clear()
            self._changed.notify_all()

    def _ask(self, key: bytes, problem: ProductionProblem) -> None:
        self._asked.setdefault(key, problem)
        if self._thread is None:
            self._thread = Thread(target=self._solve_on, name="guides", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _solve_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._asked or self._stopped)
                if self._stopped:
                    return
                key, problem = next(iter(self._asked.items()))
                self._begun = key
            found = _guide_or_why(problem)
            with self._changed:
                self._asked.pop(key, None)
                self._begun = None
                self._found[key] = found
                self._news = True
                self.solved += 1
                while len(self._found) > KEPT:
                    self._found.popitem(last=False)
                self._changed.notify_all()


def _guide_or_why(problem: ProductionProblem) -> "Guide | TooLarge | EngineFault":
    """Return what leads through a problem, or why nothing does: whoever asks for it again is told, and it is not solved again."""
    try:
        return guided(problem)
    except TooLarge as error:
        return error
    except Exception as error:  # A thread that ended silently would leave all making without a guide: it is said, and the next is tried.
        logger.exception("what leads a plan of making was not found; please report this")
        return EngineFault(f"the linear program that leads it was not solved, please report: {type(error).__name__}: {error}")


def _content(problem: ProductionProblem) -> bytes:
    """Return a digest of all that a problem says."""
    digest = hashlib.blake2b(digest_size=16)
    for field in fields(problem):
        value = getattr(problem, field.name)
        digest.update(repr(value.shape if isinstance(value, np.ndarray) else value).encode())
        if isinstance(value, np.ndarray):
            digest.update(np.ascontiguousarray(value).tobytes())
    return digest.digest()
