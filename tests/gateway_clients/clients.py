"""The clients: which driver and environment each has, and how its results are compared."""

import json
import math
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.gateway_clients.cases import ClientCase, expected_outputs
from tests.gateway_clients.environments import DRIVERS, environment
from tests.gateway_clients.models import AskedModel, Output
from tests.gateway_clients.running_gateway import RunningGateway

SECONDS = 300


@dataclass(frozen=True)
class Client:
    """A client in one form of the protocol: `json`, `binary`, `grpc`, or typed values in gRPC.

    `cannot` has parts of the errors by which the client itself refuses to make a call.
    `tells_version` says whether its answers have the version of the model. `leaves_out` names the
    cases whose answers it cannot hold.
    """

    name: str
    environment: str
    driver: str
    form: str
    cannot: Sequence[str] = ()
    tells_version: bool = True
    leaves_out: Sequence[str] = ()

    def can_make(self, case: ClientCase) -> bool:
        """Return whether the client can make a call, and hold its answer."""
        return case.name not in self.leaves_out and (not case.only or self.form in case.only)

    def run(
        self, gateway: RunningGateway, calls: Sequence[Mapping[str, Any]], described: str = ""
    ) -> dict[str, Any]:
        """Make calls in the client's environment, and return its results."""
        task = {
            "http": gateway.http,
            "grpc": gateway.grpc,
            "form": self.form,
            "calls": calls,
            "describe": described,
        }
        command = [str(environment(self.environment) / "python"), str(DRIVERS / self.driver)]
        done = subprocess.run(
            command, input=json.dumps(task), capture_output=True, text=True, timeout=SECONDS,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        found: dict[str, Any] = json.loads(done.stdout)
        return found


NO_BF16 = "from numpy array, expected BF16"
NO_FRACTION = "to_grpc: invalid parameter value: 1.5"
NO_FP16 = "Sending FP16 data via JSON is not supported"
AS_FLOATS = ("same-int64: extreme values", "same-uint64: extreme values", "binary_data_output")
"""A client that reads every number as a float rounds integers above 2^53; it knows JSON only."""
CLIENTS = (
    Client("tritonclient HTTP, JSON", "tritonclient", "tritonclient_http.py", "json"),
    Client("tritonclient HTTP, binary", "tritonclient", "tritonclient_http.py", "binary"),
    Client("tritonclient gRPC", "tritonclient", "tritonclient_grpc.py", "grpc"),
    Client("kserve REST, JSON", "kserve", "kserve_client.py", "json", (NO_FP16,), False),
    Client("kserve REST, binary", "kserve", "kserve_client.py", "binary", (NO_BF16,), False),
    Client("kserve gRPC, raw", "kserve", "kserve_client.py", "grpc", (NO_BF16, NO_FRACTION)),
    Client("kserve gRPC, typed", "kserve", "kserve_client.py", "contents",
           ("invalid input datatype", NO_FRACTION)),
    Client("open-inference-openapi", "open-inference", "open_inference_client.py", "json",
           leaves_out=AS_FLOATS),
)  # fmt: skip


@dataclass
class Comparison:
    """What became of a client's calls: `wrong` has a line for each one that is not as expected."""

    client: str
    passed: int = 0
    unsupported: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    largest_difference: float = 0.0
    milliseconds: float = 0.0


def compare(
    client: Client,
    cases: Sequence[ClientCase],
    models: Mapping[str, AskedModel],
    results: Sequence[dict[str, Any]],
) -> Comparison:
    """Compare the results of a client's calls with the libraries' own outputs."""
    done = Comparison(client.name)
    seconds = []
    for case, result in zip(cases, results, strict=True):
        model = models[model_of(case)]
        error = result.get("error")
        if error is not None and any(text in error for text in client.cannot):
            done.unsupported.append(f"{case.name}: {error}")
            continue
        problem, difference = ("", 0.0) if error is None else (error, math.inf)
        if error is None:
            seconds.append(result["seconds"])
            if not client.tells_version:
                result["version"] = case.answered_by
            problem, difference = compare_result(case, model, result)
        if problem or difference > model.tolerance:
            done.wrong.append(f"{case.name}: {problem or f'differs by {difference}'}")
        else:
            done.passed += 1
            done.largest_difference = max(done.largest_difference, difference)
    done.milliseconds = 1000 * float(np.median(seconds or [0.0]))
    return done


def model_of(case: ClientCase) -> str:
    """Return the name under which the tests know a model; `renewed` is the first one again."""
    return "two-kinds" if case.model == "renewed" else case.model


def compare_result(
    case: ClientCase, model: AskedModel, result: Mapping[str, Any]
) -> tuple[str, float]:
    """Return what is wrong with a result, and the largest relative difference of its numbers."""
    expected = expected_outputs(case, model)
    if (result["model"], result["version"]) != (case.model, case.answered_by):
        return f"answered by {result['model']}/{result['version']}", math.inf
    if case.id and result["id"] != case.id:
        return f"the id is {result['id']!r}", math.inf
    names = [one["name"] for one in result["outputs"]]
    if names != list(expected) if case.outputs else sorted(names) != sorted(expected):
        return f"outputs are {names}", math.inf
    differences = [difference(expected[one["name"]], one) for one in result["outputs"]]
    return "", max(differences)


def difference(expected: Output, found: Mapping[str, Any]) -> float:
    """Return the largest relative difference; infinite if anything but numbers differs."""
    if found["datatype"] != expected.datatype or found["shape"] != list(expected.values.shape):
        return math.inf
    wanted = expected.values.ravel().tolist()
    if len(wanted) != len(found["data"]):
        return math.inf
    if expected.datatype == "BYTES":
        pairs = zip(map(str, wanted), found["data"], strict=True)
        return max((_text_difference(left, right) for left, right in pairs), default=0.0)
    if expected.datatype.startswith("FP"):
        pairs = zip(wanted, found["data"], strict=True)
        return max((abs(left - right) / (1 + abs(left)) for left, right in pairs), default=0.0)
    return 0.0 if wanted == found["data"] else math.inf


def _text_difference(left: str, right: str) -> float:
    """Return the difference of texts: of their numbers if they are classes with values."""
    if left == right:
        return 0.0
    (value, *rest), (found, *other) = left.split(":"), right.split(":")
    if not rest or rest != other:
        return math.inf
    try:
        return abs(float(value) - float(found))
    except ValueError:
        return math.inf


def table(comparisons: Sequence[Comparison]) -> str:
    """Return a table with a line for each client."""
    lines = [
        f"{'client':<28} {'passed':>6} {'cannot':>6} {'wrong':>5} {'difference':>10} {'ms':>6}"
    ]
    lines += [
        f"{one.client:<28} {one.passed:>6} {len(one.unsupported):>6} {len(one.wrong):>5} "
        f"{one.largest_difference:>10.1e} {one.milliseconds:>6.1f}"
        for one in comparisons
    ]
    return "\n".join(lines)
