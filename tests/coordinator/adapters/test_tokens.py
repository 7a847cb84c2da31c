"""A token lets one agent speak, and the file gives none away."""

import os
import stat
from pathlib import Path

import pytest

from coordinator.adapters.tokens import PREFIX, Tokens, create_token, open_to_others, revoke_tokens
from coordinator.errors import Refused


def test_a_token_belongs_to_its_agent_alone(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    nord, ouest = create_token(path, "atelier-nord"), create_token(path, "clinique-ouest")
    tokens = Tokens(path)
    assert (tokens.agent_of(nord), tokens.agent_of(ouest)) == ("atelier-nord", "clinique-ouest")
    assert [tokens.agent_of(wrong) for wrong in ("", PREFIX, nord[:-1], nord + "x", nord.upper(), "é\udc80")] == [None] * 6


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
    assert {tokens.agent_of(each) for each in both} == {"atelier-nord"}
    assert revoke_tokens(path, "atelier-nord") == 2
    assert {tokens.agent_of(each) for each in both} == {None}
    assert revoke_tokens(path, "atelier-nord") == 0


def test_a_token_made_later_holds_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    create_token(path, "atelier-nord")
    tokens = Tokens(path)
    later = create_token(path, "clinique-ouest")
    assert tokens.agent_of(later) == "clinique-ouest"


@pytest.mark.skipif(os.name != "posix", reason="rights of files are POSIX's")
def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    create_token(path, "atelier-nord")
    path.chmod(0o640)
    assert open_to_others(path)
    with pytest.raises(Refused, match="chmod 600"):
        Tokens(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"tokens": []}', '{"tokens": {"a": ["short"]}}', '{"tokens": {"a": 1}}'])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens.json"
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(Refused, match="no tokens file"):
        Tokens(path)


def test_a_name_that_no_agent_can_have_gets_no_token(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="letters, digits"):
        create_token(tmp_path / "tokens.json", "atelier nord")
    assert not (tmp_path / "tokens.json").exists()
