"""What is asked about a network is told the same by a server as out of the log that it writes, and a server that is none is told so."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.coordinator.cli.test_commands import run
from tests.support.relief import relief
from tests.support.serving import START_US, Served, serve

__all__ = ["run"]

QUESTIONS = [
    ["network", "stats"],
    ["network", "upstream", "gown"],
    ["network", "downstream", "atelier-rennes"],
    ["network", "weak-points"],
    ["network", "unreachable"],
    ["why", "samu-42/need/mask-ffp2"],
    ["why", "hospital-rennes", "--by", "10"],
    ["makers", "gown"],
    ["makers", "gown", "--near", "atelier-rennes", "--within-km", "120.5"],
    ["explode", "samu-42/need/mask-ffp2"],
    ["workshop", "atelier-rennes"],
    ["pressure", "gown"],
    ["opportunities", "atelier-rennes"],
    ["opportunities", "48.1,-1.7"],
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, list[str]]]:
    folder = tmp_path_factory.mktemp("asked")
    (folder / "charter.toml").write_text("[charter]\ncycle_seconds = 1\nradius_km = 450\n")
    with serve(folder / "log", radius_km=450) as served:
        served.service.publish(list(relief(START_US)))
        served.wait(2)
        yield served, ["--log", str(folder / "log"), "--charter", str(folder / "charter.toml")]


@pytest.mark.parametrize("form", [(), ("--json",)], ids=("a table", "JSON"))
@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_a_server_tells_what_its_log_tells(run: Any, told: tuple[Served, list[str]], question: list[str], form: tuple[str, ...]):
    served, log = told
    by_log, by_server = run(*question, *log, *form), run(*question, "--url", served.url, *form)
    assert by_server.code == by_log.code
    assert by_server.out == by_log.out
    assert by_server.err == ("" if by_server.code == 0 else by_log.err)


@pytest.mark.parametrize(
    "question", [["why", "nobody/need/x"], ["network", "upstream", "gowm"], ["makers", "x"], ["makers", "gown", "--near", "x"]]
)
def test_what_a_server_does_not_know_is_told_in_the_words_of_the_log(run: Any, told: tuple[Served, list[str]], question: list[str]):
    served, log = told
    by_log, by_server = run(*question, *log), run(*question, "--url", served.url)
    assert (by_server.code, by_server.out, by_server.err) == (2, "", by_log.err)


def test_a_name_with_signs_of_addresses_in_it_is_asked_for_as_it_is(run: Any, told: tuple[Served, list[str]]):
    ended = run("pressure", "a?b#c%2Fd/e", "--url", told[0].url)
    assert (ended.code, "nobody here speaks of 'a?b#c%2Fd/e'" in ended.err) == (2, True)


@pytest.mark.parametrize("question", QUESTIONS[:1] + QUESTIONS[5:6], ids=" ".join)
def test_without_files_and_log_the_server_of_the_settings_is_asked(
    run: Any, told: tuple[Served, list[str]], question: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("STIGMERGY_URL", told[0].url)
    assert run(*question).out == run(*question, "--url", told[0].url).out != ""


def test_a_server_that_is_not_there_is_told_so_in_one_sentence(run: Any):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ended = run("why", "need", "--url", f"http://127.0.0.1:{port}")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.count("\n") == 1
    assert f"http://127.0.0.1:{port} does not answer" in ended.err


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        (["--log", "here"], "both --url and files or --log came; say one of them: the server, or what is to be read here"),
        (["--routes", "far.csv"], "--routes is for files and --log; a server has its own: leave it out, or say where to look"),
        (["--charter", "ours.toml"], "--charter is for files and --log; a server has its own: leave it out, or say where to look"),
    ],
)
def test_a_server_and_what_is_read_here_do_not_go_together(run: Any, where: list[str], sentence: str):
    ended = run("network", "stats", "--url", "http://127.0.0.1:1", *where)
    assert (ended.code, ended.err) == (2, f"coordinator: {sentence}\n")


MACHINE = {
    "ref": "a/capacity/c",
    "number": 1,
    "process": "sawing",
    "loaded": "",
    "jobs": 0,
    "busy": {"value": 1, "unit": "h"},
    "free": "soon",
}


@pytest.mark.parametrize(
    ("question", "told", "wrong"),
    [
        pytest.param(["network", "stats"], {"agents": 3}, "KeyError", id="something is missing"),
        pytest.param(["makers", "x"], {"items": [], "unused": []}, "AttributeError", id="a list is told for a mapping"),
        pytest.param(["workshop", "a"], {"agent": "a", "machines": [MACHINE]}, "Refused", id="a time is none"),
    ],
)
def test_a_server_that_answers_otherwise_is_told_so(
    run: Any, monkeypatch: pytest.MonkeyPatch, question: list[str], told: dict[str, Any], wrong: str
):
    monkeypatch.setattr("coordinator.client.Client.read", lambda *_, **__: told)
    ended = run(*question, "--url", "http://127.0.0.1:1")
    assert ended.code == 3
    assert f"answers otherwise than this version expects ({wrong}" in ended.err
