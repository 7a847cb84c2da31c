"""From a plan to proposals: one for each pair of partners, named by its content, re-issued only where it changed."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import rfc8785

from coordinator.commitments import Book, Deal, State
from coordinator.network import Network
from coordinator.problems import Part, mass_per_grain
from coordinator.times import LATEST_US, SECOND_US, format_instant
from coordinator.units import Quantity, from_grains

__all__ = ["Revision", "revise"]

MOST_LINES = 100  # of one proposal; a pair with more gets several

Terms = tuple[tuple[str, str, int, int], ...]  # of each line: offer, need, grains, metres


@dataclass(frozen=True, slots=True)
class Revision:
    """What a new plan changes: ids to take off the table, and the data of proposals to put on it."""

    retracted: list[str]
    proposed: list[dict[str, Any]]


def revise(network: Network, book: Book, parts: Iterable[Part], log_us: int) -> Revision:
    """Return how the unanswered proposals have to change to become this plan; those already in it stay as they are."""
    wanted: dict[tuple[str, str, Terms], list[Part]] = {}
    by_pair: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        by_pair.setdefault((part.offer.agent, part.need.agent), []).append(part)
    for pair, mine in sorted(by_pair.items()):
        slices = [mine[start : start + MOST_LINES] for start in range(0, len(mine), MOST_LINES)]
        wanted |= {(*pair, _terms_of_parts(some)): some for some in slices}
    unanswered = [deal for deal in book.deals.values() if deal.state is State.PROPOSED]
    retracted = [deal.proposal for deal in unanswered if wanted.pop(_pair_and_terms(deal), None) is None]
    return Revision(retracted, [_proposal(network, some, log_us) for some in wanted.values()])


def _terms_of_parts(parts: Sequence[Part]) -> Terms:
    return tuple((part.offer.ref, part.need.ref, part.grains, part.distance_m) for part in parts)


def _pair_and_terms(deal: Deal) -> tuple[str, str, Terms]:
    terms = tuple((line.offer, line.need, line.quantity.grains, line.distance_m) for line in deal.lines)
    return deal.lines[0].provider, deal.lines[0].receiver, terms


def _proposal(network: Network, parts: Sequence[Part], log_us: int) -> dict[str, Any]:
    lines = [_line(network, part) for part in parts]
    ends = [end_us for part in parts for end_us in (part.offer.end_us, part.need.end_us) if end_us is not None]
    expires = format_instant(min([LATEST_US, log_us + network.charter.proposal_seconds * SECOND_US, *ends]))
    statements = [[f"agent:{stance.agent}", stance.statement] for part in parts for stance in (part.offer, part.need)]
    name = hashlib.sha256(rfc8785.dumps([lines, statements, expires])).hexdigest()[:32]
    return {
        "proposal": name,
        "lines": lines,
        "expires": expires,
        "charter": network.charter.version,
        "reasons": {
            "fairness": network.charter.fairness,
            "at": format_instant(log_us),
            "lines": [_reason(network, part, log_us) for part in parts],
        },
    }


def _line(network: Network, part: Part) -> dict[str, Any]:
    offer, need = part.offer, part.need
    quantity = network.quantity(offer, part.grains)
    line: dict[str, Any] = {
        "provider": offer.agent,
        "receiver": need.agent,
        "action": "use" if offer.is_hours else "transfer",
        "resource": network.canonical(offer.thing)[1],
        "quantity": quantity.to_json(),
        "offer": offer.ref,
        "need": need.ref,
        "distance_km": _decimal(part.distance_m, 1000),
        "effort": _effort(network, part, quantity),
    }
    if need.due_us is not None:
        line["due"] = format_instant(need.due_us)
    return line


def _effort(network: Network, part: Part, quantity: Quantity) -> int | float:
    """Return the effort in the charter's measure: kilogram-kilometres, or kilometres of each unit."""
    if network.charter.effort == "km":
        effort = from_grains(part.grains, quantity.unit) * part.distance_m / 1000
    else:
        effort = float(mass_per_grain(network, part.offer) * part.grains * part.distance_m) / 1e12
    return int(effort) if effort == int(effort) and effort < 2**53 else round(effort, 6)  # RFC 8785 has no larger whole numbers


def _decimal(whole: int, per: int) -> int | float:
    return whole // per if whole % per == 0 else whole / per


def _reason(network: Network, part: Part, log_us: int) -> dict[str, Any]:
    offer, need = part.offer, part.need
    definition = network.definition(network.canonical(offer.thing))
    reason: dict[str, Any] = {"tier_stated": need.tier, "tier_used": part.tier_used, "level": part.level}
    if part.pressure is not None:
        reason["pressure"] = dict(zip(("tier", "level", "effort"), part.pressure, strict=True))
    if need.due_us is not None and max(log_us, offer.begin_us or log_us) > need.due_us:
        reason["late"] = True
    if not offer.is_hours and definition.mass_ug is None and offer.dimension != "mass":
        reason["mass"] = "unknown, counted as 1 kg a unit"
    return reason
