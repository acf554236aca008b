"""The commands and their lazy imports."""

import subprocess
import sys
from importlib.metadata import version
from pkgutil import resolve_name

import pytest

from modstream.cli.app import COMMANDS, DLQ, KEYS, MODELS, QUARANTINE, TOPICS, app
from modstream.cli.lazy import load_command

ALL = {
    f"{group} {name}".strip(): (name, command)
    for group, commands in {
        "": COMMANDS,
        "models": MODELS,
        "topics": TOPICS,
        "dlq": DLQ,
        "keys": KEYS,
        "quarantine": QUARANTINE,
    }.items()
    for name, command in commands.items()
}


@pytest.mark.parametrize("name", ALL)
def test_every_command_can_be_imported_and_describes_itself_and_its_options(name):
    short_name, command = ALL[name]

    assert resolve_name(command.target).__doc__
    parameters = load_command(short_name, command).params
    assert [p.name for p in parameters if not getattr(p, "help", "documented")] == []


def test_the_version_is_that_of_the_package(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["modstream", "--version"])

    with pytest.raises(SystemExit) as exit_:
        app()

    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"modstream {version('modstream')}\n"


def test_the_overview_imports_none_of_the_heavy_libraries():
    heavy = ["pandas", "river", "sklearn", "redis", "onnxruntime", "faust", "matplotlib"]
    program = (
        "import sys; from modstream.cli.app import app;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.strip() == "[]"
