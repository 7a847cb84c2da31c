"""Makes pictures of every view in every form, for a person's eye: `make shots`, or some: python -m tests.page.shots dark phone

The relief network of the tests in a real Chromium, partly answered and with words refused; then a server to which nobody has spoken
yet, one that went away, and one that lets nobody read without a token. The folder `shots` is none of the repository.
"""

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from coordinator.adapters.tokens import create_token
from coordinator.signals import event_json
from tests.page.conftest import NOW_US, SHOTS, open_details, relief_served, visit
from tests.page.pictures import chromium_here, let_some_accept
from tests.support.serving import Hand, Served, serve

DESKTOP = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB"}
PHONE = {"viewport": {"width": 390, "height": 844}, "locale": "en-GB", "has_touch": True, "is_mobile": True}
FORMS: dict[str, dict[str, Any]] = {
    "light": DESKTOP,
    "dark": DESKTOP | {"color_scheme": "dark"},
    "phone": PHONE,
    "phone-dark": PHONE | {"color_scheme": "dark"},
    "french": DESKTOP | {"locale": "fr-FR"},
    "french-phone": PHONE | {"locale": "fr-FR", "color_scheme": "dark"},
    "still": DESKTOP | {"reduced_motion": "reduce"},  # and whatever unfolds is open, as the tables that stand for pictures
}
VIEWS = (
    "overview",
    "map",
    "map?thing=gown&short=1",
    "needs",
    "needs?short=1&tier=0",
    "proposals",
    "network",
    "network?show=tree&thing=gown",
    "network?show=hours",
    "network?show=downstream&agent=atelier-rennes",
    "network?show=weak",
    "network?show=unreachable",
    "opportunities",
    "opportunities?agent=atelier-rennes",
    "signals",
    "book",
    "book?show=rules",
    "needs?tier=9",
    "book?agent=atelier-rennes",
    "refused",
)
LONGEST = 2_600  # pixels of a page that are kept: below that a list only goes on
PAINTED_MS = 700  # a map is painted, and a bar has grown


def main(names: list[str]) -> None:
    """Write shots/FORM/VIEW.png for the forms named, else for all."""
    unknown = [name for name in names if name not in FORMS]
    if unknown:
        sys.exit(f"no form is called {', '.join(unknown)}; there are {', '.join(FORMS)}")
    forms = {name: FORMS[name] for name in names or FORMS}
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium_here(), args=["--no-sandbox"])
        with relief_served(Path(folder) / "relief") as served:
            let_some_accept(served)
            _be_refused(served)
            for form, facts in forms.items():
                _views(browser, served, form, facts)
                _doings(browser, served, form, facts)
        with serve(Path(folder) / "fresh", clock=Hand(NOW_US)) as fresh:
            for form, facts in forms.items():
                _views(browser, fresh, f"{form}/nothing-said", facts)
        for form, facts in forms.items():
            _gone(browser, Path(folder) / f"gone-{form}", form, facts)
            _unknown_reader(browser, Path(folder) / f"closed-{form}", form, facts)
        browser.close()


def _be_refused(served: Served) -> None:
    said = {"resource": "gown", "quantity": {"value": -4, "unit": "1"}}
    for body in (b"nonsense", event_json("offer", "agent:atelier-rennes", "gown", NOW_US, said), b'{"specversion": "1.0"}'):
        served.post(body)


@contextmanager
def _opened(browser: Browser, served: Served, address: str, facts: dict[str, Any]) -> Iterator[Page]:
    context = browser.new_context(timezone_id="UTC", **facts)
    page = context.new_page()
    page.clock.install(time=served.clock.now_us / 1e6)
    page.clock.resume()
    page.goto(f"{served.url}/#/{address}")
    page.locator("main h1").wait_for()
    page.locator("main .loading").wait_for(state="detached")
    yield page
    context.close()


def _views(browser: Browser, served: Served, form: str, facts: dict[str, Any]) -> None:
    with _opened(browser, served, "overview", facts) as page:
        for address in VIEWS:
            visit(page, address)
            if "reduced_motion" in facts:
                open_details(page)
            _take(page, form, address)


def _doings(browser: Browser, served: Served, form: str, facts: dict[str, Any]) -> None:
    """Take what only shows once somebody does something: a need and a card opened, signing in, answering, searching."""
    with _opened(browser, served, "needs?short=1", facts) as page:
        page.locator(".need summary").nth(0).click()
        page.locator(".need summary").nth(2).click()
        page.locator(".need .inside .acts button").first.click(timeout=120_000)
        _take(page, form, "needs-opened")
        visit(page, "proposals")
        page.locator("[data-act=why]").first.click()
        _take(page, form, "proposals-why")
        page.locator("header .who").click()
        _take(page, form, "signing-in", whole=False)
        page.locator("dialog input[type=checkbox]").check()
        page.locator("dialog form button, dialog .acts button").last.click()
        page.locator("[data-act=accept]").nth(1).click()
        page.locator("[data-act=decline]").nth(2).click()
        page.locator("[data-act=counter]").nth(3).click()
        _take(page, form, "answering", whole=False)
        page.locator("#search").fill("ren")
        page.locator(".found li").first.wait_for()
        _take(page, form, "searching", whole=False)
        visit(page, "book?show=rules")
        page.locator("main .acts button").click()
        page.locator("main section:last-child tbody tr").nth(2).wait_for()
        _take(page, form, "compared")


def _gone(browser: Browser, folder: Path, form: str, facts: dict[str, Any]) -> None:
    """Take a page whose server went away: what it shows, and how it says how old that is."""
    with serve(folder, clock=Hand(NOW_US)) as served:
        need = {"resource": "gown", "quantity": {"value": 40, "unit": "1"}, "place": {"lat": 48.1, "long": -1.7}}
        served.post(event_json("need", "agent:clinic", "gown", NOW_US, need))
        with _opened(browser, served, "overview", facts) as page:
            page.context.set_offline(True)
            page.evaluate("dispatchEvent(new Event('online'))")  # what the browser says on its way back: the old connection is let go
            page.locator(".health.lost").wait_for()
            _take(page, form, "server-gone", whole=False)
            page.evaluate("location.hash = '#/book'")
            page.locator("main .trouble").wait_for()
            _take(page, form, "server-gone-other-view", whole=False)


def _unknown_reader(browser: Browser, folder: Path, form: str, facts: dict[str, Any]) -> None:
    tokens = folder.with_suffix(".tokens")
    create_token(tokens, name="reader")
    with serve(folder, tokens, Hand(NOW_US), reading="tokens") as served, _opened(browser, served, "overview", facts) as page:
        _take(page, form, "unknown-reader", whole=False)


def _take(page: Page, form: str, address: str, *, whole: bool = True) -> None:
    page.wait_for_timeout(PAINTED_MS)
    target = SHOTS / form / f"{re.sub(r'[^a-z0-9]+', '-', address)}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    size = page.viewport_size
    assert size is not None
    if whole:  # a page as long as its content, as far as that is worth looking at
        page.set_viewport_size(
            {"width": size["width"], "height": min(LONGEST, max(size["height"], page.evaluate("document.documentElement.scrollHeight")))}
        )
        page.wait_for_timeout(PAINTED_MS)
    page.screenshot(path=target)
    page.set_viewport_size(size)


if __name__ == "__main__":
    main(sys.argv[1:])
