"""The field after any sequence of events: as good as solved from scratch, and proven."""

import numpy as np
import pytest

from solver import Allocation, BadProblem, Gap, Problem, TooLarge, broken_rules, staircase, total_urgency
from solver.engine import kernel
from solver.engine.stock import best_flow
from solver.fairness import worth_of
from solver.field import Field, prepare
from solver.pressure import least_pressures
from tests.solver.drawing import without_pinned
from tests.solver.engine.instances import anything_happens, problem_of


def value(problem: Problem, flow: np.ndarray) -> tuple[int, int]:
    return total_urgency(problem, flow), -sum((problem.effort * flow).tolist())


def not_at_rest(field: Field) -> list[tuple[int, int]]:
    """Return (arc, slack) of each arc that breaks the kernel's own rules, pinned units or not."""
    net, wrong = field._layout.net, []
    for row in set(range(field._layout.arcs)) - set(field._layout.free_rows):
        flow, most, pinned, places = (int(entry) for entry in net.arc[row])
        out, into = net.place[places >> 32], net.place[places & 0xFFFFFFFF]
        head, tail = (int(place[kernel.END] if place[kernel.END] >= 0 else ~place[kernel.END]) for place in (out, into))
        cost = int(net.cost[row] if out[kernel.COST] == kernel.LONG else out[kernel.COST])
        slack = int(cost + net.node[tail, kernel.PRESSURE] - net.node[head, kernel.PRESSURE])
        if (slack < 0 and flow < most) or (slack > 0 and flow > pinned):
            wrong.append((row, slack))
    return wrong


def verify(field: Field) -> None:
    """Check the field against another solver and the rules, and what it says of itself against its flow."""
    assert not_at_rest(field) == []
    problem, flow, pinned = field.problem(), field.flow(), field.pinned()
    assert (flow >= pinned).all()
    free, chosen = without_pinned(problem, pinned), flow - pinned
    worth = worth_of(free)
    assert value(free, chosen) == value(free, best_flow(free, worth))
    pressures = least_pressures(free, chosen, worth)
    assert broken_rules(free, Allocation(chosen, *pressures, worth, Gap(0, 0, 0), chosen)) == []
    if not problem.hysteresis and not pinned.any():
        least = field.pressures()
        for each in (least, field.proof()):
            assert broken_rules(problem, Allocation(flow, *each, field.worth, Gap(0, 0, 0), flow)) == []
        assert np.array_equal(field.offer_pressures(np.arange(len(problem.supply))), least[0])
    covered, given = np.zeros_like(problem.demand), np.zeros_like(problem.supply)
    np.add.at(covered, problem.need, flow)
    np.add.at(given, problem.offer, flow)
    assert np.array_equal(field.coverage(), covered)
    assert np.array_equal(field.left_over(), problem.supply - given)


@pytest.mark.parametrize("seed", range(36))
@pytest.mark.parametrize("budget", [None, 3])
def test_after_every_event_the_field_is_as_good_as_solved_from_scratch(seed: int, budget: int | None) -> None:
    rng = np.random.default_rng(1000 + seed)
    problem = problem_of(seed, most_nodes=8)
    field, alive = Field(problem, budget=budget), set(range(len(problem.offer)))
    field.finish()
    verify(field)
    for _ in range(25):
        anything_happens(field, rng, alive)
        field.finish()
        verify(field)


@pytest.mark.parametrize("seed", [0, 2, 3, 4])
def test_what_happens_to_a_copy_leaves_the_field_as_it_was_and_the_other_way_round(seed: int) -> None:
    rng, problem = np.random.default_rng(seed), problem_of(seed, most_nodes=8)
    field, alive = Field(problem), set(range(len(problem.offer)))
    other, others_alive, before = field.copy(), set(alive), field.flow()
    for _ in range(15):
        anything_happens(other, rng, others_alive)
        verify(other)
    assert np.array_equal(field.flow(), before)
    verify(field)
    after = other.flow()
    for _ in range(15):
        anything_happens(field, rng, alive)
    assert np.array_equal(other.flow(), after)


