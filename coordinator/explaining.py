"""Why a need is served as it is, or short: read off what stands, what was proposed and what the rules hide. Nothing is solved again.

What would lift a need cannot be told from here without planning anew; what is told are the facts that stand in its way.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from coordinator.commitments import ENDED, OPEN, Book, Deal
from coordinator.cycle import Coordination
from coordinator.errors import Refused
from coordinator.graph import build_graph, unpromised_grains
from coordinator.hindrances import Hindrance, Supplies
from coordinator.limits import process_meant
from coordinator.loops import recipe_stocks, rings_told
from coordinator.matching import Hidden
from coordinator.names import NameIndex, Names, NearName
from coordinator.network import Network, Stance
from coordinator.production import Production
from coordinator.questions import Sources, accepted_things, nobody_offers, sources, why_not_made
from coordinator.reach import first_obstacles
from coordinator.times import format_instant
from coordinator.units import Quantity
from coordinator.wording import amount, asked_for, counted, shown
from coordinator.workshops import relevant

__all__ = ["Explanation", "HiddenOffers", "Served", "User", "explain", "need_named"]


@dataclass(frozen=True, slots=True)
class Served:
    """One line of a proposal or commitment for the need, with the reasons its plan gave."""

    proposal: str
    state: str
    provider: str
    offer: str
    quantity: Quantity
    distance_m: int
    effort: float  # in the charter's measure
    tier_stated: int | None
    tier_used: int | None
    level: int | None  # portions or shares its claim had before
    pressure: Mapping[str, int] | None  # what one unit more at the offer would serve: tier, level, effort; None: nobody was short
    late: bool
    expires_us: int


@dataclass(frozen=True, slots=True)
class User:
    """A need that takes what could have come here."""

    need: str
    agent: str
    quantity: Quantity  # of the offers that could reach the need asked about
    offers: int
    state: str
    tier_used: int | None
    level: int | None  # the highest among its parts


@dataclass(frozen=True, slots=True)
class HiddenOffers:
    """Offers of the thing that a rule keeps from the need."""

    why: Hidden
    offers: int
    free: Quantity  # promised to nobody: what is only proposed may yet go elsewhere
    nearest_m: int | None = None  # of those that are too far


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything the book, the network and the rules say about one need."""

    need: str
    agent: str
    sort: str
    name: str
    standing: bool
    asked: Quantity
    proposed: Quantity
    committed: Quantity
    short: Quantity
    tier_stated: int
    tier_used: int
    served: tuple[Served, ...]
    reachable_offers: int
    reachable_free: Quantity  # not promised to anybody yet
    reachable_spare: Quantity  # in no proposal either
    users: tuple[User, ...]  # of reachable offers, most urgent first
    hidden: tuple[HiddenOffers, ...]
    near: tuple[NearName, ...]
    reasons: tuple[str, ...]
    could_change: tuple[str, ...]


def need_named(network: Network, asked: str) -> Stance:
    """Return the need with this ref, or the only one whose ref has this in it. Refused, with near ones, where there is none or several."""
    exact = network.stances.get(asked)
    if exact is not None and not exact.is_supply:
        return exact
    refs = [ref for ref, stance in network.stances.items() if not stance.is_supply]
    found = sorted(ref for ref in refs if asked and (asked in ref or asked in ref.replace("/need/", "/")))
    if len(found) == 1:
        return network.stances[found[0]]
    if found:
        raise Refused(
            f"{len(found)} needs have {asked_for(asked)} in their id ({', '.join(found[:3])} …); write more of it: agent/need/subject"
        )
    like = _near_refs(refs, asked)
    hint = f"did you mean {' or '.join(like)}?" if like else "`coordinator needs` lists them"
    raise Refused(f"there is no need {asked_for(asked)}; {hint}")


def _near_refs(refs: Sequence[str], asked: str) -> list[str]:
    """Return needs whose ref is near what was asked, else needs of an agent whose name is near."""
    whole = NameIndex(refs, digits_matter=False).near(asked)
    if whole:
        return whole
    agents = NameIndex((ref.partition("/")[0] for ref in refs), digits_matter=False).near(asked.partition("/")[0])
    return sorted(ref for ref in refs if ref.partition("/")[0] in agents)[:3]


