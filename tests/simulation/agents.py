"""Simulated agents. They speak in the wire's own lines, say too much, too late, twice, and change their minds.

Some accept everything, some answer slowly or never, some have wrong clocks. What they know is what the records say.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.simulation.reader import Reader
from tests.simulation.scheduler import SECOND_US, Scheduler

__all__ = ["Crowd"]

NAMES = ("ada", "bela", "cleo", "dora", "emil", "fay")
THINGS = ("mask", "gown")
MADE = {  # by recipe: what goes in, and the hours of work; nobody but who makes them has them
    "kit": ({"mask": 1}, 1),
    "crate": ({"kit": 1, "gown": 1}, 1),
}
PROCESS = "sewing"
WIDTHS = (100, 200, 300)  # of machines, and of what is to be made
Json = dict[str, Any]


@dataclass
class Agent:
    """Who speaks, and how it is."""

    name: str
    clock_us: int  # how far its clock is off
    slow_us: int  # how long its words are on their way at most
    ways: tuple[str, ...]  # of answering, each as often as it is named
    count: int = 0


class Crowd:
    """All agents of one schedule. `speak` is handed each line with the delay after which it is first sent."""

    def __init__(self, scheduler: Scheduler, reader: Reader, speak: Callable[[bytes, int], None]) -> None:
        self._scheduler, self._random, self._reader, self._speak = scheduler, scheduler.random, reader, speak
        self._lines: list[bytes] = []
        draw = self._random
        self.agents = [
            Agent(
                name,
                draw.choice((0, 0, 0, draw.randrange(-100, 100) * SECOND_US)),
                draw.choice((1, 1, 5, 5, 200)) * SECOND_US,
                draw.choice(
                    (("accept",), ("accept", "accept", "accept", "decline", "counter"), ("accept", "take back"), ("nothing", "accept"))
                ),
            )
            for name in NAMES
        ]

    def begin(self, *, with_roads: bool = False) -> None:
        """Say who offers and needs what, once, so that there is something to plan; with the roads between all, where distance counts."""
        for agent in self.agents:
            for other in self.agents if with_roads else ():
                if other is not agent:
                    self._say(agent, "route", other.name, {"to": other.name, "distance_km": self._random.randrange(1, 30)})
        for agent in self.agents:
            self._stand(agent)
            self._stand(agent)
        for thing in MADE:
            self._recipe(self._random.choice(self.agents), thing)

    def act(self) -> None:
        """An agent does something, or several do at the same time."""
        for _ in range(self._random.choice((1, 1, 1, 4))):
            self._act()

    def _act(self) -> None:
        draw = self._random
        agent = draw.choice(self.agents)
        chance = draw.random()
        if chance < 0.25:
            self._stand(agent)
        elif chance < 0.30:
            self._withdraw(agent)
        elif chance < 0.40:
            self._answer_together()
        elif chance < 0.80:
            self._answer(agent)
        elif chance < 0.88:
            self._report(agent)
        elif chance < 0.90:
            self._recipe(agent, draw.choice([*MADE]))
        elif self._lines:
            self._again()

    def _stand(self, agent: Agent) -> None:
        draw = self._random
        kind = draw.choice(("offer", "offer", "need", "need", "capacity", "capacity", "hours"))
        if kind in ("offer", "need"):
            things = THINGS if kind == "offer" else (*THINGS, *MADE, *MADE)
            data: Json = {"resource": draw.choice(things), "quantity": _amount(draw.randrange(1, 9), "1")}
            if draw.random() < 0.2:
                data["basis"] = "total"
        else:
            data = {"process": PROCESS, "effort": _amount(draw.randrange(1, 9), "h")}
            if draw.random() < 0.7:
                data["limits" if kind == "capacity" else "requires"] = {"width_mm": draw.choice(WIDTHS)}
            if kind == "capacity":
                data |= {"begin": _instant(self._scheduler.now_us), "end": _instant(self._scheduler.now_us + 3_000 * SECOND_US)}
        if draw.random() < 0.8:
            data["expires"] = _instant(self._scheduler.now_us + draw.randrange(20, 600) * SECOND_US)
        if draw.random() < 0.2 and "basis" not in data:
            data["every"] = _amount(draw.randrange(1, 4), "min")
        self._say(agent, "need" if kind == "hours" else kind, draw.choice("xy"), data)

    def _recipe(self, agent: Agent, thing: str) -> None:
        """Say how a thing is made, or that it is not made so any more."""
        draw, (inputs, hours) = self._random, MADE[thing]
        step = {"process": PROCESS, "effort": _amount(hours, "h"), "requires": {"width_mm": draw.choice(WIDTHS[:2])}}
        data = {
            "recipe": thing,
            "outputs": [{"resource": thing, "quantity": _amount(1, "1")}],
            "inputs": [{"resource": name, "quantity": _amount(count, "1")} for name, count in inputs.items()],
            "steps": [step],
        }
        self._say(agent, "recipe", thing, data if draw.random() < 0.9 else None)

    def _withdraw(self, agent: Agent) -> None:
        mine = [ref.split("/") for ref, stand in self._reader.stands.items() if stand.stands and ref.startswith(agent.name + "/")]
        if mine:
            _, kind, subject = self._random.choice(mine)
            self._say(agent, kind, subject, None)

    def _answer(self, agent: Agent) -> None:
        """Answer something that is open, mostly; now and then what has long ended, or what others were asked."""
        draw, reader = self._random, self._reader
        names = [name for name in reader.open if agent.name in reader.plans[name].parties and agent.name not in reader.plans[name].promised]
        if draw.random() < 0.1 or not names:
            names = list(reader.plans)[-10:]
        if names:
            self._answer_one(agent, draw.choice(names))

    def _answer_together(self) -> None:
        """All whom a proposal names answer it at the same time, whoever judges them."""
        if self._reader.open:
            name = self._random.choice(list(self._reader.open))
            for party in self._reader.plans[name].parties:
                self._answer_one(self._named(party), name)

    def _answer_one(self, agent: Agent, name: str) -> None:
        draw, reader = self._random, self._reader
        way = draw.choice(agent.ways)
        if way == "take back":
            mine = [one for one in reader.open if agent.name in reader.plans[one].promised]
            name, way = (draw.choice(mine), way) if mine else (name, "accept")
        data: Json | None = {"proposal": name, "answer": way}
        if way == "take back":
            data = None
        elif way == "counter":
            quantity = reader.plans[name].data["lines"][0]["quantity"]
            data = {"proposal": name, "answer": way, "quantity": _amount(max(1, quantity["value"] // 2), quantity["unit"])}
        if way != "nothing":
            self._say(agent, "answer", name, data)

    def _report(self, agent: Agent) -> None:
        reader = self._reader
        names = [name for name, plan in reader.plans.items() if agent.name in plan.parties and plan.state not in ("retracted", "lapsed")]
        if names:
            data = {
                "commitment": self._random.choice(names[-5:]),
                "action": self._random.choice(("transfer", "transfer", "pickup", "cite")),
            }
            self._say(agent, "report", f"report-{agent.count}", data)

    def _again(self) -> None:
        """Say an old line again, now and then with other words under its id."""
        line = self._random.choice(self._lines)
        if self._random.random() < 0.2:
            event = json.loads(line)
            if event["data"] and "quantity" in event["data"]:
                event["data"]["quantity"]["value"] += 1
                line = _line(event)
        self._speak(line, self._random.randrange(5 * SECOND_US))

    def withdraw(self, name: str, kind: str, subject: str, id_: str, log_us: int) -> None:
        """Have an agent take back a signal for good."""
        event = self._event(self._named(name), kind, subject, None) | {"id": id_, "time": _instant(max(self._scheduler.now_us, log_us))}
        self._speak(_line(event), SECOND_US)

    def line(self, name: str, kind: str, subject: str, data: Json | None) -> bytes:
        """Return what an agent would say."""
        return _line(self._event(self._named(name), kind, subject, data))

    def _named(self, name: str) -> Agent:
        return next(one for one in self.agents if one.name == name)

    def _say(self, agent: Agent, kind: str, subject: str, data: Json | None) -> None:
        agent.count += 1
        line = _line(self._event(agent, kind, subject, data))
        self._lines.append(line)
        self._speak(line, self._random.randrange(agent.slow_us))

    def _event(self, agent: Agent, kind: str, subject: str, data: Json | None) -> Json:
        return {
            "specversion": "1.0",
            "id": f"{agent.name}-{agent.count}",
            "source": f"agent:{agent.name}",
            "type": f"stigmergy.{kind}.v1",
            "subject": subject,
            "time": _instant(self._scheduler.now_us + agent.clock_us),
            "data": data,
        }


def _line(event: Json) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode()


def _amount(value: int, unit: str) -> Json:
    return {"value": value, "unit": unit}


def _instant(us: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")