def test_the_same_calls_give_the_same_flow() -> None:
    flows = []
    for _ in range(2):
        rng, problem = np.random.default_rng(5), problem_of(9, most_nodes=8)
        field, alive = Field(problem), set(range(len(problem.offer)))
        for _ in range(30):
            anything_happens(field, rng, alive)
        flows.append(field.flow())
    assert np.array_equal(*flows)


def test_a_field_grows_far_beyond_what_it_was_built_from() -> None:
    rng = np.random.default_rng(3)
    field = Field(Problem.of([], [], staircase=(np.ones(0), np.full(0, 5), 6)))
    for _ in range(120):
        needs, offers = len(field.coverage()), len(field.left_over())
        some = rng.permutation(needs)[:5].tolist()
        field.add_offer(int(rng.integers(1, 30)), some, rng.integers(1, 10 ** int(rng.integers(1, 6)), len(some)).tolist())
        some = rng.permutation(offers)[:5].tolist()
        claims = len(field.problem().tier)
        claim = field.add_claim(int(rng.integers(4)), 1, 5) if rng.random() < 0.6 or not claims else int(rng.integers(claims))
        field.add_need(claim, int(rng.integers(1, 30)), some, rng.integers(1, 100, len(some)).tolist())
    verify(field)


@pytest.mark.parametrize("seed", range(24))
@pytest.mark.parametrize("budget", [None, 5])
def test_many_events_at_once_leave_what_one_call_each_would(seed: int, budget: int | None) -> None:
    rng, problem = np.random.default_rng(seed), problem_of(seed)
    field, count = Field(problem, budget=budget), 40
    field.finish()
    if seed % 4 == 3 and field.flow().any():
        arc = int(np.flatnonzero(field.flow())[0])
        field.pin(arc, int(field.flow()[arc]))
    at_offer = rng.random(count) < 0.5
    position = np.where(at_offer, rng.integers(0, len(problem.supply), count), rng.integers(0, len(problem.demand), count))
    units, done = rng.integers(0, 40, count) * (rng.random(count) < 0.8), 0
    while done < count:
        done += field.take_in(at_offer[done:], position[done:], units[done:])
    field.finish()
    verify(field)
    after = field.problem()
    for side, now in ((at_offer, after.supply), (~at_offer, after.demand)):
        last = dict(zip(position[side].tolist(), units[side].tolist(), strict=True))
        assert {each: int(now[each]) for each in last} == last


