"""A small share of ``make torture``: coordinators killed, the broker paused, the network cut; nothing lost, nothing doubled."""

from pathlib import Path

import pytest

from tests.torture.running import Plan, torture


@pytest.mark.slow
@pytest.mark.parametrize("broker", ["apache", "tansu"])
def test_whatever_is_killed_paused_or_cut_nothing_acknowledged_is_lost_and_nothing_is_doubled(broker: str, tmp_path: Path) -> None:
    outcome = torture(Plan(broker, events=400, kills=2, pauses=1, cuts=1, workers=2), tmp_path)
    assert outcome.findings.wrong == [], outcome.table()
    assert outcome.findings.waiting == 0, outcome.table()
    assert outcome.findings.counts["ledger committed"] > 0, outcome.table()
    assert outcome.findings.counts["acknowledged"] >= 400, outcome.table()
