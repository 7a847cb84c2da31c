"""What is read at a glance is read as the judge reads it: the same event to the last type, or it is left to the judge."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from random import Random

import msgspec
import pytest

from coordinator.errors import Refused
from coordinator.glance import NOT_PLAIN
from coordinator.jsontext import read_json, read_plain, write_json
from coordinator.signals import _GLANCES, _JUDGES, KINDS, Event, _event_of, parse_event
from tests.support import events as say
from tests.support.networks import random_network, recipe

NOON = "2026-03-01T12:00:00Z"
PIECES, HOURS = {"value": 20, "unit": "1"}, {"value": 1.5, "unit": "h"}
LINE = {"provider": "agent-a", "receiver": "agent-b", "action": "transfer", "resource": "mask", "quantity": PIECES}
LINE |= {"offer": "agent-a/offer/o", "need": "agent-b/need/n", "distance_km": 12.25, "effort": 245, "due": NOON}
PROPOSED = {"proposal": "p-1", "lines": [LINE, LINE], "expires": NOON, "charter": "c", "reasons": {"free": [1.5, {"of": 2}]}}
PROMISED = {"kind": "promised", "agent": "agent-a", "proposal": "p-1", "free_before": {"o": HOURS}, "moved": [PIECES], "rest": 0.5}
SAID = [
    *random_network(Random(5))[:25],
    say.agent("agent-a", 48.25, -1.5, at=0, name="Atelier Süd", classified_as=["lab", "3d printing"]),
    say.resource("agent-a", "mask", "1", mass_kg=0.05, aliases=["face mask"], substitutes=["visor"]),
    say.offer("agent-a", 20, within_km=7.5, basis="total", expires=5, lead_h=0.5, place={"lat": 40.125, "long": 7, "label": "dock"}),
    say.capacity("agent-b", 5.5, begin=1, end=2.0001, limits={"width_mm": 300, "height_mm": 0.5, "colour": "red"}),
    say.need("agent-c", 0.25, "flour", unit="kg", tier=2, due=3.25, substitutes=["starch"]),
    say.hours("agent-c", 5, "milling", requires={"width_mm": 200.5}, every={"value": 7, "unit": "d"}),
    recipe("agent-b", "visor", {"visor": 1}, {"foil": 2}, {"cutting": 0.25}, at=0.3),
    say.route("agent-a", "agent-b", 12.5, two_way=False),
    say.answer("agent-a", "p-1", at=0),
    say.answer("agent-a", "p-1", "counter", at=0, quantity=0.3333333333333333, unit="h", reason="nö"),
    say.report("agent-a", "p-1", at=0, quantity=1),
    say.tick(1.0),
    say.withdraw("offer", "agent-a", "o", at=1.0),
    say.event("proposal", "coordinator:main", "p-1", 0, PROPOSED),
    say.ledger(PROMISED, at=0),
]
LINES = [write_json(read_json(line)) for line in SAID]  # as our client writes, and most programs do
PLAIN = write_json(read_json(say.offer("agent-a", 20)))
NUMBERS = ["20.0", "2e1", "1E3", "0.00001", "1e-7", "1e400", "-0", "-0.0", "9223372036854775808", "10000000000000000000", "1.50", "NaN"]
NUMBERS += ["0.1234567890123456789", "1e15", "123456789012345.6", "true", "null", '"12"', "9007199254740993", "0", "-1", "0.5", "[]", "{}"]
TEXTS = [
    "",
    " ",
    "A\u0308",
    "\\u0000",
    "\\ud800",
    "\\u003a",
    "2026-W10-7T08:00:00Z",
    "2026-03-01t12:00:00z",
    "1",
    "h",
    "xyz",
    "a:b",
    "\u202e",
]
TEXTS += ["2026-03-01T12:00:00.123456789+05:30", "2026-03-01T24:00:00Z", "2026-02-29T00:00:00Z", "2300-01-01T00:00:00Z", "x" * 300, "total"]


def judged(line: bytes) -> object:
    try:
        return told(_event_of(read_json(line), _JUDGES, 5))
    except Refused as refused:
        return str(refused)


def told(value: object) -> object:
    """A value with the types of all its parts, the order of members left out, as sets and dicts of it are equal without."""
    if is_dataclass(value):
        return type(value).__name__, [(part.name, told(getattr(value, part.name))) for part in fields(value)]
    if isinstance(value, msgspec.Struct):
        return type(value).__name__, [(name, told(getattr(value, name))) for name in value.__struct_fields__]
    if isinstance(value, Mapping):
        return "members", sorted((name, told(item)) for name, item in value.items())
    if isinstance(value, list | tuple):
        return type(value).__name__, [told(item) for item in value]
    return type(value).__name__, str(value)


def glanced(line: bytes) -> Event | None:
    try:
        return _event_of(read_plain(line), _GLANCES, 5)
    except NOT_PLAIN:
        return None


def mutated(line: str, random: Random) -> str:
    """The same with one thing changed, as programs, people and networks do."""
    numbers = list(re.finditer(r"(?<=[:,\[])-?[0-9][0-9.]*(?=[,}\]])", line))
    texts = list(re.finditer(r'(?<=[:,\[])"[^"\\]*"(?=[,}\]])', line))
    match random.randrange(8):
        case 0 | 1 if numbers:
            at = random.choice(numbers)
            return line[: at.start()] + random.choice(NUMBERS) + line[at.end() :]
        case 2 if texts:
            at = random.choice(texts)
            return f'{line[: at.start()]}"{random.choice(TEXTS)}"{line[at.end() :]}'
        case 3:  # a member twice, unknown, or null
            at = random.choice([each.start() + 1 for each in re.finditer("{(?!})", line)])
            name = random.choice(re.findall(r'"([a-z_]+)":', line))
            value = random.choice(['"1"', "1", "0.5", "2.0", "null", '{"a":1}'])
            return f'{line[:at]}"{random.choice([name, "new", name + " "])}":{value},{line[at:]}'
        case 4:
            at = random.choice([each.end() for each in re.finditer("[:,{}]", line)])
            return line[:at] + random.choice([" ", "\t", "\n", "\u00a0", ","]) + line[at:]
        case 5:
            at = random.randrange(len(line))
            return line[:at] + random.choice(["", '"', "\\", "}", "é", "0", " "]) + line[at + random.randrange(2) :]
        case 6:
            return json.dumps(json.loads(line), ensure_ascii=random.random() < 0.5, sort_keys=random.random() < 0.5)
        case _:
            at = random.choice([each.start() for each in re.finditer("[0-9a-z]", line)])
            return line[:at] + random.choice("09aeE.-+") + line[at + 1 :]


@pytest.mark.parametrize("seed", range(4))
def test_a_glance_sees_what_the_judge_sees_or_leaves_it_to_it(seed):
    random = Random(seed)
    for _ in range(1_500):
        line = random.choice(LINES).decode()
        for _ in range(random.randint(1, 3)):
            try:
                line = mutated(line, random)
            except (ValueError, IndexError):  # changed beyond what can be changed again
                break
        raw = line.encode("utf-8", "surrogatepass")
        event = glanced(raw)
        if event is not None:
            assert told(event) == judged(raw), raw


@pytest.mark.parametrize("line", LINES, ids=lambda line: re.search(r"stigmergy\.(\w+)", line.decode())[1])
def test_what_is_said_plainly_is_read_at_a_glance(line):
    event = glanced(line)
    assert event is not None
    assert told(event) == judged(line)


def test_these_lines_say_something_of_every_kind():
    assert {parse_event(line).kind for line in LINES} == KINDS.keys()


@pytest.mark.parametrize("written", ["20.0", "2e1", "1e-7", "9223372036854775808", "0.00001"])
def test_numbers_that_are_written_in_several_ways_are_left_to_the_judge(written):
    line = PLAIN.replace(b'"value":20', f'"value":{written}'.encode())
    assert written.encode() in line
    assert glanced(line) is None


def test_blanks_between_members_are_plain_and_a_key_said_twice_is_not():
    line = PLAIN
    assert glanced(json.dumps(json.loads(line)).encode()) == glanced(line)
    assert glanced(line.replace(b'"value":20', b'"value":20,"value":20')) is None
    assert glanced(line.replace(b'"value":20', b'"value" : 20, "value" :20')) is None
