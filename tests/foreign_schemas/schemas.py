"""The schemas in this folder, whose README says where they are from."""

import gzip
import json
import re
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent


def read_schema(name):
    """Return a schema whose content is that of its origin."""
    content = gzip.decompress((FOLDER / name).read_bytes())
    row = next(row for row in (FOLDER / "README.md").read_text().splitlines() if name in row)
    assert sha256(content).hexdigest() == re.findall(r"`([0-9a-f]{64})`", row)[0]
    return json.loads(content)
