"""The field: an optimal flow with its pressures, kept while offers, needs and arcs come, change and go."""

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from operator import add, index
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solver.errors import BadProblem, EngineFault, TooLarge
from solver.fairness import levels_before
from solver.possible import SPARE, PossibleArcs
from solver.pressure import read_worth
from solver.problem import LARGEST, NO_GAP, TIERS, WHOLE, Allocation, Ints, Problem, entries_of, ints, positions_of, unchecked
from solver.rules import is_proven
from solver.tables import empty, let_go, zeros
from solver.turns import InTurns, Passes, at_once, by_rows, counted, folded, steps_of, written

__all__ = ["Comparison", "Field", "prepare"]

Kind = TypeVar("Kind", np.int64, np.int32)  # positions fit into 32 bits, as the kernel counts rows in so many

HEADROOM = 4  # times the worth and the margin that the first problem asks for, so that it may grow
UNBOUNDED = 1 << 62
MOST_UNITS = 1 << 60  # of all offers together
STEPS_OF_PINS = 100  # letting those of one arc go takes about as long
NOTHING = np.empty(0, dtype=np.int64)
NO_ENDS = np.empty(0, dtype=np.int32)


class Field:
    """One resource's optimum, repaired after each event by a search from where it happened.

    Built from a `Problem` (without minimum parts and packs, which are mended after the flow), it holds what `solve` would find: first the
    greatest total urgency, then the least effort. Each method that changes something leaves the new optimum behind; the time
    is that of the search, which ends where the change no longer matters. With a ``budget`` (nodes visited in one call) the
    search may end before: then `at_rest` is false, `flow` is what has been settled so far, and `go_on` continues.

    Offers, needs, claims and arcs are positions, as in the problem; new ones get the next position, or that of one removed
    before (the last removed first). Units that are *pinned* on an arc move only by an event at its own ends: if those leave no
    room for them, pins are let go, the arc of the highest position first. Among equal ways the first found is taken, arcs
    being looked through as they lie; so the same calls in the same order give the same flow.

    Parameters
    ----------
    problem : Problem
        Where to begin, solved at once; may be empty. Minimum parts and packs are not looked at, nor told again by `problem`. While the
        field is still being laid out, its arrays are read and have to stay as they are.
    pinned : (A,) int64, optional
        Units already pinned on its arcs, which pairs, offers and needs have room for.
    budget : int, optional
        Nodes visited in one call, about, building included; without it every call goes on to the end. Each of them looks at the
        arcs of its node, however many those are.
    farthest : int
        The greatest effort of arcs yet to come. Whoever adds arcs only where pressures say they gain states it: a step of
        urgency outweighs what is known to be possible.

    Raises
    ------
    BadProblem
        By any method, for positions and units that do not fit; nothing has changed then.
    TooLarge
        By any method, beyond 64 bits.
    MemoryError
        Where tables find no room. An event that waits for it has not come then, also where its position was told; a search goes on
        with the next call. A field that was not laid out yet raises it again.

    Notes
    -----
    An event of q units takes at most q searches, each over the arcs of those nodes alone that lie nearer than the change
    matters, however large the network is. Reading `flow` or `pressures` is O(A). Building one is a cold solve. All of these run
    without the interpreter's lock: another thread goes on meanwhile.

    Whoever has no other thread gives a ``budget`` and calls `go_on`; `Problem.by_turns` goes so too. Everything is cut wherever a
    turn ends, and the same to the last bit wherever that is. Before needs ask, the problem is laid out, each end of an arc counting
    as a visit, and what is only read or copied as less; letting pins of an arc go counts as a hundred. An event for which a table
    has no room waits, its position known, until the table has moved to one twice as large; those of nodes and arcs have room for
    three times what the field was built from. One after which a step of urgency may be outweighed, as an effort is more than four
    times the greatest known when it was built, or there are more than four times as many offers and needs, waits until all is built
    anew. Whatever else is called while an event waits finishes that in one piece: changes and what tells of the optimum go on until
    the field is at rest, other questions (as `flow`) and `copy` until what comes before the search is done. Not cut is what a call
    brings or asks for: the arcs that come in it, their efforts being held against all others where a step may be outweighed, and the
    arrays it returns.

    References
    ----------
    R. Busacker, P. Gowen, A procedure for determining a family of minimal-cost network flow patterns, 1960: successive paths.
    N. Tomizawa, On some techniques useful for solution of transportation network problems, Networks 1, 1971;
    J. Edmonds, R. Karp, Theoretical improvements in algorithmic efficiency for network flow problems, JACM 19, 1972: potentials.
    Y. Boykov, V. Kolmogorov, An experimental comparison of min-cut/max-flow algorithms, IEEE TPAMI 26, 2004: a search tree kept.
    """

    def __init__(self, problem: Problem, *, pinned: Ints | None = None, budget: int | None = None, farthest: int = 0) -> None:
        """Solve `problem`."""
        from solver.engine import kernel, layout  # noqa: PLC0415 - compiled code is loaded when it is first needed

        self._kernel: Any = kernel
        self._engine: Any = layout
        self.budget = budget
        self._levels, self._hysteresis = problem.levels, problem.hysteresis
        self._free_arcs: list[int] = []
        self._leaving: list[int] = []  # arcs that are taken out at the end of the search
        self._clipped: list[tuple[int, int]] = []  # (row, limit) of arcs whose limit waits for the end of the search
        self._event = np.zeros((3, 1), dtype=np.int64)
        self._offered = self._asked = self._most_received = self._steepest = 0
        pins = None if pinned is None else _units_of_arcs(pinned, len(problem.offer))
        farthest = _no_less(farthest, 0, "the farthest arc would take the effort")
        self._before: InTurns[None] | None = InTurns(self._building(problem, pins, farthest))  # what comes before the search goes on
        self._later: InTurns[None] | None = None  # what comes at the end of the search
        self._to_drop = False  # whether what comes before the search has changed nothing yet, so that it may fail and be forgotten
        self.go_on(self.budget)

    def _building(self, problem: Problem, pinned: Ints | None, farthest: int) -> Passes[None]:
        """Find the worth of a step, and lay a problem out."""
        offered, asked = (
            (yield from folded(problem.supply, np.add.reduce, add, 0)),
            (yield from folded(problem.demand, np.add.reduce, add, 0)),
        )
        received, rise = (
            (yield from folded(problem.received, np.maximum.reduce, max, 0)),
            (yield from folded(problem.rise, np.maximum.reduce, max, 0)),
        )
        self._fit(offered=offered, asked=asked, received=received, rise=rise)
        self._pins = False  # whether there ever were any
        if pinned is not None:
            _no_less((yield from folded(pinned, np.minimum.reduce, min, 0)), 0, "the least units pinned on an arc would be")
            self._pins = (yield from folded(pinned, np.maximum.reduce, max, 0)) > 0
            yield from _check_pins(problem, pinned)
        farthest = yield from folded(problem.effort, np.maximum.reduce, max, farthest)
        scale = self._scale_for(len(problem.supply), len(problem.demand), farthest)
        yield from self._laying_out(problem, pinned if self._pins else None, scale)

    def _laying_out(self, problem: Problem, pinned: Ints | None, scale: "_Scale") -> Passes[None]:
        """Lay a problem out, all its needs still to ask, and write down where everything is."""
        tier, rise, run, claim = yield from _columns(np.int64, problem.tier, problem.rise, problem.run, problem.claim)
        offer, need = yield from _columns(np.int32, problem.offer, problem.need)
        effort, most, kept = yield from _columns(np.int64, problem.effort, problem.most, problem.kept)
        layout = yield from self._engine.laying_out(problem, scale.worth, scale.margin)
        (twin,) = yield from _columns(np.int32, layout.twin)
        row = _roomy(len(problem.offer), np.int32)
        yield len(problem.offer), partial(_number, row)
        asking: tuple[Ints, Ints, Ints] = yield from self._engine.asking(layout, problem, pinned)
        free = np.array(self._free_arcs, dtype=np.int64)
        yield from self._engine.dropping(layout, free)
        row.values[free] = -1
        # All at once, so that what fails before leaves what there was.
        self._tier, self._rise, self._run, self._claim, self._offer, self._need = tier, rise, run, claim, offer, need
        self._effort, self._most, self._kept, self._twin, self._row = effort, most, kept, twin, row
        self._way, self._sole = _Column(layout.way), _Column(layout.sole)
        self._offer_node, self._need_node, self._claim_node = (
            _Column(nodes) for nodes in (layout.offer_node, layout.need_node, layout.claim_node)
        )
        self._layout, self._asking, self._scale = layout, asking, scale

    # --- questions ---

    @property
    def at_rest(self) -> bool:
        """Whether all that was told has been settled."""
        if self._before is not None or self._later is not None:
            return False
        state = self._layout.net.state
        return bool(state[self._kernel.ROOT] < 0 and state[self._kernel.WAITING] == 0 and not len(self._asking[0]))

    @property
    def budget(self) -> int | None:
        """Nodes visited in one call, about; None where every call goes on to the end."""
        return self._budget

    @budget.setter
    def budget(self, visits: int | None) -> None:
        self._budget = None if visits is None else steps_of(visits)

    @property
    def worth(self) -> int:
        """What a step of urgency weighs in effort, more than any chain of exchanges can save."""
        self._get_ready()
        return self._scale.worth

    def flow(self) -> Ints:
        """Return the (A,) units on each arc; 0 where an arc was removed."""
        self._get_ready()
        return self._summed(self._kernel.FLOW)

    def pinned(self) -> Ints:
        """Return the (A,) units pinned on each arc."""
        self._get_ready()
        return self._summed(self._kernel.PINNED)

    def left_over(self) -> Ints:
        """Return the (M,) units each offer has left."""
        self._get_ready()
        gates: Ints = self._layout.net.gate[self._offer_node.values, self._kernel.UNITS]
        return gates

    def coverage(self) -> Ints:
        """Return the (N,) units each need gets."""
        self._get_ready()
        net, way = self._layout.net, self._way.values
        covered: Ints = net.gate[self._need_node.values, self._kernel.UNITS]
        shared = np.flatnonzero(way >= 0)
        covered[shared] = net.arc[way[shared], self._kernel.FLOW]
        return covered

    def pressures(self) -> tuple[Ints, Ints, Ints]:
        """Return the least pressures of offers (M,), needs (N,) and claims (K,): what one unit more there would gain.

        In effort, a step of urgency weighing `worth`. O(arcs). At rest they prove the flow optimal.
        """
        self.finish()
        pressure = self._engine.pressures(self._layout)
        claims = self._engine.claim_pressures(self._layout, pressure, self._claim_node.values)
        return pressure[self._offer_node.values], pressure[self._need_node.values], claims

    def offer_pressures(self, offers: ArrayLike) -> Ints:
        """Return (C,) the least pressures of some offers (C,), each in the time of a search from there."""
        self.finish()
        chosen = np.atleast_1d(ints(offers))
        for outside in (int(chosen.min()), int(chosen.max())) if len(chosen) else ():
            self._known(self._offer_node, outside, "an offer")
        least: Ints = self._engine.least_at(self._layout, self._offer_node.values[chosen])
        return least

    def read_pressure(self, pressure: int) -> tuple[int, int, int] | None:
        """Return a pressure as (tier, level, effort), as `solver.read_pressure` does; where there is no hysteresis."""
        if self._hysteresis:
            raise BadProblem("with hysteresis a pressure is read with its problem: use `solver.read_pressure`")
        return read_worth(pressure, self.worth, self._levels, 0)

    def proof(self) -> tuple[Ints, Ints, Ints]:
        """Return pressures of offers (M,), needs (N,) and claims (K,) that prove the flow optimal, mostly not the least that do. O(nodes).

        From one call to the next they move only where the searches between them went.
        """
        self.finish()
        offers, needs, claims = (np.empty(nodes.count, dtype=np.int64) for nodes in (self._offer_node, self._need_node, self._claim_node))
        self._kernel.prove(self._layout.net, self._nodes_known(), offers, needs, claims)
        return offers, needs, claims

    def compare(self, before: "Comparison | None", said_offers: NDArray[np.bool_], said_needs: NDArray[np.bool_]) -> "Comparison":
        """Return the flow and a proof of it, as `proof` has it, and what is another than in the comparison `before`.

        (M,) and (N,): whether anything was said of each offer and need since then, which counts as a change of its own. O(nodes + arcs).
        An arc that got the position of one removed since then is new, unless it has the same ends. Of one that has them, or stayed, another
        effort or limit alone does not count: whoever changes them says so of an end.
        """
        self.finish()
        said = _said(said_offers, self._offer_node.count, "offers"), _said(said_needs, self._need_node.count, "needs")
        now = _empty(self._row.count), _empty(self._offer_node.count), _empty(self._need_node.count), _empty(self._claim_node.count)
        last = (NOTHING, NOTHING, NOTHING, NO_ENDS, NO_ENDS) if before is None else before.compared()
        at_stake, moved = _empty(self._row.count), _empty(self._row.count)
        state = self._layout.net, self._nodes_known(), self._listed(), last, said, now
        staked, count = self._kernel.compare(*state, at_stake, moved)
        return Comparison(*now, at_stake[:staked], moved[:count], self._offer.values.copy(), self._need.values.copy())

    def problem(self, arcs: Ints | None = None) -> Problem:
        """Return the problem as it stands, of all arcs or of those at some positions.

        Arcs that were removed may carry nothing; pins are not part of it.
        """
        self.finish()
        if arcs is None:
            return at_once(self._reading())
        # Some arcs are read in one go, which for few takes a fraction of the time.
        gate, needs = self._layout.net.gate, self._need_node.values
        return unchecked(  # It was, when it came.
            supply=gate[self._offer_node.values, self._kernel.LIMIT],
            demand=self._units_at(needs, self._way.values),
            claim=self._claim.values.copy(),
            tier=self._tier.values.copy(),
            received=gate[self._claim_node.values, self._kernel.SEEN],
            rise=self._rise.values.copy(),
            run=self._run.values.copy(),
            levels=self._levels,
            offer=self._offer.values[arcs].astype(np.int64),
            need=self._need.values[arcs].astype(np.int64),
            effort=self._effort.values[arcs],
            most=self._most.values[arcs],
            minimum=np.zeros(len(arcs), dtype=np.int64),
            kept=self._kept.values[arcs],
            hysteresis=self._hysteresis,
            pack=None,
        )

    def _reading(self) -> Passes[Problem]:
        """Come to the problem as it stands."""
        gate, kernel, needs, ways = self._layout.net.gate, self._kernel, self._need_node.values, self._way.values
        offers, claims = self._offer_node.values, self._claim_node.values
        columns = (self._offer, self._need, self._effort, self._most, self._kept)
        offer, need, effort, most, kept = yield from _copied(*(column.values for column in columns))
        claim, tier, rise, run = yield from _copied(*(column.values for column in (self._claim, self._tier, self._rise, self._run)))
        supply, received, demand = (empty(len(nodes), np.int64) for nodes in (offers, claims, needs))
        yield written(supply, lambda rows: gate[offers[rows], kernel.LIMIT])
        yield written(received, lambda rows: gate[claims[rows], kernel.SEEN])
        yield written(demand, lambda rows: self._units_at(needs[rows], ways[rows]))
        return unchecked(  # It was, when it came.
            supply=supply,
            demand=demand,
            claim=claim,
            tier=tier,
            received=received,
            rise=rise,
            run=run,
            levels=self._levels,
            offer=offer,
            need=need,
            effort=effort,
            most=most,
            minimum=zeros(len(offer), np.int64),
            kept=kept,
            hysteresis=self._hysteresis,
            pack=None,
        )

    def ends(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return (A,) the offer and (A,) the need of each arc, to be read only."""
        self._get_ready()
        return self._offer.values, self._need.values

    def efforts(self) -> Ints:
        """Return (A,) what a unit on each arc takes, to be read only."""
        self._get_ready()
        return self._effort.values

    def copy(self) -> "Field":
        """Return a field of its own in the same state: what is tried there changes nothing here. O(nodes + arcs)."""
        self._get_ready()
        if self._later is not None:
            self.finish()
        other = copy(self)
        other._layout = self._layout.copy()
        columns = [name for name, value in vars(self).items() if isinstance(value, _Column)]
        for name in ("_free_arcs", "_leaving", "_clipped", "_event", *columns):
            setattr(other, name, getattr(self, name).copy())
        return other

    # --- what happens to offers, needs and claims ---

    def offer_changes(self, offer: int, units: int) -> None:
        """Let an offer have so many units more, or fewer below 0."""
        self.finish()
        node = self._known(self._offer_node, offer, "an offer")
        before = int(self._layout.net.gate[node, self._kernel.LIMIT])
        supply = _no_less(before + _whole(units, f"offer {offer} changes by"), 0, f"offer {offer} would have")
        self._fit(offered=supply - before)
        self._happen(0, node, -1, supply)

    def need_changes(self, need: int, units: int) -> None:
        """Let a need ask for so many units more, or fewer below 0."""
        self.finish()
        node = self._known(self._need_node, need, "a need")
        before = self._demand(need)
        demand = _no_less(before + _whole(units, f"need {need} changes by"), 0, f"need {need} would ask for")
        self._fit(asked=demand - before)
        self._happen(1, node, self._way.at(need), demand)

    def take_in(self, at_offer: ArrayLike, position: ArrayLike, units: ArrayLike) -> int:
        """Return how many of many events were taken in, in their order: each offer then has, or need asks for, so many units in all.

        (E,) each: whether it is an offer, its position, its units. All of them are taken in, unless a ``budget`` is used up
        before: then the rest is to come again. What many calls would do, without the time that calls take.
        """
        self.finish()
        offers = np.atleast_1d(np.asarray(at_offer, dtype=bool))
        positions, amounts = (np.atleast_1d(ints(values)) for values in (position, units))
        if not len(offers) == len(positions) == len(amounts):
            raise BadProblem(f"{len(offers)} sides, {len(positions)} positions and {len(amounts)} units: give each event one of each")
        for ours, known, what in ((offers, self._offer_node, "an offer"), (~offers, self._need_node, "a need")):
            for outside in {int(pick(positions[ours])) for pick in (np.min, np.max) if ours.any()}:
                self._known(known, outside, what)
        _no_less(int(amounts.min(initial=0)), 0, "the least units of events would be")
        asked, offered = int(amounts[~offers].astype(object).sum()), int(amounts[offers].astype(object).sum())
        self._fit(offered=offered, asked=asked)  # At most so many at any time.
        if self._pins:
            self._fit(offered=-offered, asked=-asked)
            return self._take_in_singly(offers, positions, amounts)
        node = np.empty_like(positions)
        way = np.full_like(positions, -1)
        node[offers] = self._offer_node.values[positions[offers]]
        node[~offers] = self._need_node.values[positions[~offers]]
        way[~offers] = self._way.values[positions[~offers]]
        before = self._units_at(node, way)
        done, how = self._engine.happen(self._layout, node, way, amounts, self._visits)
        self._heed(how, self._visits)
        more = self._units_at(node, way) - before
        _, first = np.unique(node, return_index=True)  # A node may come several times.
        self._offered += int(more[first][offers[first]].sum()) - offered
        self._asked += int(more[first][~offers[first]].sum()) - asked
        return int(done)

    def _take_in_singly(self, offers: NDArray[np.bool_], positions: Ints, amounts: Ints) -> int:
        for done, (at_offer, position, units) in enumerate(zip(offers.tolist(), positions.tolist(), amounts.tolist(), strict=True)):
            if not self.at_rest:
                return done
            if at_offer:
                node = int(self._offer_node.values[position])
                self.offer_changes(position, units - int(self._layout.net.gate[node, self._kernel.LIMIT]))
            else:
                self.need_changes(position, units - self._demand(position))
        return len(positions)

    def claim_received(self, claim: int, received: int) -> None:
        """Let a claim have received so many units lately; its further units are worth less the more it had."""
        self.finish()
        node = self._known(self._claim_node, claim, "a claim")
        received = _no_less(received, 0, f"claim {claim} would have received")
        self._fit(received=received)
        self._layout.net.gate[node, self._kernel.SEEN] = received
        self._kernel.regate(self._layout.net, node)
        self._settle()

    def restep(self, claims: ArrayLike, rises: ArrayLike, runs: ArrayLike) -> None:
        """Give each of the ``claims`` (C,), none of them twice, the staircase of ``rises`` (C,) levels in ``runs`` (C,) units.

        One call for all: what one claim gives back goes straight to those that now want more.
        """
        self.finish()
        chosen, rise, run = (np.atleast_1d(ints(values)) for values in (claims, rises, runs))
        if not len(chosen) == len(rise) == len(run):
            raise BadProblem(f"{len(chosen)} claims, {len(rise)} rises and {len(run)} runs: give each claim one of both")
        if not len(chosen):
            return
        for outside in (int(chosen.min()), int(chosen.max())):
            self._known(self._claim_node, outside, "a claim")
        if len(np.unique(chosen)) < len(chosen):
            raise BadProblem("a claim came twice: give each claim one staircase")
        if int(rise.min()) < 0 or int(run.min()) < 1:
            raise BadProblem(f"least rise {rise.min()}, least run {run.min()}: at least 0 and 1 are expected")
        self._fit(rise=int(rise.max()), run=int(run.max()))
        self._rise.values[chosen], self._run.values[chosen] = rise, run
        self._kernel.restep(self._layout.net, self._claim_node.values[chosen], rise, run)
        self._settle()

    def add_offer(self, supply: int, needs: Sequence[int] = (), efforts: Sequence[int] = (), most: Sequence[int] | None = None) -> int:
        """Return the position of a new offer, with arcs to the needs it can reach."""
        self.finish()
        supply, needs = _no_less(supply, 0, "the new offer would have"), list(needs)
        for need in needs:
            self._known(self._need_node, need, "a need")
        efforts, limits = _arcs(len(needs), efforts, most)
        offer = self._offer_node.count

        def come() -> None:
            node = self._engine.new_node(self._layout, self._kernel.OFFER)
            self._offer_node.add(node)
            for arc in zip(needs, efforts, limits, strict=True):
                self._attach(offer, *arc)
            self._layout.net.gate[node, self._kernel.LIMIT] = supply
            self._layout.net.gate[node, self._kernel.UNITS] = supply
            self._kernel.press_offer(self._layout.net, node)

        coming = _Coming(offers=1, arcs=len(needs))
        self._let(come, lambda: (_to_come(len(needs)), self._nodes(self._need_node, needs)), coming, efforts=efforts, offered=supply)
        return offer

    def add_claim(self, tier: int, rise: int, run: int, received: int = 0) -> int:
        """Return the position of a new claim, without needs."""
        self.finish()
        tier, rise, run, received = (_whole(value, "the new claim would have") for value in (tier, rise, run, received))
        _check_claim(tier, rise, run, received)
        claim = self._claim_node.count

        def come() -> None:
            node = self._engine.new_node(self._layout, self._kernel.CLAIM)
            self._kernel.fill_claim(self._layout.net, node, self._first_worth(tier), received, rise, run)
            for column, value in ((self._tier, tier), (self._rise, rise), (self._run, run), (self._sole, -1), (self._claim_node, node)):
                column.add(value)

        self._let(come, coming=_Coming(claims=1), received=received, rise=rise, run=run)
        return claim

    def add_need(
        self, claim: int, demand: int, offers: Sequence[int] = (), efforts: Sequence[int] = (), most: Sequence[int] | None = None
    ) -> int:
        """Return the position of a new need of a claim, with arcs from the offers that can reach it."""
        self.finish()
        self._known(self._claim_node, claim, "a claim")
        demand, offers = _no_less(demand, 0, "the new need would ask for"), list(offers)
        for offer in offers:
            self._known(self._offer_node, offer, "an offer")
        efforts, limits = _arcs(len(offers), efforts, most)
        need = self._need_node.count

        def ends() -> tuple[Ints, Ints]:
            """Beside the arcs to the need: its own to its claim, and that of the need it may have shared the claim's node with."""
            claim_node = [int(self._claim_node.values[claim]), -1]
            tails = np.append(self._nodes(self._offer_node, offers), _to_come(2))
            return tails, np.append(_to_come(len(offers)), claim_node)

        def come() -> None:
            self._part(claim)
            node = self._engine.new_node(self._layout, self._kernel.NEED)
            way = self._engine.new_arc(self._layout, node, int(self._claim_node.values[claim]), 0, 0)
            for column, value in ((self._need_node, node), (self._way, way), (self._claim, claim)):
                column.add(value)
            for offer, effort, limit in zip(offers, efforts, limits, strict=True):
                self._attach(offer, need, effort, limit)
            self._asking = np.full(1, node), np.full(1, way), np.full(1, demand)

        self._let(come, ends, _Coming(needs=1, arcs=len(offers)), efforts=efforts, asked=demand)
        return need

    def admit(self, claims: Ints, needs: Ints, offers: Ints) -> None:
        """Let claims (C, 4), needs (D, 2) and offers (E,) come, without arcs: as by `add_claim`, `add_need` and `add_offer`, in that order.

        Told are a claim's tier, rise, run and what it received; a need's claim, which may come with it, and what it asks for; what an offer
        has. They get the next positions. One call for all of them, without the time that many calls take. All are checked before any comes.
        """
        self.finish()
        claims, needs = _rows_of("claims", claims, ("tier", "rise", "run", "received")), _rows_of("needs", needs, ("claim", "units"))
        offers = entries_of("offers", offers, least=0)
        after = self._check_coming(claims, needs, offers)
        if self._admit_at_once(claims, needs, offers, after):
            return
        for tier, rise, run, received in claims.tolist():
            self.add_claim(tier, rise, run, received)
        for claim, demand in needs.tolist():
            self.add_need(claim, demand)
        for supply in offers.tolist():
            self.add_offer(supply)

    def _check_coming(self, claims: Ints, needs: Ints, offers: Ints) -> tuple[int, int, int, int]:
        """Refuse what may not come, all of it or a part; return what `_fit` counts once it is there."""
        told = claims.tolist()  # Few, so that lists are looked through sooner.
        received, rise, run = 0, 0, 1
        for claim in told:
            _check_claim(*claim)
            received, rise, run = max(received, claim[3]), max(rise, claim[1]), max(run, claim[2])
        claim, asked = needs.T.copy()
        positions_of("the claims of needs", claim, self._claim_node.count + len(told), "a claim")
        asked = entries_of("what needs ask for", asked, least=0)
        after = self._counted(offered=sum(offers.tolist()), asked=sum(asked.tolist()), received=received, rise=rise, run=run)
        self._check_growth(len(claims), len(needs), len(offers))
        return after

    def _check_growth(self, claims: int, needs: int, offers: int) -> None:
        """Refuse so many claims, needs and offers that come one by one, where a step could not weigh enough by the last of them."""
        if not claims + needs + offers:
            return
        first = min(self._offer_node.count, self._need_node.count)
        before_last = offers - (offers > 0), needs - (needs > 0 and not offers)
        last = min(self._offer_node.count + before_last[0], self._need_node.count + before_last[1])
        ends = self._scale.ends
        while max(ends, first) <= last:  # All is built anew, as `_let` says; in between there are ends of every number.
            reached = max(ends, first)
            ends = self._scale_for(reached, reached, int(self._effort.values.max(initial=0))).ends

    def _admit_at_once(self, claims: Ints, needs: Ints, supply: Ints, after: tuple[int, int, int, int]) -> bool:
        """Let all come in one go, where there is room for it and nothing has to be built anew; `after` is what `_fit` counts then."""
        counts = self._offer_node.count, self._need_node.count, self._claim_node.count
        if self.budget is not None or self._layout.free_rows:
            return False
        if min(counts[0] + len(supply), counts[1] + len(needs)) >= self._scale.ends:
            return False
        of_claims, of_needs = (self._tier, self._rise, self._run, self._sole, self._claim_node), (self._need_node, self._way, self._claim)
        coming = (*((column, len(claims)) for column in of_claims), *((column, len(needs)) for column in of_needs))
        coming = (*coming, (self._offer_node, len(supply)))
        if not all(column.holds(more) for column, more in coming):
            return False
        (tier, rise, run, received), (claim, demand) = claims.T.copy(), needs.T.copy()
        told = needs.tolist()  # Few, so that lists are looked through sooner.
        if any(units > MOST_UNITS for _, units in told):
            return False
        layout, event = self._layout, np.empty((3, len(told)), dtype=np.int64)
        nodes = sorted(self._claim_node.at(known) for known, _ in told if known < counts[2])
        come = self._first_worth(tier), received, rise, run, claim, demand, supply, tuple(event), np.array(nodes, dtype=np.int64)
        done, how = self._kernel.admit(layout.net, self._nodes_known(), (*counts, layout.nodes, layout.arcs), *come)
        if done < 0:
            return False
        layout.nodes += len(claims) + len(needs) + len(supply)
        layout.arcs += len(needs)
        if len(claims):
            for column, values in zip(of_claims, (tier, rise, run), strict=False):
                column.rows[column.count : column.count + len(values)] = values
        for column, more in coming:
            column.count += more
        self._offered, self._asked, self._most_received, self._steepest = after
        if how != self._kernel.AT_REST:
            self._asking = event[0][done:], event[1][done:], event[2][done:]
            self._settle()
        return True

    # --- what happens to arcs ---

    def add_arc(self, offer: int, need: int, effort: int, most: int | None = None) -> int:
        """Return the position of a new arc; it may carry ``most`` units, without a limit if None."""
        self.finish()
        self._known(self._offer_node, offer, "an offer")
        self._known(self._need_node, need, "a need")
        efforts, limits = _arcs(1, [effort], None if most is None else [most])
        (arc,) = self._next_arcs(1)

        def come() -> None:
            self._attach(offer, need, *efforts, *limits)
            self._adjust(arc)

        self._let(come, lambda: self._ends_of([offer], [need]), _Coming(arcs=1), efforts=efforts)
        return arc

    def add_arcs(
        self,
        offers: Sequence[int] | Ints,
        needs: Sequence[int] | Ints,
        efforts: Sequence[int] | Ints,
        most: Sequence[int] | Ints | None = None,
    ) -> list[int]:
        """Return the positions of many new arcs, settled once for all of them. Told in arrays, they cost the least."""
        self.finish()
        first = self._row.count
        if self._join_at_once(offers, needs, efforts, most):
            return list(range(first, self._row.count))
        offers, needs = list(offers), list(needs)
        efforts, limits = _arcs(len(offers), list(efforts), None if most is None else list(most))
        if len(needs) != len(offers):
            raise BadProblem(f"{len(offers)} offers and {len(needs)} needs: give each arc one of both")
        for offer, need in zip(offers, needs, strict=True):
            self._known(self._offer_node, offer, "an offer")
            self._known(self._need_node, need, "a need")
        arcs = self._next_arcs(len(offers))

        def come() -> None:
            tails, heads = self._ends_of(offers, needs)
            supply = self._layout.net.gate[tails, self._kernel.LIMIT]
            demand = self._units_at(heads, self._nodes(self._way, needs))
            told = np.array(efforts, dtype=np.int64), np.array(limits, dtype=np.int64)
            rows = self._engine.new_arcs(self._layout, tails, heads, *told, np.minimum(supply, demand)).tolist()
            for arc in zip(offers, needs, efforts, limits, rows, strict=True):
                self._note_arc(*arc)
            self._clipped += zip(rows, limits, strict=True)

        self._let(come, lambda: self._ends_of(offers, needs), _Coming(arcs=len(offers)), efforts=efforts)
        return arcs

    def _join_at_once(self, offers: Any, needs: Any, efforts: Any, most: Any) -> bool:
        """Let all arcs come in one go, if they are told in arrays and nothing forbids it: then there is room, and all of it makes sense."""
        told = (offers, needs, efforts, most)
        if not len(offers) or not all(
            type(values) is np.ndarray and values.dtype is WHOLE and values.shape == (len(offers),) and values.flags.c_contiguous
            for values in told
        ):
            return False
        layout, columns = self._layout, (self._row, self._twin, self._offer, self._need, self._effort, self._most, self._kept)
        if self.budget is not None or self._free_arcs or layout.free_rows or not all(column.holds(len(offers)) for column in columns):
            return False
        offer, need, effort, limit = (values.copy() if not values.flags.writeable else values for values in told)  # as it was compiled for
        ends, lists = (self._offer_node.count, self._need_node.count), [values.tolist() for values in told]
        if min(map(min, lists)) < 0 or max(lists[0]) >= ends[0] or max(lists[1]) >= ends[1]:
            return False
        if max(lists[2]) > self._scale.farthest or min(ends) >= self._scale.ends:  # All has to be built anew.
            return False
        counts = layout.nodes, layout.arcs, self._row.count
        ends_of = np.sort(self._offer_node.values[offer]), np.sort(self._need_node.values[need])
        how = self._kernel.join_all(layout.net, self._nodes_known(), self._listed(), counts, offer, need, effort, limit, *ends_of)
        if how < 0:
            return False
        if how != self._kernel.AT_REST:
            self._clipped += zip(range(layout.arcs, layout.arcs + len(offer)), lists[3], strict=True)
        layout.arcs += len(offer)
        for column in columns:
            column.count += len(offer)
        if how != self._kernel.AT_REST:
            self._settle()
        return True

    def _listed(self) -> Any:
        """Return what is known of arcs, for the kernel."""
        columns = (self._row, self._twin, self._offer, self._need, self._effort, self._most, self._kept)
        return self._kernel.Listed(*(column.rows for column in columns))

    def _nodes_known(self) -> Any:
        """Return where everything is, for the kernel."""
        columns = (self._offer_node, self._need_node, self._way, self._claim, self._claim_node, self._sole)
        return self._kernel.Nodes(*(column.rows for column in columns))

    def remove_arc(self, arc: int) -> None:
        """Take an arc away, pinned units and all. Its position is given to the next new arc."""
        self.finish()
        self._known(self._row, arc, "an arc")
        self._most.values[arc] = self._kept.values[arc] = 0
        self._put(arc, flow_pinned=0)
        self._adjust(arc)
        self._leaving.append(arc)  # Only an arc that carries nothing can be taken out.
        self._settle()

    def change_effort(self, arc: int, effort: int) -> None:
        """Give an arc another effort."""
        self.finish()
        self._known(self._row, arc, "an arc")
        effort = _no_less(effort, 0, f"arc {arc} would take the effort")

        def come() -> None:
            self._effort.values[arc] = effort
            self._adjust(arc)

        self._let(come, efforts=(effort,))

    def change_most(self, arc: int, most: int) -> None:
        """Let an arc carry at most so many units."""
        self.finish()
        self._known(self._row, arc, "an arc")
        most = _no_less(most, 0, f"arc {arc} would carry at most")

        def come() -> None:
            self._most.values[arc] = most
            self._put(arc, flow_pinned=min(most, self._pinned_on(arc)))
            self._adjust(arc)

        self._let(come, lambda: self._ends_of([self._offer.at(arc)], [self._need.at(arc)]))

    def keep(self, arc: int, units: int) -> None:
        """Count the first units of an arc as proposed: moving them must gain more than the hysteresis in levels."""
        self.finish()
        self._known(self._row, arc, "an arc")
        units = _no_less(units, 0, f"arc {arc} would keep")
        if not self._hysteresis:
            raise BadProblem("the problem has no hysteresis, so nothing is kept: give it one")

        def come() -> None:
            self._kept.values[arc] = units
            self._put(arc, flow_pinned=self._pinned_on(arc))
            self._adjust(arc)

        self._let(come, lambda: self._ends_of([self._offer.at(arc)], [self._need.at(arc)]))

    def pin(self, arc: int, units: int) -> None:
        """Pin so many of the units an arc carries, instead of what was pinned before; 0 lets all go."""
        self.finish()
        self._known(self._row, arc, "an arc")
        units = _whole(units, f"on arc {arc} would be pinned")
        flow = self._flow_on(arc)
        if not 0 <= units <= flow:
            raise BadProblem(f"{units} units to pin on arc {arc}, which carries {flow}: pin what is there")
        self._pins = self._pins or units > 0
        self._put(arc, flow_pinned=units)
        self._adjust(arc)
        self._settle()

    # --- going on ---

    def go_on(self, budget: int | None = None) -> bool:
        """Go on with what is not settled yet, about ``budget`` visits of nodes long; return whether it is at rest."""
        visits = UNBOUNDED if budget is None else min(steps_of(budget), UNBOUNDED)
        if self._before is not None:
            visits = self._first(self._before, visits)
            if self._before is not None:
                return False
        done, how = self._engine.happen(self._layout, *self._asking, visits)
        node, way, units = self._asking
        self._asking = (node[done:], way[done:], units[done:]) if done < len(node) else (NOTHING, NOTHING, NOTHING)
        return self._heed(how, visits)

    def finish(self) -> None:
        """Go on until all is settled."""
        if not self.at_rest or self._clipped or self._leaving:
            self.go_on()

    # --- inside ---

    @property
    def _visits(self) -> int:
        return UNBOUNDED if self.budget is None else min(self.budget, UNBOUNDED)

    def _settle(self) -> None:
        self.go_on(self.budget)

    def _get_ready(self) -> None:
        """Do what comes before the search goes on, as laying out."""
        if self._before is not None:
            self._first(self._before, UNBOUNDED)

    def _first(self, before: InTurns[None], visits: int) -> int:
        """Go on with what comes before the search, and return how many visits are left."""
        try:
            left = before.go_on(visits)
        except BaseException:
            if self._to_drop:
                self._before = self._later = None
            raise
        if before.done:
            self._before = None
        return left

    def _let(
        self,
        come: Callable[[], None],
        ends: Callable[[], tuple[Ints, Ints]] = lambda: (NOTHING, NOTHING),
        coming: "_Coming | None" = None,
        *,
        efforts: Sequence[int] = (),
        **units: int,
    ) -> None:
        """Let something come, once there is room for it, and for the engine's arcs between the nodes at the ``ends``; and settle.

        All is built anew before where the worth of a step may no longer outweigh every chain of exchanges. ``units`` that come are
        counted as `_fit` does, when it comes.
        """
        offers, needs, farthest, scale = self._offer_node.count, self._need_node.count, max(efforts, default=0), None
        if farthest > self._scale.farthest or min(offers, needs) + 1 > self._scale.ends:
            scale = self._scale_for(offers, needs, max(farthest, int(self._effort.values.max(initial=0))))
        counts = self._counted(**units)
        self._before, self._to_drop = InTurns(self._coming(come, ends, coming or _Coming(), counts)), True
        if scale is not None:
            self._before, self._later = InTurns(self._building_anew(scale)), self._before
        self._settle()

    def _coming(
        self, come: Callable[[], None], ends: Callable[[], tuple[Ints, Ints]], coming: "_Coming", counts: tuple[int, int, int, int]
    ) -> Passes[None]:
        """Make room for what is to come."""
        nodes = coming.offers + coming.claims + 2 * coming.needs  # Beside a need, its claim may get a node of its own.
        yield from self._engine.making_room(self._layout, nodes, *ends())
        columns: list[tuple[int, tuple[_Column[Any], ...]]] = [
            (coming.offers, (self._offer_node,)),
            (coming.claims, (self._claim_node, self._tier, self._rise, self._run, self._sole)),
            (coming.needs, (self._need_node, self._way, self._claim)),
            (
                max(0, coming.arcs - len(self._free_arcs)),
                (self._row, self._twin, self._offer, self._need, self._effort, self._most, self._kept),
            ),
        ]
        for more, some in columns:
            for column in some if more else ():
                yield from column.making_room(more)
        self._to_drop = False
        self._offered, self._asked, self._most_received, self._steepest = counts
        come()

    def _building_anew(self, scale: "_Scale") -> Passes[None]:
        """Build all anew from how it stands, at another worth of a step."""
        problem = yield from self._reading()
        pinned = empty(len(problem.offer), np.int64) if self._pins else None
        if pinned is not None:
            yield written(pinned, partial(self._summed, self._kernel.PINNED))
        before = [*self._layout.net, *(column._rows for column in vars(self).values() if isinstance(column, _Column))]
        before += [] if pinned is None else [pinned]
        before += [each for each in map(partial(getattr, problem), Problem.__slots__) if isinstance(each, np.ndarray)]
        yield from self._laying_out(problem, pinned, scale)
        del problem, pinned
        yield from let_go(before)

    def _first_worth(self, tier: Any) -> Any:
        """Return what a unit on the first level is worth to a claim of a tier, or to claims of tiers (C,)."""
        margin = self._scale.margin
        return self._scale.worth * ((self._levels + 2 * margin) * (3 - tier) + margin + self._levels)

    def _scale_for(self, offers: int, needs: int, farthest: int) -> "_Scale":
        """Return what a step of urgency is to weigh for so many ends and efforts up to the farthest, with headroom. Raises `TooLarge`."""
        farthest = HEADROOM * farthest + 1
        ends = HEADROOM * min(offers, needs) + 16
        scale = _Scale(worth=2 * farthest * ends + 1, margin=self._hysteresis * ends, farthest=farthest, ends=ends)
        self._engine.check_worth(scale.worth, self._levels, scale.margin, self._hysteresis)
        return scale

    def _happen(self, side: int, node: int, way: int, units: int) -> None:
        """Let one offer (side 0) have, or one need (1) ask for, so many units in all."""
        surplus = int(self._kernel.pinned_at(self._layout.net, node, side)) - units if self._pins else 0
        if surplus > 0:
            self._before, self._to_drop = InTurns(self._letting_go(side, node, way, units, surplus)), False
            self._settle()
            return
        self._event[:, 0] = node, way, units
        done, how = self._engine.happen(self._layout, *self._event, self._visits)
        if not done:  # The budget was used up before.
            node_of, way_of, units_of = self._event.copy()
            self._asking = node_of, way_of, units_of
        self._heed(how, self._visits)

    def _heed(self, how: int, visits: int) -> bool:
        """Go on from what a search of so many visits ended with, and return whether all is settled."""
        if how == self._kernel.STUCK:
            raise EngineFault("units have nowhere to go although nothing pinned holds them: keep the problem and report it")
        if how == self._kernel.TIGHT:
            self._before, self._to_drop = InTurns(self._engine.widening(self._layout)), True
        if how != self._kernel.AT_REST:
            return False
        if self._clipped:
            rows, limits = np.array(self._clipped, dtype=np.int64).T.copy()
            self._kernel.unclip_all(self._layout.net, rows, limits)
            self._clipped.clear()
        while self._leaving:
            self._take_out(self._leaving.pop())
        if self._later is None:
            return True
        self._before, self._later = self._later, None
        return visits >= self._kernel.FAR and self.go_on()  # What the search left of a budget is not told.

    def _take_out(self, arc: int) -> None:
        """Take an arc out that carries nothing."""
        for column in (self._row, self._twin):
            if column.values[arc] >= 0:
                self._engine.drop_arc(self._layout, int(column.values[arc]))
            column.values[arc] = -1
        self._free_arcs.append(arc)

    def _fit(self, **units: int) -> None:
        """Count units that come or go, once products with them are known to fit into 64 bits."""
        self._offered, self._asked, self._most_received, self._steepest = self._counted(**units)

    def _counted(self, *, offered: int = 0, asked: int = 0, received: int = 0, rise: int = 0, run: int = 1) -> tuple[int, int, int, int]:
        """Return what `_fit` counts, with units that come or go."""
        received, rise = max(received, self._most_received), max(rise, self._steepest)
        offered, asked = offered + self._offered, asked + self._asked
        if (received + asked + 1) * max(rise, 1) > LARGEST or self._levels * run > LARGEST or offered > MOST_UNITS:
            told = f"{offered} units offered, {asked} asked for, {received} received, staircases of {rise} levels in {run} units"
            raise TooLarge(f"{told}: that does not fit into 64 bits; count in larger packs or make rise / run coarser")
        return offered, asked, received, rise

    def _units_at(self, node: Ints, way: Ints) -> Ints:
        """Return what each offer has, or need asks for; ``way`` is the arc from a need to its claim, -1 where it has none."""
        net = self._layout.net
        units: Ints = np.where(way < 0, net.gate[node, self._kernel.LIMIT], net.arc[way, self._kernel.MOST])
        return units

    def _known(self, column: "_Column[np.int64] | _Column[np.int32]", position: int, what: str) -> int:
        position = _whole(position, f"the position of {what} is")
        row = column.at(position) if 0 <= position < column.count else -1
        if row < 0:
            raise BadProblem(f"{position} came where {what} was expected, one of {column.count} counted from 0")
        return row

    def _demand(self, need: int) -> int:
        net, way = self._layout.net, self._way.at(need)
        return int(net.gate[self._need_node.at(need), self._kernel.LIMIT] if way < 0 else net.arc[way, self._kernel.MOST])

    def _summed(self, column: int, arcs: slice | Ints = slice(None)) -> Ints:
        """Return what a column of the engine's tells of arcs, added up over the two parts of each."""
        rows, twin = self._layout.net.arc[:, column], self._twin.values[arcs]
        total: Ints = np.where(self._row.values[arcs] >= 0, rows[self._row.values[arcs]], 0)
        held = np.flatnonzero(twin >= 0)
        total[held] += rows[twin[held]]
        return total

    def _nodes(self, nodes: "_Column[np.int64]", positions: Sequence[int]) -> Ints:
        """Return the nodes of some positions."""
        chosen: Ints = nodes.values[np.array(positions, dtype=np.int64)]
        return chosen

    def _ends_of(self, offers: Sequence[int], needs: Sequence[int]) -> tuple[Ints, Ints]:
        return self._nodes(self._offer_node, offers), self._nodes(self._need_node, needs)

    def _rows(self, arc: int) -> list[int]:
        return [int(row) for row in (self._row.values[arc], self._twin.values[arc]) if row >= 0]

    def _flow_on(self, arc: int) -> int:
        return sum(int(self._layout.net.arc[row, self._kernel.FLOW]) for row in self._rows(arc))

    def _pinned_on(self, arc: int) -> int:
        return sum(int(self._layout.net.arc[row, self._kernel.PINNED]) for row in self._rows(arc))

    def _put(self, arc: int, flow_pinned: int) -> None:
        """Share the units of an arc out between its kept part and the rest; `_adjust` has to follow before anything is settled."""
        flow, kept = self._flow_on(arc), int(self._kept.values[arc])
        net, row = self._layout.net, int(self._row.values[arc])
        if self._hysteresis and min(kept, int(self._most.values[arc])) and self._twin.values[arc] < 0:
            ends = int(self._offer_node.values[self._offer.values[arc]]), int(self._need_node.values[self._need.values[arc]])
            self._twin.values[arc] = self._engine.new_arc(self._layout, *ends, 0, 0)
        held = min(flow, kept) if self._twin.values[arc] >= 0 else 0
        held_pinned = min(flow_pinned, held)
        if self._twin.values[arc] >= 0:
            self._kernel.put_arc(net, int(self._twin.values[arc]), held, max(held, kept), held_pinned)
        self._kernel.put_arc(net, row, flow - held, max(flow - held, int(self._most.values[arc])), flow_pinned - held_pinned)

    def _adjust(self, arc: int) -> None:
        """Bring an arc in line with its effort, limit and kept part; it has to be settled."""
        most, effort = int(self._most.values[arc]), int(self._effort.values[arc])
        kept = min(int(self._kept.values[arc]), most) if self._hysteresis else 0
        supply = int(self._layout.net.gate[self._offer_node.values[self._offer.values[arc]], self._kernel.LIMIT])
        useful = min(supply, self._demand(int(self._need.values[arc])))
        parts = [
            (int(self._twin.values[arc]), kept, effort - self._hysteresis * self._scale.worth),
            (int(self._row.values[arc]), most - kept, effort),
        ]
        for row, limit, cost in parts:
            if row >= 0:
                pinned = min(int(self._layout.net.arc[row, self._kernel.PINNED]), limit)
                self._kernel.slacken(self._layout.net, row, cost, limit, pinned, useful)
                if self._layout.net.arc[row, self._kernel.MOST] != limit:
                    self._clipped.append((row, limit))

    def _attach(self, offer: int, need: int, effort: int, most: int) -> int:
        tail, head = int(self._offer_node.values[offer]), int(self._need_node.values[need])
        return self._note_arc(offer, need, effort, most, self._engine.new_arc(self._layout, tail, head, effort, most))

    def _note_arc(self, offer: int, need: int, effort: int, most: int, row: int) -> int:
        """Return the position of an arc of the engine."""
        if self._free_arcs:
            arc = self._free_arcs.pop()
        else:
            arc = self._row.add(-1)
            for column in (self._offer, self._need, self._effort, self._most, self._kept, self._twin):
                column.add(-1)
        self._row.values[arc], self._twin.values[arc] = row, -1
        self._offer.values[arc], self._need.values[arc] = offer, need
        self._effort.values[arc], self._most.values[arc], self._kept.values[arc] = effort, most, 0
        return arc

    def _part(self, claim: int) -> None:
        """Give a claim a node of its own if it shares that of its only need."""
        need = int(self._sole.values[claim])
        if need >= 0:
            own, way = self._engine.part_claim(self._layout, int(self._need_node.values[need]))
            self._claim_node.values[claim], self._way.values[need], self._sole.values[claim] = own, way, -1

    def _letting_go(self, side: int, node: int, way: int, units: int, surplus: int) -> Passes[None]:
        """Let a surplus of pinned units go at a node, those on the arc of the highest position first, and the event come then."""
        column, nodes = (self._offer, self._offer_node) if side == 0 else (self._need, self._need_node)
        holding: list[Ints] = []  # arcs of the node with pinned units, some together, in ascending order

        def look(arcs: slice) -> None:
            here = arcs.start + np.flatnonzero(nodes.values[column.values[arcs]] == node)
            holding.append(here[self._summed(self._kernel.PINNED, here) > 0])

        yield by_rows(self._effort.values, look)
        for arc in (int(arc) for arcs in reversed(holding) for arc in arcs[::-1]):
            pinned = self._pinned_on(arc)
            self._put(arc, flow_pinned=max(0, pinned - surplus))
            self._adjust(arc)
            surplus -= pinned
            yield counted(STEPS_OF_PINS)
            if surplus <= 0:
                break
        self._asking = np.full(1, node), np.full(1, way), np.full(1, units)

    def _next_arcs(self, count: int) -> list[int]:
        """Return the positions that so many new arcs will have."""
        fresh = max(0, count - len(self._free_arcs))
        return [*self._free_arcs[: -count - 1 : -1], *range(self._row.count, self._row.count + fresh)]


class Comparison(NamedTuple):
    """A flow with its proof, and what of it is another than it was."""

    flow: Ints  # (A,)
    offers: Ints  # (M,) pressures
    needs: Ints  # (N,)
    claims: Ints  # (K,)
    at_stake: Ints  # arcs that carry something, and those of which the proof may be another, in order
    moved: Ints  # arcs that carry another number of units, are new, or carry any and have an end of which something was said, in order
    at_offer: NDArray[np.int32]  # (A,) where each arc starts: a position may be given to another arc
    at_need: NDArray[np.int32]  # (A,) and where it ends

    def compared(self) -> tuple[Ints, Ints, Ints, NDArray[np.int32], NDArray[np.int32]]:
        """Return what the next comparison looks at. Raises BadProblem where its arrays are not as `Field.compare` returned them."""
        looked_at = self.flow, self.offers, self.needs, self.at_offer, self.at_need
        kinds = [array.dtype for array in looked_at]
        if kinds != 3 * [NOTHING.dtype] + 2 * [NO_ENDS.dtype] or not len(self.flow) == len(self.at_offer) == len(self.at_need):
            raise BadProblem("the comparison before is not one that `Field.compare` returned: give it as it came, or None")
        return looked_at


def prepare() -> None:
    """Compile all that a field needs, or load it from the cache, so that no event has to wait for it."""
    steps = np.ones(1, dtype=np.int64), np.full(1, 2, dtype=np.int64), 2
    problem = Problem.of([4], [3, 3], [0, 0], [0, 1], [1, 2], claim=[0, 0], staircase=steps, kept=[0, 1], hysteresis=1)
    field = Field(problem, pinned=np.array([1, 0]))
    offer = field.add_offer(2, [0], [3])
    need = field.add_need(field.add_claim(1, 1, 2), 2, [0], [1])
    arc = field.add_arc(offer, need, 1)
    field.add_arcs([offer], [0], [2])
    field.change_effort(arc, 2)
    field.change_most(arc, 1)
    field.keep(arc, 1)
    field.pin(0, int(field.flow()[0]))
    field.offer_changes(0, -4)
    field.need_changes(0, 1)
    field.claim_received(0, 1)
    field.take_in([True, False], [0, 1], [3, 2])
    field.restep([0], [1], [3])
    field.remove_arc(arc)
    field.pressures()
    field.offer_pressures([0])
    _prepare_possible(field)
    roomy = Field(problem)
    ones = np.ones(1, dtype=np.int64)
    for claim in range(1, 5):  # The first make room.
        roomy.admit(np.array([[1, 1, 2, 0]]), np.array([[claim, 1]]), ones)
        roomy.add_arcs(claim * ones, (claim + 1) * ones, ones, ones)
    single = Field(Problem.of([1], [1], [0], [0], [1]))
    flow = single.flow()
    is_proven(single.problem(np.zeros(1, dtype=np.int64)), Allocation(flow, *single.proof(), single.worth, NO_GAP, flow))
    single.add_need(0, 1, [0], [1])


def _prepare_possible(field: Field) -> None:
    possible, ones = PossibleArcs(1, 1, most_late=0), np.ones(1, dtype=np.int64)
    for need in range(SPARE):  # So many that their rows have to move.
        possible.make_room(1, need + 1)
        possible.allow(np.zeros(1, dtype=np.int64), np.full(1, need), ones)
    possible.pairs_of(0 * ones, ones)
    many = np.ones(SPARE, dtype=np.int64)
    side = many, many, many, many, many > 0
    possible.meet(side, side, many, 0 * ones, 0 * ones, ones, (0, 1))
    offers, needs, _ = field.proof()
    before = field.compare(None, offers > 0, needs > 0)
    field.compare(before, offers > 0, needs > 0)
    levels_before(ones, np.zeros(1, dtype=np.int32), 0 * ones, ones, ones, ones, 1)
    possible.gaining(ones, many, ones, many)


class _Column(Generic[Kind]):
    """An array that grows."""

    __slots__ = ("_rows", "count")

    def __init__(self, rows: NDArray[Kind], count: int | None = None) -> None:
        """Begin with the first `count` of these rows, or all of them."""
        self._rows: NDArray[Kind] = rows
        self.count = len(rows) if count is None else count

    def making_room(self, more: int) -> Passes[None]:
        """Return the passes that make space for so many further entries."""
        if self.count + more > len(self._rows):
            rows = empty(2 * (self.count + more) + 16, self._rows.dtype)
            yield written(rows[: self.count], self.values)
            self._rows = rows

    def holds(self, more: int) -> bool:
        """Whether there is space for so many further entries."""
        return self.count + more <= len(self._rows)

    @property
    def rows(self) -> NDArray[Kind]:
        """All entries, those to come among them."""
        return self._rows

    def copy(self) -> "_Column[Kind]":
        return _Column(self.values.copy())

    @property
    def values(self) -> NDArray[Kind]:
        """The entries in use; what is written here stays."""
        return self._rows[: self.count]

    def at(self, position: int) -> int:
        return int(self._rows[position])

    def add(self, value: int) -> int:
        """Return the position of a further entry. `making_room` comes before."""
        self._rows[self.count] = value
        self.count += 1
        return self.count - 1


class _Coming(NamedTuple):
    """How many of what have positions are to come."""

    offers: int = 0
    claims: int = 0
    needs: int = 0
    arcs: int = 0


class _Scale(NamedTuple):
    """What a step of urgency and what is kept weigh, and for which problems that is enough."""

    worth: int  # of a step, in effort
    margin: int  # in urgency
    farthest: int  # effort
    ends: int  # of chains of exchanges: offers or needs, whichever are fewer


def _columns(kind: type[Kind], *arrays: Ints | NDArray[np.int32]) -> Passes[list[_Column[Kind]]]:
    """Come to a column for each array, to begin with the same in it."""
    columns = [_roomy(len(values), kind) for values in arrays]
    for column, values in zip(columns, arrays, strict=True):
        yield written(column.values, values)
    return columns


def _roomy(count: int, kind: type[Kind]) -> _Column[Kind]:
    """Return a column of so many entries that are still to be written, with room for as many more."""
    return _Column(empty(2 * count, kind), count)


def _copied(*arrays: Ints | NDArray[np.int32]) -> Passes[list[Ints]]:
    """Come to arrays of their own, the same in them."""
    copies = [empty(len(values), np.int64) for values in arrays]
    for table, values in zip(copies, arrays, strict=True):
        yield written(table, values)
    return copies


def _empty(count: int) -> Ints:
    return np.empty(count, dtype=np.int64)


def _to_come(count: int) -> Ints:
    """Return so many nodes that are yet to come."""
    return np.full(count, -1)


def _number(column: _Column[np.int32], begin: int, end: int) -> None:
    column.values[begin:end] = np.arange(begin, end)


def _units_of_arcs(pinned: ArrayLike, arcs: int) -> Ints:
    """Return (A,) the units pinned on each arc."""
    units = ints(pinned)
    if units.shape != (arcs,):
        raise BadProblem(f"pinned units came in the shape {units.shape}, but ({arcs},) is expected: give each arc its own")
    return units


def _check_pins(problem: Problem, pinned: Ints) -> Passes[None]:
    """Refuse pins that do not fit onto arcs, offers and needs; none is below 0."""
    at_offer, at_need = zeros(len(problem.supply), np.int64), zeros(len(problem.demand), np.int64)

    def add_up(rows: slice) -> None:
        offer, need, units = problem.offer[rows], problem.need[rows], pinned[rows]
        room = np.minimum(np.minimum(problem.supply[offer], problem.demand[need]), problem.most[rows])
        if (units > room).any():
            arc = int(np.argmax(units > room))
            raise BadProblem(f"{units[arc]} units are pinned on arc {rows.start + arc}, which may carry {room[arc]} at most")
        np.add.at(at_offer, offer, units)
        np.add.at(at_need, need, units)

    yield by_rows(pinned, add_up)
    for what, taken, limits in (("offer", at_offer, problem.supply), ("need", at_need, problem.demand)):
        yield by_rows(taken, partial(_check_taken, what, taken, limits))


def _check_taken(what: str, taken: Ints, limits: Ints, rows: slice) -> None:
    over = np.flatnonzero(taken[rows] > limits[rows])
    if len(over):
        first = rows.start + int(over[0])
        raise BadProblem(f"{taken[first]} units are pinned at {what} {first}, which has {limits[first]}")


def _said(values: ArrayLike, count: int, what: str) -> NDArray[np.bool_]:
    """Return (count,) whether something was said of each offer, or need."""
    said = np.asarray(values)
    if said.dtype != np.bool_ or said.shape != (count,):
        raise BadProblem(f"of {what} came {said.dtype} in the shape {said.shape}, but bool in ({count},) is expected: say it of each")
    return np.ascontiguousarray(said)


def _rows_of(name: str, values: ArrayLike, columns: tuple[str, ...]) -> Ints:
    """Return (rows, columns) int64; nothing at all may come in any shape."""
    table = ints(values)
    if not table.size:
        return table.reshape(0, len(columns))
    if table.ndim != 2 or table.shape[1] != len(columns):
        raise BadProblem(f"{name} came in the shape {table.shape}, but a row of {', '.join(columns)} is expected for each")
    return table


def _check_claim(tier: int, rise: int, run: int, received: int) -> None:
    if not 0 <= tier < TIERS or run < 1 or rise < 0 or received < 0:
        told = f"tier {tier}, rise {rise}, run {run}, received {received}"
        raise BadProblem(f"{told}: tier 0 to {TIERS - 1}, run at least 1, no others below 0")


def _whole(value: int, what: str) -> int:
    try:
        return index(value)
    except TypeError as no:
        raise BadProblem(f"{what} {value!r}: a whole number is expected") from no


def _no_less(value: int, least: int, what: str) -> int:
    number = _whole(value, what)
    if number < least:
        raise BadProblem(f"{what} {number}: at least {least} is expected")
    if number >= 2**63:
        raise TooLarge(f"{what} {number}, which does not fit into 64 bits: count in coarser units")
    return number


def _arcs(count: int, efforts: Sequence[int], most: Sequence[int] | None) -> tuple[list[int], list[int]]:
    """Return the efforts and the limits of so many new arcs."""
    if len(efforts) != count or (most is not None and len(most) != count):
        raise BadProblem(f"{count} arcs came with {len(efforts)} efforts: give each its own, and its limit if any is given")
    limits = [UNBOUNDED] * count if most is None else [_no_less(limit, 0, "a new arc would carry at most") for limit in most]
    return [_no_less(effort, 0, "a new arc would take the effort") for effort in efforts], limits
