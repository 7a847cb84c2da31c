"""The embedded log's file, read by the layout that is written down for it, with code of its own."""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from tests.simulation.scheduler import Invariant

__all__ = ["FrameReader", "Row", "foreign"]

HEAD_BYTES, HEADER_BYTES, CLOSING_BYTES = 32, 60, 4
STREAMS = {1: "signal", 2: "proposal", 3: "ledger", 4: "status", 5: "dead-letter", 6: "turn"}


class Row(NamedTuple):
    """One entry."""

    stream: str
    key: str
    logtime_us: int
    event: bytes


class FrameReader:
    """Follows a file as it grows, and holds it to never losing or changing what was read of it."""

    def __init__(self) -> None:
        self.position = 0
        self.rows = 0
        self.begins: list[int] = []  # of the frames
        self._chain = b""
        self._past = b""

    def must_hold(self, content: bytes | bytearray) -> None:
        """Nothing that was acknowledged may be gone or other than it was."""
        if not content.startswith(self._past):
            raise Invariant(
                "nothing acknowledged is lost", f"of {self.position} bytes that counted the file has not all, of {len(content)} now"
            )

    def follow(self, content: bytes | bytearray) -> Iterator[Row]:
        """Yield what was added; all of it has to be whole."""
        self.must_hold(content[: self.position])
        if not self.position:
            self.position, self._chain = HEAD_BYTES, hashlib.sha256(content[:HEAD_BYTES]).digest()
        while self.position < len(content):
            yield from self._frame(bytes(content))
        self._past = bytes(content)

    def _frame(self, content: bytes) -> Iterator[Row]:
        at = self.position
        if len(content) < at + HEADER_BYTES:
            raise Invariant("the log is whole", f"{len(content) - at} bytes are left over at byte {at}")
        magic, size, count, first, chain, crc, _ = struct.unpack_from("<4sIIQ32sII", content, at)
        payload = content[at + HEADER_BYTES : at + HEADER_BYTES + size]
        expected = hashlib.sha256(self._chain + content[at : at + 20] + payload).digest()
        if magic != b"\xabSTG" or first != self.rows or zlib.crc32(payload) != crc or chain != expected:
            raise Invariant("the log is whole", f"the frame at byte {at} is not what follows on the one before")
        self.begins.append(at)
        self.position, self._chain = at + HEADER_BYTES + size + CLOSING_BYTES, chain
        at = 0
        for _ in range(count):
            code, key_bytes, logtime_us, event_bytes = struct.unpack_from("<BIqI", payload, at)
            middle = at + 17 + key_bytes
            self.rows += 1
            yield Row(STREAMS[code], payload[at + 17 : middle].decode(), logtime_us, payload[middle : middle + event_bytes])
            at = middle + event_bytes


def foreign(frame: bytes) -> bytes:
    """Return a frame as another log could have it at the same place: sound in itself, with other content."""
    payload = bytearray(frame[HEADER_BYTES:-CLOSING_BYTES])
    payload[-2] ^= 1
    rest = frame[20:52] + zlib.crc32(payload).to_bytes(4, "little")
    header = frame[:20] + rest
    return header + zlib.crc32(header).to_bytes(4, "little") + bytes(payload) + frame[-CLOSING_BYTES:]
