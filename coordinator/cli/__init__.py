"""The command line. Heavy parts are imported by the command that needs them, so that ``--help`` answers at once."""

import os
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from coordinator.adapters.memory import collect_rarely
from coordinator.ending import run_to_end, tell_exit_codes
from coordinator.errors import Refused

__all__ = ["app", "main"]

BELOW_ZERO = re.compile(r"-\d[\d.]*")

app = typer.Typer(
    name="coordinator",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

CharterFile = Annotated[Path | None, typer.Option("--charter", help="The network's rules, a TOML file with a table `charter`.")]
RoutesFile = Annotated[Path | None, typer.Option("--routes", help="Distances: CSV with columns from,to,distance_km, both ways.")]
Url = Annotated[str | None, typer.Option("--url", help="The coordinator's address; else the setting `url`.")]
LogFile = Annotated[Path | None, typer.Option("--log", help="An embedded log on this machine, instead of a server.")]
KafkaAddress = Annotated[
    str | None, typer.Option("--kafka", help="HOST:PORT[,HOST:PORT] of Kafka, instead of an embedded log; else the setting `kafka`.")
]
KafkaReplicas = Annotated[
    int | None, typer.Option("--replicas", min=1, help="Copies of each record in topics that are made; else the setting `kafka_replicas`.")
]
KafkaClient = Annotated[
    str | None,
    typer.Option("--client", help="What reads and writes Kafka: kafka-python, or confluent (the extra `fast`); else `kafka_client`."),
]
Alone = Annotated[
    bool, typer.Option("--alone", help="On Kafka: take all the work, from whoever does it, instead of sharing it with other coordinators.")
]
Speaker = Annotated[str | None, typer.Option("--as", help="The agent who speaks; else the setting `agent`.")]
OneAgent = Annotated[str | None, typer.Option("--agent", help="Only what concerns this agent.")]
OneResource = Annotated[str | None, typer.Option("--resource", help="Only this resource or process.")]
TokensFile = Annotated[Path | None, typer.Option("--tokens", help="The file of tokens; else the setting `tokens`.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ProposalId = Annotated[str, typer.Argument(help="The proposal's id, or the beginning of it.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why, for the other side.")]


def main() -> None:
    """Run the command line."""
    collect_rarely()
    run_to_end(app, "coordinator")


@app.callback()
def _commands() -> None:
    """The Stigmergic Coordinator: signals in, proposals out, every party answers for itself."""


demo_app = typer.Typer(name="demo", invoke_without_command=True)
app.add_typer(demo_app)


@demo_app.callback()
def demo(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="Folder for the log, the plot and the figures.")] = Path("demo"),
    answers: Annotated[str, typer.Option("--answers", help="real: declines and silence at the real rates; or accept.")] = "real",
    seed: Annotated[int, typer.Option("--seed", help="Of the drawn answers.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON instead of a table.")] = False,
    write: Annotated[
        Path | None, typer.Option("--write", help="Only write stream, distances and charter as files here, to replay.")
    ] = None,
    serve_it: Annotated[bool, typer.Option("--serve", help="Then show it all on the page, to this machine alone, until Ctrl-C.")] = False,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65_535, help="Of the page; 0 takes a free one.")] = None,
) -> None:
    """Stream a real relief effort through the coordinator and compare it with two simple rivals."""
    from coordinator.cli.demo import Request, run

    if context.invoked_subcommand is None:
        run(Request(out, answers, seed, as_json, write, serve_it, port))


