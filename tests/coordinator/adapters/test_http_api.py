"""The door over HTTP: what goes in, what is turned away and how it is told, and the stream with its resumption."""

import http.client
import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import jsonschema
import pytest

from coordinator.adapters import http_api, walks
from coordinator.adapters.aside import Preparation
from coordinator.adapters.tokens import create_token
from coordinator.signals import event_json
from tests.coordinator.adapters.test_page import form_of
from tests.support.serving import RENNES, START_US, Answered, Served, serve, signal

OFFER, NEED = signal("offer", "atelier-nord", 120), signal("need", "clinique-ouest", 50)
STRUCTURED, LINES, BATCH = "application/cloudevents+json", "application/x-ndjson", "application/cloudevents-batch+json"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path / "log") as served:
        yield served


@pytest.fixture(scope="module")
def shut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all tests in which nothing gets in."""
    with serve(tmp_path_factory.mktemp("shut") / "log") as served:
        yield served


def is_problem(answer: Answered, status: int, code: str) -> bool:
    told = answer.json
    assert "Traceback" not in answer.body.decode()
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["detail"]
    return (answer.status, told["status"], told["code"]) == (status, status, code)


# -- what goes in -----------------------------------------------------------------------------------------------------


def test_one_event_is_taken_and_a_repeat_is_told(server: Served) -> None:
    first, again = server.post(OFFER), server.post(OFFER)
    assert (first.status, first.json["results"][0]["status"]) == (200, "taken")
    assert (again.status, again.json["results"][0]["status"]) == (200, "repeat")
    assert [row["stated"]["value"] for row in server.get("/offers")["items"]] == [120]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(OFFER + b"\n\n" + NEED + b"\n", LINES, id="lines"),
        pytest.param(b"[" + OFFER + b",\n" + NEED + b"]", BATCH, id="CloudEvents batch"),
        pytest.param(b" [" + OFFER + b"," + NEED + b"]", "application/json; charset=utf-8", id="JSON array"),
    ],
)
def test_many_events_go_in_at_once(server: Served, body: bytes, content_type: str) -> None:
    answer = server.post(body, content_type)
    assert (answer.status, [one["status"] for one in answer.json["results"]]) == (200, ["taken", "taken"])
    assert len(server.get("/network")["members"]["items"]) == 2


def test_a_binary_mode_event_goes_in_with_its_attributes_as_headers(server: Served) -> None:
    attributes = {name: str(value) for name, value in json.loads(OFFER).items() if name != "data"}
    headers = {f"ce-{name}": value.replace(" ", "%20") for name, value in attributes.items()}
    body = json.dumps(json.loads(OFFER)["data"]).encode()
    assert server.post(body, "application/json", **headers).json["results"][0]["status"] == "taken"
    assert server.post(OFFER).json["results"][0]["status"] == "repeat"


def test_what_is_good_in_a_batch_stands_and_each_line_is_told(server: Served) -> None:
    answer = server.post(b"\n".join([OFFER, b"{}", NEED]), LINES)
    assert answer.status == 207
    assert [one["status"] for one in answer.json["results"]] == ["taken", "refused", "taken"]
    assert "specversion" in answer.json["results"][1]["reason"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        pytest.param(b"", "application/json", 400, "invalid", id="nothing"),
        pytest.param(b"\n\n", LINES, 400, "invalid", id="blank lines"),
        pytest.param(b"[]", BATCH, 400, "invalid", id="empty batch"),
        pytest.param(b"[1", BATCH, 400, "invalid", id="broken batch"),
        pytest.param(b"{nonsense", "application/json", 400, "invalid", id="no JSON"),
        pytest.param(b'{"a":1,"a":2}', "application/json", 400, "invalid", id="a key twice"),
        pytest.param(b"[" * 100_000, "application/cloudevents+json", 400, "invalid", id="nested deep"),
        pytest.param(b"[" * 100_000, BATCH, 400, "invalid", id="batch nested deep"),
        pytest.param(b"\xff\xfe\x00", "application/json", 400, "invalid", id="no text"),
        pytest.param(OFFER.replace(b":120", b":-1"), "application/json", 400, "invalid", id="less than nothing"),
        pytest.param(OFFER.replace(b":120", b":1e400"), "application/json", 400, "invalid", id="more than a number"),
        pytest.param(OFFER.replace(b"agent:atelier-nord", b"coordinator:main"), "application/json", 400, "invalid", id="a false role"),
        pytest.param(
            event_json("tick", "coordinator:main", "t", START_US, {}), "application/json", 403, "speaker", id="the coordinator's kind"
        ),
        pytest.param(OFFER.replace(b"2026-03-01", b"2026-01-01"), "application/json", 400, "late", id="too late"),
        pytest.param(OFFER, "text/plain", 415, "media-type", id="what a form of another site could send"),
        pytest.param(OFFER, "application/x-www-form-urlencoded", 415, "media-type", id="a form"),
        pytest.param(b"x" * (2 << 20), "application/json", 400, "invalid", id="a line of two megabytes"),
        pytest.param(b"x" * (http_api.LARGEST_BODY + 1), LINES, 413, "too-large", id="a body beyond the limit"),
        pytest.param(b"{}\n" * (http_api.MOST_LINES + 1), LINES, 413, "too-large", id="too many lines"),
    ],
)
def test_what_cannot_be_taken_is_told_as_a_problem(shut: Served, body: bytes, content_type: str, status: int, code: str) -> None:
    before = shut.get("/digest")["digest"]
    assert is_problem(shut.post(body, content_type), status, code)
    assert shut.get("/digest")["digest"] == before
    assert shut.get("/offers")["items"] == []


def test_other_content_under_a_known_id_is_a_conflict(server: Served) -> None:
    server.post(OFFER)
    assert is_problem(server.post(OFFER.replace(b":120", b":121")), 409, "conflict")


def test_a_body_that_never_says_its_length_is_cut_off_at_the_limit(server: Served) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    chunks = (b" " * (1 << 20) for _ in range(64))
    told = None
    try:
        connection.request("POST", "/signals", chunks, {"content-type": LINES}, encode_chunked=True)
        told = connection.getresponse().status
    except (BrokenPipeError, ConnectionResetError):
        told = 413  # the server hung up on us in the middle of it
    finally:
        connection.close()
    assert told == 413
    assert server.get("/network")["agents"] == 0


def test_a_packed_body_is_not_unpacked(shut: Served) -> None:
    assert is_problem(shut.post(b"\x1f\x8b", LINES, **{"content-encoding": "gzip"}), 415, "media-type")


def test_what_was_refused_is_listed_by_kind_of_reason(server: Served) -> None:
    server.post(b"\n".join([OFFER, b"{}", b"{"]), LINES)
    told = server.get("/refused")
    assert told["counts"] == {"invalid": 2, "speaker": 0, "conflict": 0, "late": 0, "misplaced": 0}
    assert [row["said"] for row in told["items"]] == ["{}", "{"]
    page = server.get("/refused?limit=1")
    assert server.get(f"/refused?after={page['next']}")["items"] == told["items"][1:]


# -- who may speak ----------------------------------------------------------------------------------------------------


def test_who_may_write_what(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    nord, gone = create_token(tokens, "atelier-nord"), create_token(tmp_path / "other.json", "atelier-nord")
    with serve(tmp_path / "log", tokens) as server:
        for scheme, status, code in [
            (None, 401, "token"),
            ("Bearer ", 401, "token"),
            ("Bearer nonsense", 401, "token"),
            (f"Bearer {gone}", 401, "token"),
            (f"Basic {nord}", 401, "token"),
            (nord, 401, "token"),
        ]:
            headers = {} if scheme is None else {"authorization": scheme}
            for body in (OFFER, NEED, b"{}"):
                answer = server.post(body, **headers)
                assert is_problem(answer, status, code), scheme
                assert answer.headers["www-authenticate"] == "Bearer"
                assert nord not in answer.body.decode()
        own = {"authorization": f"Bearer {nord}"}
        assert is_problem(server.post(NEED, **own), 403, "speaker")
        mixed = server.post(NEED + b"\n" + OFFER, LINES, **own)
        assert (mixed.status, [one["status"] for one in mixed.json["results"]]) == (207, ["refused", "taken"])
        assert [row["agent"] for row in server.get("/network")["members"]["items"]] == ["atelier-nord"]


def test_one_route_takes_what_agents_say_and_one_begins_work_and_no_other_does_anything(shut: Served) -> None:
    routes = shut.get("/openapi.json")["paths"]
    writes = {(method, path) for path, ways in routes.items() for method in ways if method != "get"}
    assert writes == {("post", "/signals"), ("post", "/charter/compared")}
    for path in routes:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            if (method.lower(), path) not in writes:
                answer = shut.ask(method, path.replace("{start}", "x"), b"{}")
                assert is_problem(answer, 405, "method")
                assert answer.headers["allow"] == ("GET, HEAD" if "get" in routes[path] else "POST"), path
    assert is_problem(shut.ask("GET", "/signals"), 405, "method")


def test_whatever_is_read_has_a_head_and_no_path_is_another_with_a_slash_more(shut: Served) -> None:
    for template in sorted(path for path, ways in shut.get("/openapi.json")["paths"].items() if "get" in ways):
        path = re.sub(r"\{[^}]*\}", "nobody", template)
        head = shut.ask("HEAD", path)
        assert (head.status in (200, 400, 404), head.body) == (True, b""), path
        if path != "/events":  # which has no end
            read = shut.ask("GET", path)
            assert (head.status, head.headers["content-type"]) == (read.status, read.headers["content-type"]), path
    assert shut.ask("HEAD", "/events").headers["content-type"].startswith("text/event-stream")
    assert is_problem(shut.ask("GET", "/proposals/"), 404, "not-found")
    assert is_problem(shut.ask("GET", "/needs/"), 404, "not-found")


def test_attributes_that_others_add_are_kept_and_change_nothing(server: Served) -> None:
    added = OFFER.replace(b'"specversion"', b'"traceparent":"00-ab","specversion"', 1)
    assert added != OFFER
    assert [server.post(line).json["results"][0]["status"] for line in (added, OFFER)] == ["taken", "repeat"]
    records, _ = server.service.follow(-1)
    assert sum(b'"traceparent":"00-ab"' in record.text for record in records) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_a_page_of_another_site_cannot_write(shut: Served, headers: dict[str, str]) -> None:
    assert is_problem(shut.post(OFFER, **headers), 403, "origin")
    assert shut.get("/network")["agents"] == 0


@pytest.mark.parametrize(("mode", "use"), [("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe")])
def test_a_page_of_another_site_can_only_lead_here(shut: Served, mode: str, use: str) -> None:
    """A picture or frame in it cannot set off work; a link may be followed."""
    asked = {"sec-fetch-site": "cross-site", "sec-fetch-mode": mode, "sec-fetch-dest": use}
    assert is_problem(shut.ask("GET", "/charter/compared?start=true", headers=asked), 403, "origin")
    assert shut.get("/charter/compared")["running"] is None
    assert shut.ask("GET", "/", headers=asked | {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}).status == 200


def test_the_coordinators_own_pages_can_write(server: Served) -> None:
    assert server.post(OFFER, origin=server.url, **{"sec-fetch-site": "same-origin"}).status == 200


def test_a_page_of_another_site_cannot_follow(shut: Served) -> None:
    assert is_problem(shut.ask("GET", "/events", headers={"origin": "https://evil.example"}), 403, "origin")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[", "169.254.1.1"])
def test_a_name_that_was_rebound_to_this_machine_is_not_served(shut: Served, host: str) -> None:
    assert is_problem(shut.ask("GET", "/network", headers={"host": host}), 421, "host")


@pytest.mark.parametrize("path", ["/", "/help", "/network", "/nowhere", "/metrics"])
def test_every_answer_forbids_scripts_and_frames(shut: Served, path: str) -> None:
    headers = shut.ask("GET", path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")


# -- what anyone may read ---------------------------------------------------------------------------------------------


def test_lists_come_in_pages_and_by_agent_and_resource(server: Served) -> None:
    server.post(b"\n".join(signal("need", f"clinic-{number}", 10 + number) for number in range(7)), LINES)
    server.post(signal("need", "clinic-1", 5, resource="gown"))
    refs, after = [], ""
    while True:
        page = server.get(f"/needs?limit=3&after={after}")
        refs += [row["ref"] for row in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert refs == sorted(refs)
    assert len(refs) == 8
    assert [row["ref"] for row in server.get("/needs?resource=gown")["items"]] == ["clinic-1/need/gown"]
    assert len(server.get("/needs?agent=clinic-1")["items"]) == 2
    assert len(server.get("/network?limit=2")["members"]["items"]) == 2


def test_a_proposal_is_shown_with_its_state_and_found_by_the_beginning_of_its_id(server: Served) -> None:
    server.post(OFFER + b"\n" + NEED, LINES)
    server.wait(2)
    [row] = server.get("/proposals?agent=atelier-nord&state=proposed")["items"]
    assert (row["parties"], row["lines"][0]["quantity"]) == (["atelier-nord", "clinique-ouest"], {"value": 50, "unit": "1"})
    assert server.get(f"/proposals/{row['proposal'][:6]}") == row
    assert server.get("/proposals?agent=somebody-else")["items"] == []
    assert is_problem(server.ask("GET", "/proposals/ffffffffffffffff"), 404, "not-found")
    assert server.get("/needs")["items"][0]["proposed"] == {"value": 50, "unit": "1"}
    assert server.get("/network")["resources"]["face-shield"]["proposed"] == 50


@pytest.mark.parametrize(
    "path", ["/needs?limit=0", "/needs?limit=many", "/ledger?after=x", "/events?after=-2", "/refused?after=-1", "/proposals?state=acepted"]
)
def test_a_question_that_makes_no_sense_is_told_so(shut: Served, path: str) -> None:
    assert is_problem(shut.ask("GET", path), 400, "invalid")


def test_a_path_that_is_not_there_is_told_so(shut: Served) -> None:
    for path in ("/nowhere", "/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/docs", "/redoc"):
        assert is_problem(shut.ask("GET", path), 404, "not-found")


def test_it_says_what_it_is_and_describes_itself(shut: Served) -> None:
    page = shut.ask("GET", "/help")
    described = shut.get("/openapi.json")
    assert page.headers["content-type"].startswith("text/html")
    assert all(path in page.body.decode() for path in described["paths"])
    assert "application/cloudevents+json" in described["paths"]["/signals"]["post"]["requestBody"]["content"]


def test_every_answer_is_of_a_kind_that_it_describes(server: Served) -> None:
    for path, ways in server.get("/openapi.json")["paths"].items():
        for method, told in ways.items():
            assert "422" not in told["responses"]
            problem = told["responses"]["default"]["content"]["application/problem+json"]["schema"]
            if path == "/events":
                continue  # It never ends: see those who follow it.
            answer = server.ask(
                method.upper(), re.sub(r"\{[^}]*\}", "nobody", path), OFFER if method == "post" else None, {"content-type": STRUCTURED}
            )
            kind = answer.headers["content-type"].partition(";")[0]
            if str(answer.status) in told["responses"]:
                assert kind in told["responses"][str(answer.status)]["content"], path
            else:
                assert kind == "application/problem+json", path
                jsonschema.validate(answer.json, problem)


def test_what_became_of_each_word_is_described(server: Served) -> None:
    described = server.get("/openapi.json")["paths"]["/signals"]["post"]["responses"]
    for body, status in ((OFFER, 200), (OFFER + b"\n{}", 207)):
        answer = server.post(body, LINES)
        assert answer.status == status
        jsonschema.validate(answer.json, described[str(status)]["content"]["application/json"]["schema"])


def test_names_are_shown_as_text_not_run(server: Served) -> None:
    name = '<script>alert(1)</script>"><img onerror=x>{{7*7}}'
    server.post(event_json("agent", "agent:x", "agent", START_US, {"name": name}))
    answer = server.ask("GET", "/network")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["members"]["items"][0]["name"] == name


def test_health_readiness_and_figures_are_told(server: Served) -> None:
    server.post(OFFER)
    server.post(b"{}")
    server.wait(2)
    assert server.get("/healthz") == {"status": "ok"}
    ready = server.get("/readyz")
    assert (ready["ready"], ready["cycles"]) == (True, 1)
    assert ready["cycle_age_seconds"] >= 0
    figures = server.ask("GET", "/metrics").body.decode()
    assert re.search(r'^stigmergy_lines_total\{result="taken"\} 1\.0$', figures, flags=re.M)
    assert re.search(r'^stigmergy_refused_total\{reason="invalid"\} 1\.0$', figures, flags=re.M)
    assert re.search(r"^stigmergy_ready 1\.0$", figures, flags=re.M)


def test_while_the_solver_is_compiled_questions_that_take_it_are_told_to_come_again_and_nobody_else_waits(tmp_path: Path) -> None:
    compiling = Event()
    compiling.set()
    with serve(tmp_path / "log", solver=Preparation(compiling.is_set, patience_s=0)) as server:
        assert server.post(OFFER).json["results"][0]["status"] == "taken"
        assert server.post(NEED).json["results"][0]["status"] == "taken"
        server.wait(2)
        ready = server.get("/readyz")
        assert (ready["ready"], ready["compiling"]) == (True, True)
        asked = ["/needs/clinique-ouest/need/face-shield/why", "/needs/clinique-ouest/need/face-shield/explode"]
        asked += ["/pressure/face-shield", "/opportunities/atelier-nord"]
        for path in asked:
            answer = server.ask("GET", path)
            assert is_problem(answer, 503, answer.json["code"])
            assert "still getting ready: the solver is compiled once on a machine, about half a minute" in answer.json["detail"]
        assert len(server.get("/needs")["items"]) == len(server.get("/proposals")["items"]) == 1
        compiling.clear()
        assert [server.ask("GET", path).status for path in asked] == [200] * len(asked)
        assert server.get("/readyz")["compiling"] is False


def test_a_fault_of_ours_is_told_without_its_inside(
    server: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It carries the headers of every other answer, and what happened is in the server's log."""

    def broken(*_: Any) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(server.service, "refused", broken)
    answer = server.ask("GET", "/refused")
    assert is_problem(answer, 500, "defect")
    assert b"inside" not in answer.body
    usual = server.ask("GET", "/nowhere").headers
    guards = [name.decode() for name, _ in http_api.HEADERS]
    assert [answer.headers.get(name) for name in guards] == [usual[name] for name in guards]
    [logged] = [record for record in caplog.records if record.name == http_api.__name__]
    assert logged.getMessage() == "GET '/refused' could not be answered"
    assert logged.exc_info is not None


