"""Which of the arcs left out would gain, found by looking only where pressures moved."""

from collections import Counter

import numpy as np
import pytest

from solver import BadProblem
from solver.possible import EACH_NEED, EACH_OFFER, LOOKED_AT, MOST_LATE, PossibleArcs


def ends_of(possible, pairs):
    return list(zip(*(ends.tolist() for ends in possible.told(pairs)[:2]), strict=True))


def gaining_by_definition(effort, left_out, offer_pressure, need_pressure, has_some, wants):
    loss = effort + offer_pressure[:, None] - need_pressure
    return {tuple(pair) for pair in np.argwhere((loss < 0) & left_out & has_some[:, None] & wants).tolist()}


@pytest.mark.parametrize("most_late", [pytest.param(0, id="all in rows"), pytest.param(12, id="some in rows"), MOST_LATE])
@pytest.mark.parametrize("seed", range(20))
def test_none_that_would_gain_is_missed_while_pressures_move_and_pairs_come(seed, most_late):
    draw = np.random.default_rng(seed)
    offers, needs = int(draw.integers(1, 9)), int(draw.integers(1, 9))
    effort, left_out = draw.integers(0, 30, (20, 20)), np.zeros((20, 20), dtype=bool)
    possible, arcs, found_any = PossibleArcs(offers, needs, most_late=most_late), 0, False
    one, other = np.nonzero(draw.random((offers, needs)) < 0.7)
    possible.allow(one, other, effort[one, other])
    left_out[one, other] = True
    offer_pressure, need_pressure = draw.integers(0, 20, 20), draw.integers(0, 20, 20)
    has_some, wants = draw.random(20) < 0.8, draw.random(20) < 0.8
    for _ in range(30):
        match draw.integers(0, 4):
            case 0:
                offer_pressure[draw.integers(0, offers)] = draw.integers(0, 20)
            case 1:
                need_pressure[draw.integers(0, needs)] = draw.integers(0, 20)
            case 2:
                offer = int(draw.integers(0, offers))
                has_some[offer] = not has_some[offer]
                possible.look_at_offer(offer)
            case _ if offers < 20 > needs:
                offers, needs = offers + 1, needs + 1
                possible.make_room(offers, needs)
                ends = np.flatnonzero(draw.random(needs) < 0.6)
                possible.allow(np.full(len(ends), offers - 1), ends, effort[offers - 1, ends])
                left_out[offers - 1, ends] = True
        while True:
            pressures, amounts = (offer_pressure[:offers].copy(), need_pressure[:needs].copy()), (has_some[:offers], wants[:needs])
            expected = gaining_by_definition(effort[:offers, :needs], left_out[:offers, :needs], *pressures, *amounts)
            pairs = possible.gaining(*pressures, *(some.astype(np.int64) for some in amounts))
            found = ends_of(possible, pairs)
            assert set(found) <= expected
            assert bool(found) == bool(expected), "some would gain, and none was found"
            if not found:
                break
            found_any = True
            for at in (0, 1):
                assert max(np.unique([pair[at] for pair in found], return_counts=True)[1]) <= (EACH_OFFER, EACH_NEED)[at]
            losses = [(effort[pair] + offer_pressure[pair[0]] - need_pressure[pair[1]], *pair) for pair in found]
            assert losses == sorted(losses), "those that gain most come first"
            assert possible.pairs_of(*possible.told(pairs)[:2]).tolist() == pairs.tolist()
            assert possible.told(pairs)[2].tolist() == [effort[pair] for pair in found]
            possible.put(pairs, np.arange(arcs, arcs + len(pairs)))
            for offer, need in found:
                left_out[offer, need] = False
                assert possible.arc(offer, need) == arcs
                arcs += 1
    assert found_any


def test_a_closed_pair_gains_nothing_until_it_is_opened_again():
    possible = PossibleArcs(1, 2)
    possible.allow(np.array([0, 0]), np.array([0, 1]), np.array([3, 4]))
    state = np.array([0]), np.array([9, 9]), np.ones(1, dtype=np.int64), np.ones(2, dtype=np.int64)
    possible.close(0, 0)
    found = possible.gaining(*state)
    assert ends_of(possible, found) == [(0, 1)]
    assert not possible.is_allowed(0, 0)
    possible.put(found, np.zeros(1))
    assert ends_of(possible, possible.gaining(*state)) == []
    possible.open(0, 0)
    assert ends_of(possible, possible.gaining(*state)) == [(0, 0)]


def test_a_pair_that_the_rules_never_allowed_has_no_arc():
    possible = PossibleArcs(2, 2)
    possible.allow(np.array([0]), np.array([1]), np.array([3]))
    assert (possible.arc(1, 0), possible.is_allowed(1, 0), possible.arc(0, 1), possible.is_allowed(0, 1)) == (-1, False, -1, True)
    assert possible.told(possible.pairs_of(np.array([0]), np.array([1])))[2].tolist() == [3]


def few_by_definition(effort: np.ndarray) -> list[tuple[int, int]]:
    """The pairs that gain most where all pressures of needs are 0 and all efforts below it, by sorting all of them."""
    offers, needs = (ends.ravel() for ends in np.indices(effort.shape))
    order = np.lexsort((needs, offers, effort.ravel()))
    last = effort.ravel()[order[min(LOOKED_AT, len(order) - 1)]]
    given: Counter[tuple[str, int]] = Counter()
    chosen = []
    for at in order[effort.ravel()[order] <= last].tolist():
        pair = int(offers[at]), int(needs[at])
        ends = ("offer", pair[0]), ("need", pair[1])
        if given[ends[0]] < EACH_OFFER and given[ends[1]] < EACH_NEED:
            given.update(ends)
            chosen.append(pair)
    return chosen


