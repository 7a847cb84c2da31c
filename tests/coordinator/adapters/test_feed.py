"""Those who follow the stream go on one at a time, in order, and nobody is forgotten."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from coordinator.adapters import feed
from coordinator.adapters.at_hand import Shown
from coordinator.adapters.feed import Feed
from coordinator.errors import Unavailable

LISTENERS = 13


class NothingSaid:
    """A service of which only news are wanted."""

    def __init__(self) -> None:
        self.tell: Callable[[], None] = lambda: None
        self.read = 0

    def follow(self, position: int) -> tuple[list[Shown], int]:
        self.read += 1
        if position < 0:
            raise Unavailable("gone")
        return [], position

    def listen(self, listener: Callable[[], None]) -> None:
        self.tell = listener


class Turns:
    """Notes who went on in which turn of the loop."""

    def __init__(self) -> None:
        self.number = 0
        self.went_on: list[tuple[int, int]] = []  # turn, who

    async def count(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.number += 1

    def note(self, who: int) -> None:
        self.went_on.append((self.number, who))


async def in_turns(wait: Callable[[], Awaitable[object]], begin: Callable[[], None], turns: Turns) -> None:
    counting = asyncio.create_task(turns.count())
    following = [asyncio.create_task(then(wait(), turns, who)) for who in range(LISTENERS)]
    await asyncio.sleep(0)
    begin()
    await asyncio.wait_for(asyncio.gather(*following), 30)
    counting.cancel()


async def then(coming: Awaitable[object], turns: Turns, who: int) -> None:
    await coming
    turns.note(who)


@pytest.mark.parametrize("wait", ["for more", "for a turn", "for what is read", "for what was read", "for some time"])
def test_one_listener_goes_on_in_each_turn_of_the_loop_and_all_in_order(wait):
    turns = Turns()

    async def follow() -> None:
        service = NothingSaid()
        feed = Feed(service)
        feed.listeners = LISTENERS
        async with feed.lifespan(None):
            here = asyncio.create_task(asyncio.sleep(60))
            if wait == "for what was read":
                await feed.after(7)
            waits = {"for more": lambda: feed.hear(0, here), "for a turn": feed.turn, "for some time": feed.rest}
            await in_turns(waits.get(wait, lambda: feed.after(7)), service.tell if wait == "for more" else lambda: None, turns)
            here.cancel()
        assert service.read == (1 if "read" in wait else 0)

    asyncio.run(follow())
    assert [who for _, who in turns.went_on] == list(range(LISTENERS))
    assert max(Counter(turn for turn, _ in turns.went_on).values()) == 1


def test_whoever_only_is_kept_alive_leaves_nothing_behind(monkeypatch):
    monkeypatch.setattr("coordinator.adapters.feed.KEEP_ALIVE_S", 0.001)

    async def wait() -> tuple[list[bool], int]:
        feed = Feed(NothingSaid())
        here = asyncio.create_task(asyncio.sleep(60))
        heard = [await feed.hear(feed.rings, here) for _ in range(20)]
        here.cancel()
        return heard, len(feed._waiting)

    assert asyncio.run(wait()) == ([False] * 20, 0)


def test_more_that_came_before_one_waits_for_it_is_heard_at_once():
    async def wait() -> bool:
        service = NothingSaid()
        feed = Feed(service)
        async with feed.lifespan(None):
            rings, here = feed.rings, asyncio.create_task(asyncio.sleep(60))
            service.tell()
            await asyncio.sleep(0)
            heard = await asyncio.wait_for(feed.hear(rings, here), 1)
            here.cancel()
            return heard

    assert asyncio.run(wait())


def test_one_that_left_while_it_waited_takes_nobodys_turn():
    async def follow() -> list[bool]:
        feed = Feed(NothingSaid())
        turns = [asyncio.ensure_future(feed.turn()) for _ in range(LISTENERS)]
        await asyncio.sleep(0)
        for one in turns[::2]:
            one.cancel()
        await asyncio.wait(turns, timeout=30)
        return [one.cancelled() for one in turns]

    assert asyncio.run(follow()) == [number % 2 == 0 for number in range(LISTENERS)]


def test_whoever_waits_for_what_cannot_be_read_is_told_and_nobody_waits_for_those_who_left():
    async def follow() -> list[object]:
        feed = Feed(NothingSaid())
        async with feed.lifespan(None):
            waiting = [asyncio.ensure_future(feed.after(-1)) for _ in range(LISTENERS)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            return await asyncio.gather(*waiting, return_exceptions=True)

    told = asyncio.run(follow())
    assert isinstance(told[0], asyncio.CancelledError)
    assert {str(each) for each in told[1:]} == {"gone"}


def test_what_many_are_sent_is_put_together_in_a_thread_of_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a long history in frames takes milliseconds, in which the loop would hear nobody."""
    service, threads = NothingSaid(), []
    shown = [Shown(position, "stigmergy.signal.v1", b"{}") for position in range(3)]
    monkeypatch.setattr(service, "follow", lambda position: (shown[position + 1 :], 2))

    def frame(record: Shown) -> bytes:
        threads.append(threading.current_thread().name)
        return b"%d " % record.position

    monkeypatch.setattr(feed, "_frame", frame)

    async def read() -> tuple[bytes, int]:
        return await Feed(service).after(0)  # type: ignore[arg-type]

    assert asyncio.run(read()) == (b"1 2 ", 2)
    assert [name.split("_")[0] for name in threads] == ["feed", "feed"]