# -- more than can be taken -------------------------------------------------------------------------------------------


def figure(server: Served, name: str) -> float:
    lines = server.ask("GET", "/metrics").body.decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (
            "/needs?foo=1",
            '"foo" is no part of this question; it knows limit, after, agent, resource: see /help, and leave it out or mend it',
        ),
        ("/proposals?agent=a&sate=proposed", '"sate" is no part of this question; it knows limit, after, agent, resource, state: see'),
        ("/shortage?agent=a", '"agent" is no part of this question; it knows none: see /help'),
        ("/events?since=1", '"since" is no part of this question; it knows after: see'),
        ("/map?x=%3Cb%3E", '"x" is no part of this question; it knows none: see'),
    ],
)
def test_a_name_that_a_question_does_not_know_is_told_so(server: Served, path: str, sentence: str) -> None:
    answer = server.ask("GET", path)
    assert (answer.status, answer.json["code"]) == (400, "invalid")
    assert answer.json["detail"].startswith(sentence)


def test_where_others_share_the_work_a_place_behind_what_was_read_here_is_asked_for_again_later(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.service, "others_may_be_ahead", lambda records: records <= 7)
    answer = server.ask("GET", "/ledger?after=7")
    assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "unavailable", "2")
    assert answer.json["detail"].startswith("this coordinator has read 0 records of the ledger so far, and after is 7: another that")
    assert server.ask("GET", "/ledger?after=0").status == 200
    assert server.ask("GET", "/ledger?after=7&newest=true").status == 200
    assert server.ask("GET", "/ledger?after=8").status == 400  # as far as nobody is


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/needs?limit=abc", 'limit is "abc"; a whole number was expected: mend it or leave it out'),
        ("/needs?limit=0", 'limit is "0"; 1 or more was expected: mend it'),
        ("/needs?limit=5000", 'limit is "5000"; 1000 or less was expected: mend it'),
        ("/refused?after=1.5", 'after is "1.5"; a whole number was expected: mend it'),
        ("/ledger?newest=perhaps", 'newest is "perhaps"; true or false was expected: mend it'),
        ("/ledger?after=99999999999999999999", "after is 99999999999999999999, but the ledger ends at 0 so far"),
        ("/proposals?state=lost", "state is \"lost\"; 'proposed', 'promised'"),
        (f"/needs?agent={'a' * 129}", 'agent is "aaa'),
        ("/search", "q is missing; it is required: add it"),
    ],
)
def test_a_value_that_a_question_cannot_take_is_told_with_what_was_expected(server: Served, path: str, sentence: str) -> None:
    answer = server.ask("GET", path)
    assert (answer.status, answer.json["code"]) == (400, "invalid")
    assert answer.json["detail"].startswith(sentence)


