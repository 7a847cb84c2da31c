"""The commands `coordinator network …` and `coordinator why`: tables for people, JSON for programs, one sentence for what is wrong."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from coordinator.adapters.clock import wall_us
from coordinator.adapters.file_log import FileLog
from coordinator.stream import DEAD_LETTER, STATUS, Entry
from tests.support.events import agent, capacity, need, offer
from tests.support.networks import recipe

HERE = {"lat": 1.0, "long": 1.0}
LINES = [
    offer("maker", 30, "visor", place=HERE),
    offer("mill", 8, "foil"),
    capacity("mill", 10, "rolling"),
    recipe("mill", "visor-v1", {"visor": 1}, {"foil": 1}, {"rolling": 1}),
    need("clinic", 50, "visor", tier=0, place=HERE),
    need("ward", 5, "vizor", place=HERE),
]


@pytest.fixture
def events(tmp_path: Path) -> Path:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join([*LINES, b"{not an event}"]))
    return file


REFUSED = "1 of 7 events were refused; `coordinator replay` writes each with its reason\n"
QUESTIONS = (["network", "stats"], ["network", "upstream", "visor"], ["network", "downstream", "mill"], ["network", "weak-points"])
QUESTIONS += (["network", "unreachable"], ["why", "clinic"], ["explode", "clinic"], ["makers", "visor"])


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_files_and_the_log_recorded_from_them_give_one_answer(run: Any, events: Path, log: Path, question: list[str]):
    code, out, err = run(*question, events, "--json")
    assert (code, err) == (0, REFUSED)
    assert json.loads(run(*question, "--log", log, "--json")[1]) == json.loads(out)


def test_what_a_log_refused_is_told_with_the_command_that_lists_it(run: Any, log: Path):
    with closing(FileLog(log, wall_us)) as held:
        held.append([Entry(DEAD_LETTER, "clinic", b"{not an event}"), Entry(STATUS, "main", b"{a status line}")])
    told = (0, f"1 signal was turned away at the door; `coordinator refused --log {log}` lists the latest\n")
    for question in (["network", "stats"], ["solver", "check"]):
        code, _, err = run(*question, "--log", log)
        assert (code, err) == told, "dead letters and status lines are no events that happened"


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_a_log_is_only_read(run: Any, log: Path, question: list[str]):
    before = log.read_bytes()
    assert run(*question, "--log", log)[0] == 0
    assert log.read_bytes() == before


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (
            ["network", "stats"],
            ["agents 4 (1 without a place)", "visor", "`vizor`: did you mean `visor`, offered by 1?"],
        ),
        (["network", "upstream", "visor"], ["what feeds visor", "visor-v1", "foil", "rolling", "10 h"]),
        (["network", "downstream", "mill"], ["what mill leads to", "foil", "only through it", "visor", "clinic"]),
        (
            ["network", "weak-points"],
            [" needs  not promised", "where too little gets through", "maker (30)", "visor-v1 (8, bound by foil)"],
        ),
        (
            ["network", "weak-points"],
            ["1 thing is needed and supplied by nobody, in 1 need (see", "what is only proposed counts"],
        ),
        (["network", "downstream", "maker"], ["30 visor"]),
        (["network", "unreachable"], ["ward/need/n", "nobody offers it", "visor", " of     not promised  tier "]),
        (["makers", "visor"], ["visor-v1 (mill/recipe/visor-v1)", "takes rolling", "1 maker could", "mill", "has it, with free hours"]),
        (["why", "clinic"], ["50 visor, tier 0", "proposed 30, committed 0, short 20", "maker", "20 of 50 is in no proposal"]),
        (["why", "ward"], ["nobody offers it", "`visor` has nearly the same name", "what could change it"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and len(value) < 4 else "",
)
def test_a_table_tells(run: Any, events: Path, question: list[str], told: list[str]):
    code, out, err = run(*question, events)
    assert (code, err) == (0, REFUSED)  # However many were refused, the answer rests on the others: that is told beside it.
    assert [each for each in told if each not in out] == [], out


def test_a_run_that_no_one_capacity_has_the_hours_of_is_told_beside_the_levels(run: Any, tmp_path: Path):
    file = tmp_path / "events.jsonl"
    machines = [capacity("mill", 2, "rolling", subject=name) for name in ("one", "other")]
    file.write_bytes(b"\n".join([*machines, recipe("mill", "visor-v1", {"visor": 1}, {}, {"rolling": 3}), need("clinic", 1, "visor")]))
    told = "mill/recipe/visor-v1: a run takes 3 h of rolling, and no capacity that can do it has more than 2 h free"
    assert f"\ntoo short: {told}\n" in run("explode", "clinic", file)[1]
    assert json.loads(run("explode", "clinic", file, "--json")[1])["too_short"] == [told]


def test_time_that_hinders_is_told_beside_the_levels(run: Any, tmp_path: Path):
    file = tmp_path / "events.jsonl"
    lines = [agent("mill", 48.0, 2.0), agent("clinic", 48.1, 2.0), capacity("mill", 2, "rolling", lead_h=30)]
    lines += [recipe("mill", "visor-v1", {"visor": 1}, {}, {"rolling": 1})]
    file.write_bytes(b"\n".join([*lines, need("clinic", 1, "visor", end=20)]))
    told = run("explode", "clinic", file)[1]
    assert "\ntoo late: the recipe mill/recipe/visor-v1 makes it, but it is ready at 2026-03-02T06:00:00Z at the earliest" in told
    assert "an end of the need" in told
    assert "goods on their way take no time there" in told
    charter = tmp_path / "charter.toml"
    charter.write_text("[charter]\nspeed_kmh = 80\n")
    assert "take no time" not in run("explode", "clinic", file, "--charter", charter)[1]


def test_json_has_quantities_and_distances_as_on_the_wire(run: Any, events: Path):
    found = json.loads(run("why", "clinic", events, "--json")[1])
    assert found["asked"] == {"value": 50, "unit": "1"}
    assert (found["served"][0]["distance_km"], found["served"][0]["expires"][-1]) == (0.0, "Z")
    (short,) = json.loads(run("network", "weak-points", events, "--json")[1])["bottlenecks"]
    assert (short["names"], short["short"]) == (["visor"], {"value": 12, "unit": "1"})
    (lost,) = json.loads(run("network", "unreachable", events, "--json")[1])
    assert lost["unpromised"] == {"value": 5, "unit": "1"}
    assert (lost["need"], lost["reasons"], lost["near"][0]["name"]) == ("ward/need/n", ["nobody offers it"], "visor")


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        (["why", "clinc"], "there is no need 'clinc'; did you mean clinic/need/n?"),
        (["why", "need"], "2 needs have 'need' in their id"),
        (["network", "upstream", "visors"], "nobody here speaks of 'visors'; did you mean visor or vizor?"),
        (["network", "downstream", "mil"], "nobody here is called 'mil'; did you mean mill?"),
    ],
)
def test_what_is_unknown_ends_with_code_2_and_one_sentence(run: Any, events: Path, question: list[str], sentence: str):
    code, out, err = run(*question, events)
    assert (code, out) == (2, "")
    told = err.removeprefix(REFUSED)
    assert told.startswith(f"coordinator: {sentence}")
    assert told.count("\n") == 1


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_files_and_a_log_at_once_are_refused(run: Any, events: Path, log: Path, question: list[str]):
    code, _, err = run(*question, events, "--log", log)
    assert (code, err) == (2, "coordinator: say where to look: files of events, or --log and one embedded log\n")


def test_a_file_that_is_not_there_is_refused(run: Any, tmp_path: Path):
    code, _, err = run("network", "stats", tmp_path / "nowhere.jsonl")
    assert code == 2
    assert "cannot be read" in err


def test_it_is_told_that_recipes_count_wherever_things_are_where_explode_counts_what_reaches_the_need(run: Any, tmp_path: Path):
    far = {"lat": 40.0, "long": 1.0}
    lines = [
        offer("mill", 8, "foil", place=far, within_km=10),
        capacity("mill", 10, "rolling", place=far, within_km=10),
        recipe("mill", "visor-v1", {"visor": 1}, {"foil": 1}, {"rolling": 1}),
        need("clinic", 5, "visor", place=HERE, within_km=10),
    ]
    (tmp_path / "far.jsonl").write_bytes(b"\n".join(lines))
    weak, unreached, exploded = (
        run(*question, tmp_path / "far.jsonl")[1]
        for question in (["network", "weak-points"], ["network", "unreachable"], ["explode", "clinic/need/n"])
    )
    assert "1 other gets through in full" in weak
    assert "0 needs that no offer and no recipe can reach" in unreached
    assert "planned now, 0 of the open 5 can be made" in exploded
    assert all(
        "recipes count wherever what they take and who needs it are; `coordinator explode NEED`" in each for each in (weak, unreached)
    )
