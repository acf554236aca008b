"""Attributes that the theme lacks, and that screen readers and the keyboard need."""

import re
from collections.abc import Mapping
from pathlib import Path

COMPLETED: Mapping[str, str] = {
    r'<p class="caption" role="heading">': '<p class="caption" role="heading" aria-level="2">',
    r'<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    r'<aside class="toc-drawer([^"]*)">': r'<aside class="toc-drawer\1" aria-label="This page">',
    # It may scroll, which the keyboard can do only for what has the focus.
    r"<pre>": '<pre tabindex="0">',
}
"""Elements of the built pages, as regular expressions, and what they become."""


def complete_attributes(site: Path) -> None:
    """Add the attributes to all pages of a site."""
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        for element, completed in COMPLETED.items():
            text = re.sub(element, completed, text)
        page.write_text(text, "utf-8")