@pytest.mark.parametrize("path", ["/healthz?verbose", "/readyz?x=1", "/metrics?x=1"])
def test_whoever_probes_may_add_names_of_its_own(server: Served, path: str) -> None:
    assert server.ask("GET", path).status == 200


def test_every_question_takes_the_names_that_it_tells_of(server: Served) -> None:
    """And the page's own address whatever stands behind it."""
    for path, ways in server.get("/openapi.json")["paths"].items():
        names = [each["name"] for each in ways.get("get", {}).get("parameters", []) if each["in"] == "query"]
        if names and path != "/events":
            query = "&".join(f"{name}=" for name in names)
            assert "is no part of this question" not in server.ask("GET", f"{path}?{query}").body.decode()
    assert server.ask("GET", "/?from=elsewhere").status == 200


@pytest.mark.parametrize(
    ("bound", "most"),
    [pytest.param("MOST_WAITING", 3, id="so many requests"), pytest.param("MOST_HELD", 3 * len(OFFER), id="so many bytes")],
)
def test_a_flood_is_turned_away_with_a_sentence_and_what_waited_is_taken(
    bound: str, most: int, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_api, bound, most)
    lines = [signal("offer", f"maker-{number:06}", 120) for number in range(13)]
    assert {len(line) for line in lines} == {len(OFFER)}
    with ThreadPoolExecutor(3) as threads:
        with server.service.reading():  # nothing is taken meanwhile, as while a long cycle plans
            waiting = [threads.submit(server.post, line) for line in lines[:3]]
            while figure(server, "stigmergy_requests_waiting") < 3:
                time.sleep(0.01)
            flood = [server.post(line) for line in lines[3:]]
            assert figure(server, "stigmergy_requests_waiting") == 3
        taken = [each.result().json["results"][0]["status"] for each in waiting]
    assert taken == ["taken"] * 3
    assert all(is_problem(answer, 503, "busy") for answer in flood)
    assert all("say it again" in answer.json["detail"] and answer.headers["retry-after"] == "2" for answer in flood)
    assert figure(server, "stigmergy_requests_turned_away_total") == 10
    assert [server.post(line).json["results"][0]["status"] for line in lines[3:]] == ["taken"] * 10
    assert figure(server, "stigmergy_requests_waiting") == 0


