"""``coordinator demo``: real offers and requests of the spring of 2020, streamed in order of date, next to two simple rivals."""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from coordinator.adapters.plot import plot_first_portions
from coordinator.adapters.ppe_match import Story, event_of, read_ppe_distances, read_story
from coordinator.adapters.recorder import Recorder
from coordinator.charter import Charter
from coordinator.cli.demo_files import write_demo_files
from coordinator.cli.output import Progress, table, working
from coordinator.cycle import Coordination
from coordinator.demo_rates import MATCHES, OUTCOMES, Side, outcome_of
from coordinator.errors import Refused, Unavailable
from coordinator.rivals import RIVALS, Shipment, run_rival
from coordinator.routes import RouteTable
from coordinator.scoring import ALL_ITEMS, Score, first_portions, median_claims, score
from coordinator.settings import read_settings
from coordinator.signals import Proposal, event_json, parse_event
from coordinator.times import SECOND_US, format_instant

__all__ = ["Request", "run", "show_demo"]

LOCALHOST = "127.0.0.1"
FAIRNESS = ("portions", "off")
COLUMNS = ["", "offered", "needed", "claims", "committed", "unit-km", "parcels", "first", "days"]


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for on the command line."""

    out: Path
    answers: str
    seed: int
    as_json: bool
    write: Path | None = None  # the folder for stream, distances and charter as files; then nothing is streamed
    serve: bool = False  # afterwards, show it all on the page, until interrupted
    port: int | None = None  # of the page; absent: the usual one, or a free one where that is taken


@dataclass(frozen=True, slots=True)
class _Run:
    """What one way of matching shipped, and what was refused on the way."""

    shipments: list[Shipment]
    refused: int = 0
    short_need: str | None = None  # a need that nobody could serve in full, to ask about afterwards


def run(request: Request) -> None:
    """Stream, propose, answer, compare; leave the log, the plot and the figures in a folder. Or write what goes in as files."""
    if request.write is not None:
        _write(request.write)
        return
    if request.answers not in {"real", "accept"}:
        raise Refused(f"--answers is {request.answers!r}; say real or accept")
    quiet = request.as_json
    request.out.mkdir(parents=True, exist_ok=True)
    log_path = request.out / "stream.db"
    for stale in request.out.glob("stream.db*"):
        stale.unlink()
    with working("Reading what donors and recipients said, and the distances between them", quiet):
        story, routes = read_story(), read_ppe_distances()
    _tell_beginning(request, story, routes)
    with ProcessPoolExecutor(1) as other_core:
        unfair = other_core.submit(_coordinate, "off", story, routes, request, None)
        _say(quiet, "Streaming it through the coordinator, day by day ...")
        runs = {"portions": _coordinate("portions", story, routes, request, log_path)}
        every_us = _charter("off").cycle_seconds * SECOND_US
        for name in RIVALS:
            agrees = None if request.answers == "accept" else _Agreement(request.seed)
            with working(f"The same by {_title(name)}", quiet):
                runs[name] = _Run(run_rival(name, story.offers, story.needs, routes, every_us, agrees))
        with working("Waiting for the same stream with fairness off, which runs on the other core", quiet):
            runs["off"] = unfair.result()
    ways = {name: runs[name] for name in (*FAIRNESS, *RIVALS)}
    portions = median_claims(story.needs)
    plot_path = request.out / "first-portions.png"
    with working("Adding up what each of them achieved, and drawing it", quiet):
        scores = {name: score(way.shipments, story.offers, story.needs, portions) for name, way in ways.items()}
        lines = {_title(name): first_portions(way.shipments, story.needs, portions) for name, way in ways.items()}
        dates = [row.date_us for row in story.stream()]
        plot_first_portions(plot_path, lines, scores["off"][ALL_ITEMS].claims, (min(dates), max(dates)))
    _tell_end(request, story, scores, runs["portions"], log_path, plot_path)
    if request.serve:
        show_demo(request, log_path, routes)


def show_demo(request: Request, log_path: Path, routes: RouteTable) -> None:
    """Serve the demo's log to this machine alone, and open a browser on it where there is a screen; until interrupted."""
    from coordinator.cli.serve import Request as Serving
    from coordinator.cli.serve import open_port
    from coordinator.cli.serve import run as serve

    _say(request.as_json)
    port = read_settings().port if request.port is None else request.port
    try:
        with open_port(LOCALHOST, port):
            pass
    except Unavailable:
        if request.port is not None:
            raise
        port = 0
    _say(request.as_json, "Reading the log of the demo for the page, which only this machine reaches ...")
    serve(Serving(log=log_path, host=LOCALHOST, port=port, opens=True), charter=_charter("portions"), table=routes)


