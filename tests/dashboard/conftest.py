"""Chromium for the tests that are marked `browser`, and axe-core, which npm provides."""

import subprocess
import tarfile

import pytest
from playwright.sync_api import sync_playwright

from tests.dashboard.browsers import CHROMIUM, MISSING, open_chromium

AXE = "axe-core@4.14.1"


@pytest.fixture(scope="session")
def chromium():
    if CHROMIUM is None:
        pytest.fail(MISSING)
    with sync_playwright() as playwright:
        browser = open_chromium(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe_script(tmp_path_factory):
    """The text of axe-core, of which the project keeps no copy: it is only used by these tests."""
    folder = tmp_path_factory.mktemp("axe")
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), AXE]
    subprocess.run(command, check=True, capture_output=True)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        return archive.extractfile("package/axe.min.js").read().decode()
