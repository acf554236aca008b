"""The programs of the page about clients, run as they stand but for addresses and the model."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.gateway_clients.environments import environment
from tests.gateway_clients.running_gateway import RunningGateway

PAGE = Path(__file__).parents[2] / "docs" / "gateway-clients.md"
BLOCK = re.compile(r"```(bash|python)\n(.*?)```", re.DOTALL)
ENVIRONMENTS = {
    "tritonclient": "tritonclient",
    "kserve": "kserve",
    "open-inference-openapi": "open-inference",
}
"""The environment of the programs below each heading."""


class Program(NamedTuple):
    """A program of the page; its environment is empty for a shell."""

    environment: str
    text: str


def programs() -> Iterator[Program]:
    """Yield the programs of the page."""
    for section in PAGE.read_text().split("\n## ")[1:]:
        heading = section.partition("\n")[0]
        for language, text in BLOCK.findall(section):
            yield Program(ENVIRONMENTS[heading] if language == "python" else "", text)


def run(program: Program, gateway: RunningGateway) -> str:
    """Return what a program prints."""
    text = program.text.replace("iris", "flowers")
    text = text.replace("localhost:8080", urlsplit(gateway.http).netloc)
    text = text.replace("localhost:8081", gateway.grpc)
    command = ["bash", "-c", text]
    if program.environment:
        command = [str(environment(program.environment) / "python"), "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
