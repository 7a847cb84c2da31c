"""A problem laid out: the same wherever turns end, and each node and arc where plain code that shares nothing expects it."""

import operator
from collections.abc import Generator, Iterator
from itertools import repeat
from typing import Any

import numpy as np
import pytest

from solver import BadProblem, Problem
from solver.engine import kernel, layout
from solver.engine.layout import Layout
from solver.fairness import margin_of, worth_of
from solver.field import Field
from solver.turns import InTurns, at_once, folded, written
from tests.solver.engine.instances import anything_happens, in_use, problem_of


def laid_by_turns(problem: Problem, budgets: Iterator[int]) -> Layout:
    turns = InTurns(layout.laying_out(problem, worth_of(problem), margin_of(problem)))
    while not turns.done:
        turns.go_on(next(budgets))
    return turns.result


def far(problem: Problem) -> Problem:
    """Return the problem with efforts some of which do not fit into 32 bits."""
    effort = problem.effort * np.where(problem.effort % 2, 1, 1 << 33)
    return Problem(**{name: getattr(problem, name) for name in Problem.__dataclass_fields__} | {"effort": effort})


@pytest.mark.parametrize("seed", range(60))
def test_by_turns_every_byte_is_what_it_is_at_once(seed: int) -> None:
    rng, problem = np.random.default_rng(seed), problem_of(seed)
    problem = far(problem) if seed % 5 == 0 else problem
    whole = in_use(layout.lay_out(problem, worth_of(problem), margin_of(problem)))
    for budgets in (repeat(1), repeat(7), iter(lambda: int(rng.integers(1, 40)), None)):
        assert in_use(laid_by_turns(problem, budgets)) == whole


@pytest.mark.parametrize("seed", range(40))
def test_the_order_in_which_needs_ask_and_what_is_pinned_are_the_same_by_turns(seed: int) -> None:
    rng, problem = np.random.default_rng(seed), problem_of(seed)
    flow = Field(problem).flow()
    pinned = np.where(rng.random(len(flow)) < 0.5, rng.integers(0, flow + 1), 0) if seed % 2 else None
    left = []
    for most in (None, 1, 9):
        laid = layout.lay_out(problem, worth_of(problem), margin_of(problem))
        turns = InTurns(layout.asking(laid, problem, pinned))
        while not turns.done:
            turns.go_on(1 << 40 if most is None else int(rng.integers(1, most + 1)))
        left.append((in_use(laid), [column.tobytes() for column in turns.result]))
    assert left[1:] == left[:-1]


def plain_order(problem: Problem, ends: list[tuple[int, int]], nodes: int) -> list[int]:
    """Return the nodes breadth first, from the first one that is left; a node's arcs out come before those into it."""
    order: list[int] = []
    for seed in range(nodes):
        if seed not in order:
            order.append(seed)
        for u in order:  # Grows as it is read.
            reached = [head for tail, head in ends if tail == u] + [tail for tail, head in ends if head == u]
            order += [w for at, w in enumerate(reached) if w not in order and w not in reached[:at]]
    return order


