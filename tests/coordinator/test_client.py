"""The client: five lines from an offer to a commitment, with the server's own sentences where something is wrong."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from coordinator import client as client_module
from coordinator.adapters.tokens import create_token
from coordinator.client import Client
from coordinator.errors import Refused, Unavailable
from tests.support.serving import RENNES, START_US, Served, serve


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path / "log") as served:
        yield served


def proposed(server: Served, offered: int = 120, needed: int = 50) -> tuple[Client, Client, str]:
    nord, ouest = server.client("atelier-nord"), server.client("clinique-ouest")
    nord.offer("face-shield", offered, place=RENNES)
    ouest.need("face-shield", needed, tier=0, place=RENNES, due=datetime(2026, 3, 5, 12, tzinfo=UTC))
    server.wait(2)
    [proposal] = nord.proposals("proposed")
    return nord, ouest, proposal["proposal"]


def test_two_clients_come_to_a_commitment_and_fulfil_it(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    keys = {agent: create_token(tokens, agent) for agent in ("atelier-nord", "clinique-ouest")}
    with serve(tmp_path / "log", tokens) as server:
        nord, ouest = (server.client(agent, keys[agent]) for agent in ("atelier-nord", "clinique-ouest"))
        nord.offer("face-shield", 120, place=RENNES)
        ouest.need("face-shield", 50, tier=0, place=RENNES)
        server.wait(2)
        [proposal] = ouest.proposals()
        assert [verdict["kind"] for verdict in nord.accept(proposal["proposal"])["decided"]] == ["promised"]
        assert [verdict["kind"] for verdict in ouest.accept(proposal["proposal"])["decided"]] == ["promised", "committed"]
        assert ouest.proposal(proposal["proposal"][:8])["state"] == "committed"
        nord.report(proposal["proposal"], "transfer", 20)
        server.wait(1)
        nord.report(proposal["proposal"], "transfer")
        assert nord.proposals("fulfilled")[0]["arrived"] == [1.0]
        assert [row["kind"] for row in nord.pages("/ledger", agent="atelier-nord")][-2:] == ["delivered", "fulfilled"]
        with pytest.raises(Refused, match="everybody speaks for itself"):
            server.client("clinique-ouest", keys["atelier-nord"]).offer("face-shield", 1)
        with pytest.raises(Refused, match="no valid token"):
            server.client("atelier-nord").offer("face-shield", 1)


def test_the_same_words_again_refresh_and_other_words_replace(server: Served) -> None:
    nord = server.client("atelier-nord")
    nord.offer("face-shield", 120)
    server.wait(1)
    nord.offer("face-shield", 80)
    assert [row["stated"]["value"] for row in nord.pages("/offers")] == [80]
    server.wait(1)
    nord.withdraw("offer", "face-shield")
    assert list(nord.pages("/offers")) == []


def test_windows_of_hours_stand_beside_each_other(server: Served) -> None:
    nord = server.client("atelier-nord")
    nord.capacity("fff-printing", 8, datetime(2026, 3, 2, 8, tzinfo=UTC), "2026-03-02T22:00:00Z")
    nord.capacity("fff-printing", 6.5, "2026-03-03T09:00:00+01:00", "2026-03-03T22:00:00Z")
    server.client("clinique-ouest").need_hours("fff-printing", 1.5)
    assert [(row["begin"], row["stated"]["value"]) for row in nord.pages("/offers")] == [
        ("2026-03-02T08:00:00Z", 8),
        ("2026-03-03T08:00:00Z", 6.5),
    ]
    assert next(nord.pages("/needs"))["process"] == "fff-printing"


def test_a_decline_frees_and_a_counter_takes_less(server: Served) -> None:
    nord, ouest, proposal = proposed(server)
    assert [verdict["kind"] for verdict in nord.counter(proposal, 20, reason="one printer is down")["decided"]] == ["countered"]
    server.wait(2)
    [smaller] = ouest.proposals("proposed")
    assert smaller["lines"][0]["quantity"] == {"value": 20, "unit": "1"}
    assert [verdict["kind"] for verdict in ouest.decline(smaller["proposal"], "found elsewhere")["decided"]] == ["declined"]
    assert ouest.proposal(smaller["proposal"])["state"] == "declined"


def test_what_the_ledger_refuses_is_raised_with_its_reason(server: Served) -> None:
    nord, _, proposal = proposed(server)
    nord.accept(proposal)
    server.wait(1)
    with pytest.raises(Refused, match=r"accepted proposal .* already"):
        nord.accept(proposal)
    with pytest.raises(Refused, match="not a party"):
        server.client("a-stranger").accept(proposal)
    with pytest.raises(Refused, match="no proposal"):
        nord.accept("0" * 32)


@pytest.mark.parametrize(
    ("act", "complaint"),
    [
        (lambda client: client.offer("face-shield", -1), "quantity"),
        (lambda client: client.offer("face-shield", 0.5), "whole"),
        (lambda client: client.offer("face-shield", 1, "box"), "unit"),
        (lambda client: client.offer("face-shield", 1, expires=datetime(2026, 3, 5)), "offset"),
        (lambda client: client.need("face-shield", 1, teir=0), "did you mean tier"),
        (lambda client: client.say("wish", "x", {}), "type is"),
        (lambda client: Client("http://127.0.0.1:9").offer("x", 1), "nobody speaks"),
        (lambda client: client.proposal(""), "there is no proposal"),
        (lambda client: Client("ftp://example.org"), "http://"),
        (lambda client: Client("file:///etc/passwd"), "http://"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(act: Any, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        act(Client("http://127.0.0.1:9", agent="atelier-nord", tries=1))


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://[::1", "a host was expected"),
        ("http://[zz]", "a host was expected"),
        ("http://", "a host was expected"),
        ("http://a%20b", "a host was expected"),
        ("http://a..b", "a host was expected"),
        (f"http://{'a' * 64}.example", "a host was expected"),
        ("http://a b", "blanks and hidden characters"),
        ("http://a\nb", "blanks and hidden characters"),
        ("http://h:abc", "from 1 to 65535"),
        ("http://h:99999", "from 1 to 65535"),
        ("http://h:0", "from 1 to 65535"),
        ("http://h/?page=1", "beyond ASCII in its path"),
        ("http://h/é", "beyond ASCII in its path"),
    ],
)
def test_an_address_that_can_never_work_is_no_matter_of_trying_again(url: str, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        Client(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1", "https://h:443/below", "http://[::1]:8765/", "http://münchen.example", "http://a_b:1"])
def test_an_address_that_may_work_is_taken(url: str) -> None:
    assert Client(url).url == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("http://bob:s3cret@h", None),
        ("http://bob:s3c/ret@h", None),
        ("ftp://bob:s3cret@[h", None),
        ("http://h", "s3cret\nx"),
        ("http://h", "s3cret€"),
        ("http://h", ""),
    ],
)
def test_what_may_be_a_secret_is_refused_and_not_repeated(url: str, token: str | None) -> None:
    with pytest.raises(Refused, match=r"the address has a name|the token has blanks") as refused:
        Client(url, token=token)
    assert "s3c" not in str(refused.value)


def test_nobody_there_is_told_as_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(client_module.time, "sleep", waits.append)
    with pytest.raises(Unavailable, match="does not answer"):
        Client("http://127.0.0.1:9", agent="atelier-nord", tries=3, timeout_s=2).offer("face-shield", 1)
    assert waits == list(client_module.AGAIN_S[:2])


@contextmanager
def answering(*answers: tuple[int, dict[str, str], bytes]) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A server that gives these answers in turn and keeps what was sent: (authorization, body)."""
    left, heard = list(answers), []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append((self.headers.get("authorization", ""), self.rfile.read(int(self.headers["content-length"]))))
            status, headers, body = left.pop(0)
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    httpd = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}", heard
    finally:
        httpd.shutdown()
        httpd.server_close()


