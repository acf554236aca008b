"""The pages render in every state, escape what clients choose, and mask values."""

import re
from html.parser import HTMLParser

import pytest

from modstream.dashboard.web.guard import CONTENT_SECURITY_POLICY
from tests.modstream.dashboard.web.dashboards import Dashboard
from tests.modstream.dashboard.web.views_of_state import StateOfViews

PATHS = (
    *("/", "/models", "/models/online", "/models/frozen", "/labels"),
    *("/requests", "/requests?id=r-17", "/sign-in"),
    *("/experiments", "/experiments/aaaa1111", "/experiments/aaaa1111,bbbb2222,cccc3333"),
)
KINDS = ("full", "empty", "error", "long")
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}"


class Tags(HTMLParser):
    """Collects the tags and attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.attributes += [name for name, _ in attrs]


def page(path, kind="full", text=""):
    return Dashboard.of(StateOfViews(kind, text)).browser().get(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", PATHS)
def test_a_page_renders_in_every_state(path, kind):
    response = page(path, kind)

    missing = kind == "empty" and path.startswith(("/models/", "/experiments/"))
    assert response.status_code == (404 if missing else 200)
    assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "same-origin"
    assert response.text.count("<h1>") == 1
    assert "None" not in re.sub(r"<[^>]+>", "", response.text).replace("None found", "")


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_no_script_style_or_handler_of_its_own_and_nothing_from_elsewhere(path):
    found = Tags(page(path).text)

    scripts = [attributes for tag, attributes in found.tags if tag == "script"]
    assert scripts
    assert all(one["src"].startswith("/static/") for one in scripts)
    assert not [tag for tag, _ in found.tags if tag in {"style", "iframe", "object", "base"}]
    assert not [name for name in found.attributes if name == "style" or name.startswith("on")]
    links = [one.get("href") or one.get("src") for _, one in found.tags]
    assert all(one.startswith(("/", "#")) for one in links if one)


@pytest.mark.parametrize("path", PATHS)
def test_text_that_clients_choose_is_escaped(path):
    harmless, hostile = page(path, text="x"), page(path, text=HOSTILE)

    assert "<script>alert" not in hostile.text
    assert "<img" not in hostile.text
    assert "{{7*7}}" in hostile.text or HOSTILE[:4] not in hostile.text
    tags = [tag for tag, _ in Tags(hostile.text).tags]
    assert tags == [tag for tag, _ in Tags(harmless.text).tags]


def test_a_hostile_id_of_the_address_is_escaped():
    response = (
        Dashboard.of(StateOfViews("empty")).browser().get("/requests", params={"id": HOSTILE})
    )

    assert response.status_code == 200
    assert "<script>alert" not in response.text
    assert "&lt;script&gt;" in response.text


def test_values_of_a_request_are_masked_until_they_are_asked_for():
    state = StateOfViews()
    client = Dashboard.of(state).browser()

    masked = client.get("/requests?id=r-17")
    shown = client.get("/requests?id=r-17&values=shown&key=k-1")

    assert "6.125" not in masked.text
    assert "0.91" not in masked.text
    assert "6.125" in shown.text
    assert state.searches == [("r-17", None, False), ("r-17", "k-1", True)]


def test_a_page_says_that_kafka_and_redis_are_away():
    assert "Kafka does not answer" in page("/", "error").text
    assert "registry does not respond" in page("/models", "error").text
    assert "no broker answers" in page("/requests?id=r-17", "error").text
    assert "does not have this model, or does not respond" in page("/models/online", "error").text


def test_a_table_of_10_000_rows_is_shown_in_parts():
    first, last = page("/", "long"), page("/?page=200&sort=partition", "long")
    beyond = page("/?page=9999999", "long")

    assert "1–50 of 10,000 partitions" in first.text
    assert "9,951–10,000 of 10,000 partitions" in last.text
    assert "9,951–10,000 of 10,000 partitions" in beyond.text
    assert len(first.text) < 200_000
    for path in ("/models/online", "/labels", "/requests?id=r-17"):
        found = page(path, "long")
        assert re.search("1–[25]0 of 10,000", found.text)
        assert len(found.text) < 400_000


def test_the_table_of_lag_is_sorted_as_asked():
    falling, rising = page("/?sort=-records"), page("/?sort=records")

    assert 'aria-sort="descending"' in falling.text
    assert 'aria-sort="ascending"' in rising.text
    assert "/?sort=records" in falling.text
    assert page("/?sort=<script>").status_code == 200


def test_every_chart_has_a_caption_and_a_table():
    text = page("/models/online").text + page("/").text

    figures = re.findall(r'<figure class="chart".*?</figure>', text, re.DOTALL)
    plots = [one for one in figures if "data-plot" in one]
    assert len(plots) == 4
    assert all("<figcaption>" in one and "<table>" in one for one in plots)


def test_commands_are_quoted_for_the_shell():
    client = Dashboard.of(StateOfViews()).browser()

    response = client.get("/requests", params={"id": "a b;rm"})

    assert "modstream trace &#39;a b;rm&#39; flights" in response.text


def test_unknown_pages_and_methods_are_answered_with_a_sentence():
    client = Dashboard.of(StateOfViews()).browser()

    assert "there is no page" in client.get("/nothing").text
    assert client.get("/nothing").status_code == 404
    assert client.get("/models/unknown").status_code == 404
    assert client.post("/labels").status_code == 405
    assert client.get("/models/online/promote?version=%00").status_code in {400, 403}


def test_static_files_may_be_cached_and_nothing_else_is_read():
    client = Dashboard.of(StateOfViews()).browser()
    css = re.search(r'href="(/static/dashboard.css[^"]*)"', client.get("/").text)[1]

    assert "immutable" in client.get(css).headers["cache-control"]
    assert client.get("/static/../app.py").status_code == 404
    assert client.get("/static/%2e%2e/app.py").status_code == 404
    assert client.get("/").headers["cache-control"] == "no-store"


def test_the_theme_is_remembered():
    client = Dashboard.of(StateOfViews()).browser()

    answer = client.get("/theme?to=dark&next=/labels")

    assert (answer.status_code, answer.headers["location"]) == (303, "/labels")
    assert 'data-theme="dark"' in client.get("/").text
    client.get("/theme?to=auto&next=//evil.example")
    assert "data-theme" not in client.get("/").text
    assert client.get("/theme?to=dark&next=//evil.example").headers["location"] == "/"


def test_an_unforeseen_error_is_answered_under_the_policy_and_without_its_details(monkeypatch):
    state = StateOfViews()
    monkeypatch.setattr(state, "models", lambda: 1 / 0)

    response = Dashboard.of(state).browser().get("/models")

    assert response.status_code == 500
    assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert "ZeroDivisionError" in response.text
    assert "Traceback" not in response.text
