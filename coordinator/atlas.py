"""Where everybody is and what flows between them, in columns: what a map draws, without the words it does not need."""

from typing import Any

from coordinator.cycle import Coordination
from coordinator.network import Network, Stance
from coordinator.times import SECOND_US, format_instant

__all__ = ["atlas"]

Row = dict[str, Any]


def atlas(coordination: Coordination) -> Row:
    """Return agents, the signals that stand and the flows between agents, as columns of equal length.

    An agent's `lat` and `long` are null where it stated no place. Of a signal: `agent` and `thing` by position, `need` (else an offer),
    `tier` that counts, `open` (the part of it in no plan, in thousandths) and `life` (what is left of it, in thousandths).
    A flow has `from`, `to`, `thing`, `bound` (committed, else proposed) and its `proposal`.
    """
    network = coordination.network
    names = sorted(network.agents)
    agent_at = {name: index for index, name in enumerate(names)}
    places = {name: facts.place for name, facts in network.agents.items()}
    things: dict[str, int] = {}
    signals: dict[str, list[Any]] = {key: [] for key in ("agent", "thing", "need", "tier", "open", "life")}
    for stance in network.living():
        places[stance.agent] = places[stance.agent] or stance.place
        signals["agent"].append(agent_at[stance.agent])
        signals["thing"].append(things.setdefault(_name(network, stance.thing), len(things)))
        signals["need"].append(int(not stance.is_supply))
        signals["tier"].append(0 if stance.is_supply else coordination.book.claim_of(stance)[2])
        signals["open"].append(_open_share(coordination, stance))
        signals["life"].append(_life_left(stance, coordination.log_us))
    flows: dict[str, list[Any]] = {key: [] for key in ("from", "to", "thing", "bound", "proposal")}
    for deal in coordination.book.deals.values():
        if deal.is_open or deal.is_bound:
            for line in deal.lines:
                if line.provider not in agent_at or line.receiver not in agent_at:
                    continue  # A recorded plan may name agents that never spoke here.
                thing = _name(network, line.thing)
                flows["from"].append(agent_at[line.provider])
                flows["to"].append(agent_at[line.receiver])
                flows["thing"].append(things.setdefault(thing, len(things)))
                flows["bound"].append(int(deal.is_bound))
                flows["proposal"].append(deal.proposal)
    return {
        "log_time": format_instant(max(0, coordination.log_us)),
        "things": list(things),
        "agents": {
            "name": names,
            "label": [network.agents[name].name for name in names],
            "lat": [place and place[0] for place in map(places.__getitem__, names)],
            "long": [place and place[1] for place in map(places.__getitem__, names)],
        },
        "signals": signals,
        "flows": flows,
    }


def _name(network: Network, thing: tuple[str, str]) -> str:
    return network.canonical(thing)[1]


def _open_share(coordination: Coordination, stance: Stance) -> int:
    """Return how much of a signal is in no plan and no promise, in thousandths of what was stated."""
    if not stance.stated_grains:
        return 0
    return min(1000, -(-coordination.book.open_grains(stance, coordination.log_us) * 1000 // stance.stated_grains))


def _life_left(stance: Stance, log_us: int) -> int:
    """Return what is left of a signal's life, in thousandths; one that does not expire stays whole."""
    if stance.expires_us is None:
        return 1000
    whole_us = max(SECOND_US, stance.expires_us - stance.said_us)
    return min(1000, max(0, (stance.expires_us - log_us) * 1000 // whole_us))
