"""``coordinator replay``: its four files and summary as the contract says, and one result for one story however it is told."""

import gzip
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
import rfc8785

from coordinator.errors import Refused
from coordinator.signals import parse_event
from tests.support.events import (
    agent,
    answer,
    capacity,
    event,
    hours,
    ledger,
    moment,
    need,
    offer,
    proposal,
    report,
    resource,
    route,
    take_back,
    tick,
    withdraw,
)
from tests.support.replaying import Result, charter_text, recorded_events, replay, write_file

STORY = [
    agent("a", 48.0, at=0),
    agent("b", 48.5, at=0),
    resource("a", "mask", mass_kg=0.02, at=0),
    offer("a", 100, at=1),
    need("b", 60, at=2),
    need("c", 30, at=3, place={"lat": 49.0, "long": 0}),
    capacity("a", 10, at=4),
    hours("b", 90, at=5, unit="min", subject="h"),
    route("c", "a", 12.5, at=6),
    offer("d", 7, "gown", at=7),
]


def by_hand(result: Result) -> str:
    """The digest by the contract's sentence, from the files alone."""
    state = hashlib.sha256()
    for name in ("ledger", "proposals"):
        for line in (result.folder / f"{name}.jsonl").read_text().splitlines():
            state.update(rfc8785.dumps(json.loads(line)["data"]))
    return state.hexdigest()


# -- what comes out --------------------------------------------------------------------------------------------------------


def test_the_summary_says_what_the_contract_says(tmp_path):
    result = replay(tmp_path, STORY)
    summary = result.summary
    assert set(summary) == {"events", "refused", "agents", "offers", "needs", "needs_met", "digest", "resources"}
    assert {key: summary[key] for key in ("events", "refused", "agents", "offers", "needs", "needs_met")} == {
        "events": 10,
        "refused": 0,
        "agents": 4,
        "offers": 3,
        "needs": 3,
        "needs_met": 3,
    }
    assert summary["resources"]["mask"] == {
        "unit": "1",
        "offered": 100,
        "needed": 90,
        "proposed": 90,
        "committed": 0,
        "quantity_km": 60 * 55.598 + 30 * 12.5,
    }
    assert summary["resources"]["sewing"] == {
        "unit": "h",
        "offered": 10,
        "needed": 1.5,
        "proposed": 1.5,
        "committed": 0,
        "quantity_km": 83.397,
    }
    assert summary["resources"]["gown"]["needed"] == 0


@pytest.mark.parametrize("answers", ["none", "accept"])
def test_the_digest_is_what_the_contract_says_of_the_files(tmp_path, answers):
    result = replay(tmp_path, STORY, "--answers", answers)
    assert result.digest == by_hand(result)
    assert [line["data"]["proposal"] for line in result.proposals] == sorted(line["data"]["proposal"] for line in result.proposals)


def test_accept_commits_everything_that_is_proposed(tmp_path):
    result = replay(tmp_path, STORY, "--answers", "accept")
    assert result.summary["resources"]["mask"] | {"quantity_km": 0} == {
        "unit": "1",
        "offered": 100,
        "needed": 90,
        "proposed": 0,
        "committed": 90,
        "quantity_km": 0,
    }
    assert result.summary["needs_met"] == 3
    kinds = [record["data"]["kind"] for record in result.ledger]
    assert kinds == ["promised", "promised", "committed"] * len(result.proposals)


def test_offered_and_needed_are_the_last_quantities_also_of_what_was_withdrawn(tmp_path):
    lines = [
        offer("a", 100, at=1),
        offer("a", 40, at=2),
        withdraw("offer", "a", "o", at=3),
        need("b", 9, at=3),
        need("b", 5, at=4, expires=5),
    ]
    summary = replay(tmp_path, [*lines, tick(6)]).summary
    assert (summary["offers"], summary["needs"], summary["needs_met"]) == (1, 1, 0)
    assert (summary["resources"]["mask"]["offered"], summary["resources"]["mask"]["needed"]) == (40, 5)


