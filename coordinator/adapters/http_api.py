"""The coordinator over HTTP: one door for what agents say, open reading of all the rest, and the stream as it grows."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from html import escape
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec
import orjson
from fastapi import Depends, FastAPI, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.datastructures import Headers
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from coordinator import views
from coordinator.adapters.aside import Preparation
from coordinator.adapters.feed import Application, EventStream, Feed, Message, Receive, Scope, Send
from coordinator.adapters.network_questions import add_network_questions
from coordinator.adapters.page import add_page
from coordinator.adapters.page_questions import add_questions
from coordinator.adapters.proofs import Proofs
from coordinator.adapters.sequencing import OrdersBeside
from coordinator.adapters.service import Outcome, Service
from coordinator.adapters.tokens import Grant, Tokens
from coordinator.adapters.walks import COUNTED, Walks
from coordinator.cloudevents import from_binary
from coordinator.commitments import State
from coordinator.cycle import Coordination
from coordinator.errors import Refused, Unavailable
from coordinator.json_schemas import json_schemas
from coordinator.jsontext import read_json, write_json
from coordinator.replaying import digest, standing_proposals
from coordinator.times import format_instant
from coordinator.wording import shown

__all__ = ["LARGEST_BODY", "MOST_HELD", "MOST_LINES", "Reading", "build_app"]

LOGGER = logging.getLogger(__name__)

LARGEST_BODY = 8 << 20  # bytes
MOST_LINES = 10_000
BODY_S = 30.0  # for a whole body to arrive
LISTENERS = 1_000  # who follow the stream at once
MOST_WAITING = 64  # who speak at once: more would wait longer than they should, and are told so instead
TAKERS = 8  # threads that take it in: who asks has threads of its own
CHECKERS = 2  # threads that look at tokens
MOST_HELD = 64 << 20  # bytes of what they say, together with what others still send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
WITHOUT_TOKEN = frozenset({"/", "/session", "/healthz", "/readyz"})  # and the page's files: asked for before anybody can say who they are
PROBED = frozenset({"/healthz", "/readyz", "/metrics"})  # by programs that may add what they like, and take 400 for a fault of ours
TURN_FIGURES = {
    "number": "turns that stand, of all coordinators",
    "epoch": "how often partitions of the signals were claimed",
    "void": "records in the stream of turns that did not count",
    "lag": "signals in Kafka and not taken yet by anybody",
    "waiting": "signals read and not taken yet",
    "unpublished": "decisions that stand and are not in their streams yet",
    "held": "partitions of the signals that this coordinator acts for",
    "stale": "decisions that came too late and were void",
}
STATUS_OF_REFUSAL = {"invalid": 400, "late": 400, "speaker": 403, "conflict": 409, "misplaced": 400}
STRUCTURED, BATCH, LINES, PLAIN = (
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "application/x-ndjson",
    "application/json",
)
PROBLEM: dict[str, Any] = {
    "description": "What came, what was expected and what to do.",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "properties": {
                    "type": {"type": "string"},
                    "status": {"type": "integer"},
                    "code": {"type": "string", "description": "The kind of problem, for programs; it stays the same."},
                    "detail": {"type": "string", "description": "A sentence, for people."},
                    "results": {"type": "array", "description": "Of several events, what became of each; all were refused."},
                },
                "required": ["type", "status", "code", "detail"],
            }
        }
    },
}
HEADERS = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)

_CHECKERS = ThreadPoolExecutor(CHECKERS, "token")

Limit = Annotated[int, Query(ge=1, le=views.LARGEST_PAGE, description="How many at most.")]
Reading = Literal["open", "tokens"]
After = Annotated[
    str, Query(max_length=600, description="Go on after this: `next` of the page before. A page may be short; the last has no `next`.")
]
Agent = Annotated[str | None, Query(max_length=128, description="Only what concerns this agent.")]
Kind = Annotated[str | None, Query(max_length=32, description="Only decisions of this kind, such as `declined`.")]
InState = Annotated[State | None, Query(description="Only proposals in this state.")]
Resource = Annotated[str | None, Query(max_length=128, description="Only this resource or process.")]


class Problem(Exception):
    """An answer that says what is wrong, as problem+json with a code that stays the same."""

    def __init__(self, status: int, code: str, detail: str, *, allowed: str = "", **more: Any) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.allowed, self.more = status, code, detail, allowed, more

    def response(self) -> Response:
        """Return it as the answer to a request."""
        body = {"type": f"urn:stigmergy:problem:{self.code}", "status": self.status, "code": self.code, "detail": self.detail, **self.more}
        headers = {"www-authenticate": "Bearer"} if self.status == 401 else {}
        if self.status in (429, 503):
            headers["retry-after"] = "2"
        if self.allowed:
            headers["allow"] = self.allowed
        return Response(orjson.dumps(body), self.status, headers, "application/problem+json")


def build_app(
    service: Service,
    tokens: Tokens | None,
    *,
    only_loopback: bool,
    proofs: Proofs | None = None,
    orders: OrdersBeside | None = None,
    reading: Reading = "open",
    solver: Preparation | None = None,
) -> FastAPI:
    """Return the application; without tokens anyone who reaches it speaks for any agent, so let only this machine reach it.

    Where `reading` takes tokens, every path but those that a browser needs to sign in is shut to whoever has none.
    """
    if reading == "tokens" and tokens is None:
        raise Refused("reading takes tokens, and there are none; make one: coordinator token create --read --name NAME")
    readers = tokens if reading == "tokens" else None
    solver = solver or Preparation()
    feed, orders = Feed(service), orders or OrdersBeside(service)
    app = FastAPI(
        title="Stigmergic Coordinator",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a path with a slash too many is none of ours, and told so: it is asked for nowhere
        lifespan=feed.lifespan,
        responses={"default": PROBLEM},
        dependencies=[Depends(_only_known_names)],
    )
    app.state.feed = feed
    app.add_middleware(_Door, only_loopback=only_loopback, readers=readers)
    _explain_errors(app)
    _add_writing(app, service, tokens, reading)
    _add_reading(app, service, orders, solver)
    _add_watching(app, service, feed, proofs or Proofs(service), orders, readers, solver)
    add_page(app)
    return app


# -- what agents say --------------------------------------------------------------------------------------------------


def _add_writing(app: FastAPI, service: Service, tokens: Tokens | None, reading: Reading) -> None:
    event = {"schema": json_schemas()["event"]}
    content = {STRUCTURED: event, PLAIN: event, BATCH: {"schema": {"type": "array"}}, LINES: {"schema": {"type": "string"}}}
    body = {"requestBody": {"required": True, "content": content}}
    queue = app.state.queue = _Queue()

    @app.post("/signals", openapi_extra=body, responses={200: _results("All of it is taken."), 207: _results("Some of it is refused.")})
    async def say(request: Request) -> Response:
        """Take in one event or many; the answer has a result for each, in the order sent."""
        speaker = None if tokens is None else await _checked(request.headers, tokens)
        if speaker is not None and not (speaker.speaks or speaker.answers):
            raise Problem(403, "scope", f"the token of {speaker.name!r} reads and says nothing; send one that speaks for the agent")
        with queue.holding(request.headers) as hold:
            lines = _lines_of(request.headers, await _body_of(request, hold))
            with queue.place():
                outcomes = await asyncio.get_running_loop().run_in_executor(queue.takers, service.publish, lines, speaker)
                return _told(outcomes)

    @app.get("/session")
    async def session(request: Request) -> Response:
        """Whether speaking and reading take a token, and what the token allows that came with this question."""
        told: dict[str, Any] = {"tokens": tokens is not None, "reading": reading, "agent": None}
        if tokens is not None and "authorization" in request.headers:
            grant = await _checked(request.headers, tokens)
            told |= {"name": grant.name, "speaks": grant.speaks, "answers": grant.answers}
            told["agent"] = grant.speaks[0] if len(grant.speaks) == 1 and not grant.answers else None
            told["expires"] = None if grant.expires_us is None else format_instant(grant.expires_us)
        return _json(told)


def _results(description: str) -> dict[str, Any]:
    """Return how an answer to what was said is described to programs."""
    _, kinds = msgspec.json.schema_components([Outcome])
    results = {"type": "array", "items": kinds["Outcome"]}
    schema = {"type": "object", "properties": {"results": results}, "required": ["results"]}
    return {"description": description, "content": {PLAIN: {"schema": schema}}}


class _Queue:
    """Those whose words are being read, with so many bytes at most, and taken, so many at once. All its callers run in one event loop."""

    def __init__(self) -> None:
        self.waiting = self.turned_away = 0
        self.held = 0  # bytes that came, of those who wait and those who still send
        self.takers = ThreadPoolExecutor(TAKERS, "taker")

    @contextmanager
    def holding(self, headers: Headers) -> Iterator[Callable[[int], None]]:
        """Yield what counts bytes as they come, so that nobody has room by promising them; a Problem where there is none for more."""
        own = 0

        def hold(size: int) -> None:
            nonlocal own
            self.held, own = self.held + size, own + size
            self._see_that(self.held <= max(MOST_HELD, own))

        stated = headers.get("content-length", "")
        self._see_that(self.waiting < MOST_WAITING)  # now, rather than when all of it has come
        self._see_that(not self.held or not stated.isdigit() or self.held + int(stated) <= MOST_HELD)
        try:
            yield hold
        finally:
            self.held -= own

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place among those whose words are taken; a Problem where there is none."""
        self._see_that(self.waiting < MOST_WAITING)
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    def _see_that(self, has_room: bool) -> None:
        if not has_room:
            self.turned_away += 1
            raise Problem(
                503,
                "busy",
                f"{self.waiting} requests with signals wait already; nothing of this one was taken: say it again in 2 s or later",
            )


