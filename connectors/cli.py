"""The command `connector`: reads a file in, prints its events, and says of every row that was not taken why."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from coordinator.ending import run_to_end, tell_exit_codes

if TYPE_CHECKING:
    from connectors.mappings import Reading
    from connectors.reading import Report

__all__ = ["main"]

LARGEST_BYTES = 256 * 2**20  # of a file, unpacked: what fits in memory with room to spare
SHOWN_ROWS = 20


@dataclass(frozen=True, slots=True)
class Speaks:
    """In whose name a file is read."""

    prefix: str  # before every agent's name
    agent: str  # who would publish what a design suggests
    product: str  # what is made of a bill of materials


app = typer.Typer(
    help="Read what others keep (tables, maps, registries) as signals for the coordinator.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command line."""
    run_to_end(app, "connector")


@app.command("list")
def list_mappings() -> None:
    """List the mappings known, one a line."""
    from connectors.mappings import MAPPINGS  # noqa: PLC0415 - `--help` must not wait for what only reading needs

    width = max(map(len, MAPPINGS))
    for name, mapping in MAPPINGS.items():
        typer.echo(f"{name:{width}}  {mapping.about}")


@app.command()
def read(
    file: Annotated[Path, typer.Argument(help="The file to read; .gz is unpacked.")],
    *,
    mapping: Annotated[str, typer.Option("--as", metavar="MAPPING", help="What the file is: one of `connector list`.")],
    encoding: Annotated[
        str | None, typer.Option(help="What the file is written in; UTF-8 unless named. Proposed if it is not UTF-8.")
    ] = None,
    column: Annotated[list[str] | None, typer.Option(metavar="OURS=THEIRS", help="Another heading, such as quantity=Menge.")] = None,
    decimal: Annotated[
        str | None, typer.Option(metavar=".|,", help="The decimal mark of a table; the other one or a space may part thousands.")
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="When rows without a time were said (RFC 3339); the file's own date unless given.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="Put before every agent name, so that two registries never speak for one agent.")] = "",
    agent: Annotated[str, typer.Option(help="Of designs: who would publish the recipes; the mapping's own name unless given.")] = "",
    product: Annotated[str, typer.Option(help="Of a bill of materials: what is made; the file's name unless given.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write the events here instead of standard output.")] = None,
    refused: Annotated[Path | None, typer.Option(help="Write every refused row here, a JSON object a line.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write the report as JSON.")] = False,
) -> None:
    """Print a file's events, a line each, and report on standard error what was taken, refused and worth a warning.

    An agent known by a text is called by it in lower case, without marks on letters, every run of all else one “-”; where
    several would be called the same, each gets its id at the end.

    Ends with exit code 1 when part of the file was refused, the rest stands, and with 2 when every row was.
    """
    from coordinator.errors import Refused  # noqa: PLC0415

    if file.is_dir():
        _stop(f"{file} is a folder; name the one file in it that is to be read")
    try:
        speaks = Speaks(prefix, agent, product or file.name.partition(".")[0])
        report = _report_of(file, mapping, speaks, encoding=encoding, columns=column or [], decimal=decimal, time=time)
        _write(report, file, out, refused)
    except Refused as error:
        _stop(f"{file}: {error}")
    except BrokenPipeError:
        _stop("whoever reads the events stopped before the end")
    except OSError as error:
        _stop(f"{error.filename or file}: {error.strerror or error}")
    typer.echo(_as_json(report, file) if as_json else _as_text(report, file, refused), err=True)
    if report.refused:
        raise typer.Exit(1 if report.taken else 2)


@app.command()
def adopt(
    file: Annotated[Path, typer.Argument(help="Events with drafts, as `connector read` writes them.")],
    recipe: Annotated[str, typer.Argument(help="The draft's recipe.")],
    *,
    agent: Annotated[str, typer.Option("--as", help="Who publishes it.")],
    hours: Annotated[list[str] | None, typer.Option(metavar="PROCESS=HOURS", help="How long one run takes; one for each process.")] = None,
    takes: Annotated[
        list[str] | None, typer.Option(metavar="RESOURCE=AMOUNT[:UNIT]", help="How much of it one run takes; pieces unless a unit is said.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="When it is said (RFC 3339); now unless given.")] = None,
) -> None:
    """Print a draft as the agent's own recipe, for `coordinator publish -`; refused until all that the draft leaves open is said."""
    from connectors.adopting import adopted  # noqa: PLC0415
    from coordinator.errors import Refused  # noqa: PLC0415
    from coordinator.times import parse_instant  # noqa: PLC0415

    try:
        said_us = parse_instant(time) if time is not None else now_us()
        line = adopted(_content(file).splitlines(), recipe, agent, said_us, hours or [], takes or [])
    except Refused as error:
        _stop(f"{file}: {error}")
    except OSError as error:
        _stop(f"{error.filename or file}: {error.strerror or error}")
    typer.echo(line.decode())


def now_us() -> int:
    """Return the time of this machine, in microseconds since 1970."""
    import time as clock  # noqa: PLC0415

    return clock.time_ns() // 1000


def _stop(why: str) -> NoReturn:
    """Exit with 2 and one line saying why."""
    from coordinator.wording import visible  # noqa: PLC0415

    typer.echo(f"connector: {visible(' '.join(why.split()))}", err=True)
    raise typer.Exit(2)


def _report_of(
    file: Path, name: str, speaks: Speaks, *, encoding: str | None, columns: list[str], decimal: str | None, time: str | None
) -> "Report":
    """Return the report of a file. Refused when the mapping is unknown or the file does not fit it at all."""
    from connectors.reading import decode  # noqa: PLC0415
    from coordinator.errors import Refused  # noqa: PLC0415
    from coordinator.times import parse_instant  # noqa: PLC0415

    mapping = _mapping_of(name, columns, decimal)
    text, read_as = decode(_content(file), encoding)
    try:
        said_us = parse_instant(time) if time is not None else int(file.stat().st_mtime) * 1_000_000
    except Refused as refused:
        raise Refused(f"--time {refused}") from None
    report = _read_as(text, mapping, said_us, speaks)
    report.notes["encoding"] = read_as
    return report


def _mapping_of(name: str, columns: list[str], decimal: str | None) -> "Reading":
    """Return the mapping of that name with what was said of this file. Refused when there is none, or it has no use for what was said."""
    import difflib  # noqa: PLC0415
    from dataclasses import replace  # noqa: PLC0415

    from connectors.mappings import MAPPINGS  # noqa: PLC0415
    from connectors.parts import Parts  # noqa: PLC0415
    from connectors.reading import DECIMAL_MARKS  # noqa: PLC0415
    from connectors.tables import Table  # noqa: PLC0415
    from coordinator.errors import Refused  # noqa: PLC0415

    if name not in MAPPINGS:
        near = difflib.get_close_matches(name, MAPPINGS, n=1)
        raise Refused(f"no mapping is called {name!r}{f' (is it {near[0]}?)' if near else ''}; `connector list` names them")
    mapping = MAPPINGS[name]
    if columns and not isinstance(mapping, Table):
        raise Refused(f"--column is for tables; {name} reads none")
    if not all("=" in each for each in columns):
        raise Refused("--column is written OURS=THEIRS, such as quantity=Menge")
    if isinstance(mapping, Table):
        mapping = mapping.with_columns(dict(each.split("=", 1) for each in columns))
    if decimal is None:
        return mapping
    if not isinstance(mapping, Table | Parts):
        raise Refused(f"--decimal is for tables and bills of materials; {name} reads none")
    if decimal not in DECIMAL_MARKS:
        raise Refused(f"--decimal is {decimal!r}; “.” or “,” was expected")
    return replace(mapping, decimal=decimal)


def _read_as(text: str, mapping: "Reading", said_us: int, speaks: Speaks) -> "Report":
    """Return the report of a text that is what the mapping says."""
    from connectors.facilities import Facilities, read_facilities  # noqa: PLC0415
    from connectors.field_ready import DesignList, read_designs  # noqa: PLC0415
    from connectors.geojson import Points, read_points  # noqa: PLC0415
    from connectors.manifests import Manifests, read_manifest  # noqa: PLC0415
    from connectors.parts import Parts, read_parts  # noqa: PLC0415
    from connectors.tables import Table, read_table  # noqa: PLC0415
    from connectors.versions import read_versions  # noqa: PLC0415

    match mapping:
        case Table():
            return read_table(text, mapping, said_us=said_us, prefix=speaks.prefix)
        case Points():
            return read_points(text, mapping, said_us=said_us, prefix=speaks.prefix)
        case Facilities():
            return read_facilities(text, mapping, said_us=said_us, prefix=speaks.prefix, name=speaks.product)
        case Manifests():
            return read_manifest(text, mapping, said_us=said_us, agent=speaks.prefix + (speaks.agent or mapping.agent))
        case DesignList():
            return read_designs(text, mapping, said_us=said_us, agent=speaks.prefix + (speaks.agent or mapping.agent))
        case Parts():
            return read_parts(text, mapping, said_us=said_us, agent=speaks.prefix + (speaks.agent or mapping.agent), product=speaks.product)
        case _:
            return read_versions(text, mapping, prefix=speaks.prefix)


def _content(file: Path) -> bytes:
    """Return the bytes of a file, unpacked. Refused when they are more than fits or the packing is broken."""
    import gzip  # noqa: PLC0415
    import zlib  # noqa: PLC0415

    from coordinator.errors import Refused  # noqa: PLC0415

    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as opened:
            content = opened.read(LARGEST_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise Refused(f"the file is not whole gzip ({error}): fetch it again, or take .gz off its name if it is not packed") from None
    if len(content) > LARGEST_BYTES:
        raise Refused(f"the file is larger than {LARGEST_BYTES >> 20} MiB: split it")
    return content


def _write(report: "Report", file: Path, out: Path | None, refused: Path | None) -> None:
    """Write the events and, where asked, the refused rows. Unavailable when the disk does not take them."""
    import json  # noqa: PLC0415

    from coordinator.adapters.whole_files import write_all_or_nothing  # noqa: PLC0415
    from coordinator.errors import Unavailable  # noqa: PLC0415

    events = [line + b"\n" for line in report.taken]
    try:
        if out is None:
            sys.stdout.buffer.writelines(events)
            sys.stdout.buffer.flush()
        else:
            write_all_or_nothing(out, events)
        if refused is not None:
            rows = [{"file": str(file), "row": each.row, "reason": each.reason, "raw": each.excerpt} for each in report.refused]
            write_all_or_nothing(refused, (json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows))
    except (BrokenPipeError, FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        raise  # a reader that left, or a name to mend: no fault of the disk
    except OSError as error:
        where = error.filename or "standard output"
        raise Unavailable(f"{where} cannot be written ({error.strerror or error}); check the folder and the space on the disk") from None


def _as_json(report: "Report", file: Path) -> str:
    """Return the report as one JSON object; `refused` lists every row."""
    import json  # noqa: PLC0415

    rows = [{"row": each.row, "reason": each.reason, "raw": each.excerpt} for each in report.refused]
    whole = {"file": str(file), "taken": len(report.taken), "refused": rows, "warnings": dict(report.warnings), "notes": report.notes}
    return json.dumps(whole, ensure_ascii=False)


def _as_text(report: "Report", file: Path, kept: Path | None) -> str:
    """Return the report for people: counts, how the file was read, warnings, the first refused rows, and the file that keeps them."""
    from coordinator.wording import counted  # noqa: PLC0415

    lines = [f"{file}: {counted(len(report.taken), 'event')} taken, {counted(len(report.refused), 'row')} refused"]
    lines += [f"  {what}: {value}" for what, value in report.notes.items()]
    lines += [f"  warning, {count} ×: {kind}" for kind, count in report.warnings.most_common()]
    for each in report.refused[:SHOWN_ROWS]:
        lines += [f"  refused, row {each.row}: {each.reason}", f"      {each.excerpt}"]
    if len(report.refused) > SHOWN_ROWS:
        lines.append(f"  … and {len(report.refused) - SHOWN_ROWS:,} more")
    if report.refused:
        rows = f"{counted(len(report.refused), 'refused row')} {'is' if len(report.refused) == 1 else 'are'}"
        where = f"in {kept}, a JSON object a line" if kept else "kept nowhere: --refused FILE writes all of them"
        lines.append(f"  {rows} {where}; mend them and read the file again")
    return "\n".join(lines)


tell_exit_codes(app)
