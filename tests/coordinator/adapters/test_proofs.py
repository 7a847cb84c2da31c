"""While it runs, every market is held against its proof in turn, and what fails is shown to monitors and people."""

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from structlog.testing import capture_logs

from coordinator.adapters import proofs as module
from coordinator.adapters.proofs import Proofs
from tests.support.serving import Served, serve, signal


@pytest.fixture
def planned(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path / "log") as served:
        for resource in ("face-shield", "gown"):
            served.service.publish([signal("offer", "maker", 30, resource=resource), signal("need", "clinic", 20, resource=resource)])
        served.wait(2)
        yield served


def test_markets_are_checked_in_turn_and_found_proven(planned: Served) -> None:
    seen = []
    for _ in range(3):
        planned.proofs.check_next()
        seen.append(planned.proofs._last[0][1])
    assert seen == ["face-shield", "gown", "face-shield"]
    assert planned.proofs.counts == {"proven": 3, "broken": 0, "skipped": 0}
    assert planned.get("/readyz")["unproven"] == {}
    assert b'stigmergy_proofs_total{result="proven"} 3.0' in planned.ask("GET", "/metrics").body


def test_an_answer_that_is_not_proven_is_told_until_it_is(planned: Served) -> None:
    with planned.service.reading() as coordination:
        planner = coordination.planner
        planner.keep_pairs = planner.keep_after = 0
        planner.solved.clear()
    for quantity in (31, 32, 33):
        planned.service.publish([signal("offer", "maker", quantity)])
        planned.wait(2)
    with planned.service.reading() as coordination:
        kept = coordination.planner.solved[(("resource", "face-shield"),)].kept
        assert kept is not None
        kept.field.offer_changes(0, -20)
    planned.proofs.check_next()
    wrong = planned.get("/readyz")["unproven"]["face-shield"]
    assert "maker/offer/face-shield stands with 33 grains, but the solver counts 13" in wrong
    assert b'stigmergy_proofs_total{result="broken"} 1.0' in planned.ask("GET", "/metrics").body
    kept.field.offer_changes(0, 20)
    planned.proofs.check_next()
    planned.proofs.check_next()
    assert planned.get("/readyz")["unproven"] == {}


def test_a_market_too_large_to_be_checked_while_people_wait_is_counted(planned: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ANEW", 0)
    planned.proofs.check_next()
    assert planned.proofs.counts["skipped"] == 1


def test_nothing_is_checked_where_nothing_was_planned(tmp_path: Path) -> None:
    with serve(tmp_path / "log") as served:
        Proofs(served.service).check_next()
        assert served.proofs.counts.total() == 0


def test_it_goes_on_by_itself_until_it_is_closed(planned: Served) -> None:
    planned.proofs.start(0.01)
    for _ in range(2_000):
        if planned.proofs.counts["proven"] > 2:
            break
        time.sleep(0.01)
    planned.proofs.close()
    assert planned.proofs.counts["proven"] > 2
    checked = planned.proofs.counts["proven"]
    planned.wait(2)
    assert planned.proofs.counts["proven"] == checked


def test_a_check_that_takes_long_does_not_keep_it_from_closing(planned: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    proofs, began, go_on = Proofs(planned.service), Event(), Event()

    def check_long() -> None:
        began.set()
        assert go_on.wait(20)

    monkeypatch.setattr(module, "CLOSE_S", 0)
    monkeypatch.setattr(proofs, "check_next", check_long)
    proofs.start(0)
    assert began.wait(20)
    with capture_logs() as logs:
        proofs.close()
    assert [one["event"] for one in logs] == ["the check at hand was left"]
    go_on.set()
    thread = proofs._thread
    assert thread is not None
    thread.join()
    proofs.close()
