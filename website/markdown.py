"""How the generated pages write Markdown."""

from collections.abc import Iterable, Sequence


def cell(text: str) -> str:
    """Return a text as it stands in a cell of a table: on one line, with `|` escaped."""
    return " ".join(text.split()).replace("|", r"\|")


def code(text: str) -> str:
    """Return a text as code within a line; an empty text stays empty."""
    return f"`{cell(text)}`" if text else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; an empty text if it has no rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines, ""])


def fence(language: str, text: str) -> str:
    """Return a block of code; its fence is longer than any in the text."""
    marks = "```"
    while marks in text:
        marks += "`"
    return f"{marks}{language}\n{text.rstrip()}\n{marks}\n"
