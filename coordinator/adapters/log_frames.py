"""How the embedded log is laid out in its file: a head, then frames, each holding what was committed together.

All numbers are little-endian. The head is 32 bytes: magic, version, the log's random id, and a crc32 of these. A frame is
60 bytes of header, a payload, and 4 closing bytes. The header: magic, length of the payload, number of entries, number of the first
entry, the chain (sha256 of the chain before, the header's fields so far, and the payload), crc32 of the payload, crc32 of
the header. An entry in a payload: stream, length of the key, log time, length of the event; then key and event.

The checksums find decay without knowing what came before; the chain finds frames that are missing, exchanged or from elsewhere.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from zlib import crc32

from coordinator.errors import Refused
from coordinator.stream import DEAD_LETTER, LEDGER, PROPOSAL, SIGNAL, STATUS, TURN, Entry, Record, position_of

__all__ = [
    "HEADER_BYTES",
    "HEAD_BYTES",
    "LARGEST_PAYLOAD_BYTES",
    "MAGIC",
    "VERSION",
    "Fault",
    "Frame",
    "Mark",
    "entries_of",
    "first_mark",
    "frame_at",
    "framed",
    "head_of",
    "is_left_by_a_crash",
    "last_logtime_us",
    "loose_frames",
    "payload_of",
    "read_head",
]

MAGIC = b"\x89STGLOG\n"  # no text begins so, and a copy that changed line ends or lost the eighth bit is noticed
VERSION = 1
LARGEST_PAYLOAD_BYTES = 1 << 28

_HEAD = struct.Struct("<8sI16sI")
_FIELDS = struct.Struct("<4sIIQ")  # magic, bytes of payload, entries, number of the first entry
_REST = struct.Struct("<32sII")  # chain, crc of the payload, crc of the header up to here
_ENTRY = struct.Struct("<BIqI")
_FRAME_MAGIC = b"\xabSTG"
_CLOSING = b"STG\xba"  # like the magic without a zero byte: what a crash left unwritten is told from what was written

HEAD_BYTES = _HEAD.size
HEADER_BYTES = _FIELDS.size + _REST.size
_SECTOR_BYTES = 512  # the least a disk writes at once

# What stands for a stream in the file, for ever; a new stream gets a new number.
_CODES = {SIGNAL: 1, PROPOSAL: 2, LEDGER: 3, STATUS: 4, DEAD_LETTER: 5, TURN: 6}
_STREAMS = {code: stream for stream, code in _CODES.items()}


class Fault(StrEnum):
    """Why no frame could be read at a place."""

    SHORT = "it ends before it is whole"
    HEADER = "its header does not fit its checksum"
    PAYLOAD = "its content does not fit its checksum"
    CHAIN = "it does not follow on what stands before it"
    LAYOUT = "its entries cannot be told apart"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place between two frames."""

    position: int  # in bytes
    offset: int  # number of the next entry
    chain: bytes  # of all before


@dataclass(frozen=True, slots=True)
class Frame:
    """What was committed together."""

    after: Mark
    count: int
    begin: int  # of the payload in the buffer that the frame was read from
    end: int


def head_of(log_id: bytes) -> bytes:
    """Return the first bytes of a log."""
    head = _HEAD.pack(MAGIC, VERSION, log_id, 0)[:-4]
    return head + crc32(head).to_bytes(4, "little")


def read_head(head: bytes) -> bytes | None:
    """Return the log's id, or None for bytes that begin no log or were damaged; Refused for another version of the layout."""
    if len(head) < HEAD_BYTES or not head.startswith(MAGIC):
        return None
    _, version, log_id, crc = _HEAD.unpack_from(head)
    if crc != crc32(head[: HEAD_BYTES - 4]):
        return None
    if version != VERSION:
        raise Refused(f"it has version {version}; this program reads version {VERSION}. Use the program that wrote it")
    return bytes(log_id)


def first_mark(head: bytes) -> Mark:
    """Return the place before the first frame; the chain begins with the head, so that no frame fits into another log."""
    return Mark(HEAD_BYTES, 0, sha256(head[:HEAD_BYTES]).digest())


def payload_of(stamped: Iterable[tuple[Entry, int]]) -> bytes:
    """Return the payload of entries with their log times."""
    parts: list[bytes] = []
    for entry, logtime_us in stamped:
        key = entry.key.encode()
        parts += (_ENTRY.pack(_CODES[entry.stream], len(key), logtime_us, len(entry.event)), key, entry.event)
    return b"".join(parts)


def framed(mark: Mark, payload: bytes, count: int) -> tuple[bytes, Mark]:
    """Return a whole frame to stand at a place, and the place after it."""
    fields = _FIELDS.pack(_FRAME_MAGIC, len(payload), count, mark.offset)
    chain = _chained(mark.chain, fields, payload)
    rest = _REST.pack(chain, crc32(payload), 0)[:-4]
    header = fields + rest + crc32(rest, crc32(fields)).to_bytes(4, "little")
    frame = b"".join((header, payload, _CLOSING))
    return frame, Mark(mark.position + len(frame), mark.offset + count, chain)


