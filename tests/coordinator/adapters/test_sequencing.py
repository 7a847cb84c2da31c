"""Orders of work are searched beside the cycle: nobody waits for them, and questions are told what was found."""

from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from coordinator.adapters import sequencing as module
from coordinator.adapters.sequencing import OrdersBeside
from coordinator.cycle import Coordination
from coordinator.errors import Unavailable
from coordinator.floor import Question, questions, searched
from solver.making import Sequence
from tests.support.events import agent, amount, answer, capacity, event, hours, need
from tests.support.serving import Served, serve

MATERIALS = ("pla", "petg", "pla", "petg", "pla")  # of five jobs that one machine is to do


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Served]:
    """A printer farm that is asked for five jobs of two materials."""
    lines = [agent("farm", 48.0, 2.0), capacity("farm", 40, "printing", limits={"material": "pla;petg"})]
    for number, material in enumerate(MATERIALS):
        step = {"process": "printing", "effort": amount(1, "h"), "setup": amount(30, "min"), "requires": {"material": material}}
        data = {"recipe": f"r{number}", "outputs": [{"resource": f"thing-{number}", "quantity": amount(1)}], "steps": [step]}
        lines += [event("recipe", "agent:designer", f"r{number}", 0, data), agent(f"clinic-{number}", 48.1, 2.0)]
        lines.append(need(f"clinic-{number}", 2 + number, f"thing-{number}"))
    with serve(tmp_path / "log") as served:
        served.service.publish(lines)
        served.wait(2)
        yield served


def test_what_a_plan_asks_of_a_workshop_is_put_in_order_beside_and_told_with_what_no_order_comes_below(farm: Served) -> None:
    before = farm.get("/workshops/farm")
    assert (before["jobs"], before["least"]) == ([], 0)
    assert before["if_accepted"]["least"] is None
    farm.orders.look()
    assert farm.orders.searches == 1
    after = farm.get("/workshops/farm")["if_accepted"]
    assert 0 < after["least"] <= after["late_or_changing"] <= before["if_accepted"]["late_or_changing"]
    assert len(after["jobs"]) == len(MATERIALS)
    assert after["late"] == 0
    assert b"stigmergy_orders_searched_total 1.0" in farm.ask("GET", "/metrics").body


def test_an_order_holds_as_time_passes_and_nothing_is_searched_twice(farm: Served) -> None:
    farm.orders.look()
    found = farm.get("/workshops/farm")["if_accepted"]
    farm.wait(600)
    farm.orders.look()
    later = farm.get("/workshops/farm")["if_accepted"]
    assert farm.orders.searches == 1
    assert (later["least"], later["late_or_changing"]) == (found["least"], found["late_or_changing"])


def test_what_is_promised_is_searched_anew(farm: Served) -> None:
    farm.orders.look()
    for proposal in farm.get("/proposals")["items"]:
        parties = {name for line in proposal["lines"] for name in (line["provider"], line["receiver"])}
        farm.service.publish([answer(party, proposal["proposal"], at=8) for party in parties])
    for _ in range(3):  # The rest of a round, then the next.
        farm.orders.look()
    told = farm.get("/workshops/farm")
    assert len(told["jobs"]) == len(MATERIALS)
    assert told["if_accepted"] is None
    assert 0 < told["least"] <= told["late_or_changing"]