def test_a_proposal_has_the_contracts_fields(tmp_path):
    (first, *_) = replay(tmp_path, STORY).proposals
    assert set(first["data"]) == {"proposal", "lines", "expires", "charter", "reasons"}
    for line in first["data"]["lines"]:
        assert {"provider", "receiver", "action", "resource", "quantity", "offer", "need", "distance_km", "effort"} <= set(line)
    assert first["type"] == "stigmergy.proposal.v1"
    assert first["source"].startswith("coordinator:")
    assert first["subject"] == first["data"]["proposal"]


def test_what_is_written_can_be_read_back(tmp_path):
    result = replay(tmp_path, STORY, "--answers", "accept")
    for name in ("proposals", "ledger"):
        lines = (result.folder / f"{name}.jsonl").read_bytes().splitlines()
        assert [parse_event(line).kind for line in lines] == [name.removesuffix("s")] * len(lines)


def test_refused_lines_are_reported_with_file_number_and_reason(tmp_path):
    first = write_file(tmp_path / "one.jsonl", [offer("a", 1, at=1), b"", b"{", offer("a", 2.5, at=2)])
    second = write_file(tmp_path / "two.jsonl", [b"  ", offer("a", 1, at=100, id="x"), need("b", 1, at=1), offer("a", 2, at=100, id="x")])
    result = replay(tmp_path, [first, second])
    assert [(Path(row["file"]).name, row["line"]) for row in result.refused] == [
        ("one.jsonl", 3),
        ("one.jsonl", 4),
        ("two.jsonl", 3),
        ("two.jsonl", 4),
    ]
    assert all(row["reason"] for row in result.refused)
    assert "late" in result.refused[2]["reason"]
    assert "other content" in result.refused[3]["reason"]
    assert (result.summary["events"], result.summary["refused"]) == (6, 4)


def test_gz_and_several_files_are_one_stream(tmp_path):
    files = [write_file(tmp_path / "one.jsonl.gz", STORY[:4]), write_file(tmp_path / "two.jsonl", STORY[4:])]
    assert replay(tmp_path, files, name="parts").digest == replay(tmp_path, STORY).digest


# -- how it ends -----------------------------------------------------------------------------------------------------------


def command(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    program = "from coordinator.cli import main; main()"
    root = str(Path(__file__).parents[2])
    env = os.environ | {"PYTHONPATH": root} | environment
    return subprocess.run(  # noqa: PLW1510  the exit code is what is tested
        [sys.executable, "-c", program, "replay", *map(str, arguments)], capture_output=True, text=True, env=env, timeout=100
    )


def test_exit_0_when_it_ran_whatever_was_refused(tmp_path):
    run = command(write_file(tmp_path / "in.jsonl", [b"{", b"nonsense"]), "--out", tmp_path / "out")
    assert (run.returncode, run.stderr.count("\n")) == (0, 1)
    assert f"Note: nothing at all was taken; the first refusal is line 1 of {tmp_path / 'in.jsonl'}: " in run.stderr
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["refused"] == 2
    run = command(write_file(tmp_path / "in.jsonl", [b"nonsense", STORY[0]]), "--out", tmp_path / "out")
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["missing.jsonl"], "missing.jsonl cannot be read", id="a file that is not there"),
        pytest.param(["."], "cannot be read", id="a folder for a file"),
        pytest.param(["in.jsonl", "missing.jsonl.gz"], "missing.jsonl.gz cannot be read", id="the second is not there"),
        pytest.param(["text.jsonl.gz"], "text.jsonl.gz cannot be read", id="no gz at all"),
        pytest.param(["in.jsonl", "--charter", "bad.toml"], 'fairness is "best"', id="a charter that is not valid"),
        pytest.param(["in.jsonl", "--charter", "missing.toml"], "cannot be read", id="a charter that is not there"),
        pytest.param(["in.jsonl", "--routes", "missing.csv"], "missing.csv", id="routes that are not there"),
        pytest.param(["--log", "missing.db"], "missing.db", id="a log that is not there"),
        pytest.param(["--log", "in.jsonl"], "in.jsonl", id="a log that is none"),
        pytest.param(["in.jsonl", "--answers", "maybe"], "--answers", id="unknown answers"),
        pytest.param([], "say what to replay", id="nothing to replay"),
        pytest.param(["in.jsonl", "--out", "in.jsonl"], "in.jsonl", id="out is a file"),
    ],
)
def test_exit_2_with_one_line_saying_why(tmp_path, monkeypatch, arguments, words):
    write_file(tmp_path / "in.jsonl", STORY)
    (tmp_path / "bad.toml").write_text("[charter]\nfairness = 'best'\n")
    (tmp_path / "text.jsonl.gz").write_bytes(STORY[0])
    monkeypatch.chdir(tmp_path)
    run = command(*arguments)
    assert run.returncode == 2
    assert words in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


