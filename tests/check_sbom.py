"""Checks a bill of materials against the schema of CycloneDX 1.5: `check_sbom.py FILE`.

It runs in an environment of its own, with the library of CycloneDX.
"""

import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

problem = JsonStrictValidator(SchemaVersion.V1_5).validate_str(Path(sys.argv[1]).read_text())
if problem is not None:
    sys.exit(f"{sys.argv[1]} does not follow CycloneDX 1.5: {problem}")
sys.stdout.write(f"{sys.argv[1]} follows CycloneDX 1.5\n")
