"""Small random networks as lines of JSON, and the plainest reading of what can reach what in them."""

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from coordinator.network import Network, Stance
from coordinator.proportions import recipes_in_use
from tests.support.events import agent, amount, capacity, event, hours, need, offer

__all__ = ["had_somehow", "made", "may_pair", "of_agent", "random_network", "recipe", "sourceless"]

THINGS = ("mask", "visor", "strap", "sheet", "foil")
PROCESSES = ("sewing", "cutting")
AGENTS = tuple(f"agent-{letter}" for letter in "abcdef")


def recipe(
    who: str, name: str, gives: dict[str, float], takes: dict[str, float], steps: dict[str, float] | None = None, *, at: float = 0
) -> bytes:
    """Runs of `name`: pieces in, hours of work, pieces out."""
    data = {
        "recipe": name,
        "outputs": [{"resource": thing, "quantity": amount(value)} for thing, value in gives.items()],
        "inputs": [{"resource": thing, "quantity": amount(value)} for thing, value in takes.items()],
        "steps": [{"process": process, "effort": amount(value, "h")} for process, value in (steps or {}).items()],
    }
    return event("recipe", f"agent:{who}", name, at, data)


def random_network(random: Random, *, recipes: bool = True) -> list[bytes]:
    """A few agents on a line, with offers, hours, needs and recipes (rings among them), windows, radii and missing places."""
    lines = [agent(who, *([random.uniform(40, 50)] if random.random() < 0.85 else [])) for who in AGENTS]
    lines += [
        offer(random.choice(AGENTS), random.randint(1, 40), random.choice(THINGS), subject=f"o{number}", **_limits(random))
        for number in range(random.randint(2, 9))
    ]
    lines += [
        capacity(random.choice(AGENTS), random.randint(1, 9), random.choice(PROCESSES), subject=f"c{number}")
        for number in range(random.randint(0, 2))
    ]
    for number in range(random.randint(1, 9)):
        more = _limits(random)
        if random.random() < 0.3:
            more["substitutes"] = [random.choice(THINGS)]
        lines.append(need(random.choice(AGENTS), random.randint(1, 40), random.choice(THINGS), subject=f"n{number}", **more))
    if random.random() < 0.5:
        lines.append(hours(random.choice(AGENTS), random.randint(1, 9), random.choice(PROCESSES), subject="h"))
    for number in range(random.randint(0, 4) if recipes else 0):
        output, *inputs = random.sample(THINGS, random.randint(1, 3))
        steps = {random.choice(PROCESSES): random.randint(1, 3)} if random.random() < 0.5 else {}
        if inputs or steps:
            takes = {thing: random.randint(1, 4) for thing in inputs}
            lines.append(recipe(random.choice(AGENTS), f"r{number}", {output: random.randint(1, 5)}, takes, steps))
    return lines


def _limits(random: Random) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    if random.random() < 0.3:
        chosen["within_km"] = random.randint(0, 600)
    if random.random() < 0.2:
        chosen["minimum"] = random.randint(1, 20)
    if random.random() < 0.2:
        chosen["begin"] = 100
    elif random.random() < 0.2:
        chosen["end"] = 100
    return chosen


def of_agent(line: bytes, who: str, kinds: Iterable[str]) -> bool:
    """Whether a line is this agent's, and of one of these kinds."""
    return f'"agent:{who}"'.encode() in line and any(f"stigmergy.{kind}.v1".encode() in line for kind in kinds)


# -- what can reach what, read plainly --------------------------------------------------------------------------------

Grains = Callable[[Stance], int]


def may_pair(network: Network, offer: Stance, need: Stance, log_us: int, grains: Grains) -> bool:
    """The contract's rules for one pair of one thing, declines left aside."""
    wanted = {network.canonical((need.thing[0], name)) for name in (need.name, *need.substitutes)}
    if offer.agent == need.agent or offer.dimension != need.dimension or network.canonical(offer.thing) not in wanted:
        return False
    begins = [log_us, *(one for one in (offer.begin_us, need.begin_us) if one is not None)]
    ends = [one for one in (offer.end_us, need.end_us) if one is not None]
    distance_m = network.distance_m(offer, need)
    if distance_m is None or (ends and max(begins) >= min(ends)):
        return False
    radii = [offer.within_m, need.within_m, network.charter.radius_m]
    part = min(grains(offer), grains(need))
    return all(distance_m <= radius for radius in radii if radius is not None) and part >= max(1, offer.minimum_grains, need.minimum_grains)


def had_somehow(network: Network, without: str = "") -> set[tuple[str, str]]:
    """Everything offered or made, but for one agent's offers, by trying all recipes until nothing new comes."""
    had = {network.canonical(one.thing) for one in network.living() if one.is_supply and one.free_grains and one.agent != without}
    return had | made(network, without)


def made(network: Network, without: str = "") -> set[tuple[str, str]]:
    """Everything that recipes in use can make, but for one agent's offers."""
    recipes, _ = recipes_in_use(network)
    had = {network.canonical(one.thing) for one in network.living() if one.is_supply and one.free_grains and one.agent != without}
    found: set[tuple[str, str]] = set()
    while True:
        more: set[tuple[str, str]] = set()
        for each in recipes.values():
            takes = {("resource", flow.resource) for flow in each.inputs} | {("process", step.process) for step in each.steps}
            if takes <= had | found:
                more |= {("resource", flow.resource) for flow in each.outputs}
        if more <= found:
            return found
        found |= more


def sourceless(network: Network, log_us: int, grains: Grains, without: str = "") -> set[str]:
    """The open needs that neither an offer nor a recipe can serve, but for one agent's offers."""
    recipes = made(network, without)
    found: set[str] = set()
    offers = [one for one in network.living() if one.is_supply and one.agent != without and grains(one)]
    for wanting in network.living():
        if wanting.is_supply or wanting.free_grains <= 0:
            continue
        accepted = {network.canonical((wanting.thing[0], name)) for name in (wanting.name, *wanting.substitutes)}
        if accepted.isdisjoint(recipes) and not any(may_pair(network, one, wanting, log_us, grains) for one in offers):
            found.add(wanting.ref)
    return found