@pytest.mark.parametrize("seed", range(60))
def test_nodes_and_arcs_lie_where_plain_code_expects_them(seed: int) -> None:
    problem = problem_of(seed)
    step, margin = worth_of(problem), margin_of(problem)
    laid = layout.lay_out(problem, step, margin)
    offers, needs, claim = len(problem.supply), len(problem.demand), problem.claim.tolist()
    # The nodes before they are ranked: offers, needs, and each claim that has not one need alone.
    at = {k: offers + claim.index(k) for k in range(len(problem.tier)) if claim.count(k) == 1}
    for k in range(len(problem.tier)):
        at.setdefault(k, offers + needs + sum(claim.count(other) != 1 for other in range(k)))
    nodes = offers + needs + sum(claim.count(k) != 1 for k in range(len(problem.tier)))
    kept = np.minimum(problem.kept, problem.most) if problem.hysteresis else np.zeros_like(problem.kept)
    rows = list(zip(problem.offer.tolist(), problem.need.tolist(), problem.effort.tolist(), (problem.most - kept).tolist(), strict=True))
    arcs = [(i, offers + j, effort, most) for i, j, effort, most in rows]
    twins = np.flatnonzero(kept).tolist()
    arcs += [(*arcs[a][:2], arcs[a][2] - problem.hysteresis * step, int(kept[a])) for a in twins]
    ways = [j for j in range(needs) if claim.count(claim[j]) > 1]
    arcs += [(offers + j, at[claim[j]], 0, 0) for j in ways]

    order = plain_order(problem, [arc[:2] for arc in arcs], nodes)
    rank = {u: place for place, u in enumerate(order)}
    assert (laid.nodes, laid.arcs) == (nodes, len(arcs))
    assert laid.offer_node.tolist() == [rank[i] for i in range(offers)]
    assert laid.need_node.tolist() == [rank[offers + j] for j in range(needs)]
    assert laid.claim_node.tolist() == [rank[at[k]] for k in range(len(problem.tier))]
    assert laid.sole.tolist() == [claim.index(k) if claim.count(k) == 1 else -1 for k in range(len(problem.tier))]
    assert laid.twin.tolist() == [len(rows) + twins.index(a) if a in twins else -1 for a in range(len(rows))]
    assert laid.way.tolist() == [len(rows) + len(twins) + ways.index(j) if j in ways else -1 for j in range(needs)]

    places = []
    for u in order:
        for end, other in ((0, 1), (1, 0)):
            for a, arc in enumerate(arcs):
                if arc[end] == u:
                    w = rank[arc[other]]
                    places.append((w if arc[3] > 0 else ~w, a, arc[2]))
    pool = int(laid.net.state[kernel.POOL])
    ours = [(int(end), int(a), int(laid.net.cost[a] if cost == kernel.LONG else cost)) for end, a, cost in laid.net.place[:pool]]
    assert ours == places
    assert [tuple(row) for row in laid.net.arc[: len(arcs), : kernel.PLACES].tolist()] == [(0, arc[3], 0) for arc in arcs]
    gates = {rank[i]: (units, units) for i, units in enumerate(problem.supply.tolist())}
    gates |= {rank[offers + j]: (0, 0) for j in range(needs)}
    gates |= {rank[at[k]]: (0, 0 if at[k] < offers + needs else kernel.LARGEST_FLOW) for k in at}
    assert [tuple(gate[:2]) for gate in laid.net.gate[:nodes].tolist()] == [gates[u] for u in range(nodes)]


@pytest.mark.parametrize("seed", range(40))
def test_what_happens_while_a_field_is_laid_out_waits_for_that(seed: int) -> None:
    rng, problem = np.random.default_rng(seed), problem_of(seed, most_nodes=8)
    whole, begun = Field(problem), Field(problem, budget=0)
    for _ in range(int(rng.integers(0, 30))):
        begun.go_on(int(rng.integers(1, 12)))
    for field in (whole, begun):
        field.budget = None
        happens, alive = np.random.default_rng(seed), set(range(len(problem.offer)))
        for _ in range(8):
            anything_happens(field, happens, alive)
    for ask in (Field.flow, Field.pinned, Field.proof, Field.pressures):
        assert [each.tolist() for each in ask(begun)] == [each.tolist() for each in ask(whole)]


@pytest.mark.parametrize("turns", [0, 1, 5, 20, 60])
def test_what_is_asked_while_a_field_is_laid_out_is_answered(turns: int) -> None:
    problem = problem_of(7)
    pinned = Field(problem).flow() // 2

    def begun() -> Field:
        field = Field(problem, pinned=pinned, budget=0)
        for _ in range(turns):
            field.go_on(1)
        assert not field.at_rest
        return field

    rest = Field(problem, pinned=pinned)
    assert begun().flow().tolist() == begun().pinned().tolist() == pinned.tolist()
    assert begun().left_over().tolist() == (problem.supply - np.bincount(problem.offer, pinned, len(problem.supply))).tolist()
    assert begun().coverage().tolist() == np.bincount(problem.need, pinned, len(problem.demand)).tolist()
    assert [end.tolist() for end in begun().ends()] == [problem.offer.tolist(), problem.need.tolist()]
    assert begun().worth == rest.worth
    assert [each.tolist() for each in begun().pressures()] == [each.tolist() for each in rest.pressures()]
    copied = begun().copy()
    copied.finish()
    assert copied.flow().tolist() == rest.flow().tolist()


