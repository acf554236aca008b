"""`modstream keys` with a file of keys."""

import json
from functools import partial
from time import time

import pytest
import typer

from modstream.cli.time_options import parse_duration
from modstream.producers.gateway.security.api_key import digest


@pytest.fixture
def run(run_command, monkeypatch, tmp_path):
    """Run a command of `modstream keys`, with a file of keys."""
    monkeypatch.setenv("MODSTREAM_GATEWAY__API_KEYS", str(tmp_path / "keys.json"))
    return partial(run_command, "keys")


def test_a_created_key_is_alone_on_standard_output_and_its_hash_in_the_file(run, tmp_path):
    options = ("--scope", "predict:flights", "--scope", "label:*", "--rate", "5", "--expires", "1d")
    code, printed, _ = run("create", "web", *options)
    secret = printed.removesuffix("\n")

    (stored,) = json.loads((tmp_path / "keys.json").read_text())["keys"]
    assert (code, stored["sha256"]) == (0, digest(secret))
    assert (stored["scopes"], stored["rate"]) == (["predict:flights", "label:*"], 5.0)
    assert stored["expires"] / 1000 == pytest.approx(time() + 86_400, abs=60)
    assert secret not in run("list")[1]


def test_the_list_has_neither_keys_nor_hashes(run):
    created = json.loads(run("create", "web", "--scope", "read:*", "--json")[1])

    listed = run("list", "--json")[1]

    assert [key["name"] for key in json.loads(listed)] == ["web"]
    assert created["key"] not in listed
    assert digest(created["key"]) not in listed


def test_a_revoked_key_is_gone_and_an_unknown_one_is_named(run):
    run("create", "web", "--scope", "read:*")

    code, _, error = run("revoke", "wep")
    assert (code, "did you mean web?" in error) == (1, True)
    assert run("revoke", "web")[0] == 0

    assert json.loads(run("list", "--json")[1]) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "web"),
        ("create", "web", "--scope", "write:flights"),
        ("create", "a b", "--scope", "read:*"),
        ("create", "web", "--scope", "read:*", "--rate", "0"),
        ("create", "web", "--scope", "read:*", "--rate", "nan"),
        ("create", "web", "--scope", "read:*", "--expires", "soon"),
        ("revoke", "../web"),
    ],
)
def test_wrong_arguments_are_refused_and_nothing_is_created(run, tmp_path, arguments):
    assert run(*arguments)[0] == 2
    assert not (tmp_path / "keys.json").exists()


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("30d", 2_592_000_000), ("12h", 43_200_000), ("15s", 15_000)]
)
def test_durations_are_read(text, milliseconds):
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize("text", ["", "0d", "d", "-1d", "1.5h", "1w", "9999999d"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(typer.BadParameter, match="write 30d"):
        parse_duration(text)
