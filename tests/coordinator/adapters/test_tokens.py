"""A token allows what it says and no more, until its time is up, and the file gives none away."""

import json
import os
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from coordinator.adapters.disk import PRIVATE, RealDisk
from coordinator.adapters.kafka_memory import Memory
from coordinator.adapters.tokens import PREFIX, Grant, Tokens, create_token, open_to_others, read_grants, revoke_tokens
from coordinator.errors import Refused, Unavailable
from coordinator.times import DAY_US
from tests.support.serving import START_US, Hand


def speaks(tokens: Tokens, token: str) -> tuple[str, ...] | None:
    grant = tokens.grant_of(token)
    return grant and grant.speaks


def test_a_token_belongs_to_its_agent_alone(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    nord, ouest = create_token(path, "atelier-nord"), create_token(path, "clinique-ouest")
    tokens = Tokens(path)
    assert (speaks(tokens, nord), speaks(tokens, ouest)) == (("atelier-nord",), ("clinique-ouest",))
    assert [tokens.grant_of(wrong) for wrong in ("", PREFIX, nord[:-1], nord + "x", nord.upper(), "é\udc80")] == [None] * 6


def test_the_file_holds_no_token_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    token = create_token(path, "atelier-nord")
    assert token.removeprefix(PREFIX) not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(token) >= 40


def test_an_agent_may_have_several_and_all_go_at_once(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    both = [create_token(path, "atelier-nord"), create_token(path, "atelier-nord")]
    tokens = Tokens(path)
    assert {speaks(tokens, each) for each in both} == {("atelier-nord",)}
    assert revoke_tokens(path, "atelier-nord") == 2
    assert {speaks(tokens, each) for each in both} == {None}
    assert revoke_tokens(path, "atelier-nord") == 0


def test_one_of_several_goes_by_its_id(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    gone, kept = create_token(path, "atelier-nord"), create_token(path, "atelier-nord")
    assert revoke_tokens(path, read_grants(path)[0].id) == 1
    assert [speaks(Tokens(path), each) for each in (gone, kept)] == [None, ("atelier-nord",)]


def test_a_token_made_later_holds_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    create_token(path, "atelier-nord")
    tokens = Tokens(path)
    later = create_token(path, "clinique-ouest")
    assert speaks(tokens, later) == ("clinique-ouest",)


def test_a_token_holds_until_its_time_is_up_and_not_a_moment_longer(tmp_path: Path) -> None:
    path, clock = tmp_path / "tokens.json", Hand()
    token, other = create_token(path, "a", days=2, now_us=START_US), create_token(path, "b", now_us=START_US)
    tokens = Tokens(path, clock)
    clock.now_us += 2 * DAY_US - 1
    assert speaks(tokens, token) == ("a",)
    clock.now_us += 1
    assert (tokens.grant_of(token), speaks(tokens, other)) == (None, ("b",))


@pytest.mark.parametrize(
    ("agent", "kind", "allowed"),
    [
        ("atelier", "offer", True),
        ("atelier", "answer", True),
        ("clinic", "answer", True),
        ("clinic", "need", False),
        ("clinic", "report", False),
        ("ehpad", "answer", False),
        ("maria", "answer", False),
    ],
)
def test_who_coordinates_answers_for_agents_and_says_nothing_else_for_them(agent: str, kind: str, allowed: bool) -> None:
    grant = Grant("maria", "", ("atelier",), ("clinic",))
    assert grant.may_say(agent, kind) is allowed


def test_a_file_of_the_first_version_stays_valid_and_keeps_its_form(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    token = create_token(path, "atelier-nord")
    digest = read_grants(path)[0].digest
    path.write_text(json.dumps({"tokens": {"atelier-nord": [digest]}}))
    assert read_grants(path) == (Grant("atelier-nord", digest, ("atelier-nord",)),)
    create_token(path, name="maria", answers=["atelier-nord"])
    assert json.loads(path.read_text())["tokens"] == {"atelier-nord": [digest]}
    assert speaks(Tokens(path), token) == ("atelier-nord",)


@pytest.mark.skipif(os.name != "posix", reason="rights of files are POSIX's")
def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    create_token(path, "atelier-nord")
    path.chmod(0o640)
    assert open_to_others(path)
    with pytest.raises(Refused, match="chmod 600"):
        Tokens(path)


HALF = '{"tokens": {}, "grants": [{"name": "a", "hash": "%s", "speaks": "a", "answers": [], "made": null}]}' % ("0" * 64)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"tokens": []}', '{"tokens": {"a": ["short"]}}', '{"tokens": {"a": 1}}', '{"tokens": {}, "grants": 1}', HALF]
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens.json"
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(Refused, match="no tokens file"):
        Tokens(path)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"agent": "atelier nord"}, "letters, digits"),
        ({"answers": ["clinic/7"], "name": "maria"}, "letters, digits"),
        ({"answers": ["clinic"]}, "--name"),
        ({"speaks": ["a", "b"]}, "--name"),
        ({"speaks": ["a", "b"], "name": "a"}, "a name of its own"),
        ({"agent": "a", "name": "a\u202eb"}, "printable"),
        ({"agent": "a", "days": -1}, "more than 0"),
    ],
)
def test_a_token_that_nobody_could_tell_is_not_made(tmp_path: Path, asked: dict[str, object], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        create_token(tmp_path / "tokens.json", **asked)  # type: ignore[arg-type]
    assert not (tmp_path / "tokens.json").exists()


def test_two_who_change_the_file_at_once_undo_nothing_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    create_token(path, "atelier-nord")
    with closing(PRIVATE.open_to_append(tmp_path / "tokens.json.lock")):
        with pytest.raises(Unavailable, match="try again"):
            create_token(path, "clinique-ouest")
        with pytest.raises(Unavailable, match="try again"):
            revoke_tokens(path, "atelier-nord")
    create_token(path, "clinique-ouest")
    assert [grant.name for grant in read_grants(path)] == ["atelier-nord", "clinique-ouest"]
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize(
    "write", [lambda path: create_token(path, "nord"), lambda path: Memory(path).keep({}, 1)], ids=["tokens", "memory"]
)
def test_what_is_written_has_its_name_for_good(write: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, right = list[set[str]](), RealDisk.sync_folder

    def sync_folder(disk: RealDisk, folder: Path) -> None:
        right(disk, folder)
        synced.append({path.name for path in folder.iterdir()})

    monkeypatch.setattr(RealDisk, "sync_folder", sync_folder)
    write(tmp_path / "file.json")
    assert synced
    assert "file.json" in synced[-1]
    assert "file.json.new" not in synced[-1]
