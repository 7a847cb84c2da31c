"""What one agent promised, gave and received, thing by thing, and where a text occurs among the names of a network."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any

from coordinator.cycle import Coordination
from coordinator.errors import Refused
from coordinator.network import Stance, amount_of
from coordinator.times import format_instant
from coordinator.wording import asked_for, near

__all__ = ["account", "find", "newest"]

Row = dict[str, Any]


@dataclass(slots=True)
class _Side:
    proposed: int = 0  # waiting for its own answer
    promised: int = 0  # by itself; others have not answered
    committed: int = 0
    moved: int = 0


def account(coordination: Coordination, agent: str) -> Row:
    """Return what is proposed to, promised by and committed with an agent, and what has moved. Refused where nobody is called so."""
    network, book = coordination.network, coordination.book
    facts = network.agents.get(agent)
    if facts is None:
        hint = near(agent, network.agents)
        raise Refused(
            f"nobody here is called {asked_for(agent)}; {f'did you mean {hint}?' if hint else 'somebody who said something was expected'}"
        )
    sides: dict[tuple[str, tuple[str, str], str], _Side] = {}
    for deal in map(book.deals.__getitem__, book.of_party(agent)):
        if not (deal.is_open or deal.is_bound):
            continue
        for index, line in enumerate(deal.lines):
            thing = network.canonical(line.thing)
            for way, party in (("gives", line.provider), ("receives", line.receiver)):
                if party == agent:
                    side = sides.setdefault((way, thing, line.quantity.dimension), _Side())
                    if deal.is_bound:
                        side.committed += line.quantity.grains
                        side.moved += deal.delivered(index)
                    elif agent in deal.promised:
                        side.promised += line.quantity.grains
                    else:
                        side.proposed += line.quantity.grains
    rows = [
        {"way": way, "name": thing[1], "sort": thing[0]}
        | {name: amount_of(network, (thing, dimension), getattr(side, name)).to_json() for name in _Side.__slots__}
        for (way, thing, dimension), side in sorted(sides.items())
    ]
    return {
        "agent": agent,
        "name": facts.name,
        "place": facts.place and {"lat": facts.place[0], "long": facts.place[1]},
        "classified_as": list(facts.classes),
        "joined": format_instant(max(0, facts.joined_us)),
        "says": _says(coordination, agent),
        "sums": rows,
    }


def newest(coordination: Coordination, limit: int) -> list[Row]:
    """Return the agents that spoke for the first time last, the newest first."""
    network = coordination.network
    latest = nsmallest(limit, ((-facts.joined_us, name) for name, facts in network.agents.items()))
    return [
        {"agent": name, "name": network.agents[name].name, "joined": format_instant(max(0, -joined_us)), "says": _says(coordination, name)}
        for joined_us, name in latest
    ]


def _says(coordination: Coordination, agent: str) -> dict[str, int]:
    stances: list[Stance] = [coordination.network.stances[ref] for ref in coordination.network.agents[agent].refs]
    standing = [one for one in stances if one.stands]
    return {"offers": sum(one.is_supply for one in standing), "needs": sum(not one.is_supply for one in standing)}


def find(coordination: Coordination, text: str, limit: int) -> list[Row]:
    """Return agents, things, needs and proposals whose name holds a text, whatever its case; those that begin with it first."""
    wanted = text.casefold()
    if not wanted:
        return []
    rows = ((_rank(said, wanted), sort, name, label) for sort, name, label, said in _names(coordination) if wanted in said)
    return [{"sort": sort, "name": name, "label": label} for _, sort, name, label in nsmallest(limit, rows)]


def _names(coordination: Coordination) -> Iterator[tuple[str, str, str, str]]:
    """Yield every name: its sort, the name, how it is shown, and the text that is searched."""
    network = coordination.network
    for name, facts in network.agents.items():
        yield "agent", name, facts.name or name, f"{name} {facts.name or ''}".casefold()
    for sort, name in {network.canonical(thing) for thing in network.live_things()}:
        yield sort, name, name, name.casefold()
    for ref in network.standing_refs():
        if ref.split("/", 2)[1] == "need":
            yield "need", ref, ref, ref.casefold()
    for deal in coordination.book.deals.values():
        if deal.is_open or deal.is_bound:
            yield "proposal", deal.proposal, f"{deal.lines[0].provider} → {deal.lines[0].receiver}", deal.proposal.casefold()


def _rank(said: str, wanted: str) -> tuple[int, int]:
    return int(not said.startswith(wanted)), len(said)
