"""Screenshots of all views, for people to look at.

    python -m tests.dashboard.screenshots FOLDER [KIND ...]

makes one of each view, in both themes, 1440 and 390 pixels wide.
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.dashboard.browsers import KINDS, VIEWS, open_chromium, served_dashboard, sign_in

WIDTHS = (1440, 390)
THEMES = ("light", "dark")


def make_screenshots(folder: Path, kinds: tuple[str, ...]) -> None:
    """Write the screenshots of all views for each kind of state."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = open_chromium(playwright)
        for kind in kinds:
            with served_dashboard(kind) as dashboard:
                for theme in THEMES:
                    for width in WIDTHS:
                        size = {"width": width, "height": 900}
                        context = browser.new_context(viewport=size, color_scheme=theme)
                        page = context.new_page()
                        sign_in(page, dashboard)
                        for name, path in VIEWS.items():
                            page.goto(dashboard.url + path)
                            page.wait_for_timeout(250)
                            file = folder / f"{kind}-{name}-{theme}-{width}.png"
                            page.screenshot(path=file, full_page=True)
                        context.close()
        browser.close()


if __name__ == "__main__":
    make_screenshots(Path(sys.argv[1]), tuple(sys.argv[2:]) or KINDS)
