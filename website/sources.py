"""The sources of the site: the pages of `docs/`, parts of the README, and generated pages.

They are written to a folder of their own, since links that lead out of `docs/` on GitHub (to the
README, the schemas, the examples) lead to pages of the site.
"""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from modstream.broker.wire.json_schemas import CONTRACTS
from website.cli_page import cli_page
from website.http_page import http_page
from website.markdown import fence, table
from website.navigation import SECTIONS
from website.python_page import python_page
from website.schemas_page import schemas_page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SCHEMAS = ROOT / "schemas"
EXAMPLES = ROOT / "examples"
PARTED = "\n## Try it\n"
"""The heading at which the README is split: the part before it is the first page of the site."""
LANGUAGES = {".py": "python", ".js": "javascript", ".java": "java", ".go": "go", ".toml": "toml"}
OUTSIDE: Mapping[str, Callable[[re.Match[str]], str]] = {
    r"\]\((?:\.\./)+schemas/([\w-]+)\.json\)": lambda m: f"]({schema_address(m[1])})",
    r"\]\((?:\.\./)+schemas/?\)": lambda _: "](schemas.md)",
    r"\]\((?:\.\./)+examples/?\)": lambda _: "](examples.md)",
    r"\]\((?:\.\./)+examples/([\w./-]+)\)": lambda m: f"](#{example_target(m[1])})",
    r"\]\((?:\.\./)+README\.md(#[\w-]+)?\)": lambda m: f"](use.md{m[1] or ''})",
}
"""Links of the pages of `docs/` to other folders, and where they lead in the site."""
FROM_ROOT: Mapping[str, Callable[[re.Match[str]], str]] = {
    r"\]\(docs/adr/?\)": lambda _: "](decisions.md)",
    r"\]\(docs/([\w./#-]+)\)": lambda m: f"]({m[1]})",
    r"\[([^\]]+)\]\(LICENSE\)": lambda m: m[1],
}
"""Links of the README to other files, and where they lead in the site."""


def write_sources(folder: Path) -> None:
    """Write all sources of the site to a folder, which is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(DOCS, folder)
    shutil.copytree(SCHEMAS, folder / "schemas")
    for page in folder.rglob("*.md"):
        page.write_text(rewrite(page.read_text("utf-8"), OUTSIDE), "utf-8")
    for name, text in generated_pages():
        (folder / f"{name}.md").write_text(text, "utf-8")


def generated_pages() -> Iterator[tuple[str, str]]:
    """Yield the names of the pages that are not in `docs/`, and their texts."""
    head, _, rest = rewrite((ROOT / "README.md").read_text("utf-8"), FROM_ROOT).partition(PARTED)
    yield "index", head + table_of_contents()
    yield "use", f"# Install and use\n{PARTED}{rest}"
    yield "cli", cli_page()
    yield "http-api", http_page()
    yield "python-api", python_page()
    yield "schemas", schemas_page()
    yield "examples", examples_page()
    yield "decisions", decisions_page()


def rewrite(text: str, rules: Mapping[str, Callable[[re.Match[str]], str]]) -> str:
    """Return a text in which the links of these rules lead to pages of the site."""
    for pattern, replace in rules.items():
        text = re.sub(pattern, replace, text)
    return text


def table_of_contents() -> str:
    """Return the sections of the navigation, as Sphinx reads them."""
    return "".join(
        f"\n```{{toctree}}\n:caption: {section}\n:hidden:\n\n" + "\n".join(pages) + "\n```\n"
        for section, pages in SECTIONS.items()
    )


def examples_page() -> str:
    """Return the page with the programs in `examples/`."""
    text = (
        "# Examples\n\nThe programs in `examples/`. Tests run each of them against a real system;"
        " [any language](any-language.md) says when to use which.\n"
    )
    for path in sorted(EXAMPLES.rglob("*")):
        name = path.relative_to(EXAMPLES).as_posix()
        if path.suffix in LANGUAGES:
            code = fence(LANGUAGES[path.suffix], path.read_text("utf-8"))
            text += f"\n({example_target(name)})=\n## {name}\n\n{code}"
    return text


def schema_address(name: str) -> str:
    """Return where the site has a file of `schemas/`: in the page of the schemas, or as a file."""
    return f"#schema-{name}" if name in CONTRACTS else f"/schemas/{name}.json"


def example_target(name: str) -> str:
    """Return the target of an example's heading, by its path in `examples/`."""
    return f"example-{re.sub(r'[^a-z0-9]+', '-', name.lower())}"


def decisions_page() -> str:
    """Return the list of the architecture decision records, which the navigation leads to."""
    paths = sorted((DOCS / "adr").glob("*.md"))
    rows = []
    for path in paths:
        number, _, title = path.read_text("utf-8").partition("\n")[0][2:].partition(". ")
        rows.append((number, f"[{title}](adr/{path.name})"))
    tree = "\n".join(f"adr/{path.stem}" for path in paths)
    return (
        "# Decisions\n\nArchitecture decision records: what was decided, the reasons, and the"
        " measurements behind them.\n\n"
        + table(("ADR", "decision"), rows)
        + f"\n```{{toctree}}\n:hidden:\n\n{tree}\n```\n"
    )
