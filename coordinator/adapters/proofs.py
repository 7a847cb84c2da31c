"""One market after the other held against its proof while the coordinator runs; what is found is kept for monitors and people.

Planning checks each answer it makes over the pairs that the engine knows. Here all other pairs are looked at too, and whether what
is kept between cycles still counts what the network holds.
"""

from collections import Counter
from threading import Event as Flag
from threading import Thread

import structlog

from coordinator.adapters.service import Service
from coordinator.cycle import Coordination
from coordinator.errors import Unavailable
from coordinator.network import Thing
from coordinator.readings import certificates

__all__ = ["Proofs"]

MOST_PAIRS = 1_000_000  # of a market checked while people wait; larger ones are for `coordinator solver check` and a log
MOST_ANEW = 50_000  # of one whose optimum is not kept, which is found anew for that
CLOSE_S = 1.0  # on the way out, for the check at hand

logger = structlog.get_logger("coordinator.proofs")


class Proofs:
    """Checks the next market each time it is asked, by name, and begins again after the last."""

    def __init__(self, service: Service) -> None:
        self.counts: Counter[str] = Counter(proven=0, broken=0, skipped=0)
        self.broken: dict[str, tuple[str, ...]] = {}  # by market: what was wrong when it was last looked at
        self._service = service
        self._last: tuple[Thing, ...] = ()
        self._stop = Flag()
        self._thread: Thread | None = None

    def check_next(self) -> None:
        """Check the answer of one market; Unavailable while a cycle takes long."""
        with self._service.reading() as coordination:
            known = sorted(coordination.planner.solved)
            key = next((one for one in known if one > self._last), known[0] if known else None)
            if key is None:
                return
            self._last = key
            if _is_too_large(coordination, key):
                self.counts["skipped"] += 1
                return
            found = list(certificates(coordination.planner, coordination.log_us, key[0]))
        name, wrong = " or ".join(name for _, name in key), tuple(sentence for each in found for sentence in each.broken)
        self.counts["broken" if wrong else "proven"] += 1
        self.broken.pop(name, None)
        if wrong:
            self.broken[name] = wrong
            logger.error("an answer is not proven; please report this", market=name, broken=wrong[:3])

    def start(self, seconds: float) -> None:
        """Check a market every so many seconds, until closed."""
        self._thread = Thread(target=self._go_on, args=(seconds,), name="proofs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop after the market that is being checked; one that takes long is not waited for, and ends with the process."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(CLOSE_S)
            if self._thread.is_alive():
                logger.warning("the check at hand was left", seconds=CLOSE_S)

    def _go_on(self, seconds: float) -> None:
        while not self._stop.wait(seconds):
            if not self._service.has_begun:
                continue
            try:
                self.check_next()
            except Unavailable as error:
                logger.warning("no market was checked", reason=str(error))
            except Exception:  # A thread that ended silently would look like proof.
                self.counts["broken"] += 1
                logger.exception("a check failed")


def _is_too_large(coordination: Coordination, key: tuple[Thing, ...]) -> bool:
    network = coordination.network
    standing = [one.is_supply for thing in network.live_things() if network.canonical(thing) in key for one in network.live(thing)]
    supplies = sum(standing)
    is_kept = coordination.planner.solved[key].kept is not None
    return supplies * (len(standing) - supplies) > (MOST_PAIRS if is_kept else MOST_ANEW)
