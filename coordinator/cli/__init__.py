"""The command line. Heavy parts are imported by the command that needs them, so that ``--help`` answers at once."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from coordinator.errors import Defect, Refused, Unavailable

__all__ = ["app", "main"]

app = typer.Typer(
    name="coordinator",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

CharterFile = Annotated[Path | None, typer.Option("--charter", help="The network's rules, a TOML file with a table [charter].")]
RoutesFile = Annotated[Path | None, typer.Option("--routes", help="Distances: CSV with columns from,to,distance_km, both ways.")]


def main() -> None:
    """Run the command line; whatever goes wrong ends in one sentence and an exit code: 2 mend the input, 3 try again, 4 call us."""
    try:
        app(standalone_mode=True)
    except Refused as error:
        _end(2, error)
    except Unavailable as error:
        _end(3, error)
    except Defect as error:
        _end(4, error)


def _end(code: int, error: Exception) -> None:
    print(f"coordinator: {error}", file=sys.stderr)
    sys.exit(code)


@app.callback()
def _commands() -> None:
    """The Stigmergic Coordinator: signals in, proposals out, every party answers for itself."""


@app.command()
def replay(
    files: Annotated[list[Path] | None, typer.Argument(help="Files of events, .jsonl or .jsonl.gz, read in this order.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the results; made where it is missing.")] = Path("replay"),
    charter: CharterFile = None,
    routes: RoutesFile = None,
    answers: Annotated[str, typer.Option("--answers", help="none, or accept: every party accepts each proposal as it is made.")] = "none",
    log: Annotated[Path | None, typer.Option("--log", help="Read an embedded log instead of files.")] = None,
    record: Annotated[Path | None, typer.Option("--record", help="Also write all events and decisions to a new embedded log.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON instead of a table.")] = False,
) -> None:
    """Read events without a broker, plan and propose as they come, and write what stands at the end."""
    from coordinator.cli.replay import Request, run

    run(Request(files or [], out, charter, routes, answers, log, record, as_json))
