"""Read frePPLe's planning models, and the plans that it made of them, into `ProductionProblem`; what cannot be said there is named.

Every buffer becomes a thing and all lie at one place, so that a journey between two buffers is a recipe with a lead. Rounding is to
our disadvantage: what is made is there at the start of the bucket after, what is due counts from the start of its bucket. A tag that
is neither understood nor known to be harmless is a missing feature, never passed over.
"""

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

__all__ = ["Calendar", "Demand", "Flow", "Load", "Model", "Operation", "Window", "expected", "read_case", "read_fixture"]

HARMLESS = {
    "batchwindow",  # how far apart the planner's own orders are put together
    "category",
    "cost",
    "customer",
    "description",
    "detectproblems",
    "maxearly",  # how far back the planner's own search looks for hours
    "posttime",  # a wait after a step, given up wherever it would make a delivery late
    "subcategory",
    "supplier",
}
NAMED = {
    "batch": "goods made for one order",
    "blockedby": "a step that waits for another",
    "booleanproperty": "switches of the planner",
    "dependency": "a step that waits for another",
    "efficiency": "machines of another speed",
    "efficiency_calendar": "machines of another speed",
    "fence": "a span in which nothing new begins",
    "flowplan": "work in progress with its own flows",
    "hard_posttime": "a wait that must be kept after a step",
    "hard_safety_leadtime": "a step that waits for another",
    "loadplan": "work in progress on a machine",
    "maximum_calendar": "a limit that moves with time",
    "members": "orders delivered together",
    "minimum_calendar": "stock to be kept",
    "offset": "flows in the middle of a step",
    "owner": "groups of places, machines or orders",
    "policy": "orders delivered together",
    "quantity_completed": "work in progress partly done",
    "search": "choice among machines by skill or by effort",
    "setup": "set-ups that depend on what went before",
    "setupmatrix": "set-ups that depend on what went before",
    "size_minimum_calendar": "batches that change with time",
    "skill": "choice among machines by skill or by effort",
    "transferbatch": "batches handed on in parts",
}
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
Window = tuple[datetime, datetime]
ALWAYS: Window = (datetime.min, datetime.max)
ENDLESS = 10**7  # pieces: what a buffer without end holds


@dataclass(slots=True)
class Calendar:
    """A value over time: of the entries in force the least priority counts, then the latest start."""

    default: float = 0.0
    entries: list[tuple[datetime, datetime, float, int, int, float, float]] = field(default_factory=list)

    def at(self, when: datetime) -> float:
        """Return the value in force."""
        day, hour = 1 << (when.isoweekday() % 7), when.hour + when.minute / 60
        valid = [
            (priority, -start.timestamp(), value)
            for start, end, value, priority, days, opens, closes in self.entries
            if start <= when < end and days & day and opens <= hour < closes
        ]
        return min(valid)[2] if valid else self.default


@dataclass(slots=True)
class Flow:
    """What a piece of an operation takes (negative) or gives."""

    buffer: tuple[str, str] | str  # an item and a place, or a buffer's name
    quantity: Fraction
    fixed: Fraction = Fraction(0)
    begins: bool = True
    group: str = ""  # of flows with one name, one is chosen
    priority: int = 1
    window: Window = ALWAYS


@dataclass(slots=True)
class Load:
    """So many of a resource, as long as the operation lasts."""

    resource: str
    quantity: Fraction
    window: Window = ALWAYS
    among: tuple[str, ...] = ()  # any one of these will do


@dataclass(slots=True)
class Operation:
    """A step, or a way to choose among steps or to line them up."""

    name: str
    kind: str = "fixed_time"
    said: dict[str, str] = field(default_factory=dict)
    item: str = ""
    place: str = ""
    flows: list[Flow] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    steps: list[tuple[int, str]] = field(default_factory=list)

    def seconds(self, what: str) -> int:
        """Return a span that the operation states."""
        return span(self.said.get(what, "0"))


