"""Programs end in a sentence and an exit code, whatever stands where they print."""

import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from connectors.cli import app as connector_app
from coordinator.cli import app as coordinator_app
from coordinator.ending import EXIT_CODES

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


APPS = {"coordinator": coordinator_app, "connector": connector_app}


def commands(command: Any, *words: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """A command, or group of commands, by its words; and all below it."""
    yield words, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, *words, name)


ALL = [(program, *each) for program, app in APPS.items() for each in commands(typer.main.get_command(app))]


@pytest.mark.parametrize(("program", "words", "command"), [pytest.param(*each, id=" ".join([each[0], *each[1]])) for each in ALL])
def test_the_help_of_every_command_tells_its_exit_codes(program: str, words: tuple[str, ...], command: Any):
    helped = " ".join(CliRunner().invoke(APPS[program], [*words, "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output.split())
    ends_with_one = command.callback is not None and "Exit(1" in inspect.getsource(command.callback)
    expected = [told for told in EXIT_CODES.items() if told[0] != 1 or ends_with_one]
    assert helped.count("Exit codes: ") == 1
    assert f"Exit codes: {'; '.join(f'{code} {told}' for code, told in expected)}." in helped
    assert ("exit code 1 " in " ".join((command.help or "").split())) == ends_with_one, "what 1 means is told where the program may end so"
