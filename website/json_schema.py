"""Tables of the fields of JSON Schemas."""

from collections.abc import Mapping
from typing import Any

from website.markdown import cell, code, table

Schema = Mapping[str, Any]
HEAD = ("field", "type", "needed", "meaning")


def fields_table(schema: Schema) -> str:
    """Return the fields of an object, or the type of a schema without fields in a sentence."""
    if "properties" not in schema:
        return f"{type_of(schema).capitalize()}.\n"
    needed = set(schema.get("required", ()))
    rows = [
        (
            code(name),
            type_of(one),
            "yes" if name in needed else "",
            cell(one.get("description", "")),
        )
        for name, one in schema["properties"].items()
    ]
    # Few schemas say what their fields mean: a column without any text is left out.
    columns = len(HEAD) if any(row[-1] for row in rows) else len(HEAD) - 1
    return table(HEAD[:columns], (row[:columns] for row in rows)) or "An object.\n"


def type_of(schema: Schema) -> str:
    """Return the type of a value in words."""
    match schema:
        case {"const": value}:
            return f"the constant {code(str(value))}"
        case {"enum": values}:
            return ", ".join(code(str(one)) for one in values)
        case {"$ref": reference}:
            return str(reference).rpartition("/")[2]
        case {"anyOf": kinds} | {"oneOf": kinds}:
            return " or ".join(dict.fromkeys(map(type_of, kinds)))
        case {"allOf": [first, *_]}:
            return type_of(first)
    return _plain_type(schema)


def _plain_type(schema: Schema) -> str:
    kinds = schema.get("type", "any value")
    if kinds == "array":
        items = schema.get("items")
        return f"array of {type_of(items)}" if items else "array"
    return kinds if isinstance(kinds, str) else " or ".join(kinds)
