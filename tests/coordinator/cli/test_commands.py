"""The commands that speak with a coordinator, to a server and straight into a log, with their exit codes."""

import errno
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from coordinator import client
from coordinator.adapters.clock import wall_us
from coordinator.adapters.file_log import FileLog
from coordinator.cli import main
from coordinator.cli.output import table
from coordinator.cli.publish import Request
from coordinator.errors import Unavailable
from coordinator.signals import event_json
from coordinator.stream import SIGNAL, START, Entry
from coordinator.times import DAY_US, format_instant
from tests.support import events as say
from tests.support.networks import recipe
from tests.support.serving import START_US, Hand, Served, serve, signal

PLACE = ("--lat", "48.11", "--long", "-1.68")


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command run in an empty folder, without anybody's settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("URL", "AGENT", "TOKEN", "LOG", "CHARTER", "CONFIG", "HOST", "PORT", "TOKENS", "TICK_SECONDS"):
        monkeypatch.delenv(f"STIGMERGY_{name}", raising=False)

    def running(*words: str, given: bytes = b"") -> Ended:
        monkeypatch.setattr(sys, "argv", ["coordinator", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return Ended(int(str(code or 0)), told.out, told.err)

    return running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path / "served", clock=Hand(wall_us())) as served:
        yield served


def test_an_offer_meets_a_need_and_both_accept(run: Run, server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIGMERGY_URL", server.url)
    assert run("publish", "offer", "face-shield", "120", "--as", "atelier-nord", *PLACE).out.startswith("taken: ")
    assert run("publish", "need", "face-shield", "50", "--as", "clinique", "--tier", "0", *PLACE).code == 0
    server.wait(2)
    [proposal] = run("proposals", "--json", "--agent", "clinique").rows
    start = str(proposal["proposal"])[:6]
    assert start in run("proposals").out
    assert run("accept", start, "--as", "atelier-nord").out.startswith("promised: ")
    assert run("accept", start, "--as", "clinique").out.startswith("promised, committed: ")
    assert [row["kind"] for row in run("ledger", "--json").rows] == ["promised", "promised", "committed"]
    too_late = run("decline", start, "--as", "clinique")
    assert (too_late.code, "can no longer be answered" in too_late.err) == (2, True)
    assert re.search(r"refused: decline +clinique ", run("ledger").out)
    for _ in range(2):
        run("decline", start, "--as", "clinique")
    folded = run("ledger").out
    assert re.search(r"refused: decline \(3 times\) +clinique ", folded)
    assert ("ledger (6)" in folded, folded.count("refused: decline"), len(run("ledger", "--json").rows)) == (True, 1, 6)
    [need] = run("needs", "--json", "--resource", "face-shield").rows
    assert (need["promised"], need["tier"]) == ({"value": 50, "unit": "1"}, 0)
    assert "clinique/need/face-shield" in run("needs").out
    assert "atelier-nord/offer/face-shield" in run("offers").out


def test_a_proposal_is_countered_and_what_became_of_a_commitment_is_reported(
    run: Run, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STIGMERGY_URL", server.url)
    run("publish", "offer", "face-shield", "120", "--as", "atelier-nord", *PLACE)
    run("publish", "need", "face-shield", "50", "--as", "clinique", *PLACE)
    server.wait(2)
    [proposal] = run("proposals", "--json").rows
    assert str(proposal["expires"])[:10] in run("proposals").out
    assert run("counter", str(proposal["proposal"]), "20", "--as", "atelier-nord", "--reason", "no more").out.startswith("countered: ")
    server.wait(2)
    [smaller] = [row for row in run("proposals", "--json").rows if row["state"] == "proposed"]
    assert smaller["lines"][0]["quantity"]["value"] == 20
    start = str(smaller["proposal"])[:8]
    assert "there is no commitment" in run("report", start, "shipped", "--as", "atelier-nord").err
    for agent in ("atelier-nord", "clinique"):
        run("accept", start, "--as", agent)
    assert str(smaller["expires"])[:10] not in run("proposals").out
    declined = run("decline", start, "--as", "clinique")
    assert (declined.code, f"coordinator report {start} shipped|delivered|received --as clinique" in declined.err) == (2, True)
    assert run("report", start, "shipped", "--as", "atelier-nord").out.startswith("shipped: ")
    assert run("report", start, "delivered", "5", "--as", "atelier-nord").out.startswith("delivered: ")
    assert run("report", start, "received", "--as", "clinique", "--note", "thank you").out.startswith("fulfilled: ")
    failed = run("report", start, "failed", "--as", "clinique")
    assert (failed.code, "say shipped, delivered, received. That something failed is not said" in failed.err) == (2, True)
    assert "coordinator accept, decline, counter or report" in run("publish", "report", start, "--as", "clinique").err


def test_who_has_accepted_already_is_told_so_and_the_ledger_is_not(run: Run, server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIGMERGY_URL", server.url)
    run("publish", "offer", "face-shield", "120", "--as", "atelier-nord", *PLACE)
    run("publish", "need", "face-shield", "50", "--as", "clinique", *PLACE)
    server.wait(2)
    [proposal] = run("proposals", "--json").rows
    start = str(proposal["proposal"])[:6]
    assert run("accept", start, "--as", "atelier-nord").out.startswith("promised: ")
    assert run("accept", start, "--as", "atelier-nord").out == (
        "accepted already: atelier-nord's yes stands, and the proposal is promised\n"
    )
    assert re.search(r"clinique/need/face-shield .* 50 +0 +50 ", run("needs").out)
    assert "promised: what its own agent said yes to" in run("offers").out
    run("accept", start, "--as", "clinique")
    [told] = run("accept", start, "--as", "clinique", "--json").rows
    assert told == {"status": "accepted already", "agent": "clinique", "proposal": proposal["proposal"], "state": "committed"}
    assert [row["kind"] for row in run("ledger", "--json").rows] == ["promised", "promised", "committed"]


def test_a_proposal_of_several_lines_counts_once_and_what_its_maker_uses_up_itself_goes_to_nobody(run: Run, server: Served) -> None:
    chair = json.loads(recipe("maker", "chair", {"chair": 1}, {"leg": 4, "seat": 1}, {"sawing": 1}))["data"]
    made = event_json("recipe", "agent:maker", "chair", wall_us(), chair)
    assert run("publish", "-", "--url", server.url, given=made).code == 0
    hours = ("--begin", "2020-01-01T00:00:00Z", "--end", "2050-01-01T00:00:00Z")
    for words in (
        *(("capacity", "sawing", "9", "--as", "maker", *hours), ("need", "chair", "2", "--as", "clinique")),
        *(("offer", "seat", "9", "--as", "maker"), ("offer", "leg", "99", "--as", "legs")),
    ):
        assert run("publish", *words, *PLACE, "--url", server.url).code == 0
    server.wait(2)
    shown = run("proposals", "--url", server.url).out
    assert shown.startswith("proposals (1)\n")
    assert re.search(r" maker +clinique +2 chair  ", shown)
    assert re.search(r" legs +maker +8 leg for making chair  ", shown)
    assert re.search(r" maker {8,}2 seat for making chair  ", shown)
    assert re.search(r" maker {8,}2 h sawing for making chair  ", shown)


def test_in_a_narrow_terminal_ids_are_folded_and_none_is_cut(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    refs = ["clinique-ouest-de-la-ville/need/face-shield", "atelier-nord-du-port/recipe/face-shield-v12"]
    table("needs (1)", ["need", "of", "recipe", "due"], [[refs[0], "face-shield", refs[1], "2026-12-08 13:33"]])
    plain = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert "…" not in plain
    head, *rows = [line for line in plain.splitlines() if "─" not in line and line.strip()][1:]
    starts = [head.index(name) for name in ("need", "of", "recipe", "due")]
    assert ["".join(row[begin:end].strip() for row in rows) for begin, end in zip(starts[::2], starts[1::2], strict=True)] == refs


@pytest.mark.parametrize("command", ["needs", "offers", "proposals", "ledger", "refused"])
def test_a_list_that_is_asked_of_a_file_tells_the_way(run: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "events.jsonl").write_bytes(signal("offer", "maker", 5, time_us=wall_us()) + b"\n{}\n")
    ended = run(command, "events.jsonl")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    [said, *_] = re.findall(r"`coordinator (replay [^`]+)`", ended.err)
    assert run(*said.split()).code == 0
    if command == "refused":
        assert "in the folder replay" in ended.err
        assert len((tmp_path / "replay" / "refused.jsonl").read_bytes().splitlines()) == 1
    else:
        [read] = re.findall(r"`coordinator ([a-z]+ --log [^`]+)`", ended.err)
        assert read.split() == [command, "--log", "new.log"]
        assert run(*read.split()).code == 0
        assert "say --log new.log" in run(command, "new.log").err
    assert run(command, "face-shield").err.startswith(
        f"coordinator: face-shield came, and `coordinator {command}` lists everything; say --"
    )


@pytest.mark.parametrize(
    ("word", "said"), [("two words", "--agent 'two words' or"), ("", "an empty word came"), ("a" * 5_000, "--agent aaa")]
)
def test_what_a_list_is_told_to_be_asked_for_can_be_pasted(run: Run, word: str, said: str) -> None:
    ended = run("needs", word)
    assert (ended.code, said in ended.err) == (2, True), ended.err


def test_an_export_without_a_name_leaves_the_events_of_the_readme_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(b"said\n")
    assert run("publish", "offer", "pla", "2", "--as", "atelier-nord", "--log", "own.log").code == 0
    assert run("log", "export", "--log", "own.log").out.startswith("1 event written to exported.jsonl")
    assert (tmp_path / "events.jsonl").read_bytes() == b"said\n"


def test_all_of_it_works_on_a_log_without_a_server(run: Run, tmp_path: Path) -> None:
    log = ("--log", "embedded")
    assert run("publish", "offer", "pla", "2.5", "--unit", "kg", "--as", "atelier-nord", *log).code == 0
    hours = ("--begin", "2030-03-02T08:00:00Z", "--end", "2030-03-03T22:00:00Z")
    assert run("publish", "capacity", "fff-printing", "12.5", "--as", "atelier-nord", *hours, *log).code == 0
    assert run("publish", "need", "fff-printing", "90", "--unit", "min", "--as", "clinique", *log).code == 0
    assert run("publish", "agent", "Atelier Nord", "--as", "atelier-nord", *PLACE, *log).code == 0
    assert [row.get("resource") or row.get("process") for row in run("offers", "--json", *log).rows] == ["fff-printing", "pla"]
    assert run("needs", "--json", *log).rows[0]["stated"] == {"value": 1.5, "unit": "h"}
    assert run("publish", "offer", "pla", "--withdraw", "--as", "atelier-nord", *log).code == 0
    assert len(run("offers", "--json", *log).rows) == 1
    assert run("accept", "abc", "--as", "clinique", *log).code == 2
    assert run("proposals", *log).out.startswith("proposals (0)")


def test_lines_go_in_from_standard_input_and_each_fault_is_told(run: Run) -> None:
    good = [signal("offer", f"maker-{number}", 1, time_us=wall_us()) for number in range(3)]
    ended = run("publish", "-", "--log", "embedded", given=b"\n".join([*good, b"", b"{}", good[0]]))
    assert (ended.code, ended.out) == (2, "3 taken, 1 known already, 1 refused\n")
    assert "line 5: specversion" in ended.err
    assert run("publish", "-", "--log", "embedded", given=good[0]).out == "0 taken, 1 known already, 0 refused\n"
    assert [row["code"] for row in run("refused", "--json", "--log", "embedded").rows] == ["invalid"]


def test_lines_that_are_all_refused_are_told_line_by_line_by_a_server_too(run: Run, server: Served) -> None:
    ended = run("publish", "-", "--url", server.url, "--json", given=b"{}\n{\n")
    assert ended.code == 2
    assert [fault[:7] for fault in json.loads(ended.out)["refused"]] == ["line 1:", "line 2:"]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("publish", "offer", "face-shield", "120"), 2, "nobody speaks"),
        (("publish", "offer", "face-shield", "120", "--as", ""), 2, "--as names nobody: an empty text came"),
        (("publish", "agent", "Atelier Nord", *PLACE), 2, "nobody speaks"),
        (("publish", "agent", "--as", "a", "--lat", "nan", "--long", "1"), 2, "--lat is nan; a number was expected"),
        (("publish", "need", "x", "1", "--as", "a", "--minimum", "nan"), 2, "--minimum is nan; a number was expected"),
        (("publish", "need", "x", "1", "--as", "a", "--within-km", "inf"), 2, "--within-km is inf; a number was expected"),
        (("accept", "", "--as", "a"), 2, "no proposal is named: an empty text came"),
        (("publish", "offer", "face-shield", "many", "--as", "a"), 2, "a number was expected"),
        (("publish", "offer", "face-shield", "nan", "--as", "a"), 2, "the quantity is 'nan'; a number was expected"),
        (("publish", "offer", "face-shield", "1e400", "--as", "a"), 2, "the quantity is '1e400'; at most 1e9 of its unit is taken"),
        (("publish", "offer", "face-shield", "9" * 20, "--as", "a"), 2, f"value is {'9' * 20}; at most 1e9 of its unit is taken"),
        (("publish", "offer", "face-shield", "-5", "--as", "a"), 2, "the quantity is -5; more than zero was expected"),
        (("publish", "offer", "face-shield", "--as", "a", "--", "-0.5"), 2, "value is -0.5; a quantity is above zero"),
        (("publish", "offer", "face-shield", "--as", "a"), 2, "how much is missing"),
        (("publish", "offer", "--as", "a"), 2, "nothing is named"),
        (("publish", "wish", "x", "1", "--as", "a"), 2, "cannot be said with flags"),
        (("publish", "offer", "x", "1", "--as", "a b"), 2, "letters, digits"),
        (("publish", "offer", "x", "1", "--as", "a", "--unit", "boxes"), 2, "unit"),
        (("publish", "offer", "x", "1", "--as", "a", "--lat", "48"), 2, "half a place"),
        (("publish", "offer", "x", "1", "--as", "a", "--tier", "1"), 2, "tier"),
        (("publish", "need", "x", "1", "--as", "a", "--due", "tomorrow"), 2, "RFC 3339"),
        (("publish", "capacity", "x", "1", "--as", "a", "--begin", "2030-03-02T08:00:00Z"), 2, "--end 2026"),
        (("needs", "--url", "http://127.0.0.1:9"), 3, "does not answer"),
        (("needs", "--url", "nowhere"), 2, "http://"),
        (("needs", "--log", "nowhere"), 2, "There is no log"),
        (("needs", "--log", "x", "--url", "http://127.0.0.1:9"), 2, "one of them"),
        (("accept", "abc", "--as", "a", "--log", "nowhere"), 2, "There is no log"),
        (("serve", "--tokens", "nowhere.json"), 2, "token create"),
        (("serve", "--charter", "nowhere.toml"), 2, "nowhere.toml"),
        (("token", "revoke", "a"), 2, "cannot be read"),
        (("token", "create", "a b"), 2, "letters, digits"),
    ],
)
def test_what_is_wrong_ends_in_a_sentence_and_an_exit_code(run: Run, words: tuple[str, ...], code: int, sentence: str) -> None:
    ended = run(*words)
    assert (ended.code, ended.err.count("\n")) == (code, 1), ended.err
    assert sentence in ended.err


def test_an_agent_that_tells_of_itself_need_not_be_named_twice(run: Run) -> None:
    [told] = run("publish", "agent", "atelier-nord", *PLACE, "--log", "here", "--json").rows
    assert (told["status"], told["source"]) == ("taken", "agent:atelier-nord")


def test_a_latitude_below_zero_is_no_quantity(run: Run) -> None:
    assert run("publish", "offer", "face-shield", "5", "--lat", "-48.1", "--long", "-1.5", "--as", "a", "--log", "here").code == 0


def test_words_that_have_expired_or_ended_when_said_are_taken_with_a_note(run: Run) -> None:
    for option in ("--expires", "--end"):
        told = run("publish", "offer", "visor", "5", option, "2020-01-01T00:00:00Z", "--as", "a", "--subject", option[2:], "--log", "here")
        assert told.code == 0
        assert f"note: {option[2:]} is 2020-01-01T00:00:00Z, which has passed, so this is never matched" in told.out


@pytest.mark.parametrize(
    ("hours", "end", "note"),
    [
        ("1000000", "T01:00:00Z", "effort is 1,000,000 h in a window of 1 h, as 1,000,000 machines at once would give"),
        ("151", "T01:30:00Z", "effort is 151 h in a window of 1.5 h, as 101 machines at once would give"),
        ("150", "T01:30:00Z", None),  # a hundred machines may stand in one hall
    ],
)
def test_hours_beyond_all_machines_are_taken_with_a_note(run: Run, hours: str, end: str, note: str | None) -> None:
    window = ("--begin", "2099-01-01T00:00:00Z", "--end", f"2099-01-01{end}")
    told = run("publish", "capacity", "sawing", hours, *window, "--as", "a", "--log", "here")
    assert told.code == 0
    assert ("effort is" in told.out) == (note is not None)
    assert note is None or note in told.out


def test_amounts_are_shown_with_all_their_digits(run: Run) -> None:
    run("publish", "need", "flour", "1234567.125", "--unit", "kg", "--as", "a", "--log", "here")
    run("publish", "need", "sewing", "0.25", "--unit", "h", "--as", "a", "--log", "here")
    shown = run("needs", "--log", "here").out
    assert re.search(r"a/need/flour +flour, kg +1,234,567\.125 +0 +0 ", shown)
    assert re.search(r"a/need/sewing +sewing, h +0\.25 +0 +0 ", shown)


def test_a_third_of_an_hour_is_told_how_to_be_said(run: Run) -> None:
    ended = run("publish", "need", "sewing", "0.333333", "--unit", "h", "--as", "a", "--log", "here")
    assert ended.code == 2
    assert "amounts are whole ms: round it to fewer digits, or say 20 min." in ended.err
    ended = run("publish", "need", "sewing", "0.0000001", "--unit", "h", "--as", "a", "--log", "here")
    assert ended.err.rstrip().endswith("round it to fewer digits.")


def test_days_are_told_as_they_were_said(run: Run) -> None:
    ended = run("token", "create", "a", "--days", "99999999")
    assert (ended.code, "days is 99,999,999; more than 0 and at most 36500 were expected" in ended.err) == (2, True)


def test_a_replay_tells_what_could_never_be_matched_and_which_distances_do_not_count(run: Run, tmp_path: Path) -> None:
    events = [say.offer("a", 3, "visor", end=-1), say.offer("b", 3, "visor", expires=5.0), say.need("c", 3, "visor", expires=-2.0)]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(events))
    (tmp_path / "routes.csv").write_text("from,to,distance_km\na,b,1\nb,a,3\nc,c,0\na,b,1\nb,c,2\n")
    told = run("replay", "events.jsonl", "--routes", "routes.csv", "--json")
    assert json.loads(told.out)["events"] == 3
    assert told.err.splitlines() == [
        "Note: in routes.csv 1 distance came where an earlier row says otherwise of the same pair, and the first stands: "
        "b and a are 1 km apart, not 3 km.",
        "Note: in routes.csv 1 distance came from an agent to itself, which says nothing.",
        "Note: 2 signals had expired or ended when said; the first is line 1 of events.jsonl: "
        "end is 2026-02-28T23:00:00Z, which has passed, so this is never matched: say it again with a later time.",
    ]


def test_a_replay_names_the_event_whose_clock_made_all_others_late(run: Run, tmp_path: Path) -> None:
    usual, wrong, late = (
        event_json("offer", f"agent:{name}", "visor", at_us, {"resource": "visor", "quantity": say.amount(1)})
        for name, at_us in (("a", START_US), ("b", START_US + 172 * 365 * DAY_US), ("c", START_US + 1))
    )
    (tmp_path / "events.jsonl").write_bytes(b"\n".join([usual, wrong, late]))
    ended = run("replay", "events.jsonl")
    assert ended.code == 0  # as the contract has it, whatever was refused
    dated = f"line 2 of events.jsonl is dated {format_instant(START_US + 172 * 365 * DAY_US)}"
    assert f"Note: {dated}, ahead of the clock of this machine, and moves log time there" in ended.err
    assert f"Note: 1 event came too late, the first after {dated}" in ended.err
    [refused] = [json.loads(line) for line in (tmp_path / "replay" / "refused.jsonl").read_text().splitlines()]
    assert "171.9 years before the log's" in refused["reason"]
    assert "at most 24 hours late was expected" in refused["reason"]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join([usual, late]))
    assert "Note: " not in run("replay", "events.jsonl").err


