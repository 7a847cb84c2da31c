"""What work requires of machines, held against what they say of themselves. What a machine does not say, it does not have.

Names of limits are plain keys. A number required under a key is at most the machine's number of that key (or of `max_` and the key),
and at least its `min_` and the key, where it states one. A text required is one of the machine's texts, which stand between “;”.

Names of processes count as the charter's catalogue has them, else as the table of processes has: who can do a finer process can do the
broader one, never the other way round. A name that neither knows stands for itself.
"""

from collections.abc import Mapping

from coordinator.network import PROCESS, Network
from coordinator.processes import PROCESSES, broader_of, process_of, term_of
from coordinator.wording import shown

__all__ = ["lacking", "process_meant", "processes_done"]


def process_meant(network: Network, name: str) -> tuple[str, str]:
    """Return the process that a name stands for, and who says so ("" where it is used as it is)."""
    meant, term = network.canonical((PROCESS, name))[1], term_of(name)
    if meant == name:
        return name, ""
    if term is None or term.process != meant or name in network.charter.process_names:
        return meant, "the charter's catalogue"
    return meant, term.source


def processes_done(network: Network, name: str) -> tuple[str, ...]:
    """Return the processes that hours of this name can do, its own first."""
    meant = network.canonical((PROCESS, name))[1]
    first, *others = [broader_of(process)[1:] for process in _in_the_table(network, name, meant)] or [()]
    broader = [process for process in first if all(process in other for other in others)]
    return tuple(dict.fromkeys((meant, *(network.canonical((PROCESS, process))[1] for process in broader))))


def _in_the_table(network: Network, name: str, meant: str) -> list[str]:
    """Return the processes of the table that a name stands for: by itself, else by what it means, else all that the catalogue calls so."""
    own = [process for process in (process_of(name), process_of(meant)) if process in PROCESSES]
    return own[:1] or [process for process, called in network.charter.processes_agreed.items() if called == meant and process in PROCESSES]


def lacking(requires: Mapping[str, float | str], limits: Mapping[str, float | str]) -> list[str]:
    """Return, as phrases in order of key, what the machines of these limits lack of what is required."""
    return [phrase for key in sorted(requires) if (phrase := _lack(key, requires[key], limits))]


def _lack(key: str, required: float | str, limits: Mapping[str, float | str]) -> str | None:
    if isinstance(required, str):
        said = limits.get(key)
        if said is None:
            return f"{key} {shown(required)} (it does not say which {key})"
        able = _texts(str(said))
        return None if able & _texts(required) else f"{key} {shown(required)} (it has {shown(str(said))})"
    most, least = limits.get(key, limits.get(f"max_{key}")), limits.get(f"min_{key}")
    if most is None and least is None:
        return f"{key} {required:g} (it does not say its {key})"
    for bound, beyond in ((most, "at most"), (least, "at least")):
        if isinstance(bound, str):
            return f"{key} {required:g} (it says {shown(bound)}, which is no number)"
        if bound is not None and (required > bound if beyond == "at most" else required < bound):
            return f"{key} {required:g} (it has {beyond} {bound:g})"
    return None


def _texts(text: str) -> set[str]:
    return {part.strip().casefold() for part in text.split(";") if part.strip()}
