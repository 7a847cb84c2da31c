"""What lying gains under portions and under ratio: seeded networks, with the truth told and with one agent's lie.

    python tests/benchmarks/lies.py [NETWORKS] [REPLAYED]

First the solver alone is asked, which takes little time for many lies; then fewer are told as signals, and go the whole way: read,
folded, matched, solved, proposed, accepted by every party, judged and committed, as in a replay with ``--answers accept``.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from coordinator.charter import Charter
from coordinator.commitments import BOUND
from coordinator.cycle import Coordination
from coordinator.signals import Proposal, event_json, parse_event
from coordinator.times import DAY_US, SECOND_US
from solver import Problem, solve, staircase
from tests.support.programs import at_least_one

__all__ = ["LIES", "PORTION", "Lie", "replayed_lies", "told_lies"]

PORTION = 10  # units, fixed by the charter
LEVELS = 100
ROUNDS = 2  # what comes later is remembered
MOST_NEEDS = 5  # of an agent, whatever its lie
BEGIN_US = 1_772_352_000_000_000  # of the signals

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lie:
    """One agent's lie on one network, and the units of real use it had with and without."""

    kind: str
    rule: str
    wanted: int  # units it can really use
    honest: int  # units of use when it tells the truth
    lying: int

    @property
    def gain(self) -> int:
        return self.lying - self.honest


@dataclass(frozen=True, slots=True)
class _Network:
    supplies: list[Ints]  # of each round
    wanted: Ints
    tier: Ints
    effort: Ints  # (offers, needs)


def _network(draw: np.random.Generator, farthest: int) -> _Network:
    offers, needs = int(draw.integers(2, 6)), int(draw.integers(4, 13))
    wanted = np.ceil(10 ** draw.normal(1.3, 0.5, needs)).astype(np.int64)
    share = draw.uniform(0.1, 0.9) / ROUNDS
    supplies = [draw.multinomial(max(1, int(wanted.sum() * share)), np.full(offers, 1 / offers)) for _ in range(ROUNDS)]
    effort = draw.integers(1, farthest + 1, (offers, needs))
    return _Network(supplies, wanted, draw.choice(4, needs, p=[0.1, 0.6, 0.2, 0.1]), effort)


def _played(network: _Network, rule: str, says: Callable[[int, int, int], list[int]], liar: int) -> int:
    """Return the units the liar can use of all it receives over the rounds; everybody else asks for what is still open."""
    received = np.zeros(len(network.wanted), dtype=np.int64)
    for number, supply in enumerate(network.supplies):
        need_of, demand = [], []
        for agent, wanted in enumerate(network.wanted.tolist()):
            open_units = max(wanted - int(received[agent]), 0)
            asked = says(wanted, open_units, number) if agent == liar else [open_units]
            need_of += [agent] * len(asked)
            demand += asked
        claim = np.array(need_of)
        total = np.zeros(len(received), dtype=np.int64)
        np.add.at(total, claim, np.array(demand))
        # Under ratio a claim's level is its share of all it said it wanted, what it received included.
        stairs = staircase("ratio", 1, 1, total + received, LEVELS) if rule == "ratio" else staircase("portions", PORTION, 1, total, LEVELS)
        offer, need = np.divmod(np.arange(len(supply) * len(demand)), len(demand))
        effort = network.effort[offer, claim[need]]
        flow = solve(
            Problem.of(supply, demand, offer, need, effort, claim=claim, tier=network.tier, received=received, staircase=stairs)
        ).flow
        np.add.at(received, claim[need], flow)
    return int(min(received[liar], network.wanted[liar]))


def _replayed(network: _Network, rule: str, says: Callable[[int, int, int], list[int]], liar: int) -> int:
    """Return the same, said in signals and decided on the whole way: a round a day, every proposal accepted by all its parties."""
    charter = Charter(fairness=rule, portion={"mask": PORTION}, fairness_levels=LEVELS, effort="km", cycle_seconds=3_600)
    coordination = Coordination(charter)
    coordination.answering = lambda proposal: _acceptances(proposal, coordination.log_us)
    wanted = network.wanted.tolist()
    for number in range(ROUNDS):
        received = _received(coordination)
        still = [max(0, units - received[agent]) for agent, units in enumerate(wanted)]
        asked = [says(wanted[liar], units, number) if agent == liar else [units] for agent, units in enumerate(still)]
        for line in _said(network, number, asked):
            coordination.take(parse_event(line), line)
        tick = event_json("tick", "coordinator:main", "tick", BEGIN_US + number * DAY_US + 7_200 * SECOND_US, {})
        coordination.take(parse_event(tick), tick)
        coordination.outbox.clear()
    return min(_received(coordination)[liar], wanted[liar])


