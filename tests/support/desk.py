"""A coordination with its events taken in by hand, and the questions tests ask of it."""

import json
from typing import Any

from coordinator.charter import Charter
from coordinator.commitments import OPEN, Deal, State
from coordinator.cycle import Coordination
from coordinator.network import Stance
from coordinator.places import Table
from coordinator.signals import parse_event
from tests.support.events import tick

__all__ = ["Desk"]


class Desk:
    """One coordination; a cycle runs when it is told to, or when `hourly` lets log time run it."""

    def __init__(self, *lines: bytes, table: Table | None = None, by_the_hour: bool = False, **rules: Any) -> None:
        rules = {"fairness": "off", "effort": "km", "cycle_seconds": 3_600 if by_the_hour else 10**9, "late_seconds": 10**9} | rules
        self.charter = Charter.model_validate(rules)
        self.core = Coordination(self.charter, table=table)
        self.take(*lines)

    def take(self, *lines: bytes) -> None:
        for line in lines:
            self.core.take(parse_event(line), line)

    def until(self, at: float) -> None:
        """Let log time pass."""
        self.take(tick(at))

    def cycle(self) -> list[Deal]:
        """Plan now; return what is open, in order of provider and receiver."""
        self.core.run_cycle()
        return self.open

    @property
    def open(self) -> list[Deal]:
        deals = [deal for deal in self.core.book.deals.values() if deal.state in OPEN]
        return sorted(deals, key=lambda deal: (*deal.parties, deal.proposal))

    @property
    def moves(self) -> dict[tuple[str, str], int]:
        """What is proposed now, in grains: (offer, need) without the kind -> quantity."""
        moved: dict[tuple[str, str], int] = {}
        for deal in self.open:
            for line in deal.lines:
                pair = (_short(line.offer), _short(line.need))
                moved[pair] = moved.get(pair, 0) + line.quantity.grains
        return moved

    @property
    def parties(self) -> dict[tuple[str, ...], int]:
        """What is proposed now, in grains: (provider, receiver) -> quantity."""
        return {deal.parties: sum(line.quantity.grains for line in deal.lines) for deal in self.open}

    @property
    def ledger(self) -> list[dict[str, Any]]:
        return [json.loads(line)["data"] for line in self.core.ledger]

    @property
    def kinds(self) -> list[str]:
        return [record["kind"] for record in self.ledger]

    @property
    def last(self) -> dict[str, Any]:
        return self.ledger[-1]

    def state(self, proposal: str) -> State:
        deal = self.core.book.deals.get(proposal)
        return deal.state if deal is not None else self.core.book.ended[proposal]

    def stance(self, ref: str) -> Stance:
        return self.core.network.stances[ref]

    def free(self, ref: str) -> int:
        return self.stance(ref).free_grains

    def reason(self) -> dict[str, Any]:
        """The reasons of the first line of the only open proposal."""
        (deal,) = self.open
        reasons: dict[str, Any] = deal.data.reasons["lines"][0]
        return reasons


def _short(ref: str) -> str:
    agent, _, subject = ref.split("/", 2)
    return f"{agent}/{subject}"