@pytest.mark.parametrize("seed", range(12))
def test_other_staircases_for_all_claims_at_once_leave_what_solving_anew_would(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 60
    pairs = np.unique(rng.integers(0, count, 5 * count) * count + np.tile(np.arange(count), 5))
    claim = rng.integers(0, count // 2, count) if seed % 2 else np.arange(count)
    claims = int(claim.max()) + 1
    staircase_of_10 = np.ones(claims), np.full(claims, 10), 20
    problem = Problem.of(
        rng.integers(1, 60, count),
        rng.integers(1, 90, count),
        pairs // count,
        pairs % count,
        rng.integers(0, 500, len(pairs)),
        claim=claim,
        tier=rng.integers(0, 4, claims),
        staircase=staircase_of_10,
    )
    field = Field(problem)
    for run in (11, 25, 3, 10):
        rise, runs = rng.integers(0, 4, claims), np.full(claims, run)
        field.restep(np.arange(claims), rise, runs)
        verify(field)
        anew = Field(field.problem())
        assert value(field.problem(), field.flow()) == value(field.problem(), anew.flow())


def test_an_arc_that_comes_and_goes_leaves_no_trace() -> None:
    problem = Problem.of([10, 10], [6, 8], [0, 1], [0, 1], [5, 5], staircase=staircase("off", 1, 1, np.zeros(2), 1))
    field = Field(problem)
    before = field.flow()
    arc = field.add_arc(0, 1, 1)
    assert field.flow()[arc] > 0
    field.remove_arc(arc)
    assert field.flow()[:2].tolist() == before.tolist()
    assert field.add_arc(1, 0, 9) == arc


def test_pinned_units_stay_until_their_own_end_leaves_no_room() -> None:
    field = Field(Problem.of([10], [10, 10], [0, 0], [0, 1], [1, 9], tier=[1, 1]))
    field.pin(0, 10)
    field.add_offer(0)
    urgent = field.add_need(field.add_claim(0, 0, 1), 10, [0], [1])
    assert field.coverage().tolist() == [10, 0, 0]
    field.need_changes(0, -6)
    assert field.pinned()[0] == 4
    assert field.coverage()[urgent] == 6


def nodes_visited(field: Field) -> int:
    """Return how many nodes were visited, none before the field was laid out."""
    return int(field._layout.net.state[kernel.SETTLED]) if hasattr(field, "_layout") else 0


def test_a_budget_bounds_a_turn_and_going_on_ends_at_the_optimum() -> None:
    rng = np.random.default_rng(1)
    count = 300
    offer = rng.integers(0, count, 6 * count)
    pairs = np.unique(offer * count + np.tile(np.arange(count), 6))
    effort = rng.integers(1, 1000, len(pairs))
    problem = Problem.of(rng.integers(1, 100, count), rng.integers(1, 100, count), pairs // count, pairs % count, effort)
    field = Field(problem, budget=50)
    built_in = 1
    while not field.at_rest:
        visited = nodes_visited(field)
        field.go_on(50)
        assert nodes_visited(field) - visited < 50 + 2 * count  # What it says, and the tree of one search.
        built_in += 1
    assert built_in > 1
    assert np.array_equal(field.flow(), Field(problem).flow())
    field.offer_changes(0, -int(problem.supply[0]))
    turns = 1
    while not field.at_rest:
        field.go_on(50)
        turns += 1
    verify(field)
    assert turns > 1


def test_what_is_asked_while_a_field_is_still_being_built_waits_for_that() -> None:
    problem = Problem.of([5, 9, 4], [6, 7, 8], [0, 0, 1, 1, 2], [0, 1, 1, 2, 2], [3, 1, 4, 1, 5])
    whole, begun = Field(problem), Field(problem, budget=1)
    assert not begun.at_rest
    assert begun.problem().demand.tolist() == [6, 7, 8]
    changed = Field(problem, budget=1)
    for field in (whole, changed):
        field.need_changes(1, -2)
    changed.finish()
    assert changed.flow().tolist() == whole.flow().tolist()
    verify(changed)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda field: field.offer_changes(7, 1),
        lambda field: field.offer_changes(0, -11),
        lambda field: field.need_changes(0, -7),
        lambda field: field.remove_arc(-1),
        lambda field: field.add_arcs([0, 7], [0, 0], [1, 1]),
        lambda field: field.add_arcs([0, 1], [0], [1, 1]),
        lambda field: field.add_arcs([0, 1], [0, 0], [1, -1]),
        lambda field: field.pin(0, 7),
        lambda field: field.keep(0, 1),
        lambda field: field.add_claim(4, 0, 1),
        lambda field: field.change_effort(0, -1),
        lambda field: field.add_arc(0, 0, -1),
        lambda field: field.add_arc(0, 1, 1),
        lambda field: field.add_offer(4, [0, 1], [1, 1]),
        lambda field: field.add_offer(4, [0], []),
        lambda field: field.add_need(0, 4, [1], [1]),
        lambda field: field.add_need(0, 4, [0], [1], [-1]),
        lambda field: field.take_in([True, True], [0, 1], [1, 1]),
        lambda field: field.take_in([False], [-1], [1]),
        lambda field: field.take_in([True, False], [0, 0], [3, -1]),
        lambda field: field.take_in([True], [0, 0], [3, 3]),
        lambda field: field.restep([0, 0], [1, 1], [5, 5]),
        lambda field: field.restep([1], [1], [5]),
        lambda field: field.restep([0], [1], [0]),
        lambda field: field.restep([0], [1, 2], [5]),
        lambda field: field.offer_changes(0, 1.5),
        lambda field: field.offer_changes(0.5, 1),
        lambda field: field.need_changes(0, "2"),
        lambda field: field.take_in([True], [0.5], [1]),
        lambda field: field.take_in([True], [0], [1.5]),
        lambda field: field.claim_received(0, 0.5),
        lambda field: field.restep([0.5], [1], [5]),
        lambda field: field.restep([0], [0.5], [5]),
        lambda field: field.add_offer(0.5),
        lambda field: field.add_offer(1, [0.5], [1]),
        lambda field: field.add_offer(1, [0], [1.5]),
        lambda field: field.add_claim(1, 0.5, 1),
        lambda field: field.add_need(0, 0.5),
        lambda field: field.add_need(0, 1, [0], [1], [1.5]),
        lambda field: field.add_arc(0, 0, 1.5),
        lambda field: field.change_effort(0, 1.5),
        lambda field: field.change_most(0, None),
        lambda field: field.pin(0, 1.5),
        lambda field: field.go_on(1.5),
        lambda field: field.go_on(-1),
        lambda field: setattr(field, "budget", -1),
    ],
)
@pytest.mark.parametrize("budget", [None, 0])
def test_what_does_not_fit_is_refused_and_changes_nothing(wrong, budget) -> None:  # type: ignore[no-untyped-def]
    field = Field(Problem.of([10], [6], [0], [0], [5]), budget=budget)
    with pytest.raises(BadProblem):
        wrong(field)
    field.finish()
    verify(field)
    assert field.flow().tolist() == [6]
    assert len(field.left_over()) == len(field.coverage()) == len(field.problem().tier) == 1


@pytest.mark.parametrize(
    "huge",
    [
        lambda field: field.offer_changes(0, 2**60),
        lambda field: field.need_changes(0, 2**62),
        lambda field: field.take_in([True], [0], [2**61]),
        lambda field: field.take_in([False, False], [0, 0], [2**61, 2**62]),
        lambda field: field.add_offer(2**61),
        lambda field: field.add_need(0, 2**62),
        lambda field: field.add_claim(0, 1, 2**60),
        lambda field: field.claim_received(0, 2**62),
        lambda field: field.restep([0], [2**60], [1]),
        lambda field: field.change_effort(0, 2**57),
        lambda field: field.add_arc(0, 0, 2**57),
        lambda field: field.offer_changes(0, 2**63),
        lambda field: field.offer_changes(0, np.int64(2**63 - 1)),
        lambda field: field.need_changes(0, 2**70),
        lambda field: field.take_in([True], [0], [2**63]),
        lambda field: field.take_in([True], [0], [2**70]),
        lambda field: field.take_in([True], [2**70], [1]),
        lambda field: field.take_in([True], [0], [2.0**63]),
        lambda field: field.claim_received(0, 2**70),
        lambda field: field.restep([0], [2**70], [1]),
        lambda field: field.restep([0], [1], [2**63]),
        lambda field: field.add_offer(2**70),
        lambda field: field.add_offer(1, [0], [2**70]),
        lambda field: field.add_claim(0, 2**70, 1),
        lambda field: field.add_claim(0, 1, 1, 2**70),
        lambda field: field.add_need(0, 1, [0], [1], [2**63]),
        lambda field: field.add_arc(0, 0, 2**62),
        lambda field: field.add_arc(0, 0, 1, 2**63),
        lambda field: field.change_effort(0, 2**63 - 1),
        lambda field: field.change_effort(0, 2**70),
        lambda field: field.change_most(0, 2**63),
    ],
)
@pytest.mark.parametrize("budget", [None, 0])
def test_what_64_bits_do_not_hold_is_refused_and_changes_nothing(huge, budget) -> None:  # type: ignore[no-untyped-def]
    field = Field(Problem.of([10], [6], [0], [0], [5], staircase=([1], [5], 10)), budget=budget)
    with pytest.raises(TooLarge, match="coarser"):
        huge(field)
    field.finish()
    verify(field)
    field.offer_changes(0, -7)
    field.finish()
    verify(field)
    assert field.flow().tolist() == [3]


@pytest.mark.parametrize(
    "asked",
    [
        *({"budget": 1.5}, {"budget": -1}, {"farthest": 0.5}, {"farthest": -1}),
        *({"pinned": [0.5]}, {"pinned": [2**63]}, {"pinned": [-1]}, {"pinned": [1, 1]}),
    ],
)
def test_a_field_that_cannot_be_meant_is_not_built(asked) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadProblem, match=r"expected|64 bits"):
        Field(Problem.of([10], [6], [0], [0], [5]), **asked)


