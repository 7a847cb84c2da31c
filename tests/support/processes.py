"""The command line as people run it: in processes of their own, which can be stopped and killed."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["CHARTER", "COMMAND", "environment", "run", "serving", "stop"]

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-c", "from coordinator.cli import main; main()")
CHARTER = '[charter]\ncycle_seconds = 1\nfairness = "off"\n'


def environment() -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("STIGMERGY_")}
    return plain | {"PYTHONPATH": str(ROOT), "STIGMERGY_PREPARE": "false"}  # a child that compiles would outlive a killed server


def run(*words: str, cwd: Path, expected: int = 0) -> str:
    done = subprocess.run([*COMMAND, *words], cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == expected, f"{words} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@contextmanager
def serving(folder: Path, *options: str, log: tuple[str, ...] = ("--log", "log")) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The address of a server started in `folder`, and its process; killed at the end where it still runs."""
    (folder / "charter.toml").write_text(CHARTER)
    words = [*COMMAND, "serve", *log, "--charter", "charter.toml", "--port", "0", "--tick-seconds", "0.2", *options]
    process = subprocess.Popen(words, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    guard = threading.Timer(300, process.kill)
    guard.start()
    try:
        line = process.stdout.readline()
        assert "http://127.0.0.1:" in line, process.communicate()
        yield line.split(" on ")[1].split()[0], process
    finally:
        guard.cancel()
        process.kill()
        process.communicate(timeout=60)


def stop(process: "subprocess.Popen[str]", by: signal.Signals = signal.SIGINT) -> str:
    process.send_signal(by)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return errors
