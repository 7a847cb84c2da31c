"""The stream as it grows, as server-sent events. Nothing is queued for a listener: each reads on from its own position, at its own pace.

Those who read on from the same position are sent the same bytes, which are made once; and the more listen, the more is sent at once.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from coordinator.adapters.at_hand import Shown
from coordinator.adapters.service import Service
from coordinator.errors import Refused, Unavailable

__all__ = ["Application", "EventStream", "Feed", "Message", "Receive", "Scope", "Send"]

# What passes between a server and an application (ASGI 3).
Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PIECE = 64 << 10  # bytes sent at once; as many more may wait for a listener in the server
SEND_S = 15.0  # for a piece: a listener that is slower is let go; it comes back with the id it saw last, and misses nothing
KEEP_ALIVE_S = 15.0
REST_S = 0.00025  # after each sending, times how many listen: with a thousand, each hears at most every 0.25 s
LOOK_S = 1.0  # between two looks whether a listener may still read, where reading takes a token
READERS = 4  # threads that read for listeners, whom nobody keeps waiting who asks or speaks
SHARED = 8  # positions from which many read on at once, whose bytes are kept until there is more


class Feed:
    """Wakes those who follow the stream, whenever the log has more."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.listeners = 0
        self.let_go = 0  # listeners that took too little for too long, or asked for what is not at hand any more
        self.closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self.rings = 0  # how often there was more
        self._waiting: dict[asyncio.Future[None], None] = {}  # for more than there is, in order
        self._turns: deque[asyncio.Future[None]] = deque()  # of those who may go on, in order
        self._resting: deque[tuple[float, asyncio.Future[None]]] = deque()  # until when, by the loop's clock, and who
        self._shared: dict[int, _Reading] = {}
        self._readers = ThreadPoolExecutor(READERS, "feed")
        service.listen(self._wake)

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncIterator[None]:
        """Wake listeners for as long as the application runs."""
        self._loop = asyncio.get_running_loop()
        await run_in_threadpool(bool)  # loads what that takes: the first who asked would wait for it, and the loop with it
        yield
        self.close()
        self._loop = None

    async def hear(self, rings: int, gone: "asyncio.Task[None]") -> bool:
        """Wait for more than there was after so many rings, or until a listener is gone; False where neither came in `KEEP_ALIVE_S`."""
        if self.rings == rings:
            more = asyncio.get_running_loop().create_future()
            self._waiting[more] = None
            try:
                await asyncio.wait({more, gone}, timeout=KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._waiting.pop(more, None)
                more.cancel()
        return self.rings != rings or gone.done()

    async def rest(self) -> None:
        """Wait for some time that is longer the more listen, and until it is one's turn to go on."""
        loop, one = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
        self._resting.append((loop.time() + REST_S * self.listeners, one))
        if len(self._resting) == 1:
            self._await_rested(loop)
        await one

    async def turn(self) -> None:
        """Wait until it is one's turn to go on."""
        turn = asyncio.get_running_loop().create_future()
        self._queue([turn])
        await turn

    async def after(self, position: int) -> tuple[bytes, int]:
        """Return what comes after a position, as frames, and the position to go on from, once it is one's turn to go on with that."""
        reading = self._shared.get(position)
        if reading is None:
            reading = self._begin_reading(position)
            if len(self._shared) < SHARED:
                self._shared[position] = reading
        turn = asyncio.get_running_loop().create_future()
        if reading.task.done():
            self._queue([turn])
        else:
            reading.waiting.append(turn)
        await turn  # Whoever goes meanwhile takes it from nobody else.
        return reading.task.result()

    def _begin_reading(self, position: int) -> "_Reading":
        reading = _Reading(asyncio.create_task(self._read(position)))

        def is_read(task: asyncio.Task[tuple[bytes, int]]) -> None:
            if not task.cancelled():
                task.exception()  # It is raised for whoever still waits, if anybody does.
            self._queue(reading.waiting)  # Not all at once: many wait for the same.

        reading.task.add_done_callback(is_read)
        return reading

    async def _read(self, position: int) -> tuple[bytes, int]:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._framed, position)

    def _framed(self, position: int) -> tuple[bytes, int]:
        records, end = self.service.follow(position)
        frames = b"".join(map(_frame, records))
        # What was refused has a place in the log too: a frame with nothing but that place tells how far all was sent.
        silent = end != position and (not records or records[-1].position != end)
        return frames + (b"id: %d\n\n" % end if silent else b""), end

    def close(self) -> None:
        """Send everybody away, so that the server can stop."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # The loop ended meanwhile: then nobody listens.
                loop.call_soon_threadsafe(self._ring)

    def _ring(self) -> None:
        waiting, self._waiting = self._waiting, {}
        self._shared = {}
        self.rings += 1
        self._queue(waiting)

    def _await_rested(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let those go on who have rested, once the first of those who rest has."""

        def wake() -> None:
            rested = []
            while self._resting and self._resting[0][0] <= loop.time():
                rested.append(self._resting.popleft()[1])
            self._queue(rested)
            if self._resting:
                self._await_rested(loop)

        loop.call_at(self._resting[0][0], wake)

    def _queue(self, some: "Collection[asyncio.Future[None]]") -> None:
        are_going = bool(self._turns)
        self._turns.extend(some)
        if some and not are_going:
            asyncio.get_running_loop().call_soon(self._let_one_go_on)

    def _let_one_go_on(self) -> None:
        """Let one listener go on in this turn of the loop: it may wait for the interpreter's lock, and all others wait with it."""
        while self._turns:
            one = self._turns.popleft()
            if not one.done():  # else whoever waited has left
                one.set_result(None)
                break
        if self._turns:
            asyncio.get_running_loop().call_soon(self._let_one_go_on)


