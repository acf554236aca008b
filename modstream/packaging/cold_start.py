"""The time that a package takes to answer first, in a fresh process that sees nothing else."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from zipfile import ZipFile

from modstream.errors import PackagingFailed
from modstream.models.schema.card import ModelCard
from modstream.models.schema.synthetic import synthetic_tensors, warm_up_batch

TIMEOUT_SECONDS = 120.0
PROGRAM = """\
import sys, json, time
sys.path.insert(0, sys.argv[1])
event = json.loads(sys.stdin.read())
times = [time.perf_counter()]
from modstream.serverless import handler
times.append(time.perf_counter())
handler.prepare()
times.append(time.perf_counter())
answer = handler(event)
times.append(time.perf_counter())
cpu = time.process_time()
handler(event)
times.append(time.perf_counter())
from lambda_function import lambda_handler
assert lambda_handler is handler
import resource
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
modules = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
found = {"times": times, "cpu": cpu, "answer": answer, "memory": memory, "modules": modules}
print(json.dumps(found))
"""
"""Run without the site packages of its Python; its argument is the package's folder."""


class ColdStart(NamedTuple):
    """Times in seconds, the most memory in bytes, and the answer to a sample request.

    `cpu_seconds` is the processor time until the first answer, with that of Python's own start; it
    tells little of what else runs on the machine.
    `modules` are the files of the modules that were imported.
    """

    import_seconds: float
    load_seconds: float
    first_answer_seconds: float
    next_answer_seconds: float
    cpu_seconds: float
    memory_bytes: int
    modules: tuple[Path, ...]
    answer: dict[str, Any]

    @property
    def seconds(self) -> float:
        """The time until the first answer."""
        return self.import_seconds + self.load_seconds + self.first_answer_seconds


def measure_zip(package: Path, event: Mapping[str, Any], runs: int = 3) -> ColdStart:
    """Unzip a package, start it a few times, and return the run with the median time.

    Raises:
        PackagingFailed: it does not answer.
    """
    with TemporaryDirectory(prefix="modstream-unzipped-") as folder:
        with ZipFile(package) as archive:
            archive.extractall(folder)
        return measure_folder(Path(folder), event, runs)


def measure_folder(folder: Path, event: Mapping[str, Any], runs: int = 3) -> ColdStart:
    """Start an unzipped package a few times, and return the run with the median time.

    Raises:
        PackagingFailed: it does not answer.
    """
    found = sorted((_start(folder, event) for _ in range(runs)), key=lambda one: one.seconds)
    return found[runs // 2]


def sample_event(card: ModelCard) -> dict[str, Any]:
    """Return a request that a version can answer."""
    event: dict[str, Any] = {"id": "sample"}
    if card.output_form == "tensors":
        tensors = synthetic_tensors(card)
        types = {spec.name: spec.datatype for spec in card.input_tensors}
        inputs = [
            {
                "name": name,
                "shape": values.shape,
                "datatype": types[name],
                "data": values.ravel().tolist(),
            }
            for name, values in tensors.items()
        ]
        return {**event, "inputs": inputs}
    return {**event, "features": card.input_schema.raw_rows(warm_up_batch(card, 1))[0]}


def _start(folder: Path, event: Mapping[str, Any]) -> ColdStart:
    try:
        done = subprocess.run(
            [_plain_python(), "-I", "-S", "-B", "-c", PROGRAM, str(folder)],
            input=json.dumps(event),
            cwd=folder,
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise PackagingFailed(f"no answer within {TIMEOUT_SECONDS:g} s") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it ended"])[-1]
        raise PackagingFailed(f"the function does not answer a sample request: {reason}")
    found = json.loads(done.stdout.splitlines()[-1])
    begin, imported, loaded, first, again = found["times"]
    return ColdStart(
        import_seconds=imported - begin,
        load_seconds=loaded - imported,
        first_answer_seconds=first - loaded,
        next_answer_seconds=again - first,
        cpu_seconds=found["cpu"],
        memory_bytes=found["memory"] * 1024,
        modules=tuple(Path(file) for file in found["modules"] if file),
        answer=found["answer"],
    )


def _plain_python() -> str:
    """Return the interpreter itself; the one of a virtual environment adds its packages."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = Path(sys.base_prefix) / "bin" / version
    return str(found) if found.exists() else sys.executable
