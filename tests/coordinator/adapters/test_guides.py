"""Linear programs solved beside the cycle: it never waits for one, goes by the last, and plans anew once there is news."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from coordinator.adapters.guides import GuidesBeside
from coordinator.adapters.service import Service
from coordinator.charter import Charter
from coordinator.commitments import Deal, State
from coordinator.production import Production, prepare
from coordinator.times import SECOND_US
from solver import TooLarge
from solver.making import guided
from solver.making.reference import reference
from tests.coordinator.test_production import SHIELDS, lines_of, recipe
from tests.support.desk import Desk
from tests.support.events import agent, capacity, moment_us, need, offer
from tests.support.serving import Hand

LONG_S = 60.0
DELIVERY = ("printer", "clinic", "transfer", "shield", 60, None)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """What is awaited here is a linear program, and no compiler."""
    prepare()


@pytest.fixture
def guides() -> Iterator[GuidesBeside]:
    made = GuidesBeside()
    yield made
    made.close()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Event]:
    """Lets no linear program end before it is set."""
    go_on = Event()

    def waits(problem):
        assert go_on.wait(LONG_S)
        return guided(problem)

    monkeypatch.setattr("coordinator.adapters.guides.guided", waits)
    yield go_on
    go_on.set()


def desk_led_by(guides: GuidesBeside) -> Desk:
    desk = Desk(*SHIELDS)
    desk.core.production.guides = guides
    return desk


def test_a_cycle_waits_for_no_linear_program_and_plans_once_there_is_one(guides: GuidesBeside, held: Event) -> None:
    desk = desk_led_by(guides)
    assert desk.cycle() == []
    assert "is being solved for the first time" in desk.core.production.troubles()[0]
    assert not desk.core.production.has_news
    held.set()
    assert guides.wait(LONG_S)
    assert desk.core.production.has_news
    [deal] = desk.cycle()
    [at_once] = Desk(*SHIELDS).cycle()
    assert lines_of(deal) == lines_of(at_once)
    assert DELIVERY in lines_of(deal)


def test_what_changes_is_planned_at_once_by_the_last_pressures(guides: GuidesBeside, held: Event) -> None:
    desk = desk_led_by(guides)
    desk.cycle()
    held.set()
    assert guides.wait(LONG_S)
    desk.cycle()
    assert guides.wait(LONG_S)
    held.clear()
    desk.take(agent("ward", 48.6, 2.3), need("ward", 7, "shield", due=90, end=150))
    new = next(deal for deal in desk.cycle() if "ward" in deal.parties)
    assert ("printer", "ward", "transfer", "shield", 7, None) in lines_of(new)
    made = desk.core.production.latest
    assert made.plan is not None
    assert made.worth <= made.bound


def test_a_cycle_that_somebody_waits_for_plans_one_round_and_the_next_goes_on(
    guides: GuidesBeside, held: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Production, "_by_what_is_closed", lambda _, needs: [(frozenset(), [each]) for each in needs])
    desk = desk_led_by(guides)
    desk.take(agent("ward", 48.6, 2.3), need("ward", 7, "shield", due=90, end=150))
    desk.cycle()
    held.set()  # Only now: the second round of a cycle may be led by what the first one asked for.
    planned = []
    for _ in range(4):
        assert guides.wait(LONG_S)
        desk.cycle()
        planned.append(sum(deal.is_tree for deal in desk.core.book.deals.values()))
    assert planned == [1, 2, 2, 2]
    assert guides.wait(LONG_S)
    desk.cycle()
    assert not desk.core.production.has_news


@pytest.mark.parametrize("laid_work", [0, 100, 10**9])
def test_a_cycle_plans_as_far_as_its_work_goes_and_the_next_goes_on(
    guides: GuidesBeside, monkeypatch: pytest.MonkeyPatch, laid_work: int
) -> None:
    def proposed(desk: Desk) -> int:
        deals = [deal for deal in desk.core.book.deals.values() if deal.state is State.PROPOSED]
        return sum(line.quantity.grains for deal in deals for line in deal.lines if line.serves)

    monkeypatch.setattr("coordinator.production.CYCLE_WORK", 500)
    monkeypatch.setattr("coordinator.workshops.LAID_WORK", laid_work)  # However much laying out takes, walkers have their share.
    desk = desk_led_by(guides)
    desk.core.production._work = 500
    desk.take(*(line for n in range(6) for line in (agent(f"w{n}", 48.6, 2.3), need(f"w{n}", 7, "shield", due=90, end=150))))
    desk.cycle()
    assert guides.wait(LONG_S)
    steps = []
    while desk.core.production.has_news and len(steps) < 100:
        desk.cycle()
        assert guides.wait(LONG_S)
        steps.append(proposed(desk))
    assert steps == sorted(steps)
    assert len(set(steps)) > 6
    assert steps[-1] == 80  # Forty hours of printing make no more.


def test_nothing_is_planned_anew_without_news(guides: GuidesBeside) -> None:
    desk = desk_led_by(guides)
    for _ in range(4):  # As many as one plan has problems, and the first.
        desk.cycle()
        assert guides.wait(LONG_S)
    solved = guides.solved
    desk.cycle()
    assert guides.wait(LONG_S)
    assert (guides.solved, desk.core.production.has_news) == (solved, False)


def test_problems_of_an_older_plan_give_way_unless_one_was_begun(guides: GuidesBeside, held: Event) -> None:
    problems = [reference(places=3, demand=demand).problem for demand in range(1, 5)]
    for problem in problems:
        guides.plan_begins()
        assert guides.of(problem) is None
    assert guides.let_go >= 2
    held.set()
    assert guides.wait(LONG_S)
    assert guides.known(problems[-1]) is not None
    assert guides.known(problems[2]) is None


def test_a_fault_is_told_and_not_tried_again_and_the_next_problem_is_solved(guides: GuidesBeside, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fails_once(problem):
        asked.append(problem)
        if len(asked) == 1:
            raise ValueError("something nobody thought of")
        return guided(problem)

    monkeypatch.setattr("coordinator.adapters.guides.guided", fails_once)
    desk = desk_led_by(guides)
    desk.cycle()
    for _ in range(3):
        assert guides.wait(LONG_S)
        desk.core.network.changed_everywhere = True  # The same problem is asked for anew.
        assert desk.cycle() == []
        assert "something nobody thought of" in desk.core.production.troubles()[0]
    assert len(asked) == 1
    desk.take(agent("ward", 48.6, 2.3), need("ward", 7, "shield", due=90, end=150))
    desk.cycle()
    assert guides.wait(LONG_S)
    assert any(deal.is_tree for deal in desk.cycle())


def test_an_older_linear_program_that_ends_late_takes_the_place_of_no_newer_one(guides: GuidesBeside, held: Event) -> None:
    desk = desk_led_by(guides)
    desk.cycle()
    desk.take(agent("ward", 48.6, 2.3), need("ward", 7, "shield", due=90, end=150))
    desk.cycle()  # while the first is being solved, which nobody wants any more once the second is
    held.set()
    assert guides.wait(LONG_S)
    deals = desk.cycle()
    assert {"clinic", "ward"} <= {party for deal in deals for party in deal.parties}
    assert desk.core.production._last is not None
    assert len(desk.core.production._last[0].needs) == 2
    assert desk.core.production._awaited == []


def test_time_alone_asks_for_no_linear_program(tmp_path: Path, guides: GuidesBeside) -> None:
    clock = Hand(moment_us(1))
    service = Service(tmp_path / "stream.log", Charter.model_validate({"cycle_seconds": 1, "late_seconds": 10**9}), clock=clock)
    service.lead_by(guides)
    try:
        some = [line for line in SHIELDS if b"filament" not in line or b"offer" not in line]
        fine = recipe("designer", "visor", {"shield": 1}, {"frame": 1}, {"assembly": 0.10025})  # Of hours any second counts.
        idle = [agent("second", 48.3, 2.0), capacity("second", 40, "printing", end=40)]  # less and less, for want of filament
        service.publish([*some, offer("supplier", 0.9, "filament", unit="kg"), fine, *idle])
        for _ in range(6):
            clock.now_us += 2 * SECOND_US
            service.tick()
            assert guides.wait(LONG_S)
        solved = guides.solved
        for _ in range(6):
            clock.now_us += 2 * SECOND_US
            service.tick()
            assert guides.wait(LONG_S)
        assert guides.solved == solved
    finally:
        service.close()


def test_a_problem_that_proved_too_large_holds_up_none_after_it(guides: GuidesBeside, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def is_too_large_once(problem):
        asked.append(problem)
        if len(asked) == 1:
            raise TooLarge("numbers that nobody can hold")
        return guided(problem)

    monkeypatch.setattr("coordinator.adapters.guides.guided", is_too_large_once)
    desk = desk_led_by(guides)
    desk.cycle()
    assert guides.wait(LONG_S)
    assert desk.cycle() == []
    assert "numbers that nobody can hold" in desk.core.production.troubles()[0]
    desk.take(agent("ward", 48.6, 2.3), need("ward", 7, "shield", due=90, end=150))
    desk.cycle()
    assert guides.wait(LONG_S)
    assert any(deal.is_tree for deal in desk.cycle())


def test_a_service_proposes_what_is_made_by_a_later_tick(tmp_path: Path, guides: GuidesBeside) -> None:
    clock = Hand(moment_us(1))
    service = Service(tmp_path / "stream.log", Charter.model_validate({"cycle_seconds": 1, "late_seconds": 10**9}), clock=clock)
    service.lead_by(guides)
    try:
        outcomes = service.publish(SHIELDS)
        assert {each.status for each in outcomes} == {"taken"}
        trees = 0
        for _ in range(4):
            clock.now_us += 2 * SECOND_US
            service.tick()
            assert guides.wait(LONG_S)
            with service.reading() as coordination:
                trees = sum(deal.is_tree for deal in coordination.book.deals.values())
        assert trees == 1
    finally:
        service.close()


def test_who_gives_no_part_so_small_makes_room_by_turns_too(guides: GuidesBeside) -> None:
    lines = [agent("maker", 48.0, 2.0), agent("clinic", 48.1, 2.0), capacity("maker", 40, "sawing"), need("clinic", 1, "chair")]
    lines += [agent("near", 48.0, 2.0), offer("near", 100, "plank", minimum=11), agent("far", 49.0, 2.0), offer("far", 100, "plank")]
    desk = Desk(*lines, recipe("designer", "chair", {"chair": 1}, {"plank": 10}, {"sawing": 1}))
    desk.core.production.guides = guides
    deals: list[Deal] = []
    for _ in range(4):
        deals = desk.cycle()
        assert guides.wait(LONG_S)
    assert [sorted(deal.parties) for deal in deals if deal.is_tree] == [["clinic", "far", "maker"]]


def test_all_compiled_code_that_plans_call_is_loaded_before_somebody_waits_for_one() -> None:
    """In a process of its own: here other tests have loaded it."""
    told = """
import ast, inspect
from coordinator.production import prepare
from solver.engine import making_walk
from solver.making import gathering, ground, walkers

prepare()
nodes = [node for module in (gathering, ground, walkers) for node in ast.walk(ast.parse(inspect.getsource(module)))]
calls = [node.func for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
names = {call.attr for call in calls if isinstance(call.value, ast.Name) and call.value.id == "kernel"}
compiled = {name: getattr(making_walk, name) for name in sorted(names) if hasattr(getattr(making_walk, name), "signatures")}
assert len(compiled) > 5, names
print(*(name for name, each in compiled.items() if not each.signatures))
"""
    answer = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=False, timeout=LONG_S)
    assert (answer.returncode, answer.stdout.split()) == (0, []), answer.stderr