@pytest.mark.parametrize(
    ("supply", "demand", "pinned", "told"),
    [
        pytest.param([9, 9], [9, 9], [0, 0, 4], "4 units are pinned on arc 2, which may carry 3", id="more than a pair may carry"),
        pytest.param([5, 9], [9, 9], [3, 3, 0], "6 units are pinned at offer 0, which has 5", id="more than an offer has"),
        pytest.param([9, 9], [9, 4], [0, 3, 3], "6 units are pinned at need 1, which has 4", id="more than a need asks for"),
    ],
)
def test_pins_that_nothing_has_room_for_are_refused(supply, demand, pinned, told) -> None:  # type: ignore[no-untyped-def]
    problem = Problem.of(supply, demand, [0, 0, 1], [0, 1, 1], [1, 1, 1], most=[3, 3, 3])
    with pytest.raises(BadProblem, match=told):
        Field(problem, pinned=pinned)
    with pytest.raises(BadProblem, match="7 units are pinned on arc 0, which may carry 5"):
        Field(Problem.of([5], [9], [0], [0], [1]), pinned=[7])


@pytest.mark.parametrize(
    ("effort", "pinned", "told"),
    [
        pytest.param(2**57, None, "coarser unit", id="an effort too large"),
        pytest.param(1, [-1], "least units pinned", id="fewer than no units pinned"),
        pytest.param(1, [7], "7 units are pinned on arc 0, which may carry 6", id="more pinned than an end has"),
    ],
)
@pytest.mark.parametrize("budget", [None, 0, 1, 2, 3, 100])
def test_a_field_is_refused_in_the_same_words_by_whichever_turn(effort, pinned, told, budget) -> None:  # type: ignore[no-untyped-def]
    def built() -> None:
        field = Field(Problem.of([10], [6], [0], [0], [effort]), budget=budget, pinned=pinned)
        while not field.go_on(1):
            pass

    with pytest.raises((BadProblem, TooLarge), match=told):
        built()


def test_a_limit_may_be_all_that_64_bits_hold() -> None:
    field = Field(Problem.of([10], [6], [0], [0], [5], most=[2]))
    field.change_most(0, 2**63 - 1)
    verify(field)
    assert field.flow().tolist() == [6]
    assert field.go_on(2**70)


def test_after_preparing_no_event_compiles_anything() -> None:
    prepare()
    compiled = {name: len(getattr(kernel, name).signatures) for name in kernel.__all__ if hasattr(getattr(kernel, name), "signatures")}
    rng, problem = np.random.default_rng(17), problem_of(17, most_nodes=8)
    field, alive = Field(problem), set(range(len(problem.offer)))
    for _ in range(60):
        anything_happens(field, rng, alive)
    field.pressures()
    assert {name: len(getattr(kernel, name).signatures) for name in compiled} == compiled
