"""How fast the page is: first paint, bytes sent, frames a second while thousands speak. Run: python -m tests.benchmarks.page [AGENTS ...]

One real Chromium draws in software, as on a machine without a graphics card. First server, browser and speaker share the machine's
cores; then what the server answered and streamed is played again at the same pace, so that only the page is measured ("alone"), with
the processor time a frame of its main thread and of all that the browser runs, to be held against 16.7 ms, and how much of the machine was
idle meanwhile: where that is nothing, frames are late whatever they take. Every part ends by itself.
"""

import argparse
import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from coordinator.signals import event_json
from tests.benchmarks.page_tape import PACKED, Tape, played, recorded
from tests.page.conftest import NAMES, NOW_US
from tests.support.relief import THINGS, crowd
from tests.support.serving import Hand, Served, serve

SIZES = (2_000, 20_000)
UPDATES = 2_000  # a second
WATCH_S = 8.0
BATCH = 200
LATER = 100_000  # the number of what is said after all that was said before
LEAD_S = 3.0  # of stream before and after the watch
MAP_S = 3.0  # until the map may be made anew

CONTENT = "() => performance.now()"
PAINT = "() => performance.getEntriesByType('paint').find(each => each.name === 'first-contentful-paint')?.startTime"
SENT = """() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  .reduce((sum, each) => sum + (each.transferSize || 0), 0)"""
FRAMES = """seconds => new Promise(done => {
  const began = performance.now(); let frames = 0, longest = 0, last = began;
  const count = now => {
    frames += 1; longest = Math.max(longest, now - last); last = now;
    if (now - began < seconds * 1000) requestAnimationFrame(count);
    else done({frames, fps: frames * 1000 / (now - began), longest_ms: longest});
  };
  requestAnimationFrame(count);
})"""


def main(sizes: Sequence[int]) -> None:
    """Print a line a size."""
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        print("not measured: no Chromium on this machine; on Debian and Ubuntu: apt-get install chromium")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for agents in sizes:
            with tempfile.TemporaryDirectory() as folder, _network(Path(folder), agents) as served:
                told = _measured(browser, served, agents)
                tape = _tape(served, agents)
            print(f"{agents} agents, load {os.getloadavg()[0]:.1f}: {_written(told)}", flush=True)
            with played(tape, UPDATES) as url:
                print(f"  the page alone, load {os.getloadavg()[0]:.1f}: {_written(_alone(browser, tape, url))}", flush=True)
        browser.close()


def _written(told: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.{0 if value >= 20 else 1}f}" for name, value in told.items())


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
    content = page.evaluate(CONTENT)  # since the navigation began: all of the overview is there
    told |= {"first paint ms": page.evaluate(PAINT), "overview ms": content, "overview kB": page.evaluate(SENT) / 1e3}
    page.close()
    page = _map(browser, served.url)
    beside = sum(len(served.ask("GET", path, headers=PACKED).body) for path in ("/map", "/page/world.json"))  # asked for by its painter
    told["map kB"] = (page.evaluate(SENT) + beside) / 1e3
    stop, said = threading.Event(), [0]
    speaker = threading.Thread(target=_speak, args=(served, agents, stop, said))
    speaker.start()
    _share_priority(browser.new_browser_cdp_session())
    began_s = time.monotonic()
    told["fps spoken to"] = page.evaluate(FRAMES, WATCH_S)["fps"]
    told["said/s"] = said[0] / (time.monotonic() - began_s)
    stop.set()
    speaker.join(30)
    page.close()
    return told


def _tape(served: Served, agents: int) -> Tape:
    """Record what the server answers, and the stream while each agent in turn says something new."""
    before = served.ask("GET", "/map", headers=PACKED)
    first = served.get("/readyz")["entries"]
    for number in range(0, int(UPDATES * (WATCH_S + LEAD_S)), BATCH):
        served.service.publish(_said(agents, LATER + number))
    time.sleep(MAP_S)
    return recorded(served, first, before)


