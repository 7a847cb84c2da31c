"""From recipe signals to a commitment of several parties: replayed, recorded and read back, shuffled, doubled, and live over HTTP."""

import json
from pathlib import Path
from random import Random

from coordinator.signals import event_json
from tests.coordinator.test_production import SHIELDS, SIMPLE
from tests.support.events import agent, capacity, need
from tests.support.replaying import replay
from tests.support.serving import serve

STORY = [*SHIELDS, *SIMPLE[2:], agent("maker", 48.1, 2.0), need("clinic", 6, "visor", subject="visors")]
STORY += [capacity("sewer", 4, "cutting", subject="cut")]


def told(tmp_path: Path, name: str, lines: list[bytes], *words: str):
    return replay(tmp_path, lines, *words, name=name, fairness="off", late_seconds=10**9)


def test_a_replay_ends_with_the_tree_committed_by_all_its_parties(tmp_path: Path) -> None:
    result = told(tmp_path, "all", STORY, "--answers", "accept")
    assert result.summary["needs_met"] == result.summary["needs"] == 2
    assert result.summary["resources"]["shield"]["committed"] == 60
    assert result.summary["resources"]["filament"]["committed"] == 1.8
    tree = max((proposal["data"] for proposal in result.proposals), key=lambda data: len(data["lines"]))
    parties = {name for line in tree["lines"] for name in (line["provider"], line["receiver"])}
    assert parties == {"printer", "sewer", "supplier", "clinic"}
    of_tree = [record["data"] for record in result.ledger if record["data"]["proposal"] == tree["proposal"]]
    assert [record["kind"] for record in of_tree] == ["promised"] * 4 + ["committed"]
    assert of_tree[-1]["agent"] == tree["lines"][0]["provider"]
    assert {record["agent"] for record in of_tree[:-1]} == parties
    assert set(of_tree[-1]["acceptances"]) == parties


def test_without_answers_it_waits_and_binds_nobody(tmp_path: Path) -> None:
    result = told(tmp_path, "none", STORY)
    assert result.ledger == []
    assert result.summary["resources"]["shield"]["proposed"] == 60
    assert result.summary["resources"]["shield"]["committed"] == 0


def test_shuffled_and_doubled_it_is_the_same(tmp_path: Path) -> None:
    expected = told(tmp_path, "once", STORY, "--answers", "accept").digest
    for seed in range(3):
        lines = [*STORY, *STORY]
        Random(seed).shuffle(lines)
        assert told(tmp_path, f"again-{seed}", lines, "--answers", "accept").digest == expected


def test_a_recorded_log_reads_back_to_the_same_digest_without_planning_again(tmp_path: Path) -> None:
    log = tmp_path / "making.log"
    first = told(tmp_path, "recorded", STORY, "--answers", "accept", "--record", str(log))
    again = replay(tmp_path, [], "--log", str(log), name="again", fairness="off", late_seconds=10**9)
    assert again.digest == first.digest
    assert again.verdicts() == first.verdicts()


def test_live_the_parties_see_the_tree_and_commit_it_over_http(tmp_path: Path) -> None:
    with serve(tmp_path / "log", fairness="off") as server:
        for line in SHIELDS:
            assert server.post(_now(line, server.clock.now_us)).status < 300
        server.wait(2)
        [tree] = [one for one in server.get("/proposals?limit=50")["items"] if any("into" in line for line in one["lines"])]
        assert tree["reasons"]["making"]["footprint"]["hours"] == 39
        levels = server.get("/needs/clinic/need/n/explode")
        assert (levels["covered"]["value"], levels["open"]["value"]) == (60, 0)
        assert server.get("/makers/shield")["items"][0]["makers"][0]["agent"] == "printer"
        for party in tree["parties"]:
            answer = {"proposal": tree["proposal"], "answer": "accept"}
            line = event_json("answer", f"agent:{party}", tree["proposal"], server.clock.now_us, answer)
            assert server.post(line).status < 300
        assert server.get(f"/proposals/{tree['proposal']}")["state"] == "committed"


def _now(line: bytes, now_us: int) -> bytes:
    """The same words said now, with windows around now."""
    said = json.loads(line)
    data = {key: value for key, value in said["data"].items() if key not in ("begin", "end", "due")}
    kind = said["type"].split(".")[1]
    if kind == "capacity":
        data |= {"begin": "2026-03-01T00:00:00Z", "end": "2026-04-01T00:00:00Z"}
    return event_json(kind, said["source"], said["subject"], now_us, data)
