"""The independent reader says of each rule when it is broken."""

import inspect
import json
import re

import pytest

from tests.simulation import reader
from tests.simulation.reader import Reader
from tests.simulation.scheduler import BEGIN_US, SECOND_US, Invariant

AT = "2026-03-01T00:00:00Z"
LINE = {
    "provider": "ada",
    "receiver": "bela",
    "action": "transfer",
    "resource": "mask",
    "quantity": {"value": 3, "unit": "1"},
    "offer": "ada/offer/x",
    "need": "bela/need/x",
}


def said(agent, kind, subject, data, id_=None):
    return {
        "id": id_ or f"{agent}-{kind}-{subject}",
        "source": f"agent:{agent}",
        "type": f"stigmergy.{kind}.v1",
        "subject": subject,
        "time": AT,
        "data": data,
    }


def mask(value, **more):
    return {"resource": "mask", "quantity": {"value": value, "unit": "1"}, **more}


def accept(agent, proposal="p"):
    return said(agent, "answer", proposal, {"proposal": proposal, "answer": "accept"}, f"{agent}-accepts-{proposal}")


def proposed(name="p", *lines):
    data = {"proposal": name, "lines": lines or [LINE], "expires": "2026-03-01T00:05:00Z"}
    return {"id": name, "type": "stigmergy.proposal.v1", "subject": name, "data": data}


def retracted(name="p"):
    return {"id": f"{name}-gone", "type": "stigmergy.proposal.v1", "subject": name, "data": None}


def recorded(kind, agent, proposal="p", **more):
    data = {"kind": kind, "agent": agent, "proposal": proposal, **more}
    return {"id": f"{kind}-{agent}-{proposal}", "type": "stigmergy.ledger.v1", "subject": "x", "data": data}


def promised(agent, proposal="p", before=3, grains=3, by=None):
    ref, unit = {"ada": ("ada/offer/x", "1"), "bela": ("bela/need/x", "1"), "cleo": ("cleo/capacity/x", "h")}[agent]
    told = {"free_before": {ref: {"value": before, "unit": unit}}, "free_after": {ref: {"value": before - grains, "unit": unit}}}
    return recorded("promised", agent, proposal, statement=f"agent:{by or agent}/{by or agent}-accepts-{proposal}", **told)


def committed(proposal="p", **acceptances):
    return recorded("committed", "ada", proposal, acceptances=acceptances or BOTH)


def delivered(value):
    return recorded("delivered", "ada", statement="agent:ada/r", moved=[{"value": value, "unit": "1"}])


DECLINE = said("bela", "answer", "p", {"proposal": "p", "answer": "decline"}, "no")
BOTH = {agent: f"agent:{agent}/{agent}-accepts-p" for agent in ("ada", "bela")}
TABLE = [said("ada", "offer", "x", mask(3)), said("bela", "need", "x", mask(3)), proposed()]
AGREED = [*TABLE, accept("ada"), promised("ada"), accept("bela"), promised("bela"), committed()]


# A kit that cleo makes of ada's mask in an hour, for bela.
RECIPE = "dora/recipe/kit"
KIT = {"provider": "cleo", "receiver": "bela", "action": "transfer", "resource": "kit", "need": "bela/need/x", "offer": "cleo/capacity/x"}
TREE = [
    KIT | {"quantity": {"value": 1, "unit": "1"}},
    LINE | {"receiver": "cleo", "quantity": {"value": 1, "unit": "1"}, "into": RECIPE},
    KIT | {"action": "use", "resource": "sewing", "quantity": {"value": 1, "unit": "h"}, "into": RECIPE},
]
MAKING = [
    said("dora", "recipe", "kit", {"recipe": "kit", "steps": [{"process": "sewing", "requires": {"width_mm": 200}}]}),
    TABLE[0],
    said("bela", "need", "x", {"resource": "kit", "quantity": {"value": 2, "unit": "1"}}),
    said("cleo", "capacity", "x", {"process": "sewing", "effort": {"value": 4, "unit": "h"}, "limits": {"width_mm": 200}}),
]
NARROW = said("cleo", "capacity", "x", {"process": "sewing", "effort": {"value": 4, "unit": "h"}, "limits": {"width_mm": 100}})
ALL = {agent: f"agent:{agent}/{agent}-accepts-p" for agent in ("ada", "bela", "cleo")}


TICK = {"id": "t", "source": "coordinator:main", "type": "stigmergy.tick.v1", "time": AT, "data": {}}


def read(*events, at_once=True):
    """Read some records, each a second after the one before; a number lets so many seconds pass."""
    reader, log_us = Reader(120, at_once=at_once), BEGIN_US
    for event in events:
        if isinstance(event, int):
            log_us += event * SECOND_US
            continue
        line = json.dumps(event).encode()
        if event["type"] in ("stigmergy.proposal.v1", "stigmergy.ledger.v1"):
            reader.decide(line)
        else:
            reader.take_recorded(line, log_us)
    reader.settle()
    return reader


def test_what_is_in_order_breaks_nothing():
    reader = read(*AGREED)
    assert [record["kind"] for record in reader.ledger] == ["promised", "promised", "committed"]
    assert reader.free("ada/offer/x") == 0


