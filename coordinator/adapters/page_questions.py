"""What the page asks and other programs seldom do: shortage, the map, one agent's account, names that hold a text, who speaks."""

import time
from collections import deque
from threading import Lock, Thread
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Query, Request
from fastapi.responses import Response

from coordinator.accounts import account, find, newest
from coordinator.adapters.comparing import Comparison
from coordinator.adapters.network_questions import AgentName, Missing, Show
from coordinator.adapters.page import JSON, Packed, pack, send
from coordinator.adapters.service import AT_ONCE, Service, TimedCoordination
from coordinator.adapters.walks import WALKED, Walks
from coordinator.atlas import atlas
from coordinator.cycle import Coordination
from coordinator.errors import Refused, Unavailable
from coordinator.explaining import need_named
from coordinator.history import Timeline, sample_of
from coordinator.layout import Drawing, draw
from coordinator.network import Network
from coordinator.places import Table
from coordinator.routes import route_table
from coordinator.shortage import Wanted, picked, shortage, told_needs
from coordinator.stream import PROPOSAL

__all__ = ["add_questions"]

KEPT_S = 2.0  # a map is made anew at most so often, however many look at it
PATIENCE_S = 1.0  # for a map that somebody else has made; each who waits keeps a thread from other walks
DRAWN_S = 60.0  # a drawing takes seconds, and who joined since is listed beside it
DRAWN_AT_ONCE_S = 0.5  # a drawing that takes longer is awaited by nobody: the map says how far it is
LARGEST = 500  # rows at once
COUNTED_AT_ONCE = 500  # needs that moved, looked at while the coordinator is held still: some two milliseconds
COUNTING_PAUSE_S = 0.0002  # in between; a lock that is let go and taken again at once is seldom had by anybody else
LOOKED_THROUGH = 20_000  # of the latest records, for those about one need
PAST = 100  # of these, that are shown

Text = Annotated[str, Query(max_length=200)]
Name = Annotated[str | None, Query(max_length=128)]


def add_questions(app: FastAPI, service: Service, walks: Walks, show: Show, walk: Show, missing: Missing) -> None:
    """Add the routes that the page asks; what goes through all agents or signals walks a moment, in its turn, which holds up nobody."""
    _add_shortage(app, service, walks, show, missing)
    _add_agents(app, walks, show, walk, missing)
    _add_charter(app, service, show)
    charts = _Charts(service)

    @app.get("/map")
    @walks.beside
    def chart(request: Request) -> Response:
        """Where everybody is and what flows between them, in columns; drawn from distances where nobody said a place.

        While such a drawing is made, `drawn_share` tells how much of it is done.
        """
        return send(charts.newest(), request, JSON)


def _add_shortage(app: FastAPI, service: Service, walks: Walks, show: Show, missing: Missing) -> None:
    @app.get("/shortage")
    def by_thing() -> Response:
        """What is short, by resource or process and by the tier that counts."""
        _look_again(service)
        return show(shortage)

    @app.get("/shortage/needs")
    def by_need(
        limit: Annotated[int, Query(ge=1, le=LARGEST)] = 50,
        skip: Annotated[int, Query(ge=0, le=10**9)] = 0,
        agent: Name = None,
        resource: Name = None,
        tier: Annotated[int | None, Query(ge=0, le=3)] = None,
        short: bool = False,
        q: Text = "",
    ) -> Response:
        """Needs that stand, the most urgent and least covered first."""
        _look_again(service)
        with service.reading() as coordination:
            rows = coordination.open_needs.rows()
        # All are gone through while others read and write; what is shown of the few is read with their names and units of now.
        chosen = picked(rows, Wanted(limit, skip, agent, resource, tier, short, q))
        return show(lambda coordination: told_needs(coordination, chosen))

    @app.get("/history")
    def history() -> Response:
        """How short things were over time: needs by tier, and of each thing what part was in no plan."""
        _look_again(service)
        return show(lambda coordination: timeline_of(coordination).told(sample_of(coordination)))

    @app.get("/needs/{need:path}/history")
    @walks.beside
    def past(need: str) -> Response:
        """What was said and decided of a need, the newest last, as far as the records looked through reach back."""
        try:
            with service.reading() as coordination:
                ref = need_named(coordination.network, need).ref
        except Refused as refusal:
            raise missing(refusal) from None
        return Response(orjson.dumps(past_of(service, ref)), media_type="application/json")


