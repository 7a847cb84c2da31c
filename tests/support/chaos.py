"""A network that fails on demand: connections through it are cut, held up, or hear no answers, until it heals."""

import socket
import threading
from contextlib import suppress
from random import Random
from time import sleep

__all__ = ["ChaosProxy"]

CHUNK = 64 << 10
LOOK_S = 0.05  # how often a held connection looks whether it may go on


class ChaosProxy:
    """Stands at a port of its own and hands on to another. `hold` and `cut` concern each connection by chance."""

    def __init__(self, target_port: int = 0, seed: int = 0) -> None:
        self.target_port = target_port  # may be told later: a broker has to know the port that its clients are sent to
        self.held_up = self.severed = 0
        self._random = Random(seed)
        self._pairs: list[_Pair] = []
        self._failing: str | None = None  # how connections that are made now are treated
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self, share: float = 0.5, *, answers_only: bool = False) -> None:
        """Let nothing through, or no answers, on a share of the connections and on all new ones, as if packets were lost."""
        self._failing = "answers" if answers_only else "both"
        for pair in list(self._pairs):
            if self._random.random() < share:
                pair.held = self._failing
                self.held_up += 1

    def cut(self, share: float = 0.5) -> None:
        """Reset a share of the connections."""
        for pair in list(self._pairs):
            if self._random.random() < share:
                pair.close()
                self.severed += 1

    def heal(self) -> None:
        """Let everything through again; what was held arrives late."""
        self._failing = None
        for pair in list(self._pairs):
            pair.held = None

    def close(self) -> None:
        """Stop, and end every connection."""
        self._listener.close()
        for pair in list(self._pairs):
            pair.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target_port), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self._pairs = [pair for pair in self._pairs if not pair.ended]
            self._pairs.append(_Pair(client, server, self._failing))


class _Pair:
    """One connection, handed on by a thread for each direction."""

    def __init__(self, client: socket.socket, server: socket.socket, held: str | None) -> None:
        self.held, self.ended = held, False
        self._ends = (client, server)
        for end in self._ends:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self._hand_on, args=(client, server, "requests"), daemon=True).start()
        threading.Thread(target=self._hand_on, args=(server, client, "answers"), daemon=True).start()

    def close(self) -> None:
        self.ended = True
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _hand_on(self, source: socket.socket, target: socket.socket, direction: str) -> None:
        try:
            while data := source.recv(CHUNK):
                while self.held in ("both", direction) and not self.ended:
                    sleep(LOOK_S)
                target.sendall(data)
        except OSError:
            pass
        finally:
            self.close()
