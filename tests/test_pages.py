"""The pages tell the truth: every name, path, command and target they give exists, the map is complete, and the tour runs."""

import ast
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from connectors.cli import app as connector_app
from connectors.cli import main as connector_main
from coordinator.adapters.clock import wall_us
from coordinator.charter import Charter, ProcessEntry, ResourceEntry, charter_from_toml
from coordinator.cli import app as coordinator_app
from coordinator.cli import main as coordinator_main
from coordinator.cli.access import charter_in_force
from coordinator.commitments import LIFE
from coordinator.signals import event_json
from tests.support.serving import Hand, serve, signal

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "deploy/RUNNING.md")
TOP = ("coordinator", "connectors", "solver", "tests", "requirements", "deploy", ".ci")
COMMANDS = {"coordinator": typer.main.get_command(coordinator_app), "connector": typer.main.get_command(connector_app)}

# Programs of others, which the pages may tell a reader to run, and their words.
FOREIGN = ("apt-get", "bash", "cd", "curl", "git", "mypy", "pip", "python", "python3", "pytest", "ruff")

OF_USERS = ("coordinator.toml", "stigmergy.kafka.json", "stigmergy.log")  # files that are there once somebody uses this
# What some commands of the README show there, beyond headings.
TELLING_OF = {
    "coordinator pressure": ("ehpad-sud/need/face-shield", "230", "10 more here would go to a need of tier 1"),
    "coordinator opportunities": ("offers it", "10 more would go to ehpad-sud/need/face-shield"),
    "coordinator explode": ("planned now, 2 of the open 4 can be made", "more sawing near atelier-nord is enough for all of it"),
}
TELLING = tuple(TELLING_OF)

DEFAULT_URL = "http://127.0.0.1:8765"

# Registry hosts, spelt apart so that this file does not hold them either.
HOSTS = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("crates", "io"))]
HOSTS += [".".join(parts) for parts in (("repo1", "maven", "org"), ("repo", "maven", "apache", "org"), ("proxy", "golang", "org"))]
HOSTS += [".".join(parts) for parts in (("deb", "debian", "org"), ("archive", "ubuntu", "com"))]
HOMES = re.compile(r"(?<![\w.$}])/(?:home|root|Users)/\w")


def fences(text: str, *languages: str) -> list[str]:
    """The fenced blocks of a page in these languages."""
    return [body for language, body in re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.M | re.S) if language in languages]


