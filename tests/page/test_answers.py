"""Answering on the page: accept to the commitment, take back, decline with a reason, counter, many at once; and for whom one may."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from coordinator.adapters.tokens import create_token, revoke_tokens
from coordinator.signals import event_json
from tests.page.conftest import NOW_US, Opened, keep_shot
from tests.support.serving import Hand, Served, serve


def network(server: Served, tokens: dict[str, str] | None = None) -> None:
    """One offer of 60 gowns, and two needs of 20 each."""
    place = {"lat": 48.1, "long": -1.7}
    for kind, agent, pieces in (("offer", "atelier", 60), ("need", "clinic", 20), ("need", "ehpad", 20)):
        data = {"resource": "gown", "quantity": {"value": pieces, "unit": "1"}, "place": place}
        headers = {"authorization": f"Bearer {tokens[agent]}"} if tokens else {}
        assert server.post(event_json(kind, f"agent:{agent}", "gown", NOW_US, data), **headers).status == 200
    server.wait(2)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path / "log", clock=Hand(NOW_US)) as running:
        network(running)
        yield running


def sign_in(page: Page, *agents: str) -> None:
    page.locator("header .who").click()
    dialog = page.get_by_role("dialog")
    for agent in agents:
        dialog.get_by_label("Agent's name").fill(agent)
        dialog.get_by_role("button", name="Add").click()
        expect(dialog.locator(".speakers")).to_contain_text(agent)
    dialog.get_by_role("button", name="Done").click()
    expect(dialog).to_have_count(0)


def card(page: Page, receiver: str):  # type: ignore[no-untyped-def]
    return page.locator(".pair", has=page.get_by_role("link", name=receiver, exact=True))


@pytest.mark.parametrize(
    ("arrives", "told", "state"),
    [
        pytest.param(True, "Accepted for atelier", "promised", id="it was taken"),
        pytest.param(False, "The book has no such answer of atelier", "proposed", id="it never arrived"),
    ],
)
def test_after_a_lost_reply_the_book_says_whether_the_answer_was_taken(
    live: Served, open_page: Opened, arrives: bool, told: str, state: str
) -> None:
    def lose(route: Route) -> None:
        if arrives:
            route.fetch()
        route.abort()

    page = open_page(live, "/proposals", expected=("ERR_FAILED",), prepare=lambda page: page.route("**/signals", lose))
    sign_in(page, "atelier")
    card(page, "clinic").locator("[data-act=accept]").first.click()
    expect(page.locator(".toast").last).to_contain_text(told)
    expect(card(page, "clinic").locator(".state")).to_have_text(state)


def test_without_a_name_nothing_can_be_answered(live: Served, open_page: Opened) -> None:
    page = open_page(live, "/proposals")
    expect(page.locator(".pair")).to_have_count(2)
    expect(page.locator(".acts [data-act]")).to_have_count(0)


def test_both_accept_and_it_is_a_commitment(live: Served, open_page: Opened) -> None:
    page = open_page(live, "/proposals")
    sign_in(page, "atelier", "clinic")
    mine = card(page, "clinic")
    mine.locator("[data-act=accept]").first.click()
    expect(page.locator(".toast").last).to_contain_text("Accepted for atelier")
    expect(mine.locator(".state")).to_have_text("promised")
    keep_shot(page, "half-accepted")
    mine.locator("[data-act=accept]").click()
    expect(page.locator(".toast").last).to_contain_text("it is a commitment")
    expect(mine).to_have_count(0)
    [record] = [row for row in live.get("/ledger")["items"] if row["kind"] == "committed"]
    assert live.get(f"/proposals/{record['proposal']}")["parties"] == ["atelier", "clinic"]


@pytest.mark.parametrize("way", ["toast", "card"])
def test_an_acceptance_can_be_taken_back_until_everybody_accepted(live: Served, open_page: Opened, way: str) -> None:
    page = open_page(live, "/proposals")
    sign_in(page, "atelier")
    mine = card(page, "clinic")
    mine.locator("[data-act=accept]").click()
    undo = page.locator(".toast").get_by_role("button", name="Undo") if way == "toast" else mine.get_by_role("button", name="Take back")
    undo.click()
    expect(page.locator(".toast").last).to_contain_text("taken back")
    expect(mine.locator(".state")).to_have_text("proposed")
    assert [row["kind"] for row in live.get("/ledger")["items"]] == ["promised", "released"]


def test_a_decline_carries_its_reason_into_the_ledger(live: Served, open_page: Opened) -> None:
    page = open_page(live, "/proposals")
    sign_in(page, "ehpad")
    mine = card(page, "ehpad")
    mine.locator("[data-act=decline]").click()
    mine.get_by_label("Reason").fill("came from elsewhere <b>today</b>")
    keep_shot(page, "declining")
    mine.get_by_role("button", name="Decline", exact=True).click()
    expect(page.locator(".toast").last).to_contain_text("Declined for ehpad")
    expect(mine).to_have_count(0)
    assert live.get("/ledger")["items"][-1]["kind"] == "declined"
    page.goto(f"{live.url}/#/signals?kind=answer")
    expect(page.locator(".log .what")).to_contain_text("came from elsewhere <b>today</b>")


def test_a_counter_says_what_smaller_quantity_would_do(live: Served, open_page: Opened) -> None:
    page = open_page(live, "/proposals")
    sign_in(page, "atelier")
    mine = card(page, "clinic")
    mine.locator("[data-act=counter]").click()
    mine.get_by_label("What would do").fill("12")
    mine.get_by_role("button", name="Send counter").click()
    expect(page.locator(".toast").last).to_contain_text("Countered for atelier")
    live.wait(2)
    expect(card(page, "clinic").locator("strong").first).to_have_text("12")


def test_all_that_is_shown_is_accepted_after_one_more_question(live: Served, open_page: Opened) -> None:
    page = open_page(live, "/proposals")
    sign_in(page, "atelier")
    page.get_by_role("button", name="Accept all 2 shown").click()
    assert live.get("/ledger")["items"] == []
    page.get_by_role("button", name="Yes, accept 2").click()
    expect(page.locator(".toast").last).to_contain_text("2 answers were taken")
    assert [row["kind"] for row in live.get("/ledger")["items"]] == ["promised", "promised"]


def test_what_is_not_shown_is_not_accepted_with_the_rest(live: Served, open_page: Opened) -> None:
    data = {"resource": "mask", "quantity": {"value": 32, "unit": "1"}, "place": {"lat": 48.1, "long": -1.7}}
    assert live.post(event_json("offer", "agent:atelier", "mask", live.clock.now_us, data)).status == 200
    for number in range(32):
        one = data | {"quantity": {"value": 1, "unit": "1"}}
        assert live.post(event_json("need", f"agent:home-{number}", "mask", live.clock.now_us, one)).status == 200
    live.wait(2)
    page = open_page(live, "/proposals")
    sign_in(page, "atelier")
    expect(page.locator(".pair")).to_have_count(30)
    expect(page.get_by_role("button", name="Accept all 30 shown")).to_be_visible()
    page.get_by_role("button", name="Show 4 more").click()
    expect(page.get_by_role("button", name="Accept all 34 shown")).to_be_visible()


def test_accepting_all_is_asked_again_where_there_is_more_to_accept_than_was_asked_about(live: Served, open_page: Opened) -> None:
    page = open_page(live, "/proposals")
    sign_in(page, "atelier")
    page.get_by_role("button", name="Accept all 2 shown").click()
    expect(page.get_by_role("button", name="Yes, accept 2")).to_be_visible()
    data = {"resource": "gown", "quantity": {"value": 10, "unit": "1"}, "place": {"lat": 48.1, "long": -1.7}}
    assert live.post(event_json("need", "agent:samu", "gown", live.clock.now_us, data)).status == 200
    live.wait(2)
    page.get_by_role("button", name="Accept all 3 shown").click()
    expect(page.get_by_role("button", name="Yes, accept 3")).to_be_visible()
    assert live.get("/ledger")["items"] == []


def test_what_the_judge_refuses_is_told_in_its_words(live: Served, open_page: Opened) -> None:
    page = open_page(live, "/proposals")
    sign_in(page, "atelier")
    page.route(
        "**/signals",
        lambda route: (live.service.publish([event_json("need", "agent:clinic", "gown", live.clock.now_us, None)]), route.continue_()),
    )
    card(page, "clinic").locator("[data-act=accept]").click()
    expect(page.locator(".toast.bad")).to_contain_text(r"proposal")


def test_one_answers_by_keyboard_alone(live: Served, open_page: Opened) -> None:
    """From the first press of Tab on: to signing in, to the cards, to an acceptance and back."""
    page = open_page(live, "/proposals")

    def tab_to(selector: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        pytest.fail(f"the Tab key never comes to {selector}")

    page.locator("body").press("Tab")
    tab_to("header .who")
    page.keyboard.press("Enter")
    for agent in ("clinic", "ehpad"):
        tab_to("dialog input:not([type=checkbox])")
        page.keyboard.type(agent)
        page.keyboard.press("Enter")
        expect(page.locator("dialog .speakers")).to_contain_text(agent)
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    tab_to(".pair")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".pair").nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("a")
    expect(page.locator(".toast").last).to_contain_text("Accepted for clinic")
    tab_to(".toast button")
    page.keyboard.press("Enter")
    expect(page.locator(".toast").last).to_contain_text("taken back")


# -- for whom one may ----------------------------------------------------------------------------------------------------


def test_nobody_answers_for_an_agent_that_is_not_there(served: Served, open_page: Opened) -> None:
    page = open_page(served, "/proposals", expected=("status of 404",))
    page.locator("header .who").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Agent's name").fill("atelier-rennez")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_role("alert")).to_contain_text("nobody here is called 'atelier-rennez'; did you mean atelier-rennes")
    expect(dialog.locator(".speakers")).to_have_count(0)
    dialog.get_by_label("Agent's name").fill("atelier-rennes")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.locator(".speakers")).to_contain_text("atelier-rennes")
    expect(dialog.get_by_role("alert")).to_have_count(0)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[Served, dict[str, str]]]:
    path = tmp_path / "tokens.json"
    tokens = {agent: create_token(path, agent) for agent in ("atelier", "clinic", "ehpad")}
    with serve(tmp_path / "log", path, Hand(NOW_US)) as running:
        network(running, tokens)
        yield running, tokens


def test_a_token_speaks_for_its_agent_and_stays_in_the_tab(guarded: tuple[Served, dict[str, str]], open_page: Opened) -> None:
    server, tokens = guarded
    page = open_page(server, "/proposals", expected=("status of 401",))
    page.locator("header .who").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Token").fill("stig_wrong")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_role("alert")).to_contain_text("no token of this server")
    dialog.get_by_label("Token").fill(tokens["clinic"])
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.locator(".speakers")).to_contain_text("clinic")
    keep_shot(page, "sign-in")
    page.keyboard.press("Escape")
    expect(page.locator("[data-act=accept]")).to_have_count(1)
    page.locator("[data-act=accept]").click()
    expect(page.locator(".toast").last).to_contain_text("Accepted for clinic")
    assert tokens["clinic"] not in page.content() + page.url + str(page.evaluate("Object.values(localStorage)"))
    assert page.context.cookies() == []
    page.reload()
    expect(page.locator("header .who")).to_contain_text("clinic")
    other = open_page(server, "/proposals")
    expect(other.locator("header .who")).to_have_text("Sign in")


def test_who_coordinates_reads_and_answers_for_those_who_let_them_and_is_named(tmp_path: Path, open_page: Opened) -> None:
    """Where reading takes a token, the page asks for one first."""
    path = tmp_path / "tokens.json"
    tokens = {agent: create_token(path, agent) for agent in ("atelier", "clinic", "ehpad")}
    maria = create_token(path, name="maria", answers=["atelier", "clinic"])
    with serve(tmp_path / "log", path, Hand(NOW_US), reading="tokens") as server:
        network(server, tokens)
        page = open_page(server, "/proposals", expected=("status of 401",))
        expect(page.locator("main")).to_contain_text("Reading takes a token here")
        expect(page.locator(".health")).to_have_text("Waiting for a token")
        page.get_by_role("main").get_by_role("button", name="Sign in").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Token").fill(maria)
        dialog.get_by_role("button", name="Add").click()
        expect(dialog.locator(".speakers")).to_contain_text("answers for atelier, clinic")
        page.keyboard.press("Escape")
        expect(page.locator(".health")).to_have_text("Live")
        expect(page.locator("[data-act=accept]")).to_have_count(3)  # twice for the atelier, once for the clinic
        card(page, "clinic").locator("[data-act=accept]").first.click()
        expect(card(page, "clinic").locator("[data-act=accept]")).to_have_count(1)
        card(page, "clinic").locator("[data-act=accept]").click()
        expect(page.locator(".toast").last).to_contain_text("it is a commitment")
        page.goto(f"{server.url}/#/book")
        expect(page.locator("main tbody").first).to_contain_text("by maria")


def test_of_several_tokens_one_that_may_still_read_is_used(tmp_path: Path, open_page: Opened) -> None:
    path = tmp_path / "tokens.json"
    tokens = {agent: create_token(path, agent) for agent in ("atelier", "clinic", "ehpad")}
    with serve(tmp_path / "log", path, Hand(NOW_US), reading="tokens") as server:
        network(server, tokens)
        page = open_page(server, "/proposals", expected=("status of 401",))
        page.locator("header .who").click()
        dialog = page.get_by_role("dialog")
        for name in ("atelier", "clinic"):
            dialog.get_by_label("Token").fill(tokens[name])
            dialog.get_by_role("button", name="Add").click()
            expect(dialog.locator(".speakers")).to_contain_text(name)
        page.keyboard.press("Escape")
        expect(page.locator(".pair")).to_have_count(2)
        revoke_tokens(path, "atelier")
        for view in ("/needs", "/map"):
            page.goto("about:blank")
            page.goto(f"{server.url}/#{view}")
            expect(page.locator("main .filters")).to_be_visible()
        expect(page.locator(".health")).to_have_text("Live")


def test_a_refusal_is_told_in_the_readers_language(live: Served, open_page: Opened) -> None:
    page = open_page(live, "/proposals", locale="fr-FR")
    page.get_by_role("button", name="S’identifier").first.click()
    page.get_by_role("dialog").get_by_role("checkbox").check()
    page.keyboard.press("Escape")
    page.locator("[data-act=counter]").first.click()
    form = page.locator("form.line")
    form.locator("input[name=amount]").evaluate("input => { input.removeAttribute('max'); }")
    form.locator("input[name=amount]").fill("500")
    form.locator("button").click()
    expect(page.locator(".toast").last).to_contain_text("une contre-proposition est plus petite que ce qui est proposé")


def test_a_page_of_another_site_cannot_answer(live: Served, open_page: Opened) -> None:
    page = open_page(live)
    line = event_json("answer", "agent:atelier", "x", NOW_US, {"proposal": "x", "answer": "accept"})
    answer = live.post(line, origin="http://127.0.0.1:1", **{"sec-fetch-site": "same-site"})
    assert (answer.status, answer.json["code"]) == (403, "origin")
    assert page.evaluate("self.origin") == live.url
