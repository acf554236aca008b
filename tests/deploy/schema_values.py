"""Values that a schema permits, as a strategy; for the words of JSON Schema that the chart uses."""

import re
from functools import partial

from hypothesis import strategies as st

LARGE = 10**6
"""The largest number where the schema has no maximum."""
CHARACTERS = st.characters(codec="utf-8", exclude_categories=["Cc"])
ANY = st.none() | st.booleans() | st.integers(-LARGE, LARGE) | st.text(CHARACTERS, max_size=8)
MOST = 3
"""The largest number of items, and of names that a map chooses itself."""


def permitted(schema, definitions):
    """Return a strategy of the values that a schema permits."""
    permit = partial(permitted, definitions=definitions)
    if "$ref" in schema:
        return permit(definitions[schema["$ref"].rpartition("/")[2]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return st.one_of(map(permit, schema[word]))
    makers = {
        "null": st.none,
        "boolean": st.booleans,
        "integer": lambda: st.integers(*limits(schema, 1)),
        "number": lambda: st.floats(*limits(schema, 0.5)),
        "string": lambda: texts(schema),
        "array": lambda: arrays(schema, permit),
        "object": lambda: objects(schema, permit, definitions),
    }
    return makers[schema["type"]]() if "type" in schema else ANY


def limits(schema, step):
    """Return the least and the largest number; `step` leads from an exclusive limit to the next."""
    least = schema.get("minimum", schema.get("exclusiveMinimum", -LARGE - step) + step)
    most = schema.get("maximum", schema.get("exclusiveMaximum", LARGE + step) - step)
    return least, most


def texts(schema):
    """Return a strategy of texts."""
    if "pattern" not in schema:
        return st.text(CHARACTERS, max_size=20)
    found = st.from_regex(schema["pattern"], fullmatch=True, alphabet=CHARACTERS)
    most = schema.get("maxLength")
    return found if most is None else found.filter(lambda text: len(text) <= most)


def arrays(schema, permit):
    """Return a strategy of lists."""
    items = permit(schema["items"])
    least = schema.get("minItems", 0)
    unique_by = repr if schema.get("uniqueItems") else None
    return st.lists(items, min_size=least, max_size=MOST, unique_by=unique_by)


def objects(schema, permit, definitions):
    """Return a strategy of maps: of the named properties, or of names that the schema permits."""
    if "properties" not in schema:
        others = schema.get("additionalProperties", {})
        names = property_names(schema.get("propertyNames", {}), definitions)
        return st.dictionaries(
            names, permit(others if isinstance(others, dict) else {}), max_size=MOST
        )
    made = {name: permit(one) for name, one in schema["properties"].items()}
    required = {name: made.pop(name) for name in schema.get("required", ())}
    found = st.fixed_dictionaries(required, optional=made)
    if "if" not in schema:
        return found
    # The only condition of the chart: a toleration that asks whether a key exists has no value.
    return found.filter(lambda one: one["operator"] != "Exists" or "value" not in one)


def property_names(schema, definitions):
    """Return a strategy of names of properties."""
    parts = schema.get("allOf", [schema])
    refused = [one["not"] for one in parts if "not" in one]
    found = [permitted({"type": "string", **one}, definitions) for one in parts if "not" not in one]
    names = found[0] if found else st.text(CHARACTERS, min_size=1, max_size=12)
    return names.filter(lambda name: not any(matches(name, one) for one in refused))


def matches(name, schema):
    """Return whether a name has a pattern, or is a constant."""
    return name == schema.get("const") or bool(
        "pattern" in schema and re.search(schema["pattern"], name)
    )
