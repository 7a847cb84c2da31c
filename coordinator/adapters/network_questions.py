"""Over HTTP, what the commands `why`, `makers`, `explode`, `network` and their like tell, in the same words and fields."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from threading import Lock
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, FastAPI, Path, Query
from fastapi.responses import Response
from pydantic import AfterValidator

from coordinator.adapters.aside import Preparation
from coordinator.adapters.walks import WALKED, Walks
from coordinator.alternatives import alternatives, without
from coordinator.cycle import Coordination
from coordinator.errors import Refused, Unavailable, WrongValue
from coordinator.explaining import explain
from coordinator.exploding import explode
from coordinator.fields import FARTHEST_KM
from coordinator.floor import Orders, floor
from coordinator.lifting import lifted
from coordinator.makers import designs
from coordinator.network import RESOURCE
from coordinator.opportunities import pressures, relief
from coordinator.questions import downstream, stats, unreachable, upstream
from coordinator.results import as_json
from coordinator.times import format_instant
from coordinator.timetable import timetable
from coordinator.trees import tree
from coordinator.weakness import weak_points

__all__ = ["AgentName", "Missing", "Show", "add_network_questions"]

Name = Annotated[str | None, Query(max_length=128)]
AgentName = Annotated[
    str,
    AfterValidator(lambda name: name.removeprefix("agent:")),
    Path(description="An agent's name, or `agent:` and that: browsers take a name such as `..` alone for the way up."),
]
PATIENCE_S = 2.0  # for another who has plans tried, mostly in milliseconds

Show = Callable[[Callable[[Coordination], dict[str, Any]]], Response]
Tell = Callable[[Callable[[Coordination], Any]], Response]
Missing = Callable[[Refused], Exception]  # what is raised where a name is unknown


def add_network_questions(app: FastAPI, walks: Walks, walk: Show, missing: Missing, orders: Orders, solver: Preparation) -> None:
    """Add the routes. Each walks a moment in its turn, which holds up nobody; orders of work are those that `orders` knows.

    Who has something solved waits until the solver is compiled.
    """

    def tell(question: Callable[[Coordination], Any]) -> Response:
        try:
            return walk(lambda coordination: as_json(question(coordination)))
        except WrongValue:
            raise
        except Refused as refusal:
            raise missing(refusal) from None

    trying = Lock()  # held while plans are tried and markets solved, so that no queue of such questions takes all the time there is
    solving = APIRouter(dependencies=[Depends(solver.done)])
    _add_why(solving, walks, tell, trying)
    _add_alternatives(solving, walks, tell, trying)
    _add_relief(solving, walks, tell, trying)
    _add_making(solving, walks, tell, orders)
    app.include_router(solving)
    _add_network(app, walks, tell)


@contextmanager
def _alone(trying: Lock, patience_s: float = 0.0) -> Iterator[None]:
    if not trying.acquire(timeout=patience_s):
        raise Unavailable("another plan is being tried just now; ask again in a few seconds")
    try:
        yield
    finally:
        trying.release()


def _add_why(solving: APIRouter, walks: Walks, tell: Tell, trying: Lock) -> None:
    @solving.get("/needs/{need:path}/why", responses=WALKED)
    @walks.beside
    def why(
        need: str,
        lift: Annotated[bool, Query(description="Also what would lift it: changes are tried for that.")] = False,
        by: Annotated[Decimal | None, Query(gt=0, description="How much to lift it, in its unit; else by all it is short of.")] = None,
    ) -> Response:
        """Why a need is served as it is, or short."""
        if not lift:
            return tell(lambda coordination: explain(coordination, need))
        with _alone(trying):
            return tell(lambda coordination: lifted(coordination, need, by))


def _add_alternatives(solving: APIRouter, walks: Walks, tell: Tell, trying: Lock) -> None:
    @solving.get("/proposals/{proposal}/alternatives", responses=WALKED)
    @walks.beside
    def rejected(proposal: str) -> Response:
        """What else was possible for each line of a proposal, and what a unit of that would cost more than the plan."""
        with _alone(trying, PATIENCE_S):
            return tell(lambda coordination: alternatives(coordination, proposal))

    @solving.get("/proposals/{proposal}/without", responses=WALKED)
    @walks.beside
    def left_out(proposal: str) -> Response:
        """What the plan would be if the pair of a proposal exchanged nothing: its market is solved once more for that."""
        with _alone(trying, PATIENCE_S):
            return tell(lambda coordination: without(coordination, proposal))


def _add_making(solving: APIRouter, walks: Walks, tell: Tell, orders: Orders) -> None:
    @solving.get("/makers/{design:path}", responses=WALKED)
    @walks.beside
    def who_could(
        design: str,
        near: Annotated[str | None, Query(description="An agent, or latitude,longitude: the nearest first.")] = None,
        within_km: Annotated[float | None, Query(ge=0, le=FARTHEST_KM, description="Only makers so near.")] = None,
    ) -> Response:
        """Who could make a design, what each lacks, and how many are not shown and why."""
        return tell(lambda coordination: designs(coordination, design, near, within_km))

    trying = Lock()  # held while changes are planned and orders searched for

    @solving.get("/workshops/{agent}", responses=WALKED)
    @walks.beside
    def at_work(agent: str, search: Annotated[bool, Query(description="Look for a better order while one waits.")] = False) -> Response:
        """What each machine of a workshop does next, and were all accepted that waits; no order is below `least` (null: not known yet)."""
        if not search:
            return tell(lambda coordination: floor(coordination, agent, orders=orders))
        with _alone(trying):
            return tell(lambda coordination: floor(coordination, agent, searches=True))

    @solving.get("/needs/{need:path}/explode", responses=WALKED)
    @walks.beside
    def levels(need: str) -> Response:
        """What a need still takes at each level of making, who could supply it, where it is tight, and what would be enough."""
        with _alone(trying):
            return tell(lambda coordination: explode(coordination, need))


def _add_relief(solving: APIRouter, walks: Walks, tell: Tell, trying: Lock) -> None:
    @solving.get("/opportunities/{agent}", responses=WALKED)
    @walks.beside
    def of_agent(agent: AgentName) -> Response:
        """What one unit more from an agent's place would relieve, the most urgent first; minimums and what recipes take left aside."""
        with _alone(trying, PATIENCE_S):
            return tell(lambda coordination: relief(coordination, agent))

    @solving.get("/pressure/{name:path}", responses=WALKED)
    @walks.beside
    def of_thing(name: str) -> Response:
        """What one unit more at each offer and need of a thing would serve, the shortest first; what recipes would take is left out."""
        with _alone(trying, PATIENCE_S):
            return tell(lambda coordination: {"items": pressures(coordination, name)})