def test_who_promises_much_and_sends_it_slowly_takes_no_room_from_others(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_api, "MOST_HELD", 2_000)
    monkeypatch.setattr(http_api, "MOST_WAITING", 3)
    slow = [socket.create_connection((server.host, server.port), timeout=20) for _ in range(10)]
    for one in slow:
        one.sendall(f"POST /signals HTTP/1.1\r\nhost: {server.host}\r\ncontent-type: {LINES}\r\ncontent-length: 1000\r\n\r\n".encode())
        one.sendall(b"x" * 100)
    queue = server.app.state.queue
    while queue.held < 1_000:
        time.sleep(0.01)
    assert server.post(OFFER).status == 200
    for one in slow:
        one.sendall(b"x" * 890)  # all but the last ten bytes
    while queue.turned_away < 8:  # two of ten fit
        assert queue.held <= 2_000 + 890
        time.sleep(0.01)
    assert queue.held == 2 * 990
    for one in slow:
        one.close()
    while queue.held:
        time.sleep(0.01)
    assert server.post(NEED).status == 200


def test_one_large_request_is_taken_however_little_may_be_held(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_api, "MOST_HELD", 1)
    assert server.post(OFFER).status == 200


# -- questions that go through all there is ----------------------------------------------------------------------------

WALKS = {
    *("/digest", "/map", "/search", "/agents/newest", "/needs/{need}/history", "/needs/{need}/why", "/needs/{need}/explode"),
    *("/proposals/{proposal}/alternatives", "/proposals/{proposal}/without", "/makers/{design}", "/workshops/{agent}"),
    *("/opportunities/{agent}", "/pressure/{name}", "/network/stats", "/network/upstream/{name}", "/network/tree/{name}"),
    *("/network/hours", "/network/downstream/{agent}", "/network/weak-points", "/network/unreachable"),
}


