"""One schedule of a world by its seed, with a bug planted or without, and what became of it."""

import gc
import time
from dataclasses import dataclass, replace

import structlog

from tests.simulation.clustered import ClusteredWorld
from tests.simulation.embedded import EmbeddedWorld
from tests.simulation.planted import BUGS
from tests.simulation.scheduler import Invariant

__all__ = ["WORLDS", "Outcome", "command", "hunt", "simulate"]

WORLDS = {"embedded": EmbeddedWorld, "clustered": ClusteredWorld}
NOTHING_LOGGED = structlog.make_filtering_bound_logger(50)


@dataclass(frozen=True)
class Outcome:
    """What became of one schedule."""

    world: str
    seed: int
    trace: str = ""
    steps: int = 0
    records: int = 0
    invariant: str = ""  # which broke; empty where all held
    told: str = ""
    cpu_s: float = 0.0


def simulate(world: str, seed: int, *, bug: str | None = None, told: bool = False) -> Outcome:
    """Run one schedule to its end, or to where something broke."""
    began_s = time.process_time()
    outcome = _simulate(world, seed, bug, told=told)
    return replace(outcome, cpu_s=time.process_time() - began_s)


def _simulate(world: str, seed: int, bug: str | None, *, told: bool) -> Outcome:
    before = structlog.get_config()
    structlog.configure(wrapper_class=NOTHING_LOGGED)
    one = WORLDS[world](seed, told=told)
    try:
        if bug is None:
            trace = one.run()
        else:
            with BUGS[bug].planted(one):
                trace = one.run()
    except Invariant as broken:
        return Outcome(world, seed, one.scheduler.trace(), one.scheduler.steps, invariant=broken.name, told=str(broken))
    except Exception as error:  # what the product never may raise is a finding like any other
        return Outcome(
            world, seed, one.scheduler.trace(), one.scheduler.steps, invariant="no traceback", told=f"{type(error).__name__}: {error}"
        )
    finally:
        one.scheduler.end()
        gc.unfreeze()  # What each start of a coordinator sets aside would stay for good, and there are many in each of many schedules.
        structlog.configure(**before)
    return Outcome(world, seed, trace, one.scheduler.steps, len(one.reader.ledger))


def hunt(bug: str, seeds: range) -> Outcome | None:
    """Return the first schedule that finds a planted bug, or None."""
    for seed in seeds:
        outcome = simulate(BUGS[bug].world, seed, bug=bug)
        if outcome.invariant:
            return outcome
    return None


def command(outcome: Outcome, bug: str | None = None) -> str:
    """Return what shows this schedule again, step by step."""
    planted = f" --bug '{bug}'" if bug else ""
    return f"python -m tests.simulation --world {outcome.world} --seeds {outcome.seed}:{outcome.seed + 1} --told{planted}"