def _add_network(app: FastAPI, walks: Walks, tell: Tell) -> None:
    @app.get("/network/stats", responses=WALKED)
    @walks.beside
    def how_it_stands() -> Response:
        """Counts of all that stands, what is free and open of each thing, and names that only one agent uses."""
        return tell(lambda coordination: stats(coordination.network, coordination.book, coordination.log_us))

    @app.get("/network/upstream/{name:path}", responses=WALKED)
    @walks.beside
    def feeds(name: str) -> Response:
        """Everything that feeds a thing, through recipes, by level; and what these recipes give."""

        def told(coordination: Coordination) -> dict[str, Any]:
            network = coordination.network
            items = upstream(network, name, coordination.book, coordination.log_us)
            refs = {ref for item in items for ref in item.into}
            gives = {
                ref: [network.canonical((RESOURCE, each.resource))[1] for each in network.recipes[ref].outputs] for ref in sorted(refs)
            }
            return {"items": items, "recipes": {ref: {"outputs": outputs} for ref, outputs in gives.items()}}

        return tell(told)

    @app.get("/network/tree/{name:path}", responses=WALKED)
    @walks.beside
    def made(name: str) -> Response:
        """How a thing is made, as a tree: recipes, what each takes a run, what is free of it, and how urgently it is wanted."""
        return tell(lambda coordination: tree(coordination, name))

    @app.get("/network/hours", responses=WALKED)
    @walks.beside
    def hours(process: Name = None, agent: Name = None, limit: Annotated[int, Query(ge=1, le=500)] = 200) -> Response:
        """Machine hours in time: each capacity, and what is proposed, promised or committed of it."""

        def told(coordination: Coordination) -> dict[str, Any]:
            found = timetable(coordination, process, agent, limit)
            return found | {"now": format_instant(cast("int", found["now"]))}

        return tell(told)

    @app.get("/network/downstream/{agent}", responses=WALKED)
    @walks.beside
    def hangs(agent: AgentName) -> Response:
        """What and who could be served from an agent's offers and hours, and what it alone carries."""
        return tell(lambda coordination: {"items": downstream(coordination.network, agent, coordination.book, coordination.log_us)})

    @app.get("/network/weak-points", responses=WALKED)
    @walks.beside
    def weak() -> Response:
        """Agents whose loss cuts needs off, and things of which too little can get through."""
        return tell(lambda coordination: weak_points(coordination.network, coordination.book, coordination.log_us))

    @app.get("/network/unreachable", responses=WALKED)
    @walks.beside
    def out_of_reach() -> Response:
        """Open needs that no offer and no recipe can serve, with the reason."""
        return tell(lambda coordination: {"items": unreachable(coordination.network, coordination.book, coordination.log_us)})