BROKEN = [
    ("taken once", [TABLE[0], TABLE[0]]),
    ("taken once", [TABLE[0], said("ada", "offer", "x", mask(9))]),
    ("late words are refused", [200, TABLE[0]]),
    ("proposed once", [*TABLE, proposed()]),
    ("own signals", [*TABLE, proposed("q", LINE | {"offer": "fay/offer/x"})]),
    ("own signals", [*MAKING, proposed("p", *TREE[:2], TREE[2] | {"provider": "ada"})]),
    ("machines can do it", [*MAKING[:-1], NARROW, proposed("p", *TREE)]),
    ("known signals", [*TABLE, proposed("q", LINE | {"offer": "ada/offer/y"})]),
    ("promises are kept", [*TABLE, accept("ada"), promised("ada"), retracted()]),
    ("promises are kept", [*TABLE, accept("ada"), promised("ada"), recorded("released", "ada", ends=True, why="so")]),
    ("judged once, at its place", [*TABLE, accept("ada"), promised("ada"), promised("ada")]),
    ("judged once, at its place", [*TABLE, accept("ada")]),
    ("judged once, at its place", [*TABLE, promised("ada")]),
    ("own acceptance", [*TABLE, accept("ada"), promised("bela", by="ada")]),
    ("own acceptance", [*TABLE, accept("ada"), promised("ada"), committed(ada=BOTH["ada"])]),
    ("own acceptance", [*AGREED[:-1], committed(ada=BOTH["ada"], bela=BOTH["ada"])]),
    ("committed once", [*AGREED, committed()]),
    ("committed by its judge", [*AGREED[:-1], recorded("committed", "bela", acceptances=BOTH)]),
    ("promises fit", [*TABLE, accept("cleo"), recorded("promised", "cleo", statement="agent:cleo/cleo-accepts-p")]),
    ("accepted is committed", AGREED[:-1]),
    ("known plans", [*TABLE, committed("q")]),
    ("capacity never below zero", [*TABLE, proposed("q"), accept("ada"), promised("ada"), accept("ada", "q"), promised("ada", "q")]),
    ("balances are true", [*TABLE, accept("ada"), promised("ada", before=4)]),
    ("what is free can be promised", [*TABLE, accept("ada"), recorded("refused", "ada", statement=BOTH["ada"], why="no")]),
    ("expiry by log time", [*TABLE, accept("ada"), promised("ada"), 400, TICK]),
    ("expiry by log time", [*TABLE, said("ada", "offer", "x", None, "gone")]),
    ("answers fit", [*AGREED, said("ada", "answer", "p", None, "back"), recorded("released", "ada", statement="agent:ada/back")]),
    ("released once", [*TABLE, recorded("released", "ada", ends=True, why="so")]),
    ("answers fit", [*AGREED, DECLINE, recorded("declined", "bela", statement="agent:bela/no")]),
    ("released once", [*TABLE, accept("ada"), promised("ada"), DECLINE, recorded("declined", "bela", statement="agent:bela/no")]),
    ("reports fit", [*TABLE, said("ada", "report", "r", {}, "r"), delivered(3)]),
    ("no more than was agreed", [*AGREED, said("ada", "report", "r", {}, "r"), delivered(4)]),
]


@pytest.mark.parametrize(("rule", "events"), BROKEN)
def test_a_broken_rule_is_named(rule, events):
    with pytest.raises(Invariant) as broken:
        read(*events)
    assert broken.value.name == rule


def test_every_rule_of_the_reader_is_broken_here():
    rules = set(re.findall(r'Invariant\(\s*"([^"]+)"', inspect.getsource(reader)))
    rules.remove("plans rest on what stands")  # it makes void what came too late, and is no fault of its writer
    assert rules == {rule for rule, _ in BROKEN}


def test_among_several_writers_what_came_too_late_is_void_and_changes_nothing():
    reader = Reader(120, at_once=False)
    for event in (TABLE[0], TABLE[1]):
        reader.take(event, BEGIN_US)
    assert reader.decide(json.dumps(TABLE[2]).encode())
    reader.take(said("ada", "offer", "x", None, "gone"), BEGIN_US)
    before = reader.digest()
    assert not reader.decide(json.dumps(retracted("q")).encode(), fresh=False)
    assert not reader.decide(json.dumps(proposed("q")).encode(), fresh=False)
    assert not reader.decide(json.dumps(promised("ada")).encode(), fresh=False)
    assert reader.digest() == before


def test_a_tree_takes_of_each_party_what_it_gives_and_no_more():
    agents = {"ada": (3, 1), "cleo": (4, 1), "bela": (2, 1)}
    answers = [each for agent, (before, taken) in agents.items() for each in (accept(agent), promised(agent, "p", before, taken))]
    reader = read(*MAKING, proposed("p", *TREE), *answers, recorded("committed", "cleo", acceptances=ALL))
    assert (reader.trees, reader.plans["p"].state) == (1, "committed")
    assert [reader.free(ref) for ref in ("ada/offer/x", "cleo/capacity/x", "bela/need/x")] == [2, 3 * 3_600_000, 1]


def test_what_comes_again_is_free_again_whatever_was_promised_of_the_last_time():
    reader = read(said("ada", "offer", "x", mask(3, every={"value": 1, "unit": "min"})), *AGREED[1:])
    assert reader.free("ada/offer/x") == 0
    for seconds, free in ((59, 0), (60, 3)):
        reader.take(TICK, BEGIN_US + seconds * SECOND_US)
        assert reader.free("ada/offer/x") == free
