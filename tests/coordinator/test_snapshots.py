"""What a log adds up to is the same whether it was folded from the start, or kept somewhere on the way and taken up again."""

from base64 import b64encode
from collections import deque
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from functools import lru_cache
from random import Random
from typing import Any

import msgspec
import pytest

from coordinator.charter import Charter
from coordinator.commitments import Book
from coordinator.cycle import Coordination
from coordinator.errors import Refused
from coordinator.network import Network
from coordinator.ordering import Ordering
from coordinator.replaying import digest, standing_proposals
from coordinator.signals import Event, event_json, parse_event
from coordinator.snapshots import DERIVED, KEPT, _Word, freeze, thaw
from tests.support import events as say
from tests.support.networks import random_network, recipe

CHARTER = Charter.model_validate({"cycle_seconds": 1800, "proposal_seconds": 86_400, "default_life_days": 9, "fairness_memory_days": 2})
GOOD = {"resource": "mask", "quantity": {"value": 1, "unit": "1"}}
AFTER_IT = {
    "network": {"_degrees", "_aliases", "_table_positions", "_in_order", "_numbers", "names_moved", "recount", "trail", "charter", "table"},
    "book": {"network", "_rests_us", "moved"},
}


@lru_cache
def words_of(seed: int) -> list[bytes]:
    """What agents say and coordinators decide over some days, with every kind of event in it."""
    random = Random(seed)
    lines = random_network(random)
    lines += [
        say.resource("agent-a", "mask", "1", mass_kg=0.05, aliases=["face mask"], substitutes=["visor"]),
        say.route("agent-a", "agent-b", 12.5, at=0.1),
        say.route("agent-a", "agent-c", 7, at=0.2, two_way=False),
        recipe("agent-b", "visor", {"visor": 1}, {"foil": 2.0}, {"cutting": 0.25}, at=0.3),
        say.capacity("agent-b", 5, "milling", subject="mill", limits={"width_mm": 300, "height_mm": 0.5, "colour": "red"}),
        say.hours("agent-c", 5, "milling", subject="milled", requires={"width_mm": 200, "height_mm": 0.25}),
        say.offer("agent-e", 900_000_000, "steel", unit="t", at=0.3, subject="heap"),  # more grains than 64 bits hold
        say.need("agent-f", 0.10000000000000001, "flour", unit="kg", at=0.3, subject="exact"),
        say.offer("agent-d", 3, "mask", at=0.4, subject="short", expires=30.0),
        say.offer("agent-c", 4, "strap", at=0.4, subject="weekly", every=say.amount(24, "h")),
        say.need("agent-d", 4, "strap", at=0.4, subject="ending", end=200.0),
        say.withdraw("offer", "agent-x", "never-said", at=0.5),
        say.take_back("agent-a", "unknown-plan", at=0.6),
        say.answer("agent-b", "unknown-plan", "counter", at=0.7, quantity=2),
    ]
    live = Coordination(CHARTER)
    taken: list[bytes] = []

    def take(line: bytes) -> None:
        try:
            if not live.take(parse_event(line), line).repeat:
                taken.append(line)
        except Refused:
            pass
        decided, live.outbox = live.outbox, []
        taken.extend(entry.event for entry in decided)

    for line in lines:
        take(line)
    for hour in range(1, 50):
        take(say.tick(float(hour)))
        for deal in list(live.book.deals.values()):
            for party in deal.parties:
                at, name = hour + random.random() / 9, deal.proposal
                match random.randrange(12):
                    case 0 | 1 | 2 | 3:
                        take(say.answer(party, name, at=at))
                    case 4:
                        take(say.answer(party, name, "decline", at=at, reason="no"))
                    case 5:
                        take(say.answer(party, name, "counter", at=at, quantity=1, unit=deal.lines[0].quantity.unit))
                    case 6:
                        take(say.take_back(party, name, at=at))
                    case 7:
                        take(say.report(party, name, at=at, quantity=1, unit=deal.lines[0].quantity.unit))
        if random.random() < 0.5:
            who = f"agent-{random.choice('abcdef')}"
            take(say.offer(who, random.randint(1, 30), "mask", at=float(hour), subject=f"o{random.randrange(9)}"))
            take(say.need(who, random.randint(1, 30), "visor", at=float(hour), subject=f"n{random.randrange(9)}"))
        if random.random() < 0.1:
            take(say.withdraw("offer", f"agent-{random.choice('abcdef')}", f"o{random.randrange(9)}", at=float(hour)))
    return taken


