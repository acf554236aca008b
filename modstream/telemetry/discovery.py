"""Files in the home directory by which Prometheus finds the metrics of its processes.

There is one file for each process, in the format of Prometheus' file-based service discovery,
https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config. The label
`instance` is the name of the process, so that its series go on when it starts again on another
port. The file of a killed process stays, so that Prometheus notices that it is down.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

FOLDER = "metrics"
"""Name of the folder in a home directory."""


@contextmanager
def announce(home: Path, name: str, address: str, labels: Mapping[str, str]) -> Iterator[None]:
    """Let Prometheus find a process as long as the context.

    Raises:
        OSError: the file cannot be written.
    """
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{quote(name, safe='')}.json"
    temporary = file.with_suffix(".new")
    target = {"targets": [address], "labels": {"instance": name, **labels}}
    temporary.write_text(json.dumps([target], indent=1) + "\n")
    temporary.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def read_addresses(home: Path) -> dict[str, str]:
    """Return the address of each process's metrics by its name; unreadable files are left out."""
    found = {}
    for file in sorted((home / FOLDER).glob("*.json")):
        try:
            (target,) = json.loads(file.read_text())
            found[str(target["labels"]["instance"])] = str(target["targets"][0])
        except (OSError, ValueError, LookupError, TypeError):
            continue
    return found
