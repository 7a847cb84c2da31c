"""A real server on this machine, with a clock that tests move by hand."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from coordinator.adapters.aside import Preparation
from coordinator.adapters.http_api import Reading, build_app
from coordinator.adapters.proofs import Proofs
from coordinator.adapters.sequencing import OrdersBeside
from coordinator.adapters.server import Server
from coordinator.adapters.service import Service
from coordinator.adapters.tokens import Tokens
from coordinator.charter import Charter
from coordinator.client import Client
from coordinator.signals import event_json, parse_event
from solver import prepare

__all__ = ["RENNES", "START_US", "Answered", "Hand", "Served", "serve", "signal"]

HOUR_US = 3_600_000_000
START_US = 1_772_352_000_000_000  # 2026-03-01T08:00:00Z
RENNES = {"lat": 48.11, "long": -1.68}


class Hand:
    """A clock that goes where it is put."""

    def __init__(self, now_us: int = START_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us


@dataclass(frozen=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told


@dataclass
class Served:
    service: Service
    clock: Hand
    host: str
    port: int
    proofs: Proofs
    orders: OrdersBeside
    app: FastAPI
    server: Server
    reading: Reading = "open"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def relive(self, lines: Iterable[bytes], until_us: int) -> None:
        """Take in what was said before now, hour by hour as it was said, planning on the way."""
        said = sorted((parse_event(line).time_us, line) for line in lines)
        for hour, together in groupby(said, key=lambda one: one[0] // HOUR_US):
            self.clock.now_us = min(until_us, (hour + 1) * HOUR_US)
            outcomes = self.service.publish([line for _, line in together])
            assert {one.status for one in outcomes} == {"taken"}
            self.service.tick()
        self.clock.now_us = until_us

    def client(self, agent: str | None = None, token: str | None = None) -> Client:
        return Client(self.url, agent=agent, token=token, now_us=self.clock, tries=1, timeout_s=20)

    def wait(self, seconds: float) -> None:
        """Let log time pass."""
        self.clock.now_us += int(seconds * 1_000_000)
        self.service.tick()

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answered:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Answered(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
        finally:
            connection.close()

    @contextmanager
    def listening(self, token: str) -> Iterator[http.client.HTTPResponse]:
        """Follow the stream from its beginning, by a token."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        try:
            connection.request("GET", "/events?after=-1", headers={"authorization": f"Bearer {token}"})
            yield connection.getresponse()
        finally:
            connection.close()

    def get(self, path: str) -> dict[str, Any]:
        return self.ask("GET", path).json

    def post(self, body: bytes, content_type: str = "application/cloudevents+json", **headers: str) -> Answered:
        return self.ask("POST", "/signals", body, {"content-type": content_type, **headers})


@contextmanager
def serve(
    path: Path,
    tokens: Path | None = None,
    clock: Hand | None = None,
    *,
    reading: Reading = "open",
    solver: Preparation | None = None,
    **rules: Any,
) -> Iterator[Served]:
    """A server on a free port of 127.0.0.1 until the block ends; it plans when it is told to wait for a second or more."""
    clock = clock or Hand()
    prepare()  # as `coordinator serve` does beside itself: on a new clone no reader waits for the compiler
    service = Service(path, Charter.model_validate({"cycle_seconds": 1} | rules), clock=clock)
    proofs, orders = Proofs(service), OrdersBeside(service)
    known = Tokens(tokens, clock) if tokens else None
    app = build_app(service, known, only_loopback=True, proofs=proofs, orders=orders, reading=reading, solver=solver)
    server, listening = Server(app), socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        for _ in range(1_000):
            if server.started:
                break
            time.sleep(0.01)
        host, port = listening.getsockname()
        service.tick()
        yield Served(service, clock, host, port, proofs, orders, app, server, reading)
    finally:
        app.state.feed.close()
        server.should_exit = True
        thread.join(20)
        service.close()


def signal(
    kind: str, agent: str, quantity: float, *, resource: str = "face-shield", unit: str = "1", time_us: int = START_US, **more: Any
) -> bytes:
    """An offer or need in Rennes, of pieces where nothing else is said, as one line."""
    data = {"resource": resource, "quantity": {"value": quantity, "unit": unit}, "place": RENNES, **more}
    return event_json(kind, f"agent:{agent}", resource, time_us, data)
