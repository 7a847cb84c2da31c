"""What people see: tables as wide as they may be, and how far long work is, in a terminal and elsewhere."""

import re
import sys
from collections.abc import Callable

import pytest

from coordinator.cli import output
from coordinator.cli.output import LINE_S, Progress, table, working

COLUMNS = ["need", "of", "stated", "why"]
ROWS = [["clinique-ouest-de-la-ville/need/face-shield", "face-shield", 1234, "nobody near it has any"]]

Told = Callable[[], tuple[str, list[str]]]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """The first line printed, and the others that hold something."""

    def read() -> tuple[str, list[str]]:
        plain = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
        title, *lines = plain.splitlines()
        return title, [line for line in lines if line.strip()]

    return read


@pytest.mark.parametrize(("columns", "widest"), [("70", 70), ("100", 100), (None, 200), ("wide", 200), ("0", 200), ("-5", 200), ("²", 200)])
def test_without_a_terminal_a_table_is_as_wide_as_columns_says(
    monkeypatch: pytest.MonkeyPatch, told: Told, columns: str | None, widest: int
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    table("needs", COLUMNS, [*ROWS, ["ward/need/n", "visor", 5, "so many words that they would not stand in any line, " * 4]])
    _, lines = told()
    assert widest - 3 <= max(map(len, lines)) <= widest
    for text in ("1,234", "5"):
        assert any(text in line.split() for line in lines), "no number is folded"


def test_in_a_narrow_table_the_widest_column_gives_way_first(monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    monkeypatch.setenv("COLUMNS", "75")
    table("needs", COLUMNS, ROWS)
    _, [head, _, first, second] = told()
    assert head.split() == COLUMNS
    assert (" face-shield " in first, "1,234" in first, "nobody near it has any" in first) == (True, True, True)
    assert first.split()[0] + second.strip() == ROWS[0][0]


@pytest.mark.parametrize("columns", ["30", "50"])
def test_where_columns_would_be_too_narrow_to_read_each_row_is_a_list(monkeypatch: pytest.MonkeyPatch, told: Told, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    table("needs (2)", COLUMNS, [*ROWS, ["ward/need/n", "visor", 5, None]])
    title, lines = told()
    assert title == "needs (2)"
    assert max(map(len, lines)) <= int(columns)
    names = [line.split()[0] for line in lines if line.startswith(" ") and line[1] != " "]
    assert names == [*COLUMNS, *COLUMNS[:3]], "and what is empty is left out"
    assert ROWS[0][0] in "".join(line[8:].strip() for line in lines)


def test_no_table_is_narrower_than_can_be_read(monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    monkeypatch.setenv("COLUMNS", "5")
    table("needs", COLUMNS, ROWS)
    _, lines = told()
    assert 15 <= max(map(len, lines)) <= 20


def test_a_narrow_table_of_nothing_says_so(monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    table("needs (0)", COLUMNS, [])
    assert told() == ("needs (0)", ["  (nothing)"])


# -- progress ----------------------------------------------------------------------------------------------------------


class Terminal:
    """Standard error as a terminal, to hold what a bar writes there."""

    def __init__(self) -> None:
        self.written = ""

    def write(self, text: str) -> int:
        self.written += text
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def isatty(self) -> bool:
        return True


def test_without_a_terminal_long_work_tells_in_a_line_now_and_then_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s = 0.0
    monkeypatch.setattr(output.time, "monotonic", lambda: now_s)
    with Progress("streaming", total=5_000) as progress:
        for number in range(5_000):
            now_s = number * LINE_S / 2_000
            progress.step(f"day {number // 1_000}")
    assert capsys.readouterr().err == "streaming day 2: 2,001 of 5,000\nstreaming day 4: 4,001 of 5,000\n"


def test_short_work_and_work_for_programs_tells_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("reading") as progress:
        progress.step()
    now_s = 0.0
    monkeypatch.setattr(output.time, "monotonic", lambda: now_s)
    with Progress("reading", quiet=True) as progress, working("Planning", quiet=True):
        now_s = 10 * LINE_S
        progress.step()
    assert capsys.readouterr() == ("", "")


def test_in_a_terminal_a_bar_shows_how_far_it_is_and_a_step_of_unknown_length_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress("streaming", total=2) as progress:
        progress.step()
        progress.step()
    assert "2/2" in terminal.written
    terminal.written = ""
    with working("Planning"):
        pass
    assert "0:00:00" in terminal.written


def test_what_is_done_now_is_said_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with working("Planning over all levels"):
        assert capsys.readouterr() == ("Planning over all levels ...\n", "")
