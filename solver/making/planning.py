"""A plan of making from nothing: linear programs for pressures and trails, then walkers in whole units."""

from typing import TYPE_CHECKING

from solver.making.loops import without_rings
from solver.making.plan import ProductionPlan, worth_of_plan
from solver.making.problem import ProductionProblem
from solver.making.rounds import MOST_ROUNDS

if TYPE_CHECKING:
    from solver.making.guiding import Guide
    from solver.making.walkers import Walkers

__all__ = ["guided", "plan_making", "walked"]


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
    form rings, they are gone round often, once, and not closed at all; whatever comes to the most stays.
    """
    guide = guided(problem) if guide is None else guide
    best = _walked(problem, guide, guide, most_work, rounds=MOST_ROUNDS, eases=eases)
    if without_rings(problem) is None:
        return best
    # A linear program may think that a ring feeds itself, and a round more may take what is needed elsewhere: so the best of three stays.
    worth, work = worth_of_plan(problem, best.plan()), best.work
    for rounds, led_by in ((1, guide), (0, guide.no_rings or guide)):
        left = None if most_work is None else most_work - work
        if not best.is_complete or (left is not None and left <= 0):
            break
        other = _walked(problem, guide, led_by, left, rounds=rounds, eases=eases)
        work += other.work
        if other.is_complete and worth_of_plan(problem, other.plan()) > worth:
            best, worth = other, worth_of_plan(problem, other.plan())
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
