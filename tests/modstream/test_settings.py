"""The settings' sources and their order."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from modstream.errors import InvalidSettings
from modstream.settings import (
    RUNNING_STACK_FILE,
    advertise_stack,
    load_settings,
    read_running_stack,
    uses_external_kafka,
)


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """An empty working directory, with a home directory of its own and no other settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MODSTREAM_BOOTSTRAP", raising=False)
    monkeypatch.delenv("MODSTREAM_REDIS", raising=False)
    monkeypatch.setenv("MODSTREAM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_an_option_precedes_the_environment_which_precedes_the_file(monkeypatch):
    Path("modstream.toml").write_text('stream = "file"\npartitions = 7\n[batch]\nmax_records = 5\n')
    monkeypatch.setenv("MODSTREAM_STREAM", "environment")
    monkeypatch.setenv("MODSTREAM_GATE__COOLDOWN", "11")

    settings = load_settings(stream="option", prefix=None)

    assert settings.stream == "option"
    assert load_settings().stream == "environment"
    assert (settings.partitions, settings.batch.max_records, settings.prefix) == (7, 5, "")
    assert settings.gate.cooldown == 11


def test_other_commands_find_every_setting_of_the_running_stack():
    stack = load_settings(
        bootstrap="localhost:1",
        redis="redis://localhost:2/0",
        stream="iris",
        route=("a", "b"),
        backup_dir=Path("backup"),
        signing_key=Path("key"),
        trusted_keys=("k",),
    )
    with advertise_stack(stack):
        found = load_settings()
        assert not uses_external_kafka(found)
        for name in read_running_stack(stack.home):
            assert getattr(found, name) == getattr(stack, name)

    assert read_running_stack(stack.home) == {}
    assert load_settings().bootstrap == "localhost:9092"


def test_a_stack_whose_process_has_ended_is_ignored(home):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    home.mkdir()
    stack = {"bootstrap": "localhost:1", "pid": ended.pid}
    (home / RUNNING_STACK_FILE).write_text(json.dumps(stack))

    assert load_settings().bootstrap == "localhost:9092"


def test_an_invalid_setting_is_named_with_the_reason():
    with pytest.raises(InvalidSettings, match=r"partitions: .*; .*colour: .*correct the option"):
        load_settings(partitions="many", colour="blue")
