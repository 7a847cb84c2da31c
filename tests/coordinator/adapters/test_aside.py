"""Work in a process of its own is not ended by Ctrl-C, which reaches all that a terminal runs."""

import os
import signal
import time
from pathlib import Path

from coordinator.adapters.aside import begin_aside

LONGEST_S = 60.0


def wait_for(path: Path) -> None:
    deadline_s = time.monotonic() + LONGEST_S
    while not path.exists():
        assert time.monotonic() < deadline_s, f"{path.name} never came"
        time.sleep(0.01)


def work(folder: Path) -> None:
    """Say that it began, and end well once it is told to."""
    (folder / "begun").touch()
    wait_for(folder / "enough")
    (folder / "ended well").touch()


def test_ctrl_c_does_not_reach_it_at_any_moment_and_is_heeded_as_before_by_who_began_it(tmp_path: Path) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    process = begin_aside(work, tmp_path)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert process.pid is not None
    os.kill(process.pid, signal.SIGINT)  # while it still begins
    wait_for(tmp_path / "begun")
    os.kill(process.pid, signal.SIGINT)
    (tmp_path / "enough").touch()
    process.join(LONGEST_S)
    assert process.exitcode == 0
    assert (tmp_path / "ended well").exists()


def test_it_can_be_ended_by_who_began_it(tmp_path: Path) -> None:
    process = begin_aside(work, tmp_path)
    wait_for(tmp_path / "begun")
    process.terminate()
    process.join(LONGEST_S)
    assert process.exitcode == -signal.SIGTERM
    assert not (tmp_path / "ended well").exists()
