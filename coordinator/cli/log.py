"""The commands ``coordinator log verify|repair-tail|export|import|snapshot``: an embedded log looked at, mended, backed up and restored."""

import json
from dataclasses import asdict
from pathlib import Path

from coordinator.adapters.log_care import Health, examine, is_held, repair_tail
from coordinator.adapters.log_files import Imported, export_log, import_files, import_sqlite, is_sqlite
from coordinator.adapters.snapshot_files import snapshot_path, take_snapshot
from coordinator.cli.access import charter_in_force
from coordinator.cli.output import Progress, table
from coordinator.errors import Refused
from coordinator.settings import read_settings
from coordinator.times import format_instant
from coordinator.wording import counted

__all__ = ["export", "import_", "repair", "snapshot", "verify"]

SHOWN = 20  # refused lines in a table; --json has all


def verify(log: Path | None, as_json: bool) -> bool:
    """Print how a log is; return whether it is sound."""
    path = log or read_settings().log
    health = _examined(path, as_json)
    held = is_held(path)
    sound = health.state == "sound" or (health.state == "torn" and held)
    if as_json:
        print(json.dumps({"log": str(path), **asdict(health), "sound": sound, "held": held}, ensure_ascii=False))
    else:
        _show(path, health, held)
    return sound


def repair(log: Path | None, yes: bool, give_up: int, as_json: bool) -> bool:
    """Show what is not sound at the end of a log and, where that was asked for, cut it; return whether the log is sound now."""
    path = log or read_settings().log
    health = _examined(path, as_json)
    cut_bytes = health.file_bytes - health.sound_bytes
    kept: Path | None = None
    if health.state != "sound" and yes:
        with Progress("cutting", as_json, total=health.file_bytes >> 20) as progress:
            done = repair_tail(path, give_up=give_up, told=lambda _: progress.step())
        kept = done.kept_in if done else None
    if as_json:
        told = {"log": str(path), "state": health.state, "fault": health.fault, "cut_bytes": cut_bytes, "kept_in": kept and str(kept)}
        print(json.dumps({**told, "entries": health.entries, "whole_after": health.whole_after}, ensure_ascii=False))
    elif health.state == "sound":
        print(f"{path} is sound, {health.entries:,} entries; there is nothing to cut.")
    elif kept is not None:
        print(f"{counted(cut_bytes, 'byte')} were cut and are kept in {kept}; {path} is sound with {health.entries:,} entries.")
    else:
        _show(path, health, is_held(path))
        more = f" --give-up {health.whole_after}" if health.whole_after else ""
        print(f"Nothing was changed. To cut these {counted(cut_bytes, 'byte')} and keep them in a file beside it, say --yes{more}.")
    return health.state == "sound" or kept is not None


def export(log: Path | None, out: Path, as_json: bool) -> bool:
    """Write a log's events to a file; return whether all of it could be read."""
    path = log or read_settings().log
    with Progress("exporting", as_json) as progress:
        done = export_log(path, out, progress.step)
    if as_json:
        print(json.dumps({"log": str(path), "out": str(out), **asdict(done)}, ensure_ascii=False))
    else:
        rest = f"; {done.left_out:,} dead letters and status lines were left out" if done.left_out else ""
        print(f"{counted(done.lines, 'event')} written to {out}{rest}.")
        if done.broken:
            print(f"That is not all: {done.broken}")
    return done.broken is None


def import_(files: list[Path], log: Path, as_json: bool) -> bool:
    """Read exported files, or one log of the older kind, into a new log; return whether nothing was refused."""
    older = [path for path in files if is_sqlite(path)]
    if older and len(files) > 1:
        raise Refused(f"{older[0]} is a log of the older kind; import it alone")
    with Progress("importing", as_json) as progress:
        done = import_sqlite(files[0], log, progress.step) if older else import_files(files, log, progress.step)
    if as_json:
        print(json.dumps({"log": str(log), **asdict(done)}, ensure_ascii=False))
    else:
        _tell(log, done)
    return not done.refused


def snapshot(log: Path | None, charter: Path | None, as_json: bool) -> None:
    """Take a snapshot of a log now."""
    path = log or read_settings().log
    entries = take_snapshot(path, charter_in_force(charter))
    if as_json:
        print(json.dumps({"log": str(path), "snapshot": str(snapshot_path(path)), "entries": entries}, ensure_ascii=False))
    else:
        print(f"{entries:,} entries of {path} are in {snapshot_path(path)}; it can be removed at any time.")


def _examined(path: Path, quiet: bool) -> Health:
    total = path.stat().st_size >> 20 if path.is_file() else None
    with Progress("verifying", quiet, total=total) as progress:
        return examine(path, told=lambda _: progress.step())


def _show(path: Path, health: Health, held: bool) -> None:
    rest = health.file_bytes - health.sound_bytes
    ends = {
        "sound": "with a whole entry",
        "torn": f"with {counted(rest, 'byte')} of a write that is not whole; "
        + ("it is under way" if held else "a crash cut it short, nobody was told of it, and `serve` cuts it when it starts"),
        "damaged": f"not where it should: {health.fault}; {counted(rest, 'byte')} from there on, "
        f"{health.whole_after:,} entries among them whole. Restore the file from a copy, or see `coordinator log repair-tail`",
    }
    rows: list[tuple[str, object]] = [
        ("state", health.state),
        ("entries", health.entries),
        ("bytes", health.sound_bytes),
        ("last log time", "none" if health.last_logtime_us is None else format_instant(health.last_logtime_us)),
        ("log", health.log_id),
        ("chain", health.chain),
        ("ends", ends[health.state]),
        ("writer", "a process is writing to it" if held else "nobody is writing to it"),
    ]
    table(str(path), ["what", ""], [[name, str(value)] for name, value in rows])


def _tell(log: Path, done: Imported) -> None:
    if done.refused:
        rows = [[one.file, one.line, one.reason] for one in done.refused[:SHOWN]]
        table(f"{counted(len(done.refused), 'line')} refused", ["file", "line", "why"], rows)
        if len(done.refused) > SHOWN:
            print(f"... and {len(done.refused) - SHOWN:,} more; --json tells all.")
        if not done.entries:
            print(f"Nothing could be taken, and {log} was not made.")
            return
    again = f"; {done.repeats:,} said again what was there" if done.repeats else ""
    print(f"{done.entries:,} events are in {log}{again}.")