async def _checked(headers: Headers, tokens: Tokens) -> Grant:
    """Return what the token of this request allows; whoever asks for something else is not waited for."""
    return await asyncio.get_running_loop().run_in_executor(_CHECKERS, _grant, headers, tokens)


def _grant(headers: Headers, tokens: Tokens) -> Grant:
    """Return what the token of this request allows."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    grant = tokens.grant_of(token.strip()) if scheme.lower() == "bearer" else None
    if grant is None:
        raise Problem(
            401,
            "token",
            "no valid token came; send `Authorization: Bearer TOKEN` with the token made by: coordinator token create AGENT. "
            "Commands take it from STIGMERGY_TOKEN",
        )
    return grant


def _may_read(headers: Headers, readers: Tokens) -> bool:
    """Whether the token of a request that is still being answered holds; where that cannot be told, it may not."""
    try:
        _grant(headers, readers)
    except (Problem, Refused, Unavailable):
        return False
    return True


async def _body_of(request: Request, hold: Callable[[int], None]) -> bytes:
    too_large = Problem(413, "too-large", f"the body has more than {LARGEST_BODY} bytes; send fewer events at once")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "media-type", "the body is packed; send it as it is")
    stated = request.headers.get("content-length", "0")
    if not stated.isdigit() or int(stated) > LARGEST_BODY:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise too_large
                hold(len(chunk))
    except TimeoutError:
        raise Problem(408, "too-slow", f"the body did not arrive within {BODY_S:g} s; send it again") from None
    return bytes(body)


def _lines_of(headers: Headers, body: bytes) -> list[bytes]:
    """Return the events of a request, one line each, as they came."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if any(name.startswith("ce-") for name in headers):
            return [_binary(headers, body)]
        if media_type == LINES:
            lines = [line for line in body.split(b"\n") if line.strip()]
        elif media_type == STRUCTURED:
            lines = [body]
        elif media_type in (BATCH, PLAIN):
            lines = _listed(body)
        else:
            raise Problem(415, "media-type", f"content-type is {media_type or 'missing'!r}; send {STRUCTURED}, {BATCH} or {LINES}")
    except Refused as refusal:
        raise Problem(400, "invalid", str(refusal)) from None
    if not lines:
        raise Problem(400, "invalid", "the body holds no event; send at least one")
    if len(lines) > MOST_LINES:
        raise Problem(
            413, "too-large", f"the body has {len(lines)} events; at most {MOST_LINES} are taken at once: send the rest after them"
        )
    return lines


