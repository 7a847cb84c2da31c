"""When the thread that decides on Kafka waits, and for what: no broker is needed to see it."""

from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import Any
from unittest.mock import Mock

import pytest

from coordinator.adapters import kafka_service
from coordinator.adapters.kafka_service import KafkaService
from coordinator.stream import Batch, Record
from tests.coordinator.adapters.test_kafka_service import pieces, plan, proposed, until
from tests.coordinator.adapters.test_odd_records import serving
from tests.support.shelves import Shelves

THINGS, CADENCE_S = 4, 1.1


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaService]:
    """A coordinator that is to plan some markets at the next tick, one a turn."""
    monkeypatch.setattr(KafkaService, "markets_a_turn", 1)
    with serving(Shelves(), tmp_path / "memory.json") as service:
        service.publish([pieces(kind, kind, 5, "known") for kind in ("offer", "need")])
        proposed(service)  # the first plan is of all at once
        plan(service, False)
        service.publish([pieces(kind, f"{kind}-{number}", 5, f"thing-{number}") for number in range(THINGS) for kind in ("offer", "need")])
        plan(service, True)
        sleep(CADENCE_S)
        yield service


def test_who_holds_nothing_any_more_in_the_midst_of_a_plan_waits_for_news(service: KafkaService, monkeypatch: pytest.MonkeyPatch) -> None:
    acting, read, waits = service._acting, service._streams.read, []

    def noted(*told: Any, wait: bool = True) -> Batch:
        waits.append(wait)
        return read(*told, wait=wait)

    monkeypatch.setattr(service, "_acting", lambda: frozenset() if service._coordination.planner.goes_on else acting())
    service.tick()
    until(lambda: service._coordination.planner.goes_on)
    monkeypatch.setattr(service._streams, "read", noted)
    until(lambda: len(waits) >= 22)
    assert all(waits[2:])  # the step at hand when it was relieved may have looked without waiting
    monkeypatch.setattr(service, "_acting", acting)
    proposed(service, 1 + THINGS)  # what was left is planned once it holds them again


def test_no_acknowledgement_is_waited_for_in_the_midst_of_a_plan(service: KafkaService, monkeypatch: pytest.MonkeyPatch) -> None:
    planned, planner = kafka_service.planned, service._coordination.planner
    went_on: list[bool] = []  # whether the plan did when something was waited for

    class Late:
        def is_known(self) -> bool:
            return False

        def finish(self) -> list[Record]:
            went_on.append(planner.goes_on)
            return []

    def nothing(*told: Any) -> list[Any]:
        planned(*told)
        service._sending = Late()
        return []

    monkeypatch.setattr(kafka_service, "planned", nothing)
    service.tick()
    until(lambda: went_on)
    assert went_on[0] is False


def test_another_is_ahead_only_where_there_is_one_and_by_no_more_than_some_turns_unless_there_is_a_lag(
    service: KafkaService, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not service.others_may_be_ahead(1)  # alone
    with monkeypatch.context() as shared:
        shared.setattr(service, "_group", Mock(assignment=lambda: None))
        shared.setattr(service, "_lag", lambda: 0)
        assert service.others_may_be_ahead(1)
        assert not service.others_may_be_ahead(10**6)
        shared.setattr(service, "_lag", lambda: 1)
        assert service.others_may_be_ahead(10**6)
