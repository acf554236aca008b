"""Which files have tests of a kind, by their text: collecting a file imports all that it imports.

A stage of `make test` collects only the files that it needs (`--kind`), in each of its processes.
"""

import re
from functools import cache
from pathlib import Path

KINDS = ("real", "unit")
SERVER_MARK = re.compile(r"\bmark\.(real|journey)\b")
WHOLLY_REAL = re.compile(r"^pytestmark = .*\bmark\.(real|journey)\b", re.MULTILINE)


def has_kind(path: Path, kind: str) -> bool:
    """Return whether a file may have tests on real servers (`real`), or others (`unit`).

    A fixture of the folder's `conftest.py` may mark them, too.
    """
    return kind in _kinds(path)


@cache
def _kinds(path: Path) -> frozenset[str]:
    text, beside = path.read_text(encoding="utf-8"), path.with_name("conftest.py")
    fixtures = beside.read_text(encoding="utf-8") if beside.exists() else ""
    found = {"real"} if SERVER_MARK.search(text + fixtures) else set()
    return frozenset(found if WHOLLY_REAL.search(text) else found | {"unit"})