def _binary(headers: Headers, body: bytes) -> bytes:
    """Return the event of a request in binary mode, whose attributes are headers (percent-encoded, as CloudEvents over HTTP has them)."""
    attributes = [(f"ce_{name[3:]}", unquote(value).encode()) for name, value in headers.items() if name.startswith("ce-")]
    return from_binary([*attributes, ("content-type", headers.get("content-type", PLAIN).encode())], body or None)


def _listed(body: bytes) -> list[bytes]:
    """Return the events of a JSON array, or the one event that is no array."""
    if not body.lstrip().startswith(b"["):
        return [body]
    events = read_json(body)
    assert isinstance(events, list)  # it begins with a bracket
    return [write_json(event) for event in events]


def _told(outcomes: list[Outcome]) -> Response:
    """Return 200 when all was taken, 207 when some was, and else the problem of the first."""
    results = [{name: value for name in Outcome.__struct_fields__ if (value := getattr(one, name))} for one in outcomes]
    first_refused = next((one for one in outcomes if one.status == "refused"), None)
    if first_refused is None or any(one.status != "refused" for one in outcomes):
        return _json({"results": results}, 200 if first_refused is None else 207)
    code = first_refused.code or "invalid"
    status = STATUS_OF_REFUSAL[code] if all(one.code == code for one in outcomes) else 400
    return Problem(status, code, first_refused.reason or "", results=results).response()


