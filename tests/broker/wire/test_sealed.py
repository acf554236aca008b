"""Sealed values: only the person's secret opens them, for the field that they were sealed for."""

import pytest

from modstream.broker.errors import SealBroken
from modstream.broker.wire.sealed import PREFIX, PREFIX_BYTES, Seal, is_sealed

OWN, OTHER = Seal(b"a" * 32), Seal(b"b" * 32)


@pytest.mark.parametrize("value", ["anna@mail.org", "", 4.5, 7, True, "\ud800", ["x"]])
def test_a_field_is_opened_as_it_was(value):
    sealed = OWN.field("mail", value)

    assert OWN.open_field("mail", sealed) == value
    assert is_sealed(sealed)
    assert sealed != OWN.field("mail", value)


def test_a_record_is_opened_as_it_was():
    sealed = OWN.record(b"\xff\x00 anna")

    assert OWN.open_record(sealed) == b"\xff\x00 anna"
    assert sealed.startswith(PREFIX_BYTES)
    assert b"anna" not in sealed


@pytest.mark.parametrize(
    ("seal", "name", "text"),
    [
        (OTHER, "mail", OWN.field("mail", "anna")),
        (OWN, "phone", OWN.field("mail", "anna")),
        (OWN, "mail", PREFIX),
        (OWN, "mail", PREFIX + "***"),
        (OWN, "mail", PREFIX + "é"),
        (OWN, "mail", OWN.field("mail", "anna")[:-4]),
    ],
    # The sealed texts are random, and processes of one run must give a test the same name.
    ids=["another person", "another field", "empty", "no base64", "no ASCII", "cut"],
)
def test_nothing_else_is_opened(seal, name, text):
    with pytest.raises(SealBroken):
        seal.open_field(name, text)


def test_a_record_of_another_person_is_not_opened():
    with pytest.raises(SealBroken):
        OTHER.open_record(OWN.record(b"anna"))
