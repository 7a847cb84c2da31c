"""Pictures of a plan of making: who works on what and when, and what goes where."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator.adapters.plot import COLOURS, blank, moment, save

__all__ = ["Bar", "Way", "plot_gantt", "plot_map"]

MOST_ROWS = 30  # workshops, those with the most work
Degrees = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Bar:
    """Work of one process at one workshop."""

    workshop: str
    process: str
    begin_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Way:
    """Goods on their way, in degrees of latitude and longitude."""

    start: Degrees
    end: Degrees
    resource: str
    is_last: bool  # whether it goes to who needs it


def plot_gantt(path: Path, bars: Sequence[Bar], begin_us: int, title: str) -> None:
    """Save a PNG with a row for each workshop's process (those with the most work) and a bar for each piece of work."""
    figure, axes = blank(dates=True)
    work = Counter[tuple[str, str]]()
    for bar in bars:
        work[bar.workshop, bar.process] += bar.end_us - bar.begin_us
    most: dict[str, int] = Counter(name for name, _ in work)
    for (name, _), busy_us in work.items():
        most[name] = max(most[name], busy_us)
    rows = sorted(work, key=lambda row: (-most[row[0]], row))[:MOST_ROWS]
    colours = _colours(bar.process for bar in bars)
    for bar in bars:
        if (bar.workshop, bar.process) in rows:
            start, end = moment(bar.begin_us), moment(bar.end_us)
            axes.barh(
                rows.index((bar.workshop, bar.process)),
                end - start,
                left=start,
                height=0.7,
                color=colours[bar.process],
                linewidth=0.3,
                edgecolor="white",
            )
    axes.set_yticks(range(len(rows)), [f"{name[:34]}, {process}" for name, process in rows], fontsize=6)
    axes.invert_yaxis()
    axes.set_xlim(left=moment(begin_us))
    more = f", the busiest {len(rows)} of {len(work)} rows" if len(work) > len(rows) else ""
    axes.set_title(title + more, loc="left", fontsize=9)
    _legend(axes, colours)
    save(figure, path)


def plot_map(path: Path, ways: Sequence[Way], places: Mapping[str, Sequence[Degrees]], title: str) -> None:
    """Save a PNG of workshops, needs and what goes between them, by latitude and longitude."""
    figure, axes = blank(dates=False)
    colours = _colours(way.resource for way in ways)
    for way in ways:
        line = (way.start[1], way.end[1]), (way.start[0], way.end[0])
        axes.plot(*line, color=colours[way.resource], linewidth=0.9 if way.is_last else 0.6, alpha=0.7, zorder=1)
    marks = {"workshops": ("s", "#000000", 9), "needs": ("o", "#777777", 9)}
    for name, (mark, colour, size) in marks.items():
        found = sorted(set(places.get(name, ())))
        axes.scatter([each[1] for each in found], [each[0] for each in found], marker=mark, s=size, color=colour, label=name, zorder=2)
    axes.set_xlabel("degrees east")
    axes.set_ylabel("degrees north")
    axes.set_title(title, loc="left", fontsize=9)
    axes.set_aspect(1.3)
    _legend(axes, colours)
    save(figure, path)


def _colours(names: Any) -> dict[str, str]:
    return {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(sorted(set(names)))}


def _legend(axes: Any, colours: Mapping[str, str]) -> None:
    for name, colour in colours.items():
        axes.plot([], [], color=colour, linewidth=4, label=name)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=7, frameon=False)
