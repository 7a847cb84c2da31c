"""What all tests share: where the real data lies, and how properties are searched."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No deadlines: a slow machine is not a wrong answer. A failing example prints the line that replays it.
settings.register_profile("house", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
os.environ.setdefault("STIGMERGY_PREPARE", "false")  # Servers of the tests are small and short-lived; none needs the engine compiled.


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets that STIGMERGY_DATA names; without it the test is skipped, and the summary says so."""
    named = os.environ.get("STIGMERGY_DATA", "")
    if not named:
        pytest.skip("STIGMERGY_DATA is not set: it names the folder with the real data sets")
    if not Path(named).is_dir():
        pytest.fail(f"STIGMERGY_DATA names {named!r}, which is no folder")
    return Path(named)
