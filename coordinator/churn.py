"""How restless a plan is: proposals made and taken back, for each signal that agents said and for each cycle that changed something."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from coordinator.signals import Event

__all__ = ["Churn", "Spread", "churn"]


@dataclass(frozen=True, slots=True)
class Spread:
    """How a count is spread: half of all are at most `p50`, 99 of 100 at most `p99`."""

    p50: int
    p99: int
    most: int


@dataclass(frozen=True, slots=True)
class Churn:
    """What became of proposals over a stream."""

    signals: int  # said by agents; other events, such as ticks and decisions, are none
    cycles: int  # moments at which proposals changed; those that changed nothing are not in the stream
    proposed: int
    retracted: int  # unanswered, and not part of the plan any more
    proposed_per_signal: Spread
    retracted_per_signal: Spread
    proposed_per_cycle: Spread
    retracted_per_cycle: Spread


def churn(stream: Iterable[Event]) -> Churn:
    """Return how often proposals changed over a stream of what was said and decided, in its order.

    What changes counts for the signal last said before it.
    """
    made, taken_back = [0], [0]
    made_at, taken_back_at = Counter[int](), Counter[int]()
    for event in stream:
        if event.by_agent:
            made.append(0)
            taken_back.append(0)
        elif event.kind == "proposal":
            sums, at = (taken_back, taken_back_at) if event.data is None else (made, made_at)
            sums[-1] += 1
            at[event.time_us] += 1
    moments = sorted(made_at.keys() | taken_back_at.keys())
    return Churn(
        signals=len(made) - 1,
        cycles=len(moments),
        proposed=sum(made),
        retracted=sum(taken_back),
        proposed_per_signal=_spread(made[1:]),
        retracted_per_signal=_spread(taken_back[1:]),
        proposed_per_cycle=_spread([made_at[at_us] for at_us in moments]),
        retracted_per_cycle=_spread([taken_back_at[at_us] for at_us in moments]),
    )


def _spread(counts: list[int]) -> Spread:
    ranked = sorted(counts) or [0]
    return Spread(*(ranked[-(-len(ranked) * share // 100) - 1] for share in (50, 99, 100)))