# -- what anyone may read ---------------------------------------------------------------------------------------------


def _add_reading(app: FastAPI, service: Service, orders: OrdersBeside, solver: Preparation) -> None:
    walks = app.state.walks = Walks()

    def show(view: Callable[[Coordination], dict[str, Any]]) -> Response:
        with service.reading() as coordination:
            return _json(view(coordination))

    def walk(view: Callable[[Coordination], dict[str, Any]]) -> Response:
        moment, entries = service.moment()
        answer = _json(view(moment))
        answer.headers[COUNTED] = str(entries)
        return answer

    def missing(refusal: Refused) -> Problem:
        return Problem(404, "not-found", str(refusal))

    @app.get("/network")
    def network(limit: Limit = 100, after: After = "", agent: Agent = None) -> Response:
        """Counts, sums by resource, and the agents."""
        asked = views.Asked(limit, after, agent)
        return show(lambda coordination: views.overview(coordination) | {"members": views.agents(coordination, asked)})

    @app.get("/needs")
    def needs(limit: Limit = 100, after: After = "", agent: Agent = None, resource: Resource = None) -> Response:
        """Needs that stand."""
        return show(lambda coordination: views.offers_or_needs(coordination, views.Asked(limit, after, agent, resource), supply=False))

    @app.get("/offers")
    def offers(limit: Limit = 100, after: After = "", agent: Agent = None, resource: Resource = None) -> Response:
        """Offers and capacities that stand."""
        return show(lambda coordination: views.offers_or_needs(coordination, views.Asked(limit, after, agent, resource), supply=True))

    @app.get("/proposals")
    def proposals(limit: Limit = 100, after: After = "", agent: Agent = None, resource: Resource = None, state: InState = None) -> Response:
        """Proposals that are open or became commitments."""
        return show(lambda coordination: views.proposals(coordination, views.Asked(limit, after, agent, resource, state)))

    @app.get("/proposals/{start}")
    def proposal(start: str) -> Response:
        """One proposal, by its id or the beginning of it, also when it has ended."""
        try:
            return show(lambda coordination: views.deal_named(coordination, start))
        except Refused as refusal:
            raise missing(refusal) from None

    @app.get("/ledger")
    def ledger(
        limit: Limit = 100, after: After = "", agent: Agent = None, resource: Resource = None, kind: Kind = None, newest: bool = False
    ) -> Response:
        """The open book: every decision, in the order made, or the newest first."""
        asked = views.Asked(limit, after, agent, resource, kind=kind, newest=newest)

        def page(coordination: Coordination) -> dict[str, Any]:
            read = len(coordination.ledger)
            if not newest and after.isdecimal() and int(after) > read and service.others_may_be_ahead(int(after) - read):
                behind = f"this coordinator has read {read:,} records of the ledger so far, and after is {shown(int(after))}"
                raise Unavailable(f"{behind}: another that shares the work may be ahead; ask again in a while, or ask that one")
            return views.ledger(coordination, asked)

        return show(page)

    @app.get("/digest")
    @walks.beside
    def state_digest() -> Response:
        """The digest of ledger and proposals, as a replay of the log finds it too."""
        moment, entries = service.moment()
        return _json({"digest": digest(moment.ledger, standing_proposals(moment.book)), "entries": entries})

    @app.get("/refused")
    def refused(limit: Limit = 100, after: Annotated[int, Query(ge=0)] = 0, agent: Agent = None) -> Response:
        """What was refused at the door: how much for which kind of reason since this coordinator started, and the latest, oldest first."""
        counts, rows = service.refused()
        found = [row for row in rows if row["number"] > after and (agent is None or row["key"] == f"agent:{agent}")]
        return _json({"counts": counts, "items": found[:limit], "next": found[limit - 1]["number"] if len(found) > limit else None})

    add_questions(app, service, walks, show, walk, missing)
    add_network_questions(app, walks, walk, missing, orders, solver)