@dataclass(slots=True, eq=False)
class _Reading:
    """What is being read for those who wait for it, or was."""

    task: asyncio.Task[tuple[bytes, int]]
    waiting: list[asyncio.Future[None]] = field(default_factory=list)


class EventStream(Response):
    """Server-sent events from a position on, until the listener goes, takes nothing any more or may read no longer, or the server stops."""

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, position: int, may_read: Callable[[], bool] | None = None) -> None:
        """`may_read` is asked now and then, where somebody may be told to read no longer."""
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._feed, self._position = feed, position
        self._may_read, self._looked_s = may_read, -LOOK_S

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send what there is, and what comes."""
        self._feed.listeners += 1
        gone = asyncio.create_task(_until_gone(receive))
        try:
            async with asyncio.timeout(SEND_S):
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                await send({"type": "http.response.body", "body": b"retry: 2000\n\n", "more_body": True})
            while not gone.done() and not self._feed.closed and await self._is_allowed():
                await self._go_on(gone, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (TimeoutError, Refused, Unavailable):
            self._feed.let_go += 1  # The connection ends here; the listener resumes with the id it saw last.
        finally:
            self._feed.listeners -= 1
            gone.cancel()

    async def _is_allowed(self) -> bool:
        now_s = time.monotonic()
        if self._may_read is None or now_s < self._looked_s + LOOK_S:
            return True
        self._looked_s = now_s
        return await run_in_threadpool(self._may_read)

    async def _go_on(self, gone: "asyncio.Task[None]", send: Send) -> None:
        rings = self._feed.rings
        body, position = await self._feed.after(self._position)
        if position == self._position:
            if await self._feed.hear(rings, gone):
                return
            await self._feed.turn()
        body = body or b": still here\n\n"
        for begin in range(0, len(body), PIECE):
            async with asyncio.timeout(SEND_S):
                await send({"type": "http.response.body", "body": body[begin : begin + PIECE], "more_body": True})
        self._position = position
        await self._feed.rest()


def _frame(record: Shown) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (record.position, record.stream.split(".")[1].encode(), record.text)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
