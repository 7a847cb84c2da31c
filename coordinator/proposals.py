"""From a plan to proposals: one for each pair of partners, named by its content, re-issued only where it changed."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import rfc8785

from coordinator.commitments import Book, Deal, Pair, State, Terms
from coordinator.fields import FARTHEST_KM, LONGEST_TEXT, read_name
from coordinator.jsontext import canonical_json
from coordinator.network import Network, Stance, Thing
from coordinator.orders import Tree, TreeLine
from coordinator.partners import Partners
from coordinator.problems import Part, effort_of, mass_per_grain
from coordinator.production import Made
from coordinator.signals import Line, Proposal
from coordinator.times import LATEST_US, SECOND_US, format_instant
from coordinator.units import LARGEST_VALUE, UNITS, Quantity, from_grains

__all__ = ["Draft", "Revision", "revise"]

PLAIN_UNITS = {"pieces": "1", "mass": "kg", "time": "h", "length": "m", "area": "m2", "volume": "L"}
MOST_LINES = 100  # of one proposal; a pair with more gets several
PLAIN_FRACTIONS = (1e-4, 1e15)  # between these, every way of writing JSON gives a fraction the same digits
READ_BACK_GRAINS = 2**50  # so many, written as a fraction of a unit, are surely read back to the grain


@dataclass(frozen=True, slots=True)
class Draft:
    """A proposal about to be made: its data as JSON, and what whoever reads that will have.

    `read` is None where a number or a name is so unusual that only reading it back tells whether others take it.
    """

    name: str
    data: dict[str, Any]
    read: Proposal | None


@dataclass(frozen=True, slots=True)
class Revision:
    """What a new plan changes: ids to take off the table, and the proposals to put on it."""

    retracted: list[str]
    proposed: list[Draft]


def revise(
    network: Network,
    book: Book,
    plan: Partners,
    told: Callable[[Sequence[Part]], Sequence[Part]],
    log_us: int,
    is_planned: Callable[[Deal], bool] | None = None,
    made: Made | None = None,
    awaits: Callable[[Pair], bool] | None = None,
) -> Revision:
    """Return how the unanswered proposals have to change to become this plan; those already in it stay as they are.

    Only pairs that moved since the last revision are looked at. `told` gives parts their levels and pressures of now. Where the plan is of
    some markets only, `is_planned` tells the deals that speak of those; the others are left alone. `made` is the plan of making; None
    leaves the trees that wait as they are. Pairs of which `awaits` says that their plan is still in question are looked at the next time.
    """
    drafting = _Drafting(network, log_us)
    retracted: dict[str, None] = {}
    new: list[list[Part]] = []
    unlike: dict[Pair, frozenset[Terms]] = {}
    later: list[Pair] = []
    for pair in plan.moved(book):
        if awaits is not None and awaits(pair):
            later.append(pair)
            continue
        mine, unanswered = plan.parts_of(pair), book.unanswered(pair)
        if is_planned is not None:
            unanswered = [deal for deal in unanswered if is_planned(deal)]
        if not (mine or unanswered):
            continue
        wanted = {_terms_of_parts(some): some for some in _for_one_proposal(mine)}
        terms = frozenset(wanted)
        over = [deal.proposal for deal in unanswered if wanted.pop(deal.terms, None) is None]
        retracted.update(dict.fromkeys(over))
        new += wanted.values()
        if over or wanted:
            unlike[pair] = terms
    plan.looked_at(book, unlike, later)
    now = iter(told([part for some in new for part in some]))
    drafts = [drafting.draft([next(now) for _ in some]) for some in new]
    if made is not None:
        trees = {tree.terms: tree for tree in made.trees}
        waiting = [deal for deal in book.deals.values() if deal.state is State.PROPOSED and deal.is_tree and deal.proposal not in made.kept]
        retracted.update(dict.fromkeys(deal.proposal for deal in waiting if trees.pop(deal.terms, None) is None))
        drafts += [drafting.tree(tree, made) for tree in trees.values()]
    return Revision(list(retracted), drafts)


def _for_one_proposal(parts: list[Part]) -> list[list[Part]]:
    """Return parts of one pair as lines of as few proposals as take them."""
    if 0 < len(parts) <= MOST_LINES:
        return [parts]
    return [parts[start : start + MOST_LINES] for start in range(0, len(parts), MOST_LINES)]


def _terms_of_parts(parts: Sequence[Part]) -> Terms:
    return tuple([(part.offer.ref, part.need.ref, part.grains, part.distance_m) for part in parts])


@dataclass(frozen=True, slots=True)
class _Wording:
    """What is the same in every line about one thing offered in one unit."""

    resource: str
    action: Literal["use", "transfer"]
    unit: str
    most_grains: int  # that are said in this unit; more are said in the offer's own
    mass_per_grain: tuple[int, int]  # as numerator and denominator
    mass_unknown: bool
    is_plain: bool  # whether every reader takes the name as it is, which nobody checked in the charter's catalogue


class _Drafting:
    """Writes the proposals of one moment."""

    def __init__(self, network: Network, log_us: int) -> None:
        self._network, self._charter, self._log_us = network, network.charter, log_us
        self._wordings: dict[tuple[Thing, str, str], _Wording] = {}
        self._expires_us = min(LATEST_US, log_us + self._charter.proposal_seconds * SECOND_US)

    def draft(self, parts: Sequence[Part]) -> Draft:
        """Return the proposal of these parts, all of one pair, named by its content."""
        lines: list[Line] = []
        data: list[dict[str, Any]] = []
        reasons_told: list[dict[str, Any]] = []
        statements: list[list[str]] = []
        expires_us, is_plain = self._expires_us, True
        for part in parts:
            wording = self._wording(part.offer)
            line = self._line(part, wording)
            told = _line_json(line)
            lines.append(line)
            data.append(told)
            reasons_told.append(self._reason(part, wording))
            for stance in (part.offer, part.need):
                statements.append([f"agent:{stance.agent}", stance.statement])
                if stance.end_us is not None and stance.end_us < expires_us:
                    expires_us = stance.end_us
            is_plain = is_plain and wording.is_plain and _is_plain(line, told)
        expires = format_instant(expires_us)
        content: list[Any] = [data, statements, expires]
        name = hashlib.sha256(canonical_json(content) if is_plain else rfc8785.dumps(content)).hexdigest()[:32]
        reasons = {"fairness": self._charter.fairness, "at": format_instant(self._log_us), "lines": reasons_told}
        version = self._charter.version
        whole = {"proposal": name, "lines": data, "expires": expires, "charter": version, "reasons": reasons}
        return Draft(name, whole, Proposal(name, tuple(lines), expires_us, version, reasons) if is_plain else None)

    def tree(self, tree: Tree, made: Made) -> Draft:
        """Return the proposal of a tree, which asks all of its parties at once."""
        lines = [self._tree_line(line) for line in tree.lines]
        stances = self._network.stances
        told = [stances[ref] for line in tree.lines for ref in (line.offer, line.need) if ref in stances]
        ends = [
            end_us for end_us in (*(one.end_us for one in told), *(line.end_us for line in tree.lines if line.action == "use")) if end_us
        ]
        expires_us = min([self._expires_us, *ends])
        expires = format_instant(expires_us)
        data = [_line_json(line) for line in lines]
        content: list[Any] = [data, [[f"agent:{one.agent}", one.statement] for one in told], expires]
        name = hashlib.sha256(rfc8785.dumps(content)).hexdigest()[:32]
        reasons: dict[str, Any] = {
            "fairness": self._charter.fairness,
            "at": format_instant(self._log_us),
            "lines": [self._tree_reason(line) for line in tree.lines],
            "making": {
                "needs": [need.ref for need in tree.needs],
                "footprint": tree.footprint.told(),
                "plan": {"gap": round(float(made.gap), 6), "worth": made.worth, "bound": made.bound},
            },
        }
        told_json = {"proposal": name, "lines": data, "expires": expires, "charter": self._charter.version, "reasons": reasons}
        return Draft(name, told_json, None)

    def _tree_line(self, line: TreeLine) -> Line:
        definition = self._network.definition(line.thing)
        stance = self._network.stances.get(line.offer)
        unit = UNITS[definition.unit]
        if unit.dimension != line.dimension or line.grains > LARGEST_VALUE * unit.grains:
            unit = UNITS[PLAIN_UNITS[line.dimension] if stance is None or stance.dimension != line.dimension else stance.unit]
        footprint = line.footprint
        way = from_grains(line.grains, unit.code) * line.distance_m / 1000 if self._charter.effort == "km" else float(footprint.kg_km)
        weights = self._charter.making_effort
        effort = sum(float(weight) * float(getattr(footprint, name)) for name, weight in weights.items()) if weights else way
        need = self._network.stances[line.need]
        return Line(
            provider=line.provider,
            receiver=line.receiver,
            action=line.action,
            resource=line.thing[1],
            quantity=Quantity(line.grains, unit.code),
            offer=line.offer,
            need=line.need,
            distance_m=line.distance_m,
            effort=_plain_effort(effort),
            due_us=need.due_us,
            begin_us=line.begin_us,
            end_us=line.end_us,
            into=line.into,
        )

    def _tree_reason(self, line: TreeLine) -> dict[str, Any]:
        need = self._network.stances[line.need]
        facts = self._network.agents[need.agent]
        reason: dict[str, Any] = {"tier_stated": need.tier, "tier_used": self._charter.tier_used(need.tier, need.agent, facts.classes)}
        if need.due_us is not None and line.end_us is not None and line.into is None and line.end_us > need.due_us:
            reason["late"] = True
        if footprint := line.footprint.told():
            reason["footprint"] = footprint
        return reason

    def _line(self, part: Part, wording: _Wording) -> Line:
        offer, need = part.offer, part.need
        quantity = Quantity(part.grains, wording.unit if part.grains <= wording.most_grains else offer.unit)
        effort = _plain_effort(effort_of(self._charter.effort, quantity.unit, wording.mass_per_grain, part.grains, part.distance_m))
        refs = offer.ref, need.ref
        return Line(offer.agent, need.agent, wording.action, wording.resource, quantity, *refs, part.distance_m, effort, need.due_us)

    def _wording(self, offer: Stance) -> _Wording:
        key = offer.thing, offer.dimension, offer.unit
        known = self._wordings.get(key)
        if known is None:
            thing = self._network.canonical(offer.thing)
            definition = self._network.definition(thing)
            unit = UNITS[definition.unit]
            known = self._wordings[key] = _Wording(
                resource=thing[1],
                action="use" if offer.is_hours else "transfer",
                unit=unit.code,
                most_grains=int(LARGEST_VALUE * unit.grains) if unit.dimension == offer.dimension else 0,
                mass_per_grain=mass_per_grain(self._network, offer).as_integer_ratio(),
                mass_unknown=not offer.is_hours and definition.mass_ug is None and offer.dimension != "mass",
                is_plain=_is_plain_name(thing[1]),
            )
        return known

    def _reason(self, part: Part, wording: _Wording) -> dict[str, Any]:
        offer, need = part.offer, part.need
        reason: dict[str, Any] = {"tier_stated": need.tier, "tier_used": part.tier_used, "level": part.level}
        if part.pressure is not None:
            tier, level, effort = part.pressure
            reason["pressure"] = {"tier": tier, "level": level, "effort": effort}
        if need.due_us is not None and max(self._log_us, offer.begin_us or self._log_us) > need.due_us:
            reason["late"] = True
        if wording.mass_unknown:
            reason["mass"] = "unknown, counted as 1 kg a unit"
        return reason


def _plain_effort(effort: float) -> int | float:
    return int(effort) if effort == int(effort) and effort < 2**53 else round(effort, 6)  # RFC 8785 has no larger whole numbers


def _line_json(line: Line) -> dict[str, Any]:
    told: dict[str, Any] = {
        "provider": line.provider,
        "receiver": line.receiver,
        "action": line.action,
        "resource": line.resource,
        "quantity": line.quantity.to_json(),
        "offer": line.offer,
        "need": line.need,
        "distance_km": line.distance_m // 1000 if line.distance_m % 1000 == 0 else line.distance_m / 1000,
        "effort": line.effort,
    }
    if line.due_us is not None:
        told["due"] = format_instant(line.due_us)
    if line.begin_us is not None:
        told["begin"] = format_instant(line.begin_us)
    if line.end_us is not None:
        told["end"] = format_instant(line.end_us)
    if line.into is not None:
        told["into"] = line.into
    return told


def _is_plain(line: Line, told: dict[str, Any]) -> bool:
    """Whether the amounts of a line, and its refs, are surely taken by whoever reads it, and read as they were meant."""
    value = told["quantity"]["value"]
    return (
        value <= LARGEST_VALUE
        and (type(value) is int or line.quantity.grains < READ_BACK_GRAINS)
        and line.distance_m <= 1000 * FARTHEST_KM
        and max(len(line.offer), len(line.need)) <= LONGEST_TEXT
        and _is_plain_number(value)
        and _is_plain_number(told["distance_km"])
        and _is_plain_number(line.effort)
    )


def _is_plain_name(name: str) -> bool:
    try:
        return read_name(name) == name
    except ValueError:
        return False


def _is_plain_number(number: int | float) -> bool:
    return type(number) is int or (PLAIN_FRACTIONS[0] <= number < PLAIN_FRACTIONS[1] and not float(number).is_integer())
