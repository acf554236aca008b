"""Signatures in the page of the Python API as the source has them, with the names of type aliases.

At run time an alias is what it was defined as, with the limits of every field.
"""

import ast
import inspect
from textwrap import dedent

from sphinx.application import Sphinx


def setup(app: Sphinx) -> None:
    """Let autodoc take signatures from the source."""
    app.connect("autodoc-process-signature", signature_of)


def signature_of(
    _app: Sphinx,
    kind: str,
    _name: str,
    found: object,
    *_: object,
) -> tuple[str, str] | None:
    """Return the arguments and the result of a function or constructor; None for others."""
    is_function = kind in {"function", "method"}
    function = found if is_function else getattr(found, "__init__", None)
    if not inspect.isfunction(function):
        return None
    try:
        source = ast.parse(dedent(inspect.getsource(function))).body[0]
    except (OSError, SyntaxError):  # a function without source, such as a dataclass' constructor
        return None
    if not isinstance(source, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    arguments = source.args
    if arguments.args and arguments.args[0].arg in {"self", "cls"}:
        arguments.args = arguments.args[1:]
    is_constructor = kind not in {"function", "method"}
    result = (
        "" if is_constructor or source.returns is None else f" -> {ast.unparse(source.returns)}"
    )
    return f"({ast.unparse(arguments)})", result.removeprefix(" -> ")
