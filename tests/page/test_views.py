"""Each view opens with a network in it, without a complaint of the browser, and says what the server says."""

import json
import random
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from coordinator.errors import Refused
from coordinator.signals import event_json
from coordinator.times import format_instant
from tests.page.conftest import NOW_US, Opened, keep_shot, open_details, settle, visit
from tests.support.serving import Hand, Served, serve

# address -> a text that only this view has, and that follows from the data
VIEWS = {
    "overview": "Shortage by resource and tier",
    "map": "2 agents without a place",
    "needs": "SAMU 42",
    "needs?short=1&tier=0": "Réserve nationale",
    "proposals": "pairs of partners",
    "network": "What feeds face-shield",
    "network?show=upstream&thing=gown": "fabric-sms",
    "network?show=tree&thing=gown": "fabric-sms",
    "network?show=hours": "ehpad-poitiers",
    "network?show=downstream&agent=atelier-rennes": "What hangs on atelier-rennes",
    "network?show=weak": "Bottlenecks",
    "network?show=unreachable": "oxygen-sensor",
    "opportunities?agent=atelier-rennes": "more of",
    "opportunities?agent=48.1,-1.7": "would be there",
    "signals": "makers-",
    "book": "Ledger",
    "book?show=rules": "The charter in force",
    "book?agent=atelier-rennes": "Atelier Rennes",
    "refused": "Nothing was turned away",
}


NETWORK_SIDES = tuple(f"network?show={side}" for side in ("tree", "hours", "downstream", "weak", "unreachable"))


def test_a_view_opens_by_its_address_and_shows_what_there_is(served: Served, open_page: Opened) -> None:
    page = open_page(served)
    for address, text in VIEWS.items():
        page.goto("about:blank")
        page.goto(f"{served.url}/#/{address}")
        expect(page.locator("main")).to_contain_text(text)
        expect(page.locator(".health")).to_have_text("Live")
        expect(page.locator("main .trouble")).to_have_count(0)
        settle(page)
        keep_shot(page, re.sub(r"\W+", "-", address))


def test_every_view_speaks_french_in_the_dark(served: Served, open_page: Opened) -> None:
    """No word of the table is missing, and none of it is left in English: the watched console would tell of the first."""
    page = open_page(served, locale="fr-FR", color_scheme="dark")
    assert page.locator("html").get_attribute("lang") == "fr"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 22, 20)"
    for address in VIEWS:
        visit(page, address)
        expect(page.locator("nav.side")).to_contain_text("Vue d’ensemble")
        expect(page.locator("main .trouble")).to_have_count(0)
        keep_shot(page, f"french-{re.sub(r'[^a-z]+', '-', address)}")


@pytest.mark.parametrize(("locale", "head"), [("en-GB", "Unpromised"), ("fr-FR", "Sans promesse")])
def test_what_nothing_reaches_is_headed_by_what_it_is_and_proposed_or_not(
    served: Served, open_page: Opened, locale: str, head: str
) -> None:
    page = open_page(served, "/network?show=unreachable", locale=locale)
    expect(page.locator("main th").nth(2)).to_have_text(head)


def test_the_overview_adds_up(served: Served, open_page: Opened) -> None:
    items = served.get("/shortage")["items"]
    page = open_page(served)
    expect(page.locator(".headline")).to_contain_text(f"{sum(item['short_needs'] for item in items)} needs are short")
    assert page.locator(".shortages > li").count() == min(12, len(items))
    expect(page.locator(".figures")).to_contain_text(str(served.get("/network")["agents"]))


def test_a_short_need_says_why_in_a_sentence_and_whole_when_opened(served: Served, open_page: Opened) -> None:
    page = open_page(served, "/needs?short=1")
    need = page.locator(".need", has_text="SAMU 42")
    expect(need.locator(".why")).to_contain_text("no route and no two known places connect them")
    need.locator("summary").click()
    why = served.get("/needs/samu-42/need/mask-ffp2/why?lift=true")
    need.get_by_role("button", name="What would be enough?").click()
    for sentence in why["lifting"]["unsaid"]:
        expect(need.locator(".inside")).to_contain_text(sentence)
    for sentence in (*why["reasons"], *why["could_change"]):
        expect(need.locator(".inside")).to_contain_text(sentence)
    keep_shot(page, "need-opened")


def test_the_past_is_drawn_and_stands_beside_as_a_table(served: Served, open_page: Opened) -> None:
    page = open_page(served)
    past = served.get("/history")
    assert len(past["time"]) > 20
    assert page.locator("svg.plot path.area").count() == sum(any(row) for row in past["short"])
    assert page.locator(".sparks > li").count() == min(8, len(past["things"]))
    page.get_by_text("The same as a table").click()
    newest = page.locator(".card", has=page.locator("svg.plot")).locator("tbody tr").first.locator("td").all_inner_texts()
    assert newest[1:5] == [str(row[-1]) for row in past["short"]]


def test_the_rules_of_fairness_are_compared_when_somebody_asks(served: Served, open_page: Opened) -> None:
    page = open_page(served, "/book?show=rules")
    card = page.locator(".card", has=page.get_by_role("heading", name="What the rule of fairness costs"))
    expect(card.locator("tbody tr")).to_have_count(0)
    card.get_by_role("button", name="Compare the rules").click()
    expect(card.locator("tbody tr")).to_have_count(3)
    last = served.get("/charter/compared")["last"]
    assert last["left_out"] == []
    assert [row["needs"] for row in last["rules"].values()] == [served.get("/network")["needs"]] * 3
    expect(card).to_contain_text("in force")
    keep_shot(page, "book-compared")


