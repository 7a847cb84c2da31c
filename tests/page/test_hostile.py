"""Whatever agents write is shown as text: no payload runs, makes an element, or asks for anything, in any view."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from coordinator.signals import event_json
from tests.page.conftest import NOW_US, Opened, open_details, settle, visit
from tests.support.serving import Hand, Served, serve

RUN = "window.ran=1"
PAYLOADS = (
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg/onload={RUN}>",
    f'"><iframe srcdoc="<script>parent.{RUN}</script>">',
    f"javascript:{RUN}",
    f"'-({RUN})-'",
    "{{constructor.constructor('window.ran=1')()}}",
    "</style><style>*{display:none}</style>",
    f"<a href=javascript:{RUN}>x</a>",
    "9999-99-99T99:99:99Z",  # shaped like an instant: a page that would tell it by the reader's clock breaks
)
VIEWS = (
    "overview",
    "map",
    "needs?short=1",
    "proposals",
    "network",
    "network?show=tree",
    "network?show=hours",
    "network?show=downstream&agent=atelier",
    "network?show=weak",
    "network?show=unreachable",
    "opportunities?agent=atelier",
    "signals",
    "book",
    "book?show=rules",
    "book?agent=atelier",
    "refused",
)


def lines(payload: str) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Every kind of signal with the payload in each field that takes free text."""
    place = {"lat": 48.1, "long": -1.7, "label": payload}
    pieces = {"value": 20, "unit": "1"}
    yield "agent", "atelier", payload, {"name": payload, "place": place, "classified_as": [payload], "key": payload}
    yield "agent", "clinic", "agent", {"name": payload}
    yield (
        "resource",
        "atelier",
        payload,
        {"resource": payload, "unit": "1", "name": payload, "aliases": [payload + "b"], "substitutes": [payload]},
    )
    yield "offer", "atelier", payload, {"resource": payload, "quantity": pieces, "place": place}
    yield "need", "clinic", payload, {"resource": payload, "quantity": {"value": 30, "unit": "1"}, "place": place, "tier": 0}
    yield "need", "ehpad", payload, {"resource": payload + " of which nobody has any", "quantity": pieces, "substitutes": [payload + "s"]}
    yield "need", "samu", payload, {"resource": payload, "quantity": pieces}
    window = {"begin": "2026-01-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"}
    yield "capacity", "atelier", payload, {"process": payload, "effort": {"value": 5, "unit": "h"}, "limits": {payload: payload}, **window}
    recipe = {"outputs": [{"resource": payload, "quantity": pieces}], "inputs": [{"resource": payload + " raw", "quantity": pieces}]}
    yield "recipe", "atelier", payload, {"recipe": payload, "steps": [{"process": payload, "effort": {"value": 1, "unit": "h"}}], **recipe}
    yield "route", "atelier", payload, {"to": "clinic", "distance_km": 4}


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("poisoned") / "log", clock=Hand(NOW_US)) as running:
        taken = 0
        for number, payload in enumerate(PAYLOADS):
            for kind, agent, subject, data in lines(payload):
                who = agent if number == 0 else f"{agent}-{number}"
                answer = running.post(event_json(kind, f"agent:{who}", subject, NOW_US + number, data))
                taken += answer.status == 200
            running.post(payload.encode())
            running.post(
                event_json("offer", "agent:liar", payload, NOW_US, {"resource": payload, "quantity": {"value": 1, "unit": payload}})
            )
        assert taken > 6 * len(PAYLOADS)  # a field here and there refuses a payload; most must come through to be of use
        running.wait(2)
        said = {"accept": {}, "decline": {"reason": PAYLOADS[1]}, "counter": {"reason": PAYLOADS[2], "quantity": {"value": 3, "unit": "1"}}}
        proposals = running.get("/proposals")["items"]
        assert len(proposals) >= len(said)
        for proposal, (word, more) in zip(proposals, said.items(), strict=False):
            data = {"proposal": proposal["proposal"], "answer": word, **more}
            for party in proposal["parties"]:
                running.post(event_json("answer", f"agent:{party}", proposal["proposal"], running.clock.now_us, data))
        committed = running.get("/proposals?state=committed")["items"]
        assert committed
        for row in committed:
            data = {"commitment": row["proposal"], "action": "transfer", "note": PAYLOADS[0]}
            assert running.post(event_json("report", "agent:atelier", PAYLOADS[0], running.clock.now_us, data)).status == 200
        yield running


def test_no_payload_runs_or_makes_an_element_in_any_view(poisoned: Served, open_page: Opened) -> None:
    page = open_page(poisoned, expected=("status of 503",))  # where two plans are asked for at once, one waits
    strange: dict[str, list[str]] = {}
    for address in VIEWS:
        visit(page, address)
        open_details(page)
        settle(page)
        page.evaluate(
            "[...document.querySelectorAll('main .acts button')].slice(0, 16).forEach(each => each.click())"
        )  # histories and the like
        settle(page)
        expect(page.locator("main .acts button:disabled")).to_have_count(0, timeout=20_000)  # what was begun by that has ended
        settle(page)
        assert page.evaluate("window.ran") is None, address
        made = page.evaluate(
            "[...document.querySelectorAll('script, iframe, img, style, object, embed, base, [onerror], [onload]')].map(e => e.outerHTML)"
        )
        links = page.evaluate("[...document.links].filter(a => !['http:', 'https:'].includes(a.protocol)).map(a => a.href)")
        strange[address] = [each for each in (*made, *links) if "page/main.js" not in each]
    assert {address: each for address, each in strange.items() if each} == {}


def test_the_payloads_are_there_to_be_read(poisoned: Served, open_page: Opened) -> None:
    page = open_page(poisoned, "/overview")
    for payload in PAYLOADS[:3]:
        expect(page.locator("main")).to_contain_text(payload)
    page.goto(f"{poisoned.url}/#/refused")
    expect(page.locator(".log")).to_contain_text("liar")


def test_no_payload_in_the_address_or_the_search_runs(poisoned: Served, open_page: Opened) -> None:
    page = open_page(poisoned, expected=("status of 400", "status of 404"))
    for payload in PAYLOADS:
        text = quote(payload, safe="")
        for address in (
            f"network?thing={text}",
            f"network?show=downstream&agent={text}",
            f"opportunities?agent={text}",
            f"book?agent={text}",
        ):
            visit(page, address)
            assert page.evaluate("window.ran") is None
            assert page.locator("main script, main img, main iframe").count() == 0
        page.goto(f"{poisoned.url}/#/needs?q={text}&resource={text}&need={text}")
        with page.expect_response("**/search?*"):
            page.get_by_role("searchbox").first.fill(payload)
        settle(page)
        assert page.evaluate("window.ran") is None
        assert page.locator("main script, main img, main iframe").count() == 0