def test_a_log_that_a_server_holds_is_read_but_not_written(run: Run, server: Served, tmp_path: Path) -> None:
    server.client("atelier-nord").offer("face-shield", 120)
    assert len(run("offers", "--json", "--log", str(tmp_path / "served")).rows) == 1
    ended = run("publish", "offer", "x", "1", "--as", "a", "--log", str(tmp_path / "served"))
    assert (ended.code, "another process" in ended.err) == (3, True)


def test_a_token_is_printed_once_and_speaks_for_its_agent(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = run("token", "create", "atelier-nord")
    token = made.out.strip()
    assert re.fullmatch(r"stig_[\w-]{43}", token)
    assert token not in made.err + (tmp_path / "tokens.json").read_text()
    with serve(tmp_path / "served", tmp_path / "tokens.json", clock=Hand(wall_us())) as server:
        monkeypatch.setenv("STIGMERGY_URL", server.url)
        assert run("publish", "offer", "x", "1", "--as", "atelier-nord").code == 2
        monkeypatch.setenv("STIGMERGY_TOKEN", token)
        assert run("publish", "offer", "x", "1", "--as", "atelier-nord").code == 0
        other = run("publish", "offer", "x", "1", "--as", "clinique")
        assert (other.code, token in other.err, "speaks for itself" in other.err) == (2, False, True)
        assert run("token", "revoke", "atelier-nord").out == "1 token of atelier-nord revoked\n"
        assert run("publish", "offer", "x", "2", "--as", "atelier-nord").code == 2


def test_tokens_are_listed_by_what_they_allow_and_never_shown(run: Run, tmp_path: Path) -> None:
    made = [
        run("token", "create", "atelier-nord", "--days", "0"),
        run("token", "create", "--name", "maria", "--coordinate", "atelier-nord", "--coordinate", "clinique", "--days", "30"),
        run("token", "create", "--read", "--name", "press"),
    ]
    assert [one.code for one in made] == [0, 0, 0]
    listed = run("token", "list")
    assert all(one.out.strip() not in listed.out + (tmp_path / "tokens.json").read_text() for one in made)
    assert "answers proposals for atelier-nord, clinique" in listed.out
    rows = run("token", "list", "--json").rows
    assert [(row["name"], row["speaks"], row["answers"], row["over"]) for row in rows] == [
        ("atelier-nord", ["atelier-nord"], [], False),
        ("maria", [], ["atelier-nord", "clinique"], False),
        ("press", [], [], False),
    ]
    assert [row["expires"] is None for row in rows] == [True, False, False]
    assert run("token", "revoke", rows[1]["id"]).code == 0
    assert [row["name"] for row in run("token", "list", "--json").rows] == ["atelier-nord", "press"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("create",), "neither an agent nor --read"),
        (("create", "a", "--read"), "both --read and agents"),
        (("create", "--read"), "say --name"),
        (("create", "a", "--days", "-1"), "--days"),
        (("revoke", "nobody"), "token list"),
    ],
)
def test_what_no_token_could_mean_is_told(run: Run, words: tuple[str, ...], sentence: str) -> None:
    run("token", "create", "somebody")
    ended = run("token", *words)
    assert (ended.code, ended.out) == (2, "")
    assert sentence in ended.err


