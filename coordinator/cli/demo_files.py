"""The demo's stream, distances and charter as plain files, for whoever wants to read, change and replay them."""

import gzip
import json
import shlex
from collections.abc import Iterator
from pathlib import Path

from coordinator.adapters.files import make_folder, write_lines
from coordinator.adapters.ppe_match import Story, event_of
from coordinator.adapters.routes_csv import ROUTE_COLUMNS
from coordinator.charter import Charter
from coordinator.errors import Unavailable
from coordinator.routes import RouteTable

__all__ = ["write_demo_files"]


def write_demo_files(folder: Path, story: Story, routes: RouteTable, charter: Charter) -> str:
    """Write ``events.jsonl``, ``routes.csv.gz`` and ``charter.toml``; return the command line that replays them."""
    make_folder(folder)
    events, distances, rules = folder / "events.jsonl", folder / "routes.csv.gz", folder / "charter.toml"
    write_lines(events, (event_of(row).decode() + "\n" for row in story.stream()))
    try:
        # Packed weakly, for millions of rows that are made to be tried once.
        with gzip.open(distances, "wt", compresslevel=1, encoding="ascii") as file:
            file.writelines(_route_rows(routes))
    except OSError as error:
        raise Unavailable(f"{distances} cannot be written ({error.strerror}); check the folder and the space on the disk") from None
    write_lines(rules, _toml(charter))
    words = ["coordinator", "replay", events, "--routes", distances, "--charter", rules, "--answers", "accept", "--out", folder / "replay"]
    return shlex.join(map(str, words))


def _route_rows(routes: RouteTable) -> Iterator[str]:
    """Yield a header and each pair once, in kilometres with all metres, so that reading gives the same table."""
    yield ",".join(ROUTE_COLUMNS) + "\n"
    for position, agent in enumerate(routes.agents):
        partners, distances_m = routes.row(agent)
        onward = partners > position
        for partner, distance_m in zip(partners[onward].tolist(), distances_m[onward].tolist(), strict=True):
            yield f"{agent},{routes.agents[partner]},{distance_m // 1000}.{distance_m % 1000:03}\n"


def _toml(charter: Charter) -> Iterator[str]:
    """Yield what the charter says of its own, as TOML; what it leaves out has its default there too."""
    yield "[charter]\n"
    for key, value in charter.model_dump(exclude_unset=True).items():
        yield f"{key} = {json.dumps(value)}\n"  # JSON's texts and numbers are TOML's