@dataclass(slots=True)
class Demand:
    """What is asked for, when, and how it may be delivered."""

    name: str
    item: str
    place: str
    quantity: Fraction
    due: datetime
    priority: int
    least: Fraction | None
    late: int | None  # seconds
    operation: str


@dataclass(slots=True)
class Model:
    """One of frePPLe's models in tables, with what the arrays cannot say."""

    current: datetime = datetime(2009, 1, 1)
    operations: dict[str, Operation] = field(default_factory=dict)
    buffers: dict[str, tuple[str, str]] = field(default_factory=dict)
    calendars: dict[str, Calendar] = field(default_factory=dict)
    capacity: dict[str, tuple[float, str]] = field(default_factory=dict)  # of a resource: a number, or a calendar
    working: dict[tuple[str, str], str] = field(default_factory=dict)  # of a resource, a location or an operation: its hours
    onhand: dict[str, Fraction] = field(default_factory=dict)
    kept: dict[str, Fraction] = field(default_factory=dict)  # of a buffer: the stock that it should not fall below
    arrivals: list[tuple[tuple[str, str] | str, datetime, Fraction]] = field(default_factory=list)
    begun: list[tuple[str, datetime, datetime, Fraction]] = field(default_factory=list)  # operation, from, to, how much
    endless: set[str] = field(default_factory=set)
    supplies: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    ways: list[tuple[str, str, str, dict[str, str]]] = field(default_factory=list)
    delivers: dict[str, str] = field(default_factory=dict)  # of an item: its operation of delivery
    demands: dict[str, Demand] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)


def span(text: str) -> int:
    """Return seconds of a span such as P7D, PT12H, P1DT6H or a plain number."""
    found = re.fullmatch(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", text.strip())
    if found is None:
        return int(float(text))
    parts = [int(part or 0) for part in found.groups()]
    return sum(each * unit for each, unit in zip(parts, (604_800, 86_400, 3_600, 60, 1), strict=True))


def amount(text: str | None, default: str = "1") -> Fraction:
    """Return a quantity as a short fraction."""
    return Fraction(text.strip() if text else default).limit_denominator(1_000)


def expected(folder: Path) -> dict[str, Fraction] | None:
    """Return what each demand gets on time in the first plan with all constraints; None where the case holds no such plan."""
    text = (folder / f"{folder.name}.xml").read_text()
    constrained = False
    for told in re.finditer(r"solver_mrp\(([^)]*)\)|saveplan\(\"output\.(\d+)\.xml\"\)", re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)):
        if told[2] is None:
            constrained = "plantype=1" in told[1] and "constraints=15" in told[1]
        elif constrained:
            got: dict[str, Fraction] = defaultdict(Fraction)
            for line in (folder / f"{folder.name}.{told[2]}.expect").read_text().splitlines():
                cells = line.split("\t")
                if cells[0] == "DEMAND" and len(cells) == 4:  # a fifth cell says that it is late
                    got[cells[1]] += amount(cells[3])
            return got
    return None


def read_case(path: Path) -> Model:
    """Return the model that a case's XML holds."""
    text = path.read_text()
    model = Model()
    for setting in re.findall(r"frepple\.settings\.(\w+)|\bautofence=\"P([1-9]\d*)D\"", text):
        if setting[0] not in ("", "current"):
            model.missing.add(f"settings of the planner ({setting[0]})")
    reader = Reader(model)
    for child in ElementTree.fromstring(text):
        reader.read(child, None, "")
    if not model.demands:
        model.missing.add("nothing is asked for")
    return model


