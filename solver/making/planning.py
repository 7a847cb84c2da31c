"""A plan of making from nothing: linear programs for pressures and trails, then walkers in whole units."""

from typing import TYPE_CHECKING

from solver.making.plan import ProductionPlan
from solver.making.problem import ProductionProblem

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

    Unless it ``eases``, trees stay as the pressures led them, though others that take less effort may have room by now.
    """
    from solver.making.walkers import Walkers  # noqa: PLC0415 - likewise

    guide = guided(problem) if guide is None else guide
    walkers = Walkers(problem, guide.pressures, most_work)
    walkers.follow(guide.trails, guide.wanted)
    walkers.fill(strict=True)
    walkers.fill()
    if eases:
        walkers.ease()
    return walkers
