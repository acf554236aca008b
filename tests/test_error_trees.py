"""The tree of errors in each module's docstring is the tree in its code."""

import re

import pytest

from modstream import errors as modstream_errors
from modstream.broker import errors as broker_errors
from modstream.processors import errors as processors_errors
from modstream.producers import errors as producers_errors


def drawn_edges(docstring):
    """Return each drawn class with the name of the class above it."""
    drawn = re.findall(r"^([│ ├└─]*)([A-Z]\w+)", docstring.partition("\n\n")[2], re.MULTILINE)
    parents, edges = [], set()
    for branch, name in drawn:
        depth = len(branch) // 4
        parents[depth:] = [name]
        edges.add((name, parents[depth - 1] if depth else "Exception"))
    return edges


@pytest.mark.parametrize(
    "module",
    [broker_errors, processors_errors, producers_errors, modstream_errors],
    ids=lambda module: module.__name__,
)
def test_the_drawn_tree_of_errors_matches_the_code(module):
    defined = {
        (name, error.__base__.__name__)
        for name, error in vars(module).items()
        if isinstance(error, type) and error.__module__ == module.__name__
    }

    assert drawn_edges(module.__doc__) == defined