# -- how it does ------------------------------------------------------------------------------------------------------


def _add_watching(
    app: FastAPI,
    service: Service,
    feed: Feed,
    proofs: Proofs,
    orders: OrdersBeside,
    readers: Tokens | None,
    solver: Preparation,
) -> None:
    registry = CollectorRegistry()
    registry.register(_Figures(service, feed, proofs, orders, app.state.queue, app.state.walks))

    @app.get("/help", response_class=HTMLResponse)
    async def paths() -> HTMLResponse:
        """What this is, and what can be asked."""
        schema = app.openapi()["paths"]
        routes = [(path, method, told.get("description", "")) for path, ways in schema.items() for method, told in ways.items()]
        rows = "\n".join(f"<li><code>{method.upper()} {escape(path)}</code> {escape(told)}</li>" for path, method, told in routes)
        return HTMLResponse(
            f"<!doctype html><html lang=en><meta charset=utf-8><title>Stigmergic Coordinator</title>\n<h1>Stigmergic Coordinator</h1>\n"
            f"<p>Signals in, proposals out, every party answers for itself.</p>\n<ul>\n{rows}\n"
            "<li><code>GET /openapi.json</code> All of this, for programs.</li>\n</ul></html>"
        )

    @app.get("/healthz")
    async def healthz() -> Response:
        """Whether the process answers."""
        return _json({"status": "ok"})

    @app.get("/readyz", responses={503: {"description": "Not ready; `why` tells why not.", "content": {PLAIN: {}}}})
    async def readyz() -> Response:
        """Whether the log is read and can be written, how old the last cycle is, what waits, and markets whose answer failed its proof.

        While the solver is `compiling`, once on a machine, questions that take it are told to come again.
        """
        status = service.status()
        told = {
            "ready": status.why_not is None,
            "entries": status.entries,
            "cycles": status.cycles,
            "cycle_age_seconds": status.cycle_age_s,
            "waiting": status.turns.get("waiting", 0),
            "lag": status.turns.get("lag", 0),
            "compiling": solver.under_way(),  # meanwhile some questions have to wait, and nobody who speaks
            "unproven": {name: list(broken) for name, broken in sorted(proofs.broken.items())},
        }
        return _json(told if status.why_not is None else {**told, "why": status.why_not}, 200 if status.why_not is None else 503)

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Figures for monitors, in the form of Prometheus."""
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/events", response_class=Response, responses={200: {"content": {EventStream.media_type: {"schema": {"type": "string"}}}}})
    async def events(request: Request, after: Annotated[int | None, Query(ge=-1)] = None) -> Response:
        """The stream as it grows (server-sent events); `Last-Event-ID` or `after` resumes after a position, -1 from the beginning."""
        resume = request.headers.get("last-event-id", "")
        if resume and not (resume.isascii() and resume.isdigit() and len(resume) < 19):
            raise Problem(400, "invalid", "Last-Event-ID is no position; send the id of the last event seen, or leave it out")
        status = service.status()
        position = int(resume) if resume else status.entries - 1 if after is None else after
        if position >= status.entries:
            if status.why_not is not None:  # Until its history is read a log looks shorter than it is.
                raise Unavailable(f"position {position} is not reached yet: {status.why_not}; try again")
            raise Problem(400, "other-log", f"position {position} is beyond this log; it was kept for another one: start anew without it")
        if feed.listeners >= LISTENERS:
            raise Problem(503, "busy", f"{LISTENERS} listeners follow the stream already; try again later")
        await run_in_threadpool(service.follow, position, 1)  # On Kafka it does not reach back for ever, and says so here.
        return EventStream(feed, position, None if readers is None else partial(_may_read, request.headers, readers))


class _Figures(Collector):
    """The service's own counts, read when a monitor asks."""

    def __init__(self, service: Service, feed: Feed, proofs: Proofs, orders: OrdersBeside, queue: _Queue, walks: Walks) -> None:
        self._service, self._feed, self._proofs, self._orders = service, feed, proofs, orders
        self._queue, self._walks = queue, walks

    def collect(self) -> Iterator[Metric]:
        """Yield every figure."""
        status = self._service.status()
        lines = CounterMetricFamily("stigmergy_lines", "Lines that agents sent, by what became of them.", labels=["result"])
        refused = CounterMetricFamily("stigmergy_refused", "Lines refused, by kind of reason.", labels=["reason"])
        decided = CounterMetricFamily("stigmergy_decisions", "Records this coordinator wrote, by stream.", labels=["stream"])
        for name, count in sorted(status.counts.items()):
            sort, _, which = name.partition(":")
            {"refused": refused, "decided": decided}.get(sort, lines).add_metric([which or sort], count)
        proofs = CounterMetricFamily("stigmergy_proofs", "Markets held against their proof, by what came of it.", labels=["result"])
        for name, count in sorted(self._proofs.counts.items()):
            proofs.add_metric([name], count)
        yield from (lines, refused, decided, proofs)
        searches = "Orders of work inside workshops that were searched for beside the cycle."
        yield CounterMetricFamily("stigmergy_orders_searched", searches, value=self._orders.searches)
        yield GaugeMetricFamily("stigmergy_log_entries", "Entries in the log.", value=status.entries)
        yield GaugeMetricFamily("stigmergy_log_time_seconds", "Log time, in seconds since 1970.", value=max(0, status.log_us) / 1e6)
        yield CounterMetricFamily("stigmergy_cycles", "Cycles of planning.", value=status.cycles)
        yield CounterMetricFamily("stigmergy_planning_seconds", "Time spent planning.", value=status.planning_s)
        yield CounterMetricFamily("stigmergy_folding_seconds", "Time spent taking in what was said and decided.", value=status.folding_s)
        needs = GaugeMetricFamily(
            "stigmergy_open_needs", "Needs that stand and are not promised whole, at a recent cycle.", labels=["tier"]
        )
        for tier in range(4):
            needs.add_metric([str(tier)], status.open_needs.get(tier, 0))
        yield needs
        if status.log_us > 0:
            age_s = max(0.0, time.time() - status.log_us / 1e6)
            yield GaugeMetricFamily("stigmergy_log_age_seconds", "By how much log time is behind this machine's clock.", value=age_s)
        for name, value in status.turns.items():
            told = f"On Kafka: {TURN_FIGURES[name]}."
            yield GaugeMetricFamily(f"stigmergy_turns_{name}", told, value=value)
        if status.cycle_age_s is not None:
            yield GaugeMetricFamily("stigmergy_cycle_age_seconds", "Time since the last cycle ended.", value=status.cycle_age_s)
        yield GaugeMetricFamily("stigmergy_listeners", "Who follows the stream.", value=self._feed.listeners)
        yield CounterMetricFamily("stigmergy_listeners_let_go", "Listeners who took too little for too long.", value=self._feed.let_go)
        yield GaugeMetricFamily("stigmergy_requests_waiting", "Requests with signals at the door.", value=self._queue.waiting)
        away = "Requests with signals turned away because too many waited."
        yield CounterMetricFamily("stigmergy_requests_turned_away", away, value=self._queue.turned_away)
        walks = "Questions that go through all there is and wait, or are being answered."
        yield GaugeMetricFamily("stigmergy_questions_waiting", walks, value=self._walks.waiting)
        away = "Questions that go through all there is turned away because too many waited."
        yield CounterMetricFamily("stigmergy_questions_turned_away", away, value=self._walks.turned_away)
        yield GaugeMetricFamily("stigmergy_ready", "1 when the log is read and can be written.", value=status.why_not is None)


