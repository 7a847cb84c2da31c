"""The world of the demo of making: real workshops, designs and wants where their files are at hand, real towns otherwise.

What nobody publishes is drawn, seeded, and called synthetic wherever it is shown: hours, quantities, stock.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from coordinator.adapters.towns import towns_of
from coordinator.errors import Refused
from coordinator.processes import processes_in, term_of
from coordinator.signals import event_json
from coordinator.times import DAY_US, format_instant, parse_instant

__all__ = ["BEGIN_US", "World", "has_files", "real_world", "town_world"]

BEGIN_US = parse_instant("2020-03-30T00:00:00Z")  # after the wants were listed (March 2020)
WEEKS = 4
REAL_FILES = ("fablabs/labs.csv", "fablabs/machines.csv", "covid-ppe-map/makers.csv", "covid-ppe-map/needs.csv")
WANTED = "Face shields"
OFFICE = "design-library"
POWERS_KW = {"3d-printing": 0.15, "laser-cutting": 1.2}  # of what the recipe takes, as such machines usually draw
GRAIN_MS = 2_400  # of the reference network's hours


@dataclass(slots=True)
class World:
    """Events as lines, and what a person should know of where they come from."""

    lines: list[bytes] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    product: str = ""
    counts: Counter[str] = field(default_factory=Counter)

    def say(self, kind: str, agent: str, subject: str, data: Mapping[str, Any]) -> None:
        """Add one signal."""
        self.lines.append(event_json(kind, f"agent:{agent}", subject, BEGIN_US, dict(data)))
        self.counts[kind] += 1


def has_files(folder: Path) -> bool:
    """Whether the real files are all there."""
    return all((folder / name).is_file() for name in REAL_FILES)


# -- real workshops -------------------------------------------------------------------------------------------------------

# A face shield of a printed head piece and a cut visor, as Glia's manifest has it; how long and how much is synthetic.
SHIELD: Mapping[str, tuple[Mapping[str, tuple[float, str]], Mapping[str, float]]] = {
    "face-shield": ({"head-piece": (1, "1"), "visor": (1, "1")}, {"assembly": 0.1}),
    "head-piece": ({"petg-filament": (45, "g")}, {"3d-printing": 2.5}),
    "visor": ({"petg-sheet": (0.07, "m2")}, {"laser-cutting": 0.05}),
}
MASSES_KG = {"face-shield": 0.1, "head-piece": 0.04, "visor": 0.06}


def real_world(folder: Path, drafts: Sequence[bytes], agents: Sequence[bytes], seed: int) -> World:
    """Return real labs, makers, sites and designs (`agents` and `drafts` as connectors read them), with synthetic hours and quantities."""
    draw = Random(seed)  # noqa: S311  a demo's draw keeps no secret
    world = World(product="face-shield")
    world.lines += [*drafts, *agents]
    labs = _rows(folder / "fablabs/labs.csv")
    able: list[str] = []
    machines = _machines_by_lab(folder)
    named: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    for lab in labs:
        if lab["country_code"] == "US" and lab["latitude"].strip():
            able.append(f"lab-{lab['id']}")
            mine = machines.pop(lab["name"].strip(), [])
            _workshop(world, able[-1], lab["name"].strip(), lab["latitude"], lab["longitude"], lab["capabilities"].split(";"), draw, mine)
            for machine in mine:
                (named if _process_of(machine) else unknown)[_process_of(machine) or machine["name"].strip()] += 1
    elsewhere = [machine for rows in machines.values() for machine in rows if machine["country_code"] == "US"]
    for number, maker in enumerate(_rows(folder / "covid-ppe-map/makers.csv")):
        known, _ = processes_in(maker["capabilities"])
        if maker["lat"].strip() and known:
            able.append(f"maker-{number}")
            _workshop(world, able[-1], maker["name"].strip(), maker["lat"], maker["lng"], [term.process for term in known], draw)
    for agent in draw.sample(able, 12):
        world.say("offer", agent, "petg-filament", {"resource": "petg-filament", "quantity": _amount(draw.randint(20, 80), "kg")})
    for agent in draw.sample(able, 8):
        world.say("offer", agent, "petg-sheet", {"resource": "petg-sheet", "quantity": _amount(draw.randint(60, 240), "m2")})
    for number, site in enumerate(_rows(folder / "covid-ppe-map/needs.csv")):
        if WANTED.casefold() in site["accepting"].casefold():
            name = f"site-{number}"
            _agent(world, name, site["name"].strip(), site["lat"], site["lng"])
            due = BEGIN_US + draw.randint(5, 20) * DAY_US
            _need(world, name, "face-shield", draw.randint(2, 20) * 5, draw.choice([0, 1, 1, 2]), due)
    _recipes(world, SHIELD)
    for thing, mass in MASSES_KG.items():
        world.say("resource", OFFICE, thing, {"resource": thing, "unit": "1", "mass_kg": mass})
    world.told += [
        f"Real: {len(able)} workshops of the USA with places and capabilities (fablabs.io; findthemasks.com), "
        f"{world.counts['need']} health-care sites that asked for face shields (findthemasks.com, March 2020), "
        f"{len(drafts)} designs as drafts.",
        _told_of_machines(named, unknown, len(elsewhere)),
        f"Synthetic, drawn with seed {seed}: every hour, quantity, stock, tier and date. The recipe's levels follow Glia's face shield; "
        "how long and how much is synthetic too.",
    ]
    return world


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.DictReader(opened))


def _agent(world: World, name: str, called: str, lat: str | float, long: str | float) -> None:
    world.say("agent", name, "agent", {"name": called[:200] or name, "place": {"lat": float(lat), "long": float(long)}})


def _told_of_machines(named: Counter[str], unknown: Counter[str], elsewhere: int) -> str:
    """Return which machines there are, which of them no table knows, and how many labs could not be found."""
    by_process = ", ".join(f"{count} {name}" for name, count in named.most_common())
    return (
        f"Real machines: {named.total()} of these labs, by name and model ({by_process}); {unknown.total()} whose process no table knows "
        f"are not used ({', '.join(list(unknown)[:3])}, …); {elsewhere} of labs under another name than in the list of labs are left out. "
        "Labs that list no machine have hours by what they say they can do."
    )


def _machines_by_lab(folder: Path) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for row in _rows(folder / "fablabs/machines.csv"):
        found.setdefault(row["lab"].strip(), []).append(row)
    return found


def _process_of(machine: Mapping[str, str]) -> str:
    """Return what the table of processes says of a machine's class, else of its name; "" where it knows neither."""
    term = term_of(machine["class_1"]) or term_of(machine["name"])
    return term.process if term else ""


