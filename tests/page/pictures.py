"""Makes the README's two pictures of the page: `make pictures`. The relief network of the tests, in a real Chromium, packed small."""

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from coordinator.times import DAY_US
from tests.page.conftest import NAMES, NOW_US, RULES
from tests.support.relief import relief
from tests.support.serving import Hand, Served, serve

FOLDER = Path(__file__).resolve().parents[2] / "deploy/page"
PICTURES = {"overview": ("/overview", "light", 820), "map": ("/map", "dark", 960)}  # pixels high, so that the map is whole
WIDE = 1200
LARGEST_BYTES = 200_000


def main() -> None:
    """Write deploy/page/page-NAME.jpg, each below the size that a README bears."""
    chromium = chromium_here()
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder) / "log", clock=Hand(NOW_US - DAY_US), **RULES) as served:
        served.relive(relief(NOW_US), NOW_US)
        served.wait(2)
        let_some_accept(served)
        for name, (address, scheme, high) in PICTURES.items():
            _take(chromium, served, name, address, scheme, high)


def chromium_here() -> str:
    """The browser of this machine; the program ends with a sentence where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        sys.exit("no Chromium on this machine; on Debian and Ubuntu: apt-get install chromium")
    return found


def let_some_accept(served: Served) -> None:
    """Let some parties accept, so that pictures show every state."""
    for number, proposal in enumerate(served.get("/proposals?limit=1000")["items"]):
        if number % 3 == 0:
            for party in proposal["parties"][: 1 + (number % 6 == 0)]:
                served.client(party).accept(proposal["proposal"])
    served.wait(2)


def _take(chromium: str, served: Served, name: str, address: str, scheme: str, high: int) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        facts: dict[str, Any] = {"viewport": {"width": WIDE, "height": high}, "color_scheme": scheme}
        page = browser.new_page(**facts, locale="en-GB", timezone_id="UTC")
        page.clock.install(time=served.clock.now_us / 1e6)
        page.clock.resume()
        page.goto(f"{served.url}/#{address}")
        page.locator("main .loading").wait_for(state="detached")
        time.sleep(2)
        encoded = page.screenshot(type="jpeg", quality=82)
        browser.close()
    target = FOLDER / f"page-{name}.jpg"
    assert len(encoded) < LARGEST_BYTES, f"{target} would have {len(encoded)} bytes"
    target.write_bytes(encoded)
    print(f"{target}: {len(encoded)} bytes")


if __name__ == "__main__":
    main()
