"""A fixture that runs commands in the process of the test."""

import sys

import pytest

from modstream.cli import main


@pytest.fixture
def run_command(monkeypatch, capsys):
    """Run a command of `modstream`, and return its exit code and what it printed."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["modstream", *arguments])
        with pytest.raises(SystemExit) as exit_:
            main()
        return exit_.value.code, *capsys.readouterr()

    return run