def _workshop(
    world: World,
    name: str,
    called: str,
    lat: str,
    long: str,
    capabilities: Sequence[str],
    draw: Random,
    machines: Sequence[Mapping[str, str]] = (),
) -> None:
    """Add a workshop with synthetic hours of each machine it lists, else of each process that it names, and of hands to assemble.

    A machine's hours are stated under the class that its lab gives it: which process that is, the table of processes says.
    """
    _agent(world, name, called, lat, long)
    listed = [(machine, process) for machine in machines if (process := _process_of(machine)) in POWERS_KW]
    for machine, process in listed:
        model = f"{machine['brand']} {machine['name']}".strip()[:100]
        more = {"power_kw": POWERS_KW[process], "limits": {"model": model}}
        _capacity(world, name, machine["class_1"], _hours(process, draw), more, subject=f"machine-{machine['id']}")
    processes = {term.process for each in capabilities for term in processes_in(each)[0]}
    processes -= {process for _, process in listed}
    for process in [*sorted(processes & POWERS_KW.keys()), "assembly"]:
        power = {"power_kw": POWERS_KW[process]} if process in POWERS_KW else {}
        _capacity(world, name, process, _hours(process, draw), power)


def _hours(process: str, draw: Random) -> int:
    return draw.randint(20, 120) if process == "3d-printing" else draw.randint(4, 20)


def _capacity(
    world: World, name: str, process: str, hours: float, more: Mapping[str, Any], unit: str = "h", subject: str | None = None
) -> None:
    window = {"begin": format_instant(BEGIN_US), "end": format_instant(BEGIN_US + 7 * WEEKS * DAY_US)}
    world.say("capacity", name, subject or process, {"process": process, "effort": _amount(hours, unit), **window, **more})