# -- the door ---------------------------------------------------------------------------------------------------------


_DEFECT = Problem(500, "defect", "a promise of this program was broken; report it with what the server logged")


class _Door:
    """Turns away browsers sent by other sites, and names this machine does not go by; adds the headers that every answer carries.

    HEAD is answered as GET, without the body: what asks so hears nothing more, and a stream that would go on ends there.

    A fault of ours is logged and told here too: what Starlette answers to it comes from outside of all doors, without these headers.
    """

    def __init__(self, app: Application, *, only_loopback: bool, readers: Tokens | None = None) -> None:
        self._app = app
        self._only_loopback = only_loopback
        self._readers = readers  # whose tokens let one read, where reading takes one

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        begun, is_head = False, scope["method"] == "HEAD"

        async def send_guarded(message: Message) -> None:
            nonlocal begun
            if is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            if message["type"] == "http.response.start":
                begun = True
                own = list(message.get("headers", []))
                said = {name for name, _ in own}
                message["headers"] = [*own, *(header for header in HEADERS if header[0] not in said)]
            await send(message)

        try:
            headers = Headers(scope=scope)
            problem = self._objection(headers, scope["method"]) or await self._barred(headers, scope["path"])
            asked, hear = ({**scope, "method": "GET"}, _gone) if is_head else (scope, receive)
            await (problem.response() if problem else self._app)(asked, hear, send_guarded)
        except Exception:
            if begun:
                raise  # Nothing else can be answered any more: the server breaks the connection off, and logs why.
            LOGGER.exception("%s %r could not be answered", scope["method"], scope["path"])
            await _DEFECT.response()(scope, receive, send_guarded)

    async def _barred(self, headers: Headers, path: str) -> Problem | None:
        """Return why this may not be read, or None. What exists and what does not is the same to whoever may not read."""
        if self._readers is None or path in WITHOUT_TOKEN or path.startswith("/page/"):
            return None
        try:
            await _checked(headers, self._readers)
        except Problem as problem:
            return problem
        except (Refused, Unavailable) as error:
            return Problem(503, "unavailable", str(error))
        return None

    def _objection(self, headers: Headers, method: str) -> Problem | None:
        host = headers.get("host", "")
        if self._only_loopback and _name(host) not in LOOPBACK:
            return Problem(421, "host", f"this server goes by 127.0.0.1 or localhost, not by {host[:80]!r}; call it by one of these")
        origin = headers.get("origin")
        foreign = origin is not None and _site(origin) != host.lower()
        goes_here = (headers.get("sec-fetch-mode", "navigate"), headers.get("sec-fetch-dest", "document")) == ("navigate", "document")
        follows_link = method in ("GET", "HEAD") and goes_here
        if foreign or (not follows_link and headers.get("sec-fetch-site", "none") in ("cross-site", "same-site")):
            return Problem(
                403, "origin", "this request came from a page of another site; call the coordinator from its own pages or a program"
            )
        return None