def test_the_ledger_begins_with_the_newest_decision_however_long_it_is(live: Served, open_page: Opened) -> None:
    for number in range(30):
        say(live, "need", f"clinic-{number}", 5)
    say(live, "offer", "atelier", 150)
    live.wait(2)
    for proposal in live.get("/proposals?limit=1000")["items"]:
        for party in proposal["parties"]:
            live.client(party).accept(proposal["proposal"])
    page = open_page(live, "/book")
    numbers = page.locator(".card", has=page.get_by_role("heading", name="Ledger")).locator("tbody tr td:first-child")
    expect(numbers).to_have_count(50)
    assert numbers.all_inner_texts() == [str(number) for number in range(90, 40, -1)]
    page.get_by_role("button", name="Show 50 more").click()
    expect(numbers).to_have_count(90)


def test_decisions_of_one_kind_are_found_however_far_back_they_lie(live: Served, open_page: Opened) -> None:
    for number in range(30):
        say(live, "need", f"clinic-{number}", 5)
    say(live, "offer", "atelier", 150)
    live.wait(2)
    first, *others = live.get("/proposals?limit=1000")["items"]
    live.client("atelier").decline(first["proposal"])
    for proposal in others:
        for party in proposal["parties"]:
            live.client(party).accept(proposal["proposal"])
    page = open_page(live, "/book?kind=declined")
    card = page.locator(".card", has=page.get_by_role("heading", name="Ledger"))
    expect(card.locator("tbody tr")).to_have_count(1)
    expect(card).to_contain_text("declined")


def test_the_book_tells_which_word_had_no_effect(live: Served, open_page: Opened) -> None:
    say(live, "need", "clinic", 5)
    say(live, "offer", "atelier", 150)
    live.wait(2)
    [proposal] = live.get("/proposals")["items"]
    with pytest.raises(Refused, match="is not a party"):
        live.client("stranger").decline(proposal["proposal"])
    page = open_page(live, "/book?kind=refused", locale="fr-FR")
    expect(page.locator("tbody tr", has_text="stranger")).to_contain_text("sans effet son non")


def test_what_was_refused_leaves_nothing_behind(live: Served, open_page: Opened) -> None:
    page = open_page(live)
    say(live, "need", "clinic", 40)
    live.post(b"nonsense")
    say(live, "need", "ehpad", 40)
    live.post(b"nonsense")
    told = ""
    for _ in range(40):  # the view is read anew each time; how far the stream is comes beside it
        visit(page, "refused")
        visit(page, "overview")
        told = page.locator(".facts div", has_text="Behind").locator("dd").inner_text()
        if told == "0 records":
            break
    assert told == "0 records"


def test_a_need_tells_its_history(live: Served, open_page: Opened) -> None:
    for quantity in (40, 30):
        say(live, "need", "clinic", quantity)
        live.clock.now_us += 1_000_000
    say(live, "offer", "atelier", 60)
    live.wait(2)
    [proposal] = live.get("/proposals")["items"]
    live.client("atelier").decline(proposal["proposal"], "no van <b>today</b>")
    say(live, "need", "ehpad", 10)
    page = open_page(live, "/needs?need=clinic/need/gown")
    page.get_by_role("button", name="History").click()
    rows = page.locator(".past > li")
    expect(rows).to_have_count(5)
    expect(rows).to_contain_text(["declined", "declines – no van <b>today</b>", "atelier → clinic: 30 gown", "30 gown", "40 gown"])


def test_a_card_tells_what_was_rejected_for_it_and_what_the_plan_would_be_without_it(served: Served, open_page: Opened) -> None:
    pairs = [one["proposal"] for one in served.get("/proposals?limit=1000")["items"] if len(one["lines"]) == 1]
    told = ((one, served.get(f"/proposals/{one}/alternatives")["lines"]) for one in pairs)
    proposal, [line] = next((one, lines) for one, lines in told if len(lines[0]["instead_from"]) > 1 and lines[0]["wanted_by"])
    page = open_page(served, f"/proposals?id={proposal}")
    card = page.locator(".pair")
    card.focus()
    page.keyboard.press("w")
    expect(card).to_contain_text(f"{line['sources']} other sources")
    for one in (*line["instead_from"][:3], *line["wanted_by"][:3]):
        expect(card).to_contain_text(one["agent"])
    card.get_by_role("button", name="What if it is declined?").click()
    without = served.get(f"/proposals/{proposal}/without")
    expect(card).to_contain_text(f"Others who get more: {without['others_rise']}; less: {without['others_fall']}.")
    keep_shot(page, "proposal-why")


def test_beside_an_opened_card_the_others_go_on(served: Served, open_page: Opened) -> None:
    page = open_page(served, "/proposals")
    cards = page.locator(".cards > li")
    before = cards.nth(0).bounding_box()
    cards.nth(0).locator("summary").first.click()
    expect(cards.nth(0).locator("table").first).to_be_visible()
    expect(cards.nth(0)).to_have_attribute("style", re.compile(r"span ([3-9]|\d\d)"))
    opened, *others = (box for index in range(6) if (box := cards.nth(index).bounding_box()))
    assert before is not None
    assert opened["height"] > 3 * before["height"]
    beside = [one for one in others if one["x"] > opened["x"] and one["y"] < opened["y"] + opened["height"]]
    assert len(beside) >= 3, "one card beside it, and nothing below"
    cards.nth(0).locator("summary").first.click()
    expect(cards.nth(0)).to_have_attribute("style", re.compile("span 1(;|$| )"))