def _need(world: World, name: str, thing: str, count: int, tier: int, due_us: int) -> None:
    times = {"due": format_instant(due_us), "end": format_instant(BEGIN_US + 7 * WEEKS * DAY_US)}
    world.say("need", name, thing, {"resource": thing, "quantity": _amount(count, "1"), "tier": tier, **times})


def _recipes(world: World, recipes: Mapping[str, tuple[Mapping[str, tuple[float, str]], Mapping[str, float]]]) -> None:
    for thing, (inputs, steps) in recipes.items():
        data = {
            "recipe": thing,
            "outputs": [{"resource": thing, "quantity": _amount(1, "1")}],
            "inputs": [{"resource": name, "quantity": _amount(*said)} for name, said in inputs.items()],
            "steps": [{"process": process, "effort": _amount(hours, "h")} for process, hours in steps.items()],
        }
        world.say("recipe", OFFICE, thing, data)


def _amount(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit}


# -- real towns -----------------------------------------------------------------------------------------------------------


def town_world(seed: int, country: str = "FR", count: int = 30) -> World:
    """Return the reference network (38 things, 52 recipes, 8 processes) at the largest towns of a country, all of it synthetic."""
    from solver.making.reference import reference  # noqa: PLC0415  only this demo needs it

    towns = towns_of(country, count)
    if not towns:
        raise Refused(f"no town of {country!r} is known; say a country as ISO 3166-1 has it")
    drawn = reference([(town.lat, town.long) for town in towns], seed=seed)
    problem = drawn.problem
    world = World(product="thing-37")
    names = [f"town-{town.id}" for town in towns]
    for town, name in zip(towns, names, strict=True):
        _agent(world, name, town.name, town.lat, town.long)
    for pool, place in enumerate(problem.pool_place.tolist()):
        _capacity(world, names[place], f"process-{drawn.process[pool]}", int(problem.pool_grains[pool].sum()) * GRAIN_MS, {}, "ms")
    for thing, place, _, units in zip(*(each.tolist() for each in _stock(problem)), strict=True):
        world.say("offer", names[place], _thing(thing), {"resource": _thing(thing), "quantity": _amount(units, "1")})
    for number, (thing, place, units, tier) in enumerate(zip(*(each.tolist() for each in _needs(problem)), strict=True)):
        data = {"resource": _thing(thing), "quantity": _amount(units, "1"), "tier": tier, "end": format_instant(BEGIN_US + 28 * DAY_US)}
        world.say("need", names[place], f"{_thing(thing)}-{number}", data)
    for recipe in range(problem.recipes):
        world.say("recipe", OFFICE, f"recipe-{recipe:02}", _recipe(drawn, recipe))
    world.told += [
        f"The reference network of 38 things on four levels, {problem.recipes} recipes and 8 processes, at the {len(towns)} largest towns "
        f"of {country} (GeoNames). The towns are real; things, recipes, hours, stock and needs are synthetic, seed {seed}.",
        "The real workshops are read where STIGMERGY_DATA names a folder with fablabs, covid-ppe-map, field-ready and okh-manifests.",
    ]
    return world


def _thing(number: int) -> str:
    return f"thing-{number:02}"


def _stock(problem: Any) -> tuple[Any, Any, Any, Any]:
    return problem.stock_thing, problem.stock_place, problem.stock_bucket, problem.stock_units


def _needs(problem: Any) -> tuple[Any, Any, Any, Any]:
    return problem.need_thing, problem.need_place, problem.need_units, problem.need_tier


def _recipe(drawn: Any, recipe: int) -> dict[str, Any]:
    problem = drawn.problem
    share = int(problem.yield_good[recipe]) / int(problem.yield_of[recipe])

    def flows(sort: str, more: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        start, things, units = (getattr(problem, f"{sort}_{part}") for part in ("start", "thing", "units"))
        for row in range(int(start[recipe]), int(start[recipe + 1])):
            yield {"resource": _thing(int(things[row])), "quantity": _amount(int(units[row]), "1"), **more}

    return {
        "recipe": f"recipe-{recipe:02}",
        "outputs": list(flows("output", {"yield": share} if share < 1 else {})),
        "inputs": list(flows("input", {})),
        "steps": [
            {"process": f"process-{process}", "effort": _amount(grains * GRAIN_MS, "ms")} for process, grains, _ in drawn.steps[recipe]
        ],
    }
