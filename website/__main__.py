"""Build the site.

    python -m website [FOLDER]

FOLDER is by default the one that the dashboard serves at /docs. A broken link or anchor, or a page
that is in no section, ends the build with a message and exit code 1.
"""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from sphinx.cmd.build import build_main

from modstream.dashboard.web.docs import SITE
from website.accessibility import complete_attributes
from website.external_files import move_out_inline
from website.licences import copy_licences
from website.navigation import missing_pages
from website.sources import DOCS, write_sources

LEFTOVERS = (".buildinfo", ".doctrees", "objects.inv")
"""What Sphinx writes for itself."""


def build(site: Path) -> int:
    """Build the site in a folder, which is replaced if that succeeds; return the exit code."""
    wrong = missing_pages({page.stem for page in DOCS.glob("*.md")})
    if wrong:
        sys.stderr.write(f"{wrong}\n")
        return 1
    with TemporaryDirectory() as scratch:
        sources, built = Path(scratch) / "docs", Path(scratch) / "site"
        write_sources(sources)
        configuration = Path(__file__).parent
        code = build_main(
            ["-q", "-W", "--keep-going", "-c", str(configuration), "-b", "html",
             "-d", str(Path(scratch) / "doctrees"), str(sources), str(built)]
        )  # fmt: skip
        if code:
            return code
        for name in LEFTOVERS:
            (built / name).unlink(missing_ok=True)
        for map_ in built.rglob("*.map"):
            map_.unlink()
        move_out_inline(built)
        complete_attributes(built)
        copy_licences(built)
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(built, site)
    return 0


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1]) if len(sys.argv) > 1 else SITE))
