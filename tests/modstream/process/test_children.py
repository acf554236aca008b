"""Child processes and the commands that start them."""

import subprocess

import pytest

from modstream.process.children import module_command

TIMEOUT = 60


@pytest.mark.parametrize("library", ["typer", "structlog"])
def test_file_in_the_working_folder_does_not_replace_a_library(tmp_path, library):
    (tmp_path / f"{library}.py").write_text("raise SystemExit('the file of the user')")

    command = module_command("modstream", "--help")
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
