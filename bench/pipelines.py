"""The cost of each kind of step of a pipeline, in one process and without servers.

    python bench/pipelines.py

Pipelines of ten equal steps run on batches. It prints milliseconds per step and batch, the minimum
of several rounds; the goal is at most 0.2 ms for a batch of up to 1,000 rows. The model costs
nothing, so that what a model step takes is all overhead. `answers` is what a pipeline costs beside
its steps: the outputs of each row by name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

from modstream.models.pipelines.pipeline import parse_pipeline
from modstream.models.runtimes.runtime import Outputs
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch, InputSchema
from modstream.processors.pipeline.executor import PipelineExecutor
from modstream.processors.pipeline.model_step import StepModel
from modstream.processors.pipeline.records import StepRecords

STEPS, ROUNDS, LIMIT_MS = 10, 30, 0.2
SIZES = (1, 100, 1_000, 10_000)
HEAD = 'name = "bench"\n[request]\na = "float"\nb = "float"\ns = "string"\n'
MODEL = 'model = "free"\ninputs = { x = "request.a", y = "request.b" }'
KINDS = {
    "model": MODEL,
    "model, on half of the rows": f'{MODEL}\nwhen = "request.a > 0"',
    "arithmetic a * b + c": 'transform = { value = "request.a * request.b + 1" }',
    "condition a if c else b": 'transform = { value = "1 if request.a > 0 else request.b" }',
    "lookup": 'transform = { value = { lookup = "request.s", table = { x = 1 }, default = 0 } }',
    "bin": 'transform = { value = { bin = "request.a", edges = [0, 1] } }',
    "average": 'ensemble = "average"\nmembers = ["request.a", "request.b"]',
    "any": 'any = ["request.a", "request.b"]',
    "vote": 'ensemble = "vote"\nmembers = ["request.a", "request.b"]',
}


@dataclass(slots=True)
class FreeModel:
    """A version whose prediction is a feature."""

    card: ModelCard
    name: str = "free"

    @property
    def runtime(self) -> "FreeModel":
        """The version itself."""
        return self

    def predict(self, batch: Batch) -> Outputs:
        """Return the first feature."""
        return batch.columns["x"]

    def snapshot(self) -> bytes:
        """Return nothing: this model is not stored."""
        return b""


def free_model() -> FreeModel:
    """Return the model."""
    card = ModelCard(
        name="free", runtime="onnx", task="regression", version=1, sha256="0" * 64, size=0,
        input_schema=InputSchema.of_floats(["x", "y"]), created=datetime.now(UTC),
    )  # fmt: skip
    return FreeModel(card)


def executor_of(step: str) -> PipelineExecutor:
    """Return the executor of ten such steps."""
    lines = [HEAD]
    for number in range(STEPS):
        lines += [f"[steps.s{number}]", step]
    lines.append("[output]")
    output = "label" if 'ensemble = "vote"' in step else "value"
    for number in range(STEPS):
        source = f"s{number}.{output}"
        lines.append(f'o{number} = {{ from = "{source}", default = 0 }}')
    return PipelineExecutor(parse_pipeline("\n".join(lines).encode(), "bench"))


def batch_of(size: int) -> Batch:
    """Return a batch of random rows."""
    random = np.random.default_rng(1)
    texts = np.empty(size, object)
    texts[:] = random.choice(["x", "y"], size).tolist()
    numbers = random.normal(size=(2, size))
    return Batch({"a": numbers[0], "b": numbers[1], "s": texts}, size)


def measure(step: str, size: int) -> tuple[float, float]:
    """Return the milliseconds that a step takes for a batch, and all else divided by the steps."""
    executor, batch, model = executor_of(step), batch_of(size), free_model()

    def resolve(_name: str, _ref: int | str) -> StepModel:
        return model

    best = best_rest = float("inf")
    for _ in range(ROUNDS):
        started = perf_counter()
        result = executor.run(batch, resolve)
        StepRecords(result)
        total = (perf_counter() - started) * 1000
        steps = sum(run.milliseconds for run in result.runs)
        best, best_rest = min(best, steps / STEPS), min(best_rest, (total - steps) / STEPS)
    return best, max(0.0, best_rest)


def rows() -> Iterator[tuple[str, list[float]]]:
    """Yield the milliseconds of each kind of step, by size of the batch."""
    for kind, step in KINDS.items():
        yield kind, [measure(step, size)[0] for size in SIZES]
    yield "answers", [measure(KINDS["arithmetic a * b + c"], size)[1] for size in SIZES]


def main() -> None:
    """Print the table, and whether the goal is reached."""
    table = Table(title="milliseconds per step and batch")
    table.add_column("step")
    for size in SIZES:
        table.add_column(f"{size:,} rows", justify="right")
    worst = 0.0
    for kind, found in rows():
        table.add_row(kind, *(f"{one:.3f}" for one in found))
        if kind in KINDS:
            worst = max(worst, found[SIZES.index(1_000)])
    console = Console()
    console.print(table)
    console.print(f"largest for 1,000 rows: {worst:.3f} ms; the goal is {LIMIT_MS} ms")


if __name__ == "__main__":
    main()
