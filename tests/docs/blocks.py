"""The blocks of code in the README and in `docs/`, and what the tests do with each.

A block is fenced, and its first word is its language. What is behind that decides how it is tested:

    console              run by `test_pages.py`; `tests/journeys/console_blocks.py` has its kinds
    console not-run: WHY not run; its commands are parsed, so that their options exist
    console install      the same: the tests run in an environment that is installed
    python               run as a program in a prepared system
    python not-run: WHY  compiled only
    json                 parsed; in messages.md compared with schema and contract
    json NAME            compared with the schema of this name
    toml settings        read as a `modstream.toml`
    toml pipeline        read as the definition of a pipeline
    toml features        read as a `features.toml`
    yaml values          given to the Helm chart, which is rendered with them
    text                 no code: a formula, an output, a layout of files

A block of another kind, or an indented one, fails `test_blocks.py`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(
    r"^(?P<marks>`{3,})(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=marks) *$", re.DOTALL | re.MULTILINE
)
INDENTED = re.compile(r"(?:\A|\n)[ \t]*\n(?: {4}|\t)[^\n]*")
NOT_RUN = "not-run:"
LANGUAGES = {"bash", "console", "json", "python", "text", "toml", "yaml"}
ELSEWHERE = {
    "docs/first-hour.md": "tests/journeys/test_first_hour.py",
    "docs/gateway-clients.md": "tests/gateway_clients/documented_clients.py",
}
"""The pages whose commands and programs another test runs."""
COMMAND = re.compile(r"^(?:\$|modstream|make|python|pip|curl|docker) ", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of code: its page from the root, its line, its language, what is behind that."""

    page: str
    line: int
    language: str
    words: str
    text: str

    def __str__(self):
        return f"{self.page}:{self.line}"

    @property
    def is_parsed_only(self):
        """Whether its commands are parsed and not run."""
        return self.words == "install" or self.words.startswith(NOT_RUN)


def pages():
    """Return the paths of all pages."""
    return [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("adr/*.md"))]


def blocks_of(path):
    """Return the blocks of a page, in order."""
    text, page = path.read_text(), path.relative_to(ROOT).as_posix()
    found = []
    for fence in FENCE.finditer(text):
        language, _, words = fence["info"].strip().partition(" ")
        line = text.count("\n", 0, fence.start()) + 1
        found.append(Block(page, line, language, words.strip(), fence["text"]))
    return found


def indented_blocks(path):
    """Return the first lines of the blocks that are indented instead of fenced."""
    text = FENCE.sub("", path.read_text())
    return [
        found[0].strip()
        for found in INDENTED.finditer(text)
        if not re.match(r"[-*\d]", found[0].strip()) and not _continues_list(text, found.start())
    ]


def fault_of(block):
    """Return why a block has no class, as a sentence; an empty text if it has one."""
    reason = block.words.removeprefix(NOT_RUN).strip()
    if block.words.startswith(NOT_RUN) and len(reason.split()) < 2:
        return "`not-run:` needs a reason"
    if block.language == "toml" and block.words not in {"settings", "pipeline", "features"}:
        return "say `toml settings`, `toml pipeline` or `toml features`"
    if block.language == "yaml" and block.words != "values":
        return "say `yaml values`"
    if block.language == "bash" and block.page not in ELSEWHERE:
        return "use `console`, with `$ ` before commands"
    if block.language == "text" and COMMAND.search(block.text):
        return "it has a command: use `console`"
    known = block.language in LANGUAGES
    return "" if known else f"no class for {block.language or 'no language'}: tests/docs/blocks.py"


def _continues_list(text, position):
    """Whether the paragraph before a position belongs to an item of a list."""
    before = text[:position].rstrip().rpartition("\n\n")[2]
    return re.match(r"\s*(?:[-*]|\d+\.) ", before) is not None
