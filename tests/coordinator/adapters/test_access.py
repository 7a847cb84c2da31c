"""Who may do what, over every route there is: with no token, one of nobody, one that is over, another agent's, one that only reads."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path

import pytest

from coordinator.adapters import feed
from coordinator.adapters.http_api import WITHOUT_TOKEN
from coordinator.adapters.page import FILES
from coordinator.adapters.tokens import create_token, revoke_tokens
from coordinator.errors import Refused
from coordinator.signals import event_json
from coordinator.times import DAY_US
from tests.support.serving import START_US, Answered, Served, serve, signal

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
LINES = "application/x-ndjson"


@dataclass(frozen=True)
class Guarded:
    server: Served
    tokens: dict[str, str | None]

    def ask(self, method: str, path: str, whose: str, body: bytes | None = None) -> Answered:
        token = self.tokens[whose]
        headers = {"content-type": "application/cloudevents+json"} | ({"authorization": f"Bearer {token}"} if token else {})
        return self.server.ask(method, path, body, headers)

    def paths(self) -> list[str]:
        """Every route of the server, with a value in the place of each parameter."""
        from fastapi.routing import APIRoute

        routes = self.server.app.routes
        return sorted({re.sub(r"\{[^}]*\}", "x", route.path) for route in routes if isinstance(route, APIRoute)} | {"/openapi.json"})


@pytest.fixture(scope="module", params=["open", "tokens"])
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    path = folder / "tokens.json"
    tokens: dict[str, str | None] = {
        "nobody": None,
        "unknown": create_token(folder / "other.json", "atelier-nord"),
        "over": create_token(path, "atelier-nord", days=1, now_us=START_US - DAY_US),
        "other": create_token(path, "clinique-ouest"),
        "reader": create_token(path, name="press"),
        "coordinator": create_token(path, name="maria", answers=["atelier-nord", "clinique-ouest"]),
        "own": create_token(path, "atelier-nord"),
    }
    with serve(folder / "log", path, reading=request.param) as server:
        yield Guarded(server, tokens)


BEGINS_WORK = ("POST", "/charter/compared")  # for whoever may read: it writes nothing


def is_open(guarded: Guarded, path: str) -> bool:
    return guarded.server.reading == "open" or path in WITHOUT_TOKEN or path.startswith("/page/")


@pytest.mark.parametrize("whose", ["nobody", "unknown", "over"])
def test_whoever_has_no_token_that_holds_reads_what_is_open_and_writes_nothing(guarded: Guarded, whose: str) -> None:
    """Where reading takes a token, a path that does not exist is told as one that does."""
    paths = guarded.paths()
    assert len(paths) > 30 + len(FILES)
    for path in [*paths, "/nothing-of-this-name"]:
        for method in METHODS:
            if method == "GET" and path == "/events" and is_open(guarded, path):
                continue  # It does not end; that it opens is tested where it is read.
            answer = guarded.ask(method, path, whose, b"{}" if method not in ("GET", "HEAD") else None)
            says_who = path == "/session" and method in ("GET", "HEAD") and whose != "nobody"
            if not is_open(guarded, path) or (method, path) == ("POST", "/signals") or says_who:
                assert answer.status == 401, (method, path)
            elif (method, path) == BEGINS_WORK:
                assert answer.status == 202
            else:
                assert answer.status in ((200, 304, 400, 404, 405) if method in ("GET", "HEAD") else (405, 404)), (method, path)
    assert guarded.server.service.status().counts["taken"] == 0


@pytest.mark.parametrize("whose", ["reader", "other", "coordinator", "own"])
def test_whoever_has_a_token_reads_all_there_is_and_writes_by_one_way_alone(guarded: Guarded, whose: str) -> None:
    for path in guarded.paths():
        for method in METHODS:
            if path == "/events" or (method, path) == ("POST", "/signals"):
                continue
            status = guarded.ask(method, path, whose).status
            allowed = (202,) if (method, path) == BEGINS_WORK else (200, 400, 404, 405) if method in ("GET", "HEAD") else (405,)
            assert status in allowed, (method, path)


OFFER = signal("offer", "atelier-nord", 120)


@pytest.mark.parametrize(
    ("whose", "status", "code"),
    [
        ("nobody", 401, "token"),
        ("unknown", 401, "token"),
        ("over", 401, "token"),
        ("reader", 403, "scope"),
        ("other", 403, "speaker"),
        ("coordinator", 403, "speaker"),
    ],
)
def test_nobody_but_who_speaks_for_an_agent_says_what_it_has(guarded: Guarded, whose: str, status: int, code: str) -> None:
    for body, content_type in (
        (OFFER, "application/cloudevents+json"),
        (OFFER + b"\n" + OFFER, LINES),
        (b"[" + OFFER + b"]", "application/json"),
    ):
        token = guarded.tokens[whose]
        headers = {"authorization": f"Bearer {token}"} if token else {}
        answer = guarded.server.post(body, content_type, **headers)
        assert (answer.status, answer.json["code"]) == (status, code)
        assert token is None or token not in answer.body.decode()
    assert guarded.server.service.status().counts["taken"] == 0


def test_what_is_open_without_a_token_is_what_signing_in_takes(guarded: Guarded) -> None:
    told = guarded.ask("GET", "/session", "nobody").json
    assert told == {"tokens": True, "reading": guarded.server.reading, "agent": None}
    mine = guarded.ask("GET", "/session", "coordinator").json
    assert (mine["name"], mine["speaks"], mine["answers"]) == ("maria", [], ["atelier-nord", "clinique-ouest"])
    assert guarded.ask("GET", "/session", "own").json["agent"] == "atelier-nord"


def test_a_stream_that_is_being_read_ends_where_its_token_is_revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "LOOK_S", 0.0)
    path = tmp_path / "tokens.json"
    own, reader, other = create_token(path, "atelier-nord"), create_token(path, name="press"), create_token(path, name="radio")
    with serve(tmp_path / "log", path, reading="tokens") as server, server.listening(reader) as stream, server.listening(other) as going_on:
        for quantity, revoked in ((50, False), (60, True)):
            if revoked:
                assert revoke_tokens(path, "press") == 1
            said = signal("offer", "atelier-nord", quantity)
            assert server.post(said, authorization=f"Bearer {own}").status == 200
            told = b'"value":%d' % quantity
            assert told in until(told, going_on)
            if revoked:
                assert told not in stream.read(), "it came to its end, and nothing more was told"
            else:
                assert told in until(told, stream)


def until(text: bytes, stream: HTTPResponse) -> bytes:
    """Return what a stream tells up to a line with this text."""
    read = b""
    while text not in read:
        line = stream.readline()
        assert line, f"the stream ended after {read!r}"
        read += line
    return read


def test_reading_takes_no_tokens_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="token create"), serve(tmp_path / "log", reading="tokens"):
        pass


def test_who_answers_for_others_is_named_in_the_ledger_and_only_the_door_names_them(tmp_path: Path) -> None:
    """Whatever the line itself says of who spoke is left out; the agent's own word names nobody else."""
    path = tmp_path / "tokens.json"
    names = ("atelier-nord", "clinique-ouest")
    own = {name: create_token(path, name) for name in names}
    maria = create_token(path, name="maria", answers=["clinique-ouest"])
    with serve(tmp_path / "log", path) as server:
        for kind, agent in (("offer", names[0]), ("need", names[1])):
            assert server.post(signal(kind, agent, 50), authorization=f"Bearer {own[agent]}").status == 200
        server.wait(2)
        [proposal] = server.get("/proposals")["items"]
        for agent, token in ((names[0], own[names[0]]), (names[1], maria)):
            data = {"proposal": proposal["proposal"], "answer": "accept"}
            line = event_json("answer", f"agent:{agent}", proposal["proposal"], server.clock.now_us, data)
            line = line.replace(b'"data":', b'"spokenby":"the-king","data":')
            answer = server.post(line, authorization=f"Bearer {token}")
            assert answer.status == 200
            assert server.post(line, authorization=f"Bearer {token}").json["results"][0]["status"] == "repeat"
        told = [(row["kind"], row["agent"], row.get("spoken_by")) for row in server.get("/ledger")["items"]]
        assert told == [("promised", names[0], None), ("promised", names[1], "maria"), ("committed", names[0], None)]
        digest = server.get("/digest")["digest"]
    with serve(tmp_path / "log", path) as again:  # The log tells it all anew.
        assert again.get("/digest")["digest"] == digest
        assert again.get("/ledger")["items"][1]["spoken_by"] == "maria"


@pytest.mark.parametrize("field", ["status", "standing", "epoch", "source", "offset", "spoken_by", "proposal"])
def test_what_is_not_the_speakers_to_say_is_refused_in_the_body(guarded: Guarded, field: str) -> None:
    headers = {"authorization": f"Bearer {guarded.tokens['own']}"}
    answer = guarded.server.post(signal("offer", "atelier-nord", 120, **{field: "x"}), **headers)
    assert (answer.status, answer.json["code"]) == (400, "invalid")
    assert field in answer.json["detail"]
