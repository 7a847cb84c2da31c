"""The rules of fairness compared in the background, one market after the other: the network is held only while a market is laid out."""

import time
from threading import Lock, Thread
from typing import Any

import structlog

from coordinator.adapters.service import Service
from coordinator.errors import Unavailable
from coordinator.matching import Group
from coordinator.times import format_instant
from coordinator.weighing import RULES, Outcome, Rule, lay_out, market_keys, outcome
from solver import TooLarge

__all__ = ["Comparison"]

MOST_PAIRS = 400_000  # of one market; larger ones are left out, and named
LONGEST_S = 120.0  # for all; markets after that are left out, and named
REST_S = 30.0  # after one, before another is begun

logger = structlog.get_logger("coordinator.comparing")


class Comparison:
    """What each rule would come to, as it was last computed; computed anew when somebody asks for that."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = Lock()
        self._done: dict[str, Any] | None = None
        self._running: dict[str, int] | None = None
        self._ended_s = -REST_S
        self._trouble: str | None = None

    def told(self, *, start: bool = False) -> dict[str, Any]:
        """Return what is known, and begin anew where that was asked for, none runs and the last is some time ago."""
        with self._lock:
            if start and self._running is None and time.monotonic() - self._ended_s >= REST_S:
                self._running, self._trouble = {"markets": 0, "of": 0}, None
                Thread(target=self._run, name="comparison", daemon=True).start()
            return {"running": self._running and dict(self._running), "trouble": self._trouble, "last": self._done}

    def _run(self) -> None:
        try:
            done = self._compute()
        except Unavailable as error:
            self._end(None, str(error))
        except Exception:  # The page has to hear of it, and another try has to be possible.
            logger.exception("the rules could not be compared")
            self._end(None, "the rules could not be compared; the server's log says why")
        else:
            self._end(done, None)

    def _end(self, done: dict[str, Any] | None, trouble: str | None) -> None:
        with self._lock:
            self._done, self._trouble = done or self._done, trouble
            self._running, self._ended_s = None, time.monotonic()

    def _compute(self) -> dict[str, Any]:
        began_s = time.monotonic()
        with self._service.reading() as coordination:
            keys, charter, computed_us = market_keys(coordination), coordination.charter, coordination.log_us
        sums, markets = {rule: Outcome() for rule in RULES}, 0
        left_out: list[str] = []
        for number, key in enumerate(keys):
            with self._lock:
                self._running = {"markets": number, "of": len(keys)}
            found = self._market(key) if time.monotonic() - began_s < LONGEST_S else None
            if found is None:
                left_out.append(" or ".join(name for _, name in key))
                continue
            markets += bool(found)
            for rule, each in found:
                sums[rule] += each
        return {
            "computed": format_instant(max(0, computed_us)),
            "took_seconds": round(time.monotonic() - began_s, 1),
            "charter": charter.version,
            "in_force": charter.fairness,
            "measure": charter.effort,
            "markets": markets,
            "left_out": left_out,
            "rules": {rule: _row(one) for rule, one in sums.items()},
        }

    def _market(self, key: Group) -> list[tuple[Rule, Outcome]] | None:
        """Return what a market comes to under each rule, None where it is too large."""
        with self._service.reading() as coordination:
            laid = lay_out(coordination, key, MOST_PAIRS)
        try:
            return None if laid is None else [(one.rule, outcome(one)) for one in laid]
        except TooLarge:
            return None


def _row(one: Outcome) -> dict[str, Any]:
    share = round(one.share / one.needs, 4) if one.needs else None
    return {"needs": one.needs, "met": one.met, "nothing": one.nothing, "share": share, "effort": round(one.effort, 3)}
