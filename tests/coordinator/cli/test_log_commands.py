"""`coordinator log`: an embedded log verified, its end cut, its events out to files and in again; nothing is overwritten."""

import errno
import gzip
import json
import sqlite3
from contextlib import closing, nullcontext
from pathlib import Path
from zlib import crc32

import pytest

from coordinator.adapters.disk import RealDisk
from coordinator.adapters.file_log import FileLog
from coordinator.stream import DEAD_LETTER, LEDGER, PROPOSAL, SIGNAL, START, Entry, Record
from tests.support import events as say
from tests.support import processes


def entries_in(path: Path) -> list[Record]:
    with closing(FileLog.open_readonly(path)) as log:
        return list(log.read(START, 100_000).records)


@pytest.fixture
def path(tmp_path):
    """A log of two agents' words, a letter that was refused, and what was decided."""
    path = tmp_path / "own.log"
    words = [say.offer("nord", 5), b"  " + say.need("ouest", 5.0, at=1), say.withdraw("offer", "nord", "o", at=2)]
    said = [Entry(SIGNAL, "x", line, 1_000_000 * (index + 1)) for index, line in enumerate(words)]
    with closing(FileLog(path, lambda: 1)) as log:
        log.append(said[:1])
        log.append([Entry(DEAD_LETTER, "agent:nord", b'{"said":"nonsense"}', 1_500_000)])
        log.append(said[1:])
    return path


def test_a_sound_log_is_verified_with_its_chain(run, path):
    code, out, _ = run("log", "verify", path)
    assert code == 0
    assert "nobody is writing to it" in out
    code, out, _ = run("log", "verify", path, "--json")
    told = json.loads(out)
    assert (code, told["state"], told["sound"], told["entries"], told["held"]) == (0, "sound", True, 4, False)
    assert (told["sound_bytes"], len(told["chain"]), told["fault"]) == (path.stat().st_size, 64, None)


