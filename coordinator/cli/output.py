"""What people see in a terminal: tables, and a bar for work that takes a while. Machines ask for ``--json`` and see neither."""

import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Any

__all__ = ["Figure", "Progress", "table"]

MILLION = 1_000_000
PIPE_WIDTH = 200


class Figure(str):
    """A number as it is shown, which stands to the right like one."""

    __slots__ = ()

    @classmethod
    def exact(cls, value: float) -> "Figure":
        """Return a number with all its digits, thousands apart."""
        return cls(f"{Decimal(str(value)):,f}")


class Progress:
    """A bar on standard error; silent where nobody watches (no terminal) or where JSON was asked for."""

    def __init__(self, what: str, quiet: bool = False, total: int | None = None) -> None:
        self._what, self._total, self._count = what, total, 0
        self._bar: Any = None
        self._quiet = quiet or not sys.stderr.isatty()

    def __enter__(self) -> "Progress":
        """Show the bar."""
        if not self._quiet:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Bar(*columns, console=Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=self._total)
        return self

    def step(self, note: str | None = None) -> None:
        """Count one more; the bar moves every hundredth time, so that counting costs nothing."""
        self._count += 1
        if self._bar is not None and (self._count % 100 == 0 or note):
            self._bar.update(self._task, completed=self._count, description=f"{self._what} {note or ''}".rstrip())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the bar as it ended."""
        if self._bar is not None:
            self._bar.update(self._task, completed=self._count)
            self._bar.stop()


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers stand to the right. Where nobody watches (a pipe, a file) no column is cut."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    listed = [list(row) for row in rows]
    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for index, column in enumerate(columns):
        numeric = bool(listed) and all(isinstance(row[index], int | float | Figure | None) for row in listed)
        shown.add_column(column, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    for row in listed:
        shown.add_row(*(Text(_told(value)) for value in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    console.print(Text(title, style="table.title"))  # not the table's own title, which would be broken at the table's width
    console.print(shown)
    if not listed:
        console.print("  (nothing)")


def _told(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float) and abs(value) >= MILLION:
        return f"{value / MILLION:,.1f}M"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
