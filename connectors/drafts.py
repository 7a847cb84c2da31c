"""Designs to drafts of recipes: what every reader of designs shares. A draft says what a design says, and names what it does not say."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from connectors.reading import Report, excerpt, say, slug, text_of
from coordinator.errors import Refused
from coordinator.processes import processes_in

__all__ = ["Draft", "Taken", "first_url", "name_of", "say_drafts", "take_tools"]

LONGEST_NAME = 128
MOST_LISTED = 100  # items of one list in a signal


@dataclass(frozen=True, slots=True)
class Taken:
    """Something that goes in: how much, where the design says it."""

    name: str
    value: int | float | None = None
    unit: str = "1"


@dataclass(slots=True)
class Draft:
    """One recipe as a design suggests it. `resource` is what one run makes one of."""

    resource: str
    inputs: list[Taken] = field(default_factory=list)
    processes: list[str] = field(default_factory=list)  # by our names
    requires: dict[str, object] = field(default_factory=dict)  # of every process
    hours: float | None = None  # of the one process there is
    mass_kg: float | None = None  # of what is made
    design: str = ""


def say_drafts(drafts: Sequence[Draft], report: Report, agent: str, said_us: int, row: int = 1) -> None:
    """Add a recipe event for each draft, and a resource event where its mass is known."""
    for draft in drafts:
        try:
            lines = [say("recipe", agent, draft.resource, said_us, _data(draft, report))]
            if draft.mass_kg is not None:
                said = {"resource": draft.resource, "unit": "1", "mass_kg": draft.mass_kg}
                lines.append(say("resource", agent, draft.resource, said_us, said))
        except Refused as refused:
            report.refuse(row, str(refused), draft.resource)
            continue
        report.taken.extend(lines)


def take_tools(draft: Draft, named: Iterable[str], report: Report) -> None:
    """Add the processes that these names of tools and processes stand for; what the table does not know is counted with its name."""
    for text in named:
        known, unknown = processes_in(text)
        draft.processes.extend(term.process for term in known if term.process not in draft.processes)
        for name in unknown:
            report.warnings[f"tool or process that no table knows, left out: {excerpt(name)}"] += 1


def name_of(text: object, where: str) -> str:
    """Return a text as a resource's name: lower case and hyphens, as signals call things. Refused when nothing is left of it."""
    said = text_of(str(text), where)
    name = slug(said) or said.casefold()
    if not name:
        raise Refused(f"{where} is empty: a resource needs a name")
    return name[:LONGEST_NAME]


def _data(draft: Draft, report: Report) -> dict[str, object]:
    known: dict[tuple[str, str], int | float] = {}
    for taken in draft.inputs:
        if taken.value is not None:
            known[taken.name, taken.unit] = known.get((taken.name, taken.unit), 0) + taken.value
    unknown = list(dict.fromkeys(taken.name for taken in draft.inputs if taken.value is None))
    for name in unknown:  # of a part that is counted in one row and not in another, all is asked for: a rest is nobody's number
        counted = [each for each in known if each[0] == name]
        for each in counted:
            del known[each]
        if counted:
            report.warnings["part counted in one place and not in another: all of it is asked for"] += 1
    if len(known) > MOST_LISTED or len(unknown) > MOST_LISTED:
        raise Refused(f"{max(len(known), len(unknown))} things go in; a recipe takes at most {MOST_LISTED}: split it into parts")
    data: dict[str, object] = {
        "recipe": draft.resource,
        "outputs": [{"resource": draft.resource, "quantity": {"value": 1, "unit": "1"}}],
        "inputs": [{"resource": name, "quantity": {"value": value, "unit": unit}} for (name, unit), value in known.items()],
        "steps": [],
        "draft": True,
    }
    requires: dict[str, object] = {"requires": draft.requires} if draft.requires else {}
    demands: list[dict[str, object]] = [{"process": process, **requires} for process in draft.processes]
    if draft.hours is not None and len(demands) == 1:
        data["steps"] = [{**demands[0], "effort": {"value": draft.hours, "unit": "h"}}]
    elif demands:
        data["hours_unknown"] = demands
    else:
        report.warnings["no process named: nobody can be found who could make it"] += 1
    if unknown:
        data["quantity_unknown"] = unknown
    if draft.design:
        data["design"] = draft.design
    return data


def first_url(text: object) -> str:
    """Return the first address of the web in a text, "" where there is none."""
    found = re.search(r"https?://\S+", str(text or ""))
    return found.group().rstrip(".,;)") if found else ""