def folding(lines: Iterable[bytes], into: Coordination | None = None) -> Coordination:
    coordination = into or Coordination(CHARTER, judging=False, planning=False)
    for line in lines:
        event = parse_event(line)
        try:
            coordination.take(msgspec.structs.replace(event, logtime_us=event.logtime_us or event.time_us), line)
        except Refused:
            continue
    return coordination


def plain(value: object) -> object:
    """Any part of a state in a form whose equality leaves nothing out: types, order, what an own `==` passes over."""
    if is_dataclass(value):
        return type(value).__name__, [(each.name, plain(getattr(value, each.name))) for each in fields(value)]
    if isinstance(value, msgspec.Struct):
        return type(value).__name__, [(name, plain(getattr(value, name))) for name in value.__struct_fields__]
    if isinstance(value, dict):
        return "dict", [(plain(key), plain(item)) for key, item in value.items()]
    if isinstance(value, list | tuple | deque):
        return type(value).__name__, [plain(item) for item in value]
    if isinstance(value, Ordering):
        return "Ordering", list(value.after(""))
    if isinstance(value, set | frozenset):
        return "set", sorted(map(str, value))
    return type(value).__name__, value


def parts(coordination: Coordination) -> dict[str, object]:
    """Everything that folding leads to, by name."""
    told: dict[str, object] = {}
    for of, holder in (("network", coordination.network), ("book", coordination.book)):
        told |= {f"{of}.{name}": plain(part) for name, part in vars(holder).items() if name not in AFTER_IT[of]}
    network: Any = coordination.network  # in which order things were spoken of, and signals came to stand, is asked by nobody
    told["network._shelves"] = sorted((shelf.thing, plain(shelf.first), sorted(shelf.live)) for shelf in network._all_shelves())
    told["network.stated"] = sorted((*each[:2], network.first_said(*each[:2]), plain(each[2])) for each in list(network.stated()))
    dealings = coordination.book.dealings
    told["book.dealings"] = [sorted(map(repr, part.items())) for part in (dealings.moving, dealings.asked_grains, dealings.pressures)]
    told["book.states"] = +dealings.states
    told["network._accepting"] = sorted(network._accepting)
    told["book._by_party"] = sorted((party, list(named)) for party, named in coordination.book._by_party.items())
    told["book._unanswered"] = sorted((pair, sorted(names)) for pair, names in coordination.book._unanswered.items())
    told |= {name: plain(getattr(coordination, name)) for name in ("log_us", "_cycle_us", "_planned", "ledger", "unjudged", "due")}
    told["_seen"] = coordination._seen.packed()
    return told


def differing(one: Coordination, other: Coordination) -> list[str]:
    ours, theirs = parts(one), parts(other)
    assert ours.keys() == theirs.keys()
    return [name for name in ours if ours[name] != theirs[name]]


@pytest.mark.parametrize("seed", range(3))
def test_a_state_taken_up_anywhere_goes_on_as_if_folded_from_the_start(seed):
    lines = words_of(seed)
    whole = folding(lines)
    random = Random(seed)
    for at in (0, 1, len(lines), *(random.randrange(len(lines)) for _ in range(5))):
        again = Coordination(CHARTER, judging=False, planning=False)
        thaw(freeze(folding(lines[:at])), again)
        assert differing(again, folding(lines[:at])) == []
        folding(lines[at:], again)
        assert differing(again, whole) == []
    assert digest(again.ledger, standing_proposals(again.book)) == digest(whole.ledger, standing_proposals(whole.book))


