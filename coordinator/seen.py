"""Which events are known: of every speaker the ids, each with the digest of what it said.

After a start from a snapshot, what a speaker said stays packed until it speaks again: most of a million events are never asked for.
"""

__all__ = ["Packed", "Seen"]

Packed = tuple[str, bytes]  # ids, with a character between them that no id may hold, and their digests one behind the other

_BETWEEN = "\x7f"
_DIGEST_BYTES = 16


class Seen(dict[str, dict[str, bytes]]):
    """By source, then by id, the digest of an event's content."""

    def __init__(self, packed: dict[str, Packed] | None = None) -> None:
        """Begin with what `packed` told; ValueError where ids and digests do not match."""
        super().__init__()
        self._packed = {} if packed is None else packed
        if any(len(digests) != _DIGEST_BYTES * (ids.count(_BETWEEN) + 1) for ids, digests in self._packed.values()):
            raise ValueError("events and their digests do not match")

    def __missing__(self, source: str) -> dict[str, bytes]:
        ids, digests = self._packed.pop(source, ("", b""))
        each = [digests[at : at + _DIGEST_BYTES] for at in range(0, len(digests), _DIGEST_BYTES)]
        known = self[source] = dict(zip(ids.split(_BETWEEN), each, strict=True)) if each else {}
        return known

    def digest(self, source: str, event_id: str) -> bytes | None:
        """Return the digest of an event's content, None where it is not known; asking about strangers leaves nothing behind."""
        known = self.get(source)
        if known is None and source in self._packed:
            known = self[source]
        return None if known is None else known.get(event_id)

    def packed(self) -> dict[str, Packed]:
        """Return all of it, by source, in order of sources."""
        opened = {source: (_BETWEEN.join(known), b"".join(known.values())) for source, known in self.items() if known}
        return dict(sorted((self._packed | opened).items()))
