"""What processes and machines are called, by whom, and which stands for which. A table of our own; what it does not hold stays unknown.

Names are compared without case, accents and separators: “3D Printing”, “3d-printing” and “three_d_printing” are told apart only by what
the table says of them. A machine stands for its process, a finer process for the broader one (who prints by FDM can do 3D printing), and
never the other way round.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

__all__ = ["NAMES", "PROCESSES", "Process", "Term", "broader_of", "process_of", "processes_in", "term_of"]

MOST_REMEMBERED = 10_000  # names that were looked up: whoever speaks may make up any number of them


@dataclass(frozen=True, slots=True)
class Process:
    """A process by the name used here, and the broader one that it is a kind of ("" where none)."""

    name: str
    broader: str


@dataclass(frozen=True, slots=True)
class Term:
    """A name that somebody uses, the process it stands for, and where it is used so."""

    said: str
    process: str
    source: str


def term_of(name: str) -> Term | None:
    """Return what a name of a process or machine stands for, None where the table does not know it."""
    return NAMES.get(_folded(name))


@lru_cache(MOST_REMEMBERED)
def process_of(name: str) -> str:
    """Return the process that a name stands for; one that the table does not know stands for itself."""
    term = term_of(name)
    return name if term is None else term.process


def broader_of(process: str) -> tuple[str, ...]:
    """Return the process and every broader one, the nearest first. A process that the table does not know stands for itself."""
    found = [process]
    while found[-1] in PROCESSES and PROCESSES[found[-1]].broader:
        found.append(PROCESSES[found[-1]].broader)
    return tuple(found)


def processes_in(text: str) -> tuple[list[Term], list[str]]:
    """Return what a list in prose such as “Knife, drill & saw” names, and what the table does not know of it.

    “Jigsaw or laser cutter” is one of two, which is not both: it stays unknown.
    """
    known: list[Term] = []
    unknown: list[str] = []
    whole = term_of(text)
    for part in [text] if whole else re.split(r"[,;&/\n]|\band\b", text):
        said = part.strip(" .\t\u00a0")
        if not said:
            continue
        term = term_of(said)
        if term is None:
            unknown.append(said)
        elif term.process not in {each.process for each in known}:
            known.append(term)
    return known, unknown


def _folded(name: str) -> str:
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(letter))
    return re.sub(r"[^a-z0-9]+", "", plain)


# Where a name is used so. The first is what the words mean in English and in the trade; the others are lists that others publish.
_SOURCES = {
    "trade": "common in the trade",
    "iso": "ISO/ASTM 52900:2021, additive manufacturing",
    "din": "DIN 8580:2003, manufacturing processes",
    "fablabs": "fablabs.io registry: capabilities of labs and classes of machines",
    "field": "Field Ready designs: critical tools",
    "ppe": "findthemasks.com registry of makers, 2020",
    "okh": "Open Know-How manifests: tools and processes",
    "tsdc": "OKH-LOSH 1.0: technology-specific documentation criteria",
}

# process < broader | name, name, … (source) | …   The process's own name is always one of its names.
_TABLE = """
    3d-printing                           | 3D print, 3D printer, additive manufacturing (trade)
                                          | three_d_printing, three_d_printer (fablabs) | 3D Printer (field) | 3D printing (ppe)
                                          | printer, 3D Printing (okh) | 3DP, TsDC-3DP (tsdc)
    fdm < 3d-printing                     | FFF, fused filament fabrication, fused deposition modelling, fused deposition modeling (trade)
                                          | material extrusion, MEX (iso) | FDM (okh)
    vat-photopolymerisation < 3d-printing | SLA, stereolithography, resin printing, resin printer (trade)
                                          | vat photopolymerization, VPP (iso)
    powder-bed-fusion < 3d-printing       | SLS, selective laser sintering (trade) | PBF (iso)
    cutting                               | cutting (trade)
    laser-cutting < cutting               | laser cutter, lasercutter, laser cut (trade) | laser (fablabs) | Laser cutting (ppe)
                                          | Laser Cutting (okh)
    vinyl-cutting < cutting               | vinyl cutter, cutting plotter (trade) | vinyl_cutting (fablabs)
    die-cutting < cutting                 | die cutter (trade) | Die cutting (ppe)
    hand-cutting < cutting                | knife (field) | scissors, shears (okh)
    water-jet-cutting < cutting           | waterjet, water jet (trade)
    machining                             | CNC machining (trade) | machining (okh) | CNC (tsdc)
    milling < machining                   | milling machine (trade) | Fräsen (din)
    cnc-milling < milling                 | CNC mill, CNC router, CNC routing (trade) | cnc_milling (fablabs)
    precision-milling < cnc-milling       | precision_milling (fablabs)
    turning < machining                   | lathe, metal lathe (trade) | small lathe (field) | Drehen (din)
    drilling < machining                  | drill, drill press, power drill (trade) | drill (field)
    sawing                                | saw, band saw, circular saw (trade)
                                          | saw, hand saw, wood saw, hacksaw, jigsaw, jig saw, sawing machine (field) | saw (okh)
    sewing                                | sewing machine, stitching (trade) | Sewing machine (field) | Sewing or textiles (ppe)
                                          | Sewing machine, máquina de coser (okh)
    soldering                             | soldering iron, soldering station (trade) | soldering (okh)
    electronics                           | electronics assembly (trade)
                                          | electronics kit, electronic tool kit, electronics, electrics kit, electroics kit (field)
                                          | ASM-PCB, TsDC-ASM-PCB (tsdc)
    circuit-making < electronics          | PCB milling, PCB making (trade) | circuit_production (fablabs)
    welding                               | welder, MIG welding, TIG welding (trade) | welder (field)
    hand-tools                            | hand tools, basic hand tools (field) | hammer, screw driver, screwdriver (okh)
    vacuum-casting                        | vacuum casting (field)
    heat-forming                          | thermoforming, vacuum forming (trade) | heat gun (field)
    injection-moulding                    | injection molding machine, injection moulding equipment (trade) | Injection molding (ppe)
    die-casting                           | Die casting (ppe)
    baking                                | oven (okh)
    assembly                              | assembling (trade) | Assembly (okh) | ASM, ASM-GEN, ASM-MEC (tsdc)
    scanning                              | 3D scanner, 3D scanning (trade) | scanner (fablabs)
"""


def _rows() -> Iterator[list[str]]:
    rows: list[str] = []
    for line in _TABLE.strip().splitlines():
        if line.lstrip().startswith("|"):
            rows[-1] += line
        else:
            rows.append(line)
    for row in rows:
        yield [cell.strip() for cell in row.split("|")]


def _processes() -> Iterator[Process]:
    for cells in _rows():
        name, _, broader = (part.strip() for part in cells[0].partition("<"))
        yield Process(name, broader)


def _terms() -> Iterator[Term]:
    for cells in _rows():
        process = cells[0].partition("<")[0].strip()
        yield Term(process, process, _SOURCES["trade"])
        for cell in cells[1:]:
            names, _, source = cell.rpartition("(")
            for said in names.split(","):
                yield Term(said.strip(), process, _SOURCES[source.rstrip(")")])


PROCESSES: Mapping[str, Process] = MappingProxyType({process.name: process for process in _processes()})
NAMES: Mapping[str, Term] = MappingProxyType({_folded(term.said): term for term in reversed(list(_terms()))})
