"""The files of other projects are those that the table names, and few enough."""

import json
from hashlib import sha256

from modstream.dashboard.web.rendering import STATIC
from modstream.dashboard.web.vendor import PACKAGES, TABLE, VENDOR

MAX_SCRIPT_BYTES = 120_000


def test_the_vendored_files_are_unchanged_and_complete():
    table = json.loads(TABLE.read_text())

    digests = {name: digest for one in table for name, digest in one["sha256"].items()}
    found = {
        path.name: sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path != TABLE
    }
    assert found == digests
    assert [(one["package"], one["version"]) for one in table] == [
        (package.name, package.version) for package in PACKAGES
    ]
    assert all(any("LICENSE" in name for name in one["sha256"]) for one in table)


def test_all_scripts_together_are_small():
    assert sum(path.stat().st_size for path in STATIC.rglob("*.js")) <= MAX_SCRIPT_BYTES


def test_our_script_builds_no_code_and_sets_no_markup():
    script = (STATIC / "dashboard.js").read_text()

    for forbidden in ("innerHTML", "eval(", "new Function", "insertAdjacentHTML", ".style"):
        assert forbidden not in script
