"""What lying gains under portions and under ratio: seeded networks, solved with the truth told and with one agent's lie.

python tests/benchmarks/lies.py [networks]
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from solver import Problem, solve, staircase

__all__ = ["LIES", "PORTION", "Lie", "told_lies"]

PORTION = 10  # units, fixed by the charter
LEVELS = 100
ROUNDS = 2  # what comes later is remembered

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
    for seed in seeds:
        draw = np.random.default_rng(seed)
        network = _network(draw, farthest)
        liar = int(draw.integers(len(network.wanted)))
        honest = _played(network, rule, _honest, liar)
        for kind, says in LIES.items():
            yield Lie(kind, rule, int(network.wanted[liar]), honest, _played(network, rule, says, liar))


def row(kind: str, rule: str, called: str, lies: list[Lie]) -> str:
    """Return a line of the table: how many lies, the share of them that gained, and how much those did."""
    gains = [lie.gain for lie in lies]
    won = [gain for gain in gains if gain > 0]
    share, most = len(won) / len(gains), max(won, default=0)
    size = f"{mean(won) if won else 0:10.1f} {most:5} {mean(gains):10.2f}"
    return f"{kind:30} {rule:9} {called:10} {len(gains):6} {share:7.1%} {size}"


def main() -> None:
    """Print, for each kind of lie and each rule, the share of lies that gained and how much they gained."""
    networks = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    print(f"Units of use that lies gained, each told on {networks} networks; a portion is {PORTION}.")
    print(f"{'lie':30} {'rule':9} {'efforts':10} {'lies':>6} {'gained':>7} {'mean gain':>10} {'most':>5} {'on average':>10}")
    for rule, farthest, called in (("portions", 10**6, "all differ"), ("portions", 3, "often tie"), ("ratio", 10**6, "all differ")):
        lies = list(told_lies(rule, range(networks), farthest))
        for kind in LIES:
            print(row(kind, rule, called, [lie for lie in lies if lie.kind == kind]))
        print(row("all of these", rule, called, lies), flush=True)


if __name__ == "__main__":
    main()
