"""Plans of making between cycles: what stands in unanswered trees stays where it still holds; the rest of the needs is planned anew.

Walkers plan, led by what linear programs said. Those take seconds, so a driver may have them solved beside (`Guides`): until one has
ended, walkers go by what the last said. Only what is proposed depends on when that was, and proposals are written down. Where they are
solved beside, somebody waits for the cycle: it then plans one round, as far as its work goes, and the next cycle goes on.

Goods on hand are matched first; making is asked for what they leave short. Where a more urgent need stays short while less urgent ones
wait for an answer, all is planned from nothing: waiting in a proposal holds hours as a forecast, not as a promise.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from coordinator.commitments import Book, Deal, State, Terms
from coordinator.errors import Defect
from coordinator.loops import Ring, Stock, is_needed, side_stocks, standing_recipes
from coordinator.network import Network, Stance
from coordinator.orders import RESTING, Tree, trees_of
from coordinator.problems import Part
from coordinator.proportions import Odd, in_proportion
from coordinator.signals import Recipe
from coordinator.workshops import Layout, carried, lay_out, relevant, shared_out, without_time
from solver import EngineFault, TooLarge
from solver.making import ProductionPlan, ProductionProblem, broken_rules, guided, pool_use, walked, worth_of_plan

if TYPE_CHECKING:
    from solver.making.guiding import Guide

__all__ = ["AT_ONCE", "MAKING", "Guides", "Made", "Production", "prepare"]

MAKING = "making", ""  # stands for all of making where several share the planning: one of them does it
MOST_ROUNDS = 4  # of planning again what rested on others' leftovers
# Of walkers in one plan that somebody waits for (`solver.making.walkers.Walkers`), laying out counted: up to a second with checking and
# drawing. A limit in time would be another one on every machine, and each time.
CYCLE_WORK = 1_000_000
LEAST_SHARE = 4  # of that: such a part is for walkers, however much laying out took of it
NO_WORK = 0  # for a bound alone


class Guides(Protocol):
    """Who solves the linear programs that lead walkers."""

    def of(self, problem: ProductionProblem) -> "Guide | None":
        """Return what leads walkers through a problem; None while that is being found, beside whoever asks."""

    def known(self, problem: ProductionProblem) -> "Guide | None":
        """Return the same if it was found already; nothing is begun for it."""

    def awaits(self, problem: ProductionProblem) -> bool:
        """Whether it is being found."""

    def has_news(self) -> bool:
        """Whether one was found since the last plan began."""

    def plan_begins(self) -> None:
        """Note that all that was found so far will be made use of."""


class _AtOnce:
    """Solves while one waits: the same answer each time, as replays and questions need it."""

    def of(self, problem: ProductionProblem) -> "Guide | None":
        """Return the guide."""
        return guided(problem)

    def known(self, _: ProductionProblem) -> "Guide | None":
        """Nothing is kept."""
        return None

    def awaits(self, _: ProductionProblem) -> bool:
        """Nobody ever waits."""
        return False

    def has_news(self) -> bool:
        """Nobody ever asks in vain."""
        return False

    def plan_begins(self) -> None:
        """Nothing is found between plans."""


AT_ONCE = _AtOnce()


def prepare() -> None:
    """Compile all that a plan of making needs, or load it from the cache, so that no cycle has to wait for it."""
    needs, stock = [(1, 1, 2, 0, 1, 1)], [(0, 0, 0, 9), (0, 0, 0, 1), (0, 0, 0, 1)]
    recipe: dict[str, Any] = {"outputs": [[(1, 1)]], "inputs": [[(0, 2)]], "activities": [(0, 0)], "uses": [[(0, 1, 1)]]}
    hours: dict[str, Any] = {"pool_place": [0], "pool_grains": [9]}
    arcs = [(0, 1, 1, 0)]
    problem = ProductionProblem.of(places=2, things=2, buckets=2, **recipe, **hours, stock=stock, arcs=arcs, needs=needs, worth=[99])
    guide = guided(problem)
    _checked(problem, guide)
    walkers = walked(problem, guide)
    walkers.lot_changes(0, 0)  # So that what is left is gathered, as after an event,
    walkers.lot_changes(1, 0)  # and nothing left is enough.
    walkers.need_changes(0, 0)
    walkers.lot_changes(0, 9)
    walkers.need_changes(0, 2)


@dataclass(slots=True)
class Made:
    """The latest plan of making: which trees stay, which are new, and how good it is proven to be."""

    kept: set[str] = field(default_factory=set)  # proposals that stay as they are
    trees: list[Tree] = field(default_factory=list)  # to be proposed
    wanted: list[Stance] = field(default_factory=list)  # needs that some recipe makes
    worth: int = 0  # of the first plan, which holds all needs but those somebody declined a part of
    bound: int = 0
    gap: Fraction = Fraction(0)
    dropped: Counter[str] = field(default_factory=Counter)  # trees that cannot be proposed, by the reason
    left_out: Counter[str] = field(default_factory=Counter)  # of the problem, by the reason
    too_little: set[str] = field(default_factory=set)  # needs of which less is open than their minimum
    cells: int = 0  # that linear programs were solved for, of the first plan; none where only old pressures led
    awaits: bool = False  # nothing leads yet: the linear program is being solved for the first time
    layout: Layout | None = None
    plan: ProductionPlan | None = None
    failed: str | None = None
    cut_short: bool = False  # walkers had done their work before all needs were walked


@dataclass(frozen=True, slots=True)
class Usable:
    """Which of the recipes that stand may be used, and why the others are not."""

    said: int = -1  # as of `Network.recipes_said`
    aside: Mapping[Stock, bool] = field(default_factory=dict)  # of by-products that no recipe takes, whether somebody needs them
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    rings: Sequence[Ring] = ()
    odd: Sequence[Odd] = ()  # out of all proportion


@dataclass(slots=True)
class Production:
    """Holds what making was last planned to be."""

    network: Network
    book: Book
    guides: Guides = AT_ONCE
    latest: Made = field(default_factory=Made)
    usable: Usable = field(default_factory=Usable)
    _last: "tuple[Layout, Guide] | None" = None  # the latest linear program and what it was of
    _awaited: list[tuple[Layout, ProductionProblem]] = field(default_factory=list)  # what is being solved beside, the oldest first
    _goes_on: bool = False  # the last plan left rounds, or needs that it had no work left for, to the next
    _work: int = CYCLE_WORK  # of the next plan that somebody waits for
    _turns: int = 0  # plans that came to anything since anything changed
    _asks: bool = True  # for linear programs
    _stood: set[str] = field(default_factory=set)  # proposals that waited when anything last changed

    @property
    def has_news(self) -> bool:
        """Whether a plan made now would be led better than the last, or go on with it."""
        return (self.guides.has_news() or self._goes_on) and self.is_wanted

    @property
    def is_wanted(self) -> bool:
        """Whether anything can be made at all, or was when it was last planned."""
        return bool(self._standing() or self.latest.trees or self.latest.kept)

    def plan(self, parts: Sequence[Part], log_us: int, *, others_plan: bool = False, anew: bool = True) -> Made:
        """Return the plan of making for what `parts`, the plan of goods and hours, leaves short and free.

        Where others plan a share of the markets, what they propose counts as it stands in the book. Unless `anew`, nothing changed since
        the last plan but what linear programs say and the time: no further ones are solved.
        """
        self.guides.plan_begins()
        self._asks, self._goes_on, self._turns = anew, False, 0 if anew else self._turns
        recipes = self._standing()
        taken = Counter[str]()
        for deal in self.book.deals.values() if others_plan else ():
            if deal.state is State.PROPOSED and not deal.is_tree:
                taken.update({ref: grains for agent in deal.parties for ref, grains in deal.asks_of(agent).items()})
        for part in () if others_plan else parts:
            taken[part.offer.ref] += part.grains
            taken[part.need.ref] += part.grains
        free = {one.ref: left for one in self.network.living() if (left := self._available(one) - taken[one.ref]) > 0}
        waiting = [deal for deal in self.book.deals.values() if deal.state is State.PROPOSED and deal.is_tree]
        kept, rest = self._still_good(waiting, free, recipes)
        by_turns = self.guides is not AT_ONCE
        made = self._planned(recipes, rest, log_us, by_turns=by_turns)
        if anew:
            self._stood = {deal.proposal for deal in kept}
        stood = [deal for deal in kept if deal.proposal in self._stood]  # what this plan's earlier turns made is no less urgent
        if stood and not self._goes_on and self._is_pressing(stood, made, rest):
            kept, made = [], self._planned(recipes, free, log_us, by_turns=by_turns)
            if self._goes_on:  # What still has all it draws on stays until the next plan comes to it.
                kept, _ = self._still_good(waiting, _without(free, made.trees), recipes)
                self._stood = set()
        kept, made.trees = _told_apart(kept, made.trees)
        made.kept = {deal.proposal for deal in kept}
        self.latest = made
        return made

    def has_unsaid(self) -> bool:
        """Whether a tree that was planned last stands nowhere in the book: where several write, what one proposes may come to nothing."""
        known = {deal.terms for deal in self.book.deals.values() if deal.is_tree}
        return any(tree.terms not in known for tree in self.latest.trees)

    def standing(self) -> Mapping[str, Recipe]:
        """Return the recipes that may be used, by ref."""
        return self._standing()

    def tried(self, needs: Sequence[Stance], free: Mapping[str, int], log_us: int, extra: Sequence[Stance] = ()) -> Made:
        """Return what planning these needs would come to, with what is `free` of each signal and of some that nobody said."""
        made = Made()
        recipes, wanted = relevant(self.network, self._standing(), needs)
        at_most: dict[str, int] = {}
        left = dict(free)
        for _ in range(MOST_ROUNDS):
            before, known = len(made.trees), dict(at_most)
            mine = _held(left, at_most)
            self._plan_some(made, recipes, [need for need in wanted if left.get(need.ref)], mine, log_us, at_most, extra, AT_ONCE)
            left = _without(left, made.trees[before:])
            if at_most == known:
                break
        return made

    def troubles(self) -> list[str]:
        """Return, as sentences, which recipes are not used and why nothing was planned."""
        told = list(self.unused().values())
        if self.latest.awaits:
            told.append("nothing was planned to be made yet, because the linear program that leads it is being solved for the first time")
        if self.latest.failed:
            told.append(f"nothing was planned to be made, because {self.latest.failed}")
        return told

    def unused(self) -> dict[str, str]:
        """Return the recipes that stand and are not used, by ref, each with a sentence that says why and what to do."""
        self._standing()
        return {each.ref: each.sentence for each in self.usable.rings} | {each.ref: each.sentence for each in self.usable.odd}

    def _standing(self) -> Mapping[str, Recipe]:
        said = self.network.recipes_said
        stocks = self.usable.aside if self.usable.said == said else side_stocks(self.network)
        aside = {stock: is_needed(self.network, stock) for stock in stocks}
        if self.usable.said != said or self.usable.aside != aside:
            without_rings, rings = standing_recipes(self.network)
            recipes, odd = in_proportion(self.network, without_rings)
            self.usable = Usable(said, aside, recipes, rings, odd)
        return self.usable.recipes

    def _available(self, stance: Stance) -> int:
        return max(0, stance.free_grains - self.book.held_grains(stance))

    # -- what waits for answers -----------------------------------------------------------------------------------------

    def _still_good(
        self, waiting: Sequence[Deal], free: Mapping[str, int], recipes: Mapping[str, Recipe]
    ) -> tuple[list[Deal], dict[str, int]]:
        """Return which unanswered trees still have all they draw on, in the order they were made, and what is free beside them."""
        left = dict(free)
        kept: list[Deal] = []
        for deal in waiting:
            asked = Counter[str]()
            for agent in deal.parties:
                asked.update(deal.asks_of(agent))
            used = {line.into for line in deal.lines if line.into is not None}
            if all(left.get(ref, 0) >= grains for ref, grains in asked.items()) and used <= recipes.keys():
                kept.append(deal)
                for ref, grains in asked.items():
                    left[ref] -= grains
        return kept, left

    def _is_pressing(self, kept: Iterable[Deal], made: Made, free: Mapping[str, int]) -> bool:
        """Whether a need stays short that is more urgent than one whose tree waits, and could have its minimum at all."""
        served = Counter[str]()
        for tree in made.trees:
            for line in tree.lines:
                if line.into is None:
                    served[line.need] += line.grains
        could_have = (need for need in made.wanted if free.get(need.ref, 0) >= max(1, need.minimum_grains))
        short = [self.book.claim_of(need)[2] for need in could_have if free[need.ref] > served[need.ref]]
        stances = self.network.stances
        waiting = [self.book.claim_of(stances[line.need])[2] for deal in kept for line in deal.lines if line.serves]
        return bool(short and waiting) and min(short) < max(waiting)

    # -- one plan -------------------------------------------------------------------------------------------------------

    def _planned(self, recipes: Mapping[str, Recipe], free: Mapping[str, int], log_us: int, *, by_turns: bool = False) -> Made:
        """Plan all needs that recipes could meet: first those that nobody declined a part of, then each of the others without that.

        Where it goes `by_turns`, somebody waits: the first round that comes to anything is the last of this plan, and so is one that is
        cut short because its work is done. A plan that came to nothing so may do twice the work next time.
        """
        made = Made()
        needs = [one for one in self.network.living() if not one.is_supply and not one.is_hours and free.get(one.ref)]
        used, wanted = relevant(self.network, recipes, sorted(needs, key=lambda one: one.ref))
        made.wanted = [need for need in wanted if need.end_us is None or need.end_us > log_us]
        left = {ref: grains for ref, grains in free.items() if self._is_open(ref, log_us)}
        groups = self._by_what_is_closed(made.wanted)
        for closed, some in groups:
            at_most: dict[str, int] = {}
            for _ in range(MOST_ROUNDS):
                before, resting, known = len(made.trees), made.dropped[RESTING], dict(at_most)
                still = [need for need in some if left.get(need.ref)]
                mine = {ref: grains for ref, grains in _held(left, at_most).items() if ref not in closed}
                self._plan_some(made, used, still, mine, log_us, at_most, most_work=self._work if by_turns else None)
                left = _without(left, made.trees[before:])
                others = at_most != known  # to be asked, or served, in the place of those who give or take no part so small, or lack time
                more = made.dropped[RESTING] > resting or others
                if made.cut_short:
                    self._goes_on = True
                    self._work = CYCLE_WORK if len(made.trees) > before else 2 * self._work
                    return made
                if by_turns and len(made.trees) > before:
                    self._turns += 1
                    self._goes_on = (more or len(groups) > 1) and self._turns < MOST_ROUNDS * len(groups)
                    return made
                if not others and (not more or len(made.trees) == before):
                    break
        self._work = CYCLE_WORK
        return made

    def _is_open(self, ref: str, log_us: int) -> bool:
        end_us = self.network.stances[ref].end_us
        return end_us is None or end_us > log_us

    def _by_what_is_closed(self, needs: Sequence[Stance]) -> list[tuple[frozenset[str], list[Stance]]]:
        groups: dict[frozenset[str], list[Stance]] = {}
        stances = self.network.stances
        for need in needs:
            offers = [stances[offer] for offer, _ in self.book.limits_of(need.ref) if offer in stances]
            closed = frozenset(offer.ref for offer in offers if self.book.limit_grains(offer, need) is not None)
            groups.setdefault(closed, []).append(need)
        return sorted(groups.items(), key=lambda group: (len(group[0]), sorted(group[0])))

    def _plan_some(
        self,
        made: Made,
        recipes: Mapping[str, Recipe],
        needs: list[Stance],
        free: Mapping[str, int],
        log_us: int,
        at_most: dict[str, int],
        extra: Sequence[Stance] = (),
        guides: Guides | None = None,
        most_work: int | None = None,
    ) -> None:
        made.too_little.update(need.ref for need in needs if 0 < free.get(need.ref, 0) < need.minimum_grains)
        if made.too_little:
            made.left_out["needs of which less is open than their minimum"] = len(made.too_little)
        needs = [need for need in needs if free.get(need.ref, 0) >= max(1, need.minimum_grains)]
        try:
            layout = lay_out(self.network, self.book, recipes, needs, free, log_us, extra) if needs and recipes else None
            if layout is None:
                return
            if made.layout is None:  # What later rounds leave out is the same again.
                made.layout = layout
                made.left_out.update(layout.left_out)
            left = None if most_work is None else max(most_work // LEAST_SHARE, most_work - layout.work)
            plan, bound = self._solved(made, layout, guides or self.guides, left)
        except (TooLarge, EngineFault) as error:  # One agent's numbers, or a fault, must not stop what else there is to do: it is told.
            made.failed = str(error)
            return
        if plan is None:
            made.awaits = True
            return
        if made.plan is None:
            made.plan, made.bound = plan, bound
            made.worth = worth_of_plan(layout.problem, plan)
            made.gap = Fraction(bound - made.worth, max(bound, 1))
        made.trees += trees_of(layout, plan, made.dropped, at_most)

    def _solved(self, made: Made, layout: Layout, guides: Guides, most_work: int | None) -> tuple[ProductionPlan | None, int]:
        """Return a plan and a bound that none passes; no plan where nothing leads there yet.

        Hours that may be worked at any time of their window are planned twice: first as if each span of time had all of them; then
        shared out as that plan used them. The bound is the lower of two: of that first plan, and of one that knows no time.
        """
        guide = self._led(made, layout, guides)
        if guide is None:
            return None, 0
        twice = bool((layout.problem.pool_grains.sum(axis=1) > layout.whole).any())
        plan, made.cut_short = _checked(layout.problem, guide, most_work, eases=not twice)
        bound = plan.bound
        if twice:
            used = np.zeros_like(layout.problem.pool_grains)
            for line, pool, grains in pool_use(layout.problem, plan):
                used[pool, plan.line_begin[line]] += grains
            layout.problem = shared_out(layout, used)
            # Beside the cycle time goes on, and with it the hours: what was solved for these would never be asked for again.
            exact = guides.of(layout.problem) if guides is AT_ONCE else None
            plan, made.cut_short = _checked(layout.problem, exact or guide, most_work)
            timeless = without_time(layout)
            without = _unless_faulty(guides, timeless)
            if without is not None:
                bound = min(bound, _checked(timeless, without, NO_WORK)[0].bound)
        return plan, bound

    def _led(self, made: Made, layout: Layout, guides: Guides) -> "Guide | None":
        """Return what leads through a problem: its linear programs, or the pressures of the last that were solved, carried over.

        Linear programs are asked for once a plan; what it leaves for further rounds goes by the same pressures.
        """
        self._take_found()
        if self._last is not None and (made.layout is not layout or (guides is self.guides is not AT_ONCE and not self._asks)):
            return carried(*self._last, layout)
        try:
            guide = guides.of(layout.problem)
        except EngineFault as fault:
            if self._last is None:
                raise
            made.left_out[f"plans led by an older linear program, because {fault}"] += 1
            return carried(*self._last, layout)
        if guide is None:
            self._awaited.append((layout, layout.problem))
            return None if self._last is None else carried(*self._last, layout)
        if guides is self.guides:
            self._last = layout, guide
            self._awaited.clear()  # All of it was asked before.
        made.cells = made.cells or guide.cells
        made.left_out.update({f"cells planned without a linear program: {why}": 1 for why in guide.without})
        return guide

    def _take_found(self) -> None:
        """Go by the newest of what was solved beside, once it was; what proved too large, or faulty, says nothing of the problem of now."""
        still: list[tuple[Layout, ProductionProblem]] = []
        for layout, problem in self._awaited:
            try:
                found = self.guides.known(problem)
            except (TooLarge, EngineFault):
                continue
            if found is not None:
                self._last, still = (layout, found), []
            elif self.guides.awaits(problem):
                still.append((layout, problem))
        self._awaited = still


def _told_apart(kept: Sequence[Deal], trees: Iterable[Tree]) -> tuple[list[Deal], list[Tree]]:
    """Return both without two that ask the very same: one takes the place of both, as a proposal is named by what it asks."""
    waiting = {deal.terms: deal for deal in kept}
    found: dict[Terms, Tree] = {}
    for each in trees:
        tree = each
        while waiting.pop(tree.terms, None) or found.pop(tree.terms, None):
            tree = tree.twice
        found[tree.terms] = tree
    return list(waiting.values()), list(found.values())


def _unless_faulty(guides: Guides, problem: ProductionProblem) -> "Guide | None":
    try:
        return guides.of(problem)
    except EngineFault:  # Told in the log; there is a bound without it.
        return None


def _checked(
    problem: ProductionProblem, guide: "Guide", most_work: int | None = None, *, eases: bool = True
) -> tuple[ProductionPlan, bool]:
    """Return a plan that passed the check, and whether it was cut short."""
    walkers = walked(problem, guide, most_work, eases=eases)
    plan = walkers.plan()
    wrong = broken_rules(problem, plan)
    if wrong:
        raise Defect(f"a plan of making breaks its own rules, so nothing was proposed; please report: {'; '.join(wrong[:3])}")
    return plan, not walkers.is_complete


def _held(free: Mapping[str, int], at_most: Mapping[str, int]) -> dict[str, int]:
    """Return what is free, no more of anything than trees could ask of it in rounds before."""
    held = {ref: min(grains, at_most.get(ref, grains)) for ref, grains in free.items()}
    return {ref: grains for ref, grains in held.items() if grains or ref not in at_most}


def _without(free: Mapping[str, int], trees: Iterable[Tree]) -> dict[str, int]:
    left = dict(free)
    for tree in trees:
        for line in tree.lines:
            takes = line.action == "use" or line.offer.split("/", 2)[1] == "offer"
            for ref, counts in ((line.offer, takes), (line.need, line.into is None)):
                if counts and ref in left:
                    left[ref] -= line.grains
    return {ref: grains for ref, grains in left.items() if grains > 0}