@demo_app.command("making")
def demo_making(
    out: Annotated[Path, typer.Option("--out", help="Folder for events, figures and pictures.")] = Path("demo-making"),
    seed: Annotated[int, typer.Option("--seed", help="Of all that is synthetic: hours, quantities, stock.")] = 7,
    country: Annotated[str, typer.Option("--country", help="Of the towns, where no real workshops are at hand.")] = "FR",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON instead of a table.")] = False,
) -> None:
    """Meet needs by making, over real workshops and designs where STIGMERGY_DATA names them, else on real towns."""
    from coordinator.cli.demo_making import MakingRequest, run_making

    run_making(MakingRequest(out, seed, as_json, country))


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
    """Read events without a broker, plan and propose as they come, and write what stands at the end.

    What was refused is counted and listed with why; the replay is done all the same, even where that was all of it.
    """
    from coordinator.cli.replay import Request, run

    run(Request(files or [], out, charter, routes, answers, log, record, as_json))


@app.command()
def serve(
    log: Annotated[Path | None, typer.Option("--log", help="The embedded log; made where it is missing.")] = None,
    kafka: KafkaAddress = None,
    replicas: KafkaReplicas = None,
    client: KafkaClient = None,
    alone: Alone = False,
    charter: CharterFile = None,
    routes: RoutesFile = None,
    host: Annotated[str | None, typer.Option("--host", help="Where to listen; other than this machine only with tokens.")] = None,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65_535, help="The port; 0 takes a free one.")] = None,
    tokens: TokensFile = None,
    reading: Annotated[
        str | None, typer.Option("--reading", help="open: everybody who reaches it may read; tokens: only who has a token.")
    ] = None,
    tick_seconds: Annotated[
        float | None, typer.Option("--tick-seconds", min=0.05, help="How often time passes when nobody speaks.")
    ] = None,
) -> None:
    """Take in signals over HTTP, plan as time passes, and show it all, on an embedded log or on Kafka."""
    from coordinator.cli.serve import Request, reading_named, run

    run(
        Request(log, charter, routes, host, port, tokens, tick_seconds, kafka, replicas, reading_named(reading), alone=alone, client=client)
    )


class _Saying(TyperCommand):
    """A command with a quantity among its words: one below zero is answered like any other, not taken for an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse a quantity below zero; a number after an option, such as a latitude, is that option's."""
        for before, word in pairwise(["", *args]):
            if BELOW_ZERO.fullmatch(word) and not before.startswith("-"):
                raise Refused(f"the quantity is {word}; more than zero was expected, such as 120, or --withdraw to take the signal back")
        return super().parse_args(ctx, args)


