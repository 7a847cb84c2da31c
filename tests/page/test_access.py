"""Everybody can use it: no serious finding of axe, all by keyboard, nothing wider than a phone, no motion where none is wanted."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import Opened, keep_shot, open_details, settle, visit
from tests.support.serving import Served

VIEWS = (
    "overview",
    "map",
    "needs?short=1",
    "proposals",
    "network?thing=gown",
    "network?show=tree&thing=gown",
    "network?show=hours",
    "network?show=downstream&agent=atelier-rennes",
    "network?show=weak",
    "network?show=unreachable",
    "opportunities?agent=atelier-rennes",
    "signals",
    "book?agent=atelier-rennes",
    "book?show=rules",
    "refused",
)
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def findings(page: Page, axe: str) -> list[str]:
    """Every finding of axe that is serious or worse, with the element it is about."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)
    found: dict[str, Any] = page.evaluate("rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES)
    return [
        f"{one['id']}: {one['help']}: {node['html'][:160]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(
    "form",
    [pytest.param({}, id="desktop"), pytest.param(PHONE, id="phone"), pytest.param({"locale": "fr-FR"}, id="French")],
)
def test_axe_finds_nothing_serious_in_any_view_by_day_and_by_night(
    served: Served, open_page: Opened, axe: str, form: dict[str, Any]
) -> None:
    page = open_page(served, reduced_motion="reduce", **form)
    found = {}
    for address in VIEWS:
        visit(page, address)
        open_details(page)
        settle(page)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            found[address, scheme] = findings(page, axe)
    assert {where: each for where, each in found.items() if each} == {}


def test_axe_finds_nothing_serious_while_one_signs_in_and_answers(served: Served, open_page: Opened, axe: str) -> None:
    page = open_page(served, "/proposals", reduced_motion="reduce")
    page.locator("header .who").click()
    assert findings(page, axe) == []
    page.get_by_role("dialog").get_by_label("for every agent").check()
    page.get_by_role("button", name="Done").click()
    page.locator("[data-act=decline]").first.click()
    page.locator("[data-act=counter]").nth(1).click()
    assert findings(page, axe) == []
    keep_shot(page, "answering")


def test_a_phone_shows_every_view_without_scrolling_sideways(served: Served, open_page: Opened) -> None:
    page = open_page(served, **PHONE)
    wide = {}
    for address in VIEWS:
        visit(page, address)
        open_details(page)
        settle(page)
        wide[address] = page.evaluate("document.documentElement.scrollWidth")
        keep_shot(page, "phone-" + re.sub(r"\W+", "-", address))
    assert {address: pixels for address, pixels in wide.items() if pixels > 360} == {}


def test_what_scrolls_sideways_fades_where_it_goes_on(served: Served, open_page: Opened) -> None:
    page = open_page(served, "/network?show=hours", **PHONE)
    chart = page.locator("main .layers")
    sides = "place => ['--more-before', '--more-after'].map(name => parseFloat(place.style.getPropertyValue(name)))"
    expect(chart).to_have_attribute("style", re.compile("--more-after"))
    before, after = chart.evaluate(sides)
    assert (before, after > 0) == (0, True)
    chart.evaluate("place => { place.scrollLeft = place.scrollWidth; }")
    page.wait_for_function("place => parseFloat(place.style.getPropertyValue('--more-before')) > 0", arg=chart.element_handle())
    assert chart.evaluate(sides)[1] == 0
    assert page.locator("nav.side ul").evaluate(sides)[0] > 0  # the current view is in sight, and others are before it


def test_the_tab_key_goes_through_the_frame_in_order_and_shows_where_it_is(served: Served, open_page: Opened) -> None:
    page = open_page(served)
    seen = []
    page.locator("body").press("Tab")
    for _ in range(14):
        told = page.evaluate(
            "() => { const e = document.activeElement, s = getComputedStyle(e);"
            " return [e.textContent.trim() || e.type, s.outlineStyle !== 'none' && s.outlineWidth !== '0px']; }"
        )
        seen.append(told)
        page.keyboard.press("Tab")
    names = [name for name, _ in seen]
    assert names[:4] == ["Skip to the content", "Stigmergic Coordinator", "search", "Sign in"]
    assert names[4:7] == ["Overview", "Map", "Needs"]
    assert [name for name, shown in seen if not shown] == []


def test_the_skip_link_leads_to_the_content(served: Served, open_page: Opened) -> None:
    page = open_page(served)
    page.locator("body").press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_be_focused()


def test_the_heading_takes_the_focus_when_one_goes_to_another_view(served: Served, open_page: Opened) -> None:
    page = open_page(served)
    page.locator("nav.side a", has_text="Needs").press("Enter")
    expect(page.locator("h1")).to_have_text("Needs")
    expect(page.locator("h1")).to_be_focused()
    assert page.title() == "Needs · Stigmergic Coordinator"


def test_where_motion_is_unwanted_nothing_moves(served: Served, open_page: Opened) -> None:
    page = open_page(served, "/map", reduced_motion="reduce")
    moving = (
        "() => [...document.querySelectorAll('*')].map(e => getComputedStyle(e))"
        ".filter(s => parseFloat(s.transitionDuration) > 0 || s.animationName !== 'none').length"
    )
    assert page.evaluate(moving) == 0


def test_text_may_be_twice_as_large(served: Served, open_page: Opened) -> None:
    page = open_page(served, "/proposals", viewport={"width": 1280, "height": 900})
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_theme_and_language_are_chosen_and_kept(served: Served, open_page: Opened) -> None:
    page = open_page(served)
    page.get_by_label("Theme").select_option("dark")
    page.get_by_label("Language").select_option("fr")
    expect(page.locator("h1")).to_have_text("Vue d’ensemble")
    page.reload()
    expect(page.locator("h1")).to_have_text("Vue d’ensemble")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 22, 20)"