def explain(coordination: Coordination, asked: str) -> Explanation:
    """Return why the need named so is served as it is, or short. Refused where the name is unknown or stands for several."""
    network, book = coordination.network, coordination.book
    need = need_named(network, asked)
    view = _View(network, book, need, coordination.log_us)
    covered = book.covered_grains(need)
    short = max(0, need.stated_grains - covered) if need.stands else 0
    deals = [deal for deal in book.naming(need.ref) if deal.state not in ENDED]
    lines = [(deal, line) for deal in deals for line in deal.lines if line.need == need.ref and line.serves]
    names = () if view.reached else Names(network).near(need.thing)
    return Explanation(
        need=need.ref,
        agent=need.agent,
        sort=need.thing[0],
        name=network.canonical(need.thing)[1],
        standing=need.stands,
        asked=network.quantity(need, need.stated_grains),
        proposed=network.quantity(need, sum(line.quantity.grains for deal, line in lines if deal.is_open)),
        committed=network.quantity(need, sum(line.quantity.grains for deal, line in lines if deal.is_bound)),
        short=network.quantity(need, short),
        tier_stated=need.tier,
        tier_used=view.tier_used,
        served=tuple(
            _served(deal, index) for deal in deals for index, line in enumerate(deal.lines) if line.need == need.ref and line.serves
        ),
        reachable_offers=len(view.reached),
        reachable_free=network.quantity(need, view.free_grains),
        reachable_spare=network.quantity(need, view.spare_grains),
        users=view.users,
        hidden=view.hidden,
        near=names,
        reasons=tuple(_reasons(view, short, names, coordination.production)),
        could_change=tuple(_could_change(view, short, names)),
    )


def _served(deal: Deal, index: int) -> Served:
    line, reason = deal.lines[index], _reason(deal, index)
    return Served(
        proposal=deal.proposal,
        state=deal.state.value,
        provider=line.provider,
        offer=line.offer,
        quantity=line.quantity,
        distance_m=line.distance_m,
        effort=float(line.effort),
        tier_stated=reason.get("tier_stated"),
        tier_used=reason.get("tier_used"),
        level=reason.get("level"),
        pressure=reason.get("pressure"),
        late=bool(reason.get("late")),
        expires_us=deal.data.expires_us,
    )


def _reason(deal: Deal, index: int) -> Mapping[str, Any]:
    """Return what the plan said of a line; a proposal that another coordinator made may say nothing."""
    reasons = deal.data.reasons.get("lines")
    reason = reasons[index] if isinstance(reasons, list | tuple) and index < len(reasons) else None
    return reason if isinstance(reason, Mapping) else {}


class _View:
    """All offers of what a need takes, seen from it."""

    def __init__(self, network: Network, book: Book, need: Stance, log_us: int) -> None:
        self.network, self.book, self.need, self.log_us = network, book, need, log_us
        self.tier_used = book.claim_of(need)[2]
        accepted = set(accepted_things(network, need))
        self.accepted = frozenset((thing, need.dimension) for thing in accepted)
        said = [thing for thing in network.live_things() if network.canonical(thing) in accepted]
        self.offers = sorted(
            (one for thing in said for one in network.live(thing) if one.is_supply and one.dimension == need.dimension),
            key=lambda one: one.ref,
        )
        obstacles = first_obstacles(network, book, self.offers, need, log_us, lambda one: one.stated_grains)
        self.reached = [offer for offer, obstacle in zip(self.offers, obstacles, strict=True) if obstacle is None]
        self.hidden = tuple(self._hidden(obstacles))
        self.users = tuple(self._users())
        self.free_grains = sum(unpromised_grains(offer, book) for offer in self.reached)
        self.spare_grains = sum(book.open_grains(offer, log_us) for offer in self.reached)

    @cached_property
    def there_is(self) -> Sources:
        """All that can be had in the whole network; found where it is asked for, since that walks all of it."""
        return sources(self.network, build_graph(self.network, self.book, self.log_us), self.log_us)

    @cached_property
    def is_made(self) -> bool:
        """Whether any recipe but drafts makes what the need takes."""
        recipes = (recipe for recipe in self.network.recipes.values() if not recipe.draft)
        return any(not self.accepted.isdisjoint(recipe_stocks(self.network, recipe)[1]) for recipe in recipes)

    @cached_property
    def supplies(self) -> Supplies:
        """What there is for the recipes that lead to it."""
        return Supplies(self.network, self.log_us, self.there_is.used, lambda one: self.book.open_grains(one, self.log_us))

    @cached_property
    def hindrances(self) -> Mapping[str, Sequence[Hindrance]]:
        """Of each recipe that makes it of what is there at all, by ref, what keeps it from running now."""
        if not self.is_made:
            return {}
        makes = [recipe.ref for recipe in self.there_is.recipes if not self.accepted.isdisjoint(recipe.gives)]
        return self.supplies.hindrances((ref for ref in makes if ref in self.there_is.able), self.need)

    def _hidden(self, obstacles: Sequence[Hidden | None]) -> Iterable[HiddenOffers]:
        kept: dict[Hidden, list[Stance]] = {}
        for offer, obstacle in zip(self.offers, obstacles, strict=True):
            if obstacle is not None:
                kept.setdefault(obstacle, []).append(offer)
        for why in Hidden:
            if why in kept:
                distances = (self.network.distance_m(offer, self.need) for offer in kept[why])
                nearest = min((metres for metres in distances if metres is not None), default=None) if why is Hidden.TOO_FAR else None
                free = sum(unpromised_grains(offer, self.book) for offer in kept[why])
                yield HiddenOffers(why, len(kept[why]), self.network.quantity(self.need, free), nearest)

    def _users(self) -> list[User]:
        """Return who else takes of the reachable offers, by tier, level and need."""
        parts: dict[tuple[str, str], list[tuple[Deal, int]]] = {}
        for offer in self.reached:
            for deal in self.book.naming(offer.ref):
                for index, line in enumerate(deal.lines):
                    if deal.state not in ENDED and line.offer == offer.ref and line.takes and line.need != self.need.ref:
                        parts.setdefault((line.need, deal.state.value), []).append((deal, index))
        users = [self._user(ref, state, lines) for (ref, state), lines in parts.items()]
        return sorted(users, key=lambda user: (_known(user.tier_used), _known(user.level), user.need, user.state))

    def _user(self, ref: str, state: str, lines: Sequence[tuple[Deal, int]]) -> User:
        grains = sum(deal.lines[index].quantity.grains for deal, index in lines)
        tiers = [tier for deal, index in lines if (tier := _reason(deal, index).get("tier_used")) is not None]
        levels = [level for deal, index in lines if (level := _reason(deal, index).get("level")) is not None]
        return User(
            need=ref,
            agent=lines[0][0].lines[lines[0][1]].receiver,
            quantity=self.network.quantity(self.need, grains),
            offers=len({deal.lines[index].offer for deal, index in lines}),
            state=state,
            tier_used=min(tiers, default=None),
            level=max(levels, default=None),
        )


