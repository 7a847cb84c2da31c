"""The unit for systemd is one that systemd takes, leaves a service little to do harm with, and starts a command that exists."""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parents[2] / "deploy" / "systemd" / "stigmergic-coordinator.service"


@pytest.fixture
def analyze():
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("NOT TESTED: the unit for systemd, for systemd-analyze is not here")

    def run(*words: str | Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([found, "--no-pager", *map(str, words)], capture_output=True, text=True, check=False, timeout=60)

    return run


@pytest.fixture
def installed(tmp_path):
    """The unit as it would be where the program is really there."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/stigmergic-coordinator/.venv/bin/coordinator", sys.executable))
    return unit


def test_systemd_takes_the_unit(analyze, installed):
    done = analyze("verify", installed)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_setting_would_be_noticed(analyze, installed):
    installed.write_text(installed.read_text().replace("NoNewPrivileges=yes", "NoNewPrivilege=yes"))
    assert "NoNewPrivilege" in analyze("verify", installed).stderr


def test_little_is_left_that_the_service_may_do(analyze, installed):
    done = analyze("security", "--offline=true", "--threshold=20", installed)  # of 100; an unhardened service has 96
    assert done.returncode == 0, done.stdout[-400:]
    bare = installed.with_name("bare.service")
    bare.write_text("[Service]\nExecStart=/bin/true\n")
    assert analyze("security", "--offline=true", "--threshold=20", bare).returncode != 0


def test_it_runs_the_command_that_serves_and_does_not_retry_what_a_person_must_mend():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(UNIT.read_text())
    assert unit["Service"]["ExecStart"].endswith("/bin/coordinator serve")
    assert unit["Service"]["RestartPreventExitStatus"] == "2"
    assert unit["Service"]["WorkingDirectory"] == f"/var/lib/{unit['Service']['StateDirectory']}"