def _look_again(service: Service) -> None:
    """Have the needs that moved looked at, so many at a time: in between others speak, and plan."""
    while True:
        with service.reading() as coordination:
            if coordination.open_needs.refresh_some(COUNTED_AT_ONCE):
                return
        time.sleep(COUNTING_PAUSE_S)


def _add_agents(app: FastAPI, walks: Walks, show: Show, walk: Show, missing: Missing) -> None:
    @app.get("/agents/newest", responses=WALKED)
    @walks.beside
    def joined(limit: Annotated[int, Query(ge=1, le=LARGEST)] = 8) -> Response:
        """Who spoke for the first time last."""
        return walk(lambda coordination: {"items": newest(coordination, limit)})

    @app.get("/agents/{agent}")
    def one_agent(agent: AgentName) -> Response:
        """What an agent promised, gave and received."""
        try:
            return show(lambda coordination: account(coordination, agent))
        except Refused as refusal:
            raise missing(refusal) from None

    @app.get("/search", responses=WALKED)
    @walks.beside
    def search(q: Text, limit: Annotated[int, Query(ge=1, le=LARGEST)] = 12) -> Response:
        """Agents, things, needs and proposals whose name holds a text."""
        return walk(lambda coordination: {"items": find(coordination, q, limit)})


def _add_charter(app: FastAPI, service: Service, show: Show) -> None:
    @app.get("/charter")
    def charter() -> Response:
        """The rules in force."""
        return show(lambda coordination: {"version": coordination.charter.version, "rules": coordination.charter.model_dump(mode="json")})

    comparison = Comparison(service)

    @app.get("/charter/compared")
    def compared() -> Response:
        """What each rule of fairness would come to, as it was last computed."""
        return Response(orjson.dumps(comparison.told()), media_type="application/json")

    @app.post("/charter/compared", status_code=202)
    def compare() -> Response:
        """Compute that anew, in the background; while it runs, and for a while after it, this changes nothing."""
        return Response(orjson.dumps(comparison.told(start=True)), 202, media_type="application/json")


def timeline_of(coordination: Coordination) -> Timeline:
    """Return what a coordination noted of the past; nothing where it notes nothing."""
    return coordination.timeline if isinstance(coordination, TimedCoordination) else Timeline()


def past_of(service: Service, ref: str) -> dict[str, Any]:
    """Return the records about one need among the latest of the stream: its own words, its proposals, and what became of them."""
    last = service.status().entries - 1
    position = max(-1, last - LOOKED_THROUGH)
    began, count, found, proposals = position + 1, 0, deque[dict[str, Any]](maxlen=PAST), set[str]()
    agent, _, subject = ref.split("/", 2)
    word = ("stigmergy.need.v1", f"agent:{agent}", subject)
    mine = orjson.dumps(ref)
    while position < last:
        try:
            records, reached = service.follow(position, AT_ONCE)
        except Refused:  # On Kafka what is at hand begins later.
            position += AT_ONCE
            began = position + 1
            continue
        if reached == position:
            break
        position = reached  # Also where none of so many is shown to anybody, as what was refused.
        for record in records:
            told = orjson.loads(record.text)  # Agents write JSON in their own ways: no search in its text finds all.
            event = told["event"]
            if record.stream == PROPOSAL and mine in record.text:
                proposals.add(event["subject"])
            if (event["type"], event["source"], event["subject"]) == word or _proposal_of(event) in proposals:
                found.append(told)
                count += 1
    return {"since": began, "items": list(found), "more": count - len(found)}


