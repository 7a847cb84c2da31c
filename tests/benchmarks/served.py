"""`coordinator serve` as a process of its own, for benchmarks, and what the system tells of its time and memory."""

import contextlib
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["cpu_s", "largest_rss", "rss", "served"]

PAGE_BYTES = resource.getpagesize()


@contextlib.contextmanager
def served(folder: Path, command: Sequence[str] = (), where: Sequence[str] = ()) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Yield a server and its port, on an empty log in a folder unless `where` says otherwise.

    `command` is what runs `coordinator`, where it is not the usual one.
    """
    where = where or ["--log", str(folder / "log")]
    words = [*(command or [str(Path(sys.executable).with_name("coordinator"))]), "serve", "--port", "0", *where]
    environment = {**os.environ, "STIGMERGY_PREPARE": "false", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder, env=environment) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r":(\d+) plans", line)
        assert found is not None, f"the server said {line!r}"
        try:
            yield process, int(found[1])
        finally:
            process.terminate()
            process.wait(20)


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process took."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss(pid: int) -> float:
    """Return the bytes of memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def largest_rss(pid: int) -> float:
    """Return the most that it ever held."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