@pytest.mark.parametrize("gap", ["0", "normal"])
def test_beside_an_opened_card_a_hidden_one_and_no_gap_are_passed_over(served: Served, open_page: Opened, gap: str) -> None:
    page = open_page(served, "/proposals")
    cards = page.locator(".cards > li")
    page.locator(".cards").evaluate("(list, gap) => { list.style.rowGap = gap; list.children[1].style.display = 'none'; }", gap)
    expect(cards.nth(1)).to_be_hidden()
    cards.nth(0).locator("summary").first.click()
    expect(cards.nth(0)).to_have_attribute("style", re.compile(r"span ([3-9]|\d\d)\b"))


def test_what_several_make_together_says_who_does_what_and_what_it_takes(served: Served, open_page: Opened) -> None:
    items = served.get("/proposals?limit=1000")["items"]
    tree = next(one for one in items if len(one["parties"]) > 2)
    assert served.get(f"/proposals/{tree['proposal']}/alternatives")["unsaid"] == "making"
    page = open_page(served, f"/proposals?id={tree['proposal']}")
    card = page.locator(".pair")
    for line in tree["lines"]:
        for name in (line["provider"], line["resource"]):
            expect(card).to_contain_text(name)
    card.locator("[data-act=why]").click()
    expect(card).to_contain_text("In all it takes")
    expect(card).to_contain_text("Several parties make it together")
    keep_shot(page, "proposal-tree")


def test_all_that_is_downstream_of_an_agent_is_joined_by_lines(served: Served, open_page: Opened) -> None:
    rows = served.get("/network/downstream/atelier-rennes")["items"]
    assert max(row["level"] for row in rows) > 2  # through recipes
    page = open_page(served, "/network?show=downstream&agent=atelier-rennes")
    drawn = 12  # in a column
    by_level = [[row for row in rows if row["level"] == level] for level in range(1, 1 + max(row["level"] for row in rows))]
    if all(len(some) <= drawn for some in by_level):
        expect(page.locator(".layers .edge")).to_have_count(sum(len(row["after"]) for row in rows))
    else:
        assert page.locator(".layers .edge").count() > len(by_level[0])
    keep_shot(page, "downstream")


def test_filters_are_in_the_address_and_come_back_from_it(served: Served, open_page: Opened) -> None:
    page = open_page(served, "/needs")
    page.get_by_label("Resource or process").select_option("gown")
    page.get_by_label("only short ones").check()
    expect(page.locator(".needs .what").first).to_contain_text("gown")
    assert page.url.endswith("#/needs?resource=gown&short=1")
    shown = min(40, served.get("/shortage/needs?resource=gown&short=true")["total"])
    expect(page.locator(".needs > li")).to_have_count(shown)
    again = open_page(served, page.url.partition("#")[2])
    expect(again.locator(".needs > li")).to_have_count(shown)
    assert again.get_by_label("Resource or process").input_value() == "gown"
    assert again.get_by_label("only short ones").is_checked()


def test_search_finds_an_agent_and_goes_there(served: Served, open_page: Opened) -> None:
    page = open_page(served)
    page.keyboard.press("Control+k")
    page.keyboard.type("CHU Renn")
    expect(page.locator(".found li").first).to_contain_text("CHU Rennes")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("Ledger of chu-rennes")
    assert page.url.endswith("#/book?agent=chu-rennes")


def test_search_says_that_there_is_more_than_it_shows(served: Served, open_page: Opened) -> None:
    assert len(served.get("/search?q=chu&limit=11")["items"]) == 11
    page = open_page(served)
    page.locator("#search").fill("chu")
    expect(page.locator(".found a")).to_have_count(10)
    expect(page.locator(".found .note")).to_have_text("These are the 10 nearest: write more to find others.")
    page.locator("#search").fill("reserve-nationale/need/oxygen")
    expect(page.locator(".found a").first).to_contain_text("reserve-nationale/need/oxygen-sensor")
    expect(page.locator(".found .note")).to_have_count(
        int(len(served.get("/search?q=reserve-nationale/need/oxygen&limit=11")["items"]) > 10)
    )


@pytest.mark.parametrize(
    ("address", "says", "heading"),
    [
        ("nothing", "There is no view called “nothing”; this is the overview.", "Overview"),
        ("needs?tier=9", "The address asks for tier “9”, which there is not: it is left out.", "Needs"),
        ("needs?tier=9&constructor=1&__proto__=1", "The address asks for tier “9”, which there is not: it is left out.", "Needs"),
        ("needs?more=many", "The address asks for more “many”, which there is not: it is left out.", "Needs"),
        ("proposals?state=lost", "The address asks for state “lost”, which there is not: it is left out.", "Proposals"),
        ("network?show=all", "The address asks for show “all”, which there is not: it is left out.", "Network"),
        ("signals?kind=smoke", "The address asks for kind “smoke”, which there is not: it is left out.", "Signals"),
        ("book?kind=lost", "The address asks for kind “lost”, which there is not: it is left out.", "Book"),
        ("refused?code=none", "The address asks for code “none”, which there is not: it is left out.", "Turned away"),
    ],
)
def test_what_an_address_asks_for_in_vain_is_said_and_the_rest_is_shown(
    served: Served, open_page: Opened, address: str, says: str, heading: str
) -> None:
    page = open_page(served, f"/{address}")
    expect(page.locator("main .notice").first).to_have_text(says)
    expect(page.locator("main h1")).to_have_text(heading)
    expect(page.locator("main .trouble")).to_have_count(0)
    visit(page, "overview")
    expect(page.locator("main .notice")).to_have_count(0)


# -- as it goes on ----------------------------------------------------------------------------------------------------


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path / "log", clock=Hand(NOW_US)) as running:
        yield running