def _known(rank: int | None) -> int:
    return 99 if rank is None else rank


# -- in plain sentences -----------------------------------------------------------------------------------------------


def _reasons(view: _View, short: int, names: Sequence[NearName], production: Production) -> Iterable[str]:
    need, log_us = view.need, view.log_us
    if not need.stands:
        expired = not need.withdrawn and need.expires_us is not None
        yield f"it expired at {format_instant(need.expires_us)}" if expired and need.expires_us is not None else "it was withdrawn"
        return
    if need.end_us is not None and need.is_over(log_us):
        yield f"its window closed at {format_instant(need.end_us)}, and now is {format_instant(log_us)}"
    yield from _taken_for(view)
    if not short:
        yield "all that it asks for is proposed, promised or committed"
        return
    yield f"{_told(view, short)} of {_told(view, need.stated_grains)} is in no proposal and no commitment"
    if not view.offers:
        yield nobody_offers(view.accepted, view.there_is)
    elif not view.reached:
        yield "the only offer is ruled out" if len(view.offers) == 1 else f"all {len(view.offers):,} offers are ruled out"
    for kept in view.hidden:
        yield f"{counted(kept.offers, 'offer')} with {amount(kept.free)} unpromised: {kept.why}"
    if view.reached:
        yield from _used_up(view)
    yield from _nearly(view, names)
    if view.is_made:
        yield from _made(view, production)


def _taken_for(view: _View) -> Iterable[str]:
    """Yield, for every name of a process here that counts as another, who says so."""
    for name in sorted({one.name for one in (view.need, *view.offers) if one.is_hours}):
        meant, source = process_meant(view.network, name)
        if source:
            yield f"{shown(name)} counts as {meant} ({source})"


def _nearly(view: _View, names: Sequence[NearName]) -> Iterable[str]:
    """Yield the names that may have been meant, and where what is called so never meets the need by another name alone."""
    for name in names:
        told = f"`{name.name}` has nearly the same name: offered by {name.offered_by}, needed by {name.needed_by}"
        if not name.fits([view.need.dimension]):
            told += (
                f", but counted in {' and '.join(name.counted_in)}, and the need in {view.need.dimension}, so an alias alone does not help"
            )
        yield told


def _made(view: _View, production: Production) -> Iterable[str]:
    """Yield what keeps recipes from making it; of those that nothing keeps, that they could."""
    yield from why_not_made(view.accepted, view.there_is)
    for ref, found in view.hindrances.items():
        yield from dict.fromkeys(each.sentence for each in found)
        if not found:
            nobody = "" if view.offers else "; nobody offers what it makes"
            is_made = view.supplies.takes_what_is_made(ref)  # Two inputs may be short of one raw material, which only a plan tells.
            alone = "each thing it takes, looked at alone, is offered or could be made"
            comes = alone if is_made else "everything it takes is offered by somebody"
            yield f"the recipe {ref} makes it, and {comes}{nobody}"
    yield from rings_told(view.network, relevant(view.network, production.standing(), [view.need])[0])
    if production.latest.failed and not all(view.hindrances.values()):
        yield f"nothing was planned to be made, because {production.latest.failed}"