def _write(folder: Path) -> None:
    with working("Reading what donors and recipients said, and the distances between them; writing all of it"):
        command = write_demo_files(folder, read_story(), read_ppe_distances(), _charter("portions"))
    print(f"Written to {folder}: events.jsonl, routes.csv.gz, charter.toml. Everybody accepts in a replay. Try next:\n  {command}")


def _charter(fairness: str) -> Charter:
    return Charter.model_validate({"fairness": fairness, "effort": "km", "cycle_seconds": 86_400})


def _coordinate(fairness: str, story: Story, routes: RouteTable, request: Request, log_path: Path | None) -> _Run:
    """Return what the parties committed to when all is streamed through the coordinator, and through a log where a path is given."""
    coordination = Coordination(_charter(fairness), table=routes)
    coordination.answering = lambda proposal: _answers(proposal, coordination.log_us, request)
    rows, refused = story.stream(), 0
    quiet = request.as_json or log_path is None
    with Progress("streaming", quiet, len(rows)) as progress, Recorder(log_path, coordination) as recorder:
        for row in rows:
            line = event_of(row)
            try:
                event = parse_event(line)
                coordination.take(event, line)
            except Refused:
                refused += 1
            else:
                recorder.note(event, line)
            progress.step(format_instant(row.date_us)[:10])
        coordination.finish()
        recorder.note_decisions()
    return _Run(list(_shipments(coordination)), refused, _short_need(coordination))


def _answers(proposal: Proposal, log_us: int, request: Request) -> Iterator[bytes]:
    """Yield what the parties answer: acceptances, or a decline or a silence drawn at the real rates."""
    first = proposal.lines[0]
    occasion = f"{first.provider}|{first.receiver}|{log_us}"
    parties: tuple[tuple[Side, str], ...] = (("provider", first.provider), ("receiver", first.receiver))
    for side, party in parties:
        outcome = None if request.answers == "accept" else outcome_of(request.seed, side, occasion)
        answer = {"proposal": proposal.proposal, "answer": "accept"}
        if outcome is not None and outcome.answer == "decline":
            answer |= {"answer": "decline", "reason": outcome.reason}
        if outcome is None or outcome.answer == "decline":
            yield event_json("answer", f"agent:{party}", proposal.proposal, log_us, answer)
        if answer["answer"] == "decline":
            return