@pytest.mark.parametrize("seed", range(3))
def test_what_is_decided_from_a_state_taken_up_is_what_would_have_been(seed):
    lines = words_of(seed)
    at = len(lines) // 2
    again = Coordination(CHARTER, judging=False, planning=False)
    thaw(freeze(folding(lines[:at])), again)
    decided = []
    for one in (folding(lines[:at]), again):
        one.planning = True
        one.resume()
        one.take(parse_event(say.tick(500.0)), say.tick(500.0))
        one.run_cycle()
        decided.append([(entry.stream, entry.key, entry.event) for entry in one.outbox])
    assert decided[0] == decided[1]
    assert decided[0]


def test_these_streams_have_all_in_them_that_a_state_can_hold():
    """Else the tests above would say little: every part of the state is filled by some of them, somewhere on the way."""
    nothing = parts(Coordination(CHARTER, judging=False, planning=False))
    filled: set[str] = set()
    for seed in range(3):
        lines, coordination = words_of(seed), Coordination(CHARTER, judging=False, planning=False)
        for begin in range(0, len(lines), 5):
            folding(lines[begin : begin + 5], coordination)
            filled |= {name for name, part in parts(coordination).items() if part != nothing[name]}
    assert nothing.keys() - filled == set()


def test_every_part_of_the_state_is_kept_or_follows_from_what_is():
    """Whoever adds a part to the network, the book or the coordination says here which: kept in snapshots, or derived."""
    coordination = Coordination(CHARTER)
    holders = {Network: coordination.network, Book: coordination.book, Coordination: coordination}
    for holder, held in holders.items():
        assert set(vars(held)) - KEPT[holder] - DERIVED[holder] == set(), f"{holder.__name__} has parts that snapshots do not know"
        assert KEPT[holder] & DERIVED[holder] == set()
        assert (KEPT[holder] | DERIVED[holder]) - set(vars(held)) == set(), f"snapshots know parts of {holder.__name__} that are gone"


def test_every_part_of_an_event_is_kept_while_nobody_judged_it():
    assert set(Event.__struct_fields__) == (set(_Word.__struct_fields__) - {"answer", "report"}) | {"data", "name"}


@pytest.mark.parametrize("harm", [b"", b"{}", b"null", b"\xff", b'{"network": 5}'])
def test_bytes_that_are_no_state_are_refused(harm):
    with pytest.raises(Refused, match="no state of a coordinator"):
        thaw(harm, Coordination(CHARTER, judging=False, planning=False))


def test_a_state_that_lacks_a_digest_is_refused():
    line = event_json("offer", "agent:a", "o", 1, GOOD)
    frozen = freeze(folding([line]))
    digest = b64encode(parse_event(line).content)
    assert frozen.count(digest) == 1
    with pytest.raises(Refused, match="do not match"):
        thaw(frozen.replace(digest, digest[4:]), Coordination(CHARTER, judging=False, planning=False))


def test_who_is_not_heard_again_stays_packed_and_is_known_all_the_same():
    lines = [event_json("offer", f"agent:{who}", "o", 1, GOOD, id=each) for who in "ab" for each in ("1", "two words", "é")]
    kept = Coordination(CHARTER, judging=False, planning=False)
    thaw(freeze(folding(lines)), kept)
    assert kept.take(parse_event(lines[1]), lines[1]).repeat
    assert kept._seen.keys() == {"agent:a"}
    with pytest.raises(Refused, match="said before with other content"):
        kept.take(parse_event(lines[1].replace(b'"o"', b'"p"')), b"")
    assert freeze(kept) == freeze(folding(lines))
    assert kept._seen.digest("agent:c", "1") is None
    assert kept._seen.keys() == {"agent:a"}


def test_a_coordination_that_decides_is_not_kept():
    with pytest.raises(ValueError, match="only what a log adds up to"):
        freeze(Coordination(CHARTER))