def frame_at(buffer: bytes, at: int, mark: Mark) -> Frame | Fault | int:
    """Return the frame that begins at an index of a buffer, or what is wrong with it, or how many bytes it needs if they are not there."""
    begin = at + HEADER_BYTES
    if len(buffer) < begin:
        return HEADER_BYTES
    magic, size, count, offset = _FIELDS.unpack_from(buffer, at)
    chain, payload_crc, header_crc = _REST.unpack_from(buffer, at + _FIELDS.size)
    if magic != _FRAME_MAGIC or header_crc != crc32(buffer[at : begin - 4]) or size > LARGEST_PAYLOAD_BYTES:
        return Fault.HEADER
    end = begin + size
    whole: int = end + len(_CLOSING)
    if len(buffer) < whole:
        return whole - at
    payload = buffer[begin:end]
    if payload_crc != crc32(payload) or buffer[end:whole] != _CLOSING:
        return Fault.PAYLOAD
    if offset != mark.offset or chain != _chained(mark.chain, buffer[at : at + _FIELDS.size], payload):
        return Fault.CHAIN
    return Frame(Mark(mark.position + whole - at, offset + count, chain), count, begin, end)


def entries_of(buffer: bytes, frame: Frame, skip: int = 0, at_most: int = 1 << 62) -> Iterator[Record]:
    """Yield the records of a frame that was read from a buffer, without the first so many."""
    at, offset = frame.begin, frame.after.offset - frame.count
    unpack, size = _ENTRY.unpack_from, _ENTRY.size
    for number in range(offset, min(frame.after.offset, offset + skip + at_most)):
        code, key_bytes, logtime_us, event_bytes = unpack(buffer, at)
        middle = at + size + key_bytes
        if number >= offset + skip:
            event = buffer[middle : middle + event_bytes]
            entry = Entry(_STREAMS[code], buffer[at + size : middle].decode(), event)
            yield Record(entry, position_of(entry, number), logtime_us)
        at = middle + event_bytes


def last_logtime_us(buffer: bytes, frame: Frame) -> int:
    """Return when the last entry of a frame was stamped."""
    at, logtime_us = frame.begin, 0
    for _ in range(frame.count):
        _, key_bytes, logtime_us, event_bytes = _ENTRY.unpack_from(buffer, at)
        at += _ENTRY.size + key_bytes + event_bytes
    return logtime_us


def is_left_by_a_crash(rest: bytes, position: int) -> bool:
    """Whether what stands at the end of a file, where a frame should begin, is what a crash leaves of a frame that was being written.

    A process that dies, or a full disk, leaves the first part of it. A loss of power may also leave sectors or an end that were never
    written and read as zeros, which no frame ends with. Anything else was written as it should be, and acknowledged, and changed
    later: that is for a person to decide.
    """
    if len(rest) < HEADER_BYTES:
        begun = rest[: len(_FRAME_MAGIC)] == _FRAME_MAGIC[: len(rest)]
        return begun or _has_unwritten_sector(rest, position)
    _, size, _, _ = _FIELDS.unpack_from(rest)
    if _is_header(rest[:HEADER_BYTES]):
        whole = HEADER_BYTES + size + len(_CLOSING)
        if whole != len(rest):
            return bool(whole > len(rest))  # Behind a frame that was written whole more was written: it was synced before.
    unwritten = rest.endswith(b"\x00\x00") or _has_unwritten_sector(rest, position)
    return unwritten and not _more_was_written_behind(rest)


def loose_frames(rest: bytes) -> Iterator[int]:
    """Yield of each frame that is whole, somewhere behind the first byte, how many entries it holds; what it follows on is not asked."""
    for at in _loose_headers(rest):
        _, size, count, _ = _FIELDS.unpack_from(rest, at)
        begin = at + HEADER_BYTES
        payload = rest[begin : begin + size]
        crc = int.from_bytes(rest[begin - 8 : begin - 4], "little")
        if rest[begin + size : begin + size + len(_CLOSING)] == _CLOSING and crc == crc32(payload):
            yield count


def _has_unwritten_sector(rest: bytes, position: int) -> bool:
    """Whether a sector, as far as the rest of a file covers it, is nothing but zeros; one single byte does not count as a sector."""
    begin, end = 0, _SECTOR_BYTES - position % _SECTOR_BYTES
    while begin < len(rest):
        piece = rest[begin:end]
        if len(piece) > 1 and not piece.strip(b"\x00"):
            return True
        begin, end = end, end + _SECTOR_BYTES
    return False


def _more_was_written_behind(rest: bytes) -> bool:
    """Whether some frame ends, or begins, in the middle: the one before was synced then, whatever its own header says by now.

    No event holds the closing bytes, which are no UTF-8.
    """
    return 0 <= rest.find(_CLOSING) < len(rest) - len(_CLOSING) or any(True for _ in _loose_headers(rest))


def _loose_headers(rest: bytes) -> Iterator[int]:
    """Yield where, behind the first byte, a header stands that fits its checksum."""
    at = rest.find(_FRAME_MAGIC, 1)
    while at >= 0:
        if _is_header(rest[at : at + HEADER_BYTES]):
            yield at
        at = rest.find(_FRAME_MAGIC, at + 1)


def _is_header(header: bytes) -> bool:
    return len(header) == HEADER_BYTES and header.startswith(_FRAME_MAGIC) and header[-4:] == crc32(header[:-4]).to_bytes(4, "little")


def _chained(chain: bytes, fields: bytes, payload: bytes) -> bytes:
    """Return the chain after a frame."""
    return sha256(b"".join((chain, fields, payload))).digest()
