"""Open Know-How manifests in four dialects (OKH 1.0 and OSHI in YAML, OKH-LOSH in TOML, OKH in JSON) to drafts of recipes."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from connectors.drafts import Draft, Taken, first_url, name_of, say_drafts, take_tools
from connectors.geojson import parse_json
from connectors.reading import Report, excerpt, number_of
from coordinator.errors import Refused
from coordinator.times import format_instant

__all__ = ["BrokenText", "Manifests", "line_of", "load_yaml", "read_manifest"]

LARGEST_CHARACTERS = 2_000_000  # of a manifest: none that exists comes near
LONGEST_NUMBER = 40  # characters
LOSH_SIZE = re.compile(r"(cube|cylinder)\s*\((.*)\)", re.DOTALL)
OSHI_SIZE = re.compile(r"mm-(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)")
OSHI_FACTS = ("outer dimensions", "manufacturing technology", "material")
MASS_KG = {"kg": 1, "g": 0.001}


@dataclass(frozen=True, slots=True)
class Manifests:
    """How a manifest reads; `agent` is who would publish what it suggests, unless the command says."""

    about: str
    agent: str = "designs"


def read_manifest(text: str, manifests: Manifests, *, said_us: int, agent: str = "") -> Report:
    """Return the drafts that one manifest suggests. A text that is none of the dialects is refused with its line."""
    report = Report()
    report.notes["said at"] = format_instant(said_us)
    try:
        dialect, found = _read(text, report)
        report.notes["dialect"] = dialect
        drafts = {"OKH-LOSH": _losh, "OSHI": _oshi, "OKH JSON": _json}.get(dialect, _okh)(found, report)
    except BrokenText as broken:
        report.refuse(broken.line, broken.why, line_of(text, broken.line))
        return report
    except Refused as refused:
        report.refuse(1, str(refused), line_of(text, 1))
        return report
    say_drafts(drafts, report, agent or manifests.agent, said_us)
    return report


class BrokenText(Exception):
    """A text that is no YAML, TOML or JSON, and where."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line, self.why = line, why


def line_of(text: str, line: int) -> str:
    """Return one line of a text, from 1 on; "" where it has none."""
    lines = text.splitlines()
    return lines[line - 1] if line <= len(lines) else ""


# -- the four dialects ------------------------------------------------------------------------------------------------


def _read(text: str, report: Report) -> tuple[str, dict[str, Any]]:
    """Return the dialect and what the manifest holds."""
    if len(text) > LARGEST_CHARACTERS:
        raise Refused(f"the manifest has {len(text):,} characters; at most {LARGEST_CHARACTERS:,} are read: is it one?")
    if text.lstrip().startswith("{"):
        try:
            found: Any = parse_json(text)
        except Refused as refused:
            place = re.match(r"line (\d+) ", str(refused))
            raise BrokenText(int(place.group(1)) if place else 1, str(refused)) from None
        return "OKH JSON", found
    if re.search(r"^\s*okhv\s*=", text, re.MULTILINE):
        try:
            return "OKH-LOSH", tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"line (\d+)", str(error))
            raise BrokenText(int(place.group(1)) if place else 1, f"not valid TOML: {error}; correct the line") from None
        except RecursionError:
            raise BrokenText(1, "the text nests deeper than any manifest does: it cannot be read") from None
        except ValueError as error:  # A number longer than Python reads.
            raise BrokenText(1, f"not valid TOML: {excerpt(str(error))}") from None
    found = load_yaml(text, report)
    if not isinstance(found, dict):
        raise Refused(f"{excerpt(found)} came where a manifest with named fields was expected")
    if any(key in found for key in ("okh-manifest-version", "okhv", "title", "manifest-author")):
        return "OKH 1.0", found
    if "name" in found and any(key in found for key in ("TsDC", "sBoM", "functional-metadata", "production-metadata")):
        return "OSHI", found
    raise Refused("neither okhv, okh-manifest-version or title nor TsDC stands in it: this is no Open Know-How manifest of a known dialect")