def test_nobody_waits_behind_questions_that_go_through_all_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask: as many are answered as there is room for, and one more is told so."""
    most, go_on = 45, Event()  # more than the threads that all other questions share
    monkeypatch.setattr(walks, "MOST_WALKS", most)
    monkeypatch.setattr("coordinator.adapters.network_questions.weak_points", lambda *_: {"waited": go_on.wait(30)})
    token = create_token(tmp_path / "tokens", "atelier-nord")
    with serve(tmp_path / "log", tmp_path / "tokens") as server, ThreadPoolExecutor(most) as threads:
        asking = [threads.submit(server.ask, "GET", "/network/weak-points") for _ in range(most)]
        try:
            while figure(server, "stigmergy_questions_waiting") < most:
                time.sleep(0.01)
            assert server.post(OFFER, authorization=f"Bearer {token}").status == 200
            assert [row["agent"] for row in server.get("/offers?limit=1")["items"]] == ["atelier-nord"]
            one_more = server.ask("GET", "/network/stats")
        finally:
            go_on.set()
        assert {each.result().status for each in asking} == {200}
        assert is_problem(one_more, 503, "unavailable")
        assert one_more.json["detail"] == "45 questions that go through all there is wait already; ask again in a few seconds"
        assert form_of(one_more.json["detail"]) == "busy_walks"
        assert one_more.headers["retry-after"] == "2"
        assert figure(server, "stigmergy_questions_turned_away_total") == 1
        assert server.ask("GET", "/network/stats").status == 200
        assert figure(server, "stigmergy_questions_waiting") == 0


def test_only_questions_that_go_through_all_there_is_wait_in_their_queue(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walks, "MOST_WALKS", 0)
    paths = [path for path, ways in server.get("/openapi.json")["paths"].items() if "get" in ways and path != "/events"]
    answers = {path: server.ask("GET", re.sub(r"\{\w+\}", "x", path) + ("?q=x" if path == "/search" else "")) for path in paths}
    assert {path for path, answer in answers.items() if answer.status == 503} == WALKS


def test_answers_of_a_moment_tell_how_many_entries_they_count_and_programs_are_told_so(server: Served) -> None:
    server.post(OFFER)
    name, entries = "stigmergy-entries", str(server.get("/readyz")["entries"])
    described = server.get("/openapi.json")["paths"]
    telling = {
        path for path, ways in described.items() if name in ways.get("get", {}).get("responses", {}).get("200", {}).get("headers", {})
    }
    assert telling == WALKS - {"/digest", "/map", "/needs/{need}/history"}
    asked = {path: path + ("?q=x" if path == "/search" else "") for path in WALKS if "{" not in path}
    asked["/opportunities/{agent}"] = "/opportunities/atelier-nord"
    answers = {path: server.ask("GET", address) for path, address in asked.items()}
    assert {answer.status for answer in answers.values()} == {200}
    told = {path: answer.headers[name] for path, answer in answers.items() if name in answer.headers}
    assert told == dict.fromkeys(telling & asked.keys(), entries)


# -- the stream as it grows -------------------------------------------------------------------------------------------


class Follower:
    """Reads server-sent events off a plain connection, as a browser's EventSource does."""

    def __init__(self, server: Served, path: str = "/events", last: int | None = None) -> None:
        self.connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
        self.connection.request("GET", path, headers={} if last is None else {"last-event-id": str(last)})
        self.response = self.connection.getresponse()

    def next(self) -> tuple[int, str, dict[str, Any]]:
        fields: dict[str, str] = {}
        while True:
            line = self.response.readline().decode().rstrip("\n")
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif not line and "data" in fields:
                return int(fields["id"]), fields["event"], json.loads(fields["data"])

    def drop(self) -> None:
        self.connection.close()
        self.response.close()