def _proposal_of(event: dict[str, Any]) -> str | None:
    """Return the proposal that a record speaks of: in its data, as the ledger and reports do, else as its subject."""
    said = event.get("data") or {}
    named: str | None = said.get("proposal") or said.get("commitment") or event["subject"]
    return named


class _Charts:
    """The map as it was last made; made anew when the log has grown, but not more often than every `KEPT_S` seconds."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = Lock()
        self._made: tuple[int, float, Packed] | None = None
        self._drawn: tuple[int, float, Drawing | None] | None = None  # for so many agents
        self._drawer: Thread | None = None
        self._share = 0.0  # of the drawing under way

    def newest(self) -> Packed:
        """Return the map, packed; the one before while another is being made, Unavailable where there is none yet."""
        if not self._lock.acquire(timeout=PATIENCE_S):
            if self._made is None:
                raise Unavailable("the first map is being drawn just now; ask again in a few seconds")
            return self._made[2]
        try:
            entries = self._service.status().entries
            is_old = self._made is not None and (self._made[0] != entries or self._drawer is not None)
            if self._made is None or (is_old and time.monotonic() - self._made[1] > KEPT_S):
                made = pack(orjson.dumps(self._map()), level=5)
                self._made = entries, time.monotonic(), made  # from its end on: one that takes long is not made all the time
            return self._made[2]
        finally:
            self._lock.release()

    def _map(self) -> dict[str, Any]:
        coordination, _ = self._service.moment()
        told = atlas(coordination)
        placeless = all(place is None for place in told["agents"]["lat"])
        table = _distances(coordination.network) if placeless else None
        drawing = self._drawing(table, told["agents"]["name"]) if table is not None else None
        if drawing is None:
            return {**told, "drawing": None, "drawn_share": self._share if self._drawer is not None else None}
        at = {name: index for index, name in enumerate(drawing.agents)}
        indexes = [at.get(name) for name in told["agents"]["name"]]
        east, north = drawing.east_km.round(1).tolist(), drawing.north_km.round(1).tolist()
        told["agents"]["east_km"] = [None if index is None else east[index] for index in indexes]
        told["agents"]["north_km"] = [None if index is None else north[index] for index in indexes]
        return {**told, "drawing": {"error": round(drawing.error, 4)}}

    def _drawing(self, table: Table, names: list[str]) -> Drawing | None:
        """Return the latest drawing; another is begun beside where that one is old. None where there is none yet, or never will be."""
        if self._drawer is None and (self._drawn is None or (self._drawn[0] != len(names) and time.monotonic() - self._drawn[1] > DRAWN_S)):
            self._drawer = Thread(target=self._draw, args=(table, names), name="drawing", daemon=True)
            self._drawer.start()
        if self._drawer is not None:
            self._drawer.join(DRAWN_AT_ONCE_S)
            self._drawer = self._drawer if self._drawer.is_alive() else None
        return self._drawn[2] if self._drawn is not None else None

    def _draw(self, table: Table, names: list[str]) -> None:
        drawing = None
        try:
            drawing = draw(table, names, self._tell)
        finally:
            self._drawn = len(names), time.monotonic(), drawing

    def _tell(self, share: float) -> None:
        self._share = share


def _distances(network: Network) -> Table | None:
    """Return the distances known beforehand, else those that agents stated; None where there are neither."""
    if network.table is not None or not network.routes:
        return network.table
    stated = [(agent, to, facts.distance_m) for agent, routes in network.routes.items() for to, facts in routes.items()]
    names = sorted({name for agent, to, _ in stated for name in (agent, to)})
    at = {name: index for index, name in enumerate(names)}
    sources, targets, metres = zip(*((at[agent], at[to], far_m) for agent, to, far_m in stated), strict=True)
    return route_table(names, sources, targets, metres)
