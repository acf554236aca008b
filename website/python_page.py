"""The page of the public Python API; Sphinx fills it from the docstrings."""

import modstream

HEAD = """\
# Python API

Generated from the docstrings of the public names, which are those in `modstream.__all__`.
Everything else may change with any version. [From any language](any-language.md) and
[a model in your own process](dependency.md) have complete examples.
"""
PUBLIC = tuple(name for name in vars(modstream)["__all__"] if not name.startswith("__"))
FUNCTIONS = ("load_model", "load_settings")
DIRECTIVE = """\

```{{eval-rst}}
.. {kind}:: modstream.{name}
{options}```
"""
MEMBERS = "   :members:\n   :exclude-members: model_config\n"


def python_page() -> str:
    """Return the page."""
    sections = (
        DIRECTIVE.format(
            kind="autofunction" if name in FUNCTIONS else "autoclass",
            name=name,
            options="" if name in FUNCTIONS else MEMBERS,
        )
        for name in PUBLIC
    )
    return HEAD + "".join(sections)