def say(server: Served, kind: str, agent: str, quantity: int) -> None:
    place = {"lat": 48.1, "long": -1.7}
    data = {"resource": "gown", "quantity": {"value": quantity, "unit": "1"}, "place": place}
    assert server.post(event_json(kind, f"agent:{agent}", "gown", server.clock.now_us, data)).status == 200


def test_every_view_opens_where_nothing_was_said_yet(live: Served, open_page: Opened) -> None:
    page = open_page(live)
    for address in (
        "map",
        "needs",
        "proposals",
        "network",
        *NETWORK_SIDES,
        "opportunities",
        "signals",
        "book",
        "book?show=rules",
        "refused",
    ):
        visit(page, address)
        expect(page.locator("main .trouble")).to_have_count(0)
    visit(page, "opportunities")
    expect(page.locator("main")).to_contain_text("Nobody has said anything yet.")
    visit(page, "map")
    say(live, "need", "clinic", 40)
    expect(page.locator("details.card summary")).to_contain_text("1 agent", timeout=20_000)


def test_why_one_more_from_somewhere_relieves_nobody_is_told_in_the_readers_language(live: Served, open_page: Opened) -> None:
    say(live, "offer", "atelier", 60)
    page = open_page(live, "/opportunities?agent=atelier", locale="fr-FR")
    expect(page.locator("main .nothing")).to_contain_text("il ne manque rien à personne à sa portée")


def test_what_is_said_appears_without_a_reload(live: Served, open_page: Opened) -> None:
    page = open_page(live)
    expect(page.locator(".headline")).to_have_text("Nobody has asked for anything yet.")
    say(live, "need", "clinic", 40)
    expect(page.locator(".headline")).to_contain_text("1 need is short of one thing.")
    say(live, "offer", "atelier", 60)
    live.wait(2)
    expect(page.locator(".headline")).to_contain_text("Nothing is short")
    expect(page.locator("nav .count")).to_have_text("1")


def test_what_one_is_doing_is_left_alone_when_the_view_is_brought_up_to_date(live: Served, open_page: Opened) -> None:
    say(live, "need", "clinic", 40)
    page = open_page(live, "/needs")
    page.get_by_label("Filter").focus()
    page.locator(".need summary").click()
    page.get_by_label("Filter").fill("cli")
    say(live, "need", "clinique", 40)
    expect(page.locator(".needs > li")).to_have_count(2)
    expect(page.get_by_label("Filter")).to_be_focused()
    assert page.get_by_label("Filter").input_value() == "cli"
    assert page.locator("details.need").first.get_attribute("open") == ""


def test_the_tail_can_be_filtered_and_held(live: Served, open_page: Opened) -> None:
    page = open_page(live, "/signals")
    say(live, "need", "clinic", 40)
    say(live, "offer", "atelier", 60)
    expect(page.locator(".log > li")).to_have_count(2)
    page.get_by_label("Kind").select_option("need")
    expect(page.locator(".log > li")).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    say(live, "need", "ehpad", 5)
    page.wait_for_function(
        """() => { dispatchEvent(new Event('hashchange'));  // which draws the view anew
          return document.querySelector('main .note').textContent.includes('3 records'); }""",
        polling=50,
    )
    expect(page.locator(".log > li")).to_have_count(1)
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".log > li")).to_have_count(2)
    page.locator(".log summary").first.click()
    expect(page.locator(".log pre").first).to_contain_text('"source": "agent:ehpad"')


def test_a_signal_is_copied_as_a_command_that_says_it_again(live: Served, open_page: Opened) -> None:
    page = open_page(live, "/signals", permissions=["clipboard-read", "clipboard-write"])
    say(live, "need", "clinic", 40)
    page.locator(".log summary").first.click()
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.locator(".toast")).to_contain_text("Copied")
    command = page.evaluate("navigator.clipboard.readText()")
    body = re.search(r"-d '(.+)'$", command, flags=re.S)
    assert f"{live.url}/signals" in command
    assert body is not None
    assert live.post(body[1].encode()).json["results"][0]["status"] == "repeat"


def test_a_stream_that_broke_is_said_and_taken_up_where_it_was(live: Served, open_page: Opened) -> None:
    page = open_page(live, "/signals", expected=("ERR_", "Failed to load"))
    say(live, "need", "clinic", 40)
    expect(page.locator(".log > li")).to_have_count(1)
    page.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('online'))")  # what the browser says on its way back: the old connection is let go
    expect(page.locator(".health")).to_contain_text("Not connected")
    say(live, "need", "ehpad", 40)
    page.context.set_offline(False)
    expect(page.locator(".health")).to_have_text("Live", timeout=30_000)
    expect(page.locator(".log > li")).to_have_count(2)


