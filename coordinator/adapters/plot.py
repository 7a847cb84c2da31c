"""The demo's picture: how many claims had a first portion, day by day, one line for each way of matching."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from coordinator.errors import Refused, Unavailable
from coordinator.times import SECOND_US

__all__ = ["COLOURS", "blank", "moment", "plot_first_portions", "save"]

# Okabe and Ito's colours, told apart by colour-blind readers, darkest first; dashes tell them apart in grey as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES = ("solid", (0, (6, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 1)), (0, (1, 4)), (0, (8, 4)))


def plot_first_portions(path: Path, lines: Mapping[str, Sequence[tuple[int, int]]], claims: int, span_us: tuple[int, int]) -> None:
    """Save a PNG of one stepped line for each name: (time in µs, claims with a first portion by then), ascending.

    `claims` is how many there are in all, `span_us` when the stream begins and ends. Refused without matplotlib; Unavailable when the
    file cannot be written.
    """
    figure, axes = blank(dates=True)
    start, end = (moment(time_us) for time_us in span_us)
    end = max([end, *(moment(points[-1][0]) for points in lines.values() if points)])
    ends: list[tuple[int, str, str]] = []
    for number, (name, points) in enumerate(lines.items()):
        reached = points[-1][1] if points else 0
        times = [start, *(moment(time_us) for time_us, _ in points), end]
        counts = [0, *(count for _, count in points), reached]
        colour = COLOURS[number % len(COLOURS)]
        axes.step(times, counts, where="post", color=colour, linestyle=_DASHES[number % len(_DASHES)], linewidth=2.2)
        ends.append((reached, name, colour))
    axes.set_xlim(start, end)
    axes.set_xlabel(" \N{EN DASH} ".join(sorted({str(start.year), str(end.year)})))
    axes.set_title(f"Claims that had a first portion, of {_spaced(claims)} in all", loc="left")
    _label_ends(axes, ends)
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    """Write a figure as a PNG. Unavailable when the file cannot be written."""
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written ({error.strerror}); check the folder and the space on the disk") from None


def blank(*, dates: bool) -> tuple[Any, Any]:
    """Return an empty figure with quiet axes, with dates to the right where asked. Refused without matplotlib."""
    try:  # Heavy, and only the demo draws. The canvas for files needs no screen.
        calendar = import_module("matplotlib.dates")
        figures = import_module("matplotlib.figure")
        canvases = import_module("matplotlib.backends.backend_agg")
    except ImportError:
        raise Refused("matplotlib, which draws the plot, is not installed; run: pip install 'stigmergic-coordinator[demo]'") from None
    figure = figures.Figure(figsize=(9, 5), layout="constrained")
    canvases.FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if dates:
        axes.xaxis.set_major_locator(calendar.AutoDateLocator(maxticks=10))
        axes.xaxis.set_major_formatter(calendar.DateFormatter("%d %b"))
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _label_ends(axes: Any, ends: Sequence[tuple[int, str, str]]) -> None:
    """Write each line's name and last number to the right of its end, moved up where two would overlap."""
    top = max((reached for reached, _, _ in ends), default=0) or 1
    axes.set_ylim(0, top * 1.08)
    lowest = 0.0
    for reached, name, colour in sorted(ends):
        height = max(reached, lowest)
        axes.annotate(
            f"{name}  {_spaced(reached)} ",
            xy=(1, height),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            annotation_clip=False,
        )
        lowest = height + top * 0.055


def moment(time_us: int) -> datetime:
    """Return a time as matplotlib takes it."""
    return datetime.fromtimestamp(time_us // SECOND_US, UTC)


def _spaced(number: int) -> str:
    """Return a whole number with its thousands apart."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
