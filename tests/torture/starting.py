"""A coordinator's process, forked from one that has loaded all it needs: how one ends is tried here, not how Python loads."""

import os
import sys
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from coordinator.cli import main
from tests.support.processes import environment

__all__ = ["LOG", "TOLD", "begin"]

TOLD, LOG = "told.txt", "log.txt"  # in a coordinator's folder: what it says since it was started, and its log of all starts


def begin(folder: Path, *words: str) -> ForkServerProcess:
    """Run the command line with these words in a process of its own."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.torture.loaded"])
    process = context.Process(target=_run, args=(folder, words))
    process.start()
    return process


def _run(folder: Path, words: tuple[str, ...]) -> None:
    os.chdir(folder)
    for name, mode, stream in ((TOLD, "w", sys.stdout), (LOG, "a", sys.stderr)):
        with Path(name).open(mode) as file:
            os.dup2(file.fileno(), stream.fileno())
    os.environ.clear()
    os.environ.update(environment())
    sys.argv = ["coordinator", *words]
    main()
