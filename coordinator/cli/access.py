"""How a command reaches the coordinator: a server over HTTP, or an embedded log on this machine."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import structlog
from msgspec import structs

from coordinator.adapters.file_log import FileLog
from coordinator.adapters.files import read_charter
from coordinator.adapters.folding import fold
from coordinator.adapters.routes_csv import read_routes
from coordinator.adapters.service import Service
from coordinator.charter import Charter
from coordinator.client import Client
from coordinator.cycle import Coordination
from coordinator.errors import Refused
from coordinator.routes import RouteTable
from coordinator.settings import config_path, read_settings
from coordinator.stream import Record
from coordinator.views import LARGEST_PAGE, Asked, deal_named, ledger, offers_or_needs, proposals

__all__ = ["Access", "charter_in_force", "distances_in", "reach", "server_at"]

# What is logged beside a command's answer goes where its errors go: standard output is for the answer alone.
structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))

Row = dict[str, Any]


class Access(Protocol):
    """What commands ask, wherever the answer comes from."""

    def rows(self, what: str, agent: str | None, resource: str | None) -> Iterator[Row]:
        """Yield all rows of needs, offers, proposals, ledger or refused."""
        ...

    def proposal(self, start: str) -> Row:
        """Return the one proposal whose id begins so."""
        ...

    def publish(self, lines: Sequence[bytes]) -> list[Row]:
        """Say something; return what became of each line."""
        ...


def reach(url: str | None, log: Path | None, charter: Path | None = None) -> Access:
    """Return the way to the coordinator that was asked for: a log where one is named, else the server at the address."""
    if url is not None and log is not None:
        raise Refused("both --url and --log came; say one of them: the server, or the log that no server holds")
    if log is not None:
        return _ByLog(log, charter_in_force(charter))
    return _ByServer(server_at(url))


def server_at(url: str | None, **how: Any) -> Client:
    """Return a client of the server at an address, else of the one that the settings name; `how` long and often it asks."""
    settings = read_settings()
    return Client(url or settings.url, token=settings.token.get_secret_value() if settings.token else None, **how)


def charter_in_force(named: Path | None) -> Charter:
    """Return the charter of a file named, else of the settings, else of the table [charter] in the settings file itself."""
    if charter := named or read_settings().charter:
        return read_charter(charter)
    return read_charter(config_path(), table_needed=False)


def distances_in(path: Path | None) -> RouteTable | None:
    """Return the distances of a file, if one is named; what in it does not count is said on standard error."""
    table = read_routes(path) if path else None
    for remark in table.remarks() if table else ():
        print(f"Note: in {path} {remark}.", file=sys.stderr)
    return table


@dataclass(frozen=True, slots=True)
class _ByServer:
    client: Client

    def rows(self, what: str, agent: str | None, resource: str | None) -> Iterator[Row]:
        return self.client.pages(f"/{what}", agent=agent, resource=resource)

    def proposal(self, start: str) -> Row:
        return self.client.proposal(start)

    def publish(self, lines: Sequence[bytes]) -> list[Row]:
        return self.client.publish(lines)


@dataclass(frozen=True, slots=True)
class _ByLog:
    path: Path
    charter: Charter

    def rows(self, what: str, agent: str | None, resource: str | None) -> Iterator[Row]:
        if what == "refused":
            yield from self._refused(agent)
            return
        coordination, after = self._read(), ""
        while True:
            asked = Asked(LARGEST_PAGE, after, agent, resource)
            match what:
                case "ledger":
                    page = ledger(coordination, asked)
                case "proposals":
                    page = proposals(coordination, asked)
                case _:
                    page = offers_or_needs(coordination, asked, supply=what == "offers")
            yield from page["items"]
            if page["next"] is None:
                return
            after = page["next"]

    def proposal(self, start: str) -> Row:
        return deal_named(self._read(), start)

    def publish(self, lines: Sequence[bytes]) -> list[Row]:
        with closing(Service(self.path, self.charter, planning=False)) as service:
            return [structs.asdict(outcome) for outcome in service.publish(lines)]

    def _refused(self, agent: str | None) -> Iterator[Row]:
        letters: list[Record] = []
        with closing(FileLog.open_readonly(self.path)) as log:
            fold(log, Coordination(self.charter, judging=False, planning=False), letters.append)
        for number, letter in enumerate(letters, 1):
            event = json.loads(letter.entry.event)
            if agent is None or event["data"]["key"] == f"agent:{agent}":
                yield {"number": number, "time": event["time"], **event["data"]}

    def _read(self) -> Coordination:
        coordination = Coordination(self.charter, judging=False, planning=False)
        with closing(FileLog.open_readonly(self.path)) as log:
            fold(log, coordination)
        return coordination
