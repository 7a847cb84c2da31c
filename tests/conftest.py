"""What all tests share: where the real data lies, the real broker, how properties are searched, and what stayed untested."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.apache import Broker, forget_topics, running_kafka

# No deadlines: a slow machine is not a wrong answer. A failing example prints the line that replays it.
settings.register_profile("house", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
os.environ.setdefault("STIGMERGY_PREPARE", "false")  # Servers of the tests are small and short-lived; none needs the engine compiled.
os.environ.pop("COLUMNS", None)  # Tables go by it, and pytest's workers have one whatever terminal there is: readline sets it.


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets that STIGMERGY_DATA names; without it the test is skipped, and the summary says so."""
    named = os.environ.get("STIGMERGY_DATA", "")
    if not named:
        pytest.skip("STIGMERGY_DATA is not set: it names the folder with the real data sets")
    if not Path(named).is_dir():
        pytest.fail(f"STIGMERGY_DATA names {named!r}, which is no folder")
    return Path(named)


@pytest.fixture(scope="session")
def apache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One broker of Apache Kafka for all tests of a process that only need one: it takes seconds to start."""
    with running_kafka(tmp_path_factory.mktemp("kafka"), "the log, the coordinator and its doctor") as broker:
        yield broker


@pytest.fixture
def kafka(apache: Broker) -> str:
    """The address of the real broker, without any topic."""
    forget_topics(apache.address)
    return apache.address


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the very end what this machine could not test, each thing once and loudly."""
    reasons = {str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", []) if isinstance(report.longrepr, tuple)}
    untested = sorted(reason.removeprefix("Skipped: ") for reason in reasons if "NOT TESTED" in reason)
    if untested:
        terminalreporter.section("not tested on this machine", red=True, bold=True)
    for reason in untested:
        terminalreporter.line(reason, red=True)
