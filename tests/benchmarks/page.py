"""How fast the page is: first paint, bytes sent, frames a second while thousands speak. Run: python -m tests.benchmarks.page [AGENTS ...]

One real Chromium draws in software, as on a machine without a graphics card; server, browser and speaker share the machine's cores, so
frames are also told for the same page with nobody speaking. Every part ends by itself.
"""

import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from coordinator.signals import event_json
from tests.page.conftest import NAMES, NOW_US
from tests.support.relief import THINGS, crowd
from tests.support.serving import Hand, Served, serve

SIZES = (2_000, 20_000)
UPDATES = 2_000  # a second
WATCH_S = 8.0
BATCH = 200

CONTENT = "() => performance.now()"
PAINT = "() => performance.getEntriesByType('paint').find(each => each.name === 'first-contentful-paint')?.startTime"
SENT = """() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  .reduce((sum, each) => sum + (each.transferSize || 0), 0)"""
FRAMES = """seconds => new Promise(done => {
  const began = performance.now(); let frames = 0, longest = 0, last = began;
  const count = now => {
    frames += 1; longest = Math.max(longest, now - last); last = now;
    if (now - began < seconds * 1000) requestAnimationFrame(count);
    else done({fps: frames * 1000 / (now - began), longest_ms: longest});
  };
  requestAnimationFrame(count);
})"""


def main(sizes: tuple[int, ...]) -> None:
    """Print a line a size."""
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        print("not measured: no Chromium on this machine; on Debian and Ubuntu: apt-get install chromium")
        return
    print(" agents  paint ms  overview ms  kB overview  kB map  fps idle  fps moved  fps spoken to  said/s  page CPU %")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for agents in sizes:
            with tempfile.TemporaryDirectory() as folder, _network(Path(folder), agents) as served:
                told = _measured(browser, served, agents)
            columns = (7, agents), (9, told["paint"]), (11, told["content"]), (11, told["overview"] / 1e3), (7, told["map"] / 1e3)
            rates = (9, told["idle"]), (10, told["moved"]), (14, told["spoken"]), (7, told["said"]), (11, told["cpu"])
            print(" ".join(f"{value:>{width}.0f}" for width, value in (*columns, *rates)), flush=True)
        browser.close()


@contextmanager
def _network(folder: Path, agents: int) -> Iterator[Served]:
    """A server that knows so many agents and plans nothing meanwhile: what is measured is the page."""
    with serve(folder / "log", clock=Hand(NOW_US), cycle_seconds=10**6, late_seconds=10**6) as served:
        lines = list(crowd(agents, NOW_US))
        for start in range(0, len(lines), 5_000):
            served.service.publish(lines[start : start + 5_000])
        yield served


def _measured(browser: Browser, served: Served, agents: int) -> dict[str, float]:
    told: dict[str, float] = {}
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{served.url}/#/overview")
    page.locator(".shortages").wait_for()
    told["content"] = page.evaluate(CONTENT)  # since the navigation began: all of the overview is there
    told["paint"], told["overview"] = page.evaluate(PAINT), page.evaluate(SENT)
    page.close()
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{served.url}/#/map")
    page.locator(".chart canvas").wait_for()
    time.sleep(2)
    told["map"] = page.evaluate(SENT)
    told["idle"] = page.evaluate(FRAMES, WATCH_S / 2)["fps"]
    told["moved"] = _moving(page)
    stop, said = threading.Event(), [0]
    speaker = threading.Thread(target=_speak, args=(served, agents, stop, said))
    speaker.start()
    metrics = page.context.new_cdp_session(page)
    metrics.send("Performance.enable")
    began_s, before_s = time.monotonic(), _thread_s(metrics)
    told["spoken"] = page.evaluate(FRAMES, WATCH_S)["fps"]
    took_s = time.monotonic() - began_s
    told["said"], told["cpu"] = said[0] / took_s, 100 * (_thread_s(metrics) - before_s) / took_s
    stop.set()
    speaker.join(30)
    page.close()
    return told


def _thread_s(metrics: CDPSession) -> float:
    """Processor time of the page's main thread: what a busy machine does not change."""
    told: list[dict[str, Any]] = metrics.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in told if each["name"] == "ThreadTime"))


def _moving(page: Page) -> float:
    """Frames a second while the map is dragged round."""
    page.evaluate(
        """seconds => { const canvas = document.querySelector('.chart canvas'), began = performance.now();
        const step = now => { const at = (now - began) / 200;
          const where = {bubbles: true, cancelable: true, clientX: 700, clientY: 600};
          canvas.dispatchEvent(new WheelEvent('wheel', {deltaY: 12 * Math.sin(at), ...where}));
          if (now - began < seconds * 1000) requestAnimationFrame(step); };
        requestAnimationFrame(step); }""",
        WATCH_S / 2,
    )
    fps: float = page.evaluate(FRAMES, WATCH_S / 2)["fps"]
    return fps


def _speak(served: Served, agents: int, stop: threading.Event, said: list[int]) -> None:
    """Say something new for one agent after another, at a steady pace, until told to stop or for a minute."""
    began_s = time.monotonic()
    while not stop.is_set() and time.monotonic() - began_s < 60:
        lines = []
        for number in range(said[0], said[0] + BATCH):
            agent = number % agents
            thing, kind = THINGS[agent // 2 % 4], "need" if agent % 2 else "offer"
            data = {"resource": thing, "quantity": {"value": 1 + number % 97, "unit": "1"}}
            lines.append(event_json(kind, f"agent:agent-{agent:05d}", thing, NOW_US + number, data))
        served.service.publish(lines)
        said[0] += BATCH
        time.sleep(max(0.0, said[0] / UPDATES - (time.monotonic() - began_s)))


if __name__ == "__main__":
    main(tuple(int(word) for word in sys.argv[1:]) or SIZES)