@pytest.mark.parametrize("words", [["verify"], ["repair-tail"], ["export", "--out", "events.jsonl"], ["snapshot"]])
def test_the_log_is_named_as_for_serve_or_as_the_word_behind(run, path, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = run("log", *words, "--log", path)
    Path("events.jsonl").unlink(missing_ok=True)
    assert told[0] == 0
    assert run("log", *words, path) == told
    code, _, err = run("log", *words, path, "--log", "other.log")
    assert (code, f"both --log other.log and {path} came" in err) == (2, True)


def test_a_log_that_grew_keeps_the_chain_it_had_where_it_had_it(run, path):
    before = json.loads(run("log", "verify", path, "--json")[1])
    with closing(FileLog(path, lambda: 5_000_000)) as log:
        log.append([Entry(SIGNAL, "x", b"{}")])
        assert json.loads(run("log", "verify", path, "--json")[1])["held"] is True
    content = path.read_bytes()
    path.write_bytes(content[: before["sound_bytes"]])
    assert json.loads(run("log", "verify", path, "--json")[1])["chain"] == before["chain"]
    assert before["chain"] in content.hex()


def test_a_torn_end_is_shown_then_cut_and_kept_beside(run, path):
    whole = path.read_bytes()
    path.write_bytes(whole + whole[-200:-150] + bytes(40))
    torn = path.read_bytes()
    code, out, _ = run("log", "verify", path)
    assert code == 1
    assert "90 bytes of a write that is not whole" in out
    code, out, _ = run("log", "repair-tail", path)
    assert (code, path.read_bytes()) == (1, torn)
    assert "Nothing was changed. To cut these 90 bytes" in out
    code, out, _ = run("log", "repair-tail", path, "--yes")
    assert (code, path.read_bytes()) == (0, whole)
    kept = path.with_name(f"own.log.cut-at-{len(whole)}")
    assert kept.read_bytes() == torn[len(whole) :]
    assert run("log", "repair-tail", path) == (0, f"{path} is sound, 4 entries; there is nothing to cut.\n", "")
    path.write_bytes(torn)
    assert run("log", "repair-tail", path, "--yes")[0] == 0
    assert kept.with_name(kept.name + "-2").read_bytes() == kept.read_bytes()


def test_a_command_that_cuts_a_torn_end_says_so_beside_its_answer(run, path):
    path.write_bytes(path.read_bytes() + b"\xabS")
    assert "2 bytes of a write that is not whole; nobody is writing to it" in run("doctor", "--log", path)[1]
    code, out, err = run("publish", "offer", "mask", "5", "--as", "nord", "--log", path, "--json")
    assert (code, [json.loads(line)["status"] for line in out.splitlines()]) == (0, ["taken"])
    assert "the end of the log was cut" in err
    assert "2 bytes at the end" in err
    assert run("log", "verify", path)[0] == 0


def test_whole_entries_behind_damage_are_cut_only_by_whoever_says_how_many(run, path):
    whole = path.read_bytes()
    harmed = whole.replace(b"nonsense", b"nonsensE")
    path.write_bytes(harmed)
    told = json.loads(run("log", "verify", path, "--json")[1])
    assert (told["state"], told["entries"], told["whole_after"]) == ("damaged", 1, 2)
    assert "damaged at entry 1" in run("doctor", "--log", path)[1]
    assert "say --yes --give-up 2" in run("log", "repair-tail", path)[1]
    for words in (("--yes",), ("--yes", "--give-up", "1"), ("--yes", "--give-up", "3")):
        code, _, err = run("log", "repair-tail", path, *words)
        assert (code, path.read_bytes()) == (2, harmed)
        assert "2 whole entries stand behind the damage" in err
    assert run("log", "repair-tail", path, "--yes", "--give-up", "2")[0] == 0
    assert len(entries_in(path)) == 1
    assert path.with_name(f"own.log.cut-at-{told['sound_bytes']}").read_bytes() == harmed[told["sound_bytes"] :]


def test_a_log_that_is_being_written_is_not_cut(run, path):
    with closing(FileLog(path, lambda: 1)):
        path.write_bytes(path.read_bytes() + b"\xab")
        assert run("log", "verify", path)[0] == 0
        code, _, err = run("log", "repair-tail", path, "--yes")
        assert code == 3
        assert "open for writing in another process" in err


@pytest.mark.parametrize("command", ["verify", "repair-tail", "export"])
def test_what_is_no_log_is_refused_and_left_alone(run, tmp_path, command):
    other = tmp_path / "other"
    code, _, err = run("log", command, other)
    assert (code, "There is no log at" in err, other.exists()) == (2, True, False)
    other.write_text("resource,quantity\n")
    code, _, err = run("log", command, other)
    assert (code, "is no log" in err, other.read_text()) == (2, True, "resource,quantity\n")


@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.gz"])
def test_an_exported_log_comes_back_as_it_was(run, path, tmp_path, name):
    out = tmp_path / name
    code, told, _ = run("log", "export", path, "--out", out)
    assert (code, told) == (0, f"3 events written to {out}; 1 dead letters and status lines were left out.\n")
    content = gzip.decompress(out.read_bytes()) if name.endswith("gz") else out.read_bytes()
    lines = [json.loads(line) for line in content.splitlines()]
    assert [line["logtime"] for line in lines] == ["1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z", "1970-01-01T00:00:03Z"]
    # Lines that are late for their log time are no question here: whoever folds the log decides that.
    code, told, _ = run("log", "import", out, "--log", tmp_path / "again.log")
    assert (code, told) == (0, f"3 events are in {tmp_path / 'again.log'}.\n")
    before = [record for record in entries_in(path) if record.entry.stream != DEAD_LETTER]
    after = entries_in(tmp_path / "again.log")
    assert [json.loads(record.entry.event) for record in after] == [json.loads(record.entry.event) for record in before]
    assert after[0].entry.event == before[0].entry.event
    assert [record.logtime_us for record in after] == [record.logtime_us for record in before]
    run("log", "export", tmp_path / "again.log", "--out", tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == content


@pytest.fixture
def events(tmp_path):
    """What a plan comes of."""
    file = tmp_path / "said.jsonl"
    lines = [say.agent("nord", 48.0), say.agent("ouest", 48.1), say.offer("nord", 9), say.need("ouest", 5), say.need("ouest", 7, at=30)]
    file.write_bytes(b"\n".join(lines))
    return file


def test_decisions_go_out_and_come_in_and_the_replay_is_the_same(run, log, tmp_path):
    assert run("log", "export", log, "--out", tmp_path / "events.jsonl")[0] == 0
    assert run("log", "import", tmp_path / "events.jsonl", "--log", tmp_path / "again.log")[0] == 0
    before, after = entries_in(log), entries_in(tmp_path / "again.log")
    assert [record.entry for record in after] == [record.entry for record in before]
    assert {record.entry.stream for record in before} >= {SIGNAL, PROPOSAL}
    digests = set()
    for source in (("--log", log), ("--log", tmp_path / "again.log"), (tmp_path / "events.jsonl",)):
        code, out, _ = run("replay", *source, "--out", tmp_path / "out", "--json")
        assert code == 0
        digests.add(json.loads(out)["digest"])
    assert len(digests) == 1


def test_lines_that_no_log_can_have_taken_are_told_and_the_rest_is_kept(run, tmp_path):
    def tick(at: float) -> bytes:
        return say.event("tick", "coordinator:main", "tick", at, {}, logtime=at)

    first = say.event("offer", "agent:nord", "mask", 1, {"resource": "mask", "quantity": say.amount(5)}, id="e1", logtime=1)
    other = say.event("offer", "agent:nord", "mask", 1, {"resource": "mask", "quantity": say.amount(6)}, id="e1", logtime=2)
    lines = [first, first, other, say.offer("ouest", 1, at=3), b"nonsense", tick(0.5), tick(4)]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(lines))
    code, out, _ = run("log", "import", tmp_path / "events.jsonl", "--log", tmp_path / "new.log", "--json")
    told = json.loads(out)
    assert (code, told["entries"], told["repeats"]) == (1, 2, 1)
    assert [row["line"] for row in told["refused"]] == [3, 4, 5, 6]
    for row, words in zip(told["refused"], ("with other content", "logtime is missing", "not JSON", "never goes back"), strict=True):
        assert words in row["reason"]
    assert [record.entry.stream for record in entries_in(tmp_path / "new.log")] == [SIGNAL, SIGNAL]
    code, out, _ = run("log", "import", tmp_path / "events.jsonl", "--log", tmp_path / "newer.log")
    assert "4 lines refused" in out


def test_an_import_of_which_nothing_was_taken_leaves_no_log_in_the_way_of_the_next(run, tmp_path):
    events, log = tmp_path / "events.jsonl", tmp_path / "new.log"
    events.write_bytes(say.offer("nord", 1, at=3))
    code, out, _ = run("log", "import", events, "--log", log)
    assert (code, f"Nothing could be taken, and {log} was not made." in out) == (1, True)
    assert not list(tmp_path.glob("new.log*"))
    first = say.event("offer", "agent:nord", "mask", 1, {"resource": "mask", "quantity": say.amount(5)}, id="e1", logtime=1)
    events.write_bytes(first)
    assert run("log", "import", events, "--log", log) == (0, f"1 events are in {log}.\n", "")


def test_a_damaged_log_is_exported_as_far_as_it_is_sound(run, path, tmp_path):
    path.write_bytes(path.read_bytes().replace(b"nonsense", b"nonsensE"))
    code, out, _ = run("log", "export", path, "--out", tmp_path / "events.jsonl")
    assert code == 1
    assert "That is not all: " in out
    assert "damaged at entry 1" in out
    assert len((tmp_path / "events.jsonl").read_bytes().splitlines()) == 1


def test_a_snapshot_is_taken_on_demand_and_named(run, path):
    code, out, _ = run("log", "snapshot", path, "--json")
    beside = path.with_name("own.log.snapshot")
    assert (code, json.loads(out)) == (0, {"log": str(path), "snapshot": str(beside), "entries": 4})
    assert run("log", "snapshot", path) == (0, f"4 entries of {path} are in {beside}; it can be removed at any time.\n", "")
    code, _, err = run("log", "snapshot", path.with_name("none"))
    assert (code, "There is no log at" in err) == (2, True)


def test_nothing_that_exists_is_overwritten(run, path, tmp_path):
    before, there = path.read_bytes(), tmp_path / "there.jsonl"
    there.write_text("mine\n")
    code, _, err = run("log", "export", path, "--out", there)
    assert (code, "exists; an export makes a new file" in err, there.read_text()) == (2, True, "mine\n")
    run("log", "export", path, "--out", tmp_path / "events.jsonl")
    for name in (path.name, "half"):
        (tmp_path / "half.new").write_text("mine\n")
        code, _, err = run("log", "import", tmp_path / "events.jsonl", "--log", tmp_path / name)
        assert (code, "exists; an import makes a new log" in err) == (2, True)
    assert path.read_bytes() == before
    assert not (tmp_path / "half").exists()
    code, _, err = run("log", "import", tmp_path / "missing.jsonl", "--log", tmp_path / "new.log")
    assert (code, "cannot be read" in err) == (2, True)
    assert not list(tmp_path.glob("new.log*"))


def sqlite_log(path: Path, rows: list[tuple[str, str, int, bytes]]) -> None:
    """A log as version 0.1 wrote it while it was made."""
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "CREATE TABLE log (offset INTEGER PRIMARY KEY, stream TEXT, key TEXT, logtime_us INTEGER, chain INTEGER, event BLOB)"
        )
        chain = 0
        for offset, (stream, key, logtime_us, event) in enumerate(rows):
            chain = crc32(event, crc32(f"{stream}\n{key}\n{logtime_us}\n".encode(), chain))
            database.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)", (offset, stream, key, logtime_us, chain, event))
        database.commit()