def load_yaml(text: str, report: Report) -> Any:
    """Return what a YAML text holds; a key that stands twice is counted. Raises with the line of what is wrong."""
    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise BrokenText(event.start_mark.line + 1, "the text refers to another part of itself, which is not read: write it out")
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            _look_over(node, report)
            return loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        why = f"not valid YAML in line {line}: {error.problem or error}; put such a text in quotes, or correct the line"
        raise BrokenText(line, why) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BrokenText(1, f"not valid YAML: {excerpt(str(error))}") from None


def _look_over(node: Any, report: Report) -> None:
    """Count keys that stand twice. Raises with the line of a number too long for Python to write it again."""
    if isinstance(node, yaml.MappingNode):
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for key, times in keys.items():
            if times > 1:
                report.warnings[f"the field “{excerpt(key)}” stands twice: the later one counts"] += 1
        for _, value in node.value:
            _look_over(value, report)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _look_over(value, report)
    elif isinstance(node, yaml.ScalarNode) and node.tag.endswith(":int") and len(node.value) > LONGEST_NUMBER:
        why = f"a number has {len(node.value)} characters; at most {LONGEST_NUMBER} are read: correct it"
        raise BrokenText(node.start_mark.line + 1, why)


def _okh(found: Mapping[str, Any], report: Report) -> list[Draft]:
    """OKH 1.0 with the fields that Helpful Engineering added (bom-atoms, tool-list-atoms)."""
    draft = Draft(name_of(found.get("title") or found.get("name") or "", "the title"))
    draft.design = first_url(found.get("documentation-home") or found.get("project-link"))
    atoms = [str(each.get("description") or "") for each in _listed(found.get("bom-atoms")) if isinstance(each, dict)]
    named = [text for text in atoms if text.strip()] or _prose(found.get("bom"), report)
    draft.inputs += [Taken(name_of(text, "a part of the bill of materials")) for text in named]
    tools = [str(each.get("description") or "") for each in _listed(found.get("tool-list-atoms")) if isinstance(each, dict)]
    take_tools(draft, tools or [text for text in [found.get("tool-list")] if isinstance(text, str)], report)
    for each in _listed(found.get("bom-output-atoms")):
        if isinstance(each, dict) and (said := each.get("description")):
            report.warnings[f"by-product without a quantity, left out: {excerpt(said)}"] += 1
    return [draft]


def _prose(text: object, report: Report) -> list[str]:
    """Return the parts that a bill of materials in prose lists, commas within brackets apart."""
    if not isinstance(text, str) or not text.strip():
        return []
    report.warnings["bill of materials in prose: its parts are taken without quantities"] += 1
    return [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]


def _oshi(found: Mapping[str, Any], report: Report) -> list[Draft]:
    """OSHI: a name, criteria (TsDC) and, of a part, size, technology and material."""
    draft = Draft(name_of(found.get("name") or "", "the name"), design=first_url(found.get("repo") or found.get("source-3d")))
    for code in str(found.get("TsDC") or "").split():
        if code != "COM-MAN":  # “commercial manufacturing”: it says nothing of how
            take_tools(draft, [code], report)
    for said in _listed(found.get("production-metadata")):
        fact = next((fact for fact in OSHI_FACTS if str(said).startswith(fact)), None)
        value = str(said).removeprefix(fact or "").strip()
        size = OSHI_SIZE.fullmatch(value)
        if fact == "manufacturing technology":
            take_tools(draft, [value], report)
        elif fact == "material" and value:
            draft.requires["material"] = value
            draft.inputs.append(Taken(name_of(value, "the material")))
        elif fact == "outer dimensions" and size:
            draft.requires |= _box([float(each) for each in size.groups()])
        elif value:
            report.warnings[f"fact that is not read: {excerpt(said)}"] += 1
    if found.get("sBoM"):
        report.warnings["a bill of materials stands in another file: read that as “bom” too"] += 1
    return [draft]


