"""ONNX Runtime sessions whose runs are limited in time and memory: https://onnxruntime.ai."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from modstream.models.errors import PredictError, PredictTimedOut, UnreadableArtifact
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.onnx_run_limit import PREDICT_LIMIT_SECONDS, RUN_MONITOR, Run
from modstream.models.runtimes.onnx_safety import sanitize_onnx
from modstream.models.runtimes.run_allowance import RunAllowance

MEMORY_LIMIT_BYTES = 4 << 30
"""Largest memory of all sessions of a process: the weights, and the tensors of running models."""
DTYPES: Mapping[str, str] = MappingProxyType(
    {
        "tensor(float16)": "float16",
        "tensor(float)": "float32",
        "tensor(double)": "float64",
        **{
            f"tensor({sign}int{bits})": f"{sign}int{bits}"
            for sign in ("", "u")
            for bits in (8, 16, 32, 64)
        },
        "tensor(bool)": "bool",
        "tensor(string)": "object",
    }
)
"""The numpy type of each type of tensor that numpy has."""
FLOAT_TYPES = frozenset({"tensor(float16)", "tensor(float)", "tensor(double)"})

Feeds = Mapping[str, NDArray[Any]]


class OnnxSession:
    """An ONNX Runtime session, and the artifact it was opened on."""

    __slots__ = ("_allowance", "_session", "artifact", "inputs", "metadata", "outputs")

    def __init__(
        self, artifact: bytes, limit: float = PREDICT_LIMIT_SECONDS, *, optimize: bool = True
    ) -> None:
        """Open a session; `limit` is the longest processor time, in seconds, of one batch.

        Without `optimize`, nothing is calculated before the first run.

        Raises:
            ArtifactTooLarge: the artifact is larger than the largest one allowed.
            ExternalData: the model refers to files.
            UnreadableArtifact: ONNX Runtime cannot load it.
        """
        checked = sanitize_onnx(artifact)
        _limit_memory()
        with translate_library_errors(_unreadable):
            self._session = ort.InferenceSession(
                checked, _options(optimize=optimize), providers=["CPUExecutionProvider"]
            )
        self._allowance = RunAllowance(limit)
        self.artifact = artifact
        self.inputs: Sequence[ort.NodeArg] = tuple(self._session.get_inputs())
        self.outputs: Sequence[ort.NodeArg] = tuple(self._session.get_outputs())
        self.metadata: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map

    def run(
        self, outputs: Sequence[str], feeds: Feeds, rows: int = 1, size: int = 0
    ) -> list[NDArray[Any]]:
        """Run the model once, on some rows; return the named outputs.

        `size` is what the time of a run depends on, by default the number of rows.

        Raises:
            PredictError: ONNX Runtime failed.
            PredictTimedOut: the run exceeded its limit.
        """
        return self.run_each(outputs, (feeds,), rows, size)[0]

    def run_each(
        self, outputs: Sequence[str], feeds: Iterable[Feeds], rows: int, size: int = 0
    ) -> list[list[NDArray[Any]]]:
        """Run the model on several feeds, within one limit; return the named outputs of each run.

        Raises:
            PredictError: ONNX Runtime failed.
            PredictTimedOut: the runs exceeded their limit.
        """
        size = size or rows
        run = RUN_MONITOR.begin(self._limit(rows, size))
        try:
            found = [self._session.run(outputs, one, run.options) for one in feeds]
            self._allowance.note_run(size, run.seconds)
            return found
        except Exception as error:
            raise self._failure(error, run, rows) from error
        finally:
            RUN_MONITOR.end(run)

    @property
    def is_exhausted(self) -> bool:
        """Whether runs exceeded the limit so often that this session should not be used."""
        return self._allowance.is_exhausted

    def _limit(self, rows: int, size: int) -> float:
        """Return the limit of a run, in seconds of processor time.

        Raises:
            PredictTimedOut: runs exceeded the limit too often before.
        """
        limit = self._allowance.limit(rows, size)
        if not limit:
            raise PredictTimedOut("onnx", rows, limit)
        return limit

    def _failure(self, error: Exception, run: Run, rows: int) -> PredictError:
        if run.options.terminate:
            self._allowance.note_timeout(rows, run.limit, run.seconds)
            return PredictTimedOut("onnx", rows, run.limit)
        return PredictError("onnx", plain_reason(f"{type(error).__name__}: {error}"))


def _unreadable(reason: str) -> UnreadableArtifact:
    plain = plain_reason(reason)
    remedy = next((text for pattern, text in _REMEDIES if pattern.search(plain)), "")
    return UnreadableArtifact("onnx", f"{plain}{remedy}")


def plain_reason(reason: str) -> str:
    """Return ONNX Runtime's message without its codes, and without the places in its sources."""
    for pattern in _NOISE:
        reason = pattern.sub("", reason)
    return reason.strip(" :.\n") or "ONNX Runtime gives no reason"


_REMEDIES = (
    (
        re.compile(r"[Oo]pset \d+ is under development"),
        f"; ONNX Runtime {ort.__version__} does not run it: export the model with a lower opset",
    ),
    (
        re.compile(r"is not a registered function/op"),
        "; ONNX Runtime runs standard operators only: export the model with these alone",
    ),
    (
        re.compile(r"No Op registered"),
        "; its opset has no such operator: export with a higher one, and standard operators alone",
    ),
    (
        re.compile(r"Unsupported model IR version: \d+, max supported IR version: (\d+)"),
        "; lower it with Python's onnx: load the file, set model.ir_version = 10, and save it",
    ),
)
"""What to do about ONNX Runtime's reasons, as a pattern and a sentence."""
_NOISE = tuple(
    map(
        re.compile,
        (
            r"^\w+: (?=\[ONNXRuntimeError\])",
            r"\[ONNXRuntimeError\] : \d+ : \w+ : ",
            r"Exception during initialization: ",
            r"Load model from .*? failed: ?",
            r"Fatal error: |This is an invalid model\. |Error: |Status Message: ",
            r"In Node, .*? -> \(.*?\) , Error ",
            r"ONNX Runtime only \*guarantees\*.*?versions\. ",
            r"The operator schemas and.*?backward compatibility\. ",
            r"Name:'[^']*' ?",
            r"\S*onnxruntime_src/\S+:\d+ (?:[\w:*&<>~ ]+\(.*?\)(?: const)? ?(?:\[[^]]*\] ?)?)?",
        ),
    )
)


def rank_of(declared: ort.NodeArg) -> int:
    """Return the number of dimensions of an input or output; 0 also if the graph does not say."""
    return len(declared.shape or ())


def is_numeric(declared: ort.NodeArg) -> bool:
    """Return whether an input or output is a tensor of integers or floats."""
    return np.dtype(DTYPES.get(declared.type, "object")).kind in "iuf"


def _options(*, optimize: bool) -> ort.SessionOptions:
    """Return options for one thread, as there are many workers, and for the ONNX format only.

    ONNX Runtime would otherwise also load its own format, which `sanitize_onnx` does not check.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry("session.use_env_allocators", "1")
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


@cache
def _limit_memory() -> None:
    """Give all sessions of the process one arena of limited size."""
    info = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    by_request = 1
    arena = ort.OrtArenaCfg({"max_mem": MEMORY_LIMIT_BYTES, "arena_extend_strategy": by_request})
    ort.create_and_register_allocator(info, arena)