@pytest.mark.parametrize("held", [False, True])
def test_a_copy_that_may_only_be_read_is_verified(run, path, monkeypatch, held):
    def refused(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    with closing(FileLog(path, lambda: 1)) if held else nullcontext():
        monkeypatch.setattr(RealDisk, "open_to_append", refused)
        code, out, _ = run("log", "verify", path, "--json")
    assert (code, json.loads(out)["held"]) == (0, held)


def test_an_imported_log_has_its_name_for_good_before_it_is_told(run, tmp_path, monkeypatch):
    synced, right = [], RealDisk.sync_folder

    def sync_folder(disk, folder):
        right(disk, folder)
        synced.append(sorted(path.name for path in folder.iterdir()))

    monkeypatch.setattr(RealDisk, "sync_folder", sync_folder)
    (tmp_path / "events.jsonl").write_bytes(b"")
    assert run("log", "import", tmp_path / "events.jsonl", "--log", tmp_path / "new.log")[0] == 0
    assert "new.log" in synced[-1]


def test_a_log_of_the_older_kind_is_refused_with_what_to_do_and_imported(run, tmp_path):
    old, new = tmp_path / "stigmergy.log.sqlite", tmp_path / "stigmergy.log"
    rows = [(SIGNAL, "nord", 5, say.offer("nord", 5)), (DEAD_LETTER, "x", 7, b"{}"), (LEDGER, "nord", 7, b'{"a" :1}')]
    sqlite_log(old, rows)
    code, _, err = run("log", "verify", old)
    assert (code, f"coordinator log import {old} --log NEW" in err) == (2, True)
    told = processes.run("serve", "--log", str(new), "--port", "0", cwd=tmp_path, expected=2)
    assert (f"coordinator log import {old} --log {new}" in told, new.exists()) == (True, False)
    assert run("log", "import", old, "--log", new) == (0, f"3 events are in {new}.\n", "")
    kept = [(record.entry.stream, record.entry.key, record.logtime_us, record.entry.event) for record in entries_in(new)]
    assert kept == rows
    with closing(sqlite3.connect(old)) as database:
        database.execute("DELETE FROM log WHERE offset = 1")
        database.commit()
    code, _, err = run("log", "import", old, "--log", tmp_path / "other.log")
    assert (code, "is damaged at entry 1" in err) == (2, True)
    assert not list(tmp_path.glob("other*"))
