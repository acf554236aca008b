"""Checks of the gateway's OpenAPI document, by a validator and by Schemathesis."""

import re
import subprocess
import sys
from pathlib import Path

from tests.gateway_clients.environments import environment
from tests.gateway_clients.running_gateway import STREAM, RunningGateway

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_headers_conformance", "response_schema_conformance", "negative_data_rejection",
)  # fmt: skip
SECONDS = 1800
GENERATED = re.compile(r"(\d+) generated")


def check_document(gateway: RunningGateway, folder: Path) -> None:
    """Check that the document is valid."""
    path = folder / "openapi.json"
    path.write_bytes(gateway.call("GET", "/openapi.json").body)
    validator = environment("schemathesis") / "openapi-spec-validator"
    done = subprocess.run([str(validator), str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def fuzz(gateway: RunningGateway, folder: Path, examples: int, *, with_names: bool) -> int:
    """Make calls that the document permits, and others, and check every answer against it.

    Args:
        gateway: the gateway.
        folder: a folder for the configuration.
        examples: the largest number of calls of each operation.
        with_names: whether the calls name a model and a stream that exist, instead of any.

    Returns:
        The number of calls.
    """
    config = folder / "schemathesis.toml"
    lines = ('"path.model" = "width"', '"path.version" = "1"', f'"path.stream" = "{STREAM}"')
    config.write_text("\n".join(("[parameters]", *lines)) if with_names else "")
    program = str(environment("schemathesis") / "schemathesis")
    command = [
        program, "--config-file", str(config), "run", f"{gateway.http}/openapi.json",
        "--max-examples", str(examples), "--phases", "fuzzing", "--checks", ",".join(CHECKS),
        "--continue-on-failure", "--no-color", "--no-shrink", "--warnings", "off",
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=config.parent
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    made = int(GENERATED.findall(done.stdout)[-1])
    sys.stdout.write(f"\nschemathesis: {made} calls, every answer conforms\n")
    return made
