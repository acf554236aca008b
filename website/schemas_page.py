"""The page of all JSON Schemas of the messages, from the contracts."""

from collections.abc import Iterator

from modstream.broker.wire.json_schemas import CONTRACTS, json_schema
from website.json_schema import fields_table

HEAD = """\
# JSON Schemas

Generated from the contracts of the messages; the folder `schemas/` of the source code has the same.
[Messages](messages.md) describes each message with examples. A field that is not needed may be
absent.
"""


def schemas_page() -> str:
    """Return the page."""
    return HEAD + "".join(map(_section, CONTRACTS))


def _section(name: str) -> str:
    schema = json_schema(name)
    parts: Iterator[str] = (
        f"\n### {part} of {name}\n\n{one.get('description', '')}\n\n{fields_table(one)}"
        for part, one in schema.get("$defs", {}).items()
    )
    return (
        f"\n(schema-{name})=\n## {name}\n\n{schema.get('description', '')}\n\n"
        f"{fields_table(schema)}\nThe schema: [{name}.json](schemas/{name}.json)\n{''.join(parts)}"
    )
