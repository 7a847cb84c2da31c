"""A real Chromium without a window, looking at a real server; every fault that the browser notices fails the test."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from coordinator.times import DAY_US
from tests.support.relief import relief
from tests.support.serving import Hand, Served, serve

SHOTS = Path(__file__).resolve().parents[2] / "shots"
NAMES = ("chromium", "chromium-browser", "google-chrome")
NOW_US = 1_795_000_000_000_000  # 2026-11-18: what the browser is told the time is, too
RULES = {"portion": {"face-shield": 50, "gown": 40, "mask-ffp2": 60, "ventilator-valve": 20}, "radius_km": 450, "late_seconds": 10**6}

# Counts the questions that are not answered whole yet; the stream of events, which never is, is none of them.
COUNT = """window.unanswered = 0;
const ask = window.fetch;
window.fetch = async (...asked) => {
  if (String(asked[0]).startsWith("events")) return ask(...asked);
  window.unanswered += 1;
  try {
    const response = await ask(...asked);
    await response.clone().arrayBuffer();
    return response;
  } finally {
    window.unanswered -= 1;
  }
};"""
# An answer may lead to the next question, within a frame.
ANSWERED = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  for (let [frames, still] = [0, 0]; still < 3; frames += 1) {
    if (frames > 3_000) throw new Error(`${window.unanswered} questions are not answered`);
    await frame();
    still = window.unanswered ? 0 : still + 1;
  }
}"""

Opened = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser of this machine; without one these tests are skipped, and the summary says so."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("THE PAGE IS NOT TESTED: no Chromium on this machine; on Debian and Ubuntu: apt-get install chromium")
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@contextmanager
def relief_served(path: Path, tokens: Path | None = None, **rules: Any) -> Iterator[Served]:
    """The relief network on a server, planned once."""
    with serve(path, tokens, Hand(NOW_US - 2 * DAY_US), **(RULES | rules)) as served:
        served.relive(relief(NOW_US), NOW_US)
        served.wait(2)
        yield served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with relief_served(tmp_path_factory.mktemp("served") / "log") as running:
        yield running


class Watched:
    """What the browser complained of while a page was open."""

    def __init__(self, page: Page, expected: tuple[str, ...]) -> None:
        self.complaints: list[str] = []
        self._expected = expected
        page.on("console", lambda message: self._note(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self._note(str(error)))
        page.on("dialog", lambda dialog: (self._note(f"a dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self._note(f"asked {request.url}") if not request.url.startswith(self.own) else None)
        self.own = ("http://127.0.0.1", "data:image/svg")

    def _note(self, text: str) -> None:
        if not any(each in text for each in self._expected):
            self.complaints.append(text)


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Opened]:
    """Open a page at an address of a server, as a fresh browser would; its clock stands near that of the server."""
    opened: list[tuple[Any, Watched]] = []

    def open_one(
        server: Served,
        address: str = "/",
        *,
        expected: tuple[str, ...] = (),
        prepare: Callable[[Page], None] = lambda _: None,
        **facts: Any,
    ) -> Page:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", "timezone_id": "UTC"} | facts))
        context.add_init_script(COUNT)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.clock.install(time=server.clock.now_us / 1e6)
        page.clock.resume()
        opened.append((context, Watched(page, expected)))
        prepare(page)
        page.goto(f"{server.url}/#{address}")
        page.locator("main h1").wait_for()
        page.locator("main .loading").wait_for(state="detached")
        return page

    yield open_one
    complaints = [complaint for _, watched in opened for complaint in watched.complaints]
    for context, _ in opened:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core, out of the package that carries it."""
    return files(axe_playwright_python).joinpath("axe.min.js").read_text(encoding="utf-8")


def visit(page: Page, address: str) -> None:
    """Go to another address on a page that is open, as a link does, and wait for what it shows."""
    page.evaluate(
        """address => new Promise(done => {
          if (location.hash === address) return done();
          addEventListener('hashchange', done, {once: true});  // the page listens too, and longer: it is told first
          location.hash = address; })""",
        f"#/{address}",
    )
    settle(page)


def settle(page: Page) -> None:
    """Wait until every question is answered, nothing in the view waits, a map is painted, and that was drawn."""
    page.evaluate(ANSWERED)
    for waiting in ("main[aria-busy]", "main .loading", ".chart .sheet:not([style*=transform])"):
        expect(page.locator(waiting)).to_have_count(0, timeout=20_000)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def keep_shot(page: Page, name: str) -> None:
    """Keep what is seen as a picture, for people to look at; the folder is none of the repository."""
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")


def open_details(page: Page) -> None:
    """Open the first few of everything that can be unfolded."""
    page.evaluate("[...document.querySelectorAll('main details:not([open]) > summary')].slice(0, 8).forEach(each => each.click())")
