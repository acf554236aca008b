"""The environments of the clients: each has its own, because their protocol stubs collide.

They are made once from the package registry, and kept in the user's folder of caches.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

REQUIREMENTS: Mapping[str, Sequence[str]] = {
    "tritonclient": ("tritonclient[http,grpc]==2.73.0",),
    "kserve": ("kserve==0.21.0",),
    "open-inference": ("open-inference-openapi==2.0.0.1",),
    "schemathesis": ("schemathesis==4.32.5", "openapi-spec-validator==0.9.0"),
}
LATEST_PYTHON: Mapping[str, tuple[int, int]] = {"kserve": (3, 13)}
"""The latest release of Python that an environment is possible for, where there is one: without it,
a much older version would be installed."""
DRIVERS = Path(__file__).parent / "drivers"


def is_possible(name: str) -> bool:
    """Return whether this Python can have an environment."""
    return sys.version_info[:2] <= LATEST_PYTHON.get(name, sys.version_info[:2])


def environment(name: str) -> Path:
    """Return the folder with the programs of an environment, which is made if there is none."""
    requirements = REQUIREMENTS[name]
    text = f"{sys.executable}\n{sys.version}\n{requirements}"
    folder = _cache() / f"{name}-{sha256(text.encode()).hexdigest()[:12]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".ready").exists():
            _make(folder, requirements)
    return folder / "bin"


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "modstream" / "test-clients"


def _make(folder: Path, requirements: Sequence[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    uv = (sys.executable, "-m", "uv")
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    install = ("pip", "install", "-q", "--compile-bytecode", "--python", str(folder / "bin/python"))
    subprocess.run([*uv, *install, *requirements], check=True)
    (folder / ".ready").touch()
