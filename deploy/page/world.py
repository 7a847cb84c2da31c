"""Writes the map's coasts and borders: `python deploy/page/world.py FOLDER`, FOLDER being the npm package world-atlas 2.0.2, unpacked.

That package carries Natural Earth 1:50m (public domain) as TopoJSON. What comes out keeps coasts and borders apart, each a list of
lines; a line is a list of whole numbers, x0, y0 and then steps, in fiftieths of a degree. Small islands and small bends are left out.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

STEPS = 50  # a degree
TOLERANCE = 1.6  # steps that a coast may be off
SOUTHERNMOST = -60 * STEPS  # Antarctica is left out
LEAST_AREA = 14.0  # square steps of an island that is drawn
LARGEST_FILE = 200_000  # bytes
ORIGIN = "Natural Earth 1:50m, public domain, out of the npm package world-atlas 2.0.2 (ISC); written by deploy/page/world.py"

Point = tuple[float, float]


def main(folder: Path) -> None:
    """Write the file that the page draws."""
    atlas = json.loads((folder / "countries-50m.json").read_text(encoding="utf-8"))
    land = json.loads((folder / "land-50m.json").read_text(encoding="utf-8"))
    told = {
        "origin": ORIGIN,
        "steps": STEPS,
        "coasts": [_packed(ring) for ring in _coasts(land)],
        "borders": [_packed(line) for line in _borders(atlas)],
    }
    text = json.dumps(told, separators=(",", ":"))
    assert len(text) < LARGEST_FILE, f"{len(text)} bytes: raise TOLERANCE or LEAST_AREA"
    target = Path(__file__).resolve().parents[2] / "coordinator/page/world.json"
    target.write_text(text + "\n", encoding="utf-8")
    print(f"{target}: {len(text)} bytes, {len(told['coasts'])} coasts, {len(told['borders'])} borders")


def _arcs(topology: dict[str, Any]) -> list[list[Point]]:
    """Return every arc in steps, undoing the deltas and the package's own grid."""
    (scale_x, scale_y), (move_x, move_y) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append(((x * scale_x + move_x) * STEPS, (y * scale_y + move_y) * STEPS))
        arcs.append(points)
    return arcs


def _coasts(topology: dict[str, Any]) -> Iterator[list[Point]]:
    arcs = _arcs(topology)
    for geometry in topology["objects"]["land"]["geometries"]:
        polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
        for polygon in polygons:
            for ring in polygon:
                points = [point for index in ring for point in (arcs[index] if index >= 0 else arcs[~index][::-1])]
                if abs(_area(points)) >= LEAST_AREA and max(y for _, y in points) > SOUTHERNMOST:
                    half = len(points) // 2  # a ring has no ends to hold on to, so it is straightened in two halves
                    yield _straightened(points[: half + 1]) + _straightened(points[half:])[1:]


def _borders(topology: dict[str, Any]) -> Iterator[list[Point]]:
    """Yield the arcs that two countries share."""
    arcs, uses = _arcs(topology), Counter[int]()
    for geometry in topology["objects"]["countries"]["geometries"]:
        polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
        uses.update({index if index >= 0 else ~index for polygon in polygons for ring in polygon for index in ring})
    for index, count in sorted(uses.items()):
        if count > 1:
            yield _straightened(arcs[index])


def _area(points: Sequence[Point]) -> float:
    return sum(x * v - u * y for (x, y), (u, v) in zip(points, [*points[1:], points[0]], strict=True)) / 2


def _straightened(points: Sequence[Point]) -> list[Point]:
    """Return the line without bends smaller than the tolerance (Douglas and Peucker 1973)."""
    kept, spans = {0, len(points) - 1}, [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        far, middle = max(((_off(points[index], points[first], points[last]), index) for index in range(first + 1, last)), default=(0.0, 0))
        if far > TOLERANCE:
            kept.add(middle)
            spans += [(first, middle), (middle, last)]
    return [points[index] for index in sorted(kept)]


def _off(point: Point, start: Point, end: Point) -> float:
    """Return how far a point is from the line between two others."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = dx * dx + dy * dy
    along = 0.0 if length == 0 else max(0.0, min(1.0, ((point[0] - start[0]) * dx + (point[1] - start[1]) * dy) / length))
    x, y = point[0] - start[0] - along * dx, point[1] - start[1] - along * dy
    return float((x * x + y * y) ** 0.5)


def _packed(points: Sequence[Point]) -> list[int]:
    whole = [(round(x), round(y)) for x, y in points]
    steps = [axis for (x, y), (u, v) in pairwise(whole) if (x, y) != (u, v) for axis in (u - x, v - y)]
    return [*whole[0], *steps]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
