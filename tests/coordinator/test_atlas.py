"""What a map is told of signals: how much of each is open, and how much of its life is left, by which pressure fades."""

from typing import Any

import pytest

from coordinator.atlas import atlas
from tests.support.desk import Desk
from tests.support.events import need, offer

AT: dict[str, Any] = {"place": {"lat": 1.0, "long": 1.0}}


@pytest.mark.parametrize(("hours", "life"), [(0, 1000), (5, 500), (9, 100)])
def test_a_signal_fades_as_its_time_runs_out_and_one_without_an_end_does_not(hours: float, life: int) -> None:
    desk = Desk(need("clinic", 40, expires=10, **AT), need("ward", 40, "gown", **AT))
    desk.until(hours)
    told = atlas(desk.core)
    assert dict(zip((told["agents"]["name"][each] for each in told["signals"]["agent"]), told["signals"]["life"], strict=True)) == {
        "clinic": life,
        "ward": 1000,
    }


def test_what_has_expired_is_on_the_map_no_more() -> None:
    desk = Desk(need("clinic", 40, expires=10, **AT))
    desk.until(11)
    assert atlas(desk.core)["signals"]["agent"] == []


def test_what_a_plan_covers_is_not_open() -> None:
    desk = Desk(need("clinic", 40, **AT), offer("maker", 10, **AT))
    desk.cycle()
    signals = atlas(desk.core)["signals"]
    assert dict(zip(signals["need"], signals["open"], strict=True)) == {1: 750, 0: 0}
