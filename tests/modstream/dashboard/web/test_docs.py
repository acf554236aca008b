"""The documentation at /docs: the built site, or a page that says how it is built."""

import tomllib
from pathlib import Path

import pytest

from modstream.dashboard.web import app as dashboard
from modstream.dashboard.web.docs import SITE
from modstream.dashboard.web.rendering import FOLDER
from tests.modstream.dashboard.web.dashboards import Dashboard
from tests.modstream.dashboard.web.views_of_state import StateOfViews


@pytest.fixture
def site(tmp_path):
    (tmp_path / "index.html").write_text("<h1>modstream</h1>")
    (tmp_path / "asking.html").write_text("<h1>Ask</h1>")
    return tmp_path


def dashboard_with(site, monkeypatch, **settings):
    monkeypatch.setattr(dashboard, "SITE", site)
    return Dashboard.of(StateOfViews("full"), **settings)


def test_the_site_is_served_under_the_policy_of_the_dashboard(site, monkeypatch):
    browser = dashboard_with(site, monkeypatch).browser()

    first, page = browser.get("/docs/"), browser.get("/docs/asking.html")

    assert "<h1>modstream</h1>" in first.text
    assert "<h1>Ask</h1>" in page.text
    assert page.headers["Cache-Control"] == "no-cache"
    assert "unsafe" not in page.headers["Content-Security-Policy"]


def test_the_address_without_a_slash_leads_to_the_first_page(site, monkeypatch):
    response = dashboard_with(site, monkeypatch).browser().get("/docs")

    assert (response.status_code, response.headers["Location"]) == (308, "/docs/")


def test_no_key_is_needed(site, monkeypatch):
    browser = dashboard_with(site, monkeypatch, needs_key=True).browser()

    assert browser.get("/docs/").status_code == 200
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize("path", ["/docs/no.html", "/docs/../app.py", "/docs/%2e%2e/app.py"])
def test_what_is_not_in_the_site_is_not_found(site, monkeypatch, path):
    response = dashboard_with(site, monkeypatch).browser().get(path)

    assert response.status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/docs/asking.html"])
def test_without_a_site_the_page_says_how_to_build_it(tmp_path, monkeypatch, path):
    response = dashboard_with(tmp_path / "none", monkeypatch).browser().get(path)

    assert response.status_code == 404
    assert "make docs" in response.text


def test_a_wheel_takes_the_folder_of_the_site():
    project = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text())

    patterns = project["tool"]["setuptools"]["package-data"]["modstream.dashboard.web"]
    assert f"{SITE.relative_to(FOLDER).as_posix()}/**/*" in patterns