def test_a_cut_gz_gives_what_is_readable_and_says_where_it_ends(tmp_path):
    whole = write_file(tmp_path / "whole.jsonl.gz", [*STORY, *(offer("e", 5, str(n), at=8, subject=str(n)) for n in range(500))])
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    result = replay(tmp_path, [cut])
    assert result.summary["refused"] == 1
    assert "cut.jsonl.gz" in result.refused[0]["file"]
    assert result.refused[0]["line"] == result.summary["events"]
    assert 10 < result.summary["events"] < 511


# -- one result for one story ----------------------------------------------------------------------------------------------


def big_story(seed: int) -> list[bytes]:
    """Some days of offers, needs, refreshes and withdrawals of a dozen agents; many at equal times."""
    draw = Random(seed)
    lines = [agent(f"m{index}", draw.randint(40, 50), draw.randint(0, 5)) for index in range(12)]
    for step in range(150):
        at, who = float(step // 4), f"m{draw.randint(0, 11)}"
        thing = draw.choice(["mask", "gown"])
        subject = f"{thing}-{step}"
        make = draw.choice([offer, need])
        lines.append(make(who, draw.randint(1, 50), thing, at=at, subject=subject, expires=at + draw.randint(5, 60)))
    return lines


FAIRNESS = ["off", "portions", "ratio"]


@pytest.mark.parametrize("fairness", FAIRNESS)
def test_two_processes_with_different_hash_seeds_give_one_digest(tmp_path, fairness):
    file = write_file(tmp_path / "in.jsonl", big_story(1))
    (tmp_path / "charter.toml").write_text(charter_text(fairness=fairness))
    digests = set()
    for seed in ("1", "2"):
        out = tmp_path / seed
        run = command(file, "--charter", tmp_path / "charter.toml", "--out", out, "--answers", "accept", PYTHONHASHSEED=seed)
        assert run.returncode == 0, run.stderr
        digests.add(json.loads((out / "summary.json").read_text())["digest"])
    assert len(digests) == 1


@pytest.mark.parametrize("fairness", FAIRNESS)
@pytest.mark.parametrize("seed", range(3))
def test_signals_of_equal_time_may_be_shuffled(tmp_path, fairness, seed):
    story = big_story(seed)
    shuffled = story.copy()
    Random(seed).shuffle(shuffled)
    shuffled.sort(key=lambda line: json.loads(line)["time"])
    assert shuffled != story
    told, again = (replay(tmp_path, lines, name=name, fairness=fairness) for lines, name in ((story, "told"), (shuffled, "again")))
    assert told.proposals
    assert again.proposals == told.proposals
    assert again.summary == told.summary


def test_a_doubled_stream_gives_the_same_digest(tmp_path):
    story = big_story(4)
    twice = [line for line in story for _ in range(2)]
    once, doubled = replay(tmp_path, story, name="once"), replay(tmp_path, twice, name="twice")
    assert doubled.digest == once.digest
    assert (doubled.summary["refused"], doubled.summary["events"]) == (0, 2 * len(story))


def test_the_log_that_recorded_it_gives_the_files_digest(tmp_path):
    log = tmp_path / "events.db"
    result = replay(tmp_path, big_story(5), "--answers", "accept", "--record", str(log))
    assert result.ledger
    again = replay(tmp_path, [], "--log", str(log), name="log")
    assert again.digest == result.digest
    assert (again.verdicts(), again.proposals) == (result.verdicts(), result.proposals)


# -- recorded stories ------------------------------------------------------------------------------------------------------


def recorded_story() -> list[bytes]:
    """Recorded proposals and all kinds of answers to them, right and wrong."""
    lines = [offer("a", 100, at=1), offer("b", 50, at=1), need("c", 100, at=1), need("d", 80, at=1, end=60)]
    pairs = [
        ("p1", "a", "c", 60),
        ("p2", "a", "d", 60),
        ("p3", "b", "d", 20),
        ("p4", "b", "c", 20),
        ("p5", "a", "c", 5),
        ("p6", "b", "d", 7),
    ]
    lines += [proposal(name, *pair, at=2, expires=20) for name, *pair in pairs]
    lines += [
        answer("a", "p1", at=3),
        answer("a", "p2", at=3.1),  # more than is free
        answer("c", "p1", at=3.2),
        answer("d", "p2", at=3.3),
        answer("b", "p3", at=3.4),
        answer("d", "p3", at=3.5),
        answer("b", "p4", at=3.6),
        answer("c", "p4", "decline", at=3.7, reason="enough"),
        answer("x", "p5", at=4),  # a stranger
        answer("a", "p5", at=4.1),
        take_back("a", "p5", at=4.2),
        take_back("a", "p1", at=4.3),  # too late
        answer("d", "p6", "counter", at=5, quantity=3),
        answer("b", "p6", at=5.1),
        report("a", "p1", at=6, quantity=20),
        report("c", "p1", at=7),
        report("b", "p3", at=8, quantity=21),  # too much
        report("b", "unknown", at=9),
        answer("c", "p5", at=21),  # expired
        tick(70),
    ]
    return lines


def interleaved(lines: list[bytes], seed: int) -> list[bytes]:
    """Every speaker's words in their order, but speakers shuffled against each other."""
    draw = Random(seed)
    spoken: dict[str, list[bytes]] = {}
    for line in lines:
        spoken.setdefault(json.loads(line)["source"], []).append(line)
    turns = [source for source, words in spoken.items() for _ in words]
    draw.shuffle(turns)
    left = {source: iter(words) for source, words in spoken.items()}
    return [next(left[source]) for source in turns]


def test_recorded_proposals_and_answers_are_folded_and_never_solved_again(tmp_path):
    result = replay(tmp_path, recorded_story())
    kinds = [record["data"]["kind"] for record in result.ledger]
    assert {kind: kinds.count(kind) for kind in ("committed", "declined", "countered", "fulfilled", "broken")} == {
        "committed": 2,
        "declined": 1,
        "countered": 1,
        "fulfilled": 1,
        "broken": 1,
    }
    assert [proposal["data"]["proposal"] for proposal in result.proposals] == ["p1", "p3"]
    assert result.refused == []


@pytest.mark.parametrize("seed", range(8))
def test_agents_shuffled_against_each_other_get_the_same_verdicts_byte_for_byte(tmp_path, seed):
    told = replay(tmp_path, recorded_story(), name="told")
    shuffled = replay(tmp_path, interleaved(recorded_story(), seed), name="shuffled")
    assert shuffled.verdicts() == told.verdicts()
    assert shuffled.digest == told.digest


def test_outputs_fed_back_are_folded_to_the_same_digest(tmp_path):
    """Signals with the proposals that stood at the end."""
    first = replay(tmp_path, big_story(6), name="first")
    again = replay(tmp_path, [*big_story(6), *(first.folder / "proposals.jsonl").read_bytes().splitlines()], name="again")
    assert (again.digest, again.summary["refused"]) == (first.digest, 0)


@pytest.mark.parametrize("seed", range(3))
def test_signals_answers_proposals_and_ledger_fed_back_give_the_same_digest_in_any_order(tmp_path, seed):
    log = tmp_path / "events.db"
    first = replay(tmp_path, big_story(seed), "--answers", "accept", "--record", str(log))
    recorded = recorded_events(log)
    assert {parse_event(line).kind for line in recorded} == {"agent", "offer", "need", "answer", "proposal", "ledger"}
    for name, lines in (("told", recorded), ("shuffled", interleaved(recorded, seed))):
        again = replay(tmp_path, lines, name=name)
        assert (again.digest, again.summary["refused"]) == (first.digest, 0), name


def test_the_recorded_story_with_its_ledger_gives_the_same_digest(tmp_path):
    first = replay(tmp_path, recorded_story(), name="first")
    verdicts = first.verdicts().splitlines()
    again = replay(tmp_path, [*recorded_story(), *verdicts], name="again")
    assert (again.refused, again.verdicts()) == ([], first.verdicts())
    assert again.digest == first.digest


def test_late_answers_and_late_signals_with_their_ledger_give_the_same_digest(tmp_path):
    """A late answer is judged at log time; what its agent said after it must not come before its verdict."""
    story = [offer("a", 100, at=1), need("b", 100, at=1), proposal("p", "a", "b", 60, at=2), tick(10)]
    story += [answer("a", "p", at=5), offer("a", 30, at=6), answer("b", "p", at=7)]
    first = replay(tmp_path, story, name="first")
    assert [record["data"]["kind"] for record in first.ledger] == ["promised", "promised", "committed"]
    again = replay(tmp_path, [*story, *first.verdicts().splitlines()], name="again")
    assert (again.refused, again.digest) == ([], first.digest)


@pytest.mark.parametrize("with_ledger", [False, True], ids=["answers only", "with the ledger"])
def test_a_stream_cut_short_at_any_line_equals_its_prefix(tmp_path, with_ledger):
    """Cut before its end, a recorded story leads to verdicts that begin as those of the whole story do."""
    whole = recorded_story()
    if with_ledger:
        log = tmp_path / "events.db"
        replay(tmp_path, whole, "--record", str(log), name="recording")
        whole = recorded_events(log)
    full = replay(tmp_path, whole, name="full").verdicts().splitlines()
    for cut in range(1, len(whole)):
        result = replay(tmp_path, whole[:cut], name="cut")
        verdicts = result.verdicts().splitlines()
        said = sum(b"stigmergy.ledger.v1" in line for line in whole[:cut])
        assert verdicts[:said] == full[:said], f"cut after line {cut}"
        assert len(verdicts) <= len(full) + 2
        again = replay(tmp_path, whole[:cut], name="again")
        assert again.digest == result.digest


def test_a_file_cut_in_the_middle_of_a_line_loses_that_line_only(tmp_path):
    content = b"\n".join(big_story(7))
    file = tmp_path / "cut.jsonl"
    file.write_bytes(content[: len(content) // 2])
    result = replay(tmp_path, [file])
    assert result.summary["refused"] == 1
    assert "middle" in result.refused[0]["reason"]


FORGED: list[Any] = [
    pytest.param([{"kind": "promised", "agent": "a", "proposal": "p"}], id="a promise"),
    pytest.param([{"kind": "promised", "agent": "a", "proposal": "p", "statement": "agent:a/made-up"}], id="a promise by a made-up word"),
    pytest.param([{"kind": "committed", "agent": "a", "proposal": "p"}], id="a commitment"),
    pytest.param(
        [
            {"kind": "promised", "agent": "a", "proposal": "p", "statement": "agent:a/x"},
            {"kind": "promised", "agent": "b", "proposal": "p", "statement": "agent:b/x"},
            {"kind": "committed", "agent": "a", "proposal": "p"},
        ],
        id="all three",
    ),
]


@pytest.mark.parametrize("records", FORGED)
def test_a_forged_ledger_commits_nobody(tmp_path, records):
    story = [offer("a", 100, at=1), need("b", 100, at=1), proposal("p", "a", "b", 60, at=2)]
    result = replay(tmp_path, [*story, *(ledger(record, at=3) for record in records)])
    assert len(result.refused) == len(records)
    assert result.ledger == []
    assert result.summary["resources"]["mask"]["committed"] == 0


def test_a_record_about_nothing_that_was_said_is_refused_and_keeps_nobody_from_being_planned(tmp_path):
    stray = ledger({"kind": "committed", "agent": "p", "proposal": "f" * 32}, at=8)
    alone, beside = replay(tmp_path / "alone", STORY), replay(tmp_path / "beside", [*STORY, stray])
    assert beside.summary["refused"] == 1
    assert beside.summary["needs_met"] == alone.summary["needs_met"] > 0
    assert beside.digest == alone.digest


def test_sums_are_in_a_unit_of_what_was_said_and_the_rest_is_told(tmp_path):
    here = {"lat": 48.0, "long": -1.0}
    lines = [offer("a", 5, "x", place=here), need("b", 5, "x", place=here), need("c", 500, "x", unit="g", subject="m")]
    result = replay(tmp_path, lines, resources={"x": {"unit": "m"}})
    assert (result.summary["resources"]["x"]["unit"], result.summary["resources"]["x"]["proposed"]) == ("1", 5)
    told = command(str(write_file(tmp_path / "in.jsonl", lines)), "--out", str(tmp_path / "told")).stdout
    assert "x is summed up in pieces; 1 signal of it in mass stand in no figure" in " ".join(told.split())


def test_numbers_beyond_doubles_in_foreign_records_do_not_stop_a_replay(tmp_path):
    note = {"kind": "noted", "agent": "a", "proposal": "p", "free_before": 10**18, "why": "large"}
    result = replay(tmp_path, [*STORY, ledger(note, at=8)])
    assert result.summary["refused"] == 0
    assert len(result.ledger) == 1


def test_the_heaviest_and_farthest_does_not_stop_a_replay(tmp_path):
    lines = [resource("a", "iron", "t", mass_kg=10**9), offer("a", 10**6, "iron", unit="t", place={"lat": 90, "long": 0})]
    lines += [need("b", 10**6, "iron", unit="t", place={"lat": -90, "long": 0})]
    result = replay(tmp_path, lines, effort="kg_km")
    assert result.summary["resources"]["iron"]["proposed"] == 10**6


# -- cycles ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "made"), [(0.999, None), (1, 1.0), (1.7, 1.7)])
def test_a_cycle_runs_at_the_first_event_a_cycle_after_the_last(tmp_path, at, made):
    """The proposal is made at the time of that event, else at the end of the input, which moves no time."""
    lines = [offer("a", 5, at=0, place={"lat": 1, "long": 1}), need("b", 5, at=0, place={"lat": 1, "long": 1}), tick(at), tick(at + 0.001)]
    (proposed,) = replay(tmp_path, lines, cycle_seconds=3600).proposals
    assert proposed["time"] == moment(made if made is not None else at + 0.001)


def test_an_unknown_answer_word_is_refused_by_the_function_too(tmp_path):
    with pytest.raises(Refused, match="--answers"):
        replay(tmp_path, STORY, "--answers", "perhaps")


def test_other_coordinators_records_are_read_too(tmp_path):
    story = [offer("a", 100, at=1), need("b", 100, at=1), proposal("p", "a", "b", 60, at=2)]
    elsewhere = [line.replace(b"coordinator:main", b"coordinator:west") for line in story]
    assert replay(tmp_path, elsewhere).proposals[0]["source"] == "coordinator:west"


def test_gz_is_read_by_its_name(tmp_path):
    file = tmp_path / "in.jsonl.gz"
    file.write_bytes(gzip.compress(b"\n".join(STORY)))
    assert replay(tmp_path, [file]).summary["events"] == len(STORY)


def test_null_data_of_a_proposal_retracts_it(tmp_path):
    story = [
        offer("a", 100, at=1),
        need("b", 100, at=1),
        proposal("p", "a", "b", 60, at=2),
        event("proposal", "coordinator:main", "p", 3, None),
    ]
    assert replay(tmp_path, story).proposals == []
