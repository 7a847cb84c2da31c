"""``coordinator doctor``: whether everything this machine needs is in order, each finding in a line."""

import json
import platform
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from coordinator.adapters.clock import wall_us
from coordinator.adapters.log_care import examine, is_held
from coordinator.adapters.routes_csv import read_routes
from coordinator.adapters.tokens import read_grants
from coordinator.cli.access import charter_in_force
from coordinator.cli.output import table
from coordinator.cli.serve import open_port
from coordinator.client import Client
from coordinator.errors import Refused, Unavailable
from coordinator.settings import Settings, config_path, read_settings
from coordinator.times import SECOND_US, format_instant
from coordinator.wording import counted

__all__ = ["Finding", "run", "run_kafka"]

PARTS = ("fastapi", "kafka-python", "numba", "numpy", "ortools", "pydantic", "uvicorn")
EARLIEST_US = 1_767_225_600 * SECOND_US  # the beginning of 2026: a clock before that was never set
AHEAD_US = 300 * SECOND_US
TRIED_BYTES = 4096  # a block of most disks


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    sound: bool
    told: str
    needed: bool = True  # else nothing here leans on it; it is only not claimed


def run_kafka(*, kafka: str | None, replicas: int | None, as_json: bool) -> bool:
    """Print what a broker really does; return whether it does all that the coordinator needs."""
    from coordinator.adapters.kafka_probes import probe

    settings = read_settings()
    bootstrap = kafka or settings.kafka
    if bootstrap is None:
        raise Refused("no broker was named; say --kafka HOST:PORT, or set `kafka`")
    tried = probe(bootstrap, replicas or settings.kafka_replicas)
    return _print("doctor kafka", [Finding(one.what, sound, told, one.needed) for one, sound, told in tried], as_json)


def run(*, log: Path | None, charter: Path | None, as_json: bool) -> bool:
    """Print all findings; return whether nothing is wrong."""
    return _print("doctor", list(_findings(log, charter)), as_json)


def _print(title: str, findings: list[Finding], as_json: bool) -> bool:
    sound = all(one.sound for one in findings if one.needed)
    if as_json:
        print(json.dumps({"sound": sound, "findings": [asdict(one) for one in findings]}, ensure_ascii=False))
    else:
        words = {(True, True): "ok", (True, False): "ok", (False, True): "WRONG", (False, False): "not claimed"}
        table(title, ["what", "", "finding"], [[one.what, words[one.sound, one.needed], one.told] for one in findings])
    return sound


def _findings(log: Path | None, charter: Path | None) -> Iterator[Finding]:
    yield _look("versions", _versions)
    yield _look("crc32c", _crc32c)
    settings_finding = _look("settings", lambda: f"from {config_path() or 'flags and environment alone'}" if read_settings() else "")
    yield settings_finding
    settings = read_settings() if settings_finding.sound else Settings.model_construct()
    if settings_finding.sound:
        yield _look("charter", lambda: f"version {charter_in_force(charter).version}")
    if settings.routes is not None:
        routes = settings.routes
        yield _look("routes", lambda: _routes(routes))
    path = log or settings.log
    yield _look("log", lambda: _log(path))
    yield _look("clock", lambda: _clock(path))
    yield _look("tokens", lambda: _tokens(settings.tokens))
    yield _look("port", lambda: _port(settings))


def _look(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, look())
    except (Refused, Unavailable) as error:
        return Finding(what, False, str(error))


def _versions() -> str:
    def of(part: str) -> str:
        try:
            return f"{part} {version(part)}"
        except PackageNotFoundError:
            raise Refused(f"{part} is missing; install again: pip install stigmergic-coordinator") from None

    return ", ".join([f"Python {platform.python_version()}", *map(of, PARTS)])


def _crc32c() -> str:
    if find_spec("crc32c") is None:
        raise Refused("the package crc32c is missing, without which Kafka is five times slower; install kafka-python[crc32c]")
    return "there"


def _routes(path: Path) -> str:
    table = read_routes(path)
    return "; ".join([f"{len(table.agents)} agents in {path}", *table.remarks()])


def _log(path: Path) -> str:
    """Read all of the log, which verifies every checksum, and see whether somebody holds it."""
    if not path.exists():
        _try_to_write(path, f"none yet at {path}, and none can be made there")
        return f"none yet at {path}, where one can be made"
    health = examine(path)
    if health.state == "damaged":
        raise Refused(f"{path} is damaged at {health.fault}; `coordinator log verify --log {path}` tells more")
    held = "a process is writing to it" if is_held(path) else "nobody is writing to it"
    _try_to_write(path, f"{path} is sound, {health.entries} entries, but nothing can be written beside it")
    torn = ""
    if health.state == "torn":
        torn = f", and behind them {health.file_bytes - health.sound_bytes} bytes of a write that is not whole"
    return f"{path} is sound, {health.entries} entries{torn}; {held}"


def _try_to_write(path: Path, otherwise: str) -> None:
    """Write a little into a file beside the log, of which nothing is left. Refused where the folder or its disk does not take it."""
    try:
        with tempfile.TemporaryFile(dir=path.parent, buffering=0) as tried:
            tried.write(bytes(TRIED_BYTES))
    except OSError as error:
        raise Refused(
            f"{otherwise}: {error.strerror}; "
            "check that the folder exists, that you may write there and that its disk has room, or name another file with --log"
        ) from None


def _clock(path: Path) -> str:
    now_us, last_us = wall_us(), _last_stamp_us(path)
    if now_us < EARLIEST_US:
        raise Refused(f"the clock says {format_instant(max(0, now_us))}; set it, for the log is stamped by it")
    if last_us - now_us > AHEAD_US:
        raise Refused(
            f"the log's last stamp is {format_instant(last_us)}, but the clock says {format_instant(now_us)}; "
            "set the clock, else log time stands still until then"
        )
    return format_instant(now_us)


def _last_stamp_us(path: Path) -> int:
    if not path.exists():
        return 0
    try:
        return examine(path).last_logtime_us or 0
    except (Refused, Unavailable):
        return 0  # Told by the look at the log.


def _tokens(path: Path) -> str:
    if not path.exists():
        return f"none at {path}: `serve` listens on this machine only"
    grants = read_grants(path)
    over = sum(grant.is_over(wall_us()) for grant in grants)
    return f"{counted(len(grants), 'token')} in {path}" + (f", {over} of them over" if over else "")


def _port(settings: Settings) -> str:
    try:
        with open_port(settings.host, settings.port):
            return f"{settings.port} is free"
    except Unavailable:
        told = Client(f"http://{settings.host}:{settings.port}", tries=1, timeout_s=2).read("/readyz")
        if told.get("unproven"):
            names = ", ".join(told["unproven"])
            raise Refused(
                f"{settings.port}: a coordinator answers, but its plan is not proven for {names}; see /readyz and report it"
            ) from None
        return f"{settings.port}: a coordinator answers, with {told.get('entries')} entries"
