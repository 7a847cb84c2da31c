"""What a coordinator remembers of its log on Kafka, outside of Kafka: enough to notice that it was wiped, cut or exchanged."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coordinator.adapters.disk import DISK, write_whole
from coordinator.errors import Refused, Unavailable

__all__ = ["Memory"]


@dataclass(frozen=True, slots=True)
class Memory:
    """A small file beside the coordinator. Without it any log is believed; nothing else depends on it."""

    path: Path

    def check(self, identity: Mapping[str, str], turns: int | None = None) -> None:
        """Refuse a log that is not the one remembered, or that has fewer turns than it had."""
        known = self._read()
        if known is None:
            return
        ids, written = known
        other = [name for name, value in identity.items() if ids.get(name, value) != value]
        if other:
            name = "cluster" if "cluster" in other else other[0]
            raise Refused(
                f"this is not the Kafka that this coordinator knows: {name} has the id {identity[name]}, and {ids[name]} was expected. "
                f"Give the address of the right one, or restore it; if all is meant to begin anew, remove {self.path}"
            )
        if turns is not None and turns < written:
            raise Refused(
                f"Kafka holds {turns} turns of the coordinator, and {written} were written: it lost data. Restore it; "
                f"if going on without what is lost is meant, remove {self.path}"
            )

    def keep(self, identity: Mapping[str, str], turns: int) -> None:
        """Write down what is known now, wholly or not at all."""
        try:
            write_whole(DISK, self.path, json.dumps({"log": dict(identity), "turns": turns}).encode())
        except OSError as error:
            raise Unavailable(f"{self.path} cannot be written ({error.strerror}); check the folder and the disk") from None

    def _read(self) -> tuple[dict[str, str], int] | None:
        try:
            known = json.loads(self.path.read_text(encoding="utf-8"))
            if isinstance(known["log"], dict) and type(known["turns"]) is int:
                return known["log"], known["turns"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            pass
        raise Refused(f"{self.path} is not what a coordinator remembers of its log; restore it, or remove it to believe any log")