def test_a_server_that_is_not_ready_at_first_is_followed_once_it_is(
    live: Served, open_page: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its log ends is asked again, not taken from what it says before."""
    say(live, "need", "clinic", 40)
    monkeypatch.setattr(live.service, "_failure", "the history is being read")
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(live.service, "_entries", 0)
        page = open_page(live, "/signals", expected=("status of 503",))
        page.wait_for_function("document.querySelector('.health').classList.contains('lost')")
    monkeypatch.setattr(live.service, "_failure", None)
    page.locator(".health.live").wait_for()
    expect(page.locator(".log > li")).to_have_count(1)


def test_what_failed_at_first_is_asked_again(live: Served, open_page: Opened) -> None:
    """The land behind the map, and whether speaking takes tokens."""
    say(live, "need", "clinic", 40)
    failed: list[str] = []

    def fail_once(route: Route) -> None:
        first = route.request.url not in failed
        failed.append(route.request.url)
        route.abort() if first else route.continue_()

    def prepare(page: Page) -> None:
        for path in ("session", "page/world.json", "events*"):
            page.route(f"**/{path}", fail_once)

    page = open_page(live, "/map", expected=("ERR_FAILED",), prepare=prepare)
    page.locator(".health.live").wait_for()
    with page.expect_response("**/page/world.json") as land:
        say(live, "need", "ehpad", 40)
    assert land.value.ok
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("dialog")).to_contain_text("anybody's word")


def test_a_map_whose_thread_did_not_come_says_so_and_is_tried_again(live: Served, open_page: Opened) -> None:
    say(live, "need", "clinic", 40)
    failed: list[str] = []

    def fail_once(route: Route) -> None:
        failed.append(route.request.url)
        route.abort() if len(failed) == 1 else route.continue_()

    page = open_page(live, "/map", expected=("ERR_FAILED",), prepare=lambda page: page.route("**/map/painter.js", fail_once))
    expect(page.locator("main .trouble")).to_contain_text("cannot be reached")
    say(live, "need", "ehpad", 40)
    page.locator(".chart .sheet[style*=transform]").wait_for(state="attached")
    expect(page.locator("main .trouble")).to_have_count(0)


def test_what_is_shown_is_read_anew_once_the_stream_is_back(live: Served, open_page: Opened) -> None:
    asked: list[str] = []
    lost: list[Route] = []

    def lose_first(route: Route) -> None:
        lost.append(route)
        route.abort() if len(lost) == 1 else route.continue_()

    def prepare(page: Page) -> None:
        page.route("**/events*", lose_first)
        page.on("request", lambda request: asked.append(request.url) if "/shortage/needs" in request.url else None)

    page = open_page(live, "/needs", expected=("ERR_FAILED",), prepare=prepare)
    page.locator(".health.live").wait_for()
    before = len(asked)
    with page.expect_request("**/shortage/needs*", timeout=10_000):
        assert before == 1  # nothing was said meanwhile


def test_a_try_that_is_never_answered_is_let_go(live: Served, open_page: Opened) -> None:
    held: list[Route] = []

    def hold_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page = open_page(live, "/signals", prepare=lambda page: page.route("**/events*", hold_first))
    page.clock.fast_forward(41_000)
    page.locator(".health.live").wait_for()
    assert len(held) == 1


def test_a_message_that_is_missing_costs_one_view_and_not_the_page(live: Served, open_page: Opened) -> None:
    def prepare(page: Page) -> None:
        lacking = re.sub(r'(?m)^  "book\.charter":.*$', "", (files("coordinator") / "page" / "words" / "en.js").read_text(encoding="utf-8"))
        page.route("**/words/en.js", lambda route: route.fulfill(body=lacking, content_type="text/javascript"))

    page = open_page(live, "/book?show=rules", expected=("no message book.charter",), prepare=prepare)
    expect(page.locator("main .notice")).to_contain_text("Something went wrong")
    page.get_by_role("link", name="Signals").click()
    expect(page.locator("main h1")).to_have_text("Signals")


def test_the_map_moves_by_keyboard_and_keeps_where_one_looks_in_the_address(served: Served, open_page: Opened) -> None:
    page: Page = open_page(served, "/map")
    canvas = page.locator(".chart .window")
    expect(page).to_have_url(re.compile(r"v=-?[\d.]+_-?[\d.]+_\d+$"))
    before = page.url
    canvas.focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    expect(page).not_to_have_url(before)
    again = open_page(served, page.url.partition("#")[2])
    expect(again.locator(".chart .ruler")).not_to_be_empty()  # it is drawn once nothing moves any more
    assert again.url == page.url
    painted = """c => { const copy = document.createElement('canvas'); [copy.width, copy.height] = [c.width, c.height];
      const pen = copy.getContext('2d'); pen.drawImage(c, 0, 0);
      return new Set(new Uint32Array(pen.getImageData(0, 0, c.width, c.height).data.buffer)).size; }"""
    assert page.locator(".chart .sheet").evaluate(painted) > 50  # land, sea, flows, names: no empty sheet


def test_a_map_of_a_network_without_places_says_that_it_is_drawn_from_distances(live: Served, open_page: Opened) -> None:
    for start, end, km in (("a", "b", 300), ("b", "c", 400), ("c", "d", 300), ("d", "a", 400), ("a", "c", 500), ("b", "d", 500)):
        assert live.post(event_json("route", f"agent:{start}", end, NOW_US, {"to": end, "distance_km": km})).status == 200
    page = open_page(live, "/map")
    expect(page.locator("main .notice")).to_contain_text("distances", timeout=20_000)
    settle(page)
    expect(page.locator("details.card summary")).to_contain_text("4 agents")


def test_no_coast_goes_around_the_world_where_it_crosses_the_180th_meridian(live: Served, open_page: Opened) -> None:
    widest, land = open_page(live).evaluate(
        """async () => {
          const {worldPaths} = await import('/page/map/projection.js');
          const {coasts} = worldPaths(await (await fetch('page/world.json')).json());
          const pen = document.createElement('canvas').getContext('2d');
          const at = (long, lat) => [long / 360, -Math.log(Math.tan(Math.PI / 4 + lat * Math.PI / 360)) / (2 * Math.PI)];
          const isLand = (long, lat) => coasts.some(({path}) => pen.isPointInPath(path, ...at(long, lat)));
          const places = {moscow: isLand(37.6, 55.8), chukotka: isLand(183, 67), atlantic: isLand(-40, 40), arctic: isLand(0, 68.98)};
          return [Math.max(...coasts.map(({west, east}) => east - west)), places]; }"""
    )
    assert widest < 0.6  # of the world's circumference: Europe and Asia
    assert land == {"moscow": True, "chukotka": True, "atlantic": False, "arctic": False}


def test_pressure_on_the_map_fades_with_the_life_of_what_was_said(live: Served, open_page: Opened) -> None:
    say(live, "need", "clinic", 40)
    fresh, old = open_page(live, "/map").evaluate(
        """async () => {
          const {sceneOf} = await import('/page/map/scene.js');
          const data = await (await fetch('map')).json();
          const heat = life => sceneOf({...data, signals: {...data.signals, life: [life]}}).heat[0];
          return [heat(1000), heat(250)]; }"""
    )
    assert fresh == pytest.approx(4 * old)
    assert old > 0


def test_what_is_pointed_at_is_told_until_the_map_moves(live: Served, open_page: Opened) -> None:
    say(live, "need", "clinic", 40)
    page = open_page(live, "/map")
    page.locator(".chart .sheet[style*=transform]").wait_for(state="attached")
    box = page.locator(".chart .window").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator(".chart .tip strong")).to_have_text("clinic")
    page.mouse.wheel(0, -60)
    expect(page.locator(".chart .tip")).to_be_hidden()


def test_a_link_to_a_place_on_the_map_is_followed_while_the_map_is_open(served: Served, open_page: Opened) -> None:
    page = open_page(served, "/map")
    expect(page).to_have_url(re.compile(r"v=-?[\d.]+_-?[\d.]+_\d+$"))
    paper = page.locator(".chart .sheet")
    before = paper.evaluate("sheet => sheet.style.transform")
    visit(page, "map?v=0.02000_-0.17000_9000")
    page.wait_for_function("before => document.querySelector('.chart .sheet').style.transform !== before", arg=before)
    expect(page).to_have_url(re.compile(r"v=0\.02000_-0\.17000_9000$"))


def test_several_at_one_place_lie_side_by_side_and_each_is_reached_by_the_keys(live: Served, open_page: Opened) -> None:
    names = ["clinic", "ehpad", "hospice", "maternity"]
    for name in names:
        say(live, "need", name, 40)  # at one rounded place
    page = open_page(live, "/map")
    page.locator(".chart .sheet[style*=transform]").wait_for(state="attached")
    page.locator(".chart .window").focus()
    seen = []
    for _ in names:
        page.keyboard.press("n")
        seen.append(page.locator(".chart .tip strong").inner_text())
    assert sorted(seen) == names
    page.keyboard.press("p")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text(f"Ledger of {seen[-2]}")


def test_nothing_is_painted_in_the_middle_of_a_movement_however_late_the_machine_is(live: Served, open_page: Opened) -> None:
    say(live, "need", "clinic", 40)
    count = """window.painted = 0; const send = Worker.prototype.postMessage;
      Worker.prototype.postMessage = function (told) { window.painted += told.way === "paint"; send.call(this, told); };"""
    page = open_page(live, "/map", prepare=lambda page: page.add_init_script(count))
    expect(page.locator(".chart .ruler")).not_to_be_empty()
    settle(page)
    before, after = page.evaluate("""async () => {
      const {SETTLED_MS} = await import('/page/map/canvas.js');
      const frame = () => new Promise(requestAnimationFrame), canvas = document.querySelector('.chart .window'), before = window.painted;
      for (let turn = 0; turn < 6; turn += 1) {
        canvas.dispatchEvent(new WheelEvent('wheel', {deltaY: -20, bubbles: true, cancelable: true}));
        for (const until = performance.now() + 2 * SETTLED_MS; performance.now() < until;);  // longer than it takes to be at rest
        await frame();
      }
      return [before, window.painted]; }""")
    assert after == before
    page.wait_for_function("before => window.painted > before", arg=before)  # at rest


def test_no_name_on_the_map_covers_a_dot_or_another_name(served: Served, open_page: Opened) -> None:
    """Held against plain arithmetic, for dots strewn by chance, some of them on the edge of what is seen."""
    page = open_page(served)
    chance = random.Random(7)
    window = [100, 100, 500, 400]
    dots = [[chance.uniform(80, 520), chance.uniform(80, 420), chance.choice([3.7, 5.2, 9.2])] for _ in range(60)]
    wide = [chance.uniform(20, 110) for _ in dots]
    placed, high = page.evaluate(
        """async ([dots, wide, window]) => { const {HIGH, placeNames} = await import('/page/map/names.js');
          return [placeNames(dots, wide, window), HIGH]; }""",
        [dots, wide, window],
    )
    boxes = [(at[0], at[1], at[0] + width, at[1] + high) if at else None for at, width in zip(placed, wide, strict=True)]
    written = [box for box in boxes if box]
    assert 20 < len(written) < len(dots)  # crowded: some names find no place
    for box in written:
        left, top, right, bottom = box
        assert not [
            dot for dot in dots if left < dot[0] + dot[2] and right > dot[0] - dot[2] and top < dot[1] + dot[2] and bottom > dot[1] - dot[2]
        ]
        assert not [
            each for each in written if each is not box and left < each[2] and right > each[0] and top < each[3] and bottom > each[1]
        ]
    for (x, y, _), box in zip(dots, boxes, strict=True):
        if box and window[0] <= x <= window[2] and window[1] <= y <= window[3]:
            assert window[0] <= box[0] <= box[2] <= window[2]
            assert window[1] <= box[1] <= box[3] <= window[3]


@pytest.mark.parametrize("address", ["network?thing=no-such", "network?show=tree&thing=no-such", "network?show=downstream&agent=no-such"])
def test_a_name_that_nobody_has_is_said_to_be_one_and_the_view_stays_of_use(served: Served, open_page: Opened, address: str) -> None:
    page = open_page(served, f"/{address}", expected=("status of 404", "status of 400"))
    expect(page.locator("main .notice")).to_have_text("Nothing and nobody here is called no-such.")
    page.get_by_role("link", name="What feeds a thing").click()
    expect(page.locator("main")).to_contain_text("What feeds face-shield")


def test_every_row_of_hours_says_whose_they_are(served: Served, open_page: Opened) -> None:
    rows = served.get("/network/hours")["items"]
    page = open_page(served, "/network?show=hours")
    told = page.locator("main tbody tr td:first-child").all_inner_texts()
    assert told == [row["agent"] for row in rows for _ in row["booked"] or [None]]
    assert max(map(told.count, told)) > 1


def test_the_axis_of_hours_begins_now_and_not_where_some_window_did(live: Served, open_page: Opened) -> None:
    day_us = 86_400_000_000
    place = {"lat": 48.1, "long": -1.7}
    for agent, begin_us, end_us in (("early", NOW_US - 90 * day_us, NOW_US + 2 * day_us), ("over", NOW_US - 90 * day_us, NOW_US - day_us)):
        window = {"begin": format_instant(begin_us), "end": format_instant(end_us)}
        data = {"process": "sewing", "effort": {"value": 9, "unit": "h"}, "place": place, **window}
        assert live.post(event_json("capacity", f"agent:{agent}", "sewing", NOW_US, data)).status == 200
    page = open_page(live, "/network?show=hours")
    expect(page.locator("main tbody tr td:first-child")).to_have_text(["early"])
    now, track = (page.locator(f".gantt {name}").bounding_box() for name in (".now", ".booking-free"))
    assert now is not None
    assert track is not None
    assert abs(now["x"] - track["x"]) < 3


def test_a_filter_shows_what_it_found_of_what_was_turned_away(live: Served, open_page: Opened) -> None:
    live.post(b"nonsense")
    data = {"resource": "gown", "quantity": {"value": -4, "unit": "1"}}
    live.post(event_json("need", "agent:clinic", "gown", NOW_US, data))
    page = open_page(live, "/refused?q=gown")
    expect(page.locator("main .log > li")).to_have_count(1)
    expect(page.locator("main .log pre")).to_be_visible()  # it stands in the signal alone
    visit(page, "refused?q=above zero")
    expect(page.locator("main .log > li")).to_have_count(1)
    expect(page.locator("main .log pre")).to_be_hidden()


def test_what_was_turned_away_is_told_in_the_readers_language(live: Served, open_page: Opened) -> None:
    live.post(b"nonsense")
    say_wrong = event_json("need", "agent:clinic", "gown", NOW_US, {"resource": "gown", "quantity": {"value": -4, "unit": "1"}})
    live.post(say_wrong)
    page = open_page(live, "/refused", locale="fr-FR")
    expect(page.locator(".log .why").first).to_contain_text("data.quantity.value vaut -4 ; une quantité est au-dessus de zéro")
    expect(page.locator(".log .why").last).to_contain_text("la ligne n’est pas du JSON au caractère 1")


def test_where_only_a_filter_finds_nothing_that_is_what_is_said(live: Served, open_page: Opened) -> None:
    live.post(b"nonsense")
    page = open_page(live, "/refused?code=late")
    expect(page.locator("main .nothing")).to_have_text("Nothing of what was turned away fits these filters.")
    visit(page, "refused?q=somebody")
    expect(page.locator("main .nothing")).to_have_text("Nothing of what was turned away fits these filters.")
    visit(page, "refused")
    expect(page.locator("main .log > li")).to_have_count(1)


def test_a_mark_means_whom_it_was_drawn_for_also_where_others_joined_since(live: Served, open_page: Opened) -> None:
    def prepare(page: Page) -> None:
        page.add_init_script("""const send = Worker.prototype.postMessage;
          Worker.prototype.postMessage = function (told) { if (!window.held || told.way !== "paint") send.call(this, told); };""")

    say(live, "need", "clinic", 40)
    page = open_page(live, "/map", prepare=prepare)
    page.locator(".chart .sheet[style*=transform]").wait_for(state="attached")
    page.evaluate("window.held = true")
    say(live, "need", "atelier", 40)  # before the clinic, by name
    expect(page.locator("details.card summary")).to_contain_text("2 agents", timeout=20_000)
    page.locator(".chart .window").focus()
    page.keyboard.press("n")
    expect(page.locator(".chart .tip strong")).to_have_text("clinic")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("Ledger of clinic")


def test_everybody_on_the_map_is_in_its_table_too(served: Served, open_page: Opened) -> None:
    page = open_page(served, "/map?thing=gown&short=1")
    page.locator("details.card summary").click()
    short = {row["agent"] for row in served.get("/shortage/needs?resource=gown&short=true&limit=500")["items"]}
    page.locator("details.card tbody").wait_for()
    links = page.locator("details.card tbody a.agent").evaluate_all(
        "all => all.map(a => new URLSearchParams(a.hash.split('?')[1]).get('agent'))"
    )
    assert set(links) == short


def test_reasons_are_asked_again_only_where_they_may_have_changed(live: Served, open_page: Opened) -> None:
    for name in ("clinic", "ehpad"):
        say(live, "need", name, 40)
    asked: list[str] = []
    page = open_page(live, "/needs", prepare=lambda page: page.on("request", lambda request: asked.append(request.url)))
    expect(page.locator(".need .why")).to_have_count(2)
    say(live, "need", "hospice", 30)
    expect(page.locator(".need .why")).to_have_count(3)
    whys = [url.partition("/needs/")[2].partition("%2F")[0] for url in asked if url.endswith("/why")]
    assert (whys.count("ehpad"), whys.count("hospice")) == (1, 1)


def test_what_one_asked_for_of_a_need_stays_also_where_an_older_answer_comes_late(live: Served, open_page: Opened) -> None:
    say(live, "need", "clinic", 40)
    page = open_page(live, "/needs?need=clinic/need/gown")
    page.get_by_role("button", name="History").click()
    expect(page.locator(".past > li")).to_have_count(1)
    held: list[Route] = []
    page.route("**/why", lambda route: route.continue_() if held else held.append(route))
    with page.expect_request("**/why"):
        say(live, "need", "ehpad", 10)
    enough = page.get_by_role("button", name="What would be enough?")
    enough.click()
    expect(enough).to_have_count(0)
    held[0].continue_()
    settle(page)
    expect(enough).to_have_count(0)
    expect(page.locator(".past > li")).to_have_count(1)
    say(live, "need", "clinic", 30)
    expect(page.locator(".past > li")).to_have_count(2)  # read anew, and open still


def test_a_need_that_is_open_stays_so_in_another_language(live: Served, open_page: Opened) -> None:
    say(live, "need", "clinic", 40)
    page = open_page(live, "/needs?need=clinic/need/gown")
    expect(page.locator(".inside")).to_be_visible()
    page.get_by_label("Language, langue").select_option("fr")
    expect(page.locator(".inside")).to_contain_text("Pourquoi")


def test_a_view_at_rest_draws_nothing(served: Served, open_page: Opened) -> None:
    """Once every answer is there, frames make and change no element but the times told from now."""
    page = open_page(served, "/needs?short=1")
    open_details(page)
    expect(page.locator("main details[open] .inside")).to_have_count(8)
    made, changed = page.evaluate("""async () => {
      const frame = () => new Promise(requestAnimationFrame);
      let [made, changed] = [0, 0];
      const draws = Element.prototype.setAttribute;
      Element.prototype.setAttribute = function (...given) { made += 1; return draws.apply(this, given); };
      const outside = ({target}) => !(target.nodeType === Node.TEXT_NODE ? target.parentElement : target)?.closest('time');
      const watcher = new MutationObserver(found => { changed += found.filter(outside).length; });
      watcher.observe(document.querySelector('main'), {subtree: true, childList: true, characterData: true, attributes: true});
      for (let tries = 0; tries < 500; tries += 1) {  // until it rests: one that never does, never stops drawing
        [made, changed] = [0, 0];
        for (let frames = 0; frames < 10; frames += 1) await frame();
        if (made + changed === 0) break;
      }
      Element.prototype.setAttribute = draws;
      return [made, changed]; }""")
    assert (made, changed) == (0, 0)


def test_where_another_side_cannot_be_read_that_is_said_and_nothing_is_waited_for(served: Served, open_page: Opened) -> None:
    page = open_page(served, "/network?show=downstream", expected=("status of 503",))
    problem = {"status": 503, "code": "busy", "detail": "the weak points are being looked for already; ask again in a while"}
    page.route("**/network/weak-points*", lambda route: route.fulfill(status=503, json=problem))
    page.evaluate("location.hash = '/network?show=weak'")
    expect(page.locator("main .notice.trouble")).to_have_text(problem["detail"])
    expect(page.locator("main .loading")).to_be_hidden()
    page.unroute("**/network/weak-points*")
    page.evaluate("location.hash = '/network?show=downstream'")
    expect(page.locator("main .notice.trouble")).to_have_count(0)


def test_an_agent_whose_name_means_the_way_up_has_a_page_of_its_own(live: Served, open_page: Opened) -> None:
    say(live, "need", "..", 40)
    page = open_page(live, "/book?agent=..")
    expect(page.locator("main .notice.trouble")).to_have_count(0)
    expect(page.locator("main h2").first).to_contain_text("..")
    visit(page, "network?show=downstream&agent=..")
    expect(page.locator("main .notice.trouble")).to_have_count(0)
    assert live.get("/agents/agent:..")["agent"] == ".."


def test_who_said_something_is_told_also_where_the_same_word_stands_in_the_data_before(live: Served, open_page: Opened) -> None:
    limits = {"source": "agent:somebody-else", "type": "stigmergy.offer.v1"}
    window = {"begin": "2026-11-18T00:00:00Z", "end": "2026-12-18T00:00:00Z"}
    data = {"limits": limits, "process": "sawing", "effort": {"value": 5, "unit": "h"}, **window}
    event = {"data": data, "specversion": "1.0", "id": "1", "type": "stigmergy.capacity.v1", "source": "agent:mill", "subject": "s"}
    assert live.post(json.dumps({**event, "time": "2026-11-18T00:00:00Z"}).encode()).status == 200
    page = open_page(live, "/signals")
    expect(page.locator(".log > li").first).to_contain_text("mill")
    visit(page, "signals?kind=capacity")
    expect(page.locator(".log > li")).to_have_count(1)
    visit(page, "signals?kind=offer")
    expect(page.locator(".log > li")).to_have_count(0)


def test_more_that_was_turned_away_is_shown_when_asked_for(live: Served, open_page: Opened) -> None:
    live.post(b"\n".join(b'{"no": %d}' % number for number in range(230)), "application/x-ndjson")
    page = open_page(live, "/refused")
    expect(page.locator(".turned-away > li")).to_have_count(200)
    page.locator("button.more").click()
    expect(page.locator(".turned-away > li")).to_have_count(230)
    expect(page.locator("button.more")).to_have_count(0)
