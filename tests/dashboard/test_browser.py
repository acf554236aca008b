"""The pages in Chromium: accessible, usable with the keyboard, live, and without outside requests.

`make browser` runs these tests.
"""

from time import monotonic
from typing import NamedTuple

import pytest

from tests.dashboard.browsers import KINDS, VIEWS, served_dashboard, sign_in

pytestmark = pytest.mark.browser

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
THEMES = ("light", "dark")


@pytest.fixture
def dashboard():
    with served_dashboard() as served:
        yield served


@pytest.fixture
def page(chromium):
    """A page that collects what the console says, and the addresses that are asked."""
    context = chromium.new_context()
    opened = context.new_page()
    opened.said, opened.asked = [], []
    opened.on("console", lambda message: opened.said.append(message.text))
    opened.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.on("request", lambda request: opened.asked.append(request.url))
    yield opened
    context.close()


@pytest.mark.parametrize("kind", KINDS)
def test_no_view_violates_a_rule_of_axe(chromium, axe_script, kind):
    found = []
    with served_dashboard(kind) as dashboard:
        for theme in THEMES:
            # Only here the policy is bypassed: axe is injected into the page.
            context = chromium.new_context(bypass_csp=True, color_scheme=theme)
            opened = context.new_page()
            sign_in(opened, dashboard)
            for name, path in VIEWS.items():
                opened.goto(dashboard.url + path)
                opened.locator("h1").wait_for()
                if "hx-sse:connect" in opened.content():
                    opened.locator('[data-state="live"]').wait_for()
                opened.evaluate(axe_script)
                result = opened.evaluate(
                    "rules => axe.run({runOnly: {type: 'tag', values: rules}})", RULES
                )
                found += [
                    (name, theme, violation["id"], violation["nodes"][0]["html"][:160])
                    for violation in result["violations"]
                ]
            context.close()

    assert found == []


@pytest.mark.parametrize("width", [320, 390])
def test_no_page_is_wider_than_a_phone(page, dashboard, width):
    page.set_viewport_size({"width": width, "height": 800})
    sign_in(page, dashboard)
    for name, path in VIEWS.items():
        page.goto(dashboard.url + path)
        page.locator("h1").wait_for()
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, name


@pytest.mark.parametrize("kind", KINDS)
def test_the_console_is_silent_and_nothing_outside_is_asked(page, kind):
    with served_dashboard(kind) as dashboard:
        sign_in(page, dashboard)
        for path in VIEWS.values():
            response = page.goto(dashboard.url + path)
            page.locator("h1").wait_for()
            if response.status == 200 and "hx-sse:connect" in page.content():
                page.locator('[data-state="live"]').wait_for()
            elif response.status >= 400:
                page.said = [one for one in page.said if "Failed to load resource" not in one]

    assert page.said == []
    assert [one for one in page.asked if not one.startswith(dashboard.url)] == []


def test_charts_are_drawn_under_the_strict_policy(page, dashboard):
    page.goto(dashboard.url)

    page.locator("#rates-plot canvas").wait_for()
    drawn = page.locator("#rates-plot canvas").evaluate(
        "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v > 0)"
    )
    assert drawn
    assert page.locator("#latencies-plot canvas").count() == 1


def test_an_update_reaches_the_screen_and_leaves_the_focus(page, dashboard):
    page.goto(dashboard.url)
    page.locator('[data-state="live"]').wait_for()
    page.locator("#rates-table summary").click()
    link = page.get_by_role("link", name="1 hour")
    link.focus()
    canvas = page.locator("#rates-plot canvas").element_handle()
    dashboard.board.state.text = "NEW"
    started = monotonic()

    dashboard.update()
    page.get_by_text("2,300 requests wait and no worker runs NEW").wait_for()

    assert monotonic() - started < 3.0
    assert link.evaluate("one => one === document.activeElement")
    assert page.locator("#rates-table").get_attribute("open") is not None
    assert canvas.evaluate("one => one.isConnected")
    assert page.locator(".copy:visible").count() >= 2
    assert page.said == []


def test_the_page_can_be_paused(page, dashboard):
    page.goto(dashboard.url)
    page.locator('[data-state="live"]').wait_for()
    page.get_by_role("button", name="Pause").click()
    page.locator('[data-state="paused"]').wait_for()
    dashboard.board.state.text = "NEW"

    dashboard.update()
    page.wait_for_timeout(1500)
    assert page.get_by_text("no worker runs NEW").count() == 0
    page.get_by_role("button", name="Resume").click()

    page.get_by_text("no worker runs NEW").wait_for()


def test_a_dashboard_that_ends_is_shown_as_lost(page):
    with served_dashboard() as dashboard:
        page.goto(dashboard.url)
        page.locator('[data-state="live"]').wait_for()

    page.locator('[data-state="lost"]').wait_for()


def test_a_page_works_without_scripts(chromium, dashboard):
    context = chromium.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(dashboard.url)

    opened.get_by_role("link", name="Requests").click()
    opened.get_by_label("Id of the request").fill("r-17")
    opened.get_by_role("button", name="Search").click()

    assert opened.get_by_text("online answered").is_visible()
    assert not opened.get_by_role("button", name="Copy").first.is_visible()
    context.close()


class Action(NamedTuple):
    """A link of a model's page, what a person does then, and what has been done."""

    link: str
    reason: str
    button: str
    done: str
    version: int


PROMOTION = Action(
    "Promote version 13", "better on Mondays", "Promote version 13", "is version 13 now", 13
)
ROLLBACK = Action(
    *("Roll back the champion", "answers are too slow", "Roll back to version 11"),
    *("is version 11 again", 11),
)


@pytest.mark.parametrize("action", [PROMOTION, ROLLBACK], ids=["promotion", "rollback"])
def test_an_action_by_keyboard_alone(page, dashboard, action):
    sign_in(page, dashboard)
    page.goto(f"{dashboard.url}/models/online")
    press_until(page, action.link)
    page.keyboard.press("Enter")
    page.get_by_label("Reason").wait_for()
    press_until(page, "Reason")
    page.keyboard.type(action.reason)
    press_until(page, action.button)
    page.keyboard.press("Enter")

    page.get_by_text(f"champion of online {action.done}").wait_for()
    [(order, version)] = dashboard.board.actions.orders
    assert (order.reason, order.user, version) == (action.reason, "alice", action.version)


def test_experiments_are_filtered_and_compared_by_keyboard_alone(page, dashboard):
    page.goto(f"{dashboard.url}/experiments")
    page.locator('[data-state="live"]').wait_for()
    for name in ("aaaa1111", "bbbb2222"):
        box = page.get_by_label(f"Select experiment {name}")
        box.focus()
        page.keyboard.press("Space")
        dashboard.update()
    page.wait_for_timeout(1500)
    assert page.locator("input:checked").count() == 2
    press_until(page, "Compare the selected")
    page.keyboard.press("Enter")

    page.get_by_role("heading", name="2 experiments side by side").wait_for()
    assert page.url.endswith("/experiments/bbbb2222,aaaa1111")
    press_until(page, "What is the same")
    page.keyboard.press("Enter")
    assert page.get_by_text("flights-train@3").first.is_visible()


def press_until(page, name):
    """Press Tab until the element of this name has the focus; it must be visible then."""
    for _ in range(120):
        page.keyboard.press("Tab")
        text = page.evaluate(
            """() => {
                const one = document.activeElement;
                const label = one.labels && one.labels.length ? one.labels[0].textContent : "";
                return label || one.textContent;
            }"""
        )
        if " ".join(text.split()).startswith(name):
            outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
            return
    raise AssertionError(f"{name} is not reached by Tab")