def test_a_follower_sees_what_is_said_and_decided_and_resumes_after_a_drop(server: Served) -> None:
    follower = Follower(server)
    assert follower.response.headers["content-type"].startswith("text/event-stream")
    server.post(OFFER)
    first, stream, told = follower.next()
    assert (stream, told["position"], told["event"]["subject"]) == ("signal", first, "face-shield")
    follower.drop()
    server.post(NEED)
    server.wait(2)
    again = Follower(server, last=first)
    seen = [again.next() for _ in range(3)]
    again.drop()
    assert [stream for _, stream, _ in seen] == ["signal", "signal", "proposal"]  # the need, the tick, and what came of it
    assert seen[0][2]["event"]["source"] == "agent:clinique-ouest"
    assert [position for position, _, _ in seen] == [first + 1, first + 2, first + 3]
    from_the_start = Follower(server, "/events?after=-1")
    assert [from_the_start.next()[0] for _ in range(5)] == [0, 1, 2, 3, 4]
    from_the_start.drop()


def test_a_position_of_another_log_is_refused(shut: Served) -> None:
    assert is_problem(shut.ask("GET", "/events", headers={"last-event-id": "99999"}), 400, "other-log")
    assert is_problem(shut.ask("GET", "/events", headers={"last-event-id": "-1 or 1=1"}), 400, "invalid")