def test_settings_come_from_the_file_then_the_environment_then_the_flags(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "coordinator.toml").write_text('[coordinator]\nagent = "from-file"\n\n[charter]\nplace_decimals = 0\n')
    run("publish", "agent", *PLACE, "--log", "a")
    run("publish", "offer", "x", "1", "--log", "a")
    monkeypatch.setenv("STIGMERGY_AGENT", "from-environment")
    run("publish", "offer", "x", "1", "--log", "a")
    run("publish", "offer", "x", "1", "--log", "a", "--as", "from-flag")
    assert [row["agent"] for row in run("offers", "--json", "--log", "a").rows] == ["from-environment", "from-file", "from-flag"]
    with closing(FileLog.open_readonly(tmp_path / "a")) as log:
        first = json.loads(log.read(START, 1).records[0].entry.event)
    assert first["data"]["place"] == {"lat": 48.0, "long": -2.0}


def test_the_hint_for_naming_oneself_holds_when_it_is_followed_to_the_letter(run: Run, tmp_path: Path) -> None:
    ended = run("publish", "offer", "x", "1", "--log", "a")
    table, line = re.search(r"below a line (\S+): (.+)", ended.err.replace("\n", " ")).groups()  # type: ignore[union-attr]
    (tmp_path / "coordinator.toml").write_text(f"{table}\n{line}\n")
    run("publish", "offer", "x", "1", "--log", "a")
    assert [row["agent"] for row in run("offers", "--json", "--log", "a").rows] == ["NAME"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[coordinator]\nprot = 1\n", "did you mean port"),
        ('[coordinator]\nport = "many"\n', "setting port"),
        ("[coordinator\n", "cannot be read"),
        ("coordinator = 3\n", "a table [coordinator] was expected"),
        ("agent = bob\n", "that texts stand in quotes"),
        ("[sevre]\nport = 1\n", "nothing reads the table [sevre] of"),
        ("[sevre]\nport = 1\n", "the tables there are: [coordinator], [charter]"),
        ("[coordinatr]\nport = 1\n", "did you mean [coordinator]?"),
        ("[coordinator]\nport = 1\n[chater]\nradius_km = 1\n", "did you mean [charter]?"),
        ("x = 1\n", 'nothing reads "x", which stands in no table of'),
        ('agent = "bob"\n', '"agent" stands outside the table [coordinator]'),
        ("[radius_km]\nx = 1\n", '"radius_km" stands outside the table [charter] of'),
        ("radius_km = 1\n[coordinator]\nport = 1\n", "where no rule counts; put the rules below a line [charter]"),
        ('agnet = "bob"\n[coordinator]\nport = 1\n', '"agnet" stands outside the table [coordinator]'),
    ],
)
def test_settings_that_cannot_be_taken_are_told(run: Run, tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "coordinator.toml").write_text(text)
    for ended in (run("needs"), run("publish", "offer", "x", "1", "--as", "a", "--url", "http://127.0.0.1:1")):
        assert (ended.code, sentence in ended.err) == (2, True), ended.err


