"""Every page of `docs/` is in the navigation of the site, and every link leads somewhere."""

import re
from functools import cache

import pytest
from mdit_py_plugins.anchors.index import slugify

from tests.docs.blocks import DOCS, FENCE, ROOT, pages
from website.navigation import missing_pages

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def test_every_page_is_in_the_navigation():
    assert missing_pages({path.stem for path in DOCS.glob("*.md")}) == ""


def test_a_page_that_is_missing_is_named_with_what_to_do():
    written = {path.stem for path in DOCS.glob("*.md")}

    assert missing_pages(written | {"new-page"}) == (
        "docs/new-page.md is in no section of website/navigation.py: add it to SECTIONS"
    )
    assert missing_pages(written - {"asking"}) == (
        "website/navigation.py lists asking, but there is no docs/asking.md"
    )


@cache
def anchors_of(path):
    text = FENCE.sub("", path.read_text())
    return {
        slugify(re.sub(r"\[([^\]]*)\]\([^)]*\)|`", r"\1", title)) for title in HEADING.findall(text)
    }


@pytest.mark.parametrize("page", pages(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings(page):
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link
