"""Questions that go through all there is are answered by a few threads of their own, so that nobody else waits behind them."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

from coordinator.errors import Unavailable

__all__ = ["COUNTED", "MOST_WALKS", "WALKED", "Walks"]

MOST_WALKS = 64  # asked for at once: more would wait longer than they should, and are told so instead
WALKERS = 4  # threads that answer them: they share one interpreter, and more would each take longer

COUNTED = "stigmergy-entries"  # a header
WALKED: dict[int | str, dict[str, Any]] = {  # what programs are told of answers that have it
    200: {"headers": {COUNTED: {"description": "How many entries of the log this counts.", "schema": {"type": "integer"}}}}
}

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


class Walks:
    """Those who ask such questions. All its callers run in one event loop."""

    def __init__(self) -> None:
        self.waiting = self.turned_away = 0
        self._walkers = ThreadPoolExecutor(WALKERS, "walker")

    def beside(self, question: Callable[Asked, Answer]) -> Callable[Asked, Awaitable[Answer]]:
        """Return the question as one that is answered in its turn; Unavailable where too many wait already."""

        @wraps(question)
        async def asked(*args: Asked.args, **named: Asked.kwargs) -> Answer:
            if self.waiting >= MOST_WALKS:
                self.turned_away += 1
                raise Unavailable(f"{self.waiting} questions that go through all there is wait already; ask again in a few seconds")
            self.waiting += 1
            try:
                return await asyncio.get_running_loop().run_in_executor(self._walkers, partial(question, *args, **named))
            finally:
                self.waiting -= 1

        return asked