def _used_up(view: _View) -> Iterable[str]:
    offered = sum(offer.stated_grains for offer in view.reached)
    yield f"{counted(len(view.reached), 'offer')} with {_told(view, offered)} in all could reach it"
    mine = [deal for deal in view.book.naming(view.need.ref) if deal.state not in ENDED]
    if mine:
        yield f"it gets a part of that, from {counted(len({deal.lines[0].provider for deal in mine}), 'agent')}"
    for title, users in _by_urgency(view):
        grains = sum(user.quantity.grains for user in users)
        needs = counted(len({user.need for user in users}), "need")
        yield f"{_told(view, grains)} goes to {needs} {title}"
    if view.spare_grains:
        yield f"{_told(view, view.spare_grains)} is free and in no proposal: {_why_spare(view)}"


def _by_urgency(view: _View) -> Iterable[tuple[str, list[User]]]:
    groups: dict[str, list[User]] = {}
    for user in view.users:
        if user.tier_used is None:
            title = "whose tier their proposals do not tell"
        elif user.tier_used == view.tier_used:
            title = f"of the same tier {view.tier_used}, where fairness and then effort decide"
        else:
            rank = "a more urgent" if user.tier_used < view.tier_used else "a less urgent"
            title = f"of {rank} tier {user.tier_used}"
        groups.setdefault(title, []).append(user)
    return groups.items()


def _why_spare(view: _View) -> str:
    packs = [view.network.definition(view.network.canonical(offer.thing)).multiple_grains for offer in view.reached]
    pack = max((grains for grains in packs if grains), default=0)
    if view.spare_grains < pack:
        return f"less than a pack of {_told(view, pack)}, and only whole packs move"
    least = max(view.need.minimum_grains, min(offer.minimum_grains for offer in view.reached))
    if view.spare_grains < least:
        return f"less than the least part of {_told(view, least)} that is of use"
    return "it came free since the last plan, or it is held by offers whose minimum or pack it does not fill"


def _could_change(view: _View, short: int, names: Sequence[NearName]) -> Iterable[str]:
    need, network = view.need, view.network
    if not short:
        return
    if view.tier_used != need.tier:
        yield f"it says tier {need.tier} and counts as tier {view.tier_used}: the charter does not let {need.agent} claim tier {need.tier}"
    if need.is_over(view.log_us):
        yield "only a new window, said by its agent: nothing arrives in one that has closed"
        return
    waiting = [user for user in view.users if user.state in OPEN]
    if waiting:
        refs = {offer.ref for offer in view.reached}
        deals = [deal for deal in view.book.deals.values() if deal.is_open and any(line.offer in refs for line in deal.lines)]
        first_us = min(deal.data.expires_us for deal in deals)
        held = _told(view, sum(user.quantity.grains for user in waiting))
        yield (
            f"{held} of what could reach it waits for others' answers: what they decline, or let lapse "
            f"({format_instant(first_us)} at the earliest), is planned again"
        )
    for kept in view.hidden:
        if kept.free.grains:
            yield from _without_rule(kept)
    meant = " or ".join(f"`{name.name}`" for name in names if name.fits([need.dimension]))
    agreeing = f"agreeing that it is {meant} (an alias in the charter)" if meant else ""
    if not view.offers:
        offering = f"somebody offering {network.canonical(need.thing)[1]}, counted in {need.dimension}"
        yield f"{offering}, or {agreeing}" if agreeing else offering
    elif agreeing:
        yield agreeing
    yield from dict.fromkeys(each.change for lacks in view.hindrances.values() for each in lacks if each.change is not None)


def _without_rule(kept: HiddenOffers) -> Iterable[str]:
    free, offers = amount(kept.free), counted(kept.offers, "offer")
    match kept.why:
        case Hidden.TOO_FAR if kept.nearest_m is not None:
            yield f"a wider radius: {offers} with {free} unpromised, the nearest {kept.nearest_m / 1000:,.1f} km away"
        case Hidden.NO_ROUTE:
            yield f"a place or a route that connects it with {offers} with {free} unpromised"
        case Hidden.DECLINED:
            yield f"a new count, said by either side, opens a declined pair again: {offers} with {free} unpromised"
        case Hidden.MINIMUM:
            yield f"a smaller minimum, on the side that states it: {offers} with {free} unpromised"
        case Hidden.WINDOW:
            yield f"another window, on either side: {offers} with {free} unpromised"


def _told(view: _View, grains: int) -> str:
    return amount(view.network.quantity(view.need, grains))
