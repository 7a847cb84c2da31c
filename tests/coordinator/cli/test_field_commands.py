"""The commands `coordinator pressure`, `opportunities`, `solver check` and `churn`."""

import json
from pathlib import Path
from typing import Any

import pytest

from coordinator.churn import Churn, Spread, churn
from coordinator.readings import Certificate
from coordinator.signals import parse_event
from tests.support.events import agent, capacity, need, offer, proposal, retracted, tick, withdraw
from tests.support.networks import recipe

HERE = {"lat": 1.0, "long": 1.0}
LINES = [
    agent("mill", 1.5, 1.0),
    offer("maker", 30, "visor", place=HERE),
    capacity("mill", 10, "rolling"),
    recipe("mill", "visor-v1", {"visor": 1}, {"foil": 1}, {"rolling": 1}),
    need("clinic", 50, "visor", tier=0, place=HERE),
    need("ward", 5, "visor", place=HERE),
]


@pytest.fixture
def events(tmp_path: Path) -> Path:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join(LINES))
    return file


QUESTIONS = (["pressure", "visor"], ["opportunities", "mill"], ["solver", "check"], ["churn"])


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_files_and_the_log_recorded_from_them_give_one_answer(run: Any, events: Path, log: Path, question: list[str]):
    code, out, err = run(*question, events, "--json")
    assert (code, err) == (0, "")
    assert json.loads(run(*question, "--log", log, "--json")[1]) == json.loads(out)


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_neither_files_nor_a_log_or_both_is_refused(run: Any, events: Path, log: Path, question: list[str]):
    is_told_by_servers = question[0] in ("pressure", "opportunities")
    for where in ([events, "--log", log], *([] if is_told_by_servers else [[]])):
        code, _, err = run(*question, *where)
        assert (code, err) == (2, "coordinator: say where to look: files of events, or --log and one embedded log\n")


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (
            ["pressure", "visor"],
            ["where visor is short", "clinic/need/n", "maker/offer/o", "5 more here would go to a need of tier 0", "effort: metres of way"],
        ),
        (
            ["opportunities", "mill"],
            [
                "visor",
                "could make it (mill/recipe/visor-v1)",
                "5 more would go to clinic/need/n, 55.6 km away",
                "effort: metres of way",
                "a hint read off recipes",
                "`coordinator explode NEED` tells it",
            ],
        ),
        (["solver", "check"], ["1 market checked", "2 possible pairs", "every answer is feasible and proven optimal"]),
        (["churn"], ["6 signals said by agents", "proposed", "taken back", "p99 a signal"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and len(value) < 3 else "",
)
def test_a_table_tells(run: Any, events: Path, question: list[str], told: list[str]):
    code, out, err = run(*question, events)
    assert (code, err) == (0, "")
    assert [each for each in told if each not in out] == [], out


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (["pressure", "soap"], "no need of soap is open: it is short nowhere"),
        (["opportunities", "lost"], "no place and no route is known of 'lost', so nobody knows what it could reach"),
    ],
    ids=" ".join,
)
def test_where_there_is_nothing_to_tell_the_reason_stands_in_place_of_an_empty_table(
    run: Any, tmp_path: Path, question: list[str], told: str
):
    (tmp_path / "said.jsonl").write_bytes(b"\n".join([*LINES, offer("lost", 1, "soap")]))
    code, out, err = run(*question, tmp_path / "said.jsonl")
    assert (code, err) == (0, "")
    assert out.startswith(told)
    assert "(nothing)" not in out


def test_what_is_proposed_is_neither_free_nor_open_and_still_not_promised(run: Any, log: Path):
    def row(text: str, begins: str) -> list[str]:
        return next(line for line in text.splitlines() if line.strip().startswith(begins)).split()

    stats, pressure = run("network", "stats", "--log", log)[1], run("pressure", "visor", "--log", log)[1]
    assert row(stats, "visor")[3:] == ["1", "0", "2", "2", "25"], stats  # 30 of 55 are proposed
    assert "free and open: in no proposal and no promise" in stats
    assert [row(pressure, ref)[2] for ref in ("maker/offer/o", "clinic/need/n")] == ["30", "50"], pressure
    assert "not promised" in pressure
    assert "open or free" not in pressure


