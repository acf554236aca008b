"""The documentation in Chromium: under the dashboard's policy, offline, searchable.

`make browser` runs these tests. They build the site, which fails on a broken link or anchor.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from modstream.dashboard.web import app
from tests.dashboard.browsers import served_dashboard
from tests.dashboard.test_browser import RULES

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.browser

AXE_PAGES = ("index", "messages", "python-api", "architecture")
"""Pages of every kind: prose, code, tables, generated ones, a picture."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "website", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def docs(site, monkeypatch):
    """The address of the documentation on a served dashboard."""
    monkeypatch.setattr(app, "SITE", site)
    with served_dashboard() as dashboard:
        yield f"{dashboard.url}/docs"


@pytest.fixture
def page(chromium):
    """A page that collects what the console says, and the addresses that are asked."""
    context = chromium.new_context()
    opened = context.new_page()
    opened.said, opened.asked = [], []
    opened.on("console", lambda message: opened.said.append((opened.url, message.text)))
    opened.on("pageerror", lambda error: opened.said.append((opened.url, str(error))))
    opened.on("request", lambda request: opened.asked.append(request.url))
    yield opened
    context.close()


def test_every_page_is_silent_asks_nothing_outside_and_fits_a_phone(site, docs, page):
    page.set_viewport_size({"width": 320, "height": 800})
    wide = []
    for file in sorted(site.rglob("*.html")):
        page.goto(f"{docs}/{file.relative_to(site).as_posix()}")
        if page.evaluate("document.documentElement.scrollWidth") > 320:
            wide.append(file.name)

    assert page.said == []
    assert [one for one in page.asked if not one.startswith(docs)] == []
    assert wide == []


def test_no_page_has_an_inline_script_or_style(site):
    for file in site.rglob("*.html"):
        text = file.read_text()
        assert "<script>" not in text, file
        assert "<style>" not in text, file
        assert ' style="' not in text, file


def test_the_search_works_offline(docs, page):
    page.goto(f"{docs}/index.html")
    page.get_by_placeholder("Search").first.fill("quarantine")
    page.keyboard.press("Enter")

    # The results appear one after the other.
    page.locator("ul.search li a").nth(4).wait_for()
    assert page.said == []


def test_the_theme_can_be_switched(docs, page):
    page.goto(f"{docs}/index.html")
    before = page.evaluate("document.body.dataset.theme")
    page.locator(".theme-toggle:visible").first.click()

    assert page.evaluate("document.body.dataset.theme") != before


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_violates_a_rule_of_axe(chromium, axe_script, docs, theme):
    # Only here the policy is bypassed: axe is injected into the page.
    context = chromium.new_context(bypass_csp=True, color_scheme=theme)
    opened = context.new_page()
    found = set()
    for name in AXE_PAGES:
        opened.goto(f"{docs}/{name}.html")
        opened.evaluate(axe_script)
        result = opened.evaluate("rules => axe.run({runOnly: {type: 'tag', values: rules}})", RULES)
        found |= {(one["id"], name, one["nodes"][0]["html"][:150]) for one in result["violations"]}
    context.close()

    assert found == set()
