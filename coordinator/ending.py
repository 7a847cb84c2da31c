"""How a program of ours begins and ends: whatever goes wrong is told in one sentence and an exit code."""

import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from coordinator.errors import Defect, Refused, Unavailable

__all__ = ["EXIT_CODES", "run_to_end", "tell_exit_codes"]

EXIT_CODES = {
    0: "done",
    1: "as told above",
    2: "mend what was said",
    3: "something outside failed, try again",
    4: "a fault in here, report it",
}


def tell_exit_codes(app: Any) -> None:
    """Have the help of each command of a Typer app end with its exit codes: 1 is among them where its own help says what it means."""
    app.info.epilog = _codes("")
    for each in (*app.registered_commands, *filter(None, [app.registered_callback])):
        each.epilog = _codes(each.callback.__doc__ or "")
    for group in app.registered_groups:
        tell_exit_codes(group.typer_instance)


def _codes(helped: str) -> str:
    return "Exit codes: " + "; ".join(f"{code} {told}" for code, told in EXIT_CODES.items() if code != 1 or "exit code 1" in helped) + "."


def run_to_end(app: Callable[[], object], name: str) -> None:
    """Run a command line; what goes wrong ends in one sentence and an exit code: 2 mend the input, 3 try again, 4 call us."""
    _fill_in_closed_streams(name)
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # here, where what fails is still told in a sentence
    except Refused as error:
        _end(name, 2, error)
    except Unavailable as error:
        _end(name, 3, error)
    except Defect as error:
        _end(name, 4, error)
    except OSError as error:
        _let_go_of_output()
        what = "what was printed" if error.filename is None else str(error.filename)
        told = f"this machine could not take {what}: {error.strerror or error}. Make room or mend that, then try again."
        _end(name, 3, Unavailable(told))


def _fill_in_closed_streams(name: str) -> None:
    """Give closed standard streams a file that is nowhere: else the next file opened, such as a log, would stand where others print.

    Closed standard output ends the program: what it is asked for could not be told.
    """
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - open as long as the program runs
    closed = sys.stdout is None
    if closed:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as above
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as above
    if closed:
        _end(name, 2, Refused("standard output is closed, and the answer would be lost; send it somewhere, such as > FILE or > /dev/null"))


def _end(name: str, code: int, error: Exception) -> NoReturn:
    print(f"{name}: {error}", file=sys.stderr)
    sys.exit(code)


def _let_go_of_output() -> None:
    """Send what is still in the buffer nowhere: on the way out Python would try to write it once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
