"""Lists of many rows come in pages that add up to the whole, whatever comes and goes between two of them."""

from random import Random

import pytest

from coordinator import ordering, views
from coordinator.commitments import State
from coordinator.errors import Refused
from coordinator.views import LARGEST_PAGE, Asked, Page, agents, deal_named, ledger, offers_or_needs, proposals
from tests.support.desk import Desk
from tests.support.events import answer, need, offer, proposal, retracted, withdraw

NAMES = ["a", "a-1", "a.b", "ab", "b"]  # of which some come before another by name, and after it where a slash follows
THINGS = ["mask", "gown"]


@pytest.fixture(params=[3, 5_000], ids=["a page looks at three rows at most", "pages look at all"])
def looks_at(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(ordering, "BLOCK", 4)
    monkeypatch.setattr(views, "LOOKED_AT", request.param)
    return request.param


def passive_desk() -> Desk:
    desk = Desk()
    desk.core.judging = desk.core.planning = False
    return desk


def test_pages_of_many_open_proposals_are_bounded_and_together_hold_each_once():
    count = 5_000
    desk = passive_desk()
    desk.take(offer("a", count), need("b", count), *(proposal(f"p{number:05}", "a", "b", 1, at=1) for number in range(count)))
    after, listed, sizes = "", [], []
    while after is not None:
        page = proposals(desk.core, Asked(limit=LARGEST_PAGE, after=after))
        listed += [row["proposal"] for row in page["items"]]
        sizes.append(len(page["items"]))
        after = page["next"]
    assert listed == [f"p{number:05}" for number in range(count)]
    assert max(sizes) == LARGEST_PAGE


@pytest.mark.parametrize("seed", range(8))
def test_pages_neither_skip_nor_repeat_while_proposals_come_and_go(looks_at: int, seed: int):
    random = Random(seed)
    desk = passive_desk()
    desk.take(*(offer(name, 999, thing, subject=f"o-{thing}") for name in NAMES for thing in THINGS))
    desk.take(*(need(name, 999, thing, subject=f"n-{thing}") for name in NAMES for thing in THINGS))

    def stir() -> None:
        for _ in range(4):
            name, thing = f"p{random.randrange(60):02}", random.choice(THINGS)
            provider, receiver = random.sample(NAMES, 2)
            desk.take(proposal(name, provider, receiver, 1, at=1, offer=f"o-{thing}", need=f"n-{thing}", thing=thing))
            if random.random() < 0.5:
                desk.take(retracted(f"p{random.randrange(60):02}", at=random.random()))

    for _ in range(20):
        stir()
    book = desk.core.book
    agent, resource = random.choice([None, *NAMES]), random.choice([None, *THINGS])

    def wanted() -> set[str]:
        return {
            name
            for name, deal in book.deals.items()
            if (agent is None or agent in deal.parties) and (resource is None or deal.lines[0].thing[1] == resource)
        }

    always, ever, listed, after = wanted(), wanted(), [], ""
    while after is not None:
        page = proposals(desk.core, Asked(2, after, agent, resource, "proposed"))
        listed += [row["proposal"] for row in page["items"]]
        after = page["next"]
        stir()
        always, ever = always & wanted(), ever | wanted()
    assert listed == sorted(set(listed))
    assert always <= set(listed) <= ever


@pytest.mark.parametrize("seed", range(8))
def test_pages_neither_skip_nor_repeat_while_needs_come_and_go(looks_at: int, seed: int):
    random = Random(seed)
    desk = passive_desk()

    def stir() -> None:
        for _ in range(4):
            name, thing, at = random.choice(NAMES), random.choice(THINGS), random.random()
            desk.take(random.choice([need, offer])(name, 9, thing, subject=f"s{random.randrange(9)}", at=at))
            if random.random() < 0.5:
                desk.take(withdraw("need", random.choice(NAMES), f"s{random.randrange(9)}", at=at))

    for _ in range(20):
        stir()
    agent, resource = random.choice([None, *NAMES]), random.choice([None, *THINGS])

    def wanted() -> set[str]:
        return {
            one.ref
            for one in desk.core.network.living()
            if not one.is_supply and agent in (None, one.agent) and resource in (None, one.name)
        }

    always, ever, listed, after = wanted(), wanted(), [], ""
    while after is not None:
        page = offers_or_needs(desk.core, Asked(2, after, agent, resource), supply=False)
        listed += [row["ref"] for row in page["items"]]
        after = page["next"]
        stir()
        always, ever = always & wanted(), ever | wanted()
    assert len(listed) == len(set(listed))
    assert always <= set(listed) <= ever


def test_a_page_is_short_and_has_a_next_where_most_of_what_it_looked_at_is_not_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(views, "LOOKED_AT", 3)
    desk = passive_desk()
    desk.take(offer("a", 99), need("b", 99), *(proposal(f"p{number}", "a", "b", 1, at=1) for number in range(8)))
    desk.core.book.deals["p6"].state = State.PROMISED
    pages = list(pages_of(desk, Asked(9, state="promised")))
    assert [[row["proposal"] for row in page["items"]] for page in pages] == [[], [], ["p6"]]
    assert [page["next"] for page in pages] == ["p2", "p5", None]


def pages_of(desk: Desk, asked: Asked):
    after = ""
    while after is not None:
        page: Page = proposals(desk.core, Asked(asked.limit, after, asked.agent, asked.resource, asked.state))
        yield page
        after = page["next"]


def test_agents_and_the_ledger_come_in_pages_that_hold_each_once(looks_at: int):
    desk = Desk(*(offer(name, 9, subject="o") for name in NAMES), need("z", 40, subject="n"))
    desk.core.planning = False
    desk.take(*(proposal(f"p-{name}", name, "z", 1, at=1) for name in NAMES))
    desk.take(*(answer(name, f"p-{name}", at=2) for name in NAMES))
    for view, expected in ((agents, [*sorted(NAMES), "z"]), (ledger, [1, 2, 3, 4, 5])):
        after, listed = "", []
        while after is not None:
            page = view(desk.core, Asked(2, after))
            listed += [row.get("number", row["agent"]) for row in page["items"]]
            after = page["next"]
        assert listed == expected
    assert [row["agent"] for row in agents(desk.core, Asked(agent="ab"))["items"]] == ["ab"]
    assert [row["number"] for row in ledger(desk.core, Asked(agent="ab", after="3"))["items"]] == [4]
    count = len(desk.core.ledger)
    assert ledger(desk.core, Asked(after=str(count)))["items"] == []
    with pytest.raises(Refused, match=f"after is 99999999999999999999, but the ledger ends at {count} so far"):
        ledger(desk.core, Asked(after="9" * 20))


def test_the_ledger_is_told_backwards_and_by_kind_too(looks_at: int):
    desk = Desk(*(offer(name, 9, subject="o") for name in NAMES), need("z", 40, subject="n"))
    desk.core.planning = False
    desk.take(*(proposal(f"p-{name}", name, "z", 1, at=1) for name in NAMES))
    desk.take(*(answer(name, f"p-{name}", "decline" if number % 2 else "accept", at=2) for number, name in enumerate(NAMES)))
    for kind, expected in ((None, [5, 4, 3, 2, 1]), ("declined", [4, 2]), ("broken", [])):
        after, listed = "", []
        while after is not None:
            page = ledger(desk.core, Asked(2, after, kind=kind, newest=True))
            listed += [row["number"] for row in page["items"]]
            after = page["next"]
        assert listed == expected


def test_a_proposal_is_found_by_how_its_id_begins_wherever_it_stands():
    desk = passive_desk()
    desk.take(offer("a", 99), need("b", 99), *(proposal(name, "a", "b", 1, at=1) for name in ("aa1", "ab1", "ab2", "b")))
    desk.take(retracted("b", at=2))
    assert deal_named(desk.core, "aa")["proposal"] == "aa1"
    assert deal_named(desk.core, "b") == {"proposal": "b", "state": "retracted"}
    with pytest.raises(Refused, match=r"2 proposals begin with 'ab' \(ab1, ab2\); write more"):
        deal_named(desk.core, "ab")
    desk.take(*(proposal(name, "a", "b", 1, at=2) for name in ("ab4", "ab3")), retracted("ab1", at=3))
    with pytest.raises(Refused, match=r"more than 3 proposals begin with 'ab' \(ab1, ab2, ab3 …\); write more"):
        deal_named(desk.core, "ab")


def test_a_name_longer_than_any_here_is_not_told_back_whole() -> None:
    with pytest.raises(Refused) as refused:
        deal_named(Desk().core, "p" * 100_000)
    assert str(refused.value) == f"there is no proposal '{'p' * 60}…'; look at the list of proposals for its id"
