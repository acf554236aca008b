"""The bill of materials of the image, in the format of CycloneDX 1.5: `python -m tests.sbom FILE`.

It has what `requirements/full.txt` locks, with hashes, and the licences of the packages that are
installed here. `make sbom` checks it against the schema of CycloneDX.
"""

import json
import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from tests.licences import LOCK, licence_of

ENTRY = re.compile(
    r"^([A-Za-z0-9._-]+)==([^\s;\\]+)[^\n]*\n((?: +--hash=sha256:\w+[ \\]*\n?)+)", re.MULTILINE
)
HASH = re.compile(r"--hash=sha256:(\w+)")


def bill_of_materials(lock: str, version: str) -> dict[str, object]:
    """Return the document for a file of locked requirements."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "modstream",
                "name": "modstream",
                "version": version,
                "licenses": [{"expression": "Apache-2.0"}],
            }
        },
        "components": [component(*entry) for entry in ENTRY.findall(lock)],
    }


def component(name: str, version: str, hashes: str) -> dict[str, object]:
    """Return the entry of a package; the hashes are those of all its files in the registry."""
    address = f"pkg:pypi/{name}@{version}"
    found = {
        "type": "library",
        "bom-ref": address,
        "name": name,
        "version": version,
        "purl": address,
        "properties": [{"name": "modstream:sha256", "value": one} for one in HASH.findall(hashes)],
    }
    try:
        licence = licence_of(distribution(name))
    except PackageNotFoundError:  # It is for another platform or version of Python.
        return found
    return {**found, "licenses": [{"license": {"name": licence}}]}


def main() -> None:
    """Write the document to the file that is the only argument."""
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    document = bill_of_materials(LOCK.read_text(), distribution("modstream").version)
    path.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