async def _gone() -> Message:
    return {"type": "http.disconnect"}


def _name(host: str) -> str:
    """Return the host without its port; empty, which is nobody's, for what is no host."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _site(origin: str) -> str | None:
    """Return the host and port of an origin, None for what is no origin at all."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


# -- errors -----------------------------------------------------------------------------------------------------------


def _explain_errors(app: FastAPI) -> None:
    """Answer every error as problem+json: what came, what was expected, what to do; faults of ours are left to the door."""

    def on(kind: int | type[Exception], explain: Callable[[Any], Problem]) -> None:
        async def answer(_: Request, error: Exception) -> Response:
            return explain(error).response()

        app.add_exception_handler(kind, answer)

    on(Problem, lambda problem: problem)
    on(Refused, lambda refusal: Problem(400, "invalid", str(refusal)))
    on(Unavailable, lambda error: Problem(503, "unavailable", str(error)))
    on(RequestValidationError, lambda error: Problem(400, "invalid", _sentence(error)))
    on(404, lambda _: Problem(404, "not-found", "there is nothing under this path; see /help for what can be asked"))
    on(
        405,
        lambda error: Problem(
            405,
            "method",
            "this cannot be done here; events are sent to POST /signals, nearly all else is read with GET: /help has the list",
            allowed=_allowed(error.headers or {}),
        ),
    )


