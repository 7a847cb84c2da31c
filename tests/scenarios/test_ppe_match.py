"""The real relief data of 2020: with fairness off the replay ships exactly what the known optimum ships, over as many kilometres."""

import csv
import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.replaying import Result, recorded_events, replay

KM_A_MILE = Decimal("1.609344")
YEAR_S = 366 * 86_400


@pytest.fixture(scope="session")
def ppe(real_data: Path) -> Path:
    folder = real_data / "ppe-match"
    assert (folder / "static-optimum.csv").is_file()
    return folder


@pytest.fixture(scope="session")
def stream(ppe: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The rows as dated signals in order of date, and the distances in kilometres."""
    folder = tmp_path_factory.mktemp("ppe")
    rows = []
    for file, kind, column, most in (("donors.csv", "offer", "don_id", 1_000), ("recipients.csv", "need", "rec_id", 1_000_000)):
        for number, row in enumerate(csv.DictReader((ppe / file).open())):
            if float(row["qty"]) <= most:
                rows.append((row["date"].replace(" ", "T"), kind, row[column], f"{row['ppe']}-{number}", row["ppe"], float(row["qty"])))
    rows.sort(key=lambda row: row[0])
    with (folder / "signals.jsonl").open("w") as file:
        for number, (time, kind, who, subject, item, quantity) in enumerate(rows):
            data = {"resource": item, "quantity": {"value": quantity, "unit": "1"}}
            form = {"specversion": "1.0", "id": str(number), "source": f"agent:{who}", "type": f"stigmergy.{kind}.v1", "subject": subject}
            file.write(json.dumps(form | {"time": time, "data": data}) + "\n")
    with gzip.open(ppe / "distances.csv.gz", "rt") as given, gzip.open(folder / "routes.csv.gz", "wt", compresslevel=1) as taken:
        taken.write("from,to,distance_km\n")
        taken.writelines(f"{row['don_id']},{row['rec_id']},{Decimal(row['distance_miles']) * KM_A_MILE}\n" for row in csv.DictReader(given))
    return folder / "signals.jsonl", folder / "routes.csv.gz"


def optimum(folder: Path) -> dict[str, tuple[float, float]]:
    """Item -> most that can be shipped, and the least unit-kilometres at that volume."""
    rows = csv.DictReader((folder / "static-optimum.csv").open())
    return {row["ppe"]: (float(row["max_shipped"]), float(row["min_unit_miles_at_max"]) * float(KM_A_MILE)) for row in rows}


def replayed(tmp_path: Path, stream: tuple[Path, Path], *more: str, cycle_seconds: int = YEAR_S) -> Result:
    signals, routes = stream
    return replay(tmp_path, [signals], "--routes", str(routes), *more, cycle_seconds=cycle_seconds)


@pytest.mark.slow
@pytest.mark.parametrize("cycle_seconds", [YEAR_S, 86_400], ids=["one plan at the end", "a plan each day"])
def test_all_nine_items_ship_the_known_optimum(ppe, stream, tmp_path, cycle_seconds):
    log = tmp_path / "events.db"
    result = replayed(tmp_path, stream, "--record", str(log), cycle_seconds=cycle_seconds)
    assert result.summary["refused"] == 0
    known = optimum(ppe)
    assert len(known) == 9
    for item, (shipped, unit_km) in known.items():
        told = result.summary["resources"][item]
        assert told["proposed"] == shipped, item
        assert told["quantity_km"] == pytest.approx(unit_km, rel=0.001), item
    again = replay(tmp_path, [], "--log", str(log), "--routes", str(stream[1]), name="log", cycle_seconds=cycle_seconds)
    assert again.digest == result.digest


@pytest.mark.slow
def test_everybody_accepting_commits_no_more_than_was_offered_and_the_log_replays_to_the_same_digest(stream, tmp_path):
    log = tmp_path / "events.db"
    result = replayed(tmp_path, stream, "--answers", "accept", "--record", str(log), cycle_seconds=7 * 86_400)
    for item, told in result.summary["resources"].items():
        assert told["proposed"] == 0, item
        assert told["committed"] <= min(told["offered"], told["needed"]), item
    assert sum(told["committed"] for told in result.summary["resources"].values()) > 0
    again = replay(tmp_path, [], "--log", str(log), "--routes", str(stream[1]), name="log")
    assert again.digest == result.digest
    assert again.summary["resources"] == result.summary["resources"]
    assert len(recorded_events(log)) > result.summary["events"]