def test_settings_that_are_no_file_are_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "coordinator.toml").mkdir()
    assert [(ended.code, "is a folder; name a file" in ended.err) for ended in (run("needs"), run("needs", "--log", "a"))] == [
        (2, True)
    ] * 2
    assert run("doctor").code == 1
    (tmp_path / "coordinator.toml").rmdir()
    (tmp_path / "coordinator.toml").symlink_to("nowhere")
    assert "coordinator.toml cannot be read" in run("needs").err


@pytest.mark.parametrize(("name", "meant"), [("STIGMERGY_LOGS", "STIGMERGY_LOG"), ("stigmergy_prot", "STIGMERGY_PORT")])
def test_a_misspelt_setting_of_the_environment_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, name: str, meant: str) -> None:
    monkeypatch.setenv(name, "7")
    ended = run("needs")
    assert (ended.code, f"{name} stands in the environment, and nothing reads it; did you mean {meant}?" in ended.err) == (2, True)


def test_names_of_others_in_the_environment_are_left_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STIGMERGY_DATA", "STIGMERGY_NEED_KAFKA", "STIGMERGY_SERVICE_HOST", "STIGMERGY_PORT_8765_TCP"):
        monkeypatch.setenv(name, "7")
    assert "stands in the environment" not in run("needs", "--url", "http://127.0.0.1:9").err


