"""The pictures of the dashboard in `docs/dashboard.md`.

    python -m tests.dashboard.docs_pictures docs/images

They have 128 colours, since they are kept in the repository.
"""

import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.dashboard.browsers import VIEWS, open_chromium, served_dashboard

PICTURES = {"dashboard-stream": "stream", "dashboard-model": "model"}
"""The view of each picture."""
SIZE = {"width": 1200, "height": 900}
COLOURS = 128


def write_pictures(folder: Path) -> None:
    """Write the pictures of a full dashboard to a folder."""
    with sync_playwright() as playwright, served_dashboard("full") as dashboard:
        browser = open_chromium(playwright)
        page = browser.new_context(viewport=SIZE, color_scheme="light").new_page()
        for name, view in PICTURES.items():
            page.goto(dashboard.url + VIEWS[view])
            page.locator('[data-state="live"]').wait_for()
            page.locator(".plot canvas").first.wait_for()
            picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
            picture.quantize(COLOURS).save(folder / f"{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    write_pictures(Path(sys.argv[1]))