def read_fixture(path: Path) -> Model:
    """Return the model that a fixture's rows hold: tables of calendars, operations, their materials and machines, and demands."""
    tables: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in json.loads(path.read_text()):
        tables[row["model"].partition(".")[2]].append({key: str(value) for key, value in row["fields"].items() if value not in (None, "")})
    model = Model(current=datetime.fromisoformat(next(row["value"] for row in tables["parameter"] if row.get("name") == "currentdate")))
    for row in tables["calendar"]:
        model.calendars[row["name"]] = Calendar(float(row["defaultvalue"]))
    for row in tables["calendarbucket"]:
        days = sum(1 << number for number, day in enumerate(DAYS) if row[day] == "True")
        start, end = (datetime.fromisoformat(row[key]) for key in ("startdate", "enddate"))
        opens, closes = (int(row[key][:2]) + int(row[key][3:5]) / 60 for key in ("starttime", "endtime"))
        model.calendars[row["calendar_id"]].entries.append((start, end, float(row["value"]), int(row["priority"]), days, opens, closes))
    model.working |= {("location", row["name"]): row["available_id"] for row in tables["location"] if "available_id" in row}
    for row in tables["resource"]:
        model.capacity[row["name"]] = float(row["maximum"]), row.get("maximum_calendar_id", "")
    for row in tables["buffer"]:
        name = f"{row['item_id']} @ {row['location_id']}"
        model.buffers[name], model.onhand[name] = (row["item_id"], row["location_id"]), amount(row["onhand"])
        if amount(row["minimum"]):
            model.kept[name] = amount(row["minimum"])
    _fixture_operations(model, tables)
    inner: dict[str, list[str]] = {row["name"]: [row["name"]] for row in tables["item"]}
    for row in tables["item"]:
        if "owner_id" in row:
            inner[row["owner_id"]].append(row["name"])
    for row in tables["itemsupplier"]:
        model.supplies.append((row["item_id"], row["location_id"], _sized(row)))
    for row in tables["itemdistribution"]:
        model.ways += [(item, row["origin_id"], row["location_id"], _sized(row)) for item in inner[row["item_id"]]]
    for row in tables["operationplan"]:
        begin, end = (datetime.fromisoformat(row.get(key, row["startdate"])) for key in ("startdate", "enddate"))
        if row["status"] != "confirmed" or row["type"] not in ("PO", "DO"):
            model.missing.add(f"work in progress that is {row['status']} {row['type']}")
        elif row["type"] == "PO":
            model.arrivals.append(((row["item_id"], row["location_id"]), end, amount(row["quantity"])))
        else:
            journey = Operation(row["reference"], said={"priority": "0"})
            journey.flows.append(Flow((row["item_id"], row["origin_id"]), Fraction(-1)))
            journey.flows.append(Flow((row["item_id"], row["destination_id"]), Fraction(1), begins=False))
            model.operations[row["reference"]] = journey
            model.begun.append((row["reference"], begin, end, amount(row["quantity"])))
    for row in tables["demand"]:
        if row["status"] == "open":
            due, asked = datetime.fromisoformat(row["due"]), amount(row["quantity"])
            model.demands[row["name"]] = Demand(
                row["name"], row["item_id"], row["location_id"], asked, due, int(row["priority"]), None, None, ""
            )
    return model


def _fixture_operations(model: Model, tables: dict[str, list[dict[str, str]]]) -> None:
    able: dict[str, list[str]] = defaultdict(list)
    for row in tables["resourceskill"]:
        able[row["skill_id"]].append(row["resource_id"])
    members: dict[str, list[str]] = defaultdict(list)
    for row in tables["resource"]:
        members[row.get("owner_id", "")].append(row["name"])
    for row in tables["operation"]:
        operation = Operation(row["name"], row["type"], _sized(row), row.get("item_id", ""), row["location_id"])
        operation.said |= {key: row[key] for key in ("duration", "duration_per") if key in row}
        model.operations[row["name"]] = operation
    for row in tables["operation"]:
        if "owner_id" in row:
            model.operations[row["name"]].said["step"] = "1"
            model.operations[row["owner_id"]].steps.append((int(row["priority"]), row["name"]))
    for row in tables["operationmaterial"]:
        flow = Flow((row["item_id"], ""), amount(row["quantity"]), begins=row["type"] == "start")
        model.operations[row["operation_id"]].flows.append(flow)
    for row in tables["operationresource"]:
        name, skill = row["resource_id"], row.get("skill_id")
        among = tuple(sorted(each for each in members[name] if skill is None or each in able[skill]))
        model.operations[row["operation_id"]].loads.append(Load(name, amount(row["quantity"]), among=among))