def test_what_may_pass_is_tried_again_with_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module.time, "sleep", lambda _: None)
    fine = json.dumps({"results": [{"status": "taken"}]}).encode()
    with answering((503, {}, b"{}"), (500, {}, b"<html>"), (200, {}, fine)) as (url, heard):
        assert Client(url, agent="atelier-nord", token="t", tries=3).offer("face-shield", 1) == {"status": "taken"}
    assert len({body for _, body in heard}) == 1
    assert [token for token, _ in heard] == ["Bearer t"] * 3


def test_a_token_does_not_follow_a_redirect() -> None:
    with answering((200, {}, b"{}")) as (elsewhere, heard), answering((307, {"location": f"{elsewhere}/signals"}, b"")) as (url, _):
        with pytest.raises(Refused, match="307"):
            Client(url, agent="atelier-nord", token="t", tries=1).offer("face-shield", 1)
        assert heard == []


def test_an_answer_that_is_none_is_told_as_unavailable() -> None:
    with answering((200, {}, b"<html>a captive portal</html>")) as (url, _), pytest.raises(Unavailable, match="does not answer"):
        Client(url, agent="atelier-nord", tries=1).offer("face-shield", 1)


def test_ids_follow_from_what_is_said_and_when() -> None:
    fine = json.dumps({"results": [{"status": "taken"}]}).encode()
    with answering(*[(200, {}, fine)] * 3) as (url, heard):
        now = [START_US, START_US, START_US + 1]
        for at_us in now:
            Client(url, agent="atelier-nord", now_us=lambda at_us=at_us: at_us).offer("face-shield", 1)
    ids = [json.loads(body)["id"] for _, body in heard]
    assert ids[0] == ids[1] != ids[2]
