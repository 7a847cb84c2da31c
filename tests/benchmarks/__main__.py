"""Runs the programs of this folder, one after another, each within a bound, and tells at the end what was measured and what left out.

    python -m tests.benchmarks [PROGRAM ...] [--short] [--each 13] [--minutes 40]

All of them unless some are named. A program that takes more than `--each` minutes is ended, with all it started; where the
`--minutes` are up, the rest is left out, and so is what needs real data sets where STIGMERGY_DATA names none. With `--short` each runs
as small as still makes sense, a few minutes in all: its figures are of no use, only that it runs. Ends with 1 where a program failed.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
ENDS = ("done", "FAILED", "ENDED", "LEFT OUT")  # how a program may have ended, told in its row
LAST_SECONDS = 20  # for a program that is interrupted
SHORT = {  # the words with which each program is small
    "bench_kafka": "--signals 2000 --offers 50 --per-second 100 --warm-seconds 2 --seconds 3",
    "bench_log": "--events 5000",
    "bench_stream": "--signals 5000 --minutes 1",
    "beside": "--events 1000 --times 1",
    "demo_latency": "--after 500 --events 20",
    "fairness": "--needs 60",
    "flood": "--seconds 1",
    "following": "--things 3 --side 40 --words 40 --cycles 1,10",
    "holds": "--signals 1000",
    "keeping": "--words 2 --sides 10 30",
    "latency": "--nodes 100 --events 20",
    "lies": "20 2",
    "making": "--places 8 --events 5 --demands 1",
    "making_frepple": "--most 2",
    "making_lots": "--most 1 --limit 1",
    "making_same_day": "--demands 10",
    "making_stream": "--days 10",
    "many_proposals": "--proposals 5000",
    "minimum_parts": "--cases 10",
    "page": "200",
    "page_listeners": "10",
    "serve_stalls": "--signals 500 --listeners 5 --seconds 1 --a-second 50",
    "solver_cold": "--arcs 3000",
    "solver_events": "--arcs 3000 --events 100",
    "solver_memory": "--arcs 20000",
    "solver_stalls": "--arcs 3000 --seconds 0.2",
}


def programs() -> list[str]:
    """Return the names of all programs here, in order."""
    others = (path for path in HERE.glob("*.py") if path.name != Path(__file__).name)
    return sorted(path.stem for path in others if "\ndef main(" in path.read_text("utf-8"))


def misses_data(program: str) -> bool:
    """Whether a program measures on real data sets, and none are named."""
    return not os.environ.get("STIGMERGY_DATA") and "real_data_folder(" in (HERE / f"{program}.py").read_text("utf-8")


def measured(program: str, words: list[str], seconds: float) -> str:
    """Run a program, which prints as it goes, for so many seconds at most; return how it ended."""
    process = subprocess.Popen([sys.executable, str(HERE / f"{program}.py"), *words], start_new_session=True)
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
    parser.add_argument("--short", action="store_true", help="each as small as still makes sense, to see that it runs")
    parser.add_argument("--each", type=float, default=13, help="minutes for one program")
    parser.add_argument("--minutes", type=float, default=40, help="for all of them")
    asked = parser.parse_args()
    unknown = sorted(set(asked.programs) - set(programs()))
    if unknown:
        parser.error(f"there is no {' or '.join(unknown)}; there are {', '.join(programs())}")
    until = time.monotonic() + asked.minutes * 60
    rows: list[tuple[str, float, str]] = []
    chosen = asked.programs or programs()
    for number, program in enumerate(chosen, 1):
        start = time.monotonic()
        left = min(asked.each * 60, until - start)
        if left <= 0:
            rows.append((program, 0.0, "LEFT OUT, for the minutes are up"))
            continue
        if misses_data(program):
            rows.append((program, 0.0, "LEFT OUT, for STIGMERGY_DATA names no folder with real data sets"))
            continue
        words = SHORT[program].split() if asked.short else []
        print(f"== {' '.join((program, *words))} ({number} of {len(chosen)}, {_failures(rows)} so far)", flush=True)
        how = measured(program, words, left)
        rows.append((program, time.monotonic() - start, how))
    print("== how each program ended")
    for program, seconds, how in rows:
        print(f"{program:<20} {seconds:>6.0f} s  {how}")
    ended = Counter(next(each for each in ENDS if how.startswith(each)) for _, _, how in rows)
    print(f"== of {len(rows)}: {', '.join(f'{ended[each]} {each}' for each in ENDS)}")
    return int(ended["FAILED"] > 0)


def _failures(rows: list[tuple[str, float, str]]) -> str:
    failed = [program for program, _, how in rows if how.startswith("FAILED")]
    return f"FAILED: {', '.join(failed)}" if failed else "none failed"


if __name__ == "__main__":
    sys.exit(main())
