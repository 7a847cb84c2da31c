"""A plan of making from nothing: linear programs for pressures and trails, then walkers in whole units."""

from typing import TYPE_CHECKING

from solver.making.loops import without_rings
from solver.making.plan import ProductionPlan, worth_of_plan
from solver.making.problem import ProductionProblem
from solver.making.rounds import rounds_within

if TYPE_CHECKING:
    from solver.making.guiding import Guide
    from solver.making.walkers import Walkers

__all__ = ["guided", "plan_making", "walked"]

RING_WORK = 4_000_000  # for going round often, where nobody says how much work there is; more where what went before took more


def plan_making(problem: ProductionProblem, guide: "Guide | None" = None) -> ProductionPlan:
    """Return a plan with its bound: walkers follow a guide (by default `guided`) as far as whole units allow, then fill what is left."""
    return walked(problem, guide).plan()


def guided(problem: ProductionProblem, engine: str = "glop") -> "Guide":
    """Return what linear programs say of a problem: slow, and for that reason apart, so that it may be asked beside all else."""
    from solver.making.guiding import guide_of  # noqa: PLC0415 - loading the compiled code takes half a second

    return guide_of(problem, engine)


def walked(problem: ProductionProblem, guide: "Guide | None" = None, most_work: int | None = None, *, eases: bool = True) -> "Walkers":
    """Return the walkers of a problem at rest, ready for what changes; with ``most_work`` they may have needs left to walk on with.

    Unless it ``eases``, trees stay as the pressures led them, though others that take less effort may have room by now. Where recipes
    form rings, they are first not closed at all, then gone round once and often with the work that is left; of plans that come to an
    end, whatever comes to the most stays. So with as much work, none is worse for recipes that close a ring.
    """
    guide = guided(problem) if guide is None else guide
    if without_rings(problem) is None:
        return _walked(problem, guide, guide, most_work, rounds=0, eases=eases)
    best = plain = _walked(problem, guide, guide.no_rings or guide, most_work, rounds=0, eases=eases)
    worth, work, rounds = worth_of_plan(problem, plain.plan()), plain.work, 1
    while best.is_complete and rounds:
        left = None if most_work is None else most_work - work
        if left is not None and left < plain.work:
            break  # With rings there are more ways to look at.
        other = _walked(problem, guide, guide, left, rounds=rounds, eases=eases)
        work += other.work
        # Of plans worth the same that one stays which may go round oftener when something changes.
        if other.is_complete and (came_to := worth_of_plan(problem, other.plan())) >= worth:
            best, worth = other, came_to
        left = max(RING_WORK, work) if most_work is None else most_work - work
        rounds = rounds_within(problem, other.work, left) if rounds == 1 else 0
    best.most_work = most_work
    return best


def _walked(problem: ProductionProblem, guide: "Guide", led_by: "Guide", most_work: int | None, *, rounds: int, eases: bool) -> "Walkers":
    from solver.making.walkers import Walkers  # noqa: PLC0415 - likewise

    walkers = Walkers(problem, led_by.pressures, most_work, rounds=rounds, proven=guide.pressures)
    walkers.follow(led_by.trails, led_by.wanted)
    walkers.fill(strict=True)
    walkers.fill()
    if eases:
        walkers.ease()
    return walkers