def test_the_coordinator_is_read_and_spoken_to_while_an_order_is_searched(farm: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []

    def slow(question: Question) -> Sequence:
        with farm.service.reading() as coordination:
            heard.append(coordination.log_us)
        farm.wait(2)
        return searched(question)

    monkeypatch.setattr(module, "searched", slow)
    farm.orders.look()
    assert len(heard) == farm.orders.searches == 1
    assert farm.get("/workshops/farm")["if_accepted"]["least"] > 0


def test_work_that_is_on_time_is_looked_at_again_only_when_it_may_be_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []

    def on_time(question: Question) -> tuple[Sequence, int] | None:
        looked.append(question.now_us)
        return asked(question)

    asked = Question.on_time
    monkeypatch.setattr(Question, "on_time", on_time)
    with serve(tmp_path / "log") as served:
        served.service.publish([agent("farm", 48.0, 2.0), capacity("farm", 8, "printing"), agent("clinic", 48.1, 2.0)])
        served.service.publish([hours("clinic", 3, "printing", due=17)])
        served.wait(2)
        [proposal] = served.get("/proposals")["items"]
        served.service.publish([answer(party, proposal["proposal"], at=8) for party in ("farm", "clinic")])
        for _ in range(4):
            served.orders.look()
        assert len(looked) == 1
        served.wait(5 * 3_600)
        served.orders.look()
        served.orders.look()
        assert (len(looked), served.orders.searches) == (1, 0)
        served.wait(2 * 3_600)
        served.orders.look()
        served.orders.look()
        assert (len(looked), served.orders.searches) == (2, 1)


def test_the_coordinator_is_not_held_while_work_is_laid_out(farm: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    held = []

    def laid_out(coordination: Coordination, agent: str) -> list[Question]:
        held.append(farm.service._lock.locked())
        return questions(coordination, agent)

    monkeypatch.setattr(module, "questions", laid_out)
    farm.orders.look()
    assert held == [False]
    assert farm.orders.searches == 1


def test_a_thread_looks_until_it_is_closed(farm: Served) -> None:
    farm.orders.start(0.01)
    for _ in range(1_000):
        if farm.orders.searches:
            break
        farm.orders._stop.wait(0.01)
    farm.orders.close()
    assert farm.orders.searches == 1
    assert not farm.orders._thread.is_alive()


def test_every_workshop_is_looked_at_however_often_there_is_a_new_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = []
    monkeypatch.setattr(module, "questions", lambda _, agent: looked_at.append(agent) or [])
    monkeypatch.setattr(module, "WORKSHOPS", 2)
    planned = [SimpleNamespace(provider=f"planned-{number}", action="use") for number in range(5)]
    promised = SimpleNamespace(lines=[SimpleNamespace(provider="promised", action="use")])
    book = SimpleNamespace(after=lambda _: iter(["deal"]), deals={"deal": promised})

    def with_a_new_plan() -> AbstractContextManager[SimpleNamespace]:
        made = SimpleNamespace(trees=[SimpleNamespace(lines=planned)])
        return nullcontext(SimpleNamespace(production=SimpleNamespace(latest=made), book=book))

    orders = OrdersBeside(SimpleNamespace(reading=with_a_new_plan, moment=lambda: (None, None)))
    for _ in range(8):
        orders.look()
    assert looked_at == 2 * [*(line.provider for line in planned), "promised"]


def test_while_the_history_is_read_nothing_is_searched_and_nothing_told(farm: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, ended = iter((False, False, True)), Event()

    class Reading:
        @property
        def has_begun(self) -> bool:
            return next(asked, True)

    def look(orders: OrdersBeside) -> None:
        assert next(asked, None) is None, "it was looked before the history was read"
        ended.set()

    monkeypatch.setattr(OrdersBeside, "look", look)
    orders = OrdersBeside(Reading())
    with capture_logs() as logs:
        orders.start(0.001)
        assert ended.wait(60)
        orders.close()
    assert logs == []


def test_why_no_order_is_searched_is_told_once_and_so_is_that_orders_are_searched_again(
    farm: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = deque(("the disk is full", "the disk is full", "the disk is gone", "", "", "the disk is full"))
    ended = Event()

    def look(_: OrdersBeside) -> None:
        is_last = len(looks) == 1  # and stays: whoever looks again finds the same
        if is_last:
            ended.set()
        if reason := looks[0] if is_last else looks.popleft():
            raise Unavailable(reason)

    monkeypatch.setattr(OrdersBeside, "look", look)
    orders = OrdersBeside(farm.service)
    with capture_logs() as logs:
        orders.start(0.001)
        assert ended.wait(60)
        orders.close()
    assert [log.get("reason", log["event"]) for log in logs] == [
        "the disk is full",
        "the disk is gone",
        "orders are searched again",
        "the disk is full",
    ]