def _allowed(headers: Mapping[str, str]) -> str:
    """Return what may be done under a path, as the framework tells it and the door adds to it: whatever is read has a head."""
    methods = {method.strip() for method in headers.get("Allow", "").split(",")} - {""}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


async def _only_known_names(request: Request) -> None:
    """Raise a Problem where a question came with a name that it does not know: what was meant by it would silently not hold."""
    route = request.scope["route"]
    # The page's own address may come from anywhere, with anything behind it.
    if not route.include_in_schema or route.path in PROBED:
        return
    known = [parameter.alias for parameter in route.dependant.query_params]
    unknown = next((name for name in request.query_params if name not in known), None)
    if unknown is not None:
        hint = f"it knows {', '.join(known)}" if known else "it knows none"
        raise Problem(400, "invalid", f"{shown(unknown)} is no part of this question; {hint}: see /help, and leave it out or mend it")


EXPECTED = {  # by the kind of error that pydantic names
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
    "float_parsing": "a number",
    "decimal_parsing": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "string_too_long": "at most {max_length} characters",
    "enum": "{expected}",
}


def _sentence(error: RequestValidationError) -> str:
    """Return the first thing that is wrong with a question: what came, what was expected, what to do."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    if first["type"] == "missing":
        return f"{name} is missing; it is required: add it, /help tells what it is"
    expected = EXPECTED.get(first["type"], "another value").format_map(first.get("ctx", {}))
    return f"{name} is {shown(first['input'])}; {expected} was expected: mend it or leave it out, /help tells what it is"


def _json(value: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")
