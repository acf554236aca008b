"""Commands without the packages of the extras: services need none, others name what is missing."""

import subprocess
import sys

import pytest

from modstream.cli.extras import EXTRAS, missing_extra

SERVICES = ("worker", "joiner", "learner", "gateway", "dashboard", "diagnostics")
WITHOUT_EXTRAS = f"""
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {set(EXTRAS)}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
"""


def run(code, *arguments):
    command = [sys.executable, "-c", WITHOUT_EXTRAS + code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
def test_services_need_no_extra():
    imports = "\n".join(f"import modstream.cli.{name}" for name in SERVICES)

    done = run(imports)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("command", "extra"), [("up", "embedded"), ("report", "train")])
def test_a_command_names_the_extra_that_it_needs(command, extra):
    done = run("from modstream.cli import main\nmain()", command)

    assert done.returncode == 1
    assert f"pip install 'modstream[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_package_of_no_extra_is_not_explained():
    assert missing_extra(ModuleNotFoundError("No module named 'pydantic'", name="pydantic")) is None


def test_the_extra_of_a_submodule_is_that_of_its_package():
    error = ModuleNotFoundError("...", name="matplotlib.axes")

    assert str(missing_extra(error)) == (
        "this command needs further packages: install them with pip install 'modstream[train]'"
    )
