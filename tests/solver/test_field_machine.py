"""Anything may happen to a field, in any order: after each step it stands where a solve from scratch stands, and proves it.

Beside the field a plain model of lists is kept; the problem that OR-Tools solves from scratch is built from the model alone.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from solver import Allocation, Field, Gap, Problem, broken_rules, total_urgency
from solver.engine.stock import best_flow
from solver.fairness import worth_of
from tests.solver.drawing import random_problem

UNBOUNDED = 1 << 62
UNITS = st.integers(0, 12)
EFFORT = st.integers(0, 40)
MOST = st.none() | st.integers(0, 8)
TIER = st.integers(0, 3)


class AnythingHappens(RuleBasedStateMachine):
    """Offers, needs, claims and arcs come, change and go; what was received counts; units are pinned and let go."""

    @initialize(seed=st.integers(0, 10**6), rule=st.sampled_from(["off", "portions", "ratio"]), budget=st.none() | st.integers(1, 6))
    def begin(self, seed: int, rule: str, budget: int | None) -> None:
        problem = random_problem(seed, rule=rule, units=8, farthest=40)
        self.levels = problem.levels
        self.supply, self.demand = problem.supply.tolist(), problem.demand.tolist()
        self.claim, self.received = problem.claim.tolist(), problem.received.tolist()
        self.claims: list[tuple[int, int, int]] = list(zip(problem.tier.tolist(), problem.rise.tolist(), problem.run.tolist(), strict=True))
        rows = zip(*(getattr(problem, name).tolist() for name in ("offer", "need", "effort", "most")), strict=True)
        self.arcs = {arc: [*row, 0] for arc, row in enumerate(rows)}  # position -> offer, need, effort, most, pinned
        self.field = Field(problem, budget=budget)

    # --- what happens to offers ---

    @rule(supply=UNITS, efforts=st.lists(EFFORT, max_size=4), most=MOST, data=st.data())
    def offer_appears(self, supply: int, efforts: list[int], most: int | None, data: st.DataObject) -> None:
        needs = data.draw(st.permutations(range(len(self.demand))))[: len(efforts)]
        efforts = efforts[: len(needs)]
        before = self.field.problem()
        offer = self.field.add_offer(supply, needs, efforts, None if most is None else [most] * len(needs))
        assert offer == len(self.supply)
        self.supply.append(supply)
        self.learn_arcs(
            before, [(offer, need, effort, UNBOUNDED if most is None else most) for need, effort in zip(needs, efforts, strict=True)]
        )

    @precondition(lambda self: self.supply)
    @rule(data=st.data(), supply=UNITS)
    def offer_grows_or_shrinks(self, data: st.DataObject, supply: int) -> None:
        offer = data.draw(st.integers(0, len(self.supply) - 1))
        self.field.offer_changes(offer, supply - self.supply[offer])
        self.supply[offer] = supply
        self.let_go(0, offer, supply)

    @precondition(lambda self: self.supply)
    @rule(data=st.data())
    def offer_vanishes(self, data: st.DataObject) -> None:
        self.offer_grows_or_shrinks(data, 0)

    # --- what happens to needs and claims ---

    @rule(tier=TIER, rise=st.integers(0, 3), run=st.integers(1, 6), received=st.integers(0, 9))
    def claim_appears(self, tier: int, rise: int, run: int, received: int) -> None:
        rise = rise if self.levels > 1 else 0
        assert self.field.add_claim(tier, rise, run, received) == len(self.claims)
        self.claims.append((tier, rise, run))
        self.received.append(received)

    @precondition(lambda self: self.claims)
    @rule(demand=UNITS, efforts=st.lists(EFFORT, max_size=4), most=MOST, data=st.data())
    def need_appears(self, demand: int, efforts: list[int], most: int | None, data: st.DataObject) -> None:
        claim = data.draw(st.integers(0, len(self.claims) - 1))
        offers = data.draw(st.permutations(range(len(self.supply))))[: len(efforts)]
        efforts = efforts[: len(offers)]
        before = self.field.problem()
        need = self.field.add_need(claim, demand, offers, efforts, None if most is None else [most] * len(offers))
        assert need == len(self.demand)
        self.demand.append(demand)
        self.claim.append(claim)
        self.learn_arcs(
            before, [(offer, need, effort, UNBOUNDED if most is None else most) for offer, effort in zip(offers, efforts, strict=True)]
        )

    @precondition(lambda self: self.demand)
    @rule(data=st.data(), demand=UNITS)
    def need_grows_or_shrinks(self, data: st.DataObject, demand: int) -> None:
        need = data.draw(st.integers(0, len(self.demand) - 1))
        self.field.need_changes(need, demand - self.demand[need])
        self.demand[need] = demand
        self.let_go(1, need, demand)

    @precondition(lambda self: self.demand)
    @rule(data=st.data())
    def need_vanishes(self, data: st.DataObject) -> None:
        self.need_grows_or_shrinks(data, 0)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), received=st.integers(0, 15))
    def claim_receives(self, data: st.DataObject, received: int) -> None:
        claim = data.draw(st.integers(0, len(self.claims) - 1))
        self.field.claim_received(claim, received)
        self.received[claim] = received

    # --- what happens to arcs ---

    @precondition(lambda self: self.supply and self.demand)
    @rule(data=st.data(), effort=EFFORT, most=MOST)
    def arc_appears(self, data: st.DataObject, effort: int, most: int | None) -> None:
        offer = data.draw(st.integers(0, len(self.supply) - 1))
        need = data.draw(st.integers(0, len(self.demand) - 1))
        if (offer, need) not in {(arc[0], arc[1]) for arc in self.arcs.values()}:
            position = self.field.add_arc(offer, need, effort, most)
            assert position not in self.arcs
            self.arcs[position] = [offer, need, effort, UNBOUNDED if most is None else most, 0]

    @precondition(lambda self: self.arcs)
    @rule(data=st.data())
    def arc_vanishes(self, data: st.DataObject) -> None:
        arc = data.draw(st.sampled_from(sorted(self.arcs)))
        self.field.remove_arc(arc)
        del self.arcs[arc]

    @precondition(lambda self: self.arcs)
    @rule(data=st.data(), effort=EFFORT)
    def arc_changes_effort(self, data: st.DataObject, effort: int) -> None:
        arc = data.draw(st.sampled_from(sorted(self.arcs)))
        self.field.change_effort(arc, effort)
        self.arcs[arc][2] = effort

    @precondition(lambda self: self.arcs)
    @rule(data=st.data(), most=st.integers(0, 8))
    def arc_grows_or_shrinks(self, data: st.DataObject, most: int) -> None:
        arc = data.draw(st.sampled_from(sorted(self.arcs)))
        self.field.change_most(arc, most)
        self.arcs[arc][3] = most
        self.arcs[arc][4] = min(most, self.arcs[arc][4])

    @precondition(lambda self: self.arcs)
    @rule(data=st.data(), units=st.integers(0, 12))
    def units_are_pinned(self, data: st.DataObject, units: int) -> None:
        self.field.finish()
        carrying = [arc for arc in sorted(self.arcs) if self.field.flow()[arc]]
        if carrying:
            arc = data.draw(st.sampled_from(carrying))
            self.arcs[arc][4] = min(units, int(self.field.flow()[arc]))
            self.field.pin(arc, self.arcs[arc][4])

    # --- the model ---

    def learn_arcs(self, before: Problem, added: list[tuple[int, int, int, int]]) -> None:
        """Note the positions of arcs that came with an offer or a need: those of arcs removed before are used first."""
        free = [arc for arc in range(len(before.offer)) if arc not in self.arcs]
        after = self.field.problem()
        places = [*free, *range(len(before.offer), len(after.offer))]
        where = {(int(after.offer[arc]), int(after.need[arc])): arc for arc in places}
        for offer, need, effort, most in added:
            self.arcs[where[offer, need]] = [offer, need, effort, most, 0]

    def let_go(self, side: int, position: int, room: int) -> None:
        """Let pins go where an end has become too small for them, those on the arc of the highest position first."""
        held = [arc for arc in sorted(self.arcs, reverse=True) if self.arcs[arc][side] == position]
        surplus = sum(self.arcs[arc][4] for arc in held) - room
        for arc in held:
            units = max(0, min(surplus, self.arcs[arc][4]))
            self.arcs[arc][4] -= units
            surplus -= units

    def left_to_decide(self) -> tuple[Problem, list[int]]:
        """Return the model as a problem once pinned units have gone where they are pinned, and the positions of its arcs."""
        supply, demand, received = self.supply.copy(), self.demand.copy(), self.received.copy()
        for offer, need, _, _, pinned in self.arcs.values():
            supply[offer] -= pinned
            demand[need] -= pinned
            received[self.claim[need]] += pinned
        rows: list[Any] = [self.arcs[arc] for arc in sorted(self.arcs)]
        tier, rise, run = zip(*self.claims, strict=True) if self.claims else ((), (), ())
        problem = Problem.of(
            supply,
            demand,
            [row[0] for row in rows],
            [row[1] for row in rows],
            [row[2] for row in rows],
            claim=self.claim,
            tier=tier,
            received=received,
            staircase=(rise, run, self.levels),
            most=[row[3] - row[4] for row in rows],
        )
        return problem, sorted(self.arcs)

    # --- what holds after each step ---

    @invariant()
    def as_good_as_from_scratch_and_proven(self) -> None:
        self.field.finish()
        free, arcs = self.left_to_decide()
        flow, pinned = self.field.flow(), self.field.pinned()
        assert pinned[arcs].tolist() == [self.arcs[arc][4] for arc in arcs]
        assert flow.sum() == flow[arcs].sum(), "an arc that went still carries"
        chosen = flow[arcs] - pinned[arcs]
        scratch = best_flow(free, worth_of(free))
        assert value(free, chosen) == value(free, scratch)
        if not pinned.any():
            for offers, needs, claims in (self.field.pressures(), self.field.proof()):
                assert broken_rules(free, Allocation(chosen, offers, needs, claims, self.field.worth, Gap(0, 0, 0), chosen)) == []
            assert np.array_equal(self.field.offer_pressures(range(len(self.supply))), self.field.pressures()[0])


def value(problem: Problem, flow: np.ndarray) -> tuple[int, int]:
    """Return the total urgency, then the effort below zero."""
    assert (flow >= 0).all()
    assert (flow <= problem.most).all()
    assert (np.bincount(problem.offer, flow, len(problem.supply)) <= problem.supply).all()
    assert (np.bincount(problem.need, flow, len(problem.demand)) <= problem.demand).all()
    return total_urgency(problem, flow), -int((problem.effort * flow).sum())


TestAnythingHappens = pytest.mark.slow(AnythingHappens.TestCase)
TestAnythingHappens.settings = settings(max_examples=120, stateful_step_count=40)