@pytest.mark.parametrize(("side", "largest"), [(5, 3), (40, 50), (100, 10_000), (100, 4)])
def test_of_many_that_gain_the_best_few_of_each_are_chosen_in_order(side, largest):
    effort = np.random.default_rng(side).integers(0, largest, (side, side))
    one, other = (ends.ravel() for ends in np.indices(effort.shape))
    possible, ones = PossibleArcs(side, side), np.ones(side, dtype=np.int64)
    possible.allow(one, other, effort.ravel())
    found = ends_of(possible, possible.gaining(0 * ones, (largest + 1) * ones, ones, ones))
    assert found == few_by_definition(effort)


def everything(possible):
    """Return all that is known of pairs, which no refusal may change."""
    held = (*(column[: possible.count] for column in possible._pairs), *possible._seen[:2], possible._of_offer.span, possible._of_need.span)
    return possible.count, *(array.tolist() for array in held)


ONE, BOTH, SOME = np.ones(1, dtype=np.int64), np.arange(2), np.ones(3, dtype=np.int64)


def side(count):
    ones = np.ones(count, dtype=np.int64)
    return ones, ones, ones, ones, ones > 0


TWO_OFFERS, THREE_NEEDS = side(2), side(3)


def met(possible, *, offered=TWO_OFFERS, wanted=THREE_NEEDS, weight=BOTH, offers=(0,), needs=(0,), far=ONE):
    return possible.meet(offered, wanted, weight, np.array(offers), np.array(needs), far, (0, 1))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        pytest.param(lambda it: it.allow([2], [0], [1]), "an offer is one of 2", id="an offer there is no room for"),
        pytest.param(lambda it: it.allow([0], [3], [1]), "a need is one of 3", id="a need there is no room for"),
        pytest.param(lambda it: it.allow([-1], [0], [1]), "positions -1", id="a position below 0"),
        pytest.param(lambda it: it.allow([0, 1], [0], [1, 1]), "needs has 1 entries", id="fewer needs than offers"),
        pytest.param(lambda it: it.allow([0], [1], [1, 1]), "effort has 2", id="more efforts than pairs"),
        pytest.param(lambda it: it.allow([0], [1], [-1]), "at least 0", id="less than no effort"),
        pytest.param(lambda it: it.close(0, 1), "no pair that the rules allow", id="closing what never came"),
        pytest.param(lambda it: it.open(0, 1), "no pair that the rules allow", id="opening what never came"),
        pytest.param(lambda it: it.close(2, 0), "an offer is one of 2", id="closing what there is no room for"),
        pytest.param(lambda it: it.arc(0, 3), "a need is one of 3", id="asking for what there is no room for"),
        pytest.param(lambda it: it.pairs_of([0, 1], [0]), "1 entries", id="finding fewer needs than offers"),
        pytest.param(lambda it: it.put([2], [0]), "a pair is one of 2", id="an arc of a pair that never came"),
        pytest.param(lambda it: it.put([-1], [0]), "positions -1", id="an arc of no pair"),
        pytest.param(lambda it: it.put([0], [2**31]), "an arc is one of", id="an arc beyond 32 bits"),
        pytest.param(lambda it: it.put([0, 1], [0]), "1 entries", id="fewer arcs than pairs"),
        pytest.param(lambda it: it.told([-1]), "positions -1", id="what is told of no pair"),
        pytest.param(lambda it: it.told([2]), "a pair is one of 2", id="what is told of a pair that never came"),
        pytest.param(lambda it: it.arcs([-1]), "positions -1", id="the arc of no pair"),
        pytest.param(lambda it: it.look_at_offer(-1), "-1 came", id="looking at no offer"),
        pytest.param(lambda it: it.look_at_need(3), "3 came", id="looking at a need there is no room for"),
        pytest.param(lambda it: it.gaining(BOTH[:1], SOME, BOTH, SOME), "of offers has 1", id="too few pressures of offers"),
        pytest.param(lambda it: it.gaining(BOTH, SOME[:2], BOTH, SOME), "of needs has 2", id="too few pressures of needs"),
        pytest.param(lambda it: it.gaining(BOTH, SOME, BOTH[:0], SOME), "of offers has 0", id="too little supply"),
        pytest.param(lambda it: it.gaining(BOTH, SOME, BOTH, SOME[:2]), "of needs has 2", id="too little demand"),
        pytest.param(lambda it: met(it, offers=[2]), "an offer is one of 2", id="meeting an offer there is no room for"),
        pytest.param(lambda it: met(it, needs=[-1]), "positions -1", id="meeting no need"),
        pytest.param(lambda it: met(it, needs=BOTH), "needs has 2", id="meeting more needs than offers"),
        pytest.param(lambda it: met(it, far=SOME), "far has 3", id="more distances than pairs"),
        pytest.param(lambda it: met(it, offered=side(1)), "at least 2", id="too short a side of offers"),
        pytest.param(lambda it: met(it, wanted=side(2)), "at least 3", id="too short a side of needs"),
        pytest.param(lambda it: met(it, weight=ONE), "at least 2", id="too few weights"),
        pytest.param(lambda it: met(it, weight=[1, 1]), "list came", id="a list"),
        pytest.param(lambda it: met(it, wanted=(*THREE_NEEDS[:4], SOME)), "bool", id="numbers for whether"),
    ],
)
def test_what_compiled_code_would_read_or_write_beyond_is_refused_and_changes_nothing(asked, told):
    possible = PossibleArcs(2, 3)
    possible.allow(np.array([0, 1]), np.array([0, 1]), np.array([1, 2]))
    possible.gaining(BOTH, 5 * SOME, BOTH, SOME)  # so that all was looked at
    before = everything(possible)
    with pytest.raises(BadProblem, match=told):
        asked(possible)
    assert everything(possible) == before