def _said(network: _Network, number: int, asked: list[list[int]]) -> Iterator[bytes]:
    """Yield what everybody says in a round: offers that stand for a day, their routes, and what each agent asks for."""
    time_us = BEGIN_US + number * DAY_US

    def said(kind: str, agent: str, subject: str, data: dict[str, object] | None) -> bytes:
        return event_json(kind, f"agent:{agent}", subject, time_us, data)

    for offer, units in enumerate(network.supplies[number].tolist()):
        if units:
            yield said("offer", f"giver-{offer}", f"round-{number}", _masks(units) | {"end": f"2026-03-{number + 2:02}T00:00:00Z"})
        for agent, metres in enumerate(network.effort[offer].tolist() if number == 0 else ()):
            yield said("route", f"giver-{offer}", f"to-{agent}", {"to": f"asker-{agent}", "distance_km": metres / 1000})
    for agent, needs in enumerate(asked):
        for place in range(MOST_NEEDS):
            units = needs[place] if place < len(needs) else 0
            need = _masks(units) | {"tier": int(network.tier[agent])} if units else None  # What is asked no more is taken back.
            yield said("need", f"asker-{agent}", f"need-{place}", need)


def _masks(units: int) -> dict[str, object]:
    return {"resource": "mask", "quantity": {"value": units, "unit": "1"}}


def _acceptances(proposal: Proposal, log_us: int) -> Iterable[bytes]:
    for party in dict.fromkeys(name for line in proposal.lines for name in (line.provider, line.receiver)):
        yield event_json("answer", f"agent:{party}", proposal.proposal, log_us, {"proposal": proposal.proposal, "answer": "accept"})


def _received(coordination: Coordination) -> Counter[int]:
    """Return the units committed to each asker."""
    units: Counter[int] = Counter()
    for deal in coordination.book.deals.values():
        for line in deal.lines if deal.state in BOUND else ():
            units[int(line.receiver.removeprefix("asker-"))] += int(line.quantity.to_json()["value"])
    return units


def _honest(wanted: int, open_units: int, number: int) -> list[int]:
    return [open_units]


def _overstates(wanted: int, open_units: int, number: int) -> list[int]:
    return [10 * wanted]


def _splits(wanted: int, open_units: int, number: int) -> list[int]:
    return [open_units // 4, open_units // 4, open_units // 4, open_units - 3 * (open_units // 4)]


def _splits_and_overstates(wanted: int, open_units: int, number: int) -> list[int]:
    return [wanted] * 5


def _repeats(wanted: int, open_units: int, number: int) -> list[int]:
    return [open_units] if number == 0 else [wanted, wanted]


LIES: dict[str, Callable[[int, int, int], list[int]]] = {
    "ask for ten times as much": _overstates,
    "split into four needs": _splits,
    "say the whole need five times": _splits_and_overstates,
    "ask for it all again, twice": _repeats,
}


def told_lies(rule: str, seeds: range, farthest: int = 10**6) -> Iterator[Lie]:
    """Yield every kind of lie, told by one agent of each seed's network.

    Efforts are 1 to ``farthest``: with a great range no two answers are equally good, with a small one many are.
    """
    yield from _told(_played, rule, seeds, farthest)


def replayed_lies(rule: str, seeds: range, farthest: int = 10**6) -> Iterator[Lie]:
    """Yield the same lies on the same networks, told as signals that go the whole way to commitments."""
    yield from _told(_replayed, rule, seeds, farthest)


def _told(play: Callable[..., int], rule: str, seeds: range, farthest: int) -> Iterator[Lie]:
    for seed in seeds:
        draw = np.random.default_rng(seed)
        network = _network(draw, farthest)
        liar = int(draw.integers(len(network.wanted)))
        honest = play(network, rule, _honest, liar)
        for kind, says in LIES.items():
            yield Lie(kind, rule, int(network.wanted[liar]), honest, play(network, rule, says, liar))


def row(kind: str, rule: str, called: str, lies: list[Lie]) -> str:
    """Return a line of the table: how many lies, the share of them that gained, and how much those did."""
    gains = [lie.gain for lie in lies]
    won = [gain for gain in gains if gain > 0]
    share, most = len(won) / len(gains), max(won, default=0)
    size = f"{mean(won) if won else 0:10.1f} {most:5} {mean(gains):10.2f}"
    return f"{kind:30} {rule:9} {called:10} {len(gains):6} {share:7.1%} {size}"


def main() -> None:
    """Print, for each kind of lie and each rule, the share of lies that gained and how much they gained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", type=at_least_one, nargs="?", default=1_000, help="on which the solver alone is asked")
    parser.add_argument("replayed", type=at_least_one, nargs="?", default=100, help="on which signals go the whole way")
    said = parser.parse_args()
    for told, count, how in (
        (told_lies, said.networks, "to the solver alone"),
        (replayed_lies, said.replayed, "as signals, the whole way"),
    ):
        print(f"Units of use that lies gained, each told on {count} networks, {how}; a portion is {PORTION}.")
        print(f"{'lie':30} {'rule':9} {'efforts':10} {'lies':>6} {'gained':>7} {'mean gain':>10} {'most':>5} {'on average':>10}")
        for rule, farthest, called in (("portions", 10**6, "all differ"), ("portions", 3, "often tie"), ("ratio", 10**6, "all differ")):
            lies = list(told(rule, range(count), farthest))
            for kind in LIES:
                print(row(kind, rule, called, [lie for lie in lies if lie.kind == kind]))
            print(row("all of these", rule, called, lies), flush=True)


if __name__ == "__main__":
    main()