def _losh(found: Mapping[str, Any], report: Report) -> list[Draft]:
    """OKH-LOSH: a design and its parts, each with process, material, mass and size."""
    whole = Draft(name_of(found.get("name") or "", "the name"), design=first_url(found.get("repo")))
    take_tools(whole, ["assembly"] if found.get("part") and not found.get("tsdc") else [], report)
    drafts = [whole]
    for part in _listed(found.get("part")):
        if not isinstance(part, dict):
            continue
        draft = Draft(name_of(part.get("name") or "", "the name of a part"))
        whole.inputs.append(Taken(draft.resource))
        take_tools(draft, map(str, _listed(part.get("printing-process") or part.get("tsdc"))), report)
        material = part.get("material")
        draft.mass_kg = _mass_kg(part.get("mass"), report)
        if material:
            draft.requires["material"] = str(material)
            grams = None if draft.mass_kg is None else round(draft.mass_kg * 1000, 6)
            draft.inputs.append(Taken(name_of(material, "the material"), grams, "g"))
        draft.requires |= _size(part.get("outer-dimensions"), report)
        drafts.append(draft)
    if found.get("bom"):
        report.warnings["a bill of materials stands in another file: read that as “bom” too"] += 1
    return drafts


def _json(found: Mapping[str, Any], report: Report) -> list[Draft]:
    """OKH in JSON, as tools write it that read whole repositories."""
    draft = Draft(name_of(found.get("title") or found.get("name") or "", "the title"), design=first_url(found.get("repo")))
    named = _listed(found.get("manufacturing_processes")) or _listed(found.get("tool_list"))
    take_tools(draft, map(str, named), report)
    for each in (*_listed(found.get("parts")), *_listed(found.get("materials"))):
        if isinstance(each, dict) and each.get("name"):
            draft.inputs.append(Taken(name_of(each["name"], "a part or material"), *_amount(each, report)))
    return [draft]


# -- details ----------------------------------------------------------------------------------------------------------


def _listed(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else [] if value in (None, "") else [value]


def _amount(said: Mapping[str, Any], report: Report) -> tuple[int | float | None, str]:
    """Return quantity and unit where both are plain, else nothing."""
    value, unit = said.get("quantity"), said.get("unit")
    if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
        return None, "1"
    if unit not in (None, "", "pcs", "1"):
        report.warnings[f"quantity in a unit that is not read, left out: {excerpt(unit)}"] += 1
        return None, "1"
    return (int(value) if float(value).is_integer() else None), "1"


def _mass_kg(said: object, report: Report) -> float | None:
    if not isinstance(said, dict):
        return None
    value, unit = said.get("value"), said.get("unit")
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 and str(unit) in MASS_KG:
        return round(value * MASS_KG[str(unit)], 9)
    report.warnings[f"mass that is not read: {excerpt(said)}"] += 1
    return None


def _size(said: object, report: Report) -> dict[str, object]:
    """Return the box that a size in OpenSCAD's words needs: a cube or a cylinder of plain numbers, its brackets paired."""
    text = str(said.get("openSCAD") or "") if isinstance(said, dict) else ""
    if not text:
        return {}
    shape = LOSH_SIZE.search(text) if all(text.count(opening) == text.count(closing) for opening, closing in ("()", "[]")) else None
    try:
        sides = list(_sides(shape.group(1), shape.group(2))) if shape else []
    except Refused:
        sides = []
    if len(sides) != 3 or not isinstance(said, dict) or said.get("unit") != "mm":
        report.warnings[f"size that is not read: {excerpt(text)}"] += 1
        return {}
    return _box(sides)


def _sides(shape: str, inside: str) -> Iterator[float]:
    if shape == "cube":
        for cell in re.sub(r"^\s*size\s*=|[\[\]]", "", inside).split(","):
            yield float(number_of(cell, "a side"))
        return
    facts = {key.strip(): float(number_of(value, key)) for key, _, value in (cell.partition("=") for cell in inside.split(","))}
    if facts.keys() == {"h", "r"}:
        yield from (2 * facts["r"], 2 * facts["r"], facts["h"])


def _box(sides: Sequence[float]) -> dict[str, object]:
    keys = ("width_mm", "depth_mm", "height_mm")
    return {key: int(side) if side == int(side) else side for key, side in zip(keys, sides, strict=True)}
