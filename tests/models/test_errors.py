"""The codes of the models' errors."""

from modstream.models import errors


def test_every_input_error_has_its_own_code():
    codes = [error.code for error in errors.InputError.__subclasses__()]

    assert sorted(codes) == [
        "missing_feature",
        "not_finite",
        "out_of_range",
        "wrong_shape",
        "wrong_type",
    ]