def test_a_position_not_read_again_yet_is_no_other_log(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A coordinator that begins on a long log has fewer entries at first; who follows keeps the place."""
    monkeypatch.setattr(server.service, "_failure", "the history is being read")
    answer = server.ask("GET", "/events?after=99999")
    assert is_problem(answer, 503, "unavailable")
    assert "the history is being read" in answer.json["detail"]
    assert answer.headers["retry-after"] == "2"


def test_followers_beyond_the_limit_are_turned_away(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_api, "LISTENERS", 1)
    first = Follower(server)
    answer = server.ask("GET", "/events")
    first.drop()
    assert is_problem(answer, 503, "busy")
    assert "retry-after" in answer.headers


def test_a_follower_that_takes_nothing_is_let_go_and_holds_nobody_up(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.adapters.feed.SEND_S", 0.2)
    server.post(b"\n".join(signal("offer", f"maker-{number}", 1) for number in range(2)), LINES)
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    deaf.settimeout(20)
    deaf.connect((server.host, server.port))
    deaf.sendall(f"GET /events?after=-1 HTTP/1.1\r\nhost: {server.host}\r\n\r\n".encode())
    for round_ in range(12):
        lines = [signal("offer", f"maker-{number}", 1 + round_, place=RENNES | {"label": "x" * 250}) for number in range(1_500)]
        assert server.post(b"\n".join(lines), LINES).status == 200
    healthy = Follower(server, last=server.get("/readyz")["entries"] - 2)
    assert healthy.next()[0] == server.get("/readyz")["entries"] - 1
    healthy.drop()
    for _ in range(2_000):
        if "stigmergy_listeners 0.0" in server.ask("GET", "/metrics").body.decode():
            break
        server.wait(0.01)
    figures = server.ask("GET", "/metrics").body.decode()
    assert "stigmergy_listeners 0.0" in figures
    assert "stigmergy_listeners_let_go_total 1.0" in figures
    deaf.close()
    back = Follower(server, last=7)
    assert [back.next()[0] for _ in range(3)] == [8, 9, 10]
    back.drop()
