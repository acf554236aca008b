import re

from modstream.models import errors


def test_the_docstring_draws_the_tree_of_errors():
    tree = errors.__doc__.partition("\n\n")[2]
    drawn = re.findall(r"^([│ ├└─]*)([A-Z]\w+)", tree, flags=re.MULTILINE)
    parents, edges = [], set()
    for branch, name in drawn:
        depth = len(branch) // 4
        parents[depth:] = [name]
        edges.add((name, parents[depth - 1] if depth else "Exception"))

    actual = {
        (name, error.__base__.__name__)
        for name, error in vars(errors).items()
        if isinstance(error, type) and issubclass(error, errors.ModelError)
    }

    assert edges == actual


def test_every_input_error_has_its_own_code():
    codes = [error.code for error in errors.InputError.__subclasses__()]

    assert sorted(codes) == [
        "missing_feature",
        "not_finite",
        "out_of_range",
        "wrong_shape",
        "wrong_type",
    ]
