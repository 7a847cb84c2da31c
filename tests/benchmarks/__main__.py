"""Runs the programs of this folder, one after another, each within a bound, and tells at the end what was measured and what left out.

    python -m tests.benchmarks [PROGRAM ...] [--each 13] [--minutes 40]

All of them unless some are named. A program that takes more than `--each` minutes is ended, with all it started; where the
`--minutes` are up, the rest is left out. Ends with 1 where a program failed.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
LAST_SECONDS = 20  # for a program that is interrupted


def programs() -> list[str]:
    """Return the names of all programs here, in order."""
    return sorted(path.stem for path in HERE.glob("*.py") if path.name != Path(__file__).name and "__main__" in path.read_text("utf-8"))


def measured(program: str, seconds: float) -> str:
    """Run a program, which prints as it goes, for so many seconds at most; return how it ended."""
    process = subprocess.Popen([sys.executable, str(HERE / f"{program}.py")], start_new_session=True)
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LAST_SECONDS)  # to stop what it started elsewhere, such as a broker
        return f"ENDED after {seconds:.0f} s: what it had not printed by then is left out"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with whatever it started: servers, browsers
        process.wait()
    return "done" if code == 0 else f"FAILED with {code}"


def main() -> int:
    """Measure, and tell how each program ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help=f"of {', '.join(programs())}")
    parser.add_argument("--each", type=float, default=13, help="minutes for one program")
    parser.add_argument("--minutes", type=float, default=40, help="for all of them")
    asked = parser.parse_args()
    unknown = sorted(set(asked.programs) - set(programs()))
    if unknown:
        parser.error(f"there is no {' or '.join(unknown)}; there are {', '.join(programs())}")
    until = time.monotonic() + asked.minutes * 60
    rows: list[tuple[str, float, str]] = []
    for program in asked.programs or programs():
        start = time.monotonic()
        left = min(asked.each * 60, until - start)
        if left <= 0:
            rows.append((program, 0.0, "LEFT OUT: the minutes are up"))
            continue
        print(f"== {program}", flush=True)
        how = measured(program, left)
        rows.append((program, time.monotonic() - start, how))
    print("== how each program ended")
    for program, seconds, how in rows:
        print(f"{program:<20} {seconds:>6.0f} s  {how}")
    return int(any(how.startswith("FAILED") for _, _, how in rows))


if __name__ == "__main__":
    sys.exit(main())
