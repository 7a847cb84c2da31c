"""Few sockets and threads are heard in one turn of the loop, and all of them in the end."""

import asyncio
import contextvars
import os
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from coordinator.adapters.loops import AT_ONCE, HANDED, FewAtOnce, fair_loop
from tests.support.serving import serve

MANY = 13


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    with ExitStack() as stack:
        yield [tuple(map(stack.enter_context, socket.socketpair())) for _ in range(MANY)]  # type: ignore[misc]


def test_sockets_are_heard_a_few_at_a_time_and_each_once_before_any_again(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    with FewAtOnce() as selector:
        for ours, theirs in pairs:
            selector.register(ours, selectors.EVENT_READ)
            theirs.send(b"x")  # Never read: each is ready all the time.
        heard: Counter[int] = Counter()
        for turn in range(1, 2 * MANY):
            some = selector.select(0)
            assert 0 < len(some) <= AT_ONCE
            heard.update(key.fd for key, _ in some)
            assert max(heard.values()) - min(heard[ours.fileno()] for ours, _ in pairs) <= 1, f"turn {turn}"
        assert set(heard) == {ours.fileno() for ours, _ in pairs}


def test_who_is_given_up_before_it_is_heard_is_not_heard_nor_who_came_in_its_place(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    with FewAtOnce() as selector, ExitStack() as stack:
        for ours, theirs in pairs:
            selector.register(ours, selectors.EVENT_READ)
            theirs.send(b"x")
        first = selector.select(0)
        left = [ours for ours, _ in pairs if ours not in [key.fileobj for key, _ in first]]
        gone, changed = left[0], left[1]
        number = gone.fileno()
        silent, _ = map(stack.enter_context, socket.socketpair())
        selector.unregister(gone)
        gone.close()
        os.dup2(silent.fileno(), number)
        other = stack.enter_context(socket.socket(fileno=number))
        selector.register(other, selectors.EVENT_READ)  # It has nothing to say.
        selector.modify(changed, selectors.EVENT_WRITE, "changed")
        heard = [(key.fd, key.data, events) for _ in range(2 * MANY) for key, events in selector.select(0)]
        assert number not in [fd for fd, _, _ in heard]
        assert {(data, events) for fd, data, events in heard if fd == changed.fileno()} == {("changed", selectors.EVENT_WRITE)}
        assert {fd for fd, _, _ in heard} == {ours.fileno() for ours, _ in pairs if ours is not gone}


def test_it_waits_no_longer_than_told_where_nobody_speaks(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    with FewAtOnce() as selector:
        selector.register(pairs[0][0], selectors.EVENT_READ)
        assert selector.select(0) == []
        assert selector.select(0.01) == []
        assert selector.select(-1) == []
        pairs[0][1].send(b"x")
        assert [key.fileobj for key, _ in selector.select(None)] == [pairs[0][0]]


def test_a_timer_comes_between_sockets_that_all_speak_at_once(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    before: list[int] = []

    async def all_at_once() -> int:
        loop, heard, done = asyncio.get_running_loop(), [], asyncio.Event()

        def hear(ours: socket.socket) -> None:
            ours.recv(1)
            heard.append(ours)
            loop.remove_reader(ours)
            if len(heard) == MANY:
                done.set()

        for ours, theirs in pairs:
            ours.setblocking(False)
            loop.add_reader(ours, hear, ours)
            theirs.send(b"x")
        loop.call_later(0.001, lambda: before.append(len(heard)))
        time.sleep(0.01)  # The timer is due before the first of them is heard.
        await done.wait()
        return len(heard)

    with asyncio.Runner(loop_factory=fair_loop) as runner:
        assert runner.run(all_at_once()) == MANY
    assert before[0] <= AT_ONCE


def test_what_other_threads_hand_over_comes_in_order_and_a_timer_between() -> None:
    came: list[int] = []
    before: list[int] = []

    async def all_at_once() -> None:
        loop, done, asked = asyncio.get_running_loop(), asyncio.Event(), contextvars.ContextVar("asked", default=0)
        asked.set(7)
        here = contextvars.copy_context()

        def take(number: int) -> None:
            assert asked.get() == (7 if number % 2 else 0)
            came.append(number)
            if number == MANY:
                done.set()

        def hand_over() -> None:
            for number in range(MANY + 1):
                handle = loop.call_soon_threadsafe(take, number, context=here if number % 2 else None)
                if number == MANY // 2:
                    handle.cancel()

        loop.call_later(0.001, lambda: before.append(len(came)))
        thread = threading.Thread(target=hand_over)
        thread.start()
        thread.join()
        time.sleep(0.01)  # The timer is due before the first of them is called.
        await done.wait()

    with asyncio.Runner(loop_factory=fair_loop) as runner:
        runner.run(all_at_once())
    assert came == [number for number in range(MANY + 1) if number != MANY // 2]
    assert before[0] <= 2 * HANDED


def test_nothing_is_lost_that_many_threads_hand_over_while_the_loop_takes_it() -> None:
    came: list[tuple[int, int]] = []

    async def all_at_once() -> None:
        loop = asyncio.get_running_loop()

        def hand_over(one: int) -> None:
            for number in range(500):
                loop.call_soon_threadsafe(came.append, (one, number))

        await asyncio.gather(*(asyncio.to_thread(hand_over, one) for one in range(4)))
        while len(came) < 2_000:
            await asyncio.sleep(0.001)

    with asyncio.Runner(loop_factory=fair_loop) as runner:
        runner.run(all_at_once())
    for one in range(4):
        assert [number for which, number in came if which == one] == list(range(500))


def test_a_loop_that_is_closed_takes_nothing_and_says_so() -> None:
    loop = fair_loop()
    loop.close()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="closed"):
            loop.call_soon_threadsafe(print)


def test_the_server_runs_on_such_a_loop(tmp_path: Path) -> None:
    with serve(tmp_path / "log") as served:
        assert served.server.config.get_loop_factory() is fair_loop
        assert served.ask("GET", "/needs").status == 200
