"""One socket and one thread are heard in a turn of the loop, and all of them in the end."""

import asyncio
import contextvars
import gc
import os
import selectors
import socket
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import CodeType, FrameType
from unittest.mock import Mock

import pytest

from coordinator.adapters import loops
from coordinator.adapters.loops import FewAtOnce, fair_loop
from tests.support.serving import serve

MANY = 13

TraceFunction = Callable[[FrameType, str, object], object]


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    with ExitStack() as stack:
        yield [tuple(map(stack.enter_context, socket.socketpair())) for _ in range(MANY)]  # type: ignore[misc]


@pytest.fixture
def asked_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the system asked which sockets are ready whenever it may be."""
    monkeypatch.setattr(loops, "ASKED_AGAIN_S", 0.0)


@pytest.mark.usefixtures("asked_always")
def test_sockets_are_heard_one_at_a_time_and_each_once_before_any_again(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    with FewAtOnce() as selector:
        for ours, theirs in pairs:
            selector.register(ours, selectors.EVENT_READ)
            theirs.send(b"x")  # Never read: each is ready all the time.
        heard: Counter[int] = Counter()
        for turn in range(1, 2 * MANY):
            some = selector.select(0)
            assert len(some) == 1
            heard.update(key.fd for key, _ in some)
            assert max(heard.values()) - min(heard[ours.fileno()] for ours, _ in pairs) <= 1, f"turn {turn}"
        assert set(heard) == {ours.fileno() for ours, _ in pairs}


@pytest.mark.usefixtures("asked_always")
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


@pytest.mark.parametrize("turns", [1, 100])
def test_the_system_is_not_asked_at_each_turn_while_there_is_something_to_run(
    turns: int, pairs: list[tuple[socket.socket, socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question gives the interpreter's lock away."""
    monkeypatch.setattr(loops, "ASKED_AGAIN_S", 3600.0)
    ask, asked = selectors.DefaultSelector.select, list[float | None]()

    def note(selector: selectors.DefaultSelector, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        asked.append(timeout)
        return ask(selector, timeout)

    async def run() -> None:
        loop, heard = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(pairs[0][0], heard.set)
        await asyncio.sleep(0)
        pairs[0][1].send(b"x")
        for _ in range(turns):
            await asyncio.sleep(0)
        assert not heard.is_set()
        await heard.wait()  # Nothing else is to be run: then it is asked, and waited for.
        loop.remove_reader(pairs[0][0])

    with asyncio.Runner(loop_factory=fair_loop) as runner:
        runner.run(asyncio.sleep(0))
        monkeypatch.setattr(selectors.DefaultSelector, "select", note)
        runner.run(run())
    assert asked[:1] == [None]


@pytest.mark.usefixtures("asked_always")
def test_a_socket_is_heard_though_there_is_always_something_to_run(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    async def run() -> bytes:
        loop, heard = asyncio.get_running_loop(), list[bytes]()
        loop.add_reader(pairs[0][0], lambda: heard.append(pairs[0][0].recv(1)))
        pairs[0][1].send(b"x")
        while not heard:
            await asyncio.sleep(0)
        loop.remove_reader(pairs[0][0])
        return heard[0]

    with asyncio.Runner(loop_factory=fair_loop) as runner:
        assert runner.run(asyncio.wait_for(run(), 60)) == b"x"


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
    assert before[0] <= 1


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
    assert before[0] <= 2


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


def test_something_may_be_handed_over_wherever_the_loop_and_who_hands_over_stand() -> None:
    """As a handler of signals does, and a look for garbage: between any two steps, in the loop's own thread too."""
    came: list[int] = []
    handed: list[int] = []
    stood: set[tuple[CodeType, int]] = set()

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def between(frame: FrameType, event: str, _: object) -> TraceFunction | None:
            code, place = frame.f_code, frame.f_lasti
            if code.co_filename not in (loops.__file__, asyncio.base_events.__file__):
                return None
            frame.f_trace_opcodes = True
            if (code, place) not in stood:
                stood.add((code, place))
                handed.append(len(handed))
                loop.call_soon_threadsafe(came.append, handed[-1])
            return between

        sys.settrace(between)
        try:
            for _ in range(3):
                loop.call_soon_threadsafe(int)
                await asyncio.sleep(0)
        finally:
            sys.settrace(None)
        while len(came) < len(handed):
            await asyncio.sleep(0)

    def run() -> None:
        with asyncio.Runner(loop_factory=fair_loop) as runner:
            runner.run(main())

    thread = threading.Thread(target=run, daemon=True)  # One that waits for itself for ever does not keep this process from ending.
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), "the loop waits for itself"
    assert {code.co_name for code, _ in stood} >= {"call_soon_threadsafe", "_line_up", "_take_next", "_run_once"}
    assert came == handed


def test_one_thing_is_called_in_a_turn_however_many_are_handed_over_and_when() -> None:
    turns: list[int] = []

    async def main() -> None:
        loop, turn = asyncio.get_running_loop(), 0

        def call() -> None:
            turns.append(turn)

        for some in (1, 0, 3, 1, 0, 0, 2, 5):
            for _ in range(some):
                loop.call_soon_threadsafe(call)
            await asyncio.sleep(0)
            turn += 1
        while len(turns) < 12:
            await asyncio.sleep(0)
            turn += 1

    with asyncio.Runner(loop_factory=fair_loop) as runner:
        runner.run(main())
    assert len(set(turns)) == 12


@pytest.mark.parametrize("handed", [0, 1, 3])
def test_a_loop_that_is_closed_takes_nothing_and_says_so(handed: int) -> None:
    loop = fair_loop()
    waiting = [Mock() for _ in range(handed)]
    for one in waiting:
        loop.call_soon_threadsafe(one.call)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    gone = [weakref.ref(one) for one in waiting]
    waiting.clear()
    for _ in range(2):
        one = Mock()
        gone.append(weakref.ref(one))
        with pytest.raises(RuntimeError, match="closed"):
            loop.call_soon_threadsafe(one.call)
    del one
    gc.collect()
    assert [kept() for kept in gone if kept() is not None] == []


def test_the_server_runs_on_such_a_loop(tmp_path: Path) -> None:
    with serve(tmp_path / "log") as served:
        assert served.server.config.get_loop_factory() is fair_loop
        assert served.ask("GET", "/needs").status == 200
