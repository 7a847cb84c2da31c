"""The page's files, each under its own address: a fixed list out of the package, packed once, and asked for again only when it changed."""

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files

from fastapi import FastAPI, Request
from fastapi.responses import Response

__all__ = ["FILES", "Packed", "add_page", "pack", "send"]

SCRIPT, STYLE, JSON, HTML, ICON = (
    "text/javascript; charset=utf-8",
    "text/css; charset=utf-8",
    "application/json",
    "text/html; charset=utf-8",
    "image/svg+xml",
)
SHELL = (
    *("main", "dom", "words", "words/en", "words/fr", "words/said", "server", "stream", "session", "signin", "parts", "plots", "sideways"),
    "telling",
)
VIEWS = ("overview", "map", "needs", "proposals", "network", "opportunities", "signals", "book", "refused", "trees", "hours")
FILES = {
    "index.html": HTML,
    "style.css": STYLE,
    "icon.svg": ICON,
    "world.json": JSON,
    **{f"{name}.js": SCRIPT for name in SHELL},
    **{f"views/{name}.js": SCRIPT for name in VIEWS},
    **{f"map/{name}.js": SCRIPT for name in ("canvas", "names", "painter", "scene", "projection", "sheet")},
}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


@dataclass(frozen=True, slots=True)
class Packed:
    """A body, as it is and packed, with the mark by which it is known again."""

    body: bytes
    packed: bytes
    mark: str


def pack(body: bytes, level: int = 9) -> Packed:
    """Return a body ready to be sent as it is or packed."""
    return Packed(body, gzip.compress(body, level, mtime=0), f'"{hashlib.sha256(body).hexdigest()[:20]}"')


def send(packed: Packed, request: Request, media_type: str) -> Response:
    """Return 304 where the browser has it already, else the body, packed where the browser takes that."""
    headers = {"etag": packed.mark, "cache-control": "no-cache", "vary": "accept-encoding"}
    if media_type in (HTML, SCRIPT):  # A script that runs in a thread of its own goes by the policy it came with.
        headers["content-security-policy"] = POLICY
    if packed.mark in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed.packed, headers={**headers, "content-encoding": "gzip"}, media_type=media_type)
    return Response(packed.body, headers=headers, media_type=media_type)


def add_page(app: FastAPI) -> None:
    """Serve the page at ``/``, and its files at ``/page/NAME``. What is not on the list does not exist."""
    folder = files("coordinator").joinpath("page")
    shelf = {name: pack(folder.joinpath(*name.split("/")).read_bytes()) for name in FILES}

    def add(address: str, name: str) -> None:
        async def answer(request: Request) -> Response:
            return send(shelf[name], request, FILES[name])

        app.add_api_route(address, answer, methods=["GET"], include_in_schema=False, response_class=Response)

    add("/", "index.html")
    for name in FILES:
        add(f"/page/{name}", name)