def _alone(browser: Browser, tape: Tape, url: str) -> dict[str, float]:
    """Frames a second, the longest frame and processor time a frame: at rest, while the map is moved, and while all speak."""
    page = _map(browser, url)
    parts, metrics = browser.new_browser_cdp_session(), page.context.new_cdp_session(page)
    metrics.send("Performance.enable")
    told: dict[str, float] = {}
    for name in ("at rest", "moved", "spoken to"):
        if name == "spoken to":
            tape.running.set()
            time.sleep(1)
        _share_priority(parts)
        parts_s, thread_s, said, idle = _parts_s(parts), _thread_s(metrics), tape.said, _idle()
        frames = _moving(page) if name == "moved" else page.evaluate(FRAMES, WATCH_S)
        told[f"fps {name}"], told["longest ms"] = frames["fps"], frames["longest_ms"]
        told[f"ms a frame {name}: main"] = 1e3 * (_thread_s(metrics) - thread_s) / frames["frames"]
        told["all"] = 1e3 * (_parts_s(parts) - parts_s) / frames["frames"]
        rest, whole = (now - before for now, before in zip(_idle(), idle, strict=True))
        told["machine idle %"] = 100 * rest / whole
        told = {f"{key} {name}" if key in ("longest ms", "all", "machine idle %") else key: value for key, value in told.items()}
    told["said/s"] = (tape.said - said) / WATCH_S
    page.close()
    return told


def _map(browser: Browser, url: str) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{url}/#/map")
    page.locator(".chart .sheet[style*=transform]").wait_for(state="attached")  # it was painted
    time.sleep(2)
    return page


def _share_priority(parts: CDPSession) -> None:
    """Give every thread of the browser the priority of this program: Chromium puts its own back to the common one."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    for each in parts.send("SystemInfo.getProcessInfo")["processInfo"]:
        for thread in Path(f"/proc/{int(each['id'])}/task").glob("*"):
            with contextlib.suppress(ProcessLookupError, PermissionError):  # It ended meanwhile; or one may only go without.
                os.setpriority(os.PRIO_PROCESS, int(thread.name), own)


def _thread_s(metrics: CDPSession) -> float:
    """Processor time of the page's main thread: what a busy machine does not change."""
    told: list[dict[str, Any]] = metrics.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in told if each["name"] == "ThreadTime"))


def _parts_s(parts: CDPSession) -> float:
    """Processor time of all processes of the browser: the page with its threads, drawing, network."""
    return sum(float(each["cpuTime"]) for each in parts.send("SystemInfo.getProcessInfo")["processInfo"])


def _idle() -> tuple[int, int]:
    """Ticks that the machine's processors had nothing to do, and all ticks: where none is idle, frames wait for others' work."""
    _, user, nice, system, idle, waiting, *others = Path("/proc/stat").read_text().splitlines()[0].split()
    return int(idle) + int(waiting), sum(map(int, (user, nice, system, idle, waiting, *others)))


def _moving(page: Page) -> dict[str, float]:
    """Count frames while the map is zoomed in and out."""
    page.evaluate(
        """seconds => { const canvas = document.querySelector('.chart .window'), began = performance.now();
        const step = now => { const at = (now - began) / 200;
          const where = {bubbles: true, cancelable: true, clientX: 700, clientY: 600};
          canvas.dispatchEvent(new WheelEvent('wheel', {deltaY: 12 * Math.sin(at), ...where}));
          if (now - began < seconds * 1000) requestAnimationFrame(step); };
        requestAnimationFrame(step); }""",
        WATCH_S,
    )
    frames: dict[str, float] = page.evaluate(FRAMES, WATCH_S)
    return frames


def _speak(served: Served, agents: int, stop: threading.Event, said: list[int]) -> None:
    """Say something new for one agent after another, at a steady pace, until told to stop or for a minute."""
    began_s = time.monotonic()
    while not stop.is_set() and time.monotonic() - began_s < 60:
        served.service.publish(_said(agents, said[0]))
        said[0] += BATCH
        time.sleep(max(0.0, said[0] / UPDATES - (time.monotonic() - began_s)))


def _said(agents: int, first: int) -> list[bytes]:
    """Return what the next agents say: a batch, beginning with a number."""
    lines = []
    for number in range(first, first + BATCH):
        agent = number % agents
        thing, kind = THINGS[agent // 2 % 4], "need" if agent % 2 else "offer"
        data = {"resource": thing, "quantity": {"value": 1 + number % 97, "unit": "1"}}
        lines.append(event_json(kind, f"agent:agent-{agent:05d}", thing, NOW_US + number, data))
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("agents", type=int, nargs="*", metavar="AGENTS", default=SIZES, help="of a network; each is measured alone")
    main(parser.parse_args().agents)
