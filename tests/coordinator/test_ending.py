"""Programs end in a sentence and an exit code, whatever stands where they print."""

import subprocess
import sys
from pathlib import Path

import pytest

STARTS = {"coordinator": "from coordinator.cli import main; main()", "connector": "from connectors.cli import main; main()"}


def ended(program: str, redirections: str, *words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = ["sh", "-c", f'exec "$0" "$@" {redirections}', sys.executable, "-c", STARTS[program], *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize("program", STARTS)
def test_closed_standard_output_ends_in_a_sentence(program, tmp_path):
    came = ended(program, ">&-", "--help", folder=tmp_path)
    assert came.returncode == 2
    assert (
        came.stderr
        == f"{program}: standard output is closed, and the answer would be lost; send it somewhere, such as > FILE or > /dev/null\n"
    )


def test_closed_input_is_empty_and_closed_errors_go_nowhere(tmp_path):
    came = ended("coordinator", "<&-", "publish", "-", "--log", "own.log", folder=tmp_path)
    assert (came.returncode, came.stdout) == (2, "")
    assert came.stderr.startswith("coordinator: no event came on standard input")
    quiet = ended("coordinator", "2>&-", "publish", "offer", "mask", "5", "--as", "nord", "--log", "own.log", folder=tmp_path)
    assert (quiet.returncode, quiet.stdout.split(":")[0]) == (0, "taken")
    assert ended("coordinator", "", "log", "verify", "own.log", folder=tmp_path).returncode == 0