def test_times_in_tables_tell_their_zone(run: Run) -> None:
    run("publish", "need", "x", "1", "--as", "a", "--due", "2030-01-01T00:00:00Z", "--log", "a")
    assert "due (UTC)" in run("needs", "--log", "a").out
    for words, head in (("offers", "until (UTC)"), ("proposals", "expires (UTC)"), ("ledger", "time (UTC)"), ("refused", "time (UTC)")):
        assert head in run(words, "--log", "a").out


def test_the_doctor_finds_nothing_wrong_where_nothing_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIGMERGY_PORT", "0")
    run("publish", "offer", "x", "1", "--as", "a", "--log", "stigmergy.log")
    run("token", "create", "a")
    ended = run("doctor", "--json")
    told = json.loads(ended.out)
    assert (ended.code, told["sound"]) == (0, True), told
    findings = {one["what"]: one["told"] for one in told["findings"]}
    assert "1 entries; nobody is writing" in findings["log"]
    assert list(findings) == ["versions", "crc32c", "settings", "charter", "log", "clock", "tokens", "port"]


def test_the_doctor_names_what_is_wrong(run: Run, tmp_path: Path, server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIGMERGY_PORT", str(server.port))
    (tmp_path / "charter.toml").write_text("[charter]\nfairnes = 'off'\n")
    (tmp_path / "tokens.json").write_text("{}")
    (tmp_path / "tokens.json").chmod(0o644)
    (tmp_path / "broken").write_bytes(b"not a log at all, but long enough to be something else" * 40)
    ended = run("doctor", "--json", "--charter", "charter.toml", "--log", "broken")
    wrong = {one["what"]: one["told"] for one in json.loads(ended.out)["findings"] if not one["sound"]}
    assert ended.code == 1
    assert list(wrong) == ["charter", "log", "tokens"]
    assert "did you mean 'fairness'" in wrong["charter"]
    assert "chmod 600" in wrong["tokens"]
    assert "WRONG" in run("doctor", "--log", "broken").out


def test_the_doctor_sees_who_holds_the_log_and_the_port(run: Run, tmp_path: Path, server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIGMERGY_PORT", str(server.port))
    findings = {one["what"]: one["told"] for one in json.loads(run("doctor", "--json", "--log", str(tmp_path / "served")).out)["findings"]}
    assert "a process is writing to it" in findings["log"]
    assert "a coordinator answers" in findings["port"]
    monkeypatch.setattr("coordinator.cli.doctor.Client.read", lambda *_: {"unproven": {"mask": ["an arc would gain"]}})
    told = run("doctor", "--log", str(tmp_path / "served"))
    assert (told.code, "not proven for mask" in told.out) == (1, True)


def test_the_doctor_tries_whether_a_log_can_be_made(run: Run, tmp_path: Path) -> None:
    assert "where one can be made" in run("doctor", "--log", str(tmp_path / "new.log")).out
    assert list(tmp_path.glob("*.log")) == []
    ended = run("doctor", "--log", str(tmp_path / "missing" / "new.log"))
    assert ended.code == 1
    assert "none can be made there: No such file or directory" in ended.out


def test_the_doctor_tries_whether_beside_a_log_can_be_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("publish", "offer", "face-shield", "5", "--as", "atelier-nord", "--log", "here").code == 0

    def read_only(**_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("coordinator.cli.doctor.tempfile.TemporaryFile", read_only)
    ended = run("doctor", "--log", "here")
    assert ended.code == 1
    assert "but nothing can be written beside it: Read-only file system" in ended.out


def test_where_nobody_made_a_token_none_are_listed(run: Run) -> None:
    told = run("token", "list")
    assert (told.code, told.out[:14]) == (0, "No tokens yet:")
    told = run("token", "list", "--json")
    assert (told.code, told.rows) == (0, [])


def test_a_file_that_is_no_log_yet_is_called_so_by_every_reader(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "empty.log"
    log.touch()
    for words in (["needs", "--log"], ["log", "verify"]):
        ended = run(*words, str(log))
        assert (ended.code, "holds nothing yet" in ended.err) == (2, True)
    assert run("publish", "offer", "mask", "5", "--as", "nord", "--log", str(log)).code == 0
    assert run("log", "verify", str(log)).code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="NOT TESTED here: this system has no /dev/full, a device that is always full")
@pytest.mark.parametrize("words", [["offers", "--json"], ["needs"], ["log", "verify"]], ids=" ".join)
def test_output_that_cannot_be_written_ends_in_a_sentence(tmp_path, words):
    log = tmp_path / "own.log"
    with closing(FileLog(log, wall_us)) as written:
        written.append([Entry(SIGNAL, "nord", say.offer("nord", 5), 1_000_000)])
    where = [str(log)] if words[0] == "log" else ["--log", str(log)]
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-c", "from coordinator.cli import main; main()", *words, *where],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 3
    assert ended.stderr == (
        "coordinator: this machine could not take what was printed: No space left on device. Make room or mend that, then try again.\n"
    )


def test_events_that_meet_a_full_disk_half_way_are_told_with_how_far_they_came(
    run: Run, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[Request.__module__], "AT_ONCE", 2)
    monkeypatch.setattr(client, "AGAIN_S", ())
    monkeypatch.setenv("STIGMERGY_URL", server.url)
    said = [
        event_json("offer", "agent:maker", f"o{number}", wall_us(), {"resource": "mask", "quantity": say.amount(5)}) for number in range(4)
    ]
    taken = server.service.publish

    def until_full(lines: Sequence[bytes], *args: Any, **named: Any) -> Any:
        if said[2] in lines:
            raise Unavailable("no space is left")
        return taken(lines, *args, **named)

    monkeypatch.setattr(server.service, "publish", until_full)
    ended = run("publish", "-", given=b"\n".join((said[0], b"{}", *said[2:])) + b"\n")
    assert ended.code == 3
    assert "1 taken, 0 known already, 1 refused; from line 3 on this came" in ended.err
    assert "no space is left" in ended.err
    assert "line 2: " in ended.err
    monkeypatch.setattr(server.service, "publish", taken)
    assert run("publish", "-", given=b"\n".join(said) + b"\n").out.startswith("3 taken, 1 known already, 0 refused")