def test_where_nothing_is_open_the_check_claims_nothing(run: Any, tmp_path: Path):
    (tmp_path / "said.jsonl").write_bytes(agent("mill", 1.5, 1.0))
    code, out, err = run("solver", "check", tmp_path / "said.jsonl")
    assert (code, err) == (0, "")
    assert "there was nothing to check" in out
    assert "proven" not in out


def test_an_answer_that_is_not_proven_ends_with_code_1_and_the_sentence(run: Any, events: Path, monkeypatch: pytest.MonkeyPatch):
    wrong = Certificate(("visor",), "pieces", 1, 1, 1, is_kept=True, units_short=2, broken=("offer 0 gives 2, but has 1",))
    monkeypatch.setattr("coordinator.cli.field.certificates", lambda planner, log_us: iter([wrong]))
    code, out, err = run("solver", "check", events)
    assert (code, err) == (1, "")
    assert "visor: offer 0 gives 2, but has 1" in out
    assert "minimum parts and packs keep 2 units from moving" in out
    code, out, _ = run("solver", "check", events, "--json")
    assert (code, json.loads(out)["holds"]) == (1, False)


@pytest.mark.parametrize("question", [["pressure", "visr"], ["opportunities", "mil"]], ids=" ".join)
def test_what_is_unknown_ends_with_code_2_and_a_near_one(run: Any, events: Path, question: list[str]):
    code, out, err = run(*question, events)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "did you mean" in err


# -- why, and what would be enough -------------------------------------------------------------------------------------


def test_why_tells_who_blocks_a_short_need_and_what_would_be_enough(run: Any, events: Path):
    code, out, err = run("why", "ward", events)
    assert (code, err) == (0, "")
    told = [
        "who blocks it",
        "1 offer could be of use",
        "each of these alone is enough to lift it by 5",
        "at its place: to lift it by 5, 1 other rises too",
    ]
    assert [each for each in told if each not in out] == [], out
    code, out, err = run("why", "ward", events, "--by", "2", "--json")
    found = json.loads(out)["lifting"]
    assert (code, found["by"], found["blocking"][0]["need"]) == (0, {"value": 2, "unit": "1"}, "clinic/need/n")
    assert found["enough"][0]["supply"]["value"] == 2 + found["enough"][0]["others_rise_by"]["value"]


def test_why_lifts_by_what_is_missing_at_most_and_refuses_parts_of_pieces(run: Any, events: Path):
    assert json.loads(run("why", "ward", events, "--by", "99", "--json")[1])["lifting"]["by"]["value"] == 5
    code, _, err = run("why", "ward", events, "--by", "1.5")
    assert (code, err.count("\n")) == (2, 1)


# -- churn -------------------------------------------------------------------------------------------------------------


def test_churn_counts_what_was_made_and_taken_back_for_each_signal_and_each_moment():
    lines = [offer("maker", 5), need("ward", 5), proposal("a", "maker", "ward", 5, at=1), need("ward", 4, at=2), tick(3)]
    lines += [retracted("a", at=3), proposal("b", "maker", "ward", 4, at=3), proposal("c", "maker", "ward", 1, at=3)]
    assert churn(map(parse_event, lines)) == Churn(
        signals=3,
        cycles=2,
        proposed=3,
        retracted=1,
        proposed_per_signal=Spread(1, 2, 2),
        retracted_per_signal=Spread(0, 1, 1),
        proposed_per_cycle=Spread(1, 2, 2),
        retracted_per_cycle=Spread(0, 1, 1),
    )


def test_nothing_said_is_no_churn():
    nothing = Spread(0, 0, 0)
    assert churn([]) == Churn(0, 0, 0, 0, nothing, nothing, nothing, nothing)


def test_churn_of_a_replay_is_what_its_cycles_changed(run: Any, tmp_path: Path):
    file = tmp_path / "events.jsonl"
    file.write_bytes(
        b"\n".join(
            [
                offer("maker", 5, place=HERE),
                need("ward", 5, place=HERE),
                need("clinic", 5, tier=0, place=HERE, at=2),
                withdraw("need", "clinic", "n", at=4),
                tick(6),
                b"{broken",
            ]
        )
    )
    charter = tmp_path / "charter.toml"
    charter.write_text('[charter]\nfairness = "off"\n')
    found = json.loads(run("churn", file, "--charter", charter, "--json")[1])
    assert (found["signals"], found["proposed"], found["retracted"]) == (4, 3, 2)
    assert (found["cycles"], found["retracted_per_signal"]["most"]) == (3, 2)