@app.command(cls=_Saying)
def publish(
    what: Annotated[str, typer.Argument(help="offer, need, capacity or agent; or - for events as JSON lines on standard input.")],
    thing: Annotated[str | None, typer.Argument(help="The resource or process; of an agent its name, or without --as who it is.")] = None,
    amount: Annotated[str | None, typer.Argument(help="How much, in --unit.")] = None,
    agent: Speaker = None,
    unit: Annotated[
        str | None, typer.Option("--unit", help="UCUM code: 1 for pieces, kg, h ... A need in a unit of time asks for a process.")
    ] = None,
    tier: Annotated[int | None, typer.Option("--tier", help="Of a need: 0 vital to 3 wished.")] = None,
    due: Annotated[str | None, typer.Option("--due", help="Of a need: wanted by, such as 2026-03-08T00:00:00Z.")] = None,
    begin: Annotated[str | None, typer.Option("--begin", help="Not before.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="Useless after.")] = None,
    expires: Annotated[str | None, typer.Option("--expires", help="Until when these words stand.")] = None,
    minimum: Annotated[float | None, typer.Option("--minimum", help="Less than this is of no use.")] = None,
    within_km: Annotated[float | None, typer.Option("--within-km", help="Not from or to farther away.")] = None,
    basis: Annotated[str | None, typer.Option("--basis", help="free (what is not promised yet) or total (everything in stock).")] = None,
    lat: Annotated[float | None, typer.Option("--lat", help="Where it is.")] = None,
    long: Annotated[float | None, typer.Option("--long", help="Where it is.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="The signal's own id; the resource or process unless you say.")] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the signal back.")] = False,
    url: Url = None,
    log: LogFile = None,
    charter: CharterFile = None,
    as_json: AsJson = False,
) -> None:
    """Say one signal, or events as JSON lines: coordinator publish offer face-shield 120 --as atelier-nord."""
    from coordinator.cli.publish import Request, run

    fields: dict[str, str | float | None] = {"tier": tier, "due": due, "begin": begin, "end": end, "expires": expires}
    fields |= {"minimum": minimum, "within_km": within_km, "basis": basis}
    run(Request(what, thing, amount, agent, subject, withdraw, unit, fields, lat, long, url, log, charter, as_json))


class _Listing(TyperCommand):
    """A command that lists what a server or a log holds: whoever names a file, or what to look for, is told how to say it."""

    allow_extra_args = True

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse a word that belongs to no option."""
        left = super().parse_args(ctx, args)
        if left:
            raise Refused(_meant_by(left[0], ctx.info_name))
        return left


def _meant_by(word: str, command: str) -> str:
    said = shlex.quote(word or "NAME")
    if word.endswith((".jsonl", ".jsonl.gz")):
        listed = f"`coordinator replay {said} --record new.log` makes a log of it, and `coordinator {command} --log new.log` reads that"
        if command == "refused":
            listed = f"`coordinator replay {said}` writes what it refuses, and why, to `refused.jsonl` in the folder replay"
        return f"{word} came; `coordinator {command}` asks a server or a log, no file of events: {listed}"
    if os.path.isfile(word):  # which takes any word, however long; `Path` does not
        return f"{word} came; say --log {said} if that is the log to read"
    some = f"--agent {said}" if command == "refused" else f"--agent {said} or --resource {said}"
    return f"{word or 'an empty word'} came, and `coordinator {command}` lists everything; say {some} for what concerns that alone"


@app.command(cls=_Listing)
def needs(
    agent: OneAgent = None,
    resource: OneResource = None,
    url: Url = None,
    log: LogFile = None,
    charter: CharterFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the needs that stand."""
    from coordinator.cli.tables import run

    run("needs", url=url, log=log, charter=charter, agent=agent, resource=resource, as_json=as_json)


@app.command(cls=_Listing)
def offers(
    agent: OneAgent = None,
    resource: OneResource = None,
    url: Url = None,
    log: LogFile = None,
    charter: CharterFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the offers and capacities that stand."""
    from coordinator.cli.tables import run

    run("offers", url=url, log=log, charter=charter, agent=agent, resource=resource, as_json=as_json)


@app.command(cls=_Listing)
def proposals(
    agent: OneAgent = None,
    resource: OneResource = None,
    url: Url = None,
    log: LogFile = None,
    charter: CharterFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the proposals that are open or became commitments."""
    from coordinator.cli.tables import run

    run("proposals", url=url, log=log, charter=charter, agent=agent, resource=resource, as_json=as_json)


@app.command(cls=_Listing)
def ledger(
    agent: OneAgent = None,
    resource: OneResource = None,
    url: Url = None,
    log: LogFile = None,
    charter: CharterFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the open book: every decision, in the order made; what was refused again for the same reason is one line with a count."""
    from coordinator.cli.tables import run

    run("ledger", url=url, log=log, charter=charter, agent=agent, resource=resource, as_json=as_json)


@app.command(cls=_Listing)
def refused(agent: OneAgent = None, url: Url = None, log: LogFile = None, as_json: AsJson = False) -> None:
    """Show signals that were turned away at the door, and why; answers that came in and had no effect stand in the ledger."""
    from coordinator.cli.tables import run

    run("refused", url=url, log=log, charter=None, agent=agent, resource=None, as_json=as_json)


@app.command()
def accept(
    proposal: ProposalId,
    agent: Speaker = None,
    url: Url = None,
    log: LogFile = None,
    charter: CharterFile = None,
    as_json: AsJson = False,
) -> None:
    """Accept a proposal whole; nothing else binds an agent."""
    from coordinator.cli.answer import run

    run("accept", proposal, agent=agent, reason=None, url=url, log=log, charter=charter, as_json=as_json)


@app.command()
def decline(
    proposal: ProposalId,
    agent: Speaker = None,
    reason: Reason = None,
    url: Url = None,
    log: LogFile = None,
    charter: CharterFile = None,
    as_json: AsJson = False,
) -> None:
    """Decline a proposal; the next plan leaves this pair out until one of them says something new."""
    from coordinator.cli.answer import run

    run("decline", proposal, agent=agent, reason=reason, url=url, log=log, charter=charter, as_json=as_json)


@app.command(cls=_Saying)
def counter(
    proposal: ProposalId,
    amount: Annotated[str, typer.Argument(help="How much would do, in the proposal's unit.")],
    agent: Speaker = None,
    reason: Reason = None,
    url: Url = None,
    log: LogFile = None,
    charter: CharterFile = None,
    as_json: AsJson = False,
) -> None:
    """Decline a proposal and say what smaller amount would do: the next plan goes by it."""
    from coordinator.cli.answer import run

    run("counter", proposal, agent=agent, reason=reason, amount=amount, url=url, log=log, charter=charter, as_json=as_json)


@app.command(cls=_Saying)
def report(
    proposal: ProposalId,
    what: Annotated[str, typer.Argument(help="shipped or delivered, as who gives says it; or received, as who gets it.")],
    amount: Annotated[str | None, typer.Argument(help="How much, in the proposal's unit; all of it where nothing is said.")] = None,
    agent: Speaker = None,
    note: Annotated[str | None, typer.Option("--note", help="A remark, for the other side.")] = None,
    url: Url = None,
    log: LogFile = None,
    charter: CharterFile = None,
    as_json: AsJson = False,
) -> None:
    """Say what became of a commitment."""
    from coordinator.cli.answer import report as say

    say(proposal, what, amount, agent=agent, note=note, url=url, log=log, charter=charter, as_json=as_json)


doctor_app = typer.Typer(name="doctor", invoke_without_command=True)
app.add_typer(doctor_app)


@doctor_app.callback()
def doctor(context: typer.Context, log: LogFile = None, charter: CharterFile = None, as_json: AsJson = False) -> None:
    """Check that all this machine needs is in order; exit code 1 when something is wrong."""
    from coordinator.cli.doctor import run

    if context.invoked_subcommand is None and not run(log=log, charter=charter, as_json=as_json):
        raise typer.Exit(1)


@doctor_app.command("kafka")
def doctor_kafka(kafka: KafkaAddress = None, replicas: KafkaReplicas = None, as_json: AsJson = False) -> None:
    """Try out what Kafka really does, on topics that are removed again; exit code 1 when it lacks what the coordinator needs."""
    from coordinator.cli.doctor import run_kafka

    if not run_kafka(kafka=kafka, replicas=replicas, as_json=as_json):
        raise typer.Exit(1)


token_app = typer.Typer(name="token", no_args_is_help=True, help="Tokens: who may read, speak for agents, or answer for them.")
app.add_typer(token_app)


@token_app.command("create")
def token_create(
    agent: Annotated[str | None, typer.Argument(help="The agent that it speaks for.")] = None,
    speak_for: Annotated[
        list[str] | None, typer.Option("--speak-for", help="A further agent it says anything for; may come often.")
    ] = None,
    coordinate: Annotated[
        list[str] | None, typer.Option("--coordinate", help="An agent whose proposals it answers, and no more; may come often.")
    ] = None,
    read: Annotated[bool, typer.Option("--read", help="It reads, and says nothing.")] = False,
    name: Annotated[str | None, typer.Option("--name", help="Who holds it, where it is not the agent itself.")] = None,
    days: Annotated[float, typer.Option("--days", help="It ends after so many days; 0: never.")] = 365,
    tokens: TokensFile = None,
) -> None:
    """Make a token and print it, this once; the file keeps its hash."""
    from coordinator.cli.tokens import Wanted, create

    create(Wanted(agent, tuple(speak_for or ()), tuple(coordinate or ()), read, name, days), tokens)


@token_app.command("revoke")
def token_revoke(
    which: Annotated[str, typer.Argument(help="Who holds it, or its id as `token list` shows it.")], tokens: TokensFile = None
) -> None:
    """Make all tokens of a holder, or one of them, useless at once."""
    from coordinator.cli.tokens import revoke

    revoke(which, tokens)


@token_app.command("list")
def token_list(tokens: TokensFile = None, as_json: AsJson = False) -> None:
    """Show what every token allows and until when; none is shown itself."""
    from coordinator.cli.tokens import show

    show(tokens, as_json)


network_questions = typer.Typer(no_args_is_help=True, help="Five questions about the network as it stands.")
app.add_typer(network_questions, name="network")

EventFiles = Annotated[list[Path] | None, typer.Argument(help="Files of events to replay, instead of asking a server.")]
EmbeddedLog = Annotated[Path | None, typer.Option("--log", help="An embedded log, read as it stands; nothing is planned or written.")]


@network_questions.command("stats")
def _network_stats(
    files: EventFiles = None,
    log: EmbeddedLog = None,
    url: Url = None,
    charter: CharterFile = None,
    routes: RoutesFile = None,
    as_json: AsJson = False,
) -> None:
    """How the network stands: agents, what is free and open of each thing, names that one agent alone uses."""
    from coordinator.cli.loading import Where
    from coordinator.cli.network import show_stats

    show_stats(Where(files or [], log, charter, routes, url), as_json)


@network_questions.command("upstream")
def _network_upstream(
    resource: Annotated[str, typer.Argument(help="A resource or process; process:NAME where both have one name.")],
    files: EventFiles = None,
    log: EmbeddedLog = None,
    url: Url = None,
    charter: CharterFile = None,
    routes: RoutesFile = None,
    as_json: AsJson = False,
) -> None:
    """What feeds a resource: who offers it, the recipes that make it, and what feeds those."""
    from coordinator.cli.loading import Where
    from coordinator.cli.network import show_upstream

    show_upstream(Where(files or [], log, charter, routes, url), resource, as_json)


@network_questions.command("downstream")
def _network_downstream(
    agent: Annotated[str, typer.Argument(help="An agent's name.")],
    files: EventFiles = None,
    log: EmbeddedLog = None,
    url: Url = None,
    charter: CharterFile = None,
    routes: RoutesFile = None,
    as_json: AsJson = False,
) -> None:
    """What and who hangs on an agent, and what it alone carries."""
    from coordinator.cli.loading import Where
    from coordinator.cli.network import show_downstream

    show_downstream(Where(files or [], log, charter, routes, url), agent, as_json)


@network_questions.command("weak-points")
def _network_weak_points(
    files: EventFiles = None,
    log: EmbeddedLog = None,
    url: Url = None,
    charter: CharterFile = None,
    routes: RoutesFile = None,
    as_json: AsJson = False,
) -> None:
    """Agents whose loss leaves needs without any source, and where too little can get through."""
    from coordinator.cli.loading import Where
    from coordinator.cli.network import show_weak_points

    show_weak_points(Where(files or [], log, charter, routes, url), as_json)


@network_questions.command("unreachable")
def _network_unreachable(
    files: EventFiles = None,
    log: EmbeddedLog = None,
    url: Url = None,
    charter: CharterFile = None,
    routes: RoutesFile = None,
    as_json: AsJson = False,
) -> None:
    """The needs that no offer and no recipe can reach, with the reason."""
    from coordinator.cli.loading import Where
    from coordinator.cli.network import show_unreachable

    show_unreachable(Where(files or [], log, charter, routes, url), as_json)


@app.command()
def why(
    need: Annotated[str, typer.Argument(help="The need: agent/need/subject, or a part of that which only one need has.")],
    files: EventFiles = None,
    log: EmbeddedLog = None,
    url: Url = None,
    charter: CharterFile = None,
    routes: RoutesFile = None,
    by: Annotated[
        float | None, typer.Option("--by", help="How much to lift a short need, in its unit; else by all it is short of.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Why a need is served as it is, or short: from whom and by which reasons, what stands in the way, what could change it."""
    from coordinator.cli.loading import Where
    from coordinator.cli.why import show_why

    show_why(Where(files or [], log, charter, routes, url), need, as_json, by)


@app.command()
def makers(
    design: Annotated[str, typer.Argument(help="A recipe's name or ref, or a resource that recipes make.")],
    files: EventFiles = None,
    log: EmbeddedLog = None,
    url: Url = None,
    charter: CharterFile = None,
    place: Annotated[str | None, typer.Option("--near", help="An agent, or latitude,longitude: the nearest first, with distances.")] = None,
    within_km: Annotated[float | None, typer.Option("--within-km", min=0, help="Only makers so near to --near.")] = None,
    as_json: AsJson = False,
) -> None:
    """Who could make a design, what each lacks, and how many are not shown and why."""
    from coordinator.cli.loading import Where
    from coordinator.cli.making import show_makers

    show_makers(Where(files or [], log, charter, url=url), design, place, within_km, as_json)


@app.command("explode")
def _explode(
    need: Annotated[str, typer.Argument(help="The need: agent/need/subject, or a part of that which only one need has.")],
    files: EventFiles = None,
    log: EmbeddedLog = None,
    url: Url = None,
    charter: CharterFile = None,
    routes: RoutesFile = None,
    as_json: AsJson = False,
) -> None:
    """What a need still takes at each level of making: stock, hours, who has them, where it is tight, and what would be enough."""
    from coordinator.cli.loading import Where
    from coordinator.cli.making import show_exploded

    show_exploded(Where(files or [], log, charter, routes, url), need, as_json)


@app.command()
def workshop(
    agent: Annotated[str, typer.Argument(help="An agent with machine hours.")],
    files: EventFiles = None,
    log: EmbeddedLog = None,
    url: Url = None,
    charter: CharterFile = None,
    as_json: AsJson = False,
) -> None:
    """What each machine of a workshop does next: the work it promised, each piece on the machine that ends it first."""
    from coordinator.cli.loading import Where
    from coordinator.cli.making import show_floor

    show_floor(Where(files or [], log, charter, url=url), agent, as_json)


@app.command()
def pressure(
    resource: Annotated[str, typer.Argument(help="A resource or process; process:NAME where both have one name.")],
    files: EventFiles = None,
    log: EmbeddedLog = None,
    url: Url = None,
    charter: CharterFile = None,
    routes: RoutesFile = None,
    as_json: AsJson = False,
) -> None:
    """Where a resource is short: what one unit more at each offer and need would serve, the shortest place first."""
    from coordinator.cli.field import show_pressure
    from coordinator.cli.loading import Where

    show_pressure(Where(files or [], log, charter, routes, url), resource, as_json)


@app.command()
def opportunities(
    agent: Annotated[str, typer.Argument(help="An agent's name, or a place as latitude,longitude.")],
    files: EventFiles = None,
    log: EmbeddedLog = None,
    url: Url = None,
    charter: CharterFile = None,
    routes: RoutesFile = None,
    as_json: AsJson = False,
) -> None:
    """What one unit more from an agent's place, or any, would relieve, the most urgent first; `explode` tells of hours recipes take."""
    from coordinator.cli.field import show_opportunities
    from coordinator.cli.loading import Where

    show_opportunities(Where(files or [], log, charter, routes, url), agent, as_json)


solver_app = typer.Typer(name="solver", no_args_is_help=True, help="The solver: are its answers proven?")
app.add_typer(solver_app)


@solver_app.callback()
def _solver_commands() -> None:
    """Keep `check` a word of its own."""


@solver_app.command("check")
def _solver_check(
    files: EventFiles = None, log: EmbeddedLog = None, charter: CharterFile = None, routes: RoutesFile = None, as_json: AsJson = False
) -> None:
    """Hold the answer of every market against every rule of optimality; exit code 1 when one is broken."""
    from coordinator.cli.field import show_check
    from coordinator.cli.loading import Where

    if not show_check(Where(files or [], log, charter, routes), as_json):
        raise typer.Exit(1)


@app.command()
def churn(
    files: EventFiles = None, log: EmbeddedLog = None, charter: CharterFile = None, routes: RoutesFile = None, as_json: AsJson = False
) -> None:
    """How restless the plan is: proposals made and taken back, for each signal and each cycle of a replay or a log."""
    from coordinator.cli.field import show_churn
    from coordinator.cli.loading import Where

    show_churn(Where(files or [], log, charter, routes), as_json)


log_app = typer.Typer(name="log", no_args_is_help=True, help="An embedded log: is it sound, out to files of events, and in again.")
app.add_typer(log_app)
OwnLog = Annotated[Path | None, typer.Option("--log", help="The embedded log; else the setting `log`.")]
LogAsWord = Annotated[Path | None, typer.Argument(metavar="LOG", hidden=True)]  # as it was said before there was --log


def _own_log(log: Path | None, word: Path | None) -> Path | None:
    if log is not None and word is not None:
        raise Refused(f"both --log {log} and {word} came; say one of them: the log that is meant")
    return log or word


@log_app.command("verify")
def _log_verify(word: LogAsWord = None, log: OwnLog = None, as_json: AsJson = False) -> None:
    """Read all of a log against its checksums and its chain; exit code 1 where it is not sound."""
    from coordinator.cli.log import verify

    if not verify(_own_log(log, word), as_json):
        raise typer.Exit(1)


@log_app.command("repair-tail")
def _log_repair_tail(
    word: LogAsWord = None,
    log: OwnLog = None,
    yes: Annotated[bool, typer.Option("--yes", help="Cut; without it only what would be cut is shown.")] = False,
    give_up: Annotated[int, typer.Option("--give-up", min=0, help="So many whole entries behind the damage may go too.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Cut a damaged end off a log and keep it in a file beside; exit code 1 while it is not sound."""
    from coordinator.cli.log import repair

    if not repair(_own_log(log, word), yes, give_up, as_json):
        raise typer.Exit(1)


@log_app.command("export")
def _log_export(
    word: LogAsWord = None,
    log: OwnLog = None,
    out: Annotated[Path, typer.Option("--out", help="A new file, .jsonl or .jsonl.gz.")] = Path("exported.jsonl"),
    as_json: AsJson = False,
) -> None:
    """Write a log's events to a file, each with its log time; exit code 1 where the log is damaged and the file ends there."""
    from coordinator.cli.log import export

    if not export(_own_log(log, word), out, as_json):
        raise typer.Exit(1)


@log_app.command("import")
def _log_import(
    files: Annotated[list[Path], typer.Argument(help="Files that `log export` wrote, in their order; or one log of the older kind.")],
    log: Annotated[Path, typer.Option("--log", help="The log to make.")],
    as_json: AsJson = False,
) -> None:
    """Make a new log of exported events; exit code 1 where lines were refused."""
    from coordinator.cli.log import import_

    if not import_(files, log, as_json):
        raise typer.Exit(1)


@log_app.command("snapshot")
def _log_snapshot(word: LogAsWord = None, log: OwnLog = None, charter: CharterFile = None, as_json: AsJson = False) -> None:
    """Write down what a log adds up to, beside it, so that the next start is quick; `serve` does so by itself now and then."""
    from coordinator.cli.log import snapshot

    snapshot(_own_log(log, word), charter, as_json)


tell_exit_codes(app)
