"""What a server answered and streamed, recorded and played again at a pace: so the page is measured without the work of the server."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from coordinator.adapters.page import FILES
from tests.support.serving import Answered, Served

__all__ = ["PACKED", "Tape", "played", "recorded"]

ASKED = ("/", "/session", "/readyz", "/network?limit=1", "/map", *(f"/page/{name}" for name in FILES))
KEPT = ("content-type", "content-encoding", "content-security-policy")
PACKED = {"accept-encoding": "gzip"}
PACE_S = 0.1
LEFT_S = 300  # until a player that nobody stops ends by itself


class Tape:
    """Answers by address, two maps that take turns so that each is new, and the frames of the stream."""

    def __init__(self, answers: dict[str, Answered], maps: list[Answered], frames: list[bytes]) -> None:
        self.answers, self.maps, self.frames = answers, maps, frames
        self.running = threading.Event()
        self.said = 0


def recorded(served: Served, first: int, other_map: Answered) -> Tape:
    """Return what a server answers now, with what it streamed from an entry on; `other_map` was its map before."""
    answers = {path: served.ask("GET", path, headers=PACKED) for path in ASKED}
    frames: list[bytes] = []
    position, last = first - 1, served.get("/readyz")["entries"] - 1
    while position < last:
        records, position = served.service.follow(position)
        frames += [b"id: %d\nevent: %s\ndata: %s\n\n" % (one.position, one.stream.split(".")[1].encode(), one.text) for one in records]
    return Tape(answers, [answers["/map"], other_map], frames)


@contextmanager
def played(tape: Tape, updates: int) -> Iterator[str]:
    """Answer at an address of this machine, and stream so many records a second once the tape is running."""

    class Player(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            """Answer from the tape."""
            path = urlsplit(self.path).path
            if path == "/events":
                return self._stream()
            if path == "/map":
                tape.maps.reverse()
            answer = tape.maps[0] if path == "/map" else tape.answers.get(self.path)
            self.send_response(answer.status if answer else 404)
            for name in KEPT if answer else ():
                if answer and name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.end_headers()
            self.wfile.write(answer.body if answer else b"{}")
            return None

        def _stream(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b": here\n\n")
            tape.running.wait(LEFT_S)
            began_s, sent = time.monotonic(), 0
            while sent < len(tape.frames) and tape.running.is_set():
                until = int((time.monotonic() - began_s) * updates)
                self.wfile.write(b"".join(tape.frames[sent:until]))
                sent = tape.said = max(sent, min(until, len(tape.frames)))
                time.sleep(PACE_S)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Player)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        tape.running.clear()
        server.shutdown()
        server.server_close()
        thread.join(20)
