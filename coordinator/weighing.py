"""What a rule of fairness costs: the markets as they stand, solved under each rule, side by side. Nothing is planned or proposed by it."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from coordinator.charter import Charter
from coordinator.cycle import Coordination
from coordinator.matching import Group, groups
from coordinator.problems import Question, mass_per_grain
from coordinator.readings import Layout
from coordinator.units import from_grains
from solver import Arcs, DenseCandidates, Problem, solve_on_demand

__all__ = ["RULES", "Laid", "Outcome", "Rule", "lay_out", "market_keys", "outcome"]

Floats = NDArray[np.float64]
Rule = Literal["portions", "ratio", "off"]
RULES: tuple[Rule, ...] = get_args(Rule)


@dataclass(frozen=True, slots=True)
class Laid:
    """One market under one rule, as arrays that can be solved while the network goes on."""

    rule: Rule
    names: tuple[str, ...]
    nodes: Problem
    arcs: Arcs
    metres: NDArray[np.int64]  # of each arc
    per_metre: Floats  # of each offer: what a unit of it costs a metre, in the charter's measure


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a market comes to under one rule. Sums of several markets are outcomes too."""

    needs: int = 0
    met: int = 0  # in full
    nothing: int = 0  # needs that get nothing
    share: float = 0.0  # the sum over needs of the share each gets
    effort: float = 0.0  # in the charter's measure

    def __add__(self, other: "Outcome") -> "Outcome":
        """Return both together."""
        return Outcome(
            self.needs + other.needs,
            self.met + other.met,
            self.nothing + other.nothing,
            self.share + other.share,
            self.effort + other.effort,
        )


def market_keys(coordination: Coordination) -> list[Group]:
    """Return the markets there are now."""
    return list(groups(coordination.network))


def lay_out(coordination: Coordination, key: Group, most_pairs: int) -> list[Laid] | None:
    """Return a market under every rule, one dimension after the other; None where it has more pairs than that."""
    laid: list[Laid] = []
    for rule in RULES:
        for question in _questions(coordination, key, rule):
            if len(question.market.offers) * len(question.market.needs) > most_pairs:
                return None
            arcs = Arcs.joined([question.arcs(at) for at in range(len(question.market.offers))])
            metres = arcs.effort // question.weight[arcs.offer]
            laid.append(Laid(rule, tuple(name for _, name in key), question.nodes(), arcs, metres, _per_metre(question)))
    return laid


def _questions(coordination: Coordination, key: Group, rule: Rule) -> Iterator[Question]:
    """Yield a market as it would be asked under another rule, of a network that shares all but its charter."""
    network, book, planner = copy.copy(coordination.network), copy.copy(coordination.book), coordination.planner
    network.charter = Charter.model_validate({**coordination.charter.model_dump(), "fairness": rule})
    book.network = network
    layout = Layout(network, book, _portions=dict(planner._portions))
    for found, question in layout.questions(coordination.log_us, next(iter(key))):
        if found == key:
            yield question


def _per_metre(question: Question) -> Floats:
    network, step = question.network, question.step
    if network.charter.effort == "km":
        return np.array([from_grains(step, network.quantity(offer, step).unit) / 1e3 for offer in question.market.offers], dtype=np.float64)
    return np.array([float(mass_per_grain(network, offer)) * step / 1e12 for offer in question.market.offers], dtype=np.float64)


def outcome(laid: Laid) -> Outcome:
    """Solve a market and return what it comes to. Raises `solver.TooLarge` beyond 64 bits."""
    metres = dict(zip(zip(laid.arcs.offer.tolist(), laid.arcs.need.tolist(), strict=True), laid.metres.tolist(), strict=True))
    problem, allocation = solve_on_demand(laid.nodes, DenseCandidates(laid.arcs))
    got = np.zeros_like(problem.demand)
    np.add.at(got, problem.need, allocation.flow)
    moved = np.flatnonzero(allocation.flow)
    rows = zip(problem.offer[moved].tolist(), problem.need[moved].tolist(), allocation.flow[moved].tolist(), strict=True)
    effort = sum(units * metres[offer, need] * float(laid.per_metre[offer]) for offer, need, units in rows)
    asked = problem.demand > 0
    shares = got[asked] / problem.demand[asked]
    return Outcome(int(asked.sum()), int((shares >= 1).sum()), int((shares == 0).sum()), float(shares.sum()), effort)
