"""A protected copy has no personal data; pseudonyms last as long as the key of their person."""

import sys

import pyarrow as pa
import pytest
from pyarrow import parquet

from modstream.cli import main
from modstream.errors import PersonKeysUnusable, UnusableSource
from modstream.models.schema.personal import pseudonym
from modstream.operations.privacy.person_keys import PersonKeys
from modstream.operations.privacy.protection import ProtectionRules, protect_table

ROWS = [
    {"customer": "anna", "mail": "anna@mail.org", "age": 37, "zip": "10115", "amount": 1.5},
    {"customer": "bob", "mail": "bob@mail.org", "age": 41, "zip": "20095", "amount": 2.5},
    {"customer": "anna", "mail": "anna@mail.org", "age": None, "zip": None, "amount": 3.5},
    {"customer": None, "mail": "eve@mail.org", "age": 29, "zip": "80331", "amount": 4.5},
]
RULES = ProtectionRules(
    dropped=frozenset({"amount"}),
    pseudonymised=frozenset({"customer", "mail"}),
    generalised={"age": 10.0},
    shortened={"zip": 2},
    person="customer",
)


@pytest.fixture
def keys(tmp_path):
    return PersonKeys(tmp_path / "keys" / "persons.sqlite")


@pytest.fixture(params=["parquet", "csv"])
def source(request, tmp_path):
    path = tmp_path / f"rows.{request.param}"
    if request.param == "parquet":
        parquet.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        lines = [",".join("" if v is None else str(v) for v in row.values()) for row in ROWS]
        path.write_text("\n".join([",".join(ROWS[0]), *lines]))
    return path


def protected(source, keys, tmp_path):
    assert protect_table(source, tmp_path / "copy.parquet", RULES, keys) == len(ROWS)
    return parquet.read_table(tmp_path / "copy.parquet").to_pylist()


def test_columns_are_dropped_pseudonymised_and_generalised(source, keys, tmp_path):
    first, second, third, fourth = protected(source, keys, tmp_path)

    assert [row["age"] for row in (first, second, third, fourth)] == [30.0, 40.0, None, 20.0]
    assert [row["zip"] for row in (first, second, third)] == ["10", "20", None]
    assert first["customer"] == third["customer"] != second["customer"]
    assert first["mail"] not in {second["mail"], first["customer"]}
    assert fourth["mail"] is None
    content = (tmp_path / "copy.parquet").read_bytes()
    assert not any(row["mail"].encode() in content for row in ROWS)
    assert "amount" not in first


def test_marked_columns_are_left_out_unless_a_rule_names_them(tmp_path, keys):
    parquet.write_table(pa.Table.from_pylist(ROWS), tmp_path / "rows.parquet")
    rules = ProtectionRules(shortened={"zip": 1}, marked=frozenset({"mail", "zip", "elsewhere"}))

    protect_table(tmp_path / "rows.parquet", tmp_path / "copy.parquet", rules, keys)

    found = parquet.read_table(tmp_path / "copy.parquet")
    assert found.column_names == ["customer", "age", "zip", "amount"]
    assert found["zip"].to_pylist() == ["1", "2", None, "8"]


def test_pseudonyms_are_the_same_in_every_copy_until_the_key_is_destroyed(source, keys, tmp_path):
    before = protected(source, keys, tmp_path)
    again = protected(source, PersonKeys(tmp_path / "keys" / "persons.sqlite"), tmp_path)

    assert keys.has("anna")
    assert keys.destroy("anna")

    after = protected(source, keys, tmp_path)
    assert again == before
    assert after[0]["customer"] != before[0]["customer"]
    assert after[1] == before[1]


def test_a_destroyed_key_is_not_in_the_file_any_more(keys, tmp_path):
    key = keys.of(["anna"])["anna"]
    file = tmp_path / "keys" / "persons.sqlite"
    assert key in file.read_bytes()

    assert keys.destroy("anna")

    assert key not in file.read_bytes()
    assert b"anna" not in file.read_bytes()
    assert not keys.has("anna")
    assert not keys.destroy("anna")
    assert file.stat().st_mode & 0o077 == 0


def test_keys_are_not_made_by_asking_for_them(tmp_path):
    keys = PersonKeys(tmp_path / "nothing.sqlite")

    assert not keys.has("anna")
    assert not keys.destroy("anna")
    assert not (tmp_path / "nothing.sqlite").exists()


def test_a_pseudonym_depends_on_key_column_and_value():
    made = {
        pseudonym(key, column, value)
        for key in (b"k", b"l")
        for column in ("a", "ab")
        for value in ("b", "c")
    }

    assert len(made) == 8
    assert {len(one) for one in made} == {32}


def test_a_damaged_file_of_keys_and_a_missing_column_are_typed_errors(tmp_path, keys):
    (tmp_path / "damaged.sqlite").write_bytes(b"no database" * 1000)
    parquet.write_table(pa.table({"mail": ["a"]}), tmp_path / "rows.parquet")

    with pytest.raises(PersonKeysUnusable):
        PersonKeys(tmp_path / "damaged.sqlite").of(["anna"])
    with pytest.raises(UnusableSource, match="it has no column customer"):
        protect_table(tmp_path / "rows.parquet", tmp_path / "copy.parquet", RULES, keys)
    assert not (tmp_path / "copy.parquet").exists()


def test_an_empty_table_has_a_copy_with_the_same_types(tmp_path, keys):
    table = pa.Table.from_pylist(ROWS)
    for name, content in (("full", table), ("empty", table.slice(0, 0))):
        parquet.write_table(content, tmp_path / f"{name}.parquet")
        protect_table(tmp_path / f"{name}.parquet", tmp_path / f"{name}.copy", RULES, keys)

    schemas = [parquet.read_schema(tmp_path / f"{name}.copy") for name in ("full", "empty")]
    assert schemas[0] == schemas[1]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--pseudonymise", "mail"), "needs --person"),
        (("--generalise", "age"), "a positive number"),
        (("--shorten", "zip=-1"), "a positive number"),
        (("--drop", "nothing"), "it has no column nothing"),
    ],
)
def test_wrong_options_are_refused_with_their_reason(
    tmp_path, monkeypatch, capsys, options, reason
):
    monkeypatch.setenv("MODSTREAM_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    parquet.write_table(pa.table({"mail": ["a"]}), tmp_path / "rows.parquet")
    command = ["modstream", "privacy", "protect", str(tmp_path / "rows.parquet")]
    monkeypatch.setattr(sys, "argv", [*command, "--to", str(tmp_path / "copy"), *options])

    with pytest.raises(SystemExit) as end:
        main()

    assert end.value.code
    assert reason in " ".join(capsys.readouterr().err.split())
