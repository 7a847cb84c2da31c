"""A draft made an agent's own: its recipe with the hours and quantities that the design left open, said by who will make it."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from connectors.reading import excerpt, number_of, say
from coordinator.errors import Refused
from coordinator.signals import Recipe, parse_event

__all__ = ["adopted"]


def adopted(lines: Iterable[bytes], recipe: str, agent: str, said_us: int, hours: Sequence[str], takes: Sequence[str]) -> bytes:
    """Return the event by which `agent` publishes a draft among these lines.

    `hours` are ``PROCESS=HOURS``, `takes` ``RESOURCE=AMOUNT[:UNIT]``. Refused while anything is open, or told of what the draft lacks.
    """
    data = _draft(lines, recipe)
    told = {name: number_of(value, f"the hours of {name}") for name, value in map(_said, hours)}
    taken = dict(map(_said, takes))
    steps = [_worked(step, told) for step in data["steps"]]
    for demand in data.pop("hours_unknown", []):
        if demand["process"] not in told:
            raise Refused(f"nobody said how long {demand['process']} takes: add --hours {demand['process']}=HOURS")
        steps.append({**demand, "effort": _amount(str(told.pop(demand["process"])), "h")})
    inputs = list(data.get("inputs", []))
    for name in data.pop("quantity_unknown", []):
        if name not in taken:
            raise Refused(f"nobody said how much {name} goes in: add --takes {name}=AMOUNT, or {name}=AMOUNT:UNIT")
        value, _, unit = taken.pop(name).partition(":")
        inputs.append({"resource": name, "quantity": _amount(value, unit or "1")})
    if left := sorted({*told, *taken}):
        raise Refused(f"the draft leaves nothing open of {left[0]!r}: take that out, or look at its name")
    del data["draft"]
    return say("recipe", agent, recipe, said_us, data | {"steps": steps, "inputs": inputs})


def _worked(step: dict[str, Any], told: dict[str, int | float]) -> dict[str, Any]:
    """Return a step with the hours that were said of it now, where they were."""
    return {**step, "effort": _amount(str(told.pop(step["process"])), "h")} if step["process"] in told else step


def _draft(lines: Iterable[bytes], recipe: str) -> dict[str, Any]:
    names: list[str] = []
    for line in lines:
        event = parse_event(line)
        if isinstance(event.data, Recipe) and event.data.draft:
            if event.data.recipe == recipe:
                data: dict[str, Any] = json.loads(line)["data"]
                return data
            names.append(event.data.recipe)
    raise Refused(f"no draft here is called '{excerpt(recipe)}'; there are {', '.join(names[:8]) or 'none'}")


def _said(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name or not value:
        raise Refused(f"'{excerpt(text)}' came where NAME=VALUE was expected, such as sewing=0.5")
    return name, value


def _amount(value: str, unit: str) -> dict[str, Any]:
    return {"value": number_of(value, "an amount"), "unit": unit}
