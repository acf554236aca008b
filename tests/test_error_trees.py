"""The tree of errors in each module's docstring is the tree in its code."""

import re

import pytest

from modstream import errors as modstream_errors
from modstream.broker import errors as broker_errors
from modstream.dashboard import errors as dashboard_errors
from modstream.dashboard.web import errors as web_errors
from modstream.datasets import errors as dataset_errors
from modstream.models import errors as models_errors
from modstream.models.prediction_store import errors as store_errors
from modstream.models.registry import errors as registry_errors
from modstream.models.training import errors as training_errors
from modstream.processors import errors as processors_errors
from modstream.producers import errors as producers_errors
from modstream.producers.gateway.protocol import errors as protocol_errors


def drawn_edges(docstring, root_base):
    """Return each drawn class with the name of the class above it.

    A class whose tree is continued in another module is drawn there, too, and left out here.
    """
    lines = docstring.partition("\n\n")[2]
    drawn = re.findall(r"^([│ ├└─]*)([A-Z]\w+)(.*)", lines, re.MULTILINE)
    parents, edges = [], set()
    for branch, name, text in drawn:
        depth = len(branch) // 4
        parents[depth:] = [name]
        if "continued in" not in text:
            edges.add((name, parents[depth - 1] if depth else root_base))
    return edges


@pytest.mark.parametrize(
    ("module", "root_base"),
    [
        (broker_errors, "Exception"),
        (models_errors, "Exception"),
        (registry_errors, "ModelError"),
        (store_errors, "ModelError"),
        (training_errors, "ModelError"),
        (processors_errors, "Exception"),
        (producers_errors, "Exception"),
        (protocol_errors, "ProducerError"),
        (modstream_errors, "Exception"),
        (dataset_errors, "StackError"),
        (dashboard_errors, "Exception"),
        (web_errors, "Exception"),
    ],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_the_drawn_tree_of_errors_matches_the_code(module, root_base):
    defined = {
        (name, error.__base__.__name__)
        for name, error in vars(module).items()
        if isinstance(error, type) and error.__module__ == module.__name__
    }

    assert drawn_edges(module.__doc__, root_base) == defined
