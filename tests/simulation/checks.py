"""Holds the product's own book to what the independent reader made of the records."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from unittest.mock import patch

from coordinator.commitments import State
from coordinator.cycle import Coordination
from coordinator.replaying import standing_proposals
from coordinator.signals import parse_event
from coordinator.turns import _read as read_turn
from tests.simulation.reader import Reader, canonical
from tests.simulation.scheduler import Invariant

__all__ = ["agree", "fast_and_fixed", "live_digest"]

OPEN = (State.PROPOSED, State.PROMISED)
MEMORY = 1 << 14
READERS = (
    "coordinator.adapters.service",
    "coordinator.adapters.folding",
    "coordinator.adapters.kafka_service",
    "coordinator.cycle",
)  # who call `parse_event`


def agree(coordination: Coordination, reader: Reader) -> None:
    """Invariant where book and reader differ in time, ledger, plans or what is free."""
    book, stances = coordination.book, coordination.network.stances
    if coordination.log_us != reader.log_us:
        raise Invariant("live digest = replay digest", f"log time is {coordination.log_us} in the book, {reader.log_us} by the records")
    if len(coordination.ledger) != len(reader.ledger):
        raise Invariant("live digest = replay digest", f"{len(coordination.ledger)} ledger records in the book, {len(reader.ledger)} read")
    stands = {name: str(deal.state) for name, deal in book.deals.items() if deal.state in OPEN}
    read = {name: reader.plans[name].state for name in reader.open}
    if stands != read:
        raise Invariant(
            "live digest = replay digest", f"open in the book and not by the records, or otherwise: {stands.items() ^ read.items()}"
        )
    for ref, stand in reader.stands.items():
        stance = stances.get(ref)
        free = 0 if stance is None else stance.free_grains
        if free != reader.free(ref):
            raise Invariant("what is free is told truly", f"of {ref} the book has {free} free, the records {reader.free(ref)}")
        if stance is not None and stance.stands != stand.stands:
            raise Invariant("expiry by log time", f"{ref} stands in the book: {stance.stands}; by the records: {stand.stands}")


def live_digest(coordination: Coordination) -> str:
    """Return the digest of what stands now; each record is put into its canonical form once."""
    state = hashlib.sha256()
    for line in (*coordination.ledger, *standing_proposals(coordination.book)):
        state.update(canonical(line))
    return state.hexdigest()


_parsed = lru_cache(MEMORY)(parse_event)  # what a line says is the same whoever reads it, and here many read the same lines
_turn_read = lru_cache(MEMORY)(read_turn)


@contextmanager
def fast_and_fixed(new_id: Callable[[], bytes]) -> Iterator[None]:
    """Draw what a log is named by from the seed, and read no line twice."""
    for known in (_parsed, _turn_read):
        known.cache_clear()  # no two schedules have the same lines
    with ExitStack() as stack:
        stack.enter_context(patch("coordinator.adapters.file_log._random_id", new_id))
        for module in READERS:
            stack.enter_context(patch(f"{module}.parse_event", _parsed))
        stack.enter_context(patch("coordinator.turns._read", _turn_read))
        yield