class _Agreement:
    """The same parties, asked by a rival: a pair moves something only when neither declines nor stays silent."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __call__(self, provider: str, receiver: str, resource: str, at_us: int) -> bool:
        """Return whether both accept, drawn at the real rates."""
        occasion = f"{provider}|{receiver}|{resource}|{at_us}"
        return outcome_of(self._seed, "provider", occasion) is None and outcome_of(self._seed, "receiver", occasion) is None


def _shipments(coordination: Coordination) -> Iterator[Shipment]:
    for deal in coordination.book.deals.values():
        if not deal.is_bound:
            continue
        for line in deal.lines:
            waited_us = deal.committed_us - coordination.network.stances[line.offer].said_us
            pieces = line.quantity.grains
            yield Shipment(line.provider, line.receiver, line.resource, pieces, line.distance_m, deal.committed_us, waited_us)


def _short_need(coordination: Coordination) -> str | None:
    """Return the need of an item on offer that lacks most, the first by name among equals."""
    offered = {stance.thing for stance in coordination.network.stances.values() if stance.is_supply}
    needs = [stance for stance in coordination.network.living() if not stance.is_supply and stance.thing in offered]
    lacking = max(needs, key=lambda need: (need.free_grains, need.ref), default=None)
    return lacking.ref if lacking else None


# -- what a person reads ----------------------------------------------------------------------------------------------


def _say(quiet: bool, text: str = "") -> None:
    if not quiet:
        print(text, flush=True)


def _title(name: str) -> str:
    return f"fairness {name}" if name in FAIRNESS else name


def _tell_beginning(request: Request, story: Story, routes: RouteTable) -> None:
    quiet = request.as_json
    left_out = ", ".join(f"{count} {item}" for item, count in sorted(story.left_out_by_item().items()))
    said = f"{len(story.offers):,} offers, {len(story.needs):,} requests and {routes.pairs:,} distances"
    _say(quiet, f"{said}: GetUsPPE, USA 2020 (Bala, Samorani and Jacob; package ppe-match).")
    _say(quiet, f"Left out, as the data's authors do: {len(story.left_out)} offers above 1 000 pieces ({left_out}).")
    charter = _charter("portions").model_dump(exclude_none=True)
    _say(quiet, "Charter: " + ", ".join(f"{key} = {value}" for key, value in charter.items() if value not in ({}, 0)))
    if request.answers == "accept":
        _say(quiet, "Answers: everybody accepts at once (the ideal).")
    else:
        rates = ", ".join(f"{outcome.side} {outcome.answer} ({outcome.reason}) {outcome.matches / MATCHES:.1%}" for outcome in OUTCOMES)
        _say(quiet, f"Answers: drawn at the rates of {MATCHES:,} real matches, seed {request.seed}: {rates}; all others accept at once.")
        _say(
            quiet,
            "The rivals' parties answer at the same rates; after a refusal a rival asks again the next day. (--answers accept: the ideal)",
        )


def _tell_end(request: Request, story: Story, scores: Mapping[str, Mapping[str, Score]], ours: _Run, log: Path, plot: Path) -> None:
    figures = {_title(name): {item: asdict(one) for item, one in by_item.items()} for name, by_item in scores.items()}
    (request.out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    if request.as_json:
        print(json.dumps(figures, indent=2))
        return
    rows: list[Sequence[object]] = []
    for item, any_way in scores["off"].items():
        if any_way.offered and any_way.needed:
            rows.append([item, any_way.offered, any_way.needed, any_way.claims, *([None] * 5)])
            for name, by_item in scores.items():
                one = by_item[item]
                measures = [one.shipped, round(one.unit_km), one.parcels, one.first_portions, one.waited_days]
                rows.append([f"  {_title(name)}", None, None, None, *measures])
    lonely = [item for item, one in scores["off"].items() if not (one.offered and one.needed)]
    table("What was committed, by item and way of matching (all decide once a day)", COLUMNS, rows)
    print("parcels: provider, receiver and day; first: claims that got a first portion, which is the median claim of the item;")
    print("days: that a piece had waited since it was offered.")
    if lonely:
        print(f"Only offered or only asked for, so not in the table: {', '.join(lonely)}.")
    print(f"Refused by the coordinator: {ours.refused} (requests above 1e9 pieces: {len(story.too_large)}).")
    print(f"Plot: {plot}   Log of everything said and decided: {log}   Figures: {request.out / 'figures.json'}")
    print("\nTry next:")
    files = request.out / "files"
    rules = f"--charter {files / 'charter.toml'} --routes {files / 'routes.csv.gz'}"
    print(f"  coordinator proposals --log {log}")
    print(f"  coordinator demo --write {files}")
    if ours.short_need:
        print(f"  coordinator why {ours.short_need} --log {log} {rules}")
    if request.serve:
        return
    print(f"  coordinator serve --log {log} {rules}")
    print("  and open the address that it prints in a browser: the page shows all of this, and goes on from here.")
    print("  `coordinator demo --serve` does that by itself: it shows the page when it has ended, to this machine alone.")