def names_in(text: str) -> list[str]:
    """All that stands in backticks, and each line of the shell blocks."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    lines = [line.strip() for block in fences(text, "sh", "bash", "console") for line in block.splitlines()]
    shell = [re.sub(r"\s+#.*", "", line).removeprefix("$ ") for line in lines if line and not line.startswith("#")]
    return re.findall(r"`([^`\n]+)`", prose) + shell


@cache
def targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))


@cache
def tree() -> frozenset[str]:
    """Every file and folder of the project by its path from the root; what is hidden or made here is left out."""
    found = {path.name for path in ROOT.iterdir() if path.is_file()}
    for top in TOP:
        found |= {top} if (ROOT / top).is_dir() else set()
        found |= {path.relative_to(ROOT).as_posix() for path in (ROOT / top).rglob("*") if "__pycache__" not in path.parts}
    return frozenset(found)


@cache
def words() -> frozenset[str]:
    """Every word of the sources: names, keys, texts, in any file that is not a page."""
    found: set[str] = set()
    for name in tree():
        if name not in PAGES and (ROOT / name).is_file() and name != "tests/test_pages.py" and not name.startswith("requirements/"):
            found |= set(re.findall(r"[A-Za-z_][\w-]*", (ROOT / name).read_text(encoding="utf-8", errors="replace")))
    return frozenset(found)


def wrong_command(command: Any, rest: list[str], said: str) -> str | None:
    """Walk the words of a command down its sub-commands; then every option named must be one of the last."""
    while rest and not rest[0].startswith("-") and (following := getattr(command, "commands", None)) is not None:
        # Several commands of one page line are written a|b|c.
        missing = [word for word in rest[0].split("|") if word not in following]
        if missing:
            return f"{said}: there is no command {missing[0]!r}"
        command, rest = following[rest[0].split("|")[-1]], rest[1:]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    unknown = [word for word in rest if word.startswith("--") and word.split("=")[0] not in known]
    return f"{said}: it has no option {unknown[0]}" if unknown else None


def wrong_dotted(name: str) -> str | None:
    """Whether `package.module.Name` leads from a file of ours to a name in it."""
    parts = name.removesuffix("()").split(".")
    for length in range(len(parts), 0, -1):
        path = "/".join(parts[:length])
        file = next((each for each in (f"{path}.py", f"{path}/__init__.py") if each in tree()), None)
        if file or path in tree():
            rest = parts[length:]
            source = (ROOT / file).read_text(encoding="utf-8") if file else ""
            missing = [part for part in rest if not re.search(rf"\b{re.escape(part)}\b", source)]
            return f"{name}: {file or path} has no {missing[0]}" if missing else None
    return f"{name}: no such module"


def wrong_name(said: str) -> str | None:
    """What is wrong with one name of a page, or None."""
    first, *rest = said.split()
    if first == "make":
        missing = [word for word in rest if "=" not in word and word not in targets()]
        return f"{said}: the Makefile has no target {missing[0]!r}" if missing else None
    if first in COMMANDS and (rest or len(said.split()) > 1):
        return wrong_command(COMMANDS[first], rest, said)
    if first in FOREIGN or rest:
        return None
    if said in OF_USERS:
        return None if any(said in (ROOT / name).read_text(encoding="utf-8") for name in modules()) else f"{said}: nothing reads it"
    if re.fullmatch(r"(coordinator|connectors|solver)(\.\w+)+(\(\))?", said):
        return wrong_dotted(said)
    if re.fullmatch(r"[\w.-]+(/[\w.*-]*)+", said) and said.startswith(tuple(f"{top}/" for top in TOP)):
        return None if said.rstrip("/") in tree() or any(Path(each).match(said) for each in tree()) else f"{said}: no such file or folder"
    if re.fullmatch(r"[\w-]+\.(py|md|toml|txt|json|yml|yaml)", said):
        return None if any(each.split("/")[-1] == said for each in tree()) or said in " ".join(words()) else f"{said}: no file is called so"
    if re.fullmatch(r"[A-Za-z_][\w-]*(\(\))?", said):
        return None if said.removesuffix("()") in words() else f"{said}: the sources have no such word"
    return None


def modules() -> set[str]:
    """Every module file that holds more than a docstring."""
    found = set()
    for name in tree():
        if name.endswith(".py") and name.split("/")[0] in {"coordinator", "connectors", "solver"}:
            body = ast.parse((ROOT / name).read_text(encoding="utf-8")).body
            if not name.endswith("__init__.py") or any(not isinstance(node, ast.Expr) for node in body):
                found.add(name)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_name_in_a_page_exists(page: str) -> None:
    wrong = [complaint for said in names_in((ROOT / page).read_text(encoding="utf-8")) if (complaint := wrong_name(said))]
    assert wrong == []


def test_the_map_has_a_line_for_every_module_and_for_none_that_is_missing() -> None:
    rows = re.findall(r"^\| `([\w/]+\.py)` \| (.+) \|$", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), flags=re.M)
    named = [name for name, _ in rows]
    assert sorted(modules() - set(named)) == [], "modules without a line"
    assert sorted(set(named) - modules()) == [], "lines without a module"
    assert sorted(name for name in set(named) if named.count(name) > 1) == [], "more than one line"
    assert [name for name, line in rows if len(line.split()) < 3] == [], "lines that say nothing"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        links = re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / page).read_text(encoding="utf-8"))
        assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == [], page


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_tour_of_the_readme_runs(tmp_path: Path) -> None:
    tour, *_ = fences(readme(), "python")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = [sys.executable, "-c", tour]
    run = subprocess.run(told, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    promised = re.findall(r"# prints: (.+)", tour)
    assert promised, "the tour says what it prints"
    assert run.stdout.splitlines() == promised


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run commands in, without anybody's settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("STIGMERGY_")]:
        monkeypatch.delenv(name)
    return tmp_path


def test_the_client_of_the_readme_speaks_with_a_server(alone: Path) -> None:
    _, program, _ = fences(readme(), "python")
    assert DEFAULT_URL in program
    with serve(alone / "log") as served:
        served.post(signal("need", "clinique-ouest", 50))
        for _ in range(2):
            exec(compile(program.replace(DEFAULT_URL, served.url), "README", "exec"), {})
            served.wait(2)
        [proposal] = served.get("/proposals")["items"]
        assert (proposal["state"], proposal["lines"][0]["quantity"]) == ("promised", {"value": 50, "unit": "1"})


def test_the_recipe_of_the_readme_makes_what_it_says(alone: Path) -> None:
    *_, program = fences(readme(), "python")
    with serve(alone / "log") as served:
        exec(compile(program.replace(DEFAULT_URL, served.url), "README", "exec"), {})
        served.post(signal("need", "clinique-ouest", 50))
        [recipe] = served.get("/network/upstream/face-shield")["recipes"]
        assert recipe == "atelier-nord/recipe/face-shield-v1"
        taken = {(one["level"], one["sort"], one["name"]) for one in served.get("/network/upstream/face-shield")["items"]}
        assert taken == {(0, "resource", "face-shield"), (1, "resource", "pla"), (1, "process", "3d-printing")}


def test_the_commands_of_the_readme_run_in_their_order(
    alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [settings] = fences(readme(), "toml")
    (alone / "coordinator.toml").write_text(settings, encoding="utf-8")
    assert charter_in_force(None) == charter_from_toml(settings) != Charter()
    [design] = fences(readme(), "yaml")
    (alone / "design.yml").write_text(design, encoding="utf-8")
    (alone / "stock.csv").write_text("agent,resource,quantity\natelier-nord,face-shield,120\n", encoding="utf-8")
    lines = [line for block in fences(readme(), "sh") for line in block.splitlines() if line.startswith(("coordinator", "connector"))]
    starting = lines.index("coordinator serve")
    with serve(alone / "stigmergy.log", clock=Hand(wall_us())) as served:
        monkeypatch.setenv("STIGMERGY_URL", served.url)
        ran, shown = 0, set[str]()
        for line in lines[starting + 1 :]:
            if "PROPOSAL" in line or "proposals" in line:
                served.wait(2)
                proposal = served.get("/proposals")["items"][0]["proposal"]
                line = line.replace("PROPOSAL", proposal[:8])  # noqa: PLW2901 - what a reader does by hand
            said = ""
            for part in line.split(" | "):
                program, *words = shlex.split(part)
                monkeypatch.setattr(sys, "argv", [program, *words])
                monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(said.encode())))
                code: object = 0
                try:
                    (coordinator_main if program == "coordinator" else connector_main)()
                except SystemExit as ended:
                    code = ended.code or 0
                told = capsys.readouterr()
                assert code == 0, (line, told)
                assert told.out or "--out" in line, line
                said = told.out
            if part.startswith(TELLING):  # What a reader is promised to see has to be there.
                start = next(start for start in TELLING_OF if part.startswith(start))
                shown.add(start)
                assert [word for word in TELLING_OF[start] if word not in " ".join(said.split())] == [], said
            ran += 1
        assert ran > 10
        assert shown == set(TELLING_OF), "each promise is met by a line"
        assert "committed" in {row["state"] for row in served.get("/proposals")["items"]}


def test_the_connector_of_the_contributing_page_says_what_a_server_takes(alone: Path) -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    [printers], [program] = fences(page, "json"), fences(page, "python")
    [pipe] = (block for block in fences(page, "sh") if "printers.py" in block)
    (alone / "printers.json").write_text(printers, encoding="utf-8")
    (alone / "printers.py").write_text(program, encoding="utf-8")
    with serve(alone / "log", clock=Hand(wall_us())) as served:
        place = event_json("agent", "agent:atelier-nord", "agent", wall_us(), {"place": {"lat": 48.11, "long": -1.68}})
        assert served.post(place).status == 200
        found = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": found, "PYTHONPATH": str(ROOT), "STIGMERGY_URL": served.url}
        run = subprocess.run(["bash", "-c", pipe], env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert run.returncode == 1, run  # of printers.py, which refused two
        assert "mk4-2: data.effort.value" in run.stderr
        assert "mk4-3: the record has no 'free_hours'\n" in run.stderr
        [hours] = served.get("/offers")["items"]
        assert (hours["ref"], hours["free"]) == ("atelier-nord/capacity/mk4-1", {"value": 6.5, "unit": "h"})


def test_the_page_tells_the_life_of_a_proposal_as_the_code_has_it() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = page.partition("## The life of a proposal")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| ([a-z ]+) \| (.+) \|$", table, flags=re.M)[1:])  # the first names the columns
    told = {state: dict(step.split(" → ") for step in steps.split(", ") if "→" in step) for state, steps in rows.items()}
    assert told == {state.value: {happens: then.value for happens, then in steps.items()} for state, steps in LIFE.items()}


def test_the_page_tells_every_rule_of_a_charter_with_its_default() -> None:
    table = readme().partition("## The charter")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w.]+)` \| (?:`(.+?)`|absent) \| .+ \|$", table, flags=re.M)
    told = {key: tomllib.loads(f"it = {default}")["it"] if default else None for key, default in rows}
    assert told == {
        **json.loads(Charter().model_dump_json()),
        **{f"resources.NAME.{key}": value for key, value in json.loads(ResourceEntry().model_dump_json()).items()},
        **{f"processes.NAME.{key}": value for key, value in json.loads(ProcessEntry().model_dump_json()).items()},
    }


def test_the_changelog_names_the_version_being_made() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), flags=re.M)
    headings = re.findall(r"^## \[?([\w.]+)\]?", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.M)
    assert version is not None
    assert headings[0] in {"Unreleased", version[1]}


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    mine = [str(place) for place in (ROOT, Path.home(), Path(sys.prefix)) if len(place.parts) > 2]
    found = []
    for name in tree():
        if (ROOT / name).is_file():
            text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
            found += [f"{name}: {each}" for each in (*HOSTS, *mine) if each in text]
            found += [f"{name}: {each}" for each in HOMES.findall(text)]
    assert found == []


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("make everything", "no target 'everything'"),
        ("coordinator fly", "no command 'fly'"),
        ("coordinator replay --teleport x", "no option --teleport"),
        ("connector fly", "no command 'fly'"),
        ("coordinator/nowhere.py", "no such file"),
        ("coordinator.nowhere.Thing", "has no nowhere"),
        ("coordinator.errors.Surprise", "has no Surprise"),
        ("nowhere_at_all.md", "no file is called so"),
        ("Zorglub", "no such word"),
    ],
)
def test_a_wrong_name_is_caught(said: str, complaint: str) -> None:
    assert complaint in str(wrong_name(said))


@pytest.mark.parametrize(
    "said",
    [
        *("make test", "coordinator replay --out DIR", "connector list", "coordinator/errors.py", "tests/", "solver/engine/*.py"),
        *("coordinator.errors.Refused", "pyproject.toml", "Refused", "portion", "git clone", "STIGMERGY_DATA"),
    ],
)
def test_a_right_name_passes(said: str) -> None:
    assert wrong_name(said) is None
