"""The benchmarks of fairness, minimum parts and stalls run, small, and their tables say what holds."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as bench
from tests.benchmarks.beats import Beats

ROOT = Path(__file__).resolve().parents[2]


def table(program: str, *words: str) -> list[list[str]]:
    """Return the words of each line that a benchmark prints."""
    command = [sys.executable, str(ROOT / "tests" / "benchmarks" / program), *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stderr
    return [line.split() for line in run.stdout.splitlines()]


def test_no_rule_leaves_an_exchange_and_exact_ratio_is_near_the_fractional_leximin() -> None:
    rows = [row for row in table("fairness.py", "--needs", "60") if row[:1] in (["uniform"], ["towns"]) and row[1] != "LPs"]
    assert [(row[0], row[1]) for row in rows] == [
        (name, rule) for name in ("uniform", "towns") for rule in ("off", "portions", "ratio", "ratio")
    ]
    assert {(row[3], row[5]) for row in rows} == {("0", "0")}
    exact = [row for row in rows if row[1] == "ratio" and int(row[2]) > 100]
    assert [row[4] for row in exact] == ["0", "0"]
    assert max(float(row[-1]) for row in exact) < 2  # Units: whole ones beside fractions of them.


def test_the_gap_of_minimum_parts_is_printed() -> None:
    rows = table("minimum_parts.py", "--cases", "25")
    told = {" ".join(row[:-1]): row[-1] for row in rows}
    relaxation = float(told["urgency of CP-SAT's optimum below the relaxation"].rstrip("%"))
    ours = float(told["urgency of our answer below the relaxation"].rstrip("%"))
    assert 0 < relaxation <= ours < 10


def test_each_way_to_keep_a_field_beside_a_loop_is_measured() -> None:
    rows = table("solver_stalls.py", "--arcs", "3000", "--seconds", "0.2")
    told = {" ".join(row[:-5]): row for row in rows if row[-2:-1] == ["of"] or row[-2] == "of"}
    assert {
        "nothing",
        "its events, by the thousand",
        "its pressures being asked for",
        "building (each turn)",
        "changing (each turn)",
    } <= told.keys()
    assert all(float(row[-5]) >= float(row[-4]) >= 0 and int(row[-1]) > 0 for row in told.values())  # The longest, and the latest of 1 000.


def test_what_a_core_was_late_meanwhile_is_taken_off_a_beat_and_nothing_else() -> None:
    core, other = Beats([1.0, 1.5, 3.0], [0.01, 0.2, 0.4]), Beats([1.55], [0.25])
    loop = Beats([0.5, 1.6, 1.9, 2.9], [0.1, 0.3, 0.05, 0.05])
    assert loop.beyond([core, other]) == pytest.approx([100.0, 50.0, 50.0, 50.0])


@pytest.mark.parametrize("program", bench.programs())
def test_every_program_starts_and_is_known_small(program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", [f"{program}.py", "--help"])
    monkeypatch.syspath_prepend(ROOT / "tests" / "benchmarks")
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "tests" / "benchmarks" / f"{program}.py"), run_name="__main__")
    helped = capsys.readouterr().out
    assert (ended.value.code, helped[:6]) == (0, "usage:")
    assert [word for word in bench.SHORT[program].split() if word.startswith("--") and f"{word} " not in helped] == []


@pytest.mark.parametrize(
    ("program", "words"),
    [
        *(("beside", "--events 0"), ("bench_log", "--events 0"), ("bench_stream", "--signals 0"), ("fairness", "--needs 0")),
        *(
            ("following", "--words 0"),
            ("keeping", "--words 0"),
            ("latency", "--events 0"),
            ("lies", "0"),
            ("making_same_day", "--demands 0"),
        ),
        *(("making_stream", "--days 0"), ("many_proposals", "--proposals 0"), ("minimum_parts", "--cases 0")),
    ],
)
def test_of_nothing_no_program_measures_anything_and_each_says_so(
    program: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{program}.py", *words.split()])
    monkeypatch.syspath_prepend(ROOT / "tests" / "benchmarks")
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "tests" / "benchmarks" / f"{program}.py"), run_name="__main__")
    assert (ended.value.code, capsys.readouterr().err.rpartition(": ")[2]) == (2, "0 came; at least 1 is measured\n")


@pytest.mark.parametrize("program", [name for name in bench.programs() if "making_" in name and name != "making_same_day"])
def test_a_program_that_measures_on_real_data_says_what_it_misses(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{program}.py"])
    for named, told in (
        (None, "STIGMERGY_DATA is not set: it names the folder"),
        (str(tmp_path), f"STIGMERGY_DATA names {tmp_path}, which"),
    ):
        monkeypatch.delenv("STIGMERGY_DATA", raising=False)
        if named is not None:
            monkeypatch.setenv("STIGMERGY_DATA", named)
        assert bench.misses_data(program) == (named is None)
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / "tests" / "benchmarks" / f"{program}.py"), run_name="__main__")
        assert ended.value.code == 2
        assert told in capsys.readouterr().err


def test_one_that_fails_is_told_and_counted_and_the_others_still_run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, body in (
        ("breaks", "raise RuntimeError('on purpose')"),
        ("lasts", "time.sleep(60)"),
        ("runs", "print('measured', sys.argv[1:])"),
    ):
        (tmp_path / f"{name}.py").write_text(f"import sys, time\n\ndef main():\n    {body}\n\nmain()\n")
    (tmp_path / "part.py").write_text("helps = 1\n")
    monkeypatch.setattr(bench, "HERE", tmp_path)
    monkeypatch.setattr(bench, "LAST_SECONDS", 1)
    monkeypatch.setattr(bench, "SHORT", {"breaks": "", "lasts": "", "runs": "--events 3"})
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--short", "--each", "0.05"])
    assert bench.main() == 1
    said = capfd.readouterr().out.splitlines()
    assert [line for line in said if line.startswith("== ")] == [
        "== breaks (1 of 3, none failed so far)",
        "== lasts (2 of 3, FAILED: breaks so far)",
        "== runs --events 3 (3 of 3, FAILED: breaks so far)",
        "== how each program ended",
        "== of 3: 1 done, 1 FAILED, 1 ENDED, 0 LEFT OUT",
    ]
    assert "measured ['--events', '3']" in said


def test_all_of_them_run_within_bounds_and_what_was_left_out_is_told() -> None:
    command = [sys.executable, "-m", "tests.benchmarks", "lies", "fairness", "--each", "0.05", "--minutes", "0.05"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stderr
    lies, fairness, counted = run.stdout.splitlines()[-3:]
    assert lies.startswith("lies ")
    assert "ENDED after 3 s" in lies
    assert fairness.startswith("fairness ")
    assert "LEFT OUT" in fairness
    assert counted == "== of 2: 0 done, 0 FAILED, 1 ENDED, 1 LEFT OUT"
