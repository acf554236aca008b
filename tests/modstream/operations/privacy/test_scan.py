"""The scan finds personal data by its form and its check digits, and takes nothing else for it."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from modstream.broker.wire.records import Record
from modstream.errors import UnusableSource
from modstream.operations.privacy.patterns import find_personal, is_card, mask
from modstream.operations.privacy.scan import scan, scan_files
from modstream.operations.privacy.texts import texts_of_record

PERSONAL = [
    ("email", "anna.berg+news@mail.example.org"),
    ("phone", "+49 30 901820"),
    ("phone", "+1 (212) 555-0187"),
    ("phone", "(212) 555-0187"),
    ("card", "4111 1111 1111 1111"),
    ("card", "5555555555554444"),
    ("card", "3782-822463-10005"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "GB82WEST12345698765432"),
]
OTHERS = [
    "4111 1111 1111 1112",  # a wrong check digit
    "DE88 3704 0044 0532 0130 00",
    "1790000000000",  # ms since the epoch
    "0.4111111111111111",
    "4111111111111111.5",
    "123e4567-e89b-12d3-a456-426614174000",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "2026-11-30T00:48:25",
    "flights.requests:3@120000",
    "@decorator and a@b",
    "UA-2013",
    "5111111111111111111111",
]


@pytest.mark.parametrize(("kind", "text"), PERSONAL)
@pytest.mark.parametrize("around", ["{}", "call {}, please", "({})", "name={};"])
def test_personal_data_is_found_within_a_text(kind, text, around):
    assert [(kind, text)] == list(find_personal(around.format(text)))


@pytest.mark.parametrize("text", OTHERS)
def test_other_texts_and_numbers_are_not_taken_for_it(text):
    assert list(find_personal(text)) == []


@given(st.text("0123456789", min_size=15, max_size=15))
def test_of_ten_check_digits_one_is_right(digits):
    number = f"4{digits[:14]}"
    right = [digit for digit in range(10) if is_card(f"{number}{digit}")]

    assert len(right) == 1 or set(number) == {"4"}


@given(st.text(max_size=40))
def test_no_text_breaks_the_search(text):
    list(find_personal(text))
    mask(text)


def test_a_mask_shows_neither_short_nor_long_texts():
    assert mask("anna@mail.org") == "an*********rg"
    assert mask("12345") == "*****"


def test_files_of_all_forms_are_scanned_by_column(tmp_path):
    rows = [
        {"id": "a", "card": 4111111111111111, "note": "write to anna@mail.org", "amount": 1.5},
        {"id": "b", "card": 4111111111111112, "note": "nothing", "amount": 2.5},
        {"id": "c", "card": 0, "note": "anna@mail.org, bob@mail.org", "amount": 2.5},
    ]
    (tmp_path / "folder").mkdir()
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "folder" / "a.parquet")
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    lines = [",".join(f'"{value}"' for value in row.values()) for row in rows]
    (tmp_path / "rows.csv").write_text("\n".join(["id,card,note,amount", *lines]))
    (tmp_path / "artifact.onnx").write_bytes(b"anna@mail.org")

    found = [one.facts() for one in scan_files(tmp_path, None)]

    assert {one["place"].rpartition("/")[2] for one in found} == {
        "a.parquet",
        "rows.csv",
        "rows.jsonl",
    }
    for name in ("a.parquet", "rows.csv", "rows.jsonl"):
        of_file = [one for one in found if one["place"].endswith(name)]
        assert [(one["field"], one["kind"], one["found"], one["values"]) for one in of_file] == [
            ("card", "card", 1, 1),
            ("note", "email", 3, 2),
        ]
    assert "anna" not in json.dumps(found)


def test_a_record_is_scanned_by_the_paths_of_its_fields():
    value = {"features": {"mail": "anna@mail.org"}, "rows": [{"iban": "GB82WEST12345698765432"}]}
    headers = (("reply-to", b"+49 30 901820"), ("empty", None))
    record = Record("t", 0, 0, b"bob@mail.org", json.dumps(value).encode(), headers, 0)
    letter = record._replace(key=None, headers=(), value=b"\xff anna@mail.org")

    assert [(one.column, one.kind) for one in scan("t", texts_of_record(record))] == [
        ("features.mail", "email"),
        ("header reply-to", "phone"),
        ("key", "email"),
        ("rows.iban", "iban"),
    ]
    assert [one.column for one in scan("t", texts_of_record(letter))] == ["value"]


def test_a_file_that_cannot_be_read_is_a_typed_error(tmp_path):
    (tmp_path / "a.parquet").write_text("no Parquet")

    for name in ("a.parquet", "nothing.csv"):
        with pytest.raises(UnusableSource):
            list(scan_files(tmp_path / name, None))
