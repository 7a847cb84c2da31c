"""Designs as Field Ready lists them (JSON) to drafts of recipes: critical tool, materials, and the time one person takes for one."""

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.drafts import Draft, Taken, name_of, say_drafts, take_tools
from connectors.geojson import parse_json
from connectors.reading import Report, excerpt, text_of
from coordinator.errors import Refused
from coordinator.times import format_instant

__all__ = ["DesignList", "read_designs"]

# Hours that one person takes at most, by the range that is stated; the open range says no most.
MOST_HOURS: Mapping[str, float] = {"<1 hour": 1, "1-2 hours": 2, "2-3 hours": 3, "3-5 hours": 5, "5-8 hours": 8}


@dataclass(frozen=True, slots=True)
class DesignList:
    """How a list of designs reads; `agent` is who would publish what it suggests, unless the command says."""

    about: str
    agent: str = "field-ready"


def read_designs(text: str, designs: DesignList, *, said_us: int, agent: str = "") -> Report:
    """Return the drafts of a list of designs. Refused when the text is no list; a record that says too little is refused alone."""
    report = Report()
    report.notes["said at"] = format_instant(said_us)
    records = parse_json(text)
    if not isinstance(records, list):
        raise Refused(f"{excerpt(records)} came where a list of designs was expected")
    drafts: dict[str, Draft] = {}
    for row, record in enumerate(records, start=1):
        try:
            if not isinstance(record, dict):
                raise Refused("this is no design: an object with named fields was expected")
            draft = _draft({str(key).strip(): value for key, value in record.items()}, report)
            if draft.resource in drafts:
                raise Refused(f"another design is called {draft.resource} too: give each a part number of its own")
        except Refused as refused:
            report.refuse(row, str(refused), record)
            continue
        drafts[draft.resource] = draft
        say_drafts([draft], report, agent or designs.agent, said_us, row)
    return report


def _draft(record: Mapping[str, object], report: Report) -> Draft:
    name, number = (text_of(str(record.get(key) or ""), f"the {key}") for key in ("Name", "Part No."))
    if not name or not number:
        raise Refused("the design has no Name or no Part No.: both are needed to tell it from others")
    draft = Draft(name_of(f"{name} {number}", "the name"))
    take_tools(draft, [str(record.get("Critical Tool") or "")], report)
    material = text_of(str(record.get("Materials") or ""), "the materials")
    if material:
        draft.inputs.append(Taken(name_of(material, "the materials")))
    else:
        report.warnings["no materials stated"] += 1
    stated = str(record.get("Production time (1 unit by 1 person)") or "")
    if stated in MOST_HOURS and len(draft.processes) == 1:
        draft.hours = MOST_HOURS[stated]
        report.warnings["time stated as a range: its upper end is taken"] += 1
    elif stated:
        report.warnings[f"time that says no most, or is of several tools: {excerpt(stated)}"] += 1
    else:
        report.warnings["no time stated: the draft leaves the hours open"] += 1
    if link := record.get("Download Link"):
        draft.design = text_of(str(link), "the Download Link")
    return draft
