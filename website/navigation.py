"""The structure of the site: every page of `docs/` is in one of these sections.

A page that is missing here fails `tests/website/test_navigation.py`, and so does one that is listed
and does not exist.
"""

from collections.abc import Mapping

GENERATED = ("use", "cli", "http-api", "python-api", "schemas", "examples", "decisions")
"""The pages that the site has besides those of `docs/`; `website/sources.py` makes them."""

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Start": ("tutorial", "first-hour", "use"),
    "Ask and label": (
        "asking",
        "conformal",
        "any-language",
        "gateway",
        "gateway-clients",
        "gateway-access",
        "precompute",
        "forecast",
        "dependency",
        "serverless",
    ),
    "Publish models": ("publishing", "sklearn", "onnx", "pipelines", "stream-features"),
    "Data": ("data-sets", "training", "automl"),
    "Operate": (
        "security",
        "containers",
        "kubernetes",
        "dashboard",
        "monitoring",
        "opentelemetry",
        "model-monitoring",
        "inference-log",
        "lambda",
        "privacy",
        "tracing",
        "lineage",
    ),
    "Concepts": ("architecture", "delivery", "learning", "speed", "glossary", "decisions"),
    "Reference": (
        "settings",
        "cli",
        "http-api",
        "python-api",
        "messages",
        "schemas",
        "metrics",
        "examples",
    ),
}
"""The pages of each section by the names of their files, without `.md`, in their order."""


def listed_pages() -> tuple[str, ...]:
    """Return the names of all pages in the navigation, in their order."""
    return tuple(page for pages in SECTIONS.values() for page in pages)


def missing_pages(written: set[str]) -> str:
    """Return what is wrong with the navigation, as sentences; an empty text if nothing is.

    Args:
        written: the names of the pages in `docs/`, without `.md`.
    """
    listed = listed_pages()
    sentences = [
        f"docs/{page}.md is in no section of website/navigation.py: add it to SECTIONS"
        for page in sorted(written - set(listed))
    ]
    sentences += [
        f"website/navigation.py lists {page}, but there is no docs/{page}.md"
        for page in sorted(set(listed) - written - set(GENERATED))
    ]
    sentences += [
        f"website/navigation.py lists {page} more than once"
        for page in sorted({page for page in listed if listed.count(page) > 1})
    ]
    return "\n".join(sentences)