def test_no_turn_does_more_than_it_may_however_many_arcs_meet_in_one_node() -> None:
    arcs = 3_000
    hub = Problem.of(
        [arcs], np.ones(arcs), np.zeros(arcs), np.arange(arcs), np.arange(arcs), claim=np.zeros(arcs), kept=np.ones(arcs), hysteresis=1
    )
    pieces: list[int] = []

    def counted(passes: Generator) -> Generator:  # type: ignore[type-arg]
        result = None
        while True:
            try:
                steps, work = next(passes)
            except StopIteration as end:
                result = end.value
                return result
            yield steps, lambda begin, end, work=work: (pieces.append(end - begin), work(begin, end))

    turns = InTurns(counted(layout.laying_out(hub, worth_of(hub), margin_of(hub))))
    longest = 0
    while not turns.done:
        pieces.clear()
        turns.go_on(100)
        longest = max(longest, sum(pieces))
    assert longest == 100
    assert in_use(turns.result) == in_use(layout.lay_out(hub, worth_of(hub), margin_of(hub)))


def test_turns_do_each_step_once_and_in_order() -> None:
    done: list[tuple[str, int]] = []

    def passes() -> Generator:  # type: ignore[type-arg]
        for name, steps in (("a", 5), ("b", 0), ("c", 4)):
            yield steps, lambda begin, end, name=name: done.extend((name, step) for step in range(begin, end))
        return "through"

    turns = InTurns(passes())
    assert turns.go_on(0) == 0
    assert done == []
    assert turns.go_on(7) == 0
    assert (turns.done, len(done)) == (False, 7)
    assert turns.go_on(7) == 5
    assert (turns.done, turns.result) == (True, "through")
    assert done == [("a", step) for step in range(5)] + [("c", step) for step in range(4)]
    done.clear()
    assert at_once(passes()) == "through"
    assert len(done) == 9


def test_what_one_turn_refused_every_later_one_refuses() -> None:
    def passes() -> Generator:  # type: ignore[type-arg]
        yield 2, lambda _begin, _end: None
        raise BadProblem("half a unit")

    turns = InTurns(passes())
    turns.go_on(1)
    for _ in range(3):
        with pytest.raises(BadProblem, match="half a unit"):
            turns.go_on(7)
    assert not turns.done


@pytest.mark.parametrize("failure", [MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize("in_pass", [True, False])
def test_what_stopped_one_turn_stops_every_later_one(failure: type[BaseException], in_pass: bool) -> None:
    def fail(*_: object) -> None:
        raise failure

    def passes() -> Generator:  # type: ignore[type-arg]
        yield 1, fail if in_pass else lambda _begin, _end: None
        fail()

    turns = InTurns(passes())
    for _ in range(3):
        with pytest.raises(failure):
            turns.go_on(7)
    assert not turns.done


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 100, 3_000])
@pytest.mark.parametrize("steps", [1, 7, 1 << 40])
def test_values_are_folded_whole_wherever_turns_end(length: int, steps: int) -> None:
    values = np.random.default_rng(length).integers(-9, 9, length)
    for fold, join, expected in ((np.sum, operator.add, 5 + int(values.sum())), (np.min, min, int(values.min(initial=5)))):
        turns = InTurns(folded(values, fold, join, 5))
        while not turns.done:
            turns.go_on(steps)
        assert turns.result == expected


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 100])
def test_a_table_is_written_whole_wherever_turns_end(length: int) -> None:
    expected = np.arange(length)
    for values in (expected, 7, lambda rows: expected[rows] ** 2):
        table = np.full(length, -1)

        def passes(table: np.ndarray = table, values: Any = values) -> Generator:  # type: ignore[type-arg]
            yield written(table, values)

        turns = InTurns(passes())
        while not turns.done:
            turns.go_on(1)
        assert table.tolist() == np.broadcast_to(values(slice(None)) if callable(values) else values, length).tolist()
