"""The time from an event to the screen, in Chromium, for a stream on real servers.

    python -m tests.dashboard.delay --events 120 --rate 100

sends further requests beside a load of `rate` requests a second, and notes when the page of the
stream shows a number that counts each of them; and events of a model, and notes when its page shows
the row of each. It prints the median, the 95th percentile and the maximum of both, and fails if a
95th percentile is above 2 s.
"""

import argparse
import random
import sys
from collections.abc import Mapping, Sequence
from statistics import median, quantiles
from time import time

from playwright.sync_api import Page, sync_playwright

from modstream.process.background import BackgroundThread
from tests.dashboard.browsers import open_chromium
from tests.dashboard.growth import say
from tests.dashboard.live_stream import MODEL, LiveStream, live_stream

MAX_P95_SECONDS = 2.0
PAUSES = (0.2, 1.5)
"""Least and longest seconds between two events, so that they meet all phases of the updates."""
WAIT_SECONDS = 20.0
# The notes are made after the frame that shows a change.
WATCH_NUMBER = """() => {
    window.shown = [];
    const read = () => {
        const tiles = [...document.querySelectorAll(".tile")];
        const tile = tiles.find((one) => one.querySelector("dt").textContent === "Requests");
        return Number(tile.querySelector("dd").textContent.replaceAll(",", ""));
    };
    const note = () => {
        const found = read();
        requestAnimationFrame(() => setTimeout(() => window.shown.push([found, Date.now()])));
    };
    const options = { subtree: true, childList: true, characterData: true };
    new MutationObserver(note).observe(document.getElementById("live"), options);
}"""
WATCH_ROWS = """() => {
    window.shown = [];
    const known = new Set();
    const note = () => {
        const text = document.getElementById("live").textContent;
        const found = [...text.matchAll(/event-(\\d+)\\b/g)].map((one) => Number(one[1]));
        const added = found.filter((one) => !known.has(one));
        added.forEach((one) => known.add(one));
        requestAnimationFrame(() => setTimeout(() => {
            added.forEach((one) => window.shown.push([one, Date.now()]));
        }));
    };
    const options = { subtree: true, childList: true, characterData: true };
    new MutationObserver(note).observe(document.getElementById("live"), options);
}"""


def measure_delays(stream: LiveStream, events: int) -> dict[str, list[float]]:
    """Return the seconds until each event was shown, as a number and as a row."""
    with sync_playwright() as playwright:
        browser = open_chromium(playwright)
        numbers = open_page(browser.new_page(), stream.url, WATCH_NUMBER)
        rows = open_page(browser.new_page(), f"{stream.url}/models/{MODEL}", WATCH_ROWS)
        counted, changed = dict[int, float](), dict[int, float]()
        for number in range(events):
            numbers.wait_for_timeout(1000 * random.uniform(*PAUSES))
            started = time()
            counted[stream.request()] = started
            stream.change(f"event-{number}")
            changed[number] = started
        numbers.wait_for_timeout(1000 * WAIT_SECONDS)
        shown = {"number": numbers, "row": rows}
        found = {name: page.evaluate("window.shown") for name, page in shown.items()}
        browser.close()
    return {
        "number": [first_at(found["number"], target) - at for target, at in counted.items()],
        "row": [dict(found["row"])[number] / 1000 - at for number, at in changed.items()],
    }


def open_page(page: Page, url: str, watch: str) -> Page:
    """Open a page that is kept current, and let it note what it shows."""
    page.goto(url)
    page.locator('[data-state="live"]').wait_for()
    page.evaluate(watch)
    return page


def first_at(shown: Sequence[tuple[int, float]], target: int) -> float:
    """Return when, in seconds, a page first showed a number of at least `target`."""
    return next(at / 1000 for number, at in shown if number >= target)


def report(delays: Mapping[str, Sequence[float]]) -> list[str]:
    """Print the delays; return what is wrong with them."""
    problems = []
    say("event    events  p50 s  p95 s  max s")
    for name, seconds in delays.items():
        p95 = quantiles(seconds, n=20)[-1]
        say(f"{name:8}{len(seconds):7}{median(seconds):7.2f}{p95:7.2f}{max(seconds):7.2f}")
        if p95 > MAX_P95_SECONDS:
            problems.append(f"{name}: the 95th percentile is {p95:.2f} s")
    return problems


def main() -> None:
    """Measure as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=120)
    parser.add_argument("--rate", type=float, default=100.0, help="further requests a second")
    given = parser.parse_args()
    with (
        live_stream() as stream,
        BackgroundThread("load", lambda stop: stream.send_steadily(given.rate, stop)),
    ):
        problems = report(measure_delays(stream, given.events))
    sys.exit("\n".join(problems) or 0)


if __name__ == "__main__":
    main()
