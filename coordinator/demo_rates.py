"""How often people really answered: the outcomes of the matches that GetUsPPE's volunteers made, as rates for the demo's parties.

Source: data/all_matches.csv of github.com/GetUsPPE/ppe_needs_retrospective (MIT, Copyright 2021 GetUsPPE; its query is
src/sql/all_matches.sql: one row for each match and item). Taken: the 1,555 distinct matches created up to 20 July 2020, the last day of
the demo's stream. 1,118 of them were delivered; the others were closed without a delivery, for the reasons below.
Those who closed them were the volunteers, so a reason is theirs, and "no supply" says also that an offer had gone elsewhere.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

__all__ = ["MATCHES", "OUTCOMES", "Outcome", "Side", "outcome_of"]

Side = Literal["provider", "receiver"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a party does instead of accepting: declines with a reason, or stays silent."""

    side: Side
    answer: Literal["decline", "silence"]
    reason: str  # as in the data, in words
    matches: int  # that ended so, of `MATCHES`


MATCHES = 1_555
OUTCOMES = (
    Outcome("provider", "decline", "no supply", 359),
    Outcome("provider", "silence", "no contact with the donor", 8),
    Outcome("receiver", "decline", "no need", 31),
    Outcome("receiver", "silence", "no contact with the facility", 39),
)


def outcome_of(seed: int, side: Side, occasion: str) -> Outcome | None:
    """Return what one party does on an occasion (a proposal's id), drawn at the real rates; None means that it accepts.

    The draw hangs on the three arguments alone: the order in which parties are asked changes nothing.
    """
    drawn = int.from_bytes(sha256(f"{seed}\n{side}\n{occasion}".encode()).digest()[:8]) % MATCHES
    for outcome in OUTCOMES:
        if outcome.side == side:
            if drawn < outcome.matches:
                return outcome
            drawn -= outcome.matches
    return None
