"""What people see: tables, and how far work is that takes a while: a bar in a terminal, elsewhere a line now and then.

Machines ask for ``--json`` and see neither.
"""

import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from types import TracebackType
from typing import Any

__all__ = ["Figure", "Progress", "table", "working"]

MILLION = 1_000_000
PIPE_WIDTH = 200  # of a table where nobody watches and no COLUMNS says otherwise
READABLE = 20  # characters abreast; less is not taken for a width
NARROWEST = 8  # of a column of text, in characters: the beginning of an id fits
GAP = 2  # between columns
REDRAWN_S = 0.1  # how often a bar moves, so that counting costs nothing
LINE_S = 10.0  # how often a line tells how far it is, where there is no bar


class Figure(str):
    """A number as it is shown, which stands to the right like one."""

    __slots__ = ()

    @classmethod
    def exact(cls, value: float) -> "Figure":
        """Return a number with all its digits, thousands apart."""
        return cls(f"{Decimal(str(value)):,f}")


class Progress:
    """A bar on standard error; a line now and then where that is no terminal; silent where JSON was asked for."""

    def __init__(self, what: str, quiet: bool = False, total: int | None = None) -> None:
        self._what, self._total, self._count = what, total, 0
        self._bar: Any = None
        self._quiet = quiet
        self._told_s = time.monotonic()

    def __enter__(self) -> "Progress":
        """Show the bar."""
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Bar(*columns, console=Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=self._total)
        return self

    def step(self, note: str | None = None) -> None:
        """Count one more; the bar moves, or a line is told, only after a while."""
        self._count += 1
        now_s = time.monotonic()
        if self._quiet or now_s - self._told_s < (LINE_S if self._bar is None else REDRAWN_S):
            return
        self._told_s = now_s
        now_at = f"{self._what} {note or ''}".rstrip()
        if self._bar is not None:
            self._bar.update(self._task, completed=self._count, description=now_at)
        else:
            print(f"{now_at}: {self._count:,}" + ("" if self._total is None else f" of {self._total:,}"), file=sys.stderr, flush=True)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the bar as it ended."""
        if self._bar is not None:
            self._bar.update(self._task, completed=self._count)
            self._bar.stop()


@contextmanager
def working(what: str, quiet: bool = False) -> Iterator[None]:
    """Say in a line what is done now, and show in a terminal that it goes on; quiet where JSON was asked for."""
    if quiet:
        yield
        return
    print(f"{what} ...", flush=True)
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TimeElapsedColumn

    with Bar(SpinnerColumn(), TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        bar.add_task(what, total=None)
        yield


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table as wide as the terminal, or as COLUMNS says; numbers stand to the right, and the widest column is folded first.

    Where nobody watches (a pipe, a file) and no COLUMNS is set it is wide. Where its columns would not fit, each row is a list of its own.
    """
    from rich.console import Console
    from rich.text import Text

    listed = [list(row) for row in rows]
    # Of COLUMNS and the terminal, in this order; 0 and what is no number stand for "not known" in both.
    abreast, lines = shutil.get_terminal_size((PIPE_WIDTH, 25))
    console = Console(width=max(READABLE, abreast), height=lines)
    console.print(Text(title, style="table.title"))  # not the table's own title, which would be broken at the table's width
    cells = [[_told(value) for value in row] for row in listed]
    numeric = [bool(listed) and all(isinstance(row[at], int | float | Figure | None) for row in listed) for at in range(len(columns))]
    widths = _widths(columns, cells, numeric, console.width)
    console.print(_as_lists(columns, cells) if widths is None else _as_table(columns, cells, numeric, widths))
    if not listed:
        console.print("  (nothing)")


def _widths(columns: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool], most: int) -> list[int] | None:
    """Return how wide each column is in a table of at most so many characters; None where text would be too narrow to read.

    A number is never folded, and a long word, such as the name of a need, into two lines at most.
    """
    from rich.cells import cell_len

    texts = [[name, *(row[at] for row in cells)] for at, name in enumerate(columns)]
    widths = [max(map(cell_len, column)) for column in texts]
    halves = [max(-(-cell_len(word) // 2) for text in column for word in text.split() or [""]) for column in texts]
    floors = [
        width if is_number else min(width, max(half, NARROWEST)) for width, half, is_number in zip(widths, halves, numeric, strict=True)
    ]
    spare = most - sum(widths) - GAP * len(widths) - 1
    while spare < 0:
        foldable = [at for at in range(len(widths)) if widths[at] > floors[at]]
        if not foldable:
            return None
        top = max(widths[at] for at in foldable)
        widest = [at for at in foldable if widths[at] == top]
        lowest = max(*(floors[at] for at in widest), *(widths[at] for at in foldable if widths[at] < top), 0)
        for at in widest:  # in one step as far as they stay the widest: a cell may have a million characters
            folded = min(top - lowest, -(spare // len(widest)), -spare)
            widths[at] -= folded
            spare += folded
    return widths


def _as_table(columns: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool], widths: Sequence[int]) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name, is_number, width in zip(columns, numeric, widths, strict=True):
        shown.add_column(name, justify="right" if is_number else "left", no_wrap=is_number, overflow="fold", width=width)
    for row in cells:
        shown.add_row(*map(Text, row))
    return shown


def _as_lists(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> Any:
    """Return each row as lines of a column's name and what stands there; what is empty is left out."""
    from rich.table import Table
    from rich.text import Text

    shown = Table.grid(padding=(0, 1))
    shown.add_column(overflow="fold", style="table.header")
    shown.add_column(overflow="fold")
    for row in cells:
        shown.add_row()
        for name, cell in zip(columns, row, strict=True):
            if cell:
                shown.add_row(Text(f" {name}"), Text(cell))
    return shown


def _told(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float) and abs(value) >= MILLION:
        return f"{value / MILLION:,.1f}M"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