def _sized(row: dict[str, str]) -> dict[str, str]:
    names = {"leadtime": "leadtime", "sizeminimum": "size_minimum", "sizemultiple": "size_multiple", "priority": "priority"}
    return {name: row[key] for key, name in names.items() if key in row}


class Reader:
    """Walks a model's tree: anything may be told inside anything that it belongs to, in pieces, anywhere."""

    def __init__(self, model: Model) -> None:
        """Fill this model."""
        self.model = model

    def read(self, node: ElementTree.Element, owner: object, kind: str) -> None:
        """Read one element that belongs to an owner of a kind."""
        tag = node.tag
        handle = getattr(self, f"_{tag}", None)
        if handle is not None:
            handle(node, owner)
        elif tag in LISTS:
            for child in node:
                self.read(child, owner, kind)
        elif tag == "current":
            self.model.current = datetime.fromisoformat((node.text or "").strip())
        elif tag not in HARMLESS | {"name"}:
            self.model.missing.add(NAMED.get(tag, f"{kind} {tag}".strip()))

    def rest(self, node: ElementTree.Element, owner: object, known: tuple[str, ...]) -> dict[str, str]:
        """Return what a node says plainly, as attributes or children, of what is known; read or refuse the rest."""
        said = {key: value for key, value in node.attrib.items() if key not in ("name", TYPE)}
        for child in node:
            if child.tag in known and not len(child) and child.get("name") is None:
                said[child.tag] = (child.text or "").strip()
            elif child.tag != "name":
                self.read(child, owner, node.tag)
        for key in [key for key in said if key not in known]:
            if key not in HARMLESS | {"id", "type"}:
                self.model.missing.add(NAMED.get(key, f"{node.tag} {key}"))
            said.pop(key)
        return said

    def _operation(self, node: ElementTree.Element, owner: object) -> Operation:
        name = named(node)
        operation = self.model.operations.setdefault(name, Operation(name))
        if node.get(TYPE):
            operation.kind = node.get(TYPE, "").removeprefix("operation_")
        known = ("duration", "duration_per", "size_minimum", "size_multiple", "size_maximum", "priority")
        said = self.rest(node, operation, (*known, "effective_start", "effective_end"))
        window = between(said)
        if window != ALWAYS:
            operation.windows.append(window)
        operation.said |= said
        if isinstance(owner, Demand):
            owner.operation = name
        elif isinstance(owner, tuple) and owner[0] == "item":
            self.model.delivers[owner[1]] = name
        elif isinstance(owner, dict):
            owner["operation"] = name
        return operation

    def _producing(self, node: ElementTree.Element, owner: object) -> None:
        del owner
        self._operation(node, None)

    def _suboperation(self, node: ElementTree.Element, owner: object) -> None:
        told: dict[str, str] = {}
        told |= self.rest(node, told, ("priority", "effective_start", "effective_end"))
        assert isinstance(owner, Operation)
        self.model.operations[told["operation"]].said["step"] = "1"
        self.model.operations[told["operation"]].windows.append(between(told))
        owner.steps.append((int(told.get("priority", len(owner.steps) + 1)), told["operation"]))

    def _item(self, node: ElementTree.Element, owner: object) -> None:
        name = named(node)
        if isinstance(owner, Operation | Demand):
            owner.item = name
        elif isinstance(owner, dict):
            owner["item"] = name
        self.rest(node, ("item", name), ())

    def _location(self, node: ElementTree.Element, owner: object) -> None:
        name = named(node)
        if isinstance(owner, Operation | Demand):
            owner.place = name
        elif isinstance(owner, dict):
            owner["location"] = name
        self.rest(node, ("location", name), ())

    _destination = _location

    def _origin(self, node: ElementTree.Element, owner: object) -> None:
        self.rest(node, None, ())
        assert isinstance(owner, dict)
        owner["origin"] = named(node)

    def _buffer(self, node: ElementTree.Element, owner: object) -> None:
        told: dict[str, str] = {}
        told |= self.rest(node, told, ("onhand", "minimum"))
        name = named(node)
        item, place = ([*name.split(" @ "), "", ""])[:2] if " @ " in name else ("", "")
        before = self.model.buffers.get(name, (item, place))
        self.model.buffers[name] = told.get("item", before[0]), told.get("location", before[1])
        if "onhand" in told:
            self.model.onhand[name] = amount(told["onhand"])
        if "minimum" in told:
            self.model.kept[name] = amount(told["minimum"])
        if node.get(TYPE) == "buffer_infinite":
            self.model.endless.add(name)
        if isinstance(owner, dict):
            owner["buffer"] = name

    def _flow(self, node: ElementTree.Element, owner: object) -> None:
        told: dict[str, str] = {}
        told |= self.rest(node, told, ("quantity", "quantity_fixed", "priority", "effective_start", "effective_end"))
        kind = node.get(TYPE, "flow_start" if amount(told.get("quantity")) < 0 else "flow_end")
        if kind not in ("flow_start", "flow_end"):
            self.model.missing.add(f"flows of kind {kind}")
        operation = owner if isinstance(owner, Operation) else self.model.operations[told["operation"]]
        buffer = told.get("buffer") or (told.get("item", ""), told.get("location", ""))
        fixed = amount(told.get("quantity_fixed"), "0")
        starts, priority = kind == "flow_start", int(told.get("priority", 1))
        operation.flows.append(Flow(buffer, amount(told.get("quantity")), fixed, starts, named(node), priority, between(told)))

    def _load(self, node: ElementTree.Element, owner: object) -> None:
        told: dict[str, str] = {}
        told |= self.rest(node, told, ("quantity", "priority", "effective_start", "effective_end"))
        if node.get(TYPE, "load") != "load":
            self.model.missing.add("hours counted over a calendar's spans")
        elif named(node):
            self.model.missing.add("choice among machines by skill or by effort")
        name = owner.name if isinstance(owner, Operation) else told["operation"]
        resource = owner[1] if isinstance(owner, tuple) else told["resource"]
        self.model.operations.setdefault(name, Operation(name)).loads.append(Load(resource, amount(told.get("quantity")), between(told)))

    def _resource(self, node: ElementTree.Element, owner: object) -> None:
        name = named(node)
        if isinstance(owner, dict):
            owner["resource"] = name
        said = self.rest(node, ("resource", name), ("maximum",))
        before = self.model.capacity.get(name, (1.0, ""))
        self.model.capacity[name] = float(said.get("maximum", before[0])), before[1]
        if node.get(TYPE, "") == "resource_infinite":
            self.model.capacity[name] = float(ENDLESS), ""
        elif node.get(TYPE, "resource_default") != "resource_default":
            self.model.missing.add("hours counted over a calendar's spans")

    def _maximum_calendar(self, node: ElementTree.Element, owner: object) -> None:
        if not (isinstance(owner, tuple) and owner[0] == "resource"):
            self.model.missing.add("a limit that moves with time")
            return
        self._calendar(node, None)
        self.model.capacity[owner[1]] = 1.0, named(node)

    def _available(self, node: ElementTree.Element, owner: object) -> None:
        self._calendar(node, None)
        site = ("operation", owner.name) if isinstance(owner, Operation) else owner
        assert isinstance(site, tuple)
        if site[0] not in ("resource", "location", "operation"):
            self.model.missing.add(f"working hours of a {site[0]}")
        self.model.working[site] = named(node)

    def _calendar(self, node: ElementTree.Element, owner: object) -> None:
        del owner
        calendar = self.model.calendars.setdefault(named(node), Calendar())
        said = self.rest(node, calendar, ("default",))
        calendar.default = float(said.get("default", calendar.default))

    def _bucket(self, node: ElementTree.Element, owner: object) -> None:
        assert isinstance(owner, Calendar)
        said = self.rest(node, None, ("start", "end", "value", "priority", "days", "starttime", "endtime"))
        start, end = (datetime.fromisoformat(said.get(key, default)) for key, default in (("start", "1971-01-01"), ("end", "2030-12-31")))
        opens, closes = (span(said.get(key, default)) / 3_600 for key, default in (("starttime", "PT0S"), ("endtime", "P1D")))
        value, priority, days = float(said.get("value", 0)), int(said.get("priority", 0)), int(said.get("days", 127))
        owner.entries.append((start, end, value, priority, days, opens, closes))

    def _itemsupplier(self, node: ElementTree.Element, owner: object) -> None:
        told = {"item": owner[1]} if isinstance(owner, tuple) and owner[0] == "item" else {}
        told |= self.rest(node, told, ("leadtime", "size_minimum", "size_multiple", "size_maximum", "priority"))
        self.model.supplies.append((told["item"], told.get("location", ""), told))

    def _supplier(self, node: ElementTree.Element, owner: object) -> None:
        self.rest(node, owner, ())

    def _itemdistribution(self, node: ElementTree.Element, owner: object) -> None:
        told = {"item": owner[1]} if isinstance(owner, tuple) and owner[0] == "item" else {}
        told |= self.rest(node, told, ("leadtime", "size_minimum", "size_multiple", "size_maximum", "priority"))
        self.model.ways.append((told.get("item", ""), told.get("origin", ""), told.get("location", ""), told))

    def _demand(self, node: ElementTree.Element, owner: object) -> None:
        del owner
        name = named(node)
        if node.get(TYPE):
            self.model.missing.add("orders delivered together")
        demand = Demand(name, "", "", Fraction(0), self.model.current, 0, None, None, "")
        said = self.rest(node, demand, ("quantity", "due", "priority", "minshipment", "maxlateness", "status"))
        if said.get("status", "open") != "open":
            return
        demand.quantity, demand.priority = amount(said.get("quantity"), "0"), int(said.get("priority", 0))
        demand.due = datetime.fromisoformat(said["due"]) if "due" in said else self.model.current
        demand.least = amount(said["minshipment"]) if "minshipment" in said else None
        demand.late = span(said["maxlateness"]) if "maxlateness" in said else None
        self.model.demands[name] = demand

    def _operationplan(self, node: ElementTree.Element, owner: object) -> None:
        del owner
        told: dict[str, str] = {}
        told |= self.rest(node, told, ("quantity", "start", "end", "status", "ordertype", "reference"))
        if told.get("status", "proposed") == "proposed":
            return  # the planner throws its own former proposals away
        quantity, end = amount(told.get("quantity")), datetime.fromisoformat(told.get("end") or told.get("start") or "1971-01-01")
        operation = self.model.operations.get(told.get("operation", ""))
        if told["status"] != "confirmed":
            self.model.missing.add(f"work in progress that is {told['status']}")
        elif told.get("ordertype") == "PO":
            self.model.arrivals.append(((told["item"], told.get("location", "")), end, quantity))
        elif operation is None:
            self.model.missing.add("work in progress that is neither a purchase nor a step")
        else:
            begin = datetime.fromisoformat(told.get("start") or told.get("end") or "1971-01-01")
            self.model.begun.append((operation.name, begin, end, quantity))


LISTS = {
    "plan", "items", "operations", "buffers", "flows", "loads", "resources", "demands", "calendars", "buckets", "locations", "suppliers",
    "itemsuppliers", "itemdistributions", "operationplans", "suboperations", "customers", "flowplans", "loadplans", "dependencies",
    "setupmatrices",
}  # fmt: skip


def between(said: dict[str, str]) -> Window:
    """Return from when to when something is valid."""
    start, end = (said.get(key) for key in ("effective_start", "effective_end"))
    return datetime.fromisoformat(start) if start else ALWAYS[0], datetime.fromisoformat(end) if end else ALWAYS[1]


def named(node: ElementTree.Element) -> str:
    """Return a node's name, told either way."""
    return node.get("name") or (node.findtext("name") or "").strip()


def at_place(buffer: tuple[str, str] | str, place: str) -> tuple[str, str] | str:
    """Return a buffer at its own place, or else where its operation works."""
    return buffer if isinstance(buffer, str) else (buffer[0], buffer[1] or place)
