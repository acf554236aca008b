"""A user's own files in the working folder neither shadow modstream's modules nor are shadowed."""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import joblib
import pytest
from sklearn.linear_model import LogisticRegression

ROOT = Path(__file__).parents[2]
ROOMS = ("broker", "models", "processors", "producers")
LIBRARIES = ("redis", "river", "queue", "modstream_settings")
POISON = 'raise ImportError("a file of the user was imported: " + __file__)\n'
START_SECONDS = 120


@pytest.fixture(
    scope="module", params=[pytest.param("checkout", marks=pytest.mark.thorough), "wheel"]
)
def scripts(request, tmp_path_factory):
    """Return the folder with `python` and `modstream`: of this environment, or of a new one."""
    if request.param == "checkout":
        return Path(sys.executable).parent
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "uv", "build", "-q", "--wheel", "-o", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    install = [sys.executable, "-m", "uv", "pip", "install", "-q", "--no-deps"]
    subprocess.run([*install, "--python", str(python), str(wheel)], check=True, timeout=300)
    (libraries,) = {entry for entry in sys.path if entry.endswith("site-packages")}
    (packages,) = (folder / "env" / "lib").glob("python*/site-packages")
    # A path in a .pth file adds the libraries, but not the checkout that is installed beside them.
    (packages / "libraries.pth").write_text(libraries + "\n")
    return python.parent


@pytest.fixture
def folder(tmp_path):
    """Return a working folder that is full of a user's own files."""
    for name in (*ROOMS, *LIBRARIES):
        (tmp_path / f"{name}.py").write_text(POISON)
    return tmp_path


def clean_environment():
    names = ("MODSTREAM_", "PYTHON", "COVERAGE")
    return {name: value for name, value in os.environ.items() if not name.startswith(names)}


def run(folder, *argv, text=""):
    done = subprocess.run(
        [str(one) for one in argv],
        cwd=folder,
        env=clean_environment() | {"COLUMNS": "200"},
        input=text,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def readme_snippet():
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return snippet


@pytest.mark.journey
def test_up_and_the_readme_work_in_a_folder_with_files_of_the_same_names(scripts, folder):
    modstream, python = scripts / "modstream", scripts / "python"
    model = LogisticRegression().fit([[0.0, 0.0], [1.0, 1.0]], [False, True])
    joblib.dump(model, folder / "forest.joblib")
    own = folder / "own"
    own.mkdir()
    for name in ROOMS:
        (own / f"{name}.py").write_text(POISON)
    (own / "ask.py").write_text("import sys\nexec(sys.stdin.read())\nprint(prediction)\n")
    with subprocess.Popen(
        [str(modstream), "up", "--kafka-port", "0", "--redis-port", "0"],
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as up:
        try:
            lines = wait_for(up, "Ctrl-C")
            run(folder, modstream, "models", "publish", "flights", "forest.joblib", "--trust")
            patient = ("--timeout", "60")
            asked = run(folder, modstream, "predict", "flights", "x0=6.1", "x1=2.8", *patient)
            request_id = asked.split()[-1]
            labelled = run(folder, modstream, "label", "flights", request_id, "true", *patient)
            run(folder, modstream, "produce", text='{"x0": 5.1, "x1": 3.5}\n')
            shown = run(folder, python, own / "ask.py", text=readme_snippet())
            logs = [path.read_text() for path in (folder / ".modstream/stack/logs").glob("*.log")]
        finally:
            up.terminate()

    assert "probability" in asked
    assert f"{request_id}: label true joined with flights version 1" in labelled
    assert "probability" in shown
    assert logs, "".join(lines)
    assert not [log for log in logs if "a file of the user was imported" in log]


def wait_for(process, text):
    """Read the output of a process up to a line that contains the text."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError("".join(lines))


def test_the_public_names_are_the_same_at_run_time_and_for_type_checkers():
    import modstream  # noqa: PLC0415

    declared = re.findall(r"import \w+ as (\w+)", Path(modstream.__file__ + "i").read_text())

    assert sorted([*declared, "__version__"]) == sorted(modstream.__all__)
    assert all(getattr(modstream, name) for name in modstream.__all__)


def test_a_file_named_like_a_room_is_imported_by_its_own_name(folder):
    for name in ROOMS:
        (folder / f"{name}.py").write_text("MINE = True\n")
    program = "import models, broker; from modstream import Client, Topics; print(models.MINE)"

    assert run(folder, sys.executable, "-c", program).strip() == "True"
