"""The HTTP server: uvicorn, with a bound on connections, on how slowly a question may come and an answer be taken, and an end in time.

Headers are bounded by h11, bodies and how long they take by `http_api`, and what is sent to those who follow the stream by `feed`.
"""

import asyncio
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["CONNECTIONS", "Server"]

CONNECTIONS = 2_000
ACCEPTED_TOGETHER = 1  # in one turn of the loop: when all come at once, as after a restart, those who are there already wait for each
HEAD_S = 10.0  # for the head of a request to arrive
STALL_S = 20.0  # after which a connection is broken off that meanwhile took less than ...
STALL_BYTES = 64 << 10  # ... of what waits for it, where that is more than uvicorn lets wait
LARGEST_HEAD = 64 << 10  # bytes
IDLE_S = 5  # between two requests on one connection
GRACE_S = 2  # for answers under way when it is to stop

BUSY = b"too many connections; come again in 2 s or later\n"
BUSY_HEAD = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\nconnection: close\r\ncontent-type: text/plain\r\n"
TURNED_AWAY = BUSY_HEAD + b"content-length: %d\r\n\r\n" % len(BUSY) + BUSY


class Server(uvicorn.Server):
    """Serves an application that `build_app` made until it is to stop; then those who follow the stream, who would stay, are sent away."""

    def __init__(self, app: FastAPI, *, when_told_to_stop: Callable[[], None] = lambda: None, **more: Any) -> None:
        """`more` goes to uvicorn's configuration."""
        config = uvicorn.Config(
            app,
            http=Connection,
            loop="coordinator.adapters.loops:fair_loop",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=ACCEPTED_TOGETHER,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=GRACE_S,
            h11_max_incomplete_event_size=LARGEST_HEAD,
            **more,
        )
        super().__init__(config)
        self._feed, self._when_told_to_stop = app.state.feed, when_told_to_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen. How many are accepted in one turn (asyncio's `backlog`) is not how many may wait for that."""
        await super().startup(sockets)
        for one in sockets or ():
            one.listen(CONNECTIONS)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        self._when_told_to_stop()
        self._feed.close()
        super().handle_exit(sig, frame)

    def end(self) -> None:
        """Begin to stop because the coordinator ended by itself."""
        self._feed.close()
        self.should_exit = True


class Connection(H11Protocol):
    """One connection, which is broken off where whoever is at its other end asks or listens too slowly."""

    _head: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, unless there are too many connections."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.write(TURNED_AWAY)
            transport.close()
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of what waited for it."""
        super().connection_lost(exc)
        for timer in (self._head, self._stall):
            if timer is not None:
                timer.cancel()
        # asyncio's transport holds a method of itself. A ring with each connection would pile up: see `memory.py`.
        vars(self.transport).pop("_read_ready_cb", None)

    def data_received(self, data: bytes) -> None:
        """Take in some of a request; what comes while none is under way has to become the head of one in time."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._await_head()
        elif self._head is not None:
            self._head.cancel()
            self._head = None

    def _await_head(self) -> None:
        if self._head is None:
            self._head = self.loop.call_later(HEAD_S, self.transport.abort)

    def pause_writing(self) -> None:
        """Nothing more is written, as enough waits; see that it is taken."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()

    def _watch(self) -> None:
        self._stall = self.loop.call_later(STALL_S, self._look, self.transport.get_write_buffer_size())

    def _look(self, waited_bytes: int) -> None:
        if self.transport.get_write_buffer_size() > waited_bytes - STALL_BYTES:
            self.transport.abort()
        else:
            self._watch()
