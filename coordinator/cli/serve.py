"""``coordinator serve``: the embedded log, the coordination and HTTP in one process."""

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread, Timer
from typing import NoReturn, get_args

import structlog

from coordinator.adapters.aside import Preparation, begin_aside
from coordinator.adapters.guides import GuidesBeside
from coordinator.adapters.http_api import LOOPBACK, Reading, build_app
from coordinator.adapters.kafka_log import KafkaLog
from coordinator.adapters.kafka_service import KafkaService
from coordinator.adapters.proofs import Proofs
from coordinator.adapters.sequencing import OrdersBeside
from coordinator.adapters.server import CONNECTIONS, Server
from coordinator.adapters.service import Service
from coordinator.adapters.snapshot_files import Snapshots
from coordinator.adapters.surroundings import Connect, Surroundings
from coordinator.adapters.tokens import Tokens
from coordinator.charter import Charter
from coordinator.cli.access import charter_in_force, distances_in
from coordinator.errors import Refused, Unavailable
from coordinator.places import Table
from coordinator.production import prepare as prepare_making
from coordinator.settings import Settings, read_settings
from solver import prepare

__all__ = ["Request", "log_through", "open_port", "reading_named", "run"]

LONGEST_TICK_S = 60.0
PROOF_S = 60.0  # a market is held against its proof so often
ORDER_S = 1.0  # orders of work inside workshops are searched for so often
OTHER_FILES = 256  # beside connections
# How long a thread that plans keeps the interpreter's lock once the loop wants it; Python by itself lets it wait for 5 ms, at each step.
HANDED_OVER_S = 0.0001
STOP_S = 4.5  # from being told to stop until the process is gone, whatever is under way: five seconds are promised


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for on the command line; None where the settings decide."""

    log: Path | None = None
    charter: Path | None = None
    routes: Path | None = None
    host: str | None = None
    port: int | None = None
    tokens: Path | None = None
    tick_seconds: float | None = None
    kafka: str | None = None
    replicas: int | None = None
    reading: Reading | None = None
    opens: bool = False  # a browser, where there is one to look at
    alone: bool = False
    client: str | None = None  # of Kafka


def reading_named(text: str | None) -> Reading | None:
    """Return who may read, as said on the command line."""
    if text is None:
        return None
    if text not in get_args(Reading):
        raise Refused(f"--reading is {text!r}; say {' or '.join(get_args(Reading))}")
    return "tokens" if text == "tokens" else "open"


def run(request: Request, *, charter: Charter | None = None, table: Table | None = None) -> None:
    """Serve until interrupted; say where in one line. Charter and distances may come as they are instead of as files."""
    settings = read_settings()
    host = request.host or settings.host
    tokens = _tokens(request.tokens, settings.tokens)
    if tokens is None and host not in LOOPBACK:
        raise Refused(
            f"without tokens anyone could speak for any agent, so --host {host} needs them; make one: coordinator token create AGENT"
        )
    charter = charter or charter_in_force(request.charter)
    routes = request.routes or settings.routes
    table = distances_in(routes) if table is None else table
    _log_to_stderr()
    _allow_connections()
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(open_port(host, settings.port if request.port is None else request.port))
        guides = GuidesBeside()
        stack.callback(guides.close)
        service = _service(request, settings, charter, table, guides)
        stack.enter_context(_closing(service))
        every_s = request.tick_seconds or settings.tick_seconds or min(LONGEST_TICK_S, float(charter.cycle_seconds))
        proofs = Proofs(service)
        stack.callback(proofs.close)
        reading = request.reading or settings.reading
        orders = OrdersBeside(service)
        stack.callback(orders.close)
        # In a process of its own: what it compiles is left in the cache, and only questions that take it wait.
        solver = Preparation(begin_aside(_prepare_all).is_alive) if settings.prepare else Preparation()
        app = build_app(service, tokens, only_loopback=tokens is None, proofs=proofs, orders=orders, reading=reading, solver=solver)
        if not isinstance(service, KafkaService):
            snapshots = Snapshots(request.log or settings.log, charter, lambda: service.status().entries, service.snapshot_entries)
            stack.callback(snapshots.close)
            snapshots.start()
        service.start_ticking(every_s)
        proofs.start(PROOF_S)
        orders.start(ORDER_S)
        who = "every agent speaks with its token" if tokens else "only this machine reaches it, and anyone on it may speak for any agent"
        who += ", and nobody reads without one" if reading == "tokens" else ""
        print(f"coordinator on {_address(port)} plans every {charter.cycle_seconds} s; {who}. Ctrl-C stops it.", flush=True)
        if solver.under_way():
            print("The solver is being made ready: once on a machine about half a minute, in which `why` and its like say so.", flush=True)
        if request.opens and _has_screen():
            Thread(target=webbrowser.open, args=(_address(port),), name="browser", daemon=True).start()
        sys.setswitchinterval(HANDED_OVER_S)
        server = Server(app, when_told_to_stop=_leave_in_time)
        if isinstance(service, KafkaService):
            service.when_ended(server.end)
        _serve(server, port)
        if isinstance(service, KafkaService) and service.ended is not None:
            raise service.ended


@contextlib.contextmanager
def _closing(service: Service) -> Iterator[None]:
    """Close the service at the end; where it has not finished then, the process is left as it is."""
    try:
        yield
    except BaseException:
        service.close()
        raise
    if not service.close():
        _leave()


def _leave_in_time() -> None:
    """End the process with what holds up its end for too long."""
    leaving = Timer(STOP_S, _leave)
    leaving.daemon = True
    leaving.start()


def _leave() -> NoReturn:
    """End this process at once. Threads that plan cannot be told to stop, and what was acknowledged is on the disk or in Kafka."""
    structlog.get_logger("coordinator.serve").warning("what was under way was left; nothing of it was acknowledged")
    for process in multiprocessing.active_children():
        process.terminate()
    sys.stdout.flush()
    os._exit(0)


def _allow_connections() -> None:
    """Let this process open as many connections as the server takes, where the system allows that; many allow 1024 files at first."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < CONNECTIONS + OTHER_FILES:
            wanted = CONNECTIONS + OTHER_FILES
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _has_screen() -> bool:
    """Whether a browser would open in a window, and not take over the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _service(request: Request, settings: Settings, charter: Charter, table: Table | None, guides: GuidesBeside) -> Service:
    """Return the coordinator on the log that was asked for: Kafka where one is named, else an embedded one."""
    if request.log is not None and request.kafka is not None:
        raise Refused("both --log and --kafka came; say one of them: the file, or the address of Kafka")
    bootstrap = request.kafka or (settings.kafka if request.log is None else None)
    if bootstrap is None:
        if request.client is not None:
            raise Refused(f"--client {request.client} came without Kafka; say where it is: --kafka HOST:PORT")
        path = request.log or settings.log
        older = path.with_name(path.name + ".sqlite")
        if not path.exists() and older.exists():
            raise Refused(f"{older} is a log of the older kind; read it into the new one: coordinator log import {older} --log {path}")
        service = Service(path, charter, table=table, name=settings.name)
        service.lead_by(guides)
        service.tick()
        return service
    replicas = request.replicas or settings.kafka_replicas
    shared = KafkaService(
        bootstrap,
        charter,
        memory=settings.kafka_memory,
        replicas=replicas,
        table=table,
        name=settings.name,
        share=not request.alone,
        surroundings=Surroundings(connect=log_through(request.client or settings.kafka_client)),
    )
    shared.lead_by(guides)
    return shared


def log_through(client: str) -> Connect:
    """Return what opens a log on Kafka through a client, which is named and never chosen by what happens to be installed."""
    if client == "kafka-python":
        return KafkaLog
    if client != "confluent":
        raise Refused(f"--client is {client!r}; say kafka-python or confluent")
    try:
        from coordinator.adapters.confluent_log import ConfluentLog
    except ImportError:
        raise Refused(
            "--client confluent takes confluent-kafka, which is not installed; install the extra: "
            "pip install 'stigmergic-coordinator[fast]', or go without it: --client kafka-python"
        ) from None
    return ConfluentLog


def _serve(server: Server, port: socket.socket) -> None:
    """Serve until told to stop; being told so is no fault."""
    for stopping in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stopping, signal.SIG_IGN)  # what the server hands on once it has stopped cleanly
    server.run(sockets=[port])


@contextlib.contextmanager
def open_port(host: str, port: int) -> Iterator[socket.socket]:
    """Hold a port; Unavailable when somebody else has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        held = socket.create_server((host, port), family=family, backlog=128)
    except socket.gaierror as error:
        raise Refused(f"{host} is no address of this machine ({error.strerror or error}); choose another with --host") from None
    except OSError as error:
        raise Unavailable(
            f"port {port} of {host} cannot be had ({os.strerror(error.errno or 0)}); stop who has it, or choose another with --port"
        ) from None
    with held:
        yield held


def _tokens(asked: Path | None, usual: Path) -> Tokens | None:
    """Return the tokens named, or those in the usual place; None where nobody made any."""
    if asked is None and not usual.exists():
        return None
    return Tokens(asked or usual)


def _address(port: socket.socket) -> str:
    host, number = port.getsockname()[:2]
    return f"http://[{host}]:{number}" if ":" in host else f"http://{host}:{number}"


def _log_to_stderr() -> None:
    """Log for people on a terminal, and as JSON lines for programs elsewhere; never anything from a request's headers."""
    renderer = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what its client meets comes to a person in our own sentences
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


def _prepare_all() -> None:
    prepare()
    prepare_making()
