"""The licences of installed packages, as their metadata name them.

`python -m tests.licences` prints a table of the packages in `requirements/full.txt`.
"""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

COPYLEFT = re.compile(r"\bA?GPL|General Public License|\bSSPL\b|\bEUPL\b", re.IGNORECASE)
"""Licences of which no package may be installed by default. The Lesser GPL is among them."""
MAX_NAME = 60
UNNAMED = {"skops": "MIT"}
"""The licences of packages whose metadata have only the text, as it was read."""
LOCK = Path(__file__).parents[1] / "requirements" / "full.txt"


def licence_of(package: Distribution) -> str:
    """Return the licence of a package: its SPDX expression, or else what its metadata say."""
    metadata = package.metadata
    if expression := metadata.get("License-Expression"):
        return expression
    prefix = "License :: "
    classifiers = [
        one.removeprefix(prefix).removeprefix("OSI Approved :: ")
        for one in metadata.get_all("Classifier") or ()
        if one.startswith(prefix) and one != "License :: OSI Approved"
    ]
    if classifiers:
        return ", ".join(classifiers)
    lines = (metadata.get("License") or "").strip().splitlines()
    return lines[0][:MAX_NAME] if lines else UNNAMED.get(package.name, "")


def main() -> None:
    """Print a Markdown table of packages, versions and licences."""
    names = re.findall(r"^([A-Za-z0-9._-]+)==", LOCK.read_text(), re.MULTILINE)
    sys.stdout.write("| package | version | licence |\n|---|---|---|\n")
    for name in sorted(set(names)):
        try:
            package = distribution(name)
        except PackageNotFoundError:  # It is for another platform or version of Python.
            continue
        sys.stdout.write(f"| {name} | {package.version} | {licence_of(package)} |\n")


if __name__ == "__main__":
    main()
