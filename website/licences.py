"""The licences of the scripts and styles that Sphinx and the theme put into the site."""

from importlib.metadata import distribution
from pathlib import Path

SOURCES = ("sphinx", "furo", "pygments", "accessible-pygments")
"""The packages whose files are in the site."""
FOLDER = "_static/licences"


def copy_licences(site: Path) -> None:
    """Write the licences of these packages to a folder of a site.

    Raises:
        LookupError: a package comes without a licence.
    """
    folder = site / FOLDER
    folder.mkdir(parents=True)
    for name in SOURCES:
        files = [one for one in distribution(name).files or () if "LICENSE" in one.name.upper()]
        if not files:
            raise LookupError(f"{name} comes without a licence")
        for file in files:
            (folder / f"{name}-{file.name}").write_text(file.read_text("utf-8"), "utf-8")
