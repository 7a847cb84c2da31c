"""Whoever asks, listens or sends too slowly holds nothing up and takes no memory beyond a bound: the real server, over real sockets."""

import asyncio
import contextlib
import gc
import re
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import sleep

import pytest

from coordinator.adapters import server
from coordinator.adapters.feed import PIECE
from coordinator.adapters.http_api import BODY_S
from tests.support.serving import Served, serve, signal

LINES = "application/x-ndjson"
SMALL = 8_192  # bytes that the system holds for a socket: so little that a slow reader is felt at once


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path / "log", cycle_seconds=10**6) as one:
        one.server.servers[0].sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        yield one


def connected(served: Served, said: str) -> socket.socket:
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    one.settimeout(30)
    one.connect((served.host, served.port))
    one.sendall(said.encode())
    return one


def asked(served: Served, path: str) -> socket.socket:
    return connected(served, f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")


def until(holds: Callable[[], bool]) -> None:
    for _ in range(3_000):
        if holds():
            return
        sleep(0.01)
    raise AssertionError("it never came to that")


def is_over(one: socket.socket) -> bool:
    """Whether the other side ends the connection, once all that it said is read."""
    try:
        while one.recv(1 << 16):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


def figure(served: Served, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", served.ask("GET", "/metrics").body.decode(), re.M)
    assert found is not None
    return float(found[1])


def ids_in(received: bytes) -> list[int]:
    """The ids of the events that came whole over a connection that may have been broken off anywhere."""
    _, _, rest = received.partition(b"\r\n\r\n")
    body = b""
    while size := re.match(rb"([0-9a-f]+)\r\n", rest):
        body += rest[size.end() : (end := size.end() + int(size[1], 16))]
        rest = rest[end + 2 :]
    whole = body[: body.rfind(b"\n\n") + 2]
    return [int(number) for number in re.findall(rb"^id: (\d+)$", whole, re.M)]


def test_a_listener_slower_than_what_is_said_is_let_go_and_misses_nothing_when_it_comes_back(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coordinator.adapters.feed.SEND_S", 0.3)
    monkeypatch.setattr(server, "STALL_S", 0.5)
    slow, received, waiting = asked(served, "/events?after=-1"), [b""], [0]

    def read_on() -> None:
        try:
            while some := slow.recv(64):  # a few kilobytes a second
                received[0] += some
                sleep(0.01)
        except ConnectionError:
            pass

    reader = threading.Thread(target=read_on)
    reader.start()
    for batch in range(300):
        lines = [signal("offer", f"maker-{number}", 1 + batch) for number in range(100)]
        assert served.post(b"\n".join(lines), LINES).status == 200
        waiting += [one.transport.get_write_buffer_size() for one in list(served.server.server_state.connections)]
        if figure(served, "stigmergy_listeners_let_go_total"):
            break
    reader.join(60)
    assert not reader.is_alive()
    assert figure(served, "stigmergy_listeners_let_go_total") == 1
    assert figure(served, "stigmergy_listeners") == 0
    assert PIECE < max(waiting) < 3 * PIECE
    seen = ids_in(received[0])
    entries = served.get("/readyz")["entries"]
    assert 0 < len(seen) < entries
    monkeypatch.undo()  # Who comes back reads as fast as it can, which is not fast on a busy machine.
    with closing(asked(served, f"/events?after={seen[-1]}")) as back:
        rest = b""
        while not (later := ids_in(rest)) or later[-1] < entries - 1:
            rest += (some := back.recv(1 << 16))
            assert some, "it was sent away once more"
    assert seen + later == list(range(entries))


def test_who_never_reads_a_large_answer_is_broken_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STALL_S", 0.2)
    served.post(b"\n".join(signal("offer", f"maker-{number}", 1) for number in range(2_000)), LINES)
    with closing(asked(served, "/offers?limit=1000")) as deaf:
        until(lambda: len(served.server.server_state.connections) > 0)
        until(lambda: len(served.server.server_state.connections) == 0)
        got = b""
        with contextlib.suppress(ConnectionError):
            while some := deaf.recv(1 << 16):
                got += some
    assert len(got) < int(re.search(rb"content-length: (\d+)", got)[1])  # type: ignore[index]


def test_who_reads_a_large_answer_at_leisure_gets_all_of_it(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STALL_S", 1.0)
    monkeypatch.setattr(server, "STALL_BYTES", 1)
    served.post(b"\n".join(signal("offer", f"maker-{number}", 1) for number in range(2_000)), LINES)
    with closing(asked(served, "/offers?limit=1000")) as slow:
        got = slow.recv(4_096)
        length = int(re.search(rb"content-length: (\d+)", got)[1])  # type: ignore[index]
        assert length > 3 * PIECE
        while len(got.partition(b"\r\n\r\n")[2]) < length:
            some = slow.recv(4_096)
            assert some, "it was broken off"
            got += some
            sleep(0.03)


@pytest.mark.parametrize("said", ["", "GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nx-more: "], ids=["nothing", "half a head"])
def test_who_does_not_get_on_with_a_question_is_broken_off(served: Served, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setattr(server, "HEAD_S", 0.2)
    with closing(connected(served, said)) as slow:
        assert is_over(slow)


def test_a_second_question_has_to_come_in_time_too_and_an_answer_may_take_longer(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_S", 0.2)
    with closing(asked(served, "/healthz")) as slow:
        answer = b""
        while not answer.endswith(b'{"status":"ok"}'):
            answer += slow.recv(4_096)
        slow.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert is_over(slow)
    with served.service.reading(), closing(asked(served, "/network")) as patient:
        sleep(0.6)  # longer than a head may take
        patient.setblocking(False)
        with pytest.raises(BlockingIOError):
            patient.recv(1)


def test_a_head_without_end_is_refused(served: Served) -> None:
    with closing(connected(served, "GET /healthz HTTP/1.1\r\n")) as endless:
        told = b""
        try:
            for number in range(20_000):
                endless.sendall(b"x-header-%d: %s\r\n" % (number, b"x" * 100))
        except ConnectionError:
            pass
        else:
            told = endless.recv(4_096)
            assert told.startswith(b"HTTP/1.1 400")
    assert served.get("/healthz") == {"status": "ok"}


def test_a_body_that_comes_too_slowly_is_refused(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.adapters.http_api.BODY_S", 0.2)
    head = f"POST /signals HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {LINES}\r\ncontent-length: 1000\r\n\r\n"
    with closing(connected(served, head + "{")) as slow:
        assert slow.recv(4_096).startswith(b"HTTP/1.1 408")
    assert BODY_S == 30


def test_connections_beyond_the_bound_are_told_to_come_again(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECTIONS", 2)
    held = [asked(served, "/events") for _ in range(2)]
    for one in held:
        assert one.recv(4_096).startswith(b"HTTP/1.1 200")
    with closing(connected(served, "")) as third:
        told = third.recv(4_096)
        assert told.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 2\r\n" in told
        assert is_over(third)
    for one in held:
        one.close()
    until(lambda: served.ask("GET", "/healthz").status == 200)


def test_a_connection_that_ended_leaves_nothing_for_a_look_for_garbage(served: Served) -> None:
    """Each takes some memory while it lasts; what died in rings is found late, by a look that holds up all (`memory.py`)."""
    held: list[weakref.ref[object]] = []
    made = served.server.config.http.connection_made

    def noted(self: server.Connection, transport: asyncio.Transport) -> None:
        held.append(weakref.ref(transport))
        made(self, transport)

    gc.collect()
    gc.disable()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(server.Connection, "connection_made", noted)
            for path in ("/healthz", "/nowhere", "/events", "/metrics"):
                one = asked(served, path)
                one.recv(1 << 16)
                one.close()
        assert len(held) == 4
        until(lambda: all(transport() is None for transport in held))
    finally:
        gc.enable()
