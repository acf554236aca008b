"""The files of other projects that the pages load, and how they are renewed.

    python -m modstream.dashboard.web.vendor

asks npm for the packages below, by name and version, and writes their files, their licences and
`vendor.json` with the SHA-256 of each into `static/vendor/`. Tests compare the files with it.
"""

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

VENDOR = Path(__file__).parent / "static" / "vendor"
TABLE = VENDOR / "vendor.json"


@dataclass(frozen=True, slots=True)
class Package:
    """A package of npm: its licence, and its files by the names that they get here."""

    name: str
    version: str
    licence: str
    files: Mapping[str, str]


PACKAGES = (
    Package(
        "htmx.org",
        "4.0.1",
        "0BSD",
        {
            "htmx.min.js": "dist/htmx.min.js",
            "hx-sse.min.js": "dist/ext/hx-sse.min.js",
            "htmx.LICENSE.txt": "LICENSE",
        },
    ),
    Package(
        "uplot",
        "1.6.32",
        "MIT",
        {
            "uPlot.iife.min.js": "dist/uPlot.iife.min.js",
            "uPlot.min.css": "dist/uPlot.min.css",
            "uPlot.LICENSE.txt": "LICENSE",
        },
    ),
)


def renew(folder: Path) -> None:
    """Write the files of all packages, and the table with their digests.

    Raises:
        CalledProcessError: npm cannot get a package.
        KeyError: a package does not have one of the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = []
    for package in PACKAGES:
        digests = {}
        for name, content in package_files(package):
            (folder / name).write_bytes(content)
            digests[name] = sha256(content).hexdigest()
        table.append(
            {
                "package": package.name,
                "version": package.version,
                "licence": package.licence,
                "sha256": digests,
            }
        )
    (folder / TABLE.name).write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


def package_files(package: Package) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a package with their names here."""
    with TemporaryDirectory() as folder:
        wanted = f"{package.name}@{package.version}"
        command = ["npm", "pack", "--silent", "--pack-destination", folder, wanted]
        subprocess.run(command, check=True, stdout=sys.stderr)
        archive = next(Path(folder).glob("*.tgz"))
        with tarfile.open(archive) as members:
            for name, source in package.files.items():
                member = members.extractfile(f"package/{source}")
                if member is None:
                    raise KeyError(source)
                yield name, member.read()


if __name__ == "__main__":
    renew(VENDOR)
