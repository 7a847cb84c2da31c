"""The solver's page tells the truth: its examples print what they say, its names exist, and every public name is documented."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import pytest

import solver

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "solver" / "README.md").read_text(encoding="utf-8")
MAKING = (ROOT / "solver" / "making" / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE + MAKING, flags=re.M | re.S)
FUNCTIONS = sorted(name for name in solver.__all__ if isinstance(getattr(solver, name), FunctionType))


@pytest.mark.parametrize("example", EXAMPLES, ids=["asked once", "kept", "by turns", "making"])
def test_the_examples_print_what_they_say(example: str) -> None:
    promised = re.findall(r"# prints: (.+)", example)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", example], env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    assert promised
    assert run.stdout.splitlines() == promised


def test_names_paths_and_programs_of_the_page_exist() -> None:
    said = set(re.findall(r"`([\w./-]+)`", re.sub(r"^```.*?^```", "", PAGE, flags=re.M | re.S)))
    paths = {name for name in said if "/" in name}
    assert [name for name in sorted(paths) if not (ROOT / name).exists()] == []
    sources = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "solver").rglob("*.py"))
    assert [name for name in sorted(said - paths) if not re.search(rf"\b{re.escape(name)}\b", sources)] == []
    for program in re.findall(r"`python (tests/[\w/.]+)", PAGE + MAKING):
        assert (ROOT / program).is_file(), program
    for target in re.findall(r"`make (\w+)`", PAGE):
        assert f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_table_has_no_empty_cell() -> None:
    rows = [line.strip("|").split("|") for line in PAGE.partition("## Measured")[2].splitlines() if line.startswith("|")]
    assert len(rows) > 8
    assert [row for row in rows if len(row) != 3 or not all(cell.strip() for cell in row)] == []


def sections(text: str) -> dict[str, str]:
    """Return what stands under each underlined heading of a docstring."""
    parts = re.split(r"^([A-Z]\w+)\n-{3,}\n", inspect.cleandoc(text), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def documented(text: str) -> list[str]:
    """Return the names of the parameters that a docstring lists."""
    listed = re.findall(r"^(\w+(?:, \w+)*) : ", sections(text).get("Parameters", ""), flags=re.M)
    return [name for names in listed for name in names.split(", ")]


@pytest.mark.parametrize("named", [*FUNCTIONS, "Problem.of", "Field"])
def test_every_parameter_and_result_is_documented(named: str) -> None:
    thing = solver
    for part in named.split("."):
        thing = getattr(thing, part)
    signature, text = inspect.signature(thing), inspect.getdoc(thing) or ""
    assert sorted(documented(text)) == sorted(signature.parameters)
    if signature.return_annotation not in (None, "None", inspect.Signature.empty) and named != "Problem.of":
        assert "Returns" in sections(text)


@pytest.mark.parametrize("named", ["Problem", "Allocation", "Gap", "Field", "Arcs", "Candidates", "DenseCandidates", "Exchange"])
def test_every_public_thing_says_what_it_is(named: str) -> None:
    thing = getattr(solver, named)
    assert inspect.getdoc(thing)
    silent = [name for name, each in vars(thing).items() if inspect.isfunction(each) and name[0] != "_" and not each.__doc__]
    assert silent == []
